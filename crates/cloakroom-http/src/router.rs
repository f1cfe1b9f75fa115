//! Routes of the service. They are the same for every host: a function or the dev runner.

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Request;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, delete, get, post};
use bytes::Bytes;
use cloakroom_app::{Jobs, Submit, Uploads};
use cloakroom_core::Code;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode, Uri};
use tower::ServiceExt as _;

use crate::caller::require_caller;
use crate::jobs_state::JobsState;
use crate::long_polls::LongPolls;
use crate::middleware::middleware;
use crate::problems::Rejection;
use crate::submit_state::SubmitState;
use crate::{
    Site, cancel, deliveries, events, find, history, landing, openapi, poll, response, result,
    shared, submit, uploads,
};

/// Builds the routes of a host. With `submit` it serves `/`, commands, uploads and `/openapi.json`; with `jobs` it serves jobs.
///
/// A function serves one of the two and the dev runner both. Routes that a host does not serve are `not-found` there.
pub fn router(site: Site, submit: Option<(Submit, Uploads)>, jobs: Option<Jobs>) -> Router {
    let site = Arc::new(site);
    let long_polls = LongPolls::new(site.settings.longest_wait);
    let (mut routes, mut shared) = (Router::new(), Router::new());
    if let Some((submit, uploads)) = submit {
        routes = routes.merge(command_routes(&site, submit, uploads, long_polls.clone()));
    }
    if let Some(jobs) = jobs {
        let state = Arc::new(JobsState::new(Arc::clone(&site), jobs, long_polls));
        routes = routes.merge(job_routes(Arc::clone(&state)));
        shared = shared_routes(state);
    }
    let routes = routes
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(&site), require_caller))
        .merge(shared)
        .layer(from_fn_with_state(Arc::clone(&site), middleware));
    if site.settings.base_path.is_empty() {
        return routes;
    }
    Router::new()
        .fallback_service(routes.map_request(move |request| strip_base_path(&site, request)))
}

fn command_routes(
    site: &Arc<Site>,
    submit: Submit,
    uploads: Uploads,
    long_polls: LongPolls,
) -> Router {
    // Built at the first request: most functions never receive one, and it would delay the start of all.
    let (base_path, commands) = (site.settings.base_path.clone(), submit.commands.clone());
    let document = Arc::new(LazyLock::new(move || {
        openapi::document(&base_path, &commands)
    }));
    let jobs = Jobs {
        shared: submit.shared.clone(),
        objects: Arc::clone(&submit.objects),
        namespace: submit.namespace,
        publisher: None,
        links: None,
    };
    Router::new()
        .route("/", allow_only("GET, HEAD, OPTIONS", get(landing::landing)))
        .route(
            "/commands",
            allow_only("GET, HEAD, OPTIONS", get(landing::commands)),
        )
        .route(
            "/commands/{type}",
            allow_only("POST, OPTIONS", post(submit::submit)),
        )
        .route(
            "/uploads",
            allow_only("POST, OPTIONS", post(uploads::upload)),
        )
        .route(
            "/uploads/{id}",
            allow_only("GET, HEAD, OPTIONS", get(uploads::look)),
        )
        .route(
            "/openapi.json",
            allow_only(
                "GET, HEAD, OPTIONS",
                get(move || async move {
                    (
                        [(CONTENT_TYPE, "application/json")],
                        Bytes::clone(&document),
                    )
                }),
            ),
        )
        .with_state(Arc::new(SubmitState {
            site: Arc::clone(site),
            jobs,
            long_polls,
            submit,
            uploads,
        }))
}

fn job_routes(state: Arc<JobsState>) -> Router {
    Router::new()
        .route("/jobs", allow_only("GET, HEAD, OPTIONS", get(find::find)))
        .route(
            "/jobs/{id}",
            allow_only(
                "GET, HEAD, DELETE, OPTIONS",
                get(poll::poll).merge(delete(cancel::cancel)),
            ),
        )
        .route(
            "/jobs/{id}/history",
            allow_only("GET, HEAD, OPTIONS", get(history::history)),
        )
        .route(
            "/jobs/{id}/result",
            allow_only("GET, HEAD, OPTIONS", get(result::result)),
        )
        .route(
            "/jobs/{id}/events",
            allow_only("GET, HEAD, OPTIONS", get(events::events)),
        )
        .route(
            "/jobs/{id}/links",
            allow_only("POST, OPTIONS", post(shared::create)),
        )
        .route(
            "/jobs/{id}/deliveries",
            allow_only("GET, HEAD, OPTIONS", get(deliveries::list)),
        )
        .route(
            "/jobs/{id}/deliveries/{delivery}/redeliver",
            allow_only("POST, OPTIONS", post(deliveries::redeliver)),
        )
        .with_state(state)
}

/// Routes whose caller has a ticket instead of credentials.
fn shared_routes(state: Arc<JobsState>) -> Router {
    Router::new()
        .route(
            "/shared/{ticket}",
            allow_only(
                "GET, HEAD, DELETE, OPTIONS",
                get(shared::poll).merge(delete(shared::withdraw)),
            ),
        )
        .route(
            "/shared/{ticket}/events",
            allow_only("GET, HEAD, OPTIONS", get(shared::stream)),
        )
        .route(
            "/shared/{ticket}/result",
            allow_only("GET, HEAD, OPTIONS", get(shared::fetch_result)),
        )
        .route(
            "/shared/{ticket}/signals/{name}",
            allow_only("POST, OPTIONS", post(shared::signal)),
        )
        .with_state(state)
}

/// Adds `OPTIONS`, and the rejection of all other methods, to a path. `allow` is the value of `Allow`.
fn allow_only<S: Clone + Send + Sync + 'static>(
    allow: &'static str,
    methods: MethodRouter<S, Infallible>,
) -> MethodRouter<S, Infallible> {
    let allow = HeaderValue::from_static(allow);
    let options = {
        let allow = allow.clone();
        move || async move {
            let mut response = response::empty(StatusCode::NO_CONTENT);
            response.headers_mut().insert(ALLOW, allow);
            response
        }
    };
    let reject = move || async move {
        let detail = format!(
            "this path accepts {}; use one of these methods",
            allow.to_str().unwrap_or_default()
        );
        Rejection::new(Code::MethodNotAllowed, detail)
            .header(ALLOW, allow)
            .into_response()
    };
    methods.options(options).fallback(reject)
}

async fn not_found(request: Request) -> Response {
    // `*` is the whole service (RFC 9110, section 9.3.7).
    if request.method() == Method::OPTIONS && request.uri().path() == "*" {
        let mut response = response::empty(StatusCode::NO_CONTENT);
        response.headers_mut().insert(
            ALLOW,
            HeaderValue::from_static("GET, HEAD, POST, DELETE, OPTIONS"),
        );
        return response;
    }
    Rejection::new(
        Code::NotFound,
        "this path does not exist; / and /openapi.json list the paths",
    )
    .into_response()
}

/// Removes the base path if the gateway left it in the request.
fn strip_base_path(site: &Site, mut request: Request) -> Request {
    let path = request.uri().path();
    let rest = site.strip_base_path(path);
    if rest.len() < path.len() {
        let target = request
            .uri()
            .query()
            .map_or_else(|| rest.to_owned(), |query| format!("{rest}?{query}"));
        if let Ok(target) = Uri::try_from(target) {
            *request.uri_mut() = target;
        }
    }
    request
}

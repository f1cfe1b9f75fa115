//! The routes: the same for every host, be it a function or the dev runner.

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

use crate::around::around;
use crate::caller::known;
use crate::held::Held;
use crate::problems::Refused;
use crate::{Site, answer, cancel, find, history, openapi, poll, result, submit, uploads};

/// What the routes of jobs work with.
#[derive(Clone)]
pub(crate) struct Front {
    pub(crate) site: Arc<Site>,
    pub(crate) jobs: Jobs,
    pub(crate) held: Held,
}

/// What the routes of commands and uploads work with.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) front: Front,
    pub(crate) submit: Submit,
    pub(crate) uploads: Uploads,
}

/// The routes of a host: of commands, uploads and `/openapi.json` where it submits, of jobs where it answers polls.
///
/// A function serves one of the two and the dev runner both. What a host does not serve is `not-found` there.
pub fn router(mut site: Site, submit: Option<(Submit, Uploads)>, jobs: Option<Jobs>) -> Router {
    site.base_path
        .truncate(site.base_path.trim_end_matches('/').len());
    let site = Arc::new(site);
    let held = Held::new(site.longest_wait);
    let mut routes = Router::new();
    if let Some((submit, uploads)) = submit {
        routes = routes.merge(commands(&site, submit, uploads, held.clone()));
    }
    if let Some(jobs) = jobs {
        routes = routes.merge(self::jobs(Front {
            site: Arc::clone(&site),
            jobs,
            held,
        }));
    }
    let routes = routes
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(&site), known))
        .layer(from_fn_with_state(Arc::clone(&site), around));
    if site.base_path.is_empty() {
        return routes;
    }
    Router::new().fallback_service(routes.map_request(move |request| below(&site, request)))
}

fn commands(site: &Arc<Site>, submit: Submit, uploads: Uploads, held: Held) -> Router {
    // Made at its first request: most functions' lives never see one, and all would pay for it at their start.
    let (base_path, served) = (site.base_path.clone(), submit.commands.clone());
    let document = Arc::new(LazyLock::new(move || {
        openapi::document(&base_path, &served)
    }));
    let jobs = Jobs {
        shared: submit.shared.clone(),
        objects: Arc::clone(&submit.objects),
        namespace: submit.namespace,
    };
    Router::new()
        .route(
            "/commands/{type}",
            only("POST, OPTIONS", post(submit::submit)),
        )
        .route("/uploads", only("POST, OPTIONS", post(uploads::upload)))
        .route(
            "/uploads/{id}",
            only("GET, HEAD, OPTIONS", get(uploads::look)),
        )
        .route(
            "/openapi.json",
            only(
                "GET, HEAD, OPTIONS",
                get(move || async move {
                    (
                        [(CONTENT_TYPE, "application/json")],
                        Bytes::clone(&document),
                    )
                }),
            ),
        )
        .with_state(Desk {
            front: Front {
                site: Arc::clone(site),
                jobs,
                held,
            },
            submit,
            uploads,
        })
}

fn jobs(front: Front) -> Router {
    Router::new()
        .route("/jobs", only("GET, HEAD, OPTIONS", get(find::find)))
        .route(
            "/jobs/{id}",
            only(
                "GET, HEAD, DELETE, OPTIONS",
                get(poll::poll).merge(delete(cancel::cancel)),
            ),
        )
        .route(
            "/jobs/{id}/history",
            only("GET, HEAD, OPTIONS", get(history::history)),
        )
        .route(
            "/jobs/{id}/result",
            only("GET, HEAD, OPTIONS", get(result::result)),
        )
        .with_state(front)
}

/// A path with these methods and no others.
fn only<S: Clone + Send + Sync + 'static>(
    allow: &'static str,
    methods: MethodRouter<S, Infallible>,
) -> MethodRouter<S, Infallible> {
    let allow = HeaderValue::from_static(allow);
    let options = {
        let allow = allow.clone();
        move || async move {
            let mut response = answer::nothing(StatusCode::NO_CONTENT);
            response.headers_mut().insert(ALLOW, allow);
            response
        }
    };
    let other = move || async move {
        let detail = format!(
            "this path takes {}; send one of these methods",
            allow.to_str().unwrap_or_default()
        );
        Refused::new(Code::MethodNotAllowed, detail)
            .header(ALLOW, allow)
            .into_response()
    };
    methods.options(options).fallback(other)
}

async fn not_found(request: Request) -> Response {
    // The whole service, not a path of it (RFC 9110, section 9.3.7).
    if request.method() == Method::OPTIONS && request.uri().path() == "*" {
        let mut response = answer::nothing(StatusCode::NO_CONTENT);
        response.headers_mut().insert(
            ALLOW,
            HeaderValue::from_static("GET, HEAD, POST, DELETE, OPTIONS"),
        );
        return response;
    }
    Refused::new(
        Code::NotFound,
        "there is nothing at this path; see /openapi.json for what there is",
    )
    .into_response()
}

/// Takes the base path off, where the gateway left it on.
fn below(site: &Site, mut request: Request) -> Request {
    let path = request.uri().path();
    let rest = site.below(path);
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

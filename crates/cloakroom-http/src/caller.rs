//! The caller's tenant, determined once before all routes, so that no route can omit the check.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use cloakroom_core::{Code, Tenant};
use http::Method;
use http::request::Parts;

use crate::Site;
use crate::problems::Rejection;

/// The tenant of a request's caller.
#[derive(Clone)]
struct Caller(Tenant);

/// Rejects requests whose caller is unknown. `OPTIONS` passes: a browser sends a preflight without credentials, and its
/// response is the same for every caller.
pub(crate) async fn require_caller(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Some(tenant) = (site.tenant)(&parts) else {
        tracing::error!(
            "the gateway passed on a request without the caller's identity: check that its authorizer is on"
        );
        return unknown_caller().into_response();
    };
    parts.extensions.insert(Caller(tenant));
    next.run(Request::from_parts(parts, body)).await
}

/// Returns the caller's tenant.
pub(crate) fn tenant(parts: &Parts) -> Result<Tenant, Rejection> {
    parts
        .extensions
        .get::<Caller>()
        .map(|caller| caller.0.clone())
        .ok_or_else(unknown_caller)
}

fn unknown_caller() -> Rejection {
    let detail = "the caller is unknown; send the credentials that you received from the operator of the service";
    Rejection::new(Code::Forbidden, detail)
}

//! Whose request it is: found out once, before any route, so that no route can forget to ask.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use cloakroom_core::{Code, Tenant};
use http::Method;
use http::request::Parts;

use crate::Site;
use crate::problems::Refused;

/// The tenant that a request was found to be of.
#[derive(Clone)]
struct Caller(Tenant);

/// Refuses whatever is of nobody that is known. `OPTIONS` is what a browser asks before it may send credentials, and its
/// answer is the same for everyone.
pub(crate) async fn known(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Some(tenant) = (site.tenant)(&parts) else {
        tracing::error!(
            "the gateway let a request in without saying whose it is: is its authorizer off?"
        );
        return nobody().into_response();
    };
    parts.extensions.insert(Caller(tenant));
    next.run(Request::from_parts(parts, body)).await
}

/// Whose request it is.
pub(crate) fn tenant(parts: &Parts) -> Result<Tenant, Refused> {
    parts
        .extensions
        .get::<Caller>()
        .map(|caller| caller.0.clone())
        .ok_or_else(nobody)
}

fn nobody() -> Refused {
    let detail = "it is not known who sent this request; send it with the credentials that the service's operator gave you";
    Refused::new(Code::Forbidden, detail)
}

//! The only crate that knows HTTP: one router for every host, request and response headers, problem documents, and pages.
//!
//! - [`router()`] builds it; [`Site`] has its [`HttpSettings`], and the source of the caller's tenant;
//! - a file for each verb: `submit`, `poll`, `result`, `cancel`, `find`, `uploads`; all show a job by `response`;
//! - a file for each header that has a grammar: `idempotency_key`, `prefer`, `accept`, `conditional`, `request_trace`;
//! - `caller` determines the caller's tenant before any route, and rejects requests of unknown callers;
//! - `middleware` wraps every request: its id, its log line, CORS, and a problem document for each failure.
//!
//! It calls the use cases and does not know the implementations of their ports.

mod accept;
mod body;
mod caller;
mod cancel;
mod conditional;
pub mod cors;
mod find;
mod header_list;
mod history;
mod html;
mod idempotency_key;
mod job_query;
mod job_view;
mod jobs_state;
mod landing;
mod long_polls;
mod middleware;
mod not_before;
mod openapi;
mod page;
mod poll;
mod prefer;
mod problems;
mod request_trace;
mod response;
mod result;
mod router;
mod site;
mod submit;
mod submit_state;
mod unrouted;
mod uploads;

pub use cloakroom_app::http_settings::{Authorizer, Cors, HttpSettings};
pub use router::router;
pub use site::{Site, TenantResolver};
pub use unrouted::unrouted_response;

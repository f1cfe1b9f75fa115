//! HTTP side of a service: one router for every host, headers, problem documents and pages. No other crate knows HTTP.
//!
//! - [`router()`] builds the router. [`Site`] has its [`HttpSettings`] and the source of the caller's tenant.
//! - Each verb has a file: `submit`, `poll`, `result`, `cancel`, `find`, `uploads`. All of them show a job with `response`.
//! - Each header with a grammar has a file: `idempotency_key`, `prefer`, `accept`, `conditional`, `request_trace`.
//! - `caller` determines the caller's tenant before any route, and rejects requests of unknown callers.
//! - `middleware` adds to every request an id, a log line, CORS headers, and a problem document for each failure.
//!
//! The crate calls the use cases, and does not know the implementations of their ports.

mod accept;
mod body;
mod caller;
mod cancel;
mod conditional;
pub mod cors;
mod deliveries;
mod events;
mod find;
mod header_list;
mod history;
mod html;
mod idempotency_key;
mod job_query;
mod job_view;
mod jobs_state;
mod landing;
mod listeners;
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
mod shared;
mod site;
mod submit;
mod submit_state;
mod unrouted;
mod uploads;

pub use cloakroom_app::http_settings::{Authorizer, Cors, HttpSettings};
pub use listeners::CallbackCheck;
pub use router::router;
pub use site::{Site, TenantResolver};
pub use unrouted::unrouted_response;

//! The only room that knows HTTP: one router for every host, headers in and out, problem documents, and a page.
//!
//! - [`router()`] puts it together; [`Site`] says where it is, who may read it from a browser, and who the caller is;
//! - a file for each verb: `submit`, `poll`, `result`, `cancel`, `find`, `uploads`; `answer` shows a job as they all do;
//! - a file for each header that has a grammar: `idempotency_key`, `prefer`, `accept`, `conditional`, `trace`;
//! - `caller` finds out whose request it is, and refuses those of nobody, before any route;
//! - `around` is what every request goes through: its id, its log line, CORS, and a problem document for all that fails.
//!
//! It calls the use cases and knows nothing of what is behind their ports.

mod accept;
mod answer;
mod around;
mod body;
mod caller;
mod cancel;
mod conditional;
mod cors;
mod find;
mod held;
mod history;
mod idempotency_key;
mod list;
mod not_before;
mod openapi;
mod page;
mod poll;
mod prefer;
mod problems;
mod result;
mod router;
mod site;
mod submit;
mod trace;
mod unanswered;
mod uploads;

pub use cors::Cors;
pub use router::router;
pub use site::{Site, TenantOf};
pub use unanswered::unanswered;

//! The program, run as a process.

mod cost;
mod errors;
#[cfg(unix)]
mod input;
#[cfg(unix)]
mod output;
mod program;
#[path = "../../../cloakroom-client/tests/it/script.rs"]
#[expect(dead_code, reason = "the client's tests use all of it; these a part")]
mod script;
#[cfg(unix)]
mod signals;
mod upload;

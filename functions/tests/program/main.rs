//! The programs of the demo, run as processes.

#[cfg(unix)]
#[path = "../../../crates/cloakroom-cli/tests/it/signals.rs"]
mod signals;

#[cfg(unix)]
mod dev;
mod functions;

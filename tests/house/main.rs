//! Checks of the repository: dependencies between crates, and documents that must match the code.

mod circles;
mod cost;
#[path = "../shared/embedded.rs"]
mod embedded;
mod infra;
mod readme;
mod reference;
mod rooms;
mod security;
mod signals;

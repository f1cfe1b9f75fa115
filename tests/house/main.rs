//! The house keeps its own rules: who may know whom, and documents that tell the truth.

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

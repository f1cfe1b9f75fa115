//! The house keeps its own rules: who may know whom, and documents that tell the truth.

mod cost;
mod infra;
mod readme;
mod rooms;

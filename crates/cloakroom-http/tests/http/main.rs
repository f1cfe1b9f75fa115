//! The HTTP contract, held against the router over ports in memory. Every answer is also held to `openapi.yaml`.

mod answers;
mod cancel;
mod everything;
mod find;
mod house;
mod log;
mod openapi;
mod page;
mod poll;
mod result;
mod submit;
mod uploads;

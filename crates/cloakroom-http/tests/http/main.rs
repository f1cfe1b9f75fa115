//! Tests of the HTTP contract, with the router over ports in memory. Every response is also checked against `openapi.yaml`.

mod cancel;
mod common;
mod events;
mod every_route;
mod find;
mod landing;
mod listeners;
mod log;
mod log_lines;
mod openapi;
mod page;
mod poll;
mod responses;
mod result;
mod service;
mod shared;
mod submit;
mod uploads;

//! The client against a scripted server: its requests, its retries, and its reading of the responses. No test waits.

mod deliveries;
mod events;
mod job;
mod limits;
mod parts;
mod result;
mod script;
mod submit;
mod typed;
mod upload;
mod wait;

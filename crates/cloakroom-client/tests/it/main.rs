//! The client against a scripted server: what it asks, how often, and what it makes of the answers. Nothing waits.

mod job;
mod limits;
mod parts;
mod result;
mod script;
mod submit;
mod typed;
mod upload;
mod wait;

//! Posts to servers on loopback. No test waits: time is paused before a time limit ends a call.

mod certificates;
mod limits;
mod names;
mod responses;
mod server;

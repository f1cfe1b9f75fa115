//! Fuzz targets for all parsers of untrusted input. Each target is a function of bytes that panics if one of its
//! properties does not hold:
//!
//! | target | input | property |
//! |---|---|---|
//! | [`requests`] | a sequence of HTTP requests, between which jobs run | every response complies with the contract; no 5xx |
//! | [`events`] | the same as events of API Gateway, through the adapter to the router | the same, and a request does not depend on the order of a map |
//! | [`messages`] | messages of the queue: for the worker, the dead letters, the sweeper's lists and its stream | only its own messages change a job, and it never sees another job's payload |
//! | [`records`] | attributes of a stored record | a record that was read is written unchanged, and every use case accepts it |
//! | [`payloads`] | a command's query and body, and the description of an upload | each gets a response that names the position of an error without terms of Rust |
//! | [`names`] | ids, keys, times, traces, locations | a value that was read is written unchanged; a location is on this site, or a URL |
//! | [`images`] | an image for a thumbnail | it succeeds, or fails with a clear reason |
//!
//! Inputs are text if possible, so that seeds and crashes are readable. A target builds a valid object around the
//! input, so that it passes the first checks: a record that the input changes, or a job that a message may name.
//! `fuzz/run` runs the targets for some time. The tests here replay the corpora, and the crashes that were found.

mod contract;
pub mod events;
pub mod images;
pub mod messages;
pub mod names;
pub mod payloads;
pub mod records;
mod request;
pub mod requests;
mod scene;

#[cfg(fuzzing)]
pub use libfuzzer_sys;

/// Defines the program of a target: libFuzzer's if it is built for fuzzing, otherwise one that replays the given files.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $crate::$name::run(data));

        #[cfg(not(fuzzing))]
        fn main() {
            for file in std::env::args().skip(1) {
                $crate::$name::run(&std::fs::read(&file).expect("a file"));
            }
        }
    };
}

#[cfg(test)]
mod tests;

//! What a stranger sends, against all that parses it. Each target is a function of bytes that panics where a property of it
//! does not hold:
//!
//! | target | what is sent | what must hold |
//! |---|---|---|
//! | [`requests`] | HTTP requests, one after the other, with jobs worked on between them | the contract, of every answer; no 5xx |
//! | [`events`] | the same, as API Gateway's events, through what lies between it and the router | the same, and what a request is does not depend on the order of a map |
//! | [`messages`] | messages of the queue: to the worker, the dead letters, the sweeper's lists and its stream | a job is changed by its own messages alone, and sees no other job's payload |
//! | [`records`] | attributes of a stored record | what is read is written back the same, and every use case takes it |
//! | [`payloads`] | a command's query and body, and the description of an upload | an answer to each, in words that name its place and nothing of Rust |
//! | [`names`] | ids, keys, times, traces, places | what is read is written back the same; a place is on this site, or a URL |
//! | [`images`] | an image to be made smaller | it is made, or refused in clear words |
//!
//! Inputs are text wherever they can be, so that seeds and crashes are read like stories. What a target takes is built around
//! the input (a good record that the input changes, a recorded job that a message may name), so that it gets past the first
//! check. `fuzz/run` runs the targets for a while; the tests here play the corpora again, and the crashes that were found.

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

/// The program of a target: libFuzzer's where it is built for fuzzing, else one that plays the files that it is given.
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

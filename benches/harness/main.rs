//! Compares the functions with a hand-written baseline, and prints the tables for the README.
//!
//! `benches/run` builds the programs and runs this one. Everything is measured in one run on one machine, and processes
//! of both sides alternate. The median of several processes counts. CPU time is the most reliable value.

#![expect(
    clippy::print_stdout,
    reason = "it is a program that says what it finds"
)]

mod aws;
mod callgrind;
mod dev;
mod events;
mod function;
mod http;
mod instant;
mod instructions;
mod place;
mod polls;
mod process;
mod report;
mod runner;
mod scale;
mod statistics;
mod table;
mod tls;

use std::path::PathBuf;

use place::Place;

/// Number of processes of each function, and of invocations of each process.
const ROUNDS: (usize, usize) = (21, 300);
/// Same for a quick run.
const QUICK: (usize, usize) = (5, 300);

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let is = |name: &str| arguments.iter().any(|argument| argument == name);
    let programs = PathBuf::from(
        arguments
            .first()
            .filter(|it| !it.starts_with("--"))
            .expect("the folder of programs"),
    );
    let place = Place::new(programs);
    if is("--instant") {
        println!("{}", instant::measure(&place));
        return;
    }
    let (rounds, invocations) = if is("--quick") { QUICK } else { ROUNDS };

    let mut page = report::head(rounds, invocations);
    page += &report::functions(&place, &function::measure(&place, rounds, invocations));
    page += &report::sizes(&place);
    if !is("--functions") {
        page += &scale::measure(&place);
        page += &scale::waiting(&place);
        page += &polls::measure();
        page += &dev::measure(&place);
        page += &instant::measure(&place);
    }
    println!("{page}");
    if let Some(at) = arguments.iter().position(|argument| argument == "--write") {
        std::fs::write(&arguments[at + 1], page).expect("a file that can be written");
    }
}

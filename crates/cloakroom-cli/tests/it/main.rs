//! The program, run as a process.

mod cost;
#[cfg(unix)]
mod dev;
mod errors;
#[cfg(unix)]
mod input;
#[cfg(unix)]
mod output;
mod program;
#[path = "../../../cloakroom-client/tests/it/script.rs"]
#[expect(dead_code, reason = "the client's tests use all of it; these a part")]
mod script;
mod upload;

/// Names of the signals that ask a program to end. Under `nohup` the program ignores SIGHUP, as it should.
#[cfg(unix)]
fn signals_that_end() -> impl Iterator<Item = &'static str> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    // Bit 0 is signal 1, SIGHUP.
    ["INT", "TERM"]
        .into_iter()
        .chain((ignored & 1 == 0).then_some("HUP"))
}

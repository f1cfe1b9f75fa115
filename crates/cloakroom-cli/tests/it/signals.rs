//! Signals that ask a program to end.

/// Names of the signals that ask a program to end. Under `nohup` the program ignores SIGHUP, as it should.
pub(crate) fn signals_that_end() -> impl Iterator<Item = &'static str> {
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

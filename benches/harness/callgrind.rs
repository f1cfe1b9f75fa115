//! Counts the instructions of a function's process with Callgrind.

use std::io::Read as _;
use std::process::{Command, Stdio};

use crate::process::Function;

/// Returns the command that counts instructions. `None` if valgrind is missing.
pub(crate) fn callgrind() -> Option<Command> {
    let mut command = Command::new("valgrind");
    let there = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|it| it.success());
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .stderr(Stdio::piped());
    there.then_some(command)
}

/// Ends a process that runs under callgrind, and returns its instruction count.
pub(crate) fn collected(mut function: Function) -> u64 {
    let child = function.child();
    let ended = Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .expect("kill runs");
    assert!(ended.success());
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("it is piped")
        .read_to_string(&mut said)
        .expect("text");
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    count
        .and_then(|(_, count)| count.trim().parse().ok())
        .unwrap_or_else(|| panic!("callgrind says {said}"))
}

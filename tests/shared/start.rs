//! Start of a function's program. The tests of each function include this file.

use std::process::Command;

/// Starts the program with only these variables. It must stop, and print one line with the missing variable.
pub(crate) fn stops_for_want_of(missing: &str, program: &str, set: &[(&str, &str)]) {
    let output = Command::new(program)
        .env_clear()
        .envs(set.iter().copied())
        .output()
        .expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<_> = log.lines().collect();
    let wanted = format!("set {missing} to ");
    assert!(
        lines.len() == 1 && lines[0].contains(&wanted) && lines[0].contains("it is not set"),
        "{log}"
    );
}

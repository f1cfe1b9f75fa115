//! The program itself, at its start.

use std::process::Command;

#[test]
fn without_its_configuration_it_stops_and_names_the_variable() {
    let set = [
        ("CLOAKROOM_BUCKET", "payloads"),
        ("CLOAKROOM_QUEUE_URL", "http://127.0.0.1:9/queue"),
        ("CLOAKROOM_LISTS_URL", "http://127.0.0.1:9/lists"),
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_sweeper")).env_clear().envs(set).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<_> = log.lines().collect();
    assert!(
        lines.len() == 1 && lines[0].contains("set CLOAKROOM_TABLE to ") && lines[0].contains("it is not set"),
        "{log}"
    );
}

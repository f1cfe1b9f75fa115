//! The program itself, at its start.

use std::process::Command;

#[test]
fn without_its_configuration_it_stops_and_names_the_variable() {
    let set = [
        ("CLOAKROOM_TABLE", "jobs"),
        ("CLOAKROOM_BUCKET", "payloads"),
        ("CLOAKROOM_NAMESPACE", "c10a6300-0000-4000-8000-000000000001"),
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_submit")).env_clear().envs(set).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stdout).expect("UTF-8");
    let lines: Vec<_> = log.lines().collect();
    assert!(
        lines.len() == 1 && lines[0].contains("set CLOAKROOM_QUEUE_URL to ") && lines[0].contains("it is not set"),
        "{log}"
    );
}

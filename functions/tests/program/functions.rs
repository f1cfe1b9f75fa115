//! The functions without their configuration: each stops with one line that names the missing variable.

use std::process::Command;

const ALL: [(&str, &str); 7] = [
    ("CLOAKROOM_TABLE", "jobs"),
    ("CLOAKROOM_BUCKET", "payloads"),
    ("CLOAKROOM_QUEUE_URL", "http://127.0.0.1:9/queue"),
    ("CLOAKROOM_LISTS_URL", "http://127.0.0.1:9/lists"),
    ("CLOAKROOM_DEAD_LETTERS_URL", "http://127.0.0.1:9/dead"),
    (
        "CLOAKROOM_NAMESPACE",
        "c10a6300-0000-4000-8000-000000000001",
    ),
    ("AWS_REGION", "us-east-1"),
];

#[test]
fn a_function_without_a_variable_stops_and_names_it() {
    for (program, missing) in [
        (env!("CARGO_BIN_EXE_submit"), "CLOAKROOM_QUEUE_URL"),
        (env!("CARGO_BIN_EXE_worker"), "CLOAKROOM_TABLE"),
        (env!("CARGO_BIN_EXE_status"), "CLOAKROOM_NAMESPACE"),
        (env!("CARGO_BIN_EXE_dead-letters"), "CLOAKROOM_TABLE"),
        (env!("CARGO_BIN_EXE_sweeper"), "CLOAKROOM_TABLE"),
        (env!("CARGO_BIN_EXE_notify"), "CLOAKROOM_TABLE"),
    ] {
        let output = Command::new(program)
            .env_clear()
            .envs(ALL.into_iter().filter(|(name, _)| *name != missing))
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(1), "{program}");
        let log = String::from_utf8(output.stdout).expect("UTF-8");
        let lines: Vec<_> = log.lines().collect();
        let wanted = format!("set {missing} to ");
        assert!(
            lines.len() == 1 && lines[0].contains(&wanted) && lines[0].contains("it is not set"),
            "{program}: {log}"
        );
    }
}

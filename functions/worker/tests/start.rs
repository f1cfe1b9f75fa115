//! How the function starts where it can't.

use std::process::Command;

#[test]
fn a_wrong_configuration_ends_it_with_one_line_that_names_the_variable() {
    let good = [
        ("CLOAKROOM_TABLE", "jobs"),
        ("CLOAKROOM_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/work"),
        ("CLOAKROOM_BUCKET", "payloads"),
    ];
    for (name, value) in [
        ("CLOAKROOM_TABLE", None),
        ("CLOAKROOM_QUEUE_URL", Some("work")),
        ("CLOAKROOM_BUCKET", Some("")),
        ("CLOAKROOM_DIAGNOSTICS", Some("perhaps")),
    ] {
        let mut worker = Command::new(env!("CARGO_BIN_EXE_worker"));
        worker.env_clear().envs(good).env_remove(name).envs(value.map(|value| (name, value)));
        let output = worker.output().expect("it can be run");
        let log = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
        assert!(log.contains(&format!("can't start: set {name} to ")), "{log}");
    }
}

//! `cloakroom cost` as a process.

use std::process::Command;

#[test]
fn nonsense_is_a_usage_error_that_names_what_would_be_right() {
    let cases = [
        ("--jobs", "-5", "expected a number from 1 to 1e10"),
        ("--jobs", "NaN", "expected a number from 1 to 1e10"),
        ("--polls", "inf", "expected a number from 0 to 1e6"),
        (
            "--payload",
            "40Kb",
            "expected whole bytes, such as 512, 40KiB or 1MB, at most 64MiB",
        ),
        (
            "--payload",
            "65MiB",
            "at most 64MiB, the limit of an upload",
        ),
        ("--duration", "16m", "at most 15m, the limit of a function"),
        ("--duration", "0s", "more than 0"),
        (
            "--memory",
            "0",
            "expected megabytes, a whole number from 128 to 10240",
        ),
        ("--batch", "0", "expected a number from 1 to 10"),
        ("--api", "soap", "possible values: rest, http"),
        ("--architecture", "mips", "possible values: arm64, x86_64"),
    ];
    for (option, value, right) in cases {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
        let output = command
            .args(["cost", option, value])
            .output()
            .expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{option} {value}: {said}"
        );
        assert!(
            said.contains(option) && said.contains(right),
            "{option} {value}: {said}"
        );
    }
}

#[test]
fn a_document_adds_up() {
    let output = Command::new(env!("CARGO_BIN_EXE_cloakroom"))
        .args(["cost", "--json"])
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(0));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let services = document["services"].as_array().expect("services");
    let sum = |of: &str| {
        services
            .iter()
            .map(|it| it[of].as_f64().expect("a number"))
            .sum::<f64>()
    };
    assert!((sum("dollars") - document["dollars"].as_f64().expect("a number")).abs() < 1e-9);
    assert!((sum("share") - 1.0).abs() < 1e-9);
}

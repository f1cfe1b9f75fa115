//! Dependencies between the workspace's crates, as declared in their manifests.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Crates of the workspace that each crate may use. Tests and build scripts may use more.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "cloakroom",
        &[
            "cloakroom-app",
            "cloakroom-cli",
            "cloakroom-core",
            "cloakroom-http",
            "cloakroom-lambda",
        ],
    ),
    ("cloakroom-core", &[]),
    ("cloakroom-app", &["cloakroom-core"]),
    ("cloakroom-http", &["cloakroom-core", "cloakroom-app"]),
    (
        "cloakroom-aws",
        &[
            "cloakroom-core",
            "cloakroom-app",
            "cloakroom-sqs-extended-client",
        ],
    ),
    ("cloakroom-embedded", &[]),
    ("cloakroom-sqs-extended-client", &[]),
    ("cloakroom-client", &["cloakroom-core"]),
    ("cloakroom-cost", &["cloakroom-core"]),
    (
        "cloakroom-lambda",
        &[
            "cloakroom-app",
            "cloakroom-aws",
            "cloakroom-http",
            "cloakroom-webhooks",
        ],
    ),
    ("cloakroom-webhooks", &["cloakroom-app"]),
    ("demo", &["cloakroom"]),
    (
        "cloakroom-doctor",
        &["cloakroom-core", "cloakroom-app", "cloakroom-aws"],
    ),
    (
        "cloakroom-dev",
        &[
            "cloakroom-app",
            "cloakroom-aws",
            "cloakroom-embedded",
            "cloakroom-http",
            "cloakroom-webhooks",
        ],
    ),
    (
        "cloakroom-cli",
        &[
            "cloakroom-app",
            "cloakroom-aws",
            "cloakroom-client",
            "cloakroom-cost",
            "cloakroom-dev",
            "cloakroom-doctor",
        ],
    ),
    ("cloakroom-sim", &["cloakroom-core", "cloakroom-app"]),
    ("cloakroom-tests", &["cloakroom-core", "cloakroom-client"]),
    ("cloakroom-benches", &["cloakroom-core"]),
    ("crc-fast", &[]),
    (
        "cloakroom-fuzz",
        &[
            "cloakroom-core",
            "cloakroom-app",
            "cloakroom-aws",
            "cloakroom-http",
            "cloakroom-lambda",
            "demo",
        ],
    ),
];

/// Crate of the benchmarks' baseline, which implements by hand what the other crates do.
const FLOOR: &str = "cloakroom-benches";

/// Dependencies that only these crates may have.
const KEPT: &[(&str, &[&str])] = &[
    (
        "aws-",
        &[
            "cloakroom-aws",
            "cloakroom-doctor",
            "cloakroom-fuzz",
            "cloakroom-sqs-extended-client",
            FLOOR,
        ],
    ),
    (
        "axum",
        &[
            "cloakroom",
            "cloakroom-http",
            "cloakroom-dev",
            "cloakroom-lambda",
            "cloakroom-fuzz",
        ],
    ),
    ("http", &["cloakroom-http", "cloakroom-fuzz"]),
    ("lambda_", &["cloakroom-lambda", "cloakroom-fuzz", FLOOR]),
    (
        "aws_lambda_events",
        &["cloakroom-lambda", "cloakroom-fuzz", FLOOR],
    ),
    ("rusqlite", &["cloakroom-embedded"]),
    (
        "reqwest",
        &["cloakroom-client", "cloakroom-webhooks", "cloakroom-tests"],
    ),
];

/// Crates that the pure core must not use: async, logging, randomness and HTTP.
const NOT_IN_THE_STILL_ROOM: &[&str] = &[
    "tokio",
    "futures",
    "async-trait",
    "tracing",
    "rand",
    "reqwest",
    "axum",
];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--format-version=1",
            "--manifest-path",
        ])
        .arg(cloakroom_tests::root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies");
            (
                name(package),
                all.iter()
                    .filter(|one| one["kind"].is_null())
                    .map(name)
                    .collect(),
            )
        })
        .collect()
}

#[test]
fn every_arrow_between_rooms_is_drawn_here() {
    let dependencies = dependencies();
    assert_eq!(
        dependencies.len(),
        ARROWS.len(),
        "{:?}",
        dependencies.keys()
    );
    for (room, allowed) in ARROWS {
        let of_the_house = |name: &&String| dependencies.contains_key(*name);
        for used in dependencies[*room].iter().filter(of_the_house) {
            assert!(allowed.contains(&used.as_str()), "{room} uses {used}");
        }
    }
}

#[test]
fn what_one_room_knows_is_kept_there() {
    for (room, used) in dependencies() {
        for name in used {
            for (kept, rooms) in KEPT {
                let is = if kept.ends_with(['-', '_']) {
                    name.starts_with(kept)
                } else {
                    name == *kept
                };
                assert!(!is || rooms.contains(&room.as_str()), "{room} uses {name}");
            }
            assert!(
                room != "cloakroom-core" || !NOT_IN_THE_STILL_ROOM.contains(&name.as_str()),
                "{room} uses {name}"
            );
        }
    }
}

#[test]
fn the_crates_that_fuzzing_instruments_exist() {
    let script = std::fs::read_to_string(cloakroom_tests::root().join("fuzz/instrument"));
    let script = script.expect("a script");
    let names = script
        .lines()
        .find_map(|line| {
            line.trim()
                .strip_suffix(')')
                .filter(|it| it.contains(" | "))
        })
        .expect("a pattern of names");
    let crates = dependencies();
    for name in names.split(" | ") {
        let is_package = crates.keys().any(|it| it.replace('-', "_") == name);
        assert!(is_package, "fuzz/instrument names {name}");
    }
}

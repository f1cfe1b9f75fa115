//! Turns the hand-kept `openapi.yaml` at the root into the JSON that is served, so that a mistake in it fails the build.

use std::{env, fs, path::Path};

fn main() {
    let source =
        Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("openapi.yaml");
    println!("cargo::rerun-if-changed={}", source.display());
    let yaml = fs::read_to_string(&source).expect("read openapi.yaml at the workspace's root");
    let document: serde_json::Value =
        serde_yaml_ng::from_str(&yaml).expect("openapi.yaml is YAML that JSON can say");
    let target = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("openapi.json");
    fs::write(target, document.to_string()).expect("write to cargo's own directory");
}

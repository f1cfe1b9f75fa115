//! Checks that the tests named in docs/security.md exist.

use std::path::Path;

use cloakroom_tests::root;

/// Appends all Rust sources below a directory to a text.
fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|it| it == "rs") {
            text.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).expect("a page");
    let mut text = String::new();
    for folder in ["crates", "functions", "tests"] {
        sources(&root().join(folder), &mut text);
    }
    let words = page.split('`').skip(1).step_by(2);
    let tests: Vec<_> = words
        .filter(|word| word.matches('_').count() > 2 && !word.contains([' ', ':']))
        .collect();
    assert!(tests.len() > 15, "{tests:?}");
    for test in tests {
        assert!(
            text.contains(&format!("fn {test}()")),
            "there is no test {test}"
        );
    }
}

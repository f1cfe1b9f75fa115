//! docs/configuration.md names every parameter of the stack and every variable of the functions.

use std::fs;

use cloakroom_tests::{root, template};

fn page() -> String {
    fs::read_to_string(root().join("docs/configuration.md")).expect("a page")
}

#[test]
fn the_reference_names_every_parameter() {
    let (page, template) = (page(), template());
    for (name, _) in template["Parameters"].as_mapping().expect("parameters") {
        let name = name.as_str().expect("a name");
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_reference_names_every_variable() {
    let page = page();
    let folder = root().join("crates/cloakroom-aws/src/config");
    let mut names = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let source = fs::read_to_string(path).expect("a source");
        for text in source.split('"') {
            if text.starts_with("CLOAKROOM_") && !text.contains(char::is_whitespace) {
                names += 1;
                assert!(page.contains(&format!("`{text}`")), "{text}");
            }
        }
    }
    assert!(names > 20, "{names}");
}

//! The README's session works as printed.

use std::path::Path;
use std::process::Stdio;

use cloakroom_tests::{Deployment, Keep};
use tokio::process::Command;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The commands of the session, each with the lines that it is said to print.
fn session(readme: &str) -> Vec<(String, Vec<String>)> {
    let block = readme.split_once("<!-- session -->\n```console\n").expect("a session").1;
    let block = block.split_once("```").expect("its end").0;
    let mut steps: Vec<(String, Vec<String>)> = vec![];
    for line in block.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), vec![])),
            (None, Some((_, printed))) => printed.push(line.to_owned()),
            (None, None) => panic!("the session begins with a command"),
        }
    }
    steps
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_session_prints_what_it_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
    let cloakroom = Deployment::run(Keep::Nothing).await;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("docs")).expect("a folder");
    std::fs::copy(root().join("docs/photo.jpg"), folder.path().join("docs/photo.jpg")).expect("a photo");
    let steps = session(&readme);
    assert!(steps.len() >= 3, "{steps:?}");
    for (command, printed) in steps {
        let command = command.replace("http://127.0.0.1:9000", cloakroom.url());
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(folder.path())
            .stderr(Stdio::null())
            .output()
            .await
            .expect("a shell");
        assert!(output.status.success(), "{command}");
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        for line in printed {
            assert!(text.lines().any(|said| said == line), "{command}\ndoes not print {line:?} but\n{text}");
        }
    }
    let thumbnail = image::ImageReader::open(folder.path().join("thumbnail.jpg")).expect("a file").into_dimensions();
    assert_eq!(thumbnail.expect("an image"), (200, 150));
}

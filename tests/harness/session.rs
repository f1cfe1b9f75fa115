//! The README's session, run as printed.

use std::path::PathBuf;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::process::Command;

use crate::root;

/// A shell session in its own directory, with the required files.
pub struct Session {
    folder: TempDir,
    steps: Vec<(String, Vec<String>)>,
}

impl Session {
    /// Returns the session in the README.
    pub fn from_readme() -> Self {
        let readme = std::fs::read_to_string(root().join("README.md")).expect("a README");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("docs")).expect("a folder");
        std::fs::copy(
            root().join("docs/photo.jpg"),
            folder.path().join("docs/photo.jpg"),
        )
        .expect("a photo");
        let steps = steps(&readme);
        assert!(steps.len() >= 3, "{steps:?}");
        Self { folder, steps }
    }

    /// Returns the path of a file in the session's directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the commands. `adapted` may change each command, and receives the previous output. Each command must
    /// succeed and print the lines in the README, ignoring case.
    pub async fn play(&self, mut adapted: impl FnMut(&str, &str) -> String) {
        let mut said = String::new();
        for (command, printed) in &self.steps {
            let command = adapted(command, &said);
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &command])
                .current_dir(self.folder.path())
                .stderr(Stdio::null());
            let output = shell.output().await.expect("a shell");
            assert!(output.status.success(), "{command}");
            let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
            said.push_str(&text);
            for line in printed {
                let line = adapted(line, &said);
                let is_said = text.lines().any(|text| text.eq_ignore_ascii_case(&line));
                assert!(is_said, "{command}\ndoes not print {line:?} but\n{text}");
            }
        }
    }
}

/// Returns the commands of the session, each with its expected output.
fn steps(readme: &str) -> Vec<(String, Vec<String>)> {
    let block = readme
        .split_once("<!-- session -->\n```console\n")
        .expect("a session")
        .1;
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

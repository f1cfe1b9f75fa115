//! A dev runner in its own process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Storage of a dev runner.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    /// Memory.
    Nothing,
    /// Directory.
    In(&'a Path),
}

/// A running dev runner. Dropping it kills the process.
#[derive(Debug)]
pub struct Runner {
    /// URL on which it listens.
    pub url: String,
    child: Child,
    // Held but not read: temporary files, which a killed process does not remove.
    _temporary: TempDir,
}

/// Returns the path of a program of the workspace (`demo` or a function), which `cargo test --workspace` has
/// built. Building it here would rebuild half of its dependencies, because their features differ without the tests.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test is a program");
    let folder = test
        .ancestors()
        .nth(2)
        .expect("it lies in a folder of the target folder");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        program.exists(),
        "{} is not built: run `cargo test --workspace`",
        program.display()
    );
    program
}

impl Runner {
    /// Starts a dev runner on a free port, and waits until it listens.
    pub async fn start(keep: Keep<'_>) -> Self {
        let temporary = tempfile::tempdir().expect("a folder for a while");
        let mut command = Command::new(program("demo"));
        command.env("TMPDIR", temporary.path());
        command
            .args(["dev", "--listen", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        match keep {
            Keep::Nothing => command.arg("--memory").stderr(Stdio::null()),
            Keep::In(folder) => {
                let log = std::fs::File::options()
                    .create(true)
                    .append(true)
                    .open(folder.join("log"))
                    .expect("a log");
                command.arg("--data").arg(folder.join("data")).stderr(log)
            }
        };
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.expect("UTF-8") {
                if let Some(url) = line.strip_prefix("listening on ") {
                    return url.to_owned();
                }
            }
            panic!("the dev runner ended before it listened");
        };
        let url = timeout(Duration::from_secs(60), listening)
            .await
            .expect("it listens within a minute");
        // Drains the output, so that the pipe does not fill up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self {
            url,
            child,
            _temporary: temporary,
        }
    }

    /// Kills the process, like `kill -9`.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }

    /// Waits until the process has ended by itself.
    pub async fn ended(mut self) {
        timeout(Duration::from_secs(60), self.child.wait())
            .await
            .expect("it ends")
            .expect("it was running");
    }
}

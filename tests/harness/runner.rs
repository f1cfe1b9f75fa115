//! A dev runner as a process, as a user starts it.

use std::path::{Path, PathBuf};
use std::process::{Command as Blocking, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Where the dev runner keeps its data.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    /// In memory.
    Nothing,
    /// In this folder.
    In(&'a Path),
}

/// A running dev runner. Dropped, it is killed.
#[derive(Debug)]
pub struct Runner {
    /// Where it listens.
    pub url: String,
    child: Child,
}

/// A program of the workspace (`cloakroom`, or a function), built from what is in the tree. With the whole workspace's
/// features, as its tests are: nothing is built twice.
pub fn program(name: &str) -> &'static Path {
    static PROGRAMS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(build);
    programs
        .iter()
        .find(|program| program.file_stem().is_some_and(|stem| stem == name))
        .expect("a program of the workspace")
}

fn build() -> Vec<PathBuf> {
    let build = Blocking::new(env!("CARGO"))
        .args(["build", "--quiet", "--workspace", "--bins", "--message-format=json", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(build.status.success(), "the programs do not build");
    let text = String::from_utf8(build.stdout).expect("UTF-8");
    let messages = text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).collect()
}

impl Runner {
    /// Starts one on a free port, and waits until it listens.
    pub async fn start(keep: Keep<'_>) -> Self {
        let mut command = Command::new(program("cloakroom"));
        command.args(["dev", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        match keep {
            Keep::Nothing => command.arg("--memory").stderr(Stdio::null()),
            Keep::In(folder) => {
                let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).expect("a log");
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
        let url = timeout(Duration::from_secs(60), listening).await.expect("it listens within a minute");
        // What else it prints must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { url, child }
    }

    /// Ends it at once, as `kill -9` does.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it was running");
    }

    /// Waits until it ends by itself.
    pub async fn ended(mut self) {
        timeout(Duration::from_secs(60), self.child.wait()).await.expect("it ends").expect("it was running");
    }
}

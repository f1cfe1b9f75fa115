//! `demo dev` as a process: its start, its end, and conditions that must not stop it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// A runner, which is killed when it is dropped.
struct Runner {
    child: Child,
    address: String,
    temporary: TempDir,
}

fn dev(temporary: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command
        .arg("dev")
        .args(args)
        .env("TMPDIR", temporary)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

impl Runner {
    fn start(args: &[&str]) -> Self {
        let temporary = tempfile::tempdir().expect("a folder");
        let mut command = dev(temporary.path(), args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let read = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line);
        read.expect("text");
        let address = line
            .trim()
            .strip_prefix("listening on http://")
            .expect("it listens")
            .to_owned();
        Self {
            child,
            address,
            temporary,
        }
    }

    /// Returns the response to a request on a separate connection.
    fn ask(&self, request: &str) -> String {
        let mut client = TcpStream::connect(&self.address).expect("connected");
        client
            .write_all(format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .expect("sent");
        let mut answer = String::new();
        client.read_to_string(&mut answer).expect("answered");
        answer
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success());
    }

    /// Returns the files in the temporary folder.
    fn left(&self) -> usize {
        self.temporary.path().read_dir().expect("readable").count()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a runner whose start fails.
fn refused(args: &[&str]) -> String {
    let temporary = tempfile::tempdir().expect("a folder");
    let Output { status, stderr, .. } = dev(temporary.path(), args)
        .output()
        .expect("the program runs");
    assert_eq!(status.code(), Some(2));
    assert_eq!(
        temporary.path().read_dir().expect("readable").count(),
        0,
        "temporary files are left"
    );
    String::from_utf8(stderr).expect("text")
}

#[test]
fn every_signal_that_asks_for_the_end_ends_it_in_order() {
    for name in crate::signals::signals_that_end() {
        let mut runner = Runner::start(&["--memory", "--listen", "127.0.0.1:0"]);
        assert_eq!(runner.left(), 1, "objects lie in a temporary folder");
        runner.signal(name);
        assert_eq!(
            runner.child.wait().expect("it ends").code(),
            Some(0),
            "{name}"
        );
        assert_eq!(runner.left(), 0, "{name}");
    }
}

#[test]
fn a_reader_of_the_log_that_stops_reading_stops_nothing() {
    let runner = Runner::start(&["--memory", "--listen", "127.0.0.1:0"]);
    // A pipe has 64 KiB, and a line of the log about 250 bytes.
    for _ in 0..600 {
        assert!(
            runner
                .ask("GET /nowhere HTTP/1.1")
                .starts_with("HTTP/1.1 404 ")
        );
    }
}

#[test]
fn a_request_that_no_route_sees_is_answered_with_a_problem_document() {
    let runner = Runner::start(&["--memory", "--listen", "localhost:0"]);
    let answer = runner.ask("GET /jobs?client_job_id=\"k\" HTTP/1.1");
    assert!(
        answer
            .starts_with("HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"),
        "{answer}"
    );
    assert!(
        answer.contains("access-control-allow-origin: *\r\n") && answer.contains("x-request-id: "),
        "{answer}"
    );
    assert!(
        answer.ends_with("\"instance\":\"/jobs\",\"code\":\"invalid-request\"}"),
        "{answer}"
    );
}

#[test]
fn a_start_that_fails_says_what_to_do() {
    let runner = Runner::start(&["--memory", "--listen", "127.0.0.1:0"]);
    let error = refused(&["--memory", "--listen", &runner.address]);
    assert!(
        error.contains(&runner.address) && error.contains("choose another address with --listen"),
        "{error}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("dynamodb.sqlite");
    std::fs::write(&file, "rubbish").expect("written");
    let data = folder.path().to_str().expect("a path");
    let error = refused(&["--listen", "127.0.0.1:0", "--data", data]);
    assert!(error.contains(file.to_str().expect("a path")), "{error}");
    assert!(
        error.contains("move or delete the folder") && error.contains("--data"),
        "{error}"
    );
}

#[test]
fn the_program_of_a_service_runs_it_and_makes_no_projects() {
    let help = Command::new(env!("CARGO_BIN_EXE_demo"))
        .arg("--help")
        .output()
        .expect("the program runs");
    let help = String::from_utf8(help.stdout).expect("text");
    assert!(
        help.contains("\n  dev ") && help.contains("\n  localstack "),
        "{help}"
    );
    assert!(!help.contains("\n  new "), "{help}");
}

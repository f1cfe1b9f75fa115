//! The built program submits input that can be read only once, and files that change meanwhile.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::script::{Server, job, reply};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

/// More than fits into a body, and more than is held in memory.
const LARGE: usize = 5_000_000;

fn program(url: &str, file: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    command
        .args(["submit", "a", file, "--retry-for", "0"])
        .env("CLOAKROOM_URL", url);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().expect("the program runs"))
        .await
        .expect("no panic")
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).expect("text")
}

async fn accepting() -> Server {
    Server::start([reply(202, &[], job("accepted", &json!({})).to_string())]).await
}

/// Submits with this command, and returns the payload and media type that the service received.
async fn sent(server: Server, command: Command) -> (Vec<u8>, String) {
    let output = output(command).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let seen = server.end().remove(0);
    let content_type = seen.header("content-type").expect("a type").to_owned();
    (seen.body.to_vec(), content_type)
}

#[tokio::test]
async fn a_pipe_by_any_of_its_names_is_read_once_and_its_type_guessed() {
    for name in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"] {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(b"{\"a\": 1}").expect("written");
        drop(writer);
        let server = accepting().await;
        let mut command = program(&server.url, name);
        command.stdin(reader);
        assert_eq!(
            sent(server, command).await,
            (b"{\"a\": 1}".to_vec(), "application/json".to_owned()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_fifo_is_read_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .expect("mkfifo runs")
            .success()
    );
    let server = accepting().await;
    let command = program(&server.url, path.to_str().expect("text"));
    let writing = std::thread::spawn(move || fs::write(path, "hello"));
    assert_eq!(
        sent(server, command).await,
        (b"hello".to_vec(), "application/octet-stream".to_owned())
    );
    writing.join().expect("no panic").expect("written");
}

#[tokio::test]
async fn a_socket_is_read_as_standard_input() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("sockets");
    (&ours).write_all(b"hello").expect("written");
    ours.shutdown(std::net::Shutdown::Write).expect("no more");
    let server = accepting().await;
    let mut command = program(&server.url, "/dev/stdin");
    command.stdin(std::os::fd::OwnedFd::from(theirs));
    assert_eq!(sent(server, command).await.0, b"hello");
}

#[tokio::test]
async fn a_file_that_is_standard_input_is_read_from_where_it_stands() {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(b"a line\nthe rest").expect("written");
    file.seek(SeekFrom::Start(7)).expect("positioned");
    let server = accepting().await;
    let mut command = program(&server.url, "-");
    command.stdin(file);
    assert_eq!(sent(server, command).await.0, b"the rest");
}

#[tokio::test]
async fn a_file_of_proc_has_content_though_it_has_no_length() {
    let server = accepting().await;
    let command = program(&server.url, "/proc/self/status");
    assert!(
        sent(server, command)
            .await
            .0
            .starts_with(b"Name:\tcloakroom")
    );
}

#[tokio::test]
async fn a_folder_and_a_missing_file_are_2_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("none");
    for (path, why) in [
        (folder.path(), "it is a folder"),
        (&missing, "No such file"),
    ] {
        let name = path.to_str().expect("text");
        let output = output(program("http://127.0.0.1:1", name)).await;
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains(name) && said.contains(why) && said.lines().count() == 1,
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_fifo_that_nobody_writes_to_can_be_interrupted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .expect("mkfifo runs")
            .success()
    );
    let mut command = program("http://127.0.0.1:1", path.to_str().expect("text"));
    let child = command.spawn().expect("it starts");
    // A writer that comes and says nothing: once it is there, the program has the FIFO open, and waits for more.
    let writer = tokio::task::spawn_blocking(move || File::options().write(true).open(path));
    let writer = writer.await.expect("no panic").expect("the program reads");
    let sent = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(sent.success());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output())
        .await
        .expect("no panic")
        .expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    drop(writer);
}

/// Starts a service whose storage accepts everything. `before` runs first, and changes the file.
async fn storage(before: impl Fn() + Clone + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let link = format!("{url}/bucket/key");
    let ticket = move |Json(_): Json<Value>| {
        before();
        std::future::ready(Json(
            json!({ "upload_id": "u-1", "method": "PUT", "url": link }),
        ))
    };
    let take = async |request: Request| match axum::body::to_bytes(request.into_body(), usize::MAX)
        .await
    {
        Ok(body) if body.len() == LARGE => StatusCode::OK,
        _ => StatusCode::BAD_REQUEST,
    };
    let accept = async || (StatusCode::ACCEPTED, Json(job("accepted", &json!({}))));
    let router = Router::new()
        .route("/uploads", post(ticket))
        .route("/bucket/key", put(take))
        .route("/commands/a", post(accept));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

fn large(folder: &Path) -> PathBuf {
    let path = folder.join("large.bin");
    fs::write(&path, vec![7; LARGE]).expect("written");
    path
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_sent_is_2_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = large(folder.path());
    let name = path.to_str().expect("text").to_owned();
    let shrink = move || {
        File::options()
            .write(true)
            .open(&path)
            .and_then(|it| it.set_len(1_000_000))
            .expect("shorter");
    };
    let output = output(program(&storage(shrink).await, &name)).await;
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&name)
            && said.contains("the file changed while it was read")
            && said.lines().count() == 1,
        "{said}"
    );
}

#[tokio::test]
async fn of_a_file_that_grows_while_it_is_sent_the_part_is_sent_that_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = large(folder.path());
    let name = path.to_str().expect("text").to_owned();
    let grow = move || {
        let mut file = File::options().append(true).open(&path).expect("open");
        file.write_all(b"more").expect("written");
    };
    let output = output(program(&storage(grow).await, &name)).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[tokio::test]
async fn a_copy_that_can_not_be_written_is_2_and_says_what_to_do() {
    let mut child = program("http://127.0.0.1:1", "-")
        .stdin(Stdio::piped())
        .env("TMPDIR", "/nowhere")
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let writing = std::thread::spawn(move || stdin.write_all(&vec![7; LARGE]));
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("a pipe")
        .read_to_string(&mut said)
        .expect("text");
    assert_eq!(child.wait().expect("it ends").code(), Some(2), "{said}");
    assert!(
        said.contains("/nowhere") && said.contains("set TMPDIR") && said.lines().count() == 1,
        "{said}"
    );
    // Its reader was gone, perhaps before all of it was written.
    let _ = writing.join().expect("no panic");
}

//! The built program writes a result into a file: whole or not at all, and nothing but that file.

use std::convert::Infallible;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;

use crate::script::{ID, Reply, Server, reply};
use axum::body::{Body, Bytes};
use futures::stream::{self, StreamExt as _};
use tokio::process::{Child, Command};

fn start(server: &Server, folder: &Path, output: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    command
        .args(["result", ID, "-o", output, "--retry-for", "0"])
        .env("CLOAKROOM_URL", &server.url);
    command
        .current_dir(folder)
        .kill_on_drop(true)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

async fn result(server: &Server, folder: &Path, output: &str) -> (Option<i32>, String) {
    let output = start(server, folder, output)
        .wait_with_output()
        .await
        .expect("it ends");
    (
        output.status.code(),
        String::from_utf8(output.stderr).expect("text"),
    )
}

/// A result that begins, and never ends.
fn endless() -> Reply {
    let pieces = stream::iter([Ok::<_, Infallible>(Bytes::from("half"))]).chain(stream::pending());
    reply(200, &[("content-length", "8")], Body::from_stream(pieces))
}

/// A result that breaks off.
fn broken() -> Reply {
    let pieces = stream::iter([
        Ok(Bytes::from("half")),
        Err(std::io::Error::other("broken")),
    ]);
    reply(200, &[("content-length", "8")], Body::from_stream(pieces))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|it| {
            it.expect("an entry")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_file_of_the_users_beside_the_result_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["r.part", "r.tmp"] {
        fs::write(folder.path().join(name), "mine").expect("written");
    }
    let server = Server::start([reply(200, &[], "whole")]).await;
    assert_eq!(
        result(&server, folder.path(), "r").await,
        (Some(0), String::new())
    );
    assert_eq!(
        fs::read(folder.path().join("r.part")).expect("it is there"),
        b"mine"
    );
    assert_eq!(names(folder.path()), ["r", "r.part", "r.tmp"]);
}

#[tokio::test]
async fn a_link_stays_and_the_file_that_it_leads_to_is_replaced_with_its_mode() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("elsewhere")).expect("a folder");
    symlink("elsewhere/real", at("second")).expect("a link");
    symlink("second", at("first")).expect("a link");
    let server = Server::start([reply(200, &[], "new"), reply(200, &[], "newer")]).await;
    assert_eq!(result(&server, folder.path(), "first").await.0, Some(0));
    assert_eq!(
        fs::read(at("elsewhere/real")).expect("made through the links"),
        b"new"
    );
    fs::set_permissions(at("elsewhere/real"), fs::Permissions::from_mode(0o640)).expect("a mode");
    assert_eq!(result(&server, folder.path(), "first").await.0, Some(0));
    let about = fs::metadata(at("elsewhere/real")).expect("it is there");
    assert_eq!(
        (
            fs::read(at("first")).expect("read"),
            about.permissions().mode() & 0o777
        ),
        (b"newer".to_vec(), 0o640)
    );
    assert!(
        fs::symlink_metadata(at("first"))
            .expect("it is there")
            .is_symlink()
    );
    assert_eq!(
        (names(folder.path()), names(&at("elsewhere"))),
        (
            vec!["elsewhere".into(), "first".into(), "second".into()],
            vec!["real".into()]
        )
    );
}

#[tokio::test]
async fn a_result_that_breaks_off_leaves_the_old_one_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r"), "old").expect("written");
    let server = Server::start([broken()]).await;
    let (code, said) = result(&server, folder.path(), "r").await;
    assert_eq!(code, Some(5), "{said}");
    assert_eq!(
        (
            fs::read(folder.path().join("r")).expect("read"),
            names(folder.path())
        ),
        (b"old".to_vec(), vec!["r".into()])
    );
}

#[tokio::test]
async fn a_signal_leaves_the_old_one_and_nothing_else() {
    for signal in crate::signals::signals_that_end() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("r"), "old").expect("written");
        let server = Server::start([endless()]).await;
        let child = start(&server, folder.path(), "r");
        // The half is there: so the program waits for the rest.
        while !fs::read_dir(folder.path())
            .expect("a folder")
            .flatten()
            .any(|it| fs::read(it.path()).is_ok_and(|it| it == b"half"))
        {
            tokio::task::yield_now().await;
        }
        let id = child.id().expect("it runs").to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .await
            .expect("kill runs");
        assert!(sent.success());
        let output = child.wait_with_output().await.expect("it ends");
        assert_eq!(output.status.code(), Some(130), "{signal}");
        assert_eq!(
            (
                fs::read(folder.path().join("r")).expect("read"),
                names(folder.path())
            ),
            (b"old".to_vec(), vec!["r".into()])
        );
    }
}

#[tokio::test]
async fn a_device_is_written_to_and_a_folder_is_no_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start([reply(200, &[], "whole"), reply(200, &[], "whole")]).await;
    assert_eq!(
        result(&server, folder.path(), "/dev/null").await,
        (Some(0), String::new())
    );
    let output = start(&server, folder.path(), "/dev/stdout")
        .wait_with_output()
        .await
        .expect("it ends");
    assert_eq!(
        (output.status.code(), output.stdout),
        (Some(0), b"whole".to_vec())
    );
    let (code, said) = result(&server, folder.path(), ".").await;
    assert!(code == Some(2) && said.contains("it is a folder"), "{said}");
    assert!(names(folder.path()).is_empty());
    server.end();
}

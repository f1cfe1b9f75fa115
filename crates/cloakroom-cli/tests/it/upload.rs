//! The built program uploads a large file, is killed, and resumes the upload.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Path as Named, Request, State};
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

const PART: usize = 5 * 1024 * 1024;

/// Number of parts of 17 MiB, which is more than one part may have.
const PARTS: usize = 4;
const LENGTH: usize = 3 * PART + 2 * 1024 * 1024;

/// A service with one upload, and a storage that does not respond for the parts in `holds`.
#[derive(Clone)]
struct Service(Arc<Inner>);

struct Inner {
    url: String,
    holds: Mutex<BTreeSet<usize>>,
    /// Number of programs that were killed. Parts of a killed program may still arrive, and get no response.
    killed: Mutex<usize>,
    /// Number of times that each part was sent completely.
    sent: Mutex<BTreeMap<usize, usize>>,
    begun: Mutex<usize>,
    keys: Mutex<Vec<String>>,
    moved: watch::Sender<()>,
}

impl Service {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (holds, killed, sent, begun, keys) = Default::default();
        let this = Self(Arc::new(Inner {
            url,
            holds,
            killed,
            sent,
            begun,
            keys,
            moved: watch::Sender::new(()),
        }));
        let routes = Router::new()
            .route(
                "/uploads",
                post(async |State(this): State<Self>| this.begin()),
            )
            .route(
                "/uploads/{id}",
                get(async |State(this): State<Self>| Json(this.upload())),
            )
            .route("/parts/{killed}/{n}", put(Self::take))
            .route(
                "/commands/{type}",
                post(async |State(this): State<Self>, request: Request| this.accept(&request)),
            )
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        this
    }

    fn begin(&self) -> Json<Value> {
        *self.0.begun.lock().expect("a lock") += 1;
        self.0.sent.lock().expect("a lock").clear();
        Json(self.upload())
    }

    fn upload(&self) -> Value {
        let sent = self.0.sent.lock().expect("a lock");
        let killed = *self.0.killed.lock().expect("a lock");
        let part = |n: usize| {
            let length = if n < PARTS { PART } else { LENGTH % PART };
            let url = format!("{}/parts/{killed}/{n}", self.0.url);
            json!({"number": n, "content_length": length, "uploaded": sent.contains_key(&n), "url": url, "headers": {}})
        };
        let parts: Vec<_> = (1..=PARTS).map(part).collect();
        let id = "019c10a6-3000-7000-8000-000000000000";
        json!({"upload_id": id, "method": "PUT", "content_length": LENGTH, "part_length": PART, "parts": parts})
    }

    async fn take(
        State(this): State<Self>,
        Named((killed, n)): Named<(usize, usize)>,
        request: Request,
    ) -> StatusCode {
        let body = to_bytes(request.into_body(), LENGTH)
            .await
            .expect("all of it");
        if !body.iter().all(|byte| usize::from(*byte) == n) {
            return StatusCode::BAD_REQUEST;
        }
        let is_late = *this.0.killed.lock().expect("a lock") > killed;
        if is_late || this.0.holds.lock().expect("a lock").contains(&n) {
            std::future::pending::<()>().await;
        }
        *this.0.sent.lock().expect("a lock").entry(n).or_default() += 1;
        this.0.moved.send_replace(());
        StatusCode::OK
    }

    fn accept(&self, request: &Request) -> (StatusCode, Json<Value>) {
        let key = request.headers()["idempotency-key"]
            .to_str()
            .expect("text")
            .to_owned();
        self.0.keys.lock().expect("a lock").push(key);
        let at = "2026-11-21T08:00:00.123Z";
        let id = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";
        let job = json!({
            "id": id, "type": "a", "status": "accepted", "attempt": 0, "created_at": at, "updated_at": at, "expires_at": at,
            "links": {"self": format!("/jobs/{id}"), "result": format!("/jobs/{id}/result")},
        });
        (StatusCode::ACCEPTED, Json(job))
    }

    /// Waits until exactly these parts are uploaded.
    async fn has(&self, parts: &[usize]) {
        let mut moved = self.0.moved.subscribe();
        let there = async {
            while !self.0.sent.lock().expect("a lock").keys().eq(parts) {
                moved.changed().await.expect("it lives");
            }
        };
        timeout(Duration::from_secs(60), there)
            .await
            .expect("they come");
    }
}

/// Creates a file whose parts contain their numbers.
fn file(folder: &Path) -> String {
    let path = folder.join("big.bin");
    let bytes: Vec<_> = (0..LENGTH)
        .map(|at| u8::try_from(at / PART + 1).expect("a few parts"))
        .collect();
    fs::write(&path, bytes).expect("written");
    path.to_str().expect("a path").to_owned()
}

fn submit(service: &Service, folder: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloakroom"));
    command
        .args(["submit", "a", &file_of(folder)])
        .args(args)
        .env("CLOAKROOM_URL", &service.0.url);
    command
        .env("XDG_STATE_HOME", folder.join("state"))
        .kill_on_drop(true);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

fn file_of(folder: &Path) -> String {
    folder.join("big.bin").to_str().expect("a path").to_owned()
}

async fn ended(child: Child) -> String {
    let output = child.wait_with_output().await.expect("it ends");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

fn notes(folder: &Path) -> usize {
    fs::read_dir(folder.join("state/cloakroom/uploads")).map_or(0, Iterator::count)
}

/// Kills the program when the first and the third part are uploaded.
async fn interrupted(service: &Service, folder: &Path) {
    *service.0.holds.lock().expect("a lock") = BTreeSet::from([2, 4]);
    let mut child = submit(service, folder, &[]);
    service.has(&[1, 3]).await;
    child.kill().await.expect("it ran");
    assert_eq!(notes(folder), 1);
    *service.0.killed.lock().expect("a lock") += 1;
    service.0.holds.lock().expect("a lock").clear();
}

fn sent(service: &Service) -> Vec<usize> {
    service
        .0
        .sent
        .lock()
        .expect("a lock")
        .values()
        .copied()
        .collect()
}

#[tokio::test]
async fn a_submission_that_was_killed_goes_on_and_sends_no_part_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    file(folder.path());
    let service = Service::start().await;
    interrupted(&service, folder.path()).await;
    let said = ended(submit(&service, folder.path(), &[])).await;
    let going_on = format!(
        "resuming an upload: {} of {LENGTH} bytes are uploaded\n",
        2 * PART
    );
    assert!(said.starts_with(&going_on), "{said}");
    assert_eq!(sent(&service), [1, 1, 1, 1]);
    assert_eq!(
        (
            *service.0.begun.lock().expect("a lock"),
            notes(folder.path())
        ),
        (1, 0),
        "and nothing is remembered"
    );

    // Another time it is another job.
    ended(submit(&service, folder.path(), &[])).await;
    let keys = service.0.keys.lock().expect("a lock").clone();
    assert!(keys.len() == 2 && keys[0] != keys[1], "{keys:?}");
}

#[tokio::test]
async fn what_is_not_the_same_again_begins_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    for args in [
        &["--no-resume"][..],
        &["--query", "width=1"],
        &["--key", "k"],
    ] {
        file(folder.path());
        let service = Service::start().await;
        interrupted(&service, folder.path()).await;
        ended(submit(&service, folder.path(), args)).await;
        assert_eq!(*service.0.begun.lock().expect("a lock"), 2, "{args:?}");
        fs::remove_dir_all(folder.path().join("state")).expect("forgotten");
    }
    let path = file(folder.path());
    let service = Service::start().await;
    interrupted(&service, folder.path()).await;
    let modified = fs::metadata(&path)
        .and_then(|about| about.modified())
        .expect("a time");
    let mut bytes = fs::read(&path).expect("read");
    bytes.swap(0, LENGTH - 1);
    fs::write(&path, &bytes).expect("written");
    let changed = fs::File::options().write(true).open(&path).expect("open");
    changed
        .set_modified(modified)
        .expect("as if nothing had changed");
    let other = submit(&service, folder.path(), &[])
        .wait_with_output()
        .await
        .expect("it ends");
    assert_eq!(
        other.status.code(),
        Some(5),
        "the storage does not take these bytes"
    );
    assert_eq!(*service.0.begun.lock().expect("a lock"), 2);
}

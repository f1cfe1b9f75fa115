use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_client::{Builder, Client, Error, Submission, Uploading};
use serde_json::{Value, json};

use crate::script::{Reply, Server, client, job, problem, reply};

/// SHA-256 of `0123456789`, in base64 and in hex.
const SHA256: &str = "hNiYd/DUBB77a/kaFvAkjy/Vc+avBcGflr7bn4gveII=";
const SHA256_HEX: &str = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";

/// Returns an upload of ten bytes in three parts, with these on the page. Parts that are uploaded have no link.
fn upload(storage: &str, told: &[(u32, bool)], next: Option<u32>) -> Reply {
    let part = |&(number, uploaded): &(u32, bool)| {
        let mut part = json!({ "number": number, "content_length": if number < 3 { 4 } else { 2 }, "uploaded": uploaded });
        if !uploaded {
            part["url"] = json!(format!("{storage}/bucket/u-1?partNumber={number}"));
            part["headers"] = json!({ "content-length": "4", "x-signed": "yes" });
        }
        part
    };
    let parts: Vec<_> = told.iter().map(part).collect();
    let mut upload = json!({
        "upload_id": "u-1", "method": "PUT", "content_length": 10, "part_length": 4, "parts": parts,
        "expires_at": "2026-11-21T08:15:00.000Z",
    });
    if let Some(next) = next {
        upload["next"] = json!(format!("/stage/uploads/u-1?from={next}"));
    }
    reply(200, &[], upload.to_string())
}

const NONE: [(u32, bool); 3] = [(1, false), (2, false), (3, false)];

fn accepted() -> Reply {
    reply(202, &[], job("accepted", &json!({})).to_string())
}

fn good() -> Reply {
    reply(200, &[], "")
}

/// Sends one part at a time, in the order of the script.
fn in_parts(builder: Builder) -> Builder {
    builder.body_limit(4).parts_from(9).parts_at_once(1)
}

fn payload() -> Submission {
    Submission::bytes("thumbnail.create", "image/png", "0123456789")
}

fn lines(server: Server) -> Vec<String> {
    server.end().into_iter().map(|seen| seen.line).collect()
}

#[tokio::test]
async fn a_file_over_the_limit_goes_in_parts_each_sent_again_by_itself() {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"0123456789").expect("written");
    let storage = Server::start([good(), reply(503, &[], ""), Reply::Drop, good(), good()]).await;
    let server = Server::start([upload(&storage.url, &NONE, None), accepted()]).await;
    let told: Arc<Mutex<Vec<Uploading>>> = Arc::default();
    let tell = {
        let told = Arc::clone(&told);
        move |uploading: &Uploading| told.lock().expect("a lock").push(uploading.clone())
    };
    let (client, _) = client(&server.url, |builder| {
        in_parts(builder)
            .bearer_token("secret")
            .on_upload(tell.clone())
    });
    let photo = Submission::file("thumbnail.create", "image/png", file.path());
    client.send(photo).await.expect("accepted");

    let seen = server.end();
    let asked: Value = serde_json::from_slice(&seen[0].body).expect("JSON");
    assert_eq!(
        asked,
        json!({ "content_type": "image/png", "content_length": 10, "sha256": SHA256, "parts": 1 })
    );
    assert_eq!(seen[1].header("upload-id"), Some("u-1"));
    let stored = storage.end();
    let bodies: Vec<_> = stored
        .iter()
        .map(|put| (put.line.as_str(), &*put.body))
        .collect();
    let put = |number: u32| format!("PUT /bucket/u-1?partNumber={number}");
    let (one, two, three) = (put(1), put(2), put(3));
    let expected: [(&str, &[u8]); 5] = [
        (&one, b"0123"),
        (&two, b"4567"),
        (&two, b"4567"),
        (&two, b"4567"),
        (&three, b"89"),
    ];
    assert_eq!(bodies, expected);
    for put in &stored {
        let length = put.body.len().to_string();
        assert_eq!(
            (put.header("content-length"), put.header("x-signed")),
            (Some(length.as_str()), Some("yes"))
        );
        assert_eq!(
            (put.header("transfer-encoding"), put.header("authorization")),
            (None, None)
        );
    }
    let told = told.lock().expect("a lock");
    let sent: Vec<_> = told.iter().map(|uploading| uploading.sent).collect();
    assert_eq!(
        sent,
        [0, 4, 8, 4, 8, 4, 8, 10],
        "bytes that are sent again are subtracted"
    );
    assert_eq!(
        (told[0].upload_id.as_str(), told[0].length, told[0].in_parts),
        ("u-1", 10, true)
    );
    assert_eq!(told[0].sha256.as_deref(), Some(SHA256_HEX));
}

#[tokio::test]
async fn what_is_there_of_an_interrupted_upload_is_not_sent_again() {
    let storage = Server::start([good()]).await;
    let there = upload(&storage.url, &[(1, true), (2, false), (3, true)], None);
    let server = Server::start([there, accepted()]).await;
    let (client, _) = client(&server.url, in_parts);
    client
        .send(payload().upload("u-1"))
        .await
        .expect("accepted");
    assert_eq!(
        lines(server),
        ["GET /uploads/u-1?from=1", "POST /commands/thumbnail.create"]
    );
    assert_eq!(lines(storage), ["PUT /bucket/u-1?partNumber=2"]);
}

#[tokio::test]
async fn an_interrupted_upload_that_is_unknown_or_of_another_length_is_begun_anew() {
    for longer in [false, true] {
        let storage = Server::start([good(), good(), good()]).await;
        let before = if longer {
            upload(&storage.url, &NONE, None)
        } else {
            problem(404, "unknown-upload", None)
        };
        let begun = upload(&storage.url, &NONE, None);
        let server = Server::start([before, begun, accepted()]).await;
        let (client, _) = client(&server.url, in_parts);
        let payload = if longer {
            Submission::bytes("a", "image/png", "0123456789a")
        } else {
            payload()
        };
        client.send(payload.upload("u-0")).await.expect("accepted");
        assert_eq!(
            lines(server)[..2],
            ["GET /uploads/u-0?from=1", "POST /uploads"]
        );
        storage.end();
    }
}

#[tokio::test]
async fn a_part_whose_link_is_over_gets_a_fresh_one_and_no_third() {
    let over = || reply(403, &[], "<Error/>");
    let storage = Server::start([good(), over(), good(), over()]).await;
    let fresh = |n: u32, uploaded: bool| upload(&storage.url, &[(n, uploaded)], None);
    let replies = [
        upload(&storage.url, &NONE, None),
        fresh(2, false),
        fresh(3, true),
        accepted(),
    ];
    let server = Server::start(replies).await;
    let sent: Arc<Mutex<Vec<u64>>> = Arc::default();
    let tell = {
        let sent = Arc::clone(&sent);
        move |uploading: &Uploading| sent.lock().expect("a lock").push(uploading.sent)
    };
    let (one, _) = client(&server.url, |builder| {
        in_parts(builder).on_upload(tell.clone())
    });
    one.send(payload()).await.expect("accepted");
    let asked = lines(server);
    assert_eq!(
        asked[1..3],
        ["GET /uploads/u-1?from=2", "GET /uploads/u-1?from=3"],
        "the last one was there after all"
    );
    assert_eq!(
        *sent.lock().expect("a lock"),
        [0, 4, 8, 4, 8, 10, 8, 10],
        "bytes that were rejected are subtracted"
    );
    storage.end();

    let storage = Server::start([over(), over()]).await;
    let server = Server::start([
        upload(&storage.url, &NONE, None),
        upload(&storage.url, &NONE, None),
    ])
    .await;
    let (client, _) = client(&server.url, in_parts);
    let error = client
        .send(payload())
        .await
        .expect_err("the storage rejects it");
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    storage.end();
    server.end();
}

#[tokio::test]
async fn parts_that_are_told_of_later_are_asked_for() {
    let storage = Server::start([good(), good()]).await;
    let pages = [
        upload(&storage.url, &NONE[..1], Some(2)),
        upload(&storage.url, &[(2, true)], Some(3)),
        upload(&storage.url, &NONE[2..], None),
    ];
    let server = Server::start(pages.into_iter().chain([accepted()])).await;
    let (client, _) = client(&server.url, in_parts);
    client.send(payload()).await.expect("accepted");
    let asked = lines(server);
    assert_eq!(
        asked[..3],
        [
            "POST /uploads",
            "GET /uploads/u-1?from=2",
            "GET /uploads/u-1?from=3"
        ]
    );
    assert_eq!(
        lines(storage),
        [
            "PUT /bucket/u-1?partNumber=1",
            "PUT /bucket/u-1?partNumber=3"
        ]
    );
}

#[tokio::test]
async fn links_of_parts_are_used_for_40_minutes() {
    let pages = [(3, None), (2, Some(3))];
    for (retry_after, is_stale, (parts, next)) in [("2399", false), ("2400", true)]
        .into_iter()
        .flat_map(|(after, stale)| pages.map(|page| (after, stale, page)))
    {
        let away = reply(503, &[("retry-after", retry_after)], "");
        let storage = Server::start([away, good(), good(), good()]).await;
        let there = [(1, true), (2, false), (3, false)];
        let fresh = upload(&storage.url, &there[..parts], next);
        let rest = next.map(|_| upload(&storage.url, &NONE[2..], None));
        let replies = [upload(&storage.url, &NONE[..parts], next)]
            .into_iter()
            .chain(is_stale.then_some(fresh))
            .chain(rest)
            .chain([accepted()]);
        let server = Server::start(replies).await;
        let (client, _) = client(&server.url, |builder| {
            in_parts(builder).retry_within(Duration::from_secs(9000))
        });
        client.send(payload()).await.expect("accepted");
        let again = is_stale.then_some("GET /uploads/u-1?from=1");
        let expected: Vec<_> = ["POST /uploads"]
            .into_iter()
            .chain(again)
            .chain(next.map(|_| "GET /uploads/u-1?from=3"))
            .chain(["POST /commands/thumbnail.create"])
            .collect();
        assert_eq!(lines(server), expected, "{retry_after} {next:?}");
        storage.end();
    }
}

#[tokio::test]
async fn a_large_file_that_changed_is_submitted_only_if_it_is_known_to_have_grown() {
    // The digest at the beginning of an interrupted upload is unknown.
    for (at, is_resumed, is_same) in [
        (0, false, false),
        (5_000_000, false, true),
        (0, true, false),
        (5_000_000, true, false),
    ] {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&vec![7; 5_000_000]).expect("written");
        let path = file.path().to_owned();
        let told = std::sync::Once::new();
        let change = move |_: &Uploading| {
            told.call_once(|| {
                use std::os::unix::fs::FileExt as _;
                let file = std::fs::File::options()
                    .write(true)
                    .open(&path)
                    .expect("open");
                file.write_all_at(b"1", at).expect("written");
            });
        };
        let whole = json!([{ "number": 1, "content_length": 5_000_000, "uploaded": true }]);
        let upload = json!({ "upload_id": "u-1", "method": "PUT", "content_length": 5_000_000, "part_length": 5_000_000, "parts": whole });
        let mut replies = vec![reply(200, &[], upload.to_string())];
        replies.extend(is_same.then(accepted));
        let server = Server::start(replies).await;
        let client = Client::builder(&server.url)
            .parts_from(9)
            .on_upload(change)
            .build()
            .expect("a client");
        let mut submission = Submission::file("a", "image/png", file.path());
        if is_resumed {
            submission = submission.upload("u-1");
        }
        match client.send(submission).await {
            Ok(_) => assert!(is_same),
            Err(error) => assert!(!is_same && matches!(error, Error::Input { .. }), "{error}"),
        }
        server.end();
    }
}

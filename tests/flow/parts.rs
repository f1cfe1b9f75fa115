//! Multipart uploads.

use std::sync::{self, Arc};

use bytes::Bytes;
use cloakroom_client::{Client, Submission, Uploading};
use cloakroom_tests::{Deployment, Test, fresh_key, header, json, location_of, suite};
use image::ImageFormat;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify};
use tokio::task::block_in_place;

use crate::photos::{photo, put, submit, thumbnail};

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_photo_in_parts_is_put_together_by_the_command_that_names_it,
        two_commands_that_name_an_upload_in_parts_at_once_make_one_job => [JoinsAtOnce],
        an_upload_by_the_client_that_is_interrupted_goes_on_where_it_was,
        an_upload_that_is_not_in_parts_or_nowhere_can_not_be_looked_at,
    ]
}

/// Returns the response of `GET /uploads/{id}`.
async fn look(cloakroom: &Deployment, place: &str) -> Value {
    let (status, upload) = json(cloakroom.get_at(place).await).await;
    assert_eq!(status, 200, "{upload}");
    upload
}

fn there(upload: &Value) -> Vec<bool> {
    let parts = upload["parts"].as_array().expect("parts");
    parts
        .iter()
        .map(|part| part["uploaded"].as_bool().expect("whether"))
        .collect()
}

async fn a_photo_in_parts_is_put_together_by_the_command_that_names_it() {
    let cloakroom = Deployment::get().await;
    let photo = photo(2200, 1700, ImageFormat::Png);
    assert!(
        (10_500_000..15_000_000).contains(&photo.len()),
        "{}",
        photo.len()
    );
    let terms = json!({"content_type": "image/png", "content_length": photo.len(), "parts": 2});
    let answer = cloakroom
        .request(Method::POST, "/uploads")
        .json(&terms)
        .send()
        .await
        .expect("an answer");
    let place = location_of(&answer);
    let (status, upload) = json(answer).await;
    assert_eq!(status, 201, "{upload}");
    let part_length =
        usize::try_from(upload["part_length"].as_u64().expect("a length")).expect("a few MiB");
    let parts: Vec<_> = photo.chunks(part_length).map(<[u8]>::to_vec).collect();
    assert_eq!((parts.len(), there(&upload)), (2, vec![false, false]));

    let (status, problem) = json(submit(&cloakroom, &upload, &fresh_key("early")).await).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("upload-not-found"))
    );
    for _ in 0..2 {
        let taken = put(&cloakroom, &upload["parts"][1], parts[1].clone())
            .await
            .expect("an answer");
        assert_eq!(taken, 200, "in any order, and more than once");
    }
    let (status, problem) = json(submit(&cloakroom, &upload, &fresh_key("early")).await).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("upload-not-found"))
    );
    assert!(
        problem["detail"]
            .as_str()
            .expect("a text")
            .contains("these are missing: 1;"),
        "{problem}"
    );

    // An interrupted client requests the state and new links.
    let looked = look(&cloakroom, &place).await;
    assert_eq!(there(&looked), [false, true]);
    assert_eq!(
        put(&cloakroom, &looked["parts"][0], parts[0].clone())
            .await
            .expect("an answer"),
        200
    );
    assert_eq!(there(&look(&cloakroom, &place).await), [true, true]);

    let key = fresh_key("photo");
    let answer = submit(&cloakroom, &upload, &key).await;
    assert_eq!(answer.status(), 202);
    assert_eq!(
        thumbnail(&cloakroom, &location_of(&answer)).await,
        (200, 155)
    );
    let again = submit(&cloakroom, &upload, &key).await;
    assert_eq!(
        (
            again.status().as_u16(),
            header(&again, "idempotent-replayed")
        ),
        (200, Some("true"))
    );
    assert_eq!(
        submit(&cloakroom, &upload, &fresh_key("second"))
            .await
            .status(),
        422,
        "an upload serves one job"
    );
    assert_eq!(there(&look(&cloakroom, &place).await), [true, true]);
    let late = put(&cloakroom, &looked["parts"][0], parts[0].clone()).await;
    assert!(
        !late.is_ok_and(|status| status.is_success()),
        "its links are dead"
    );
}

async fn two_commands_that_name_an_upload_in_parts_at_once_make_one_job() {
    let cloakroom = Deployment::get().await;
    let photo = photo(80, 50, ImageFormat::Png);
    let terms = json!({"content_type": "image/png", "content_length": photo.len(), "parts": 1});
    let answer = cloakroom
        .request(Method::POST, "/uploads")
        .json(&terms)
        .send()
        .await;
    let (_, upload) = json(answer.expect("an answer")).await;
    assert_eq!(
        put(&cloakroom, &upload["parts"][0], photo)
            .await
            .expect("an answer"),
        200
    );
    let keys = [fresh_key("one"), fresh_key("other")];
    let (one, other) = tokio::join!(
        submit(&cloakroom, &upload, &keys[0]),
        submit(&cloakroom, &upload, &keys[1])
    );
    let (accepted, refused) = if one.status() == 202 {
        (one, other)
    } else {
        (other, one)
    };
    assert_eq!(
        (accepted.status().as_u16(), refused.status().as_u16()),
        (202, 422)
    );
    assert_eq!(
        thumbnail(&cloakroom, &location_of(&accepted)).await,
        (80, 50),
        "none is enlarged"
    );
}

/// Returns a client that stores the reported state of an upload. When more than `much` bytes are sent, it notifies
/// `over`, and sends nothing more while `stay` is held.
fn telling(
    cloakroom: &Deployment,
    much: u64,
    told: &Told,
    over: &Arc<Notify>,
    stay: &Arc<Mutex<()>>,
) -> Client {
    let (told, over, stay) = (Arc::clone(told), Arc::clone(over), Arc::clone(stay));
    let tell = move |uploading: &Uploading| {
        told.lock()
            .expect("no one panics while telling")
            .push(uploading.clone());
        if uploading.sent > much {
            over.notify_one();
            block_in_place(|| drop(stay.blocking_lock()));
        }
    };
    Client::builder(cloakroom.url())
        .parts_at_once(1)
        .on_upload(tell)
        .build()
        .expect("a client")
}

type Told = Arc<sync::Mutex<Vec<Uploading>>>;

async fn an_upload_by_the_client_that_is_interrupted_goes_on_where_it_was() {
    let cloakroom = Deployment::get().await;
    let photo = Bytes::from(photo(2700, 2200, ImageFormat::Png));
    assert!(photo.len() > 17_000_000, "{}", photo.len());
    // Sequentially: once more bytes than the first part has are sent, that part is complete.
    let first = photo.len() as u64 / 2 + 1;
    let submission =
        Submission::bytes("thumbnail.create", "image/png", photo.clone()).query("width", 200);
    let submission = submission
        .query("format", "png")
        .key(fresh_key("interrupted"));
    let (told, over, stay) = (
        Told::default(),
        Arc::new(Notify::new()),
        Arc::new(Mutex::new(())),
    );
    let stays = stay.lock().await;
    let client = telling(&cloakroom, first, &told, &over, &stay);
    tokio::select! {
        submitted = client.send(submission.clone()) => panic!("{submitted:?}"),
        () = over.notified() => {}
    }
    let id = told.lock().expect("no one panics while telling")[0]
        .upload_id
        .clone();
    assert_eq!(
        there(&look(&cloakroom, &format!("/uploads/{id}")).await),
        [true, false]
    );

    let (told, free) = (Told::default(), Arc::default());
    let submitted = telling(&cloakroom, first, &told, &over, &free)
        .send(submission.upload(&id))
        .await
        .expect("accepted");
    // Not earlier: otherwise, a server that reads quickly would receive the rest.
    drop(stays);
    let sent: Vec<_> = told
        .lock()
        .expect("no one panics while telling")
        .iter()
        .map(|it| it.sent)
        .collect();
    assert_eq!(
        (sent.first(), sent.last()),
        (Some(&first), Some(&(photo.len() as u64))),
        "the first part went once"
    );
    assert_eq!(thumbnail(&cloakroom, &submitted.location).await, (200, 163));
}

async fn an_upload_that_is_not_in_parts_or_nowhere_can_not_be_looked_at() {
    let cloakroom = Deployment::get().await;
    let terms = json!({"content_type": "image/png", "content_length": 10_000_000});
    let answer = cloakroom
        .request(Method::POST, "/uploads")
        .json(&terms)
        .send()
        .await
        .expect("an answer");
    let (status, whole) = json(answer).await;
    assert_eq!(status, 201);
    for id in [
        whole["upload_id"].as_str().expect("an id"),
        "0d5f1c0e-8a51-7f0b-9c6e-2f4f2f7c9a11",
        "x",
    ] {
        let (status, problem) = json(cloakroom.get_at(&format!("/uploads/{id}")).await).await;
        assert_eq!(
            (status, &problem["code"]),
            (404, &json!("unknown-upload")),
            "{problem}"
        );
    }
    let terms = json!({"content_type": "image/png", "content_length": 10_000_000, "parts": 2});
    let answer = cloakroom
        .request(Method::POST, "/uploads")
        .json(&terms)
        .send()
        .await
        .expect("an answer");
    let (status, problem) = json(answer).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (422, &json!("/parts")),
        "a part would be too small"
    );
}

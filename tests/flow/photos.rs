//! Thumbnails of a photo, in the body and through an upload.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cloakroom_tests::{Deployment, Test, fresh_key, header, json, location_of, suite};
use image::{GenericImageView as _, ImageFormat, RgbImage};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    suite![
        a_photo_of_nearly_4_mb_goes_in_the_body,
        a_thumbnail_small_enough_for_the_answer_itself_arrives_byte_for_byte => [BinaryAnswers],
        a_photo_of_30_mb_goes_through_an_upload_that_serves_one_job,
        an_upload_of_other_bytes_than_promised_is_not_taken => [SignedLinks],
        what_is_no_photo_fails_with_words_for_a_person,
    ]
}

/// Returns a picture that is hard to compress, so that its file is as large as a photo's.
pub(crate) fn photo(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let mut state = 1u32;
    let noise = RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, a, b, c] = state.to_be_bytes();
        image::Rgb([a, b, c])
    });
    let mut file = Cursor::new(vec![]);
    noise.write_to(&mut file, format).expect("an image");
    file.into_inner()
}

pub(crate) async fn thumbnail(cloakroom: &Deployment, location: &str) -> (u32, u32) {
    let (status, job) = cloakroom.end_of(location).await;
    assert_eq!(status, 200, "{job:?}");
    let mut answer = cloakroom
        .get_at(&cloakroom.resolve(&job.result_url.expect("a result_url")))
        .await;
    if answer.status() == 303 {
        answer = cloakroom.get_at(&location_of(&answer)).await;
    }
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-type")),
        (200, Some("image/png"))
    );
    let bytes = answer.bytes().await.expect("the thumbnail");
    image::load_from_memory_with_format(&bytes, ImageFormat::Png)
        .expect("a PNG")
        .dimensions()
}

async fn a_photo_of_nearly_4_mb_goes_in_the_body() {
    let cloakroom = Deployment::get().await;
    let photo = photo(1400, 900, ImageFormat::Png);
    assert!(
        (3_700_000..4_194_304).contains(&photo.len()),
        "{}",
        photo.len()
    );
    let request = cloakroom.request(
        Method::POST,
        "/commands/thumbnail.create?width=400&height=400&format=png",
    );
    let answer = request
        .header("Content-Type", "image/png")
        .body(photo)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 202);
    assert_eq!(
        thumbnail(&cloakroom, &location_of(&answer)).await,
        (400, 257)
    );
}

async fn a_thumbnail_small_enough_for_the_answer_itself_arrives_byte_for_byte() {
    let cloakroom = Deployment::get().await;
    let request = cloakroom.request(
        Method::POST,
        "/commands/thumbnail.create?width=40&height=40&format=png",
    );
    let photo = photo(80, 50, ImageFormat::Png);
    let answer = request
        .header("Content-Type", "image/png")
        .body(photo)
        .send()
        .await
        .expect("an answer");
    let location = location_of(&answer);
    assert_eq!(thumbnail(&cloakroom, &location).await, (40, 25));
    assert_eq!(
        cloakroom
            .get_at(&format!("{location}/result"))
            .await
            .status(),
        200,
        "not by a link"
    );
}

/// Requests an upload of these bytes, with their SHA-256.
async fn upload_of(cloakroom: &Deployment, bytes: &[u8]) -> Value {
    let checksum = BASE64.encode(cloakroom_core::Digest::from_content(bytes).as_bytes());
    let terms =
        json!({"content_type": "image/png", "content_length": bytes.len(), "sha256": checksum});
    let answer = cloakroom
        .request(Method::POST, "/uploads")
        .json(&terms)
        .send()
        .await;
    let (status, upload) = json(answer.expect("an answer")).await;
    assert_eq!(
        (status, &upload["method"]),
        (201, &json!("PUT")),
        "{upload}"
    );
    upload
}

/// Sends the bytes to the link of an upload.
pub(crate) async fn put(
    cloakroom: &Deployment,
    upload: &Value,
    body: Vec<u8>,
) -> reqwest::Result<StatusCode> {
    let url = upload["url"].as_str().expect("a url");
    assert!(
        url.contains("X-Amz-Expires=3600&"),
        "it takes the bytes for an hour: {url}"
    );
    let mut request = cloakroom.request(Method::PUT, url);
    for (name, value) in upload["headers"].as_object().expect("headers") {
        if name != "content-length" {
            request = request.header(name, value.as_str().expect("a header"));
        }
    }
    Ok(request.body(body).send().await?.status())
}

pub(crate) async fn submit(cloakroom: &Deployment, upload: &Value, key: &str) -> Response {
    let request = cloakroom.request(
        Method::POST,
        "/commands/thumbnail.create?width=200&format=png",
    );
    let request = request.header("Upload-Id", upload["upload_id"].as_str().expect("an id"));
    request
        .header("Idempotency-Key", key)
        .send()
        .await
        .expect("an answer")
}

async fn a_photo_of_30_mb_goes_through_an_upload_that_serves_one_job() {
    let cloakroom = Deployment::get().await;
    let photo = photo(4000, 2500, ImageFormat::Png);
    assert!(photo.len() > 30_000_000, "{}", photo.len());
    let upload = upload_of(&cloakroom, &photo).await;
    let (status, problem) = json(submit(&cloakroom, &upload, &fresh_key("early")).await).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("upload-not-found"))
    );
    assert_eq!(
        put(&cloakroom, &upload, photo).await.expect("an answer"),
        200
    );

    let key = fresh_key("photo");
    let answer = submit(&cloakroom, &upload, &key).await;
    assert_eq!(answer.status(), 202);
    assert_eq!(
        thumbnail(&cloakroom, &location_of(&answer)).await,
        (200, 125)
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
        422
    );
}

async fn an_upload_of_other_bytes_than_promised_is_not_taken() {
    let cloakroom = Deployment::get().await;
    let photo = photo(40, 25, ImageFormat::Png);
    let upload = upload_of(&cloakroom, &photo).await;
    let mut other = photo.clone();
    other[1000] ^= 1;
    for (bytes, what) in [(other, "others"), (photo[1..].to_vec(), "fewer")] {
        // The connection may be closed before all bytes are sent.
        let taken = put(&cloakroom, &upload, bytes)
            .await
            .is_ok_and(|status| status.is_success());
        assert!(!taken, "{what}");
    }
    let (status, problem) = json(submit(&cloakroom, &upload, &fresh_key("none")).await).await;
    assert_eq!(
        (status, &problem["code"]),
        (422, &json!("upload-not-found"))
    );
    assert_eq!(
        put(&cloakroom, &upload, photo).await.expect("an answer"),
        200
    );
}

async fn what_is_no_photo_fails_with_words_for_a_person() {
    let cloakroom = Deployment::get().await;
    let request = cloakroom.request(Method::POST, "/commands/thumbnail.create?width=10");
    let answer = request
        .header("Content-Type", "image/png")
        .body("not a picture")
        .send()
        .await
        .expect("an answer");
    let (status, job) = cloakroom.end_of(&location_of(&answer)).await;
    assert_eq!(
        (
            status,
            job.attempt,
            job.error.expect("an error").code.as_str()
        ),
        (422, 1, "image-unreadable")
    );
}

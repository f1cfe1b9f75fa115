//! A photo in, its thumbnail out: in the body, and through an upload.

use std::io::Cursor;

use cloakroom_tests::{Deployment, fresh_key, header, json};
use image::{GenericImageView as _, ImageFormat, RgbImage};
use reqwest::Method;
use serde_json::json;

/// A picture that hardly compresses, so that its file is as large as a photo's.
fn photo(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
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

async fn thumbnail(cloakroom: &Deployment, location: &str) -> (u32, u32) {
    let (status, job) = cloakroom.end_of(location).await;
    assert_eq!(status, 200, "{job:?}");
    let mut answer = cloakroom.get_at(&job.result_url.expect("a result_url")).await;
    if answer.status() == 303 {
        let link = header(&answer, "location").expect("a link").to_owned();
        answer = cloakroom.get_at(&link).await;
    }
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, Some("image/png")));
    let bytes = answer.bytes().await.expect("the thumbnail");
    image::load_from_memory_with_format(&bytes, ImageFormat::Png).expect("a PNG").dimensions()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_of_nearly_4_mb_goes_in_the_body() {
    let cloakroom = Deployment::get().await;
    let photo = photo(1400, 900, ImageFormat::Png);
    assert!((3_700_000..4_194_304).contains(&photo.len()), "{}", photo.len());
    let request = cloakroom.request(Method::POST, "/commands/thumbnail.create?width=140&height=140&format=png");
    let answer = request.header("Content-Type", "image/png").body(photo).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    let location = header(&answer, "location").expect("a Location").to_owned();
    assert_eq!(thumbnail(&cloakroom, &location).await, (140, 90));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_of_30_mb_goes_through_an_upload_that_serves_one_job() {
    let cloakroom = Deployment::get().await;
    let photo = photo(4000, 2500, ImageFormat::Png);
    assert!(photo.len() > 30_000_000, "{}", photo.len());
    let sha256 = cloakroom::Digest::of(&photo);
    let checksum = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, sha256.as_bytes());
    let terms = json!({"content_type": "image/png", "content_length": photo.len(), "sha256": checksum});
    let (status, upload) =
        json(cloakroom.request(Method::POST, "/uploads").json(&terms).send().await.expect("an answer")).await;
    assert_eq!((status, &upload["method"]), (201, &json!("PUT")), "{upload}");
    let put = |body: Vec<u8>| {
        let mut request = cloakroom.request(Method::PUT, upload["url"].as_str().expect("a url"));
        for (name, value) in upload["headers"].as_object().expect("headers") {
            if name != "content-length" {
                request = request.header(name, value.as_str().expect("a header"));
            }
        }
        request.body(body).send()
    };
    let submit = |key: String| {
        let request = cloakroom.request(Method::POST, "/commands/thumbnail.create?width=200&format=png");
        request.header("Upload-Id", upload["upload_id"].as_str().expect("an id")).header("Idempotency-Key", key).send()
    };
    let (status, problem) = json(submit(fresh_key("early")).await.expect("an answer")).await;
    assert_eq!((status, &problem["code"]), (422, &json!("upload-not-found")));

    let mut other = photo.clone();
    other[1000] ^= 1;
    assert!(!put(other).await.expect("an answer").status().is_success(), "other bytes than promised");
    assert!(
        !put(photo[1..].to_vec()).await.is_ok_and(|answer| answer.status().is_success()),
        "fewer bytes than promised"
    );
    assert_eq!(put(photo).await.expect("an answer").status(), 200);

    let key = fresh_key("photo");
    let answer = submit(key.clone()).await.expect("an answer");
    assert_eq!(answer.status(), 202);
    let location = header(&answer, "location").expect("a Location").to_owned();
    assert_eq!(thumbnail(&cloakroom, &location).await, (200, 125));
    let again = submit(key).await.expect("an answer");
    assert_eq!((again.status().as_u16(), header(&again, "idempotent-replayed")), (200, Some("true")));
    let (status, _) = json(submit(fresh_key("second")).await.expect("an answer")).await;
    assert_eq!(status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_photo_fails_with_words_for_a_person() {
    let cloakroom = Deployment::get().await;
    let request = cloakroom.request(Method::POST, "/commands/thumbnail.create?width=10");
    let answer = request.header("Content-Type", "image/png").body("not a picture").send().await.expect("an answer");
    let location = header(&answer, "location").expect("a Location").to_owned();
    let (status, job) = cloakroom.end_of(&location).await;
    assert_eq!((status, job.attempt, job.error.expect("an error").code.as_str()), (422, 1, "image-unreadable"));
}

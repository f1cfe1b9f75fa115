//! Conformance of the store of objects.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use bytes::Bytes;
use cloakroom_app::ports::{Objects as _, PartTerms, PartUploads as _, UploadLink, UploadTerms};
use cloakroom_app::testing::conformance;
use cloakroom_aws::S3Objects;
use cloakroom_core::{Digest, Timestamp};
use cloakroom_tests::fresh_key;

use crate::place::{Open, Place, cleaned_up};

const MINUTE: Duration = Duration::from_secs(60);

/// Region in which a bucket is created without naming a region.
const FIRST_REGION: &str = "us-east-1";

/// Creates a bucket, tests it, and removes it.
async fn tested(place: &Place, test: impl AsyncFnOnce(&S3Objects)) {
    let open = place.open().await;
    let name = fresh_key("cloakroom-conformance");
    make(&open, &name).await;
    let objects = S3Objects::new(&open.clients, &name);
    cleaned_up(Box::pin(test(&objects)), Box::pin(remove(&open, &name))).await;
}

pub(crate) async fn is_a_store_of_objects(place: Place) {
    tested(&place, async |objects| {
        conformance::objects(&objects.clone().with_small_parts()).await;
        conformance::dead_letters(objects).await;
    })
    .await;
}

pub(crate) async fn serves_by_a_link_and_by_no_other(place: Place) {
    tested(&place, async |objects| {
        objects
            .put("results/a=2f/b", "text/plain", Bytes::from_static(b"x"))
            .await
            .expect("put");
        let link = objects.link("results/a=2f/b", MINUTE).await.expect("link");
        let answer = reqwest::get(&link).await.expect("an answer");
        assert_eq!(
            (
                answer.status().as_u16(),
                &answer.headers()["content-type"] == "text/plain"
            ),
            (200, true)
        );
        assert_eq!(answer.bytes().await.expect("a body"), "x");
        for changed in [
            link.replace("results/", "payloads/"),
            link.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"),
        ] {
            assert_ne!(changed, link);
            assert_eq!(
                reqwest::get(&changed).await.expect("an answer").status(),
                403,
                "{changed}"
            );
        }
    })
    .await;
}

pub(crate) async fn serves_nobody_without_a_link(place: Place) {
    tested(&place, async |objects| {
        objects
            .put("results/a", "text/plain", Bytes::from_static(b"x"))
            .await
            .expect("put");
        let link = objects.link("results/a", MINUTE).await.expect("link");
        let (bare, _) = link.split_once('?').expect("a signature");
        assert_eq!(
            reqwest::get(bare).await.expect("an answer").status(),
            403,
            "{bare}"
        );
    })
    .await;
}

pub(crate) async fn takes_by_a_link_what_it_was_made_for_and_nothing_else(place: Place) {
    tested(&place, async |objects| {
        let (bytes, sha256) = (b"pixels", Digest::from_content(b"pixels"));
        let terms = UploadTerms {
            content_type: "image/png".into(),
            length: bytes.len() as u64,
            sha256: Some(sha256),
        };
        let link = objects
            .upload_link("uploads/a", &terms, MINUTE)
            .await
            .expect("link");
        for (body, changed) in [
            ("PIXELS", ("", "")),
            ("pixel", ("", "")),
            ("pixels", ("x-amz-checksum-sha256", "")),
            ("pixels", ("content-type", "text/html")),
        ] {
            let status = put(&link, body, changed).await;
            assert_ne!(status / 100, 2, "{body} with {changed:?}");
        }
        assert_eq!(
            objects.info("uploads/a").await,
            Ok(None),
            "none of it was kept"
        );
        assert_eq!(put(&link, "pixels", ("", "")).await, 200);
        let info = objects
            .info("uploads/a")
            .await
            .expect("info")
            .expect("an object");
        assert_eq!(
            (info.content_type.as_str(), info.length, info.sha256),
            ("image/png", 6, Some(sha256))
        );
    })
    .await;
}

pub(crate) async fn takes_objects_in_parts(place: Place) {
    tested(&place, async |objects| {
        let put = async |link: UploadLink, _: PartTerms, bytes: Bytes| {
            put(&link, bytes, ("", "")).await == 200
        };
        conformance::parts(objects, put).await;
    })
    .await;
}

pub(crate) async fn takes_by_a_link_the_part_it_was_made_for_and_nothing_else(place: Place) {
    tested(&place, async |objects| {
        let terms = UploadTerms {
            content_type: "image/png".into(),
            length: 6,
            sha256: None,
        };
        let store_id = objects
            .begin_parts("payloads/a", &terms)
            .await
            .expect("begun");
        let part = PartTerms {
            number: 1,
            length: 6,
        };
        let link = objects
            .part_link("payloads/a", &store_id, part, MINUTE)
            .await
            .expect("link");
        let changed = |from: &str, to: &str| {
            let url = link.url.replace(from, to);
            assert_ne!(url, link.url);
            UploadLink {
                url,
                ..link.clone()
            }
        };
        for (link, body) in [
            (link.clone(), "pixel"),
            (link.clone(), "pixels?"),
            (changed("partNumber=1", "partNumber=2"), "pixels"),
            (changed("payloads/a", "payloads/b"), "pixels"),
            (changed("X-Amz-Expires=60", "X-Amz-Expires=6000"), "pixels"),
        ] {
            assert_ne!(
                put(&link, body, ("", "")).await / 100,
                2,
                "{body} to {}",
                link.url
            );
        }
        assert_eq!(
            objects.parts("payloads/a", &store_id, 1..=10_000).await,
            Ok(Some(vec![])),
            "none of it was kept"
        );
        assert_eq!(put(&link, "pixels", ("", "")).await, 200);
    })
    .await;
}

/// Sends an upload to its link, with the length of the body and one header changed. An empty value removes the header.
/// Returns the status, or 0 if the connection was closed.
async fn put(link: &UploadLink, body: impl Into<reqwest::Body>, changed: (&str, &str)) -> u16 {
    let mut request = reqwest::Client::new().put(&link.url).body(body);
    for (name, value) in link
        .headers
        .iter()
        .filter(|(name, _)| name != "content-length")
    {
        let value = if name == changed.0 { changed.1 } else { value };
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    request
        .send()
        .await
        .map_or(0, |answer| answer.status().as_u16())
}

/// Creates a bucket.
pub(crate) async fn make(open: &Open, name: &str) {
    let Some(sdk) = &open.sdk else {
        return S3Objects::new(&open.clients, name)
            .create_bucket()
            .await
            .expect("make the bucket");
    };
    let region = sdk
        .region()
        .map(|region| BucketLocationConstraint::from(region.as_ref()));
    let place = region.filter(|region| region.as_str() != FIRST_REGION);
    let place = place.map(|region| {
        CreateBucketConfiguration::builder()
            .location_constraint(region)
            .build()
    });
    let made = client(sdk)
        .create_bucket()
        .bucket(name)
        .set_create_bucket_configuration(place)
        .send()
        .await;
    made.expect("make the bucket");
}

/// Removes a bucket with all of its objects.
pub(crate) async fn remove(open: &Open, name: &str) {
    if let Some(sdk) = &open.sdk {
        let objects = S3Objects::new(&open.clients, name);
        objects
            .sweep("", Timestamp::from_millis(i64::MAX))
            .await
            .expect("empty the bucket");
        client(sdk)
            .delete_bucket()
            .bucket(name)
            .send()
            .await
            .expect("remove the bucket");
    }
}

/// Returns a client for buckets.
pub(crate) fn client(sdk: &SdkConfig) -> Client {
    // Emulators have no host name for each bucket.
    let config =
        aws_sdk_s3::config::Builder::from(sdk).force_path_style(sdk.endpoint_url().is_some());
    Client::from_conf(config.build())
}

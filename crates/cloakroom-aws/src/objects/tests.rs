use reqwest::Method;

use super::*;
use crate::services::{Fixture, clients_of_responses};

const MINUTE: Duration = Duration::from_secs(60);

async fn bucket(fixture: &Fixture) -> S3Objects {
    let objects = S3Objects::new(&fixture.clients, "payloads");
    objects.create_bucket().await.expect("make the bucket");
    fixture.calls.take();
    objects
}

/// Sends a request to a link, with `changed` headers (`None` omits one).
async fn put(link: &UploadLink, body: &'static [u8], changed: &[(&str, Option<&str>)]) -> u16 {
    let mut request = reqwest::Client::new()
        .request(Method::PUT, &link.url)
        .body(body);
    for (name, value) in &link.headers {
        let change = changed
            .iter()
            .find(|(changed, _)| name.eq_ignore_ascii_case(changed));
        if let Some(value) = change.map_or(Some(value.as_str()), |(_, value)| *value) {
            request = request.header(name, value);
        }
    }
    request.send().await.expect("an answer").status().as_u16()
}

fn terms(bytes: &[u8], sha256: Option<Digest>) -> UploadTerms {
    UploadTerms {
        content_type: "image/png".into(),
        length: bytes.len() as u64,
        sha256,
    }
}

#[tokio::test]
async fn the_bucket_is_made_once() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    objects.create_bucket().await.expect("find the bucket");
}

#[tokio::test]
async fn a_sweep_takes_what_was_written_before_and_nothing_beside() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    for key in ["uploads/a", "uploads/b/c", "payloads/a"] {
        objects
            .put(key, "text/plain", Bytes::from_static(b"x"))
            .await
            .expect("put");
    }
    let (before, after) = (
        Timestamp::from_seconds(1),
        Timestamp::from_seconds(9_999_999_999),
    );
    assert_eq!(objects.sweep("uploads/", before).await, Ok(0));
    assert_eq!(objects.sweep("uploads/", after).await, Ok(2));
    assert_eq!(objects.get("uploads/b/c").await, Ok(None));
    assert_eq!(
        objects.get("payloads/a").await,
        Ok(Some(Bytes::from_static(b"x")))
    );
}

#[tokio::test]
async fn each_call_of_the_port_is_one_call_to_s3_and_links_are_none() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    objects
        .put("a", "text/plain", Bytes::from_static(b"x"))
        .await
        .expect("put");
    objects.get("a").await.expect("get");
    let info = objects.info("a").await.expect("info").expect("an object");
    objects.digest("a").await.expect("digest");
    objects.copy("a", &info, "b").await.expect("copy");
    assert_eq!(
        fixture.calls.take(),
        [
            "S3.PutObject",
            "S3.GetObject",
            "S3.HeadObject",
            "S3.GetObject",
            "S3.CopyObject"
        ]
    );
    objects.link("a", MINUTE).await.expect("link");
    objects
        .upload_link("a", &terms(b"x", None), MINUTE)
        .await
        .expect("link");
    assert_eq!(fixture.calls.take(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_put_is_kept_with_its_checksum() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    objects
        .put("a", "text/plain", Bytes::from_static(b"x"))
        .await
        .expect("put");
    let info = objects.info("a").await.expect("info").expect("an object");
    assert_eq!(info.sha256, Some(Digest::from_content(b"x")));
}

#[tokio::test]
async fn any_key_can_be_copied() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    for key in ["payloads/other=2ftenant=231/a", "a b+c", "ä", "100%"] {
        objects
            .put(key, "text/plain", Bytes::from_static(b"x"))
            .await
            .expect("put");
        let info = objects.info(key).await.expect("info").expect("an object");
        assert_eq!(objects.copy(key, &info, "copy").await, Ok(true), "{key}");
    }
    assert_eq!(
        copy::percent_encoded("a b+c/ä=100%~"),
        "a%20b%2Bc/%C3%A4%3D100%25~"
    );
    let plain = "azAZ09-_.~/";
    assert_eq!(copy::percent_encoded(plain), plain);
    assert_eq!(copy::percent_encoded("`{@[:,"), "%60%7B%40%5B%3A%2C");
}

#[tokio::test]
async fn a_copy_that_is_denied_is_an_error_and_not_a_missing_object() {
    const CREATED: &[u8] =
        b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
    const DENIED: &[u8] = b"<Error><Code>AccessDenied</Code></Error>";
    let created = ("200 OK", CREATED.len(), CREATED);
    let denied = ("403 Forbidden", DENIED.len(), DENIED);
    let info = ObjectInfo {
        length: 6 * 1024 * 1024,
        content_type: "text/plain".into(),
        sha256: None,
        etag: "e".into(),
    };
    // Two parts and the end of the upload, or the whole object.
    let clients = clients_of_responses([created, denied, denied, denied]);
    let in_parts = S3Objects::new(&clients, "payloads").with_small_parts();
    let whole = S3Objects::new(&clients_of_responses([denied]), "payloads");
    for objects in [in_parts, whole] {
        let copied = objects.copy("from", &info, "to").await;
        assert!(
            matches!(copied, Err(PortError::Misconfigured { .. })),
            "{copied:?}"
        );
    }
}

#[tokio::test]
async fn a_link_serves_an_object_to_whoever_has_it() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    objects
        .put("results/a=2f/b", "text/plain", Bytes::from_static(b"x"))
        .await
        .expect("put");
    let link = objects.link("results/a=2f/b", MINUTE).await.expect("link");
    let answer = reqwest::get(&link).await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain");
    assert_eq!(answer.bytes().await.expect("a body"), "x");
    let unsigned = format!("{}/payloads/results/a=2f/b", fixture.s3_url());
    assert_eq!(
        reqwest::get(&unsigned)
            .await
            .expect("an answer")
            .status()
            .as_u16(),
        403
    );
}

#[tokio::test]
async fn a_link_takes_exactly_the_upload_it_was_made_for() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    let link = objects
        .upload_link(
            "uploads/a",
            &terms(b"pixels", Some(Digest::from_content(b"pixels"))),
            MINUTE,
        )
        .await
        .expect("link");
    let mut names: Vec<_> = link.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["content-length", "content-type", "x-amz-checksum-sha256"]
    );

    let other_sum = BASE64.encode(Digest::from_content(b"PIXELS").as_bytes());
    assert_eq!(put(&link, b"PIXELS", &[]).await / 100, 4, "other bytes");
    assert_eq!(
        put(
            &link,
            b"PIXELS",
            &[("x-amz-checksum-sha256", Some(other_sum.as_str()))]
        )
        .await
            / 100,
        4,
        "another checksum"
    );
    assert_eq!(
        put(&link, b"PIXELS", &[("x-amz-checksum-sha256", None)]).await / 100,
        4,
        "no checksum"
    );
    assert_eq!(
        put(&link, b"pixels", &[("content-type", Some("text/html"))]).await / 100,
        4,
        "another type"
    );
    assert_eq!(
        put(&link, b"pixels and more", &[("content-length", None)]).await / 100,
        4,
        "another length"
    );
    assert_eq!(
        objects.info("uploads/a").await,
        Ok(None),
        "none of it was kept"
    );

    assert_eq!(put(&link, b"pixels", &[]).await, 200);
    let info = objects
        .info("uploads/a")
        .await
        .expect("info")
        .expect("an object");
    assert_eq!((info.content_type.as_str(), info.length), ("image/png", 6));
    assert_eq!(info.sha256, Some(Digest::from_content(b"pixels")));
}

#[tokio::test]
async fn an_upload_without_a_checksum_is_taken_and_digested_later() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    let link = objects
        .upload_link("uploads/a", &terms(b"pixels", None), MINUTE)
        .await
        .expect("link");
    assert_eq!(put(&link, b"pixels", &[]).await, 200);
    assert_eq!(
        objects.digest("uploads/a").await,
        Ok(Some(Digest::from_content(b"pixels")))
    );
}

#[tokio::test]
async fn a_link_takes_exactly_the_part_it_was_made_for() {
    let fixture = Fixture::start().await;
    let objects = bucket(&fixture).await;
    let store_id = objects
        .begin_parts("payloads/a", &terms(b"pixels", None))
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
    assert_eq!(
        link.headers,
        [("content-length".to_owned(), "6".to_owned())]
    );
    assert_eq!(
        fixture.calls.take(),
        ["S3.CreateMultipartUpload"],
        "and the link costs none"
    );
    assert_eq!(
        put(&link, b"pixels and more", &[("content-length", None)]).await / 100,
        4,
        "another length"
    );
    for (from, to) in [
        ("partNumber=1", "partNumber=2"),
        ("payloads/a", "payloads/b"),
        ("Expires=60", "Expires=99"),
    ] {
        let other = UploadLink {
            url: link.url.replace(from, to),
            ..link.clone()
        };
        assert_eq!(put(&other, b"pixels", &[]).await, 403, "{to}");
    }
    assert_eq!(
        objects.parts("payloads/a", &store_id, 1..=9).await,
        Ok(Some(vec![])),
        "none of it was kept"
    );
    assert_eq!(put(&link, b"pixels", &[]).await, 200);
    let parts = objects
        .parts("payloads/a", &store_id, 1..=9)
        .await
        .expect("listed")
        .expect("unfinished");
    assert_eq!(
        objects.join_parts("payloads/a", &store_id, &parts).await,
        Ok(true)
    );
    assert_eq!(put(&link, b"PIXELS", &[]).await, 404, "it is put together");
    assert_eq!(
        objects.get("payloads/a").await,
        Ok(Some(Bytes::from_static(b"pixels")))
    );
}

//! Conformance suite for the store of objects.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::Digest;
use futures::StreamExt as _;
use uuid::Uuid;

use crate::body::BodyHead;
use crate::ports::{ObjectInfo, Objects, SourceAborted, UploadTerms};

/// Verifies a store of objects. The whole-flow tests verify its links.
///
/// # Panics
/// If the implementation does not conform.
pub async fn objects(objects: &dyn Objects) {
    let key = format!("uploads/conformance/{}", Uuid::new_v4());
    let copy = format!("payloads/conformance/{}", Uuid::new_v4());
    assert_eq!(objects.get(&key).await, Ok(None));
    assert_eq!(objects.info(&key).await, Ok(None));
    assert_eq!(objects.digest(&key).await, Ok(None));
    assert_eq!(objects.head(&key).await, Ok(None));
    let nothing = ObjectInfo {
        content_type: "image/png".into(),
        length: 5,
        sha256: None,
        etag: "\"0\"".into(),
    };
    assert_eq!(objects.copy(&key, &nothing, &copy).await, Ok(false));
    let bytes: Bytes = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    for bytes in [Bytes::new(), Bytes::from_static(b"first"), bytes] {
        objects
            .put(&key, "image/png", bytes.clone())
            .await
            .expect("put");
        assert_eq!(
            objects.head(&key).await,
            Ok(Some(BodyHead::from_whole(&bytes))),
            "the beginning, and the length"
        );
        assert_eq!(objects.get(&key).await, Ok(Some(bytes.clone())));
        assert_eq!(
            objects.digest(&key).await,
            Ok(Some(Digest::from_content(&bytes)))
        );
        let info = objects.info(&key).await.expect("info").expect("an object");
        assert_eq!(
            (info.content_type.as_str(), info.length),
            ("image/png", bytes.len() as u64)
        );
        assert!(
            info.sha256
                .is_none_or(|sha256| sha256 == Digest::from_content(&bytes))
        );
        assert_eq!(
            objects.copy(&key, &nothing, &copy).await,
            Ok(false),
            "another than was known"
        );
        assert_eq!(objects.copy(&key, &info, &copy).await, Ok(true));
        assert_eq!(objects.get(&copy).await, Ok(Some(bytes)));
        assert_eq!(
            objects
                .info(&copy)
                .await
                .expect("info")
                .map(|info| info.content_type)
                .as_deref(),
            Some("image/png")
        );
    }
    pieces(objects, &key).await;
    links(objects, &key).await;
}

/// Checks that links can be created.
async fn links(objects: &dyn Objects, key: &str) {
    let link = objects
        .link(key, Duration::from_secs(60))
        .await
        .expect("link");
    assert!(link.starts_with("http"), "{link}");
    let terms = UploadTerms {
        content_type: "image/png".into(),
        length: 7,
        sha256: Some(Digest::from_content(b"x")),
    };
    let link = objects
        .upload_link(key, &terms, Duration::from_secs(60))
        .await
        .expect("link");
    let named = |name: &str| {
        link.headers
            .iter()
            .any(|(header, _)| header.eq_ignore_ascii_case(name))
    };
    assert!(
        link.url.starts_with("http") && named("content-type"),
        "{link:?}"
    );
}

const MIB: usize = 1024 * 1024;

/// Returns `length` bytes in pieces.
fn sent(length: usize, piece: usize) -> Vec<Bytes> {
    let bytes: Bytes = (0..=250).cycle().take(length).collect();
    (0..length)
        .step_by(piece)
        .map(|at| bytes.slice(at..(at + piece).min(length)))
        .collect()
}

/// Writes pieces of sizes around 5 MiB, where a store switches to multipart uploads.
async fn pieces(objects: &dyn Objects, key: &str) {
    for (length, piece) in [
        (0, 1),
        (5, 2),
        (5 * MIB, 3 * MIB),
        (10 * MIB, 10 * MIB),
        (17 * MIB + 1, 20 * MIB),
        (17 * MIB + 1, MIB - 1),
    ] {
        let (all, key) = (sent(length, piece), &format!("{key}-{length}-{piece}"));
        let whole = futures::stream::iter(all.clone().into_iter().map(Ok)).boxed();
        assert_eq!(
            objects.put_pieces(key, "image/png", whole).await,
            Ok(true),
            "{length}"
        );
        let info = objects.info(key).await.expect("info").expect("an object");
        assert_eq!(
            (info.content_type.as_str(), info.length),
            ("image/png", length as u64)
        );
        assert!(
            objects
                .get(key)
                .await
                .expect("get")
                .is_some_and(|got| got == all.concat()),
            "{length}"
        );
        let to = format!("{key}-copy");
        assert_eq!(objects.copy(key, &info, &to).await, Ok(true), "{length}");
        assert_eq!(
            objects.digest(&to).await,
            Ok(Some(Digest::from_content(&all.concat()))),
            "{length}"
        );
        let copied = objects.info(&to).await.expect("info").expect("an object");
        assert_eq!(
            (copied.content_type.as_str(), copied.length),
            ("image/png", length as u64)
        );
    }
    aborted(objects, key).await;
}

/// Writes pieces whose source fails: no object appears.
async fn aborted(objects: &dyn Objects, key: &str) {
    let key = &format!("{key}-broken-off");
    for length in [5, 6 * MIB, 18 * MIB] {
        let pieces = sent(length, MIB)
            .into_iter()
            .map(Ok)
            .chain([Err(SourceAborted)]);
        assert_eq!(
            objects
                .put_pieces(key, "image/png", futures::stream::iter(pieces).boxed())
                .await,
            Ok(false)
        );
        assert_eq!(
            objects.info(key).await,
            Ok(None),
            "what broke off was never there"
        );
    }
}

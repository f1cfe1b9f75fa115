//! Conformance suite for multipart uploads.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::Digest;
use uuid::Uuid;

pub use cloakroom_core::parts::LEAST_PART;

use crate::ports::{Objects, Part, PartTerms, PartUploads, UploadLink, UploadTerms};

const MINUTE: Duration = Duration::from_secs(60);

/// Verifies multipart uploads of a store. `put` sends a part to its link, and returns true if the store accepted it.
///
/// # Panics
/// If the implementation does not conform.
pub async fn parts(
    objects: &(impl Objects + PartUploads),
    put: impl AsyncFn(UploadLink, PartTerms, Bytes) -> bool,
) {
    let key = format!("payloads/conformance/uploads/{}", Uuid::new_v4());
    let first = Bytes::from(vec![b'a'; usize::try_from(LEAST_PART).expect("5 MiB")]);
    let whole = Bytes::from([&first[..], b"b"].concat());
    let terms = UploadTerms {
        content_type: "image/png".into(),
        length: whole.len() as u64,
        sha256: Some(Digest::from_content(&whole)),
    };
    let store_id = objects.begin_parts(&key, &terms).await.expect("begun");
    let part_terms = |number: u32| PartTerms {
        number,
        length: if number == 1 { LEAST_PART } else { 1 },
    };
    let send = async |number: u32, bytes: Bytes| {
        let part = part_terms(number);
        put(
            objects
                .part_link(&key, &store_id, part, MINUTE)
                .await
                .expect("a link"),
            part,
            bytes,
        )
        .await
    };
    let listed = async || {
        objects
            .parts(&key, &store_id, 1..=10_000)
            .await
            .expect("listed")
    };
    let there = |parts: &[Part]| {
        parts
            .iter()
            .map(|part| (part.number, part.length))
            .collect::<Vec<_>>()
    };

    assert_eq!(listed().await, Some(vec![]), "nothing is there at first");
    assert_eq!(objects.info(&key).await, Ok(None));
    assert!(send(2, Bytes::from_static(b"?")).await, "in any order");
    let before = listed().await.expect("unfinished");
    assert_eq!(there(&before), [(2, 1)]);
    assert!(
        send(2, Bytes::from_static(b"b")).await,
        "and more than once"
    );
    let after = listed().await.expect("unfinished");
    assert!(there(&after) == [(2, 1)] && after != before, "{after:?}");
    assert!(send(1, first.clone()).await);
    let parts = listed().await.expect("unfinished");
    assert_eq!(there(&parts), [(1, LEAST_PART), (2, 1)], "in order");
    assert_eq!(
        objects.parts(&key, &store_id, 2..=2).await,
        Ok(Some(parts[1..].to_vec())),
        "those that were asked for"
    );
    assert_eq!(
        objects.parts(&key, &store_id, 3..=9).await,
        Ok(Some(vec![]))
    );

    let old = [parts[0].clone(), before[0].clone()];
    assert_eq!(
        objects.join_parts(&key, &store_id, &old).await,
        Ok(false),
        "a part is another one by now"
    );
    assert_eq!(
        listed().await,
        Some(parts.clone()),
        "and nothing is lost by that"
    );
    assert_eq!(objects.info(&key).await, Ok(None));
    assert_eq!(objects.join_parts(&key, &store_id, &parts).await, Ok(true));
    let info = objects.info(&key).await.expect("info").expect("an object");
    assert_eq!(
        (info.content_type.as_str(), info.length),
        ("image/png", whole.len() as u64)
    );
    assert!(
        info.sha256
            .is_none_or(|sha256| sha256 == Digest::from_content(&whole)),
        "not that of the parts' digests"
    );
    assert_eq!(objects.get(&key).await, Ok(Some(whole.clone())));
    assert_eq!(listed().await, None, "finished");
    // A store may or may not remember an upload that it has joined.
    objects
        .join_parts(&key, &store_id, &parts)
        .await
        .expect("no fault");
    assert!(
        !send(2, Bytes::from_static(b"c")).await,
        "its links are dead"
    );
    assert_eq!(
        objects.get(&key).await,
        Ok(Some(whole)),
        "and it stays as it is"
    );
}

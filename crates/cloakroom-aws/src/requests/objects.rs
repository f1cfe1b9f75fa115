//! Requests to S3.

use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::ports::{
    DeadLetterStore as _, FetchedPayload, ObjectInfo, Objects as _, Part, PartTerms,
    PartUploads as _, PortError, ProducerPayloads as _, ReadError, SourceAborted, UploadTerms,
};
use cloakroom_core::{Digest, Timestamp};
use futures::StreamExt as _;
use futures::stream;

use super::script::{Answer, Script, failed, fails_with_its_service, link, ok};
use crate::S3Objects;
use crate::objects::S3ProducerPayloads;

const PART: usize = 5 * 1024 * 1024;
const BEGUN: &str =
    "<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>";
const COMPLETED: &str =
    "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>";
const COPIED: &str = "<CopyPartResult><ETag>\"c\"</ETag></CopyPartResult>";

fn bucket(answers: impl IntoIterator<Item = Answer>) -> (Script, S3Objects) {
    let script = Script::new(answers);
    let objects = S3Objects::new(&script.clients(), "payloads");
    (script, objects)
}

fn error(status: u16, code: &str) -> Answer {
    failed(
        status,
        &format!("<Error><Code>{code}</Code><Message>no</Message></Error>"),
    )
}

fn terms(sha256: Option<Digest>) -> UploadTerms {
    UploadTerms {
        content_type: "image/png".into(),
        length: 7,
        sha256,
    }
}

fn info(length: u64) -> ObjectInfo {
    ObjectInfo {
        content_type: "image/png".into(),
        length,
        sha256: None,
        etag: "\"e-1\"".into(),
    }
}

#[tokio::test]
async fn an_object_is_put_with_its_type_and_digest() {
    let (script, objects) = bucket([ok("")]);
    objects
        .put("payloads/a=2fb", "text/plain", Bytes::from_static(b"x"))
        .await
        .expect("put");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn pieces_are_put_at_once_up_to_the_length_of_a_part() {
    let (script, objects) = bucket([ok("")]);
    let pieces = stream::iter([
        Ok(Bytes::from(vec![0; PART - 2])),
        Ok(Bytes::from_static(b"x")),
    ])
    .boxed();
    assert_eq!(
        objects.put_pieces("results/a", "text/plain", pieces).await,
        Ok(true)
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn longer_pieces_are_put_in_parts_with_a_checksum_each() {
    let (script, objects) = bucket([ok(BEGUN), part(1), part(2), ok(COMPLETED)]);
    let pieces =
        stream::iter([Ok(Bytes::from(vec![0; PART])), Ok(Bytes::from_static(b"x"))]).boxed();
    assert_eq!(
        objects.put_pieces("results/a", "text/plain", pieces).await,
        Ok(true)
    );
    insta::assert_snapshot!(script.requests());
}

/// Returns the response to a part that is sent.
fn part(number: u8) -> Answer {
    ok("")
        .header("etag", &format!("\"p-{number}\""))
        .header("x-amz-checksum-crc32", "AAAAAA==")
}

#[tokio::test(start_paused = true)]
async fn pieces_are_completed_in_the_order_of_their_parts() {
    let late = part(1).after(Duration::from_secs(1));
    let (script, objects) = bucket([ok(BEGUN), late, part(2), ok(COMPLETED)]);
    let pieces = stream::iter([Bytes::from(vec![0; PART]), Bytes::from_static(b"x")]);
    let put = objects.put_pieces("results/a", "text/plain", pieces.map(Ok).boxed());
    assert_eq!(put.await, Ok(true));
    assert_in_order(&script.requests());
}

/// Asserts that a request names part 1 before part 2.
fn assert_in_order(requests: &str) {
    let place = |number: u8| requests.find(&format!("<PartNumber>{number}<"));
    assert!(place(1).is_some() && place(1) < place(2), "{requests}");
}

#[tokio::test]
async fn pieces_that_break_off_leave_nothing_in_the_bucket() {
    // The first part may have been sent by then.
    let (script, objects) = bucket([ok(BEGUN), ok(""), ok("")]);
    let pieces = stream::iter([Ok(Bytes::from(vec![0; PART])), Err(SourceAborted)]).boxed();
    assert_eq!(
        objects.put_pieces("results/a", "text/plain", pieces).await,
        Ok(false)
    );
    let requests = script.requests_so_far();
    let last = requests.lines().rfind(|line| line.contains("://"));
    assert_eq!(
        last,
        Some("DELETE http://s3.example/payloads/results/a?uploadId=u-1&x-id=AbortMultipartUpload")
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_that_fails_while_the_next_one_is_filled_fails_the_object() {
    let (script, objects) = bucket([ok(BEGUN), error(403, "AccessDenied"), ok("")]);
    let second = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Bytes::from_static(b"x"))
    };
    let first = stream::iter([Ok(Bytes::from(vec![0; PART]))]);
    let pieces = first.chain(stream::once(second)).boxed();
    let put = objects.put_pieces("results/a", "text/plain", pieces).await;
    assert!(
        matches!(put, Err(PortError::Misconfigured { .. })),
        "{put:?}"
    );
    assert!(script.requests().contains("AbortMultipartUpload"));
}

/// Makes one call of the bucket, whose result does not matter if it is one.
async fn call(objects: &S3Objects, name: &str) -> Result<(), PortError> {
    let of_read = |read: Result<(), ReadError>| {
        read.map_err(|error| match error {
            ReadError::Port(error) => error,
            ReadError::Corrupted => panic!("{name}: {error}"),
        })
    };
    let x = Bytes::from_static(b"x");
    match name {
        "put" => objects.put("a", "a/b", x).await,
        "put_pieces" => {
            let pieces = stream::iter([Ok(x)]).boxed();
            objects.put_pieces("a", "a/b", pieces).await.map(drop)
        }
        "open" => objects.open("a").await.map(drop),
        "head" => of_read(objects.head("a").await.map(drop)),
        "get" => of_read(objects.get("a").await.map(drop)),
        "digest" => of_read(objects.digest("a").await.map(drop)),
        "info" => objects.info("a").await.map(drop),
        "copy" => objects.copy("a", &info(5), "b").await.map(drop),
        "delete" => objects.delete("a").await,
        "begin_parts" => objects.begin_parts("a", &terms(None)).await.map(drop),
        "parts" => objects.parts("a", "u-1", 1..=2).await.map(drop),
        "join_parts" => objects.join_parts("a", "u-1", &[]).await.map(drop),
        "store" => objects.store("a", "x").await,
        "list" => objects.list("a", None).await.map(drop),
        "read" => objects.read("a").await.map(drop),
        "remove" => objects.remove("a").await,
        _ => unreachable!("{name}"),
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_takes_an_error_for_something_missing() {
    for name in [
        "put",
        "put_pieces",
        "open",
        "head",
        "get",
        "digest",
        "info",
        "copy",
        "delete",
        "begin_parts",
        "parts",
        "join_parts",
        "store",
        "list",
        "read",
        "remove",
    ] {
        let errors = (error(403, "AccessDenied"), error(500, "InternalError"));
        fails_with_its_service(name, errors, async |clients| {
            call(&S3Objects::new(clients, "payloads"), name).await
        })
        .await;
    }
}

#[tokio::test]
async fn an_object_is_opened_and_its_beginning_read() {
    let (script, objects) = bucket([ok("abc"), ok("abc").header("content-range", "bytes 0-2/9")]);
    assert_eq!(
        objects
            .open("a")
            .await
            .expect("opened")
            .expect("an object")
            .length,
        0,
        "no length was said"
    );
    let head = objects.head("a").await.expect("read").expect("an object");
    assert_eq!((&head.bytes[..], head.length), (&b"abc"[..], 9));
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn what_is_not_there_is_nothing_and_an_empty_object_has_no_beginning() {
    let missing = || error(404, "NoSuchKey");
    let (_, objects) = bucket([
        missing(),
        missing(),
        failed(404, ""),
        error(416, "InvalidRange"),
    ]);
    assert!(objects.open("a").await.expect("read").is_none());
    assert_eq!(objects.head("a").await, Ok(None));
    assert_eq!(objects.info("a").await, Ok(None));
    let empty = objects.head("a").await.expect("read").expect("an object");
    assert_eq!((empty.bytes.len(), empty.length), (0, 0));
}

#[tokio::test]
async fn an_object_is_described_with_the_checksum_of_its_bytes_and_no_other() {
    let sum = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    let described = || {
        ok("")
            .header("etag", "\"e-1\"")
            .header("content-length", "3")
            .header("x-amz-checksum-sha256", sum)
    };
    let whole = described()
        .header("x-amz-checksum-type", "FULL_OBJECT")
        .header("content-type", "image/png");
    let composite = described().header("x-amz-checksum-type", "COMPOSITE");
    let (script, objects) = bucket([whole, composite]);
    let info = objects.info("a").await.expect("info").expect("an object");
    let expected = ObjectInfo {
        length: 3,
        sha256: Some(Digest::from_content(b"abc")),
        ..self::info(3)
    };
    assert_eq!(info, expected);
    let info = objects.info("a").await.expect("info").expect("an object");
    assert_eq!(
        (info.sha256, info.content_type.as_str()),
        (None, "binary/octet-stream")
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn an_object_is_copied_as_it_was_described() {
    let (script, objects) = bucket([ok("<CopyObjectResult/>")]);
    assert_eq!(
        objects.copy("uploads/a b", &info(5), "payloads/a").await,
        Ok(true)
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_large_object_is_copied_in_parts_of_one_state_of_it() {
    let length = 2 * PART as u64 + 1;
    let (script, objects) = bucket([ok(BEGUN), ok(COPIED), ok(COPIED), ok(COPIED), ok(COMPLETED)]);
    assert_eq!(
        objects
            .with_small_parts()
            .copy("uploads/a", &info(length), "payloads/a")
            .await,
        Ok(true)
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_completed_in_the_order_of_its_parts() {
    let late = ok(COPIED).after(Duration::from_secs(1));
    let (script, objects) = bucket([ok(BEGUN), late, ok(COPIED), ok(COMPLETED)]);
    let objects = objects.with_small_parts();
    let info = info(PART as u64 + 1);
    let copied = objects.copy("uploads/a", &info, "payloads/b");
    assert_eq!(copied.await, Ok(true));
    assert_in_order(&script.requests());
}

#[tokio::test]
async fn an_object_of_the_length_of_a_part_is_copied_at_once() {
    for (length, requests) in [(PART as u64, 1), (PART as u64 + 1, 4)] {
        let answers = if requests == 1 {
            vec![ok("<CopyObjectResult/>")]
        } else {
            vec![ok(BEGUN), ok(COPIED), ok(COPIED), ok(COMPLETED)]
        };
        let (script, objects) = bucket(answers);
        assert_eq!(
            objects
                .with_small_parts()
                .copy("uploads/a", &info(length), "payloads/a")
                .await,
            Ok(true)
        );
        assert_eq!(script.count(), requests, "{length}");
    }
    // S3 would copy 5 GiB at once, but not in the time that a call has.
    let at_once = [ok("<CopyObjectResult/>")];
    let in_parts = [ok(BEGUN), ok(COPIED), ok(COPIED), ok(COMPLETED)];
    for (length, answers) in [
        (64 * 1024 * 1024, &at_once[..]),
        (64 * 1024 * 1024 + 1, &in_parts),
    ] {
        let (script, objects) = bucket(answers.iter().cloned());
        let copied = objects.copy("uploads/a", &info(length), "payloads/a").await;
        assert_eq!(
            (copied, script.count()),
            (Ok(true), answers.len()),
            "{length}"
        );
    }
}

#[tokio::test]
async fn a_copy_of_what_is_gone_or_is_another_by_now_is_none() {
    for (status, code) in [(404, "NoSuchKey"), (412, "PreconditionFailed")] {
        let (script, objects) = bucket([error(status, code)]);
        assert_eq!(
            objects.copy("uploads/a", &info(5), "payloads/a").await,
            Ok(false),
            "{code}"
        );
        assert_eq!(script.count(), 1);
        let (script, objects) = bucket([ok(BEGUN), error(status, code), ok("")]);
        let copied = objects
            .with_small_parts()
            .copy("uploads/a", &info(PART as u64 + 1), "payloads/a")
            .await;
        assert_eq!(copied, Ok(false), "{code}");
        let requests = script.requests();
        assert!(
            requests.contains("DELETE http://s3.example/payloads/payloads/a?uploadId=u-1"),
            "{requests}"
        );
    }
    let (_, objects) = bucket([error(403, "AccessDenied")]);
    let copied = objects.copy("uploads/a", &info(5), "payloads/a").await;
    assert!(
        matches!(copied, Err(PortError::Misconfigured { .. })),
        "{copied:?}"
    );
}

#[tokio::test]
async fn what_is_denied_in_parts_leaves_nothing_in_the_bucket() {
    let denied = || error(403, "AccessDenied");
    let copy = async |answers: Vec<Answer>| {
        let (script, objects) = bucket(answers);
        let (objects, info) = (objects.with_small_parts(), info(PART as u64 + 1));
        let copied = objects.copy("uploads/a", &info, "payloads/a").await;
        (copied, script.requests())
    };
    let put = async |answers: Vec<Answer>| {
        let (script, objects) = bucket(answers);
        let pieces = stream::iter([Bytes::from(vec![0; PART]), Bytes::from_static(b"x")]);
        let pieces = pieces.map(Ok).boxed();
        let put = objects.put_pieces("payloads/a", "text/plain", pieces).await;
        (put, script.requests())
    };
    for (result, requests) in [
        copy(vec![ok(BEGUN), denied(), ok("")]).await,
        copy(vec![ok(BEGUN), ok(COPIED), ok(COPIED), denied(), ok("")]).await,
        put(vec![ok(BEGUN), part(1), part(2), denied(), ok("")]).await,
    ] {
        let denied = matches!(result, Err(PortError::Misconfigured { .. }));
        assert!(denied, "{result:?}");
        let last = requests.lines().rfind(|line| line.contains("://"));
        assert_eq!(
            last,
            Some(
                "DELETE http://s3.example/payloads/payloads/a?uploadId=u-1&x-id=AbortMultipartUpload"
            )
        );
    }
}

#[tokio::test]
async fn a_read_that_breaks_off_goes_on_in_the_same_state_of_the_object() {
    let first = ok("abc")
        .header("content-length", "5")
        .header("etag", "\"e-1\"");
    let rest = ok("de").header("content-length", "2");
    let (script, objects) = bucket([first, rest]);
    let reader = objects.open("a").await.expect("open").expect("it exists");
    assert_eq!(reader.read_all().await.as_deref(), Ok(&b"abcde"[..]));
    let requests = script.requests();
    let (_, second) = requests.split_once("\n\n").unwrap_or((&requests, ""));
    for header in ["range: bytes=3-\n", "if-match: \"e-1\"\n"] {
        assert!(second.contains(header), "{requests}");
    }
}

#[tokio::test]
async fn an_object_is_deleted() {
    let (script, objects) = bucket([ok("")]);
    objects.delete("payloads/a").await.expect("deleted");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_link_is_signed_for_its_key_and_life() {
    let (_, objects) = bucket([]);
    let url = objects
        .link("results/a=2f/b", Duration::from_secs(900))
        .await
        .expect("a link");
    insta::assert_snapshot!(link(&url));
}

#[tokio::test]
async fn a_link_for_an_upload_is_signed_for_its_type_length_digest_and_life() {
    let (_, objects) = bucket([]);
    let mut links = vec![];
    for sha256 in [None, Some(Digest::from_content(b"abc"))] {
        let upload = objects
            .upload_link("uploads/a", &terms(sha256), Duration::from_secs(3600))
            .await
            .expect("a link");
        let mut headers = upload.headers;
        headers.sort();
        links.push(format!("{}\n{headers:#?}", link(&upload.url)));
    }
    insta::assert_snapshot!(links.join("\n"));
}

#[tokio::test]
async fn a_link_for_a_part_is_signed_for_its_number_length_and_life() {
    let (_, objects) = bucket([]);
    let part = PartTerms {
        number: 3,
        length: 7,
    };
    let upload = objects
        .part_link("payloads/a", "u-1", part, Duration::from_secs(3600))
        .await
        .expect("a link");
    insta::assert_snapshot!(format!("{}\n{:#?}", link(&upload.url), upload.headers));
}

#[tokio::test]
async fn an_upload_in_parts_is_begun_with_its_type_and_digest() {
    let (script, objects) = bucket([ok(BEGUN), ok(BEGUN), ok("<InitiateMultipartUploadResult/>")]);
    assert_eq!(
        objects
            .begin_parts("payloads/a", &terms(None))
            .await
            .as_deref(),
        Ok("u-1")
    );
    objects
        .begin_parts("payloads/a", &terms(Some(Digest::from_content(b"abc"))))
        .await
        .expect("begun");
    insta::assert_snapshot!(script.requests_so_far());
    let unnamed = objects.begin_parts("payloads/a", &terms(None)).await;
    assert!(
        matches!(unnamed, Err(PortError::Misconfigured { .. })),
        "{unnamed:?}"
    );
}

/// Returns a page of the list of parts. `next` is the start of the next page.
fn page(numbers: &[u32], next: Option<u32>) -> Answer {
    let part = |n: &u32| {
        format!("<Part><PartNumber>{n}</PartNumber><Size>5</Size><ETag>\"p-{n}\"</ETag></Part>")
    };
    let parts = numbers.iter().map(part).collect::<Vec<_>>().concat();
    let next = next.map_or_else(String::new, |next| {
        format!(
            "<IsTruncated>true</IsTruncated><NextPartNumberMarker>{next}</NextPartNumberMarker>"
        )
    });
    ok(&format!("<ListPartsResult>{parts}{next}</ListPartsResult>"))
}

fn numbers(parts: Result<Option<Vec<Part>>, PortError>) -> Vec<u32> {
    parts
        .expect("listed")
        .expect("unfinished")
        .into_iter()
        .map(|part| part.number)
        .collect()
}

#[tokio::test]
async fn parts_are_listed_from_the_first_that_is_asked_for() {
    let (script, objects) = bucket([
        page(&[1, 2], Some(2)),
        page(&[3], None),
        page(&[7, 8, 9], None),
    ]);
    assert_eq!(
        numbers(objects.parts("payloads/a", "u-1", 1..=9).await),
        [1, 2, 3]
    );
    assert_eq!(
        numbers(objects.parts("payloads/a", "u-1", 7..=8).await),
        [7, 8]
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn no_page_is_listed_after_the_last_part_that_is_asked_for() {
    let (script, objects) = bucket([page(&[1, 2], Some(2))]);
    assert_eq!(
        numbers(objects.parts("payloads/a", "u-1", 1..=2).await),
        [1, 2]
    );
    assert_eq!(script.count(), 1);
    let (_, objects) = bucket([error(404, "NoSuchUpload"), error(404, "NoSuchBucket")]);
    assert_eq!(objects.parts("payloads/a", "u-1", 1..=2).await, Ok(None));
    assert!(objects.parts("payloads/a", "u-1", 1..=2).await.is_err());
}

#[tokio::test]
async fn parts_are_put_together_as_they_were_listed() {
    let parts = [1, 2].map(|number| Part {
        number,
        length: 5,
        etag: format!("\"p-{number}\""),
    });
    let (script, objects) = bucket([ok(COMPLETED)]);
    assert_eq!(
        objects.join_parts("payloads/a", "u-1", &parts).await,
        Ok(true)
    );
    insta::assert_snapshot!(script.requests());
    for (code, joined) in [
        ("NoSuchUpload", Some(false)),
        ("InvalidPart", Some(false)),
        ("EntityTooSmall", None),
    ] {
        let (_, objects) = bucket([error(400, code)]);
        assert_eq!(
            objects.join_parts("payloads/a", "u-1", &parts).await.ok(),
            joined,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_bucket_is_made_unless_it_is_ours_already() {
    let (script, objects) = bucket([
        ok(""),
        error(409, "BucketAlreadyOwnedByYou"),
        error(409, "BucketAlreadyExists"),
    ]);
    objects.create_bucket().await.expect("made");
    objects.create_bucket().await.expect("there");
    assert!(objects.create_bucket().await.is_err(), "another's");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_sweep_lists_page_by_page_and_deletes_what_is_older() {
    let object = |key: &str, at: &str| {
        format!("<Contents><Key>{key}</Key><LastModified>{at}</LastModified></Contents>")
    };
    let (old, new) = ("2026-11-21T07:59:59.999Z", "2026-11-21T08:00:00.000Z");
    let next = "<IsTruncated>true</IsTruncated><NextContinuationToken>t-1</NextContinuationToken>";
    let list = |objects: String| ok(&format!("<ListBucketResult>{objects}</ListBucketResult>"));
    let pages = [
        list(object("uploads/a", old) + next),
        ok(""),
        list(object("uploads/b", new) + &object("uploads/c", old)),
    ];
    let (script, objects) = bucket(pages.into_iter().chain([ok("")]));
    assert_eq!(
        objects
            .sweep("uploads/", Timestamp::from_seconds(1_795_248_000))
            .await,
        Ok(2)
    );
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn letters_are_kept_listed_from_where_the_last_page_ended_read_and_forgotten() {
    let list = "<ListBucketResult><Contents><Key>dead/b</Key></Contents></ListBucketResult>";
    let (script, letters) = bucket([
        ok(""),
        ok(list),
        ok(list),
        ok("{}").header("content-length", "2"),
        ok(""),
    ]);
    letters.store("dead/a", "{}").await.expect("kept");
    assert_eq!(
        letters.list("dead/", None).await,
        Ok(vec!["dead/b".to_owned()])
    );
    assert_eq!(
        letters.list("dead/", Some("dead/a")).await,
        Ok(vec!["dead/b".to_owned()])
    );
    assert_eq!(
        cloakroom_app::ports::DeadLetterStore::read(&letters, "dead/a")
            .await
            .expect("read")
            .as_deref(),
        Some("{}")
    );
    letters.remove("dead/a").await.expect("forgotten");
    insta::assert_snapshot!(script.requests());
}

#[tokio::test]
async fn a_producers_payload_is_fetched_from_its_bucket_up_to_the_limit() {
    let answer = || ok("abc").header("content-length", "3");
    let script = Script::new([answer(), answer(), error(404, "NoSuchKey")]);
    let payloads = S3ProducerPayloads::new(&script.clients());
    assert_eq!(
        payloads.fetch("theirs", "k", 3).await,
        Ok(FetchedPayload::Whole(Bytes::from_static(b"abc")))
    );
    assert_eq!(
        payloads.fetch("theirs", "k", 2).await,
        Ok(FetchedPayload::TooLarge(3))
    );
    assert_eq!(
        payloads.fetch("theirs", "k", 2).await,
        Ok(FetchedPayload::Gone)
    );
    insta::assert_snapshot!(script.requests());
}

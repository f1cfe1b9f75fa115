//! Messages of this version, of earlier ones, and of other senders.

use cloakroom_core::UploadId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::testing::new_job;

#[test]
fn yesterdays_message_is_read_by_todays_code() {
    let body = r#"{"v":1,"tenant":"default","job":"65cab0e2-1334-8d88-bc2d-9b1fccf5527c","accepted_at":1795248000120,
        "type":"diagnostic.run","content_type":"application/json","payload":{"text":"{}"},"new_member":1,
        "sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;
    let envelope = Envelope::read(body).expect("version 1");
    assert_eq!(envelope.accepted_at().as_millis(), 1_795_248_000_120);
    assert_eq!(
        envelope.expected(),
        Expected::Sha256(Digest::from_content(b"{}"))
    );
    assert_eq!(envelope.payload, PayloadRef::Text("{}".into()));
    assert!(Envelope::read(&body.replace("\"v\":1", "\"v\":2")).is_err());
    assert!(Envelope::read(&body.replace("44136f", "zz136f")).is_err());
    assert!(Envelope::read(&body.replace("\"v\":1", "\"v\":1,\"length\":2")).is_err());
    assert!(
        Envelope::read(&body.replace("\"v\":1", "\"v\":2,\"length\":2")).is_err(),
        "of a stored one alone"
    );
    assert!(Envelope::read("garbage").is_err());
    let address = Some((envelope.key(), envelope.accepted_at()));
    assert_eq!(
        Envelope::address(&body.replace("\"v\":1", "\"v\":2")),
        address,
        "a later version's"
    );
    assert_eq!(
        Envelope::address(&body.replace("44136f", "zz136f")),
        address
    );
    assert_eq!(Envelope::address("garbage"), None);
    assert_eq!(Envelope::address("{}"), None);
}

#[test]
fn the_members_of_a_message_have_the_names_that_other_versions_read() {
    let mut job = new_job(Timestamp::from_millis(1_795_248_000_120), 1);
    job.ready_at = Timestamp::from_millis(1_795_248_060_120);
    let digest = Digest::from_content(b"{}");
    let message = |payload| {
        let trace = RequestTrace {
            traceparent: Some("a parent".into()),
            tracestate: Some("a state".into()),
            request_id: Some("an id".into()),
            xray: Some("a header".into()),
        };
        Envelope::new(&job, "x/y", "width=200", payload, &digest, trace)
    };
    let key = keys::payload(&job.key(), &digest);
    let stored = || message(PayloadRef::Stored(key.clone()));
    let token = LeaseToken::from_uuid(Uuid::from_u128(9));
    for (envelope, v, members) in [
        (
            message(PayloadRef::Text("{}".into())),
            1,
            json!({ "payload": { "text": "{}" } }),
        ),
        (
            message(PayloadRef::Base64("e30=".into())),
            1,
            json!({ "payload": { "base64": "e30=" } }),
        ),
        (stored(), 1, json!({ "payload": { "stored": key } })),
        (
            stored().with_text_length(7),
            1,
            json!({ "payload": { "stored": key }, "text_bytes": 7 }),
        ),
        (
            stored().with_length(7),
            1,
            json!({ "payload": { "stored": key }, "bytes": 7 }),
        ),
        (
            stored().with_unverified_length(7),
            2,
            json!({ "payload": { "stored": key }, "length": 7 }),
        ),
        (
            stored().with_unrecorded(token),
            1,
            json!({ "payload": { "stored": key }, "unrecorded": "00000000-0000-0000-0000-000000000009" }),
        ),
    ] {
        let mut expected = json!({
            "v": v,
            "tenant": "default",
            "job": "00000000-0000-0000-0000-000000000001",
            "accepted_at": 1_795_248_000_120_u64,
            "ready_at": 1_795_248_060_120_u64,
            "type": "diagnostic.run",
            "content_type": "x/y",
            "query": "width=200",
            "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "traceparent": "a parent",
            "tracestate": "a state",
            "request_id": "an id",
        });
        for (name, value) in members.as_object().expect("members") {
            expected[name] = value.clone();
        }
        let written: Value = serde_json::from_str(&envelope.write()).expect("JSON");
        assert_eq!(written, expected);
    }
}

#[test]
fn a_claim_check_is_good_for_a_payload_of_its_own_job_alone() {
    let job = new_job(Timestamp::from_millis(0), 1);
    let other = new_job(Timestamp::from_millis(0), 2);
    let sha256 = Digest::from_content(b"{}");
    let message = |key: String| {
        Envelope::new(
            &job,
            "x/y",
            "",
            PayloadRef::Stored(key),
            &sha256,
            RequestTrace::default(),
        )
        .write()
    };
    let own = keys::payload(&job.key(), &sha256);
    let upload = UploadId::from_uuid(Uuid::from_u128(9));
    let in_parts = keys::parts(&job.tenant, upload);
    for key in [&own, &in_parts] {
        let envelope = Envelope::read(&message(key.clone())).expect("its own");
        assert_eq!(envelope.payload_key(), own);
        assert_eq!(Envelope::claim_check(&envelope.write()), None);
        let text = envelope.with_text_length(7).write();
        assert_eq!(Envelope::claim_check(&text), Some((key.clone(), 7)));
    }
    for key in [
        keys::payload(&other.key(), &sha256),
        keys::payload(&job.key(), &Digest::from_content(b"x")),
        format!("{own}/../x"),
        keys::parts(&"another".parse().expect("a good name"), upload),
        format!("{in_parts}/x"),
        in_parts.to_uppercase(),
        keys::upload(&job.tenant, upload),
        "dead-letters/default/x".to_owned(),
        String::new(),
    ] {
        let body = message(key.clone());
        assert!(Envelope::read(&body).is_err(), "{key}");
        assert_eq!(
            Envelope::address(&body).map(|(key, _)| key),
            Some(job.key()),
            "its job is readable nevertheless"
        );
    }
}

/// Returns the envelope of a stored payload.
fn stored(digest: &Digest) -> Envelope {
    let job = new_job(Timestamp::from_millis(0), 1);
    let payload = PayloadRef::Stored(keys::payload(&job.key(), digest));
    Envelope::new(&job, "x/y", "", payload, digest, RequestTrace::default())
}

#[test]
fn a_payload_whose_digest_nobody_knows_is_held_to_its_length() {
    let envelope = stored(&Digest::from_content(b"an etag")).with_unverified_length(7);
    assert_eq!(
        Envelope::read(&envelope.write()).expect("version 2"),
        envelope
    );
    assert_eq!(envelope.expected(), Expected::Length(7));
    assert!(Envelope::read(&envelope.write().replace("\"v\":2", "\"v\":1")).is_err());
}

#[test]
fn the_length_of_a_stored_payload_is_known_however_it_is_told() {
    let envelope = stored(&Digest::from_content(b"x"));
    for (envelope, length) in [
        (envelope.clone().with_length(7), 7),
        (envelope.clone().with_text_length(7), 7),
        (envelope.clone().with_unverified_length(7), 7),
        (envelope, 0),
    ] {
        assert_eq!(envelope.payload_bytes(), length);
    }
}

#[test]
fn any_payload_comes_back_byte_for_byte_from_a_message_that_the_queue_takes() {
    let job = new_job(Timestamp::from_millis(0), 1);
    for payload in [
        &b""[..],
        b"{\"a\":\"\\u0000\"}",
        b"\0\x01\xff",
        &[0xff; 300],
        "\u{fffe}\u{ffff}\u{7f}".as_bytes(),
        "né\t\r\n😀".as_bytes(),
    ] {
        let envelope = Envelope::new(
            &job,
            "x/y",
            "a=\u{ffff}",
            PayloadRef::from_bytes(payload),
            &Digest::from_content(payload),
            RequestTrace::default(),
        );
        let body = envelope.write();
        let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(body.chars().all(legal), "{body:?}");
        let read = Envelope::read(&body).expect("what was written");
        assert_eq!(read, envelope);
        let (reported, length) = (read.payload_bytes(), payload.len() as u64);
        assert!(
            (length..length + 3).contains(&reported),
            "{reported} of {length}"
        );
        assert_eq!(
            read.payload.bytes().expect("inline").expect("base64"),
            payload
        );
    }
}

//! Payloads that are accepted unchanged, and payloads that are rejected.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_refused_leaves_nothing_behind() {
    let (room, _) = room();
    let sent = |content_type: Option<&str>, bytes: &'static [u8]| Body::Sent {
        content_type: content_type.map(Into::into),
        bytes: Bytes::from_static(bytes),
    };
    let unsupported = |types| Err(SubmitError::UnsupportedMediaType(types));
    let (json, images): (&[&str], &[&str]) = (&["application/json"], &["image/png", "image/jpeg"]);
    assert_eq!(
        room.send("note.lose", None, "{}").await,
        Err(SubmitError::UnknownCommand)
    );
    assert_eq!(
        room.send("note.strict", None, "{}").await,
        Err(SubmitError::KeyRequired)
    );
    assert_eq!(
        room.send("note.strict", Some("k"), "{\"text\":\"0123456789\"}")
            .await,
        Err(SubmitError::TooLarge { limit: 20 })
    );
    assert_eq!(
        room.send_body("note.keep", None, "", sent(Some("text/plain"), b"{}"))
            .await,
        unsupported(json)
    );
    // A message holds no U+FFFE, and a bucket's header nothing but visible ASCII, and not much of it.
    let long = format!("application/json; a={}", "b".repeat(255));
    for other in [
        "application/json; charset=latin-1",
        "application/json; profile=x; charset=latin-1",
        "application/json; a=\u{fffe}",
        "application/json; a=é",
        "application/json; a=\n",
        "application/json; a=\0",
        "application/json; a=\u{7f}",
        &long,
    ] {
        assert_eq!(
            room.send_body("note.keep", None, "", sent(Some(other), b"{}"))
                .await,
            unsupported(json),
            "{other}"
        );
    }
    assert_eq!(
        room.send_body("file.keep", None, "", sent(None, b"x"))
            .await,
        unsupported(images)
    );
    for query in ["", "text=a"] {
        assert!(matches!(
            room.send_body("file.keep", None, query, png(b"")).await,
            Err(SubmitError::Payload(PayloadError::Invalid(_)))
        ));
    }
    for (command, query, body) in [
        ("file.keep", "x=1", png(b"x")),
        ("note.keep", "text=a", sent(None, b"{}")),
    ] {
        assert!(matches!(
            room.send_body(command, None, query, body).await,
            Err(SubmitError::Payload(PayloadError::Invalid(_)))
        ));
    }
    assert!(matches!(
        room.send("note.keep", None, "{").await,
        Err(SubmitError::Payload(PayloadError::Malformed { .. }))
    ));
    assert_eq!(room.memory.calls(), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn json_needs_no_media_type_and_may_say_that_it_is_utf_8() {
    let (room, _) = room();
    let sent = |content_type: Option<&str>| Body::Sent {
        content_type: content_type.map(Into::into),
        bytes: Bytes::from_static(b"{}"),
    };
    for good in [
        None,
        Some("application/json"),
        Some("Application/JSON; Charset=\"UTF-8\""),
        Some("application/json;\ta= ~"),
    ] {
        assert!(
            room.send_body("note.keep", None, "", sent(good))
                .await
                .is_ok()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn other_names_and_parameters_of_an_image_type_are_recorded_as_the_type() {
    let of = |room: &Room| room.memory.only_job().fingerprint;
    let (room, _) = room();
    let body = |sent: &str| Body::Sent {
        content_type: Some(sent.into()),
        bytes: Bytes::from_static(b"jpeg"),
    };
    room.send_body("file.keep", Some("k"), "", body("image/jpeg"))
        .await
        .expect("accepted");
    let first = of(&room);
    for sent in [
        "image/jpg",
        "IMAGE/PJPEG",
        "image/jpeg; charset=binary",
        "image/jpg ; a=\"b\"",
        "Image/Jpeg;",
    ] {
        let again = room
            .send_body("file.keep", Some("k"), "", body(sent))
            .await
            .expect(sent);
        assert!(again.replayed, "{sent}");
        assert_eq!(of(&room), first, "{sent}");
    }
    for sent in [
        "image/jpe",
        "image/gif; charset=binary",
        "image",
        "image/jpeg; a=é",
    ] {
        let refused = room.send_body("file.keep", None, "", body(sent)).await;
        assert_eq!(
            refused,
            Err(SubmitError::UnsupportedMediaType(&[
                "image/png",
                "image/jpeg"
            ])),
            "{sent}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn text_and_json_are_utf_8_and_keep_their_parameters() {
    let keep = |_: Note, _: Bytes| async { Ok::<_, HandlerError>(Output::none()) };
    let types = &["text/csv", "application/geo+json", "image/png"];
    let room = Room::new(vec![Command::binary("file.keep", types, keep)]);
    for (sent, recorded) in [
        ("text/csv; charset=iso-8859-1", None),
        (
            "text/csv; charset=utf-8; header=present",
            Some("text/csv; charset=utf-8; header=present"),
        ),
        ("application/geo+json; charset=iso-8859-1", None),
        (
            "application/geo+json; a=b",
            Some("application/geo+json; a=b"),
        ),
        ("image/png; charset=iso-8859-1", Some("image/png")),
    ] {
        let body = Body::Sent {
            content_type: Some(sent.into()),
            bytes: "a,b".into(),
        };
        let answer = room.send_body("file.keep", None, "", body).await;
        let message = room.memory.receive(Duration::from_secs(600));
        let envelope = message.map(|message| Envelope::read(&message.body).expect("ours"));
        let content_type = envelope.map(|envelope| envelope.content_type);
        assert_eq!(content_type.as_deref(), recorded, "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_may_have_other_names_and_parameters_of_an_image_type() {
    for sent in ["image/jpg", "image/png; charset=binary"] {
        let (room, _) = room();
        let id = upload_as(&room, sent, b"image").await;
        assert!(
            room.send_body("file.keep", None, "", Body::Uploaded(id))
                .await
                .is_ok(),
            "{sent}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_for_a_command_is_checked_like_a_body() {
    let (room, _) = room();
    let id = upload(&room, b"{}").await;
    let answer = room
        .send_body("note.keep", None, "", Body::Uploaded(id))
        .await;
    assert_eq!(
        answer,
        Err(SubmitError::UnsupportedMediaType(&["application/json"]))
    );
    let key = keys::upload(&tenant(), id);
    room.submit
        .objects
        .put(&key, "application/json", Bytes::from_static(b"{\"x\":1}"))
        .await
        .expect("put");
    let answer = room
        .send_body("note.keep", None, "", Body::Uploaded(id))
        .await;
    assert!(matches!(
        answer,
        Err(SubmitError::Payload(PayloadError::Invalid(_)))
    ));
    room.submit
        .objects
        .put(&key, "application/json", Bytes::from_static(b"{}"))
        .await
        .expect("put");
    assert!(
        room.send_body("note.keep", None, "", Body::Uploaded(id))
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_and_an_upload_may_be_as_large_as_their_limits_say() {
    let (room, _) = room();
    let strict = async |bytes: usize| {
        let json = format!("{{\"text\":\"{}\"}}", "x".repeat(bytes - 11));
        room.send("note.strict", Some(&format!("k-{bytes}")), &json)
            .await
            .map(|_| ())
    };
    assert_eq!(
        (strict(20).await, strict(21).await),
        (Ok(()), Err(SubmitError::TooLarge { limit: 20 }))
    );
    let limited = Room::new(vec![
        Command::binary("file.keep", &["image/png"], |_: Note, _: Bytes| async {
            Ok::<_, HandlerError>(Output::none())
        })
        .upload_limit(11),
    ]);
    for (bytes, answer) in [
        (&b"the picture"[..], Ok(())),
        (b"the picture!", Err(SubmitError::TooLarge { limit: 11 })),
    ] {
        let id = upload(&limited, bytes).await;
        assert_eq!(
            limited
                .send_body("file.keep", None, "", Body::Uploaded(id))
                .await
                .map(|_| ()),
            answer
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_media_type_has_at_most_255_characters() {
    assert_eq!(MEDIA_TYPE_LIMIT, 255);
    let (room, _) = room();
    for (length, taken) in [(255, true), (256, false)] {
        let content_type = format!("application/json; a={}", "b".repeat(length - 20));
        assert_eq!(content_type.len(), length);
        let body = Body::Sent {
            content_type: Some(content_type),
            bytes: "{}".into(),
        };
        assert_eq!(
            room.send_body("note.keep", None, "", body).await.is_ok(),
            taken,
            "{length}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_carries_its_payload_up_to_exactly_the_limit() {
    let (mut room, _) = room();
    room.send("note.keep", None, "{}").await.expect("accepted");
    let length = room
        .memory
        .receive(Duration::ZERO)
        .expect("a message")
        .body
        .len();
    room.memory.calls();
    for (limit, calls) in [
        (length, &["accept", "send"][..]),
        (length - 1, &["put", "accept", "send"]),
    ] {
        room.submit.inline_limit = limit;
        room.send("note.keep", None, "{}").await.expect("accepted");
        assert_eq!(room.memory.calls(), calls, "{limit}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_sent_much_later_carries_less() {
    let (room, _) = room();
    assert_eq!(SCHEDULED_LIMIT, 131_072);
    let text = |length| format!("{{\"text\":\"{}\"}}", "x".repeat(length));
    // The limit is of the whole message, not of its payload alone.
    for (seconds, text, calls) in [
        (900, text(SCHEDULED_LIMIT), &["accept", "send"][..]),
        (901, text(SCHEDULED_LIMIT), &["put", "accept", "send"]),
        (901, text(SCHEDULED_LIMIT - 20), &["put", "accept", "send"]),
        (901, text(SCHEDULED_LIMIT - 2000), &["accept", "send"]),
    ] {
        let submission = Submission {
            not_before: Some(room.host.now().after(Duration::from_secs(seconds))),
            ..Room::submission("note.keep", json(text))
        };
        room.submit.submit(submission).await.expect("accepted");
        assert_eq!(room.memory.calls(), calls, "{seconds}");
        // As long as the queue itself holds it back.
        assert_eq!(
            room.memory.messages().1,
            Some(tokio::time::Instant::now() + LONGEST_DELAY)
        );
        room.memory.purge();
    }
}

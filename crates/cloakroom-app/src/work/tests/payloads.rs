//! Payloads that are missing, damaged, or no longer needed.

use bytes::Bytes;
use cloakroom_core::problem::FieldError;

use super::*;
use crate::testing::{Note, nothing};

#[tokio::test(start_paused = true)]
async fn a_message_that_cant_be_read_or_that_nobody_handles_stays_for_the_dead_letters() {
    let room = room();
    sent(&room, r#"["answer"]"#).await;
    let good = room.memory.receive(Duration::ZERO).expect("a message");
    let ends_at = room.host.now().after(Duration::from_secs(900));
    let unhandled = good.body.replace("\"type\":\"play\"", "\"type\":\"gone\"");
    assert_ne!(unhandled, good.body);
    for body in ["", "garbage", "{}", &unhandled] {
        let delivery = Delivery {
            body: body.to_owned(),
            ..good.clone()
        };
        room.memory.calls();
        assert_eq!(
            room.worker.handle(&delivery, ends_at).await,
            Disposition::Keep
        );
        assert_eq!(room.memory.calls(), Vec::<&str>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_gone_or_not_what_was_accepted_fails_the_job_truthfully() {
    for (code, mend) in [
        ("payload-lost", None),
        ("payload-corrupted", Some("other bytes")),
    ] {
        let mut room = room();
        room.submit.inline_limit = 0;
        let key = sent(&room, r#"["answer"]"#).await;
        let object = room.memory.object_keys().pop().expect("a payload");
        match mend {
            Some(other) => room
                .worker
                .objects
                .put(&object, "application/json", other.into())
                .await
                .expect("memory"),
            None => room.memory.lose(&object),
        }
        room.work_until_idle().await;
        let job = room.poll(&key).await;
        assert_eq!((job.status, failure(&job).1), (Status::Failed, code));
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_was_changed_in_its_message_fails_the_job_truthfully() {
    let room = room();
    let key = sent(&room, r#"["answer"]"#).await;
    let sent = room.memory.receive(Duration::ZERO).expect("a message");
    let changed = Delivery {
        body: sent.body.replace("answer", "panic"),
        ..sent.clone()
    };
    assert_ne!(changed.body, sent.body);
    let ends_at = room.host.now().after(Duration::from_secs(900));
    let disposition = room.worker.handle(&changed, ends_at).await;
    assert_eq!(disposition, Disposition::Done);
    let job = room.poll(&key).await;
    assert_eq!(
        (job.status, failure(&job).1),
        (Status::Failed, "payload-corrupted")
    );
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_payload_is_read_after_its_handlers_time() {
    let ignores = |_: crate::testing::Nothing, _: crate::BodyStream| async {
        Ok::<_, HandlerError>(Output::none())
    };
    let mut room = Room::new(vec![
        Command::binary("ignore", &["image/png"], ignores)
            .attempts(1)
            .timeout(Duration::from_secs(30)),
    ]);
    room.submit.inline_limit = 0;
    let body = crate::submit::Body::Sent {
        content_type: None,
        bytes: "the picture".into(),
    };
    let sent = room.send_body("ignore", None, "", body).await;
    room.memory.slow("read", Duration::from_secs(60));
    room.work_until_idle().await;
    let job = room.poll(&sent.expect("accepted").job.key()).await;
    assert_eq!(job.status, Status::Succeeded, "{:?}", job.failure);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_a_later_version_no_longer_takes_fails_its_job_at_once() {
    let json = || Command::json("take", nothing::<Note>);
    let binary = || Command::binary("take", &["image/png"], |note: Note, _: Bytes| nothing(note));
    let refuse = |_: &Note| vec![FieldError::new("/text", "is refused")];
    for (earlier, later) in [
        (json(), Command::json("take", nothing::<Script>)),
        (json(), json().validate(refuse)),
        (binary(), binary().validate(refuse)),
    ] {
        let mut room = Room::new(vec![earlier]);
        let body = crate::submit::Body::Sent {
            content_type: None,
            bytes: "{}".into(),
        };
        let sent = room.send_body("take", None, "", body).await;
        room.worker.commands = Handlers::new(crate::Registry::new(vec![later]));
        room.work_until_idle().await;
        let job = room.poll(&sent.expect("accepted").job.key()).await;
        assert_eq!((job.status, job.attempt), (Status::Failed, 1));
        assert!(failure(&job).2.contains("no longer valid"), "{job:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_is_deleted_once_its_job_succeeded_or_was_cancelled_and_kept_to_send_a_failed_one_back()
 {
    for (acts, cancel, kept) in [
        (r#"["answer"]"#, false, false),
        (r#"["retryable", "answer"]"#, false, false),
        (r#"["terminal"]"#, false, true),
        (r#"["answer"]"#, true, false),
    ] {
        let mut room = room();
        room.submit.inline_limit = 0;
        let key = sent(&room, acts).await;
        let objects = room.memory.object_keys();
        if cancel {
            room.jobs.cancel(&key).await.expect("cancelled");
        }
        room.work_until_idle().await;
        assert!(room.poll(&key).await.status.is_terminal());
        let left = room.memory.object_keys();
        assert_eq!(left, if kept { objects } else { vec![] }, "{acts}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_message_of_a_job_that_expired_leaves_the_payload_of_the_next_one_alone() {
    let mut room = room();
    room.submit.inline_limit = 0;
    let submitted = room
        .send("play", Some("order-1"), r#"{"acts":["answer"]}"#)
        .await
        .expect("accepted");
    let late = room.memory.receive(Duration::ZERO).expect("a message");
    room.work_until_idle().await;
    let ends_at = || room.host.now().after(Duration::from_secs(900));
    // The next one has its payload where the first one's was, and is not recorded yet.
    for before_expiry in [1800, 600, 1] {
        let expires_at = room.poll(&submitted.job.key()).await.expires_at;
        sleep(
            expires_at
                .since(room.host.now())
                .saturating_sub(Duration::from_secs(before_expiry)),
        )
        .await;
        let envelope = Envelope::read(&late.body).expect("its envelope");
        let payload = envelope.stored_payload_key().expect("it is stored");
        room.worker
            .objects
            .put(payload, "application/json", "{}".into())
            .await
            .expect("memory");
        assert_eq!(
            room.worker.handle(&late, ends_at()).await,
            Disposition::Done
        );
        assert_eq!(room.memory.object_keys(), [payload.to_owned()]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_message_deletes_the_payload_until_half_an_hour_before_its_job_expires_and_never_that_of_the_next()
 {
    let mut room = room();
    room.submit.inline_limit = 0;
    let send = || room.send("play", Some("order-1"), r#"{"acts":["answer"]}"#);
    let first = send().await.expect("accepted").job;
    let late = room.memory.receive(Duration::ZERO).expect("a message");
    room.work_until_idle().await;
    let payload = Envelope::read(&late.body)
        .expect("ours")
        .stored_payload_key()
        .expect("it is stored")
        .to_owned();
    let left = async || {
        room.worker
            .objects
            .put(&payload, "application/json", "{}".into())
            .await
            .expect("memory");
        let ends_at = room.host.now().after(Duration::from_secs(900));
        assert_eq!(room.worker.handle(&late, ends_at).await, Disposition::Done);
        room.memory.object_keys().len()
    };
    let expires_at = room.poll(&first.key()).await.expires_at;
    sleep(
        expires_at
            .since(room.host.now())
            .saturating_sub(Duration::from_secs(1801)),
    )
    .await;
    assert_eq!(left().await, 0);
    sleep(Duration::from_secs(1801)).await;
    send().await.expect("accepted");
    room.work_until_idle().await;
    assert_eq!(left().await, 1, "the next one's");
}

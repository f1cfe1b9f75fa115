//! Messages with payloads in S3: our client, the worker's queue, and Amazon's library for Python as the counterpart of
//! both. The library is only tested if `CLOAKROOM_EXTENDED_PYTHON` names a Python that has it. `localstack/status
//! --env` prints that variable.

use std::collections::HashMap;
use std::env;
use std::time::Duration;

use aws_sdk_s3::Client as S3;
use aws_sdk_sqs::Client as Sqs;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageAttributeValue, SendMessageBatchRequestEntry,
};
use bytes::Bytes;
use cloakroom_app::envelope::{Envelope, PayloadRef, RequestTrace};
use cloakroom_app::ports::{Objects as _, Queue as _, keys};
use cloakroom_app::testing::new_job;
use cloakroom_aws::{Queues, S3Objects, SqsQueue};
use cloakroom_core::{Digest, Tenant, Timestamp};
use cloakroom_sqs_extended_client::{
    Error, ExtendedClient, Pointer, PointerClass, Settings, SizeAttribute, split,
};
use cloakroom_tests::fresh_key;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::place::{Open, Place, Service, cleaned_up};

/// Exceeds the maximum message size of the Python library.
const LARGE: usize = 300_000;

/// A queue and a bucket.
struct Room<'a> {
    place: &'a Open,
    queue: &'a SqsQueue,
    bucket: String,
    sqs: Sqs,
    s3: S3,
}

/// Creates a queue and a bucket, runs a test, and removes them.
async fn tested(place: &Place, test: impl AsyncFnOnce(&Room<'_>)) {
    // Boxed because of their size.
    let open = Box::pin(place.open()).await;
    let name = fresh_key("cloakroom-extended");
    let made = SqsQueue::create(&open.clients, &name, Duration::from_secs(60), 9);
    let made = Box::pin(made).await.expect("make the queues");
    let Queues {
        queue,
        dead_letters,
    } = made;
    let sqs = Sqs::new(&Box::pin(open.sdk_of(Service::Sqs)).await);
    let s3 = crate::objects::client(&Box::pin(open.sdk_of(Service::S3)).await);
    Box::pin(crate::objects::make(&open, &name)).await;
    let queue = queue.with_payload_bucket(&name);
    let room = Room {
        place: &open,
        queue: &queue,
        bucket: name.clone(),
        sqs,
        s3,
    };
    let removal = Box::pin(async {
        if open.is_embedded() {
            return;
        }
        for url in [queue.url(), dead_letters.url()] {
            room.sqs
                .delete_queue()
                .queue_url(url)
                .send()
                .await
                .expect("remove the queue");
        }
        crate::objects::remove(&open, &name).await;
    });
    cleaned_up(Box::pin(test(&room)), removal).await;
}

impl Room<'_> {
    fn client(&self, change: impl FnOnce(&mut Settings)) -> ExtendedClient {
        let mut settings = Settings::new(&self.bucket);
        change(&mut settings);
        ExtendedClient::new(self.sqs.clone(), self.s3.clone(), settings)
    }

    /// Receives `most` messages with our client.
    async fn received(
        &self,
        client: &ExtendedClient,
        most: usize,
    ) -> Vec<aws_sdk_sqs::types::Message> {
        let mut all = vec![];
        while all.len() < most {
            let request = self
                .sqs
                .receive_message()
                .queue_url(self.queue.url())
                .max_number_of_messages(10);
            let request = request.message_attribute_names("colour");
            let wait = i32::try_from(self.place.patience().as_secs()).expect("few");
            let received = client
                .receive_message(request.wait_time_seconds(wait))
                .await
                .expect("received");
            assert!(received.failed.is_empty(), "{:?}", received.failed);
            assert!(!received.messages.is_empty(), "{} of {most}", all.len());
            all.extend(received.messages);
        }
        all
    }

    async fn keys(&self) -> Vec<String> {
        let listed = self
            .s3
            .list_objects_v2()
            .bucket(&self.bucket)
            .send()
            .await
            .expect("listed");
        listed
            .contents()
            .iter()
            .filter_map(|object| object.key().map(str::to_owned))
            .collect()
    }

    /// Runs an action of the Python library.
    async fn python(&self, act: &str, mut asked: Value) -> String {
        asked["queue"] = json!(self.queue.url());
        asked["bucket"] = json!(self.bucket);
        let python = env::var("CLOAKROOM_EXTENDED_PYTHON").expect("a Python that has the library");
        let mut command = Command::new(python);
        command
            .arg(cloakroom_tests::root().join("tests/conformance/extended_client.py"))
            .arg(act);
        command
            .envs(self.place.variables())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped());
        let mut child = command.spawn().expect("Python runs");
        let mut stdin = child.stdin.take().expect("piped");
        stdin
            .write_all(asked.to_string().as_bytes())
            .await
            .expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().await.expect("it ends");
        assert!(output.status.success(), "{act}: {}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }
}

fn colour() -> (String, MessageAttributeValue) {
    let red = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("red")
        .build();
    ("colour".to_owned(), red.expect("its type is set"))
}

/// Compares the message as SQS's own client sees it with the result of our client.
pub(crate) async fn our_client_puts_away_what_is_large_and_brings_it_back(place: Place) {
    tested(&place, async |room| {
        let client =
            room.client(|it| (it.delete_payloads, it.key_prefix) = (true, "here/".to_owned()));
        let (small, large) = ("small".to_owned(), "né".repeat(LARGE));
        for body in [&small, &large] {
            let send = client
                .sqs()
                .send_message()
                .queue_url(room.queue.url())
                .message_body(body);
            let (name, red) = colour();
            client
                .send_message(send.message_attributes(name, red))
                .await
                .expect("sent");
        }
        let keys = room.keys().await;
        assert!(keys.len() == 1 && keys[0].starts_with("here/"), "{keys:?}");
        for message in room.received(&client, 2).await {
            let handle = message.receipt_handle().expect("a handle").to_owned();
            let attributes: Vec<_> = message
                .message_attributes()
                .expect("attributes")
                .keys()
                .collect();
            assert_eq!(attributes, ["colour"], "and not the one that marks it");
            let pointer = split(&handle).map(|(pointer, _)| pointer);
            if message.body() == Some(&large) {
                assert_eq!(pointer, Some(Pointer::new(&room.bucket, &keys[0])));
            } else {
                assert_eq!((message.body(), pointer), (Some(small.as_str()), None));
            }
            let hide = client
                .sqs()
                .change_message_visibility()
                .queue_url(room.queue.url())
                .receipt_handle(&handle);
            client
                .change_message_visibility(hide.visibility_timeout(30))
                .await
                .expect("hidden");
            let delete = client
                .sqs()
                .delete_message()
                .queue_url(room.queue.url())
                .receipt_handle(&handle);
            client.delete_message(delete).await.expect("deleted");
        }
        assert_eq!(room.keys().await, Vec::<String>::new());
        assert_eq!(room.queue.receive(10, Duration::ZERO).await, Ok(vec![]));
    })
    .await;
}

/// Sends ten messages of 120 KiB. Each one fits, but the batch exceeds the limit of SQS.
pub(crate) async fn our_client_sends_a_batch_that_is_too_large_in_total(place: Place) {
    tested(&place, async |room| {
        let client = room.client(|it| it.delete_payloads = true);
        let body = |n: usize| n.to_string().repeat(120 * 1024 + n);
        let entry = |n: usize| {
            let entry = SendMessageBatchRequestEntry::builder()
                .id(n.to_string())
                .message_body(body(n));
            entry.build().expect("it has what it needs")
        };
        let entries: Vec<_> = (0..10).map(entry).collect();
        let plain = room
            .sqs
            .send_message_batch()
            .queue_url(room.queue.url())
            .set_entries(Some(entries.clone()));
        plain.send().await.expect_err("it is too large");
        let send = client
            .sqs()
            .send_message_batch()
            .queue_url(room.queue.url())
            .set_entries(Some(entries));
        let taken = client.send_message_batch(send).await.expect("sent");
        assert_eq!(
            (taken.successful().len(), room.keys().await.len()),
            (10, 2),
            "the largest two"
        );
        let messages = room.received(&client, 10).await;
        let mut lengths: Vec<_> = messages
            .iter()
            .filter_map(|it| Some(it.body()?.len()))
            .collect();
        lengths.sort_unstable();
        assert_eq!(lengths, (0..10).map(|n| body(n).len()).collect::<Vec<_>>());
        let mut delete = client
            .sqs()
            .delete_message_batch()
            .queue_url(room.queue.url());
        for message in &messages {
            let entry = DeleteMessageBatchRequestEntry::builder();
            let entry = entry
                .id(message.message_id().expect("an id"))
                .receipt_handle(message.receipt_handle().expect("one"));
            delete = delete.entries(entry.build().expect("it has what it needs"));
        }
        assert_eq!(
            client
                .delete_message_batch(delete)
                .await
                .expect("deleted")
                .successful()
                .len(),
            10
        );
        assert_eq!(room.keys().await, Vec::<String>::new());
    })
    .await;
}

/// Uses messages of the Java library, and invalid ones: a payload that can't be fetched must not affect other messages.
pub(crate) async fn our_client_hands_out_what_can_be_fetched_of_every_class_and_attribute(
    place: Place,
) {
    tested(&place, async |room| {
        let client = room.client(|_| ());
        let pointer = client.put("payload".to_owned()).await.expect("put");
        let gone = Pointer::new(&room.bucket, "no such key");
        let mut expected = 0;
        for pointer in [&pointer, &gone] {
            for class in [
                PointerClass::PayloadS3Pointer,
                PointerClass::MessageS3Pointer,
            ] {
                for attribute in SizeAttribute::ALL {
                    let size = MessageAttributeValue::builder()
                        .data_type("Number")
                        .string_value("7")
                        .build();
                    let send = room
                        .sqs
                        .send_message()
                        .queue_url(room.queue.url())
                        .message_body(pointer.to_body(class));
                    let send =
                        send.message_attributes(attribute.as_str(), size.expect("its type is set"));
                    send.send().await.expect("sent");
                    expected += 1;
                }
            }
        }
        let (mut messages, mut failed) = (vec![], vec![]);
        while messages.len() + failed.len() < expected {
            let request = room
                .sqs
                .receive_message()
                .queue_url(room.queue.url())
                .max_number_of_messages(10);
            let received = client.receive_message(request).await.expect("received");
            messages.extend(received.messages);
            failed.extend(received.failed);
        }
        assert!(messages.len() == 4 && messages.iter().all(|it| it.body() == Some("payload")));
        let is_gone =
            |error: &Error| matches!(error, Error::PayloadNotFound(found) if *found == gone);
        assert!(
            failed.len() == 4 && failed.iter().all(|(_, error)| is_gone(error)),
            "{failed:?}"
        );
        let reserved = HashMap::from([("SQSLargePayloadSize".to_owned(), colour().1)]);
        let send = client
            .sqs()
            .send_message()
            .queue_url(room.queue.url())
            .message_body("x");
        let refused = client
            .send_message(send.set_message_attributes(Some(reserved)))
            .await;
        assert!(
            matches!(refused, Err(Error::Reserved("SQSLargePayloadSize"))),
            "{refused:?}"
        );
    })
    .await;
}

pub(crate) async fn pythons_library_reads_what_our_client_sends(place: Place) {
    tested(&place, async |room| {
        let body = "né".repeat(LARGE);
        for attribute in SizeAttribute::ALL {
            let client = room.client(|it| it.attribute = attribute);
            let send = client
                .sqs()
                .send_message()
                .queue_url(room.queue.url())
                .message_body(&body);
            let (name, red) = colour();
            client
                .send_message(send.message_attributes(name, red))
                .await
                .expect("sent");
        }
        let received = room
            .python("receive", json!({"most": 2, "delete": true}))
            .await;
        let received: Vec<Value> = serde_json::from_str(&received).expect("JSON");
        assert_eq!(received.len(), 2);
        for message in received {
            assert_eq!(
                (&message["body"], &message["attributes"]),
                (&json!(body), &json!({"colour": "red"}))
            );
            let pointer =
                split(message["handle"].as_str().expect("a handle")).map(|(pointer, _)| pointer);
            assert!(
                pointer.is_some_and(|it| it.bucket == room.bucket),
                "its handles are as ours"
            );
        }
        assert_eq!(
            room.keys().await,
            Vec::<String>::new(),
            "it deleted what our pointers named"
        );
        assert_eq!(room.queue.receive(10, Duration::ZERO).await, Ok(vec![]));
    })
    .await;
}

pub(crate) async fn our_client_reads_what_pythons_library_sends(place: Place) {
    tested(&place, async |room| {
        let body = "né".repeat(LARGE);
        let message = |legacy, body: &str| json!({"legacy": legacy, "body": body, "attributes": {"colour": "red"}});
        let messages = [false, true].map(|legacy| [message(legacy, &body), message(legacy, "small")]);
        room.python("send", json!({"messages": messages.concat()})).await;
        let messages = room.received(&room.client(|_| ()), 4).await;
        for expected in [body.as_str(), "small"] {
            assert_eq!(messages.iter().filter(|message| message.body() == Some(expected)).count(), 2);
        }
        assert_eq!(room.keys().await.len(), 2);
    })
    .await;
}

/// Uses a message of the worker's queue with a payload in the bucket, as submit sends it.
pub(crate) async fn pythons_library_reads_a_command_from_the_workers_queue(place: Place) {
    tested(&place, async |room| {
        let payload = json!({"text": "né".repeat(LARGE)}).to_string();
        let (job, digest) = (
            new_job(Timestamp::from_millis(7), 1),
            Digest::from_content(payload.as_bytes()),
        );
        let (objects, key) = (
            S3Objects::new(&room.place.clients, &room.bucket),
            keys::payload(&job.key(), &digest),
        );
        objects
            .put(&key, "application/json", Bytes::from(payload.clone()))
            .await
            .expect("put");
        let envelope = |payload_ref| {
            Envelope::new(
                &job,
                "application/json",
                "",
                payload_ref,
                &digest,
                RequestTrace::default(),
            )
        };
        let stored = envelope(PayloadRef::Stored(key))
            .with_text_length(payload.len() as u64)
            .write();
        let whole = envelope(PayloadRef::Text("{}".to_owned())).write();
        let tenant = Tenant::default();
        for body in [&stored, &whole] {
            room.queue
                .send(&tenant, body.clone(), Duration::ZERO, None)
                .await
                .expect("sent");
        }
        let received = room
            .python("receive", json!({"most": 2, "delete": false}))
            .await;
        let received: Vec<Value> = serde_json::from_str(&received).expect("JSON");
        let body = |of: &Value| of["body"].as_str().map(str::to_owned);
        let (large, small): (Vec<_>, Vec<_>) = received
            .iter()
            .partition(|it| body(it).as_deref() == Some(payload.as_str()));
        assert_eq!((large.len(), small.len()), (1, 1));
        // An attribute contains the rest of the command. Without it, the body contains everything.
        let beside = large[0]["attributes"][cloakroom_aws::message::ENVELOPE]
            .as_str()
            .expect("an envelope");
        assert_eq!(
            (
                beside,
                large[0]["attributes"].as_object().map(serde_json::Map::len)
            ),
            (stored.as_str(), Some(1))
        );
        assert_eq!(body(small[0]), Some(whole.clone()));
        // The worker must not see either of them when it receives the messages later.
        for handle in received
            .iter()
            .filter_map(|message| message["handle"].as_str())
        {
            let handle = split(handle).map_or(handle, |(_, own)| own);
            room.queue
                .hide(handle, Duration::ZERO)
                .await
                .expect("shown");
        }
        let mut bodies = vec![];
        while bodies.len() < 2 {
            let deliveries = room
                .queue
                .receive(10, room.place.patience())
                .await
                .expect("received");
            assert!(!deliveries.is_empty());
            bodies.extend(deliveries.into_iter().map(|delivery| delivery.body));
        }
        bodies.sort();
        let mut expected = [stored, whole];
        expected.sort();
        assert_eq!(bodies, expected);
    })
    .await;
}

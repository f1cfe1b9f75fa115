//! Long polls. The tests observe from the inside when a receive waits, so no test sleeps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{Credentials, SharedCredentialsProvider};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Server, Store, serve};
use crate::net::{Stop, listen};
use crate::{ACCESS_KEY, Clock, REGION, SECRET_KEY};

struct Running {
    server: Arc<Server>,
    sqs: Client,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn start(clock: Clock) -> Running {
    let listener = listen(([127, 0, 0, 1], 0).into()).expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (stop, stopped) = Stop::channel();
    let store = Store::open(None).expect("memory");
    let server = Arc::new(Server::new(store, url.clone(), clock, stopped.clone()));
    let task = tokio::spawn(serve(listener, Arc::clone(&server), stopped));
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "tests");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Running {
        server,
        sqs: Client::new(&config),
        stop,
        task,
    }
}

fn standing() -> Clock {
    Arc::new(|| 1_800_000_000_000)
}

impl Running {
    async fn queue(&self, name: &str) -> String {
        let made = self.sqs.create_queue().queue_name(name).send().await;
        made.expect("made").queue_url.expect("it has a URL")
    }

    /// Starts a receive that waits up to 20 seconds. Returns after it has started to wait; the task returns the bodies.
    async fn wait_for_one(&self, queue: &str) -> JoinHandle<Vec<String>> {
        let before = self.server.waiters.waiting();
        let receive = self
            .sqs
            .receive_message()
            .queue_url(queue)
            .wait_time_seconds(20);
        let waiting = tokio::spawn(async move {
            let received = receive.send().await.expect("received");
            received
                .messages()
                .iter()
                .filter_map(|m| m.body.clone())
                .collect()
        });
        while self.server.waiters.waiting() == before {
            tokio::task::yield_now().await;
        }
        waiting
    }

    async fn send(&self, queue: &str, body: &str) {
        let sent = self
            .sqs
            .send_message()
            .queue_url(queue)
            .message_body(body)
            .send()
            .await;
        sent.expect("sent");
    }

    /// Receives without waiting. Returns the receipt handle.
    async fn receive(&self, queue: &str) -> Option<String> {
        let received = self
            .sqs
            .receive_message()
            .queue_url(queue)
            .send()
            .await
            .expect("received");
        received.messages().first()?.receipt_handle.clone()
    }
}

#[tokio::test]
async fn a_send_wakes_the_receive_that_waits() {
    let running = start(standing());
    let queue = running.queue("jobs").await;
    let waiting = running.wait_for_one(&queue).await;
    let other = running.queue("other").await;
    running.send(&other, "not this").await;
    running.send(&queue, "this").await;
    assert_eq!(waiting.await.expect("no panic"), ["this"]);
    assert_eq!(running.server.waiters.waiting(), 0);
}

#[tokio::test]
async fn each_of_several_waiting_receives_gets_its_message() {
    let running = start(standing());
    let queue = running.queue("jobs").await;
    let first = running.wait_for_one(&queue).await;
    let second = running.wait_for_one(&queue).await;
    running.send(&queue, "a").await;
    running.send(&queue, "b").await;
    let mut bodies = first.await.expect("no panic");
    bodies.extend(second.await.expect("no panic"));
    bodies.sort();
    assert_eq!(bodies, ["a", "b"]);
}

#[tokio::test]
async fn a_message_let_go_wakes_the_receive_that_waits() {
    let running = start(standing());
    let queue = running.queue("jobs").await;
    running.send(&queue, "again").await;
    let handle = running.receive(&queue).await.expect("a message");
    let waiting = running.wait_for_one(&queue).await;
    running
        .sqs
        .change_message_visibility()
        .queue_url(&queue)
        .receipt_handle(handle)
        .visibility_timeout(0)
        .send()
        .await
        .expect("let go");
    assert_eq!(waiting.await.expect("no panic"), ["again"]);
}

#[tokio::test]
async fn a_dead_letter_wakes_the_receive_that_waits_for_it() {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let clock = Arc::clone(&time);
    let running = start(Arc::new(move || clock.load(Ordering::SeqCst)));
    let dead = running.queue("dead").await;
    let queue = running.queue("jobs").await;
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}"#;
    running
        .sqs
        .set_queue_attributes()
        .queue_url(&queue)
        .attributes(
            aws_sdk_sqs::types::QueueAttributeName::RedrivePolicy,
            policy,
        )
        .send()
        .await
        .expect("set");
    running.send(&queue, "hopeless").await;
    running.receive(&queue).await.expect("once");
    let waiting = running.wait_for_one(&dead).await;
    time.fetch_add(30_000, Ordering::SeqCst);
    assert_eq!(running.receive(&queue).await, None);
    assert_eq!(waiting.await.expect("no panic"), ["hopeless"]);
}

#[tokio::test]
async fn a_waiting_receive_knows_when_the_next_message_shows() {
    // The time advances by 600 ms with each reading.
    let time = AtomicI64::new(1_800_000_000_000);
    let running = start(Arc::new(move || time.fetch_add(600, Ordering::SeqCst)));
    let queue = running.queue("jobs").await;
    let send = running
        .sqs
        .send_message()
        .queue_url(&queue)
        .message_body("later");
    send.delay_seconds(1).send().await.expect("sent");
    let received = running
        .sqs
        .receive_message()
        .queue_url(&queue)
        .wait_time_seconds(20);
    let received = received.send().await.expect("received");
    assert_eq!(received.messages().len(), 1);
}

#[tokio::test]
async fn the_end_answers_the_receives_that_wait() {
    let running = start(standing());
    let queue = running.queue("jobs").await;
    let waiting = running.wait_for_one(&queue).await;
    running.stop.send(true).expect("somebody listens");
    assert!(waiting.await.expect("no panic").is_empty());
    running.task.await.expect("no panic");
}

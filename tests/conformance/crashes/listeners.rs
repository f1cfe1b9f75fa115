//! Listeners of a room's jobs, and the functions that notify them, with a fault in one of their calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use cloakroom_app::changes::Changes;
use cloakroom_app::delivery::Disposition;
use cloakroom_app::observed::ObservedStore;
use cloakroom_app::ports::{JobStore, KeyStore, PortError, WebhookSender};
use cloakroom_app::{Deliver, Publisher};
use cloakroom_aws::testing::{Fault, FaultInjector};
use cloakroom_aws::{
    Clients, DynamoStore, EventBridgeBus, Queues, S3Objects, SqsQueue, SqsReplies,
};
use cloakroom_core::delivery::{CLAIM, Delivery};
use cloakroom_core::listeners::WebhookListener;
use cloakroom_core::{
    CloudEvent, DeliveryKind, DeliveryLog, DeliveryState, DeploymentKeys, EventContext, EventScope,
    Job, ReplyQueue,
};
use cloakroom_tests::fresh_key;
use cloakroom_webhooks::Webhooks;

use super::room::{Ground, LEASE, Room};
use crate::event_bridge;
use crate::queue;

/// Maximum number of receives of a case. Each passes some seconds.
const ROUNDS: usize = 16;

/// Events that a receiver got, in order.
type Heard = Arc<Mutex<Vec<CloudEvent>>>;

/// A webhook, a reply queue and an event bus, with the functions that notify them.
pub(super) struct Listeners {
    injector: FaultInjector,
    /// The table's stream: the jobs after each change.
    stream: Arc<Mutex<Vec<Job>>>,
    publisher: Publisher,
    deliver: Deliver,
    /// Store of jobs and deliveries, without a fault.
    store: DynamoStore,
    deliveries: Queues,
    /// Changes that the webhook and the bus receive.
    scope: EventScope,
    replies: Queues,
    webhook: Heard,
    bus: Heard,
}

impl Listeners {
    /// Lets listeners join a room: they hear of all of its jobs. The n-th call of the functions that notify them has a
    /// fault.
    pub(super) async fn join(room: &mut Room<'_>, fault: Fault, n: usize) -> Self {
        let ground = room.ground;
        let clients = &ground.open.clients;
        let (webhook, bus) = (Heard::default(), Heard::default());
        let url = receiver(&webhook).await;
        let of_bus = bus.clone();
        let bus_url = event_bridge::start(move |entry| {
            let event = entry["Detail"].as_str().expect("a detail");
            hear(&of_bus, event.as_bytes());
        });
        let injector = FaultInjector::new(fault, n);
        let faulty = clients.clone().with_fault_injector(&injector);
        let faulty = faulty.with_eventbridge_url(&bus_url.await);
        let name = fresh_key("listeners");
        let deliveries = SqsQueue::create(clients, &name, LEASE, 9);
        let deliveries = deliveries.await.expect("make the queues");
        let name = format!("{name}-replies");
        let replies = SqsQueue::create(clients, &name, LEASE, 9);
        let replies = replies.await.expect("make the queues");
        let reply_queues = BTreeMap::from([(
            "orders".parse().expect("a name"),
            replies.queue.url().to_owned(),
        )]);
        let urls = (deliveries.queue.url(), reply_queues.clone());
        let (publisher, deliver) = functions(room, &injector, &faulty, urls);
        let store = DynamoStore::new(clients, &ground.name);
        let stream = streamed(room, &store);
        // Receipts of the events of each change take some seconds on an emulator.
        let scope = if ground.open.is_embedded() {
            EventScope::All
        } else {
            EventScope::Terminal
        };
        room.submit.listeners = cloakroom_app::Listeners {
            reply_queues: reply_queues.into_keys().collect(),
            bus: Some(scope),
        };
        room.events = Some(Box::new(EventContext {
            webhook: Some(WebhookListener { url, scope }),
            reply_to: Some("orders".parse().expect("a name")),
            ..EventContext::default()
        }));
        Self {
            injector,
            stream,
            publisher,
            deliver,
            store,
            deliveries,
            scope,
            replies,
            webhook,
            bus,
        }
    }

    /// Publishes all changes, as the table's stream delivers them: after a failure the failed one and all later ones
    /// again, after a crash the whole batch.
    pub(super) async fn publish_all(&self) {
        let batch = self.changes();
        let mut next = 0;
        while let Some(job) = batch.get(next) {
            let (publisher, job) = (self.publisher.clone(), job.clone());
            match tokio::spawn(async move { publisher.publish(&job).await }).await {
                Ok(Ok(())) => next += 1,
                Ok(Err(_)) => {}
                Err(_crash) => next = 0,
            }
        }
    }

    /// Receives deliveries until all of them have ended.
    pub(super) async fn deliver_all(&self, room: &Room<'_>, job: &Job) -> DeliveryLog {
        let mut claimed = false;
        for _ in 0..ROUNDS {
            let received = self.deliveries.queue.receive(10, room.patience()).await;
            for message in received.expect("receive") {
                let (deliver, given) = (self.deliver.clone(), message.clone());
                let handled = tokio::spawn(async move { deliver.handle(&given).await }).await;
                if matches!(handled, Ok(Disposition::Done)) {
                    let deleted = self.deliveries.queue.delete(&message.receipt).await;
                    deleted.expect("delete");
                } else if self.injector.has_fired() && !claimed {
                    // Nobody else attempts it until its claim has expired.
                    room.forward(CLAIM);
                    claimed = true;
                }
            }
            let log = self.log(job).await;
            if log.deliveries.iter().all(is_over) {
                return log;
            }
            room.later().await;
        }
        panic!("there is no end to them: {:?}", self.log(job).await)
    }

    /// Checks that each listener received all events, in order, and at most one of them twice; and that the log agrees.
    pub(super) async fn check(&self, log: &DeliveryLog, case: &str) {
        let changes = self.changes();
        let own = |job: &Job| CloudEvent::from_job(job, "");
        let all = changes.iter().filter(|job| self.scope.includes(job.status));
        let webhook: Vec<_> = all.clone().map(own).collect();
        let end = changes.last().expect("an end");
        let mut replies = CloudEvent::published(end, "");
        let bus: Vec<_> = all
            .flat_map(|job| {
                let published = if job.version == end.version {
                    replies.clone()
                } else {
                    vec![]
                };
                published.into_iter().chain([own(job)])
            })
            .collect();
        replies.push(own(end));
        let posted = self.webhook.lock().expect("no receiver panics").clone();
        assert_eq!(first_of_each(&posted), webhook, "webhook, {case}");
        let put = self.bus.lock().expect("no receiver panics").clone();
        assert_eq!(first_of_each(&put), bus, "bus, {case}");
        let received = self.replied().await;
        assert_eq!(first_of_each(&received), replies, "replies, {case}");

        let ids: Vec<_> = log.deliveries.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids.len(), webhook.len() + replies.len(), "{ids:?}, {case}");
        for delivery in &log.deliveries {
            let (heard, status) = match delivery.kind {
                DeliveryKind::Webhook => (&posted, Some(200)),
                DeliveryKind::Reply => (&received, None),
            };
            let version = delivery.version.to_string();
            let heard = heard.iter().filter(|event| event.sequence == version);
            let last = delivery.attempts.last().expect("an attempt");
            let what = format!("{delivery:?}, {case}");
            assert_eq!(delivery.state, DeliveryState::Delivered, "{what}");
            assert_eq!((last.status, &last.error), (status, &None), "{what}");
            // One fault: it fails an attempt, or its record.
            let attempts = delivery.attempts.len();
            assert!((1..=2).contains(&attempts) && heard.count() >= 1, "{what}");
        }
    }

    /// Removes the queues. Returns true if the fault was injected.
    pub(super) async fn leave(self, ground: &Ground) -> bool {
        queue::remove(&ground.open, &self.deliveries).await;
        queue::remove(&ground.open, &self.replies).await;
        self.injector.has_fired()
    }

    fn changes(&self) -> Vec<Job> {
        self.stream.lock().expect("no observer panics").clone()
    }

    async fn log(&self, job: &Job) -> DeliveryLog {
        let publisher = Publisher {
            deliveries: Arc::new(self.store.clone()),
            ..self.publisher.clone()
        };
        publisher.deliveries(job).await.expect("read")
    }

    /// Returns the replies in their queue.
    async fn replied(&self) -> Vec<CloudEvent> {
        let heard = Heard::default();
        loop {
            let received = self.replies.queue.receive(10, Duration::ZERO).await;
            let received = received.expect("receive");
            if received.is_empty() {
                break;
            }
            for reply in received {
                hear(&heard, reply.body.as_bytes());
                self.replies
                    .queue
                    .delete(&reply.receipt)
                    .await
                    .expect("delete");
            }
        }
        let heard = heard.lock().expect("nothing panics");
        heard.clone()
    }
}

/// A port whose calls may have a fault.
struct Faulty<T> {
    port: T,
    injector: FaultInjector,
}

impl<T> Faulty<T> {
    fn new(port: T, injector: &FaultInjector) -> Self {
        Self {
            port,
            injector: injector.clone(),
        }
    }
}

#[async_trait]
impl WebhookSender for Faulty<Webhooks> {
    async fn post(&self, url: &str, headers: &[(&str, &str)], body: Bytes) -> Result<u16, String> {
        let post = WebhookSender::post(&self.port, url, headers, body);
        self.injector.around(post, || "no response".into()).await
    }
}

#[async_trait]
impl KeyStore for Faulty<DeploymentKeys> {
    async fn keys(&self) -> Result<Arc<DeploymentKeys>, PortError> {
        let keys = async { Ok(Arc::new(self.port.clone())) };
        let unavailable = || PortError::Unavailable {
            service: "the secret",
            reason: "this call has an injected fault".into(),
        };
        self.injector.around(keys, unavailable).await
    }
}

/// Builds the functions with clients that may have a fault, and the URL of the queue of deliveries and of the reply queues.
fn functions(
    room: &Room<'_>,
    injector: &FaultInjector,
    faulty: &Clients,
    (deliveries, replies): (&str, BTreeMap<ReplyQueue, String>),
) -> (Publisher, Deliver) {
    let ground = room.ground;
    let queue = Arc::new(SqsQueue::new(faulty, deliveries));
    let records = Arc::new(DynamoStore::new(faulty, &ground.name));
    let publisher = Publisher {
        host: room.clock.clone(),
        deliveries: records.clone(),
        queue: queue.clone(),
        bus: Some(Arc::new(EventBridgeBus::new(faulty, "a-bus"))),
        base_path: String::new(),
    };
    let deliver = Deliver {
        host: room.clock.clone(),
        deliveries: records,
        queue,
        webhooks: Arc::new(Faulty::new(ground.webhooks.clone(), injector)),
        replies: Arc::new(SqsReplies::new(faulty, replies, &ground.name)),
        keys: Arc::new(Faulty::new(DeploymentKeys::new([1, 2]), injector)),
        objects: Arc::new(S3Objects::new(faulty, &ground.name)),
    };
    (publisher, deliver)
}

/// Starts a receiver of webhooks. Returns its URL.
async fn receiver(heard: &Heard) -> String {
    let heard = heard.clone();
    let receive = async move |event: Bytes| hear(&heard, &event);
    event_bridge::serve(Router::new().route("/", post(receive))).await
}

/// Records the changes of a room's jobs, as the table's stream does.
fn streamed(room: &mut Room<'_>, store: &DynamoStore) -> Arc<Mutex<Vec<Job>>> {
    let stream = Arc::new(Mutex::new(vec![]));
    let records = stream.clone();
    let record = move |job| records.lock().expect("no observer panics").push(job);
    let store = ObservedStore::new(
        Arc::new(store.clone()),
        Changes::default(),
        Arc::new(record),
    );
    let store: Arc<dyn JobStore> = Arc::new(store);
    room.submit.shared.store = store.clone();
    room.worker.shared.store = store;
    stream
}

fn hear(heard: &Heard, event: &[u8]) {
    let event = serde_json::from_slice(event).expect("an event");
    heard.lock().expect("no receiver panics").push(event);
}

/// Returns the events without those that were received before.
fn first_of_each(events: &[CloudEvent]) -> Vec<CloudEvent> {
    let is_first = |&at: &usize| !events[..at].contains(&events[at]);
    (0..events.len())
        .filter(is_first)
        .map(|at| events[at].clone())
        .collect()
}

fn is_over(delivery: &Delivery) -> bool {
    delivery.state != DeliveryState::Pending
}

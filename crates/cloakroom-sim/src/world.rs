//! State of the simulation: table, queues, objects, dead letters and stream, and observations of them. A lock protects
//! it, although only one thread uses it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::delivery::Delivery;
use cloakroom_app::envelope::Envelope;
use cloakroom_app::ports::{PartsRecord, StoredDeliveries};
use cloakroom_core::transition::{OUTAGE, SLACK};
use cloakroom_core::{Digest, Isolation, Job, JobId, JobKey, Tenant, Timestamp, UploadId};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::invariant::{Life, Watch};
use crate::plan::{Dice, Plan, Service, Trouble};

/// Visibility timeout of commands.
pub const VISIBILITY: Duration = Duration::from_secs(180);

/// Maximum receive count of a command, before it becomes a dead letter.
pub const MAX_RECEIVE_COUNT: u32 = 6;

/// Maximum time until a command becomes a dead letter.
pub const CYCLE: Duration = Duration::from_secs(180 * 6);

/// Delay after which the table deletes an expired record.
const DELETED_LATE: Duration = Duration::from_secs(1200);

/// Start time of the simulation: 2026-11-21T08:00:00Z.
const EPOCH: Timestamp = Timestamp::from_seconds(1_795_248_000);

/// Queue of the simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Commands.
    Commands,
    /// Dead letters of commands.
    DeadLetters,
    /// The sweeper's lists.
    Lists,
    /// Deliveries of events.
    Deliveries,
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) visible_at: Instant,
    pub(crate) sent_at: Timestamp,
    /// True if the message was delayed far longer than it should be, and counts as lost.
    pub(crate) held: bool,
    receipt: u64,
    pub(crate) receive_count: u32,
}

/// An object.
#[derive(Debug, Clone)]
pub struct Object {
    pub(crate) bytes: Bytes,
    pub(crate) put_at: Timestamp,
    digest: OnceLock<Digest>,
}

impl Object {
    /// Returns the SHA-256 of the content. It is computed once, because clients check results at each poll.
    pub(crate) fn digest(&self) -> &Digest {
        self.digest
            .get_or_init(|| Digest::from_content(&self.bytes))
    }
}

/// The simulated environment.
#[derive(Debug)]
pub struct World {
    pub(crate) plan: Plan,
    begun: Instant,
    state: Mutex<State>,
    moved: Notify,
    broken: CancellationToken,
}

/// State of the environment.
#[derive(Debug)]
pub struct State {
    pub(crate) jobs: BTreeMap<JobKey, Job>,
    pub(crate) objects: BTreeMap<String, Object>,
    /// Job of each upload, with the time until which it is recorded.
    pub(crate) uploads: BTreeMap<(Tenant, UploadId), (JobId, Timestamp)>,
    /// Records of multipart uploads.
    pub(crate) records: BTreeMap<(Tenant, UploadId), PartsRecord>,
    /// Parts of incomplete objects.
    pub(crate) unfinished: BTreeMap<String, BTreeMap<u32, Bytes>>,
    pub(crate) dead_letters: BTreeMap<String, String>,
    pub(crate) stream: VecDeque<JobKey>,
    /// Changes of jobs with listeners that are not published yet.
    pub(crate) changes: VecDeque<Job>,
    /// Records of deliveries.
    pub(crate) deliveries: BTreeMap<Life, StoredDeliveries>,
    /// Number of times that each event was posted.
    pub(crate) tries: BTreeMap<String, u32>,
    queues: BTreeMap<Lane, Vec<Message>>,
    numbers: u64,
    calls: u64,
    dice: Dice,
    pub(crate) watch: Watch,
    story: Vec<String>,
}

impl World {
    /// Creates an empty world. Requires tokio's time to be paused.
    pub fn new(plan: Plan) -> Arc<Self> {
        let state = State {
            jobs: BTreeMap::new(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            records: BTreeMap::new(),
            unfinished: BTreeMap::new(),
            dead_letters: BTreeMap::new(),
            stream: VecDeque::new(),
            changes: VecDeque::new(),
            deliveries: BTreeMap::new(),
            tries: BTreeMap::new(),
            queues: BTreeMap::new(),
            numbers: 0,
            calls: 0,
            dice: Dice::new(plan.seed, 3),
            watch: Watch::default(),
            story: Vec::new(),
        };
        Arc::new(Self {
            plan,
            begun: Instant::now(),
            state: Mutex::new(state),
            moved: Notify::new(),
            broken: CancellationToken::new(),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no simulation panics while it holds the world")
    }

    /// Returns the correct time.
    pub fn now(&self) -> Timestamp {
        EPOCH.after(self.begun.elapsed())
    }

    /// Returns the time since the start.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Returns the current number of faults per thousand calls.
    pub(crate) fn rate(&self) -> u64 {
        if self.begun.elapsed() < self.plan.trouble() {
            self.plan.rate()
        } else {
            0
        }
    }

    /// Returns the number of the next call, and its fault.
    pub(crate) fn next_call(&self, service: Service) -> (u64, Trouble) {
        let (rate, age) = (self.rate(), self.age());
        let mut state = self.state();
        state.calls += 1;
        let n = state.calls;
        (
            n,
            self.plan
                .in_outage(service, age, n)
                .unwrap_or_else(|| self.plan.at(n, rate)),
        )
    }

    /// Returns the number of calls.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Adds a line to the story, if it is recorded.
    pub(crate) fn tell(&self, line: impl FnOnce() -> String) {
        if self.plan.tell {
            let at = self.begun.elapsed().as_secs_f64();
            let line = format!("{at:10.3}  {}", line());
            self.state().story.push(line);
        }
    }

    /// Returns the story so far.
    pub fn story(&self) -> Vec<String> {
        self.state().story.clone()
    }

    /// Returns the first violation of an invariant.
    pub fn violation(&self) -> Option<String> {
        self.state().watch.violation.clone()
    }

    /// Deletes records some time after their expiry, like the table, and objects after their lifetime, like the bucket.
    pub(crate) fn delete_expired(&self, objects_life: Duration) {
        let now = self.now();
        let mut state = self.state();
        state
            .jobs
            .retain(|_, job| job.expires_at.after(DELETED_LATE) > now);
        state
            .uploads
            .retain(|_, (_, until)| until.after(DELETED_LATE) > now);
        state
            .records
            .retain(|_, upload| upload.expires_at.after(DELETED_LATE) > now);
        state
            .objects
            .retain(|_, object| object.put_at.after(objects_life) > now);
    }

    /// Wakes all tasks that wait for messages or changes.
    pub(crate) fn stir(&self) {
        self.moved.notify_waiters();
        if self.violation().is_some() {
            self.broken.cancel();
        }
    }

    /// Waits for a change that is not published yet.
    pub(crate) async fn changed(&self) {
        loop {
            let moved = self.moved.notified();
            if !self.state().changes.is_empty() {
                return;
            }
            moved.await;
        }
    }

    /// Resolves after an invariant was violated.
    pub(crate) async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Returns a unique number.
    pub(crate) fn number(&self) -> u64 {
        let mut state = self.state();
        state.numbers += 1;
        state.numbers
    }

    /// Waits for visible messages, and returns some of them in random order. Hides them for `visibility`.
    pub(crate) async fn receive(
        &self,
        lane: Lane,
        most: usize,
        visibility: Duration,
    ) -> Vec<Delivery> {
        loop {
            // No queue delivers messages while it is unavailable.
            if let Some(outage) = self.plan.outage().filter(|it| it.service == Service::Queue)
                && (outage.from..outage.to).contains(&self.age())
            {
                sleep_until(self.begun + outage.to).await;
            }
            let moved = self.moved.notified();
            let (received, next) = self.try_receive(lane, most, visibility);
            if !received.is_empty() {
                return received;
            }
            match next {
                Some(at) => tokio::select! { biased; () = moved => {}, () = sleep_until(at) => {} },
                None => moved.await,
            }
        }
    }

    fn try_receive(
        &self,
        lane: Lane,
        most: usize,
        visibility: Duration,
    ) -> (Vec<Delivery>, Option<Instant>) {
        let twice = self.rate();
        let now = Instant::now();
        let mut guard = self.state();
        let state = &mut *guard;
        let messages = state.queues.entry(lane).or_default();
        let mut received = vec![];
        let mut dead = vec![];
        let mut copies = vec![];
        while received.len() < most {
            let visible: Vec<_> = (0..messages.len())
                .filter(|&at| messages[at].visible_at <= now)
                .collect();
            if visible.is_empty() {
                break;
            }
            let at = visible[usize::try_from(state.dice.below(visible.len() as u64)).unwrap_or(0)];
            if lane == Lane::Commands && messages[at].receive_count >= MAX_RECEIVE_COUNT {
                dead.push(messages.remove(at));
                continue;
            }
            state.numbers += 1;
            let message = &mut messages[at];
            message.receive_count += 1;
            message.receipt = state.numbers;
            // Delivery is at least once: sometimes another receiver gets the message, too, a moment later. And
            // sometimes a message is delayed far longer than it should be.
            let drawn = state.dice.below(2000);
            let commands = lane == Lane::Commands;
            let returns = commands && self.plan.late() && (600..1200).contains(&drawn);
            let held = commands && (twice / 2..twice).contains(&drawn) || returns;
            message.held |= held;
            let hidden = match if returns { 1 } else { state.dice.below(3) } {
                _ if drawn < twice / 2 => Duration::from_millis(1),
                _ if !held => visibility,
                0 => state.dice.millis(60_000, 14_400_000),
                // Until about the time of the sweeper.
                1 => CYCLE + OUTAGE + SLACK + state.dice.millis(0, 10_000),
                // Until another incarnation may use the job's id.
                _ => state.dice.millis(8_400_000, 12_600_000),
            };
            if commands && self.plan.late() && drawn < 600 {
                // A copy, delayed until another incarnation may use the job's id. Deleting this message does not affect
                // it.
                let visible_at = now + state.dice.millis(8_400_000, 12_600_000);
                copies.push(Message {
                    held: true,
                    visible_at,
                    receipt: 0,
                    ..message.clone()
                });
            }
            message.visible_at = now + hidden;
            if returns {
                // The receiver crashed before it got the message.
                continue;
            }
            received.push(Delivery {
                message_id: message.id.clone(),
                receipt: format!("{}/{}", message.id, message.receipt),
                body: message.body.clone(),
                receive_count: message.receive_count,
                producer_message: None,
            });
        }
        messages.extend(copies);
        let next = messages.iter().map(|message| message.visible_at).min();
        if !dead.is_empty() {
            for message in &mut dead {
                message.visible_at = now;
                message.receive_count = 0;
            }
            state
                .queues
                .entry(Lane::DeadLetters)
                .or_default()
                .extend(dead);
            drop(guard);
            self.stir();
        }
        (received, next)
    }

    /// Returns true if a command waits that no worker has received.
    pub(crate) fn backlog(&self) -> bool {
        let now = Instant::now();
        self.state()
            .queues
            .get(&Lane::Commands)
            .is_some_and(|all| all.iter().any(|message| message.visible_at <= now))
    }
}

fn is_of(message: &Message, receipt: &str) -> bool {
    receipt
        .split_once('/')
        .is_some_and(|(id, n)| message.id == id && n.parse() == Ok(message.receipt))
}

impl State {
    pub(crate) fn send(&mut self, lane: Lane, body: String, delay: Duration, sent_at: Timestamp) {
        self.numbers += 1;
        let id = format!("m{}", self.numbers);
        let visible_at = Instant::now() + delay;
        let message = Message {
            id,
            body,
            visible_at,
            sent_at,
            held: false,
            receipt: 0,
            receive_count: 0,
        };
        self.queues.entry(lane).or_default().push(message);
    }

    /// Deletes all messages of a queue.
    pub(crate) fn purge(&mut self, lane: Lane) {
        self.queues.remove(&lane);
    }

    /// Deletes a message by its latest receipt.
    pub(crate) fn delete(&mut self, lane: Lane, receipt: &str) {
        self.queues
            .entry(lane)
            .or_default()
            .retain(|message| !is_of(message, receipt));
    }

    pub(crate) fn hide(&mut self, lane: Lane, receipt: &str, time: Duration) {
        if let Some(message) = self
            .queues
            .entry(lane)
            .or_default()
            .iter_mut()
            .find(|it| is_of(it, receipt))
        {
            message.visible_at = Instant::now() + time;
        }
    }

    /// Checks the handlers that run in this life of a process.
    pub(crate) fn runs(&mut self, process: u64, attempt: &(Life, u32)) {
        let Self { jobs, watch, .. } = self;
        watch.runs(process, attempt, |(key, _)| {
            let lease = jobs.get(key)?.lease.as_ref()?;
            (lease.isolation == Isolation::Alone).then_some(lease.token)
        });
    }

    /// Adds a committed change to the stream of those that concern listeners.
    pub(crate) fn changed(&mut self, job: &Job) {
        let scope = job.events.as_ref().and_then(|events| events.scope());
        if scope.is_some_and(|scope| scope.includes(job.status)) {
            self.watch.committed(job);
            self.changes.push_back(job.clone());
        }
    }

    /// Writes an object. Replaces another one with the same key.
    pub(crate) fn put(&mut self, key: String, bytes: Bytes, put_at: Timestamp) {
        let object = Object {
            bytes,
            put_at,
            digest: OnceLock::new(),
        };
        self.objects.insert(key, object);
    }

    /// Returns the messages in the queue of commands that bring a worker to this job.
    pub(crate) fn commands_of(&self, job: &Job) -> impl Iterator<Item = &Message> {
        let address = Some((job.key(), job.created_at));
        let messages = self
            .queues
            .get(&Lane::Commands)
            .map_or(&[][..], Vec::as_slice)
            .iter();
        messages.filter(move |message| Envelope::address(&message.body) == address)
    }
}

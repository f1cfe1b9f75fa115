//! All ports in memory, with the behaviour of the adapters.

mod deliveries;
mod jobs;
mod objects;
mod parts;
mod queue;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{CloudEvent, Job, JobId, JobKey, ReplyQueue, Tenant, Timestamp, UploadId};
use tokio::time::{Instant, sleep};

use super::trouble::{Fault, Records, Trouble};
use crate::delivery::Delivery;
use crate::intake::ProducerMessage;
use crate::ports::{PartsRecord, PortError, Reply, StoredDeliveries};
pub use deliveries::Posted;

/// Cycle of a queue with a visibility timeout of 6 minutes and a maximum receive count of 10.
pub(super) const CYCLE: Duration = Duration::from_secs(3600);

/// A table, a queue and a store of objects in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    jobs: Records,
    /// Jobs whose records can't be read.
    damaged: HashSet<JobKey>,
    /// Owners of uploads, and the time until which each is known.
    uploads: HashMap<(Tenant, UploadId), (JobId, Timestamp)>,
    objects: HashMap<String, (String, Bytes)>,
    has_checksums: bool,
    /// Keys of the objects whose content no longer matches its checksum.
    corrupted: HashSet<String>,
    records: HashMap<(Tenant, UploadId), PartsRecord>,
    /// Multipart uploads in progress, by the store's id: their key, media type and parts.
    unfinished: HashMap<String, (String, String, BTreeMap<u32, Bytes>)>,
    messages: VecDeque<Message>,
    dead_letters: BTreeMap<String, String>,
    sent: usize,
    sender: Option<Tenant>,
    xray: Option<String>,
    receipts: usize,
    trouble: Trouble,
    most_received: u32,
    links: Vec<Duration>,
    calls: Vec<&'static str>,
    deliveries: HashMap<(JobKey, Timestamp), StoredDeliveries>,
    /// Number of the next writes of deliveries that are rejected.
    contended: u32,
    posted: Vec<Posted>,
    responses: VecDeque<Result<u16, &'static str>>,
    replies: Vec<(ReplyQueue, Reply)>,
    bus: Vec<CloudEvent>,
}

#[derive(Debug)]
struct Message {
    id: String,
    body: String,
    receipt: String,
    visible_at: Instant,
    receive_count: u32,
    from_producer: Option<Box<ProducerMessage>>,
}

impl State {
    fn readable(&self, key: &JobKey) -> Result<(), PortError> {
        let damaged = PortError::Unreadable {
            service: "the memory",
            reason: "the record is damaged".into(),
        };
        if self.damaged.contains(key) {
            Err(damaged)
        } else {
            Ok(())
        }
    }
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0
            .lock()
            .expect("no test panics while it holds the memory")
    }

    /// Lets the next call of this name fail. Several faults are applied in order.
    pub fn fail(&self, call: &'static str, fault: Fault) {
        self.state().trouble.faults.push_back((call, fault));
    }

    /// Lets the n-th call from now (from 0) fail, whatever its name. Reading an object that was opened is a call too.
    pub fn fail_nth(&self, n: usize, fault: Fault) {
        let mut state = self.state();
        state.trouble.fault_at = Some((state.trouble.made + n, fault));
    }

    /// Returns true if so many calls were made that the one of [`Memory::fail_nth`] was among them.
    pub fn has_failed(&self) -> bool {
        let trouble = &self.state().trouble;
        trouble.fault_at.is_some_and(|(n, _)| n < trouble.made)
    }

    /// Applies a concurrent change to the jobs just before the next call of this name, between a use case's read and
    /// its write. Several changes are applied in order.
    pub fn meanwhile(
        &self,
        call: &'static str,
        change: impl FnOnce(&mut Records) + Send + 'static,
    ) {
        self.state()
            .trouble
            .meanwhile
            .push_back((call, Box::new(change)));
    }

    /// Changes the jobs.
    pub fn alter(&self, change: impl FnOnce(&mut Records)) {
        change(&mut self.state().jobs);
    }

    /// Makes the records of a job and of its deliveries unreadable.
    pub fn damage(&self, key: &JobKey) {
        self.state().damaged.insert(key.clone());
    }

    /// Makes every call of this name take this time. `read` and `piece` are reading an object, and storing a piece of one.
    pub fn slow(&self, call: &'static str, time: Duration) {
        self.state().trouble.slow = Some((call, time));
    }

    /// Lets every call of these names fail, until [`calm`](Self::calm).
    pub fn down(&self, calls: &'static [&'static str]) {
        self.state().trouble.down = Some((calls, Fault::Before));
    }

    /// Lets every call of these names be denied, until [`calm`](Self::calm).
    pub fn deny(&self, calls: &'static [&'static str]) {
        self.state().trouble.down = Some((calls, Fault::Denied));
    }

    /// Returns the highest receive count of all messages.
    pub fn most_received(&self) -> u32 {
        self.state().most_received
    }

    /// Stops all faults and delays.
    pub fn calm(&self) {
        let trouble = &mut self.state().trouble;
        trouble.faults.clear();
        (trouble.down, trouble.slow) = (None, None);
        trouble.fault_at = None;
    }

    /// Returns the lifetimes of the links created since the last call, and clears them.
    pub fn links(&self) -> Vec<Duration> {
        std::mem::take(&mut self.state().links)
    }

    /// Returns the names of the calls made since the last call of this function, and clears them.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().calls)
    }

    /// Receives the next visible message, and hides it for `visibility`.
    pub fn receive(&self, visibility: Duration) -> Option<Delivery> {
        let mut state = self.state();
        state.receipts += 1;
        let receipt = format!("receipt-{}", state.receipts);
        let now = Instant::now();
        let state = &mut *state;
        let message = state
            .messages
            .iter_mut()
            .find(|message| message.visible_at <= now)?;
        message.receipt.clone_from(&receipt);
        message.visible_at = now + visibility;
        message.receive_count += 1;
        state.most_received = state.most_received.max(message.receive_count);
        Some(Delivery {
            message_id: message.id.clone(),
            receipt,
            body: message.body.clone(),
            receive_count: message.receive_count,
            producer_message: message.from_producer.clone(),
        })
    }

    /// Sends a producer's message to the queue. Returns its id.
    pub fn produce(&self, body: &str, producer_message: ProducerMessage) -> String {
        let mut state = self.state();
        state.sent += 1;
        let id = format!("message-{}", state.sent);
        state.messages.push_back(Message {
            id: id.clone(),
            body: body.to_owned(),
            receipt: String::new(),
            visible_at: Instant::now(),
            receive_count: 0,
            from_producer: Some(Box::new(producer_message)),
        });
        id
    }

    /// Returns the stored dead letters, in the order of their keys.
    pub fn dead_letters(&self) -> Vec<(String, String)> {
        self.state()
            .dead_letters
            .iter()
            .map(|(key, body)| (key.clone(), body.clone()))
            .collect()
    }

    /// Deletes a message, if the receipt is its latest one.
    pub fn delete(&self, delivery: &Delivery) {
        self.state()
            .messages
            .retain(|message| message.receipt != delivery.receipt);
    }

    /// Deletes all messages.
    pub fn purge(&self) {
        self.state().messages.clear();
    }

    /// Returns the number of messages, and the time at which the first of them becomes visible.
    pub fn messages(&self) -> (usize, Option<Instant>) {
        let state = self.state();
        (
            state.messages.len(),
            state
                .messages
                .iter()
                .map(|message| message.visible_at)
                .min(),
        )
    }

    /// Returns the trace header that was sent with the last message.
    pub fn xray(&self) -> Option<String> {
        self.state().xray.clone()
    }

    /// Returns the tenant of the last message that was sent.
    pub fn sender(&self) -> Option<Tenant> {
        self.state().sender.clone()
    }

    /// Reports the checksum of every object from now on, as S3 does for clients that send it.
    pub fn keep_checksums(&self) {
        self.state().has_checksums = true;
    }

    /// Returns the job that owns an upload, and the time until which that is known.
    pub fn upload_owner(&self, tenant: &Tenant, upload: UploadId) -> Option<(JobId, Timestamp)> {
        self.state().uploads.get(&(tenant.clone(), upload)).copied()
    }

    /// Damages the content of an object. Readers notice it after the last piece.
    pub fn corrupt(&self, key: &str) {
        self.state().corrupted.insert(key.to_owned());
    }

    /// Deletes an object.
    pub fn lose(&self, key: &str) {
        self.state().objects.remove(key);
    }

    /// Uploads a part as its link would. Returns false if the link is no longer valid.
    pub fn put_part(&self, key: &str, number: u32, bytes: Bytes) -> bool {
        let mut state = self.state();
        let unfinished = state.unfinished.values_mut().find(|(of, ..)| of == key);
        unfinished
            .map(|(_, _, parts)| parts.insert(number, bytes))
            .is_some()
    }

    /// Aborts all multipart uploads in progress.
    pub fn give_up_parts(&self) {
        self.state().unfinished.clear();
    }

    /// Returns the keys of all objects, in order.
    pub fn object_keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.state().objects.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// Returns the keys of all jobs.
    pub fn job_keys(&self) -> Vec<JobKey> {
        self.state().jobs.keys().cloned().collect()
    }

    /// Returns the only job.
    ///
    /// # Panics
    /// If there is not exactly one.
    pub fn only_job(&self) -> Job {
        let state = self.state();
        assert_eq!(state.jobs.len(), 1, "one job");
        state.jobs.values().next().cloned().expect("one job")
    }

    /// Returns the time that a call of this name takes, if that was set.
    fn delay_of(&self, name: &str) -> Option<Duration> {
        let (call, time) = self.state().trouble.slow?;
        (call == name).then_some(time)
    }

    /// Makes a call that reads or writes a record. Concurrent use cases interleave between any two of them, as they do
    /// over a network.
    async fn record<T>(
        &self,
        name: &'static str,
        effect: impl Fn(&mut State) -> T + Send,
    ) -> Result<T, PortError> {
        tokio::task::yield_now().await;
        self.call(name, effect).await
    }

    async fn call<T>(
        &self,
        name: &'static str,
        effect: impl Fn(&mut State) -> T + Send,
    ) -> Result<T, PortError> {
        if let Some(time) = self.delay_of(name) {
            sleep(time).await;
        }
        let mut state = self.state();
        state.calls.push(name);
        if let Some(change) = state.trouble.before(name) {
            change(&mut state.jobs);
        }
        match state.trouble.at(name) {
            Some(Fault::Before) => Err(lost(name)),
            Some(Fault::After) => {
                effect(&mut state);
                Err(lost(name))
            }
            Some(Fault::Twice) => {
                effect(&mut state);
                Ok(effect(&mut state))
            }
            Some(Fault::Denied) => Err(denied(name)),
            Some(Fault::Panic) => {
                drop(state);
                panic!("{name} was made to panic");
            }
            None => Ok(effect(&mut state)),
        }
    }
}

fn lost(name: &str) -> PortError {
    PortError::Unavailable {
        service: "the memory",
        reason: format!("{name} was made to fail"),
    }
}

fn denied(name: &str) -> PortError {
    PortError::Misconfigured {
        service: "the memory",
        reason: format!("{name} was made to be denied"),
    }
}

/// Returns the URL of an object, with an encoded key.
fn url_of(key: &str) -> String {
    let encoded = |name: &str| form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>();
    let path: Vec<_> = key.split('/').map(encoded).collect();
    format!("https://objects.example/{}", path.join("/"))
}

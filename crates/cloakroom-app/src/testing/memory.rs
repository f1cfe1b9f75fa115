//! All ports in memory: what the adapters do, without the services.

mod jobs;
mod objects;
mod parts;
mod queue;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{Job, JobId, JobKey, Tenant, UploadId};
use tokio::time::{Instant, sleep};

use super::trouble::{Fault, Records, Trouble};
use crate::delivery::Delivery;
use crate::intake::ProducerMessage;
use crate::ports::{PartsRecord, PortError};

/// Cycle of a queue whose messages are hidden for 6 minutes and received 10 times.
pub(super) const CYCLE: Duration = Duration::from_secs(3600);

/// A table, a queue and a store of objects.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    jobs: Records,
    /// Jobs whose records can't be read.
    damaged: HashSet<JobKey>,
    uploads: HashMap<(Tenant, UploadId), JobId>,
    objects: HashMap<String, (String, Bytes)>,
    records: HashMap<(Tenant, UploadId), PartsRecord>,
    /// Objects that come in parts, by the store's own name: their key, media type and parts.
    unfinished: HashMap<String, (String, String, BTreeMap<u32, Bytes>)>,
    messages: VecDeque<Message>,
    dead_letters: BTreeMap<String, String>,
    sent: usize,
    xray: Option<String>,
    receipts: usize,
    trouble: Trouble,
    most_received: u32,
    links: Vec<Duration>,
    calls: Vec<&'static str>,
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

    /// Makes the next call of this name go wrong. Several are kept in order.
    pub fn fail(&self, call: &'static str, fault: Fault) {
        self.state().trouble.faults.push_back((call, fault));
    }

    /// Makes the n-th call from now on (from 0), whichever it is, go wrong.
    pub fn fail_nth(&self, n: usize, fault: Fault) {
        let mut state = self.state();
        state.trouble.fault_at = Some((state.trouble.made + n, fault));
    }

    /// Lets another change jobs just before the next call of this name: between what a use case read and what it writes.
    /// Several are kept in order.
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

    /// Makes the record of a job one that can't be read.
    pub fn damage(&self, key: &JobKey) {
        self.state().damaged.insert(key.clone());
    }

    /// Makes every call of this name take so long.
    pub fn slow(&self, call: &'static str, time: Duration) {
        self.state().trouble.slow = Some((call, time));
    }

    /// Makes every call of these names go wrong, until it is [calm](Self::calm).
    pub fn down(&self, calls: &'static [&'static str]) {
        self.state().trouble.down = calls;
    }

    /// Returns how often the message was received that was received most often.
    pub fn most_received(&self) -> u32 {
        self.state().most_received
    }

    /// Makes no more calls go wrong, and none slow.
    pub fn calm(&self) {
        let trouble = &mut self.state().trouble;
        trouble.faults.clear();
        (trouble.down, trouble.slow) = (&[], None);
        trouble.fault_at = None;
    }

    /// The lifetimes of the links that were made since this was asked last.
    pub fn links(&self) -> Vec<Duration> {
        std::mem::take(&mut self.state().links)
    }

    /// The calls that were made since this was asked last, by name.
    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state().calls)
    }

    /// The next visible message, hidden for `visibility` from now on.
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

    /// Puts a producer's message into the queue, as the producer does. Returns its id.
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

    /// Deletes a message, if the receipt is its last one.
    pub fn delete(&self, delivery: &Delivery) {
        self.state()
            .messages
            .retain(|message| message.receipt != delivery.receipt);
    }

    /// Loses all messages.
    pub fn purge(&self) {
        self.state().messages.clear();
    }

    /// How many messages there are, and when the first of them is visible.
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

    /// The trace header that was sent beside the last message.
    pub fn xray(&self) -> Option<String> {
        self.state().xray.clone()
    }

    /// Loses an object.
    pub fn lose(&self, key: &str) {
        self.state().objects.remove(key);
    }

    /// Does what the link of a part takes; `false` when it takes nothing any more.
    pub fn put_part(&self, key: &str, number: u32, bytes: Bytes) -> bool {
        let mut state = self.state();
        let unfinished = state.unfinished.values_mut().find(|(of, ..)| of == key);
        unfinished
            .map(|(_, _, parts)| parts.insert(number, bytes))
            .is_some()
    }

    /// Gives up whatever came in parts and is not finished.
    pub fn give_up_parts(&self) {
        self.state().unfinished.clear();
    }

    /// The keys of all objects, in order.
    pub fn object_keys(&self) -> Vec<String> {
        let mut keys: Vec<_> = self.state().objects.keys().cloned().collect();
        keys.sort();
        keys
    }

    /// The one job there is.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn only_job(&self) -> Job {
        let state = self.state();
        assert_eq!(state.jobs.len(), 1, "one job");
        state.jobs.values().next().cloned().expect("one job")
    }

    async fn call<T>(
        &self,
        name: &'static str,
        effect: impl Fn(&mut State) -> T + Send,
    ) -> Result<T, PortError> {
        let slow = self.state().trouble.slow;
        if let Some((_, time)) = slow.filter(|(call, _)| *call == name) {
            sleep(time).await;
        }
        let mut state = self.state();
        state.calls.push(name);
        if let Some(change) = state.trouble.before(name) {
            change(&mut state.jobs);
        }
        let lost = || PortError::Unavailable {
            service: "the memory",
            reason: format!("{name} was made to fail"),
        };
        match state.trouble.at(name) {
            Some(Fault::Before) => Err(lost()),
            Some(Fault::After) => {
                effect(&mut state);
                Err(lost())
            }
            Some(Fault::Twice) => {
                effect(&mut state);
                Ok(effect(&mut state))
            }
            Some(Fault::Panic) => {
                drop(state);
                panic!("{name} was made to panic");
            }
            None => Ok(effect(&mut state)),
        }
    }
}

/// Returns the URL of an object, with its key encoded.
fn url_of(key: &str) -> String {
    let encoded = |name: &str| form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>();
    let path: Vec<_> = key.split('/').map(encoded).collect();
    format!("https://objects.example/{}", path.join("/"))
}

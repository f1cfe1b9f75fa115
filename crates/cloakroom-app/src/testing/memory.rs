//! All ports in memory: what the adapters do, without the services.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_core::{Digest, Job, JobId, JobKey, Tenant, Timestamp, Transition, UploadId};
use futures::stream::BoxStream;
use tokio::time::{Instant, sleep};

use super::trouble::{Fault, Records, Trouble};
use crate::intake::ProducerMessage;
use crate::ports::{
    Acceptance, Change, DeadLetterStore, FetchedPayload, JobStore, LONGEST_DELAY, ObjectInfo,
    ObjectReader, Objects, Part, PartTerms, PartsRecord, PortError, ProducerPayloads, Queue,
    QueueState, ReadError, SourceAborted, UploadLink, UploadTerms,
};
use crate::work::Delivery;

/// The longest that a message is hidden for: 12 hours, as a queue on SQS.
const LONGEST_HIDE: Duration = Duration::from_secs(43_200);

/// As a queue whose messages are hidden for 6 minutes and received 10 times.
pub(super) const CYCLE: Duration = Duration::from_secs(3600);

/// Number of keys of dead letters on a page.
const PAGE: usize = 3;

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
    producer_message: Option<Box<ProducerMessage>>,
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
            producer_message: message.producer_message.clone(),
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
            producer_message: Some(Box::new(producer_message)),
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

#[async_trait]
impl JobStore for Memory {
    async fn accept(&self, job: &Job) -> Result<Acceptance, PortError> {
        self.call("accept", |state| match state.jobs.get(&job.key()) {
            Some(existing) if existing.is_alive(job.created_at) => {
                Acceptance::Exists(Box::new(existing.clone()))
            }
            _ => {
                state.jobs.insert(job.key(), job.clone());
                Acceptance::Created
            }
        })
        .await
    }

    async fn change(&self, key: &JobKey, transition: &Transition) -> Result<Change, PortError> {
        self.call("change", |state| {
            state.readable(key)?;
            let found = state.jobs.get(key).cloned();
            Ok(match found.as_ref().and_then(|job| transition.apply(job)) {
                Some(job) => {
                    state.jobs.insert(key.clone(), job.clone());
                    Change::Made(Box::new(job))
                }
                None => Change::Refused(found.map(Box::new)),
            })
        })
        .await?
    }

    async fn load(&self, key: &JobKey) -> Result<Option<Job>, PortError> {
        self.call("load", |state| {
            state.readable(key)?;
            Ok(state.jobs.get(key).cloned())
        })
        .await?
    }

    async fn take_upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
        job: JobId,
        _until: Timestamp,
    ) -> Result<bool, PortError> {
        self.call("take_upload", |state| {
            *state.uploads.entry((tenant.clone(), upload)).or_insert(job) == job
        })
        .await
    }

    async fn keep_upload(&self, upload: &PartsRecord) -> Result<(), PortError> {
        self.call("keep_upload", |state| {
            state
                .records
                .insert((upload.tenant.clone(), upload.id), upload.clone());
        })
        .await
    }

    async fn upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
    ) -> Result<Option<PartsRecord>, PortError> {
        self.call("upload", |state| {
            state.records.get(&(tenant.clone(), upload)).cloned()
        })
        .await
    }
}

#[async_trait]
impl Queue for Memory {
    async fn send(
        &self,
        _tenant: &Tenant,
        body: String,
        delay: Duration,
        xray: Option<&str>,
    ) -> Result<(), PortError> {
        // As SQS: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
        let legal =
            |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
        if !body.chars().all(legal) {
            let reason = "a message has a character that none may have".into();
            return Err(PortError::Misconfigured {
                service: "the memory",
                reason,
            });
        }
        self.call("send", |state| {
            state.sent += 1;
            state.xray = xray.map(ToOwned::to_owned);
            let message = Message {
                id: format!("message-{}", state.sent),
                body: body.clone(),
                receipt: String::new(),
                visible_at: Instant::now() + delay.min(LONGEST_DELAY),
                receive_count: 0,
                producer_message: None,
            };
            state.messages.push_back(message);
        })
        .await
    }

    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError> {
        self.call("hide", |state| {
            if let Some(message) = state
                .messages
                .iter_mut()
                .find(|message| message.receipt == receipt)
            {
                let seconds = time.min(LONGEST_HIDE).as_millis().div_ceil(1000);
                message.visible_at =
                    Instant::now() + Duration::from_secs(seconds.try_into().unwrap_or(u64::MAX));
            }
        })
        .await
    }

    async fn state(&self) -> Result<QueueState, PortError> {
        self.call("state", |state| {
            let now = Instant::now();
            QueueState {
                backlog: state
                    .messages
                    .iter()
                    .any(|message| message.visible_at <= now),
                cycle: CYCLE,
            }
        })
        .await
    }
}

#[async_trait]
impl DeadLetterStore for Memory {
    async fn store(&self, key: &str, body: &str) -> Result<(), PortError> {
        self.call("store", |state| {
            state.dead_letters.insert(key.to_owned(), body.to_owned());
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError> {
        self.call("list", |state| {
            let all = state
                .dead_letters
                .keys()
                .filter(|key| key.starts_with(prefix));
            all.filter(|key| after.is_none_or(|after| key.as_str() > after))
                .take(PAGE)
                .cloned()
                .collect()
        })
        .await
    }

    async fn read(&self, key: &str) -> Result<Option<String>, PortError> {
        self.call("read", |state| state.dead_letters.get(key).cloned())
            .await
    }

    async fn remove(&self, key: &str) -> Result<(), PortError> {
        self.call("remove", |state| {
            state.dead_letters.remove(key);
        })
        .await
    }
}

/// An object of another bucket is one whose key begins with it.
#[async_trait]
impl ProducerPayloads for Memory {
    async fn fetch(
        &self,
        bucket: &str,
        key: &str,
        limit: u64,
    ) -> Result<FetchedPayload, PortError> {
        self.call("fetch", |state| {
            match state.objects.get(&format!("{bucket}/{key}")) {
                Some((_, bytes)) if bytes.len() as u64 > limit => {
                    FetchedPayload::TooLarge(bytes.len() as u64)
                }
                Some((_, bytes)) => FetchedPayload::Whole(bytes.clone()),
                None => FetchedPayload::Gone,
            }
        })
        .await
    }
}

fn etag(bytes: &Bytes) -> String {
    format!("\"{}\"", Digest::of(bytes))
}

#[async_trait]
impl Objects for Memory {
    async fn put(&self, key: &str, content_type: &str, bytes: Bytes) -> Result<(), PortError> {
        self.call("put", |state| {
            state
                .objects
                .insert(key.to_owned(), (content_type.to_owned(), bytes.clone()));
        })
        .await
    }

    async fn put_pieces(
        &self,
        key: &str,
        content_type: &str,
        pieces: BoxStream<'static, Result<Bytes, SourceAborted>>,
    ) -> Result<bool, PortError> {
        super::put_whole(self, key, content_type, pieces).await
    }

    async fn open(&self, key: &str) -> Result<Option<ObjectReader>, PortError> {
        let bytes = self
            .call("open", |state| {
                state.objects.get(key).map(|(_, bytes)| bytes.clone())
            })
            .await?;
        Ok(bytes.map(ObjectReader::from_bytes))
    }

    /// A call of its own name, which tells what an object was opened for.
    async fn digest(&self, key: &str) -> Result<Option<Digest>, ReadError> {
        Ok(self
            .call("digest", |state| {
                state.objects.get(key).map(|(_, bytes)| Digest::of(bytes))
            })
            .await?)
    }

    async fn info(&self, key: &str) -> Result<Option<ObjectInfo>, PortError> {
        self.call("info", |state| {
            let (content_type, bytes) = state.objects.get(key)?;
            let (content_type, etag) = (content_type.clone(), etag(bytes));
            Some(ObjectInfo {
                content_type,
                length: bytes.len() as u64,
                sha256: None,
                etag,
            })
        })
        .await
    }

    async fn copy(&self, from: &str, info: &ObjectInfo, to: &str) -> Result<bool, PortError> {
        self.call("copy", |state| {
            let object = state
                .objects
                .get(from)
                .filter(|(_, bytes)| etag(bytes) == info.etag)
                .cloned();
            object
                .map(|object| state.objects.insert(to.to_owned(), object))
                .is_some()
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.call("delete", |state| {
            state.objects.remove(key);
        })
        .await
    }

    async fn link(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        self.state().links.push(valid);
        Ok(url_of(key))
    }

    async fn upload_link(
        &self,
        key: &str,
        terms: &UploadTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError> {
        self.state().links.push(valid);
        let headers = vec![
            ("content-type".into(), terms.content_type.clone()),
            ("content-length".into(), terms.length.to_string()),
        ];
        Ok(UploadLink {
            url: url_of(key),
            headers,
        })
    }
    async fn begin_parts(&self, key: &str, terms: &UploadTerms) -> Result<String, PortError> {
        self.call("begin_parts", |state| {
            let store_id = format!("store-{}", state.trouble.made);
            state.unfinished.insert(
                store_id.clone(),
                (key.to_owned(), terms.content_type.clone(), BTreeMap::new()),
            );
            store_id
        })
        .await
    }

    async fn part_link(
        &self,
        key: &str,
        store_id: &str,
        part: PartTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError> {
        self.state().links.push(valid);
        let headers = vec![("content-length".into(), part.length.to_string())];
        Ok(UploadLink {
            url: format!("{}?of={store_id}&part={}", url_of(key), part.number),
            headers,
        })
    }

    async fn parts(
        &self,
        key: &str,
        store_id: &str,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<Part>>, PortError> {
        self.call("parts", |state| {
            let (_, _, parts) = state
                .unfinished
                .get(store_id)
                .filter(|(of, ..)| of == key)?;
            let asked = parts.iter().filter(|(number, _)| numbers.contains(number));
            Some(asked.map(|(number, bytes)| part(*number, bytes)).collect())
        })
        .await
    }

    async fn join_parts(
        &self,
        key: &str,
        store_id: &str,
        parts: &[Part],
    ) -> Result<bool, PortError> {
        self.call("join_parts", |state| {
            let Some((_, content_type, there)) =
                state.unfinished.get(store_id).filter(|(of, ..)| of == key)
            else {
                return false;
            };
            let same = |asked: &Part| {
                there
                    .get(&asked.number)
                    .is_some_and(|bytes| part(asked.number, bytes) == *asked)
            };
            if !parts.iter().all(same) {
                return false;
            }
            let bytes: Vec<_> = parts
                .iter()
                .flat_map(|part| there[&part.number].clone())
                .collect();
            let object = (content_type.clone(), Bytes::from(bytes));
            state.objects.insert(key.to_owned(), object);
            state.unfinished.remove(store_id);
            true
        })
        .await
    }
}

fn part(number: u32, bytes: &Bytes) -> Part {
    Part {
        number,
        length: bytes.len() as u64,
        etag: Digest::of(bytes).to_string(),
    }
}

/// Encoded, so that it is a URL whatever the key.
fn url_of(key: &str) -> String {
    let encoded = |name: &str| form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>();
    let path: Vec<_> = key.split('/').map(encoded).collect();
    format!("https://objects.example/{}", path.join("/"))
}

//! What the use cases need of the world. Coarse: one call is one conditional write, one message, one object.
//!
//! Error policy: a port fails with [`PortError`], which says whether the effect may have happened. The adapter's own
//! text is for the log alone; a client is told "temporarily unavailable", and to ask again.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use cloakroom_core::{Digest, Job, JobId, JobKey, Tenant, Timestamp, Transition, UploadId};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _};

use crate::body::BodyHead;

/// A port that did not do what it was asked, or did and could not say so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Throttled, or away, or no answer in time: the effect may have happened. Ask again.
    #[error("reach {service}: {reason}")]
    Unavailable {
        /// Which service.
        service: &'static str,
        /// Its own words: for the log alone.
        reason: String,
    },
    /// Refused for what it is: a missing permission, table, queue or bucket. An operator has to mend it.
    #[error("use {service} as it is set up: {reason}")]
    Misconfigured {
        /// Which service.
        service: &'static str,
        /// Its own words: for the log alone.
        reason: String,
    },
    /// A record that this code can't read: damaged, or written by later code. Retrying does not help; other records are fine.
    #[error("read a record of {service}: {reason}")]
    Unreadable {
        /// Which service.
        service: &'static str,
        /// Details for the log alone.
        reason: String,
    },
}

/// What came of asking to record a new job.
#[derive(Debug, Clone, PartialEq)]
pub enum Acceptance {
    /// It is recorded.
    Created,
    /// A live job of this id is there already, and stays as it is.
    Exists(Box<Job>),
}

/// What came of a conditional write.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The guard held: the record as it is now.
    Made(Box<Job>),
    /// It did not: the record as it is, if there is one. It may be an expired one.
    Refused(Option<Box<Job>>),
}

/// The table of jobs.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Records a job unless a live one (at `job.created_at`) of its id is there: one conditional write.
    async fn accept(&self, job: &Job) -> Result<Acceptance, PortError>;

    /// Makes a change if its guard holds: one conditional write.
    async fn change(&self, key: &JobKey, transition: &Transition) -> Result<Change, PortError>;

    /// As [`change`](Self::change), for who needs not know what the record then is: of a change that was made this tells what it
    /// makes of the job as it was `seen`. What others changed meanwhile, and the guard let pass, is not in that.
    async fn change_unseen(
        &self,
        seen: &Job,
        transition: &Transition,
    ) -> Result<Change, PortError> {
        self.change(&seen.key(), transition).await
    }

    /// The record as it is, expired or not: one strongly consistent read.
    async fn load(&self, key: &JobKey) -> Result<Option<Job>, PortError>;

    /// Gives an upload to a job, unless another has it: one conditional write. Whether this job has it now.
    async fn take_upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
        job: JobId,
        until: Timestamp,
    ) -> Result<bool, PortError>;

    /// Keeps what must be known of an upload in parts until a command names it: one write.
    async fn keep_upload(&self, upload: &PartsRecord) -> Result<(), PortError>;

    /// What was kept of an upload in parts, over or not: one strongly consistent read.
    async fn upload(
        &self,
        tenant: &Tenant,
        upload: UploadId,
    ) -> Result<Option<PartsRecord>, PortError>;
}

/// What must be known of an upload in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsRecord {
    /// Whose it is.
    pub tenant: Tenant,
    /// What the command names it by.
    pub id: UploadId,
    /// What the store of objects names it by, while it is unfinished.
    pub store_id: String,
    /// What it must be.
    pub terms: UploadTerms,
    /// How many bytes each part has, but the last, which has the rest.
    pub part_length: u64,
    /// The digest in the fingerprint of the job that has it, where the client did not say it. The bytes may be gone by then.
    pub digest: Option<Digest>,
    /// When it may be forgotten.
    pub expires_at: Timestamp,
}

impl PartsRecord {
    /// Digest in the fingerprint of its job, as far as it is known without the bytes.
    pub(crate) fn known_digest(&self) -> Option<Digest> {
        self.digest.or(self.terms.sha256)
    }
}

/// The longest that the queue itself holds a message back before it is handed out: 15 minutes.
pub const LONGEST_DELAY: Duration = Duration::from_secs(900);

/// What is known of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueState {
    /// Whether messages wait that no worker has yet; approximate.
    pub backlog: bool,
    /// The longest that a message comes back in vain before it is among the dead letters: so many receipts, each hidden for
    /// the visibility timeout.
    pub cycle: Duration,
}

/// The queue of messages.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a message, to be handed out after `delay`; perhaps earlier, where that is more than [`LONGEST_DELAY`]: a message
    /// that comes before its job is ready is hidden until then. The tenant is the fairness group;
    /// `xray` is the trace header that goes along beside the message, where the request came with one.
    async fn send(
        &self,
        tenant: &Tenant,
        body: String,
        delay: Duration,
        xray: Option<&str>,
    ) -> Result<(), PortError>;

    /// Hides a received message for so long from now (whole seconds, rounded up), whatever it was hidden for before.
    async fn hide(&self, receipt: &str, time: Duration) -> Result<(), PortError>;

    /// How it is with the queue.
    async fn state(&self) -> Result<QueueState, PortError>;
}

/// Store of dead letters, for an operator to read and to send back.
#[async_trait]
pub trait DeadLetterStore: Send + Sync {
    /// Stores a message, over any other of its key.
    async fn store(&self, key: &str, body: &str) -> Result<(), PortError>;

    /// Lists the keys of stored dead letters with this prefix, in order, after this one.
    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError>;

    /// Reads a stored message.
    async fn read(&self, key: &str) -> Result<Option<String>, PortError>;

    /// Removes a stored message.
    async fn remove(&self, key: &str) -> Result<(), PortError>;
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its media type.
    pub content_type: String,
    /// How many bytes.
    pub length: u64,
    /// Their SHA-256, where the store keeps it.
    pub sha256: Option<Digest>,
    /// What changes whenever the object is written anew with other bytes.
    pub etag: String,
}

/// What an upload must be, all of it bound by the link's signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadTerms {
    /// Its media type.
    pub content_type: String,
    /// How many bytes.
    pub length: u64,
    /// Their SHA-256, where the client said it.
    pub sha256: Option<Digest>,
}

/// A link that takes one upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadLink {
    /// Where to `PUT`.
    pub url: String,
    /// With which headers.
    pub headers: Vec<(String, String)>,
}

/// Why an object could not be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// It may be, at another time.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The store's own checksum disagrees with what it holds.
    #[error("the object is not what was stored")]
    Corrupted,
}

/// The bytes of an object, in pieces of any size.
pub type Pieces = BoxStream<'static, Result<Bytes, ReadError>>;

/// Marks that the source of an object's pieces failed. The source keeps the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceAborted;

/// Reader of an object, piece by piece.
pub struct ObjectReader {
    /// Length in bytes.
    pub length: u64,
    /// Its bytes.
    pub pieces: Pieces,
}

impl ObjectReader {
    /// Returns a reader of bytes that are in memory already.
    pub fn from_bytes(bytes: Bytes) -> Self {
        Self {
            length: bytes.len() as u64,
            pieces: futures::stream::iter([Ok(bytes)]).boxed(),
        }
    }

    /// Reads the whole object into memory.
    pub async fn read_all(self) -> Result<Bytes, ReadError> {
        collect_pieces(self.length, self.pieces).await
    }
}

/// Collects pieces of `length` bytes into one. A single piece is not copied.
pub(crate) async fn collect_pieces<E>(
    length: u64,
    mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Bytes, E> {
    let Some(first) = pieces.try_next().await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = pieces.try_next().await? else {
        return Ok(first);
    };
    let mut bytes = BytesMut::with_capacity(length.try_into().unwrap_or(0));
    bytes.extend_from_slice(&first);
    bytes.extend_from_slice(&second);
    while let Some(piece) = pieces.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

/// The store of large payloads and results.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Writes a whole object, over any other of its key.
    async fn put(&self, key: &str, content_type: &str, bytes: Bytes) -> Result<(), PortError>;

    /// Writes an object of a key that has none as its pieces come, and holds few of them at a time: all of it once they are
    /// over, or nothing. Returns false if the source aborted.
    async fn put_pieces(
        &self,
        key: &str,
        content_type: &str,
        pieces: BoxStream<'static, Result<Bytes, SourceAborted>>,
    ) -> Result<bool, PortError>;

    /// Opens an object for reading, piece by piece; `None` if there is no such object.
    async fn open(&self, key: &str) -> Result<Option<ObjectReader>, PortError>;

    /// Reads a whole object; `None` when there is none.
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ReadError> {
        match self.open(key).await? {
            Some(reader) => reader.read_all().await.map(Some),
            None => Ok(None),
        }
    }

    /// Reads the beginning of an object; `None` if there is no such object. A store that can't read a part of an object reads on
    /// to the end of a piece.
    async fn head(&self, key: &str) -> Result<Option<BodyHead>, ReadError> {
        let Some(ObjectReader { length, mut pieces }) = self.open(key).await? else {
            return Ok(None);
        };
        let mut bytes = BytesMut::new();
        while bytes.len() < BodyHead::LIMIT
            && let Some(piece) = pieces.try_next().await?
        {
            bytes.extend_from_slice(&piece);
        }
        bytes.truncate(BodyHead::LIMIT);
        Ok(Some(BodyHead {
            bytes: bytes.freeze(),
            length,
        }))
    }

    /// What is known of an object; `None` when there is none.
    async fn info(&self, key: &str) -> Result<Option<ObjectInfo>, PortError>;

    /// Digests an object piece by piece; `None` when there is none.
    async fn digest(&self, key: &str) -> Result<Option<Digest>, ReadError> {
        let Some(ObjectReader { mut pieces, .. }) = self.open(key).await? else {
            return Ok(None);
        };
        let mut digest = Digest::builder();
        while let Some(piece) = pieces.try_next().await? {
            digest.update(&piece);
        }
        Ok(Some(digest.finish()))
    }

    /// Copies an object of which this is known; `false` when there is none, or another by now.
    async fn copy(&self, from: &str, info: &ObjectInfo, to: &str) -> Result<bool, PortError>;

    /// Deletes an object, if it is there.
    async fn delete(&self, key: &str) -> Result<(), PortError>;

    /// A link that serves an object for so long. Costs no call.
    async fn link(&self, key: &str, valid: Duration) -> Result<String, PortError>;

    /// A link that takes exactly this upload, for so long. Costs no call.
    async fn upload_link(
        &self,
        key: &str,
        terms: &UploadTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError>;

    /// Begins an object that comes in parts; the store's own name of it. Nothing is at its key until it is put together.
    async fn begin_parts(&self, key: &str, terms: &UploadTerms) -> Result<String, PortError>;

    /// A link that takes exactly this part, for so long. Costs no call.
    async fn part_link(
        &self,
        key: &str,
        store_id: &str,
        part: PartTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError>;

    /// The parts of these numbers that are there, in order; `None` when the object is not unfinished: it was put together, or given
    /// up, or never begun.
    async fn parts(
        &self,
        key: &str,
        store_id: &str,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<Part>>, PortError>;

    /// Puts the parts together, however often it is asked to. `false` when these parts are not there, or not any more: the object
    /// is finished by another then, or can't be.
    async fn join_parts(
        &self,
        key: &str,
        store_id: &str,
        parts: &[Part],
    ) -> Result<bool, PortError>;
}

/// What one part of an object must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartTerms {
    /// Which part, from 1 on.
    pub number: u32,
    /// How many bytes.
    pub length: u64,
}

/// A part that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which part, from 1 on.
    pub number: u32,
    /// How many bytes.
    pub length: u64,
    /// What the store knows its bytes by.
    pub etag: String,
}

/// Outcome of fetching a payload from a producer's bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchedPayload {
    /// The whole payload.
    Whole(Bytes),
    /// No object has this key, or no longer.
    Gone,
    /// Length in bytes of a payload over the limit. None of it was read.
    TooLarge(u64),
}

/// Storage of payloads that are too large for a producer's message.
#[async_trait]
pub trait ProducerPayloads: Send + Sync {
    /// Reads a whole object of at most `limit` bytes.
    async fn fetch(&self, bucket: &str, key: &str, limit: u64)
    -> Result<FetchedPayload, PortError>;
}

/// The keys of objects. A tenant's name may hold anything visible; what could mean something in a key is escaped.
pub mod keys {
    use std::fmt::Write as _;

    use cloakroom_core::{Digest, JobKey, LeaseToken, Tenant, UploadId};

    /// Prefix of the keys of dead letters.
    pub const DEAD_LETTERS: &str = "dead-letters/";

    fn escaped(tenant: &Tenant) -> String {
        let mut text = String::new();
        for byte in tenant.as_str().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {
                    text.push(char::from(byte))
                }
                // Writing to a string does not fail.
                _ => _ = write!(text, "={byte:02x}"),
            }
        }
        text
    }

    fn unescaped(name: &str) -> Option<Tenant> {
        let mut parts = name.split('=');
        let mut text = parts.next()?.to_owned();
        for part in parts {
            let byte = u8::from_str_radix(part.get(..2)?, 16).ok()?;
            text.push(char::from(byte));
            text.push_str(&part[2..]);
        }
        // Only what was written is read: no two keys are of one tenant.
        text.parse().ok().filter(|tenant| escaped(tenant) == name)
    }

    /// Prefix of the keys of a tenant's dead letters.
    pub fn dead_letters_prefix(tenant: &Tenant) -> String {
        format!("{DEAD_LETTERS}{}/", escaped(tenant))
    }

    /// Key of a dead letter: from its job, if it is known, and the id of its message.
    pub fn dead_letter(job: Option<&JobKey>, message_id: &str) -> String {
        match job {
            Some(job) => format!(
                "{}{}/{message_id}",
                dead_letters_prefix(&job.tenant),
                job.id
            ),
            // No tenant's name is escaped to this.
            None => format!("{DEAD_LETTERS}=/{message_id}"),
        }
    }

    /// Parses the job from the key of a dead letter; `None` if the key names no job.
    pub fn job_of_dead_letter(key: &str) -> Option<JobKey> {
        let mut parts = key.strip_prefix(DEAD_LETTERS)?.split('/');
        let tenant = unescaped(parts.next()?)?;
        Some(JobKey {
            tenant,
            id: parts.next()?.parse().ok()?,
        })
    }

    /// A payload: of its job and its content, so that a retry writes the same bytes to the same place, and another
    /// command under the same client job id can't touch them.
    pub fn payload(job: &JobKey, sha256: &Digest) -> String {
        format!("payloads/{}/{}/{sha256}", escaped(&job.tenant), job.id)
    }

    /// Prefix of the keys of results that are stored for this many days.
    pub fn results_prefix(days: u32) -> String {
        format!("results/{days}d/")
    }

    /// A result that is kept for so many days: of its attempt, so that a worker that lost its lease can't touch what another
    /// one recorded.
    pub fn result(job: &JobKey, token: LeaseToken, days: u32) -> String {
        format!(
            "{}{}/{}/{token}",
            results_prefix(days),
            escaped(&job.tenant),
            job.id
        )
    }

    /// An upload, before a command names it.
    pub fn upload(tenant: &Tenant, upload: UploadId) -> String {
        format!("uploads/{}/{upload}", escaped(tenant))
    }

    /// An upload that comes in parts: beside the payloads, as nothing has to be copied then. No job's id is `uploads`.
    pub fn parts(tenant: &Tenant, upload: UploadId) -> String {
        format!("payloads/{}/uploads/{upload}", escaped(tenant))
    }

    /// Whether it is the key of an upload in parts of this tenant.
    pub fn is_parts(tenant: &Tenant, key: &str) -> bool {
        let upload = key.rsplit_once('/').and_then(|(_, id)| id.parse().ok());
        upload.is_some_and(|upload| parts(tenant, upload) == key)
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::JobKey;
    use uuid::Uuid;

    use super::keys;

    #[test]
    fn the_key_of_a_dead_letter_tells_its_job_whatever_its_tenants_name() {
        for tenant in ["default", "a/b=c", "=", "sha256:0af7", "~!@#$%^&*()"] {
            let job = JobKey {
                tenant: tenant.parse().expect("a name"),
                id: cloakroom_core::JobId::from_uuid(Uuid::from_u128(7)),
            };
            let key = keys::dead_letter(Some(&job), "m-1");
            assert!(
                key.starts_with(&keys::dead_letters_prefix(&job.tenant)),
                "{key}"
            );
            assert_eq!(keys::job_of_dead_letter(&key), Some(job), "{key}");
        }
        for key in [
            keys::dead_letter(None, "m-1").as_str(),
            "dead-letters/",
            "payloads/default/x",
            "dead-letters/a=zz/x/y",
            "dead-letters/a=",
            "dead-letters/a=61/00000000-0000-0000-0000-000000000007/m-1",
            "dead-letters/a=2F/00000000-0000-0000-0000-000000000007/m-1",
            "dead-letters/a=+f/00000000-0000-0000-0000-000000000007/m-1",
        ] {
            assert_eq!(keys::job_of_dead_letter(key), None, "{key}");
        }
    }
}

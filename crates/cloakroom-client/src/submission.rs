//! What is asked for.

use std::path::PathBuf;

use bytes::Bytes;
use cloakroom_core::Timestamp;

use crate::Input;

/// A command with its payload.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The command's type, as in `thumbnail.create`.
    pub command: String,
    /// What the command works on.
    pub payload: Payload,
    /// The parameters of a command whose payload is not JSON. Their order is part of what makes two submissions the same.
    pub query: Vec<(String, String)>,
    /// What tells the service that it has seen this submission before.
    pub key: Key,
    /// When the job may begin, if not at once.
    pub not_before: Option<Timestamp>,
    /// An upload in parts of the same payload that was interrupted, if there is one.
    pub upload: Option<String>,
}

/// What a command works on.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A JSON document.
    Json(serde_json::Value),
    /// Bytes in memory.
    Bytes {
        /// Their media type.
        content_type: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// A file, or anything else that can be opened and read: see [`Input`]. It must not change while it is sent.
    File {
        /// Its media type.
        content_type: String,
        /// Where it is.
        path: PathBuf,
    },
    /// Input that is open.
    Input {
        /// Its media type.
        content_type: String,
        /// The bytes.
        input: Input,
    },
}

/// The idempotency key of a submission: the same key with the same submission is the same job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Key {
    /// A random one for each call of [`send`](crate::Client::send): however often the client asks again within the
    /// call, the work is done once. A second call is a second job.
    #[default]
    Random,
    /// The caller's own id of the job: a second call, by whomever, finds the first one's job.
    Given(String),
    /// None. The client then asks again only where the service can't have accepted the command: when no connection
    /// came about, or at a 429. Any other failure leaves it unknown whether there is a job.
    Without,
}

impl Submission {
    /// A command that takes JSON.
    pub fn json(command: &str, payload: impl Into<serde_json::Value>) -> Self {
        Self::new(command, Payload::Json(payload.into()))
    }

    /// A command that takes another media type, from memory.
    pub fn bytes(command: &str, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self::new(
            command,
            Payload::Bytes {
                content_type: content_type.to_owned(),
                bytes: bytes.into(),
            },
        )
    }

    /// A command that takes what is in a file.
    pub fn file(command: &str, content_type: &str, path: impl Into<PathBuf>) -> Self {
        Self::new(
            command,
            Payload::File {
                content_type: content_type.to_owned(),
                path: path.into(),
            },
        )
    }

    fn new(command: &str, payload: Payload) -> Self {
        let (command, query, key) = (command.to_owned(), Vec::new(), Key::default());
        Self {
            command,
            payload,
            query,
            key,
            not_before: None,
            upload: None,
        }
    }

    /// Adds a parameter to the query string.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Under the caller's own id of the job: 1 to 255 visible ASCII characters.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Key::Given(key.into());
        self
    }

    /// Not to begin before this time, which is at most as far away as jobs of the command are kept: 24 h by default.
    #[must_use]
    pub fn not_before(mut self, time: Timestamp) -> Self {
        self.not_before = Some(time);
        self
    }

    /// With an upload in parts of the same payload that was interrupted: what is there of it is not sent again. One that is not known
    /// any more, or of another length, is begun anew.
    #[must_use]
    pub fn upload(mut self, id: impl Into<String>) -> Self {
        self.upload = Some(id.into());
        self
    }

    /// Without a key: see [`Key::Without`].
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.key = Key::Without;
        self
    }
}

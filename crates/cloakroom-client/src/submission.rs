//! Description of a submission.

use std::path::PathBuf;

use bytes::Bytes;
use cloakroom_core::{Cause, Timestamp};

use crate::Input;

/// A command with its payload.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Type of the command, such as `thumbnail.create`.
    pub command: String,
    /// Input of the command.
    pub payload: Payload,
    /// Parameters of a command whose payload is not JSON. Their order is part of the fingerprint.
    pub query: Vec<(String, String)>,
    /// Idempotency key.
    pub key: Key,
    /// Earliest start of the job.
    pub not_before: Option<Timestamp>,
    /// Id of an interrupted upload in parts of the same payload.
    pub upload: Option<String>,
    /// URL of the caller that receives events of the job.
    pub callback_url: Option<String>,
    /// Events that are sent to `callback_url`. By default, the service sends the terminal one.
    pub callback_events: Option<CallbackEvents>,
    /// Name of the queue that receives the terminal event.
    pub reply_to: Option<String>,
    /// Id that all events of the job carry. By default, it is the id of the job.
    pub correlation_id: Option<String>,
    /// Job whose handler submits the command. Its correlation id is used if there is no other.
    pub cause: Option<Cause>,
}

/// Events that are sent to a callback URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackEvents {
    /// The end of the job.
    Terminal,
    /// Every change of the job.
    All,
}

impl CallbackEvents {
    /// Returns the value of the header `Callback-Events`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::All => "all",
        }
    }
}

/// Input of a command.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A JSON document.
    Json(serde_json::Value),
    /// Bytes in memory.
    Bytes {
        /// Media type of the bytes.
        content_type: String,
        /// The bytes.
        bytes: Bytes,
    },
    /// A file, or anything else that can be opened and read: see [`Input`]. It must not change while it is sent.
    File {
        /// Media type of the file.
        content_type: String,
        /// Path of the file.
        path: PathBuf,
    },
    /// Input that is open.
    Input {
        /// Media type of the input.
        content_type: String,
        /// The bytes.
        input: Input,
    },
}

/// Idempotency key of a submission: the same submission with the same key is the same job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Key {
    /// A random key for each call of [`send`](crate::Client::send). Retries within the call use the same key, so the work is
    /// done once. A second call is a second job.
    #[default]
    Random,
    /// The caller's own id of the job. A second call with this key returns the job of the first one.
    Given(String),
    /// No key. The client then retries only if the service can't have accepted the command: without a connection, or after
    /// a 429. After any other failure it is unknown whether the job exists.
    Without,
}

impl Submission {
    /// Creates a submission of a command that takes JSON.
    pub fn json(command: &str, payload: impl Into<serde_json::Value>) -> Self {
        Self::new(command, Payload::Json(payload.into()))
    }

    /// Creates a submission with another media type, from bytes in memory.
    pub fn bytes(command: &str, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self::new(
            command,
            Payload::Bytes {
                content_type: content_type.to_owned(),
                bytes: bytes.into(),
            },
        )
    }

    /// Creates a submission of a file.
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
            callback_url: None,
            callback_events: None,
            reply_to: None,
            correlation_id: None,
            cause: None,
        }
    }

    /// Adds a parameter to the query string.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Sets the caller's own id of the job: 1 to 255 visible ASCII characters.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Key::Given(key.into());
        self
    }

    /// Sets the time before which the job does not start. It is at most as far away as jobs of the command are stored: 24 h by
    /// default.
    #[must_use]
    pub fn not_before(mut self, time: Timestamp) -> Self {
        self.not_before = Some(time);
        self
    }

    /// Resumes an interrupted upload in parts of the same payload: parts that are stored are not sent again. If the upload is
    /// unknown or has another length, a new one replaces it.
    #[must_use]
    pub fn upload(mut self, id: impl Into<String>) -> Self {
        self.upload = Some(id.into());
        self
    }

    /// Sets the URL of the caller that receives the end of the job. It is public and uses HTTPS; the dev runner also allows HTTP
    /// and loopback. Each delivery is signed (Standard Webhooks 1.0).
    #[must_use]
    pub fn callback_url(mut self, url: impl Into<String>) -> Self {
        self.callback_url = Some(url.into());
        self
    }

    /// Sets the events that are sent to the callback URL. Default: the end of the job.
    #[must_use]
    pub fn callback_events(mut self, events: CallbackEvents) -> Self {
        self.callback_events = Some(events);
        self
    }

    /// Sets the name of the queue that receives the end of the job. The deployment lists the queues that it allows.
    #[must_use]
    pub fn reply_to(mut self, queue: impl Into<String>) -> Self {
        self.reply_to = Some(queue.into());
        self
    }

    /// Sets the id that all events of the job carry: 1 to 128 visible ASCII characters. Default: the id of the job.
    #[must_use]
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Sets the job whose handler submits the command, from the context of the handler. Both jobs have the same correlation id,
    /// unless another one is set. The events of the new job name the other one as their cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Cause>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Submits without a key: see [`Key::Without`].
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.key = Key::Without;
        self
    }
}

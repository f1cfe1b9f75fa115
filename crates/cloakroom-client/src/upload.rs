//! `POST /uploads`: payloads too large for the gateway go to object storage first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cloakroom::Digest;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Body, Method, StatusCode};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use crate::answer::Answer;
use crate::retry::{Again, Repeat, Retries};
use crate::{Client, Error, Payload};

/// A payload that can be sent more than once.
pub(crate) struct Content {
    media_type: String,
    length: u64,
    source: Source,
}

enum Source {
    Memory(Bytes),
    File(PathBuf),
}

impl Content {
    pub(crate) async fn of(payload: Payload) -> Result<Self, Error> {
        let (media_type, bytes) = match payload {
            Payload::Json(value) => ("application/json".to_owned(), Bytes::from(value.to_string())),
            Payload::Bytes { content_type, bytes } => (content_type, bytes),
            Payload::File { content_type: media_type, path } => {
                let metadata = tokio::fs::metadata(&path).await.map_err(|error| unreadable(&path, &error))?;
                return Ok(Self { media_type, length: metadata.len(), source: Source::File(path) });
            }
        };
        Ok(Self { media_type, length: bytes.len() as u64, source: Source::Memory(bytes) })
    }

    pub(crate) fn media_type(&self) -> &str {
        &self.media_type
    }

    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// What sending it may take on a slow line: a second for each 64 KiB.
    pub(crate) fn sending_time(&self) -> Duration {
        Duration::from_secs(self.length / (64 * 1024))
    }

    /// The whole of it, in memory.
    pub(crate) async fn to_bytes(&self) -> Result<Bytes, Error> {
        match &self.source {
            Source::Memory(bytes) => Ok(bytes.clone()),
            Source::File(path) => {
                tokio::fs::read(path).await.map(Bytes::from).map_err(|error| unreadable(path, &error))
            }
        }
    }

    async fn body(&self) -> Result<Body, Error> {
        match &self.source {
            Source::Memory(bytes) => Ok(bytes.clone().into()),
            Source::File(path) => {
                Ok(tokio::fs::File::open(path).await.map_err(|error| unreadable(path, &error))?.into())
            }
        }
    }

    async fn sha256(&self) -> Result<Digest, Error> {
        let path = match &self.source {
            Source::Memory(bytes) => return Ok(Digest::of(bytes)),
            Source::File(path) => path,
        };
        let mut file = tokio::fs::File::open(path).await.map_err(|error| unreadable(path, &error))?;
        let mut sum = Digest::builder();
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer).await.map_err(|error| unreadable(path, &error))? {
                0 => return Ok(sum.finish()),
                length => sum.update(&buffer[..length]),
            }
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::input(path.display().to_string(), error)
}

/// Where to put it.
#[derive(Deserialize)]
struct Ticket {
    upload_id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl Client {
    /// Uploads a payload; the id is for `Upload-Id`.
    pub(crate) async fn upload(&self, content: &Content) -> Result<String, Error> {
        let asked = serde_json::json!({
            "content_type": content.media_type,
            "content_length": content.length,
            "sha256": STANDARD.encode(content.sha256().await?.as_bytes()),
        });
        let mut fresh = true;
        loop {
            let ticket = self.ticket(&asked).await?;
            let answer = self.put(&ticket, content).await?;
            match answer.status {
                status if status.is_success() => return Ok(ticket.upload_id),
                // The presigned URL may have expired over the attempts: one more, with a new one.
                StatusCode::FORBIDDEN if fresh => fresh = false,
                _ => return Err(answer.unexpected("the storage did not take the upload")),
            }
        }
    }

    async fn ticket(&self, asked: &serde_json::Value) -> Result<Ticket, Error> {
        let make =
            || self.request(Method::POST, self.url(&["uploads"])).timeout(self.inner.settings.timeout).json(asked);
        // An upload that no command names is gone after a day: a second one does no harm.
        let answer = self.ask(Repeat::Safe, make).await?;
        let ticket: Ticket =
            if answer.status.is_success() { answer.json()? } else { return Err(answer.into_refusal()) };
        if ticket.method == "PUT" { Ok(ticket) } else { Err(answer.unexpected("an upload by another method than PUT")) }
    }

    async fn put(&self, ticket: &Ticket, content: &Content) -> Result<Answer, Error> {
        let url = self.resolve(&ticket.url)?;
        let mut retries = Retries::new(self);
        loop {
            // With the headers that were signed, and none of the caller's: they are not for the storage.
            let mut request =
                self.inner.http.put(url.clone()).timeout(self.inner.settings.timeout + content.sending_time());
            for (name, value) in ticket.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
            {
                request = request.header(name, value);
            }
            // A presigned URL takes no chunked body, which a stream of unknown length would be.
            let request = request.header(CONTENT_LENGTH, content.length).body(content.body().await?);
            let again = match request.send().await {
                Ok(response) => match Answer::read(response).await {
                    Ok(answer) => match answer.again() {
                        None => return Ok(answer),
                        Some(again) => again,
                    },
                    Err(error) => Again::broken(error),
                },
                Err(error) if error.is_builder() => {
                    return Err(Error::Protocol(format!("the upload's headers: {}", crate::error::chain(error))));
                }
                Err(error) => Again::broken(error),
            };
            retries.pause(again, Repeat::Safe).await?;
        }
    }
}

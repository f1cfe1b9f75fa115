//! `POST /uploads`: payloads that are too large for the gateway are uploaded to object storage first.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloakroom_core::Digest;
use reqwest::Method;
use reqwest::header::CONTENT_LENGTH;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::content::{Content, Range};
use crate::progress::Progress;
use crate::renewals::Renewals;
use crate::retries::Retries;
use crate::retry::{Again, Repeat};
use crate::{Client, Error};

/// A link for the upload of a payload, or of a part of it.
#[derive(Clone, Copy)]
pub(crate) struct Link<'a> {
    pub(crate) url: &'a str,
    pub(crate) headers: &'a BTreeMap<String, String>,
}

/// Method of an upload.
#[derive(Deserialize)]
struct By {
    method: String,
}

/// Link of an upload in one part.
#[derive(Deserialize)]
struct Ticket {
    upload_id: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl Client {
    /// Uploads a payload, or its missing parts. Returns the id for `Upload-Id`.
    pub(crate) async fn upload(
        &self,
        content: &Content,
        begun: Option<&str>,
    ) -> Result<String, Error> {
        if begun.is_some() || content.length() > self.inner.settings.parts_from {
            return self.upload_in_parts(content, begun).await;
        }
        let sha256 = content.sha256().await?;
        let asked = description(content, &sha256);
        let mut renewals = Renewals::default();
        loop {
            let ticket: Ticket = self.ticket(&asked).await?;
            let progress = Progress::new(self, &ticket.upload_id, Some(sha256), content.length());
            let link = Link {
                url: &ticket.url,
                headers: &ticket.headers,
            };
            let answer = self
                .put(
                    link,
                    content,
                    content.whole(),
                    content.sending_time(),
                    &progress,
                )
                .await?;
            match answer.status {
                status if status.is_success() => return Ok(ticket.upload_id),
                _ if renewals.renew(&answer) => {}
                _ => {
                    return Err(
                        content.or_change(answer.unexpected("the storage rejected the upload"))
                    );
                }
            }
        }
    }

    /// Requests an upload.
    pub(crate) async fn ticket<T: DeserializeOwned>(&self, asked: &Value) -> Result<T, Error> {
        let make = || {
            self.request(Method::POST, self.url(&["uploads"]))
                .timeout(self.inner.settings.timeout)
                .json(asked)
        };
        // An upload that no command uses is deleted after a day: a second one does no harm.
        let answer = self.ask(Repeat::Safe, make).await?;
        if !answer.status.is_success() {
            return Err(answer.into_refusal());
        }
        let By { method } = answer.json()?;
        if method == "PUT" {
            answer.json()
        } else {
            Err(answer.unexpected("the upload has another method than PUT"))
        }
    }

    /// Sends a payload, or a part of it, until the status of the response is below 500.
    pub(crate) async fn put(
        &self,
        link: Link<'_>,
        content: &Content,
        range: Range,
        time: Duration,
        progress: &Progress,
    ) -> Result<Answer, Error> {
        let url = self.resolve(link.url)?;
        let mut retries = Retries::new(&self.inner.settings);
        loop {
            // Only the signed headers: the caller's are not for the storage.
            let mut request = self
                .inner
                .http
                .put(url.clone())
                .timeout(self.inner.settings.timeout + time);
            for (name, value) in link
                .headers
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
            {
                request = request.header(name, value);
            }
            let attempt = progress.attempt();
            // A presigned URL accepts no chunked body, which a stream of unknown length would be.
            let request = request
                .header(CONTENT_LENGTH, range.length)
                .body(content.body(range, &attempt));
            let sent = request.send().await;
            if let Some(error) = content.unreadable() {
                return Err(error);
            }
            let again = match sent {
                Ok(response) => match Answer::read(response).await {
                    Ok(answer) => match answer.again() {
                        None => {
                            if answer.status.is_success() {
                                attempt.is_done();
                            }
                            return Ok(answer);
                        }
                        Some(again) => again,
                    },
                    Err(error) => Again::broken(error),
                },
                Err(error) if error.is_builder() => {
                    return Err(Error::Protocol(format!(
                        "the upload's headers: {}",
                        crate::error::chain(error)
                    )));
                }
                Err(error) => Again::broken(error),
            };
            drop(attempt);
            retries.pause(again, Repeat::Safe).await?;
        }
    }
}

/// Returns the body of a request for an upload.
pub(crate) fn description(content: &Content, sha256: &Digest) -> Value {
    json!({
        "content_type": content.media_type(),
        "content_length": content.length(),
        "sha256": STANDARD.encode(sha256.as_bytes()),
    })
}

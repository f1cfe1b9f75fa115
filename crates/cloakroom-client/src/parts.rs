//! Uploads in parts: several at the same time, each with its own retries, and resumed after an interruption.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cloakroom_core::parts::MOST_PARTS;
use futures::future::BoxFuture;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use crate::content::{Content, Range};
use crate::progress::Progress;
use crate::renewals::Renewals;
use crate::retry::Repeat;
use crate::upload::{Link, description};
use crate::{Client, Error};

/// Bytes of a part. Parts of a very large payload have more.
const PART: u64 = 16 * 1024 * 1024;

/// Time for which links are used. The service makes them for an hour, and the last one must still work when it is used.
const FRESH: Duration = Duration::from_secs(2400);

/// State of an upload in parts.
#[derive(Deserialize)]
struct Upload {
    #[serde(rename = "upload_id")]
    id: String,
    content_length: u64,
    part_length: u64,
    parts: Vec<Part>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Part {
    number: u32,
    content_length: u64,
    uploaded: bool,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl Client {
    /// Uploads a payload in parts, or its missing parts. Returns the id of the upload.
    pub(crate) async fn upload_in_parts(
        &self,
        content: &Content,
        begun: Option<&str>,
    ) -> Result<String, Error> {
        let length = content.length();
        let before = match begun {
            Some(id) => self
                .upload_begun(id)
                .await?
                .filter(|upload| upload.content_length == length),
            None => None,
        };
        let (mut upload, sha256) = match before {
            Some(upload) => (upload, None),
            None => {
                let sha256 = content.sha256().await?;
                let mut asked = description(content, &sha256);
                asked["parts"] = length.div_ceil(PART).clamp(1, MOST_PARTS.into()).into();
                (self.ticket::<Upload>(&asked).await?, Some(sha256))
            }
        };
        let progress = Progress::in_parts(self, &upload.id, sha256, length);
        let mut told = 0;
        loop {
            // Parts of a page that is loaded again are counted once.
            let there = upload
                .parts
                .iter()
                .filter(|part| part.uploaded && part.number > told);
            progress.there(there.map(|part| part.content_length).sum());
            told = upload
                .parts
                .last()
                .map_or(told, |part| part.number.max(told));
            let stale = self.put_parts(&upload, content, &progress).await?;
            let next = match (stale, &upload.next) {
                (true, _) => upload
                    .parts
                    .first()
                    .map_or(1, |part| part.number)
                    .to_string(),
                (false, Some(next)) => next.rsplit('=').next().unwrap_or_default().to_owned(),
                (false, None) => break,
            };
            upload = self.upload_from(&upload.id, &next).await?;
        }
        content.check_unchanged(sha256).await?;
        Ok(upload.id)
    }

    /// Sends the missing parts. Returns true if the links became too old before the last part.
    async fn put_parts(
        &self,
        upload: &Upload,
        content: &Content,
        progress: &Progress,
    ) -> Result<bool, Error> {
        let settings = &self.inner.settings;
        let (began, stale) = (settings.clock.now(), AtomicBool::new(false));
        let send = async |part: &Part| {
            if settings.clock.now().saturating_sub(began) > FRESH {
                stale.store(true, Ordering::Relaxed);
                return Ok(());
            }
            self.put_part(upload, part, content, progress).await
        };
        let missing = upload.parts.iter().filter(|part| !part.uploaded);
        // Boxed: otherwise the compiler can't prove that they are `Send`.
        let sending: Vec<_> = missing
            .map(|part| -> BoxFuture<'_, _> { Box::pin(send(part)) })
            .collect();
        futures::stream::iter(sending)
            .buffer_unordered(settings.parts_at_once)
            .try_collect::<()>()
            .await?;
        Ok(stale.load(Ordering::Relaxed))
    }

    /// Sends a part, with a fresh link if its own has expired.
    async fn put_part(
        &self,
        upload: &Upload,
        part: &Part,
        content: &Content,
        progress: &Progress,
    ) -> Result<(), Error> {
        let range = Range {
            offset: u64::from(part.number.saturating_sub(1)) * upload.part_length,
            length: part.content_length,
        };
        // Concurrent parts share the bandwidth.
        let time = Content::time_of(range.length)
            * u32::try_from(self.inner.settings.parts_at_once).unwrap_or(1);
        let (mut fresh, mut renewals): (Option<Part>, _) = (None, Renewals::default());
        loop {
            let Part { url, headers, .. } = fresh.as_ref().unwrap_or(part);
            let url = url
                .as_deref()
                .ok_or_else(|| Error::Protocol(format!("part {} has no url", part.number)))?;
            let answer = self
                .put(Link { url, headers }, content, range, time, progress)
                .await?;
            match answer.status {
                status if status.is_success() => return Ok(()),
                _ if renewals.renew(&answer) => {
                    let now = self
                        .upload_from(&upload.id, &part.number.to_string())
                        .await?;
                    let now = now.parts.into_iter().find(|now| now.number == part.number);
                    let now = now.ok_or_else(|| answer.unexpected("the upload has lost a part"))?;
                    if now.uploaded {
                        progress.there(now.content_length);
                        return Ok(());
                    }
                    fresh = Some(now);
                }
                _ => {
                    return Err(content.or_change(
                        answer.unexpected("the storage rejected a part of the upload"),
                    ));
                }
            }
        }
    }

    /// Loads an upload that was begun before. Returns `None` if it is unknown or has expired.
    async fn upload_begun(&self, id: &str) -> Result<Option<Upload>, Error> {
        match self.upload_from(id, "1").await {
            Err(Error::Problem(problem)) if problem.status == StatusCode::NOT_FOUND.as_u16() => {
                Ok(None)
            }
            answered => answered.map(Some),
        }
    }

    async fn upload_from(&self, id: &str, from: &str) -> Result<Upload, Error> {
        let mut url = self.url(&["uploads", id]);
        url.query_pairs_mut().append_pair("from", from);
        let make = || {
            self.request(Method::GET, url.clone())
                .timeout(self.inner.settings.timeout)
        };
        let answer = self.ask(Repeat::Safe, make).await?;
        if answer.status.is_success() {
            answer.json()
        } else {
            Err(answer.into_refusal())
        }
    }
}

//! `POST /commands/{type}`.

use std::time::Duration;

use cloakroom_core::view::JobView;
use cloakroom_core::{CommandType, Problem};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};
use reqwest::{Method, RequestBuilder, StatusCode, Url};

use crate::answer::Answer;
use crate::builder::without_credentials;
use crate::content::Content;
use crate::retry::Repeat;
use crate::{Client, Error, Key, Snapshot, Submission};

/// Response to an accepted command. The job will reach a terminal state, whatever crashes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Submitted {
    /// The job. After a replay it is the current job, which may have ended.
    pub job: JobView,
    /// Full URL of the job.
    pub location: String,
    /// True if the service had accepted the submission before, in an earlier call or in an attempt of this one.
    pub replayed: bool,
}

const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const UPLOAD_ID: HeaderName = HeaderName::from_static("upload-id");

/// Validated parts of a submission, for the request of each attempt.
struct Call {
    url: Url,
    headers: HeaderMap,
    repeat: Repeat,
    timeout: Duration,
}

impl Client {
    /// Submits a command of any kind, and retries it with the same key until the service responds. For a command that takes and
    /// returns JSON, [`submit`](Self::submit) is shorter.
    ///
    /// A payload over [`Builder::body_limit`](crate::Builder::body_limit) is uploaded first, and so is one that the service rejects
    /// as too large for a body. Over [`Builder::parts_from`](crate::Builder::parts_from) it is uploaded in parts. Such an upload can
    /// be resumed after an interruption: see [`Submission::upload`].
    pub async fn send(&self, submission: Submission) -> Result<Submitted, Error> {
        let headers = submission.headers()?;
        let Submission {
            command,
            payload,
            query,
            key,
            upload,
            ..
        } = submission;
        let command: CommandType = command
            .parse()
            .map_err(|error| Error::input(format!("{command:?} as a command type"), &error))?;
        let mut url = self.url(&["commands", command.as_str()]);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let call = Call {
            url,
            headers,
            repeat: repeat(&key),
            timeout: self.inner.settings.timeout,
        };
        let content = Content::new(payload).await?;
        if upload.is_some() || content.length() > self.inner.settings.body_limit {
            return self.submit_upload(&call, &content, upload.as_deref()).await;
        }
        match self.submit_body(&call, &content).await {
            Err(Error::Problem(problem)) if is_too_large(&problem) => {
                self.submit_upload(&call, &content, None).await
            }
            answered => answered,
        }
    }

    async fn submit_body(&self, call: &Call, content: &Content) -> Result<Submitted, Error> {
        let body = content.to_bytes().await?;
        let make = || {
            let request = self
                .call(call)
                .timeout(call.timeout + content.sending_time());
            request
                .header(CONTENT_TYPE, content.media_type())
                .body(body.clone())
        };
        self.submitted(self.ask(call.repeat, make).await?)
    }

    async fn submit_upload(
        &self,
        call: &Call,
        content: &Content,
        begun: Option<&str>,
    ) -> Result<Submitted, Error> {
        let upload = self.upload(content, begun).await?;
        let make = || {
            self.call(call)
                .timeout(call.timeout)
                .header(UPLOAD_ID, &upload)
        };
        self.submitted(self.ask(call.repeat, make).await?)
    }

    fn call(&self, call: &Call) -> RequestBuilder {
        self.request(Method::POST, call.url.clone())
            .headers(call.headers.clone())
    }

    fn submitted(&self, answer: Answer) -> Result<Submitted, Error> {
        let replayed = answer.header(IDEMPOTENT_REPLAYED) == Some("true");
        let location = answer.header(LOCATION).map(str::to_owned);
        let job: JobView = match answer.status {
            StatusCode::ACCEPTED | StatusCode::OK => answer.json()?,
            // A replay has the response of a poll: the submission succeeded, even if the job did not.
            _ if replayed => Snapshot::from_answer(answer)?.job,
            _ => return Err(answer.into_refusal()),
        };
        let mut location = self.resolve(location.as_ref().unwrap_or(&job.links.this))?;
        without_credentials(&mut location);
        Ok(Submitted {
            job,
            location: location.into(),
            replayed,
        })
    }
}

/// Returns the condition for a retry. Without a key, a retry would be another command.
fn repeat(key: &Key) -> Repeat {
    match key {
        Key::Random | Key::Given(_) => Repeat::Safe,
        Key::Without => Repeat::UnlessReached,
    }
}

fn is_too_large(problem: &Problem) -> bool {
    problem.status == StatusCode::PAYLOAD_TOO_LARGE.as_u16()
}

//! Commands that take and return JSON, with the caller's types.

use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;

use cloakroom_core::{Cause, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{CallbackEvents, Client, Error, JobResult, Submission, Submitted};

/// A submission that `.await` sends. See [`Client::submit`].
#[derive(Debug)]
#[must_use = "a submission is sent by `.await`"]
pub struct Submit<T> {
    client: Client,
    /// The submission, or the reason why the payload is not JSON.
    submission: Result<Submission, Error>,
    result: PhantomData<fn() -> T>,
}

/// A job whose result is a `T`.
#[derive(Debug)]
pub struct Job<T> {
    /// The response to the submission.
    pub submitted: Submitted,
    client: Client,
    result: PhantomData<fn() -> T>,
}

impl Client {
    /// Submits a command that takes JSON and returns a `T`, or `()` if it has no result.
    ///
    /// ```no_run
    /// # async fn example(client: cloakroom_client::Client) -> Result<(), cloakroom_client::Error> {
    /// let order = serde_json::json!({ "article": "hat", "amount": 3 });
    /// let job = client.submit::<serde_json::Value>("order.place", &order).key("order-1042").await?;
    /// println!("{} is at {}", job.submitted.job.id, job.submitted.location);
    /// println!("{}", job.result().await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Errors of [`send`](Self::send), and [`Error::Input`] if the payload can't be serialized.
    pub fn submit<T>(&self, command: &str, payload: &impl Serialize) -> Submit<T> {
        let submission = serde_json::to_value(payload)
            .map(|payload| Submission::json(command, payload))
            .map_err(|error| Error::input(format!("the payload of {command}"), &error));
        Submit {
            client: self.clone(),
            submission,
            result: PhantomData,
        }
    }
}

impl<T> Submit<T> {
    /// Sets the caller's own id of the job: 1 to 255 visible ASCII characters. A second submission with this key returns the job
    /// of the first one.
    pub fn key(self, key: impl Into<String>) -> Self {
        self.map(|submission| submission.key(key))
    }

    /// Sets the time before which the job does not start. It is at most as far away as jobs of the command are stored: 24 h by
    /// default.
    pub fn not_before(self, time: Timestamp) -> Self {
        self.map(|submission| submission.not_before(time))
    }

    /// Sets the URL of the caller that receives the end of the job: see [`Submission::callback_url`].
    pub fn callback_url(self, url: impl Into<String>) -> Self {
        self.map(|submission| submission.callback_url(url))
    }

    /// Sets the events that are sent to the callback URL. Default: the end of the job.
    pub fn callback_events(self, events: CallbackEvents) -> Self {
        self.map(|submission| submission.callback_events(events))
    }

    /// Sets the name of the queue that receives the end of the job: see [`Submission::reply_to`].
    pub fn reply_to(self, queue: impl Into<String>) -> Self {
        self.map(|submission| submission.reply_to(queue))
    }

    /// Sets the id that all events of the job carry: 1 to 128 visible ASCII characters. Default: the id of the job.
    pub fn correlation_id(self, id: impl Into<String>) -> Self {
        self.map(|submission| submission.correlation_id(id))
    }

    /// Sets the job whose handler submits the command, from the context of the handler: see [`Submission::caused_by`].
    pub fn caused_by(self, cause: impl Into<Cause>) -> Self {
        self.map(|submission| submission.caused_by(cause))
    }

    fn map(mut self, change: impl FnOnce(Submission) -> Submission) -> Self {
        self.submission = self.submission.map(change);
        self
    }
}

impl<T: 'static> IntoFuture for Submit<T> {
    type Output = Result<Job<T>, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let Self {
            client, submission, ..
        } = self;
        Box::pin(async move {
            Ok(Job {
                submitted: client.send(submission?).await?,
                client,
                result: PhantomData,
            })
        })
    }
}

impl<T: DeserializeOwned> Job<T> {
    /// Waits until the job has ended, and returns its result.
    ///
    /// # Errors
    /// Errors of [`Client::wait`] and [`Client::result`], and [`Error::Protocol`] if the result is not a `T`.
    pub async fn result(&self) -> Result<T, Error> {
        let id = &self.submitted.job.id;
        let job = self.client.wait(id, |_| ()).await?;
        let parsed = match job.result {
            Some(result) => serde_json::from_value(result),
            // A large result is not part of the job.
            None if job.result_url.is_some() => match self.client.result(id).await? {
                JobResult::Content(download) => serde_json::from_slice(&download.bytes().await?),
                JobResult::Nothing | JobResult::NotYet(_) => serde_json::from_str("null"),
            },
            None => serde_json::from_str("null"),
        };
        parsed.map_err(|error| Error::Protocol(format!("the result of job {id}: {error}")))
    }
}

//! `GET /jobs/{id}/events`: the changes of a job as they happen.
//!
//! Events only save polls, they decide nothing. A poll decides how a job ended and what an error means. So every failure here
//! leads back to polls.

use std::time::Duration;

use cloakroom_core::view::JobView;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use reqwest::{Method, Response, StatusCode};

use crate::events::{Broken, Event, Events};
use crate::{Client, answer};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Longest time for which the service keeps a stream open. A proxy may deliver the whole stream at its end.
const WINDOW: Duration = Duration::from_secs(55);

/// Longest time between two comments of the service.
const COMMENTS: Duration = Duration::from_secs(15);

/// Least duration of a stream that ended with its window.
const HELD: Duration = Duration::from_secs(1);

/// Delay before a new connection if the stream has set none.
const RETRY: Duration = Duration::from_secs(2);

/// Longest delay before a new connection, whatever the stream has set.
const MOST_RETRY: Duration = Duration::from_secs(30);

/// Most useless streams in a row.
const MOST_FAILURES: u32 = 2;

/// Events of one job over several connections.
pub(crate) struct Follower<'a> {
    client: &'a Client,
    job: &'a str,
    /// Newest version that the caller has seen.
    cursor: u64,
    /// Number of useless streams in a row.
    failures: u32,
}

/// Reason why the events ended. The next step is a poll.
pub(crate) enum Followed {
    /// The job has ended.
    ToEnd,
    /// The service is unavailable, or does not serve events.
    Interrupted {
        /// Delay before the next request, if the service sent one.
        retry_after: Option<Duration>,
    },
}

/// End of one connection.
enum Closed {
    /// The job has ended.
    JobEnded,
    /// The stream ended, with its window or before.
    Ended,
    /// The connection broke.
    Cut,
    /// The service is unavailable.
    Unavailable { retry_after: Option<Duration> },
    /// The service, or a proxy before it, does not serve events.
    Unsupported,
}

impl<'a> Follower<'a> {
    pub(crate) fn new(client: &'a Client, job: &'a str) -> Self {
        Self {
            client,
            job,
            cursor: 0,
            failures: 0,
        }
    }

    /// Moves the cursor to a job that a poll returned. Returns true if events can follow it.
    ///
    /// A service that sends no version has no events. A client without long polls has no streams either.
    pub(crate) fn can_follow(&mut self, job: &JobView) -> bool {
        self.cursor = self.cursor.max(job.version);
        let holds = self.client.inner.settings.long_poll_seconds > 0;
        holds && self.cursor > 0 && self.failures < MOST_FAILURES
    }

    /// Calls `on_update` with each newer state, except the terminal one. Opens a new stream when one ends.
    pub(crate) async fn follow(&mut self, mut on_update: impl FnMut(JobView)) -> Followed {
        let clock = &self.client.inner.settings.clock;
        loop {
            let (opened, cursor) = (clock.now(), self.cursor);
            let mut retry = RETRY;
            let closed = self.connect(&mut retry, &mut on_update).await;
            let is_held = clock.now().saturating_sub(opened) >= HELD;
            if self.cursor > cursor {
                self.failures = 0;
            }
            match closed {
                Closed::JobEnded => {
                    // Counts unless a poll confirms it.
                    self.failures += 1;
                    return Followed::ToEnd;
                }
                Closed::Unsupported => {
                    self.failures = MOST_FAILURES;
                    return Followed::Interrupted { retry_after: None };
                }
                Closed::Unavailable { retry_after } => {
                    self.failures += 1;
                    return Followed::Interrupted { retry_after };
                }
                Closed::Ended if is_held => self.failures = 0,
                Closed::Ended | Closed::Cut => {
                    if self.cursor == cursor && !is_held {
                        self.failures += 1;
                    }
                    if self.failures >= MOST_FAILURES {
                        return Followed::Interrupted { retry_after: None };
                    }
                    clock.sleep(retry).await;
                }
            }
        }
    }

    /// Reads one stream to its end.
    async fn connect(
        &mut self,
        retry: &mut Duration,
        on_update: &mut impl FnMut(JobView),
    ) -> Closed {
        let mut events = match self.open().await {
            Ok(response) => Events::new(response),
            Err(closed) => return closed,
        };
        let patience = self.client.inner.settings.timeout + COMMENTS;
        loop {
            let event = events.next(patience).await;
            *retry = events.retry().unwrap_or(*retry).min(MOST_RETRY);
            match event {
                Ok(Some(event)) if event.kind == "job" => match self.newer(&event) {
                    Ok(Some(job)) if job.status.is_terminal() => return Closed::JobEnded,
                    Ok(Some(job)) => on_update(job),
                    Ok(None) => {}
                    Err(_) => return Closed::Unsupported,
                },
                Ok(Some(_)) => {}
                Ok(None) => return Closed::Ended,
                Err(Broken::Cut) => return Closed::Cut,
                Err(Broken::Stalled) => return Closed::Unavailable { retry_after: None },
                Err(Broken::TooLarge) => return Closed::Unsupported,
            }
        }
    }

    async fn open(&self) -> Result<Response, Closed> {
        let unavailable = |retry_after| Closed::Unavailable { retry_after };
        let (client, cursor) = (self.client, self.cursor);
        let url = client
            .job(self.job, &["events"])
            .map_err(|_| Closed::Unsupported)?;
        let sent = client
            .request(Method::GET, url)
            .header(ACCEPT, "text/event-stream")
            .header(LAST_EVENT_ID, cursor)
            .send();
        let response = tokio::time::timeout(client.inner.settings.timeout + WINDOW, sent)
            .await
            .map_err(|_| unavailable(None))?
            .map_err(|_| unavailable(None))?;
        match response.status() {
            StatusCode::OK if is_stream(&response) => Ok(response),
            StatusCode::NO_CONTENT => Err(Closed::JobEnded),
            StatusCode::NOT_IMPLEMENTED => Err(Closed::Unsupported),
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                Err(unavailable(answer::retry_after(response.headers())))
            }
            _ => Err(Closed::Unsupported),
        }
    }

    /// Returns the job of an event, unless it is not newer than the cursor. Moves the cursor.
    fn newer(&mut self, event: &Event) -> serde_json::Result<Option<JobView>> {
        let job: JobView = serde_json::from_str(&event.data)?;
        let version = event.id.parse().unwrap_or(job.version);
        let is_newer = version > self.cursor;
        self.cursor = self.cursor.max(version);
        Ok(is_newer.then_some(job))
    }
}

/// Returns true if the media type is that of an event stream.
fn is_stream(response: &Response) -> bool {
    let value = response.headers().get(CONTENT_TYPE);
    let media_type = value.and_then(|value| value.to_str().ok()?.split(';').next());
    media_type.is_some_and(|it| it.trim().eq_ignore_ascii_case("text/event-stream"))
}

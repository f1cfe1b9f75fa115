//! Events of a response, read as they arrive.

mod parser;

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;

pub(crate) use parser::Event;
use parser::Parser;

/// Reason why a stream can't be read to its end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The connection broke.
    Cut,
    /// Nothing arrived for too long.
    Stalled,
    /// An event is too large.
    TooLarge,
}

/// Stream of events.
#[derive(Debug)]
pub(crate) struct Events {
    response: Response,
    parser: Parser,
    ready: VecDeque<Event>,
}

impl Events {
    pub(crate) fn new(response: Response) -> Self {
        Self {
            response,
            parser: Parser::default(),
            ready: VecDeque::new(),
        }
    }

    /// Returns the next event, or `None` at the end. `patience` is the longest time until the next chunk.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Option<Event>, Broken> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let Some(chunk) = tokio::time::timeout(patience, self.response.chunk())
                .await
                .map_err(|_| Broken::Stalled)?
                .map_err(|_| Broken::Cut)?
            else {
                return Ok(None);
            };
            let events = self.parser.parse(&chunk).map_err(|_| Broken::TooLarge)?;
            self.ready.extend(events);
        }
    }

    /// Returns the delay before a new connection, if the stream has set it.
    pub(crate) fn retry(&self) -> Option<Duration> {
        self.parser.retry()
    }
}

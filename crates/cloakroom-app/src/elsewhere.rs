//! Handlers on a runtime of their own: whatever they compute, and for however long, a heartbeat is not kept from its turn.

use std::panic::resume_unwind;
use std::sync::Arc;

use futures::StreamExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::command::{Command, Registry, Run};
use crate::handler::{HandlerError, Made, Output, Pieces};

impl Registry {
    /// The same, with handlers that run on this runtime: one that computes without waiting keeps nothing else from its turn.
    #[must_use]
    pub fn run_on(&self, handlers: &Handle) -> Self {
        Self(Arc::new(self.iter().map(|command| command.clone().run_on(handlers.clone())).collect()))
    }
}

impl Command {
    fn run_on(mut self, handlers: Handle) -> Self {
        let here = self.run;
        let run: Run = Arc::new(move |query, body, context| {
            let handler = here(query, body, context).in_current_span();
            // What drops the one drops the other.
            let there = AbortOnDropHandle::new(handlers.spawn(handler));
            let handlers = handlers.clone();
            Box::pin(async move {
                let made = there.await.unwrap_or_else(|error| Err(ended(error)));
                made.map(|output| output.made_on(&handlers))
            })
        });
        self.run = run;
        self
    }
}

impl Output {
    /// The same, whose result is made on this runtime.
    pub(crate) fn made_on(mut self, runtime: &Handle) -> Self {
        self.result = self.result.map(|made| Made { pieces: made.pieces.made_on(runtime), ..made });
        self
    }
}

impl Pieces {
    /// The same, made on this runtime. What drops the one drops the other.
    fn made_on(self, runtime: &Handle) -> Self {
        let mut pieces = match self {
            Self::Whole(_) => return self,
            Self::Made(pieces) => pieces,
        };
        let (sender, receiver) = mpsc::channel(1);
        let making = runtime.spawn(async move {
            while let Some(piece) = pieces.next().await {
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
        });
        let making = Some(AbortOnDropHandle::new(making));
        let made =
            futures::stream::unfold((receiver, making), async |(mut receiver, making)| match receiver.recv().await {
                Some(piece) => Some((piece, (receiver, making))),
                None => making?.await.err().map(|error| (Err(ended(error)), (receiver, None))),
            });
        Self::Made(made.boxed())
    }
}

/// A task that ended before its end. Who waits for one that panicked, panics.
fn ended(error: JoinError) -> HandlerError {
    match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => HandlerError::retryable("the process is about to end"),
    }
}

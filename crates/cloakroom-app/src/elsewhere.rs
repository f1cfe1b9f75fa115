//! Handlers on a runtime of their own: whatever they compute, and for however long, a heartbeat is not kept from its turn.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::{Poll, ready};

use futures::{FutureExt as _, StreamExt as _};
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
                let made = there.await.unwrap_or_else(|error| match error.try_into_panic() {
                    Ok(panic) => resume_unwind(panic),
                    Err(_) => Err(HandlerError::retryable("the process is about to end")),
                });
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
        let (sender, mut receiver) = mpsc::channel(1);
        let making = runtime.spawn(async move {
            while let Some(piece) = pieces.next().await {
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
        });
        let mut making = Some(AbortOnDropHandle::new(making));
        let made = futures::stream::poll_fn(move |cx| match ready!(receiver.poll_recv(cx)) {
            Some(piece) => Poll::Ready(Some(piece)),
            None => {
                // It ended; or it panicked, and so does whoever asked for more.
                let Some(ended) = &mut making else { return Poll::Ready(None) };
                let ended = ready!(ended.poll_unpin(cx));
                making = None;
                match ended.map_err(JoinError::try_into_panic) {
                    Ok(()) => Poll::Ready(None),
                    Err(Ok(panic)) => resume_unwind(panic),
                    Err(Err(_)) => Poll::Ready(Some(Err(HandlerError::retryable("the process is about to end")))),
                }
            }
        });
        Self::Made(made.boxed())
    }
}

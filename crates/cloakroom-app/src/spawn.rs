//! Handlers in tasks of their own, on a runtime of their own where there is one: whatever they compute, and for however long, a
//! heartbeat is not kept from its turn.

use futures::StreamExt as _;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::body::BodyStream;
use crate::command::Command;
use crate::context::JobContext;
use crate::handler::{HandlerError, Made, Output, Pieces};
use crate::registry::Registry;

impl Registry {
    /// The same, with handlers that run on this runtime: one that computes without waiting keeps nothing else from its turn.
    #[must_use]
    pub fn run_on(&self, handlers: &Handle) -> Self {
        self.clone()
            .map(|command| command.runtime = Some(handlers.clone()))
    }
}

impl Command {
    /// Runs its handler in a task. What drops the one drops the other; who waits for one that panicked, panics.
    pub(crate) async fn run(
        &self,
        query: &str,
        body: BodyStream,
        context: JobContext,
    ) -> Result<Output, HandlerError> {
        let runtime = self.runtime.clone().unwrap_or_else(Handle::current);
        let handler = (self.run)(query, body, context, self.states.clone()).in_current_span();
        let made = AbortOnDropHandle::new(runtime.spawn(handler)).await;
        made.unwrap_or_else(|error| Err(HandlerError::from_join_error(error)))
            .map(|output| output.spawn_on(&runtime))
    }
}

impl Output {
    /// The same, whose result is made on this runtime.
    fn spawn_on(mut self, runtime: &Handle) -> Self {
        self.result = self.result.map(|made| Made {
            pieces: made.pieces.spawn_on(runtime),
            ..made
        });
        self
    }
}

impl Pieces {
    /// The same, made on this runtime. What drops the one drops the other.
    fn spawn_on(self, runtime: &Handle) -> Self {
        let mut pieces = match self {
            Self::Whole(_) | Self::File(_) => return self,
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
        let made = futures::stream::unfold((receiver, making), async |(mut receiver, making)| {
            match receiver.recv().await {
                Some(piece) => Some((piece, (receiver, making))),
                None => making?
                    .await
                    .err()
                    .map(|error| (Err(HandlerError::from_join_error(error)), (receiver, None))),
            }
        });
        Self::Made(made.boxed())
    }
}

//! Runs handlers in their own tasks, and optionally on a separate runtime. So a handler that computes for a long time
//! does not delay heartbeats.

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
    /// Returns a registry whose handlers run on this runtime. A handler that computes without waiting then delays
    /// nothing else.
    #[must_use]
    pub fn run_on(&self, handlers: &Handle) -> Self {
        self.clone()
            .map(|command| command.runtime = Some(handlers.clone()))
    }
}

impl Command {
    /// Runs the handler in a task. Dropping the future aborts the task. A panic in the task resumes in the caller.
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
    /// Returns the same output, whose result is produced on this runtime.
    fn spawn_on(mut self, runtime: &Handle) -> Self {
        self.result = self.result.map(|made| Made {
            pieces: made.pieces.spawn_on(runtime),
            ..made
        });
        self
    }
}

impl Pieces {
    /// Returns the same content, produced on this runtime. Dropping the stream aborts the production.
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

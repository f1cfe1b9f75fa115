//! Tower layers around handlers, for example for timeouts, tracing and metrics.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use tower::util::ServiceExt as _;
use tower::{Layer, Service};

use crate::body::BodyStream;
use crate::command::{Command, Run};
use crate::context::JobContext;
use crate::handler::{HandlerError, Output};
use crate::state::States;

/// Request of one attempt to its handler.
pub struct JobRequest {
    query: String,
    body: BodyStream,
    context: JobContext,
    states: States,
}

impl JobRequest {
    /// Returns the context of the job.
    pub fn context(&self) -> &JobContext {
        &self.context
    }
}

/// Handler as a [`Service`].
#[derive(Clone)]
pub struct JobService(Run);

impl Service<JobRequest> for JobService {
    type Response = Output;
    type Error = HandlerFailure;
    type Future = BoxFuture<'static, Result<Output, HandlerFailure>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HandlerFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, job: JobRequest) -> Self::Future {
        let run = (self.0)(&job.query, job.body, job.context, job.states);
        Box::pin(async { run.await.map_err(HandlerFailure) })
    }
}

/// A [`HandlerError`] that passes through layers. Boxing it does not change its kind.
#[derive(Debug)]
pub struct HandlerFailure(HandlerError);

impl fmt::Display for HandlerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl Error for HandlerFailure {}

type BoxError = Box<dyn Error + Send + Sync>;

impl Command {
    /// Wraps the handler in a [`tower::Layer`]. The layer that is added last is the outermost.
    ///
    /// An error of the layer itself is retryable. An error of the handler keeps its kind.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<JobService>,
        L::Service: Service<JobRequest, Response = Output> + Clone + Send + Sync + 'static,
        <L::Service as Service<JobRequest>>::Future: Send + 'static,
        <L::Service as Service<JobRequest>>::Error: Into<BoxError>,
    {
        let service = layer.layer(JobService(self.run));
        self.run = Arc::new(move |query, body, context, states| {
            let job = JobRequest {
                query: query.to_owned(),
                body,
                context,
                states,
            };
            let answer = service.clone().oneshot(job);
            Box::pin(async { answer.await.map_err(|error| handler_error(error.into())) })
        });
        self
    }
}

fn handler_error(error: BoxError) -> HandlerError {
    match error.downcast::<HandlerFailure>() {
        Ok(failure) => failure.0,
        Err(error) => HandlerError::unexpected(error),
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::AttemptEnd;

    use super::*;

    #[test]
    fn an_error_of_a_layer_is_retryable_and_one_of_a_handler_keeps_its_kind() {
        let end = handler_error("timed out".into()).into_end();
        assert!(matches!(end, AttemptEnd::Retryable { .. }), "{end:?}");
        let failure = HandlerFailure(HandlerError::terminal("no paper"));
        let end = handler_error(Box::new(failure)).into_end();
        assert!(matches!(end, AttemptEnd::Terminal(_)), "{end:?}");
    }
}

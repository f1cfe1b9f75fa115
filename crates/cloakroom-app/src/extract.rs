//! Arguments of a handler after its payload.

use crate::body::{BodyError, BodyStream, FromBody};
use crate::context::JobContext;
use crate::handler::HandlerError;
use crate::state::{State, StateKey, States};

/// Source of a handler's arguments.
pub struct JobParts {
    pub(crate) context: JobContext,
    /// Body of a binary command, until an argument takes it.
    pub(crate) body: Option<BodyStream>,
    pub(crate) states: States,
}

impl JobParts {
    /// Returns the context of the job.
    pub fn context(&self) -> &JobContext {
        &self.context
    }
}

/// A type of a handler argument after the payload.
///
/// | type | value |
/// |---|---|
/// | [`JobContext`] | the job: its id, its attempt, its deadline; reports progress |
/// | [`State<T>`] | state that handlers share |
/// | [`Bytes`](bytes::Bytes), [`BodyStream`], [`BodyFile`](crate::BodyFile) | the body of a binary command; one argument at most |
///
/// Implement this trait for values derived from these: a tenant's settings, a logger, a clock.
#[diagnostic::on_unimplemented(
    message = "a handler can't take `{Self}` as an argument",
    label = "the argument after the payload",
    note = "take `JobContext`, `State<T>`, or, in a binary command, `Bytes`, `BodyStream` or `BodyFile`"
)]
pub trait FromJob: Send + Sized {
    /// True if the type receives the body. At most one argument can.
    const TAKES_BODY: bool = false;
    /// True if the whole body is in memory while the handler runs.
    const HOLDS_BODY: bool = false;

    /// Returns the state that the value requires. A process does not start if the state is missing.
    fn state() -> Option<StateKey> {
        None
    }

    /// Extracts the value.
    ///
    /// # Errors
    /// An error ends the attempt before the handler runs, as if the handler had returned it.
    fn from_job(job: &mut JobParts) -> impl Future<Output = Result<Self, HandlerError>> + Send;
}

impl FromJob for JobContext {
    async fn from_job(job: &mut JobParts) -> Result<Self, HandlerError> {
        Ok(job.context.clone())
    }
}

impl<T: Clone + Send + Sync + 'static> FromJob for State<T> {
    fn state() -> Option<StateKey> {
        Some(StateKey::new::<T>())
    }

    async fn from_job(job: &mut JobParts) -> Result<Self, HandlerError> {
        job.states.get().map(State).ok_or_else(|| {
            let name = std::any::type_name::<T>();
            let cause = format!("State<{name}> was not built: start the registry");
            HandlerError::unexpected(cause)
        })
    }
}

impl<B: FromBody> FromJob for B {
    const TAKES_BODY: bool = true;
    const HOLDS_BODY: bool = B::IN_MEMORY;

    async fn from_job(job: &mut JobParts) -> Result<Self, HandlerError> {
        let Some(body) = job.body.take() else {
            return Err(HandlerError::terminal("the command has no body"));
        };
        B::from_body(body).await.map_err(unread)
    }
}

/// Arguments of a handler after its payload: a tuple of up to four types that implement [`FromJob`].
pub trait Arguments: Send + Sized {
    /// Number of arguments that receive the body.
    const BODIES: usize;
    /// True if the whole body is in memory while the handler runs.
    const HOLDS_BODY: bool;

    /// Returns the states that the arguments require.
    fn states() -> Vec<StateKey>;

    /// Extracts the arguments in order.
    ///
    /// # Errors
    /// Returns the error of the first argument that can't be extracted.
    fn take(job: &mut JobParts) -> impl Future<Output = Result<Self, HandlerError>> + Send;
}

macro_rules! arguments {
    ($($argument:ident),*) => {
        impl<$($argument: FromJob),*> Arguments for ($($argument,)*) {
            const BODIES: usize = 0 $(+ $argument::TAKES_BODY as usize)*;
            const HOLDS_BODY: bool = false $(|| $argument::HOLDS_BODY)*;

            fn states() -> Vec<StateKey> {
                let states: Vec<Option<StateKey>> = vec![$($argument::state()),*];
                states.into_iter().flatten().collect()
            }

            #[allow(unused_variables, reason = "there may be no argument")]
            async fn take(job: &mut JobParts) -> Result<Self, HandlerError> {
                Ok(($($argument::from_job(job).await?,)*))
            }
        }
    };
}

arguments!();
arguments!(A1);
arguments!(A1, A2);
arguments!(A1, A2, A3);
arguments!(A1, A2, A3, A4);

/// Converts the error of a payload that could not be delivered to its handler. The attempt reports all errors itself,
/// except those of the disk, which is part of the service.
pub(crate) fn unread(error: BodyError) -> HandlerError {
    match error {
        BodyError::Disk(reason) => {
            HandlerError::unavailable("the payload could not be stored on disk").with_cause(reason)
        }
        BodyError::Unfetched(_) | BodyError::Corrupted => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use cloakroom_core::AttemptEnd;

    use super::*;

    #[test]
    fn a_full_disk_costs_no_attempt() {
        let end = unread(BodyError::Disk("no space".to_owned())).into_end();
        assert!(matches!(end, AttemptEnd::Unavailable(_)), "{end:?}");
    }
}

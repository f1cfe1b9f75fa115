//! Functions as handlers.

use std::future::ready;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use crate::extract::{Arguments, FromJob, JobParts};
use crate::handler::{HandlerError, Output};
use crate::output::IntoResult;

/// A function that executes a command.
///
/// It is an `async fn` whose first argument is the payload. Up to four more arguments have types that implement
/// [`FromJob`]. It returns a `Result`: see [`IntoOutput`](crate::output::IntoOutput) and [`HandlerError`].
///
/// ```
/// use cloakroom_app::{HandlerError, JobContext, State};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone)]
/// struct Prices;
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Order {
///     amount: u32,
/// }
///
/// #[derive(Serialize, JsonSchema)]
/// struct Receipt {
///     total: u32,
/// }
///
/// async fn place(
///     order: Order,
///     State(prices): State<Prices>,
///     job: JobContext,
/// ) -> Result<Receipt, HandlerError> {
///     # let Prices = prices;
///     job.progress(50.0, "counting");
///     Ok(Receipt { total: 7 * order.amount })
/// }
///
/// let command = cloakroom_app::Command::json("order.place", place);
/// # assert!(command.result_schema().is_some());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    note = "a handler is an `async fn` of a payload and up to four arguments that implement `FromJob`",
    note = "it returns `Result<T, E>`: `T` is `Output`, or is `Serialize` and `JsonSchema`; `E` becomes a `HandlerError`"
)]
pub trait Handler<P, A: Arguments>: Send + Sync + 'static {
    /// Returns the JSON Schema of the result, if it is JSON of a known type.
    fn result_schema() -> Option<Value>;

    /// Extracts the arguments and calls the function.
    fn call(
        self: Arc<Self>,
        payload: P,
        job: JobParts,
    ) -> BoxFuture<'static, Result<Output, HandlerError>>;
}

/// A handler that computes or blocks without `await`, created by [`blocking`].
#[derive(Debug, Clone, Copy)]
pub struct Blocking<F>(F);

/// Creates a handler from a function that is not `async`. It runs on a thread of its own, so it delays no other handler
/// and no heartbeat.
///
/// A thread can't be stopped. After the command's timeout its result is dropped, but the thread runs on. A long
/// computation must therefore check [`JobContext::is_cancelled`](crate::JobContext::is_cancelled) regularly.
pub fn blocking<F>(function: F) -> Blocking<F> {
    Blocking(function)
}

macro_rules! handlers {
    ($($argument:ident),*) => {
        #[allow(non_snake_case, reason = "an argument is named as its type")]
        impl<F, T, P, R, $($argument),*> Handler<P, ($($argument,)*)> for F
        where
            F: Fn(P, $($argument),*) -> T + Send + Sync + 'static,
            T: Future<Output = R> + Send + 'static,
            R: IntoResult,
            P: Send + 'static,
            $($argument: FromJob + 'static,)*
        {
            fn result_schema() -> Option<Value> {
                R::schema()
            }

            fn call(
                self: Arc<Self>,
                payload: P,
                mut job: JobParts,
            ) -> BoxFuture<'static, Result<Output, HandlerError>> {
                Box::pin(async move {
                    let ($($argument,)*) = <($($argument,)*)>::take(&mut job).await?;
                    self(payload, $($argument),*).await.into_result()
                })
            }
        }

        #[allow(non_snake_case, reason = "an argument is named as its type")]
        impl<F, P, R, $($argument),*> Handler<P, ($($argument,)*)> for Blocking<F>
        where
            F: Fn(P, $($argument),*) -> R + Send + Sync + 'static,
            R: IntoResult + Send + 'static,
            P: Send + 'static,
            $($argument: FromJob + 'static,)*
        {
            fn result_schema() -> Option<Value> {
                R::schema()
            }

            fn call(
                self: Arc<Self>,
                payload: P,
                mut job: JobParts,
            ) -> BoxFuture<'static, Result<Output, HandlerError>> {
                Box::pin(async move {
                    let ($($argument,)*) = <($($argument,)*)>::take(&mut job).await?;
                    let span = tracing::Span::current();
                    // The thread holds the memory and the place of the attempt until it ends.
                    let held = job.context.clone();
                    let running = tokio::task::spawn_blocking(move || {
                        let _held = held;
                        span.in_scope(|| self.0(payload, $($argument),*))
                    });
                    match running.await {
                        Ok(returned) => returned.into_result(),
                        Err(error) => Err(HandlerError::from_join_error(error)),
                    }
                })
            }
        }
    };
}

handlers!();
handlers!(A1);
handlers!(A1, A2);
handlers!(A1, A2, A3);
handlers!(A1, A2, A3, A4);

/// Returns the error of a process that was built without handlers.
pub(crate) fn no_handlers() -> BoxFuture<'static, Result<Output, HandlerError>> {
    let error = HandlerError::retryable("no handler is here");
    Box::pin(ready(Err(error.with_cause(
        "built without the feature `handlers` of cloakroom-app",
    ))))
}

#[cfg(test)]
mod tests;

//! Definition of a command: a name, a payload type, limits, and a handler.

mod example;
mod limits;

use std::any::{Any, TypeId, type_name};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::CommandType;
use cloakroom_core::problem::FieldError;
use futures::future::BoxFuture;
use tokio::runtime::Handle;

use crate::body::{BodyHead, BodyStream, FromBody as _};
use crate::call::{Handler, no_handlers};
use crate::context::JobContext;
use crate::extract::{Arguments, JobParts, unread};
use crate::handler::{HandlerError, Output};
use crate::payload::{self, Payload, PayloadError, Validation, schema};
use crate::state::{StateKey, States};

pub use limits::{BODY_LIMIT, Limits, RESULT_DAYS};
use limits::{LONGEST_RETENTION, MOST_ATTEMPTS, SHORTEST_RETENTION};

/// Form of a command's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// JSON: the body is the payload.
    Json,
    /// One of these media types. The payload is the query string.
    Binary(&'static [&'static str]),
}

type Estimate = Arc<dyn Fn(&str, &BodyHead) -> Option<u64> + Send + Sync>;
type Check = Arc<dyn Fn(&str, &[u8]) -> Result<(), PayloadError> + Send + Sync>;
pub(crate) type Run = Arc<
    dyn Fn(&str, BodyStream, JobContext, States) -> BoxFuture<'static, Result<Output, HandlerError>>
        + Send
        + Sync,
>;

/// One command type: its definition and its handler.
///
/// ```
/// use cloakroom_app::{Command, HandlerError, JobContext};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Greeting {
///     name: String,
/// }
///
/// async fn greet(greeting: Greeting, job: JobContext) -> Result<String, HandlerError> {
///     job.progress(50.0, "thinking of something nice");
///     Ok(format!("Hello, {}!", greeting.name))
/// }
///
/// let command = Command::json("greeting.send", greet).attempts(5);
/// assert_eq!(command.name().as_str(), "greeting.send");
/// ```
#[derive(Clone)]
pub struct Command {
    name: CommandType,
    takes: Takes,
    limits: Limits,
    schema: fn() -> serde_json::Value,
    result_schema: fn() -> Option<serde_json::Value>,
    check: Check,
    /// A [`Validation`] of the payload's type.
    validation: Arc<dyn Any + Send + Sync>,
    payload: TypeId,
    /// Name of the crate that defines the handler.
    pub(crate) handler_crate: &'static str,
    diagnostic: bool,
    /// Query string and options of curl.
    example: Option<(&'static str, &'static str)>,
    /// True if the handler receives the whole body in memory.
    pub(crate) holds_body: bool,
    /// Estimate of an attempt's memory, from its payload and the beginning of its body.
    pub(crate) estimate: Option<Estimate>,
    pub(crate) run: Run,
    /// Runtime of the handler. `None` means the caller's runtime.
    pub(crate) runtime: Option<Handle>,
    pub(crate) required_states: fn() -> Vec<StateKey>,
    pub(crate) states: States,
}

impl Command {
    /// Creates a command whose JSON body is its payload.
    ///
    /// # Panics
    /// At start, if the name is not a command type, or if an argument of the handler receives a binary body.
    pub fn json<P, A, H>(name: &str, handler: H) -> Self
    where
        P: Payload,
        A: Arguments,
        H: Handler<P, A>,
    {
        assert!(
            A::BODIES == 0,
            "take the body of {name} as its payload: only a binary command has a body of bytes"
        );
        let validation = Arc::new(Validation::<P>::new());
        let run = {
            let validation = Arc::clone(&validation);
            || -> Run {
                let handler = Arc::new(handler);
                Arc::new(move |_, body, context, states| {
                    let (handler, validation) = (Arc::clone(&handler), Arc::clone(&validation));
                    Box::pin(async move {
                        let body = Bytes::from_body(body).await.map_err(unread)?;
                        let payload = payload::from_json::<P>(&body, &validation);
                        let payload = payload.map_err(|error| no_longer_valid(&error))?;
                        let job = JobParts {
                            context,
                            body: None,
                            states,
                        };
                        handler.call(payload, job).await
                    })
                })
            }
        };
        let (schema, checks) = (OnceLock::new(), Arc::clone(&validation));
        let check: Check = Arc::new(move |query, body| {
            payload::no_query(query)?;
            let schema = schema.get_or_init(schema::of::<P>);
            payload::check_json::<P>(body, schema, &checks)
        });
        Self::new::<P, A, H>(name, Takes::Json, true, check, run, validation)
    }

    /// Creates a command that accepts a body of one of these media types. Its payload is the query string. One argument
    /// of the handler receives the body: as [`Bytes`] in memory, as a [`BodyStream`], or as a
    /// [`BodyFile`](crate::BodyFile) on disk.
    ///
    /// # Panics
    /// At start, if the name is not a command type, or if the number of arguments that receive the body is not one.
    pub fn binary<P, A, H>(name: &str, media_types: &'static [&'static str], handler: H) -> Self
    where
        P: Payload,
        A: Arguments,
        H: Handler<P, A>,
    {
        assert!(
            A::BODIES == 1,
            "take the body of {name} by one argument: `Bytes`, `BodyStream` or `BodyFile`"
        );
        let validation = Arc::new(Validation::<P>::new());
        let run = {
            let validation = Arc::clone(&validation);
            || -> Run {
                let handler = Arc::new(handler);
                Arc::new(move |query, body, context, states| {
                    let payload = payload::from_query::<P>(query, &validation);
                    let handler = Arc::clone(&handler);
                    Box::pin(async move {
                        let payload = payload.map_err(|error| no_longer_valid(&error))?;
                        let job = JobParts {
                            context,
                            body: Some(body),
                            states,
                        };
                        handler.call(payload, job).await
                    })
                })
            }
        };
        let (schema, checks) = (OnceLock::new(), Arc::clone(&validation));
        let check: Check = Arc::new(move |query, _| {
            let schema = schema.get_or_init(schema::of::<P>);
            payload::check_query::<P>(query, schema, &checks)
        });
        let takes = Takes::Binary(media_types);
        Self::new::<P, A, H>(name, takes, A::HOLDS_BODY, check, run, validation)
    }

    fn new<P: Payload, A: Arguments, H: Handler<P, A>>(
        name: &str,
        takes: Takes,
        holds_body: bool,
        check: Check,
        run: impl FnOnce() -> Run,
        validation: Arc<Validation<P>>,
    ) -> Self {
        let name = name
            .parse()
            .unwrap_or_else(|error| panic!("define the command {name:?}: {error}"));
        // A binary without handlers can't have a worker: see `Handlers`.
        let run = if cfg!(feature = "handlers") {
            run()
        } else {
            Arc::new(|_: &str, _, _, _| no_handlers())
        };
        let (limits, payload) = (Limits::default(), TypeId::of::<P>());
        Self {
            name,
            takes,
            limits,
            schema: schema::of::<P>,
            result_schema: H::result_schema,
            check,
            validation,
            payload,
            handler_crate: crate_of(type_name::<H>()),
            diagnostic: false,
            example: None,
            holds_body,
            estimate: None,
            run,
            runtime: None,
            required_states: A::states,
            states: States::default(),
        }
    }

    /// Limits the length of the body, in bytes. The maximum, and the default, is 4 MiB.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.limits.body = bytes.min(BODY_LIMIT);
        self
    }

    /// Limits the length of uploads, in bytes. The default is 64 MiB. An upload that the handler receives as JSON or
    /// [`Bytes`] is held in the worker's memory.
    #[must_use]
    pub fn upload_limit(mut self, bytes: u64) -> Self {
        self.limits.upload = bytes;
        self
    }

    /// Sets the maximum number of attempts, including the first: 1 to 100. The default is 3.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.limits.retry.max_attempts = attempts.clamp(1, MOST_ATTEMPTS);
        self
    }

    /// Sets the delays between attempts: up to `base` after the first, doubling up to `cap` (at most 30 min). The
    /// defaults are 2 s and 5 min.
    #[must_use]
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.limits.retry.base = base;
        self.limits.retry.cap = cap.min(Duration::from_secs(1800));
        self
    }

    /// Sets the timeout of one attempt. The default is 60 s. The function's own timeout may be shorter.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.limits.timeout = time;
        self
    }

    /// Fails a job with the code `expired` if its first attempt has not started within this time. The time counts from
    /// the acceptance, or from the client's `Not-Before`. Without this limit, a job waits until its retention ends.
    #[must_use]
    pub fn start_within(mut self, time: Duration) -> Self {
        self.limits.start_within = Some(time);
        self
    }

    /// Sets the time for which a job is retained after its end: 1 h to 500 days. The default is 24 h.
    #[must_use]
    pub fn retention(mut self, time: Duration) -> Self {
        self.limits.retention =
            Duration::from_secs(time.clamp(SHORTEST_RETENTION, LONGEST_RETENTION).as_secs());
        self
    }

    /// Retains the result for a shorter time than the job: at least 1 h after the end. A result of at most 32 KiB is
    /// part of the job's record, and expires with it.
    #[must_use]
    pub fn result_retention(mut self, time: Duration) -> Self {
        self.limits.result_retention =
            Some(Duration::from_secs(time.max(SHORTEST_RETENTION).as_secs()));
        self
    }

    /// Limits the memory, in bytes, that an attempt may need, including the body and the result.
    ///
    /// A worker runs attempts concurrently only if their memory fits into its budget. The others wait; their attempt
    /// and its timeout start later. A job that needs more than the whole budget fails with `memory-exceeded` before its
    /// handler runs. Without this limit, an attempt counts as the length of its body if the handler receives JSON or
    /// [`Bytes`]. A stream or a file does not count.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// Estimates the memory, in bytes, that an attempt may need, from its payload and the first 256 KiB of its body. If
    /// the function returns `None`, the limit set by [`memory`](Self::memory) applies.
    ///
    /// The function runs before the attempt starts. For this, a payload in object storage is read twice: first its
    /// beginning, then all of it. For a JSON body of more than 256 KiB, the limit applies without a call of the
    /// function.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use cloakroom_app::body::BodyHead;
    /// use cloakroom_app::{Command, HandlerError, JobContext, Output};
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Turn {
    ///     degrees: u16,
    /// }
    ///
    /// /// A raw image begins with its width and its height, and has three bytes a pixel.
    /// fn memory(turn: &Turn, image: &BodyHead) -> Option<u64> {
    ///     let side = |at| Some(u64::from(u16::from_be_bytes(image.bytes.get(at..at + 2)?.try_into().ok()?)));
    ///     let pixels = 3 * side(0)? * side(2)?;
    ///     let copies = if turn.degrees == 0 { 1 } else { 2 };
    ///     Some(image.length + copies * pixels)
    /// }
    ///
    /// async fn turn(turn: Turn, image: Bytes, job: JobContext) -> Result<Output, HandlerError> {
    ///     # _ = (turn, &job);
    ///     Ok(Output::bytes(job.content_type(), image))
    /// }
    ///
    /// let command = Command::binary("image.turn", &["image/x-raw"], turn).memory(64 << 20).memory_for(memory);
    /// ```
    ///
    /// # Panics
    /// At start, if `P` is not the payload type of the command's handler.
    #[must_use]
    pub fn memory_for<P: Payload>(
        mut self,
        estimate: impl Fn(&P, &BodyHead) -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        assert!(
            self.payload == TypeId::of::<P>(),
            "estimate the memory of {} by the payload that its handler takes",
            self.name
        );
        let (takes, checks) = (self.takes, self.validation::<P>());
        self.estimate = Some(Arc::new(move |query, head| {
            let payload = match takes {
                Takes::Json if head.is_whole() => payload::from_json(&head.bytes, &checks).ok()?,
                Takes::Json => return None,
                Takes::Binary(_) => payload::from_query(query, &checks).ok()?,
            };
            estimate(&payload, head)
        }));
        self
    }

    /// Checks a payload for rules that its schema can't express: when it is submitted, and again before its handler
    /// runs. Each error names a member by a JSON Pointer. The response is a 422 with all errors.
    ///
    /// ```
    /// use cloakroom_app::core::problem::FieldError;
    /// use cloakroom_app::{Command, HandlerError};
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Stay {
    ///     from: u32,
    ///     to: u32,
    /// }
    ///
    /// fn dates(stay: &Stay) -> Vec<FieldError> {
    ///     let wrong = stay.to <= stay.from;
    ///     wrong.then(|| FieldError::new("/to", "must be later than `from`")).into_iter().collect()
    /// }
    ///
    /// async fn book(_: Stay) -> Result<(), HandlerError> {
    ///     Ok(())
    /// }
    ///
    /// let command = Command::json("stay.book", book).validate(dates);
    /// assert!(command.check("", br#"{"from":2,"to":1}"#).is_err());
    /// ```
    ///
    /// # Panics
    /// At start, if `P` is not the payload type of the command's handler, or if the command already has a check.
    #[must_use]
    pub fn validate<P: Payload>(
        self,
        check: impl Fn(&P) -> Vec<FieldError> + Send + Sync + 'static,
    ) -> Self {
        assert!(
            self.payload == TypeId::of::<P>(),
            "validate the payload that the handler of {} takes",
            self.name
        );
        let set = self.validation::<P>().set(Box::new(check));
        assert!(set.is_ok(), "validate the payload of {} once", self.name);
        self
    }

    fn validation<P: Payload>(&self) -> Arc<Validation<P>> {
        let validation = Arc::clone(&self.validation).downcast();
        validation.expect("its type is the payload's")
    }

    /// Rejects submissions without an `Idempotency-Key`.
    #[must_use]
    pub fn key_required(mut self) -> Self {
        self.limits.key_required = true;
        self
    }

    /// Marks a command that is only for development and tests. A deployment omits it unless `CLOAKROOM_DIAGNOSTICS` is
    /// `on`.
    #[must_use]
    pub fn diagnostic(mut self) -> Self {
        self.diagnostic = true;
        self
    }

    /// Returns true if the command is only for development and tests.
    pub fn is_diagnostic(&self) -> bool {
        self.diagnostic
    }

    /// Returns the command type.
    pub fn name(&self) -> &CommandType {
        &self.name
    }

    /// Returns the form of the body.
    pub fn takes(&self) -> Takes {
        self.takes
    }

    /// Returns the limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns the JSON Schema of the payload.
    pub fn schema(&self) -> serde_json::Value {
        (self.schema)()
    }

    /// Returns the JSON Schema of the result, if it is JSON of a known type.
    pub fn result_schema(&self) -> Option<serde_json::Value> {
        (self.result_schema)()
    }

    /// Returns the accepted media types.
    pub fn media_types(&self) -> &'static [&'static str] {
        match self.takes {
            Takes::Json => &["application/json"],
            Takes::Binary(types) => types,
        }
    }

    /// Checks a payload. For a binary command, the handler checks the body.
    pub fn check(&self, query: &str, body: &[u8]) -> Result<(), PayloadError> {
        (self.check)(query, body)
    }
}

/// Returns the name of the crate in which a type is defined, from the type's path.
fn crate_of(type_name: &'static str) -> &'static str {
    type_name.split("::").next().unwrap_or_default()
}

/// Creates the error of a payload that an earlier version of the command accepted, but this version rejects.
fn no_longer_valid(error: &PayloadError) -> HandlerError {
    HandlerError::terminal("the payload is no longer valid for the command")
        .with_cause(format!("{error:?}"))
}

#[cfg(test)]
mod tests;

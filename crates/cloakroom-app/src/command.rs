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

/// What a command takes as its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// JSON, which is the payload.
    Json,
    /// One of these media types; the payload are the query parameters.
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
    /// A query string and the options of curl.
    example: Option<(&'static str, &'static str)>,
    /// The handler takes the whole body in memory.
    pub(crate) holds_body: bool,
    /// The memory that an attempt may need, by its payload and the beginning of its body.
    pub(crate) estimate: Option<Estimate>,
    pub(crate) run: Run,
    /// Where its handler runs; where it is asked to, if there is none.
    pub(crate) runtime: Option<Handle>,
    pub(crate) required_states: fn() -> Vec<StateKey>,
    pub(crate) states: States,
}

impl Command {
    /// Creates a command whose JSON body is its payload.
    ///
    /// # Panics
    /// At start, when the name is no command type, or when an argument of the handler takes a body of bytes.
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

    /// Creates a command that takes a body of one of these media types, and its payload from the query string. An argument of
    /// the handler takes the body: [`Bytes`], whole in memory; a [`BodyStream`]; or a [`BodyFile`](crate::BodyFile) on disk.
    ///
    /// # Panics
    /// At start, when the name is no command type, or when not exactly one argument of the handler takes the body.
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
        // A function without handlers has no worker: see `Handlers`.
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

    /// With a body limit in bytes: at most, and by default, 4 MiB.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.limits.body = bytes.min(BODY_LIMIT);
        self
    }

    /// With a limit in bytes on uploads; 64 MiB by default. What is taken as JSON or [`Bytes`] is held in the worker's memory.
    #[must_use]
    pub fn upload_limit(mut self, bytes: u64) -> Self {
        self.limits.upload = bytes;
        self
    }

    /// With so many attempts, the first one counted: 1 to 100, 3 by default.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.limits.retry.max_attempts = attempts.clamp(1, MOST_ATTEMPTS);
        self
    }

    /// With waits between attempts of up to `base`, doubling up to `cap` (at most half an hour); 2 s and 5 min by default.
    #[must_use]
    pub fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.limits.retry.base = base;
        self.limits.retry.cap = cap.min(Duration::from_secs(1800));
        self
    }

    /// With so long for one attempt; 60 s by default. The function's own deadline may be nearer.
    #[must_use]
    pub fn timeout(mut self, time: Duration) -> Self {
        self.limits.timeout = time;
        self
    }

    /// Fails with the code `expired` when its first attempt has not begun in so long, counted from its acceptance, or from the
    /// `Not-Before` of its client. Without it a job waits for as long as it is kept.
    #[must_use]
    pub fn start_within(mut self, time: Duration) -> Self {
        self.limits.start_within = Some(time);
        self
    }

    /// Kept for so long after the end; 24 h by default, one hour to 500 days.
    #[must_use]
    pub fn retention(mut self, time: Duration) -> Self {
        self.limits.retention =
            Duration::from_secs(time.clamp(SHORTEST_RETENTION, LONGEST_RETENTION).as_secs());
        self
    }

    /// With a result that goes before the job does: when so much time is over after the end, at least one hour. A result of
    /// at most 32 KiB stands in the job itself, and goes with it.
    #[must_use]
    pub fn result_retention(mut self, time: Duration) -> Self {
        self.limits.result_retention =
            Some(Duration::from_secs(time.max(SHORTEST_RETENTION).as_secs()));
        self
    }

    /// Bounds the memory, in bytes, that an attempt may need, the body and the result included.
    ///
    /// A worker runs attempts side by side only if their memory fits into its budget; the others wait, before their
    /// attempt and its time begin. A job that needs more than the whole budget fails with `memory-exceeded` before its
    /// handler runs. Without a bound, an attempt counts as its body where its handler takes that as JSON or [`Bytes`],
    /// and as nothing where it takes a stream or a file.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.limits.memory = Some(bytes);
        self
    }

    /// Estimates the memory, in bytes, that an attempt may need: by its payload, and by the first 256 KiB of its body. Where it returns `None`, the bound of [`memory`](Self::memory) counts.
    ///
    /// The function runs before the attempt begins, and a payload in object storage is read twice for it: the
    /// beginning, then the whole. A JSON body of more than 256 KiB counts as the bound without a call of the function.
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
    /// At start, when the payload is not that of the command's handler.
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

    /// Checks a payload for what its schema can't express, when it is submitted and again before its handler runs. Each error
    /// names a member by a JSON Pointer: the response is 422 with all of them.
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
    /// At start, when the payload is not that of the command's handler, or when the command has such a check already.
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

    /// Refuses submissions without an `Idempotency-Key`.
    #[must_use]
    pub fn key_required(mut self) -> Self {
        self.limits.key_required = true;
        self
    }

    /// Marks a command that serves only development and tests. A deployment leaves it out unless
    /// `CLOAKROOM_DIAGNOSTICS` is `on`.
    #[must_use]
    pub fn diagnostic(mut self) -> Self {
        self.diagnostic = true;
        self
    }

    /// Whether it serves only development and tests.
    pub fn is_diagnostic(&self) -> bool {
        self.diagnostic
    }

    /// Its type name.
    pub fn name(&self) -> &CommandType {
        &self.name
    }

    /// What it takes.
    pub fn takes(&self) -> Takes {
        self.takes
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The JSON Schema of its payload.
    pub fn schema(&self) -> serde_json::Value {
        (self.schema)()
    }

    /// JSON Schema of its result, if that is JSON of a known type.
    pub fn result_schema(&self) -> Option<serde_json::Value> {
        (self.result_schema)()
    }

    /// The media types that it takes.
    pub fn media_types(&self) -> &'static [&'static str] {
        match self.takes {
            Takes::Json => &["application/json"],
            Takes::Binary(types) => types,
        }
    }

    /// Checks a payload. The handler of a binary command checks its body.
    pub fn check(&self, query: &str, body: &[u8]) -> Result<(), PayloadError> {
        (self.check)(query, body)
    }
}

/// Returns the name of the crate in which a type is defined, by the path that names it.
fn crate_of(type_name: &'static str) -> &'static str {
    type_name.split("::").next().unwrap_or_default()
}

/// A payload that was accepted by an earlier version of the command than the one that is to run it.
fn no_longer_valid(error: &PayloadError) -> HandlerError {
    HandlerError::terminal("the payload is no longer what the command takes")
        .with_cause(format!("{error:?}"))
}

#[cfg(test)]
mod tests;

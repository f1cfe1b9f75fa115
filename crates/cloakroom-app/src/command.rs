//! How a command is defined: a name, a payload type, limits, and an async function; and the list of all of them.

use std::any::TypeId;
use std::future::{Future, ready};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use cloakroom_core::{CommandType, RetryPolicy};
use futures::future::BoxFuture;
use tokio::runtime::Handle;

use crate::body::{BodyError, BodyHead, BodyStream, FromBody};
use crate::context::JobContext;
use crate::handler::{HandlerError, Output};
use crate::payload::{self, Payload, PayloadError, schema};
use crate::upload::PARTS_LIFE;

/// What fits through the gateway: 6 MB of a function's input, less a third for base64.
pub const BODY_LIMIT: u64 = 4 * 1024 * 1024;

/// The shortest retention: longer than any lease or wait for a retry, so that no job expires while it is worked on.
const SHORTEST_RETENTION: Duration = Duration::from_secs(3600);

/// The longest retention, 500 days: within the last of [`RESULT_DAYS`].
const LONGEST_RETENTION: Duration = Duration::from_secs(500 * DAY);

const DAY: u64 = 24 * 3600;

/// The most attempts: a record keeps what happened in each.
const MOST_ATTEMPTS: u32 = 100;

/// For how many days object storage may keep results: each has a prefix of its own, and a rule that deletes what is below it.
pub const RESULT_DAYS: [u32; 6] = [1, 2, 8, 32, 128, 512];

/// Everything that is to be known of a command but its code.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most bytes of a body; at most [`BODY_LIMIT`].
    pub body: u64,
    /// The most bytes of an upload.
    pub upload: u64,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// Attempts, and the waits between them.
    pub retry: RetryPolicy,
    /// How long a job may wait for its first attempt.
    pub start_within: Option<Duration>,
    /// How long a job is kept after its end.
    pub retention: Duration,
    /// How long a result that object storage holds is kept after the end, where that is not as long as the job.
    pub result_retention: Option<Duration>,
    /// Whether a submission must carry an `Idempotency-Key`.
    pub key_required: bool,
    /// The most memory, in bytes, that an attempt may need. `None` is the body, where the handler takes it in memory.
    pub memory: Option<u64>,
}

impl Limits {
    /// How long a result that object storage holds is kept after the end, where that is not as long as the job.
    pub(crate) fn shorter_result(&self) -> Option<Duration> {
        self.result_retention.filter(|time| *time < self.retention)
    }

    /// The days for which object storage keeps its results: one of [`RESULT_DAYS`].
    pub fn result_days(&self) -> u32 {
        // It is written before the end, but within what a function lives.
        let needed = self.shorter_result().unwrap_or(self.retention) + Duration::from_secs(3600);
        let days = |days: u32| Duration::from_secs(u64::from(days) * DAY);
        RESULT_DAYS
            .into_iter()
            .find(|it| days(*it) >= needed)
            .unwrap_or(u32::MAX)
    }

    /// What all attempts may take, with the waits between them.
    fn all_attempts(&self) -> Duration {
        (self.timeout + self.retry.cap) * self.retry.max_attempts
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: BODY_LIMIT,
            upload: 64 * 1024 * 1024,
            timeout: Duration::from_secs(60),
            retry: RetryPolicy::default(),
            retention: Duration::from_secs(24 * 3600),
            start_within: None,
            result_retention: None,
            key_required: false,
            memory: None,
        }
    }
}

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
type Run = Arc<
    dyn Fn(&str, BodyStream, JobContext) -> BoxFuture<'static, Result<Output, HandlerError>>
        + Send
        + Sync,
>;

/// One command type: its definition and its handler.
///
/// ```
/// use cloakroom_app::{Command, HandlerError, JobContext, Output, Payload};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Greeting {
///     name: String,
/// }
///
/// impl Payload for Greeting {}
///
/// async fn greet(greeting: Greeting, job: JobContext) -> Result<Output, HandlerError> {
///     job.progress(50.0, "thinking of something nice");
///     Output::json(&format!("Hello, {}!", greeting.name))
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
    check: Check,
    payload: TypeId,
    /// The handler takes the whole body in memory.
    pub(crate) holds_body: bool,
    /// The memory that an attempt may need, by its payload and the beginning of its body.
    pub(crate) estimate: Option<Estimate>,
    pub(crate) run: Run,
    /// Where its handler runs; where it is asked to, if there is none.
    pub(crate) runtime: Option<Handle>,
}

impl Command {
    /// A command whose JSON body is its payload.
    ///
    /// # Panics
    /// At start, when the name is no command type.
    pub fn json<P, F, A>(name: &str, handler: F) -> Self
    where
        P: Payload,
        F: Fn(P, JobContext) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Output, HandlerError>> + Send + 'static,
    {
        let run = || -> Run {
            let handler = Arc::new(handler);
            Arc::new(move |_, body, context| {
                let handler = Arc::clone(&handler);
                Box::pin(async move {
                    let body = Bytes::from_body(body).await.map_err(unread)?;
                    match payload::from_json::<P>(&body) {
                        Ok(payload) => handler(payload, context).await,
                        Err(error) => Err(no_longer_valid(&error)),
                    }
                })
            })
        };
        let schema = OnceLock::new();
        let check: Check = Arc::new(move |query, body| {
            payload::no_query(query)?;
            payload::check_json::<P>(body, schema.get_or_init(schema::of::<P>))
        });
        Self::new::<P>(name, Takes::Json, true, check, run)
    }

    /// A command that takes a body of one of these media types, and its payload from the query string. The handler says by
    /// its second parameter how it takes the body: as [`Bytes`], held in memory; as a [`BodyStream`]; or as a
    /// [`BodyFile`](crate::BodyFile) on disk.
    ///
    /// # Panics
    /// At start, when the name is no command type.
    pub fn binary<P, B, F, A>(name: &str, media_types: &'static [&'static str], handler: F) -> Self
    where
        P: Payload,
        B: FromBody,
        F: Fn(P, B, JobContext) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Output, HandlerError>> + Send + 'static,
    {
        let run = || -> Run {
            let handler = Arc::new(handler);
            Arc::new(move |query, body, context| {
                let (payload, handler) = (payload::from_query::<P>(query), Arc::clone(&handler));
                Box::pin(async move {
                    let payload = payload.map_err(|error| no_longer_valid(&error))?;
                    handler(payload, B::from_body(body).await.map_err(unread)?, context).await
                })
            })
        };
        let schema = OnceLock::new();
        let check: Check = Arc::new(move |query, _| {
            payload::check_query::<P>(query, schema.get_or_init(schema::of::<P>))
        });
        Self::new::<P>(name, Takes::Binary(media_types), B::IN_MEMORY, check, run)
    }

    fn new<P: Payload>(
        name: &str,
        takes: Takes,
        holds_body: bool,
        check: Check,
        run: impl FnOnce() -> Run,
    ) -> Self {
        let name = name
            .parse()
            .unwrap_or_else(|error| panic!("define the command {name:?}: {error}"));
        // A function without handlers has no worker: see `Handlers`.
        let run = if cfg!(feature = "handlers") {
            run()
        } else {
            Arc::new(|_: &str, _, _| no_handlers())
        };
        let (limits, payload) = (Limits::default(), TypeId::of::<P>());
        Self {
            name,
            takes,
            limits,
            schema: schema::of::<P>,
            check,
            payload,
            holds_body,
            estimate: None,
            run,
            runtime: None,
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
    /// use cloakroom_app::{Command, HandlerError, JobContext, Output, Payload};
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Turn {
    ///     degrees: u16,
    /// }
    ///
    /// impl Payload for Turn {}
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
        let takes = self.takes;
        self.estimate = Some(Arc::new(move |query, head| {
            let payload = match takes {
                Takes::Json if head.is_whole() => payload::from_json::<P>(&head.bytes).ok()?,
                Takes::Json => return None,
                Takes::Binary(_) => payload::from_query::<P>(query).ok()?,
            };
            estimate(&payload, head)
        }));
        self
    }

    /// Refuses submissions without an `Idempotency-Key`.
    #[must_use]
    pub fn key_required(mut self) -> Self {
        self.limits.key_required = true;
        self
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

    /// The media types that it takes.
    pub fn media_types(&self) -> &'static [&'static str] {
        match self.takes {
            Takes::Json => &["application/json"],
            Takes::Binary(types) => types,
        }
    }

    /// Whether the payload is what it takes. The body of a binary command is for its handler to judge.
    pub fn check(&self, query: &str, body: &[u8]) -> Result<(), PayloadError> {
        (self.check)(query, body)
    }
}

/// Converts the error of a payload that its handler did not get. The attempt knows better of all but the disk, which is a part
/// of the service.
fn unread(error: BodyError) -> HandlerError {
    match error {
        BodyError::Disk(reason) => {
            HandlerError::unavailable("the payload could not be kept on disk").with_cause(reason)
        }
        BodyError::Unfetched(_) | BodyError::Corrupted => error.into(),
    }
}

fn no_handlers() -> BoxFuture<'static, Result<Output, HandlerError>> {
    let error = HandlerError::retryable("no handler is here");
    Box::pin(ready(Err(error.with_cause(
        "built without the feature `handlers` of cloakroom-app",
    ))))
}

/// A payload that was accepted by an earlier version of the command than the one that is to run it.
fn no_longer_valid(error: &PayloadError) -> HandlerError {
    HandlerError::terminal("the payload is no longer what the command takes")
        .with_cause(format!("{error:?}"))
}

/// The command types that a deployment serves.
#[derive(Clone, Default)]
pub struct Registry(pub(crate) Arc<Vec<Command>>);

impl Registry {
    /// All of these.
    ///
    /// # Panics
    /// At start, when two have the same name.
    pub fn new(mut commands: Vec<Command>) -> Self {
        commands.sort_by(|a, b| a.name.cmp(&b.name));
        for pair in commands.windows(2) {
            assert!(
                pair[0].name != pair[1].name,
                "register two commands as {}",
                pair[0].name
            );
        }
        Self(Arc::new(commands))
    }

    /// The command of this type.
    pub fn get(&self, name: &CommandType) -> Option<&Command> {
        self.0
            .binary_search_by(|command| command.name.cmp(name))
            .ok()
            .map(|at| &self.0[at])
    }

    /// How long payloads must be kept after they were written: until their job, which may be put off for its retention and
    /// then wait in the queue for as long again, is over; and for its retention then, as it may be sent back to work.
    pub fn objects_life(&self) -> Duration {
        let life =
            |limits: &Limits| 2 * limits.retention + limits.all_attempts().max(limits.retention);
        self.iter()
            .map(|command| life(&command.limits))
            .max()
            .unwrap_or_default()
    }

    /// How long a bucket must keep them, which counts from when an upload in parts was begun
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>): a command may name it hours later.
    pub fn bucket_life(&self) -> Duration {
        let of_parts = |limits: &Limits| PARTS_LIFE + 2 * limits.retention + limits.all_attempts();
        let of_parts = self
            .iter()
            .map(|command| of_parts(&command.limits))
            .max()
            .unwrap_or_default();
        self.objects_life().max(of_parts)
    }

    /// Every command, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Command> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests;

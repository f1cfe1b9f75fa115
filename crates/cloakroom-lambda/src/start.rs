//! Start of a function: its log, its thread, and its exit if the configuration is invalid.

use std::env;
use std::fmt::{Debug, Display};
use std::sync::{Arc, OnceLock};

use cloakroom_aws::config::Lookup;
use cloakroom_aws::{ConfigError, EmbeddedMetrics, MeterConfig, environment};
use lambda_http::lambda_runtime::{self, Diagnostic};
use lambda_http::tower::{Service, ServiceExt as _};
use lambda_http::tracing::subscriber::filter::{LevelFilter, Targets};
use lambda_http::tracing::subscriber::fmt::MakeWriter;
use lambda_http::tracing::subscriber::layer::SubscriberExt as _;
use lambda_http::tracing::subscriber::util::SubscriberInitExt as _;
use lambda_http::tracing::{self, Subscriber, subscriber};
use lambda_http::{Error, LambdaEvent};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Builder;

use crate::log::lines::{self, Lines};
use crate::log::{Fields, Line};

/// Runs a function to its end on this thread. Writes its log and its panics to standard output, one JSON object per
/// line.
///
/// Each line has the `timestamp` and `level` that Lambda's log filter reads, its `message` and fields, and its `span`.
/// `AWS_LAMBDA_LOG_LEVEL`, which the function's logging configuration sets, is the level of Cloakroom and of these
/// `crates`. Other crates log at `INFO` or above, because some of them log whole requests below that. `RUST_LOG`
/// overrides all of this with targets and levels (`info,aws_sdk_sqs=debug`). A release build has no lines below
/// `DEBUG`.
pub(crate) fn run<'a>(
    crates: impl IntoIterator<Item = &'a &'static str>,
    function: impl Future<Output = Result<(), Error>>,
) -> Result<(), Error> {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL")
        .ok()
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO);
    let asked = env::var("RUST_LOG").ok().filter(|asked| !asked.is_empty());
    let asked = asked.and_then(|asked| asked.parse().ok());
    let targets = asked.unwrap_or_else(|| directives(level, crates));
    log(targets, Lines).init();
    cloakroom_app::panics::log_panics();
    lines::hold();
    let ended = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(write)
        .build()?
        .block_on(function);
    write();
    ended
}

/// Handles events with this service until the function ends. Writes the log lines of an event before its response is
/// sent, so that they are available when a client has the response.
pub(crate) async fn answer<A, R, S>(service: S) -> Result<(), Error>
where
    A: DeserializeOwned,
    R: Serialize,
    S: Service<LambdaEvent<A>, Response = R>,
    S::Error: Into<Diagnostic> + Debug,
{
    lambda_runtime::run(service.map_future(written)).await
}

/// Returns the result of the future, after its log lines are written.
async fn written<T>(answer: impl Future<Output = T>) -> T {
    let answer = answer.await;
    write();
    answer
}

/// Writes all held lines, including the metrics.
fn write() {
    if let Some(meter) = METER.get() {
        meter.write();
    }
    lines::write();
}

static METER: OnceLock<Arc<EmbeddedMetrics>> = OnceLock::new();

/// Returns the meter of this function, configured from the environment. It writes to the log.
pub(crate) fn meter() -> Arc<EmbeddedMetrics> {
    let made = || {
        Arc::new(EmbeddedMetrics::new(
            configured(MeterConfig::from_env),
            lines::say,
        ))
    };
    Arc::clone(METER.get_or_init(made))
}

/// Returns the log levels: one for Cloakroom and these crates, and one for everything else.
fn directives<'a>(
    level: LevelFilter,
    crates: impl IntoIterator<Item = &'a &'static str>,
) -> Targets {
    // The level with fewer lines is the smaller one.
    let others = level.min(LevelFilter::INFO);
    // At `INFO`, the runtime opens a span for each invocation. No line needs it, because each has the span of a request
    // or a job.
    let runtime = level.min(LevelFilter::WARN);
    crates
        .into_iter()
        .fold(Targets::new(), |targets, name| {
            targets.with_target(*name, level)
        })
        .with_target("cloakroom", level)
        .with_default(others)
        .with_target("lambda_runtime", runtime)
}

fn log<W>(targets: Targets, writer: W) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let log = subscriber::fmt::layer()
        .event_format(Line)
        .fmt_fields(Fields);
    subscriber::registry()
        .with(targets)
        .with(log.with_writer(writer))
}

/// Reads a configuration from the environment. If it is invalid, ends the process with one line in the log.
pub(crate) fn configured<T>(read: impl FnOnce(Lookup<'_>) -> Result<T, ConfigError>) -> T {
    or_exit(read(&environment))
}

/// Returns the value. If there is an error, ends the process with one line in the log.
pub(crate) fn or_exit<T, E: Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        tracing::error!("failed to start: {error}");
        std::process::exit(1)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read as _, Seek as _};

    use serde_json::Value;

    use super::*;

    #[test]
    fn libraries_are_no_more_talkative_than_is_safe() {
        for (level, want) in [
            (
                LevelFilter::TRACE,
                "info,lambda_runtime=warn,cloakroom=trace,commands=trace",
            ),
            (
                LevelFilter::INFO,
                "info,lambda_runtime=warn,cloakroom=info,commands=info",
            ),
            (
                LevelFilter::ERROR,
                "error,lambda_runtime=error,cloakroom=error,commands=error",
            ),
        ] {
            assert_eq!(
                directives(level, &["commands"]).to_string(),
                want.parse::<Targets>().expect("directives").to_string()
            );
        }
    }

    #[test]
    fn all_facts_are_held_by_the_meter_that_is_written() {
        let meter = meter();
        assert!(METER.get().is_some_and(|held| Arc::ptr_eq(held, &meter)));
    }

    #[test]
    fn what_was_said_of_an_event_is_written_before_its_answer_goes_out() {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            lines::hold();
            written(async {
                lines::say("of an event\n");
                assert!(lines::any_held());
            })
            .await;
            assert!(!lines::any_held());
        });
    }

    #[test]
    fn a_panic_is_one_line_in_the_log_that_says_where_and_in_which_job() {
        let mut file = tempfile::tempfile().expect("a file for a while");
        let written: File = file.try_clone().expect("a file for a while");
        let _log = log(directives(LevelFilter::INFO, &[]), written).set_default();
        let printed = std::panic::take_hook();
        cloakroom_app::panics::log_panics();
        let ended = std::panic::catch_unwind(|| {
            let span = tracing::info_span!("job", job_id = "0d5f1c0e");
            span.in_scope(|| panic!("no {} left", "paper"));
        });
        std::panic::set_hook(printed);
        assert!(ended.is_err());

        let mut lines = String::new();
        file.rewind()
            .and_then(|()| file.read_to_string(&mut lines))
            .expect("what was written");
        let line: Value = serde_json::from_str(lines.trim()).expect("one line of JSON");
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["message"], "panicked: no paper left");
        assert_eq!(line["span"]["job_id"], "0d5f1c0e");
        let place = line["place"].as_str().expect("a place");
        assert!(place.contains("start.rs:"), "{place}");
        assert!(
            line["timestamp"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z')),
            "Lambda filters nothing without"
        );
    }

    #[test]
    fn whatever_is_said_is_a_line_of_json_that_says_it() {
        let mut file = tempfile::tempfile().expect("a file for a while");
        let _log = log(
            directives(LevelFilter::INFO, &[]),
            file.try_clone().expect("a file for a while"),
        )
        .set_default();
        let said = "a \"quote\", a \\, two\nlines,\ta \u{1}\u{7f}, and ä😀";
        let span = tracing::info_span!("job", job_id = 7, tenant = tracing::field::Empty, r#type = said, of = ?Some(said));
        span.record("tenant", tracing::field::display(said));
        span.in_scope(|| {
            tracing::warn!(
                ratio = 0.5,
                none = f64::NAN,
                over = true,
                less = -1,
                code = None::<u8>,
                "{said}"
            );
        });
        tracing::info!(name: "no span", parent: None, "one more");

        let mut lines = String::new();
        file.rewind()
            .and_then(|()| file.read_to_string(&mut lines))
            .expect("what was written");
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        let [line, other] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!(
            (&line["message"], &line["level"]),
            (&said.into(), &"WARN".into())
        );
        assert_eq!(
            (&line["ratio"], &line["less"], &line["over"]),
            (&0.5.into(), &(-1).into(), &true.into())
        );
        assert!(line["none"].is_null() && line.get("code").is_none());
        let span = &line["span"];
        assert_eq!((&span["name"], &span["job_id"]), (&"job".into(), &7.into()));
        assert_eq!(
            (&span["tenant"], &span["type"]),
            (&said.into(), &said.into())
        );
        assert_eq!(span["of"], format!("{:?}", Some(said)));
        assert!(other.get("span").is_none() && other["message"] == "one more");
    }
}

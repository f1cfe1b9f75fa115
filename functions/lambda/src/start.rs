//! The start of a function: its log, and its end where the configuration is wrong.

use std::env;

use cloakroom_aws::ConfigError;
use lambda_http::tracing::subscriber::filter::{EnvFilter, LevelFilter};
use lambda_http::tracing::subscriber::fmt::MakeWriter;
use lambda_http::tracing::subscriber::util::SubscriberInitExt as _;
use lambda_http::tracing::{self, Subscriber, subscriber};

/// Sends the log to standard output, a JSON object a line, and panics to the log.
///
/// Each line has the `timestamp` and `level` that Lambda's log filter goes by, its `message` and fields, and the `span` it
/// belongs to. The level is `AWS_LAMBDA_LOG_LEVEL`, as the function's logging configuration sets it; libraries don't go
/// below `INFO`, as some of them then show requests with all that is in them. `RUST_LOG` says otherwise.
pub fn start() {
    let level = env::var("AWS_LAMBDA_LOG_LEVEL").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    let asked = env::var("RUST_LOG").ok().filter(|asked| !asked.is_empty());
    log(EnvFilter::new(asked.unwrap_or_else(|| directives(level))), std::io::stdout).init();
    cloakroom_app::panics::log_panics();
}

/// The level of our own crates and of the handlers, and of everything else.
fn directives(level: LevelFilter) -> String {
    // The one that lets less through is the smaller one.
    let others = level.min(LevelFilter::INFO);
    format!("{others},cloakroom={level},commands={level}")
}

fn log<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let log = subscriber::fmt().json().flatten_event(true).with_span_list(false);
    log.with_env_filter(filter).with_writer(writer).finish()
}

/// Reads the configuration; ends the process with one line in the log where it is wrong.
pub fn configured<T>(read: impl FnOnce() -> Result<T, ConfigError>) -> T {
    read().unwrap_or_else(|error| {
        tracing::error!("can't start: {error}");
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
            (LevelFilter::TRACE, "info,cloakroom=trace,commands=trace"),
            (LevelFilter::INFO, "info,cloakroom=info,commands=info"),
            (LevelFilter::ERROR, "error,cloakroom=error,commands=error"),
        ] {
            assert_eq!(directives(level), want);
            assert_eq!(EnvFilter::new(directives(level)).max_level_hint(), Some(level));
        }
    }

    #[test]
    fn a_panic_is_one_line_in_the_log_that_says_where_and_in_which_job() {
        let mut file = tempfile::tempfile().expect("a file for a while");
        let written: File = file.try_clone().expect("a file for a while");
        let _log = log(EnvFilter::new("info"), written).set_default();
        let printed = std::panic::take_hook();
        cloakroom_app::panics::log_panics();
        let ended = std::panic::catch_unwind(|| {
            let span = tracing::info_span!("job", job_id = "0d5f1c0e");
            span.in_scope(|| panic!("no {} left", "paper"));
        });
        std::panic::set_hook(printed);
        assert!(ended.is_err());

        let mut lines = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut lines)).expect("what was written");
        let line: Value = serde_json::from_str(lines.trim()).expect("one line of JSON");
        assert_eq!(line["level"], "ERROR");
        assert_eq!(line["message"], "panicked: no paper left");
        assert_eq!(line["span"]["job_id"], "0d5f1c0e");
        let place = line["place"].as_str().expect("a place");
        assert!(place.contains("start.rs:"), "{place}");
        assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "Lambda filters nothing without");
    }
}

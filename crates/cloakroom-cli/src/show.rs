//! Output of the program: documents and ids on standard output, for scripts; messages on standard error, for people.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom_client::{JobView, Status, Uploading, redact};
use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::{Exit, Failure};

/// Writes to standard output. A closed pipe (`| head -1`) is not a failure.
pub(crate) fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure {
            exit: Exit::Usage,
            message: format!("failed to write to standard output: {error}"),
        }),
        _ => Ok(()),
    }
}

/// Writes a line to standard output.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    write(format!("{text}\n").as_bytes())
}

/// Writes a job to standard output as JSON, in one line.
pub(crate) fn json(job: &JobView) -> Result<(), Failure> {
    line(&serde_json::to_string(job).expect("a job is JSON"))
}

/// Writes a line to standard error, without the credentials of URLs.
pub(crate) fn note(text: &str) {
    // An error can't be reported if standard error is closed.
    let _ = writeln!(std::io::stderr(), "{}", redact::text(text));
}

/// Progress of a job on standard error: a bar on a terminal, else a line for each change. Clones share the screen.
#[derive(Clone)]
pub(crate) struct Screen {
    bar: Option<ProgressBar>,
    last: Arc<Mutex<String>>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr()
            .is_terminal()
            .then(|| ProgressBar::new(100).with_style(style("{spinner} {msg} {elapsed}")));
        Self {
            bar,
            last: Arc::default(),
        }
    }

    /// Writes a line above the bar.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }

    /// Shows the current state of the job.
    pub(crate) fn update(&self, job: &JobView) {
        let text = describe(job);
        match &self.bar {
            Some(bar) if !job.status.is_terminal() => draw(bar, job, text),
            _ => {
                self.clear();
                let mut last = self.last.lock().expect("no one panics while drawing");
                if *last != text {
                    note(&text);
                    *last = text;
                }
            }
        }
    }

    /// Shows the progress of an upload on a terminal.
    pub(crate) fn uploading(&self, uploading: &Uploading) {
        let Some(bar) = &self.bar else { return };
        if bar.length() != Some(uploading.length) {
            bar.set_style(style(
                "{spinner} [{bar:30}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
            ));
            bar.set_length(uploading.length);
            bar.set_position(uploading.sent);
            // Bytes that were uploaded before do not count for the speed.
            bar.reset_eta();
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        bar.set_position(uploading.sent);
    }

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn draw(bar: &ProgressBar, job: &JobView, text: String) {
    bar.set_length(100);
    if let Some(progress) = job
        .progress
        .as_ref()
        .filter(|_| job.status == Status::Running)
    {
        bar.set_style(style("{spinner} [{bar:30}] {msg} {elapsed}"));
        // 0 to 100 by the contract. The cast saturates for any other value.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float's cast saturates"
        )]
        bar.set_position(progress.percent as u64);
    } else {
        bar.set_style(style("{spinner} {msg} {elapsed}"));
    }
    bar.set_message(text);
    bar.enable_steady_tick(Duration::from_millis(120));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("a template")
        .progress_chars("=> ")
}

/// Describes a job in one line.
pub(crate) fn describe(job: &JobView) -> String {
    let word = job.status.as_str();
    let error = job
        .error
        .as_ref()
        .map(|error| format!(": {} ({})", printable(&error.detail), error.code))
        .unwrap_or_default();
    match job.status {
        Status::Accepted | Status::Cancelling | Status::Succeeded | Status::Cancelled => {
            word.to_owned()
        }
        Status::Failed => format!("{word}{error}"),
        Status::Retrying => format!("{word} after attempt {}{error}", job.attempt),
        Status::Running => {
            let attempt = if job.attempt > 1 {
                format!(", attempt {}", job.attempt)
            } else {
                String::new()
            };
            let progress = job.progress.as_ref().map(|progress| {
                let message = progress
                    .message
                    .as_deref()
                    .map(|text| format!(": {}", printable(text)));
                format!(" {:.0} %{}", progress.percent, message.unwrap_or_default())
            });
            format!("{word}{attempt}{}", progress.unwrap_or_default())
        }
    }
}

/// Replaces control characters in a handler's text, which could control the terminal or break the line.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(more: &Value) -> JobView {
        let mut job = json!({
            "id": "1", "type": "a", "status": "running", "attempt": 1, "links": { "self": "/jobs/1", "result": "/jobs/1/result" },
            "created_at": "2026-11-21T08:00:00.123Z", "updated_at": "2026-11-21T08:00:00.123Z", "expires_at": "2026-11-21T08:00:00.123Z",
        });
        for (name, value) in more.as_object().expect("an object") {
            job[name] = value.clone();
        }
        serde_json::from_value(job).expect("a job")
    }

    #[test]
    fn a_job_is_one_line() {
        let error =
            json!({ "code": "no-such-face", "detail": "no face\n\u{1b}[2J", "status": 400 });
        let cases = [
            (json!({}), "running"),
            (
                json!({ "attempt": 2, "progress": { "percent": 42.5 } }),
                "running, attempt 2 42 %",
            ),
            (
                json!({ "progress": { "percent": 7.0, "message": "resizing" } }),
                "running 7 %: resizing",
            ),
            (
                json!({ "status": "retrying", "error": error }),
                "retrying after attempt 1: no face  [2J (no-such-face)",
            ),
            (json!({ "status": "succeeded" }), "succeeded"),
        ];
        for (more, text) in cases {
            assert_eq!(describe(&job(&more)), text);
        }
    }
}

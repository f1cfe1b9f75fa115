//! Requirements of a deployment's commands.

use std::time::Duration;

use cloakroom_app::command::RESULT_DAYS;
use cloakroom_app::{Command, Registry};

/// Maximum requirements of all commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Timeout of an attempt.
    pub(crate) timeout: Duration,
    /// Number of attempts.
    pub(crate) attempts: u32,
    /// Retention of a job after its end. A job may also wait in the queue for this time.
    pub(crate) retention: Duration,
    /// Time for which payloads are needed.
    pub(crate) objects_life: Duration,
    /// True for each of [`RESULT_DAYS`] for which some command stores results.
    pub(crate) results: [bool; RESULT_DAYS.len()],
}

impl Needs {
    pub(crate) fn from_commands(commands: &Registry) -> Self {
        let limits = || commands.iter().map(Command::limits);
        Self {
            timeout: limits().map(|it| it.timeout).max().unwrap_or_default(),
            attempts: limits()
                .map(|it| it.retry.max_attempts)
                .max()
                .unwrap_or_default(),
            retention: limits().map(|it| it.retention).max().unwrap_or_default(),
            objects_life: commands.bucket_life(),
            results: RESULT_DAYS.map(|days| limits().any(|it| it.result_days() == days)),
        }
    }
}

/// Default requirements, for tests.
#[cfg(test)]
pub(crate) const USUAL: Needs = Needs {
    timeout: Duration::from_secs(60),
    attempts: 3,
    retention: Duration::from_secs(24 * 3600),
    objects_life: Duration::from_secs(72 * 3600),
    results: [false, true, false, false, false, false],
};

#[cfg(test)]
mod tests {
    use cloakroom_app::testing::Nothing;
    use cloakroom_app::{HandlerError, JobContext, Output};

    use super::*;

    async fn nothing(_: Nothing, _: JobContext) -> Result<Output, HandlerError> {
        Ok(Output::none())
    }

    #[test]
    fn the_most_demanding_command_counts() {
        let command = |name| Command::json(name, nothing);
        assert_eq!(
            Needs::from_commands(&Registry::new(vec![command("a.b")])),
            USUAL
        );
        let long = command("a.c")
            .retention(Duration::from_secs(72 * 3600))
            .attempts(1);
        let slow = command("a.d").timeout(Duration::from_secs(600)).attempts(7);
        let needs = Needs::from_commands(&Registry::new(vec![command("a.b"), long, slow]));
        assert_eq!((needs.timeout.as_secs(), needs.attempts), (600, 7));
        assert_eq!(
            (needs.retention.as_secs(), needs.objects_life.as_secs()),
            (72 * 3600, 216 * 3600)
        );
        assert_eq!(
            needs.results,
            [false, true, true, false, false, false],
            "2 and 8 days"
        );
        // For commands with a short retention, the lifetime of a multipart upload dominates.
        let short = command("a.e").retention(Duration::from_secs(16 * 3600));
        assert_eq!(
            Needs::from_commands(&Registry::new(vec![short]))
                .objects_life
                .as_secs(),
            (23 + 2 * 16) * 3600 + 3 * 360
        );
    }
}

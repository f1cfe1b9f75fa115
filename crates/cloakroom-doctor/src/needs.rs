//! What the commands of a deployment ask of its services.

use std::time::Duration;

use cloakroom_app::command::RESULT_DAYS;
use cloakroom_app::{Command, Registry};

/// The most that any command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// How long an attempt may take.
    pub(crate) timeout: Duration,
    /// How many attempts there may be.
    pub(crate) attempts: u32,
    /// How long a job may wait in the queue, and is kept after its end.
    pub(crate) retention: Duration,
    /// How long payloads are needed.
    pub(crate) objects_life: Duration,
    /// Which of [`RESULT_DAYS`] there are results of.
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

/// What commands need by default: for tests.
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
        // Of a command whose jobs are kept shortly, the time until an upload in parts is named counts for more.
        let short = command("a.e").retention(Duration::from_secs(16 * 3600));
        assert_eq!(
            Needs::from_commands(&Registry::new(vec![short]))
                .objects_life
                .as_secs(),
            (23 + 2 * 16) * 3600 + 3 * 360
        );
    }
}

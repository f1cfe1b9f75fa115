//! Commands, and their handler, which follows the plan for each attempt.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_app::{Command, HandlerError, JobContext, Output, Registry};
use cloakroom_core::{JobKey, RetryPolicy};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::sleep;

use crate::attempts::{TIMEOUT, dice_of};
use crate::invariant::{ATTEMPTS, Life, SOON, SOON_ENOUGH, result_of};
use crate::names::short;
use crate::port::Process;

/// Twice the minimum retention: the sweeper has time for several looks after it waited for an outage.
pub(crate) const RETENTION: Duration = Duration::from_secs(7200);

/// Payload: a number, and data that makes it large.
#[derive(Debug, Deserialize, JsonSchema)]
struct Act {
    n: u64,
    #[serde(default)]
    #[expect(dead_code, reason = "it makes the payload large")]
    fill: String,
}

/// Creates the commands. Their handler follows the plan for each attempt.
pub(crate) fn registry(process: &Arc<Process>) -> Registry {
    Registry::new(vec![
        command(process, "act"),
        command(process, SOON).start_within(SOON_ENOUGH),
    ])
}

fn command(process: &Arc<Process>, name: &'static str) -> Command {
    let process = Arc::clone(process);
    let retry = RetryPolicy {
        max_attempts: ATTEMPTS,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(5),
    };
    Command::json(name, move |act: Act, job| {
        handle(Arc::clone(&process), act, job)
    })
    .attempts(retry.max_attempts)
    .backoff(retry.base, retry.cap)
    .timeout(TIMEOUT)
    .retention(RETENTION)
}

async fn handle(process: Arc<Process>, act: Act, job: JobContext) -> Result<Output, HandlerError> {
    let world = Arc::clone(&process.world);
    let key = JobKey {
        tenant: job.tenant().clone(),
        id: job.id(),
    };
    let life = (key, job.created_at());
    world.state().watch.handler(&life, job.attempt(), act.n);
    world.tell(|| {
        format!(
            "handler of {}: attempt {} begins",
            short(job.id()),
            job.attempt()
        )
    });
    let mut dice = dice_of(world.plan.seed, job.id(), job.attempt());
    let time = dice.millis(0, 4000);
    let _runs = Runs::begin(&process, life, job.attempt());
    if world.plan.poisons(job.id()) {
        sleep(time).await;
        world.tell(|| format!("handler of {}: kills its process", short(job.id())));
        process.die();
        std::future::pending::<()>().await;
    }
    // Some jobs have a large result, in every attempt.
    let large = job.id().as_uuid().as_u128().is_multiple_of(4);
    match dice.below(20) {
        0..9 => sleep(time).await,
        9 => return Err(HandlerError::retryable("not now")),
        10 => return Err(HandlerError::terminal("never")),
        11 => std::panic::resume_unwind(Box::new("a handler's panic, of which no hook is told")),
        // Longer than the timeout. Some of these handlers react to the request to stop.
        12 | 13 => tokio::select! {
            biased;
            () = job.cancelled() => return Err(HandlerError::cancelled()),
            () = sleep(time * 20) => {}
        },
        14 => sleep(time * 20).await,
        15 => {
            for percent in [20.0, 40.0, 60.0, 80.0] {
                sleep(time).await;
                job.progress(percent, "");
            }
        }
        _ => sleep(time * 3).await,
    }
    let mut result = result_of(job.attempt()).into_bytes();
    if large {
        result.resize(33_000, b'.');
    }
    Ok(Output::bytes("text/plain", result))
}

/// A running handler in its process.
struct Runs {
    process: Arc<Process>,
    attempt: (Life, u32),
}

impl Runs {
    fn begin(process: &Arc<Process>, life: Life, attempt: u32) -> Self {
        process
            .world
            .state()
            .runs(process.life, &(life.clone(), attempt));
        Self {
            process: Arc::clone(process),
            attempt: (life, attempt),
        }
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        let now = self.process.world.now();
        self.process
            .world
            .state()
            .watch
            .ran_out(self.process.life, &self.attempt, now);
    }
}

//! Computes the number of polls of a job and the delay until its client learns of its end, with the advised intervals.

use std::fmt::Write as _;
use std::time::Duration;

use cloakroom_core::poll::retry_after;
use cloakroom_core::{
    CommandType, Digest, Fingerprint, Job, JobId, NewJob, Status, Tenant, Timestamp,
};
use uuid::Uuid;

/// Ranges of job durations in seconds.
const LENGTHS: [(f64, f64); 8] = [
    (0.1, 1.0),
    (1.0, 3.0),
    (3.0, 10.0),
    (10.0, 30.0),
    (30.0, 60.0),
    (60.0, 120.0),
    (120.0, 600.0),
    (0.1, 600.0),
];

/// Number of jobs per row. Their durations are distributed evenly on a logarithmic scale.
const JOBS: u32 = 5000;

#[derive(Default)]
struct Sum {
    polls: f64,
    late: f64,
}

impl Sum {
    fn add(&mut self, seconds: f64, wait: impl Fn(f64) -> f64) {
        let mut now = 0.0;
        while now < seconds {
            now += wait(now);
            self.polls += 1.0;
        }
        self.late += now - seconds;
    }
}

pub(crate) fn measure() -> String {
    let job = running();
    let advised = |now: f64| {
        let seconds = retry_after(&job, job.created_at.after(Duration::from_secs_f64(now)));
        f64::from(u32::try_from(seconds).expect("30 at most"))
    };
    let mut page = format!(
        "\n## Polls\n\nComputed: {JOBS} jobs a row that report no progress, polled as `Retry-After` advises, and every second.\n\n\
         | length, s | polls a job, advised | every second | ratio | later, advised | every second |\n|--:|--:|--:|--:|--:|--:|\n"
    );
    for (from, to) in LENGTHS {
        let (mut length, mut by_advice, mut by_second) = (0.0, Sum::default(), Sum::default());
        for n in 0..JOBS {
            let seconds = from * f64::powf(to / from, f64::from(n) / f64::from(JOBS - 1));
            length += seconds;
            by_advice.add(seconds, advised);
            by_second.add(seconds, |_| 1.0);
        }
        let jobs = f64::from(JOBS);
        _ = writeln!(
            page,
            "| {from} to {to} | {:.1} | {:.1} | {:.2} | {:.0} % | {:.0} % |",
            by_advice.polls / jobs,
            by_second.polls / jobs,
            by_advice.polls / by_second.polls,
            100.0 * by_advice.late / length,
            100.0 * by_second.late / length,
        );
    }
    page
}

fn running() -> Job {
    let command: CommandType = "report.write".parse().expect("a good name");
    let new = NewJob {
        tenant: Tenant::default(),
        id: JobId::from_uuid(Uuid::nil()),
        client_job_id: None,
        fingerprint: Fingerprint::new(
            &command,
            "",
            "application/json",
            &Digest::from_content(b"{}"),
            2,
        ),
        command,
        retention: Duration::from_secs(86_400),
        not_before: None,
        events: None,
    };
    Job {
        status: Status::Running,
        ..Job::accept(new, Timestamp::from_seconds(1_795_248_000))
    }
}

//! Measures whether the costs of a job depend on the number of jobs, and whether messages of a batch wait concurrently.

use std::fmt::Write as _;

use crate::aws::Counts;
use crate::events;
use crate::function::{BATCH, count, micros, poll, run};
use crate::place::Place;
use crate::process::Function;
use crate::statistics::median;

/// Numbers of jobs in the table, all of one tenant with a key each.
const JOBS: [usize; 6] = [1, 10, 100, 1000, 10_000, 100_000];

/// Number of jobs that are measured at each mark.
const MEASURED: usize = 500;

/// Number of processes with a waiting batch.
const PROCESSES: usize = 5;

/// Measures CPU time, calls, bytes and units per job, for tables of one to a hundred thousand jobs.
pub(crate) fn measure(place: &Place) -> String {
    let mut page = "\n## Scale\n\nA job's way through the same three processes, with so many jobs of one tenant in the table. \
        Every call is of one item by its key, so what DynamoDB charges is what is counted here.\n\n\
        | jobs in the table | CPU a submit, µs | CPU a job worked on, µs | CPU a poll, µs | AWS calls a job | bytes sent a job | write units | read units a poll |\n\
        |--:|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    let (mut submit, mut worker, mut status) = (
        place.start("submit", false),
        place.start("worker", false),
        place.start("status", false),
    );
    let mut jobs = 0;
    // Warms up with one lot before the first mark.
    lot(place, &mut submit, &mut worker, &mut status, &mut jobs);
    for mark in JOBS {
        while jobs < mark {
            submit.invoke(&crate::function::submission(jobs));
            jobs += 1;
        }
        let before = jobs;
        let (cpu, job, poll) = lot(place, &mut submit, &mut worker, &mut status, &mut jobs);
        let calls: usize = job.calls.values().sum();
        let each = |n: usize| count(n) / count(MEASURED);
        _ = writeln!(
            page,
            "| {before} | {:.0} | {:.0} | {:.0} | {:.1} | {:.0} | {:.1} | {:.1} |",
            cpu[0] / count(MEASURED),
            cpu[1] / count(MEASURED),
            cpu[2] / count(MEASURED),
            each(calls),
            each(job.sent),
            each(job.units.write),
            each(poll.units.read),
        );
        eprintln!("{before} jobs");
    }
    page
}

/// Runs some jobs from their submission to their end, and polls each. Returns the CPU times of the three functions in
/// microseconds, and the calls for the jobs and for the polls.
fn lot(
    place: &Place,
    submit: &mut Function,
    worker: &mut Function,
    status: &mut Function,
    jobs: &mut usize,
) -> ([f64; 3], Counts, Counts) {
    let submissions: Vec<_> = (*jobs..*jobs + MEASURED)
        .map(crate::function::submission)
        .collect();
    *jobs += MEASURED;
    place.aws.messages();
    place.aws.counts();
    let in_submit = cpu(submit, &submissions);
    let bodies = place.aws.messages();
    let batches: Vec<_> = bodies.chunks(BATCH).map(events::batch).collect();
    let in_worker = cpu(worker, &batches);
    let job = place.aws.counts();
    let polls: Vec<_> = bodies.iter().map(|body| poll(body)).collect();
    let in_status = cpu(status, &polls);
    ([in_submit, in_worker, in_status], job, place.aws.counts())
}

fn cpu(function: &mut Function, events: &[Vec<u8>]) -> f64 {
    let before = function.cpu();
    run(function, events);
    micros(function.cpu().saturating_sub(before))
}

/// Measures one batch of jobs that wait for a second each. Returns the median of several processes, because one may be
/// delayed.
pub(crate) fn waiting(place: &Place) -> String {
    let body = r#"{"duration_ms":1000}"#;
    let submission = |n: usize| {
        events::request(
            "POST",
            "/commands/diagnostic.run",
            Some(&format!("wait-{n}")),
            Some(body),
        )
    };
    place.aws.messages();
    run(
        &mut place.start("submit", false),
        &(0..BATCH).map(submission).collect::<Vec<_>>(),
    );
    let batch = events::batch(&place.aws.messages());
    let took = || place.start("worker", false).invoke(&batch).1.as_secs_f64();
    let took = median((0..PROCESSES).map(|_| took()));
    format!("\nA batch of {BATCH} jobs that wait for 1 s each takes {took:.2} s.\n")
}

//! Calls per job: counts that follow from the code.

use std::time::Duration;

use super::call::{By, Call, call};
use super::sizes::{GIGABYTE, MESSAGE_PIECE, Payload, READ_PIECE, REQUEST_PIECE, WRITE_PIECE};
use super::time::{billed, gigabytes};
use super::{Api, DAYS, Meter, Workload, float, pieces};

/// Minimum number of pollers of a queue, for a mapping with a maximum concurrency, as in the template:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>.
const POLLERS: f64 = 5.0;

/// Number of polled queues: commands, dead letters, and the sweeper's lists. With deliveries, their queue too.
const QUEUES: f64 = 3.0;

/// Batching window in seconds of the sweeper. It is invoked once per window with accepted jobs, or per batch of jobs.
const SWEEPER_WINDOW: f64 = 60.0;
const SWEEPER_BATCH: f64 = 1000.0;

/// Maximum duration of a long poll, in seconds.
const LONG_POLL: f64 = 20.0;

/// Storage time of an object in days: three in the template (one for an upload), plus the time until the rules run at
/// midnight.
pub(super) const OBJECT_DAYS: f64 = 3.5;
const UPLOAD_DAYS: f64 = 1.5;

impl Workload {
    /// Returns all calls per job, including those for all attempts. Calls with a count of zero are omitted.
    pub fn calls(&self) -> Vec<Call> {
        let all = [
            self.submit(),
            self.work(),
            self.poll(),
            self.functions(),
            self.sweep(),
            self.keep(),
            self.follow(),
            self.publish(),
            self.deliver(),
        ];
        all.into_iter()
            .flatten()
            .filter(|call| call.a_job * call.units > 0.0)
            .collect()
    }

    fn submit(&self) -> Vec<Call> {
        let pieces_of_message = pieces(self.message(), MESSAGE_PIECE);
        let in_request = if self.payload_is() == Payload::Uploaded {
            0
        } else {
            self.payload
        };
        let request = match self.api {
            Api::Rest => 1.0,
            Api::Http => pieces(float(in_request), REQUEST_PIECE),
        };
        let mut calls = match self.payload_is() {
            Payload::Inline => vec![],
            Payload::Stored => vec![call(By::Submit, "S3.PutObject", Meter::Puts, 1.0, 1.0)],
            Payload::Uploaded => vec![
                call(By::Client, "POST /uploads", Meter::Requests, 1.0, 1.0),
                call(By::Client, "S3.PutObject", Meter::Puts, 1.0, 1.0),
                call(By::Submit, "S3.HeadObject", Meter::Gets, 1.0, 1.0),
                call(By::Submit, "DynamoDB.GetItem", Meter::Reads, 1.0, 1.0),
                call(By::Submit, "DynamoDB.PutItem", Meter::Writes, 1.0, 1.0),
                call(By::Submit, "S3.CopyObject", Meter::Puts, 1.0, 1.0),
            ],
        };
        calls.extend([
            call(By::Client, "POST /commands", Meter::Requests, 1.0, request),
            call(
                By::Submit,
                "DynamoDB.PutItem",
                Meter::Writes,
                1.0,
                pieces(self.open_record(), WRITE_PIECE),
            ),
            call(
                By::Submit,
                "SQS.SendMessage",
                Meter::Messages,
                1.0,
                pieces_of_message,
            ),
        ]);
        calls
    }

    fn work(&self) -> Vec<Call> {
        let (again, small) = (self.attempts - 1.0, pieces(self.open_record(), WRITE_PIECE));
        let signs = self.attempts * self.signs_of_life();
        let stored = if self.payload_is() == Payload::Inline {
            0.0
        } else {
            self.attempts
        };
        let result = if self.result_is_stored() { 1.0 } else { 0.0 };
        vec![
            // Claims, heartbeats, and the ends of attempts before another attempt.
            call(
                By::Worker,
                "DynamoDB.UpdateItem",
                Meter::Writes,
                self.attempts + signs + again,
                small,
            ),
            call(By::Worker, "S3.GetObject", Meter::Gets, stored, 1.0),
            call(
                By::Worker,
                "SQS.ChangeMessageVisibility",
                Meter::Messages,
                signs + again,
                1.0,
            ),
            call(By::Worker, "S3.PutObject", Meter::Puts, result, 1.0),
            // End of the last attempt, with the result.
            call(
                By::Worker,
                "DynamoDB.UpdateItem",
                Meter::Writes,
                1.0,
                pieces(self.record(), WRITE_PIECE),
            ),
            call(
                By::Aws,
                "SQS.ReceiveMessage",
                Meter::Messages,
                self.attempts / self.batch,
                pieces(self.batch * self.message(), MESSAGE_PIECE),
            ),
            call(
                By::Aws,
                "SQS.DeleteMessageBatch",
                Meter::Messages,
                1.0 / self.batch,
                1.0,
            ),
            call(
                By::Aws,
                "SQS.ReceiveMessage",
                Meter::EmptyReceives,
                self.queues() * POLLERS * DAYS * 86_400.0 / LONG_POLL / self.jobs,
                1.0,
            ),
        ]
    }

    fn queues(&self) -> f64 {
        if self.has_deliveries() {
            QUEUES + 1.0
        } else {
            QUEUES
        }
    }

    /// Returns the number of writes between the claim of an attempt and its end.
    fn signs_of_life(&self) -> f64 {
        self.reports() + self.heartbeats()
    }

    /// Returns the number of recorded progress reports in an attempt.
    pub(super) fn reports(&self) -> f64 {
        f64::from(self.progress).min(self.duration.as_secs_f64().floor() + 1.0)
    }

    /// Returns the number of heartbeats in an attempt. A progress report delays the next one.
    pub(super) fn heartbeats(&self) -> f64 {
        let stretches = self.reports() + 1.0;
        let silence = self.duration.as_secs_f64() / stretches;
        let heartbeats = (silence / (self.lease.as_secs_f64() / 3.0)).ceil() - 1.0;
        stretches * heartbeats.max(0.0)
    }

    fn poll(&self) -> Vec<Call> {
        let last = self.polls.min(1.0);
        let fetched = if self.result_is_stored() { last } else { 0.0 };
        vec![
            call(By::Client, "GET /jobs", Meter::Requests, self.polls, 1.0),
            call(
                By::Status,
                "DynamoDB.GetItem",
                Meter::Reads,
                self.polls * reads(self.wait) - last,
                1.0,
            ),
            call(
                By::Status,
                "DynamoDB.GetItem",
                Meter::Reads,
                last,
                pieces(self.record(), READ_PIECE),
            ),
            call(By::Client, "S3.GetObject", Meter::Gets, fetched, 1.0),
            call(
                By::Client,
                "a result",
                Meter::Transfer,
                last,
                float(self.result) / GIGABYTE,
            ),
        ]
    }

    fn functions(&self) -> Vec<Call> {
        let requests = self.polls
            + if self.payload_is() == Payload::Uploaded {
                2.0
            } else {
                1.0
            };
        let batches = self.attempts / self.batch;
        let waited = self.polls / requests * self.wait.as_secs_f64();
        let http = billed(self.http_duration) + waited;
        vec![
            call(
                By::Aws,
                "Lambda.Invoke",
                Meter::HttpInvocations,
                requests,
                1.0,
            ),
            call(
                By::Aws,
                "a run",
                Meter::HttpTime,
                requests,
                http * gigabytes(self.http_memory),
            ),
            call(
                By::Aws,
                "Lambda.Invoke",
                Meter::WorkerInvocations,
                batches,
                1.0,
            ),
            call(
                By::Aws,
                "a run",
                Meter::WorkerTime,
                batches,
                billed(self.duration) * gigabytes(self.worker_memory),
            ),
            self.logs(requests + batches),
        ]
    }

    /// Returns the calls of the sweeper: one look after about a minute, and one more per hour for a job that is still
    /// open.
    fn sweep(&self) -> Vec<Call> {
        let invocations =
            (DAYS * 86_400.0 / SWEEPER_WINDOW / self.jobs + 1.0 / SWEEPER_BATCH).min(1.0);
        vec![
            call(
                By::Aws,
                "Lambda.Invoke",
                Meter::SweeperInvocations,
                invocations,
                1.0,
            ),
            self.logs(invocations),
            call(
                By::Sweeper,
                "SQS.GetQueueAttributes",
                Meter::Messages,
                invocations,
                1.0,
            ),
            call(
                By::Sweeper,
                "DynamoDB.GetItem",
                Meter::SweeperReads,
                1.0,
                pieces(self.record(), READ_PIECE),
            ),
        ]
    }

    /// Returns the logs of this number of invocations.
    pub(super) fn logs(&self, invocations: f64) -> Call {
        let gigabytes = float(self.log) / GIGABYTE;
        call(By::Aws, "a log", Meter::Logs, invocations, gigabytes)
    }

    fn keep(&self) -> Vec<Call> {
        let kept = |bytes: u64, days: f64| float(bytes) / GIGABYTE * days / DAYS;
        let payload = match self.payload_is() {
            Payload::Inline => 0.0,
            Payload::Stored => kept(self.payload, OBJECT_DAYS),
            Payload::Uploaded => kept(self.payload, OBJECT_DAYS) + kept(self.payload, UPLOAD_DAYS),
        };
        let result = if self.result_is_stored() {
            kept(self.result, OBJECT_DAYS)
        } else {
            0.0
        };
        vec![call(
            By::Aws,
            "an object",
            Meter::Storage,
            1.0,
            payload + result,
        )]
    }
}

/// Returns the number of reads during a long poll: one at once, then after pauses from 0.1 s that grow by half up to 1
/// s.
fn reads(wait: Duration) -> f64 {
    let (mut reads, mut waited, mut pause) = (1.0, Duration::ZERO, Duration::from_millis(100));
    while waited < wait {
        waited += pause;
        reads += 1.0;
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
    reads
}

//! Calls of server-sent events.

use std::time::Duration;

use super::call::{By, Call, call};
use super::polls::LONGEST_WAIT;
use super::sizes::{GIGABYTE, READ_PIECE};
use super::time::{billed, gigabytes};
use super::{Api, Meter, Workload, float, pieces};

/// Duration of a stream in seconds. A REST API streams it. An HTTP API returns it as a whole, and a request then lasts no
/// longer than a long poll.
const STREAM: f64 = 55.0;

/// Interval of comments in a stream, in seconds.
const SILENCE: f64 = 15.0;

/// Requests of a client that follows a job to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Followed {
    requests: f64,
    /// Time for which the requests are held, in seconds.
    held: f64,
    reads: f64,
}

impl Workload {
    pub(super) fn follow(&self) -> Vec<Call> {
        let it = self.followed(self.listeners.followed);
        if it.requests == 0.0 {
            return vec![];
        }
        let run = billed(self.http_duration) + it.held / it.requests;
        vec![
            call(
                By::Client,
                "GET /jobs/{id}/events",
                Meter::Requests,
                it.requests,
                1.0,
            ),
            call(
                By::Aws,
                "Lambda.Invoke",
                Meter::EventsInvocations,
                it.requests,
                1.0,
            ),
            call(
                By::Aws,
                "a run",
                Meter::EventsTime,
                it.requests,
                run * gigabytes(self.http_memory),
            ),
            self.logs(it.requests),
            call(
                By::Events,
                "DynamoDB.GetItem",
                Meter::EventsReads,
                it.reads - 1.0,
                pieces(self.open_record(), READ_PIECE),
            ),
            call(
                By::Events,
                "DynamoDB.GetItem",
                Meter::EventsReads,
                1.0,
                pieces(self.record(), READ_PIECE),
            ),
            call(
                By::Client,
                "a result",
                Meter::Transfer,
                1.0,
                float(self.inline_result()) / GIGABYTE,
            ),
        ]
    }

    /// Returns the requests for a job that ends after `time`. The job is read at the start of each stream, and then each
    /// second. It is read once more after each change and each comment. A comment is sent if nothing else is.
    fn followed(&self, time: Duration) -> Followed {
        if time.is_zero() {
            return Followed::default();
        }
        let window = match self.api {
            Api::Rest => STREAM,
            Api::Http => LONGEST_WAIT.as_secs_f64(),
        };
        // The end is seen at the next second.
        let held = time.as_secs_f64().ceil();
        let requests = (held / window).ceil();
        // The changes between the job's acceptance and its end.
        let changes = self.record_changes() - 2.0;
        let comments = |window: f64| {
            if held / (changes + 1.0) > SILENCE {
                ((window - 1.0) / SILENCE).floor()
            } else {
                0.0
            }
        };
        let last = held - (requests - 1.0) * window;
        let comments = (requests - 1.0) * comments(window) + comments(last);
        let first_state = 1.0;
        Followed {
            requests,
            held,
            reads: first_state + changes + comments + held + 2.0 * requests,
        }
    }
}

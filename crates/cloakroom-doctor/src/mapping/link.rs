//! Required mappings, and the consequences if they are missing.

use crate::finding::{Check, check};
use crate::functions::Kind;

/// Source and target of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// The queue of commands to the worker.
    Queue,
    /// The dead-letter queue to dead-letters.
    DeadLetters,
    /// The sweeper's own queue to the sweeper.
    Lists,
    /// The table's stream to the sweeper.
    Stream,
    /// The table's stream to the publisher.
    Changes,
    /// The queue of deliveries to deliver.
    Deliveries,
}

/// Response type of a function that reports the messages to keep.
pub(super) const REPORTS: &str = "ReportBatchItemFailures";

/// Maximum concurrency of the workers in the template.
pub(super) const CONCURRENCY: &str = "MaximumConcurrency=10";

/// Maximum concurrency of the other functions in the template.
const FEW: &str = "MaximumConcurrency=2";

impl Link {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue to worker",
            Self::DeadLetters => "dead letters to dead-letters",
            Self::Lists => "lists to sweeper",
            Self::Stream => "stream to sweeper",
            Self::Changes => "stream to publisher",
            Self::Deliveries => "deliveries to deliver",
        }
    }

    /// Creates a check of the mapping.
    pub(super) fn check(self, what: &str) -> Check {
        check("mapping", format!("{}: {what}", self.name()))
    }

    pub(super) const fn reader(self) -> Kind {
        match self {
            Self::Queue => Kind::Worker,
            Self::DeadLetters => Kind::DeadLetters,
            Self::Lists | Self::Stream => Kind::Sweeper,
            Self::Changes => Kind::Publisher,
            Self::Deliveries => Kind::Deliver,
        }
    }

    /// Returns the part of the source's ARN that identifies its service.
    pub(super) const fn service(self) -> &'static str {
        match self {
            Self::Queue | Self::DeadLetters | Self::Lists | Self::Deliveries => ":sqs:",
            Self::Stream | Self::Changes => ":dynamodb:",
        }
    }

    /// Returns the consequence if the source is not read.
    pub(super) const fn unread(self) -> &'static str {
        match self {
            Self::Queue => "the worker receives no messages: jobs wait until they expire",
            Self::DeadLetters => {
                "the jobs of dead letters wait until the sweeper ends them; their messages are not stored in the bucket, \
                 so they can't be redriven, and are deleted after their retention in the queue"
            }
            Self::Lists => {
                "a job that has not ended at the sweeper's first check is not checked again: if its message is lost, it \
                 never ends"
            }
            Self::Stream => {
                "the sweeper learns of no job: a job whose message is lost never ends; records of the stream are deleted \
                 after a day"
            }
            Self::Changes => {
                "the publisher learns of no change: no webhook, reply or event of a bus is sent; records of the stream are \
                 deleted after a day"
            }
            Self::Deliveries => {
                "webhooks and replies are not sent; they are deleted after four days"
            }
        }
    }

    /// Returns the consequence if the function does not report the messages to keep. The sweeper fails for a batch of the
    /// stream as a whole.
    pub(super) const fn unreported(self) -> Option<&'static str> {
        match self {
            Self::Queue => Some(
                "Lambda deletes the messages that the worker must keep: a job that waits for a retry, or whose worker \
                 crashed, never ends",
            ),
            Self::DeadLetters => Some(
                "Lambda deletes the dead letters that could not be stored in the bucket: they are lost, and can't be \
                 redriven",
            ),
            Self::Lists => Some(
                "Lambda deletes the lists that the sweeper must keep, with jobs that have not ended: a job whose message \
                 is lost never ends",
            ),
            Self::Stream => None,
            Self::Changes => Some(
                "Lambda skips the changes that could not be published: their listeners are not notified",
            ),
            Self::Deliveries => Some(
                "Lambda deletes the deliveries that wait for their next attempt: they are lost",
            ),
        }
    }

    /// Returns the options that create the mapping as in the template. `criteria` is the filter of the stream.
    pub(super) fn options(self, criteria: &str) -> Vec<&str> {
        let of_queue = |batch, concurrency| {
            vec![
                "--batch-size",
                batch,
                "--function-response-types",
                REPORTS,
                "--scaling-config",
                concurrency,
            ]
        };
        match self {
            Self::Queue => of_queue("5", CONCURRENCY),
            Self::DeadLetters => of_queue("10", FEW),
            Self::Lists => of_queue("1", FEW),
            Self::Deliveries => of_queue("10", CONCURRENCY),
            Self::Stream => of_stream(
                "1000",
                ["--maximum-batching-window-in-seconds", "60"],
                criteria,
            ),
            Self::Changes => of_stream("25", ["--function-response-types", REPORTS], criteria),
        }
    }
}

fn of_stream<'a>(batch: &'a str, besides: [&'a str; 2], criteria: &'a str) -> Vec<&'a str> {
    let mut words = vec!["--starting-position", "TRIM_HORIZON", "--batch-size", batch];
    words.extend(besides);
    words.extend([
        "--bisect-batch-on-function-error",
        "--filter-criteria",
        criteria,
    ]);
    words
}

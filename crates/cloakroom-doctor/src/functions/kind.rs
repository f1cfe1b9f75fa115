//! Functions of a deployment, and their names.

/// Function of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Submit,
    Worker,
    Status,
    Events,
    DeadLetters,
    Sweeper,
    Publisher,
    Deliver,
}

/// All functions, in the order of the report.
pub(crate) const KINDS: [Kind; 8] = [
    Kind::Submit,
    Kind::Worker,
    Kind::Status,
    Kind::Events,
    Kind::DeadLetters,
    Kind::Sweeper,
    Kind::Publisher,
    Kind::Deliver,
];

pub(crate) fn name(stack: &str, kind: Kind) -> String {
    let kind = match kind {
        Kind::Submit => "submit",
        Kind::Worker => "worker",
        Kind::Status => "status",
        Kind::Events => "events",
        Kind::DeadLetters => "dead-letters",
        Kind::Sweeper => "sweeper",
        Kind::Publisher => "publisher",
        Kind::Deliver => "deliver",
    };
    format!("{stack}-{kind}")
}

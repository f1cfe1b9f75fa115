//! Functions of a deployment, and their names.

/// Function of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Submit,
    Worker,
    Status,
    DeadLetters,
    Sweeper,
}

/// All functions, in the order of the report.
pub(crate) const KINDS: [Kind; 5] = [
    Kind::Submit,
    Kind::Worker,
    Kind::Status,
    Kind::DeadLetters,
    Kind::Sweeper,
];

pub(crate) fn name(stack: &str, kind: Kind) -> String {
    let kind = match kind {
        Kind::Submit => "submit",
        Kind::Worker => "worker",
        Kind::Status => "status",
        Kind::DeadLetters => "dead-letters",
        Kind::Sweeper => "sweeper",
    };
    format!("{stack}-{kind}")
}

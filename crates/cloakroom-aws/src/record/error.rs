//! Errors of records.

use super::attributes::VERSION;

/// Reason why an item can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CorruptRecord {
    #[error("the record has no attribute {0}")]
    Missing(&'static str),
    #[error("attribute {0} of the record is not {1}")]
    Invalid(&'static str, String),
    #[error(
        "the record is of version {0}, and this program knows versions up to {VERSION}: deploy the later program"
    )]
    NewerVersion(u32),
}

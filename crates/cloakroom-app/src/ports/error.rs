//! Errors of the ports.

/// Error of a port call: it failed, or its outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Throttled, unavailable, or without an answer in time: the effect may have happened. Retry.
    #[error("reach {service}: {reason}")]
    Unavailable {
        /// Name of the service.
        service: &'static str,
        /// The service's own text, for the log alone.
        reason: String,
    },
    /// Rejected by the service: a permission, table, queue or bucket is missing. An operator has to fix it.
    #[error("use {service} as it is set up: {reason}")]
    Misconfigured {
        /// Name of the service.
        service: &'static str,
        /// The service's own text, for the log alone.
        reason: String,
    },
    /// A record that this code can't read: damaged, or written by later code. Retrying does not help; other records are fine.
    #[error("read a record of {service}: {reason}")]
    Unreadable {
        /// Name of the service.
        service: &'static str,
        /// Details for the log alone.
        reason: String,
    },
}

/// Error of reading an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The call failed. Another one may succeed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The store's own checksum disagrees with its bytes.
    #[error("the object is not what was stored")]
    Corrupted,
}

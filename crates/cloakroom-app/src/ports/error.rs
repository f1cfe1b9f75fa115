//! Errors of ports.

/// Error of a call to a port: it failed, or its outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The service throttled the call, was unavailable, or did not respond in time. The effect may have happened.
    /// Retry.
    #[error("reach {service}: {reason}")]
    Unavailable {
        /// Name of the service.
        service: &'static str,
        /// Error text of the service; only for the log.
        reason: String,
    },
    /// The service rejected the call: a permission, table, queue or bucket is missing. An operator has to fix it.
    #[error("use {service} as it is configured: {reason}")]
    Misconfigured {
        /// Name of the service.
        service: &'static str,
        /// Error text of the service; only for the log.
        reason: String,
    },
    /// This code can't read the record: it is damaged, or a later version wrote it. Retrying does not help, but other
    /// records are not affected.
    #[error("read a record of {service}: {reason}")]
    Unreadable {
        /// Name of the service.
        service: &'static str,
        /// Details; only for the log.
        reason: String,
    },
}

/// Error of reading an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The call failed. Another one may succeed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The content does not match the store's own checksum.
    #[error("the object does not match its checksum")]
    Corrupted,
}

//! Errors of a post.
//!
//! The policy: an error says why no status was received, in words that are safe to show to the client who chose the URL. It has
//! no fields, because addresses, certificates and texts of libraries can describe a private network. Any HTTP status is a
//! success here; the caller decides what it means. The caller also decides about retries:
//!
//! - [`PostError::InvalidUrl`], [`PostError::InvalidHeader`]: the request can't be sent. A retry changes nothing.
//! - [`PostError::ForbiddenAddress`], [`PostError::UnknownHost`]: the owner of the host must change its DNS records.
//! - All others: the host may respond later. It may have received the request.

use std::error::Error;
use std::io::{self, ErrorKind};

use crate::InvalidCallbackUrl;

/// Reason why no status was received. Its text is safe to show to the client who chose the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// No response within [`TIME_LIMIT`](crate::TIME_LIMIT).
    #[error("no response within 15 s")]
    Timeout,
    /// An address of the host is not public.
    #[error("the host's address is not public")]
    ForbiddenAddress,
    /// The host name could not be resolved.
    #[error("the host name could not be resolved")]
    UnknownHost,
    /// No route leads to the host.
    #[error("the host is unreachable")]
    Unreachable,
    /// The connection was refused or reset.
    #[error("the connection was refused or reset")]
    Refused,
    /// The TLS connection failed, such as by an expired certificate.
    #[error("the TLS connection failed")]
    Tls,
    /// The URL is not valid: see [`check_url`](crate::check_url).
    #[error("the URL is not valid")]
    InvalidUrl,
    /// A header of the caller is not valid.
    #[error("a header is not valid")]
    InvalidHeader,
    /// The host closed the connection without a response, or the response is not HTTP.
    #[error("no valid HTTP response")]
    Other,
}

impl PostError {
    /// Returns the reason for an error of the HTTP client.
    pub(crate) fn from_client(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            return Self::InvalidUrl;
        }
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(cause) = next {
            if let Some(reason) = cause.downcast_ref::<Self>() {
                return *reason;
            }
            next = match cause.downcast_ref::<io::Error>() {
                Some(io) => match Self::from_io(io.kind(), error.is_connect()) {
                    Some(reason) => return reason,
                    // `source` would skip the error that this one wraps.
                    None => io.get_ref().map(|inner| inner as _),
                },
                None => cause.source(),
            };
        }
        Self::Other
    }

    fn from_io(kind: ErrorKind, is_connect: bool) -> Option<Self> {
        match kind {
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => Some(Self::Refused),
            ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::TimedOut => Some(Self::Unreachable),
            // The TLS library reports its errors so, and nothing else does before the response's body.
            ErrorKind::InvalidData => Some(Self::Tls),
            ErrorKind::UnexpectedEof if is_connect => Some(Self::Tls),
            _ => None,
        }
    }
}

impl From<InvalidCallbackUrl> for PostError {
    fn from(error: InvalidCallbackUrl) -> Self {
        if error == InvalidCallbackUrl::NotPublic {
            Self::ForbiddenAddress
        } else {
            Self::InvalidUrl
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_operating_system_tells_whether_a_server_was_there() {
        use ErrorKind::{
            AddrNotAvailable, BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset,
            HostUnreachable, InvalidData, NetworkUnreachable, Other, TimedOut,
        };
        let refused = [
            ConnectionRefused,
            ConnectionReset,
            ConnectionAborted,
            BrokenPipe,
        ];
        let unreachable = [
            HostUnreachable,
            NetworkUnreachable,
            AddrNotAvailable,
            TimedOut,
        ];
        for (kinds, error) in [
            (&refused[..], Some(PostError::Refused)),
            (&unreachable, Some(PostError::Unreachable)),
            (&[InvalidData], Some(PostError::Tls)),
            (&[Other], None),
        ] {
            for kind in kinds {
                assert_eq!(PostError::from_io(*kind, true), error, "{kind}");
            }
        }
    }

    #[test]
    fn an_end_without_notice_is_a_failure_of_tls_only_while_connecting() {
        let eof = ErrorKind::UnexpectedEof;
        assert_eq!(PostError::from_io(eof, true), Some(PostError::Tls));
        assert_eq!(PostError::from_io(eof, false), None);
    }
}

//! A payload that passed validation.

use bytes::Bytes;
use cloakroom_core::{Digest, Timestamp, UploadId};

use crate::ports::{ObjectInfo, PartsRecord};

/// A payload that passed validation.
pub(super) struct ValidPayload {
    pub(super) content_type: String,
    /// Digest in the fingerprint of the job.
    pub(super) sha256: Digest,
    pub(super) length: u64,
    pub(super) source: Source,
}

/// Location of a payload until its job has it.
pub(super) enum Source {
    /// Bytes in memory.
    Bytes(Bytes),
    /// An upload.
    Upload(NamedUpload),
}

/// An upload that a command names.
pub(super) struct NamedUpload {
    pub(super) id: UploadId,
    /// End of the time in which it can be named.
    pub(super) until: Timestamp,
    pub(super) info: ObjectInfo,
    pub(super) place: UploadPlace,
    pub(super) content: UploadContent,
}

/// Location of an upload.
pub(super) enum UploadPlace {
    /// Among the uploads, from where it is copied.
    Uploads,
    /// Among the payloads already, as it came in parts.
    Payloads(Box<PartsRecord>),
}

/// Knowledge of an upload's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadContent {
    /// Text in UTF-8: it was read as JSON.
    Text,
    /// Bytes whose digest is known.
    Digested,
    /// Bytes that are too many to be read. The digest is of the `ETag`, which identifies this state of the object.
    Unread,
    /// Bytes that were deleted at the end of their job. The upload is good for a replay alone.
    Deleted,
}

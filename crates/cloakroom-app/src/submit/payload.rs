//! Payloads that passed validation.

use bytes::Bytes;
use cloakroom_core::{Digest, UploadId};

use crate::ports::{ObjectInfo, PartsRecord};

/// A payload that passed validation.
pub(super) struct ValidPayload {
    pub(super) content_type: String,
    /// Digest in the fingerprint of the job.
    pub(super) sha256: Digest,
    pub(super) length: u64,
    pub(super) source: Source,
}

/// Location of a payload before the job is accepted.
pub(super) enum Source {
    /// Bytes in memory.
    Bytes(Bytes),
    /// An upload.
    Upload(NamedUpload),
}

/// An upload that a command refers to.
pub(super) struct NamedUpload {
    pub(super) id: UploadId,
    pub(super) info: ObjectInfo,
    pub(super) place: UploadPlace,
    pub(super) content: UploadContent,
}

/// Location of an upload.
pub(super) enum UploadPlace {
    /// Under the prefix of uploads, from where it is copied.
    Uploads,
    /// Under the prefix of payloads, because it is a multipart upload.
    Payloads(Box<PartsRecord>),
}

/// Information about the content of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UploadContent {
    /// UTF-8 text: it was read as JSON.
    Text,
    /// Content with a known digest.
    Digested,
    /// Content that is too large to be read. The digest is that of the `ETag`, which identifies this state of the
    /// object.
    Unread,
    /// Content that was deleted after its job ended. The upload can only be used for a replay.
    Deleted,
}

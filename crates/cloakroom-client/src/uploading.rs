//! Progress of an upload, as reported to the caller.

/// Progress of an upload.
///
/// The first report comes when the service knows the upload. Bytes that have to be sent again are subtracted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Uploading {
    /// The service's id of the upload. [`Submission::upload`](crate::Submission::upload) resumes it after an interruption.
    pub upload_id: String,
    /// The SHA-256 of the payload in hex, unless the upload was begun by an earlier call.
    pub sha256: Option<String>,
    /// Bytes that the storage has, or that are being sent.
    pub sent: u64,
    /// Bytes of the payload.
    pub length: u64,
    /// True if the upload has parts: only then can it continue after an interruption.
    pub in_parts: bool,
}

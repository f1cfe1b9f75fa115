//! Uploads: their terms, links, and the record of a multipart upload.

use cloakroom_core::{Digest, Tenant, Timestamp, UploadId};

/// Terms of an upload. The link's signature covers all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadTerms {
    /// Media type.
    pub content_type: String,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the content, if the client declared it.
    pub sha256: Option<Digest>,
}

/// A link for one upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadLink {
    /// URL for the `PUT`.
    pub url: String,
    /// Headers to send with the `PUT`.
    pub headers: Vec<(String, String)>,
}

/// Record of a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsRecord {
    /// Tenant that owns the upload.
    pub tenant: Tenant,
    /// Id that commands use to refer to the upload.
    pub id: UploadId,
    /// Id that the store assigned while the upload is in progress.
    pub store_id: String,
    /// Terms of the whole upload.
    pub terms: UploadTerms,
    /// Length in bytes of each part. The last part contains the remainder.
    pub part_length: u64,
    /// Digest in the fingerprint of the upload's job, if the client did not declare it. Needed after the content is
    /// deleted.
    pub digest: Option<Digest>,
    /// Time from which the upload is treated as deleted.
    pub expires_at: Timestamp,
}

impl PartsRecord {
    /// Returns the digest in the fingerprint of the upload's job, if it is known without reading the content.
    pub(crate) fn known_digest(&self) -> Option<Digest> {
        self.digest.or(self.terms.sha256)
    }
}

//! Uploads: their terms, the links that take them, and the record of one in parts.

use cloakroom_core::{Digest, Tenant, Timestamp, UploadId};

/// Terms of an upload. The link's signature binds all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadTerms {
    /// Media type.
    pub content_type: String,
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the bytes, if the client declared it.
    pub sha256: Option<Digest>,
}

/// A link that takes one upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadLink {
    /// URL for the `PUT`.
    pub url: String,
    /// Headers to send with it.
    pub headers: Vec<(String, String)>,
}

/// Record of an upload in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsRecord {
    /// Its tenant.
    pub tenant: Tenant,
    /// Id that a command names it with.
    pub id: UploadId,
    /// Id that the store of objects gave it, while it is unfinished.
    pub store_id: String,
    /// Terms of the whole.
    pub terms: UploadTerms,
    /// Length in bytes of each part but the last, which has the rest.
    pub part_length: u64,
    /// Digest in the fingerprint of its job, if the client did not declare it. The bytes may be deleted by then.
    pub digest: Option<Digest>,
    /// Time after which it may be deleted.
    pub expires_at: Timestamp,
}

impl PartsRecord {
    /// Returns the digest in the fingerprint of its job, as far as it is known without the bytes.
    pub(crate) fn known_digest(&self) -> Option<Digest> {
        self.digest.or(self.terms.sha256)
    }
}

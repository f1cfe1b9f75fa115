//! Port for multipart uploads to the store of objects.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;

use super::error::PortError;
use super::uploads::{UploadLink, UploadTerms};

/// Terms of one part of a multipart upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartTerms {
    /// Number of the part, from 1.
    pub number: u32,
    /// Length in bytes.
    pub length: u64,
}

/// A stored part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Number of the part, from 1.
    pub number: u32,
    /// Length in bytes.
    pub length: u64,
    /// Entity tag of the part.
    pub etag: String,
}

/// Multipart uploads to the store of large payloads.
#[async_trait]
pub trait PartUploads: Send + Sync {
    /// Starts a multipart upload, and returns the store's id of it. The key has no object until the parts are joined.
    async fn begin_parts(&self, key: &str, terms: &UploadTerms) -> Result<String, PortError>;

    /// Creates a link for exactly this part, valid for `valid` from now. Needs no call.
    async fn part_link(
        &self,
        key: &str,
        store_id: &str,
        part: PartTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError>;

    /// Lists the stored parts with these numbers, in order. Returns `None` if the upload is not in progress: it was
    /// joined, aborted, or never started.
    async fn parts(
        &self,
        key: &str,
        store_id: &str,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<Part>>, PortError>;

    /// Joins the parts into an object. A repeated call has the same effect.
    ///
    /// Returns false if these parts are not stored: another call has joined them, or they can't be joined.
    async fn join_parts(
        &self,
        key: &str,
        store_id: &str,
        parts: &[Part],
    ) -> Result<bool, PortError>;
}

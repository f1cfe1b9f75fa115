//! Uploads in parts, in the store of objects.

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;

use super::error::PortError;
use super::uploads::{UploadLink, UploadTerms};

/// Terms of one part of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartTerms {
    /// Number of the part, from 1 on.
    pub number: u32,
    /// Length in bytes.
    pub length: u64,
}

/// A part that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Number of the part, from 1 on.
    pub number: u32,
    /// Length in bytes.
    pub length: u64,
    /// The store's tag of its bytes.
    pub etag: String,
}

/// Uploads in parts, in the store of large payloads.
#[async_trait]
pub trait PartUploads: Send + Sync {
    /// Begins an object that is uploaded in parts, and returns the store's own id of it. Its key has no object until the parts
    /// are joined.
    async fn begin_parts(&self, key: &str, terms: &UploadTerms) -> Result<String, PortError>;

    /// Makes a link that takes exactly this part, for `valid` from now. Needs no call.
    async fn part_link(
        &self,
        key: &str,
        store_id: &str,
        part: PartTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError>;

    /// Lists the stored parts of these numbers, in order. Returns `None` if the object is not unfinished: joined, abandoned, or
    /// never begun.
    async fn parts(
        &self,
        key: &str,
        store_id: &str,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<Part>>, PortError>;

    /// Joins the parts to an object. A repeated call has the same effect.
    ///
    /// Returns false if these parts are not stored, or no longer: another call joined them, or they can't be joined.
    async fn join_parts(
        &self,
        key: &str,
        store_id: &str,
        parts: &[Part],
    ) -> Result<bool, PortError>;
}

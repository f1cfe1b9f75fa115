//! Validation of an upload that a command refers to.

use cloakroom_core::{Digest, Tenant, Timestamp, UploadId};

use super::payload::{NamedUpload, Source, UploadContent, UploadPlace, ValidPayload};
use super::submission::{DIGEST_LIMIT, SubmitError};
use super::validate::check_description;
use crate::command::{Command, Takes};
use crate::ports::{ObjectInfo, Objects, PartUploads, PartsRecord, UploadTerms, keys};
use crate::shared::Shared;
use crate::upload::{self, Incomplete};

/// Finder of uploads that commands refer to.
pub(super) struct UploadFinder<'a> {
    pub(super) shared: &'a Shared,
    pub(super) objects: &'a dyn Objects,
    pub(super) parts: &'a dyn PartUploads,
    pub(super) command: &'a Command,
    pub(super) tenant: &'a Tenant,
    pub(super) query: &'a str,
}

/// An upload that was found.
struct Found {
    key: String,
    /// Media type to record.
    content_type: String,
    info: ObjectInfo,
    place: UploadPlace,
    bytes: BytesState,
}

/// State of the content of an upload.
#[derive(PartialEq, Eq)]
enum BytesState {
    Stored,
    /// Deleted after its job ended. Only the record of the upload remains.
    Deleted,
}

impl UploadFinder<'_> {
    /// Finds an upload, and validates it as the payload of its command.
    pub(super) async fn find(&self, id: UploadId) -> Result<ValidPayload, SubmitError> {
        if !upload::is_live(id, self.now()) {
            return Err(SubmitError::UploadNotFound);
        }
        let found = self.locate(id).await?;
        let (sha256, content) = self.identify(&found).await?;
        Ok(ValidPayload {
            content_type: found.content_type,
            sha256,
            length: found.info.length,
            source: Source::Upload(NamedUpload {
                id,
                info: found.info,
                place: found.place,
                content,
            }),
        })
    }

    fn now(&self) -> Timestamp {
        self.shared.host.now()
    }

    /// Locates an upload, single or multipart.
    async fn locate(&self, id: UploadId) -> Result<Found, SubmitError> {
        let key = keys::upload(self.tenant, id);
        let Some(info) = self.objects.info(&key).await? else {
            return self.locate_parts(id).await;
        };
        Ok(Found {
            content_type: check_description(self.command, &info.content_type, info.length)?,
            key,
            info,
            place: UploadPlace::Uploads,
            bytes: BytesState::Stored,
        })
    }

    /// Completes a multipart upload, if its command accepts it. At this point no job owns the upload: completion only
    /// makes it readable.
    async fn locate_parts(&self, id: UploadId) -> Result<Found, SubmitError> {
        let record = upload::load_live(&*self.shared.store, self.tenant, id, self.now()).await?;
        let record = record.ok_or(SubmitError::UploadNotFound)?;
        let terms = &record.terms;
        let content_type = check_description(self.command, &terms.content_type, terms.length)?;
        match upload::complete(self.objects, self.parts, &record).await? {
            Ok(info) => {
                // The client's digest takes precedence, because the worker verifies the content by it.
                let sha256 = terms.sha256.or(info.sha256);
                let info = info_of(terms, sha256, info.etag);
                Ok(self.in_parts(record, content_type, info, BytesState::Stored))
            }
            Err(Incomplete::Missing(missing, parts)) => {
                Err(SubmitError::PartsMissing { missing, parts })
            }
            Err(Incomplete::Gone) => {
                let digest = record.known_digest().ok_or(SubmitError::UploadNotFound)?;
                let info = info_of(terms, Some(digest), String::new());
                Ok(self.in_parts(record, content_type, info, BytesState::Deleted))
            }
        }
    }

    fn in_parts(
        &self,
        record: PartsRecord,
        content_type: String,
        info: ObjectInfo,
        bytes: BytesState,
    ) -> Found {
        Found {
            key: keys::parts(self.tenant, record.id),
            content_type,
            info,
            place: UploadPlace::Payloads(Box::new(record)),
            bytes,
        }
    }

    /// Checks the content of an upload. Returns the digest for the fingerprint of its job.
    async fn identify(&self, found: &Found) -> Result<(Digest, UploadContent), SubmitError> {
        match (self.command.takes(), found.info.sha256) {
            // It was checked when its job was accepted.
            (_, Some(sha256)) if found.bytes == BytesState::Deleted => {
                Ok((sha256, UploadContent::Deleted))
            }
            (Takes::Json, _) => {
                let bytes = self
                    .objects
                    .get(&found.key)
                    .await?
                    .ok_or(SubmitError::UploadNotFound)?;
                self.check(&bytes)?;
                Ok((Digest::from_content(&bytes), UploadContent::Text))
            }
            (Takes::Binary(_), sha256) => {
                self.check(&[])?;
                self.digest(sha256, found).await
            }
        }
    }

    fn check(&self, body: &[u8]) -> Result<(), SubmitError> {
        self.command
            .check(self.query, body)
            .map_err(SubmitError::Payload)
    }

    /// Returns the digest of an upload. If reading the upload would take too long, returns the digest of its `ETag`.
    async fn digest(
        &self,
        known: Option<Digest>,
        found: &Found,
    ) -> Result<(Digest, UploadContent), SubmitError> {
        let digest = match known {
            Some(sha256) => sha256,
            None if found.info.length <= DIGEST_LIMIT => self
                .objects
                .digest(&found.key)
                .await?
                .ok_or(SubmitError::UploadNotFound)?,
            None => {
                let digest = Digest::from_content(found.info.etag.as_bytes());
                return Ok((digest, UploadContent::Unread));
            }
        };
        Ok((digest, UploadContent::Digested))
    }
}

fn info_of(terms: &UploadTerms, sha256: Option<Digest>, etag: String) -> ObjectInfo {
    ObjectInfo {
        content_type: terms.content_type.clone(),
        length: terms.length,
        sha256,
        etag,
    }
}

//! Checks of an upload that a command names.

use cloakroom_core::{Digest, Tenant, UploadId};

use super::{
    Checked, DIGEST_LIMIT, Source, Submission, Submit, SubmitError, accepted_media_type,
    check_description,
};
use crate::command::{Command, Takes};
use crate::ports::{ObjectInfo, PartsRecord, UploadTerms, keys};
use crate::upload::{self, Incomplete};

/// An upload that a command names.
struct Found {
    info: ObjectInfo,
    parts: Option<Box<PartsRecord>>,
    /// Set if only its record is left.
    gone: bool,
}

impl Submit {
    pub(super) async fn check_upload(
        &self,
        command: &Command,
        submission: &Submission,
        id: UploadId,
    ) -> Result<Checked, SubmitError> {
        let until = upload::live_until(id, self.host.now()).ok_or(SubmitError::UploadNotFound)?;
        let whole = keys::upload(&submission.tenant, id);
        let (key, Found { info, parts, gone }) = match self.objects.info(&whole).await? {
            Some(info) => {
                check_description(command, &info.content_type, info.length)?;
                (
                    whole,
                    Found {
                        info,
                        parts: None,
                        gone: false,
                    },
                )
            }
            None => (
                keys::parts(&submission.tenant, id),
                self.check_parts(command, &submission.tenant, id).await?,
            ),
        };
        let (sha256, unread) = match (command.takes(), info.sha256) {
            // It was checked when its job was accepted.
            (_, Some(sha256)) if gone => (sha256, false),
            (Takes::Json, _) => {
                let bytes = self
                    .objects
                    .get(&key)
                    .await?
                    .ok_or(SubmitError::UploadNotFound)?;
                command
                    .check(&submission.query, &bytes)
                    .map_err(SubmitError::Payload)?;
                (Digest::of(&bytes), false)
            }
            (Takes::Binary(_), _) => {
                command
                    .check(&submission.query, &[])
                    .map_err(SubmitError::Payload)?;
                self.identity(&key, &info).await?
            }
        };
        // What was read as JSON is text; of other bytes only their digest is known.
        let text = matches!(command.takes(), Takes::Json);
        let (content_type, length) = (
            accepted_media_type(command, &info.content_type)?,
            info.length,
        );
        let source = Source::Upload {
            id,
            until,
            parts,
            text,
            info,
            unread,
            gone,
        };
        Ok(Checked {
            content_type,
            sha256,
            length,
            source,
        })
    }

    /// The digest of an upload; of one that takes too long to read and that nobody said it of, the digest of what names this
    /// state of it, and `true`.
    async fn identity(&self, key: &str, info: &ObjectInfo) -> Result<(Digest, bool), SubmitError> {
        Ok(match info.sha256 {
            Some(sha256) => (sha256, false),
            None if info.length <= DIGEST_LIMIT => (
                self.objects
                    .digest(key)
                    .await?
                    .ok_or(SubmitError::UploadNotFound)?,
                false,
            ),
            None => (Digest::of(info.etag.as_bytes()), true),
        })
    }

    /// Puts an upload in parts together, if it is one that the command takes. That comes before it is known whose it will be: it
    /// changes nothing of it but that it can be read.
    async fn check_parts(
        &self,
        command: &Command,
        tenant: &Tenant,
        id: UploadId,
    ) -> Result<Found, SubmitError> {
        let record = upload::load_live(&*self.store, tenant, id, self.host.now()).await?;
        let record = record.ok_or(SubmitError::UploadNotFound)?;
        check_description(command, &record.terms.content_type, record.terms.length)?;
        let UploadTerms {
            content_type,
            length,
            sha256,
        } = record.terms.clone();
        let found = |sha256, etag, gone| Found {
            info: ObjectInfo {
                content_type,
                length,
                sha256,
                etag,
            },
            parts: Some(Box::new(record.clone())),
            gone,
        };
        match upload::complete(&*self.objects, &record).await? {
            // The client's word for the digest: the worker holds the bytes to it.
            Ok(info) => Ok(found(sha256.or(info.sha256), info.etag, false)),
            Err(Incomplete::Missing(missing, parts)) => {
                Err(SubmitError::PartsMissing { missing, parts })
            }
            Err(Incomplete::Gone) => match record.known_digest() {
                Some(digest) => Ok(found(Some(digest), String::new(), true)),
                None => Err(SubmitError::UploadNotFound),
            },
        }
    }
}

//! Multipart uploads by clients. S3's upload ids are kept secret.

use std::ops::RangeInclusive;
use std::time::Duration;

use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
use aws_sdk_s3::operation::create_multipart_upload::builders::CreateMultipartUploadFluentBuilder;
use aws_sdk_s3::operation::list_parts::ListPartsError;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use cloakroom_app::ports::{Part, PartTerms, PortError, UploadLink, UploadTerms};

use super::bucket::{S3Objects, presigning, upload_link_from};
use crate::error::{OBJECTS, port_error};

/// Error code for an upload that was completed or aborted, or never existed.
const NO_SUCH_UPLOAD: &str = "NoSuchUpload";

/// Error code for parts that are missing or were replaced.
const INVALID_PART: &str = "InvalidPart";

impl S3Objects {
    /// Starts a multipart upload without S3's own checksums, because they would be required for every part.
    pub(super) async fn begin_parts_of(
        &self,
        key: &str,
        terms: &UploadTerms,
    ) -> Result<String, PortError> {
        let mut create = self.create_upload(key, &terms.content_type);
        if let Some(sha256) = terms.sha256 {
            create = create.metadata("sha256", sha256.to_string());
        }
        begin_upload(create).await
    }

    /// Builds the request that creates a multipart upload.
    pub(super) fn create_upload(
        &self,
        key: &str,
        content_type: &str,
    ) -> CreateMultipartUploadFluentBuilder {
        self.client()
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
    }

    /// Creates a link whose signature covers the length.
    pub(super) async fn link_of_part(
        &self,
        key: &str,
        store_id: &str,
        part: PartTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError> {
        let put = self
            .client()
            .upload_part()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(store_id);
        let put = put
            .part_number(number(part.number))
            .content_length(i64::try_from(part.length).unwrap_or(i64::MAX));
        let request = put
            .presigned(presigning(valid)?)
            .await
            .map_err(|error| port_error(OBJECTS, &error))?;
        Ok(upload_link_from(&request))
    }

    /// Lists the parts, in pages of a thousand.
    pub(super) async fn list_parts_of(
        &self,
        key: &str,
        store_id: &str,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<Part>>, PortError> {
        let list = self
            .client()
            .list_parts()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(store_id);
        let marker = Some(numbers.start().saturating_sub(1)).filter(|before| *before > 0);
        let list = list.set_part_number_marker(marker.map(|before| before.to_string()));
        let mut pages = list.into_paginator().send();
        let mut parts = vec![];
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page,
                Err(error) if is_gone(&error) => return Ok(None),
                Err(error) => return Err(port_error(OBJECTS, &error)),
            };
            let listed = page
                .parts
                .unwrap_or_default()
                .into_iter()
                .filter_map(|part| {
                    Some(Part {
                        number: part.part_number?.try_into().ok()?,
                        length: part.size?.try_into().ok()?,
                        etag: part.e_tag?,
                    })
                });
            parts.extend(listed.filter(|part| numbers.contains(&part.number)));
            if parts
                .last()
                .is_some_and(|part| part.number == *numbers.end())
            {
                break;
            }
        }
        Ok(Some(parts))
    }

    /// Joins the parts. With very many parts, this may take minutes: the client gets no response, retries, and finds it
    /// complete.
    pub(super) async fn join_parts_of(
        &self,
        key: &str,
        store_id: &str,
        parts: &[Part],
    ) -> Result<bool, PortError> {
        let named = |part: &Part| {
            CompletedPart::builder()
                .part_number(number(part.number))
                .e_tag(part.etag.clone())
                .build()
        };
        match self
            .complete(key, store_id, parts.iter().map(named).collect())
            .await
        {
            Ok(()) => Ok(true),
            Err(error)
                if error
                    .code()
                    .is_some_and(|code| [NO_SUCH_UPLOAD, INVALID_PART].contains(&code)) =>
            {
                Ok(false)
            }
            Err(error) => Err(port_error(OBJECTS, &error)),
        }
    }

    /// Completes an upload with these parts.
    pub(super) async fn complete(
        &self,
        key: &str,
        store_id: &str,
        parts: Vec<CompletedPart>,
    ) -> Result<(), SdkError<CompleteMultipartUploadError, HttpResponse>> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let complete = self
            .client()
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(store_id);
        complete.multipart_upload(parts).send().await.map(drop)
    }
}

/// Creates a multipart upload. Returns S3's id of it.
pub(super) async fn begin_upload(
    create: CreateMultipartUploadFluentBuilder,
) -> Result<String, PortError> {
    let begun = create
        .send()
        .await
        .map_err(|error| port_error(OBJECTS, &error))?;
    begun.upload_id.ok_or_else(|| PortError::Misconfigured {
        service: OBJECTS,
        reason: "began an upload in parts without naming it".to_owned(),
    })
}

fn is_gone(error: &SdkError<ListPartsError, HttpResponse>) -> bool {
    error.code() == Some(NO_SUCH_UPLOAD)
}

fn number(part: u32) -> i32 {
    i32::try_from(part).unwrap_or(i32::MAX)
}

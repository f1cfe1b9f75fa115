//! Operations of multipart uploads.

#[allow(clippy::wildcard_imports)] // two names for each operation
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::CheckedFiles;
use super::body::{ChecksumMismatch, expected};
use crate::s3::multipart::{self, Upload};

/// Maximum number of parts per page.
const MAX_LISTED: i32 = 1000;

/// Describes a part in the format of `ListParts`.
fn listed(part: &multipart::Part) -> Part {
    Part {
        part_number: Some(part.number),
        e_tag: Some(ETag::Strong(part.etag.clone())),
        size: i64::try_from(part.size).ok(),
        last_modified: Some(part.written.into()),
        ..Default::default()
    }
}

impl CheckedFiles {
    pub(super) async fn begin(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let CreateMultipartUploadInput {
            bucket,
            key,
            content_type,
            metadata,
            ..
        } = request.input;
        let upload = Upload {
            bucket: bucket.clone(),
            key: key.clone(),
            content_type,
            metadata,
        };
        let upload_id = Some(self.uploads.begin(&upload).await?);
        let output = CreateMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            upload_id,
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn put_part(
        &self,
        mut request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let expected = expected!(request);
        let UploadPartInput {
            bucket,
            key,
            upload_id,
            part_number,
            body,
            ..
        } = &mut request.input;
        let (folder, _) = self.uploads.find(bucket, key, upload_id).await?;
        let body = body
            .take()
            .ok_or_else(|| S3Error::new(S3ErrorCode::IncompleteBody))?;
        let mut mismatch = ChecksumMismatch::default();
        let body = mismatch.verify(body, expected, request.trailing_headers.clone());
        let etag = self
            .uploads
            .put(&folder, *part_number, body)
            .await
            .map_err(|error| mismatch.or_error(error))?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..Default::default()
        }))
    }

    pub(super) async fn copy_part(
        &self,
        request: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let UploadPartCopyInput {
            bucket,
            key,
            upload_id,
            part_number,
            copy_source,
            copy_source_range,
            ..
        } = request.input.clone();
        let (folder, _) = self.uploads.find(&bucket, &key, &upload_id).await?;
        let CopySource::Bucket { bucket, key, .. } = copy_source else {
            return Err(S3Error::new(S3ErrorCode::NotImplemented));
        };
        let wrong = |_| S3Error::new(S3ErrorCode::InvalidArgument);
        let range = copy_source_range
            .map(|range| Range::parse(&range))
            .transpose()
            .map_err(wrong)?;
        let source = GetObjectInput {
            bucket: bucket.into(),
            key: key.into(),
            range,
            ..Default::default()
        };
        let source = self
            .files
            .get_object(request.map_input(|_| source))
            .await?
            .output;
        let body = source
            .body
            .ok_or_else(|| S3Error::new(S3ErrorCode::NoSuchKey))?;
        let etag = ETag::Strong(self.uploads.put(&folder, part_number, body).await?);
        let result = CopyPartResult {
            e_tag: Some(etag),
            ..Default::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..Default::default()
        }))
    }

    pub(super) async fn list(
        &self,
        request: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        let ListPartsInput {
            bucket,
            key,
            upload_id,
            max_parts,
            part_number_marker,
            ..
        } = request.input;
        let (folder, _) = self.uploads.find(&bucket, &key, &upload_id).await?;
        let most = max_parts
            .filter(|most| (1..MAX_LISTED).contains(most))
            .unwrap_or(MAX_LISTED);
        let after = part_number_marker.unwrap_or(0);
        let mut parts = self.uploads.parts(&folder).await?;
        parts.retain(|part| part.number > after);
        let page: Vec<_> = parts
            .iter()
            .take(usize::try_from(most).unwrap_or(0))
            .collect();
        let output = ListPartsOutput {
            is_truncated: Some(page.len() < parts.len()),
            next_part_number_marker: page.last().map(|part| part.number),
            part_number_marker,
            max_parts: Some(most),
            parts: Some(page.into_iter().map(listed).collect()),
            bucket: Some(bucket),
            key: Some(key),
            upload_id: Some(upload_id),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    /// After a crash, the upload can be completed again with the same result.
    pub(super) async fn complete(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let CompleteMultipartUploadInput {
            bucket,
            key,
            upload_id,
            multipart_upload,
            if_match,
            if_none_match,
            ..
        } = request.input.clone();
        let _hold = self.uploads.lock_parts().await;
        let (folder, upload) = self.uploads.find(&bucket, &key, &upload_id).await?;
        let named = multipart_upload
            .and_then(|upload| upload.parts)
            .unwrap_or_default()
            .into_iter();
        let named = named.filter_map(|part| {
            Some((
                part.part_number?,
                part.e_tag.map(|etag| etag.value().to_owned()),
            ))
        });
        let body = self.uploads.assemble(&folder, named.collect()).await?;
        let whole = PutObjectInput {
            body: Some(body),
            bucket: bucket.clone(),
            key: key.clone(),
            content_type: upload.content_type,
            metadata: upload.metadata,
            if_match,
            if_none_match,
            ..Default::default()
        };
        let put = self
            .files
            .put_object(request.map_input(|_| whole))
            .await?
            .output;
        self.uploads.remove(&folder).await?;
        let output = CompleteMultipartUploadOutput {
            bucket: Some(bucket),
            key: Some(key),
            e_tag: put.e_tag,
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    pub(super) async fn abort(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let AbortMultipartUploadInput {
            bucket,
            key,
            upload_id,
            ..
        } = request.input;
        let _hold = self.uploads.lock_parts().await;
        let (folder, _) = self.uploads.find(&bucket, &key, &upload_id).await?;
        self.uploads.remove(&folder).await?;
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }
}

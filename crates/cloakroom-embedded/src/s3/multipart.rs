//! Multipart uploads until their completion. The implementation of `s3s-fs` deletes an upload after the first failed
//! completion and lists parts without entity tags. It also does not compare the parts with those in the request.
//!
//! Each upload has a directory with its description and its parts. The name of a part is its number and entity tag.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use md5::{Digest as _, Md5};
use s3s::dto::StreamingBlob;
use s3s::{S3Error, S3ErrorCode, S3Result, StdError};
use serde::{Deserialize, Serialize};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

/// Directory of uploads. Names of buckets don't start with a dot.
const FOLDER: &str = ".unfinished";

/// File with the description of an upload.
const UPLOAD_FILE: &str = "upload.json";

/// Minimum length of all parts but the last, in bytes.
const MIN_PART_LENGTH: u64 = 5 * 1024 * 1024;

/// Number of bytes that are read at once from a part.
const READ_LENGTH: usize = 256 * 1024;

/// Description of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) content_type: Option<String>,
    pub(super) metadata: Option<HashMap<String, String>>,
}

/// Stored part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) written: SystemTime,
    file: PathBuf,
}

/// Incomplete uploads.
#[derive(Debug)]
pub(super) struct MultipartUploads {
    folder: PathBuf,
    /// Held while parts are stored, or while an upload is completed.
    parts_lock: Mutex<()>,
}

impl MultipartUploads {
    /// Creates the store of uploads below the directory of the buckets.
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.join(FOLDER),
            parts_lock: Mutex::default(),
        }
    }

    pub(super) async fn begin(&self, upload: &Upload) -> S3Result<String> {
        let id = Uuid::new_v4().to_string();
        let folder = self.folder.join(&id);
        fs::create_dir_all(&folder).await.map_err(internal)?;
        let text = serde_json::to_vec(upload).map_err(internal)?;
        fs::write(folder.join(UPLOAD_FILE), text)
            .await
            .map_err(internal)?;
        Ok(id)
    }

    /// Finds an upload of this key. Returns its directory and its description.
    pub(super) async fn find(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> S3Result<(PathBuf, Upload)> {
        // A malformed id could refer to any path.
        let id = Uuid::parse_str(id).map_err(|_| no_such_upload())?;
        let folder = self.folder.join(id.to_string());
        let text = fs::read(folder.join(UPLOAD_FILE))
            .await
            .map_err(no_such_upload_or_internal)?;
        let upload: Upload = serde_json::from_slice(&text).map_err(internal)?;
        if (upload.bucket.as_str(), upload.key.as_str()) == (bucket, key) {
            Ok((folder, upload))
        } else {
            Err(no_such_upload())
        }
    }

    /// Stores a part, and replaces another one with the same number. Returns its entity tag. A failed call stores
    /// nothing.
    pub(super) async fn put(
        &self,
        folder: &Path,
        number: i32,
        mut body: StreamingBlob,
    ) -> S3Result<String> {
        if !(1..=10_000).contains(&number) {
            let reason = "the part number must be an integer between 1 and 10000";
            return Err(S3Error::with_message(S3ErrorCode::InvalidArgument, reason));
        }
        let temporary = TemporaryFile(folder.join(format!("coming-{}", Uuid::new_v4())));
        let mut file = File::create(&temporary.0)
            .await
            .map_err(no_such_upload_or_internal)?;
        let mut md5 = Md5::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(internal)?;
            md5.update(&piece);
            file.write_all(&piece).await.map_err(internal)?;
        }
        file.flush().await.map_err(internal)?;
        let etag = format!("{:032x}", u128::from_be_bytes(md5.finalize().into()));
        let _placing = self.parts_lock.lock().await;
        let before = self.parts(folder).await?;
        let file = folder.join(format!("{number}-{etag}"));
        fs::rename(&temporary.0, &file)
            .await
            .map_err(no_such_upload_or_internal)?;
        for other in before
            .into_iter()
            .filter(|part| part.number == number && part.file != file)
        {
            fs::remove_file(other.file).await.map_err(internal)?;
        }
        Ok(etag)
    }

    /// Returns the stored parts in order.
    pub(super) async fn parts(&self, folder: &Path) -> S3Result<Vec<Part>> {
        let mut entries = fs::read_dir(folder)
            .await
            .map_err(no_such_upload_or_internal)?;
        let mut parts = vec![];
        while let Some(entry) = entries.next_entry().await.map_err(internal)? {
            let name = entry.file_name();
            let Some((number, etag)) = name.to_str().and_then(|name| name.split_once('-')) else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            let about = entry.metadata().await.map_err(no_such_upload_or_internal)?;
            let written = about.modified().map_err(internal)?;
            parts.push(Part {
                number,
                etag: etag.to_owned(),
                size: about.len(),
                written,
                file: entry.path(),
            });
        }
        parts.sort_by_key(|part| part.number);
        Ok(parts)
    }

    /// Prevents changes of parts while the guard lives.
    pub(super) async fn lock_parts(&self) -> MutexGuard<'_, ()> {
        self.parts_lock.lock().await
    }

    /// Returns the concatenated content of these parts, if the upload can be completed with them.
    pub(super) async fn assemble(
        &self,
        folder: &Path,
        named: Vec<(i32, Option<String>)>,
    ) -> S3Result<StreamingBlob> {
        let refuse = |code, reason: &str| Err(S3Error::with_message(code, reason.to_owned()));
        if named.is_empty() {
            return refuse(S3ErrorCode::InvalidPart, "there must be a part");
        }
        if named.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return refuse(
                S3ErrorCode::InvalidPartOrder,
                "the parts must be in ascending order",
            );
        }
        let there = self.parts(folder).await?;
        let mut parts = vec![];
        for (number, etag) in &named {
            let same = |part: &&Part| {
                part.number == *number && etag.as_ref().is_none_or(|etag| *etag == part.etag)
            };
            let Some(part) = there.iter().find(same) else {
                return refuse(
                    S3ErrorCode::InvalidPart,
                    "a part that is named is not there, or is another one",
                );
            };
            parts.push(part);
        }
        if parts
            .iter()
            .rev()
            .skip(1)
            .any(|part| part.size < MIN_PART_LENGTH)
        {
            return refuse(
                S3ErrorCode::EntityTooSmall,
                "a part that is not the last has less than 5 MiB",
            );
        }
        let files: Vec<_> = parts.into_iter().map(|part| part.file.clone()).collect();
        Ok(StreamingBlob::wrap(read(files)))
    }

    /// Removes an upload.
    pub(super) async fn remove(&self, folder: &Path) -> S3Result<()> {
        fs::remove_dir_all(folder)
            .await
            .map_err(no_such_upload_or_internal)
    }
}

/// Aborts uploads that are older than `life`, like a bucket's lifecycle rule. Returns their number.
pub(crate) fn abort_older_than(folder: &Path, life: Duration) -> io::Result<usize> {
    let uploads = match std::fs::read_dir(folder.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        uploads => uploads?,
    };
    let mut aborted = 0;
    for upload in uploads {
        let folder = upload?.path();
        let begun = std::fs::metadata(folder.join(UPLOAD_FILE)).and_then(|about| about.modified());
        // A concurrent request may delete the upload.
        let old = begun.is_ok_and(|begun| begun.elapsed().is_ok_and(|age| age > life));
        if old && std::fs::remove_dir_all(folder).is_ok() {
            aborted += 1;
        }
    }
    Ok(aborted)
}

/// Reads files one after the other.
fn read(files: Vec<PathBuf>) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
    futures::stream::try_unfold(
        (files.into_iter(), None::<File>),
        |(mut files, mut open)| async move {
            loop {
                let mut file = match open.take() {
                    Some(file) => file,
                    None => match files.next() {
                        Some(path) => File::open(path).await?,
                        None => return Ok(None),
                    },
                };
                let mut piece = vec![0; READ_LENGTH];
                let length = file.read(&mut piece).await?;
                if length > 0 {
                    piece.truncate(length);
                    return Ok(Some((Bytes::from(piece), (files, Some(file)))));
                }
            }
        },
    )
}

/// A file that is deleted when this value is dropped, unless it was renamed.
struct TemporaryFile(PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn no_such_upload() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchUpload,
        "the upload does not exist: it was completed, or given up",
    )
}

fn no_such_upload_or_internal(error: io::Error) -> S3Error {
    if error.kind() == io::ErrorKind::NotFound {
        no_such_upload()
    } else {
        internal(error)
    }
}

fn internal(error: impl Into<StdError>) -> S3Error {
    S3Error::internal_error(StorageError(error.into()))
}

/// Error of a file operation.
#[derive(Debug, thiserror::Error)]
#[error("keep an unfinished object: {0}")]
struct StorageError(StdError);

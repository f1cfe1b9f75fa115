//! Objects that come in parts, until they are put together. `s3s-fs` has them too, but forgets an upload at the first wrong
//! attempt to complete it, lists parts without their entity tags, and takes any for those that were named.
//!
//! Each lies in a folder of its own: what it is to be, and its parts, whose names are their number and entity tag.

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

/// No bucket's name begins with a dot.
const FOLDER: &str = ".unfinished";

/// What an upload is to be.
const UPLOAD: &str = "upload.json";

/// The least bytes of a part that is not the last.
const LEAST: u64 = 5 * 1024 * 1024;

/// How much of a part is read at once.
const PIECE: usize = 256 * 1024;

/// What an object is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) content_type: Option<String>,
    pub(super) metadata: Option<HashMap<String, String>>,
}

/// A part that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) etag: String,
    pub(super) size: u64,
    pub(super) written: SystemTime,
    file: PathBuf,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Unfinished {
    folder: PathBuf,
    /// Held by whoever puts parts in place, or together.
    placing: Mutex<()>,
}

impl Unfinished {
    /// Below the folder of the buckets.
    pub(super) fn below(folder: &Path) -> Self {
        Self {
            folder: folder.join(FOLDER),
            placing: Mutex::default(),
        }
    }

    pub(super) async fn begin(&self, upload: &Upload) -> S3Result<String> {
        let id = Uuid::new_v4().to_string();
        let folder = self.folder.join(&id);
        fs::create_dir_all(&folder).await.map_err(internal)?;
        let text = serde_json::to_vec(upload).map_err(internal)?;
        fs::write(folder.join(UPLOAD), text)
            .await
            .map_err(internal)?;
        Ok(id)
    }

    /// The folder of an upload of this key, and what it is to be.
    pub(super) async fn find(
        &self,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> S3Result<(PathBuf, Upload)> {
        // An id that is none may lead anywhere.
        let id = Uuid::parse_str(id).map_err(|_| gone())?;
        let folder = self.folder.join(id.to_string());
        let text = fs::read(folder.join(UPLOAD))
            .await
            .map_err(gone_or_internal)?;
        let upload: Upload = serde_json::from_slice(&text).map_err(internal)?;
        if (upload.bucket.as_str(), upload.key.as_str()) == (bucket, key) {
            Ok((folder, upload))
        } else {
            Err(gone())
        }
    }

    /// Puts a part in place, over any other of its number; its entity tag. One that breaks off leaves nothing.
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
        let coming = Coming(folder.join(format!("coming-{}", Uuid::new_v4())));
        let mut file = File::create(&coming.0).await.map_err(gone_or_internal)?;
        let mut md5 = Md5::new();
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(internal)?;
            md5.update(&piece);
            file.write_all(&piece).await.map_err(internal)?;
        }
        file.flush().await.map_err(internal)?;
        let etag = format!("{:032x}", u128::from_be_bytes(md5.finalize().into()));
        let _placing = self.placing.lock().await;
        let before = self.parts(folder).await?;
        let file = folder.join(format!("{number}-{etag}"));
        fs::rename(&coming.0, &file)
            .await
            .map_err(gone_or_internal)?;
        for other in before
            .into_iter()
            .filter(|part| part.number == number && part.file != file)
        {
            fs::remove_file(other.file).await.map_err(internal)?;
        }
        Ok(etag)
    }

    /// The parts that are there, in order.
    pub(super) async fn parts(&self, folder: &Path) -> S3Result<Vec<Part>> {
        let mut entries = fs::read_dir(folder).await.map_err(gone_or_internal)?;
        let mut parts = vec![];
        while let Some(entry) = entries.next_entry().await.map_err(internal)? {
            let name = entry.file_name();
            let Some((number, etag)) = name.to_str().and_then(|name| name.split_once('-')) else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            let about = entry.metadata().await.map_err(gone_or_internal)?;
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

    /// Holds all parts in their places.
    pub(super) async fn hold(&self) -> MutexGuard<'_, ()> {
        self.placing.lock().await
    }

    /// The bytes of these parts of an upload, one after the other, if they are what it may consist of.
    pub(super) async fn whole(
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
        if parts.iter().rev().skip(1).any(|part| part.size < LEAST) {
            return refuse(
                S3ErrorCode::EntityTooSmall,
                "a part that is not the last has less than 5 MiB",
            );
        }
        let files: Vec<_> = parts.into_iter().map(|part| part.file.clone()).collect();
        Ok(StreamingBlob::wrap(read(files)))
    }

    /// Forgets an upload.
    pub(super) async fn end(&self, folder: &Path) -> S3Result<()> {
        fs::remove_dir_all(folder).await.map_err(gone_or_internal)
    }
}

/// Gives up what was begun longer ago; how many. As a bucket's lifecycle rule does elsewhere.
pub(crate) fn give_up(folder: &Path, life: Duration) -> io::Result<usize> {
    let uploads = match std::fs::read_dir(folder.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        uploads => uploads?,
    };
    let mut given_up = 0;
    for upload in uploads {
        let folder = upload?.path();
        let begun = std::fs::metadata(folder.join(UPLOAD)).and_then(|about| about.modified());
        // One that is gone meanwhile is none.
        let old = begun.is_ok_and(|begun| begun.elapsed().is_ok_and(|age| age > life));
        if old && std::fs::remove_dir_all(folder).is_ok() {
            given_up += 1;
        }
    }
    Ok(given_up)
}

/// Files, one after the other.
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
                let mut piece = vec![0; PIECE];
                let length = file.read(&mut piece).await?;
                if length > 0 {
                    piece.truncate(length);
                    return Ok(Some((Bytes::from(piece), (files, Some(file)))));
                }
            }
        },
    )
}

/// A file that is gone with this, unless it was renamed.
struct Coming(PathBuf);

impl Drop for Coming {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn gone() -> S3Error {
    S3Error::with_message(
        S3ErrorCode::NoSuchUpload,
        "the upload does not exist: it was completed, or given up",
    )
}

fn gone_or_internal(error: io::Error) -> S3Error {
    if error.kind() == io::ErrorKind::NotFound {
        gone()
    } else {
        internal(error)
    }
}

fn internal(error: impl Into<StdError>) -> S3Error {
    S3Error::internal_error(Problem(error.into()))
}

/// What went wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("keep an unfinished object: {0}")]
struct Problem(StdError);

//! S3, by `s3s` over files.

mod access;
mod checked;
mod unfinished;

use std::path::Path;

use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;

use crate::{ACCESS_KEY, SECRET_KEY};
use access::Reachable;
use checked::CheckedFiles;
pub(crate) use unfinished::give_up;

/// The service over a folder that exists. Unsigned requests are refused.
pub(crate) fn service(folder: &Path) -> Result<S3Service, String> {
    let files = FileSystem::new(folder).map_err(|error| format!("{error:?}"))?;
    let mut builder = S3ServiceBuilder::new(CheckedFiles::new(files, folder.to_owned()));
    builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
    builder.set_access(Reachable(folder.to_owned()));
    Ok(builder.build())
}

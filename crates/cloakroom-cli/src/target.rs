//! Target of a result: the file of `-o`, through symbolic links.
//!
//! A regular file is replaced when the result is complete, and is unchanged until then. Meanwhile the result is in a temporary
//! file next to it. A pipe or a device is written to while the result arrives.

use std::fs::{self, File, Metadata};
use std::io::{self, Seek as _, Write};
use std::path::{Path, PathBuf};

use cloakroom_client::Download;
use tempfile::NamedTempFile;

use crate::exit::{Exit, Failure};
use crate::{show, signals};

/// Most symbolic links in a row: the limit of Linux.
const MOST_LINKS: usize = 40;

/// Names of standard output, which is already open, and which may be of a kind that can't be opened by name.
const STDOUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Target of a result.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Stdout,
    /// A target that can't be replaced: a pipe, a device, an open file of `/proc`.
    Stream(PathBuf),
    /// A file, which may exist, by its resolved path.
    File(PathBuf),
}

impl Target {
    /// Determines the target of a name, without changing anything.
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        if STDOUT.contains(&name) {
            return Ok(Self::Stdout);
        }
        let path = Path::new(name);
        let bad = |error: io::Error| unwritable(path, &error);
        let existing = match fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(bad(error)),
        };
        if existing.as_ref().is_some_and(Metadata::is_dir)
            || name.ends_with(std::path::is_separator)
        {
            return Err(bad(io::Error::other(
                "it is a folder; specify a file in it",
            )));
        }
        if existing.is_some_and(|metadata| !metadata.is_file()) {
            return Ok(Self::Stream(path.to_owned()));
        }
        resolve(path).map_err(bad)
    }

    /// Writes a result to the target.
    pub(crate) async fn write(&self, download: Download) -> Result<Exit, Failure> {
        match self {
            Self::Stdout => {
                let mut download = download;
                while let Some(chunk) = download.chunk().await? {
                    show::write(&chunk)?;
                }
                Ok(Exit::Success)
            }
            Self::Stream(path) => {
                let mut file = File::options().write(true).truncate(true).open(path);
                let file = file.as_mut().map_err(|error| unwritable(path, error))?;
                fill(file, download, path).await.map(|()| Exit::Success)
            }
            Self::File(path) => replace(path, download).await,
        }
    }
}

/// Follows symbolic links one by one, because the last of them may name a file that does not exist yet.
fn resolve(path: &Path) -> io::Result<Target> {
    let mut resolved = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(link) = fs::read_link(&resolved) else {
            return Ok(Target::File(resolved));
        };
        let folder = resolved.parent().unwrap_or(Path::new(""));
        // A link in /proc represents an open file, and may name no file.
        if folder
            .canonicalize()
            .is_ok_and(|folder| folder.starts_with("/proc"))
        {
            return Ok(Target::Stream(path.to_owned()));
        }
        resolved = folder.join(link);
    }
    Err(io::Error::other("too many symbolic links"))
}

async fn replace(path: &Path, download: Download) -> Result<Exit, Failure> {
    let bad = |error: io::Error| unwritable(path, &error);
    let existing = match File::options().write(true).open(path) {
        Ok(file) => Some(file.metadata().map_err(bad)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        // A protected file must not be replaced either.
        Err(error) => return Err(bad(error)),
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::metadata(folder).map_err(bad)?;
    let mut part = match beside(folder) {
        // The folder is protected and the file is not: the temporary file is elsewhere.
        Err(_) if existing.is_some() => NamedTempFile::new(),
        part => part,
    }
    .map_err(bad)?;
    tokio::select! {
        filled = fill(part.as_file_mut(), download, path) => filled?,
        () = signals::end() => {
            show::note(&format!("interrupted: {} is unchanged", path.display()));
            return Ok(Exit::Interrupted);
        }
    }
    let is_beside = part.path().parent() == Some(folder);
    match existing {
        Some(existing) if is_beside => {
            keep_owner_and_mode(part.as_file(), &existing);
            // A file that is a mount point can't be replaced.
            part.persist(path)
                .map(drop)
                .or_else(|failed| overwrite(path, failed.file))
                .map_err(bad)?;
        }
        Some(_) => overwrite(path, part).map_err(bad)?,
        None => part
            .persist(path)
            .map(drop)
            .map_err(|failed| bad(failed.error))?,
    }
    Ok(Exit::Success)
}

/// Creates a temporary file in a folder, with a name that is unique and can't be guessed.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".cloakroom-");
    // The umask applies, as for any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

/// Sets the owner and the mode of a file to those of the file that it replaces, as far as permissions allow.
fn keep_owner_and_mode(file: &File, existing: &Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let _ = fchown(file, Some(existing.uid()), Some(existing.gid()));
    }
    let _ = file.set_permissions(existing.permissions());
}

/// Copies a complete result into the existing file.
fn overwrite(path: &Path, mut part: NamedTempFile) -> io::Result<()> {
    part.as_file_mut().rewind()?;
    io::copy(
        part.as_file_mut(),
        &mut File::options().write(true).truncate(true).open(path)?,
    )
    .map(drop)
}

async fn fill(file: &mut impl Write, mut download: Download, path: &Path) -> Result<(), Failure> {
    while let Some(chunk) = download.chunk().await? {
        file.write_all(&chunk)
            .map_err(|error| unwritable(path, &error))?;
    }
    file.flush().map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("failed to write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;

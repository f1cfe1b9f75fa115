//! A file or stream that is opened once, and can then be read from any position, any number of times.
//!
//! Small input is held in memory. A large regular file is read in place. Other large input (a pipe, a socket, a device) can be
//! read only once, and is copied to a temporary file. That file has no name, so it disappears when the process ends.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use cloakroom_core::Digest;
use tokio::sync::oneshot;

use crate::Error;

/// Most bytes of input that is held in memory.
const IN_MEMORY: usize = 4 * 1024 * 1024;

/// Most bytes of one read.
pub(crate) const PIECE: usize = 256 * 1024;

/// A file or stream that is open, and can be sent any number of times. Clones share it.
#[derive(Debug, Clone)]
pub struct Input {
    name: String,
    data: Data,
}

#[derive(Debug, Clone)]
enum Data {
    Memory(Bytes),
    File(Arc<Positioned>),
}

/// A part of a file, read by position.
#[derive(Debug)]
struct Positioned {
    file: File,
    /// Position of the payload's first byte: not 0 if the same handle was read from before.
    start: u64,
    length: u64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The caller's file, which may change, with its modification time when it was opened.
    Regular(Option<SystemTime>),
    /// A copy that no other process can open.
    Copy,
}

impl Input {
    /// Opens a file, a FIFO or a device by its path. Waits for the writer of a FIFO, and reads input to its end if it can be read
    /// only once. Dropping the future aborts both.
    ///
    /// # Errors
    /// [`Error::Input`] if it can't be opened, read or copied.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let name = path.display().to_string();
        Self::on_thread(name, move || {
            if path.is_dir() {
                return Err(io::Error::other("it is a folder; specify a file"));
            }
            File::open(&path)
        })
        .await
    }

    /// Uses an open file, such as standard input, from its current position. `name` is for error messages.
    ///
    /// # Errors
    /// [`Error::Input`] if it can't be read or copied.
    pub async fn from_file(name: impl Into<String>, file: File) -> Result<Self, Error> {
        Self::on_thread(name.into(), || Ok(file)).await
    }

    /// Opens and reads on a separate thread. Both may block forever, and a runtime waits for its own threads at its end.
    async fn on_thread(
        name: String,
        open: impl FnOnce() -> io::Result<File> + Send + 'static,
    ) -> Result<Self, Error> {
        let (sender, receiver) = oneshot::channel();
        let read = move || {
            let data = open().and_then(|file| read(file, &|| sender.is_closed()));
            // It fails if the caller dropped the future.
            let _ = sender.send(data);
        };
        let started = std::thread::Builder::new()
            .name("input".to_owned())
            .spawn(read);
        let data = match started {
            Ok(_) => receiver
                .await
                .unwrap_or_else(|_| Err(io::Error::other("the thread that reads it ended"))),
            Err(error) => Err(error),
        };
        match data {
            Ok(data) => Ok(Self { name, data }),
            Err(error) => Err(Error::input(name, &error)),
        }
    }

    /// Returns the number of bytes when the input was opened.
    pub fn length(&self) -> u64 {
        match &self.data {
            Data::Memory(bytes) => bytes.len() as u64,
            Data::File(file) => file.length,
        }
    }

    /// Returns true for a copy of input that can be read only once.
    pub fn is_copy(&self) -> bool {
        matches!(&self.data, Data::File(file) if file.kind == Kind::Copy)
    }

    /// Returns the modification time of the file when it was opened. `None` if it is not read in place.
    pub fn modified(&self) -> Option<SystemTime> {
        match &self.data {
            Data::Memory(_) => None,
            Data::File(file) => match file.kind {
                Kind::Regular(modified) => modified,
                Kind::Copy => None,
            },
        }
    }

    /// Returns the first bytes, at most 64.
    pub async fn beginning(&self) -> Result<Bytes, Error> {
        self.read(0, self.length().min(64)).await
    }

    /// Computes the SHA-256 of the whole input.
    pub async fn sha256(&self) -> Result<Digest, Error> {
        let (mut digest, mut offset) = (Digest::builder(), 0);
        while offset < self.length() {
            let piece = self
                .read(offset, (self.length() - offset).min(PIECE as u64))
                .await?;
            digest.update(&piece);
            offset += piece.len() as u64;
        }
        Ok(digest.finish())
    }

    /// Reads exactly this range. Fails as [`Error::Input`] if the file has become shorter.
    pub(crate) async fn read(&self, offset: u64, length: u64) -> Result<Bytes, Error> {
        match &self.data {
            Data::Memory(bytes) => {
                let from = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                let to = from
                    .saturating_add(usize::try_from(length).unwrap_or(usize::MAX))
                    .min(bytes.len());
                Ok(bytes.slice(from..to))
            }
            Data::File(file) => {
                let file = Arc::clone(file);
                let read = tokio::task::spawn_blocking(move || file.read(offset, length)).await;
                read.unwrap_or_else(|panic| Err(io::Error::other(panic)))
                    .map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => self.changed(),
                        _ => Error::input(&self.name, &error),
                    })
            }
        }
    }

    /// Returns an error if the file has changed since it was opened.
    pub(crate) fn change(&self) -> Option<Error> {
        let Data::File(file) = &self.data else {
            return None;
        };
        let Kind::Regular(modified) = file.kind else {
            return None;
        };
        let now = file.file.metadata().ok()?;
        let same = now.len() == file.start + file.length && now.modified().ok() == modified;
        (!same).then(|| self.changed())
    }

    fn changed(&self) -> Error {
        Error::input(
            &self.name,
            &"the file changed while it was read; retry when no program writes to it",
        )
    }
}

impl From<Bytes> for Input {
    fn from(bytes: Bytes) -> Self {
        Self {
            name: "the payload".to_owned(),
            data: Data::Memory(bytes),
        }
    }
}

impl Positioned {
    fn read(&self, offset: u64, length: u64) -> io::Result<Bytes> {
        let mut piece = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        read_exact_at(&self.file, &mut piece, self.start + offset)?;
        Ok(piece.into())
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, piece: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, piece, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut piece: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !piece.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, piece, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                piece = &mut piece[length..];
                offset += length as u64;
            }
        }
    }
    Ok(())
}

/// Reads input that fits in memory. A larger regular file stays in place if it is as long as its metadata says: files below
/// `/proc` are not. Other input is copied.
fn read(mut file: File, is_abandoned: &dyn Fn() -> bool) -> io::Result<Data> {
    let start = file.stream_position().unwrap_or(0);
    let mut beginning = Vec::new();
    // One byte more than the limit shows that there is more.
    let limit = IN_MEMORY + 1;
    while beginning.len() < limit && !is_abandoned() {
        let room = (limit - beginning.len()).min(PIECE) as u64;
        if (&mut file).take(room).read_to_end(&mut beginning)? == 0 {
            return Ok(Data::Memory(beginning.into()));
        }
    }
    let metadata = file.metadata()?;
    let length = metadata.len().saturating_sub(start);
    if metadata.is_file() && length >= beginning.len() as u64 {
        let kind = Kind::Regular(metadata.modified().ok());
        return Ok(Data::File(Arc::new(Positioned {
            file,
            start,
            length,
            kind,
        })));
    }
    copy(&beginning, file, is_abandoned).map(|copy| Data::File(Arc::new(copy)))
}

fn copy(
    beginning: &[u8],
    mut rest: File,
    is_abandoned: &dyn Fn() -> bool,
) -> io::Result<Positioned> {
    let folder = Some(std::env::temp_dir())
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or("/tmp".into());
    let unwritable = |error: io::Error| {
        let folder = folder.display();
        let text = format!(
            "it can be read only once, and copying it to a temporary file in {folder} failed: {error}; free some space, or set \
             TMPDIR to a folder with more space"
        );
        io::Error::new(error.kind(), text)
    };
    let mut file = tempfile::tempfile_in(&folder).map_err(unwritable)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .map_err(unwritable)?;
    file.write_all(beginning).map_err(unwritable)?;
    let (mut length, mut piece) = (beginning.len() as u64, vec![0; PIECE]);
    while !is_abandoned() {
        let read = match rest.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        file.write_all(&piece[..read]).map_err(unwritable)?;
        length += read as u64;
    }
    Ok(Positioned {
        file,
        start: 0,
        length,
        kind: Kind::Copy,
    })
}

#[cfg(test)]
mod tests;

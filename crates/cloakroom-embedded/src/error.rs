//! Errors of a start.

use std::io;
use std::path::PathBuf;

/// Reason why the services did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another process serves this folder. End that one, or take another folder.
    #[error("use {folder}: another process is using it")]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// A file, folder or port was refused by the system.
    #[error("{what}: {source}")]
    Io {
        /// The operation, as in "failed to …".
        what: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Stored data could not be opened: damaged, or written by a newer version.
    #[error("open {file}: {reason}; move or delete the folder {folder} (its jobs are gone then)", file = file.display(), folder = folder.display())]
    Data {
        /// The folder with all of the data.
        folder: PathBuf,
        /// The file.
        file: PathBuf,
        /// The reason, in words.
        reason: String,
    },
    /// The path of the folder is not UTF-8, which the table needs.
    #[error("use {folder}: its path is not UTF-8", folder = folder.display())]
    NotUtf8 {
        /// The folder.
        folder: PathBuf,
    },
    /// A service did not start for a reason that is not in the folder.
    #[error("start the embedded {service}: {reason}")]
    Service {
        /// The service.
        service: &'static str,
        /// The reason, in words.
        reason: String,
    },
}

//! Errors of starting the services.

use std::io;
use std::path::PathBuf;

/// Reason why the services did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Another process uses this directory. Stop that process, or use another directory.
    #[error("use {folder}: another process is using it")]
    InUse {
        /// Path of the directory.
        folder: PathBuf,
    },
    /// The operating system rejected access to a file, directory or port.
    #[error("{what}: {source}")]
    Io {
        /// Description of the operation, as in "failed to …".
        what: String,
        /// Error of the operating system.
        source: io::Error,
    },
    /// Stored data could not be opened: it is damaged, or a newer version wrote it.
    #[error("open {file}: {reason}; move or delete the folder {folder} (its jobs are gone then)", file = file.display(), folder = folder.display())]
    Data {
        /// Directory with all data.
        folder: PathBuf,
        /// The affected file.
        file: PathBuf,
        /// Reason as text.
        reason: String,
    },
    /// The path of the directory is not UTF-8, which the table requires.
    #[error("use {folder}: its path is not UTF-8", folder = folder.display())]
    NotUtf8 {
        /// Path of the directory.
        folder: PathBuf,
    },
    /// A service did not start, for a reason other than the directory.
    #[error("start the embedded {service}: {reason}")]
    Service {
        /// Name of the service.
        service: &'static str,
        /// Reason as text.
        reason: String,
    },
}

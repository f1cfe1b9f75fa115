//! Settings of a run.

use std::fmt;
use std::path::PathBuf;

use cloakroom_app::core::ReplyQueue;

use crate::listen::Listen;

/// Storage of jobs and payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A directory. The data survives the process.
    Folder(PathBuf),
    /// Memory. The data is lost with the process.
    Memory,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "data in {}", folder.display()),
            Self::Memory => f.write_str("data in memory"),
        }
    }
}

/// Settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Host and port of the API.
    pub listen: Listen,
    /// Storage of jobs and payloads.
    pub data: Data,
    /// Maximum number of concurrent jobs.
    pub workers: u16,
    /// Memory in bytes that all concurrent jobs may need together. `None` means three quarters of the machine's memory,
    /// or of the limit of the process's control group.
    pub worker_memory: Option<u64>,
    /// Reply queues, which the embedded services create.
    pub reply_queues: Vec<ReplyQueue>,
}

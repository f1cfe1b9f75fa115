//! Keys of the dev runner's deployment: a file that only its owner can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use cloakroom_app::core::DeploymentKeys;
use cloakroom_app::ports::{KeyStore, PortError};
use cloakroom_app::{Host as _, SystemHost};

/// Name of the file in the data folder.
const FILE: &str = "keys.json";

/// Keys of a dev runner. They are read each time, so that a change takes effect at once.
#[derive(Debug, Clone)]
pub enum DevKeys {
    /// Keys in memory, until the end of the process.
    Memory(Arc<DeploymentKeys>),
    /// Keys in a file.
    File(PathBuf),
}

impl DevKeys {
    /// Creates new keys in memory.
    pub fn in_memory() -> Self {
        Self::Memory(Arc::new(new_keys()))
    }

    /// Opens the keys in a data folder. Creates them, and the folder, if they are missing.
    ///
    /// # Errors
    /// Returns one line with the file and the error.
    pub fn in_folder(folder: &Path) -> Result<Self, String> {
        let file = folder.join(FILE);
        if !file.exists() {
            fs::create_dir_all(folder)
                .and_then(|()| write(&file, &new_keys()))
                .map_err(|error| failed("write", &file, &error))?;
        }
        let keys = Self::File(file);
        keys.read()?;
        Ok(keys)
    }

    /// Reads the keys.
    ///
    /// # Errors
    /// Returns one line with the file and the error.
    pub fn read(&self) -> Result<Arc<DeploymentKeys>, String> {
        match self {
            Self::Memory(keys) => Ok(Arc::clone(keys)),
            Self::File(file) => {
                let text =
                    fs::read_to_string(file).map_err(|error| failed("read", file, &error))?;
                DeploymentKeys::parse(&text)
                    .map(Arc::new)
                    .map_err(|error| format!("{}: failed to {error}", file.display()))
            }
        }
    }

    /// Replaces the keys.
    ///
    /// # Errors
    /// Returns one line with the file and the error.
    pub fn replace(&mut self, keys: DeploymentKeys) -> Result<(), String> {
        match self {
            Self::Memory(own) => *own = Arc::new(keys),
            Self::File(file) => {
                write(file, &keys).map_err(|error| failed("write", file, &error))?;
            }
        }
        Ok(())
    }
}

fn new_keys() -> DeploymentKeys {
    DeploymentKeys::new([SystemHost.random(), SystemHost.random()])
}

/// Writes the file whole or not at all: first to another one beside it.
fn write(file: &Path, keys: &DeploymentKeys) -> io::Result<()> {
    let beside = file.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut new = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    new.write_all(keys.write().as_bytes())?;
    new.sync_all()?;
    fs::rename(&beside, file)
}

fn failed(doing: &str, file: &Path, error: &io::Error) -> String {
    format!("failed to {doing} {}: {error}", file.display())
}

#[async_trait]
impl KeyStore for DevKeys {
    async fn keys(&self) -> Result<Arc<DeploymentKeys>, PortError> {
        self.read().map_err(|reason| PortError::Misconfigured {
            service: "the keys",
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_survive_in_a_file_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let mut keys = DevKeys::in_folder(&data).expect("made");
        let first = keys.read().expect("read");
        let again = DevKeys::in_folder(&data).expect("opened");
        assert_eq!(again.read(), Ok(Arc::clone(&first)));
        let mode = || {
            let file = fs::metadata(data.join(FILE)).expect("a file");
            file.permissions().mode() & 0o777
        };
        assert_eq!(mode(), 0o600);
        let replaced = (*first).clone().with_key([1, 2]);
        keys.replace(replaced.clone()).expect("replaced");
        assert_eq!(again.read(), Ok(Arc::new(replaced)));
        assert_eq!(mode(), 0o600);
        fs::write(data.join(FILE), "{}").expect("write");
        let error = DevKeys::in_folder(&data).expect_err("no keys");
        assert!(
            error.contains("keys.json") && error.contains("`key`"),
            "{error}"
        );
    }
}

//! Starts and stops the three services together.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use s3s::service::S3Service;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::account::{ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY};
use crate::clock::{self, Clock};
use crate::error::StartError;
use crate::net::Stop;
use crate::ports::{Listeners, listen_on_last_ports};
use crate::{damage, dynamodb, s3, sqs};

/// Maximum time that a shutdown waits for one service.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// Location of the services' data.
#[derive(Clone, Copy, Debug)]
pub enum Storage<'a> {
    /// This directory, created if it is missing. The next start with it finds all data.
    Folder(&'a Path),
    /// Memory: lost with the services. (Objects are in a temporary directory.)
    Memory,
}

/// The running services. Dropping this value stops them in the background; [`shutdown`](Self::shutdown) also waits for
/// them.
pub struct Services {
    dynamodb_url: String,
    sqs_url: String,
    s3_url: String,
    clock: Clock,
    database: dynoxide::Database,
    objects: PathBuf,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    // Held but not read: the lock on the directory, and the temporary directory.
    _lock: Option<File>,
    _temporary: Option<TempDir>,
}

impl Services {
    /// Access key for the SDK clients.
    pub const ACCESS_KEY: &'static str = ACCESS_KEY;
    /// Secret key for the SDK clients.
    pub const SECRET_KEY: &'static str = SECRET_KEY;
    /// Region for the SDK clients.
    pub const REGION: &'static str = REGION;

    /// Starts the three services on free ports of 127.0.0.1. With a directory, reuses the ports of the previous start
    /// if they are free. Must be called in a Tokio runtime with time and network drivers.
    pub async fn start(storage: Storage<'_>) -> Result<Services, StartError> {
        Self::open(storage, None).await
    }

    /// Starts the services like [`start`](Self::start), with `clock` as the time of the queue. DynamoDB and S3 (time to
    /// live, presigned URLs) always use the system time.
    pub async fn start_with_clock(
        storage: Storage<'_>,
        clock: Clock,
    ) -> Result<Services, StartError> {
        Self::open(storage, Some(clock)).await
    }

    async fn open(storage: Storage<'_>, clock: Option<Clock>) -> Result<Services, StartError> {
        let folder = match storage {
            Storage::Folder(folder) => Some(folder.to_owned()),
            Storage::Memory => None,
        };
        // Opening may replay a write-ahead log, so it runs outside the async threads.
        let opened = tokio::task::spawn_blocking(move || OpenedServices::open(folder));
        let opened = opened
            .await
            .map_err(|error| failed("services")(error.to_string()))??;
        let clock = match clock {
            Some(clock) => clock,
            None => clock::steady(
                opened
                    .queues
                    .latest()
                    .map_err(|error| failed("SQS")(error.to_string()))?,
            ),
        };
        Self::run(opened, clock)
    }

    fn run(opened: OpenedServices, clock: Clock) -> Result<Services, StartError> {
        let OpenedServices {
            folders,
            ports,
            database,
            queues,
            objects,
        } = opened;
        let (stop, stopped) = Stop::channel();
        let sqs_url = url(&ports.sqs)?;
        let queues = sqs::Server::new(queues, sqs_url.clone(), Arc::clone(&clock), stopped.clone());
        Ok(Services {
            dynamodb_url: url(&ports.dynamodb)?,
            sqs_url,
            s3_url: url(&ports.s3)?,
            clock,
            database: database.clone(),
            objects: folders.objects.clone(),
            stop,
            tasks: vec![
                tokio::spawn(dynamodb::serve(ports.dynamodb, database, stopped.clone())),
                tokio::spawn(sqs::serve(ports.sqs, Arc::new(queues), stopped.clone())),
                tokio::spawn(s3::serve(ports.s3, objects, stopped)),
            ],
            _lock: folders.lock,
            _temporary: folders.temporary,
        })
    }

    /// Returns the URL of DynamoDB: `http://127.0.0.1:PORT`.
    pub fn dynamodb_url(&self) -> &str {
        &self.dynamodb_url
    }

    /// Returns the URL of SQS: `http://127.0.0.1:PORT`.
    pub fn sqs_url(&self) -> &str {
        &self.sqs_url
    }

    /// Returns the URL of S3: `http://127.0.0.1:PORT`. Buckets are part of the path, so clients need
    /// `force_path_style`.
    pub fn s3_url(&self) -> &str {
        &self.s3_url
    }

    /// Returns the queue's clock. It follows the system clock, but never goes back, not even across restarts with a
    /// directory that contains messages.
    pub fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// Returns the URL of a queue, whether or not it exists. Only its last segment counts, so a URL remains valid after
    /// a restart.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.sqs_url)
    }

    /// Deletes expired DynamoDB items, like AWS does after some time. Returns their number. Call it regularly, because
    /// nothing else does it. A failure is logged.
    pub async fn sweep_expired(&self) -> usize {
        dynamodb::sweep(self.database.clone()).await
    }

    /// Aborts multipart uploads that are older than `life`, like a bucket's lifecycle rule. Returns their number. Call
    /// it regularly, because nothing else does it. A failure is logged.
    pub async fn abort_unfinished(&self, life: Duration) -> usize {
        let folder = self.objects.clone();
        let aborted =
            tokio::task::spawn_blocking(move || s3::abort_older_than(&folder, life)).await;
        aborted
            .map_err(io::Error::other)
            .flatten()
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "failed to abort unfinished uploads");
                0
            })
    }

    /// Stops accepting requests and waits for those in progress (long polls return empty responses). Returns when the
    /// services have stopped.
    pub async fn shutdown(mut self) {
        // An error means that the services have stopped already.
        let _ = self.stop.send(true);
        for mut task in self.tasks.drain(..) {
            match tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "an embedded service ended with an error"),
                // The table's server waits for every client that has sent a part of a request.
                Err(_) => task.abort(),
            }
        }
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services")
            .field("dynamodb_url", &self.dynamodb_url)
            .field("sqs_url", &self.sqs_url)
            .field("s3_url", &self.s3_url)
            .finish_non_exhaustive()
    }
}

/// Opened directories, ports and databases: everything that can fail before the services run.
struct OpenedServices {
    folders: Folders,
    ports: Listeners,
    database: dynoxide::Database,
    queues: sqs::Store,
    objects: S3Service,
}

impl OpenedServices {
    /// Opens everything. Blocks. Without a directory, nothing is stored.
    fn open(folder: Option<PathBuf>) -> Result<OpenedServices, StartError> {
        let folders = Folders::prepare(folder)?;
        if let Some(folder) = &folders.folder {
            damage::check(folder)?;
        }
        Ok(OpenedServices {
            database: folders.open("dynamodb.sqlite", "DynamoDB", dynamodb::open)?,
            queues: folders.open("sqs.sqlite", "SQS", |file| {
                sqs::Store::open(file).map_err(|error| error.to_string())
            })?,
            objects: s3::service(&folders.objects).map_err(failed("S3"))?,
            ports: listen_on_last_ports(folders.folder.as_deref()).map_err(io_error("listen"))?,
            folders,
        })
    }
}

/// Directories of the services.
struct Folders {
    /// `None` means that nothing is stored.
    folder: Option<PathBuf>,
    objects: PathBuf,
    lock: Option<File>,
    temporary: Option<TempDir>,
}

impl Folders {
    fn prepare(folder: Option<PathBuf>) -> Result<Folders, StartError> {
        if let Some(folder) = folder {
            if folder.to_str().is_none() {
                return Err(StartError::NotUtf8 { folder });
            }
            let objects = folder.join("s3");
            std::fs::create_dir_all(&objects)
                .map_err(io_error(format!("make {}", objects.display())))?;
            Ok(Folders {
                lock: Some(lock(&folder)?),
                folder: Some(folder),
                objects,
                temporary: None,
            })
        } else {
            let temporary = TempDir::with_prefix("cloakroom-s3-")
                .map_err(io_error("make a temporary folder"))?;
            Ok(Folders {
                folder: None,
                objects: temporary.path().to_owned(),
                lock: None,
                temporary: Some(temporary),
            })
        }
    }

    /// Opens a file in the directory, or memory.
    fn open<T>(
        &self,
        name: &str,
        service: &'static str,
        open: impl FnOnce(Option<&Path>) -> Result<T, String>,
    ) -> Result<T, StartError> {
        match &self.folder {
            Some(folder) => {
                let file = folder.join(name);
                open(Some(&file)).map_err(|reason| damage::damaged(folder, &file, reason))
            }
            None => open(None).map_err(failed(service)),
        }
    }
}

/// Locks the directory. The operating system releases the lock when the process ends in any way.
fn lock(folder: &Path) -> Result<File, StartError> {
    let path = folder.join("lock");
    let what = || format!("lock {}", path.display());
    let file = File::create(&path).map_err(io_error(what()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::InUse {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(io_error(what())(source)),
    }
}

fn url(listener: &TcpListener) -> Result<String, StartError> {
    let address = listener.local_addr().map_err(io_error("listen"))?;
    Ok(format!("http://{address}"))
}

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> StartError {
    let what = what.into();
    move |source| StartError::Io { what, source }
}

fn failed(service: &'static str) -> impl FnOnce(String) -> StartError {
    move |reason| StartError::Service { service, reason }
}

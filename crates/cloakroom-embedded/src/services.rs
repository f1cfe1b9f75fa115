//! Starting and ending the three services together.

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

/// Longest time that a shutdown waits for one service.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(8);

/// Place where the services store their data.
#[derive(Clone, Copy, Debug)]
pub enum Storage<'a> {
    /// This folder, created if missing. The next start over it finds everything again.
    Folder(&'a Path),
    /// Memory: lost with the services. (Objects lie in a temporary folder meanwhile.)
    Memory,
}

/// The running services. They end when this is dropped, at leisure, or by [`shutdown`](Self::shutdown),
/// which waits for them.
pub struct Services {
    dynamodb_url: String,
    sqs_url: String,
    s3_url: String,
    clock: Clock,
    database: dynoxide::Database,
    objects: PathBuf,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    // Held, not read: the lock on the folder, and the temporary folder.
    _lock: Option<File>,
    _temporary: Option<TempDir>,
}

impl Services {
    /// The access key to give the SDK clients.
    pub const ACCESS_KEY: &'static str = ACCESS_KEY;
    /// The secret key to give the SDK clients.
    pub const SECRET_KEY: &'static str = SECRET_KEY;
    /// The region to give the SDK clients.
    pub const REGION: &'static str = REGION;

    /// Starts the three services on free ports of 127.0.0.1 (over a folder: on those of last time, where
    /// they are still free). Must be called in a Tokio runtime with its drivers for time and network.
    pub async fn start(storage: Storage<'_>) -> Result<Services, StartError> {
        Self::open(storage, None).await
    }

    /// As [`start`](Self::start), with the queue's time told by `clock`. DynamoDB and S3 (time to live,
    /// presigned URLs) always keep the system's time.
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
        // Opening may replay a write-ahead log: off the async threads.
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

    /// Where DynamoDB listens, as `http://127.0.0.1:PORT`.
    pub fn dynamodb_url(&self) -> &str {
        &self.dynamodb_url
    }

    /// Where SQS listens, as `http://127.0.0.1:PORT`.
    pub fn sqs_url(&self) -> &str {
        &self.sqs_url
    }

    /// Where S3 listens, as `http://127.0.0.1:PORT`. Buckets are addressed by path, so clients need
    /// `force_path_style`.
    pub fn s3_url(&self) -> &str {
        &self.s3_url
    }

    /// The queue's clock: it follows the machine's clock forward and never back, also not across restarts over a folder
    /// that has messages.
    pub fn clock(&self) -> Clock {
        Arc::clone(&self.clock)
    }

    /// The URL of a queue, whether or not it exists yet. Only its last segment counts, so a URL from
    /// before a restart stays good.
    pub fn queue_url(&self, name: &str) -> String {
        format!("{}/{ACCOUNT}/{name}", self.sqs_url)
    }

    /// Deletes the DynamoDB items whose time to live is over, as AWS does some time after; gives how
    /// many. Nothing else does it here: call it now and then. A failure is logged.
    pub async fn sweep_expired(&self) -> usize {
        dynamodb::sweep(self.database.clone()).await
    }

    /// Aborts unfinished uploads in parts that are older than `life`, as a bucket's lifecycle rule does. Returns their number.
    /// Nothing else does it here: call it now and then. A failure is logged.
    pub async fn abort_unfinished(&self, life: Duration) -> usize {
        let folder = self.objects.clone();
        let aborted =
            tokio::task::spawn_blocking(move || s3::abort_older_than(&folder, life)).await;
        aborted
            .map_err(io::Error::other)
            .flatten()
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "failed to give up unfinished objects");
                0
            })
    }

    /// Stops accepting, lets requests under way finish (waiting receives are answered empty), and
    /// returns when the services have ended.
    pub async fn shutdown(mut self) {
        // Nobody listening any more is what was wanted.
        let _ = self.stop.send(true);
        for mut task in self.tasks.drain(..) {
            match tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut task).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "an embedded service ended badly"),
                // The table's server waits for every client that has sent part of a request.
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

/// Opened folders, ports and databases: everything that can fail before the services run.
struct OpenedServices {
    folders: Folders,
    ports: Listeners,
    database: dynoxide::Database,
    queues: sqs::Store,
    objects: S3Service,
}

impl OpenedServices {
    /// Blocks. No folder keeps nothing.
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

/// Folders of the services.
struct Folders {
    /// None keeps nothing.
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

    /// Opens a file of the folder, or memory.
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

/// The system gives the lock up when the process ends, however it ends.
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

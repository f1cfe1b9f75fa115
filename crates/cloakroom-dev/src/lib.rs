//! The dev runner: a complete service in one process, for any commands.
//!
//! It has the same router, use cases and adapters as a deployment. The AWS services are embedded, and a poller replaces
//! Lambda's event source mapping.

mod expiry;
mod greeting;
mod host;
mod listen;
pub mod log;
mod machine;
mod parts;
mod poller;
mod serve;
mod sweeper;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use cloakroom_app::Registry;
use cloakroom_embedded::net::Stop;
use cloakroom_embedded::{Services, StartError, Storage};
use cloakroom_http::{Cors, Site, router};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use listen::Listen;
use parts::Parts;

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
}

/// Serves these commands until `end` resolves. Requests in progress are completed. Jobs in progress continue in the
/// next run.
///
/// After the service has started, `greet` gets a text for the terminal: its address, and a curl command line per
/// command.
///
/// # Errors
/// Returns one line with the error and a fix, for example if an address is in use, or a directory can't be used.
pub async fn run(
    settings: &Settings,
    commands: Registry,
    greet: impl FnOnce(String),
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), String> {
    let (stopper, stop) = Stop::channel();
    tokio::spawn(async move {
        end.await;
        // If the run has failed, there is no receiver.
        let _ = stopper.send(true);
    });
    let (listeners, place) = settings.listen.bind().await?;
    let keep = match &settings.data {
        Data::Memory => Storage::Memory,
        Data::Folder(folder) => Storage::Folder(folder),
    };
    let services = Services::start(keep)
        .await
        .map_err(|error| failed_to_start(&error, &settings.data))?;
    let services = Arc::new(services);
    let greet = |commands: &Registry| greet(greeting::text(&place, &settings.data, commands));
    let served = serve_over(&services, listeners, settings, commands, greet, stop).await;
    if let Some(services) = Arc::into_inner(services) {
        services.shutdown().await;
    }
    served
}

async fn serve_over(
    services: &Arc<Services>,
    listeners: Vec<TcpListener>,
    settings: &Settings,
    commands: Registry,
    greet: impl FnOnce(&Registry),
    stop: Stop,
) -> Result<(), String> {
    let commands = commands.start().await.map_err(|error| error.to_string())?;
    let memory = settings.worker_memory.unwrap_or_else(machine::budget);
    let parts = Parts::new(services, commands, settings.workers, memory)
        .await
        .map_err(|error| format!("failed to {error}"))?;
    greet(&parts.commands);
    let mut work = JoinSet::new();
    work.spawn(poller::work(parts.queue, parts.worker, settings.workers));
    work.spawn(poller::bury(parts.dead, parts.dead_letters));
    work.spawn(sweeper::sweep(parts.store, parts.sweeper));
    work.spawn(expiry::delete(
        Arc::clone(services),
        parts.objects,
        parts.commands,
    ));
    let app = router(
        Site::default().cors(Cors::Any),
        Some(parts.submit),
        Some(parts.jobs),
    );
    serve::serve(listeners, app, Cors::Any, stop).await;
    work.shutdown().await;
    Ok(())
}

/// Adds a fix to the error of services that did not start.
fn failed_to_start(error: &StartError, data: &Data) -> String {
    match (error, data) {
        (_, Data::Memory) => format!("failed to {error}"),
        (StartError::Data { .. }, _) => {
            format!("failed to {error}, or choose another one with --data")
        }
        _ => format!("failed to {error}; choose another folder with --data"),
    }
}

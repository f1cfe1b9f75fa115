//! The dev runner: a complete service in one process, for any commands.
//!
//! It has the same router, use cases and adapters as a deployment. The AWS services are embedded, and a poller replaces
//! Lambda's event source mapping.

mod expiry;
mod greeting;
mod host;
pub mod keys;
mod listen;
pub mod log;
mod machine;
mod parts;
mod poller;
mod publisher;
mod serve;
mod settings;
mod sweeper;

use std::sync::Arc;

use cloakroom_app::Registry;
use cloakroom_embedded::net::Stop;
use cloakroom_embedded::{Services, StartError, Storage};
use cloakroom_http::{Cors, Site, router};
use cloakroom_webhooks::{Reach, check_url};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use keys::DevKeys;
pub use listen::Listen;
use parts::Parts;
pub use settings::{Data, Settings};

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
    let keys = match &settings.data {
        Data::Memory => DevKeys::in_memory(),
        Data::Folder(folder) => DevKeys::in_folder(folder)?,
    };
    let services = Services::start(keep)
        .await
        .map_err(|error| failed_to_start(&error, &settings.data))?;
    let services = Arc::new(services);
    let greet = |parts: &Parts| greet(greeting::text(&place, &settings.data, parts));
    let served = serve_over(&services, listeners, settings, keys, commands, greet, stop).await;
    if let Some(services) = Arc::into_inner(services) {
        services.shutdown().await;
    }
    served
}

async fn serve_over(
    services: &Arc<Services>,
    listeners: Vec<TcpListener>,
    settings: &Settings,
    keys: DevKeys,
    commands: Registry,
    greet: impl FnOnce(&Parts),
    stop: Stop,
) -> Result<(), String> {
    let commands = commands.start().await.map_err(|error| error.to_string())?;
    let parts = Parts::new(services, commands, settings, &keys)
        .await
        .map_err(|error| format!("failed to {error}"))?;
    greet(&parts);
    let mut work = JoinSet::new();
    work.spawn(poller::work(parts.queue, parts.worker, settings.workers));
    work.spawn(poller::bury(parts.dead, parts.dead_letters));
    work.spawn(publisher::catch_up(
        parts.store.clone(),
        parts.publisher.clone(),
        parts.host,
    ));
    work.spawn(publisher::publish(parts.changes, parts.publisher));
    work.spawn(poller::deliver(parts.deliveries, parts.deliver));
    work.spawn(sweeper::sweep(parts.store, parts.sweeper));
    work.spawn(expiry::delete(
        Arc::clone(services),
        parts.objects,
        parts.commands,
    ));
    let app = router(
        Site::default()
            .cors(Cors::Any)
            .callbacks(|url| check_url(url, Reach::Local).map_err(|error| error.to_string())),
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

#[cfg(test)]
mod tests;

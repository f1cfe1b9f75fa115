//! `cloakroom dev`: runs the whole service on this machine.

use std::path::PathBuf;

use cloakroom_app::core::ReplyQueue;
use cloakroom_app::{Registry, panics};
use cloakroom_dev::{Data, Listen, Settings, log};

use crate::show;
use crate::signals::Signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Host (an address or a name) and port to listen on; port 0 selects a free port
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9000")]
    listen: Listen,
    /// Folder for jobs and payloads
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".cloakroom",
        conflicts_with = "memory"
    )]
    data: PathBuf,
    /// Store everything in memory: it is lost at the end
    #[arg(long)]
    memory: bool,
    /// Number of jobs that run at the same time
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Memory in MiB for all jobs that run at the same time [default: three quarters of the memory of the machine or control group]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    worker_memory: Option<u32>,
    /// Reply queue to create in the embedded services, for `Reply-To: NAME`; may be repeated
    #[arg(long = "reply-queue", value_name = "NAME")]
    reply_queues: Vec<ReplyQueue>,
}

impl Args {
    fn settings(self) -> Settings {
        Settings {
            listen: self.listen,
            data: if self.memory {
                Data::Memory
            } else {
                Data::Folder(self.data)
            },
            workers: self.workers,
            reply_queues: self.reply_queues,
            worker_memory: self.worker_memory.map(|mib| u64::from(mib) * 1024 * 1024),
        }
    }
}

/// Runs until a signal requests the end. A second signal ends the process at once.
pub(crate) async fn run(
    args: Args,
    commands: Registry,
    mut signals: Signals,
) -> Result<(), String> {
    let log = log::start(commands.crates());
    panics::log_panics();
    let (end, ended) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        let _ = end.send(());
        std::process::exit(signals.next().await.exit_code().into());
    });
    let end = async { ended.await.unwrap_or_default() };
    let served = cloakroom_dev::run(&args.settings(), commands, greet, end).await;
    log.flush();
    served
}

/// Prints the greeting on a separate thread: the service must not wait for a reader of its standard output.
fn greet(text: String) {
    std::thread::spawn(move || {
        if let Err(failure) = show::line(&text) {
            tracing::warn!(reason = failure.message, "failed to print the greeting");
        }
    });
}

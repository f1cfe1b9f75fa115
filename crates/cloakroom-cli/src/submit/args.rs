//! Arguments of `cloakroom submit`.

use clap::ValueEnum;
use cloakroom_client::{CallbackEvents, Timestamp};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Type of the command, such as thumbnail.create
    #[arg(value_name = "TYPE")]
    pub(crate) command: String,
    /// File with the payload; `-` for standard input [default: the JSON document {}]
    pub(crate) file: Option<String>,
    /// Your own id of the job: the same submission with the same key is the same job [default: a random key]
    #[arg(long, short)]
    pub(crate) key: Option<String>,
    /// Earliest start of the job, such as 2026-11-21T08:00:00Z; at most a day ahead, unless the command allows more
    #[arg(long, value_name = "TIME")]
    pub(crate) not_before: Option<Timestamp>,
    /// URL that receives the end of the job; the service signs each delivery
    #[arg(long, value_name = "URL")]
    pub(crate) callback_url: Option<String>,
    /// Events that the callback URL receives: the end of the job, or all its changes [default: terminal]
    #[arg(long, value_name = "KIND", requires = "callback_url")]
    pub(crate) callback_events: Option<Events>,
    /// Queue that receives the end of the job; the deployment lists the names that it allows
    #[arg(long, value_name = "NAME")]
    pub(crate) reply_to: Option<String>,
    /// Id that all events of the job carry [default: the id of the job]
    #[arg(long, value_name = "ID")]
    pub(crate) correlation_id: Option<String>,
    /// Follow the job until it ends
    #[arg(long, short)]
    pub(super) wait: bool,
    /// Print the job as JSON instead of its id: as accepted, or as it ended with --wait
    #[arg(long)]
    pub(super) json: bool,
    /// Media type of the payload [default: guessed from the name or the first bytes of the file]
    #[arg(long, value_name = "TYPE", requires = "file")]
    pub(crate) content_type: Option<String>,
    /// Parameter of a command whose payload is not JSON; can be repeated
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) query: Vec<(String, String)>,
    /// Start a new upload: by default, submitting the same large file again resumes its interrupted upload
    #[arg(long)]
    pub(crate) no_resume: bool,
}

/// Events that a callback URL receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Events {
    Terminal,
    All,
}

impl From<Events> for CallbackEvents {
    fn from(events: Events) -> Self {
        match events {
            Events::Terminal => Self::Terminal,
            Events::All => Self::All,
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

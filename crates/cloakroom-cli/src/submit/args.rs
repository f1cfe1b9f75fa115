//! Arguments of `cloakroom submit`.

use cloakroom_client::Timestamp;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The command's type, as in thumbnail.create
    #[arg(value_name = "TYPE")]
    pub(crate) command: String,
    /// What the command works on; `-` for standard input; the JSON document {} if left out
    pub(crate) file: Option<String>,
    /// Your own id of the job: with the same key, the same submission is the same job; a random one if left out
    #[arg(long, short)]
    pub(crate) key: Option<String>,
    /// When the job may begin, if not at once, as in 2026-11-21T08:00:00Z: at most a day ahead, unless the command says more
    #[arg(long, value_name = "TIME")]
    pub(crate) not_before: Option<Timestamp>,
    /// Follow the job until it is over
    #[arg(long, short)]
    pub(super) wait: bool,
    /// Print the job as JSON in place of its id: as accepted, or with --wait as it ended
    #[arg(long)]
    pub(super) json: bool,
    /// The payload's media type; guessed from the file's name or first bytes if left out
    #[arg(long, value_name = "TYPE", requires = "file")]
    pub(crate) content_type: Option<String>,
    /// A parameter of a command whose payload is not JSON; may be given more than once
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) query: Vec<(String, String)>,
    /// Begin anew: a large file whose upload was interrupted otherwise goes on where it was, if the same is submitted again
    #[arg(long)]
    pub(crate) no_resume: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("want NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

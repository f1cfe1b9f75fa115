//! `cloakroom submit`.

use std::io::Read as _;

use cloakroom_client::{Payload, Submission, Timestamp, Uploading};

use crate::content;
use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};
use crate::unfinished::Unfinished;
use crate::watch;

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
    wait: bool,
    /// Print the job as JSON in place of its id: as accepted, or with --wait as it ended
    #[arg(long)]
    json: bool,
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

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let screen = Screen::new();
    let unfinished = Unfinished::of(&args, service)?;
    let payload = payload(args.file, args.content_type)?;
    let (query, not_before) = (args.query, args.not_before);
    let mut submission = Submission { query, payload, not_before, ..Submission::json(&args.command, ()) };
    if let Some(key) = args.key.or_else(|| unfinished.key()) {
        submission = submission.key(key);
    }
    if let Some(upload) = unfinished.upload() {
        submission = submission.upload(upload);
    }
    let client = {
        let (shown, kept) = (screen.clone(), unfinished.clone());
        let tell = move |uploading: &Uploading| {
            kept.keep(uploading);
            shown.uploading(uploading);
        };
        service.client_with(&screen, |builder| builder.on_upload(tell))?
    };
    let submitted = tokio::select! {
        submitted = client.submit(submission) => submitted,
        Ok(()) = tokio::signal::ctrl_c() => {
            screen.clear();
            if unfinished.is_kept() {
                show::note("interrupted: submit the same again, and the upload goes on where it was");
            }
            return Ok(Exit::Interrupted);
        }
    };
    screen.clear();
    unfinished.end(submitted.as_ref().err());
    let submitted = submitted?;
    let word = if submitted.replayed { "accepted before" } else { "accepted" };
    screen.note(&format!("{word}: {}", submitted.location));
    if !args.json {
        show::line(&submitted.job.id)?;
    }
    if args.wait {
        return watch::follow(&client, &submitted.job.id, &screen, args.json).await;
    }
    if args.json {
        show::json(&submitted.job)?;
    }
    Ok(Exit::of_status(submitted.job.status))
}

fn payload(file: Option<String>, content_type: Option<String>) -> Result<Payload, Failure> {
    let unreadable = |name: &str, error: std::io::Error| Failure::usage(format!("failed to read {name}: {error}"));
    match file {
        None => Ok(Payload::Json(serde_json::json!({}))),
        Some(name) if name == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map_err(|error| unreadable("standard input", error))?;
            let content_type = content_type.unwrap_or_else(|| content::guess(None, &bytes).to_owned());
            Ok(Payload::Bytes { content_type, bytes: bytes.into() })
        }
        Some(name) => {
            let mut beginning = Vec::new();
            let read = std::fs::File::open(&name).and_then(|file| file.take(64).read_to_end(&mut beginning));
            read.map_err(|error| unreadable(&name, error))?;
            let content_type = content_type.unwrap_or_else(|| content::guess(Some(&name), &beginning).to_owned());
            Ok(Payload::File { content_type, path: name.into() })
        }
    }
}

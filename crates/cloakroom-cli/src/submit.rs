//! `cloakroom submit`.

use std::io::IsTerminal as _;

use cloakroom_client::{Input, Key, Payload, Submission, Uploading};

use crate::content;
use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen};
use crate::unfinished::Unfinished;
use crate::watch;

mod args;

pub(crate) use args::Args;

/// Names of standard input.
const STDIN: [&str; 4] = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let screen = Screen::new();
    let opened = tokio::select! {
        opened = open(&args, service, &screen) => opened,
        Ok(()) = tokio::signal::ctrl_c() => {
            show::note("interrupted: nothing was submitted");
            return Ok(Exit::Interrupted);
        }
    };
    let (payload, unfinished) = opened?;
    let (wait, json) = (args.wait, args.json);
    let submission = submission(args, payload, &unfinished);
    let client = {
        let (shown, kept) = (screen.clone(), unfinished.clone());
        let tell = move |uploading: &Uploading| {
            kept.keep(uploading);
            shown.uploading(uploading);
        };
        service.client_with(&screen, |builder| builder.on_upload(tell))?
    };
    let submitted = tokio::select! {
        submitted = client.send(submission) => submitted,
        Ok(()) = tokio::signal::ctrl_c() => {
            screen.clear();
            if unfinished.is_kept() {
                show::note("interrupted: submit the same again to resume the upload");
            }
            return Ok(Exit::Interrupted);
        }
    };
    screen.clear();
    unfinished.end(submitted.as_ref().err());
    let submitted = submitted?;
    let word = if submitted.replayed {
        "accepted before"
    } else {
        "accepted"
    };
    screen.note(&format!("{word}: {}", submitted.location));
    if !json {
        show::line(&submitted.job.id)?;
    }
    if wait {
        return watch::follow(&client, &submitted.job.id, &screen, json).await;
    }
    if json {
        show::json(&submitted.job)?;
    }
    Ok(Exit::from_status(submitted.job.status))
}

fn submission(args: Args, payload: Payload, unfinished: &Unfinished) -> Submission {
    let key = args.key.or_else(|| unfinished.key());
    Submission {
        command: args.command,
        payload,
        query: args.query,
        key: key.map(Key::Given).unwrap_or_default(),
        not_before: args.not_before,
        upload: unfinished.upload(),
        callback_url: args.callback_url,
        callback_events: args.callback_events.map(Into::into),
        reply_to: args.reply_to,
        correlation_id: args.correlation_id,
        cause: None,
    }
}

/// Opens the payload once, so that its media type, digest and bytes come from the same open file.
async fn open(
    args: &Args,
    service: &Service,
    screen: &Screen,
) -> Result<(Payload, Unfinished), Failure> {
    let Some(name) = args.file.as_deref() else {
        return Ok((Payload::Json(serde_json::json!({})), Unfinished::default()));
    };
    let is_stdin = STDIN.contains(&name);
    if is_stdin && std::io::stdin().is_terminal() {
        screen.note("reading the payload from the terminal; press Ctrl-D at its end");
    }
    let input = if is_stdin {
        let file = stdin()
            .map_err(|error| Failure::usage(format!("failed to read standard input: {error}")))?;
        Input::from_file("standard input", file).await?
    } else {
        Input::open(name).await?
    };
    let content_type = match &args.content_type {
        Some(content_type) => content_type.clone(),
        None => {
            content::guess(Some(name).filter(|_| !is_stdin), &input.beginning().await?).to_owned()
        }
    };
    let unfinished = Unfinished::load(args, service, &input).await?;
    Ok((
        Payload::Input {
            content_type,
            input,
        },
        unfinished,
    ))
}

/// Returns standard input as an open file. A socket can't be opened again by its name.
#[cfg(unix)]
fn stdin() -> std::io::Result<std::fs::File> {
    use std::os::fd::AsFd as _;
    std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(Into::into)
}

#[cfg(windows)]
fn stdin() -> std::io::Result<std::fs::File> {
    use std::os::windows::io::AsHandle as _;
    std::io::stdin()
        .as_handle()
        .try_clone_to_owned()
        .map(Into::into)
}

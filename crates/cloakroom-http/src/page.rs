//! Page of a job, for a person. It follows the job by script, and without script by reloading.
//! Texts by handlers and clients are inserted as text: here by maud, and by `textContent` in the script.

use std::sync::LazyLock;

use axum::response::Response;
use cloakroom_core::view::JobView;
use cloakroom_core::{Status, Timestamp};
use http::HeaderValue;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::html::{self, STYLE};
use crate::job_view;

const SCRIPT: &str = include_str!("page/follow.js");

/// Longest time in seconds until the page reloads itself. A person is less patient than a program.
const MAX_REFRESH_SECONDS: u64 = 5;

static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| html::policy(SCRIPT));

/// Responds with the page. `tag` is the entity tag of the job's document, which the script polls.
/// `retry_after` is in seconds.
pub(crate) fn job(view: &JobView, tag: &str, retry_after: u64) -> Response {
    html::response(
        job_view::status(view),
        POLICY.clone(),
        page(view, tag, retry_after),
    )
}

fn page(view: &JobView, tag: &str, retry_after: u64) -> Markup {
    let finished = view.status.is_terminal();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title(view)) " – " (view.command) }
                @if !finished {
                    noscript { meta http-equiv="refresh" content=(retry_after.min(MAX_REFRESH_SECONDS)); }
                }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main data-self=(view.links.this) data-events=[&view.links.events] data-cancel=(if view.links.cancel.is_some() { "yes" } else { "no" }) data-tag=(tag) data-follow=(if finished { "no" } else { "yes" })
                    data-accepted=(label(Status::Accepted)) data-running=(label(Status::Running))
                    data-retrying=(label(Status::Retrying)) data-cancelling=(label(Status::Cancelling))
                    data-succeeded=(label(Status::Succeeded)) data-failed=(label(Status::Failed))
                    data-cancelled=(label(Status::Cancelled)) {
                    h1 { (view.command) }
                    p.id { "Job " (view.client_job_id.as_deref().unwrap_or(&view.id)) }
                    (status_line(view))
                    (failure(view))
                    section #result hidden[!has_result(view)] {
                        h2 { "Result" }
                        p { a .button href=(view.links.result) { "Get the result" } }
                    }
                    (times(view))
                    button #cancel type="button" hidden aria-disabled=(view.status == Status::Cancelling) {
                        "Cancel the job"
                    }
                    p #refused .away role="status" {}
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// Title of the browser's tab: the progress of a running job, else the status.
fn title(view: &JobView) -> String {
    match percent(view).filter(|_| view.status == Status::Running) {
        Some(percent) => format!("{percent} %"),
        None => label(view.status).to_owned(),
    }
}

fn percent(view: &JobView) -> Option<f64> {
    view.progress
        .as_ref()
        .map(|progress| progress.percent.round())
}

fn status_line(view: &JobView) -> Markup {
    let finished = view.status.is_terminal();
    let progress = view
        .progress
        .as_ref()
        .filter(|_| view.status == Status::Running);
    let message = progress.and_then(|progress| progress.message.as_deref());
    let percent = percent(view);
    html! {
        p #state .state data-status=(view.status.as_str()) tabindex="-1" role="status" aria-live="polite" {
            (label(view.status))
            @if let Some(message) = message { ": " (message) }
        }
        p #away .away role="status" {}
        div #progress hidden[finished] {
            label for="bar" { "Progress " span #percent { @if let Some(percent) = percent { (percent) " %" } } }
            progress #bar max="100" value=[percent] {}
        }
    }
}

fn failure(view: &JobView) -> Markup {
    html! {
        section #error .bad hidden[view.error.is_none()] {
            h2 { "What went wrong" }
            p #detail { @if let Some(error) = &view.error { (error.detail) } }
            p { "Code: " code #code { @if let Some(error) = &view.error { (error.code) } } }
        }
    }
}

fn times(view: &JobView) -> Markup {
    html! {
        dl {
            div #attempt-row hidden[view.attempt == 0] { dt { "Attempt" } dd #attempt { (view.attempt) } }
            (time("created", "Accepted", Some(view.created_at)))
            (time("started", "Started", view.started_at))
            (time("updated", "Last change", Some(view.updated_at)))
            (time("estimated", "Expected end", view.estimated_finish_at))
            (time("retry", "Next attempt", view.retry_at))
            (time("finished", "Ended", view.finished_at))
            (time("expires", "Stored until", Some(view.expires_at)))
        }
    }
}

/// Row of the list of times, hidden without a time. The script fills it in the same way.
fn time(id: &str, label: &str, time: Option<Timestamp>) -> Markup {
    let machine = time.map(|time| time.to_string());
    let human = machine
        .as_deref()
        .map(|text| format!("{} {} UTC", &text[..10], &text[11..19]));
    html! {
        div id={ (id) "-row" } hidden[time.is_none()] {
            dt { (label) }
            dd { time id=(id) datetime=[machine] { @if let Some(human) = human { (human) } } }
        }
    }
}

fn has_result(view: &JobView) -> bool {
    view.result.as_ref().is_some_and(|result| !result.is_null()) || view.result_url.is_some()
}

/// Returns the label of a status, for a person.
const fn label(status: Status) -> &'static str {
    match status {
        Status::Accepted => "Waiting to start",
        Status::Running => "Running",
        Status::Retrying => "Waiting for the next attempt",
        Status::Cancelling => "Cancelling",
        Status::Succeeded => "Done",
        Status::Failed => "Failed",
        Status::Cancelled => "Cancelled",
    }
}

//! Implementation of `cloakroom doctor`, which checks the configuration of a deployment's functions, table, queue and
//! bucket.
//!
//! Each subject has a file. Its `ask` function makes the calls. Its `judge` function derives [`Finding`]s from the
//! responses. It is pure, so each fault can be tested. `answer` classifies failed calls, and determines which ones end
//! the examination. `command` creates the commands that fix a finding.

mod actions;
mod answer;
mod bucket;
mod command;
mod concurrency;
mod credentials;
mod deliveries;
pub mod deployment;
mod finding;
mod functions;
mod lifecycle;
mod lists;
mod mapping;
mod needs;
mod queue;
mod redrive;
mod table;
mod times;

use cloakroom_app::Registry;

pub use actions::ACTIONS;
pub use answer::End;
use answer::Stop;
use cloakroom_aws::Clients;
use finding::check;
pub use finding::{Finding, State};
use functions::{Kind, Known};
use mapping::{Link, Source};
use needs::Needs;

/// Examines the deployment whose functions are named `{stack}-submit` and so on. `commands` contains all commands of
/// the service. The deployment's configuration determines whether it includes the diagnostic ones.
///
/// The findings are in the order of the checks. If no service can be called (no credentials, or no response), the last
/// finding reports that, and the remaining checks are omitted.
pub async fn examine(clients: &Clients, stack: &str, commands: &Registry) -> (Vec<Finding>, End) {
    let mut findings = vec![];
    match ask_all(clients, stack, commands, &mut findings).await {
        Ok(()) => (findings, End::Answered),
        Err(Stop(last, end)) => {
            findings.push(*last);
            (findings, end)
        }
    }
}

async fn ask_all(
    clients: &Clients,
    stack: &str,
    commands: &Registry,
    findings: &mut Vec<Finding>,
) -> Result<(), Stop> {
    let (aws, usable) = credentials::ask(clients, stack).await?;
    findings.push(usable);

    let lambda = aws_sdk_lambda::Client::new(clients.sdk());
    let seen = functions::ask(&lambda, stack).await?;
    functions::there_is_one(&seen, &aws)?;
    let mappings = mapping::ask(&lambda, stack).await?;
    let (found, known) = functions::judge(&seen, &mappings.sources(Kind::Worker), &aws);
    findings.extend(found);
    let needs = Needs {
        // `diagnostic.run` may run as long as any function, which is no reason for a longer timeout.
        timeout: Needs::from_commands(&commands.clone().with_diagnostics(false)).timeout,
        ..Needs::from_commands(&commands.clone().with_diagnostics(known.diagnostics))
    };
    findings.extend(times::judge(&known, needs, &aws));
    findings.extend(concurrency::judge(
        &concurrency::ask(&lambda).await?,
        mappings.workers(),
        &aws,
    ));

    let table = match &known.table {
        Some(name) => Some(table::ask(&clients.dynamodb(), name).await?),
        None => None,
    };
    match &table {
        Some(facts) => findings.extend(table::judge(facts, &aws)),
        None => findings.push(unnamed("table", "CLOAKROOM_TABLE")),
    }
    let queue = match &known.queue_url {
        Some(url) => Some(queue::ask(&clients.sqs(), url).await?),
        None => None,
    };
    match &queue {
        Some(facts) => {
            findings.extend(queue::judge(facts, known.worker_timeout(), needs, &aws));
            findings.extend(redrive::told(
                facts,
                known.dead_letters_url.as_deref(),
                &aws,
            ));
        }
        None => findings.push(unnamed("queue", "CLOAKROOM_QUEUE_URL")),
    }
    let lists = match &known.lists_url {
        Some(url) => Some(lists::ask(&clients.sqs(), url).await?),
        None => None,
    };
    match &lists {
        Some(facts) => findings.extend(lists::judge(facts, known.timeout(Kind::Sweeper), &aws)),
        None => findings.push(unnamed("lists", "CLOAKROOM_LISTS_URL")),
    }
    let mut deliveries = None;
    match &known.deliveries_url {
        Some(url) => {
            let facts = deliveries.insert(deliveries::ask(&clients.sqs(), url).await?);
            findings.extend(deliveries::judge(facts, known.timeout(Kind::Deliver), &aws));
        }
        None => findings.push(unnamed("deliveries", "CLOAKROOM_DELIVERIES_URL")),
    }
    let stream = || {
        table
            .as_ref()
            .and_then(table::Facts::stream)
            .map(Source::Arn)
    };
    for (link, source) in [
        (
            Link::Queue,
            queue
                .as_ref()
                .map(|it| Source::from_queue(&it.queue, &it.url)),
        ),
        (Link::DeadLetters, dead_letters(queue.as_ref(), &known)),
        (
            Link::Lists,
            lists
                .as_ref()
                .map(|it| Source::from_queue(&it.queue, &it.url)),
        ),
        (Link::Stream, stream()),
        (Link::Changes, stream()),
        (
            Link::Deliveries,
            deliveries
                .as_ref()
                .map(|it| Source::from_queue(&it.queue, &it.url)),
        ),
    ] {
        findings.extend(mapping::judge(link, &mappings, source, &aws));
    }
    match &known.bucket {
        Some(name) => findings.extend(bucket::judge(
            &bucket::ask(&clients.s3(), name).await?,
            needs,
            &aws,
        )),
        None => findings.push(unnamed("bucket", "CLOAKROOM_BUCKET")),
    }
    Ok(())
}

/// Returns the queue in the redrive policy, or else the one in the configuration of dead-letters.
fn dead_letters<'a>(queue: Option<&'a queue::Facts>, known: &'a Known) -> Option<Source<'a>> {
    let redrive = queue.and_then(|it| it.queue.read()?.redrive.as_ref());
    let named = redrive.map(|redrive| Source::Arn(&redrive.arn));
    named.or_else(|| known.dead_letters_url.as_deref().map(Source::Url))
}

fn unnamed(subject: &'static str, variable: &str) -> Finding {
    check(subject, "name").skip(format!(
        "not checked: no function is configured with its name ({variable})"
    ))
}

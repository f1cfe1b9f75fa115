//! `cloakroom deliveries`: the deliveries of a job's events, one a line.

use cloakroom_client::{DeliveryAttempt, DeliveryView};

use crate::exit::{Exit, Failure};
use crate::service::Service;
use crate::show::{self, Screen, printable};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id or URL of the job
    #[arg(value_name = "ID")]
    job: String,
    /// Print the deliveries as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, service: &Service) -> Result<Exit, Failure> {
    let client = service.client_of(&args.job, &Screen::new())?;
    let deliveries = client.deliveries(&args.job).await?;
    if args.json {
        show::line(&serde_json::to_string(&deliveries).expect("deliveries are JSON"))?;
        return Ok(Exit::Success);
    }
    if deliveries.is_empty() {
        show::note("the job has no deliveries");
    }
    for delivery in &deliveries {
        show::line(&describe(delivery))?;
    }
    Ok(Exit::Success)
}

/// Describes a delivery in one line.
fn describe(delivery: &DeliveryView) -> String {
    let DeliveryView {
        id, kind, target, ..
    } = delivery;
    let with_time = |attempt: &DeliveryAttempt| format!("{} at {}", outcome(attempt), attempt.at);
    let attempts = match delivery.attempts.as_slice() {
        [] => "no attempt yet".to_owned(),
        [only] => format!("1 attempt: {}", with_time(only)),
        [.., last] => format!(
            "{} attempts, the last: {}",
            delivery.attempts.len(),
            with_time(last)
        ),
    };
    let next = delivery
        .next_at
        .map(|at| format!(", next at {at}"))
        .unwrap_or_default();
    let state = delivery.state.as_str();
    printable(&format!("{id}  {state}  {kind} {target}  {attempts}{next}"))
}

/// Describes the outcome of an attempt.
pub(crate) fn outcome(attempt: &DeliveryAttempt) -> String {
    match (attempt.status, &attempt.error) {
        (_, Some(error)) => error.clone(),
        (Some(status), None) => format!("status {status}"),
        (None, None) => "sent".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_delivery_is_one_line() {
        let refused = json!({ "at": "2026-11-21T08:00:00.000Z", "error": "connection\nrefused" });
        let ok = json!({ "at": "2026-11-21T08:00:05.000Z", "status": 200 });
        let cases = [
            (
                json!({ "state": "pending", "next_at": "2026-11-21T08:00:00.000Z" }),
                "d-1  pending  webhook https://host  no attempt yet, next at 2026-11-21T08:00:00.000Z",
            ),
            (
                json!({ "state": "failed", "attempts": [refused] }),
                "d-1  failed  webhook https://host  1 attempt: connection refused at 2026-11-21T08:00:00.000Z",
            ),
            (
                json!({ "state": "delivered", "attempts": [refused, ok] }),
                "d-1  delivered  webhook https://host  2 attempts, the last: status 200 at 2026-11-21T08:00:05.000Z",
            ),
        ];
        for (mut delivery, line) in cases {
            delivery["id"] = json!("d-1");
            delivery["kind"] = json!("webhook");
            delivery["target"] = json!("https://host");
            let delivery = serde_json::from_value(delivery).expect("a delivery");
            assert_eq!(describe(&delivery), line);
        }
    }
}

//! Checks of the functions' timeouts, and of the worker's lease.

use std::time::Duration;

use crate::command::Aws;
use crate::finding::{Finding, check};
use crate::functions::{Kind, Known, name};
use crate::needs::Needs;

/// Maximum duration of a long poll (`Prefer: wait=25`), plus the time of a call.
const HELD: Duration = Duration::from_secs(28);

/// Maximum duration of a stream of events, plus the time of a call.
const STREAMED: Duration = Duration::from_secs(58);

/// Time after which API Gateway stops streaming events.
const STREAM: Duration = Duration::from_secs(60);

/// Time after which API Gateway stops waiting for a response.
const GATEWAY: Duration = Duration::from_secs(29);

/// Maximum timeout of Lambda.
const LONGEST: Duration = Duration::from_secs(900);

pub(crate) fn judge(known: &Known, needs: Needs, aws: &Aws) -> Vec<Finding> {
    let http = [Kind::Submit, Kind::Status, Kind::Events]
        .into_iter()
        .filter_map(|kind| Some(held(kind, known.timeout(kind)?, aws)));
    let worker = known.worker_timeout().zip(known.lease_and_margin);
    let worker = worker.into_iter().flat_map(
        |(timeout, (lease, margin))| // A short timeout has its own finding. The lease is checked against the fixed value.
        [attempts(timeout, margin, needs, aws), leased(lease, timeout.max(needs.timeout.min(LONGEST)), aws)],
    );
    http.chain(worker).collect()
}

fn held(kind: Kind, timeout: Duration, aws: &Aws) -> Finding {
    let function = name(&aws.stack, kind);
    let check = check("functions", format!("{function}: timeout"));
    let (needed, wanted, longest) = match kind {
        Kind::Events => (STREAMED, STREAM, "a stream of events may take 55 s"),
        _ => (HELD, GATEWAY, "a long poll may take 25 s"),
    };
    if timeout >= needed {
        return check.ok(seconds(timeout));
    }
    let finding = check.warn(
        format!("{}, and {longest}", seconds(timeout)),
        "the gateway responds with 502 or 503 to a request that exceeds the function's timeout, or ends its stream",
    );
    finding.fixed_by(longer(&function, wanted, aws))
}

/// Checks the worker's timeout. An attempt does not start if its end can't be recorded in time. A longer one is cut
/// off.
fn attempts(timeout: Duration, margin: Duration, needs: Needs, aws: &Aws) -> Finding {
    let function = name(&aws.stack, Kind::Worker);
    let check = check("functions", format!("{function}: timeout"));
    let wanted = longer(&function, needs.timeout.max(margin * 2).min(LONGEST), aws);
    if timeout <= margin {
        let found = format!(
            "{}, and the last {} are reserved for recording the end of an attempt",
            seconds(timeout),
            seconds(margin)
        );
        return check
            .fail(
                found,
                "no attempt ever starts: messages are received again until they are dead letters",
            )
            .fixed_by(wanted);
    }
    if timeout < needs.timeout.min(LONGEST) {
        let found = format!(
            "{}, and a command may take {}",
            seconds(timeout),
            seconds(needs.timeout)
        );
        return check
            .warn(found, "an attempt that exceeds the function's timeout is stopped, and each retry fails in the same way")
            .fixed_by(wanted);
    }
    check.ok(seconds(timeout))
}

/// Checks the lease. After a timeout, the function's lease remains until it expires, and no worker takes over before.
fn leased(lease: Duration, timeout: Duration, aws: &Aws) -> Finding {
    let function = name(&aws.stack, Kind::Worker);
    let check = check("functions", format!("{function}: lease"));
    if lease <= timeout {
        return check.ok(seconds(lease));
    }
    let finding = check.warn(
        format!(
            "{}, and the function is stopped after {}",
            seconds(lease),
            seconds(timeout)
        ),
        "after a crash a job waits for a lease to expire that is longer than its worker can run",
    );
    // The parser accepts 3 to 900 s.
    let fitting = timeout
        .clamp(Duration::from_secs(3), Duration::from_secs(30))
        .as_secs()
        .to_string();
    finding.fixed_by(aws.set_variable(&function, "CLOAKROOM_LEASE_SECONDS", &fitting))
}

fn longer(function: &str, timeout: Duration, aws: &Aws) -> String {
    let timeout = timeout.as_secs().to_string();
    aws.run(&[
        "lambda",
        "update-function-configuration",
        "--function-name",
        function,
        "--timeout",
        &timeout,
    ])
}

/// Formats a duration for users.
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_secs() {
        whole if whole >= 7200 && whole % 3600 == 0 => format!("{} h", whole / 3600),
        whole => format!("{whole} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::somewhere;
    use crate::finding::State;
    use crate::needs::USUAL;

    /// Returns the states of the four checks, and the findings that are not ok.
    fn judged(submit: u64, status: u64, worker: u64, lease: u64) -> (Vec<State>, Vec<Finding>) {
        let times = [
            (Kind::Submit, submit),
            (Kind::Worker, worker),
            (Kind::Status, status),
        ];
        let known = Known {
            timeouts: times
                .map(|(kind, time)| (kind, Duration::from_secs(time)))
                .to_vec(),
            lease_and_margin: Some((Duration::from_secs(lease), Duration::from_secs(4))),
            ..Known::default()
        };
        let findings = judge(&known, USUAL, &somewhere());
        (
            findings.iter().map(|it| it.state).collect(),
            findings
                .into_iter()
                .filter(|it| it.state != State::Ok)
                .collect(),
        )
    }

    #[test]
    fn the_times_of_the_template_are_fine() {
        assert_eq!(judged(29, 29, 60, 30).0, [State::Ok; 4]);
    }

    #[test]
    fn a_stream_of_events_must_not_outlast_its_function() {
        for (timeout, state) in [(60, State::Ok), (29, State::Warn)] {
            let known = Known {
                timeouts: vec![(Kind::Events, Duration::from_secs(timeout))],
                ..Known::default()
            };
            assert_eq!(judge(&known, USUAL, &somewhere())[0].state, state);
        }
    }

    #[test]
    fn an_answer_that_is_held_must_not_outlast_its_function() {
        let (states, found) = judged(29, 3, 60, 30);
        assert_eq!(states, [State::Ok, State::Warn, State::Ok, State::Ok]);
        let fix = "aws lambda update-function-configuration --function-name cloakroom-status --timeout 29 --region eu-west-1";
        assert_eq!(found[0].fix.as_deref(), Some(fix));
    }

    #[test]
    fn a_worker_without_time_for_an_attempt_does_nothing() {
        let (states, found) = judged(29, 29, 3, 30);
        assert_eq!(states, [State::Ok, State::Ok, State::Fail, State::Ok]);
        assert!(
            found[0]
                .fix
                .as_deref()
                .is_some_and(|fix| fix.contains("--timeout 60 ")),
            "{found:?}"
        );
        assert_eq!(judged(29, 29, 59, 30).0[2], State::Warn);
    }

    #[test]
    fn a_lease_longer_than_the_function_lives_delays_what_comes_after_a_crash() {
        let (states, found) = judged(29, 29, 60, 61);
        assert_eq!(states, [State::Ok, State::Ok, State::Ok, State::Warn]);
        assert!(
            found[0]
                .fix
                .as_deref()
                .is_some_and(|fix| fix.contains(r#"{"CLOAKROOM_LEASE_SECONDS":"30"}"#))
        );
    }
}

//! `cloakroom doctor`: shows the findings of `cloakroom-doctor`.

use std::fmt::Write as _;

use cloakroom_app::Registry;
use cloakroom_aws::Clients;
use cloakroom_doctor::{End, Finding, State, examine};
use serde_json::{Value, json};

use crate::exit::{Exit, Failure};
use crate::show;
use crate::stack::Stack;

/// Region, credentials and `AWS_ENDPOINT_URL` are those of the environment, as for any AWS tool. With warnings only, the exit
/// code is 0.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    about: Stack,
    /// Print the findings as a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args, commands: &Registry) -> Result<Exit, Failure> {
    let clients = Clients::load().await;
    let (findings, end) = examine(&clients, &args.about.stack, commands).await;
    if args.json {
        show::line(&findings.iter().map(document).collect::<Value>().to_string())?;
    } else {
        show::write(page(&findings).as_bytes())?;
    }
    if let (End::Unreachable | End::Unidentified, Some(last)) = (end, findings.last()) {
        let exit = if end == End::Unreachable {
            Exit::Unavailable
        } else {
            Exit::Unfit
        };
        let message = format!(
            "failed to examine the deployment: {}: {}",
            last.check, last.found
        );
        return Err(Failure { exit, message });
    }
    show::note(&summary(&findings));
    Ok(if findings.iter().any(|it| it.state == State::Fail) {
        Exit::Unfit
    } else {
        Exit::Success
    })
}

fn document(it: &Finding) -> Value {
    let state = it.state.as_str().to_ascii_lowercase();
    json!({
        "subject": it.subject, "check": it.check, "state": state, "found": it.found, "why": it.why, "fix": it.fix,
    })
}

/// Formats a line for each check, by subject, and below it what is wrong, why it matters, and the fix. A fix is printed once.
fn page(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut subject = "";
    for (at, it) in findings.iter().enumerate() {
        let mut line = |words: std::fmt::Arguments<'_>| {
            writeln!(text, "{words}").expect("writing to a string can't fail");
        };
        if it.subject != subject {
            subject = it.subject;
            line(format_args!("{subject}"));
        }
        let state = it.state.as_str();
        match it.state {
            State::Ok | State::Skip => {
                line(format_args!("  {state:<4}  {}: {}", it.check, it.found));
            }
            State::Warn | State::Fail => {
                line(format_args!("  {state:<4}  {}", it.check));
                line(format_args!("        {}", it.found));
            }
        }
        if let Some(why) = &it.why {
            line(format_args!("        why: {why}"));
        }
        if let Some(fix) = &it.fix {
            let same = findings[..at]
                .iter()
                .find(|before| before.fix.as_ref() == Some(fix));
            match same {
                Some(before) => line(format_args!("        fix: see above ({})", before.check)),
                None => line(format_args!("        fix: {fix}")),
            }
        }
    }
    text
}

fn summary(findings: &[Finding]) -> String {
    let count = |state| findings.iter().filter(|it| it.state == state).count();
    let counts = [State::Fail, State::Warn, State::Skip, State::Ok]
        .map(|state| (count(state), state.as_str()));
    let counts: Vec<_> = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, name)| format!("{n} {name}"))
        .collect();
    format!("checked: {}", counts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        let it = |check: &str, state, found: &str, more: Option<&str>| Finding {
            subject: "queue",
            check: check.to_owned(),
            state,
            found: found.to_owned(),
            why: more.map(|_| "it matters".to_owned()),
            fix: more.map(str::to_owned),
        };
        let ok = Finding {
            subject: "table",
            ..it("name", State::Ok, "jobs", None)
        };
        vec![
            ok,
            it("name", State::Skip, "not checked", None),
            it("retention", State::Fail, "60 s", Some("aws sqs")),
        ]
    }

    #[test]
    fn the_same_fix_is_printed_once() {
        let retention = findings().remove(2);
        let delay = Finding {
            check: "delay".to_owned(),
            ..retention.clone()
        };
        let page = page(&[retention, delay]);
        assert_eq!(page.matches("fix: aws sqs\n").count(), 1, "{page}");
        assert!(page.ends_with("fix: see above (retention)\n"), "{page}");
    }

    #[test]
    fn a_check_is_a_line_and_what_is_wrong_has_its_reason_and_its_command_below() {
        let page = page(&findings());
        let want = "table\n  ok    name: jobs\nqueue\n  skip  name: not checked\n  FAIL  retention\n        60 s\n        \
                    why: it matters\n        fix: aws sqs\n";
        assert_eq!(page, want);
        assert_eq!(summary(&findings()), "checked: 1 FAIL, 1 skip, 1 ok");
    }

    #[test]
    fn a_finding_is_a_document_of_its_own() {
        let want = json!({
            "subject": "queue", "check": "retention", "state": "fail", "found": "60 s", "why": "it matters", "fix": "aws sqs",
        });
        assert_eq!(document(&findings()[2]), want);
    }
}

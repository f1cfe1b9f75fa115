//! Deployment that the doctor examines.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};
use std::time::Duration;

use cloakroom_tests::{Target, program};
use serde_json::Value;

/// A finding that is not ok.
#[derive(Debug, Clone)]
pub(crate) struct Complaint {
    pub(crate) state: String,
    pub(crate) fix: Option<String>,
}

/// Findings by subject and check, in alphabetical order.
pub(crate) type Complaints = BTreeMap<String, Complaint>;

pub(crate) struct Patient {
    pub(crate) on: Target,
    pub(crate) stack: String,
    /// Names of the deployment's resources in its functions' variables.
    pub(crate) table: String,
    pub(crate) bucket: String,
    pub(crate) queue: String,
    pub(crate) lists: String,
    /// Checks of the state of mappings that were updated. LocalStack 2026.3.0 reports such a mapping as disabled
    /// although it works, starting some seconds after the update, when the replaced poller ends.
    pub(crate) untrue: RefCell<BTreeSet<&'static str>>,
}

/// Functions of the deployment.
pub(crate) const KINDS: [&str; 8] = [
    "submit",
    "worker",
    "status",
    "events",
    "dead-letters",
    "sweeper",
    "publisher",
    "deliver",
];

/// Findings that emulators cause because they ignore parts of a template. They are fixed before the tests.
const LEFT_OUT: &[(Target, &str)] = &[
    (Target::LocalStack, "bucket lifecycle of "),
    (Target::LocalStack, "table point-in-time recovery"),
    (Target::MiniStack, "bucket lifecycle of "),
    (Target::MiniStack, "table point-in-time recovery"),
    (Target::MiniStack, "table time to live"),
];

impl Patient {
    pub(crate) fn new(on: Target) -> Self {
        let stack = std::env::var("CLOAKROOM_STACK").unwrap_or_else(|_| "cloakroom".to_owned());
        let none = String::new;
        let mut patient = Self {
            on,
            stack,
            table: none(),
            bucket: none(),
            queue: none(),
            lists: none(),
            untrue: RefCell::default(),
        };
        let variables = patient.variables("submit");
        let variable = |name: &str| variables[name].as_str().expect("it is deployed").to_owned();
        patient.table = variable("CLOAKROOM_TABLE");
        patient.bucket = variable("CLOAKROOM_BUCKET");
        patient.queue = variable("CLOAKROOM_QUEUE_URL");
        let sweeper = patient.variables("sweeper");
        patient.lists.push_str(
            sweeper["CLOAKROOM_LISTS_URL"]
                .as_str()
                .expect("it is deployed"),
        );
        patient
    }

    pub(crate) fn is_real(&self) -> bool {
        self.on == Target::Aws
    }

    pub(crate) fn function(&self, kind: &str) -> String {
        format!("{}-{kind}", self.stack)
    }

    /// Runs a command line like a user, and returns its output.
    pub(crate) fn shell(&self, line: &str) -> String {
        self.ready();
        said(line, shell(line, false))
    }

    /// Runs a command that the doctor printed.
    fn fix(&self, command: &str) {
        self.ready();
        said(command, shell(command, true));
    }

    /// Waits until the functions can be changed. AWS rejects a change while another one is in progress.
    fn ready(&self) {
        if self.is_real() {
            for kind in KINDS {
                shell(
                    &format!(
                        "aws lambda wait function-updated --function-name {}",
                        self.function(kind)
                    ),
                    false,
                );
            }
        }
    }

    /// Returns the variables of a function.
    pub(crate) fn variables(&self, kind: &str) -> Value {
        let function = self.function(kind);
        let got = self.shell(&format!(
            "aws lambda get-function-configuration --function-name {function} --output json"
        ));
        serde_json::from_str::<Value>(&got).expect("JSON")["Environment"]["Variables"].take()
    }

    /// Sets a variable of a function. Without a value, removes it.
    pub(crate) fn set(&self, kind: &str, name: &str, value: Option<&str>) {
        let mut variables = self.variables(kind);
        let all = variables.as_object_mut().expect("variables");
        match value {
            Some(value) => _ = all.insert(name.to_owned(), Value::from(value)),
            None => _ = all.remove(name),
        }
        let environment = serde_json::json!({ "Variables": variables })
            .to_string()
            .replace('\'', r"'\''");
        let function = self.function(kind);
        self.shell(&format!(
            "aws lambda update-function-configuration --function-name {function} --environment '{environment}'"
        ));
    }

    /// Returns the id of the function's mapping whose source's ARN contains `source`.
    pub(crate) fn mapping(&self, kind: &str, source: &str) -> String {
        let function = self.function(kind);
        let query =
            format!("EventSourceMappings[?contains(EventSourceArn, `{source}`)] | [0].UUID");
        self.shell(&format!(
            "aws lambda list-event-source-mappings --function-name {function} --query '{query}' --output text"
        ))
    }

    /// Deletes the function's mappings whose source's ARN contains `source`, and waits until they no longer exist.
    pub(crate) fn unmap(&self, kind: &str, source: &str) {
        loop {
            let uuid = self.mapping(kind, source);
            if uuid == "None" {
                return;
            }
            self.shell(&format!(
                "aws lambda delete-event-source-mapping --uuid {uuid}
                while aws lambda get-event-source-mapping --uuid {uuid} > /dev/null 2>&1; do sleep 1; done"
            ));
        }
    }

    /// Returns the URL of the dead-letter queue.
    pub(crate) fn dead_letters(&self) -> String {
        let queue = &self.queue;
        let arn = self.shell(&format!(
            "aws sqs get-queue-attributes --queue-url {queue} --attribute-names RedrivePolicy --query Attributes.RedrivePolicy --output text"
        ));
        let policy: Value = serde_json::from_str(&arn).expect("JSON");
        let name = policy["deadLetterTargetArn"]
            .as_str()
            .and_then(|arn| arn.rsplit(':').next())
            .expect("a name");
        self.shell(&format!(
            "aws sqs get-queue-url --queue-name {name} --query QueueUrl --output text"
        ))
    }

    /// Returns the findings that are not ok.
    pub(crate) fn complaints(&self) -> Complaints {
        self.ready();
        let output = doctor(&["--stack", &self.stack, "--json"]);
        let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        let failed = findings.iter().any(|it| it["state"] == "fail");
        assert_eq!(
            output.status.code(),
            Some(if failed { 7 } else { 0 }),
            "{findings:?}"
        );
        let text = |it: &Value| it.as_str().map(str::to_owned);
        let ill = findings
            .iter()
            .filter(|it| it["state"] == "fail" || it["state"] == "warn")
            .map(|it| {
                let check = format!(
                    "{} {}",
                    it["subject"].as_str().expect("text"),
                    it["check"].as_str().expect("text")
                );
                assert!(it["found"].is_string() && it["why"].is_string(), "{it}");
                let complaint = Complaint {
                    state: text(&it["state"]).expect("text"),
                    fix: text(&it["fix"]),
                };
                (check, complaint)
            });
        let untrue = self.untrue.borrow();
        ill.filter(|(check, _)| !untrue.contains(check.as_str()))
            .collect()
    }

    /// Returns the findings as soon as they are as expected, because changes become visible after a delay.
    pub(crate) fn complaints_until(&self, as_wanted: impl Fn(&Complaints) -> bool) -> Complaints {
        let tries = if self.is_real() { 60 } else { 15 };
        for _ in 0..tries {
            let found = self.complaints();
            if as_wanted(&found) {
                return found;
            }
            std::thread::sleep(Duration::from_secs(2));
        }
        self.complaints()
    }

    /// Runs the commands of all findings except `these`. Repeats this, because a fix may reveal another finding.
    pub(crate) fn fix_all_but(&self, these: &Complaints) {
        for _ in 0..3 {
            let found = self.complaints();
            let commands: Vec<_> = found
                .iter()
                .filter(|(check, _)| !these.contains_key(*check))
                .filter_map(|(_, it)| it.fix.clone())
                .collect();
            if commands.is_empty() {
                return;
            }
            for command in commands {
                self.fix(&command);
            }
        }
    }

    pub(crate) fn fix_what_the_emulator_left_out(&self) {
        for (check, complaint) in self.complaints() {
            if LEFT_OUT
                .iter()
                .any(|(on, beginning)| *on == self.on && check.starts_with(beginning))
            {
                self.fix(
                    &complaint
                        .fix
                        .expect("what a template says can be said by a command"),
                );
            }
        }
    }
}

/// Checks that a missing stack is a single finding, and the last one.
pub(crate) fn no_stack_of_another_name() {
    let output = doctor(&["--stack", "no-such-stack", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(output.status.code(), Some(7));
    let last = findings.last().expect("it says so");
    assert_eq!(
        (&last["subject"], &last["check"]),
        (&"functions".into(), &"stack".into()),
        "{findings:?}"
    );
    assert_eq!(findings.len(), 2, "the rest can't be asked: {findings:?}");
}

fn said(line: &str, output: Output) -> String {
    assert!(
        output.status.success(),
        "{line}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)
        .expect("text")
        .trim()
        .to_owned()
}

/// Runs a command line with the AWS CLI of the environment. With `as_it_is`, the line is unchanged. Otherwise, the
/// endpoint is added, because version 1 of the AWS CLI does not read it from the environment for SQS.
fn shell(line: &str, as_it_is: bool) -> Output {
    let cli = std::env::var("CLOAKROOM_AWS_CLI").unwrap_or_else(|_| "aws".to_owned());
    let endpoint = std::env::var("AWS_ENDPOINT_URL").ok().filter(|_| !as_it_is);
    let endpoint = endpoint
        .map(|url| format!(" --endpoint-url {url}"))
        .unwrap_or_default();
    let script = format!("aws() {{ command \"$AWS_CLI_OF_TEST\" \"$@\"{endpoint}; }}\n{line}");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .env("AWS_CLI_OF_TEST", cli)
        .env("AWS_PAGER", "")
        .output()
        .expect("a shell")
}

fn doctor(args: &[&str]) -> Output {
    Command::new(program("demo"))
        .arg("doctor")
        .args(args)
        .output()
        .expect("the program runs")
}

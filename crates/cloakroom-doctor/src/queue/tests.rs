use super::*;
use crate::answer::Answer;
use crate::command::somewhere;
use crate::finding::State;
use crate::needs::USUAL;

const WORKER: Duration = Duration::from_secs(60);

/// Returns a queue as the template creates it.
pub(crate) fn facts() -> Facts {
    let redrive = Redrive {
        arn: "arn:aws:sqs:eu-west-1:1:dead".to_owned(),
        receipts: 10,
    };
    Facts {
        url: "https://sqs.eu-west-1.amazonaws.com/1/work".to_owned(),
        queue: Answer::Is(Queue {
            arn: "arn:aws:sqs:eu-west-1:1:work".to_owned(),
            visibility: Duration::from_secs(360),
            retention: USUAL_RETENTION,
            redrive: Some(redrive),
        }),
        dead_letters: Some(Answer::Is(LONGEST_RETENTION)),
    }
}

fn with(change: impl FnOnce(&mut Queue)) -> Facts {
    let mut facts = facts();
    if let Answer::Is(queue) = &mut facts.queue {
        change(queue);
    }
    facts
}

/// Returns the only check that is not ok, with its command.
fn judged(facts: &Facts, needs: Needs) -> (State, String, String) {
    let mut ill = judge(facts, Some(WORKER), needs, &somewhere())
        .into_iter()
        .filter(|it| it.state != State::Ok);
    let it = ill.next().expect("something is not fine");
    assert_eq!(ill.next(), None);
    (it.state, it.check, it.fix.unwrap_or_default())
}

fn setting(attributes: &str) -> String {
    let url = "https://sqs.eu-west-1.amazonaws.com/1/work";
    format!(
        "aws sqs set-queue-attributes --queue-url {url} --attributes {attributes} --region eu-west-1"
    )
}

#[test]
fn a_queue_as_the_template_makes_it_is_fine() {
    assert!(
        judge(&facts(), Some(WORKER), USUAL, &somewhere())
            .iter()
            .all(|it| it.state == State::Ok)
    );
}

#[test]
fn a_queue_that_is_not_there_is_made_whole() {
    let (state, check, fix) = judged(
        &Facts {
            queue: Answer::Absent,
            ..facts()
        },
        USUAL,
    );
    assert_eq!((state, &*check), (State::Fail, "name"));
    assert!(
        fix.starts_with(
            "aws sqs create-queue --queue-name work --attributes '{\"VisibilityTimeout\":\"360\","
        ),
        "{fix}"
    );
}

#[test]
fn a_message_stays_hidden_for_as_long_as_its_worker_runs() {
    for (seconds, state) in [(59, State::Fail), (60, State::Warn), (359, State::Warn)] {
        let facts = with(|queue| queue.visibility = Duration::from_secs(seconds));
        let want = (
            state,
            "visibility timeout".to_owned(),
            setting("VisibilityTimeout=360"),
        );
        assert_eq!(judged(&facts, USUAL), want, "{seconds}");
    }
}

#[test]
fn a_message_is_kept_for_as_long_as_its_job_may_wait() {
    let facts_ = with(|queue| queue.retention = Duration::from_secs(24 * 3600 - 1));
    let want = |seconds| {
        (
            State::Fail,
            "message retention".to_owned(),
            setting(&format!("MessageRetentionPeriod={seconds}")),
        )
    };
    assert_eq!(judged(&facts_, USUAL), want(345_600));
    let long = Needs {
        retention: Duration::from_secs(7 * 24 * 3600),
        ..USUAL
    };
    assert_eq!(judged(&facts(), long), want(604_800));
    // SQS does not support a longer retention.
    let facts = with(|queue| queue.retention = LONGEST_RETENTION);
    let ages = Needs {
        retention: Duration::from_secs(30 * 24 * 3600),
        ..USUAL
    };
    assert!(
        judge(&facts, Some(WORKER), ages, &somewhere())
            .iter()
            .all(|it| it.state == State::Ok)
    );
}

#[test]
fn without_a_redrive_policy_the_dead_letters_of_the_stack_are_named() {
    let facts = Facts {
        dead_letters: None,
        ..with(|queue| queue.redrive = None)
    };
    let (state, check, fix) = judged(&facts, USUAL);
    assert_eq!((state, &*check), (State::Fail, "redrive policy"));
    assert!(fix.contains("OutputKey=='DeadLetters'"), "{fix}");
    // As a shell and SQS parse it.
    let script = format!(
        "aws() {{ case \"$1 $2\" in 'sqs set-queue-attributes') echo \"$6\";; *) echo the-arn;; esac; }}; {fix}"
    );
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .expect("a shell");
    let attributes: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let policy = attributes["RedrivePolicy"].as_str().and_then(Redrive::read);
    assert_eq!(
        policy,
        Some(Redrive {
            arn: "the-arn".to_owned(),
            receipts: 10
        })
    );
}

#[test]
fn there_are_more_receipts_than_attempts() {
    for (receipts, attempts, state, fixed) in [
        (3, 3, State::Fail, 10),
        (4, 3, State::Warn, 10),
        (10, 12, State::Fail, 24),
    ] {
        let facts = with(|queue| queue.redrive.as_mut().expect("it has one").receipts = receipts);
        let (found, check, fix) = judged(&facts, Needs { attempts, ..USUAL });
        assert_eq!((found, &*check), (state, "receive count"), "{receipts}");
        let policy = format!(
            r#"'{{"RedrivePolicy":"{{\"deadLetterTargetArn\":\"arn:aws:sqs:eu-west-1:1:dead\",\"maxReceiveCount\":\"{fixed}\"}}"}}'"#
        );
        assert_eq!(fix, setting(&policy));
    }
}

#[test]
fn dead_letters_have_somewhere_to_go_and_are_kept_there() {
    let (state, check, fix) = judged(
        &Facts {
            dead_letters: Some(Answer::Absent),
            ..facts()
        },
        USUAL,
    );
    assert_eq!((state, &*check), (State::Fail, "dead letters"));
    assert_eq!(
        fix,
        "aws sqs create-queue --queue-name dead --attributes MessageRetentionPeriod=1209600 --region eu-west-1"
    );
    let short = Facts {
        dead_letters: Some(Answer::Is(Duration::from_secs(3600))),
        ..facts()
    };
    let (state, check, fix) = judged(&short, USUAL);
    assert_eq!((state, &*check), (State::Fail, "dead letters"));
    assert!(
        fix.contains("get-queue-url --queue-name dead ")
            && fix.contains("MessageRetentionPeriod=1209600"),
        "{fix}"
    );
}

#[test]
fn a_redrive_policy_has_its_count_as_a_number_or_a_text() {
    for count in ["5", "\"5\""] {
        let text = format!(r#"{{"deadLetterTargetArn":"a:b","maxReceiveCount":{count}}}"#);
        assert_eq!(
            Redrive::read(&text),
            Some(Redrive {
                arn: "a:b".to_owned(),
                receipts: 5
            })
        );
    }
    assert_eq!(Redrive::read("{}"), None);
}

#[test]
fn dead_letters_are_looked_after_in_the_queue_that_the_redrive_policy_names() {
    let told = |facts: &Facts, url| redrive::told(facts, url, &somewhere());
    let fine = told(&facts(), Some("http://localhost:4566/1/dead")).expect("both are known");
    assert_eq!(fine.state, State::Ok);
    let found =
        told(&facts(), Some("https://sqs.eu-west-1.amazonaws.com/1/work")).expect("both are known");
    assert_eq!(
        (found.state, &*found.check),
        (State::Fail, "dead letters: CLOAKROOM_DEAD_LETTERS_URL")
    );
    let fix = found.fix.unwrap_or_default();
    // As a shell and Lambda parse it.
    let script =
        format!("aws() {{ case \"$1\" in sqs) echo the-url;; *) echo \"$*\";; esac; }}; {fix}");
    let output = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .expect("a shell");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(
        said.contains("update-function-configuration --function-name cloakroom-dead-letters "),
        "{said}"
    );
    assert!(
        said.contains(r#"`{"CLOAKROOM_DEAD_LETTERS_URL":"the-url"}`"#),
        "{said}"
    );
    // Nothing to compare: another finding reports that.
    assert_eq!(told(&facts(), None), None);
    assert_eq!(
        told(
            &with(|queue| queue.redrive = None),
            Some("http://localhost:4566/1/dead")
        ),
        None
    );
}

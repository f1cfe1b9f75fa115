use super::*;
use crate::command::somewhere;
use crate::finding::State;

const STREAM: &str = "arn:aws:dynamodb:eu-west-1:1:table/jobs/stream/2026-11-21T08:00:00.000";

fn right() -> Facts {
    Facts {
        name: "jobs".to_owned(),
        table: Answer::Is(Table {
            key: vec![right_key()],
            stream: Some(VIEW.to_owned()),
            stream_arn: Some(STREAM.to_owned()),
        }),
        expiry: Answer::Is(Some(TTL_ATTRIBUTE.to_owned())),
        recovery: Answer::Is(true),
    }
}

/// Returns the only check that is not ok, with its command.
fn judged(facts: &Facts) -> (State, String, String) {
    let mut ill = judge(facts, &somewhere())
        .into_iter()
        .filter(|it| it.state != State::Ok);
    let it = ill.next().expect("something is not fine");
    assert_eq!(ill.next(), None);
    (it.state, it.check, it.fix.unwrap_or_default())
}

fn with_table(change: impl FnOnce(&mut Table)) -> Facts {
    let mut facts = right();
    if let Answer::Is(table) = &mut facts.table {
        change(table);
    }
    facts
}

#[test]
fn a_table_as_the_template_makes_it_is_fine() {
    assert!(
        judge(&right(), &somewhere())
            .iter()
            .all(|it| it.state == State::Ok)
    );
}

#[test]
fn a_table_that_is_not_there_is_made_whole() {
    let (state, check, fix) = judged(&Facts {
        table: Answer::Absent,
        ..right()
    });
    assert_eq!((state, &*check), (State::Fail, "name"));
    for step in [
        "create-table --table-name jobs ",
        "wait table-exists",
        "update-time-to-live",
        "update-continuous-backups",
    ] {
        assert!(fix.contains(step), "{fix}");
    }
}

#[test]
fn another_key_can_only_be_fixed_by_another_table() {
    for key in [
        vec!["id (HASH, S)"],
        vec!["pk (HASH, N)"],
        vec!["pk (HASH, S)", "sk (RANGE, S)"],
    ] {
        let facts =
            with_table(|table| table.key = key.iter().map(|part| (*part).to_owned()).collect());
        let (state, check, fix) = judged(&facts);
        assert_eq!((state, &*check), (State::Fail, "key schema"), "{key:?}");
        assert!(fix.contains("create-table --table-name jobs-pk "), "{fix}");
        assert_eq!(
            fix.matches(r#"{"CLOAKROOM_TABLE":"jobs-pk"}"#).count(),
            8,
            "{fix}"
        );
    }
}

#[test]
fn the_stream_shows_a_change_whole() {
    let (state, check, fix) = judged(&with_table(|table| table.stream = None));
    assert_eq!((state, &*check), (State::Fail, "stream"));
    let on = "aws dynamodb update-table --table-name jobs --stream-specification \
              StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES --region eu-west-1";
    assert_eq!(fix, on);
    let (state, check, fix) = judged(&with_table(|table| {
        table.stream = Some("KEYS_ONLY".to_owned());
    }));
    assert_eq!((state, &*check), (State::Warn, "stream"));
    assert!(
        fix.contains("StreamEnabled=false") && fix.ends_with(on),
        "{fix}"
    );
}

#[test]
fn records_expire_by_their_own_time() {
    let on = "aws dynamodb update-time-to-live --table-name jobs --time-to-live-specification \
              Enabled=true,AttributeName=expires_at --region eu-west-1";
    let (state, check, fix) = judged(&Facts {
        expiry: Answer::Is(None),
        ..right()
    });
    assert_eq!((state, &*check, &*fix), (State::Fail, "time to live", on));
    let (state, check, fix) = judged(&Facts {
        expiry: Answer::Is(Some("ttl".to_owned())),
        ..right()
    });
    assert_eq!((state, &*check), (State::Fail, "time to live"));
    assert!(
        fix.contains("Enabled=false,AttributeName=ttl") && fix.ends_with(on),
        "{fix}"
    );
}

#[test]
fn a_table_that_can_not_be_restored_is_warned_of() {
    let (state, check, fix) = judged(&Facts {
        recovery: Answer::Is(false),
        ..right()
    });
    assert_eq!((state, &*check), (State::Warn, "point-in-time recovery"));
    assert!(
        fix.starts_with("aws dynamodb update-continuous-backups --table-name jobs "),
        "{fix}"
    );
}

#[test]
fn what_an_emulator_does_not_know_is_skipped() {
    let (state, check, _) = judged(&Facts {
        recovery: Answer::Unknown("dynamodb:DescribeContinuousBackups"),
        ..right()
    });
    assert_eq!((state, &*check), (State::Skip, "point-in-time recovery"));
}

#[test]
fn a_stream_that_is_off_is_none_that_can_be_read() {
    assert_eq!(right().stream(), Some(STREAM));
    // DynamoDB still reports the ARN of the previous stream.
    assert_eq!(with_table(|table| table.stream = None).stream(), None);
}

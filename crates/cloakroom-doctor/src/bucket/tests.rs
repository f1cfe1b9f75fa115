use super::*;
use crate::command::somewhere;
use crate::finding::State;
use crate::needs::USUAL;

fn right() -> Facts {
    let expiring = |name: &str, days| Rule {
        id: name.to_owned(),
        enabled: true,
        prefix: format!("{name}/"),
        expires: Some(days),
        ..Rule::default()
    };
    let unfinished = Rule {
        id: "unfinished".to_owned(),
        enabled: true,
        aborts: true,
        ..Rule::default()
    };
    Facts {
        name: "things".to_owned(),
        bucket: Answer::Is(()),
        open: Answer::Is(vec![]),
        encryption: Answer::Is(Some("AES256".to_owned())),
        rules: Answer::Is(vec![
            expiring("payloads", 3),
            expiring("results", 3),
            expiring("uploads", 1),
            unfinished,
        ]),
    }
}

/// Returns the findings that are not ok.
fn judged(facts: &Facts) -> Vec<(State, String, String)> {
    let ill = judge(facts, USUAL, &somewhere())
        .into_iter()
        .filter(|it| it.state != State::Ok);
    ill.map(|it| (it.state, it.check, it.fix.unwrap_or_default()))
        .collect()
}

#[test]
fn a_bucket_as_the_template_makes_it_is_fine() {
    assert_eq!(judged(&right()), []);
}

#[test]
fn a_bucket_that_is_not_there_is_made_whole() {
    let found = judged(&Facts {
        bucket: Answer::Absent,
        ..right()
    });
    let [(State::Fail, check, fix)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(check, "name");
    for step in [
        "create-bucket --bucket things --create-bucket-configuration LocationConstraint=eu-west-1 ",
        "put-public-access-block",
        "put-bucket-encryption",
        "put-bucket-lifecycle-configuration",
    ] {
        assert!(fix.contains(step), "{fix}");
    }
    let american = Aws {
        region: "us-east-1".to_owned(),
        ..somewhere()
    };
    assert!(
        !create("things", USUAL, &american).contains("LocationConstraint"),
        "S3 refuses it there"
    );
}

#[test]
fn every_way_to_the_public_is_blocked() {
    let all = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true";
    let fix = format!(
        "aws s3api put-public-access-block --bucket things --public-access-block-configuration {all} --region eu-west-1"
    );
    let want = vec![(State::Fail, "public access".to_owned(), fix)];
    assert_eq!(
        judged(&Facts {
            open: Answer::Absent,
            ..right()
        }),
        want
    );
    for switch in SWITCHES {
        assert_eq!(
            judged(&Facts {
                open: Answer::Is(vec![switch]),
                ..right()
            }),
            want
        );
    }
    let block = |set| {
        PublicAccessBlockConfiguration::builder()
            .block_public_acls(set)
            .build()
    };
    assert_eq!(open(Some(&block(false))), SWITCHES);
    assert_eq!(open(Some(&block(true))), SWITCHES[1..]);
    assert_eq!(open(None), SWITCHES);
}

#[test]
fn objects_are_encrypted() {
    let found = judged(&Facts {
        encryption: Answer::Absent,
        ..right()
    });
    let [(State::Warn, check, fix)] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(check, "encryption");
    assert!(
        fix.starts_with("aws s3api put-bucket-encryption --bucket things "),
        "{fix}"
    );
}

#[test]
fn without_any_rule_everything_is_kept_for_ever() {
    let found = judged(&Facts {
        rules: Answer::Absent,
        ..right()
    });
    let states: Vec<_> = found.iter().map(|(state, ..)| *state).collect();
    assert_eq!(states, [State::Fail, State::Fail, State::Fail, State::Warn]);
}

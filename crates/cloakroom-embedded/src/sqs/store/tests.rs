//! The store, with explicit times.

use super::database::SCHEMA_VERSION;
use super::{NewMessage, Store, StoredMessage};
use crate::sqs::error::Kind;
use crate::sqs::settings::AttributeMap;

const HOUR_MS: i64 = 3_600_000;

fn attributes(set: &[(&str, &str)]) -> AttributeMap {
    set.iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn store(queues: &[(&str, &[(&str, &str)])]) -> Store {
    let mut store = Store::open(None).expect("memory");
    for (name, set) in queues {
        store.create_queue(name, &attributes(set), 0).expect("made");
    }
    store
}

fn send(store: &mut Store, queue: &str, body: &str, now: i64) {
    let message = NewMessage {
        body: body.to_owned(),
        ..NewMessage::default()
    };
    store.send(queue, vec![message], now).expect("sent");
}

fn receive(store: &mut Store, queue: &str, now: i64) -> Option<StoredMessage> {
    store
        .receive(queue, 1, None, now)
        .expect("received")
        .messages
        .pop()
}

#[test]
fn a_message_is_hidden_exactly_for_its_visibility_timeout() {
    let mut store = store(&[("q", &[("VisibilityTimeout", "30")])]);
    send(&mut store, "q", "x", 0);
    assert!(receive(&mut store, "q", 0).is_some());
    assert!(receive(&mut store, "q", 29_999).is_none());
    assert!(receive(&mut store, "q", 30_000).is_some());
}

#[test]
fn an_empty_receive_tells_when_to_look_again() {
    let mut store = store(&[("q", &[])]);
    let next = |store: &mut Store| {
        store
            .receive("q", 1, None, 0)
            .expect("received")
            .next_visible_at
    };
    assert_eq!(next(&mut store), None);
    send(&mut store, "q", "x", 0);
    receive(&mut store, "q", 0).expect("the message");
    assert_eq!(next(&mut store), Some(30_000));
}

#[test]
fn a_visibility_of_zero_gives_each_message_once_a_receive() {
    let mut store = store(&[("q", &[])]);
    send(&mut store, "q", "a", 0);
    send(&mut store, "q", "b", 0);
    let received = store.receive("q", 10, Some(0), 0).expect("received");
    let bodies: Vec<_> = received
        .messages
        .iter()
        .map(|message| &message.body)
        .collect();
    assert_eq!(bodies, ["a", "b"]);
}

#[test]
fn a_dead_letter_keeps_the_age_it_had() {
    let policy =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":1}"#;
    let mut store = store(&[
        ("dead", &[("MessageRetentionPeriod", "3600")]),
        ("q", &[("RedrivePolicy", policy)]),
    ]);
    send(&mut store, "q", "x", 0);
    receive(&mut store, "q", 0).expect("once");
    assert!(receive(&mut store, "q", HOUR_MS - 1).is_none());
    let letter = receive(&mut store, "dead", HOUR_MS - 1).expect("moved");
    assert_eq!(letter.dead_letter_from.as_deref(), Some("q"));
    assert_eq!((letter.sent_at, letter.receive_count), (0, 2));
    assert_eq!(
        store.counts("dead", HOUR_MS).expect("counted"),
        super::queues::Counts::default()
    );
}

#[test]
fn no_message_is_hidden_for_more_than_twelve_hours() {
    let mut store = store(&[("q", &[])]);
    send(&mut store, "q", "x", 0);
    let receipt = receive(&mut store, "q", 0).expect("the message").receipt;
    let mut change = |timeout_s, now| store.change_visibility("q", &receipt, timeout_s, now);
    change(6 * 3600, 1000).expect("in flight");
    change(6 * 3600, 6 * HOUR_MS).expect("twelve hours exactly");
    let error = change(6 * 3600, 6 * HOUR_MS + 1).expect_err("beyond");
    assert_eq!(error.kind, Kind::InvalidParameterValue);
    let error = change(60, 12 * HOUR_MS).expect_err("visible again");
    assert_eq!(error.kind, Kind::MessageNotInflight);
}

#[test]
fn what_is_due_is_found_by_an_index_in_order() {
    let store = store(&[]);
    let plan: Vec<String> = store
        .connection
        .prepare(&format!("EXPLAIN QUERY PLAN {}", super::fair::FIRST_DUE))
        .expect("valid")
        .query_map(rusqlite::params!["q", "g", 9, 1, 1], |row| row.get(3))
        .expect("valid")
        .collect::<Result<_, _>>()
        .expect("text");
    assert_eq!(plan.len(), 1, "one step, no sort: {plan:?}");
    assert!(
        plan[0].contains("messages_by_group (queue=? AND group_id=? AND "),
        "{plan:?}"
    );
}

fn send_of(store: &mut Store, group: Option<&str>, count: usize, now: i64) {
    let group_id = group.map(str::to_owned);
    let message = NewMessage {
        body: "x".to_owned(),
        group_id,
        ..NewMessage::default()
    };
    store.send("q", vec![message; count], now).expect("sent");
}

/// Returns the groups of the next messages.
fn groups(store: &mut Store, max: usize, now: i64) -> Vec<String> {
    let received = store
        .receive("q", max, None, now)
        .expect("received")
        .messages;
    received
        .into_iter()
        .map(|message| message.group_id.unwrap_or_else(|| "none".to_owned()))
        .collect()
}

#[test]
fn a_quiet_groups_message_is_not_behind_a_hundred_of_a_noisy_one() {
    let mut store = store(&[("q", &[])]);
    send_of(&mut store, Some("noisy"), 100, 0);
    assert_eq!(
        groups(&mut store, 10, 1),
        ["noisy"; 10],
        "who is alone has all of it"
    );
    send_of(&mut store, Some("quiet"), 1, 2);
    assert_eq!(groups(&mut store, 1, 3), ["quiet"]);
    send_of(&mut store, None, 1, 4);
    assert_eq!(
        groups(&mut store, 3, 5),
        ["none", "noisy", "noisy"],
        "and nobody waits for what is not there"
    );
}

#[test]
fn groups_take_turns_in_one_receive() {
    let mut store = store(&[("q", &[])]);
    for group in ["a", "b", "c"] {
        send_of(&mut store, Some(group), 3, 0);
    }
    assert_eq!(
        groups(&mut store, 7, 1),
        ["a", "b", "c", "a", "b", "c", "a"]
    );
    assert_eq!(groups(&mut store, 10, 1), ["b", "c"]);
}

#[test]
fn a_group_is_busy_only_while_its_messages_are_in_flight() {
    let mut store = store(&[("q", &[("VisibilityTimeout", "30")])]);
    send_of(&mut store, Some("first"), 2, 0);
    groups(&mut store, 1, 1);
    send_of(&mut store, Some("second"), 2, 2);
    assert_eq!(groups(&mut store, 1, 3), ["second"]);
    assert_eq!(
        groups(&mut store, 4, 40_000),
        ["first", "second", "first", "second"],
        "all are due again, the oldest first"
    );
}

#[test]
fn a_visibility_of_zero_gives_each_message_once_a_receive_also_when_they_have_waited() {
    let mut store = store(&[("q", &[])]);
    send(&mut store, "q", "a", 0);
    send(&mut store, "q", "b", 0);
    assert_eq!(
        store
            .receive("q", 10, Some(0), 5)
            .expect("received")
            .messages
            .len(),
        2
    );
}

#[test]
fn rows_as_first_written_are_still_read() {
    let mut store = store(&[]);
    store
        .connection
        .execute_batch(
            r#"INSERT INTO queues VALUES ('q', '{"VisibilityTimeout":"45"}', 1000, 2000);
            INSERT INTO messages (queue, id, body, attributes, group_id, trace_header, sent_at, visible_at)
            VALUES ('q', 'm', 'x', '{"n":{"DataType":"Number","StringValue":"7"}}', 'g', 't', 1000, 1000);"#,
        )
        .expect("written");
    let message = receive(&mut store, "q", 3000).expect("read");
    assert_eq!(message.attributes["n"].string_value.as_deref(), Some("7"));
    assert_eq!((message.sent_at, message.first_received_at), (1000, 3000));
    let next = store
        .receive("q", 1, None, 3000)
        .expect("received")
        .next_visible_at;
    assert_eq!(next, Some(48_000));
}

#[test]
fn tables_of_another_version_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("sqs.sqlite");
    let store = Store::open(Some(&file)).expect("made");
    store
        .connection
        .pragma_update(None, "user_version", SCHEMA_VERSION + 1)
        .expect("written");
    drop(store);
    let error = Store::open(Some(&file)).err().expect("refused").to_string();
    assert_eq!(error, "its tables are of version 2, this program knows 1");
}

#[test]
fn the_latest_time_is_that_of_the_last_message_that_was_sent_or_received() {
    let mut store = store(&[("q", &[])]);
    assert_eq!(store.latest().expect("read"), None);
    send(&mut store, "q", "a", 1000);
    send(&mut store, "q", "b", 3000);
    assert_eq!(store.latest().expect("read"), Some(3000));
    receive(&mut store, "q", 5000).expect("there");
    assert_eq!(store.latest().expect("read"), Some(5000));
}

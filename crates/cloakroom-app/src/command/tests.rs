//! Limits of commands, and the registry that holds them.

use super::*;
use crate::registry::Registry;
use crate::testing::{Note, nothing};
use cloakroom_core::RetryPolicy;

#[test]
fn results_are_kept_for_the_fewest_days_that_will_do() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    for (retention, result, days) in [
        (hours(1), None, 1),
        (hours(23), None, 1),
        (hours(24), None, 2),
        (hours(47), None, 2),
        (hours(48), None, 8),
        (hours(24 * 500), None, 512),
        (hours(24 * 30), Some(hours(2)), 1),
        (hours(24 * 30), Some(hours(24)), 2),
        (hours(2), Some(hours(24)), 1),
    ] {
        let limits = Limits {
            retention,
            result_retention: result,
            ..Limits::default()
        };
        assert_eq!(limits.result_days(), days, "{limits:?}");
    }
    let longest = Limits {
        retention: LONGEST_RETENTION,
        ..Limits::default()
    };
    assert!(RESULT_DAYS.contains(&longest.result_days()));
}

fn command() -> Command {
    command_named("note.keep")
}

fn command_named(name: &str) -> Command {
    Command::json(name, nothing::<Note>)
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_command_has_limits_of_its_own_accord() {
    let command = command();
    let Limits {
        body,
        upload,
        timeout,
        retry,
        start_within,
        retention,
        result_retention,
        key_required,
        memory,
    } = command.limits();
    assert_eq!((*body, *upload, timeout.as_secs()), (4 << 20, 64 << 20, 60));
    assert_eq!(
        (*retry, retention.as_secs()),
        (RetryPolicy::default(), 24 * 3600)
    );
    assert_eq!(
        (*start_within, *result_retention, *key_required, *memory),
        (None, None, false, None)
    );
    assert_eq!(command.media_types(), ["application/json"]);
}

#[test]
fn limits_are_clamped_to_what_a_deployment_can_keep() {
    let limits = |command: Command| command.limits().clone();
    for (attempts, kept) in [
        (0, 1),
        (1, 1),
        (7, 7),
        (100, 100),
        (101, 100),
        (u32::MAX, 100),
    ] {
        assert_eq!(
            limits(command().attempts(attempts)).retry.max_attempts,
            kept
        );
    }
    for (bytes, kept) in [(0, 0), (7, 7), (4 << 20, 4 << 20), ((4 << 20) + 1, 4 << 20)] {
        assert_eq!(limits(command().body_limit(bytes)).body, kept);
    }
    assert_eq!(limits(command().upload_limit(u64::MAX)).upload, u64::MAX);
    let seconds = Duration::from_secs;
    for (cap, kept) in [(0, 0), (1799, 1799), (1800, 1800), (1801, 1800)] {
        let RetryPolicy { base, cap, .. } =
            limits(command().backoff(seconds(9), seconds(cap))).retry;
        assert_eq!((base.as_secs(), cap.as_secs()), (9, kept));
    }
}

#[test]
fn times_are_clamped_to_what_a_deployment_can_keep() {
    let limits = |command: Command| command.limits().clone();
    let seconds = Duration::from_secs;
    let day = 24 * 3600;
    for (time, kept) in [
        (0, 3600),
        (3599, 3600),
        (3600, 3600),
        (7201, 7201),
        (500 * day, 500 * day),
        (501 * day, 500 * day),
    ] {
        assert_eq!(
            limits(command().retention(seconds(time))).retention,
            seconds(kept)
        );
    }
    assert_eq!(
        limits(command().retention(Duration::from_millis(7_200_999))).retention,
        2 * HOUR,
        "whole seconds"
    );
    for (time, kept) in [
        (0, 3600),
        (3599, 3600),
        (7201, 7201),
        (600 * day, 600 * day),
    ] {
        assert_eq!(
            limits(command().result_retention(seconds(time))).result_retention,
            Some(seconds(kept))
        );
    }
    assert_eq!(limits(command().timeout(seconds(7))).timeout, seconds(7));
    assert_eq!(
        limits(command().start_within(seconds(7))).start_within,
        Some(seconds(7))
    );
    assert_eq!(limits(command().memory(7)).memory, Some(7));
    assert!(limits(command().key_required()).key_required);
}

#[test]
fn a_result_is_kept_for_less_than_its_job_only_where_it_is_less() {
    for (retention, result, shorter) in [
        (2, None, None),
        (2, Some(1), Some(HOUR)),
        (2, Some(2), None),
        (2, Some(3), None),
    ] {
        let limits = Limits {
            retention: retention * HOUR,
            result_retention: result.map(|hours| hours * HOUR),
            ..Limits::default()
        };
        assert_eq!(limits.shorter_result(), shorter, "{result:?}");
    }
}

#[test]
fn objects_are_kept_until_no_job_can_need_them() {
    let day = 24 * HOUR;
    let brief = command();
    assert_eq!(Registry::new(vec![brief.clone()]).objects_life(), 3 * day);
    assert_eq!(Registry::new(vec![brief]).bucket_life(), 3 * day);
    // A hundred attempts of an hour, and half an hour between them.
    let long = command()
        .attempts(100)
        .timeout(HOUR)
        .backoff(HOUR, HOUR / 2)
        .retention(10 * HOUR);
    assert_eq!(
        Registry::new(vec![long.clone()]).objects_life(),
        20 * HOUR + 150 * HOUR
    );
    assert_eq!(
        Registry::new(vec![long.clone()]).bucket_life(),
        23 * HOUR + 20 * HOUR + 150 * HOUR
    );
    let both = Registry::new(vec![long, command_named("brief")]);
    assert_eq!(both.objects_life(), 170 * HOUR, "the longest counts");
    assert_eq!(both.bucket_life(), 193 * HOUR);
    assert_eq!(Registry::default().objects_life(), Duration::ZERO);
}

#[test]
fn a_command_validates_its_payload_as_it_says() {
    use crate::payload::PayloadError;
    let command = command().validate(|note: &Note| match &*note.text {
        "" => vec![FieldError::new("/text", "must not be empty")],
        _ => vec![],
    });
    assert_eq!(command.check("", br#"{"text":"x"}"#), Ok(()));
    let empty = vec![FieldError::new("/text", "must not be empty")];
    let refused = command.check("", br#"{"text":""}"#);
    assert_eq!(refused, Err(PayloadError::Invalid(empty)));
}

#[test]
fn a_registry_finds_each_command_by_its_name() {
    let named = |name| Command::json(name, nothing::<Note>);
    let registry = Registry::new(vec![named("c"), named("a"), named("b")]);
    let all: Vec<_> = registry
        .iter()
        .map(|command| command.name().as_str())
        .collect();
    assert_eq!(all, ["a", "b", "c"]);
    for name in all {
        assert_eq!(
            registry
                .get(&name.parse().expect("a name"))
                .map(|command| command.name().as_str()),
            Some(name)
        );
    }
    assert!(registry.get(&"d".parse().expect("a name")).is_none());
}

#[test]
fn two_commands_of_a_name_are_rejected_wherever_they_stand() {
    for (names, twice) in [("aab", "a"), ("abb", "b"), ("abca", "a"), ("abbc", "b")] {
        let commands = names
            .chars()
            .map(|name| Command::json(&name.to_string(), nothing::<Note>))
            .collect();
        let registered =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Registry::new(commands)));
        let panic = registered.err().expect(names);
        let said = panic.downcast_ref::<String>().expect("a text");
        assert_eq!(*said, format!("register two commands as {twice}"));
    }
}

#[test]
#[should_panic(expected = "estimate the memory of note.keep by the payload that its handler takes")]
fn memory_that_is_estimated_by_another_payload_is_rejected() {
    _ = command().memory_for(|_: &crate::testing::Nothing, _| None);
}

#[test]
fn diagnostic_commands_are_served_where_they_are_allowed() {
    let registry = Registry::new(vec![command(), command_named("probe.run").diagnostic()]);
    let names = |allowed| {
        let served = registry.clone().with_diagnostics(allowed);
        served
            .iter()
            .map(|command| command.name().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(true), ["note.keep", "probe.run"]);
    assert_eq!(names(false), ["note.keep"]);
}

#[test]
fn a_registry_names_the_crates_of_its_handlers() {
    let registry = Registry::new(vec![command(), command_named("probe.run")]);
    assert_eq!(
        registry.crates().into_iter().collect::<Vec<_>>(),
        ["cloakroom_app"]
    );
}

#[test]
#[should_panic(expected = "validate the payload of note.keep once")]
fn a_second_check_of_a_payload_is_rejected() {
    _ = command()
        .validate(|_: &Note| vec![])
        .validate(|_: &Note| vec![]);
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema counts")]
struct Order {
    item: String,
    #[schemars(range(min = 2))]
    quantity: u32,
    weight: f64,
    gift: bool,
    notes: Vec<String>,
    labels: std::collections::BTreeMap<String, String>,
    address: Address,
    express: Option<bool>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema counts")]
struct Address {
    country: Country,
    kind: Kind,
    #[schemars(extend("examples" = ["home"]))]
    other_kind: Kind,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
enum Country {
    Chile,
    Peru,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// Goods are sent there by day.
    Work,
    /// Goods are sent there in the evening.
    Home,
}

#[test]
fn an_example_of_a_json_command_has_what_its_schema_requires() {
    let order = Command::json("order.place", nothing::<Order>);
    assert_eq!(
        order.curl("http://x"),
        r#"curl -i http://x/commands/order.place -H 'Content-Type: application/json' -d '{"address":{"country":"Chile","kind":"work","other_kind":"home"},"gift":true,"item":"…","labels":{},"notes":[],"quantity":2,"weight":1}'"#
    );
    let payload = order.example_payload().to_string();
    assert_eq!(order.check("", payload.as_bytes()), Ok(()));
}

#[test]
fn an_apostrophe_of_an_example_is_escaped_for_the_shell() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[schemars(extend("examples" = [{"name": "O'Hara"}]))]
    #[expect(dead_code, reason = "its schema is looked at")]
    struct Guest {
        name: String,
    }
    let curl = Command::json("guest.add", nothing::<Guest>).curl("http://x");
    assert!(curl.ends_with(r#" -d '{"name":"O'\''Hara"}'"#), "{curl}");
}

#[test]
fn the_first_example_of_a_type_is_the_commands() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[schemars(extend("examples" = [{"item": "cup"}, {"item": "jug"}]))]
    #[expect(dead_code, reason = "its schema is looked at")]
    struct Item {
        item: String,
    }
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    #[expect(dead_code, reason = "its schema is looked at")]
    struct Cup {
        #[schemars(extend("examples" = ["cup", "mug"]))]
        item: String,
    }
    let done = || async { Ok::<_, HandlerError>(Output::none()) };
    for command in [
        Command::json("item.add", move |_: Item| done()),
        Command::json("item.add", move |_: Cup| done()),
    ] {
        let curl = command.curl("http://x");
        assert!(curl.ends_with(r#" -d '{"item":"cup"}'"#), "{curl}");
    }
}

#[test]
fn an_example_of_a_binary_command_names_a_file_of_its_type() {
    let handler =
        |_: crate::testing::Nothing, _: Bytes| async { Ok::<_, HandlerError>(Output::none()) };
    let turn = Command::binary("image.turn", &["image/png", "image/jpeg"], handler);
    assert_eq!(
        turn.curl("http://x"),
        "curl -i http://x/commands/image.turn -H 'Content-Type: image/png' --data-binary @FILE"
    );
    assert_eq!(turn.example_query(), "");
    let turn = turn.example("width=9", "-T photo.png");
    assert_eq!(turn.example_query(), "width=9");
    assert_eq!(
        turn.curl("http://x"),
        "curl -i \"http://x/commands/image.turn?width=9\" -T photo.png"
    );
}

//! Given a month of jobs, when it is billed, then each meter has the right quantity.

#![expect(
    clippy::float_cmp,
    reason = "what is compared so is whole, or comes by one division"
)]

use std::collections::BTreeMap;

use cloakroom_core::EventScope;
use proptest::prelude::*;

use super::*;

const KIB: u64 = 1024;

fn workload() -> Workload {
    Workload {
        jobs: 1e6,
        payload: KIB,
        encoding: Encoding::Text,
        result: 0,
        polls: 1.0,
        wait: Duration::ZERO,
        listeners: Listeners::default(),
        attempts: 1.0,
        duration: Duration::from_secs(1),
        progress: 0,
        batch: 1.0,
        api: Api::Rest,
        architecture: Architecture::Arm64,
        worker_memory: 1024,
        http_memory: 256,
        http_duration: Duration::from_millis(20),
        lease: Duration::from_secs(30),
        log: KIB,
        inline_limit: 7 * 64 * KIB,
        body_limit: 4 * KIB * KIB,
    }
}

/// Returns the units per job, by meter.
fn units(workload: &Workload) -> BTreeMap<Meter, f64> {
    workload
        .bill()
        .lines
        .iter()
        .map(|line| (line.meter, line.units / workload.jobs))
        .collect()
}

fn dollars(workload: &Workload, meter: Meter) -> f64 {
    workload
        .bill()
        .lines
        .iter()
        .filter(|line| line.meter == meter)
        .map(|line| line.dollars)
        .sum()
}

#[test]
fn a_jobs_whole_life_is_three_writes_one_read_and_one_message() {
    let units = units(&workload());
    assert_eq!(
        (
            units[&Meter::Writes],
            units[&Meter::Reads],
            units[&Meter::SweeperReads]
        ),
        (3.0, 1.0, 1.0)
    );
    // Send, receive, delete; and the sweeper's look at the queue, once a minute.
    assert!((units[&Meter::Messages] - 3.0 - units[&Meter::SweeperInvocations]).abs() < 1e-9);
    assert!((units[&Meter::SweeperInvocations] - 0.0442).abs() < 1e-9);
    assert_eq!(
        (units[&Meter::Requests], units[&Meter::HttpInvocations]),
        (2.0, 2.0)
    );
    assert!(!units.contains_key(&Meter::Puts) && !units.contains_key(&Meter::Gets));
}

#[test]
fn a_million_small_jobs_are_billed_by_hand() {
    let it = workload();
    let near = |meter, want: f64| assert!((dollars(&it, meter) - want).abs() < 1e-9, "{meter:?}");
    near(Meter::Requests, 7.0);
    near(Meter::HttpInvocations, 0.4);
    near(Meter::HttpTime, 2.0 * 0.02 * 0.25 * 13.33);
    near(Meter::WorkerInvocations, 0.2);
    near(Meter::WorkerTime, 13.33);
    near(Meter::Messages, 1.2 + 0.0442 * 0.4);
    near(Meter::SweeperInvocations, 0.0442 * 0.2);
    near(Meter::Writes, 1.875);
    near(Meter::Reads, 0.125);
    // Five receives of each queue every twenty seconds, however few jobs there are.
    near(Meter::EmptyReceives, 3.0 * 0.648 * 0.4);
    let few = Workload { jobs: 1.0, ..it };
    assert!((dollars(&few, Meter::EmptyReceives) - 3.0 * 0.648 * 0.4).abs() < 1e-9);
}

#[test]
fn a_result_in_the_record_is_written_by_the_kilobyte_and_read_by_four() {
    let with = |result| {
        units(&Workload {
            result,
            polls: 3.0,
            ..workload()
        })
    };
    assert_eq!(with(100)[&Meter::Writes], 3.0);
    assert_eq!(with(KIB)[&Meter::Writes], 4.0);
    assert_eq!(
        (
            with(32 * KIB)[&Meter::Writes],
            with(32 * KIB)[&Meter::Reads]
        ),
        (2.0 + 33.0, 2.0 + 9.0)
    );
    // One byte more is stored as an object.
    let stored = with(32 * KIB + 1);
    assert_eq!(
        (
            stored[&Meter::Writes],
            stored[&Meter::Puts],
            stored[&Meter::Gets]
        ),
        (3.0, 1.0, 1.0)
    );
    // As docs/cost.md states for a million jobs.
    let way = |result| {
        [Meter::Writes, Meter::Puts, Meter::Gets].map(|of| {
            dollars(
                &Workload {
                    result,
                    ..workload()
                },
                of,
            )
        })
    };
    let [writes, others] = [way(32 * KIB), way(32 * KIB + 1)];
    assert!(
        (writes[0] - 2.0 * 0.625 - 20.625).abs() < 1e-9
            && (others[1] + others[2] - 5.4).abs() < 1e-9
    );
}

#[test]
fn the_inline_limit_is_where_a_claim_check_becomes_cheaper() {
    let way = |payload, inline_limit| {
        let it = Workload {
            payload,
            inline_limit,
            ..workload()
        };
        [Meter::Messages, Meter::Puts, Meter::Gets]
            .map(|meter| dollars(&it, meter))
            .iter()
            .sum::<f64>()
    };
    let piece = 64 * KIB;
    let (seven, eight) = (
        7 * piece - sizes::ENVELOPE_BYTES,
        8 * piece - sizes::ENVELOPE_BYTES,
    );
    let near = |found: f64, want: f64| assert!((found - want).abs() < 1e-9, "{found}");
    let near = |found: f64, want: f64| near(found - 0.0442 * 0.4, want);
    near(way(seven, u64::MAX), 6.0);
    near(way(eight, u64::MAX), 6.8);
    near(way(seven, 0), 6.6);
}

#[test]
fn a_batch_shares_what_is_not_its_messages_own() {
    let (one, ten) = (
        units(&workload()),
        units(&Workload {
            batch: 10.0,
            ..workload()
        }),
    );
    assert_eq!(
        (one[&Meter::WorkerTime], ten[&Meter::WorkerTime]),
        (1.0, 0.1)
    );
    assert!(
        (ten[&Meter::Messages] - 1.2 - 0.0442).abs() < 1e-9,
        "one send, a tenth of a receive and of a delete"
    );
    // Ten messages of 40 KiB are seven pieces, not ten.
    let large = units(&Workload {
        batch: 10.0,
        payload: 40 * KIB,
        ..workload()
    });
    assert!(
        (large[&Meter::Messages] - 1.8 - 0.0442).abs() < 1e-9,
        "{large:?}"
    );
}

#[test]
fn a_poll_that_is_held_pays_for_its_time_and_its_reads() {
    let held = units(&Workload {
        wait: Duration::from_secs(1),
        ..workload()
    });
    // At 0, 0.1, 0.25, 0.475, 0.8125 and 1.3 seconds.
    assert_eq!(held[&Meter::Reads], 6.0);
    assert!((held[&Meter::HttpTime] - (1.04 * 0.25)).abs() < 1e-9);
}

/// Returns the workload with these listeners.
fn with(listeners: Listeners) -> Workload {
    Workload {
        listeners,
        ..workload()
    }
}

fn webhook(attempts: f64, scope: EventScope) -> Listeners {
    let duration = Duration::from_millis(300);
    Listeners {
        webhook: Some(Webhook {
            attempts,
            scope,
            duration,
        }),
        ..Listeners::default()
    }
}

#[test]
fn a_million_followed_minutes_are_billed_by_hand() {
    let it = with(Listeners {
        followed: Duration::from_secs(60),
        ..Listeners::default()
    });
    let near = |meter, want: f64| assert!((dollars(&it, meter) - want).abs() < 1e-9, "{meter:?}");
    // A stream of 55 s and one of 5 s, a submission and a poll.
    near(Meter::Requests, 4.0 * 3.5);
    near(Meter::EventsInvocations, 2.0 * 0.2);
    near(Meter::EventsTime, (60.0 + 2.0 * 0.02) * 0.25 * 13.33);
    // Each second, at the start of a stream and at its first second, the first state, a change, and three comments.
    near(Meter::EventsReads, (60.0 + 4.0 + 1.0 + 1.0 + 3.0) * 0.125);
    let http = Workload {
        api: Api::Http,
        ..it
    };
    assert_eq!(units(&http)[&Meter::EventsInvocations], 3.0);
}

#[test]
fn a_million_webhooks_are_billed_by_hand() {
    let it = with(webhook(1.0, EventScope::Terminal));
    let near = |meter, want: f64| assert!((dollars(&it, meter) - want).abs() < 1e-9, "{meter:?}");
    near(Meter::NotifyInvocations, 2.0 * 0.2);
    near(Meter::NotifyTime, (2.0 * 0.02 + 0.3) * 0.25 * 13.33);
    // Send, receive, delete.
    near(Meter::DeliveryMessages, 3.0 * 0.4);
    near(Meter::DeliveryReads, 2.0 * 0.125);
    near(Meter::DeliveryWrites, 3.0 * 0.625);
    near(Meter::EmptyReceives, 4.0 * 0.648 * 0.4);
    near(Meter::Writes, 1.875);
    let half = with(webhook(0.5, EventScope::Terminal));
    assert_eq!(units(&half)[&Meter::DeliveryWrites], 1.5);
}

#[test]
fn all_events_of_a_job_are_its_changes_without_heartbeats() {
    let bus = |scope| Listeners {
        bus: Some(scope),
        ..Listeners::default()
    };
    let it = |scope| Workload {
        duration: Duration::from_secs(33),
        progress: 2,
        attempts: 2.0,
        ..with(bus(scope))
    };
    let (all, terminal) = (
        units(&it(EventScope::All)),
        units(&it(EventScope::Terminal)),
    );
    // Accepted, twice running with two reports, retrying, and ended. Three heartbeats an attempt start the publisher.
    assert_eq!(
        (all[&Meter::BusEvents], all[&Meter::NotifyInvocations]),
        (9.0, 15.0)
    );
    assert_eq!(
        (
            terminal[&Meter::BusEvents],
            terminal[&Meter::NotifyInvocations]
        ),
        (1.0, 1.0)
    );
    assert!(!all.contains_key(&Meter::DeliveryWrites));
    assert!(dollars(&it(EventScope::Terminal), Meter::EmptyReceives) < 3.1 * 0.648 * 0.4);
}

#[test]
fn a_large_reply_is_an_object() {
    let it = |result| {
        units(&Workload {
            result,
            ..with(Listeners {
                replies: 1.0,
                ..Listeners::default()
            })
        })
    };
    let (inline, stored, large) = (it(100), it(200 * KIB), it(256 * KIB));
    // Send, receive and delete the delivery, and send the reply.
    assert_eq!(inline[&Meter::DeliveryMessages], 4.0);
    assert_eq!(
        (stored[&Meter::DeliveryMessages], stored[&Meter::Puts]),
        (7.0, 1.0)
    );
    assert_eq!(
        (large[&Meter::DeliveryMessages], large[&Meter::Puts]),
        (4.0, 2.0)
    );
    assert!(large[&Meter::Storage] > 9.0 * stored[&Meter::Storage]);
}

#[test]
fn listeners_have_levers() {
    let options = |it: Workload| -> Vec<String> {
        let levers = it.levers().into_iter();
        levers.map(|lever| lever.options).collect()
    };
    let followed = Workload {
        duration: Duration::from_secs(60),
        worker_memory: 128,
        ..with(Listeners {
            followed: Duration::from_secs(60),
            ..Listeners::default()
        })
    };
    // One poll more than without the stream, and those of a minute.
    assert_eq!(
        options(followed)[..2],
        ["--sse 0s --polls 20", "--http-memory 128"]
    );
    let all = with(Listeners {
        bus: Some(EventScope::All),
        ..webhook(1.0, EventScope::All)
    });
    let options = options(all);
    for lever in ["--webhook-events terminal", "--bus terminal"] {
        assert!(options.contains(&lever.to_owned()), "{options:?}");
    }
}

#[test]
fn ways_cost_what_the_bill_says_of_them() {
    let minute = Workload {
        duration: Duration::from_secs(60),
        ..workload()
    };
    let ways = minute.ways();
    let of = |name: &str| ways.iter().find(|way| way.name == name).expect("a way");
    let none = of("no one waits");
    assert_eq!((none.requests, none.rest, none.http), (0.0, 0.0, 0.0));
    let polls = of("polls every 5 s");
    assert_eq!(polls.requests, 12.0);
    assert!((polls.rest - polls.http - 12.0 * 2.5).abs() < 1e-6);
    let followed = of("server-sent events");
    assert_eq!(
        (followed.requests, followed.options.as_str()),
        (2.0, "--polls 0 --sse 60000ms")
    );
    let without = Workload {
        polls: 0.0,
        ..minute
    };
    let with = Workload {
        polls: 0.0,
        listeners: Listeners {
            followed: minute.duration,
            ..Listeners::default()
        },
        ..minute
    };
    let added = with.bill().dollars() - without.bill().dollars();
    assert!((followed.rest - added).abs() < 1e-6);
    for way in &ways {
        assert!(
            way.rest >= way.http || way.name == "server-sent events",
            "{way:?}"
        );
        assert!(way.rest >= 0.0, "{way:?}");
    }
}

#[test]
fn polls_are_those_of_a_client_that_follows_the_responses() {
    let begun = cloakroom_core::Timestamp::from_seconds(1000);
    let job = cloakroom_app::testing::new_job(begun, 1);
    for seconds in [0, 1, 2, 7, 60, 61, 600, 3600] {
        let (mut at, mut count) = (begun, 0.0);
        while count == 0.0 || at.since(begun) < Duration::from_secs(seconds) {
            let pause = cloakroom_core::poll::retry_after(&job, at);
            at = at.after(Duration::from_secs(pause));
            count += 1.0;
        }
        assert_eq!(
            polls::polls_in(Duration::from_secs(seconds)),
            count,
            "{seconds}"
        );
    }
}

#[test]
fn levers_save_what_they_say_and_the_best_comes_first() {
    let it = Workload {
        polls: 3.0,
        ..workload()
    };
    let levers = it.levers();
    let names: Vec<_> = levers.iter().map(|lever| lever.options.as_str()).collect();
    assert_eq!(
        names,
        [
            "--batch 10",
            "--api http",
            "--memory 512",
            "--polls 1 --wait 1000ms"
        ]
    );
    assert!((levers[1].saves - 4.0 * 2.5).abs() < 1e-9, "four requests");
    assert_eq!(it.bill().most().map(|(service, _)| service), Some("Lambda"));
    let least = Workload {
        api: Api::Http,
        batch: 10.0,
        polls: 1.0,
        worker_memory: 128,
        http_memory: 128,
        ..it
    };
    assert_eq!(least.levers(), []);
}

#[test]
fn a_longer_job_is_asked_for_once_and_held() {
    let it = Workload {
        polls: 9.0,
        duration: Duration::from_millis(2500),
        batch: 10.0,
        api: Api::Http,
        ..workload()
    };
    let lever = it.levers().remove(0);
    assert_eq!(lever.options, "--polls 1 --wait 2500ms");
    let held = Workload {
        polls: 1.0,
        wait: it.duration,
        ..it
    };
    assert!((it.bill().dollars() - held.bill().dollars() - lever.saves).abs() < 1e-9);
}

#[test]
fn every_price_is_of_a_meter_and_has_its_page() {
    for price in prices::TABLE {
        assert!(
            price.dollars > 0.0 && price.source.starts_with("https://aws.amazon.com/"),
            "{price:?}"
        );
    }
}

fn any_scope() -> impl Strategy<Value = EventScope> {
    prop_oneof![Just(EventScope::Terminal), Just(EventScope::All)]
}

prop_compose! {
    fn any_listeners()(
        followed in prop_oneof![Just(0), 1..10_000_u64],
        webhook in prop::option::of((0.01..8.0_f64, any_scope(), 0..15_000_u64)),
        replies in prop_oneof![Just(0.0), 0.0..1.0_f64],
        bus in prop::option::of(any_scope()),
    ) -> Listeners {
        let followed = Duration::from_secs(followed);
        let webhook = webhook.map(|(attempts, scope, millis)| Webhook { attempts, scope, duration: Duration::from_millis(millis) });
        Listeners { followed, webhook, replies, bus }
    }
}

prop_compose! {
    fn any_workload()(
        (jobs, payload, result, polls) in (1.0..1e9_f64, 0..64 * KIB * KIB, 0..KIB * KIB, 0.0..20.0_f64),
        (attempts, seconds, progress, batch) in (1.0..5.0_f64, 1..900_u64, 0..50_u32, 1.0..10.0_f64),
        (wait, base64, http, x86) in (0..25_u64, any::<bool>(), any::<bool>(), any::<bool>()),
        listeners in any_listeners(),
    ) -> Workload {
        Workload {
            listeners,
            jobs, payload, result, polls, attempts, progress, batch,
            duration: Duration::from_secs(seconds),
            wait: Duration::from_secs(wait),
            encoding: if base64 { Encoding::Base64 } else { Encoding::Text },
            api: if http { Api::Http } else { Api::Rest },
            architecture: if x86 { Architecture::X86 } else { Architecture::Arm64 },
            ..workload()
        }
    }
}

proptest! {
    #[test]
    fn a_bill_is_finite_and_its_services_are_all_of_it(it in any_workload()) {
        let bill = it.bill();
        prop_assert!(bill.lines.iter().all(|line| line.dollars.is_finite() && line.dollars > 0.0));
        let services = bill.services();
        let sum: f64 = services.iter().map(|(_, dollars)| dollars).sum();
        prop_assert!((sum - bill.dollars()).abs() <= sum * 1e-9);
        let mut names: Vec<_> = services.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), services.len());
    }

    #[test]
    fn more_of_anything_never_costs_less(it in any_workload()) {
        let more = [
            Workload { jobs: it.jobs * 2.0, ..it },
            Workload { polls: it.polls + 1.0, ..it },
            Workload { attempts: it.attempts + 1.0, ..it },
            Workload { duration: it.duration * 2, ..it },
            Workload { worker_memory: it.worker_memory * 2, ..it },
            Workload { wait: it.wait + Duration::from_secs(1), ..it },
            Workload { listeners: Listeners { followed: it.listeners.followed + Duration::from_secs(1), ..it.listeners }, ..it },
            Workload { listeners: Listeners { bus: Some(EventScope::All), ..it.listeners }, ..it },
            Workload { listeners: Listeners { replies: 1.0, ..it.listeners }, ..it },
        ];
        for more in more {
            prop_assert!(more.bill().dollars() >= it.bill().dollars() * (1.0 - 1e-9), "{more:?}");
        }
    }
}

#[test]
fn a_payload_is_in_its_message_for_as_long_as_that_is_the_cheaper_way() {
    let ways: Vec<_> = inline::ways().collect();
    assert_eq!(
        ways.len() as u64 * sizes::MESSAGE_PIECE,
        1024 * KIB,
        "up to the largest message"
    );
    let (inline, stored): (Vec<inline::Ways>, Vec<inline::Ways>) = ways
        .iter()
        .copied()
        .partition(|it| it.inline <= it.claim_check);
    assert_eq!(
        inline.last().map(|it| it.pieces * sizes::MESSAGE_PIECE),
        Some(inline::LIMIT)
    );
    assert!(
        stored
            .iter()
            .all(|it| it.pieces * sizes::MESSAGE_PIECE > inline::LIMIT)
    );
}

#[test]
fn either_way_costs_what_the_bill_says_of_its_messages_and_objects() {
    for pieces in [1, 6, 7] {
        let ways = inline::ways().nth(pieces - 1).expect("so many");
        let payload = pieces as u64 * sizes::MESSAGE_PIECE - sizes::ENVELOPE_BYTES;
        let bill = |inline_limit| {
            let it = Workload {
                jobs: 1e12,
                payload,
                inline_limit,
                body_limit: u64::MAX,
                ..workload()
            };
            let lines = it.bill().lines;
            let of = |service: &str| -> f64 {
                let lines = lines.iter().filter(|line| line.price.service == service);
                lines.map(|line| line.dollars).sum()
            };
            (of("SQS") / 1e6, of("S3") / 1e6)
        };
        // Without the sweeper's requests to the queue, one per thousand jobs.
        let near = |one: f64, other: f64| (one - other).abs() < 0.02;
        let ((queue, bucket), (small, stored)) = (bill(u64::MAX), bill(0));
        assert!(
            near(queue + bucket, ways.inline),
            "{queue} {bucket} {ways:?}"
        );
        assert!(
            near(small + stored, ways.claim_check + ways.storage),
            "{small} {stored} {ways:?}"
        );
    }
}

#[test]
fn messages_carry_payloads_for_as_long_as_that_is_cheaper() {
    assert_eq!(
        u64::try_from(cloakroom_app::submit::INLINE_LIMIT),
        Ok(inline::LIMIT)
    );
}

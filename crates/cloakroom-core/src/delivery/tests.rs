use super::*;

const T0: Timestamp = Timestamp::from_seconds(1_000_000);

/// Time at which the message of a delivery that is due at `T0` counts as lost.
const LOST: Timestamp = Timestamp::from_seconds(1_000_300);

fn log() -> DeliveryLog {
    let mut log = DeliveryLog::default();
    assert!(log.add(DeliveryKind::Webhook, "https://a.example", 3, "", T0));
    log
}

fn failed() -> AttemptOutcome {
    AttemptOutcome::Status(500)
}

#[test]
fn a_delivery_that_fails_is_tried_again_after_the_published_delays_and_then_has_failed() {
    let mut log = log();
    let mut now = T0;
    for delay in DELAYS {
        assert_eq!(log.next_step("3-webhook", now), NextStep::Attempt);
        let next = log
            .record("3-webhook", &failed(), now, 0.0)
            .expect("another attempt");
        assert_eq!(next, now.after(delay));
        assert_eq!(log.next_step("3-webhook", now), NextStep::Wait(next));
        now = next;
    }
    assert_eq!(log.record("3-webhook", &failed(), now, 0.0), None);
    let delivery = log.find("3-webhook").expect("recorded");
    assert_eq!(
        (delivery.state, delivery.attempts.len(), delivery.next_at),
        (DeliveryState::Failed, 8, None)
    );
    assert_eq!(log.next_step("3-webhook", now), NextStep::Over);
}

#[test]
fn a_delivery_may_take_two_days_so_that_its_attempts_fit_with_hours_of_outages() {
    assert_eq!(DELIVERY_LIFE, Duration::from_secs(2 * 86_400));
    let attempts = DELAYS.iter().sum::<Duration>().mul_f64(1.1);
    assert!(attempts < Duration::from_secs(31 * 3600), "{attempts:?}");
}

/// Contract, section 8.4.
#[test]
fn the_delays_are_5_s_5_min_30_min_2_h_5_h_10_h_and_10_h() {
    let seconds = DELAYS.map(|delay| delay.as_secs());
    assert_eq!(seconds, [5, 300, 1800, 7200, 18_000, 36_000, 36_000]);
}

#[test]
fn jitter_adds_at_most_a_tenth() {
    for (unit, seconds) in [(0.0, 5_000), (0.5, 5_250), (1.0, 5_500), (7.0, 5_500)] {
        let next = log().record("3-webhook", &failed(), T0, unit);
        assert_eq!(
            next,
            Some(T0.after(Duration::from_millis(seconds))),
            "{unit}"
        );
    }
}

#[test]
fn only_2xx_and_an_accepted_message_are_success() {
    for (outcome, state) in [
        (AttemptOutcome::Status(200), DeliveryState::Delivered),
        (AttemptOutcome::Status(204), DeliveryState::Delivered),
        (AttemptOutcome::Status(299), DeliveryState::Delivered),
        (AttemptOutcome::Sent, DeliveryState::Delivered),
        (AttemptOutcome::Status(199), DeliveryState::Pending),
        (AttemptOutcome::Status(300), DeliveryState::Pending),
        (AttemptOutcome::Status(302), DeliveryState::Pending),
        (AttemptOutcome::Status(404), DeliveryState::Pending),
        (AttemptOutcome::Status(409), DeliveryState::Pending),
        (AttemptOutcome::Status(410), DeliveryState::Failed),
        (AttemptOutcome::Status(411), DeliveryState::Pending),
        (
            AttemptOutcome::NoResponse("x".into()),
            DeliveryState::Pending,
        ),
        (
            AttemptOutcome::Impossible("x".into()),
            DeliveryState::Failed,
        ),
    ] {
        let last = match state {
            DeliveryState::Pending => DeliveryState::Failed,
            DeliveryState::Delivered | DeliveryState::Failed => state,
        };
        for (failures, state) in [(0, state), (6, state), (7, last)] {
            let mut log = log();
            for _ in 0..failures {
                log.record("3-webhook", &failed(), T0, 0.0);
            }
            log.record("3-webhook", &outcome, T0, 0.0);
            let recorded = log.find("3-webhook").expect("there").state;
            assert_eq!(recorded, state, "{outcome:?} after {failures} failures");
        }
    }
}

#[test]
fn a_receiver_that_is_gone_gets_no_further_events_of_the_job_until_one_is_redelivered() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    log.add(DeliveryKind::Reply, "orders", 4, "", T0);
    log.record("3-webhook", &AttemptOutcome::Status(410), T0, 0.0);
    assert_eq!(log.next_step("4-webhook", T0), NextStep::Over);
    let ended = log.find("4-webhook").expect("there");
    assert_eq!((ended.state, ended.next_at), (DeliveryState::Failed, None));
    assert_eq!(log.next_step("4-reply", T0), NextStep::Attempt);
    for _ in 0..2 {
        let is_due = log.add(DeliveryKind::Webhook, "https://a.example", 5, "", T0);
        assert!(!is_due, "nor if it is published again");
    }
    let ended = log.find("5-webhook").expect("there");
    assert_eq!((ended.state, ended.next_at), (DeliveryState::Failed, None));
    assert!(log.add(DeliveryKind::Reply, "orders", 5, "", T0));
    assert!(log.redeliver("4-reply", T0));
    assert!(log.gone, "a reply says nothing about the webhook");
    assert!(log.redeliver("5-webhook", T0));
    assert_eq!(log.next_step("5-webhook", T0), NextStep::Attempt);
    assert!(log.add(DeliveryKind::Webhook, "https://a.example", 6, "", T0));
}

#[test]
fn deliveries_of_one_kind_are_attempted_in_order() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    let soon = T0.after(Duration::from_secs(1));
    assert_eq!(log.next_step("4-webhook", T0), NextStep::Wait(soon));
    let next = log.record("3-webhook", &failed(), T0, 0.0).expect("again");
    assert_eq!(log.next_step("4-webhook", T0), NextStep::Wait(next));
    log.record("3-webhook", &AttemptOutcome::Status(200), next, 0.0);
    assert_eq!(log.next_step("4-webhook", next), NextStep::Attempt);
}

#[test]
fn a_delivery_is_added_once_and_its_message_is_sent_again_only_before_its_first_attempt() {
    let mut log = log();
    assert!(log.add(DeliveryKind::Webhook, "https://a.example", 3, "", T0));
    log.record("3-webhook", &failed(), T0, 0.0);
    assert!(!log.add(DeliveryKind::Webhook, "https://a.example", 3, "", T0));
    assert_eq!(log.deliveries.len(), 1);
    assert_eq!(log.next_step("9-webhook", T0), NextStep::Over);
    assert!(!log.redeliver("9-webhook", T0));
}

#[test]
fn a_redelivery_has_all_attempts_again() {
    let mut log = log();
    for _ in 0..8 {
        log.record("3-webhook", &failed(), T0, 0.0);
    }
    let again = T0.after(Duration::from_secs(86_400));
    assert!(log.redeliver("3-webhook", again));
    let delivery = log.find("3-webhook").expect("there");
    assert_eq!(
        (delivery.state, delivery.next_at),
        (DeliveryState::Pending, Some(again))
    );
    assert_eq!(log.next_step("3-webhook", again), NextStep::Attempt);
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", again);
    assert_ne!(log.next_step("4-webhook", again), NextStep::Attempt);
    for n in 0..8 {
        let next = log.record("3-webhook", &failed(), again, 0.0);
        assert_eq!(next.is_some(), n < 7);
    }
    assert_eq!(log.find("3-webhook").expect("there").attempts.len(), 16);
}

#[test]
fn a_log_is_bounded_and_pending_deliveries_are_kept() {
    let mut log = log();
    for version in 4..300 {
        log.add(DeliveryKind::Reply, "orders", version, "", T0);
        log.record(&format!("{version}-reply"), &AttemptOutcome::Sent, T0, 0.0);
    }
    let versions: Vec<_> = log.deliveries.iter().map(|it| it.version).collect();
    let latest: Vec<_> = std::iter::once(3).chain(201..300).collect();
    assert_eq!(versions, latest, "100, without the oldest that ended");
    for second in 1..=40 {
        log.redeliver("3-webhook", T0);
        let now = T0.after(Duration::from_secs(second));
        log.record("3-webhook", &failed(), now, 0.0);
    }
    let attempts = &log.find("3-webhook").expect("there").attempts;
    assert_eq!(attempts.len(), 20);
    assert_eq!(attempts[0].at, T0.after(Duration::from_secs(21)));
    assert_eq!(attempts[19].at, T0.after(Duration::from_secs(40)));
    log.redeliver("3-webhook", T0);
    log.add(DeliveryKind::Webhook, "https://a.example", 300, "", LOST);
    log.claim("300-webhook", LOST);
    let attempts = &log.find("3-webhook").expect("there").attempts;
    assert_eq!((attempts.len(), attempts[19].at), (20, LOST));
}

#[test]
fn the_oldest_of_more_pending_deliveries_than_a_log_holds_is_dropped() {
    let mut log = log();
    for version in 4..=103 {
        log.add(DeliveryKind::Reply, "orders", version, "", T0);
    }
    assert_eq!((log.deliveries.len(), log.deliveries[0].version), (100, 4));
}

#[test]
fn a_receiver_that_is_gone_got_the_events_that_were_delivered() {
    let mut log = log();
    log.record("3-webhook", &AttemptOutcome::Status(200), T0, 0.0);
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    log.record("4-webhook", &AttemptOutcome::Status(410), T0, 0.0);
    assert_eq!(log.deliveries[0].state, DeliveryState::Delivered);
}

#[test]
fn an_attempt_is_recorded_with_its_time_and_what_came_of_it() {
    let mut log = log();
    let at = T0.after(Duration::from_secs(7));
    for outcome in [
        failed(),
        AttemptOutcome::NoResponse("no response".to_owned()),
        AttemptOutcome::Impossible("no queue".to_owned()),
        AttemptOutcome::Sent,
    ] {
        log.record("3-webhook", &outcome, at, 0.0);
    }
    let attempt = |status, error: Option<&str>| DeliveryAttempt {
        at,
        status,
        error: error.map(ToOwned::to_owned),
    };
    let want = [
        attempt(Some(500), None),
        attempt(None, Some("no response")),
        attempt(None, Some("no queue")),
        attempt(None, None),
    ];
    assert_eq!(log.deliveries[0].attempts, want);
    assert_eq!(log.record("9-webhook", &failed(), at, 0.0), None);
}

/// All later versions must be able to read it.
#[test]
fn a_log_of_version_1_is_read() {
    let text = r#"{"deliveries":[{"id":"3-webhook","kind":"webhook","target":"https://a.example","state":"pending","attempts":[{"at":"1970-01-12T13:46:40.000Z","status":500},{"at":"1970-01-12T13:46:45.000Z","error":"no response"}],"next_at":"1970-01-12T13:51:45.000Z","version":3,"tries":2},{"id":"3-reply-0","kind":"reply","target":"orders","state":"pending","attempts":[],"next_at":"1970-01-12T13:47:40.000Z","claimed_at":"1970-01-12T13:46:40.000Z","version":3,"tries":0},{"id":"3-reply","kind":"reply","target":"orders","state":"delivered","attempts":[{"at":"1970-01-12T13:46:40.000Z"}],"version":3,"tries":1},{"id":"4-webhook","kind":"webhook","target":"https://a.example","state":"failed","attempts":[],"version":4,"tries":0}],"gone":true}"#;
    let log: DeliveryLog = serde_json::from_str(text).expect("a log");
    assert_eq!(serde_json::to_string(&log).expect("JSON"), text);
    assert_eq!(log.deliveries[0].attempts[0].status, Some(500));
}

#[test]
fn a_later_event_overtakes_one_whose_message_is_lost() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    let almost = LOST.before(Duration::from_millis(1));
    let soon = almost.after(Duration::from_secs(60));
    assert_eq!(log.next_step("4-webhook", almost), NextStep::Wait(soon));
    assert_eq!(log.next_step("4-webhook", LOST), NextStep::Attempt);
    log.claim("4-webhook", LOST);
    let overtaken = log.find("3-webhook").expect("there");
    assert_eq!(
        (overtaken.state, overtaken.next_at),
        (DeliveryState::Failed, None)
    );
    assert_eq!(
        overtaken.attempts,
        [DeliveryAttempt {
            at: LOST,
            status: None,
            error: Some("a later event overtook this one".to_owned()),
        }]
    );
    assert_eq!(log.next_step("3-webhook", LOST), NextStep::Over);
}

#[test]
fn an_event_overtakes_neither_a_delivery_of_another_kind_nor_one_that_is_not_lost() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", LOST);
    log.add(DeliveryKind::Webhook, "https://a.example", 5, "", LOST);
    log.add(DeliveryKind::Reply, "orders", 5, "", LOST);
    let before = log.clone();
    log.claim("5-reply", LOST);
    assert_eq!(log.deliveries[..3], before.deliveries[..3]);
    log.claim("5-webhook", LOST);
    let states: Vec<_> = log.deliveries.iter().map(|it| it.state).collect();
    assert_eq!(states[0], DeliveryState::Failed, "lost");
    assert_eq!(states[1..], [DeliveryState::Pending; 3]);
}

#[test]
fn an_event_waits_only_for_earlier_ones_of_its_kind() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    log.add(DeliveryKind::Webhook, "https://a.example", 5, "", T0);
    log.record("3-webhook", &AttemptOutcome::Status(200), T0, 0.0);
    assert_eq!(log.next_step("4-webhook", T0), NextStep::Attempt);
    let next = log.record("4-webhook", &failed(), T0, 0.0).expect("again");
    assert_eq!(log.next_step("5-webhook", T0), NextStep::Wait(next));
    assert_eq!(log.next_step("4-webhook", next), NextStep::Attempt);
    log.add(DeliveryKind::Reply, "orders", 5, "", T0);
    assert_eq!(log.next_step("5-reply", T0), NextStep::Attempt);
}

#[test]
fn an_event_waits_for_each_earlier_one_even_if_one_between_them_is_lost() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    log.add(DeliveryKind::Webhook, "https://a.example", 5, "", LOST);
    for _ in 0..2 {
        log.record("3-webhook", &failed(), T0, 0.0);
    }
    let next = log.record("3-webhook", &failed(), LOST, 0.0);
    let wait = NextStep::Wait(next.expect("another attempt"));
    for id in ["4-webhook", "5-webhook"] {
        assert_eq!(log.next_step(id, LOST), wait, "{id}");
    }
}

#[test]
fn the_message_of_an_event_is_not_lost_because_it_waited_for_an_earlier_one() {
    for outcome in [
        AttemptOutcome::Status(200),
        AttemptOutcome::Impossible("x".into()),
    ] {
        let mut log = log();
        log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
        log.add(DeliveryKind::Reply, "orders", 4, "", T0);
        log.add(DeliveryKind::Webhook, "https://a.example", 5, "", T0);
        log.record("3-webhook", &outcome, LOST, 0.0);
        let due: Vec<_> = log.deliveries.iter().map(|it| it.next_at).collect();
        assert_eq!(due, [None, Some(LOST), Some(T0), Some(LOST)], "{outcome:?}");
        let soon = LOST.after(Duration::from_secs(1));
        assert_eq!(log.next_step("5-webhook", LOST), NextStep::Wait(soon));
        assert_eq!(log.next_step("4-webhook", LOST), NextStep::Attempt);
    }
}

#[test]
fn a_delivery_that_waits_looks_at_least_a_second_after_an_attempt_that_is_near() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    let near = T0.before(Duration::from_millis(500));
    let soon = near.after(Duration::from_secs(1));
    assert_eq!(log.next_step("4-webhook", near), NextStep::Wait(soon));
}

#[test]
fn an_attempt_that_is_claimed_is_made_once_and_before_any_later_one() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    log.add(DeliveryKind::Reply, "orders", 4, "", T0);
    let late = LOST;
    log.claim("3-webhook", late);
    let until = late.after(Duration::from_secs(60));
    assert_eq!(log.next_step("3-webhook", late), NextStep::Wait(until));
    assert_ne!(log.next_step("4-webhook", late), NextStep::Attempt);
    assert_eq!(log.next_step("4-reply", late), NextStep::Attempt);
    assert_eq!(log.next_step("3-webhook", until), NextStep::Attempt);
    let lost = until.after(Duration::from_secs(300));
    let almost = lost.before(Duration::from_millis(1));
    assert_ne!(log.next_step("4-webhook", almost), NextStep::Attempt);
    assert_eq!(log.next_step("4-webhook", lost), NextStep::Attempt);
    log.claim("9-webhook", late);
}

/// An attempt mostly takes a moment, and at most 15 s.
#[test]
fn a_delivery_looks_again_soon_while_an_earlier_one_is_attempted() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    log.claim("3-webhook", T0);
    // After a minute the claim has run out: the attempt is overdue.
    for (taken, pause) in [
        (0, 1),
        (1, 1),
        (4, 4),
        (15, 15),
        (59, 15),
        (60, 1),
        (90, 30),
        (200, 60),
    ] {
        let now = T0.after(Duration::from_secs(taken));
        let at = now.after(Duration::from_secs(pause));
        assert_eq!(
            log.next_step("4-webhook", now),
            NextStep::Wait(at),
            "{taken}"
        );
    }
    // A retry that is scheduled is no attempt in progress, nor is a delivery that is sent again.
    let next = log.record("3-webhook", &failed(), T0, 0.0).expect("again");
    assert_eq!(log.next_step("4-webhook", T0), NextStep::Wait(next));
    log.claim("3-webhook", next);
    assert!(log.redeliver("3-webhook", next));
    assert_eq!(log.find("3-webhook").expect("recorded").claimed_at, None);
}

#[test]
fn a_delivery_that_waits_for_an_earlier_one_looks_less_often_the_longer_it_waits() {
    let mut log = log();
    log.add(DeliveryKind::Webhook, "https://a.example", 4, "", T0);
    for (waited, pause) in [(0, 1), (1, 1), (5, 5), (60, 60), (200, 60)] {
        let now = T0.after(Duration::from_secs(waited));
        let at = now.after(Duration::from_secs(pause));
        assert_eq!(
            log.next_step("4-webhook", now),
            NextStep::Wait(at),
            "{waited}"
        );
    }
}

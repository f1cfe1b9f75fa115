//! Crash matrix: each call to AWS in the life of a job fails once, or kills its caller, before and after its effect.
//! Uses the real clients and adapters. In each case, the job ends correctly, and its outcome is recorded once.

mod listeners;
mod room;

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cloakroom_app::delivery::Disposition;
use cloakroom_app::jobs::Cancellation;
use cloakroom_app::ports::{DeadLetterStore as _, Objects as _, keys};
use cloakroom_aws::testing::Fault;
use cloakroom_core::{ResultRef, Status};
use futures::future::join_all;

use crate::place::Place;
use listeners::Listeners;
use room::{Ground, PUBLISH, Room};

/// Upper bound of the number of calls in a case. A case that exceeds it does not terminate.
const MOST: usize = 100;

/// Injects each fault into the first call, the second one, and so on, until a room has no such call. Checks that there
/// are at least `least` calls. On the embedded services, each fault has its own ground, because a ground has one clock.
async fn matrix(place: &Place, least: usize, case: impl AsyncFn(&Room<'_>, &str)) {
    rows(place, least, async |ground, fault, n| {
        let room = Room::start(ground, fault, n).await;
        case(&room, &format!("{fault:?}, call {n}")).await;
        room.leave().await
    })
    .await;
}

/// Runs cases as [`matrix`] does. A case returns true if its fault was injected.
async fn rows(place: &Place, least: usize, case: impl AsyncFn(&Ground, Fault, usize) -> bool) {
    let row = async |ground: &Ground, fault: Fault| {
        let mut n = 1;
        loop {
            if !case(ground, fault, n).await {
                break;
            }
            n += 1;
            assert!(n <= MOST, "{fault:?}: there is always one more call");
        }
        assert!(
            n > least,
            "{fault:?}: only {} calls were made to fail",
            n - 1
        );
    };
    if *place == Place::Embedded {
        for fault in Fault::ALL {
            Ground::under(place, async |ground| row(ground, fault).await).await;
        }
    } else {
        Ground::under(place, async |ground| {
            _ = join_all(Fault::ALL.map(|fault| row(ground, fault))).await;
        })
        .await;
    }
}

pub(crate) async fn whichever_call_of_a_jobs_life_fails_it_succeeds_and_its_outcome_is_recorded_once(
    place: Place,
) {
    // With the payload in the message and the result in the record: accept, send, claim, settle. Then both in object
    // storage.
    for (size, least) in [(10, 4), (40_000, 7)] {
        let payload = Bytes::from(vec![b'x'; size]);
        matrix(&place, least, async |room, case| {
            let case = format!("{size} bytes, {case}");
            let ticket = room.accepted(&payload).await;
            let over = room.worked(&ticket).await;
            assert_eq!(over.status, Status::Succeeded, "{case}");
            let runs = room.runs.load(Ordering::SeqCst);
            assert!(
                (1..=2).contains(&runs) && over.attempt <= 2,
                "{case}: {runs} runs, attempt {}",
                over.attempt
            );
            let bytes = match over
                .success
                .as_ref()
                .and_then(|success| success.result.clone())
            {
                Some(ResultRef::Inline { bytes, .. }) => bytes.into(),
                Some(ResultRef::Stored { key, .. }) => room
                    .objects()
                    .get(&key)
                    .await
                    .expect("read")
                    .expect("a result"),
                None => Bytes::new(),
            };
            assert_eq!(bytes, payload, "{case}");
            // Any remaining messages find the job ended.
            room.later().await;
            room.work(Duration::ZERO).await;
            assert_eq!(room.load(&ticket).await, over, "{case}");
        })
        .await;
    }
}

pub(crate) async fn whichever_call_of_an_upload_in_parts_fails_it_becomes_one_job(place: Place) {
    let payload = Bytes::from_static(b"a payload");
    // Begin and keep; look, load, list, complete, look, read, load, take, keep, accept, send; claim, fetch, settle,
    // delete.
    matrix(&place, 17, async |room, case| {
        let ticket = room.accepted_in_parts(&payload).await;
        let over = room.worked(&ticket).await;
        assert_eq!(
            (over.status, over.attempt <= 2),
            (Status::Succeeded, true),
            "{case}: attempt {}",
            over.attempt
        );
        let result = over
            .success
            .as_ref()
            .and_then(|success| success.result.clone());
        let result = if let Some(ResultRef::Inline { bytes, .. }) = result {
            bytes
        } else {
            vec![]
        };
        assert_eq!(result, payload, "{case}");
    })
    .await;
}

pub(crate) async fn whichever_call_of_a_poll_or_a_cancellation_fails_it_goes_through_when_it_is_asked_again(
    place: Place,
) {
    // One load and one change.
    matrix(&place, 2, async |room, case| {
        let (job, _) = room.stranded().await;
        let mut looks = 0;
        loop {
            let (jobs, key) = (room.jobs.clone(), job.key());
            let asked =
                tokio::spawn(async move { (jobs.get(&key).await, jobs.cancel(&key).await) }).await;
            looks += 1;
            if let Ok((Ok(polled), Ok(Cancellation::Cancelled(cancelled)))) = asked {
                let polled = polled.expect("a ticket is never unknown");
                assert!(polled == job || polled == *cancelled, "{case}: {polled:?}");
                break;
            }
            assert!(looks < 2, "{case}: {asked:?}");
        }
        let over = room.load(&job).await;
        assert_eq!(
            (over.status, over.version),
            (Status::Cancelled, job.version + 1),
            "{case}: cancelled once"
        );
    })
    .await;
}

pub(crate) async fn whichever_call_about_a_dead_letter_fails_its_job_ends_and_it_is_kept(
    place: Place,
) {
    // Load, keep and change.
    matrix(&place, 3, async |room, case| {
        let (job, letter) = room.stranded().await;
        let mut looks = 0;
        loop {
            let (dead_letters, given) = (room.dead_letters.clone(), letter.clone());
            let handled = tokio::spawn(async move { dead_letters.handle(&given).await }).await;
            looks += 1;
            if matches!(handled, Ok(Disposition::Done)) {
                break;
            }
            assert!(looks < 3, "{case}");
        }
        assert_eq!(room.load(&job).await.status, Status::Failed, "{case}");
        let key = keys::dead_letter(Some(&job.key()), &letter.message_id);
        assert_eq!(
            room.objects().read(&key).await,
            Ok(Some(letter.body)),
            "{case}"
        );
    })
    .await;
}

pub(crate) async fn whichever_call_of_a_sweep_fails_the_stranded_job_ends(place: Place) {
    // State of the queue, load and change.
    matrix(&place, 3, async |room, case| {
        let (job, _) = room.stranded().await;
        room.forward(Duration::from_secs(3 * 3600));
        for _ in 0..2 {
            let (rounds, jobs) = (room.rounds.clone(), vec![job.key()]);
            // The stream delivers a failed batch again.
            if matches!(
                tokio::spawn(async move { rounds.begin(&jobs).await }).await,
                Ok(Ok(()))
            ) {
                break;
            }
        }
        assert_eq!(room.load(&job).await.status, Status::Failed, "{case}");
    })
    .await;
}

pub(crate) async fn whichever_call_of_a_notification_fails_every_listener_hears_of_each_event_in_order(
    place: Place,
) {
    // Without those of the accepted and the running job, which only the embedded services' webhook receives. Publisher:
    // load, save, send three times, put. Deliver, for the webhook: load, save, keys, post, save. For the two replies: load,
    // save, send, save.
    rows(&place, 19, async |ground, fault, n| {
        let case = format!("{fault:?}, call {n}");
        let tenant = format!("{fault:?}-{n}").parse().expect("a good name");
        let mut room = Room::without_fault(ground, tenant).await;
        let listeners = Listeners::join(&mut room, fault, n).await;
        let accepted = room.accepted(&Bytes::from_static(PUBLISH)).await;
        let over = room.worked(&accepted).await;
        assert_eq!(over.status, Status::Succeeded, "{case}");
        listeners.publish_all().await;
        let log = listeners.deliver_all(&room, &over).await;
        listeners.check(&log, &case).await;
        room.leave().await;
        listeners.leave(ground).await
    })
    .await;
}

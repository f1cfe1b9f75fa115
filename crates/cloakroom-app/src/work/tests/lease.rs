//! Given a running handler, when its lease is lost, a renewal fails, or its client cancels, then it is notified in
//! time, and its result counts only while it holds the lease.

use std::sync::Mutex;

use super::*;
use crate::meter::Fact;
use crate::ports::Change;
use crate::testing::{Nothing, claim_by};

/// Reaction of a handler to a request to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Stops,
    AnswersAfter(u64),
    FailsForGood,
    IsBusy,
}

/// A room whose handler works for some seconds unless requested to stop, with the seconds of those requests.
struct Scene {
    room: Room,
    key: JobKey,
    begun: Instant,
    told: Arc<Mutex<Vec<u64>>>,
}

impl Scene {
    async fn new(seconds: u64, told_to: Told) -> Self {
        let (begun, told) = (Instant::now(), Arc::new(Mutex::new(vec![])));
        let heard = Arc::clone(&told);
        let handler = move |_: Nothing, job: JobContext| {
            let heard = Arc::clone(&heard);
            async move {
                tokio::select! {
                    () = sleep(Duration::from_secs(seconds)) => return Ok(Output::none()),
                    () = job.cancelled() => heard.lock().expect("no panic").push(begun.elapsed().as_secs()),
                }
                assert!(job.is_cancelled());
                match told_to {
                    Told::Stops => Err(HandlerError::cancelled()),
                    Told::FailsForGood => Err(HandlerError::terminal("no such paper")),
                    Told::IsBusy => Err(HandlerError::retryable("it is busy").code("busy")),
                    Told::AnswersAfter(seconds) => {
                        sleep(Duration::from_secs(seconds)).await;
                        Ok(Output::none())
                    }
                }
            }
        };
        let room = Room::new(vec![
            Command::json("play", handler).timeout(Duration::from_secs(100)),
        ]);
        let key = room
            .send("play", None, "{}")
            .await
            .expect("accepted")
            .job
            .key();
        Self {
            room,
            key,
            begun,
            told,
        }
    }

    /// Handles the message. Returns the disposition and the seconds it took.
    async fn handled(&self) -> (Disposition, u64) {
        let delivery = self
            .room
            .memory
            .receive(Duration::from_secs(15))
            .expect("a message");
        let ends_at = self.room.host.now().after(Duration::from_secs(900));
        let disposition = self.room.worker.handle(&delivery, ends_at).await;
        (disposition, self.begun.elapsed().as_secs())
    }

    /// Lets another worker take over at this second, as if the lease had expired. Returns the record, and clears the
    /// calls.
    async fn taken_over_at(&self, second: u64) -> Job {
        sleep(Duration::from_secs(second)).await;
        let (job, now) = (self.room.poll(&self.key).await, self.room.host.now());
        let claim = claim_by("another", &job);
        let mut transition = Transition::take_over(&claim, job.lease.expect("it runs").token, now);
        (transition.guard.ready_by, transition.guard.statuses) =
            (None, vec![Status::Running, Status::Cancelling]);
        let change = self.room.memory.change(&self.key, &transition).await;
        let Ok(Change::Made(job)) = change else {
            panic!("{change:?}")
        };
        self.room.memory.calls();
        self.room.meter.take();
        *job
    }

    async fn cancelled_at(&self, second: u64) {
        sleep(Duration::from_secs(second)).await;
        self.room.jobs.cancel(&self.key).await.expect("it runs");
    }

    fn told(&self) -> Vec<u64> {
        self.told.lock().expect("no panic").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_lease_is_lost_is_told_at_the_next_beat_and_its_end_is_not_written() {
    for (told_to, ends) in [
        (Told::Stops, 10),
        (Told::AnswersAfter(1), 11),
        (Told::FailsForGood, 10),
        (Told::AnswersAfter(50), 12),
    ] {
        let scene = Scene::new(60, told_to).await;
        let (handled, taken_over) = tokio::join!(scene.handled(), scene.taken_over_at(5));
        assert_eq!(
            (handled, scene.told()),
            ((Disposition::Keep, ends), vec![10]),
            "{told_to:?}"
        );
        assert_eq!(
            scene.room.memory.calls(),
            ["change"],
            "{told_to:?}: the renewal that was refused, and no more"
        );
        assert_eq!(scene.room.poll(&scene.key).await, taken_over, "{told_to:?}");
        assert_eq!(scene.room.meter.facts(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_after_another_worker_took_over_is_refused_and_the_message_stays() {
    let scene = Scene::new(8, Told::Stops).await;
    let (handled, taken_over) = tokio::join!(scene.handled(), scene.taken_over_at(5));
    assert_eq!(handled, (Disposition::Keep, 8));
    assert_eq!(
        scene.room.memory.calls(),
        ["change"],
        "the end that was refused, and no more"
    );
    assert_eq!(
        (scene.room.poll(&scene.key).await, scene.room.meter.facts()),
        (taken_over, vec![])
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_of_a_job_that_another_worker_ended_since_is_refused_and_the_message_stays() {
    let scene = Scene::new(8, Told::Stops).await;
    let ended = async {
        let token = scene.taken_over_at(5).await.lease.expect("it runs").token;
        let end = AttemptEnd::Terminal(cloakroom_core::Failure::new("the other one's"));
        let (job, now) = (scene.room.poll(&scene.key).await, scene.room.host.now());
        let end = Transition::settle(
            &job,
            token,
            end,
            &cloakroom_core::RetryPolicy::default(),
            now,
            0.0,
        );
        scene
            .room
            .memory
            .change(&scene.key, &end)
            .await
            .expect("memory")
    };
    let (handled, ended) = tokio::join!(scene.handled(), ended);
    assert_eq!(handled, (Disposition::Keep, 8));
    assert_eq!(
        ended,
        Change::Made(Box::new(scene.room.poll(&scene.key).await))
    );
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_record_is_gone_keeps_its_message() {
    for (seconds, told) in [(8, vec![]), (60, vec![10])] {
        let scene = Scene::new(seconds, Told::Stops).await;
        let forgotten = async {
            sleep(Duration::from_secs(5)).await;
            scene
                .room
                .memory
                .meanwhile("change", std::collections::HashMap::clear);
        };
        let ((disposition, _), ()) = tokio::join!(scene.handled(), forgotten);
        assert_eq!((disposition, scene.told()), (Disposition::Keep, told));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_after_the_client_cancelled_is_heard_too() {
    let mut scene = Scene::new(60, Told::AnswersAfter(15)).await;
    scene.room.worker.settings.grace = Duration::from_secs(30);
    let (handled, (), taken_over) = tokio::join!(
        scene.handled(),
        scene.cancelled_at(5),
        scene.taken_over_at(15)
    );
    assert_eq!((handled, scene.told()), ((Disposition::Keep, 25), vec![10]));
    assert_eq!(
        scene.room.memory.calls(),
        ["change"],
        "the renewal that was refused, and no end"
    );
    assert_eq!(scene.room.poll(&scene.key).await, taken_over);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_goes_on_after_its_client_cancelled_is_dropped_when_one_grace_is_over() {
    let mut scene = Scene::new(60, Told::AnswersAfter(80)).await;
    // Longer than two beats. Each of them finds the job being cancelled.
    scene.room.worker.settings.grace = Duration::from_secs(25);
    let (handled, ()) = tokio::join!(scene.handled(), scene.cancelled_at(5));
    assert_eq!((handled, scene.told()), ((Disposition::Done, 35), vec![10]));
    assert_eq!(scene.room.poll(&scene.key).await.status, Status::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_does_in_its_grace_still_counts() {
    for (told_to, cancelled, by_deadline) in [
        (Told::AnswersAfter(1), Status::Succeeded, Status::Succeeded),
        (Told::FailsForGood, Status::Failed, Status::Failed),
        (Told::Stops, Status::Cancelled, Status::Retrying),
        (Told::IsBusy, Status::Cancelled, Status::Retrying),
    ] {
        let scene = Scene::new(60, told_to).await;
        tokio::join!(scene.handled(), scene.cancelled_at(5));
        assert_eq!(
            scene.room.poll(&scene.key).await.status,
            cancelled,
            "{told_to:?}"
        );
        let scene = Scene::new(200, told_to).await;
        scene.handled().await;
        let job = scene.room.poll(&scene.key).await;
        assert_eq!(
            (scene.told(), job.status),
            (vec![100], by_deadline),
            "{told_to:?}"
        );
        let code = match told_to {
            Told::AnswersAfter(_) => None,
            Told::FailsForGood => Some("job-failed"),
            Told::Stops => Some("attempt-timed-out"),
            Told::IsBusy => Some("busy"),
        };
        let failure = job.failure.as_ref();
        assert_eq!(failure.map(|failure| failure.code.as_str()), code);
    }
}

#[tokio::test(start_paused = true)]
async fn renewals_that_fail_stop_no_handler_and_keep_its_message_hidden() {
    for fault in [Fault::Before, Fault::After, Fault::Twice] {
        let scene = Scene::new(55, Told::Stops).await;
        let outage = async {
            sleep(Duration::from_secs(5)).await;
            for _ in 0..2 {
                scene.room.memory.fail("change", fault);
            }
        };
        let second_worker = async {
            for second in 1..55 {
                sleep(Duration::from_secs(1)).await;
                assert_eq!(
                    scene.room.memory.receive(Duration::ZERO),
                    None,
                    "{second}: the message was seen again"
                );
            }
        };
        let (handled, (), ()) = tokio::join!(scene.handled(), outage, second_worker);
        assert_eq!(
            (handled, scene.told()),
            ((Disposition::Done, 55), vec![]),
            "{fault:?}"
        );
        let job = scene.room.poll(&scene.key).await;
        assert_eq!(
            (job.status, job.attempt),
            (Status::Succeeded, 1),
            "{fault:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn each_beat_extends_the_lease_and_hides_the_message_for_as_long() {
    let scene = Scene::new(25, Told::Stops).await;
    let looks = async {
        for (second, until) in [(1, 30), (9, 30), (11, 40), (19, 40), (21, 50)] {
            tokio::time::sleep_until(scene.begun + Duration::from_secs(second)).await;
            let ready_at = scene.room.poll(&scene.key).await.ready_at;
            let hidden = scene.room.memory.messages().1.expect("it is there") - scene.begun;
            assert_eq!(
                ready_at.since(scene.room.host.now()).as_secs(),
                until - second
            );
            assert_eq!(
                hidden.as_secs(),
                if second < 10 { 15 } else { until },
                "at {second} s"
            );
        }
    };
    let (handled, ()) = tokio::join!(scene.handled(), looks);
    assert_eq!(handled, (Disposition::Done, 25));
    assert_eq!(
        scene.room.meter.facts().last(),
        Some(&Fact::Succeeded {
            run_time: Duration::from_secs(25)
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cant_be_hidden_stops_no_handler() {
    let scene = Scene::new(25, Told::Stops).await;
    scene.room.memory.down(&["hide"]);
    assert_eq!(
        (scene.handled().await, scene.told()),
        ((Disposition::Done, 25), vec![])
    );
}

#[tokio::test(start_paused = true)]
async fn progress_is_written_once_a_second_however_often_it_is_reported_and_the_latest_counts() {
    let handler = |_: Nothing, job: JobContext| async move {
        for report in 0..48 {
            job.progress(f64::from(report), format!("report {report}"));
            sleep(Duration::from_millis(100)).await;
        }
        Ok::<_, HandlerError>(Output::none())
    };
    let room = Room::new(vec![Command::json("play", handler)]);
    let key = room
        .send("play", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    room.memory.calls();
    let looks = async {
        for (millis, reports) in [
            (50, 0..=0),
            (950, 0..=0),
            (1050, 9..=10),
            (2050, 19..=20),
            (4750, 39..=40),
        ] {
            sleep(
                (room.host.now().since(room.poll(&key).await.created_at))
                    .abs_diff(Duration::from_millis(millis)),
            )
            .await;
            let progress = room.poll(&key).await.progress.expect("a report");
            let report: u32 = progress
                .message
                .expect("a text")
                .replace("report ", "")
                .parse()
                .expect("a number");
            assert!(reports.contains(&report), "{report} at {millis} ms");
        }
    };
    tokio::join!(room.work_until_idle(), looks);
    let writes = room
        .memory
        .calls()
        .iter()
        .filter(|&&call| call == "change")
        .count();
    assert_eq!(
        writes,
        1 + 5 + 1,
        "the claim, a report each second, the end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_is_a_sign_of_life_and_the_next_beat_follows_a_beat_later() {
    let handler = |_: Nothing, job: JobContext| async move {
        for second in 0..6 {
            job.progress(f64::from(second), "");
            sleep(Duration::from_secs(1)).await;
        }
        sleep(Duration::from_secs(48)).await;
        Ok::<_, HandlerError>(Output::none())
    };
    let room = Room::new(vec![Command::json("play", handler)]);
    let key = room
        .send("play", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    room.memory.calls();
    let looks = async {
        for _ in 0..53 {
            sleep(Duration::from_secs(1)).await;
            let job = room.poll(&key).await;
            assert!(
                job.is_leased(room.host.now()),
                "its lease ended while it was at work"
            );
            let message = job.progress.expect("a report").message;
            assert_eq!(message, None, "an empty message");
        }
    };
    tokio::join!(room.work_until_idle(), looks);
    let writes = room
        .memory
        .calls()
        .iter()
        .filter(|&&call| call == "change")
        .count();
    assert_eq!(
        writes,
        1 + 6 + 4 + 1,
        "the claim, the reports, beats at 15, 25, 35 and 45 s, the end"
    );
}

#[tokio::test(start_paused = true)]
async fn a_report_that_waits_for_its_turn_is_written_though_something_else_comes_first() {
    let handler = |_: Nothing, job: JobContext| async move {
        sleep(Duration::from_millis(9_500)).await;
        job.progress(90.0, "first");
        sleep(Duration::from_millis(200)).await;
        job.progress(95.0, "second");
        job.cancelled().await;
        sleep(Duration::from_secs(1)).await;
        Err::<Output, _>(HandlerError::retryable("out of paper"))
    };
    let room = Room::new(vec![
        Command::json("play", handler).timeout(Duration::from_secs(10)),
    ]);
    let key = room
        .send("play", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    room.work_once().await;
    let message = room
        .poll(&key)
        .await
        .progress
        .and_then(|progress| progress.message);
    assert_eq!(message.as_deref(), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn a_report_after_a_beat_is_written_at_once_and_the_next_a_second_after_that_write() {
    let handler = |_: Nothing, job: JobContext| async move {
        for (wait, message) in [(10_200, "first"), (300, "second"), (2_500, "third")] {
            sleep(Duration::from_millis(wait)).await;
            job.progress(50.0, message);
        }
        sleep(Duration::from_secs(1)).await;
        Ok::<_, HandlerError>(Output::none())
    };
    let room = Room::new(vec![Command::json("play", handler)]);
    let key = room
        .send("play", None, "{}")
        .await
        .expect("accepted")
        .job
        .key();
    let begun = Instant::now();
    let looks = async {
        for (millis, message) in [
            (10_199, None),
            (10_201, Some("first")),
            (11_199, Some("first")),
            (11_201, Some("second")),
            (12_999, Some("second")),
            (13_001, Some("third")),
        ] {
            tokio::time::sleep_until(begun + Duration::from_millis(millis)).await;
            let progress = room.poll(&key).await.progress;
            let shown = progress.and_then(|progress| progress.message);
            assert_eq!(shown.as_deref(), message, "after {millis} ms");
        }
    };
    tokio::join!(room.work_until_idle(), looks);
}

//! Rounds of the sweeper. A round examines jobs that were accepted a while ago. Those that are still open are put on a
//! list. The list is examined again when the first of them may be abandoned, until all have ended.
//!
//! A list is one message, hidden until its next look. A list that is older than a week is sent again as a new message:
//! the queue retains a message for 14 days, and a job may start long after that.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::{JobId, JobKey, OVERTIME, Tenant, Timestamp};
use serde::{Deserialize, Serialize};

use super::sweeper::{Sweeper, earliest};
use crate::delivery::{self, Delivery, Disposition};
use crate::ports::{PortError, Queue};

const VERSION: u32 = 1;

/// Maximum number of jobs on one list: about 40 KB.
const LIST: usize = 500;

/// Delay of a list after a port failed.
const AGAIN: Duration = Duration::from_secs(30);

/// Age from which a list is sent again: half of the retention of its queue.
const SENT_AGAIN_AFTER: Duration = Duration::from_secs(OVERTIME.as_secs() / 2);

/// The use case, with its ports.
#[derive(Clone)]
pub struct Rounds {
    /// Examines the jobs of a list.
    pub sweeper: Sweeper,
    /// Queue of lists.
    pub lists: Arc<dyn Queue>,
}

/// A list of jobs. This type is a boundary: later versions read it.
#[derive(Serialize, Deserialize)]
struct List {
    v: u32,
    jobs: Vec<(Tenant, JobId)>,
    /// Time at which the message was sent, in seconds. Lists of older versions don't have it.
    sent_at: Option<i64>,
}

impl List {
    fn is_old(&self, now: Timestamp) -> bool {
        self.sent_at
            .is_none_or(|at| now.since(Timestamp::from_seconds(at)) > SENT_AGAIN_AFTER)
    }
}

impl Rounds {
    /// Examines jobs for the first time. After an error, the whole call can be repeated.
    pub async fn begin(&self, jobs: &[JobKey]) -> Result<(), PortError> {
        let looked = self.sweeper.sweep(jobs).await?;
        let now = self.sweeper.shared.host.now();
        for open in looked.open.chunks(LIST) {
            self.send(open, now).await?;
        }
        Ok(())
    }

    /// Sends a list of open jobs, hidden until the first of them is due.
    async fn send(&self, open: &[(JobKey, Timestamp)], now: Timestamp) -> Result<(), PortError> {
        let Some(next) = earliest(open) else {
            return Ok(());
        };
        let jobs = open
            .iter()
            .map(|(key, _)| (key.tenant.clone(), key.id))
            .collect();
        let list = List {
            v: VERSION,
            jobs,
            sent_at: Some(now.as_seconds_ceil()),
        };
        let list = serde_json::to_string(&list).expect("names and ids are always written");
        self.lists
            .send(&Tenant::default(), list, next.since(now), None)
            .await
    }

    /// Examines the jobs of these lists again. The dispositions are in the same order. A list whose handling panics
    /// stays in its queue, and does not affect the others.
    pub async fn resume(&self, lists: &[Delivery]) -> Vec<Disposition> {
        let each = lists
            .iter()
            .map(|list| delivery::keep_on_panic(async || self.look_again(list).await));
        futures::future::join_all(each).await
    }

    async fn look_again(&self, delivery: &Delivery) -> Disposition {
        let list = match serde_json::from_str(&delivery.body) {
            Ok(list @ List { v: VERSION, .. }) => list,
            Ok(List { v, .. }) => {
                tracing::error!(
                    version = v,
                    "failed to read a list of jobs; a later version of the sweeper may be able to"
                );
                return self.hide(delivery, AGAIN).await;
            }
            Err(error) => {
                tracing::error!(%error, "a message is not a list of jobs; it is deleted");
                return Disposition::Done;
            }
        };
        match self.look_through(delivery, list).await {
            Ok(disposition) => disposition,
            Err(error) => {
                tracing::error!(%error, "failed to check jobs; the list will be received again");
                self.hide(delivery, AGAIN).await
            }
        }
    }

    async fn look_through(
        &self,
        delivery: &Delivery,
        list: List,
    ) -> Result<Disposition, PortError> {
        let keys: Vec<_> = list
            .jobs
            .iter()
            .map(|(tenant, id)| JobKey {
                tenant: tenant.clone(),
                id: *id,
            })
            .collect();
        let looked = self.sweeper.sweep(&keys).await?;
        let now = self.sweeper.shared.host.now();
        match looked.next() {
            None => Ok(Disposition::Done),
            // A crash before the old message is deleted leaves two lists of the same jobs, which is harmless.
            Some(_) if list.is_old(now) => {
                self.send(&looked.open, now).await?;
                Ok(Disposition::Done)
            }
            Some(next) => Ok(self.hide(delivery, next.since(now)).await),
        }
    }

    async fn hide(&self, delivery: &Delivery, time: Duration) -> Disposition {
        delivery::hide(&*self.lists, delivery, time).await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::time::{Instant, sleep_until};

    use super::*;
    use crate::Command;
    use crate::host::Host as _;
    use crate::submit::{Body, Submission};
    use crate::testing::{Fault, Memory, Nothing, Room, nothing};

    const DAY: Duration = Duration::from_secs(86_400);

    /// Returns a room with `n` stranded jobs, and the rounds over a queue of lists.
    async fn stranded(n: usize) -> (Room, Vec<JobKey>, Rounds, Arc<Memory>) {
        let room = Room::new(vec![Command::json("nothing", nothing::<Nothing>)]);
        let mut keys = vec![];
        for _ in 0..n {
            keys.push(
                room.send("nothing", None, "{}")
                    .await
                    .expect("accepted")
                    .job
                    .key(),
            );
        }
        room.memory.purge();
        let lists = Arc::new(Memory::default());
        let rounds = Rounds {
            sweeper: room.sweeper.clone(),
            lists: lists.clone(),
        };
        (room, keys, rounds, lists)
    }

    async fn until_done(rounds: &Rounds, lists: &Memory) -> u32 {
        let mut looks = 0;
        while let (1.., Some(visible)) = lists.messages() {
            sleep_until(visible.max(Instant::now() + Duration::from_millis(1))).await;
            while let Some(delivery) = lists.receive(Duration::from_secs(60)) {
                looks += 1;
                if rounds.resume(std::slice::from_ref(&delivery)).await == [Disposition::Done] {
                    lists.delete(&delivery);
                }
            }
            assert!(looks < 100, "there is no end to it");
        }
        looks
    }

    #[tokio::test(start_paused = true)]
    async fn stranded_jobs_are_all_ended_within_the_bound() {
        let (room, keys, rounds, lists) = stranded(1200).await;
        let begun = Instant::now();
        rounds.begin(&keys).await.expect("a look");
        assert_eq!(lists.messages().0, 3, "lists of 500");
        let looks = until_done(&rounds, &lists).await;
        // The queue delays a message by 15 minutes. After that, it is hidden for the remaining time.
        // The jobs are not all due at the same moment, so one list is looked at once more.
        assert_eq!((looks, begun.elapsed().as_secs()), (7, 6000));
        for key in &keys {
            assert!(room.poll(key).await.status.is_terminal());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_that_are_over_at_the_first_look_make_no_list() {
        let (room, keys, rounds, lists) = stranded(3).await;
        for key in &keys {
            room.jobs.cancel(key).await.expect("cancelled");
        }
        rounds.begin(&keys).await.expect("a look");
        assert_eq!(lists.messages().0, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_that_can_not_be_read_keeps_neither_the_stream_nor_a_list() {
        let (room, keys, rounds, lists) = stranded(3).await;
        room.memory.damage(&keys[0]);
        rounds
            .begin(&keys)
            .await
            .expect("the batch of the stream succeeds");
        room.memory.damage(&keys[1]);
        until_done(&rounds, &lists).await;
        assert!(room.poll(&keys[2]).await.status.is_terminal());
    }

    #[tokio::test(start_paused = true)]
    async fn no_list_is_older_than_its_queue_retains_it() {
        let room = Room::new(vec![
            Command::json("late", nothing::<Nothing>).retention(DAY * 60),
        ]);
        let body = Body::Sent {
            content_type: None,
            bytes: "{}".into(),
        };
        let submission = Submission {
            not_before: Some(room.host.now().after(DAY * 50)),
            ..Room::submission("late", body)
        };
        let key = room
            .submit
            .submit(submission)
            .await
            .expect("accepted")
            .job
            .key();
        room.memory.purge();
        let lists = Arc::new(Memory::default());
        let rounds = Rounds {
            sweeper: room.sweeper.clone(),
            lists: lists.clone(),
        };
        rounds
            .begin(std::slice::from_ref(&key))
            .await
            .expect("a look");
        // An old list stays until another one is sent.
        lists.fail("send", Fault::Before);

        let mut sent = BTreeMap::new();
        while let (1.., Some(visible)) = lists.messages() {
            sleep_until(visible.max(Instant::now() + Duration::from_millis(1))).await;
            let Some(delivery) = lists.receive(Duration::from_secs(60)) else {
                continue;
            };
            let sent_at: Instant = *sent
                .entry(delivery.message_id.clone())
                .or_insert_with(Instant::now);
            assert!(
                sent_at.elapsed() < OVERTIME,
                "{} would be gone",
                delivery.message_id
            );
            if rounds.resume(std::slice::from_ref(&delivery)).await == [Disposition::Done] {
                lists.delete(&delivery);
            }
        }
        assert!(room.poll(&key).await.status.is_terminal());
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_of_an_older_version_is_sent_again() {
        let (room, keys, rounds, lists) = stranded(1).await;
        let body = format!(r#"{{"v":1,"jobs":[["acme","{}"]]}}"#, keys[0].id);
        lists
            .send(&Tenant::default(), body, Duration::ZERO, None)
            .await
            .expect("sent");
        let delivery = lists.receive(Duration::from_secs(60)).expect("a message");
        assert_eq!(
            rounds.resume(std::slice::from_ref(&delivery)).await,
            [Disposition::Done]
        );
        lists.delete(&delivery);
        until_done(&rounds, &lists).await;
        assert!(room.poll(&keys[0]).await.status.is_terminal());
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_survives_whatever_fails_and_what_is_none_is_deleted() {
        let (room, keys, rounds, lists) = stranded(2).await;
        rounds.begin(&keys).await.expect("a look");
        room.memory.fail("load", Fault::Before);
        room.memory.fail("change", Fault::After);
        assert!(until_done(&rounds, &lists).await >= 3);
        for key in &keys {
            assert!(room.poll(key).await.status.is_terminal());
        }
        for (body, disposition) in [
            ("garbage", Disposition::Done),
            (r#"{"v":2,"jobs":[]}"#, Disposition::Keep),
        ] {
            lists
                .send(&Tenant::default(), body.into(), Duration::ZERO, None)
                .await
                .expect("sent");
            let delivery = lists.receive(Duration::ZERO).expect("a message");
            assert_eq!(
                rounds.resume(std::slice::from_ref(&delivery)).await,
                [disposition],
                "{body}"
            );
            lists.delete(&delivery);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_whose_handling_panics_stays_and_holds_up_no_other() {
        let (room, keys, rounds, lists) = stranded(2).await;
        for key in &keys {
            rounds
                .begin(std::slice::from_ref(key))
                .await
                .expect("a look");
        }
        sleep_until(Instant::now() + Duration::from_secs(7000)).await;
        let both = [(); 2].map(|()| lists.receive(Duration::from_secs(60)).expect("a list"));
        room.memory.fail("load", Fault::Panic);
        assert_eq!(
            rounds.resume(&both).await,
            [Disposition::Keep, Disposition::Done]
        );
        lists.delete(&both[1]);
        until_done(&rounds, &lists).await;
        for key in &keys {
            assert!(room.poll(key).await.status.is_terminal());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_waits_until_the_first_of_its_jobs_is_due_and_for_half_a_minute_after_a_fault() {
        let (room, keys, rounds, lists) = stranded(2).await;
        sleep_until(Instant::now() + Duration::from_secs(100)).await;
        rounds.begin(&keys).await.expect("a look");
        let list = lists.receive(Duration::from_secs(60));
        assert_eq!(list, None, "it is held back");
        sleep_until(Instant::now() + Duration::from_secs(900)).await;
        let list = lists
            .receive(Duration::from_secs(60))
            .expect("as long as a queue holds it back");
        for (fault, seconds) in [(true, 30), (false, 6000 - 1000)] {
            if fault {
                room.memory.fail("load", Fault::Before);
            }
            assert_eq!(
                rounds.resume(std::slice::from_ref(&list)).await,
                [Disposition::Keep]
            );
            assert_eq!(
                lists.messages().1,
                Some(Instant::now() + Duration::from_secs(seconds)),
                "{fault}"
            );
        }
    }
}

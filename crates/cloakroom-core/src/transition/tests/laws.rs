//! Given any sequence of acts, by workers that are late, double, dead or confused, then these laws hold of its record.

use proptest::prelude::*;

use super::*;

/// One action of a client, worker or operator, reasonable or not.
#[derive(Debug, Clone)]
enum Act {
    Claim(u128, bool),
    Renew(u128, f64),
    Settle(u128, AttemptEnd),
    Cancel,
    Recover(u128),
    GiveBack(u128),
    Bury(bool),
    Sweep(bool),
    Redrive,
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let worker = 1u128..5;
    let end = prop_oneof![
        Just(AttemptEnd::Done(Success::default())),
        Just(AttemptEnd::Terminal(Failure::new("no"))),
        Just(retryable()),
        Just(AttemptEnd::Unavailable(Failure::unavailable(
            "the result could not be stored"
        ))),
        Just(AttemptEnd::Cancelled),
    ];
    prop_oneof![
        (worker.clone(), any::<bool>()).prop_map(|(worker, same)| Act::Claim(worker, same)),
        (worker.clone(), 0.0..120.0).prop_map(|(worker, percent)| Act::Renew(worker, percent)),
        (worker.clone(), end).prop_map(|(worker, end)| Act::Settle(worker, end)),
        Just(Act::Cancel),
        worker.clone().prop_map(Act::Recover),
        worker.prop_map(Act::GiveBack),
        any::<bool>().prop_map(Act::Bury),
        any::<bool>().prop_map(Act::Sweep),
        Just(Act::Redrive),
        (0u64..40_000).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Applies any actions in any order, by workers that are late, duplicated, dead or confused.
    #[test]
    fn the_laws_hold_of_every_sequence(acts in prop::collection::vec(act(), 1..60)) {
        let mut job = accepted(at(0));
        let mut stale = job.clone();
        let mut now = at(0);
        let mut draw = 100;
        for act in acts {
            let before = job.clone();
            let transition = match act {
                Act::Wait(millis) => {
                    now = now.after(Duration::from_millis(millis));
                    continue;
                }
                Act::Claim(worker, same) => {
                    draw += 10;
                    let claim = claim(draw + worker, if same { "m1" } else { "m2" });
                    let transition = Transition::claim(&claim, now);
                    if transition.guard.holds(&before) {
                        prop_assert!(!before.is_leased(now), "two workers hold a live lease");
                    } else {
                        prop_assert_ne!(Refusal::new(&claim, Some(&before), now), Refusal::Mine);
                    }
                    transition
                }
                Act::Renew(worker, percent) => {
                    let report = progress_report(Progress::new(percent, None), at(0), now);
                    Transition::renew(token(draw + worker), LEASE, Some(report), now)
                }
                // What the worker saw may be out of date.
                Act::Settle(worker, end) => Transition::settle(&stale, token(draw + worker), end, &POLICY, now, 0.5),
                Act::Cancel if before.status == Status::Running => Transition::ask_to_cancel(now),
                Act::Cancel => Transition::withdraw(now),
                Act::Recover(worker) => {
                    draw += 10;
                    let mut claim = claim(draw + worker, "m1");
                    match Refusal::new(&claim, Some(&before), now) {
                        Refusal::Cancel(token) => Transition::confirm_cancel(token, now),
                        Refusal::TakeOver { dead, isolation } => {
                            claim.lease.isolation = isolation;
                            Transition::take_over(&claim, dead, now)
                        }
                        Refusal::Exhausted(token) => {
                            let blamed = before.status == Status::Running;
                            prop_assert!(!blamed || isolation(&before) == Isolation::Alone, "blamed for a crash of others");
                            Transition::give_up(&before, token, now)
                        }
                        Refusal::Mine | Refusal::Over | Refusal::Duplicate | Refusal::Later(_) => continue,
                    }
                }
                Act::GiveBack(worker) => Transition::give_back(token(draw + worker), now),
                Act::Bury(readable) => match Verdict::for_dead_letter(Some(&stale), at(0), "m1", readable, now) {
                    Verdict::End(transition) => *transition,
                    Verdict::Over | Verdict::Another | Verdict::Wait(_) => continue,
                },
                Act::Sweep(backlog) => match Verdict::for_sweep(Some(&stale), LEASE, backlog, now) {
                    Verdict::End(transition) => *transition,
                    Verdict::Over | Verdict::Another | Verdict::Wait(_) => continue,
                },
                Act::Redrive => Transition::redrive(&stale, now),
            };
            if let Some(after) = transition.apply(&before) {
                stale = before.clone();
                let redriven = after.history.last().is_some_and(|step| step.event == Event::Redrive && step.at == now)
                    && after.status == Status::Accepted;
                prop_assert!(redriven || !before.status.is_terminal(), "it left {:?}", before.status);
                let deferred = after.version == before.version + 1
                    && after.history.last().is_some_and(|step| step.event == Event::Defer)
                    && before.status == Status::Running
                    && after.status == Status::Retrying;
                let counted = if deferred { before.attempt - 1 } else { before.attempt };
                prop_assert!(redriven || after.attempt == counted || after.attempt == counted + 1);
                prop_assert!(redriven || latest_attempt(&after) >= latest_attempt(&before), "no poll goes back");
                let begun = after.history.iter().rev().take_while(|step| step.event != Event::Redrive);
                let counted = |event| begun.clone().filter(|step| step.event == event).count();
                prop_assert_eq!(counted(Event::Claim) - counted(Event::Defer), usize::try_from(after.attempt).expect("small"), "the history tells of every attempt");
                prop_assert!(after.attempt <= POLICY.max_attempts + 1);
                prop_assert_eq!(after.version, before.version + 1);
                prop_assert!(after.deadline() >= before.deadline());
                prop_assert_eq!(after.status.is_terminal(), after.finished_at.is_some());
                prop_assert_eq!(after.created_at, before.created_at);
                if !redriven && after.attempt == before.attempt && before.lease.is_some() {
                    prop_assert_eq!(&after.lease, &before.lease, "a lease changes only with its attempt");
                }
                job = after;
            }
        }
    }
}

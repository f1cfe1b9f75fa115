//! Given a budget, when attempts request memory, then they are admitted in order, within the budget.

use std::pin::{Pin, pin};

use futures::FutureExt as _;

use super::*;

type Asked<'a> = Pin<&'a mut dyn Future<Output = Result<Permit, TooLarge>>>;

fn admitted(asked: &mut Asked<'_>) -> Option<Permit> {
    asked.now_or_never().map(|permit| permit.expect("it fits"))
}

#[tokio::test]
async fn attempts_are_admitted_while_they_fit_and_then_in_the_order_in_which_they_asked() {
    let admission = Admission::new(10 * MIB);
    let first = admission.admit(6 * MIB).await.expect("it fits");
    let (mut large, mut small) = (pin!(admission.admit(8 * MIB)), pin!(admission.admit(MIB)));
    let (mut large, mut small): (Asked<'_>, Asked<'_>) = (large.as_mut(), small.as_mut());
    assert!(
        admitted(&mut large).is_none() && admitted(&mut small).is_none(),
        "the small one must not pass for ever"
    );
    assert!(
        admission.admit(0).now_or_never().is_some(),
        "what needs no memory does not wait for any"
    );
    drop(first);
    let large = admitted(&mut large);
    assert!(large.is_some() && admitted(&mut small).is_some());
}

#[tokio::test]
async fn an_attempt_that_needs_all_of_the_budget_fits_and_one_that_needs_more_is_refused_at_once() {
    let admission = Admission::new(10 * MIB + 1);
    let all = admission.admit(10 * MIB + 1).await.expect("it fits");
    let refused = admission
        .admit(10 * MIB + 2)
        .now_or_never()
        .expect("at once")
        .expect_err("it never fits");
    assert_eq!(
        refused,
        TooLarge {
            need: 10 * MIB + 2,
            budget: 10 * MIB + 1
        }
    );
    let failure = refused.failure();
    assert_eq!(failure.code, "memory-exceeded");
    assert!(
        failure.detail.contains("11 MiB") && failure.detail.contains("10 MiB"),
        "{}",
        failure.detail
    );
    drop(all);
}

#[tokio::test]
async fn an_attempt_alone_waits_for_all_others_and_lets_none_in_meanwhile() {
    let admission = Admission::new(MIB);
    let running = admission.admit(0).await.expect("it fits");
    let mut alone = pin!(admission.admit_alone());
    assert!(alone.as_mut().now_or_never().is_none());
    let mut later = pin!(admission.admit(0));
    assert!(
        later.as_mut().now_or_never().is_none(),
        "it would keep the first from its turn for ever"
    );
    drop(running);
    let permit = alone.as_mut().now_or_never().expect("its turn");
    assert!(later.as_mut().now_or_never().is_none());
    drop(permit);
    assert!(later.as_mut().now_or_never().is_some());
}

#[tokio::test]
async fn an_attempt_that_gives_up_waiting_leaves_its_turn_to_the_next() {
    let admission = Admission::new(MIB);
    let running = admission.admit(MIB).await.expect("it fits");
    let mut next = pin!(admission.admit(1));
    {
        let mut alone = pin!(admission.admit_alone());
        let mut large = pin!(admission.admit(MIB));
        assert!(alone.as_mut().now_or_never().is_none() && large.as_mut().now_or_never().is_none());
        assert!(next.as_mut().now_or_never().is_none());
    }
    drop(running);
    assert!(next.as_mut().now_or_never().is_some());
}

#[tokio::test]
async fn places_bound_the_attempts_whatever_they_need() {
    let admission = Admission::unlimited().with_places(2);
    let (_first, second) = (admission.admit(0).await, admission.admit(u64::MAX).await);
    let mut third = pin!(admission.admit(0));
    assert!(third.as_mut().now_or_never().is_none());
    drop(second);
    assert!(third.as_mut().now_or_never().is_some());
}

#[tokio::test]
async fn no_places_are_one_place() {
    let admission = Admission::unlimited().with_places(0);
    let only = admission.admit(0).now_or_never().expect("a place");
    let mut alone = pin!(admission.admit_alone());
    assert!(alone.as_mut().now_or_never().is_none());
    drop(only);
    assert!(alone.as_mut().now_or_never().is_some());
}

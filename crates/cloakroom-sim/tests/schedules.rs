//! Simulations that run with the tests.

use cloakroom_sim::shrink::shrink;
use cloakroom_sim::{Mutation, Plan, many, one};

/// Number of schedules. The program runs more on request.
const SCHEDULES: u64 = 20_000;

#[test]
fn no_schedule_of_troubles_breaks_an_invariant() {
    let summary = many(0, SCHEDULES, None);
    assert_eq!(
        summary.failed, None,
        "run `cargo run -p cloakroom-sim -- simulate` for its story"
    );
    assert_eq!(summary.seeds, SCHEDULES);
    let counts = summary.counts;
    // The schedules cover the relevant cases: jobs end in both ways, and some attempts follow others.
    assert!(
        counts.ended > SCHEDULES && counts.abandoned > SCHEDULES / 20,
        "{counts:?}"
    );
    assert!(
        counts.attempts > counts.jobs && counts.effects > SCHEDULES,
        "{counts:?}"
    );
    assert!(counts.deferred > SCHEDULES / 10, "{counts:?}");
}

#[test]
fn every_line_that_is_left_out_is_found_out() {
    for mutation in Mutation::ALL {
        let (name, seed) = (mutation.as_str(), mutation.seed());
        let outcome = one(Plan {
            mutation: Some(*mutation),
            ..Plan::from_seed(seed)
        });
        assert!(
            outcome.violation.is_some(),
            "seed {seed} does not catch {name} any more: search with `cargo run --profile simulation -p cloakroom-sim -- mutations`, and \
             record the seeds in mutation.rs"
        );
    }
}

#[test]
fn a_seed_is_the_same_schedule_again_and_a_failing_one_shrinks() {
    let plan = Plan {
        tell: true,
        ..Plan::from_seed(7)
    };
    let (once, again) = (one(plan.clone()), one(plan));
    assert_eq!(
        (once.story.len(), once.calls, once.counts),
        (again.story.len(), again.calls, again.counts)
    );
    assert_eq!(once.story, again.story);

    let mutation = Mutation::DropTheFence;
    let failed = one(Plan {
        mutation: Some(mutation),
        tell: true,
        ..Plan::from_seed(mutation.seed())
    });
    let shrunk = shrink(&failed);
    assert!(
        shrunk.violation.is_some() && shrunk.story.len() <= failed.story.len(),
        "{:#?}",
        shrunk.story
    );
}

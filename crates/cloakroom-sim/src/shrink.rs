//! Reduces a failing seed: removes groups of faults, as long as it still fails.

use crate::plan::{Plan, Trouble};
use crate::run::{Outcome, one};

/// Maximum number of passes.
const TRIES: usize = 3;

/// Removes all faults that the failure does not need, and returns the outcome with its story.
pub fn shrink(failed: &Outcome) -> Outcome {
    let mut best = failed.clone();
    for _ in 0..TRIES {
        let before = best.plan.spared.len();
        let mut piece = best.calls.max(1);
        while piece > 0 {
            let mut from = 0;
            while from < best.calls {
                let mut plan = best.plan.clone();
                let rate = plan.rate();
                let troubles =
                    (from..from + piece).filter(|n| !matches!(plan.at(*n, rate), Trouble::None(_)));
                let troubles: Vec<_> = troubles.collect();
                if !troubles.is_empty() {
                    plan.spared.extend(troubles);
                    let outcome = one(plan);
                    if outcome.violation.is_some() {
                        best = outcome;
                    }
                }
                from += piece;
            }
            piece /= 4;
        }
        if best.plan.spared.len() == before {
            break;
        }
    }
    one(Plan {
        tell: true,
        ..best.plan
    })
}

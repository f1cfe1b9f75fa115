//! Answers that are held for their clients, counted by tenant: each costs a connection, and a read of the table every second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cloakroom_core::Tenant;

/// The most answers that one process holds for one tenant. What comes beyond them is answered at once.
const MOST: usize = 1000;

/// The answers that are held now.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    /// Longest time for one.
    longest: Duration,
    counts: Arc<Mutex<BTreeMap<Tenant, usize>>>,
}

/// One of them, as long as it lives.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Held,
    tenant: Tenant,
}

impl Held {
    /// Holds each for so long at most; none, if that is no time.
    pub(crate) fn new(longest: Duration) -> Self {
        Self {
            longest,
            counts: Arc::default(),
        }
    }

    /// Returns the longest time for one.
    pub(crate) const fn longest(&self) -> Duration {
        self.longest
    }

    /// Holds one more, unless there are too many.
    pub(crate) fn hold(&self, tenant: &Tenant) -> Option<Hold> {
        if self.longest.is_zero() {
            return None;
        }
        let mut held = self.counts();
        let count = held.get(tenant).copied().unwrap_or_default();
        if count >= MOST {
            return None;
        }
        held.insert(tenant.clone(), count + 1);
        Some(Hold {
            held: self.clone(),
            tenant: tenant.clone(),
        })
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Tenant, usize>> {
        self.counts.lock().expect("nothing panics while it counts")
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.held.counts();
        match held.get_mut(&self.tenant) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => _ = held.remove(&self.tenant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_of_one_tenant_and_no_more_until_one_is_given() {
        let held = Held::new(Duration::from_secs(25));
        let (one, other) = (Tenant::default(), "other".parse().expect("a name"));
        let mut holds: Vec<_> = (0..MOST)
            .map(|_| held.hold(&one).expect("a place"))
            .collect();
        assert!(held.hold(&one).is_none());
        assert!(held.hold(&other).is_some(), "another tenant's are its own");
        assert_eq!(
            held.counts().len(),
            1,
            "nothing is kept of a tenant without any"
        );
        holds.pop();
        let again = held.hold(&one);
        assert!(again.is_some() && held.hold(&one).is_none());
    }

    #[test]
    fn each_answer_that_is_given_is_counted_until_none_is_held() {
        let (held, tenant) = (Held::new(Duration::from_secs(25)), Tenant::default());
        let mut holds: Vec<_> = (0..3)
            .map(|_| held.hold(&tenant).expect("a place"))
            .collect();
        for left in [Some(2), Some(1), None] {
            holds.pop();
            assert_eq!(held.counts().get(&tenant).copied(), left);
        }
        assert!(
            Held::new(Duration::ZERO).hold(&tenant).is_none(),
            "none is held for no time"
        );
    }
}

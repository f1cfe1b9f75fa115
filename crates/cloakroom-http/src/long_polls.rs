//! Long polls in progress, counted by tenant. Each costs a connection, and a read of the table every second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use cloakroom_core::Tenant;

/// Most long polls of one tenant in one process. Requests beyond the limit get their response at once.
const MAX_PER_TENANT: usize = 1000;

/// Limits of long polls, and the number in progress.
#[derive(Debug, Clone)]
pub(crate) struct LongPolls {
    longest_wait: Duration,
    counts: Arc<Mutex<BTreeMap<Tenant, usize>>>,
}

/// Permission for one long poll, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    long_polls: LongPolls,
    tenant: Tenant,
}

impl LongPolls {
    /// Creates a counter for long polls of at most `longest_wait`. Zero disables long polls.
    pub(crate) fn new(longest_wait: Duration) -> Self {
        Self {
            longest_wait,
            counts: Arc::default(),
        }
    }

    /// Returns the longest time of one long poll.
    pub(crate) const fn longest_wait(&self) -> Duration {
        self.longest_wait
    }

    /// Permits one more long poll of a tenant. Returns `None` at the limit, and if long polls are disabled.
    pub(crate) fn acquire(&self, tenant: &Tenant) -> Option<Permit> {
        if self.longest_wait.is_zero() {
            return None;
        }
        let mut counts = self.counts();
        let count = counts.get(tenant).copied().unwrap_or_default();
        if count >= MAX_PER_TENANT {
            return None;
        }
        counts.insert(tenant.clone(), count + 1);
        Some(Permit {
            long_polls: self.clone(),
            tenant: tenant.clone(),
        })
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Tenant, usize>> {
        self.counts.lock().expect("nothing panics while it counts")
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.long_polls.counts();
        match counts.get_mut(&self.tenant) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => _ = counts.remove(&self.tenant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_long_polls_up_to_the_limit_and_again_after_one_ends() {
        let long_polls = LongPolls::new(Duration::from_secs(25));
        let (one, other) = (Tenant::default(), "other".parse().expect("a name"));
        let mut permits: Vec<_> = (0..1000)
            .map(|_| long_polls.acquire(&one).expect("a permit"))
            .collect();
        assert!(long_polls.acquire(&one).is_none());
        assert!(
            long_polls.acquire(&other).is_some(),
            "each tenant has its own limit"
        );
        assert_eq!(
            long_polls.counts().len(),
            1,
            "no entry for a tenant without long polls"
        );
        permits.pop();
        let again = long_polls.acquire(&one);
        assert!(again.is_some() && long_polls.acquire(&one).is_none());
    }

    #[test]
    fn each_permit_that_is_dropped_is_counted_until_there_is_none() {
        let (long_polls, tenant) = (LongPolls::new(Duration::from_secs(25)), Tenant::default());
        let mut permits: Vec<_> = (0..3)
            .map(|_| long_polls.acquire(&tenant).expect("a permit"))
            .collect();
        for left in [Some(2), Some(1), None] {
            permits.pop();
            assert_eq!(long_polls.counts().get(&tenant).copied(), left);
        }
        assert!(
            LongPolls::new(Duration::ZERO).acquire(&tenant).is_none(),
            "zero disables long polls"
        );
    }
}

//! Answers that are held for their clients, counted by tenant: each costs a connection, and a read of the table every second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use cloakroom::Tenant;

/// The most answers that one process holds for one tenant. What comes beyond them is answered at once.
const MOST: usize = 1000;

/// The answers that are held now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<Mutex<BTreeMap<Tenant, usize>>>);

/// One of them, as long as it lives.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Held,
    tenant: Tenant,
}

impl Held {
    /// Holds one more, unless there are too many.
    pub(crate) fn hold(&self, tenant: &Tenant) -> Option<Hold> {
        let mut held = self.counts();
        let count = held.get(tenant).copied().unwrap_or_default();
        if count >= MOST {
            return None;
        }
        held.insert(tenant.clone(), count + 1);
        Some(Hold { held: self.clone(), tenant: tenant.clone() })
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<Tenant, usize>> {
        self.0.lock().expect("nothing panics while it counts")
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
        let (held, one, other) = (Held::default(), Tenant::default(), "other".parse().expect("a name"));
        let mut holds: Vec<_> = (0..MOST).map(|_| held.hold(&one).expect("a place")).collect();
        assert!(held.hold(&one).is_none());
        assert!(held.hold(&other).is_some(), "another tenant's are its own");
        assert_eq!(held.counts().len(), 1, "nothing is kept of a tenant without any");
        holds.pop();
        let again = held.hold(&one);
        assert!(again.is_some() && held.hold(&one).is_none());
    }
}

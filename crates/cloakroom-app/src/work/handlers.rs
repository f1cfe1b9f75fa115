//! Commands that can be run.

use crate::registry::Registry;

/// Commands whose handlers are compiled in: a worker runs no others.
#[derive(Clone)]
pub struct Handlers(pub(super) Registry);

impl Handlers {
    /// Takes the commands of a deployment.
    ///
    /// # Panics
    /// At start, without the feature `handlers` of this crate: a worker built so would retry every job.
    pub fn new(commands: Registry) -> Self {
        require_handlers(cfg!(feature = "handlers"));
        Self(commands)
    }
}

fn require_handlers(compiled: bool) {
    assert!(
        compiled,
        "run commands: build the worker with the feature `handlers` of cloakroom-app"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "the feature `handlers`")]
    fn a_worker_without_handlers_does_not_start() {
        require_handlers(false);
    }
}

//! Commands with handlers.

use crate::registry::Registry;

/// Commands whose handlers are compiled in. A worker runs no others.
#[derive(Clone)]
pub struct Handlers(pub(super) Registry);

impl Handlers {
    /// Creates a set of commands that a worker can run.
    ///
    /// # Panics
    /// At start, if this crate was built without the feature `handlers`: such a worker would retry every job.
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

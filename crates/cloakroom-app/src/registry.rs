//! Registry of all commands.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::CommandType;

use crate::command::{Command, Limits};
use crate::state::{Provider, StateError, States};
use crate::upload::PARTS_LIFE;

/// Commands of a service.
#[derive(Clone, Default)]
pub struct Registry {
    commands: Arc<Vec<Command>>,
    providers: Vec<Provider>,
    about: About,
}

/// Name and version of a service, for the people who use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Name of the service.
    pub name: &'static str,
    /// Version of the service.
    pub version: &'static str,
}

impl Default for About {
    /// Returns this library's own name and version.
    fn default() -> Self {
        Self {
            name: "cloakroom",
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl Registry {
    /// Creates a registry of these commands.
    ///
    /// # Panics
    /// At start, if two commands have the same name.
    pub fn new(mut commands: Vec<Command>) -> Self {
        commands.sort_by(|a, b| a.name().cmp(b.name()));
        for pair in commands.windows(2) {
            assert!(
                pair[0].name() != pair[1].name(),
                "register two commands as {}",
                pair[0].name()
            );
        }
        Self {
            commands: Arc::new(commands),
            providers: Vec::new(),
            about: About::default(),
        }
    }

    /// Sets the name and the version of the service, which its landing page shows.
    #[must_use]
    pub fn with_name(mut self, name: &'static str, version: &'static str) -> Self {
        self.about = About { name, version };
        self
    }

    /// Returns the name and the version of the service.
    pub fn about(&self) -> About {
        self.about
    }

    /// Adds a state for handlers that take a [`State<T>`](crate::State). It is built once per process, before the first
    /// job, and only where handlers run. If it can't be built, the process stops with one line in its log.
    ///
    /// ```
    /// use cloakroom_app::{Command, HandlerError, Registry, State};
    ///
    /// #[derive(Clone)]
    /// struct Stock(u32);
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Count {}
    ///
    /// async fn count(_: Count, State(stock): State<Stock>) -> Result<u32, HandlerError> {
    ///     Ok(stock.0)
    /// }
    ///
    /// let registry = Registry::new(vec![Command::json("stock.count", count)])
    ///     .with_state(|| async { Ok::<_, std::io::Error>(Stock(7)) });
    /// ```
    #[must_use]
    pub fn with_state<T, F, A, E>(mut self, build: F) -> Self
    where
        T: Clone + Send + Sync + 'static,
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        self.providers.push(Provider::new(build));
        self
    }

    /// Builds the states. Required before a handler runs.
    ///
    /// # Errors
    /// Returns an error if a handler requires a state that is missing, or if a state can't be built.
    pub async fn start(self) -> Result<Self, StateError> {
        let required = self.iter().flat_map(|command| {
            let states = (command.required_states)().into_iter();
            states.map(|key| (command.name().as_str(), key))
        });
        let states = States::build(&self.providers, required).await?;
        Ok(self.map(|command| command.states = states.clone()))
    }

    /// Applies a change to each command.
    pub(crate) fn map(mut self, change: impl Fn(&mut Command)) -> Self {
        Arc::make_mut(&mut self.commands)
            .iter_mut()
            .for_each(change);
        self
    }

    /// Removes [diagnostic](Command::diagnostic) commands, unless they are allowed.
    #[must_use]
    pub fn with_diagnostics(mut self, allowed: bool) -> Self {
        if !allowed && self.iter().any(Command::is_diagnostic) {
            Arc::make_mut(&mut self.commands).retain(|command| !command.is_diagnostic());
        }
        self
    }

    /// Returns the names of the crates that define handlers: the targets of their log lines.
    pub fn crates(&self) -> BTreeSet<&'static str> {
        self.iter().map(|command| command.handler_crate).collect()
    }

    /// Returns the command of this type.
    pub fn get(&self, name: &CommandType) -> Option<&Command> {
        self.commands
            .binary_search_by(|command| command.name().cmp(name))
            .ok()
            .map(|at| &self.commands[at])
    }

    /// Returns the time for which payloads must be stored. A job may be delayed by its retention, and then wait in the
    /// queue for the same time. After its end, the payload is stored for the retention, because an operator may redrive
    /// the job.
    pub fn objects_life(&self) -> Duration {
        let life =
            |limits: &Limits| 2 * limits.retention + limits.all_attempts().max(limits.retention);
        self.iter()
            .map(|command| life(command.limits()))
            .max()
            .unwrap_or_default()
    }

    /// Returns the time for which a bucket must store payloads. The time of a multipart upload counts from its start,
    /// which may be hours before the command
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>).
    pub fn bucket_life(&self) -> Duration {
        let of_parts = |limits: &Limits| PARTS_LIFE + 2 * limits.retention + limits.all_attempts();
        let of_parts = self
            .iter()
            .map(|command| of_parts(command.limits()))
            .max()
            .unwrap_or_default();
        self.objects_life().max(of_parts)
    }

    /// Iterates over the commands in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Nothing;
    use crate::{HandlerError, JobContext};

    #[test]
    fn a_name_is_added_to_the_commands() {
        let nothing = |_: Nothing, _: JobContext| async { Ok::<_, HandlerError>(()) };
        let registry = Registry::new(vec![Command::json("nothing.do", nothing)]);
        let registry = registry.with_name("orders", "1.2.3");
        let about = registry.about();
        assert_eq!((about.name, about.version), ("orders", "1.2.3"));
        assert_eq!(registry.iter().count(), 1);
    }
}

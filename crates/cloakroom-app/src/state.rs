//! State that handlers share, for example a connection pool or the client of a service.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use cloakroom_core::redact;
use futures::future::BoxFuture;

/// Shared state of type `T`, as an argument of a handler.
///
/// Registered with [`Registry::with_state`](crate::Registry::with_state). It is built once per process, and only where
/// handlers run. Each handler receives a clone: wrap values that are expensive to clone in an `Arc`. Clients and pools
/// are usually cheap to clone.
#[derive(Debug, Clone, Copy)]
pub struct State<T>(pub T);

/// Type of a state.
#[derive(Debug, Clone, Copy)]
pub struct StateKey {
    id: TypeId,
    name: &'static str,
}

impl StateKey {
    /// Returns the key of type `T`.
    pub fn new<T: 'static>() -> Self {
        Self {
            id: TypeId::of::<T>(),
            name: type_name::<T>(),
        }
    }
}

type Value = Box<dyn Any + Send + Sync>;
type Build = dyn Fn() -> BoxFuture<'static, Result<Value, StateError>> + Send + Sync;

/// Function that builds a state.
#[derive(Clone)]
pub(crate) struct Provider {
    key: StateKey,
    build: Arc<Build>,
}

impl Provider {
    pub(crate) fn new<T, F, A, E>(build: F) -> Self
    where
        T: Clone + Send + Sync + 'static,
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<T, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let build = move || -> BoxFuture<'static, Result<Value, StateError>> {
            let building = build();
            Box::pin(async move {
                let failed = |error: E| StateError::Build {
                    name: type_name::<T>(),
                    reason: redact::causes(&*error.into()),
                };
                Ok(Box::new(building.await.map_err(failed)?) as Value)
            })
        };
        Self {
            key: StateKey::new::<T>(),
            build: Arc::new(build),
        }
    }
}

/// Reason why handlers can't start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A handler requires a state that is not registered.
    #[error(
        "the handler of {command} takes State<{name}>, and nothing builds it: add it with `with_state`"
    )]
    Missing {
        /// Name of the command.
        command: String,
        /// Type of the state.
        name: &'static str,
    },
    /// Building a state failed.
    #[error("failed to build State<{name}>: {reason}")]
    Build {
        /// Type of the state.
        name: &'static str,
        /// Error of the function that builds the state, with its causes.
        reason: String,
    },
}

/// States of a process.
#[derive(Clone, Default)]
pub(crate) struct States(Arc<HashMap<TypeId, Value>>);

impl States {
    /// Checks that every required state has a provider, then builds the states in the order of the providers.
    pub(crate) async fn build<'a>(
        providers: &[Provider],
        required: impl Iterator<Item = (&'a str, StateKey)>,
    ) -> Result<Self, StateError> {
        for (command, key) in required {
            if !providers.iter().any(|provider| provider.key.id == key.id) {
                return Err(StateError::Missing {
                    command: command.to_owned(),
                    name: key.name,
                });
            }
        }
        let mut states = HashMap::new();
        for provider in providers {
            states.insert(provider.key.id, (provider.build)().await?);
        }
        Ok(Self(Arc::new(states)))
    }

    pub(crate) fn get<T: Clone + 'static>(&self) -> Option<T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref().cloned()
    }
}

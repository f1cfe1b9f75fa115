//! Store of dead letters of a process.

use async_trait::async_trait;
use cloakroom_app::ports::{DeadLetterStore, PortError};

use super::Process;
use crate::plan::Service;

#[async_trait]
impl DeadLetterStore for Process {
    async fn store(&self, key: &str, body: &str) -> Result<(), PortError> {
        let (key, body) = (key.to_owned(), body.to_owned());
        self.call(
            Service::Objects,
            || "store a dead letter".to_owned(),
            move |_, state| _ = state.dead_letters.insert(key, body),
        )
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError> {
        let (prefix, after) = (prefix.to_owned(), after.map(ToOwned::to_owned));
        self.call(
            Service::Objects,
            || "list dead letters".to_owned(),
            move |_, state| {
                let keys = state
                    .dead_letters
                    .keys()
                    .filter(|key| key.starts_with(&prefix));
                keys.filter(|key| after.as_ref().is_none_or(|after| *key > after))
                    .cloned()
                    .collect()
            },
        )
        .await
    }

    async fn read(&self, key: &str) -> Result<Option<String>, PortError> {
        let key = key.to_owned();
        self.call(
            Service::Objects,
            || "read a dead letter".to_owned(),
            move |_, state| state.dead_letters.get(&key).cloned(),
        )
        .await
    }

    async fn remove(&self, key: &str) -> Result<(), PortError> {
        let key = key.to_owned();
        self.call(
            Service::Objects,
            || "remove a dead letter".to_owned(),
            move |_, state| _ = state.dead_letters.remove(&key),
        )
        .await
    }
}

//! The store of dead letters, as a process has it.

use async_trait::async_trait;
use cloakroom_app::ports::{Letters, PortError};

use super::Process;
use crate::plan::Service;

#[async_trait]
impl Letters for Process {
    async fn keep(&self, key: &str, body: &str) -> Result<(), PortError> {
        let (key, body) = (key.to_owned(), body.to_owned());
        self.call(
            Service::Objects,
            || "keep a letter".to_owned(),
            move |_, state| _ = state.letters.insert(key, body),
        )
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError> {
        let (prefix, after) = (prefix.to_owned(), after.map(ToOwned::to_owned));
        self.call(
            Service::Objects,
            || "list letters".to_owned(),
            move |_, state| {
                let keys = state.letters.keys().filter(|key| key.starts_with(&prefix));
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
            || "read a letter".to_owned(),
            move |_, state| state.letters.get(&key).cloned(),
        )
        .await
    }

    async fn forget(&self, key: &str) -> Result<(), PortError> {
        let key = key.to_owned();
        self.call(
            Service::Objects,
            || "forget a letter".to_owned(),
            move |_, state| _ = state.letters.remove(&key),
        )
        .await
    }
}

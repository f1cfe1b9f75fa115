//! Store of objects of a process.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_app::ports::{
    ObjectInfo, ObjectReader, Objects, Part, PartTerms, PartUploads, PortError, SourceAborted,
    UploadLink, UploadTerms,
};
use cloakroom_app::testing::put_whole;
use cloakroom_core::Digest;
use futures::stream::BoxStream;

use super::Process;
use crate::Mutation;
use crate::names::without_token;
use crate::plan::Service;

#[async_trait]
impl Objects for Process {
    async fn put(&self, key: &str, _: &str, bytes: Bytes) -> Result<(), PortError> {
        let mut key = key.to_owned();
        if self.mutation() == Some(Mutation::OneResultKey) && key.starts_with("results/") {
            key = without_token(&key);
        }
        let what = {
            let key = key.clone();
            move || format!("put {key}")
        };
        self.call(Service::Objects, what, move |world, state| {
            state.put(key, bytes, world.now());
        })
        .await
    }

    async fn put_pieces(
        &self,
        key: &str,
        content_type: &str,
        pieces: BoxStream<'static, Result<Bytes, SourceAborted>>,
    ) -> Result<bool, PortError> {
        put_whole(self, key, content_type, pieces).await
    }

    async fn open(&self, key: &str) -> Result<Option<ObjectReader>, PortError> {
        let key = key.to_owned();
        let what = {
            let key = key.clone();
            move || format!("open {key}")
        };
        let bytes = self
            .call(Service::Objects, what, move |_, state| {
                state.objects.get(&key).map(|object| object.bytes.clone())
            })
            .await?;
        Ok(bytes.map(ObjectReader::from_bytes))
    }

    async fn info(&self, key: &str) -> Result<Option<ObjectInfo>, PortError> {
        let key = key.to_owned();
        self.call(
            Service::Objects,
            || "look at an object".to_owned(),
            move |_, state| {
                let object = state.objects.get(&key)?;
                let (content_type, length) =
                    ("application/json".to_owned(), object.bytes.len() as u64);
                let etag = format!("\"{}\"", Digest::from_content(&object.bytes));
                Some(ObjectInfo {
                    content_type,
                    length,
                    sha256: None,
                    etag,
                })
            },
        )
        .await
    }

    async fn copy(&self, from: &str, _: &ObjectInfo, to: &str) -> Result<bool, PortError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        let what = {
            let to = to.clone();
            move || format!("copy to {to}")
        };
        self.call(Service::Objects, what, move |world, state| {
            let Some(object) = state.objects.get(&from).cloned() else {
                return false;
            };
            state.watch.copied(&from, &to);
            state.put(to, object.bytes, world.now());
            true
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        let key = key.to_owned();
        let what = {
            let key = key.clone();
            move || format!("delete {key}")
        };
        self.call(Service::Objects, what, move |_, state| {
            state.objects.remove(&key);
        })
        .await
    }

    async fn link(&self, key: &str, _: Duration) -> Result<String, PortError> {
        Ok(key.to_owned())
    }

    async fn upload_link(
        &self,
        key: &str,
        _: &UploadTerms,
        _: Duration,
    ) -> Result<UploadLink, PortError> {
        Ok(UploadLink {
            url: key.to_owned(),
            headers: vec![],
        })
    }
}

#[async_trait]
impl PartUploads for Process {
    async fn begin_parts(&self, key: &str, _: &UploadTerms) -> Result<String, PortError> {
        let store_id = format!("{key}#{}", self.world.number());
        let begun = store_id.clone();
        let what = || "begin an object in parts".to_owned();
        self.call(Service::Objects, what, move |_, state| {
            _ = state.unfinished.insert(begun, BTreeMap::new());
        })
        .await?;
        Ok(store_id)
    }

    async fn part_link(
        &self,
        _: &str,
        store_id: &str,
        _: PartTerms,
        _: Duration,
    ) -> Result<UploadLink, PortError> {
        Ok(UploadLink {
            url: store_id.to_owned(),
            headers: vec![],
        })
    }

    async fn parts(
        &self,
        _: &str,
        store_id: &str,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<Part>>, PortError> {
        let store_id = store_id.to_owned();
        self.call(
            Service::Objects,
            || "list parts".to_owned(),
            move |_, state| {
                let asked = state
                    .unfinished
                    .get(&store_id)?
                    .iter()
                    .filter(|(number, _)| numbers.contains(number));
                let part = |(number, bytes): (&u32, &Bytes)| Part {
                    number: *number,
                    length: bytes.len() as u64,
                    etag: String::new(),
                };
                Some(asked.map(part).collect())
            },
        )
        .await
    }

    async fn join_parts(&self, key: &str, store_id: &str, _: &[Part]) -> Result<bool, PortError> {
        let (key, store_id) = (key.to_owned(), store_id.to_owned());
        let what = {
            let key = key.clone();
            move || format!("join the parts of {key}")
        };
        self.call(Service::Objects, what, move |world, state| {
            let Some(parts) = state.unfinished.remove(&store_id) else {
                return false;
            };
            let bytes: Vec<_> = parts.into_values().flatten().collect();
            state.put(key, bytes.into(), world.now());
            true
        })
        .await
    }
}

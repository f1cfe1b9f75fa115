//! Store of objects in memory, with dead letters and producers' payloads.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_core::Digest;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt as _};
use tokio::time::sleep;

use super::{Memory, denied, lost, url_of};
use crate::ports::{
    DeadLetterStore, FetchedPayload, ObjectInfo, ObjectReader, Objects, PortError,
    ProducerPayloads, ReadError, SourceAborted, UploadLink, UploadTerms,
};
use crate::testing::Fault;
use crate::testing::pieces::put_whole;

/// Number of keys of dead letters per page.
const PAGE: usize = 3;

#[async_trait]
impl DeadLetterStore for Memory {
    async fn store(&self, key: &str, body: &str) -> Result<(), PortError> {
        self.call("store", |state| {
            state.dead_letters.insert(key.to_owned(), body.to_owned());
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<String>, PortError> {
        self.call("list", |state| {
            let all = state
                .dead_letters
                .keys()
                .filter(|key| key.starts_with(prefix));
            all.filter(|key| after.is_none_or(|after| key.as_str() > after))
                .take(PAGE)
                .cloned()
                .collect()
        })
        .await
    }

    async fn read(&self, key: &str) -> Result<Option<String>, PortError> {
        self.call("read", |state| state.dead_letters.get(key).cloned())
            .await
    }

    async fn remove(&self, key: &str) -> Result<(), PortError> {
        self.call("remove", |state| {
            state.dead_letters.remove(key);
        })
        .await
    }
}

/// Producers' buckets. The key of an object in a producer's bucket starts with the bucket's name.
#[async_trait]
impl ProducerPayloads for Memory {
    async fn fetch(
        &self,
        bucket: &str,
        key: &str,
        limit: u64,
    ) -> Result<FetchedPayload, PortError> {
        self.call("fetch", |state| {
            match state.objects.get(&format!("{bucket}/{key}")) {
                Some((_, bytes)) if bytes.len() as u64 > limit => {
                    FetchedPayload::TooLarge(bytes.len() as u64)
                }
                Some((_, bytes)) => FetchedPayload::Whole(bytes.clone()),
                None => FetchedPayload::Gone,
            }
        })
        .await
    }
}

fn etag(bytes: &Bytes) -> String {
    format!("\"{}\"", Digest::from_content(bytes))
}

/// Returns the pieces of an object. A fault breaks off in the middle.
fn read(bytes: Bytes, fault: Option<Fault>) -> impl Stream<Item = Result<Bytes, ReadError>> {
    let error = match fault {
        Some(Fault::Before | Fault::After) => lost("read"),
        Some(Fault::Denied) => denied("read"),
        Some(Fault::Panic) => panic!("read was made to panic"),
        Some(Fault::Twice) | None => return stream::iter(vec![Ok(bytes)]),
    };
    let half = bytes.slice(..bytes.len() / 2);
    stream::iter(vec![Ok(half), Err(ReadError::Port(error))])
}

#[async_trait]
impl Objects for Memory {
    async fn put(&self, key: &str, content_type: &str, bytes: Bytes) -> Result<(), PortError> {
        self.call("put", |state| {
            state
                .objects
                .insert(key.to_owned(), (content_type.to_owned(), bytes.clone()));
        })
        .await
    }

    async fn put_pieces(
        &self,
        key: &str,
        content_type: &str,
        pieces: BoxStream<'static, Result<Bytes, SourceAborted>>,
    ) -> Result<bool, PortError> {
        let pieces = match self.delay_of("piece") {
            Some(time) => pieces
                .then(move |piece| async move {
                    sleep(time).await;
                    piece
                })
                .boxed(),
            None => pieces,
        };
        put_whole(self, key, content_type, pieces).await
    }

    async fn open(&self, key: &str) -> Result<Option<ObjectReader>, PortError> {
        let object = self
            .call("open", |state| {
                let (_, bytes) = state.objects.get(key)?;
                Some((bytes.clone(), state.corrupted.contains(key)))
            })
            .await?;
        let (delay, fault) = (self.delay_of("read"), self.state().trouble.at("read"));
        Ok(object.map(|(bytes, is_corrupted)| ObjectReader {
            length: bytes.len() as u64,
            pieces: stream::once(async move {
                if let Some(time) = delay {
                    sleep(time).await;
                }
                read(bytes, fault)
            })
            .flatten()
            .chain(stream::iter(
                is_corrupted.then_some(Err(ReadError::Corrupted)),
            ))
            .boxed(),
        }))
    }

    /// Counted as a call of its own, to distinguish it from other reads.
    async fn digest(&self, key: &str) -> Result<Option<Digest>, ReadError> {
        Ok(self
            .call("digest", |state| {
                state
                    .objects
                    .get(key)
                    .map(|(_, bytes)| Digest::from_content(bytes))
            })
            .await?)
    }

    async fn info(&self, key: &str) -> Result<Option<ObjectInfo>, PortError> {
        self.call("info", |state| {
            let (content_type, bytes) = state.objects.get(key)?;
            let (content_type, etag) = (content_type.clone(), etag(bytes));
            Some(ObjectInfo {
                content_type,
                length: bytes.len() as u64,
                sha256: state.has_checksums.then(|| Digest::from_content(bytes)),
                etag,
            })
        })
        .await
    }

    async fn copy(&self, from: &str, info: &ObjectInfo, to: &str) -> Result<bool, PortError> {
        self.call("copy", |state| {
            let object = state
                .objects
                .get(from)
                .filter(|(_, bytes)| etag(bytes) == info.etag)
                .cloned();
            object
                .map(|object| state.objects.insert(to.to_owned(), object))
                .is_some()
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<(), PortError> {
        self.call("delete", |state| {
            state.objects.remove(key);
        })
        .await
    }

    async fn link(&self, key: &str, valid: Duration) -> Result<String, PortError> {
        self.state().links.push(valid);
        Ok(url_of(key))
    }

    async fn upload_link(
        &self,
        key: &str,
        terms: &UploadTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError> {
        self.state().links.push(valid);
        let headers = vec![
            ("content-type".into(), terms.content_type.clone()),
            ("content-length".into(), terms.length.to_string()),
        ];
        Ok(UploadLink {
            url: url_of(key),
            headers,
        })
    }
}

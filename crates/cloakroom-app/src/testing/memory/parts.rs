//! Multipart uploads in memory.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cloakroom_core::Digest;

use super::{Memory, url_of};
use crate::ports::{Part, PartTerms, PartUploads, PortError, UploadLink, UploadTerms};

#[async_trait]
impl PartUploads for Memory {
    async fn begin_parts(&self, key: &str, terms: &UploadTerms) -> Result<String, PortError> {
        self.call("begin_parts", |state| {
            let store_id = format!("store-{}", state.trouble.made);
            state.unfinished.insert(
                store_id.clone(),
                (key.to_owned(), terms.content_type.clone(), BTreeMap::new()),
            );
            store_id
        })
        .await
    }

    async fn part_link(
        &self,
        key: &str,
        store_id: &str,
        part: PartTerms,
        valid: Duration,
    ) -> Result<UploadLink, PortError> {
        self.state().links.push(valid);
        let headers = vec![("content-length".into(), part.length.to_string())];
        Ok(UploadLink {
            url: format!("{}?of={store_id}&part={}", url_of(key), part.number),
            headers,
        })
    }

    async fn parts(
        &self,
        key: &str,
        store_id: &str,
        numbers: RangeInclusive<u32>,
    ) -> Result<Option<Vec<Part>>, PortError> {
        self.call("parts", |state| {
            let (_, _, parts) = state
                .unfinished
                .get(store_id)
                .filter(|(of, ..)| of == key)?;
            let asked = parts.iter().filter(|(number, _)| numbers.contains(number));
            Some(asked.map(|(number, bytes)| part(*number, bytes)).collect())
        })
        .await
    }

    async fn join_parts(
        &self,
        key: &str,
        store_id: &str,
        parts: &[Part],
    ) -> Result<bool, PortError> {
        self.call("join_parts", |state| {
            let Some((_, content_type, there)) =
                state.unfinished.get(store_id).filter(|(of, ..)| of == key)
            else {
                return false;
            };
            let same = |asked: &Part| {
                there
                    .get(&asked.number)
                    .is_some_and(|bytes| part(asked.number, bytes) == *asked)
            };
            if !parts.iter().all(same) {
                return false;
            }
            let bytes: Vec<_> = parts
                .iter()
                .flat_map(|part| there[&part.number].clone())
                .collect();
            let object = (content_type.clone(), Bytes::from(bytes));
            state.objects.insert(key.to_owned(), object);
            state.unfinished.remove(store_id);
            true
        })
        .await
    }
}

fn part(number: u32, bytes: &Bytes) -> Part {
    Part {
        number,
        length: bytes.len() as u64,
        etag: Digest::from_content(bytes).to_string(),
    }
}

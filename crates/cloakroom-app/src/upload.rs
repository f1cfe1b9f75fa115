//! Uploads: payloads too large for the gateway go to object storage by a presigned link, and a command names them.
//!
//! An upload has no record of its own until a command names it: its id tells when it was asked for, its key whose it
//! is, and the link's signature binds its type, length and checksum. An upload in parts has one, as the store has a name of its own
//! for it; it is put together when a command names it, and lies where payloads do, so that nothing has to be copied.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::parts::{LARGEST_PART, MOST_PARTS};
use cloakroom_core::{PartLayout, Tenant, Timestamp, UploadId};

use crate::ports::{
    JobStore, ObjectInfo, Objects, Part, PartTerms, PartUploads, PartsRecord, PortError,
    UploadLink, UploadTerms, keys,
};
use crate::shared::Shared;

/// How long an upload that no command names is kept.
pub const UPLOAD_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long an upload in parts can be named. A little shorter, so that its bytes are kept as long as those of any other payload: a
/// bucket counts from when it was begun.
pub const PARTS_LIFE: Duration = Duration::from_secs(23 * 3600);

/// How long a link takes an upload.
pub const LINK_LIFE: Duration = Duration::from_secs(3600);

/// The most bytes of an upload in one part: what object storage takes in one `PUT`, 5 GiB. A command's own limit may be lower.
pub const UPLOAD_LIMIT: u64 = LARGEST_PART;

/// The most parts that are told of at once: a link may have 2 KB, and a function's answer 6 MB.
pub const PARTS_AT_ONCE: u32 = 500;

/// A new upload, ready to take its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// What the command names it by.
    pub id: UploadId,
    /// Where and how to `PUT` it.
    pub link: UploadLink,
    /// Until when the link takes it.
    pub expires_at: Timestamp,
}

/// State of an upload in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsUpload {
    /// What the command names it by.
    pub id: UploadId,
    /// How it is divided.
    pub division: PartLayout,
    /// Some of its parts, in order.
    pub parts: Vec<PartState>,
    /// The first part that was not told of, if any.
    pub next: Option<u32>,
    /// Until when the links take their parts.
    pub expires_at: Timestamp,
}

/// State of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartState {
    /// Which one, and how many bytes it must have.
    pub terms: PartTerms,
    /// Where and how to `PUT` it; `None` of one that is there.
    pub link: Option<UploadLink>,
}

/// The use case, with its ports.
#[derive(Clone)]
pub struct Uploads {
    /// Ports that every use case needs.
    pub shared: Shared,
    /// Store of payloads and results.
    pub objects: Arc<dyn Objects>,
    /// Uploads in parts, in the same store.
    pub parts: Arc<dyn PartUploads>,
}

impl Uploads {
    /// Makes an upload ready.
    pub async fn start(
        &self,
        tenant: &Tenant,
        terms: &UploadTerms,
    ) -> Result<NewUpload, PortError> {
        let now = self.shared.host.now();
        let id = new_id(now, self.shared.host.random());
        let link = self
            .objects
            .upload_link(&keys::upload(tenant, id), terms, LINK_LIFE)
            .await?;
        Ok(NewUpload {
            id,
            link,
            expires_at: now.after(LINK_LIFE),
        })
    }

    /// Makes an upload in parts ready. If it can't be kept, what was begun in the store is given up by the store itself.
    pub async fn start_parts(
        &self,
        tenant: &Tenant,
        terms: &UploadTerms,
        division: PartLayout,
    ) -> Result<PartsUpload, PortError> {
        let now = self.shared.host.now();
        let id = new_id(now, self.shared.host.random());
        let store_id = self
            .parts
            .begin_parts(&keys::parts(tenant, id), terms)
            .await?;
        let record = PartsRecord {
            tenant: tenant.clone(),
            id,
            store_id,
            terms: terms.clone(),
            part_length: division.part_length,
            digest: None,
            expires_at: now.after(PARTS_LIFE),
        };
        self.shared.store.keep_upload(&record).await?;
        self.describe(&record, 1, &[], now).await
    }

    /// Returns the state of an upload in parts, from this part on, with fresh links; `None` if it is unknown or expired.
    pub async fn status(
        &self,
        tenant: &Tenant,
        id: UploadId,
        from: u32,
    ) -> Result<Option<PartsUpload>, PortError> {
        let now = self.shared.host.now();
        let Some(record) = load_live(&*self.shared.store, tenant, id, now).await? else {
            return Ok(None);
        };
        let from = from.max(1);
        let present: Vec<u32> =
            match status(&*self.objects, &*self.parts, &record, from, PARTS_AT_ONCE).await? {
                UploadStatus::Unfinished(parts) => {
                    parts.into_iter().map(|part| part.number).collect()
                }
                // They were: it was put together, and its bytes perhaps deleted when its job ended.
                UploadStatus::Whole(_) => (1..=division(&record).count()).collect(),
                UploadStatus::Gone if record.known_digest().is_some() => {
                    (1..=division(&record).count()).collect()
                }
                UploadStatus::Gone => return Ok(None),
            };
        self.describe(&record, from, &present, now).await.map(Some)
    }

    async fn describe(
        &self,
        record: &PartsRecord,
        from: u32,
        there: &[u32],
        now: Timestamp,
    ) -> Result<PartsUpload, PortError> {
        let (division, key) = (division(record), keys::parts(&record.tenant, record.id));
        // A link is good for no longer than the upload is.
        let expires_at = now.after(LINK_LIFE).min(record.expires_at);
        let (valid, last) = (expires_at.since(now), division.count());
        let next = from.saturating_add(PARTS_AT_ONCE);
        let mut parts = vec![];
        for number in from..next.min(last + 1) {
            let terms = PartTerms {
                number,
                length: division.length_of(number),
            };
            let link = match there.binary_search(&number) {
                Ok(_) => None,
                Err(_) => Some(
                    self.parts
                        .part_link(&key, &record.store_id, terms, valid)
                        .await?,
                ),
            };
            parts.push(PartState { terms, link });
        }
        Ok(PartsUpload {
            id: record.id,
            division,
            parts,
            next: Some(next).filter(|next| *next <= last),
            expires_at,
        })
    }
}

/// Loads the record of an upload in parts that has not expired.
pub(crate) async fn load_live(
    store: &dyn JobStore,
    tenant: &Tenant,
    id: UploadId,
    now: Timestamp,
) -> Result<Option<PartsRecord>, PortError> {
    Ok(store
        .upload(tenant, id)
        .await?
        .filter(|upload| now < upload.expires_at))
}

fn division(record: &PartsRecord) -> PartLayout {
    PartLayout {
        length: record.terms.length,
        part_length: record.part_length,
    }
}

/// Status of an upload in parts.
enum UploadStatus {
    /// These parts, each of the length that it must have.
    Unfinished(Vec<Part>),
    /// All of it.
    Whole(ObjectInfo),
    /// Nothing, and nothing can come any more.
    Gone,
}

/// Returns the status of an upload in parts, with at most `most` of its parts from one on.
async fn status(
    objects: &dyn Objects,
    uploads: &dyn PartUploads,
    record: &PartsRecord,
    from: u32,
    most: u32,
) -> Result<UploadStatus, PortError> {
    let (key, division) = (keys::parts(&record.tenant, record.id), division(record));
    let numbers = from..=from.saturating_add(most - 1).min(division.count());
    if let Some(mut parts) = uploads.parts(&key, &record.store_id, numbers).await? {
        parts.retain(|part| part.length == division.length_of(part.number));
        return Ok(UploadStatus::Unfinished(parts));
    }
    Ok(objects
        .info(&key)
        .await?
        .map_or(UploadStatus::Gone, UploadStatus::Whole))
}

/// Reason that an upload in parts can't be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incomplete {
    /// These parts are missing, of so many.
    Missing(Vec<u32>, u32),
    /// It is there no longer.
    Gone,
}

/// Completes an upload in parts, unless it is complete already. Returns what is known of the whole.
///
/// Repeated and concurrent calls have the same effect. They do not decide whose upload it is.
pub(crate) async fn complete(
    objects: &dyn Objects,
    uploads: &dyn PartUploads,
    record: &PartsRecord,
) -> Result<Result<ObjectInfo, Incomplete>, PortError> {
    let parts = match status(objects, uploads, record, 1, MOST_PARTS).await? {
        UploadStatus::Unfinished(parts) => parts,
        UploadStatus::Whole(info) => return Ok(Ok(info)),
        UploadStatus::Gone => return Ok(Err(Incomplete::Gone)),
    };
    let last = division(record).count();
    let there = |number: &u32| {
        parts
            .binary_search_by_key(number, |part| part.number)
            .is_ok()
    };
    let missing: Vec<_> = (1..=last).filter(|number| !there(number)).collect();
    if !missing.is_empty() {
        return Ok(Err(Incomplete::Missing(missing, last)));
    }
    let key = keys::parts(&record.tenant, record.id);
    uploads.join_parts(&key, &record.store_id, &parts).await?;
    // It may be that another one was first.
    Ok(objects.info(&key).await?.ok_or(Incomplete::Gone))
}

/// An id that tells its time; the rest is random.
fn new_id(now: Timestamp, random: u128) -> UploadId {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&random.to_be_bytes()[..10]);
    UploadId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
}

/// Until when a command may name it; `None` of an id that is none of ours. The lifecycle deletes late: an upload that is over
/// is as if it were gone.
pub(crate) fn live_until(id: UploadId, now: Timestamp) -> Option<Timestamp> {
    // A clock that is a little ahead made it, perhaps.
    let made = id
        .created_at()
        .filter(|made| *made < now.after(Duration::from_secs(60)))?;
    Some(made.after(UPLOAD_LIFE)).filter(|until| now < *until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn an_upload_can_be_named_for_a_day() {
        let id = new_id(Timestamp::from_millis(1_795_248_000_120), u128::MAX);
        let after = |millis: i64| Timestamp::from_millis(1_795_248_000_120 + millis);
        assert_eq!(id.created_at(), Some(after(0)));
        for (now, until) in [
            (0, Some(86_400_000)),
            (86_399_999, Some(86_400_000)),
            (86_400_000, None),
            (-60_001, None),
        ] {
            assert_eq!(live_until(id, after(now)), until.map(after), "{now}");
        }
        assert_eq!(
            live_until(UploadId::from_uuid(Uuid::from_u128(1)), after(0)),
            None
        );
    }
}

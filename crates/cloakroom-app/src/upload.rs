//! Uploads: a payload that is too large for the gateway is sent to object storage by a presigned link. A command refers
//! to it.
//!
//! A single upload has no record until a command uses it. Its id contains the time of its creation, its key contains
//! the tenant, and the link's signature covers its type, length and checksum. A multipart upload has a record, because
//! the store assigns an id to it. It is joined when a command uses it. Its key has the prefix of payloads, so it need
//! not be copied.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::parts::{LARGEST_PART, MOST_PARTS};
use cloakroom_core::{PartLayout, Tenant, Timestamp, UploadId};

use crate::ports::{
    JobStore, ObjectInfo, Objects, Part, PartTerms, PartUploads, PartsRecord, PortError,
    UploadLink, UploadTerms, keys,
};
use crate::shared::Shared;

/// Time for which an unused upload is stored.
pub const UPLOAD_LIFE: Duration = Duration::from_secs(24 * 3600);

/// Time for which a multipart upload can be used. It is shorter than [`UPLOAD_LIFE`], because a bucket counts the age
/// of the object from the start of the upload.
pub const PARTS_LIFE: Duration = Duration::from_secs(23 * 3600);

/// Validity of a link for uploading.
pub const LINK_LIFE: Duration = Duration::from_secs(3600);

/// Maximum length of a single upload in bytes: 5 GiB, the limit of one `PUT`. A command's own limit may be lower.
pub const UPLOAD_LIMIT: u64 = LARGEST_PART;

/// Maximum number of parts in a response: a link may have 2 KB, and a function's response 6 MB.
pub const PARTS_AT_ONCE: u32 = 500;

/// A new upload, ready to receive its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// Id that commands use to refer to the upload.
    pub id: UploadId,
    /// Link for the `PUT`.
    pub link: UploadLink,
    /// Expiry of the link.
    pub expires_at: Timestamp,
}

/// State of a multipart upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsUpload {
    /// Id that commands use to refer to the upload.
    pub id: UploadId,
    /// Division into parts.
    pub division: PartLayout,
    /// A range of its parts, in order.
    pub parts: Vec<PartState>,
    /// First part after this range, if any.
    pub next: Option<u32>,
    /// Expiry of the links.
    pub expires_at: Timestamp,
}

/// State of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartState {
    /// Number and length of the part.
    pub terms: PartTerms,
    /// Link for the `PUT`; `None` if the part is stored.
    pub link: Option<UploadLink>,
}

/// The use case, with its ports.
#[derive(Clone)]
pub struct Uploads {
    /// Ports that every use case needs.
    pub shared: Shared,
    /// Store of payloads and results.
    pub objects: Arc<dyn Objects>,
    /// Multipart uploads, in the same store.
    pub parts: Arc<dyn PartUploads>,
}

impl Uploads {
    /// Creates an upload.
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

    /// Creates a multipart upload. If its record can't be stored, the store's lifecycle rule aborts it.
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

    /// Returns the state of a multipart upload, starting at part `from`, with new links. Returns `None` if it does not
    /// exist or has expired.
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
                // All parts were stored. They have been joined, and the object may have been deleted when its job
                // ended.
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
        // A link must not outlive the upload.
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

/// Loads the record of a multipart upload that has not expired.
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

/// Status of a multipart upload in the store.
enum UploadStatus {
    /// Incomplete. Contains the stored parts with the correct length.
    Unfinished(Vec<Part>),
    /// Joined. Contains the metadata of the object.
    Whole(ObjectInfo),
    /// Deleted or aborted. It can't be completed.
    Gone,
}

/// Returns the status of a multipart upload, with at most `most` parts starting at `from`.
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

/// Reason that a multipart upload can't be completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incomplete {
    /// These parts are missing. The second value is the number of all parts.
    Missing(Vec<u32>, u32),
    /// The upload no longer exists.
    Gone,
}

/// Completes a multipart upload, unless it is complete. Returns the metadata of the object.
///
/// Repeated and concurrent calls have the same effect. They don't decide which job owns the upload.
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
    // A concurrent call may have joined the parts first.
    Ok(objects.info(&key).await?.ok_or(Incomplete::Gone))
}

/// Creates an id from a time and random bits.
fn new_id(now: Timestamp, random: u128) -> UploadId {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&random.to_be_bytes()[..10]);
    UploadId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
}

/// Returns true if a command may use an upload. Returns false for an expired upload, and for an id that this service did
/// not create. A lifecycle rule deletes late, so an expired upload is treated as deleted.
pub(crate) fn is_live(id: UploadId, now: Timestamp) -> bool {
    // Tolerates clocks that are ahead by up to a minute.
    id.created_at().is_some_and(|made| {
        made < now.after(Duration::from_secs(60)) && now < made.after(UPLOAD_LIFE)
    })
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
        for (now, live) in [
            (0, true),
            (86_399_999, true),
            (86_400_000, false),
            (-59_999, true),
            (-60_000, false),
            (-60_001, false),
        ] {
            assert_eq!(is_live(id, after(now)), live, "{now}");
        }
        assert!(!is_live(UploadId::from_uuid(Uuid::from_u128(1)), after(0)));
    }

    #[test]
    fn an_upload_has_an_id_of_version_7() {
        let random = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;
        let id = new_id(Timestamp::from_millis(1_795_248_000_120), random);
        assert_eq!(id.to_string(), "01a1fd1e-8c78-7123-8567-89abcdeffedc");
    }
}

//! Uploads: payloads too large for the gateway go to object storage by a presigned link, and a command names them.
//!
//! An upload has no record of its own until a command names it: its id tells when it was asked for, its key whose it
//! is, and the link's signature binds its type, length and checksum.

use std::sync::Arc;
use std::time::Duration;

use cloakroom::{Tenant, Timestamp, UploadId};

use crate::host::Host;
use crate::ports::{Objects, PortError, UploadLink, UploadTerms, keys};

/// How long an upload that no command names is kept.
pub const UPLOAD_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How long a link takes an upload.
pub const LINK_LIFE: Duration = Duration::from_secs(3600);

/// The most bytes of one upload: what object storage takes in one `PUT`, 5 GiB. A command's own limit may be lower.
pub const UPLOAD_LIMIT: u64 = 5 * 1024 * 1024 * 1024;

/// An upload that was made ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// What the command names it by.
    pub id: UploadId,
    /// Where and how to `PUT` it.
    pub link: UploadLink,
    /// Until when the link takes it.
    pub expires_at: Timestamp,
}

/// The use case, over its ports.
#[derive(Clone)]
pub struct Uploads {
    /// The object storage.
    pub objects: Arc<dyn Objects>,
    /// Clock and randomness.
    pub host: Arc<dyn Host>,
}

impl Uploads {
    /// Makes an upload ready.
    pub async fn start(&self, tenant: &Tenant, terms: &UploadTerms) -> Result<Ready, PortError> {
        let now = self.host.now();
        let id = new_id(now, self.host.random());
        let link = self.objects.upload_link(&keys::upload(tenant, id), terms, LINK_LIFE).await?;
        Ok(Ready { id, link, expires_at: now.after(LINK_LIFE) })
    }
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
    let made = id.created_at().filter(|made| *made < now.after(Duration::from_secs(60)))?;
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
        for (now, until) in [(0, Some(86_400_000)), (86_399_999, Some(86_400_000)), (86_400_000, None), (-60_001, None)]
        {
            assert_eq!(live_until(id, after(now)), until.map(after), "{now}");
        }
        assert_eq!(live_until(UploadId::from_uuid(Uuid::from_u128(1)), after(0)), None);
    }
}

//! Stored form of a job's deliveries.

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_app::ports::StoredDeliveries;
use cloakroom_core::{DeliveryLog, JobKey, Timestamp};

use super::attributes::{Item, VERSION, millis, name, number, text};
use super::error::CorruptRecord;
use super::reader::Reader;

/// Returns the key of a job's deliveries.
pub(crate) fn deliveries_pk(job: &JobKey) -> AttributeValue {
    text(format!("deliveries#{}#{}", job.tenant, job.id))
}

/// Converts the deliveries of a job to an item.
pub(crate) fn write_deliveries(
    job: &JobKey,
    created_at: Timestamp,
    deliveries: &StoredDeliveries,
) -> Item {
    let StoredDeliveries {
        log,
        revision,
        expires_at,
    } = deliveries;
    let log = serde_json::to_string(log).expect("strings and numbers are always written");
    let item = [
        (name::PK, deliveries_pk(job)),
        (name::V, number(VERSION)),
        (name::CREATED_AT, millis(created_at)),
        (name::REVISION, number(revision)),
        (name::EXPIRES_AT, number(expires_at.as_seconds_ceil())),
        (name::LOG, text(log)),
    ];
    item.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Parses the deliveries of a job. Returns `None` for those of another incarnation.
pub(crate) fn read_deliveries(
    item: &Item,
    created_at: Timestamp,
) -> Result<Option<StoredDeliveries>, CorruptRecord> {
    let item = Reader(item);
    let version: u32 = item.number(name::V)?;
    if version > VERSION {
        return Err(CorruptRecord::NewerVersion(version));
    }
    if item.time(name::CREATED_AT)? != created_at {
        return Ok(None);
    }
    let log: DeliveryLog = item.json(name::LOG)?;
    Ok(Some(StoredDeliveries {
        log,
        revision: item.number(name::REVISION)?,
        expires_at: Timestamp::from_seconds(item.number(name::EXPIRES_AT)?),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All later versions must be able to read it.
    #[test]
    fn a_record_of_deliveries_of_version_1_is_read() {
        let id = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";
        let job = JobKey {
            tenant: "acme".parse().expect("a name"),
            id: id.parse().expect("an id"),
        };
        let at = Timestamp::from_millis(1_795_248_000_123);
        let mut item: Item = [
            ("pk", text(format!("deliveries#acme#{id}"))),
            ("v", number(1)),
            ("created_at", millis(at)),
            ("revision", number(3)),
            ("expires_at", number(1_795_334_400)),
            ("delivery_log", text(r#"{"deliveries":[],"gone":true}"#)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let stored = StoredDeliveries {
            log: DeliveryLog {
                deliveries: vec![],
                gone: true,
            },
            revision: 3,
            expires_at: Timestamp::from_seconds(1_795_334_400),
        };
        assert_eq!(write_deliveries(&job, at, &stored), item);
        item.insert("of_tomorrow".into(), text("?"));
        assert_eq!(read_deliveries(&item, at), Ok(Some(stored)));
        for another in [1_795_248_000_122, 1_795_248_000_124] {
            let another = Timestamp::from_millis(another);
            assert_eq!(read_deliveries(&item, another), Ok(None));
        }
        item.insert("v".into(), number(2));
        assert_eq!(
            read_deliveries(&item, at),
            Err(CorruptRecord::NewerVersion(2))
        );
    }
}

//! Stored form of a multipart upload.

use aws_sdk_dynamodb::types::AttributeValue;
use cloakroom_app::ports::{PartsRecord, UploadTerms};
use cloakroom_core::{Tenant, Timestamp, UploadId};

use super::attributes::{Item, VERSION, blob, name, number, text};
use super::error::CorruptRecord;
use super::reader::Reader;

/// Returns the key of a multipart upload.
pub(crate) fn parts_pk(tenant: &Tenant, upload: UploadId) -> AttributeValue {
    text(format!("parts#{tenant}#{upload}"))
}

/// Converts a multipart upload to an item.
pub(crate) fn write_upload(upload: &PartsRecord) -> Item {
    let UploadTerms {
        content_type,
        length,
        sha256,
    } = &upload.terms;
    let mut item = vec![
        (name::PK, parts_pk(&upload.tenant, upload.id)),
        (name::V, number(VERSION)),
        (name::TENANT, text(upload.tenant.as_str())),
        (name::ID, text(upload.id.to_string())),
        (name::STORE_ID, text(&upload.store_id)),
        (name::CONTENT_TYPE, text(content_type)),
        (name::LENGTH, number(length)),
        (name::PART_LENGTH, number(upload.part_length)),
        (
            name::EXPIRES_AT,
            number(upload.expires_at.as_seconds_ceil()),
        ),
    ];
    item.extend(sha256.map(|sha256| (name::SHA256, blob(sha256.as_bytes()))));
    item.extend(
        upload
            .digest
            .map(|digest| (name::DIGEST, blob(digest.as_bytes()))),
    );
    item.into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Parses a multipart upload.
pub(crate) fn read_upload(item: &Item) -> Result<PartsRecord, CorruptRecord> {
    let item = Reader(item);
    let version: u32 = item.number(name::V)?;
    if version > VERSION {
        return Err(CorruptRecord::NewerVersion(version));
    }
    Ok(PartsRecord {
        tenant: item.parsed(name::TENANT)?,
        id: item.parsed(name::ID)?,
        store_id: item.string(name::STORE_ID)?,
        terms: UploadTerms {
            content_type: item.string(name::CONTENT_TYPE)?,
            length: item.number(name::LENGTH)?,
            sha256: item.optional(name::SHA256, Reader::digest)?,
        },
        part_length: item.number(name::PART_LENGTH)?,
        digest: item.optional(name::DIGEST, Reader::digest)?,
        expires_at: Timestamp::from_seconds(item.number(name::EXPIRES_AT)?),
    })
}

#[cfg(test)]
mod tests {
    use cloakroom_core::Digest;

    use super::*;

    /// All later versions must be able to read it.
    #[test]
    fn a_record_of_an_upload_of_version_1_is_read() {
        let id = "019c10a6-3000-7000-8000-000000000000";
        let mut item: Item = [
            ("pk", text(format!("parts#acme#{id}"))),
            ("v", number(1)),
            ("tenant", text("acme")),
            ("id", text(id)),
            ("store_id", text("2~abc")),
            ("content_type", text("image/png")),
            ("length", number(5_497_558_138_880_u64)),
            ("part_length", number(5_242_880)),
            ("sha256", blob(Digest::from_content(b"x").as_bytes())),
            ("expires_at", number(1_795_334_400)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let upload = PartsRecord {
            tenant: "acme".parse().expect("a good name"),
            id: id.parse().expect("an id"),
            store_id: "2~abc".into(),
            terms: UploadTerms {
                content_type: "image/png".into(),
                length: 5_497_558_138_880,
                sha256: Some(Digest::from_content(b"x")),
            },
            part_length: 5_242_880,
            digest: None,
            expires_at: Timestamp::from_seconds(1_795_334_400),
        };
        assert_eq!(read_upload(&item), Ok(upload.clone()));
        assert_eq!(write_upload(&upload), item);
        let digest = Some(Digest::from_content(b"y"));
        let used = PartsRecord {
            digest,
            ..upload.clone()
        };
        assert_eq!(read_upload(&write_upload(&used)), Ok(used));
        item.insert("of_tomorrow".into(), text("?"));
        assert_eq!(read_upload(&item), Ok(upload));
        item.insert("v".into(), number(2));
        assert_eq!(read_upload(&item), Err(CorruptRecord::NewerVersion(2)));
    }
}

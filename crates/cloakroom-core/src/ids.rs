//! Identifiers. Each one is validated when it is parsed, so a value of these types is always valid.

use std::{fmt, str::FromStr};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;

use crate::Timestamp;

/// Error of parsing an invalid identifier. Contains the rule as a sentence for users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub &'static str);

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $rule:literal, $ok:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let ok: fn(&[u8]) -> bool = $ok;
                if ok(text.as_bytes()) { Ok(Self(text.to_owned())) } else { Err(InvalidName($rule)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name! {
    /// Identity of the caller, as the authorizer reports it: 1 to 128 visible ASCII characters.
    Tenant, "a tenant is 1 to 128 visible ASCII characters",
    |text| (1..=128).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

text_name! {
    /// Client-supplied job id, unique per tenant: 1 to 255 visible ASCII characters.
    ClientJobId, "a client job id is 1 to 255 visible ASCII characters, without spaces",
    |text| (1..=255).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

text_name! {
    /// Type of a command, for example `thumbnail.create`. Matches `[a-z0-9][a-z0-9._-]{0,127}`.
    CommandType, "a command type matches [a-z0-9][a-z0-9._-]{0,127}",
    |text| {
        (1..=128).contains(&text.len())
            && matches!(text[0], b'a'..=b'z' | b'0'..=b'9')
            && text.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
    }
}

text_name! {
    /// Id that connects the events of related jobs: 1 to 128 visible ASCII characters.
    CorrelationId, "a correlation id is 1 to 128 visible ASCII characters, without spaces",
    |text| (1..=128).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}

text_name! {
    /// Name of a reply queue, which the deployment maps to a queue: 1 to 80 letters, digits, `-` and `_`.
    ReplyQueue, "the name of a reply queue is 1 to 80 letters, digits, hyphens and underscores",
    |text| {
        (1..=80).contains(&text.len())
            && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    }
}

impl Default for Tenant {
    /// Returns the tenant of a deployment without an authorizer.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

macro_rules! uuid_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates an id from an existing UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// Returns the UUID.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            /// Parses the only accepted form: lower case and hyphenated.
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let invalid = InvalidName("an id is a lowercase, hyphenated UUID");
                let id = Uuid::try_parse(text).map_err(|_| invalid.clone())?;
                if id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text { Ok(Self(id)) } else { Err(invalid) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

uuid_name! {
    /// Server-side id of a job.
    JobId
}

uuid_name! {
    /// Fencing token of an attempt. Each claim draws a new one, and every write of the attempt is conditional on it.
    LeaseToken
}

uuid_name! {
    /// Id of an upload: a version 7 UUID, which contains the time of its creation.
    UploadId
}

impl UploadId {
    /// Returns the time at which the upload was created. `None` if the UUID contains no time.
    pub fn created_at(&self) -> Option<Timestamp> {
        let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
        Some(Timestamp::from_millis(
            i64::try_from(seconds).ok()? * 1000 + i64::from(nanos / 1_000_000),
        ))
    }
}

/// Key of a job's record. It contains the tenant, so a request can't address another tenant's job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// Tenant that owns the job.
    pub tenant: Tenant,
    /// Id of the job.
    pub id: JobId,
}

/// Namespace of a deployment, from which job ids are derived.
///
/// The id of a job with a client job id is a version 8 UUID. It is derived by HMAC-SHA-256 from tenant and client job
/// id, with the namespace as key. The record itself is the mapping between both ids, and a duplicate finds it without a
/// lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Namespace(Uuid);

impl Namespace {
    /// Creates a namespace from the UUID in the deployment's configuration.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the id of the tenant's job with this client job id.
    pub fn job_id(&self, tenant: &Tenant, client_job_id: &ClientJobId) -> JobId {
        self.derive("job", tenant, client_job_id.as_str().as_bytes())
    }

    /// Returns the id of the job that uses this upload, for clients that give no id. A repeated submission finds the
    /// same job.
    pub fn job_id_of_upload(&self, tenant: &Tenant, upload: UploadId) -> JobId {
        self.derive("upload", tenant, upload.as_uuid().as_bytes())
    }

    fn derive(&self, kind: &str, tenant: &Tenant, name: &[u8]) -> JobId {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes())
            .expect("HMAC takes a key of any length");
        for part in [kind.as_bytes(), tenant.as_str().as_bytes(), name] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        let sum = mac.finalize().into_bytes();
        let mut half = [0; 16];
        half.copy_from_slice(&sum[..16]);
        JobId(Uuid::new_v8(half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACE: Namespace = Namespace(Uuid::from_u128(7));

    fn key(text: &str) -> ClientJobId {
        text.parse().expect("a key")
    }

    #[test]
    fn a_job_id_is_derived_from_namespace_tenant_and_client_job_id() {
        let tenant = Tenant::default();
        let id = NAMESPACE.job_id(&tenant, &key("order-1042"));
        assert_eq!(id, NAMESPACE.job_id(&tenant, &key("order-1042")));
        assert_eq!(id.as_uuid().get_version_num(), 8);
        let other: Tenant = "other".parse().expect("a tenant");
        assert_ne!(id, NAMESPACE.job_id(&other, &key("order-1042")));
        assert_ne!(id, NAMESPACE.job_id(&tenant, &key("order-1043")));
        assert_ne!(
            id,
            Namespace(Uuid::from_u128(8)).job_id(&tenant, &key("order-1042"))
        );
    }

    #[test]
    fn the_derivation_never_changes_for_keys_in_use_depend_on_it() {
        let id = NAMESPACE.job_id(&Tenant::default(), &key("order-1042"));
        assert_eq!(id.to_string(), "65cab0e2-1334-8d88-bc2d-9b1fccf5527c");
        let upload = "019aa3c1-2f40-7c11-9d2e-4b1c5a7e9f03".parse();
        let id = NAMESPACE.job_id_of_upload(&Tenant::default(), upload.expect("an id"));
        assert_eq!(id.to_string(), "73410e7d-ca94-8c81-903a-048029b8f618");
    }

    #[test]
    fn an_id_is_written_in_one_way_only() {
        let text = "0d5f1c0e-8a51-8f0b-9c6e-2f4f2f7c9a11";
        assert_eq!(
            text.parse::<JobId>().map(|id| id.to_string()).as_deref(),
            Ok(text)
        );
        for bad in [
            &text.to_uppercase(),
            &text.replace('-', ""),
            &format!("{{{text}}}"),
            "",
            "x",
        ] {
            assert!(bad.parse::<JobId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_checked_where_they_enter() {
        fn is<T: FromStr>(text: &str) -> bool {
            text.parse::<T>().is_ok()
        }
        const COMMAND: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
        let visible: String = ('!'..='~').collect();
        let letters: String = visible
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let (commands, queues) = (format!("{COMMAND}._-"), format!("{letters}-_"));
        for (is, longest, first, rest) in [
            (is::<Tenant> as fn(&str) -> bool, 128, &*visible, &*visible),
            (is::<ClientJobId>, 255, &visible, &visible),
            (is::<CommandType>, 128, COMMAND, &commands),
            (is::<CorrelationId>, 128, &visible, &visible),
            (is::<ReplyQueue>, 80, &queues, &queues),
        ] {
            for c in '\0'..='\u{ff}' {
                assert_eq!(is(&c.to_string()), first.contains(c), "{c:?}");
                assert_eq!(is(&format!("a{c}")), rest.contains(c), "{c:?}");
                assert_eq!(is(&format!("a{c}a")), rest.contains(c), "{c:?}");
            }
            assert!(!is("") && is(&"a".repeat(longest)) && !is(&"a".repeat(longest + 1)));
        }
    }

    #[test]
    fn an_upload_id_tells_when_it_was_made() {
        let at = uuid::Timestamp::from_unix(uuid::NoContext, 1_795_248_000, 120_000_000);
        let id = UploadId(Uuid::new_v7(at));
        assert_eq!(
            id.created_at().map(Timestamp::as_millis),
            Some(1_795_248_000_120)
        );
        assert_eq!(UploadId(Uuid::from_u128(4)).created_at(), None);
    }
}

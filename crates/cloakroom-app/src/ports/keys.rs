//! Keys of objects. A tenant may contain any visible character; those with a meaning in a key are escaped.

use std::fmt::Write as _;

use cloakroom_core::{Digest, JobKey, LeaseToken, Tenant, UploadId};

/// Key prefix of dead letters.
pub const DEAD_LETTERS: &str = "dead-letters/";

fn escaped(tenant: &Tenant) -> String {
    let mut text = String::new();
    for byte in tenant.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => _ = write!(text, "={byte:02x}"),
        }
    }
    text
}

fn unescaped(name: &str) -> Option<Tenant> {
    let mut parts = name.split('=');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let byte = u8::from_str_radix(part.get(..2)?, 16).ok()?;
        text.push(char::from(byte));
        text.push_str(&part[2..]);
    }
    // Accepts only the escaped form, so that no two keys belong to one tenant.
    text.parse().ok().filter(|tenant| escaped(tenant) == name)
}

/// Returns the key prefix of a tenant's dead letters.
pub fn dead_letters_prefix(tenant: &Tenant) -> String {
    format!("{DEAD_LETTERS}{}/", escaped(tenant))
}

/// Returns the key of a dead letter: derived from its job, if it is known, and the id of its message.
pub fn dead_letter(job: Option<&JobKey>, message_id: &str) -> String {
    match job {
        Some(job) => format!(
            "{}{}/{message_id}",
            dead_letters_prefix(&job.tenant),
            job.id
        ),
        // No tenant is escaped to this.
        None => format!("{DEAD_LETTERS}=/{message_id}"),
    }
}

/// Parses the job from the key of a dead letter. Returns `None` if the key contains no job.
pub fn job_of_dead_letter(key: &str) -> Option<JobKey> {
    let mut parts = key.strip_prefix(DEAD_LETTERS)?.split('/');
    let tenant = unescaped(parts.next()?)?;
    Some(JobKey {
        tenant,
        id: parts.next()?.parse().ok()?,
    })
}

/// Returns the key of a payload, derived from its job and content. A retry writes the same bytes to the same key.
/// Another command under the same client job id can't overwrite them.
pub fn payload(job: &JobKey, sha256: &Digest) -> String {
    format!("payloads/{}/{}/{sha256}", escaped(&job.tenant), job.id)
}

/// Returns the key prefix of results that are stored for this many days.
pub fn results_prefix(days: u32) -> String {
    format!("results/{days}d/")
}

/// Returns the key of a result that is stored for this many days, derived from its attempt. A worker that lost its
/// lease can't overwrite the result of another attempt.
pub fn result(job: &JobKey, token: LeaseToken, days: u32) -> String {
    format!(
        "{}{}/{}/{token}",
        results_prefix(days),
        escaped(&job.tenant),
        job.id
    )
}

/// Returns the key of a reply that is too large for a message. A lifecycle rule deletes it after 32 days.
pub fn reply(job: &JobKey, event_id: &str) -> String {
    let version = event_id
        .split_once('/')
        .map_or(event_id, |(_, version)| version);
    format!(
        "{}{}/{}/reply-{}",
        results_prefix(32),
        escaped(&job.tenant),
        job.id,
        version.replace('/', "-")
    )
}

/// Returns the key of an upload that no command uses yet.
pub fn upload(tenant: &Tenant, upload: UploadId) -> String {
    format!("uploads/{}/{upload}", escaped(tenant))
}

/// Returns the key of a multipart upload. It has the prefix of payloads, so that the object need not be copied. No job
/// has the id `uploads`.
pub fn parts(tenant: &Tenant, upload: UploadId) -> String {
    format!("payloads/{}/uploads/{upload}", escaped(tenant))
}

/// Returns true if this is the key of a multipart upload of this tenant.
pub fn is_parts(tenant: &Tenant, key: &str) -> bool {
    let upload = key.rsplit_once('/').and_then(|(_, id)| id.parse().ok());
    upload.is_some_and(|upload| parts(tenant, upload) == key)
}

#[cfg(test)]
mod tests {
    use cloakroom_core::{Digest, JobId, JobKey, LeaseToken, UploadId};
    use uuid::Uuid;

    use crate::ports::keys;

    /// Lifecycle rules and permissions of a stack contain these prefixes.
    #[test]
    fn each_key_begins_with_what_it_is_and_with_its_tenant() {
        const ID: &str = "00000000-0000-0000-0000-000000000007";
        let id = Uuid::from_u128(7);
        let job = JobKey {
            tenant: "Acme-7_eu/b".parse().expect("a name"),
            id: JobId::from_uuid(id),
        };
        let (token, upload) = (LeaseToken::from_uuid(id), UploadId::from_uuid(id));
        let digest = Digest::from_content(b"x");
        for (key, want) in [
            (
                keys::payload(&job, &digest),
                format!("payloads/Acme-7_eu=2fb/{ID}/{digest}"),
            ),
            (keys::results_prefix(7), "results/7d/".to_owned()),
            (
                keys::result(&job, token, 7),
                format!("results/7d/Acme-7_eu=2fb/{ID}/{ID}"),
            ),
            (
                keys::reply(&job, &format!("{ID}/5/2")),
                format!("results/32d/Acme-7_eu=2fb/{ID}/reply-5-2"),
            ),
            (
                keys::upload(&job.tenant, upload),
                format!("uploads/Acme-7_eu=2fb/{ID}"),
            ),
            (
                keys::parts(&job.tenant, upload),
                format!("payloads/Acme-7_eu=2fb/uploads/{ID}"),
            ),
        ] {
            assert_eq!(key, want);
        }
        let parts = keys::parts(&job.tenant, upload);
        assert!(keys::is_parts(&job.tenant, &parts));
        assert!(!keys::is_parts(&"other".parse().expect("a name"), &parts));
        assert!(!keys::is_parts(&job.tenant, &keys::payload(&job, &digest)));
    }

    #[test]
    fn the_key_of_a_dead_letter_tells_its_job_whatever_its_tenants_name() {
        for tenant in [
            "default",
            "Acme",
            "a/b=c",
            "=",
            "sha256:0af7",
            "~!@#$%^&*()",
        ] {
            let job = JobKey {
                tenant: tenant.parse().expect("a name"),
                id: JobId::from_uuid(Uuid::from_u128(7)),
            };
            let key = keys::dead_letter(Some(&job), "m-1");
            assert!(
                key.starts_with(&keys::dead_letters_prefix(&job.tenant)),
                "{key}"
            );
            let other = JobKey {
                tenant: format!("{tenant}-eu").parse().expect("a name"),
                ..job.clone()
            };
            let others = keys::dead_letter(Some(&other), "m-1");
            let own = keys::dead_letters_prefix(&job.tenant);
            assert!(!others.starts_with(&own), "{others}");
            assert_eq!(keys::job_of_dead_letter(&key), Some(job), "{key}");
        }
        for key in [
            keys::dead_letter(None, "m-1").as_str(),
            "dead-letters/",
            "payloads/default/x",
            "dead-letters/a=zz/x/y",
            "dead-letters/a=",
            "dead-letters/a=61/00000000-0000-0000-0000-000000000007/m-1",
            "dead-letters/a=2F/00000000-0000-0000-0000-000000000007/m-1",
            "dead-letters/a=+f/00000000-0000-0000-0000-000000000007/m-1",
        ] {
            assert_eq!(keys::job_of_dead_letter(key), None, "{key}");
        }
    }
}

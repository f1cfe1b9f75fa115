//! Ids, keys, times, traces and locations: each has only one accepted form, in which it is also written.

use std::fmt::Display;
use std::str::FromStr;

use cloakroom_app::TraceContext;
use cloakroom_app::ports::keys;
use cloakroom_core::{
    ClientJobId, CommandType, Digest, JobId, JobKey, LeaseToken, Namespace, Resource, Step, Tenant,
    Timestamp, UploadId,
};
use uuid::Uuid;

/// Parses an input as each of them.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    same::<JobId>(text);
    same::<LeaseToken>(text);
    same::<Tenant>(text);
    same::<ClientJobId>(text);
    same::<CommandType>(text);
    same::<Digest>(text);
    if let Ok(step) = text.parse::<Step>() {
        assert_eq!(step.to_string().parse(), Ok(step));
    }
    if let Some(id) = same::<UploadId>(text) {
        // Any time in an id can be used for computations.
        _ = id
            .created_at()
            .map(|at| (at.to_string(), at.as_seconds_ceil()));
    }
    time(text);
    place(text);
    trace(text);
    let (tenant, name) = text.split_once('\n').unwrap_or((text, text));
    key(tenant, name);
    letter(text);
}

/// Parses a text that must be written unchanged.
fn same<T: FromStr + Display>(text: &str) -> Option<T> {
    let read = text.parse::<T>().ok()?;
    assert_eq!(read.to_string(), text);
    Some(read)
}

fn time(text: &str) {
    let Ok(time) = text.parse::<Timestamp>() else {
        return;
    };
    assert!(is_rfc_3339(text), "{text:?} is read as {time}");
    assert_eq!(time.to_string().parse(), Ok(time), "{text:?}");
}

/// Returns true for the syntax of RFC 3339, section 5.6. Does not check the number of days in a month.
fn is_rfc_3339(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_digit() {
                '0'
            } else {
                c.to_ascii_uppercase()
            }
        })
        .collect();
    let Some((date_time, rest)) = shape.split_at_checked(19) else {
        return false;
    };
    let offset = rest
        .strip_prefix('.')
        .map_or(rest, |rest| rest.trim_start_matches('0'));
    let fraction = rest.len() - offset.len();
    date_time == "0000-00-00T00:00:00"
        && fraction != 1
        && matches!(offset, "Z" | "+00:00" | "-00:00")
}

/// Checks that a location leads to this site, or is an http or https URL, when a browser resolves it.
fn place(text: &str) {
    let Ok(resource) = Resource::parse(text) else {
        return;
    };
    assert_eq!(resource.as_str(), text);
    let here = url::Url::parse("https://api.example/v1/jobs/1").expect("a URL");
    let Ok(there) = here.join(text) else { return };
    if text.starts_with('/') {
        assert_eq!(there.origin(), here.origin(), "{text:?}");
    }
    assert!(matches!(there.scheme(), "http" | "https"), "{text:?}");
}

fn trace(text: &str) {
    let Some(trace) = TraceContext::parse(text) else {
        return;
    };
    assert_eq!(trace.as_str(), text);
    let child = trace.child(u128::MAX);
    assert_eq!(child.trace_id(), trace.trace_id());
    assert_eq!(TraceContext::parse(child.as_str()), Some(child));
}

/// Checks that a key contains its owner, and that keys of different tenants are separate.
fn key(tenant: &str, name: &str) {
    let Ok(tenant) = tenant.parse::<Tenant>() else {
        return;
    };
    let id = JobId::from_uuid(Uuid::from_u128(7));
    let job = JobKey {
        tenant: tenant.clone(),
        id,
    };
    assert_eq!(
        keys::job_of_dead_letter(&keys::dead_letter(Some(&job), "m-1")),
        Some(job.clone())
    );
    for key in [
        keys::dead_letter(Some(&job), "m-1"),
        keys::payload(&job, &Digest::from_content(b"")),
        keys::upload(&tenant, UploadId::from_uuid(Uuid::nil())),
        keys::parts(&tenant, UploadId::from_uuid(Uuid::nil())),
    ] {
        let parts: Vec<_> = key.split('/').collect();
        assert!(
            parts.iter().all(|part| !matches!(*part, "" | "." | ".."))
                && key.bytes().all(|b| b.is_ascii_graphic()),
            "{key}"
        );
    }
    let Ok(client_job_id) = name.parse::<ClientJobId>() else {
        return;
    };
    let (one, other) = (
        Namespace::from_uuid(Uuid::nil()),
        Namespace::from_uuid(Uuid::max()),
    );
    let derived = one.job_id(&tenant, &client_job_id);
    assert_eq!(
        (derived, derived.as_uuid().get_version_num()),
        (one.job_id(&tenant, &client_job_id), 8)
    );
    assert_ne!(derived, other.job_id(&tenant, &client_job_id));
}

/// Checks that only generated keys of dead letters are accepted.
fn letter(text: &str) {
    let Some(job) = keys::job_of_dead_letter(text) else {
        return;
    };
    let message = text.splitn(4, '/').nth(3).unwrap_or_default();
    assert_eq!(
        keys::dead_letter(Some(&job), message).trim_end_matches('/'),
        text.trim_end_matches('/')
    );
}

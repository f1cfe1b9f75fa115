//! Abbreviated names of jobs and objects.

use cloakroom_core::JobId;

/// Returns the key of a result without its lease token (as a mutation generates it), or the key of a payload without
/// its digest.
pub(crate) fn without_token(key: &str) -> String {
    key.rsplit_once('/').map_or(key, |(job, _)| job).to_owned()
}

/// Returns the first characters of an id, which is sufficient for a story.
pub(crate) fn short(id: JobId) -> String {
    id.to_string()[..8].to_owned()
}

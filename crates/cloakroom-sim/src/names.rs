//! Names of jobs and objects, shortened.

use cloakroom_core::JobId;

/// The key of a result without the token of its lease (what a mutation makes of it), or of a payload without its digest.
pub(crate) fn without_token(key: &str) -> String {
    key.rsplit_once('/').map_or(key, |(job, _)| job).to_owned()
}

/// The first characters of an id, enough for a story.
pub(crate) fn short(id: JobId) -> String {
    id.to_string()[..8].to_owned()
}

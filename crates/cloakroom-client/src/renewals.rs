//! Fresh links for presigned links that expired.

use reqwest::StatusCode;

use crate::answer::Answer;

/// Most fresh links in a row for links that expired.
const MOST_RENEWALS: u32 = 3;

/// Fresh links for one upload, part or result.
///
/// A presigned link ends with its own time, or with the session of the role that signed it (`ExpiredToken`). Storage does not
/// always name the reason, so any other 403 gets one fresh link too.
#[derive(Debug, Default)]
pub(crate) struct Renewals(u32);

impl Renewals {
    /// Returns true if a fresh link is requested after this response of the storage.
    pub(crate) fn renew(&mut self, answer: &Answer) -> bool {
        let most = match answer.storage_code().as_deref() {
            Some("ExpiredToken" | "ExpiredTokenException" | "RequestExpired") => MOST_RENEWALS,
            _ if answer.status == StatusCode::FORBIDDEN => 1,
            _ => 0,
        };
        self.0 += 1;
        self.0 <= most
    }
}

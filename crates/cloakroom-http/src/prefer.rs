//! `Prefer` (RFC 7240).

use std::time::Duration;

use cloakroom_core::Tenant;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use crate::header_list;
use crate::long_polls::{LongPolls, Permit};

pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Longest wait, in seconds: that of a stream of events. Long polls have a lower limit of their own.
const LONGEST_WAIT_SECONDS: u64 = LONGEST_STREAM.as_secs();

/// Longest time of one stream of events. The gateway's own limit is longer.
pub(crate) const LONGEST_STREAM: Duration = Duration::from_secs(55);

/// Preferences of a request. Unknown ones are ignored, as the standard requires.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Prefer {
    /// `wait`: time in seconds to delay the response at most, 0 to 55.
    pub(crate) wait: Option<u64>,
    /// `respond-async`, which is the default.
    pub(crate) respond_async: bool,
    /// `return=representation`: a document instead of a redirect.
    pub(crate) representation: bool,
    /// `return=minimal`: no body in the response to a submission.
    pub(crate) minimal: bool,
}

impl Prefer {
    /// Parses the known preferences.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        let (mut wait_seen, mut return_seen) = (false, false);
        let text = header_list::join_lines(headers, &HeaderName::from_static("prefer"))
            .unwrap_or_default();
        for preference in header_list::split(&text, ',') {
            // None of the known preferences has parameters, which follow a semicolon.
            let preference = header_list::split(preference, ';')
                .next()
                .unwrap_or_default();
            let (name, value) = preference
                .split_once('=')
                .map_or((preference, None), |(name, value)| {
                    (name.trim_end(), Some(value.trim_start()))
                });
            if name.eq_ignore_ascii_case("respond-async") {
                prefer.respond_async = true;
            } else if name.eq_ignore_ascii_case("wait") && !wait_seen {
                wait_seen = true;
                prefer.wait = value
                    .and_then(header_list::unquote)
                    .and_then(|value| seconds(&value));
            } else if name.eq_ignore_ascii_case("return") && !return_seen {
                return_seen = true;
                let value = value.and_then(header_list::unquote).unwrap_or_default();
                prefer.representation = value.eq_ignore_ascii_case("representation");
                prefer.minimal = value.eq_ignore_ascii_case("minimal");
            }
        }
        prefer
    }

    /// Returns the time to wait, if the client requests a wait.
    pub(crate) fn wait(self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }

    /// Acquires the permit for a requested wait, and limits the wait to the host's maximum. Without a permit, the preference
    /// is ignored.
    pub(crate) fn begin_wait(&mut self, long_polls: &LongPolls, tenant: &Tenant) -> Option<Permit> {
        let permit = self.wait.and_then(|_| long_polls.acquire(tenant));
        self.wait = self
            .wait
            .filter(|_| permit.is_some())
            .map(|wait| wait.min(long_polls.longest_wait().as_secs()));
        permit
    }

    /// Adds `Preference-Applied` for a wait.
    pub(crate) fn add_wait_applied(self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.wait {
            let value = HeaderValue::try_from(format!("wait={seconds}"))
                .expect("digits are good in a header");
            headers.insert(PREFERENCE_APPLIED, value);
        }
    }
}

/// Adds `Preference-Applied` for a document that replaces a redirect.
pub(crate) fn add_return_representation(headers: &mut HeaderMap) {
    const APPLIED: &str = "return=representation";
    let present = headers
        .get(&PREFERENCE_APPLIED)
        .and_then(|value| value.to_str().ok());
    let all = present.map_or_else(
        || APPLIED.to_owned(),
        |present| format!("{present}, {APPLIED}"),
    );
    headers.insert(
        PREFERENCE_APPLIED,
        HeaderValue::try_from(all).expect("preferences are visible ASCII"),
    );
}

/// Parses digits. Values over the longest wait count as the longest wait.
fn seconds(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().unwrap_or(u64::MAX).min(LONGEST_WAIT_SECONDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Prefer {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", line.parse().expect("a header"));
        }
        Prefer::from_headers(&headers)
    }

    fn wait(lines: &[&str]) -> Option<u64> {
        read(lines).wait
    }

    #[test]
    fn wait_is_seconds_up_to_55() {
        for (text, seconds) in [
            ("wait=0", 0),
            ("wait=7", 7),
            ("wait=55", 55),
            ("wait=56", 55),
            ("wait=007", 7),
            ("wait=99999999999999999999999", 55),
        ] {
            assert_eq!(wait(&[text]), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_malformed_or_unknown_is_ignored() {
        for text in [
            "",
            "wait",
            "wait=",
            "wait=x",
            "wait=-1",
            "wait=+1",
            "wait=1.5",
            "wait=\"5",
            "wait=5 6",
            "waits=5",
            "handling=lenient",
            ",;=",
        ] {
            assert_eq!(wait(&[text]), None, "{text}");
        }
    }

    #[test]
    fn only_return_representation_asks_for_a_document() {
        let asks = |text: &str| read(&[text]).representation;
        for text in [
            "return=representation",
            "Return = \"representation\"; a=b",
            "wait=5, return=Representation",
        ] {
            assert!(asks(text), "{text}");
        }
        for text in [
            "",
            "return",
            "return=",
            "return=minimal",
            "return=minimal, return=representation",
            "representation",
        ] {
            assert!(!asks(text), "{text}");
        }
    }

    #[test]
    fn respond_async_is_a_name_in_any_case() {
        let asks = |text: &str| read(&[text]).respond_async;
        for text in ["respond-async", "wait=5, Respond-Async; a=b"] {
            assert!(asks(text), "{text}");
        }
        for text in ["", "async", "respond-asynch", "a=respond-async"] {
            assert!(!asks(text), "{text}");
        }
    }

    #[test]
    fn only_return_minimal_asks_for_no_body() {
        let asks = |text: &str| read(&[text]).minimal;
        for text in [
            "return=minimal",
            "RETURN = \"Minimal\"; a=b",
            "wait=5, return=minimal, return=representation",
        ] {
            assert!(asks(text), "{text}");
        }
        for text in [
            "",
            "return",
            "minimal",
            "return=min",
            "return=representation, return=minimal",
        ] {
            assert!(!asks(text), "{text}");
        }
    }

    #[test]
    fn preferences_come_in_lists_lines_quotes_and_any_case_with_parameters() {
        for lines in [
            &["respond-async, wait=5"][..],
            &["respond-async", "wait=5"],
            &["WAIT = \"5\""],
            &["wait=5; foo=bar, x"],
            &["a=\"wait=1, wait=2\", wait=5"],
            &["wait=5, wait=6", "wait=7"],
        ] {
            assert_eq!(wait(lines), Some(5), "{lines:?}");
        }
        assert_eq!(wait(&["wait=x, wait=5"]), None, "only the first counts");
    }
}

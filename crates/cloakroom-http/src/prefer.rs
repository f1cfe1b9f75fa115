//! `Prefer` (RFC 7240).

use std::time::Duration;

use cloakroom_core::Tenant;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use crate::held::{Held, Hold};
use crate::list;

pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The longest wait, in seconds: the gateway's own limit is near.
const LONGEST_WAIT: u64 = cloakroom_app::jobs::LONGEST_WAIT.as_secs();

/// What a request prefers, of what is known here. The rest is ignored, as the standard asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Prefer {
    /// `wait`: hold the answer for up to so many seconds, 0 to 25.
    pub(crate) wait: Option<u64>,
    /// `respond-async`, which is what happens anyway.
    pub(crate) respond_async: bool,
    /// `return=representation`: a document in place of a redirect.
    pub(crate) representation: bool,
}

impl Prefer {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        let (mut wait_seen, mut return_seen) = (false, false);
        let text = list::joined(headers, &HeaderName::from_static("prefer")).unwrap_or_default();
        for preference in list::split(&text, ',') {
            // Parameters, after a semicolon, mean nothing to the preferences that are known.
            let preference = list::split(preference, ';').next().unwrap_or_default();
            let (name, value) = preference
                .split_once('=')
                .map_or((preference, None), |(name, value)| {
                    (name.trim_end(), Some(value.trim_start()))
                });
            if name.eq_ignore_ascii_case("respond-async") {
                prefer.respond_async = true;
            } else if name.eq_ignore_ascii_case("wait") && !wait_seen {
                wait_seen = true;
                prefer.wait = value.and_then(list::word).and_then(|value| seconds(&value));
            } else if name.eq_ignore_ascii_case("return") && !return_seen {
                return_seen = true;
                prefer.representation = value
                    .and_then(list::word)
                    .is_some_and(|value| value.eq_ignore_ascii_case("representation"));
            }
        }
        prefer
    }

    /// How long to wait, if that is wished.
    pub(crate) fn wait(self) -> Option<Duration> {
        self.wait.map(Duration::from_secs)
    }

    /// Holds the response, if that is requested, for at most as long as the host allows. The preference is ignored where no
    /// response is held or too many are.
    pub(crate) fn hold(&mut self, held: &Held, tenant: &Tenant) -> Option<Hold> {
        let place = self.wait.and_then(|_| held.hold(tenant));
        self.wait = self
            .wait
            .filter(|_| place.is_some())
            .map(|wait| wait.min(held.longest().as_secs()));
        place
    }

    /// Says that the answer was held.
    pub(crate) fn applied(self, headers: &mut HeaderMap) {
        if let Some(seconds) = self.wait {
            let value = HeaderValue::try_from(format!("wait={seconds}"))
                .expect("digits are good in a header");
            headers.insert(PREFERENCE_APPLIED, value);
        }
    }
}

/// Adds that a document was returned in place of a redirect.
pub(crate) fn represented(headers: &mut HeaderMap) {
    const APPLIED: &str = "return=representation";
    let before = headers
        .get(&PREFERENCE_APPLIED)
        .and_then(|value| value.to_str().ok());
    let all = before.map_or_else(
        || APPLIED.to_owned(),
        |before| format!("{before}, {APPLIED}"),
    );
    headers.insert(
        PREFERENCE_APPLIED,
        HeaderValue::try_from(all).expect("preferences are visible ASCII"),
    );
}

/// Digits, however many; more than the longest wait are the longest wait.
fn seconds(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().unwrap_or(u64::MAX).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(lines: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("prefer", line.parse().expect("a header"));
        }
        Prefer::of(&headers).wait
    }

    #[test]
    fn wait_is_seconds_up_to_25() {
        for (text, seconds) in [
            ("wait=0", 0),
            ("wait=7", 7),
            ("wait=25", 25),
            ("wait=26", 25),
            ("wait=007", 7),
            ("wait=99999999999999999999999", 25),
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
        let asks = |text: &str| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static("prefer"),
                text.parse().expect("a header"),
            )]);
            Prefer::of(&headers).representation
        };
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

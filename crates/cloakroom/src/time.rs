//! Points in time, as the contract writes them.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z. Shown as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// The beginning of the year 0, which RFC 3339 has no words for what was before.
const YEAR_0: i64 = -62_167_219_200_000;

/// A text that is no RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read a time: want RFC 3339, as in 2026-11-21T08:00:00.123Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, rounded up: the unit of a DynamoDB TTL attribute.
    pub const fn as_seconds_ceil(self) -> i64 {
        self.0.div_euclid(1000) + (self.0.rem_euclid(1000) != 0) as i64
    }

    /// This much later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This much earlier.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What RFC 3339 has no words for comes of a corrupt record alone; the epoch is shown rather than a panic.
        let time =
            Some(self.0).filter(|millis| *millis >= YEAR_0).and_then(|it| jiff::Timestamp::from_millisecond(it).ok());
        let time = time.unwrap_or_default();
        write!(f, "{time:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !has_the_form(text) {
            return Err(InvalidTimestamp);
        }
        let time: jiff::Timestamp = text.parse().map_err(|_| InvalidTimestamp)?;
        Ok(Self(time.as_millisecond()))
    }
}

/// Whether a text has the form of RFC 3339, section 5.6: the calendar's parser takes all of ISO 8601, and more.
fn has_the_form(text: &str) -> bool {
    let shape: Vec<_> = text.bytes().map(|b| if b.is_ascii_digit() { b'0' } else { b.to_ascii_uppercase() }).collect();
    let Some(rest) = shape.strip_prefix(b"0000-00-00T00:00:00") else { return false };
    let digits = rest.strip_prefix(b".0").map(|more| 2 + more.iter().take_while(|b| **b == b'0').count());
    let offset = &rest[digits.unwrap_or(0)..];
    matches!(offset, b"Z" | b"+00:00" | b"-00:00")
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_rfc_3339_in_utc_with_milliseconds_and_read_back() {
        let time = Timestamp::from_millis(1_795_248_000_120);
        assert_eq!(time.to_string(), "2026-11-21T08:00:00.120Z");
        assert_eq!("2026-11-21T08:00:00.120Z".parse(), Ok(time));
        assert_eq!(Timestamp::from_seconds(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn what_rfc_3339_does_not_have_is_refused() {
        for text in ["2026-11-21T08:00:00Z", "2026-11-21t08:00:00.5z", "2026-11-21T09:00:00.123456789+01:00"] {
            assert!(text.parse::<Timestamp>().is_ok(), "{text}");
        }
        for text in [
            "2026-11-21T08:23Z",
            "2026-11-21 08:00:00Z",
            "20261121T080000Z",
            "2026-11-21T08:00:00,5Z",
            "2026-11-21T08:00:00.Z",
            "2026-11-21T08:00:00+01",
            "2026-11-21T08:00:00+0100",
            "2026-11-21T08:00:00+01:00[Europe/Berlin]",
            "+002026-11-21T08:00:00Z",
            "2026-02-30T08:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn every_time_is_shown_as_one_that_can_be_read() {
        for millis in [i64::MIN, YEAR_0 - 1, YEAR_0, 0, 253_402_300_799_999, 253_402_300_800_000, i64::MAX] {
            let text = Timestamp::from_millis(millis).to_string();
            assert!(text.parse::<Timestamp>().is_ok(), "{text}");
        }
    }

    #[test]
    fn rounds_up_to_the_seconds_of_a_ttl() {
        assert_eq!(Timestamp::from_millis(1_000).as_seconds_ceil(), 1);
        assert_eq!(Timestamp::from_millis(1_001).as_seconds_ceil(), 2);
    }
}

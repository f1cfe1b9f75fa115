//! Points in time, in the format of the contract.

use std::{fmt, str::FromStr, time::Duration};

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z. Displayed as RFC 3339 in UTC, with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Start of the year 10000, in seconds since the epoch.
const YEAR_10000: i64 = 253_402_300_800;

/// Error of parsing a text that is not an RFC 3339 time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read a time: expected RFC 3339, such as 2026-11-21T08:00:00.123Z")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// Creates a timestamp from milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Creates a timestamp from whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Returns the milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Returns the seconds since the epoch, rounded up: the unit of a DynamoDB TTL attribute.
    pub const fn as_seconds_ceil(self) -> i64 {
        self.0.div_euclid(1000) + (self.0.rem_euclid(1000) != 0) as i64
    }

    /// Returns the time that is `by` later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// Returns the time that is `by` earlier.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }

    /// Returns the duration since `earlier`. Zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // RFC 3339 covers the years 0 to 9999. Other years occur only in corrupt records, and are displayed as the
        // epoch.
        let time = EPOCH
            .checked_add(SignedDuration::from_millis(self.0))
            .ok()
            .filter(|time| time.year() >= 0);
        write!(f, "{:.3}Z", time.unwrap_or(EPOCH))
    }
}

/// Parses RFC 3339, section 5.6, with a `T` between date and time, and any number of fractional digits.
///
/// A fraction of a millisecond is rounded up, so that nothing starts too early. A leap second is read as the instant
/// after it, and is accepted only at the end of June and December (section 5.7).
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).map(Self).ok_or(InvalidTimestamp)
    }
}

fn read(text: &str) -> Option<i64> {
    let (date_time, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    let shape = |b: u8| {
        if b.is_ascii_digit() {
            b'0'
        } else {
            b.to_ascii_uppercase()
        }
    };
    if !date_time.bytes().map(shape).eq(*b"0000-00-00T00:00:00") {
        return None;
    }
    let part = |from: usize, to: usize| date_time[from..to].parse::<i16>().ok();
    let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (month, day) = (
        i8::try_from(part(5, 7)?).ok()?,
        i8::try_from(part(8, 10)?).ok()?,
    );
    let date = Date::new(part(0, 4)?, month, day).ok()?;
    let (fraction, offset) = fraction(rest)?;
    let minutes = i64::from(hour) * 60 + i64::from(minute) - offset_minutes(offset)?;
    let seconds = date.duration_since(EPOCH.date()).as_secs() + minutes * 60 + i64::from(second);
    if second == 60 && !ends_a_half_year(seconds) {
        return None;
    }
    Some(seconds * 1000 + fraction)
}

/// Returns the milliseconds of a fraction, rounded up, and the text after it.
fn fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(digits) = rest.strip_prefix('.') else {
        return Some((0, rest));
    };
    let (digits, offset) = digits.split_at(digits.bytes().take_while(u8::is_ascii_digit).count());
    if digits.is_empty() {
        return None;
    }
    let (millis, beyond) = digits.split_at(digits.len().min(3));
    let millis: i64 = format!("{millis:0<3}").parse().ok()?;
    Some((
        millis + i64::from(beyond.bytes().any(|digit| digit != b'0')),
        offset,
    ))
}

/// Returns the UTC offset in minutes.
fn offset_minutes(offset: &str) -> Option<i64> {
    if offset == "Z" || offset == "z" {
        return Some(0);
    }
    let [
        sign @ (b'+' | b'-'),
        b'0'..=b'9',
        b'0'..=b'9',
        b':',
        b'0'..=b'9',
        b'0'..=b'9',
    ] = offset.as_bytes()
    else {
        return None;
    };
    let (hours, minutes): (i64, i64) = (offset[1..3].parse().ok()?, offset[4..6].parse().ok()?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(if *sign == b'-' { -1 } else { 1 } * (hours * 60 + minutes))
}

/// Returns true if `seconds` is the start of January 1 or July 1 in UTC.
fn ends_a_half_year(seconds: i64) -> bool {
    let time = EPOCH.checked_add(SignedDuration::from_secs(seconds));
    // The leap second at the end of 9999 is followed by a year that RFC 3339 can't represent.
    time.map_or(seconds == YEAR_10000, |time| {
        time.time() == Time::midnight() && time.day() == 1 && matches!(time.month(), 1 | 7)
    })
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn is_shown_as_rfc_3339_in_utc_with_milliseconds_and_read_back() {
        let time = Timestamp::from_millis(1_795_248_000_120);
        assert_eq!(time.to_string(), "2026-11-21T08:00:00.120Z");
        assert_eq!("2026-11-21T08:00:00.120Z".parse(), Ok(time));
        assert_eq!(
            Timestamp::from_seconds(0).to_string(),
            "1970-01-01T00:00:00.000Z"
        );
    }

    #[test]
    fn what_rfc_3339_has_is_read() {
        for (text, utc) in [
            ("2026-11-21T08:00:00Z", "2026-11-21T08:00:00.000Z"),
            ("2026-11-21t08:00:00.5z", "2026-11-21T08:00:00.500Z"),
            ("2026-11-21T08:00:00.120Z", "2026-11-21T08:00:00.120Z"),
            ("2026-11-21T08:00:00.12Z", "2026-11-21T08:00:00.120Z"),
            (
                "2026-11-21T09:00:00.123456789+01:00",
                "2026-11-21T08:00:00.124Z",
            ),
            (
                "2026-11-21T08:00:00.1230000000000000000000Z",
                "2026-11-21T08:00:00.123Z",
            ),
            (
                "2026-11-21T08:00:00.1230000000000000000001Z",
                "2026-11-21T08:00:00.124Z",
            ),
            ("2026-11-21T08:00:59.9990001Z", "2026-11-21T08:01:00.000Z"),
            ("2026-11-21T08:00:00+23:59", "2026-11-20T08:01:00.000Z"),
            ("2026-11-21T08:00:00-23:59", "2026-11-22T07:59:00.000Z"),
            ("2026-11-21T08:00:00-00:00", "2026-11-21T08:00:00.000Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
            ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500Z"),
            ("2015-06-30T23:59:60Z", "2015-07-01T00:00:00.000Z"),
            ("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00.000Z"),
            ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(
                text.parse::<Timestamp>()
                    .map(|time| time.to_string())
                    .as_deref(),
                Ok(utc),
                "{text}"
            );
        }
        assert!("9999-12-31T23:59:60Z".parse::<Timestamp>().is_ok());
    }

    #[test]
    fn what_rfc_3339_does_not_have_is_rejected() {
        for text in [
            "",
            "2026-11-21T08:23Z",
            "2026-11-21 08:00:00Z",
            "20261121T080000Z",
            "2026-11-21T08:00:00",
            "2026-11-21T08:00:00,5Z",
            "2026-11-21T08:00:00.Z",
            "2026-11-21T08:00:00.5",
            "2026-11-21T08:00:00.٣Z",
            "2026-11-21T08:00:00+01",
            "2026-11-21T08:00:00+0100",
            "2026-11-21T08:00:00+24:00",
            "2026-11-21T08:00:00-23:60",
            "2026-11-21T08:00:00+1:00",
            "2026-11-21T08:00:00Z+01:00",
            "2026-11-21T08:00:00+01:00[Europe/Berlin]",
            "+002026-11-21T08:00:00Z",
            "-001-11-21T08:00:00Z",
            "2026-11-21T08:00:00 Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T08:60:00Z",
            "2026-11-21T08:00:61Z",
            "2026-13-21T08:00:00Z",
            "2026-00-21T08:00:00Z",
            "2026-11-00T08:00:00Z",
            "2026-11-31T08:00:00Z",
            "2026-02-30T08:00:00Z",
            "2023-02-29T08:00:00Z",
            "1900-02-29T08:00:00Z",
            "日本語日本語日本語T08:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_only_where_one_can_be() {
        for text in [
            "2016-12-31T22:30:60Z",
            "2016-12-31T23:58:60Z",
            "2016-12-30T23:59:60Z",
            "2016-11-30T23:59:60Z",
            "2016-12-31T23:59:60+01:00",
            "2017-01-01T00:59:60-01:00",
            "2016-12-31T24:59:60+01:00",
            "2016-07-02T23:59:60Z",
            "2016-01-31T23:59:60Z",
            "2017-01-01T23:59:60Z",
            "2017-01-04T23:59:60Z",
            "2016-07-31T23:59:60Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text}");
        }
    }

    #[test]
    fn every_time_is_shown_as_one_that_can_be_read() {
        for millis in [
            i64::MIN,
            YEAR_0 - 1,
            YEAR_0,
            0,
            YEAR_10000 * 1000 - 1,
            YEAR_10000 * 1000,
            i64::MAX,
        ] {
            let text = Timestamp::from_millis(millis).to_string();
            assert!(text.parse::<Timestamp>().is_ok(), "{text}");
        }
    }

    #[test]
    fn times_are_added_and_compared_without_wrapping() {
        let (at, second) = (Timestamp::from_millis, Duration::from_secs(1));
        assert_eq!(
            (at(5).after(second), at(5).before(second)),
            (at(1005), at(-995))
        );
        assert_eq!(
            (
                at(1005).since(at(5)),
                at(5).since(at(1005)),
                at(5).since(at(5))
            ),
            (second, Duration::ZERO, Duration::ZERO)
        );
        assert_eq!(
            (at(i64::MAX).after(second), at(i64::MIN).before(second)),
            (at(i64::MAX), at(i64::MIN))
        );
        assert_eq!(
            (at(0).after(Duration::MAX), at(0).before(Duration::MAX)),
            (at(i64::MAX), at(-i64::MAX))
        );
        assert_eq!(
            at(i64::MAX).since(at(i64::MIN)),
            Duration::from_millis(i64::MAX.unsigned_abs())
        );
        assert_eq!(
            (
                Timestamp::from_seconds(i64::MAX),
                Timestamp::from_seconds(-1)
            ),
            (at(i64::MAX), at(-1000))
        );
        let ceil =
            [-1001, -1000, -1, 0, 1, 999, 1000, 1001].map(|millis| at(millis).as_seconds_ceil());
        assert_eq!(ceil, [-1, -1, 0, 0, 1, 1, 1, 2]);
    }

    /// Start of the year 0, in milliseconds.
    const YEAR_0: i64 = -62_167_219_200_000;

    proptest! {
        #[test]
        fn a_time_is_read_as_it_was_written(
            millis in YEAR_0..YEAR_10000 * 1000,
            offset in -1439_i64..=1439,
            zeros in 0_usize..20,
        ) {
            let time = Timestamp::from_millis(millis);
            prop_assert_eq!(time.to_string().parse(), Ok(time));
            // The same instant with another UTC offset.
            let local = Timestamp::from_millis(millis + offset * 60_000);
            prop_assume!((YEAR_0..YEAR_10000 * 1000).contains(&local.as_millis()));
            let sign = if offset < 0 { '-' } else { '+' };
            let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
            let local = local.to_string();
            let elsewhere = format!("{}{}{sign}{hours:02}:{minutes:02}", &local[..23], "0".repeat(zeros));
            prop_assert_eq!(elsewhere.parse(), Ok(time), "{}", elsewhere);
        }

        #[test]
        fn a_time_never_comes_before_what_was_written(
            second in 0_i64..YEAR_10000 - 1,
            fraction in "[0-9]{1,30}",
        ) {
            let whole = Timestamp::from_seconds(second).to_string();
            let time: Timestamp = format!("{}.{fraction}Z", &whole[..19]).parse().expect("a time");
            let millis = i64::try_from(time.since(Timestamp::from_seconds(second)).as_millis()).expect("at most a second");
            let (head, tail) = fraction.split_at(fraction.len().min(3));
            let truncated: i64 = format!("{head:0<3}").parse().expect("digits");
            prop_assert_eq!(millis, truncated + i64::from(tail.contains(|digit| digit != '0')));
        }
    }

    #[test]
    fn rounds_up_to_the_seconds_of_a_ttl() {
        assert_eq!(Timestamp::from_millis(1_000).as_seconds_ceil(), 1);
        assert_eq!(Timestamp::from_millis(1_001).as_seconds_ceil(), 2);
    }
}

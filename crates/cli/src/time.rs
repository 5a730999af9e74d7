//! Times on the command line and in the output.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// Which end of a range a time stands for: a day alone means its first or its last second.
pub(crate) trait RangeEnd {
    /// The time of day that a day alone stands for.
    fn of_day(day: Date) -> DateTime;
}

/// The start of a range.
#[derive(Debug)]
pub(crate) struct Start;

/// The end of a range, included.
#[derive(Debug)]
pub(crate) struct End;

impl RangeEnd for Start {
    fn of_day(day: Date) -> DateTime {
        day.at(0, 0, 0, 0)
    }
}

impl RangeEnd for End {
    fn of_day(day: Date) -> DateTime {
        day.at(23, 59, 59, 0)
    }
}

/// Reads a day, an RFC 3339 time or Unix seconds, as Unix seconds.
///
/// # Errors
/// A sentence with the forms that are read.
pub(crate) fn parse<E: RangeEnd>(text: &str) -> Result<i64, String> {
    let seconds = match day(text) {
        Some(day) => Offset::UTC
            .to_timestamp(E::of_day(day))
            .ok()
            .map(Timestamp::as_second),
        None => cloudtrail::parse_time(text).or_else(|| unix_seconds(text)),
    };
    seconds.ok_or_else(|| {
        "expected a time such as 2026-03-02, 2026-03-02T02:10:00Z or Unix seconds".to_owned()
    })
}

/// `2026-03-02` or `20260302`
fn day(text: &str) -> Option<Date> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let hyphens = text.bytes().filter(|byte| *byte == b'-').count();
    let is_day = digits == 8 && digits + hyphens == text.len();
    is_day.then(|| text.parse().ok()).flatten()
}

/// Nine digits and more: fewer would be a time before 1973, and are a mistake.
fn unix_seconds(text: &str) -> Option<i64> {
    let seconds = text.parse().ok().filter(|_| text.len() >= 9)?;
    Timestamp::from_second(seconds).is_ok().then_some(seconds)
}

/// `2026-03-02T02:10:00Z`
pub(crate) fn rfc3339(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

/// A time for people, in UTC, by a `strftime` format.
pub(crate) fn formatted(seconds: i64, format: &str) -> String {
    match Timestamp::from_second(seconds) {
        Ok(time) => Offset::UTC.to_datetime(time).strftime(format).to_string(),
        Err(_) => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_alone_is_a_whole_day() {
        assert_eq!(parse::<Start>("2026-03-02"), Ok(1_772_409_600));
        assert_eq!(parse::<End>("2026-03-02"), Ok(1_772_409_600 + 86_399));
    }

    #[test]
    fn times_and_unix_seconds_are_read() {
        assert_eq!(parse::<Start>("2026-03-02T00:00:01Z"), Ok(1_772_409_601));
        assert_eq!(parse::<Start>("1772409601"), Ok(1_772_409_601));
        assert_eq!(parse::<Start>("20260302"), Ok(1_772_409_600));
        for text in ["", "2026", "yesterday", "2026-13-01", "99999999999999999"] {
            assert!(parse::<Start>(text).is_err(), "{text}");
        }
    }
}

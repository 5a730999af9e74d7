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
    let seconds = cloudtrail::parse_time(text)
        .or_else(|| {
            text.parse::<i64>()
                .ok()
                .filter(|seconds| Timestamp::from_second(*seconds).is_ok())
        })
        .or_else(|| {
            let day = is_day(text).then(|| text.parse::<Date>().ok()).flatten()?;
            Some(Offset::UTC.to_timestamp(E::of_day(day)).ok()?.as_second())
        });
    seconds.ok_or_else(|| {
        "expected a time such as 2026-03-02, 2026-03-02T02:10:00Z or Unix seconds".to_owned()
    })
}

fn is_day(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
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
        for text in ["", "yesterday", "2026-13-01", "99999999999999999"] {
            assert!(parse::<Start>(text).is_err(), "{text}");
        }
    }
}

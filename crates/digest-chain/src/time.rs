//! Times as digests and their keys write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// The time in the name of a digest file, in Unix seconds: the end of its hour.
pub type Stamp = i64;

const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// The time in a digest's name: `20260301T012902Z`.
pub fn stamp_text(time: i64) -> String {
    at(time).strftime(STAMP).to_string()
}

/// A time for people: `2026-03-01T01:29:02Z`.
pub fn display_time(time: i64) -> String {
    at(time).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads what [`stamp_text`] writes.
pub(crate) fn parse_stamp(text: &str) -> Option<i64> {
    let fits = text.len() == 16 && text.is_ascii();
    let time = DateTime::strptime(STAMP, text).ok().filter(|_| fits)?;
    seconds(time)
}

/// Reads a time of a digest file: `2026-03-01T01:29:02Z`.
pub fn parse_time(text: &str) -> Option<i64> {
    let time: Timestamp = text.parse().ok()?;
    Some(time.as_second())
}

fn at(time: i64) -> DateTime {
    Offset::UTC.to_datetime(Timestamp::from_second(time).unwrap_or_default())
}

fn seconds(time: DateTime) -> Option<i64> {
    Some(Offset::UTC.to_timestamp(time).ok()?.as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_comes_back_as_it_was() {
        let time = 1_772_328_542;
        assert_eq!(parse_stamp(&stamp_text(time)), Some(time));
        assert_eq!(parse_time(&display_time(time)), Some(time));
        for text in [
            "",
            "20260301T012902",
            "2026-03-01T01:29:02Z",
            "zzzzzzzzzzzzzzzz",
        ] {
            assert_eq!(parse_stamp(text), None, "{text}");
        }
    }
}

//! Times as people write them for the AWS CLI.
//!
//! The AWS CLI reads times loosely (Python's `dateutil`) and then drops what they say of their offset from UTC:
//! `2026-03-01T10:00:00+02:00` is 10:00 UTC to it. What is read here is read as it reads it. Out of scope are times
//! that it completes from today's date (`2026`, `10:00`, `March 1`): a range that depends on the day it is asked on
//! is more likely a mistake.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// A time, and its offset from UTC if it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    time: DateTime,
    offset_seconds: Option<i64>,
}

impl Written {
    /// Reads a time; `None` if it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (date, rest) = date(text)?;
        let rest = rest.trim_start_matches(',');
        let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
        if rest.is_empty() {
            let time = DateTime::from_parts(date, Time::midnight());
            return Some(Written {
                time,
                offset_seconds: None,
            });
        }
        let (time, rest) = time(rest)?;
        Some(Written {
            time: DateTime::from_parts(date, time),
            offset_seconds: offset(rest.trim())?,
        })
    }

    /// In Unix seconds, as if it were UTC.
    pub(crate) fn without_offset(self) -> i64 {
        let time = Offset::UTC.to_timestamp(self.time);
        time.map_or(i64::MAX, jiff::Timestamp::as_second)
    }

    /// In Unix seconds.
    pub(crate) fn with_offset(self) -> i64 {
        self.without_offset()
            .saturating_sub(self.offset_seconds.unwrap_or(0))
    }
}

/// The date at the beginning, and the rest.
fn date(text: &str) -> Option<(Date, &str)> {
    numeric_date(text).or_else(|| named_date(text))
}

/// `2026-03-01`, `2026/3/1`, `20260301`, `3/1/2026`, `01.03.2026`.
fn numeric_date(text: &str) -> Option<(Date, &str)> {
    let (first, rest) = digits(text)?;
    let number = |digits: &str| digits.parse::<i16>().ok();
    if first.len() >= 8 && first.is_char_boundary(8) {
        // The time may follow without anything in between.
        let (date, _) = text.split_at_checked(8)?;
        let (year, month_day) = date.split_at_checked(4)?;
        let (month, day) = month_day.split_at_checked(2)?;
        let is_alone = matches!(first.len(), 8 | 12 | 14);
        let date = date_of(number(year)?, number(month)?, number(day)?)?;
        return is_alone.then_some((date, text.get(8..)?));
    }
    let separator = rest.chars().next().filter(|c| "-/.".contains(*c))?;
    let (second, rest) = digits(rest.strip_prefix(separator)?)?;
    let (third, rest) = digits(rest.strip_prefix(separator)?)?;
    let date = match (first.len(), third.len()) {
        (4, 1..=2) => date_of(number(first)?, number(second)?, number(third)?),
        (1..=2, 4) => {
            let (first, second, year) = (number(first)?, number(second)?, number(third)?);
            // The month goes first, if it can be one.
            date_of(year, first, second).or_else(|| date_of(year, second, first))
        }
        _ => None,
    };
    Some((date?, rest))
}

/// `Mar 1 2026`, `1 March 2026`, `Sun, 01-Mar-2026`: an English name of the month, or its first three letters.
fn named_date(text: &str) -> Option<(Date, &str)> {
    let (mut day, mut month, mut year) = (None, None, None);
    let mut rest = text;
    while day.is_none() || month.is_none() || year.is_none() {
        rest = rest.trim_start_matches([' ', ',', '-', '/', '.']);
        if let Some((number, behind)) = digits(rest) {
            let value: i16 = number.parse().ok()?;
            let place = match number.len() {
                1 | 2 => &mut day,
                4 => &mut year,
                _ => return None,
            };
            if place.replace(value).is_some() {
                return None;
            }
            rest = ["st", "nd", "rd", "th"]
                .iter()
                .find_map(|ordinal| behind.strip_prefix(ordinal))
                .unwrap_or(behind);
        } else {
            let end = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            let (word, behind) = rest.split_at_checked(end)?;
            match named(word, &MONTHS) {
                Some(found) if month.is_none() => month = Some(found),
                _ => _ = named(word, &DAYS)?,
            }
            rest = behind;
        }
    }
    Some((date_of(year?, month?, day?)?, rest))
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// The number, from 1, of a name that is written whole or by its first three letters.
fn named(word: &str, names: &[&str]) -> Option<i16> {
    let word = word.to_ascii_lowercase();
    let found = names
        .iter()
        .position(|name| *name == word || (word.len() == 3 && name.starts_with(&word)))?;
    i16::try_from(found + 1).ok()
}

fn date_of(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// `10`, `10:20`, `10:20:30.5`, `1020`, `102030`, each with `am` or `pm`; a fraction of a second is dropped.
fn time(text: &str) -> Option<(Time, &str)> {
    let (first, rest) = digits(text)?;
    let number = |digits: &str| digits.parse::<i8>().ok();
    let ([hour, minute, second], rest) = match first.len() {
        1 | 2 => {
            let (mut minute, mut second, mut rest) = (0, 0, rest);
            if let Some((found, behind)) = rest.strip_prefix(':').and_then(digits) {
                (minute, rest) = (number(found)?, behind);
                if let Some((found, behind)) = rest.strip_prefix(':').and_then(digits) {
                    (second, rest) = (number(found)?, behind);
                }
            }
            ([number(first)?, minute, second], rest)
        }
        4 | 6 => {
            let part = |from: usize| first.get(from..from + 2).map_or(Some(0), number);
            ([part(0)?, part(2)?, part(4)?], rest)
        }
        _ => return None,
    };
    let rest = match rest.strip_prefix(['.', ',']).and_then(digits) {
        Some((_, behind)) => behind,
        None => rest,
    };
    let behind = rest.trim_start();
    let half = behind.get(..2).map(str::to_ascii_lowercase);
    let (hour, rest) = match half.as_deref() {
        Some("am") if (1..=12).contains(&hour) => (hour % 12, behind.get(2..)?),
        Some("pm") if (1..=12).contains(&hour) => (hour % 12 + 12, behind.get(2..)?),
        _ => (hour, rest),
    };
    Some((Time::new(hour, minute, second, 0).ok()?, rest))
}

/// `Z`, `UTC`, `GMT`, `+02`, `+0200`, `+02:00`, or nothing.
#[expect(
    clippy::option_option,
    reason = "none at all, or one that cannot be read"
)]
fn offset(text: &str) -> Option<Option<i64>> {
    match text.to_ascii_lowercase().as_str() {
        "" => return Some(None),
        "z" | "utc" | "gmt" => return Some(Some(0)),
        _ => {}
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let text = text.get(1..)?.replace(':', "");
    let (found, rest) = digits(&text)?;
    let number = |text: &str| text.parse::<i64>().ok();
    let (hours, minutes) = match (found.len(), rest) {
        (1 | 2, "") => (number(found)?, 0),
        (4, "") => (number(found.get(..2)?)?, number(found.get(2..)?)?),
        _ => return None,
    };
    let is_offset = hours < 24 && minutes < 60;
    is_offset.then_some(Some(sign * (hours * 3600 + minutes * 60)))
}

/// The digits at the beginning, at least one, and the rest.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end)
        .filter(|(digits, _)| !digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let seconds = Written::parse(text)?.without_offset();
        Some(digest_chain::display_time(seconds))
    }

    #[test]
    fn the_usual_forms_are_read() {
        for (text, expected) in [
            ("2026-03-01T10:20:30Z", "2026-03-01T10:20:30Z"),
            ("2026-03-01T10:20:30", "2026-03-01T10:20:30Z"),
            ("2026-03-01 10:20:30 UTC", "2026-03-01T10:20:30Z"),
            ("2026-03-01T10:20", "2026-03-01T10:20:00Z"),
            ("2026-03-01T10", "2026-03-01T10:00:00Z"),
            ("2026-03-01T1020", "2026-03-01T10:20:00Z"),
            ("2026-03-01", "2026-03-01T00:00:00Z"),
            ("2026/3/1", "2026-03-01T00:00:00Z"),
            ("20260301", "2026-03-01T00:00:00Z"),
            ("20260301T102030Z", "2026-03-01T10:20:30Z"),
            ("20260301102030", "2026-03-01T10:20:30Z"),
            ("2026-03-01T10:20:30.75Z", "2026-03-01T10:20:30Z"),
            ("2026-03-01 10:00 PM", "2026-03-01T22:00:00Z"),
            ("2026-03-01 12am", "2026-03-01T00:00:00Z"),
            ("Mar 1 2026 10:00", "2026-03-01T10:00:00Z"),
            ("March 1st, 2026", "2026-03-01T00:00:00Z"),
            ("1 March 2026", "2026-03-01T00:00:00Z"),
            ("01-Mar-2026 10:20:30", "2026-03-01T10:20:30Z"),
            ("Sun, 01 Mar 2026 10:00:00 GMT", "2026-03-01T10:00:00Z"),
            ("3/1/2026", "2026-03-01T00:00:00Z"),
            ("13/3/2026", "2026-03-13T00:00:00Z"),
            ("01.03.2026", "2026-01-03T00:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn an_offset_is_dropped_or_honoured() {
        for text in [
            "2026-03-01T10:00:00+02:00",
            "2026-03-01 10:00 +0200",
            "20260301T100000+02",
        ] {
            let written = Written::parse(text).unwrap();
            assert_eq!(written.without_offset() % 86_400, 10 * 3600, "{text}");
            assert_eq!(written.offset_seconds, Some(7200), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "2026",
            "2026-03",
            "10:00",
            "March 1",
            "1772409600",
            "2026-13-01",
            "2026-02-30",
            "2026-03-01T24:00",
            "2026-03-01T10:60",
            "2026-060",
            "2026-W10",
            "2026-03-01T10:00:00 somewhere",
            "2026-03-01T10:00:00+25:00",
            "99999999999",
            "é",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

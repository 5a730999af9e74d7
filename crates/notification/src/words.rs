//! Small words a sentence is made of: lists, plurals, counts, times of day.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// `a`, `a and b`, `a, b and c`; of more than three `a, b and 7 others`. `count` items there are in
/// all, of which `items` are the first.
pub(crate) fn list<T: AsRef<str>>(items: &[T], count: usize) -> String {
    let shown = if count > 3 { 2 } else { 3 };
    let first: Vec<&str> = items.iter().take(shown).map(T::as_ref).collect();
    let others = count.saturating_sub(first.len());
    match (first.split_last(), others) {
        (None, _) => String::new(),
        (Some(_), 1) => format!("{} and 1 other", first.join(", ")),
        (Some(_), 2..) => format!("{} and {others} others", first.join(", ")),
        (Some((last, [])), 0) => (*last).into(),
        (Some((last, before)), 0) => format!("{} and {last}", before.join(", ")),
    }
}

/// `policies` of `policy`.
pub(crate) fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with('s') => noun.into(),
        _ => format!("{noun}s"),
    }
}

/// `a trail`, `an instance`; nouns that are plural (they end in `s`) stay alone.
pub(crate) fn with_article(noun: &str) -> String {
    if noun.ends_with('s') {
        noun.into()
    } else if noun.starts_with(['a', 'e', 'i', 'o']) {
        format!("an {noun}")
    } else {
        format!("a {noun}")
    }
}

/// ` twice`, ` 5 times`; nothing for once.
pub(crate) fn times(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        2 => " twice".into(),
        _ => format!(" {count} times"),
    }
}

/// `1 event`, `5 events`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {}", plural(noun)),
    }
}

/// `90 seconds`, `42 minutes`, `5 hours`, `3 days`.
pub(crate) fn duration(seconds: i64) -> String {
    let (length, unit) = match seconds {
        ..120 => (1, "second"),
        120..7_200 => (60, "minute"),
        7_200..172_800 => (3_600, "hour"),
        _ => (86_400, "day"),
    };
    counted(u64::try_from(seconds / length).unwrap_or_default(), unit)
}

/// `2026-03-02 14:02:00 UTC`.
pub(crate) fn instant(seconds: i64) -> String {
    match utc(seconds) {
        Some(time) => format!("{} {} UTC", time.date(), time.time()),
        None => "unknown time".into(),
    }
}

/// `2026-03-02T14:02:00Z`.
pub(crate) fn rfc3339(seconds: i64) -> Option<String> {
    Some(Timestamp::from_second(seconds).ok()?.to_string())
}

/// A number as people write it: one decimal, more only where it would vanish.
pub(crate) fn rounded(number: &str) -> Option<String> {
    let number: f64 = number.parse().ok()?;
    let text = match number.abs() {
        huge if huge >= 1e9 => format!("{number:.1e}"),
        tiny if tiny < 0.1 => format!("{number:.4}"),
        _ => format!("{number:.1}"),
    };
    Some(match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    })
}

/// ` at 14:02 UTC on 2 March 2026`, ` between 14:02 and 14:06 UTC on 2 March 2026`.
pub(crate) fn span(first: i64, last: i64) -> String {
    let (Some(first), Some(last)) = (utc(first), utc(last)) else {
        return " at an unknown time".into();
    };
    let (from, to) = (clock(first), clock(last));
    if first.date() != last.date() {
        let year = match first.year() == last.year() {
            true => String::new(),
            false => format!(" {}", first.year()),
        };
        let (from_day, to_day) = (day(first), day(last));
        format!(
            " between {from} UTC on {from_day}{year} and {to} UTC on {to_day} {}",
            last.year()
        )
    } else if from == to {
        format!(" at {from} UTC on {} {}", day(first), first.year())
    } else {
        format!(
            " between {from} and {to} UTC on {} {}",
            day(first),
            first.year()
        )
    }
}

fn utc(seconds: i64) -> Option<DateTime> {
    Some(Offset::UTC.to_datetime(Timestamp::from_second(seconds).ok()?))
}

fn clock(time: DateTime) -> String {
    format!("{:02}:{:02}", time.hour(), time.minute())
}

fn day(time: DateTime) -> String {
    let month = match time.month() {
        1 => "January",
        2 => "February",
        3 => "March",
        4 => "April",
        5 => "May",
        6 => "June",
        7 => "July",
        8 => "August",
        9 => "September",
        10 => "October",
        11 => "November",
        _ => "December",
    };
    format!("{} {month}", time.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_name_three_or_count_the_others() {
        let letters = ["a", "b", "c", "d", "e"];
        let lists: Vec<String> = (0..=5)
            .map(|count| list(&letters[..count], count))
            .collect();
        assert_eq!(
            lists,
            [
                "",
                "a",
                "a and b",
                "a, b and c",
                "a, b and 2 others",
                "a, b and 3 others"
            ]
        );
        assert_eq!(list(&letters[..2], 3), "a, b and 1 other");
    }

    #[test]
    fn nouns_have_plurals_and_articles() {
        for (noun, many, one) in [
            ("policy", "policies", "a policy"),
            ("gateway", "gateways", "a gateway"),
            ("instance", "instances", "an instance"),
            ("user", "users", "a user"),
            ("instances", "instances", "instances"),
        ] {
            assert_eq!(
                (plural(noun), with_article(noun)),
                (many.into(), one.into())
            );
        }
    }

    #[test]
    fn numbers_are_rounded_to_what_is_telling() {
        for (number, text) in [
            ("50.1", "50.1"),
            ("1.7561507937", "1.8"),
            ("50", "50"),
            ("0.00123", "0.0012"),
            ("0", "0"),
            ("100.0", "100"),
            ("1e300", "1.0e300"),
        ] {
            assert_eq!(rounded(number).as_deref(), Some(text));
        }
        assert_eq!(rounded("x"), None);
    }

    #[test]
    fn durations_are_in_the_unit_that_tells_most() {
        for (seconds, text) in [
            (-5, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (2_520, "42 minutes"),
            (7_199, "119 minutes"),
            (7_200, "2 hours"),
            (200_000, "2 days"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn instants_are_said_to_the_second() {
        assert_eq!(instant(1_772_460_120), "2026-03-02 14:02:00 UTC");
        assert_eq!(instant(i64::MAX), "unknown time");
        assert_eq!(
            rfc3339(1_772_460_120).as_deref(),
            Some("2026-03-02T14:02:00Z")
        );
        assert_eq!(rfc3339(i64::MAX), None);
    }

    #[test]
    fn spans_are_as_short_as_can_be() {
        let (march, day) = (1_772_460_120, 86_400);
        assert_eq!(span(march, march + 59), " at 14:02 UTC on 2 March 2026");
        assert_eq!(
            span(march, march + 240),
            " between 14:02 and 14:06 UTC on 2 March 2026"
        );
        assert_eq!(
            span(march, march + day),
            " between 14:02 UTC on 2 March and 14:02 UTC on 3 March 2026"
        );
        assert_eq!(
            span(march - 365 * day, march),
            " between 14:02 UTC on 2 March 2025 and 14:02 UTC on 2 March 2026"
        );
        assert_eq!(span(i64::MIN, march), " at an unknown time");
    }
}

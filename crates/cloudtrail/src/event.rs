//! The few things every event is asked for: when, whose account, which event.
//!
//! No member is required. What a record does not say, the place where it was found says.

use std::borrow::Cow;
use std::hash::Hasher as _;

use jiff::Timestamp;
use raw_json::{Object, Value};
use siphasher::sip::SipHasher24;

/// Selectors of what is the same in many events of a log file: to know it tells little about the event.
pub const FEW_VALUES: [&str; 16] = [
    "$.eventVersion",
    "$.eventType",
    "$.eventCategory",
    "$.managementEvent",
    "$.readOnly",
    "$.awsRegion",
    "$.recipientAccountId",
    "$.apiVersion",
    "$.userIdentity.type",
    "$.userIdentity.accountId",
    "$.userIdentity.sessionContext.attributes.mfaAuthenticated",
    "$.userIdentity.sessionContext.sessionIssuer.type",
    "$.userIdentity.sessionContext.sessionIssuer.accountId",
    "$.tlsDetails.tlsVersion",
    "$.tlsDetails.cipherSuite",
    "$.sessionCredentialFromConsole",
];

/// Where a record was found, and what that place says about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// Path or `s3://bucket/key`.
    pub location: String,
    /// The minute of delivery in the key, in Unix seconds.
    pub delivery_time: Option<i64>,
    /// When the object was last modified, in Unix seconds.
    pub last_modified: Option<i64>,
    /// The account in the key.
    pub account_id: Option<String>,
}

/// When an event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTime {
    /// Unix seconds; fractions are cut off.
    pub seconds: i64,
    /// The record has no readable time: this is the minute of delivery in the key or, failing
    /// that, when the object was last modified (0 if that is not known either).
    pub from_key: bool,
}

impl EventTime {
    /// [`EventHead::time`], from the first [`EventHead::MEMBERS_FOR_TIME`] of [`EventHead::MEMBERS`].
    pub fn of(members: &[Option<Value<'_>>], origin: &Origin) -> Self {
        let (event_time, time_window) = match members {
            [event_time, time_window, ..] => (*event_time, *time_window),
            _ => (None, None),
        };
        let written = event_time.and_then(readable_time).or_else(|| {
            let start = time_window?.get("windowStart")?;
            readable_time(start)
        });
        match written {
            Some(seconds) => EventTime {
                seconds,
                from_key: false,
            },
            None => EventTime {
                seconds: origin
                    .delivery_time
                    .or(origin.last_modified)
                    .unwrap_or_default(),
                from_key: true,
            },
        }
    }
}

/// The members that every event is asked for, found in one pass over the record.
#[derive(Debug, Clone, Copy, Default)]
pub struct EventHead<'r> {
    event_time: Option<Value<'r>>,
    time_window: Option<Value<'r>>,
    event_id: Option<Value<'r>>,
    aggregated_event_id: Option<Value<'r>>,
    recipient_account_id: Option<Value<'r>>,
    aggregated_account_id: Option<Value<'r>>,
    user_identity: Option<Value<'r>>,
}

impl<'r> EventHead<'r> {
    /// The members it is made of.
    pub const MEMBERS: [&'static str; 7] = [
        "eventTime",
        "timeWindow",
        "eventID",
        "eventId",
        "recipientAccountId",
        "accountId",
        "userIdentity",
    ];

    /// How many of them, the first ones, [`EventHead::time`] is read from.
    pub const MEMBERS_FOR_TIME: usize = 2;

    /// Looks for them; of duplicates the last one counts.
    pub fn of(record: Object<'r>) -> Self {
        let mut members = [None; 7];
        for (name, value) in record.members() {
            let known = Self::MEMBERS.iter().zip(&mut members);
            if let Some((_, member)) = known.into_iter().find(|(known, _)| name.equals(known)) {
                *member = Some(value);
            }
        }
        Self::from_members(members)
    }

    /// From the values of [`EventHead::MEMBERS`], if somebody has found them already.
    pub fn from_members(members: [Option<Value<'r>>; 7]) -> Self {
        let [
            event_time,
            time_window,
            event_id,
            aggregated_event_id,
            recipient_account_id,
            aggregated_account_id,
            user_identity,
        ] = members;
        EventHead {
            event_time,
            time_window,
            event_id,
            aggregated_event_id,
            recipient_account_id,
            aggregated_account_id,
            user_identity,
        }
    }

    /// Reads `eventTime`; for aggregated events, which have none, the start of their `timeWindow`.
    pub fn time(&self, origin: &Origin) -> EventTime {
        EventTime::of(&[self.event_time, self.time_window], origin)
    }

    /// The account the event is counted for: `recipientAccountId`, else the account in the key, else
    /// `userIdentity.accountId`, else the `accountId` of aggregated events, else `unknown`.
    pub fn account<'a>(&self, origin: &'a Origin) -> Cow<'a, str>
    where
        'r: 'a,
    {
        let in_identity = || self.user_identity?.get("accountId");
        account_text(self.recipient_account_id)
            .or_else(|| origin.account_id.as_deref().map(Cow::Borrowed))
            .or_else(|| account_text(in_identity()))
            .or_else(|| account_text(self.aggregated_account_id))
            .unwrap_or(Cow::Borrowed("unknown"))
    }

    /// The event's id: `eventID`, or `eventId` as aggregated events spell it.
    pub fn event_id(&self) -> Option<Cow<'r, str>> {
        let text = |id: Option<Value<'r>>| id?.as_str().filter(|id| !id.is_empty());
        text(self.event_id).or_else(|| text(self.aggregated_event_id))
    }

    fn raw_event_id(&self) -> &'r [u8] {
        let raw = |id: Option<Value<'r>>| match id? {
            Value::String(id) if !id.raw().is_empty() => Some(id.raw()),
            _ => None,
        };
        raw(self.event_id)
            .or_else(|| raw(self.aggregated_event_id))
            .unwrap_or_default()
    }

    /// What makes an event the same event wherever it is met, as 64 bits: account and event id, or,
    /// without an id, the place where it lies.
    ///
    /// Two copies of one file, a redelivery or a replay give the same value; the copies that the two
    /// accounts of a cross-account call receive do not (they share `sharedEventID` only). The
    /// function is fixed (SipHash-2-4, key zero): values may be stored.
    pub fn identity(&self, origin: &Origin, index: u64) -> u64 {
        let mut hasher = SipHasher24::new();
        let mut part = |bytes: &[u8]| {
            hasher.write_u64(bytes.len() as u64);
            hasher.write(bytes);
        };
        match self.event_id() {
            Some(id) => {
                part(b"id");
                part(self.account(origin).as_bytes());
                match id.contains(char::REPLACEMENT_CHARACTER) {
                    // Different bytes that stand for no character are different ids.
                    true => part(self.raw_event_id()),
                    false => part(id.as_bytes()),
                }
            }
            None => {
                part(b"place");
                part(origin.location.as_bytes());
                part(&index.to_le_bytes());
            }
        }
        hasher.finish()
    }
}

/// The event's id; see [`EventHead::event_id`].
pub fn event_id(record: Object<'_>) -> Option<Cow<'_, str>> {
    EventHead::of(record).event_id()
}

/// Account ids are strings; some were written as numbers.
fn account_text(value: Option<Value<'_>>) -> Option<Cow<'_, str>> {
    match value? {
        Value::String(text) => Some(text.decode()).filter(|account| !account.is_empty()),
        Value::Number(digits) => Some(Cow::Borrowed(digits)),
        _ => None,
    }
}

fn readable_time(value: Value<'_>) -> Option<i64> {
    match value {
        Value::String(text) => parse_time(&text.decode()),
        _ => None,
    }
}

/// Reads a time as CloudTrail writes it (`2026-03-02T02:10:00Z`, also `20260302T021000Z`, fractions
/// and offsets) as Unix seconds. A leap second counts as the second before it.
pub fn parse_time(text: &str) -> Option<i64> {
    whole_seconds_utc(text.as_bytes()).or_else(|| {
        text.trim()
            .parse::<Timestamp>()
            .ok()
            .map(Timestamp::as_second)
    })
}

/// The form nearly all events have, `YYYY-MM-DDTHH:MM:SSZ`, without a general parser.
fn whole_seconds_utc(text: &[u8]) -> Option<i64> {
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'Z',
    ] = text
    else {
        return None;
    };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2];
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |tens: u8, ones: u8| i64::from(tens - b'0') * 10 + i64::from(ones - b'0');
    let (year, month, day) = (two(y1, y2) * 100 + two(y3, y4), two(m1, m2), two(d1, d2));
    let (hour, minute, second) = (two(h1, h2), two(n1, n2), two(s1, s2));
    let is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_month = match month {
        2 => 28 + i64::from(is_leap_year),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    // The last days there are, and leap seconds, are for the general parser.
    if year == 9999 {
        return None;
    }
    let is_time = hour < 24 && minute < 60 && second < 60;
    if !(is_time && (1..=days_of_month).contains(&day)) {
        return None;
    }
    // Counted from 1 March of year 0: then the leap day is the last one of its year, and five months have 153 days.
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = 365 * year + leap_days + (153 * month + 2) / 5 + day - 1;
    Some((days - DAYS_BEFORE_1970) * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// From 1 March of year 0 to 1 January 1970.
const DAYS_BEFORE_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Object<'_> {
        Object::parse(text.as_bytes()).unwrap()
    }

    fn recipient_account(record: Object<'_>, origin: &Origin) -> String {
        EventHead::of(record).account(origin).into_owned()
    }

    fn event_identity(record: Object<'_>, origin: &Origin, index: u64) -> u64 {
        EventHead::of(record).identity(origin, index)
    }

    #[test]
    fn of_duplicate_members_the_last_one_counts_however_it_is_written() {
        let twice = record(r#"{"eventID":"a","event\u0049D":"b","eventID\u0000":"c"}"#);
        assert_eq!(event_id(twice).as_deref(), Some("b"));
    }

    fn origin() -> Origin {
        Origin {
            location: "a.json.gz".into(),
            delivery_time: Some(1_772_417_700),
            last_modified: Some(1),
            account_id: Some("111122223333".into()),
        }
    }

    #[test]
    fn every_way_cloudtrail_writes_a_time_is_read() {
        for text in [
            "2026-03-02T02:15:00Z",
            "20260302T021500Z",
            "2026-03-02T02:15:00.999Z",
            "2026-03-02T03:15:00+01:00",
            " 2026-03-02T02:15:00Z",
        ] {
            assert_eq!(parse_time(text), Some(1_772_417_700), "{text}");
        }
        assert_eq!(
            parse_time("2024-02-29T23:59:60Z"),
            parse_time("2024-02-29T23:59:59Z")
        );
        for text in [
            "",
            "redacted",
            "2026-13-02T02:15:00Z",
            "1772417700",
            "2026-03-02",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn the_usual_form_is_read_as_the_general_parser_reads_it() {
        for year in [
            0, 1, 4, 100, 400, 1899, 1900, 1970, 1999, 2000, 2023, 2024, 2100, 9998,
        ] {
            for month in 0..14 {
                for day in 0..33 {
                    let text = format!("{year:04}-{month:02}-{day:02}T23:59:58Z");
                    let general = text.parse::<Timestamp>().ok().map(Timestamp::as_second);
                    assert_eq!(whole_seconds_utc(text.as_bytes()), general, "{text}");
                }
            }
        }
        for odd in [
            "24:00:00", "00:60:00", "00:00:60", "0a:00:00", "-1:00:00", "+1:00:00",
        ] {
            let text = format!("2026-03-02T{odd}Z");
            assert_eq!(whole_seconds_utc(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_record_without_a_readable_time_takes_the_minute_of_its_delivery() {
        for text in [
            "{}",
            r#"{"eventTime":null}"#,
            r#"{"eventTime":"redacted"}"#,
            r#"{"eventTime":5}"#,
        ] {
            assert_eq!(
                EventHead::of(record(text)).time(&origin()),
                EventTime {
                    seconds: 1_772_417_700,
                    from_key: true
                },
                "{text}"
            );
        }
        let moved = Origin {
            delivery_time: None,
            ..origin()
        };
        assert_eq!(EventHead::of(record("{}")).time(&moved).seconds, 1);
    }

    #[test]
    fn aggregated_events_happen_when_their_window_starts() {
        let text = r#"{"timeWindow":{"windowStart":"2026-03-02T02:15:00Z","windowEnd":"2026-03-02T02:20:00Z"}}"#;
        assert_eq!(
            EventHead::of(record(text)).time(&Origin::default()),
            EventTime {
                seconds: 1_772_417_700,
                from_key: false
            }
        );
    }

    #[test]
    fn the_account_comes_from_the_record_then_the_key_then_the_identity() {
        let identity = r#"{"userIdentity":{"accountId":"444455556666"}}"#;
        assert_eq!(
            recipient_account(
                record(r#"{"recipientAccountId":"012345678901"}"#),
                &origin()
            ),
            "012345678901"
        );
        assert_eq!(
            recipient_account(record(identity), &origin()),
            "111122223333"
        );
        assert_eq!(
            recipient_account(record(identity), &Origin::default()),
            "444455556666"
        );
        assert_eq!(
            recipient_account(
                record(r#"{"accountId":"444455556666"}"#),
                &Origin::default()
            ),
            "444455556666"
        );
        assert_eq!(
            recipient_account(record("{}"), &Origin::default()),
            "unknown"
        );
    }

    #[test]
    fn an_event_is_the_same_wherever_it_lies() {
        let here = origin();
        let there = Origin {
            location: "b.json.gz".into(),
            ..origin()
        };
        let event = record(r#"{"eventID":"e-1","recipientAccountId":"111122223333"}"#);
        assert_eq!(
            event_identity(event, &here, 0),
            event_identity(event, &there, 9)
        );
        let lower =
            record(r#"{"eventID":null,"eventId":"e-1","recipientAccountId":"111122223333"}"#);
        assert_eq!(
            event_identity(event, &here, 0),
            event_identity(lower, &here, 0)
        );
        let other_account = record(r#"{"eventID":"e-1","recipientAccountId":"444455556666"}"#);
        assert_ne!(
            event_identity(event, &here, 0),
            event_identity(other_account, &here, 0)
        );
    }

    #[test]
    fn ids_that_are_no_text_stay_apart() {
        let id = |text| event_identity(record(text), &origin(), 0);
        assert_ne!(id(r#"{"eventID":"\ud800"}"#), id(r#"{"eventID":"\ud801"}"#));
        assert_eq!(id(r#"{"eventID":"\u0061"}"#), id(r#"{"eventID":"a"}"#));
    }

    #[test]
    fn without_an_id_the_place_decides() {
        let event = record("{}");
        let there = Origin {
            location: "b.json.gz".into(),
            ..origin()
        };
        assert_eq!(
            event_identity(event, &origin(), 1),
            event_identity(event, &origin(), 1)
        );
        assert_ne!(
            event_identity(event, &origin(), 1),
            event_identity(event, &origin(), 2)
        );
        assert_ne!(
            event_identity(event, &origin(), 1),
            event_identity(event, &there, 1)
        );
    }
}

//! The story of an alarm in one sentence, and its subject line.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cloudtrail::printable;

use crate::counts::{Counts, PART_CHARACTERS};
use crate::deed::{clauses, is_sign_in, many_calls, most_telling};
use crate::evidence::Evidence;
use crate::phrase::service;
use crate::words::{list, span};

/// What an alarm is about, besides its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StorySubject<'a> {
    /// The filter's title: `Console sign-in failures`.
    pub title: &'a str,
    /// The filter's severity: `high`.
    pub severity: &'a str,
    /// When the alarm goes off, if that is to be told: `3 or more in 5 minutes`.
    pub threshold: Option<&'a str>,
}

/// Longest story, in characters.
const STORY_CHARACTERS: usize = 1500;

/// Most groups of actors whose deeds are told one after the other.
const MOST_PARTIES: usize = 3;

/// Longest telling of them, in characters.
const APART_CHARACTERS: usize = 700;

/// Tells in one sentence who did what to what, from where, in which account and region, when, how
/// often and with which outcome.
///
/// Deeds stand beside those whose deeds they are, and details beside their targets; where that would
/// be too much, calls are counted and the most telling deed is told.
///
/// `events` is what was kept of the alarm's events, in any order; `total` is how many distinct
/// events there were. What was not kept is counted, never guessed.
///
/// ```
/// use notification::{Evidence, EvidenceContext, StorySubject, story};
///
/// let record = raw_json::Object::parse(br#"{ "eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com",
///     "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7", "requestParameters": { "name": "management-events" },
///     "userIdentity": { "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/DeployRole/ci-runner" } }"#)?;
/// let context = EvidenceContext { time: 1_772_460_120, account: "111122223333", ..Default::default() };
/// assert_eq!(
///     story(&[&Evidence::of(record, &context)], 1, &StorySubject::default()),
///     "DeployRole/ci-runner stopped logging on trail management-events from 198.51.100.7 \
///      in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026."
/// );
/// # Ok::<(), raw_json::SyntaxError>(())
/// ```
pub fn story(events: &[&Evidence], total: usize, subject: &StorySubject<'_>) -> String {
    let mut events = events.to_vec();
    events.sort();
    let sentence = match events.as_slice() {
        [] => without_events(total, subject),
        events => {
            let threshold = subject.threshold.map(|text| format!(" (alarm at {text})"));
            let account = Account::of(events);
            [
                not_kept(events.len(), total),
                account.text,
                account.sources,
                places(events),
                when(events),
                corrections(events),
                among_them(account.most_telling),
                threshold.unwrap_or_default(),
            ]
            .concat()
        }
    };
    printable(&sentence, STORY_CHARACTERS) + "."
}

/// The subject of a message: `[HIGH] Console sign-in failures: 5 by alice in 111122223333`. One line of
/// at most 99 ASCII characters; where it would be longer, the names in it are cut and the count stays.
pub fn subject_line(events: &[&Evidence], total: usize, subject: &StorySubject<'_>) -> String {
    subject_within(events, total, subject, SUBJECT_CHARACTERS)
}

/// [`subject_line`] of at most so many characters.
pub(crate) fn subject_within(
    events: &[&Evidence],
    total: usize,
    subject: &StorySubject<'_>,
    most_characters: usize,
) -> String {
    let severity = ascii(subject.severity).to_ascii_uppercase();
    let severity = match severity.trim() {
        "" => String::new(),
        severity => format!("[{}] ", cut(severity, 10)),
    };
    let title = ascii(subject.title);
    let count = total.max(events.len());
    let account = among(
        events.iter().map(|event| event.account.as_str()),
        "accounts",
    );
    let account = match account.as_str() {
        "" => String::new(),
        account => format!(" in {}", cut(&ascii(account), 20)),
    };
    let by_root = format!(
        "root of account {}",
        events.first().map_or("", |event| &event.account)
    );
    let actor = match among(
        events.iter().map(|event| event.actor.as_str()),
        "identities",
    ) {
        actor if actor == by_root => "root".into(),
        actor => ascii(&actor),
    };
    // The title is what the reader knows; a long name gives way first, but not below 24 characters.
    let fixed = severity.len() + format!(": {count}, some by ").len() + account.len();
    let room = most_characters.saturating_sub(fixed);
    let for_actor = room.saturating_sub(title.len()).max(24);
    let actor = match actor.rsplit_once('/') {
        // Of a role's session the name of the session says more.
        Some((_, session)) if actor.len() > for_actor => cut(session, for_actor),
        _ => cut(&actor, for_actor),
    };
    let by = match actor.as_str() {
        "" => String::new(),
        actor if total > events.len() => format!(", some by {actor}"),
        actor => format!(" by {actor}"),
    };
    let title = cut(&title, room.saturating_sub(actor.len()).max(10));
    cut(
        &format!("{severity}{title}: {count}{by}{account}"),
        most_characters,
    )
}

/// SNS takes subjects of fewer than 100 characters.
pub(crate) const SUBJECT_CHARACTERS: usize = 99;

pub(crate) fn ascii(text: &str) -> String {
    let printable = printable(text, PART_CHARACTERS);
    let ascii = |c: char| if c.is_ascii() { c } else { '?' };
    printable
        .chars()
        .map(ascii)
        .collect::<String>()
        .trim()
        .into()
}

/// ASCII text of at most so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.into();
    }
    let kept: String = text.chars().take(most.saturating_sub(3)).collect();
    kept.trim_end().to_string() + "..."
}

/// The only one, or how many there are.
fn among<'a>(texts: impl Iterator<Item = &'a str>, nouns: &str) -> String {
    let texts: BTreeSet<&str> = texts.collect();
    match (texts.len(), texts.first()) {
        (0, _) | (_, None) => String::new(),
        (1, Some(only)) => (*only).into(),
        (count, _) => format!("{count} {nouns}"),
    }
}

fn without_events(total: usize, subject: &StorySubject<'_>) -> String {
    let title = match subject.title {
        "" => "alarm",
        title => title,
    };
    match total {
        0 => format!("{title}: no events"),
        1 => format!("{title}: 1 event, which was not kept"),
        total => format!("{title}: {total} events, none of which was kept"),
    }
}

fn not_kept(kept: usize, total: usize) -> String {
    if total <= kept {
        String::new()
    } else if kept == 1 {
        format!("{total} events; in the one kept, ")
    } else {
        format!("{total} events; in the {kept} kept, ")
    }
}

/// Who did it and what: each deed beside those whose deed it is.
struct Account {
    /// `alice (IAM user) stopped logging on trail t`.
    text: String,
    /// Where from, if that is not in the text.
    sources: String,
    /// What of many calls must not be missed.
    most_telling: Option<String>,
}

/// Those who did the same to the same, and what they did.
struct Party<'e> {
    events: Vec<&'e Evidence>,
    several: bool,
}

impl Account {
    fn of(events: &[&Evidence]) -> Account {
        let parties = parties(events);
        match parties.as_slice() {
            [party] => Account::together(events, party.several),
            parties => Account::apart(parties).unwrap_or_else(|| Account::summed(events)),
        }
    }

    /// All did the same.
    fn together(events: &[&Evidence], several: bool) -> Account {
        let clauses = clauses(events, several);
        Account {
            most_telling: match clauses {
                None => most_telling(events, several),
                Some(_) => None,
            },
            text: match clauses {
                Some(clauses) => format!("{} {clauses}", who(events)),
                None => format!("{} {}", who(events), many_calls(events, several)),
            },
            sources: sources(events),
        }
    }

    /// `builder (IAM user) created trail t; thief (IAM user) stopped logging on trail t; both from
    /// 198.51.100.7`, if that stays short.
    fn apart(parties: &[Party<'_>]) -> Option<Account> {
        if parties.len() > MOST_PARTIES {
            return None;
        }
        let mut sources: Vec<String> = parties.iter().map(|party| sources(&party.events)).collect();
        sources.dedup();
        let common = match sources.as_slice() {
            [same] => Some(same.clone()),
            _ => None,
        };
        let told = parties.iter().map(|party| party.told(common.is_none()));
        let told: Vec<String> = told.collect();
        let are_two = parties.len() == 2 && !parties.iter().any(|party| party.several);
        let all = if are_two { "both" } else { "all" };
        let text = format!("{}; {all}", told.join("; "));
        (text.chars().count() <= APART_CHARACTERS).then(|| Account {
            text,
            sources: common.unwrap_or_default(),
            most_telling: None,
        })
    }

    /// `builder (12 calls), thief (3) and dana (2) made 17 calls (...)`.
    fn summed(events: &[&Evidence]) -> Account {
        let mut names = Vec::new();
        for (index, (actor, count)) in ranked_actors(events).into_iter().enumerate() {
            let calls = match (index, count) {
                (0, 1) => " call",
                (0, _) => " calls",
                _ => "",
            };
            let actor = printable(actor, PART_CHARACTERS);
            names.push(format!("{actor} ({count}{calls})"));
        }
        let who = list(&names, names.len());
        Account {
            text: format!("{who} {}", many_calls(events, true)),
            sources: sources(events),
            most_telling: most_telling(events, true),
        }
    }
}

impl Party<'_> {
    fn told(&self, with_sources: bool) -> String {
        let who = who(&self.events);
        let from = match with_sources {
            true => sources(&self.events),
            false => String::new(),
        };
        if let Some(clauses) = clauses(&self.events, self.several) {
            return format!("{who} {clauses}{from}");
        }
        let calls = many_calls(&self.events, self.several);
        let most_telling = among_them(most_telling(&self.events, self.several));
        format!("{who} {calls}{from}{most_telling}")
    }
}

/// The events of those who did the same to the same, in the order in which they began.
fn parties<'e>(events: &[&'e Evidence]) -> Vec<Party<'e>> {
    let mut deeds: BTreeMap<&str, BTreeSet<_>> = BTreeMap::new();
    for event in events {
        let mfa = event.mfa.filter(|_| is_sign_in(event));
        let call = (event.kind, &event.event_source, &event.event_name);
        let deed = (call, event.outcome, &event.target, &event.detail, mfa);
        deeds.entry(&event.actor).or_default().insert(deed);
    }
    let mut by_deeds: BTreeMap<_, Vec<&Evidence>> = BTreeMap::new();
    for event in events {
        let did = deeds.get(event.actor.as_str());
        by_deeds.entry(did).or_default().push(event);
    }
    let mut parties: Vec<Vec<&Evidence>> = by_deeds.into_values().collect();
    parties.sort_by_key(|events| events.first().copied());
    let party = |events: Vec<&'e Evidence>| Party {
        several: Counts::of(events.iter().map(|event| event.actor.as_str())).len() > 1,
        events,
    };
    parties.into_iter().map(party).collect()
}

fn who(events: &[&Evidence]) -> String {
    let details = Counts::of(events.iter().map(|event| event.actor_detail.as_str()));
    // That a sign-in was without MFA is said of the sign-in.
    let is_said_later = events.iter().all(|event| is_sign_in(event));
    let actors = ranked_actors(events).into_iter();
    let names: Vec<String> = actors
        .map(|(name, _)| printable(name, PART_CHARACTERS))
        .collect();
    match (names.len(), details.len()) {
        (1, 1) if !is_said_later => details.listed(),
        (count, _) => list(&names, count),
    }
}

/// The actors and how many events each has: people before programs, then the most frequent.
fn ranked_actors<'e>(events: &[&'e Evidence]) -> Vec<(&'e str, usize)> {
    let people = events.iter().filter(|event| !event.actor_is_machine);
    let people: BTreeSet<&str> = people.map(|event| event.actor.as_str()).collect();
    let actors = Counts::of(events.iter().map(|event| event.actor.as_str()));
    actors.ranked_by(|actor| !people.contains(actor))
}

fn among_them(most_telling: Option<String>) -> String {
    most_telling.map_or(String::new(), |deed| format!(", among them: {deed}"))
}

/// ` from 198.51.100.7`, ` from 7 addresses`; services that call for somebody are told with them.
fn sources(events: &[&Evidence]) -> String {
    let mut addresses = Vec::new();
    let mut services = Vec::new();
    for event in events {
        match event.source_ip.as_deref() {
            None => {}
            Some(source) if !is_service(source) => addresses.push(source),
            Some(service) if event.actor_detail.contains(service) => {}
            Some("AWS Internal") => addresses.push("inside AWS"),
            Some(service) => services.push(service),
        }
    }
    let addresses = Counts::of(addresses.into_iter());
    let services = Counts::of(services.into_iter());
    let from = match addresses.len() {
        0 => String::new(),
        1..=3 => format!(" from {}", addresses.listed()),
        count => format!(" from {count} addresses"),
    };
    match services.len() {
        0 => from,
        _ => format!("{from} through {}", services.listed()),
    }
}

fn is_service(source: &str) -> bool {
    let is_address = source.parse::<IpAddr>().is_ok();
    !is_address && (source.ends_with(".amazonaws.com") || source == "AWS Internal")
}

/// Services whose events stand in one region whatever they are about.
const GLOBAL_SERVICES: &[&str] = &["signin", "iam", "organizations", "cloudfront", "route53"];

/// ` in us-east-1 of account 111122223333`.
fn places(events: &[&Evidence]) -> String {
    let is_known = |account: &&str| !account.is_empty() && *account != "unknown";
    let accounts = Counts::of(
        events
            .iter()
            .map(|event| event.account.as_str())
            .filter(is_known),
    );
    let regional = events
        .iter()
        .filter(|event| !GLOBAL_SERVICES.contains(&service(&event.event_source)));
    let regions = Counts::of(regional.filter_map(|event| event.region.as_deref()));
    let account = match accounts.names().as_slice() {
        [] => String::new(),
        [account] => {
            let root = format!("root of account {account}");
            match events.iter().all(|event| event.actor == root) {
                true => String::new(),
                false => format!("account {account}"),
            }
        }
        names if names.len() <= 3 => format!("accounts {}", accounts.listed()),
        names => format!("{} accounts", names.len()),
    };
    let region = match regions.len() {
        0..=3 => regions.listed(),
        count => format!("{count} regions"),
    };
    match (region.as_str(), account.as_str()) {
        ("", "") => String::new(),
        ("", place) | (place, "") => format!(" in {place}"),
        (region, account) => format!(" in {region} of {account}"),
    }
}

fn when(events: &[&Evidence]) -> String {
    let is_known = |event: &&&Evidence| !(event.time_from_key && event.time == 0);
    let times: Vec<i64> = events
        .iter()
        .filter(is_known)
        .map(|event| event.time)
        .collect();
    match (times.iter().min(), times.iter().max()) {
        (Some(first), Some(last)) => span(*first, *last) + unread_time(events),
        _ => " at an unknown time".into(),
    }
}

/// Says whose time it is if it is not that of the records.
fn unread_time(events: &[&Evidence]) -> &'static str {
    let unread = events.iter().filter(|event| event.time_from_key).count();
    match (unread, events.len()) {
        (0, _) => "",
        (1, 1) => " (no readable time in the record)",
        (unread, all) if unread == all => " (no readable time in the records)",
        _ => " (no readable time in some of the records)",
    }
}

fn corrections(events: &[&Evidence]) -> String {
    let corrections = events.iter().filter(|event| event.correction).count();
    match (corrections, events.len()) {
        (0, _) => String::new(),
        (1, 1) => ", which corrects an earlier event".into(),
        (1, _) => ", 1 of them a correction of an earlier event".into(),
        (count, _) => format!(", {count} of them corrections of earlier events"),
    }
}

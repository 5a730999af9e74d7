//! The story of an alarm in one sentence, and its subject line.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use cloudtrail::printable;

use crate::evidence::{EventKind, Evidence, Outcome, UNNAMED};
use crate::phrase::{Phrase, any_target_nouns, service};
use crate::words::{list, plural, span, times};

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

/// Longest description of one actor, target or detail in it.
const PART_CHARACTERS: usize = 300;

/// Most calls of different names that are told one by one.
const MOST_CLAUSES: usize = 3;

/// Tells in one sentence who did what to what, from where, in which account and region, when, how
/// often and with which outcome.
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
            [
                not_kept(events.len(), total),
                told(events),
                sources(events),
                places(events),
                when(events),
                corrections(events),
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
    let room = SUBJECT_CHARACTERS.saturating_sub(fixed);
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
        SUBJECT_CHARACTERS,
    )
}

/// SNS takes subjects of fewer than 100 characters.
const SUBJECT_CHARACTERS: usize = 99;

fn ascii(text: &str) -> String {
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
fn cut(text: &str, most: usize) -> String {
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

/// How often each text occurs.
#[derive(Default)]
struct Counts<'a>(BTreeMap<&'a str, usize>);

impl<'a> Counts<'a> {
    fn of(texts: impl Iterator<Item = &'a str>) -> Self {
        let mut counts = Counts::default();
        for text in texts {
            *counts.0.entry(text).or_default() += 1;
        }
        counts
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    /// The most frequent first, equal ones by name.
    fn ranked(&self) -> Vec<(&'a str, usize)> {
        let mut ranked: Vec<_> = self.0.iter().map(|(text, count)| (*text, *count)).collect();
        ranked.sort_by_key(|(text, count)| (std::cmp::Reverse(*count), *text));
        ranked
    }

    fn names(&self) -> Vec<String> {
        let names = self.ranked().into_iter();
        names
            .map(|(name, _)| printable(name, PART_CHARACTERS))
            .collect()
    }

    fn listed(&self) -> String {
        list(&self.names(), self.len())
    }
}

/// Who did what. What one of several did is never told of the others.
fn told(events: &[&Evidence]) -> String {
    let mut by_actor: BTreeMap<&str, Vec<&Evidence>> = BTreeMap::new();
    for event in events {
        by_actor.entry(&event.actor).or_default().push(event);
    }
    let mut actors: Vec<Vec<&Evidence>> = by_actor.into_values().collect();
    actors.sort_by_key(|events| events.first().map(|event| event.time));
    let did_the_same = actors.windows(2).all(|pair| match pair {
        [one, other] => what_was_done(one) == what_was_done(other),
        _ => true,
    });
    if did_the_same {
        return format!("{} {}", who(events), deeds(events));
    }
    if actors.len() > MOST_ACTORS {
        return format!("{} {}", who(events), many_calls(events, true));
    }
    let clauses = actors
        .iter()
        .map(|events| format!("{} {}", who(events), deeds(events)));
    clauses.collect::<Vec<_>>().join("; ")
}

/// Most actors that are told one by one.
const MOST_ACTORS: usize = 3;

type Done<'e> = (
    EventKind,
    &'e str,
    &'e str,
    Outcome,
    Option<&'e str>,
    Option<&'e str>,
);

fn what_was_done<'e>(events: &[&'e Evidence]) -> BTreeSet<Done<'e>> {
    let done = |event: &&'e Evidence| {
        let Evidence {
            kind,
            event_source,
            event_name,
            outcome,
            target,
            detail,
            ..
        } = *event;
        (
            *kind,
            event_source.as_str(),
            event_name.as_str(),
            *outcome,
            target.as_deref(),
            detail.as_deref(),
        )
    };
    events.iter().map(done).collect()
}

fn who(events: &[&Evidence]) -> String {
    let actors = Counts::of(events.iter().map(|event| event.actor.as_str()));
    let details = Counts::of(events.iter().map(|event| event.actor_detail.as_str()));
    // That a sign-in was without MFA is said of the sign-in.
    let is_said_later = events.iter().all(|event| is_sign_in(event));
    match (actors.len(), details.len()) {
        (1, 1) if !is_said_later => details.listed(),
        _ => actors.listed(),
    }
}

/// A successful sign-in to the console, which is told with its MFA.
fn is_sign_in(event: &Evidence) -> bool {
    event.event_name == "ConsoleLogin" && event.outcome == Outcome::Succeeded
}

/// The events of one name and outcome.
struct Deed<'e> {
    events: Vec<&'e Evidence>,
    phrase: Option<&'static Phrase>,
    outcome: Outcome,
}

fn deeds(events: &[&Evidence]) -> String {
    let mut by_name: BTreeMap<_, Vec<&Evidence>> = BTreeMap::new();
    for event in events {
        let key = (
            event.kind,
            &event.event_source,
            &event.event_name,
            event.outcome,
        );
        by_name.entry(key).or_default().push(event);
    }
    let mut deeds: Vec<Deed<'_>> = by_name
        .into_iter()
        .map(|((kind, source, name, outcome), events)| Deed {
            phrase: Phrase::find(source, name).filter(|_| kind == EventKind::Call),
            outcome,
            events,
        })
        .collect();
    // Within equal first times the order by name stays.
    deeds.sort_by_key(|deed| deed.events.first().map(|event| event.time));
    let several = Counts::of(events.iter().map(|event| event.actor.as_str())).len() > 1;
    let is_well_known =
        |deed: &Deed<'_>| deed.phrase.is_some() || deed.kind() == EventKind::Insight;
    if deeds.len() == 1 || deeds.len() <= MOST_CLAUSES && deeds.iter().all(is_well_known) {
        let clauses: Vec<String> = deeds.iter().map(|deed| deed.clause(several)).collect();
        list(&clauses, clauses.len())
    } else {
        many_calls(events, several)
    }
}

/// `was denied 37 calls (s3:GetObject 21, iam:ListUsers 9, 7 others)`,
/// `made 3 calls (s3:GetObject 2, iam:ListUsers 1; 1 denied)`.
fn many_calls(events: &[&Evidence], several: bool) -> String {
    let labels: Vec<String> = events.iter().map(|event| label(event)).collect();
    let ranked = Counts::of(labels.iter().map(String::as_str)).ranked();
    let shown = if ranked.len() > MOST_CLAUSES + 1 {
        MOST_CLAUSES
    } else {
        ranked.len()
    };
    let mut top: Vec<String> = ranked
        .iter()
        .take(shown)
        .map(|(label, count)| format!("{label} {count}"))
        .collect();
    let others: usize = ranked.iter().skip(shown).map(|(_, count)| count).sum();
    if others > 0 {
        top.push(format!("{others} others"));
    }
    let count = events.len();
    let with = |outcome| {
        events
            .iter()
            .filter(|event| event.outcome == outcome)
            .count()
    };
    let (denied, failed) = (with(Outcome::Denied), with(Outcome::Failed));
    let did = match (denied == count, failed == count) {
        (true, _) => format!("{} denied", was(several)),
        (_, true) => "failed in".into(),
        _ => "made".into(),
    };
    let some = |of_them: usize, what| {
        (of_them > 0 && of_them < count).then(|| format!("{of_them} {what}"))
    };
    let outcomes: Vec<String> = [some(denied, "denied"), some(failed, "failed")]
        .into_iter()
        .flatten()
        .collect();
    let (calls, names) = match ranked.as_slice() {
        [(only, _)] => (format!("calls of {only}"), String::new()),
        _ => ("calls".into(), top.join(", ")),
    };
    let notes: Vec<String> = [names, outcomes.join(", ")]
        .into_iter()
        .filter(|note| !note.is_empty())
        .collect();
    match notes.is_empty() {
        true => format!("{did} {count} {calls}"),
        false => format!("{did} {count} {calls} ({})", notes.join("; ")),
    }
}

fn was(several: bool) -> &'static str {
    if several { "were" } else { "was" }
}

/// Does the detail say that something is open to everybody or allows everything?
fn is_telling(event: &Evidence) -> bool {
    const TELLING: [&str; 5] = [
        "0.0.0.0/0",
        "::/0",
        "everyone",
        "everything",
        "AdministratorAccess",
    ];
    let detail = event.detail.as_deref().unwrap_or_default();
    TELLING.iter().any(|telling| detail.contains(telling))
}

/// `ec2:RunInstances`.
fn label(event: &Evidence) -> String {
    let name = printable(&event.event_name, PART_CHARACTERS);
    match service(&event.event_source) {
        "" => name,
        service => format!("{}:{name}", printable(service, PART_CHARACTERS)),
    }
}

impl Deed<'_> {
    fn kind(&self) -> EventKind {
        self.events
            .first()
            .map_or(EventKind::Call, |event| event.kind)
    }

    /// The deed as the rest of a sentence that starts with who did it.
    fn clause(&self, several: bool) -> String {
        match (self.kind(), self.phrase) {
            (EventKind::Insight, _) => self.insight(),
            (_, Some(phrase)) => self.told_as(phrase, several),
            _ => self.called(several),
        }
    }

    /// What it was done to, each thing with what was done to it.
    fn rest(&self, phrase: &Phrase) -> String {
        let mut by_target: BTreeMap<Option<&str>, Vec<&Evidence>> = BTreeMap::new();
        for event in &self.events {
            by_target
                .entry(event.target.as_deref())
                .or_default()
                .push(event);
        }
        let details = |events: &[&Evidence]| -> BTreeSet<Option<String>> {
            events.iter().map(|event| event.detail.clone()).collect()
        };
        let mut parts: Vec<Vec<&Evidence>> = by_target.into_values().collect();
        let are_alike = parts.windows(2).all(|pair| match pair {
            [one, other] => details(one) == details(other),
            _ => true,
        });
        if are_alike {
            return self.rest_together(phrase);
        }
        // What matters most must not be among the others.
        parts.sort_by_key(|events| !events.iter().any(|event| is_telling(event)));
        let shown: Vec<String> = parts
            .into_iter()
            .map(|events| Deed {
                events,
                phrase: self.phrase,
                outcome: self.outcome,
            })
            .map(|part| part.rest_together(phrase))
            .collect();
        list(&shown, shown.len())
    }

    fn rest_together(&self, phrase: &Phrase) -> String {
        let targets = self.texts(|event| event.target.as_deref());
        let details = self.texts(|event| event.detail.as_deref());
        let target = some(together(&targets, phrase.target_nouns()));
        let noun = phrase.detail_noun();
        let detail = match details.len() {
            0 => None,
            _ if noun.is_empty() => Some(details.listed()),
            1 => Some(format!("{noun} {}", details.listed())),
            _ => Some(format!("{} {}", plural(noun), details.listed())),
        };
        phrase.rest(target.as_deref(), detail.as_deref())
    }

    fn told_as(&self, phrase: &Phrase, several: bool) -> String {
        let targets = self.texts(|event| event.target.as_deref());
        let details = self.texts(|event| event.detail.as_deref());
        let rest = self.rest(phrase);
        let count = self.times(targets.len().max(details.len()));
        let (done, to_do) = (phrase.done, phrase.to_do);
        match self.outcome {
            Outcome::Succeeded => format!("{done} {rest}{}{count}", self.with_mfa()),
            Outcome::Denied => {
                format!(
                    "{} denied permission to {to_do} {rest}{count}",
                    was(several)
                )
            }
            Outcome::Failed => format!("failed to {to_do} {rest}{count}{}", self.codes()),
        }
    }

    fn with_mfa(&self) -> &'static str {
        let all = |mfa| {
            self.events
                .iter()
                .all(|event| is_sign_in(event) && event.mfa == Some(mfa))
        };
        if all(true) {
            " with MFA"
        } else if all(false) {
            " without MFA"
        } else {
            ""
        }
    }

    fn called(&self, several: bool) -> String {
        let Some(event) = self.events.first() else {
            return String::new();
        };
        let label = match (event.event_name.as_str(), service(&event.event_source)) {
            (UNNAMED, "") => "something that is not named".into(),
            (UNNAMED, service) => {
                format!(
                    "something of {} that is not named",
                    printable(service, PART_CHARACTERS)
                )
            }
            _ => label(event),
        };
        let targets = self.texts(|event| event.target.as_deref());
        let on = some(together(&targets, any_target_nouns())).map(|target| format!(" on {target}"));
        let (on, count) = (on.unwrap_or_default(), self.times(targets.len()));
        match (self.kind(), self.outcome) {
            (EventKind::ServiceEvent, Outcome::Succeeded) => format!("reported {label}{on}{count}"),
            (_, Outcome::Succeeded) => format!("called {label}{on}{count}"),
            (_, Outcome::Denied) => format!("{} denied {label}{on}{count}", was(several)),
            (_, Outcome::Failed) => {
                format!("called {label}{on}{count} without success{}", self.codes())
            }
        }
    }

    /// What Insights saw; of several events about the same calls (start and end) the last.
    fn insight(&self) -> String {
        let Some(last) = self.events.last() else {
            return String::new();
        };
        let what = last.target.as_deref().unwrap_or("API activity");
        let mut seen = format!(
            "saw an unusual {}: {}",
            printable(what, PART_CHARACTERS),
            label(last)
        );
        for part in [&last.error_code, &last.detail].into_iter().flatten() {
            seen.push(' ');
            seen.push_str(&printable(part, PART_CHARACTERS));
        }
        seen
    }

    /// How often; nothing where naming so many different things says it.
    fn times(&self, named: usize) -> String {
        match self.events.len() {
            count if count <= named => String::new(),
            count => times(count),
        }
    }

    fn codes(&self) -> String {
        let codes = self.texts(|event| event.error_code.as_deref());
        match codes.len() {
            0 => String::new(),
            _ => format!(" ({})", codes.listed()),
        }
    }

    fn texts(&self, of: impl Fn(&Evidence) -> Option<&str>) -> Counts<'_> {
        Counts::of(self.events.iter().filter_map(|event| of(event)))
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// `trails a and b` of `trail a` and `trail b`, if all have the same noun.
fn together(targets: &Counts<'_>, mut nouns: impl Iterator<Item = &'static str>) -> String {
    let names = targets.names();
    if names.len() < 2 {
        return targets.listed();
    }
    let stripped = nouns.find_map(|noun| {
        let strip = |name: &String| Some(name.strip_prefix(noun)?.strip_prefix(' ')?.to_string());
        let stripped: Option<Vec<String>> = names.iter().map(strip).collect();
        Some((noun, stripped?))
    });
    match stripped {
        Some((noun, names)) => format!("{} {}", plural(noun), list(&names, names.len())),
        None => list(&names, names.len()),
    }
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
        (Some(first), Some(last)) => {
            let is_delivery = events.iter().any(|event| event.time_from_key);
            let note = if is_delivery {
                " (no readable time in the record)"
            } else {
                ""
            };
            span(*first, *last) + note
        }
        _ => " at an unknown time".into(),
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

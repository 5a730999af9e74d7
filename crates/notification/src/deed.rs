//! What was done: clauses of a sentence that starts with who did it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use cloudtrail::printable;

use crate::counts::{Counts, PART_CHARACTERS};
use crate::detail::weight;
use crate::evidence::{EventKind, Evidence, Outcome, UNNAMED};
use crate::phrase::{Phrase, any_target_nouns, service};
use crate::words::{list, plural, times};

/// Most calls of different names that are told one by one.
const MOST_CLAUSES: usize = 3;

/// Tells what was done in these events; `None` if there are too many different calls to tell one by
/// one. `several`: by more than one actor.
pub(crate) fn clauses(events: &[&Evidence], several: bool) -> Option<String> {
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
    let mut deeds: Vec<Deed<'_>> = by_name.into_values().map(Deed::of).collect();
    // Within equal first times the order by name stays.
    deeds.sort_by_key(|deed| deed.events.first().map(|event| event.time));
    let is_well_known =
        |deed: &Deed<'_>| deed.phrase.is_some() || deed.kind() == EventKind::Insight;
    let can_be_told =
        deeds.len() == 1 || deeds.len() <= MOST_CLAUSES && deeds.iter().all(is_well_known);
    can_be_told.then(|| {
        let clauses: Vec<String> = deeds.iter().map(|deed| deed.clause(several)).collect();
        list(&clauses, clauses.len())
    })
}

/// Counts calls by name: `was denied 37 calls (s3:GetObject 21, iam:ListUsers 9, 7 others)`,
/// `made 3 calls (cloudtrail:StopLogging 2, 1 failed; iam:ListUsers 1)`. What changes something comes
/// before what only reads.
pub(crate) fn many_calls(events: &[&Evidence], several: bool) -> String {
    let count = events.len();
    let all = |outcome| events.iter().all(|event| event.outcome == outcome);
    let did = match (all(Outcome::Denied), all(Outcome::Failed)) {
        (true, _) => format!("{} denied", was(several)),
        (_, true) => "failed in".into(),
        _ => "made".into(),
    };
    // What is true of all is said only once.
    let outcomes = |calls: &[&Evidence]| match did.as_str() {
        "made" => outcomes(calls),
        _ => String::new(),
    };
    let ranked = by_label(events);
    if let [(only, calls)] = ranked.as_slice() {
        let on = together(&targets(calls), any_target_nouns());
        let on = on.map_or(String::new(), |on| format!(" on {on}"));
        return match outcomes(calls).as_str() {
            "" => format!("{did} {count} calls of {only}{on}"),
            outcomes => format!("{did} {count} calls of {only}{on} ({outcomes})"),
        };
    }
    let shown = match ranked.len() {
        names if names > MOST_CLAUSES + 1 => MOST_CLAUSES,
        names => names,
    };
    let (top, others) = ranked.split_at(shown);
    let mut parts: Vec<(String, String)> = top
        .iter()
        .map(|(label, calls)| (format!("{label} {}", calls.len()), outcomes(calls)))
        .collect();
    let others = others.iter().flat_map(|(_, calls)| calls).copied();
    let others: Vec<&Evidence> = others.collect();
    if !others.is_empty() {
        parts.push((format!("{} others", others.len()), outcomes(&others)));
    }
    let separator = match parts.iter().all(|(_, outcomes)| outcomes.is_empty()) {
        true => ", ",
        false => "; ",
    };
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(what, outcomes)| match outcomes.as_str() {
            "" => what,
            outcomes => format!("{what}, {outcomes}"),
        })
        .collect();
    format!("{did} {count} calls ({})", parts.join(separator))
}

/// What changes something first, then the most frequent.
fn by_label<'e>(events: &[&'e Evidence]) -> Vec<(String, Vec<&'e Evidence>)> {
    let mut by_label: BTreeMap<String, Vec<&Evidence>> = BTreeMap::new();
    for event in events {
        by_label.entry(label(event)).or_default().push(event);
    }
    let mut ranked: Vec<(String, Vec<&Evidence>)> = by_label.into_iter().collect();
    ranked.sort_by_key(|(_, calls)| {
        let only_reads = calls.iter().all(|call| only_reads(&call.event_name));
        (only_reads, Reverse(calls.len()))
    });
    ranked
}

/// Going by its name.
fn only_reads(event_name: &str) -> bool {
    ["Get", "List", "Describe", "Head", "BatchGet", "Lookup"]
        .iter()
        .any(|verb| event_name.starts_with(verb))
}

/// `1 failed`, `all denied`; nothing if all succeeded.
fn outcomes(calls: &[&Evidence]) -> String {
    let some = |outcome, what| {
        let count = calls.iter().filter(|call| call.outcome == outcome).count();
        match count {
            0 => None,
            1 if calls.len() == 1 => Some(String::from(what)),
            count if count == calls.len() => Some(format!("all {what}")),
            count => Some(format!("{count} {what}")),
        }
    };
    let outcomes = [
        some(Outcome::Denied, "denied"),
        some(Outcome::Failed, "failed"),
    ];
    let outcomes: Vec<String> = outcomes.into_iter().flatten().collect();
    outcomes.join(", ")
}

/// Of many calls the one that a reader must not miss: `attached policy AdministratorAccess to user
/// bob`; with its actor if there are several.
pub(crate) fn most_telling(events: &[&Evidence], several: bool) -> Option<String> {
    let ranked = events
        .iter()
        .filter_map(|event| Some((rank(event)?, *event)));
    // Of equal ones the first.
    let (_, event) = ranked.min_by_key(|(rank, event)| (Reverse(*rank), *event))?;
    let mut deed = Deed::of(vec![event]).clause(false);
    if is_own_key_of_root(event) {
        deed.push_str(" of its own");
    }
    Some(match several {
        true => format!("{} {deed}", printable(&event.actor, PART_CHARACTERS)),
        false => deed,
    })
}

/// How much an event matters among many, if it stands out at all.
fn rank(event: &Evidence) -> Option<u8> {
    if event.outcome != Outcome::Succeeded || event.kind != EventKind::Call {
        return None;
    }
    let phrase = Phrase::find(&event.event_source, &event.event_name)?;
    let takes_back = matches!(
        phrase.done,
        "closed" | "revoked" | "detached" | "deleted" | "removed"
    );
    match event.event_name.as_str() {
        _ if !takes_back && event.detail.as_deref().map(weight) == Some(2) => Some(4),
        _ if is_own_key_of_root(event) => Some(3),
        "StopLogging" | "DeleteTrail" => Some(2),
        "ScheduleKeyDeletion" => Some(1),
        _ => None,
    }
}

/// An access key of root itself, which is made without naming a user.
fn is_own_key_of_root(event: &Evidence) -> bool {
    let is_root = event.actor == "root" || event.actor.starts_with("root of account ");
    is_root && event.event_name == "CreateAccessKey" && event.target.is_none()
}

/// A successful sign-in to the console, which is told with its MFA.
pub(crate) fn is_sign_in(event: &Evidence) -> bool {
    event.event_name == "ConsoleLogin" && event.outcome == Outcome::Succeeded
}

/// The events of one name and outcome.
struct Deed<'e> {
    events: Vec<&'e Evidence>,
    phrase: Option<&'static Phrase>,
    outcome: Outcome,
}

impl<'e> Deed<'e> {
    /// `events` have the same name and outcome.
    fn of(events: Vec<&'e Evidence>) -> Self {
        let first = events.first();
        let call = first.filter(|event| event.kind == EventKind::Call);
        Deed {
            phrase: call.and_then(|event| Phrase::find(&event.event_source, &event.event_name)),
            outcome: first.map_or(Outcome::Succeeded, |event| event.outcome),
            events,
        }
    }

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

    fn told_as(&self, phrase: &Phrase, several: bool) -> String {
        let rest = self.rest(phrase);
        let pairs = self
            .events
            .iter()
            .map(|event| (&event.target, &event.detail));
        let count = self.times(pairs.collect::<BTreeSet<_>>().len());
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

    /// Targets with their own details, what is open to the world first:
    /// `security group sg-2 (TCP 22 from 0.0.0.0/0) and sg-1 (TCP 443 from 10.0.0.0/8)`.
    fn rest(&self, phrase: &Phrase) -> String {
        let parts = self.parts(phrase);
        let shown = if parts.len() > 3 { 2 } else { 3 };
        let told = parts.iter().take(shown);
        let mut rests: Vec<String> = told.map(|events| rest_of(events, phrase)).collect();
        if have_one_target_each(&parts) {
            name_once(&mut rests, phrase);
        }
        let others = parts
            .iter()
            .skip(shown)
            .map(|events| targets(events).len().max(1));
        match (others.sum::<usize>(), rests.split_last()) {
            (0, Some((last, before))) if before.iter().any(|rest| rest.contains(", ")) => {
                format!("{}, and {last}", before.join(", "))
            }
            (others, _) => list(&rests, rests.len() + others),
        }
    }

    /// The events of targets that have the same details, what matters most first. Events of a target
    /// without a detail are kept apart from those that have one.
    fn parts(&self, phrase: &Phrase) -> Vec<Vec<&'e Evidence>> {
        let key = |event: &'e Evidence| (event.target.as_deref(), event.detail.is_some());
        let mut details: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for event in &self.events {
            let detail = event.detail.as_deref();
            let detail = detail.map(|detail| kind_of(detail, phrase).1);
            details.entry(key(event)).or_default().extend(detail);
        }
        let mut parts: BTreeMap<_, Vec<&Evidence>> = BTreeMap::new();
        for event in &self.events {
            let part = parts.entry(details.get(&key(event))).or_default();
            part.push(*event);
        }
        let mut parts: Vec<Vec<&Evidence>> = parts.into_values().collect();
        parts.sort_by_cached_key(|events| {
            let details = events.iter().filter_map(|event| event.detail.as_deref());
            (Reverse(details.map(weight).max()), events.first().copied())
        });
        parts
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
        let targets = targets(&self.events);
        let on = together(&targets, any_target_nouns()).map(|target| format!(" on {target}"));
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
        let events = self.events.iter();
        let codes = Counts::of(events.filter_map(|event| event.error_code.as_deref()));
        match codes.len() {
            0 => String::new(),
            _ => format!(" ({})", codes.listed()),
        }
    }
}

fn targets<'e>(events: &[&'e Evidence]) -> Counts<'e> {
    Counts::of(events.iter().filter_map(|event| event.target.as_deref()))
}

/// Is every part about one target, and each about another?
fn have_one_target_each(parts: &[Vec<&Evidence>]) -> bool {
    let mut seen = BTreeSet::new();
    parts.iter().all(|events| {
        let mut of_part = events.iter().map(|event| event.target.as_deref());
        let first = of_part.next().flatten();
        first.is_some_and(|first| seen.insert(first)) && of_part.all(|target| target == first)
    })
}

/// The rest of a phrase for targets that have the same details.
fn rest_of(events: &[&Evidence], phrase: &Phrase) -> String {
    let target = together(&targets(events), phrase.target_nouns());
    let details = details(events, phrase);
    let listed = list(&details, details.len());
    let detail = match (details.len(), phrase.detail_noun()) {
        (0, _) => None,
        (_, "") => Some(listed),
        (1, noun) => Some(format!("{noun} {listed}")),
        (_, noun) => Some(format!("{} {listed}", plural(noun))),
    };
    phrase.rest(target.as_deref(), detail.as_deref())
}

/// The details of events, what matters most first; those that count are added up.
fn details(events: &[&Evidence], phrase: &Phrase) -> Vec<String> {
    let details = || events.iter().filter_map(|event| event.detail.as_deref());
    if !phrase.counts() {
        let ranked = Counts::of(details()).ranked_by(|detail| Reverse(weight(detail)));
        let ranked = ranked.into_iter();
        return ranked
            .map(|(detail, _)| printable(detail, PART_CHARACTERS))
            .collect();
    }
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (count, kind) in details().map(|detail| kind_of(detail, phrase)) {
        let sum = sums.entry(kind).or_default();
        *sum = sum.saturating_add(count);
    }
    let mut sums: Vec<(&str, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| Reverse(*sum));
    sums.into_iter()
        .map(|(kind, sum)| match sum {
            0 => printable(kind, PART_CHARACTERS),
            sum => printable(&format!("{sum} {kind}"), PART_CHARACTERS),
        })
        .collect()
}

/// The number in front of a detail that counts, and what it counts: `(2, "x m5.large from ami-1")`.
fn kind_of<'a>(detail: &'a str, phrase: &Phrase) -> (u64, &'a str) {
    let counted = detail.split_once(' ').filter(|_| phrase.counts());
    counted
        .and_then(|(count, kind)| Some((count.parse().ok()?, kind)))
        .unwrap_or((0, detail))
}

/// Leaves out in all but the first what stands before every target: `security group a (..)` and
/// `b (..)`.
fn name_once(rests: &mut [String], phrase: &Phrase) {
    let Some(before) = phrase.before_target() else {
        return;
    };
    let same = phrase
        .target_nouns()
        .map(|noun| format!("{before}{noun} "))
        .find(|same| rests.iter().all(|rest| rest.starts_with(same)));
    let Some(same) = same else { return };
    for rest in rests.iter_mut().skip(1) {
        *rest = rest.split_off(same.len());
    }
}

/// `ec2:RunInstances`.
fn label(event: &Evidence) -> String {
    let name = printable(&event.event_name, PART_CHARACTERS);
    match service(&event.event_source) {
        "" => name,
        service => format!("{}:{name}", printable(service, PART_CHARACTERS)),
    }
}

fn was(several: bool) -> &'static str {
    if several { "were" } else { "was" }
}

/// `trails a and b` of `trail a` and `trail b`, if all have the same noun.
fn together(targets: &Counts<'_>, mut nouns: impl Iterator<Item = &'static str>) -> Option<String> {
    let names = targets.names();
    if names.len() < 2 {
        return names.into_iter().next().filter(|name| !name.is_empty());
    }
    let stripped = nouns.find_map(|noun| {
        let strip = |name: &String| Some(name.strip_prefix(noun)?.strip_prefix(' ')?.to_string());
        let stripped: Option<Vec<String>> = names.iter().map(strip).collect();
        Some((noun, stripped?))
    });
    Some(match stripped {
        Some((noun, names)) => format!("{} {}", plural(noun), list(&names, names.len())),
        None => list(&names, names.len()),
    })
}

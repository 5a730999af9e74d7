//! Findings as messages for the match queue: a filter for each kind, and what it means.

use alarm_state::{Filter, FindingGuide, FindingStream, QueueBody};
use digest_chain::{Finding, FindingKind, Level, Scope, display_time};
use ports::QueueMessage;

/// Something that was found, and in which chain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) stream: FindingStream,
    pub(crate) finding: Finding,
    /// It was found right before.
    pub(crate) was_right: bool,
    /// The command that checks it by hand.
    pub(crate) check_command: Vec<String>,
}

/// Whether people are told of findings of this kind.
pub(crate) fn is_told(kind: FindingKind) -> bool {
    kind.level() != Level::Notice || kind == FindingKind::NewStream
}

/// The messages that tell of findings. `time` is when all was last found right, the same however often these messages
/// are made.
pub(crate) fn messages(found: &[Found], time: i64, now: i64) -> Vec<QueueMessage> {
    let mut groups: Vec<(&FindingStream, FindingKind, Vec<alarm_state::Finding>)> = Vec::new();
    for found in found.iter().filter(|found| is_told(found.finding.kind)) {
        let kind = found.finding.kind;
        let told = told(found, time);
        let group = groups
            .iter_mut()
            .find(|(stream, of, _)| **stream == found.stream && *of == kind);
        match group {
            Some((_, _, list)) => list.push(told),
            None => groups.push((&found.stream, kind, vec![told])),
        }
    }
    let messages = groups
        .iter()
        .flat_map(|(stream, kind, list)| alarm_state::findings(&filter(*kind), stream, now, list));
    messages
        .map(|matches| QueueMessage {
            group_id: matches.group_id.0.clone(),
            deduplication_id: matches.deduplication_id(),
            body: QueueBody::Matches(Box::new(matches)).to_json(),
        })
        .collect()
}

fn told(found: &Found, time: i64) -> alarm_state::Finding {
    let Finding {
        kind,
        location,
        range,
        count,
        facts,
    } = &found.finding;
    let mut all: Vec<(String, String)> = Vec::new();
    if let Some((from, to)) = range {
        let (from, to) = (display_time(*from), display_time(*to));
        all.push(("time".into(), format!("{from} to {to}")));
    }
    if let Some(count) = count {
        all.push(("files".into(), format!("about {count}")));
    }
    let facts = facts.iter();
    all.extend(facts.map(|(label, value)| ((*label).to_owned(), value.clone())));
    alarm_state::Finding {
        time,
        location: location
            .as_ref()
            .map_or_else(|| found.stream.location.clone(), ToString::to_string),
        // Of a place there can be several; each begins at a time of its own.
        mark: match (location, range) {
            (None, Some((from, _))) => display_time(*from),
            _ => String::new(),
        },
        was_right: found.was_right,
        statement: kind.statement().to_owned(),
        facts: all,
        check_command: found.check_command.clone(),
    }
}

/// The pseudo filter of findings of a kind: `LogHashMismatch`.
pub(crate) fn filter(kind: FindingKind) -> Filter {
    Filter::finding(&name(kind), kind.title(), kind.severity(), guide(kind))
}

/// `log-hash-mismatch` becomes `LogHashMismatch`.
pub(crate) fn name(kind: FindingKind) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    kind.code().split('-').map(word).collect()
}

/// The command that checks a range of a chain by hand.
pub(crate) fn check_command(
    scope: &Scope,
    (trail, home_region): (&str, &str),
    bucket: &str,
    (from, to): (i64, i64),
) -> Vec<String> {
    let Scope {
        prefix,
        organization_id,
        account_id,
        region,
    } = scope;
    let partition = cloudtrail::Partition::of_region(home_region).name();
    let arn = format!("arn:{partition}:cloudtrail:{home_region}:{account_id}:trail/{trail}");
    let mut words: Vec<String> = ["trailwarden", "validate-logs", "--strict", "--trail-arn"]
        .map(String::from)
        .into();
    words.push(arn);
    let mut option = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
    option("--s3-bucket", bucket);
    if !prefix.is_empty() {
        option("--s3-prefix", prefix);
    }
    if let Some(organization_id) = organization_id {
        option("--organization-id", organization_id);
        option("--account-id", account_id);
    }
    option("--region", region);
    option("--start-time", &display_time(from));
    option("--end-time", &display_time(to));
    words
}

const WHO_WROTE: &str = "Find out who wrote: S3 data events of the bucket (PutObject, CopyObject, DeleteObject) or its \
    server access logs from the last good check to when it was found. A trail that delivers elsewhere has them, too.";
const WHO_DELETED: &str = "Find out who deleted: S3 data events of the bucket (DeleteObject, DeleteObjects), changes of \
    its lifecycle rules (PutBucketLifecycle), from the last good check to when it was found.";
const RESTORE: &str = "If the bucket keeps versions, copy the version that the facts name to another bucket and validate \
    it there; do not write over what is there, it is evidence.";
const LOCK: &str = "Take away write and delete rights in the bucket from everybody but CloudTrail, then look at what else \
    the same credentials did.";
const VALIDATE: &str =
    "Run the command above on a machine you trust: it shows all files of that time.";
const TRAIL_CALLS: &str = "Look in CloudTrail's event history for StopLogging, UpdateTrail, DeleteTrail, StartLogging and \
    PutEventSelectors around that time, and who made the calls.";
const LIFECYCLE: &str = "A lifecycle rule or a person with the task to delete is no incident; keep log files and digests \
    for the same time.";

/// What findings of a kind mean and what is to be done.
pub(crate) fn guide(kind: FindingKind) -> FindingGuide {
    use FindingKind as K;
    let (unit, meaning, response, acceptance): (&str, &str, &[&str], Option<&str>) = match kind {
        K::LogHashMismatch => (
            "log file",
            "CloudTrail signed another content than the one that lies there. Events may have been taken out, added or \
             rewritten. Nothing in the file can be relied on.",
            &[WHO_WROTE, RESTORE, LOCK, VALIDATE],
            None,
        ),
        K::LogNotFound => (
            "log file",
            "CloudTrail delivered it and signed that it did, and it is gone: its events are missing from every later \
             search. What Trailwarden found in it before is in the metrics and messages.",
            &[WHO_DELETED, RESTORE, LOCK, VALIDATE],
            Some(LIFECYCLE),
        ),
        K::LogBadFormat => (
            "log file",
            "It cannot be inflated, or does not verify when it is. It was damaged or replaced after CloudTrail wrote it.",
            &[WHO_WROTE, RESTORE, LOCK, VALIDATE],
            None,
        ),
        K::LogTrailingData => (
            "log file",
            "The content CloudTrail signed is still there, and somebody put more behind it, which some readers read as \
             events. CloudTrail never writes so.",
            &[WHO_WROTE, RESTORE, LOCK],
            None,
        ),
        K::LogTrailerCut => (
            "log file",
            "All events are there as CloudTrail signed them, but the end of the file is cut off. The object was written \
             again by somebody else than CloudTrail.",
            &[WHO_WROTE, RESTORE],
            None,
        ),
        K::LogChanged => (
            "log file",
            "It had been validated, and what lies there now is not what was validated. It was replaced since the last \
             check.",
            &[WHO_WROTE, RESTORE, LOCK, VALIDATE],
            None,
        ),
        K::UnreferencedLog => (
            "log file",
            "It lies where CloudTrail puts log files, and no digest lists it. Somebody planted it, or it was delivered \
             while log file validation was off. Its events cannot be relied on.",
            &[
                "Look at the times: if validation was off then (a finding about a restart says so), it may be genuine, \
                 and nothing proves it.",
                WHO_WROTE,
                "Compare its events with the event history of the account, which nobody can write to.",
                LOCK,
            ],
            Some(
                "A second trail into the same folder without log file validation delivers such files all the time: \
                  switch its validation on, or give it another prefix.",
            ),
        ),
        K::UnreferencedLogDeleted => (
            "log file",
            "It was there at an earlier check and is gone before a digest listed it. Nothing that CloudTrail signed will \
             ever tell of it.",
            &[WHO_DELETED, RESTORE, LOCK],
            Some(LIFECYCLE),
        ),
        K::DigestMissing => (
            "digest file",
            "The chain names digests that are gone. The log files of these hours are vouched for by nobody: they may have \
             been changed or deleted with the digests.",
            &[WHO_DELETED, RESTORE, LOCK, VALIDATE],
            Some(LIFECYCLE),
        ),
        K::DigestDeleted => (
            "digest file",
            "It had been validated, and somebody deleted it since. Whoever deletes the newest digests wants changes of \
             their log files to go unseen.",
            &[WHO_DELETED, RESTORE, LOCK],
            Some(LIFECYCLE),
        ),
        K::DigestBadSignature | K::DigestChanged => (
            "digest file",
            "CloudTrail did not sign what lies there. Somebody changed the list of log files or their hashes, to make \
             changed log files look right.",
            &[WHO_WROTE, RESTORE, LOCK, VALIDATE],
            None,
        ),
        K::DigestBadFormat => (
            "digest file",
            "It is damaged, so the log files of its hour are vouched for by nobody.",
            &[WHO_WROTE, RESTORE, LOCK, VALIDATE],
            None,
        ),
        K::DigestSignatureMissing => (
            "digest file",
            "The signature of the newest digest lies in its metadata and is gone; the next digest, which would repeat it, \
             has not come. Nothing proves its log files yet.",
            &[
                WHO_WROTE,
                "Find out why no later digest came: a finding about new digest files says since when.",
                RESTORE,
            ],
            None,
        ),
        K::DigestMetadataDamaged => (
            "digest file",
            "Its content is proven by the next digest. The object was written again by somebody else than CloudTrail: a \
             copy that left the metadata out, or an attempt.",
            &[
                WHO_WROTE,
                "If you copied the bucket, copy the metadata, too.",
            ],
            None,
        ),
        K::DigestMoved => (
            "digest file",
            "What lies there is a genuine digest of another place or time: somebody put it there in place of the right \
             one.",
            &[WHO_WROTE, RESTORE, LOCK, VALIDATE],
            None,
        ),
        K::DigestTrailingData => (
            "digest file",
            "The content CloudTrail signed is still there, and somebody put more behind it, which some readers read.",
            &[WHO_WROTE, RESTORE, LOCK],
            None,
        ),
        K::DigestLinkMismatch => (
            "digest file",
            "It is signed by CloudTrail, and the chain continues from another one. An earlier state of the digest was \
             put back, or CloudTrail delivered it twice.",
            &[
                RESTORE,
                WHO_WROTE,
                "If nobody wrote to it, ask AWS Support about that hour.",
            ],
            None,
        ),
        K::QuietGap => (
            "gap",
            "Nothing vouches for log files of this time, although the digests before and after it are linked.",
            &[
                VALIDATE,
                TRAIL_CALLS,
                "If there were no such calls, ask AWS Support about that time.",
            ],
            None,
        ),
        K::ChainRestart => (
            "gap",
            "Log file validation or the trail was switched off and on again. Log files of the time between are vouched \
             for by nobody, and digests right before it may have been deleted without a trace.",
            &[
                TRAIL_CALLS,
                "If it was planned, nothing is to be done; the log files of that time stay unproven.",
            ],
            None,
        ),
        K::Stale | K::NoDigests => (
            "chain",
            "CloudTrail delivers a digest every hour, also without activity. None came: the trail was stopped or deleted, \
             its validation is off, it delivers elsewhere or cannot, or the newest digests were deleted.",
            &[
                TRAIL_CALLS,
                "Look at the trail's status (aws cloudtrail get-trail-status) and at the bucket policy.",
                WHO_DELETED,
            ],
            Some(
                "Of a trail that was taken out of use on purpose this is told once; nothing more is to be done.",
            ),
        ),
        K::Expired | K::ValidCopy => ("file", "Nothing is wrong.", &[], None),
        K::KeyUnknown | K::KeyUnusable => (
            "digest file",
            "Without the public key nothing can be said of the signature. CloudTrail publishes its keys for every Region; \
             a digest that names another key was not signed by CloudTrail.",
            &[
                "Ask for the keys by hand: aws cloudtrail list-public-keys with the Region and the time of the digest.",
                WHO_WROTE,
                VALIDATE,
            ],
            None,
        ),
        K::KeyOutsideValidity => (
            "digest file",
            "The signature is right, but the key was not in use at that time.",
            &["Ask AWS Support if it happens again.", VALIDATE],
            None,
        ),
        K::UnknownAlgorithm => (
            "file",
            "CloudTrail uses SHA-256 and RSA. A digest that names something else cannot be judged.",
            &[
                VALIDATE,
                "If CloudTrail introduced another algorithm, update Trailwarden.",
            ],
            None,
        ),
        K::ForeignKeyName => (
            "object",
            "CloudTrail gives no object such a name. Names like this make other tools stop listing, so that what comes \
             behind is never validated.",
            &[WHO_WROTE, "Copy it as evidence and delete it."],
            None,
        ),
        K::Unreadable => (
            "file",
            "It is there and could not be read, so it is neither valid nor invalid. It is tried again.",
            &[
                "Look at the reason in the facts: rights of the function's role, the KMS key of the object, an archive \
                 storage class, an object lock of another account.",
                VALIDATE,
            ],
            None,
        ),
        K::TrailChanged => (
            "trail",
            "The trail does not deliver as it did: another bucket or prefix, another home Region, or no validation. What \
             it delivers elsewhere is not watched here.",
            &[
                TRAIL_CALLS,
                "If it was planned, update the stack's parameters.",
            ],
            None,
        ),
        K::TrailStopped => (
            "trail",
            "The trail records nothing of what happens in the account; or, where the facts say that its log file validation is \
             off, nothing vouches for what it records.",
            &[
                TRAIL_CALLS,
                "Switch it on again (aws cloudtrail start-logging), then find out who stopped it.",
            ],
            None,
        ),
        K::TrailCannotDeliver => (
            "trail",
            "CloudTrail tries again for some time; what it cannot deliver in the end is lost.",
            &[
                "Look at the error in the facts, at the bucket policy and at the policy of the KMS key.",
                "Find out who changed them.",
            ],
            None,
        ),
        K::NewStream => (
            "chain",
            "A trail, an account or a Region began to deliver digests into the bucket. They are validated from now on.",
            &[
                "If nobody made a trail or joined an account, find out whose it is: its name is in the facts.",
            ],
            None,
        ),
        _ => ("file", kind.statement(), &[VALIDATE], None),
    };
    FindingGuide {
        unit: unit.to_owned(),
        meaning: meaning.to_owned(),
        response: response.iter().map(|step| (*step).to_owned()).collect(),
        acceptance: acceptance.map(String::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_is_told_says_what_it_means_and_what_to_do() {
        let mut names = std::collections::BTreeSet::new();
        for &kind in FindingKind::ALL {
            assert!(names.insert(name(kind)));
            let guide = guide(kind);
            assert!(guide.meaning.len() < 800, "{kind:?}");
            assert_ne!(guide.meaning, kind.statement(), "{kind:?} has no guide");
            assert!(
                guide
                    .response
                    .iter()
                    .all(|step| step.chars().count() <= 300),
                "{kind:?}"
            );
            assert_eq!(is_told(kind), !guide.response.is_empty(), "{kind:?}");
        }
        assert_eq!(name(FindingKind::LogHashMismatch), "LogHashMismatch");
    }

    #[test]
    fn a_check_by_hand_names_the_folder_and_the_time() {
        let scope = Scope {
            prefix: "trails".into(),
            organization_id: Some("o-exampleorgid".into()),
            account_id: "111122223333".into(),
            region: "eu-west-1".into(),
        };
        let trail = ("audit-trail", "us-gov-west-1");
        let command = check_command(&scope, trail, "amzn-s3-demo-bucket", (0, 3_600)).join(" ");
        assert_eq!(
            command,
            "trailwarden validate-logs --strict --trail-arn \
             arn:aws-us-gov:cloudtrail:us-gov-west-1:111122223333:trail/audit-trail --s3-bucket amzn-s3-demo-bucket \
             --s3-prefix trails --organization-id o-exampleorgid --account-id 111122223333 --region eu-west-1 \
             --start-time 1970-01-01T00:00:00Z --end-time 1970-01-01T01:00:00Z"
        );
    }
}

//! Findings of integrity checks as messages for the match queue.

use metric_alarm::Sample;
use notification::{Evidence, EvidenceContext, FindingText, group_value};

use crate::{Filter, GroupId, MOST_EVIDENCE, Matches, SourceObject, hash, split};

/// The digest files of one trail for one account and region, or what should be there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FindingStream {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The trail: its name or its ARN.
    pub trail: String,
    /// Where the objects are: `s3://bucket` or `s3://bucket/prefix`.
    pub location: String,
}

/// One finding. Findings are ordered by time first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Finding {
    /// Since when things may be wrong, in Unix seconds: when they were last found right. It must be the same whenever the
    /// finding is reported.
    pub time: i64,
    /// What it is about: `s3://bucket/key`, or a place.
    pub location: String,
    /// Tells it from other findings of its filter that have the same location; empty where there are none.
    pub mark: String,
    /// Whether they were found right at `time`; they may never have been looked at before.
    pub was_right: bool,
    /// What is wrong, in a sentence without a full stop.
    pub statement: String,
    /// What else is known, as label and value.
    pub facts: Vec<(String, String)>,
    /// The command that checks it by hand, word by word and without quotes.
    pub check_command: Vec<String>,
}

/// The messages that tell of a stream's findings, all of them of one filter.
///
/// The same findings give the same samples in any order, whenever they are found: those that are told already are known. A
/// copy counts once. `found_at` is in Unix seconds.
pub fn findings(
    filter: &Filter,
    stream: &FindingStream,
    found_at: i64,
    findings: &[Finding],
) -> Vec<Matches> {
    let values = stream.values();
    let names = filter.group_by.iter().map(String::as_str);
    let group: Vec<Option<String>> = names
        .chain(std::iter::repeat(""))
        .zip(&values)
        .map(|(name, value)| Some(group_value(name, value)))
        .collect();
    let values = values.map(Some);
    let samples: Vec<Sample> = findings
        .iter()
        .map(|finding| Sample {
            time: finding.time,
            id: finding.id(filter, stream),
            value: 1.0,
        })
        .collect();
    // Evidence is the dearest part of a finding; those with a later time or name would be left out.
    let mut first: Vec<&Finding> = findings.iter().collect();
    first.sort();
    first.dedup_by_key(|finding| (finding.time, &finding.location, &finding.mark));
    let evidence: Vec<Evidence> = first
        .into_iter()
        .take(MOST_EVIDENCE)
        .map(|finding| finding.evidence(filter, stream, found_at))
        .collect();
    split(
        filter,
        (&GroupId::of(&filter.name, &values), &group),
        &stream.object(),
        found_at,
        &samples,
        &evidence,
    )
}

impl FindingStream {
    /// In the order of what findings are grouped by.
    fn values(&self) -> [String; 4] {
        [&self.account, &self.region, &self.trail, &self.location].map(String::clone)
    }

    /// In place of the log file that matches are from: the same whenever something is found.
    fn object(&self) -> SourceObject {
        let location = self
            .location
            .strip_prefix("s3://")
            .unwrap_or(&self.location);
        let (bucket, key) = location.split_once('/').unwrap_or((location, ""));
        SourceObject {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            etag: String::new(),
        }
    }
}

impl Finding {
    /// Names it among all findings of its filter and stream, whenever it is found.
    pub fn id(&self, filter: &Filter, stream: &FindingStream) -> u64 {
        let [account, region, trail, place] = stream.values();
        let hash = hash(&[
            &filter.name,
            &account,
            &region,
            &trail,
            &place,
            &self.location,
            &self.mark,
        ]);
        let first = hash.get(..16).unwrap_or_default();
        u64::from_str_radix(first, 16).unwrap_or_default()
    }

    fn evidence(&self, filter: &Filter, stream: &FindingStream, found_at: i64) -> Evidence {
        let text = FindingText {
            id: format!("{:016x}", self.id(filter, stream)),
            statement: self.statement.clone(),
            since: self.was_right.then_some(self.time),
            found_at: Some(found_at),
            facts: self.facts.clone(),
            check_command: self.check_command.clone(),
        };
        let context = EvidenceContext {
            time: self.time,
            account: &stream.account,
            region: Some(&stream.region),
            location: &self.location,
            ..EvidenceContext::default()
        };
        Evidence::of_finding(&filter.name, text, &context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BUCKET_SECONDS, Bucket, EvidenceBucket, FindingGuide, QueueBody, bucket_start};
    use proptest::prelude::*;

    const TIME: i64 = 1_772_456_520;

    fn filter() -> Filter {
        let guide = FindingGuide {
            unit: "file".into(),
            meaning: "m".repeat(800),
            response: vec!["r".repeat(300); 8],
            acceptance: None,
        };
        Filter::finding("LogFileModified", "Log file modified", "critical", guide)
    }

    fn stream() -> FindingStream {
        FindingStream {
            account: "111122223333".into(),
            region: "us-east-1".into(),
            trail: "audit-trail".into(),
            location: "s3://amzn-s3-demo-bucket/trails".into(),
        }
    }

    fn finding(n: usize) -> Finding {
        let key = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02";
        Finding {
            time: TIME,
            location: format!("s3://amzn-s3-demo-bucket/trails/{key}/{n:06}.json.gz"),
            mark: String::new(),
            was_right: true,
            statement: "the content does not have the hash value that its digest file gives".into(),
            facts: vec![("expected hash value".into(), "9f".repeat(32)); 8],
            check_command: vec!["trailwarden".into(), "validate-logs".into()],
        }
    }

    fn many(count: usize) -> Vec<Finding> {
        (0..count).map(finding).collect()
    }

    fn body(message: &Matches) -> String {
        QueueBody::Matches(Box::new(message.clone())).to_json()
    }

    #[test]
    fn three_hundred_files_are_one_message_with_an_exact_count_and_the_first_ten_names() {
        let [message] = findings(&filter(), &stream(), TIME + 3_600, &many(300))
            .try_into()
            .unwrap();
        assert_eq!(message.matched, 300);
        let names: Vec<&str> = message
            .evidence
            .iter()
            .map(|evidence| evidence.location.as_str())
            .collect();
        let first: Vec<Finding> = many(10);
        let first: Vec<&str> = first
            .iter()
            .map(|finding| finding.location.as_str())
            .collect();
        assert_eq!(names, first);
        assert!(body(&message).len() < 30_000, "{}", body(&message).len());
        let group = ["111122223333", "us-east-1", "audit-trail"];
        for (value, expected) in message.group.iter().zip(group) {
            assert_eq!(value.as_deref(), Some(expected));
        }
        let QueueBody::Matches(read) = QueueBody::parse(&body(&message)).unwrap() else {
            panic!("{}", body(&message))
        };
        assert_eq!(*read, message);
        assert!(message.filter.definition().unwrap().slides());
    }

    #[test]
    fn very_many_files_are_split_and_none_is_lost() {
        let mut ids: Vec<u64> = Vec::new();
        for message in findings(&filter(), &stream(), TIME, &many(12_000)) {
            assert!(body(&message).len() < 200_000, "{}", body(&message).len());
            ids.extend(message.samples().unwrap().iter().map(|sample| sample.id));
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 12_000);
    }

    #[test]
    fn the_costliest_texts_stay_within_a_message_and_an_item() {
        let long = "\u{1f512}".repeat(2_000);
        let costly = |n: usize| Finding {
            location: format!("{n} {long}"),
            statement: long.clone(),
            facts: vec![(long.clone(), long.clone()); 50],
            check_command: vec![long.clone(); 20],
            ..finding(n)
        };
        let costly: Vec<Finding> = (0..12_000)
            .map(|n| if n < 20 { costly(n) } else { finding(n) })
            .collect();
        let messages = findings(&filter(), &stream(), TIME, &costly);
        for message in &messages {
            assert!(body(message).len() < 200_000, "{}", body(message).len());
        }
        let mut bucket = EvidenceBucket::default();
        for part in costly[..20].chunks(1) {
            let [message] = findings(&filter(), &stream(), TIME, part)
                .try_into()
                .unwrap();
            bucket.merge(message.evidence.iter());
        }
        assert_eq!(bucket.events().len(), MOST_EVIDENCE);
        assert!(
            bucket.to_json().len() < 390_000,
            "{}",
            bucket.to_json().len()
        );
    }

    #[test]
    fn what_is_found_again_later_is_the_same_message() {
        let ids = |found_at: i64| {
            let messages = findings(&filter(), &stream(), found_at, &many(3));
            messages
                .iter()
                .map(Matches::deduplication_id)
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(TIME), ids(TIME + 3_600));
        assert!(findings(&filter(), &stream(), TIME, &[]).is_empty());
    }

    #[test]
    fn findings_differ_by_filter_stream_place_and_mark() {
        let other_filter =
            Filter::finding("LogFileMissing", "t", "critical", FindingGuide::default());
        let elsewhere = FindingStream {
            region: "eu-west-1".into(),
            ..stream()
        };
        let marked = Finding {
            mark: "2026-03-02T13:00:00Z".into(),
            ..finding(0)
        };
        let mut ids = vec![
            finding(0).id(&filter(), &stream()),
            finding(1).id(&filter(), &stream()),
            finding(0).id(&other_filter, &stream()),
            finding(0).id(&filter(), &elsewhere),
            marked.id(&filter(), &stream()),
        ];
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 5);
        // Of one place and time both are kept.
        let [message] = findings(&filter(), &stream(), TIME, &[finding(0), marked])
            .try_into()
            .unwrap();
        let mut bucket = EvidenceBucket::default();
        bucket.merge(message.evidence.iter());
        assert_eq!(bucket.events().len(), 2);
    }

    #[test]
    fn a_filter_of_before_there_were_findings_is_read_and_one_of_findings_is_read_by_name() {
        let events = serde_json::to_value(crate::filter::tests::filter(1.0)).unwrap();
        assert_eq!(events.get("finding"), None);
        let read: Filter = serde_json::from_value(events).unwrap();
        assert_eq!(read.finding, None);
        let json = serde_json::to_string(&filter()).unwrap();
        assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter());
        let mut later = filter();
        later.finding = Some(FindingGuide::default());
        assert_eq!(later.definition_hash(), filter().definition_hash());
    }

    /// What is remembered after these messages: samples and evidence, by bucket.
    fn remembered(messages: &[Matches]) -> Vec<(Bucket, EvidenceBucket)> {
        let of_bucket = |n: i64| {
            let start = bucket_start(TIME) + n * BUCKET_SECONDS;
            let (mut bucket, mut evidence) = (Bucket::new(start), EvidenceBucket::default());
            for message in messages {
                bucket.merge(&message.samples().unwrap());
                let ours = message.evidence.iter();
                evidence.merge(ours.filter(|event| bucket_start(event.time) == start));
            }
            // Encoded and read again it does not know what changed.
            let bucket = Bucket::decode(start, &bucket.encode().bucket).unwrap();
            (bucket, evidence)
        };
        (0..6).map(of_bucket).collect()
    }

    proptest! {
        #[test]
        fn the_same_findings_in_any_order_split_or_repeated_are_remembered_alike(
            picks in prop::collection::vec(0_usize..16, 1..30), cut in any::<usize>(), turn in any::<usize>()
        ) {
            let of = |&n: &usize| Finding { time: TIME + n as i64 % 7 * 400, ..finding(n) };
            let mut all: Vec<Finding> = picks.iter().map(of).collect();
            let at_once = remembered(&findings(&filter(), &stream(), TIME, &all));
            let distinct = picks.iter().collect::<std::collections::BTreeSet<_>>().len();
            let counted: usize = at_once.iter().map(|(samples, _)| samples.tallies().iter().map(|tally| tally.count as usize).sum::<usize>()).sum();
            prop_assert_eq!(counted, distinct);
            all.rotate_left(turn % picks.len());
            let (one, other) = all.split_at(cut % (picks.len() + 1));
            let mut messages = Vec::new();
            for (later, part) in [other, one, &all, other].into_iter().enumerate() {
                messages.extend(findings(&filter(), &stream(), TIME + later as i64, part));
            }
            for ((samples, evidence), (others, other_evidence)) in at_once.iter().zip(&remembered(&messages)) {
                prop_assert_eq!(samples, others);
                // What is more than a message shows is counted and not named.
                if distinct <= MOST_EVIDENCE {
                    let names = |bucket: &EvidenceBucket| bucket.events().iter().map(|event| event.location.clone()).collect::<Vec<_>>();
                    prop_assert_eq!(names(evidence), names(other_evidence));
                }
            }
        }
    }
}

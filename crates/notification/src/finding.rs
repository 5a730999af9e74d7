//! What an integrity check found, beside what events are: the evidence of a finding, and what it means.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::evidence::{EventKind, Evidence, EvidenceContext, Outcome};
use crate::fit::clean;

/// What is wrong with one object or place, beside the members that a finding shares with events.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FindingText {
    /// Names the finding: the same whenever it is found.
    pub id: String,
    /// What is wrong, in a sentence without a full stop: `the content does not have the hash value that
    /// its digest file gives`.
    pub statement: String,
    /// When it was last found right, in Unix seconds; `None` if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// When it was found, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_at: Option<i64>,
    /// What else is known, as label and value: `expected hash value`, `version id`, `delete marker`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(String, String)>,
    /// The command that checks it by hand, word by word and without quotes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check_command: Vec<String>,
}

/// What findings of one kind mean to those who are told of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingGuide {
    /// What one finding is about, as a singular noun: `log file`, `digest file`, `gap`.
    pub unit: String,
    /// What it means, in one to three sentences.
    pub meaning: String,
    /// What to do, step by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response: Vec<String>,
    /// How to accept it or to make it stop where it is expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<String>,
}

/// Longest statement, in characters.
const STATEMENT_CHARACTERS: usize = 300;

/// Most facts of a finding.
const MOST_FACTS: usize = 12;

/// Longest label, and longest value, of a fact, in characters.
const LABEL_CHARACTERS: usize = 40;
const VALUE_CHARACTERS: usize = 200;

/// Most words of a command.
const MOST_WORDS: usize = 20;

/// Longest noun, in characters.
const UNIT_CHARACTERS: usize = 24;

/// Longest meaning, and longest text on acceptance, in characters.
const MEANING_CHARACTERS: usize = 800;

/// Most steps of a response, and the longest, in characters.
const MOST_RESPONSES: usize = 8;
const RESPONSE_CHARACTERS: usize = 300;

/// `s3://`, a bucket of 63 and a key of 1,024 bytes, and some to spare.
pub(crate) const LOCATION_CHARACTERS: usize = 1_100;

impl Evidence {
    /// The evidence of a finding of a kind such as `LogFileModified`.
    ///
    /// The context says when it may have gone wrong (`time`: when it was last found right), in which account
    /// and region, and of which object or place (`location`).
    ///
    /// ```
    /// use notification::{Evidence, EvidenceContext, FindingText};
    ///
    /// let context = EvidenceContext { time: 1_772_456_520, account: "111122223333", region: Some("us-east-1"),
    ///     location: "s3://amzn-s3-demo-bucket/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/a.json.gz",
    ///     ..Default::default() };
    /// let text = FindingText { id: "1c".into(), statement: "it does not exist".into(), ..Default::default() };
    /// let evidence = Evidence::of_finding("LogFileMissing", text, &context);
    /// assert_eq!(evidence.event_time.as_deref(), Some("2026-03-02T13:02:00Z"));
    /// ```
    pub fn of_finding(kind: &str, text: FindingText, context: &EvidenceContext<'_>) -> Evidence {
        let time = Timestamp::from_second(context.time).ok();
        Evidence {
            time: context.time,
            event_time: time
                .filter(|_| !context.time_from_key)
                .map(|time| time.to_string()),
            event_id: None,
            event_name: clean(kind, 128),
            event_source: String::new(),
            // Nobody is known to have called anything.
            kind: EventKind::ServiceEvent,
            outcome: Outcome::Succeeded,
            actor: String::new(),
            actor_detail: String::new(),
            actor_is_machine: false,
            mfa: None,
            source_ip: None,
            user_agent: None,
            account: clean(context.account, 128),
            region: context.region.map(|region| clean(region, 128)),
            error_code: None,
            error_message: None,
            target: None,
            detail: None,
            location: clean(context.location, LOCATION_CHARACTERS),
            record_index: context.record_index,
            time_from_key: context.time_from_key,
            correction: false,
            actor_arn: None,
            user_name: None,
            finding: Some(Box::new(text.cleaned(usize::MAX))),
        }
    }
}

impl FindingText {
    /// Masked, printable and bounded; no part is longer than `most_characters`.
    pub(crate) fn cleaned(&self, most_characters: usize) -> FindingText {
        let text = |text: &str, most: usize| clean(text, most.min(most_characters));
        let fact = |(label, value): &(String, String)| {
            (text(label, LABEL_CHARACTERS), text(value, VALUE_CHARACTERS))
        };
        FindingText {
            id: text(&self.id, 64),
            statement: without_full_stop(&text(&self.statement, STATEMENT_CHARACTERS)),
            since: self.since,
            found_at: self.found_at,
            facts: self.facts.iter().take(MOST_FACTS).map(fact).collect(),
            // A word that is cut is marked as such, so that the command is not proposed.
            check_command: match self.check_command.len() {
                0..=MOST_WORDS => self
                    .check_command
                    .iter()
                    .map(|word| text(word, VALUE_CHARACTERS))
                    .collect(),
                _ => Vec::new(),
            },
        }
    }
}

impl FindingGuide {
    /// The noun for one finding: `unit`, or `finding` if that is empty.
    pub fn unit(&self) -> &str {
        match self.unit.as_str() {
            "" => "finding",
            unit => unit,
        }
    }

    /// Masked, printable and bounded; no part is longer than `most_characters`, but for the noun.
    pub(crate) fn cleaned(&self, most_characters: usize) -> FindingGuide {
        let text = |text: &str, most: usize| clean(text, most.min(most_characters));
        FindingGuide {
            unit: clean(&self.unit, UNIT_CHARACTERS),
            meaning: text(&self.meaning, MEANING_CHARACTERS),
            response: self
                .response
                .iter()
                .take(MOST_RESPONSES)
                .map(|step| text(step, RESPONSE_CHARACTERS))
                .filter(|step| !step.is_empty())
                .collect(),
            acceptance: self
                .acceptance
                .as_ref()
                .map(|acceptance| text(acceptance, MEANING_CHARACTERS))
                .filter(|acceptance| !acceptance.is_empty()),
        }
    }
}

/// What follows goes on with the sentence.
fn without_full_stop(sentence: &str) -> String {
    sentence.strip_suffix('.').unwrap_or(sentence).into()
}

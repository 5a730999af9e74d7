//! The message of one step of an incident, in every form in which it is sent.
//!
//! ```
//! use notification::{FilterText, Incident, message};
//!
//! let incident = Incident {
//!     id: "3f9a5c1e",
//!     step: 1,
//!     filter: FilterText { name: "RootUsage", title: "Root usage", severity: "high", ..Default::default() },
//!     matched: 1,
//!     told_at: 1_772_421_300,
//!     ..Default::default()
//! };
//! let message = message(&incident);
//! assert_eq!(message.subject, "[HIGH] Root usage: 1");
//! assert!(message.text.starts_with("Root usage: 1 event, which was not kept."));
//! ```
//!
//! What the caller passes is cleaned once (`told`); plain text (`body`), JSON (`machine`) and chat
//! (`chat`) are written from that, and how to silence the alarm is found in what the events have in
//! common (`silence`). An incident of findings has a text of its own (`finding_body`) and further members in
//! the other forms.
//!
//! The promise: whatever the input, no form is larger than SNS takes, what a limit cuts is said, known
//! secrets are masked (also in evidence that was not made by [`Evidence::of`]), and no text breaks a
//! line, moves a terminal, formats or mentions anybody in a chat, or runs anything when it is pasted
//! into a shell.
//!
//! Source: Amazon SNS Developer Guide and API Reference, "Publish"; Amazon Q Developer in chat
//! applications Administrator Guide, "Custom notifications". Out of scope: deciding what is told, and
//! sending it.

use serde_json::json;

use crate::evidence::Evidence;
use crate::finding::FindingGuide;
use crate::fit::{SMALLER, first_that_fits};
use crate::story::SUBJECT_CHARACTERS;
use crate::told::{MOST_EVENTS, Told};
use crate::{attributes, body, chat, finding_body, machine};

/// One step of an incident: everything a message is told from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Incident<'a> {
    /// The incident's id, the same in all its steps.
    pub id: &'a str,
    /// Which message about this incident this is, from 1.
    pub step: u32,
    /// This step may have been sent before.
    pub may_be_repeat: bool,
    /// The filter that matched.
    pub filter: FilterText<'a>,
    /// The selectors the alarm groups by and their values, such as `$.recipientAccountId`; a value
    /// is `None` if the events have none.
    pub group: &'a [(String, Option<String>)],
    /// When the alarm's window opens, in Unix seconds.
    pub start: i64,
    /// When it ends, in Unix seconds.
    pub end: i64,
    /// The time of the first event, in Unix seconds.
    pub first_event_time: Option<i64>,
    /// The time of the last event, in Unix seconds.
    pub last_event_time: Option<i64>,
    /// How many distinct events there are in all.
    pub matched: u64,
    /// How many of them earlier steps told of.
    pub told_before: u64,
    /// More events may still join.
    pub is_open: bool,
    /// When this is told (by the clock), in Unix seconds.
    pub told_at: i64,
    /// How many of the events are older than 14 days, so that they cannot be held against copies.
    pub beyond_horizon: u64,
    /// What is kept of the events, in the order in which they are shown; the first ten are.
    pub events: &'a [Evidence],
    /// The incident joins incidents that were told apart before.
    pub merged: bool,
    /// Its events are findings of an integrity check, of which this is to be said.
    pub finding: Option<&'a FindingGuide>,
}

/// What a message says of the filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FilterText<'a> {
    /// The name in the filters file.
    pub name: &'a str,
    /// The title for people.
    pub title: &'a str,
    /// `info`, `low`, `medium`, `high` or `critical`.
    pub severity: &'a str,
    /// The pattern as written.
    pub pattern: &'a str,
    /// What the alarm asks for: `Sum >= 3 in 300 s`.
    pub condition: &'a str,
    /// Suppressions that hold no more: the reason and the last day of each.
    pub expired_suppressions: &'a [(String, String)],
}

/// A message in every form in which it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line of at most 99 ASCII characters.
    pub subject: String,
    /// For people: plain text, lines of about 100 columns, at most 24 KB.
    pub text: String,
    /// For machines: one JSON document. Its members are listed in `docs/notifications.md`; they keep
    /// their names and meanings as long as `schema` is 1, others may join them.
    pub json: String,
    /// For the chat topic: a custom notification of Amazon Q Developer in chat applications.
    pub chat: String,
    /// Message attributes for filter policies, as name and value: `severity`, and where it is one and
    /// known `filter`, `account`, `region`, `incident`, `step`. No value is empty or has control
    /// characters; longer ones end after 256 characters.
    pub attributes: Vec<(String, String)>,
}

/// Largest [`Message::text`], in bytes.
const TEXT_BYTES: usize = 24 * 1024;

/// Largest [`Message::json`] once it is a string in JSON, in bytes. It stands four times in
/// [`Message::structure`], beside two texts whose quotes are escaped: 4 * 26,000 and 4 * 24 KiB are less
/// than 200 KiB.
const JSON_BYTES: usize = 26_000;

/// Tells one step of an incident.
pub fn message(incident: &Incident<'_>) -> Message {
    let told = Told::of(incident, usize::MAX);
    let shown = told.events.len().min(MOST_EVENTS);
    // Of what is too large the last events go first, then the ends of long texts.
    let fit = |render: fn(&Told<'_>, usize) -> String, fits: fn(&str) -> bool| {
        let whole = (0..=shown).rev().map(|events| render(&told, events));
        let smaller = SMALLER.iter().map(|most| Told {
            subject: told.subject.clone(),
            ..Told::of(incident, *most)
        });
        first_that_fits(whole.chain(smaller.map(|told| render(&told, 0))), fits)
    };
    let text = match incident.finding {
        Some(_) => finding_body::of_incident,
        None => body::of_incident,
    };
    Message {
        subject: told.subject.clone(),
        text: fit(text, fits_text),
        json: fit(machine::of_incident, fits_json),
        chat: chat::of_incident(&told),
        attributes: attributes::of_incident(&told),
    }
}

impl Message {
    /// The JSON object for an SNS message of structure `json`: mail and everything that is not named
    /// here get the text, SQS, Lambda and HTTP the JSON document, SMS the subject. At most 200 KB.
    pub fn structure(&self) -> String {
        let Message {
            subject,
            text,
            json,
            ..
        } = self;
        json!({ "default": text, "email": text, "sqs": json, "lambda": json, "http": json,
            "https": json, "sms": subject })
        .to_string()
    }
}

pub(crate) fn fits_text(text: &str) -> bool {
    text.len() <= TEXT_BYTES
}

pub(crate) fn fits_json(document: &str) -> bool {
    json!(document).to_string().len() <= JSON_BYTES
}

/// The subject, written by `write` within so many characters; of later steps it says which.
pub(crate) fn subject(incident: &Incident<'_>, write: impl FnOnce(usize) -> String) -> String {
    let step = match incident.step {
        0 | 1 => String::new(),
        step => format!(" (step {step})"),
    };
    let room = SUBJECT_CHARACTERS.saturating_sub(step.len());
    write(room) + &step
}

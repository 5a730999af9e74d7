//! What an alarm says: its story, its evidence, and nothing secret.
//!
//! ```
//! use notification::{Evidence, EvidenceContext, StorySubject, story, subject_line};
//!
//! let record = raw_json::Object::parse(br#"{ "eventName": "ConsoleLogin", "eventSource": "signin.amazonaws.com",
//!     "sourceIPAddress": "203.0.113.9", "additionalEventData": { "MFAUsed": "No" },
//!     "responseElements": { "ConsoleLogin": "Success" },
//!     "userIdentity": { "type": "Root", "accountId": "111122223333" } }"#)?;
//! let context = EvidenceContext { time: 1_772_421_120, account: "111122223333", ..Default::default() };
//! let evidence = Evidence::of(record, &context);
//! let subject = StorySubject { title: "Root sign-in", severity: "critical", threshold: None };
//! assert_eq!(
//!     story(&[&evidence], 1, &subject),
//!     "root of account 111122223333 signed in to the console without MFA from 203.0.113.9 \
//!      at 03:12 UTC on 2 March 2026."
//! );
//! assert_eq!(
//!     subject_line(&[&evidence], 1, &subject),
//!     "[CRITICAL] Root sign-in: 1 by root in 111122223333"
//! );
//! # Ok::<(), raw_json::SyntaxError>(())
//! ```
//!
//! [`Evidence`] is what is kept of one matching event (`evidence`), with what it was done to found in
//! its request (`request`, `detail`) by a table of well-known calls (`phrase`); [`story`] and
//! [`subject_line`] tell the evidence of an alarm (`story`, `deed`); [`message()`] makes of a step of an
//! [`Incident`] what is sent, as text (`body`), JSON (`machine`) and for chats (`chat`), and
//! [`summary()`] one message of what was held back. What an integrity check found is evidence, too (`finding`), and
//! is told in words of its own (`finding_story`, `finding_body`). [`mask_text`] and [`mask_json`] take secrets out
//! (`mask`, `marks`).
//!
//! The promise: every record has evidence and every set of evidence a story, the same in any order;
//! nothing that comes from an event breaks the line, moves the terminal, or grows without bound; what
//! failed is told as failed; known secrets are masked before anything is kept, and once more before
//! anything is sent.
//!
//! Source: CloudTrail User Guide, "CloudTrail record contents"; the records of each service. Out of
//! scope: sending anything.

mod attributes;
mod body;
mod chat;
mod counts;
mod deed;
mod detail;
mod evidence;
mod finding;
mod finding_body;
mod finding_story;
mod fit;
mod machine;
mod marks;
mod mask;
mod message;
mod page;
mod phrase;
mod request;
mod shell;
mod silence;
mod story;
mod summary;
mod told;
mod words;

pub use evidence::{EventKind, Evidence, EvidenceContext, Outcome};
pub use finding::{FindingGuide, FindingText};
pub use finding_story::{
    FindingSubject, story as finding_story, subject_line as finding_subject_line,
};
pub use mask::{group_value, is_secret_name, mask_json, mask_text};
pub use message::{FilterText, Incident, Message, message};
pub use story::{StorySubject, story, subject_line};
pub use summary::{HeldIncident, Summary, summary};

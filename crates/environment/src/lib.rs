//! Settings from environment variables, every fault in one go.
//!
//! ```
//! use environment::{Environment, QueueKind, integer_in, name, queue_url};
//!
//! let variables = [("TABLE", "ledger"), ("MATCH_QUEUE_URL", "foo")];
//! let lookup = |name: &str| {
//!     let found = variables.iter().find(|(variable, _)| *variable == name);
//!     found.map(|(_, value)| value.to_string())
//! };
//!
//! let mut environment = Environment::new(lookup);
//! let table = environment.required("TABLE", name, "the name of a DynamoDB table");
//! let queue = environment.required("MATCH_QUEUE_URL", queue_url(QueueKind::Fifo), "the URL of an SQS FIFO queue");
//! let topic = environment.required("TOPIC", name, "the name of a topic");
//! let seconds = environment.or_default("LEASE_SECONDS", integer_in(1..=900), "seconds from 1 to 900", 60);
//! assert_eq!((table.as_deref(), seconds), (Some("ledger"), Some(60)));
//!
//! let settings = environment.finish(table.zip(queue).zip(topic));
//! assert_eq!(
//!     settings.unwrap_err().to_string(),
//!     "`MATCH_QUEUE_URL` is `foo`, expected the URL of an SQS FIFO queue (it does not begin with `https://`)\n\
//!      `TOPIC` is not set, expected the name of a topic"
//! );
//! ```
//!
//! [`Environment`] asks for one variable after the other and collects what is wrong (`settings`); what a
//! variable must look like is a plain function from text to value (`parsers`), one of those here or any
//! other.
//!
//! The promise: nothing is read but through the lookup; one start tells every fault; a value is shown
//! on one line and at most 200 characters of it. A variable that is set to nothing counts as not set.
//!
//! Out of scope: secrets (values are shown), files, reloading.

mod parsers;
mod settings;

pub use parsers::{
    ParseError, QueueKind, arn, integer_in, name, one_of, queue_url, s3_location, url,
};
pub use settings::{Environment, Fault, Faults};

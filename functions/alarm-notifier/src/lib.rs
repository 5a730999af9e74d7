//! Counts matches in event time and tells each step of an incident once.
//!
//! The match queue brings [`alarm_state::Matches`]: samples of one filter and group from one log file. They are added
//! to the group's buckets in the table (`group`), the alarms around them are computed from what is
//! there, and the group's incidents are made to agree with them. What is to be told is told (`telling`): the
//! step is marked as being told before it is published and as told after the topic has accepted it.
//! Every few minutes a tick finds groups in which something is due and sends them a message through
//! the same queue, so that a group has one writer; the tick itself writes nothing.
//!
//! The promise: what is told depends on the set of matches, not on their order, splitting or
//! repetition; every step is told once, and at most once more, marked, if a process died between
//! publishing and noting it. A message that cannot be read is moved to the dead-letter queue at once
//! and holds up nobody; one that fails holds up its own group only.

mod counted;
mod group;
mod notifier;
mod settings;
mod stopped;
mod telling;

pub use group::alarms_of_group;
pub use notifier::{HandleError, Notifier, Ports};
pub use settings::Settings;

//! Validates the digest chains of a trail every hour, and says what does not hold.
//!
//! A run looks for the folders of digests in the trail's bucket (`folders`) and goes through one after the other
//! (`folder_run`): new digests are walked from the checkpoint, the log files they list are hashed (`reading`), the
//! bucket is held against them, and what was validated in the last two days is looked at again (`recheck`). Trails are
//! looked at, too (`trails`). What is found goes into the queue of matches (`findings`) and to people on the path of
//! alarms; log files that a digest lists and that were never processed go back into the log-file queue (`requeue`); once
//! a day there is a report (`report`).
//!
//! The promise: findings are sent before the checkpoint that has passed over them is written (`state`), and a run that
//! is repeated finds the same with the same names and times, so that a death anywhere loses none and none is counted
//! twice. A file that cannot be read is never called tampered with. Time that runs out is no error: the next run goes on.

mod counted;
mod findings;
mod folder_run;
mod folders;
mod keys;
mod ports;
mod reading;
mod recheck;
mod report;
mod requeue;
mod settings;
mod state;
mod stopped;
mod trails;
mod validator;

pub use self::ports::{Outside, Ports};
pub use settings::Settings;
pub use validator::{HandleError, Validator};

//! The parts of `template.yaml` that follow from the built-in filters: native CloudWatch alarms, the
//! mappings and conditions they need, and the dashboard.
//!
//! The template marks each such part with a comment before and after it; [`fill`] writes what is between.
//! So the filters file stays the one source, and the template can be read and deployed as it is.
//!
//! A native alarm looks at the metric that the log processor publishes, which is dated with the time of
//! the events. They come minutes later, so an alarm on one period looks back over as many as half an hour
//! has ([`LOOK_BACK_SECONDS`]). What may come too late for that is told by the notifier.
//!
//! Source: AWS CloudFormation Template Reference, `AWS::CloudWatch::Alarm`; CloudWatch User Guide,
//! "Configuring how CloudWatch alarms treat missing data". Out of scope: alarms on the stack itself, which
//! are the template's own.

mod alarms;
mod dashboard;
mod profiles;

use metric_filters::{Faults, built_in};

use crate::profiles::BuiltIn;

/// How far back a native alarm looks: longer than events may be old that are left to it
/// (`alarm_state::NATIVE_ALARM_SECONDS`), since the metric takes time to get there.
pub const LOOK_BACK_SECONDS: i64 = 1_800;

/// Why a template cannot be filled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// The built-in filters do not load.
    #[error("the built-in filters do not load")]
    Filters(#[from] Faults),
    /// A part has no place.
    #[error("expected a line `{line}`, followed by `{END}`")]
    Marker {
        /// The line that begins its place.
        line: String,
    },
    /// Something differs between profiles that the template has no words for.
    #[error("{filter} differs in its {what} between profiles, which the template cannot say")]
    Differs {
        /// The filter.
        filter: String,
        /// What differs.
        what: &'static str,
    },
}

const BEGIN: &str = "# Written by `cargo run -p native-alarms`: ";
const END: &str = "# End of what is written.";

/// The template with all parts written anew.
///
/// # Errors
/// A part has no place in it, or the built-in filters are not as expected.
pub fn fill(template: &str) -> Result<String, FillError> {
    let built_in = BuiltIn::of(&built_in()?)?;
    let parts = [
        ("mappings", built_in.mappings()),
        ("conditions", built_in.conditions()),
        ("native alarms", built_in.alarms()),
        ("dashboard", built_in.dashboard()),
    ];
    let mut filled = template.to_owned();
    for (name, part) in parts {
        filled = replace(&filled, name, &part)?;
    }
    Ok(filled)
}

/// The template with what stands between the lines of a part replaced.
fn replace(template: &str, name: &str, part: &str) -> Result<String, FillError> {
    let line = format!("{BEGIN}{name}");
    let missing = || FillError::Marker { line: line.clone() };
    let (before, rest) = template.split_once(&line).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    // Comments stand two columns in, as what they are about does.
    Ok(format!("{before}{line}\n{part}  {END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_a_quarter_of_an_hour_to_get_to_the_alarm() {
        assert_eq!(LOOK_BACK_SECONDS - alarm_state::NATIVE_ALARM_SECONDS, 900);
    }

    #[test]
    fn what_is_between_the_lines_is_replaced_and_nothing_else() {
        let template = format!("a\n  {BEGIN}x\n  old\n  {END}\nb\n");
        let filled = replace(&template, "x", "  new\n").unwrap();
        assert_eq!(filled, format!("a\n  {BEGIN}x\n  new\n  {END}\nb\n"));
        assert_eq!(replace(&filled, "x", "  new\n").unwrap(), filled);
        let error = replace("a\n", "x", "").unwrap_err();
        assert!(error.to_string().contains("native-alarms`: x"), "{error}");
    }
}

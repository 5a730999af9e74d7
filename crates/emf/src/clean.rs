//! Names and values made fit for CloudWatch. A character that is not allowed becomes `_`, what is too
//! long is cut, what would be empty becomes `_`: a metric under an odd name is better than none.
//!
//! Source: CloudWatch API Reference, `MetricDatum` and `Dimension`; CloudWatch User Guide,
//! "Namespaces" and the schema in "Specification: Embedded metric format".

/// The longest namespace.
const MAX_NAMESPACE: usize = 255;
/// The longest name of a metric: the format allows 1,024, the metric it becomes does not.
pub(crate) const MAX_METRIC_NAME: usize = 255;
/// The longest name of a dimension: a metric allows 255, the format does not.
pub(crate) const MAX_DIMENSION_NAME: usize = 250;
/// The longest value of a dimension.
const MAX_DIMENSION_VALUE: usize = 1024;

/// A namespace: letters, digits and ` .-_/#:`, not with `:` at its start.
pub(crate) fn namespace(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " .-_/#:".contains(c);
    without_leading_colon(fit(text, MAX_NAMESPACE, allowed))
}

/// A metric's name: printable ASCII, not with `:` at its start.
pub(crate) fn metric_name(text: &str) -> String {
    without_leading_colon(fit(text, MAX_METRIC_NAME, is_printable))
}

/// A dimension's name: printable ASCII, not with `:` at its start.
pub(crate) fn dimension_name(text: &str) -> String {
    without_leading_colon(fit(text, MAX_DIMENSION_NAME, is_printable))
}

/// A dimension's value: printable ASCII, not blank.
pub(crate) fn dimension_value(text: &str) -> String {
    fit(text, MAX_DIMENSION_VALUE, is_printable)
}

fn fit(text: &str, max_characters: usize, allowed: impl Fn(char) -> bool) -> String {
    let fitting: String = text
        .chars()
        .take(max_characters)
        .map(|c| if allowed(c) { c } else { '_' })
        .collect();
    if fitting.trim().is_empty() {
        return "_".to_owned();
    }
    fitting
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~')
}

fn without_leading_colon(text: String) -> String {
    match text.strip_prefix(':') {
        Some(rest) => format!("_{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_stays_as_it_is() {
        assert_eq!(
            namespace("My Team/Cloud.Trail-1_#:x"),
            "My Team/Cloud.Trail-1_#:x"
        );
        assert_eq!(metric_name("Sign-ins (root) ~ 5%"), "Sign-ins (root) ~ 5%");
        assert_eq!(
            dimension_value(":arn:aws:iam::111122223333:root"),
            ":arn:aws:iam::111122223333:root"
        );
    }

    #[test]
    fn what_is_not_allowed_becomes_an_underscore() {
        assert_eq!(namespace("a&b\u{e9}"), "a_b_");
        assert_eq!(namespace(":a"), "_a");
        assert_eq!(metric_name("a\n\u{1f600}b"), "a__b");
        assert_eq!(metric_name(":a:b"), "_a:b");
        assert_eq!(dimension_name(":a"), "_a");
        assert_eq!(dimension_value("line\u{7f}"), "line_");
    }

    #[test]
    fn what_is_blank_becomes_an_underscore() {
        for blank in ["", " ", "   "] {
            assert_eq!(namespace(blank), "_");
            assert_eq!(metric_name(blank), "_");
            assert_eq!(dimension_name(blank), "_");
            assert_eq!(dimension_value(blank), "_");
        }
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let long = "\u{e9}".repeat(2000);
        assert_eq!(namespace(&long).len(), 255);
        assert_eq!(metric_name(&long).len(), 255);
        assert_eq!(dimension_name(&long).len(), 250);
        assert_eq!(dimension_value(&long).len(), 1024);
    }
}

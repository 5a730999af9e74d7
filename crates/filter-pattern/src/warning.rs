//! What compiles and is probably not meant: only what is certain and cheap to see.

use std::ops::Range;

use crate::compare::{Condition, Operand};
use crate::error::printable;
use crate::json::{JsonPattern, Test};
use crate::logic::Node;
use crate::pattern::Kind;
use crate::terms::{Role, Terms};

/// A part of a pattern that is legal and probably does not say what its author means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    span: Range<usize>,
    message: String,
    help: String,
}

impl Warning {
    /// The place, in bytes of the pattern's source.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What is odd, in lower case and without a full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What is probably meant.
    pub fn help(&self) -> &str {
        &self.help
    }
}

/// All warnings about a pattern, in the order of its text.
pub(crate) fn of(kind: &Kind, source: &str) -> Vec<Warning> {
    let mut warnings = match kind {
        Kind::Json(json) => {
            let mut warnings: Vec<_> = json
                .tests
                .iter()
                .flat_map(|test| [boolean_word(test, source), unequal_to_everything(test)])
                .flatten()
                .collect();
            warnings.extend(joined_exclusions(json));
            warnings
        }
        Kind::Terms(terms) => ignored_terms(terms),
        Kind::MatchAll | Kind::Fields(_) | Kind::Expression(_) => Vec::new(),
    };
    warnings.sort_by_key(|warning| warning.span.start);
    for warning in &mut warnings {
        warning.message = printable(&warning.message);
        warning.help = printable(&warning.help);
    }
    warnings
}

/// `$.readOnly = false`: compares text, and is false for the boolean (D03).
fn boolean_word(test: &Test, source: &str) -> Option<Warning> {
    let (operator, operand) = match &test.condition {
        Condition::Equal(Operand::Text(glob)) => ("=", glob),
        Condition::NotEqual(Operand::Text(glob)) => ("!=", glob),
        _ => return None,
    };
    let written = operand.literal()?;
    let word = written.to_ascii_uppercase();
    // Quotes say that a string is meant.
    let is_quoted = source.get(test.span.clone())?.ends_with('"');
    if is_quoted || !matches!(word.as_str(), "TRUE" | "FALSE" | "NULL") {
        return None;
    }
    let what = if word == "NULL" { "null" } else { "booleans" };
    let selector = &test.selector;
    let meant = match (operator, word.as_str()) {
        ("=", _) => format!("`{selector} IS {word}`"),
        (_, "TRUE") => format!("`{selector} IS FALSE`"),
        (_, "FALSE") => format!("`{selector} IS TRUE`"),
        _ => format!("`{selector} = *`, which holds for every string and number"),
    };
    Some(Warning {
        span: test.span.clone(),
        message: format!("`{operator} {written}` compares text and is false for {what}"),
        help: format!("did you mean {meant}? For the text, write it in quotes"),
    })
}

/// `$.x != *`: no value differs from it.
fn unequal_to_everything(test: &Test) -> Option<Warning> {
    let Condition::NotEqual(Operand::Text(glob)) = &test.condition else {
        return None;
    };
    glob.matches_everything().then(|| Warning {
        span: test.span.clone(),
        message: "no value is unequal to `*`, so this is never true".to_owned(),
        help: format!("did you mean `{} NOT EXISTS`?", test.selector),
    })
}

/// `... || ($.a != "x") || ($.b != "y")`: an event would have to have both values not to match. The CIS
/// benchmark's 4.1 is printed so in its versions 1.4 to 3.0 (filter pattern rules, section 3.5).
///
/// Only for the pattern as a whole, and not beside a `NOT EXISTS`: further inside, or with a guard,
/// alternatives on several fields can make sense.
fn joined_exclusions(json: &JsonPattern) -> Option<Warning> {
    let alternatives = alternatives(json);
    let is_guard = |test: &&Test| test.condition == Condition::NotExists;
    if alternatives.iter().any(is_guard) {
        return None;
    }
    let mut exclusions = alternatives
        .into_iter()
        .filter(|test| matches!(test.condition, Condition::NotEqual(_)))
        .filter(|test| unequal_to_everything(test).is_none());
    let first = exclusions.next()?;
    let other = exclusions.find(|other| other.selector != first.selector)?;
    let (one, another) = (&first.selector, &other.selector);
    Some(Warning {
        span: other.span.clone(),
        message: format!(
            "`!=` tests joined with `||` match every event that has a string or a number in `{one}` or `{another}`, unless it is the excluded one"
        ),
        help: "one `!=` that is true is enough; to exclude events, join the exclusions with `&&`"
            .to_owned(),
    })
}

/// The tests of which one is enough for the pattern to match, in the order of the text.
fn alternatives(json: &JsonPattern) -> Vec<&Test> {
    let nodes = json.tree.nodes();
    let mut ahead = vec![nodes.len().saturating_sub(1)];
    let mut alternatives = Vec::new();
    while let Some(index) = ahead.pop() {
        match nodes.get(index) {
            Some(Node::Test(test)) => alternatives.extend(json.tests.get(*test)),
            Some(Node::Any(children)) => ahead.extend(children.iter().rev()),
            Some(Node::All(_)) | None => {}
        }
    }
    alternatives
}

/// `?` terms beside others play no part (filter pattern rules, section 6).
fn ignored_terms(terms: &Terms) -> Vec<Warning> {
    if !terms.ignores_optional() {
        return Vec::new();
    }
    let optional = terms
        .terms
        .iter()
        .filter(|term| term.role == Role::Optional);
    optional
        .map(|term| Warning {
            span: term.span.clone(),
            message: format!("`{}` is ignored beside terms without `?`", term.shown()),
            help: "`?` terms count only in patterns that hold nothing else".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::compile;

    fn warned(pattern: &str) -> Vec<String> {
        let compiled = compile(pattern).expect(pattern);
        let warnings = compiled.warnings().iter();
        warnings
            .map(|warning| pattern[warning.span()].to_owned())
            .collect()
    }

    #[test]
    fn a_bare_boolean_word_is_warned_about() {
        assert_eq!(
            warned("{ $.a = 1 && $.readOnly = false }"),
            ["$.readOnly = false"]
        );
        assert_eq!(warned("{ $.x != NULL }"), ["$.x != NULL"]);
        assert!(warned(r#"{ $.mfa != "true" && $.x = truex && $.y IS TRUE }"#).is_empty());
        let pattern = compile("{ $.readOnly = false }").expect("a pattern");
        assert_eq!(
            pattern.warnings()[0].help(),
            "did you mean `$.readOnly IS FALSE`? For the text, write it in quotes"
        );
    }

    #[test]
    fn exclusions_joined_with_or_are_warned_about() {
        for pattern in [
            r#"{ ($.e = "A*") || ($.ip != "x") || ($.n != "HeadBucket") }"#,
            r#"{ ($.e = "A*") || (($.ip != "x") || ($.n != "HeadBucket")) }"#,
            r#"{ ((($.e = "A*") || ($.ip != "x")) || ($.n != "HeadBucket")) }"#,
            r#"{ ($.e = "A*" && $.f = 1) || $.ip != x || $.n != "HeadBucket" || $.m != y }"#,
        ] {
            assert_eq!(warned(pattern), [r#"$.n != "HeadBucket""#], "{pattern}");
        }
        let pattern = compile("{ $.ip != x || $['n o'] != y }").expect("a pattern");
        assert_eq!(
            pattern.warnings()[0].message(),
            "`!=` tests joined with `||` match every event that has a string or a number in `$.ip` or `$['n o']`, unless it is the excluded one"
        );
    }

    #[test]
    fn a_boolean_word_is_shown_as_written() {
        let pattern = compile("{ $.a = True }").expect("a pattern");
        assert_eq!(
            pattern.warnings()[0].message(),
            "`= True` compares text and is false for booleans"
        );
    }

    #[test]
    fn exclusions_that_make_sense_are_not() {
        for pattern in [
            r#"{ ($.e = "A*") && ($.ip != "x") && ($.n != "y") }"#,
            "{ $.x != a || $.x NOT EXISTS }",
            "{ $.e = 1 && ($.n != a || $.m != b) }",
            "{ $.e = 1 && ($.n[*] != a || $.n[*] != b) }",
            "{ $.e = 1 && ($.n != a || $.n != b) }",
            "{ $.n != a || $.n != b }",
            "{ $.n != a || ($.m != b && $.e = 1) }",
            "{ $.n != a || $.m != b || $.n NOT EXISTS }",
            "{ $.n != a || ($.m != b || ($.n NOT EXISTS)) }",
        ] {
            assert!(warned(pattern).is_empty(), "{pattern}");
        }
    }

    #[test]
    fn a_test_that_is_never_true_is_warned_about() {
        assert_eq!(warned("{ $.x != * || $.y = * }"), ["$.x != *"]);
    }

    #[test]
    fn ignored_terms_are_warned_about() {
        assert_eq!(warned("?WARN ERROR ?\"a b\""), ["?WARN", "?\"a b\""]);
        assert!(warned("?WARN ?ERROR").is_empty());
    }
}

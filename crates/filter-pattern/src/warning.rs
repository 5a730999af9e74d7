//! What compiles and is probably not meant: only what is certain and cheap to see.

use std::ops::Range;

use crate::compare::{Condition, Operand};
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
    warnings
}

/// `$.readOnly = false`: compares text, and is false for the boolean (D03).
fn boolean_word(test: &Test, source: &str) -> Option<Warning> {
    let (operator, operand) = match &test.condition {
        Condition::Equal(Operand::Text(glob)) => ("=", glob),
        Condition::NotEqual(Operand::Text(glob)) => ("!=", glob),
        _ => return None,
    };
    let word = operand.literal()?.to_ascii_uppercase();
    // Quotes say that a string is meant.
    let is_quoted = source.get(test.span.clone())?.ends_with('"');
    if is_quoted || !matches!(word.as_str(), "TRUE" | "FALSE" | "NULL") {
        return None;
    }
    let lower = word.to_ascii_lowercase();
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
        message: format!("`{operator} {lower}` compares text and is false for {what}"),
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
fn joined_exclusions(json: &JsonPattern) -> Vec<Warning> {
    let nodes = json.tree.nodes();
    let root = nodes.len().saturating_sub(1);
    let mut warnings = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let Node::Any(children) = node else {
            continue;
        };
        let test_of = |child: &usize| match nodes.get(*child) {
            Some(Node::Test(test)) => json.tests.get(*test),
            _ => None,
        };
        let exclusions: Vec<&Test> = children
            .iter()
            .filter_map(test_of)
            .filter(|test| matches!(test.condition, Condition::NotEqual(_)))
            .collect();
        let [first, others @ ..] = exclusions.as_slice() else {
            continue;
        };
        // Deeper inside, alternatives on several fields can make sense: not both at once.
        let Some(other) = others.iter().find(|other| {
            index == root || (other.selector == first.selector && !first.selector.has_wildcard())
        }) else {
            continue;
        };
        warnings.push(Warning {
            span: other.span.clone(),
            message: "exclusions joined with `||` match nearly every event".to_owned(),
            help: "an event matches as soon as one of the `!=` is true; exclusions are joined with `&&`"
                .to_owned(),
        });
    }
    warnings
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
        assert_eq!(
            warned(r#"{ ($.e = "A*") || ($.ip != "x") || ($.n != "HeadBucket") }"#),
            [r#"$.n != "HeadBucket""#]
        );
        assert_eq!(
            warned("{ $.e = 1 && ($.n != a || $.n != b) }"),
            ["$.n != b"]
        );
    }

    #[test]
    fn exclusions_that_make_sense_are_not() {
        for pattern in [
            r#"{ ($.e = "A*") && ($.ip != "x") && ($.n != "y") }"#,
            "{ $.x != a || $.x NOT EXISTS }",
            "{ $.e = 1 && ($.n != a || $.m != b) }",
            "{ $.e = 1 && ($.n[*] != a || $.n[*] != b) }",
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

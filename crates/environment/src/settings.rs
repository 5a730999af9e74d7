//! Asking for variables, and the faults that come of it.

use std::fmt::{self, Display};

/// How much of a value is shown.
const MAX_SHOWN_CHARACTERS: usize = 200;

/// Reads variables through a lookup and remembers what is wrong with them.
///
/// A fault does not stop the reading: ask for all variables, then [`Environment::finish`].
#[derive(Debug)]
pub struct Environment<L> {
    lookup: L,
    faults: Vec<Fault>,
}

impl<L: Fn(&str) -> Option<String>> Environment<L> {
    /// Reads through this lookup: `Environment::new(|name| std::env::var(name).ok())`.
    pub fn new(lookup: L) -> Environment<L> {
        Environment {
            lookup,
            faults: Vec::new(),
        }
    }

    /// The value of a variable that must be set.
    ///
    /// `expected` says in words what it has to be: `the name of a DynamoDB table`.
    pub fn required<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
        expected: &str,
    ) -> Option<T> {
        if self.get(name).is_none() {
            self.faults.push(Fault {
                name: name.to_owned(),
                found: None,
                expected: expected.to_owned(),
                detail: String::new(),
            });
        }
        self.optional(name, parse, expected)
    }

    /// The value of a variable, `None` if it is not set.
    pub fn optional<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
        expected: &str,
    ) -> Option<T> {
        let text = self.get(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(Fault {
                    name: name.to_owned(),
                    found: Some(shown(&text)),
                    expected: expected.to_owned(),
                    detail: shown(&error.to_string()),
                });
                None
            }
        }
    }

    /// The value of a variable, `default` if it is not set; `None` only if its value is wrong.
    pub fn or_default<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
        expected: &str,
        default: T,
    ) -> Option<T> {
        match self.get(name) {
            Some(_) => self.optional(name, parse, expected),
            None => Some(default),
        }
    }

    /// The settings that were made of the values, if nothing was wrong with any variable.
    ///
    /// # Errors
    /// Every fault, in the order the variables were asked for.
    pub fn finish<T>(self, settings: Option<T>) -> Result<T, Faults> {
        match settings {
            Some(settings) if self.faults.is_empty() => Ok(settings),
            _ => Err(Faults {
                faults: self.faults,
            }),
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }
}

/// What is wrong with one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable.
    pub name: String,
    /// Its value, fit to be shown; `None` if it is not set.
    pub found: Option<String>,
    /// What it has to be, in words.
    pub expected: String,
    /// What the parser says is wrong with the value; may be empty.
    pub detail: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault {
            name,
            found,
            expected,
            detail,
        } = self;
        match found {
            None => write!(f, "`{name}` is not set, expected {expected}"),
            Some(found) => write!(f, "`{name}` is `{found}`, expected {expected}"),
        }?;
        if !detail.is_empty() {
            write!(f, " ({detail})")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with the variables, one fault a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    /// In the order the variables were asked for.
    pub faults: Vec<Fault>,
}

impl std::error::Error for Faults {}

impl Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return f.write_str("the settings are not complete");
        }
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

/// Text on one line, without what moves a terminal, of bounded length.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN_CHARACTERS)
        .map(|c| if is_harmless(c) { c } else { '\u{fffd}' })
        .collect();
    if text.chars().nth(MAX_SHOWN_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}

/// Neither a control character, a line separator nor one that changes the direction of writing.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(
        variables: &'static [(&'static str, &'static str)],
    ) -> Environment<impl Fn(&str) -> Option<String>> {
        Environment::new(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn number(text: &str) -> Result<u32, std::num::ParseIntError> {
        text.parse()
    }

    #[test]
    fn values_that_are_right_become_settings() {
        let mut environment = environment(&[("A", "1"), ("B", "2"), ("C", "3")]);
        let a = environment.required("A", number, "a number");
        let b = environment.optional("B", number, "a number");
        let c = environment.or_default("C", number, "a number", 9);
        assert_eq!(environment.finish(a.zip(b)), Ok((1, 2)));
        assert_eq!(c, Some(3));
    }

    #[test]
    fn only_a_required_variable_has_to_be_set() {
        let mut environment = environment(&[]);
        assert_eq!(environment.optional("B", number, "a number"), None);
        assert_eq!(environment.or_default("C", number, "a number", 9), Some(9));
        assert_eq!(environment.required("A", number, "a number"), None);
        let faults = environment.finish(Some(())).unwrap_err();
        assert_eq!(faults.to_string(), "`A` is not set, expected a number");
    }

    #[test]
    fn a_variable_that_is_set_to_nothing_is_not_set() {
        let mut environment = environment(&[("A", ""), ("B", "")]);
        assert_eq!(environment.optional("B", number, "a number"), None);
        assert_eq!(environment.required("A", number, "a number"), None);
        let faults = environment.finish::<()>(None).unwrap_err();
        assert_eq!(faults.to_string(), "`A` is not set, expected a number");
    }

    #[test]
    fn every_fault_is_told_in_order_and_with_what_the_parser_says() {
        let mut environment = environment(&[("B", "two"), ("C", "-3"), ("D", "4")]);
        environment.required("A", number, "a number");
        environment.optional("B", number, "a number");
        let c = environment.or_default("C", number, "a number from 0", 7);
        environment.required("D", number, "a number");
        assert_eq!(c, None);
        assert_eq!(
            environment.finish(c).unwrap_err().to_string(),
            "`A` is not set, expected a number\n\
             `B` is `two`, expected a number (invalid digit found in string)\n\
             `C` is `-3`, expected a number from 0 (invalid digit found in string)"
        );
    }

    #[test]
    fn a_parser_may_have_nothing_to_add() {
        let mut environment = environment(&[("A", "x")]);
        environment.required("A", |_| Err::<(), _>(""), "y");
        assert_eq!(
            environment.finish(Some(())).unwrap_err().to_string(),
            "`A` is `x`, expected y"
        );
    }

    #[test]
    fn settings_that_are_missing_are_a_fault_even_if_every_variable_is_right() {
        let faults = environment(&[]).finish::<()>(None).unwrap_err();
        assert_eq!(faults.to_string(), "the settings are not complete");
    }

    #[test]
    fn a_value_is_shown_on_one_line_and_not_longer_than_needed() {
        assert_eq!(
            shown("a\n\u{1b}[31mb\u{202e}\u{2028}"),
            "a\u{fffd}\u{fffd}[31mb\u{fffd}\u{fffd}"
        );
        assert_eq!(shown(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(shown(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
    }
}

//! Texts with `*` for any run of characters.

/// A text in which `*` stands for any run of characters, the empty one included.
/// Filter pattern rules, section 3.3 and D05: nothing else is special and `*` has no escape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    text: String,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Literal,
    /// What stands before the first, between and behind the last `*`.
    Wild {
        first: String,
        middle: Vec<String>,
        last: String,
    },
}

impl Glob {
    pub(crate) fn new(text: &str) -> Self {
        let shape = match (text.split_once('*'), text.rsplit_once('*')) {
            (Some((first, _)), Some((front, last))) => Shape::Wild {
                first: first.to_owned(),
                middle: front
                    .split('*')
                    .skip(1)
                    .filter(|piece| !piece.is_empty())
                    .map(str::to_owned)
                    .collect(),
                last: last.to_owned(),
            },
            _ => Shape::Literal,
        };
        Glob {
            text: text.to_owned(),
            shape,
        }
    }

    /// The text as given, stars included.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text, if there is no `*` in it.
    pub(crate) fn literal(&self) -> Option<&str> {
        matches!(self.shape, Shape::Literal).then_some(self.text.as_str())
    }

    /// The longest run of characters that every text has that matches; `None` if there is none.
    pub(crate) fn longest_piece(&self) -> Option<&str> {
        let pieces = self.text.split('*').filter(|piece| !piece.is_empty());
        pieces.max_by_key(|piece| piece.len())
    }

    /// Is this only stars, which match every text?
    pub(crate) fn matches_everything(&self) -> bool {
        !self.text.is_empty() && self.text.bytes().all(|byte| byte == b'*')
    }

    /// Taking each middle piece where it first occurs loses nothing: what follows can only have more
    /// room. So this is linear.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Shape::Wild {
            first,
            middle,
            last,
        } = &self.shape
        else {
            return self.text == text;
        };
        let Some(inner) = text
            .strip_prefix(first.as_str())
            .and_then(|rest| rest.strip_suffix(last.as_str()))
        else {
            return false;
        };
        let mut rest = inner;
        for piece in middle {
            match rest.split_once(piece.as_str()) {
                Some((_, behind)) => rest = behind,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (pattern, text) in [
            ("*", ""),
            ("*.8xlarge", "c7g.8xlarge"),
            ("a*b*c", "abbc"),
            ("*ab*ab", "abab"),
            ("Put**Policy", "PutPolicy"),
            ("*é*", "aéb"),
        ] {
            assert!(Glob::new(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn pieces_do_not_overlap() {
        for (pattern, text) in [
            ("a*a", "a"),
            ("ab*bc", "abc"),
            ("*ab*ab", "ab"),
            ("a*bc*c", "abc"),
            ("*.8xlarge", "c7g.18xlarge"),
            ("", "x"),
            ("a.c", "abc"),
            ("a?c", "abc"),
        ] {
            assert!(!Glob::new(pattern).matches(text), "{pattern} {text}");
        }
    }

    #[test]
    fn only_stars_match_everything() {
        assert!(Glob::new("**").matches_everything());
        assert!(!Glob::new("").matches_everything());
        assert!(!Glob::new("*a").matches_everything());
    }
}

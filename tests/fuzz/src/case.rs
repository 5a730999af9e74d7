//! Patterns and the records they are held against, chosen so that many of them compile and many match.

use std::ops::RangeInclusive;

use arbitrary::{Result, Unstructured};
use raw_json::Str;

/// Some patterns and a log file.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) patterns: Vec<String>,
    pub(crate) document: Vec<u8>,
}

/// As many patterns as are looked at.
const MOST_PATTERNS: usize = 24;

impl Case {
    /// A pattern in each line up to an empty one, then records with commas between them or a whole log file.
    pub(crate) fn written(text: &[u8]) -> Case {
        let mut lines = text.split(|byte| *byte == b'\n');
        let mut patterns = Vec::new();
        let mut behind = 0;
        for line in lines.by_ref() {
            behind += line.len() + 1;
            if line.is_empty() || patterns.len() == MOST_PATTERNS {
                break;
            }
            patterns.push(String::from_utf8_lossy(line).into_owned());
        }
        let records = text.get(behind..).unwrap_or_default();
        let document = match records.starts_with(b"{\"Records\"") {
            true => records.to_vec(),
            false => log_file(records),
        };
        Case { patterns, document }
    }

    /// A case made by choices. When there are no more of them the rest is short and simple.
    pub(crate) fn chosen(choices: &[u8]) -> Case {
        let mut writer = Writer {
            choices: Unstructured::new(choices),
            text: Vec::new(),
            path: Vec::new(),
            leaves: Vec::new(),
        };
        // Choices that have run out are no errors, but for those of bytes, where there is nothing left to do then.
        let _ = writer.records();
        let document = log_file(&writer.text);
        let mut patterns = Vec::new();
        let mut author = Author {
            choices: writer.choices,
            leaves: &writer.leaves,
            tests: Vec::new(),
        };
        while patterns.len() < MOST_PATTERNS && !author.choices.is_empty() {
            patterns.extend(author.pattern());
        }
        Case { patterns, document }
    }
}

fn log_file(records: &[u8]) -> Vec<u8> {
    [b"{\"Records\":[", records, b"]}"].concat()
}

/// A step from a value to a value in it.
#[derive(Debug, Clone)]
enum Step {
    Name(String),
    Index(usize),
    AnyName,
    AnyIndex,
}

/// Where a string or number stands in a record, and its text.
#[derive(Debug)]
struct Leaf {
    path: Vec<Step>,
    text: String,
}

/// Names as they are written in records. Some are written with escapes, and one of those is the name of another; two are no UTF-8 and
/// read alike.
const NAMES: [&[u8]; 14] = [
    b"a",
    b"b",
    b"c",
    b"n",
    b"x.y",
    "é".as_bytes(),
    b"eventName",
    br"\u0061",
    br#"a\"b"#,
    b"\xff",
    b"\xfe",
    b"*",
    b"",
    b"aNameThatIsLongerThanWhatIsLookedAtAtATimeWhichIsSixtyFourBytesOrSo",
];

/// Strings are put together of these.
const PIECES: [&[u8]; 26] = [
    b"x",
    b"X",
    b"ab",
    b"abc",
    b"12",
    b"12.0",
    b"1e2",
    b"-0",
    b"true",
    b"null",
    b"",
    b" ",
    b"*",
    b"%",
    b"{}",
    b"[,:]",
    b"/",
    "é".as_bytes(),
    br#"\""#,
    br"\\",
    br"\n",
    br"\u0078",
    br"\ud83d\udc7b",
    br"\ud800",
    b"\xff",
    b"long-enough-to-cross-from-one-block-of-sixty-four-bytes-into-the-next-one",
];

/// Some are numbers only for those who do not look closely.
const NUMBERS: [&str; 18] = [
    "12",
    "12.0",
    "1.2e1",
    "0",
    "-0",
    "-0.0",
    "1e2",
    "1E+2",
    "100",
    "-1",
    "0.1e-1",
    "12.5",
    "1e400",
    "123456789012345678901234567890",
    "123456789012345678901234567890.0",
    "01",
    "1.",
    "+1",
];

/// Writes records and notes what stands where in them.
struct Writer<'d> {
    choices: Unstructured<'d>,
    text: Vec<u8>,
    path: Vec<Step>,
    leaves: Vec<Leaf>,
}

impl Writer<'_> {
    fn records(&mut self) -> Result<()> {
        for place in 0..=self.choices.int_in_range(0..=4)? {
            if place > 0 {
                self.text.push(b',');
                self.gap()?;
            }
            self.object(0)?;
        }
        if self.choices.ratio(1, 12)? && !self.text.is_empty() {
            let place = self.choices.choose_index(self.text.len())?;
            self.text[place] = self.choices.arbitrary()?;
        }
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<()> {
        self.text.push(b'{');
        self.gap()?;
        for place in 0..self.choices.int_in_range(0..=6)? {
            if place > 0 {
                self.text.push(b',');
                self.gap()?;
            }
            let name = *self.choices.choose(&NAMES)?;
            self.text.extend([b"\"", name, b"\""].concat());
            self.gap()?;
            self.text.push(b':');
            self.path.push(Step::named(name));
            self.value(depth)?;
            self.path.pop();
        }
        self.text.push(b'}');
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<()> {
        self.text.push(b'[');
        for place in 0..self.choices.int_in_range(0..=4)? {
            if place > 0 {
                self.text.push(b',');
            }
            self.path.push(Step::Index(place));
            self.value(depth)?;
            self.path.pop();
        }
        self.text.push(b']');
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<()> {
        const CONTAINERS: RangeInclusive<u8> = 9..=12;
        let most = match depth {
            0..6 => *CONTAINERS.end(),
            _ => CONTAINERS.start() - 1,
        };
        match self.choices.int_in_range(0..=most)? {
            0 => self.text.extend(b"null"),
            1 => self.text.extend(b"true"),
            2 => self.text.extend(b"false"),
            3..=5 => self.number()?,
            6..=8 => self.string()?,
            9..=10 => self.object(depth + 1)?,
            _ => self.array(depth + 1)?,
        }
        self.gap()
    }

    fn number(&mut self) -> Result<()> {
        let number = *self.choices.choose(&NUMBERS)?;
        self.text.extend(number.as_bytes());
        self.note(number.to_owned());
        Ok(())
    }

    fn string(&mut self) -> Result<()> {
        let mut string = Vec::new();
        // Four long pieces are longer than what is remembered of texts.
        for _ in 0..self.choices.int_in_range(0..=4)? {
            string.extend(*self.choices.choose(&PIECES)?);
        }
        self.text.extend([b"\"", &string[..], b"\""].concat());
        self.note(Str::new(&string).decode().into_owned());
        Ok(())
    }

    fn note(&mut self, text: String) {
        let path = self.path.clone();
        self.leaves.push(Leaf { path, text });
    }

    /// White space here and there, so that a record is read the exact way.
    fn gap(&mut self) -> Result<()> {
        if self.choices.ratio(1, 40)? {
            self.text.push(*self.choices.choose(b" \n\t")?);
        }
        Ok(())
    }
}

const EXPRESSIONS: [&str; 9] = [
    "^x",
    "x$",
    "1|b",
    "^[0-9.]+$",
    "a.?b",
    "^$",
    ".",
    r"\x22",
    "[^a-z]{2,3}",
];

const VALUES: [&str; 14] = [
    "12", "12.0", "1.2e1", "+12", "-0", "1e2", "x", "*", "x*", "*x", "a*b*", "true", "null", "\"\"",
];

/// Writes patterns, of records that are known.
struct Author<'d, 'l> {
    choices: Unstructured<'d>,
    leaves: &'l [Leaf],
    /// Tests that were written, to be written again: sets ask equal tests once.
    tests: Vec<String>,
}

impl Author<'_, '_> {
    fn pattern(&mut self) -> Result<String> {
        match self.choices.int_in_range(0..=11)? {
            0..=7 => Ok(format!("{{ {} }}", self.formula(0)?)),
            8 => self.terms(),
            9 => self.fields(),
            10 => Ok(format!("%{}%", self.expression()?)),
            // Whatever the choices read like.
            _ => {
                let length = self.choices.int_in_range(0..=40)?;
                let length = length.min(self.choices.len());
                let text = self.choices.bytes(length)?;
                Ok(String::from_utf8_lossy(text).into_owned())
            }
        }
    }

    fn formula(&mut self, depth: usize) -> Result<String> {
        let most = if depth < 3 { 5 } else { 2 };
        let sign = match self.choices.int_in_range(0..=most)? {
            0..=2 => return self.test(),
            3 => " && ",
            4 => "||",
            _ => return Ok(format!("({})", self.formula(depth + 1)?)),
        };
        let mut parts = Vec::new();
        for _ in 0..self.choices.int_in_range(2..=3)? {
            parts.push(self.formula(depth + 1)?);
        }
        Ok(parts.join(sign))
    }

    fn test(&mut self) -> Result<String> {
        if !self.tests.is_empty() && self.choices.ratio(1, 4)? {
            return Ok(self.choices.choose(&self.tests)?.clone());
        }
        let test = self.new_test()?;
        self.tests.push(test.clone());
        Ok(test)
    }

    fn new_test(&mut self) -> Result<String> {
        let selector = self.selector()?;
        Ok(match self.choices.int_in_range(0..=15)? {
            0..=4 => format!("{selector} = {}", self.operand()?),
            5..=7 => format!("{selector}!={}", self.operand()?),
            8 => format!("{selector} < {}", self.choices.choose(&NUMBERS)?),
            9 => format!("{selector}<={}", self.choices.choose(&NUMBERS)?),
            10 => format!("{selector} > {}", self.choices.choose(&NUMBERS)?),
            11 => format!("{selector}>={}", self.choices.choose(&NUMBERS)?),
            12 => format!("{selector} IS NULL"),
            13 => format!("{selector} IS TRUE"),
            14 => format!("{selector} is false"),
            _ => format!("{selector} NOT EXISTS"),
        })
    }

    /// Mostly the way to a leaf, or one that differs from it in a step.
    fn selector(&mut self) -> Result<String> {
        let mut steps = match self.leaf()? {
            Some(leaf) => leaf.path.clone(),
            None => self.steps()?,
        };
        let place = self.choices.choose_index(steps.len())?;
        match self.choices.int_in_range(0..=9)? {
            0 | 1 => {
                if let Some(step) = steps.get_mut(place) {
                    *step = match step {
                        Step::Index(_) => Step::AnyIndex,
                        _ => Step::AnyName,
                    };
                }
            }
            2 => steps.truncate(place + 1),
            3 => {
                steps.push(Step::named(self.choices.choose(&NAMES)?));
            }
            4 => steps.push(Step::AnyName),
            5 => steps.push(Step::AnyIndex),
            _ => {}
        }
        let steps: Vec<String> = steps.iter().map(Step::written).collect();
        Ok(format!("${}", steps.concat()))
    }

    fn steps(&mut self) -> Result<Vec<Step>> {
        let mut steps = Vec::new();
        for _ in 0..self.choices.int_in_range(1..=3)? {
            steps.push(match self.choices.int_in_range(0..=5)? {
                0..=3 => Step::named(self.choices.choose(&NAMES)?),
                4 => Step::Index(self.choices.int_in_range(0..=3)?),
                _ => Step::AnyName,
            });
        }
        Ok(steps)
    }

    /// One of three times, and where there are no leaves, none.
    fn leaf(&mut self) -> Result<Option<&Leaf>> {
        let known = !self.leaves.is_empty() && self.choices.ratio(2, 3)?;
        known.then(|| self.choices.choose(self.leaves)).transpose()
    }

    fn text(&mut self) -> Result<String> {
        Ok(match self.leaf()? {
            Some(leaf) => leaf.text.clone(),
            None => self.choices.choose(&VALUES)?.trim_matches('"').to_owned(),
        })
    }

    fn operand(&mut self) -> Result<String> {
        Ok(match self.choices.int_in_range(0..=7)? {
            0..=2 => quoted(&self.text()?),
            3 | 4 => quoted(&self.glob()?),
            5 => (*self.choices.choose(&VALUES)?).to_owned(),
            6 => self.text()?,
            _ => format!("%{}%", self.expression()?),
        })
    }

    /// A text with stars in it.
    fn glob(&mut self) -> Result<String> {
        let mut characters: Vec<char> = self.text()?.chars().collect();
        for _ in 0..self.choices.int_in_range(1..=2)? {
            let place = self.choices.int_in_range(0..=characters.len())?;
            match characters.get_mut(place) {
                Some(character) if self.choices.arbitrary()? => *character = '*',
                _ => characters.insert(place, '*'),
            }
        }
        match self.choices.int_in_range(0..=3)? {
            0 => characters.retain(|character| *character != '*'),
            1 => characters.truncate(3),
            _ => {}
        }
        Ok(characters.into_iter().collect())
    }

    fn expression(&mut self) -> Result<String> {
        if self.choices.arbitrary()? {
            return Ok((*self.choices.choose(&EXPRESSIONS)?).to_owned());
        }
        let text = self.text()?;
        let plain = text.chars().filter(char::is_ascii_alphanumeric).take(5);
        let plain: String = plain.collect();
        Ok(match self.choices.int_in_range(0..=3)? {
            0 => format!("^{plain}"),
            1 => format!("{plain}$"),
            2 => format!("{plain}.*[a-x]"),
            _ => plain,
        })
    }

    fn terms(&mut self) -> Result<String> {
        let mut terms = Vec::new();
        for _ in 0..self.choices.int_in_range(1..=3)? {
            let sign = *self.choices.choose(&["", "", "-", "?"])?;
            let word = match self.choices.arbitrary()? {
                true => quoted(&self.text()?),
                false => (*self.choices.choose(&["x", "a", "12", "null", "abc"])?).to_owned(),
            };
            terms.push(format!("{sign}{word}"));
        }
        Ok(terms.join(" "))
    }

    fn fields(&mut self) -> Result<String> {
        let mut fields = Vec::new();
        for _ in 0..self.choices.int_in_range(1..=4)? {
            fields.push(match self.choices.int_in_range(0..=7)? {
                0 => "...".to_owned(),
                1 => String::new(),
                2 | 3 => "a".to_owned(),
                4 => format!("b = {}", self.operand()?),
                5 => format!("c != {} || c = {}", self.operand()?, self.operand()?),
                6 => format!("d = {}", quoted(&format!("*{}*", self.text()?))),
                _ => format!("n > {}", self.choices.choose(&NUMBERS)?),
            });
        }
        Ok(format!("[{}]", fields.join(", ")))
    }
}

impl Step {
    /// To the member whose name is written so.
    fn named(name: &[u8]) -> Step {
        Step::Name(Str::new(name).decode().into_owned())
    }

    fn written(&self) -> String {
        match self {
            Step::Name(name) if name.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                format!(".{name}")
            }
            Step::Name(name) if name.contains('\'') => format!("[\"{name}\"]"),
            Step::Name(name) => format!("['{name}']"),
            Step::Index(index) => format!("[{index}]"),
            Step::AnyName => ".*".to_owned(),
            Step::AnyIndex => "[*]".to_owned(),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter_pattern::compile;
    use raw_json::{Extent, Index, Object, extent};

    /// Noise, the same at every run.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed;
        let mut byte = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        };
        std::iter::repeat_with(&mut byte).take(length).collect()
    }

    #[test]
    fn what_is_chosen_is_worth_holding() {
        let (mut written, mut compiled, mut held, mut matching) = (0, 0, 0, 0);
        let (mut records, mut indexed) = (0, 0);
        for seed in 0..400 {
            let case = Case::chosen(&noise(seed, 1500));
            written += case.patterns.len();
            let texts = case.patterns.iter();
            let patterns: Vec<_> = texts.filter_map(|text| compile(text).ok()).collect();
            compiled += patterns.len();
            let mut rest = case.document.strip_prefix(b"{\"Records\":[").unwrap();
            while let Extent::Complete { end, fault: None } = extent(rest, 0) {
                records += 1;
                indexed += Index::default().fill(&rest[..end]).count();
                if let Some(record) = Object::from_extent(&rest[..end]) {
                    held += patterns.len();
                    let matches =
                        |pattern: &&filter_pattern::Pattern| pattern.matches_record(record);
                    matching += patterns.iter().filter(matches).count();
                }
                rest = rest.get(end + 1..).unwrap_or_default();
            }
        }
        let share = |part: usize, whole: usize| part * 100 / whole;
        let found = [
            share(compiled, written),
            share(matching, held),
            share(indexed, records),
        ];
        println!("{written} patterns, {records} records, {found:?}");
        // Of a hundred patterns so many compile and so many match, of a hundred records so many have an index.
        for (found, expected) in found.into_iter().zip([50..90, 10..60, 40..90]) {
            assert!(
                expected.contains(&found),
                "{found} of 100, expected {expected:?}"
            );
        }
    }

    #[test]
    fn what_is_written_is_patterns_and_records() {
        let case = Case::written(b"{ $.a = 1 }\n?x\n\n{\"a\":1},{\"a\":2}");
        assert_eq!(case.patterns, ["{ $.a = 1 }", "?x"]);
        assert_eq!(case.document, br#"{"Records":[{"a":1},{"a":2}]}"#);
        let case = Case::written(b"\n{\"Records\":[]} ");
        assert!(case.patterns.is_empty());
        assert_eq!(case.document, br#"{"Records":[]} "#);
    }
}

//! A filters file as a tree of values that know where they stand.
//!
//! YAML and JSON give the same tree. What is JSON is read as JSON, so that its escapes mean what
//! they mean there; everything else is YAML 1.2 (anchors and aliases included, merge keys not).

use std::collections::HashMap;
use std::ops::Range;

use raw_json::{Object, Str, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::fault::Fault;

/// A value and the bytes of the file it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// `null`, `true`, a number, or a string written without quotes.
    Plain(String),
    /// A string in quotes or in a block.
    Text(String),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// Deeper nesting than any filters file needs.
const MOST_LEVELS: usize = 128;
/// More values than any filters file needs: aliases of aliases could make a few lines into billions.
const MOST_NODES: usize = 2_000_000;

impl Node {
    /// Reads the text of a file.
    pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
        match Object::parse(text.as_bytes()) {
            Ok(object) => JsonReader { text, nodes: 0 }.object(object, 0),
            Err(_) => YamlReader::new(text).document(),
        }
    }

    /// What the value is, for messages.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Plain(text) if text.is_empty() => "nothing".to_owned(),
            Kind::Plain(text) | Kind::Text(text) => format!("`{}`", shortened(text)),
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// Is it `null` or nothing at all?
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Plain(text) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The text of any scalar.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(text) | Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as compact JSON: a plain scalar that is a number, `true`, `false` or `null` is that,
    /// every other scalar is a string.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::new();
        self.write_json(&mut json);
        json
    }

    /// Recursion is bounded: no node is deeper than [`MOST_LEVELS`].
    fn write_json(&self, json: &mut String) {
        match &self.kind {
            _ if self.is_null() => json.push_str("null"),
            Kind::Plain(text) if matches!(text.as_str(), "true" | "True" | "TRUE") => {
                json.push_str("true")
            }
            Kind::Plain(text) if matches!(text.as_str(), "false" | "False" | "FALSE") => {
                json.push_str("false")
            }
            Kind::Plain(text) if raw_json::is_number(text) => json.push_str(text),
            Kind::Plain(text) | Kind::Text(text) => write_string(text, json),
            Kind::Sequence(elements) => {
                json.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        json.push(',');
                    }
                    element.write_json(json);
                }
                json.push(']');
            }
            Kind::Mapping(members) => {
                json.push('{');
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 {
                        json.push(',');
                    }
                    write_string(name.scalar().unwrap_or_default(), json);
                    json.push(':');
                    value.write_json(json);
                }
                json.push('}');
            }
        }
    }
}

fn write_string(text: &str, json: &mut String) {
    use std::fmt::Write as _;
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => {
                // Writing to a String cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let one_line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MOST)
        .collect();
    match text.chars().count() > MOST {
        true => format!("{one_line}..."),
        false => one_line,
    }
}

struct JsonReader<'t> {
    text: &'t str,
    nodes: usize,
}

impl JsonReader<'_> {
    fn object(&mut self, object: Object<'_>, level: usize) -> Result<Node, Fault> {
        let span = self.span(object.raw());
        let mut members = Vec::new();
        for (name, value) in object.members() {
            let key = self.string(name);
            let value = self.value(value, key.span.end, level + 1)?;
            members.push((key, value));
        }
        Ok(Node {
            span,
            kind: Kind::Mapping(members),
        })
    }

    /// `from` is where the token before the value ends.
    fn value(&mut self, value: Value<'_>, from: usize, level: usize) -> Result<Node, Fault> {
        self.nodes += 1;
        if level > MOST_LEVELS || self.nodes > MOST_NODES {
            return Err(too_much(from..from));
        }
        let plain = |span, text: &str| Node {
            span,
            kind: Kind::Plain(text.to_owned()),
        };
        Ok(match value {
            Value::Object(object) => return self.object(object, level),
            Value::Array(array) => {
                let span = self.span(array.raw());
                let mut elements: Vec<Node> = Vec::new();
                for element in array.elements() {
                    let from = elements
                        .last()
                        .map_or(span.start + 1, |before| before.span.end);
                    elements.push(self.value(element, from, level + 1)?);
                }
                Node {
                    span,
                    kind: Kind::Sequence(elements),
                }
            }
            Value::String(string) => self.string(string),
            Value::Number(number) => plain(self.span(number.as_bytes()), number),
            // `true`, `false` and `null` are not borrowed from the text.
            scalar => {
                let word = scalar.to_text();
                let rest = self.text.get(from..).unwrap_or_default();
                let start = from + rest.find(word.as_ref()).unwrap_or_default();
                plain(start..start + word.len(), &word)
            }
        })
    }

    fn string(&self, string: Str<'_>) -> Node {
        let content = self.span(string.raw());
        Node {
            span: content.start.saturating_sub(1)..content.end + 1,
            kind: Kind::Text(string.decode().into_owned()),
        }
    }

    /// Where a slice of the text lies in it.
    fn span(&self, slice: &[u8]) -> Range<usize> {
        let start = (slice.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        start..start + slice.len()
    }
}

struct YamlReader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    /// Byte offset of each character; empty if every character is a byte.
    byte_of_character: Vec<usize>,
    length: usize,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> YamlReader<'t> {
    fn new(text: &'t str) -> Self {
        let byte_of_character = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(byte, _)| byte).collect(),
        };
        YamlReader {
            parser: Parser::new_from_str(text),
            byte_of_character,
            length: text.len(),
            anchors: HashMap::new(),
            nodes: 0,
        }
    }

    fn document(mut self) -> Result<Node, Fault> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing => {}
                _ if root.is_some() => {
                    return Err(Fault::new(
                        span,
                        "a second YAML document, expected one document in a file",
                    ));
                }
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        let empty = Node {
            span: 0..0,
            kind: Kind::Plain(String::new()),
        };
        Ok(root.unwrap_or(empty))
    }

    fn next(&mut self) -> Result<(Event<'t>, Range<usize>), Fault> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.bytes(span))),
            Some(Err(error)) => {
                let at = self.byte(error.marker().index());
                Err(Fault::new(
                    at..(at + 1).min(self.length),
                    format!("not YAML: {}", error.info()),
                ))
            }
            None => Ok((Event::StreamEnd, self.length..self.length)),
        }
    }

    fn node(
        &mut self,
        event: Event<'t>,
        mut span: Range<usize>,
        level: usize,
    ) -> Result<Node, Fault> {
        self.nodes += 1;
        if level > MOST_LEVELS || self.nodes > MOST_NODES {
            return Err(too_much(span));
        }
        let (kind, anchor) = match event {
            Event::Scalar(text, ScalarStyle::Plain, anchor, _) => {
                (Kind::Plain(text.into_owned()), anchor)
            }
            Event::Scalar(text, _, anchor, _) => (Kind::Text(text.into_owned()), anchor),
            Event::SequenceStart(anchor, _) => {
                let mut elements = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, at) => elements.push(self.node(event, at, level + 1)?),
                    }
                }
                (Kind::Sequence(elements), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let mut members: Vec<(Node, Node)> = Vec::new();
                loop {
                    let (event, at) = match self.next()? {
                        (Event::MappingEnd, _) => break,
                        other => other,
                    };
                    let key = self.node(event, at, level + 1)?;
                    let (event, at) = self.next()?;
                    members.push((key, self.node(event, at, level + 1)?));
                }
                // A block mapping has no bytes of its own: its first name shows where it is.
                if let (true, Some((first, _))) = (span.is_empty(), members.first()) {
                    span = first.span.clone();
                }
                (Kind::Mapping(members), anchor)
            }
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).cloned();
                let target =
                    target.ok_or_else(|| Fault::new(span.clone(), "an alias without an anchor"))?;
                self.nodes += count(&target);
                if self.nodes > MOST_NODES {
                    return Err(too_much(span));
                }
                return Ok(Node { span, ..target });
            }
            _ => (Kind::Plain(String::new()), 0),
        };
        let node = Node { span, kind };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn byte(&self, character: usize) -> usize {
        match self.byte_of_character.get(character) {
            Some(byte) => *byte,
            None if self.byte_of_character.is_empty() => character.min(self.length),
            None => self.length,
        }
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        self.byte(span.start.index())..self.byte(span.end.index())
    }
}

/// Recursion is bounded: no node is deeper than [`MOST_LEVELS`].
fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::Sequence(elements) => 1 + elements.iter().map(count).sum::<usize>(),
        Kind::Mapping(members) => {
            1 + members
                .iter()
                .map(|(key, value)| count(key) + count(value))
                .sum::<usize>()
        }
        _ => 1,
    }
}

fn too_much(span: Range<usize>) -> Fault {
    Fault::new(
        span,
        format!(
            "the file is nested deeper than {MOST_LEVELS} levels or holds more than {MOST_NODES} values"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_and_json_give_the_same_tree() {
        let yaml = "a:\n  - 1.50\n  - 'it''s'\nb: {c: null, d: \"x\\ty\", e: yes, f: true}\n";
        let json = r#"{"a":[1.50,"it's"],"b":{"c":null,"d":"x\ty","e":"yes","f":true}}"#;
        assert_eq!(
            Node::parse(yaml).unwrap().to_json(),
            Node::parse(json).unwrap().to_json()
        );
    }

    #[test]
    fn spans_are_bytes_of_the_file() {
        for text in ["é: 1\nname: value\n", "{\"é\":1, \"name\" : \"value\"}"] {
            let Kind::Mapping(members) = Node::parse(text).unwrap().kind else {
                panic!("a mapping");
            };
            let (_, value) = &members[1];
            assert!(
                text[value.span.clone()].trim_matches('"') == "value",
                "{text}: {:?}",
                value.span
            );
        }
    }

    #[test]
    fn aliases_repeat_a_node_and_cannot_explode() {
        assert_eq!(
            Node::parse("a: &x {k: 1}\nb: *x\n").unwrap().to_json(),
            r#"{"a":{"k":1},"b":{"k":1}}"#
        );
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..12 {
            let uses = vec![format!("*a{}", n - 1); 10].join(",");
            bomb.push_str(&format!("a{n}: &a{n} [{uses}]\n"));
        }
        assert!(Node::parse(&bomb).is_err());
    }

    #[test]
    fn depth_is_limited() {
        let json = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Node::parse(&json).is_err());
        let yaml = format!("a: {}{} # yaml", "[".repeat(200), "]".repeat(200));
        assert!(Node::parse(&yaml).is_err());
    }

    #[test]
    fn what_is_neither_says_where() {
        let fault = Node::parse("a: [1, 2\nb: 3\n").unwrap_err();
        assert!(fault.message.starts_with("not YAML"), "{}", fault.message);
    }
}

//! The selectors of many tests merged, and one walk over a record for all of them.
//!
//! A node stands for the values some selectors select; its edges are the selectors' next steps. The
//! walk follows the record's bytes once, enters only containers some selector leads into, and notes
//! the tests that held on the way. When a member's name comes a second time in an object, what was
//! noted under the first is taken back (D32).

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

use raw_json::{Cursor, Entered, NameTable, Object, Str, Value};

use crate::compare::{Condition, Operand, Selected};
use crate::number::NumberLiteral;
use crate::quick::{QuickNode, QuickTests, QuickTrie};
use crate::selector::{Selector, Step};

/// A node, by its place in the list of nodes.
type NodeId = usize;
/// A test, by the number it was added with.
pub(crate) type TestId = usize;

/// The root is the record itself.
const ROOT: NodeId = 0;

#[derive(Debug, Clone)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    members: HashMap<Box<[u8]>, NodeId, BuildHasherDefault<FastHasher>>,
    any_member: Option<NodeId>,
    elements: HashMap<usize, NodeId, BuildHasherDefault<FastHasher>>,
    any_element: Option<NodeId>,
    /// Where the tests with wildcards begin that are asked later ([`Trie::sweep`]).
    swept: Option<NodeId>,
    tests: Tests,
}

/// The tests of the values that reach one node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tests {
    /// Equality, by the text of the operand: one look-up for all of them.
    literals: HashMap<Box<str>, Vec<TestId>, BuildHasherDefault<FastHasher>>,
    longest_literal: usize,
    /// Equality with a number literal, for values that are numbers.
    numbers: Vec<(NumberLiteral, TestId)>,
    /// `NOT EXISTS`, noted when something is there.
    presence: Vec<TestId>,
    others: Vec<(Condition, TestId)>,
}

impl Default for Trie {
    fn default() -> Self {
        Trie {
            nodes: vec![Node::default()],
        }
    }
}

impl Trie {
    /// Adds a test. The walk notes `test` if the condition holds for some value the selector selects;
    /// for `NOT EXISTS`, if anything is selected.
    pub(crate) fn add(&mut self, selector: &Selector, condition: &Condition, test: TestId) {
        let node = self.node(selector.steps());
        if let Some(node) = self.nodes.get_mut(node) {
            node.tests.add(condition, test);
        }
    }

    fn child(&mut self, parent: NodeId, step: &Step) -> NodeId {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(parent) else {
            return ROOT;
        };
        let child = match step {
            Step::Member(name) => *node.members.entry(name.as_bytes().into()).or_insert(next),
            Step::AnyMember => *node.any_member.get_or_insert(next),
            Step::Element(index) => *node.elements.entry(*index).or_insert(next),
            Step::AnyElement => *node.any_element.get_or_insert(next),
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        child
    }

    /// The node of what a selector selects, without a test.
    pub(crate) fn node(&mut self, steps: &[Step]) -> NodeId {
        steps.iter().fold(ROOT, |node, step| self.child(node, step))
    }

    /// Adds a test with a wildcard that is asked later, together with all others behind the same steps up to the wildcard. Returns the
    /// node of these steps.
    pub(crate) fn sweep(
        &mut self,
        selector: &Selector,
        condition: &Condition,
        test: TestId,
    ) -> NodeId {
        let steps = selector.steps();
        let wildcard = steps.iter().position(Step::is_wildcard);
        let (before, behind) = steps.split_at(wildcard.unwrap_or(steps.len()));
        let base = self.node(before);
        let next = self.nodes.len();
        let swept = self.nodes.get_mut(base);
        let mut node = swept.map_or(ROOT, |base| *base.swept.get_or_insert(next));
        if node == next {
            self.nodes.push(Node::default());
        }
        for step in behind {
            node = self.child(node, step);
        }
        if let Some(node) = self.nodes.get_mut(node) {
            node.tests.add(condition, test);
        }
        base
    }

    /// The same trie, made for records whose index is known.
    ///
    /// It compares names as bytes. What is no UTF-8 reads as U+FFFD, so where a name has that character it is `None`: the walk below
    /// remains.
    pub(crate) fn quick(&self) -> Option<QuickTrie> {
        let mut names = self.nodes.iter().flat_map(|node| node.members.keys());
        if names.any(|name| memchr::memmem::find(name, "\u{fffd}".as_bytes()).is_some()) {
            return None;
        }
        let number = |node: &NodeId| *node as u32;
        let mut nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|node| {
                let names = node.members.iter();
                let mut elements: Vec<_> = node
                    .elements
                    .iter()
                    .map(|(index, node)| (*index, number(node)))
                    .collect();
                elements.sort_unstable();
                QuickNode {
                    names: NameTable::new(names.map(|(name, node)| (name.as_ref(), number(node)))),
                    any_member: node.any_member.as_ref().map(number),
                    elements: elements.into(),
                    any_element: node.any_element.as_ref().map(number),
                    tests: QuickTests::new(&node.tests),
                    parent: ROOT as u32,
                    is_walked: node.tests.asks(),
                    swept: node.swept.as_ref().map(number),
                }
            })
            .collect();
        // Children come behind their parents.
        for (parent, node) in self.nodes.iter().enumerate().rev() {
            for child in node.children() {
                let mut is_walked = false;
                if let Some(child) = nodes.get_mut(*child) {
                    child.parent = parent as u32;
                    is_walked = child.is_walked;
                }
                if let Some(parent) = nodes.get_mut(parent) {
                    parent.is_walked |= is_walked;
                }
            }
        }
        Some(QuickTrie::new(nodes))
    }

    /// Walks over a record; gives the tests that held, some of them more than once.
    pub(crate) fn walk<'s>(
        &self,
        record: Object<'_>,
        scratch: &'s mut WalkScratch,
    ) -> impl Iterator<Item = TestId> + use<'s> {
        scratch.log.clear();
        scratch.frames.clear();
        scratch.active.clear();
        scratch
            .slots
            .resize(self.nodes.len().max(scratch.slots.len()), Slot::default());
        Walk {
            nodes: &self.nodes,
            cursor: record.cursor(),
            scratch,
            names: Vec::new(),
        }
        .run();
        scratch.log.iter().copied().flatten()
    }
}

impl Node {
    fn children(&self) -> impl Iterator<Item = &NodeId> {
        let named = self.members.values().chain(&self.any_member);
        named.chain(self.elements.values()).chain(&self.any_element)
    }

    fn leads_on(&self) -> bool {
        !self.members.is_empty()
            || self.any_member.is_some()
            || !self.elements.is_empty()
            || self.any_element.is_some()
    }
}

impl Tests {
    fn add(&mut self, condition: &Condition, test: TestId) {
        let text = match condition {
            Condition::NotExists => return self.presence.push(test),
            Condition::Equal(Operand::Number(number)) => {
                self.numbers.push((number.clone(), test));
                number.text()
            }
            Condition::Equal(Operand::Text(glob)) => match glob.literal() {
                Some(text) => text,
                None => return self.others.push((condition.clone(), test)),
            },
            other => return self.others.push((other.clone(), test)),
        };
        self.longest_literal = self.longest_literal.max(text.len());
        self.literals.entry(text.into()).or_default().push(test);
    }

    /// Notes the tests that hold for a value.
    pub(crate) fn note(&self, selected: &Selected<'_>, mut holds: impl FnMut(TestId)) {
        self.presence.iter().copied().for_each(&mut holds);
        match selected {
            Selected::Text(text) => self.equal_to(text).for_each(&mut holds),
            Selected::Number(number) => {
                // A number written like a number literal is equal to it, too.
                self.equal_to(number).for_each(&mut holds);
                let is_equal = |literal: &NumberLiteral| {
                    let ordering = literal.ordering_of(number);
                    ordering.is_some_and(|ordering| ordering.is_eq())
                };
                let equal = self.numbers.iter().filter(|(literal, _)| is_equal(literal));
                equal.for_each(|(_, test)| holds(*test));
            }
            Selected::Null | Selected::Bool(_) | Selected::Container => {}
        }
        let others = self.others.iter();
        let holding = others.filter(|(condition, _)| condition.holds_for(selected));
        holding.for_each(|(_, test)| holds(*test));
    }

    /// The texts that some tests ask for, with these tests.
    pub(crate) fn literals(&self) -> impl Iterator<Item = (&str, &[TestId])> {
        let literals = self.literals.iter();
        literals.map(|(text, tests)| (text.as_ref(), tests.as_slice()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.asks()
    }

    pub(crate) fn presence(&self) -> &[TestId] {
        &self.presence
    }

    /// What is neither equality with a fixed value nor `NOT EXISTS`.
    pub(crate) fn others(&self) -> &[(Condition, TestId)] {
        &self.others
    }

    fn equal_to(&self, text: &str) -> impl Iterator<Item = TestId> {
        // What is longer than all of them is not even hashed.
        let fits = text.len() <= self.longest_literal;
        let tests = fits.then(|| self.literals.get(text)).flatten();
        tests.into_iter().flatten().copied()
    }
}

/// What a walk needs and can keep for the next one.
#[derive(Debug, Clone, Default)]
pub(crate) struct WalkScratch {
    /// The tests noted; those taken back are `None`.
    log: Vec<Option<TestId>>,
    /// The nodes reached by each open container, and by the value under way.
    active: Vec<NodeId>,
    frames: Vec<Frame>,
    /// For each node reached through a name: where the value of that name was noted last.
    slots: Vec<Slot>,
    /// Numbers frames, over all walks, so that slots need no clearing.
    serial: u64,
}

/// A container the walk is inside of.
#[derive(Debug, Clone)]
struct Frame {
    kind: FrameKind,
    /// Which of the active nodes this container reached.
    active: Range<usize>,
    serial: u64,
    /// How many notes there were before it.
    noted: usize,
    /// The node by which its name is known in the container around it.
    name_node: Option<NodeId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    Object,
    /// An object some wildcard leads into, in which every name must be known.
    AnyMemberObject,
    Array {
        next: usize,
    },
}

#[derive(Debug, Clone, Default)]
struct Slot {
    serial: u64,
    notes: Range<usize>,
}

struct Walk<'w, 'a> {
    nodes: &'w [Node],
    cursor: Cursor<'a>,
    scratch: &'w mut WalkScratch,
    /// For each open `AnyMemberObject`: the names under which something was noted, and the name of the
    /// value under way.
    names: Vec<Names<'a>>,
}

#[derive(Default)]
struct Names<'a> {
    notes: HashMap<Cow<'a, str>, Range<usize>>,
    current: Cow<'a, str>,
}

impl<'w, 'a> Walk<'w, 'a> {
    fn run(mut self) {
        self.scratch.active.push(ROOT);
        self.open_object(0, None);
        while let Some(frame) = self.scratch.frames.last_mut() {
            match &mut frame.kind {
                FrameKind::Object | FrameKind::AnyMemberObject => match self.cursor.next_member() {
                    Some(name) => self.member(name),
                    None => self.leave(),
                },
                FrameKind::Array { next } => {
                    let index = *next;
                    *next += 1;
                    match self.cursor.next_element() {
                        true => self.element(index),
                        false => self.leave(),
                    }
                }
            }
        }
    }

    fn member(&mut self, name: Str<'a>) {
        let Some(frame) = self.scratch.frames.last() else {
            return;
        };
        let (kind, serial, parents) = (frame.kind, frame.serial, frame.active.clone());
        let start = self.scratch.active.len();
        let text = plain(name);
        let mut name_node = None;
        for place in parents {
            let Some(parent) = self.node_at(place) else {
                continue;
            };
            if let Some(child) = parent.members.get(text.as_ref()) {
                name_node.get_or_insert(*child);
                self.scratch.active.push(*child);
            }
            self.scratch.active.extend(parent.any_member);
        }
        if self.scratch.active.len() == start {
            return self.cursor.skip();
        }
        match (kind, self.names.last_mut()) {
            (FrameKind::AnyMemberObject, Some(names)) => {
                names.current = name.decode();
                if let Some(notes) = names.notes.remove(&names.current) {
                    take_back(&mut self.scratch.log, notes);
                }
            }
            _ => {
                let slot = name_node.and_then(|node| self.scratch.slots.get(node));
                if let Some(slot) = slot.filter(|slot| slot.serial == serial) {
                    take_back(&mut self.scratch.log, slot.notes.clone());
                }
            }
        }
        self.value(start, name_node);
    }

    fn element(&mut self, index: usize) {
        let start = self.scratch.active.len();
        let parents = self.scratch.frames.last().map(|frame| frame.active.clone());
        for place in parents.unwrap_or_default() {
            let Some(parent) = self.node_at(place) else {
                continue;
            };
            self.scratch.active.extend(parent.elements.get(&index));
            self.scratch.active.extend(parent.any_element);
        }
        match self.scratch.active.len() == start {
            true => self.cursor.skip(),
            false => self.value(start, None),
        }
    }

    /// The value before the cursor, which reached the active nodes from `start` on.
    fn value(&mut self, start: usize, name_node: Option<NodeId>) {
        let reached = start..self.scratch.active.len();
        let leads_on = |place| self.node_at(place).is_some_and(Node::leads_on);
        let entered = match reached.clone().any(leads_on) {
            true => self.cursor.enter(),
            false => Entered::Scalar(self.cursor.value()),
        };
        let noted = self.scratch.log.len();
        match entered {
            Entered::Scalar(value) => {
                self.note(reached, value);
                self.scratch.active.truncate(start);
                self.complete(noted, name_node);
            }
            Entered::Object => {
                self.note_selected(reached, &Selected::Container);
                self.open(FrameKind::Object, start, noted, name_node);
            }
            Entered::Array => {
                self.note_selected(reached, &Selected::Container);
                self.open(FrameKind::Array { next: 0 }, start, noted, name_node);
            }
        }
    }

    fn note(&mut self, reached: Range<usize>, value: Value<'_>) {
        let asks = |place| self.node_at(place).is_some_and(|node| node.tests.asks());
        if reached.clone().any(asks) {
            self.note_selected(reached, &Selected::from(value));
        }
    }

    fn note_selected(&mut self, reached: Range<usize>, selected: &Selected<'_>) {
        for place in reached {
            let node = self
                .scratch
                .active
                .get(place)
                .and_then(|node| self.nodes.get(*node));
            if let Some(node) = node {
                node.tests
                    .note(selected, |test| self.scratch.log.push(Some(test)));
            }
        }
    }

    fn open_object(&mut self, start: usize, name_node: Option<NodeId>) {
        let noted = self.scratch.log.len();
        self.open(FrameKind::Object, start, noted, name_node);
    }

    fn open(&mut self, kind: FrameKind, start: usize, noted: usize, name_node: Option<NodeId>) {
        let active = start..self.scratch.active.len();
        let any_member = |place| {
            self.node_at(place)
                .is_some_and(|node| node.any_member.is_some())
        };
        let kind = match kind {
            FrameKind::Object if active.clone().any(any_member) => {
                self.names.push(Names::default());
                FrameKind::AnyMemberObject
            }
            other => other,
        };
        self.scratch.serial += 1;
        self.scratch.frames.push(Frame {
            kind,
            active,
            serial: self.scratch.serial,
            noted,
            name_node,
        });
    }

    fn leave(&mut self) {
        let Some(frame) = self.scratch.frames.pop() else {
            return;
        };
        if frame.kind == FrameKind::AnyMemberObject {
            self.names.pop();
        }
        self.scratch.active.truncate(frame.active.start);
        self.complete(frame.noted, frame.name_node);
    }

    /// A value is behind the cursor: remembers under its name what was noted since.
    fn complete(&mut self, noted: usize, name_node: Option<NodeId>) {
        let notes = noted..self.scratch.log.len();
        let Some(frame) = self.scratch.frames.last() else {
            return;
        };
        match (frame.kind, self.names.last_mut()) {
            (FrameKind::AnyMemberObject, Some(names)) if !notes.is_empty() => {
                names
                    .notes
                    .insert(std::mem::take(&mut names.current), notes);
            }
            (FrameKind::Object, _) => {
                let serial = frame.serial;
                let slot = name_node.and_then(|node| self.scratch.slots.get_mut(node));
                if let Some(slot) = slot {
                    *slot = Slot { serial, notes };
                }
            }
            _ => {}
        }
    }

    fn node_at(&self, place: usize) -> Option<&'w Node> {
        self.nodes.get(*self.scratch.active.get(place)?)
    }
}

impl Tests {
    fn asks(&self) -> bool {
        !self.literals.is_empty() || !self.presence.is_empty() || !self.others.is_empty()
    }
}

fn take_back(log: &mut [Option<TestId>], notes: Range<usize>) {
    log.get_mut(notes).unwrap_or_default().fill(None);
}

/// The bytes of a name, escapes resolved.
fn plain(name: Str<'_>) -> Cow<'_, [u8]> {
    let raw = name.raw();
    if raw.iter().all(|byte| byte.is_ascii() && *byte != b'\\') {
        return Cow::Borrowed(raw);
    }
    match name.decode() {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}

/// A hash for maps whose keys come from patterns. What an event asks for can be chosen to collide, but
/// then it costs one comparison; nothing from an event is ever inserted.
#[derive(Debug, Clone, Copy, Default)]
struct FastHasher(u64);

impl FastHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for FastHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.add(word);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.add(u64::from(byte));
    }

    fn write_usize(&mut self, number: usize) {
        self.add(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32 // the table looks at the low bits too
    }
}

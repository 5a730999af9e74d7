//! The walk of `trie` over records whose index is known: the same tests hold, found by hopping from member to member.
//!
//! Two things make it quick: names and texts are looked up as the bytes they are (`byte_table`), and what wildcards and regular
//! expressions say of a text is remembered, since a few texts make up most of a log file. It gives up where a name that is asked for stands twice in an
//! object; then the walk of `trie`, which knows what that means, starts afresh.

use raw_json::{
    FoundMembers, IndexedArray, IndexedKind, IndexedObject, IndexedPlace, IndexedValue, NameTable,
    Str, Value,
};

use crate::byte_table::{ByteTable, hash};
use crate::compare::{Condition, Selected};
use crate::text_memory::{MOST_REMEMBERED_BYTES, TextMemory};
use crate::texts::{TextConditions, TextScratch};
use crate::trie::{TestId, Tests};

/// The trie, made for looking up.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuickTrie {
    /// The first one is the root.
    nodes: Vec<QuickNode>,
    noted: usize,
}

/// The values that some selectors select, and the tests of them. Small, since every record goes through many.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuickNode {
    /// The nodes behind names.
    pub(crate) names: NameTable,
    pub(crate) any_member: Option<u32>,
    pub(crate) any_element: Option<u32>,
    /// The nodes behind indexes, ascending.
    pub(crate) elements: Box<[(usize, u32)]>,
    pub(crate) tests: Option<Box<QuickTests>>,
    /// Its place among the members of the record that are wanted.
    pub(crate) wanted: Option<u32>,
    /// Its place among the values that may be asked for later.
    pub(crate) noted: Option<u32>,
}

/// The tests of the values that reach one node.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuickTests {
    /// Equality with a text, to the tests in `equal`.
    literals: ByteTable,
    /// `NOT EXISTS`, noted when something is there.
    presence: Vec<TestId>,
    /// What else can hold for a text, and where its outcomes are remembered.
    of_texts: Option<Box<TextConditions>>,
    /// Not 0, and different for each node.
    number: u32,
    equal: Vec<Vec<TestId>>,
    /// For everything but texts.
    all: Tests,
}

impl QuickTests {
    /// `None` if nothing is asked.
    pub(crate) fn new(tests: &Tests) -> Option<Box<Self>> {
        let literals: Vec<_> = tests.literals().collect();
        let keys = literals
            .iter()
            .zip(0..)
            .map(|((text, _), number)| (text.as_bytes(), number));
        let others = tests.others().iter();
        let of_texts: Vec<_> = others
            .filter(|(condition, _)| match condition {
                Condition::Equal(_) | Condition::NotEqual(_) => true,
                Condition::Ordered(..)
                | Condition::IsNull
                | Condition::Is(_)
                | Condition::NotExists => false,
            })
            .cloned()
            .collect();
        (!tests.is_empty()).then(|| {
            Box::new(QuickTests {
                literals: ByteTable::new(keys),
                presence: tests.presence().to_vec(),
                of_texts: (!of_texts.is_empty()).then(|| Box::new(TextConditions::new(of_texts))),
                number: 0,
                equal: literals.iter().map(|(_, tests)| tests.to_vec()).collect(),
                all: tests.clone(),
            })
        })
    }

    /// Something with this text is there, and equal to it.
    #[inline]
    fn log_equal(&self, text: &[u8], may_have_escapes: bool, log: &mut Vec<TestId>) {
        log.extend(&self.presence);
        if self.literals.is_empty() {
            return;
        }
        let has_escapes = may_have_escapes && memchr::memchr(b'\\', text).is_some();
        let found = match has_escapes {
            true => self.literals.get(Str::new(text).decode().as_bytes()),
            false => self.literals.get(text),
        };
        let equal = found.and_then(|number| self.equal.get(number as usize));
        log.extend(equal.into_iter().flatten());
    }
}

/// Memory to work in; what it remembers belongs to one trie.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuickScratch {
    log: Vec<TestId>,
    /// For each node the object in which its name was met last, and how many objects there were.
    met_in: Vec<u64>,
    objects: u64,
    /// The names of the objects under way in which every name must be known, as hashes.
    distinct_names: Vec<u64>,
    outcomes: TextMemory,
    texts: TextScratch,
    /// The values that may be asked for, and the walk in which each was met last.
    noted: Vec<(u64, IndexedPlace)>,
    walks: u64,
}

impl QuickScratch {
    /// Where the last walk met the value that is noted here.
    pub(crate) fn noted(&self, place: usize) -> Option<IndexedPlace> {
        let (walk, value) = self.noted.get(place)?;
        (*walk == self.walks).then_some(*value)
    }
}

/// More members than this under a wildcard are left to the other walk.
const MOST_WILDCARD_MEMBERS: usize = 64;

impl QuickTrie {
    pub(crate) fn new(mut nodes: Vec<QuickNode>) -> Self {
        let asking = nodes.iter_mut().filter_map(|node| node.tests.as_mut());
        for (tests, number) in asking.zip(1..) {
            tests.number = number;
        }
        let noted = nodes.iter().filter_map(|node| node.noted).max();
        QuickTrie {
            nodes,
            noted: noted.map_or(0, |last| last as usize + 1),
        }
    }

    /// The tests that hold, some of them more than once, and the members that are wanted; `None` if it has to give up. The scratch must be new or have served the
    /// same trie only.
    pub(crate) fn walk<'s, 'r>(
        &self,
        record: IndexedObject<'r>,
        scratch: &'s mut QuickScratch,
        wanted: &mut [Option<Value<'r>>],
    ) -> Option<&'s [TestId]> {
        scratch.log.clear();
        scratch.distinct_names.clear();
        scratch.outcomes.prepare();
        scratch.walks += 1;
        scratch
            .noted
            .resize(self.noted, (0, IndexedPlace::default()));
        scratch.met_in.resize(self.nodes.len(), 0);
        let mut walk = Walk {
            nodes: &self.nodes,
            scratch,
            wanted,
        };
        walk.object(0, record)?;
        Some(&scratch.log)
    }
}

struct Walk<'w, 'r> {
    nodes: &'w [QuickNode],
    scratch: &'w mut QuickScratch,
    wanted: &'w mut [Option<Value<'r>>],
}

// It recurses as deep as selectors have steps, and no deeper than an index goes.
impl<'w, 'r> Walk<'w, 'r> {
    /// `None` to give up, as everywhere here.
    fn object(&mut self, node_id: u32, object: IndexedObject<'r>) -> Option<()> {
        let node = self.nodes.get(node_id as usize)?;
        self.scratch.objects += 1;
        let this_object = self.scratch.objects;
        let names_around = self.scratch.distinct_names.len();
        let mut members = object.members();
        if node.any_member.is_none() {
            let mut found = FoundMembers::default();
            while members.find(&node.names, &mut found) {
                for member in found.as_slice() {
                    let value = members.value_of(*member)?;
                    self.named(member.number, value, this_object)?;
                }
            }
            return Some(());
        }
        for (name, value) in members {
            if let Some(child) = node.names.get(name) {
                self.named(child, value, this_object)?;
            }
            if let Some(child) = node.any_member {
                self.note_name(name, names_around)?;
                self.value(child, value)?;
            }
        }
        self.scratch.distinct_names.truncate(names_around);
        Some(())
    }

    /// A name that comes twice is for the other walk.
    #[inline]
    fn named(&mut self, child: u32, value: IndexedValue<'r>, object: u64) -> Option<()> {
        let met_in = self.scratch.met_in.get_mut(child as usize)?;
        if std::mem::replace(met_in, object) == object {
            return None;
        }
        self.value(child, value)
    }

    /// Under a wildcard every name counts, so each must be new.
    fn note_name(&mut self, name: &[u8], names_around: usize) -> Option<()> {
        let names = self.scratch.distinct_names.get(names_around..)?;
        let hash = hash(name);
        // Different bytes can read as the same name if they are no UTF-8.
        let is_new =
            name.is_ascii() && names.len() < MOST_WILDCARD_MEMBERS && !names.contains(&hash);
        is_new.then(|| self.scratch.distinct_names.push(hash))
    }

    fn array(&mut self, node: &'w QuickNode, array: IndexedArray<'r>) -> Option<()> {
        let mut indexes = node.elements.iter().peekable();
        for (index, value) in array.elements().enumerate() {
            if let Some((_, child)) = indexes.next_if(|(wanted, _)| *wanted == index) {
                self.value(*child, value)?;
            }
            match node.any_element {
                Some(child) => self.value(child, value)?,
                None if indexes.peek().is_none() => break,
                None => {}
            }
        }
        Some(())
    }

    fn value(&mut self, node_id: u32, value: IndexedValue<'r>) -> Option<()> {
        let node = self.nodes.get(node_id as usize)?;
        if let Some(place) = node.wanted
            && let Some(wanted) = self.wanted.get_mut(place as usize)
        {
            *wanted = Some(value.value());
        }
        if let Some(place) = node.noted
            && let Some(noted) = self.scratch.noted.get_mut(place as usize)
        {
            *noted = (self.scratch.walks, value.place());
        }
        let tests = node.tests.as_deref();
        match value.kind() {
            IndexedKind::String(text) => {
                if let Some(tests) = tests {
                    self.text(tests, text, value.may_have_escapes());
                }
            }
            IndexedKind::Object(object) => {
                self.note_presence(tests);
                if !node.names.is_empty() || node.any_member.is_some() {
                    self.object(node_id, object)?;
                }
            }
            IndexedKind::Array(array) => {
                self.note_presence(tests);
                if !node.elements.is_empty() || node.any_element.is_some() {
                    self.array(node, array)?;
                }
            }
            IndexedKind::Other => {
                if let Some(tests) = tests {
                    let log = &mut self.scratch.log;
                    let selected = Selected::from(value.value());
                    tests.all.note(&selected, |test| log.push(test));
                }
            }
        }
        Some(())
    }

    fn note_presence(&mut self, tests: Option<&QuickTests>) {
        let presence = tests.map(|tests| tests.presence.as_slice());
        self.scratch.log.extend(presence.unwrap_or_default());
    }

    fn text(&mut self, tests: &QuickTests, text: &[u8], may_have_escapes: bool) {
        let QuickScratch {
            log,
            outcomes,
            texts,
            ..
        } = &mut *self.scratch;
        let Some(of_texts) = &tests.of_texts else {
            return tests.log_equal(text, may_have_escapes, log);
        };
        let mut compute = |log: &mut Vec<TestId>| {
            tests.log_equal(text, may_have_escapes, log);
            let selected = Selected::Text(Str::new(text).decode());
            of_texts.holding(&selected, texts, |test| log.push(test));
        };
        match text.len() {
            0..=MOST_REMEMBERED_BYTES => outcomes.log(tests.number, text, log, compute),
            _ => compute(log),
        }
    }
}

//! The walk of `trie` over records whose index is known: the same tests hold, found by hopping from member to member.
//!
//! It goes only where tests lead that are asked of every record. Of each object it goes through it notes where the members lie that any
//! test asks for; a test that is asked later finds its value from there, and what it goes through is noted in turn. So
//! every object is gone through once for a record, whoever asks.
//!
//! It is quick since names are looked for all at once (`raw_json::NameTable`), texts are looked up as the bytes they are
//! (`byte_table`), and what wildcards and regular expressions say of a text is remembered (`text_memory`). It gives up where a name that
//! leads on stands twice in an object; then the walk of `trie`, which knows what that means, starts afresh.

use raw_json::{
    FoundMembers, IndexedArray, IndexedKind, IndexedObject, IndexedPlace, IndexedValue, NameTable,
    Str,
};

use crate::byte_table::{ByteTable, hash};
use crate::compare::{Condition, Selected};
use crate::text_memory::{MOST_REMEMBERED_BYTES, TextMemory};
use crate::texts::{TextConditions, TextScratch};
use crate::trie::{TestId, Tests};

/// A node, by its place in the list of nodes.
pub(crate) type QuickNodeId = u32;

/// The record.
const ROOT: QuickNodeId = 0;

/// The trie, made for looking up.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuickTrie {
    /// The first one is the root.
    nodes: Vec<QuickNode>,
}

/// The values that some selectors select, and the tests of them. Small, since every record goes through many.
#[derive(Debug, Clone, Default)]
pub(crate) struct QuickNode {
    /// The nodes behind names.
    pub(crate) names: NameTable,
    pub(crate) any_member: Option<QuickNodeId>,
    pub(crate) any_element: Option<QuickNodeId>,
    /// The nodes behind indexes, ascending.
    pub(crate) elements: Box<[(usize, QuickNodeId)]>,
    pub(crate) tests: Option<Box<QuickTests>>,
    /// The node that leads here.
    pub(crate) parent: QuickNodeId,
    /// Does the walk go here? Else only where the values lie is noted.
    pub(crate) is_walked: bool,
    /// The node with the tests with wildcards that are asked of its values later, all at once.
    pub(crate) swept: Option<QuickNodeId>,
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
    met: Vec<Met>,
    /// Containers gone through so far, over all walks, so that `met` needs no clearing.
    containers: u64,
    /// How many there were before this walk.
    before: u64,
    /// The names of the objects under way in which every name must be known, as hashes.
    distinct_names: Vec<u64>,
    outcomes: TextMemory,
    texts: TextScratch,
}

/// What a walk knows of the values of one node.
#[derive(Debug, Clone, Copy, Default)]
struct Met {
    /// The container in which its name or index was met last.
    container: u64,
    /// Where the value lies.
    place: IndexedPlace,
    /// The container that this value was last when it was gone through, and when it was swept.
    gone_through: u64,
    swept: u64,
}

/// More members than this under a wildcard are left to the other walk.
const MOST_WILDCARD_MEMBERS: usize = 64;

/// The walk was given up; everything it has found is void.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GivenUp;

impl QuickTrie {
    pub(crate) fn new(mut nodes: Vec<QuickNode>) -> Self {
        let asking = nodes.iter_mut().filter_map(|node| node.tests.as_mut());
        for (tests, number) in asking.zip(1..) {
            tests.number = number;
        }
        QuickTrie { nodes }
    }

    /// Walks over a record. The scratch must be new or have served the same trie only.
    pub(crate) fn walk<'w, 'r>(
        &'w self,
        record: IndexedObject<'r>,
        scratch: &'w mut QuickScratch,
    ) -> Result<QuickWalk<'w, 'r>, GivenUp> {
        scratch.log.clear();
        scratch.distinct_names.clear();
        scratch.outcomes.prepare();
        scratch.before = scratch.containers;
        scratch.met.resize(self.nodes.len(), Met::default());
        let mut walk = QuickWalk {
            nodes: &self.nodes,
            record,
            scratch,
        };
        walk.object(ROOT, record)?;
        Ok(walk)
    }
}

/// A record that was walked over.
pub(crate) struct QuickWalk<'w, 'r> {
    nodes: &'w [QuickNode],
    record: IndexedObject<'r>,
    scratch: &'w mut QuickScratch,
}

impl<'w, 'r> QuickWalk<'w, 'r> {
    /// The tests that hold, some of them more than once.
    pub(crate) fn log(&self) -> &[TestId] {
        &self.scratch.log
    }

    /// The value of a node that no wildcard leads to.
    pub(crate) fn value_at(&mut self, node: QuickNodeId) -> Option<IndexedValue<'r>> {
        if let Some(place) = self.place(node) {
            return self.record.at(place);
        }
        // Its container is the next one up that was met; from there down they are gone through.
        let parent = self.nodes.get(node as usize)?.parent;
        let is_known = |walk: &Self| {
            let met = walk.scratch.met.get(parent as usize);
            met.is_some_and(|met| met.gone_through > walk.scratch.before)
        };
        if node == ROOT || is_known(self) {
            return None;
        }
        let container = self.value_at(parent)?;
        self.note(parent, container);
        self.record.at(self.place(node)?)
    }

    /// Holds the tests with wildcards that are asked of this node's value against it, once for a record; they are added to the log.
    pub(crate) fn sweep(&mut self, node: QuickNodeId) -> Result<(), GivenUp> {
        let swept = self.nodes.get(node as usize).and_then(|node| node.swept);
        let (Some(swept), Some(met)) = (swept, self.scratch.met.get_mut(node as usize)) else {
            return Ok(());
        };
        let now = self.scratch.before + 1;
        if std::mem::replace(&mut met.swept, now) == now {
            return Ok(());
        }
        match node {
            ROOT => self.object(swept, self.record),
            _ => match self.value_at(node) {
                Some(value) => self.value(swept, value),
                None => Ok(()),
            },
        }
    }

    fn place(&self, node: QuickNodeId) -> Option<IndexedPlace> {
        let met = self.scratch.met.get(node as usize)?;
        (met.container > self.scratch.before).then_some(met.place)
    }

    /// Notes where the values inside lie, without asking any test.
    fn note(&mut self, node_id: QuickNodeId, container: IndexedValue<'r>) {
        let Some(node) = self.nodes.get(node_id as usize) else {
            return;
        };
        let this = self.enter(node_id);
        match container.kind() {
            IndexedKind::Object(object) => {
                let (mut members, mut found) = (object.members(), FoundMembers::default());
                while members.find(&node.names, &mut found) {
                    for member in found.as_slice() {
                        // Of duplicates the last one stays.
                        self.meet(member.number, member.place, this);
                    }
                }
            }
            IndexedKind::Array(array) => {
                let mut elements = array.elements().enumerate();
                for (index, child) in &node.elements {
                    if let Some((_, value)) = elements.find(|(at, _)| at == index) {
                        self.meet(*child, value.place(), this);
                    }
                }
            }
            IndexedKind::String(_) | IndexedKind::Other => {}
        }
    }

    /// A number for the container that is gone through.
    fn enter(&mut self, node: QuickNodeId) -> u64 {
        self.scratch.containers += 1;
        let this = self.scratch.containers;
        if let Some(met) = self.scratch.met.get_mut(node as usize) {
            met.gone_through = this;
        }
        this
    }

    /// Notes where a value lies. Was its name met before in this container?
    #[inline]
    fn meet(&mut self, node: QuickNodeId, place: IndexedPlace, container: u64) -> bool {
        let Some(met) = self.scratch.met.get_mut(node as usize) else {
            return false;
        };
        met.place = place;
        std::mem::replace(&mut met.container, container) == container
    }
}

// It recurses as deep as selectors have steps, and no deeper than an index goes.
impl<'w, 'r> QuickWalk<'w, 'r> {
    fn object(&mut self, node_id: QuickNodeId, object: IndexedObject<'r>) -> Result<(), GivenUp> {
        let Some(node) = self.nodes.get(node_id as usize) else {
            return Ok(());
        };
        let this = self.enter(node_id);
        if let Some(any_member) = node.any_member {
            return self.every_member(node, any_member, object, this);
        }
        let (mut members, mut found) = (object.members(), FoundMembers::default());
        while members.find(&node.names, &mut found) {
            for member in found.as_slice() {
                let was_met = self.meet(member.number, member.place, this);
                if self.is_walked(member.number) {
                    let value = object.at(member.place).filter(|_| !was_met);
                    self.value(member.number, value.ok_or(GivenUp)?)?;
                }
            }
        }
        Ok(())
    }

    fn is_walked(&self, node: QuickNodeId) -> bool {
        let node = self.nodes.get(node as usize);
        node.is_some_and(|node| node.is_walked)
    }

    /// Under a wildcard every name counts, so each must be new.
    fn every_member(
        &mut self,
        node: &'w QuickNode,
        any_member: QuickNodeId,
        object: IndexedObject<'r>,
        this: u64,
    ) -> Result<(), GivenUp> {
        let names_around = self.scratch.distinct_names.len();
        for (name, value) in object.members() {
            self.note_name(name, names_around)?;
            if let Some(child) = node.names.get(name) {
                self.meet(child, value.place(), this);
                if self.is_walked(child) {
                    self.value(child, value)?;
                }
            }
            self.value(any_member, value)?;
        }
        self.scratch.distinct_names.truncate(names_around);
        Ok(())
    }

    fn note_name(&mut self, name: &[u8], names_around: usize) -> Result<(), GivenUp> {
        let names = self.scratch.distinct_names.get(names_around..);
        let names = names.unwrap_or_default();
        let hash = hash(name);
        // Different bytes can read as the same name if they are no UTF-8.
        let is_new =
            name.is_ascii() && names.len() < MOST_WILDCARD_MEMBERS && !names.contains(&hash);
        self.scratch.distinct_names.push(hash);
        is_new.then_some(()).ok_or(GivenUp)
    }

    fn array(&mut self, node_id: QuickNodeId, array: IndexedArray<'r>) -> Result<(), GivenUp> {
        let Some(node) = self.nodes.get(node_id as usize) else {
            return Ok(());
        };
        let this = self.enter(node_id);
        let mut indexes = node.elements.iter().peekable();
        for (index, value) in array.elements().enumerate() {
            if let Some((_, child)) = indexes.next_if(|(wanted, _)| *wanted == index) {
                self.meet(*child, value.place(), this);
                if self.is_walked(*child) {
                    self.value(*child, value)?;
                }
            }
            match node.any_element {
                Some(child) => self.value(child, value)?,
                None if indexes.peek().is_none() => break,
                None => {}
            }
        }
        Ok(())
    }

    fn value(&mut self, node_id: QuickNodeId, value: IndexedValue<'r>) -> Result<(), GivenUp> {
        let Some(node) = self.nodes.get(node_id as usize) else {
            return Ok(());
        };
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
                    self.array(node_id, array)?;
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
        Ok(())
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

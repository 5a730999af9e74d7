//! `filter_pattern::PatternSet` over records with an index, over the same records without, and each pattern on its own.

use cloudtrail::{Entry, LogFileReader};
use filter_pattern::{Pattern, PatternSet, RecordHints, Scratch};
use raw_json::Object;

use crate::case::Case;
use crate::index::is_same;

/// Data that begin with a control character are choices out of which a [`Case`] is made. Other data are text: a pattern in each
/// line up to an empty one, then records with commas between them or a whole log file.
pub fn hold(data: &[u8]) {
    let case = match data.split_first() {
        Some((0..b'\n', choices)) => Case::chosen(choices),
        _ => Case::written(data),
    };
    let compiled = case
        .patterns
        .iter()
        .map(|text| filter_pattern::compile(text));
    let patterns: Vec<Pattern> = compiled.filter_map(Result::ok).collect();
    if !patterns.is_empty() {
        Sets::new(&patterns).hold(&case.document);
    }
}

/// Members that the second set hands out.
const WANTED: [&str; 4] = ["a", "eventName", "é", "gone"];
const HINTS: RecordHints<'_> = RecordHints {
    wanted: &WANTED,
    always_wanted: WANTED.len(),
    few_values: &["$.a", "$.userIdentity.type"],
};

/// The patterns together, and the same in the opposite order.
struct Sets<'p> {
    patterns: &'p [Pattern],
    forward: PatternSet,
    backward: PatternSet,
    /// Serves `forward` alone, so that it keeps what it learned from the records before.
    own: Scratch,
    /// Serves both.
    shared: Scratch,
}

impl<'p> Sets<'p> {
    fn new(patterns: &'p [Pattern]) -> Self {
        let forward = PatternSet::new(patterns);
        Sets {
            patterns,
            backward: PatternSet::with_hints(HINTS, patterns.iter().rev()),
            own: forward.scratch(),
            shared: forward.scratch(),
            forward,
        }
    }

    fn hold(&mut self, document: &[u8]) {
        let mut held = 0;
        // A log file without records is of no interest here, whatever the reason.
        let _ = LogFileReader::new().read(document, None, |entry| {
            if let Entry::Record { record, .. } = entry {
                self.hold_record(record, document, held);
                held += 1;
            }
        });
    }

    fn hold_record(&mut self, record: Object<'_>, document: &[u8], place: usize) {
        let plain = Object::from_extent(record.raw()).unwrap();
        let alone = |record| {
            let matches = |pattern: &&Pattern| pattern.matches_record(record);
            places_of(self.patterns.iter(), matches)
        };
        let expected = alone(plain);
        let say = |what: &str| {
            let patterns: Vec<&str> = self.patterns.iter().map(Pattern::source).collect();
            let is_indexed = record.indexed().is_some();
            format!(
                "{what}, record {place} (indexed: {is_indexed}) of {}\npatterns: {patterns:#?}",
                document.escape_ascii()
            )
        };
        assert_eq!(
            alone(record),
            expected,
            "{}",
            say("one by one, with an index")
        );

        let last = self.patterns.len() - 1;
        // The second time with all that was learned the first time.
        for _ in 0..2 {
            let found = self.forward.matches(record, &mut self.own);
            assert_eq!(found, expected, "{}", say("together, with an index"));
        }
        // A set that serves both ways.
        let scratch = match place % 2 {
            0 => &mut self.shared,
            _ => &mut self.own,
        };
        let found = self.forward.matches(plain, scratch);
        assert_eq!(found, expected, "{}", say("together, without an index"));

        for (record, way) in [(record, "with an index"), (plain, "without an index")] {
            let mut members = [None; WANTED.len()];
            let scratch = &mut self.shared;
            let found = self
                .backward
                .matches_and_members(record, scratch, &mut members);
            let found: Vec<usize> = found.iter().rev().map(|place| last - place).collect();
            assert_eq!(found, expected, "{}", say(&format!("backwards, {way}")));
            for (name, member) in WANTED.iter().zip(members) {
                let is_same = match (member, plain.get(name)) {
                    (Some(member), Some(expected)) => is_same(member, expected),
                    (None, None) => true,
                    _ => false,
                };
                assert!(is_same, "{}", say(&format!("member {name}, {way}")));
            }
        }
    }
}

fn places_of<'p>(
    patterns: impl Iterator<Item = &'p Pattern>,
    matches: impl Fn(&&'p Pattern) -> bool,
) -> Vec<usize> {
    let found = patterns.enumerate().filter(|(_, pattern)| matches(pattern));
    found.map(|(place, _)| place).collect()
}

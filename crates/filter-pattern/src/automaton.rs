//! Searching a text for alternatives of sequences of character classes, in bounded time.
//!
//! Without groups an expression is a row of positions, each for one character of the text. All
//! positions reached are bits of a few machine words, and a character moves them all at once: what a
//! search costs is the length of the text times the number of positions divided by 64, whatever the
//! text and the expression. Nothing is built while searching, and nothing is tried twice.
//!
//! Source: filter pattern rules, section 5, D15 and D34. The method is the extended shift-and of
//! Navarro and Raffinot, "Flexible Pattern Matching in Strings", with an addition for the
//! positions that may be left out.

/// The characters above U+00FF are alike to every class: no expression can name one.
const SYMBOLS: usize = 257;
const BITS: usize = u64::BITS as usize;

/// A set of characters: a bit for each symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class([u64; SYMBOLS.div_ceil(BITS)]);

impl Class {
    pub(crate) const NONE: Class = Class([0; SYMBOLS.div_ceil(BITS)]);

    /// The set with all characters from `low` to `high` too, which lie below U+0100.
    pub(crate) fn with(mut self, low: char, high: char) -> Self {
        for symbol in symbol(low)..=symbol(high) {
            set(&mut self.0, symbol);
        }
        self
    }

    pub(crate) fn or(mut self, other: &Class) -> Self {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
        self
    }

    /// All characters that are not in the set.
    pub(crate) fn negated(self) -> Self {
        Class(self.0.map(|word| !word))
    }

    /// The character, if it is the only one in the set.
    pub(crate) fn only_character(&self) -> Option<char> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        let symbol = (0..SYMBOLS).find(|symbol| self.has(*symbol))?;
        // The last symbol stands for many.
        let is_one = count == 1 && symbol < SYMBOLS - 1;
        is_one.then(|| char::from_u32(symbol as u32)).flatten()
    }

    fn has(&self, symbol: usize) -> bool {
        let word = self.0.get(symbol / BITS).copied().unwrap_or_default();
        word >> (symbol % BITS) & 1 == 1
    }
}

fn symbol(character: char) -> usize {
    (u32::from(character) as usize).min(SYMBOLS - 1)
}

/// One part of an alternative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// `^`
    Start,
    /// `$`
    End,
    /// A class and how often it may come; `most` is missing if there is no limit.
    Repeated {
        class: Class,
        least: usize,
        most: Option<usize>,
    },
}

impl Part {
    /// How many positions it takes.
    pub(crate) fn positions(&self) -> usize {
        match self {
            Part::Start | Part::End => 0,
            Part::Repeated { least, most, .. } => most.unwrap_or((*least).max(1)),
        }
    }

    /// Can it stand for no character?
    fn may_be_empty(&self) -> bool {
        !matches!(self, Part::Repeated { least: 1.., .. })
    }
}

/// What is compiled: which texts hold a match of one of the alternatives.
#[derive(Debug, Clone)]
pub(crate) enum Automaton {
    Always,
    /// With at most 64 bits, as most are.
    Narrow(Bits<u64>),
    Wide(Bits<Vec<u64>>),
}

/// One bit for the start of each alternative, and behind it one for each of its positions.
#[derive(Debug, Clone)]
pub(crate) struct Bits<Word> {
    /// For each symbol the positions whose class has it; starts have none.
    accepting: Vec<Word>,
    /// What is reached before the first character, and again before each one.
    first: Word,
    again: Word,
    /// Positions that may be passed over, and those that may take more than one character.
    optional: Word,
    repeating: Word,
    /// A match ends where one of these is reached: anywhere, or at the end of the text.
    done: Word,
    done_at_end: Word,
}

impl Automaton {
    pub(crate) fn new(alternatives: &[Vec<Part>]) -> Self {
        let mut rows = Vec::new();
        for row in alternatives.iter().filter_map(|parts| Row::new(parts)) {
            let is_empty = row.parts.iter().all(Part::may_be_empty);
            if is_empty && !(row.from_start && row.to_end) {
                return Automaton::Always; // the empty text is found everywhere
            }
            rows.push(row);
        }
        let wide = layout(&rows);
        let narrow = |words: &Vec<u64>| words.first().copied().unwrap_or_default();
        match wide.first.len() {
            0 | 1 => Automaton::Narrow(Bits {
                accepting: wide.accepting.iter().map(narrow).collect(),
                first: narrow(&wide.first),
                again: narrow(&wide.again),
                optional: narrow(&wide.optional),
                repeating: narrow(&wide.repeating),
                done: narrow(&wide.done),
                done_at_end: narrow(&wide.done_at_end),
            }),
            _ => Automaton::Wide(wide),
        }
    }

    /// Does the text hold a match?
    pub(crate) fn is_found_in(&self, text: &str) -> bool {
        match self {
            Automaton::Always => true,
            Automaton::Narrow(bits) => bits.is_found_in(text),
            Automaton::Wide(bits) => bits.is_found_in(text),
        }
    }
}

/// An alternative without its anchors.
struct Row<'p> {
    parts: &'p [Part],
    from_start: bool,
    to_end: bool,
}

impl<'p> Row<'p> {
    /// `None` if no text can match: something must stand before a `^` or behind a `$`.
    fn new(parts: &'p [Part]) -> Option<Self> {
        let all_empty = |parts: &[Part]| parts.iter().all(Part::may_be_empty);
        let start = parts.iter().rposition(|part| *part == Part::Start);
        let (before, rest) = parts.split_at_checked(start.map_or(0, |start| start + 1))?;
        if !all_empty(before) {
            return None;
        }
        if before.contains(&Part::End) {
            // The end of the text, then its start: only the empty text has that.
            return all_empty(rest).then_some(Row {
                parts: &[],
                from_start: true,
                to_end: true,
            });
        }
        let end = rest.iter().position(|part| *part == Part::End);
        let (row, behind) = rest.split_at_checked(end.unwrap_or(rest.len()))?;
        all_empty(behind).then_some(Row {
            parts: row,
            from_start: start.is_some(),
            to_end: end.is_some(),
        })
    }
}

fn layout(rows: &[Row<'_>]) -> Bits<Vec<u64>> {
    let positions = |row: &Row<'_>| row.parts.iter().map(Part::positions).sum::<usize>();
    let count: usize = rows.iter().map(|row| 1 + positions(row)).sum();
    let none = vec![0; count.div_ceil(BITS)];
    let mut bits = Bits {
        accepting: vec![none.clone(); SYMBOLS],
        first: none.clone(),
        again: none.clone(),
        optional: none.clone(),
        repeating: none.clone(),
        done: none.clone(),
        done_at_end: none,
    };
    let mut next = 0;
    for row in rows {
        set(&mut bits.first, next);
        if !row.from_start {
            set(&mut bits.again, next);
        }
        next += 1;
        for part in row.parts {
            let Part::Repeated { class, least, most } = part else {
                continue;
            };
            for place in 0..part.positions() {
                for (symbol, accepting) in bits.accepting.iter_mut().enumerate() {
                    if class.has(symbol) {
                        set(accepting, next);
                    }
                }
                if place >= *least {
                    set(&mut bits.optional, next);
                }
                next += 1;
            }
            if most.is_none() {
                set(&mut bits.repeating, next - 1);
            }
        }
        match row.to_end {
            true => set(&mut bits.done_at_end, next - 1),
            false => set(&mut bits.done, next - 1),
        }
    }
    bits
}

fn set(words: &mut [u64], bit: usize) {
    if let Some(word) = words.get_mut(bit / BITS) {
        *word |= 1 << (bit % BITS);
    }
}

/// Adds to what is reached what follows from it over optional positions. The addition carries from
/// each position that is entered through all optional ones behind it; gives also the carry out.
fn pass_over(reached: u64, shifted: u64, optional: u64, carry: bool) -> (u64, bool) {
    let entered = shifted & optional;
    let (sum, over) = optional.overflowing_add(entered);
    let (sum, over_again) = sum.overflowing_add(u64::from(carry));
    let passed = optional & (!sum | entered);
    (reached | passed, over || over_again)
}

impl Bits<u64> {
    fn is_found_in(&self, text: &str) -> bool {
        let close = |reached: u64| pass_over(reached, reached << 1, self.optional, false).0;
        let mut reached = close(self.first);
        for character in text.chars() {
            if reached & self.done != 0 {
                return true;
            }
            if reached == 0 {
                return false; // all alternatives start at the start, and have failed
            }
            let accepting = self.accepting.get(symbol(character)).copied();
            let moved = (reached << 1 | reached & self.repeating) & accepting.unwrap_or_default();
            reached = close(moved | self.again);
        }
        reached & (self.done | self.done_at_end) != 0
    }
}

impl Bits<Vec<u64>> {
    fn is_found_in(&self, text: &str) -> bool {
        let mut reached = self.first.clone();
        self.close(&mut reached);
        let meets = |reached: &[u64], goal: &[u64]| {
            let mut pairs = reached.iter().zip(goal);
            pairs.any(|(reached, goal)| reached & goal != 0)
        };
        for character in text.chars() {
            if meets(&reached, &self.done) {
                return true;
            }
            if reached.iter().all(|word| *word == 0) {
                return false; // all alternatives start at the start, and have failed
            }
            if let Some(accepting) = self.accepting.get(symbol(character)) {
                self.step(&mut reached, accepting);
            }
        }
        meets(&reached, &self.done) || meets(&reached, &self.done_at_end)
    }

    /// Takes one character, and passes over what is optional, in one run over the words.
    fn step(&self, reached: &mut [u64], accepting: &[u64]) {
        let (mut last_before, mut last, mut carry) = (0, 0, false);
        let masks = accepting.iter().zip(&self.repeating).zip(&self.again);
        let masks = masks.zip(&self.optional);
        for (word, (((accepting, repeating), again), optional)) in reached.iter_mut().zip(masks) {
            let shifted = *word << 1 | last_before >> (BITS - 1);
            last_before = *word;
            let moved = (shifted | *word & repeating) & accepting | again;
            let entered = moved << 1 | last >> (BITS - 1);
            last = moved;
            (*word, carry) = pass_over(moved, entered, *optional, carry);
        }
    }

    fn close(&self, reached: &mut [u64]) {
        let (mut last, mut carry) = (0, false);
        for (word, optional) in reached.iter_mut().zip(&self.optional) {
            let entered = *word << 1 | last >> (BITS - 1);
            last = *word;
            (*word, carry) = pass_over(*word, entered, *optional, carry);
        }
    }
}

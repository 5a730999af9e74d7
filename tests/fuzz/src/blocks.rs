//! `json_blocks`: with vectors, without, and as one reads a text byte by byte.

use json_blocks::{BLOCK, Chosen, Classes, Masks, Places, Visitor};

/// The first byte says which places are written down, the second after how many blocks the visit ends (0: at the end of
/// the text), the rest is the text.
pub fn hold(data: &[u8]) {
    let [kinds, blocks, text @ ..] = data else {
        return;
    };
    let recorder = Recorder {
        kinds: *kinds,
        last: usize::from(*blocks).checked_sub(1),
        seen: Vec::new(),
    };
    let ways: [Way; 2] = [json_blocks::visit, json_blocks::visit_portable];

    let mut expected = read(text);
    if let Some(last) = recorder.last {
        expected.truncate(last + 1);
    }
    let offsets = recorder.offsets(&expected);
    let padded = |offset: &u32| text.get(*offset as usize).copied().unwrap_or_default();
    let bytes: Vec<u8> = offsets.iter().map(padded).collect();

    for (visit, name) in ways.into_iter().zip(["vectors", "portable"]) {
        // Slots that were written before, and maybe more of them than this text needs.
        let mut places = Places::default();
        visit(&[b','; 300], &mut recorder.clone(), 0, &mut places);

        let mut recorder = recorder.clone();
        let count = visit(text, &mut recorder, 0, &mut places);
        assert_eq!(recorder.seen, expected, "{name}: {}", text.escape_ascii());
        assert_eq!(count, expected.len(), "{name}: {}", text.escape_ascii());
        assert_eq!(places.offsets(), offsets, "{name}: {}", text.escape_ascii());
        assert_eq!(places.bytes(), bytes, "{name}: {}", text.escape_ascii());
    }
    for block in text.as_chunks::<BLOCK>().0 {
        assert_eq!(json_blocks::classify(block), Classes::of(block));
    }
}

type Way = fn(&[u8], &mut Recorder, usize, &mut Places) -> usize;

/// Keeps all masks, and counts the blocks.
#[derive(Clone)]
struct Recorder {
    /// One bit for each mask whose places are chosen.
    kinds: u8,
    /// The last block that is wanted.
    last: Option<usize>,
    seen: Vec<Masks>,
}

impl Recorder {
    fn chosen(&self, masks: &Masks) -> u64 {
        let kinds = [
            masks.opening | masks.closing,
            masks.colons | masks.commas,
            masks.opening_quotes,
            masks.closing_quotes,
            masks.other,
            masks.escapes,
            masks.control,
            // Every place of a block.
            u64::MAX,
        ];
        let chosen = |(bit, mask): (u32, u64)| if self.kinds >> bit & 1 == 1 { mask } else { 0 };
        (0..).zip(kinds).map(chosen).fold(0, |all, mask| all | mask)
    }

    fn offsets(&self, blocks: &[Masks]) -> Vec<u32> {
        let mut offsets = Vec::new();
        for (first, masks) in (0..).step_by(BLOCK).zip(blocks) {
            let chosen = self.chosen(masks);
            offsets.extend(
                (0..64)
                    .filter(|bit| chosen >> bit & 1 == 1)
                    .map(|bit| first + bit),
            );
        }
        offsets
    }
}

impl Visitor for Recorder {
    type State = usize;

    #[inline(always)]
    fn block(&mut self, count: usize, offset: usize, masks: &Masks) -> (usize, Chosen) {
        assert_eq!(offset, count * BLOCK);
        self.seen.push(*masks);
        let chosen = Chosen {
            places: self.chosen(masks),
            last: self.last == Some(count),
        };
        (count + 1, chosen)
    }
}

/// Where one stands in a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Outside,
    /// Behind a backslash outside of a string, which has no business there.
    EscapedOutside,
    Inside,
    EscapedInside,
}

/// The masks of a text, filled up with zeros.
fn read(text: &[u8]) -> Vec<Masks> {
    let mut all = vec![Masks::default(); text.len().div_ceil(BLOCK)];
    let mut place = Place::Outside;
    for offset in 0..all.len() * BLOCK {
        let byte = text.get(offset).copied().unwrap_or_default();
        let bit = 1 << (offset % BLOCK);
        let masks = &mut all[offset / BLOCK];
        if byte < b' ' {
            masks.control |= bit;
        }
        let is_inside = matches!(place, Place::Inside | Place::EscapedInside);
        let (mask, next) = match (place, byte) {
            (Place::Outside, b'"') => (Some(&mut masks.opening_quotes), Place::Inside),
            (Place::Inside, b'"') => (Some(&mut masks.closing_quotes), Place::Outside),
            (Place::Outside | Place::Inside, b'\\') => {
                masks.escapes |= bit;
                match is_inside {
                    true => (None, Place::EscapedInside),
                    false => (Some(&mut masks.other), Place::EscapedOutside),
                }
            }
            (Place::Inside | Place::EscapedInside, _) => (None, Place::Inside),
            (_, b'{' | b'[') => (Some(&mut masks.opening), Place::Outside),
            (_, b'}' | b']') => (Some(&mut masks.closing), Place::Outside),
            (_, b':') => (Some(&mut masks.colons), Place::Outside),
            (_, b',') => (Some(&mut masks.commas), Place::Outside),
            (_, _) => (Some(&mut masks.other), Place::Outside),
        };
        if let Some(mask) = mask {
            *mask |= bit;
        }
        place = next;
    }
    all
}

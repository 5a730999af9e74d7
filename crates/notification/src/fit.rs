//! Texts made safe and small.

use cloudtrail::printable;

use crate::mask::mask_text;

/// Where a text is too large without its lists, its parts are cut to so many characters.
pub(crate) const SMALLER: &[usize] = &[100, 30];

/// The first of the renderings, which get smaller, that fits; the last one if none does.
pub(crate) fn first_that_fits(
    renderings: impl Iterator<Item = String>,
    fits: impl Fn(&str) -> bool,
) -> String {
    let mut last = String::new();
    for rendering in renderings {
        if fits(&rendering) {
            return rendering;
        }
        last = rendering;
    }
    last
}

/// Masked, one line, at most so many characters. Masking comes first: a cut secret has lost its shape.
pub(crate) fn clean(text: &str, most_characters: usize) -> String {
    printable(&mask_text(text), most_characters).trim().into()
}

/// Is this what the event has, as far as can be seen: nothing masked, replaced or cut?
pub(crate) fn is_whole(text: &str) -> bool {
    !text.is_empty() && !text.contains(['…', char::REPLACEMENT_CHARACTER]) && !text.contains("***")
}

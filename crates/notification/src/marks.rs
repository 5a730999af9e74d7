//! Which searches for secrets can find something in a text, seen in one pass over its bytes.
//!
//! Whatever a search finds has certain three characters in it: one of its marks. A text without them holds nothing
//! for that search, so most texts need no search at all. Marks are chosen to be rare in names, ids and messages, and are the
//! only thing chosen here: a mark in a text costs a search and changes no result.

use std::sync::LazyLock;

/// The searches of which a text has a mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Marks(u32);

/// The searches that have marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Search {
    /// For whole secrets that are known by their shape.
    Shape,
    /// For what stands behind `bearer` and `basic`.
    Announcement,
    /// For the passwords of addresses.
    Url,
    /// For what stands beside an access key id.
    AccessKeyId,
    /// For what stands behind a telling name.
    Name,
}

/// What may stand first, second and third in a mark.
type Mark = [&'static str; 3];

/// In upper and lower case for [`Search::Name`] and [`Search::Announcement`], which do not tell them apart.
const MARKS: [(Search, Mark); 32] = [
    // `-----BEGIN`, `eyJ`, session tokens.
    (Search::Shape, ["-", "-", "-"]),
    (Search::Shape, ["e", "y", "J"]),
    (Search::Shape, ["IFA", "Qw", "o"]),
    // `ghp_`, `github_pat_`, `glpat-`, `xoxb-` and `xapp-`, `slack.com`.
    (Search::Shape, ["h", "pousr", "_"]),
    (Search::Shape, ["b", "_", "p"]),
    (Search::Shape, ["g", "l", "p"]),
    (Search::Shape, ["x", "oa", "xp"]),
    (Search::Shape, ["k", ".", "c"]),
    // `sk_live_`, `sk-`, `npm_`, `pypi-`, `AIza`, `SG.`.
    (Search::Shape, ["sr", "k", "_"]),
    (Search::Shape, ["s", "k", "-"]),
    (Search::Shape, ["p", "m", "_"]),
    (Search::Shape, ["y", "p", "i"]),
    (Search::Shape, ["A", "I", "z"]),
    (Search::Shape, ["S", "G", "."]),
    (Search::Announcement, ["b", "ea", "as"]),
    (Search::Url, [":", "/", "/"]),
    (Search::AccessKeyId, ["A", "KS", "I"]),
    // `pass`, `pwd`, `psk`, `secret`, `key`, `authorization`, `cookie`, `string`, `plain`, `data`, `assertion`,
    // `signature`, `code`, `jwt`, `token`, `credential`: the marks are not those of `Create`, `Update`, `assumed`,
    // `authorized` and `identity`, which are in most records.
    (Search::Name, ["p", "a", "s"]),
    (Search::Name, ["p", "w", "d"]),
    (Search::Name, ["p", "s", "k"]),
    (Search::Name, ["e", "c", "r"]),
    (Search::Name, ["k", "e", "y"]),
    (Search::Name, ["z", "a", "t"]),
    (Search::Name, ["o", "o", "k"]),
    (Search::Name, ["r", "i", "n"]),
    (Search::Name, ["l", "a", "i"]),
    (Search::Name, ["at", "ti", "a"]),
    (Search::Name, ["s", "s", "e"]),
    (Search::Name, ["g", "n", "a"]),
    (Search::Name, ["c", "o", "d"]),
    (Search::Name, ["j", "w", "t"]),
    (Search::Name, ["t", "o", "k"]),
];

/// For each byte the marks it may stand in first, second and third: a bit for each of [`MARKS`].
static PLACES: LazyLock<[[u32; 3]; 256]> = LazyLock::new(|| {
    let mut places = [[0; 3]; 256];
    for (byte, places) in (0..=u8::MAX).zip(&mut places) {
        for (bit, (search, mark)) in MARKS.iter().enumerate() {
            let any_case = matches!(search, Search::Name | Search::Announcement);
            let byte = if any_case {
                byte.to_ascii_lowercase()
            } else {
                byte
            };
            for (place, characters) in places.iter_mut().zip(mark) {
                let stands_here = characters.as_bytes().contains(&byte);
                *place |= u32::from(stands_here) << bit;
            }
        }
    }
    places
});

impl Marks {
    /// The marks in a text.
    pub(crate) fn of(text: &str) -> Marks {
        let places = &*PLACES;
        let (mut begun, mut half, mut found) = (0, 0, 0);
        for byte in text.bytes() {
            let [first, second, third] = places.get(usize::from(byte)).copied().unwrap_or_default();
            found |= half & third;
            half = begun & second;
            begun = first;
        }
        Marks(found)
    }

    /// No search finds anything.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Can this search find something?
    pub(crate) fn has(self, search: Search) -> bool {
        let of_search = MARKS
            .iter()
            .enumerate()
            .filter(|(_, (marked, _))| *marked == search);
        self.0 & of_search.fold(0, |bits, (bit, _)| bits | 1 << bit) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        for (text, search) in [
            ("eyJ", Search::Shape),
            ("xxeyJ", Search::Shape),
            ("éxapp-é", Search::Shape),
            ("BEARER", Search::Announcement),
            ("a://", Search::Url),
            ("ASIA", Search::AccessKeyId),
            ("PASS", Search::Name),
            ("--the-key", Search::Name),
        ] {
            assert!(Marks::of(text).has(search), "{text}");
        }
    }

    #[test]
    fn ordinary_texts_have_no_marks() {
        for text in [
            "",
            "ey",
            "eYJ",
            "CreateLogGroup",
            "UpdateItem",
            "ec2.amazonaws.com",
            "us-east-1",
            "198.51.100.7",
            "AccessDenied",
            "aab985f2-3a56-48cc-a8a5-e0af77606f5f",
            "arn:aws:sts::111122223333:assumed-role/Deploy/i-0123456789abcdef0",
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: iam:CreateUser on resource: *",
        ] {
            assert!(Marks::of(text).is_empty(), "{text}");
        }
    }
}

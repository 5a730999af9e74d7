//! What holds for every pattern and every message.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use std::time::{Duration, Instant};

use filter_pattern::{MetricValue, Pattern, PatternSet, Selector, compile};
use proptest::prelude::*;
use raw_json::{Index, Object};

/// Patterns of all languages, each as its tokens: white space may stand between any two of them, and
/// must where the text before ends in a space.
const TOKENS: &[&[&str]] = &[
    &["{", "$.a", "=", "1", "}"],
    &[
        "{",
        "(",
        "$.a",
        "=",
        "\"x }\"",
        ")",
        "&&",
        "(",
        "$['b.c'][0].*",
        "!=",
        "y*",
        ")",
        "}",
    ],
    &[
        "{", "$.a ", "IS ", "NULL", "||", "$.b ", "NOT ", "EXISTS", "||", "$.c", ">=", "-1.5e3",
        "}",
    ],
    &[
        "{", "(", "(", "$.a", "=", "%^x{2}%", ")", "||", "$.l[*].k", "=", "*", ")", "&&", "$.d",
        "<", "+.5", "}",
    ],
    &[
        "{",
        "$.*",
        "=",
        "\"a\\\"b\\\\\"",
        "||",
        "$.a",
        "=",
        "x",
        "&&",
        "(",
        "$.a",
        "=",
        "y",
        "&&",
        "$.b",
        "=",
        "z",
        ")",
        "}",
    ],
    &[
        "[", "a", ",", "b", "=", "4*", "&&", "b", "!=", "\"40 4\"", "||", "b", ">", "1e3", ",",
        "...", ",", "c", "]",
    ],
    &["[", "...", ",", ",", "x", "=", "%[a-c]+%", "]"],
    &["ERROR ", "\"a b\" ", "-", "DEBUG ", "?x"],
    &["?a ", "?\"b\\\"c\""],
    &["%^a[^b]c{2,}$%"],
    &["\" \""],
];

const MESSAGES: &[&str] = &[
    r#"{"a":1,"b":{"c":[1,2.5e-3,{"k":"x"}]},"l":[{"k":null},{"k":true}],"b.c":[{"x":"y"}]}"#,
    r#"{"a":"x }","b.c":[{"q":"z"}],"c":"12","d":0.25,"e":"\ud800","a":{"a":"\u0061"}}"#,
    r#"192.0.2.7 - alice [02/Mar/2026 +0000] "GET / HTTP" 404 [ " 7"#,
    r#"{"a":[[[[]]],{},"b":,"c" 1 "d":nul],"a":{"b":1],"e":{"#,
];

fn joined(tokens: &[&str], spaces: &[String]) -> String {
    let gap = |place: usize| {
        spaces
            .get(place % spaces.len().max(1))
            .map_or("", String::as_str)
    };
    let mut text = String::from(gap(0));
    for (place, token) in tokens.iter().enumerate() {
        text.push_str(token);
        text.push_str(gap(place + 1));
    }
    text
}

fn tokens() -> impl Strategy<Value = &'static [&'static str]> {
    prop::sample::select(TOKENS.to_vec())
}

/// A text with some characters dropped, doubled, swapped for others, or cut off.
fn mutated(texts: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0..4u8, prop::char::any());
    let symbols = prop::sample::select(
        "{}[]()\"'%$.*=!<>&|,\\-+?: \n\té0aI"
            .chars()
            .collect::<Vec<_>>(),
    );
    let edits = prop::collection::vec((edit, symbols, any::<bool>()), 1..4);
    (texts, edits).prop_map(|(text, edits)| {
        let mut characters: Vec<char> = text.chars().collect();
        for ((place, kind, any), symbol, take_symbol) in edits {
            if characters.is_empty() {
                break;
            }
            let place = place.index(characters.len());
            let character = if take_symbol { symbol } else { any };
            match kind {
                0 => drop(characters.remove(place)),
                1 => characters.insert(place, character),
                2 => characters[place] = character,
                _ => characters.truncate(place),
            }
        }
        characters.into_iter().collect()
    })
}

fn valid_text() -> impl Strategy<Value = String> {
    tokens().prop_map(|tokens| joined(tokens, &[]))
}

/// Everything that can be asked of a text that may be a pattern.
fn use_up(text: &str) {
    match compile(text) {
        Ok(pattern) => {
            assert_eq!(
                compile(&pattern.to_string()).as_ref(),
                Ok(&pattern),
                "{text}"
            );
            for warning in pattern.warnings() {
                assert!(text.get(warning.span()).is_some(), "{text}");
            }
            for message in MESSAGES {
                ask(&pattern, message.as_bytes());
            }
        }
        Err(error) => {
            let pointed_at = text.get(error.span());
            assert!(pointed_at.is_some(), "{text} {error:?}");
            assert!(
                !error.expected().is_empty() && !error.found().is_empty(),
                "{text}"
            );
        }
    }
    if let Ok(selector) = Selector::parse(text) {
        assert_eq!(Selector::parse(&selector.to_string()), Ok(selector));
    }
}

fn ask(pattern: &Pattern, message: &[u8]) {
    let matches = pattern.matches(message);
    let explanation = pattern.explain(message);
    assert_eq!(explanation.matches(), matches, "{pattern}");
    assert!(!explanation.to_string().is_empty());
    pattern.extract(message);
    if let Some(record) = Object::from_extent(message) {
        let alone = pattern.matches_record(record);
        assert_eq!(pattern.explain_record(record).matches(), alone, "{pattern}");
        let set = PatternSet::new([pattern]);
        let together = set.matches(record, &mut set.scratch()) == [0];
        assert_eq!(
            together,
            alone,
            "{pattern} {}",
            String::from_utf8_lossy(message)
        );
        let mut index = Index::default();
        let first = index.fill(message).next();
        if let Some(record) = first.and_then(|first| first.value().as_object()) {
            let alone = pattern.matches_record(record);
            let together = set.matches(record, &mut set.scratch()) == [0];
            assert_eq!(together, alone, "{pattern} {record:?}");
        }
    }
}

fn all_patterns() -> Vec<Pattern> {
    let extra = [
        "{ $.a.* = * }",
        "{ $.*.b NOT EXISTS }",
        "{ $.l[*] NOT EXISTS }",
        "{ $.e.a = a || $.e NOT EXISTS }",
        "{ $.b.c[1] < 1 }",
        "",
    ];
    let texts = TOKENS.iter().map(|tokens| joined(tokens, &[]));
    let texts = texts.chain(extra.map(str::to_owned));
    texts
        .map(|text| compile(&text).expect("a pattern"))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn compiling_never_panics_on_any_text(text in any::<String>()) {
        use_up(&text);
    }

    #[test]
    fn compiling_never_panics_on_what_is_nearly_a_pattern(text in mutated(valid_text())) {
        use_up(&text);
    }

    #[test]
    fn compiling_never_panics_on_any_text_of_signs(text in r#"[{\[%$.a'"*=!<>&|(),?\\ 0-9\]}-]{0,24}"#) {
        use_up(&text);
    }

    #[test]
    fn regular_expressions_compile_or_are_refused(text in r#"%[\[\]\\^$?*+.{},|a-c0-9 dDwWsSx-]{1,16}%"#) {
        use_up(&text);
    }

    #[test]
    fn white_space_between_tokens_changes_nothing(
        tokens in tokens(),
        spaces in prop::collection::vec("[ \t\r\n]{0,3}", 1..20),
    ) {
        let bare = joined(tokens, &[]);
        let spaced = joined(tokens, &spaces);
        prop_assert_eq!(compile(&spaced), compile(&bare), "{}", spaced);
    }

    #[test]
    fn every_message_gets_an_answer(message in prop::collection::vec(any::<u8>(), 0..200)) {
        for pattern in all_patterns() {
            ask(&pattern, &message);
            let mut object = b"{\"a\":".to_vec();
            object.extend(&message);
            ask(&pattern, &object);
        }
    }

    #[test]
    fn broken_records_read_alike_one_by_one_and_together(
        text in mutated(prop::sample::select(MESSAGES.to_vec()).prop_map(str::to_owned)),
    ) {
        let patterns = all_patterns();
        let set = PatternSet::new(&patterns);
        let Some(record) = Object::from_extent(text.as_bytes()) else {
            return Ok(());
        };
        let expected: Vec<usize> = patterns
            .iter()
            .enumerate()
            .filter(|(_, pattern)| pattern.matches_record(record))
            .map(|(index, _)| index)
            .collect();
        let mut scratch = set.scratch();
        prop_assert_eq!(set.matches(record, &mut scratch), expected, "{}", text);
    }

    #[test]
    fn a_glob_is_a_regular_expression_with_stars(glob in "[ab*é.]{1,8}", text in "[abé.\n]{0,10}") {
        let pattern = compile(&format!("{{ $.x = \"{glob}\" }}")).expect("a pattern");
        let pieces: Vec<_> = glob.split('*').map(regex::escape).collect();
        let regex = regex::Regex::new(&format!("(?s)^(?:{})$", pieces.join(".*"))).expect("a regex");
        let event = serde_json::json!({ "x": text }).to_string();
        prop_assert_eq!(pattern.matches(event.as_bytes()), regex.is_match(&text));
    }

    #[test]
    fn numbers_order_as_integers_do(left: i64, right: i64) {
        let event = format!("{{\"n\":{left}}}");
        let holds = |sign: &str| {
            let pattern = compile(&format!("{{ $.n {sign} {right}.0 }}")).expect("a pattern");
            pattern.matches(event.as_bytes())
        };
        prop_assert_eq!(holds("<"), left < right);
        prop_assert_eq!(holds(">="), left >= right);
        prop_assert_eq!(holds("="), left == right);
        prop_assert_eq!(holds("!="), left != right);
    }

    #[test]
    fn a_metric_value_is_finite_or_nothing(text in any::<String>(), value in any::<String>()) {
        let pattern = compile("{ $.x = * }").expect("a pattern");
        let event = serde_json::json!({ "x": value }).to_string();
        for source in [text.as_str(), "$.x"] {
            if let Ok(metric) = MetricValue::parse(source, &pattern) {
                let value = metric.of_message(event.as_bytes());
                prop_assert!(value.is_none_or(f64::is_finite));
            }
        }
    }
}

#[test]
fn a_scratch_serves_any_set() {
    let patterns = all_patterns();
    let large = PatternSet::new(&patterns);
    let small = PatternSet::new(&patterns[..1]);
    let mut scratch = large.scratch();
    for message in [MESSAGES[0], MESSAGES[1], MESSAGES[0]] {
        let record = Object::parse(message.as_bytes()).expect("an object");
        let fresh = large.matches(record, &mut large.scratch()).to_vec();
        assert_eq!(large.matches(record, &mut scratch), fresh);
        let expected: &[usize] = if patterns[0].matches_record(record) {
            &[0]
        } else {
            &[]
        };
        assert_eq!(small.matches(record, &mut scratch), expected);
    }
}

#[test]
fn the_longest_nesting_of_parentheses_is_read_and_dropped() {
    let depth = 509;
    let deep = format!(
        "{{{}$.a=1{}}}",
        "(".repeat(depth - 1),
        ")".repeat(depth - 1)
    );
    use_up(&deep);
    assert!(compile(&deep).expect("balanced").matches(b"{\"a\":1}"));
    for text in [
        "{".to_owned() + &"(".repeat(1023),
        "{".to_owned() + &"($.a=1||".repeat(127),
        "(".repeat(1024),
        "[".repeat(1024),
    ] {
        assert!(compile(&text).is_err());
    }
    let staircase = format!("{{{}$.a=2{}}}", "$.a=1||(".repeat(100), ")".repeat(100));
    use_up(&staircase);
    let zigzag = format!(
        "{{{}$.a=2{}}}",
        "$.a=1||($.a=3&&(".repeat(50),
        "))".repeat(50)
    );
    use_up(&zigzag);
}

#[test]
fn events_of_any_depth_and_size_are_answered_fast() {
    let depth = 20_000;
    let arrays = format!(
        r#"{{"a":{}1{},"z":1}}"#,
        "[".repeat(depth),
        "]".repeat(depth)
    );
    let objects = format!(
        r#"{{"a":{}1{},"z":1}}"#,
        r#"{"a":"#.repeat(depth),
        "}".repeat(depth)
    );
    let long = format!(r#"{{"a":"{}","z":1}}"#, "ab".repeat(100_000));
    let many = format!(r#"{{"l":[{}],"z":1}}"#, r#"{"k":1},"#.repeat(20_000) + "1");
    let twice = format!(
        r#"{{"b":{{{}"x":0}},"z":1}}"#,
        r#""a":{"a":1},"#.repeat(10_000)
    );
    let texts = [
        "{ $.z = 1 && ($.a = \"*ba*ab*c\" || $.l[*].k != 1 || $.b.*.a = 2 || $.z = 1) }",
        "{ $.a[0][0][0][*] = 1 || $.a.a.a.a.* = 1 || $.z = 1 }",
        "*",
        "%(%",
    ];
    let mut patterns: Vec<_> = texts.iter().filter_map(|text| compile(text).ok()).collect();
    assert_eq!(patterns.len(), 2);
    patterns.extend(all_patterns());
    let set = PatternSet::new(&patterns);
    let started = Instant::now();
    for event in [&arrays, &objects, &long, &many, &twice] {
        let record = Object::parse(event.as_bytes()).expect("an object");
        let matching = set.matches(record, &mut set.scratch()).to_vec();
        assert!(matching.starts_with(&[0, 1]));
        for (index, pattern) in patterns.iter().enumerate() {
            assert_eq!(
                pattern.matches(event.as_bytes()),
                matching.contains(&index),
                "{pattern}"
            );
        }
    }
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

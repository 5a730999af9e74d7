//! The exact text of what users are told about faulty patterns.

/// The pattern with its fault pointed at, as a command line would show it.
fn diagnosis(pattern: &str) -> String {
    let error = match filter_pattern::compile(pattern) {
        Ok(_) => return "compiles".to_owned(),
        Err(error) => error,
    };
    let span = error.span();
    let before = pattern[..span.start].chars().count();
    let width = pattern[span.clone()].chars().count().max(1);
    let mut text = format!(
        "{pattern}\n{}{} {}\nexpected {}\nfound {}",
        " ".repeat(before),
        "^".repeat(width),
        error.message(),
        error.expected(),
        error.found()
    );
    if let Some(help) = error.help() {
        text.push_str("\nhelp: ");
        text.push_str(help);
    }
    text
}

#[test]
fn unknown_operators_list_the_known_ones() {
    insta::assert_snapshot!(diagnosis(r#"{ $.eventName ~= "Stop*" }"#), @r###"
        { $.eventName ~= "Stop*" }
                      ^^ unknown operator `~=`
        expected one of: = != < <= > >=
        found `~=`
        help: `=` takes wildcards ("Stop*") and regular expressions (%^Stop%)
    "###);
    insta::assert_snapshot!(diagnosis("{ $.eventName == StopLogging }"), @r###"
        { $.eventName == StopLogging }
                      ^^ unknown operator `==`
        expected one of: = != < <= > >=
        found `==`
        help: equality is written with one `=`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a EXISTS }"), @r###"
        { $.a EXISTS }
              ^^^^^^ unknown operator `EXISTS`
        expected one of: = != < <= > >=, or IS NULL, IS TRUE, IS FALSE, NOT EXISTS
        found `EXISTS`
        help: `= *` holds for every string and number; there is no `EXISTS`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a IN b }"), @r###"
        { $.a IN b }
              ^^ unknown operator `IN`
        expected one of: = != < <= > >=, or IS NULL, IS TRUE, IS FALSE, NOT EXISTS
        found `IN`
        help: write one test for each value, joined with `||`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.flag }"), @r###"
        { $.flag }
                 ^ the operator is missing
        expected one of: = != < <= > >=, or IS NULL, IS TRUE, IS FALSE, NOT EXISTS
        found `}`
        help: `= *` holds for every string and number
    "###);
}

#[test]
fn values_that_need_quotes_are_shown_with_them() {
    insta::assert_snapshot!(diagnosis("{ $.userIdentity.type = 'Root' }"), @r###"
        { $.userIdentity.type = 'Root' }
                                ^^^^^^ single quotes do not quote
        expected a value in double quotes
        found `'Root'`
        help: write "Root"
    "###);
    insta::assert_snapshot!(diagnosis("{ $.arn = arn:aws:iam::111122223333:root }"), @r###"
        { $.arn = arn:aws:iam::111122223333:root }
                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ a value with `:` needs quotes
        expected letters, digits, `_ . - + *` or a value in double quotes
        found `arn:aws:iam::111122223333:root`
        help: write "arn:aws:iam::111122223333:root"
    "###);
    insta::assert_snapshot!(diagnosis("{ $.sourceIPAddress = 10.0.0.0/8 }"), @r###"
        { $.sourceIPAddress = 10.0.0.0/8 }
                              ^^^^^^^^^^ a value with `/` needs quotes
        expected letters, digits, `_ . - + *` or a value in double quotes
        found `10.0.0.0/8`
        help: write "10.0.0.0/8"
    "###);
    insta::assert_snapshot!(diagnosis("{ $.mail = bob@example.com }"), @r###"
        { $.mail = bob@example.com }
                   ^^^^^^^^^^^^^^^ a value with `@` needs quotes
        expected letters, digits, `_ . - + *` or a value in double quotes
        found `bob@example.com`
        help: write "bob@example.com"
    "###);
    insta::assert_snapshot!(diagnosis("{ $.errorMessage = Failed authentication }"), @r###"
        { $.errorMessage = Failed authentication }
                                  ^^^^^^^^^^^^^^ unexpected `authentication` behind a test
        expected `&&`, `||` or `}`
        found `authentication`
        help: a value of several words needs quotes: "Failed authentication"
    "###);
    insta::assert_snapshot!(diagnosis("{ $.city = Zürich }"), @r###"
        { $.city = Zürich }
                   ^^^^^^ a value with `ü` needs quotes
        expected letters, digits, `_ . - + *` or a value in double quotes
        found `Zürich`
        help: write "Zürich"
    "###);
}

#[test]
fn values_that_are_none_say_so() {
    insta::assert_snapshot!(diagnosis("{ $.a = }"), @r###"
        { $.a = }
                ^ the value is missing
        expected a value: a word, a number, "..." or %...%
        found `}`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = $.b }"), @r###"
        { $.a = $.b }
                ^^^ a selector on the right
        expected a value: a word, a number, "..." or %...%
        found `$.b`
        help: a test compares a selector with a fixed value; two fields cannot be compared
    "###);
    insta::assert_snapshot!(diagnosis(r#"{ $.a = "unterminated }"#), @r###"
        { $.a = "unterminated }
                ^^^^^^^^^^^^^^^ the string does not end
        expected a closing `"`
        found `"unterminated }`
    "###);
    insta::assert_snapshot!(diagnosis(r#"{ $.a = "C:\" }"#), @r###"
        { $.a = "C:\" }
                ^^^^^^^ the string does not end
        expected a closing `"`
        found `"C:\" }`
        help: `\"` is a quote inside the string; write `\\` for a backslash at its end
    "###);
}

#[test]
fn tests_are_joined_with_signs() {
    insta::assert_snapshot!(diagnosis("{ $.a = 1 AND $.b = 2 }"), @r###"
        { $.a = 1 AND $.b = 2 }
                  ^^^ unexpected `AND` behind a test
        expected `&&`, `||` or `}`
        found `AND`
        help: `and` is written `&&`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = 1 & $.b = 2 }"), @r###"
        { $.a = 1 & $.b = 2 }
                  ^ unexpected `&` behind a test
        expected `&&`, `||` or `}`
        found `&`
        help: `and` is written `&&`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = 1, $.b = 2 }"), @r###"
        { $.a = 1, $.b = 2 }
                 ^ unexpected `,` behind a test
        expected `&&`, `||` or `}`
        found `,`
        help: tests are joined with `&&` or `||`
    "###);
    insta::assert_snapshot!(diagnosis("{ !($.a = 1) }"), @r###"
        { !($.a = 1) }
          ^ a test cannot be negated
        expected a test such as `$.eventName = "StopLogging"`
        found `!`
        help: negate inside the test: `!=`, or `$.field NOT EXISTS`
    "###);
    insta::assert_snapshot!(diagnosis("{ NOT $.a = 1 }"), @r###"
        { NOT $.a = 1 }
          ^^^ a test cannot be negated
        expected a test such as `$.eventName = "StopLogging"`
        found `NOT`
        help: negate inside the test: `!=`, or `$.field NOT EXISTS`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a IS NOT NULL }"), @r###"
        { $.a IS NOT NULL }
                 ^^^ nothing that `IS` can ask for
        expected one of: NULL TRUE FALSE, without quotes
        found `NOT`
        help: there is no `IS NOT`; `IS FALSE`, `!=` or another field may say what you mean
    "###);
}

#[test]
fn brackets_come_in_pairs() {
    insta::assert_snapshot!(diagnosis("{ $.a = 1"), @r###"
        { $.a = 1
                 ^ a pattern that starts with `{` must end with `}`
        expected `&&`, `||` or `}`
        found the end of the text
    "###);
    insta::assert_snapshot!(diagnosis("{ ($.a = 1 }"), @r###"
        { ($.a = 1 }
          ^ this `(` is not closed
        expected `)`
        found `}`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = 1) }"), @r###"
        { $.a = 1) }
                 ^ a `)` without its `(`
        expected `&&`, `||` or the closing `}`
        found `)`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = 1 } trailing"), @r###"
        { $.a = 1 } trailing
                    ^^^^^^^^ text behind the closing `}`
        expected the end of the pattern
        found `trailing`
    "###);
    insta::assert_snapshot!(diagnosis("[a, b"), @r###"
        [a, b
             ^ a pattern that starts with `[` must end with `]`
        expected `,` or `]`
        found the end of the text
    "###);
}

#[test]
fn missing_tests_are_missed() {
    insta::assert_snapshot!(diagnosis("{}"), @r###"
        {}
         ^ a test is missing
        expected a test such as `$.eventName = "StopLogging"`
        found `}`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = 1 && }"), @r###"
        { $.a = 1 && }
                     ^ a test is missing
        expected a test such as `$.eventName = "StopLogging"`
        found `}`
    "###);
    insta::assert_snapshot!(diagnosis("{ ($.a = 1) && () }"), @r###"
        { ($.a = 1) && () }
                        ^ a test is missing
        expected a test such as `$.eventName = "StopLogging"`
        found `)`
    "###);
}

#[test]
fn selectors_say_how_odd_names_are_written() {
    insta::assert_snapshot!(diagnosis(r#"{ $."detail-type" = "alert" }"#), @r###"
        { $."detail-type" = "alert" }
            ^^^^^^^^^^^^^ a quoted name outside of brackets
        expected a name of letters, digits, `_` and `-`, or `*`, or `['...']`
        found `"detail-type"`
        help: other characters need brackets: `$.['detail-type']`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.@timestamp = 1 }"), @r###"
        { $.@timestamp = 1 }
            ^^^^^^^^^^ a name is missing behind the period
        expected a name of letters, digits, `_` and `-`, or `*`, or `['...']`
        found `@timestamp`
        help: other characters need brackets: `$.['@timestamp']`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a:b = 1 }"), @r###"
        { $.a:b = 1 }
             ^^ unexpected `:b` in a selector
        expected letters, digits, `_`, `-`, `.` or `[`
        found `:b`
        help: names with other characters need brackets: `$.['cluster:name']`
    "###);
    insta::assert_snapshot!(diagnosis("{ eventName = StopLogging }"), @r###"
        { eventName = StopLogging }
          ^^^^^^^^^ not a selector
        expected a test such as `$.eventName = "StopLogging"`
        found `eventName`
        help: selectors start with `$.`: `$.eventName`
    "###);
}

#[test]
fn indexes_count_from_zero_behind_a_member() {
    insta::assert_snapshot!(diagnosis("{ $.list[-1] = 1 }"), @r###"
        { $.list[-1] = 1 }
                ^^^^ not an index
        expected a number from 0 on as in `[0]`, `[*]`, or a name in quotes as in `['cluster.name']`
        found `[-1]`
        help: elements are counted from the start of the array only
    "###);
    insta::assert_snapshot!(diagnosis("{ $[0] = 1 }"), @r###"
        { $[0] = 1 }
          ^^^^ an index without a member before it
        expected a member such as `.eventName`, `.*` or `.['cluster.name']`
        found `$[0]`
    "###);
}

#[test]
fn only_numbers_have_an_order() {
    insta::assert_snapshot!(diagnosis(r#"{ $.bytes > "1000" }"#), @r###"
        { $.bytes > "1000" }
                    ^^^^^^ only numbers can be ordered
        expected a number without quotes
        found `"1000"`
        help: without the quotes it is a number: 1000
    "###);
    insta::assert_snapshot!(diagnosis("{ $.size >= large }"), @r###"
        { $.size >= large }
                    ^^^^^ only numbers can be ordered
        expected a number without quotes
        found `large`
    "###);
    insta::assert_snapshot!(diagnosis("[a > x, b]"), @r###"
        [a > x, b]
             ^ only numbers can be ordered
        expected a number without quotes
        found `x`
    "###);
}

#[test]
fn quotas_are_checked_when_compiling() {
    insta::assert_snapshot!(diagnosis("{ $.a = %x% && $.b = %y% && $.c = %z% }"), @r###"
        { $.a = %x% && $.b = %y% && $.c = %z% }
                                          ^^^ too many regular expressions
        expected at most two regular expressions in a pattern
        found `%z%`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a[*].b[*] = 1 }"), @r###"
        { $.a[*].b[*] = 1 }
          ^^^^^^^^^^^ more than one wildcard in a selector
        expected at most one `*` in each selector
        found `$.a[*].b[*]`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a.* = 1 || $.b.* = 1 || $.c.* = 1 || $.d.* = 1 }"), @r###"
        { $.a.* = 1 || $.b.* = 1 || $.c.* = 1 || $.d.* = 1 }
                                                 ^^^^^ too many wildcard selectors
        expected at most three selectors with `*` in a pattern
        found `$.d.*`
    "###);
}

#[test]
fn regular_expressions_are_small() {
    insta::assert_snapshot!(diagnosis("{ $.a = %(ab)+% }"), @r###"
        { $.a = %(ab)+% }
                 ^ `(` is not allowed in a regular expression
        expected letters, digits, `: _ # = @ / ; , -`, space or the operators `^ $ ? [ ] { } | \ * + .`
        found `(`
        help: there are no groups; write `\x28` and `\x29` for parentheses themselves
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = %café% }"), @r###"
        { $.a = %café% }
                    ^ `é` is not allowed in a regular expression
        expected letters, digits, `: _ # = @ / ; , -`, space or the operators `^ $ ? [ ] { } | \ * + .`
        found `é`
        help: only ASCII characters are allowed; `.` matches any one
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = %[z-a]% }"), @r###"
        { $.a = %[z-a]% }
                  ^^^ a range that cannot be
        expected two characters, the lower one first
        found `z-a`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = %a**% }"), @r###"
        { $.a = %a**% }
                   ^ a quantifier behind a quantifier
        expected one quantifier for each character or class
        found `*`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = %a{x}% }"), @r###"
        { $.a = %a{x}% }
                  ^ `{` starts no count
        expected a count such as `{3}`, `{2,}`, `{,5}` or `{2,5}`
        found `{`
        help: a brace itself is written `\{`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = %[a-% }"), @r###"
        { $.a = %[a-% }
                 ^^^ the class does not end
        expected a closing `]`
        found `[a-`
    "###);
    insta::assert_snapshot!(diagnosis("{ $.a = %abc }"), @r###"
        { $.a = %abc }
                ^^^^^^ the regular expression does not end
        expected a closing `%`
        found `%abc }`
    "###);
    insta::assert_snapshot!(diagnosis("%something!%"), @r###"
        %something!%
                  ^ `!` is not allowed in a regular expression
        expected letters, digits, `: _ # = @ / ; , -`, space or the operators `^ $ ? [ ] { } | \ * + .`
        found `!`
        help: write `\x21`
    "###);
    insta::assert_snapshot!(diagnosis("ERROR %5[0-9]{2}%"), @r###"
        ERROR %5[0-9]{2}%
              ^^^^^^^^^^^ a term with `%` needs quotes
        expected letters, digits and `_`, or a phrase in double quotes
        found `%5[0-9]{2}%`
        help: a regular expression must be the whole pattern: %...%
    "###);
}

#[test]
fn terms_with_other_characters_need_quotes() {
    insta::assert_snapshot!(diagnosis("user@example"), @r###"
        user@example
        ^^^^^^^^^^^^ a term with `@` needs quotes
        expected letters, digits and `_`, or a phrase in double quotes
        found `user@example`
        help: write "user@example"
    "###);
    insta::assert_snapshot!(diagnosis("foo-bar"), @r###"
        foo-bar
        ^^^^^^^ a term with `-` needs quotes
        expected letters, digits and `_`, or a phrase in double quotes
        found `foo-bar`
        help: write "foo-bar"
    "###);
    insta::assert_snapshot!(diagnosis("?"), @r###"
        ?
        ^ a term is missing
        expected a word or a phrase in double quotes
        found `?`
    "###);
    insta::assert_snapshot!(diagnosis(r#""unterminated"#), @r###"
        "unterminated
        ^^^^^^^^^^^^^ the string does not end
        expected a closing `"`
        found `"unterminated`
    "###);
}

#[test]
fn fields_are_names_and_conditions() {
    insta::assert_snapshot!(diagnosis("[]"), @r###"
        []
        ^^ a pattern without fields
        expected at least one field: a name, a condition or `...`
        found `[]`
    "###);
    insta::assert_snapshot!(diagnosis("[a = 1 && b = 2]"), @r###"
        [a = 1 && b = 2]
                  ^ two names in one field
        expected another condition on `a`
        found `b`
        help: conditions on several fields stand each in its own field
    "###);
    insta::assert_snapshot!(diagnosis("[..., a, ...]"), @r###"
        [..., a, ...]
                 ^^^ a second `...`
        expected at most one `...` in a pattern
        found `...`
    "###);
    insta::assert_snapshot!(diagnosis("[$.a, b]"), @r###"
        [$.a, b]
         ^^^ not a field
        expected a field: a name, a condition such as `status = 4*`, `...`, or nothing
        found `$.a`
        help: fields are named without `$`; `{ ... }` is for JSON events
    "###);
}

#[test]
fn a_pattern_of_more_than_1024_characters_is_too_long() {
    let pattern = format!("{{ $.a = \"{}\" }}", "é".repeat(1013));
    assert_eq!(pattern.chars().count(), 1025);
    let error = filter_pattern::compile(&pattern).expect_err("too long");
    let told = format!("{error}; found {}", error.found());
    insta::assert_snapshot!(told, @"the pattern is too long: expected at most 1024 characters; found 1025 characters");
    assert_eq!(&pattern[error.span()], "}");
}

#[test]
fn a_dimension_of_a_text_pattern_is_not_supported() {
    let pattern = filter_pattern::compile("ERROR").expect("a pattern");
    let error =
        filter_pattern::DimensionValue::parse("$.awsRegion", &pattern).expect_err("no fields");
    insta::assert_snapshot!(error, @"the filter pattern does not support dimensions: expected a JSON or space-delimited filter pattern");
}

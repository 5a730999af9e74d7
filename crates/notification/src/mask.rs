//! Secrets out of texts and JSON, everything else left as it is.
//!
//! ```
//! let text = notification::mask_text("mysql --password hunter2 as AKIAIOSFODNN7EXAMPLE");
//! assert_eq!(text, "mysql --password *** as AKIAIOSFODNN7EXAMPLE");
//!
//! let object = raw_json::Object::parse(br#"{ "userName": "alice", "masterUserPassword": "hunter2" }"#)?;
//! let masked = notification::mask_json(raw_json::Value::Object(object));
//! assert_eq!(masked, r#"{"userName":"alice","masterUserPassword":"***"}"#);
//! # Ok::<(), raw_json::SyntaxError>(())
//! ```
//!
//! A secret is known by the name it stands under ([`is_secret_name`]: passwords, tokens, private
//! keys, in any spelling and at any depth, also in pairs such as `{"name": ..., "value": ...}` and
//! in `name=value` texts) or by its shape (private keys, session tokens, JWTs, bearer tokens, tokens of
//! well-known services, AWS secret access keys: any beside their access key id, and alone those that
//! have a `/` or `+`, which an id has not).
//!
//! The promise: identifiers stay. Access key ids, ARNs, UUIDs, hashes, pagination and idempotency tokens
//! are no secrets, and masking them would hide what happened. Out of scope: secrets without a
//! telling name or shape.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use raw_json::{Cursor, Entered, Object, Str, Value};
use regex::Regex;

use crate::marks::{Marks, Search};

/// What stands in place of a secret.
const MASK: &str = "***";

/// The text with the secrets in it replaced by `***`.
pub fn mask_text(text: &str) -> Cow<'_, str> {
    let mut secrets = Vec::new();
    // Most texts are names, addresses and ids: what a search needs to find anything is looked for first.
    let marks = Marks::of(text);
    if !marks.is_empty() {
        by_mark(text, marks, &mut secrets);
    }
    standing_alone(text, &mut secrets);
    if secrets.is_empty() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(replace(text, secrets, MASK))
    }
}

/// The searches that need something particular to be in the text.
fn by_mark(text: &str, marks: Marks, secrets: &mut Vec<Range<usize>>) {
    if marks.has(Search::Shape) {
        by_shape(text, secrets);
    }
    if marks.has(Search::Announcement) {
        by_announcement(text, secrets);
    }
    if marks.has(Search::Url) && text.contains('@') {
        in_urls(text, secrets);
    }
    if marks.has(Search::AccessKeyId) {
        beside_access_key_ids(text, secrets);
    }
    if marks.has(Search::Name) {
        let is_separated = text.contains(['=', ':']);
        if is_separated && TELLING_NAME.is_match(text) {
            by_name(text, secrets);
        }
        let has_words = text.contains(char::is_whitespace);
        if has_words && TELLING_FLAG.is_match(text) {
            by_flag(text, secrets);
        }
    }
}

/// The value as compact JSON with the secrets in it replaced by `***`. Any depth, without recursion.
pub fn mask_json(value: Value<'_>) -> String {
    // A value of any kind is walked as the only member of an object.
    let wrapped = format!("{{\"\":{}}}", raw_json::compact(value));
    let Some(object) = Object::from_extent(wrapped.as_bytes()) else {
        return "null".into();
    };
    let mut cursor = object.cursor();
    cursor.next_member();
    Masker::default().masked(cursor)
}

/// Does a member, variable or option of this name hold a secret?
///
/// `masterUserPassword`, `DB_PASSWORD`, `x-amz-security-token` and `privateKey` do; `secretId`,
/// `nextToken`, `clientRequestToken`, `passwordResetRequired` and `accessKeyId` do not.
pub fn is_secret_name(name: &str) -> bool {
    Secrecy::of(name) != Secrecy::Open
}

/// What a name says about what stands under it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Secrecy {
    /// Nothing secret.
    Open,
    /// A secret, numbers and all that lies inside included.
    Secret,
    /// A token: numbers under such a name are counts.
    Token,
    /// Several of them: texts directly below are secrets, objects speak for themselves.
    Several,
}

/// Names end in these, without punctuation and in lower case.
const SECRET_ENDINGS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "apikey",
    "authkey",
    "accountkey",
    "customerkey",
    "encryptionkey",
    "presharedkey",
    "sharedkey",
    "signingkey",
    "keymaterial",
    "authorization",
    "cookie",
    "connectionstring",
    "plaintext",
    "userdata",
    "samlassertion",
    "xamzsignature",
    "mfacode",
    "stringseed",
    "qrcodepng",
    "jwt",
];

/// These end like a secret's name and are none.
const OPEN_ENDINGS: &[&str] = &[
    "changetoken",
    "clienttoken",
    "continuationtoken",
    "creationtoken",
    "httptoken",
    "idempotencytoken",
    "locktoken",
    "markertoken",
    "nexttoken",
    "pagetoken",
    "paginationtoken",
    "requesttoken",
    "resumetoken",
    "startingtoken",
    "starttoken",
    "synctoken",
];

/// `secretString` is as secret as `secret`.
const CONTENT_ENDINGS: &[&str] = &[
    "value", "string", "binary", "data", "hash", "text", "base64", "content",
];

impl Secrecy {
    fn of(name: &str) -> Secrecy {
        let plain: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|character| character.to_ascii_lowercase())
            .collect();
        let last_word = name.rsplit(|c: char| !c.is_ascii_alphanumeric()).next();
        let is_short_word = last_word.is_some_and(|word| {
            let word = word.to_ascii_lowercase();
            matches!(word.as_str(), "pass" | "pwd" | "psk")
        });
        if is_short_word {
            return Secrecy::Secret;
        }
        let content = CONTENT_ENDINGS
            .iter()
            .find_map(|ending| plain.strip_suffix(ending))
            .filter(|content| !content.is_empty());
        content
            .map(Self::of_plain)
            .filter(|secrecy| *secrecy != Secrecy::Open)
            .unwrap_or_else(|| Self::of_plain(&plain))
    }

    /// `name` is in lower case and without punctuation.
    fn of_plain(name: &str) -> Secrecy {
        let (name, is_plural) = match name.strip_suffix('s') {
            Some(singular) => (singular, true),
            None => (name, false),
        };
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        if ends(OPEN_ENDINGS) {
            Secrecy::Open
        } else if name.ends_with("credential") {
            Secrecy::Several
        } else if name.ends_with("token") {
            Secrecy::Token
        } else if !ends(SECRET_ENDINGS) {
            Secrecy::Open
        } else if is_plural {
            Secrecy::Several
        } else {
            Secrecy::Secret
        }
    }
}

/// Replaces the ranges, which may overlap and stand in any order.
fn replace(text: &str, mut ranges: Vec<Range<usize>>, with: &str) -> String {
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut replaced = String::with_capacity(text.len());
    let mut position = 0;
    for range in ranges {
        if range.start >= position {
            replaced.push_str(text.get(position..range.start).unwrap_or_default());
            replaced.push_str(with);
        }
        position = position.max(range.end);
    }
    replaced.push_str(text.get(position..).unwrap_or_default());
    replaced
}

fn regex(pattern: &str) -> Regex {
    #[expect(
        clippy::expect_used,
        reason = "the patterns are literals, and tests use each"
    )]
    Regex::new(pattern).expect("a literal pattern compiles")
}

/// Whole secrets that are known by their shape. Each has one of the marks of [`Search::Shape`].
static SHAPES: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?x)
        -----BEGIN\ [A-Z\ ]{0,40}PRIVATE\ KEY(?:\ BLOCK)?-----
            (?s:.*?) (?: -----END\ [A-Z\ ]{0,40}PRIVATE\ KEY(?:\ BLOCK)?----- | \z )
        | (?-u:\b) eyJ[A-Za-z0-9_-]{8,} \. [A-Za-z0-9_-]{4,} (?: \.[A-Za-z0-9_-]* ){1,3}
        | (?: IQoJb3JpZ2lu | F[wQ]oGZXIvYXdz | AQoDYXdz | AQoEXAMPLE ) [A-Za-z0-9+/=_%-]{8,}
        | (?-u:\b) gh[pousr]_[A-Za-z0-9]{20,}
        | (?-u:\b) github_pat_[A-Za-z0-9_]{20,}
        | (?-u:\b) glpat-[A-Za-z0-9_-]{20,}
        | (?-u:\b) xox[a-z]-[A-Za-z0-9-]{10,}
        | (?-u:\b) xapp-[A-Za-z0-9-]{10,}
        | hooks\.slack\.com/services/[A-Za-z0-9/]+
        | (?-u:\b) [sr]k_(?:live|test)_[A-Za-z0-9]{16,}
        | (?-u:\b) sk-[A-Za-z0-9_-]{32,}
        | (?-u:\b) npm_[A-Za-z0-9]{36}
        | (?-u:\b) pypi-[A-Za-z0-9_-]{40,}
        | (?-u:\b) AIza[A-Za-z0-9_-]{35}
        | (?-u:\b) SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}
        ",
    )
});

/// Secrets behind something that says what follows; the first group is the secret.
static ANNOUNCED: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?-u:\b)(?i-u:bearer|basic)\s+([A-Za-z0-9._~+/=-]{8,})"));

/// The password in `scheme://user:password@host`.
static URL_PASSWORD: LazyLock<Regex> = LazyLock::new(|| regex(r"://[^\s/:@]{0,200}:([^\s/@]+)@"));

fn by_shape(text: &str, secrets: &mut Vec<Range<usize>>) {
    secrets.extend(SHAPES.find_iter(text).map(|found| found.range()));
}

fn by_announcement(text: &str, secrets: &mut Vec<Range<usize>>) {
    let announced = ANNOUNCED.captures_iter(text);
    secrets.extend(
        announced
            .filter_map(|found| found.get(1))
            // `Basic authentication` is no secret.
            .filter(|token| token.as_str().contains(|c: char| c.is_ascii_digit()))
            .map(|token| token.range()),
    );
}

fn in_urls(text: &str, secrets: &mut Vec<Range<usize>>) {
    let passwords = URL_PASSWORD.captures_iter(text);
    secrets.extend(passwords.filter_map(|found| Some(found.get(1)?.range())));
}

/// An access key id of AWS: an identifier, but a secret access key may stand beside it.
static ACCESS_KEY_ID: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{12,20}(?-u:\b)"));

/// How far from its id a secret access key is looked for.
const BESIDE_BYTES: usize = 200;

/// 40 characters of base64 in mixed case near an access key id: a secret access key.
fn beside_access_key_ids(text: &str, secrets: &mut Vec<Range<usize>>) {
    let ids: Vec<usize> = ACCESS_KEY_ID.find_iter(text).map(|id| id.start()).collect();
    if ids.is_empty() {
        return;
    }
    let is_beside_id = |start: usize| {
        let next = ids.partition_point(|id| id + BESIDE_BYTES < start);
        ids.get(next).is_some_and(|id| *id <= start + BESIDE_BYTES)
    };
    for run in runs_like_keys(text) {
        let key = text.get(run.clone()).unwrap_or_default();
        if has(key, u8::is_ascii_uppercase)
            && has(key, u8::is_ascii_lowercase)
            && is_beside_id(run.start)
        {
            secrets.push(run);
        }
    }
}

/// How long a secret access key is.
const SECRET_KEY_BYTES: usize = 40;

/// 40 characters of base64 that are neither an id (those have no `/` or `+`) nor part of something
/// longer nor of the path of an ARN or address: a secret access key.
fn standing_alone(text: &str, secrets: &mut Vec<Range<usize>>) {
    for run in runs_like_keys(text) {
        let key = text.get(run.clone()).unwrap_or_default();
        let is_key = has(key, |byte| matches!(byte, b'/' | b'+'))
            && has(key, u8::is_ascii_uppercase)
            && has(key, u8::is_ascii_lowercase)
            && has(key, u8::is_ascii_digit);
        if !is_key {
            continue;
        }
        let before = text.get(..run.start).unwrap_or_default();
        let after = text.get(run.end..).unwrap_or_default();
        // `-`, `_` and a final `=` are of base64 too.
        let goes_on = before.ends_with(['-', '_']) || after.starts_with(['-', '_', '=']);
        let word = before
            .rsplit(char::is_whitespace)
            .next()
            .unwrap_or_default();
        let is_path = !word.contains(['?', '='])
            && (word.contains("arn:") || word.contains("://") || key.starts_with("//"));
        if !goes_on && !is_path {
            secrets.push(run);
        }
    }
}

/// Where base64 goes on for exactly as long as a secret access key, in order.
///
/// A run so long covers one byte of every forty, so no other bytes need be looked at to find all of them.
fn runs_like_keys(text: &str) -> impl Iterator<Item = Range<usize>> {
    let probes = (SECRET_KEY_BYTES - 1..text.len()).step_by(SECRET_KEY_BYTES);
    probes.filter_map(|probe| {
        let (before, from) = text.as_bytes().split_at(probe);
        let is_base64 = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
        // One more than a key has is too many, however many follow.
        let most = SECRET_KEY_BYTES + 1;
        let behind = from.iter().take(most).take_while(is_base64).count();
        if behind == 0 {
            return None;
        }
        let ahead = before.iter().rev().take(most).take_while(is_base64);
        let start = probe - ahead.count();
        let run = start..probe + behind;
        (run.len() == SECRET_KEY_BYTES).then_some(run)
    })
}

fn has(text: &str, of_kind: fn(&u8) -> bool) -> bool {
    text.bytes().any(|byte| of_kind(&byte))
}

/// Every name that [`Secrecy::of`] takes for a secret's has one of these in it, and they have the marks of [`Search::Name`].
const TELLING: &str = "(?:pass|pwd|psk|secret|key|authorization|cookie|string|plain|data|assertion|signature|code|jwt|token|credential)";

/// A telling name in front of a separator: whether there is one is found quickly, where it begins and
/// ends is not.
static TELLING_NAME: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r#"(?i-u){TELLING}[A-Z0-9_.-]*\\*["']?[ \t]*[=:]"#)));

/// A telling name behind a hyphen.
static TELLING_FLAG: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"(?i-u)-[A-Z0-9_-]*{TELLING}")));

/// A name and what separates it from its value: `name=`, `name: `, `"name": `, `\"name\":\"`.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"([A-Za-z][A-Za-z0-9_.-]{0,80})(?:\\*["'])?[ \t]{0,8}(=>?|:)[ \t]{0,8}"#)
});

/// `name=value` and `"name": "value"` with a telling name.
fn by_name(text: &str, secrets: &mut Vec<Range<usize>>) {
    let mut position = 0;
    while let Some(found) = NAME.captures_at(text, position) {
        let (Some(whole), Some(name), Some(separator)) = (found.get(0), found.get(1), found.get(2))
        else {
            return;
        };
        position = whole.end();
        let before = text
            .get(..name.start())
            .and_then(|text| text.chars().next_back());
        // `arn:aws:secretsmanager:...:secret:name` names no value.
        let inside_arn = separator.as_str() == ":" && matches!(before, Some(':' | '/'));
        let secrecy = Secrecy::of(name.as_str());
        if secrecy == Secrecy::Open || inside_arn {
            continue;
        }
        let value = value_at(text, position, takes_the_line(name.as_str()));
        position = position.max(value.end);
        let written = text.get(value.clone()).unwrap_or_default();
        let is_count = secrecy == Secrecy::Token && written.bytes().all(|b| b.is_ascii_digit());
        if !is_count && !is_open_value(written) {
            secrets.push(value);
        }
    }
}

/// Headers whose value has spaces in it.
fn takes_the_line(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("authorization") || name.ends_with("cookie")
}

/// Where the value that starts at `start` lies: between its quotes, else up to what ends a word.
fn value_at(text: &str, start: usize, whole_line: bool) -> Range<usize> {
    let rest = text.get(start..).unwrap_or_default();
    let backslashes = rest.bytes().take_while(|byte| *byte == b'\\').count();
    let quote_end = backslashes + 1;
    if let Some(quote) = rest.get(..quote_end).filter(|q| q.ends_with(['"', '\''])) {
        let content = rest.get(quote_end..).unwrap_or_default();
        let end = closing_quote(content, quote, backslashes == 0);
        return start + quote_end..start + quote_end + end;
    }
    let ends = |c: char| match whole_line {
        true => matches!(c, '\n' | '\r' | '"' | '\''),
        false => c.is_whitespace() || matches!(c, ',' | ';' | '&' | '"' | '\'' | ')' | '}' | ']'),
    };
    start..start + rest.find(ends).unwrap_or(rest.len())
}

/// Offset of the quote that ends `content`, or its length. Between plain quotes a backslash hides
/// the quote behind it.
fn closing_quote(content: &str, quote: &str, is_plain: bool) -> usize {
    if !is_plain {
        return content.find(quote).unwrap_or(content.len());
    }
    let mut escaped = false;
    for (offset, character) in content.char_indices() {
        if !escaped && quote.ends_with(character) {
            return offset;
        }
        escaped = character == '\\' && !escaped;
    }
    content.len()
}

/// What may be seen under any name: nothing, references, truth values.
fn is_open_value(value: &str) -> bool {
    matches!(value, "" | "true" | "false" | "null" | "None" | MASK) || value.starts_with("arn:")
}

/// An option of a command with its value behind a space.
static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    regex(r#"(?:^|[\s"'])--?([A-Za-z][A-Za-z0-9_-]{0,80})\s{1,8}([^\s"'-][^\s"']*)"#)
});

/// `--password value`.
fn by_flag(text: &str, secrets: &mut Vec<Range<usize>>) {
    let mut position = 0;
    while let Some(found) = FLAG.captures_at(text, position) {
        let (Some(name), Some(value)) = (found.get(1), found.get(2)) else {
            return;
        };
        position = name.end();
        if is_secret_name(name.as_str()) && !is_open_value(value.as_str()) {
            secrets.push(value.range());
        }
    }
}

/// Writes a value without its secrets.
#[derive(Default)]
struct Masker {
    text: String,
    /// Values in `text` that turned out to be secret after they were written.
    secrets: Vec<Range<usize>>,
    open: Vec<Open>,
}

/// A container whose end has not been written yet.
struct Open {
    is_object: bool,
    is_first: bool,
    /// Texts and numbers directly inside are secret.
    hides_scalars: bool,
    /// Everything inside is secret.
    hides_all: bool,
    /// A member such as `name` holds the name of a secret.
    names_secret: bool,
    /// The members such as `value`, in the text written.
    values: Vec<Range<usize>>,
    in_value: bool,
}

impl Masker {
    fn masked(mut self, mut cursor: Cursor<'_>) -> String {
        self.begin(&mut cursor, Secrecy::Open, false);
        while let Some(innermost) = self.open.last_mut() {
            let hides = innermost.hides_all;
            if innermost.is_object {
                self.member(&mut cursor, hides);
            } else if cursor.next_element() {
                if !std::mem::replace(&mut innermost.is_first, false) {
                    self.text.push(',');
                }
                let hides_scalars = innermost.hides_scalars;
                let secrecy = if hides_scalars {
                    Secrecy::Several
                } else {
                    Secrecy::Open
                };
                self.begin(&mut cursor, secrecy, hides);
            } else {
                self.text.push(']');
                self.open.pop();
            }
        }
        replace(&self.text, self.secrets, "\"***\"")
    }

    /// The next member of the innermost object, or its end.
    fn member(&mut self, cursor: &mut Cursor<'_>, hides: bool) {
        let end = self.text.len();
        let Some(innermost) = self.open.last_mut() else {
            return;
        };
        if std::mem::take(&mut innermost.in_value)
            && let Some(value) = innermost.values.last_mut()
        {
            value.end = end;
        }
        let Some(key) = cursor.next_member() else {
            if innermost.names_secret {
                self.secrets.append(&mut innermost.values);
            }
            self.text.push('}');
            self.open.pop();
            return;
        };
        if !std::mem::replace(&mut innermost.is_first, false) {
            self.text.push(',');
        }
        let name = key.decode();
        write_text(&mask_text(&name), &mut self.text);
        self.text.push(':');
        match pair_role(&name) {
            PairRole::None => {}
            PairRole::Value => {
                let start = self.text.len();
                innermost.values.push(start..start);
                innermost.in_value = true;
            }
            PairRole::Name => innermost.names_secret |= names_secret(cursor),
        }
        self.begin(cursor, Secrecy::of(&name), hides);
    }

    /// Writes a scalar, or the start of a container. `hides`: all of it is secret.
    fn begin(&mut self, cursor: &mut Cursor<'_>, secrecy: Secrecy, hides: bool) {
        let hides_inside = hides || matches!(secrecy, Secrecy::Secret | Secrecy::Token);
        let is_object = match cursor.enter() {
            Entered::Object => true,
            Entered::Array => false,
            Entered::Scalar(scalar) => return self.scalar(scalar, secrecy, hides),
        };
        self.text.push(if is_object { '{' } else { '[' });
        self.open.push(Open {
            is_object,
            is_first: true,
            hides_scalars: secrecy != Secrecy::Open,
            hides_all: hides_inside,
            names_secret: false,
            values: Vec::new(),
            in_value: false,
        });
    }

    fn scalar(&mut self, scalar: Value<'_>, secrecy: Secrecy, hides: bool) {
        match scalar {
            Value::String(text) => {
                let text = text.decode();
                let is_secret = hides || secrecy != Secrecy::Open;
                if is_secret && !is_open_value(&text) {
                    write_text(MASK, &mut self.text);
                } else {
                    write_text(&mask_text(&text), &mut self.text);
                }
            }
            Value::Number(_) if hides || secrecy == Secrecy::Secret => {
                write_text(MASK, &mut self.text);
            }
            Value::Number(digits) => self.text.push_str(digits),
            Value::Bool(true) => self.text.push_str("true"),
            Value::Bool(false) => self.text.push_str("false"),
            Value::Null | Value::Invalid(_) | Value::Array(_) | Value::Object(_) => {
                self.text.push_str("null");
            }
        }
    }
}

/// The part a member plays in a pair such as `{"name": "DB_PASSWORD", "value": "..."}`.
enum PairRole {
    None,
    Name,
    Value,
}

fn pair_role(name: &str) -> PairRole {
    match name.to_ascii_lowercase().as_str() {
        "name" | "key" | "parametername" | "parameterkey" => PairRole::Name,
        "value" | "parametervalue" => PairRole::Value,
        _ => PairRole::None,
    }
}

/// Is the text before the cursor the name of a secret?
fn names_secret(cursor: &Cursor<'_>) -> bool {
    let mut ahead = cursor.clone();
    match ahead.enter() {
        Entered::Scalar(Value::String(text)) => is_secret_name(&Str::decode(text)),
        _ => false,
    }
}

/// Writes a text as a JSON string.
fn write_text(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control < ' ' => {
                json.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => json.push(other),
        }
    }
    json.push('"');
}

/// Longest value of a group that is shown, in characters.
const GROUP_VALUE_CHARACTERS: usize = 256;

/// A value that an alarm groups by as it may leave: masked, by its name too, capped, on one line.
///
/// `selector` is where in an event it stands.
///
/// ```
/// assert_eq!(notification::group_value("$.requestParameters.password", "hunter2"), "***");
/// assert_eq!(notification::group_value("$.recipientAccountId", "111122223333"), "111122223333");
/// ```
pub fn group_value(selector: &str, value: &str) -> String {
    let last = selector
        .rsplit(['.', '\'', '"'])
        .find(|part| !part.is_empty() && *part != "]");
    match last.is_some_and(is_secret_name) {
        true => "***".to_owned(),
        false => cloudtrail::printable(&mask_text(value), GROUP_VALUE_CHARACTERS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_secret_is_telling() {
        for ending in SECRET_ENDINGS
            .iter()
            .chain(&["pass", "pwd", "psk", "token", "credential"])
        {
            assert!(TELLING_NAME.is_match(&format!("{ending}=x")), "{ending}");
            assert!(
                TELLING_NAME.is_match(&format!(r#"\"{ending}s\": x"#)),
                "{ending}"
            );
            assert!(
                TELLING_FLAG.is_match(&format!("--the-{ending} x")),
                "{ending}"
            );
        }
    }

    #[test]
    fn every_telling_name_has_a_mark() {
        let stems = TELLING.trim_start_matches("(?:").trim_end_matches(')');
        for stem in stems.split('|') {
            for stem in [stem.to_owned(), stem.to_uppercase()] {
                assert!(Marks::of(&stem).has(Search::Name), "{stem}");
            }
        }
    }
    use proptest::prelude::*;

    const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn masked(json: &str) -> String {
        mask_json(Value::Object(Object::parse(json.as_bytes()).unwrap()))
    }

    #[test]
    fn names_of_secrets_are_known_in_any_spelling() {
        for name in [
            "password",
            "Password",
            "PASSWORD",
            "masterUserPassword",
            "DB_PASSWORD",
            "db-pass",
            "oldPassword",
            "/prod/db/password",
            "secret",
            "clientSecret",
            "SecretString",
            "secretBinary",
            "secretAccessKey",
            "SecretAccessKey",
            "aws_secret_access_key",
            "sessionToken",
            "X-Amz-Security-Token",
            "accessToken",
            "tokenValue",
            "webIdentityToken",
            "privateKey",
            "private_key",
            "keyMaterial",
            "apiKey",
            "API_KEY",
            "Authorization",
            "credentials",
            "preSharedKey",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn names_of_identifiers_and_settings_are_not_secret() {
        for name in [
            "",
            "secretId",
            "secretArn",
            "SecretVersionId",
            "accessKeyId",
            "keyId",
            "kmsKeyId",
            "publicKey",
            "sSHPublicKey",
            "keyName",
            "passwordResetRequired",
            "maxPasswordAge",
            "PasswordUpdated",
            "nextToken",
            "NextToken",
            "clientToken",
            "clientRequestToken",
            "idempotencyToken",
            "httpTokens",
            "tokenType",
            "bypassPolicyLockoutSafetyCheck",
            "sessionCredentialFromConsole",
            "privateIpAddress",
            "value",
            "hash",
            "userName",
            "eventName",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn secret_members_are_masked_at_any_depth() {
        assert_eq!(
            masked(
                r#"{"a":[{"B":{"password":"x","n":1.50}}], "pin":2, "password":5, "token":["t","u"],
                    "credentials":{"accessKeyId":"ASIAEXAMPLE","sessionToken":"s","expiration":"Jul 10"}}"#
            ),
            r#"{"a":[{"B":{"password":"***","n":1.50}}],"pin":2,"password":"***","token":["***","***"],"credentials":{"accessKeyId":"ASIAEXAMPLE","sessionToken":"***","expiration":"Jul 10"}}"#
        );
    }

    #[test]
    fn all_that_lies_under_a_secret_name_is_secret() {
        assert_eq!(
            masked(r#"{"password":{"x":{"y":["a",1,true,null]}},"secrets":["a",{"name":"n"}]}"#),
            r#"{"password":{"x":{"y":["***","***",true,null]}},"secrets":["***",{"name":"n"}]}"#
        );
    }

    #[test]
    fn references_to_secrets_stay() {
        for json in [
            r#"{"secret":"arn:aws:secretsmanager:us-east-1:111122223333:secret:db-AbCdEf"}"#,
            r#"{"masterUserSecret":{"secretArn":"arn:aws:secretsmanager:us-east-1:111122223333:secret:db"}}"#,
            r#"{"secrets":[{"name":"DB","valueFrom":"arn:aws:ssm:us-east-1:111122223333:parameter/db"}]}"#,
            r#"{"maxTokens":200,"password":"","passwordResetRequired":"x","hasPassword":true,"secret":null}"#,
        ] {
            assert_eq!(masked(json), json);
        }
    }

    #[test]
    fn the_value_beside_a_secret_name_is_masked_in_any_order() {
        assert_eq!(
            masked(
                r#"{"environment":[{"name":"DB_PASSWORD","value":"x"},{"value":"y","name":"api_key"},{"name":"HOME","value":"/"},
                    {"parameterValue":{"a":["z"]},"ParameterKey":"MasterSecret","b":1}]}"#
            ),
            r#"{"environment":[{"name":"DB_PASSWORD","value":"***"},{"value":"***","name":"api_key"},{"name":"HOME","value":"/"},{"parameterValue":"***","ParameterKey":"MasterSecret","b":1}]}"#
        );
    }

    #[test]
    fn json_stays_json() {
        let json = r#"{"a\"\n":"quo\"te \\ \u0001 é","password":"a\"b"}"#;
        let masked = masked(json);
        let tree: serde_json::Value = serde_json::from_str(&masked).unwrap();
        assert_eq!(tree["a\"\n"], "quo\"te \\ \u{1} é");
        assert_eq!(tree["password"], "***");
    }

    #[test]
    fn scalars_and_arrays_are_masked_too() {
        let object = Object::parse(br#"{"a":["bearer abc12345678"],"b":"token=x","c":7}"#).unwrap();
        let of = |name| mask_json(object.get(name).unwrap());
        assert_eq!(of("a"), r#"["bearer ***"]"#);
        assert_eq!(of("b"), r#""token=***""#);
        assert_eq!(of("c"), "7");
        assert_eq!(mask_json(Value::Null), "null");
    }

    #[test]
    fn deep_nesting_is_masked_without_recursion() {
        let depth = 100_000;
        let json = format!(
            "{}{{\"password\":\"x\"}}{}",
            "{\"a\":[".repeat(depth),
            "]}".repeat(depth)
        );
        let text = masked(&json);
        assert!(text.contains(r#"{"password":"***"}"#));
        assert_eq!(text.len(), json.len() + 2);
    }

    #[test]
    fn secrets_are_known_by_their_shape() {
        for secret in [
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEow==\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\\nMIIEow and cut off",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
            "IQoJb3JpZ2luX2VjEKH//////////wEaCXVzLWVhc3QtMSJHMEUCIEn2jTjX",
            "FwoGZXIvYXdzEBYaDHqa0AP1/example",
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "github_pat_11ABCDEFG0123456789_abcdefghij",
            "glpat-0123456789abcdefghij",
            "xoxb-123456789012-abcdefghijkl",
            "hooks.slack.com/services/T000/B000/XXXX",
            "sk_live_0123456789abcdefghij",
            "AIzaSyA0123456789abcdefghijklmnopqrstuv",
            "npm_0123456789abcdefghijABCDEFGHIJ012345",
            "SG.0123456789abcdefghij.0123456789abcdefghij",
        ] {
            assert_eq!(mask_text(&format!("see ({secret}")), "see (***", "{secret}");
        }
        assert_eq!(
            mask_text("AUTH BEARER abc.def-123456 end"),
            "AUTH BEARER *** end"
        );
        assert_eq!(mask_text("Basic YWxpY2U6aHVudGVyMg=="), "Basic ***");
        assert_eq!(
            mask_text("postgres://app:hunter2@db/x"),
            "postgres://app:***@db/x"
        );
    }

    #[test]
    fn a_secret_access_key_is_known_beside_its_id() {
        assert_eq!(
            mask_text(&format!("AKIAIOSFODNN7EXAMPLE,{SECRET_KEY}\n")),
            "AKIAIOSFODNN7EXAMPLE,***\n"
        );
        assert_eq!(
            mask_text(&format!("{SECRET_KEY} of ASIAIOSFODNN7EXAMPLE")),
            "*** of ASIAIOSFODNN7EXAMPLE"
        );
        let like_an_id = SECRET_KEY.replace('/', "0");
        let far = format!("AKIAIOSFODNN7EXAMPLE{}{like_an_id}", " ".repeat(500));
        assert_eq!(mask_text(&far), far);
    }

    #[test]
    fn a_secret_access_key_that_stands_alone_is_known_by_its_shape() {
        for around in [
            "@",
            "see (@)",
            "a:@, b",
            "key=@",
            "\"@\"",
            "u/x?k=@&y",
            "é@é",
        ] {
            let text = around.replace('@', SECRET_KEY);
            assert_eq!(mask_text(&text), around.replace('@', MASK), "{text}");
        }
        let with_plus = SECRET_KEY.replace('/', "+");
        assert_eq!(mask_text(&with_plus), MASK);
        for text in [
            SECRET_KEY.replace('/', "a"),
            SECRET_KEY.replace('7', "a"),
            SECRET_KEY.to_lowercase(),
            SECRET_KEY.to_uppercase(),
            format!("{SECRET_KEY}="),
            format!("{SECRET_KEY}A"),
            format!("x-{SECRET_KEY}"),
            format!("arn:aws:iam::111122223333:user/{}", &SECRET_KEY[5..]),
            format!("s3://{}", &SECRET_KEY[2..]),
            "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12".into(),
            "trail/AWSLogs/111122223333/CloudTrail/us-east-1/2026".into(),
        ] {
            assert_eq!(mask_text(&text), text);
        }
    }

    #[test]
    fn values_with_a_telling_name_are_masked_in_texts() {
        for (text, expected) in [
            ("password=hunter2&x=1", "password=***&x=1"),
            ("DB_PASSWORD: hunter2, next", "DB_PASSWORD: ***, next"),
            (
                r#"{"password": "hun\"ter2", "a": 1}"#,
                r#"{"password": "***", "a": 1}"#,
            ),
            (
                r#"{\"clientSecret\":\"hunter2\",\"a\":1}"#,
                r#"{\"clientSecret\":\"***\",\"a\":1}"#,
            ),
            ("'api_key' => 'x y z';", "'api_key' => '***';"),
            ("a: token=abc", "a: token=***"),
            (
                "Authorization: AWS4 x y\nHost: h",
                "Authorization: ***\nHost: h",
            ),
            (
                "X-Amz-Signature=abc123&X-Amz-Date=1",
                "X-Amz-Signature=***&X-Amz-Date=1",
            ),
            ("psql --password hunter2 -h db", "psql --password *** -h db"),
            (
                "export AWS_SECRET_ACCESS_KEY=x",
                "export AWS_SECRET_ACCESS_KEY=***",
            ),
            ("password=\"never closed", "password=\"***"),
        ] {
            assert_eq!(mask_text(text), expected, "{text}");
        }
    }

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "",
            "alice",
            "AKIAIOSFODNN7EXAMPLE",
            "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf",
            "User: arn:aws:sts::111122223333:assumed-role/R/s is not authorized to perform: sts:GetSessionToken",
            "secretsmanager:GetSecretValue on resource: *",
            "The security token included in the request is invalid.",
            "Basic authentication failed",
            "Bearer of bad news",
            "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "aab985f2-3a56-48cc-a8a5-e0af77606f5f",
            "nextToken=AAEAAWTrG1XzfC&maxTokens=20",
            "clientToken: 5dd59182-3917-421c-9b2c-7c92954b66ee",
            "s3://bucket/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/02/x.json.gz",
            "aws-cli/2.13.5 Python/3.11.4 Linux/4.14 exe/x86_64 prompt/off command/ec2.describe-instances",
            "https://sts.amazonaws.com:443/a@b",
            "-----BEGIN PUBLIC KEY----- MIIB",
            "password",
            "--password",
            "password=",
        ] {
            assert!(matches!(mask_text(text), Cow::Borrowed(_)), "{text}");
        }
    }

    fn planted() -> impl Strategy<Value = String> {
        "[A-Z][a-z0-9]{12,20}Zq"
    }

    /// What all the searches find, whether or not there is a mark for them.
    fn masked_by_all_searches(text: &str) -> String {
        let mut secrets = Vec::new();
        by_shape(text, &mut secrets);
        by_announcement(text, &mut secrets);
        in_urls(text, &mut secrets);
        beside_access_key_ids(text, &mut secrets);
        standing_alone(text, &mut secrets);
        by_name(text, &mut secrets);
        by_flag(text, &mut secrets);
        replace(text, secrets, MASK)
    }

    /// Pieces of what the searches look for, whole and cut, between others.
    fn pieced() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            3 => "-----BEGIN (RSA )?PRIVATE KEY-----|-----END PRIVATE KEY-----",
            3 => "eyJ[a-zA-Z0-9_-]{6,9}[.][A-Za-z0-9_-]{3,5}[.][a-z]{0,3}",
            3 => "(IQoJb3JpZ2lu|F[wQ]oGZXIvYXdz|AQoDYXdz|AQoEXAMPLE)[A-Za-z0-9+/=_%-]{7,9}",
            3 => "(gh[pousr]_|github_pat_|glpat-|npm_)[A-Za-z0-9]{19,36}",
            3 => "(xox[a-z]-|xapp-)[A-Za-z0-9-]{9,11}|hooks[.]slack[.]com/services/[A-Z0-9/]{0,3}",
            3 => "([sr]k_(live|test)_[A-Za-z0-9]{15,17})|sk-[A-Za-z0-9_-]{31,33}|pypi-[A-Za-z0-9_-]{39,41}",
            3 => "AIza[A-Za-z0-9_-]{34,36}|SG[.][A-Za-z0-9_-]{15,17}[.][A-Za-z0-9_-]{15,17}",
            3 => "([Bb]earer|BASIC)[ \u{85}\u{a0}\n][A-Za-z0-9._~+/=-]{7,9}",
            3 => "://[a-z/@]{0,3}:[a-z]{0,3}@?",
            3 => "(AKIA|ASIA)[A-Z0-9]{11,21}",
            3 => "[A-Za-z0-9/+]{39,41}",
            6 => prop::sample::select(SECRET_ENDINGS).prop_map(String::from),
            2 => prop::sample::select(OPEN_ENDINGS).prop_map(String::from),
            3 => "(?i)(pass|pwd|psk|token|credential)s?|secret(value|string|data)",
            6 => "[-]{1,2}|[ =:]|=>|: |\"|\\\\?['\"]|[.,;_/&]",
            4 => ".{0,5}|[A-Za-z0-9+/]{1,30}",
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn a_search_that_is_left_out_would_have_found_nothing(text in pieced()) {
            prop_assert_eq!(mask_text(&text), masked_by_all_searches(&text));
        }

        #[test]
        fn runs_like_keys_are_the_runs_that_long(text in "([A-Za-z0-9/+]{40}|[A-Za-z0-9/+]{0,90}|[-.é ]){0,8}") {
            let runs = regex(r"[A-Za-z0-9/+]+");
            let so_long = runs.find_iter(&text).map(|run| run.range()).filter(|run| run.len() == SECRET_KEY_BYTES);
            prop_assert_eq!(runs_like_keys(&text).collect::<Vec<_>>(), so_long.collect::<Vec<_>>());
        }
    }

    proptest! {
        #[test]
        fn a_planted_secret_does_not_get_through(secret in planted(), name in "(db_|master)?(password|Secret|secretAccessKey|sessionToken|privateKey|api_key)", depth in 0_usize..6, quote in "[ '\"]?") {
            let mut tree = serde_json::json!({ name.clone(): secret.clone(), "other": [1, { "value": secret.clone(), "key": name.clone() }] });
            for _ in 0..depth {
                tree = serde_json::json!({ "a": [tree, null], "b\"": "c" });
            }
            let text = masked(&tree.to_string());
            prop_assert!(!text.contains(&secret), "{text}");
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
            let line = format!("x=1 {name}={quote}{secret}{quote} y");
            let line = mask_text(&line);
            prop_assert!(!line.contains(&secret) || quote == " ", "{line}");
        }

        #[test]
        fn json_without_secrets_stays_as_it_is(texts in prop::collection::vec("[a-z ]{0,12}|[A-Z0-9]{20}|[0-9a-f-]{36}", 0..8), number in any::<i64>()) {
            let tree = serde_json::json!({ "texts": texts, "inner": { "number": number, "none": null } });
            prop_assert_eq!(masked(&tree.to_string()), tree.to_string());
        }

        #[test]
        fn any_text_can_be_masked(text in any::<String>(), tail in "(password|token)[=:]? ?[\"'\\\\]{0,3}.{0,10}") {
            let text = text + &tail;
            let once = mask_text(&text).into_owned();
            prop_assert_eq!(mask_text(&once).into_owned(), once.clone());
        }

        #[test]
        fn any_bytes_can_be_masked(bytes in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b'"'), Just(b':'), Just(b','), any::<u8>()], 0..100)) {
            let mut text = br#"{"name":"password","value":"#.to_vec();
            text.extend(bytes);
            let object = Object::from_extent(&text).unwrap();
            let masked = mask_json(Value::Object(object));
            prop_assert!(serde_json::from_str::<serde_json::Value>(&masked).is_ok(), "{}", masked);
        }
    }
}

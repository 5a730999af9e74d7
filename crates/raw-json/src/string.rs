//! A string as it lies in the text, between its quotes.

use std::borrow::Cow;

/// The bytes of a JSON string between its quotes, escapes as written.
#[derive(Debug, Clone, Copy)]
pub struct Str<'a>(&'a [u8]);

impl<'a> Str<'a> {
    /// Takes bytes for the content of a string, without its quotes.
    pub fn new(content: &'a [u8]) -> Self {
        Str(content)
    }

    /// The bytes as written.
    pub fn raw(self) -> &'a [u8] {
        self.0
    }

    /// The text the string stands for. Invalid UTF-8, lone surrogates and unknown escapes of
    /// characters read as U+FFFD; a backslash before any other character is dropped.
    pub fn decode(self) -> Cow<'a, str> {
        if memchr::memchr(b'\\', self.0).is_some() {
            return Cow::Owned(unescape(self.0));
        }
        match std::str::from_utf8(self.0) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(self.0),
        }
    }

    /// Is this the string `text`?
    pub fn equals(self, text: &str) -> bool {
        if self.0 == text.as_bytes() {
            // Equal bytes stand for the same text unless one of them starts an escape.
            return memchr::memchr(b'\\', self.0).is_none();
        }
        // Other bytes can stand for the same text only through an escape or a replacement.
        let plain = memchr::memchr(b'\\', self.0).is_none();
        if plain && (self.0.is_ascii() || std::str::from_utf8(self.0).is_ok()) {
            return false;
        }
        self.decode() == text
    }
}

fn unescape(mut rest: &[u8]) -> String {
    let mut text = String::with_capacity(rest.len());
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(backslash);
        text.push_str(&String::from_utf8_lossy(plain));
        let (character, length) = escaped_character(escape);
        text.push_str(character.encode_utf8(&mut [0; 4]));
        rest = escape.get(length..).unwrap_or_default();
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

/// The character an escape stands for and the bytes it takes. `escape` starts with a backslash.
fn escaped_character(escape: &[u8]) -> (char, usize) {
    match escape.get(1) {
        Some(b'n') => ('\n', 2),
        Some(b't') => ('\t', 2),
        Some(b'r') => ('\r', 2),
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'u') => unicode_escape(escape),
        Some(byte) if byte.is_ascii() => (char::from(*byte), 2),
        _ => (char::REPLACEMENT_CHARACTER, 1),
    }
}

fn unicode_escape(escape: &[u8]) -> (char, usize) {
    let Some(high) = hex4(escape.get(2..6)) else {
        return (char::REPLACEMENT_CHARACTER, 2);
    };
    if let Some(character) = char::from_u32(high) {
        return (character, 6);
    }
    let low = match escape.get(6..8) {
        Some(b"\\u") if high < 0xDC00 => hex4(escape.get(8..12)),
        _ => None,
    };
    match low {
        Some(low @ 0xDC00..=0xDFFF) => {
            let scalar = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
            (
                char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER),
                12,
            )
        }
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

fn hex4(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |value, digit| {
        Some(value * 16 + char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &[u8]) -> String {
        Str::new(raw).decode().into_owned()
    }

    #[test]
    fn escapes_decode() {
        assert_eq!(
            decoded(br#"a\"\\\/\b\f\n\r\t\u0041\ud83d\udc7b"#),
            "a\"\\/\u{8}\u{c}\n\r\tA\u{1f47b}"
        );
    }

    #[test]
    fn what_is_no_character_reads_as_the_replacement_character() {
        assert_eq!(decoded(br"Stop\ud800Logging"), "Stop\u{fffd}Logging");
        assert_eq!(decoded(br"\udc00\ud800\u0041"), "\u{fffd}\u{fffd}A");
        assert_eq!(
            decoded(b"Stop\xff\xfeLogging"),
            "Stop\u{fffd}\u{fffd}Logging"
        );
        assert_eq!(decoded(br"\u12"), "\u{fffd}12");
    }

    #[test]
    fn equality_is_of_the_decoded_text() {
        assert!(Str::new(b"eventName").equals("eventName"));
        assert!(Str::new(br"event\u004eame").equals("eventName"));
        assert!(!Str::new(br"a\u0041").equals(r"a\u0041"));
        assert!(Str::new(b"x\xff").equals("x\u{fffd}"));
        assert!(!Str::new("é".as_bytes()).equals("e"));
    }
}

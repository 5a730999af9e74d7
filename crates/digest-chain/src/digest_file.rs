//! What a digest file says.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::time::parse_time;

/// A digest file, as its JSON says it. Texts are kept as they are written: they are signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestFile {
    /// `awsAccountId`.
    pub account_id: Option<String>,
    /// `digestStartTime`.
    pub start_time: String,
    /// `digestEndTime`.
    pub end_time: String,
    /// `digestS3Bucket`: where CloudTrail put it.
    pub bucket: String,
    /// `digestS3Object`: the key under which CloudTrail put it.
    pub key: String,
    /// `digestPublicKeyFingerprint`: which key verifies its signature.
    pub public_key_fingerprint: String,
    /// `digestSignatureAlgorithm`.
    pub signature_algorithm: Option<String>,
    /// The digest before it; every member is null in a starting digest.
    pub previous: Previous,
    /// `logFiles`.
    pub log_files: Vec<LogFile>,
}

/// What a digest says of the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Previous {
    /// `previousDigestS3Bucket`.
    pub bucket: Option<String>,
    /// `previousDigestS3Object`.
    pub key: Option<String>,
    /// `previousDigestHashValue`.
    pub hash_value: Option<String>,
    /// `previousDigestHashAlgorithm`.
    pub hash_algorithm: Option<String>,
    /// `previousDigestSignature`.
    pub signature: Option<String>,
}

/// A log file that a digest vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogFile {
    /// Where it lies.
    #[serde(rename = "s3Bucket")]
    pub bucket: String,
    /// The key under which it lies.
    #[serde(rename = "s3Object")]
    pub key: String,
    /// The hash of its content, inflated: 64 hex digits in lower case.
    pub hash_value: String,
    /// `SHA-256`.
    #[serde(default)]
    pub hash_algorithm: Option<String>,
}

/// Why bytes are no digest file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// It is no JSON.
    #[error("it is not JSON: {0}")]
    Json(String),
    /// It is JSON, but no object.
    #[error("it is JSON, but {0}, expected an object")]
    NotAnObject(&'static str),
    /// A member is missing that must be there.
    #[error("`{0}` is missing")]
    Missing(&'static str),
}

/// The most bytes of a text that are kept. Keys have 1,024 at most, signatures fewer; nothing longer can be right.
const MOST_TEXT_BYTES: usize = 4_096;

/// The members as they come.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw<L> {
    #[serde(default)]
    aws_account_id: Text,
    #[serde(default, deserialize_with = "present")]
    digest_start_time: Option<Text>,
    #[serde(default, deserialize_with = "present")]
    digest_end_time: Option<Text>,
    #[serde(default, deserialize_with = "present", rename = "digestS3Bucket")]
    bucket: Option<Text>,
    #[serde(default, deserialize_with = "present", rename = "digestS3Object")]
    key: Option<Text>,
    #[serde(default, deserialize_with = "present")]
    digest_public_key_fingerprint: Option<Text>,
    #[serde(default)]
    digest_signature_algorithm: Text,
    #[serde(default, rename = "previousDigestS3Bucket")]
    previous_bucket: Text,
    #[serde(default, rename = "previousDigestS3Object")]
    previous_key: Text,
    #[serde(default)]
    previous_digest_hash_value: Text,
    #[serde(default)]
    previous_digest_hash_algorithm: Text,
    #[serde(default, deserialize_with = "present")]
    previous_digest_signature: Option<Text>,
    log_files: Option<L>,
}

/// `Some` for every value that is there, null included.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    Text::deserialize(deserializer).map(Some)
}

/// A member that should be a text: nothing for null, and of every other value as much as shows what it is.
#[derive(Default)]
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_unit<E>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(cut(text, MOST_TEXT_BYTES).to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Text, E> {
        Ok(Text(Some(Value::from(value).to_string())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Text, A::Error> {
        while members.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(Some("[..]".to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Text, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(Some("{..}".to_owned())))
    }
}

/// The list of log files, looked at and not kept.
struct PassedOver;

impl<'de> Deserialize<'de> for PassedOver {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PassedOver)
    }
}

impl<'de> Visitor<'de> for PassedOver {
    type Value = PassedOver;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of log files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut logs: A) -> Result<PassedOver, A::Error> {
        while logs.next_element::<LogFile>()?.is_some() {}
        Ok(PassedOver)
    }
}

/// So many bytes of a text, or a few less.
fn cut(text: &str, most_bytes: usize) -> &str {
    let ends = (0..=most_bytes.min(text.len())).rev();
    let end = ends.into_iter().find(|&end| text.is_char_boundary(end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
impl DigestFile {
    /// Reads an inflated digest file.
    ///
    /// # Errors
    /// It is no JSON object or lacks one of the six members without which its signature cannot be verified.
    pub fn parse(inflated: &[u8]) -> Result<Self, FormatError> {
        let (file, log_files) = DigestFile::read(inflated)?;
        Ok(DigestFile {
            log_files: log_files.unwrap_or_default(),
            ..file
        })
    }

    /// The same in constant memory: its log files are looked at and left out.
    pub(crate) fn parse_without_logs(inflated: &[u8]) -> Result<Self, FormatError> {
        let (file, _) = DigestFile::read::<PassedOver>(inflated)?;
        Ok(file)
    }

    fn read<L: DeserializeOwned>(inflated: &[u8]) -> Result<(Self, Option<L>), FormatError> {
        // Serde would take an array for a struct.
        let begins_as_object = inflated.trim_ascii_start().first() == Some(&b'{');
        let raw: Raw<L> = match begins_as_object {
            true => serde_json::from_slice(inflated),
            false => Err(serde::de::Error::custom("expected an object")),
        }
        .map_err(|error| not_ours(inflated, &error))?;
        // In the order in which the AWS CLI looks for them.
        let fingerprint = required(
            raw.digest_public_key_fingerprint,
            "digestPublicKeyFingerprint",
        )?;
        let bucket = required(raw.bucket, "digestS3Bucket")?;
        let key = required(raw.key, "digestS3Object")?;
        let signature = raw
            .previous_digest_signature
            .ok_or(FormatError::Missing("previousDigestSignature"))?;
        let end_time = required(raw.digest_end_time, "digestEndTime")?;
        let start_time = required(raw.digest_start_time, "digestStartTime")?;
        let file = DigestFile {
            account_id: raw.aws_account_id.0,
            start_time,
            end_time,
            bucket,
            key,
            public_key_fingerprint: fingerprint,
            signature_algorithm: raw.digest_signature_algorithm.0,
            previous: Previous {
                bucket: raw.previous_bucket.0,
                key: raw.previous_key.0,
                hash_value: raw.previous_digest_hash_value.0,
                hash_algorithm: raw.previous_digest_hash_algorithm.0,
                signature: signature.0,
            },
            log_files: Vec::new(),
        };
        Ok((file, raw.log_files))
    }

    /// The start of its hour, in Unix seconds, if that can be read.
    pub fn start(&self) -> Option<i64> {
        parse_time(&self.start_time)
    }

    /// The end of its hour, in Unix seconds, if that can be read.
    pub fn end(&self) -> Option<i64> {
        parse_time(&self.end_time)
    }
}

impl Previous {
    /// Whether this is the first digest of a chain: nothing is named.
    pub fn is_none(&self) -> bool {
        let Previous {
            bucket,
            key,
            hash_value,
            hash_algorithm,
            signature,
        } = self;
        [bucket, key, hash_value, hash_algorithm, signature]
            .into_iter()
            .all(Option::is_none)
    }

    /// Whether everything is named.
    pub fn is_whole(&self) -> bool {
        let Previous {
            bucket,
            key,
            hash_value,
            hash_algorithm,
            signature,
        } = self;
        [bucket, key, hash_value, hash_algorithm, signature]
            .into_iter()
            .all(Option::is_some)
    }
}

fn required(member: Option<Text>, name: &'static str) -> Result<String, FormatError> {
    let Text(text) = member.ok_or(FormatError::Missing(name))?;
    Ok(text.unwrap_or_else(|| "None".to_owned()))
}

/// What JSON that is no digest is instead. The errors of Serde quote what they found.
fn not_ours(inflated: &[u8], error: &serde_json::Error) -> FormatError {
    const MOST_REASON_BYTES: usize = 200;
    let is_json = serde_json::from_slice::<IgnoredAny>(inflated).is_ok();
    match inflated.trim_ascii_start().first().filter(|_| is_json) {
        Some(b'[') => FormatError::NotAnObject("an array"),
        Some(b'"') => FormatError::NotAnObject("a string"),
        Some(b't' | b'f') => FormatError::NotAnObject("a truth value"),
        Some(b'n') => FormatError::NotAnObject("null"),
        Some(b'-' | b'0'..=b'9') => FormatError::NotAnObject("a number"),
        _ => FormatError::Json(cut(&error.to_string(), MOST_REASON_BYTES).to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"digestPublicKeyFingerprint":"f","digestS3Bucket":"b","digestS3Object":"k",
        "previousDigestSignature":null,"digestEndTime":"2026-03-01T01:29:02Z","digestStartTime":"2026-03-01T00:29:02Z"}"#;

    #[test]
    fn a_starting_digest_names_nothing() {
        let digest = DigestFile::parse(WHOLE.as_bytes()).unwrap();
        assert!(digest.previous.is_none());
        assert_eq!(
            digest.end().zip(digest.start()),
            Some((1_772_328_542, 1_772_324_942))
        );
    }

    #[test]
    fn each_member_that_must_be_there_is_missed() {
        for name in [
            "digestPublicKeyFingerprint",
            "digestS3Bucket",
            "digestS3Object",
            "previousDigestSignature",
            "digestEndTime",
            "digestStartTime",
        ] {
            let text = WHOLE.replace(name, "other");
            let error = DigestFile::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error, FormatError::Missing(name));
        }
    }

    #[test]
    fn what_is_no_object_is_said_to_be_none() {
        for (text, what) in [("[]", "an array"), (" null", "null"), ("5", "a number")] {
            let error = DigestFile::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error, FormatError::NotAnObject(what));
        }
        let deep = "[".repeat(1_000_000);
        for text in ["", "{", "{\"a\":\u{fffd}", deep.as_str()] {
            let error = DigestFile::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(error, FormatError::Json(_)), "{error}");
        }
    }

    #[test]
    fn members_of_other_types_are_never_equal_to_what_they_should_be() {
        for (other, kept) in [
            ("{\"x\":[1]}", "{..}"),
            ("[1]", "[..]"),
            ("5", "5"),
            ("true", "true"),
        ] {
            let text = WHOLE.replace("\"b\"", other);
            assert_eq!(DigestFile::parse(text.as_bytes()).unwrap().bucket, kept);
        }
    }

    #[test]
    fn nothing_long_is_kept() {
        let long = "\u{e9}".repeat(1 << 20);
        let text = WHOLE.replace("\"b\"", &format!("\"{long}\""));
        let file = DigestFile::parse(text.as_bytes()).unwrap();
        assert_eq!(file.bucket.len(), MOST_TEXT_BYTES);
        let text = WHOLE.replace('}', &format!(",\"logFiles\":\"{long}\"}}"));
        let error = DigestFile::parse(text.as_bytes()).unwrap_err();
        assert!(error.to_string().len() < 300, "{}", error.to_string().len());
    }

    #[test]
    fn log_files_that_are_left_out_are_looked_at() {
        let log = r#"{"s3Bucket":"b","s3Object":"k","hashValue":"h"}"#;
        for (logs, count) in [
            ("null".to_owned(), Some(0)),
            ("[]".to_owned(), Some(0)),
            (format!("[{log},{log}]"), Some(2)),
            (format!("[{log},{{}}]"), None),
            ("{}".to_owned(), None),
        ] {
            let text = WHOLE.replace('}', &format!(",\"logFiles\":{logs}}}"));
            let whole = DigestFile::parse(text.as_bytes());
            let without = DigestFile::parse_without_logs(text.as_bytes());
            assert_eq!(whole.as_ref().ok().map(|file| file.log_files.len()), count);
            assert_eq!(without.is_ok(), count.is_some());
            assert!(without.is_err() || without.unwrap().log_files.is_empty());
        }
    }
}

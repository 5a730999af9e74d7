//! What a digest file says.

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

/// The members as they come: absent, null or any value.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default)]
    aws_account_id: Value,
    #[serde(default, deserialize_with = "present")]
    digest_start_time: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    digest_end_time: Option<Value>,
    #[serde(default, deserialize_with = "present", rename = "digestS3Bucket")]
    bucket: Option<Value>,
    #[serde(default, deserialize_with = "present", rename = "digestS3Object")]
    key: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    digest_public_key_fingerprint: Option<Value>,
    #[serde(default)]
    digest_signature_algorithm: Value,
    #[serde(default, rename = "previousDigestS3Bucket")]
    previous_bucket: Value,
    #[serde(default, rename = "previousDigestS3Object")]
    previous_key: Value,
    #[serde(default)]
    previous_digest_hash_value: Value,
    #[serde(default)]
    previous_digest_hash_algorithm: Value,
    #[serde(default, deserialize_with = "present")]
    previous_digest_signature: Option<Value>,
    #[serde(default)]
    log_files: Option<Vec<LogFile>>,
}

/// `Some` for every value that is there, null included.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl DigestFile {
    /// Reads an inflated digest file.
    ///
    /// # Errors
    /// It is no JSON object or lacks one of the six members without which its signature cannot be verified.
    pub fn parse(inflated: &[u8]) -> Result<Self, FormatError> {
        // Serde would take an array for a struct.
        let begins_as_object = inflated.trim_ascii_start().first() == Some(&b'{');
        let raw: Raw = match begins_as_object {
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
        Ok(DigestFile {
            account_id: nullable(raw.aws_account_id),
            start_time,
            end_time,
            bucket,
            key,
            public_key_fingerprint: fingerprint,
            signature_algorithm: nullable(raw.digest_signature_algorithm),
            previous: Previous {
                bucket: nullable(raw.previous_bucket),
                key: nullable(raw.previous_key),
                hash_value: nullable(raw.previous_digest_hash_value),
                hash_algorithm: nullable(raw.previous_digest_hash_algorithm),
                signature: nullable(signature),
            },
            log_files: raw.log_files.unwrap_or_default(),
        })
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

fn required(value: Option<Value>, name: &'static str) -> Result<String, FormatError> {
    let value = value.ok_or(FormatError::Missing(name))?;
    Ok(nullable(value).unwrap_or_else(|| "None".to_owned()))
}

fn nullable(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

fn not_ours(inflated: &[u8], error: &serde_json::Error) -> FormatError {
    match serde_json::from_slice::<Value>(inflated) {
        Ok(Value::Array(_)) => FormatError::NotAnObject("an array"),
        Ok(Value::String(_)) => FormatError::NotAnObject("a string"),
        Ok(Value::Number(_)) => FormatError::NotAnObject("a number"),
        Ok(Value::Bool(_)) => FormatError::NotAnObject("a truth value"),
        Ok(Value::Null) => FormatError::NotAnObject("null"),
        Ok(Value::Object(_)) | Err(_) => FormatError::Json(error.to_string()),
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
    fn members_of_other_types_are_kept_as_text_and_are_never_equal_to_what_they_should_be() {
        let text = WHOLE.replace("\"b\"", "{\"x\":[1]}");
        assert_eq!(
            DigestFile::parse(text.as_bytes()).unwrap().bucket,
            "{\"x\":[1]}"
        );
    }
}

//! The public keys that digests are verified with.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::der;
use crate::time::{display_time, parse_time};

/// A public key of one Region, as `ListPublicKeys` gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Its name in digests, 32 hex digits.
    pub fingerprint: String,
    /// The key itself, as it was given.
    pub der: Vec<u8>,
    /// From when on it signs, in Unix seconds.
    pub validity_start: i64,
    /// Until when it signs, in Unix seconds.
    pub validity_end: i64,
}

/// The form in which a public key was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyForm {
    /// A PKCS#1 `RSAPublicKey`, as CloudTrail gives it.
    Pkcs1,
    /// An X.509 `SubjectPublicKeyInfo`, as one sample of the user guide has it.
    SubjectPublicKeyInfo,
    /// None of them.
    Unknown,
}

impl PublicKey {
    /// The form it was given in.
    pub fn form(&self) -> KeyForm {
        if der::is_rsa_public_key(&self.der) {
            KeyForm::Pkcs1
        } else if der::in_subject_public_key_info(&self.der).is_some() {
            KeyForm::SubjectPublicKeyInfo
        } else {
            KeyForm::Unknown
        }
    }

    /// As PKCS#1 `RSAPublicKey`; `None` if it is no RSA key.
    pub fn pkcs1(&self) -> Option<&[u8]> {
        match self.form() {
            KeyForm::Pkcs1 => Some(&self.der),
            KeyForm::SubjectPublicKeyInfo => der::in_subject_public_key_info(&self.der),
            KeyForm::Unknown => None,
        }
    }

    /// Whether it may have signed at this time: digests are delivered up to two hours after the end of the key.
    pub fn is_valid_at(&self, time: i64) -> bool {
        self.validity_start <= time && time <= self.validity_end.saturating_add(2 * 3600)
    }
}

/// Public keys of one Region, by fingerprint. They never change, so they may be kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublicKeys {
    keys: HashMap<String, PublicKey>,
}

/// Why a text is no list of public keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It is no JSON, or has no list.
    #[error(
        "expected JSON with `PublicKeyList`, as `aws cloudtrail list-public-keys` prints it: {0}"
    )]
    Form(String),
    /// A key of the list cannot be read.
    #[error("key {index} of the list: {reason}")]
    Key {
        /// Its position, from 1.
        index: usize,
        /// What is wrong, and what was expected.
        reason: String,
    },
}

impl PublicKeys {
    /// None.
    pub fn new() -> Self {
        PublicKeys::default()
    }

    /// Adds a key.
    pub fn insert(&mut self, key: PublicKey) {
        self.keys.insert(key.fingerprint.clone(), key);
    }

    /// The key with this fingerprint.
    pub fn get(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.keys.get(fingerprint)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// All of them, by the start of their validity, the latest first.
    pub fn sorted(&self) -> Vec<&PublicKey> {
        let mut keys: Vec<&PublicKey> = self.keys.values().collect();
        keys.sort_by(|a, b| {
            (b.validity_start, &a.fingerprint).cmp(&(a.validity_start, &b.fingerprint))
        });
        keys
    }

    /// Reads the answer of `ListPublicKeys` as it is, as the AWS CLI prints it, or as [`to_json`](Self::to_json) does:
    /// times are numbers, texts of numbers, or RFC 3339.
    ///
    /// # Errors
    /// It is something else; the error names the key at fault.
    pub fn from_json(text: &str) -> Result<Self, KeyFileError> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| KeyFileError::Form(error.to_string()))?;
        let list = value.get("PublicKeyList").unwrap_or(&value);
        let list = list
            .as_array()
            .ok_or_else(|| KeyFileError::Form("there is no list".to_owned()))?;
        let mut keys = PublicKeys::new();
        for (index, entry) in list.iter().enumerate() {
            let key = key_of(entry).map_err(|reason| KeyFileError::Key {
                index: index + 1,
                reason,
            })?;
            keys.insert(key);
        }
        Ok(keys)
    }

    /// The form that [`from_json`](Self::from_json) reads.
    pub fn to_json(&self) -> String {
        let entry = |key: &&PublicKey| {
            json!({
                "Value": BASE64.encode(&key.der),
                "ValidityStartTime": display_time(key.validity_start),
                "ValidityEndTime": display_time(key.validity_end),
                "Fingerprint": key.fingerprint,
            })
        };
        let list: Vec<Value> = self.sorted().iter().map(entry).collect();
        format!("{:#}\n", json!({ "PublicKeyList": list }))
    }
}

impl Extend<PublicKey> for PublicKeys {
    fn extend<I: IntoIterator<Item = PublicKey>>(&mut self, keys: I) {
        keys.into_iter().for_each(|key| self.insert(key));
    }
}

fn key_of(entry: &Value) -> Result<PublicKey, String> {
    let text = |name: &str| {
        let value = entry.get(name).and_then(Value::as_str);
        value.ok_or_else(|| format!("`{name}` is missing, expected a text"))
    };
    let time = |name: &str| {
        let value = entry
            .get(name)
            .ok_or_else(|| format!("`{name}` is missing"))?;
        time_of(value).ok_or_else(|| {
            format!(
                "`{name}` is {value}, expected Unix seconds or a time such as 2026-03-01T00:00:00Z"
            )
        })
    };
    let der = BASE64
        .decode(text("Value")?.trim())
        .map_err(|error| format!("`Value` is not base64: {error}"))?;
    Ok(PublicKey {
        fingerprint: text("Fingerprint")?.to_owned(),
        der,
        validity_start: time("ValidityStartTime")?,
        validity_end: time("ValidityEndTime")?,
    })
}

fn time_of(value: &Value) -> Option<i64> {
    let from_number = |seconds: f64| seconds.is_finite().then_some(seconds as i64);
    match value {
        Value::Number(number) => from_number(number.as_f64()?),
        Value::String(text) => match text.parse::<f64>() {
            Ok(seconds) => from_number(seconds),
            Err(_) => parse_time(text),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &str) -> String {
        format!(r#"{{"PublicKeyList":[{entries}]}}"#)
    }

    #[test]
    fn times_are_read_in_every_form_there_is() {
        for (start, end) in [
            ("1436317441.0", "1438909441"),
            (r#""1436317441.0""#, r#""1438909441.0""#),
            (
                r#""2015-07-08T01:04:01+00:00""#,
                r#""2015-08-07T01:04:01Z""#,
            ),
        ] {
            let text = list(&format!(
                r#"{{"Value":"MAA=","ValidityStartTime":{start},"ValidityEndTime":{end},"Fingerprint":"ab"}}"#
            ));
            let keys = PublicKeys::from_json(&text).unwrap();
            let key = keys.get("ab").unwrap();
            assert_eq!(
                (key.validity_start, key.validity_end),
                (1_436_317_441, 1_438_909_441)
            );
            assert_eq!(PublicKeys::from_json(&keys.to_json()).unwrap(), keys);
        }
    }

    #[test]
    fn what_is_no_list_of_keys_is_said_with_what_was_expected() {
        for (text, expected) in [
            ("".to_owned(), "expected JSON with `PublicKeyList`"),
            ("{}".to_owned(), "there is no list"),
            (list("{}"), "key 1 of the list: `Value` is missing"),
            (list(r#"{"Value":"-"}"#), "`Value` is not base64"),
            (
                list(r#"{"Value":"MAA=","Fingerprint":"ab","ValidityStartTime":"soon"}"#),
                "expected Unix seconds or a time such as",
            ),
        ] {
            let error = PublicKeys::from_json(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}

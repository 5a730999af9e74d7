//! Names of things in AWS, checked before anything is asked of AWS.

use std::fmt;
use std::str::FromStr;

/// Beginnings of bucket names that S3 keeps for itself.
const RESERVED_BEGINNINGS: [&str; 2] = ["xn--", "sthree-"];

/// Ends of names that are no general purpose bucket's, and what they are.
const OTHER_ENDS: [(&str, &str); 5] = [
    ("-s3alias", "an access point"),
    ("--ol-s3", "an Object Lambda access point"),
    (".mrap", "a multi-Region access point"),
    ("--x-s3", "a directory bucket"),
    ("--table-s3", "a table bucket"),
];

/// The name of a general purpose bucket.
///
/// Source: S3 User Guide, "General purpose bucket naming rules".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketName(String);

/// An account id: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountId(String);

/// The name of a Region, such as `eu-west-1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionName(String);

/// Why something is not such a name: a sentence that says what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(String);

impl FromStr for BucketName {
    type Err = InvalidName;

    /// Takes `NAME` and `s3://NAME`, with or without a final slash.
    fn from_str(text: &str) -> Result<BucketName, InvalidName> {
        let name = match text.strip_prefix("s3://") {
            Some(rest) => rest.strip_suffix('/').unwrap_or(rest),
            None => text,
        };
        match fault(name) {
            None => Ok(BucketName(name.to_owned())),
            Some(fault) => Err(InvalidName(fault)),
        }
    }
}

fn fault(name: &str) -> Option<String> {
    let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_inside = |c: char| is_edge(Some(c)) || matches!(c, '.' | '-');
    let labels: Vec<_> = name.split('.').collect();
    let is_number = |label: &&str| label.parse::<u8>().is_ok();
    if name.starts_with("arn:") {
        Some("an ARN, expected the name of a bucket: the last part of arn:aws:s3:::NAME".to_owned())
    } else if name.contains('/') {
        Some("a path, expected the name of a bucket alone, without a key".to_owned())
    } else if !(3..=63).contains(&name.chars().count()) {
        Some("expected 3 to 63 characters".to_owned())
    } else if let Some(other) = name.chars().find(|c| !is_inside(*c)) {
        let other = other.escape_default();
        Some(format!(
            "expected lower-case letters, digits, dots and hyphens, found `{other}`"
        ))
    } else if !is_edge(name.chars().next()) || !is_edge(name.chars().last()) {
        Some("expected a letter or a digit at both ends".to_owned())
    } else if name.contains("..") {
        Some("expected no two dots side by side".to_owned())
    } else if labels.len() == 4 && labels.iter().all(is_number) {
        Some("an IP address, expected the name of a bucket".to_owned())
    } else if let Some(begin) = RESERVED_BEGINNINGS
        .iter()
        .find(|begin| name.starts_with(**begin))
    {
        Some(format!("no bucket begins with `{begin}`"))
    } else {
        let (end, what) = OTHER_ENDS.iter().find(|(end, _)| name.ends_with(end))?;
        Some(format!(
            "the end `{end}` is that of {what}, expected a general purpose bucket"
        ))
    }
}

impl FromStr for AccountId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<AccountId, InvalidName> {
        match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Ok(AccountId(text.to_owned())),
            false => Err(InvalidName(
                "expected the 12 digits of an account id".to_owned(),
            )),
        }
    }
}

impl FromStr for RegionName {
    type Err = InvalidName;

    /// The name becomes part of the host that requests are sent to, so nothing else may stand in it.
    fn from_str(text: &str) -> Result<RegionName, InvalidName> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase();
        let is_inside = |byte: u8| is_letter(byte) || byte.is_ascii_digit() || byte == b'-';
        let is_region = text.bytes().next().is_some_and(is_letter)
            && text
                .bytes()
                .last()
                .is_some_and(|byte| byte.is_ascii_digit())
            && text.contains('-')
            && text.len() <= 32
            && text.bytes().all(is_inside);
        match is_region {
            true => Ok(RegionName(text.to_owned())),
            false => Err(InvalidName(
                "expected the name of a Region, such as eu-west-1".to_owned(),
            )),
        }
    }
}

impl BucketName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> String {
        id.0
    }
}

impl From<RegionName> for String {
    fn from(name: RegionName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_are_taken_with_and_without_a_scheme() {
        for text in [
            "amzn-s3-demo-bucket",
            "s3://amzn-s3-demo-bucket",
            "s3://amzn-s3-demo-bucket/",
        ] {
            let name = text.parse::<BucketName>().unwrap();
            assert_eq!(name.as_str(), "amzn-s3-demo-bucket");
        }
        for text in ["abc", "a.b-c", "192.168.5.4a", "1.2.3.400", &"a".repeat(63)] {
            assert_eq!(text.parse::<BucketName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_bucket_name_is_said_with_what_was_expected() {
        for (text, said) in [
            ("arn:aws:s3:::amzn-s3-demo-bucket", "an ARN"),
            ("amzn-s3-demo-bucket/AWSLogs", "a path"),
            ("s3://amzn-s3-demo-bucket/AWSLogs/", "a path"),
            ("", "3 to 63"),
            ("ab", "3 to 63"),
            (&"a".repeat(64), "3 to 63"),
            ("Amzn", "found `A`"),
            ("a_bc", "found `_`"),
            ("a\nbc", r"found `\n`"),
            ("-abc", "both ends"),
            ("abc.", "both ends"),
            ("a..b", "side by side"),
            ("192.168.5.4", "an IP address"),
            ("xn--abc", "`xn--`"),
            ("sthree-abc", "`sthree-`"),
            ("abc-s3alias", "an access point"),
            ("abc--euw1-az1--x-s3", "a directory bucket"),
        ] {
            let error = text.parse::<BucketName>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn account_ids_have_twelve_digits() {
        assert_eq!(
            String::from("000000000001".parse::<AccountId>().unwrap()),
            "000000000001"
        );
        for text in [
            "",
            "11112222333",
            "1111222233334",
            "11112222333x",
            "１１１１",
        ] {
            text.parse::<AccountId>().unwrap_err();
        }
    }

    #[test]
    fn a_region_is_a_label_of_a_host() {
        for text in ["eu-west-1", "us-gov-east-1", "cn-north-1"] {
            assert_eq!(String::from(text.parse::<RegionName>().unwrap()), text);
        }
        for text in [
            "",
            "eu",
            "eu-west-1.example.com",
            "eu-west-1/",
            "EU-WEST-1",
            "eu west 1",
            "eu-west-",
        ] {
            text.parse::<RegionName>().unwrap_err();
        }
    }
}

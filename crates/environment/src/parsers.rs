//! What a variable must look like: plain functions from text to value, for [`crate::Environment`].
//!
//! Each takes the whole text: space around a value is a fault, not something to be guessed away.
//!
//! Source: IAM User Guide, "Amazon Resource Names"; SQS Developer Guide, "Queue name and URL"; S3 User
//! Guide, "General purpose bucket naming rules".

use std::fmt::Display;
use std::num::ParseIntError;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is its message")]
pub enum ParseError {
    #[error("it does not begin with `{0}`")]
    Beginning(&'static str),
    #[error("it does not end with `{0}`")]
    Ending(&'static str),
    #[error("it ends with `{0}`")]
    WrongEnding(&'static str),
    #[error("it has no host")]
    NoHost,
    #[error("it has white space or control characters")]
    Space,
    #[error("it does not end with the name of a queue")]
    NoQueueName,
    #[error("it has {0} of the 6 parts of an ARN")]
    ArnParts(usize),
    #[error("the part `{0}` is empty")]
    EmptyPart(&'static str),
    #[error("it belongs to the service `{0}`")]
    OtherService(String),
    #[error("it is not a whole number")]
    NotInteger,
    #[error("it is not in the range {least} to {most}")]
    OutOfRange { least: String, most: String },
    #[error("`{0}` is not the name of a bucket")]
    Bucket(String),
    #[error("it has no key after the bucket")]
    NoKey,
    #[error("it is not one of: {0}")]
    OtherWord(String),
    #[error("a name has 1 to 512 of the characters A-Z a-z 0-9 . _ - / #")]
    Name,
}

/// The two kinds of SQS queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueKind {
    /// Any order, at least once.
    Standard,
    /// In order by group; the name ends with `.fifo`.
    Fifo,
}

/// An `https` URL, or an `http` one.
///
/// # Errors
/// Another scheme, no host, white space.
pub fn url(text: &str) -> Result<String, ParseError> {
    url_parts(text)?;
    Ok(text.to_owned())
}

/// The URL of an SQS queue of this kind.
pub fn queue_url(kind: QueueKind) -> impl Fn(&str) -> Result<String, ParseError> {
    move |text| {
        let (_, path) = url_parts(text)?;
        let queue = path.rsplit('/').next().unwrap_or(path);
        let name = match kind {
            QueueKind::Fifo => queue
                .strip_suffix(".fifo")
                .ok_or(ParseError::Ending(".fifo"))?,
            QueueKind::Standard if queue.ends_with(".fifo") => {
                return Err(ParseError::WrongEnding(".fifo"));
            }
            QueueKind::Standard => queue,
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || queue.len() > 80 || !name.chars().all(allowed) {
            return Err(ParseError::NoQueueName);
        }
        Ok(text.to_owned())
    }
}

/// An ARN of this service: `arn("sns")`.
pub fn arn(service: &str) -> impl Fn(&str) -> Result<String, ParseError> {
    move |text| {
        without_space(text)?;
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [scheme, partition, found, _region, _account, resource] = parts[..] else {
            return Err(ParseError::ArnParts(parts.len()));
        };
        if scheme != "arn" {
            return Err(ParseError::Beginning("arn:"));
        }
        for (part, name) in [(partition, "partition"), (resource, "resource")] {
            if part.is_empty() {
                return Err(ParseError::EmptyPart(name));
            }
        }
        if found != service {
            return Err(ParseError::OtherService(found.to_owned()));
        }
        Ok(text.to_owned())
    }
}

/// A whole number in a range: `integer_in(1..=900)`.
pub fn integer_in<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, ParseError>
where
    T: FromStr<Err = ParseIntError> + PartialOrd + Display,
{
    move |text| {
        let out_of_range = || ParseError::OutOfRange {
            least: range.start().to_string(),
            most: range.end().to_string(),
        };
        match text.parse::<T>() {
            Ok(number) if range.contains(&number) => Ok(number),
            Ok(_) => Err(out_of_range()),
            Err(_) if is_whole_number(text) => Err(out_of_range()),
            Err(_) => Err(ParseError::NotInteger),
        }
    }
}

/// Bucket and key of `s3://bucket/key`.
///
/// # Errors
/// Another scheme, something that cannot be a bucket, no key.
pub fn s3_location(text: &str) -> Result<(String, String), ParseError> {
    let rest = text
        .strip_prefix("s3://")
        .ok_or(ParseError::Beginning("s3://"))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-' | '.');
    if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(allowed) {
        return Err(ParseError::Bucket(bucket.to_owned()));
    }
    if key.is_empty() {
        return Err(ParseError::NoKey);
    }
    Ok((bucket.to_owned(), key.to_owned()))
}

/// One of these words, as the value that stands beside it.
pub fn one_of<T: Clone>(words: &[(&str, T)]) -> impl Fn(&str) -> Result<T, ParseError> {
    move |text| {
        words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| value.clone())
            .ok_or_else(|| {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                ParseError::OtherWord(words.join(", "))
            })
    }
}

/// The name of a table, a function, a log group, a bucket: 1 to 512 letters, digits and `._-/#`.
///
/// # Errors
/// Another length or another character.
pub fn name(text: &str) -> Result<String, ParseError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/#".contains(c);
    if text.is_empty() || text.len() > 512 || !text.chars().all(allowed) {
        return Err(ParseError::Name);
    }
    Ok(text.to_owned())
}

/// Host and path of a URL; the path has no `/` at its beginning.
fn url_parts(text: &str) -> Result<(&str, &str), ParseError> {
    without_space(text)?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or(ParseError::Beginning("https://"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || host.starts_with(':') {
        return Err(ParseError::NoHost);
    }
    Ok((host, path))
}

fn without_space(text: &str) -> Result<(), ParseError> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(ParseError::Space);
    }
    Ok(())
}

fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(result: Result<T, ParseError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host() {
        for right in [
            "https://example.com",
            "http://localhost:4566/a?b=c",
            "https://sqs.eu-west-1.amazonaws.com/",
        ] {
            assert_eq!(url(right), Ok(right.to_owned()));
        }
        assert_eq!(
            message(url("ftp://example.com")),
            "it does not begin with `https://`"
        );
        assert_eq!(message(url("https://")), "it has no host");
        assert_eq!(message(url("https:///path")), "it has no host");
        assert_eq!(message(url("http://:80")), "it has no host");
        assert_eq!(
            message(url(" https://example.com")),
            "it has white space or control characters"
        );
    }

    #[test]
    fn a_fifo_queue_is_told_from_a_standard_one_by_its_name() {
        let fifo = "https://sqs.eu-west-1.amazonaws.com/111122223333/matches.fifo";
        let standard = "http://127.0.0.1:9324/111122223333/log_files-1";
        assert_eq!(queue_url(QueueKind::Fifo)(fifo), Ok(fifo.to_owned()));
        assert_eq!(
            queue_url(QueueKind::Standard)(standard),
            Ok(standard.to_owned())
        );
        assert_eq!(
            message(queue_url(QueueKind::Fifo)(standard)),
            "it does not end with `.fifo`"
        );
        assert_eq!(
            message(queue_url(QueueKind::Standard)(fifo)),
            "it ends with `.fifo`"
        );
    }

    #[test]
    fn a_queue_url_ends_with_the_name_of_a_queue() {
        let long = format!("https://example.com/{}", "q".repeat(81));
        for wrong in [
            "https://example.com",
            "https://example.com/queue/",
            "https://example.com/a.b",
            &long,
        ] {
            assert_eq!(
                message(queue_url(QueueKind::Standard)(wrong)),
                "it does not end with the name of a queue",
                "{wrong}"
            );
        }
        assert_eq!(
            message(queue_url(QueueKind::Fifo)("https://example.com/.fifo")),
            "it does not end with the name of a queue"
        );
    }

    #[test]
    fn an_arn_belongs_to_its_service() {
        for right in [
            "arn:aws:sns:eu-west-1:111122223333:alarms",
            "arn:aws-cn:sns:cn-north-1:111122223333:alarms:with:colons",
        ] {
            assert_eq!(arn("sns")(right), Ok(right.to_owned()));
        }
        let wrong = |text| message(arn("sns")(text));
        assert_eq!(
            wrong("arn:aws:sqs:eu-west-1:111122223333:q"),
            "it belongs to the service `sqs`"
        );
        assert_eq!(wrong("alarms"), "it has 1 of the 6 parts of an ARN");
        assert_eq!(
            wrong("urn:aws:sns:eu-west-1:111122223333:t"),
            "it does not begin with `arn:`"
        );
        assert_eq!(
            wrong("arn:aws:sns:eu-west-1:111122223333:"),
            "the part `resource` is empty"
        );
        assert_eq!(
            wrong("arn::sns:eu-west-1:111122223333:t"),
            "the part `partition` is empty"
        );
        assert_eq!(
            wrong("arn:aws:sns:eu-west-1:111122223333:t\n"),
            "it has white space or control characters"
        );
    }

    #[test]
    fn an_integer_lies_in_its_range() {
        let seconds = integer_in(1u32..=900);
        assert_eq!(seconds("1"), Ok(1));
        assert_eq!(seconds("900"), Ok(900));
        for outside in ["0", "901", "-5", "99999999999999999999"] {
            assert_eq!(
                message(seconds(outside)),
                "it is not in the range 1 to 900",
                "{outside}"
            );
        }
        for other in ["", "1.5", " 1", "1s", "0x10", "-"] {
            assert_eq!(
                message(seconds(other)),
                "it is not a whole number",
                "{other}"
            );
        }
    }

    #[test]
    fn an_s3_location_is_a_bucket_and_a_key() {
        assert_eq!(
            s3_location("s3://my-bucket.eu/rules/filters.yaml"),
            Ok(("my-bucket.eu".to_owned(), "rules/filters.yaml".to_owned()))
        );
        assert_eq!(
            s3_location("s3://bucket//odd key").map(|(_, key)| key),
            Ok("/odd key".to_owned())
        );
        assert_eq!(
            message(s3_location("https://bucket/key")),
            "it does not begin with `s3://`"
        );
        for no_key in ["s3://bucket", "s3://bucket/"] {
            assert_eq!(
                message(s3_location(no_key)),
                "it has no key after the bucket"
            );
        }
        assert_eq!(
            message(s3_location("s3://My_Bucket/key")),
            "`My_Bucket` is not the name of a bucket"
        );
        assert_eq!(
            message(s3_location("s3:///key")),
            "`` is not the name of a bucket"
        );
    }

    #[test]
    fn a_word_becomes_the_value_beside_it() {
        let path = one_of(&[("direct", 1), ("cloudwatch", 2)]);
        assert_eq!(path("cloudwatch"), Ok(2));
        assert_eq!(
            message(path("Direct")),
            "it is not one of: direct, cloudwatch"
        );
    }

    #[test]
    fn a_name_has_only_the_characters_of_names() {
        assert_eq!(
            name("/aws/lambda/log-processor_1.x#2").as_deref(),
            Ok("/aws/lambda/log-processor_1.x#2")
        );
        let long = "n".repeat(513);
        for wrong in ["", "two words", "tab\t", "a:b", "é", &long] {
            assert_eq!(name(wrong), Err(ParseError::Name), "{wrong}");
        }
    }
}

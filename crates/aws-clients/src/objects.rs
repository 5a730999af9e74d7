//! Objects in S3.

use std::time::Instant;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use ports::{ErrorKind, ObjectLocation, ReadObject, RequestError, StoredObject};

use crate::Timeouts;
use crate::request::{own_error, request_error};
use crate::timeouts::ATTEMPTS;

const GET_OBJECT: &str = "GetObject";

/// Reads objects of S3.
#[derive(Debug, Clone)]
pub struct S3Objects {
    client: Client,
    timeouts: Timeouts,
}

impl S3Objects {
    pub(crate) fn new(config: &SdkConfig, timeouts: Timeouts) -> S3Objects {
        S3Objects {
            client: Client::new(config),
            timeouts,
        }
    }

    /// Reads an object within the limit for all of it; `None` if its entity tag is the known one.
    async fn read(
        &self,
        location: &ObjectLocation,
        known_etag: Option<&str>,
        most_bytes: u64,
    ) -> Result<Option<StoredObject>, RequestError> {
        let limit = self.timeouts.operation + self.timeouts.body;
        let reading = self.read_until_whole(location, known_etag, most_bytes);
        tokio::time::timeout(limit, reading)
            .await
            .map_err(unknown)?
    }

    /// Reads an object, and again if its body breaks off while there is time for another request.
    async fn read_until_whole(
        &self,
        location: &ObjectLocation,
        known_etag: Option<&str>,
        most_bytes: u64,
    ) -> Result<Option<StoredObject>, RequestError> {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let Some(answer) = self.open(location, known_etag).await? else {
                return Ok(None);
            };
            match self.stored_object(answer, most_bytes).await {
                Err(error)
                    if error.kind == ErrorKind::Unknown
                        && attempt < ATTEMPTS
                        && started.elapsed() < self.timeouts.operation =>
                {
                    attempt += 1;
                }
                outcome => return outcome.map(Some),
            }
        }
    }

    async fn open(
        &self,
        location: &ObjectLocation,
        known_etag: Option<&str>,
    ) -> Result<Option<GetObjectOutput>, RequestError> {
        tracing::debug!(operation = GET_OBJECT, "request");
        let answer = self
            .client
            .get_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .set_version_id(location.version.clone())
            .set_if_none_match(known_etag.map(|etag| format!("\"{etag}\"")))
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if known_etag.is_some() && is_not_modified(&error) => Ok(None),
            Err(error) => Err(request_error(GET_OBJECT, error)),
        }
    }

    async fn stored_object(
        &self,
        answer: GetObjectOutput,
        most_bytes: u64,
    ) -> Result<StoredObject, RequestError> {
        let etag = answer
            .e_tag
            .ok_or_else(|| unknown("the answer has no ETag"))?;
        let length = answer
            .content_length
            .and_then(|length| u64::try_from(length).ok());
        let content = self.content(answer.body, length, most_bytes).await?;
        Ok(StoredObject {
            content,
            etag: etag.trim_matches('"').to_owned(),
            version: answer.version_id,
            last_modified: answer.last_modified.map(|time| time.secs()),
        })
    }

    async fn content(
        &self,
        mut body: ByteStream,
        length: Option<u64>,
        most_bytes: u64,
    ) -> Result<Vec<u8>, RequestError> {
        let length = length.unwrap_or(0);
        if length > most_bytes {
            return Err(too_large(length, most_bytes));
        }
        let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        while let Some(chunk) = tokio::time::timeout(self.timeouts.attempt, body.try_next())
            .await
            .map_err(unknown)?
            .map_err(unknown)?
        {
            let length = (content.len() as u64).saturating_add(chunk.len() as u64);
            if length > most_bytes {
                return Err(too_large(length, most_bytes));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    }
}

impl ReadObject for S3Objects {
    async fn read_object(
        &self,
        location: &ObjectLocation,
        most_bytes: u64,
    ) -> Result<StoredObject, RequestError> {
        self.read(location, None, most_bytes)
            .await?
            .ok_or_else(|| unknown("not modified, which was not asked for"))
    }

    async fn read_object_if_changed(
        &self,
        location: &ObjectLocation,
        known_etag: &str,
        most_bytes: u64,
    ) -> Result<Option<StoredObject>, RequestError> {
        self.read(location, Some(known_etag), most_bytes).await
    }
}

/// S3 answers a condition that does not hold with 304, which the SDK takes for an error.
fn is_not_modified<E>(error: &SdkError<E>) -> bool {
    error
        .raw_response()
        .is_some_and(|answer| answer.status().as_u16() == 304)
}

fn too_large(length: u64, most_bytes: u64) -> RequestError {
    let told = format!("it has {length} bytes or more, expected at most {most_bytes}");
    own_error(GET_OBJECT, ErrorKind::TooLarge, told)
}

fn unknown(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> RequestError {
    own_error(GET_OBJECT, ErrorKind::Unknown, source)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::recorded::{Answer, Recorded};

    const HEADERS: &str =
        "ETag: \"abc\"\r\nx-amz-version-id: v1\r\nLast-Modified: Wed, 21 Oct 2026 07:28:00 GMT\r\n";

    fn location() -> ObjectLocation {
        ObjectLocation {
            bucket: "trail".to_owned(),
            key: "AWSLogs/a+b c.json.gz".to_owned(),
            version: None,
        }
    }

    fn object(content: &str) -> Answer {
        Answer::http(200, HEADERS, content)
    }

    fn error(status: u16, code: &str) -> Answer {
        let body = format!("<Error><Code>{code}</Code><Message>made up</Message></Error>");
        Answer::http(status, "Content-Type: application/xml\r\n", &body)
    }

    #[tokio::test]
    async fn an_object_is_read_with_its_etag_version_and_time() {
        let server = Recorded::answers([object("content")]);
        let objects = server.clients().await.objects();
        let location = ObjectLocation {
            version: Some("v1".to_owned()),
            ..location()
        };
        let read = objects.read_object(&location, 7).await.unwrap();
        assert_eq!(read.content, b"content");
        assert_eq!(read.etag, "abc");
        assert_eq!(read.version.as_deref(), Some("v1"));
        assert_eq!(read.last_modified, Some(1_792_567_680));
        let request = server.request(0);
        assert!(
            request
                .head
                .starts_with("GET /trail/AWSLogs/a%2Bb%20c.json.gz?"),
            "{}",
            request.head
        );
        assert!(request.head.contains("versionId=v1"), "{}", request.head);
    }

    #[tokio::test]
    async fn a_throttled_request_is_sent_again() {
        let server = Recorded::answers([error(503, "SlowDown"), object("content")]);
        let objects = server.clients().await.objects();
        assert!(objects.read_object(&location(), 7).await.is_ok());
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn an_object_that_does_not_exist_is_not_found() {
        let server = Recorded::answers([error(404, "NoSuchKey")]);
        let objects = server.clients().await.objects();
        let error = objects.read_object(&location(), 7).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.code.as_deref(), Some("NoSuchKey"));
        assert_eq!(
            error.to_string(),
            "GetObject failed: it does not exist (NoSuchKey)"
        );
    }

    #[tokio::test]
    async fn an_object_with_the_known_etag_has_not_changed() {
        let server = Recorded::answers([Answer::http(304, "ETag: \"abc\"\r\n", "")]);
        let objects = server.clients().await.objects();
        let read = objects.read_object_if_changed(&location(), "abc", 7).await;
        assert_eq!(read.unwrap(), None);
        let head = server.request(0).head.to_ascii_lowercase();
        assert!(head.contains("if-none-match: \"abc\"\r\n"), "{head}");
    }

    #[tokio::test]
    async fn an_object_with_another_etag_is_read() {
        let server = Recorded::answers([object("content")]);
        let objects = server.clients().await.objects();
        let read = objects.read_object_if_changed(&location(), "old", 7).await;
        assert_eq!(read.unwrap().unwrap().content, b"content");
    }

    #[tokio::test]
    async fn no_answer_is_an_unknown_outcome_within_the_time_limit() {
        let server = Recorded::answers([Answer::Silence, Answer::Silence, Answer::Silence]);
        let objects = server.clients().await.objects();
        let started = Instant::now();
        let error = objects.read_object(&location(), 7).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        assert!(started.elapsed() < Timeouts::short().operation + Duration::from_secs(2));
        assert!(server.requests() >= 2);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_read_again() {
        let cut = Answer::http(200, HEADERS, "content").without_last_bytes(3);
        let server = Recorded::answers([cut, object("content")]);
        let objects = server.clients().await.objects();
        let read = objects.read_object(&location(), 7).await.unwrap();
        assert_eq!(read.content, b"content");
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn a_body_that_always_breaks_off_is_never_taken_for_the_object() {
        let cut = || Answer::http(200, HEADERS, "content").without_last_bytes(3);
        let server = Recorded::answers([cut(), cut(), cut(), cut()]);
        let objects = server.clients().await.objects();
        let error = objects.read_object(&location(), 7).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        assert_eq!(server.requests(), 3);
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_given_up() {
        let stalled = || {
            Answer::http(200, HEADERS, "content")
                .without_last_bytes(3)
                .then_silence()
        };
        let server = Recorded::answers([stalled(), stalled(), stalled()]);
        let timeouts = Timeouts {
            body: Duration::from_secs(60),
            ..Timeouts::short()
        };
        let objects = server.clients_within(timeouts).await.objects();
        let started = Instant::now();
        let error = objects.read_object(&location(), 7).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        assert!(started.elapsed() < timeouts.operation + Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_body_that_drips_is_given_up_in_the_end() {
        let server = Recorded::answers([object(&"x".repeat(60)).dripping(60)]);
        let objects = server.clients().await.objects();
        let started = Instant::now();
        let error = objects.read_object(&location(), 60).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        let limit = Timeouts::short().operation + Timeouts::short().body;
        assert!(started.elapsed() < limit + Duration::from_secs(2));
    }

    #[tokio::test]
    async fn an_object_that_says_it_is_too_large_is_not_read() {
        let announced = object("content!").without_last_bytes(8).then_silence();
        let server = Recorded::answers([announced]);
        let objects = server.clients().await.objects();
        let error = objects.read_object(&location(), 7).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge);
        assert_eq!(server.requests(), 1);
    }

    #[tokio::test]
    async fn an_object_that_does_not_say_its_length_is_read_up_to_the_limit() {
        let chunked = |content| Answer::chunked(HEADERS, content);
        let server = Recorded::answers([chunked(&["cont", "ent"]), chunked(&["cont", "ent!"])]);
        let objects = server.clients().await.objects();
        let read = objects.read_object(&location(), 7).await.unwrap();
        assert_eq!(read.content, b"content");
        let error = objects.read_object(&location(), 7).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge);
    }
}

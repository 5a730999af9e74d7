//! Objects in S3.

use std::ops::{ControlFlow, Deref};
use std::time::Instant;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::primitives::ByteStream;
use ports::{
    BucketRegion, ErrorKind, ListFrom, ObjectHead, ObjectLocation, PutObject, ReadObject,
    RequestError, Sink, StoredObject, StreamObject,
};

use crate::Timeouts;
use crate::other_region::other_region;
use crate::request::{own_error, request_error, send};
use crate::retry::backoff;
use crate::s3_config::s3_config;
use crate::versions::VersionsFrom;

const GET_OBJECT: &str = "GetObject";
pub(crate) const LIST_OBJECTS: &str = "ListObjectsV2";
pub(crate) const LIST_VERSIONS: &str = "ListObjectVersions";
const PUT_OBJECT: &str = "PutObject";
const GET_BUCKET_LOCATION: &str = "GetBucketLocation";

/// Reads, lists and writes objects of S3.
#[derive(Debug, Clone)]
pub struct S3Objects {
    client: Client,
    timeouts: Timeouts,
}

impl S3Objects {
    pub(crate) fn new(config: &SdkConfig, timeouts: Timeouts) -> S3Objects {
        S3Objects {
            client: Client::from_conf(s3_config(config, timeouts).build()),
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
                        && attempt < self.timeouts.attempts
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
        let head = head(&answer)?;
        let content = self.content(answer.body, head.length, most_bytes).await?;
        Ok(StoredObject {
            content,
            etag: head.etag,
            version: head.version,
            last_modified: head.last_modified,
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
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            let length = (content.len() as u64).saturating_add(chunk.len() as u64);
            if length > most_bytes {
                return Err(too_large(length, most_bytes));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    }

    /// The next bytes of a body; none at its end, where all that was announced has come.
    async fn next_chunk(
        &self,
        body: &mut ByteStream,
    ) -> Result<Option<impl Deref<Target = [u8]>>, RequestError> {
        tokio::time::timeout(self.timeouts.attempt, body.try_next())
            .await
            .map_err(unknown)?
            .map_err(unknown)
    }

    /// Hands a body to the sink within the limit for its length.
    async fn pour(
        &self,
        answer: GetObjectOutput,
        sink: &mut impl Sink,
    ) -> Result<ObjectHead, RequestError> {
        let head = head(&answer)?;
        let limit = self.timeouts.body_of(head.length);
        sink.begin(&head);
        tokio::time::timeout(limit, self.pour_all(answer.body, sink))
            .await
            .map_err(unknown)??;
        Ok(head)
    }

    async fn pour_all(
        &self,
        mut body: ByteStream,
        sink: &mut impl Sink,
    ) -> Result<(), RequestError> {
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            if sink.take(&chunk) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    /// One page of what a bucket holds.
    pub(crate) async fn list_page(
        &self,
        bucket: &str,
        prefix: &str,
        by_folder: bool,
        from: ListFrom<'_>,
    ) -> Result<ListObjectsV2Output, RequestError> {
        let (after, token) = match from {
            ListFrom::Start => (None, None),
            ListFrom::After(key) => (Some(key.to_owned()), None),
            ListFrom::Token(token) => (None, Some(token.to_owned())),
        };
        let request = self
            .client
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .set_delimiter(by_folder.then(|| "/".to_owned()))
            .set_start_after(after)
            .set_continuation_token(token);
        send(LIST_OBJECTS, request.send()).await
    }

    /// One page of the versions of what begins with `prefix`, of at most `most`.
    pub(crate) async fn list_versions_page(
        &self,
        bucket: &str,
        prefix: &str,
        most: i32,
        from: &VersionsFrom,
    ) -> Result<ListObjectVersionsOutput, RequestError> {
        let request = self
            .client
            .list_object_versions()
            .bucket(bucket)
            .prefix(prefix)
            .max_keys(most)
            .set_key_marker(from.key.clone())
            .set_version_id_marker(from.version.clone());
        send(LIST_VERSIONS, request.send()).await
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

impl StreamObject for S3Objects {
    async fn stream_object(
        &self,
        location: &ObjectLocation,
        sink: &mut impl Sink,
    ) -> Result<ObjectHead, RequestError> {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let answer = self
                .open(location, None)
                .await?
                .ok_or_else(|| unknown("not modified, which was not asked for"))?;
            let limit = self.timeouts.operation + self.timeouts.body_of(length(&answer));
            match self.pour(answer, sink).await {
                Err(error)
                    if error.kind == ErrorKind::Unknown
                        && attempt < self.timeouts.attempts
                        && started.elapsed() < limit =>
                {
                    tokio::time::sleep(backoff(attempt)).await;
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

impl PutObject for S3Objects {
    async fn put_object(
        &self,
        location: &ObjectLocation,
        content: &[u8],
        content_type: &str,
    ) -> Result<(), RequestError> {
        let request = self
            .client
            .put_object()
            .bucket(&location.bucket)
            .key(&location.key)
            .content_type(content_type)
            .body(ByteStream::from(content.to_vec()));
        send(PUT_OBJECT, request.send()).await.map(drop)
    }
}

impl BucketRegion for S3Objects {
    async fn bucket_region(&self, bucket: &str) -> Result<String, RequestError> {
        tracing::debug!(operation = GET_BUCKET_LOCATION, "request");
        let answer = self
            .client
            .get_bucket_location()
            .bucket(bucket)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let said = answer.location_constraint();
                Ok(region_of(said.map_or("", |said| said.as_str())))
            }
            // From another Region S3 refuses, and says which one it is.
            Err(error) => match other_region(&error, None) {
                Some(Some(region)) => Ok(region),
                _ => Err(request_error(GET_BUCKET_LOCATION, error)),
            },
        }
    }
}

/// The Region of a location constraint. The two oldest have names of their own.
fn region_of(constraint: &str) -> String {
    match constraint {
        "" => "us-east-1",
        "EU" => "eu-west-1",
        region => region,
    }
    .to_owned()
}

fn head(answer: &GetObjectOutput) -> Result<ObjectHead, RequestError> {
    let etag = answer
        .e_tag()
        .ok_or_else(|| unknown("the answer has no ETag"))?;
    let metadata = answer.metadata().into_iter().flatten();
    Ok(ObjectHead {
        etag: etag.trim_matches('"').to_owned(),
        version: answer.version_id.clone(),
        last_modified: answer.last_modified.map(|time| time.secs()),
        length: length(answer),
        metadata: metadata
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect(),
    })
}

fn length(answer: &GetObjectOutput) -> Option<u64> {
    let length = answer.content_length?;
    u64::try_from(length).ok()
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

    /// Keeps what it is given, with a `|` for each beginning, up to a number of bytes.
    struct Kept {
        text: String,
        most: usize,
    }

    impl Sink for Kept {
        fn begin(&mut self, _: &ObjectHead) {
            self.text.push('|');
        }

        fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
            self.text += &String::from_utf8_lossy(bytes);
            match self.text.len() < self.most {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        }
    }

    async fn streamed(
        objects: &S3Objects,
        most: usize,
    ) -> (String, Result<ObjectHead, RequestError>) {
        let mut sink = Kept {
            text: String::new(),
            most,
        };
        let outcome = objects.stream_object(&location(), &mut sink).await;
        (sink.text, outcome)
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
        let server = Recorded::answers([Answer::xml_error(503, "SlowDown"), object("content")]);
        let objects = server.clients().await.objects();
        assert!(objects.read_object(&location(), 7).await.is_ok());
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn an_object_that_does_not_exist_is_not_found() {
        let server = Recorded::answers([Answer::xml_error(404, "NoSuchKey")]);
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

    #[tokio::test]
    async fn an_object_is_streamed_with_its_metadata() {
        let headers = format!(
            "{HEADERS}x-amz-meta-signature: 00ff\r\nX-Amz-Meta-Signature-Algorithm: SHA256withRSA\r\nx-amz-missing-meta: 1\r\n"
        );
        let server = Recorded::answers([Answer::http(200, &headers, "content")]);
        let objects = server.clients().await.objects();
        let (text, head) = streamed(&objects, usize::MAX).await;
        assert_eq!(text, "|content");
        let metadata = [
            ("signature", "00ff"),
            ("signature-algorithm", "SHA256withRSA"),
        ];
        let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = ObjectHead {
            etag: "abc".to_owned(),
            version: Some("v1".to_owned()),
            last_modified: Some(1_792_567_680),
            length: Some(7),
            metadata: metadata.into(),
        };
        assert_eq!(head.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_streamed_body_that_breaks_off_begins_again() {
        let cut = Answer::http(200, HEADERS, "before!").without_last_bytes(3);
        let server = Recorded::answers([cut, object("content")]);
        let objects = server.clients().await.objects();
        let (text, head) = streamed(&objects, usize::MAX).await;
        assert!(head.is_ok());
        assert!(text.ends_with("|content"), "{text}");
        assert_eq!(text.matches('|').count(), 2, "{text}");
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn a_streamed_body_that_always_breaks_off_or_stalls_is_no_object() {
        let cut = || Answer::http(200, HEADERS, "content").without_last_bytes(3);
        let chunked = Answer::chunked(HEADERS, &["content"]).without_last_bytes(5);
        let server = Recorded::answers([cut(), cut().then_silence(), chunked, cut()]);
        let objects = server.clients().await.objects();
        let (_, outcome) = streamed(&objects, usize::MAX).await;
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Unknown);
        assert_eq!(server.requests(), 3);
    }

    #[tokio::test]
    async fn a_sink_that_has_enough_ends_the_request_without_an_error() {
        let endless = object("content and more")
            .without_last_bytes(4)
            .then_silence();
        let server = Recorded::answers([endless]);
        let objects = server.clients().await.objects();
        let started = Instant::now();
        let (text, head) = streamed(&objects, 8).await;
        assert!(text.starts_with("|content"), "{text}");
        assert_eq!(head.unwrap().length, Some(16));
        assert!(started.elapsed() < Timeouts::short().attempt);
    }

    #[tokio::test]
    async fn a_streamed_body_has_its_own_limit() {
        let server = Recorded::answers([object(&"x".repeat(60)).dripping(60)]);
        let timeouts = Timeouts {
            operation: Duration::ZERO,
            ..Timeouts::short()
        };
        let clients = server.clients_within(Timeouts::short()).await;
        let objects = S3Objects {
            timeouts,
            ..clients.objects()
        };
        let started = Instant::now();
        let (_, outcome) = streamed(&objects, usize::MAX).await;
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Unknown);
        assert!(started.elapsed() >= timeouts.body);
        assert!(started.elapsed() < timeouts.body + Duration::from_secs(2));
        assert_eq!(server.requests(), 1);
    }

    #[tokio::test]
    async fn an_archived_object_is_told_from_one_that_is_forbidden() {
        for (status, code, kind) in [
            (403, "InvalidObjectState", ErrorKind::Archived),
            (403, "AccessDenied", ErrorKind::AccessDenied),
            (404, "NoSuchKey", ErrorKind::NotFound),
        ] {
            let server = Recorded::answers([Answer::xml_error(status, code)]);
            let objects = server.clients().await.objects();
            let (text, outcome) = streamed(&objects, usize::MAX).await;
            assert_eq!(text, "");
            let error = outcome.unwrap_err();
            assert_eq!(error.kind, kind);
            assert_eq!(error.code.as_deref(), Some(code));
            assert_eq!(error.message.as_deref(), Some("made up"));
        }
        let archived = ErrorKind::Archived;
        assert_eq!(
            (archived.name(), archived.to_string()),
            ("archived", "it is archived".to_owned())
        );
    }

    #[tokio::test]
    async fn an_answer_without_metadata_or_etag() {
        let server = Recorded::answers([
            Answer::http(200, "ETag: \"abc\"\r\n", ""),
            Answer::http(200, "", ""),
            Answer::http(200, "", ""),
            Answer::http(200, "", ""),
        ]);
        let objects = server.clients().await.objects();
        let (text, head) = streamed(&objects, usize::MAX).await;
        assert_eq!(text, "|");
        assert_eq!(head.unwrap().metadata.len(), 0);
        let (text, outcome) = streamed(&objects, usize::MAX).await;
        assert_eq!(text, "");
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Unknown);
    }

    #[tokio::test]
    async fn what_is_throttled_at_the_same_time_has_all_its_attempts() {
        // More at a time than the SDK's own bound for retries has tokens.
        const REQUESTS: usize = 120;
        let timeouts = Timeouts::persistent();
        let attempts = REQUESTS * usize::try_from(timeouts.attempts).unwrap();
        let throttled = || Answer::xml_error(503, "SlowDown");
        let server = Recorded::answers((0..attempts).map(|_| throttled()));
        let objects = server.clients_within(timeouts).await.objects();
        let requests = (0..REQUESTS).map(|_| {
            let objects = objects.clone();
            tokio::spawn(async move { streamed(&objects, usize::MAX).await.1 })
        });
        for request in requests.collect::<Vec<_>>() {
            let error = request.await.unwrap().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Throttled);
        }
        assert_eq!(server.requests(), attempts);
    }

    #[tokio::test]
    async fn an_object_is_put_with_its_type() {
        let server = Recorded::answers([
            Answer::xml_error(503, "SlowDown"),
            Answer::http(200, "ETag: \"abc\"\r\n", ""),
        ]);
        let objects = server.clients().await.objects();
        let put = objects
            .put_object(&location(), b"{}", "application/json")
            .await;
        assert!(put.is_ok());
        let request = server.request(1);
        let head = &request.head;
        assert!(
            head.starts_with("PUT /trail/AWSLogs/a%2Bb%20c.json.gz?"),
            "{head}"
        );
        let head = head.to_ascii_lowercase();
        assert!(
            head.contains("content-type: application/json\r\n"),
            "{head}"
        );
        assert_eq!(request.body, "{}");
    }

    #[tokio::test]
    async fn an_object_that_may_not_be_put_is_denied() {
        let server = Recorded::answers([Answer::xml_error(403, "AccessDenied")]);
        let objects = server.clients().await.objects();
        let put = objects.put_object(&location(), b"", "text/plain").await;
        assert_eq!(put.unwrap_err().kind, ErrorKind::AccessDenied);
    }

    fn constraint(said: &str) -> Answer {
        let body = format!(
            "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{said}</LocationConstraint>"
        );
        Answer::xml(200, &body)
    }

    #[tokio::test]
    async fn a_bucket_is_in_a_region_by_its_present_name() {
        for (said, region) in [
            ("", "us-east-1"),
            ("EU", "eu-west-1"),
            ("eu-west-1", "eu-west-1"),
            ("ap-new-7", "ap-new-7"),
        ] {
            let server = Recorded::answers([constraint(said)]);
            let objects = server.clients().await.objects();
            assert_eq!(objects.bucket_region("trail").await.unwrap(), region);
            let head = server.request(0).head;
            assert!(head.starts_with("GET /trail/?location"), "{head}");
        }
    }

    #[tokio::test]
    async fn a_bucket_of_another_region_is_known_by_the_refusal() {
        let refused = Answer::http(
            403,
            "x-amz-bucket-region: eu-west-3\r\n",
            "<Error><Code>AccessDenied</Code></Error>",
        );
        let malformed = Answer::xml(
            400,
            "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>",
        );
        for answer in [refused, malformed] {
            let server = Recorded::answers([answer]);
            let objects = server.clients().await.objects();
            assert_eq!(objects.bucket_region("trail").await.unwrap(), "eu-west-3");
        }
        for (status, code, kind) in [
            (404, "NoSuchBucket", ErrorKind::NotFound),
            (403, "AccessDenied", ErrorKind::AccessDenied),
        ] {
            let server = Recorded::answers([Answer::xml_error(status, code)]);
            let objects = server.clients().await.objects();
            let error = objects.bucket_region("trail").await.unwrap_err();
            assert_eq!(error.kind, kind);
        }
    }

    #[tokio::test]
    async fn another_region_is_asked_with_its_own_signature() {
        let server = Recorded::answers([object("content")]);
        let objects = server.clients().await.objects_in("eu-west-3");
        assert!(streamed(&objects, usize::MAX).await.1.is_ok());
        let head = server.request(0).head;
        assert!(head.contains("/eu-west-3/s3/aws4_request"), "{head}");
    }
}

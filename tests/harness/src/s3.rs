//! S3 for an [`Account`]: buckets, objects, notifications.

use hyper::Method;
use hyper::body::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Account, Queue, Topic};

/// What stays as it is in the path of an object.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

impl Account {
    /// Creates a bucket; names have at least three characters.
    pub async fn create_bucket(&self, bucket: &str) {
        let request = self.request(Method::PUT, "s3", &format!("/{bucket}"));
        self.send("CreateBucket", request, "").await;
    }

    /// Stores an object and returns its ETag, without quotes, as an event notification has it.
    pub async fn put_object(&self, bucket: &str, key: &str, body: impl Into<Bytes>) -> String {
        self.put_object_with(bucket, key, body, []).await
    }

    /// As [`put_object`](Self::put_object), with metadata: names in lower case without `x-amz-meta-`.
    pub async fn put_object_with<'m>(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        metadata: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) -> String {
        let mut request = self.request(Method::PUT, "s3", &object_path(bucket, key));
        for (name, value) in metadata {
            request = request.header(format!("x-amz-meta-{name}"), value);
        }
        let response = self.send("PutObject", request, body).await;
        let etag = response
            .headers()
            .get("etag")
            .and_then(|etag| etag.to_str().ok());
        etag.unwrap_or_else(|| panic!("expected an ETag for `{bucket}/{key}`"))
            .trim_matches('"')
            .to_owned()
    }

    /// The object's bytes, or `None` where there is no such object or bucket.
    pub async fn get_object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        let request = self.request(Method::GET, "s3", &object_path(bucket, key));
        let response = self.try_send(request, "").await;
        let response =
            response.unwrap_or_else(|error| panic!("expected an answer to GetObject: {error}"));
        match response.status().as_u16() {
            404 => None,
            200 => Some(response.into_body()),
            status => panic!("expected 200 or 404 for `{bucket}/{key}`, got {status}"),
        }
    }

    /// Deletes an object; there need be none.
    pub async fn delete_object(&self, bucket: &str, key: &str) {
        let request = self.request(Method::DELETE, "s3", &object_path(bucket, key));
        self.send("DeleteObject", request, "").await;
    }

    /// Has each object created in the bucket announced on the queue.
    ///
    /// The first message is S3's own test event (`s3:TestEvent`), as on AWS.
    pub async fn put_bucket_notification(&self, bucket: &str, queue: &Queue) {
        let queue = format!(
            "<QueueConfiguration><Id>log-files</Id><Queue>{}</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration>",
            queue.arn
        );
        self.put_notification_configuration(bucket, &queue).await;
    }

    /// Has each object created in the bucket announced on the topic.
    pub async fn announce_on_topic(&self, bucket: &str, topic: &Topic) {
        let topic = format!(
            "<TopicConfiguration><Id>log-files</Id><Topic>{}</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration>",
            topic.arn
        );
        self.put_notification_configuration(bucket, &topic).await;
    }

    /// Has the bucket send its events to EventBridge.
    pub async fn announce_on_event_bridge(&self, bucket: &str) {
        self.put_notification_configuration(
            bucket,
            "<EventBridgeConfiguration></EventBridgeConfiguration>",
        )
        .await;
    }

    async fn put_notification_configuration(&self, bucket: &str, targets: &str) {
        let body = format!(
            "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{targets}</NotificationConfiguration>"
        );
        let request = self.request(Method::PUT, "s3", &format!("/{bucket}?notification"));
        self.send("PutBucketNotificationConfiguration", request, body)
            .await;
    }
}

fn object_path(bucket: &str, key: &str) -> String {
    format!("/{bucket}/{}", utf8_percent_encode(key, IN_PATH))
}

//! The notifications of a bucket: what it announces, and to whom.
//!
//! S3 keeps one configuration for a bucket and replaces it as a whole: whoever adds something reads
//! the configuration and puts all of it back. Two promises make that bearable. A configuration with
//! an element that this crate does not know is an error, since putting it back would drop it. And the
//! destinations are not validated by S3 when it is put: they are those that were there, validating
//! them would send each a test message, and one that is gone would keep the rest from being put.
//!
//! S3 has no conditional write for this: what somebody else writes between the last read and the put is
//! lost, and nothing shows it.
//!
//! Source: S3 API Reference, "GetBucketNotificationConfiguration" and "PutBucketNotificationConfiguration".

use std::collections::HashSet;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{
    ConfigBag, Intercept, ProvideCredentials, RuntimeComponents, SharedCredentialsProvider,
};
use aws_sdk_s3::error::{BoxError, BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_bucket_notification_configuration::GetBucketNotificationConfigurationOutput;
use aws_sdk_s3::types::{
    Event, EventBridgeConfiguration, FilterRule, FilterRuleName, LambdaFunctionConfiguration,
    NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter,
    TopicConfiguration,
};
use ports::{ErrorKind, RequestError};

use crate::Timeouts;
use crate::other_region::other_region;
use crate::request::{own_error, request_error};
use crate::retry::while_throttled;
use crate::s3_config::s3_config;

const GET: &str = "GetBucketNotificationConfiguration";
const PUT: &str = "PutBucketNotificationConfiguration";

/// What a bucket announces. Two are equal if they say the same, in whatever order.
#[derive(Debug, Clone, Default)]
pub struct Notifications {
    /// To SNS topics, SQS queues and Lambda functions, in S3's order within each kind.
    pub destinations: Vec<Destination>,
    /// All events of all objects, to EventBridge.
    pub event_bridge: bool,
}

/// Who is told of some events of some objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    /// What it is.
    pub kind: DestinationKind,
    /// The name of this part of the configuration; S3 makes one up where none is given.
    pub id: Option<String>,
    /// The topic, queue or function.
    pub arn: String,
    /// `s3:ObjectCreated:*` and the like.
    pub events: Vec<String>,
    /// Which keys; `None` is all of them.
    pub filter: Option<Vec<KeyRule>>,
}

/// Kinds of destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DestinationKind {
    /// An SNS topic.
    Topic,
    /// An SQS queue.
    Queue,
    /// A Lambda function.
    Function,
}

/// How a key begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRule {
    /// `prefix` or `suffix`, as S3 spells it.
    pub name: Option<String>,
    /// The beginning or the end.
    pub value: Option<String>,
}

impl Destination {
    /// The same in one fixed order of its events and rules.
    fn sorted(&self) -> Destination {
        let mut sorted = self.clone();
        sorted.events.sort();
        if let Some(rules) = &mut sorted.filter {
            // S3 answers `Prefix` where `prefix` was put.
            for name in rules.iter_mut().filter_map(|rule| rule.name.as_mut()) {
                name.make_ascii_lowercase();
            }
            rules.sort();
        }
        sorted.filter = sorted.filter.filter(|rules| !rules.is_empty());
        sorted
    }

    /// Whether both say the same, in whatever order.
    pub fn says_the_same_as(&self, other: &Destination) -> bool {
        self.sorted() == other.sorted()
    }
}

impl PartialEq for Notifications {
    fn eq(&self, other: &Notifications) -> bool {
        let sorted = |of: &Notifications| {
            let mut all: Vec<_> = of.destinations.iter().map(Destination::sorted).collect();
            all.sort();
            all
        };
        self.event_bridge == other.event_bridge && sorted(self) == sorted(other)
    }
}

/// Why a configuration could not be read or put.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotificationsError {
    /// Nothing was asked: there is nobody to ask as.
    #[error("no AWS credentials")]
    NoCredentials {
        /// What was tried.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The bucket is in another Region than the one that was asked.
    #[error("the bucket is in another Region")]
    OtherRegion {
        /// Which, if S3 said so.
        region: Option<String>,
    },
    /// Putting the configuration back would drop this.
    #[error("the configuration has an element `{name}`, which is not known")]
    UnknownElement {
        /// The name of the element.
        name: String,
    },
    /// The request failed for any other reason. If S3 answered, the source is its message.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// Reads and puts the notifications of buckets.
#[derive(Debug, Clone)]
pub struct BucketNotifications {
    client: Client,
    /// For the one request that is not repeated after a time-out.
    single: Client,
    timeouts: Timeouts,
    region: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
    expected_owner: Option<String>,
}

impl BucketNotifications {
    pub(crate) fn new(
        config: &SdkConfig,
        timeouts: Timeouts,
        expected_owner: Option<String>,
    ) -> BucketNotifications {
        let settings = s3_config(config, timeouts);
        let single = settings.clone().retry_config(timeouts.single_attempt());
        BucketNotifications {
            client: Client::from_conf(settings.build()),
            single: Client::from_conf(single.build()),
            timeouts,
            region: config.region().map(ToString::to_string),
            credentials: config.credentials_provider(),
            expected_owner,
        }
    }

    /// What the bucket announces.
    ///
    /// # Errors
    /// The request failed, or the answer has an element that could not be put back.
    pub async fn get(&self, bucket: &str) -> Result<Notifications, NotificationsError> {
        tracing::debug!(operation = GET, "request");
        let elements = UnknownElement::default();
        let answer = self
            .client
            .get_bucket_notification_configuration()
            .bucket(bucket)
            .set_expected_bucket_owner(self.expected_owner.clone())
            .customize()
            .interceptor(elements.clone())
            .send()
            .await;
        match answer {
            Ok(answer) => match elements.found() {
                Some(name) => Err(NotificationsError::UnknownElement { name }),
                None => Ok(notifications(answer)),
            },
            Err(error) => Err(self.error(GET, error).await),
        }
    }

    /// Replaces all that the bucket announces.
    ///
    /// It is sent again only while it is throttled: a repetition after a lost answer could undo what
    /// somebody else has put since.
    ///
    /// # Errors
    /// The request failed; [`RequestError::had_no_effect`] says whether it may have been carried out.
    pub async fn put(
        &self,
        bucket: &str,
        notifications: &Notifications,
    ) -> Result<(), NotificationsError> {
        let configuration = configuration(notifications)
            .map_err(|error| own_error(PUT, ErrorKind::Refused, error))?;
        let mut other = None;
        let answer = while_throttled(self.timeouts, async || {
            tracing::debug!(operation = PUT, "request");
            let request = self
                .single
                .put_bucket_notification_configuration()
                .bucket(bucket)
                .set_expected_bucket_owner(self.expected_owner.clone())
                .skip_destination_validation(true)
                .notification_configuration(configuration.clone());
            match request.send().await {
                Ok(_) => Ok(()),
                Err(error) => match self.error(PUT, error).await {
                    NotificationsError::Request(error) => Err(error),
                    error => {
                        let told = own_error(PUT, ErrorKind::Refused, error.to_string());
                        other = Some(error);
                        Err(told)
                    }
                },
            }
        })
        .await;
        match other {
            Some(error) => Err(error),
            None => Ok(answer?),
        }
    }

    async fn error<E>(&self, operation: &'static str, error: SdkError<E>) -> NotificationsError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if let Some(region) = other_region(&error, self.region.as_deref()) {
            return NotificationsError::OtherRegion { region };
        }
        // Without an answer the cause may be that there was nothing to sign with.
        let answered = matches!(&error, SdkError::ServiceError(_));
        if !answered && !self.has_credentials().await {
            let source = Box::new(error);
            return NotificationsError::NoCredentials { source };
        }
        let message = service_message(&error);
        let mut error = request_error(operation, error);
        if let Some(message) = message {
            error.source = message.into();
        }
        NotificationsError::Request(error)
    }

    async fn has_credentials(&self) -> bool {
        match &self.credentials {
            Some(provider) => provider.provide_credentials().await.is_ok(),
            None => false,
        }
    }
}

/// What S3 said; `None` without an answer.
fn service_message<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<String> {
    let SdkError::ServiceError(answer) = error else {
        return None;
    };
    let status = answer.raw().status().as_u16();
    let said = error.message().filter(|said| !said.is_empty());
    Some(said.map_or_else(|| format!("HTTP status {status}"), str::to_owned))
}

// ---------------------------------------------------------------------------------------------------
// Ours and the SDK's
// ---------------------------------------------------------------------------------------------------

fn notifications(answer: GetBucketNotificationConfigurationOutput) -> Notifications {
    let GetBucketNotificationConfigurationOutput {
        topic_configurations,
        queue_configurations,
        lambda_function_configurations,
        event_bridge_configuration,
        ..
    } = answer;
    let topics = topic_configurations.unwrap_or_default().into_iter();
    let queues = queue_configurations.unwrap_or_default().into_iter();
    let functions = lambda_function_configurations.unwrap_or_default();
    let topics = topics.map(|part| {
        let kind = DestinationKind::Topic;
        destination(kind, part.id, part.topic_arn, part.events, part.filter)
    });
    let queues = queues.map(|part| {
        let kind = DestinationKind::Queue;
        destination(kind, part.id, part.queue_arn, part.events, part.filter)
    });
    let functions = functions.into_iter().map(|part| {
        let (kind, arn) = (DestinationKind::Function, part.lambda_function_arn);
        destination(kind, part.id, arn, part.events, part.filter)
    });
    Notifications {
        destinations: topics.chain(queues).chain(functions).collect(),
        event_bridge: event_bridge_configuration.is_some(),
    }
}

fn destination(
    kind: DestinationKind,
    id: Option<String>,
    arn: String,
    events: Vec<Event>,
    filter: Option<NotificationConfigurationFilter>,
) -> Destination {
    let rules = filter.and_then(|filter| filter.key?.filter_rules);
    let rule = |rule: FilterRule| KeyRule {
        name: rule.name.map(|name| name.as_str().to_owned()),
        value: rule.value,
    };
    Destination {
        kind,
        id,
        arn,
        events: events.iter().map(|event| event.as_str().into()).collect(),
        filter: rules.map(|rules| rules.into_iter().map(rule).collect()),
    }
}

fn configuration(notifications: &Notifications) -> Result<NotificationConfiguration, BuildError> {
    let mut configuration = NotificationConfiguration::builder();
    for part in &notifications.destinations {
        let events = Some(part.events.iter().map(|event| event.as_str().into()));
        let events = events.map(Iterator::collect::<Vec<Event>>);
        let (id, filter) = (part.id.clone(), part.filter.as_deref().map(key_filter));
        configuration = match part.kind {
            DestinationKind::Topic => configuration.topic_configurations(
                TopicConfiguration::builder()
                    .set_id(id)
                    .topic_arn(&part.arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
            DestinationKind::Queue => configuration.queue_configurations(
                QueueConfiguration::builder()
                    .set_id(id)
                    .queue_arn(&part.arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
            DestinationKind::Function => configuration.lambda_function_configurations(
                LambdaFunctionConfiguration::builder()
                    .set_id(id)
                    .lambda_function_arn(&part.arn)
                    .set_events(events)
                    .set_filter(filter)
                    .build()?,
            ),
        };
    }
    if notifications.event_bridge {
        configuration =
            configuration.event_bridge_configuration(EventBridgeConfiguration::builder().build());
    }
    Ok(configuration.build())
}

fn key_filter(rules: &[KeyRule]) -> NotificationConfigurationFilter {
    let rule = |rule: &KeyRule| {
        FilterRule::builder()
            .set_name(rule.name.as_deref().map(FilterRuleName::from))
            .set_value(rule.value.clone())
            .build()
    };
    let key = S3KeyFilter::builder().set_filter_rules(Some(rules.iter().map(rule).collect()));
    NotificationConfigurationFilter::builder()
        .key(key.build())
        .build()
}

// ---------------------------------------------------------------------------------------------------
// What the SDK would drop
// ---------------------------------------------------------------------------------------------------

/// All elements of the answer, as it is sent.
const ELEMENTS: &[&str] = &[
    "CloudFunction",
    "CloudFunctionConfiguration",
    "Event",
    "EventBridgeConfiguration",
    "Filter",
    "FilterRule",
    "Id",
    "Name",
    "NotificationConfiguration",
    "Queue",
    "QueueConfiguration",
    "S3Key",
    "Topic",
    "TopicConfiguration",
    "Value",
];

/// Looks at an answer for an element that the SDK passes over in silence.
#[derive(Debug, Clone)]
struct UnknownElement(Arc<Mutex<Option<String>>>);

impl Default for UnknownElement {
    /// Until an answer was looked at, all of it is unknown.
    fn default() -> UnknownElement {
        UnknownElement(Arc::new(Mutex::new(Some("(unread)".to_owned()))))
    }
}

impl UnknownElement {
    fn found(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Intercept for UnknownElement {
    fn name(&self) -> &'static str {
        "UnknownElement"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(body) = context.response().body().bytes() {
            let found = unknown_element(&String::from_utf8_lossy(body));
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = found;
        }
        Ok(())
    }
}

fn unknown_element(xml: &str) -> Option<String> {
    let known: HashSet<&str> = ELEMENTS.iter().copied().collect();
    let ends_name = |c: char| c.is_whitespace() || c == '/' || c == '>';
    xml.split('<')
        .skip(1)
        .filter(|tag| !tag.starts_with(['/', '?', '!']))
        .map(|tag| tag.split(ends_name).next().unwrap_or_default())
        .map(|name| name.rsplit(':').next().unwrap_or_default())
        .find(|name| !known.contains(name))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use aws_config::profile::ProfileFileCredentialsProvider;
    use aws_sdk_s3::config::Credentials;

    use super::*;
    use crate::clients::loader;
    use crate::recorded::{Answer, Recorded};

    const BUCKET: &str = "amzn-s3-demo-bucket";
    const FULL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<TopicConfiguration><Id>t</Id><Topic>arn:aws:sns:eu-central-1:111122223333:t</Topic><Event>s3:ObjectRemoved:*</Event></TopicConfiguration>
<QueueConfiguration><Id>q &amp; more</Id><Queue>arn:aws:sqs:eu-central-1:111122223333:q</Queue><Event>s3:ObjectCreated:Put</Event><Event>s3:SomethingNew:*</Event>
<Filter><S3Key><FilterRule><Name>Prefix</Name><Value>AWSLogs/</Value></FilterRule><FilterRule><Name>Suffix</Name><Value>.gz</Value></FilterRule></S3Key></Filter></QueueConfiguration>
<CloudFunctionConfiguration><Id>f</Id><CloudFunction>arn:aws:lambda:eu-central-1:111122223333:function:f</CloudFunction><Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration>
</NotificationConfiguration>"#;

    fn xml(status: u16, body: &str) -> Answer {
        Answer::http(status, "Content-Type: application/xml\r\n", body)
    }

    fn error(status: u16, headers: &str, code: &str, more: &str) -> Answer {
        let body = format!("<Error><Code>{code}</Code><Message>made up</Message>{more}</Error>");
        let headers = format!("Content-Type: application/xml\r\n{headers}");
        Answer::http(status, &headers, &body)
    }

    async fn get(
        answers: impl IntoIterator<Item = Answer>,
    ) -> Result<Notifications, NotificationsError> {
        let server = Recorded::answers(answers);
        let clients = server.clients().await;
        clients.bucket_notifications(None).get(BUCKET).await
    }

    async fn failed(answer: Answer) -> RequestError {
        match get([answer]).await.unwrap_err() {
            NotificationsError::Request(error) => error,
            error => panic!("{error:?}"),
        }
    }

    async fn region_told(answer: Answer) -> Option<String> {
        match get([answer]).await.unwrap_err() {
            NotificationsError::OtherRegion { region } => region,
            error => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn a_configuration_is_put_back_with_all_that_was_read() {
        let server = Recorded::answers([xml(200, FULL), xml(200, "")]);
        let clients = server.clients().await;
        let bucket = clients.bucket_notifications(Some("111122223333".to_owned()));
        let mut notifications = bucket.get(BUCKET).await.unwrap();
        assert_eq!(notifications.destinations.len(), 3);
        assert!(!notifications.event_bridge);
        notifications.event_bridge = true;
        bucket.put(BUCKET, &notifications).await.unwrap();

        let read = server.request(0).head.to_ascii_lowercase();
        assert!(
            read.starts_with("get /amzn-s3-demo-bucket/?notification "),
            "{read}"
        );
        assert!(
            read.contains("x-amz-expected-bucket-owner: 111122223333"),
            "{read}"
        );
        let put = server.request(1);
        let head = put.head.to_ascii_lowercase();
        assert!(
            head.starts_with("put /amzn-s3-demo-bucket/?notification "),
            "{head}"
        );
        assert!(
            head.contains("x-amz-expected-bucket-owner: 111122223333"),
            "{head}"
        );
        assert!(
            head.contains("x-amz-skip-destination-validation: true"),
            "{head}"
        );
        let was = FULL.split_once("?>").unwrap().1.replace('\n', "");
        let end = "</NotificationConfiguration>";
        let with = was.replace(
            end,
            &format!("<EventBridgeConfiguration></EventBridgeConfiguration>{end}"),
        );
        let sent = put.body.replace(
            "<EventBridgeConfiguration/>",
            "<EventBridgeConfiguration></EventBridgeConfiguration>",
        );
        assert_eq!(sent, with);
    }

    #[tokio::test]
    async fn a_bucket_without_notifications_has_none() {
        let none =
            r#"<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>"#;
        assert_eq!(
            get([xml(200, none)]).await.unwrap(),
            Notifications::default()
        );
    }

    #[tokio::test]
    async fn an_element_that_would_be_dropped_is_an_error() {
        for unknown in [
            FULL.replace("<S3Key>", "<S3Tags a=\"1\"/><S3Key>"),
            FULL.replace(
                "</CloudFunctionConfiguration>",
                "</CloudFunctionConfiguration><S3Tags>x</S3Tags>",
            ),
        ] {
            match get([xml(200, &unknown)]).await.unwrap_err() {
                NotificationsError::UnknownElement { name } => assert_eq!(name, "S3Tags"),
                error => panic!("{error:?}"),
            }
        }
    }

    #[tokio::test]
    async fn order_and_spelling_of_rules_make_no_difference() {
        let other = FULL
            .replace(
                "<Event>s3:ObjectCreated:Put</Event><Event>s3:SomethingNew:*</Event>",
                "<Event>s3:SomethingNew:*</Event><Event>s3:ObjectCreated:Put</Event>",
            )
            .replace("Prefix", "prefix");
        assert_ne!(other, FULL);
        let first = get([xml(200, FULL)]).await.unwrap();
        assert_eq!(get([xml(200, &other)]).await.unwrap(), first);
        for changed in [
            FULL.replace("ObjectCreated:Put", "ObjectCreated:Post"),
            FULL.replace(".gz", ".gz2"),
            FULL.replace("<Id>t</Id>", "<Id>u</Id>"),
            FULL.replace("function:f", "function:g"),
            FULL.replace(
                "</TopicConfiguration>",
                "</TopicConfiguration><EventBridgeConfiguration/>",
            ),
        ] {
            assert_ne!(get([xml(200, &changed)]).await.unwrap(), first, "{changed}");
        }
    }

    #[tokio::test]
    async fn refusals_have_their_kind_and_code() {
        let denied = failed(error(403, "", "AccessDenied", "")).await;
        assert_eq!(
            (denied.kind, denied.code.as_deref()),
            (ErrorKind::AccessDenied, Some("AccessDenied"))
        );
        let missing = failed(error(404, "", "NoSuchBucket", "")).await;
        assert_eq!(
            (missing.kind, missing.code.as_deref()),
            (ErrorKind::NotFound, Some("NoSuchBucket"))
        );
        let expired = failed(error(400, "", "ExpiredToken", "")).await;
        assert_eq!(
            (expired.kind, expired.code.as_deref()),
            (ErrorKind::AccessDenied, Some("ExpiredToken"))
        );
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_words_of_s3() {
        let body =
            "<Error><Code>AccessDenied</Code><Message>with an explicit deny</Message></Error>";
        let denied = failed(xml(403, body)).await;
        assert_eq!(denied.source.to_string(), "with an explicit deny");
        let wordless = failed(xml(403, "")).await;
        assert_eq!(wordless.source.to_string(), "HTTP status 403");
    }

    #[tokio::test]
    async fn the_region_of_the_bucket_is_told_wherever_it_stands() {
        let header = "x-amz-bucket-region: eu-west-1\r\n";
        let endpoint = "<Endpoint>amzn-s3-demo-bucket.s3.eu-west-1.amazonaws.com</Endpoint>";
        let old_endpoint = "<Endpoint>amzn-s3-demo-bucket.s3-eu-west-1.amazonaws.com</Endpoint>";
        for answer in [
            error(301, header, "PermanentRedirect", ""),
            error(301, "", "PermanentRedirect", endpoint),
            error(301, "", "PermanentRedirect", old_endpoint),
            error(
                400,
                "",
                "AuthorizationHeaderMalformed",
                "<Region>eu-west-1</Region>",
            ),
            error(400, header, "IllegalLocationConstraintException", ""),
        ] {
            assert_eq!(region_told(answer).await.as_deref(), Some("eu-west-1"));
        }
        let endpoint = "<Endpoint>s3.amazonaws.com</Endpoint>";
        assert_eq!(
            region_told(error(301, "", "PermanentRedirect", endpoint)).await,
            None
        );
    }

    #[tokio::test]
    async fn a_refusal_in_the_right_region_is_not_about_the_region() {
        let header = "x-amz-bucket-region: eu-central-1\r\n";
        let denied = failed(error(403, header, "AccessDenied", "")).await;
        assert_eq!(denied.kind, ErrorKind::AccessDenied);
        let malformed = failed(error(400, "", "AuthorizationHeaderMalformed", "")).await;
        assert_eq!(
            malformed.code.as_deref(),
            Some("AuthorizationHeaderMalformed")
        );
    }

    #[tokio::test]
    async fn reading_is_repeated_while_it_is_throttled_or_fails() {
        let answers = [
            error(503, "", "SlowDown", ""),
            error(500, "", "InternalError", ""),
            xml(200, FULL),
        ];
        assert_eq!(get(answers).await.unwrap().destinations.len(), 3);
        let silence = || Answer::Silence;
        match get([silence(), silence(), silence()]).await.unwrap_err() {
            NotificationsError::Request(error) => {
                assert_eq!((error.kind, error.code), (ErrorKind::Unknown, None));
            }
            error => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn putting_is_repeated_only_while_it_is_throttled() {
        let put = async |answers: Vec<Answer>| {
            let server = Recorded::answers(answers);
            let bucket = server.clients().await.bucket_notifications(None);
            let answer = bucket.put(BUCKET, &Notifications::default()).await;
            (server.requests(), answer)
        };
        let (requests, answer) = put(vec![error(503, "", "SlowDown", ""), xml(200, "")]).await;
        assert_eq!(requests, 2);
        answer.unwrap();
        for answer in [error(500, "", "InternalError", ""), Answer::Silence] {
            let (requests, answer) = put(vec![answer, xml(200, "")]).await;
            assert_eq!(requests, 1);
            match answer.unwrap_err() {
                NotificationsError::Request(error) => assert!(!error.had_no_effect()),
                error => panic!("{error:?}"),
            }
        }
        let (requests, answer) = put(vec![error(403, "", "AccessDenied", "")]).await;
        assert_eq!(requests, 1);
        match answer.unwrap_err() {
            NotificationsError::Request(error) => assert!(error.had_no_effect()),
            error => panic!("{error:?}"),
        }
        let redirect = error(
            301,
            "x-amz-bucket-region: eu-west-1\r\n",
            "PermanentRedirect",
            "",
        );
        let (_, answer) = put(vec![redirect]).await;
        assert!(matches!(
            answer.unwrap_err(),
            NotificationsError::OtherRegion { region: Some(_) }
        ));
    }

    #[tokio::test]
    async fn missing_credentials_are_told_apart_from_a_missing_answer() {
        let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", nowhere.local_addr().unwrap());
        drop(nowhere);
        let timeouts = Timeouts::short();
        let loader = || {
            loader(timeouts)
                .region(aws_config::Region::new("eu-central-1"))
                .endpoint_url(&url)
        };
        let nobody = ProfileFileCredentialsProvider::builder().profile_name("made-up-and-missing");
        let nobody = loader().credentials_provider(nobody.build()).load().await;
        let bucket = BucketNotifications::new(&nobody, timeouts, None);
        let error = bucket.get(BUCKET).await.unwrap_err();
        assert!(
            matches!(error, NotificationsError::NoCredentials { .. }),
            "{error:?}"
        );
        let somebody = Credentials::new("AKIDEXAMPLE", "made-up", None, None, "tests");
        let somebody = loader().credentials_provider(somebody).load().await;
        let bucket = BucketNotifications::new(&somebody, timeouts, None);
        let error = bucket.get(BUCKET).await.unwrap_err();
        assert!(matches!(error, NotificationsError::Request(_)), "{error:?}");
    }
}

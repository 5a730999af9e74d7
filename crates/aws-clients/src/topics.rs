//! Topics of SNS.
//!
//! Publishing twice sends two mails. So `Publish` is sent again only after an answer that says nothing
//! was published.

use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::Builder;
use aws_sdk_sns::error::BuildError;
use aws_sdk_sns::types::MessageAttributeValue;
use ports::{Attribute, ErrorKind, Publication, Publish, RequestError};

use crate::Timeouts;
use crate::request::{own_error, send};
use crate::retry::while_throttled;

const PUBLISH: &str = "Publish";

/// Publishes to topics.
#[derive(Debug, Clone)]
pub struct Topics {
    client: Client,
    timeouts: Timeouts,
}

impl Topics {
    pub(crate) fn new(config: &SdkConfig, timeouts: Timeouts) -> Topics {
        let config = Builder::from(config).retry_config(timeouts.single_attempt());
        Topics {
            client: Client::from_conf(config.build()),
            timeouts,
        }
    }

    async fn publish_once(
        &self,
        topic_arn: &str,
        publication: &Publication,
    ) -> Result<(), RequestError> {
        let mut request = self
            .client
            .publish()
            .topic_arn(topic_arn)
            .subject(&publication.subject)
            .message(&publication.message);
        if publication.is_json_structure {
            request = request.message_structure("json");
        }
        for attribute in &publication.attributes {
            let value = attribute_value(attribute)
                .map_err(|error| own_error(PUBLISH, ErrorKind::Refused, error))?;
            request = request.message_attributes(&attribute.name, value);
        }
        send(PUBLISH, request.send()).await.map(|_| ())
    }
}

impl Publish for Topics {
    async fn publish(
        &self,
        topic_arn: &str,
        publication: &Publication,
    ) -> Result<(), RequestError> {
        while_throttled(self.timeouts, async || {
            self.publish_once(topic_arn, publication).await
        })
        .await
    }
}

fn attribute_value(attribute: &Attribute) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder()
        .data_type("String")
        .string_value(&attribute.value)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, Recorded};

    const TOPIC: &str = "arn:aws:sns:eu-central-1:111122223333:alarms";

    fn publication() -> Publication {
        Publication {
            subject: "subject".to_owned(),
            message: "text".to_owned(),
            is_json_structure: false,
            attributes: vec![Attribute {
                name: "severity".to_owned(),
                value: "high".to_owned(),
            }],
        }
    }

    fn xml(status: u16, body: &str) -> Answer {
        Answer::http(status, "Content-Type: text/xml\r\n", body)
    }

    fn ok() -> Answer {
        xml(
            200,
            "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>",
        )
    }

    fn error(status: u16, code: &str) -> Answer {
        let told = format!("<Code>{code}</Code><Message>made up</Message>");
        xml(
            status,
            &format!("<ErrorResponse><Error>{told}</Error></ErrorResponse>"),
        )
    }

    async fn publish(server: &Recorded) -> Result<(), RequestError> {
        let topics = server.clients().await.topics();
        topics.publish(TOPIC, &publication()).await
    }

    #[tokio::test]
    async fn text_is_published_with_its_attributes() {
        let server = Recorded::answers([ok()]);
        publish(&server).await.unwrap();
        let body = server.request(0).body;
        assert!(body.contains("Subject=subject"), "{body}");
        assert!(body.contains("Message=text"), "{body}");
        assert!(body.contains("entry.1.Name=severity"), "{body}");
        assert!(body.contains("entry.1.Value.StringValue=high"), "{body}");
        assert!(!body.contains("MessageStructure"), "{body}");
    }

    #[tokio::test]
    async fn a_member_for_each_protocol_is_said_to_be_so() {
        let server = Recorded::answers([ok()]);
        let topics = server.clients().await.topics();
        let publication = Publication {
            is_json_structure: true,
            ..publication()
        };
        topics.publish(TOPIC, &publication).await.unwrap();
        let body = server.request(0).body;
        assert!(body.contains("MessageStructure=json"), "{body}");
    }

    #[tokio::test]
    async fn a_throttled_message_is_published_later() {
        let server = Recorded::answers([error(400, "Throttled"), ok()]);
        publish(&server).await.unwrap();
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn a_message_whose_answer_got_lost_is_not_published_again() {
        let server = Recorded::answers([Answer::Silence, ok()]);
        let error = publish(&server).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        assert!(!error.had_no_effect());
        assert_eq!(server.requests(), 1);
    }

    #[tokio::test]
    async fn a_message_that_the_service_failed_is_not_published_again() {
        let server = Recorded::answers([error(500, "InternalError"), ok()]);
        let error = publish(&server).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        assert_eq!(error.code.as_deref(), Some("InternalError"));
        assert_eq!(server.requests(), 1);
    }

    #[tokio::test]
    async fn a_topic_with_a_disabled_key_says_so() {
        let server = Recorded::answers([error(400, "KMSDisabled")]);
        let error = publish(&server).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::KeyDenied);
    }
}

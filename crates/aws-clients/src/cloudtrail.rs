//! Trails and public keys of CloudTrail, in one Region.

use std::collections::HashSet;

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::primitives::DateTime;
use aws_sdk_cloudtrail::types::{PublicKey, Trail as DescribedTrail};
use ports::{ErrorKind, PublicKeyEntry, PublicKeys, RequestError, Trail, TrailStatus, Trails};

use crate::request::{own_error, send};

const DESCRIBE_TRAILS: &str = "DescribeTrails";
const GET_TRAIL_STATUS: &str = "GetTrailStatus";
const LIST_PUBLIC_KEYS: &str = "ListPublicKeys";

/// Far more pages than a Region has had keys.
const MOST_PAGES: usize = 1_000;

/// Asks CloudTrail in one Region.
#[derive(Debug, Clone)]
pub struct CloudTrail {
    client: Client,
}

impl CloudTrail {
    pub(crate) fn new(config: &SdkConfig) -> CloudTrail {
        CloudTrail {
            client: Client::new(config),
        }
    }
}

impl Trails for CloudTrail {
    async fn describe_trails(&self) -> Result<Vec<Trail>, RequestError> {
        let answer = send(DESCRIBE_TRAILS, self.client.describe_trails().send()).await?;
        let trails = answer.trail_list.unwrap_or_default();
        trails.into_iter().map(trail).collect()
    }

    async fn trail_status(&self, trail_arn: &str) -> Result<TrailStatus, RequestError> {
        let request = self.client.get_trail_status().name(trail_arn);
        let answer = send(GET_TRAIL_STATUS, request.send()).await?;
        Ok(TrailStatus {
            is_logging: answer.is_logging == Some(true),
            latest_delivery_time: seconds(answer.latest_delivery_time),
            latest_delivery_error: answer.latest_delivery_error.filter(|said| !said.is_empty()),
            latest_digest_delivery_time: seconds(answer.latest_digest_delivery_time),
            latest_digest_delivery_error: answer
                .latest_digest_delivery_error
                .filter(|said| !said.is_empty()),
            stopped_at: seconds(answer.stop_logging_time),
        })
    }
}

impl PublicKeys for CloudTrail {
    async fn list_public_keys(
        &self,
        start: i64,
        end: i64,
    ) -> Result<Vec<PublicKeyEntry>, RequestError> {
        let mut keys = Vec::new();
        let mut known = HashSet::new();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let request = self
                .client
                .list_public_keys()
                .start_time(DateTime::from_secs(start))
                .end_time(DateTime::from_secs(end))
                .set_next_token(token);
            let answer = send(LIST_PUBLIC_KEYS, request.send()).await?;
            for key in answer.public_key_list.unwrap_or_default() {
                keys.push(public_key(key)?);
            }
            match answer.next_token.filter(|token| !token.is_empty()) {
                None => return Ok(keys),
                Some(next) if !known.insert(next.clone()) => break,
                Some(next) => token = Some(next),
            }
        }
        Err(unreadable(
            LIST_PUBLIC_KEYS,
            "the pages do not come to an end",
        ))
    }
}

fn trail(trail: DescribedTrail) -> Result<Trail, RequestError> {
    let arn = trail.trail_arn.ok_or_else(|| missing("TrailARN"))?;
    let home_region = trail.home_region.or_else(|| region_of(&arn));
    Ok(Trail {
        name: trail.name.ok_or_else(|| missing("Name"))?,
        home_region: home_region.ok_or_else(|| missing("HomeRegion"))?,
        bucket: trail
            .s3_bucket_name
            .ok_or_else(|| missing("S3BucketName"))?,
        prefix: trail.s3_key_prefix.filter(|prefix| !prefix.is_empty()),
        is_organization_trail: trail.is_organization_trail == Some(true),
        is_multi_region: trail.is_multi_region_trail == Some(true),
        validates_log_files: trail.log_file_validation_enabled == Some(true),
        arn,
    })
}

fn missing(member: &str) -> RequestError {
    unreadable(DESCRIBE_TRAILS, format!("a trail has no {member}"))
}

/// The Region in an ARN: the fourth part.
fn region_of(arn: &str) -> Option<String> {
    let region = arn.split(':').nth(3)?;
    (!region.is_empty()).then(|| region.to_owned())
}

fn public_key(key: PublicKey) -> Result<PublicKeyEntry, RequestError> {
    let missing = |member| unreadable(LIST_PUBLIC_KEYS, format!("a public key has no {member}"));
    Ok(PublicKeyEntry {
        value: key.value.ok_or_else(|| missing("Value"))?.into_inner(),
        fingerprint: key.fingerprint.ok_or_else(|| missing("Fingerprint"))?,
        validity_start: seconds(key.validity_start_time)
            .ok_or_else(|| missing("ValidityStartTime"))?,
        validity_end: seconds(key.validity_end_time).ok_or_else(|| missing("ValidityEndTime"))?,
    })
}

fn seconds(time: Option<DateTime>) -> Option<i64> {
    time.map(|time| time.secs())
}

fn unreadable(operation: &'static str, told: impl Into<String>) -> RequestError {
    own_error(operation, ErrorKind::Unknown, told.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, Recorded};

    const ARN: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit-trail";

    async fn cloudtrail(answers: Vec<Answer>) -> (Recorded, CloudTrail) {
        let server = Recorded::answers(answers);
        let cloudtrail = server.clients().await.trails("us-west-2");
        (server, cloudtrail)
    }

    #[tokio::test]
    async fn trails_are_told_as_they_are_set_up() {
        let body = format!(
            r#"{{"trailList":[
                {{"TrailARN":"{ARN}","Name":"audit-trail","HomeRegion":"eu-west-1","S3BucketName":"amzn-s3-demo-bucket",
                 "S3KeyPrefix":"logs","IsOrganizationTrail":true,"IsMultiRegionTrail":true,"LogFileValidationEnabled":true}},
                {{"TrailARN":"{ARN}","Name":"other","S3BucketName":"b","S3KeyPrefix":""}}]}}"#
        );
        let (server, cloudtrail) = cloudtrail(vec![Answer::json(200, &body)]).await;
        let trails = cloudtrail.describe_trails().await.unwrap();
        let first = Trail {
            arn: ARN.to_owned(),
            name: "audit-trail".to_owned(),
            home_region: "eu-west-1".to_owned(),
            bucket: "amzn-s3-demo-bucket".to_owned(),
            prefix: Some("logs".to_owned()),
            is_organization_trail: true,
            is_multi_region: true,
            validates_log_files: true,
        };
        let second = Trail {
            arn: ARN.to_owned(),
            name: "other".to_owned(),
            home_region: "us-east-1".to_owned(),
            bucket: "b".to_owned(),
            ..Trail::default()
        };
        assert_eq!(trails, [first, second]);
        let request = server.request(0);
        assert_eq!(request.body, "{}");
        let head = request.head;
        assert!(
            head.contains("CloudTrail_20131101.DescribeTrails"),
            "{head}"
        );
        assert!(
            head.contains("/us-west-2/cloudtrail/aws4_request"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn a_trail_that_cannot_be_told_is_an_error() {
        let body = format!(r#"{{"trailList":[{{"TrailARN":"{ARN}","Name":"audit-trail"}}]}}"#);
        let (_, cloudtrail) = cloudtrail(vec![Answer::json(200, &body)]).await;
        let error = cloudtrail.describe_trails().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        assert_eq!(error.source.to_string(), "a trail has no S3BucketName");
    }

    #[tokio::test]
    async fn the_status_of_a_trail_has_its_times_and_errors() {
        let body = r#"{"IsLogging":false,"LatestDeliveryTime":1772420400.5,"LatestDeliveryError":"",
            "LatestDigestDeliveryTime":1772420000,"LatestDigestDeliveryError":"AccessDenied","StopLoggingTime":1772420500}"#;
        let (server, cloudtrail) = cloudtrail(vec![Answer::json(200, body)]).await;
        let status = cloudtrail.trail_status(ARN).await.unwrap();
        let expected = TrailStatus {
            is_logging: false,
            latest_delivery_time: Some(1_772_420_400),
            latest_delivery_error: None,
            latest_digest_delivery_time: Some(1_772_420_000),
            latest_digest_delivery_error: Some("AccessDenied".to_owned()),
            stopped_at: Some(1_772_420_500),
        };
        assert_eq!(status, expected);
        assert_eq!(server.request(0).body, format!(r#"{{"Name":"{ARN}"}}"#));
    }

    #[tokio::test]
    async fn a_trail_that_does_not_exist_is_not_found() {
        let body = r#"{"__type":"TrailNotFoundException","message":"made up"}"#;
        let (_, cloudtrail) = cloudtrail(vec![Answer::json(400, body)]).await;
        let error = cloudtrail.trail_status(ARN).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(error.code.as_deref(), Some("TrailNotFoundException"));
        assert_eq!(error.message.as_deref(), Some("made up"));
    }

    fn keys(fingerprint: &str, token: &str) -> Answer {
        Answer::json(
            200,
            &format!(
                r#"{{"PublicKeyList":[{{"Value":"MIIB","ValidityStartTime":1772000000,"ValidityEndTime":1780000000,
                 "Fingerprint":"{fingerprint}"}}]{token}}}"#
            ),
        )
    }

    #[tokio::test]
    async fn keys_of_all_pages_are_told_decoded() {
        let answers = vec![
            keys("f1", r#","NextToken":"t1""#),
            keys("f2", r#","NextToken":"""#),
        ];
        let (server, cloudtrail) = cloudtrail(answers).await;
        let found = cloudtrail
            .list_public_keys(1_772_420_400, 1_772_424_000)
            .await
            .unwrap();
        let expected = PublicKeyEntry {
            value: vec![0x30, 0x82, 0x01],
            fingerprint: "f1".to_owned(),
            validity_start: 1_772_000_000,
            validity_end: 1_780_000_000,
        };
        assert_eq!(found[0], expected);
        assert_eq!(found[1].fingerprint, "f2");
        assert_eq!(found.len(), 2);
        let times = r#""StartTime":1772420400,"EndTime":1772424000"#;
        assert_eq!(server.request(0).body, format!("{{{times}}}"));
        let body = server.request(1).body;
        assert!(
            body.contains(times) && body.contains(r#""NextToken":"t1""#),
            "{body}"
        );
    }

    #[tokio::test]
    async fn pages_that_go_round_in_circles_are_an_error() {
        let page = |token: &str| keys("f", &format!(r#","NextToken":"{token}""#));
        let (server, cloudtrail) =
            cloudtrail(vec![page("a"), page("b"), page("a"), page("b")]).await;
        let error = cloudtrail.list_public_keys(0, 1).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
        assert_eq!(server.requests(), 3);
    }

    #[tokio::test]
    async fn a_key_that_lacks_something_is_an_error() {
        let body = r#"{"PublicKeyList":[{"Value":"MIIB","Fingerprint":"f"}]}"#;
        let (_, cloudtrail) = cloudtrail(vec![Answer::json(200, body)]).await;
        let error = cloudtrail.list_public_keys(0, 1).await.unwrap_err();
        assert_eq!(
            error.source.to_string(),
            "a public key has no ValidityStartTime"
        );
    }

    #[tokio::test]
    async fn a_role_that_may_not_ask_is_denied() {
        let denied = || {
            Answer::json(
                400,
                r#"{"__type":"AccessDeniedException","Message":"made up"}"#,
            )
        };
        let (_, cloudtrail) = cloudtrail(vec![denied(), denied()]).await;
        let error = cloudtrail.list_public_keys(0, 1).await.unwrap_err();
        assert_eq!(
            (error.operation, error.kind),
            ("ListPublicKeys", ErrorKind::AccessDenied)
        );
        let error = cloudtrail.describe_trails().await.unwrap_err();
        assert_eq!(
            (error.operation, error.kind),
            ("DescribeTrails", ErrorKind::AccessDenied)
        );
    }
}

//! What all clients have in common, and each client when it is asked for.

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_s3::config::SharedCredentialsProvider;

use crate::{
    BucketNotifications, CloudTrail, EvidenceLog, Organizations, S3Objects, SqsQueue, TableItems,
    Timeouts, Topics,
};

/// Makes the clients.
#[derive(Debug, Clone)]
pub struct Clients {
    config: SdkConfig,
    timeouts: Timeouts,
}

/// Why the clients cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Without a Region there is no endpoint to send a request to.
    #[error("no AWS Region is set, expected AWS_REGION")]
    NoRegion,
}

impl Clients {
    /// Reads the SDK's settings from the environment. No request is made: credentials are looked for
    /// with the first one.
    ///
    /// # Errors
    /// `NoRegion` if neither `AWS_REGION` nor `AWS_DEFAULT_REGION` is set.
    pub async fn load(timeouts: Timeouts) -> Result<Clients, LoadError> {
        let region = EnvironmentVariableRegionProvider::new();
        Clients::new(loader(timeouts).region(region).load().await, timeouts)
    }

    /// Reads the SDK's settings as the AWS CLI does, for a command that a person runs: from the
    /// environment, from the files that `aws configure` writes, from an instance's role. What is given
    /// here goes first: with a profile, credentials are those of the profile or none.
    ///
    /// # Errors
    /// `NoRegion` if none is given and none is configured.
    pub async fn load_for_person(
        timeouts: Timeouts,
        region: Option<String>,
        profile: Option<&str>,
    ) -> Result<Clients, LoadError> {
        let mut loader = loader(timeouts);
        if let Some(region) = region {
            loader = loader.region(Region::new(region));
        }
        let config = match profile {
            Some(profile) => {
                let config = loader.profile_name(profile).load().await;
                with_credentials_of(profile, config)
            }
            None => loader.load().await,
        };
        Clients::new(config, timeouts)
    }

    pub(crate) fn new(config: SdkConfig, timeouts: Timeouts) -> Result<Clients, LoadError> {
        match config.region() {
            Some(_) => Ok(Clients { config, timeouts }),
            None => Err(LoadError::NoRegion),
        }
    }

    /// Reads, lists and writes objects of any bucket.
    pub fn objects(&self) -> S3Objects {
        S3Objects::new(&self.config, self.timeouts)
    }

    /// The same for buckets of another Region.
    pub fn objects_in(&self, region: &str) -> S3Objects {
        S3Objects::new(&self.config_in(region), self.timeouts)
    }

    /// Tells of trails, as a Region shows them.
    pub fn trails(&self, region: &str) -> CloudTrail {
        CloudTrail::new(&self.config_in(region))
    }

    /// Tells the public keys of a Region.
    pub fn public_keys(&self, region: &str) -> CloudTrail {
        CloudTrail::new(&self.config_in(region))
    }

    /// Tells of the organization that this account is in. It is asked in the one Region of the partition that
    /// has an endpoint for it, whatever the Region here is.
    pub fn organization(&self) -> Organizations {
        Organizations::new(&self.config)
    }

    fn config_in(&self, region: &str) -> SdkConfig {
        let region = Region::new(region.to_owned());
        self.config.to_builder().region(region).build()
    }

    /// The Region that requests go to.
    pub fn region(&self) -> &str {
        self.config.region().map(Region::as_ref).unwrap_or_default()
    }

    /// Reads and puts the notifications of buckets; with an expected owner (an account id) only of
    /// buckets of that account.
    pub fn bucket_notifications(&self, expected_owner: Option<String>) -> BucketNotifications {
        BucketNotifications::new(&self.config, self.timeouts, expected_owner)
    }

    /// Keeps items in a table, by its name or ARN.
    pub fn items(&self, table: impl Into<String>) -> TableItems {
        TableItems::new(&self.config, table.into())
    }

    /// Sends messages to a FIFO queue, by its URL.
    pub fn queue(&self, url: impl Into<String>) -> SqsQueue {
        SqsQueue::fifo(&self.config, url.into())
    }

    /// Sends messages to a standard queue, by its URL: groups and deduplication ids are left out.
    pub fn standard_queue(&self, url: impl Into<String>) -> SqsQueue {
        SqsQueue::standard(&self.config, url.into())
    }

    /// Writes to a log group, by its name, in a log stream of its own. The stream is named as Lambda
    /// names those of a function, after the function's version.
    pub fn evidence_log(&self, log_group: impl Into<String>) -> EvidenceLog {
        let function_version = std::env::var("AWS_LAMBDA_FUNCTION_VERSION").ok();
        EvidenceLog::new(
            &self.config,
            self.timeouts,
            log_group.into(),
            function_version.as_deref(),
        )
    }

    /// Publishes to topics.
    pub fn topics(&self) -> Topics {
        Topics::new(&self.config, self.timeouts)
    }
}

/// The SDK's own chain asks the environment before it asks a profile that was named.
fn with_credentials_of(profile: &str, config: SdkConfig) -> SdkConfig {
    // A role to assume is asked for in this Region.
    let region = config.region().cloned();
    let credentials = ProfileFileCredentialsProvider::builder()
        .configure(&ProviderConfig::without_region().with_region(region))
        .profile_name(profile)
        .build();
    config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

pub(crate) fn loader(timeouts: Timeouts) -> ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest())
        .retry_config(timeouts.retry_config())
        .timeout_config(timeouts.timeout_config())
        .stalled_stream_protection(timeouts.stalled_stream_protection())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoRegion;

    impl aws_config::meta::region::ProvideRegion for NoRegion {
        fn region(&self) -> aws_config::meta::region::future::ProvideRegion<'_> {
            aws_config::meta::region::future::ProvideRegion::ready(None)
        }
    }

    impl std::fmt::Debug for NoRegion {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("NoRegion")
        }
    }

    #[tokio::test]
    async fn a_missing_region_is_said_by_the_name_of_its_variable() {
        let timeouts = Timeouts::patient();
        let config = loader(timeouts).region(NoRegion).load().await;
        let error = Clients::new(config, timeouts).unwrap_err();
        assert_eq!(error, LoadError::NoRegion);
        assert_eq!(
            error.to_string(),
            "no AWS Region is set, expected AWS_REGION"
        );
    }
}

//! Trails, the keys that their digest files are signed with, and the organization.

use crate::RequestError;

/// A trail as it is set up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// Its ARN.
    pub arn: String,
    /// Its name, part of the keys of digest files.
    pub name: String,
    /// Where it was made.
    pub home_region: String,
    /// Where it delivers to.
    pub bucket: String,
    /// What keys begin with, before `/AWSLogs/`.
    pub prefix: Option<String>,
    /// Whether it is one for all accounts of an organization.
    pub is_organization_trail: bool,
    /// Whether it is one for all Regions.
    pub is_multi_region: bool,
    /// Whether digest files are delivered.
    pub validates_log_files: bool,
}

/// How a trail does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrailStatus {
    /// Whether it is turned on.
    pub is_logging: bool,
    /// When it last delivered log files, in Unix seconds.
    pub latest_delivery_time: Option<i64>,
    /// What S3 answered when they could not be delivered last.
    pub latest_delivery_error: Option<String>,
    /// When it last delivered a digest file, in Unix seconds.
    pub latest_digest_delivery_time: Option<i64>,
    /// What S3 answered when a digest file could not be delivered last.
    pub latest_digest_delivery_error: Option<String>,
    /// When it was last turned off, in Unix seconds.
    pub stopped_at: Option<i64>,
}

/// A public key of CloudTrail's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKeyEntry {
    /// The key, DER.
    pub value: Vec<u8>,
    /// Its fingerprint, as digest files name it.
    pub fingerprint: String,
    /// From when on it is valid, in Unix seconds.
    pub validity_start: i64,
    /// Until when it is valid, in Unix seconds.
    pub validity_end: i64,
}

/// Tells of trails.
pub trait Trails {
    /// The trails that the client's Region shows to this account: its own, those of other Regions that are
    /// for all Regions, and those of its organization.
    ///
    /// # Errors
    /// The request failed.
    async fn describe_trails(&self) -> Result<Vec<Trail>, RequestError>;

    /// How a trail does in the client's Region, by its ARN.
    ///
    /// # Errors
    /// `NotFound` if there is none; or the request failed.
    async fn trail_status(&self, trail_arn: &str) -> Result<TrailStatus, RequestError>;
}

/// Tells the public keys of one Region.
pub trait PublicKeys {
    /// All keys that are valid at some time from `start` to `end`, in Unix seconds.
    ///
    /// # Errors
    /// A request failed, or the keys do not come to an end.
    async fn list_public_keys(
        &self,
        start: i64,
        end: i64,
    ) -> Result<Vec<PublicKeyEntry>, RequestError>;
}

/// Tells of the organization that this account is in.
pub trait Organization {
    /// Its id: `o-exampleorgid`.
    ///
    /// # Errors
    /// `NotFound` if the account is in none; or the request failed.
    async fn organization_id(&self) -> Result<String, RequestError>;

    /// The ids of its active accounts.
    ///
    /// # Errors
    /// A request failed, or the accounts do not come to an end.
    async fn account_ids(&self) -> Result<Vec<String>, RequestError>;
}

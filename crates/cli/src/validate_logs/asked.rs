//! What a validation is asked for: which chain, where it lies, and between which times.

use digest_chain::{Scope, Stream};

/// A chain and a range of time.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The trail.
    pub trail: TrailArn,
    /// Where its digests lie.
    pub bucket: String,
    /// What stands before `AWSLogs/`, without the slash; empty for none.
    pub prefix: String,
    /// The organization of an organization trail.
    pub organization_id: Option<String>,
    /// The account whose log files are looked at.
    pub account_id: String,
    /// The Region whose log files are looked at.
    pub region: String,
    /// The range, in Unix seconds.
    pub start: i64,
    /// Its end.
    pub end: i64,
}

impl Asked {
    /// The chain.
    pub(crate) fn stream(&self) -> Stream {
        Stream {
            scope: Scope {
                prefix: self.prefix.clone(),
                organization_id: self.organization_id.clone(),
                account_id: self.account_id.clone(),
                region: self.region.clone(),
            },
            trail: self.trail.name.clone(),
            home_region: self.trail.home_region.clone(),
        }
    }
}

/// The ARN of a trail, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrailArn {
    /// All of it.
    pub arn: String,
    /// The Region the trail was made in.
    pub home_region: String,
    /// The account that made it.
    pub account_id: String,
    /// Its name.
    pub name: String,
}

impl TrailArn {
    /// Reads `arn:PARTITION:cloudtrail:REGION:ACCOUNT:trail/NAME`.
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let (scheme, _partition, service) = (part()?, part()?, part()?);
        let (home_region, account_id, resource) = (part()?, part()?, part()?);
        let is_account = account_id.len() == 12 && account_id.bytes().all(|b| b.is_ascii_digit());
        let is_trail = resource
            .strip_prefix("trail/")
            .is_some_and(|name| !name.is_empty());
        let is_valid = scheme == "arn" && service == "cloudtrail" && is_account && is_trail;
        is_valid.then(|| TrailArn {
            arn: arn.to_owned(),
            home_region: home_region.to_owned(),
            account_id: account_id.to_owned(),
            name: resource.rsplit('/').next().unwrap_or_default().to_owned(),
        })
    }

    /// The ARN of a trail of which only digests are known.
    pub(crate) fn of(home_region: &str, account_id: &str, name: &str) -> Self {
        let partition = match home_region {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        TrailArn {
            arn: format!("arn:{partition}:cloudtrail:{home_region}:{account_id}:trail/{name}"),
            home_region: home_region.to_owned(),
            account_id: account_id.to_owned(),
            name: name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_of_every_partition_are_read() {
        for arn in [
            "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit-trail",
            "arn:aws-cn:cloudtrail:cn-north-1:111122223333:trail/a.b_c-d",
            "arn:aws-us-gov:cloudtrail:us-gov-west-1:111122223333:trail/x",
        ] {
            let trail = TrailArn::parse(arn).unwrap();
            let made = TrailArn::of(&trail.home_region, &trail.account_id, &trail.name);
            assert_eq!(made, trail);
        }
    }

    #[test]
    fn what_is_no_arn_of_a_trail_is_refused() {
        for arn in [
            "",
            "audit-trail",
            "arn:aws:cloudtrail:us-east-1:111122223333:trail/",
            "arn:aws:cloudtrail:us-east-1:1111:trail/x",
            "arn:aws:cloudtrail::111122223333:trail/x",
            "arn:aws:s3:us-east-1:111122223333:trail/x",
            "arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/x",
        ] {
            assert_eq!(TrailArn::parse(arn), None, "{arn}");
        }
    }
}

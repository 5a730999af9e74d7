//! Trails, public keys and the organization.

use std::collections::BTreeMap;

use ports::{
    ErrorKind, Organization, PublicKeyEntry, PublicKeys, RequestError, Trail, TrailStatus, Trails,
};

use super::{World, error};

/// What CloudTrail and Organizations know.
#[derive(Debug, Default)]
pub(super) struct Account {
    trails: Vec<Trail>,
    statuses: BTreeMap<String, TrailStatus>,
    /// By Region.
    public_keys: BTreeMap<String, Vec<PublicKeyEntry>>,
    organization: Option<(String, Vec<String>)>,
}

/// The public keys of one Region of a [`World`].
#[derive(Debug, Clone)]
pub struct PublicKeysHandle {
    world: World,
    region: String,
}

impl World {
    /// Makes a trail that is turned on, or changes the one with this ARN.
    pub fn add_trail(&self, trail: Trail) {
        let mut state = self.state.borrow_mut();
        let trails = &mut state.account.trails;
        trails.retain(|known| known.arn != trail.arn);
        trails.push(trail);
    }

    /// Deletes the trail with this ARN.
    pub fn delete_trail(&self, trail_arn: &str) {
        let mut state = self.state.borrow_mut();
        let trails = &mut state.account.trails;
        trails.retain(|known| known.arn != trail_arn);
    }

    /// Says how the trail with this ARN does.
    pub fn set_trail_status(&self, trail_arn: &str, status: TrailStatus) {
        let mut state = self.state.borrow_mut();
        let statuses = &mut state.account.statuses;
        statuses.insert(trail_arn.to_owned(), status);
    }

    /// Adds a public key to a Region.
    pub fn add_public_key(&self, region: &str, entry: PublicKeyEntry) {
        let mut state = self.state.borrow_mut();
        let keys = &mut state.account.public_keys;
        keys.entry(region.to_owned()).or_default().push(entry);
    }

    /// The public keys of a Region.
    pub fn public_keys(&self, region: &str) -> PublicKeysHandle {
        PublicKeysHandle {
            world: self.clone(),
            region: region.to_owned(),
        }
    }

    /// Puts the account into an organization with these active accounts.
    pub fn set_organization(&self, id: &str, account_ids: &[&str]) {
        let mut state = self.state.borrow_mut();
        let account_ids = account_ids.iter().map(|&id| id.to_owned()).collect();
        state.account.organization = Some((id.to_owned(), account_ids));
    }
}

impl Trails for World {
    async fn describe_trails(&self) -> Result<Vec<Trail>, RequestError> {
        self.request("DescribeTrails", "", |state| {
            Ok(state.account.trails.clone())
        })
        .await
    }

    async fn trail_status(&self, trail_arn: &str) -> Result<TrailStatus, RequestError> {
        self.request("GetTrailStatus", trail_arn, |state| {
            let account = &state.account;
            if !account.trails.iter().any(|trail| trail.arn == trail_arn) {
                return Err(error("GetTrailStatus", ErrorKind::NotFound));
            }
            let status = account.statuses.get(trail_arn).cloned();
            Ok(status.unwrap_or_else(|| TrailStatus {
                is_logging: true,
                ..TrailStatus::default()
            }))
        })
        .await
    }
}

impl PublicKeys for PublicKeysHandle {
    async fn list_public_keys(
        &self,
        start: i64,
        end: i64,
    ) -> Result<Vec<PublicKeyEntry>, RequestError> {
        self.world
            .request("ListPublicKeys", &self.region, |state| {
                if start > end {
                    return Err(error("ListPublicKeys", ErrorKind::Refused));
                }
                let keys = state.account.public_keys.get(&self.region);
                let keys = keys.into_iter().flatten();
                let valid =
                    keys.filter(|key| key.validity_start <= end && start <= key.validity_end);
                Ok(valid.cloned().collect())
            })
            .await
    }
}

impl Organization for World {
    async fn organization_id(&self) -> Result<String, RequestError> {
        self.request("DescribeOrganization", "", |state| {
            let organization = state.account.organization.as_ref();
            organization
                .map(|(id, _)| id.clone())
                .ok_or_else(|| error("DescribeOrganization", ErrorKind::NotFound))
        })
        .await
    }

    async fn account_ids(&self) -> Result<Vec<String>, RequestError> {
        self.request("ListAccounts", "", |state| {
            let organization = state.account.organization.as_ref();
            organization
                .map(|(_, account_ids)| account_ids.clone())
                .ok_or_else(|| error("ListAccounts", ErrorKind::NotFound))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fault, run};

    const ARN: &str = "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit-trail";

    fn trail(bucket: &str) -> Trail {
        Trail {
            arn: ARN.to_owned(),
            bucket: bucket.to_owned(),
            ..Trail::default()
        }
    }

    fn key(fingerprint: &str, validity_start: i64, validity_end: i64) -> PublicKeyEntry {
        PublicKeyEntry {
            value: vec![0x30],
            fingerprint: fingerprint.to_owned(),
            validity_start,
            validity_end,
        }
    }

    #[test]
    fn a_trail_is_told_as_it_was_last_made() {
        let world = World::new(0);
        world.add_trail(trail("before"));
        world.add_trail(trail("now"));
        let told = run(world.describe_trails()).unwrap().unwrap();
        assert_eq!(told, [trail("now")]);
        assert!(run(world.trail_status(ARN)).unwrap().unwrap().is_logging);
        let stopped = TrailStatus {
            stopped_at: Some(7),
            ..TrailStatus::default()
        };
        world.set_trail_status(ARN, stopped.clone());
        assert_eq!(run(world.trail_status(ARN)).unwrap().unwrap(), stopped);
        world.delete_trail(ARN);
        let error = run(world.trail_status(ARN)).unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        assert_eq!(run(world.describe_trails()).unwrap().unwrap(), []);
    }

    #[test]
    fn keys_are_those_of_the_region_and_of_the_time() {
        let world = World::new(0);
        world.add_public_key("us-east-1", key("a", 0, 100));
        world.add_public_key("us-east-1", key("b", 100, 200));
        world.add_public_key("eu-west-1", key("c", 0, 200));
        let told = |region: &str, start, end| {
            let keys = run(world.public_keys(region).list_public_keys(start, end));
            let keys = keys.unwrap().unwrap().into_iter();
            keys.map(|key| key.fingerprint).collect::<Vec<_>>()
        };
        assert_eq!(told("us-east-1", 0, 99), ["a"]);
        assert_eq!(told("us-east-1", 100, 100), ["a", "b"]);
        assert_eq!(told("us-east-1", 201, 300), [""; 0]);
        assert_eq!(told("eu-west-1", 0, 300), ["c"]);
        assert_eq!(told("eu-north-1", 0, 300), [""; 0]);
    }

    #[test]
    fn an_account_is_in_an_organization_or_not() {
        let world = World::new(0);
        let error = run(world.organization_id()).unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        world.set_organization("o-exampleorgid", &["111122223333", "123456789012"]);
        let id = run(world.organization_id()).unwrap().unwrap();
        assert_eq!(id, "o-exampleorgid");
        let accounts = run(world.account_ids()).unwrap().unwrap();
        assert_eq!(accounts, ["111122223333", "123456789012"]);
    }

    #[test]
    fn faults_are_found_by_the_text_of_requests() {
        let world = World::new(0);
        for text in [
            "DescribeTrails",
            &format!("GetTrailStatus {ARN}"),
            "ListPublicKeys eu-west-1",
        ] {
            world.fail_all(text, Fault::Fail(ErrorKind::Throttled));
        }
        assert!(run(world.describe_trails()).unwrap().is_err());
        let status = run(world.trail_status(ARN)).unwrap();
        assert_eq!(status.unwrap_err().kind, ErrorKind::Throttled);
        let of = |region: &str| run(world.public_keys(region).list_public_keys(0, 1)).unwrap();
        assert!(of("eu-west-1").is_err());
        assert!(of("us-east-1").is_ok());
    }
}

//! Which folders of digests a bucket has: one for each account and Region.

use digest_chain::Scope;
use ports::{ListFrom, ListObjects, ListedObject, RequestError};

/// Folders that are looked into before `AWSLogs/` is found, how deep, and how many.
const MOST_DEPTH: usize = 8;
const MOST_LOOKED_INTO: usize = 500;

/// The folder of digests in an account's.
const DIGESTS: &str = "CloudTrail-Digest/";

/// Lists a prefix, object by object.
pub(crate) struct Lister<'a, O> {
    objects: &'a O,
    bucket: &'a str,
    prefix: String,
    page: std::vec::IntoIter<ListedObject>,
    start: Option<String>,
    /// Where the next page starts; `None` once there is no more.
    next: Option<Next>,
    peeked: Option<ListedObject>,
}

enum Next {
    First,
    Token(String),
}

impl<'a, O: ListObjects> Lister<'a, O> {
    /// The objects whose keys begin with a prefix, behind a key.
    pub(crate) fn new(
        objects: &'a O,
        bucket: &'a str,
        prefix: &str,
        after: Option<String>,
    ) -> Self {
        Lister {
            objects,
            bucket,
            prefix: prefix.to_owned(),
            page: Vec::new().into_iter(),
            start: after,
            next: Some(Next::First),
            peeked: None,
        }
    }

    /// The next object, which stays the next one.
    pub(crate) async fn peek(&mut self) -> Result<Option<&ListedObject>, RequestError> {
        if self.peeked.is_none() {
            self.peeked = self.next().await?;
        }
        Ok(self.peeked.as_ref())
    }

    /// The next object.
    pub(crate) async fn next(&mut self) -> Result<Option<ListedObject>, RequestError> {
        if let Some(object) = self.peeked.take() {
            return Ok(Some(object));
        }
        loop {
            if let Some(object) = self.page.next() {
                return Ok(Some(object));
            }
            let Some(next) = self.next.take() else {
                return Ok(None);
            };
            let from = match (&next, &self.start) {
                (Next::First, None) => ListFrom::Start,
                (Next::First, Some(after)) => ListFrom::After(after),
                (Next::Token(token), _) => ListFrom::Token(token),
            };
            let listing = self
                .objects
                .list_objects(self.bucket, &self.prefix, false, from);
            let listing = listing.await?;
            self.page = listing.objects.into_iter();
            self.next = listing.next.map(Next::Token);
        }
    }
}

/// What a bucket has where folders of digests are, in byte order.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    /// Folders of digests.
    pub(crate) digests: Vec<String>,
    /// Folders whose name is no Region's.
    pub(crate) foreign: Vec<String>,
}

/// The folders of digests below a beginning of keys.
pub(crate) async fn digest_folders(
    objects: &impl ListObjects,
    bucket: &str,
    key_prefix: &str,
) -> Result<Folders, RequestError> {
    let mut found = Folders::default();
    let mut to_look_into = vec![beginning(key_prefix)];
    let mut looked_into = 0;
    while let Some(prefix) = to_look_into.pop() {
        looked_into += 1;
        if looked_into > MOST_LOOKED_INTO && !prefix.contains("AWSLogs/") {
            continue;
        }
        for folder in folders(objects, bucket, &prefix).await? {
            match place(&folder) {
                Place::Outside if folder.matches('/').count() < MOST_DEPTH => {
                    to_look_into.push(folder)
                }
                Place::Outside | Place::Other => {}
                Place::Above => to_look_into.push(folder),
                Place::Account => to_look_into.push(format!("{folder}{DIGESTS}")),
                Place::Region => found.digests.push(folder),
                Place::NoRegion => found.foreign.push(folder),
            }
        }
    }
    for folders in [&mut found.digests, &mut found.foreign] {
        folders.sort();
        folders.dedup();
    }
    Ok(found)
}

/// A beginning of keys that reaches into an account's folder would leave its digests out.
fn beginning(key_prefix: &str) -> String {
    let mut folder = String::new();
    for part in key_prefix.split_inclusive('/') {
        folder.push_str(part);
        if part.ends_with('/') && place(&folder) == Place::Account {
            return format!("{folder}{DIGESTS}");
        }
    }
    folder
}

async fn folders(
    objects: &impl ListObjects,
    bucket: &str,
    prefix: &str,
) -> Result<Vec<String>, RequestError> {
    let mut folders = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let from = token.as_deref().map_or(ListFrom::Start, ListFrom::Token);
        let listing = objects.list_objects(bucket, prefix, true, from).await?;
        folders.extend(listing.folders);
        token = listing.next;
        if token.is_none() {
            return Ok(folders);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing of CloudTrail's yet.
    Outside,
    /// `AWSLogs/`, and the folder of an organization in it.
    Above,
    /// An account's folder.
    Account,
    /// Digests of a Region.
    Region,
    /// What stands where a Region should, and has no Region's name.
    NoRegion,
    /// Something else below `AWSLogs/`.
    Other,
}

fn place(folder: &str) -> Place {
    let parts: Vec<&str> = folder.trim_end_matches('/').split('/').collect();
    let Some(at) = parts.iter().rposition(|part| *part == "AWSLogs") else {
        return Place::Outside;
    };
    let below = parts.get(at + 1..).unwrap_or_default();
    let below = match below.split_first() {
        Some((first, rest)) if first.starts_with("o-") => rest,
        _ => below,
    };
    let is_account =
        |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
    match below {
        [] => Place::Above,
        [account] if is_account(account) => Place::Account,
        [account, "CloudTrail-Digest", region] if is_account(account) => match is_region(region) {
            true => Place::Region,
            false => Place::NoRegion,
        },
        _ => Place::Other,
    }
}

/// Whether it may be a Region's name: `us-gov-west-1`.
fn is_region(name: &str) -> bool {
    let mut parts: Vec<&str> = name.split('-').collect();
    let number = parts.pop().unwrap_or_default();
    let is_word =
        |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_number = number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit());
    let begins = parts.first().is_some_and(|first| first.len() >= 2);
    name.len() <= 32 && is_number && begins && parts.len() >= 2 && parts.iter().all(is_word)
}

/// The account and Region of a folder of digests.
pub(crate) fn scope(folder: &str) -> Option<Scope> {
    let parts: Vec<&str> = folder.strip_suffix('/')?.split('/').collect();
    let at = parts.iter().rposition(|part| *part == "AWSLogs")?;
    let (before, behind) = parts.split_at(at);
    let (organization_id, account_id, region) = match behind {
        [_, account, "CloudTrail-Digest", region] => (None, account, region),
        [_, organization, account, "CloudTrail-Digest", region] => {
            (Some(organization), account, region)
        }
        _ => return None,
    };
    Some(Scope {
        prefix: before.join("/"),
        organization_id: organization_id.map(|id| (*id).to_owned()),
        account_id: (*account_id).to_owned(),
        region: (*region).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use testkit::{World, run};

    use super::*;

    const BUCKET: &str = "amzn-s3-demo-bucket";

    fn found(keys: &[&str], key_prefix: &str) -> Vec<String> {
        let world = World::new(0);
        world.add_bucket(BUCKET, "us-east-1");
        for key in keys {
            world.put_object(BUCKET, key, Vec::new());
        }
        run(digest_folders(&world, BUCKET, key_prefix))
            .unwrap()
            .unwrap()
            .digests
    }

    #[test]
    fn only_names_that_a_region_may_have_are_folders_of_digests() {
        for name in [
            "us-east-1",
            "us-gov-west-1",
            "ap-southeast-7",
            "eusc-de-east-1",
        ] {
            assert!(is_region(name), "{name}");
        }
        let long = format!("us-{}-1", "a".repeat(40));
        for name in [
            "us-east",
            "us-1",
            "US-east-1",
            "us-east-12",
            "us--1",
            "x-east-1",
            &long,
        ] {
            assert!(!is_region(name), "{name}");
        }
    }

    #[test]
    fn folders_are_found_wherever_they_lie() {
        let keys = [
            "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/01/a.json.gz",
            "AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/a.json.gz",
            "AWSLogs/123456789012/CloudTrail-Digest/us-east-1/2026/03/01/a.json.gz",
            "AWSLogs/111122223333/Config/x",
            "audit/trail/AWSLogs/o-exampleorgid/111122223333/CloudTrail-Digest/us-east-1/x",
            "other/x",
        ];
        let all = [
            "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/",
            "AWSLogs/123456789012/CloudTrail-Digest/us-east-1/",
            "audit/trail/AWSLogs/o-exampleorgid/111122223333/CloudTrail-Digest/us-east-1/",
        ];
        assert_eq!(found(&keys, ""), all);
        for prefix in [
            "audit",
            "audit/",
            "audit/trail/AWSLogs/",
            "audit/trail/AWSLogs/o-exampleorgid/",
        ] {
            assert_eq!(found(&keys, prefix), all[2..], "{prefix}");
        }
        let inside = "AWSLogs/111122223333/CloudTrail/";
        assert_eq!(
            found(&keys, inside),
            all[..1],
            "digests of the account all the same"
        );
        for folder in all {
            assert_eq!(scope(folder).unwrap().digest_folder(), folder);
        }
    }
}

//! Buckets and what is in them.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

use ports::{
    BucketRegion, ErrorKind, ListFrom, ListObjects, ListedObject, Listing, ObjectHead,
    ObjectLocation, ObjectVersion, ObjectVersions, PutObject, ReadObject, RequestError, Sink,
    StoredObject, StreamObject,
};

use super::{Fault, State, World, error};

/// The most that one request lists.
const MOST_LISTED: usize = 1_000;

/// The largest piece that a sink is given.
const MOST_PIECE_BYTES: usize = 16 * 1024;

/// Where a bucket is of which nothing was said.
const REGION: &str = "us-east-1";

/// All buckets. They keep versions.
#[derive(Debug)]
pub(super) struct Buckets {
    regions: BTreeMap<String, String>,
    versions: BTreeMap<(String, String), Vec<Version>>,
    page: usize,
}

impl Default for Buckets {
    fn default() -> Self {
        Buckets {
            regions: BTreeMap::new(),
            versions: BTreeMap::new(),
            page: MOST_LISTED,
        }
    }
}

/// A version of an object, or the mark that it was deleted.
#[derive(Debug, Clone)]
enum Version {
    Written {
        object: StoredObject,
        metadata: BTreeMap<String, String>,
    },
    Deleted {
        version: String,
        at: i64,
    },
}

impl Version {
    fn id(&self) -> &str {
        match self {
            Version::Written { object, .. } => object.version.as_deref().unwrap_or_default(),
            Version::Deleted { version, .. } => version,
        }
    }

    fn written(&self) -> Option<(&StoredObject, &BTreeMap<String, String>)> {
        match self {
            Version::Written { object, metadata } => Some((object, metadata)),
            Version::Deleted { .. } => None,
        }
    }
}

impl World {
    /// Puts an object; in a bucket that keeps versions every put is a version.
    pub fn put_object(&self, bucket: &str, key: &str, content: Vec<u8>) -> StoredObject {
        self.put_object_with(bucket, key, content, BTreeMap::new())
    }

    /// Puts an object with metadata: names in lower case, without `x-amz-meta-`.
    pub fn put_object_with(
        &self,
        bucket: &str,
        key: &str,
        content: Vec<u8>,
        metadata: BTreeMap<String, String>,
    ) -> StoredObject {
        let mut state = self.state.borrow_mut();
        state.put_object(bucket, key, content, metadata)
    }

    /// Deletes an object with all its versions.
    pub fn delete_object(&self, bucket: &str, key: &str) {
        let mut state = self.state.borrow_mut();
        let key = (bucket.to_owned(), key.to_owned());
        state.buckets.versions.remove(&key);
    }

    /// Deletes an object as a bucket that keeps versions does: by a mark, whose version it returns. All
    /// versions are still there.
    pub fn delete_marker(&self, bucket: &str, key: &str) -> String {
        let mut state = self.state.borrow_mut();
        let at = state.now_millis.div_euclid(1000);
        let versions = state.buckets.versions_of(bucket, key);
        let version = format!("v{}", versions.len());
        versions.push(Version::Deleted {
            version: version.clone(),
            at,
        });
        version
    }

    /// The current version of an object.
    pub fn object(&self, bucket: &str, key: &str) -> Option<StoredObject> {
        let state = self.state.borrow();
        let location = ObjectLocation {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version: None,
        };
        let (object, _) = state.buckets.find(&location)?;
        Some(object.clone())
    }

    /// Makes a bucket in this Region. One that is not made is when something is put into it, in us-east-1.
    pub fn add_bucket(&self, bucket: &str, region: &str) {
        let mut state = self.state.borrow_mut();
        let regions = &mut state.buckets.regions;
        regions.insert(bucket.to_owned(), region.to_owned());
    }

    /// From now on a request lists at most so many objects and folders, and not 1,000.
    pub fn list_in_pages_of(&self, most: usize) {
        assert!(most > 0, "a page of nothing has no next page");
        self.state.borrow_mut().buckets.page = most;
    }
}

impl Buckets {
    /// The versions of an object, for something that is added.
    fn versions_of(&mut self, bucket: &str, key: &str) -> &mut Vec<Version> {
        if !self.regions.contains_key(bucket) {
            self.regions.insert(bucket.to_owned(), REGION.to_owned());
        }
        let key = (bucket.to_owned(), key.to_owned());
        self.versions.entry(key).or_default()
    }

    fn find(
        &self,
        location: &ObjectLocation,
    ) -> Option<(&StoredObject, &BTreeMap<String, String>)> {
        let key = (location.bucket.clone(), location.key.clone());
        let versions = self.versions.get(&key)?;
        let version = match &location.version {
            None => versions.last(),
            Some(id) => versions.iter().find(|version| version.id() == id),
        };
        version?.written()
    }

    fn list(&self, bucket: &str, prefix: &str, by_folder: bool, from: ListFrom<'_>) -> Listing {
        let (after, told) = match from {
            ListFrom::Start => (None, None),
            ListFrom::After(key) => (Some(key), None),
            ListFrom::Token(token) => (None, Some(last_told(token))),
        };
        let first = after.or(told).unwrap_or_default().max(prefix);
        let first = (bucket.to_owned(), first.to_owned());
        let mut listing = Listing::default();
        let mut last = None;
        for ((_, key), versions) in self
            .versions
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(|((found, key), _)| found == bucket && key.starts_with(prefix))
        {
            let object = versions.last().and_then(Version::written);
            let Some((object, _)) = object.filter(|_| after != Some(key)) else {
                continue;
            };
            let folder = by_folder.then(|| folder_of(key, prefix)).flatten();
            let name = folder.unwrap_or(key);
            if told == Some(name) || last == Some(name) {
                continue;
            }
            if listing.objects.len() + listing.folders.len() == self.page {
                listing.next = last.map(token);
                break;
            }
            last = Some(name);
            match folder {
                Some(folder) => listing.folders.push(folder.to_owned()),
                None => listing.objects.push(listed(key, object)),
            }
        }
        listing
    }
}

/// What a page told last, as the token for the next one.
fn token(last: &str) -> String {
    format!("after {last}")
}

fn last_told(token: &str) -> &str {
    token.strip_prefix("after ").expect("a token of a listing")
}

/// The beginning of a key up to the first `/` after the prefix.
fn folder_of<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    let slash = key[prefix.len()..].find('/')?;
    Some(&key[..=prefix.len() + slash])
}

fn listed(key: &str, object: &StoredObject) -> ListedObject {
    ListedObject {
        key: key.to_owned(),
        etag: object.etag.clone(),
        size: object.content.len() as u64,
        last_modified: object.last_modified,
    }
}

fn told(version: &Version, is_latest: bool) -> ObjectVersion {
    let object = version.written().map(|(object, _)| object);
    ObjectVersion {
        version: version.id().to_owned(),
        is_delete_marker: object.is_none(),
        is_latest,
        last_modified: match version {
            Version::Written { object, .. } => object.last_modified,
            Version::Deleted { at, .. } => Some(*at),
        },
        etag: object.map(|object| object.etag.clone()),
        size: object.map(|object| object.content.len() as u64),
    }
}

impl State {
    fn put_object(
        &mut self,
        bucket: &str,
        key: &str,
        content: Vec<u8>,
        metadata: BTreeMap<String, String>,
    ) -> StoredObject {
        let versions = self.buckets.versions_of(bucket, key);
        let hash = content
            .iter()
            .fold(versions.len() as u64 + 7, |hash, &byte| {
                hash.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte)
            });
        let object = StoredObject {
            content,
            etag: format!("{hash:016x}"),
            version: Some(format!("v{}", versions.len())),
            last_modified: Some(self.now_millis.div_euclid(1000)),
        };
        versions.push(Version::Written {
            object: object.clone(),
            metadata,
        });
        object
    }

    fn check_bucket(&self, operation: &'static str, bucket: &str) -> Result<(), RequestError> {
        match self.buckets.regions.contains_key(bucket) {
            true => Ok(()),
            false => Err(error(operation, ErrorKind::NotFound)),
        }
    }
}

impl ReadObject for World {
    async fn read_object(
        &self,
        location: &ObjectLocation,
        most_bytes: u64,
    ) -> Result<StoredObject, RequestError> {
        let of = location.to_string();
        self.request("GetObject", &of, |state| {
            match state.buckets.find(location) {
                None => Err(error("GetObject", ErrorKind::NotFound)),
                Some((object, _)) if object.content.len() as u64 > most_bytes => {
                    Err(error("GetObject", ErrorKind::TooLarge))
                }
                Some((object, _)) => Ok(object.clone()),
            }
        })
        .await
    }

    async fn read_object_if_changed(
        &self,
        location: &ObjectLocation,
        known_etag: &str,
        most_bytes: u64,
    ) -> Result<Option<StoredObject>, RequestError> {
        let object = self.read_object(location, most_bytes).await?;
        Ok((object.etag != known_etag).then_some(object))
    }
}

impl StreamObject for World {
    async fn stream_object(
        &self,
        location: &ObjectLocation,
        sink: &mut impl Sink,
    ) -> Result<ObjectHead, RequestError> {
        let of = location.to_string();
        let mut found = None;
        let outcome = self
            .request_with_fault("GetObject", &of, |state, fault| {
                let (object, metadata) = state
                    .buckets
                    .find(location)
                    .ok_or_else(|| error("GetObject", ErrorKind::NotFound))?;
                let head = head(object, metadata);
                found = Some((head.clone(), object.content.clone(), fault));
                Ok(head)
            })
            .await;
        if let Some((head, content, fault)) = found {
            let half = &content[..content.len() / 2];
            if matches!(fault, Some(Fault::LoseAnswer | Fault::BreakOff)) {
                pour(&head, half, sink);
            }
            if fault != Some(Fault::LoseAnswer) {
                pour(&head, &content, sink);
            }
        }
        outcome
    }
}

fn head(object: &StoredObject, metadata: &BTreeMap<String, String>) -> ObjectHead {
    ObjectHead {
        etag: object.etag.clone(),
        version: object.version.clone(),
        last_modified: object.last_modified,
        length: Some(object.content.len() as u64),
        metadata: metadata.clone(),
    }
}

/// Hands bytes to a sink from the first one on.
fn pour(head: &ObjectHead, bytes: &[u8], sink: &mut impl Sink) {
    sink.begin(head);
    for piece in bytes.chunks(MOST_PIECE_BYTES) {
        if sink.take(piece) == ControlFlow::Break(()) {
            break;
        }
    }
}

impl ListObjects for World {
    async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        by_folder: bool,
        from: ListFrom<'_>,
    ) -> Result<Listing, RequestError> {
        self.request("ListObjectsV2", &format!("{bucket}/{prefix}"), |state| {
            state.check_bucket("ListObjectsV2", bucket)?;
            Ok(state.buckets.list(bucket, prefix, by_folder, from))
        })
        .await
    }
}

impl ObjectVersions for World {
    async fn object_versions(
        &self,
        bucket: &str,
        key: &str,
        most: usize,
    ) -> Result<Vec<ObjectVersion>, RequestError> {
        self.request("ListObjectVersions", &format!("{bucket}/{key}"), |state| {
            state.check_bucket("ListObjectVersions", bucket)?;
            let key = (bucket.to_owned(), key.to_owned());
            let versions = state.buckets.versions.get(&key);
            let newest_first = versions.into_iter().flatten().rev().take(most).enumerate();
            let all = newest_first.map(|(index, version)| told(version, index == 0));
            Ok(all.collect())
        })
        .await
    }
}

impl PutObject for World {
    async fn put_object(
        &self,
        location: &ObjectLocation,
        content: &[u8],
        _content_type: &str,
    ) -> Result<(), RequestError> {
        let ObjectLocation { bucket, key, .. } = location;
        self.request("PutObject", &location.to_string(), |state| {
            state.put_object(bucket, key, content.to_vec(), BTreeMap::new());
            Ok(())
        })
        .await
    }
}

impl BucketRegion for World {
    async fn bucket_region(&self, bucket: &str) -> Result<String, RequestError> {
        self.request("GetBucketLocation", bucket, |state| {
            let region = state.buckets.regions.get(bucket);
            region
                .cloned()
                .ok_or_else(|| error("GetBucketLocation", ErrorKind::NotFound))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run;

    const BUCKET: &str = "amzn-s3-demo-bucket";

    fn at(key: &str) -> ObjectLocation {
        ObjectLocation {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
            version: None,
        }
    }

    fn world_of(keys: &[&str]) -> World {
        let world = World::new(1_772_420_400);
        world.add_bucket(BUCKET, "eu-west-1");
        for key in keys {
            world.put_object(BUCKET, key, key.as_bytes().to_vec());
        }
        world
    }

    /// What all pages tell, each page in brackets.
    fn pages(world: &World, prefix: &str, by_folder: bool, after: Option<&str>) -> String {
        let mut text = String::new();
        let mut token: Option<String> = None;
        loop {
            let from = match (&token, after) {
                (Some(token), _) => ListFrom::Token(token),
                (None, Some(key)) => ListFrom::After(key),
                (None, None) => ListFrom::Start,
            };
            let page = run(world.list_objects(BUCKET, prefix, by_folder, from));
            let Listing {
                objects,
                folders,
                next,
            } = page.unwrap().unwrap();
            let keys = objects.into_iter().map(|object| object.key);
            let names: Vec<_> = folders.into_iter().chain(keys).collect();
            text += &format!("[{}]", names.join(" "));
            match next {
                Some(next) => token = Some(next),
                None => return text,
            }
        }
    }

    /// Keeps what it is given, with a `|` for each beginning, up to a number of pieces.
    struct Pieces {
        text: String,
        left: usize,
    }

    impl Sink for Pieces {
        fn begin(&mut self, _: &ObjectHead) {
            self.text.push('|');
        }

        fn take(&mut self, bytes: &[u8]) -> ControlFlow<()> {
            self.text += &String::from_utf8_lossy(bytes);
            self.left -= 1;
            match self.left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }

    fn streamed(
        world: &World,
        key: &str,
        most: usize,
    ) -> (String, Result<ObjectHead, RequestError>) {
        let mut sink = Pieces {
            text: String::new(),
            left: most,
        };
        let outcome = run(world.stream_object(&at(key), &mut sink)).unwrap();
        (sink.text, outcome)
    }

    #[test]
    fn keys_are_listed_in_byte_order() {
        let world = world_of(&["b", "a/2", "a", "a/1", "a-", "é", "Z"]);
        assert_eq!(pages(&world, "", false, None), "[Z a a- a/1 a/2 b é]");
        assert_eq!(pages(&world, "a/", false, None), "[a/1 a/2]");
        assert_eq!(pages(&world, "nothing", false, None), "[]");
    }

    #[test]
    fn what_lies_deeper_is_told_by_its_folder_once() {
        let world = world_of(&["a-", "a/1", "a/2", "a/b/3", "a0"]);
        assert_eq!(pages(&world, "", true, None), "[a/ a- a0]");
        assert_eq!(pages(&world, "a/", true, None), "[a/b/ a/1 a/2]");
    }

    #[test]
    fn pages_tell_everything_once_whatever_their_size() {
        let world = world_of(&["a-", "a/1", "a/2", "a/b/3", "a0", "b"]);
        world.list_in_pages_of(1);
        assert_eq!(pages(&world, "", true, None), "[a-][a/][a0][b]");
        world.list_in_pages_of(2);
        assert_eq!(pages(&world, "", false, None), "[a- a/1][a/2 a/b/3][a0 b]");
        world.list_in_pages_of(4);
        assert_eq!(pages(&world, "", false, None), "[a- a/1 a/2 a/b/3][a0 b]");
    }

    #[test]
    fn a_listing_starts_after_a_key_that_need_not_exist() {
        let world = world_of(&["a/1", "a/2", "a/3"]);
        assert_eq!(pages(&world, "a/", false, Some("a/1")), "[a/2 a/3]");
        assert_eq!(pages(&world, "a/", false, Some("a/1x")), "[a/2 a/3]");
        assert_eq!(pages(&world, "a/", false, Some("a")), "[a/1 a/2 a/3]");
        assert_eq!(pages(&world, "a/", false, Some("b")), "[]");
        world.list_in_pages_of(1);
        assert_eq!(pages(&world, "a/", false, Some("a/1")), "[a/2][a/3]");
    }

    #[test]
    fn a_deleted_object_is_found_by_its_versions_only() {
        let world = world_of(&["a", "ab"]);
        world.advance(60);
        world.put_object(BUCKET, "a", b"later".to_vec());
        world.advance(60);
        let marker = world.delete_marker(BUCKET, "a");
        assert_eq!(pages(&world, "", false, None), "[ab]");
        assert_eq!(
            streamed(&world, "a", 9).1.unwrap_err().kind,
            ErrorKind::NotFound
        );
        assert_eq!(world.object(BUCKET, "a"), None);

        let versions = run(world.object_versions(BUCKET, "a", 10))
            .unwrap()
            .unwrap();
        let told: Vec<_> = versions
            .iter()
            .map(|version| (version.is_delete_marker, version.is_latest, version.size))
            .collect();
        let expected = [
            (true, true, None),
            (false, false, Some(5)),
            (false, false, Some(1)),
        ];
        assert_eq!(told, expected);
        assert_eq!(versions[0].version, marker);
        assert_eq!(versions[0].last_modified, Some(1_772_420_400 + 120));
        let newest = run(world.object_versions(BUCKET, "a", 1)).unwrap().unwrap();
        assert_eq!(newest, versions[..1]);

        let before = ObjectLocation {
            version: Some(versions[1].version.clone()),
            ..at("a")
        };
        let read = run(world.read_object(&before, 10)).unwrap().unwrap();
        assert_eq!(read.content, b"later");
        let marked = ObjectLocation {
            version: Some(marker),
            ..at("a")
        };
        let error = run(world.read_object(&marked, 10)).unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);

        world.delete_object(BUCKET, "a");
        let versions = run(world.object_versions(BUCKET, "a", 10)).unwrap();
        assert_eq!(versions.unwrap(), []);
    }

    #[test]
    fn an_object_comes_in_pieces_with_its_metadata() {
        let world = world_of(&[]);
        let metadata = BTreeMap::from([("signature".to_owned(), "00ff".to_owned())]);
        let content = vec![b'x'; 2 * MOST_PIECE_BYTES + 1];
        let put = world.put_object_with(BUCKET, "a", content, metadata.clone());
        let (text, head) = streamed(&world, "a", 9);
        let head = head.unwrap();
        assert_eq!(text.len(), 1 + 2 * MOST_PIECE_BYTES + 1);
        assert_eq!(head.metadata, metadata);
        assert_eq!((head.etag, head.version), (put.etag, put.version));
        assert_eq!(head.length, Some(2 * MOST_PIECE_BYTES as u64 + 1));
        // A sink that has enough gets no more.
        let (text, head) = streamed(&world, "a", 1);
        assert_eq!(text.len(), 1 + MOST_PIECE_BYTES);
        assert!(head.is_ok());
    }

    #[test]
    fn an_object_that_breaks_off_begins_again() {
        let world = world_of(&["abcdef"]);
        let next = || world.requests().len();
        world.fault_at(next(), Fault::BreakOff);
        let (text, outcome) = streamed(&world, "abcdef", 9);
        assert_eq!(text, "|abc|abcdef");
        assert!(outcome.is_ok());
        world.fault_at(next(), Fault::LoseAnswer);
        let (text, outcome) = streamed(&world, "abcdef", 9);
        assert_eq!(text, "|abc");
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Unknown);
        world.fault_at(next(), Fault::Fail(ErrorKind::Archived));
        let (text, outcome) = streamed(&world, "abcdef", 9);
        assert_eq!(text, "");
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::Archived);
        assert_eq!(
            world.requests(),
            ["GetObject s3://amzn-s3-demo-bucket/abcdef"; 3]
        );
    }

    #[test]
    fn what_is_put_is_there_even_if_the_answer_is_lost() {
        let world = world_of(&[]);
        let put = |content: &'static [u8]| {
            let location = at("a");
            let world = world.clone();
            run(
                async move { PutObject::put_object(&world, &location, content, "text/plain").await },
            )
        };
        world.fault_at(0, Fault::LoseAnswer);
        world.fault_at(1, Fault::Fail(ErrorKind::AccessDenied));
        world.fault_at(2, Fault::DieAfter);
        assert!(put(b"1").unwrap().is_err());
        assert_eq!(world.object(BUCKET, "a").unwrap().content, b"1");
        assert!(put(b"2").unwrap().is_err());
        assert_eq!(world.object(BUCKET, "a").unwrap().content, b"1");
        assert!(put(b"3").is_none());
        assert_eq!(world.object(BUCKET, "a").unwrap().content, b"3");
    }

    #[test]
    fn a_bucket_has_a_region_or_does_not_exist() {
        let world = world_of(&[]);
        let region = |bucket| run(world.bucket_region(bucket)).unwrap();
        assert_eq!(region(BUCKET).unwrap(), "eu-west-1");
        assert_eq!(region("other").unwrap_err().kind, ErrorKind::NotFound);
        let listing = run(world.list_objects("other", "", false, ListFrom::Start)).unwrap();
        assert_eq!(listing.unwrap_err().kind, ErrorKind::NotFound);
        world.put_object("other", "a", Vec::new());
        assert_eq!(region("other").unwrap(), "us-east-1");
        world.delete_object("other", "a");
        let listing = run(world.list_objects("other", "", false, ListFrom::Start)).unwrap();
        assert_eq!(listing.unwrap(), Listing::default());
    }

    #[test]
    fn faults_are_found_by_the_text_of_requests() {
        let world = world_of(&["a/1"]);
        for (text, kind) in [
            ("ListObjectsV2 amzn-s3-demo-bucket/a/", ErrorKind::Throttled),
            (
                "ListObjectVersions amzn-s3-demo-bucket/a/1",
                ErrorKind::AccessDenied,
            ),
            ("GetBucketLocation amzn-s3-demo-bucket", ErrorKind::Unknown),
        ] {
            world.fail_all(text, Fault::Fail(kind));
        }
        let listing = run(world.list_objects(BUCKET, "a/", false, ListFrom::Start)).unwrap();
        assert_eq!(listing.unwrap_err().kind, ErrorKind::Throttled);
        let versions = run(world.object_versions(BUCKET, "a/1", 1)).unwrap();
        assert_eq!(versions.unwrap_err().kind, ErrorKind::AccessDenied);
        let region = run(world.bucket_region(BUCKET)).unwrap();
        assert_eq!(region.unwrap_err().kind, ErrorKind::Unknown);
    }
}

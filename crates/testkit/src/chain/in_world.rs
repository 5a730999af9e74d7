//! Chains in a [`World`].

use std::collections::BTreeSet;

use ports::{Clock, ErrorKind, Trail};

use super::tamper::ReadFault;
use super::{Chain, Object, Placed, TrailSpec};
use crate::{Fault, World};

/// How objects leave a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// All their versions are gone.
    Forever,
    /// A mark hides their versions.
    Marked,
}

impl Chain {
    /// Puts everything into a world: buckets (in us-east-1, unless they are there), objects, public
    /// keys, and the trails and organization of the account whose trail the first stream is of.
    ///
    /// Every object is as old as it was when it was delivered, be that to come. What cannot be read
    /// fails until [`World::heal`].
    pub fn put_into(&self, world: &World) {
        self.put_changes_into(world, &Chain::default(), Deletion::Forever);
    }

    /// Puts what has changed since `before` into a world that holds that. What was delivered since is
    /// as old as when it was delivered; an object that is another one now was written at the time of
    /// the world.
    ///
    /// # Panics
    /// If a public key was changed or taken back: a world keeps those it has.
    pub fn put_changes_into(&self, world: &World, before: &Chain, deletion: Deletion) {
        for bucket in self.buckets() {
            world.put_object(&bucket, "exists", Vec::new());
            world.delete_object(&bucket, "exists");
        }
        self.put_objects(world, before);
        for (bucket, key) in before.objects.keys() {
            let is_gone = !self.objects.contains_key(&(bucket.clone(), key.clone()));
            match (is_gone, deletion) {
                (false, _) => {}
                (true, Deletion::Forever) => world.delete_object(bucket, key),
                (true, Deletion::Marked) => {
                    world.delete_marker(bucket, key);
                }
            }
        }
        self.fail_reads(world, before);
        self.put_keys(world, before);
        self.put_trails(world);
    }

    fn put_objects(&self, world: &World, before: &Chain) {
        let now = world.now_millis().div_euclid(1000);
        let mut changed: Vec<_> = self
            .objects
            .iter()
            .filter(|(place, object)| before.objects.get(*place) != Some(object))
            .map(|(place, object)| match before.objects.contains_key(place) {
                true => (now, place, object),
                false => (object.delivered, place, object),
            })
            .collect();
        changed.sort_by_key(|&(at, ..)| at);
        for (at, (bucket, key), object) in changed {
            set_clock(world, at);
            let Object {
                content, metadata, ..
            } = object.clone();
            world.put_object_with(bucket, key, content, metadata);
        }
        set_clock(world, now);
    }

    fn fail_reads(&self, world: &World, before: &Chain) {
        for read_fault in &self.read_faults {
            if before.read_faults.contains(read_fault) {
                continue;
            }
            let ((bucket, key), fault) = read_fault;
            let fault = match fault {
                ReadFault::Denied => Fault::Fail(ErrorKind::AccessDenied),
                ReadFault::Archived => Fault::Fail(ErrorKind::Archived),
                ReadFault::ConnectionCut => Fault::LoseAnswer,
            };
            world.fail_all(&format!("GetObject s3://{bucket}/{key}"), fault);
        }
    }

    fn put_keys(&self, world: &World, before: &Chain) {
        for (region, keys) in &before.public_keys {
            let kept = self.public_keys.get(region);
            let is_kept = keys
                .iter()
                .all(|key| kept.is_some_and(|kept| kept.contains(key)));
            assert!(is_kept, "a world keeps the public keys it has");
        }
        for (region, keys) in &self.public_keys {
            let known = before.public_keys.get(region);
            for key in keys {
                if !known.is_some_and(|known| known.contains(key)) {
                    world.add_public_key(region, key.clone());
                }
            }
        }
    }

    fn put_trails(&self, world: &World) {
        let first = self.streams.first().map(|stream| &stream.spec);
        for trail in self.trails() {
            if first.is_some_and(|first| owner(&trail.arn) == owner(&first.arn())) {
                world.add_trail(trail);
            }
        }
        if let Some(id) = first.and_then(|first| first.organization_id.as_ref()) {
            let accounts: BTreeSet<&str> = self.specs().map(|spec| &*spec.account).collect();
            let accounts: Vec<&str> = accounts.into_iter().collect();
            world.set_organization(id, &accounts);
        }
    }

    /// The trails that the streams are of, each as its latest stream has it.
    pub fn trails(&self) -> Vec<Trail> {
        let arns: BTreeSet<String> = self.specs().map(TrailSpec::arn).collect();
        let trail = |arn: String| {
            let specs: Vec<&TrailSpec> = self.specs().filter(|spec| spec.arn() == arn).collect();
            let last = specs.last().unwrap();
            Trail {
                name: last.trail.clone(),
                home_region: last.home_region.clone(),
                bucket: last.bucket_of(last.hours).to_owned(),
                prefix: last.prefix.clone(),
                is_organization_trail: last.organization_id.is_some(),
                is_multi_region: specs.iter().any(|spec| spec.region != spec.home_region),
                validates_log_files: true,
                arn,
            }
        };
        arns.into_iter().map(trail).collect()
    }

    fn specs(&self) -> impl Iterator<Item = &TrailSpec> {
        self.streams.iter().map(|stream| &stream.spec)
    }

    /// Those that hold something, and those that held something once.
    fn buckets(&self) -> BTreeSet<String> {
        let delivered = self.streams.iter().flat_map(|stream| {
            let digests = stream.digests.iter().chain(&stream.backfill);
            let digests = digests.map(Placed::place);
            digests.chain(stream.logs().map(Placed::place))
        });
        let places = delivered.chain(self.objects.keys().cloned());
        places.map(|(bucket, _)| bucket).collect()
    }
}

/// The account in an ARN.
fn owner(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

fn set_clock(world: &World, seconds: i64) {
    world.advance(seconds - world.now_millis().div_euclid(1000));
}

#[cfg(test)]
mod tests {
    use ports::{
        BucketRegion, ListFrom, ListObjects, ObjectLocation, ObjectVersions, Organization,
        PublicKeys, ReadObject, StreamObject, Trails,
    };

    use super::*;
    use crate::chain::tests::all_staged;
    use crate::chain::{FoundBy, scenario};
    use crate::run;

    const NOW: i64 = 1_772_420_400;

    struct Whole(Vec<u8>);

    impl ports::Sink for Whole {
        fn begin(&mut self, _: &ports::ObjectHead) {
            self.0.clear();
        }

        fn take(&mut self, bytes: &[u8]) -> std::ops::ControlFlow<()> {
            self.0.extend_from_slice(bytes);
            std::ops::ControlFlow::Continue(())
        }
    }

    fn location((bucket, key): &(String, String)) -> ObjectLocation {
        ObjectLocation {
            bucket: bucket.clone(),
            key: key.clone(),
            version: None,
        }
    }

    /// Every key of a bucket.
    fn listed(world: &World, bucket: &str) -> Vec<(String, Option<i64>)> {
        let (mut keys, mut token) = (Vec::new(), None::<String>);
        loop {
            let from = token.as_deref().map_or(ListFrom::Start, ListFrom::Token);
            let listing = run(world.list_objects(bucket, "", false, from));
            let listing = listing.unwrap().unwrap();
            let objects = listing.objects.into_iter();
            keys.extend(objects.map(|object| (object.key, object.last_modified)));
            token = listing.next;
            if token.is_none() {
                return keys;
            }
        }
    }

    fn assert_holds(world: &World, chain: &Chain, name: &str) {
        for bucket in chain.buckets() {
            let held = chain.objects.keys().filter(|(held, _)| *held == bucket);
            let held: Vec<&String> = held.map(|(_, key)| key).collect();
            let listed = listed(world, &bucket);
            let keys: Vec<&String> = listed.iter().map(|(key, _)| key).collect();
            assert_eq!(keys, held, "{name}");
        }
        for (place, object) in &chain.objects {
            if chain.read_faults.iter().any(|(unread, _)| unread == place) {
                continue;
            }
            let mut whole = Whole(Vec::new());
            let head = run(world.stream_object(&location(place), &mut whole));
            assert_eq!(head.unwrap().unwrap().metadata, object.metadata, "{name}");
            assert!(whole.0 == object.content, "{name}: {place:?}");
        }
    }

    #[test]
    fn a_world_holds_every_scenario() {
        for (scenario, staged) in all_staged() {
            let world = World::new(NOW);
            staged.chain.put_into(&world);
            assert_holds(&world, &staged.chain, scenario.name);
            assert_eq!(world.now_millis(), NOW * 1000);
        }
    }

    #[test]
    fn a_world_changes_with_every_scenario() {
        let by_checkpoint = |found_by| matches!(found_by, FoundBy::Checkpoint | FoundBy::Listing);
        for (scenario, staged) in all_staged() {
            if !by_checkpoint(scenario.found_by) {
                continue;
            }
            for deletion in [Deletion::Forever, Deletion::Marked] {
                let world = World::new(NOW);
                staged.before.put_into(&world);
                assert_holds(&world, &staged.before, scenario.name);
                staged
                    .chain
                    .put_changes_into(&world, &staged.before, deletion);
                assert_holds(&world, &staged.chain, scenario.name);
            }
        }
    }

    #[test]
    fn objects_are_as_old_as_their_delivery_and_changed_ones_as_their_change() {
        let mut chain = Chain::of(&TrailSpec {
            hours: 3,
            ..TrailSpec::default()
        });
        let world = World::new(NOW);
        chain.put_into(&world);
        let (log, gone) = (chain.log(0, 1, 0), chain.log(0, 1, 1));
        let bucket = log.bucket.as_str();
        let modified = |key: &str| world.object(bucket, key).unwrap().last_modified;
        assert_eq!(modified(&log.key), Some(log.delivered));
        let digest = chain.digest(0, 1);
        assert_eq!(modified(&digest.key), Some(digest.end + 420));

        let before = chain.clone();
        chain.edit_records(&log, Vec::clear);
        chain.delete(&gone);
        chain.grow(0, 1);
        world.advance(60);
        chain.put_changes_into(&world, &before, Deletion::Marked);
        assert_eq!(modified(&log.key), Some(NOW + 60));
        let newest = chain.log(0, 3, 0);
        assert_eq!(modified(&newest.key), Some(newest.delivered));
        let versions = |key: &str| run(world.object_versions(bucket, key, 9)).unwrap().unwrap();
        assert_eq!(versions(&log.key).len(), 2);
        assert_eq!(versions(&digest.key).len(), 1);
        assert!(versions(&gone.key)[0].is_delete_marker);
        assert_eq!(versions(&gone.key)[0].last_modified, Some(NOW + 60));
    }

    #[test]
    fn what_cannot_be_read_fails_as_it_should() {
        let kinds = [
            ("a log file may not be read", ErrorKind::AccessDenied),
            ("a log file is archived", ErrorKind::Archived),
            ("the connection breaks in a log file", ErrorKind::Unknown),
        ];
        for (name, kind) in kinds {
            let staged = scenario(name);
            let world = World::new(NOW);
            staged.chain.put_into(&world);
            let (_, bucket, key) = staged.tampered.what[0].clone();
            let mut whole = Whole(Vec::new());
            let read = run(world.stream_object(&location(&(bucket, key)), &mut whole));
            assert_eq!(read.unwrap().unwrap_err().kind, kind, "{name}");
        }
    }

    #[test]
    fn keys_trails_and_the_organization_are_told() {
        let staged = scenario("an organization trail");
        let world = World::new(NOW);
        staged.chain.put_into(&world);
        let trails = run(world.describe_trails()).unwrap().unwrap();
        assert_eq!(trails.len(), 1);
        assert_eq!(
            trails[0].arn,
            "arn:aws:cloudtrail:us-east-1:111122223333:trail/audit-trail"
        );
        assert!(trails[0].is_organization_trail && trails[0].is_multi_region);
        assert_eq!(trails[0].bucket, staged.chain.streams[0].spec.bucket);
        let id = run(world.organization_id()).unwrap().unwrap();
        assert_eq!(id, "o-exampleorgid");
        let accounts = run(world.account_ids()).unwrap().unwrap();
        assert_eq!(accounts, ["111122223333", "123456789012"]);
        for (region, keys) in &staged.chain.public_keys {
            let told = world.public_keys(region);
            let told = run(told.list_public_keys(staged.range.0, staged.range.1));
            assert_eq!(told.unwrap().unwrap(), *keys);
        }
    }

    #[test]
    fn a_bucket_is_there_when_all_in_it_was_deleted() {
        let staged = scenario("every digest is deleted with its log files");
        let world = World::new(NOW);
        staged.chain.put_into(&world);
        let bucket = &staged.chain.streams[0].spec.bucket;
        assert_eq!(
            run(world.bucket_region(bucket)).unwrap().unwrap(),
            "us-east-1"
        );
        assert_eq!(listed(&world, bucket), []);
        let gone = location(&staged.before.digest(0, 0).place());
        let read = run(world.read_object(&gone, 9)).unwrap();
        assert_eq!(read.unwrap_err().kind, ErrorKind::NotFound);
    }
}

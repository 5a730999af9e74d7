//! Ways to tamper, each one thing done to the objects. The streams stay what they were, but for
//! [`Chain::rewrite`].

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use ports::PublicKeyEntry;
use serde_json::Value;

use super::digest::Digest;
use super::{Chain, Object, Placed, TrailSpec, records, spki};
use crate::gzip;

/// Why an object cannot be read although it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFault {
    /// The reader may not.
    Denied,
    /// It lies in an archive.
    Archived,
    /// The connection breaks in the middle, every time.
    ConnectionCut,
}

impl Chain {
    /// What is at a place now.
    pub fn object(&self, at: &impl Placed) -> &Object {
        let place = at.place();
        let object = self.objects.get(&place);
        object.unwrap_or_else(|| panic!("nothing at {place:?}"))
    }

    fn object_mut(&mut self, at: &impl Placed) -> &mut Object {
        let place = at.place();
        let object = self.objects.get_mut(&place);
        object.unwrap_or_else(|| panic!("nothing at {place:?}"))
    }

    /// What is at a place now, inflated.
    pub fn inflated(&self, at: &impl Placed) -> Vec<u8> {
        let mut content = Vec::new();
        let mut decoder = MultiGzDecoder::new(self.object(at).content.as_slice());
        decoder.read_to_end(&mut content).unwrap();
        content
    }

    /// Deletes.
    pub fn delete(&mut self, at: &impl Placed) {
        let place = at.place();
        let gone = self.objects.remove(&place);
        assert!(gone.is_some(), "nothing at {place:?}");
    }

    /// Deletes a digest and every log file it lists.
    pub fn delete_with_logs(&mut self, digest: &Digest) {
        self.delete(digest);
        for log in &digest.logs {
            self.delete(log);
        }
    }

    /// Puts an object without metadata, whether there was one or not.
    pub fn put(&mut self, at: &impl Placed, content: impl Into<Vec<u8>>) {
        let delivered = self.range().1;
        let object = Object {
            content: content.into(),
            delivered,
            ..Object::default()
        };
        self.objects.insert(at.place(), object);
    }

    /// Stores other bytes with the metadata that is there.
    pub fn replace(&mut self, at: &impl Placed, content: impl Into<Vec<u8>>) {
        self.object_mut(at).content = content.into();
    }

    /// The same with bytes that are compressed first.
    pub fn replace_inflated(&mut self, at: &impl Placed, content: &[u8]) {
        self.replace(at, gzip(content));
    }

    /// Edits the JSON of an object, and signs nothing.
    pub fn edit_json(&mut self, at: &impl Placed, edit: impl FnOnce(&mut Value)) {
        let mut json = serde_json::from_slice(&self.inflated(at)).unwrap();
        edit(&mut json);
        self.replace_inflated(at, json.to_string().as_bytes());
    }

    /// Edits the records of a log file.
    pub fn edit_records(&mut self, log: &impl Placed, edit: impl FnOnce(&mut Vec<Value>)) {
        self.edit_json(log, |json| edit(json["Records"].as_array_mut().unwrap()));
    }

    /// Appends bytes.
    pub fn append(&mut self, at: &impl Placed, bytes: &[u8]) {
        self.object_mut(at).content.extend_from_slice(bytes);
    }

    /// Appends a gzip member.
    pub fn append_member(&mut self, at: &impl Placed, content: &[u8]) {
        self.append(at, &gzip(content));
    }

    /// Cuts bytes off at the end.
    pub fn cut(&mut self, at: &impl Placed, bytes: usize) {
        let content = &mut self.object_mut(at).content;
        assert!(content.len() >= bytes, "there are {} bytes", content.len());
        content.truncate(content.len() - bytes);
    }

    /// Cuts the second half off.
    pub fn cut_in_half(&mut self, at: &impl Placed) {
        self.cut(at, self.object(at).content.len().div_ceil(2));
    }

    /// Flips a bit (0 is the lowest) of a byte. Some bits of a gzip header mean nothing to the content.
    pub fn flip(&mut self, at: &impl Placed, byte: usize, bit: u32) {
        self.object_mut(at).content[byte] ^= 1 << bit;
    }

    /// Flips a bit, below 7, of a byte of a metadata value. Bit 5 of a letter is its case, which
    /// means nothing in hex.
    pub fn flip_metadata(&mut self, at: &impl Placed, name: &str, byte: usize, bit: u32) {
        assert!(bit < 7, "the value stays ASCII");
        let value = self.metadata_mut(at, name);
        let mut bytes = std::mem::take(value).into_bytes();
        bytes[byte] ^= 1 << bit;
        *value = String::from_utf8(bytes).unwrap();
    }

    /// Sets a metadata value.
    pub fn set_metadata(&mut self, at: &impl Placed, name: &str, value: &str) {
        let metadata = &mut self.object_mut(at).metadata;
        metadata.insert(name.to_owned(), value.to_owned());
    }

    /// Takes one metadata value away.
    pub fn drop_metadata(&mut self, at: &impl Placed, name: &str) {
        self.metadata_mut(at, name);
        self.object_mut(at).metadata.remove(name);
    }

    /// Takes all metadata away.
    pub fn drop_all_metadata(&mut self, at: &impl Placed) {
        self.object_mut(at).metadata.clear();
    }

    fn metadata_mut(&mut self, at: &impl Placed, name: &str) -> &mut String {
        let value = self.object_mut(at).metadata.get_mut(name);
        value.unwrap_or_else(|| panic!("no metadata `{name}`"))
    }

    /// Compresses an object again, at the best level: the content stays.
    pub fn recompress(&mut self, at: &impl Placed) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&self.inflated(at)).unwrap();
        self.replace(at, encoder.finish().unwrap());
    }

    /// Compresses an object again as two gzip members, each with a half of the content.
    pub fn split_members(&mut self, at: &impl Placed) {
        let content = self.inflated(at);
        let (first, second) = content.split_at(content.len() / 2);
        self.replace(at, [gzip(first), gzip(second)].concat());
    }

    /// Copies an object with its metadata.
    pub fn copy(&mut self, from: &impl Placed, to: &impl Placed) {
        let object = self.object(from).clone();
        self.objects.insert(to.place(), object);
    }

    /// Moves an object with its metadata.
    pub fn rename(&mut self, from: &impl Placed, to: &impl Placed) {
        self.copy(from, to);
        self.delete(from);
    }

    /// Lets two objects with their metadata change places.
    pub fn swap(&mut self, one: &impl Placed, other: &impl Placed) {
        let object = self.object(one).clone();
        self.copy(other, one);
        self.objects.insert(other.place(), object);
    }

    /// Copies a whole bucket, metadata included.
    pub fn copy_bucket(&mut self, from: &str, to: &str) {
        let copied = self
            .objects
            .iter()
            .filter(|((bucket, _), _)| bucket == from);
        let copied: Vec<_> = copied
            .map(|((_, key), object)| ((to.to_owned(), key.clone()), object.clone()))
            .collect();
        self.objects.extend(copied);
    }

    /// Deletes all of a bucket.
    pub fn empty_bucket(&mut self, bucket: &str) {
        self.objects.retain(|(of, _), _| of != bucket);
    }

    /// Stores a digest where it says it is, with its signature: as if CloudTrail had delivered it once
    /// more. What comes after it keeps the link it has.
    ///
    /// `chain.redeliver(&digest.with_logs(fewer))` is a digest that nothing is wrong with but that its
    /// successor means another one.
    pub fn redeliver(&mut self, digest: &Digest) {
        self.objects.insert(digest.place(), digest.object());
    }

    /// Changes the digest of an hour and signs it and every one after it that is linked to it: the
    /// chain that CloudTrail would have made, had it been so. The stream is this chain from then on.
    pub fn rewrite(&mut self, stream: usize, hour: usize, change: impl FnOnce(&Digest) -> Digest) {
        let spec = self.streams[stream].spec.clone();
        let digests = &mut self.streams[stream].digests;
        let first = digests
            .iter()
            .position(|digest| digest.hour == hour)
            .unwrap();
        digests[first] = change(&digests[first]);
        for at in first + 1..digests.len() {
            if spec.previous_hour(digests[at].hour) != Some(digests[at - 1].hour) {
                break;
            }
            digests[at] = digests[at].after(&digests[at - 1]);
        }
        for digest in &self.streams[stream].digests[first..] {
            self.objects.insert(digest.place(), digest.object());
        }
    }

    /// Puts a log file that CloudTrail never delivered where it delivers those of an hour, under a
    /// name that looks like one.
    pub fn plant_log(&mut self, stream: usize, hour: usize) -> (String, String) {
        let spec = &self.streams[stream].spec;
        let newest = spec.start_of(hour) + 1200;
        let draft = records::Draft {
            spec,
            folder: "CloudTrail",
            seed: &format!("{hour}/planted"),
            oldest: newest - 300,
            newest,
            records: 2,
        };
        let place = (spec.bucket_of(hour).to_owned(), draft.key(newest));
        let content = draft.content();
        self.put(&place, gzip(&content));
        place
    }

    /// Puts an object among the digests, at the one of an hour, with this in place of `.json.gz` at the
    /// end of its key.
    pub fn add_junk(&mut self, stream: usize, hour: usize, ending: &str) -> (String, String) {
        let (bucket, key) = self.digest(stream, hour).place();
        let place = (bucket, key.replace(".json.gz", ending));
        self.put(&place, b"x");
        place
    }

    /// Adds a trail whose digests lie among those of a stream under names that begin the same way.
    pub fn add_trail_with_colliding_name(&mut self, stream: usize, hours: usize) -> usize {
        let spec = &self.streams[stream].spec;
        let (trail, home_region) = (&spec.trail, &spec.home_region);
        let other = TrailSpec {
            trail: format!("{trail}_{home_region}_x"),
            hours,
            logs_per_hour: 1,
            start: spec.start + 11,
            ..spec.clone()
        };
        self.add(&other)
    }

    /// Lets an object be there but not readable.
    pub fn make_unreadable(&mut self, at: &impl Placed, fault: ReadFault) {
        self.object(at);
        self.read_faults.push((at.place(), fault));
    }

    /// Takes back what CloudTrail publishes of a key.
    pub fn withdraw_key(&mut self, fingerprint: &str) {
        for keys in self.public_keys.values_mut() {
            keys.retain(|key| key.fingerprint != fingerprint);
        }
    }

    /// Takes back all keys.
    pub fn withdraw_all_keys(&mut self) {
        self.public_keys.values_mut().for_each(Vec::clear);
    }

    /// Changes what CloudTrail publishes of a key.
    pub fn edit_key(&mut self, fingerprint: &str, edit: impl FnOnce(&mut PublicKeyEntry)) {
        let mut keys = self.public_keys.values_mut().flatten();
        let key = keys.find(|key| key.fingerprint == fingerprint);
        edit(key.unwrap_or_else(|| panic!("no key {fingerprint}")));
    }

    /// Publishes keys as `SubjectPublicKeyInfo`, which CloudTrail does not.
    pub fn publish_keys_as_spki(&mut self) {
        for key in self.public_keys.values_mut().flatten() {
            key.value = spki(&key.value);
        }
    }
}

//! What is built is held against the specification, which is written down here once more.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Instant;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::bufread::GzDecoder;
use serde_json::Value;

use super::*;
use crate::time;

/// Every scenario, set up once.
pub(super) fn all_staged() -> &'static [(Scenario, Staged)] {
    static STAGED: OnceLock<Vec<(Scenario, Staged)>> = OnceLock::new();
    let stage = |scenario: &Scenario| (*scenario, (scenario.stage)());
    STAGED.get_or_init(|| scenarios().iter().map(stage).collect())
}

fn everything() -> Chain {
    let spec = TrailSpec {
        prefix: Some("a/prefix".into()),
        organization_id: Some("o-exampleorgid".into()),
        owner: Some("123456789012".into()),
        trail: "audit.trail_2".into(),
        hours: 30,
        empty_hours: vec![0, 5],
        late_hours: vec![1, 12],
        insight_hours: vec![3],
        off_hours: vec![7, 8],
        skipped_hours: vec![13],
        stops: vec![(16, 500)],
        key_changes: vec![10],
        moves: vec![(20, "amzn-s3-demo-bucket2".into())],
        backfill_hours: vec![2, 9, 21],
        ..TrailSpec::default()
    };
    let member = spec.in_account("123456789012");
    Chain::of_all(&[
        spec.in_region("eu-west-1"),
        member.in_region("eu-west-1"),
        spec,
        member,
    ])
}

fn inflate(gzip: &[u8]) -> Vec<u8> {
    let mut decoder = GzDecoder::new(gzip);
    let mut content = Vec::new();
    decoder.read_to_end(&mut content).unwrap();
    assert!(decoder.into_inner().is_empty(), "one gzip member");
    content
}

/// Checks a digest as it lies in its bucket, and what it lists, and returns its JSON.
fn check(chain: &Chain, region: &str, bucket: &str, key: &str) -> Value {
    let object = &chain.objects[&(bucket.to_owned(), key.to_owned())];
    let bytes = inflate(&object.content);
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(json["digestS3Bucket"], bucket);
    assert_eq!(json["digestS3Object"], key);
    assert_eq!(json["digestSignatureAlgorithm"], "SHA256withRSA");
    assert_eq!(object.metadata["signature-algorithm"], "SHA256withRSA");

    let fingerprint = json["digestPublicKeyFingerprint"].as_str().unwrap();
    let keys = &chain.public_keys[region];
    let key_entry = keys
        .iter()
        .find(|key| key.fingerprint == fingerprint)
        .unwrap();
    let end = json["digestEndTime"].as_str().unwrap();
    let signed_at = object.metadata.get("backfill-generation-timestamp");
    let signed_at = crate::seconds(signed_at.map_or(end, String::as_str));
    assert!((key_entry.validity_start..key_entry.validity_end).contains(&signed_at));

    let previous = json["previousDigestSignature"].as_str().unwrap_or("null");
    let text = format!("{end}\n{bucket}/{key}\n{}\n{previous}", sha256(&bytes));
    let signature = unhex(&object.metadata["signature"]);
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key_entry.value)
        .verify(text.as_bytes(), &signature)
        .unwrap();

    let mut times = Vec::new();
    for log in json["logFiles"].as_array().unwrap() {
        let place = (
            log["s3Bucket"].as_str().unwrap().to_owned(),
            log["s3Object"].as_str().unwrap().to_owned(),
        );
        let content = inflate(&chain.objects[&place].content);
        assert_eq!(log["hashAlgorithm"], "SHA-256");
        assert_eq!(log["hashValue"], sha256(&content));
        let records: Value = serde_json::from_slice(&content).unwrap();
        let records = records["Records"].as_array().unwrap();
        let of = |record: &Value| record["eventTime"].as_str().unwrap().to_owned();
        assert_eq!(
            log["oldestEventTime"],
            records.iter().map(of).min().unwrap()
        );
        assert_eq!(
            log["newestEventTime"],
            records.iter().map(of).max().unwrap()
        );
        times.extend(records.iter().map(of));
    }
    assert_eq!(
        json["oldestEventTime"].as_str(),
        times.iter().min().map(String::as_str)
    );
    assert_eq!(
        json["newestEventTime"].as_str(),
        times.iter().max().map(String::as_str)
    );
    json
}

/// Checks that a digest is linked to this one, or to none.
fn check_link(chain: &Chain, json: &Value, previous: Option<(&str, &str)>) {
    let Some((bucket, key)) = previous else {
        for member in [
            "S3Bucket",
            "S3Object",
            "HashValue",
            "HashAlgorithm",
            "Signature",
        ] {
            assert_eq!(json[format!("previousDigest{member}")], Value::Null);
        }
        return;
    };
    let object = &chain.objects[&(bucket.to_owned(), key.to_owned())];
    assert_eq!(json["previousDigestS3Bucket"], bucket);
    assert_eq!(json["previousDigestS3Object"], key);
    assert_eq!(json["previousDigestHashAlgorithm"], "SHA-256");
    assert_eq!(
        json["previousDigestHashValue"],
        sha256(&inflate(&object.content))
    );
    assert_eq!(
        json["previousDigestSignature"],
        object.metadata["signature"].as_str()
    );
}

#[test]
fn a_chain_verifies_and_its_links_agree() {
    let chain = everything();
    for stream in &chain.streams {
        let spec = &stream.spec;
        let hours: Vec<usize> = stream.digests.iter().map(|digest| digest.hour).collect();
        let due: Vec<usize> = (0..30).filter(|hour| ![7, 8, 13].contains(hour)).collect();
        assert_eq!(hours, due);
        let mut previous: Option<&Digest> = None;
        for digest in &stream.digests {
            let json = check(&chain, &spec.region, &digest.bucket, &digest.key);
            assert_eq!(json["awsAccountId"], spec.account.as_str());
            assert_eq!(json["digestStartTime"], time(spec.start_of(digest.hour)));
            let seconds = if digest.hour == 16 { 500 } else { 3600 };
            let end = spec.start_of(digest.hour) + seconds;
            assert_eq!(json["digestEndTime"], time(end));
            let is_first = [0, 9, 17].contains(&digest.hour);
            let link = previous.filter(|_| !is_first);
            check_link(
                &chain,
                &json,
                link.map(|previous| (&*previous.bucket, &*previous.key)),
            );
            previous = Some(digest);
        }
        let is_empty = |hour: usize| stream.digests[hour].logs.is_empty();
        assert!(is_empty(0) && is_empty(5) && !is_empty(1));
        let unlisted: BTreeSet<_> = stream.unlisted.iter().map(Log::place).collect();
        assert_eq!(unlisted.len(), 12);
        assert!(
            unlisted
                .iter()
                .all(|place| chain.objects.contains_key(place))
        );
    }
}

#[test]
fn backfill_digests_are_a_chain_of_their_own() {
    let chain = everything();
    for stream in &chain.streams {
        let mut previous: Option<&Digest> = None;
        for digest in &stream.backfill {
            let json = check(&chain, &stream.spec.region, &digest.bucket, &digest.key);
            check_link(
                &chain,
                &json,
                previous.map(|previous| (&*previous.bucket, &*previous.key)),
            );
            assert!(digest.generated.unwrap() >= digest.end + 40 * 86_400);
            assert_eq!(digest.logs.len(), 2);
            let last = stream.digests.last().unwrap();
            assert_ne!(digest.fingerprint, last.fingerprint);
            previous = Some(digest);
        }
        assert_eq!(stream.backfill.len(), 3);
    }
}

#[test]
fn members_stand_in_the_order_that_cloudtrail_writes() {
    let chain = Chain::of(&TrailSpec {
        hours: 2,
        ..TrailSpec::default()
    });
    let json = String::from_utf8(chain.digest(0, 1).json).unwrap();
    let json_again: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, json_again.to_string(), "compact");
    let names: Vec<&String> = json_again.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "awsAccountId",
            "digestStartTime",
            "digestEndTime",
            "digestS3Bucket",
            "digestS3Object",
            "digestPublicKeyFingerprint",
            "digestSignatureAlgorithm",
            "newestEventTime",
            "oldestEventTime",
            "previousDigestS3Bucket",
            "previousDigestS3Object",
            "previousDigestHashValue",
            "previousDigestHashAlgorithm",
            "previousDigestSignature",
            "logFiles",
        ]
    );
    let names: Vec<&String> = json_again["logFiles"][0]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        names,
        [
            "s3Bucket",
            "s3Object",
            "hashValue",
            "hashAlgorithm",
            "newestEventTime",
            "oldestEventTime",
        ]
    );
}

/// What a key says, piece by piece: folder, time stamp, what follows it.
fn take_apart<'a>(spec: &TrailSpec, key: &'a str) -> (&'a str, &'a str, &'a str) {
    let rest = key.strip_prefix(&spec.base()).unwrap();
    let parts: Vec<&str> = rest.split('/').collect();
    let [folder, region, year, month, day, name] = parts[..] else {
        panic!("{key}");
    };
    assert_eq!(region, spec.region);
    let name = name
        .strip_prefix(&format!("{}_{folder}_{region}_", spec.account))
        .unwrap();
    let name = name.strip_suffix(".json.gz").unwrap();
    let trail = format!("{}_{}_", spec.trail, spec.home_region);
    let name = match folder {
        "CloudTrail-Digest" => name.strip_prefix(&trail).unwrap(),
        _ => name,
    };
    let (stamp, unique) = name.split_once('_').unwrap_or((name, ""));
    assert!(stamp.starts_with(&format!("{year}{month}{day}T")), "{key}");
    (folder, stamp, unique)
}

#[test]
fn keys_have_the_names_that_cloudtrail_gives() {
    let chain = everything();
    let mut seen = BTreeSet::new();
    let minutes_only = |stamp: &str| {
        assert_eq!(stamp.len(), "20260301T0015Z".len());
        crate::seconds(&format!(
            "{}-{}-{}T{}:{}:00Z",
            &stamp[..4],
            &stamp[4..6],
            &stamp[6..8],
            &stamp[9..11],
            &stamp[11..13]
        ))
    };
    for stream in &chain.streams {
        let spec = &stream.spec;
        for (digest, unique) in stream
            .digests
            .iter()
            .map(|digest| (digest, ""))
            .chain(stream.backfill.iter().map(|digest| (digest, "backfill")))
        {
            let (folder, stamp, found) = take_apart(spec, &digest.key);
            assert_eq!((folder, found), ("CloudTrail-Digest", unique));
            assert_eq!(
                stamp,
                time(digest.end).replace(['-', ':'], ""),
                "{}",
                digest.key
            );
            seen.insert(digest.place());
        }
        for log in stream.logs() {
            let (folder, stamp, unique) = take_apart(spec, &log.key);
            assert!(["CloudTrail", "CloudTrail-Insight"].contains(&folder));
            assert_eq!(unique.len(), 16);
            assert!(unique.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            let behind = minutes_only(stamp) - log.newest;
            assert!((-300..=120).contains(&behind), "{behind} {}", log.key);
            seen.insert(log.place());
        }
    }
    assert!(seen.iter().eq(chain.objects.keys()), "and nothing else");
}

#[test]
fn a_late_log_file_lies_in_the_folder_of_the_day_before() {
    let chain = Chain::of(&TrailSpec {
        hours: 3,
        late_hours: vec![1],
        ..TrailSpec::default()
    });
    let (digest, late) = (chain.digest(0, 1), chain.log(0, 1, 0));
    assert!(digest.key.contains("/2026/03/01/"));
    assert!(late.key.contains("/2026/02/28/"));
    assert!(late.newest < digest.start && late.delivered > digest.start);
    assert!(chain.log(0, 1, 1).key.contains("/2026/03/01/"));
}

#[test]
fn what_is_built_is_the_same_every_time() {
    let (one, other) = (everything(), everything());
    assert_eq!(one.objects, other.objects);
    assert_eq!(one.public_keys, other.public_keys);
}

#[test]
fn a_chain_that_grows_is_the_chain_that_was_long_from_the_start() {
    let spec = TrailSpec {
        off_hours: vec![6],
        key_changes: vec![7],
        ..TrailSpec::default()
    };
    let mut grown = Chain::of(&TrailSpec {
        hours: 4,
        ..spec.clone()
    });
    grown.grow(0, 20);
    assert_eq!(grown.objects, Chain::of(&spec).objects);
}

#[test]
fn a_chain_that_is_written_anew_verifies() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 8,
        off_hours: vec![6],
        ..TrailSpec::default()
    });
    let before = chain.clone();
    chain.rewrite(0, 2, |digest| digest.with_logs(Vec::new()));
    let digests = &chain.streams[0].digests;
    for at in 0..digests.len() {
        let digest = &digests[at];
        let json = check(&chain, "us-east-1", &digest.bucket, &digest.key);
        let previous = (at > 0 && digest.hour != 7).then(|| &digests[at - 1]);
        let previous = previous.map(|previous| (&*previous.bucket, &*previous.key));
        check_link(&chain, &json, previous);
        let is_same = before.object(digest) == chain.object(digest);
        assert_eq!(is_same, !(2..6).contains(&digest.hour));
    }
    assert_eq!(chain.digest(0, 2).logs, []);
}

#[test]
fn a_digest_delivered_again_verifies_and_its_successor_means_another() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 4,
        ..TrailSpec::default()
    });
    let digest = chain.digest(0, 1);
    chain.redeliver(&digest.with_logs(digest.logs[..1].to_vec()));
    let json = check(&chain, "us-east-1", &digest.bucket, &digest.key);
    assert_eq!(json["logFiles"].as_array().unwrap().len(), 1);
    let next: Value = serde_json::from_slice(&chain.digest(0, 2).json).unwrap();
    let now = sha256(&inflate(&chain.object(&digest).content));
    assert_ne!(next["previousDigestHashValue"], now);
    assert_eq!(next["previousDigestHashValue"], digest.sha256);
}

#[test]
fn keys_change_after_20_days_and_at_no_time_sign_outside_their_validity() {
    let chain = Chain::of(&TrailSpec {
        hours: 41 * 24,
        logs_per_hour: 1,
        records_per_log: 1,
        empty_hours: (1..41 * 24).collect(),
        ..TrailSpec::default()
    });
    assert_eq!(chain.public_keys["us-east-1"].len(), 3);
    for digest in chain.streams[0].digests.iter().step_by(7) {
        check(&chain, "us-east-1", &digest.bucket, &digest.key);
    }
}

#[test]
fn regions_have_keys_of_their_own() {
    let chain = everything();
    let fingerprints = |region: &str| -> BTreeSet<&str> {
        let keys = chain.public_keys[region].iter();
        keys.map(|key| key.fingerprint.as_str()).collect()
    };
    let (one, other) = (fingerprints("us-east-1"), fingerprints("eu-west-1"));
    assert_eq!(one.len(), 3);
    assert!(one.is_disjoint(&other));
    let minutes: BTreeSet<i64> = chain
        .streams
        .iter()
        .map(|stream| stream.spec.start % 3600)
        .collect();
    assert_eq!(minutes.len(), 4);
    assert!(!minutes.contains(&0));
}

#[test]
fn bits_bytes_and_places_change_as_told() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 3,
        ..TrailSpec::default()
    });
    let before = chain.clone();
    let (log, other, digest) = (chain.log(0, 1, 0), chain.log(0, 2, 0), chain.digest(0, 1));

    chain.flip(&log, 20, 3);
    assert_eq!(
        chain.object(&log).content[20] ^ before.object(&log).content[20],
        8
    );
    chain.flip(&log, 20, 3);
    assert_eq!(chain.objects, before.objects);

    chain.flip_metadata(&digest, "signature", 511, 1);
    let (now, then) = (
        &chain.object(&digest).metadata["signature"],
        &digest.signature,
    );
    assert_eq!(now[..511], then[..511]);
    assert_eq!(now.as_bytes()[511] ^ then.as_bytes()[511], 2);
    chain.flip_metadata(&digest, "signature", 511, 1);
    assert_eq!(chain.objects, before.objects);

    chain.swap(&log, &digest);
    assert_eq!(chain.object(&log), before.object(&digest));
    assert_eq!(chain.object(&digest), before.object(&log));
    chain.swap(&digest, &log);
    assert_eq!(chain.objects, before.objects);

    chain.rename(&log, &("bucket", "key"));
    assert!(!chain.objects.contains_key(&log.place()));
    chain.rename(&("bucket", "key"), &log);
    assert_eq!(chain.objects, before.objects);

    chain.recompress(&log);
    assert_ne!(chain.object(&log), before.object(&log));
    assert_eq!(inflate(&chain.object(&log).content), log.content);
    chain.split_members(&other);
    assert_eq!(chain.inflated(&other), other.content);
    let mut first = Vec::new();
    GzDecoder::new(&*chain.object(&other).content)
        .read_to_end(&mut first)
        .unwrap();
    assert_eq!(first, other.content[..other.content.len() / 2]);
    chain.edit_records(&log, |records| records.truncate(1));
    assert!(
        chain
            .inflated(&log)
            .starts_with(br#"{"Records":[{"eventVersion""#)
    );
    assert!(chain.inflated(&log).len() < log.content.len());
    let length = before.object(&digest).content.len();
    chain.cut(&digest, 8);
    assert_eq!(chain.object(&digest).content.len(), length - 8);
    chain.append(&digest, b"12345678");
    assert_eq!(chain.object(&digest).content.len(), length);
}

#[test]
fn a_folder_holds_what_the_chain_holds() {
    let mut chain = everything();
    let digest = chain.digest(0, 4);
    chain.drop_all_metadata(&digest);
    let folder = std::env::temp_dir().join(format!("testkit-chain-{}", std::process::id()));
    chain.write_folder(&folder);

    let metadata: Value = read_json(&folder.join("metadata.json"));
    let mut read = BTreeMap::new();
    for bucket in ["amzn-s3-demo-bucket", "amzn-s3-demo-bucket2"] {
        let top = folder.join(bucket);
        for path in files(&top) {
            let key = path.strip_prefix(&top).unwrap().to_str().unwrap();
            let key = key.replace(std::path::MAIN_SEPARATOR, "/");
            let values = metadata[bucket][&key].as_object();
            let values = values.map(|values| {
                let value = |(name, value): (&String, &Value)| {
                    (name.clone(), value.as_str().unwrap().to_owned())
                };
                values.iter().map(value).collect::<BTreeMap<_, _>>()
            });
            let object = (fs::read(&path).unwrap(), values.unwrap_or_default());
            read.insert((bucket.to_owned(), key), object);
        }
    }
    let held = chain.objects.iter();
    let held: BTreeMap<_, _> = held
        .map(|(place, object)| {
            let object = (object.content.clone(), object.metadata.clone());
            (place.clone(), object)
        })
        .collect();
    assert!(read == held);

    for (region, keys) in &chain.public_keys {
        let list = read_json(&folder.join(format!("public_keys/{region}.json")));
        let list = list["PublicKeyList"].as_array().unwrap();
        assert_eq!(list.len(), keys.len());
        for (entry, key) in list.iter().rev().zip(keys) {
            assert_eq!(entry["Fingerprint"], key.fingerprint);
            assert_eq!(entry["ValidityStartTime"], key.validity_start);
            assert_eq!(entry["ValidityEndTime"], key.validity_end);
            let value = BASE64_STANDARD.decode(entry["Value"].as_str().unwrap());
            assert_eq!(value.unwrap(), key.value);
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// Keys are made once, before.
#[test]
fn a_day_is_built_quickly() {
    SigningKey::test(0);
    let quickest = (0..5).map(|_| {
        let begin = Instant::now();
        assert_eq!(Chain::of(&TrailSpec::default()).objects.len(), 120);
        begin.elapsed()
    });
    let quickest = quickest.min().unwrap();
    println!("24 hours with 4 log files each: {quickest:?}");
    assert!(quickest.as_millis() < 500, "{quickest:?}");
}

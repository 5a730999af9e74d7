//! Cases of what can happen to a chain, each with the truth about what was done.

use serde_json::json;

use self::FoundBy::{Checkpoint, Listing, Nobody, StrictWalk, Walk};
use super::tamper::ReadFault;
use super::{Chain, Digest, Log, Placed, SigningKey, TrailSpec};
/// What was done to an object, or to what vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tamper {
    /// A log file is gone.
    LogDeleted,
    /// A log file has other content, well compressed.
    LogModified,
    /// A log file is not one whole gzip member.
    LogDamaged,
    /// Something follows the gzip member of a log file; or the content is in several.
    LogTrailing,
    /// A log file that CloudTrail did not deliver, or not there.
    LogPlanted,
    /// A digest is gone.
    DigestDeleted,
    /// A digest has other content, and not CloudTrail's signature.
    DigestModified,
    /// A digest is not gzip, not JSON, or lacks what it must say.
    DigestDamaged,
    /// Something follows the gzip member of a digest.
    DigestTrailing,
    /// In its place is another digest that CloudTrail signed for this place; it agrees with itself.
    DigestReplaced,
    /// In its place is a digest that CloudTrail signed for another place.
    DigestMoved,
    /// The signature in the metadata is not right.
    SignatureDamaged,
    /// The signature in the metadata is gone, or the name of its algorithm.
    SignatureLost,
    /// A backfill digest does not say when it was made.
    BackfillTimestampLost,
    /// CloudTrail signed a digest in a way, or with a hash, that it does not use.
    DigestWeak,
    /// An object among the digests that CloudTrail did not put there.
    JunkObject,
    /// It is the same object, but for what nobody vouches for.
    Harmless,
    /// It is there and cannot be read.
    Unreadable,
    /// The time before this digest is covered by none.
    Gap,
    /// The stream ends with this digest, too early.
    Stopped,
    /// Everything lies in this bucket now, not where it was delivered. The key is empty.
    BucketCopied,
    /// A public key is not published. In place of bucket and key: Region and fingerprint.
    KeyWithdrawn,
    /// A public key was not valid when it signed. In place of bucket and key: Region and fingerprint.
    KeyNotValid,
}

impl Tamper {
    /// Whether an object is another than was delivered, is gone, or was not delivered at all.
    pub fn changes_the_object(self) -> bool {
        !matches!(
            self,
            Tamper::DigestWeak
                | Tamper::Unreadable
                | Tamper::Gap
                | Tamper::Stopped
                | Tamper::BucketCopied
                | Tamper::KeyWithdrawn
                | Tamper::KeyNotValid
        )
    }
}

/// The least that finds what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FoundBy {
    /// There is nothing to find.
    Nobody,
    /// A walk along the chain that checks every file on its way, as `aws cloudtrail validate-logs`
    /// of the AWS CLI 1.45.11 does. Later ones also find what follows a log file.
    Walk,
    /// A walk that takes nothing else for granted: names, links, times, algorithms, ends of files.
    StrictWalk,
    /// A listing of the log files, held against the digests.
    Listing,
    /// What an earlier check has seen, or what time it is.
    Checkpoint,
}

/// The truth about what was done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tampered {
    /// What, bucket, key.
    pub what: Vec<(Tamper, String, String)>,
}

/// A case that was set up.
#[derive(Debug, Clone)]
pub struct Staged {
    /// As an earlier check saw it; everything was well then.
    pub before: Chain,
    /// As it is now.
    pub chain: Chain,
    /// What was done between.
    pub tampered: Tampered,
    /// From when to when to check.
    pub range: (i64, i64),
}

/// A case.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What happens.
    pub name: &'static str,
    /// What it takes to find it.
    pub found_by: FoundBy,
    /// Sets it up.
    pub stage: fn() -> Staged,
}

/// The case with this name, set up.
///
/// # Panics
/// If there is none.
pub fn scenario(name: &str) -> Staged {
    let scenario = scenarios().iter().find(|scenario| scenario.name == name);
    (scenario
        .unwrap_or_else(|| panic!("no scenario `{name}`"))
        .stage)()
}

/// All cases.
pub fn scenarios() -> &'static [Scenario] {
    SCENARIOS
}

/// How many hours a stream of a case has.
const HOURS: usize = 16;
/// An hour in the middle, just after midnight.
const MIDDLE: usize = 9;

/// One stream from the afternoon to the morning.
fn spec() -> TrailSpec {
    let default = TrailSpec::default();
    TrailSpec {
        start: default.start + 15 * 3600,
        hours: HOURS,
        logs_per_hour: 3,
        records_per_log: 2,
        ..default
    }
}

fn three_regions() -> [TrailSpec; 3] {
    let spec = spec();
    [
        spec.in_region("eu-west-1"),
        spec.in_region("ap-northeast-1"),
        spec,
    ]
}

fn with_backfill() -> TrailSpec {
    TrailSpec {
        backfill_hours: vec![4, 5, 8],
        ..spec()
    }
}

impl Staged {
    fn of(spec: &TrailSpec) -> Self {
        Staged::of_all([spec])
    }

    fn of_all<'a>(specs: impl IntoIterator<Item = &'a TrailSpec>) -> Self {
        Staged::at(Chain::of_all(specs))
    }

    /// Nothing is done yet.
    fn at(chain: Chain) -> Self {
        let (start, end) = chain.range();
        Staged {
            before: chain.clone(),
            chain,
            tampered: Tampered::default(),
            range: (start - 60, end + 3600),
        }
    }

    /// Some hours go by, for every stream.
    fn go_on(&mut self, hours: usize) {
        for stream in 0..self.chain.streams.len() {
            self.chain.grow(stream, hours);
        }
        self.range.1 = self.chain.range().1 + 3600;
    }

    fn note(&mut self, what: Tamper, at: &impl Placed) {
        let (bucket, key) = at.place();
        self.tampered.what.push((what, bucket, key));
    }

    /// Does something to an object, which is this.
    fn tamper(mut self, what: Tamper, at: &impl Placed, how: impl FnOnce(&mut Chain)) -> Self {
        how(&mut self.chain);
        self.note(what, at);
        self
    }

    fn delete_log(&mut self, log: &Log) {
        self.chain.delete(log);
        self.note(Tamper::LogDeleted, log);
    }

    fn delete_logs(&mut self, digest: &Digest) {
        digest.logs.iter().for_each(|log| self.delete_log(log));
    }

    fn delete_digest(&mut self, digest: &Digest) {
        self.chain.delete(digest);
        self.note(Tamper::DigestDeleted, digest);
    }

    /// Digests and the log files they list.
    fn delete_hours(mut self, stream: usize, hours: impl IntoIterator<Item = usize>) -> Self {
        for hour in hours {
            let digest = self.chain.digest(stream, hour);
            self.delete_digest(&digest);
            self.delete_logs(&digest);
        }
        self
    }

    fn withdraw(mut self, region: &str, fingerprint: &str) -> Self {
        self.chain.withdraw_key(fingerprint);
        self.note(Tamper::KeyWithdrawn, &(region, fingerprint));
        self
    }
}

/// A log file of the middle hour is the only one that something is done to.
fn with_a_log(what: Tamper, how: impl FnOnce(&mut Chain, &Log)) -> Staged {
    let staged = Staged::of(&spec());
    let log = staged.chain.log(0, MIDDLE, 1);
    staged.tamper(what, &log, |chain| how(chain, &log))
}

/// The same with the middle digest.
fn with_a_digest(what: Tamper, how: impl FnOnce(&mut Chain, &Digest)) -> Staged {
    let staged = Staged::of(&spec());
    let digest = staged.chain.digest(0, MIDDLE);
    staged.tamper(what, &digest, |chain| how(chain, &digest))
}

/// CloudTrail itself signed the newest digest in an odd way.
fn with_an_odd_digest(odd: impl FnOnce(&Digest) -> Digest) -> Staged {
    let mut chain = Chain::of(&spec());
    chain.rewrite(0, HOURS - 1, odd);
    let digest = chain.digest(0, HOURS - 1);
    Staged::at(chain).tamper(Tamper::DigestWeak, &digest, |_| ())
}

/// Nothing is done.
fn with(change: impl FnOnce(&mut TrailSpec)) -> Staged {
    let mut spec = spec();
    change(&mut spec);
    Staged::of(&spec)
}

/// Nothing is done but that there is no digest for a time.
fn with_gap_before(hour: usize, change: impl FnOnce(&mut TrailSpec)) -> Staged {
    let staged = with(change);
    let digest = staged.chain.digest(0, hour);
    staged.tamper(Tamper::Gap, &digest, |_| ())
}

const fn case(found_by: FoundBy, name: &'static str, stage: fn() -> Staged) -> Scenario {
    Scenario {
        name,
        found_by,
        stage,
    }
}

const SCENARIOS: &[Scenario] = &[
    case(Nobody, "nothing is wrong", || Staged::of(&spec())),
    case(Nobody, "hours go by without activity", || {
        with(|spec| spec.empty_hours = vec![0, 3, 4, 5, 15])
    }),
    case(Nobody, "log files come hours late", || {
        with(|spec| spec.late_hours = vec![MIDDLE, 10])
    }),
    case(Nobody, "the trail has a prefix", || {
        with(|spec| spec.prefix = Some("audit/trail".into()))
    }),
    case(Nobody, "a trail of three Regions", || {
        Staged::of_all(&three_regions())
    }),
    case(Nobody, "two accounts share a bucket", || {
        Staged::of_all(&[spec(), spec().in_account("123456789012")])
    }),
    case(Nobody, "an organization trail", || {
        let spec = TrailSpec {
            organization_id: Some("o-exampleorgid".into()),
            owner: Some("111122223333".into()),
            ..spec()
        };
        let member = spec.in_account("123456789012");
        Staged::of_all(&[
            spec.in_region("eu-west-1"),
            spec,
            member.in_region("eu-west-1"),
            member,
        ])
    }),
    case(Nobody, "the signing key changes", || {
        with(|spec| spec.key_changes = vec![6, 11])
    }),
    case(Nobody, "the trail moves to another bucket", || {
        with(|spec| spec.moves = vec![(7, "amzn-s3-demo-bucket1".into())])
    }),
    case(Nobody, "the range lies inside a longer chain", || {
        let mut staged = Staged::of(&spec());
        let spec = spec();
        staged.range = (spec.start_of(4) + 700, spec.start_of(11) + 700);
        staged
    }),
    case(
        Nobody,
        "Insights events are listed beside the others",
        || with(|spec| spec.insight_hours = vec![2, 3, MIDDLE]),
    ),
    case(Nobody, "a trail name with dots and underscores", || {
        with(|spec| spec.trail = "audit.trail_us-east-1-2026.v1".into())
    }),
    case(Nobody, "backfill digests come 40 days later", || {
        Staged::of(&with_backfill())
    }),
    case(Nobody, "log files wait for their digest", || {
        let mut staged = with(|spec| spec.off_hours = vec![HOURS]);
        staged.go_on(1);
        staged
    }),
    case(Nobody, "a log file is compressed again", || {
        with_a_log(Tamper::Harmless, |chain, log| chain.recompress(log))
    }),
    case(Nobody, "a digest is compressed again", || {
        with_a_digest(Tamper::Harmless, |chain, digest| chain.recompress(digest))
    }),
    case(Nobody, "a digest gets metadata that means nothing", || {
        with_a_digest(Tamper::Harmless, |chain, digest| {
            chain.set_metadata(digest, "reviewed-by", "alice");
        })
    }),
    case(Nobody, "keys are published in another form", || {
        let mut staged = Staged::of(&spec());
        staged.chain.publish_keys_as_spki();
        staged
    }),
    case(Walk, "a log file loses a record", || {
        with_a_log(Tamper::LogModified, |chain, log| {
            chain.edit_records(log, |records| {
                records.remove(0);
            });
        })
    }),
    case(Walk, "a record in a log file says something else", || {
        with_a_log(Tamper::LogModified, |chain, log| {
            chain.edit_records(log, |records| {
                records[1]["sourceIPAddress"] = json!("198.51.100.7")
            });
        })
    }),
    case(Walk, "a log file is written in another way", || {
        with_a_log(Tamper::LogModified, |chain, log| {
            let spaced = [log.content.as_slice(), b"\n"].concat();
            chain.replace_inflated(log, &spaced);
        })
    }),
    case(Walk, "log files are deleted", || {
        let mut staged = Staged::of(&spec());
        for (hour, index) in [(MIDDLE, 0), (3, 2)] {
            let log = staged.chain.log(0, hour, index);
            staged.delete_log(&log);
        }
        staged
    }),
    case(Walk, "all log files of an hour are deleted", || {
        let mut staged = Staged::of(&spec());
        let digest = staged.chain.digest(0, MIDDLE);
        staged.delete_logs(&digest);
        staged
    }),
    case(Walk, "a log file becomes plain text", || {
        with_a_log(Tamper::LogDamaged, |chain, log| {
            chain.replace(log, log.content.clone());
        })
    }),
    case(Walk, "a log file becomes empty", || {
        with_a_log(Tamper::LogDamaged, |chain, log| chain.replace(log, []))
    }),
    case(Walk, "the gzip checksum of a log file is wrong", || {
        with_a_log(Tamper::LogDamaged, |chain, log| {
            let checksum = chain.object(log).content.len() - 8;
            chain.flip(log, checksum, 0);
        })
    }),
    case(Walk, "the gzip length of a log file is wrong", || {
        with_a_log(Tamper::LogDamaged, |chain, log| {
            let length = chain.object(log).content.len() - 4;
            chain.flip(log, length, 0);
        })
    }),
    case(Walk, "a log file is cut in half", || {
        with_a_log(Tamper::LogDamaged, |chain, log| chain.cut_in_half(log))
    }),
    case(
        StrictWalk,
        "the gzip trailer of a log file is cut off",
        || with_a_log(Tamper::LogDamaged, |chain, log| chain.cut(log, 8)),
    ),
    case(StrictWalk, "forged records follow a log file", || {
        with_a_log(Tamper::LogTrailing, |chain, log| {
            chain.append_member(log, br#"{"Records":[{"eventName":"ConsoleLogin"}]}"#);
        })
    }),
    case(StrictWalk, "bytes follow a log file", || {
        with_a_log(Tamper::LogTrailing, |chain, log| {
            chain.append(log, b"\0\0 and more")
        })
    }),
    case(
        StrictWalk,
        "an empty gzip member follows a log file",
        || {
            with_a_log(Tamper::LogTrailing, |chain, log| {
                chain.append_member(log, b"")
            })
        },
    ),
    case(Walk, "a log file becomes two gzip members", || {
        with_a_log(Tamper::LogTrailing, |chain, log| chain.split_members(log))
    }),
    case(Walk, "two log files change places", || {
        let mut staged = Staged::of(&spec());
        let (one, other) = (staged.chain.log(0, 4, 0), staged.chain.log(0, MIDDLE, 2));
        staged.chain.swap(&one, &other);
        staged.note(Tamper::LogModified, &one);
        staged.note(Tamper::LogModified, &other);
        staged
    }),
    case(Walk, "a log file is replaced by an earlier one", || {
        with_a_log(Tamper::LogModified, |chain, log| {
            let earlier = chain.log(0, 2, 0);
            chain.copy(&earlier, log);
        })
    }),
    case(Walk, "a log file is renamed", || {
        let mut staged = Staged::of(&spec());
        let log = staged.chain.log(0, MIDDLE, 1);
        let to = (log.bucket.clone(), log.key.replace(".json.gz", "X.json.gz"));
        staged.chain.rename(&log, &to);
        staged.note(Tamper::LogDeleted, &log);
        staged.note(Tamper::LogPlanted, &to);
        staged
    }),
    case(Walk, "a log file may not be read", || {
        with_a_log(Tamper::Unreadable, |chain, log| {
            chain.make_unreadable(log, ReadFault::Denied);
        })
    }),
    case(Walk, "a log file is archived", || {
        with_a_log(Tamper::Unreadable, |chain, log| {
            chain.make_unreadable(log, ReadFault::Archived);
        })
    }),
    case(Walk, "the connection breaks in a log file", || {
        with_a_log(Tamper::Unreadable, |chain, log| {
            chain.make_unreadable(log, ReadFault::ConnectionCut);
        })
    }),
    case(Walk, "a digest may not be read", || {
        with_a_digest(Tamper::Unreadable, |chain, digest| {
            chain.make_unreadable(digest, ReadFault::Denied);
        })
    }),
    case(Walk, "a digest forgets a log file that is deleted", || {
        let mut staged = with_a_digest(Tamper::DigestModified, |chain, digest| {
            chain.edit_json(digest, |json| {
                json["logFiles"].as_array_mut().unwrap().remove(0);
            });
        });
        let log = staged.chain.log(0, MIDDLE, 0);
        staged.delete_log(&log);
        staged
    }),
    case(
        Walk,
        "a digest is made to fit a log file that was changed",
        || {
            let mut staged = Staged::of(&spec());
            let (digest, log) = (
                staged.chain.digest(0, MIDDLE),
                staged.chain.log(0, MIDDLE, 1),
            );
            let content = log.content.to_ascii_lowercase();
            staged.chain.replace_inflated(&log, &content);
            let hash = super::sha256(&content);
            staged.chain.edit_json(&digest, |json| {
                json["logFiles"][1]["hashValue"] = json!(hash)
            });
            staged.note(Tamper::LogModified, &log);
            staged.note(Tamper::DigestModified, &digest);
            staged
        },
    ),
    case(Walk, "a digest is written in another way", || {
        with_a_digest(Tamper::DigestModified, |chain, digest| {
            let spaced = [digest.json.as_slice(), b"\n"].concat();
            chain.replace_inflated(digest, &spaced);
        })
    }),
    case(
        Walk,
        "somebody else signs a digest in the name of the key",
        || {
            with_a_digest(Tamper::DigestModified, |chain, digest| {
                let fewer = digest.logs[1..].to_vec();
                chain.redeliver(&digest.signed_by(SigningKey::test(30)).with_logs(fewer));
            })
        },
    ),
    case(
        Walk,
        "somebody else signs a digest with a key of their own",
        || {
            with_a_digest(Tamper::DigestModified, |chain, digest| {
                let key = SigningKey::test(30);
                chain.redeliver(&digest.signed_by(key).with_json(|json| {
                    json["digestPublicKeyFingerprint"] = json!(key.fingerprint());
                }));
            })
        },
    ),
    case(Walk, "a digest is deleted", || {
        let mut staged = Staged::of(&spec());
        let digest = staged.chain.digest(0, MIDDLE);
        staged.delete_digest(&digest);
        staged
    }),
    case(
        Walk,
        "three digests in a row are deleted with their log files",
        || Staged::of(&spec()).delete_hours(0, 7..10),
    ),
    case(
        Walk,
        "the oldest digests are deleted with their log files",
        || Staged::of(&spec()).delete_hours(0, 0..5),
    ),
    case(
        Checkpoint,
        "the newest digests are deleted with their log files",
        || Staged::of(&spec()).delete_hours(0, 13..HOURS),
    ),
    case(
        Listing,
        "the newest digests are deleted, their log files are not",
        || {
            let mut staged = Staged::of(&spec());
            for hour in 13..HOURS {
                let digest = staged.chain.digest(0, hour);
                staged.delete_digest(&digest);
            }
            staged
        },
    ),
    case(
        Checkpoint,
        "the digests before a restart are deleted with their log files",
        || with_gap_before(8, |spec| spec.off_hours = vec![6, 7]).delete_hours(0, 4..6),
    ),
    case(
        Checkpoint,
        "every digest is deleted with its log files",
        || Staged::of(&spec()).delete_hours(0, 0..HOURS),
    ),
    case(Checkpoint, "everything of one Region is deleted", || {
        Staged::of_all(&three_regions()).delete_hours(1, 0..HOURS)
    }),
    case(Checkpoint, "everything of one account is deleted", || {
        Staged::of_all(&[spec(), spec().in_account("123456789012")]).delete_hours(1, 0..HOURS)
    }),
    case(Checkpoint, "what lies before a time is deleted", || {
        let staged = Staged::of(&spec()).delete_hours(0, 0..5);
        let start = spec().start_of(5) + 60;
        Staged {
            range: (start, staged.range.1),
            ..staged
        }
    }),
    case(Walk, "a signature in the metadata is wrong", || {
        with_a_digest(Tamper::SignatureDamaged, |chain, digest| {
            chain.flip_metadata(digest, "signature", 40, 0);
        })
    }),
    case(Walk, "a signature in the metadata is no number", || {
        with_a_digest(Tamper::SignatureDamaged, |chain, digest| {
            chain.set_metadata(digest, "signature", "none");
        })
    }),
    case(
        Walk,
        "a signature in the metadata is that of another digest",
        || {
            with_a_digest(Tamper::SignatureDamaged, |chain, digest| {
                let other = chain.digest(0, MIDDLE - 1).signature;
                chain.set_metadata(digest, "signature", &other);
            })
        },
    ),
    case(Walk, "a digest loses its metadata", || {
        with_a_digest(Tamper::SignatureLost, |chain, digest| {
            chain.drop_all_metadata(digest);
        })
    }),
    case(Walk, "a digest loses the name of the algorithm", || {
        with_a_digest(Tamper::SignatureLost, |chain, digest| {
            chain.drop_metadata(digest, "signature-algorithm");
        })
    }),
    case(Walk, "the newest digest loses its metadata", || {
        let staged = Staged::of(&spec());
        let digest = staged.chain.digest(0, HOURS - 1);
        staged.tamper(Tamper::SignatureLost, &digest, |chain| {
            chain.drop_all_metadata(&digest)
        })
    }),
    case(Walk, "all digests lose their metadata", || {
        let mut staged = Staged::of(&spec());
        for hour in 0..HOURS {
            let digest = staged.chain.digest(0, hour);
            staged = staged.tamper(Tamper::SignatureLost, &digest, |chain| {
                chain.drop_all_metadata(&digest)
            });
        }
        staged
    }),
    case(
        Walk,
        "an older digest is put in place of a newer one",
        || {
            with_a_digest(Tamper::DigestMoved, |chain, digest| {
                let older = chain.digest(0, MIDDLE - 3);
                chain.copy(&older, digest);
            })
        },
    ),
    case(
        Walk,
        "a digest of another Region is put in place of one",
        || {
            let staged = Staged::of_all(&three_regions());
            let (digest, other) = (
                staged.chain.digest(0, MIDDLE),
                staged.chain.digest(1, MIDDLE),
            );
            staged.tamper(Tamper::DigestMoved, &digest, |chain| {
                chain.copy(&other, &digest)
            })
        },
    ),
    case(Walk, "all objects are in another bucket", || {
        let (copy, original) = ("amzn-s3-demo-destination-bucket", spec().bucket);
        Staged::of(&spec()).tamper(Tamper::BucketCopied, &(copy, ""), |chain| {
            chain.copy_bucket(&original, copy);
            chain.empty_bucket(&original);
        })
    }),
    case(Walk, "a digest is not JSON", || {
        with_a_digest(Tamper::DigestDamaged, |chain, digest| {
            chain.replace_inflated(digest, br#"{"awsAccountId":"#);
        })
    }),
    case(Walk, "a digest is not gzip", || {
        with_a_digest(Tamper::DigestDamaged, |chain, digest| {
            chain.replace(digest, digest.json.clone());
        })
    }),
    case(Walk, "a digest becomes empty", || {
        with_a_digest(Tamper::DigestDamaged, |chain, digest| {
            chain.replace(digest, [])
        })
    }),
    case(Walk, "a digest does not say when it ends", || {
        with_a_digest(Tamper::DigestDamaged, |chain, digest| {
            chain.edit_json(digest, |json| {
                json.as_object_mut().unwrap().shift_remove("digestEndTime");
            });
        })
    }),
    case(StrictWalk, "a gzip member follows a digest", || {
        with_a_digest(Tamper::DigestTrailing, |chain, digest| {
            chain.append_member(digest, br#"{"logFiles":[]}"#);
        })
    }),
    case(StrictWalk, "bytes follow a digest", || {
        with_a_digest(Tamper::DigestTrailing, |chain, digest| {
            chain.append(digest, b"more");
        })
    }),
    case(
        StrictWalk,
        "another digest signed for the same place lacks a deleted log file",
        || {
            let mut staged = with_a_digest(Tamper::DigestReplaced, |chain, digest| {
                let fewer = digest.logs[1..].to_vec();
                chain.redeliver(&digest.with_logs(fewer));
            });
            let log = staged.chain.log(0, MIDDLE, 0);
            staged.delete_log(&log);
            staged
        },
    ),
    case(
        Checkpoint,
        "the chain is signed anew without a deleted log file",
        || {
            let mut staged = Staged::of(&spec());
            let log = staged.chain.log(0, MIDDLE, 0);
            staged.chain.rewrite(0, MIDDLE, |digest| {
                digest.with_logs(digest.logs[1..].to_vec())
            });
            for hour in MIDDLE..HOURS {
                let digest = staged.chain.digest(0, hour);
                staged.note(Tamper::DigestReplaced, &digest);
            }
            staged.delete_log(&log);
            staged
        },
    ),
    case(StrictWalk, "linked digests leave hours out", || {
        with_gap_before(8, |spec| spec.skipped_hours = vec![6, 7])
    }),
    case(StrictWalk, "validation is off for some hours", || {
        with_gap_before(10, |spec| spec.off_hours = (5..10).collect())
    }),
    case(StrictWalk, "logging stops and starts again", || {
        with_gap_before(8, |spec| spec.stops = vec![(7, 1300)])
    }),
    case(
        Checkpoint,
        "log files that no digest lists are changed and deleted",
        || {
            let mut staged = with_gap_before(10, |spec| spec.off_hours = (5..10).collect());
            let unlisted = staged.chain.streams[0].unlisted.clone();
            staged
                .chain
                .replace_inflated(&unlisted[4], br#"{"Records":[]}"#);
            staged.note(Tamper::LogModified, &unlisted[4]);
            staged.delete_log(&unlisted[7]);
            staged
        },
    ),
    case(Checkpoint, "validation ends", || {
        let mut staged = with(|spec| spec.off_hours = (HOURS..HOURS + 8).collect());
        staged.go_on(8);
        let last = staged.chain.digest(0, HOURS - 1);
        staged.tamper(Tamper::Stopped, &last, |_| ())
    }),
    case(Checkpoint, "logging ends with a short digest", || {
        let mut staged = with(|spec| {
            spec.stops = vec![(HOURS, 1300)];
            spec.off_hours = (HOURS + 1..HOURS + 6).collect();
            spec.empty_hours = (HOURS + 1..HOURS + 6).collect();
        });
        staged.go_on(6);
        let last = staged.chain.digest(0, HOURS);
        staged.tamper(Tamper::Stopped, &last, |_| ())
    }),
    case(Checkpoint, "one Region falls silent", || {
        let mut staged = Staged::of_all(&three_regions());
        staged.chain.grow(0, 6);
        staged.chain.grow(2, 6);
        staged.range.1 = staged.chain.range().1 + 3600;
        let last = staged.chain.digest(1, HOURS - 1);
        staged.tamper(Tamper::Stopped, &last, |_| ())
    }),
    case(
        Checkpoint,
        "the trail delivers to another place from now on",
        || {
            let mut staged = Staged::of(&spec());
            let elsewhere = TrailSpec {
                bucket: "amzn-s3-demo-bucket2".into(),
                prefix: Some("elsewhere".into()),
                start: spec().start_of(HOURS),
                hours: 6,
                ..spec()
            };
            staged.chain.add(&elsewhere);
            staged.range.1 = staged.chain.range().1 + 3600;
            let last = staged.chain.digest(0, HOURS - 1);
            staged.tamper(Tamper::Stopped, &last, |_| ())
        },
    ),
    case(
        Checkpoint,
        "a log file is changed after it was checked",
        || {
            let mut staged = with_a_log(Tamper::LogModified, |chain, log| {
                chain.edit_records(log, Vec::clear)
            });
            staged.go_on(6);
            staged.range.0 = spec().start_of(HOURS);
            staged
        },
    ),
    case(
        Checkpoint,
        "a log file is deleted after it was checked",
        || {
            let mut staged = with_a_log(Tamper::LogDeleted, |chain, log| chain.delete(log));
            staged.go_on(6);
            staged.range.0 = spec().start_of(HOURS);
            staged
        },
    ),
    case(Listing, "a log file is planted", || {
        let mut staged = Staged::of(&spec());
        let planted = staged.chain.plant_log(0, MIDDLE);
        staged.note(Tamper::LogPlanted, &planted);
        staged
    }),
    case(Listing, "a copy of a log file is planted", || {
        let mut staged = Staged::of(&spec());
        let log = staged.chain.log(0, MIDDLE, 1);
        let copy = (log.bucket.clone(), log.key.replace("Z_", "Z_Copy"));
        staged.chain.copy(&log, &copy);
        staged.note(Tamper::LogPlanted, &copy);
        staged
    }),
    case(
        StrictWalk,
        "another trail's name hides that log files are deleted",
        || {
            let mut staged = Staged::of(&spec());
            staged.chain.add_trail_with_colliding_name(0, HOURS);
            staged.before = staged.chain.clone();
            let log = staged.chain.log(0, MIDDLE, 1);
            staged.delete_log(&log);
            staged
        },
    ),
    case(
        StrictWalk,
        "junk among the digests hides that log files are deleted",
        || {
            let mut staged = Staged::of(&spec());
            let junk = staged.chain.add_junk(0, 5, "_zzzzzzzzzzzzzzzz.json.gz");
            staged.note(Tamper::JunkObject, &junk);
            for hour in 11..HOURS {
                let digest = staged.chain.digest(0, hour);
                staged.delete_logs(&digest);
            }
            staged
        },
    ),
    case(
        StrictWalk,
        "objects with odd names lie among the digests",
        || {
            let mut staged = Staged::of(&spec());
            for ending in [
                ".json",
                ".json.gz.bak",
                "_backfil.json.gz",
                " (1).json.gz",
                "_\u{e9}\u{1f4a9}.json.gz",
            ] {
                let junk = staged.chain.add_junk(0, MIDDLE, ending);
                staged.note(Tamper::JunkObject, &junk);
            }
            staged
        },
    ),
    case(
        Walk,
        "a digest that lies about its time is put in the future",
        || {
            let mut staged = Staged::of(&spec());
            let (last, spec) = (staged.chain.digest(0, HOURS - 1), spec());
            let future = (
                spec.bucket.clone(),
                spec.digest_key(spec.start_of(HOURS + 1), false),
            );
            staged.chain.copy(&last, &future);
            staged.note(Tamper::DigestMoved, &future);
            staged
        },
    ),
    case(Walk, "a public key is not published any more", || {
        let staged = with(|spec| spec.key_changes = vec![8]);
        let fingerprint = staged.chain.digest(0, 0).fingerprint;
        staged.withdraw("us-east-1", &fingerprint)
    }),
    case(Walk, "no public key is published", || {
        let mut staged = with(|spec| spec.key_changes = vec![8]);
        for hour in [0, 8] {
            let fingerprint = staged.chain.digest(0, hour).fingerprint;
            staged = staged.withdraw("us-east-1", &fingerprint);
        }
        staged
    }),
    case(Walk, "a public key is damaged", || {
        let staged = Staged::of(&spec());
        let fingerprint = staged.chain.digest(0, 0).fingerprint;
        staged.tamper(
            Tamper::KeyWithdrawn,
            &("us-east-1", fingerprint.as_str()),
            |chain| {
                chain.edit_key(&fingerprint, |key| key.value.truncate(100));
            },
        )
    }),
    case(StrictWalk, "a public key was not valid yet", || {
        let staged = Staged::of(&spec());
        let fingerprint = staged.chain.digest(0, 0).fingerprint;
        let since = spec().start_of(MIDDLE);
        staged.tamper(
            Tamper::KeyNotValid,
            &("us-east-1", fingerprint.as_str()),
            |chain| {
                chain.edit_key(&fingerprint, |key| key.validity_start = since);
            },
        )
    }),
    case(StrictWalk, "a digest is signed with SHA-1", || {
        with_an_odd_digest(Digest::signed_with_sha1)
    }),
    case(
        StrictWalk,
        "a digest names another signature algorithm",
        || {
            with_an_odd_digest(|digest| {
                digest.with_json(|json| json["digestSignatureAlgorithm"] = json!("SHA1withRSA"))
            })
        },
    ),
    case(
        StrictWalk,
        "a digest names another hash algorithm for a log file",
        || {
            with_an_odd_digest(|digest| {
                digest.with_json(|json| json["logFiles"][0]["hashAlgorithm"] = json!("MD5"))
            })
        },
    ),
    case(
        StrictWalk,
        "a digest names another hash algorithm for the digest before",
        || {
            with_an_odd_digest(|digest| {
                digest.with_json(|json| json["previousDigestHashAlgorithm"] = json!("SHA-1"))
            })
        },
    ),
    case(Walk, "a log file of a backfill digest is changed", || {
        let staged = Staged::of(&with_backfill());
        let log = staged.chain.streams[0].backfill[1].logs[0].clone();
        staged.tamper(Tamper::LogModified, &log, |chain| {
            chain.edit_records(&log, Vec::clear)
        })
    }),
    case(Walk, "a backfill digest is deleted between others", || {
        let mut staged = Staged::of(&with_backfill());
        let digest = staged.chain.streams[0].backfill[1].clone();
        staged.delete_digest(&digest);
        staged
    }),
    case(
        Checkpoint,
        "the newest backfill digest is deleted with its log files",
        || {
            let mut staged = Staged::of(&with_backfill());
            let digest = staged.chain.streams[0].backfill[2].clone();
            staged.delete_digest(&digest);
            staged.delete_logs(&digest);
            staged
        },
    ),
    case(
        Checkpoint,
        "all backfill digests are deleted with their log files",
        || {
            let mut staged = Staged::of(&with_backfill());
            for digest in staged.chain.streams[0].backfill.clone() {
                staged.delete_digest(&digest);
                staged.delete_logs(&digest);
            }
            staged
        },
    ),
    case(
        Walk,
        "the public key of backfill digests is not published",
        || {
            let staged = Staged::of(&with_backfill());
            let fingerprint = staged.chain.streams[0].backfill[0].fingerprint.clone();
            staged.withdraw("us-east-1", &fingerprint)
        },
    ),
    case(
        Walk,
        "backfill digests do not say when they were made",
        || {
            let mut staged = Staged::of(&with_backfill());
            for digest in staged.chain.streams[0].backfill.clone() {
                staged
                    .chain
                    .drop_metadata(&digest, "backfill-generation-timestamp");
                staged.note(Tamper::BackfillTimestampLost, &digest);
            }
            staged
        },
    ),
    case(
        Walk,
        "a backfill digest is put in place of a regular one",
        || {
            let staged = Staged::of(&with_backfill());
            let (digest, backfill) = (
                staged.chain.digest(0, 5),
                staged.chain.streams[0].backfill[1].clone(),
            );
            staged.tamper(Tamper::DigestMoved, &digest, |chain| {
                chain.copy(&backfill, &digest)
            })
        },
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::chain::Object;
    use crate::chain::tests::all_staged;

    #[test]
    fn names_are_unique() {
        let names: BTreeSet<_> = scenarios().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), scenarios().len());
    }

    /// Objects as CloudTrail delivered them.
    fn delivered(chain: &Chain) -> BTreeMap<(String, String), Object> {
        let mut objects = BTreeMap::new();
        for stream in &chain.streams {
            let digests = stream.digests.iter().chain(&stream.backfill);
            objects.extend(digests.map(|digest| (digest.place(), digest.object())));
            objects.extend(stream.logs().map(|log| (log.place(), log.object())));
        }
        objects
    }

    #[test]
    fn the_truth_is_what_differs() {
        for (scenario, staged) in all_staged() {
            assert_eq!(
                staged.before.objects,
                delivered(&staged.before),
                "{}: before, all is well",
                scenario.name
            );
            let mut due = delivered(&staged.chain);
            // What was there before is due as it was, even if the chain was signed anew.
            due.extend(staged.before.objects.clone());
            let now = &staged.chain.objects;
            let places: BTreeSet<_> = due.keys().chain(now.keys()).collect();
            let differs = places
                .into_iter()
                .filter(|place| due.get(*place) != now.get(*place));
            let mut differs: Vec<_> = differs.cloned().collect();
            let what = &staged.tampered.what;
            if let [(Tamper::BucketCopied, copy, _)] = what.as_slice() {
                let at_home = |((_, key), object): (&(String, String), &Object)| {
                    ((spec().bucket, key.clone()), object.clone())
                };
                assert!(now.keys().all(|(bucket, _)| bucket == copy));
                assert_eq!(now.iter().map(at_home).collect::<BTreeMap<_, _>>(), due);
                differs.clear();
            }
            let changed = what.iter().filter(|(what, ..)| what.changes_the_object());
            let mut changed: Vec<_> = changed
                .map(|(_, bucket, key)| (bucket.clone(), key.clone()))
                .collect();
            changed.sort();
            assert_eq!(changed, differs, "{}", scenario.name);
        }
    }

    #[test]
    fn deleted_is_gone_and_the_rest_is_there() {
        for (scenario, staged) in all_staged() {
            for (what, bucket, key) in &staged.tampered.what {
                let place = (bucket.clone(), key.clone());
                let is_gone = matches!(what, Tamper::LogDeleted | Tamper::DigestDeleted);
                let is_an_object = !matches!(
                    what,
                    Tamper::BucketCopied | Tamper::KeyWithdrawn | Tamper::KeyNotValid
                );
                if is_an_object {
                    assert_eq!(
                        staged.chain.objects.contains_key(&place),
                        !is_gone,
                        "{}: {key}",
                        scenario.name
                    );
                }
            }
        }
    }

    #[test]
    fn what_nobody_finds_is_harmless() {
        for (scenario, staged) in all_staged() {
            let mut what = staged.tampered.what.iter().map(|(what, ..)| *what);
            let is_harmless = what.all(|what| what == Tamper::Harmless);
            assert_eq!(
                is_harmless,
                scenario.found_by == FoundBy::Nobody,
                "{}",
                scenario.name
            );
        }
    }
}

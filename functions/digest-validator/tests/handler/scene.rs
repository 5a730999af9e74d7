//! A function in a world of its own, what CloudTrail delivers there, and what was found and told.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use alarm_notifier::{Notifier, Ports as NotifierPorts, Settings as NotifierSettings};
use alarm_state::{Matches, QueueBody};
use digest_validator::{Ports, Settings, Validator};
use ports::{Clock, ErrorKind, PublicKeyEntry, PublicKeys, RequestError};
use serde_json::{Value, json};
use testkit::chain::{Object, ReadFault};
use testkit::{Chain, Fault, PublicKeysHandle, World, run, sqs_record};

pub(crate) const BUCKET: &str = "amzn-s3-demo-bucket";
pub(crate) const REPORTS: &str = "amzn-s3-demo-destination-bucket";
pub(crate) const HOUR: i64 = 3_600;
const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:alarms";

/// A function, its world, and what lies in its bucket.
pub(crate) struct Scene {
    pub(crate) world: World,
    variables: BTreeMap<String, String>,
    there: RefCell<BTreeMap<(String, String), Object>>,
    published: RefCell<BTreeMap<String, Vec<PublicKeyEntry>>>,
    delivered: Cell<usize>,
    /// Each request takes so long, in milliseconds.
    pub(crate) request_millis: Cell<i64>,
    /// Objects that are deleted leave a mark.
    pub(crate) keeps_versions: Cell<bool>,
}

/// What an invocation came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Result<Value, String>,
    /// Each metric under its name, and under `name:value` for each value of its dimension.
    counts: BTreeMap<String, u64>,
}

impl Outcome {
    pub(crate) fn count(&self, metric: &str) -> u64 {
        self.counts.get(metric).copied().unwrap_or_default()
    }

    pub(crate) fn finished(&self) -> bool {
        self.answer.as_ref().unwrap()["finished"] == true
    }
}

/// What CloudTrail publishes of keys in a Region.
struct Published {
    request: PublicKeysHandle,
    keys: Vec<PublicKeyEntry>,
}

impl PublicKeys for Published {
    async fn list_public_keys(
        &self,
        start: i64,
        end: i64,
    ) -> Result<Vec<PublicKeyEntry>, RequestError> {
        self.request.list_public_keys(start, end).await?;
        let keys = self.keys.iter();
        let valid = keys.filter(|key| key.validity_start <= end && start <= key.validity_end);
        Ok(valid.cloned().collect())
    }
}

/// Time passes with every request.
#[derive(Debug, Clone)]
pub(crate) struct Ticking {
    world: World,
    begun: usize,
    request_millis: i64,
}

impl Clock for Ticking {
    fn now_millis(&self) -> i64 {
        let requests = self.world.requests().len() - self.begun;
        self.world.now_millis() + self.request_millis * i64::try_from(requests).unwrap()
    }
}

/// The variables that must be set.
pub(crate) fn required() -> BTreeMap<String, String> {
    let queue = "https://sqs.us-east-1.amazonaws.com/111122223333";
    [
        ("TRAILWARDEN_TABLE", "state".to_owned()),
        ("TRAIL_BUCKET", BUCKET.to_owned()),
        ("MATCH_QUEUE_URL", format!("{queue}/matches.fifo")),
        ("LOG_FILE_QUEUE_URL", format!("{queue}/log-files")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

impl Scene {
    /// At the time when the first digest of a chain begins, with nothing in the bucket.
    pub(crate) fn new(chain: &Chain) -> Scene {
        Scene::with(chain, &[])
    }

    pub(crate) fn with(chain: &Chain, variables: &[(&str, &str)]) -> Scene {
        let world = World::new(chain.range().0);
        world.add_bucket(BUCKET, "us-east-1");
        world.add_bucket(REPORTS, "us-east-1");
        let mut all = required();
        for (name, value) in variables {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        Scene {
            world,
            variables: all,
            there: RefCell::default(),
            published: RefCell::default(),
            delivered: Cell::new(0),
            request_millis: Cell::new(0),
            keeps_versions: Cell::new(false),
        }
    }

    /// Puts into the buckets what the chain holds and was delivered by now, at its time; takes out what it holds no more.
    pub(crate) fn deliver(&self, chain: &Chain) {
        self.deliver_until(chain, i64::MAX);
    }

    pub(crate) fn deliver_until(&self, chain: &Chain, until: i64) {
        let mut there = self.there.borrow_mut();
        let gone: Vec<(String, String)> = there
            .keys()
            .filter(|place| !chain.objects.contains_key(*place))
            .cloned()
            .collect();
        for (bucket, key) in gone {
            match self.keeps_versions.get() {
                true => drop(self.world.delete_marker(&bucket, &key)),
                false => self.world.delete_object(&bucket, &key),
            }
            there.remove(&(bucket, key));
        }
        let mut new: Vec<_> = chain
            .objects
            .iter()
            .filter(|(place, object)| {
                object.delivered <= until && there.get(*place) != Some(object)
            })
            .collect();
        new.sort_by_key(|(_, object)| object.delivered);
        for ((bucket, key), object) in new {
            self.pass_until(object.delivered);
            let Object {
                content, metadata, ..
            } = object.clone();
            self.world.put_object_with(bucket, key, content, metadata);
            there.insert((bucket.clone(), key.clone()), object.clone());
        }
        *self.published.borrow_mut() = chain.public_keys.clone();
        self.world.heal();
        for ((bucket, key), fault) in &chain.read_faults {
            let fault = match fault {
                ReadFault::Denied => Fault::Fail(ErrorKind::AccessDenied),
                ReadFault::Archived => Fault::Fail(ErrorKind::Archived),
                ReadFault::ConnectionCut => Fault::Fail(ErrorKind::Unknown),
            };
            self.world
                .fail_all(&format!("GetObject s3://{bucket}/{key}"), fault);
        }
    }

    /// Lets time pass until then.
    pub(crate) fn pass_until(&self, time: i64) {
        self.world.advance((time - self.world.now()).max(0));
    }

    /// One invocation; `None` if the process died, which a new one follows then.
    pub(crate) fn try_validate(&self, seconds: i64) -> Option<Outcome> {
        self.try_handle(json!({ "validate": true }), seconds)
    }

    pub(crate) fn try_handle(&self, invocation: Value, seconds: i64) -> Option<Outcome> {
        let settings = Settings::from_env(|name| self.variables.get(name).cloned()).unwrap();
        let world = &self.world;
        let clock = Ticking {
            world: world.clone(),
            begun: world.requests().len(),
            request_millis: self.request_millis.get(),
        };
        let deadline = clock.now_millis() + seconds * 1_000;
        let ports = Ports {
            objects: world.clone(),
            items: world.clone(),
            matches: world.queue("matches"),
            log_files: world.queue("log-files"),
            trails: world.clone(),
            public_keys: |region: &str| Published {
                request: world.public_keys(region),
                keys: self
                    .published
                    .borrow()
                    .get(region)
                    .cloned()
                    .unwrap_or_default(),
            },
            clock,
        };
        let mut lines = Vec::new();
        let mut write_line = |line: &str| lines.push(line.to_owned());
        let validator = Validator::new(settings, ports);
        let answer = run(validator.handle(invocation, deadline, &mut write_line));
        if answer.is_none() {
            world.revive();
        }
        Some(Outcome {
            answer: answer?.map_err(|error| error.to_string()),
            counts: counts(&lines),
        })
    }

    /// One invocation that succeeds.
    pub(crate) fn validate(&self) -> Outcome {
        let outcome = self.try_validate(900).expect("the process died");
        assert!(outcome.answer.is_ok(), "{outcome:?}");
        outcome
    }

    /// An hour later, in which the chains go on, another invocation.
    pub(crate) fn next_hour(&self, chain: &mut Chain) -> Outcome {
        for stream in 0..chain.streams.len() {
            chain.grow(stream, 1);
        }
        self.at_end(chain)
    }

    /// An invocation ten minutes after the last digest.
    pub(crate) fn at_end(&self, chain: &Chain) -> Outcome {
        self.deliver(chain);
        self.pass_until(chain.range().1 + 600);
        self.validate()
    }

    /// The messages with findings that were sent.
    pub(crate) fn sent(&self) -> Vec<Matches> {
        let sent = self.world.sent("matches").into_iter();
        sent.map(|sent| match QueueBody::parse(&sent.message.body).unwrap() {
            QueueBody::Matches(matches) => *matches,
            other => panic!("{other:?}"),
        })
        .collect()
    }

    /// Kind and place of everything that was found: the first ten of each message.
    pub(crate) fn found(&self) -> BTreeSet<(String, String)> {
        let of = |matches: &Matches| {
            let evidence = matches.evidence.iter();
            let name = &matches.filter.name;
            evidence
                .map(|evidence| (name.clone(), evidence.location.clone()))
                .collect::<Vec<_>>()
        };
        self.sent().iter().flat_map(of).collect()
    }

    /// How many samples there are of each kind, each once by identity and time.
    pub(crate) fn samples(&self) -> BTreeMap<String, BTreeSet<(i64, u64)>> {
        let mut samples: BTreeMap<String, BTreeSet<(i64, u64)>> = BTreeMap::new();
        for matches in self.sent() {
            let of_kind = samples.entry(matches.filter.name.clone()).or_default();
            of_kind.extend(
                matches
                    .samples()
                    .unwrap()
                    .iter()
                    .map(|sample| (sample.time, sample.id)),
            );
        }
        samples
    }

    /// Lets the notifier take what was sent since.
    pub(crate) fn notify(&self) {
        let queue = "https://sqs.us-east-1.amazonaws.com/111122223333";
        let settings = NotifierSettings::from_env(|name| match name {
            "TRAILWARDEN_TABLE" => Some("state".to_owned()),
            "MATCH_QUEUE_URL" => Some(format!("{queue}/matches.fifo")),
            "MATCH_DEAD_LETTER_QUEUE_URL" => Some(format!("{queue}/dead.fifo")),
            "ALARM_TOPIC_ARN" => Some(TOPIC.to_owned()),
            _ => None,
        });
        let world = &self.world;
        let ports = NotifierPorts {
            items: world.clone(),
            queue: world.queue("ticks"),
            dead_letters: world.queue("dead-letters"),
            topics: world.clone(),
            clock: world.clone(),
        };
        let notifier = Notifier::new(settings.unwrap(), ports);
        let sent = world.sent("matches");
        for sent in &sent[self.delivered.replace(sent.len())..] {
            let message = &sent.message;
            let record = sqs_record("m", &message.body, 1, Some(&message.group_id));
            let batch = json!({ "Records": [record] });
            let deadline = world.now_millis() + 60_000;
            let answer = run(notifier.handle(batch, deadline, &mut |_| ()))
                .unwrap()
                .unwrap();
            assert_eq!(answer["batchItemFailures"], json!([]));
        }
    }

    /// Everything that was told, in its form for machines.
    pub(crate) fn told(&self) -> Vec<Value> {
        let publications = self.world.publications().into_iter();
        publications
            .map(|(_, publication)| {
                let structure: Value = serde_json::from_str(&publication.message).unwrap();
                serde_json::from_str(structure["sqs"].as_str().unwrap()).unwrap()
            })
            .collect()
    }
}

/// A key without what all keys of an account begin with.
pub(crate) fn short(location: &str) -> String {
    location.rsplit('/').next().unwrap_or_default().to_owned()
}

fn counts(lines: &[String]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let dimension = directive["Dimensions"][1][0].as_str();
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            let value = &line[name];
            let n = value.as_array().map_or_else(
                || value.as_f64().unwrap() as u64,
                |values| values.len() as u64,
            );
            *counts.entry(name.to_owned()).or_default() += n;
            if let Some(dimension) = dimension {
                let value = line[dimension].as_str().unwrap();
                *counts.entry(format!("{name}:{value}")).or_default() += n;
            }
        }
    }
    counts
}

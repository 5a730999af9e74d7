//! A function in a world of its own, matches for it, and what it told.

use std::cell::Cell;
use std::collections::BTreeMap;

use alarm_notifier::{Notifier, Ports, Settings};
use alarm_state::{Filter, GroupId, GroupKeys, Head, Matches, QueueBody, SourceObject, split};
use metric_alarm::{AlarmDefinition, ComparisonOperator, Sample, Statistic};
use notification::Evidence;
use ports::{Body, Clock, Item, Items};
use serde_json::{Value, json};
use testkit::{QueueHandle, World, run, sqs_record};

/// 2026-03-02T03:00:00Z.
pub(crate) const NOW: i64 = 1_772_420_400;
pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:alarms";
pub(crate) const CHAT_TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:chat";

pub(crate) const HOUR: i64 = 3_600;

type Function<T> = Notifier<T, QueueHandle, QueueHandle, World, World>;

/// A function and its world.
pub(crate) struct Scene<T = World> {
    pub(crate) world: World,
    function: Function<T>,
    /// Messages of the match queue that were delivered.
    taken: Cell<usize>,
}

/// What an invocation came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The answer, or the error as text.
    pub(crate) answer: Result<Value, String>,
    /// Each metric under its name, and under `name:value` for each value of its dimension.
    pub(crate) counts: BTreeMap<String, u64>,
}

/// A message about an incident, or a summary.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) subject: String,
    /// For people.
    pub(crate) text: String,
    /// For machines.
    pub(crate) document: Value,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        Scene::with_environment(&[])
    }

    /// With these variables besides those that must be set.
    pub(crate) fn with_environment(variables: &[(&str, &str)]) -> Scene {
        let world = World::new(NOW);
        Scene::over(world.clone(), world, variables)
    }

    /// The function in the same world after these variables were changed.
    pub(crate) fn configured_anew(&self, variables: &[(&str, &str)]) -> Scene {
        let scene = Scene::over(self.world.clone(), self.world.clone(), variables);
        scene.taken.set(self.taken.get());
        scene
    }
}

impl<T: Items> Scene<T> {
    /// Over a table of its own.
    pub(crate) fn over(world: World, items: T, variables: &[(&str, &str)]) -> Scene<T> {
        let mut environment = required();
        for (name, value) in variables {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        let settings = Settings::from_env(|name| environment.get(name).cloned()).unwrap();
        let ports = Ports {
            items,
            queue: world.queue("matches"),
            dead_letters: world.queue("dead-letters"),
            topics: world.clone(),
            clock: world.clone(),
        };
        Scene {
            world,
            function: Notifier::new(settings, ports),
            taken: Cell::new(0),
        }
    }

    /// One invocation; `None` if the process died, which a new one follows then.
    pub(crate) fn try_handle(&self, invocation: Value, millis: i64) -> Option<Outcome> {
        let mut lines = Vec::new();
        let mut write_line = |line: &str| lines.push(line.to_owned());
        let deadline = self.world.now_millis() + millis;
        let answer = run(self.function.handle(invocation, deadline, &mut write_line));
        if answer.is_none() {
            self.world.revive();
        }
        Some(Outcome {
            answer: answer?.map_err(|error| error.to_string()),
            counts: counts(&lines),
        })
    }

    pub(crate) fn handle(&self, invocation: Value) -> Outcome {
        self.try_handle(invocation, 60_000)
            .expect("the process died")
    }

    /// A batch of these messages, `m1`, `m2`, ...
    pub(crate) fn deliver(&self, messages: &[Matches]) -> Outcome {
        self.handle(batch(messages))
    }

    /// The tick, and then the messages it sent.
    pub(crate) fn tick(&self) -> Outcome {
        let outcome = self.handle(tick());
        assert!(outcome.answer.is_ok(), "{outcome:?}");
        self.deliver_sent()
    }

    /// The messages that ticks have sent.
    pub(crate) fn deliver_sent(&self) -> Outcome {
        let sent = self.world.sent("matches");
        let new = &sent[self.taken.replace(sent.len())..];
        let records = new.iter().zip(1..).map(|(sent, n)| {
            let message = &sent.message;
            sqs_record(&format!("m{n}"), &message.body, 1, Some(&message.group_id))
        });
        self.handle(json!({ "Records": records.collect::<Vec<_>>() }))
    }

    /// Everything that was told to the alarm topic, in order.
    pub(crate) fn told(&self) -> Vec<Told> {
        let publications = self.world.publications().into_iter();
        let to_topic = publications.filter(|(topic, _)| topic == TOPIC);
        to_topic
            .map(|(_, publication)| {
                assert!(publication.is_json_structure);
                let structure: Value = serde_json::from_str(&publication.message).unwrap();
                let attributes = publication.attributes.into_iter();
                Told {
                    subject: publication.subject,
                    text: structure["default"].as_str().unwrap().to_owned(),
                    document: serde_json::from_str(structure["sqs"].as_str().unwrap()).unwrap(),
                    attributes: attributes
                        .map(|attribute| (attribute.name, attribute.value))
                        .collect(),
                }
            })
            .collect()
    }

    /// Step, `may_be_repeat` and number of events of everything that was told of incidents.
    pub(crate) fn steps(&self) -> Vec<(u64, bool, u64)> {
        let told = self.told();
        let incidents = told
            .iter()
            .filter(|told| told.document["kind"] == "incident");
        incidents
            .map(|Told { document, .. }| {
                (
                    document["step"].as_u64().unwrap(),
                    document["may_be_repeat"].as_bool().unwrap(),
                    document["matched"].as_u64().unwrap(),
                )
            })
            .collect()
    }

    /// The heads in the table.
    pub(crate) fn heads(&self) -> Vec<Head> {
        let items = self.world.items();
        let heads = items.iter().filter(|item| item.key.sort == "head");
        heads.map(|item| Head::parse(text(item)).unwrap()).collect()
    }

    /// The table as it is, but for how often things were written and when something is due.
    pub(crate) fn stored(&self) -> Vec<(String, String, Body)> {
        let items = self.world.items().into_iter();
        items
            .map(|item| (item.key.partition, item.key.sort, item.body))
            .collect()
    }
}

impl Outcome {
    /// The messages that come again.
    pub(crate) fn failed(&self) -> Vec<String> {
        let answer = self.answer.as_ref().unwrap();
        let failures = answer["batchItemFailures"].as_array().unwrap();
        let id = |failure: &Value| failure["itemIdentifier"].as_str().unwrap().to_owned();
        failures.iter().map(id).collect()
    }

    /// A metric, `name` or `name:value`; 0 if it is not told.
    pub(crate) fn count(&self, metric: &str) -> u64 {
        self.counts.get(metric).copied().unwrap_or_default()
    }
}

/// The variables that must be set.
pub(crate) fn required() -> BTreeMap<String, String> {
    let queue = "https://sqs.us-east-1.amazonaws.com/111122223333";
    [
        ("TRAILWARDEN_TABLE", "state".to_owned()),
        ("MATCH_QUEUE_URL", format!("{queue}/matches.fifo")),
        (
            "MATCH_DEAD_LETTER_QUEUE_URL",
            format!("{queue}/matches-dead.fifo"),
        ),
        ("ALARM_TOPIC_ARN", TOPIC.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The scheduled event of EventBridge.
pub(crate) fn tick() -> Value {
    json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event",
        "source": "aws.events", "account": ACCOUNT, "time": "2026-03-02T03:05:00Z", "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:111122223333:rule/tick"], "detail": {},
    })
}

/// These messages as Lambda hands them over, `m1`, `m2`, ...
pub(crate) fn batch(messages: &[Matches]) -> Value {
    let records = messages.iter().zip(1..).map(|(message, n)| {
        let body = QueueBody::Matches(Box::new(message.clone())).to_json();
        sqs_record(&format!("m{n}"), &body, 1, Some(&message.group_id.0))
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// So many failed sign-ins within five minutes are an alarm of their account.
pub(crate) fn sign_ins(threshold: f64) -> Filter {
    let at_least = ComparisonOperator::GreaterThanOrEqualToThreshold;
    filter(
        "high",
        &AlarmDefinition::builder(Statistic::Sum, at_least, threshold, 300)
            .build()
            .unwrap(),
    )
}

pub(crate) fn filter(severity: &str, definition: &AlarmDefinition) -> Filter {
    Filter::new(
        [
            "ConsoleSignInFailures",
            "Console sign-in failures",
            severity,
            "{ $.errorMessage = \"Failed authentication\" }",
        ],
        vec!["$.recipientAccountId".into()],
        definition,
        Vec::new(),
    )
}

/// The matches of one log file: events with these times and ids.
pub(crate) fn matches(filter: &Filter, file: u64, events: &[(i64, u64)]) -> Matches {
    let [matches] = in_account(filter, ACCOUNT, file, events)
        .try_into()
        .unwrap();
    matches
}

/// The same in an account, in as many parts as it takes.
pub(crate) fn in_account(
    filter: &Filter,
    account: &str,
    file: u64,
    events: &[(i64, u64)],
) -> Vec<Matches> {
    let sample = |&(time, id): &(i64, u64)| Sample {
        time,
        id,
        value: 1.0,
    };
    let samples: Vec<Sample> = events.iter().map(sample).collect();
    with_values(filter, account, file, &samples)
}

/// The same of events with values.
pub(crate) fn with_values(
    filter: &Filter,
    account: &str,
    file: u64,
    samples: &[Sample],
) -> Vec<Matches> {
    let values = [Some(account.to_owned())];
    let object = SourceObject {
        bucket: "trail".into(),
        key: format!("AWSLogs/{account}/{file}.json.gz"),
        etag: "e".into(),
    };
    let first = samples.iter().take(10);
    let evidence: Vec<Evidence> = first
        .map(|sample| evidence(account, &object, sample.time, sample.id))
        .collect();
    let id = GroupId::of(&filter.name, &values);
    split(filter, (&id, &values), &object, NOW, samples, &evidence)
}

fn evidence(account: &str, object: &SourceObject, time: i64, id: u64) -> Evidence {
    let evidence = json!({
        "time": time, "event_time": testkit::time(time), "event_id": format!("id-{id}"), "event_name": "ConsoleLogin",
        "event_source": "signin.amazonaws.com", "kind": "call", "outcome": "failed", "actor": "alice",
        "actor_detail": "IAM user alice", "account": account, "region": "us-east-1", "record_index": id,
        "location": format!("s3://{}/{}", object.bucket, object.key), "source_ip": "198.51.100.7",
    });
    serde_json::from_value(evidence).unwrap()
}

/// The partition in which matches are counted.
pub(crate) fn partition(matches: &Matches) -> String {
    let keys = GroupKeys::new(&matches.group_id, &matches.filter.definition_hash());
    keys.partition().to_owned()
}

pub(crate) fn text(item: &Item) -> &str {
    match &item.body {
        Body::Text(text) => text,
        Body::Bytes(_) => panic!("{} is not text", item.key.sort),
    }
}

fn counts(lines: &[String]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in lines {
        let line: Value = serde_json::from_str(line).unwrap();
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        let dimension = directive["Dimensions"][1][0].as_str();
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            // Times that were measured are counted.
            let value = &line[name];
            let n = value.as_array().map_or_else(
                || value.as_f64().unwrap() as u64,
                |times| times.len() as u64,
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

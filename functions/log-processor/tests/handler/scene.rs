//! A function in a world of its own, and what one invocation of it came to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use alarm_state::{FileEntry, Matches, QueueBody, file_key};
use log_processor::{Ports, Processor, Settings};
use ports::{Body, Clock, Item, ItemKey, StoredObject};
use serde_json::{Value, json};
use testkit::{QueueHandle, World, log_file, run, s3_notification, sqs_record, time};

/// 2026-03-02T03:00:00Z.
pub(crate) const NOW: i64 = 1_772_420_400;

/// The time of an invocation.
pub(crate) const SECONDS: i64 = 60;

pub(crate) const BUCKET: &str = "trail";
pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER_ACCOUNT: &str = "444455556666";
pub(crate) const FILTERS_BUCKET: &str = "config";
pub(crate) const FILTERS_KEY: &str = "filters.yaml";

/// Every `StopLogging` is an alarm of its account.
pub(crate) const STOPPED: &str = "
metric_filters:
  - name: TrailStopped
    title: A trail was stopped
    severity: critical
    pattern: '{ $.eventName = StopLogging }'
    metric: { namespace: Audit, name: TrailStoppedCount }
    alarm: { threshold: 1 }
";

type Function = Processor<World, World, QueueHandle, World, World>;

/// A function and its world.
pub(crate) struct Scene {
    pub(crate) world: World,
    environment: BTreeMap<String, String>,
    processes: Cell<u32>,
    function: RefCell<Rc<Function>>,
    files: Cell<u64>,
}

/// What an invocation came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The answer, or the error as text.
    pub(crate) answer: Result<Value, String>,
    /// Each metric under its name, and under `name:value` for each value of its dimension.
    pub(crate) counts: BTreeMap<String, u64>,
    /// The log, one event a line.
    pub(crate) log: String,
}

impl Scene {
    /// With the filters of this file in S3.
    pub(crate) fn with_filters(text: &str) -> Scene {
        let scene = Scene::with_environment(&[(
            "FILTERS_OBJECT",
            &format!("s3://{FILTERS_BUCKET}/{FILTERS_KEY}"),
        )]);
        scene.put_filters(text);
        scene
    }

    /// With [`STOPPED`].
    pub(crate) fn new() -> Scene {
        Scene::with_filters(STOPPED)
    }

    /// With these variables besides those that must be set.
    pub(crate) fn with_environment(variables: &[(&str, &str)]) -> Scene {
        let world = World::new(NOW);
        let mut environment = required();
        for (name, value) in variables {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        let function = function(&world, &environment, 0);
        Scene {
            world,
            environment,
            processes: Cell::new(0),
            function: RefCell::new(Rc::new(function)),
            files: Cell::new(0),
        }
    }

    /// A new process takes over, without anything that was in memory.
    pub(crate) fn start_anew(&self) {
        self.processes.set(self.processes.get() + 1);
        self.world.revive();
        let function = function(&self.world, &self.environment, self.processes.get());
        self.function.replace(Rc::new(function));
    }

    pub(crate) fn put_filters(&self, text: &str) {
        self.world
            .put_object(FILTERS_BUCKET, FILTERS_KEY, text.into());
    }

    /// Delivers a log file of these records and returns its key.
    pub(crate) fn put(&self, records: &[Value]) -> String {
        self.put_bytes(log_file(records))
    }

    /// Delivers a log file of these bytes and returns its key.
    pub(crate) fn put_bytes(&self, content: Vec<u8>) -> String {
        self.files.set(self.files.get() + 1);
        let key = key(self.files.get());
        self.world.put_object(BUCKET, &key, content);
        key
    }

    /// Another content under a key.
    pub(crate) fn overwrite(&self, key: &str, records: &[Value]) -> StoredObject {
        self.world.put_object(BUCKET, key, log_file(records))
    }

    /// A batch with one message for each key, `m1`, `m2`, ..., received for the first time.
    pub(crate) fn announce(&self, keys: &[&str]) -> Outcome {
        self.announce_received(keys, 1)
    }

    /// A batch with one message for each key, received so often.
    pub(crate) fn announce_received(&self, keys: &[&str], receive_count: u32) -> Outcome {
        let bodies: Vec<String> = keys
            .iter()
            .map(|key| s3_notification(BUCKET, &[(key, None)]).to_string())
            .collect();
        self.handle(batch(&bodies, receive_count))
    }

    /// One invocation.
    pub(crate) fn handle(&self, invocation: Value) -> Outcome {
        self.handle_within(invocation, SECONDS * 1000)
    }

    /// One invocation that has so many milliseconds.
    pub(crate) fn handle_within(&self, invocation: Value, millis: i64) -> Outcome {
        self.try_handle(invocation, millis)
            .expect("the process died")
    }

    /// One invocation; `None` if the process died.
    pub(crate) fn try_handle(&self, invocation: Value, millis: i64) -> Option<Outcome> {
        let mut lines = Vec::new();
        let mut write_line = |line: &str| lines.push(line.to_owned());
        let deadline = self.world.now_millis() + millis;
        let function = Rc::clone(&self.function.borrow());
        let (answer, log) = log_of(|| run(function.handle(invocation, deadline, &mut write_line)));
        Some(Outcome {
            answer: answer?.map_err(|error| error.to_string()),
            counts: counts(&lines),
            log,
        })
    }

    /// Everything that was sent to the match queue.
    pub(crate) fn matches(&self) -> Vec<Matches> {
        let sent = self.world.sent("matches");
        let matches = sent
            .iter()
            .map(|sent| match QueueBody::parse(&sent.message.body) {
                Ok(QueueBody::Matches(matches)) => *matches,
                other => panic!("{other:?}"),
            });
        matches.collect()
    }

    /// Everything in the evidence log.
    pub(crate) fn documents(&self) -> Vec<Value> {
        let logs = self.world.logs();
        logs.iter()
            .map(|event| serde_json::from_str(&event.message).unwrap())
            .collect()
    }

    /// What the ledger has on a log file.
    pub(crate) fn entry(&self, key: &str) -> Option<FileEntry> {
        let (partition, sort) = file_key(BUCKET, key);
        let item = self.item(&ItemKey { partition, sort })?;
        match &item.body {
            Body::Text(text) => Some(FileEntry::parse(text).unwrap()),
            Body::Bytes(_) => panic!("an entry is text"),
        }
    }

    pub(crate) fn item(&self, key: &ItemKey) -> Option<Item> {
        self.world.items().into_iter().find(|item| item.key == *key)
    }

    /// How many requests start so.
    pub(crate) fn requests(&self, start: &str) -> usize {
        let requests = self.world.requests();
        requests
            .iter()
            .filter(|request| request.starts_with(start))
            .count()
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
    let variables = [
        ("TRAILWARDEN_TABLE", "state"),
        (
            "MATCH_QUEUE_URL",
            "https://sqs.us-east-1.amazonaws.com/111122223333/matches.fifo",
        ),
        ("EVIDENCE_LOG_GROUP", "/trailwarden/evidence"),
    ];
    variables
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn function(world: &World, environment: &BTreeMap<String, String>, process: u32) -> Function {
    let settings = Settings::from_env(|name| environment.get(name).cloned()).unwrap();
    let ports = Ports {
        objects: world.clone(),
        items: world.clone(),
        matches: world.queue("matches"),
        evidence: world.clone(),
        clock: world.clone(),
    };
    Processor::new(settings, ports, format!("process-{process}"))
}

/// The key of the log file with this number.
pub(crate) fn key(number: u64) -> String {
    format!(
        "AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/03/02/{ACCOUNT}_CloudTrail_us-east-1_20260302T0255Z_{number:016}.json.gz"
    )
}

/// Messages with these bodies, `m1`, `m2`, ...
pub(crate) fn batch(bodies: &[String], receive_count: u32) -> Value {
    let records = bodies
        .iter()
        .zip(1..)
        .map(|(body, n)| sqs_record(&format!("m{n}"), body, receive_count, None));
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// An event of alice.
pub(crate) fn event(name: &str, id: &str, at: i64) -> Value {
    event_in(ACCOUNT, name, id, at)
}

/// An event of alice in an account.
pub(crate) fn event_in(account: &str, name: &str, id: &str, at: i64) -> Value {
    json!({
        "eventVersion": "1.11", "eventTime": time(at), "eventName": name, "eventID": id,
        "eventSource": "cloudtrail.amazonaws.com", "awsRegion": "us-east-1", "eventType": "AwsApiCall",
        "recipientAccountId": account, "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2.13",
        "userIdentity": { "type": "IAMUser", "userName": "alice", "accountId": account,
                          "arn": format!("arn:aws:iam::{account}:user/alice") },
        "requestParameters": { "name": "management-events" },
    })
}

/// Somebody stopped a trail ten minutes ago.
pub(crate) fn stop_logging(id: &str) -> Value {
    event("StopLogging", id, NOW - 600)
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

/// Runs something and returns what it logged besides.
fn log_of<T>(work: impl FnOnce() -> T) -> (T, String) {
    let lines = Lines::default();
    let result = tracing::subscriber::with_default(lines.clone(), work);
    let log = lines.0.lock().unwrap().clone();
    (result, log)
}

/// Keeps log events with all their fields.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<String>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        let mut log = self.0.lock().unwrap();
        log.push_str(&line.0);
        log.push('\n');
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

struct Line(String);

impl tracing::field::Visit for Line {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        let _ = write!(self.0, " {field}={value}");
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

//! The functions die at every single request they make, before it and after it, and nothing is lost,
//! counted twice or told twice, but for the two moments that `docs/reliability.md` names.
//!
//! A clean run of a scene gives the list of requests. For each of them the scene is run again in an
//! account of its own, once with the process killed instead of the request and once killed instead of
//! its answer. What is there in the end is held against the clean run. All
//! requests of the alarm notifier are points with `TRAILWARDEN_KILLS=all`; else the first and last of each
//! kind and those around each Publish.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test that meets anything but what it expects shall fail, and tells how many runs it made"
)]

mod runs;
mod scene;
mod stored;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use alarm_state::{Head, HourQuota, MOST_MESSAGES_AN_HOUR, Slot, hour_of, quota_key};
use harness::{Call, Fault, Invocation, Matcher, Proxy, Service, Stack, StackOptions};
use ports::{Body, Item, ItemKey};
use scene::Alarm;
use serde_json::{Value, json};

/// Runs at a time. Most of a run is waiting for a lease or a visibility timeout to end.
const AT_A_TIME: usize = 5;

/// A machine that is too busy for the clients' time limits adds failures of its own to a run, which then
/// proves nothing about its point. So often such a run is made.
const ATTEMPTS: usize = 4;

const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];

const FILTERS: &str = r"
metric_filters:
  - name: LoggingStopped
    title: Logging was stopped
    severity: critical
    pattern: '{ $.eventName = StopLogging }'
    metric: { namespace: Kills, name: LoggingStoppedCount }
    alarm:
      statistic: Sum
      comparison: GreaterThanOrEqualToThreshold
      threshold: 1
      period_seconds: 300
";

/// Where a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kill {
    /// At this request, from 0.
    at: usize,
    /// The request is carried out, and its answer is never heard.
    after: bool,
}

impl Kill {
    fn set(kill: Option<Kill>, proxy: &Proxy) {
        if let Some(Kill { at, after }) = kill {
            let fault = if after {
                Fault::KillAfter
            } else {
                Fault::KillBefore
            };
            proxy.fault(Matcher::call(at).times(1), fault);
        }
    }
}

/// Before and after each of these requests.
fn before_and_after<'c>(calls: impl Iterator<Item = &'c Call>) -> Vec<Kill> {
    let each = calls.flat_map(|call| {
        [false, true].map(|after| Kill {
            at: call.index,
            after,
        })
    });
    each.collect()
}

/// With `TRAILWARDEN_KILLS=all` every request; else the first and the last of each kind, and all from
/// the one before a message is published to the one after it.
fn chosen(clean: &[Call]) -> Vec<&Call> {
    let is_all = std::env::var("TRAILWARDEN_KILLS").is_ok_and(|which| which == "all");
    let is_first_or_last = |call: &Call| {
        let mut alike = clean
            .iter()
            .filter(|other| other.is(call.service, &call.operation));
        let first = alike.next().map(|other| other.index);
        let last = alike.next_back().map(|other| other.index).or(first);
        [first, last].contains(&Some(call.index))
    };
    let is_near_publishing = |call: &Call| {
        let around = &clean[call.index.saturating_sub(1)..clean.len().min(call.index + 2)];
        around.iter().any(|other| other.is(Service::Sns, "Publish"))
    };
    let wanted = |call: &&Call| is_all || is_first_or_last(call) || is_near_publishing(call);
    clean.iter().filter(wanted).collect()
}

fn options() -> StackOptions {
    StackOptions {
        // The lease of a dead process ends a second after this.
        processor_timeout: Duration::from_secs(4),
        visibility_seconds: 1,
        max_receives: 20,
        match_max_receives: 20,
        ..StackOptions::default()
    }
}

/// An incident's step, or the summary of an hour, and whether it says that it may be a repeat.
type Told = BTreeMap<String, Vec<bool>>;

async fn told(stack: &Stack) -> Told {
    let mut told = Told::new();
    for message in stack.take_messages().await {
        let repeat = message["may_be_repeat"].as_bool().unwrap();
        told.entry(name_of(&message)).or_default().push(repeat);
    }
    told.values_mut().for_each(|repeats| repeats.sort());
    told
}

fn name_of(message: &Value) -> String {
    match message["kind"].as_str() {
        Some("incident") => format!(
            "{} step {}",
            message["incident"].as_str().unwrap(),
            message["step"]
        ),
        other => other.unwrap().to_owned(),
    }
}

async fn dead_letters(stack: &Stack) -> [usize; 2] {
    let depth = async |queue| stack.account.queue_depth(queue).await.total();
    [
        depth(&stack.log_files_dead).await,
        depth(&stack.matches_dead).await,
    ]
}

// ---------------------------------------------------------------------------------------------------
// The log processor
// ---------------------------------------------------------------------------------------------------

/// What the log processor left behind, after the notifier had its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Processed {
    alarms: Vec<Alarm>,
    told: Told,
    ledger: BTreeMap<String, String>,
    dead: [usize; 2],
    /// By key of the log file: the documents of the evidence log, and how often each is there.
    documents: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Two log files in one batch: two accounts in the first, a copy of an event in the second.
fn log_files(now: i64) -> BTreeMap<String, Vec<u8>> {
    let [a, b, _] = ACCOUNTS;
    let first = [
        scene::stop_logging("e-1", now, a),
        scene::stop_logging("e-2", now + 20, a),
        scene::stop_logging("e-3", now, b),
        scene::describe("e-4", now, b),
    ];
    let second = [
        scene::stop_logging("e-1", now, a),
        scene::stop_logging("e-5", now + 40, a),
    ];
    [first.as_slice(), second.as_slice()]
        .iter()
        .zip(1..)
        .map(|(records, unique)| (scene::key(a, now, unique), testkit::log_file(records)))
        .collect()
}

async fn process(now: i64, kill: Option<Kill>) -> (Processed, Vec<Call>) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let filters = format!("filters-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let object = format!("s3://{filters}/filters.yaml");
    let stack = Stack::new(StackOptions {
        processor_env: vec![("FILTERS_OBJECT".to_owned(), object)],
        ..options()
    })
    .await;
    stack.account.create_bucket(&filters).await;
    stack
        .account
        .put_object(&filters, "filters.yaml", FILTERS)
        .await;
    for (key, content) in log_files(now) {
        let etag = stack.account.put_object(&stack.bucket, &key, content).await;
        let notification = testkit::s3_notification(&stack.bucket, &[(&key, Some(&etag))]);
        stack
            .account
            .send_message(&stack.log_files, &notification.to_string())
            .await;
    }
    Kill::set(kill, &stack.processor_proxy);
    runs::settle_all(&stack).await;
    let processed = Processed {
        alarms: scene::alarms_in_table(&stack).await,
        told: told(&stack).await,
        ledger: scene::ledger(&stack).await,
        dead: dead_letters(&stack).await,
        documents: documents(&stack).await,
    };
    assert_eq!(stored::alarms_in_buckets(&stack).await, processed.alarms);
    (processed, stack.processor_proxy.calls())
}

async fn documents(stack: &Stack) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut documents: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    let bucket = format!("s3://{}/", stack.bucket);
    for event in stack.account.log_events(&stack.log_group).await {
        let text = event["message"].as_str().unwrap().replace(&bucket, "");
        let document: Value = serde_json::from_str(&text).unwrap();
        let key = document["object"].as_str().unwrap().to_owned();
        *documents.entry(key).or_default().entry(text).or_default() += 1;
    }
    documents
}

/// The log files whose metrics were written, and whose end was not noted, when the process died: those
/// whose metrics may be there twice.
fn half_done(calls: &[Call], kill: Kill, keys: impl Iterator<Item = String>) -> HashSet<String> {
    // The next process asks for the filters first.
    let mut starts = calls
        .iter()
        .filter(|call| call.is(Service::S3, "GetObject") && call.detail.ends_with("filters.yaml"));
    let first_start = starts.next().map(|call| call.index);
    let second_start = starts.next().map_or(calls.len(), |call| call.index);
    assert!(first_start == Some(0) && second_start > kill.at, "{kill:?}");
    let carried_out: Vec<String> = calls[..second_start]
        .iter()
        .filter(|call| call.index != kill.at || kill.after)
        .map(|call| format!("{} {}", call.operation, String::from_utf8_lossy(&call.body)))
        .collect();
    let was = |operation: &str, key: &str, text: &str| {
        let mut calls = carried_out
            .iter()
            .filter(|call| call.starts_with(operation));
        calls.any(|call| call.contains(key) && call.contains(text))
    };
    keys.filter(|key| was("PutLogEvents", key, "") && !was("PutItem", key, r#"status\":\"done"#))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_processor_dies_at_every_request() {
    let started = Instant::now();
    let now = start_of_bucket(scene::now() - 600);
    let (clean, calls) = process(now, None).await;
    let group = |account: &str, seconds, matched| {
        let times = (testkit::time(now), testkit::time(now + seconds));
        (
            "LoggingStopped".to_owned(),
            account.to_owned(),
            times.0,
            times.1,
            matched,
        )
    };
    assert_eq!(
        clean.alarms,
        [group(ACCOUNTS[0], 340, 3), group(ACCOUNTS[1], 300, 1)]
    );
    assert_eq!(
        clean.told.values().collect::<Vec<_>>(),
        [&[false], &[false]]
    );
    assert!(clean.ledger.values().eq(["done", "done"]));
    assert_eq!(clean.documents.len(), 2, "metrics of both log files");
    for (service, operation) in [
        (Service::S3, "GetObject"),
        (Service::DynamoDb, "GetItem"),
        (Service::DynamoDb, "PutItem"),
        (Service::Sqs, "SendMessageBatch"),
        (Service::Logs, "CreateLogStream"),
        (Service::Logs, "PutLogEvents"),
    ] {
        assert!(
            calls.iter().any(|call| call.is(service, operation)),
            "{operation}"
        );
    }

    let points = before_and_after(calls.iter());
    let expected = Arc::new(clean);
    let twice = runs::in_parallel(AT_A_TIME, points.clone(), |kill| {
        let expected = Arc::clone(&expected);
        async move {
            for attempt in 1.. {
                let (mut found, calls) = process(now, Some(kill)).await;
                if calls.len() <= kill.at {
                    assert_eq!(found, *expected);
                    return None;
                }
                let may_repeat = half_done(&calls, kill, expected.documents.keys().cloned());
                let mut twice = 0;
                for (key, documents) in &mut found.documents {
                    let repeats = documents.values_mut().filter(|count| **count == 2);
                    if may_repeat.contains(key) {
                        twice += repeats.map(|count| *count = 1).count();
                    }
                }
                // Both files may have had a request on its way when the process died.
                if found == *expected || attempt == ATTEMPTS || unanswered(&calls) <= 2 {
                    assert_eq!(found, *expected, "killed at {}", calls[kill.at].operation);
                    return Some(twice);
                }
            }
            unreachable!("the last attempt returns or panics")
        }
    })
    .await;
    report("log-processor", &calls, &points, started);
    // The two files of the batch may make their log stream both, or one of them.
    let not_met = twice.iter().filter(|count| count.is_none()).count();
    assert!(not_met <= 2, "{not_met} points were not met");
    let twice = twice.iter().flatten().filter(|count| **count > 0).count();
    eprintln!(
        "  {twice} runs wrote metrics twice, all of them killed between writing them and noting it"
    );
    assert!(twice >= 1, "the limit of the guarantee was met");
}

// ---------------------------------------------------------------------------------------------------
// The alarm notifier
// ---------------------------------------------------------------------------------------------------

/// What the notifier left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Counted {
    alarms: Vec<Alarm>,
    told: Told,
    dead: [usize; 2],
    /// Steps that the incidents say are over, by incident, and events that they told.
    steps: BTreeMap<String, (u64, u64)>,
}

/// A message of the match queue: group, deduplication id, body.
type QueueMessage = (String, String, String);

/// The messages in which the log processor hands on these log files, file by file.
async fn match_messages(files: &[Vec<Value>], now: i64) -> Vec<Vec<QueueMessage>> {
    let stack = Stack::new(options()).await;
    let mut messages = Vec::new();
    for (records, unique) in files.iter().zip(1..) {
        stack.processor_proxy.forget_calls();
        let key = scene::key(ACCOUNTS[0], now, unique);
        stack
            .account
            .put_object(&stack.bucket, &key, testkit::log_file(records))
            .await;
        let notification = testkit::s3_notification(&stack.bucket, &[(&key, None)]);
        stack
            .account
            .send_message(&stack.log_files, &notification.to_string())
            .await;
        runs::settle(&stack.account, &stack.log_files, &stack.log_file_source()).await;
        let sent = stack.processor_proxy.calls();
        let sent = sent
            .iter()
            .filter(|call| call.is(Service::Sqs, "SendMessageBatch"));
        let entries = sent.flat_map(|call| call.json()["Entries"].as_array().cloned().unwrap());
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
        let message = |entry: Value| {
            let [group, id] =
                ["MessageGroupId", "MessageDeduplicationId"].map(|name| text(&entry, name));
            (group, id, text(&entry, "MessageBody"))
        };
        messages.push(entries.map(message).collect());
    }
    messages
}

/// A stack whose notifier is taken through the stages of the scene.
struct Notified {
    stack: Stack,
}

impl Notified {
    async fn send(&self, messages: &[QueueMessage]) {
        let Stack {
            account, matches, ..
        } = &self.stack;
        for (group, id, body) in messages {
            account.send_fifo_message(matches, body, group, id).await;
        }
        self.settle().await;
    }

    /// One message at a time, so that the order of requests is always the same.
    async fn settle(&self) {
        let source = self.stack.match_source().batch_size(1);
        runs::settle(&self.stack.account, &self.stack.matches, &source).await;
    }

    /// The schedule invokes again what has died.
    async fn tick(&self) {
        let scheduled = json!({ "source": "aws.events", "detail-type": "Scheduled Event" });
        for _ in 0..3 {
            if let Invocation::Response(_) = self.stack.notifier.invoke(&scheduled).await {
                return self.settle().await;
            }
        }
        panic!("expected a tick to succeed");
    }

    /// As if the last step of each incident of this account had been told an hour ago.
    async fn an_hour_passes_for(&self, account: &str) {
        let now = scene::now();
        let back = |item: &mut Item| {
            let mut head = Head::parse(stored::text(item)).unwrap();
            for incident in &mut head.incidents {
                incident.told_at -= 3_601;
            }
            item.body = Body::Text(head.to_json());
            item.due_at = item.due_at.map(|_| now - 1);
        };
        let is_group = |item: &Item| {
            item.key.sort == "head"
                && stored::text(item).contains(&format!(r#""group":["{account}"]"#))
        };
        assert_eq!(stored::change_items(&self.stack, is_group, back).await, 1);
    }

    /// As if other incidents had used up this hour and the next.
    async fn quota_is_used_up(&self) {
        let this_hour = hour_of(scene::now());
        for hour in [this_hour, this_hour + 3_600] {
            let key = ItemKey {
                partition: quota_key(hour),
                sort: "quota".to_owned(),
            };
            let known = stored::items(&self.stack)
                .await
                .into_iter()
                .find(|item| item.key == key);
            let mut quota = match &known {
                Some(item) => HourQuota::parse(stored::text(item)).unwrap(),
                None => HourQuota::new(hour),
            };
            let mut others = 0..=MOST_MESSAGES_AN_HOUR as u32;
            while quota.take("another", others.next().unwrap()) != Slot::Full {}
            let item = Item {
                key,
                version: known.map_or(1, |item| item.version + 1),
                body: Body::Text(quota.to_json()),
                due_at: None,
                expires_at: quota.expires_at(),
            };
            stored::put(&self.stack, &item).await;
        }
    }

    /// As if the hour of the held steps were over.
    async fn the_summary_is_due(&self) {
        let is_held = |item: &Item| item.key.sort == "quota" && item.due_at.is_some();
        let due = |item: &mut Item| item.due_at = Some(scene::now() - 1);
        assert_eq!(stored::change_items(&self.stack, is_held, due).await, 1);
    }

    async fn counted(&self) -> Counted {
        let stack = &self.stack;
        let mut steps = BTreeMap::new();
        for item in stored::items(stack)
            .await
            .iter()
            .filter(|item| item.key.sort == "head")
        {
            for incident in Head::parse(stored::text(item)).unwrap().incidents {
                assert!(incident.telling.is_none(), "{incident:?}");
                let told = (u64::from(incident.steps), incident.told_matched);
                steps.insert(incident.id.clone(), told);
            }
        }
        let counted = Counted {
            alarms: scene::alarms_in_table(stack).await,
            told: told(stack).await,
            dead: dead_letters(stack).await,
            steps,
        };
        assert_eq!(stored::alarms_in_buckets(stack).await, counted.alarms);
        counted
    }
}

/// First messages, two of them in one group, a follow-up with new matches, one by the tick, a held step and its summary, and a
/// message that cannot be read.
async fn notify(messages: Arc<Vec<Vec<QueueMessage>>>, kill: Option<Kill>) -> (Counted, Vec<Call>) {
    let notified = Notified {
        stack: Stack::new(options()).await,
    };
    Kill::set(kill, &notified.stack.notifier_proxy);
    let [both, more_of_a, more_of_b, of_c] = messages.as_slice() else {
        panic!("expected the messages of four log files");
    };
    notified.send(both).await;
    notified.an_hour_passes_for(ACCOUNTS[0]).await;
    notified.send(more_of_a).await;
    notified.send(more_of_b).await;
    notified.an_hour_passes_for(ACCOUNTS[1]).await;
    notified.tick().await;
    notified.quota_is_used_up().await;
    notified.send(of_c).await;
    notified.the_summary_is_due().await;
    notified.tick().await;
    let unreadable = ("a group".to_owned(), "1".to_owned(), "not JSON".to_owned());
    notified.send(&[unreadable]).await;
    assert_eq!(
        notified.stack.notifier.starts() > 1,
        kill.is_some(),
        "a process was killed"
    );
    (
        notified.counted().await,
        notified.stack.notifier_proxy.calls(),
    )
}

/// The clean run and its requests. A request that was made again on a busy machine would be a point that
/// no other run meets, so two runs one after the other must make the same requests.
async fn clean_run(messages: &Arc<Vec<Vec<QueueMessage>>>) -> (Counted, Vec<Call>) {
    let operations = |calls: &[Call]| -> Vec<String> {
        calls.iter().map(|call| call.operation.clone()).collect()
    };
    let (_, mut before) = notify(Arc::clone(messages), None).await;
    for _ in 0..ATTEMPTS {
        let (counted, calls) = notify(Arc::clone(messages), None).await;
        if operations(&calls) == operations(&before) {
            return (counted, calls);
        }
        before = calls;
    }
    panic!("expected two clean runs that make the same requests, found none");
}

/// What is to be told if the process dies there: the step that was on its way may be told again, and is
/// marked.
fn expected_telling(clean: &Counted, calls: &[Call], kill: Kill) -> Told {
    let published = |index: usize| {
        let call = calls
            .get(index)
            .filter(|call| call.is(Service::Sns, "Publish"))?;
        let message: Value = serde_json::from_str(&call.form("Message")?).unwrap();
        Some(name_of(
            &serde_json::from_str(message["sqs"].as_str()?).unwrap(),
        ))
    };
    // Between its beginning and its end a summary reads what is held; a step has done that before.
    let begun = |index: usize| {
        let reads = calls
            .get(index)
            .is_some_and(|call| call.is(Service::DynamoDb, "Query"));
        published(index + usize::from(reads))
    };
    // Requests that were carried out before the death: all before `next`.
    let next = kill.at + usize::from(kill.after);
    let mut told = clean.told.clone();
    if let Some(name) = next.checked_sub(1).and_then(published) {
        told.insert(name, vec![false, true]); // Published, not noted.
    } else if let Some(name) = begun(next) {
        told.insert(name, vec![true]); // Begun, not published.
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn the_alarm_notifier_dies_at_every_request() {
    let started = Instant::now();
    let now = start_of_bucket(scene::now() - 600);
    let [a, b, c] = ACCOUNTS;
    let files = [
        vec![
            scene::stop_logging("e-0", now - 3_000, a),
            scene::stop_logging("e-1", now, a),
            scene::stop_logging("e-2", now, b),
        ],
        vec![scene::stop_logging("e-3", now + 30, a)],
        vec![scene::stop_logging("e-4", now + 40, b)],
        vec![scene::stop_logging("e-5", now + 50, c)],
    ];
    let messages = Arc::new(match_messages(&files, now).await);
    let (clean, calls) = clean_run(&messages).await;
    let matched: Vec<u64> = clean.alarms.iter().map(|alarm| alarm.4).collect();
    assert_eq!(matched, [1, 2, 2, 1]);
    assert_eq!(
        clean.told.len(),
        6,
        "a step, two steps of two incidents, a summary: {:?}",
        clean.told
    );
    assert!(clean.told.contains_key("summary") && clean.told.values().all(|told| *told == [false]));
    assert_eq!(clean.dead, [0, 1]);

    let points = before_and_after(chosen(&calls).into_iter());
    let (clean, clean_calls) = (Arc::new(clean), Arc::new(calls.clone()));
    let marked = runs::in_parallel(AT_A_TIME, points.clone(), |kill| {
        let (messages, clean, calls) = (
            Arc::clone(&messages),
            Arc::clone(&clean),
            Arc::clone(&clean_calls),
        );
        async move {
            let told = expected_telling(&clean, &calls, kill);
            let expected = Counted {
                told,
                ..(*clean).clone()
            };
            for attempt in 1.. {
                let (found, made) = notify(Arc::clone(&messages), Some(kill)).await;
                if found == expected || attempt == ATTEMPTS || unanswered(&made) <= 1 {
                    assert_eq!(found, expected, "killed at {}", calls[kill.at].operation);
                    break;
                }
            }
            (expected.told != clean.told).then_some(expected.told)
        }
    })
    .await;
    report("alarm-notifier", &calls, &points, started);
    let marked: Vec<Told> = marked.into_iter().flatten().collect();
    let repeated = marked
        .iter()
        .filter(|told| told.values().any(|told| told.len() == 2))
        .count();
    eprintln!(
        "  {} runs marked a step as a possible repeat, in {repeated} it was one",
        marked.len()
    );
    assert!(repeated >= 1, "the limit of the guarantee was met");
}

/// Requests that got no answer.
fn unanswered(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.status.is_none()).count()
}

/// The same place in a bucket in every test run, for the same requests.
fn start_of_bucket(time: i64) -> i64 {
    alarm_state::bucket_start(time)
}

fn report(function: &str, calls: &[Call], points: &[Kill], started: Instant) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for call in calls {
        *kinds.entry(&call.operation).or_default() += 1;
    }
    eprintln!(
        "{function}: {} requests in the clean run {kinds:?}, {} runs with a death in {:.0?}",
        calls.len(),
        points.len(),
        started.elapsed()
    );
}

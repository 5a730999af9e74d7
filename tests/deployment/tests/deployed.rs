//! The template, deployed to an emulator of AWS with the real functions: log files in, messages out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail, and one measures"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use deployment::deploy::{Deployment, Prepared, topic};
use deployment::template::Template;
use harness::{Account, CloudTrail, Queue, QueueSpec, plain_item};
use serde_json::{Value, json};
use testkit::chain::{Chain, TrailSpec};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_becomes_a_message_with_evidence_and_a_ledger_entry() {
    let (_alone, stack) = deployed("one-file", &[]).await;
    stack.account.announce_on_event_bridge(&stack.bucket).await;
    let now = now();
    let key = key("111122223333", now, 1);
    let file = testkit::log_file(&[
        call("DescribeTrails", "e-0", now - 61, "111122223333"),
        call("StopLogging", "e-1", now - 60, "111122223333"),
    ]);
    stack.account.put_object(&stack.bucket, &key, file).await;

    let message = one_message(&stack).await;
    let subject = "[CRITICAL] Changes to trails and their logging: 1 by alice in 111122223333";
    assert_eq!(message.subject, subject);
    let document = &message.document;
    assert_eq!(document["subject"], subject);
    assert_eq!(
        (&document["schema"], &document["kind"]),
        (&json!(1), &json!("incident"))
    );
    assert_eq!(
        (&document["step"], &document["may_be_repeat"]),
        (&json!(1), &json!(false))
    );
    let story = document["story"].as_str().unwrap();
    assert!(
        story.starts_with("alice (IAM user")
            && story.contains("stopped logging on trail management-events"),
        "{story}"
    );
    assert_eq!(document["events"][0]["event_id"], "e-1");
    assert_eq!(
        document["events"][0]["location"],
        format!("s3://{}/{key}", stack.bucket)
    );
    assert_eq!(
        message.attributes,
        BTreeMap::from(
            [
                ("filter", "CloudTrailChanges"),
                ("severity", "critical"),
                ("account", "111122223333"),
                ("region", "us-east-1"),
                ("incident", document["incident"].as_str().unwrap()),
                ("step", "1"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        )
    );

    soon("the log file to be done", &stack, async || {
        let done = BTreeMap::from([(key.clone(), "done".to_owned())]);
        (ledger(&stack).await == done).then_some(())
    })
    .await;
    let evidence = evidence(&stack).await;
    assert_eq!(evidence.len(), 1, "{evidence:?}");
    let [document] = &evidence[..] else {
        unreachable!()
    };
    let metrics = &document["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(
        (&metrics["Namespace"], &metrics["Metrics"][0]["Name"]),
        (&json!("Trailwarden"), &json!("CloudTrailEventCount"))
    );
    assert_eq!(document["CloudTrailEventCount"], 1);
    assert_eq!(document["filter"], "CloudTrailChanges");
    assert_eq!(document["object"], format!("s3://{}/{key}", stack.bucket));
    assert_eq!(document["events"][0]["event_id"], "e-1");
    assert_eq!(document["events"][0]["event_name"], "StopLogging");
    nothing_is_left(&stack, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_log_file_is_skipped() {
    let (_alone, stack) = deployed("no-log-files", &[]).await;
    stack.account.announce_on_event_bridge(&stack.bucket).await;
    let digest = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/03/02/\
                  111122223333_CloudTrail-Digest_us-east-1_management-events_us-east-1_20260302T031200Z.json.gz";
    for (key, content) in [
        (digest, testkit::gzip(b"{}")),
        ("AWSLogs/", Vec::new()),
        ("AWSLogs/111122223333/CloudTrail/", Vec::new()),
        ("notes.txt", b"hello".to_vec()),
    ] {
        stack.account.put_object(&stack.bucket, key, content).await;
    }
    let expected = [
        ("digest_file", 1),
        ("folder_marker", 2),
        ("not_a_log_file", 1),
    ];
    let expected = expected.map(|(reason, files)| (reason.to_owned(), files));
    soon("all to be skipped", &stack, async || {
        (skipped(&stack).await == BTreeMap::from(expected.clone())).then_some(())
    })
    .await;
    // Only what had to be read to know is in the ledger.
    let read = BTreeMap::from([("notes.txt".to_owned(), "skipped".to_owned())]);
    assert_eq!(ledger(&stack).await, read);
    assert!(evidence(&stack).await.is_empty());
    nothing_is_left(&stack, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_object_ends_in_the_dead_letter_queue_and_its_neighbours_do_not() {
    let (_alone, stack) = deployed("broken", &[]).await;
    stack.account.announce_on_event_bridge(&stack.bucket).await;
    // With the template's 360 seconds five attempts would take half an hour. This is long enough for a good file
    // to be done within five attempts on any machine.
    set_visibility_seconds(&stack, &stack.log_files, 5).await;
    let now = now();
    let broken = key("111122223333", now, 0);
    stack
        .account
        .put_object(&stack.bucket, &broken, "no gzip at all")
        .await;
    let mut expected = BTreeMap::from([(broken.clone(), "failed".to_owned())]);
    for n in 1..=5 {
        let key = key("111122223333", now, n);
        let file = testkit::log_file(&[call(
            "DescribeTrails",
            &format!("e-{n}"),
            now,
            "111122223333",
        )]);
        stack.account.put_object(&stack.bucket, &key, file).await;
        expected.insert(key, "done".to_owned());
    }
    soon("the good files to be off the queue", &stack, async || {
        let left = stack.account.queue_depth(&stack.log_files).await.total();
        (left <= 1 && ledger(&stack).await == expected).then_some(())
    })
    .await;
    set_visibility_seconds(&stack, &stack.log_files, 1).await;
    soon("the broken object to be dead", &stack, async || {
        let dead = stack
            .account
            .queue_depth(&stack.log_files_dead)
            .await
            .total();
        (dead == 1).then_some(())
    })
    .await;
    assert_eq!(ledger(&stack).await, expected);
    let dead = stack
        .account
        .receive_messages(&stack.log_files_dead, 10, Duration::ZERO)
        .await;
    let body: Value = serde_json::from_str(&dead[0].body).unwrap();
    assert_eq!(body["detail"]["object"]["key"], broken);
    assert_eq!(stack.account.queue_depth(&stack.log_files).await.total(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_has_the_alarm_notifier_tick() {
    let (_alone, stack) = deployed("tick", &[]).await;
    let name = stack.stack.resource("AlarmNotifier");
    let function = stack.account.function_configuration(name).await;
    let schedule = stack
        .account
        .schedule(stack.stack.resource("TickSchedule"))
        .await;
    assert_eq!(schedule["ScheduleExpression"], "rate(5 minutes)");
    assert_eq!(schedule["State"], "ENABLED");
    assert_eq!(schedule["Target"]["Arn"], function["FunctionArn"]);
    let input = schedule["Target"]["Input"].as_str().unwrap();
    let payload: Value = serde_json::from_str(input).unwrap();
    assert_eq!(payload, json!({ "tick": true }));

    let answer = stack.account.invoke_function(name, &payload).await;
    assert_eq!(answer, json!({ "due": 0 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_has_the_digest_validator_validate() {
    let (_alone, stack) = deployed("validation", &[]).await;
    let name = stack.stack.resource("DigestValidator");
    let function = stack.account.function_configuration(name).await;
    let schedule = stack.stack.resource("ValidationSchedule");
    let schedule = stack.account.schedule(schedule).await;
    assert_eq!(schedule["ScheduleExpression"], "rate(1 hour)");
    assert_eq!(schedule["State"], "ENABLED");
    assert_eq!(schedule["Target"]["Arn"], function["FunctionArn"]);
    let input = schedule["Target"]["Input"].as_str().unwrap();
    assert_eq!(validation(), serde_json::from_str::<Value>(input).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_log_file_validation_nothing_is_validated() {
    let (_alone, stack) = deployed("unvalidated", &[("LogFileValidation", "false")]).await;
    let made = stack.stack.resources.keys();
    let made: Vec<&String> = made
        .filter(|name| name.contains("Valid") || name.contains("Report"))
        .collect();
    assert!(made.is_empty(), "{made:?}");
    let alarms = alarms(&stack).await;
    assert!(!alarms.contains_key("TrailSilent") && alarms.contains_key("Tick"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_is_told_once_with_its_name() {
    const HOURS: usize = 6;
    let _alone = ALONE.lock().await;
    let cloudtrail = CloudTrail::start().await;
    let stack = prepared().await;
    let stack = stack.deploy_with("integrity", &[], &cloudtrail.url()).await;
    let spec = TrailSpec {
        bucket: stack.bucket.clone(),
        start: now() - 1_800 - 3_600 * HOURS as i64,
        hours: HOURS,
        logs_per_hour: 3,
        ..TrailSpec::default()
    };
    let mut chain = Chain::of(&spec);
    let (modified, deleted) = (chain.log(0, 2, 1), chain.log(0, 3, 0));
    chain.edit_records(&modified, |records| {
        records.remove(0);
    });
    chain.delete(&deleted);
    publish(&cloudtrail, &chain);
    put_objects(&stack, &chain).await;

    let outcome = validate(&stack).await;
    assert_eq!(outcome["finished"], true, "{outcome}");
    let told = messages_of(&stack, &["LogHashMismatch", "LogNotFound"]).await;
    for (message, file) in told.iter().zip([&modified.key, &deleted.key]) {
        assert_eq!(message.attributes["severity"], "critical", "{message:?}");
        assert_eq!(message.attributes["account"], "111122223333");
        assert_eq!(message.document["type"], "finding");
        assert_eq!(message.document["matched"], 1);
        assert_eq!(message.document["may_be_repeat"], false);
        let location = format!("s3://{}/{file}", stack.bucket);
        assert_eq!(message.document["events"][0]["location"], location);
    }
    let facts = told[0].document["events"][0]["finding"]["facts"].to_string();
    assert!(facts.contains(&modified.sha256), "{facts}");
    let keys = ("ListPublicKeys".to_owned(), "us-east-1".to_owned());
    assert!(cloudtrail.asked().contains(&keys));

    // What is known is not told again.
    validate(&stack).await;
    nothing_is_left(&stack, 0).await;

    // What was right is looked at again.
    let digest = chain.digest(0, 1);
    stack
        .account
        .put_object(&stack.bucket, &digest.key, "nothing")
        .await;
    validate(&stack).await;
    let told = messages_of(&stack, &["DigestChanged"]).await;
    let location = format!("s3://{}/{}", stack.bucket, digest.key);
    assert_eq!(told[0].document["events"][0]["location"], location);
    nothing_is_left(&stack, 0).await;
    assert!(validated(&stack).await >= 4 * 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_that_was_missed_is_read_after_all_and_a_report_is_written() {
    const DAY: i64 = 86_400;
    let _alone = ALONE.lock().await;
    let cloudtrail = CloudTrail::start().await;
    let stack = prepared().await;
    let stack = stack.deploy_with("missed", &[], &cloudtrail.url()).await;
    let spec = TrailSpec {
        bucket: stack.bucket.clone(),
        start: now() - 1_800 - 3_600 * 2,
        hours: 2,
        logs_per_hour: 2,
        ..TrailSpec::default()
    };
    let chain = Chain::of(&spec);
    publish(&cloudtrail, &chain);
    // What was delivered before the stack was there is nobody's to read.
    let installed_at = now() - DAY;
    put_item(
        &stack,
        ("integrity", "installation"),
        &json!({ "schema": 1, "installed_at": installed_at }),
    )
    .await;
    // The bucket announces nothing.
    put_objects(&stack, &chain).await;
    let logs = chain.streams[0].logs();
    let logs: BTreeMap<String, String> = logs
        .map(|log| (log.key.clone(), "done".to_owned()))
        .collect();
    assert_eq!(logs.len(), 4);

    validate(&stack).await;
    assert_eq!(queues_are_empty(&stack).await, Some(()));
    assert_eq!(ledger(&stack).await, BTreeMap::new());
    let day = testkit::time(installed_at)[..10].replace('-', "/");
    let bucket = stack.stack.output("ReportBucketName");
    let key = format!("integrity/{day}.json");
    let report = stack.account.get_object(bucket, &key).await;
    let report: Value = serde_json::from_slice(&report.unwrap()).unwrap();
    assert_eq!(report["bucket"], stack.bucket);

    // A run later they are still missing. Times are in whole seconds.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    validate(&stack).await;
    all_is_finished(&stack, 4, SOON).await;
    assert_eq!(ledger(&stack).await, logs);
    let dead = stack.account.queue_depth(&stack.log_files_dead).await;
    assert_eq!(dead.total(), 0);
}

/// What the schedule sends.
fn validation() -> Value {
    json!({ "validate": true })
}

/// Has the digest validator validate, and waits for its outcome.
async fn validate(stack: &Deployment) -> Value {
    let function = stack.stack.resource("DigestValidator");
    stack.account.invoke_function(function, &validation()).await
}

/// Waits for a message about each of these filters, in their order; there must not be others.
async fn messages_of(stack: &Deployment, filters: &[&str]) -> Vec<Told> {
    let mut told = Vec::new();
    while told.len() < filters.len() {
        told.extend(
            soon("a message", stack, async || {
                let told = take_messages(stack).await;
                (!told.is_empty()).then_some(told)
            })
            .await,
        );
    }
    told.sort_by_key(|told| {
        let filter = told.attributes["filter"].as_str();
        filters.iter().position(|one| *one == filter)
    });
    let found: Vec<&str> = told
        .iter()
        .map(|told| told.attributes["filter"].as_str())
        .collect();
    assert_eq!(found, filters, "{told:?}");
    told
}

/// How many log files were validated, as the log of the function has it.
async fn validated(stack: &Deployment) -> u64 {
    let log = stack.stack.resource("DigestValidatorLogGroup");
    let documents = documents(&stack.account, log).await;
    let counts = documents
        .iter()
        .filter_map(|document| document["LogFilesValidated"].as_u64());
    counts.sum()
}

async fn put_item(stack: &Deployment, (partition, sort): (&str, &str), body: &Value) {
    let item = json!({
        "pk": { "S": partition }, "sk": { "S": sort }, "version": { "N": "1" },
        "body": { "S": body.to_string() }, "expires": { "N": "9999999999" },
    });
    let asked = json!({ "TableName": stack.stack.output("TableName"), "Item": item });
    stack
        .account
        .json("DynamoDB_20120810.PutItem", &asked)
        .await;
}

/// Publishes the keys of a chain and its trail, which is on.
fn publish(cloudtrail: &CloudTrail, chain: &Chain) {
    for (region, keys) in &chain.public_keys {
        for key in keys {
            let validity = (key.validity_start, key.validity_end);
            cloudtrail.publish_key(region, &key.fingerprint, &key.value, validity);
        }
    }
    for trail in chain.trails() {
        let described = json!({
            "TrailARN": trail.arn, "Name": trail.name, "HomeRegion": trail.home_region,
            "S3BucketName": trail.bucket, "S3KeyPrefix": trail.prefix,
            "IsOrganizationTrail": trail.is_organization_trail,
            "IsMultiRegionTrail": trail.is_multi_region,
            "LogFileValidationEnabled": trail.validates_log_files,
        });
        let status = json!({ "IsLogging": true, "LatestDeliveryTime": now(), "LatestDigestDeliveryTime": now() });
        cloudtrail.add_trail(described, status);
    }
}

/// Puts what a chain has into the buckets of the emulator.
async fn put_objects(stack: &Deployment, chain: &Chain) {
    for ((bucket, key), object) in &chain.objects {
        let metadata = object.metadata.iter();
        let metadata = metadata.map(|(name, value)| (name.as_str(), value.as_str()));
        stack
            .account
            .put_object_with(bucket, key, object.content.clone(), metadata)
            .await;
    }
}

/// Accounts in which logging is stopped once; with the busy one at most as many messages as leave in an hour.
const QUIET_ACCOUNTS: u64 = 18;
const FILES: u64 = 500;
const ALL_FILES_WITHIN: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_log_files_at_once_are_counted_exactly() {
    let (_alone, stack) = deployed("five-hundred", &[]).await;
    stack.account.announce_on_event_bridge(&stack.bucket).await;
    // A message that meets another process at work on its object comes again after this.
    set_visibility_seconds(&stack, &stack.log_files, 5).await;
    let stack = Arc::new(stack);
    let now = now();
    let busy = "444455556666";
    let mut expected = BTreeMap::new();
    let mut tasks = tokio::task::JoinSet::new();
    let puts = Arc::new(tokio::sync::Semaphore::new(32));
    for n in 0..FILES {
        let account = match n {
            n if n < QUIET_ACCOUNTS => made_up_account(n),
            _ => busy.to_owned(),
        };
        // All within one minute, so that each account has one incident.
        let time = now - 120;
        let mut records = vec![call("DescribeTrails", &format!("d-{n}"), time, &account)];
        if n < QUIET_ACCOUNTS || n % 3 == 0 {
            records.push(call("StopLogging", &format!("s-{n}"), time, &account));
            *expected.entry(account.clone()).or_insert(0) += 1;
        }
        let (stack, puts) = (Arc::clone(&stack), Arc::clone(&puts));
        let key = key(&account, now, n);
        tasks.spawn(async move {
            let _turn = puts.acquire().await.unwrap();
            let file = testkit::log_file(&records);
            let etag = stack.account.put_object(&stack.bucket, &key, file).await;
            if n % 10 == 0 {
                // Announced again, at about the same time.
                let again = testkit::s3_notification(&stack.bucket, &[(&key, Some(&etag))]);
                stack
                    .account
                    .send_message(&stack.log_files, &again.to_string())
                    .await;
            }
        });
    }
    let began = Instant::now();
    tasks.join_all().await;
    let put = began.elapsed();
    all_is_finished(&stack, FILES as usize, ALL_FILES_WITHIN).await;
    measured(&format!(
        "{FILES} log files: put within {:.1} s, done after {:.1} s",
        put.as_secs_f64(),
        began.elapsed().as_secs_f64()
    ));

    assert!(ledger(&stack).await.values().all(|status| status == "done"));
    let matched: u64 = expected.values().sum();
    assert_eq!(incidents(&stack).await, expected);
    let evidence = evidence(&stack).await;
    let counts = evidence
        .iter()
        .map(|document| &document["CloudTrailEventCount"]);
    let counted: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counted, matched);
    let messages = take_messages(&stack).await;
    let mut told = BTreeMap::new();
    for message in &messages {
        let account = message.attributes["account"].clone();
        let new = message.document["new"].as_u64().unwrap();
        assert_eq!(
            told.insert(account, new),
            None,
            "one message for each incident"
        );
        assert_eq!(message.document["may_be_repeat"], false);
    }
    // What the busy account did after its first message is told in an hour.
    let first = told.insert(busy.to_owned(), expected[busy]).unwrap();
    assert!((1..=expected[busy]).contains(&first), "{first}");
    assert_eq!(told, expected);
    for dead in [&stack.log_files_dead, &stack.matches_dead] {
        assert_eq!(stack.account.queue_depth(dead).await.total(), 0);
    }
}

const LATENCY_ROUNDS: u64 = 45;
const MOST_MILLIS: f64 = 250.0;
/// A machine that is busy with something else says nothing about the functions.
const MEASUREMENTS: u64 = 3;
const BETWEEN_MEASUREMENTS: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_is_told_within_a_quarter_of_a_second() {
    let (_alone, stack) = deployed("latency", &[]).await;
    stack.account.announce_on_event_bridge(&stack.bucket).await;
    let mut medians = Vec::new();
    for measurement in 0..MEASUREMENTS {
        if measurement > 0 {
            tokio::time::sleep(BETWEEN_MEASUREMENTS).await;
        }
        let millis = latencies(&stack, measurement).await;
        let (median, p95) = (percentile(&millis, 0.5), percentile(&millis, 0.95));
        measured(&format!(
            "{LATENCY_ROUNDS} log files, put to message: p50 {median:.0} ms, p95 {p95:.0} ms"
        ));
        if median < MOST_MILLIS {
            return;
        }
        medians.push(median);
    }
    panic!(
        "expected a p50 below {MOST_MILLIS} ms, found {medians:.0?}; one request to the emulator takes {:.1} ms, \
         and the load of the machine is {}",
        request_millis(&stack).await,
        std::fs::read_to_string("/proc/loadavg").unwrap_or_default()
    );
}

/// The milliseconds from an object put to the message about it, in order of size.
async fn latencies(stack: &Deployment, measurement: u64) -> Vec<f64> {
    // The first ones start the processes.
    const NOT_COUNTED: u64 = 3;
    let rounds = LATENCY_ROUNDS + NOT_COUNTED;
    let mut millis = Vec::new();
    for round in 0..rounds {
        let n = measurement * rounds + round;
        // An account each, so that each is an incident; the limit of an hour is not measured here.
        let account = made_up_account(n);
        let now = now();
        if round % 15 == 0 {
            forget_messages_of_this_hour(stack, now).await;
        }
        let file = testkit::log_file(&[call("StopLogging", &format!("e-{n}"), now - 60, &account)]);
        let key = key(&account, now, n);
        let put = Instant::now();
        stack.account.put_object(&stack.bucket, &key, file).await;
        let message = one_message(stack).await;
        let told = put.elapsed();
        assert_eq!(message.attributes["account"], account);
        if round >= NOT_COUNTED {
            millis.push(told.as_secs_f64() * 1000.0);
        }
        // Idle again: what follows the message is no part of the next round.
        soon("idle queues", stack, async || queues_are_empty(stack).await).await;
    }
    millis.sort_by(f64::total_cmp);
    millis
}

/// What one request takes that no function has a part in: the median of twenty.
async fn request_millis(stack: &Deployment) -> f64 {
    let mut millis = Vec::new();
    for _ in 0..20 {
        let asked = Instant::now();
        stack.account.queue_depth(&stack.log_files_dead).await;
        millis.push(asked.elapsed().as_secs_f64() * 1000.0);
    }
    millis.sort_by(f64::total_cmp);
    percentile(&millis, 0.5)
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deployed_is_what_the_template_says() {
    // Not the default, so that what is found is the parameter's value.
    let (_alone, stack) = deployed("as-it-is", &[("MaximumConcurrency", "7")]).await;
    let account = &stack.account;

    let queue = async |queue: &Queue| account.queue_attributes(&queue.url).await;
    let redrive = |dead: &Queue, receives: u32| json!({ "deadLetterTargetArn": dead.arn, "maxReceiveCount": receives });
    let expected = [
        (
            &stack.log_files,
            "360",
            Some(redrive(&stack.log_files_dead, 5)),
            false,
        ),
        (&stack.log_files_dead, "30", None, false),
        (
            &stack.matches,
            "60",
            Some(redrive(&stack.matches_dead, 3)),
            true,
        ),
        (&stack.matches_dead, "30", None, true),
    ];
    for (asked, visibility, redrive, fifo) in expected {
        let attributes = queue(asked).await;
        assert_eq!(
            attributes["VisibilityTimeout"], visibility,
            "{}",
            asked.name
        );
        assert_eq!(attributes["MessageRetentionPeriod"], "1209600");
        assert_eq!(attributes["SqsManagedSseEnabled"], "true");
        let policy = attributes["RedrivePolicy"].as_str();
        let policy: Option<Value> = policy.map(|policy| serde_json::from_str(policy).unwrap());
        assert_eq!(policy, redrive, "{}", asked.name);
        assert_eq!(attributes["FifoQueue"] == "true", fifo, "{}", asked.name);
    }
    let matches = queue(&stack.matches).await;
    assert_eq!(matches["DeduplicationScope"], "messageGroup");
    assert_eq!(matches["FifoThroughputLimit"], "perMessageGroupId");

    for (function, source, concurrency) in [
        ("LogProcessor", &stack.log_files, 7),
        ("AlarmNotifier", &stack.matches, 5),
    ] {
        let mappings = account
            .event_source_mappings(stack.stack.resource(function))
            .await;
        let [mapping] = &mappings[..] else {
            panic!("{mappings:?}")
        };
        assert_eq!(mapping["EventSourceArn"], source.arn);
        assert_eq!(mapping["BatchSize"], 10);
        assert_eq!(mapping["State"], "Enabled");
        assert_eq!(
            mapping["FunctionResponseTypes"],
            json!(["ReportBatchItemFailures"])
        );
        assert_eq!(mapping["ScalingConfig"]["MaximumConcurrency"], concurrency);
    }

    // The emulator does not take the setting over, so the template has to do.
    let table = Template::translated().resource("Table").unwrap();
    let expiry = json!({ "AttributeName": "expires", "Enabled": true });
    assert_eq!(table["Properties"]["TimeToLiveSpecification"], expiry);

    let built_in = metric_filters::built_in().unwrap();
    let filters = built_in.filters.iter();
    let filters: BTreeSet<&str> = filters.map(|filter| filter.name.as_str()).collect();
    let (native, own): (BTreeMap<_, _>, BTreeMap<_, _>) = alarms(&stack)
        .await
        .into_iter()
        .partition(|(name, _)| filters.contains(name.as_str()));
    let expected = [
        "LogFileDeadLetters",
        "MatchDeadLetters",
        "LogFileQueueAge",
        "MatchQueueAge",
        "LogProcessorErrors",
        "AlarmNotifierErrors",
        "Tick",
        "TellingFailed",
        "LogFilesDenied",
        "LogFilesNotDecrypted",
        "IncidentsUntold",
        "MatchesOverLimit",
        "LogFileChanged",
        "TrailSilent",
        "DigestValidatorErrors",
        "DigestValidatorSilent",
        "ValidationUnfinished",
    ];
    let found: BTreeSet<&str> = own.keys().map(String::as_str).collect();
    assert_eq!(found, BTreeSet::from(expected));
    for (name, alarm) in own {
        assert_eq!(alarm["ActionsEnabled"], true, "{name}");
        assert_eq!(
            alarm["AlarmActions"],
            json!([stack.stack.output("AlarmTopicArn")]),
            "{name}"
        );
    }
    // Those of filters are native ones, and all told directly.
    assert_eq!(native.len(), 19);
    for (name, alarm) in native {
        assert_eq!(alarm["ActionsEnabled"], false, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_may_notify_the_queue() {
    let (_alone, stack) = deployed("from-s3", &[("NotificationSource", "S3")]).await;
    assert!(!stack.stack.resources.contains_key("ObjectCreatedRule"));
    assert_eq!(stack.stack.output("LogFileQueueArn"), stack.log_files.arn);
    stack
        .account
        .put_bucket_notification(&stack.bucket, &stack.log_files)
        .await;
    put_stop_logging(&stack, "111122223333").await;
    let message = one_message(&stack).await;
    assert_eq!(message.attributes["filter"], "CloudTrailChanges");
    // S3's own test message, sent when notifications were set up, is no file.
    nothing_is_left(&stack, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_outside_the_key_prefix_is_skipped_when_the_bucket_announces_all() {
    let parameters = [("NotificationSource", "S3"), ("KeyPrefix", "logs/AWSLogs/")];
    let (_alone, stack) = deployed("from-s3-with-prefix", &parameters).await;
    let account = &stack.account;
    account
        .put_bucket_notification(&stack.bucket, &stack.log_files)
        .await;
    let now = now();
    let inside = format!("logs/{}", key("111122223333", now, 1));
    for (key, id, account_id) in [
        (key("444455556666", now, 2), "outside", "444455556666"),
        (inside.clone(), "inside", "111122223333"),
    ] {
        let file = testkit::log_file(&[call("StopLogging", id, now - 60, account_id)]);
        account.put_object(&stack.bucket, &key, file).await;
    }
    let message = one_message(&stack).await;
    assert_eq!(message.document["events"][0]["event_id"], "inside");
    let outside = BTreeMap::from([("outside_prefix".to_owned(), 1)]);
    soon("the one outside to be skipped", &stack, async || {
        (skipped(&stack).await == outside).then_some(())
    })
    .await;
    nothing_is_left(&stack, 1).await;
    let done = BTreeMap::from([(inside, "done".to_owned())]);
    assert_eq!(ledger(&stack).await, done);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_may_notify_the_queue_and_chats_have_a_topic_of_their_own() {
    let alone = ALONE.lock().await;
    let account = prepared().await.account();
    let notifications = account.create_topic("trail-notifications").await;
    let parameters = [
        ("NotificationSource", notifications.arn.as_str()),
        ("ChatTopic", "true"),
    ];
    let stack = deployed_by(&alone, "from-topic", &parameters).await;
    let chat = account.create_queue(QueueSpec::standard("chat")).await;
    let chat_topic = topic(stack.stack.output("ChatTopicArn"));
    account.subscribe_queue(&chat_topic, &chat, true).await;
    account
        .announce_on_topic(&stack.bucket, &notifications)
        .await;
    put_stop_logging(&stack, "111122223333").await;
    let message = one_message(&stack).await;
    assert_eq!(message.attributes["filter"], "CloudTrailChanges");
    let told = soon("a message for the chat", &stack, async || {
        let received = account.receive_messages(&chat, 10, Duration::ZERO).await;
        (!received.is_empty()).then_some(received)
    })
    .await;
    assert_eq!(told.len(), 1);
    let told: Value = serde_json::from_str(&told[0].body).unwrap();
    assert_eq!(told["source"], "custom");
    assert_eq!(told["metadata"]["threadId"], message.document["incident"]);
    nothing_is_left(&stack, 1).await;
}

const FILTERS: &str = r#"
metric_filters:
  - name: WidgetsDeleted
    title: Widgets deleted
    severity: high
    pattern: '{ $.eventName = "DeleteWidget" }'
    metric: { namespace: Widgets, name: WidgetsDeletedCount, value: "1" }
    alarm:
      statistic: Sum
      comparison: GreaterThanOrEqualToThreshold
      threshold: 1
      period_seconds: 300
      evaluation_periods: 1
      group_by: [$.recipientAccountId]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn filters_of_ones_own_are_told_directly_on_any_path() {
    let alone = ALONE.lock().await;
    let account = prepared().await.account();
    account.create_bucket("filters-bucket").await;
    account
        .put_object("filters-bucket", "trailwarden/filters.yaml", FILTERS)
        .await;
    let parameters = [
        ("NotificationPath", "cloudwatch"),
        (
            "FiltersObject",
            "s3://filters-bucket/trailwarden/filters.yaml",
        ),
    ];
    let stack = deployed_by(&alone, "own-filters", &parameters).await;
    account.announce_on_event_bridge(&stack.bucket).await;
    // A built-in filter's event, and one of ours.
    put_stop_logging(&stack, "111122223333").await;
    let now = now();
    let file = testkit::log_file(&[call("DeleteWidget", "w-1", now - 60, "111122223333")]);
    account
        .put_object(&stack.bucket, &key("111122223333", now, 2), file)
        .await;
    let message = one_message(&stack).await;
    assert_eq!(
        message.subject,
        "[HIGH] Widgets deleted: 1 by alice in 111122223333"
    );
    nothing_is_left(&stack, 2).await;
    assert!(ledger(&stack).await.values().all(|status| status == "done"));
    let alarms = alarms(&stack).await;
    assert!(
        alarms.contains_key("FiltersRefused") && !alarms.contains_key("CloudTrailChanges"),
        "{alarms:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn native_alarms_notify_where_they_are_asked_to() {
    let (_alone, stack) = deployed(
        "native",
        &[
            ("NotificationPath", "cloudwatch"),
            ("MinimumSeverity", "high"),
        ],
    )
    .await;
    let alarms = alarms(&stack).await;
    let enabled = |name: &str| alarms[name]["ActionsEnabled"].as_bool().unwrap();
    assert!(enabled("CloudTrailChanges") && enabled("RootAccountUsage"));
    assert!(
        !enabled("VpcChanges"),
        "a filter below the minimum severity"
    );
    assert!(
        !enabled("EC2InstanceChanges"),
        "a filter without an alarm in this profile"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_outside_the_key_prefix_are_not_announced() {
    let parameters = [("KeyPrefix", "logs/AWSLogs/"), ("Profile", "cis")];
    let (_alone, stack) = deployed("with-prefix", &parameters).await;
    let account = &stack.account;
    account.announce_on_event_bridge(&stack.bucket).await;
    let now = now();
    // In the profile `cis` one failed sign-in is an alarm.
    let mut failed = call("ConsoleLogin", "e-1", now - 60, "111122223333");
    failed["eventSource"] = "signin.amazonaws.com".into();
    failed["errorMessage"] = "Failed authentication".into();
    let outside = testkit::log_file(&[call("StopLogging", "e-2", now - 60, "111122223333")]);
    let (inside_key, outside_key) = (key("111122223333", now, 1), key("111122223333", now, 2));
    account
        .put_object(&stack.bucket, &outside_key, outside)
        .await;
    let inside_key = format!("logs/{inside_key}");
    account
        .put_object(&stack.bucket, &inside_key, testkit::log_file(&[failed]))
        .await;
    let mut filters = Vec::new();
    // The benchmark's pattern for refused calls matches nearly every event.
    while filters.len() < 2 {
        let told = soon("a message", &stack, async || {
            let told = take_messages(&stack).await;
            (!told.is_empty()).then_some(told)
        })
        .await;
        filters.extend(told.iter().map(|told| told.attributes["filter"].clone()));
    }
    filters.sort();
    assert_eq!(filters, ["AuthorizationFailures", "ConsoleSignInFailures"]);
    nothing_is_left(&stack, 1).await;
    let done = BTreeMap::from([(inside_key, "done".to_owned())]);
    assert_eq!(ledger(&stack).await, done);
    // The log processor would skip it, too: it was not asked.
    assert_eq!(skipped(&stack).await, BTreeMap::new());
    let alarms = alarms(&stack).await;
    assert_eq!(alarms["ConsoleSignInFailures"]["Threshold"], 1.0);
    assert!(
        !alarms.contains_key("EC2InstanceChanges"),
        "a filter that `cis` has not"
    );
}

// ---- What tests share --------------------------------------------------------------------------

/// One test at a time: one of them measures.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn prepared() -> &'static Prepared {
    static PREPARED: OnceCell<Prepared> = OnceCell::const_new();
    PREPARED.get_or_init(Prepared::new).await
}

async fn deployed(
    name: &str,
    parameters: &[(&str, &str)],
) -> (MutexGuard<'static, ()>, Deployment) {
    let alone = ALONE.lock().await;
    let stack = deployed_by(&alone, name, parameters).await;
    (alone, stack)
}

/// All stacks are in one account: no name of a resource may be the same in two of them.
async fn deployed_by(
    _: &MutexGuard<'static, ()>,
    name: &str,
    parameters: &[(&str, &str)],
) -> Deployment {
    prepared().await.deploy(name, parameters).await
}

/// Waits until there is an answer.
async fn soon<T, F: Future<Output = Option<T>>>(
    what: &str,
    stack: &Deployment,
    ask: impl Fn() -> F,
) -> T {
    within(SOON, what, stack, ask).await
}

async fn within<T, F: Future<Output = Option<T>>>(
    time: Duration,
    what: &str,
    stack: &Deployment,
    ask: impl Fn() -> F,
) -> T {
    let deadline = Instant::now() + time;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            Instant::now() < deadline,
            "expected {what} within {time:?} in `{}`",
            stack.stack.name
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A message of the alarm topic as a queue gets it.
#[derive(Debug)]
struct Told {
    subject: String,
    document: Value,
    attributes: BTreeMap<String, String>,
}

async fn take_messages(stack: &Deployment) -> Vec<Told> {
    let Deployment { account, inbox, .. } = stack;
    let mut told = Vec::new();
    loop {
        let received = account.receive_messages(inbox, 10, Duration::ZERO).await;
        if received.is_empty() {
            return told;
        }
        for message in received {
            let envelope: Value = serde_json::from_str(&message.body).unwrap();
            let attributes = envelope["MessageAttributes"].as_object().unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            told.push(Told {
                subject: text(&envelope["Subject"]),
                document: serde_json::from_str(envelope["Message"].as_str().unwrap()).unwrap(),
                attributes: attributes
                    .iter()
                    .map(|(name, attribute)| (name.clone(), text(&attribute["Value"])))
                    .collect(),
            });
            account.delete_message(inbox, &message.receipt_handle).await;
        }
    }
}

/// Waits for the next message; there must not be two.
async fn one_message(stack: &Deployment) -> Told {
    let mut messages = soon("a message", stack, async || {
        let messages = take_messages(stack).await;
        (!messages.is_empty()).then_some(messages)
    })
    .await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

/// Something once both queues are empty.
async fn queues_are_empty(stack: &Deployment) -> Option<()> {
    let files = stack.account.queue_depth(&stack.log_files).await.total();
    let matches = stack.account.queue_depth(&stack.matches).await.total();
    (files + matches == 0).then_some(())
}

/// Waits until so many files are in the ledger, finished, and both queues are empty. The queues alone do not tell: the
/// emulator announces an object some time after it has said that it is stored.
async fn all_is_finished(stack: &Deployment, files: usize, time: Duration) {
    let what = format!("{files} finished files and empty queues");
    within(time, &what, stack, async || {
        let ledger = ledger(stack).await;
        let mut statuses = ledger.values().map(String::as_str);
        let finished = statuses.all(|status| ["done", "skipped"].contains(&status));
        match finished && ledger.len() == files {
            true => queues_are_empty(stack).await,
            false => None,
        }
    })
    .await;
}

/// All is finished, nothing is dead, and there are no more messages.
async fn nothing_is_left(stack: &Deployment, files: usize) {
    all_is_finished(stack, files, SOON).await;
    for dead in [&stack.log_files_dead, &stack.matches_dead] {
        assert_eq!(stack.account.queue_depth(dead).await.total(), 0);
    }
    let messages = take_messages(stack).await;
    assert!(messages.is_empty(), "{messages:?}");
}

async fn set_visibility_seconds(stack: &Deployment, queue: &Queue, seconds: u32) {
    let seconds = seconds.to_string();
    stack
        .account
        .set_queue_attribute(queue, "VisibilityTimeout", &seconds)
        .await;
}

async fn items(stack: &Deployment) -> Vec<Value> {
    let items = stack
        .account
        .scan_table(stack.stack.output("TableName"))
        .await;
    items.iter().map(plain_item).collect()
}

/// The status of each log file in the ledger, by key.
async fn ledger(stack: &Deployment) -> BTreeMap<String, String> {
    let prefix = format!("file#{}/", stack.bucket);
    let mut ledger = BTreeMap::new();
    for item in items(stack).await {
        if let Some(key) = item["pk"].as_str().unwrap().strip_prefix(&prefix) {
            let entry: Value = serde_json::from_str(item["body"].as_str().unwrap()).unwrap();
            ledger.insert(key.to_owned(), entry["status"].as_str().unwrap().to_owned());
        }
    }
    ledger
}

/// The events of the incidents in the table, by account.
async fn incidents(stack: &Deployment) -> BTreeMap<String, u64> {
    let mut incidents = BTreeMap::new();
    for item in items(stack)
        .await
        .iter()
        .filter(|item| item["sk"] == "head")
    {
        let head: Value = serde_json::from_str(item["body"].as_str().unwrap()).unwrap();
        for incident in head["incidents"].as_array().unwrap() {
            let account = head["group"][0].as_str().unwrap().to_owned();
            *incidents.entry(account).or_default() += incident["matched"].as_u64().unwrap();
        }
    }
    incidents
}

/// The documents in the evidence log group.
async fn evidence(stack: &Deployment) -> Vec<Value> {
    documents(&stack.account, stack.stack.output("EvidenceLogGroupName")).await
}

/// How many objects the log processor skipped, by reason.
async fn skipped(stack: &Deployment) -> BTreeMap<String, u64> {
    // The emulator may keep a line of the log until the next invocation.
    let function = stack.stack.resource("LogProcessor");
    let set_up = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": stack.bucket });
    stack.account.invoke_function(function, &set_up).await;
    let log = stack.stack.resource("LogProcessorLogGroup");
    let mut skipped = BTreeMap::new();
    for document in documents(&stack.account, log).await {
        if let Some(files) = document["FilesSkipped"].as_u64() {
            let reason = document["Reason"].as_str().unwrap().to_owned();
            *skipped.entry(reason).or_default() += files;
        }
    }
    skipped.remove("setup_message");
    skipped
}

/// The JSON documents in a log group.
async fn documents(account: &Account, group: &str) -> Vec<Value> {
    let events = account.log_events(group).await;
    let lines = events
        .iter()
        .flat_map(|event| event["message"].as_str().unwrap().lines());
    let documents = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    documents
        .filter(|document| document.get("_aws").is_some())
        .collect()
}

/// The alarms of the stack, by their names without the stack's.
async fn alarms(stack: &Deployment) -> BTreeMap<String, Value> {
    let prefix = format!("{}-", stack.stack.name);
    let alarms = stack.account.alarms(&prefix).await;
    let named = alarms.into_iter().map(|alarm| {
        let name = alarm["AlarmName"].as_str().unwrap();
        (name.strip_prefix(&prefix).unwrap().to_owned(), alarm)
    });
    named.collect()
}

async fn forget_messages_of_this_hour(stack: &Deployment, now: i64) {
    let hour = now - now.rem_euclid(3600);
    for hour in [hour, hour + 3600] {
        let key = json!({ "pk": { "S": format!("quota#{hour}") }, "sk": { "S": "quota" } });
        let asked = json!({ "TableName": stack.stack.output("TableName"), "Key": key });
        stack
            .account
            .json("DynamoDB_20120810.DeleteItem", &asked)
            .await;
    }
}

async fn put_stop_logging(stack: &Deployment, account: &str) {
    let now = now();
    let file = testkit::log_file(&[call("StopLogging", "e-1", now - 60, account)]);
    let key = key(account, now, 1);
    stack.account.put_object(&stack.bucket, &key, file).await;
}

/// Says what was measured, also of a test that passes: `println!` would be kept to itself.
fn measured(line: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{line}").unwrap();
}

/// One of many accounts, for tests that need more of them than AWS's documentation has. An id has twelve digits; from
/// here on it has them whether or not somebody writes it with leading zeros.
fn made_up_account(n: u64) -> String {
    (100_000_000_000 + n).to_string()
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap().as_secs() as i64
}

/// A call of CloudTrail's API by a user of this account.
fn call(name: &str, id: &str, time: i64, account: &str) -> Value {
    json!({
        "eventVersion": "1.09", "eventTime": testkit::time(time), "eventName": name,
        "eventSource": "cloudtrail.amazonaws.com", "awsRegion": "us-east-1", "eventID": id,
        "recipientAccountId": account, "sourceIPAddress": "198.51.100.7", "eventType": "AwsApiCall",
        "userAgent": "aws-cli/2.13", "requestParameters": { "name": "management-events" },
        "userIdentity": { "type": "IAMUser", "userName": "alice", "accountId": account,
                          "arn": format!("arn:aws:iam::{account}:user/alice") },
    })
}

/// The key of a log file that was delivered then; `unique` tells it from others.
fn key(account: &str, delivered: i64, unique: u64) -> String {
    let time = testkit::time(delivered);
    let (day, minute) = (
        time[..10].replace('-', "/"),
        time[..16].replace(['-', ':'], ""),
    );
    let mut key = format!("AWSLogs/{account}/CloudTrail/us-east-1/{day}/");
    write!(
        key,
        "{account}_CloudTrail_us-east-1_{minute}Z_{unique:016}.json.gz"
    )
    .unwrap();
    key
}

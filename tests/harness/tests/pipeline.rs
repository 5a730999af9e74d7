//! The pipeline as it is deployed, with all that a normal day brings.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

mod scene;

use std::collections::BTreeMap;
use std::time::Duration;

use harness::{Stack, StackOptions};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_log_file_becomes_a_message() {
    let stack = Stack::new(StackOptions::default()).await;
    stack.announce_objects().await;
    let now = scene::now();
    let file = testkit::log_file(&[scene::stop_logging("e-1", now - 60, "111122223333")]);
    let key = scene::key("111122223333", now, 1);
    stack.account.put_object(&stack.bucket, &key, file).await;
    stack.drain(SOON).await;
    let messages = stack.take_messages().await;
    assert_eq!(messages.len(), 1, "{messages:?}");
    let message = &messages[0];
    assert_eq!(
        message["subject"],
        "[CRITICAL] Changes to trails and their logging: 1 by alice in 111122223333"
    );
    assert_eq!(
        (&message["step"], &message["may_be_repeat"]),
        (&json!(1), &json!(false))
    );
    assert_eq!(
        message["events"][0]["location"],
        format!("s3://{}/{key}", stack.bucket)
    );
    let metrics = scene::metrics_in_log(&stack).await;
    assert_eq!(
        metrics,
        BTreeMap::from([("CloudTrailEventCount".to_owned(), 1.0)])
    );
    assert_eq!(
        scene::ledger(&stack).await,
        BTreeMap::from([(key, "done".to_owned())])
    );
    // The message that S3 sends when notifications are set up is no file.
    assert_eq!(stack.metric(&stack.processor, "FilesProcessed"), 1);
    assert_eq!(stack.metric(&stack.processor, "FilesSkipped"), 1);
}

const ACCOUNTS: [&str; 3] = ["111122223333", "444455556666", "777788889999"];

/// 492 log files of three accounts over two hours, with sign-ins that fail now and then and, in one
/// account, somebody who stops logging every hour.
fn good_files(now: i64) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for n in 0..492_i64 {
        let account = ACCOUNTS[(n % 3) as usize];
        let time = now - 7_200 + n * 14;
        let id = |part: &str| format!("{n}-{part}");
        let mut records = vec![
            scene::describe(&id("a"), time, account),
            scene::describe(&id("b"), time + 1, account),
        ];
        // Bursts of failures across files, some too thin for an alarm.
        if n % 120 < 24 || n % 31 == 0 {
            records.push(scene::failed_sign_in(&id("c"), time + 2, account));
        }
        if n % 200 == 7 {
            records.push(scene::stop_logging(&id("d"), time + 3, account));
        }
        files.insert(
            scene::key(account, time + 300, n as u64),
            testkit::log_file(&records),
        );
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_files_with_copies_and_broken_ones_give_exact_alarms_and_counts() {
    let stack = Stack::new(StackOptions {
        processor_concurrency: 2,
        notifier_concurrency: 2,
        visibility_seconds: 3,
        ..StackOptions::default()
    })
    .await;
    stack.announce_objects().await;
    let now = scene::now();
    let files = good_files(now);
    let expected = scene::alarms_of(&stack.bucket, &files);
    assert!((4..=20).contains(&expected.len()), "{expected:?}");
    let poll_files = stack.log_file_source().start();
    let poll_matches = stack.match_source().start();

    let account = &stack.account;
    for (n, (key, content)) in files.iter().enumerate() {
        let etag = account
            .put_object(&stack.bucket, key, content.clone())
            .await;
        if n % 10 == 3 || n == 0 {
            // Announced again, at about the same time.
            let again = testkit::s3_notification(&stack.bucket, &[(key, Some(&etag))]);
            account
                .send_message(&stack.log_files, &again.to_string())
                .await;
        }
    }
    for n in 0..5_u64 {
        let whole = testkit::log_file(&[scene::stop_logging("lost", now, ACCOUNTS[0])]);
        let broken = whole[..whole.len() - 9].to_vec();
        account
            .put_object(
                &stack.bucket,
                &scene::key(ACCOUNTS[0], now, 10_000 + n),
                broken,
            )
            .await;
    }
    for key in ["notes.txt", "AWSLogs/", "backup/data.csv"] {
        account
            .put_object(
                &stack.bucket,
                key,
                if key.ends_with('/') { "" } else { "hello" },
            )
            .await;
    }
    wait_until_empty(&stack).await;
    let (log_files, matches) = (poll_files.stop().await, poll_matches.stop().await);
    assert!(log_files.batches.len() > 50 && !matches.batches.is_empty());

    assert_eq!(scene::alarms_in_table(&stack).await, expected);
    let messages = stack.take_messages().await;
    let steps = scene::steps(&messages);
    assert_eq!(
        steps.len(),
        expected.len(),
        "one message for each alarm: {steps:?}"
    );
    assert!(steps.iter().all(|(_, step, repeat)| *step == 1 && !repeat));
    assert_eq!(account.queue_depth(&stack.log_files_dead).await.total(), 5);
    assert_eq!(account.queue_depth(&stack.matches_dead).await.total(), 0);

    let ledger = scene::ledger(&stack).await;
    let count = |status: &str| ledger.values().filter(|found| *found == status).count();
    assert_eq!(
        (count("done"), count("failed"), count("claimed")),
        (492, 5, 0)
    );
    let metric = |name: &str| stack.metric(&stack.processor, name);
    assert_eq!(metric("FilesProcessed"), 492);
    assert_eq!(metric("FilesDeadLettered"), 5);
    // Each delivery of each message, and each message announces one object, has one outcome. On a slow
    // machine some come more often than they had to: five attempts each, 50 announced again, 3 of
    // somebody else, 1 to set up.
    let deliveries: usize = log_files
        .batches
        .iter()
        .map(|batch| batch.messages.len())
        .sum();
    let outcomes = [
        "FilesProcessed",
        "FilesSkipped",
        "FilesFailed",
        "FilesInProgress",
    ]
    .map(metric);
    assert_eq!(
        outcomes.iter().sum::<u64>(),
        deliveries as u64,
        "{outcomes:?}"
    );
    let [_, skipped, failed, _] = outcomes;
    assert!(failed >= 25 && skipped >= 54, "{outcomes:?}");
    assert_eq!(metric("RecordsRead"), metric("RecordsEvaluated"));
    let matched = metric("EventsMatched");
    let sums: f64 = scene::metrics_in_log(&stack).await.values().sum();
    assert_eq!(sums, matched as f64);
    let counted = stack.metric(&stack.notifier, "MatchesCounted");
    assert_eq!(counted, stack.metric(&stack.processor, "EventsSent"));
}

async fn wait_until_empty(stack: &Stack) {
    let deadline = std::time::Instant::now() + SOON;
    loop {
        let files = stack.account.queue_depth(&stack.log_files).await.total();
        let matches = stack.account.queue_depth(&stack.matches).await.total();
        if files + matches == 0 {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "expected empty queues, found {files} and {matches} messages"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_are_missing_are_all_named_at_start() {
    let stack = Stack::new(StackOptions::default()).await;
    let mut spec = stack.processor.spec().clone();
    spec.env = vec![("EVIDENCE_RETENTION_DAYS".to_owned(), "soon".to_owned())];
    let function = harness::Function::start(spec);
    let invocation = function.invoke(&Value::Null).await;
    assert!(
        matches!(invocation, harness::Invocation::Exited),
        "{invocation:?}"
    );
    let log = function.log_lines().join("\n");
    for expected in [
        "`TRAILWARDEN_TABLE` is not set, expected the name of a DynamoDB table",
        "`MATCH_QUEUE_URL` is not set",
        "`EVIDENCE_LOG_GROUP` is not set",
        "`EVIDENCE_RETENTION_DAYS` is `soon`, expected days from 1 to 3653",
    ] {
        assert!(log.contains(expected), "{expected}\n{log}");
    }
}

//! What goes wrong on a bad day: refusals, silence and lost answers of every service, messages twice, at
//! once, out of order and unreadable, objects that are missing or change, settings and filters that do
//! not load. Each scene ends with exact alarms, one message for each step, and counts that add up.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

mod runs;
mod scene;
mod stored;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use harness::{Fault, Function, Invocation, Matcher, Queue, Service, Stack, StackOptions};
use serde_json::{Value, json};

const A: &str = "111122223333";
const B: &str = "444455556666";

/// Log files by key.
type Files = BTreeMap<String, Vec<u8>>;

// ---------------------------------------------------------------------------------------------------
// What every scene ends with
// ---------------------------------------------------------------------------------------------------

/// One file: two accounts, each with an alarm of its own, and an event that matches nothing.
///
/// All within one minute, so that their metric is one document.
fn one_file(now: i64) -> Files {
    let now = now - now.rem_euclid(60);
    let records = [
        scene::stop_logging("e-1", now - 300, A),
        scene::stop_logging("e-2", now - 290, A),
        scene::stop_logging("e-3", now - 300, B),
        scene::describe("e-4", now - 300, A),
    ];
    Files::from([(scene::key(A, now, 1), testkit::log_file(&records))])
}

async fn put(stack: &Stack, files: &Files) {
    for (key, content) in files {
        stack
            .account
            .put_object(&stack.bucket, key, content.clone())
            .await;
    }
}

/// Puts the files and announces each in a message of its own.
async fn put_and_announce(stack: &Stack, files: &Files) {
    for (key, content) in files {
        let etag = stack
            .account
            .put_object(&stack.bucket, key, content.clone())
            .await;
        announce(stack, key, Some(&etag)).await;
    }
}

async fn announce(stack: &Stack, key: &str, etag: Option<&str>) {
    let notification = testkit::s3_notification(&stack.bucket, &[(key, etag)]);
    stack
        .account
        .send_message(&stack.log_files, &notification.to_string())
        .await;
}

/// Both queues are empty; alarms are those that the library finds in these files; each was told in one
/// message; what was counted adds up. Returns how many messages say that they may be a repetition.
async fn assert_exact(stack: &Stack, files: &Files) -> usize {
    let told = assert_alarms(stack, files).await;
    let steps: Vec<_> = told
        .iter()
        .map(|(incident, step, _)| (incident, *step))
        .collect();
    let mut distinct = steps.clone();
    distinct.dedup();
    assert_eq!(steps, distinct, "a step was told twice");
    assert!(steps.iter().all(|(_, step)| *step == 1));
    assert_eq!(steps.len(), scene::alarms_of(&stack.bucket, files).len());
    told.iter().filter(|(_, _, repeat)| *repeat).count()
}

/// As [`assert_exact`], but returns the messages instead of judging them.
async fn assert_alarms(stack: &Stack, files: &Files) -> Vec<(String, u64, bool)> {
    let depth = async |queue: &Queue| stack.account.queue_depth(queue).await.total();
    assert_eq!(
        [depth(&stack.log_files).await, depth(&stack.matches).await],
        [0, 0]
    );
    let expected = scene::alarms_of(&stack.bucket, files);
    assert_eq!(scene::alarms_in_table(stack).await, expected, "incidents");
    assert_eq!(
        stored::alarms_in_buckets(stack).await,
        expected,
        "alarms of the samples"
    );
    let ledger = scene::ledger(stack).await;
    let done = ledger.iter().filter(|(_, status)| *status == "done");
    assert!(done.map(|(key, _)| key).eq(files.keys()), "{ledger:?}");
    let read = processed(stack, "RecordsRead");
    assert_eq!(
        read,
        processed(stack, "RecordsEvaluated") + processed(stack, "RecordsSkipped")
    );
    scene::steps(&stack.take_messages().await)
}

/// Every match is in one metric, and the notifier counts each distinct one that was sent.
async fn assert_counts(stack: &Stack, distinct: u64) {
    let matched = processed(stack, "EventsMatched");
    assert_eq!(published(stack).await, matched as f64, "metrics in the log");
    assert_eq!(stack.metric(&stack.notifier, "MatchesCounted"), distinct);
}

async fn published(stack: &Stack) -> f64 {
    scene::metrics_in_log(stack).await.values().sum()
}

fn processed(stack: &Stack, metric: &str) -> u64 {
    stack.metric(&stack.processor, metric)
}

fn quick() -> StackOptions {
    StackOptions {
        visibility_seconds: 1,
        max_receives: 10,
        match_max_receives: 10,
        ..StackOptions::default()
    }
}

// ---------------------------------------------------------------------------------------------------
// Services that refuse, are silent or lose answers
// ---------------------------------------------------------------------------------------------------

/// What a fault of the first requests of an operation must come to.
#[derive(Clone, Debug)]
struct Case {
    service: Service,
    operation: &'static str,
    of_notifier: bool,
    fault: Fault,
    times: usize,
    /// Words of the log that say what happened; empty where the client's own retries are enough.
    reason: &'static str,
    /// Both messages say that they may be repetitions.
    marked: bool,
}

/// Throttled, failed, denied, without an answer, cut: each for more requests than the client makes by
/// itself, but for silence, which costs seconds.
fn refusals() -> Vec<Case> {
    const PROCESSOR: [(Service, &str); 5] = [
        (Service::S3, "GetObject"),
        (Service::DynamoDb, "PutItem"),
        (Service::Sqs, "SendMessageBatch"),
        (Service::Logs, "CreateLogStream"),
        (Service::Logs, "PutLogEvents"),
    ];
    const NOTIFIER: [(Service, &str); 4] = [
        (Service::DynamoDb, "GetItem"),
        (Service::DynamoDb, "Query"),
        (Service::DynamoDb, "PutItem"),
        (Service::Sns, "Publish"),
    ];
    let faults = [
        (Fault::Throttle, 4, "throttled"),
        (Fault::Status(500), 4, "no_answer"),
        (Fault::AccessDenied, 2, "access_denied"),
        (Fault::Hang, 1, ""),
        (Fault::DropConnection, 4, "no_answer"),
    ];
    let of_processor = PROCESSOR.map(|operation| (false, operation));
    let of_notifier = NOTIFIER.map(|operation| (true, operation));
    let mut cases = Vec::new();
    for (of_notifier, (service, operation)) in of_processor.into_iter().chain(of_notifier) {
        for (fault, times, reason) in &faults {
            // These two are not sent again where it is not known whether they took effect.
            let single = matches!(operation, "PutLogEvents" | "Publish");
            let unknown = !matches!(fault, Fault::Throttle | Fault::AccessDenied);
            // The notifier is at work on both groups at the same time.
            let times = if of_notifier && *times == 4 {
                6
            } else {
                *times
            };
            cases.push(Case {
                service,
                operation,
                of_notifier,
                fault: fault.clone(),
                times,
                reason: if single && unknown {
                    "no_answer"
                } else {
                    reason
                },
                marked: operation == "Publish" && unknown,
            });
        }
    }
    cases
}

async fn with_refusals(case: Case) {
    let stack = Stack::new(quick()).await;
    let proxy = if case.of_notifier {
        &stack.notifier_proxy
    } else {
        &stack.processor_proxy
    };
    let matcher = Matcher::operation(case.service, case.operation).times(case.times);
    proxy.fault(matcher, case.fault.clone());
    let files = one_file(scene::now());
    put_and_announce(&stack, &files).await;
    runs::settle_all(&stack).await;
    assert!(
        proxy.count(case.service, case.operation) > case.times,
        "the fault happened"
    );
    let marked = assert_exact(&stack, &files).await;
    // A hang happens once: one of the two groups.
    let expected = match (case.marked, &case.fault) {
        (false, _) => 0,
        (true, Fault::Hang) => 1,
        (true, _) => 2,
    };
    assert_eq!(marked, expected, "messages that may be repetitions");
    assert_eq!(published(&stack).await, 3.0);
    assert_eq!(processed(&stack, "FilesProcessed"), 1);
    let function = if case.of_notifier {
        &stack.notifier
    } else {
        &stack.processor
    };
    if !case.reason.is_empty() {
        function.wait_for_log(case.reason).await;
        let failed = if case.of_notifier {
            "MessagesFailed"
        } else {
            "FilesFailed"
        };
        assert!(stack.metric(function, failed) >= 1, "{failed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_and_silence_of_every_service_is_survived() {
    let cases = refusals();
    assert_eq!(cases.len(), 45);
    runs::in_parallel(6, cases, with_refusals).await;
}

/// Requests that are carried out and whose answers are lost. All but two are then sent again by the
/// client, or found to be done; metrics are written again, and a message is sent again and says so.
async fn with_lost_answers((service, operation, fault): (Service, &'static str, Fault)) {
    let stack = Stack::new(quick()).await;
    for proxy in [&stack.processor_proxy, &stack.notifier_proxy] {
        proxy.fault(Matcher::nth(service, operation, 0), fault.clone());
    }
    let files = one_file(scene::now());
    put_and_announce(&stack, &files).await;
    runs::settle_all(&stack).await;
    let steps = assert_alarms(&stack, &files).await;
    let repeats: Vec<_> = steps.iter().filter(|(_, _, repeat)| *repeat).collect();
    let incidents: std::collections::HashSet<_> = steps.iter().map(|(id, _, _)| id).collect();
    assert_eq!(incidents.len(), 2);
    assert!(steps.iter().all(|(_, step, _)| *step == 1));
    match operation {
        "Publish" => {
            assert_eq!((steps.len(), repeats.len()), (3, 1), "{steps:?}");
            let (id, _, _) = repeats[0];
            assert!(
                steps.contains(&(id.clone(), 1, false)),
                "the first did not say so"
            );
        }
        _ => assert_eq!((steps.len(), repeats.len()), (2, 0), "{steps:?}"),
    }
    let metrics = if operation == "PutLogEvents" {
        6.0
    } else {
        3.0
    };
    assert_eq!(published(&stack).await, metrics);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_repeats_metrics_and_messages_only() {
    let mut cases = Vec::new();
    for (service, operation) in [
        (Service::S3, "GetObject"),
        (Service::DynamoDb, "PutItem"),
        (Service::Sqs, "SendMessageBatch"),
        (Service::Logs, "CreateLogStream"),
        (Service::Logs, "PutLogEvents"),
        (Service::Sns, "Publish"),
    ] {
        cases.push((service, operation, Fault::DropConnectionAfter));
        cases.push((service, operation, Fault::HangAfter));
    }
    runs::in_parallel(6, cases, with_lost_answers).await;
}

/// Takes these events through both functions while the notifier meets faults; returns the messages.
async fn told_with(events: &[Value], faults: Vec<(Matcher, Fault)>) -> Vec<(String, u64, bool)> {
    let stack = Stack::new(quick()).await;
    for (matcher, fault) in faults {
        stack.notifier_proxy.fault(matcher, fault);
    }
    let files = Files::from([(scene::key(A, scene::now(), 1), testkit::log_file(events))]);
    put_and_announce(&stack, &files).await;
    runs::settle_all(&stack).await;
    assert_alarms(&stack, &files).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_or_after_does_not_hide_that_a_message_may_be_a_repetition() {
    let publish = |nth| Matcher::nth(Service::Sns, "Publish", nth);
    let event = scene::stop_logging("e-1", scene::now() - 60, A);
    let events = std::slice::from_ref(&event);
    // Refused, then accepted by a process that died, then told again.
    let faults = vec![
        (publish(0), Fault::AccessDenied),
        (publish(1), Fault::KillAfter),
    ];
    let told = told_with(events, faults).await;
    let marks = |told: &[(String, u64, bool)]| told.iter().map(|step| step.2).collect::<Vec<_>>();
    assert_eq!(marks(&told), [false, true], "{told:?}");
    // Accepted by a process that died, then refused, then told again.
    let faults = vec![
        (publish(0), Fault::KillAfter),
        (publish(1), Fault::AccessDenied),
    ];
    let told = told_with(events, faults).await;
    assert_eq!(marks(&told), [false, true], "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_with_one_incident_does_not_repeat_another_of_its_group() {
    let now = scene::now();
    let events = [
        scene::stop_logging("e-1", now - 4_000, A),
        scene::stop_logging("e-2", now - 60, A),
    ];
    // Each message reads its evidence before it is sent; that of the second cannot be read at first.
    let reads = AtomicU64::new(0);
    let second_read = Matcher::when(move |call| {
        let is_evidence = String::from_utf8_lossy(&call.body).contains(r#""e#"#);
        let is_read = call.is(Service::DynamoDb, "Query") && is_evidence;
        is_read && reads.fetch_add(1, Ordering::Relaxed) == 1
    });
    let told = told_with(&events, vec![(second_read, Fault::AccessDenied)]).await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.iter().all(|(_, step, repeat)| *step == 1 && !repeat),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_runs_out_of_time_is_killed_and_its_lease_ends() {
    let stack = Stack::new(StackOptions {
        processor_timeout: Duration::from_millis(2_800),
        notifier_timeout: Duration::from_millis(3_500),
        ..quick()
    })
    .await;
    // Longer than the invocation: the client would wait three seconds, and four for three attempts in both
    // groups.
    let put_log_events = Matcher::nth(Service::Logs, "PutLogEvents", 0);
    stack.processor_proxy.fault(put_log_events, Fault::Hang);
    let queries = Matcher::operation(Service::DynamoDb, "Query").times(6);
    stack.notifier_proxy.fault(queries, Fault::Hang);
    let files = one_file(scene::now());
    put_and_announce(&stack, &files).await;
    let log_files = stack.log_file_source().drain(Duration::from_secs(30)).await;
    assert_eq!(log_files.batches[0].invocation, Invocation::TimedOut);
    let matches = stack.match_source().drain(Duration::from_secs(30)).await;
    assert_eq!(matches.batches[0].invocation, Invocation::TimedOut);
    assert_eq!([stack.processor.starts(), stack.notifier.starts()], [2, 2]);
    let waited = log_files.batches.last().unwrap().started - log_files.batches[0].started;
    assert!(
        waited >= Duration::from_millis(2_900),
        "nobody else came before the lease ended: {waited:?}"
    );
    assert!(
        processed(&stack, "FilesInProgress") >= 1,
        "others saw the lease"
    );
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 3).await;
}

// ---------------------------------------------------------------------------------------------------
// Messages twice, at once, out of order, unreadable
// ---------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_announced_again_and_again_counts_once() {
    let stack = Stack::new(quick()).await;
    let files = one_file(scene::now());
    put_and_announce(&stack, &files).await;
    let key = files.keys().next().unwrap();
    announce(&stack, key, None).await;
    let event = testkit::s3_notification(&stack.bucket, &[(key, None)]).to_string();
    let by_sns = json!({ "Type": "Notification", "TopicArn": stack.topic.arn, "Message": event });
    stack
        .account
        .send_message(&stack.log_files, &by_sns.to_string())
        .await;
    runs::settle_all(&stack).await;
    let by_event_bridge = json!({
        "version": "0", "source": "aws.s3", "detail-type": "Object Created",
        "detail": { "bucket": { "name": stack.bucket }, "object": { "key": key, "size": 900 } },
    });
    stack
        .account
        .send_message(&stack.log_files, &by_event_bridge.to_string())
        .await;
    let cloudtrail = json!({ "s3Bucket": stack.bucket, "s3ObjectKey": [key, key] });
    stack
        .account
        .send_message(&stack.log_files, &cloudtrail.to_string())
        .await;
    runs::settle_all(&stack).await;
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 3).await;
    assert_eq!(processed(&stack, "FilesProcessed"), 1);
    // Two of one batch, two of the next, and the key that one message names twice.
    assert_eq!(processed(&stack, "FilesSkipped"), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_with_the_same_file_process_it_once() {
    let stack = Stack::new(StackOptions {
        processor_concurrency: 2,
        notifier_concurrency: 2,
        // Longer than the slow one takes.
        visibility_seconds: 3,
        ..quick()
    })
    .await;
    // The one that has the claim takes its time, so that the other meets it.
    let slow = Matcher::operation(Service::Sqs, "SendMessageBatch");
    stack
        .processor_proxy
        .fault(slow, Fault::Delay(Duration::from_millis(800)));
    let files = one_file(scene::now());
    put_and_announce(&stack, &files).await;
    announce(&stack, files.keys().next().unwrap(), None).await;
    let source = stack.log_file_source().batch_size(1);
    let report = source.drain(Duration::from_secs(30)).await;
    runs::settle_all(&stack).await;
    assert_eq!(stack.processor.starts(), 2);
    assert!(
        report.failed() >= 1 && processed(&stack, "FilesInProgress") >= 1,
        "they met"
    );
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 3).await;
    let outcomes =
        ["FilesProcessed", "FilesSkipped", "FilesFailed"].map(|name| processed(&stack, name));
    assert_eq!(outcomes, [1, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_any_order_give_the_same_alarms() {
    let now = scene::now();
    let mut files = Files::new();
    // Failures of sign-ins one in each file: three within five minutes are an alarm.
    for (n, seconds) in [0, 100, 200, 900, 1_250, 2_000, 2_100, 2_290]
        .into_iter()
        .enumerate()
    {
        let event = scene::failed_sign_in(&format!("e-{n}"), now - 4_000 + seconds, A);
        files.insert(scene::key(A, now, n as u64), testkit::log_file(&[event]));
    }
    let expected = scene::alarms_of("any", &files);
    assert_eq!(
        expected.iter().map(|alarm| alarm.4).collect::<Vec<_>>(),
        [3, 3]
    );
    runs::in_parallel(
        3,
        vec![
            [7, 5, 3, 1, 0, 2, 4, 6],
            [2, 0, 1, 6, 5, 7, 4, 3],
            [4, 6, 0, 7, 2, 5, 1, 3],
        ],
        |order| {
            let files = files.clone();
            async move {
                let stack = Stack::new(quick()).await;
                put(&stack, &files).await;
                for n in order {
                    announce(&stack, files.keys().nth(n).unwrap(), None).await;
                    runs::settle_all(&stack).await;
                }
                assert_exact(&stack, &files).await;
                assert_counts(&stack, 8).await;
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_fails_of_a_batch_comes_again_and_ends_in_the_dead_letter_queue() {
    let stack = Stack::new(StackOptions {
        max_receives: 3,
        ..quick()
    })
    .await;
    let now = scene::now();
    let mut files = Files::new();
    for n in 0..3 {
        let event = scene::stop_logging(&format!("e-{n}"), now - 60, A);
        files.insert(scene::key(A, now, n), testkit::log_file(&[event]));
    }
    let missing = scene::key(A, now, 99);
    announce(&stack, &missing, None).await;
    put_and_announce(&stack, &files).await;
    let report = stack.log_file_source().drain(Duration::from_secs(30)).await;
    assert_eq!((report.deleted(), report.failed()), (3, 3));
    assert!(
        report.batches[1..]
            .iter()
            .all(|batch| batch.messages.len() == 1),
        "it came alone"
    );
    runs::settle_all(&stack).await;
    let dead = stack
        .account
        .receive_messages(&stack.log_files_dead, 10, Duration::ZERO)
        .await;
    assert!(dead.len() == 1 && dead[0].body.contains(&missing));
    assert_eq!(
        scene::ledger(&stack).await.remove(&missing).unwrap(),
        "failed"
    );
    assert_eq!(processed(&stack, "FilesFailed"), 3);
    assert_eq!(
        [
            processed(&stack, "FilesDeadLettered"),
            processed(&stack, "MessagesDeadLettered")
        ],
        [1, 1]
    );
    let line = stack.processor.wait_for_log("not_found").await;
    assert!(line.contains(&missing), "{line}");
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 3).await;

    // What is sent back once the object is there is processed as if nothing had been.
    files.insert(
        missing.clone(),
        testkit::log_file(&[scene::stop_logging("e-9", now - 30, A)]),
    );
    put(&stack, &files).await;
    stack
        .account
        .send_message(&stack.log_files, &dead[0].body)
        .await;
    runs::settle_all(&stack).await;
    assert_alarms(&stack, &files).await;
    assert_counts(&stack, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_cannot_be_read_holds_up_nobody() {
    let stack = Stack::new(StackOptions {
        max_receives: 2,
        ..quick()
    })
    .await;
    let files = one_file(scene::now());
    stack
        .account
        .send_message(&stack.log_files, "{ half a message")
        .await;
    put_and_announce(&stack, &files).await;
    let report = stack.log_file_source().drain(Duration::from_secs(30)).await;
    assert_eq!((report.deleted(), report.failed()), (1, 2));
    assert_eq!(
        [
            processed(&stack, "MessagesUnparsable"),
            processed(&stack, "MessagesDeadLettered")
        ],
        [2, 1]
    );
    let dead = stack
        .account
        .receive_messages(&stack.log_files_dead, 10, Duration::ZERO)
        .await;
    assert_eq!(dead[0].body, "{ half a message");

    // In the match queue it goes away at once, and what stands behind it in its group is counted.
    let sent = stack
        .account
        .receive_messages(&stack.matches, 10, Duration::ZERO)
        .await;
    assert_eq!(sent.len(), 2);
    for message in &sent {
        let group = message.group().unwrap();
        for (id, body) in [("poison", "not JSON"), ("good", &message.body)] {
            stack
                .account
                .send_fifo_message(&stack.matches, body, group, id)
                .await;
        }
        stack
            .account
            .delete_message(&stack.matches, &message.receipt_handle)
            .await;
    }
    let report = stack.match_source().drain(Duration::from_secs(30)).await;
    assert_eq!((report.deleted(), report.failed()), (4, 0));
    let dead = stack
        .account
        .receive_messages(&stack.matches_dead, 10, Duration::ZERO)
        .await;
    assert!(dead.len() == 2 && dead.iter().all(|message| message.body == "not JSON"));
    assert_eq!(stack.metric(&stack.notifier, "MessagesUnparsable"), 2);
    assert_eq!(stack.metric(&stack.notifier, "MessagesDeadLettered"), 2);
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 3).await;
}

// ---------------------------------------------------------------------------------------------------
// Objects, keys, answers with conditions
// ---------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_what_was_announced_is_evaluated_and_reported() {
    let stack = Stack::new(quick()).await;
    let now = scene::now();
    let key = scene::key(A, now, 1);
    let first = testkit::log_file(&[scene::describe("e-0", now - 60, A)]);
    let etag = stack.account.put_object(&stack.bucket, &key, first).await;
    announce(&stack, &key, Some(&etag)).await;
    let second = testkit::log_file(&[scene::stop_logging("e-1", now - 60, A)]);
    let mut files = Files::from([(key.clone(), second)]);
    put(&stack, &files).await;
    runs::settle_all(&stack).await;
    assert_eq!(processed(&stack, "Problems"), 1);
    let line = stack.processor.wait_for_log("object_changed").await;
    assert!(line.contains(&key), "{line}");
    assert_exact(&stack, &files).await;

    // Changed again after it was done: what it holds now is counted, what it held before stays.
    let events = [
        scene::stop_logging("e-1", now - 60, A),
        scene::stop_logging("e-2", now - 50, A),
    ];
    files.insert(key.clone(), testkit::log_file(&events));
    put_and_announce(&stack, &files).await;
    runs::settle_all(&stack).await;
    assert_eq!(processed(&stack, "Problems"), 2);
    assert_eq!(
        assert_alarms(&stack, &files).await,
        [],
        "the follow-up waits for an hour"
    );
    assert_eq!(
        stack.metric(&stack.notifier, "MatchesCounted"),
        2,
        "`e-1` is known"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_with_spaces_plus_signs_and_letters_of_all_kinds_are_found() {
    let stack = Stack::new(quick()).await;
    stack.announce_objects().await;
    let now = scene::now();
    let mut files = Files::new();
    for (n, prefix) in [
        "my logs/",
        "a+b/",
        "größe & 100%/",
        "日本 /",
        "a%2Bb/",
        "=?#/",
    ]
    .iter()
    .enumerate()
    {
        let event = scene::stop_logging(&format!("e-{n}"), now - 60, A);
        let key = format!("{prefix}{}", scene::key(A, now, n as u64));
        files.insert(key, testkit::log_file(&[event]));
    }
    put(&stack, &files).await;
    runs::settle_all(&stack).await;
    assert_eq!(processed(&stack, "FilesProcessed"), 6);
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_of_one_filter_in_one_file_are_two_alarms() {
    let stack = Stack::new(quick()).await;
    let files = one_file(scene::now());
    put_and_announce(&stack, &files).await;
    runs::settle_all(&stack).await;
    let alarms = scene::alarms_in_table(&stack).await;
    let groups: Vec<_> = alarms
        .iter()
        .map(|(_, group, _, _, matched)| (group.as_str(), *matched))
        .collect();
    assert_eq!(groups, [(A, 2), (B, 1)]);
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_events_that_are_refused_as_too_old_are_counted() {
    let stack = Stack::new(quick()).await;
    let body = json!({ "rejectedLogEventsInfo": { "tooOldLogEventEndIndex": 1 } }).to_string();
    let put_log_events = Matcher::operation(Service::Logs, "PutLogEvents");
    stack
        .processor_proxy
        .fault(put_log_events, Fault::ReplaceResponse { status: 200, body });
    let files = one_file(scene::now());
    put_and_announce(&stack, &files).await;
    runs::settle_all(&stack).await;
    assert_eq!(
        processed(&stack, "TooOldForMetrics"),
        3,
        "the matches of one document"
    );
    assert_exact(&stack, &files).await;
}

// ---------------------------------------------------------------------------------------------------
// Settings and filters
// ---------------------------------------------------------------------------------------------------

#[tokio::test(flavor = "multi_thread")]
async fn the_notifier_names_all_settings_that_are_missing_when_it_starts() {
    let stack = Stack::new(quick()).await;
    let mut spec = stack.notifier.spec().clone();
    spec.env = vec![("MINIMUM_SEVERITY".to_owned(), "loud".to_owned())];
    let function = Function::start(spec);
    assert_eq!(function.invoke(&Value::Null).await, Invocation::Exited);
    let log = function.log_lines().join("\n");
    for expected in [
        "`TRAILWARDEN_TABLE` is not set",
        "`MATCH_QUEUE_URL` is not set",
        "`MATCH_DEAD_LETTER_QUEUE_URL` is not set",
        "`ALARM_TOPIC_ARN` is not set",
        "`MINIMUM_SEVERITY` is `loud`",
    ] {
        assert!(log.contains(expected), "{expected}\n{log}");
    }
}

/// A stack with the built-in filters in a file of its own, and that file's bucket.
async fn with_filters_object() -> (Stack, String) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let bucket = format!("filters-of-faults-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let object = format!("s3://{bucket}/filters.yaml");
    let stack = Stack::new(StackOptions {
        processor_env: vec![("FILTERS_OBJECT".to_owned(), object)],
        max_receives: 20,
        ..quick()
    })
    .await;
    stack.account.create_bucket(&bucket).await;
    (stack, bucket)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_good_filters_stay_in_force() {
    let (stack, bucket) = with_filters_object().await;
    let (good, bad) = (
        metric_filters::BUILT_IN,
        "metric_filters: [ { name: 'a:b' } ]",
    );
    stack
        .account
        .put_object(&bucket, "filters.yaml", good)
        .await;
    let now = scene::now();
    let mut files = Files::new();
    for n in 0..3 {
        let event = scene::stop_logging(&format!("e-{n}"), now - 60 + n, A);
        files.insert(scene::key(A, now, n as u64), testkit::log_file(&[event]));
    }
    put(&stack, &files).await;
    let mut keys = files.keys();
    announce(&stack, keys.next().unwrap(), None).await;
    runs::settle_all(&stack).await;
    // A process that starts later has only what is kept in the table.
    stack.account.put_object(&bucket, "filters.yaml", bad).await;
    stack.processor.kill().await;
    announce(&stack, keys.next().unwrap(), None).await;
    runs::settle_all(&stack).await;
    assert_eq!(processed(&stack, "FiltersRefused"), 1);
    stack.processor.wait_for_log("kept in the table").await;
    stack.account.delete_object(&bucket, "filters.yaml").await;
    stack.processor.kill().await;
    announce(&stack, keys.next().unwrap(), None).await;
    runs::settle_all(&stack).await;
    assert_eq!(processed(&stack, "FiltersRefused"), 2);
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_filters_messages_wait_until_there_are_some() {
    let (stack, bucket) = with_filters_object().await;
    let bad = "metric_filters: [ { name: 'a:b' } ]";
    stack.account.put_object(&bucket, "filters.yaml", bad).await;
    let files = one_file(scene::now());
    put_and_announce(&stack, &files).await;
    let waiting = stack
        .log_file_source()
        .run_for(Duration::from_secs(3))
        .await;
    assert!(
        waiting.failed() >= 2 && waiting.deleted() == 0,
        "{waiting:?}"
    );
    assert!(
        scene::ledger(&stack)
            .await
            .values()
            .all(|status| status != "done")
    );
    stack
        .processor
        .wait_for_log("no filters are in force")
        .await;
    let faults = stack.processor.wait_for_log("filters file refused").await;
    assert!(faults.contains("pattern"), "every fault is told: {faults}");
    let good = metric_filters::BUILT_IN;
    stack
        .account
        .put_object(&bucket, "filters.yaml", good)
        .await;
    runs::settle_all(&stack).await;
    assert_eq!(processed(&stack, "FilesFailed"), waiting.failed() as u64);
    assert_exact(&stack, &files).await;
    assert_counts(&stack, 3).await;
}

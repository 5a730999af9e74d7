//! Measures the functions against the emulator: latency, throughput, memory, start.
//!
//! ```sh
//! cargo build --release -p log-processor -p alarm-notifier
//! TRAILWARDEN_FUNCTIONS=target/release cargo run -p harness --example measure
//! TRAILWARDEN_FUNCTIONS=target/release cargo run -p harness --example measure starts    # nothing else
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a measurement that meets anything but what it expects shall fail"
)]

use std::time::{Duration, Instant};

use harness::{Call, EventSource, Function, MiniStack, Stack, StackOptions};
use serde_json::{Value, json};

const LATENCY_ROUNDS: usize = 100;
const STARTS: usize = 20;
const SOON: Duration = Duration::from_secs(900);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        starts().await;
        if std::env::args().nth(1).as_deref() == Some("starts") {
            return;
        }
        latency().await;
        let files = std::env::var("TRAILWARDEN_MEASURE_FILES");
        throughput(files.map_or(5_000, |files| files.parse().unwrap())).await;
    });
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs() as i64
}

fn stop_logging(id: &str, account: &str) -> Value {
    json!({
        "eventVersion": "1.09", "eventTime": testkit::time(now() - 60), "eventName": "StopLogging",
        "eventSource": "cloudtrail.amazonaws.com", "awsRegion": "us-east-1", "eventID": id,
        "recipientAccountId": account, "sourceIPAddress": "198.51.100.7", "eventType": "AwsApiCall",
        "userIdentity": { "type": "IAMUser", "userName": "alice", "accountId": account },
        "requestParameters": { "name": "management-events" },
    })
}

fn describe(id: &str) -> Value {
    let mut event = stop_logging(id, "111122223333");
    event["eventName"] = "DescribeInstances".into();
    event["eventSource"] = "ec2.amazonaws.com".into();
    event
}

fn key(n: usize) -> String {
    let time = testkit::time(now());
    let (day, minute) = (
        time[..10].replace('-', "/"),
        time[..16].replace(['-', ':'], ""),
    );
    format!(
        "AWSLogs/111122223333/CloudTrail/us-east-1/{day}/111122223333_CloudTrail_us-east-1_{minute}Z_{n:016}.json.gz"
    )
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

fn spread(name: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    println!(
        "| {name} | {:.1} | {:.1} | {:.1} |",
        values[0],
        percentile(&values, 0.5),
        percentile(&values, 0.95)
    );
}

/// From spawning the process to its first request for work.
async fn starts() {
    let stack = Stack::new(StackOptions::default()).await;
    println!(
        "\n| process start to first poll, ms; then resident, MiB | min | p50 | p95 |\n| --- | ---: | ---: | ---: |"
    );
    for function in [&stack.processor, &stack.notifier] {
        let (mut millis, mut resident) = (Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let function = Function::start(function.spec().clone());
            // Neither knows what to do with it; both have started by then.
            function.invoke(&json!({})).await;
            millis.extend(function.start_millis().iter().map(|&millis| millis as f64));
            resident.push(function.rss_kb() as f64 / 1024.0);
            function.kill().await;
        }
        spread(&function.spec().name.clone(), millis);
        spread(&function.spec().name.clone(), resident);
    }
}

/// From putting a log file to the topic's acceptance, one at a time, warm.
async fn latency() {
    let stack = Stack::new(StackOptions::default()).await;
    stack.announce_objects().await;
    let poll_files = stack.log_file_source().start();
    let poll_matches = stack.match_source().start();
    let mut total = Vec::new();
    let mut hops: [Vec<f64>; 4] = Default::default();
    for n in 0..LATENCY_ROUNDS + 5 {
        // An account each, so that each is an alarm; the quota of an hour is not to be the limit.
        let account = format!("{:012}", 100_000_000_000_u64 + n as u64);
        let file = testkit::log_file(&[stop_logging(&format!("e-{n}"), &account), describe("x")]);
        if n % 19 == 0 {
            clear_quota(&stack).await;
        }
        stack.notifier_proxy.forget_calls();
        let started = Instant::now();
        stack.account.put_object(&stack.bucket, &key(n), file).await;
        let put = started.elapsed();
        let published = |call: &Call| call.operation == "Publish" && call.status.is_some();
        while !stack.notifier_proxy.calls().iter().any(published) {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "no message for file {n}"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let told = started.elapsed();
        if n < 5 {
            continue;
        }
        let millis = |duration: Duration| duration.as_secs_f64() * 1000.0;
        total.push(millis(told));
        hops[0].push(millis(put));
    }
    let (files, matches) = (poll_files.stop().await, poll_matches.stop().await);
    let invocation = |batch: &harness::Batch| (batch.ended - batch.started).as_secs_f64() * 1000.0;
    hops[1] = files.batches.iter().skip(6).map(invocation).collect();
    hops[2] = matches.batches.iter().skip(5).map(invocation).collect();
    println!(
        "\n| latency, ms, {LATENCY_ROUNDS} files one by one | min | p50 | p95 |\n| --- | ---: | ---: | ---: |"
    );
    spread("put to accepted by the topic", total);
    let [put, processor, notifier, _] = hops;
    spread("of it: put", put);
    spread("of it: log-processor, one file (with done)", processor);
    spread("of it: alarm-notifier, one match (with told)", notifier);
}

async fn clear_quota(stack: &Stack) {
    let hour = now() - now().rem_euclid(3600);
    for hour in [hour, hour + 3600] {
        let item = json!({ "pk": { "S": format!("quota#{hour}") }, "sk": { "S": "quota" } });
        let body = json!({ "TableName": stack.table, "Key": item });
        stack
            .account
            .json("DynamoDB_20120810.DeleteItem", &body)
            .await;
    }
}

/// Files per second with two processes, and memory after all of them.
async fn throughput(files: usize) {
    let stack = Stack::new(StackOptions {
        processor_concurrency: 2,
        ..StackOptions::default()
    })
    .await;
    let records: Vec<Value> = (0..8).map(|n| describe(&format!("d-{n}"))).collect();
    for n in 0..files {
        let file = testkit::log_file(&records);
        let key = key(n);
        let etag = stack.account.put_object(&stack.bucket, &key, file).await;
        let message = testkit::s3_notification(&stack.bucket, &[(&key, Some(&etag))]);
        stack
            .account
            .send_message(&stack.log_files, &message.to_string())
            .await;
    }
    // Without the proxy, which costs time of its own.
    let mut spec = stack.processor.spec().clone();
    spec.endpoint_url = MiniStack::shared().url();
    let processor = Function::start(spec);
    let source = EventSource::new(&stack.account, &stack.log_files, &processor).concurrency(2);
    let started = Instant::now();
    source.drain(SOON).await;
    let seconds = started.elapsed().as_secs_f64();
    let processed = stack.metric(&processor, "FilesProcessed");
    assert_eq!(processed, files as u64);
    println!(
        "\n| {files} files of 8 records without a match, batches of 10, 2 processes | |\n| --- | ---: |"
    );
    println!("| files per second | {:.0} |", files as f64 / seconds);
    println!(
        "| resident memory after all of them, KB, the larger process | {} |",
        processor.rss_kb()
    );
    println!(
        "| peak, KB, the larger process | {} |",
        processor.peak_rss_kb()
    );
}

//! The harness itself: the emulator, the accounts in it, faults, processes and event sources.
//!
//! Small Python programs stand in for the functions.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::{
    Account, Batch, Depth, EventSource, Fault, Function, FunctionSpec, Invocation, Matcher,
    MiniStack, Proxy, Queue, QueueSpec, Service, Topic, plain_item,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(15);

/// Speaks the Runtime API and does what each payload says; SQS events are lists of what to do.
const STAND_IN: &str = r#"
import json, os, sys, time, urllib.request
BASE = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2018-06-01/runtime/"
def post(path, value):
    urllib.request.urlopen(urllib.request.Request(BASE + path, json.dumps(value).encode(), method="POST"))
def aws(target, value):
    scope = os.environ["AWS_ACCESS_KEY_ID"] + "/20260101/us-east-1/dynamodb/aws4_request"
    headers = {"X-Amz-Target": target, "Authorization": "AWS4-HMAC-SHA256 Credential=" + scope,
               "Content-Type": "application/x-amz-json-1.0", "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"]}
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"] + "/", json.dumps(value).encode(), headers)
    return json.load(urllib.request.urlopen(request))
if os.environ.get("FAIL_INIT") == "report":
    post("init/error", {"errorType": "Init", "errorMessage": "no settings"})
    time.sleep(60)
if os.environ.get("FAIL_INIT") == "exit":
    print("cannot start", file=sys.stderr, flush=True)
    sys.exit(3)
def handle(event, headers):
    if "Records" in event:
        time.sleep(float(os.environ.get("BATCH_SECONDS", "0")))
        failed = [r["messageId"] for r in event["Records"] if r["body"].startswith("bad")]
        return {"batchItemFailures": [{"itemIdentifier": i} for i in failed]}
    if "echo" in event:
        print("echo", event["echo"], flush=True)
        return event["echo"]
    if "sleep" in event: time.sleep(event["sleep"])
    if "exit" in event: os._exit(event["exit"])
    if "put" in event: aws("DynamoDB_20120810.PutItem", event["put"])
    if "raise" in event: raise ValueError(event["raise"])
    if "about" in event: return {"env": dict(os.environ), "headers": dict(headers), "pid": os.getpid(), "now": time.time()}
    return "done"
while True:
    with urllib.request.urlopen(BASE + "invocation/next") as work:
        headers, event = {k.lower(): v for k, v in work.headers.items()}, json.load(work)
    at = "invocation/" + headers["lambda-runtime-aws-request-id"] + "/"
    try:
        answer = handle(event, headers)
    except Exception as error:
        post(at + "error", {"errorType": type(error).__name__, "errorMessage": str(error)})
        continue
    post(at + "response", answer)
    if "exit_afterwards" in event: os._exit(0)
"#;

/// The stand-in as a program, and the folder that keeps it.
fn stand_in() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bootstrap");
    let python = MiniStack::shared().python();
    fs::write(&program, format!("#!{}\n{STAND_IN}", python.display())).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    (folder, program)
}

fn object(members: &[(&str, &str)]) -> Value {
    members
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!({ "S": value })))
        .collect()
}

fn put(table: &str, pk: &str) -> Value {
    json!({ "put": { "TableName": table, "Item": object(&[("pk", pk), ("sk", "-")]) } })
}

// ---- the emulator ----------------------------------------------------------------------------

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let (one, other) = (Account::new(), Account::new());
    assert_ne!(one.id(), other.id());
    let of_one = one.create_queue(QueueSpec::standard("same-name")).await;
    let of_other = other.create_queue(QueueSpec::standard("same-name")).await;
    one.send_message(&of_one, "for one").await;
    assert_eq!(
        one.queue_depth(&of_one).await,
        Depth {
            visible: 1,
            ..Depth::default()
        }
    );
    assert_eq!(other.queue_depth(&of_other).await, Depth::default());

    one.create_table("same-name").await;
    other.create_table("same-name").await;
    one.put_item("same-name", &object(&[("pk", "a"), ("sk", "b")]))
        .await;
    assert_eq!(one.scan_table("same-name").await.len(), 1);
    assert_eq!(other.scan_table("same-name").await.len(), 0);
}

#[tokio::test]
async fn an_object_is_stored_announced_and_deleted() {
    let account = Account::new();
    let queue = account.create_queue(QueueSpec::standard("announced")).await;
    account.create_bucket("trail-objects").await;
    account
        .put_bucket_notification("trail-objects", &queue)
        .await;
    let key = "AWSLogs/1/a b+c=1.json.gz";
    let etag = account.put_object("trail-objects", key, "content").await;

    let mut bodies = Vec::new();
    while bodies.len() < 2 {
        let messages = account
            .receive_messages(&queue, 10, Duration::from_secs(5))
            .await;
        assert!(
            !messages.is_empty(),
            "expected two messages, got {bodies:?}"
        );
        bodies.extend(messages.into_iter().map(|message| message.body));
    }
    let setup: Value = serde_json::from_str(&bodies[0]).unwrap();
    assert_eq!(setup["Event"], "s3:TestEvent");
    let announced: Value = serde_json::from_str(&bodies[1]).unwrap();
    let object = &announced["Records"][0]["s3"]["object"];
    assert_eq!(object["eTag"], etag);
    assert_eq!(object["key"], "AWSLogs/1/a+b%2Bc%3D1.json.gz");

    assert_eq!(
        account.get_object("trail-objects", key).await.unwrap(),
        "content"
    );
    account.delete_object("trail-objects", key).await;
    assert_eq!(account.get_object("trail-objects", key).await, None);
}

#[tokio::test]
async fn a_message_is_received_hidden_released_and_deleted() {
    let account = Account::new();
    let queue = account
        .create_queue(QueueSpec::standard("messages").visibility_seconds(60))
        .await;
    let id = account.send_message(&queue, "body").await;
    let first = account
        .receive_messages(&queue, 10, Duration::ZERO)
        .await
        .remove(0);
    assert_eq!(
        (
            first.id.as_str(),
            first.body.as_str(),
            first.receive_count()
        ),
        (&*id, "body", 1)
    );
    assert_eq!(
        account.queue_depth(&queue).await,
        Depth {
            in_flight: 1,
            ..Depth::default()
        }
    );
    assert!(
        account
            .receive_messages(&queue, 10, Duration::ZERO)
            .await
            .is_empty()
    );

    account
        .change_visibility(&queue, &first.receipt_handle, 0)
        .await;
    let again = account
        .receive_messages(&queue, 10, Duration::ZERO)
        .await
        .remove(0);
    assert_eq!((again.id.as_str(), again.receive_count()), (&*id, 2));
    account.delete_message(&queue, &first.receipt_handle).await;
    assert_eq!(
        account.queue_depth(&queue).await.total(),
        1,
        "an outdated handle deletes nothing"
    );
    account.delete_message(&queue, &again.receipt_handle).await;
    assert_eq!(account.queue_depth(&queue).await.total(), 0);

    account.send_message(&queue, "another").await;
    account.purge(&queue).await;
    assert_eq!(account.queue_depth(&queue).await.total(), 0);
}

#[tokio::test]
async fn a_fifo_queue_keeps_order_and_locks_a_group_and_drops_what_it_has_seen() {
    let account = Account::new();
    let queue = account.create_queue(QueueSpec::fifo("order.fifo")).await;
    let first = account.send_fifo_message(&queue, "1", "a", "x").await;
    account.send_fifo_message(&queue, "2", "a", "y").await;
    let repeated = account.send_fifo_message(&queue, "1 again", "a", "x").await;
    assert_eq!(repeated, first);
    account.send_fifo_message(&queue, "3", "b", "x").await;
    assert_eq!(
        account.queue_depth(&queue).await.visible,
        3,
        "groups deduplicate apart"
    );

    let one = account
        .receive_messages(&queue, 1, Duration::ZERO)
        .await
        .remove(0);
    assert_eq!((one.body.as_str(), one.group()), ("1", Some("a")));
    assert!(
        one.attributes.contains_key("SequenceNumber")
            && one.attributes.contains_key("SentTimestamp")
    );
    let others = account.receive_messages(&queue, 10, Duration::ZERO).await;
    assert_eq!(
        others
            .iter()
            .map(|message| message.body.as_str())
            .collect::<Vec<_>>(),
        ["3"]
    );
    account.delete_message(&queue, &one.receipt_handle).await;
    let next = account.receive_messages(&queue, 10, Duration::ZERO).await;
    assert_eq!(
        next.iter()
            .map(|message| message.body.as_str())
            .collect::<Vec<_>>(),
        ["2"]
    );
}

#[tokio::test]
async fn what_is_published_reaches_a_subscribed_queue_raw_or_wrapped() {
    let account = Account::new();
    let raw = account.create_queue(QueueSpec::standard("raw")).await;
    let wrapped = account.create_queue(QueueSpec::standard("wrapped")).await;
    let topic: Topic = account.create_topic("alarms").await;
    account.subscribe_queue(&topic, &raw, true).await;
    account.subscribe_queue(&topic, &wrapped, false).await;
    account.publish(&topic, "a & b = ü").await;
    let body = |mut messages: Vec<harness::Message>| messages.remove(0).body;
    let wait = Duration::from_secs(5);
    assert_eq!(
        body(account.receive_messages(&raw, 1, wait).await),
        "a & b = ü"
    );
    let envelope: Value =
        serde_json::from_str(&body(account.receive_messages(&wrapped, 1, wait).await)).unwrap();
    assert_eq!(
        (&envelope["Message"], &envelope["TopicArn"]),
        (&json!("a & b = ü"), &json!(topic.arn))
    );
}

#[tokio::test]
async fn a_scan_gives_all_pages_and_the_index_holds_what_is_due() {
    let account = Account::new();
    account.create_table("state").await;
    let filler = "x".repeat(300_000);
    for number in 0..5 {
        account
            .put_item(
                "state",
                &object(&[
                    ("pk", &format!("group#{number}")),
                    ("sk", "-"),
                    ("f", &filler),
                ]),
            )
            .await;
    }
    let due = json!({ "pk": { "S": "group#9" }, "sk": { "S": "-" }, "due": { "S": "yes" }, "due_at": { "N": "17" } });
    account.put_item("state", &due).await;
    let proxy = Proxy::start(MiniStack::shared()).await;
    let items = account.through(&proxy).scan_table("state").await;
    assert_eq!(items.len(), 6);
    assert!(
        proxy.count(Service::DynamoDb, "Scan") > 1,
        "a page holds at most 1 MB"
    );
    let found = items
        .iter()
        .map(plain_item)
        .find(|item| item["pk"] == "group#9")
        .unwrap();
    assert_eq!(found["due_at"], 17);

    let asked = json!({
        "TableName": "state", "IndexName": "due", "KeyConditionExpression": "due = :d AND due_at <= :t",
        "ExpressionAttributeValues": { ":d": { "S": "yes" }, ":t": { "N": "20" } },
    });
    let answer = account.json("DynamoDB_20120810.Query", &asked).await;
    assert_eq!(answer["Items"], json!([due]));
}

#[tokio::test]
async fn log_events_are_read_from_all_pages_of_streams() {
    let account = Account::new();
    account.create_log_group("many").await;
    for number in 0..51 {
        let names = json!({ "logGroupName": "many", "logStreamName": format!("{number:02}") });
        account.json("Logs_20140328.CreateLogStream", &names).await;
    }
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_millis() as u64;
    let event = json!({ "timestamp": now, "message": "last" });
    let asked = json!({ "logGroupName": "many", "logStreamName": "50", "logEvents": [event] });
    account.json("Logs_20140328.PutLogEvents", &asked).await;
    assert_eq!(account.log_events("many").await[0]["message"], "last");
}

#[tokio::test]
async fn log_events_are_read_from_all_streams() {
    let account = Account::new();
    account.create_log_group("metrics").await;
    assert_eq!(account.log_events("metrics").await, Vec::<Value>::new());
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .unwrap()
        .as_millis() as u64;
    for stream in ["a", "b"] {
        let names = json!({ "logGroupName": "metrics", "logStreamName": stream });
        account.json("Logs_20140328.CreateLogStream", &names).await;
        let events: Vec<Value> = (0..3)
            .map(|n| json!({ "timestamp": now + n, "message": format!("{stream}{n}") }))
            .collect();
        let asked =
            json!({ "logGroupName": "metrics", "logStreamName": stream, "logEvents": events });
        account.json("Logs_20140328.PutLogEvents", &asked).await;
    }
    let events = account.log_events("metrics").await;
    let told: Vec<_> = events
        .iter()
        .map(|event| event["message"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["a0", "a1", "a2", "b0", "b1", "b2"]);
    assert_eq!(
        (&events[4]["logStreamName"], &events[4]["timestamp"]),
        (&json!("b"), &json!(now + 1))
    );
}

// ---- the proxy -------------------------------------------------------------------------------

#[tokio::test]
async fn calls_are_passed_on_unchanged_and_recorded() {
    let account = Account::new();
    let proxy = Proxy::start(MiniStack::shared()).await;
    let through = account.through(&proxy);
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    account.create_bucket("trail-proxied").await;
    through
        .put_object("trail-proxied", "a b", body.clone())
        .await;
    assert_eq!(
        through.get_object("trail-proxied", "a b").await.unwrap(),
        body
    );
    through.create_table("ledger").await;
    through.create_topic("t").await;

    let calls = proxy.calls();
    let told: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                call.index,
                call.service,
                call.operation.as_str(),
                call.detail.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (0, Service::S3, "PutObject", "trail-proxied/a b"),
            (1, Service::S3, "GetObject", "trail-proxied/a b"),
            (2, Service::DynamoDb, "CreateTable", "ledger"),
            (3, Service::Sns, "CreateTopic", ""),
        ]
    );
    assert!(
        calls.iter().all(|call| call.status == Some(200)),
        "{calls:?}"
    );
    proxy.forget_calls();
    through.create_topic("t").await;
    assert_eq!(proxy.calls()[0].index, 0);
    assert_eq!(proxy.count(Service::Sns, "CreateTopic"), 1);
}

/// Sends `PutItem` through the proxy: the status and the body, or `None` without an answer.
async fn put_item(account: &Account, table: &str, pk: &str) -> Option<(u16, String)> {
    let asked = put(table, pk)["put"].clone();
    let asked = account.try_json("DynamoDB_20120810.PutItem", &asked);
    let response = tokio::time::timeout(Duration::from_millis(700), asked)
        .await
        .ok()?
        .ok()?;
    Some((
        response.status().as_u16(),
        String::from_utf8_lossy(response.body()).into_owned(),
    ))
}

#[tokio::test]
async fn a_fault_happens_as_often_and_where_it_was_asked_for() {
    let account = Account::new();
    account.create_table("ledger").await;
    let proxy = Proxy::start(MiniStack::shared()).await;
    let through = account.through(&proxy);
    let status = async |pk| put_item(&through, "ledger", pk).await.unwrap().0;

    proxy.fault(
        Matcher::operation(Service::DynamoDb, "PutItem").times(2),
        Fault::Throttle,
    );
    assert_eq!(
        [status("a").await, status("a").await, status("a").await],
        [400, 400, 200]
    );
    proxy.fault(
        Matcher::nth(Service::DynamoDb, "PutItem", 4),
        Fault::Status(500),
    );
    assert_eq!(
        [status("a").await, status("a").await, status("a").await],
        [200, 500, 200]
    );
    proxy.fault(Matcher::call(6), Fault::AccessDenied);
    assert_eq!([status("a").await, status("a").await], [400, 200]);
    proxy.fault(
        Matcher::when(|call| call.json()["Item"]["pk"]["S"] == "b"),
        Fault::NotFound,
    );
    assert_eq!(
        [status("a").await, status("b").await, status("b").await],
        [200, 400, 400]
    );
    proxy.clear_faults();
    assert_eq!(status("b").await, 200);
    assert_eq!(proxy.count(Service::DynamoDb, "PutItem"), 12);
}

#[tokio::test]
async fn errors_are_told_as_the_service_tells_them() {
    let account = Account::new();
    let proxy = Proxy::start(MiniStack::shared()).await;
    let through = account.through(&proxy);
    proxy.fault(Matcher::any(), Fault::Throttle);
    let told = async |target: &str| {
        let response = through.try_json(target, &json!({})).await.unwrap();
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        (
            response.status().as_u16(),
            body["__type"].as_str().unwrap().to_owned(),
        )
    };
    let dynamodb = told("DynamoDB_20120810.PutItem").await;
    assert_eq!(
        dynamodb,
        (
            400,
            "com.amazonaws.dynamodb.v20120810#ThrottlingException".to_owned()
        )
    );
    assert_eq!(
        told("AmazonSQS.SendMessage").await,
        (403, "com.amazonaws.sqs#RequestThrottled".to_owned())
    );
    assert_eq!(
        told("Logs_20140328.PutLogEvents").await,
        (400, "ThrottlingException".to_owned())
    );

    proxy.clear_faults();
    proxy.fault(Matcher::any(), Fault::NotFound);
    assert_eq!(through.get_object("no-bucket", "key").await, None);
}

#[tokio::test]
async fn faults_differ_in_whether_the_call_takes_effect() {
    let account = Account::new();
    account.create_table("ledger").await;
    let proxy = Proxy::start(MiniStack::shared()).await;
    let through = account.through(&proxy);
    let replaced = Fault::ReplaceResponse {
        status: 200,
        body: r#"{"replaced":true}"#.to_owned(),
    };
    let answered = Fault::Answer {
        status: 418,
        body: r#"{"answered":true}"#.to_owned(),
    };
    let text = |body: &str| body.to_owned();
    let faults = [
        (Fault::Hang, None, false),
        (Fault::HangAfter, None, true),
        (Fault::DropConnection, None, false),
        (Fault::DropConnectionAfter, None, true),
        (
            Fault::Delay(Duration::from_millis(50)),
            Some((200, text("{}"))),
            true,
        ),
        (replaced, Some((200, text(r#"{"replaced":true}"#))), true),
        (answered, Some((418, text(r#"{"answered":true}"#))), false),
    ];
    for (number, (fault, expected, takes_effect)) in faults.into_iter().enumerate() {
        let pk = format!("item#{number}");
        proxy.fault(Matcher::any().times(1), fault.clone());
        assert_eq!(
            put_item(&through, "ledger", &pk).await,
            expected,
            "{fault:?}"
        );
        let stored = account
            .scan_table("ledger")
            .await
            .iter()
            .any(|item| item["pk"]["S"] == pk);
        assert_eq!(stored, takes_effect, "{fault:?}");
        assert_eq!(
            proxy.calls()[number].status,
            expected.map(|(status, _)| status),
            "{fault:?}"
        );
    }
}

// ---- processes -------------------------------------------------------------------------------

#[tokio::test]
async fn a_function_is_invoked_with_the_environment_of_lambda_and_nothing_else() {
    let (_folder, program) = stand_in();
    let account = Account::new();
    let spec = FunctionSpec::new(program, "echo", &account)
        .env("SETTING", "7")
        .timeout(Duration::from_secs(20));
    let function = Function::start(spec);
    assert_eq!(
        function.invoke(&json!({ "echo": [1, "ü"] })).await,
        Invocation::Response(json!([1, "ü"]))
    );
    function.wait_for_log("echo [1").await;

    let about = function.invoke(&json!({ "about": 1 })).await.response();
    let environment: BTreeMap<String, String> =
        serde_json::from_value(about["env"].clone()).unwrap();
    assert_eq!(environment["SETTING"], "7");
    assert_eq!(environment["AWS_ACCESS_KEY_ID"], account.id());
    assert_eq!(environment["AWS_ENDPOINT_URL"], MiniStack::shared().url());
    assert!(
        !environment.contains_key("HOME") && !environment.contains_key("CARGO"),
        "{environment:?}"
    );
    let arn = format!("arn:aws:lambda:us-east-1:{}:function:echo", account.id());
    assert_eq!(about["headers"]["lambda-runtime-invoked-function-arn"], arn);
    let deadline: f64 = about["headers"]["lambda-runtime-deadline-ms"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let left = deadline / 1000.0 - about["now"].as_f64().unwrap();
    assert!((15.0..=20.0).contains(&left), "{left} s left");

    let failed = function.invoke(&json!({ "raise": "no" })).await;
    assert_eq!(
        failed,
        Invocation::Error(json!({ "errorType": "ValueError", "errorMessage": "no" }))
    );
    assert_eq!(
        (function.starts(), function.start_millis().len()),
        (1, 1),
        "one warm process did it all"
    );
    assert_eq!(
        function.pids(),
        [u32::try_from(about["pid"].as_u64().unwrap()).unwrap()]
    );
    assert!(function.rss_kb() > 1000 && function.peak_rss_kb() >= function.rss_kb());
}

#[tokio::test]
async fn an_invocation_past_its_time_is_killed_and_the_next_has_a_new_process() {
    let (_folder, program) = stand_in();
    let spec =
        FunctionSpec::new(program, "slow", &Account::new()).timeout(Duration::from_millis(400));
    let function = Function::start(spec);
    assert_eq!(
        function.invoke(&json!({})).await,
        Invocation::Response(json!("done"))
    );
    let pid = function.pids()[0];
    assert_eq!(
        function.invoke(&json!({ "sleep": 30 })).await,
        Invocation::TimedOut
    );
    assert!(
        !PathBuf::from(format!("/proc/{pid}")).exists(),
        "the process is dead"
    );
    assert_eq!(
        function.invoke(&json!({})).await,
        Invocation::Response(json!("done"))
    );
    assert_eq!(function.starts(), 2);
}

#[tokio::test]
async fn a_process_that_exits_is_replaced() {
    let (_folder, program) = stand_in();
    let function = Function::start(FunctionSpec::new(program, "exits", &Account::new()));
    assert_eq!(
        function.invoke(&json!({ "exit": 3 })).await,
        Invocation::Exited
    );
    assert_eq!(function.pids(), Vec::<u32>::new());
    let last = function.invoke(&json!({ "exit_afterwards": true })).await;
    assert_eq!(
        last,
        Invocation::Response(json!("done")),
        "the answer was given before the exit"
    );
    assert_eq!(
        function.invoke(&json!({})).await,
        Invocation::Response(json!("done"))
    );
    function.kill().await;
    assert_eq!(
        function.invoke(&json!({})).await,
        Invocation::Response(json!("done"))
    );
    assert_eq!(function.starts(), 4);
}

#[tokio::test]
async fn a_process_that_cannot_start_fails_the_invocation_and_says_why() {
    let (_folder, program) = stand_in();
    let account = Account::new();
    let exits =
        Function::start(FunctionSpec::new(&program, "exits", &account).env("FAIL_INIT", "exit"));
    assert_eq!(exits.invoke(&json!({})).await, Invocation::Exited);
    assert_eq!(exits.log_lines(), ["cannot start"]);
    assert_eq!((exits.starts(), exits.start_millis()), (1, Vec::new()));
    let reports = Function::start(
        FunctionSpec::new(&program, "reports", &account).env("FAIL_INIT", "report"),
    );
    assert_eq!(reports.invoke(&json!({})).await, Invocation::Exited);
    assert!(
        reports.log_lines()[0].contains("no settings"),
        "{:?}",
        reports.log_lines()
    );
    assert_eq!(reports.pids(), Vec::<u32>::new());
}

#[tokio::test]
async fn invocations_at_a_time_have_processes_of_their_own_up_to_the_limit() {
    let (_folder, program) = stand_in();
    let function =
        Function::start(FunctionSpec::new(program, "parallel", &Account::new()).concurrency(2));
    let nap = json!({ "sleep": 0.3, "about": 1 });
    let (a, b, c) = tokio::join!(
        function.invoke(&nap),
        function.invoke(&nap),
        function.invoke(&nap)
    );
    let mut pids: Vec<_> = [a, b, c]
        .into_iter()
        .map(|about| about.response()["pid"].as_u64().unwrap())
        .collect();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!((pids.len(), function.starts()), (2, 2));
}

#[tokio::test]
async fn a_kill_ends_the_process_that_called_before_or_after_the_call_took_effect() {
    let (_folder, program) = stand_in();
    let account = Account::new();
    account.create_table("ledger").await;
    let proxy = Proxy::start(MiniStack::shared()).await;
    let function = Function::start(
        FunctionSpec::new(program, "killed", &account)
            .endpoint(&proxy)
            .concurrency(2),
    );
    proxy.attach(&function);
    proxy.fault(
        Matcher::nth(Service::DynamoDb, "PutItem", 0),
        Fault::KillBefore,
    );
    proxy.fault(
        Matcher::nth(Service::DynamoDb, "PutItem", 1),
        Fault::KillAfter,
    );
    let stored = async || account.scan_table("ledger").await.len();

    let (bystander, killed) = (json!({ "sleep": 1, "echo-not": 1 }), put("ledger", "a"));
    let (bystander, killed) = tokio::join!(function.invoke(&bystander), function.invoke(&killed));
    assert_eq!(
        (bystander, killed),
        (Invocation::Response(json!("done")), Invocation::Exited)
    );
    assert_eq!(stored().await, 0);
    assert_eq!(
        function.invoke(&put("ledger", "a")).await,
        Invocation::Exited
    );
    assert_eq!(stored().await, 1);
    assert_eq!(
        function.invoke(&put("ledger", "a")).await,
        Invocation::Response(json!("done"))
    );
    assert_eq!(
        proxy
            .calls()
            .iter()
            .map(|call| call.status)
            .collect::<Vec<_>>(),
        [None, None, Some(200)]
    );
}

#[tokio::test]
async fn processes_end_with_their_function() {
    let (_folder, program) = stand_in();
    let function = Function::start(FunctionSpec::new(program, "dropped", &Account::new()));
    function.invoke(&json!({})).await;
    let process = PathBuf::from(format!("/proc/{}/exe", function.pids()[0]));
    assert!(process.read_link().is_ok());
    drop(function);
    let deadline = Instant::now() + SOON;
    while process.read_link().is_ok() {
        assert!(
            Instant::now() < deadline,
            "the process outlives its function"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

// ---- event sources ---------------------------------------------------------------------------

async fn event_source(
    spec: QueueSpec,
    account: &Account,
    function: &Function,
) -> (Queue, EventSource) {
    let queue = account.create_queue(spec).await;
    let source = EventSource::new(account, &queue, function);
    (queue, source)
}

#[tokio::test]
async fn only_failed_messages_come_again_and_end_as_dead_letters() {
    let (_folder, program) = stand_in();
    let account = Account::new();
    let function = Function::start(FunctionSpec::new(program, "partial", &account));
    let dead_letters = account
        .create_queue(QueueSpec::standard("dead-letters"))
        .await;
    let spec = QueueSpec::standard("work")
        .visibility_seconds(1)
        .redrive(&dead_letters, 2);
    let (queue, source) = event_source(spec, &account, &function).await;
    for body in ["good 1", "bad", "good 2"] {
        account.send_message(&queue, body).await;
    }
    let idle = source.run_until_idle(SOON).await;
    assert_eq!((idle.deleted(), idle.failed()), (2, 1));
    assert_eq!(
        account.queue_depth(&queue).await,
        Depth {
            in_flight: 1,
            ..Depth::default()
        }
    );

    let drained = source.drain(SOON).await;
    assert_eq!((drained.deleted(), drained.failed()), (0, 1));
    assert_eq!(drained.batches[0].messages[0].receive_count(), 2);
    let dead = account
        .receive_messages(&dead_letters, 10, Duration::ZERO)
        .await;
    assert_eq!(
        dead.iter()
            .map(|message| message.body.as_str())
            .collect::<Vec<_>>(),
        ["bad"]
    );
}

#[tokio::test]
async fn nothing_is_deleted_after_a_time_out() {
    let (_folder, program) = stand_in();
    let account = Account::new();
    let spec = FunctionSpec::new(program, "late", &account).env("BATCH_SECONDS", "30");
    let function = Function::start(spec.timeout(Duration::from_millis(300)));
    let (queue, source) = event_source(QueueSpec::standard("late"), &account, &function).await;
    account.send_message(&queue, "good").await;
    let report = source.run_until_idle(SOON).await;
    assert_eq!(report.batches[0].invocation, Invocation::TimedOut);
    assert_eq!((report.deleted(), report.failed()), (0, 1));
    assert_eq!(account.queue_depth(&queue).await.in_flight, 1);
}

#[tokio::test]
async fn no_two_invocations_have_messages_of_one_group_at_a_time() {
    let (_folder, program) = stand_in();
    let account = Account::new();
    let spec = FunctionSpec::new(program, "groups", &account).env("BATCH_SECONDS", "0.1");
    let function = Function::start(spec.concurrency(2));
    let (queue, source) = event_source(QueueSpec::fifo("groups.fifo"), &account, &function).await;
    for (group, number) in [
        ("a", 0),
        ("a", 1),
        ("a", 2),
        ("a", 3),
        ("b", 0),
        ("b", 1),
        ("b", 2),
        ("b", 3),
    ] {
        account
            .send_fifo_message(&queue, &number.to_string(), group, &number.to_string())
            .await;
    }
    let report = source.batch_size(2).drain(SOON).await;
    assert_eq!((report.deleted(), report.failed()), (8, 0));
    let of_group = |group: &str| -> Vec<&Batch> {
        let mut batches: Vec<_> = report
            .batches
            .iter()
            .filter(|batch| batch.messages[0].group() == Some(group))
            .collect();
        batches.sort_by_key(|batch| batch.started);
        batches
    };
    for group in ["a", "b"] {
        let batches = of_group(group);
        assert!(
            batches
                .windows(2)
                .all(|pair| pair[0].ended <= pair[1].started),
            "{group} overlaps"
        );
        let messages = batches.iter().flat_map(|batch| &batch.messages);
        let bodies: Vec<_> = messages.map(|message| message.body.as_str()).collect();
        assert_eq!(bodies, ["0", "1", "2", "3"], "{group}");
    }
    let (a, b) = (of_group("a")[0], of_group("b")[0]);
    assert!(
        a.started < b.ended && b.started < a.ended,
        "two groups are handled at a time"
    );
}

#[tokio::test]
async fn a_poller_in_the_background_works_until_it_is_stopped() {
    let (_folder, program) = stand_in();
    let account = Account::new();
    let function = Function::start(FunctionSpec::new(program, "background", &account));
    let (queue, source) =
        event_source(QueueSpec::standard("background"), &account, &function).await;
    let poller = source.start();
    account.send_message(&queue, "good").await;
    let deadline = Instant::now() + SOON;
    while poller.report().deleted() == 0 {
        assert!(Instant::now() < deadline, "the message is not handled");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(poller.stop().await.deleted(), 1);
    account.send_message(&queue, "good").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(account.queue_depth(&queue).await.visible, 1);
}

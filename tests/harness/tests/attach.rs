//! `trailwarden attach` as a process, against the emulator: what it writes, what it leaves, what it says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use harness::{Account, Fault, Matcher, MiniStack, Proxy, QueueSpec, REGION, Service, http};
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::{Value, json};
use tokio::process::Command;

const GET: &str = "GET ?notification";
const PUT: &str = "PUT ?notification";

/// What a run gave.
struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }

    fn all(&self) -> String {
        format!("{}\n{}\n{}", self.status, self.stdout, self.stderr)
    }

    #[track_caller]
    fn refuses(&self, said: &[&str]) {
        assert_eq!(self.status, 2, "{}", self.all());
        for said in said {
            assert!(
                self.stderr.contains(said),
                "expected `{said}` in {}",
                self.all()
            );
        }
    }
}

/// A bucket in an account of its own, behind a proxy.
struct Scene {
    account: Account,
    bucket: String,
    proxy: Proxy,
}

impl Scene {
    async fn new() -> Scene {
        let account = Account::new();
        // All accounts share the names of buckets.
        let bucket = format!("amzn-s3-demo-bucket-{}", account.id());
        account.create_bucket(&bucket).await;
        let proxy = Proxy::start(MiniStack::shared()).await;
        Scene {
            account,
            bucket,
            proxy,
        }
    }

    async fn attach(&self, arguments: &[&str]) -> Run {
        let arguments = [&["--bucket", self.bucket.as_str()], arguments].concat();
        self.run(&arguments, &[("AWS_REGION", REGION)]).await
    }

    /// Runs the command with these credentials and settings, and nothing else of this machine.
    async fn run(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Run {
        self.run_into(Stdio::piped(), arguments, settings).await
    }

    async fn run_into(&self, stdout: Stdio, arguments: &[&str], settings: &[(&str, &str)]) -> Run {
        let nobody = tempfile::tempdir().unwrap();
        let output = Command::new(trailwarden())
            .arg("attach")
            .args(arguments)
            .env_clear()
            .env("HOME", nobody.path())
            .env("AWS_ACCESS_KEY_ID", self.account.id())
            .env("AWS_SECRET_ACCESS_KEY", "none")
            .env("AWS_ENDPOINT_URL", self.proxy.url())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
            .wait_with_output()
            .await
            .unwrap();
        Run {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Past the proxy: the configuration as S3 has it.
    async fn stored(&self) -> String {
        self.notification(Method::GET, String::new()).await
    }

    /// Past the proxy: somebody else writes.
    async fn store(&self, parts: &str) {
        let xmlns = "http://s3.amazonaws.com/doc/2006-03-01/";
        let body = format!(
            "<NotificationConfiguration xmlns=\"{xmlns}\">{parts}</NotificationConfiguration>"
        );
        self.notification(Method::PUT, body).await;
    }

    async fn notification(&self, method: Method, body: String) -> String {
        let scope = format!("{}/20260101/{REGION}/s3/aws4_request", self.account.id());
        let request = Request::builder()
            .method(method)
            .uri(format!("/{}?notification", self.bucket))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .header("x-amz-skip-destination-validation", "true")
            .body(Full::new(body.into()))
            .unwrap();
        let answer = http::send(MiniStack::shared().address(), request)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(answer.status().is_success(), "{text}");
        text
    }

    fn puts(&self) -> usize {
        self.proxy.count(Service::S3, PUT)
    }
}

/// The command, built with the functions and as they are.
fn trailwarden() -> PathBuf {
    let _built = harness::binaries();
    let test = std::env::current_exe().unwrap();
    let command = test.parent().unwrap().with_file_name("trailwarden");
    assert!(command.is_file(), "expected `{}`", command.display());
    command
}

/// One of each kind, with all that they can say; none of them exists.
fn others(account: &Account) -> String {
    let id = account.id();
    format!(
        "<TopicConfiguration><Id>removed</Id><Topic>arn:aws:sns:{REGION}:{id}:gone</Topic>\
         <Event>s3:ObjectRemoved:Delete</Event><Event>s3:ObjectRemoved:DeleteMarkerCreated</Event></TopicConfiguration>\
         <QueueConfiguration><Id>log files</Id><Queue>arn:aws:sqs:{REGION}:{id}:gone</Queue><Event>s3:ObjectCreated:*</Event>\
         <Filter><S3Key><FilterRule><Name>prefix</Name><Value>AWSLogs/a&amp;b/</Value></FilterRule>\
         <FilterRule><Name>suffix</Name><Value>.json.gz</Value></FilterRule></S3Key></Filter></QueueConfiguration>\
         <CloudFunctionConfiguration><Id>f</Id><CloudFunction>arn:aws:lambda:{REGION}:{id}:function:gone</CloudFunction>\
         <Event>s3:ObjectCreated:Put</Event></CloudFunctionConfiguration>"
    )
}

/// What stands in a configuration beside EventBridge delivery.
fn without_event_bridge(xml: &str) -> String {
    xml.replace("<EventBridgeConfiguration />", "")
}

fn has_event_bridge(xml: &str) -> bool {
    xml.contains("<EventBridgeConfiguration")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_yes_the_change_is_shown_and_nothing_is_written() {
    let scene = Scene::new().await;
    scene.store(&others(&scene.account)).await;
    let before = scene.stored().await;
    let run = scene.attach(&[]).await;
    assert_eq!(run.status, 1, "{}", run.all());
    let (id, bucket) = (scene.account.id(), &scene.bucket);
    let expected = format!(
        "{bucket} in {REGION}\n    \
         topic arn:aws:sns:{REGION}:{id}:gone (removed)\n        s3:ObjectRemoved:Delete, s3:ObjectRemoved:DeleteMarkerCreated\n    \
         queue arn:aws:sqs:{REGION}:{id}:gone (log files)\n        s3:ObjectCreated:*, prefix `AWSLogs/a&b/`, suffix `.json.gz`\n    \
         function arn:aws:lambda:{REGION}:{id}:function:gone (f)\n        s3:ObjectCreated:Put\n  \
         + EventBridge delivery\nnothing was written; run again with --yes to write it\n"
    );
    assert_eq!(run.stdout, expected);
    assert_eq!(run.stderr, "");
    assert_eq!(scene.puts(), 0);
    assert_eq!(scene.stored().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_notifications_stay_though_their_destinations_are_gone() {
    let scene = Scene::new().await;
    scene.store(&others(&scene.account)).await;
    let before = scene.stored().await;
    let run = scene.attach(&["--yes"]).await;
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(
        run.stdout
            .ends_with("written: EventBridge delivery is on, the others were put as shown\n")
    );
    let after = scene.stored().await;
    assert!(has_event_bridge(&after), "{after}");
    assert_eq!(without_event_bridge(&after), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_test_event_reaches_the_other_destinations() {
    let scene = Scene::new().await;
    let queue = scene
        .account
        .create_queue(QueueSpec::standard("others"))
        .await;
    scene
        .account
        .put_bucket_notification(&scene.bucket, &queue)
        .await;
    scene.account.purge(&queue).await;
    assert_eq!(scene.attach(&["--yes"]).await.status, 0);
    assert!(has_event_bridge(&scene.stored().await));
    assert_eq!(scene.account.queue_depth(&queue).await.total(), 0);
    scene
        .account
        .put_object(&scene.bucket, "a", "content")
        .await;
    assert_eq!(scene.account.queue_depth(&queue).await.total(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn twice_is_once() {
    let scene = Scene::new().await;
    assert_eq!(scene.attach(&["--yes"]).await.status, 0);
    let (stored, bucket) = (scene.stored().await, &scene.bucket);
    for arguments in [&["--yes"][..], &[]] {
        let run = scene.attach(arguments).await;
        assert_eq!(run.status, 0, "{}", run.all());
        let expected = format!(
            "{bucket} in {REGION}\n    EventBridge delivery\nEventBridge delivery is on already; nothing was written\n"
        );
        assert_eq!(run.stdout, expected);
    }
    assert_eq!(scene.puts(), 1);
    assert_eq!(scene.stored().await, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_has_what_was_there_and_what_became_of_it() {
    let scene = Scene::new().await;
    let id = scene.account.id().to_owned();
    let parts = others(&scene.account);
    let queue = parts.find("<QueueConfiguration>").unwrap()..parts.find("<CloudFunction").unwrap();
    scene.store(&parts[queue]).await;
    let before = json!({ "QueueConfigurations": [{
        "Id": "log files",
        "QueueArn": format!("arn:aws:sqs:{REGION}:{id}:gone"),
        "Events": ["s3:ObjectCreated:*"],
        "Filter": { "Key": { "FilterRules": [
            { "Name": "prefix", "Value": "AWSLogs/a&b/" }, { "Name": "suffix", "Value": ".json.gz" },
        ] } },
    }] });
    let change = json!({ "EventBridgeConfiguration": {} });
    let document = |before: &Value, change: &Value, written: bool| json!({ "bucket": scene.bucket, "region": REGION, "before": before, "change": change, "written": written });
    let shown = scene.attach(&["--format", "json"]).await;
    assert_eq!(
        (shown.status, shown.json()),
        (1, document(&before, &change, false))
    );
    let written = scene.attach(&["--format", "json", "--yes"]).await;
    assert_eq!(
        (written.status, written.json()),
        (0, document(&before, &change, true))
    );
    let mut after = before;
    after["EventBridgeConfiguration"] = json!({});
    let again = scene.attach(&["--format", "json", "--yes"]).await;
    assert_eq!(
        (again.status, again.json()),
        (0, document(&after, &Value::Null, false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_between_showing_and_writing_stops_it() {
    let scene = Scene::new().await;
    scene.store(&others(&scene.account)).await;
    let second_read = Matcher::nth(Service::S3, GET, 1);
    scene
        .proxy
        .fault(second_read, Fault::Delay(Duration::from_secs(2)));
    let somebody_else = async {
        while scene.proxy.count(Service::S3, GET) < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let parts = others(&scene.account).replace("<Id>f</Id>", "<Id>g</Id>");
        scene.store(&parts).await;
    };
    let (run, ()) = tokio::join!(scene.attach(&["--yes"]), somebody_else);
    run.refuses(&[
        "  - function ",
        " (f)\n",
        "  + function ",
        " (g)\n",
        "have changed since they were shown; nothing was written",
    ]);
    assert!(!run.stderr.contains("queue"), "{}", run.all());
    assert_eq!(scene.puts(), 0);
    assert!(!has_event_bridge(&scene.stored().await));
}

/// S3 has no conditional write: nothing tells that this was there for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_between_the_last_read_and_the_put_is_lost_unseen() {
    let scene = Scene::new().await;
    scene.store(&others(&scene.account)).await;
    scene.proxy.fault(
        Matcher::operation(Service::S3, PUT),
        Fault::Delay(Duration::from_secs(2)),
    );
    let somebody_else = async {
        while scene.puts() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let parts = others(&scene.account).replace("<Id>f</Id>", "<Id>g</Id>");
        scene.store(&parts).await;
        scene.stored().await
    };
    let (run, theirs) = tokio::join!(scene.attach(&["--yes"]), somebody_else);
    assert!(theirs.contains("<Id>g</Id>"), "{theirs}");
    assert_eq!(run.status, 0, "{}", run.all());
    assert_eq!(run.stderr, "");
    let after = scene.stored().await;
    assert!(has_event_bridge(&after), "{after}");
    assert!(
        after.contains("<Id>f</Id>") && !after.contains("<Id>g</Id>"),
        "{after}"
    );
}

/// What the reads after the put are answered.
fn afterwards(scene: &Scene, body: String) {
    let afterwards = Matcher::when(|call| call.is(Service::S3, GET) && call.nth >= 2);
    scene
        .proxy
        .fault(afterwards, Fault::ReplaceResponse { status: 200, body });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_after_writing_is_told_and_no_way_back_destroys_it() {
    let before = |stored: &str| stored.replace("<Id>removed</Id>", "<Id>changed</Id>");
    let with_event_bridge = |stored: &str| {
        let end = "</NotificationConfiguration>";
        before(stored).replace(end, &format!("<EventBridgeConfiguration />{end}"))
    };
    for (theirs, lacks_event_bridge) in [
        (&before as &dyn Fn(&str) -> String, true),
        (&with_event_bridge, false),
    ] {
        let scene = Scene::new().await;
        scene.store(&others(&scene.account)).await;
        afterwards(&scene, theirs(&scene.stored().await));
        let run = scene.attach(&["--yes"]).await;
        run.refuses(&[
            " (removed)",
            " (changed)",
            "is not as it was written: somebody else wrote afterwards; run attach again",
        ]);
        assert_eq!(
            run.stderr.contains("  - EventBridge delivery"),
            lacks_event_bridge,
            "{}",
            run.all()
        );
        for way_back in [
            "this was there before",
            "put-bucket-notification-configuration",
        ] {
            assert!(!run.stderr.contains(way_back), "{}", run.all());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_after_writing_is_shown_beside_what_was_there() {
    let scene = Scene::new().await;
    let parts = others(&scene.account);
    scene.store(&parts).await;
    let (_, fewer) = parts.split_once("</TopicConfiguration>").unwrap();
    afterwards(
        &scene,
        format!(
            "<NotificationConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{fewer}\
             <EventBridgeConfiguration/></NotificationConfiguration>"
        ),
    );
    let run = scene.attach(&["--yes"]).await;
    run.refuses(&[
        " (removed)",
        "destinations are missing",
        "it replaces everything that is there by then",
        "--region us-east-1 --skip-destination-validation",
    ]);
    let document = |begin: &str, end: &str| -> Value {
        let (_, rest) = run.stderr.split_once(begin).unwrap();
        serde_json::from_str(rest.split_once(end).unwrap().0).unwrap()
    };
    let before = document("this was there before:\n", "\nthis is there now:");
    assert_eq!(before["TopicConfigurations"][0]["Id"], "removed");
    assert_eq!(
        before["QueueConfigurations"][0]["Filter"]["Key"]["FilterRules"][1]["Value"],
        ".json.gz"
    );
    assert_eq!(before.get("EventBridgeConfiguration"), None);
    let now = document("this is there now:\n", "\nto put back");
    assert_eq!(now.get("TopicConfigurations"), None);
    assert_eq!(now["EventBridgeConfiguration"], json!({}));
    assert_eq!(now["QueueConfigurations"], before["QueueConfigurations"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_looked_at_after_writing_has_a_way_back_with_a_warning() {
    let scene = Scene::new().await;
    let afterwards = Matcher::when(|call| call.is(Service::S3, GET) && call.nth >= 2);
    scene.proxy.fault(afterwards, Fault::AccessDenied);
    scene.attach(&["--yes"]).await.refuses(&[
        "this was there before:\n{}\nwhat is there now could not be read",
        "it replaces everything that is there by then",
        "was sent, and could not be looked at",
    ]);
    assert!(has_event_bridge(&scene.stored().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_may_show_the_configuration_from_before_for_a_while() {
    let scene = Scene::new().await;
    let body = scene.stored().await;
    let stale = |times| {
        let later = Matcher::when(|call| call.is(Service::S3, GET) && call.nth >= 2);
        (
            later.times(times),
            Fault::ReplaceResponse {
                status: 200,
                body: body.clone(),
            },
        )
    };
    let (later, fault) = stale(2);
    scene.proxy.fault(later, fault);
    let run = scene.attach(&["--yes"]).await;
    assert_eq!(run.status, 0, "{}", run.all());

    let scene = Scene::new().await;
    let (later, fault) = stale(usize::MAX);
    scene.proxy.fault(later, fault);
    scene.attach(&["--yes"]).await.refuses(&[
        "S3 accepted the change",
        "look again with: trailwarden attach",
    ]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_into() {
    let scene = Scene::new().await;
    scene.proxy.fault(
        Matcher::operation(Service::S3, PUT),
        Fault::DropConnectionAfter,
    );
    let run = scene.attach(&["--yes"]).await;
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(has_event_bridge(&scene.stored().await));
    assert_eq!(scene.puts(), 1);

    let scene = Scene::new().await;
    scene
        .proxy
        .fault(Matcher::operation(Service::S3, PUT), Fault::Status(500));
    scene
        .attach(&["--yes"])
        .await
        .refuses(&["S3 did not say whether it took the change", "InternalError"]);
    assert!(!has_event_bridge(&scene.stored().await));
    assert_eq!(scene.puts(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_permissions_are_named() {
    let scene = Scene::new().await;
    scene
        .proxy
        .fault(Matcher::operation(Service::S3, PUT), Fault::AccessDenied);
    scene.attach(&["--yes"]).await.refuses(&[
        "nothing was written",
        "expected the permission s3:PutBucketNotification; an explicit deny",
        "does this, too: a fault of the test harness\n",
    ]);
    assert!(!has_event_bridge(&scene.stored().await));
    scene.proxy.clear_faults();
    scene
        .proxy
        .fault(Matcher::operation(Service::S3, GET), Fault::AccessDenied);
    let run = scene
        .attach(&["--expected-bucket-owner", "111122223333"])
        .await;
    run.refuses(&[
        "expected the permission s3:GetBucketNotification",
        "--expected-bucket-owner",
    ]);
    assert_eq!(run.stdout, "");
    scene.proxy.clear_faults();
    let fault = Fault::Error {
        status: 400,
        code: "ExpiredToken",
    };
    scene
        .proxy
        .fault(Matcher::operation(Service::S3, GET), fault);
    scene
        .attach(&[])
        .await
        .refuses(&["does not accept these credentials (ExpiredToken)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_by_their_code_and_in_the_words_of_s3() {
    let scene = Scene::new().await;
    for (status, code, said) in [
        (403, "RequestTimeTooSkewed", "the clock of this machine"),
        (400, "InvalidToken", "does not accept these credentials"),
        (403, "AllAccessDisabled", "AWS has disabled all access"),
        (409, "OperationAborted", "another change of"),
        (400, "InvalidArgument", "refused"),
        (500, "InternalError", "S3 failed"),
    ] {
        let refusal = Fault::Error { status, code };
        scene
            .proxy
            .fault(Matcher::operation(Service::S3, PUT), refusal);
        let run = scene.attach(&["--yes"]).await;
        let code = format!("({code})");
        run.refuses(&[said, &code, ": a fault of the test harness\n"]);
        for other in ["Error {", "at each attempt"] {
            assert!(!run.stderr.contains(other), "{}", run.all());
        }
        scene.proxy.clear_faults();
    }
    assert!(!has_event_bridge(&scene.stored().await));
    let body = "<Error><Code>AccessDenied</Code><Message>with an explicit deny\u{9b}2J in a resource-based policy\
                </Message></Error>";
    let denied = Fault::Answer {
        status: 403,
        body: body.to_owned(),
    };
    scene
        .proxy
        .fault(Matcher::operation(Service::S3, GET), denied);
    scene
        .attach(&[])
        .await
        .refuses(&["with an explicit deny\u{fffd}2J in a resource-based policy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_was_written_is_told_though_standard_output_is_full() {
    let scene = Scene::new().await;
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let arguments = ["--bucket", &scene.bucket, "--yes", "--format", "json"];
    let run = scene
        .run_into(full.into(), &arguments, &[("AWS_REGION", REGION)])
        .await;
    run.refuses(&["the change was written: cannot write to standard output"]);
    assert!(has_event_bridge(&scene.stored().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_is_not_there_or_in_another_region_is_refused() {
    let scene = Scene::new().await;
    let region = [("AWS_DEFAULT_REGION", REGION)];
    let missing = scene
        .run(&["--bucket", "amzn-s3-demo-bucket2"], &region)
        .await;
    missing.refuses(&["there is no bucket `amzn-s3-demo-bucket2`"]);
    let redirect = |body: &str| Fault::Answer {
        status: 301,
        body: format!(
            "<Error><Code>PermanentRedirect</Code><Message>made up</Message>{body}</Error>"
        ),
    };
    let told = redirect("<Endpoint>amzn-s3-demo-bucket.s3.eu-west-1.amazonaws.com</Endpoint>");
    scene
        .proxy
        .fault(Matcher::operation(Service::S3, GET).times(1), told);
    scene
        .attach(&["--yes"])
        .await
        .refuses(&["is in eu-west-1, not in us-east-1", "--region eu-west-1"]);
    scene
        .proxy
        .fault(Matcher::operation(Service::S3, GET).times(1), redirect(""));
    scene
        .attach(&["--yes"])
        .await
        .refuses(&["is not in us-east-1", "get-bucket-location"]);
    assert_eq!(scene.puts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_on_this_side_is_said() {
    let scene = Scene::new().await;
    let url = format!("s3://{}", scene.bucket);
    let bucket = ["--bucket", url.as_str()];
    scene
        .run(&bucket, &[])
        .await
        .refuses(&["no AWS Region is set, expected --region"]);
    let empty = [("AWS_REGION", "")];
    scene
        .run(&bucket, &empty)
        .await
        .refuses(&["no AWS Region is set, expected --region"]);
    let malformed = [("AWS_REGION", "eu-west-1.example.com/")];
    scene.run(&bucket, &malformed).await.refuses(&[
        "the AWS Region of the environment or the profile is `eu-west-1.example.com/`, expected the name of a Region",
    ]);
    assert_eq!(scene.proxy.calls().len(), 0);
    let elsewhere = [&bucket[..], &["--region", "eu-west-1"]].concat();
    let elsewhere = scene.run(&elsewhere, &[("AWS_REGION", REGION)]).await;
    elsewhere.refuses(&["is in us-east-1, not in eu-west-1", "--region us-east-1"]);
    let given = [&bucket[..], &["--region", REGION]].concat();
    assert_eq!(scene.run(&given, &[]).await.status, 1);
    let region = ("AWS_REGION", REGION);
    let nobody = [
        region,
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
    ];
    scene.run(&bucket, &nobody).await.refuses(&[
        "no AWS credentials, expected some in the environment, in a profile, or of `aws sso login`",
    ]);
    let nowhere = [region, ("AWS_ENDPOINT_URL", "http://127.0.0.1:1")];
    scene
        .run(&bucket, &nowhere)
        .await
        .refuses(&["no answer from S3 in us-east-1"]);
    scene
        .proxy
        .fault(Matcher::operation(Service::S3, GET), Fault::Throttle);
    scene
        .attach(&[])
        .await
        .refuses(&["S3 asks to slow down (SlowDown)"]);
    let sent = scene.proxy.calls().len();
    for (name, said) in [
        ("arn:aws:s3:::amzn-s3-demo-bucket", "an ARN"),
        ("amzn-s3-demo-bucket/AWSLogs", "a path"),
    ] {
        scene
            .run(&["--bucket", name], &[region])
            .await
            .refuses(&[said]);
    }
    assert_eq!(scene.proxy.calls().len(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_gives_region_and_credentials() {
    let scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let profile = format!(
        "[profile trails]\nregion = {REGION}\naws_access_key_id = {}\naws_secret_access_key = none\n",
        scene.account.id()
    );
    std::fs::write(&file, profile).unwrap();
    let settings = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_CONFIG_FILE", file.to_str().unwrap()),
    ];
    let arguments = ["--bucket", &scene.bucket, "--profile", "trails", "--yes"];
    let run = scene.run(&arguments, &settings).await;
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(has_event_bridge(&scene.stored().await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_named_goes_before_credentials_in_the_environment() {
    let scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let profile = format!(
        "[profile trails]\nregion = {REGION}\naws_access_key_id = {}\naws_secret_access_key = none\n\
         aws_session_token = of-the-profile\n[profile empty]\nregion = {REGION}\n",
        scene.account.id()
    );
    std::fs::write(&file, profile).unwrap();
    let settings = [
        ("AWS_ACCESS_KEY_ID", "999999999999"),
        ("AWS_SECRET_ACCESS_KEY", "none"),
        ("AWS_SESSION_TOKEN", "of-the-environment"),
        ("AWS_CONFIG_FILE", file.to_str().unwrap()),
    ];
    let arguments = ["--bucket", &scene.bucket, "--profile", "trails", "--yes"];
    let run = scene.run(&arguments, &settings).await;
    assert_eq!(run.status, 0, "{}", run.all());
    assert!(has_event_bridge(&scene.stored().await));
    let calls = scene.proxy.calls();
    assert!(
        calls
            .iter()
            .all(|call| call.session_token == "of-the-profile"),
        "{calls:?}"
    );
    for profile in ["made-up-and-missing", "empty"] {
        let arguments = [
            "--bucket",
            &scene.bucket,
            "--profile",
            profile,
            "--region",
            REGION,
        ];
        let said = format!("no AWS credentials, expected some of the profile `{profile}`");
        scene.run(&arguments, &settings).await.refuses(&[&said]);
    }
    let nameless = ["--bucket", &scene.bucket, "--profile", ""];
    scene
        .run(&nameless, &settings)
        .await
        .refuses(&["--profile"]);
    assert_eq!(scene.proxy.calls().len(), calls.len());
}

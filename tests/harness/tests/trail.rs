//! `infra/trail.yaml`: what it says, and what an emulator makes of it in each variant.
//!
//! The emulator's CloudFormation knows no trails, so the stack is made without that one resource, whose
//! properties are looked at in the template itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail"
)]

use std::path::Path;
use std::process::Command;

use harness::{Account, CreatedStack, MiniStack, REGION, http};
use http_body_util::Full;
use hyper::{Method, Request};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

const ORGANIZATION: &str = "o-exampleorgid";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// As CloudFormation reads it, with intrinsic functions in their long form.
fn template() -> Value {
    let read = "import json, sys; from cfnlint.decode import cfn_yaml; print(json.dumps(cfn_yaml.load(sys.argv[1])))";
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/trail.yaml");
    let output = Command::new(MiniStack::shared().python())
        .args(["-c", read])
        .arg(place)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn without_trail() -> Value {
    let mut template = template();
    for (section, name) in [("Resources", "Trail"), ("Outputs", "TrailArn")] {
        let section = template[section].as_object_mut().unwrap();
        section.remove(name).expect("what is removed is there");
    }
    template
}

/// A stack in an account of its own.
struct Trail {
    account: Account,
    stack: CreatedStack,
    bucket: String,
}

impl Trail {
    async fn create(parameters: &[(&str, &str)]) -> Trail {
        let account = Account::new();
        let template = without_trail();
        // All accounts share the names of buckets.
        let bucket = format!("amzn-s3-demo-bucket-{}", account.id());
        let templates = format!("templates-{}", account.id());
        account.create_bucket(&templates).await;
        let body = template.to_string();
        account.put_object(&templates, "trail.json", body).await;
        let named = [("TrailBucketName", bucket.as_str())];
        let parameters = [&named[..], parameters].concat();
        let place = (templates.as_str(), "trail.json");
        let stack = account.create_stack("trail", place, &parameters).await;
        Trail {
            account,
            stack,
            bucket,
        }
    }

    async fn created(parameters: &[(&str, &str)]) -> Trail {
        let trail = Trail::create(parameters).await;
        let CreatedStack {
            status, failures, ..
        } = &trail.stack;
        assert_eq!(
            (status.as_str(), failures.len()),
            ("CREATE_COMPLETE", 0),
            "{failures:?}"
        );
        assert_eq!(trail.stack.output("TrailBucketName"), trail.bucket);
        trail
    }

    /// A part of the bucket's configuration; `None`: it has none.
    async fn bucket_part(&self, part: &str) -> Option<String> {
        let scope = format!("{}/20260101/{REGION}/s3/aws4_request", self.account.id());
        let request = Request::builder()
            .method(Method::GET)
            .uri(format!("/{}?{part}", self.bucket))
            .header(
                "authorization",
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
            .body(Full::default())
            .unwrap();
        let answer = http::send(MiniStack::shared().address(), request)
            .await
            .unwrap();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        match answer.status().as_u16() {
            200 => Some(text),
            404 => None,
            status => panic!("{part}: {status}: {text}"),
        }
    }

    async fn statements(&self) -> Vec<Value> {
        let policy: Value =
            serde_json::from_str(&self.bucket_part("policy").await.unwrap()).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    }

    /// What CloudTrail may write, as resources without the bucket, each for this trail alone.
    async fn writable(&self, trail_arn: &str) -> Vec<String> {
        let begin = format!("arn:aws:s3:::{}/", self.bucket);
        let is_put = |statement: &&Value| statement["Action"] == "s3:PutObject";
        let statements = self.statements().await;
        let puts = statements.iter().filter(is_put).map(|statement| {
            assert_eq!(statement["Effect"], "Allow");
            assert_eq!(
                statement["Principal"],
                json!({ "Service": "cloudtrail.amazonaws.com" })
            );
            let condition = json!({ "StringEquals": {
                "s3:x-amz-acl": "bucket-owner-full-control", "aws:SourceArn": trail_arn,
            } });
            assert_eq!(statement["Condition"], condition);
            statement["Resource"]
                .as_str()
                .unwrap()
                .strip_prefix(&begin)
                .unwrap()
                .to_owned()
        });
        puts.collect()
    }

    fn arn(&self, account: &str, name: &str) -> String {
        format!("arn:aws:cloudtrail:{REGION}:{account}:trail/{name}")
    }
}

/// Status and text of the first answer, with a fresh account.
async fn answer_to_create(parameters: &[(&str, &str)]) -> (u16, String) {
    let template = without_trail();
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut body = format!(
        "Action=CreateStack&Version=2010-05-15&StackName=trail&TemplateBody={}",
        encoded(&template.to_string())
    );
    for (index, (name, value)) in (1..).zip(parameters) {
        let member = format!("Parameters.member.{index}");
        body.push_str(&format!(
            "&{member}.ParameterKey={name}&{member}.ParameterValue={}",
            encoded(value)
        ));
    }
    let scope = format!(
        "{}/20260101/{REGION}/cloudformation/aws4_request",
        Account::new().id()
    );
    let request = Request::builder()
        .method(Method::POST)
        .uri("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
        .body(Full::new(body.into()))
        .unwrap();
    let answer = http::send(MiniStack::shared().address(), request)
        .await
        .unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    (answer.status().as_u16(), text)
}

#[test]
fn the_trail_misses_nothing_and_can_be_validated() {
    let template = template();
    let trail = &template["Resources"]["Trail"];
    assert_eq!(trail["DependsOn"], "TrailBucketPolicy");
    for property in [
        "IsLogging",
        "IsMultiRegionTrail",
        "IncludeGlobalServiceEvents",
        "EnableLogFileValidation",
    ] {
        assert_eq!(trail["Properties"][property], true, "{property}");
    }
    // Without selectors a trail has all management events, of reading and of writing.
    for property in ["EventSelectors", "AdvancedEventSelectors"] {
        assert_eq!(trail["Properties"].get(property), None);
    }
    let organization = json!({ "Fn::If": ["IsOrganizationTrail", true, false] });
    assert_eq!(trail["Properties"]["IsOrganizationTrail"], organization);
    assert_eq!(
        trail["Properties"]["S3BucketName"],
        json!({ "Ref": "TrailBucket" })
    );
}

#[test]
fn what_was_logged_outlives_the_stack() {
    let template = template();
    for resource in ["TrailBucket", "TrailBucketPolicy", "TrailKey"] {
        let resource = &template["Resources"][resource];
        assert_eq!(resource["DeletionPolicy"], "RetainExceptOnCreate");
        assert_eq!(resource["UpdateReplacePolicy"], "Retain");
    }
}

#[test]
fn each_parameter_says_what_it_takes() {
    let template = template();
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        let sentence = parameter["ConstraintDescription"].as_str().unwrap();
        assert!(
            sentence.starts_with(name.as_str()) && sentence.ends_with('.'),
            "{name}: {sentence}"
        );
        assert!(
            parameter["Description"].as_str().unwrap().ends_with('.'),
            "{name}"
        );
        assert!(parameter.get("Default").is_some(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_default_the_bucket_is_closed_versioned_and_announces_its_objects() {
    let trail = Trail::created(&[]).await;
    let id = trail.account.id();
    let arn = trail.arn(id, "trailwarden");
    assert_eq!(trail.writable(&arn).await, [format!("AWSLogs/{id}/*")]);
    let statements = trail.statements().await;
    assert_eq!(statements.len(), 3, "{statements:?}");
    let bucket_arn = format!("arn:aws:s3:::{}", trail.bucket);
    assert!(
        statements
            .iter()
            .any(|statement| statement["Action"] == "s3:GetBucketAcl"
                && statement["Resource"] == bucket_arn.as_str()
                && statement["Principal"] == json!({ "Service": "cloudtrail.amazonaws.com" })
                && statement["Condition"] == json!({ "StringEquals": { "aws:SourceArn": arn } }))
    );
    assert!(
        statements
            .iter()
            .any(|statement| statement["Effect"] == "Deny"
                && statement["Action"] == "s3:*"
                && statement["Principal"] == "*"
                && statement["Resource"] == json!([bucket_arn, format!("{bucket_arn}/*")])
                && statement["Condition"] == json!({ "Bool": { "aws:SecureTransport": "false" } }))
    );
    for (part, said) in [
        ("versioning", "<Status>Enabled</Status>"),
        ("notification", "<EventBridgeConfiguration"),
        ("ownershipControls", "BucketOwnerEnforced"),
        ("encryption", "AES256"),
    ] {
        let found = trail.bucket_part(part).await.unwrap_or_default();
        assert!(found.contains(said), "{part}: {found}");
    }
    let closed = trail.bucket_part("publicAccessBlock").await.unwrap();
    assert_eq!(closed.matches(">true<").count(), 4, "{closed}");
    assert_eq!(trail.stack.output("KeyPrefix"), "AWSLogs/");
    assert!(!trail.stack.outputs.contains_key("KmsKeyArn"));
    assert!(!trail.stack.resources.contains_key("TrailKey"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_trail_may_write_for_all_its_accounts() {
    let parameters = [
        ("OrganizationId", ORGANIZATION),
        ("KeyPrefix", "audit/logs"),
        ("TrailName", "all-accounts"),
    ];
    let trail = Trail::created(&parameters).await;
    let id = trail.account.id();
    let writable = trail.writable(&trail.arn(id, "all-accounts")).await;
    let expected = [
        format!("audit/logs/AWSLogs/{id}/*"),
        format!("audit/logs/AWSLogs/{ORGANIZATION}/*"),
    ];
    assert_eq!(writable, expected);
    assert_eq!(trail.stack.output("KeyPrefix"), "audit/logs/AWSLogs/");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_for_this_trail_and_read_by_leave_of_this_account() {
    let trail = Trail::created(&[("Encryption", "CreateKey")]).await;
    let (id, key) = (trail.account.id(), trail.stack.resource("TrailKey"));
    assert!(trail.stack.output("KmsKeyArn").ends_with(key));
    let asked = json!({ "KeyId": key, "PolicyName": "default" });
    let policy = trail
        .account
        .json("TrentService.GetKeyPolicy", &asked)
        .await;
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    let arn = trail.arn(id, "trailwarden");
    let cloudtrail = json!({ "Service": "cloudtrail.amazonaws.com" });
    let expected = json!([
        { "Sid": "PoliciesOfThisAccountDecide", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
          "Principal": { "AWS": format!("arn:aws:iam::{id}:root") } },
        { "Sid": "CloudTrailEncryptsLogFiles", "Effect": "Allow", "Action": "kms:GenerateDataKey*", "Resource": "*",
          "Principal": cloudtrail,
          "Condition": {
              "StringEquals": { "aws:SourceArn": arn },
              "StringLike": { "kms:EncryptionContext:aws:cloudtrail:arn": format!("arn:aws:cloudtrail:*:{id}:trail/*") },
          } },
        { "Sid": "CloudTrailLooksAtTheKey", "Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*",
          "Principal": cloudtrail, "Condition": { "StringEquals": { "aws:SourceArn": arn } } },
    ]);
    assert_eq!(policy["Statement"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_there_is_passed_on() {
    let trail = Trail::created(&[("Encryption", KEY)]).await;
    assert_eq!(trail.stack.output("KmsKeyArn"), KEY);
    assert!(!trail.stack.resources.contains_key("TrailKey"));
}

/// The emulator passes over both properties, so they are held against their text.
#[test]
fn log_files_expire_and_are_locked_only_if_told() {
    let template = template();
    let nothing = json!({ "Ref": "AWS::NoValue" });
    let only_if = |condition: &str, value: Value| json!({ "Fn::If": [condition, value, nothing] });
    let zero = |name: &str| json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": name }, "0"] }] });
    assert_eq!(template["Conditions"]["Expires"], zero("LogRetentionDays"));
    assert_eq!(template["Conditions"]["Locks"], zero("ObjectLockDays"));
    let bucket = &template["Resources"]["TrailBucket"]["Properties"];
    let rules = json!([
        { "Id": "abort-incomplete-uploads", "Status": "Enabled",
          "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 } },
        only_if("Expires", json!({
            "Id": "expire", "Status": "Enabled",
            "ExpirationInDays": { "Ref": "LogRetentionDays" },
            "NoncurrentVersionExpiration": { "NoncurrentDays": 90 },
        })),
        only_if("Expires", json!({
            "Id": "remove-what-is-left-of-expired", "Status": "Enabled", "ExpiredObjectDeleteMarker": true,
        })),
    ]);
    assert_eq!(bucket["LifecycleConfiguration"], json!({ "Rules": rules }));
    assert_eq!(bucket["ObjectLockEnabled"], only_if("Locks", json!(true)));
    let retention =
        json!({ "Mode": { "Ref": "ObjectLockMode" }, "Days": { "Ref": "ObjectLockDays" } });
    let lock = json!({ "ObjectLockEnabled": "Enabled", "Rule": { "DefaultRetention": retention } });
    assert_eq!(bucket["ObjectLockConfiguration"], only_if("Locks", lock));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_not_work_is_refused_before_anything_is_made() {
    // Each is refused by the template: by a pattern or a limit.
    assert_eq!(answer_to_create(&[("KeyPrefix", "logs/a")]).await.0, 200);
    for (name, value) in [
        ("KeyPrefix", "/logs"),
        ("KeyPrefix", "logs/"),
        ("KeyPrefix", "a//b"),
        ("KeyPrefix", "*"),
        ("TrailName", "a..b"),
        ("TrailName", "ab"),
        ("OrganizationId", "exampleorgid"),
        (
            "Encryption",
            "arn:aws:kms:us-east-1:111122223333:alias/trail",
        ),
        ("LogRetentionDays", "-1"),
        ("ObjectLockMode", "governance"),
    ] {
        let (status, said) = answer_to_create(&[(name, value)]).await;
        assert_eq!(status, 400, "{name} = {value}: {said}");
        assert!(said.contains(name), "{name} = {value}: {said}");
    }
}

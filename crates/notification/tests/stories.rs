//! Stories as they are read, and what holds for all of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail by panicking"
)]

use insta::assert_snapshot;
use notification::{
    EventKind, Evidence, EvidenceContext, Outcome, StorySubject, story, subject_line,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2 March 2026, 14:02 UTC.
const TIME: i64 = 1_772_460_120;

const SUBJECT: StorySubject<'_> = StorySubject {
    title: "Console sign-in failures",
    severity: "high",
    threshold: None,
};

/// The evidence of a record at `minutes` past 14:02. What the record does not say of region and
/// source is filled in.
fn event(minutes: i64, record: Value) -> Evidence {
    let mut full = json!({ "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7",
        "recipientAccountId": "111122223333" });
    for (name, value) in record.as_object().unwrap() {
        full[name] = value.clone();
    }
    let account = full["recipientAccountId"].as_str().unwrap();
    let context = EvidenceContext {
        time: TIME + 60 * minutes,
        account,
        location: "a.json.gz",
        ..EvidenceContext::default()
    };
    let text = full.to_string();
    Evidence::of(raw_json::Object::parse(text.as_bytes()).unwrap(), &context)
}

/// A call by IAM user alice.
fn call(minutes: i64, source: &str, name: &str, parameters: Value) -> Evidence {
    by(alice(), minutes, source, name, parameters)
}

fn by(identity: Value, minutes: i64, source: &str, name: &str, parameters: Value) -> Evidence {
    event(
        minutes,
        json!({ "eventSource": format!("{source}.amazonaws.com"), "eventName": name,
            "userIdentity": identity, "requestParameters": parameters }),
    )
}

fn failed(error_code: &str, mut event: Evidence) -> Evidence {
    event.error_code = Some(error_code.into());
    event.outcome = match error_code {
        "AccessDenied" => Outcome::Denied,
        _ => Outcome::Failed,
    };
    event
}

fn alice() -> Value {
    json!({ "type": "IAMUser", "userName": "alice", "accountId": "111122223333" })
}

fn user(name: &str) -> Value {
    json!({ "type": "IAMUser", "userName": name, "accountId": "111122223333" })
}

fn root() -> Value {
    json!({ "type": "Root", "accountId": "111122223333" })
}

fn role(role: &str, session: &str) -> Value {
    json!({ "type": "AssumedRole", "accountId": "111122223333",
        "arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/{session}") })
}

fn sign_in(minutes: i64, identity: Value, mfa: &str, result: &str) -> Evidence {
    let message = (result == "Failure").then_some("Failed authentication");
    event(
        minutes,
        json!({ "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin",
            "userIdentity": identity, "errorMessage": message,
            "responseElements": { "ConsoleLogin": result },
            "additionalEventData": { "MFAUsed": mfa } }),
    )
}

fn tell(events: &[Evidence]) -> String {
    let events: Vec<&Evidence> = events.iter().collect();
    story(&events, events.len(), &SUBJECT)
}

fn subject(events: &[Evidence], total: usize, subject: &StorySubject<'_>) -> String {
    let events: Vec<&Evidence> = events.iter().collect();
    subject_line(&events, total, subject)
}

#[test]
fn sign_in_failures() {
    let events: Vec<Evidence> = (0..5)
        .map(|minute| sign_in(minute, alice(), "No", "Failure"))
        .collect();
    assert_snapshot!(tell(&events), @"alice (IAM user, no MFA) failed to sign in to the console 5 times from 198.51.100.7 in account 111122223333 between 14:02 and 14:06 UTC on 2 March 2026.");
    assert_snapshot!(subject(&events, 5, &SUBJECT), @"[HIGH] Console sign-in failures: 5 by alice in 111122223333");
}

#[test]
fn sign_in_failures_with_a_name_that_does_not_exist() {
    let hidden = user("HIDDEN_DUE_TO_SECURITY_REASONS");
    assert_snapshot!(tell(&[sign_in(0, hidden, "No", "Failure")]), @"hidden user name (no such IAM user) failed to sign in to the console from 198.51.100.7 in account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn root_signs_in_without_mfa() {
    assert_snapshot!(tell(&[sign_in(0, root(), "No", "Success")]), @"root of account 111122223333 signed in to the console without MFA from 198.51.100.7 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[sign_in(0, root(), "Yes", "Success")]), @"root of account 111122223333 signed in to the console with MFA from 198.51.100.7 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn a_role_signs_in_and_its_mfa_is_not_known() {
    let session = role("AWSReservedSSO_Admin_0123456789abcdef", "alice");
    assert_snapshot!(tell(&[sign_in(0, session, "No", "Success")]), @"AWSReservedSSO_Admin_0123456789abcdef/alice signed in to the console from 198.51.100.7 in account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn a_trail_is_stopped() {
    let stop = |minutes, trail| {
        by(
            role("DeployRole", "ci-runner"),
            minutes,
            "cloudtrail",
            "StopLogging",
            json!({ "name": trail }),
        )
    };
    assert_snapshot!(tell(&[stop(0, "management-events")]), @"DeployRole/ci-runner stopped logging on trail management-events from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[stop(0, "a"), stop(3, "arn:aws:cloudtrail:us-east-1:111122223333:trail/b")]), @"DeployRole/ci-runner stopped logging on trails a and b from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:05 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[stop(0, "a"), stop(1, "a"), stop(2, "a")]), @"DeployRole/ci-runner stopped logging on trail a 3 times from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:04 UTC on 2 March 2026.");
}

#[test]
fn what_failed_was_not_done() {
    let stop = || call(0, "cloudtrail", "StopLogging", json!({ "name": "t" }));
    assert_snapshot!(tell(&[failed("TrailNotFoundException", stop())]), @"alice (IAM user) failed to stop logging on trail t (TrailNotFoundException) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[failed("AccessDenied", stop())]), @"alice (IAM user) was denied permission to stop logging on trail t from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[failed("AccessDenied", stop()), stop()]), @"alice (IAM user) stopped logging on trail t and was denied permission to stop logging on trail t from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn several_deeds_of_one_actor() {
    assert_snapshot!(tell(&[
        call(0, "cloudtrail", "StopLogging", json!({ "name": "t" })),
        call(1, "cloudtrail", "UpdateTrail", json!({ "name": "t" })),
        failed("AccessDenied", call(2, "cloudtrail", "DeleteTrail", json!({ "name": "t" }))),
    ]), @"alice (IAM user) stopped logging on trail t, changed trail t and was denied permission to delete trail t from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:04 UTC on 2 March 2026.");
}

#[test]
fn what_one_of_several_did_is_not_told_of_the_others() {
    let user =
        |name: &str| json!({ "type": "IAMUser", "userName": name, "accountId": "111122223333" });
    let stop = |name: &str, minutes| {
        by(
            user(name),
            minutes,
            "cloudtrail",
            "StopLogging",
            json!({ "name": "t" }),
        )
    };
    let create = |name: &str| {
        by(
            user(name),
            0,
            "cloudtrail",
            "CreateTrail",
            json!({ "name": "t" }),
        )
    };
    assert_snapshot!(tell(&[create("builder"), stop("thief", 3)]), @"builder (IAM user) created trail t; thief (IAM user) stopped logging on trail t; both from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:05 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[stop("a", 0), stop("b", 1)]), @"a and b stopped logging on trail t twice from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:03 UTC on 2 March 2026.");
    let attach = |name: &str, to: &str, policy: &str| {
        by(
            user(name),
            0,
            "iam",
            "AttachUserPolicy",
            json!({ "userName": to, "policyArn": format!("arn:aws:iam::aws:policy/{policy}") }),
        )
    };
    let events = [
        attach("dana", "erin", "ReadOnlyAccess"),
        attach("mallory", "mallory", "AdministratorAccess"),
    ];
    assert_snapshot!(tell(&events), @"dana (IAM user) attached policy ReadOnlyAccess to user erin; mallory (IAM user) attached policy AdministratorAccess to user mallory; both from 198.51.100.7 in account 111122223333 at 14:02 UTC on 2 March 2026.");
    let four = [create("a"), stop("b", 1), stop("c", 2), stop("d", 3)];
    assert_snapshot!(tell(&four), @"a (IAM user) created trail t; b, c and d stopped logging on trail t 3 times; all from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:05 UTC on 2 March 2026.");
}

#[test]
fn a_detail_stays_with_its_target_and_the_worst_comes_first() {
    let open = |group: &str, port: u32, from: &str| {
        call(
            0,
            "ec2",
            "AuthorizeSecurityGroupIngress",
            json!({ "groupId": group, "ipPermissions":
            { "items": [{ "ipProtocol": "tcp", "fromPort": port, "toPort": port,
                "ipRanges": { "items": [{ "cidrIp": from }] } }] } }),
        )
    };
    let prod = open("sg-prod", 443, "10.0.0.0/8");
    let test = open("sg-test", 22, "0.0.0.0/0");
    assert_snapshot!(tell(&[prod.clone(), test.clone()]), @"alice (IAM user) opened security group sg-test (TCP 22 from 0.0.0.0/0) and sg-prod (TCP 443 from 10.0.0.0/8) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    let many: Vec<Evidence> = (0..4)
        .map(|n| open(&format!("sg-{n}"), 443 + n, "10.0.0.0/8"))
        .chain([test])
        .collect();
    assert_snapshot!(tell(&many), @"alice (IAM user) opened security group sg-test (TCP 22 from 0.0.0.0/0), sg-0 (TCP 443 from 10.0.0.0/8) and 3 others from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn each_bucket_has_its_own_policy() {
    let policy = |bucket: &str, policy: Value| {
        call(
            0,
            "s3",
            "PutBucketPolicy",
            json!({ "bucketName": bucket, "bucketPolicy": policy }),
        )
    };
    let allowing = |principal: &str| json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": principal } }] });
    let one = policy("c", allowing("111122223333"));
    let all = policy("b", allowing("*"));
    let unreadable = policy("b", json!("{\"Statement\":["));
    assert_eq!(unreadable.detail, None);
    assert_snapshot!(tell(&[one.clone(), all.clone()]), @"alice (IAM user) changed the policy of bucket b (allowing everyone) and c (allowing account 111122223333) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[unreadable, all.clone()]), @"alice (IAM user) changed the policy of bucket b (allowing everyone) and the policy of bucket b from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    let others = (0..4).map(|n| policy(&format!("b{n}"), allowing("111122223333")));
    let many: Vec<Evidence> = others.chain([one, all]).collect();
    assert_snapshot!(tell(&many), @"alice (IAM user) changed the policy of bucket b (allowing everyone) and the policy of buckets b0, b1 and 3 others (allowing account 111122223333) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn addresses_are_those_of_each_actor() {
    let by_user = |name: &str, call: &str, address: &str| {
        let mut event = by(user(name), 0, "cloudtrail", call, json!({ "name": "t" }));
        event.source_ip = Some(address.into());
        event
    };
    let events = [
        by_user("builder", "CreateTrail", "192.0.2.1"),
        by_user("thief", "StopLogging", "203.0.113.7"),
        by_user("friend", "StopLogging", "203.0.113.7"),
    ];
    assert_snapshot!(tell(&events), @"builder (IAM user) created trail t from 192.0.2.1; friend and thief stopped logging on trail t twice from 203.0.113.7; all in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn many_calls_say_what_failed_and_what_matters_most() {
    let n_of = |n: usize, name: &str, failures: usize, trail: &str| {
        let event = |index| {
            let event = call(index as i64, "cloudtrail", name, json!({ "name": trail }));
            match index < failures {
                true => failed("TrailNotFoundException", event),
                false => event,
            }
        };
        (0..n).map(event).collect::<Vec<_>>()
    };
    let calls = [
        n_of(20, "DescribeTrails", 0, "t"),
        n_of(4, "StartLogging", 0, "t"),
        n_of(3, "DeleteTrail", 1, "spare"),
        n_of(3, "StopLogging", 3, "prod"),
        n_of(2, "CreateTrail", 2, "new"),
    ]
    .concat();
    assert_snapshot!(tell(&calls[20..]), @"alice (IAM user) made 12 calls (cloudtrail:StartLogging 4; cloudtrail:DeleteTrail 3, 1 failed; cloudtrail:StopLogging 3, all failed; cloudtrail:CreateTrail 2, all failed) from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:05 UTC on 2 March 2026, among them: deleted trail spare.");
    assert_snapshot!(tell(&calls), @"alice (IAM user) made 32 calls (cloudtrail:StartLogging 4; cloudtrail:DeleteTrail 3, 1 failed; cloudtrail:StopLogging 3, all failed; 22 others, 2 failed) from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:21 UTC on 2 March 2026, among them: deleted trail spare.");
    let harmless = [n_of(2, "GetTrail", 1, "t"), n_of(3, "StartLogging", 0, "t")].concat();
    assert_snapshot!(tell(&harmless), @"alice (IAM user) made 5 calls (cloudtrail:StartLogging 3; cloudtrail:GetTrail 2, 1 failed) from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:04 UTC on 2 March 2026.");
}

#[test]
fn of_many_calls_the_worst_is_told_with_its_actor() {
    let attach = |name: &str, to: &str, policy: &str| {
        by(
            user(name),
            0,
            "iam",
            "AttachUserPolicy",
            json!({ "userName": to, "policyArn": format!("arn:aws:iam::aws:policy/{policy}") }),
        )
    };
    let events = [
        attach("dana", "erin", "ReadOnlyAccess"),
        attach("dana", "bob", "ReadOnlyAccess"),
        attach("carol", "bob", "Billing"),
        attach("frank", "bob", "SecurityAudit"),
        attach("mallory", "mallory", "AdministratorAccess"),
    ];
    assert_snapshot!(tell(&events), @"dana (2 calls), carol (1) and 2 others made 5 calls of iam:AttachUserPolicy on users bob, erin and mallory from 198.51.100.7 in account 111122223333 at 14:02 UTC on 2 March 2026, among them: mallory attached policy AdministratorAccess to user mallory.");
    let undone: Vec<Evidence> = events
        .into_iter()
        .map(|mut event| {
            event.event_name = "DetachUserPolicy".into();
            event
        })
        .collect();
    assert!(!tell(&undone).contains("among them"), "{}", tell(&undone));
    let key = |owner: Value| by(root(), 0, "iam", "CreateAccessKey", owner);
    let others = ["ListUsers", "ListRoles", "CreateUser"];
    let others = others.map(|name| by(root(), 0, "iam", name, json!({ "userName": "x" })));
    let with = |key: Evidence| tell(&[others.as_slice(), &[key]].concat());
    assert_snapshot!(with(key(json!(null))), @"root of account 111122223333 made 4 calls (iam:CreateAccessKey 1, iam:CreateUser 1, iam:ListRoles 1, iam:ListUsers 1) from 198.51.100.7 at 14:02 UTC on 2 March 2026, among them: created an access key of its own.");
    assert!(!with(key(json!({ "userName": "x" }))).contains("among them"));
}

#[test]
fn people_are_named_before_sessions_of_programs() {
    let stop = |identity| {
        by(
            identity,
            0,
            "cloudtrail",
            "StopLogging",
            json!({ "name": "t" }),
        )
    };
    let session = |n: u32| stop(role("Deploy", &format!("aws-go-sdk-168899008252331000{n}")));
    let events = [
        session(1),
        session(1),
        session(2),
        stop(user("zoe")),
        stop(root()),
    ];
    assert_snapshot!(tell(&events), @"root of account 111122223333, zoe and 2 others stopped logging on trail t 5 times from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn a_condition_is_told_of_a_bucket_policy() {
    let policy = |statement: Value| {
        call(
            0,
            "s3",
            "PutBucketPolicy",
            json!({ "bucketName": "b", "bucketPolicy": { "Statement": [statement] } }),
        )
    };
    let conditional = policy(
        json!({ "Effect": "Allow", "Principal": "*", "Condition": { "IpAddress": { "aws:SourceIp": "10.0.0.0/8" } } }),
    );
    assert_eq!(
        conditional.detail.as_deref(),
        Some("everyone under a condition")
    );
    let all_but = policy(
        json!({ "Effect": "Allow", "NotPrincipal": { "AWS": "arn:aws:iam::111122223333:root" } }),
    );
    assert_eq!(
        all_but.detail.as_deref(),
        Some("everyone but account 111122223333")
    );
}

#[test]
fn a_secret_in_the_place_of_the_account_is_masked() {
    let record = json!({ "eventName": "StopLogging", "recipientAccountId": "ghp_0123456789abcdefghijABCDEFGHIJ" });
    assert!(!event(0, record).account.contains("0123456789"));
}

#[test]
fn policies_change() {
    assert_snapshot!(tell(&[call(0, "iam", "AttachUserPolicy", json!({ "userName": "bob",
        "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess" }))]), @"alice (IAM user) attached policy AdministratorAccess to user bob from 198.51.100.7 in account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[call(0, "iam", "PutRolePolicy", json!({ "roleName": "web", "policyName": "p",
        "policyDocument": r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"# }))]), @"alice (IAM user) put inline policy p (which allows everything) on role web from 198.51.100.7 in account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[
        call(0, "iam", "DetachRolePolicy", json!({ "roleName": "a", "policyArn": "arn:aws:iam::aws:policy/X" })),
        call(0, "iam", "DetachRolePolicy", json!({ "roleName": "b", "policyArn": "arn:aws:iam::aws:policy/Y" })),
    ]), @"alice (IAM user) detached policy X from role a and policy Y from role b from 198.51.100.7 in account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn security_groups_are_opened() {
    let open = |port: u32| {
        call(
            0,
            "ec2",
            "AuthorizeSecurityGroupIngress",
            json!({ "groupId": "sg-1", "ipPermissions":
            { "items": [{ "ipProtocol": "tcp", "fromPort": port, "toPort": port,
                "ipRanges": { "items": [{ "cidrIp": "0.0.0.0/0" }] } }] } }),
        )
    };
    assert_snapshot!(tell(&[open(22)]), @"alice (IAM user) opened security group sg-1 (TCP 22 from 0.0.0.0/0) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[open(22), open(3389)]), @"alice (IAM user) opened security group sg-1 (TCP 22 from 0.0.0.0/0 and TCP 3389 from 0.0.0.0/0) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn the_network_changes() {
    assert_snapshot!(tell(&[call(0, "ec2", "CreateNetworkAclEntry", json!({ "networkAclId": "acl-1", "ruleNumber": 500,
        "egress": false, "ruleAction": "allow", "portRange": {}, "aclProtocol": "-1", "cidrBlock": "0.0.0.0/0" }))]), @"alice (IAM user) added an entry to network ACL acl-1 (rule 500: allow all traffic from 0.0.0.0/0) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[
        call(0, "ec2", "AttachInternetGateway", json!({ "internetGatewayId": "igw-1", "vpcId": "vpc-1" })),
        call(1, "ec2", "CreateRoute", json!({ "routeTableId": "rtb-1", "destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1" })),
    ]), @"alice (IAM user) attached internet gateway igw-1 to VPC vpc-1 and added a route (0.0.0.0/0 by igw-1) to route table rtb-1 from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:03 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[call(0, "ec2", "DeleteVpc", json!({ "vpcId": "vpc-1" }))]), @"alice (IAM user) deleted VPC vpc-1 from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn a_bucket_is_opened() {
    assert_snapshot!(tell(&[call(0, "s3", "PutBucketPolicy", json!({ "bucketName": "logs", "bucketPolicy":
        { "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject" }] } }))]), @"alice (IAM user) changed the policy of bucket logs (allowing everyone) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn a_key_is_scheduled_for_deletion() {
    assert_snapshot!(tell(&[call(0, "kms", "ScheduleKeyDeletion",
        json!({ "keyId": "arn:aws:kms:us-east-1:111122223333:key/k-1", "pendingWindowInDays": 7 }))]), @"alice (IAM user) scheduled the deletion of key k-1 in 7 days from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn config_and_organization_change() {
    assert_snapshot!(tell(&[call(0, "config", "StopConfigurationRecorder",
        json!({ "configurationRecorderName": "default" }))]), @"alice (IAM user) stopped configuration recorder default from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[failed("AccessDenied", call(0, "organizations", "LeaveOrganization", json!(null)))]), @"alice (IAM user) was denied permission to leave the organization from 198.51.100.7 in account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn instances_are_launched_and_terminated() {
    let mut launch = json!({ "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "userIdentity": alice(),
        "requestParameters": { "instanceType": "p2.xlarge",
            "instancesSet": { "items": [{ "imageId": "ami-1", "minCount": 1, "maxCount": 10 }] } } });
    assert_snapshot!(tell(&[failed("Client.VcpuLimitExceeded", event(0, launch.clone()))]), @"alice (IAM user) failed to launch instances (10 x p2.xlarge from ami-1) (Client.VcpuLimitExceeded) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    let instances: Vec<Value> = (0..10)
        .map(|n| json!({ "instanceId": format!("i-{n}") }))
        .collect();
    launch["responseElements"] = json!({ "instancesSet": { "items": instances } });
    assert_snapshot!(tell(&[event(0, launch)]), @"alice (IAM user) launched instances i-0, i-1 and 8 others (10 x p2.xlarge from ami-1) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    let launches: Vec<Evidence> = (0..9)
        .map(|n| {
            let kind = if n < 6 { "p3.8xlarge" } else { "c5.8xlarge" };
            let record = json!({ "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances", "userIdentity": alice(),
                "requestParameters": { "instanceType": kind, "instancesSet": { "items": [{ "imageId": "ami-1", "maxCount": 2 }] } },
                "responseElements": { "instancesSet": { "items": [{ "instanceId": format!("i-{n}") }] } } });
            event(n, record)
        })
        .collect();
    assert_snapshot!(tell(&launches[..6]), @"alice (IAM user) launched instances i-0, i-1 and 4 others (6 x p3.8xlarge from ami-1) from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:07 UTC on 2 March 2026.");
    assert_snapshot!(tell(&launches), @"alice (IAM user) launched instances i-0, i-1 and 4 others (6 x p3.8xlarge from ami-1), and instances i-6, i-7 and i-8 (3 x c5.8xlarge from ami-1) from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:10 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[call(0, "ec2", "TerminateInstances",
        json!({ "instancesSet": { "items": [{ "instanceId": "i-1" }] } }))]), @"alice (IAM user) terminated instance i-1 from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn calls_without_a_phrase_are_named() {
    let read = |minutes, bucket| {
        call(
            minutes,
            "s3",
            "GetBucketAcl",
            json!({ "bucketName": bucket }),
        )
    };
    assert_snapshot!(tell(&[read(0, "a"), read(1, "b"), read(2, "b")]), @"alice (IAM user) called s3:GetBucketAcl on buckets b and a 3 times from 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:04 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[failed("ThrottlingException", read(0, "a"))]), @"alice (IAM user) called s3:GetBucketAcl on bucket a without success (ThrottlingException) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[failed("AccessDenied", read(0, "a")), read(0, "a")]), @"alice (IAM user) made 2 calls of s3:GetBucketAcl on bucket a (1 denied) from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[event(0, json!({}))]), @"unknown identity called something that is not named from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn many_denied_calls_of_several_names() {
    let denied = |n: i64| {
        let (source, name) = match n {
            0..21 => ("s3", "GetObject"),
            21..30 => ("iam", "ListUsers"),
            30..33 => ("ec2", "DescribeInstances"),
            33..35 => ("ec2", "DescribeVpcs"),
            _ => ("kms", "ListKeys"),
        };
        let mut event = failed("AccessDenied", by(user("bob"), n, source, name, json!({})));
        if n % 2 == 0 {
            event.source_ip = Some("203.0.113.9".into());
        }
        event
    };
    let events: Vec<Evidence> = (0..37).map(denied).collect();
    assert_snapshot!(tell(&events), @"bob (IAM user) was denied 37 calls (s3:GetObject 21, iam:ListUsers 9, ec2:DescribeInstances 3, 4 others) from 203.0.113.9 and 198.51.100.7 in us-east-1 of account 111122223333 between 14:02 and 14:38 UTC on 2 March 2026.");
    assert_snapshot!(subject(&events, 37, &SUBJECT), @"[HIGH] Console sign-in failures: 37 by bob in 111122223333");
}

#[test]
fn several_actors_accounts_and_regions() {
    let events: Vec<Evidence> = ["bob", "alice", "alice", "carol", "dave", "erin"]
        .iter()
        .enumerate()
        .map(|(n, name)| {
            let mut event = by(
                user(name),
                60 * 12 * n as i64,
                "kms",
                "DisableKey",
                json!({ "keyId": "k" }),
            );
            event.region = Some(format!("eu-west-{}", n % 2));
            event.source_ip = Some(format!("198.51.100.{n}"));
            event
        })
        .collect();
    assert_snapshot!(tell(&events), @"alice, bob and 3 others disabled key k 6 times from 6 addresses in eu-west-0 and eu-west-1 of account 111122223333 between 14:02 UTC on 2 March and 02:02 UTC on 5 March 2026.");
    assert_snapshot!(subject(&events, 6, &SUBJECT), @"[HIGH] Console sign-in failures: 6 by 5 identities in 111122223333");
    let mut two = events[..2].to_vec();
    two[0].account = "444455556666".into();
    assert_snapshot!(tell(&two), @"alice and bob disabled key k twice from 198.51.100.0 and 198.51.100.1 in eu-west-0 and eu-west-1 of accounts 111122223333 and 444455556666 between 14:02 UTC on 2 March and 02:02 UTC on 3 March 2026.");
    assert_snapshot!(subject(&two, 2, &SUBJECT), @"[HIGH] Console sign-in failures: 2 by 2 identities in 2 accounts");
    let denied: Vec<Evidence> = events
        .into_iter()
        .take(2)
        .map(|e| failed("AccessDenied", e))
        .collect();
    assert_snapshot!(tell(&denied), @"alice and bob were denied permission to disable key k twice from 198.51.100.0 and 198.51.100.1 in eu-west-0 and eu-west-1 of account 111122223333 between 14:02 UTC on 2 March and 02:02 UTC on 3 March 2026.");
}

#[test]
fn root_is_told_with_its_account_only_once() {
    assert_snapshot!(tell(&[
        by(root(), 0, "iam", "CreateAccessKey", json!(null)),
        by(root(), 0, "ec2", "DeleteVpc", json!({ "vpcId": "vpc-1" })),
    ]), @"root of account 111122223333 deleted VPC vpc-1 and created an access key from 198.51.100.7 in us-east-1 at 14:02 UTC on 2 March 2026.");
    let events = [by(root(), 0, "iam", "CreateAccessKey", json!(null))];
    assert_snapshot!(subject(&events, 1, &StorySubject { title: "Root activity", severity: "critical", threshold: None }), @"[CRITICAL] Root activity: 1 by root in 111122223333");
}

#[test]
fn services_act_for_somebody_or_themselves() {
    let identity = json!({ "type": "AssumedRole", "invokedBy": "cloudformation.amazonaws.com",
        "arn": "arn:aws:sts::111122223333:assumed-role/Stack/x" });
    let through = |identity: Value, source: &str| {
        event(
            0,
            json!({ "eventSource": "iam.amazonaws.com", "eventName": "DeleteUser", "sourceIPAddress": source,
            "userIdentity": identity, "requestParameters": { "userName": "bob" } }),
        )
    };
    assert_snapshot!(tell(&[through(identity, "cloudformation.amazonaws.com")]), @"Stack/x (through cloudformation.amazonaws.com) deleted user bob in account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[through(alice(), "AWS Internal")]), @"alice (IAM user) deleted user bob from inside AWS in account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[event(0, json!({ "eventType": "AwsServiceEvent", "eventSource": "kms.amazonaws.com",
        "eventName": "RotateKey", "sourceIPAddress": "AWS Internal", "userIdentity": { "invokedBy": "AWS Internal" },
        "resources": [{ "ARN": "arn:aws:kms:us-east-1:111122223333:key/k" }] }))]), @"AWS Internal (AWS service) reported kms:RotateKey on arn:aws:kms:us-east-1:111122223333:key/k in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn another_account_acts() {
    let identity = json!({ "type": "AssumedRole", "accountId": "444455556666",
        "arn": "arn:aws:sts::444455556666:assumed-role/Audit/eve" });
    assert_snapshot!(tell(&[by(identity, 0, "s3", "DeleteBucketPolicy", json!({ "bucketName": "b" }))]), @"Audit/eve (from account 444455556666) deleted the policy of bucket b from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
}

#[test]
fn insights_saw_something() {
    let insight = |minutes, kind: &str, name: &str, now: f64| {
        event(
            minutes,
            json!({ "eventType": "AwsCloudTrailInsight", "sourceIPAddress": null, "insightDetails": {
            "eventSource": "ec2.amazonaws.com", "eventName": name, "insightType": kind,
            "errorCode": (kind == "ApiErrorRateInsight").then_some("AccessDenied"),
            "insightContext": { "statistics": { "baseline": { "average": 1.7561507937 }, "insight": { "average": now } } } } }),
        )
    };
    let start = insight(0, "ApiCallRateInsight", "RunInstances", 50.1);
    let end = insight(8, "ApiCallRateInsight", "RunInstances", 50.0);
    assert_snapshot!(tell(std::slice::from_ref(&start)), @"CloudTrail Insights saw an unusual API call rate: ec2:RunInstances 50.1 a minute against a usual 1.8 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(tell(&[start, end, insight(9, "ApiErrorRateInsight", "DescribeVpcs", 3.0)]), @"CloudTrail Insights saw an unusual API call rate: ec2:RunInstances 50 a minute against a usual 1.8 and saw an unusual API error rate: ec2:DescribeVpcs AccessDenied 3 a minute against a usual 1.8 in us-east-1 of account 111122223333 between 14:02 and 14:11 UTC on 2 March 2026.");
}

#[test]
fn what_was_not_kept_is_counted_and_not_guessed() {
    let event = call(0, "kms", "DisableKey", json!({ "keyId": "k" }));
    let two = [&event, &event];
    assert_snapshot!(story(&two, 5000, &SUBJECT), @"5000 events; in the 2 kept, alice (IAM user) disabled key k twice from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(story(&two[..1], 2, &SUBJECT), @"2 events; in the one kept, alice (IAM user) disabled key k from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(story(&[], 0, &SUBJECT), @"Console sign-in failures: no events.");
    assert_snapshot!(story(&[], 7, &SUBJECT), @"Console sign-in failures: 7 events, none of which was kept.");
    assert_snapshot!(subject_line(&two, 5000, &SUBJECT), @"[HIGH] Console sign-in failures: 5000, some by alice in 111122223333");
}

#[test]
fn threshold_delivery_time_and_corrections_are_told() {
    let mut event = call(0, "kms", "DisableKey", json!({ "keyId": "k" }));
    event.time_from_key = true;
    event.correction = true;
    let subject = StorySubject {
        threshold: Some("1 or more in 5 minutes"),
        ..SUBJECT
    };
    assert_snapshot!(story(&[&event], 1, &subject), @"alice (IAM user) disabled key k from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026 (no readable time in the record), which corrects an earlier event (alarm at 1 or more in 5 minutes).");
}

#[test]
fn it_is_said_whose_times_are_not_known() {
    let mut events = [0, 1].map(|n| call(n, "kms", "DisableKey", json!({ "keyId": "k" })));
    events[0].time_from_key = true;
    assert!(tell(&events).contains("2026 (no readable time in some of the records)"));
    events[1].time_from_key = true;
    assert!(tell(&events).contains("2026 (no readable time in the records)"));
}

#[test]
fn hostile_names_stay_on_their_line() {
    let identity = user("alice\u{1b}[2J\r\nroot\u{202e}");
    let event = by(
        identity,
        0,
        "cloudtrail",
        "StopLogging",
        json!({ "name": "a\nb\u{2028}c" }),
    );
    assert_snapshot!(tell(std::slice::from_ref(&event)), @"alice�[2J  root� (IAM user) stopped logging on trail a b c from 198.51.100.7 in us-east-1 of account 111122223333 at 14:02 UTC on 2 March 2026.");
    assert_snapshot!(subject(&[event], 1, &SUBJECT), @"[HIGH] Console sign-in failures: 1 by alice?[2J  root? in 111122223333");
}

#[test]
fn a_subject_keeps_count_and_account_however_long_the_names_are() {
    let events = [by(
        role(
            "AWSReservedSSO_AdministratorAccess_0123456789abcdef",
            "alice@example.com",
        ),
        0,
        "kms",
        "DisableKey",
        json!({}),
    )];
    let title =
        "Changes to network access control lists in production accounts of the payment platform";
    let long = StorySubject {
        title,
        severity: "critical",
        threshold: None,
    };
    assert_snapshot!(subject(&events, 12, &SUBJECT), @"[HIGH] Console sign-in failures: 12, some by alice@example.com in 111122223333");
    assert_snapshot!(subject(&events, 12, &long), @"[CRITICAL] Changes to network access control list...: 12, some by alice@example.com in 111122223333");
    assert_snapshot!(subject(&[], 0, &StorySubject { title: "Żółw", ..SUBJECT }), @"[HIGH] ???w: 0");
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let name = prop_oneof![
        Just("StopLogging".to_string()),
        Just("AttachUserPolicy".to_string()),
        Just("ConsoleLogin".to_string()),
        "[A-Z][a-z]{1,8}",
        any::<String>(),
    ];
    let kind = prop_oneof![
        8 => Just(EventKind::Call),
        1 => Just(EventKind::Insight),
        1 => Just(EventKind::ServiceEvent),
        1 => Just(EventKind::Aggregated),
    ];
    let outcome = prop_oneof![
        Just(Outcome::Succeeded),
        Just(Outcome::Denied),
        Just(Outcome::Failed)
    ];
    let texts = prop::collection::vec(prop::option::of(any::<String>()), 6);
    let time = prop_oneof![TIME..TIME + 100_000, any::<i64>()];
    (
        name,
        "[ab]|.{0,9}",
        kind,
        outcome,
        texts,
        time,
        any::<[bool; 2]>(),
        "[12]{1}",
    )
        .prop_map(
            |(event_name, actor, kind, outcome, texts, time, flags, account)| {
                let text = |n: usize| texts[n].clone();
                Evidence {
                    time,
                    event_time: None,
                    event_id: None,
                    event_name,
                    event_source: text(0).unwrap_or_default(),
                    kind,
                    outcome,
                    actor_detail: actor.clone(),
                    actor,
                    actor_is_machine: flags[1],
                    mfa: Some(flags[0]),
                    source_ip: text(1),
                    user_agent: None,
                    account,
                    region: text(2),
                    error_code: text(3),
                    error_message: None,
                    target: text(4),
                    detail: text(5),
                    location: String::new(),
                    record_index: 0,
                    time_from_key: flags[1],
                    correction: flags[0],
                    actor_arn: None,
                    user_name: None,
                    finding: None,
                }
            },
        )
}

proptest! {
    #[test]
    fn every_story_is_one_bounded_line(events in prop::collection::vec(any_evidence(), 0..12), total in 0_usize..20, title in any::<String>()) {
        let events: Vec<&Evidence> = events.iter().collect();
        let subject = StorySubject { title: &title, severity: &title, threshold: Some(&title) };
        let told = story(&events, total, &subject);
        prop_assert!(!told.contains(char::is_control), "{told:?}");
        let moves_text = told.contains(['\u{2028}', '\u{2029}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}']);
        prop_assert!(!moves_text, "{told:?}");
        prop_assert!(told.chars().count() <= 1501 && told.ends_with('.'));
        let line = subject_line(&events, total, &subject);
        prop_assert!(line.len() <= 99 && line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line:?}");
        let count = total.max(events.len()).to_string();
        prop_assert!(line.contains(&format!(": {count}")), "{line:?}");
    }

    #[test]
    fn the_order_of_the_events_does_not_matter(events in prop::collection::vec(any_evidence(), 1..10), seed in any::<usize>()) {
        let mut events: Vec<&Evidence> = events.iter().collect();
        let told = story(&events, 9, &SUBJECT);
        let line = subject_line(&events, 9, &SUBJECT);
        events.reverse();
        let middle = seed % events.len();
        events.rotate_left(middle);
        prop_assert_eq!(story(&events, 9, &SUBJECT), told);
        prop_assert_eq!(subject_line(&events, 9, &SUBJECT), line);
    }

    #[test]
    fn any_record_has_a_story(name in any::<String>(), text in any::<String>(), number in any::<i64>()) {
        let record = json!({ "eventName": name, "eventSource": text, "userIdentity": { "type": name, "userName": text },
            "requestParameters": { "userName": text, "policyDocument": name, "n": number }, "errorCode": text });
        let event = event(0, record);
        prop_assert!(!tell(&[event]).contains(char::is_control));
    }
}

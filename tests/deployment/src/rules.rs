//! What holds of the template whatever it is about: encryption, policies, queues, alarms.
//!
//! A rule gives a line for each thing that breaks it. It sees the template with every option in use, and
//! what each rule promises stands above it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::evaluation::Evaluation;
use crate::grants::list;
use crate::source::Sources;
use crate::template::{kind_of, property};

/// A rule: what breaks it, a line each.
pub type Rule = fn(&Evaluation<'_>) -> Vec<String>;

/// All rules, by name.
pub const RULES: &[(&str, Rule)] = &[
    ("encryption", encryption),
    ("alarms", alarms),
    ("kinds", kinds),
    ("principals", principals),
    ("transport", transport),
    ("buckets", buckets),
    ("partition", partition),
    ("queues", queues),
    ("mappings", mappings),
    ("retention", retention),
    ("table", table),
    ("kept", kept),
    ("schedules", schedules),
];

/// What breaks any rule, with the rule's name.
pub fn broken(evaluation: &Evaluation<'_>) -> Vec<String> {
    let found = RULES.iter().flat_map(|(name, rule)| {
        let lines = rule(evaluation).into_iter();
        lines.map(move |line| format!("{name}: {line}"))
    });
    found.collect()
}

fn text<'r>(resource: &'r Value, name: &str) -> &'r str {
    property(resource, name)
        .and_then(Value::as_str)
        .unwrap_or("")
}

fn number(resource: &Value, name: &str) -> Option<i64> {
    let value = property(resource, name)?;
    // The value of a parameter is a text.
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

fn is_true(resource: &Value, name: &str) -> bool {
    property(resource, name) == Some(&Value::Bool(true))
}

/// A member of an object; null if there is none.
fn member<'v>(value: &'v Value, name: &str) -> &'v Value {
    value.get(name).unwrap_or(&Value::Null)
}

/// `Table` of `${Table}` and `${Table.Arn}`.
fn logical_id(reference: &str) -> Option<&str> {
    let name = reference.strip_prefix("${")?.strip_suffix('}')?;
    name.split('.').next()
}

/// The resource of the template that a text refers to.
fn referred(evaluation: &Evaluation<'_>, reference: &str) -> Option<Value> {
    evaluation.resource(logical_id(reference)?)
}

/// Types that store nothing, or that AWS encrypts in any case.
const NOTHING_TO_ENCRYPT: [&str; 13] = [
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
];

/// Queues are encrypted with their own keys or a key of the template, topics with a key of the template (CloudWatch
/// cannot publish to one on the AWS managed key), buckets by any rule, tables by a key that AWS owns or by
/// SSE. CloudWatch Logs encrypts log groups, and Lambda functions, in any case. Of a type that nobody has judged yet nothing
/// is known.
fn encryption(evaluation: &Evaluation<'_>) -> Vec<String> {
    let of_template = |resource: &Value| {
        let key = referred(evaluation, text(resource, "KmsMasterKeyId"));
        key.is_some_and(|key| kind_of(&key) == "AWS::KMS::Key")
    };
    let resources = evaluation.all_resources().into_iter();
    let open = resources.filter(|(_, resource)| match kind_of(resource) {
        "AWS::SQS::Queue" => !is_true(resource, "SqsManagedSseEnabled") && !of_template(resource),
        "AWS::SNS::Topic" => !of_template(resource),
        "AWS::S3::Bucket" => property(resource, "BucketEncryption").is_none(),
        "AWS::DynamoDB::Table" => property(resource, "SSESpecification")
            .is_some_and(|sse| sse.get("SSEEnabled") != Some(&Value::Bool(true))),
        "AWS::KMS::Key" => !is_true(resource, "EnableKeyRotation"),
        kind => !NOTHING_TO_ENCRYPT.contains(&kind),
    });
    open.map(|(name, resource)| {
        format!(
            "{name} ({}) is not encrypted as it should be",
            kind_of(&resource)
        )
    })
    .collect()
}

/// An alarm tells a topic of the template, says what missing data means, and describes itself within the 1,024
/// characters that CloudWatch has for it.
fn alarms(evaluation: &Evaluation<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, alarm) in evaluation.resources("AWS::CloudWatch::Alarm") {
        let actions = list(property(&alarm, "AlarmActions"));
        let is_topic = |action: &&Value| {
            let topic = referred(evaluation, action.as_str().unwrap_or(""));
            topic.is_some_and(|topic| kind_of(&topic) == "AWS::SNS::Topic")
        };
        if actions.is_empty() || !actions.iter().all(is_topic) {
            broken.push(format!("{name} tells no topic"));
        }
        if text(&alarm, "TreatMissingData").is_empty() {
            broken.push(format!("{name} does not say what missing data means"));
        }
        if !(1..1024).contains(&text(&alarm, "AlarmDescription").chars().count()) {
            broken.push(format!("{name} has no description, or too long a one"));
        }
    }
    broken
}

/// All that is made can be read in the template, and nothing in it runs with rights of its own.
fn kinds(evaluation: &Evaluation<'_>) -> Vec<String> {
    let resources = evaluation.template().section("Resources");
    let hidden = resources.filter(|(_, resource)| {
        let kind = kind_of(resource);
        let hides = ["AWS::CloudFormation::", "AWS::Serverless::", "Custom::"];
        hides.iter().any(|start| kind.starts_with(start))
    });
    hidden
        .map(|(name, resource)| format!("{name} is a {}", kind_of(resource)))
        .collect()
}

/// The statements of all policies, with the resource they are part of.
fn statements<'t>(evaluation: &Evaluation<'t>) -> Vec<(&'t str, Value)> {
    const DOCUMENTS: [&str; 3] = ["PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument"];
    let mut found = Vec::new();
    for (name, resource) in evaluation.all_resources() {
        for document in DOCUMENTS
            .iter()
            .filter_map(|name| property(&resource, name))
        {
            let statements = list(document.get("Statement")).into_iter();
            found.extend(statements.map(|statement| (name, statement.clone())));
        }
    }
    found
}

/// Nobody is allowed anything without being named; a service only for this account, or a resource that is named.
fn principals(evaluation: &Evaluation<'_>) -> Vec<String> {
    let allows = statements(evaluation).into_iter();
    let allows = allows.filter(|(_, statement)| *member(statement, "Effect") != "Deny");
    let mut broken = Vec::new();
    for (name, statement) in allows {
        let sid = member(&statement, "Sid");
        if statement.get("NotPrincipal").is_some() || has_star(member(&statement, "Principal")) {
            broken.push(format!("{name} allows everybody {sid}"));
        }
        let service = member(member(&statement, "Principal"), "Service");
        // Lambda assumes a role only for a function that was made with it, for which PassRole is needed.
        let needs_source = !service.is_null() && service != "lambda.amazonaws.com";
        let condition = member(&statement, "Condition").to_string();
        let has_source = ["aws:SourceAccount", "aws:SourceArn"];
        if needs_source && !has_source.iter().any(|key| condition.contains(key)) {
            broken.push(format!("{name} allows {service} for anybody"));
        }
    }
    broken
}

fn has_star(principal: &Value) -> bool {
    match principal {
        Value::String(text) => text == "*",
        Value::Array(elements) => elements.iter().any(has_star),
        Value::Object(members) => members.values().any(has_star),
        _ => false,
    }
}

/// Queues, topics and buckets with what is in them are not reached without TLS.
fn transport(evaluation: &Evaluation<'_>) -> Vec<String> {
    let statements = statements(evaluation);
    let mut broken = Vec::new();
    for (kind, actions, policies) in [
        ("AWS::SQS::Queue", &["sqs:*"][..], "Queues"),
        ("AWS::SNS::Topic", &["sns:Publish", "sns:*"][..], "Topics"),
        ("AWS::S3::Bucket", &["s3:*"][..], "Bucket"),
    ] {
        for (name, _) in evaluation.resources(kind) {
            let references = [format!("${{{name}}}"), format!("${{{name}.Arn}}")];
            let is_it = |value: &Value| references.iter().any(|reference| value == reference);
            let objects = format!("${{{name}.Arn}}/*");
            let has_objects = kind == "AWS::S3::Bucket";
            let denies = statements.iter().any(|(policy, statement)| {
                let policy = evaluation.resource(policy).unwrap_or_default();
                let is_of_it = list(property(&policy, policies)).into_iter().any(is_it);
                let without_tls = statement.pointer("/Condition/Bool/aws:SecureTransport");
                is_of_it
                    && *member(statement, "Effect") == "Deny"
                    && has_star(member(statement, "Principal"))
                    && list(statement.get("Resource")).into_iter().any(is_it)
                    && (!has_objects
                        || list(statement.get("Resource"))
                            .iter()
                            .any(|resource| **resource == objects))
                    && list(statement.get("Action"))
                        .iter()
                        .any(|action| actions.iter().any(|expected| action == expected))
                    && without_tls.is_some_and(|value| value == "false")
                    && member(statement, "Condition")
                        .as_object()
                        .map_or(0, |all| all.len())
                        == 1
            });
            if !denies {
                broken.push(format!("{name} can be reached without TLS"));
            }
        }
    }
    broken
}

/// Nobody else reads a bucket or writes to it, what is overwritten is kept for a while, and nothing is kept for ever.
fn buckets(evaluation: &Evaluation<'_>) -> Vec<String> {
    const BLOCKS: [&str; 4] = [
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    ];
    let mut broken = Vec::new();
    for (name, bucket) in evaluation.resources("AWS::S3::Bucket") {
        let block = property(&bucket, "PublicAccessBlockConfiguration").unwrap_or(&Value::Null);
        if !BLOCKS.iter().all(|way| *member(block, way) == true) {
            broken.push(format!("{name} can be made public"));
        }
        let owner = bucket.pointer("/Properties/OwnershipControls/Rules/0/ObjectOwnership");
        if owner.is_none_or(|owner| owner != "BucketOwnerEnforced") {
            broken.push(format!("{name} can have objects of somebody else"));
        }
        let versions = bucket.pointer("/Properties/VersioningConfiguration/Status");
        if versions.is_none_or(|status| status != "Enabled") {
            broken.push(format!("{name} keeps no versions"));
        }
        let rules = list(bucket.pointer("/Properties/LifecycleConfiguration/Rules"));
        let expires = |what: &str| {
            rules
                .iter()
                .any(|rule| *member(rule, "Status") == "Enabled" && rule.get(what).is_some())
        };
        if !expires("ExpirationInDays") || !expires("NoncurrentVersionExpiration") {
            broken.push(format!("{name} keeps objects for ever"));
        }
    }
    broken
}

/// ARNs are made for the partition of the stack.
fn partition(evaluation: &Evaluation<'_>) -> Vec<String> {
    let sections = ["Mappings", "Conditions", "Resources", "Outputs"].iter();
    let parts = sections.flat_map(|section| evaluation.template().section(section));
    let literal = parts.filter(|(_, value)| value.to_string().contains("arn:aws"));
    literal
        .map(|(name, _)| format!("{name} has an ARN of one partition"))
        .collect()
}

/// The queue of a function waits six times as long as the function may take; it has a dead-letter queue of its own
/// kind, which keeps messages as long as SQS can.
fn queues(evaluation: &Evaluation<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, mapping) in evaluation.resources("AWS::Lambda::EventSourceMapping") {
        let queue = referred(evaluation, text(&mapping, "EventSourceArn"));
        let function = referred(evaluation, text(&mapping, "FunctionName"));
        let (Some(queue), Some(function)) = (queue, function) else {
            broken.push(format!("{name} joins what is not in the template"));
            continue;
        };
        // Without a word of it: 30 and 3 seconds.
        let visibility = number(&queue, "VisibilityTimeout").unwrap_or(30);
        let time_out = number(&function, "Timeout").unwrap_or(3);
        if visibility < 6 * time_out {
            broken.push(format!(
                "{name}: {visibility} s are not six times {time_out} s"
            ));
        }
        let redrive = property(&queue, "RedrivePolicy");
        let dead_letters =
            redrive.and_then(|redrive| member(redrive, "deadLetterTargetArn").as_str());
        let dead_letters = dead_letters.and_then(|arn| referred(evaluation, arn));
        let Some(dead_letters) = dead_letters else {
            broken.push(format!("{name}: the queue has no dead-letter queue"));
            continue;
        };
        if is_true(&dead_letters, "FifoQueue") != is_true(&queue, "FifoQueue") {
            broken.push(format!("{name}: the dead-letter queue is of another kind"));
        }
        if number(&dead_letters, "MessageRetentionPeriod") != Some(14 * 86_400) {
            broken.push(format!("{name}: dead letters are not kept for 14 days"));
        }
        let count = redrive.map(|redrive| member(redrive, "maxReceiveCount"));
        let told = function.pointer("/Properties/Environment/Variables/MAX_RECEIVE_COUNT");
        if let Some(told) = told
            && told.as_str() != count.map(Value::to_string).as_deref()
        {
            broken.push(format!(
                "{name}: the function is told another maxReceiveCount"
            ));
        }
    }
    broken
}

/// A function answers for each message, as many at a time as the mapping says: reserved concurrency would throttle
/// messages into the dead-letter queue, and a new account has none to reserve. A FIFO queue has no batching window.
fn mappings(evaluation: &Evaluation<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, function) in evaluation.resources("AWS::Lambda::Function") {
        if property(&function, "ReservedConcurrentExecutions").is_some() {
            broken.push(format!("{name} has reserved concurrency"));
        }
    }
    for (name, mapping) in evaluation.resources("AWS::Lambda::EventSourceMapping") {
        let answers = list(property(&mapping, "FunctionResponseTypes"));
        if !answers
            .iter()
            .any(|answer| *answer == "ReportBatchItemFailures")
        {
            broken.push(format!("{name} does not report failures one by one"));
        }
        let scaling = property(&mapping, "ScalingConfig");
        if scaling.is_none_or(|scaling| scaling.get("MaximumConcurrency").is_none()) {
            broken.push(format!("{name} has no maximum concurrency"));
        }
        let queue = referred(evaluation, text(&mapping, "EventSourceArn"));
        let is_fifo = queue.is_some_and(|queue| is_true(&queue, "FifoQueue"));
        if is_fifo && property(&mapping, "MaximumBatchingWindowInSeconds").is_some() {
            broken.push(format!("{name} has a batching window on a FIFO queue"));
        }
    }
    broken
}

/// Every log group says for how long it keeps events; that of the evidence for 14 days at least, so long as alarms
/// have state, and its function knows for how long.
fn retention(evaluation: &Evaluation<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, group) in evaluation.resources("AWS::Logs::LogGroup") {
        if number(&group, "RetentionInDays").is_none() {
            broken.push(format!("{name} keeps events for ever"));
        }
    }
    let mut evidence = 0;
    for (name, function) in evaluation.resources("AWS::Lambda::Function") {
        let variables = function.pointer("/Properties/Environment/Variables");
        let variable = |name: &str| variables.and_then(|variables| variables.get(name)?.as_str());
        let Some(group) = variable("EVIDENCE_LOG_GROUP") else {
            continue;
        };
        evidence += 1;
        let group = referred(evaluation, group).unwrap_or_default();
        let days = number(&group, "RetentionInDays");
        let told = variable("EVIDENCE_RETENTION_DAYS").and_then(|days| days.parse().ok());
        if days != told || days < Some(14) {
            broken.push(format!(
                "{name} keeps evidence for {days:?} days and is told {told:?}"
            ));
        }
    }
    if evidence != 1 {
        broken.push(format!("{evidence} functions have an evidence log group"));
    }
    broken
}

/// The table has the keys, the index and the time to live that the client uses, and can be put back to any second.
fn table(evaluation: &Evaluation<'_>) -> Vec<String> {
    let constants = table_constants();
    let constant = |name: &str| constants.get(name).cloned().unwrap_or_default();
    let key = |name: &str, kind: &str| serde_json::json!({ "AttributeName": constant(name), "KeyType": kind });
    let attribute = |name: &str, kind: &str| serde_json::json!({ "AttributeName": constant(name), "AttributeType": kind });
    let expected = serde_json::json!({
        "KeySchema": [key("PARTITION_KEY", "HASH"), key("SORT_KEY", "RANGE")],
        "AttributeDefinitions": [
            attribute("PARTITION_KEY", "S"),
            attribute("SORT_KEY", "S"),
            attribute("DUE", "S"),
            attribute("DUE_AT", "N"),
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": constant("DUE_INDEX"),
            "KeySchema": [key("DUE", "HASH"), key("DUE_AT", "RANGE")],
            "Projection": { "ProjectionType": "KEYS_ONLY" },
        }],
        "TimeToLiveSpecification": { "AttributeName": constant("EXPIRES"), "Enabled": true },
        "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
        "BillingMode": "PAY_PER_REQUEST",
    });
    let mut broken = Vec::new();
    let tables = evaluation.resources("AWS::DynamoDB::Table");
    if tables.len() != 1 {
        broken.push(format!("{} tables", tables.len()));
    }
    for (name, table) in tables {
        for (member, expected) in expected.as_object().into_iter().flatten() {
            let found = property(&table, member);
            if found != Some(expected) {
                broken.push(format!("{name} has {member} {found:?}"));
            }
        }
    }
    broken
}

/// The names that the client has for what is in the table; read once.
fn table_constants() -> &'static BTreeMap<String, String> {
    static CONSTANTS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    CONSTANTS.get_or_init(|| {
        let files = Sources::new(crate::repository()).files("crates/aws-clients/src/lib.rs");
        let file = files.iter().find(|file| file.path.ends_with("table.rs"));
        file.map(|file| file.constants()).unwrap_or_default()
    })
}

/// What cannot be made again stays when the stack is removed: tables, buckets and evidence.
fn kept(evaluation: &Evaluation<'_>) -> Vec<String> {
    let functions = evaluation.resources("AWS::Lambda::Function").into_iter();
    let evidence: Vec<String> = functions
        .filter_map(|(_, function)| {
            let group = "/Properties/Environment/Variables/EVIDENCE_LOG_GROUP";
            Some(logical_id(function.pointer(group)?.as_str()?)?.to_owned())
        })
        .collect();
    let resources = evaluation.all_resources().into_iter();
    let has_state = resources.filter(|(name, resource)| match kind_of(resource) {
        "AWS::DynamoDB::Table" | "AWS::S3::Bucket" => true,
        "AWS::Logs::LogGroup" => evidence.iter().any(|group| group == name),
        _ => false,
    });
    let lost = has_state.filter(|(_, resource)| {
        let policy = |name: &str| resource.get(name).and_then(Value::as_str);
        // `RetainExceptOnCreate`: a stack that could not be made leaves nothing behind.
        let is_kept = matches!(
            policy("DeletionPolicy"),
            Some("Retain" | "RetainExceptOnCreate")
        );
        !is_kept || policy("UpdateReplacePolicy") != Some("Retain")
    });
    lost.map(|(name, _)| format!("{name} is lost with the stack"))
        .collect()
}

/// A function that a schedule invokes has ended before its next time comes, however late it was begun: what is too old is dropped,
/// by the schedule and by Lambda, and nothing is tried again after it ran.
fn schedules(evaluation: &Evaluation<'_>) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, schedule) in evaluation.resources("AWS::Scheduler::Schedule") {
        let target = property(&schedule, "Target").unwrap_or(&Value::Null);
        let arn = member(target, "Arn").as_str().unwrap_or("");
        let (Some(function), Some(id)) = (referred(evaluation, arn), logical_id(arn)) else {
            broken.push(format!("{name} invokes what is not in the template"));
            continue;
        };
        let asynchronous = evaluation.resources("AWS::Lambda::EventInvokeConfig");
        let asynchronous = asynchronous
            .into_iter()
            .find(|(_, config)| logical_id(text(config, "FunctionName")) == Some(id));
        let Some((_, asynchronous)) = asynchronous else {
            broken.push(format!("{name}: Lambda tries failed invocations again"));
            continue;
        };
        if number(&asynchronous, "MaximumRetryAttempts") != Some(0) {
            broken.push(format!("{name}: Lambda tries failed invocations again"));
        }
        // Without a word of it: a day, and six hours.
        let by_schedule = target.pointer("/RetryPolicy/MaximumEventAgeInSeconds");
        let latest = by_schedule.and_then(Value::as_i64).unwrap_or(86_400)
            + number(&asynchronous, "MaximumEventAgeInSeconds").unwrap_or(21_600)
            + number(&function, "Timeout").unwrap_or(3);
        match seconds_of_rate(text(&schedule, "ScheduleExpression")) {
            Some(rate) if latest < rate => {}
            rate => broken.push(format!(
                "{name} comes every {rate:?} s, its function may end after {latest} s"
            )),
        }
    }
    broken
}

/// The seconds of `rate(5 minutes)`.
fn seconds_of_rate(expression: &str) -> Option<i64> {
    let rate = expression.strip_prefix("rate(")?.strip_suffix(')')?;
    let (count, unit) = rate.split_once(' ')?;
    let seconds = match unit.trim_end_matches('s') {
        "minute" => 60,
        "hour" => 3_600,
        _ => return None,
    };
    Some(count.parse::<i64>().ok()? * seconds)
}

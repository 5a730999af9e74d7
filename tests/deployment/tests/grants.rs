//! Each role may do what its function does, on what it does it to, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::collections::BTreeSet;

use deployment::evaluation::Evaluation;
use deployment::grants::{differences, granted, needed, operations, own_operations};
use deployment::repository;
use deployment::source::Sources;
use deployment::template::Template;
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Every option that a grant depends on.
const EVERYTHING: [(&str, &str); 4] = [
    ("ChatTopic", "true"),
    (
        "FiltersObject",
        "s3://amzn-s3-demo-bucket/trailwarden/filters.yaml",
    ),
    ("TrailKmsKeyArn", KEY),
    ("KeyPrefix", "logs/"),
];

/// An option that takes something away.
const WITHOUT_VALIDATION: (&str, &str) = ("LogFileValidation", "false");

const ROLE: &str = "/Resources/LogProcessorRole/Properties";
const STATEMENTS: &str =
    "/Resources/LogProcessorRole/Properties/Policies/0/PolicyDocument/Statement";

fn sources() -> Sources {
    Sources::new(repository())
}

fn everything(template: &Template) -> Evaluation<'_> {
    template.with_parameters(EVERYTHING)
}

/// What is said of the template if it is changed.
fn said_of(pointer: &str, value: Option<Value>) -> Vec<String> {
    let template = Template::translated().with(pointer, value);
    differences(&sources(), &everything(&template)).unwrap()
}

/// What is said if the source is changed.
fn said_of_source(path: &str, from: &str, to: &str) -> Result<Vec<String>, String> {
    let template = Template::translated();
    differences(&sources().with(path, from, to), &everything(template))
}

/// The index of a statement of the log processor's role.
fn statement(sid: &str) -> String {
    let statements = Template::translated().json().pointer(STATEMENTS).unwrap();
    let statements = statements.as_array().unwrap();
    let index = statements.iter().position(|found| found["Sid"] == sid);
    format!("{STATEMENTS}/{}", index.unwrap())
}

#[test]
fn what_is_granted_is_what_is_needed_with_every_combination_of_options() {
    let all = [&EVERYTHING[..], &[WITHOUT_VALIDATION]].concat();
    for used in 0..1 << all.len() {
        let options = all.iter().enumerate();
        let options = options.filter(|(index, _)| used >> index & 1 == 1);
        let options: Vec<_> = options.map(|(_, option)| *option).collect();
        let evaluation = Template::translated().with_parameters(options.clone());
        let found = differences(&sources(), &evaluation).unwrap();
        assert_eq!(found, Vec::<String>::new(), "with {options:?}");
    }
}

#[test]
fn the_grants_are_those_one_would_expect() {
    let found = needed(&sources(), &everything(Template::translated())).unwrap();
    let of = |role: &str| -> Vec<String> {
        let grants = found.iter().filter(|grant| grant.role == role);
        grants
            .map(|grant| format!("{} {}", grant.action, grant.resource))
            .collect()
    };
    let expected = [
        "dynamodb:GetItem ${Table.Arn}",
        "dynamodb:PutItem ${Table.Arn}",
        "dynamodb:Query ${Table.Arn}",
        "dynamodb:Query ${Table.Arn}/index/due",
        "kms:Decrypt ${TopicKey.Arn}",
        "kms:GenerateDataKey ${TopicKey.Arn}",
        "logs:CreateLogStream ${AlarmNotifierLogGroup.Arn}",
        "logs:PutLogEvents ${AlarmNotifierLogGroup.Arn}",
        "sns:Publish ${AlarmTopic}",
        "sns:Publish ${ChatAlarmTopic}",
        "sqs:DeleteMessage ${MatchQueue.Arn}",
        "sqs:GetQueueAttributes ${MatchQueue.Arn}",
        "sqs:ReceiveMessage ${MatchQueue.Arn}",
        "sqs:SendMessage ${MatchDeadLetterQueue.Arn}",
        "sqs:SendMessage ${MatchQueue.Arn}",
    ];
    assert_eq!(of("AlarmNotifierRole"), expected);
    let expected = [
        "cloudtrail:DescribeTrails *",
        "cloudtrail:GetTrailStatus arn:aws:cloudtrail:*:*:trail/*",
        "cloudtrail:ListPublicKeys *",
        "dynamodb:GetItem ${Table.Arn}",
        "dynamodb:PutItem ${Table.Arn}",
        "dynamodb:Query ${Table.Arn}",
        &format!("kms:Decrypt {KEY}"),
        "logs:CreateLogStream ${DigestValidatorLogGroup.Arn}",
        "logs:PutLogEvents ${DigestValidatorLogGroup.Arn}",
        "s3:GetObject arn:aws:s3:::amzn-s3-demo-bucket/logs/*",
        "s3:ListBucket arn:aws:s3:::amzn-s3-demo-bucket",
        "s3:ListBucketVersions arn:aws:s3:::amzn-s3-demo-bucket",
        "s3:PutObject ${ReportBucket.Arn}/integrity/*",
        "sqs:SendMessage ${LogFileQueue.Arn}",
        "sqs:SendMessage ${MatchQueue.Arn}",
    ];
    assert_eq!(of("DigestValidatorRole"), expected);
}

#[test]
fn the_operations_are_told_by_service_and_name() {
    let found = own_operations().unwrap();
    let found: Vec<String> = found
        .iter()
        .map(|(role, service, name)| format!("{role} {service} {name}"))
        .collect();
    let expected = [
        "AlarmNotifierRole dynamodb GetItem",
        "AlarmNotifierRole dynamodb PutItem",
        "AlarmNotifierRole dynamodb Query",
        "AlarmNotifierRole kms Decrypt",
        "AlarmNotifierRole kms GenerateDataKey",
        "AlarmNotifierRole logs CreateLogStream",
        "AlarmNotifierRole logs PutLogEvents",
        "AlarmNotifierRole sns Publish",
        "AlarmNotifierRole sqs DeleteMessage",
        "AlarmNotifierRole sqs DeleteMessageBatch",
        "AlarmNotifierRole sqs GetQueueAttributes",
        "AlarmNotifierRole sqs ReceiveMessage",
        "AlarmNotifierRole sqs SendMessageBatch",
        "DigestValidatorRole cloudtrail DescribeTrails",
        "DigestValidatorRole cloudtrail GetTrailStatus",
        "DigestValidatorRole cloudtrail ListPublicKeys",
        "DigestValidatorRole dynamodb GetItem",
        "DigestValidatorRole dynamodb PutItem",
        "DigestValidatorRole dynamodb Query",
        "DigestValidatorRole kms Decrypt",
        "DigestValidatorRole logs CreateLogStream",
        "DigestValidatorRole logs PutLogEvents",
        "DigestValidatorRole s3 GetObject",
        "DigestValidatorRole s3 ListObjectVersions",
        "DigestValidatorRole s3 ListObjects",
        "DigestValidatorRole s3 PutObject",
        "DigestValidatorRole sqs SendMessageBatch",
        "LogProcessorRole dynamodb GetItem",
        "LogProcessorRole dynamodb PutItem",
        "LogProcessorRole kms Decrypt",
        "LogProcessorRole logs CreateLogStream",
        "LogProcessorRole logs PutLogEvents",
        "LogProcessorRole s3 GetObject",
        "LogProcessorRole sqs DeleteMessage",
        "LogProcessorRole sqs DeleteMessageBatch",
        "LogProcessorRole sqs GetQueueAttributes",
        "LogProcessorRole sqs ReceiveMessage",
        "LogProcessorRole sqs SendMessageBatch",
        "TickScheduleRole lambda Invoke",
        "ValidationScheduleRole lambda Invoke",
    ];
    assert_eq!(found, expected);
    // Without a key of the trail's nothing is decrypted for those who read from its bucket; all else is the same.
    let mut plain = operations(&sources(), &Template::translated().with_parameters([])).unwrap();
    for role in ["LogProcessorRole", "DigestValidatorRole"] {
        plain.insert((role.into(), "kms".into(), "Decrypt".into()));
    }
    assert_eq!(own_operations().unwrap(), plain);
}

#[test]
fn no_grant_is_without_limits() {
    for everywhere in [
        ("Action", json!("s3:*")),
        ("Action", json!(["s3:GetObject", "s3:Get*"])),
        ("Resource", json!("*")),
    ] {
        let (member, value) = everywhere;
        let pointer = format!("{}/{member}", statement("ReadLogFiles"));
        let template = Template::translated().with(&pointer, Some(value));
        let error = granted(&everything(&template)).unwrap_err();
        assert!(error.contains("a grant of everything"), "{error}");
    }
}

#[test]
fn only_what_knows_no_resources_is_granted_on_everything() {
    let role = "/Resources/DigestValidatorRole/Properties/Policies/0/PolicyDocument/Statement";
    let statements = Template::translated().json().pointer(role).unwrap();
    let mut statements = statements.as_array().unwrap().iter();
    let index = statements.position(|found| found["Sid"] == "KnowTrailsAndPublicKeys");
    let pointer = format!("{role}/{}/Action", index.unwrap());
    let more = json!(["cloudtrail:ListPublicKeys", "cloudtrail:GetTrailStatus"]);
    let template = Template::translated().with(&pointer, Some(more));
    let error = granted(&everything(&template)).unwrap_err();
    assert!(error.contains("a grant of everything"), "{error}");
}

#[test]
fn a_grant_in_another_form_is_not_overlooked() {
    let of = |pointer: &str, value: Value| {
        let template = Template::translated().with(pointer, Some(value));
        granted(&everything(&template)).unwrap_err()
    };
    let read = statement("ReadLogFiles");
    let error = of(&format!("{read}/NotAction"), json!("iam:*"));
    assert!(error.contains("unexpected NotAction"), "{error}");
    let error = of(&format!("{read}/Effect"), json!("Deny"));
    assert!(error.contains("unexpected Effect"), "{error}");
    let managed = json!(["arn:aws:iam::aws:policy/AmazonS3FullAccess"]);
    let error = of(&format!("{ROLE}/ManagedPolicyArns"), managed);
    assert!(error.contains("managed policies"), "{error}");
    let policy = json!({ "Type": "AWS::IAM::Policy", "Properties": {} });
    let error = of("/Resources/More", policy);
    assert!(error.contains("found More"), "{error}");
}

#[test]
fn a_missing_grant_is_found() {
    let said = said_of(&statement("SendMatches"), None);
    let expected = "missing: LogProcessorRole sqs:SendMessage on ${MatchQueue.Arn}";
    assert_eq!(said, [expected]);
    let action = format!("{}/Action", statement("ReadLogFiles"));
    let said = said_of(&action, Some(json!("s3:GetObject")));
    let expected =
        "missing: LogProcessorRole s3:GetObjectVersion on arn:aws:s3:::amzn-s3-demo-bucket/logs/*";
    assert_eq!(said, [expected]);
}

#[test]
fn an_unused_grant_is_found() {
    let more = json!({ "Effect": "Allow", "Action": "dynamodb:DeleteItem", "Resource": { "Fn::GetAtt": ["Table", "Arn"] } });
    let said = said_of(&format!("{STATEMENTS}/-"), Some(more));
    let expected = "unused: LogProcessorRole dynamodb:DeleteItem on ${Table.Arn}";
    assert_eq!(said, [expected]);
}

#[test]
fn a_grant_on_another_resource_is_found() {
    let pointer = format!("{}/Resource", statement("SendMatches"));
    let said = said_of(
        &pointer,
        Some(json!({ "Fn::GetAtt": ["LogFileQueue", "Arn"] })),
    );
    let expected = [
        "missing: LogProcessorRole sqs:SendMessage on ${MatchQueue.Arn}",
        "unused: LogProcessorRole sqs:SendMessage on ${LogFileQueue.Arn}",
    ];
    assert_eq!(said, expected);
}

#[test]
fn an_option_that_is_not_used_is_not_granted() {
    let always = json!({ "Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY });
    let template = Template::translated().with(&statement_if("DecryptLogFiles"), Some(always));
    let evaluation = template.with_parameters([]);
    let said = differences(&sources(), &evaluation).unwrap();
    assert_eq!(
        said,
        [format!("unused: LogProcessorRole kms:Decrypt on {KEY}")]
    );
}

/// The place of a statement that stands under a condition.
fn statement_if(sid: &str) -> String {
    let statements = Template::translated().json().pointer(STATEMENTS).unwrap();
    let mut statements = statements.as_array().unwrap().iter();
    let index = statements.position(|found| found["Fn::If"][1]["Sid"] == sid);
    format!("{STATEMENTS}/{}", index.unwrap())
}

#[test]
fn a_queue_with_a_key_needs_grants_on_it() {
    let key = json!({ "Fn::GetAtt": ["TopicKey", "Arn"] });
    let pointer = "/Resources/MatchQueue/Properties/KmsMasterKeyId";
    let said = said_of(pointer, Some(key));
    let expected = [
        "missing: DigestValidatorRole kms:Decrypt on ${TopicKey.Arn}",
        "missing: DigestValidatorRole kms:GenerateDataKey on ${TopicKey.Arn}",
        "missing: LogProcessorRole kms:Decrypt on ${TopicKey.Arn}",
        "missing: LogProcessorRole kms:GenerateDataKey on ${TopicKey.Arn}",
    ];
    assert_eq!(said, expected);
}

const ITEMS: &str = "crates/aws-clients/src/items.rs";

#[test]
fn a_new_request_without_a_rule_is_found() {
    let request = "self.client.delete_item().send().await; let request = self";
    let error = said_of_source(ITEMS, "let request = self", request).unwrap_err();
    assert_eq!(
        error,
        "no rule says which actions dynamodb DeleteItem takes"
    );
}

#[test]
fn a_new_request_without_a_grant_is_found() {
    // In a function that the port's method calls.
    let said = said_of_source(
        "crates/aws-clients/src/queue.rs",
        "let request = self",
        "self.client.get_queue_attributes().send().await; let request = self",
    );
    let expected = [
        "missing: AlarmNotifierRole sqs:GetQueueAttributes on ${MatchDeadLetterQueue.Arn}",
        "missing: DigestValidatorRole sqs:GetQueueAttributes on ${LogFileQueue.Arn}",
        "missing: DigestValidatorRole sqs:GetQueueAttributes on ${MatchQueue.Arn}",
        "missing: LogProcessorRole sqs:GetQueueAttributes on ${MatchQueue.Arn}",
    ];
    assert_eq!(said.unwrap(), expected);
}

#[test]
fn a_request_that_is_no_longer_made_leaves_its_grant_unused() {
    let said = said_of_source(
        "functions/log-processor/src/processor.rs",
        "self.ports.evidence.put_log_events(&events)",
        "self.kept(&events)",
    );
    let expected = [
        "unused: LogProcessorRole logs:CreateLogStream on ${EvidenceLogGroup.Arn}",
        "unused: LogProcessorRole logs:PutLogEvents on ${EvidenceLogGroup.Arn}",
    ];
    assert_eq!(said.unwrap(), expected);
}

#[test]
fn a_new_call_of_a_port_without_a_grant_is_found() {
    let said = said_of_source(
        "functions/log-processor/src/processor.rs",
        "let known = self.ports.items.get_item(&key)",
        "self.ports.items.due_items(0, 1).await?; let known = self.ports.items.get_item(&key)",
    );
    let expected = "missing: LogProcessorRole dynamodb:Query on ${Table.Arn}/index/due";
    assert_eq!(said.unwrap(), [expected]);
    // A port under another name may be any of its kind.
    let said = said_of_source(
        "functions/alarm-notifier/src/notifier.rs",
        "self.ports.dead_letters.send_messages(&[copy])",
        "ports.queue.send_messages(&[copy])",
    );
    let expected = "unused: AlarmNotifierRole sqs:SendMessage on ${MatchDeadLetterQueue.Arn}";
    assert_eq!(said.unwrap(), [expected]);
}

#[test]
fn another_wiring_is_found() {
    let said = said_of_source(
        "functions/alarm-notifier/src/main.rs",
        "clients.queue(&settings.dead_letter_queue_url)",
        "clients.queue(&settings.match_queue_url)",
    );
    let expected = "unused: AlarmNotifierRole sqs:SendMessage on ${MatchDeadLetterQueue.Arn}";
    assert_eq!(said.unwrap(), [expected]);
}

#[test]
fn a_client_of_many_is_followed() {
    let said = said_of_source(
        "functions/digest-validator/src/keys.rs",
        ".list_public_keys(start, end)",
        ".known_keys(start, end)",
    );
    let expected = "unused: DigestValidatorRole cloudtrail:ListPublicKeys on *";
    assert_eq!(said.unwrap(), [expected]);
    let said = said_of_source(
        "functions/digest-validator/src/requeue.rs",
        "outside.log_files().send_messages(&messages)",
        "outside.matches().send_messages(&messages)",
    );
    let expected = "unused: DigestValidatorRole sqs:SendMessage on ${LogFileQueue.Arn}";
    assert_eq!(said.unwrap(), [expected]);
}

#[test]
fn reports_are_written_where_they_may_be() {
    let path = repository().join("functions/digest-validator/src/report.rs");
    let source = std::fs::read_to_string(path).unwrap();
    assert!(source.contains("format!(\"integrity/{}.json\""));
}

#[test]
fn what_cannot_be_followed_is_an_error() {
    let of = |path, from, to| said_of_source(path, from, to).unwrap_err();
    let error = of(
        ITEMS,
        "let request = self",
        "send(&self.client); let request = self",
    );
    assert!(error.contains("a client is passed on"), "{error}");
    let error = of(ITEMS, "client: Client,", "dynamodb: Client,");
    assert!(
        error.contains("expected every client to be a field"),
        "{error}"
    );
    let main = "functions/log-processor/src/main.rs";
    let error = of(
        main,
        "let processor",
        "let more = clients.items(\"more\"); let processor",
    );
    assert!(error.contains("found 4 of 5"), "{error}");
    let main = "functions/digest-validator/src/main.rs";
    let error = of(main, "= clients.clone();", "= kept(clients.clone());");
    assert!(error.contains("found 5 of 6"), "{error}");
    let settings = "functions/log-processor/src/settings.rs";
    let error = of(
        settings,
        "let filters = env.optional(",
        "let (filters, _) = env.optional(",
    );
    assert!(error.contains("expected each variable as"), "{error}");
}

#[test]
fn what_the_roles_do_is_what_filters_are_spared() {
    let suppressed = log_processor::OWN_CALLS.iter().flat_map(|call| {
        let role = match call.role {
            log_processor::OwnRole::LogProcessor => "LogProcessorRole",
            log_processor::OwnRole::AlarmNotifier => "AlarmNotifierRole",
            log_processor::OwnRole::Tick => "TickScheduleRole",
            log_processor::OwnRole::DigestValidator => "DigestValidatorRole",
            log_processor::OwnRole::Validation => "ValidationScheduleRole",
        };
        let service = call.event_source.trim_end_matches(".amazonaws.com");
        let names = call.event_names.iter();
        names.map(move |name| (role.to_owned(), service.to_owned(), (*name).to_owned()))
    });
    assert_eq!(
        suppressed.collect::<BTreeSet<_>>(),
        own_operations().unwrap()
    );
}

/// The digest validator refuses a `KEY_PREFIX` below which its role could read only one of the two.
#[test]
fn digests_and_log_files_are_read_below_the_same_beginning_of_keys() {
    const ACCOUNT: &str = "AWSLogs/111122223333/";
    let reads = |prefix: &str| {
        let evaluation = Template::translated().with_parameters([("KeyPrefix", prefix)]);
        let grants = granted(&evaluation).unwrap();
        ["CloudTrail/", "CloudTrail-Digest/"].map(|folder| {
            let object = format!(
                "arn:aws:s3:::amzn-s3-demo-bucket/{ACCOUNT}{folder}us-east-1/2026/03/01/a.json.gz"
            );
            let mut grants = grants.iter().filter(|grant| {
                grant.role == "DigestValidatorRole" && grant.action == "s3:GetObject"
            });
            grants.any(|grant| object.starts_with(grant.resource.trim_end_matches('*')))
        })
    };
    for whole in ["", "AWSLogs/", ACCOUNT, "AWSLogs/111122223333/CloudTrail"] {
        assert_eq!(reads(whole), [true, true], "{whole}");
    }
    for (part, expected) in [
        ("AWSLogs/111122223333/CloudTrail/", [true, false]),
        ("AWSLogs/111122223333/CloudTrail-Digest/", [false, true]),
        ("AWSLogs/111122223333/CloudTrail/us-east-1/", [true, false]),
    ] {
        assert_eq!(reads(part), expected, "{part}");
    }
    let told = &Template::translated().json()["Parameters"]["KeyPrefix"]["Description"];
    assert!(told.as_str().unwrap().contains("must not reach into"));
}

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
    for used in 0..1 << EVERYTHING.len() {
        let options = EVERYTHING.iter().enumerate();
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
    let found: Vec<String> = found
        .iter()
        .filter(|grant| grant.role == "AlarmNotifierRole")
        .map(|grant| format!("{} {}", grant.action, grant.resource))
        .collect();
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
    assert_eq!(found, expected);
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
    ];
    assert_eq!(found, expected);
    // Without a key of the trail's nothing is decrypted for the log processor; all else is the same.
    let mut plain = operations(&sources(), &Template::translated().with_parameters([])).unwrap();
    plain.insert(("LogProcessorRole".into(), "kms".into(), "Decrypt".into()));
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

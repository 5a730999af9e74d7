//! The template as CloudFormation gets it: what the linter says, the rules that hold of it, what its functions are
//! told, and the native alarms and the dashboard that follow from the built-in filters.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use deployment::calls::settings;
use deployment::evaluation::Evaluation;
use deployment::grants::package;
use deployment::repository;
use deployment::rules::{RULES, broken};
use deployment::source::Sources;
use deployment::template::{Template, lint, property};
use metric_filters::{Mode, Severity};
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:trail-notifications";
const FILTERS: &str = "s3://amzn-s3-demo-bucket/trailwarden/filters.yaml";

/// Values of parameters that make a difference to what is made, the default first.
const OPTIONS: [(&str, &[&str]); 8] = [
    ("NotificationSource", &["EventBridge", "S3", TOPIC]),
    ("ChatTopic", &["false", "true"]),
    ("FiltersObject", &["", FILTERS]),
    ("TrailKmsKeyArn", &["", KEY]),
    ("EvidenceKmsKeyArn", &["", KEY]),
    ("KeyPrefix", &["", "logs/"]),
    ("TrailBucketAccountId", &["", "444455556666"]),
    ("LogFileValidation", &["true", "unannounced", "false"]),
];

/// Every combination of values.
fn combinations<'v>(options: &[(&'v str, &[&'v str])]) -> Vec<Vec<(&'v str, &'v str)>> {
    options
        .iter()
        .fold(vec![Vec::new()], |known, (name, values)| {
            let with = |value: &&'v str| {
                let value = *value;
                known.iter().map(move |before: &Vec<_>| {
                    let mut combination = before.clone();
                    combination.push((*name, value));
                    combination
                })
            };
            values.iter().flat_map(with).collect()
        })
}

fn document(name: &str) -> String {
    fs::read_to_string(repository().join("docs").join(name)).unwrap()
}

// ---- The linter --------------------------------------------------------------------------------

/// Writes a template to a file.
fn in_file(template: &Template) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("template.json");
    fs::write(&path, template.json().to_string()).unwrap();
    (folder, path)
}

#[test]
fn the_linter_finds_nothing_in_what_cloudformation_gets() {
    let (_folder, path) = in_file(Template::translated());
    assert_eq!(lint(&[path]), None);
}

#[test]
fn the_linter_finds_nothing_in_the_templates_as_they_are_written() {
    let mut templates = vec![repository().join("template.yaml")];
    for entry in fs::read_dir(repository().join("infra")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml")
        {
            templates.push(path);
        }
    }
    assert_eq!(lint(&templates), None);
}

#[test]
fn the_linter_finds_what_is_wrong() {
    let of = |pointer: &str, value: Value| {
        let template = Template::translated().with(pointer, Some(value));
        let (_folder, path) = in_file(&template);
        lint(&[path]).unwrap()
    };
    let queue = "/Resources/LogFileQueue/Properties";
    let dangling = json!([{ "Ref": "Nobody" }]);
    let said = of("/Resources/TickAlarm/Properties/AlarmActions", dangling);
    assert!(said.contains("E1020") && said.contains("Nobody"), "{said}");
    let said = of(&format!("{queue}/VisibilityTimeout"), json!(30));
    assert!(said.contains("E3505"), "{said}");
    let statement = "/Resources/TickScheduleRole/Properties/Policies/0/PolicyDocument/Statement/0";
    let said = of(
        &format!("{statement}/Action"),
        json!("lambda:InvokeFunktion"),
    );
    assert!(said.contains("W3037"), "{said}");
}

// ---- Rules -------------------------------------------------------------------------------------

#[test]
fn no_rule_is_broken_whatever_options_are_in_use() {
    for options in combinations(&OPTIONS) {
        let evaluation = Template::translated().with_parameters(options.clone());
        assert_eq!(
            broken(&evaluation),
            Vec::<String>::new(),
            "with {options:?}"
        );
    }
}

/// The template with every option in use, changed at one place.
fn broken_if(pointer: &str, value: Option<Value>) -> Vec<String> {
    let template = Template::translated().with(pointer, value);
    let options = [("ChatTopic", "true"), ("FiltersObject", FILTERS)];
    let mut found = broken(&template.with_parameters(options));
    let known = broken(&Template::translated().with_parameters(options));
    found.retain(|line| !known.contains(line));
    found
}

#[test]
fn each_rule_finds_what_breaks_it() {
    let resource = |path: &str| format!("/Resources/{path}");
    let everybody = json!({ "Sid": "All", "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sqs:SendMessage", "Resource": { "Fn::GetAtt": ["MatchQueue", "Arn"] } });
    let service = json!({ "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" }, "Action": "sqs:SendMessage", "Resource": { "Fn::GetAtt": ["MatchQueue", "Arn"] } });
    let reserved = json!(5);
    let cases: &[(&str, &str, Option<Value>)] = &[
        (
            "encryption",
            "MatchQueue/Properties/SqsManagedSseEnabled",
            None,
        ),
        ("encryption", "AlarmTopic/Properties/KmsMasterKeyId", None),
        (
            "encryption",
            "AlarmTopic/Properties/KmsMasterKeyId",
            Some(json!("alias/aws/sns")),
        ),
        (
            "encryption",
            "ChatAlarmTopic/Properties/KmsMasterKeyId",
            None,
        ),
        (
            "encryption",
            "Table/Properties/SSESpecification",
            Some(json!({ "SSEEnabled": false })),
        ),
        (
            "encryption",
            "More",
            Some(json!({ "Type": "AWS::S3::Bucket" })),
        ),
        // Nobody has said yet whether that is encrypted.
        (
            "encryption",
            "More",
            Some(json!({ "Type": "AWS::EFS::FileSystem" })),
        ),
        (
            "encryption",
            "ReportBucket/Properties/BucketEncryption",
            None,
        ),
        ("encryption", "TopicKey/Properties/EnableKeyRotation", None),
        ("alarms", "TickAlarm/Properties/AlarmActions", None),
        (
            "alarms",
            "TickAlarm/Properties/AlarmActions",
            Some(json!([])),
        ),
        (
            "alarms",
            "TickAlarm/Properties/AlarmActions/0",
            Some(json!({ "Ref": "MatchQueue" })),
        ),
        ("alarms", "TickAlarm/Properties/TreatMissingData", None),
        ("alarms", "TickAlarm/Properties/AlarmDescription", None),
        (
            "alarms",
            "TickAlarm/Properties/AlarmDescription",
            Some(json!("x".repeat(1024))),
        ),
        (
            "kinds",
            "More",
            Some(json!({ "Type": "AWS::CloudFormation::Stack" })),
        ),
        ("kinds", "More", Some(json!({ "Type": "Custom::Thing" }))),
        (
            "principals",
            "MatchQueuePolicy/Properties/PolicyDocument/Statement/-",
            Some(everybody),
        ),
        (
            "principals",
            "MatchQueuePolicy/Properties/PolicyDocument/Statement/-",
            Some(service),
        ),
        (
            "principals",
            "TickScheduleRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition",
            None,
        ),
        (
            "transport",
            "MatchQueuePolicy/Properties/PolicyDocument/Statement/0",
            None,
        ),
        (
            "transport",
            "MatchQueuePolicy/Properties/PolicyDocument/Statement/0/Action",
            Some(json!("sqs:SendMessage")),
        ),
        (
            "transport",
            "MatchQueuePolicy/Properties/Queues/0",
            Some(json!({ "Ref": "LogFileQueue" })),
        ),
        (
            "transport",
            "AlarmTopicPolicy/Properties/PolicyDocument/Statement/0/Effect",
            Some(json!("Allow")),
        ),
        (
            "transport",
            "ReportBucketPolicy/Properties/PolicyDocument/Statement/0/Resource/1",
            None,
        ),
        (
            "buckets",
            "ReportBucket/Properties/PublicAccessBlockConfiguration/RestrictPublicBuckets",
            Some(json!(false)),
        ),
        ("buckets", "ReportBucket/Properties/OwnershipControls", None),
        (
            "buckets",
            "ReportBucket/Properties/VersioningConfiguration/Status",
            Some(json!("Suspended")),
        ),
        (
            "buckets",
            "ReportBucket/Properties/LifecycleConfiguration/Rules/0/Status",
            Some(json!("Disabled")),
        ),
        (
            "partition",
            "AlarmMail/Properties/Endpoint",
            Some(json!("arn:aws:sns:us-east-1:111122223333:x")),
        ),
        (
            "queues",
            "LogFileQueue/Properties/VisibilityTimeout",
            Some(json!(359)),
        ),
        ("queues", "LogFileQueue/Properties/VisibilityTimeout", None),
        (
            "queues",
            "AlarmNotifier/Properties/Timeout",
            Some(json!(11)),
        ),
        ("queues", "MatchQueue/Properties/RedrivePolicy", None),
        ("queues", "MatchDeadLetterQueue/Properties/FifoQueue", None),
        (
            "queues",
            "MatchDeadLetterQueue/Properties/MessageRetentionPeriod",
            None,
        ),
        (
            "queues",
            "LogFileQueue/Properties/RedrivePolicy/maxReceiveCount",
            Some(json!(6)),
        ),
        (
            "mappings",
            "LogProcessor/Properties/ReservedConcurrentExecutions",
            Some(reserved),
        ),
        (
            "mappings",
            "LogProcessorLogFiles/Properties/FunctionResponseTypes",
            None,
        ),
        (
            "mappings",
            "LogProcessorLogFiles/Properties/ScalingConfig",
            None,
        ),
        (
            "mappings",
            "AlarmNotifierMatches/Properties/MaximumBatchingWindowInSeconds",
            Some(json!(1)),
        ),
        (
            "retention",
            "AlarmNotifierLogGroup/Properties/RetentionInDays",
            None,
        ),
        (
            "retention",
            "EvidenceLogGroup/Properties/RetentionInDays",
            Some(json!(7)),
        ),
        (
            "retention",
            "LogProcessor/Properties/Environment/Variables/EVIDENCE_RETENTION_DAYS",
            Some(json!("14")),
        ),
        ("table", "Table/Properties/KeySchema/1", None),
        (
            "table",
            "Table/Properties/GlobalSecondaryIndexes/0/IndexName",
            Some(json!("later")),
        ),
        (
            "table",
            "Table/Properties/GlobalSecondaryIndexes/0/Projection/ProjectionType",
            Some(json!("ALL")),
        ),
        (
            "table",
            "Table/Properties/TimeToLiveSpecification/AttributeName",
            Some(json!("ttl")),
        ),
        (
            "table",
            "Table/Properties/PointInTimeRecoverySpecification",
            None,
        ),
        ("kept", "ReportBucket/UpdateReplacePolicy", None),
        ("kept", "Table/DeletionPolicy", None),
        ("kept", "Table/UpdateReplacePolicy", None),
        (
            "kept",
            "EvidenceLogGroup/DeletionPolicy",
            Some(json!("Delete")),
        ),
        (
            "schedules",
            "ValidationSchedule/Properties/ScheduleExpression",
            Some(json!("rate(45 minutes)")),
        ),
        (
            "schedules",
            "ValidationSchedule/Properties/Target/RetryPolicy",
            None,
        ),
        (
            "schedules",
            "ValidationSchedule/Properties/Target/Arn",
            Some(json!("arn")),
        ),
        (
            "schedules",
            "DigestValidatorEventInvokeConfig/Properties/MaximumRetryAttempts",
            Some(json!(1)),
        ),
        (
            "schedules",
            "AlarmNotifierEventInvokeConfig/Properties/MaximumEventAgeInSeconds",
            None,
        ),
    ];
    for (rule, path, value) in cases {
        let found = broken_if(&resource(path), value.clone());
        let is_of_rule = |line: &String| line.starts_with(&format!("{rule}: "));
        assert!(found.iter().any(is_of_rule), "{rule}, {path}: {found:?}");
    }
    for (rule, _) in RULES {
        let has_case = cases.iter().any(|(name, ..)| name == rule);
        assert!(has_case, "expected a case that breaks `{rule}`");
    }
}

#[test]
fn evidence_is_kept_for_14_days_whatever_is_chosen() {
    let parameter = &Template::translated().json()["Parameters"]["EvidenceRetentionDays"];
    for days in parameter["AllowedValues"].as_array().unwrap() {
        let days = days.to_string();
        let evaluation =
            Template::translated().with_parameters([("EvidenceRetentionDays", days.as_str())]);
        let found = broken(&evaluation);
        let retention = found.iter().filter(|line| line.starts_with("retention: "));
        assert_eq!(retention.count(), 0, "{days} days");
    }
}

// ---- The functions -----------------------------------------------------------------------------

/// Each function with its package and the queue that feeds it.
fn functions() -> Vec<(String, Value, Value)> {
    let evaluation = Template::translated().with_parameters([]);
    let mappings = evaluation.resources("AWS::Lambda::EventSourceMapping");
    let functions = mappings.iter().map(|(_, mapping)| {
        let of = |name: &str| {
            let reference = property(mapping, name).unwrap().as_str().unwrap();
            let name = reference.trim_matches(['$', '{', '}']).replace(".Arn", "");
            (package(&name), evaluation.resource(&name).unwrap())
        };
        let (package, function) = of("FunctionName");
        (package, function, of("EventSourceArn").1)
    });
    functions.collect()
}

/// The cells of a row of the table in docs/functions.md, by function.
fn told_in_documents(row: &str) -> BTreeMap<String, String> {
    let text = document("functions.md");
    let cells = |start: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("expected a row {start}"));
        line.split('|')
            .skip(2)
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let names = cells("| | log-processor |");
    names
        .into_iter()
        .zip(cells(&format!("| {row} |")))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

/// The first number of a text.
fn first_number(text: &str) -> Value {
    let digits: String = text
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    json!(digits.parse::<i64>().unwrap())
}

#[test]
fn functions_and_queues_are_as_the_documents_say() {
    let functions = functions();
    assert_eq!(functions.len(), 2);
    for (package, function, queue) in functions {
        let told = |row: &str| first_number(&told_in_documents(row)[&package]);
        let function = &function["Properties"];
        assert_eq!(function["Timeout"], told("function time-out"), "{package}");
        assert_eq!(function["MemorySize"], told("memory"), "{package}");
        let queue = &queue["Properties"];
        let visibility = told("visibility timeout of the queue");
        assert_eq!(queue["VisibilityTimeout"], visibility, "{package}");
        let count = &queue["RedrivePolicy"]["maxReceiveCount"];
        assert_eq!(*count, told("`maxReceiveCount`"), "{package}");
        let kind = &told_in_documents("queue, batch")[&package];
        let is_fifo = queue["FifoQueue"] == true;
        assert_eq!(is_fifo, kind.starts_with("FIFO"), "{package}");
        if is_fifo {
            assert_eq!(queue["DeduplicationScope"], "messageGroup", "{package}");
            assert_eq!(
                queue["FifoThroughputLimit"], "perMessageGroupId",
                "{package}"
            );
        }
    }
    for (_, mapping) in Template::translated().resources("AWS::Lambda::EventSourceMapping") {
        let name = property(mapping, "FunctionName").unwrap()["Ref"]
            .as_str()
            .unwrap();
        let told = &told_in_documents("queue, batch")[&package(name)];
        assert_eq!(
            *property(mapping, "BatchSize").unwrap(),
            first_number(told),
            "{name}"
        );
    }
}

#[test]
fn the_hourly_function_is_as_the_documents_say() {
    let evaluation = Template::translated().with_parameters([]);
    let function = evaluation.resource("DigestValidator").unwrap();
    let [memory, time_out] = ["MemorySize", "Timeout"].map(|name| &function["Properties"][name]);
    let said = format!("needs {memory} MB and a time-out of {time_out} s");
    assert!(document("functions.md").contains(&said), "{said}");
}

#[test]
fn a_function_is_told_what_its_settings_ask_for_and_nothing_else() {
    let sources = Sources::new(repository());
    let documented = document("functions.md");
    for (logical_id, function) in Template::translated().resources("AWS::Lambda::Function") {
        let variables = function
            .pointer("/Properties/Environment/Variables")
            .unwrap();
        let given: BTreeSet<&str> = variables
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let asked = settings(&sources, &package(logical_id)).unwrap();
        let names: BTreeSet<&str> = asked
            .iter()
            .map(|variable| variable.name.as_str())
            .collect();
        assert_eq!(given, names, "{logical_id}");

        let section = documented
            .split(&format!("## {}\n", package(logical_id)))
            .nth(1)
            .unwrap();
        let section = section.split("\n## ").next().unwrap();
        for name in names {
            assert!(
                section.contains(&format!("\n| `{name}` |")),
                "{name} is not in functions.md"
            );
        }
        // Some are empty where an option is not in use; what the function cannot do without never is.
        for options in combinations(&OPTIONS[..3]) {
            let evaluation = Template::translated().with_parameters(options);
            let made = evaluation.resource(logical_id).unwrap();
            for variable in asked.iter().filter(|variable| variable.is_required) {
                let value = &made["Properties"]["Environment"]["Variables"][&variable.name];
                assert!(
                    value.as_str().is_some_and(|value| !value.is_empty()),
                    "{}",
                    variable.name
                );
            }
        }
    }
}

#[test]
fn a_variable_that_is_asked_for_and_not_given_is_found() {
    let path = "functions/alarm-notifier/src/settings.rs";
    let sources =
        Sources::new(repository()).with(path, "\"CHAT_TOPIC_ARN\"", "\"PAGER_TOPIC_ARN\"");
    let asked = settings(&sources, "alarm-notifier").unwrap();
    let template = Template::translated().json();
    let given = &template["Resources"]["AlarmNotifier"]["Properties"]["Environment"]["Variables"];
    let missing = asked
        .iter()
        .filter(|variable| given.get(&variable.name).is_none());
    let missing: Vec<&str> = missing.map(|variable| variable.name.as_str()).collect();
    assert_eq!(missing, ["PAGER_TOPIC_ARN"]);
}

#[test]
fn own_calls_are_those_of_every_role_of_the_stack() {
    let evaluation = Template::translated().with_parameters([]);
    let function = evaluation.resource("LogProcessor").unwrap();
    let variables = &function["Properties"]["Environment"]["Variables"];
    let variables = variables.as_object().unwrap().iter();
    let told: BTreeSet<&str> = variables
        .filter(|(name, _)| name.ends_with("_ROLE_ARN"))
        .map(|(_, arn)| arn.as_str().unwrap())
        .collect();
    let roles = evaluation.resources("AWS::IAM::Role");
    let roles: Vec<String> = roles
        .iter()
        .map(|(name, _)| format!("${{{name}.Arn}}"))
        .collect();
    assert_eq!(told, roles.iter().map(String::as_str).collect());
}

// ---- Native alarms -----------------------------------------------------------------------------

/// The alarms of the stack on itself, by the names that docs/observability.md has for them.
fn own_alarms() -> BTreeSet<String> {
    let text = document("observability.md");
    let section = text
        .split("## The alarms of the stack on itself")
        .nth(1)
        .unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').nth(1).unwrap());
    let names = cells.flat_map(|cell| cell.split(',').map(|name| name.trim().trim_matches('`')));
    names.map(|name| format!("{name}Alarm")).collect()
}

/// What the native alarms of a profile must be, from its filters.
fn expected_alarms(profile: &str, path: &str, minimum: Severity) -> BTreeMap<String, Value> {
    let filters = metric_filters::built_in().unwrap().in_profile(profile);
    let with_alarm = filters.into_iter().filter_map(|filter| {
        let definition = filter.alarm.clone()?.definition;
        let looks_back = native_alarms::LOOK_BACK_SECONDS / definition.period_seconds();
        // The filters that come with Trailwarden judge one period each; another kind needs a rule here.
        assert!(
            definition.slides() && definition.datapoints_to_alarm() == 1,
            "{}",
            filter.name
        );
        let notifies = path != "direct" && filter.mode == Mode::Live && filter.severity >= minimum;
        let alarm = json!({
            "MetricName": filter.metric.name,
            "Namespace": "Trailwarden",
            "Statistic": definition.statistic().to_string(),
            "ComparisonOperator": definition.comparison().to_string(),
            "Threshold": definition.threshold(),
            "Period": definition.period_seconds(),
            "EvaluationPeriods": looks_back,
            "DatapointsToAlarm": 1,
            "TreatMissingData": "notBreaching",
            "ActionsEnabled": notifies,
            "AlarmActions": ["${AlarmTopic}"],
            "AlarmName": format!("trailwarden-{}", filter.name),
        });
        Some((format!("{}Alarm", filter.name), alarm))
    });
    with_alarm.collect()
}

/// The native alarms that are made, without what they say of themselves.
fn native_alarms_of(evaluation: &Evaluation<'_>) -> BTreeMap<String, Value> {
    let own = own_alarms();
    let alarms = evaluation.resources("AWS::CloudWatch::Alarm").into_iter();
    let native = alarms.filter(|(name, _)| !own.contains(*name));
    let native = native.map(|(name, alarm)| {
        let mut properties = alarm["Properties"].clone();
        let members = properties.as_object_mut().unwrap();
        let description = members.remove("AlarmDescription");
        assert!(description.is_some(), "{name}");
        let threshold = members.get_mut("Threshold").unwrap();
        // A map holds texts.
        let number = threshold
            .as_f64()
            .or_else(|| threshold.as_str()?.parse().ok());
        *threshold = json!(number.unwrap());
        (name.to_owned(), properties)
    });
    native.collect()
}

const PATHS: [&str; 3] = ["direct", "cloudwatch", "both"];

#[test]
fn native_alarms_are_the_built_in_filters_whatever_is_chosen() {
    let file = metric_filters::built_in().unwrap();
    let mut seen = 0;
    for profile in file.profiles() {
        for path in PATHS {
            for minimum in Severity::ALL {
                let parameters = [
                    ("Profile", profile),
                    ("NotificationPath", path),
                    ("MinimumSeverity", minimum.name()),
                ];
                let evaluation = Template::translated().with_parameters(parameters);
                let expected = expected_alarms(profile, path, minimum);
                seen += expected.len();
                assert_eq!(
                    native_alarms_of(&evaluation),
                    expected,
                    "with {parameters:?}"
                );
            }
        }
    }
    assert!(seen > 500, "expected hundreds of alarms, saw {seen}");
}

#[test]
fn there_are_no_native_alarms_for_filters_of_ones_own() {
    for profile in metric_filters::built_in().unwrap().profiles() {
        for path in PATHS {
            let parameters = [
                ("Profile", profile),
                ("NotificationPath", path),
                ("FiltersObject", FILTERS),
            ];
            let evaluation = Template::translated().with_parameters(parameters);
            assert_eq!(
                native_alarms_of(&evaluation),
                BTreeMap::new(),
                "with {parameters:?}"
            );
        }
    }
}

#[test]
fn a_native_alarm_that_differs_is_found() {
    let alarm = "/Resources/RootAccountUsageAlarm";
    for (pointer, value) in [
        ("Properties/MetricName", Some(json!("RootUsage"))),
        ("Properties/Threshold", Some(json!(2))),
        ("Properties/EvaluationPeriods", Some(json!(1))),
        ("Properties/ActionsEnabled", Some(json!(true))),
        ("Properties/Statistic", Some(json!("Maximum"))),
        ("Condition", Some(json!("UsesFiltersObject"))),
        ("Properties/Dimensions", Some(json!([]))),
    ] {
        let template = Template::translated().with(&format!("{alarm}/{pointer}"), value);
        let evaluation = template.with_parameters([]);
        let expected = expected_alarms("recommended", "direct", Severity::Info);
        assert_ne!(native_alarms_of(&evaluation), expected, "{pointer}");
    }
}

#[test]
fn the_stack_has_the_alarms_on_itself_that_the_documents_list() {
    let template = Template::translated();
    let made: BTreeSet<&str> = template
        .resources("AWS::CloudWatch::Alarm")
        .map(|(name, _)| name)
        .collect();
    for name in own_alarms() {
        assert!(made.contains(name.as_str()), "{name}");
    }
    assert_eq!(own_alarms().len(), 18);
}

#[test]
fn the_written_parts_of_the_template_are_as_they_would_be_written() {
    let text = fs::read_to_string(repository().join("template.yaml")).unwrap();
    let filled = native_alarms::fill(&text).unwrap();
    assert!(filled == text, "run `cargo run -p native-alarms`");
}

// ---- The dashboard -----------------------------------------------------------------------------

fn dashboard() -> Value {
    let evaluation = Template::translated().with_parameters([]);
    let dashboards = evaluation.resources("AWS::CloudWatch::Dashboard");
    assert_eq!(dashboards.len(), 1);
    let body = dashboards[0].1["Properties"]["DashboardBody"]
        .as_str()
        .unwrap()
        .to_owned();
    serde_json::from_str(&body).unwrap()
}

/// Namespace and name of each metric on the dashboard.
fn metrics_on_the_dashboard() -> Vec<(String, String)> {
    let dashboard = dashboard();
    let widgets = dashboard["widgets"].as_array().unwrap().iter();
    let metrics = widgets.flat_map(|widget| widget["properties"]["metrics"].as_array().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    metrics
        .map(|metric| (text(&metric[0]), text(&metric[1])))
        .collect()
}

/// The names of the metrics in the tables of docs/observability.md.
fn documented_metrics() -> BTreeSet<String> {
    let text = document("observability.md");
    let metrics = text
        .split("## Metrics\n")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let rows = metrics.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.flat_map(|line| line.split('|').nth(1).unwrap().split(','));
    cells
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect()
}

/// The metrics of the built-in filters.
fn filter_metrics() -> BTreeSet<String> {
    let file = metric_filters::built_in().unwrap();
    let profiles = file.profiles().into_iter();
    let filters = profiles.flat_map(|profile| file.in_profile(profile));
    filters.map(|filter| filter.metric.name).collect()
}

#[test]
fn the_dashboard_shows_every_filter() {
    let shown: BTreeSet<String> = metrics_on_the_dashboard()
        .into_iter()
        .map(|(_, name)| name)
        .collect();
    for name in filter_metrics() {
        assert!(shown.contains(&name), "{name}");
    }
}

#[test]
fn every_metric_of_ours_on_the_dashboard_or_in_an_alarm_exists() {
    let mut known = documented_metrics();
    assert!(known.contains("Ticks") && known.contains("FilesFailed"));
    known.extend(filter_metrics());
    for (namespace, name) in metrics_on_the_dashboard() {
        match namespace.as_str() {
            "Trailwarden" => assert!(known.contains(&name), "{name} on the dashboard"),
            "AWS/SQS" | "AWS/Lambda" => {}
            other => panic!("expected a namespace of ours, SQS's or Lambda's, got {other}"),
        }
    }
    let evaluation = Template::translated().with_parameters([("FiltersObject", FILTERS)]);
    let mut in_alarms = 0;
    for (alarm, resource) in evaluation.resources("AWS::CloudWatch::Alarm") {
        let mut metrics = vec![&resource["Properties"]];
        let expressions = resource["Properties"]["Metrics"]
            .as_array()
            .into_iter()
            .flatten();
        metrics.extend(expressions.map(|metric| &metric["MetricStat"]["Metric"]));
        for metric in metrics
            .iter()
            .filter(|metric| metric["Namespace"] == "Trailwarden")
        {
            in_alarms += 1;
            let name = metric["MetricName"].as_str().unwrap();
            assert!(known.contains(name), "{name} of {alarm}");
            for dimension in metric["Dimensions"].as_array().into_iter().flatten() {
                // The value is a reason or a kind that the page lists.
                let value = dimension["Value"].as_str().unwrap();
                assert!(
                    document("observability.md").contains(&format!("`{value}`")),
                    "{value} of {alarm}"
                );
            }
        }
    }
    assert_eq!(in_alarms, 10);
}

#[test]
fn the_dashboard_lies_on_a_grid() {
    let dashboard = dashboard();
    let mut covered = BTreeSet::new();
    for widget in dashboard["widgets"].as_array().unwrap() {
        let at = |name: &str| widget[name].as_i64().unwrap();
        assert!(at("x") + at("width") <= 24, "{widget}");
        for x in at("x")..at("x") + at("width") {
            for y in at("y")..at("y") + at("height") {
                assert!(covered.insert((x, y)), "two widgets at {x}, {y}");
            }
        }
        assert_eq!(widget["properties"]["region"], "us-east-1");
    }
}

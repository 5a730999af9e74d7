//! What each role of the template may do, and what it must be able to do.
//!
//! What is needed follows from the calls of the functions (`calls`) and from what the services do on behalf
//! of a function or schedule. Which IAM actions an operation takes is said in `RULES`.
//!
//! Source: Service Authorization Reference; Amazon S3 API Reference, "GetObject", "ListObjectsV2",
//! "ListObjectVersions" (permissions), Amazon S3 User Guide, "Amazon S3 CloudTrail events"; SQS
//! Developer Guide, "Permissions" and SNS Developer Guide, "Key management" for KMS keys; Lambda Developer
//! Guide, "Using Lambda with Amazon SQS" (permissions of the execution role).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::calls::{ClientCrate, Operation, Target, calls};
use crate::evaluation::Evaluation;
use crate::source::Sources;
use crate::template::{Template, kind_of, property};

/// Something a role may do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The logical id of the role.
    pub role: String,
    /// `sqs:SendMessage`.
    pub action: String,
    /// An ARN, with `${MatchQueue.Arn}` for those of the template's resources.
    pub resource: String,
}

/// What an action is granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// What the operation is done to.
    Itself,
    /// The same, if the call may name a version.
    Versions,
    /// The bucket of objects whose absence is told from their being forbidden.
    Bucket,
    /// The KMS key it is encrypted with, if it is.
    Key,
}

/// A service, one of its operations, and the actions that takes.
type Rule = (&'static str, &'static str, &'static [(&'static str, On)]);

/// Operations and the actions they take.
const RULES: &[Rule] = &[
    (
        "s3",
        "GetObject",
        &[
            ("s3:GetObject", On::Itself),
            ("s3:GetObjectVersion", On::Versions),
            // Without it a missing object is answered with 403.
            ("s3:ListBucket", On::Bucket),
            ("kms:Decrypt", On::Key),
        ],
    ),
    ("s3", "ListObjectsV2", &[("s3:ListBucket", On::Itself)]),
    (
        "s3",
        "ListObjectVersions",
        &[("s3:ListBucketVersions", On::Itself)],
    ),
    (
        "s3",
        "PutObject",
        &[
            ("s3:PutObject", On::Itself),
            ("kms:GenerateDataKey", On::Key),
        ],
    ),
    (
        "cloudtrail",
        "DescribeTrails",
        &[("cloudtrail:DescribeTrails", On::Itself)],
    ),
    (
        "cloudtrail",
        "ListPublicKeys",
        &[("cloudtrail:ListPublicKeys", On::Itself)],
    ),
    (
        "cloudtrail",
        "GetTrailStatus",
        &[("cloudtrail:GetTrailStatus", On::Itself)],
    ),
    ("dynamodb", "GetItem", &[("dynamodb:GetItem", On::Itself)]),
    ("dynamodb", "PutItem", &[("dynamodb:PutItem", On::Itself)]),
    ("dynamodb", "Query", &[("dynamodb:Query", On::Itself)]),
    (
        "sqs",
        "SendMessageBatch",
        &[
            ("sqs:SendMessage", On::Itself),
            ("kms:GenerateDataKey", On::Key),
            ("kms:Decrypt", On::Key),
        ],
    ),
    (
        "sns",
        "Publish",
        &[
            ("sns:Publish", On::Itself),
            ("kms:GenerateDataKey", On::Key),
            ("kms:Decrypt", On::Key),
        ],
    ),
    // Below, what services do under a role of the template; log groups use a key by the service's own grant.
    (
        "cloudwatchlogs",
        "CreateLogStream",
        &[("logs:CreateLogStream", On::Itself)],
    ),
    (
        "cloudwatchlogs",
        "PutLogEvents",
        &[("logs:PutLogEvents", On::Itself)],
    ),
    (
        "sqs",
        "ReceiveMessage",
        &[("sqs:ReceiveMessage", On::Itself), ("kms:Decrypt", On::Key)],
    ),
    ("sqs", "DeleteMessage", &[("sqs:DeleteMessage", On::Itself)]),
    (
        "sqs",
        "DeleteMessageBatch",
        &[("sqs:DeleteMessage", On::Itself)],
    ),
    (
        "sqs",
        "GetQueueAttributes",
        &[("sqs:GetQueueAttributes", On::Itself)],
    ),
    ("lambda", "Invoke", &[("lambda:InvokeFunction", On::Itself)]),
];

/// Actions that cannot be granted on less than everything: they know no resources.
const WITHOUT_RESOURCES: [&str; 2] = ["cloudtrail:DescribeTrails", "cloudtrail:ListPublicKeys"];

/// What reports begin with, in their bucket.
const REPORTS: &str = "integrity/";

/// Operations that CloudTrail has under another name than the SDK.
const OTHER_NAMES: [(&str, &str, &str); 1] = [("s3", "ListObjectsV2", "ListObjects")];

/// What Lambda asks of a queue for an event source mapping.
const OF_MAPPINGS: [&str; 4] = [
    "ReceiveMessage",
    "DeleteMessage",
    "DeleteMessageBatch",
    "GetQueueAttributes",
];

/// What Lambda asks of a function's log group.
const OF_LOG_GROUPS: [&str; 2] = ["CreateLogStream", "PutLogEvents"];

/// What a role does: an operation on something that has an ARN.
#[derive(Debug, Clone)]
struct Deed {
    role: String,
    operation: Operation,
    on: Place,
}

/// What an operation is done to, as the template has it.
#[derive(Debug, Clone, Default)]
struct Place {
    arn: String,
    bucket: Option<String>,
    has_versions: bool,
    key: Option<String>,
}

/// The grants that roles need, for the parameters of `evaluation`.
///
/// # Errors
/// A call might be overlooked, or nobody has said which actions an operation takes.
pub fn needed(sources: &Sources, evaluation: &Evaluation<'_>) -> Result<BTreeSet<Grant>, String> {
    let mut needed = BTreeSet::new();
    for Deed {
        role,
        operation,
        on,
    } in deeds(sources, evaluation)?
    {
        for (action, resource) in actions(&operation, &on)? {
            needed.insert(Grant {
                role: role.clone(),
                action,
                resource,
            });
        }
    }
    Ok(needed)
}

/// The operations that happen under the roles of the stack, by role, service and operation:
/// `("LogProcessorRole", "sqs", "SendMessageBatch")`. A service is named as in actions, so that `sqs.amazonaws.com` is its event source in
/// CloudTrail, an operation as CloudTrail names it. `kms` is there where a service uses a key on behalf of a role.
///
/// # Errors
/// As [`needed`].
pub fn operations(
    sources: &Sources,
    evaluation: &Evaluation<'_>,
) -> Result<BTreeSet<(String, String, String)>, String> {
    let mut found = BTreeSet::new();
    for Deed {
        role,
        operation,
        on,
    } in deeds(sources, evaluation)?
    {
        let actions = actions(&operation, &on)?;
        let prefixes = actions
            .iter()
            .filter_map(|(action, _)| action.split_once(':'));
        for (position, (service, name)) in prefixes.enumerate() {
            // The first action is that of the operation itself.
            if position == 0 {
                let name = event_name(service, &operation.name);
                found.insert((role.clone(), service.to_owned(), name.to_owned()));
            } else if service == "kms" {
                found.insert((role.clone(), service.to_owned(), name.to_owned()));
            }
        }
    }
    Ok(found)
}

/// An operation as CloudTrail names it.
fn event_name<'o>(service: &str, operation: &'o str) -> &'o str {
    let other = OTHER_NAMES
        .iter()
        .find(|name| (name.0, name.1) == (service, operation));
    other.map_or(operation, |(_, _, name)| name)
}

/// The actions an operation takes there, with what they are granted on.
fn actions(operation: &Operation, on: &Place) -> Result<Vec<(String, String)>, String> {
    let Operation { service, name, .. } = operation;
    let rule = RULES
        .iter()
        .find(|rule| (rule.0, rule.1) == (service, name));
    let (_, _, actions) =
        rule.ok_or_else(|| format!("no rule says which actions {service} {name} takes"))?;
    let actions = actions.iter().filter_map(|(action, granted_on)| {
        let resource = match granted_on {
            On::Itself => Some(on.arn.clone()),
            On::Versions => on.has_versions.then(|| on.arn.clone()),
            On::Bucket => on.bucket.clone(),
            On::Key => on.key.clone(),
        };
        Some(((*action).to_owned(), resource?))
    });
    Ok(actions.collect())
}

/// All that is done under roles of the template.
fn deeds(sources: &Sources, evaluation: &Evaluation<'_>) -> Result<Vec<Deed>, String> {
    let clients = ClientCrate::read(sources)?;
    let mut deeds = Vec::new();
    for (logical_id, function) in evaluation.resources("AWS::Lambda::Function") {
        let role = role_of(&function, "/Properties/Role")?;
        let mut add = |service: &str, name: &str, on: Place| {
            deeds.push(Deed {
                role: role.clone(),
                operation: Operation {
                    service: service.to_owned(),
                    name: name.to_owned(),
                    index: None,
                },
                on,
            });
        };
        if let Some(log_group) = function.pointer("/Properties/LoggingConfig/LogGroup") {
            for operation in OF_LOG_GROUPS {
                add("cloudwatchlogs", operation, place(evaluation, log_group)?);
            }
        }
        let itself = Value::String(format!("${{{logical_id}}}"));
        for (_, mapping) in evaluation.resources("AWS::Lambda::EventSourceMapping") {
            let source = property(&mapping, "EventSourceArn").unwrap_or(&Value::Null);
            if property(&mapping, "FunctionName") == Some(&itself) {
                for operation in OF_MAPPINGS {
                    add("sqs", operation, place(evaluation, source)?);
                }
            }
        }
        for (operation, target) in calls(sources, &clients, &package(logical_id))? {
            for on in places(evaluation, &function, &target)? {
                let on = match &operation.index {
                    Some(index) => Place {
                        arn: format!("{}/index/{index}", on.arn),
                        ..on
                    },
                    None => on,
                };
                deeds.push(Deed {
                    role: role.clone(),
                    operation: operation.clone(),
                    on,
                });
            }
        }
    }
    for (_, schedule) in evaluation.resources("AWS::Scheduler::Schedule") {
        let target = schedule.pointer("/Properties/Target/Arn");
        deeds.push(Deed {
            role: role_of(&schedule, "/Properties/Target/RoleArn")?,
            operation: Operation {
                service: "lambda".to_owned(),
                name: "Invoke".to_owned(),
                index: None,
            },
            on: place(evaluation, target.unwrap_or(&Value::Null))?,
        });
    }
    Ok(deeds)
}

/// The package of a function: `log-processor` for `LogProcessor`.
pub fn package(logical_id: &str) -> String {
    let mut name = String::new();
    for letter in logical_id.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

fn role_of(resource: &Value, pointer: &str) -> Result<String, String> {
    let arn = resource.pointer(pointer).and_then(Value::as_str);
    let role = arn.and_then(|arn| logical_id(arn)?.strip_suffix(".Arn"));
    role.map(str::to_owned).ok_or_else(|| {
        format!("expected the ARN of a role of the template at {pointer}, got {arn:?}")
    })
}

/// `Table.Arn` of `${Table.Arn}`.
fn logical_id(reference: &str) -> Option<&str> {
    reference.strip_prefix("${")?.strip_suffix('}')
}

/// Where the target of a call is; nowhere if its variable is empty.
fn places(
    evaluation: &Evaluation<'_>,
    function: &Value,
    target: &Target,
) -> Result<Vec<Place>, String> {
    let only = |arn: &str| {
        vec![Place {
            arn: arn.to_owned(),
            ..Place::default()
        }]
    };
    let variable = match target {
        Target::LogFiles => return Ok(vec![log_files(evaluation)]),
        Target::TrailObjects => {
            return Ok(vec![Place {
                has_versions: false,
                ..log_files(evaluation)
            }]);
        }
        Target::TrailBucket => return Ok(only(&trail_bucket(evaluation))),
        Target::Trails => return Ok(only("arn:aws:cloudtrail:*:*:trail/*")),
        Target::Everything => return Ok(only("*")),
        Target::Reports(variable) | Target::Variable(variable) => variable,
    };
    let variables = function.pointer("/Properties/Environment/Variables");
    let value = variables.and_then(|variables| variables.get(variable));
    let value = value.ok_or_else(|| format!("expected the variable {variable} in the template"))?;
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    match text.strip_prefix("s3://") {
        // Its absence is a fault of the settings, however it is told.
        Some(object) => Ok(vec![Place {
            arn: format!("arn:aws:s3:::{object}"),
            ..Place::default()
        }]),
        None => {
            let place = place(evaluation, value)?;
            Ok(vec![match target {
                Target::Reports(_) => Place {
                    arn: format!("{}/{REPORTS}*", place.arn),
                    ..place
                },
                _ => place,
            }])
        }
    }
}

fn trail_bucket(evaluation: &Evaluation<'_>) -> String {
    format!("arn:aws:s3:::{}", evaluation.parameter("TrailBucketName"))
}

fn log_files(evaluation: &Evaluation<'_>) -> Place {
    let bucket = trail_bucket(evaluation);
    let key = evaluation.parameter("TrailKmsKeyArn");
    Place {
        arn: format!("{bucket}/{}*", evaluation.parameter("KeyPrefix")),
        bucket: Some(bucket),
        // Notifications of a bucket with versioning name a version.
        has_versions: true,
        key: (!key.is_empty()).then(|| key.to_owned()),
    }
}

/// A resource of the template, by a reference to it.
fn place(evaluation: &Evaluation<'_>, reference: &Value) -> Result<Place, String> {
    let reference = reference.as_str().unwrap_or_default();
    let name = logical_id(reference).and_then(|name| name.split('.').next());
    let found = name.and_then(|name| Some((name, evaluation.resource(name)?)));
    let (name, resource) =
        found.ok_or_else(|| format!("expected a resource of the template, got `{reference}`"))?;
    // `Ref` of a topic is its ARN.
    let arn = match kind_of(&resource) {
        "AWS::SNS::Topic" => format!("${{{name}}}"),
        _ => format!("${{{name}.Arn}}"),
    };
    let key = property(&resource, "KmsMasterKeyId").and_then(Value::as_str);
    Ok(Place {
        arn,
        key: key.map(str::to_owned),
        ..Place::default()
    })
}

/// The grants that the template gives to roles, for the parameters of `evaluation`.
///
/// # Errors
/// A role is written in a way that could grant more than is read here.
pub fn granted(evaluation: &Evaluation<'_>) -> Result<BTreeSet<Grant>, String> {
    for kind in [
        "AWS::IAM::Policy",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::RolePolicy",
    ] {
        if let Some((logical_id, _)) = evaluation.template().resources(kind).next() {
            return Err(format!(
                "expected all policies in their roles, found {logical_id}"
            ));
        }
    }
    let mut granted = BTreeSet::new();
    for (role, resource) in evaluation.resources("AWS::IAM::Role") {
        if property(&resource, "ManagedPolicyArns").is_some() {
            return Err(format!(
                "{role} has managed policies, expected its own only"
            ));
        }
        for policy in list(property(&resource, "Policies")) {
            for statement in list(policy.pointer("/PolicyDocument/Statement")) {
                let found = statement_grants(role, statement);
                granted.extend(found.map_err(|fault| format!("{role}: {fault}: {statement}"))?);
            }
        }
    }
    Ok(granted)
}

fn is_through_s3(condition: &Value) -> bool {
    *condition
        == serde_json::json!({ "StringEquals": { "kms:ViaService": "s3.us-east-1.amazonaws.com" } })
}

fn statement_grants(role: &str, statement: &Value) -> Result<Vec<Grant>, String> {
    let members = statement.as_object().into_iter().flatten();
    for (name, value) in members {
        match name.as_str() {
            "Sid" | "Action" | "Resource" => {}
            "Effect" if value == "Allow" => {}
            // What S3 decrypts for a role, S3 alone asks for.
            "Condition" if statement["Action"] == "kms:Decrypt" && is_through_s3(value) => {}
            other => return Err(format!("unexpected {other}")),
        }
    }
    let mut grants = Vec::new();
    for action in texts(statement.get("Action"))? {
        for resource in texts(statement.get("Resource"))? {
            let is_of_everything = resource == "*" && !WITHOUT_RESOURCES.contains(&action);
            if action.contains(['*', '?']) || is_of_everything {
                return Err("a grant of everything".to_owned());
            }
            grants.push(Grant {
                role: role.to_owned(),
                action: action.to_owned(),
                resource: resource.to_owned(),
            });
        }
    }
    match grants.is_empty() {
        true => Err("it grants nothing".to_owned()),
        false => Ok(grants),
    }
}

/// The elements of a list, or the one element that stands without one.
pub(crate) fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(elements)) => elements.iter().collect(),
        Some(single) => vec![single],
    }
}

fn texts(value: Option<&Value>) -> Result<Vec<&str>, String> {
    let texts = list(value).into_iter();
    let texts = texts.map(|text| {
        text.as_str()
            .ok_or_else(|| format!("expected a text, got {text}"))
    });
    texts.collect()
}

/// What differs between what is granted and what is needed, a line each; nothing if all is well.
///
/// # Errors
/// As [`needed`] and [`granted`].
pub fn differences(sources: &Sources, evaluation: &Evaluation<'_>) -> Result<Vec<String>, String> {
    let (needed, granted) = (needed(sources, evaluation)?, granted(evaluation)?);
    let line = |what: &str, grant: &Grant| {
        format!(
            "{what}: {} {} on {}",
            grant.role, grant.action, grant.resource
        )
    };
    let missing = needed
        .difference(&granted)
        .map(|grant| line("missing", grant));
    let unused = granted
        .difference(&needed)
        .map(|grant| line("unused", grant));
    Ok(missing.chain(unused).collect())
}

/// The operations that happen under the roles of the stack as it is, with every option in use.
///
/// # Errors
/// As [`needed`].
pub fn own_operations() -> Result<BTreeSet<(String, String, String)>, String> {
    let sources = Sources::new(crate::repository());
    let everything = Template::translated().with_parameters([
        ("ChatTopic", "true"),
        ("FiltersObject", "s3://amzn-s3-demo-bucket/filters.yaml"),
        (
            "TrailKmsKeyArn",
            "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        ),
    ]);
    operations(&sources, &everything)
}

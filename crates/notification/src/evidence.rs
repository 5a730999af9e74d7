//! What is kept of a matching event so that it can be shown: small, masked, safe to print.

use std::borrow::Cow;

use cloudtrail::{Actor, ActorKind, printable};
use raw_json::{Object, Value};
use serde::{Deserialize, Serialize};

use crate::finding::FindingText;
use crate::mask::mask_text;
use crate::phrase::{Phrase, any_target};
use crate::request::{Request, text, written};
use crate::words::{rfc3339, rounded};

/// What is kept of one matching event.
///
/// Every text is one line without control characters, has secrets masked and a bounded length; only
/// `location` is as long as the caller made it. Evidence is ordered by time first.
///
/// As JSON the members have the names they have here, and those that are `None`, `false` or empty are
/// left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// Unix seconds.
    pub time: i64,
    /// The same as RFC 3339 text in UTC; `None` if the record itself has no readable time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// The event's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The event name; of Insights events that of the calls they are about.
    pub event_name: String,
    /// The event source, such as `ec2.amazonaws.com`; empty if the record has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub event_source: String,
    /// What kind of event this is.
    pub kind: EventKind,
    /// Whether what was asked for was done.
    pub outcome: Outcome,
    /// Who acted, in short: [`Actor::short_name`].
    pub actor: String,
    /// Who acted, with what is telling about them: [`Actor::describe`].
    pub actor_detail: String,
    /// Whether a program acted, as far as can be seen: [`Actor::is_machine`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub actor_is_machine: bool,
    /// Signed in or authenticated with MFA; `None` if the record does not say or it says nothing
    /// about this actor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<bool>,
    /// The address, or the name of the service, the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ip: Option<String>,
    /// The user agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The account the event is counted for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The region of the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The error code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The error message, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// What it was done to: `trail management-events`, `user bob`, `instances i-1 and i-2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The telling detail: `TCP 22 from 0.0.0.0/0`, `AdministratorAccess`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Where the record lies: path or `s3://bucket/key`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
    /// Its position there, from 0.
    pub record_index: u64,
    /// `time` is that of the log file, because the record has none that can be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub time_from_key: bool,
    /// The event corrects one that CloudTrail delivered earlier (`addendum`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub correction: bool,
    /// The ARN of the actor, to say exactly who it was: [`Actor::arn`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_arn: Option<String>,
    /// `userIdentity.userName`, where that says who it was and no ARN does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// What an integrity check found: then this is no event, and there is neither an actor nor a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Box<FindingText>>,
}

/// What the caller knows of a record: it has resolved time and account and found the record.
#[derive(Debug, Clone, Copy, Default)]
pub struct EvidenceContext<'a> {
    /// Unix seconds.
    pub time: i64,
    /// `time` is that of the log file: the record has none that can be read.
    pub time_from_key: bool,
    /// The account the event is counted for.
    pub account: &'a str,
    /// The region to show if the record has none, such as that of the key.
    pub region: Option<&'a str>,
    /// Path or `s3://bucket/key`.
    pub location: &'a str,
    /// Position in the object, from 0.
    pub record_index: u64,
}

/// Kinds of events, as far as they are told differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A call.
    Call,
    /// Something a service did by itself.
    ServiceEvent,
    /// An unusual rate of calls or errors.
    Insight,
    /// A summary of several calls.
    Aggregated,
}

/// Whether what was asked for was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing says that it failed.
    Succeeded,
    /// The actor was not allowed to.
    Denied,
    /// It failed for another reason.
    Failed,
}

/// Longest id or code, in characters.
const ID_CHARACTERS: usize = 128;

/// Longest text, in characters.
const TEXT_CHARACTERS: usize = 200;

/// The name of an event that has none.
pub(crate) const UNNAMED: &str = "unnamed event";

impl Evidence {
    /// Takes from a record what can be shown. Any record gives evidence.
    ///
    /// ```
    /// use notification::{Evidence, EvidenceContext};
    ///
    /// let record = raw_json::Object::parse(br#"{ "eventName": "AttachUserPolicy",
    ///     "eventSource": "iam.amazonaws.com", "userIdentity": { "type": "IAMUser", "userName": "alice" },
    ///     "requestParameters": { "userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess" } }"#)?;
    /// let evidence = Evidence::of(record, &EvidenceContext { account: "111122223333", ..Default::default() });
    /// assert_eq!(evidence.target.as_deref(), Some("user bob"));
    /// assert_eq!(evidence.detail.as_deref(), Some("AdministratorAccess"));
    /// # Ok::<(), raw_json::SyntaxError>(())
    /// ```
    pub fn of(record: Object<'_>, context: &EvidenceContext<'_>) -> Evidence {
        let members = Members::of(record);
        let mut actor = Actor::of(record);
        let actor_arn = actor.arn.take().filter(|arn| !arn.is_empty());
        let user_name = match actor_arn {
            Some(_) => None,
            None => user_name(&members, &actor),
        };
        // Joined to one another they have lost the shape of what they are.
        for name in [&mut actor.name, &mut actor.session_name] {
            *name = name.take().map(masked);
        }
        let kind = kind(&members, &actor);
        let told = match kind {
            EventKind::Insight => Told::of_insight(record),
            _ => Told::of_call(&members),
        };
        let shown_member = |value: Option<Value<'_>>, most_characters| {
            let text = value.and_then(written);
            text.map(|text| shown(&text, most_characters))
        };
        let region = members.region.and_then(written);
        let region = region.or_else(|| context.region.map(Cow::Borrowed));
        Evidence {
            time: context.time,
            event_time: (!context.time_from_key)
                .then(|| rfc3339(context.time))
                .flatten(),
            event_id: members.event_id().map(|id| shown(&id, ID_CHARACTERS)),
            event_name: told.event_name.unwrap_or_else(|| UNNAMED.into()),
            event_source: told.event_source.unwrap_or_default(),
            kind,
            outcome: outcome(&members, kind),
            actor: masked(actor.short_name()),
            actor_detail: masked(actor.describe()),
            actor_is_machine: actor.is_machine(),
            mfa: actor.mfa.filter(|_| actor.mfa_is_telling()),
            source_ip: shown_member(members.source_ip, ID_CHARACTERS),
            user_agent: shown_member(members.user_agent, TEXT_CHARACTERS),
            account: shown(context.account, ID_CHARACTERS),
            region: region.map(|region| shown(&region, ID_CHARACTERS)),
            error_code: told.error_code,
            error_message: shown_member(members.error_message, TEXT_CHARACTERS),
            target: told.target,
            detail: told.detail,
            location: printable(context.location, usize::MAX),
            record_index: context.record_index,
            time_from_key: context.time_from_key,
            correction: is_correction(&members),
            actor_arn: actor_arn.map(|arn| shown(&arn, TEXT_CHARACTERS)),
            user_name: user_name.map(|name| shown(&name, ID_CHARACTERS)),
            finding: None,
        }
    }
}

/// The members of a record that evidence is taken from, in one pass; of several of one name the last one.
#[derive(Default)]
struct Members<'a> {
    event_id: Option<Value<'a>>,
    aggregated_event_id: Option<Value<'a>>,
    event_type: Option<Value<'a>>,
    event_name: Option<Value<'a>>,
    event_source: Option<Value<'a>>,
    region: Option<Value<'a>>,
    source_ip: Option<Value<'a>>,
    user_agent: Option<Value<'a>>,
    error_code: Option<Value<'a>>,
    error_message: Option<Value<'a>>,
    parameters: Option<Value<'a>>,
    response: Option<Value<'a>>,
    resources: Option<Value<'a>>,
    identity: Option<Value<'a>>,
    addendum: Option<Value<'a>>,
}

impl<'a> Members<'a> {
    fn of(record: Object<'a>) -> Self {
        let mut members = Members::default();
        for (name, value) in record.members() {
            // Bytes say it all unless there are escapes among them.
            let escaped = name.raw().contains(&b'\\').then(|| name.decode());
            let name = escaped.as_deref().map_or(name.raw(), str::as_bytes);
            if let Some(place) = members.place(name) {
                *place = Some(value);
            }
        }
        members
    }

    fn place(&mut self, name: &[u8]) -> Option<&mut Option<Value<'a>>> {
        Some(match name {
            b"eventID" => &mut self.event_id,
            b"eventId" => &mut self.aggregated_event_id,
            b"eventType" => &mut self.event_type,
            b"eventName" => &mut self.event_name,
            b"eventSource" => &mut self.event_source,
            b"awsRegion" => &mut self.region,
            b"sourceIPAddress" => &mut self.source_ip,
            b"userAgent" => &mut self.user_agent,
            b"errorCode" => &mut self.error_code,
            b"errorMessage" => &mut self.error_message,
            b"requestParameters" => &mut self.parameters,
            b"responseElements" => &mut self.response,
            b"resources" => &mut self.resources,
            b"userIdentity" => &mut self.identity,
            b"addendum" => &mut self.addendum,
            _ => return None,
        })
    }

    fn event_id(&self) -> Option<Cow<'a, str>> {
        let text = |id: Option<Value<'a>>| id?.as_str().filter(|id| !id.is_empty());
        text(self.event_id).or_else(|| text(self.aggregated_event_id))
    }
}

/// With its secrets masked, if it has any.
fn masked(text: String) -> String {
    match mask_text(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(masked) => masked,
    }
}

/// Masked, one line, at most so long. Masking comes first: a cut secret has lost its shape.
fn shown(text: &str, most_characters: usize) -> String {
    printable(&mask_text(text), most_characters)
}

/// What was called, on what, with what error.
struct Told {
    event_name: Option<String>,
    event_source: Option<String>,
    target: Option<String>,
    detail: Option<String>,
    error_code: Option<String>,
}

impl Told {
    fn of_call(members: &Members<'_>) -> Told {
        let id = |value: Option<Value<'_>>| {
            let text = value.and_then(written);
            text.map(|text| shown(&text, ID_CHARACTERS))
        };
        let (event_name, event_source) = (id(members.event_name), id(members.event_source));
        let request = Request::new(members.parameters, members.response, members.resources);
        let source = event_source.as_deref().unwrap_or_default();
        let phrase = Phrase::find(source, event_name.as_deref().unwrap_or_default());
        let target = match phrase {
            Some(phrase) => phrase.target(request),
            None => any_target(request),
        };
        let detail = phrase.and_then(|phrase| phrase.detail(request));
        let text = |text: String| shown(&text, TEXT_CHARACTERS);
        Told {
            target: target.map(text),
            detail: detail.map(text),
            error_code: id(members.error_code),
            event_name,
            event_source,
        }
    }

    /// An Insights event is about calls of one name: how many there are and how many are usual.
    fn of_insight(record: Object<'_>) -> Told {
        let details = record.get("insightDetails").and_then(Value::as_object);
        let at = |path: &[&str]| details?.path(path).and_then(text);
        let id = |name| at(&[name]).map(|text| shown(&text, ID_CHARACTERS));
        let average = |of| {
            let path = ["insightContext", "statistics", of, "average"];
            at(&path).and_then(|number| rounded(&number))
        };
        let target = match at(&["insightType"]).as_deref() {
            Some("ApiErrorRateInsight") => "API error rate",
            Some("ApiCallRateInsight") => "API call rate",
            _ => "API activity",
        };
        let detail = match (average("insight"), average("baseline")) {
            (Some(now), Some(usual)) => Some(format!("{now} a minute against a usual {usual}")),
            (Some(now), None) => Some(format!("{now} a minute")),
            (None, _) => None,
        };
        Told {
            event_name: id("eventName"),
            event_source: id("eventSource"),
            target: Some(target.into()),
            detail,
            error_code: id("errorCode"),
        }
    }
}

/// A name that CloudTrail hides says nothing about who it was.
fn user_name(members: &Members<'_>, actor: &Actor) -> Option<String> {
    let name = members.identity?.get("userName").and_then(text);
    name.filter(|name| !name.is_empty() && !actor.name_is_hidden)
}

fn kind(members: &Members<'_>, actor: &Actor) -> EventKind {
    let event_type = members.event_type.and_then(written).unwrap_or_default();
    match actor.kind {
        ActorKind::Insights => EventKind::Insight,
        ActorKind::Aggregated => EventKind::Aggregated,
        _ if event_type == "AwsServiceEvent" => EventKind::ServiceEvent,
        _ => EventKind::Call,
    }
}

/// Some events say in `errorCode` that they failed, sign-ins in `errorMessage` and
/// `responseElements`.
fn outcome(members: &Members<'_>, kind: EventKind) -> Outcome {
    if kind == EventKind::Insight {
        return Outcome::Succeeded;
    }
    if let Some(code) = members.error_code.and_then(written) {
        return match is_denial(&code) {
            true => Outcome::Denied,
            false => Outcome::Failed,
        };
    }
    let name = members.event_name.and_then(written).unwrap_or_default();
    let response = || members.response?.get(&name).and_then(written);
    if members.error_message.and_then(written).is_some() || response().as_deref() == Some("Failure")
    {
        Outcome::Failed
    } else {
        Outcome::Succeeded
    }
}

/// `AccessDenied`, `Client.UnauthorizedOperation`, `VpceAccessDenied` and their like.
fn is_denial(code: &str) -> bool {
    let code = code.to_ascii_lowercase();
    [
        "accessdenied",
        "unauthorized",
        "notauthorized",
        "forbidden",
        "authfailure",
    ]
    .iter()
    .any(|word| code.contains(word))
}

/// `UPDATED_DATA` corrects an event; the other reasons of an addendum say why it is late.
fn is_correction(members: &Members<'_>) -> bool {
    let of_addendum = |name| members.addendum?.get(name).and_then(written);
    of_addendum("reason").is_some_and(|reason| reason == "UPDATED_DATA")
        || of_addendum("originalEventID").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn evidence(record: &str) -> Evidence {
        let context = EvidenceContext {
            time: 1_772_460_120,
            account: "111122223333",
            location: "a.json.gz",
            record_index: 7,
            ..EvidenceContext::default()
        };
        Evidence::of(Object::parse(record.as_bytes()).unwrap(), &context)
    }

    #[test]
    fn evidence_keeps_what_can_be_shown() {
        let evidence = evidence(
            r#"{"eventTime":"2026-03-02T14:02:00Z","eventName":"StopLogging","eventSource":"cloudtrail.amazonaws.com",
                "eventID":"e-1","awsRegion":"us-east-1","sourceIPAddress":"198.51.100.7","userAgent":"aws-cli/2.13",
                "errorCode":"TrailNotFoundException","errorMessage":"Unknown trail","requestParameters":{"name":"t"},
                "userIdentity":{"type":"IAMUser","userName":"alice","accountId":"111122223333"}}"#,
        );
        let text = |text: &str| Some(String::from(text));
        assert_eq!(
            evidence,
            Evidence {
                time: 1_772_460_120,
                event_time: text("2026-03-02T14:02:00Z"),
                event_id: text("e-1"),
                event_name: "StopLogging".into(),
                event_source: "cloudtrail.amazonaws.com".into(),
                kind: EventKind::Call,
                outcome: Outcome::Failed,
                actor: "alice".into(),
                actor_detail: "alice (IAM user)".into(),
                actor_is_machine: false,
                mfa: None,
                source_ip: text("198.51.100.7"),
                user_agent: text("aws-cli/2.13"),
                account: "111122223333".into(),
                region: text("us-east-1"),
                error_code: text("TrailNotFoundException"),
                error_message: text("Unknown trail"),
                target: text("trail t"),
                detail: None,
                location: "a.json.gz".into(),
                record_index: 7,
                time_from_key: false,
                correction: false,
                actor_arn: None,
                user_name: text("alice"),
                finding: None,
            }
        );
    }

    #[test]
    fn a_record_with_nothing_in_it_still_gives_evidence() {
        let evidence = evidence("{}");
        assert_eq!(evidence.event_name, "unnamed event");
        assert_eq!(evidence.actor, "unknown identity");
        assert_eq!(
            (evidence.event_id, evidence.target, evidence.region),
            (None, None, None)
        );
    }

    #[test]
    fn a_time_that_is_not_the_records_own_is_not_shown_as_its_own() {
        let context = EvidenceContext {
            time: 1_772_460_120,
            time_from_key: true,
            region: Some("eu-west-1"),
            ..EvidenceContext::default()
        };
        let evidence = Evidence::of(Object::parse(b"{}").unwrap(), &context);
        assert_eq!((evidence.event_time, evidence.time_from_key), (None, true));
        assert_eq!(evidence.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn failures_are_known_wherever_they_are_said() {
        for (record, expected) in [
            ("{}", Outcome::Succeeded),
            (r#"{"errorCode":""}"#, Outcome::Succeeded),
            (r#"{"errorCode":"AccessDenied"}"#, Outcome::Denied),
            (r#"{"errorCode":"AccessDeniedException"}"#, Outcome::Denied),
            (
                r#"{"errorCode":"Client.UnauthorizedOperation"}"#,
                Outcome::Denied,
            ),
            (r#"{"errorCode":"VpceAccessDenied"}"#, Outcome::Denied),
            (r#"{"errorCode":"ThrottlingException"}"#, Outcome::Failed),
            (
                r#"{"errorMessage":"Failed authentication"}"#,
                Outcome::Failed,
            ),
            (
                r#"{"eventName":"ConsoleLogin","responseElements":{"ConsoleLogin":"Failure"}}"#,
                Outcome::Failed,
            ),
            (
                r#"{"eventName":"ConsoleLogin","responseElements":{"ConsoleLogin":"Success"}}"#,
                Outcome::Succeeded,
            ),
        ] {
            assert_eq!(evidence(record).outcome, expected, "{record}");
        }
    }

    #[test]
    fn an_insights_event_tells_of_the_calls_it_is_about() {
        let insight = evidence(
            r#"{"eventType":"AwsCloudTrailInsight","insightDetails":{"state":"Start","eventSource":"ssm.amazonaws.com",
                "eventName":"UpdateInstanceAssociationStatus","insightType":"ApiCallRateInsight","insightContext":{"statistics":
                {"baseline":{"average":1.7561507937},"insight":{"average":50.1}}}}}"#,
        );
        assert_eq!(insight.kind, EventKind::Insight);
        assert_eq!(insight.event_name, "UpdateInstanceAssociationStatus");
        assert_eq!(insight.event_source, "ssm.amazonaws.com");
        assert_eq!(insight.target.as_deref(), Some("API call rate"));
        assert_eq!(
            insight.detail.as_deref(),
            Some("50.1 a minute against a usual 1.8")
        );
        let empty = evidence(r#"{"eventCategory":"Insight"}"#);
        assert_eq!(
            (empty.event_name.as_str(), empty.detail),
            ("unnamed event", None)
        );
    }

    #[test]
    fn corrections_are_told_from_late_deliveries() {
        let correction =
            |addendum: &str| evidence(&format!(r#"{{"addendum":{addendum}}}"#)).correction;
        assert!(correction(
            r#"{"reason":"UPDATED_DATA","originalEventID":"e"}"#
        ));
        assert!(!correction(r#"{"reason":"DELIVERY_DELAY"}"#));
        assert!(!correction("null"));
    }

    #[test]
    fn secrets_and_escapes_do_not_get_into_evidence() {
        let evidence = evidence(
            r#"{"eventName":"x\u001b[2J","errorMessage":"bad\npassword=hunter2\u202e","userAgent":"curl token=hunter2",
                "sourceIPAddress":"1.2.3.4\r\n","userIdentity":{"type":"IAMUser","userName":"ghp_0123456789abcdefghijABCDEFGHIJ012345"},
                "requestParameters":{"bucketName":"b\u0000"}}"#,
        );
        let all = format!("{evidence:?}");
        assert!(!all.contains("hunter2") && !all.contains("ghp_"), "{all}");
        assert_eq!(evidence.error_message.as_deref(), Some("bad password=***"));
        assert_eq!(evidence.event_name, "x\u{fffd}[2J");
        assert_eq!(evidence.target.as_deref(), Some("bucket b\u{fffd}"));
    }

    #[test]
    fn a_secret_in_place_of_an_account_or_session_is_masked() {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let context = EvidenceContext {
            account: secret,
            ..EvidenceContext::default()
        };
        let record = serde_json::json!({ "recipientAccountId": secret, "userIdentity": { "type": "AssumedRole",
            "accountId": secret, "principalId": format!("AROA:{secret}"),
            "sessionContext": { "sessionIssuer": { "userName": "Deploy" } } } });
        let record = record.to_string();
        let evidence = Evidence::of(Object::parse(record.as_bytes()).unwrap(), &context);
        assert_eq!(
            (evidence.account.as_str(), evidence.actor.as_str()),
            ("***", "Deploy/***")
        );
        assert!(!format!("{evidence:?}").contains("wJalr"), "{evidence:?}");
        let long = "1".repeat(500);
        let context = EvidenceContext {
            account: &long,
            ..context
        };
        let evidence = Evidence::of(Object::parse(b"{}").unwrap(), &context);
        assert_eq!(evidence.account.chars().count(), ID_CHARACTERS);
    }

    #[test]
    fn long_values_are_cut() {
        let long = "x ".repeat(5000);
        let record = serde_json::json!({ "errorMessage": long, "userAgent": long, "eventID": long,
            "errorCode": long, "eventName": long, "requestParameters": { "bucketName": long } });
        let evidence = evidence(&record.to_string());
        assert_eq!(evidence.error_message.unwrap().chars().count(), 200);
        assert_eq!(evidence.event_id.unwrap().chars().count(), 128);
        assert!(evidence.target.unwrap().chars().count() < 120);
    }

    #[test]
    fn as_json_evidence_has_no_empty_members() {
        let small = serde_json::to_value(evidence("{}")).unwrap();
        let members: Vec<&str> = small
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            members,
            [
                "time",
                "event_time",
                "event_name",
                "kind",
                "outcome",
                "actor",
                "actor_detail",
                "account",
                "location",
                "record_index"
            ]
        );
        assert_eq!(
            (&small["kind"], &small["outcome"]),
            (&"call".into(), &"succeeded".into())
        );
    }

    #[test]
    fn who_it_was_is_kept_as_an_arn_or_else_as_a_user_name() {
        let who = |identity: &str| {
            let evidence = evidence(&format!(r#"{{"userIdentity":{identity}}}"#));
            (evidence.actor_arn, evidence.user_name)
        };
        let arn = "arn:aws:iam::111122223333:user/alice";
        assert_eq!(
            who(&format!(
                r#"{{"type":"IAMUser","userName":"alice","arn":"{arn}"}}"#
            )),
            (Some(arn.into()), None)
        );
        assert_eq!(
            who(r#"{"type":"IAMUser","userName":"alice","arn":""}"#),
            (None, Some("alice".into()))
        );
        assert_eq!(
            who(r#"{"userName":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#),
            (None, None)
        );
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        let text = || prop::option::of(".{0,20}");
        let kind = prop::sample::select(vec![
            EventKind::Call,
            EventKind::ServiceEvent,
            EventKind::Insight,
            EventKind::Aggregated,
        ]);
        let outcome =
            prop::sample::select(vec![Outcome::Succeeded, Outcome::Denied, Outcome::Failed]);
        let numbers = (
            any::<i64>(),
            any::<u64>(),
            any::<Option<bool>>(),
            any::<[bool; 3]>(),
        );
        let names = prop::collection::vec(".{0,20}", 6);
        let texts = prop::collection::vec(text(), 11);
        (kind, outcome, numbers, names, texts).prop_map(
            |(kind, outcome, (time, record_index, mfa, flags), names, texts)| Evidence {
                time,
                event_time: texts[0].clone(),
                event_id: texts[1].clone(),
                event_name: names[0].clone(),
                event_source: names[1].clone(),
                kind,
                outcome,
                actor: names[2].clone(),
                actor_detail: names[3].clone(),
                actor_is_machine: flags[0],
                mfa,
                source_ip: texts[2].clone(),
                user_agent: texts[3].clone(),
                account: names[4].clone(),
                region: texts[4].clone(),
                error_code: texts[5].clone(),
                error_message: texts[6].clone(),
                target: texts[7].clone(),
                detail: texts[8].clone(),
                location: names[5].clone(),
                record_index,
                time_from_key: flags[1],
                correction: flags[2],
                actor_arn: texts[9].clone(),
                user_name: texts[10].clone(),
                finding: flags[0].then(|| {
                    Box::new(FindingText {
                        id: names[0].clone(),
                        statement: names[1].clone(),
                        since: Some(time),
                        found_at: None,
                        facts: vec![(names[2].clone(), names[3].clone())],
                        check_command: names.clone(),
                    })
                }),
            },
        )
    }

    proptest! {
        #[test]
        fn evidence_comes_back_from_json_as_it_went_in(evidence in any_evidence()) {
            let json = serde_json::to_string(&evidence).unwrap();
            prop_assert_eq!(serde_json::from_str::<Evidence>(&json).unwrap(), evidence);
        }

        #[test]
        fn any_bytes_give_printable_evidence(bytes in prop::collection::vec(any::<u8>(), 0..200), name in "RunInstances|PutBucketPolicy|AuthorizeSecurityGroupIngress|CreatePolicy|X") {
            let mut text = format!(r#"{{"eventName":"{name}","requestParameters":{{"policyDocument":"{{}}","ipPermissions":"#).into_bytes();
            text.extend(bytes);
            let record = Object::from_extent(&text).unwrap();
            let evidence = Evidence::of(record, &EvidenceContext::default());
            let texts = [Some(evidence.event_name), Some(evidence.actor_detail), evidence.target, evidence.detail, evidence.error_message];
            prop_assert!(!texts.iter().flatten().any(|text| text.contains(char::is_control)));
        }
    }
}

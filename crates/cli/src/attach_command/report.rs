//! Notifications for people, and in the words of S3's API.

use aws_clients::{Destination, DestinationKind, Notifications};
use serde_json::{Map, Value, json};

use crate::output::printable;

/// A line or two for each destination.
pub(crate) fn text(notifications: &Notifications) -> String {
    let mut text: String = notifications
        .destinations
        .iter()
        .map(|destination| lines(destination, ' '))
        .collect();
    if notifications.event_bridge {
        text.push_str("    EventBridge delivery\n");
    }
    if text.is_empty() {
        text.push_str("    no notifications\n");
    }
    text
}

/// A destination; the mark stands before each of its lines.
fn lines(destination: &Destination, mark: char) -> String {
    let kind = match destination.kind {
        DestinationKind::Topic => "topic",
        DestinationKind::Queue => "queue",
        DestinationKind::Function => "function",
    };
    let arn = printable(&destination.arn);
    let id = destination.id.as_deref().map(printable);
    let id = id.map(|id| format!(" ({id})")).unwrap_or_default();
    let mut what = printable(&destination.events.join(", "));
    for rule in destination.filter.iter().flatten() {
        let name = rule
            .name
            .as_deref()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let value = rule.value.as_deref().unwrap_or_default();
        what.push_str(&format!(", {} `{}`", printable(&name), printable(value)));
    }
    format!("  {mark} {kind} {arn}{id}\n  {mark}     {what}\n")
}

/// What differs between the configuration that was expected and the one that was found.
pub(crate) fn differences(expected: &Notifications, found: &Notifications) -> String {
    let mut text = String::from("expected (-) and found (+):\n");
    for missing in without(&expected.destinations, &found.destinations) {
        text.push_str(&lines(missing, '-'));
    }
    for added in without(&found.destinations, &expected.destinations) {
        text.push_str(&lines(added, '+'));
    }
    match (expected.event_bridge, found.event_bridge) {
        (true, false) => text.push_str("  - EventBridge delivery\n"),
        (false, true) => text.push_str("  + EventBridge delivery\n"),
        _ => {}
    }
    text.trim_end().to_owned()
}

/// Those of `all` that are not among `others`, each of which accounts for one.
fn without<'a>(all: &'a [Destination], others: &[Destination]) -> Vec<&'a Destination> {
    let mut others: Vec<_> = others.iter().collect();
    let mut left = Vec::new();
    for one in all {
        match others.iter().position(|other| other.says_the_same_as(one)) {
            Some(place) => drop(others.swap_remove(place)),
            None => left.push(one),
        }
    }
    left
}

/// Whether what is there after the put has a change of somebody else that putting back `before` would
/// undo: EventBridge delivery is off though it was put, or there is a destination that was not there.
pub(crate) fn is_somebody_elses(before: &Notifications, now: &Notifications) -> bool {
    !now.event_bridge || !without(&now.destinations, &before.destinations).is_empty()
}

/// How to put back what was there before, beside what is there now, if that is known.
pub(crate) fn restore(
    bucket: &str,
    region: &str,
    before: &Notifications,
    now: Option<&Notifications>,
) -> String {
    let document = |of| serde_json::to_string_pretty(&json(of)).unwrap_or_default();
    let now = match now {
        Some(now) => format!("this is there now:\n{}", document(now)),
        None => "what is there now could not be read; look at it first".to_owned(),
    };
    format!(
        "this was there before:\n{}\n{now}\n\
         to put back what was there before, save it as before.json and run this; it replaces everything that is \
         there by then, changes of others with it:\n\
         aws s3api put-bucket-notification-configuration --bucket {bucket} --region {region} \
         --skip-destination-validation --notification-configuration file://before.json",
        document(before)
    )
}

/// As `aws s3api put-bucket-notification-configuration` takes it.
pub(crate) fn json(notifications: &Notifications) -> Value {
    let mut document = Map::new();
    for destination in &notifications.destinations {
        let (list, arn) = match destination.kind {
            DestinationKind::Topic => ("TopicConfigurations", "TopicArn"),
            DestinationKind::Queue => ("QueueConfigurations", "QueueArn"),
            DestinationKind::Function => ("LambdaFunctionConfigurations", "LambdaFunctionArn"),
        };
        let list = document.entry(list).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(part(destination, arn));
        }
    }
    if notifications.event_bridge {
        document.insert("EventBridgeConfiguration".to_owned(), json!({}));
    }
    Value::Object(document)
}

fn part(destination: &Destination, arn: &str) -> Value {
    let mut part = Map::new();
    if let Some(id) = &destination.id {
        part.insert("Id".to_owned(), json!(id));
    }
    part.insert(arn.to_owned(), json!(destination.arn));
    part.insert("Events".to_owned(), json!(destination.events));
    if let Some(rules) = &destination.filter {
        let rule = |rule: &aws_clients::KeyRule| {
            // The AWS CLI takes the names in lower case.
            let name = rule.name.as_deref().map(str::to_ascii_lowercase);
            let members = [("Name", name), ("Value", rule.value.clone())];
            let given = members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
            given.collect::<Map<_, _>>()
        };
        let rules: Vec<_> = rules.iter().map(rule).collect();
        part.insert(
            "Filter".to_owned(),
            json!({ "Key": { "FilterRules": rules } }),
        );
    }
    Value::Object(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(id: &str) -> Destination {
        Destination {
            kind: DestinationKind::Queue,
            id: Some(id.to_owned()),
            arn: "arn:aws:sqs:eu-central-1:111122223333:q".to_owned(),
            events: vec!["s3:ObjectCreated:*".to_owned()],
            filter: Some(vec![aws_clients::KeyRule {
                name: Some("Prefix".to_owned()),
                value: Some("AWS\u{1b}Logs/".to_owned()),
            }]),
        }
    }

    fn of(destinations: &[Destination], event_bridge: bool) -> Notifications {
        Notifications {
            destinations: destinations.to_vec(),
            event_bridge,
        }
    }

    #[test]
    fn each_destination_is_told_with_what_it_is_told_of() {
        let expected = "    queue arn:aws:sqs:eu-central-1:111122223333:q (a)\n        s3:ObjectCreated:*, prefix `AWS\u{fffd}Logs/`\n";
        assert_eq!(text(&of(&[queue("a")], false)), expected);
        assert_eq!(text(&of(&[], false)), "    no notifications\n");
        assert_eq!(text(&of(&[], true)), "    EventBridge delivery\n");
    }

    #[test]
    fn differences_are_those_and_no_others() {
        let told = differences(
            &of(&[queue("a"), queue("b")], true),
            &of(&[queue("b"), queue("c"), queue("b")], false),
        );
        assert_eq!(told.matches("  - queue").count(), 1, "{told}");
        assert_eq!(told.matches("  + queue").count(), 2, "{told}");
        assert!(
            told.contains("  - queue arn:aws:sqs:eu-central-1:111122223333:q (a)"),
            "{told}"
        );
        assert!(told.contains("  - EventBridge delivery"), "{told}");
    }

    #[test]
    fn only_what_is_gone_is_not_somebody_elses_change() {
        let before = of(&[queue("a"), queue("b")], false);
        assert!(!is_somebody_elses(&before, &of(&[queue("b")], true)));
        for now in [
            of(&[queue("a"), queue("b")], false),
            of(&[queue("a")], false),
            of(&[queue("a"), queue("c")], true),
            of(&[queue("a"), queue("b"), queue("b")], true),
        ] {
            assert!(is_somebody_elses(&before, &now), "{now:?}");
        }
    }

    #[test]
    fn what_was_there_can_be_put_back_by_the_aws_cli() {
        let expected = json!({
            "QueueConfigurations": [{
                "Id": "a",
                "QueueArn": "arn:aws:sqs:eu-central-1:111122223333:q",
                "Events": ["s3:ObjectCreated:*"],
                "Filter": { "Key": { "FilterRules": [{ "Name": "prefix", "Value": "AWS\u{1b}Logs/" }] } },
            }],
            "EventBridgeConfiguration": {},
        });
        assert_eq!(json(&of(&[queue("a")], true)), expected);
        assert_eq!(json(&of(&[], false)), json!({}));
    }
}

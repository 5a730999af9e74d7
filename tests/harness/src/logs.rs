//! CloudWatch Logs for an [`Account`]: groups and the events in them.

use serde_json::{Value, json};

use crate::Account;
use crate::account::{list_of, text_of};

impl Account {
    /// Creates a log group.
    pub async fn create_log_group(&self, group: &str) {
        self.json(
            "Logs_20140328.CreateLogGroup",
            &json!({ "logGroupName": group }),
        )
        .await;
    }

    /// All events of all streams of a group: stream by stream, in order of time within each. An event
    /// has the members `timestamp` (milliseconds), `message`, `ingestionTime` and `logStreamName`.
    pub async fn log_events(&self, group: &str) -> Vec<Value> {
        let mut events = Vec::new();
        for stream in self.log_streams(group).await {
            for mut event in self.stream_events(group, &stream).await {
                if let Some(members) = event.as_object_mut() {
                    members.insert("logStreamName".to_owned(), stream.as_str().into());
                }
                events.push(event);
            }
        }
        events
    }

    async fn log_streams(&self, group: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut asked = json!({ "logGroupName": group });
        loop {
            let mut answer = self.json("Logs_20140328.DescribeLogStreams", &asked).await;
            names.extend(
                list_of(&mut answer, "logStreams")
                    .iter()
                    .map(|stream| text_of(stream, "logStreamName")),
            );
            match answer.get("nextToken") {
                Some(token) => asked = json!({ "logGroupName": group, "nextToken": token }),
                None => return names,
            }
        }
    }

    /// A page that gives back the token it was asked with is the last one.
    async fn stream_events(&self, group: &str, stream: &str) -> Vec<Value> {
        let mut events = Vec::new();
        let mut asked =
            json!({ "logGroupName": group, "logStreamName": stream, "startFromHead": true });
        loop {
            let mut answer = self.json("Logs_20140328.GetLogEvents", &asked).await;
            events.extend(list_of(&mut answer, "events"));
            let next = answer
                .get("nextForwardToken")
                .filter(|token| Some(*token) != asked.get("nextToken"));
            let Some(token) = next.cloned() else {
                return events;
            };
            asked = json!({
                "logGroupName": group, "logStreamName": stream, "startFromHead": true, "nextToken": token,
            });
        }
    }
}

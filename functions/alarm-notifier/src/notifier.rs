//! A batch of matches and ticks, or the tick itself.

use std::collections::BTreeMap;

use alarm_state::{
    BUCKET_SECONDS, GroupKeys, HORIZON_SECONDS, MessageError, NewEvents, QueueBody, Summary, Tick,
    hash,
};
use futures_util::future::join_all;
use metric_alarm::{Alarm, AlarmDefinition, AlarmStatus};
use ports::{Clock, Items, Publish, QueueMessage, SendMessages, with_sources};
use serde_json::{Value, json};

use crate::counted::Counted;
use crate::group::{Group, head_of, keys_of};
use crate::settings::Settings;
use crate::stopped::Stopped;
use crate::telling::{Teller, hour_of_partition, is_group};

/// Log files come within about so long: what is older than this is as good as known.
const WATERMARK_SECONDS: i64 = 900;

/// How far ahead of the clock an event may be dated and its periods still be waited for: a day.
const FARTHEST_SECONDS: i64 = 86_400;

/// No message is begun with less time left.
const LAST_START_MILLIS: i64 = 3_000;

/// Groups that one tick finds; the next tick finds more.
const MOST_DUE: usize = 2_000;

/// A tick that is sent again while the first may still wait in the queue is dropped by the queue.
const TICK_SECONDS: i64 = 240;

/// The message group of summaries.
const SUMMARY_GROUP: &str = "summary";

/// The time before which nothing new is expected, in Unix seconds.
pub(crate) fn watermark(now: i64) -> i64 {
    now.saturating_sub(WATERMARK_SECONDS)
}

/// What the function talks to.
#[derive(Debug)]
pub struct Ports<T, Q, D, P, C> {
    /// The table.
    pub items: T,
    /// The match queue.
    pub queue: Q,
    /// Its dead-letter queue.
    pub dead_letters: D,
    /// Topics.
    pub topics: P,
    /// The time.
    pub clock: C,
}

/// The function.
#[derive(Debug)]
pub struct Notifier<T, Q, D, P, C> {
    settings: Settings,
    ports: Ports<T, Q, D, P, C>,
    quota_lock: tokio::sync::Mutex<()>,
}

/// The invocation failed as a whole; whoever invoked will try again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// It is neither a batch of the match queue nor a tick.
    #[error("expected a batch of the match queue or a scheduled event, found {found}")]
    Payload {
        /// What it is.
        found: String,
    },
    /// The tick failed.
    #[error("the tick failed: {0}")]
    Tick(String),
}

/// A message as Lambda hands it over.
struct Received {
    id: String,
    group: String,
    body: String,
}

impl<T, Q, D, P, C> Notifier<T, Q, D, P, C>
where
    T: Items,
    Q: SendMessages,
    D: SendMessages,
    P: Publish,
    C: Clock,
{
    /// The function.
    pub fn new(settings: Settings, ports: Ports<T, Q, D, P, C>) -> Self {
        Notifier {
            settings,
            ports,
            quota_lock: tokio::sync::Mutex::default(),
        }
    }

    /// Handles one invocation that must end at `deadline_millis`; `write_line` gets the metrics of its
    /// outcome, line by line.
    ///
    /// A batch is answered with the messages that must come again: where one fails, all later ones of
    /// its group fail with it.
    ///
    /// # Errors
    /// The payload is neither a batch nor a tick, or the tick failed.
    pub async fn handle(
        &self,
        invocation: Value,
        deadline_millis: i64,
        write_line: &mut dyn FnMut(&str),
    ) -> Result<Value, HandleError> {
        let counted = Counted::new();
        let answer = match received(&invocation) {
            Some(Ok(messages)) => Ok(self.batch(messages, &counted, deadline_millis).await),
            Some(Err(error)) => Err(error),
            None if is_tick(&invocation) => self.tick(&counted).await,
            None => Err(HandleError::Payload {
                found: described(&invocation),
            }),
        };
        if let Err(error) = &answer {
            tracing::error!(%error, "invocation failed");
        }
        let now = self.ports.clock.now_millis();
        for line in counted.lines(&self.settings.metric_namespace, now) {
            write_line(&line);
        }
        answer
    }

    /// The messages of each group one after the other, the groups side by side.
    async fn batch(
        &self,
        messages: Vec<Received>,
        counted: &Counted,
        deadline_millis: i64,
    ) -> Value {
        counted.count("MessagesReceived", messages.len() as u64);
        let mut groups: BTreeMap<String, Vec<Received>> = BTreeMap::new();
        for message in messages {
            groups
                .entry(message.group.clone())
                .or_default()
                .push(message);
        }
        let groups = groups.into_values();
        let each = groups.map(|messages| self.in_order(messages, counted, deadline_millis));
        let failures: Vec<Value> = join_all(each)
            .await
            .into_iter()
            .flatten()
            .map(|id| json!({ "itemIdentifier": id }))
            .collect();
        json!({ "batchItemFailures": failures })
    }

    /// Returns the messages that failed: one and all after it.
    async fn in_order(
        &self,
        messages: Vec<Received>,
        counted: &Counted,
        deadline_millis: i64,
    ) -> Vec<String> {
        let mut messages = messages.into_iter();
        let mut failed = Vec::new();
        for message in messages.by_ref() {
            if let Err(Stopped { reason, error }) =
                Box::pin(self.message(&message, counted, deadline_millis)).await
            {
                tracing::error!(
                    message_id = message.id,
                    group_id = message.group,
                    outcome = "failed",
                    reason,
                    error,
                    "message failed, and all later ones of its group wait"
                );
                counted.count_by("MessagesFailed", "Reason", reason, 1);
                failed.push(message.id);
                break;
            }
        }
        failed.extend(messages.map(|message| message.id));
        failed
    }

    async fn message(
        &self,
        message: &Received,
        counted: &Counted,
        deadline_millis: i64,
    ) -> Result<(), Stopped> {
        if deadline_millis - self.ports.clock.now_millis() < LAST_START_MILLIS {
            return Err(Stopped::new(
                "no_time",
                "the time of the invocation is over",
            ));
        }
        let teller = Teller {
            settings: &self.settings,
            table: &self.ports.items,
            topics: &self.ports.topics,
            clock: &self.ports.clock,
            counted,
            deadline_millis,
            quota_lock: &self.quota_lock,
        };
        match QueueBody::parse(&message.body) {
            Ok(QueueBody::Matches(matches)) => self.matches(&matches, &teller).await,
            Ok(QueueBody::Tick(tick)) => self.group_tick(&tick, &teller).await,
            Ok(QueueBody::Summary(summary)) => teller.summary(summary.hour).await,
            Err(error) => self.move_away(message, &error, counted).await,
        }
    }

    /// Adds matches to their group and tells what there is to be told.
    async fn matches(
        &self,
        matches: &alarm_state::Matches,
        teller: &Teller<'_, T, P, C>,
    ) -> Result<(), Stopped> {
        let now = self.ports.clock.now();
        let definition = matches.filter.definition()?;
        let mut group = Group::load(&self.ports.items, keys_of(matches), now).await?;
        let (merged, alarms) = group
            .merge(matches, &definition, now, watermark(now))
            .await?;
        let times: Vec<i64> = matches
            .samples()?
            .iter()
            .map(|sample| sample.time)
            .collect();
        let newest = times.iter().copied().max().unwrap_or(i64::MIN);
        let head = head_of(&mut group.head, matches);
        // The time of an event is input: what is far ahead must not keep the group due for ever.
        let latest = now.saturating_add(FARTHEST_SECONDS);
        head.newest_event_time = head.newest_event_time.max(newest.min(latest));
        let is_touched = |alarm: &Alarm| {
            times
                .iter()
                .any(|&time| alarm.start <= time && time < alarm.end)
        };
        let reconciled = head.reconcile(
            &alarms,
            |alarm| is_touched(alarm) || can_be_new(alarm, &definition, now),
            |alarm| merged.new_in(alarm, now),
        );
        tracing::info!(
            filter = matches.filter.name,
            group_id = matches.group_id.0,
            object = format!("s3://{}/{}", matches.object.bucket, matches.object.key),
            part = matches.part,
            parts = matches.parts,
            matched = matches.matched,
            new = merged.new_samples(),
            incidents = reconciled.new,
            "matches counted"
        );
        let counted = teller.counted;
        counted.count("MatchesReceived", matches.matched);
        counted.count("MatchesCounted", merged.new_samples());
        let not_new = matches.matched.saturating_sub(merged.new_samples());
        let known = not_new.saturating_sub(merged.over_limit);
        counted.count("MatchesKnown", known);
        counted.count("MatchesOverLimit", merged.over_limit);
        counted.count("Incidents", reconciled.new as u64);
        teller.tell(&mut group).await
    }

    /// Tells what is due in a group.
    async fn group_tick(&self, tick: &Tick, teller: &Teller<'_, T, P, C>) -> Result<(), Stopped> {
        let Some((keys, _)) = GroupKeys::of_partition(&tick.partition) else {
            return Err(Stopped::new("unparsable", "the tick names no group"));
        };
        let now = self.ports.clock.now();
        let mut group = Group::load(&self.ports.items, keys, now).await?;
        let Some(head) = &group.head else {
            return Ok(());
        };
        let definition = head.filter.definition()?;
        if !definition.slides() {
            // Time alone decides periods without events.
            let alarms = group.alarms(&definition, now, watermark(now)).await?;
            if let Some(head) = &mut group.head {
                let is_new = |alarm: &Alarm| can_be_new(alarm, &definition, now);
                let reconciled = head.reconcile(&alarms, is_new, |_| NewEvents::default());
                teller.counted.count("Incidents", reconciled.new as u64);
            }
        }
        teller.tell(&mut group).await
    }

    /// A message that cannot be read will not be readable later: it must not block its group.
    async fn move_away(
        &self,
        message: &Received,
        error: &MessageError,
        counted: &Counted,
    ) -> Result<(), Stopped> {
        tracing::error!(
            message_id = message.id,
            outcome = "dead_lettered",
            reason = "unparsable",
            error = with_sources(error),
            "message cannot be read"
        );
        let copy = QueueMessage {
            body: message.body.clone(),
            group_id: message.group.clone(),
            deduplication_id: message.id.clone(),
        };
        self.ports.dead_letters.send_messages(&[copy]).await?;
        counted.count("MessagesUnparsable", 1);
        counted.count("MessagesDeadLettered", 1);
        Ok(())
    }

    /// Finds what is due and sends it messages; writes nothing.
    async fn tick(&self, counted: &Counted) -> Result<Value, HandleError> {
        let now = self.ports.clock.now();
        let failed = |error| HandleError::Tick(with_sources(&error));
        let due = self
            .ports
            .items
            .due_items(now, MOST_DUE)
            .await
            .map_err(failed)?;
        let messages: Vec<QueueMessage> = due
            .iter()
            .filter_map(|(key, due_at)| tick_message(&key.partition, *due_at, now))
            .collect();
        let sent = self.ports.queue.send_messages(&messages).await;
        sent.map_err(|error| HandleError::Tick(with_sources(&error)))?;
        tracing::info!(due = due.len(), sent = messages.len(), "tick");
        counted.count("Ticks", 1);
        counted.count("TickMessages", messages.len() as u64);
        Ok(json!({ "due": due.len() }))
    }
}

/// Whether an alarm that overlaps no incident may become one. Where the oldest events of aligned periods
/// have been forgotten, what they said of the state is missing, and it looks as if an alarm began and
/// ended there.
fn can_be_new(alarm: &Alarm, definition: &AlarmDefinition, now: i64) -> bool {
    if definition.slides() || alarm.state == AlarmStatus::Open {
        return true;
    }
    let periods = i64::from(definition.evaluation_periods()) + 2;
    let reach = definition.period_seconds().saturating_mul(periods);
    let oldest = now
        .saturating_sub(HORIZON_SECONDS)
        .saturating_add(reach)
        .saturating_add(2 * BUCKET_SECONDS);
    alarm.start >= oldest
}

fn tick_message(partition: &str, due_at: i64, now: i64) -> Option<QueueMessage> {
    let (group_id, body) = match hour_of_partition(partition) {
        Some(hour) => (
            SUMMARY_GROUP.to_owned(),
            QueueBody::Summary(Summary { hour }),
        ),
        None if is_group(partition) => {
            let (_, group) = GroupKeys::of_partition(partition)?;
            let partition = partition.to_owned();
            (group.0, QueueBody::Tick(Tick { partition }))
        }
        None => return None,
    };
    let now = now.div_euclid(TICK_SECONDS).to_string();
    Some(QueueMessage {
        group_id,
        deduplication_id: hash(&[partition, &due_at.to_string(), &now]),
        body: body.to_json(),
    })
}

/// The messages of a batch; `None` if the payload is no batch.
fn received(invocation: &Value) -> Option<Result<Vec<Received>, HandleError>> {
    let records = invocation.get("Records")?.as_array()?;
    let message = |(index, record): (usize, &Value)| {
        let text = |name: &str| Some(record.get(name)?.as_str()?.to_owned());
        let group = record.pointer("/attributes/MessageGroupId");
        let received = || {
            Some(Received {
                id: text("messageId")?,
                group: group?.as_str()?.to_owned(),
                body: text("body")?,
            })
        };
        received().ok_or_else(|| HandleError::Payload {
            found: format!("Records[{index}] without messageId, body or attributes.MessageGroupId"),
        })
    };
    Some(records.iter().enumerate().map(message).collect())
}

/// A scheduled event of EventBridge, or `{"tick": true}` by hand.
fn is_tick(invocation: &Value) -> bool {
    let source = invocation.get("source").and_then(Value::as_str);
    let by_schedule =
        source.is_some_and(|source| source == "aws.events" || source == "aws.scheduler");
    by_schedule || invocation.get("tick").and_then(Value::as_bool) == Some(true)
}

/// What a payload is, without its contents.
fn described(payload: &Value) -> String {
    match payload {
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().take(8).map(String::as_str).collect();
            format!("an object with the members {}", names.join(", "))
        }
        Value::Array(_) => "an array".to_owned(),
        _ => "neither an object nor an array".to_owned(),
    }
}

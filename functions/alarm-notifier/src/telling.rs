//! Telling: which steps leave now, which are held for the summary of the hour, and what they say.

use alarm_state::{
    Action, GroupKeys, Head, HeldStep, HourQuota, Incident, MOST_MESSAGES_AN_HOUR, Slot,
    StoredError, SummaryState, hour_of, quota_key,
};
use notification::{Evidence, FilterText, FindingSubject, HeldIncident, Message, StorySubject};
use ports::{
    Attribute, Body, Clock, ErrorKind, Item, ItemKey, Items, Publication, Publish, Put,
    RequestError, with_sources,
};

use tokio::sync::Mutex;

use crate::counted::Counted;
use crate::group::Group;
use crate::settings::Settings;
use crate::stopped::Stopped;

/// Nothing is published with less time left: the answer might not be heard, or not be noted.
const LAST_START_MILLIS: i64 = 2_500;
const NO_TIME: &str = "the time of the invocation is over";

/// How often a write of the quota that met another one is tried again. Each conflict is a write of
/// somebody else that succeeded, and an hour has few of them.
const QUOTA_ATTEMPTS: usize = 32;

/// What telling needs.
pub(crate) struct Teller<'t, T, P, C> {
    pub(crate) settings: &'t Settings,
    pub(crate) table: &'t T,
    pub(crate) topics: &'t P,
    pub(crate) clock: &'t C,
    pub(crate) counted: &'t Counted,
    pub(crate) deadline_millis: i64,
    /// The groups of a batch take their places one after the other, rather than meet conflicts.
    pub(crate) quota_lock: &'t Mutex<()>,
}

/// Whether a step may leave in this hour.
enum Place {
    Taken,
    /// It is to be held for the summary of the hour that starts then.
    Full(i64),
}

impl<T: Items, P: Publish, C: Clock> Teller<'_, T, P, C> {
    /// Tells of a group what is to be told now, and stores its head.
    pub(crate) async fn tell(&self, group: &mut Group<'_, T>) -> Result<(), Stopped> {
        let now = self.clock.now();
        let Some(head) = &mut group.head else {
            return Ok(());
        };
        let is_told = self.settings.tells(&head.filter.severity);
        if !is_told {
            head.pass_over(now);
        } else if self.settings.leaves_to_native_alarms && head.filter.has_native_alarm {
            let definition = head.filter.definition()?;
            let left = head.leave_to_native_alarm(&definition, now);
            self.counted.count("IncidentsLeftToCloudWatch", left);
        }
        let forgotten = head.forget(now);
        self.counted.count("IncidentsForgotten", forgotten.told);
        self.counted.count("IncidentsUntold", forgotten.untold);
        if forgotten.untold > 0 {
            let incidents = forgotten.untold;
            tracing::error!(
                incidents,
                "more incidents at once than a group can remember"
            );
        }
        // Before anything else is asked for: should that fail again and again, the tick knows.
        self.save(group, is_told).await?;
        let mut refused: Vec<String> = Vec::new();
        let mut first_error = None;
        while let Some(index) = group
            .head
            .as_ref()
            .and_then(|head| self.next(head, &refused))
        {
            let told = self.step(group, index, is_told).await;
            let Err(stopped) = told else {
                continue;
            };
            // What the topic does not take of one incident must not keep it from the next.
            if stopped.reason != ErrorKind::Refused.name() {
                return Err(stopped);
            }
            refused.extend(incident_at(group, index).map(|(_, incident)| incident.id.clone()));
            first_error.get_or_insert(stopped);
        }
        first_error.map_or(Ok(()), Err)
    }

    /// The first incident with something to be told.
    fn next(&self, head: &Head, refused: &[String]) -> Option<usize> {
        let now = self.clock.now();
        head.incidents.iter().position(|incident| {
            matches!(incident.action(now), Action::Tell { .. }) && !refused.contains(&incident.id)
        })
    }

    /// Tells the next step of an incident, or holds it, and stores the head.
    async fn step(
        &self,
        group: &mut Group<'_, T>,
        index: usize,
        is_told: bool,
    ) -> Result<(), Stopped> {
        if self.millis_left() < LAST_START_MILLIS {
            return Err(Stopped::new("no_time", NO_TIME));
        }
        let now = self.clock.now();
        let Some((head, incident)) = incident_at(group, index) else {
            return Ok(());
        };
        let Action::Tell {
            step,
            may_be_repeat,
        } = incident.action(now)
        else {
            return Ok(());
        };
        let (first, last) = (
            incident.start,
            incident.last_event_time.unwrap_or(incident.end),
        );
        let place = match (incident.telling, incident.holding) {
            // It took its place before it began.
            (Some(_), _) => Place::Taken,
            (None, Some(hour)) => Place::Full(hour),
            (None, None) => self.place(&incident.id, step, now).await?,
        };
        let events = group.evidence(first, last, step > 1, now).await?;
        if let Place::Full(hour) = place {
            return self.hold_step(group, index, hour, &events, is_told).await;
        }
        let message = step_message(head, incident, (step, may_be_repeat), &events, now)?;
        let incident_id = incident.id.clone();
        // Findings are as old as what was last right: that says nothing of how fast they are told.
        let newest = match head.filter.finding {
            Some(_) => None,
            None => incident.last_event_time,
        };
        if incident.telling.is_none_or(|telling| telling.refused) {
            change(group, index, |incident| incident.begin_telling(now));
            self.save(group, is_told).await?;
        }
        if let Err(error) = self.publish(&message).await {
            // What may have been accepted before may have been so whatever becomes of the repetition.
            if error.had_no_effect() && !may_be_repeat {
                change(group, index, Incident::was_refused);
                self.save(group, is_told).await?;
            }
            self.counted
                .count_by("TellingFailed", "Reason", error.kind.name(), 1);
            return Err(error.into());
        }
        let mut new = 0;
        change(group, index, |incident| {
            new = incident.told(self.clock.now())
        });
        tracing::info!(incident_id, step, may_be_repeat, new, "step told");
        self.counted.count("StepsTold", 1);
        self.counted
            .count("StepsRepeated", u64::from(may_be_repeat));
        self.counted.count("EventsTold", new);
        if let Some(newest) = newest {
            let seconds = self.clock.now().saturating_sub(newest).max(0);
            self.counted.measure("EventToAlarmSeconds", seconds as f64);
        }
        // At once: what goes wrong with the next incident must not repeat this one.
        self.save(group, is_told).await?;
        self.publish_to_chat(&message).await;
        Ok(())
    }

    /// Holds the next step of an incident for the summary of an hour. That it is being held is stored
    /// first, so that a process that dies on the way leaves a step that is held and not told as well.
    async fn hold_step(
        &self,
        group: &mut Group<'_, T>,
        index: usize,
        hour: i64,
        events: &[Evidence],
        is_told: bool,
    ) -> Result<(), Stopped> {
        change(group, index, |incident| incident.holding = Some(hour));
        self.save(group, is_told).await?;
        let Some((head, incident)) = incident_at(group, index) else {
            return Ok(());
        };
        let held = self.hold(hour, head, incident, events).await?;
        let now = self.clock.now();
        change(group, index, |incident| match held {
            Some(held) => {
                let before = incident.told_matched;
                incident.told(now);
                // What came after it was held is still to be told.
                incident.told_matched = before.max(held.matched);
                incident.told_last_event_time = held.last_event_time;
            }
            None => incident.holding = None,
        });
        self.save(group, is_told).await
    }

    async fn save(&self, group: &mut Group<'_, T>, is_told: bool) -> Result<(), Stopped> {
        let now = self.clock.now();
        let due_at = match &group.head {
            None => None,
            Some(head) => {
                let definition = head.filter.definition()?;
                head.due_at(&definition, now, crate::notifier::watermark(now), is_told)
            }
        };
        group.save(due_at, now).await
    }

    fn millis_left(&self) -> i64 {
        self.deadline_millis - self.clock.now_millis()
    }

    /// Publishes to the topic.
    async fn publish(&self, message: &Message) -> Result<(), RequestError> {
        if self.millis_left() < LAST_START_MILLIS {
            return Err(RequestError {
                operation: "Publish",
                kind: ErrorKind::Refused,
                code: None,
                message: None,
                source: NO_TIME.into(),
            });
        }
        let publication = Publication {
            subject: message.subject.clone(),
            message: message.structure(),
            is_json_structure: true,
            attributes: attributes(message),
        };
        let topic = &self.settings.alarm_topic_arn;
        self.topics.publish(topic, &publication).await
    }

    /// Publishes to the topic for chat applications, if there is one. It is a copy: it holds up nothing.
    async fn publish_to_chat(&self, message: &Message) {
        let Some(topic) = &self.settings.chat_topic_arn else {
            return;
        };
        let publication = Publication {
            subject: message.subject.clone(),
            message: message.chat.clone(),
            is_json_structure: false,
            attributes: attributes(message),
        };
        if let Err(error) = self.topics.publish(topic, &publication).await {
            tracing::error!(error = with_sources(&error), "chat topic not told");
            self.counted.count("ChatFailed", 1);
        }
    }

    /// Takes a place among the messages of the hour.
    async fn place(&self, incident_id: &str, step: u32, now: i64) -> Result<Place, Stopped> {
        let _turn = self.quota_lock.lock().await;
        let mut hour = hour_of(now);
        for _ in 0..QUOTA_ATTEMPTS {
            let (mut quota, version) = self.quota(hour).await?;
            match quota.take(incident_id, step) {
                Slot::Taken { changed: false } => return Ok(Place::Taken),
                Slot::Taken { changed: true } => {
                    if self.put_quota(&quota, version).await? {
                        return Ok(Place::Taken);
                    }
                }
                Slot::Full => return Ok(Place::Full(hour)),
                Slot::Closed => hour = quota.end(),
            }
        }
        Err(Stopped::new("conflict", "too many processes tell at once"))
    }

    /// Holds a step for the summary of an hour; again and again is the same as once.
    ///
    /// Returns what the summary tells of it; `None` if it tells nothing. Once the hour is over only what
    /// lies there already counts: the summary may be told at any time.
    async fn hold(
        &self,
        hour: i64,
        head: &Head,
        incident: &Incident,
        events: &[Evidence],
    ) -> Result<Option<HeldStep>, Stopped> {
        let partition = quota_key(hour);
        let sort = format!("held#{}", incident.id);
        let key = ItemKey { partition, sort };
        let known = self.table.get_item(&key).await?;
        let is_over = self.clock.now() >= HourQuota::new(hour).end();
        let held = match known.as_ref().map(parse_held).transpose()? {
            None if is_over => return Ok(None),
            Some(held) if is_over => held,
            _ => {
                let held = held_step(head, incident, events);
                self.put_held(key, &held, hour, known.map(|item| item.version))
                    .await?;
                held
            }
        };
        let _turn = self.quota_lock.lock().await;
        for _ in 0..QUOTA_ATTEMPTS {
            let (mut quota, version) = self.quota(hour).await?;
            if quota.summary != SummaryState::Open {
                return Ok(Some(held).filter(|_| is_over));
            }
            if !quota.hold() || self.put_quota(&quota, version).await? {
                tracing::warn!(
                    incident_id = incident.id,
                    hour,
                    "step held for the summary of the hour"
                );
                self.counted.count("StepsHeld", 1);
                return Ok(Some(held));
            }
        }
        Err(Stopped::new(
            "conflict",
            "too many processes hold steps at once",
        ))
    }

    async fn put_held(
        &self,
        key: ItemKey,
        held: &HeldStep,
        hour: i64,
        known: Option<u64>,
    ) -> Result<(), Stopped> {
        let item = Item {
            key,
            version: known.map_or(1, |version| version + 1),
            body: Body::Text(held.to_json()),
            due_at: None,
            expires_at: HourQuota::new(hour).expires_at(),
        };
        match self.table.put_item(&item, known).await? {
            Put::Written => Ok(()),
            Put::Conflict(_) => Err(Stopped::conflict()),
        }
    }

    /// Tells the summary of an hour.
    pub(crate) async fn summary(&self, hour: i64) -> Result<(), Stopped> {
        let (mut quota, mut version) = self.quota(hour).await?;
        if quota.summary == SummaryState::Told || quota.due_at().is_none() {
            return Ok(());
        }
        let may_be_repeat = quota.summary == SummaryState::Telling;
        if quota.summary != SummaryState::Telling {
            quota.summary = SummaryState::Telling;
            version = self.put_quota_or_stop(&quota, version).await?;
        }
        let partition = quota_key(hour);
        let items = self
            .table
            .items_between(&partition, "held#", "held#~", false, usize::MAX)
            .await?;
        let held: Vec<HeldStep> = items.iter().map(parse_held).collect::<Result<_, _>>()?;
        let incidents: Vec<HeldIncident> = held.iter().map(held_incident).collect();
        let message = notification::summary(&notification::Summary {
            hour_start: hour,
            hour_end: quota.end(),
            limit: MOST_MESSAGES_AN_HOUR as u32,
            may_be_repeat,
            held: &incidents,
        });
        if let Err(error) = self.publish(&message).await {
            self.counted
                .count_by("TellingFailed", "Reason", error.kind.name(), 1);
            if error.had_no_effect() && !may_be_repeat {
                quota.summary = SummaryState::Refused;
                self.put_quota_or_stop(&quota, version).await?;
            }
            return Err(error.into());
        }
        quota.summary = SummaryState::Told;
        self.put_quota_or_stop(&quota, version).await?;
        tracing::info!(hour, incidents = held.len(), may_be_repeat, "summary told");
        self.counted.count("SummariesTold", 1);
        self.counted
            .count("SummariesRepeated", u64::from(may_be_repeat));
        self.counted
            .count("EventsTold", held.iter().map(|step| step.new).sum());
        self.publish_to_chat(&message).await;
        Ok(())
    }

    async fn quota(&self, hour: i64) -> Result<(HourQuota, Option<u64>), Stopped> {
        let item = self.table.get_item(&quota_item_key(hour)).await?;
        let quota = match &item {
            None => HourQuota::new(hour),
            Some(Item {
                body: Body::Text(text),
                ..
            }) => HourQuota::parse(text)?,
            Some(_) => HourQuota::parse("")?,
        };
        Ok((quota, item.map(|item| item.version)))
    }

    /// Writes a quota; `false` if another wrote it meanwhile.
    async fn put_quota(&self, quota: &HourQuota, expected: Option<u64>) -> Result<bool, Stopped> {
        let item = Item {
            key: quota_item_key(quota.hour),
            version: expected.map_or(1, |version| version + 1),
            body: Body::Text(quota.to_json()),
            due_at: quota.due_at(),
            expires_at: quota.expires_at(),
        };
        Ok(self.table.put_item(&item, expected).await? == Put::Written)
    }

    async fn put_quota_or_stop(
        &self,
        quota: &HourQuota,
        expected: Option<u64>,
    ) -> Result<Option<u64>, Stopped> {
        match self.put_quota(quota, expected).await? {
            true => Ok(Some(expected.map_or(1, |version| version + 1))),
            false => Err(Stopped::conflict()),
        }
    }
}

fn quota_item_key(hour: i64) -> ItemKey {
    ItemKey {
        partition: quota_key(hour),
        sort: "quota".to_owned(),
    }
}

/// The hour that a partition key of [`quota_key`] is of.
pub(crate) fn hour_of_partition(partition: &str) -> Option<i64> {
    partition.strip_prefix("quota#")?.parse().ok()
}

fn incident_at<'g, T>(group: &'g Group<'_, T>, index: usize) -> Option<(&'g Head, &'g Incident)> {
    let head = group.head.as_ref()?;
    Some((head, head.incidents.get(index)?))
}

fn attributes(message: &Message) -> Vec<Attribute> {
    let attribute = |(name, value): &(String, String)| Attribute {
        name: name.clone(),
        value: value.clone(),
    };
    message.attributes.iter().map(attribute).collect()
}

fn change<T>(group: &mut Group<'_, T>, index: usize, change: impl FnOnce(&mut Incident)) {
    let head = group.head.as_mut();
    if let Some(incident) = head.and_then(|head| head.incidents.get_mut(index)) {
        change(incident);
    }
}

/// The message of a step.
fn step_message(
    head: &Head,
    incident: &Incident,
    (step, may_be_repeat): (u32, bool),
    events: &[Evidence],
    now: i64,
) -> Result<Message, Stopped> {
    let filter = &head.filter;
    let condition = filter.definition()?.to_string();
    let expired: Vec<(String, String)> = filter
        .expired_suppressions
        .iter()
        .map(|expired| (expired.reason.clone(), expired.expires.clone()))
        .collect();
    let group = named_group(head);
    Ok(notification::message(&notification::Incident {
        id: &incident.id,
        step,
        may_be_repeat,
        filter: FilterText {
            name: &filter.name,
            title: &filter.title,
            severity: &filter.severity,
            pattern: &filter.pattern,
            condition: &condition,
            expired_suppressions: &expired,
        },
        group: &group,
        start: incident.start,
        end: incident.end,
        first_event_time: incident.first_event_time,
        last_event_time: incident.last_event_time,
        matched: incident.matched,
        told_before: incident.told_matched,
        is_open: incident.is_open,
        told_at: now,
        beyond_horizon: incident.beyond_horizon,
        events,
        merged: incident.merged,
        finding: filter.finding.as_ref(),
    }))
}

/// What the group is grouped by, with its values.
fn named_group(head: &Head) -> Vec<(String, Option<String>)> {
    let names = head.filter.group_by.iter().cloned();
    names.zip(head.group.iter().cloned()).collect()
}

fn held_step(head: &Head, incident: &Incident, events: &[Evidence]) -> HeldStep {
    let (title, severity) = (&head.filter.title, &head.filter.severity);
    let events: Vec<&Evidence> = events.iter().collect();
    let matched = incident.matched as usize;
    let story = match &head.filter.finding {
        Some(guide) => {
            let group = named_group(head);
            let subject = FindingSubject::of(title, severity, guide, &group);
            notification::finding_story(&events, matched, &subject)
        }
        None => {
            let subject = StorySubject {
                title,
                severity,
                threshold: None,
            };
            notification::story(&events, matched, &subject)
        }
    };
    HeldStep::new(head, incident, story)
}

fn parse_held(item: &Item) -> Result<HeldStep, StoredError> {
    match &item.body {
        Body::Text(text) => HeldStep::parse(text),
        Body::Bytes(_) => HeldStep::parse(""),
    }
}

fn held_incident(step: &HeldStep) -> HeldIncident {
    HeldIncident {
        id: step.incident_id.clone(),
        name: step.filter.clone(),
        title: step.title.clone(),
        severity: step.severity.clone(),
        group: step.group.clone(),
        matched: step.matched,
        first_event_time: step.first_event_time,
        last_event_time: step.last_event_time,
        story: step.story.clone(),
        unit: step.unit.clone(),
    }
}

/// Whether something due in this partition is that of a group.
pub(crate) fn is_group(partition: &str) -> bool {
    GroupKeys::of_partition(partition).is_some()
}

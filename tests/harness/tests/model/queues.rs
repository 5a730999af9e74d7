//! SQS, as far as it matters: what is not deleted comes again, and a FIFO group waits for its first.

use std::collections::HashSet;

use serde_json::{Value, json};
use testkit::World;

use crate::random::Random;

/// For how long a message that was handed over, and not answered for, stays away.
const VISIBILITY_SECONDS: i64 = 180;

struct Message {
    id: String,
    body: String,
    group: Option<String>,
    receive_count: u32,
    visible_at: i64,
    is_in_flight: bool,
    is_deleted: bool,
}

/// A queue, FIFO if its messages have groups.
pub(crate) struct Queue {
    name: &'static str,
    messages: Vec<Message>,
}

/// What is handed over in one invocation.
pub(crate) struct Batch {
    pub(crate) indices: Vec<usize>,
    pub(crate) payload: Value,
    pub(crate) bodies: Vec<String>,
}

impl Queue {
    pub(crate) fn new(name: &'static str) -> Self {
        Queue {
            name,
            messages: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, body: String, group: Option<String>, visible_at: i64) {
        let id = format!("{}-{}", self.name, self.messages.len());
        self.messages.push(Message {
            id,
            body,
            group,
            receive_count: 0,
            visible_at,
            is_in_flight: false,
            is_deleted: false,
        });
    }

    /// Takes in what the functions have sent since.
    pub(crate) fn take_in(&mut self, world: &World) {
        let sent = world.sent(self.name);
        for sent in sent.into_iter().skip(self.messages.len()) {
            self.push(sent.message.body, Some(sent.message.group_id), 0);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.iter().all(|message| message.is_deleted)
    }

    /// When the next message can be received.
    pub(crate) fn next_visible(&self) -> Option<i64> {
        let waiting = self.messages.iter();
        waiting
            .filter(|message| !message.is_deleted && !message.is_in_flight)
            .map(|message| message.visible_at)
            .min()
    }

    /// Some messages that can be received now; of a FIFO group the first ones, in their order.
    pub(crate) fn receive(&mut self, random: &mut Random, now: i64) -> Option<Batch> {
        let mut available = self.available(now);
        if self
            .messages
            .first()
            .is_some_and(|message| message.group.is_none())
        {
            random.shuffle(&mut available);
        }
        let most = 1 + random.below(6);
        available.truncate(most);
        if available.is_empty() {
            return None;
        }
        let mut records = Vec::new();
        let mut bodies = Vec::new();
        for &index in &available {
            let message = &mut self.messages[index];
            message.receive_count += 1;
            message.is_in_flight = true;
            bodies.push(message.body.clone());
            records.push(testkit::sqs_record(
                &message.id,
                &message.body,
                message.receive_count,
                message.group.as_deref(),
            ));
        }
        Some(Batch {
            indices: available,
            payload: json!({ "Records": records }),
            bodies,
        })
    }

    fn available(&self, now: i64) -> Vec<usize> {
        let mut waits: HashSet<&str> = HashSet::new();
        let in_flight = self.messages.iter().filter(|message| message.is_in_flight);
        waits.extend(in_flight.filter_map(|message| message.group.as_deref()));
        let mut available = Vec::new();
        for (index, message) in self.messages.iter().enumerate() {
            if message.is_deleted || message.is_in_flight {
                continue;
            }
            let group_waits = message
                .group
                .as_deref()
                .is_some_and(|group| waits.contains(group));
            if message.visible_at <= now && !group_waits {
                available.push(index);
            } else if let Some(group) = &message.group {
                waits.insert(group);
            }
        }
        available
    }

    /// The invocation has answered: what failed comes again soon, the rest is deleted. Once in a
    /// while a deletion is lost.
    pub(crate) fn answered(
        &mut self,
        batch: &Batch,
        answer: &Value,
        random: &mut Random,
        now: i64,
    ) {
        let failures = answer["batchItemFailures"].as_array().unwrap();
        let failed: HashSet<&str> = failures
            .iter()
            .map(|failure| failure["itemIdentifier"].as_str().unwrap())
            .collect();
        for &index in &batch.indices {
            let message = &mut self.messages[index];
            message.is_in_flight = false;
            if failed.contains(message.id.as_str()) {
                message.visible_at = now + random.between(0, 60);
            } else if random.one_in(20) {
                message.visible_at = now + VISIBILITY_SECONDS;
            } else {
                message.is_deleted = true;
            }
        }
    }

    /// The process has died: all of it comes again.
    pub(crate) fn unanswered(&mut self, batch: &Batch, now: i64) {
        for &index in &batch.indices {
            self.messages[index].is_in_flight = false;
            self.messages[index].visible_at = now + VISIBILITY_SECONDS;
        }
    }
}

//! What lies in the table as the functions read it: the alarms that follow from the samples there, and
//! a way to set the clock of a stored item back.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that meets anything but what it expects shall fail; each test uses what it needs"
)]

use alarm_state::Head;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::Stack;
use ports::{Body, Item, ItemKey, Items, Put};
use serde_json::{Value, json};
use testkit::World;

use crate::scene::{self, Alarm};

/// Every item of the stack's table.
pub(crate) async fn items(stack: &Stack) -> Vec<Item> {
    let stored = stack.account.scan_table(&stack.table).await;
    stored.iter().map(item).collect()
}

/// The alarms that follow from the stored samples alone, whatever the incidents say.
pub(crate) async fn alarms_in_buckets(stack: &Stack) -> Vec<Alarm> {
    alarms_of_items(items(stack).await)
}

/// Changes each item that `wanted` takes, past its version, as no function would.
pub(crate) async fn change_items(
    stack: &Stack,
    wanted: impl Fn(&Item) -> bool,
    change: impl Fn(&mut Item),
) -> usize {
    let mut changed = 0;
    for mut item in items(stack).await {
        if wanted(&item) {
            change(&mut item);
            put(stack, &item).await;
            changed += 1;
        }
    }
    changed
}

/// Stores an item, whatever is there.
pub(crate) async fn put(stack: &Stack, item: &Item) {
    stack
        .account
        .put_item(&stack.table, &attributes(item))
        .await;
}

/// The text of an item.
pub(crate) fn text(item: &Item) -> &str {
    match &item.body {
        Body::Text(text) => text,
        Body::Bytes(_) => "",
    }
}

fn alarms_of_items(items: Vec<Item>) -> Vec<Alarm> {
    let now = scene::now();
    let world = World::new(now);
    let mut alarms = Vec::new();
    let heads: Vec<Item> = items
        .iter()
        .filter(|item| item.key.sort == "head")
        .cloned()
        .collect();
    for item in items {
        let put = testkit::run(world.put_item(&item, None)).unwrap().unwrap();
        assert_eq!(put, Put::Written);
    }
    for item in heads {
        let head = Head::parse(text(&item)).unwrap();
        let group: Vec<String> = head.group.iter().flatten().cloned().collect();
        let found = alarm_notifier::alarms_of_group(&world, &item.key.partition, now, now - 900);
        for alarm in testkit::run(found).unwrap().unwrap() {
            alarms.push((
                head.filter.name.clone(),
                group.join(", "),
                testkit::time(alarm.start),
                testkit::time(alarm.end),
                alarm.matched as u64,
            ));
        }
    }
    alarms.sort();
    alarms
}

fn item(stored: &Value) -> Item {
    let text = |name: &str| stored[name]["S"].as_str().map(str::to_owned);
    let number = |name: &str| {
        stored[name]["N"]
            .as_str()
            .map(|number| number.parse::<i64>().unwrap())
    };
    let body = match stored["body"]["B"].as_str() {
        Some(bytes) => Body::Bytes(STANDARD.decode(bytes).unwrap()),
        None => Body::Text(text("body").unwrap()),
    };
    Item {
        key: ItemKey {
            partition: text("pk").unwrap(),
            sort: text("sk").unwrap(),
        },
        version: number("version").unwrap() as u64,
        body,
        due_at: number("due_at"),
        expires_at: number("expires").unwrap(),
    }
}

fn attributes(item: &Item) -> Value {
    let number = |number: i64| json!({ "N": number.to_string() });
    let mut stored = json!({
        "pk": { "S": item.key.partition }, "sk": { "S": item.key.sort },
        "version": number(item.version as i64), "expires": number(item.expires_at),
        "body": match &item.body {
            Body::Text(text) => json!({ "S": text }),
            Body::Bytes(bytes) => json!({ "B": STANDARD.encode(bytes) }),
        },
    });
    if let Some(due_at) = item.due_at {
        stored["due"] = json!({ "S": "due" });
        stored["due_at"] = number(due_at);
    }
    stored
}

//! All ports at once, in memory.

mod account;
mod objects;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::task::Poll;

use ports::{
    Body, Clock, ErrorKind, Item, ItemKey, Items, LogEvent, Publication, Publish, Put,
    PutLogEvents, QueueMessage, RejectedLogEvents, RequestError, SendMessages,
};

use self::account::Account;
pub use self::account::PublicKeysHandle;
use self::objects::Buckets;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails and nothing is done.
    Fail(ErrorKind),
    /// It is carried out, and its answer is lost; that of [`StreamObject`](ports::StreamObject) half way.
    LoseAnswer,
    /// The bytes of an object end half way, and it is read again, within the same request. Any other
    /// request is carried out.
    BreakOff,
    /// The process dies before it.
    DieBefore,
    /// The process dies after it.
    DieAfter,
}

/// Everything the functions talk to. Clones share it.
#[derive(Debug, Clone)]
pub struct World {
    state: Rc<RefCell<State>>,
    dead: Rc<Cell<bool>>,
}

#[derive(Debug, Default)]
struct State {
    now_millis: i64,
    requests: Vec<String>,
    faults: HashMap<usize, Fault>,
    failing: Vec<(String, Fault)>,
    take_turns: bool,
    buckets: Buckets,
    account: Account,
    items: BTreeMap<ItemKey, Item>,
    queues: BTreeMap<String, Vec<Sent>>,
    logs: Vec<LogEvent>,
    publications: Vec<(String, Publication)>,
}

/// A message that a queue has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message.
    pub message: QueueMessage,
    /// When, in milliseconds since the epoch.
    pub at_millis: i64,
}

/// One queue of a [`World`].
#[derive(Debug, Clone)]
pub struct QueueHandle {
    world: World,
    name: String,
}

/// The largest item of DynamoDB, names and values of its keys included.
const MOST_ITEM_BYTES: usize = 400 * 1024;

/// The largest message of a queue (as AWS had it for long; ours stay below) and of a topic.
const MOST_MESSAGE_BYTES: usize = 256 * 1024;

/// For how long a FIFO queue knows a deduplication id.
const DEDUPLICATION_MILLIS: i64 = 300_000;

impl World {
    /// An empty world at this time, in Unix seconds.
    pub fn new(now: i64) -> Self {
        let state = State {
            now_millis: now * 1000,
            ..State::default()
        };
        World {
            state: Rc::new(RefCell::new(state)),
            dead: Rc::new(Cell::new(false)),
        }
    }

    /// The same world as another process sees it, which lives and dies by itself.
    pub fn process(&self) -> World {
        World {
            state: Rc::clone(&self.state),
            dead: Rc::default(),
        }
    }

    /// Whether the process has died and was not [revived](Self::revive).
    pub fn is_dead(&self) -> bool {
        self.dead.get()
    }

    /// From now on a request lets the others go first: it is carried out when it is polled again.
    pub fn take_turns(&self) {
        self.state.borrow_mut().take_turns = true;
    }

    /// Lets time pass.
    pub fn advance(&self, seconds: i64) {
        self.state.borrow_mut().now_millis += seconds * 1000;
    }

    /// The queue with this name.
    pub fn queue(&self, name: &str) -> QueueHandle {
        QueueHandle {
            world: self.clone(),
            name: name.to_owned(),
        }
    }

    /// What a queue has accepted, the oldest first.
    pub fn sent(&self, queue: &str) -> Vec<Sent> {
        let state = self.state.borrow();
        state.queues.get(queue).cloned().unwrap_or_default()
    }

    /// What the evidence log has accepted.
    pub fn logs(&self) -> Vec<LogEvent> {
        self.state.borrow().logs.clone()
    }

    /// What topics have accepted, with their ARNs.
    pub fn publications(&self) -> Vec<(String, Publication)> {
        self.state.borrow().publications.clone()
    }

    /// Every item of the table.
    pub fn items(&self) -> Vec<Item> {
        self.state.borrow().items.values().cloned().collect()
    }

    /// Deletes every item that has expired, as DynamoDB does in its own time.
    pub fn delete_expired(&self) {
        let mut state = self.state.borrow_mut();
        let now = state.now_millis.div_euclid(1000);
        state.items.retain(|_, item| item.expires_at > now);
    }

    /// Every request so far: `Put p/s`, `Publish arn`.
    pub fn requests(&self) -> Vec<String> {
        self.state.borrow().requests.clone()
    }

    /// The request with this number, from 0, meets a fault.
    pub fn fault_at(&self, index: usize, fault: Fault) {
        self.state.borrow_mut().faults.insert(index, fault);
    }

    /// Every request that starts so meets a fault, until [`heal`](Self::heal).
    pub fn fail_all(&self, starts_with: &str, fault: Fault) {
        let mut state = self.state.borrow_mut();
        state.failing.push((starts_with.to_owned(), fault));
    }

    /// Takes all faults away.
    pub fn heal(&self) {
        let mut state = self.state.borrow_mut();
        state.faults.clear();
        state.failing.clear();
    }

    /// A new process after a death.
    pub fn revive(&self) {
        self.dead.set(false);
    }

    /// Carries out a request, or not.
    async fn request<T>(
        &self,
        operation: &'static str,
        of: &str,
        carry_out: impl FnOnce(&mut State) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let carry_out = |state: &mut State, _| carry_out(state);
        self.request_with_fault(operation, of, carry_out).await
    }

    /// The same for one that shows its fault in its own way, too.
    async fn request_with_fault<T>(
        &self,
        operation: &'static str,
        of: &str,
        carry_out: impl FnOnce(&mut State, Option<Fault>) -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let takes_turns = self.state.borrow().take_turns;
        if takes_turns {
            turn().await;
        }
        if self.dead.get() {
            return std::future::pending().await;
        }
        let fault = {
            let mut state = self.state.borrow_mut();
            let text = format!("{operation} {of}");
            let standing = state
                .failing
                .iter()
                .find_map(|(start, fault)| text.starts_with(start.as_str()).then_some(*fault));
            let index = state.requests.len();
            state.requests.push(text);
            state.faults.remove(&index).or(standing)
        };
        if fault == Some(Fault::DieBefore) {
            self.dead.set(true);
            return std::future::pending().await;
        }
        if let Some(Fault::Fail(kind)) = fault {
            return Err(error(operation, kind));
        }
        let outcome = carry_out(&mut self.state.borrow_mut(), fault);
        match fault {
            Some(Fault::DieAfter) => {
                self.dead.set(true);
                std::future::pending().await
            }
            Some(Fault::LoseAnswer) => Err(error(operation, ErrorKind::Unknown)),
            _ => outcome,
        }
    }
}

/// Pending once.
async fn turn() {
    let mut is_first = true;
    std::future::poll_fn(|context| {
        if std::mem::take(&mut is_first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// Refuses what a service would refuse for its size.
fn check_size(operation: &'static str, bytes: usize, most: usize) -> Result<(), RequestError> {
    match bytes <= most {
        true => Ok(()),
        false => Err(RequestError {
            operation,
            kind: ErrorKind::Refused,
            code: None,
            message: None,
            source: format!("{bytes} bytes are more than {most}").into(),
        }),
    }
}

fn item_bytes(item: &Item) -> usize {
    let body = match &item.body {
        Body::Text(text) => text.len(),
        Body::Bytes(bytes) => bytes.len(),
    };
    item.key.partition.len() + item.key.sort.len() + body
}

fn publication_bytes(publication: &Publication) -> usize {
    let attributes = publication.attributes.iter();
    let attributes = attributes.map(|attribute| attribute.name.len() + attribute.value.len());
    publication.subject.len() + publication.message.len() + attributes.sum::<usize>()
}

fn error(operation: &'static str, kind: ErrorKind) -> RequestError {
    RequestError {
        operation,
        kind,
        code: None,
        message: None,
        source: "a fault of the test".into(),
    }
}

impl Clock for World {
    fn now_millis(&self) -> i64 {
        self.state.borrow().now_millis
    }
}

impl Items for World {
    async fn get_item(&self, key: &ItemKey) -> Result<Option<Item>, RequestError> {
        let of = format!("{}/{}", key.partition, key.sort);
        self.request("GetItem", &of, |state| Ok(state.items.get(key).cloned()))
            .await
    }

    async fn items_between(
        &self,
        partition: &str,
        first: &str,
        last: &str,
        backwards: bool,
        most: usize,
    ) -> Result<Vec<Item>, RequestError> {
        let key = |sort: &str| ItemKey {
            partition: partition.to_owned(),
            sort: sort.to_owned(),
        };
        self.request("Query", &format!("{partition}/{first}"), |state| {
            if first > last {
                return Err(error("Query", ErrorKind::Refused));
            }
            let mut items: Vec<Item> = state
                .items
                .range(key(first)..=key(last))
                .map(|(_, item)| item.clone())
                .collect();
            if backwards {
                items.reverse();
            }
            items.truncate(most);
            Ok(items)
        })
        .await
    }

    async fn put_item(&self, item: &Item, expected: Option<u64>) -> Result<Put, RequestError> {
        assert_ne!(
            Some(item.version),
            expected,
            "a write has a version of its own"
        );
        let of = format!("{}/{}", item.key.partition, item.key.sort);
        self.request("PutItem", &of, |state| {
            check_size("PutItem", item_bytes(item), MOST_ITEM_BYTES)?;
            let known = state.items.get(&item.key);
            if known == Some(item) {
                return Ok(Put::Written);
            }
            if known.map(|known| known.version) != expected {
                return Ok(Put::Conflict(known.cloned()));
            }
            state.items.insert(item.key.clone(), item.clone());
            Ok(Put::Written)
        })
        .await
    }

    async fn due_items(&self, now: i64, most: usize) -> Result<Vec<(ItemKey, i64)>, RequestError> {
        self.request("Query", "due", |state| {
            let due = state.items.values().filter_map(|item| {
                let due_at = item.due_at.filter(|&due_at| due_at <= now)?;
                Some((item.key.clone(), due_at))
            });
            let mut due: Vec<_> = due.collect();
            due.sort_by_key(|&(_, due_at)| due_at);
            due.truncate(most);
            Ok(due)
        })
        .await
    }
}

impl SendMessages for QueueHandle {
    async fn send_messages(&self, messages: &[QueueMessage]) -> Result<(), RequestError> {
        for batch in messages.chunks(10) {
            let carry_out = |state: &mut State| {
                for message in batch {
                    check_size("SendMessageBatch", message.body.len(), MOST_MESSAGE_BYTES)?;
                }
                let at_millis = state.now_millis;
                let queue = state.queues.entry(self.name.clone()).or_default();
                for message in batch {
                    let is_known = queue.iter().any(|sent| {
                        sent.message.group_id == message.group_id
                            && sent.message.deduplication_id == message.deduplication_id
                            && at_millis - sent.at_millis < DEDUPLICATION_MILLIS
                    });
                    if !is_known {
                        queue.push(Sent {
                            message: message.clone(),
                            at_millis,
                        });
                    }
                }
                Ok(())
            };
            self.world
                .request("SendMessageBatch", &self.name, carry_out)
                .await?;
        }
        Ok(())
    }
}

impl PutLogEvents for World {
    async fn put_log_events(&self, events: &[LogEvent]) -> Result<RejectedLogEvents, RequestError> {
        self.request("PutLogEvents", "", |state| {
            let oldest = state.now_millis - 14 * 86_400_000;
            let (taken, too_old): (Vec<LogEvent>, Vec<LogEvent>) = events
                .iter()
                .cloned()
                .partition(|event| event.timestamp_millis >= oldest);
            assert!(events.is_sorted_by_key(|event| event.timestamp_millis));
            state.logs.extend(taken);
            Ok(RejectedLogEvents {
                too_old: too_old.len(),
                too_new: 0,
            })
        })
        .await
    }
}

impl Publish for World {
    async fn publish(
        &self,
        topic_arn: &str,
        publication: &Publication,
    ) -> Result<(), RequestError> {
        self.request("Publish", topic_arn, |state| {
            let bytes = publication_bytes(publication);
            check_size("Publish", bytes, MOST_MESSAGE_BYTES)?;
            state
                .publications
                .push((topic_arn.to_owned(), publication.clone()));
            Ok(())
        })
        .await
    }
}

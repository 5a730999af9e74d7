//! Runs the function binaries as processes, as Lambda does, against an emulator of AWS.
//!
//! ```no_run
//! # async fn example() {
//! use harness::{Account, EventSource, Fault, Function, FunctionSpec, Matcher, MiniStack, Proxy, QueueSpec, Service};
//! use std::time::Duration;
//!
//! let account = Account::new();
//! let queue = account.create_queue(QueueSpec::standard("log-files").visibility_seconds(1)).await;
//! let proxy = Proxy::start(MiniStack::shared()).await;
//! let spec = FunctionSpec::new(&harness::binaries().log_processor, "log-processor", &account).endpoint(&proxy);
//! let function = Function::start(spec);
//! proxy.attach(&function);
//!
//! proxy.fault(Matcher::nth(Service::DynamoDb, "PutItem", 0), Fault::KillAfter);
//! account.send_message(&queue, "a notification").await;
//! EventSource::new(&account, &queue, &function).drain(Duration::from_secs(20)).await;
//! assert_eq!(function.starts(), 2);
//! # }
//! ```
//!
//! - [`MiniStack`] is the emulator, one process per test binary; an [`Account`] is a space of its own in
//!   it and the client that sets a scene and looks at the result.
//! - A [`Proxy`] stands between a function and the emulator. It records each [`Call`] and puts a
//!   [`Fault`] where a [`Matcher`] says.
//! - A [`Stack`] is all of it as it is deployed: bucket, queues, table, log group, topic, both functions.
//! - A [`CloudTrail`] stands in for the service of that name, of which the emulator has too little.
//! - A [`Function`] is a binary behind a Lambda Runtime API of its own; an [`EventSource`] is the SQS
//!   event source mapping that feeds it.
//!
//! Everything listens on loopback at free ports and ends with the test, also when it panics. Should the
//! test process be killed, the emulator ends at once, a function when it next asks for anything. The
//! harness asserts: a request of its own that fails is a panic that says what was expected, never a
//! value a test could forget to look at.
//!
//! Source: Lambda Developer Guide, "Using the Lambda runtime API" and "Using Lambda with Amazon SQS".
//! Out of scope: permissions, memory limits, batching windows and the scaling of event source mappings.

mod account;
mod binaries;
mod call;
mod cloudformation;
mod cloudtrail;
mod dynamodb;
mod event_source;
mod fault;
mod function;
pub mod http;
mod lambda;
mod logs;
mod memory;
mod ministack;
mod process;
mod proxy;
mod runtime_api;
mod s3;
mod server;
mod sns;
mod sqs;
mod sqs_event;
mod stack;
mod xml;

pub use account::{Account, REGION};
pub use binaries::{Binaries, binaries};
pub use call::{Call, Service};
pub use cloudformation::CreatedStack;
pub use cloudtrail::CloudTrail;
pub use dynamodb::plain_item;
pub use event_source::{Batch, EventSource, Poller, Report};
pub use fault::{Fault, Matcher};
pub use function::{Function, FunctionSpec, Invocation};
pub use ministack::MiniStack;
pub use proxy::Proxy;
pub use sns::Topic;
pub use sqs::{Depth, Message, Queue, QueueSpec};
pub use sqs_event::{failed_messages, sqs_event};
pub use stack::{Stack, StackOptions};

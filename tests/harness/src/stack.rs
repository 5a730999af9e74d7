//! The whole pipeline as it is deployed, with each function behind a proxy of its own.

use std::time::Duration;

use serde_json::Value;

use crate::{
    Account, EventSource, Function, FunctionSpec, MiniStack, Proxy, Queue, QueueSpec, Report,
    Topic, binaries, plain_item,
};

/// What may differ from stack to stack.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// How long the log processor may take.
    pub processor_timeout: Duration,
    /// How long the alarm notifier may take.
    pub notifier_timeout: Duration,
    /// How many processes of the log processor there may be.
    pub processor_concurrency: usize,
    /// How many processes of the alarm notifier there may be.
    pub notifier_concurrency: usize,
    /// After so many seconds a message that was not deleted comes again.
    pub visibility_seconds: u32,
    /// How often a message of the log-file queue is received before it goes to the dead-letter queue.
    pub max_receives: u32,
    /// The same for the match queue.
    pub match_max_receives: u32,
    /// More of the log processor's environment.
    pub processor_env: Vec<(String, String)>,
    /// More of the alarm notifier's environment.
    pub notifier_env: Vec<(String, String)>,
}

impl Default for StackOptions {
    fn default() -> Self {
        StackOptions {
            processor_timeout: Duration::from_secs(20),
            notifier_timeout: Duration::from_secs(10),
            processor_concurrency: 1,
            notifier_concurrency: 1,
            visibility_seconds: 2,
            max_receives: 5,
            match_max_receives: 5,
            processor_env: Vec::new(),
            notifier_env: Vec::new(),
        }
    }
}

/// A pipeline in an account of its own.
pub struct Stack {
    /// Where it lives, and the client that looks at it.
    pub account: Account,
    /// The trail's bucket.
    pub bucket: String,
    /// Its name in the table, as the functions know it.
    pub table: String,
    /// The log group of metrics and evidence.
    pub log_group: String,
    /// The log-file queue.
    pub log_files: Queue,
    /// Its dead-letter queue.
    pub log_files_dead: Queue,
    /// The match queue.
    pub matches: Queue,
    /// Its dead-letter queue.
    pub matches_dead: Queue,
    /// The alarm topic.
    pub topic: Topic,
    /// A queue that is subscribed to the topic.
    pub inbox: Queue,
    /// The log processor.
    pub processor: Function,
    /// What stands between it and AWS.
    pub processor_proxy: Proxy,
    /// The alarm notifier.
    pub notifier: Function,
    /// What stands between it and AWS.
    pub notifier_proxy: Proxy,
}

impl Stack {
    /// A pipeline with nothing in it.
    pub async fn new(options: StackOptions) -> Self {
        let account = Account::new();
        let bucket = format!("trail-{}", account.id());
        account.create_bucket(&bucket).await;
        let (table, log_group) = ("trailwarden".to_owned(), "/trailwarden/evidence".to_owned());
        account.create_table(&table).await;
        account.create_log_group(&log_group).await;
        let seconds = options.visibility_seconds;
        let log_files_dead = account
            .create_queue(QueueSpec::standard("log-files-dead"))
            .await;
        let log_files = QueueSpec::standard("log-files")
            .visibility_seconds(seconds)
            .redrive(&log_files_dead, options.max_receives);
        let log_files = account.create_queue(log_files).await;
        let matches_dead = account
            .create_queue(QueueSpec::fifo("matches-dead.fifo"))
            .await;
        let matches = QueueSpec::fifo("matches.fifo")
            .visibility_seconds(seconds)
            .redrive(&matches_dead, options.match_max_receives);
        let matches = account.create_queue(matches).await;
        let topic = account.create_topic("alarms").await;
        let inbox = account.create_queue(QueueSpec::standard("inbox")).await;
        account.subscribe_queue(&topic, &inbox, false).await;

        let processor_proxy = Proxy::start(MiniStack::shared()).await;
        let mut spec = FunctionSpec::new(&binaries().log_processor, "log-processor", &account)
            .endpoint(&processor_proxy)
            .timeout(options.processor_timeout)
            .concurrency(options.processor_concurrency)
            .env("TRAILWARDEN_TABLE", &table)
            .env("MATCH_QUEUE_URL", &matches.url)
            .env("EVIDENCE_LOG_GROUP", &log_group)
            .env("MAX_RECEIVE_COUNT", options.max_receives.to_string());
        spec.env.extend(options.processor_env);
        let processor = Function::start(spec);
        processor_proxy.attach(&processor);

        let notifier_proxy = Proxy::start(MiniStack::shared()).await;
        let mut spec = FunctionSpec::new(&binaries().alarm_notifier, "alarm-notifier", &account)
            .endpoint(&notifier_proxy)
            .timeout(options.notifier_timeout)
            .concurrency(options.notifier_concurrency)
            .env("TRAILWARDEN_TABLE", &table)
            .env("MATCH_QUEUE_URL", &matches.url)
            .env("MATCH_DEAD_LETTER_QUEUE_URL", &matches_dead.url)
            .env("ALARM_TOPIC_ARN", &topic.arn);
        spec.env.extend(options.notifier_env);
        let notifier = Function::start(spec);
        notifier_proxy.attach(&notifier);

        Stack {
            account,
            bucket,
            table,
            log_group,
            log_files,
            log_files_dead,
            matches,
            matches_dead,
            topic,
            inbox,
            processor,
            processor_proxy,
            notifier,
            notifier_proxy,
        }
    }

    /// From now on every object in the bucket is announced, as S3 does it.
    pub async fn announce_objects(&self) {
        self.account
            .put_bucket_notification(&self.bucket, &self.log_files)
            .await;
    }

    /// What feeds the log processor.
    pub fn log_file_source(&self) -> EventSource {
        EventSource::new(&self.account, &self.log_files, &self.processor)
            .concurrency(self.processor.spec().concurrency)
    }

    /// What feeds the alarm notifier.
    pub fn match_source(&self) -> EventSource {
        EventSource::new(&self.account, &self.matches, &self.notifier)
            .concurrency(self.notifier.spec().concurrency)
    }

    /// Runs both functions until both queues are empty.
    pub async fn drain(&self, timeout: Duration) -> (Report, Report) {
        let log_files = self.log_file_source().drain(timeout).await;
        let matches = self.match_source().drain(timeout).await;
        (log_files, matches)
    }

    /// Invokes the alarm notifier as the schedule does.
    pub async fn tick(&self) -> Value {
        let scheduled = serde_json::json!({
            "version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {},
        });
        self.notifier.invoke(&scheduled).await.response()
    }

    /// Takes every message that the topic has sent so far: the JSON documents for machines.
    pub async fn take_messages(&self) -> Vec<Value> {
        let mut messages = Vec::new();
        loop {
            let received = self
                .account
                .receive_messages(&self.inbox, 10, Duration::ZERO)
                .await;
            if received.is_empty() {
                return messages;
            }
            for message in received {
                let envelope: Value = parse(&message.body);
                let document = envelope.get("Message").and_then(Value::as_str);
                messages.push(parse(document.unwrap_or_default()));
                self.account
                    .delete_message(&self.inbox, &message.receipt_handle)
                    .await;
            }
        }
    }

    /// Every item of the table, without the letters of DynamoDB's types.
    pub async fn items(&self) -> Vec<Value> {
        let items = self.account.scan_table(&self.table).await;
        items.iter().map(plain_item).collect()
    }

    /// The sum of a metric in what a function wrote to its log.
    pub fn metric(&self, function: &Function, name: &str) -> u64 {
        let lines = function.log_lines();
        let documents = lines
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|document| document.get("_aws").is_some());
        documents
            .filter_map(|document| document.get(name)?.as_u64())
            .sum()
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text)
        .unwrap_or_else(|error| panic!("expected a JSON document ({error}), found {text}"))
}

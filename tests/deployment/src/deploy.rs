//! The template deployed to the emulator, with the real functions.

use std::fs;
use std::path::Path;
use std::thread;

use harness::{Account, CreatedStack, MiniStack, Queue, Topic};
use serde_json::Value;

use crate::emulator::{Edit, adapt, edits};
use crate::template::Template;
use crate::{repository, zip};

const ARTIFACTS: &str = "artifacts";

/// An account that has what a deployment begins with: the functions' packages, in a bucket.
#[derive(Clone, Debug)]
pub struct Prepared {
    account: Account,
}

/// A stack, the bucket of its trail, and a queue that gets what the alarm topic sends.
#[derive(Debug)]
pub struct Deployment {
    /// Where it is.
    pub account: Account,
    /// What CloudFormation made.
    pub stack: CreatedStack,
    /// The trail's bucket. It announces nothing until it is told to.
    pub bucket: String,
    /// Subscribed to the alarm topic, without raw delivery.
    pub inbox: Queue,
    /// The queue of log files.
    pub log_files: Queue,
    /// Its dead-letter queue.
    pub log_files_dead: Queue,
    /// The queue of matches.
    pub matches: Queue,
    /// Its dead-letter queue.
    pub matches_dead: Queue,
}

impl Prepared {
    /// Uploads the packages, as `sam deploy` does, to an account of its own.
    pub async fn new() -> Self {
        let account = Account::new();
        account.create_bucket(ARTIFACTS).await;
        let binaries = harness::binaries();
        for (function, binary) in [
            ("LogProcessor", &binaries.log_processor),
            ("AlarmNotifier", &binaries.alarm_notifier),
            ("DigestValidator", &binaries.digest_validator),
        ] {
            let package = zip::bootstrap(&read(binary));
            account
                .put_object(ARTIFACTS, &format!("{function}.zip"), package)
                .await;
        }
        Self { account }
    }

    /// The account.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Creates a stack, over the bucket `trail-<name>`, with these parameters and an address to mail to.
    ///
    /// # Panics
    ///
    /// The edits for the emulator do not fit the template, or the stack does not become `CREATE_COMPLETE`; the reasons
    /// are in the message.
    pub async fn deploy(&self, name: &str, parameters: &[(&str, &str)]) -> Deployment {
        // Who asks the emulator for public keys is refused.
        let cloudtrail = MiniStack::shared().url();
        self.deploy_with(name, parameters, &cloudtrail).await
    }

    /// As [`deploy`](Self::deploy), with the URL of something that is CloudTrail to the functions.
    ///
    /// # Panics
    ///
    /// As it does.
    pub async fn deploy_with(
        &self,
        name: &str,
        parameters: &[(&str, &str)],
        cloudtrail: &str,
    ) -> Deployment {
        let account = self.account.clone();
        let bucket = format!("trail-{name}");
        account.create_bucket(&bucket).await;
        let required = [
            ("AlarmEmail", "security@example.com"),
            ("TrailBucketName", &bucket),
        ];
        let parameters = [&required, parameters].concat();
        let template_key = format!("{name}.template");
        account
            .put_object(
                ARTIFACTS,
                &template_key,
                adapted_template(&parameters, cloudtrail),
            )
            .await;
        let stack = account
            .create_stack(name, (ARTIFACTS, &template_key), &parameters)
            .await;
        assert_eq!(
            stack.status,
            "CREATE_COMPLETE",
            "{}\n{}",
            stack.failures.join("\n"),
            MiniStack::shared().log()
        );
        let inbox = harness::QueueSpec::standard(&format!("{name}-inbox"));
        let inbox = account.create_queue(inbox).await;
        let topic = topic(stack.resource("AlarmTopic"));
        account.subscribe_queue(&topic, &inbox, false).await;
        Deployment {
            bucket,
            inbox,
            log_files: account.queue(stack.resource("LogFileQueue")).await,
            log_files_dead: account
                .queue(stack.resource("LogFileDeadLetterQueue"))
                .await,
            matches: account.queue(stack.resource("MatchQueue")).await,
            matches_dead: account.queue(stack.resource("MatchDeadLetterQueue")).await,
            stack,
            account,
        }
    }
}

impl Deployment {
    /// What is on the queues, warnings and last lines of the functions' logs, and the emulator's log.
    pub async fn state(&self) -> String {
        let mut lines = Vec::new();
        for queue in [
            &self.log_files,
            &self.log_files_dead,
            &self.matches,
            &self.matches_dead,
            &self.inbox,
        ] {
            let depth = self.account.queue_depth(queue).await;
            lines.push(format!("{}: {depth:?}", queue.name));
        }
        for group in [
            "LogProcessorLogGroup",
            "AlarmNotifierLogGroup",
            "DigestValidatorLogGroup",
        ] {
            let Some(name) = self.stack.resources.get(group) else {
                continue;
            };
            lines.push(format!("-- {group}"));
            let mut log = self.account.log_events(name).await;
            log.sort_by_key(|event| event.get("timestamp").and_then(Value::as_i64));
            let text = |event: &Value| event.get("message")?.as_str().map(str::to_owned);
            let said: Vec<String> = log.iter().filter_map(text).collect();
            let (earlier, tail) = said.split_at(said.len().saturating_sub(40));
            let is_odd = |line: &&String| line.contains("ERROR") || line.contains("WARN");
            lines.extend(earlier.iter().filter(is_odd).cloned());
            lines.push("-- its last lines".to_owned());
            lines.extend_from_slice(tail);
        }
        lines.push("-- the emulator".to_owned());
        lines.push(MiniStack::shared().log());
        lines.join("\n")
    }
}

/// A test that fails says what the functions had to say.
impl Drop for Deployment {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        thread::scope(|scope| {
            // The runtime of the test may be one that does not let itself be blocked.
            let said = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .ok()?;
                Some(runtime.block_on(self.state()))
            });
            if let Ok(Some(state)) = said.join() {
                say(&format!(
                    "state of the stack `{}`:\n{state}",
                    self.stack.name
                ));
            }
        });
    }
}

#[expect(clippy::print_stderr, reason = "part of the report of a failed test")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// A topic that somebody else made.
pub fn topic(arn: &str) -> Topic {
    Topic {
        arn: arn.to_owned(),
    }
}

/// The edits in `emulator.json`.
fn emulator_edits(cloudtrail: &str) -> Vec<Edit> {
    let list = read(&repository().join("tests/deployment/emulator.json"));
    let endpoint = MiniStack::shared().url();
    let values = [
        ("{endpoint}", endpoint.as_str()),
        ("{cloudtrail}", cloudtrail),
    ];
    edits(&String::from_utf8_lossy(&list), &values)
        .unwrap_or_else(|error| panic!("expected a list of edits: {error}"))
}

fn adapted_template(parameters: &[(&str, &str)], cloudtrail: &str) -> String {
    let translated = Template::translated();
    let evaluation = translated.with_parameters(parameters.iter().copied());
    let mut template = translated.json().clone();
    adapt(&mut template, &emulator_edits(cloudtrail), |value| {
        evaluation.value(value)
    })
    .unwrap_or_else(|error| panic!("expected the edits for the emulator to fit: {error}"));
    template.to_string()
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("expected to read `{}`: {error}", path.display()))
}

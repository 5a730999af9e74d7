//! Plays a scene: messages to functions, side by side, with faults, until nothing is left to be done.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use log_processor::FiltersSource;
use ports::{ErrorKind, ObjectLocation};
use serde_json::{Value, json};
use testkit::{Fault, QueueHandle, World};

use crate::queues::{Batch, Queue};
use crate::random::Random;
use crate::scene::{BUCKET, FILTERS, START, Scene, announcement};

type Processor = log_processor::Processor<World, World, QueueHandle, World, World>;
type Notifier = alarm_notifier::Notifier<World, QueueHandle, QueueHandle, World, World>;

const MATCHES: &str = "matches";
pub(crate) const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:alarms";

/// For how long an invocation may run, in milliseconds.
const TIMEOUT_MILLIS: i64 = 30_000;

/// Invocations side by side.
const LANES: usize = 2;

/// More invocations than any scene needs.
const MOST_INVOCATIONS: usize = 4_000;

/// What a run came to.
pub(crate) struct Played {
    pub(crate) world: World,
    /// Faults that requests met, with the requests.
    pub(crate) faults: Vec<(String, Fault)>,
    /// Processes that ran out of time.
    pub(crate) timeouts: usize,
    /// Of invocations of the log-processor that ended: objects announced to them, lines written by them.
    pub(crate) processed: Vec<(u64, Vec<String>)>,
}

struct Play<'r> {
    random: &'r mut Random,
    world: World,
    files: Queue,
    matches: Queue,
    /// By lane.
    processors: Vec<Option<(World, Processor)>>,
    notifiers: Vec<Option<(World, Notifier)>>,
    born: usize,
    invocations: usize,
    timeouts: usize,
    processed: Vec<(u64, Vec<String>)>,
}

/// What is invoked with what.
enum Work {
    Files(Batch),
    Matches(Batch),
    Tick,
}

/// What became of an invocation: it answered, or it died.
type Ended = Option<Answered>;

/// The answer and the lines of an invocation.
type Answered = (Option<Value>, Vec<String>);

struct Running<'p> {
    future: Pin<Box<dyn Future<Output = Answered> + 'p>>,
    process: &'p World,
    ended: Option<Ended>,
}

/// Plays it to its end.
pub(crate) fn play(scene: &Scene, random: &mut Random) -> Played {
    let world = World::new(START);
    world.put_object("config", "filters.yaml", FILTERS.as_bytes().to_vec());
    let mut files = Queue::new("files");
    for (shape, keys) in announcements(scene, random) {
        let keys: Vec<&str> = keys
            .iter()
            .map(|&file| scene.files[file].key.as_str())
            .collect();
        let body = announcement(shape, &keys);
        files.push(body, None, START + random.pick(&[0, 0, 0, 30, 400, 4_000]));
    }
    for file in &scene.files {
        world.put_object(BUCKET, &file.key, file.content.clone());
    }
    let faults = faults(random);
    for (index, fault) in &faults {
        world.fault_at(*index, *fault);
    }
    world.take_turns();
    let mut play = Play {
        random,
        world: world.clone(),
        files,
        matches: Queue::new(MATCHES),
        processors: (0..LANES).map(|_| None).collect(),
        notifiers: (0..LANES).map(|_| None).collect(),
        born: 0,
        invocations: 0,
        timeouts: 0,
        processed: Vec::new(),
    };
    play.until_queues_are_empty(true);
    let requests = world.requests();
    let met = |(index, fault): (usize, Fault)| Some((requests.get(index)?.clone(), fault));
    let faults = faults.into_iter().filter_map(met).collect();
    world.heal();
    play.until_nothing_is_due();
    let (timeouts, processed) = (play.timeouts, play.processed);
    Played {
        world,
        faults,
        timeouts,
        processed,
    }
}

/// Which files are announced together, and how: each at least once, in any order.
fn announcements(scene: &Scene, random: &mut Random) -> Vec<(usize, Vec<usize>)> {
    let mut all = Vec::new();
    for file in 0..scene.files.len() {
        for _ in 0..1 + usize::from(random.one_in(3)) {
            let mut keys = vec![file];
            let shape = random.below(4);
            if shape < 3 && random.one_in(3) {
                keys.push(random.below(scene.files.len()));
            }
            all.push((shape, keys));
        }
    }
    random.shuffle(&mut all);
    all
}

/// Which requests meet which faults.
fn faults(random: &mut Random) -> Vec<(usize, Fault)> {
    let kinds = [
        ErrorKind::NotFound,
        ErrorKind::AccessDenied,
        ErrorKind::KeyDenied,
        ErrorKind::Throttled,
        ErrorKind::TooLarge,
        ErrorKind::Refused,
        ErrorKind::Unknown,
    ];
    let count = random.pick(&[0, 1, 1, 2, 3, 5, 8]);
    let mut faults: Vec<(usize, Fault)> = Vec::new();
    for _ in 0..count {
        let index = random.below(120);
        let fault = match random.below(5) {
            0 => Fault::Fail(random.pick(&kinds)),
            1 => Fault::LoseAnswer,
            2 => Fault::DieBefore,
            _ => Fault::DieAfter,
        };
        if faults.iter().all(|(known, _)| *known != index) {
            faults.push((index, fault));
        }
    }
    faults
}

impl Play<'_> {
    fn now(&self) -> i64 {
        ports::Clock::now(&self.world)
    }

    /// Until each message is done with.
    fn until_queues_are_empty(&mut self, with_ticks: bool) {
        loop {
            self.matches.take_in(&self.world);
            if self.files.is_empty() && self.matches.is_empty() {
                return;
            }
            let mut work = Vec::new();
            for _ in 0..LANES {
                work.extend(self.next_work(with_ticks));
            }
            if work.is_empty() {
                self.wait();
                continue;
            }
            self.invocations += work.len();
            assert!(
                self.invocations < MOST_INVOCATIONS,
                "it does not come to an end"
            );
            self.side_by_side(work);
            let passing = self.random.pick(&[0, 0, 1, 20]);
            self.world.advance(passing);
        }
    }

    fn next_work(&mut self, with_ticks: bool) -> Option<Work> {
        let now = self.now();
        match self.random.below(7) {
            0..3 => self.files.receive(self.random, now).map(Work::Files),
            3..6 => self.matches.receive(self.random, now).map(Work::Matches),
            _ => with_ticks.then_some(Work::Tick),
        }
    }

    /// Nothing was received: until there may be something.
    fn wait(&mut self) {
        let next = [self.files.next_visible(), self.matches.next_visible()];
        let next = next.into_iter().flatten().min();
        let seconds = next.map_or(1, |at| at - self.now());
        self.world.advance(seconds.max(0));
    }

    fn until_nothing_is_due(&mut self) {
        for _ in 0..400 {
            let items = self.world.items();
            let Some(due_at) = items.iter().filter_map(|item| item.due_at).min() else {
                return;
            };
            let seconds = (due_at - self.now()).max(300);
            self.world.advance(seconds);
            self.invocations = 0;
            self.side_by_side(vec![Work::Tick]);
            self.until_queues_are_empty(false);
        }
        panic!("something is due for ever");
    }

    /// Runs invocations at the same time, request by request in any order.
    fn side_by_side(&mut self, work: Vec<Work>) {
        let deadline = self.world_millis() + TIMEOUT_MILLIS;
        for (lane, work) in work.iter().enumerate() {
            match work {
                Work::Files(_) => self.begin_processor(lane),
                Work::Matches(_) | Work::Tick => self.begin_notifier(lane),
            }
        }
        let mut running = Vec::new();
        for (lane, work) in work.iter().enumerate() {
            running.push(match work {
                Work::Files(batch) => {
                    let (process, processor) = self.processors[lane].as_ref().unwrap();
                    let payload = batch.payload.clone();
                    let future = Box::pin(async move {
                        let mut lines = Vec::new();
                        let mut write = |line: &str| lines.push(line.to_owned());
                        let answer = processor.handle(payload, deadline, &mut write).await;
                        (Some(answer.unwrap()), lines)
                    });
                    Running {
                        future,
                        process,
                        ended: None,
                    }
                }
                Work::Matches(_) | Work::Tick => {
                    let (process, notifier) = self.notifiers[lane].as_ref().unwrap();
                    let payload = match work {
                        Work::Matches(batch) => batch.payload.clone(),
                        _ => json!({ "source": "aws.events" }),
                    };
                    let future = Box::pin(async move {
                        let mut lines = Vec::new();
                        let mut write = |line: &str| lines.push(line.to_owned());
                        // A tick may fail: there will be another one.
                        let answer = notifier.handle(payload, deadline, &mut write).await;
                        (answer.ok(), lines)
                    });
                    Running {
                        future,
                        process,
                        ended: None,
                    }
                }
            });
        }
        let timeouts = interleave(&mut running, &self.world, self.random, deadline);
        let ended: Vec<Ended> = running
            .into_iter()
            .map(|running| running.ended.unwrap())
            .collect();
        self.timeouts += timeouts;
        for (lane, (work, ended)) in work.into_iter().zip(ended).enumerate() {
            self.end(lane, work, ended);
        }
    }

    fn end(&mut self, lane: usize, work: Work, ended: Ended) {
        let now = self.now();
        if ended.is_none() {
            match work {
                Work::Files(_) => self.processors[lane] = None,
                Work::Matches(_) | Work::Tick => self.notifiers[lane] = None,
            }
        }
        match (work, ended) {
            (Work::Files(batch), Some((Some(answer), lines))) => {
                self.files.answered(&batch, &answer, self.random, now);
                let mentioned = batch.bodies.iter().map(|body| mentions(body)).sum();
                self.processed.push((mentioned, lines));
            }
            (Work::Matches(batch), Some((Some(answer), _))) => {
                self.matches.answered(&batch, &answer, self.random, now);
            }
            (Work::Files(batch), _) => self.files.unanswered(&batch, now),
            (Work::Matches(batch), _) => self.matches.unanswered(&batch, now),
            (Work::Tick, _) => {}
        }
    }

    fn world_millis(&self) -> i64 {
        ports::Clock::now_millis(&self.world)
    }

    fn begin_processor(&mut self, lane: usize) {
        if self.processors[lane].is_some() {
            return;
        }
        self.born += 1;
        let process = self.world.process();
        let settings = log_processor::Settings {
            table: "table".to_owned(),
            match_queue_url: MATCHES.to_owned(),
            evidence_log_group: "evidence".to_owned(),
            evidence_retention_days: 14,
            filters: FiltersSource::Object(ObjectLocation {
                bucket: "config".to_owned(),
                key: "filters.yaml".to_owned(),
                version: None,
            }),
            profile: metric_filters::DEFAULT_PROFILE.to_owned(),
            metric_namespace: "Own".to_owned(),
            key_prefix: None,
            trail_bucket: None,
            log_processor_role_arn: None,
            alarm_notifier_role_arn: None,
            tick_role_arn: None,
            digest_validator_role_arn: None,
            validation_role_arn: None,
            report_bucket: None,
            region: None,
            max_receive_count: 1_000,
            memory_bytes: 512 << 20,
        };
        let ports = log_processor::Ports {
            objects: process.clone(),
            items: process.clone(),
            matches: process.queue(MATCHES),
            evidence: process.clone(),
            clock: process.clone(),
        };
        let processor = Processor::new(settings, ports, format!("process-{}", self.born));
        self.processors[lane] = Some((process, processor));
    }

    fn begin_notifier(&mut self, lane: usize) {
        if self.notifiers[lane].is_some() {
            return;
        }
        let process = self.world.process();
        let settings = alarm_notifier::Settings {
            table: "table".to_owned(),
            match_queue_url: MATCHES.to_owned(),
            dead_letter_queue_url: "dead-letters".to_owned(),
            alarm_topic_arn: TOPIC.to_owned(),
            chat_topic_arn: None,
            minimum_severity: 1,
            leaves_to_native_alarms: false,
            metric_namespace: "Own".to_owned(),
        };
        let ports = alarm_notifier::Ports {
            items: process.clone(),
            queue: process.queue(MATCHES),
            dead_letters: process.queue("dead-letters"),
            topics: process.clone(),
            clock: process.clone(),
        };
        self.notifiers[lane] = Some((process, Notifier::new(settings, ports)));
    }
}

/// Lets one request after the other go on until all have ended or died. Returns how many ran out of time.
fn interleave(
    running: &mut [Running<'_>],
    world: &World,
    random: &mut Random,
    deadline_millis: i64,
) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    let mut timeouts = 0;
    loop {
        let open: Vec<usize> = (0..running.len())
            .filter(|&index| running[index].ended.is_none())
            .collect();
        if open.is_empty() {
            return timeouts;
        }
        let running = &mut running[random.pick(&open)];
        if running.process.is_dead() {
            running.ended = Some(None);
            continue;
        }
        if ports::Clock::now_millis(world) >= deadline_millis {
            timeouts += 1;
            running.ended = Some(None);
            continue;
        }
        if let Poll::Ready(output) = running.future.as_mut().poll(&mut context) {
            running.ended = Some(Some(output));
        }
        if random.one_in(60) {
            world.advance(random.between(1, 12));
        }
    }
}

/// How many objects a message names.
fn mentions(body: &str) -> u64 {
    let announced = log_processor::announced(body).unwrap();
    (announced.objects.len() + announced.ignored.len()) as u64
}

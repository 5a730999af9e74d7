//! Log events split into calls of PutLogEvents.
//!
//! Source: CloudWatch Logs API Reference, `PutLogEvents` and `InputLogEvent`. Out of scope: events too
//! old or too new for the log group, which the call itself names.

const MAX_EVENTS: usize = 10_000;
const MAX_BYTES: usize = 1_048_576;
/// Counted for each event beside its message.
const EVENT_BYTES: usize = 26;
const MAX_SPAN_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// A log event: milliseconds since 1970-01-01T00:00:00Z, and the message.
pub type LogEvent = (i64, String);

/// What [`batches`] made of its log events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batches {
    /// One call each, oldest first.
    pub batches: Vec<Vec<LogEvent>>,
    /// What no call accepts: one such event would have its whole batch refused.
    pub unfit: Vec<(LogEvent, Unfit)>,
}

/// Why no call accepts an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unfit {
    /// Its message has more than 1 MiB - 26 bytes.
    TooLarge,
    /// Its message is empty.
    Empty,
    /// Its time is before 1970.
    BeforeEpoch,
}

impl Unfit {
    /// The reason in log lines and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Unfit::TooLarge => "too_large",
            Unfit::Empty => "empty",
            Unfit::BeforeEpoch => "before_epoch",
        }
    }
}

/// Splits log events into batches that PutLogEvents accepts: in the order of time (events of one
/// millisecond keep their order), at most 10,000 of them, at most 1 MiB with 26 bytes added for each,
/// less than 24 hours from first to last.
///
/// Every event comes out once, in a batch or in `unfit`; no batch is empty.
pub fn batches(events: Vec<LogEvent>) -> Batches {
    let mut made = Batches::default();
    let mut fitting = Vec::with_capacity(events.len());
    for event in events {
        match unfit(&event) {
            Some(reason) => made.unfit.push((event, reason)),
            None => fitting.push(event),
        }
    }
    fitting.sort_by_key(|(time, _)| *time);
    made.batches = split(fitting);
    made
}

fn unfit((time, message): &LogEvent) -> Option<Unfit> {
    if message.is_empty() {
        return Some(Unfit::Empty);
    }
    if message.len() + EVENT_BYTES > MAX_BYTES {
        return Some(Unfit::TooLarge);
    }
    (*time < 0).then_some(Unfit::BeforeEpoch)
}

/// INVARIANT: `events` are in the order of time, none is unfit.
fn split(events: Vec<LogEvent>) -> Vec<Vec<LogEvent>> {
    let mut batches = Vec::new();
    let mut batch: Vec<LogEvent> = Vec::new();
    let mut bytes = 0;
    for event in events {
        let event_bytes = event.1.len() + EVENT_BYTES;
        if batch.len() == MAX_EVENTS
            || bytes + event_bytes > MAX_BYTES
            || is_a_day_after(batch.first(), &event)
        {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += event_bytes;
        batch.push(event);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

fn is_a_day_after(first: Option<&LogEvent>, event: &LogEvent) -> bool {
    first.is_some_and(|first| event.0 - first.0 >= MAX_SPAN_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(time: i64, message: &str) -> LogEvent {
        (time, message.to_owned())
    }

    fn lengths(made: &Batches) -> Vec<usize> {
        made.batches.iter().map(Vec::len).collect()
    }

    #[test]
    fn nothing_makes_no_batch() {
        assert_eq!(batches(Vec::new()), Batches::default());
    }

    #[test]
    fn events_are_sorted_by_time_and_equal_times_keep_their_order() {
        let made = batches(vec![
            event(2, "c"),
            event(1, "a"),
            event(2, "d"),
            event(1, "b"),
        ]);
        assert_eq!(
            made.batches,
            [[event(1, "a"), event(1, "b"), event(2, "c"), event(2, "d")]]
        );
    }

    #[test]
    fn a_batch_has_at_most_ten_thousand_events() {
        let made = batches((0..20_001).map(|n| event(n, "x")).collect());
        assert_eq!(lengths(&made), [10_000, 10_000, 1]);
    }

    #[test]
    fn a_batch_spans_less_than_a_day() {
        let made = batches(vec![
            event(0, "a"),
            event(86_399_999, "b"),
            event(86_400_000, "c"),
        ]);
        assert_eq!(lengths(&made), [2, 1]);
    }

    #[test]
    fn the_largest_event_fills_a_batch_and_a_larger_one_fits_none() {
        let largest = "x".repeat(MAX_BYTES - EVENT_BYTES);
        let larger = format!("{largest}x");
        let made = batches(vec![
            event(1, "before"),
            event(2, &largest),
            event(3, &larger),
            event(4, "after"),
        ]);
        assert_eq!(lengths(&made), [1, 1, 1]);
        assert_eq!(made.unfit, [(event(3, &larger), Unfit::TooLarge)]);
    }

    #[test]
    fn bytes_are_counted_not_characters() {
        let half = "\u{e9}".repeat((MAX_BYTES / 2 - EVENT_BYTES) / 2);
        let made = batches(vec![event(1, &half), event(2, &half), event(3, "x")]);
        assert_eq!(lengths(&made), [2, 1]);
    }

    #[test]
    fn what_would_have_the_whole_call_refused_is_kept_apart() {
        let made = batches(vec![
            event(1, ""),
            event(-1, "x"),
            event(i64::MIN, "y"),
            event(i64::MAX, "z"),
        ]);
        assert_eq!(
            made.unfit,
            [
                (event(1, ""), Unfit::Empty),
                (event(-1, "x"), Unfit::BeforeEpoch),
                (event(i64::MIN, "y"), Unfit::BeforeEpoch),
            ]
        );
        assert_eq!(made.batches, [[event(i64::MAX, "z")]]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_is_lost_and_every_batch_keeps_the_limits(
            events in prop::collection::vec(
                (-10i64..200_000_000, prop_oneof![0usize..50, 100_000usize..600_000, Just(MAX_BYTES)]),
                0..60,
            )
        ) {
            let events: Vec<LogEvent> = events.into_iter().map(|(time, length)| (time, "x".repeat(length))).collect();
            let made = batches(events.clone());
            for batch in &made.batches {
                prop_assert!((1..=MAX_EVENTS).contains(&batch.len()));
                prop_assert!(batch.iter().map(|(_, message)| message.len() + EVENT_BYTES).sum::<usize>() <= MAX_BYTES);
                prop_assert!(batch[batch.len() - 1].0 - batch[0].0 < MAX_SPAN_MILLIS);
                prop_assert!(batch.iter().all(|(time, message)| *time >= 0 && !message.is_empty()));
            }
            let in_batches: Vec<LogEvent> = made.batches.concat();
            prop_assert!(in_batches.is_sorted_by_key(|(time, _)| *time));
            let mut out: Vec<LogEvent> = in_batches;
            out.extend(made.unfit.into_iter().map(|(event, _)| event));
            let mut given = events;
            out.sort();
            given.sort();
            prop_assert!(out == given, "not the same events");
        }
    }
}

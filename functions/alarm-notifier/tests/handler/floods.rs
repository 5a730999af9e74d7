//! More than a group can hold.

use metric_alarm::{AlarmDefinition, ComparisonOperator, Sample, Statistic};
use ports::{Body, Item};

use crate::scene::{ACCOUNT, NOW, Scene, filter, with_values};

/// The sum of the values of five minutes.
fn volume() -> alarm_state::Filter {
    let at_least = ComparisonOperator::GreaterThanOrEqualToThreshold;
    let definition = AlarmDefinition::builder(Statistic::Sum, at_least, 1e6, 300);
    filter("high", &definition.build().unwrap())
}

fn bytes(item: &Item) -> usize {
    match &item.body {
        Body::Text(text) => text.len(),
        Body::Bytes(bytes) => bytes.len(),
    }
}

#[test]
fn tens_of_thousands_of_distinct_values_fit_into_items_and_what_does_not_fit_is_counted() {
    let scene = Scene::new();
    let flood: Vec<Sample> = (0..40_000)
        .map(|n: i64| Sample {
            time: NOW - 600 + n % 600,
            id: (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15),
            value: 1_000.0 + n as f64 / 8.0,
        })
        .collect();
    let messages = with_values(&volume(), ACCOUNT, 1, &flood);
    let mut counts = [0; 4];
    let names = [
        "MatchesReceived",
        "MatchesCounted",
        "MatchesKnown",
        "MatchesOverLimit",
    ];
    for message in messages {
        // An item above 400 KB would be refused, and its message would fail.
        let outcome = scene.deliver(&[message]);
        assert_eq!(outcome.failed(), [""; 0], "{outcome:?}");
        for (count, name) in counts.iter_mut().zip(names) {
            *count += outcome.count(name);
        }
    }
    assert_eq!(counts, [40_000, 15_000, 0, 25_000]);
    let items = scene.world.items();
    let largest = items.iter().map(bytes).max().unwrap();
    assert!(largest < 390_000, "{largest} bytes");
    assert_eq!(scene.steps().len(), 1);
}

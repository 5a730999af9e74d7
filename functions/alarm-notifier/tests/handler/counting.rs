//! What is counted depends on the set of matches, not on their order, splitting or repetition.

use alarm_state::{HORIZON_SECONDS, Matches};

use crate::scene::{ACCOUNT, NOW, Scene, in_account, matches, sign_ins};

#[test]
fn a_message_that_comes_again_after_success_changes_nothing() {
    let scene = Scene::new();
    let message = [matches(&sign_ins(2.0), 1, &[(NOW - 100, 1), (NOW - 99, 2)])];
    scene.deliver(&message);
    let stored = scene.stored();
    let outcome = scene.deliver(&message);
    assert_eq!(outcome.failed(), [""; 0]);
    assert_eq!(
        (
            outcome.count("MatchesCounted"),
            outcome.count("MatchesKnown")
        ),
        (0, 2)
    );
    assert_eq!(scene.stored(), stored);
    assert_eq!(scene.steps(), [(1, false, 2)]);
}

#[test]
fn the_parts_of_one_log_file_count_once_each_in_any_order() {
    let filter = sign_ins(1.0);
    let events: Vec<(i64, u64)> = (0..6_000)
        .map(|n| (NOW - 600 + n % 500, n as u64))
        .collect();
    let parts = in_account(&filter, ACCOUNT, 1, &events);
    assert!(parts.len() >= 2);
    let mut backwards = parts.clone();
    backwards.reverse();
    let twice = [parts.clone(), parts.clone()].concat();
    let mut incidents = Vec::new();
    for parts in [parts, backwards, twice] {
        let scene = Scene::new();
        let outcome = scene.deliver(&parts);
        assert_eq!(outcome.failed(), [""; 0]);
        assert_eq!(outcome.count("MatchesCounted"), 6_000);
        let [head] = scene.heads().try_into().unwrap();
        let [incident] = head.incidents.try_into().unwrap();
        incidents.push((incident.start, incident.end, incident.matched));
    }
    assert_eq!(incidents[0].2, 6_000);
    assert!(
        incidents.windows(2).all(|pair| pair[0] == pair[1]),
        "{incidents:?}"
    );
}

#[test]
fn any_order_of_messages_gives_the_same_incidents() {
    let filter = sign_ins(2.0);
    let files: Vec<Matches> = [
        vec![(NOW - 5_000, 1), (NOW - 4_900, 2)],
        vec![(NOW - 4_650, 3)],
        vec![(NOW - 4_400, 4), (NOW - 5_000, 1)],
        vec![(NOW - 1_200, 5), (NOW - 1_201, 6)],
    ]
    .iter()
    .zip(1..)
    .map(|(events, file)| matches(&filter, file, events))
    .collect();
    let mut orders = Vec::new();
    for a in 0..4 {
        for b in (0..4).filter(|&b| b != a) {
            for c in (0..4).filter(|&c| c != a && c != b) {
                orders.push([a, b, c, 6 - a - b - c]);
            }
        }
    }
    let spans = |order: &[usize; 4]| -> Vec<(i64, i64, u64)> {
        let scene = Scene::new();
        for &file in order {
            assert_eq!(scene.deliver(&files[file..=file]).failed(), [""; 0]);
        }
        let incidents = scene.heads().remove(0).incidents;
        incidents
            .iter()
            .map(|incident| (incident.start, incident.end, incident.matched))
            .collect()
    };
    let first = spans(&orders[0]);
    assert_eq!(first.len(), 2, "{first:?}");
    assert_eq!((first[0].2, first[1].2), (4, 2));
    for order in &orders {
        assert_eq!(spans(order), first, "{order:?}");
    }
}

#[test]
fn events_count_together_for_14_days_and_not_longer() {
    let filter = sign_ins(2.0);
    for (days, told) in [(13, 1), (15, 0)] {
        let scene = Scene::new();
        scene.deliver(&[matches(&filter, 1, &[(NOW - 1_000, 1)])]);
        scene.world.advance(days * 86_400);
        scene.deliver(&[matches(&filter, 2, &[(NOW - 999, 2)])]);
        assert_eq!(scene.told().len(), told, "after {days} days");
    }
}

#[test]
fn what_has_been_forgotten_is_told_anew_and_marked() {
    let scene = Scene::new();
    let message = [matches(&sign_ins(1.0), 1, &[(NOW - 1_000, 1)])];
    scene.deliver(&message);
    scene.world.advance(HORIZON_SECONDS + 3 * 86_400);
    let outcome = scene.deliver(&message);
    assert_eq!(outcome.count("MatchesCounted"), 1);
    let told = scene.told();
    assert_eq!(told.len(), 2);
    assert_eq!(told[1].document["beyond_horizon"].as_u64(), Some(1));
}

#[test]
fn another_definition_of_the_alarm_counts_anew_in_the_same_group() {
    let scene = Scene::new();
    let (one, two) = (
        matches(&sign_ins(3.0), 1, &[(NOW - 10, 1)]),
        matches(&sign_ins(2.0), 2, &[(NOW - 9, 2)]),
    );
    assert_eq!(one.group_id, two.group_id);
    scene.deliver(&[one, two]);
    assert_eq!((scene.heads().len(), scene.told().len()), (2, 0));
    scene.deliver(&[matches(&sign_ins(2.0), 3, &[(NOW - 8, 3)])]);
    assert_eq!(scene.steps(), [(1, false, 2)]);
}

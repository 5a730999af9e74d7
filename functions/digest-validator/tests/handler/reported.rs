//! The report of a day.

use serde_json::Value;
use testkit::{Chain, Fault, TrailSpec};

use crate::scene::{REPORTS, Scene};
use ports::ErrorKind;

fn report(scene: &Scene, day: &str) -> Option<Value> {
    let object = scene
        .world
        .object(REPORTS, &format!("integrity/{day}.json"))?;
    Some(serde_json::from_slice(&object.content).unwrap())
}

#[test]
fn a_day_is_reported_once_by_the_first_run_of_the_next() {
    let mut chain = Chain::of(&TrailSpec {
        hours: 5,
        ..TrailSpec::default()
    });
    let scene = Scene::with(&chain, &[("REPORT_BUCKET", REPORTS)]);
    scene.at_end(&chain);
    let log = chain.log(0, 2, 0);
    chain.edit_records(&log, |records| records.clear());
    for _ in 0..18 {
        scene.next_hour(&mut chain);
    }
    assert_eq!(report(&scene, "2026/03/01"), None);
    // The first attempt after midnight fails, the second does not.
    chain.grow(0, 1);
    scene.deliver(&chain);
    scene
        .world
        .fail_all("PutObject", Fault::Fail(ErrorKind::AccessDenied));
    scene.pass_until(chain.range().1 + 600);
    let outcome = scene.try_validate(900).unwrap();
    assert!(outcome.answer.unwrap_err().contains("the report"));
    let outcome = scene.next_hour(&mut chain);
    assert_eq!(outcome.count("ReportsWritten"), 1);
    let report_of_day = report(&scene, "2026/03/01").unwrap();
    let [of_chain] = report_of_day["chains"].as_array().unwrap().as_slice() else {
        panic!("{report_of_day:#}")
    };
    assert_eq!(of_chain["digestFiles"]["valid"], 23);
    assert_eq!(of_chain["logFiles"]["valid"], 23 * 4);
    assert_eq!(of_chain["logFiles"]["invalid"], 1);
    assert_eq!(of_chain["findings"], 1);
    assert_eq!(of_chain["firstFindings"][0]["kind"], "log-changed");
    assert_eq!(of_chain["validatedFrom"], "2026-03-01T00:17:23Z");
    assert_eq!(of_chain["trail"], "audit-trail");
    for _ in 0..24 {
        scene.next_hour(&mut chain);
    }
    let requests = scene.world.requests();
    let written = requests
        .iter()
        .filter(|request| request.starts_with("PutObject"));
    assert_eq!(written.count(), 1 + 1 + 1, "the failed one and one a day");
    assert!(report(&scene, "2026/03/02").is_some());
}

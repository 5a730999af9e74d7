//! The documents of the evidence log: metric values, dimensions, evidence.

use serde_json::{Value, json};
use testkit::time;

use crate::scene::{NOW, OTHER_ACCOUNT, STOPPED, Scene, event, event_in, stop_logging};

/// One filter on `AuthorizeSecurityGroupIngress` with these members of its metric and its alarm.
fn filter(metric: &str, alarm: &str) -> String {
    format!(
        "
metric_filters:
  - name: Ports
    pattern: '{{ $.eventName = AuthorizeSecurityGroupIngress }}'
    metric: {{ namespace: Audit, name: PortCount, {metric} }}
    alarm: {{ threshold: 1, {alarm} }}
"
    )
}

/// An event with a number, or something else, at `$.requestParameters.port`.
fn port(id: &str, at: i64, port: Value) -> Value {
    let mut event = event("AuthorizeSecurityGroupIngress", id, at);
    event["requestParameters"] = json!({ "port": port, "groupId": "sg-1" });
    event
}

fn directive(document: &Value) -> &Value {
    &document["_aws"]["CloudWatchMetrics"][0]
}

#[test]
fn there_is_a_document_for_each_filter_and_minute_of_event_time() {
    let scene = Scene::new();
    let at = |id: &str, seconds: i64| event("StopLogging", id, NOW - 600 + seconds);
    let key = scene.put(&[
        at("a", 0),
        at("b", 59),
        at("c", 60),
        event_in(OTHER_ACCOUNT, "StopLogging", "d", NOW - 600),
    ]);
    scene.announce(&[&key]);
    let documents = scene.documents();
    let told: Vec<(String, u64, u64)> = documents
        .iter()
        .map(|document| {
            let minute = document["_aws"]["Timestamp"].as_i64().unwrap() / 1000;
            (
                time(minute),
                document["TrailStoppedCount"].as_u64().unwrap(),
                document["matched"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("2026-03-02T02:50:00Z".to_owned(), 3, 3),
            ("2026-03-02T02:51:00Z".to_owned(), 1, 1)
        ]
    );
    assert_eq!(directive(&documents[0])["Namespace"], "Audit");
    assert_eq!(
        directive(&documents[0])["Dimensions"],
        json!([[]]),
        "an alarm without dimensions must see it"
    );
    assert_eq!(
        documents[0]["accounts"],
        json!(["111122223333", "444455556666"])
    );
    assert_eq!(documents[0]["regions"], json!(["us-east-1"]));
    assert_eq!(documents[0]["events"].as_array().unwrap().len(), 3);
    assert_eq!(documents[0]["object"], format!("s3://trail/{key}"));
    let times: Vec<i64> = scene
        .world
        .logs()
        .iter()
        .map(|event| event.timestamp_millis)
        .collect();
    assert_eq!(times, [(NOW - 600) * 1000, (NOW - 540) * 1000]);
}

#[test]
fn the_value_comes_from_the_event_and_an_event_without_a_number_is_no_data_point() {
    let scene = Scene::with_filters(&filter("value: $.requestParameters.port", "statistic: Sum"));
    let key = scene.put(&[
        port("a", NOW, json!(22)),
        port("b", NOW, json!("443")),
        port("c", NOW, json!("all")),
        port("d", NOW, json!(0.5)),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(scene.documents()[0]["PortCount"], json!(465.5));
    assert_eq!(
        (outcome.count("EventsMatched"), outcome.count("EventsSent")),
        (4, 3)
    );
    let mut values: Vec<f64> = scene.matches()[0]
        .samples()
        .unwrap()
        .iter()
        .map(|sample| sample.value)
        .collect();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [0.5, 22.0, 443.0]);
}

#[test]
fn an_alarm_on_another_statistic_than_the_sum_has_each_value() {
    for statistic in ["SampleCount", "Maximum", "Average"] {
        let text = filter(
            "value: $.requestParameters.port",
            &format!("statistic: {statistic}"),
        );
        let scene = Scene::with_filters(&text);
        let events: Vec<Value> = (0..250)
            .map(|n| port(&n.to_string(), NOW, json!(n)))
            .collect();
        let key = scene.put(&events);
        scene.announce(&[&key]);
        let documents = scene.documents();
        let lengths: Vec<usize> = documents
            .iter()
            .map(|document| document["PortCount"].as_array().unwrap().len())
            .collect();
        assert_eq!(lengths, [100, 100, 50], "{statistic}");
        let all: f64 = documents
            .iter()
            .flat_map(|document| document["PortCount"].as_array().unwrap())
            .map(|value| value.as_f64().unwrap())
            .sum();
        assert_eq!(all, 31_125.0);
    }
}

#[test]
fn a_filters_own_dimensions_are_dimensions_and_an_event_without_their_values_is_no_data_point() {
    let scene = Scene::with_filters(&filter(
        "dimensions: { Region: $.awsRegion, Group: $.requestParameters.groupId }",
        "",
    ));
    let mut elsewhere = port("b", NOW, json!(1));
    elsewhere["awsRegion"] = "eu-west-1".into();
    let mut nowhere = port("c", NOW, json!(1));
    nowhere.as_object_mut().unwrap().remove("awsRegion");
    let key = scene.put(&[port("a", NOW, json!(1)), elsewhere, nowhere]);
    let outcome = scene.announce(&[&key]);
    let documents = scene.documents();
    let mut regions: Vec<&str> = documents
        .iter()
        .map(|document| document["Region"].as_str().unwrap())
        .collect();
    regions.sort_unstable();
    assert_eq!(regions, ["eu-west-1", "us-east-1"]);
    for document in &documents {
        assert_eq!(
            directive(document)["Dimensions"],
            json!([["Region", "Group"]])
        );
        assert_eq!(document["Group"], "sg-1");
    }
    assert_eq!(
        outcome.count("EventsSent"),
        3,
        "the alarm counts all of them"
    );
}

#[test]
fn a_default_value_is_reported_for_a_log_file_without_a_match() {
    let text = STOPPED.replace(
        "name: TrailStoppedCount",
        "name: TrailStoppedCount, default_value: 0, unit: Count",
    );
    let scene = Scene::with_filters(&text);
    let other = scene.put(&[
        event("DescribeTrails", "a", NOW - 130),
        event("DescribeTrails", "b", NOW + 86_400),
    ]);
    scene.announce(&[&other]);
    let documents = scene.documents();
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0]["TrailStoppedCount"], 0);
    assert_eq!(directive(&documents[0])["Metrics"][0]["Unit"], "Count");
    let minute = documents[0]["_aws"]["Timestamp"].as_i64().unwrap() / 1000;
    assert_eq!(
        time(minute),
        "2026-03-02T02:57:00Z",
        "that of the newest event that is not from the future"
    );
    let matching = scene.put(&[stop_logging("c"), event("DescribeTrails", "d", NOW)]);
    scene.announce(&[&matching]);
    assert_eq!(scene.documents().len(), 2, "only the match");
    let empty = scene.put(&[]);
    scene.announce(&[&empty]);
    assert_eq!(scene.documents().len(), 2, "no event, no data point");
}

#[test]
fn what_is_too_old_for_cloudwatch_is_handed_on_and_counted() {
    let scene = Scene::new();
    let key = scene.put(&[
        event("StopLogging", "a", NOW - 14 * 86_400 + 599),
        event("StopLogging", "b", NOW - 14 * 86_400 + 600),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(
        (scene.documents().len(), outcome.count("TooOldForMetrics")),
        (1, 1)
    );
    assert_eq!(outcome.count("EventsSent"), 2);
}

#[test]
fn what_the_log_group_would_not_keep_is_not_written() {
    let filters = "s3://config/filters.yaml";
    let scene = Scene::with_environment(&[
        ("FILTERS_OBJECT", filters),
        ("EVIDENCE_RETENTION_DAYS", "3"),
    ]);
    scene.put_filters(STOPPED);
    let day = 86_400;
    let key = scene.put(&[
        event("StopLogging", "a", NOW - 3 * day - 1),
        event("StopLogging", "b", NOW - 2 * day),
    ]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(
        (scene.documents().len(), outcome.count("TooOldForMetrics")),
        (1, 1)
    );
}

#[test]
fn a_thousand_events_of_a_minute_are_one_sum_with_ten_of_them_as_evidence() {
    let scene = Scene::new();
    let events: Vec<Value> = (0..1_000)
        .map(|n| event("StopLogging", &n.to_string(), NOW - 600 + n % 60))
        .collect();
    let key = scene.put(&events);
    scene.announce(&[&key]);
    let [document] = scene.documents().try_into().unwrap();
    assert_eq!(
        (&document["TrailStoppedCount"], &document["matched"]),
        (&json!(1_000), &json!(1_000))
    );
    assert_eq!(document["events"].as_array().unwrap().len(), 10);
    assert_eq!(document["events_left_out"], 990);
}

#[test]
fn log_files_of_a_batch_are_counted_and_every_one_has_one_outcome() {
    let scene = Scene::new();
    let good = scene.put(&[
        stop_logging("a"),
        event("DescribeTrails", "b", NOW),
        json!(7),
    ]);
    let two = scene.put(&[stop_logging("c")]);
    let broken = scene.put_bytes(b"\x1f\x8b\x08".to_vec());
    scene.world.put_object("trail", "AWSLogs/", Vec::new());
    let keys = [&good, &two, &broken, &good, "AWSLogs/", "missing.txt"];
    let outcome = scene.announce(&keys);
    let total: u64 = [
        "FilesProcessed",
        "FilesSkipped",
        "FilesFailed",
        "FilesInProgress",
    ]
    .iter()
    .map(|metric| outcome.count(metric))
    .sum();
    assert_eq!((outcome.count("MessagesReceived"), total), (6, 6));
    assert_eq!(outcome.count("FilesProcessed"), 2);
    assert_eq!(
        (outcome.count("FilesSkipped"), outcome.count("FilesFailed")),
        (2, 2)
    );
    assert_eq!(outcome.failed(), ["m3", "m6"]);
    assert_eq!(
        outcome.count("RecordsRead"),
        outcome.count("RecordsEvaluated") + outcome.count("RecordsSkipped")
    );
    assert_eq!(
        (outcome.count("RecordsRead"), outcome.count("EventsMatched")),
        (4, 2)
    );
}

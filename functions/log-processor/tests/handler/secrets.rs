//! Nothing secret leaves: not in messages, log events, items of the table, or the function's own log.

use serde_json::json;

use crate::scene::{NOW, Scene, event};

const SECRETS: [&str; 5] = [
    "hunter2-in-parameters",
    "hunter2-in-a-text",
    "hunter2-as-a-group",
    "hunter2-as-a-dimension",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
];

const FILTERS: &str = "
metric_filters:
  - name: Databases
    pattern: '{ $.eventName = CreateDBInstance }'
    metric:
      namespace: Audit
      name: DatabaseCount
      dimensions: { Token: $.requestParameters.adminPassword, Key: $.requestParameters.tag }
    alarm: { threshold: 1, group_by: [$.requestParameters.masterUserPassword, $.requestParameters.tag] }
";

#[test]
fn nothing_secret_leaves() {
    let scene = Scene::with_filters(FILTERS);
    let mut event = event("CreateDBInstance", "a", NOW);
    event["requestParameters"] = json!({
        "masterUserPassword": SECRETS[2], "adminPassword": SECRETS[3], "tag": SECRETS[4],
        "nested": { "apiKey": SECRETS[0] },
    });
    event["userAgent"] = format!("mysql --password {}", SECRETS[1]).into();
    event["errorMessage"] = format!("cannot use password={} here", SECRETS[1]).into();
    let key = scene.put(&[event]);
    let outcome = scene.announce(&[&key]);
    assert_eq!(outcome.count("FilesProcessed"), 1);
    assert_eq!((scene.matches().len(), scene.documents().len()), (1, 1));
    let sent: Vec<String> = scene
        .world
        .sent("matches")
        .into_iter()
        .map(|sent| sent.message.body)
        .collect();
    let places = [
        ("the match queue", sent.join("\n")),
        ("the evidence log", format!("{:?}", scene.world.logs())),
        ("the table", format!("{:?}", scene.world.items())),
        ("the function's log", outcome.log.clone()),
        ("the metrics", format!("{:?}", outcome.counts)),
    ];
    for (place, text) in places {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{secret} is in {place}: {text}");
        }
    }
    assert_eq!(
        scene.matches()[0].group,
        [Some("***".to_owned()), Some("***".to_owned())]
    );
}

#[test]
fn nothing_of_a_message_or_a_log_file_that_cannot_be_read_is_logged() {
    let scene = Scene::with_filters(FILTERS);
    let broken = scene.put_bytes(b"{\"Records\": \"hunter2-in-parameters\"}".to_vec());
    let outcome = scene.announce(&[&broken]);
    assert_eq!(outcome.count("FilesFailed:records_not_an_array"), 1);
    assert!(!outcome.log.contains("hunter2"), "{}", outcome.log);
    let body = json!({ "password": "hunter2-in-a-text" }).to_string();
    let outcome = scene.handle(crate::scene::batch(&[body], 1));
    assert_eq!(outcome.count("MessagesUnparsable"), 1);
    assert!(!outcome.log.contains("hunter2"), "{}", outcome.log);
}

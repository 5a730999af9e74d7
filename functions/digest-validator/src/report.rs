//! The report of a day: what was validated, and what was found.

use std::collections::BTreeMap;

use digest_chain::{Finding, Location, display_time};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Findings of a chain and a day that are kept by name.
const MOST_FINDINGS: usize = 40;

/// Days that are kept.
const MOST_DAYS: usize = 2;

/// What was done for one chain in a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// The hours that were validated, in Unix seconds.
    #[serde(default)]
    pub(crate) from: Option<i64>,
    #[serde(default)]
    pub(crate) to: Option<i64>,
    pub(crate) digests_valid: u64,
    pub(crate) digests_invalid: u64,
    pub(crate) logs_valid: u64,
    pub(crate) logs_invalid: u64,
    pub(crate) logs_unreadable: u64,
    /// Bytes that were hashed, inflated.
    pub(crate) bytes: u64,
    /// How many findings there were.
    pub(crate) findings: u64,
    /// The first of them.
    #[serde(default)]
    pub(crate) first: Vec<ReportedFinding>,
}

/// A finding in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportedFinding {
    kind: String,
    found_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    text: String,
}

impl Tally {
    /// Counts a range of time that was validated.
    pub(crate) fn covers(&mut self, from: i64, to: i64) {
        self.from = Some(self.from.map_or(from, |known| known.min(from)));
        self.to = self.to.max(Some(to));
    }

    /// Counts a finding.
    pub(crate) fn found(&mut self, finding: &Finding, now: i64) {
        self.findings += 1;
        if self.first.len() < MOST_FINDINGS {
            let cut = |text: String| text.chars().take(600).collect::<String>();
            self.first.push(ReportedFinding {
                kind: finding.kind.code().to_owned(),
                found_at: display_time(now),
                object: finding.location.as_ref().map(Location::to_string).map(cut),
                text: cut(finding.to_string()),
            });
        }
    }
}

/// The day of a time: `2026-03-01`.
pub(crate) fn day_of(time: i64) -> String {
    display_time(time).chars().take(10).collect()
}

/// Drops the days that are reported.
pub(crate) fn keep_latest(tallies: &mut BTreeMap<String, BTreeMap<String, Tally>>) {
    while tallies.len() > MOST_DAYS {
        tallies.pop_first();
    }
}

/// The key of a day's report.
pub(crate) fn key(day: &str) -> String {
    format!("integrity/{}.json", day.replace('-', "/"))
}

/// One chain in a report.
pub(crate) fn chain(
    (folder, trail, home_region): (&str, &str, &str),
    tally: &Tally,
    link: Option<&digest_chain::Link>,
) -> Value {
    json!({
        "folder": folder,
        "trail": trail,
        "homeRegion": home_region,
        "validatedFrom": tally.from.map(display_time),
        "validatedTo": tally.to.map(display_time),
        "digestFiles": { "valid": tally.digests_valid, "invalid": tally.digests_invalid },
        "logFiles": {
            "valid": tally.logs_valid, "invalid": tally.logs_invalid, "unreadable": tally.logs_unreadable,
            "bytes": tally.bytes,
        },
        "findings": tally.findings,
        "firstFindings": tally.first,
        "checkpoint": link.map(|link| json!({
            "digest": format!("s3://{}/{}", link.bucket, link.key),
            "end": display_time(link.end),
            "sha256": link.sha256,
        })),
    })
}

/// The whole report.
pub(crate) fn document(day: &str, bucket: &str, now: i64, chains: Vec<Value>) -> Value {
    json!({
        "schema": 1,
        "day": day,
        "bucket": bucket,
        "writtenAt": display_time(now),
        "chains": chains,
    })
}

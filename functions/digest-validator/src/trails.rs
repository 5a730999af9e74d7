//! The trails that deliver into the bucket: do they still, and as they did?

use std::collections::BTreeMap;

use alarm_state::FindingStream;
use digest_chain::{Finding, FindingKind, display_time};
use ports::{ErrorKind, SendMessages as _, Trail, TrailStatus, Trails as _, with_sources};
use serde::{Deserialize, Serialize};

use crate::findings::{Found, messages};
use crate::folder_run::Run;
use crate::ports::Outside;
use crate::state::{Form, INTEGRITY, Stored};
use crate::stopped::Stopped;

/// What is known of trails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrailsState {
    /// When they were last looked at, in Unix seconds: the time of findings.
    checked_at: i64,
    /// Why they could not be looked at, which is said once.
    #[serde(default)]
    refused: Option<String>,
    /// By ARN.
    #[serde(default)]
    trails: BTreeMap<String, Known>,
}

impl Form for TrailsState {
    const WHAT: &'static str = "state of trails";
}

/// A trail as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    name: String,
    home_region: String,
    bucket: String,
    #[serde(default)]
    prefix: Option<String>,
    validates: bool,
    /// What is told and still so.
    #[serde(default)]
    is_gone: bool,
    #[serde(default)]
    is_stopped: bool,
    #[serde(default)]
    is_failing: bool,
}

impl Known {
    fn of(trail: &Trail) -> Self {
        Known {
            name: trail.name.clone(),
            home_region: trail.home_region.clone(),
            bucket: trail.bucket.clone(),
            prefix: trail.prefix.clone(),
            validates: trail.validates_log_files,
            is_gone: false,
            is_stopped: false,
            is_failing: false,
        }
    }

    /// What differs, as facts.
    fn changes(&self, now: &Known) -> Vec<(&'static str, String)> {
        let prefix = |known: &Known| known.prefix.clone().unwrap_or_else(|| "none".into());
        let validates = |known: &Known| if known.validates { "on" } else { "off" }.to_owned();
        let both = [
            ("bucket", self.bucket.clone(), now.bucket.clone()),
            ("prefix", prefix(self), prefix(now)),
            (
                "home Region",
                self.home_region.clone(),
                now.home_region.clone(),
            ),
            ("log file validation", validates(self), validates(now)),
        ];
        both.into_iter()
            .filter(|(_, before, after)| before != after)
            .map(|(label, before, after)| (label, format!("{before}, now {after}")))
            .collect()
    }
}

/// Looks at the trails. If they cannot be described there is nothing to say: they may be another account's.
///
/// # Errors
/// What is known of them cannot be read or written, or what was found not be sent.
pub(crate) async fn check_trails<P: Outside>(run: &Run<'_, P>) -> Result<(), Stopped> {
    let items = run.outside.items();
    let stored: Option<Stored<TrailsState>> = Stored::load(items, INTEGRITY, "trails").await?;
    let mut stored = match stored {
        Some(stored) => stored,
        None => {
            let state = TrailsState {
                checked_at: run.now,
                refused: None,
                trails: BTreeMap::new(),
            };
            let mut stored = Stored::new(INTEGRITY, "trails", state);
            stored.save(items, run.now).await?;
            stored
        }
    };
    let described = match run.outside.trails().describe_trails().await {
        Ok(described) => described,
        Err(error) => {
            let reason = error.kind.name().to_owned();
            if stored.value.refused.as_ref() != Some(&reason) {
                tracing::warn!(error = with_sources(&error), "trails cannot be described");
                if error.kind == ErrorKind::AccessDenied {
                    stored.value.refused = Some(reason);
                    stored.save(items, run.now).await?;
                }
            }
            return Ok(());
        }
    };
    stored.value.refused = None;
    let mut found = Vec::new();
    let since = (stored.value.checked_at, run.now);
    for trail in &described {
        let known = stored.value.trails.get(&trail.arn).cloned();
        if known.is_none() && trail.bucket != run.settings.trail_bucket {
            continue;
        }
        let status = status(run, trail).await;
        let mut now = Known::of(trail);
        let is_new = known.is_none();
        let before = known.unwrap_or_else(|| now.clone());
        let mut tell = |finding| found.push(found_of(run, &trail.arn, &before, finding));
        if is_new && !now.validates {
            let finding = Finding::of_range(FindingKind::TrailStopped, since.0, since.1);
            tell(finding.fact("log file validation", "off"));
        }
        let changes = before.changes(&now);
        if !changes.is_empty() {
            let mut finding = Finding::of_range(FindingKind::TrailChanged, since.0, since.1);
            finding.facts.extend(changes);
            tell(finding);
        }
        now.is_stopped = before.is_stopped;
        now.is_failing = before.is_failing;
        if let Some(status) = status {
            now.is_stopped = !status.is_logging;
            if now.is_stopped && !before.is_stopped {
                let finding = Finding::of_range(FindingKind::TrailStopped, since.0, since.1);
                tell(match status.stopped_at {
                    Some(at) => finding.fact("stopped at", display_time(at)),
                    None => finding,
                });
            }
            let error = delivery_error(&status);
            now.is_failing = error.is_some();
            if let Some(error) = error.filter(|_| !before.is_failing) {
                let finding = Finding::of_range(FindingKind::TrailCannotDeliver, since.0, since.1);
                tell(finding.fact("error", error));
            }
        }
        stored.value.trails.insert(trail.arn.clone(), now);
    }
    for (arn, known) in &mut stored.value.trails {
        let is_gone = !described.iter().any(|trail| trail.arn == *arn);
        if is_gone && !known.is_gone {
            let finding = Finding::of_range(FindingKind::TrailStopped, since.0, since.1);
            let finding = finding.fact("trail", "it is not there any more");
            found.push(found_of(run, arn, known, finding));
        }
        known.is_gone = is_gone;
    }
    for found in &found {
        let kind = found.finding.kind.code();
        tracing::warn!(kind, trail = found.stream.trail, "found");
        run.counted.count_by("Findings", "Kind", kind, 1);
    }
    let messages = messages(&found, since.0, run.now);
    run.outside.matches().send_messages(&messages).await?;
    stored.value.checked_at = run.now;
    stored.save(items, run.now).await
}

/// How a trail does, if it may be asked.
async fn status<P: Outside>(run: &Run<'_, P>, trail: &Trail) -> Option<TrailStatus> {
    match run.outside.trails().trail_status(&trail.arn).await {
        Ok(status) => Some(status),
        Err(error) => {
            tracing::info!(trail = trail.arn, %error, "the status of a trail is not told");
            None
        }
    }
}

fn delivery_error(status: &TrailStatus) -> Option<String> {
    let logs = status.latest_delivery_error.as_ref();
    let digests = status.latest_digest_delivery_error.as_ref();
    let logs = logs.map(|error| format!("log files: {error}"));
    logs.or_else(|| digests.map(|error| format!("digest files: {error}")))
}

fn found_of<P: Outside>(run: &Run<'_, P>, arn: &str, known: &Known, finding: Finding) -> Found {
    let account = arn.split(':').nth(4).unwrap_or_default();
    Found {
        stream: FindingStream {
            account: account.to_owned(),
            region: known.home_region.clone(),
            trail: known.name.clone(),
            location: format!("s3://{}", run.settings.trail_bucket),
        },
        finding: finding.fact("arn", arn),
        was_right: true,
        check_command: Vec::new(),
    }
}

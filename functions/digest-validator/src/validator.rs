//! One invocation: all folders of digests, one after the other, until all are done or time is over.

use alarm_state::FindingStream;
use digest_chain::{Finding, FindingKind, Location};
use ports::{Clock as _, ObjectLocation, PutObject as _, SendMessages as _};
use serde_json::{Value, json};

use crate::counted::Counted;
use crate::findings::{Found, messages};
use crate::folder_run::{FRESH_SECONDS, Run, run_folder};
use crate::folders::{Folders, digest_folders};
use crate::keys::KeyRing;
use crate::ports::Outside;
use crate::report;
use crate::settings::Settings;
use crate::state::{FolderState, INTEGRITY, Installation, Stored, partition};
use crate::stopped::Stopped;
use crate::trails::check_trails;

/// Nothing is begun with less time left.
const LAST_START_MILLIS: i64 = 60_000;

const HOUR_SECONDS: i64 = 3_600;

/// The function.
#[derive(Debug)]
pub struct Validator<P> {
    settings: Settings,
    ports: P,
    keys: KeyRing,
}

/// The invocation failed; the next one goes on where it stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// It was not asked to validate.
    #[error("expected {{\"validate\": true}} and nothing else, found {found}")]
    Payload {
        /// What it is.
        found: String,
    },
    /// What concerns all folders failed.
    #[error("validation failed: {0}")]
    All(String),
    /// Some folders could not be gone through.
    #[error("{failed} of {folders} folders could not be validated, the first: {first}")]
    Folders {
        /// How many.
        failed: usize,
        /// Of how many.
        folders: usize,
        /// Why the first could not.
        first: String,
    },
}

/// What a run came to.
#[derive(Debug, Default)]
struct Outcome {
    folders: usize,
    streams: u64,
    failed: Vec<String>,
    is_finished: bool,
}

impl<P: Outside> Validator<P> {
    /// The function.
    pub fn new(settings: Settings, ports: P) -> Self {
        Validator {
            settings,
            ports,
            keys: KeyRing::default(),
        }
    }

    /// Handles one invocation that must end at `deadline_millis`; `write_line` gets the metrics of its outcome, line by
    /// line.
    ///
    /// # Errors
    /// The payload is not `{"validate": true}`, or something could not be validated; all else was, as far as time allowed.
    pub async fn handle(
        &self,
        invocation: Value,
        deadline_millis: i64,
        write_line: &mut dyn FnMut(&str),
    ) -> Result<Value, HandleError> {
        let counted = Counted::new();
        let answer = match invocation == json!({ "validate": true }) {
            true => self.validate(&counted, deadline_millis).await,
            false => Err(HandleError::Payload {
                found: described(&invocation),
            }),
        };
        if let Err(error) = &answer {
            tracing::error!(%error, "invocation failed");
        }
        let now = self.ports.clock().now_millis();
        for line in counted.lines(&self.settings.metric_namespace, now) {
            write_line(&line);
        }
        answer
    }

    async fn validate(
        &self,
        counted: &Counted,
        deadline_millis: i64,
    ) -> Result<Value, HandleError> {
        let now = self.ports.clock().now();
        let outcome = self
            .all(counted, now, deadline_millis - LAST_START_MILLIS)
            .await;
        let outcome = outcome.map_err(|stopped| {
            let (reason, error) = words(stopped);
            counted.count_by("ValidationFailed", "Reason", reason, 1);
            HandleError::All(error)
        })?;
        counted.count("ValidationRuns", 1);
        counted.count("ValidationUnfinished", (!outcome.is_finished).into());
        counted.count("StreamsKnown", outcome.streams);
        tracing::info!(
            folders = outcome.folders,
            chains = outcome.streams,
            digests = counted.total("DigestsValidated"),
            log_files = counted.total("LogFilesValidated"),
            findings = counted.total("Findings"),
            finished = outcome.is_finished,
            "validated"
        );
        if let Some(first) = outcome.failed.first() {
            return Err(HandleError::Folders {
                failed: outcome.failed.len(),
                folders: outcome.folders,
                first: first.clone(),
            });
        }
        Ok(json!({
            "finished": outcome.is_finished,
            "folders": outcome.folders,
            "chains": outcome.streams,
            "digests": counted.total("DigestsValidated"),
            "logFiles": counted.total("LogFilesValidated"),
            "findings": counted.total("Findings"),
        }))
    }

    async fn all(
        &self,
        counted: &Counted,
        now: i64,
        stop_at_millis: i64,
    ) -> Result<Outcome, Stopped> {
        let items = self.ports.items();
        self.keys.ask_again();
        let mut installation = self.installation(now).await?;
        let run = Run {
            outside: &self.ports,
            settings: &self.settings,
            counted,
            keys: &self.keys,
            now,
            stop_at_millis,
            installed_at: installation.value.installed_at,
            knows_all: installation.value.completed_at.is_some(),
        };
        let Settings {
            trail_bucket,
            key_prefix,
            ..
        } = &self.settings;
        let listed = digest_folders(self.ports.objects(), trail_bucket, key_prefix).await?;
        let Folders {
            digests: listed,
            foreign,
        } = listed;
        let told = tell_foreign(&run, &mut installation.value, foreign).await?;
        if installation.value.add(&listed) || told {
            installation.save(items, now).await?;
        }
        let mut outcome = Outcome::default();
        if let Err(stopped) = Box::pin(check_trails(&run)).await {
            note_failure(counted, &mut outcome, "trails", stopped);
        }
        let folders = in_turn(&installation.value, listed);
        outcome.folders = folders.len();
        let unfinished = self.folders(&run, &folders, &mut outcome).await;
        outcome.is_finished = unfinished.is_none();
        installation.value.cursor = unfinished;
        if outcome.is_finished && outcome.failed.is_empty() {
            tell_silence(&run, &mut installation.value, outcome.folders).await?;
            installation.value.completed_at.get_or_insert(now);
            installation.value.streams = outcome.streams;
            installation.value.counted_at = now;
            if let Err(stopped) = self.report(&run, &mut installation, &folders).await {
                note_failure(counted, &mut outcome, "the report", stopped);
            }
        }
        installation.save(items, now).await?;
        Ok(outcome)
    }

    async fn installation(&self, now: i64) -> Result<Stored<Installation>, Stopped> {
        let items = self.ports.items();
        if let Some(known) = Stored::load(items, INTEGRITY, "installation").await? {
            return Ok(known);
        }
        let mut installation = Stored::new(INTEGRITY, "installation", Installation::new(now));
        installation.save(items, now).await?;
        Ok(installation)
    }

    /// Goes through the folders; the one to go on with, if time ran out.
    async fn folders(
        &self,
        run: &Run<'_, P>,
        folders: &[String],
        outcome: &mut Outcome,
    ) -> Option<String> {
        for (at, folder) in folders.iter().enumerate() {
            let left = folders.get(at..).unwrap_or_default();
            if run.is_over() {
                self.count_left(run, left).await;
                return Some(folder.clone());
            }
            match Box::pin(run_folder(run, folder)).await {
                Ok(done) => outcome.streams += done.streams,
                Err(Stopped::NoTime) => {
                    self.count_left(run, left).await;
                    // The others have their turn first, so that a long history keeps nobody waiting.
                    let next = left.get(1).or(folders.first());
                    return next.cloned();
                }
                Err(stopped) => note_failure(run.counted, outcome, folder, stopped),
            }
        }
        None
    }

    /// About how many digests the next runs have to look at.
    async fn count_left(&self, run: &Run<'_, P>, folders: &[String]) {
        let mut hours = 0;
        for folder in folders {
            let partition = partition(&self.settings.trail_bucket, folder);
            let items = self.ports.items();
            let state: Result<Option<Stored<FolderState>>, _> =
                Stored::load(items, &partition, "checkpoint").await;
            if let Ok(Some(state)) = state
                && let Some(walked) = state.value.walked_until
            {
                hours += (run.now - walked).max(0) / HOUR_SECONDS;
            }
        }
        run.counted
            .count("DigestsToGo", u64::try_from(hours).unwrap_or(0));
    }

    /// Writes the report of the day before, once.
    async fn report(
        &self,
        run: &Run<'_, P>,
        installation: &mut Stored<Installation>,
        folders: &[String],
    ) -> Result<(), Stopped> {
        let Some(bucket) = &self.settings.report_bucket else {
            return Ok(());
        };
        let day = report::day_of(run.now - 86_400);
        let is_before = report::day_of(run.installed_at) > day;
        if is_before || installation.value.reported.as_ref() >= Some(&day) {
            return Ok(());
        }
        let mut chains = Vec::new();
        for folder in folders {
            let partition = partition(&self.settings.trail_bucket, folder);
            let state: Option<Stored<FolderState>> =
                Stored::load(self.ports.items(), &partition, "checkpoint").await?;
            let Some(FolderState {
                tallies, streams, ..
            }) = state.map(|state| state.value)
            else {
                continue;
            };
            for (name, tally) in tallies.get(&day).into_iter().flatten() {
                let stream = streams.get(name);
                let (trail, home_region) = name.split_once(' ').unwrap_or((name, ""));
                let link = stream.and_then(|stream| stream.link.as_ref());
                chains.push(report::chain((folder, trail, home_region), tally, link));
            }
        }
        let document = report::document(&day, &self.settings.trail_bucket, run.now, chains);
        let location = ObjectLocation {
            bucket: bucket.clone(),
            key: report::key(&day),
            version: None,
        };
        let content = format!("{document:#}\n");
        let objects = self.ports.objects();
        objects
            .put_object(&location, content.as_bytes(), "application/json")
            .await?;
        tracing::info!(%location, "report written");
        run.counted.count("ReportsWritten", 1);
        installation.value.reported = Some(day);
        Ok(())
    }
}

/// Says of folders that they are none of CloudTrail's, once; whether there is something to remember.
async fn tell_foreign<P: Outside>(
    run: &Run<'_, P>,
    installation: &mut Installation,
    folders: Vec<String>,
) -> Result<bool, Stopped> {
    let (new, more) = installation.new_foreign(folders);
    let about = |folder: &str| {
        let location = Location::new(&run.settings.trail_bucket, folder);
        Finding::about(FindingKind::ForeignKeyName, location)
    };
    let mut findings: Vec<Finding> = new
        .iter()
        .map(|folder| about(folder).fact("name", "not one a Region has"))
        .collect();
    if more > 0 {
        let finding = about(&run.settings.key_prefix).counting(more);
        findings.push(finding.fact("more", "there are too many folders to name each"));
    }
    let is_new = !findings.is_empty();
    tell_of_bucket(run, installation.counted_at, findings).await?;
    Ok(is_new)
}

/// Says once that there is no folder at all: another bucket or prefix, or validation is off.
async fn tell_silence<P: Outside>(
    run: &Run<'_, P>,
    installation: &mut Installation,
    folders: usize,
) -> Result<(), Stopped> {
    let since = installation.installed_at;
    let is_silent = folders == 0 && run.now - since > FRESH_SECONDS;
    if is_silent && !installation.is_silent {
        let finding = Finding::of_range(FindingKind::NoDigests, since, run.now)
            .fact("bucket", run.settings.trail_bucket.as_str())
            .fact("prefix", run.settings.key_prefix.as_str())
            .fact("what", "no folder of digests is there to be validated");
        tell_of_bucket(run, installation.counted_at, vec![finding]).await?;
    }
    installation.is_silent = is_silent;
    Ok(())
}

/// Sends findings that are of no chain.
async fn tell_of_bucket<P: Outside>(
    run: &Run<'_, P>,
    time: i64,
    findings: Vec<Finding>,
) -> Result<(), Stopped> {
    let stream = FindingStream {
        account: "unknown".to_owned(),
        region: "unknown".to_owned(),
        trail: "unknown".to_owned(),
        location: format!("s3://{}", run.settings.trail_bucket),
    };
    let found: Vec<Found> = findings
        .into_iter()
        .map(|finding| Found {
            stream: stream.clone(),
            finding,
            was_right: false,
            check_command: Vec::new(),
        })
        .collect();
    for found in &found {
        let kind = found.finding.kind.code();
        tracing::warn!(kind, finding = %found.finding, "found");
        run.counted.count_by("Findings", "Kind", kind, 1);
    }
    let messages = messages(&found, time, run.now);
    run.outside.matches().send_messages(&messages).await?;
    Ok(())
}

/// All folders that are or were there, beginning where the last run stopped.
fn in_turn(installation: &Installation, listed: Vec<String>) -> Vec<String> {
    let mut folders: Vec<String> = installation.folders.iter().cloned().chain(listed).collect();
    folders.sort();
    folders.dedup();
    let cursor = installation.cursor.as_ref();
    let first = folders
        .iter()
        .position(|folder| Some(folder) >= cursor)
        .unwrap_or(0);
    folders.rotate_left(first);
    folders
}

fn note_failure(counted: &Counted, outcome: &mut Outcome, what: &str, stopped: Stopped) {
    let (reason, error) = words(stopped);
    tracing::error!(what, reason, error, "could not be validated");
    counted.count_by("ValidationFailed", "Reason", reason, 1);
    outcome.failed.push(format!("{what}: {error}"));
}

fn words(stopped: Stopped) -> (&'static str, String) {
    match stopped {
        Stopped::NoTime => ("no_time", "the time of the invocation is over".to_owned()),
        Stopped::Failed { reason, error } => (reason, error),
    }
}

/// What a payload is, without its contents.
fn described(payload: &Value) -> String {
    match payload {
        Value::Object(members) => {
            let names: Vec<&str> = members.keys().take(8).map(String::as_str).collect();
            match names.is_empty() {
                true => "an empty object".to_owned(),
                false => format!("an object with the members {}", names.join(", ")),
            }
        }
        Value::Array(_) => "an array".to_owned(),
        _ => "neither an object nor an array".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_where_the_last_one_stopped() {
        let folders = ["a", "b", "c"].map(String::from);
        let mut installation = Installation::new(0);
        installation.add(&folders);
        installation.cursor = Some("b".into());
        assert_eq!(
            in_turn(&installation, vec!["d".into()]),
            ["b", "c", "d", "a"]
        );
        installation.cursor = Some("x".into());
        assert_eq!(in_turn(&installation, Vec::new()), ["a", "b", "c"]);
    }
}

//! `trailwarden filters check | test | list | explain`

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use filter_pattern::Pattern;
use metric_filters::{BUILT_IN, DEFAULT_PROFILE, FiltersFile, MetricFilter, MetricTransformation};
use raw_json::Object;
use serde_json::json;

use crate::args::{FilterChoice, FiltersCommand, Format};
use crate::output::printable;
use crate::text_report::{aligned, counted};
use crate::{Outcome, diagnostics, output};

pub(crate) fn run(command: &FiltersCommand) -> anyhow::Result<Outcome> {
    match command {
        FiltersCommand::Check { files } => check(files),
        FiltersCommand::Test { files, profile } => test(files, profile.as_deref()),
        FiltersCommand::List { filters, format } => list(filters, *format),
        FiltersCommand::Explain {
            name,
            filter_pattern,
            event,
            filters,
        } => explain(name.as_deref(), filter_pattern.as_deref(), event, filters),
    }
}

/// A filters file, read.
pub(crate) enum Loaded {
    /// The filters of the chosen profile.
    Filters {
        origin: String,
        filters: Vec<MetricFilter>,
    },
    /// A diagnostic for each fault.
    Faults(Vec<String>),
}

/// Loads the filters that the user chose.
///
/// Without a file these are the built-in ones, in the profile `recommended`. A file's filters are all
/// taken as they are, unless a profile is chosen or the file knows `recommended` too.
pub(crate) fn load(choice: &FilterChoice) -> anyhow::Result<Loaded> {
    let (origin, text) = match &choice.file {
        Some(path) => (path.display().to_string(), read(path)?),
        None => ("built-in filters".to_owned(), BUILT_IN.to_owned()),
    };
    let file = match FiltersFile::parse(&text) {
        Ok(file) => file,
        Err(faults) => {
            return Ok(Loaded::Faults(
                faults
                    .0
                    .iter()
                    .map(|fault| diagnostics::fault(&origin, &text, fault))
                    .collect(),
            ));
        }
    };
    let profiles = file.profiles();
    let filters = match choice.profile.as_deref() {
        Some(profile) if profiles.contains(&profile) => file.in_profile(profile),
        Some(profile) => bail!(
            "{origin} has no profile `{profile}`, expected {}",
            one_of(&profiles)
        ),
        None if profiles.contains(&DEFAULT_PROFILE) => file.in_profile(DEFAULT_PROFILE),
        None => file.filters,
    };
    if let Some(path) = &choice.file {
        let text_of = |fault| diagnostics::doubt(&path.display().to_string(), &text, fault);
        file.warnings
            .iter()
            .map(text_of)
            .for_each(|warning| output::note(&warning));
    }
    Ok(Loaded::Filters { origin, filters })
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "none: its filters are in no profile".to_owned(),
        names => names.join(", "),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read_bytes(path)?)
        .with_context(|| format!("`{}` is not UTF-8 text", path.display()))
}

/// A file, or standard input for `-`.
fn read_bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = match path.as_os_str() == "-" {
        true => std::io::stdin().lock().read_to_end(&mut bytes),
        false => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(bytes)
}

fn check(files: &[PathBuf]) -> anyhow::Result<Outcome> {
    for_each_file(files, |origin, text| match FiltersFile::parse(text) {
        Ok(file) => {
            let notes = file.warnings.iter();
            notes.for_each(|note| output::note(&diagnostics::doubt(origin, text, note)));
            let filters = counted(file.filters.len(), "filter");
            output::write(&format!("{origin}: {filters}, no fault\n"))?;
            Ok(Outcome::Fine)
        }
        Err(faults) => {
            let faults = faults.0.iter();
            let count = faults.len();
            faults.for_each(|fault| output::note(&diagnostics::fault(origin, text, fault)));
            output::write(&format!("{origin}: {}\n", counted(count, "fault")))?;
            Ok(Outcome::Found)
        }
    })
}

/// Calls `each` with the name and the text of every file; one that cannot be read does not stop the
/// others. The outcome is the worst of all.
fn for_each_file(
    files: &[PathBuf],
    mut each: impl FnMut(&str, &str) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Outcome> {
    if files.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        bail!("standard input can be read once, expected - once");
    }
    let mut worst = Outcome::Fine;
    for path in files {
        let outcome = match read(path) {
            Ok(text) => each(&path.display().to_string(), &text)?,
            Err(error) => {
                diagnostics::error(&format!("{error:#}"));
                Outcome::CouldNotRun
            }
        };
        worst = worst.max(outcome);
    }
    Ok(worst)
}

fn test(files: &[PathBuf], profile: Option<&str>) -> anyhow::Result<Outcome> {
    if files.is_empty() {
        return test_file("built-in filters", BUILT_IN, profile);
    }
    for_each_file(files, |origin, text| test_file(origin, text, profile))
}

fn test_file(origin: &str, text: &str, profile: Option<&str>) -> anyhow::Result<Outcome> {
    let file = match FiltersFile::parse(text) {
        Ok(file) => file,
        Err(faults) => {
            faults
                .0
                .iter()
                .for_each(|fault| output::note(&diagnostics::fault(origin, text, fault)));
            return Ok(Outcome::Found);
        }
    };
    let profiles = file.profiles();
    let runs: Vec<(Option<&str>, Vec<MetricFilter>)> = match profile {
        Some(profile) if !profiles.contains(&profile) => bail!(
            "{origin} has no profile `{profile}`, expected {}",
            one_of(&profiles)
        ),
        Some(profile) => vec![(Some(profile), file.in_profile(profile))],
        None if profiles.is_empty() => vec![(None, file.filters.clone())],
        None => profiles
            .iter()
            .map(|profile| (Some(*profile), file.in_profile(profile)))
            .collect(),
    };
    let mut run = TestRun::default();
    for (profile, filters) in &runs {
        filters
            .iter()
            .for_each(|filter| run.filter(*profile, filter));
    }
    output::write(&run.text(origin))?;
    Ok(if run.failures.is_empty() {
        Outcome::Fine
    } else {
        Outcome::Found
    })
}

#[derive(Default)]
struct TestRun {
    tests: usize,
    failures: Vec<String>,
    untested: Vec<String>,
}

impl TestRun {
    fn filter(&mut self, profile: Option<&str>, filter: &MetricFilter) {
        let place = match profile {
            Some(profile) => format!("{} ({profile})", filter.name),
            None => filter.name.clone(),
        };
        if filter.tests.is_empty() {
            self.untested.push(place.clone());
        }
        for test in &filter.tests {
            self.tests += 1;
            if filter.pattern.matches(test.event.as_bytes()) != test.matches {
                let expected = if test.matches {
                    "to match"
                } else {
                    "not to match"
                };
                let explanation =
                    indented(&filter.pattern.explain(test.event.as_bytes()).to_string());
                self.failures.push(format!(
                    "FAILED {place}: {}: expected the event {expected}\n{explanation}",
                    test.name
                ));
            }
        }
    }

    fn text(&self, origin: &str) -> String {
        let mut text: String = self
            .failures
            .iter()
            .map(|failure| format!("{}\n", failure.trim_end()))
            .collect();
        let failed = self.failures.len();
        text.push_str(&format!(
            "{origin}: {}, {failed} failed\n",
            counted(self.tests, "test")
        ));
        if !self.untested.is_empty() {
            text.push_str(&format!("without tests: {}\n", self.untested.join(", ")));
        }
        text
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

fn list(choice: &FilterChoice, format: Format) -> anyhow::Result<Outcome> {
    let filters = match load(choice)? {
        Loaded::Filters { filters, .. } => filters,
        Loaded::Faults(diagnostics) => {
            diagnostics
                .iter()
                .for_each(|diagnostic| output::note(diagnostic));
            return Ok(Outcome::CouldNotRun);
        }
    };
    let text = match format {
        Format::Json => format!(
            "{}\n",
            serde_json::to_string_pretty(&filters.iter().map(filter_json).collect::<Vec<_>>())?
        ),
        Format::Text => {
            let header = ["Filter", "Severity", "Mode", "Alarm", "Title"].map(str::to_owned);
            let rows: Vec<[String; 5]> = filters.iter().map(filter_cells).collect();
            aligned(&[vec![header], rows].concat())
                .iter()
                .map(|row| format!("{row}\n"))
                .collect()
        }
    };
    output::write(&text)?;
    Ok(Outcome::Fine)
}

fn filter_cells(filter: &MetricFilter) -> [String; 5] {
    let alarm = filter
        .alarm
        .as_ref()
        .map_or_else(|| "-".to_owned(), |alarm| alarm.definition.to_string());
    [
        printable(&filter.name),
        filter.severity.to_string(),
        filter.mode.to_string(),
        alarm,
        printable(&filter.title),
    ]
}

fn filter_json(filter: &MetricFilter) -> serde_json::Value {
    let alarm = filter.alarm.as_ref().map(|alarm| {
        let definition = &alarm.definition;
        json!({
            "statistic": definition.statistic().as_str(),
            "comparison": definition.comparison().as_str(),
            "threshold": definition.threshold(),
            "period_seconds": definition.period_seconds(),
            "evaluation_periods": definition.evaluation_periods(),
            "datapoints_to_alarm": definition.datapoints_to_alarm(),
            "treat_missing_data": definition.treat_missing_data().as_str(),
            "group_by": alarm.group_by.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    json!({
        "name": filter.name,
        "title": filter.title,
        "description": filter.description,
        "severity": filter.severity.name(),
        "mode": filter.mode.name(),
        "references": filter.references,
        "pattern": filter.pattern.source(),
        "metric": metric_json(&filter.metric),
        "alarm": alarm,
        "profiles": filter.profiles.keys().collect::<Vec<_>>(),
        "tests": filter.tests.len(),
    })
}

fn metric_json(metric: &MetricTransformation) -> serde_json::Value {
    let dimensions = metric.dimensions.iter();
    let dimensions: serde_json::Map<String, serde_json::Value> = dimensions
        .map(|dimension| {
            (
                dimension.name().to_owned(),
                dimension.value().source().into(),
            )
        })
        .collect();
    json!({
        "namespace": metric.namespace,
        "name": metric.name,
        "value": metric.value_text,
        "default_value": metric.default_value,
        "unit": metric.unit,
        "dimensions": dimensions,
    })
}

fn explain(
    name: Option<&str>,
    text: Option<&str>,
    event: &Path,
    choice: &FilterChoice,
) -> anyhow::Result<Outcome> {
    let event_on_stdin = event.as_os_str() == "-";
    if event_on_stdin
        && choice
            .file
            .as_ref()
            .is_some_and(|file| file.as_os_str() == "-")
    {
        bail!("standard input can be read once, expected - for the event or for the filters");
    }
    let Some(pattern) = explained_pattern(name, text, choice)? else {
        return Ok(Outcome::CouldNotRun);
    };
    let message = read_bytes(event)?.trim_ascii_end().to_owned();
    let is_log_file = Object::parse(&message).is_ok_and(|object| object.get("Records").is_some());
    if is_log_file {
        diagnostics::warning(
            "the event is a whole log file, expected one of its records: `trailwarden show` prints one",
        );
    }
    show_warnings(&pattern);
    output::write(&format!(
        "{}\n\n{}\n",
        printable(pattern.source()),
        pattern.explain(&message).to_string().trim_end()
    ))?;
    match pattern.matches(&message) {
        true => Ok(Outcome::Fine),
        false => Ok(Outcome::Found),
    }
}

fn explained_pattern(
    name: Option<&str>,
    text: Option<&str>,
    choice: &FilterChoice,
) -> anyhow::Result<Option<Pattern>> {
    if let Some(text) = text {
        return match filter_pattern::compile(text) {
            Ok(pattern) => Ok(Some(pattern)),
            Err(error) => {
                output::note(&diagnostics::compile_error(text, &error));
                Ok(None)
            }
        };
    }
    match load(choice)? {
        Loaded::Filters { origin, filters } => {
            let name = name.unwrap_or_default();
            match filters.iter().find(|filter| filter.name == name) {
                Some(filter) => Ok(Some(filter.pattern.clone())),
                None => {
                    let known: Vec<&str> =
                        filters.iter().map(|filter| filter.name.as_str()).collect();
                    bail!(
                        "no filter `{name}` in {origin}, expected one of {}",
                        known.join(", ")
                    )
                }
            }
        }
        Loaded::Faults(diagnostics) => {
            diagnostics
                .iter()
                .for_each(|diagnostic| output::note(diagnostic));
            Ok(None)
        }
    }
}

/// Says what looks like a mistake in a pattern that was given on the command line.
pub(crate) fn show_warnings(pattern: &Pattern) {
    for warning in pattern.warnings() {
        output::note(&diagnostics::pattern_warning(pattern.source(), warning));
    }
}

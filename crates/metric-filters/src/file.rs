//! From the tree of a filters file to metric filters, with every fault it has.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::str::FromStr;

use filter_pattern::{CompileError, Dimension, MetricValue, Pattern, Selector};
use metric_alarm::{
    AlarmDefinition, ComparisonOperator, DefinitionError, Statistic, TreatMissingData,
};

use crate::fault::{Fault, Faults};
use crate::filter::{
    Alarm, FilterTest, MetricFilter, MetricTransformation, Mode, Override, Severity, Suppression,
};
use crate::node::{Kind, Node};

/// A filters file that has no fault.
#[derive(Debug, Clone)]
pub struct FiltersFile {
    /// In the order of the file.
    pub filters: Vec<MetricFilter>,
    /// What is allowed and still looks like a mistake.
    pub warnings: Vec<Fault>,
}

impl FiltersFile {
    /// Reads a filters file, YAML or JSON.
    ///
    /// ```
    /// let file = metric_filters::FiltersFile::parse(r#"
    /// metric_filters:
    ///   - name: TrailStopped
    ///     pattern: '{ $.eventName = StopLogging }'
    ///     metric: { namespace: Audit, name: TrailStoppedCount }
    /// "#)?;
    /// assert_eq!(file.filters.len(), 1);
    /// # Ok::<(), metric_filters::Faults>(())
    /// ```
    ///
    /// # Errors
    /// All the faults of the file, in the order in which they stand there.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        let mut loader = Loader {
            text,
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        let filters = match Node::parse(text) {
            Ok(root) => loader.file(&root),
            Err(fault) => {
                loader.faults.push(fault);
                Vec::new()
            }
        };
        let Loader {
            mut faults,
            mut warnings,
            ..
        } = loader;
        for list in [&mut faults, &mut warnings] {
            list.sort_by_key(|fault| fault.span.start);
            list.iter_mut().for_each(|fault| fault.place(text));
        }
        match faults.is_empty() {
            true => Ok(FiltersFile { filters, warnings }),
            false => Err(Faults(faults)),
        }
    }

    /// The filters as they are in a profile.
    pub fn in_profile(&self, profile: &str) -> Vec<MetricFilter> {
        self.filters
            .iter()
            .filter_map(|filter| filter.in_profile(profile))
            .collect()
    }

    /// The names of all profiles that filters of this file name, in alphabetical order.
    pub fn profiles(&self) -> Vec<&str> {
        let names: std::collections::BTreeSet<&str> = self
            .filters
            .iter()
            .flat_map(|filter| filter.profiles.keys().map(String::as_str))
            .collect();
        names.into_iter().collect()
    }
}

/// The units CloudWatch knows.
const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

const DEFAULT_GROUP: &str = "$.recipientAccountId";
const DEFAULT_PERIOD_SECONDS: i64 = 300;
const MOST_DIMENSIONS: usize = 3;

struct Loader<'t> {
    text: &'t str,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

/// The members of a mapping that are known, each once.
struct Members<'n> {
    values: BTreeMap<&'static str, &'n Node>,
}

impl<'n> Members<'n> {
    /// A member that is there and not `null`.
    fn get(&self, name: &str) -> Option<&'n Node> {
        self.values
            .get(name)
            .copied()
            .filter(|node| !node.is_null())
    }
}

impl Loader<'_> {
    fn fault(&mut self, node: &Node, message: impl Into<String>) {
        self.faults.push(Fault::new(node.span.clone(), message));
    }

    fn expected(&mut self, node: &Node, what: &str, expected: &str) {
        self.fault(
            node,
            format!("{what} is {}, expected {expected}", node.describe()),
        );
    }

    fn file(&mut self, root: &Node) -> Vec<MetricFilter> {
        let Some(members) =
            self.mapping(root, "the file", &["metric_filters"], &["metric_filters"])
        else {
            return Vec::new();
        };
        let Some(list) = members.get("metric_filters") else {
            return Vec::new();
        };
        let nodes = self.sequence(list, "`metric_filters`");
        if nodes.is_empty() && matches!(list.kind, Kind::Sequence(_)) {
            self.fault(
                list,
                "`metric_filters` is empty, expected at least one filter",
            );
        }
        let filters: Vec<(Range<usize>, MetricFilter)> = nodes
            .iter()
            .filter_map(|node| Some((node.span.clone(), self.filter(node)?)))
            .collect();
        self.unique_names(nodes);
        filters.into_iter().map(|(_, filter)| filter).collect()
    }

    /// Two filters of one name would share metrics, state and suppressions.
    fn unique_names(&mut self, nodes: &[Node]) {
        let mut seen = HashSet::new();
        for node in nodes {
            let Kind::Mapping(members) = &node.kind else {
                continue;
            };
            let name = members.iter().find(|(key, _)| key.scalar() == Some("name"));
            if let Some((_, value)) = name
                && let Some(text) = value.scalar()
                && !seen.insert(text)
            {
                self.fault(
                    value,
                    format!("the name `{text}` is taken by a filter before, expected another one"),
                );
            }
        }
    }

    fn filter(&mut self, node: &Node) -> Option<MetricFilter> {
        const MEMBERS: [&str; 12] = [
            "name",
            "title",
            "description",
            "severity",
            "references",
            "pattern",
            "metric",
            "alarm",
            "suppress",
            "mode",
            "tests",
            "profiles",
        ];
        let members = self.mapping(
            node,
            "a metric filter",
            &MEMBERS,
            &["name", "pattern", "metric"],
        )?;
        let name = members.get("name").and_then(|node| self.filter_name(node));
        let pattern = members
            .get("pattern")
            .and_then(|node| self.pattern(node, "`pattern`"));
        let metric = members
            .get("metric")
            .and_then(|node| self.metric(node, pattern.as_ref()));
        let alarm = members.get("alarm").map(|node| self.alarm(node));
        let title = members
            .get("title")
            .and_then(|node| self.text(node, "`title`"));
        let description = members
            .get("description")
            .and_then(|node| self.text(node, "`description`"));
        let severity = members
            .get("severity")
            .map(|node| self.word(node, "`severity`", &Severity::ALL.map(Severity::name)));
        let references = members
            .get("references")
            .map(|node| self.texts(node, "`references`"))
            .unwrap_or_default();
        let suppress = members
            .get("suppress")
            .map(|node| self.suppressions(node))
            .unwrap_or_default();
        let mode = members
            .get("mode")
            .map(|node| self.word(node, "`mode`", &Mode::ALL.map(Mode::name)));
        let tests = members
            .get("tests")
            .map(|node| self.tests(node))
            .unwrap_or_default();
        let profiles = members
            .get("profiles")
            .map(|node| self.profiles(node, members.get("alarm"), members.get("metric")))
            .unwrap_or_default();
        self.profiles_of_tests(members.get("tests"), &tests, &profiles);
        let name = name?;
        Some(MetricFilter {
            title: title.unwrap_or_else(|| name.clone()),
            name,
            description,
            severity: severity.flatten().unwrap_or_default(),
            references,
            pattern: pattern?,
            metric: metric?,
            alarm: match alarm {
                Some(alarm) => Some(alarm?),
                None => None,
            },
            suppress,
            mode: mode.flatten().unwrap_or_default(),
            tests,
            profiles,
        })
    }

    fn filter_name(&mut self, node: &Node) -> Option<String> {
        let name = self.text(node, "`name`")?;
        self.limited(node, "`name`", &name, 512, &[':', '*'])
            .then_some(name)
    }

    /// Checks the length and the characters CloudWatch forbids.
    fn limited(
        &mut self,
        node: &Node,
        what: &str,
        text: &str,
        most: usize,
        forbidden: &[char],
    ) -> bool {
        let length = text.chars().count();
        if length == 0 || length > most {
            self.fault(
                node,
                format!("{what} has {length} characters, expected 1 to {most}"),
            );
            return false;
        }
        if let Some(character) = text
            .chars()
            .find(|character| forbidden.contains(character) || character.is_control())
        {
            let list: Vec<String> = forbidden
                .iter()
                .map(|character| format!("`{character}`"))
                .collect();
            let found = character.escape_default();
            self.fault(
                node,
                format!(
                    "{what} has a `{found}`, expected a name without {} and control characters",
                    list.join(", ")
                ),
            );
            return false;
        }
        true
    }

    fn pattern(&mut self, node: &Node, what: &str) -> Option<Pattern> {
        let text = self.text_or_empty(node, what)?;
        match filter_pattern::compile(&text) {
            Ok(pattern) => {
                for warning in pattern.warnings() {
                    let span = self.inside(node, &text, &warning.span());
                    let note = Fault::new(span, format!("{what}: {}", warning.message()));
                    self.warnings.push(note.help(warning.help()));
                }
                Some(pattern)
            }
            Err(error) => {
                self.compile_error(node, what, &text, &error);
                None
            }
        }
    }

    fn compile_error(&mut self, node: &Node, what: &str, text: &str, error: &CompileError) {
        let mut fault = Fault::new(
            self.inside(node, text, &error.span()),
            format!("{what}: {}", error.message()),
        );
        fault.label = Some(format!("expected {}", error.expected()));
        fault.help = error.help().map(str::to_owned);
        self.faults.push(fault);
    }

    /// The place in the file of a place in a scalar's text. Where the text stands in the file as it
    /// is (no escapes, one line) it is exact, otherwise it is the whole scalar.
    fn inside(&self, node: &Node, text: &str, span: &Range<usize>) -> Range<usize> {
        let written = self.text.get(node.span.clone()).unwrap_or_default();
        match written.find(text) {
            Some(offset) if !text.is_empty() => {
                let start = node.span.start + offset;
                start + span.start..start + span.end
            }
            _ => node.span.clone(),
        }
    }

    fn metric(&mut self, node: &Node, pattern: Option<&Pattern>) -> Option<MetricTransformation> {
        const MEMBERS: [&str; 6] = [
            "namespace",
            "name",
            "value",
            "default_value",
            "unit",
            "dimensions",
        ];
        let members = self.mapping(node, "`metric`", &MEMBERS, &["namespace", "name"])?;
        let metric_name = |loader: &mut Self, member: &str| {
            let node = members.get(member)?;
            let what = format!("`metric.{member}`");
            let text = loader.text(node, &what)?;
            loader
                .limited(node, &what, &text, 255, &[':', '*', '$'])
                .then_some(text)
        };
        let namespace = metric_name(self, "namespace");
        let name = metric_name(self, "name");
        let value = self.metric_value(members.get("value"), pattern);
        let default_value = members
            .get("default_value")
            .map(|node| self.number(node, "`metric.default_value`"));
        let unit = members.get("unit").map(|node| self.unit(node));
        let dimensions = members
            .get("dimensions")
            .map(|node| self.dimensions(node, pattern))
            .unwrap_or_default();
        if let (Some(node), false) = (members.get("default_value"), dimensions.is_empty()) {
            self.fault(node, "`metric.default_value` and `metric.dimensions` stand together, expected one of them");
        }
        let (value, value_text) = value?;
        Some(MetricTransformation {
            namespace: namespace?,
            name: name?,
            value,
            value_text,
            default_value: default_value.flatten(),
            unit: unit.flatten(),
            dimensions,
        })
    }

    fn metric_value(
        &mut self,
        node: Option<&Node>,
        pattern: Option<&Pattern>,
    ) -> Option<(MetricValue, String)> {
        let Some(pattern) = pattern else {
            return None; // The pattern's own fault says enough.
        };
        let text = match node {
            Some(node) => self.text(node, "`metric.value`")?,
            None => "1".to_owned(),
        };
        match (MetricValue::parse(&text, pattern), node) {
            (Ok(value), _) => Some((value, text)),
            (Err(error), Some(node)) => {
                self.compile_error(node, "`metric.value`", &text, &error);
                None
            }
            (Err(_), None) => None,
        }
    }

    fn unit(&mut self, node: &Node) -> Option<String> {
        let unit = self.text(node, "`metric.unit`")?;
        if UNITS.contains(&unit.as_str()) {
            return Some(unit);
        }
        self.expected(
            node,
            "`metric.unit`",
            &format!("one of {}", UNITS.join(", ")),
        );
        None
    }

    fn dimensions(&mut self, node: &Node, pattern: Option<&Pattern>) -> Vec<Dimension> {
        let Kind::Mapping(members) = &node.kind else {
            self.expected(
                node,
                "`metric.dimensions`",
                "a mapping from names to selectors",
            );
            return Vec::new();
        };
        if members.len() > MOST_DIMENSIONS {
            self.fault(
                node,
                format!(
                    "`metric.dimensions` has {} dimensions, expected at most {MOST_DIMENSIONS}",
                    members.len()
                ),
            );
        }
        let mut dimensions = Vec::new();
        for (name, value) in members {
            let (Some(name), Some(text)) = (
                self.text(name, "a dimension's name"),
                self.text(value, "a dimension's value"),
            ) else {
                continue;
            };
            let Some(pattern) = pattern else { continue };
            match Dimension::parse(&name, &text, pattern) {
                Ok(dimension) => dimensions.push(dimension),
                Err(error) => {
                    self.compile_error(value, &format!("`metric.dimensions.{name}`"), &text, &error)
                }
            }
        }
        dimensions
    }

    fn alarm(&mut self, node: &Node) -> Option<Alarm> {
        self.alarm_with(node, None)
    }

    /// The alarm, with another threshold where a profile gives one.
    fn alarm_with(&mut self, node: &Node, threshold: Option<f64>) -> Option<Alarm> {
        const MEMBERS: [&str; 8] = [
            "statistic",
            "comparison",
            "threshold",
            "period_seconds",
            "evaluation_periods",
            "datapoints_to_alarm",
            "treat_missing_data",
            "group_by",
        ];
        let faults_before = self.faults.len();
        let members = self.mapping(node, "`alarm`", &MEMBERS, &["threshold"])?;
        let statistic = members.get("statistic").map(|node| {
            self.word(
                node,
                "`alarm.statistic`",
                &names(Statistic::ALL, Statistic::as_str),
            )
        });
        let comparison = members.get("comparison").map(|node| {
            self.word(
                node,
                "`alarm.comparison`",
                &names(ComparisonOperator::ALL, ComparisonOperator::as_str),
            )
        });
        let missing = members.get("treat_missing_data").map(|node| {
            self.word(
                node,
                "`alarm.treat_missing_data`",
                &names(TreatMissingData::ALL, TreatMissingData::as_str),
            )
        });
        let own_threshold = members
            .get("threshold")
            .and_then(|node| self.number(node, "`alarm.threshold`"));
        let count = |loader: &mut Self, member: &str| {
            let node = members.get(member)?;
            loader.whole_number(node, &format!("`alarm.{member}`"))
        };
        let period = count(self, "period_seconds");
        let evaluation_periods = count(self, "evaluation_periods");
        let datapoints = count(self, "datapoints_to_alarm");
        let group_by = members.get("group_by").map(|node| self.group_by(node));
        // What has a fault of its own is replaced by something sound, so that the rest is checked too.
        let mut definition = AlarmDefinition::builder(
            statistic.flatten().unwrap_or(Statistic::Sum),
            comparison
                .flatten()
                .unwrap_or(ComparisonOperator::GreaterThanOrEqualToThreshold),
            threshold.or(own_threshold).unwrap_or_default(),
            period.unwrap_or(DEFAULT_PERIOD_SECONDS),
        )
        .treat_missing_data(missing.flatten().unwrap_or_default());
        if let Some(periods) = evaluation_periods {
            definition = definition.evaluation_periods(periods);
        }
        if let Some(datapoints) = datapoints {
            definition = definition.datapoints_to_alarm(datapoints);
        }
        match definition.build() {
            Ok(_) if self.faults.len() > faults_before => None,
            Ok(definition) => Some(Alarm {
                definition,
                group_by: match group_by {
                    Some(selectors) => selectors,
                    None => Selector::parse(DEFAULT_GROUP).ok().into_iter().collect(),
                },
            }),
            Err(errors) => {
                for error in errors {
                    let at = members.get(member_at_fault(&error)).unwrap_or(node);
                    self.fault(at, format!("`alarm`: {error}"));
                }
                None
            }
        }
    }

    fn group_by(&mut self, node: &Node) -> Vec<Selector> {
        let mut selectors = Vec::new();
        for node in self.sequence(node, "`alarm.group_by`") {
            let Some(text) = self.text(node, "an entry of `alarm.group_by`") else {
                continue;
            };
            match Selector::parse(&text) {
                Ok(selector) => selectors.push(selector),
                Err(error) => self.compile_error(node, "`alarm.group_by`", &text, &error),
            }
        }
        selectors
    }

    fn suppressions(&mut self, node: &Node) -> Vec<Suppression> {
        let mut suppressions = Vec::new();
        for node in self.sequence(node, "`suppress`") {
            let Some(members) = self.mapping(
                node,
                "an entry of `suppress`",
                &["pattern", "reason", "expires"],
                &["pattern", "reason"],
            ) else {
                continue;
            };
            let pattern = members
                .get("pattern")
                .and_then(|node| self.pattern(node, "`suppress.pattern`"));
            let reason = members
                .get("reason")
                .and_then(|node| self.text(node, "`suppress.reason`"));
            let expires = members.get("expires").map(|node| self.date(node));
            if let (Some(pattern), Some(reason)) = (pattern, reason) {
                suppressions.push(Suppression {
                    pattern,
                    reason,
                    expires: expires.flatten(),
                });
            }
        }
        suppressions
    }

    fn date(&mut self, node: &Node) -> Option<jiff::civil::Date> {
        let date = node.scalar().and_then(|text| text.parse().ok());
        if date.is_none() {
            self.expected(node, "`suppress.expires`", "a day such as 2027-01-31");
        }
        date
    }

    fn tests(&mut self, node: &Node) -> Vec<FilterTest> {
        let mut tests = Vec::new();
        for node in self.sequence(node, "`tests`") {
            let Some(members) = self.mapping(
                node,
                "an entry of `tests`",
                &["name", "event", "matches", "profiles"],
                &["name", "event", "matches"],
            ) else {
                continue;
            };
            let name = members
                .get("name")
                .and_then(|node| self.text(node, "`tests.name`"));
            let matches = members
                .get("matches")
                .and_then(|node| self.boolean(node, "`tests.matches`"));
            let event = members.get("event").and_then(|node| self.event(node));
            let profiles = members
                .get("profiles")
                .map(|node| self.texts(node, "`tests.profiles`"))
                .unwrap_or_default();
            if let (Some(name), Some(matches), Some(event)) = (name, matches, event) {
                tests.push(FilterTest {
                    name,
                    event,
                    matches,
                    profiles,
                });
            }
        }
        tests
    }

    fn event(&mut self, node: &Node) -> Option<String> {
        if matches!(node.kind, Kind::Mapping(_)) {
            return Some(node.to_json());
        }
        self.expected(node, "`tests.event`", "the members of an event");
        None
    }

    fn profiles(
        &mut self,
        node: &Node,
        alarm: Option<&Node>,
        metric: Option<&Node>,
    ) -> BTreeMap<String, Override> {
        let Kind::Mapping(members) = &node.kind else {
            self.expected(
                node,
                "`profiles`",
                "a mapping from profile names to what differs there",
            );
            return BTreeMap::new();
        };
        let mut profiles = BTreeMap::new();
        for (name, node) in members {
            let Some(name) = self.text(name, "a profile's name") else {
                continue;
            };
            if profiles.contains_key(&name) {
                self.fault(
                    node,
                    format!("the profile `{name}` stands twice, expected it once"),
                );
            }
            profiles.insert(name, self.profile(node, alarm, metric));
        }
        profiles
    }

    fn profile(&mut self, node: &Node, alarm: Option<&Node>, metric: Option<&Node>) -> Override {
        const MEMBERS: [&str; 4] = ["pattern", "mode", "severity", "threshold"];
        if node.is_null() {
            return Override::default();
        }
        let Some(members) = self.mapping(node, "a profile", &MEMBERS, &[]) else {
            return Override::default();
        };
        let pattern = members
            .get("pattern")
            .and_then(|node| self.pattern(node, "`pattern`"));
        if let (Some(pattern), Some(metric)) = (&pattern, metric) {
            // The metric's value and dimensions must fit this pattern too.
            let _ = self.metric(metric, Some(pattern));
        }
        let threshold = members
            .get("threshold")
            .and_then(|node| self.number(node, "`threshold`"));
        if let (Some(node), None) = (members.get("threshold"), alarm) {
            self.fault(
                node,
                "`threshold` in a profile, but the filter has no `alarm`, expected one",
            );
        }
        Override {
            pattern,
            mode: members
                .get("mode")
                .and_then(|node| self.word(node, "`mode`", &Mode::ALL.map(Mode::name))),
            severity: members
                .get("severity")
                .and_then(|node| self.word(node, "`severity`", &Severity::ALL.map(Severity::name))),
            alarm: match (threshold, alarm) {
                (Some(threshold), Some(alarm)) => self.alarm_with(alarm, Some(threshold)),
                _ => None,
            },
        }
    }

    /// A test for a profile the filter is not part of would never run.
    fn profiles_of_tests(
        &mut self,
        node: Option<&Node>,
        tests: &[FilterTest],
        profiles: &BTreeMap<String, Override>,
    ) {
        let Some(node) = node else { return };
        for test in tests {
            if let Some(unknown) = test
                .profiles
                .iter()
                .find(|name| !profiles.contains_key(*name))
            {
                let known: Vec<&str> = profiles.keys().map(String::as_str).collect();
                self.fault(node, format!("the test `{}` is for the profile `{unknown}`, expected one of the filter's: {}", test.name, known.join(", ")));
            }
        }
    }

    /// A mapping with these members; unknown, repeated and missing ones are faults.
    fn mapping<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&'static str],
        required: &[&str],
    ) -> Option<Members<'n>> {
        let Kind::Mapping(members) = &node.kind else {
            self.expected(
                node,
                what,
                &format!(
                    "a mapping with {}",
                    list(if required.is_empty() { known } else { required })
                ),
            );
            return None;
        };
        let mut values = BTreeMap::new();
        for (key, value) in members {
            let written = key.scalar().unwrap_or_default();
            let Some(name) = known.iter().find(|name| **name == written) else {
                self.unknown_member(key, what, known);
                continue;
            };
            if values.insert(*name, value).is_some() {
                self.fault(
                    key,
                    format!("`{name}` stands twice in {what}, expected it once"),
                );
            }
        }
        for name in required {
            if values.get(name).is_none_or(|value| value.is_null()) {
                self.fault(
                    node,
                    format!("{what} has no `{name}`, expected {}", list(required)),
                );
            }
        }
        Some(Members { values })
    }

    fn unknown_member(&mut self, key: &Node, what: &str, known: &[&str]) {
        let found = key.describe();
        let mut fault = Fault::new(
            key.span.clone(),
            format!("unknown member {found} in {what}"),
        );
        fault = fault.label(format!("expected one of {}", list(known)));
        if let Some(close) = key.scalar().and_then(|written| closest(written, known)) {
            fault = fault.help(format!("did you mean `{close}`?"));
        }
        self.faults.push(fault);
    }

    fn sequence<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.kind {
            Kind::Sequence(elements) => elements,
            _ => {
                self.expected(node, what, "a list");
                &[]
            }
        }
    }

    fn text(&mut self, node: &Node, what: &str) -> Option<String> {
        match node.scalar() {
            Some(text) if !text.is_empty() => Some(text.to_owned()),
            _ => {
                self.expected(node, what, "a text");
                None
            }
        }
    }

    /// A pattern may be the empty text: it matches everything.
    fn text_or_empty(&mut self, node: &Node, what: &str) -> Option<String> {
        match node.scalar() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.expected(node, what, "a filter pattern (in single quotes, as YAML has a meaning of its own for braces)");
                None
            }
        }
    }

    fn texts(&mut self, node: &Node, what: &str) -> Vec<String> {
        let nodes = self.sequence(node, what);
        nodes
            .iter()
            .filter_map(|node| self.text(node, &format!("an entry of {what}")))
            .collect()
    }

    fn word<T: FromStr>(&mut self, node: &Node, what: &str, words: &[&str]) -> Option<T> {
        let value = node.scalar().and_then(|word| word.parse().ok());
        if value.is_none() {
            self.expected(node, what, &format!("one of {}", list(words)));
        }
        value
    }

    fn number(&mut self, node: &Node, what: &str) -> Option<f64> {
        let number = match &node.kind {
            Kind::Plain(text) | Kind::Text(text) => {
                text.parse().ok().filter(|number: &f64| number.is_finite())
            }
            _ => None,
        };
        if number.is_none() {
            self.expected(node, what, "a number");
        }
        number
    }

    fn whole_number(&mut self, node: &Node, what: &str) -> Option<i64> {
        let number = match &node.kind {
            Kind::Plain(text) => text.parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.expected(node, what, "a whole number");
        }
        number
    }

    fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        let value = match &node.kind {
            Kind::Plain(text) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        if value.is_none() {
            self.expected(node, what, "true or false");
        }
        value
    }
}

/// The member of `alarm` that an error is about.
fn member_at_fault(error: &DefinitionError) -> &'static str {
    match error {
        DefinitionError::Period { .. } => "period_seconds",
        DefinitionError::EvaluationPeriods { .. } | DefinitionError::EvaluationRange { .. } => {
            "evaluation_periods"
        }
        DefinitionError::DatapointsToAlarm { .. } => "datapoints_to_alarm",
        _ => "threshold",
    }
}

fn names<T: Copy>(values: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    values.iter().map(|value| name(*value)).collect()
}

fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The known name nearest to what was written, if it is near.
fn closest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let distance = |name: &str| strsim::levenshtein(&written.to_ascii_lowercase(), name);
    let nearest = known.iter().min_by_key(|name| distance(name))?;
    (distance(nearest) <= 1 + written.len() / 4).then_some(nearest)
}

//! The built-in filters and made patterns, as a filters file and compiled.

use std::fs;
use std::path::{Path, PathBuf};

use metric_filters::{BUILT_IN, DEFAULT_PROFILE, FilterSet, FiltersFile};
use serde_json::json;
use testkit::patterns::{Material, Pattern, Random, patterns};

/// The share of events that a made pattern may match.
const MOST_SHARE: f64 = 0.00005;

/// Filters to be measured.
pub struct Filters {
    /// The text of the filters file.
    pub text: String,
    pub set: FilterSet,
    /// The made patterns; their filters are the last ones of the set.
    pub made: Vec<Pattern>,
}

impl Filters {
    /// The built-in filters and so many more.
    pub fn beside_built_in(count: usize, material: &Material) -> Self {
        Filters::new(BUILT_IN.trim_end(), count, material)
    }

    /// So many filters and no others.
    pub fn alone(count: usize, material: &Material) -> Self {
        Filters::new("metric_filters:", count, material)
    }

    fn new(before: &str, count: usize, material: &Material) -> Self {
        let made: Vec<Pattern> = patterns(42, count + count / 5, material, MOST_SHARE)
            .into_iter()
            .filter(is_without_doubt)
            .take(count)
            .collect();
        assert_eq!(made.len(), count, "most made patterns raise no doubt");
        let mut random = Random::new(7);
        let mut text = before.to_owned();
        for (n, pattern) in made.iter().enumerate() {
            // JSON is YAML.
            text.push_str("\n  - ");
            text.push_str(&filter(n, pattern, &mut random).to_string());
        }
        text.push('\n');
        let file = FiltersFile::parse(&text).expect("what is made here loads");
        Filters {
            set: FilterSet::new(file.in_profile(DEFAULT_PROFILE)),
            text,
            made,
        }
    }

    /// Writes the filters file into a folder.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("filters.yaml");
        fs::write(&path, &self.text).expect("the folder is writable");
        path
    }

    /// Filters of the set that were not made here.
    pub fn built_in(&self) -> usize {
        self.set.filters().len() - self.made.len()
    }
}

/// A warning costs the command more than the pattern does.
fn is_without_doubt(pattern: &Pattern) -> bool {
    let compiled = filter_pattern::compile(&pattern.text).expect("what is made compiles");
    compiled.warnings().is_empty()
}

fn filter(n: usize, pattern: &Pattern, random: &mut Random) -> serde_json::Value {
    let mut filter = json!({
        "name": format!("Made{n:04}"),
        "pattern": pattern.text,
        "metric": { "namespace": "Made", "name": format!("Made{n:04}Count") },
    });
    match random.below(10) {
        0..6 => filter["alarm"] = json!({ "threshold": 1 }),
        6..8 => {
            filter["alarm"] = json!({ "threshold": 5, "group_by": ["$.userIdentity.arn"] });
        }
        8 => {
            filter["alarm"] = json!({ "threshold": 1 });
            filter["mode"] = json!("shadow");
        }
        _ => {}
    }
    filter
}

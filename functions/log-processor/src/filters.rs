//! The filters in force: the newest that loaded.
//!
//! A filters file in S3 is looked at for change at most once a minute. One that cannot be read or has
//! faults changes nothing: the last good one stays, which is also kept in the table for those who start
//! later. With none at all there is an error, and messages wait.

use std::cell::RefCell;
use std::rc::Rc;

use metric_filters::{FilterSet, FiltersFile, MetricFilter};
use ports::{Body, Item, ItemKey, Items, ObjectLocation, Put, ReadObject, RequestError};
use serde::{Deserialize, Serialize};

use crate::own_calls::OwnCalls;
use crate::settings::{FiltersSource, Settings};

/// How often a filters file is looked at for change.
const CHECK_MILLIS: i64 = 60_000;

/// Largest filters file. It must fit into an item of the table.
const MOST_BYTES: u64 = 350_000;

/// Of what is kept in the table.
const SCHEMA: u32 = 1;

/// The end of the year 9999: it is not to be deleted.
const NEVER: i64 = 253_402_300_799;

/// The namespace that built-in filters have in the file.
const BUILT_IN_NAMESPACE: &str = "Trailwarden";

/// The filters in force.
#[derive(Debug)]
pub struct FiltersInForce {
    source: FiltersSource,
    profile: String,
    built_in_namespace: String,
    own_calls: OwnCalls,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Rc<FilterSet>>,
    etag: String,
    /// The entity tag of a file that has faults, which need not be told again.
    refused_etag: String,
    checked_at_millis: Option<i64>,
}

/// There are no filters in force.
#[derive(Debug, thiserror::Error)]
#[error("no filters are in force: {why}")]
pub struct NoFilters {
    /// Why there are none.
    pub why: String,
}

/// What happened when the filters were looked at, for log lines and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FiltersEvent {
    /// These filters are in force from now on.
    Loaded {
        /// Their number.
        filters: usize,
        /// Where they come from.
        from: String,
    },
    /// The file could not be loaded; what was in force stays.
    Refused {
        /// Why, with every fault.
        why: String,
    },
    /// The last good file could not be kept in the table, or read from it.
    NotKept {
        /// Why.
        why: String,
    },
}

#[derive(Debug, Serialize, Deserialize)]
struct LastGood {
    schema: u32,
    object: String,
    etag: String,
    text: String,
}

impl FiltersInForce {
    /// None yet.
    pub fn new(settings: &Settings) -> Self {
        FiltersInForce {
            source: settings.filters.clone(),
            profile: settings.profile.clone(),
            built_in_namespace: settings.metric_namespace.clone(),
            own_calls: OwnCalls::new(settings),
            state: RefCell::default(),
        }
    }

    /// Loads the built-in filters, if these are to be used: before the first message rather than with it.
    pub fn load_built_in(&self) {
        if self.source == FiltersSource::BuiltIn {
            // Should they not load, the first message says so.
            let _ = self.built_in(&mut |_| {});
        }
    }

    /// The filters in force now; `tell` hears what happened to them.
    ///
    /// # Errors
    /// There are none.
    pub async fn current(
        &self,
        objects: &impl ReadObject,
        items: &impl Items,
        now_millis: i64,
        tell: &mut impl FnMut(FiltersEvent),
    ) -> Result<Rc<FilterSet>, NoFilters> {
        match &self.source {
            FiltersSource::BuiltIn => self.built_in(tell),
            FiltersSource::Object(location) => {
                let checked = self.state.borrow().checked_at_millis;
                if checked.is_none_or(|at| now_millis.saturating_sub(at) >= CHECK_MILLIS) {
                    self.look(objects, items, location, tell).await;
                    // Without any filters the next message looks again at once.
                    let mut state = self.state.borrow_mut();
                    state.checked_at_millis = state.current.is_some().then_some(now_millis);
                }
                let state = self.state.borrow();
                state.current.clone().ok_or_else(|| NoFilters {
                    why: format!("{location} does not load, and no file has loaded before"),
                })
            }
        }
    }

    fn built_in(&self, tell: &mut impl FnMut(FiltersEvent)) -> Result<Rc<FilterSet>, NoFilters> {
        let mut state = self.state.borrow_mut();
        if let Some(current) = &state.current {
            return Ok(Rc::clone(current));
        }
        let mut filters = self
            .parse(metric_filters::BUILT_IN)
            .map_err(|why| NoFilters { why })?;
        for filter in &mut filters {
            if filter.metric.namespace == BUILT_IN_NAMESPACE {
                filter.metric.namespace.clone_from(&self.built_in_namespace);
            }
        }
        Ok(put_in_force(
            &mut state,
            filters,
            "the built-in filters",
            tell,
        ))
    }

    /// Looks at the file; whatever happens, what is in force stays unless there is something better.
    async fn look(
        &self,
        objects: &impl ReadObject,
        items: &impl Items,
        location: &ObjectLocation,
        tell: &mut impl FnMut(FiltersEvent),
    ) {
        let known = self.state.borrow().etag.clone();
        let is_first = self.state.borrow().current.is_none();
        match objects
            .read_object_if_changed(location, &known, MOST_BYTES)
            .await
        {
            Ok(None) => {}
            Ok(Some(object)) => {
                let text = String::from_utf8_lossy(&object.content);
                match self.parse(&text) {
                    Ok(filters) => {
                        {
                            let mut state = self.state.borrow_mut();
                            state.etag.clone_from(&object.etag);
                            put_in_force(&mut state, filters, &location.to_string(), tell);
                        }
                        let kept = keep(items, location, &object.etag, &text).await;
                        if let Err(error) = kept {
                            tell(FiltersEvent::NotKept {
                                why: error.to_string(),
                            });
                        }
                    }
                    Err(why) => self.refuse(&object.etag, why, tell),
                }
            }
            Err(error) => self.refuse("", format!("{location}: {error}"), tell),
        }
        if is_first && self.state.borrow().current.is_none() {
            self.fall_back(items, location, tell).await;
        }
    }

    fn refuse(&self, etag: &str, why: String, tell: &mut impl FnMut(FiltersEvent)) {
        let mut state = self.state.borrow_mut();
        if etag.is_empty() || state.refused_etag != etag {
            etag.clone_into(&mut state.refused_etag);
            tell(FiltersEvent::Refused { why });
        }
    }

    /// The file that was in force last, wherever that was.
    async fn fall_back(
        &self,
        items: &impl Items,
        location: &ObjectLocation,
        tell: &mut impl FnMut(FiltersEvent),
    ) {
        let last_good = match items.get_item(&last_good_key()).await {
            Ok(Some(item)) => {
                let last_good = parse_last_good(&item);
                if last_good.is_none() {
                    let why = "the item of the table cannot be read".to_owned();
                    tell(FiltersEvent::NotKept { why });
                }
                last_good
            }
            Ok(None) => return,
            Err(error) => {
                tell(FiltersEvent::NotKept {
                    why: error.to_string(),
                });
                return;
            }
        };
        let Some(last_good) = last_good.filter(|last| last.object == location.to_string()) else {
            return;
        };
        if let Ok(filters) = self.parse(&last_good.text) {
            let mut state = self.state.borrow_mut();
            let from = format!("the last good {location}, kept in the table");
            put_in_force(&mut state, filters, &from, tell);
        }
    }

    /// Whether each filter that is in force has a native alarm: the stack makes them for the built-in
    /// ones.
    pub fn have_native_alarms(&self) -> bool {
        self.source == FiltersSource::BuiltIn
    }

    /// The filters of the profile, or all that is wrong.
    fn parse(&self, text: &str) -> Result<Vec<MetricFilter>, String> {
        let file = FiltersFile::parse(text).map_err(|faults| faults.to_string())?;
        let mut filters = file.in_profile(&self.profile);
        for filter in &mut filters {
            self.own_calls.suppress_in(filter);
        }
        match filters.is_empty() {
            true => Err(format!(
                "no filter is in profile `{}`, expected one of: {}",
                self.profile,
                file.profiles().join(", ")
            )),
            false => Ok(filters),
        }
    }
}

fn put_in_force(
    state: &mut State,
    filters: Vec<MetricFilter>,
    from: &str,
    tell: &mut impl FnMut(FiltersEvent),
) -> Rc<FilterSet> {
    tell(FiltersEvent::Loaded {
        filters: filters.len(),
        from: from.to_owned(),
    });
    let set = Rc::new(FilterSet::new(filters));
    state.current = Some(Rc::clone(&set));
    set
}

fn last_good_key() -> ItemKey {
    ItemKey {
        partition: "filters".to_owned(),
        sort: "last-good".to_owned(),
    }
}

fn parse_last_good(item: &Item) -> Option<LastGood> {
    match &item.body {
        Body::Text(text) => {
            let last_good: Option<LastGood> = serde_json::from_str(text).ok();
            last_good.filter(|last_good| last_good.schema == SCHEMA)
        }
        Body::Bytes(_) => None,
    }
}

/// Keeps the file for those who start later, unless it is there.
async fn keep(
    items: &impl Items,
    location: &ObjectLocation,
    etag: &str,
    text: &str,
) -> Result<(), RequestError> {
    let known = items.get_item(&last_good_key()).await?;
    let is_there = |item: &Item| {
        parse_last_good(item)
            .is_some_and(|last| last.etag == etag && last.object == location.to_string())
    };
    if known.as_ref().is_some_and(is_there) {
        return Ok(());
    }
    let body = LastGood {
        schema: SCHEMA,
        object: location.to_string(),
        etag: etag.to_owned(),
        text: text.to_owned(),
    };
    let version = known.as_ref().map(|item| item.version);
    let item = Item {
        key: last_good_key(),
        version: version.map_or(1, |version| version + 1),
        body: Body::Text(serde_json::to_string(&body).unwrap_or_default()),
        due_at: None,
        expires_at: NEVER,
    };
    // Somebody else who wrote at the same time wrote a file that loaded, too.
    items.put_item(&item, version).await.map(|_: Put| ())
}

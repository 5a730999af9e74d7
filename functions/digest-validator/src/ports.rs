//! What the function talks to.

use ports::{
    Clock, Items, ListObjects, ObjectVersions, PublicKeys, PutObject, SendMessages, StreamObject,
    Trails,
};

/// What the function talks to. `K` gives the public keys of a Region, by its name.
#[derive(Debug)]
pub struct Ports<O, T, M, L, R, K, C> {
    /// The bucket of the trail, and that of the reports.
    pub objects: O,
    /// The table.
    pub items: T,
    /// The queue of matches.
    pub matches: M,
    /// The queue of log files.
    pub log_files: L,
    /// Trails.
    pub trails: R,
    /// Public keys.
    pub public_keys: K,
    /// The time.
    pub clock: C,
}

/// The same, as the modules of this crate see it: one name for seven.
pub trait Outside {
    /// The bucket of the trail, and that of the reports.
    type Objects: ListObjects + StreamObject + ObjectVersions + PutObject;
    /// The table.
    type Table: Items;
    /// The queue of matches.
    type Matches: SendMessages;
    /// The queue of log files.
    type LogFiles: SendMessages;
    /// Trails.
    type Trails: Trails;
    /// The public keys of a Region.
    type Keys: PublicKeys;
    /// The time.
    type Clock: Clock;

    /// The bucket of the trail, and that of the reports.
    fn objects(&self) -> &Self::Objects;
    /// The table.
    fn items(&self) -> &Self::Table;
    /// The queue of matches.
    fn matches(&self) -> &Self::Matches;
    /// The queue of log files.
    fn log_files(&self) -> &Self::LogFiles;
    /// Trails.
    fn trails(&self) -> &Self::Trails;
    /// The public keys of a Region.
    fn public_keys(&self, region: &str) -> Self::Keys;
    /// The time.
    fn clock(&self) -> &Self::Clock;
}

impl<O, T, M, L, R, K, P, C> Outside for Ports<O, T, M, L, R, K, C>
where
    O: ListObjects + StreamObject + ObjectVersions + PutObject,
    T: Items,
    M: SendMessages,
    L: SendMessages,
    R: Trails,
    K: Fn(&str) -> P,
    P: PublicKeys,
    C: Clock,
{
    type Objects = O;
    type Table = T;
    type Matches = M;
    type LogFiles = L;
    type Trails = R;
    type Keys = P;
    type Clock = C;

    fn objects(&self) -> &O {
        &self.objects
    }

    fn items(&self) -> &T {
        &self.items
    }

    fn matches(&self) -> &M {
        &self.matches
    }

    fn log_files(&self) -> &L {
        &self.log_files
    }

    fn trails(&self) -> &R {
        &self.trails
    }

    fn public_keys(&self, region: &str) -> P {
        (self.public_keys)(region)
    }

    fn clock(&self) -> &C {
        &self.clock
    }
}

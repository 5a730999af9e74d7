//! What validation found: what is wrong, with which file, and what that means.

use std::fmt;

use serde::Serialize;

use crate::display_time;

/// Where an object lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
}

/// `s3://bucket/key`
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl Location {
    /// A location.
    pub fn new(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Location {
            bucket: bucket.into(),
            key: key.into(),
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know; nothing is wrong.
    Notice,
    /// Something is not as it should be, and what it vouches for is proven all the same.
    Warning,
    /// What should be proven is not.
    Problem,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub kind: FindingKind,
    /// The file it is about, if it is about one.
    pub location: Option<Location>,
    /// The time it is about, in Unix seconds: from, to.
    pub range: Option<(i64, i64)>,
    /// Of how many files it tells, if they cannot be named.
    pub count: Option<u64>,
    /// What shows it: label and value.
    pub facts: Vec<(&'static str, String)>,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $level:ident, $severity:literal, $title:literal, $statement:literal;)*) => {
        /// Kinds of findings.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[$doc])* $name,)*
        }

        impl FindingKind {
            /// All of them.
            pub const ALL: &[FindingKind] = &[$(FindingKind::$name),*];

            /// The name for machines: `log-hash-mismatch`.
            pub fn code(self) -> &'static str {
                match self { $(FindingKind::$name => $code,)* }
            }

            /// How much it matters.
            pub fn level(self) -> Level {
                match self { $(FindingKind::$name => Level::$level,)* }
            }

            /// The severity of an alarm about it: `info`, `low`, `medium`, `high` or `critical`.
            pub fn severity(self) -> &'static str {
                match self { $(FindingKind::$name => $severity,)* }
            }

            /// A title of a few words: `Log file modified`.
            pub fn title(self) -> &'static str {
                match self { $(FindingKind::$name => $title,)* }
            }

            /// What is wrong, in one clause without a full stop.
            pub fn statement(self) -> &'static str {
                match self { $(FindingKind::$name => $statement,)* }
            }
        }
    };
}

kinds! {
    /// A log file's content is not what its digest vouches for.
    LogHashMismatch = "log-hash-mismatch", Problem, "critical", "Log file modified", "its content is not what CloudTrail delivered: the hash value doesn't match";
    /// A log file that a digest lists is gone.
    LogNotFound = "log-not-found", Problem, "critical", "Log file deleted", "a digest lists it and it is not there";
    /// A log file is no gzip object that verifies.
    LogBadFormat = "log-bad-format", Problem, "critical", "Log file damaged", "it is no gzip object that verifies";
    /// Something stands behind the content of a log file.
    LogTrailingData = "log-trailing-data", Problem, "critical", "Data appended to a log file", "its content is what CloudTrail delivered, and something was appended";
    /// A log file's gzip trailer is cut off; the content is whole.
    LogTrailerCut = "log-trailer-cut", Warning, "medium", "Log file cut", "its content is what CloudTrail delivered, and its gzip trailer is cut off";
    /// A log file lies where CloudTrail puts them, and no digest lists it.
    UnreferencedLog = "unreferenced-log", Problem, "high", "Log file nobody vouches for", "no digest lists it";
    /// A log file no digest vouched for is gone.
    UnreferencedLogDeleted = "unreferenced-log-deleted", Problem, "high", "Undigested log file deleted", "it was there, no digest listed it yet, and it is gone";
    /// A log file was changed after it had been validated.
    LogChanged = "log-changed", Problem, "critical", "Log file changed after validation", "it was validated earlier and is another object now";
    /// A digest that its successor names is gone.
    DigestMissing = "digest-missing", Problem, "critical", "Digest files deleted", "a later digest is linked to it and it is not there";
    /// A digest file is no digest.
    DigestBadFormat = "digest-bad-format", Problem, "critical", "Digest file damaged", "it cannot be read as a digest file";
    /// A digest's signature does not verify.
    DigestBadSignature = "digest-bad-signature", Problem, "critical", "Digest file modified", "CloudTrail did not sign this content";
    /// The metadata that hold the newest digest's signature are lost.
    DigestSignatureMissing = "digest-signature-missing", Problem, "high", "Digest signature missing", "its metadata have no signature, and no later digest names one";
    /// The metadata of a digest are damaged; its successor proves it.
    DigestMetadataDamaged = "digest-metadata-damaged", Warning, "medium", "Digest metadata damaged", "its metadata are not as CloudTrail wrote them; its content is proven";
    /// A digest lies where another should.
    DigestMoved = "digest-moved", Problem, "critical", "Digest file replaced by another", "it is the digest of another place or time";
    /// Something stands behind the content of a digest.
    DigestTrailingData = "digest-trailing-data", Problem, "critical", "Data appended to a digest file", "its content is what CloudTrail signed, and something was appended";
    /// A digest and its successor do not fit.
    DigestLinkMismatch = "digest-link-mismatch", Problem, "critical", "Digest chain does not link", "it is signed, and it is not the digest that the next one names";
    /// A digest was changed after it had been validated.
    DigestChanged = "digest-changed", Problem, "critical", "Digest file changed after validation", "it was validated earlier and is another object now";
    /// Digests that had been validated are gone.
    DigestDeleted = "digest-deleted", Problem, "critical", "Validated digest files deleted", "it was validated earlier and is not there any more";
    /// Digests are linked, and there is time between them.
    QuietGap = "quiet-gap", Problem, "high", "Time without a digest", "the digests are linked, and no digest covers this time";
    /// The chain begins anew.
    ChainRestart = "chain-restart", Problem, "high", "Digest chain restarted", "the chain begins anew: nothing vouches for log files of this time";
    /// There is no recent digest.
    Stale = "stale", Problem, "high", "No new digest files", "there is no digest of this time";
    /// There is no digest at all.
    NoDigests = "no-digests", Problem, "high", "No digest files", "there is no digest file of this time";
    /// A digest that should be there is older than objects are kept.
    Expired = "expired", Notice, "info", "Digest files expired", "they are older than objects are kept";
    /// The key that signed is not known.
    KeyUnknown = "key-unknown", Problem, "high", "Public key not known", "the key it names is not among the public keys of its Region";
    /// The key that signed cannot be read.
    KeyUnusable = "key-unusable", Problem, "high", "Public key unusable", "its public key is no RSA key";
    /// The key signed outside its validity.
    KeyOutsideValidity = "key-outside-validity", Warning, "medium", "Key used outside its validity", "it was signed with a key that was not in use at the time";
    /// An algorithm that is not known.
    UnknownAlgorithm = "unknown-algorithm", Problem, "medium", "Unknown algorithm", "it names an algorithm other than SHA-256 and SHA256withRSA";
    /// Among the digests lies something that is none.
    ForeignKeyName = "foreign-key-name", Problem, "medium", "Foreign object among the digest files", "CloudTrail gives no object such a name";
    /// An object could not be read: nothing is known of it.
    Unreadable = "unreadable", Problem, "high", "File cannot be read", "it could not be read, so nothing is proven of it";
    /// Objects are a copy in another bucket.
    ValidCopy = "valid-copy", Notice, "info", "Valid copy", "it is a valid copy of an object in another bucket";
    /// A trail's settings changed.
    TrailChanged = "trail-changed", Problem, "high", "Trail settings changed", "the trail does not deliver as it did";
    /// A trail does not log or validate.
    TrailStopped = "trail-stopped", Problem, "critical", "Trail stopped", "the trail does not log, or makes no digests";
    /// CloudTrail cannot deliver.
    TrailCannotDeliver = "trail-cannot-deliver", Problem, "high", "CloudTrail cannot deliver", "CloudTrail reports an error of its delivery";
    /// A chain that was not known.
    NewStream = "new-stream", Notice, "info", "New digest chain", "it begins here, and nothing before is covered";
}

impl Finding {
    /// A finding about a file.
    pub fn about(kind: FindingKind, location: Location) -> Self {
        Finding {
            kind,
            location: Some(location),
            range: None,
            count: None,
            facts: Vec::new(),
        }
    }

    /// A finding about a time.
    pub fn of_range(kind: FindingKind, from: i64, to: i64) -> Self {
        Finding {
            kind,
            location: None,
            range: Some((from, to)),
            count: None,
            facts: Vec::new(),
        }
    }

    /// With another fact.
    #[must_use]
    pub fn fact(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((label, value.into()));
        self
    }

    /// With the time it is about.
    #[must_use]
    pub fn between(mut self, from: i64, to: i64) -> Self {
        self.range = Some((from, to));
        self
    }

    /// With the number of files it tells of.
    #[must_use]
    pub fn counting(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        self.kind.level()
    }
}

/// One line: what is wrong with what.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.title())?;
        if let Some(location) = &self.location {
            write!(f, ": {location}")?;
        }
        write!(f, ": {}", self.kind.statement())?;
        if let Some((from, to)) = self.range {
            write!(f, " ({} to {})", display_time(from), display_time(to))?;
        }
        match self.count {
            Some(1) => write!(f, ", 1 file"),
            Some(count) => write!(f, ", about {count} files"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_a_code_and_a_title_of_its_own() {
        let codes: BTreeSet<&str> = FindingKind::ALL.iter().map(|kind| kind.code()).collect();
        assert_eq!(codes.len(), FindingKind::ALL.len());
        let titles: BTreeSet<&str> = FindingKind::ALL.iter().map(|kind| kind.title()).collect();
        assert_eq!(titles.len(), FindingKind::ALL.len());
        for kind in FindingKind::ALL {
            assert!(!kind.statement().ends_with('.'));
            assert_eq!(kind.level() == Level::Notice, kind.severity() == "info");
        }
    }
}

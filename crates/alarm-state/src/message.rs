//! The messages in the match queue: matches, and what the tick asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use metric_alarm::Sample;
use notification::Evidence;
use serde::{Deserialize, Serialize};

use crate::sample_codec::{CodecError, decode, encode};
use crate::{Filter, GroupId, hash};

/// Samples in one message, so that it stays below 200 KB.
pub const MOST_SAMPLES: usize = 5_000;

/// Events in one message that are told with what they say.
pub const MOST_EVIDENCE: usize = 10;

/// Bytes of evidence in one message, as JSON.
const MOST_EVIDENCE_BYTES: usize = 60_000;

const SCHEMA: u32 = 1;

/// The body of a message in the match queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum QueueBody {
    /// Matches of one filter and group in one log file, or a part of them.
    Matches(Box<Matches>),
    /// Something is due in a group.
    Tick(Tick),
    /// The summary of an hour is due.
    Summary(Summary),
}

/// Matches of one filter and group in one log file, or a part of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matches {
    schema: u32,
    /// The filter they match.
    pub filter: Filter,
    /// Which group they are of.
    pub group_id: GroupId,
    /// The values of the filter's `group_by`, masked, for people.
    pub group: Vec<Option<String>>,
    /// The log file.
    pub object: SourceObject,
    /// Which part this is, from 1.
    pub part: u32,
    /// How many parts there are.
    pub parts: u32,
    /// When the log file was processed, in Unix seconds.
    pub processed_at: i64,
    /// How many matches there are in this part.
    pub matched: u64,
    /// All of them, encoded.
    samples: String,
    /// The first of them, with what they say.
    pub evidence: Vec<Evidence>,
}

/// The log file that matches are from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceObject {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The entity tag of what was read.
    pub etag: String,
}

/// Something is due in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// The partition of the group in the table.
    pub partition: String,
}

/// The summary of an hour is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// When the hour started, in Unix seconds.
    pub hour: i64,
}

/// Why a body is no message of ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It is not JSON, or not of a known form.
    #[error("not a message of the match queue, expected JSON with `type` matches, tick or summary")]
    Form(#[source] serde_json::Error),
    /// It is of a later version.
    #[error(
        "the message has schema {found}, expected {SCHEMA}: an older version of the function reads the queue"
    )]
    Schema {
        /// Its schema.
        found: u32,
    },
    /// Its samples cannot be read.
    #[error("the samples of the message cannot be read")]
    Samples(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It does not hold what it announces.
    #[error("the message announces {announced} matches and holds {found}")]
    Count {
        /// What it says.
        announced: u64,
        /// What there is.
        found: usize,
    },
}

impl QueueBody {
    /// Reads a body.
    ///
    /// # Errors
    /// It is none of ours.
    pub fn parse(body: &str) -> Result<Self, MessageError> {
        let message: QueueBody = serde_json::from_str(body).map_err(MessageError::Form)?;
        if let QueueBody::Matches(matches) = &message {
            matches.check()?;
        }
        Ok(message)
    }

    /// The body as text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Matches {
    /// The samples.
    ///
    /// # Errors
    /// They cannot be read; never of a message that [`QueueBody::parse`] gave.
    pub fn samples(&self) -> Result<Vec<Sample>, MessageError> {
        let bytes = BASE64
            .decode(&self.samples)
            .map_err(|error| MessageError::Samples(Box::new(error)))?;
        decode(&bytes).map_err(|error: CodecError| MessageError::Samples(Box::new(error)))
    }

    /// The id by which the queue knows a message that is sent again.
    pub fn deduplication_id(&self) -> String {
        hash(&[
            &self.object.bucket,
            &self.object.key,
            &self.object.etag,
            &self.filter.name,
            &self.filter.definition_hash(),
            &self.group_id.0,
            &format!("{}/{}", self.part, self.parts),
            // Under other filters the same log file may hold other matches.
            &self.samples,
        ])
    }

    fn check(&self) -> Result<(), MessageError> {
        if self.schema != SCHEMA {
            return Err(MessageError::Schema { found: self.schema });
        }
        let found = self.samples()?.len();
        if found as u64 != self.matched {
            return Err(MessageError::Count {
                announced: self.matched,
                found,
            });
        }
        self.filter
            .definition()
            .map_err(|error| MessageError::Samples(Box::new(error)))?;
        Ok(())
    }
}

/// The matches of one filter and group in one log file as messages, split by their ids so that a file
/// that is read again gives the same messages. `samples` and `evidence` in any order; copies count once.
pub fn split(
    filter: &Filter,
    (group_id, group): (&GroupId, &[Option<String>]),
    object: &SourceObject,
    processed_at: i64,
    samples: &[Sample],
    evidence: &[Evidence],
) -> Vec<Matches> {
    let mut parts = parts_by_id(&distinct(samples));
    parts.retain(|part| !part.is_empty());
    let count = parts.len();
    for part in &mut parts {
        part.sort_by_key(|sample| (sample.time, sample.id));
    }
    let mut evidence = bounded(evidence);
    let message = |(index, samples): (usize, Vec<Sample>)| Matches {
        schema: SCHEMA,
        filter: filter.clone(),
        group_id: group_id.clone(),
        group: group.to_vec(),
        object: object.clone(),
        part: index as u32 + 1,
        parts: count as u32,
        processed_at,
        matched: samples.len() as u64,
        samples: BASE64.encode(encode(&samples)),
        evidence: std::mem::take(&mut evidence),
    };
    parts.into_iter().enumerate().map(message).collect()
}

/// Each id once: with the lowest time, then the lowest value.
fn distinct(samples: &[Sample]) -> Vec<Sample> {
    let mut distinct = samples.to_vec();
    distinct.sort_by(|a, b| {
        let by_time = (a.id, a.time).cmp(&(b.id, b.time));
        by_time.then(a.value.total_cmp(&b.value))
    });
    distinct.dedup_by_key(|sample| sample.id);
    distinct
}

fn parts_by_id(samples: &[Sample]) -> Vec<Vec<Sample>> {
    let fewest = samples.len().div_ceil(MOST_SAMPLES).max(1);
    // Ids are hashes, so one or two parts more than the fewest do.
    for count in fewest.. {
        let mut parts = vec![Vec::new(); count];
        for sample in samples {
            let part = (sample.id % count as u64) as usize;
            if let Some(part) = parts.get_mut(part) {
                part.push(*sample);
            }
        }
        if count > samples.len() || parts.iter().all(|part| part.len() <= MOST_SAMPLES) {
            return parts;
        }
    }
    Vec::new()
}

/// The first events, as many as fit.
fn bounded(evidence: &[Evidence]) -> Vec<Evidence> {
    let mut evidence = evidence.to_vec();
    evidence.sort();
    evidence.truncate(MOST_EVIDENCE);
    let mut bytes = 0;
    evidence.retain(|event| {
        bytes += serde_json::to_vec(event).map_or(usize::MAX / 2, |json| json.len());
        bytes <= MOST_EVIDENCE_BYTES
    });
    evidence
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::tests::filter;

    fn samples(count: u64) -> Vec<Sample> {
        let id = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (0..count)
            .map(|n| Sample {
                time: 1_772_420_400 + (n % 900) as i64,
                id: id(n),
                value: 1.5,
            })
            .collect()
    }

    fn messages(count: u64) -> Vec<Matches> {
        let object = SourceObject {
            bucket: "trail".into(),
            key: "AWSLogs/a.json.gz".into(),
            etag: "e".into(),
        };
        let group = [Some("111122223333".to_owned())];
        let id = GroupId::of("Failures", &group);
        split(
            &filter(1.0),
            (&id, &group),
            &object,
            7,
            &samples(count),
            &[],
        )
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let [message] = messages(3).try_into().unwrap();
        let body = QueueBody::Matches(Box::new(message.clone())).to_json();
        let QueueBody::Matches(read) = QueueBody::parse(&body).unwrap() else {
            panic!("{body}")
        };
        assert_eq!(*read, message);
        assert_eq!(read.samples().unwrap().len(), 3);
    }

    #[test]
    fn many_matches_are_split_and_none_is_lost() {
        let messages = messages(12_000);
        assert!((3..=5).contains(&messages.len()));
        let mut all: Vec<u64> = Vec::new();
        for message in &messages {
            let body = QueueBody::Matches(Box::new(message.clone())).to_json();
            assert!(body.len() < 200_000, "{}", body.len());
            all.extend(message.samples().unwrap().iter().map(|sample| sample.id));
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 12_000);
        let mut ids: Vec<String> = messages.iter().map(Matches::deduplication_id).collect();
        ids.dedup();
        assert_eq!(ids.len(), messages.len());
    }

    #[test]
    fn copies_of_one_event_in_a_file_are_one_match_in_one_message() {
        let copies: Vec<Sample> = (0..20_000)
            .map(|n| Sample {
                time: 5 + n % 3,
                id: 7,
                value: 1.0,
            })
            .collect();
        let object = SourceObject {
            bucket: "trail".into(),
            key: "k".into(),
            etag: "e".into(),
        };
        let id = GroupId::of("Failures", &[]);
        let messages = split(&filter(1.0), (&id, &[]), &object, 7, &copies, &[]);
        assert_eq!(messages.len(), 1);
        let samples = messages[0].samples().unwrap();
        assert_eq!((samples.len(), samples[0].time), (1, 5));
    }

    #[test]
    fn ids_that_all_fall_into_one_part_are_split_all_the_same() {
        let samples: Vec<Sample> = (0..6_000)
            .map(|n| Sample {
                time: n,
                id: (n as u64) * 2 * 3 * 5 * 7,
                value: 1.0,
            })
            .collect();
        let parts = parts_by_id(&samples);
        assert!(parts.iter().all(|part| part.len() <= MOST_SAMPLES));
    }

    #[test]
    fn what_is_no_message_is_refused_with_what_was_expected() {
        let good = QueueBody::Matches(Box::new(messages(3).remove(0))).to_json();
        for (body, expected) in [
            ("hello".to_owned(), "expected JSON with `type`"),
            ("{}".to_owned(), "expected JSON with `type`"),
            (
                good.replace(r#""schema":1"#, r#""schema":2"#),
                "has schema 2",
            ),
            (
                good.replace(r#""matched":3"#, r#""matched":4"#),
                "announces 4 matches and holds 3",
            ),
            (good.replace(r#""Sum""#, r#""Sun""#), "cannot be read"),
        ] {
            let error = QueueBody::parse(&body).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn ticks_and_summaries_come_back_as_they_were() {
        for body in [
            QueueBody::Tick(Tick {
                partition: "alarm#a#b".into(),
            }),
            QueueBody::Summary(Summary { hour: 3600 }),
        ] {
            assert_eq!(QueueBody::parse(&body.to_json()).unwrap(), body);
        }
    }
}

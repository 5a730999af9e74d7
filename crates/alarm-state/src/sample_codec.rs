//! Samples as bytes: about ten for each.
//!
//! A count, then for each sample, by time and id: the seconds since the one before (LEB128), the id
//! (8 bytes, little endian) and the value (0 for the value 1, else 1 and the 8 bytes of the number).

use metric_alarm::{Sample, Tally};

/// Bytes that are no samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The bytes end early, or go on after the end.
    #[error("{found} bytes do not hold what they announce")]
    Length {
        /// How many bytes there are.
        found: usize,
    },
    /// A byte has none of the values it can have.
    #[error("unexpected byte {found} at {at}")]
    Byte {
        /// The byte.
        found: u8,
        /// Where it stands.
        at: usize,
    },
}

const ONE: u8 = 0;
const OTHER: u8 = 1;

pub(crate) fn encode(samples: &[Sample]) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(12 + samples.len() * 11));
    writer.number(samples.len() as u64);
    let mut before = 0;
    for sample in samples {
        writer.time(sample.time, &mut before);
        writer.0.extend(sample.id.to_le_bytes());
        writer.value(sample.value);
    }
    writer.0
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Sample>, CodecError> {
    let mut reader = Reader { bytes, at: 0 };
    let count = reader.number()?;
    let mut before = 0;
    let mut samples = Vec::new();
    for _ in 0..count {
        let time = reader.time(&mut before)?;
        let id = u64::from_le_bytes(reader.eight()?);
        let value = reader.value()?;
        samples.push(Sample { time, id, value });
    }
    reader.end()?;
    Ok(samples)
}

/// Tallies as bytes: as samples, with a count in place of the id.
pub(crate) fn encode_tallies(tallies: &[Tally]) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(12 + tallies.len() * 6));
    writer.number(tallies.len() as u64);
    let mut before = 0;
    for tally in tallies {
        writer.time(tally.time, &mut before);
        writer.number(tally.count);
        writer.value(tally.value);
    }
    writer.0
}

pub(crate) fn decode_tallies(bytes: &[u8]) -> Result<Vec<Tally>, CodecError> {
    let mut reader = Reader { bytes, at: 0 };
    let entries = reader.number()?;
    let mut before = 0;
    let mut tallies = Vec::new();
    for _ in 0..entries {
        let time = reader.time(&mut before)?;
        let count = reader.number()?;
        let value = reader.value()?;
        tallies.push(Tally { time, value, count });
    }
    reader.end()?;
    Ok(tallies)
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn time(&mut self, time: i64, before: &mut i64) {
        self.number(time.wrapping_sub(*before) as u64);
        *before = time;
    }

    fn value(&mut self, value: f64) {
        if value == 1.0 {
            self.0.push(ONE);
        } else {
            self.0.push(OTHER);
            self.0.extend(value.to_bits().to_le_bytes());
        }
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, CodecError> {
        let byte = self.bytes.get(self.at).copied().ok_or(self.length())?;
        self.at += 1;
        Ok(byte)
    }

    fn eight(&mut self) -> Result<[u8; 8], CodecError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let eight = rest.first_chunk::<8>().copied().ok_or(self.length())?;
        self.at += 8;
        Ok(eight)
    }

    fn number(&mut self) -> Result<u64, CodecError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(CodecError::Byte {
            found: 0x80,
            at: self.at,
        })
    }

    fn time(&mut self, before: &mut i64) -> Result<i64, CodecError> {
        *before = before.wrapping_add(self.number()? as i64);
        Ok(*before)
    }

    fn value(&mut self) -> Result<f64, CodecError> {
        let at = self.at;
        match self.byte()? {
            ONE => Ok(1.0),
            OTHER => Ok(f64::from_bits(u64::from_le_bytes(self.eight()?))),
            found => Err(CodecError::Byte { found, at }),
        }
    }

    fn end(&self) -> Result<(), CodecError> {
        match self.at == self.bytes.len() {
            true => Ok(()),
            false => Err(self.length()),
        }
    }

    fn length(&self) -> CodecError {
        CodecError::Length {
            found: self.bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let sample = (
            any::<i64>(),
            any::<u64>(),
            prop_oneof![Just(1.0), -9.0..9.0],
        )
            .prop_map(|(time, id, value)| Sample { time, id, value });
        prop::collection::vec(sample, 0..20)
    }

    proptest! {
        #[test]
        fn samples_come_back_as_they_were(samples in samples()) {
            prop_assert_eq!(decode(&encode(&samples)), Ok(samples));
        }

        #[test]
        fn tallies_come_back_as_they_were(samples in samples()) {
            let tallies: Vec<Tally> = samples
                .iter()
                .map(|sample| Tally { time: sample.time, value: sample.value, count: sample.id })
                .collect();
            prop_assert_eq!(decode_tallies(&encode_tallies(&tallies)), Ok(tallies));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(samples) = decode(&bytes) {
                prop_assert!(samples.len() <= bytes.len() / 10);
            }
            let _ = decode_tallies(&bytes);
        }
    }

    #[test]
    fn a_sample_of_a_quiet_hour_takes_eleven_bytes() {
        let sample = |time, id| Sample {
            time,
            id,
            value: 1.0,
        };
        let bytes = encode(&[sample(1_772_420_469, 1), sample(1_772_420_999, u64::MAX)]);
        assert_eq!(bytes.len(), 1 + (5 + 8 + 1) + (2 + 8 + 1));
    }

    #[test]
    fn bytes_that_are_cut_are_refused() {
        let bytes = encode(&[Sample {
            time: 5,
            id: 6,
            value: 2.0,
        }]);
        for end in 0..bytes.len() {
            assert!(decode(&bytes[..end]).is_err(), "{end}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(decode(&longer).is_err());
    }
}

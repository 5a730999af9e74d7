//! Inflating one object: whole into a reused buffer where it fits, piece by piece where not.
//!
//! All members are one stream. CRC and length of each are checked; what does not verify is an error.
//! The length in a trailer is the writer's word: it is a hint for the size of the buffer, within
//! what the compressed size allows, and never more than the budget.
//!
//! Source: RFC 1952.

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;

/// Why an object does not inflate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GzipError {
    /// The object ends before its gzip stream does.
    #[error("the gzip stream is cut off after {inflated} inflated bytes")]
    Truncated {
        /// Bytes that could be inflated.
        inflated: u64,
    },
    /// The checksum in the trailer is not that of the content.
    #[error(
        "the content's CRC-32 is {found:08x}, expected {expected:08x} as the gzip trailer says"
    )]
    Crc {
        /// As the trailer says.
        expected: u32,
        /// Of what was inflated.
        found: u32,
    },
    /// The length in the trailer is not that of the content.
    #[error(
        "the content has {found} bytes, expected {expected} (modulo 2^32) as the gzip trailer says"
    )]
    Length {
        /// As the trailer says.
        expected: u32,
        /// Of what was inflated, modulo 2^32.
        found: u32,
    },
    /// The stream is not a deflate stream, or its header is not a gzip header.
    #[error("the gzip stream is corrupt after {inflated} inflated bytes")]
    Corrupt {
        /// Bytes that could be inflated.
        inflated: u64,
    },
}

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const SHORTEST_MEMBER: usize = 18;
/// Flags that no member may have.
const RESERVED_FLAGS: u8 = 0xe0;
/// Deflate cannot do better than 1032 to 1.
const MOST_EXPANSION: usize = 1032;

/// Do the bytes start like a gzip stream?
pub(crate) fn is_gzip(object: &[u8]) -> bool {
    object.starts_with(&[0x1f, 0x8b])
}

/// How long the content of the last member is by its trailer, modulo 2^32.
pub(crate) fn claimed_bytes(object: &[u8]) -> u64 {
    let trailer = object.last_chunk().copied().unwrap_or_default();
    u64::from(u32::from_le_bytes(trailer))
}

/// What stands around the content of a gzip stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Framing {
    pub(crate) members: u32,
    /// Bytes behind the last member that are not gzip.
    pub(crate) trailing_bytes: u64,
}

/// The quick way: libdeflate into `buffer`, for a single member that fits.
///
/// `None` where only [`GzipStream`] can tell: more than one member is possible, something stands
/// behind the member, the content is larger than `budget`, or it does not verify.
pub(crate) fn inflate_whole<'b>(
    decompressor: &mut libdeflater::Decompressor,
    object: &[u8],
    buffer: &'b mut Vec<u8>,
    budget: usize,
) -> Option<&'b [u8]> {
    let claimed = u32::from_le_bytes(*object.last_chunk()?) as usize;
    let possible = object.len().saturating_mul(MOST_EXPANSION);
    if object.len() < SHORTEST_MEMBER || claimed > budget.min(possible) {
        return None;
    }
    if buffer.len() < claimed {
        buffer.resize(claimed, 0);
    }
    let output = buffer.get_mut(..claimed)?;
    let length = decompressor.gzip_decompress(object, output).ok()?;
    // Another length means that the last four bytes are not the member's trailer.
    if length != claimed || may_have_ended_early(object) {
        return None;
    }
    buffer.get(..length)
}

/// May the member that was inflated have ended before the last bytes, which say its length?
///
/// A further member would start with the magic bytes, and the four bytes before it would say the same length; libdeflate does not say
/// where the first one ended. Chance puts the magic into a deflate stream once in 16 million bytes, and hardly ever behind
/// that length.
fn may_have_ended_early(object: &[u8]) -> bool {
    let behind_first = object.get(MAGIC.len()..).unwrap_or_default();
    let length = object.last_chunk::<4>();
    memmem::find_iter(behind_first, &MAGIC).any(|place| {
        let before = object.get(..place + MAGIC.len());
        before.and_then(<[u8]>::last_chunk) == length
    })
}

/// The careful way: any number of members, any size, with constant memory.
pub(crate) struct GzipStream<'a> {
    object: &'a [u8],
    position: usize,
    place: Place,
    inflate: Decompress,
    crc: libdeflater::Crc,
    member_bytes: u32,
    inflated: u64,
    framing: Framing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    BeforeMember,
    InMember,
    AfterMember,
    AtEnd,
}

impl<'a> GzipStream<'a> {
    pub(crate) fn new(object: &'a [u8]) -> Self {
        GzipStream {
            object,
            position: 0,
            place: Place::BeforeMember,
            inflate: Decompress::new(false),
            crc: libdeflater::Crc::new(),
            member_bytes: 0,
            inflated: 0,
            framing: Framing::default(),
        }
    }

    /// What stood around the content so far.
    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// Puts the next bytes of the content into `output` and returns how many; 0 only at the end.
    /// An error comes after all the bytes that could be inflated before it.
    pub(crate) fn read(&mut self, output: &mut [u8]) -> Result<usize, GzipError> {
        let mut filled = 0;
        while filled < output.len() && self.place != Place::AtEnd {
            let step = match self.place {
                Place::BeforeMember => self.begin_member().map(|()| 0),
                Place::InMember => self.inflate(output.get_mut(filled..).unwrap_or_default()),
                Place::AfterMember => self.end_member().map(|()| 0),
                Place::AtEnd => Ok(0),
            };
            match step {
                Ok(bytes) => filled += bytes,
                Err(_) if filled > 0 => break, // The same error meets the next call.
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn rest(&self) -> &'a [u8] {
        self.object.get(self.position..).unwrap_or_default()
    }

    fn begin_member(&mut self) -> Result<(), GzipError> {
        let rest = self.rest();
        if self.framing.members > 0 && !rest.starts_with(&MAGIC) {
            self.framing.trailing_bytes = rest.len() as u64;
            self.place = Place::AtEnd;
            return Ok(());
        }
        let sound =
            rest.starts_with(&MAGIC) && rest.get(3).is_none_or(|flags| flags & RESERVED_FLAGS == 0);
        if !sound && rest.len() > 3 {
            return Err(self.corrupt());
        }
        self.position += header_length(rest).ok_or(self.truncated())?;
        self.inflate.reset(false);
        self.crc = libdeflater::Crc::new();
        self.member_bytes = 0;
        self.framing.members += 1;
        self.place = Place::InMember;
        Ok(())
    }

    fn inflate(&mut self, output: &mut [u8]) -> Result<usize, GzipError> {
        let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(self.rest(), output, FlushDecompress::None);
        let status = status.map_err(|_| self.corrupt())?;
        // Both differences are at most the lengths of the slices.
        let consumed = (self.inflate.total_in() - in_before) as usize;
        let produced = (self.inflate.total_out() - out_before) as usize;
        self.position += consumed;
        self.crc.update(output.get(..produced).unwrap_or_default());
        self.member_bytes = self.member_bytes.wrapping_add(produced as u32);
        self.inflated += produced as u64;
        match status {
            Status::StreamEnd => self.place = Place::AfterMember,
            _ if consumed == 0 && produced == 0 => return Err(self.truncated()),
            _ => {}
        }
        Ok(produced)
    }

    fn end_member(&mut self) -> Result<(), GzipError> {
        let Some((trailer, _)) = self.rest().split_first_chunk::<8>() else {
            return Err(self.truncated());
        };
        let [c0, c1, c2, c3, l0, l1, l2, l3] = *trailer;
        let crc = u32::from_le_bytes([c0, c1, c2, c3]);
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if crc != self.crc.sum() {
            return Err(GzipError::Crc {
                expected: crc,
                found: self.crc.sum(),
            });
        }
        if length != self.member_bytes {
            return Err(GzipError::Length {
                expected: length,
                found: self.member_bytes,
            });
        }
        self.position += trailer.len();
        self.place = Place::BeforeMember;
        Ok(())
    }

    fn truncated(&self) -> GzipError {
        GzipError::Truncated {
            inflated: self.inflated,
        }
    }

    fn corrupt(&self) -> GzipError {
        GzipError::Corrupt {
            inflated: self.inflated,
        }
    }
}

/// Length of a member's header: ten bytes, then what its flags announce. `None` if it is cut off.
fn header_length(member: &[u8]) -> Option<usize> {
    const HEADER_CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;
    let flags = *member.get(..10)?.get(3)?;
    let mut length = 10;
    if flags & EXTRA != 0 {
        let extra = member.get(length..)?.first_chunk::<2>()?;
        length += 2 + usize::from(u16::from_le_bytes(*extra));
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            length += memchr::memchr(0, member.get(length..)?)? + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        length += 2;
    }
    (length <= member.len()).then_some(length)
}

//! One gzip member, inflated piece by piece.
//!
//! The rules are zlib's, which the AWS CLI uses: what is not gzip or does not verify is an error, what breaks off is
//! not. What stands behind the member is not inflated.
//!
//! Source: RFC 1952.

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// How a gzip object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GzipEnd {
    /// One member, verified, and nothing behind it.
    Whole,
    /// One member, verified, and something behind it.
    TrailingData,
    /// The compressed data ends; the trailer with CRC and length is cut off, or a part of it.
    TrailerCut,
    /// It breaks off before the compressed data ends.
    Truncated,
    /// It does not begin as gzip does.
    NotGzip,
    /// The compressed data is broken, or CRC or length are not those of what was inflated.
    Corrupt,
    /// It inflates to more than the limit.
    TooLarge,
}

const PIECE: usize = 32 * 1024;

const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;
const RESERVED: u8 = 0xe0;

/// Inflates one member that comes in pieces.
pub struct Inflating {
    state: State,
    inflate: Decompress,
    piece: Box<[u8]>,
    crc: Crc,
    most_bytes: u64,
}

impl std::fmt::Debug for Inflating {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflating").finish_non_exhaustive()
    }
}

enum State {
    Header(Header),
    Data,
    /// What there is of the trailer.
    Trailer(Vec<u8>),
    Ended(GzipEnd),
}

impl Inflating {
    /// Stops after `most_bytes` of output.
    pub fn new(most_bytes: u64) -> Self {
        Inflating {
            state: State::Header(Header::new()),
            inflate: Decompress::new(false),
            piece: vec![0; PIECE].into(),
            crc: Crc::new(),
            most_bytes,
        }
    }

    /// Takes a piece; `output` gets what it inflates to.
    pub fn push(&mut self, mut bytes: &[u8], output: &mut dyn FnMut(&[u8])) {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Header(header) => match header.pass(&mut bytes) {
                    None => return,
                    Some(Ok(())) => self.state = State::Data,
                    Some(Err(end)) => self.state = State::Ended(end),
                },
                State::Data => bytes = self.data(bytes, output),
                State::Trailer(trailer) => {
                    let missing = 8_usize.saturating_sub(trailer.len());
                    let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
                    trailer.extend_from_slice(taken);
                    bytes = rest;
                    let length = self.inflate.total_out() as u32;
                    let expected = [self.crc.sum().to_le_bytes(), length.to_le_bytes()].concat();
                    // The CRC is looked at as soon as it is there, the length when it is.
                    let whole = trailer.len() - trailer.len() % 4;
                    if trailer.get(..whole) != expected.get(..whole) {
                        self.state = State::Ended(GzipEnd::Corrupt);
                    } else if trailer.len() == 8 {
                        self.state = State::Ended(GzipEnd::Whole);
                    }
                }
                State::Ended(GzipEnd::Whole) => {
                    self.state = State::Ended(GzipEnd::TrailingData);
                    return;
                }
                State::Ended(_) => return,
            }
        }
    }

    /// Whether more bytes can change nothing any more.
    pub fn is_decided(&self) -> bool {
        matches!(self.state, State::Ended(end) if end != GzipEnd::Whole)
    }

    /// How it ended, if these were all pieces.
    pub fn end(&self) -> GzipEnd {
        match &self.state {
            State::Header(_) | State::Data => GzipEnd::Truncated,
            State::Trailer(_) => GzipEnd::TrailerCut,
            State::Ended(end) => *end,
        }
    }

    /// Inflates; returns what it did not take.
    fn data<'b>(&mut self, bytes: &'b [u8], output: &mut dyn FnMut(&[u8])) -> &'b [u8] {
        let (taken_before, given_before) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(bytes, &mut self.piece, FlushDecompress::None);
        let taken = (self.inflate.total_in() - taken_before) as usize;
        let given = (self.inflate.total_out() - given_before) as usize;
        let given = self.piece.get(..given).unwrap_or_default();
        if self.inflate.total_out() > self.most_bytes {
            self.state = State::Ended(GzipEnd::TooLarge);
            return &[];
        }
        self.crc.update(given);
        output(given);
        let nothing_happened = taken == 0 && given.is_empty();
        match status {
            Ok(Status::StreamEnd) => self.state = State::Trailer(Vec::with_capacity(8)),
            Ok(_) if !nothing_happened => {}
            // Without progress it would go on for ever.
            Ok(_) | Err(_) => self.state = State::Ended(GzipEnd::Corrupt),
        }
        bytes.get(taken..).unwrap_or_default()
    }
}

/// What is passed over before the data. Names and comments may be of any length, so nothing of them is kept.
struct Header {
    part: Part,
    /// What there is of a part of a few bytes.
    begun: Vec<u8>,
    flags: u8,
    crc: Crc,
}

/// Parts of a header, in their order.
#[derive(Clone, Copy)]
enum Part {
    Magic,
    /// The method and the flags.
    Method,
    /// Time, level and system.
    Origin,
    ExtraLength,
    /// So many bytes are missing.
    Extra(usize),
    Name,
    Comment,
    Crc,
}

impl Header {
    fn new() -> Self {
        Header {
            part: Part::Magic,
            begun: Vec::new(),
            flags: 0,
            crc: Crc::new(),
        }
    }

    /// Passes over what there is of it; `None` if it goes on behind these bytes.
    fn pass(&mut self, bytes: &mut &[u8]) -> Option<Result<(), GzipEnd>> {
        loop {
            self.part = match self.part {
                Part::Magic => match self.few(bytes)? {
                    [0x1f, 0x8b] => Part::Method,
                    _ => return Some(Err(GzipEnd::NotGzip)),
                },
                Part::Method => {
                    let [method, flags] = self.few(bytes)?;
                    if method != 8 || flags & RESERVED != 0 {
                        return Some(Err(GzipEnd::NotGzip));
                    }
                    self.flags = flags;
                    Part::Origin
                }
                Part::Origin => {
                    self.few::<6>(bytes)?;
                    Part::ExtraLength
                }
                Part::ExtraLength if !self.has(EXTRA) => Part::Name,
                Part::ExtraLength => Part::Extra(usize::from(u16::from_le_bytes(self.few(bytes)?))),
                Part::Extra(0) => Part::Name,
                Part::Extra(_) if bytes.is_empty() => return None,
                Part::Extra(missing) => {
                    let taken = missing.min(bytes.len());
                    self.skip(bytes, taken);
                    Part::Extra(missing - taken)
                }
                Part::Name => {
                    self.text(bytes, NAME)?;
                    Part::Comment
                }
                Part::Comment => {
                    self.text(bytes, COMMENT)?;
                    Part::Crc
                }
                Part::Crc if !self.has(HEADER_CRC) => return Some(Ok(())),
                Part::Crc => {
                    let expected = (self.crc.sum() as u16).to_le_bytes();
                    let is_right = self.few(bytes)? == expected;
                    return Some(is_right.then_some(()).ok_or(GzipEnd::Corrupt));
                }
            }
        }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Passes over so many bytes.
    fn skip(&mut self, bytes: &mut &[u8], count: usize) {
        let (skipped, rest) = bytes.split_at(count);
        self.crc.update(skipped);
        *bytes = rest;
    }

    /// A part of `N` bytes, once they are all there.
    fn few<const N: usize>(&mut self, bytes: &mut &[u8]) -> Option<[u8; N]> {
        let missing = N.saturating_sub(self.begun.len()).min(bytes.len());
        let (taken, rest) = bytes.split_at(missing);
        self.begun.extend_from_slice(taken);
        *bytes = rest;
        let part = *self.begun.first_chunk::<N>()?;
        self.begun.clear();
        self.crc.update(&part);
        Some(part)
    }

    /// Passes over a text that ends with a zero byte, if there is one.
    fn text(&mut self, bytes: &mut &[u8], flag: u8) -> Option<()> {
        if !self.has(flag) {
            return Some(());
        }
        let end = bytes.iter().position(|&byte| byte == 0);
        self.skip(bytes, end.map_or(bytes.len(), |end| end + 1));
        end.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn inflated(bytes: &[u8], piece: usize) -> (GzipEnd, Vec<u8>) {
        let mut inflating = Inflating::new(1 << 20);
        let mut output = Vec::new();
        for piece in bytes.chunks(piece) {
            inflating.push(piece, &mut |bytes| output.extend_from_slice(bytes));
        }
        (inflating.end(), output)
    }

    fn content() -> Vec<u8> {
        (0..200_000_u64).map(|n| ((n * n) >> 7) as u8).collect()
    }

    #[test]
    fn a_member_is_inflated_whatever_its_pieces() {
        let object = gzip(&content());
        for piece in [1, 7, 1_000, usize::MAX] {
            assert_eq!(inflated(&object, piece), (GzipEnd::Whole, content()));
        }
    }

    #[test]
    fn a_header_with_all_there_can_be_is_passed_over() {
        let mut encoder = flate2::GzBuilder::new()
            .filename("name")
            .comment("comment")
            .extra(vec![1, 2, 3])
            .write(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(b"content").unwrap();
        let object = encoder.finish().unwrap();
        for piece in [1, 1_000] {
            assert_eq!(
                inflated(&object, piece),
                (GzipEnd::Whole, b"content".to_vec())
            );
        }
    }

    /// A member with everything a header can have, and a name of this length.
    fn with_whole_header(name_length: usize) -> Vec<u8> {
        let mut object = vec![0x1f, 0x8b, 8, HEADER_CRC | EXTRA | NAME | COMMENT];
        object.extend([0; 6]);
        object.extend([3, 0, 1, 2, 3]);
        object.extend(vec![b'n'; name_length]);
        object.extend(b"\0comment\0");
        let mut crc = Crc::new();
        crc.update(&object);
        object.extend((crc.sum() as u16).to_le_bytes());
        object.extend(&gzip(b"content")[10..]);
        object
    }

    #[test]
    fn the_checksum_of_a_header_is_looked_at() {
        let object = with_whole_header(4);
        for piece in [1, 2, 3, 1_000] {
            let expected = (GzipEnd::Whole, b"content".to_vec());
            assert_eq!(inflated(&object, piece), expected);
        }
        let header = object.len() - (gzip(b"content").len() - 10);
        for at in 4..header {
            let mut object = object.clone();
            object[at] ^= 1;
            assert_ne!(inflated(&object, 3).0, GzipEnd::Whole, "byte {at}");
        }
        for length in 0..header {
            assert_eq!(inflated(&object[..length], 2).0, GzipEnd::Truncated);
        }
    }

    #[test]
    fn a_name_without_an_end_costs_neither_memory_nor_time() {
        let object = with_whole_header(4 << 20);
        assert_eq!(inflated(&object, 7).0, GzipEnd::Whole);
        let mut inflating = Inflating::new(1 << 20);
        inflating.push(&[0x1f, 0x8b, 8, NAME, 0, 0, 0, 0, 0, 0], &mut |_| {});
        let piece = vec![b'n'; 1 << 20];
        for _ in 0..100 {
            inflating.push(&piece, &mut |_| {});
        }
        let State::Header(header) = &inflating.state else {
            panic!("the name goes on");
        };
        assert!(header.begun.capacity() <= 16);
    }

    #[test]
    fn every_cut_is_seen_and_says_where() {
        let object = gzip(b"some content");
        for length in 0..object.len() {
            let (end, _) = inflated(&object[..length], 5);
            let expected = match length >= object.len() - 8 {
                true => GzipEnd::TrailerCut,
                false => GzipEnd::Truncated,
            };
            assert_eq!(end, expected, "{length} of {}", object.len());
        }
    }

    #[test]
    fn every_flipped_bit_of_the_trailer_is_seen() {
        let object = gzip(b"some content");
        for bit in 0..64 {
            let mut object = object.clone();
            let at = object.len() - 8 + bit / 8;
            object[at] ^= 1 << (bit % 8);
            assert_eq!(inflated(&object, 1_000).0, GzipEnd::Corrupt);
        }
    }

    #[test]
    fn what_stands_behind_is_seen_and_not_inflated() {
        let object = gzip(b"some content");
        for behind in [b"x".to_vec(), gzip(b"more")] {
            let object = [object.clone(), behind].concat();
            for piece in [1, 1_000] {
                assert_eq!(
                    inflated(&object, piece),
                    (GzipEnd::TrailingData, b"some content".to_vec())
                );
            }
        }
    }

    #[test]
    fn what_is_not_gzip_is_said_to_be_none() {
        assert_eq!(inflated(b"{\"Records\":[]}", 3).0, GzipEnd::NotGzip);
        assert_eq!(inflated(b"", 3).0, GzipEnd::Truncated);
        let mut object = gzip(b"x");
        object[2] = 7;
        assert_eq!(inflated(&object, 100).0, GzipEnd::NotGzip);
        let mut object = gzip(b"x");
        object[10] = 0xff;
        assert_eq!(inflated(&object, 100).0, GzipEnd::Corrupt);
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let object = gzip(&vec![0; 50 << 20]);
        let mut inflating = Inflating::new(1 << 20);
        let mut length = 0;
        inflating.push(&object, &mut |bytes| length += bytes.len());
        assert_eq!(inflating.end(), GzipEnd::TooLarge);
        assert!(length <= 1 << 20);
    }
}

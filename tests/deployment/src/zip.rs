//! A deployment package: one executable file, stored.

use flate2::Crc;

/// A zip archive with `content` as `bootstrap`, mode 0755.
///
/// # Panics
///
/// The content has 4 GB or more; Lambda takes 250 MB.
pub(crate) fn bootstrap(content: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"bootstrap";
    let mut crc = Crc::new();
    crc.update(content);
    let size = u32::try_from(content.len())
        .unwrap_or_else(|_| panic!("expected less than 4 GB, got {} bytes", content.len()));
    // What the local header and the directory have in common: version 2.0 without flags, stored,
    // 1 January 1980, checksum, both sizes, length of the name, no extra field.
    let mut common = [20_u16, 0, 0, 0, 0x21].map(u16::to_le_bytes).concat();
    common.extend([crc.sum(), size, size].map(u32::to_le_bytes).concat());
    common.extend([NAME.len() as u16, 0].map(u16::to_le_bytes).concat());

    let mut zip = [&b"PK\x03\x04"[..], &common, NAME, content].concat();
    let directory = zip.len() as u32;
    // Made on Unix, which is what gives the mode its meaning; no comment, first disk, binary.
    zip.extend([&b"PK\x01\x02"[..], &[20, 3], &common].concat());
    zip.extend([0_u16; 3].map(u16::to_le_bytes).concat());
    zip.extend([0o100_755_u32 << 16, 0].map(u32::to_le_bytes).concat());
    zip.extend(NAME);
    let directory_size = zip.len() as u32 - directory;
    zip.extend(b"PK\x05\x06");
    zip.extend([0_u16, 0, 1, 1].map(u16::to_le_bytes).concat());
    zip.extend([directory_size, directory].map(u32::to_le_bytes).concat());
    zip.extend([0, 0]);
    zip
}

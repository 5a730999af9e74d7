//! As much of DER as the two forms of an RSA public key need.
//!
//! Sources: RFC 8017, appendix A.1.1 (`RSAPublicKey`); RFC 5280, section 4.1 (`SubjectPublicKeyInfo`).

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1, rsaEncryption.
const RSA_ENCRYPTION: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// Whether this is an `RSAPublicKey`: a sequence of two integers.
pub(crate) fn is_rsa_public_key(der: &[u8]) -> bool {
    (|| {
        let (key, _) = element(der, SEQUENCE)?;
        let (_, rest) = element(key, INTEGER)?;
        let (_, rest) = element(rest, INTEGER)?;
        Some(rest.is_empty())
    })()
    .unwrap_or(false)
}

/// The `RSAPublicKey` in a `SubjectPublicKeyInfo`.
pub(crate) fn in_subject_public_key_info(der: &[u8]) -> Option<&[u8]> {
    let (info, rest) = element(der, SEQUENCE)?;
    let (algorithm, key) = element(info, SEQUENCE)?;
    let (identifier, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    let has_parameters = parameters.is_empty() || element(parameters, NULL)?.1.is_empty();
    let (bits, behind) = element(key, BIT_STRING)?;
    let (unused_bits, key) = bits.split_first()?;
    let is_whole = rest.is_empty() && behind.is_empty() && *unused_bits == 0;
    (is_whole && has_parameters && identifier == RSA_ENCRYPTION && is_rsa_public_key(key))
        .then_some(key)
}

/// The content of the element in front, and what stands behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81 | 0x82 => {
            let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let length = length
                .iter()
                .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
            (length, rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

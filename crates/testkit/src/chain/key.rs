//! Keys that sign digest files.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};

use super::hex;
use super::modular::power;

/// How many keys a process can have.
const KEYS: usize = 32;

/// An RSA key pair of 2048 bits.
pub struct SigningKey {
    pair: KeyPair,
    der: Vec<u8>,
    fingerprint: String,
}

impl SigningKey {
    /// The key with this number, below 32. It is made when it is first asked for, once per process;
    /// another process has other keys.
    pub fn test(number: usize) -> &'static SigningKey {
        static MADE: [OnceLock<SigningKey>; KEYS] = [const { OnceLock::new() }; KEYS];
        let key = MADE.get(number);
        key.unwrap_or_else(|| panic!("there are {KEYS} keys, and no key {number}"))
            .get_or_init(SigningKey::generate)
    }

    /// A new key.
    pub fn generate() -> SigningKey {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.public_key().as_ref().to_vec();
        let fingerprint = super::sha256(&der)[..32].to_owned();
        SigningKey {
            pair,
            der,
            fingerprint,
        }
    }

    /// The public half: DER of a PKCS#1 `RSAPublicKey`.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What digest files call the key: 32 hex digits, a function of the public half. CloudTrail's is
    /// another function of it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Signs as CloudTrail does: RSASSA-PKCS1-v1_5 with SHA-256, in hex.
    pub fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .unwrap();
        hex(&signature)
    }

    /// The same with SHA-1, which CloudTrail never uses.
    pub fn sign_sha1(&self, text: &str) -> String {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let message = encoded(SHA1_INFO, hash.as_ref(), self.pair.public_modulus_len());
        let pkcs8: Pkcs8V1Der = self.pair.as_der().unwrap();
        let (modulus, exponent) = private_numbers(pkcs8.as_ref());
        hex(&power(&message, exponent, modulus))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.fingerprint)
    }
}

/// A public key as an X.509 `SubjectPublicKeyInfo`, from its PKCS#1 form.
pub fn spki(pkcs1_der: &[u8]) -> Vec<u8> {
    // rsaEncryption (1.2.840.113549.1.1.1), with NULL as its parameters.
    const ALGORITHM: &[u8] = &[
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let bits = element(0x03, &[&[0], pkcs1_der].concat());
    element(0x30, &[ALGORITHM, &bits].concat())
}

/// `DigestInfo` of SHA-1 up to the hash.
///
/// Source: RFC 8017, section 9.2, note 1.
const SHA1_INFO: &[u8] = &[
    0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14,
];

/// EMSA-PKCS1-v1_5: `00 01 ff .. ff 00`, then the `DigestInfo`.
fn encoded(info: &[u8], hash: &[u8], length: usize) -> Vec<u8> {
    let padding = vec![0xff; length - 3 - info.len() - hash.len()];
    [&[0, 1], padding.as_slice(), &[0], info, hash].concat()
}

/// Modulus and private exponent of a PKCS#8 RSA key.
fn private_numbers(pkcs8: &[u8]) -> (&[u8], &[u8]) {
    let (key_info, _) = split(pkcs8);
    let (_version, rest) = split(key_info);
    let (_algorithm, rest) = split(rest);
    let (octets, _) = split(rest);
    let (numbers, _) = split(octets);
    let (_version, rest) = split(numbers);
    let (modulus, rest) = split(rest);
    let (_public_exponent, rest) = split(rest);
    let (private_exponent, _) = split(rest);
    (modulus, private_exponent)
}

/// The content of the first DER element, and what follows it.
fn split(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, header) = match der[1] {
        short if short < 0x80 => (usize::from(short), 2),
        long => {
            let header = 2 + usize::from(long & 0x7f);
            let bytes = der[2..header].iter();
            let length = bytes.fold(0, |length, &byte| length << 8 | usize::from(byte));
            (length, header)
        }
    };
    der[header..].split_at(length)
}

/// A DER element of fewer than 65,536 bytes.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header: &[u8] = match content.len() {
        0..0x80 => &[tag, low],
        0x80..0x100 => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [header, content].concat()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::PublicKeyX509Der;
    use aws_lc_rs::signature::{
        RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    };

    use super::*;
    use crate::chain::unhex;

    #[test]
    fn signatures_verify_with_their_own_hash_only() {
        let key = SigningKey::test(0);
        let sha256 = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.der());
        let sha1 = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, key.der());
        let (strong, weak) = (unhex(&key.sign("text")), unhex(&key.sign_sha1("text")));
        assert!(sha256.verify(b"text", &strong).is_ok());
        assert!(sha1.verify(b"text", &weak).is_ok());
        assert!(sha256.verify(b"text", &weak).is_err());
        assert!(sha1.verify(b"text", &strong).is_err());
        assert!(sha256.verify(b"test", &strong).is_err());
        assert!(sha1.verify(b"test", &weak).is_err());
    }

    #[test]
    fn keys_differ_and_stay() {
        let (first, second) = (SigningKey::test(0), SigningKey::test(1));
        assert_ne!(first.fingerprint(), second.fingerprint());
        assert_eq!(first.fingerprint(), SigningKey::test(0).fingerprint());
        assert!(std::ptr::eq(first, SigningKey::test(0)));
        assert_eq!(first.fingerprint().len(), 32);
    }

    #[test]
    fn public_keys_have_two_forms() {
        let key = SigningKey::test(0);
        // As `MIIBCgKCAQEA` begins in base64.
        assert_eq!(key.der()[..9], [0x30, 0x82, 1, 10, 2, 0x82, 1, 1, 0]);
        assert_eq!(key.der().len(), 270);
        let x509: PublicKeyX509Der<'_> = key.pair.public_key().as_der().unwrap();
        assert_eq!(spki(key.der()), x509.as_ref());
        assert_eq!(spki(key.der()).len(), 294);
    }
}

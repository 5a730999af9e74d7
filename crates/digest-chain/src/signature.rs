//! What CloudTrail signs, and whether it did.

use aws_lc_rs::signature::{
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RsaParameters, UnparsedPublicKey,
};

use crate::{DigestFile, PublicKey, Sha256};

/// Builds the text CloudTrail signs for one digest file.
///
/// `sha256` is the hash of the *inflated* digest file, byte for byte as stored.
///
/// Returns four lines joined by `\n`, with no final newline: end time (as written in the file), `bucket/key` (no
/// scheme), `sha256` (64 lower-case hex digits), and the previous digest's signature (hex), or the word `null` for a
/// starting digest.
///
/// Source: CloudTrail User Guide, "Custom implementations of CloudTrail log file integrity validation".
pub fn signing_string(digest: &DigestFile, sha256: &Sha256) -> String {
    let DigestFile {
        end_time,
        bucket,
        key,
        previous,
        ..
    } = digest;
    let previous = previous.signature.as_deref().unwrap_or("null");
    format!("{end_time}\n{bucket}/{key}\n{sha256}\n{previous}")
}

/// What a signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureCheck {
    /// The key made it for this text.
    Valid,
    /// It did not.
    Invalid,
    /// It is no text of hex digits.
    NotHex {
        /// It has an odd number of characters.
        is_odd: bool,
    },
    /// The key is no RSA key.
    KeyUnusable,
}

/// Verifies an RSASSA-PKCS1-v1_5 signature with SHA-256, given in hex.
pub fn verify(key: &PublicKey, text: &str, signature: &str) -> SignatureCheck {
    let Some(pkcs1) = key.pkcs1() else {
        return SignatureCheck::KeyUnusable;
    };
    verify_with(pkcs1, text, signature, &[&RSA_PKCS1_2048_8192_SHA256])
}

/// The same as the AWS CLI does it: whatever hash function the signature names, SHA-1 included. Only for answers that
/// must be those of the AWS CLI.
pub fn verify_any_hash(key: &PublicKey, text: &str, signature: &str) -> SignatureCheck {
    let Some(pkcs1) = key.pkcs1() else {
        return SignatureCheck::KeyUnusable;
    };
    let all = [
        &RSA_PKCS1_2048_8192_SHA256,
        &RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        &RSA_PKCS1_2048_8192_SHA384,
        &RSA_PKCS1_2048_8192_SHA512,
    ];
    verify_with(pkcs1, text, signature, &all)
}

fn verify_with(
    pkcs1: &[u8],
    text: &str,
    signature: &str,
    algorithms: &[&'static RsaParameters],
) -> SignatureCheck {
    let signature = match from_hex(signature) {
        Ok(signature) => signature,
        Err(is_odd) => return SignatureCheck::NotHex { is_odd },
    };
    let is_valid = algorithms.iter().any(|algorithm| {
        UnparsedPublicKey::new(*algorithm, pkcs1)
            .verify(text.as_bytes(), &signature)
            .is_ok()
    });
    match is_valid {
        true => SignatureCheck::Valid,
        false => SignatureCheck::Invalid,
    }
}

/// Reads hex digits of either case. The error says whether their number is odd.
fn from_hex(text: &str) -> Result<Vec<u8>, bool> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(true);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |&[high, low]: &[u8; 2]| Some((digit(high)? << 4 | digit(low)?) as u8);
    pairs.iter().map(byte).collect::<Option<_>>().ok_or(false)
}

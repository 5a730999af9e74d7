//! The vectors of `tests/vectors/digest-chain`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may panic"
)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use digest_chain::{
    DigestFile, DigestKey, KeyForm, PublicKey, Sha256, SignatureCheck, parse_time, signing_string,
    verify, verify_any_hash,
};
use serde_json::Value;

fn vectors(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/digest-chain");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn text<'v>(case: &'v Value, name: &str) -> &'v str {
    case[name].as_str().unwrap()
}

fn key(base64: &str) -> PublicKey {
    PublicKey {
        fingerprint: "0".repeat(32),
        der: BASE64.decode(base64).unwrap(),
        validity_start: 0,
        validity_end: 0,
    }
}

#[test]
fn what_is_signed_and_what_verifies() {
    let vectors = vectors("signatures");
    let key = key(text(&vectors, "public_key"));
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 12);
    for case in cases {
        let name = text(case, "name");
        let inflated = text(case, "digest").as_bytes();
        let file = DigestFile::parse(inflated).unwrap();
        let signed = signing_string(&file, &Sha256::of(inflated));
        assert_eq!(signed, text(case, "signing_string"), "{name}");
        let signature = text(case, "signature");
        let is_valid = |check| check == SignatureCheck::Valid;
        let strictly = is_valid(verify(&key, &signed, signature));
        assert_eq!(strictly, case["valid"].as_bool().unwrap(), "{name}");
        let loosely = is_valid(verify_any_hash(&key, &signed, signature));
        assert_eq!(
            loosely,
            case["valid_with_any_hash"].as_bool().unwrap(),
            "{name}"
        );
    }
}

#[test]
fn keys_are_read_in_both_forms() {
    for case in vectors("key-forms").as_array().unwrap() {
        let key = key(text(case, "value"));
        let expected = match text(case, "form") {
            "pkcs1" => KeyForm::Pkcs1,
            "spki" => KeyForm::SubjectPublicKeyInfo,
            _ => KeyForm::Unknown,
        };
        let name = text(case, "name");
        assert_eq!(key.form(), expected, "{name}");
        assert_eq!(
            key.pkcs1().is_some(),
            case["usable"].as_bool().unwrap(),
            "{name}"
        );
    }
}

#[test]
fn both_forms_of_a_key_verify_the_same_signature() {
    let forms = vectors("key-forms");
    let signatures = vectors("signatures");
    let case = &signatures["cases"][0];
    for form in &forms.as_array().unwrap()[..2] {
        let key = key(text(form, "value"));
        let check = verify(&key, text(case, "signing_string"), text(case, "signature"));
        assert_eq!(check, SignatureCheck::Valid, "{}", text(form, "name"));
    }
}

#[test]
fn keys_of_digests_are_told_from_others() {
    for case in vectors("digest-keys").as_array().unwrap() {
        let name = text(case, "name");
        let found = DigestKey::parse(text(case, "key"));
        let Some(expected) = case["digest"].as_object() else {
            assert_eq!(found, None, "{name}");
            continue;
        };
        let DigestKey {
            stream,
            end,
            is_backfill,
        } = found.unwrap_or_else(|| panic!("{name}: not a digest"));
        let member = |name: &str| expected[name].as_str().unwrap_or_default();
        assert_eq!(stream.scope.prefix, member("prefix"), "{name}");
        let organization = stream.scope.organization_id.as_deref();
        assert_eq!(organization, expected["organization_id"].as_str(), "{name}");
        assert_eq!(stream.scope.account_id, member("account_id"), "{name}");
        assert_eq!(stream.scope.region, member("region"), "{name}");
        assert_eq!(stream.trail, member("trail"), "{name}");
        assert_eq!(stream.home_region, member("home_region"), "{name}");
        assert_eq!(Some(end), parse_time(member("end")), "{name}");
        assert_eq!(
            is_backfill,
            expected["is_backfill"].as_bool().unwrap(),
            "{name}"
        );
        assert_eq!(
            stream.digest_key(end, is_backfill),
            text(case, "key"),
            "{name}"
        );
    }
}

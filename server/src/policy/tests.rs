//! Bundles: the same text and hash as the old system made, and no byte changed without notice.

use serde_json::{Map, Value, json};

use super::*;

fn document() -> Map<String, Value> {
    let document = json!({
        "version": "1.0", "rules": { "b": 1.5, "a": "ä\u{2028}\"\\\n\u{7f}😀" }, "list": [true, null, -3], "z": {},
    });
    document.as_object().unwrap().clone()
}

/// Of `json.dumps(document, sort_keys=True, separators=(",", ":"))` in Python 3.
#[test]
fn the_hash_is_that_of_the_old_system() {
    assert_eq!(
        canonical(&document()),
        r#"{"list":[true,null,-3],"rules":{"a":"\u00e4\u2028\"\\\n\u007f\ud83d\ude00","b":1.5},"version":"1.0","z":{}}"#
    );
    let (text, sha256) = seal(document());
    assert_eq!(
        sha256,
        "951329b14e782ce74cb84984bfc07c0a295bf840b5cff08eb93295ac18dead4e"
    );
    let opened = open(&text).unwrap();
    assert_eq!(opened["_hash"], sha256);
    assert_eq!(seal(opened), (text, sha256), "sealed twice is sealed once");
}

#[test]
fn hashes_that_a_document_brings_are_made_anew() {
    let mut brought = document();
    brought.insert("hash".to_owned(), "a1b2c3d4e5f6g7h8".into());
    brought.insert("_hash".to_owned(), "0".into());
    assert_eq!(seal(brought), seal(document()));
}

/// RFC 8032, section 7.1, test 2: the secret, its public key and the signature of one byte.
#[test]
fn signatures_are_those_of_the_standard() {
    let secret = of_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    let (signature, public_key) = sign("\u{72}", &secret.unwrap());
    assert_eq!(
        public_key,
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    );
    assert_eq!(
        signature,
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    );
}

#[test]
fn every_change_of_a_byte_is_found() {
    let (text, _) = seal(document());
    let (secret, public_key) = generate().unwrap();
    let (signature, of_secret) = sign(&text, &of_hex(&secret).unwrap());
    assert_eq!(of_secret, public_key);
    assert_eq!(verify(&text, &signature, &public_key), Ok(()));
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(bytes).unwrap();
        let forged = verify(&changed, &signature, &public_key);
        assert_eq!(forged, Err(BundleError::Forged), "byte {at}");
        assert!(open(&changed).is_err(), "byte {at}: {changed}");
    }
    let (_, other) = generate().unwrap();
    assert_eq!(verify(&text, &signature, &other), Err(BundleError::Forged));
    assert_eq!(verify(&text, &signature, "zz"), Err(BundleError::Key));
    assert_eq!(verify(&text, "00", &public_key), Err(BundleError::Forged));
}

#[test]
fn hexadecimal_is_read_back_and_nothing_else_is() {
    assert_eq!(of_hex::<3>("00fFa0"), Some([0, 255, 160]));
    assert_eq!(to_hex(&[0, 255, 160]), "00ffa0");
    for text in ["", "00ff", "00ffa000", "00ffg0", "+0ffa0", "00ffä"] {
        assert_eq!(of_hex::<3>(text), None, "{text}");
    }
}

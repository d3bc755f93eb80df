use serde_json::{Value, json};

use super::*;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn claims() -> Claims {
    Claims {
        sub: "u".to_owned(),
        role: "VIEWER".to_owned(),
        kind: ACCESS.to_owned(),
        exp: 1_700_001_800,
        iat: 1_700_000_000,
        nbf: 1_700_000_000,
        jti: "j".to_owned(),
        iss: "depot".to_owned(),
        aud: "depot".to_owned(),
        family: Some("f".to_owned()),
    }
}

fn tokens() -> Tokens {
    Tokens::new(KEY, "depot")
}

/// Base64url without padding, RFC 4648 §5, the slow and obvious way.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0))
        });
        for at in 0..=chunk.len() {
            text.push(char::from(LETTERS[bits >> (18 - 6 * at) & 63]));
        }
    }
    text
}

/// A token made by hand: header and claims as given, signed with HMAC-SHA-256 under `key`.
fn forged(header: &Value, claims: &Value, key: &[u8]) -> String {
    let message = format!(
        "{}.{}",
        base64url(header.to_string().as_bytes()),
        base64url(claims.to_string().as_bytes())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", base64url(&mac.finalize().into_bytes()))
}

#[test]
fn what_is_signed_is_read_back() {
    let token = tokens().sign(&claims()).unwrap();
    assert_eq!(tokens().verify(&token, ACCESS, NOW), Ok(claims()));
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let by_hand = forged(&header, &serde_json::to_value(claims()).unwrap(), KEY);
    assert_eq!(
        tokens().verify(&by_hand, ACCESS, NOW),
        Ok(claims()),
        "the format is the standard's"
    );
}

#[test]
fn crafted_tokens_are_refused() {
    let good = json!({"alg": "HS256", "typ": "JWT"});
    let claims_with = |member: &str, value: Value| {
        let mut claims = serde_json::to_value(claims()).unwrap();
        claims[member] = value;
        claims
    };
    let plain = serde_json::to_value(claims()).unwrap();
    let valid = forged(&good, &plain, KEY);
    let mut parts: Vec<&str> = valid.split('.').collect();
    let mut crafted = vec![
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        valid[..valid.len() - 1].to_owned(),
        format!("{valid}A"),
        format!("{valid}."),
        format!("{valid} {valid}"),
        format!("{valid}, {valid}"),
        valid.to_uppercase(),
        "x".repeat(TOKEN_BYTES_MAX + 1),
        forged(&good, &plain, b"another key that is long enough!"),
        forged(&good, &plain, b""),
    ];
    for alg in [
        "none", "None", "HS384", "HS512", "RS256", "ES256", "EdDSA", "PS512", "hs256", "",
    ] {
        crafted.push(forged(&json!({"alg": alg, "typ": "JWT"}), &plain, KEY));
        let unsigned = forged(&json!({"alg": alg}), &plain, KEY);
        let (message, _) = unsigned.rsplit_once('.').unwrap();
        crafted.push(format!("{message}."));
    }
    for (member, value) in [
        ("type", json!("refresh")),
        ("type", json!("ACCESS")),
        ("type", json!(null)),
        ("type", json!(["access"])),
        ("iss", json!("other")),
        ("iss", json!(null)),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("exp", json!("never")),
        ("exp", json!(null)),
        ("exp", json!(1e30)),
        ("nbf", json!(null)),
        ("nbf", json!("now")),
        ("sub", json!(null)),
        ("sub", json!(7)),
        ("jti", json!(null)),
        ("role", json!(null)),
    ] {
        crafted.push(forged(&good, &claims_with(member, value), KEY));
    }
    for claims in [json!({}), json!([]), json!("x"), json!(null)] {
        crafted.push(forged(&good, &claims, KEY));
    }
    // Another account's claims under a signature that was made for these.
    let other = base64url(claims_with("sub", json!("admin")).to_string().as_bytes());
    parts[1] = &other;
    crafted.push(parts.join("."));
    assert!(crafted.len() >= 50);
    for token in crafted {
        assert_eq!(
            tokens().verify(&token, ACCESS, NOW),
            Err(TokenError::Invalid),
            "{token}"
        );
    }
}

/// Whatever else the header says, the key is ours: none is loaded from where it points.
#[test]
fn header_fields_that_name_keys_change_nothing() {
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": "../../etc/passwd", "jku": "http://evil.example/keys"});
    let token = forged(&header, &serde_json::to_value(claims()).unwrap(), b"");
    assert_eq!(
        tokens().verify(&token, ACCESS, NOW),
        Err(TokenError::Invalid)
    );
}

#[test]
fn a_token_has_its_time() {
    let token = tokens().sign(&claims()).unwrap();
    let at = |seconds: i64| Timestamp::from_micros(NOW.micros() + seconds * SECOND);
    assert!(tokens().verify(&token, ACCESS, at(1_799)).is_ok());
    assert_eq!(
        tokens().verify(&token, ACCESS, at(1_800)),
        Err(TokenError::Expired)
    );
    assert!(tokens().verify(&token, ACCESS, at(-30)).is_ok());
    assert_eq!(
        tokens().verify(&token, ACCESS, at(-31)),
        Err(TokenError::Expired)
    );
}

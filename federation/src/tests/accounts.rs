//! A broker that lets in by accounts (an operator's and its accounts' JWTs), and files of credentials as its administrator hands
//! them out: made here as `nsc` makes them.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::{KeyPair, KeyPairType};
use serde_json::{Value, json};

use super::faults::{wait_for_error, wait_for_recovery};
use super::*;

/// The time in the claims: 2026-01-01.
const ISSUED_AT: u64 = 1_767_225_600;

fn key(kind: KeyPairType, seed: u8) -> KeyPair {
    KeyPair::new_from_raw(kind, [seed; 32]).unwrap()
}

/// A JWT about `subject`, signed by who vouches for it.
fn jwt(subject: &KeyPair, name: &str, by: &KeyPair, says: &Value) -> String {
    jwt_until(subject, name, by, says, None)
}

fn jwt_until(
    subject: &KeyPair,
    name: &str,
    by: &KeyPair,
    says: &Value,
    expires: Option<u64>,
) -> String {
    let mut claims = json!({
        "jti": format!("{name}-{}", subject.public_key()),
        "iat": ISSUED_AT,
        "iss": by.public_key(),
        "name": name,
        "sub": subject.public_key(),
        "nats": says,
    });
    if let Some(expires) = expires {
        claims["exp"] = expires.into();
    }
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(by.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// An account that may do everything, as far as it has a stream's storage.
fn account(storage: i64) -> Value {
    json!({
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
            "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
        },
        "default_permissions": { "pub": {}, "sub": {} },
        "type": "account",
        "version": 2,
    })
}

fn user() -> Value {
    json!({ "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2 })
}

/// Writes a file of credentials: what the account says of the user, and the user's own key.
fn credentials(folder: &Path, name: &str, jwt: &str, user: &KeyPair) -> PathBuf {
    let path = folder.join(format!("{name}.creds"));
    let seed = user.seed().unwrap();
    let text = format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_file_of_credentials_lets_in_whom_the_account_vouches_for() {
    let folder = tempfile::tempdir().unwrap();
    let operator = key(KeyPairType::Operator, 1);
    let [system, depots, others] = [2, 3, 4].map(|seed| key(KeyPairType::Account, seed));
    let vouched = |account_key: &KeyPair, name: &str, storage| {
        jwt(account_key, name, &operator, &account(storage))
    };
    let own = jwt(
        &operator,
        "Railway",
        &operator,
        &json!({ "type": "operator", "version": 2 }),
    );
    let settings = format!(
        "operator: {own}\nsystem_account: {}\nresolver: MEMORY\n\
         resolver_preload: {{\n  {}: {}\n  {}: {}\n}}\n",
        system.public_key(),
        system.public_key(),
        vouched(&system, "SYS", 0),
        depots.public_key(),
        vouched(&depots, "Depots", -1),
    );
    let Some(nats) = NatsServer::start_with("federation", &["--jetstream"], &settings) else {
        return;
    };
    let runtime = runtime();
    let with = |file: &Path| Broker {
        credentials: Some(file.to_owned()),
        ..broker(&nats.address(), Duration::ZERO)
    };
    let [nord_user, south_user, stranger_user] = [5, 6, 7].map(|seed| key(KeyPairType::User, seed));
    let mut members = ["Nord", "Süd"].map(Depot::new);
    for (depot, who) in members.iter_mut().zip([&nord_user, &south_user]) {
        let token = jwt(who, depot.name, &depots, &user());
        let file = credentials(folder.path(), depot.name, &token, who);
        depot.join_with(&runtime, with(&file), &[]);
        depot.happen("1", "note");
    }
    assert_agree(&[&members[0], &members[1]], 2);

    // Another account's word does not count here, and neither does one that has run out, nor another's key.
    let mut stranger = Depot::new("West");
    let wrong = [
        (
            jwt(&stranger_user, "West", &others, &user()),
            &stranger_user,
        ),
        (
            jwt_until(
                &stranger_user,
                "West",
                &depots,
                &user(),
                Some(ISSUED_AT + 1),
            ),
            &stranger_user,
        ),
        (jwt(&nord_user, "Nord", &depots, &user()), &stranger_user),
    ];
    for (token, who) in &wrong {
        let file = credentials(folder.path(), "West", token, who);
        stranger.join_with(&runtime, with(&file), &[]);
        wait_for_error(&stranger, "authorization violation");
        stranger.leave(&runtime);
    }
    std::fs::write(folder.path().join("West.creds"), "no credentials").unwrap();
    stranger.join_with(&runtime, with(&folder.path().join("West.creds")), &[]);
    wait_for_error(&stranger, "West.creds");
    // The file is read anew at each try.
    let token = jwt(&stranger_user, "West", &depots, &user());
    credentials(folder.path(), "West", &token, &stranger_user);
    wait_for_recovery(&stranger);
    stranger.happen("1", "note");
    assert_agree(&[&members[0], &members[1], &stranger], 3);
}

use std::path::Path;

use super::*;
use crate::config::Config;

pub(crate) fn cheap() -> AuthConfig {
    let mut config = Config::new(Path::new("x")).auth;
    config.argon2_memory_kib = 8;
    config.argon2_passes = 1;
    config
}

#[track_caller]
fn check_refused(password: &str, refusal: PasswordRefusal) {
    assert_eq!(
        check_strength(password, "anna", 8),
        Err(refusal),
        "{password}"
    );
}

#[test]
fn short_passwords_need_the_old_mix_and_long_ones_do_not() {
    for good in [
        "Depot-77x",
        "Ä1öß!xyz",
        "correct horse battery",
        "ünïcödé passphrase ok",
    ] {
        assert_eq!(check_strength(good, "anna", 8), Ok(()), "{good}");
    }
    check_refused("Ab1!", PasswordRefusal::TooShort { chars_min: 8 });
    check_refused("abcdefg1!", PasswordRefusal::NoUpper);
    check_refused("ABCDEFG1!", PasswordRefusal::NoLower);
    check_refused("Abcdefgh!", PasswordRefusal::NoDigit);
    check_refused("Abcdefgh1", PasswordRefusal::NoSpecial);
    check_refused("Password123!", PasswordRefusal::Common);
    check_refused("aaaaaaaaaaaaaaaaaaaa", PasswordRefusal::Common);
    check_refused("abcabcabcabcabcab", PasswordRefusal::Common);
    check_refused(&"x1Y!".repeat(300), PasswordRefusal::TooLong);
    assert_eq!(
        check_strength("Anna.1234", "anna.123", 8),
        Err(PasswordRefusal::ContainsName)
    );
    assert_eq!(
        PasswordRefusal::TooShort { chars_min: 8 }.to_string(),
        "Password must be at least 8 characters long"
    );
}

#[test]
fn a_hash_knows_its_password_and_no_other() {
    let hasher = Hasher::new(&cheap()).unwrap();
    let hash = hasher.hash("Depot-77x").unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");
    assert_ne!(
        hash,
        hasher.hash("Depot-77x").unwrap(),
        "the salt is random"
    );
    assert_eq!(hasher.check("Depot-77x", Some(&hash), None), Verdict::Right);
    assert_eq!(hasher.check("Depot-77y", Some(&hash), None), Verdict::Wrong);
    assert_eq!(hasher.check("Depot-77x", None, None), Verdict::Wrong);
    assert_eq!(
        hasher.check("no account has this password", None, None),
        Verdict::Wrong
    );
}

#[test]
fn a_hash_of_other_settings_is_good_and_old() {
    let hash = Hasher::new(&cheap()).unwrap().hash("Depot-77x").unwrap();
    let other = Hasher::new(&AuthConfig {
        argon2_passes: 2,
        ..cheap()
    })
    .unwrap();
    assert_eq!(
        other.check("Depot-77x", Some(&hash), None),
        Verdict::RightButOld
    );
}

#[test]
fn hashes_of_the_old_system_are_good_and_old() {
    let hasher = Hasher::new(&cheap()).unwrap();
    let hash = bcrypt::hash("Depot-77x", 4).unwrap();
    assert!(hash.starts_with("$2b$"));
    assert_eq!(
        hasher.check("Depot-77x", Some(&hash), None),
        Verdict::RightButOld
    );
    assert_eq!(hasher.check("Depot-77y", Some(&hash), None), Verdict::Wrong);
}

/// Made by the C library's crypt(3), not by one of our dependencies.
#[test]
fn a_foreign_bcrypt_hash_is_understood() {
    let hasher = Hasher::new(&cheap()).unwrap();
    let hash = "$2b$05$abcdefghijklmnopqrstuujk.XlzvNgv3vw0f/kLoy8pIoGGAhBAm";
    assert_eq!(
        hasher.check("Depot-77x", Some(hash), None),
        Verdict::RightButOld
    );
}

#[test]
fn hostile_hashes_are_wrong_at_once() {
    let hasher = Hasher::new(&cheap()).unwrap();
    for hash in [
        "",
        "$",
        "$2b$31$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkY8jIucDrjc8deX1s.",
        "$2b$xx$",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$",
        "plain",
    ] {
        assert_eq!(
            hasher.check("x", Some(hash), None),
            Verdict::Wrong,
            "{hash}"
        );
    }
}

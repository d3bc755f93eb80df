//! Passwords: which are accepted, how they are hashed, how they are checked.
//!
//! Hashes are Argon2id in PHC form. The old system's bcrypt hashes (`$2a$`, `$2b$`, `$2y$`) are checked too and replaced
//! at the next login, as are Argon2 hashes made under other settings. Hashing takes tens of milliseconds of a core on
//! purpose: callers run it on a blocking thread and bound how many run at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::config::AuthConfig;

#[cfg(test)]
mod tests;

/// Bytes of a password; longer ones only cost time.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// From this length on a password needs no mix of characters: length alone makes it hard to guess (NIST SP 800-63B).
pub const PASSPHRASE_CHARS: usize = 15;
/// The highest bcrypt cost that is checked: one more would let a foreign hash hold a core for seconds.
const BCRYPT_COST_MAX: u32 = 14;
/// The most memory that a stored Argon2 hash may ask for, in KiB.
const ARGON2_MEMORY_KIB_MAX: u32 = 1_048_576;
/// The special characters of the old system's rule.
const SPECIAL: &str = "!@#$%^&*()_+-=[]{}|;:,.<>?";

/// Passwords that every guesser tries first, in lower case; compared without regard to case.
const COMMON: &[&str] = &[
    "abc12345!",
    "abcd1234!",
    "abcdefgh1!",
    "admin123!",
    "admin@123",
    "changeme1!",
    "changeme123!",
    "fleet123!",
    "hello123!",
    "letmein1!",
    "letmein123!",
    "p@$$w0rd",
    "p@$$w0rd1",
    "p@ssw0rd",
    "p@ssw0rd!",
    "p@ssw0rd1",
    "p@ssword1",
    "pa$$w0rd",
    "pa$$word1",
    "passw0rd!",
    "passw0rd1!",
    "password!1",
    "password1!",
    "password1.",
    "password12!",
    "password123!",
    "password123!!",
    "password1234!",
    "password@1",
    "password@123",
    "qwerty1!",
    "qwerty12!",
    "qwerty123!",
    "qwertz123!",
    "railfleet1!",
    "railfleet123!",
    "test1234!",
    "test@1234",
    "welcome1!",
    "welcome123!",
    "welcome@1",
    "welcome@123",
];

/// Why a new password is not accepted. The texts are those of the old system where it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text says what it is")]
pub enum PasswordRefusal {
    #[error("Password must be at least {chars_min} characters long")]
    TooShort { chars_min: usize },
    #[error("Password must be at most {PASSWORD_BYTES_MAX} bytes long")]
    TooLong,
    #[error("Password must contain at least one uppercase letter")]
    NoUpper,
    #[error("Password must contain at least one lowercase letter")]
    NoLower,
    #[error("Password must contain at least one digit")]
    NoDigit,
    #[error("Password must contain at least one special character")]
    NoSpecial,
    #[error("Password is among those that are tried first")]
    Common,
    #[error("Password is on a list of breached ones")]
    Breached,
    #[error("Password must not contain the username")]
    ContainsName,
}

/// Whether `password` is good enough for the account `username`.
///
/// Below [`PASSPHRASE_CHARS`] characters the old system's mix is asked for; from there on length is enough.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_strength(
    password: &str,
    username: &str,
    chars_min: usize,
) -> Result<(), PasswordRefusal> {
    let chars = password.chars().count();
    if chars < chars_min {
        return Err(PasswordRefusal::TooShort { chars_min });
    }
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordRefusal::TooLong);
    }
    if chars < PASSPHRASE_CHARS {
        for (missing, refusal) in [
            (
                !password.chars().any(char::is_uppercase),
                PasswordRefusal::NoUpper,
            ),
            (
                !password.chars().any(char::is_lowercase),
                PasswordRefusal::NoLower,
            ),
            (
                !password.chars().any(|character| character.is_ascii_digit()),
                PasswordRefusal::NoDigit,
            ),
            (
                !password.contains(|character| SPECIAL.contains(character)),
                PasswordRefusal::NoSpecial,
            ),
        ] {
            if missing {
                return Err(refusal);
            }
        }
    }
    let lower = password.to_lowercase();
    if COMMON.contains(&lower.as_str()) || is_repetition(&lower) {
        return Err(PasswordRefusal::Common);
    }
    // A short name stands in many a good password; a long one that fills half of it does not add to it.
    let name = username.to_lowercase();
    if !name.is_empty() && lower.contains(&name) && name.chars().count() * 2 >= chars {
        return Err(PasswordRefusal::ContainsName);
    }
    Ok(())
}

/// Whether it is one short piece over and over: `aaaaaaaaaaaaaaa`, `abcabcabcabcabc`.
fn is_repetition(password: &str) -> bool {
    let letters: Vec<char> = password.chars().collect();
    (1..=letters.len() / 3).any(|length| {
        letters
            .iter()
            .zip(letters.iter().skip(length))
            .all(|(left, right)| left == right)
    })
}

/// What a check against a stored hash found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The password is right.
    Right,
    /// The password is right, and its hash should be made anew.
    RightButOld,
    /// The password is wrong, or the hash is none that can be checked.
    Wrong,
}

/// Makes and checks hashes.
#[derive(Debug)]
pub struct Hasher {
    argon2: Argon2<'static>,
    /// A hash of no account, checked when there is no account, so that an unknown name takes as long as a known one.
    decoy: String,
}

/// Hashing failed: the settings are out of range, or there is no memory or randomness.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("password hashing failed: {0}")]
pub struct HashError(String);

impl Hasher {
    /// A hasher with these settings.
    ///
    /// # Errors
    /// When Argon2 does not take the settings.
    pub fn new(config: &AuthConfig) -> Result<Self, HashError> {
        let params = Params::new(
            config.argon2_memory_kib,
            config.argon2_passes,
            config.argon2_lanes,
            None,
        )
        .map_err(|error| HashError(error.to_string()))?;
        let mut hasher = Hasher {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            decoy: String::new(),
        };
        hasher.decoy = hasher.hash("no account has this password")?;
        Ok(hasher)
    }

    /// The hash of `password` with a new random salt, in PHC form.
    ///
    /// # Errors
    /// See [`HashError`].
    pub fn hash(&self, password: &str) -> Result<String, HashError> {
        let hash = self
            .argon2
            .hash_password(password.as_bytes())
            .map_err(|error| HashError(error.to_string()))?;
        Ok(hash.to_string())
    }

    /// Holds `password` against a stored hash, or, where there is no account, against the decoy. As long as some account's hash
    /// is the old system's, `old` is one of these, and every check pays for both kinds: otherwise its time would tell whose
    /// account came from there.
    pub fn check(&self, password: &str, stored: Option<&str>, old: Option<&str>) -> Verdict {
        if password.len() > PASSWORD_BYTES_MAX {
            return Verdict::Wrong;
        }
        let stored_is_old = stored.is_some_and(is_old);
        let of_old = match (stored_is_old, stored, old) {
            (true, Some(hash), _) | (false, _, Some(hash)) => check_bcrypt(password, hash),
            _ => Verdict::Wrong,
        };
        let new = stored.filter(|_| !stored_is_old);
        let of_new = self.check_argon2(password, new.unwrap_or(&self.decoy));
        match stored {
            Some(_) if stored_is_old => of_old,
            Some(_) => of_new,
            None => Verdict::Wrong,
        }
    }

    fn check_argon2(&self, password: &str, stored: &str) -> Verdict {
        let Ok(hash) = PasswordHash::new(stored) else {
            return Verdict::Wrong;
        };
        let Ok(params) = Params::try_from(&hash) else {
            return Verdict::Wrong;
        };
        if params.m_cost() > ARGON2_MEMORY_KIB_MAX
            || self
                .argon2
                .verify_password(password.as_bytes(), &hash)
                .is_err()
        {
            return Verdict::Wrong;
        }
        let wanted = self.argon2.params();
        let settings = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        let same = hash.algorithm.as_str() == Algorithm::Argon2id.ident().as_str()
            && settings(&params) == settings(wanted);
        if same {
            Verdict::Right
        } else {
            Verdict::RightButOld
        }
    }
}

/// Whether a hash is the old system's.
pub(super) fn is_old(hash: &str) -> bool {
    hash.starts_with("$2")
}

/// bcrypt looks at the first 72 bytes only, as it did when the old system made the hash.
fn check_bcrypt(password: &str, stored: &str) -> Verdict {
    let cost = stored
        .split('$')
        .nth(2)
        .and_then(|cost| cost.parse::<u32>().ok());
    let affordable = cost.is_some_and(|cost| cost <= BCRYPT_COST_MAX);
    if affordable && bcrypt::verify(password, stored).unwrap_or(false) {
        Verdict::RightButOld
    } else {
        Verdict::Wrong
    }
}

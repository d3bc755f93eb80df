//! Which commands on an account become events. Passwords never come here, only their hashes: strength and hashing are
//! the account service's.

use super::events;
use super::fold::{RefreshFamily, UserState};
use crate::event::EventDraft;
use crate::policy::Role;
use crate::refusal::Refusal;

/// Fewest characters of a username.
pub const USERNAME_CHARS_MIN: usize = 3;
/// Most characters of a username.
pub const USERNAME_CHARS_MAX: usize = 50;
/// Most bytes of an e-mail address, as in RFC 5321 §4.5.3.1.3 less its angle brackets.
pub const EMAIL_BYTES_MAX: usize = 254;

/// What an account can be asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UserCommand {
    /// Come into being.
    Register {
        /// 3 to 50 characters, no control characters, no blanks at the ends, no `@`.
        username: String,
        /// One `@` with something on both sides, at most 254 bytes.
        email: String,
        /// What the account may do; who may grant it is the caller's check ([`Role::may_grant`]).
        role: Role,
        /// The password's hash.
        password_hash: String,
    },
    /// Another password, or the same under a better hash. Ends all refresh families when `ends_sessions`.
    ChangePassword {
        /// The new hash.
        password_hash: String,
        /// Whether the person changed it (sessions end) or the server re-hashed it at login (they go on).
        ends_sessions: bool,
    },
    /// Another role.
    ChangeRole {
        /// The role of the account that asks.
        by: Role,
        /// The new role.
        role: Role,
    },
    /// Close the account and end its sessions.
    Deactivate {
        /// Why, for the trail.
        reason: String,
    },
    /// Open it again.
    Reactivate,
}

/// The key under which a username or an e-mail address is unique: without regard to case.
pub fn key(name: &str) -> String {
    name.to_lowercase()
}

/// The events that `command` causes on an account, none if it asks for what is already so.
///
/// # Errors
/// `Invalid` for a field out of its limits, `Conflict` for a second registration, `Missing` for an account that does
/// not exist, `Forbidden` for a role that the asking account may not grant or take.
pub fn decide(
    state: Option<&UserState>,
    command: &UserCommand,
) -> Result<Vec<EventDraft>, Refusal> {
    if let UserCommand::Register {
        username,
        email,
        role,
        password_hash,
    } = command
    {
        if state.is_some() {
            return Err(Refusal::conflict(
                "username",
                "already_registered",
                "Username already registered",
            ));
        }
        check_username(username)?;
        check_email(email)?;
        return Ok(vec![events::registered(
            username,
            email,
            *role,
            password_hash,
        )]);
    }
    let user = state.ok_or_else(|| Refusal::missing("user_not_found", "User not found"))?;
    match command {
        UserCommand::Register { .. } => Ok(Vec::new()),
        UserCommand::ChangePassword {
            password_hash,
            ends_sessions,
        } => {
            let mut drafts = vec![events::password_changed(password_hash)];
            if *ends_sessions {
                drafts.extend(
                    user.families
                        .keys()
                        .map(|family| events::refresh_revoked(family, "password_changed")),
                );
            }
            Ok(drafts)
        }
        UserCommand::ChangeRole { by, role } => change_role(user, *by, *role),
        UserCommand::Deactivate { reason } if user.is_active => {
            Ok(vec![events::deactivated(reason)])
        }
        UserCommand::Reactivate if !user.is_active => Ok(vec![events::reactivated()]),
        UserCommand::Deactivate { .. } | UserCommand::Reactivate => Ok(Vec::new()),
    }
}

fn change_role(user: &UserState, by: Role, role: Role) -> Result<Vec<EventDraft>, Refusal> {
    if !by.may_grant(role) || !by.may_grant(user.role) {
        return Err(Refusal::forbidden(
            "role",
            "role_not_grantable",
            format!("{by} may not change this role"),
        ));
    }
    if user.role == role {
        return Ok(Vec::new());
    }
    Ok(vec![events::role_changed(user.role, role)])
}

/// Why a refresh token was not exchanged.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum RefreshRefusal {
    /// The account is closed.
    #[error("the account is inactive")]
    Inactive,
    /// No such family, or it has ended.
    #[error("the refresh token is unknown or was revoked")]
    Unknown,
    /// Past its time.
    #[error("the refresh token has expired")]
    Expired,
    /// The token was exchanged before: somebody holds a copy. The event ends the whole family; append it.
    #[error("the refresh token was used twice")]
    Reused {
        /// The revocation to append.
        revoke: Box<EventDraft>,
    },
}

/// The event that exchanges the refresh token `token_id` of `family` for `new_token_id`; none when it was exchanged
/// within `grace` and its successor was not: the answer may have been lost, and is that successor once more.
///
/// Rotation with reuse detection as in RFC 9700 §4.14.2. `now` and `new_expires_at` are microseconds since 1970 UTC,
/// `grace` is microseconds. Who shows a copy within the grace gets no chain of their own: both hold one successor, and
/// the second of them to show it after its own grace is found out.
///
/// # Errors
/// See [`RefreshRefusal`]; `Reused` carries an event to append.
pub fn decide_refresh(
    user: &UserState,
    family: &str,
    token_id: &str,
    new_token_id: &str,
    now: i64,
    new_expires_at: i64,
    grace: i64,
) -> Result<Option<EventDraft>, RefreshRefusal> {
    if !user.is_active {
        return Err(RefreshRefusal::Inactive);
    }
    let Some(open) = user.families.get(family) else {
        return Err(RefreshRefusal::Unknown);
    };
    let is_newest = open.token_id == token_id;
    if !is_newest && !was_just_replaced(open, token_id, new_expires_at, grace) {
        return Err(RefreshRefusal::Reused {
            revoke: Box::new(events::refresh_revoked(family, "reuse")),
        });
    }
    if open.expires_at <= now {
        return Err(RefreshRefusal::Expired);
    }
    let rotated = || events::refresh_rotated(family, token_id, new_token_id, new_expires_at);
    Ok(is_newest.then(rotated))
}

/// Whether the family's newest token took this one's place within `grace`, which their ends tell: both are a lifetime behind
/// the clock that made them. The log's times will not do, for they rise also where the clock is put back. On either side:
/// of two requests at once the later one can have read the clock first.
fn was_just_replaced(
    open: &RefreshFamily,
    token_id: &str,
    new_expires_at: i64,
    grace: i64,
) -> bool {
    grace > 0
        && open.replaced.as_deref() == Some(token_id)
        && new_expires_at.abs_diff(open.expires_at) <= grace.unsigned_abs()
}

fn check_username(username: &str) -> Result<(), Refusal> {
    let length = username.chars().count();
    if !(USERNAME_CHARS_MIN..=USERNAME_CHARS_MAX).contains(&length) {
        return Err(Refusal::invalid(
            "username",
            "username_length",
            format!(
                "username has {length} characters, {USERNAME_CHARS_MIN} to {USERNAME_CHARS_MAX} are allowed"
            ),
        ));
    }
    // An `@` would let a username stand for somebody else's address at login, which takes either.
    if username.contains('@')
        || username.chars().any(char::is_control)
        || username.trim() != username
    {
        return Err(Refusal::invalid(
            "username",
            "username_characters",
            "username may hold no '@', no control characters and no blanks at its ends",
        ));
    }
    Ok(())
}

fn check_email(email: &str) -> Result<(), Refusal> {
    let parts = email.split_once('@');
    let plausible = parts.is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.is_empty() && !domain.contains('@') && !domain.starts_with('.')
    });
    let printable = !email
        .chars()
        .any(|character| character.is_control() || character.is_whitespace());
    if plausible && printable && email.len() <= EMAIL_BYTES_MAX {
        return Ok(());
    }
    Err(Refusal::invalid(
        "email",
        "email_format",
        "email is not a valid e-mail address",
    ))
}

//! An account folded from its events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::events;
use crate::event::EventView;
use crate::policy::Role;

/// An account as of its last folded event. Times are microseconds since 1970 UTC.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserState {
    /// The name to log in with, as it was given.
    pub username: String,
    /// The address to log in with, as it was given.
    pub email: String,
    /// What the account may do.
    pub role: Role,
    /// The password's hash in PHC or `$2b$` form; never leaves the account service.
    pub password_hash: String,
    /// Whether it may log in.
    pub is_active: bool,
    /// When it was registered.
    pub created_at: i64,
    /// When it last changed; logins are no change.
    pub updated_at: i64,
    /// When it last logged in.
    pub last_login: Option<i64>,
    /// Logins refused since the last one that succeeded, or since the password is another.
    pub refused_logins: u32,
    /// When a login was last refused.
    pub last_refused_at: Option<i64>,
    /// Open families of refresh tokens by family id. Those expired by the time of a later issue are dropped, so the
    /// map holds at most what one refresh period opens.
    pub families: BTreeMap<String, RefreshFamily>,
    /// The version of the last folded event: what the next write expects.
    pub version: u32,
}

/// The hash stays out of logs, whoever prints an account.
impl std::fmt::Debug for UserState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("UserState")
            .field("username", &self.username)
            .field("role", &self.role)
            .field("is_active", &self.is_active)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// A chain of refresh tokens, each exchanged for the next: only the last one is good.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RefreshFamily {
    /// The id of the token that may be exchanged.
    pub token_id: String,
    /// When that token ends, microseconds since 1970 UTC.
    pub expires_at: i64,
    /// The id of the token that it took the place of; none before the first exchange.
    pub replaced: Option<String>,
}

/// The account after `event`. `None` before its registration; later registrations change nothing.
///
/// A payload that lacks what it must have changes nothing either: what the log holds is folded, never refused.
pub fn fold(state: Option<UserState>, event: &EventView<'_>) -> Option<UserState> {
    let Some(mut user) = state else {
        return match event.canonical_type() {
            events::USER_REGISTERED => registered(event),
            _ => None,
        };
    };
    user.version = event.version;
    let changed = match event.canonical_type() {
        events::USER_UPDATED => {
            let renamed = set(&mut user.username, text(event.data, "username"));
            set(&mut user.email, text(event.data, "email")) || renamed
        }
        events::USER_PASSWORD_CHANGED => {
            user.refused_logins = 0;
            set(&mut user.password_hash, text(event.data, "password_hash"))
        }
        events::USER_ROLE_CHANGED => set(&mut user.role, role(event.data, "new_role")),
        events::USER_DEACTIVATED => {
            user.families.clear();
            set(&mut user.is_active, Some(false))
        }
        events::USER_REACTIVATED => set(&mut user.is_active, Some(true)),
        _ => {
            fold_session(&mut user, event);
            false
        }
    };
    if changed {
        user.updated_at = event.occurred_at;
    }
    Some(user)
}

/// Logins and refresh tokens: what comes and goes without changing the account itself.
fn fold_session(user: &mut UserState, event: &EventView<'_>) {
    let data = event.data;
    match event.canonical_type() {
        events::USER_LOGGED_IN => {
            user.last_login = Some(event.occurred_at);
            user.refused_logins = 0;
        }
        events::USER_LOGIN_REFUSED => {
            user.refused_logins = user.refused_logins.saturating_add(1);
            user.last_refused_at = Some(event.occurred_at);
        }
        events::REFRESH_TOKEN_ISSUED => {
            user.families
                .retain(|_, family| family.expires_at > event.occurred_at);
            open_family(user, data, "token_id", None);
        }
        events::REFRESH_TOKEN_ROTATED => {
            open_family(user, data, "new_token_id", text(data, "old_token_id"));
        }
        events::REFRESH_TOKEN_REVOKED => {
            if let Some(family) = text(data, "family") {
                user.families.remove(&family);
            }
        }
        _ => {}
    }
}

fn open_family(
    user: &mut UserState,
    data: &Map<String, Value>,
    token_field: &str,
    replaced: Option<String>,
) {
    let expires_at = data.get("expires_at").and_then(Value::as_i64);
    if let (Some(family), Some(token_id), Some(expires_at)) =
        (text(data, "family"), text(data, token_field), expires_at)
    {
        user.families.insert(
            family,
            RefreshFamily {
                token_id,
                expires_at,
                replaced,
            },
        );
    }
}

fn registered(event: &EventView<'_>) -> Option<UserState> {
    Some(UserState {
        username: text(event.data, "username")?,
        email: text(event.data, "email")?,
        role: role(event.data, "role").unwrap_or_default(),
        password_hash: text(event.data, "password_hash").unwrap_or_default(),
        is_active: true,
        created_at: event.occurred_at,
        updated_at: event.occurred_at,
        last_login: None,
        refused_logins: 0,
        last_refused_at: None,
        families: BTreeMap::new(),
        version: event.version,
    })
}

fn text(data: &Map<String, Value>, field: &str) -> Option<String> {
    data.get(field).and_then(Value::as_str).map(str::to_owned)
}

fn role(data: &Map<String, Value>, field: &str) -> Option<Role> {
    data.get(field)
        .and_then(Value::as_str)
        .and_then(|name| name.parse().ok())
}

/// Stores `value` if there is one; says whether there was.
fn set<T>(place: &mut T, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            *place = value;
            true
        }
        None => false,
    }
}

//! The events of an account: names and constructors. Times inside payloads are microseconds since 1970 UTC, like
//! everywhere below the edge.

use serde_json::json;

use crate::event::EventDraft;
use crate::policy::Role;

/// `{username, email, role, password_hash}`: the account exists from here on.
pub const USER_REGISTERED: &str = "UserRegistered";
/// `{username?, email?}`: other names to log in with, as the old database says them now; the row's own times with them.
pub const USER_UPDATED: &str = "UserUpdated";
/// `{password_hash}`: a new password, or an old one hashed anew.
pub const USER_PASSWORD_CHANGED: &str = "UserPasswordChanged";
/// `{old_role, new_role}`.
pub const USER_ROLE_CHANGED: &str = "UserRoleChanged";
/// `{reason?}`: the account may not log in, its tokens end.
pub const USER_DEACTIVATED: &str = "UserDeactivated";
/// `{}`: the account may log in again.
pub const USER_REACTIVATED: &str = "UserReactivated";
/// `{ip_address?}`: the right password was given.
pub const USER_LOGGED_IN: &str = "UserLoggedIn";
/// `{reason, ip_address?}`: a login was refused.
pub const USER_LOGIN_REFUSED: &str = "UserLoginRefused";
/// `{family, token_id, expires_at}`: a login opened a family of refresh tokens.
pub const REFRESH_TOKEN_ISSUED: &str = "RefreshTokenIssued";
/// `{family, old_token_id, new_token_id, expires_at}`: a refresh token was exchanged for its successor.
pub const REFRESH_TOKEN_ROTATED: &str = "RefreshTokenRotated";
/// `{family, reason}`: a family of refresh tokens ended before its time.
pub const REFRESH_TOKEN_REVOKED: &str = "RefreshTokenRevoked";

/// The account comes into being.
pub fn registered(username: &str, email: &str, role: Role, password_hash: &str) -> EventDraft {
    EventDraft::new(
        USER_REGISTERED,
        json!({ "username": username, "email": email, "role": role.name(), "password_hash": password_hash }),
    )
}

/// Another password, or the same one under a better hash.
pub fn password_changed(password_hash: &str) -> EventDraft {
    EventDraft::new(
        USER_PASSWORD_CHANGED,
        json!({ "password_hash": password_hash }),
    )
}

/// Another role.
pub fn role_changed(old_role: Role, new_role: Role) -> EventDraft {
    EventDraft::new(
        USER_ROLE_CHANGED,
        json!({ "old_role": old_role.name(), "new_role": new_role.name() }),
    )
}

/// The account is closed.
pub fn deactivated(reason: &str) -> EventDraft {
    EventDraft::new(USER_DEACTIVATED, json!({ "reason": reason }))
}

/// The account is open again.
pub fn reactivated() -> EventDraft {
    EventDraft::new(USER_REACTIVATED, json!({}))
}

/// A login succeeded, from this address.
pub fn logged_in(ip_address: &str) -> EventDraft {
    EventDraft::new(USER_LOGGED_IN, json!({ "ip_address": ip_address }))
}

/// A login from this address was refused; `reason` is a stable word, `wrong_password` or `inactive`.
pub fn login_refused(reason: &str, ip_address: &str) -> EventDraft {
    let data = json!({ "reason": reason, "ip_address": ip_address });
    EventDraft::new(USER_LOGIN_REFUSED, data)
}

/// The first refresh token of a family. `expires_at` in microseconds.
pub fn refresh_issued(family: &str, token_id: &str, expires_at: i64) -> EventDraft {
    EventDraft::new(
        REFRESH_TOKEN_ISSUED,
        json!({ "family": family, "token_id": token_id, "expires_at": expires_at }),
    )
}

/// A refresh token took its predecessor's place. `expires_at` in microseconds.
pub fn refresh_rotated(
    family: &str,
    old_token_id: &str,
    new_token_id: &str,
    expires_at: i64,
) -> EventDraft {
    EventDraft::new(
        REFRESH_TOKEN_ROTATED,
        json!({
            "family": family,
            "old_token_id": old_token_id,
            "new_token_id": new_token_id,
            "expires_at": expires_at,
        }),
    )
}

/// A family of refresh tokens ends; `reason` is a stable word: `logout`, `reuse`, `password_changed`, `by_admin`.
pub fn refresh_revoked(family: &str, reason: &str) -> EventDraft {
    EventDraft::new(
        REFRESH_TOKEN_REVOKED,
        json!({ "family": family, "reason": reason }),
    )
}

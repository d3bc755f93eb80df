//! Which commands on a device become events.

use serde_json::{Map, Value, json};

use super::event;
use super::schema::SCHEMA;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::policy::Role;
use crate::refusal::Refusal;
use crate::schema::draft::members;
use crate::schema::{Field, FieldError, Kind, body};

/// A command on a device.
#[derive(Clone, PartialEq, Debug)]
pub enum DeviceCommand {
    /// Be known, with these fields as [`registration`] gave them; also when it was known before, or deactivated.
    Register(Map<String, Value>),
    /// Be offline, or back.
    SetOffline(bool),
    /// Have pushed, pulled, or both.
    Sync {
        /// Whether it pushed.
        pushed: bool,
        /// Whether it pulled.
        pulled: bool,
    },
    /// Have a token.
    IssueToken(TokenGrant),
    /// Sync no more.
    Deactivate {
        /// Why, for the trail.
        reason: Option<String>,
    },
}

/// What a device's token lets it do, and until when.
#[derive(Clone, PartialEq, Debug)]
pub struct TokenGrant {
    /// SHA-256 of the token, 64 hexadecimal digits. The token itself is nowhere.
    pub token_hash: String,
    /// For whom the device acts.
    pub user_id: String,
    /// The most that it may do, whatever its user may.
    pub role: Role,
    /// What it is shown.
    pub scope: Value,
    /// When it ends, RFC 3339.
    pub expires_at: String,
    /// Whether the device goes on with the store it has.
    pub renews: bool,
}

/// Checks the body of a request that registers a device.
///
/// # Errors
/// All faults; never an empty list.
pub fn registration(body: &Map<String, Value>) -> Result<Map<String, Value>, Vec<FieldError>> {
    let mut fields = body::parse(REGISTRATION, body)?;
    fields.retain(|_, value| !value.is_null());
    fields.entry("capabilities").or_insert(json!({}));
    Ok(fields)
}

const REGISTRATION: &[Field] = &[
    // The stream's id; the body names it as well.
    Field::required("device_id", Kind::Key { chars_max: 255 }).setting_nothing(),
    Field::required("device_name", Kind::name(255)),
    Field::required("device_type", Kind::name(50)),
    Field::optional("platform", Kind::text(50)),
    Field::optional("app_version", Kind::text(50)),
    Field::optional("capabilities", Kind::Object),
];

/// The events that `command` causes on a device, none if it asks for what is already so.
///
/// # Errors
/// `Missing` for a device that is not known, `Conflict` for a sync or a token of one that may not.
pub fn decide(
    state: &Folded,
    command: &DeviceCommand,
    asked: Asked<'_>,
) -> Result<Vec<EventDraft>, Refusal> {
    let drafts = match command {
        DeviceCommand::Register(fields) => register(state, fields, asked),
        _ if !state.exists() => {
            return Err(Refusal::missing("device_not_found", "Device not found"));
        }
        DeviceCommand::SetOffline(is_offline) => {
            let data = state.differing(members(json!({ "is_offline": is_offline })));
            if data.is_empty() {
                return Ok(Vec::new());
            }
            vec![SCHEMA.draft(event::DEVICE_STATUS_CHANGED, data)]
        }
        DeviceCommand::Sync { pushed, pulled } => {
            if !is_active(state) {
                return Err(inactive());
            }
            let now = asked.time();
            let mut data = members(json!({ "last_sync_at": now }));
            if *pushed {
                data.insert("last_push_at".to_owned(), now.as_str().into());
            }
            if *pulled {
                data.insert("last_pull_at".to_owned(), now.as_str().into());
            }
            vec![SCHEMA.draft(event::DEVICE_SYNCED, data)]
        }
        DeviceCommand::IssueToken(_) if !is_active(state) => return Err(inactive()),
        DeviceCommand::IssueToken(grant) => {
            let data = members(json!({
                "token_hash": grant.token_hash,
                "user_id": grant.user_id,
                "role": grant.role.name(),
                "scope": grant.scope,
                "token_expires_at": grant.expires_at,
                "renews": grant.renews,
            }));
            vec![SCHEMA.draft(event::DEVICE_TOKEN_ISSUED, data)]
        }
        DeviceCommand::Deactivate { .. } if !is_active(state) => Vec::new(),
        DeviceCommand::Deactivate { reason } => {
            let data = members(json!({ "reason": reason }));
            vec![SCHEMA.draft(event::DEVICE_DEACTIVATED, data)]
        }
    };
    SCHEMA.admit(drafts)
}

fn inactive() -> Refusal {
    let message = "This device was deactivated; register it again";
    Refusal::conflict("device_id", "device_inactive", message)
}

/// Whether it may sync.
pub fn is_active(state: &Folded) -> bool {
    state.get("is_active") == Some(Value::Bool(true))
}

/// A device that comes back under the same description changes nothing.
fn register(state: &Folded, fields: &Map<String, Value>, asked: Asked<'_>) -> Vec<EventDraft> {
    let known = state.exists() && is_active(state);
    if known && state.differing(fields.clone()).is_empty() {
        return Vec::new();
    }
    let mut data = fields.clone();
    data.insert("user_id".to_owned(), asked.by.into());
    if !known {
        data.insert("is_offline".to_owned(), false.into());
    }
    vec![SCHEMA.draft(event::DEVICE_REGISTERED, data)]
}

//! Sync: what tablets and those who look after them ask for. `docs/CRDT_SYNC.md` is the guide.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use utoipa_axum::router::OpenApiRouter;

use super::problem::{Kind, Problem};
use crate::app::AppState;
use crate::auth::Caller;
use crate::field_error::FieldError;
use crate::sync::contact;
use crate::sync::devices::{DeviceCaller, TokenRefusal};

mod bodies;
mod conflicts;
mod devices;
mod docs;
mod exchange;
mod leases;
mod phase2;
mod states;
mod status;

pub(super) use devices::{device_as_the_old, offline, register};
pub(super) use exchange::{bidirectional, json_page, push_any_shape as push};
pub(super) use status::list_sessions;

/// The routes of sync.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(devices::routes())
        .merge(exchange::routes())
        .merge(status::routes())
        .merge(conflicts::routes())
        .merge(leases::routes())
}

/// Who asks: a device by its token, or a person.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    caller: Caller,
    device: Option<DeviceCaller>,
}

impl<S: Send + std::marker::Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Ok(Asker {
            caller: Caller::from_request_parts(parts, state).await?,
            device: parts.extensions.get::<DeviceCaller>().cloned(),
        })
    }
}

impl Asker {
    /// The device that is to be given another token: by its own, or by its user, also after it has ended.
    ///
    /// # Errors
    /// As [`Asker::device`].
    pub(super) fn device_to_renew(
        &self,
        state: &AppState,
        named: &str,
    ) -> Result<DeviceCaller, Problem> {
        if self.device.is_some() {
            return self.device(state, Some(named));
        }
        if let Ok(device) = state.sync.devices.to_renew(named, &self.caller) {
            return Ok(device);
        }
        of_person(state, named, &self.caller)
    }

    /// The device that asks: by its own token, or one that its user names.
    ///
    /// # Errors
    /// 403 for another's device, 404 for one that is not registered, 422 when a person names none.
    pub(super) fn device(
        &self,
        state: &AppState,
        named: Option<&str>,
    ) -> Result<DeviceCaller, Problem> {
        match (&self.device, named) {
            (Some(device), None) => Ok(device.clone()),
            (Some(device), Some(named)) if *device.device.id == *named => Ok(device.clone()),
            (Some(device), Some(named)) => {
                contact::refused(state, &device.device.id, "wrong_device", named);
                let detail = format!(
                    "the token is of device {}, not of this one",
                    device.device.id
                );
                Err(Problem::new(Kind::Forbidden, detail).with("code", "wrong_device"))
            }
            (None, Some(named)) => of_person(state, named, &self.caller),
            (None, None) => Err(Problem::invalid(vec![FieldError::body(
                "device_id",
                "missing",
                "is required, unless a device asks by its own token",
            )])),
        }
    }
}

fn of_person(state: &AppState, named: &str, caller: &Caller) -> Result<DeviceCaller, Problem> {
    let devices = &state.sync.devices;
    if devices.get(named).is_none() {
        return Err(unknown_device(named));
    }
    devices.of_user(named, caller).map_err(|refusal| {
        let detail = match refusal {
            TokenRefusal::Unknown => "this device is not registered by the account".to_owned(),
            refusal => refusal.to_string(),
        };
        Problem::new(Kind::Forbidden, detail).with("code", refusal.code())
    })
}

pub(super) fn unknown_device(id: &str) -> Problem {
    Problem::not_found(format!("Device {id} not found"))
}

/// Refuses while sync is switched off.
///
/// # Errors
/// `unavailable`.
pub(super) fn require_enabled(state: &AppState) -> Result<(), Problem> {
    if state.config.sync.enabled {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Unavailable,
        "sync is switched off (sync.enabled)",
    ))
}

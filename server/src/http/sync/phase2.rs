//! What clients of Phase 2 do not know: devices that register, and that the part they claim must be theirs.
//!
//! Such a client comes with a person's token and names a device, or none. The device is registered by its first call. Each
//! of its events claims a part (`source_role`); the old system believed it. Here the person's role must play that part
//! ([`Role::editor`]), and the event is judged as that part alone.

use std::sync::Arc;

use fleet::policy::{Editor, Role};
use serde_json::Value;

use super::Asker;
use super::bodies::{self, Shape};
use super::devices::enlist;
use super::exchange::Answered;
use crate::app::AppState;
use crate::http::problem::{Kind, Problem};
use crate::sync::contact;
use crate::sync::devices::{DeviceCaller, TokenRefusal};
use crate::sync::pull::read_cursor;
use crate::sync::push::{self, ItemResult, Pushed, Source};

/// Why an event is refused whose part its sender does not play.
const PART_NOT_PLAYED: &str = "part_not_played";

/// What cursors of the old system began with. They say nothing, so their reader begins at the start.
const OLD_CURSOR: &str = "log-";

/// The device that asks; a person's is registered where it is not known yet, and may be left out.
///
/// # Errors
/// 403 for another's device and for one that was revoked; those of a write.
pub(super) async fn device(
    state: &AppState,
    asker: &Asker,
    named: Option<&str>,
) -> Result<DeviceCaller, Problem> {
    if asker.device.is_some() {
        return asker.device(state, named);
    }
    let caller = &asker.caller;
    let named = named.map_or_else(|| format!("user-{}", caller.id_text()), str::to_owned);
    let devices = &state.sync.devices;
    let renews = match devices.of_user(&named, caller) {
        Ok(device) => return Ok(device),
        // Nobody has the token that such a device was given, so nobody can renew it but the server.
        Err(TokenRefusal::Expired) => true,
        Err(_) if devices.get(&named).is_some() => return asker.device(state, Some(&named)),
        Err(_) => false,
    };
    enlist(state, caller, &named, renews).await?;
    asker.device(state, Some(&named))
}

/// The cursor as ours; one of the old system is none.
pub(super) fn cursor(text: Option<&str>) -> Option<&str> {
    let is_old = |text: &str| {
        let digits = text.strip_prefix(OLD_CURSOR)?;
        let digits = digits.strip_prefix("idx-").unwrap_or(digits);
        Some(digits.bytes().all(|digit| digit.is_ascii_digit()))
    };
    text.filter(|text| is_old(text) != Some(true))
}

/// The cursor of an answer to a push that brought none, as the old system made it.
pub(super) fn old_cursor(applied: usize) -> Value {
    format!("{OLD_CURSOR}idx-{applied}").into()
}

/// Pushes events, each as the part that it claims.
///
/// # Errors
/// 400 where a person names no device; those of a push.
pub(super) async fn push_events(
    state: &AppState,
    asker: &Asker,
    mut body: bodies::Body,
    correlation: &str,
) -> Result<Answered, Problem> {
    debug_assert_eq!(body.shape, Shape::Events);
    if asker.device.is_none() && body.device_id.is_none() {
        let detail = "device_id must not be empty: send it, or the header X-Device-Id";
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    let device = device(state, asker, body.device_id.as_deref()).await?;
    let cursor = read_cursor(state, &device, self::cursor(body.cursor.as_deref()))?;
    let items = std::mem::take(&mut body.items);
    let claims = std::mem::take(&mut body.claims);
    let mut all = Pushed::default();
    let mut rest = items.into_iter().zip(claims).peekable();
    while let Some((item, claim)) = rest.next() {
        let mut run = vec![item];
        while let Some((item, _)) = rest.next_if(|(_, next)| *next == claim) {
            run.push(item);
        }
        let Some(player) = playing(&device, &claim) else {
            contact::refused(state, &device.device.id, "part_not_played", &claim);
            let detail = format!("{} does not play the part {claim}", device.role());
            push::keep_unjudged(state, &device, &run, (PART_NOT_PLAYED, &claim), &detail).await?;
            all.results.extend(run.into_iter().map(|item| ItemResult {
                id: item.id,
                status: "rejected",
                reason: Some(PART_NOT_PLAYED.to_owned()),
                detail: Some(detail.clone()),
                position: None,
                state: Value::Null,
            }));
            continue;
        };
        let source = Source::Items(Arc::new(run));
        let pushed = push::push(state, &player, source, cursor.complete, correlation).await?;
        all.results.extend(pushed.results);
        all.operations += pushed.operations;
        all.conflicts += pushed.conflicts;
    }
    Ok(Answered {
        device,
        body,
        pushed: all,
        cursor,
    })
}

/// The device in the part that is claimed; `None` where its role does not play it.
fn playing(device: &DeviceCaller, claim: &str) -> Option<DeviceCaller> {
    let part = Editor::named(claim)?;
    let role = device.role();
    if !role.editor().contains(&part) {
        return None;
    }
    Some(device.limited_to(role.min(most_of(part))))
}

/// The highest role that plays this part and none that would say more.
fn most_of(part: Editor) -> Role {
    match part {
        Editor::Workshop => Role::WorkshopManager,
        Editor::Dispatcher => Role::Dispatcher,
        Editor::FleetManager => Role::FleetManager,
    }
}

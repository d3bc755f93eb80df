//! Leases of tablets that do not come back: after a grace the parts return to where they were given from.
//!
//! What such a tablet reports as used after that is a fact all the same: it is taken from where nobody knows, and the
//! discrepancy is told for somebody to count.

use fleet::command::Asked;
use fleet::stock_move::{Levels, MoveType, Standing, StockMove, decide};
use fleet::{part, stock_location, stock_move};
use serde_json::{Map, Value as Json};
use storage::{AppendError, Timestamp};

use super::devices::Device;
use super::{lease_code, upkeep};
use crate::app::AppState;
use crate::command::Decision;
use crate::envelope::{USER_PREFIX, tag};
use crate::http::problem::Problem;
use crate::projection::{Ask, Entry};

/// Parts that are looked through for a device's leases, and moves for where one was given from.
const LOOKED_THROUGH_MAX: usize = 10_000;

/// A lease that went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// From which device.
    pub device_id: String,
    /// Which part.
    pub part_no: String,
    /// How many.
    pub quantity: i64,
    /// Where it was given from; `None` where no place is known, so that it stays with the device for somebody to look at.
    pub location_id: Option<String>,
}

/// Returns what is leased to devices that have been gone for longer than the grace. Blocks.
///
/// # Errors
/// When the log cannot be read or written.
pub fn return_overdue(state: &AppState, by: &str) -> Result<Vec<Returned>, Problem> {
    let now = state.clock.now();
    let grace = i64::try_from(state.config.sync.lease_grace.as_micros()).unwrap_or(i64::MAX);
    let mut returned = Vec::new();
    for device in state.sync.devices.all() {
        let Some(place) = place_of(state, &device.id) else {
            continue;
        };
        let gone = gone_since(state, &device)?;
        if gone.is_none_or(|gone| now.micros().saturating_sub(gone.micros()) < grace) {
            continue;
        }
        for part in parts_at(state, &place) {
            returned.extend(return_one(state, &device, &place, &part, by)?);
        }
    }
    Ok(returned)
}

/// The place of a device's leases, if it ever had one.
fn place_of(state: &AppState, device_id: &str) -> Option<String> {
    let code = lease_code(device_id);
    let catalog = state.projections.catalog();
    let place = catalog.find(stock_location::AGGREGATE_TYPE, &code).value?;
    Some(place.uuid().to_string())
}

/// Since when a device counts no more; `None` where it does. When it was revoked, its token ended, or it had been silent
/// for too long.
fn gone_since(state: &AppState, device: &Device) -> Result<Option<Timestamp>, Problem> {
    let now = state.clock.now();
    let silent = i64::try_from(state.config.sync.offline_max.as_micros()).unwrap_or(i64::MAX);
    let standing = {
        let fold = state.sync.engine.current()?;
        upkeep::standing(state, &fold, device)
    };
    let heard = standing.last_sync().max(device.began);
    let ends = [
        device.revoked_at,
        device.grant.as_ref().map(|grant| grant.expires_at),
        heard.map(|heard| heard.plus_micros(silent)),
    ];
    let gone = ends.into_iter().flatten().filter(|end| *end <= now).min();
    Ok(gone)
}

fn parts_at(state: &AppState, place: &str) -> Vec<Entry> {
    let ask = Ask {
        aggregate_type: part::AGGREGATE_TYPE,
        limit: LOOKED_THROUGH_MAX,
        ..Ask::default()
    };
    let page = state.projections.catalog().page(&ask);
    let mut entries = page.map_or_else(|_| Vec::new(), |page| page.value.entries);
    entries.retain(|entry| Levels::of(&entry.folded).at(Some(place)) > 0);
    entries
}

/// Where the part was last given to the device from.
fn given_from(state: &AppState, place: &str, part_no: &str) -> Option<String> {
    let ask = Ask {
        aggregate_type: stock_move::AGGREGATE_TYPE,
        filters: vec![
            ("part_no", part_no.to_owned()),
            ("move_type", MoveType::Transfer.name().to_owned()),
        ],
        limit: LOOKED_THROUGH_MAX,
        ..Ask::default()
    };
    let page = state.projections.catalog().page(&ask).ok()?;
    let mut moves = page.value.entries.iter();
    let lease = moves.find(|entry| entry.folded.text("to_location_id") == Some(place))?;
    lease.folded.text("from_location_id").map(str::to_owned)
}

fn return_one(
    state: &AppState,
    device: &Device,
    place: &str,
    part: &Entry,
    by: &str,
) -> Result<Option<Returned>, Problem> {
    let mut tx = Decision::of_many(state);
    let held = tx.load(part::AGGREGATE_TYPE, &part.aggregate_id)?;
    let levels = Levels::of(&held);
    let quantity = levels.at(Some(place));
    if quantity <= 0 {
        return Ok(None);
    }
    // What was given before the part got another number says the one that it began with.
    let home = given_from(state, place, part.key())
        .or_else(|| given_from(state, place, &part.aggregate_id));
    let returned = Returned {
        device_id: device.id.to_string(),
        part_no: part.key().to_owned(),
        quantity,
        location_id: home.clone(),
    };
    if home.is_none() {
        return Ok(Some(returned));
    }
    let mut details = Map::new();
    let note = format!("Returned for {}, which did not come back", device.id);
    details.insert("notes".to_owned(), Json::String(note));
    let wanted = StockMove {
        part_no: part.key().to_owned(),
        move_type: MoveType::Transfer,
        quantity,
        from_location_id: Some(place.to_owned()),
        to_location_id: home,
        details,
    };
    let id = tx.new_id();
    tx.load(stock_move::AGGREGATE_TYPE, &id)?;
    let now = tx.now().micros();
    let moved = decide(levels, &id, &wanted, Standing::Requested, Asked { now, by })?;
    tx.append(stock_move::AGGREGATE_TYPE, &id, moved.of_move)?;
    tx.append(part::AGGREGATE_TYPE, &part.aggregate_id, moved.of_part)?;
    tx.sign_all(|event| event.tags.push(tag(USER_PREFIX, by)));
    match state.log.append(tx.into_transaction().unwrap_or_default()) {
        Ok(_) => Ok(Some(returned)),
        // Somebody moved the part meanwhile: the next round finds what is left.
        Err(AppendError::WrongVersion { .. } | AppendError::ConditionFailed { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

//! What tablets report of parts: a part that was fitted and a move that was made are facts. They change the stock whatever
//! it says, and where it cannot be, a discrepancy is told for somebody to count.

use crdt::collapsed::{After, CollapsedEntity, CollapsedField, CollapsedRegister};
use crdt::{Change, EntityTable, FieldRow, Value};
use fleet::command::Asked;
use fleet::stock_move::{Levels, MoveType, Standing, StockMove, decide};
use fleet::work_order::schema::USED_PARTS;
use fleet::{part, stock_location, stock_move, work_order};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::visible::text;
use crate::app::AppState;
use crate::command::Decision;
use crate::http::problem::Problem;

/// Why this part of a fact stands and cannot be changed any more; `None` where it can.
pub(super) fn settled(
    state: &AppState,
    entity: &CollapsedEntity,
    id: &str,
    row: &FieldRow,
    change: &Change,
) -> Option<String> {
    match (entity.table().name, change) {
        (stock_move::AGGREGATE_TYPE, _) => {
            let known = state.projections.catalog();
            let known = known.find(stock_move::AGGREGATE_TYPE, id).value.is_some();
            known.then(|| "the move was made; what is wrong about it is another move".to_owned())
        }
        (work_order::AGGREGATE_TYPE, Change::Put { key, field, .. }) if row.name == USED_PARTS => {
            let item = item_of(entity, key)?;
            let moved = text_of(item.field(STOCK_MOVE_ID)).is_some();
            (moved && [PART_NO, QUANTITY].contains(field))
                .then(|| "the part was taken from the stock; report another one".to_owned())
        }
        _ => None,
    }
}

/// What the ids of moves for used parts are made from.
const USES: Uuid = Uuid::from_u128(0x3f0e_9a52_7cd1_4b8e_a6f4_1d28_5b90_c3e7);
/// Numbers of the fields of a used part, as its table has them.
const PART_NO: u16 = 1;
const QUANTITY: u16 = 2;
const FROM: u16 = 3;
const STOCK_MOVE_ID: u16 = 7;

fn item_of<'a>(
    entity: &'a CollapsedEntity,
    key: &Value,
) -> Option<&'a crdt::collapsed::CollapsedItem> {
    let row = entity.table().field_named(USED_PARTS)?;
    match entity.field(row.number)? {
        CollapsedField::Map(map) => map.get(key),
        _ => None,
    }
}

fn text_of(register: Option<&CollapsedRegister>) -> Option<&str> {
    match &register?.winner()?.value {
        Value::Text(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn whole_of(register: Option<&CollapsedRegister>) -> Option<i64> {
    let quantity = match &register?.winner()?.value {
        Value::Int(number) => *number,
        Value::Real(real) if real.get().fract() == 0.0 && real.get().abs() < 1e12 => {
            format!("{:.0}", real.get()).parse().ok()?
        }
        _ => return None,
    };
    (quantity >= 1).then_some(quantity)
}

/// Moves the stock for a part that was used, once it is known which and how many. Gives the move's id.
pub(super) fn parts_used(
    state: &AppState,
    tx: &mut Decision<'_>,
    after: Option<&After<'_>>,
    change: Option<&Change>,
    order_id: &str,
    device_id: &str,
    asked: Asked<'_>,
) -> Result<Option<String>, Problem> {
    let (Some(after), Some(Change::Put { key, .. })) = (after, change) else {
        return Ok(None);
    };
    if after.table().name != work_order::AGGREGATE_TYPE || !is_used_parts(after.table(), change) {
        return Ok(None);
    }
    let entity = after.entity();
    let Some(item) = item_of(&entity, key) else {
        return Ok(None);
    };
    let part_no = text_of(item.field(PART_NO));
    let (Some(part_no), Some(quantity)) = (part_no, whole_of(item.field(QUANTITY))) else {
        return Ok(None);
    };
    if text_of(item.field(STOCK_MOVE_ID)).is_some() {
        return Ok(None);
    }
    let mut details = Map::new();
    details.insert("work_order_id".to_owned(), order_id.into());
    let wanted = StockMove {
        part_no: part_no.to_owned(),
        move_type: MoveType::Usage,
        quantity,
        from_location_id: text_of(item.field(FROM)).map(|place| location(state, place)),
        to_location_id: None,
        details,
    };
    // One move a use, whoever tells of it and however often.
    let name = format!("{order_id}\0{}", crdt::json::value_to_json(key));
    let id = Uuid::new_v5(&USES, name.as_bytes()).to_string();
    if tx.load(stock_move::AGGREGATE_TYPE, &id)?.exists() {
        return Ok(None);
    }
    let moved = make(tx, &id, wanted, device_id, asked)?;
    Ok(moved.then_some(id))
}

fn is_used_parts(table: &EntityTable, change: Option<&Change>) -> bool {
    let row = table.field_named(USED_PARTS);
    let Some(Change::Put { field, .. }) = change else {
        return false;
    };
    row.is_some() && [PART_NO, QUANTITY, FROM].contains(field)
}

/// Makes the move that an entity describes, once it is complete. Answers whether it is.
pub(super) fn complete(
    state: &AppState,
    tx: &mut Decision<'_>,
    entity: &CollapsedEntity,
    id: &str,
    device_id: &str,
    asked: Asked<'_>,
) -> Result<bool, Problem> {
    let quantity = match entity
        .table()
        .field_named("quantity")
        .and_then(|row| entity.field(row.number))
    {
        Some(CollapsedField::Counter(sum, _)) => *sum,
        _ => 0,
    };
    let move_type = text(entity, "move_type").and_then(MoveType::of);
    let (Some(part_no), Some(move_type), 1..) = (text(entity, "part_no"), move_type, quantity)
    else {
        return Ok(false);
    };
    let mut details = Map::new();
    for name in ["work_order_id", "reference_doc", "notes"] {
        if let Some(value) = text(entity, name) {
            details.insert(name.to_owned(), value.into());
        }
    }
    let place = |name: &str| text(entity, name).map(|place| location(state, place));
    let wanted = StockMove {
        part_no: part_no.to_owned(),
        move_type,
        quantity,
        from_location_id: place("from_location_id"),
        to_location_id: place("to_location_id"),
        details,
    };
    make(tx, id, wanted, device_id, asked)
}

/// Appends a move that was made. Answers whether there is such a part, and the places fit the kind of move.
fn make(
    tx: &mut Decision<'_>,
    id: &str,
    mut wanted: StockMove,
    device_id: &str,
    asked: Asked<'_>,
) -> Result<bool, Problem> {
    // A tablet names a part by its id, which may be the number of another one by now.
    let is_id = tx.load(part::AGGREGATE_TYPE, &wanted.part_no)?.exists();
    let named = match is_id {
        true => tx
            .uuid_of(part::AGGREGATE_TYPE, &wanted.part_no)?
            .to_string(),
        false => wanted.part_no.clone(),
    };
    let Some(known) = tx.find(part::AGGREGATE_TYPE, &named) else {
        return Ok(false);
    };
    wanted.part_no = known.key().to_owned();
    if let Some(Json::String(order)) = wanted.details.get_mut("work_order_id")
        && let Some(entry) = tx.find(work_order::AGGREGATE_TYPE, order)
    {
        *order = entry.uuid().to_string();
    }
    let held = tx.load(part::AGGREGATE_TYPE, &known.aggregate_id)?;
    let levels = Levels::of(&held);
    if wanted.move_type == MoveType::Usage && wanted.from_location_id.is_none() {
        // What was given to the device is what it uses, while it lasts.
        let code = super::lease_code(device_id);
        let own = tx.find(stock_location::AGGREGATE_TYPE, &code);
        let own = own.map(|own| own.uuid().to_string());
        wanted.from_location_id = own.filter(|own| levels.at(Some(own)) >= wanted.quantity);
    }
    let moved = decide(levels, id, &wanted, Standing::Reported, asked);
    let Ok(moved) = moved else {
        return Ok(false);
    };
    tx.append(stock_move::AGGREGATE_TYPE, id, moved.of_move)?;
    tx.append(part::AGGREGATE_TYPE, &known.aggregate_id, moved.of_part)?;
    Ok(true)
}

fn location(state: &AppState, named: &str) -> String {
    crate::command::referred_to_as(state, stock_location::AGGREGATE_TYPE, named)
}

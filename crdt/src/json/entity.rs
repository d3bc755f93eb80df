//! Whole entities in JSON: `{device_id, <key>, clock, context, <field>: <state>, …}`.

use super::clock::{
    context_from_json, context_to_json, dot_from_json, vector_clock_from_json, vector_clock_to_json,
};
use super::fields::{envelope, write_from_json, write_to_json};
use super::{JsonError, TaggedSet, array, fields, member, object, replica, scalar, text, whole};
use crate::clock::{Dot, DotContext, VectorClock};
use crate::counter::{GrowCounter, PnCounter};
use crate::entity::{EntityState, EntityTable, FieldRow, FieldState, Kind, ValueType, find_row};
use crate::register::{LwwRegister, MaxRegister, StampedValue, winner_of};
use crate::replica::Replica;
use crate::store::{DotFun, DotMap, DotSet, DotStore};
use crate::value::Value;
use serde_json::{Map, Value as Json, json};

/// An item of a map: its fields by number.
type Item<R> = DotMap<u16, DotFun<R, StampedValue>>;

/// An entity as it came in JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityJson<R: Replica> {
    /// The entity's id, from the table's key member.
    pub id: String,
    /// Who sends it.
    pub device: R,
    /// What the sender had seen.
    pub clock: VectorClock<R>,
    /// The state, complete when it came with its context.
    pub state: EntityState<R>,
    /// Fields of a client that knows no contexts, in field order. Empty when there was a context.
    pub legacy: Vec<(u16, FieldJson<R>)>,
}

/// A field from a client without contexts: enough to make operations of, not enough to join.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldJson<R: Replica> {
    /// A register's write.
    Register(LwwRegister<R>),
    /// A reading.
    Max(MaxRegister),
    /// Sums by device.
    GrowCounter(GrowCounter<R>),
    /// Sums by device.
    Counter(PnCounter<R>),
    /// Tags and tombstones.
    Set(TaggedSet<R>),
    /// A truth.
    Flag(bool),
}

/// An entity in the contract's form, as `owner` hands it out.
pub fn entity_to_json<R: Replica>(
    table: &EntityTable,
    id: &str,
    owner: &R,
    state: &EntityState<R>,
) -> Json {
    let mut map = Map::new();
    map.insert("device_id".into(), json!(owner.to_text()));
    map.insert(table.key.into(), json!(id));
    map.insert(
        "clock".into(),
        vector_clock_to_json(&state.context().highest(), owner),
    );
    map.insert("context".into(), context_to_json(state.context()));
    for (number, field) in state.fields() {
        if let Some(row) = table.field(number) {
            map.insert(row.name.into(), field_to_json(row, field, owner));
        }
    }
    Json::Object(map)
}

fn field_to_json<R: Replica>(row: &FieldRow, field: &FieldState<R>, owner: &R) -> Json {
    let mut map = envelope(owner);
    match field {
        FieldState::Lww(state) => return fields::lww_to_json(state, owner),
        FieldState::GrowCounter(state) => return fields::grow_counter_to_json(state, owner),
        FieldState::Counter(state) => return fields::pn_counter_to_json(state, owner),
        FieldState::Max(state) => {
            map.insert("value".into(), json!(state.value()));
            map.insert("epoch".into(), json!(state.epoch()));
        }
        FieldState::MultiValue(writes) => {
            let winner = winner_of(writes)
                .map(|(dot, write)| write_to_json(&write.value, write.stamp, &dot.replica));
            map.insert("value".into(), winner.unwrap_or(Json::Null));
            map.insert("values".into(), writes_to_json(writes));
        }
        FieldState::Flag(dots) => {
            map.insert("enabled".into(), json!(!dots.is_empty()));
            map.insert(
                "dots".into(),
                dots.iter()
                    .map(|dot| json!([dot.replica.to_text(), dot.counter]))
                    .collect(),
            );
        }
        FieldState::Set(members) => {
            let Kind::Set(of) = row.kind else {
                return Json::Object(map);
            };
            let tags = |dots: &DotSet<R>| -> Json {
                dots.iter()
                    .map(|dot| json!([dot.counter.to_string(), dot.replica.to_text()]))
                    .collect()
            };
            let elements = members
                .iter()
                .map(|(member, dots)| (scalar::element_to_text(member, &of), tags(dots)));
            map.insert("elements".into(), Json::Object(elements.collect()));
            map.insert("tombstones".into(), json!([]));
        }
        FieldState::Map(items) => {
            let Kind::Map { items: rows, .. } = row.kind else {
                return Json::Object(map);
            };
            let item = |(key, item): (&Value, &Item<R>)| {
                let named = |(number, writes): (&u16, &DotFun<R, StampedValue>)| {
                    Some((
                        find_row(rows, *number)?.name.to_owned(),
                        writes_to_json(writes),
                    ))
                };
                let fields: Map<_, _> = item.iter().filter_map(named).collect();
                json!({ "key": scalar::value_to_json(key), "fields": fields })
            };
            map.insert("items".into(), items.iter().map(item).collect());
        }
    }
    Json::Object(map)
}

fn writes_to_json<R: Replica>(writes: &DotFun<R, StampedValue>) -> Json {
    let write = |(dot, write): (&Dot<R>, &StampedValue)| {
        let mut json = write_to_json(&write.value, write.stamp, &dot.replica);
        if let Json::Object(map) = &mut json {
            map.insert("counter".into(), json!(dot.counter));
        }
        json
    };
    writes.iter().map(write).collect()
}

/// Reads an entity. Members that the table does not have are passed over, as a newer server's would be by an older
/// client.
///
/// # Errors
/// [`JsonError`] naming the member that is not as expected; live dots outside the context.
pub fn entity_from_json<R: Replica>(
    table: &EntityTable,
    json: &Json,
) -> Result<EntityJson<R>, JsonError> {
    let map = object(json, "")?;
    let id = text(member(map, table.key)?, table.key)?.to_owned();
    let device = replica(member(map, "device_id")?, "device_id")?;
    let clock = match map.get("clock") {
        Some(clock) => vector_clock_from_json(clock).map_err(|error| error.inside("clock"))?,
        None => VectorClock::new(),
    };
    let mut entity = EntityJson {
        id,
        device,
        clock,
        state: EntityState::default(),
        legacy: Vec::new(),
    };
    let Some(context) = map.get("context") else {
        for (row, json) in known_fields(table, map) {
            let field = legacy_field(row, json).map_err(|error| error.inside(row.name))?;
            entity.legacy.push((row.number, field));
        }
        return Ok(entity);
    };
    let context = context_from_json(context)?;
    for (row, json) in known_fields(table, map) {
        let field = field_from_json(row, json, &context).map_err(|error| error.inside(row.name))?;
        entity.state.put(row.number, field);
    }
    entity.state.observe(&context);
    Ok(entity)
}

fn known_fields<'a>(
    table: &EntityTable,
    map: &'a Map<String, Json>,
) -> impl Iterator<Item = (&'static FieldRow, &'a Json)> {
    table
        .fields
        .iter()
        .filter_map(|row| Some((row, map.get(row.name)?)))
}

fn legacy_field<R: Replica>(row: &FieldRow, json: &Json) -> Result<FieldJson<R>, JsonError> {
    Ok(match row.kind {
        Kind::Lww(of) | Kind::MultiValue(of) => {
            FieldJson::Register(fields::lww_from_json(json, &of)?)
        }
        Kind::Max => FieldJson::Max(max_from_json(json)?),
        Kind::GrowCounter => FieldJson::GrowCounter(fields::grow_counter_from_json(json)?),
        Kind::Counter => FieldJson::Counter(fields::pn_counter_from_json(json)?),
        Kind::Set(of) => FieldJson::Set(TaggedSet::from_json(json, &of)?),
        Kind::Flag => FieldJson::Flag(flag_of(object(json, "")?)?),
        Kind::Map { .. } => return Err(JsonError::at("", "a context beside a map")),
    })
}

fn flag_of(map: &Map<String, Json>) -> Result<bool, JsonError> {
    member(map, "enabled")?
        .as_bool()
        .ok_or_else(|| JsonError::at("enabled", "true or false"))
}

/// A max register, or a register that a client without max registers writes: its number, in epoch 0.
fn max_from_json(json: &Json) -> Result<MaxRegister, JsonError> {
    let map = object(json, "")?;
    let epoch = map
        .get("epoch")
        .map_or(Ok(0), |epoch| whole(epoch, "epoch"))?;
    let epoch = u32::try_from(epoch).map_err(|_| JsonError::at("epoch", "a number of 32 bits"))?;
    let value = match member(map, "value")? {
        Json::Object(write) => member(write, "value")?,
        value => value,
    };
    match value {
        Json::Null => Ok(MaxRegister::default()),
        value => {
            let value = value
                .as_i64()
                .ok_or_else(|| JsonError::at("value", "a whole number"))?;
            Ok(MaxRegister::of(epoch, value))
        }
    }
}

fn field_from_json<R: Replica>(
    row: &FieldRow,
    json: &Json,
    context: &DotContext<R>,
) -> Result<FieldState<R>, JsonError> {
    let map = object(json, "")?;
    let field = match row.kind {
        Kind::Lww(of) => FieldState::Lww(fields::lww_from_json(json, &of)?),
        Kind::Max => FieldState::Max(max_from_json(json)?),
        Kind::GrowCounter => FieldState::GrowCounter(fields::grow_counter_from_json(json)?),
        Kind::Counter => FieldState::Counter(fields::pn_counter_from_json(json)?),
        Kind::MultiValue(of) => FieldState::MultiValue(covered(
            writes_from_json(member(map, "values")?, &of)?,
            context,
        )?),
        Kind::Flag => {
            let mut dots = DotSet::default();
            for pair in array(member(map, "dots")?, "dots")? {
                dots.insert(dot_of_pair(pair)?);
            }
            FieldState::Flag(covered(dots, context)?)
        }
        Kind::Set(of) => FieldState::Set(covered(members_from_json(map, &of)?, context)?),
        Kind::Map { key, items } => {
            FieldState::Map(covered(items_from_json(map, &key, items)?, context)?)
        }
    };
    Ok(field)
}

fn covered<S: DotStore>(store: S, context: &DotContext<S::Replica>) -> Result<S, JsonError> {
    match crate::store::check_covered(&store, context) {
        Ok(()) => Ok(store),
        Err(_) => Err(JsonError::at("", "dots inside the context")),
    }
}

fn writes_from_json<R: Replica>(
    json: &Json,
    of: &ValueType,
) -> Result<DotFun<R, StampedValue>, JsonError> {
    let mut writes = DotFun::default();
    for write in array(json, "values")? {
        let dot = dot_from_json(object(write, "values")?)?;
        let (stamp, _, value) = write_from_json::<R>(write, of)?;
        writes.insert(dot, StampedValue { stamp, value });
    }
    Ok(writes)
}

fn dot_of_pair<R: Replica>(pair: &Json) -> Result<Dot<R>, JsonError> {
    let expected = "pairs of device and counter";
    let [device, counter] = array(pair, "dots")?.as_slice() else {
        return Err(JsonError::at("dots", expected));
    };
    match whole(counter, "dots")? {
        0 => Err(JsonError::at("dots", expected)),
        counter => Ok(Dot::new(replica(device, "dots")?, counter)),
    }
}

fn members_from_json<R: Replica>(
    map: &Map<String, Json>,
    of: &ValueType,
) -> Result<DotMap<Value, DotSet<R>>, JsonError> {
    let mut members = DotMap::default();
    for (name, tags) in object(member(map, "elements")?, "elements")? {
        let element =
            scalar::element_from_text(name, of).map_err(|error| error.inside("elements"))?;
        let mut dots = DotSet::default();
        for pair in array(tags, name)? {
            let [tag, device] = array(pair, name)?.as_slice() else {
                return Err(JsonError::at(name, "pairs of tag and device"));
            };
            let counter = text(tag, name)?
                .parse()
                .ok()
                .filter(|counter| (1..=crate::wire::EXACT_INTEGER_MAX).contains(counter));
            let counter =
                counter.ok_or_else(|| JsonError::at(name, "the counter of a dot as tag"))?;
            dots.insert(Dot::new(replica(device, name)?, counter));
        }
        members.insert(element, dots);
    }
    Ok(members)
}

fn items_from_json<R: Replica>(
    map: &Map<String, Json>,
    key_type: &ValueType,
    rows: &'static [FieldRow],
) -> Result<DotMap<Value, Item<R>>, JsonError> {
    let mut items = DotMap::default();
    for json in array(member(map, "items")?, "items")? {
        let item = object(json, "items")?;
        let key = scalar::value_from_json(member(item, "key")?, key_type)
            .map_err(|error| error.inside("key"))?;
        if key.is_null() {
            return Err(JsonError::at("key", "a key other than null"));
        }
        let mut held = DotMap::default();
        for (name, writes) in object(member(item, "fields")?, "fields")? {
            let Some(row) = rows.iter().find(|row| row.name == name) else {
                continue;
            };
            let Kind::MultiValue(of) = row.kind else {
                continue;
            };
            held.insert(
                row.number,
                writes_from_json(writes, &of).map_err(|error| error.inside(name))?,
            );
        }
        items.insert(key, held);
    }
    Ok(items)
}

//! Operations as JSON clients name them, on their way to a frame of the protocol.
//!
//! Such a client keeps no count: each operation has an id of the client's own, by which the log knows it again for ever,
//! so it may come twice, in pieces and in any order. The server counts for it.

use std::collections::HashMap;

use crdt::collapsed::{CollapsedEntity, CollapsedField};
use crdt::json::value_from_json;
use crdt::sync::{Basis, Chain, EntityRef, Frame, Operation, OperationBody};
use crdt::{Change, DeviceId, EntityTable, FieldRow, Kind, LogPosition, Stamp, Value};
use fleet::sync::table_of;
use serde_json::Value as Json;

use super::carrier::CarrierId;
use super::engine::{Engine, Fold};
use super::parts::{Lookup, Part, PartKind, Resolved};
use crate::app::AppState;

/// Operations that one push may bring.
pub const ITEMS_MAX: usize = crdt::sync::OPERATIONS_MAX;

/// One operation of a JSON client.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The client's own name for it.
    pub id: String,
    /// `Vehicle`, `WorkOrder` …
    pub entity_type: String,
    /// The aggregate's id, UUID or business key.
    pub entity_id: String,
    /// What it does.
    pub act: Act,
    /// When, by the client's clock.
    pub stamp: Option<Stamp>,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Creates the entity.
    Create,
    /// Changes a field.
    Change {
        /// Which.
        field: String,
        /// `set`, `add`, `raise`, `correct`, `insert`, `remove`, `put`, `drop`; empty: what the field's kind suggests.
        verb: String,
        /// To what.
        value: Json,
        /// Of which item.
        key: Json,
        /// Which field of the item.
        item_field: Option<String>,
    },
    /// What was read out of a whole state.
    Part(Part),
}

/// Why an operation cannot even be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Unusable {
    /// The protocol's code.
    pub code: &'static str,
    /// What is wrong, for a person.
    pub detail: String,
}

/// A push of items, ready to be judged.
pub(super) struct Prepared {
    /// The frame of what is new; `None` where nothing is.
    pub(super) frame: Option<Vec<u8>>,
    /// What the frame's operations are called, in order.
    pub(super) named: Vec<Named>,
    /// For each item: the operations that it became.
    pub(super) items: Vec<Fate>,
}

/// What an operation of a frame is called.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// The client's name for it.
    pub(super) name: String,
    /// The event that carries it.
    pub(super) event: CarrierId,
    /// The same once it is taken in, where it is one whichever device brings it.
    pub(super) shared: Option<CarrierId>,
}

/// What an item became.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fate {
    /// These operations of the frame, by their numbers; and those that the log had already.
    Operations {
        new: Vec<u64>,
        known: Vec<CarrierId>,
    },
    /// Nothing: it makes no sense.
    Unusable(Unusable),
}

fn unusable(code: &'static str, detail: impl Into<String>) -> Unusable {
    Unusable {
        code,
        detail: detail.into(),
    }
}

/// The aggregate id that a tablet means by an id, UUID or business key. It knows entities by their ids, so whoever began with
/// a key goes before whoever goes by it now.
pub(super) fn aggregate_id(state: &AppState, table: &EntityTable, id: &str) -> String {
    let catalog = state.projections.catalog();
    let own = catalog.entry(table.name, id).value;
    let own = own.filter(|entry| entry.folded.exists());
    let found = own.or_else(|| catalog.find(table.name, id).value);
    found.map_or_else(|| id.to_owned(), |entry| entry.aggregate_id.to_string())
}

struct Builder<'a> {
    state: &'a AppState,
    engine: &'a Engine,
    fold: &'a Fold,
    device_id: &'a str,
    base: LogPosition,
    now: Stamp,
    seq: u64,
    stamp: Stamp,
    operations: Vec<Operation>,
    named: Vec<Named>,
    /// Entities that this frame creates.
    created: HashMap<(u16, String), u64>,
    /// How far counts of states are with this frame.
    counted: HashMap<String, i64>,
}

/// Makes a frame of those items that the log does not have yet.
pub(super) fn prepare(
    state: &AppState,
    engine: &Engine,
    fold: &Fold,
    device: (DeviceId, &str),
    items: &[Item],
    base: LogPosition,
) -> Prepared {
    let status = fold.depot.device(device.0);
    let first = status.map_or(1, |status| status.seen + 1);
    let now = u64::try_from(state.clock.now().micros() / 1_000).unwrap_or(0);
    let mut builder = Builder {
        state,
        engine,
        fold,
        device_id: device.1,
        base,
        now: Stamp::new(now, 0),
        seq: first,
        stamp: Stamp::ZERO,
        operations: Vec::new(),
        named: Vec::new(),
        created: HashMap::new(),
        counted: HashMap::new(),
    };
    // Within a frame stamps do not fall. Items may come in any order, so they are framed in the order of their times.
    let stamps: Vec<Stamp> = items.iter().map(|item| builder.stamp_of(item)).collect();
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|index| stamps[*index]);
    let mut fates: Vec<Option<Fate>> = vec![None; items.len()];
    for index in order {
        let added = builder.add(&items[index], stamps[index]);
        fates[index] = Some(added.unwrap_or_else(Fate::Unusable));
    }
    let items = fates.into_iter().flatten().collect();
    let frame = (!builder.operations.is_empty()).then(|| {
        let basis = Basis::new(base, engine.time_of(base));
        let before = status.map_or_else(|| Chain::of(device.0), |status| status.chain);
        let frame = Frame {
            acknowledged: first - 1,
            chain: before.check(&basis),
            operations: std::mem::take(&mut builder.operations),
        };
        frame.encode(&basis, &fold.depot)
    });
    Prepared {
        frame,
        named: builder.named,
        items,
    }
}

impl Builder<'_> {
    fn lookup(&self) -> Lookup<'_> {
        Lookup {
            engine: self.engine,
            fold: self.fold,
            devices: &self.state.sync.devices,
            device_id: self.device_id,
            base: self.base,
        }
    }

    /// The event that carries the device's operation of this name.
    fn carrier_of(&self, name: &str) -> CarrierId {
        CarrierId::named(self.engine.log().log_id(), self.device_id, name)
    }

    /// When an item's operation is said to be.
    fn stamp_of(&self, item: &Item) -> Stamp {
        let stamp = item.stamp.unwrap_or(self.now);
        let (Act::Part(part), Some(table)) = (&item.act, table_of(&item.entity_type)) else {
            return stamp;
        };
        let id = aggregate_id(self.state, table, &item.entity_id);
        let held = self.fold.entity(table, &id);
        let entity = held.as_ref().map(|(_, entity)| &**entity);
        self.lookup().stamp_of(entity, part, stamp)
    }

    /// The operation that a repeated item became, where that cannot be told from what it would become now.
    fn known_whole(&self, table: &'static EntityTable, item: &Item) -> Option<CarrierId> {
        let Act::Change { field, verb, .. } = &item.act else {
            return None;
        };
        let is_whole_set = matches!(verb.as_str(), "" | "set")
            && row_of(table, field).is_some_and(|row| matches!(row.kind, Kind::Set(_)));
        if !is_whole_set {
            return None;
        }
        let first = format!("{}/0", item.id);
        let names = [item.id.as_str(), first.as_str()].into_iter();
        let mut events = names.map(|name| self.carrier_of(name));
        events.find(|event| self.engine.has(*event))
    }

    fn add(&mut self, item: &Item, stamp: Stamp) -> Result<Fate, Unusable> {
        let table = table_of(&item.entity_type).ok_or_else(|| {
            let detail = format!("tablets hold no {}", item.entity_type);
            unusable("unknown_entity", detail)
        })?;
        let id = aggregate_id(self.state, table, &item.entity_id);
        if id.is_empty() || id.len() > crdt::collapsed::ENTITY_ID_BYTES_MAX {
            return Err(unusable(
                "invalid_value",
                "an entity's id has 1 to 200 bytes",
            ));
        }
        let held = self.fold.entity(table, &id);
        let entity = held.as_ref().map(|(_, entity)| &**entity);
        if let Some(known) = self.known_whole(table, item) {
            return Ok(already(Some(known)));
        }
        let mut shared = None;
        let changes = match &item.act {
            Act::Create => Vec::new(),
            Act::Part(part) => {
                let lookup = self.lookup();
                let counted = |name: &str| {
                    let here = self.counted.get(name).copied();
                    here.unwrap_or_else(|| lookup.counted(name))
                };
                match lookup.resolve(table, &id, entity, part, item.stamp, counted) {
                    Resolved::Known(event) => return Ok(already(event)),
                    Resolved::New(change, event) => {
                        shared = event;
                        vec![(part.field, change)]
                    }
                }
            }
            Act::Change { .. } => changes_of(table, entity, &item.act)?,
        };
        let creates = item.act == Act::Create
            || (held.is_none() && !self.created.contains_key(&(table.number, id.clone())));
        if self.operations.len() + changes.len() + usize::from(creates) > ITEMS_MAX {
            return Err(unusable(
                "rate",
                "more than 1,000 operations; send the rest apart",
            ));
        }
        let (mut new, mut known) = (Vec::new(), Vec::new());
        let mut place = |builder: &mut Self, name: String, body: OperationBody| {
            let event = builder.carrier_of(&name);
            let shared = shared.filter(|_| !matches!(body, OperationBody::Create { .. }));
            let twice = |named: &Named| {
                named.event == event || (shared.is_some() && named.shared == shared)
            };
            if builder.named.iter().any(twice) || builder.engine.has(event) {
                known.push(event);
                return;
            }
            builder.stamp = builder.stamp.max(stamp);
            builder.operations.push(Operation {
                seq: builder.seq,
                base: builder.base,
                stamp: builder.stamp,
                user: 0,
                former: None,
                body,
            });
            builder.named.push(Named {
                name,
                event,
                shared,
            });
            new.push(builder.seq);
            builder.seq += 1;
        };
        let mut entity_ref = held.as_ref().map(|(handle, _)| EntityRef::Known(*handle));
        if let Some(seq) = self.created.get(&(table.number, id.clone())) {
            let (seq, table) = (*seq, table.number);
            entity_ref = Some(EntityRef::Created { seq, table });
        }
        if entity_ref.is_none() || item.act == Act::Create {
            let name = match item.act {
                Act::Create => item.id.clone(),
                _ => format!("create {} {id}", table.name),
            };
            let seq = self.seq;
            let body = OperationBody::Create {
                table: table.number,
                id: id.as_bytes().into(),
            };
            place(self, name, body);
            if self.seq > seq && entity_ref.is_none() {
                let table_number = table.number;
                self.created.insert((table_number, id.clone()), seq);
                entity_ref = Some(EntityRef::Created {
                    seq,
                    table: table_number,
                });
            }
        }
        let single = changes.len() == 1;
        for (index, (field, change)) in changes.into_iter().enumerate() {
            let Some(entity) = entity_ref else {
                // Its creation was refused before, and is no entity since.
                let detail = format!("there is no {} {id}", table.name);
                return Err(unusable("unknown_entity", detail));
            };
            let name = if single {
                item.id.clone()
            } else {
                format!("{}/{index}", item.id)
            };
            let body = OperationBody::Change {
                entity,
                field,
                change,
            };
            place(self, name, body);
        }
        if let (Act::Part(part), false) = (&item.act, new.is_empty())
            && let PartKind::Counted { name, total, .. } = &part.what
        {
            let total = i64::try_from(*total).unwrap_or(i64::MAX);
            self.counted.insert(name.clone(), total);
        }
        Ok(Fate::Operations { new, known })
    }
}

/// The fate of an item that changes nothing any more.
fn already(known: Option<CarrierId>) -> Fate {
    Fate::Operations {
        new: Vec::new(),
        known: known.into_iter().collect(),
    }
}

/// The row that a client means by a field's name, in any of its spellings.
pub(super) fn row_of(table: &'static EntityTable, name: &str) -> Option<&'static FieldRow> {
    table.field_named(name).or_else(|| {
        let aggregate = fleet::registry().aggregate(table.name)?;
        let spelling = aggregate
            .spellings
            .iter()
            .find(|spelling| spelling.given == name)?;
        table.field_named(spelling.meant)
    })
}

fn changes_of(
    table: &'static EntityTable,
    entity: Option<&CollapsedEntity>,
    act: &Act,
) -> Result<Vec<(u16, Change)>, Unusable> {
    let Act::Change {
        field,
        verb,
        value,
        key,
        item_field,
    } = act
    else {
        return Ok(Vec::new());
    };
    let row = row_of(table, field).ok_or_else(|| {
        unusable(
            "invalid_value",
            format!("{} has no field {field} on tablets", table.name),
        )
    })?;
    let wrong = |what: &str| unusable("invalid_value", format!("{field}: {what}"));
    let parsed = |json: &Json, of: &crdt::ValueType| {
        value_from_json(json, of).map_err(|error| wrong(&format!("expected {}", error.expected)))
    };
    let held = entity.and_then(|entity| entity.field(row.number));
    let changes = match (row.kind, verb.as_str()) {
        (Kind::Lww(of) | Kind::MultiValue(of), "" | "set") => {
            vec![Change::Set(parsed(value, &of)?)]
        }
        (Kind::Lww(_) | Kind::MultiValue(_), "clear") => vec![Change::Set(Value::Null)],
        (Kind::Max, "" | "set" | "raise" | "correct") => {
            let epoch = match held {
                Some(CollapsedField::Max(reading, _)) => reading.epoch(),
                _ => 0,
            };
            let value = value
                .as_i64()
                .ok_or_else(|| wrong("expected a whole number"))?;
            let epoch = epoch.saturating_add(u32::from(verb == "correct"));
            vec![Change::Raise { epoch, value }]
        }
        (Kind::Counter | Kind::GrowCounter, "" | "add") => {
            let amount = value
                .as_i64()
                .ok_or_else(|| wrong("expected a whole number"))?;
            vec![Change::Add(amount)]
        }
        (Kind::Flag, "" | "set") => match value.as_bool() {
            Some(true) => vec![Change::Enable],
            Some(false) => vec![Change::Disable],
            None => return Err(wrong("expected true or false")),
        },
        (Kind::Set(of), "insert" | "add") => vec![Change::Insert(parsed(value, &of)?)],
        (Kind::Set(of), "remove") => vec![Change::Remove(parsed(value, &of)?)],
        (Kind::Set(of), "" | "set") => set_changes(held, value, &of, &parsed, &wrong)?,
        (Kind::Map { key: of, items }, "" | "set" | "put") => {
            let key = parsed(key, &of)?;
            let pairs: Vec<(&str, &Json)> = match (item_field, value) {
                (Some(name), value) => vec![(name.as_str(), value)],
                (None, Json::Object(fields)) => fields
                    .iter()
                    .map(|(name, value)| (name.as_str(), value))
                    .collect(),
                (None, _) => {
                    return Err(wrong(
                        "expected item_field, or an object of the item's fields",
                    ));
                }
            };
            let put = |(name, json): (&str, &Json)| {
                let item = items.iter().find(|item| item.name == name);
                let item = item.ok_or_else(|| wrong(&format!("an item has no field {name}")))?;
                let Kind::MultiValue(of) = item.kind else {
                    return Err(wrong("this field cannot be written"));
                };
                let (key, field, value) = (key.clone(), item.number, parsed(json, &of)?);
                Ok(Change::Put { key, field, value })
            };
            pairs.into_iter().map(put).collect::<Result<_, _>>()?
        }
        (Kind::Map { key: of, .. }, "drop" | "remove") => {
            vec![Change::Drop {
                key: parsed(key, &of)?,
            }]
        }
        (_, verb) => return Err(wrong(&format!("does not take the operation {verb}"))),
    };
    for change in &changes {
        change
            .check(row)
            .map_err(|error| wrong(&error.to_string()))?;
    }
    Ok(changes
        .into_iter()
        .map(|change| (row.number, change))
        .collect())
}

/// A whole set, as additions of what is not there and removals of what the client leaves out.
fn set_changes(
    held: Option<&CollapsedField>,
    value: &Json,
    of: &crdt::ValueType,
    parsed: &dyn Fn(&Json, &crdt::ValueType) -> Result<Value, Unusable>,
    wrong: &dyn Fn(&str) -> Unusable,
) -> Result<Vec<Change>, Unusable> {
    let wanted = value.as_array().ok_or_else(|| wrong("expected an array"))?;
    let wanted: Vec<Value> = wanted
        .iter()
        .map(|member| parsed(member, of))
        .collect::<Result<_, _>>()?;
    let held: Vec<Value> = match held {
        Some(CollapsedField::Set(set)) => set.members().cloned().collect(),
        _ => Vec::new(),
    };
    let gone = held.iter().filter(|member| !wanted.contains(member));
    let new = wanted.iter().filter(|member| !held.contains(member));
    Ok(gone
        .map(|member| Change::Remove(member.clone()))
        .chain(new.map(|member| Change::Insert(member.clone())))
        .collect())
}

//! Whole states in JSON, taken apart: one part for each write, tag, tombstone, reading and count.

use std::collections::BTreeSet;

use crdt::json::{FieldJson, TaggedSet, entity_from_json, stamp_to_text, value_to_json};
use crdt::{
    Change, DeviceName, Dot, EntityTable, FieldState, LwwRegister, MaxRegister, Replica as _, Value,
};
use fleet::sync::IS_DELETED;
use serde_json::{Map, Value as Json, json};

use super::bodies::shortened;
use crate::sync::engine::sum_name;
use crate::sync::items::{Act, Item};
use crate::sync::parts::{Part, PartKind, STATE_PREFIX};

/// The parts of a state of `entity_id`, ready to be pushed.
///
/// # Errors
/// What is wrong with `crdt_data`, for a person.
pub(super) fn items_of(
    table: &'static EntityTable,
    entity_id: &str,
    given: &Map<String, Json>,
    data: &Map<String, Json>,
) -> Result<Vec<Item>, String> {
    let data = in_our_names(table, data, given, entity_id);
    let read = entity_from_json::<DeviceName>(table, &Json::Object(data));
    let entity = read.map_err(|error| format!("{}: expected {}", error.path, error.expected))?;
    let about = format!("{}/{entity_id}", table.name);
    let mut parts = Parts {
        about: &about,
        found: Vec::new(),
    };
    for (field, json) in &entity.legacy {
        parts.legacy(*field, json);
    }
    for row in table.fields {
        if let Some(state) = entity.state.field(row.number) {
            parts.state(row.number, state);
        }
    }
    if given.get("tombstone") == Some(&Json::Bool(true))
        && let Some(row) = table.field_named(IS_DELETED)
    {
        let by = entity.device.to_text();
        let what = PartKind::Ready(Change::Set(Value::Bool(true)));
        parts.add("tombstone".to_owned(), row.number, by, what, None);
    }
    let item = |found: Found| Item {
        id: found.id,
        entity_type: table.name.to_owned(),
        entity_id: entity_id.to_owned(),
        act: Act::Part(found.part),
        stamp: found.stamp,
    };
    Ok(parts.found.into_iter().map(item).collect())
}

struct Found {
    id: String,
    part: Part,
    stamp: Option<crdt::Stamp>,
}

struct Parts<'a> {
    about: &'a str,
    found: Vec<Found>,
}

impl Parts<'_> {
    fn add(
        &mut self,
        id: String,
        field: u16,
        by: String,
        what: PartKind,
        stamp: Option<crdt::Stamp>,
    ) {
        // The name of a count carries its total, which has to stay legible.
        let id = match &what {
            PartKind::Counted { name, total, .. } => sum_name(name, *total),
            _ => shortened(format!("{STATE_PREFIX}{}:{field}:{id}", self.about)),
        };
        let part = Part { field, by, what };
        self.found.push(Found { id, part, stamp });
    }

    fn legacy(&mut self, field: u16, json: &FieldJson<DeviceName>) {
        match json {
            FieldJson::Register(register) => self.register(field, register),
            FieldJson::Max(reading) => self.reading(field, reading),
            FieldJson::GrowCounter(counter) => {
                for (device, sum) in counter.iter() {
                    self.count(field, device, sum, false);
                }
            }
            FieldJson::Counter(counter) => {
                for (device, sum) in counter.increments().iter() {
                    self.count(field, device, sum, false);
                }
                for (device, sum) in counter.decrements().iter() {
                    self.count(field, device, sum, true);
                }
            }
            FieldJson::Flag(on) => self.flag(field, *on),
            FieldJson::Set(set) => self.set(field, set),
        }
    }

    fn register(&mut self, field: u16, register: &LwwRegister<DeviceName>) {
        let Some(write) = register.write() else {
            return;
        };
        let by = write.replica.to_text();
        let id = format!("{}:{by}", stamp_to_text(write.stamp));
        let what = PartKind::Written(Change::Set(write.value.clone()));
        self.add(id, field, by, what, Some(write.stamp));
    }

    /// A count that only grows: what its device has counted in one direction.
    fn count(&mut self, field: u16, device: &DeviceName, total: u64, down: bool) {
        let by = device.to_text();
        let sign = if down { '-' } else { '+' };
        let name = format!("{}:{field}:{by}:{sign}", self.about);
        let what = PartKind::Counted { name, total, down };
        self.add(String::new(), field, by, what, None);
    }

    fn flag(&mut self, field: u16, on: bool) {
        let change = if on { Change::Enable } else { Change::Disable };
        let what = PartKind::Ready(change);
        self.add(on.to_string(), field, String::new(), what, None);
    }

    fn set(&mut self, field: u16, set: &TaggedSet<DeviceName>) {
        for (member, tag, device) in set.live() {
            let by = device.to_text();
            let tag = format!("{tag}:{by}:{}", value_to_json(member));
            let member = member.clone();
            let id = format!("+{tag}");
            self.add(id, field, by, PartKind::Added { member, tag }, None);
        }
        let live: BTreeSet<&Value> = set.live().map(|(member, _, _)| member).collect();
        for (member, tag, device) in set.removed() {
            let by = device.to_text();
            let tag = format!("{tag}:{by}:{}", value_to_json(member));
            let id = format!("-{tag}");
            let what = PartKind::Removed {
                is_live: live.contains(member),
                member: member.clone(),
                tag,
            };
            self.add(id, field, by, what, None);
        }
    }

    fn reading(&mut self, field: u16, reading: &MaxRegister) {
        if let Some(value) = reading.value() {
            let epoch = reading.epoch();
            let what = PartKind::Reading(Change::Raise { epoch, value });
            self.add(format!("{epoch}:{value}"), field, String::new(), what, None);
        }
    }

    fn state(&mut self, field: u16, state: &FieldState<DeviceName>) {
        match state {
            FieldState::Lww(register) => self.register(field, register),
            FieldState::Max(reading) => self.reading(field, reading),
            FieldState::GrowCounter(counter) => {
                self.legacy(field, &FieldJson::GrowCounter(counter.clone()));
            }
            FieldState::Counter(counter) => {
                self.legacy(field, &FieldJson::Counter(counter.clone()));
            }
            FieldState::MultiValue(writes) => {
                for (dot, write) in writes.iter() {
                    let what = PartKind::Written(Change::Set(write.value.clone()));
                    let by = dot.replica.to_text();
                    self.add(dot_text(dot), field, by, what, Some(write.stamp));
                }
            }
            FieldState::Flag(dots) => self.flag(field, dots.iter().next().is_some()),
            FieldState::Set(members) => {
                for (member, dots) in members.iter() {
                    for dot in dots.iter() {
                        let (member, tag) = (member.clone(), dot_text(dot));
                        let (id, by) = (format!("+{tag}"), dot.replica.to_text());
                        self.add(id, field, by, PartKind::Added { member, tag }, None);
                    }
                }
            }
            FieldState::Map(items) => {
                for (key, item) in items.iter() {
                    for (number, writes) in item.iter() {
                        for (dot, write) in writes.iter() {
                            let what = PartKind::Written(Change::Put {
                                key: key.clone(),
                                field: *number,
                                value: write.value.clone(),
                            });
                            let by = dot.replica.to_text();
                            self.add(dot_text(dot), field, by, what, Some(write.stamp));
                        }
                    }
                }
            }
        }
    }
}

fn dot_text(dot: &Dot<DeviceName>) -> String {
    format!("{}/{}", dot.replica.to_text(), dot.counter)
}

/// A state's members by the names of our tables, with the members that the reader needs.
fn in_our_names(
    table: &'static EntityTable,
    data: &Map<String, Json>,
    given: &Map<String, Json>,
    entity_id: &str,
) -> Map<String, Json> {
    let mut named = Map::new();
    for (name, value) in data {
        let spelling = fleet::registry()
            .aggregate(table.name)
            .and_then(|aggregate| {
                aggregate
                    .spellings
                    .iter()
                    .find(|spelling| spelling.given == name)
            });
        let name = spelling.map_or(name.as_str(), |spelling| spelling.meant);
        named.insert(name.to_owned(), value.clone());
    }
    named.insert(table.key.to_owned(), entity_id.into());
    let device = given.get("device_id").cloned().unwrap_or(json!("unknown"));
    named.entry("device_id").or_insert(device);
    named
}

//! A pull: what changed since a cursor, folded per entity, within the device's scope, a page at a time.

use crdt::collapsed::{FieldView, RegisterView, Update, ViewWrite};
use crdt::json::{stamp_to_text, value_to_json};
use crdt::sync::{Cursor, Page, PullRequest, Slot};
use crdt::{DeviceId, EntityTable, FieldRow, Kind, LogPosition};
use serde_json::{Map, Value as Json, json};

use fleet::sync::tables::SCHEMA_NUMBER;

use super::devices::{DeviceCaller, Devices};
use super::visible::DeviceScope;
use crate::app::AppState;
use crate::http::problem::{Kind as ProblemKind, Problem};

/// What a device asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Where it is.
    pub cursor: Cursor,
    /// Most entities in the page.
    pub limit: usize,
    /// Whether the last page shall say what the whole view hashes to.
    pub digest: bool,
    /// Whether it wants bytes rather than JSON.
    pub binary: bool,
    /// The schema whose tables it knows; `None`: the first one where it wants bytes, all where it wants JSON.
    pub schema: Option<u16>,
}

/// A page, encoded.
#[derive(Clone, Debug)]
pub enum Pulled {
    /// The protocol's bytes, and the cursor behind them.
    Binary(Vec<u8>, String),
    /// JSON.
    Json(Json),
}

/// The cursor of a text; the start where there is none.
///
/// # Errors
/// 409 for one that was not given to this device, or is of another history.
pub fn read_cursor(
    state: &AppState,
    device: &DeviceCaller,
    text: Option<&str>,
) -> Result<Cursor, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(Cursor::default());
    };
    let sync = &state.sync;
    let number = device.device.number;
    let mut read = sync.cursors.read(&sync.engine, number, text);
    if read == Err(super::cursor::CursorError::Forged) {
        // A device that began anew goes on from where its store was, and with what it had seen there.
        let earlier = sync.devices.numbers_of(&device.device.id);
        let mut tried = earlier
            .into_iter()
            .filter(|earlier| *earlier != number)
            .map(|earlier| sync.cursors.read(&sync.engine, earlier, text));
        let found = tried.find(|tried| *tried != Err(super::cursor::CursorError::Forged));
        read = found.unwrap_or(read);
    }
    read.map_err(|error| {
        let code = match error {
            super::cursor::CursorError::Forged => {
                super::contact::refused(state, &device.device.id, "cursor_unknown", "");
                "cursor_unknown"
            }
            super::cursor::CursorError::OtherHistory => "cursor_of_another_history",
        };
        Problem::new(ProblemKind::Conflict, error.to_string()).with("code", code)
    })
}

/// The head, and whether something in the device's scope changed after `from`. Blocks.
///
/// # Errors
/// When the log cannot be read.
pub fn has_news(
    state: &AppState,
    device: &DeviceCaller,
    from: LogPosition,
) -> Result<(LogPosition, bool), Problem> {
    let scope = DeviceScope::of(state, device)?;
    let fold = state.sync.engine.current()?;
    let scope = scope.planned_in(state, &fold);
    let news = fold.depot.changed_within(from, &scope).any(|(_, handle)| {
        fold.depot.store().get(handle).is_ok_and(|entity| {
            scope.covers(handle, &entity) || scope.moved_after(handle, &entity, from)
        })
    });
    Ok((fold.depot.head(), news))
}

/// One page. Blocks; reads no disk beyond what the state has not folded yet.
///
/// # Errors
/// When the log cannot be read.
pub fn pull(state: &AppState, device: &DeviceCaller, ask: &Ask) -> Result<Pulled, Problem> {
    let sync = &state.sync;
    let number = device.device.number;
    sync.contacts
        .note(&device.device.id, state.clock.now(), false, true);
    let first = if ask.binary { 1 } else { SCHEMA_NUMBER };
    let scope = DeviceScope::of(state, device)?.of_schema(ask.schema.unwrap_or(first));
    let mut fold = sync.engine.current()?;
    let scope = scope.planned_in(state, &fold);
    // Only frames are told against it.
    let head_ms = match ask.binary {
        true => sync.engine.time_of(fold.depot.head()),
        false => 0,
    };
    let request = PullRequest {
        device: DeviceId::new(number),
        cursor: ask.cursor,
        head_ms,
        entities_max: ask.limit,
        with_digest: ask.digest,
    };
    if ask.binary {
        let page = fold.depot.pull_encoded(&request, &scope);
        let page = page.map_err(|error| Problem::internal(&error))?;
        drop(fold);
        let cursor = sync.cursors.write(&sync.engine, number, page.next);
        return Ok(Pulled::Binary(page.bytes.to_vec(), cursor));
    }
    let page = fold.depot.pull_within(&request, &scope);
    let page = page.map_err(|error| Problem::internal(&error))?;
    let next = page.next();
    let states = page_to_json(&fold.depot, &page, &sync.devices);
    drop(fold);
    let cursor = sync.cursors.write(&sync.engine, number, next);
    let mut body = json!({
        "states": states.0,
        "total_count": states.1,
        "deleted": states.2,
        "has_more": !page.is_last(),
        "next_cursor": cursor,
        "head": page.head.get(),
    });
    if let (Some(manifest), Some(body)) = (states.3, body.as_object_mut()) {
        body.insert("manifest".to_owned(), manifest);
    }
    Ok(Pulled::Json(body))
}

type States = (Vec<Json>, usize, Vec<Json>, Option<Json>);

fn page_to_json(depot: &crdt::sync::Depot, page: &Page, devices: &Devices) -> States {
    let name = |handle| {
        let (table, id) = depot.store().name(handle)?;
        Some((table, String::from_utf8_lossy(id).into_owned()))
    };
    let named = |handle| {
        let (table, id) = name(handle)?;
        Some(json!({ "entity_type": table.name, "entity_id": id }))
    };
    let empty = Vec::new();
    let mut handles: Vec<_> = page.entities.iter().map(|(handle, _)| *handle).collect();
    handles.extend(page.created.iter().map(|(handle, _, _)| *handle));
    handles.sort_unstable();
    handles.dedup();
    let states: Vec<Json> = handles
        .iter()
        .filter_map(|handle| {
            let (table, id) = name(*handle)?;
            let slots = page
                .entities
                .binary_search_by_key(handle, |(known, _)| *known)
                .map_or(&empty, |index| &page.entities[index].1);
            let position = depot.store().changed(*handle).map(LogPosition::get);
            Some(json!({
                "entity_type": table.name,
                "entity_id": id,
                "position": position,
                "fields": slots_to_json(table, slots, devices),
            }))
        })
        .collect();
    let deleted = page.deleted.iter().filter_map(|handle| named(*handle));
    let manifest = page.manifest.as_ref().map(|manifest| {
        let live = manifest.iter().filter_map(|handle| named(*handle));
        live.collect()
    });
    let count = states.len();
    (states, count, deleted.collect(), manifest)
}

fn slots_to_json(table: &EntityTable, slots: &[Slot], devices: &Devices) -> Json {
    let mut fields: Map<String, Json> = Map::new();
    for slot in slots {
        let Some(row) = table.field(slot.field) else {
            continue;
        };
        match &slot.update {
            Update::Whole(view) => {
                fields.insert(row.name.to_owned(), view_to_json(row, view, devices));
            }
            Update::Member(member, present) => {
                let list = if *present { "added" } else { "removed" };
                push(&mut fields, row.name, list, value_to_json(member));
            }
            Update::Item(key, Some(item)) => {
                let item = item_to_json(row, item, devices);
                let item = json!({ "key": value_to_json(key), "fields": item });
                push(&mut fields, row.name, "items_changed", item);
            }
            Update::Item(key, None) => {
                push(&mut fields, row.name, "items_removed", value_to_json(key));
            }
        }
    }
    Json::Object(fields)
}

fn push(fields: &mut Map<String, Json>, name: &str, list: &str, value: Json) {
    let held = fields.entry(name.to_owned()).or_insert_with(|| json!({}));
    let Some(held) = held.as_object_mut() else {
        return;
    };
    let list = held.entry(list.to_owned()).or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.push(value);
    }
}

fn view_to_json(row: &FieldRow, view: &FieldView, devices: &Devices) -> Json {
    match view {
        FieldView::Register(register) => register_to_json(register, devices),
        FieldView::Max(reading) => json!({ "value": reading.value(), "epoch": reading.epoch() }),
        FieldView::Counter(sum) => json!({ "value": sum }),
        FieldView::Flag(on) => json!({ "value": on }),
        FieldView::Set(members) => {
            let members: Vec<Json> = members.iter().map(value_to_json).collect();
            json!({ "value": members })
        }
        FieldView::Map(items) => {
            let items: Vec<Json> = items
                .iter()
                .map(|(key, item)| {
                    json!({ "key": value_to_json(key), "fields": item_to_json(row, item, devices) })
                })
                .collect();
            json!({ "items": items })
        }
    }
}

fn item_to_json(
    row: &FieldRow,
    item: &std::collections::BTreeMap<u16, RegisterView>,
    devices: &Devices,
) -> Json {
    let Kind::Map { items, .. } = row.kind else {
        return Json::Null;
    };
    let fields = item.iter().filter_map(|(number, register)| {
        let item = items.iter().find(|item| item.number == *number)?;
        Some((item.name.to_owned(), register_to_json(register, devices)))
    });
    Json::Object(fields.collect())
}

fn register_to_json(register: &RegisterView, devices: &Devices) -> Json {
    let mut shown = write_to_json(&register.winner, devices);
    if let Some(shown) = shown
        .as_object_mut()
        .filter(|_| !register.siblings.is_empty())
    {
        let siblings = register.siblings.iter();
        let siblings = siblings
            .map(|write| write_to_json(write, devices))
            .collect();
        shown.insert("siblings".to_owned(), siblings);
    }
    shown
}

fn write_to_json(write: &ViewWrite, devices: &Devices) -> Json {
    let device = match write.device.get() {
        0 => "server".into(),
        number => devices.named(number).unwrap_or_default(),
    };
    json!({
        "value": value_to_json(&write.value),
        "timestamp": stamp_to_text(write.stamp),
        "device_id": device,
    })
}

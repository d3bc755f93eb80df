//! The fold that works for every stream: from an aggregate's events to its state, a flat JSON object.
//!
//! What an event does is read from the tables ([`crate::schema`]) where they know it. An unknown event merges its
//! payload field by field, with one rule more: a pair `old_x` and `new_x` sets `x`. An event named after its aggregate
//! with `Created` or `Deleted` behind it begins or ends the aggregate's life.
//!
//! **Late events.** Beside each value stands the [`Stamp`] of the event that set it, and an event with an earlier stamp
//! changes nothing. So the state depends on which events were folded and not on the order they arrived in: a status
//! reported late does not overwrite a newer one, and one reported late but never overtaken still counts.
//! Where the real world only counts upwards, [`Highest`] takes the latest value's place; where events tell differences,
//! they are added up. Lists whose items have names
//! keep a stamp for each field of each item, so they mind the order as little.

mod highest;
mod items;
mod state;
mod sum;
#[cfg(test)]
mod tests;
mod unread;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub use highest::{Highest, READINGS_MAX};
pub use state::State;
use sum::Unit;
pub use unread::{UNREAD_FIELDS_MAX, Unread};

use crate::event::{EventView, Stamp};
use crate::registry::{KnownEvent, Registry, registry};
use crate::schema::canon::meant_field;
use crate::schema::{EventSchema, ItemRule, ItemTotals, Kind, Sets, Total, canonical_data};

/// The state after `event`, by the tables of [`registry`].
pub fn fold(state: State, event: &EventView<'_>) -> State {
    fold_by(registry(), state, event)
}

/// The state after `event`, by the tables of `registry`. Never panics and never refuses: the log is the truth.
pub fn fold_by(registry: &Registry, state: State, event: &EventView<'_>) -> State {
    match registry.event(event.aggregate_type, event.event_type) {
        Some(known) => {
            let data = canonical_data(known.aggregate, known.event, event.schema, event.data);
            fold_known(state, known, event, &data)
        }
        None => fold_unknown(registry, state, event),
    }
}

/// The state after an event that a table knows. `data` is its payload in the current schema.
pub(crate) fn fold_known(
    mut state: State,
    known: KnownEvent,
    event: &EventView<'_>,
    data: &Map<String, Value>,
) -> State {
    state.note(event);
    merge_known(&mut state, known, event, data);
    note_life(&mut state, event, known.event.begins);
    state
}

/// The state after an event that no table knows.
pub(crate) fn fold_unknown(registry: &Registry, mut state: State, event: &EventView<'_>) -> State {
    state.note(event);
    let aggregate = registry.aggregate(event.aggregate_type);
    let highest = aggregate.map_or(&[][..], |aggregate| aggregate.highest);
    merge_unknown(&mut state, highest, event.stamp(), event.data);
    note_life(&mut state, event, false);
    state
}

fn note_life(state: &mut State, event: &EventView<'_>, begins: bool) {
    match event.canonical_type().strip_prefix(event.aggregate_type) {
        Some("Created") => state.begin_life(event.stamp()),
        Some("Deleted") => state.end_life(event.stamp()),
        _ if begins => state.begin_life(event.stamp()),
        _ => {}
    }
}

/// The state after all of `events`.
pub fn fold_all<'a>(events: impl IntoIterator<Item = EventView<'a>>) -> State {
    events
        .into_iter()
        .fold(State::default(), |state, event| fold(state, &event))
}

fn merge_known(
    state: &mut State,
    known: KnownEvent,
    event: &EventView<'_>,
    data: &Map<String, Value>,
) {
    let KnownEvent {
        aggregate,
        event: table,
    } = known;
    let stamp = event.stamp();
    if let Some(rule) = &table.item {
        merge_item(state, table, *rule, data, stamp);
    }
    let describes = !table.report && table.item.is_none();
    for (key, constant) in table.implies {
        let sets_it = |name: &String| match table.sets(name) {
            Sets::Itself => describes && name == key,
            Sets::Key(set) => set == *key,
            Sets::Corrects(_) | Sets::Adds(_) | Sets::AddsEach(_) | Sets::Nothing => false,
        };
        if !data.keys().any(sets_it) {
            merge(state, aggregate.highest, key, &constant.value(), stamp);
        }
    }
    for (name, value) in data {
        match table.sets(name) {
            Sets::Itself if !describes => {}
            Sets::Itself => merge(state, aggregate.highest, name, value, stamp),
            Sets::Key(key) => merge(state, aggregate.highest, key, value, stamp),
            Sets::Corrects(key) => state.correct(key, value, stamp),
            Sets::Adds(total) => add(state, total, table, name, value, data),
            Sets::AddsEach(totals) => add_each(state, totals, value),
            Sets::Nothing => {}
        }
    }
    if describes {
        spell_old_names(state, known, event.data);
    }
}

/// Puts or removes the item that the event is about; an event that names none changes nothing.
fn merge_item(
    state: &mut State,
    table: &EventSchema,
    rule: ItemRule,
    data: &Map<String, Value>,
    stamp: Stamp,
) {
    let name = match data.get(rule.key) {
        Some(Value::String(name)) => Cow::Borrowed(name.as_str()),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        _ => return,
    };
    if rule.removes {
        return state.remove_item(rule.list, &name, stamp);
    }
    let fields = data
        .iter()
        .map(|(field, value)| (field.as_str(), value))
        .filter(|(field, _)| table.sets(field) == Sets::Itself);
    state.put_item(rule.list, &name, fields, stamp);
}

/// Notes the old names under which fields came, so that who looks for one finds the present value.
fn spell_old_names(state: &mut State, known: KnownEvent, data: &Map<String, Value>) {
    let KnownEvent {
        aggregate,
        event: table,
    } = known;
    for given in data.keys() {
        let Some(meant) = meant_field(aggregate, table, given) else {
            continue;
        };
        match table.field(meant).map(|field| field.sets) {
            Some(Sets::Itself) => state.spell(given, meant),
            Some(Sets::Key(key) | Sets::Corrects(key)) => state.spell(given, key),
            Some(Sets::Adds(_) | Sets::AddsEach(_) | Sets::Nothing) | None => {}
        }
    }
}

/// Adds a delta to its total and, where the table says so, to the share of it that another field names.
fn add(
    state: &mut State,
    total: Total,
    table: &EventSchema,
    field: &str,
    delta: &Value,
    data: &Map<String, Value>,
) {
    let unit = match table.field(field).map(|field| field.kind) {
        Some(Kind::Money) => Unit::Hundredths,
        _ => Unit::Pieces,
    };
    state.add(total.key, unit, delta);
    if let Some((shares, by)) = total.shares
        && let Some(name) = data.get(by).and_then(Value::as_str)
    {
        state.add_to(shares, name, delta);
    }
}

/// Adds the delta of each listed item to what is counted under the name that the item gives.
fn add_each(state: &mut State, totals: ItemTotals, items: &Value) {
    for item in items.as_array().into_iter().flatten() {
        if let (Some(name), Some(delta)) = (
            item.get(totals.by).and_then(Value::as_str),
            item.get(totals.delta),
        ) {
            state.add_to(totals.key, name, delta);
        }
    }
}

fn merge_unknown(state: &mut State, highest: &[&str], stamp: Stamp, data: &Map<String, Value>) {
    for (name, value) in data {
        if let Some(key) = name.strip_prefix("old_").filter(|key| !key.is_empty())
            && data.contains_key(&format!("new_{key}"))
        {
            continue;
        }
        let key = name
            .strip_prefix("new_")
            .filter(|key| !key.is_empty() && data.contains_key(&format!("old_{key}")))
            .unwrap_or(name);
        merge(state, highest, key, value, stamp);
    }
}

fn merge(state: &mut State, highest: &[&str], key: &str, value: &Value, stamp: Stamp) {
    if highest.contains(&key) {
        state.raise(key, value, stamp);
    } else {
        state.set(key, value, stamp);
    }
}

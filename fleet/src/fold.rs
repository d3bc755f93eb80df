//! The fold that works for every stream: from an aggregate's events to its state, a flat JSON object.
//!
//! What an event does is read from the tables ([`crate::schema`]) where they know it. An unknown event merges its
//! payload field by field, with two rules more: a pair `old_x` and `new_x` sets `x`, and nothing sets what is
//! [reserved](AggregateSchema::is_reserved). An event named after its aggregate with `Created` or `Deleted` behind it
//! begins or ends the aggregate's life.
//!
//! **Late events.** Beside each value stands the [`Stamp`] of the event that set it, and an event with an earlier stamp
//! changes nothing. So the state depends on which events were folded and not on the order they arrived in: a status
//! reported late does not overwrite a newer one, and one reported late but never overtaken still counts.
//! Where the real world only counts upwards, [`Highest`] takes the latest value's place; where events tell differences,
//! they are added up. Lists whose items have names
//! keep a stamp for each field of each item, so they mind the order as little.

mod highest;
mod items;
pub mod plain;
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
use crate::schema::{
    AggregateSchema, EventSchema, ItemRule, ItemTotals, Kind, Sets, Total, canonical_data,
};

/// The state after `event`, by the tables of [`registry`].
pub fn fold(state: State, event: &EventView<'_>) -> State {
    fold_by(registry(), state, event)
}

/// The state after `event`, by the tables of `registry`. Never panics and never refuses: the log is the truth.
pub fn fold_by(registry: &Registry, mut state: State, event: &EventView<'_>) -> State {
    match registry.event(event.aggregate_type, event.event_type) {
        Some(known) => {
            let data = canonical_data(known.aggregate, known.event, event.schema, event.data);
            fold_known(&mut state, known, event, &data);
        }
        None => fold_unknown(registry, &mut state, event),
    }
    state
}

/// Takes in an event that a table knows. `data` is its payload in the current schema.
pub(crate) fn fold_known(
    state: &mut State,
    known: KnownEvent,
    event: &EventView<'_>,
    data: &Map<String, Value>,
) {
    state.note(event);
    merge_known(state, known, event, data);
    note_life(state, event, known.event.begins);
}

/// Takes in an event that no table knows.
pub(crate) fn fold_unknown(registry: &Registry, state: &mut State, event: &EventView<'_>) {
    state.note(event);
    let aggregate = registry.aggregate(event.aggregate_type);
    merge_unknown(state, aggregate, event);
    note_life(state, event, false);
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
    effects(known, data, &mut |effect| match effect {
        Effect::Set(key, value) => merge(state, aggregate.highest, key, value, stamp),
        Effect::Correct(key, value) => state.correct(key, value, stamp),
        Effect::Add {
            total,
            field,
            delta,
        } => add(state, total, table, field, delta, data),
        Effect::AddEach(totals, items) => add_each(state, totals, items),
        Effect::Put { list, name, fields } => {
            state.put_item(list, name, fields.iter().copied(), stamp)
        }
        Effect::Remove { list, name } => state.remove_item(list, name, stamp),
    });
    let describes = !table.report && table.item.is_none();
    if describes {
        spell_old_names(state, known, event.data);
    }
}

/// One thing that an event does to a state.
#[derive(Debug)]
pub enum Effect<'a> {
    /// A key has this value.
    Set(&'a str, &'a Value),
    /// A key that only rises was wrong, and has this value.
    Correct(&'a str, &'a Value),
    /// A total changes by what this field of the event says.
    Add {
        /// The total.
        total: Total,
        /// The field.
        field: &'a str,
        /// Its value.
        delta: &'a Value,
    },
    /// Totals by name change by what the items of this list say.
    AddEach(ItemTotals, &'a Value),
    /// An item of a list comes, or some of its fields change.
    Put {
        /// The list.
        list: &'static str,
        /// The item.
        name: &'a str,
        /// Its fields.
        fields: &'a [(&'a str, &'a Value)],
    },
    /// An item of a list goes; an event that names none changes nothing.
    Remove {
        /// The list.
        list: &'static str,
        /// The item.
        name: &'a str,
    },
}

/// Tells what a known event does, in order. `data` is its payload in the current schema.
pub fn effects(known: KnownEvent, data: &Map<String, Value>, visit: &mut dyn FnMut(Effect<'_>)) {
    let table = known.event;
    if let Some(rule) = &table.item {
        item_effect(table, *rule, data, visit);
    }
    let describes = !table.report && table.item.is_none();
    for (key, constant) in table.implies {
        let sets_it = |name: &String| match table.sets(name) {
            Sets::Itself => describes && name == key,
            Sets::Key(set) => set == *key,
            Sets::Corrects(_) | Sets::Adds(_) | Sets::AddsEach(_) | Sets::Nothing => false,
        };
        if !data.keys().any(sets_it) {
            visit(Effect::Set(key, &constant.value()));
        }
    }
    for (name, value) in data {
        match table.sets(name) {
            Sets::Itself if !describes || is_stray(known, name) => {}
            Sets::Itself => visit(Effect::Set(name, value)),
            Sets::Key(key) => visit(Effect::Set(key, value)),
            Sets::Corrects(key) => visit(Effect::Correct(key, value)),
            Sets::Adds(total) => visit(Effect::Add {
                total,
                field: name,
                delta: value,
            }),
            Sets::AddsEach(totals) => visit(Effect::AddEach(totals, value)),
            Sets::Nothing => {}
        }
    }
}

/// Whether a field that the event's table lacks stands for something that only the tables' own fields set.
fn is_stray(known: KnownEvent, name: &str) -> bool {
    let KnownEvent { aggregate, event } = known;
    aggregate.is_reserved(event.event_type, name) && event.field(name).is_none()
}

fn item_effect(
    table: &EventSchema,
    rule: ItemRule,
    data: &Map<String, Value>,
    visit: &mut dyn FnMut(Effect<'_>),
) {
    let name = match data.get(rule.key) {
        Some(Value::String(name)) => Cow::Borrowed(name.as_str()),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        _ => return,
    };
    let (list, name) = (rule.list, &*name);
    if rule.removes {
        return visit(Effect::Remove { list, name });
    }
    let fields: Vec<_> = data
        .iter()
        .map(|(field, value)| (field.as_str(), value))
        .filter(|(field, _)| table.sets(field) == Sets::Itself)
        .collect();
    visit(Effect::Put {
        list,
        name,
        fields: &fields,
    });
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

fn merge_unknown(state: &mut State, aggregate: Option<&AggregateSchema>, event: &EventView<'_>) {
    let highest = aggregate.map_or(&[][..], |aggregate| aggregate.highest);
    let event_type = event.canonical_type();
    let (data, stamp) = (event.data, event.stamp());
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
        if aggregate.is_none_or(|aggregate| !aggregate.is_reserved(event_type, key)) {
            merge(state, highest, key, value, stamp);
        }
    }
}

fn merge(state: &mut State, highest: &[&str], key: &str, value: &Value, stamp: Stamp) {
    if highest.contains(&key) {
        state.raise(key, value, stamp);
    } else {
        state.set(key, value, stamp);
    }
}

//! An aggregate that is in the log already: what its rows tell now that they did not tell when it was imported.
//!
//! Events that are missing are added as they are. What the rows then still say otherwise is told by one more event of
//! change. Where somebody changed the aggregate here meanwhile, the log has the last word and nothing is added.

use fleet::calendar;
use fleet::user::events as user_events;
use serde_json::{Map, Value, json};
use storage::{NewEvent, Position, Timestamp};

use crate::compare::{Comparer, Difference};
use crate::finding::{Findings, Sample, Treatment};
use crate::held::Held;
use crate::ids;
use crate::made::{Expected, IMPORTER, Portion, metadata};
use crate::mapping::Seen;
use crate::stale::{self, StaleRow};
use fleet::{EventView, order_of_next};

/// The events to append to a stream of which the log holds `held`, whose events will be behind `last`.
pub(crate) fn settle(
    portion: &Portion,
    mut held: Held,
    last: Position,
    comparer: &mut Comparer,
    findings: &mut Findings,
) -> Vec<NewEvent> {
    let is_held = |event: &NewEvent| {
        let held = event.id.and_then(|id| held.imported.get(&id));
        held.is_some_and(|data| *data == event.data)
    };
    // A part's level is what its events come to, and stands in none of them; nor does the time of a login.
    let tells_all = ![fleet::part::AGGREGATE_TYPE, fleet::user::AGGREGATE_TYPE]
        .contains(&&*portion.stream.aggregate_type);
    let stale = stale::rows(portion, &held);
    // What was changed once may be as it was at first: then it has to be said again.
    let was_changed = held.imported.len() > portion.events.len();
    if stale.is_empty() && tells_all && !was_changed && portion.events.iter().all(is_held) {
        return Vec::new();
    }
    let has_id = |event: &&NewEvent| event.id.is_some_and(|id| held.imported.contains_key(&id));
    let mut added: Vec<NewEvent> = portion
        .events
        .iter()
        .filter(|event| !has_id(event))
        .cloned()
        .collect();
    let is_first = held.imported.is_empty();
    let native = held.native;
    for event in &added {
        fold(portion, event, last, &mut held);
    }
    let restated = restated(portion, &held, comparer);
    for event in &restated {
        fold(portion, event, last, &mut held);
    }
    added.extend(restated);
    let changes = changes(portion, &held, &stale, comparer);
    if native > 0 && !is_first {
        if let (Some(expected), false) = (
            portion.expected.first(),
            changes.is_empty() && added.is_empty(),
        ) {
            let (table, key) = (expected.table.name, expected.key.as_str());
            findings.note(table, Treatment::ChangedOnBothSides, || {
                Sample::of_row(key, "")
            });
        }
        return Vec::new();
    }
    let at = latest(portion, &held);
    for change in changes {
        added.push(change.event(&held, at));
    }
    added
}

fn fold(portion: &Portion, event: &NewEvent, last: Position, held: &mut Held) {
    let Ok(data) = serde_json::from_slice::<Map<String, Value>>(&event.data) else {
        return;
    };
    held.version += 1;
    let at = event.occurred_at.map_or(0, Timestamp::micros);
    held.latest = held.latest.max(Some(at));
    if let Some(id) = event.id {
        held.imported.insert(id, event.data.clone());
    }
    let version = held.version;
    held.fold(&EventView {
        aggregate_type: &portion.stream.aggregate_type,
        aggregate_id: &portion.stream.aggregate_id,
        event_type: &event.event_type,
        schema: event.schema,
        version,
        position: last.get() + u64::from(version),
        occurred_at: at,
        recorded_at: at,
        order: order_of_next(version),
        data: &data,
    });
}

/// Events that happened once, told anew where their rows say them otherwise now.
fn restated(portion: &Portion, held: &Held, comparer: &mut Comparer) -> Vec<NewEvent> {
    let mut restated = Vec::new();
    for expected in &portion.expected {
        let is_told_once = matches!(expected.seen, Seen::Event(_));
        let stream = &portion.stream;
        if !is_told_once
            || comparer
                .compare(stream, expected, held)
                .differences
                .is_empty()
        {
            continue;
        }
        if let Some(told) = portion.told(expected) {
            let number = held.next_number(stream, expected);
            restated.push(NewEvent {
                id: Some(ids::again_id(expected.event_id(), stream, number)),
                ..told.clone()
            });
        }
    }
    restated
}

/// An event that brings what a row says now.
struct Change<'a> {
    expected: &'a Expected,
    event_type: String,
    schema: u16,
    data: Value,
    /// When it happened, where the row tells that.
    at: Option<i64>,
    /// Tags beside that of who did it.
    tags: Vec<Box<str>>,
}

impl<'a> Change<'a> {
    fn of(expected: &'a Expected, event_type: impl Into<String>, data: Value) -> Self {
        Change {
            expected,
            event_type: event_type.into(),
            schema: 1,
            data,
            at: None,
            tags: Vec::new(),
        }
    }

    fn event(&self, held: &Held, at: i64) -> NewEvent {
        let data = self.data.to_string().into_bytes();
        let (table, key) = (self.expected.table.name, self.expected.key.as_str());
        NewEvent {
            id: Some(ids::change_id(table, key, held.version, &data)),
            event_type: self.event_type.as_str().into(),
            schema: self.schema,
            occurred_at: Some(Timestamp::from_micros(self.at.unwrap_or(at))),
            data,
            metadata: metadata(table, key),
            tags: [IMPORTER.into()]
                .into_iter()
                .chain(self.tags.iter().cloned())
                .collect(),
        }
    }
}

fn changes<'a>(
    portion: &'a Portion,
    held: &Held,
    stale: &[StaleRow],
    comparer: &mut Comparer,
) -> Vec<Change<'a>> {
    let mut changes = Vec::new();
    let mut lines_differ = false;
    for expected in &portion.expected {
        let compared = comparer.compare(&portion.stream, expected, held);
        if compared.differences.is_empty() {
            continue;
        }
        match expected.seen {
            Seen::State => {
                state_changes(portion, expected, &compared.differences, held, &mut changes)
            }
            Seen::Item(..) => changes.extend(item_change(portion, expected, &compared.differences)),
            Seen::Line(_) => lines_differ = true,
            Seen::Account => {
                account_changes(portion, expected, &compared.differences, &mut changes)
            }
            // What happened once was told anew already.
            Seen::Event(_) | Seen::LogRow => {}
        }
    }
    for row in stale {
        match row.child.mapping.seen {
            Seen::Item(list, _) => changes.extend(removal(portion, list, row)),
            _ => lines_differ = true,
        }
    }
    if lines_differ && let Some(change) = lines_change(portion) {
        changes.push(change);
    }
    changes
}

fn state_changes<'a>(
    portion: &Portion,
    expected: &'a Expected,
    differences: &[Difference],
    held: &Held,
    changes: &mut Vec<Change<'a>>,
) {
    let aggregate = &*portion.stream.aggregate_type;
    let mut fields = Map::new();
    for difference in differences {
        let there = difference.there.clone();
        let lower = there.as_i64() < difference.here.as_i64();
        match (aggregate, difference.column.as_str()) {
            // The level is a sum: what is missing of it is added.
            ("Part", "current_stock") => {
                let level = held.state.integer("current_stock").unwrap_or(0);
                let delta = there.as_i64().unwrap_or(0).saturating_sub(level);
                let data =
                    json!({ "delta": delta, "reason": "the level that the old system stated" });
                changes.push(Change {
                    schema: 2,
                    ..Change::of(expected, "StockLevelChanged", data)
                });
            }
            // The odometer only rises, unless a reading is said to have been wrong.
            ("Vehicle", "current_mileage_km") if lower => {
                let data = json!({ "new_mileage": there, "reason": "the reading that the old system stated" });
                changes.push(Change::of(expected, "VehicleMileageCorrected", data));
            }
            // Where the creations of several rows stand in one stream, the latest gives the UUID.
            (_, "id") => changes.extend(creation(portion, expected, there)),
            (_, column) => {
                fields.insert(column.to_owned(), there);
            }
        }
    }
    if !fields.is_empty() {
        changes.push(Change {
            schema: if aggregate == "Vehicle" { 2 } else { 1 },
            ..Change::of(
                expected,
                format!("{aggregate}Updated"),
                Value::Object(fields),
            )
        });
    }
}

/// A creation that gives the row this UUID, as no other event does. The status stands in it too: a creation without one is read
/// as that of an available vehicle.
fn creation<'a>(portion: &Portion, expected: &'a Expected, id: Value) -> Option<Change<'a>> {
    let told = portion.told(expected)?;
    let mut row: Map<String, Value> = serde_json::from_slice(&expected.row).ok()?;
    let mut fields = Map::new();
    fields.insert("id".to_owned(), id);
    if let Some(status) = row.remove("status") {
        fields.insert("status".to_owned(), status);
    }
    Some(Change {
        schema: told.schema,
        ..Change::of(expected, &*told.event_type, Value::Object(fields))
    })
}

fn item_change<'a>(
    portion: &Portion,
    expected: &'a Expected,
    differences: &[Difference],
) -> Option<Change<'a>> {
    let told = portion.told(expected)?;
    let row: Map<String, Value> = serde_json::from_slice(&expected.row).ok()?;
    let known = fleet::registry().event(&portion.stream.aggregate_type, &told.event_type)?;
    let name = known.event.item?.key;
    let mut fields = Map::new();
    fields.insert(name.to_owned(), row.get(name).cloned().unwrap_or_default());
    for difference in differences {
        fields.insert(difference.column.clone(), difference.there.clone());
    }
    Some(Change {
        schema: told.schema,
        ..Change::of(expected, &*told.event_type, Value::Object(fields))
    })
}

/// Takes an item out of the aggregate to which its row belongs no more.
fn removal<'a>(portion: &'a Portion, list: &str, row: &StaleRow) -> Option<Change<'a>> {
    let aggregate = fleet::registry().aggregate(&portion.stream.aggregate_type)?;
    let (event, rule) = aggregate.events.iter().find_map(|event| {
        let rule = event
            .item
            .filter(|rule| rule.removes && rule.list == list)?;
        Some((event, rule))
    })?;
    let mut fields = Map::new();
    fields.insert(rule.key.to_owned(), row.key.as_str().into());
    fields.insert(
        "reason".to_owned(),
        format!("{} has no such row there any more", row.table()).into(),
    );
    Some(Change {
        schema: event.schema,
        ..Change::of(
            portion.expected.first()?,
            event.event_type,
            Value::Object(fields),
        )
    })
}

/// All lines as they are now: they change as a whole.
fn lines_change(portion: &Portion) -> Option<Change<'_>> {
    let expected = portion.expected.first()?;
    let created: Map<String, Value> = serde_json::from_slice(&portion.events.first()?.data).ok()?;
    let lines = created.get("lines").cloned().unwrap_or_else(|| json!([]));
    let event_type = format!("{}Updated", portion.stream.aggregate_type);
    Some(Change::of(expected, event_type, json!({ "lines": lines })))
}

fn account_changes<'a>(
    portion: &Portion,
    expected: &'a Expected,
    differences: &[Difference],
    changes: &mut Vec<Change<'a>>,
) {
    let mut told = Map::new();
    for Difference { column, there, .. } in differences {
        let (event_type, data) = match (column.as_str(), there) {
            ("password_hash", hash) => (
                user_events::USER_PASSWORD_CHANGED,
                json!({ "password_hash": hash }),
            ),
            ("role", role) => (user_events::USER_ROLE_CHANGED, json!({ "new_role": role })),
            ("is_active", Value::Bool(true)) => (user_events::USER_REACTIVATED, json!({})),
            ("is_active", _) => (
                user_events::USER_DEACTIVATED,
                json!({ "reason": "imported" }),
            ),
            ("last_login", Value::String(time)) => {
                changes.push(Change {
                    at: calendar::parse_time(time),
                    ..Change::of(expected, user_events::USER_LOGGED_IN, json!({}))
                });
                continue;
            }
            // Nobody forgets that somebody has logged in.
            ("last_login", _) => continue,
            _ => {
                told.insert(column.clone(), there.clone());
                continue;
            }
        };
        changes.push(Change::of(expected, event_type, data));
    }
    if told.is_empty() {
        return;
    }
    // The registration that would be made of the row today claims the names that it may have.
    let registered = portion.events.first();
    let tags = registered.map_or(&[][..], |event| &event.tags);
    let claims = tags.iter().filter(|tag| &***tag != IMPORTER);
    changes.push(Change {
        tags: claims.cloned().collect(),
        ..Change::of(expected, user_events::USER_UPDATED, Value::Object(told))
    });
}

/// A change counts from when the row was last changed, but not before anything that it changes.
fn latest(portion: &Portion, held: &Held) -> i64 {
    let changed = portion.expected.iter().filter_map(|expected| {
        let row: Map<String, Value> = serde_json::from_slice(&expected.row).ok()?;
        calendar::parse_time(row.get("updated_at")?.as_str()?)
    });
    changed
        .max()
        .into_iter()
        .chain(held.latest)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;

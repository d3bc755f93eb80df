//! Setting fields back to what they were, by one more event: which events the domain has for that, and what they lead to.
//!
//! Pure. Nothing here knows a field by name: the tables of [`fleet::schema`] say which event sets what. What comes out is
//! folded on top of the present state and compared with what was wanted, so a proposal never promises more than it does.

use std::collections::BTreeMap;

use fleet::schema::{AggregateSchema, EventSchema, Field, Kind, Sets};
use fleet::{EventView, order_of_next};
use serde_json::{Map, Value};

use super::diff::{Difference, diff};
use super::folded::Folded;

/// What a field is called that says why.
const REASON: &str = "reason";

/// What to set back, and why.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// The aggregate's type.
    pub aggregate_type: &'a str,
    /// The state now.
    pub now: &'a Folded,
    /// The state that is wanted.
    pub then: &'a Folded,
    /// The fields to set back; all that differ if empty.
    pub fields: &'a [String],
    /// Goes into events that ask for a reason.
    pub reason: &'a str,
    /// The present time, microseconds since 1970 UTC.
    pub now_micros: i64,
}

/// An event that sets something back.
#[derive(Clone, Debug, PartialEq)]
pub struct Compensation {
    /// Its type.
    pub event_type: String,
    /// The number of the schema that its data follows.
    pub schema: u16,
    /// Its data.
    pub data: Map<String, Value>,
}

/// What can be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposal {
    /// The events, in order.
    pub events: Vec<Compensation>,
    /// What they change.
    pub changes: Vec<Difference>,
    /// Fields that stay as they are, and why.
    pub left: BTreeMap<String, String>,
}

/// What would set the wanted fields back.
pub fn propose(wish: &Wish<'_>) -> Proposal {
    let (now, then) = (wish.now.to_object(), wish.then.to_object());
    let mut fields: Vec<String> = diff(&now, &then)
        .iter()
        .map(|difference| difference.field().to_owned())
        .filter(|field| wish.fields.is_empty() || wish.fields.contains(field))
        .collect();
    fields.dedup();
    let mut proposal = Proposal::default();
    let table = fleet::registry().aggregate(wish.aggregate_type);
    for field in &fields {
        let wanted = then.get(field).cloned().unwrap_or(Value::Null);
        let added = match table {
            Some(table) => add_known(&mut proposal.events, table, wish, field, wanted),
            None => {
                let event_type = format!("{}Restored", wish.aggregate_type);
                put(&mut proposal.events, event_type, 1, field, wanted);
                Ok(())
            }
        };
        if let Err(why) = added {
            proposal.left.insert(field.clone(), why);
        }
    }
    if let Some(table) = table {
        drop_invalid(&mut proposal, table);
    }
    let restored = folded_on_top(wish, &proposal.events);
    proposal.changes = diff(&now, &restored);
    for field in fields {
        if restored.get(&field).filter(|value| !value.is_null())
            != then.get(&field).filter(|value| !value.is_null())
        {
            let why = "the domain's events cannot bring it back to this value";
            proposal.left.entry(field).or_insert_with(|| why.to_owned());
        }
    }
    proposal
}

/// Adds what sets `key` to `wanted` to the event that does so.
fn add_known(
    events: &mut Vec<Compensation>,
    table: &AggregateSchema,
    wish: &Wish<'_>,
    key: &str,
    wanted: Value,
) -> Result<(), String> {
    if table.named_by == Some(key) {
        return Err("it is what the row goes by, which only an importer changes".to_owned());
    }
    let falls = table.highest.contains(&key)
        && wish.now.subject.record.integer(key) > wish.then.subject.record.integer(key);
    let setters = table
        .events
        .iter()
        .filter(|event| !begins_or_ends(table, event));
    let mut found: Vec<(&EventSchema, &Field)> = setters
        .flat_map(|event| event.fields.iter().map(move |field| (event, field)))
        .filter(|(event, field)| match field.sets {
            Sets::Corrects(set) => falls && set == key,
            Sets::Key(set) => !falls && set == key,
            Sets::Itself => !falls && !event.report && field.name == key,
            _ => false,
        })
        .filter(|(event, field)| can_fill(event, field))
        .collect();
    // The event that describes the aggregate as a whole goes before those of single occasions.
    let updated = format!("{}Updated", table.aggregate_type);
    found.sort_by_key(|(event, _)| event.event_type != updated);
    let Some((event, field)) = found.first() else {
        return Err("no event of the domain sets it".to_owned());
    };
    if wanted.is_null() && !field.nullable {
        return Err(
            "it was not set then, and the domain does not let it be empty again".to_owned(),
        );
    }
    put(
        events,
        event.event_type.to_owned(),
        event.schema,
        field.name,
        wanted,
    );
    if event.field(REASON).is_some() {
        put(
            events,
            event.event_type.to_owned(),
            event.schema,
            REASON,
            wish.reason.into(),
        );
    }
    Ok(())
}

/// Puts a field into the event of this type, which is there or made.
fn put(events: &mut Vec<Compensation>, event_type: String, schema: u16, field: &str, value: Value) {
    let place = events
        .iter()
        .position(|event| event.event_type == event_type);
    let place = place.unwrap_or_else(|| {
        events.push(Compensation {
            event_type,
            schema,
            data: Map::new(),
        });
        events.len() - 1
    });
    events[place].data.insert(field.to_owned(), value);
}

/// Whether the event begins or ends the aggregate's life: to set a field back is neither.
fn begins_or_ends(table: &AggregateSchema, event: &EventSchema) -> bool {
    let occasion = event.event_type.strip_prefix(table.aggregate_type);
    matches!(
        occasion,
        Some("Created" | "Deleted" | "Registered" | "Started")
    )
}

/// Whether the event needs nothing but this field, and a reason.
fn can_fill(event: &EventSchema, field: &Field) -> bool {
    event
        .fields
        .iter()
        .all(|other| !other.required || other.name == field.name || is_reason(other))
}

fn is_reason(field: &Field) -> bool {
    field.name == REASON && matches!(field.kind, Kind::Text { .. })
}

/// Takes out events that the table would refuse.
fn drop_invalid(proposal: &mut Proposal, table: &AggregateSchema) {
    let events = std::mem::take(&mut proposal.events);
    for event in events {
        let known = fleet::registry().event(table.aggregate_type, &event.event_type);
        let faults = known.and_then(|known| known.check(event.schema, &event.data).err());
        let Some(faults) = faults else {
            proposal.events.push(event);
            continue;
        };
        for fault in faults {
            let field = fault.path.first().cloned().unwrap_or_default();
            proposal.left.insert(field, fault.message);
        }
    }
}

/// The present state with these events on top.
fn folded_on_top(wish: &Wish<'_>, events: &[Compensation]) -> Map<String, Value> {
    let mut subject = wish.now.subject.clone();
    let (version, position) = wish
        .now
        .last
        .map_or((0, 0), |last| (last.version, last.position));
    for (place, event) in (1..).zip(events) {
        let view = EventView {
            aggregate_type: wish.aggregate_type,
            aggregate_id: "",
            event_type: &event.event_type,
            schema: event.schema,
            version: version.saturating_add(place),
            position: position + u64::from(place),
            occurred_at: wish.now_micros,
            recorded_at: wish.now_micros,
            order: order_of_next(place),
            data: &event.data,
        };
        subject.fold(&view);
    }
    subject.record.to_object()
}

//! What the tests of this crate share: events made by hand, and JSON made by chance.

use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::command::Asked;
use crate::event::{EventDraft, EventView};
use crate::folded::Folded;
use crate::registry::registry;
use crate::schema::{Field, Kind, body};

/// An event that owns its parts.
#[derive(Clone, Debug)]
pub(crate) struct TestEvent {
    pub aggregate_type: String,
    pub event_type: String,
    pub schema: u16,
    pub position: u32,
    pub occurred_at: i64,
    pub data: Map<String, Value>,
}

impl TestEvent {
    /// The event at this position of a stream that is the whole log.
    pub(crate) fn new(
        aggregate_type: &str,
        event_type: &str,
        position: u32,
        occurred_at: i64,
        data: Value,
    ) -> Self {
        TestEvent {
            aggregate_type: aggregate_type.to_owned(),
            event_type: event_type.to_owned(),
            schema: 1,
            position,
            occurred_at,
            data: data.as_object().cloned().unwrap_or_default(),
        }
    }

    pub(crate) fn of_draft(
        aggregate_type: &str,
        draft: &EventDraft,
        position: u32,
        occurred_at: i64,
    ) -> Self {
        let mut event = TestEvent::new(
            aggregate_type,
            draft.event_type,
            position,
            occurred_at,
            draft.data.clone(),
        );
        event.schema = draft.schema;
        event
    }

    pub(crate) fn view(&self) -> EventView<'_> {
        EventView {
            aggregate_type: &self.aggregate_type,
            aggregate_id: "4711",
            event_type: &self.event_type,
            schema: self.schema,
            version: self.position,
            position: u64::from(self.position),
            occurred_at: self.occurred_at,
            recorded_at: i64::from(self.position),
            order: u64::from(self.position),
            data: &self.data,
        }
    }
}

/// When the commands of tests are given: 2026-11-02T08:00:00Z, a Monday.
pub(crate) const NOW: i64 = 1_793_606_400_000_000;

/// Asked by the same account at [`NOW`].
pub(crate) const ASKED: Asked<'static> = Asked {
    now: NOW,
    by: "7c9e6679-7425-40de-944b-e07fc1f90ae7",
};

/// The fields of a body, which is one that parses.
#[track_caller]
pub(crate) fn fields(table: &'static [Field], body: Value) -> Map<String, Value> {
    body::parse(table, &object(body)).unwrap()
}

/// Folds drafts at the next positions, each checked against its table first, as the append does.
#[track_caller]
pub(crate) fn applied_now(
    aggregate_type: &str,
    mut state: Folded,
    drafts: &[EventDraft],
) -> Folded {
    for draft in drafts {
        let position = state.record.version() + 1;
        let at = NOW + i64::from(position);
        let stored = TestEvent::of_draft(aggregate_type, draft, position, at);
        registry()
            .check(aggregate_type, draft.event_type, draft.schema, &stored.data)
            .unwrap();
        state.fold(&stored.view());
    }
    state
}

/// The names of the types of drafts.
pub(crate) fn types(drafts: &[EventDraft]) -> Vec<&'static str> {
    drafts.iter().map(|draft| draft.event_type).collect()
}

/// Bodies for a table of fields: some of them, most with a value that is allowed.
pub(crate) fn any_body(table: &'static [Field]) -> impl Strategy<Value = Map<String, Value>> {
    let fields: Vec<_> = table
        .iter()
        .map(|field| {
            let weight = if field.required { 0.97 } else { 0.4 };
            let value = prop_oneof![30 => any_value(field.kind), 1 => any_json()];
            prop::option::weighted(
                weight,
                value.prop_map(|value| (field.name.to_owned(), value)),
            )
        })
        .collect();
    fields.prop_map(|fields| fields.into_iter().flatten().collect())
}

/// Values that a kind allows, mostly; times are few and near each other, so that they meet.
fn any_value(kind: Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Text { chars_max, .. } | Kind::Key { chars_max } => {
            let longest = "x".repeat(chars_max);
            prop_oneof![8 => "[a-c]{1,3}".prop_map(Value::from), 1 => Just(Value::from(longest)), 1 => Just(Value::from(""))].boxed()
        }
        Kind::Uuid => any::<u128>()
            .prop_map(|bits| Value::from(uuid::Uuid::from_u128(bits).to_string()))
            .boxed(),
        Kind::Integer { min, max } => {
            let (low, high) = (min.max(-5), max.min(60));
            prop_oneof![8 => (low..=high).prop_map(Value::from), 1 => Just(Value::from(max))]
                .boxed()
        }
        Kind::Number { min, max } => (0.0..1.0_f64)
            .prop_map(move |part| {
                Value::from(min.max(-9.0) + part * (max.min(9.0) - min.max(-9.0)))
            })
            .boxed(),
        Kind::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Kind::OneOf(words) => prop::sample::select(words).prop_map(Value::from).boxed(),
        Kind::Time => (-20_i64..20)
            .prop_map(|hours| {
                Value::from(crate::calendar::format_time(
                    NOW + hours * crate::calendar::HOUR,
                ))
            })
            .boxed(),
        Kind::Object => Just(serde_json::json!({ "a": 1 })).boxed(),
        Kind::List(kind) => prop::collection::vec(any_value(*kind), 0..3)
            .prop_map(Value::from)
            .boxed(),
        Kind::Money | Kind::Amount { .. } => (0..9_i64)
            .prop_map(|euro| Value::from(format!("{euro}.50")))
            .boxed(),
        Kind::Email => Just(Value::from("depot@example.org")).boxed(),
        Kind::Hex { digits } => Just(Value::from("0a".repeat(digits / 2))).boxed(),
        Kind::Record(_) | Kind::Any => any_json().boxed(),
    }
}

/// Any JSON, shallow.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0_i64..200_000).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![
            Just("ACTIVE"),
            Just("available"),
            Just("2025-01-01T00:00:00Z"),
            Just("diesel"),
            Just(" x ")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An object with any values under names that tables know, and some that none knows.
pub(crate) fn any_data() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![
        prop::sample::select(known_names()),
        ".{0,10}".prop_map(String::from)
    ];
    prop::collection::btree_map(name, any_json(), 0..8)
        .prop_map(|fields| fields.into_iter().collect())
}

/// Every field name of every table, and every other spelling.
fn known_names() -> Vec<String> {
    let mut names = Vec::new();
    for aggregate in crate::registry::AGGREGATES {
        names.extend(
            aggregate
                .spellings
                .iter()
                .map(|spelling| spelling.given.to_owned()),
        );
        for event in aggregate.events {
            names.extend(event.fields.iter().map(|field| field.name.to_owned()));
            names.extend(
                event
                    .spellings
                    .iter()
                    .map(|spelling| spelling.given.to_owned()),
            );
        }
    }
    names
}

/// A known (aggregate type, event type).
pub(crate) fn any_known_type() -> impl Strategy<Value = (&'static str, &'static str)> {
    let types: Vec<_> = crate::registry::AGGREGATES
        .iter()
        .flat_map(|aggregate| {
            aggregate
                .events
                .iter()
                .map(|event| (aggregate.aggregate_type, event.event_type))
        })
        .collect();
    prop::sample::select(types)
}

/// The state after these drafts too, each held against its own table first, as the append does. Each occurs a second
/// after the one before.
#[track_caller]
pub(crate) fn applied(
    aggregate_type: &str,
    mut state: crate::Folded,
    drafts: &[EventDraft],
) -> crate::Folded {
    for draft in drafts {
        let position = state.record.version() + 1;
        let event = TestEvent::of_draft(
            aggregate_type,
            draft,
            position,
            i64::from(position) * 1_000_000,
        );
        crate::registry::registry()
            .check(aggregate_type, draft.event_type, draft.schema, &event.data)
            .unwrap();
        state.fold(&event.view());
    }
    state
}

/// The members of an object.
#[track_caller]
pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

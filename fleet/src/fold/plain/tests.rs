//! What is said as texts is what the state says that the fold makes.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::fold::{State, fold_all};
use crate::registry::{AGGREGATES, registry};
use crate::schema::AggregateSchema;
use crate::testing::TestEvent;

/// Payloads as their fields lie in the log, an event each.
fn texts(events: &[TestEvent]) -> Vec<Vec<(String, String)>> {
    let fields = events.iter().map(|event| {
        let fields = event.data.iter();
        fields
            .map(|(name, value)| (name.clone(), value.to_string()))
            .collect()
    });
    fields.collect()
}

/// Takes in all of the events; `None` where one is none for this.
fn plain<'a>(events: &[TestEvent], texts: &'a [Vec<(String, String)>]) -> Option<Plain<'a>> {
    let mut plain = Plain::default();
    for (event, texts) in events.iter().zip(texts) {
        let fields: Vec<(&str, &str)> = texts
            .iter()
            .map(|(name, text)| (&**name, &**text))
            .collect();
        let known = registry()
            .event(&event.aggregate_type, &event.event_type)
            .unwrap();
        let is_taken = plain.fold(&PlainEvent {
            known,
            schema: event.schema,
            stamp: event.view().stamp(),
            fields: &fields,
        });
        if !is_taken {
            return None;
        }
    }
    Some(plain)
}

/// What is said as a value; `None` where nothing is said.
fn value(said: Said<'_>) -> Option<Value> {
    match said {
        Said::Nothing => Some(Value::Null),
        Said::Json(text) => Some(serde_json::from_str(text).unwrap()),
        Said::Constant(constant) => Some(constant.value()),
        Said::More => None,
    }
}

#[track_caller]
fn check(plain: &Plain<'_>, state: &State, keys: &[&str], items: &[Item<'_>]) {
    assert_eq!(plain.exists(), state.exists());
    for key in keys {
        if let Some(said) = value(plain.said(None, key, &mut 0)) {
            assert_eq!(said, state.get(key).unwrap_or_default(), "{key}");
        }
    }
    for item in items {
        let held = state.item(item.list, item.name);
        assert_eq!(plain.has_item(*item), held.is_some(), "{item:?}");
        let held = held.unwrap_or_default();
        for key in keys {
            if let Some(said) = value(plain.said(Some(*item), key, &mut 7)) {
                assert_eq!(
                    said,
                    held.get(*key).cloned().unwrap_or_default(),
                    "{item:?} {key}"
                );
            }
        }
    }
}

fn event(event_type: &str, position: u32, at: i64, data: Value) -> TestEvent {
    TestEvent::new("WorkOrder", event_type, position, at, data)
}

#[test]
fn the_latest_text_of_a_key_is_said() {
    let events = [
        event(
            "WorkOrderCreated",
            1,
            10,
            json!({ "notes": "a", "findings": "b", "shelf": [1, 2] }),
        ),
        event("WorkOrderUpdated", 2, 20, json!({ "notes": "c" })),
        event("WorkOrderUpdated", 3, 5, json!({ "findings": "late" })),
    ];
    let texts = texts(&events);
    let plain = plain(&events, &texts).unwrap();
    for (key, said) in [
        ("notes", "\"c\""),
        ("findings", "\"b\""),
        ("shelf", "[1,2]"),
    ] {
        assert_eq!(plain.said(None, key, &mut 0), Said::Json(said));
    }
    assert_eq!(plain.said(None, "work_performed", &mut 0), Said::Nothing);
    assert!(plain.exists());
}

#[test]
fn what_a_type_implies_is_said() {
    let events = [
        event("WorkOrderCreated", 1, 10, json!({ "status": "draft" })),
        event("WorkOrderCompleted", 2, 20, json!({})),
    ];
    let texts = texts(&events);
    let plain = plain(&events, &texts).unwrap();
    assert_eq!(
        plain.said(None, "status", &mut 0),
        Said::Constant(Constant::Text("completed"))
    );
}

#[test]
fn of_a_sum_nothing_is_said_and_of_the_rest_all() {
    let part = |event_type, position, data| TestEvent::new("Part", event_type, position, 1, data);
    let mut moved = part("StockLevelChanged", 2, json!({ "delta": 3 }));
    moved.schema = 2;
    let events = [
        part(
            "PartCreated",
            1,
            json!({ "name": "bolt", "current_stock": 0 }),
        ),
        moved,
    ];
    let texts = texts(&events);
    let plain = plain(&events, &texts).unwrap();
    assert_eq!(plain.said(None, "current_stock", &mut 0), Said::More);
    assert_eq!(plain.said(None, "stock_by_location", &mut 0), Said::More);
    assert_eq!(plain.said(None, "name", &mut 0), Said::Json("\"bolt\""));
}

#[test]
fn a_deletion_an_old_name_and_an_old_schema_are_left_to_the_fold() {
    for events in [
        [event("WorkOrderDeleted", 1, 1, json!({}))],
        [TestEvent::new(
            "Part",
            "PartUpdated",
            1,
            1,
            json!({ "part_number": "7" }),
        )],
        [TestEvent::new(
            "Part",
            "StockLevelChanged",
            1,
            1,
            json!({ "quantity": 7 }),
        )],
        [TestEvent::new("Vehicle", "VehicleCreated", 1, 1, json!({}))],
    ] {
        assert!(plain(&events, &texts(&events)).is_none(), "{events:?}");
    }
}

fn names_of(aggregate: &'static AggregateSchema) -> Vec<&'static str> {
    let fields = aggregate.events.iter().flat_map(|event| event.fields);
    let spelled = aggregate.spellings.iter().map(|spelling| spelling.given);
    let lists = aggregate.events.iter().filter_map(|event| event.item);
    let implied = aggregate.events.iter().flat_map(|event| event.implies);
    let mut names: Vec<_> = fields
        .map(|field| field.name)
        .chain(spelled)
        .chain(lists.map(|rule| rule.list))
        .chain(implied.map(|(key, _)| *key))
        .chain(["unheard_of"])
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "[ab\\\\\"]{0,2}".prop_map(Value::from),
        2 => (0_i64..3).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!([{ "id": "a", "quantity_received": 2, "line_id": "b" }])),
    ]
}

/// A stream's events: mostly with fields of their own tables, now and then with any of their aggregate's.
fn any_stream() -> impl Strategy<Value = (&'static AggregateSchema, Vec<TestEvent>)> {
    prop::sample::select(AGGREGATES.to_vec()).prop_flat_map(|aggregate| {
        let names = names_of(aggregate);
        let event = prop::sample::select(aggregate.events.to_vec()).prop_flat_map(move |event| {
            let own: Vec<_> = event.fields.iter().map(|field| field.name).chain(["unheard_of"]).collect();
            let name = prop_oneof![9 => prop::sample::select(own), 1 => prop::sample::select(names.clone())];
            let data = prop::collection::btree_map(name, any_value(), 0..9);
            (Just(event), data, 0_i64..4, 0_u16..3)
        });
        prop::collection::vec(event, 1..6).prop_map(move |events| {
            let numbered = events.into_iter().zip(1_u32..);
            let events = numbered.map(|((event, data, at, behind), position)| {
                let data: Map<String, Value> =
                    data.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
                let data = Value::Object(data);
                let made = TestEvent::new(aggregate.aggregate_type, event.event_type, position, at, data);
                TestEvent { schema: event.schema.saturating_sub(behind / 2), ..made }
            });
            (aggregate, events.collect())
        })
    })
}

proptest! {
    #[test]
    fn what_is_said_is_what_the_state_says((aggregate, events) in any_stream()) {
        let texts = texts(&events);
        if let Some(plain) = plain(&events, &texts) {
            let state = fold_all(events.iter().map(TestEvent::view));
            let keys = names_of(aggregate);
            let lists = aggregate.events.iter().filter_map(|event| event.item);
            let items: Vec<Item<'_>> = lists
                .flat_map(|rule| ["", "a", "b", "ab"].map(|name| Item { list: rule.list, name }))
                .collect();
            check(&plain, &state, &keys, &items);
        }
    }
}

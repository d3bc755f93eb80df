//! What holds for every aggregate that is only described.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::refusal::RefusalKind;
use crate::testing::{any_data, applied, object};
use crate::{budget, cost_center, part, stock_location, supplier};

const ALL: &[&Described] = &[
    &part::DESCRIBED,
    &stock_location::DESCRIBED,
    &supplier::DESCRIBED,
    &cost_center::DESCRIBED,
    &budget::DESCRIBED,
];

fn created(described: &Described, body: Value) -> Folded {
    let fields = described.parse_creation(&object(body)).unwrap();
    let drafts = described
        .decide(&Folded::default(), &Describe::Create(fields))
        .unwrap();
    applied(described.schema.aggregate_type, Folded::default(), &drafts)
}

fn location() -> Folded {
    let body = json!({ "location_code": "N/1", "name": "North", "location_type": "WORKSHOP" });
    created(&stock_location::DESCRIBED, body)
}

#[test]
fn rows_show_what_was_said_and_what_was_meant() {
    let row = Value::Object(stock_location::row("l1", &location()).unwrap());
    let expected = json!({
        "id": "l1", "location_code": "N/1", "name": "North", "location_type": "WORKSHOP", "workshop_id": null,
        "address": null, "is_active": true, "created_at": "1970-01-01T00:00:01.000000Z",
        "updated_at": "1970-01-01T00:00:01.000000Z",
    });
    assert_eq!(row, expected);
    let body = json!({ "supplier_code": "S", "name": "Spares", "email": "not checked" });
    let row = Value::Object(supplier::row("s1", &created(&supplier::DESCRIBED, body)).unwrap());
    assert_eq!(
        (&row["currency"], &row["email"]),
        (&json!("EUR"), &json!("not checked"))
    );
    let row = created(
        &cost_center::DESCRIBED,
        json!({ "code": "WS", "name": "Workshop" }),
    );
    let row = Value::Object(cost_center::row("WS", &row).unwrap());
    assert_eq!(
        (&row["code"], &row["parent_code"]),
        (&json!("WS"), &json!(null))
    );
}

#[test]
fn a_change_tells_only_what_changed() {
    let fields = stock_location::DESCRIBED
        .parse_change(&object(
            json!({ "name": "North", "is_active": false, "address": null }),
        ))
        .unwrap();
    let drafts = stock_location::DESCRIBED
        .decide(&location(), &Describe::Change(fields))
        .unwrap();
    assert_eq!(drafts[0].data, json!({ "is_active": false }));
    let missing = stock_location::DESCRIBED
        .decide(&Folded::default(), &Describe::Change(Map::new()))
        .unwrap_err();
    assert_eq!(
        (missing.kind, missing.message.as_ref()),
        (RefusalKind::Missing, "Stock location not found")
    );
}

#[test]
fn a_cost_center_is_not_its_own_parent() {
    let fields = object(json!({ "parent_code": "WS" }));
    let refusal =
        cost_center::decide(&Folded::default(), "WS", &Describe::Change(fields)).unwrap_err();
    assert_eq!(refusal.code, "own_parent");
}

proptest! {
    /// What a body is turned into passes its own table, folds, and asks for nothing new when it is sent again.
    #[test]
    fn what_is_decided_folds_to_what_was_asked(place in 0..ALL.len(), body in any_data(), names: bool) {
        let described = ALL[place];
        let mut body = body;
        if names {
            for field in described.creation.iter().filter(|field| field.required) {
                body.insert(field.name.to_owned(), "2026-03".into());
            }
            body.retain(|name, _| described.creation.iter().any(|field| field.name == name));
        }
        let Ok(fields) = described.parse_creation(&body) else { return Ok(()) };
        let Ok(drafts) = described.decide(&Folded::default(), &Describe::Create(fields.clone())) else { return Ok(()) };
        let state = applied(described.schema.aggregate_type, Folded::default(), &drafts);
        prop_assert!(state.exists());
        prop_assert_eq!(state.differing(fields), Map::new());
        if let Ok(changes) = described.parse_change(&body) {
            let drafts = described.decide(&state, &Describe::Change(changes.clone())).unwrap();
            let state = applied(described.schema.aggregate_type, state, &drafts);
            if !changes.contains_key("current_stock") {
                prop_assert_eq!(described.decide(&state, &Describe::Change(changes)).unwrap(), []);
            }
        }
    }
}

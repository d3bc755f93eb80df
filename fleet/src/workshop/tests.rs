//! Workshops: their row, their tracks, and commands by chance.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::folded::Folded;
use crate::schema::body;
use crate::testing::{any_body, applied_now as applied, fields, object, types};

fn workshop(body: Value) -> Folded {
    let create = WorkshopCommand::Create(fields(CREATE, body));
    let drafts = decide(&Folded::default(), &create).unwrap();
    applied(AGGREGATE_TYPE, Folded::default(), &drafts)
}

fn west() -> Folded {
    workshop(json!({ "code": "WS-1", "name": "West", "location": "Yard", "total_tracks": 3 }))
}

fn change(state: Folded, body: Value) -> Result<Folded, crate::Refusal> {
    let drafts = decide(&state, &WorkshopCommand::Change(fields(CHANGE, body)))?;
    Ok(applied(AGGREGATE_TYPE, state, &drafts))
}

fn begin(state: Folded, order: &str) -> Folded {
    let command = WorkshopCommand::BeginOrder {
        work_order_id: order.to_owned(),
        is_taken_up_again: false,
    };
    let drafts = decide(&state, &command).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

#[test]
fn a_new_workshop_is_the_row_that_clients_know() {
    let state =
        workshop(json!({ "code": "WS-1", "name": "West", "location": "Yard", "email": "a@b.c" }));
    let row = Value::Object(row("0f8fad5b-d9cb-469f-a165-70867728950e", &state).unwrap());
    let expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "code": "WS-1", "name": "West", "location": "Yard",
        "contact_person": null, "phone": null, "email": "a@b.c", "total_tracks": 1, "available_tracks": 1,
        "is_ecm_certified": false, "specializations": null, "supported_vehicle_types": null, "rating": null,
        "total_completed_orders": 0, "is_active": true, "notes": null, "orders_in_work": [], "version": 1,
        "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    assert_eq!(row, expected);
    let back = WorkshopCommand::Change(body::parse(CHANGE, &object(row)).unwrap());
    assert_eq!(
        decide(&state, &back),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn bodies_out_of_the_limits_are_refused_with_every_field() {
    let body = json!({ "code": " x", "name": "", "total_tracks": 0, "email": "nobody", "specialisations": [] });
    let faults = body::parse(CREATE, &object(body)).unwrap_err();
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| format!("{}:{}", fault.path.join("."), fault.kind))
        .collect();
    let expected = [
        "code:string_pattern_mismatch",
        "name:string_too_short",
        "location:missing",
        "email:value_error",
        "total_tracks:greater_than_equal",
        "specialisations:extra_forbidden",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn free_tracks_are_those_without_an_order() {
    let state = begin(begin(west(), "A"), "B");
    assert_eq!(row("x", &state).unwrap()["available_tracks"], 1);
    assert_eq!(
        row("x", &begin(state.clone(), "B")).unwrap()["available_tracks"],
        1,
        "an order takes one track"
    );
    let closed = change(state.clone(), json!({ "available_tracks": 0 })).unwrap();
    assert_eq!(row("x", &closed).unwrap()["available_tracks"], 0);
    let more = change(state.clone(), json!({ "total_tracks": 5 })).unwrap();
    assert_eq!(
        row("x", &more).unwrap()["available_tracks"],
        3,
        "new tracks are free"
    );
    let refusal = change(state, json!({ "available_tracks": 4 })).unwrap_err();
    assert_eq!(
        (refusal.field, refusal.code),
        ("available_tracks", "more_than_all")
    );
}

#[test]
fn what_does_not_exist_is_missing_and_nothing_is_made_twice() {
    let missing = change(Folded::default(), json!({})).unwrap_err();
    assert_eq!(missing.message, "Workshop not found");
    let body = json!({ "code": "WS-1", "name": "West", "location": "Yard" });
    let again = decide(&west(), &WorkshopCommand::Create(fields(CREATE, body)));
    assert_eq!(again.unwrap_err().code, "already_exists");
}

#[test]
fn an_imported_row_keeps_its_numbers() {
    let event = crate::testing::TestEvent::new(
        AGGREGATE_TYPE,
        schema::CREATED,
        1,
        1,
        json!({ "code": "", "total_tracks": 2, "available_tracks": -1, "total_completed_orders": 41, "rating": 4.5 }),
    );
    let mut state = Folded::default();
    state.fold(&event.view());
    let end = WorkshopCommand::EndOrder {
        work_order_id: "A".to_owned(),
        is_completed: true,
    };
    let drafts = decide(&state, &end).unwrap();
    assert_eq!(types(&drafts), [schema::ORDER_ENDED]);
    let row = row("x", &applied(AGGREGATE_TYPE, state, &drafts)).unwrap();
    assert_eq!(
        (&row["total_completed_orders"], &row["available_tracks"]),
        (&json!(42), &json!(0))
    );
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds_to_what_was_asked(
        bodies in prop::collection::vec(any_body(CHANGE), 0..12),
        orders in prop::collection::vec("[ab]", 0..3),
    ) {
        let mut state = orders.iter().fold(west(), |state, order| begin(state, order));
        for body in bodies {
            let Ok(fields) = body::parse(CHANGE, &body) else { continue };
            let command = WorkshopCommand::Change(fields.clone());
            let Ok(drafts) = decide(&state, &command) else { continue };
            state = applied(AGGREGATE_TYPE, state, &drafts);
            prop_assert_eq!(decide(&state, &command), Ok(Vec::new()));
            let row = row("x", &state).unwrap();
            for (name, value) in fields.iter().filter(|(name, _)| *name != "available_tracks") {
                prop_assert_eq!(&row[name], value, "{}", name);
            }
            let (free, total) = (row["available_tracks"].as_i64().unwrap(), row["total_tracks"].as_i64().unwrap());
            prop_assert!((0..=total).contains(&free));
        }
    }
}

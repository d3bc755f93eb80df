//! Parts: the contract's limits, the row, and that a level changes by moves alone.

use serde_json::{Value, json};

use super::*;
use crate::described::Describe;
use crate::refusal::RefusalKind;
use crate::testing::{TestEvent, applied, object};

fn part(body: Value) -> Folded {
    let fields = DESCRIBED.parse_creation(&object(body)).unwrap();
    let drafts = decide(&Folded::default(), "BRK-1", &Describe::Create(fields)).unwrap();
    applied(AGGREGATE_TYPE, Folded::default(), &drafts)
}

fn changed(state: &Folded, body: Value) -> Result<Vec<Value>, crate::Refusal> {
    let fields = DESCRIBED.parse_change(&object(body)).unwrap();
    let drafts = decide(state, "BRK-1", &Describe::Change(fields))?;
    Ok(drafts.into_iter().map(|draft| draft.data).collect())
}

#[test]
fn a_created_part_is_the_row_that_clients_know() {
    let state =
        part(json!({ "part_no": "BRK-1", "name": "Pad", "unit_price": 218, "current_stock": 7 }));
    let expected = json!({
        "id": crate::listing::row_id("Part", "BRK-1").to_string(), "part_no": "BRK-1", "name": "Pad",
        "railway_class": null, "unit": "pc", "min_stock": 0, "current_stock": 7, "stock_by_location": {},
        "unit_price": "218.00", "preferred_supplier_id": null, "is_active": true,
        "created_at": "1970-01-01T00:00:01.000000Z", "updated_at": "1970-01-01T00:00:01.000000Z",
    });
    assert_eq!(row("BRK-1", &state).map(Value::Object), Some(expected));
    assert_eq!(level_at_no_location(&state), 7);
}

#[test]
fn a_part_whose_number_changed_shows_it_and_keeps_its_uuid() {
    let mut state = part(json!({ "part_no": "BRK-1", "name": "Pad" }));
    let data = json!({ "part_no": "BRK-1-4" });
    let told = TestEvent::new(AGGREGATE_TYPE, event::PART_UPDATED, 2, 2_000_000, data);
    state.fold(&told.view());
    let row = row("BRK-1", &state).unwrap();
    assert_eq!(row["part_no"], "BRK-1-4");
    let uuid = crate::listing::row_id(AGGREGATE_TYPE, "BRK-1").to_string();
    assert_eq!(row["id"], uuid);
}

#[test]
fn bodies_out_of_the_limits_are_refused_with_every_field() {
    let body = json!({
        "part_no": " ", "unit": "u".repeat(21), "min_stock": -1, "unit_price": "-0.01", "current_stock": -1,
        "is_active": null, "stock": 3,
    });
    let faults = DESCRIBED.parse_creation(&object(body)).unwrap_err();
    let found: Vec<_> = faults.iter().map(|fault| fault.path.join(".")).collect();
    let expected = [
        "part_no",
        "name",
        "unit",
        "min_stock",
        "current_stock",
        "unit_price",
        "is_active",
        "stock",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_second_part_of_the_same_number_is_refused() {
    let state = part(json!({ "part_no": "BRK-1", "name": "Pad" }));
    let fields = object(json!({ "part_no": "BRK-1", "name": "Pad" }));
    let refusal = decide(&state, "BRK-1", &Describe::Create(fields)).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Rule);
    assert_eq!(refusal.message, "Part with part_no 'BRK-1' already exists");
}

#[test]
fn a_level_is_changed_by_no_update() {
    let state = part(json!({ "part_no": "BRK-1", "name": "Pad", "current_stock": 7 }));
    let refusal = changed(&state, json!({ "current_stock": 8 })).unwrap_err();
    assert_eq!(
        (refusal.field, refusal.code),
        ("current_stock", "stock_changes_by_moves")
    );
    let row = row("BRK-1", &state).unwrap();
    assert_eq!(
        changed(&state, Value::Object(row)).unwrap(),
        [] as [Value; 0]
    );
    assert_eq!(
        changed(
            &state,
            json!({ "current_stock": 7, "name": "Pad set", "unit": "pc" })
        )
        .unwrap(),
        [json!({ "name": "Pad set" })]
    );
}

#[test]
fn what_does_not_exist_is_not_changed() {
    let refusal = changed(&Folded::default(), json!({ "name": "x" })).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.message.as_ref()),
        (RefusalKind::Missing, "Part not found")
    );
}

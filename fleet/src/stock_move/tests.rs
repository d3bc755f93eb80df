//! Stock moves: which locations they need, what they do to levels, and that no piece is made or lost.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::command::Asked;
use crate::folded::Folded;
use crate::part;
use crate::refusal::{Refusal, RefusalKind};
use crate::testing::{TestEvent, applied, object};

const NOW: Asked<'static> = Asked {
    now: 0,
    by: "storekeeper",
};

/// A part with so many pieces at no location, so many at `north`, and a least level of 5.
fn part(at_none: i64, at_north: i64) -> Folded {
    let created = json!({ "part_no": "P", "current_stock": at_none, "min_stock": 5 });
    let mut state = Folded::default();
    state.fold(&TestEvent::new("Part", "PartCreated", 1, 1, created).view());
    let mut stocked = TestEvent::new(
        "Part",
        "StockLevelChanged",
        2,
        2,
        json!({ "delta": at_north, "location_id": "north" }),
    );
    stocked.schema = 2;
    state.fold(&stocked.view());
    state
}

fn wanted(body: Value) -> StockMove {
    let mut all = object(json!({ "part_no": "P" }));
    all.extend(object(body));
    movement(&all).unwrap()
}

fn asked_of(state: &Folded, body: Value) -> Result<Moved, Refusal> {
    decide(
        Levels::of(state),
        "m1",
        &wanted(body),
        Standing::Requested,
        NOW,
    )
}

#[track_caller]
fn refused(body: Value, field: &str, code: &str) {
    let refusal = asked_of(&part(0, 10), body).unwrap_err();
    assert_eq!((refusal.field, refusal.code), (field, code), "{refusal}");
}

fn types(moved: &Moved) -> Vec<&'static str> {
    moved.of_part.iter().map(|draft| draft.event_type).collect()
}

#[test]
fn a_usage_takes_from_its_location_and_from_the_whole() {
    let state = part(0, 10);
    let body = json!({ "move_type": "USAGE", "quantity": 3, "from_location_id": "north", "unit_price": "2.50", "work_order_id": "w" });
    let moved = asked_of(&state, body).unwrap();
    assert_eq!(types(&moved), ["StockLevelChanged"]);
    assert_eq!(
        moved.of_part[0].data,
        json!({ "delta": -3, "location_id": "north", "old_current_stock": 10, "new_current_stock": 7, "stock_move_id": "m1" })
    );
    assert_eq!(
        moved.of_move[0].data,
        json!({
            "part_no": "P", "move_type": "USAGE", "quantity": 3, "from_location_id": "north", "work_order_id": "w",
            "unit_price": "2.50", "performed_by": "storekeeper", "performed_at": "1970-01-01T00:00:00.000000Z",
        })
    );
    let after = applied("Part", state, &moved.of_part);
    assert_eq!(Levels::of(&after), moved.levels);
    assert_eq!(
        (moved.levels.total(), moved.levels.at(Some("north"))),
        (7, 7)
    );
}

#[test]
fn a_transfer_changes_two_places_and_not_the_whole() {
    let state = part(0, 10);
    let body = json!({ "move_type": "TRANSFER", "quantity": 4, "from_location_id": "north", "to_location_id": "south" });
    let after = applied(
        "Part",
        state.clone(),
        &asked_of(&state, body).unwrap().of_part,
    );
    let levels = Levels::of(&after);
    assert_eq!(
        (
            levels.total(),
            levels.at(Some("north")),
            levels.at(Some("south"))
        ),
        (10, 6, 4)
    );
}

#[test]
fn an_adjustment_adds_where_it_goes_and_takes_where_it_comes_from() {
    let state = part(0, 10);
    let more = json!({ "move_type": "ADJUSTMENT", "quantity": 2, "to_location_id": "north" });
    let fewer = json!({ "move_type": "ADJUSTMENT", "quantity": 2, "from_location_id": "north" });
    assert_eq!(asked_of(&state, more).unwrap().levels.total(), 12);
    assert_eq!(asked_of(&state, fewer).unwrap().levels.total(), 8);
}

#[test]
fn each_kind_of_move_needs_its_locations() {
    let (from, to) = ("from_location_id", "to_location_id");
    refused(
        json!({ "move_type": "INCOMING", "quantity": 1 }),
        to,
        "location_needed",
    );
    refused(
        json!({ "move_type": "INCOMING", "quantity": 1, from: "north", to: "south" }),
        from,
        "location_not_wanted",
    );
    refused(
        json!({ "move_type": "USAGE", "quantity": 1 }),
        from,
        "location_needed",
    );
    refused(
        json!({ "move_type": "WRITEOFF", "quantity": 1 }),
        from,
        "location_needed",
    );
    refused(
        json!({ "move_type": "WRITEOFF", "quantity": 1, from: "north", to: "south" }),
        to,
        "location_not_wanted",
    );
    refused(
        json!({ "move_type": "TRANSFER", "quantity": 1, from: "north" }),
        to,
        "location_needed",
    );
    refused(
        json!({ "move_type": "TRANSFER", "quantity": 1, from: "north", to: "north" }),
        to,
        "same_location",
    );
    refused(
        json!({ "move_type": "ADJUSTMENT", "quantity": 1 }),
        to,
        "one_location",
    );
    refused(
        json!({ "move_type": "ADJUSTMENT", "quantity": 1, from: "north", to: "south" }),
        to,
        "one_location",
    );
}

#[test]
fn opening_stock_lies_at_no_location_and_is_taken_or_placed_from_there() {
    let state = part(6, 0);
    let placed = json!({ "move_type": "TRANSFER", "quantity": 4, "to_location_id": "south" });
    let state = applied(
        "Part",
        state.clone(),
        &asked_of(&state, placed).unwrap().of_part,
    );
    let levels = Levels::of(&state);
    assert_eq!(
        (levels.total(), levels.at(None), levels.at(Some("south"))),
        (6, 2, 4)
    );
    let used = json!({ "move_type": "USAGE", "quantity": 3 });
    assert_eq!(asked_of(&state, used).unwrap_err().code, "location_needed");
    assert!(asked_of(&state, json!({ "move_type": "USAGE", "quantity": 2 })).is_ok());
}

#[test]
fn no_request_takes_more_than_there_is() {
    let body = json!({ "move_type": "USAGE", "quantity": 11, "from_location_id": "north" });
    let refusal = asked_of(&part(5, 10), body).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert_eq!(
        refusal.message,
        "There are 10 pc of part 'P' at this location, 11 cannot be taken"
    );
    // What an old database brought: less on the whole than at one location.
    let body = json!({ "move_type": "USAGE", "quantity": 7, "from_location_id": "north" });
    let refusal = asked_of(&part(-4, 10), body).unwrap_err();
    assert_eq!(
        refusal.message,
        "There are 6 pc of part 'P' in all, 7 cannot be taken"
    );
}

#[test]
fn a_reported_fact_is_taken_in_and_its_discrepancy_told() {
    let body = wanted(json!({ "move_type": "USAGE", "quantity": 12, "from_location_id": "north" }));
    let moved = decide(
        Levels::of(&part(0, 10)),
        "m1",
        &body,
        Standing::Reported,
        NOW,
    )
    .unwrap();
    assert_eq!(
        types(&moved),
        [
            "StockLevelChanged",
            "StockDiscrepancyDetected",
            "InventoryLowStockAlert"
        ]
    );
    assert_eq!(
        moved.of_part[1].data,
        json!({
            "level": -2, "location_id": "north", "level_at_location": -2, "stock_move_id": "m1",
            "reason": "more was taken than there was",
        })
    );
    let somewhere = wanted(json!({ "move_type": "USAGE", "quantity": 1 }));
    let moved = decide(
        Levels::of(&part(0, 10)),
        "m1",
        &somewhere,
        Standing::Reported,
        NOW,
    )
    .unwrap();
    // All ten lie in the north, so there are nine, whatever is said of the north: somebody has to count.
    assert_eq!(
        types(&moved),
        ["StockLevelChanged", "StockDiscrepancyDetected"]
    );
    let told = &moved.of_part[1].data;
    assert_eq!(
        (&told["level"], &told["level_at_location"]),
        (&json!(9), &json!(-1))
    );
}

#[test]
fn falling_to_the_least_level_is_told_once() {
    let state = part(0, 8);
    let take = |state: &Folded, quantity| {
        let body =
            json!({ "move_type": "USAGE", "quantity": quantity, "from_location_id": "north" });
        asked_of(state, body).unwrap()
    };
    assert_eq!(types(&take(&state, 2)), ["StockLevelChanged"]);
    let moved = take(&state, 3);
    assert_eq!(
        types(&moved),
        ["StockLevelChanged", "InventoryLowStockAlert"]
    );
    let low = applied("Part", state, &moved.of_part);
    assert!(part::is_low(&low));
    assert_eq!(types(&take(&low, 1)), ["StockLevelChanged"]);
}

#[test]
fn bodies_out_of_the_limits_are_refused_with_every_field() {
    let body = json!({
        "part_no": "", "move_type": "STOLEN", "quantity": 0, "unit_price": "x", "notes": "n".repeat(501),
        "reference_doc": 7, "performed_at": "2020-01-01",
    });
    let faults = movement(&object(body)).unwrap_err();
    let found: Vec<_> = faults
        .iter()
        .map(|fault| format!("{}:{}", fault.path.join("."), fault.kind))
        .collect();
    let expected = [
        "part_no:string_too_short",
        "move_type:enum",
        "quantity:greater_than_equal",
        "reference_doc:string_type",
        "unit_price:decimal_parsing",
        "notes:string_too_long",
        "performed_at:extra_forbidden",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_moves_row_shows_what_the_event_told() {
    let event = TestEvent::new(
        "StockMove",
        "StockMoveCreated",
        1,
        5,
        json!({ "part_id": "P", "quantity": 2 }),
    );
    let mut state = Folded::default();
    state.fold(&event.view());
    let row = Value::Object(row("m1", &state).unwrap());
    assert_eq!(
        (&row["part_no"], &row["quantity"]),
        (&json!("P"), &json!(2))
    );
    assert_eq!(row["performed_at"], "1970-01-01T00:00:00.000005Z");
    assert!(row.get("created_at").is_none());
}

fn any_move() -> impl Strategy<Value = StockMove> {
    let location = || prop::option::of(prop::sample::select(vec!["north", "south", "train"]));
    let kind = prop::sample::select(MOVE_TYPES.to_vec());
    (kind, 1_i64..40, location(), location()).prop_map(|(kind, quantity, from, to)| StockMove {
        part_no: "P".to_owned(),
        move_type: MoveType::of(kind).unwrap(),
        quantity,
        from_location_id: from.map(str::to_owned),
        to_location_id: to.map(str::to_owned),
        details: Map::new(),
    })
}

proptest! {
    /// What is on the whole is what came less what went, and all of it lies somewhere or at no known place; no location
    /// and no part falls below nothing by requests; levels kept along the way are those of the fold.
    #[test]
    fn stock_is_conserved(opening in 0_i64..50, moves in prop::collection::vec(any_move(), 0..40)) {
        let mut state = part(opening, 0);
        let mut expected = opening;
        for wanted in &moves {
            let Ok(moved) = decide(Levels::of(&state), "m", wanted, Standing::Requested, NOW) else { continue };
            expected += match wanted.move_type {
                MoveType::Incoming => wanted.quantity,
                MoveType::Usage | MoveType::Writeoff => -wanted.quantity,
                MoveType::Transfer => 0,
                MoveType::Adjustment if wanted.to_location_id.is_some() => wanted.quantity,
                MoveType::Adjustment => -wanted.quantity,
            };
            state = applied("Part", state, &moved.of_part);
            applied("StockMove", Folded::default(), &moved.of_move);
            let levels = Levels::of(&state);
            prop_assert_eq!(&levels, &moved.levels);
            prop_assert_eq!(levels.total(), expected);
            prop_assert!(levels.total() >= 0);
            for place in [None, Some("north"), Some("south"), Some("train")] {
                prop_assert!(levels.at(place) >= 0, "{place:?}");
            }
        }
    }

    /// Reports from tablets arrive in any order and lead to the same levels.
    #[test]
    fn reports_lead_to_the_same_levels_in_any_order(
        moves in prop::collection::vec(any_move(), 0..12), order in any::<prop::sample::Index>(),
    ) {
        let fold_in = |moves: &[StockMove]| {
            let mut state = part(3, 3);
            for wanted in moves {
                if let Ok(moved) = decide(Levels::of(&state), "m", wanted, Standing::Reported, NOW) {
                    state = applied("Part", state, &moved.of_part);
                }
            }
            Levels::of(&state)
        };
        let mut turned = moves.clone();
        if !turned.is_empty() {
            let by = order.index(turned.len());
            turned.rotate_left(by);
        }
        prop_assert_eq!(fold_in(&moves), fold_in(&turned));
    }

    #[test]
    fn bodies_of_any_json_never_panic(body in crate::testing::any_data()) {
        if let Ok(wanted) = movement(&body) {
            let _ = decide(Levels::of(&part(1, 1)), "m", &wanted, Standing::Requested, NOW);
        }
    }
}

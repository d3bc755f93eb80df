//! Differences add up, on the whole and by name, whatever order they come in.

use proptest::prelude::*;
use serde_json::json;

use crate::fold::fold_all;
use crate::testing::TestEvent;

/// A part's events: an opening level, moves at two places and at none, one written before differences were.
fn stock_events() -> Vec<TestEvent> {
    let event = |event_type, position, occurred_at, data| {
        TestEvent::new("Part", event_type, position, occurred_at, data)
    };
    let mut with_delta = vec![
        event(
            "PartCreated",
            1,
            50,
            json!({ "part_no": "P", "current_stock": 10 }),
        ),
        event(
            "StockLevelChanged",
            2,
            60,
            json!({ "delta": 4, "location_id": "north" }),
        ),
        event(
            "StockLevelChanged",
            3,
            40,
            json!({ "delta": -3, "location_id": "north" }),
        ),
        event(
            "StockLevelChanged",
            4,
            70,
            json!({ "delta": -9, "location_id": "south" }),
        ),
        event("StockLevelChanged", 5, 70, json!({ "delta": -1 })),
        event(
            "StockLevelChanged",
            6,
            80,
            json!({ "old_current_stock": 7, "new_current_stock": 5 }),
        ),
        event(
            "PartUpdated",
            7,
            90,
            json!({ "current_stock": 1_000, "name": "Pad" }),
        ),
    ];
    for event in &mut with_delta[1..5] {
        event.schema = 2;
    }
    with_delta
}

#[test]
fn differences_add_up_on_the_whole_and_by_place() {
    let state = fold_all(stock_events().iter().map(TestEvent::view));
    assert_eq!(state.integer("current_stock"), Some(10 + 4 - 3 - 9 - 1 - 2));
    assert_eq!(state.sum_of("stock_by_location", "north"), 1);
    assert_eq!(
        state.get("stock_by_location"),
        Some(json!({ "north": 1, "south": -9 }))
    );
    assert_eq!(state.get("current_stock"), Some(json!(-1)));
}

#[test]
fn money_adds_up_in_hundredths_and_stays_text() {
    let booked = |position, amount| {
        TestEvent::new(
            "Budget",
            "BudgetBooked",
            position,
            i64::from(position),
            json!({ "amount": amount }),
        )
    };
    let created = json!({ "actual_amount": "100.00", "period": "2026-01" });
    let events = [
        booked(1, "0.10"),
        TestEvent::new("Budget", "BudgetCreated", 2, 2, created),
        booked(3, "0.20"),
        booked(4, "-50.35"),
    ];
    let state = fold_all(events.iter().map(TestEvent::view));
    assert_eq!(state.get("actual_amount"), Some(json!("49.95")));
}

/// It once took the opening value's place: a raw event set any level, and a difference with the level beside it counted twice.
#[test]
fn a_total_is_opened_by_its_tables_fields_alone() {
    let level = json!({ "north": 4 });
    let strays = [
        TestEvent::new(
            "Part",
            "PartRecounted",
            7,
            90,
            json!({ "current_stock": -50 }),
        ),
        TestEvent::new(
            "Part",
            "PartRecounted",
            8,
            90,
            json!({ "stock_by_location": level }),
        ),
        TestEvent::new(
            "Part",
            "PartRecounted",
            9,
            90,
            json!({ "old_current_stock": 1, "new_current_stock": -50 }),
        ),
        TestEvent::new(
            "Part",
            "PartUpdated",
            10,
            90,
            json!({ "current_stock": -50 }),
        ),
    ];
    let told = stock_events();
    let expected = fold_all(told.iter().map(TestEvent::view));
    let mut beside = told.clone();
    for moved in &mut beside[1..5] {
        moved.data.insert("current_stock".to_owned(), json!(1_000));
    }
    let state = fold_all(beside.iter().chain(&strays).map(TestEvent::view));
    for key in ["current_stock", "stock_by_location"] {
        assert_eq!(state.get(key), expected.get(key), "{key}");
    }
    // Nor does one open a total to which nothing was added yet.
    let state = fold_all(strays.iter().map(TestEvent::view));
    assert_eq!(state.get("current_stock"), None);
    assert_eq!(state.get("stock_by_location"), None);

    let booked = json!({ "amount": "5.00", "actual_amount": "900.00" });
    let budget = [
        TestEvent::new(
            "Budget",
            "BudgetCreated",
            1,
            1,
            json!({ "actual_amount": "100.00" }),
        ),
        TestEvent::new("Budget", "BudgetBooked", 2, 2, booked),
        TestEvent::new(
            "Budget",
            "BudgetUpdated",
            3,
            3,
            json!({ "actual_amount": "70.00" }),
        ),
    ];
    let state = fold_all(budget.iter().map(TestEvent::view));
    assert_eq!(state.get("actual_amount"), Some(json!("75.00")));
}

#[test]
fn what_came_of_each_line_adds_up_over_deliveries() {
    let received = |position, lines| {
        let data = json!({ "status": "ORDERED", "lines_received": lines });
        TestEvent::new("PurchaseOrder", "PurchaseOrderReceived", position, 1, data)
    };
    let events = [
        received(
            1,
            json!([{ "line_id": "a", "quantity_received": 2 }, { "line_id": "b", "quantity_received": 1 }]),
        ),
        received(
            2,
            json!([{ "line_id": "a", "quantity_received": 3 }, { "line_id": 7 }, "x"]),
        ),
    ];
    let state = fold_all(events.iter().map(TestEvent::view));
    assert_eq!(
        state.get("quantities_received"),
        Some(json!({ "a": 5, "b": 1 }))
    );
    assert_eq!(state.text("status"), Some("ORDERED"));
}

proptest! {
    #[test]
    fn totals_do_not_depend_on_the_order(order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle()) {
        let events = stock_events();
        let expected = fold_all(events.iter().map(TestEvent::view)).to_object();
        let shuffled = fold_all(order.iter().map(|place| events[*place].view())).to_object();
        prop_assert_eq!(shuffled, expected);
    }
}

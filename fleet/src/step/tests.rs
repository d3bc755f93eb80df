//! Steps: what they say when they are refused, and the remarks they leave.

use serde_json::json;

use super::*;
use crate::purchase_order::{AGGREGATE_TYPE, covered};
use crate::refusal::RefusalKind;
use crate::testing::TestEvent;

fn remarked(held: Option<&str>, note: Option<&str>) -> Option<Value> {
    let mut state = Folded::default();
    let created = TestEvent::new("Invoice", "InvoiceCreated", 1, 1, json!({ "notes": held }));
    state.fold(&created.view());
    let mut data = Map::new();
    add_remark(&mut data, &state, "Order", note);
    data.remove("notes")
}

#[test]
fn a_remark_goes_on_a_line_of_its_own() {
    assert_eq!(remarked(None, None), None);
    assert_eq!(remarked(Some("a"), Some("")), None);
    assert_eq!(remarked(None, Some("b")), Some("[Order] b".into()));
    assert_eq!(remarked(Some("a"), Some("b")), Some("a\n[Order] b".into()));
}

#[test]
fn a_refused_step_says_what_would_allow_it() {
    let refusal = starts_from(&["DRAFT", "ORDERED"], "CLOSED", "close", "order").unwrap_err();
    assert_eq!(
        refusal.message,
        "Cannot close order with status 'CLOSED'. Must be DRAFT or ORDERED."
    );
    assert_eq!(starts_from(&["DRAFT"], "DRAFT", "approve", "order"), Ok(()));
}

/// Regression: only who created an order was held back, so who had filled in another's draft approved it.
#[test]
fn who_changes_what_is_approved_writes_it_by_whatever_event() {
    let lines = |price: &str| json!([{ "line_number": 1, "part_no": "P", "quantity_ordered": 1, "unit_price": price }]);
    let events = [
        (
            Some("a"),
            "PurchaseOrderCreated",
            json!({ "created_by": "somebody else", "supplier_id": "s1", "lines": lines("1.00") }),
        ),
        (
            Some("lines"),
            "PurchaseOrderUpdated",
            json!({ "lines": lines("9.00") }),
        ),
        (
            Some("supplier"),
            "PurchaseOrderUpdatedEvent",
            json!({ "supplier_id": "s2" }),
        ),
        (
            Some("unknown type"),
            "PurchaseOrderHaggledOver",
            json!({ "old_total_amount": "1.00", "new_total_amount": "9.00" }),
        ),
        (
            Some("a field of no table"),
            "PurchaseOrderReceived",
            json!({ "currency": "USD" }),
        ),
        // None of these writes what is approved: it stays so, or nobody is named.
        (
            Some("notes"),
            "PurchaseOrderUpdated",
            json!({ "notes": "urgent", "expected_delivery_date": "2026-02-01" }),
        ),
        (
            Some("the same again"),
            "PurchaseOrderUpdated",
            json!({ "supplier_id": "s2" }),
        ),
        (
            None,
            "PurchaseOrderUpdated",
            json!({ "supplier_id": "yet another" }),
        ),
    ];
    let mut writers = Writers::of(covered);
    for (position, (by, event_type, data)) in (1_u32..).zip(events) {
        let at = i64::from(position);
        let event = TestEvent::new(AGGREGATE_TYPE, event_type, position, at, data);
        writers.take_in(&event.view(), by);
    }
    let wrote = |name: &str| writers.include(|known| known == name);
    for name in [
        "a",
        "lines",
        "supplier",
        "unknown type",
        "a field of no table",
    ] {
        assert!(wrote(name), "{name}");
    }
    for name in ["somebody else", "notes", "the same again"] {
        assert!(!wrote(name), "{name}");
    }
}

#[test]
fn who_begins_an_order_writes_it_even_if_it_says_nothing_yet() {
    let mut writers = Writers::of(covered);
    let begun = TestEvent::new(AGGREGATE_TYPE, "PurchaseOrderCreated", 1, 1, json!({}));
    writers.take_in(&begun.view(), Some("a"));
    assert!(writers.include(|known| known == "a"));
}

#[test]
fn who_wrote_some_of_it_is_refused_unless_they_may_everything() {
    let mut state = Folded::default();
    let created = json!({ "created_by": "a" });
    let created = TestEvent::new(AGGREGATE_TYPE, "PurchaseOrderCreated", 1, 1, created);
    state.fold(&created.view());
    let asked = |role, by, wrote_it| refuse_own(&state, role, by, wrote_it, "a purchase order");
    assert_eq!(asked(Role::FleetManager, "b", false), Ok(()));
    assert_eq!(asked(Role::SuperAdmin, "a", true), Ok(()));
    let refusal = asked(Role::FleetManager, "b", true).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.code, refusal.message.as_ref()),
        (
            RefusalKind::Forbidden,
            "own_work",
            "Who wrote some of what is approved of a purchase order (its supplier, lines or amounts) may not approve it; somebody \
             else with the role has to"
        )
    );
    let refusal = asked(Role::FleetManager, "a", false).unwrap_err();
    assert!(refusal.message.starts_with("Who created a purchase"));
}

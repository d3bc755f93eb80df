//! Steps: what they say when they are refused, and the remarks they leave.

use serde_json::json;

use super::*;
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

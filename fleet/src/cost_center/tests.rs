//! What a cost center shows of its code.

use serde_json::json;

use super::*;
use crate::described::Describe;
use crate::folded::Folded;
use crate::listing::row_id;
use crate::testing::{TestEvent, object};

#[test]
fn a_cost_center_whose_code_changed_shows_it_and_keeps_its_uuid() {
    let mut state = Folded::default();
    for (position, event_type, data) in [
        (1, event::COST_CENTER_CREATED, json!({ "name": "Workshop" })),
        (2, event::COST_CENTER_UPDATED, json!({ "code": "WS-1" })),
    ] {
        // Nobody told the code at first: it is the id.
        let shown = row("WS", &state).map(|row| row["code"].clone());
        assert_eq!(shown, (position == 2).then(|| json!("WS")));
        let told = TestEvent::new(AGGREGATE_TYPE, event_type, position, 1, data);
        state.fold(&told.view());
    }
    let row = row("WS", &state).unwrap();
    assert_eq!(row["code"], "WS-1");
    assert_eq!(row["id"], row_id(AGGREGATE_TYPE, "WS").to_string());
}

#[test]
fn none_is_its_own_parent_under_the_code_that_it_has_now() {
    let mut state = Folded::default();
    let data = json!({ "code": "WS-1", "name": "Workshop" });
    let told = TestEvent::new(AGGREGATE_TYPE, event::COST_CENTER_CREATED, 1, 1, data);
    state.fold(&told.view());
    let with_parent = |code: &str| {
        let change = Describe::Change(object(json!({ "parent_code": code })));
        decide(&state, "WS", &change).map_err(|refusal| refusal.code)
    };
    assert_eq!(with_parent("WS-1").unwrap_err(), "own_parent");
    // Another goes by its former one.
    assert_eq!(with_parent("WS").unwrap().len(), 1);
}

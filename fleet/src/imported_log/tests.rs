//! Rows of old logs are kept as they are.

use serde_json::{Map, json};

use super::*;
use crate::folded::Folded;
use crate::testing::{applied, object};

#[test]
fn a_row_is_kept_whatever_it_holds_and_sets_nothing() {
    let row = object(json!({ "id": 7, "status": "x", "payload_json": { "deep": [1] } }));
    let drafts = [keep("7", row.clone()), keep("8", Map::new())];
    assert_eq!(drafts[0].data["row"], json!(row));
    let state = applied(AGGREGATE_TYPE, Folded::default(), &drafts);
    assert_eq!(state.record.to_object(), Map::new());
}

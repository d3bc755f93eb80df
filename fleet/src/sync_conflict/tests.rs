//! Sync conflicts: settled once, in one way.

use serde_json::{Value, json};

use super::*;
use crate::command::Asked;
use crate::folded::Folded;
use crate::refusal::RefusalKind;
use crate::testing::{applied, object};

const NOW: Asked<'static> = Asked { now: 0, by: "u1" };

fn detected() -> Folded {
    let fields = object(json!({
        "conflict_id": "CONFLICT-1", "entity_type": "work_order", "entity_id": "w", "field_name": "priority",
        "server_value": { "value": "low", "type": "str" }, "client_value": { "value": "high", "type": "str" },
    }));
    let drafts = decide(
        &Folded::default(),
        &SyncConflictCommand::Detect(fields),
        NOW,
    )
    .unwrap();
    applied(AGGREGATE_TYPE, Folded::default(), &drafts)
}

#[test]
fn a_conflict_is_settled_once() {
    let state = detected();
    assert!(state.exists() && !is_resolved(&state));
    let client = SyncConflictCommand::Resolve(Resolution::Client);
    let state = applied(
        AGGREGATE_TYPE,
        state.clone(),
        &decide(&state, &client, NOW).unwrap(),
    );
    let row = Value::Object(row("c", &state).unwrap());
    assert_eq!(
        (&row["is_resolved"], &row["resolved_value"]["value"]),
        (&json!(true), &json!("high"))
    );
    assert_eq!(row["resolved_by"], "u1");
    assert_eq!(
        decide(&state, &client, NOW).unwrap(),
        [],
        "the same again says nothing new"
    );
    let custom = SyncConflictCommand::Resolve(Resolution::Custom(json!("urgent")));
    assert_eq!(
        decide(&state, &custom, NOW).unwrap_err().kind,
        RefusalKind::Conflict
    );
}

#[test]
fn an_unknown_conflict_is_not_settled() {
    let refusal = decide(
        &Folded::default(),
        &SyncConflictCommand::Resolve(Resolution::Server),
        NOW,
    );
    assert_eq!(refusal.unwrap_err().message, "Conflict not found");
}

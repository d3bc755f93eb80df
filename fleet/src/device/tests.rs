//! Devices: that registering again says nothing new, and brings a deactivated one back.

use serde_json::{Value, json};

use super::*;
use crate::command::Asked;
use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::{Refusal, RefusalKind};
use crate::testing::{applied, object};

const NOW: Asked<'static> = Asked { now: 0, by: "u1" };

fn run(state: &Folded, command: &DeviceCommand) -> Result<Vec<EventDraft>, Refusal> {
    decide(state, command, NOW)
}

fn register() -> DeviceCommand {
    let body = json!({ "device_id": "t1", "device_name": "Tablet 1", "device_type": "tablet", "platform": null });
    DeviceCommand::Register(registration(&object(body)).unwrap())
}

#[test]
fn a_device_registers_once_and_comes_back_when_it_was_deactivated() {
    let state = applied(
        AGGREGATE_TYPE,
        Folded::default(),
        &run(&Folded::default(), &register()).unwrap(),
    );
    let row = Value::Object(row("t1", &state).unwrap());
    assert_eq!(
        (&row["device_id"], &row["is_active"], &row["is_offline"]),
        (&json!("t1"), &json!(true), &json!(false))
    );
    assert_eq!(row["registered_at"], row["created_at"]);
    assert_eq!(run(&state, &register()).unwrap(), []);

    let off = run(
        &state,
        &DeviceCommand::Deactivate {
            reason: Some("lost".into()),
        },
    )
    .unwrap();
    let state = applied(AGGREGATE_TYPE, state, &off);
    assert!(!is_active(&state));
    let sync = DeviceCommand::Sync {
        pushed: true,
        pulled: false,
    };
    assert_eq!(run(&state, &sync).unwrap_err().kind, RefusalKind::Conflict);
    let back = run(&state, &register()).unwrap();
    let state = applied(AGGREGATE_TYPE, state, &back);
    assert!(is_active(&state));
    let state = applied(AGGREGATE_TYPE, state.clone(), &run(&state, &sync).unwrap());
    assert_eq!(
        state.text("last_push_at"),
        Some("1970-01-01T00:00:00.000000Z")
    );
    assert_eq!(state.text("last_pull_at"), None);
}

#[test]
fn going_offline_is_told_once() {
    let state = applied(
        AGGREGATE_TYPE,
        Folded::default(),
        &run(&Folded::default(), &register()).unwrap(),
    );
    let off = run(&state, &DeviceCommand::SetOffline(true)).unwrap();
    let state = applied(AGGREGATE_TYPE, state, &off);
    assert_eq!(run(&state, &DeviceCommand::SetOffline(true)).unwrap(), []);
    let unknown = run(&Folded::default(), &DeviceCommand::SetOffline(true)).unwrap_err();
    assert_eq!(unknown.kind, RefusalKind::Missing);
}

#[test]
fn a_token_is_for_active_devices_and_its_hash_is_a_secret() {
    let grant = TokenGrant {
        token_hash: "ab".repeat(32),
        user_id: "u1".to_owned(),
        role: crate::policy::Role::Technician,
        scope: json!({ "workshop": "WS-1" }),
        expires_at: "2030-01-01T00:00:00Z".to_owned(),
        renews: false,
    };
    let issue = DeviceCommand::IssueToken(grant);
    let state = applied(
        AGGREGATE_TYPE,
        Folded::default(),
        &run(&Folded::default(), &register()).unwrap(),
    );
    let state = applied(AGGREGATE_TYPE, state.clone(), &run(&state, &issue).unwrap());
    let row = row("t1", &state).unwrap();
    assert_eq!(
        (&row["role"], &row["scope"]["workshop"]),
        (&json!("TECHNICIAN"), &json!("WS-1"))
    );
    assert!(!row.contains_key("token_hash"));

    let off = DeviceCommand::Deactivate { reason: None };
    let state = applied(AGGREGATE_TYPE, state.clone(), &run(&state, &off).unwrap());
    assert_eq!(run(&state, &issue).unwrap_err().code, "device_inactive");
}

//! Work orders: every step of the state machine, what closes, what is planned around, and what follows elsewhere.

mod around;
mod bounds;
mod reopened;
mod steps;

use serde_json::{Value, json};

use super::*;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::testing::{ASKED, applied_now as applied, fields, types};

fn after(order: Folded, command: &WorkOrderCommand) -> Folded {
    let drafts = decide(&order, command, ASKED).unwrap();
    applied(AGGREGATE_TYPE, order, &drafts)
}

fn refused(order: &Folded, command: &WorkOrderCommand) -> Refusal {
    decide(order, command, ASKED).unwrap_err()
}

fn creation(body: Value) -> WorkOrderCommand {
    WorkOrderCommand::Create {
        order_number: "WO-2026-0001".to_owned(),
        fields: fields(CREATE, body),
    }
}

fn changing(body: Value) -> WorkOrderCommand {
    WorkOrderCommand::Change {
        fields: fields(CHANGE, body),
    }
}

fn item(text: &str, done: bool) -> WorkOrderCommand {
    WorkOrderCommand::SetChecklistItem {
        item_id: text.to_owned(),
        fields: fields(CHECKLIST_ITEM, json!({ "text": text, "done": done })),
    }
}

fn draft() -> Folded {
    after(
        Folded::default(),
        &creation(json!({ "vehicle_id": "V", "maintenance_type": "HU" })),
    )
}

/// An order that took these steps, with a reason for each.
fn order_that_was(steps: &[&str]) -> Folded {
    let step = |order, status: &&str| {
        after(
            order,
            &changing(json!({ "status": status, "reason": "so" })),
        )
    };
    steps.iter().fold(draft(), step)
}

/// The shortest way to each status.
fn order_in(status: &str) -> Folded {
    match status {
        "draft" => draft(),
        "scheduled" => order_that_was(&["scheduled"]),
        "in_progress" => order_that_was(&["scheduled", "in_progress"]),
        "completed" => order_that_was(&["scheduled", "in_progress", "completed"]),
        _ => order_that_was(&["cancelled"]),
    }
}

#[test]
fn a_new_order_is_the_row_that_clients_know() {
    let order = after(
        Folded::default(),
        &creation(json!({
            "vehicle_id": "V", "workshop_id": "W", "scheduled_start": "2026-11-02T10:00:00+01:00",
            "scheduled_end": "2026-11-03", "tasks": ["HU"], "estimated_cost": 99.5, "notes": null,
        })),
    );
    let row = Value::Object(row("0f8fad5b-d9cb-469f-a165-70867728950e", &order).unwrap());
    let told = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "order_number": "WO-2026-0001", "vehicle_id": "V",
        "workshop_id": "W", "status": "draft", "priority": "medium", "scheduled_start": "2026-11-02T09:00:00.000000Z",
        "scheduled_end": "2026-11-03T00:00:00.000000Z", "tasks": ["HU"], "estimated_cost": 99.5,
        "requires_release": false, "checklist": [], "finding_items": [], "note_items": [], "used_parts": [],
        "assignments": [], "version": 1, "created_at": "2026-11-02T08:00:00.000001Z",
        "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    let untold = "actual_start actual_end assigned_track assigned_team assigned_staff work_description \
        work_performed findings actual_cost estimated_hours actual_hours completion_notes notes maintenance_type \
        released_at released_by release_notes duration_min required_skills required_parts incompatible_assets \
        earliest_start_ts latest_end_ts hard_deadline_ts";
    let mut expected = told.as_object().cloned().unwrap();
    expected.extend(
        untold
            .split_whitespace()
            .map(|name| (name.to_owned(), Value::Null)),
    );
    assert_eq!(row, Value::Object(expected));
    let back = changing(row);
    assert_eq!(
        decide(&order, &back, ASKED),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn what_does_not_exist_is_missing() {
    let refusal = refused(&Folded::default(), &changing(json!({})));
    assert_eq!(refusal.message, "Work order not found");
}

#[test]
fn a_change_of_fields_is_one_event_and_of_none_is_none() {
    let change =
        changing(json!({ "priority": "urgent", "assigned_track": "T1", "work_description": null }));
    let drafts = decide(&draft(), &change, ASKED).unwrap();
    assert_eq!(types(&drafts), [schema::UPDATED]);
    assert_eq!(
        drafts[0].data,
        json!({ "priority": "urgent", "assigned_track": "T1" })
    );
    let order = applied(AGGREGATE_TYPE, draft(), &drafts);
    assert_eq!(decide(&order, &change, ASKED), Ok(Vec::new()));
}

#[test]
fn a_checklist_is_ticked_and_holds_up_the_completion() {
    let order = after(order_in("in_progress"), &item("brakes", false));
    let order = after(order, &item("doors", true));
    let doors = order.record.item(schema::CHECKLIST, "doors").unwrap();
    assert_eq!(
        (&doors["done_by"], &doors["done_at"]),
        (&ASKED.by.into(), &ASKED.time().into())
    );
    let complete = changing(json!({ "status": "completed" }));
    let refusal = refused(&order, &complete);
    assert_eq!(
        (refusal.code, refusal.message.as_ref()),
        ("checklist_open", "1 of 2 checklist items are open")
    );

    assert_eq!(
        decide(&order, &item("doors", true), ASKED),
        Ok(Vec::new()),
        "ticked twice is ticked once"
    );
    let unticked = after(order.clone(), &item("doors", false));
    let doors = unticked.record.item(schema::CHECKLIST, "doors").unwrap();
    assert_eq!(doors["done_by"], Value::Null);

    let removal = WorkOrderCommand::RemoveChecklistItem {
        item_id: "brakes".to_owned(),
    };
    let done = after(after(order, &removal), &complete);
    assert_eq!(refused(&done, &item("brakes", true)).code, "order_closed");
    assert_eq!(
        refused(&order_in("in_progress"), &removal).code,
        "item_not_found"
    );
    let nameless = WorkOrderCommand::SetChecklistItem {
        item_id: "x".to_owned(),
        fields: fields(CHECKLIST_ITEM, json!({ "done": true })),
    };
    assert_eq!(refused(&draft(), &nameless).field, "text");
}

#[test]
fn a_grave_finding_holds_up_the_release() {
    let found = |severity: &str| WorkOrderCommand::RecordFinding {
        finding_id: severity.to_owned(),
        fields: fields(FINDING, json!({ "text": "crack", "severity": severity })),
    };
    let release = WorkOrderCommand::Release {
        fields: fields(RELEASE, json!({ "notes": "test run done" })),
    };
    assert_eq!(
        refused(&order_in("in_progress"), &release).code,
        "order_not_completed"
    );

    let order = after(
        after(order_in("completed"), &found("low")),
        &found("critical"),
    );
    assert_eq!(
        refused(&order, &release).message,
        "A finding is open: crack"
    );
    let resolve = WorkOrderCommand::ResolveFinding {
        finding_id: "critical".to_owned(),
        fields: fields(RESOLUTION, json!({ "resolution": "welded" })),
    };
    let order = after(after(order, &resolve), &release);
    assert_eq!(order.text("released_by"), Some(ASKED.by));
    assert_eq!(order.text("release_notes"), Some("test run done"));

    assert_eq!(refused(&order, &release).code, "order_released");
    assert_eq!(refused(&order, &found("low")).code, "order_released");
    let reopen = changing(json!({ "status": "in_progress", "reason": "leaks" }));
    assert_eq!(refused(&order, &reopen).code, "order_released");
    assert_eq!(
        refused(&order, &changing(json!({ "findings": "none" }))).code,
        "order_closed"
    );
    let notes = after(order, &changing(json!({ "notes": "filed" })));
    assert_eq!(notes.text("notes"), Some("filed"));
}

#[test]
fn lists_have_an_end() {
    let mut order = draft();
    for number in 0..ITEMS_MAX {
        order = after(order, &item(&number.to_string(), true));
    }
    assert_eq!(refused(&order, &item("one more", true)).code, "too_many");
    after(order, &item("0", false));
}

/// Payloads that the old system and other writers used.
#[test]
fn payloads_of_the_past_are_understood() {
    let past = [
        (
            "WorkOrderCreatedEvent",
            json!({ "vehicle_id": "185123", "description": "Repair", "priority": "normal", "estimated_cost": 500.0, "parts_required": ["P1"] }),
        ),
        (
            "WorkOrderStatusChangedEvent",
            json!({ "old_status": "draft", "new_status": "in_progress", "actual_start_ts": "2026-01-01" }),
        ),
        (
            "WorkOrderCompleted",
            json!({ "actual_cost": 480, "completion_notes": "done", "completed_at": "2026-01-02T00:00:00Z" }),
        ),
    ];
    let mut order = Folded::default();
    for ((name, data), position) in past.into_iter().zip(1_u32..) {
        let event = crate::testing::TestEvent::new(
            AGGREGATE_TYPE,
            name,
            position,
            i64::from(position),
            data,
        );
        crate::registry()
            .check(AGGREGATE_TYPE, name, 1, &event.data)
            .unwrap();
        order.fold(&event.view());
    }
    let row = row("x", &order).unwrap();
    assert_eq!(
        (&row["status"], &row["work_description"]),
        (&json!("completed"), &json!("Repair"))
    );
    assert_eq!(
        (&row["actual_start"], &row["actual_end"]),
        (&json!("2026-01-01"), &json!("2026-01-02T00:00:00Z"))
    );
    assert_eq!(
        (&row["actual_cost"], &row["required_parts"]),
        (&json!(480), &json!(["P1"]))
    );
}

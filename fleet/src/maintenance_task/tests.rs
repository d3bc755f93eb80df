//! Maintenance tasks: due by day or kilometres, done once, and what the vehicle hears of it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::folded::Folded;
use crate::schema::body;
use crate::testing::{ASKED, NOW, any_body, applied_now as applied, fields, types};
use crate::vehicle::{MaintenanceReopened, VehicleCommand};

fn after(state: Folded, command: &MaintenanceTaskCommand) -> Folded {
    let drafts = decide(&state, command, ASKED).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

fn task(more: Value) -> Folded {
    let mut body = json!({ "vehicle_id": "V", "type": "HU", "due_date": "2026-11-03" });
    body.as_object_mut()
        .unwrap()
        .extend(crate::testing::object(more));
    after(
        Folded::default(),
        &MaintenanceTaskCommand::Create(fields(CREATE, body)),
    )
}

fn change(body: Value) -> MaintenanceTaskCommand {
    MaintenanceTaskCommand::Change(fields(CHANGE, body))
}

#[test]
fn a_new_task_is_the_row_that_clients_know() {
    let row = Value::Object(row("0f8fad5b-d9cb-469f-a165-70867728950e", &task(json!({}))).unwrap());
    let expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "vehicle_id": "V", "type": "HU", "description": null,
        "due_date": "2026-11-03T00:00:00.000000Z", "due_mileage_km": null, "is_overdue": false, "is_completed": false,
        "completed_at": null, "version": 1,
        "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    assert_eq!(row, expected);
    assert_eq!(
        decide(&task(json!({})), &change(row), ASKED),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn a_task_is_overdue_by_its_day_or_its_kilometres() {
    use crate::calendar::{DAY, HOUR, date_alone};
    // The day of a depot that is an hour ahead of UTC.
    let last = |due: i64| date_alone(due).map_or(due, |date| date.micros() + DAY - HOUR - 1);
    let is_late =
        |task: &Folded, now: i64, mileage_km: Option<i64>| is_overdue(task, now, mileage_km, last);
    let by_day = task(json!({}));
    assert!(!is_late(&by_day, NOW, Some(9_999_999)));
    // Due on the third, and now it is eight o'clock on the second, UTC.
    let end = NOW + DAY + 15 * HOUR;
    assert!(!is_late(&by_day, end - 1, None), "it is due this day");
    assert!(is_late(&by_day, end, None));
    let by_moment = task(json!({ "due_date": "2026-11-03T07:00:00Z" }));
    assert!(!is_late(&by_moment, NOW, None) && is_late(&by_moment, NOW + DAY, None));
    let by_mileage = task(json!({ "due_mileage_km": 500 }));
    assert!(!is_late(&by_mileage, NOW, Some(499)) && is_late(&by_mileage, NOW, Some(500)));
    assert!(
        !is_late(&by_mileage, NOW, None),
        "nobody knows how far it ran"
    );
    let done = after(by_mileage, &change(json!({ "is_completed": true })));
    assert!(!is_late(&done, NOW + 2 * DAY, Some(500)));
}

#[test]
fn a_task_is_done_once_and_opened_again_with_a_reason() {
    let done = after(task(json!({})), &change(json!({ "is_completed": true })));
    assert_eq!(done.text("completed_at"), Some(ASKED.time().as_str()));
    let by_order = MaintenanceTaskCommand::CompleteBy {
        work_order_id: "O".to_owned(),
        completed_at: ASKED.time(),
    };
    assert_eq!(decide(&done, &by_order, ASKED), Ok(Vec::new()));
    let due = decide(&done, &change(json!({ "due_date": "2027-01-01" })), ASKED);
    assert_eq!(due.unwrap_err().code, "task_completed");
    for reason in [json!(null), json!(" ")] {
        let open = change(json!({ "is_completed": false, "reason": reason }));
        assert_eq!(
            decide(&done, &open, ASKED).unwrap_err().code,
            "reason_missing"
        );
    }
    let open = after(
        done,
        &change(
            json!({ "is_completed": false, "reason": "wrong vehicle", "due_date": "2027-01-01" }),
        ),
    );
    assert_eq!(
        (open.is_true("is_completed"), open.text("completed_at")),
        (false, None)
    );
    let deleted = after(open, &MaintenanceTaskCommand::Delete);
    assert_eq!(row("x", &deleted), None);
    assert_eq!(
        decide(&deleted, &change(json!({})), ASKED)
            .unwrap_err()
            .message,
        "Maintenance task not found"
    );
}

#[test]
fn an_old_completion_without_a_word_completes() {
    let event = crate::testing::TestEvent::new(
        AGGREGATE_TYPE,
        "MaintenanceTaskCompletedEvent",
        2,
        NOW + 9,
        json!({}),
    );
    let mut state = task(json!({}));
    state.fold(&event.view());
    assert!(state.is_true("is_completed"));
}

#[test]
fn the_vehicle_hears_what_falls_due_and_what_was_done() {
    let open = task(json!({}));
    let told = |before: &Folded, after: &Folded| caused("T", before, after);
    let planned = told(&Folded::default(), &open);
    let [VehicleCommand::ScheduleMaintenance(plan)] = planned.as_slice() else {
        panic!("a new task is planned maintenance");
    };
    assert_eq!(
        (
            plan.maintenance_type.as_deref(),
            plan.scheduled_date.as_str()
        ),
        (Some("HU"), "2026-11-03T00:00:00.000000Z")
    );
    let described = after(
        open.clone(),
        &change(json!({ "description": "with crane" })),
    );
    assert_eq!(told(&open, &described), []);
    let moved = after(open.clone(), &change(json!({ "due_date": "2026-12-01" })));
    assert!(matches!(
        told(&open, &moved).as_slice(),
        [VehicleCommand::ScheduleMaintenance(_)]
    ));
    let done = after(open.clone(), &change(json!({ "is_completed": true })));
    let completed = told(&open, &done);
    let [VehicleCommand::CompleteMaintenance(completed)] = completed.as_slice() else {
        panic!("what is done is told");
    };
    assert_eq!(completed.maintenance_task_id.as_deref(), Some("T"));
    assert_eq!(told(&done, &done), []);
}

/// The vehicle went on saying that it was done.
#[test]
fn the_vehicle_hears_that_a_task_is_open_again() {
    let done = after(task(json!({})), &change(json!({ "is_completed": true })));
    let reopened = VehicleCommand::ReopenMaintenance(MaintenanceReopened {
        work_order_id: None,
        maintenance_task_id: Some("T".to_owned()),
    });
    let open = json!({ "is_completed": false, "reason": "wrong vehicle" });
    let again = after(done.clone(), &change(open));
    assert_eq!(caused("T", &done, &again), std::slice::from_ref(&reopened));
    let later = json!({ "is_completed": false, "reason": "so", "due_date": "2026-12-01" });
    let told = caused("T", &done, &after(done.clone(), &change(later)));
    assert_eq!(told[0], reopened);
    assert!(matches!(told[1], VehicleCommand::ScheduleMaintenance(_)));
    let deleted = after(done.clone(), &MaintenanceTaskCommand::Delete);
    assert_eq!(caused("T", &done, &deleted), []);
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds_to_what_was_asked(
        first in any_body(CREATE), bodies in prop::collection::vec(any_body(CHANGE), 0..12),
    ) {
        let create = body::parse(CREATE, &first).ok().map(MaintenanceTaskCommand::Create);
        let mut state = create.map_or_else(|| task(json!({})), |create| after(Folded::default(), &create));
        for body in bodies {
            let Ok(fields) = body::parse(CHANGE, &body) else { continue };
            let command = MaintenanceTaskCommand::Change(fields.clone());
            let Ok(drafts) = decide(&state, &command, ASKED) else { continue };
            prop_assert!(drafts.len() <= 2, "{:?}", types(&drafts));
            state = applied(AGGREGATE_TYPE, state, &drafts);
            for name in ["type", "due_date", "description", "due_mileage_km", "is_completed"] {
                if let Some(value) = fields.get(name) {
                    prop_assert_eq!(&row("x", &state).unwrap()[name], value);
                }
            }
            prop_assert_eq!(state.is_true("is_completed"), state.text("completed_at").is_some());
        }
    }
}

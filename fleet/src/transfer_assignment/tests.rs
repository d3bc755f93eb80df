//! Transfer assignments: confirmed and called off, and what stands in their way.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::folded::Folded;
use crate::schema::body;
use crate::testing::{ASKED, NOW, any_body, applied_now as applied, fields, object, types};
use crate::{staff, transfer_plan, vehicle, work_order};

fn after(state: Folded, command: &TransferAssignmentCommand) -> Folded {
    let drafts = decide(&state, command, ASKED).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

fn assignment(more: Value) -> Folded {
    let mut body = json!({ "transfer_plan_id": "P", "vehicle_id": "V" });
    body.as_object_mut().unwrap().extend(object(more));
    after(
        Folded::default(),
        &TransferAssignmentCommand::Create(fields(CREATE, body)),
    )
}

fn change(body: Value) -> TransferAssignmentCommand {
    TransferAssignmentCommand::Change(fields(CHANGE, body))
}

fn plan(status: &str, departure: &str, arrival: &str) -> Folded {
    let body = json!({ "plan_id": "TP", "from_location": "a", "to_location": "b",
        "scheduled_departure_ts": departure, "scheduled_arrival_ts": arrival });
    let create = transfer_plan::TransferPlanCommand::Create(fields(transfer_plan::CREATE, body));
    let change = transfer_plan::TransferPlanCommand::Change(fields(
        transfer_plan::CHANGE,
        json!({ "status": status }),
    ));
    [create, change]
        .iter()
        .fold(Folded::default(), |plan, command| {
            let drafts = transfer_plan::decide(&plan, command, ASKED).unwrap();
            applied(transfer_plan::AGGREGATE_TYPE, plan, &drafts)
        })
}

fn person(status: &str) -> Folded {
    let body = json!({ "staff_id": "S1", "first_name": "A", "last_name": "B", "role": "driver", "status": status });
    let create = staff::StaffCommand::Create(fields(staff::CREATE, body));
    let drafts = staff::decide(&Folded::default(), &create).unwrap();
    applied(staff::AGGREGATE_TYPE, Folded::default(), &drafts)
}

fn vehicle(status: &str) -> Folded {
    let body = json!({ "asset_id": "4711", "model": "T1", "type": "electric", "status": status });
    let create = vehicle::VehicleFields::parse(&object(body)).unwrap();
    let drafts = vehicle::decide(
        &Folded::default(),
        "4711",
        &vehicle::VehicleCommand::Create(create),
    )
    .unwrap();
    applied(vehicle::AGGREGATE_TYPE, Folded::default(), &drafts)
}

fn order(start: &str, end: &str) -> Folded {
    let body = json!({ "vehicle_id": "V", "status": "scheduled", "scheduled_start": start, "scheduled_end": end });
    let create = work_order::WorkOrderCommand::Create {
        order_number: "WO".to_owned(),
        fields: fields(work_order::CREATE, body),
    };
    let drafts = work_order::decide(&Folded::default(), &create, ASKED).unwrap();
    applied(work_order::AGGREGATE_TYPE, Folded::default(), &drafts)
}

#[test]
fn a_new_assignment_is_the_row_that_clients_know() {
    let state = assignment(json!({ "position_in_convoy": 2 }));
    let row = Value::Object(row("0f8fad5b-d9cb-469f-a165-70867728950e", &state).unwrap());
    let expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "transfer_plan_id": "P", "vehicle_id": "V", "position_in_convoy": 2,
        "driver_id": null, "is_confirmed": "pending", "confirmation_notes": null, "assigned_at": ASKED.time(),
        "confirmed_at": null, "assigned_by": ASKED.by, "version": 1,
        "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    assert_eq!(row, expected);
    assert_eq!(
        decide(&state, &change(row), ASKED),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn it_is_confirmed_at_a_time_by_somebody_and_that_can_be_taken_back() {
    let command = change(
        json!({ "is_confirmed": "confirmed", "confirmation_notes": "by phone", "position_in_convoy": 1 }),
    );
    let drafts = decide(&assignment(json!({})), &command, ASKED).unwrap();
    assert_eq!(types(&drafts), [schema::UPDATED, schema::CONFIRMED]);
    let confirmed = applied(AGGREGATE_TYPE, assignment(json!({})), &drafts);
    assert_eq!(
        (
            confirmed.text("confirmed_at"),
            confirmed.text("confirmation_notes")
        ),
        (Some(ASKED.time().as_str()), Some("by phone"))
    );
    assert_eq!(confirmed.text("confirmed_by"), Some(ASKED.by));
    let pending = after(
        confirmed.clone(),
        &change(json!({ "is_confirmed": "pending" })),
    );
    assert_eq!(
        (pending.text("is_confirmed"), pending.text("confirmed_at")),
        (Some("pending"), None)
    );
    let cancelled = after(
        confirmed,
        &change(json!({ "is_confirmed": "cancelled", "reason": "broken down" })),
    );
    assert!(!is_active(&cancelled));
    let gone = after(cancelled, &TransferAssignmentCommand::Delete);
    assert_eq!(row("x", &gone), None);
    assert_eq!(
        decide(&gone, &command, ASKED).unwrap_err().message,
        "Transfer assignment not found"
    );
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let here = plan("scheduled", "2026-11-02T10:00:00Z", "2026-11-02T12:00:00Z");
    let meets = plan("scheduled", "2026-11-02T11:00:00Z", "2026-11-02T13:00:00Z");
    let touches = plan("scheduled", "2026-11-02T12:00:00Z", "2026-11-02T13:00:00Z");
    let called_off = plan("cancelled", "2026-11-02T11:00:00Z", "2026-11-02T13:00:00Z");
    let done = plan("cancelled", "2026-11-02T10:00:00Z", "2026-11-02T12:00:00Z");
    let (fit, retired) = (vehicle("available"), vehicle("retired"));
    let (present, away) = (person("active"), person("sick_leave"));
    let other = assignment(json!({ "vehicle_id": "X", "position_in_convoy": 1 }));
    let twin = assignment(json!({}));
    let clear = Around {
        plan: &here,
        vehicle: &fit,
        driver: Some(&present),
        of_plan: &[],
        plans_of_vehicle: &[],
        plans_of_driver: &[],
        orders_of_vehicle: &[],
    };
    let free = [touches, called_off];
    let busy = [meets];
    let repaired = [
        order("2026-11-02T12:00:00Z", "2026-11-03"),
        order("2026-11-02T09:00:00Z", "2026-11-02T10:00:00Z"),
    ];
    let in_repair = [order("2026-11-02T11:00:00Z", "2026-11-03")];
    let cases = [
        (
            Around {
                plans_of_vehicle: &free,
                plans_of_driver: &free,
                orders_of_vehicle: &repaired,
                ..clear
            },
            None,
        ),
        (
            Around {
                plan: &done,
                ..clear
            },
            Some("plan_closed"),
        ),
        (
            Around {
                vehicle: &retired,
                ..clear
            },
            Some("vehicle_retired"),
        ),
        (
            Around {
                driver: Some(&away),
                ..clear
            },
            Some("staff_unavailable"),
        ),
        (
            Around {
                of_plan: std::slice::from_ref(&other),
                ..clear
            },
            Some("place_taken"),
        ),
        (
            Around {
                of_plan: std::slice::from_ref(&twin),
                ..clear
            },
            Some("vehicle_taken"),
        ),
        (
            Around {
                plans_of_vehicle: &busy,
                ..clear
            },
            Some("vehicle_elsewhere"),
        ),
        (
            Around {
                plans_of_driver: &busy,
                ..clear
            },
            Some("staff_overlap"),
        ),
        (
            Around {
                orders_of_vehicle: &in_repair,
                ..clear
            },
            Some("vehicle_in_workshop"),
        ),
    ];
    let asked = assignment(json!({ "position_in_convoy": 1, "driver_id": "D" }));
    for (around, expected) in cases {
        let refusal = check(&asked, &around, NOW).err();
        assert_eq!(refusal.map(|refusal| refusal.code), expected);
    }
    let off = after(asked, &change(json!({ "is_confirmed": "cancelled" })));
    assert_eq!(
        check(
            &off,
            &Around {
                plan: &done,
                ..clear
            },
            NOW
        ),
        Ok(()),
        "what is off needs no room"
    );
}

/// A train that left after it should have arrived had no time at all, so that its vehicle and its driver were free.
#[test]
fn a_late_train_keeps_its_vehicle_and_its_driver() {
    let late = plan(
        "in_progress",
        "2026-11-02T05:00:00Z",
        "2026-11-02T07:00:00Z",
    );
    let late = [late];
    let (fit, present) = (vehicle("available"), person("active"));
    let asked = assignment(json!({ "driver_id": "D" }));
    for (departure, meets) in [
        ("2026-11-02T08:30:00Z", true),
        ("2026-11-02T09:59:00Z", true),
        ("2026-11-02T10:00:00Z", false),
    ] {
        let next = plan("scheduled", departure, "2026-11-02T12:00:00Z");
        let clear = Around {
            plan: &next,
            vehicle: &fit,
            driver: Some(&present),
            of_plan: &[],
            plans_of_vehicle: &[],
            plans_of_driver: &[],
            orders_of_vehicle: &[],
        };
        let of_vehicle = Around {
            plans_of_vehicle: &late,
            ..clear
        };
        let of_driver = Around {
            plans_of_driver: &late,
            ..clear
        };
        for (around, code) in [
            (of_vehicle, "vehicle_elsewhere"),
            (of_driver, "staff_overlap"),
        ] {
            let refusal = check(&asked, &around, NOW).err();
            let expected = meets.then_some(code);
            assert_eq!(refusal.map(|refusal| refusal.code), expected, "{departure}");
        }
    }
}

/// A plan whose time changes is held to what it takes time from, and not to who is away today.
#[test]
fn a_plan_that_moves_is_held_to_times_alone() {
    let here = plan("scheduled", "2026-11-02T10:00:00Z", "2026-11-02T12:00:00Z");
    let meets = [plan(
        "scheduled",
        "2026-11-02T11:00:00Z",
        "2026-11-02T13:00:00Z",
    )];
    let (retired, away) = (vehicle("retired"), person("sick_leave"));
    let clear = Around {
        plan: &here,
        vehicle: &retired,
        driver: Some(&away),
        of_plan: &[],
        plans_of_vehicle: &[],
        plans_of_driver: &[],
        orders_of_vehicle: &[],
    };
    assert_eq!(check_times(&clear, NOW), Ok(()));
    let busy = Around {
        plans_of_driver: &meets,
        ..clear
    };
    assert_eq!(check_times(&busy, NOW).unwrap_err().code, "staff_overlap");
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds_to_what_was_asked(bodies in prop::collection::vec(any_body(CHANGE), 0..12)) {
        let mut state = assignment(json!({}));
        for body in bodies {
            let Ok(fields) = body::parse(CHANGE, &body) else { continue };
            let command = TransferAssignmentCommand::Change(fields.clone());
            state = after(state, &command);
            prop_assert_eq!(decide(&state, &command, ASKED), Ok(Vec::new()));
            for (name, value) in fields.iter().filter(|(name, _)| *name != "reason") {
                prop_assert_eq!(&state.get(name).unwrap_or_default(), value, "{}", name);
            }
        }
    }
}

//! What stands in the way of a plan, and what a step causes elsewhere.

use super::*;
use crate::calendar::{self, DAY, HOUR};
use crate::testing::NOW;
use crate::workplace::WorkplaceCommand;
use crate::{track, transfer_plan, vehicle, workshop};

pub(super) const HOUR_TEN: &str = "2026-11-02T10:00:00Z";

pub(super) fn planned(
    vehicle: &str,
    workshop: &str,
    start: &str,
    end: &str,
    more: Value,
) -> Folded {
    let mut body = json!({ "vehicle_id": vehicle, "workshop_id": workshop, "status": "scheduled",
        "scheduled_start": start, "scheduled_end": end });
    body.as_object_mut()
        .unwrap()
        .extend(crate::testing::object(more));
    after(Folded::default(), &creation(body))
}

fn at(vehicle: &str, workshop: &str, start: &str, end: &str) -> Folded {
    planned(vehicle, workshop, start, end, json!({}))
}

fn workshop_with(tracks: i64) -> Folded {
    let body = json!({ "code": "WS", "name": "West", "location": "Yard", "total_tracks": tracks });
    let create = workshop::WorkshopCommand::Create(fields(workshop::CREATE, body));
    let drafts = workshop::decide(&Folded::default(), &create).unwrap();
    applied(workshop::AGGREGATE_TYPE, Folded::default(), &drafts)
}

/// The last moment at which what is due is in time, where days end an hour after those of UTC.
pub(super) fn west_of_utc(due: i64) -> i64 {
    calendar::date_alone(due).map_or(due, |day| day.micros() + DAY + HOUR - 1)
}

/// The code of the refusal of `order` in a workshop with two tracks.
#[track_caller]
pub(super) fn check(order: &Folded, others: &[Folded], expected: Option<&str>) {
    let workshop = workshop_with(2);
    let around = Around {
        workshop: Some(&workshop),
        track: None,
        team: None,
        others,
        transfers: &[],
    };
    let code = check_plan(order, &around, NOW, west_of_utc)
        .err()
        .map(|refusal| refusal.code);
    assert_eq!(code, expected);
}

#[test]
fn a_workshop_has_so_many_tracks_at_once() {
    let order = at("V1", "W", HOUR_TEN, "2026-11-02T14:00:00Z");
    let early = at("V2", "W", "2026-11-02T08:00:00Z", "2026-11-02T12:00:00Z");
    let late = at("V3", "W", "2026-11-02T12:00:00Z", "2026-11-02T16:00:00Z");
    let long = at("V4", "W", "2026-11-01", "2026-11-09");
    let elsewhere = at("V5", "X", "2026-11-01", "2026-11-09");
    check(&order, &[early.clone(), late.clone()], None);
    check(&order, &[early.clone(), elsewhere], None);
    check(&order, &[early, late, long], Some("workshop_full"));
}

#[test]
fn a_track_takes_one_vehicle_at_a_time() {
    let on = |track: &str, start: &str| {
        planned(
            "V",
            "W",
            start,
            "2026-11-02T14:00:00Z",
            json!({ "assigned_track": track }),
        )
    };
    check(&on("T1", HOUR_TEN), &[on("T2", HOUR_TEN)], None);
    check(
        &on("T1", HOUR_TEN),
        &[on("T1", "2026-11-02T13:00:00Z")],
        Some("track_taken"),
    );
}

#[test]
fn a_vehicle_is_in_one_workshop_at_a_time() {
    let here = at("V", "W", HOUR_TEN, "2026-11-02T14:00:00Z");
    check(
        &here,
        &[at("V", "X", "2026-11-02T13:00:00Z", "2026-11-03")],
        Some("vehicle_elsewhere"),
    );
    check(
        &here,
        &[at("V", "W", "2026-11-02T13:00:00Z", "2026-11-03")],
        None,
    );
    check(
        &here,
        &[at("V", "X", "2026-11-02T14:00:00Z", "2026-11-03")],
        None,
    );
}

/// The code of the refusal of `order` while its vehicle runs from ten to twelve, the train being in this status.
#[track_caller]
fn check_run(order: &Folded, status: &str, expected: Option<&str>) {
    let body = json!({ "plan_id": "TP", "from_location": "a", "to_location": "b",
        "scheduled_departure_ts": HOUR_TEN, "scheduled_arrival_ts": "2026-11-02T12:00:00Z" });
    let create = transfer_plan::TransferPlanCommand::Create(fields(transfer_plan::CREATE, body));
    let step = json!({ "status": status });
    let step = transfer_plan::TransferPlanCommand::Change(fields(transfer_plan::CHANGE, step));
    let run = [create, step]
        .iter()
        .fold(Folded::default(), |run, command| {
            let drafts = transfer_plan::decide(&run, command, ASKED).unwrap();
            applied(transfer_plan::AGGREGATE_TYPE, run, &drafts)
        });
    let around = Around {
        workshop: None,
        track: None,
        team: None,
        others: &[],
        transfers: &[run],
    };
    let refusal = check_plan(order, &around, NOW, west_of_utc).err();
    assert_eq!(refusal.map(|refusal| refusal.code), expected);
}

#[test]
fn a_vehicle_that_runs_is_not_planned_into_the_workshop() {
    let meets = at("V", "W", "2026-11-02T11:00:00Z", "2026-11-02T14:00:00Z");
    check_run(&meets, "draft", Some("vehicle_in_transfer"));
    check_run(&meets, "scheduled", Some("vehicle_in_transfer"));
    check_run(&meets, "cancelled", None);
    let behind = at("V", "W", "2026-11-02T12:00:00Z", "2026-11-02T14:00:00Z");
    check_run(&behind, "scheduled", None);
    let begun = after(meets, &changing(json!({ "status": "in_progress" })));
    check_run(&begun, "scheduled", None);
}

#[test]
fn late_work_keeps_its_track_until_it_ends() {
    let late = at("V1", "W", "2026-11-01T00:00:00Z", "2026-11-01T12:00:00Z");
    let late = after(
        late,
        &changing(json!({ "status": "in_progress", "actual_start": "2026-11-01T01:00:00Z" })),
    );
    let span = span_of(&late, NOW).unwrap();
    assert_eq!(span.shown(), "2026-11-01 01:00 to 2026-11-02 08:00 UTC");
}

#[test]
fn tracks_and_teams_that_are_kept_have_hours_and_homes() {
    let kept = |commands: &[WorkplaceCommand]| {
        commands.iter().fold(Folded::default(), |state, command| {
            let drafts = track::WORKPLACE.decide(&state, command).unwrap();
            applied(track::AGGREGATE_TYPE, state, &drafts)
        })
    };
    let create = |workshop: &str| {
        let body = json!({ "track_id": "T1", "name": "Pit", "workshop_id": workshop });
        WorkplaceCommand::Create(fields(track::CREATE, body))
    };
    let away = |start: &str| WorkplaceCommand::SetAvailability {
        availability_id: "a".to_owned(),
        fields: fields(
            track::AVAILABILITY,
            json!({ "start_ts": start, "end_ts": "2026-11-09", "is_available": false, "reason": "crane" }),
        ),
    };
    let order = planned(
        "V",
        "W",
        HOUR_TEN,
        "2026-11-02T14:00:00Z",
        json!({ "assigned_track": "T1" }),
    );
    let workshop = workshop_with(2);
    for (track, expected) in [
        (kept(&[create("W")]), None),
        (kept(&[create("X")]), Some("elsewhere")),
        (
            kept(&[create("W"), away("2026-11-02T13:00:00Z")]),
            Some("not_available"),
        ),
        (kept(&[create("W"), away("2026-11-02T14:00:00Z")]), None),
    ] {
        let around = Around {
            workshop: Some(&workshop),
            track: Some(&track),
            team: None,
            others: &[],
            transfers: &[],
        };
        let refusal = check_plan(&order, &around, NOW, west_of_utc).err();
        assert_eq!(refusal.map(|refusal| refusal.code), expected);
    }
}

#[test]
fn only_a_new_plan_is_checked() {
    let order = at("V", "W", HOUR_TEN, "2026-11-02T14:00:00Z");
    assert!(needs_plan_check(&Folded::default(), &order));
    let begun = after(order.clone(), &changing(json!({ "status": "in_progress" })));
    assert!(
        !needs_plan_check(&order, &begun),
        "work that was planned may begin"
    );
    let moved = after(
        order.clone(),
        &changing(json!({ "scheduled_end": "2026-11-02T15:00:00Z" })),
    );
    assert!(needs_plan_check(&order, &moved));
    let cancelled = after(order.clone(), &changing(json!({ "status": "cancelled" })));
    assert!(!needs_plan_check(&order, &cancelled));
    assert!(!needs_plan_check(&Folded::default(), &draft()));
}

fn vehicle_in(status: &str) -> Folded {
    let body = json!({ "asset_id": "4711", "model": "T1", "type": "electric", "status": status, "current_mileage_km": 1_000 });
    let create = vehicle::VehicleFields::parse(&crate::testing::object(body)).unwrap();
    let drafts = vehicle::decide(
        &Folded::default(),
        "4711",
        &vehicle::VehicleCommand::Create(create),
    )
    .unwrap();
    applied(vehicle::AGGREGATE_TYPE, Folded::default(), &drafts)
}

/// What the step to `status` causes on a vehicle: types of events, and its status afterwards.
#[track_caller]
fn on_vehicle(
    before: &Folded,
    body: Value,
    vehicle: &str,
    held: bool,
    expected: &[&str],
    status: &str,
) {
    let stepped = after(before.clone(), &changing(body));
    let vehicle = vehicle_in(vehicle);
    let caused = consequences(
        ("O", before, &stepped),
        ("4711", &vehicle),
        held,
        None,
        ASKED,
    )
    .unwrap();
    assert_eq!(types(&caused.vehicle), expected);
    let vehicle = applied(vehicle::AGGREGATE_TYPE, vehicle, &caused.vehicle);
    assert_eq!(vehicle.text("status"), Some(status));
}

#[test]
fn a_vehicle_follows_its_order_through_the_workshop() {
    let changed = "VehicleStatusChanged";
    let planned = at("4711", "W", HOUR_TEN, "2026-11-02T14:00:00Z");
    on_vehicle(
        &planned,
        json!({ "status": "in_progress" }),
        "in_service",
        false,
        &[changed],
        "in_workshop",
    );
    let begun = order_in("in_progress");
    let done = json!({ "status": "completed" });
    on_vehicle(
        &begun,
        done.clone(),
        "in_workshop",
        false,
        &["MaintenanceCompleted", changed],
        "available",
    );
    on_vehicle(
        &begun,
        done.clone(),
        "in_workshop",
        true,
        &["MaintenanceCompleted"],
        "in_workshop",
    );
    on_vehicle(
        &begun,
        done,
        "out_of_service",
        false,
        &["MaintenanceCompleted"],
        "out_of_service",
    );
    on_vehicle(
        &begun,
        json!({ "status": "cancelled" }),
        "in_workshop",
        false,
        &[changed],
        "maintenance_due",
    );
    on_vehicle(
        &order_in("draft"),
        json!({ "status": "cancelled" }),
        "in_service",
        false,
        &[],
        "in_service",
    );
    let again = json!({ "status": "in_progress", "reason": "leaks" });
    on_vehicle(
        &order_in("completed"),
        again,
        "available",
        false,
        &[changed],
        "in_workshop",
    );
    let moved = json!({ "scheduled_start": "2026-11-02T11:00:00Z" });
    on_vehicle(
        &planned,
        moved,
        "in_service",
        false,
        &["VehicleMaintenanceScheduled"],
        "in_service",
    );
}

#[test]
fn an_order_that_must_be_released_keeps_the_vehicle_until_then() {
    let begun = after(
        order_in("draft"),
        &changing(json!({ "status": "in_progress", "requires_release": true })),
    );
    on_vehicle(
        &begun,
        json!({ "status": "completed" }),
        "in_workshop",
        false,
        &["MaintenanceCompleted"],
        "in_workshop",
    );
    let done = after(begun, &changing(json!({ "status": "completed" })));
    assert!(holds_vehicle(&done));
    let release = WorkOrderCommand::Release {
        fields: fields(RELEASE, json!({})),
    };
    let released = after(done.clone(), &release);
    let vehicle = vehicle_in("in_workshop");
    let caused = consequences(
        ("O", &done, &released),
        ("4711", &vehicle),
        false,
        None,
        ASKED,
    )
    .unwrap();
    assert_eq!(caused.vehicle[0].data["new_status"], "available");
    assert_eq!(
        caused.vehicle[0].data["reason"],
        "Work order WO-2026-0001 released"
    );
}

/// It used to be set available, the crack being open, unless somebody had asked for a release beforehand.
#[test]
fn a_grave_finding_keeps_the_vehicle_when_the_work_is_done() {
    let found = |severity: &str| WorkOrderCommand::RecordFinding {
        finding_id: severity.to_owned(),
        fields: fields(FINDING, json!({ "text": "crack", "severity": severity })),
    };
    let done = json!({ "status": "completed" });
    for (severity, status) in [
        ("low", "available"),
        ("medium", "available"),
        ("high", "in_workshop"),
        ("critical", "in_workshop"),
    ] {
        let begun = after(order_in("in_progress"), &found(severity));
        let expected: &[&str] = match status {
            "available" => &["MaintenanceCompleted", "VehicleStatusChanged"],
            _ => &["MaintenanceCompleted"],
        };
        on_vehicle(&begun, done.clone(), "in_workshop", false, expected, status);
    }

    let begun = after(order_in("in_progress"), &found("critical"));
    let needing = after(
        begun.clone(),
        &changing(json!({ "requires_release": true })),
    );
    let spared = json!({ "status": "completed", "requires_release": false });
    for asked in [&done, &spared] {
        let drafts = decide(&begun, &changing(asked.clone()), ASKED).unwrap();
        assert_eq!(types(&drafts), [schema::UPDATED, schema::COMPLETED]);
        assert_eq!(drafts[0].data, json!({ "requires_release": true }));
        let drafts = decide(&needing, &changing(asked.clone()), ASKED).unwrap();
        assert_eq!(types(&drafts), [schema::COMPLETED], "{asked}");
    }

    // It is for a release to let it go, whoever deals with the finding and however that is told.
    let held = after(begun, &changing(done));
    let resolve = WorkOrderCommand::ResolveFinding {
        finding_id: "critical".to_owned(),
        fields: fields(RESOLUTION, json!({ "resolution": "welded" })),
    };
    let resolved = after(held.clone(), &resolve);
    assert!(holds_vehicle(&held) && holds_vehicle(&resolved));
    assert!(!changes_hold(&held, &resolved));
    let release = WorkOrderCommand::Release {
        fields: fields(RELEASE, json!({})),
    };
    assert_eq!(refused(&held, &release).code, "finding_open");
    assert!(!holds_vehicle(&after(resolved, &release)));
}

/// Orders that were completed long ago took vehicles that run since.
#[test]
fn what_is_found_after_the_completion_takes_no_vehicle() {
    let found = WorkOrderCommand::RecordFinding {
        finding_id: "F".to_owned(),
        fields: fields(FINDING, json!({ "text": "crack", "severity": "critical" })),
    };
    let done = order_in("completed");
    let late = after(done.clone(), &found);
    assert!(!holds_vehicle(&late) && !changes_hold(&done, &late));
}

/// A tablet tells what became of a finding field by field, and the time may be all that came.
#[test]
fn a_finding_of_which_the_time_is_told_is_dealt_with() {
    let found = WorkOrderCommand::RecordFinding {
        finding_id: "F".to_owned(),
        fields: fields(FINDING, json!({ "text": "crack", "severity": "high" })),
    };
    let begun = after(order_in("in_progress"), &found);
    let told = json!({ "finding_id": "F", "resolved_at": "2026-11-02T07:00:00Z" });
    let told = schema::SCHEMA.draft(schema::FINDING_RESOLVED, crate::testing::object(told));
    let resolved = applied(AGGREGATE_TYPE, begun, &[told]);
    let done = after(resolved, &changing(json!({ "status": "completed" })));
    assert!(!holds_vehicle(&done));
}

#[test]
fn steps_that_take_or_free_the_vehicle_are_told_apart() {
    let step = |from: &str, body: Value| {
        let before = order_in(from);
        let after = after(before.clone(), &changing(body));
        changes_hold(&before, &after)
    };
    assert!(step("scheduled", json!({ "status": "in_progress" })));
    assert!(step("in_progress", json!({ "status": "completed" })));
    assert!(step("in_progress", json!({ "status": "cancelled" })));
    assert!(!step("scheduled", json!({ "status": "cancelled" })));
    assert!(!step("in_progress", json!({ "notes": "x" })));
}

#[test]
fn who_spares_begun_work_its_release_is_told() {
    let waived = |order: &Folded, body: Value| waives_release(order, &fields(CHANGE, body));
    let planned = after(
        order_in("scheduled"),
        &changing(json!({ "requires_release": true })),
    );
    let off = json!({ "requires_release": false });
    assert!(!waived(&planned, off.clone()), "a plan may be changed");
    let begun = after(planned, &changing(json!({ "status": "in_progress" })));
    assert!(waived(&begun, off.clone()));
    assert!(waived(
        &begun,
        json!({ "requires_release": false, "status": "completed" })
    ));
    assert!(!waived(&begun, json!({ "requires_release": true })));
    assert!(!waived(&begun, json!({ "status": "completed" })));
    // What was called off and planned anew had begun.
    let again = ["cancelled", "draft"].iter().fold(begun, |order, status| {
        after(
            order,
            &changing(json!({ "status": status, "reason": "so" })),
        )
    });
    assert!(waived(&again, off.clone()));
    // Nor may it be said not to have: the next change could spare it the release.
    let unbegun = json!({ "actual_start": null });
    assert!(waived(&again, unbegun.clone()));
    let restarted = json!({ "actual_start": "2026-11-02T07:00:00Z" });
    assert!(!waived(&again, restarted), "another time is no waiver");
    assert!(!waived(&draft(), unbegun.clone()), "nothing has begun");
    assert!(
        !waived(&order_in("in_progress"), unbegun),
        "nothing is spared"
    );
    assert!(!waived(&order_in("in_progress"), off), "nothing is spared");
}

#[test]
fn work_takes_and_frees_a_track() {
    let planned = at("V", "W", HOUR_TEN, "2026-11-02T14:00:00Z");
    let mut workshop = workshop_with(2);
    let mut order = planned;
    let shown = |workshop: &Folded| {
        let row = workshop::row("x", workshop).unwrap();
        (
            row["available_tracks"].clone(),
            row["total_completed_orders"].clone(),
        )
    };
    for (body, tracks, completed) in [
        (json!({ "status": "in_progress" }), 1, 0),
        (json!({ "status": "completed" }), 2, 1),
        (json!({ "status": "in_progress", "reason": "leaks" }), 1, 0),
        (json!({ "workshop_id": "X" }), 2, 0),
        (json!({ "workshop_id": "W" }), 1, 0),
        (json!({ "status": "cancelled" }), 2, 0),
    ] {
        let stepped = after(order.clone(), &changing(body.clone()));
        let caused = consequences(
            ("O", &order, &stepped),
            ("4711", &vehicle_in("available")),
            false,
            None,
            ASKED,
        )
        .unwrap();
        for (place, command) in caused.workshops.iter().filter(|(place, _)| place == "W") {
            let drafts = workshop::decide(&workshop, command).unwrap();
            workshop = applied(workshop::AGGREGATE_TYPE, workshop, &drafts);
            assert_eq!(place, "W");
        }
        assert_eq!(
            shown(&workshop),
            (json!(tracks), json!(completed)),
            "{body}"
        );
        order = stepped;
    }
}

#[test]
fn an_odometer_read_at_the_workshop_only_rises() {
    let begun = order_in("in_progress");
    let done = after(begun.clone(), &changing(json!({ "status": "completed" })));
    let vehicle = vehicle_in("in_workshop");
    let caused = |mileage| {
        consequences(
            ("O", &begun, &done),
            ("4711", &vehicle),
            false,
            Some(mileage),
            ASKED,
        )
    };
    let drafts = caused(1_200).unwrap().vehicle;
    assert_eq!(
        types(&drafts),
        [
            "VehicleMileageUpdated",
            "MaintenanceCompleted",
            "VehicleStatusChanged"
        ]
    );
    assert_eq!(drafts[1].data["mileage_km"], 1_200);
    assert_eq!(
        caused(999).unwrap_err().message,
        "Mileage can only increase"
    );
    let retired = consequences(
        ("O", &order_in("scheduled"), &begun),
        ("4711", &vehicle_in("retired")),
        false,
        None,
        ASKED,
    );
    assert_eq!(retired.unwrap_err().code, "vehicle_retired");
}

//! Vehicles: the contract's limits, the old payloads, and that what is decided folds.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::event::EventDraft;
use crate::folded::fold_all;
use crate::listing::row_id;
use crate::refusal::RefusalKind;
use crate::registry::registry;
use crate::testing::{TestEvent, any_data};

fn state_of(events: &[TestEvent]) -> VehicleState {
    fold_all(events.iter().map(TestEvent::view))
}

fn event(event_type: &str, position: u32, occurred_at: i64, data: Value) -> TestEvent {
    TestEvent::new(AGGREGATE_TYPE, event_type, position, occurred_at, data)
}

/// Folds drafts at the next positions, each checked against its table first, as the append does.
#[track_caller]
fn applied(mut state: VehicleState, drafts: &[EventDraft]) -> VehicleState {
    for draft in drafts {
        let position = state.record.version() + 1;
        let stored = TestEvent::of_draft(
            AGGREGATE_TYPE,
            draft,
            position,
            i64::from(position) * 1_000_000,
        );
        registry()
            .check(AGGREGATE_TYPE, draft.event_type, draft.schema, &stored.data)
            .unwrap();
        state.fold(&stored.view());
    }
    state
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn vehicle() -> VehicleState {
    let fields = VehicleFields::parse(&object(json!({
        "asset_id": "4711", "model": "T1", "type": "electric", "current_mileage_km": 1_000, "weight_tons": 33.1,
    })));
    applied(
        VehicleState::default(),
        &decide(
            &VehicleState::default(),
            "4711",
            &VehicleCommand::Create(fields.unwrap()),
        )
        .unwrap(),
    )
}

fn changed(state: &VehicleState, body: Value) -> Result<Vec<&'static str>, crate::Refusal> {
    let changes = VehicleChanges::parse(&object(body)).unwrap();
    let drafts = decide(state, "4711", &VehicleCommand::Change(changes))?;
    Ok(drafts.iter().map(|draft| draft.event_type).collect())
}

#[track_caller]
fn faults(body: Value, expected: &[&str]) {
    let found = VehicleFields::parse(&object(body))
        .err()
        .unwrap_or_default();
    let found: Vec<_> = found
        .iter()
        .map(|fault| format!("{}:{}", fault.path.join("."), fault.kind))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn a_created_vehicle_is_the_row_that_clients_know() {
    let row = serde_json::to_value(view("4711", &vehicle()).unwrap()).unwrap();
    let expected = json!({
        "id": row_id("Vehicle", "4711"), "asset_id": "4711", "model": "T1", "type": "electric", "manufacturer": null,
        "year": null, "max_speed_kmh": null, "power_kw": null, "weight_tons": 33.1, "current_location": null,
        "home_depot": null, "notes": null, "specifications": null, "status": "available", "current_mileage_km": 1_000,
        "total_operating_hours": 0, "last_service_date": null, "created_at": "1970-01-01T00:00:01.000000Z",
        "updated_at": "1970-01-01T00:00:01.000000Z", "next_maintenance": null, "version": 1,
        "incidents": { "total": 0, "failures": 0, "breakdowns": 0, "delay_min": 0, "by_group": {}, "last_at": null, "last_failure_at": null },
    });
    assert_eq!(row, expected);
}

#[test]
fn row_ids_are_derived_and_never_change() {
    assert_eq!(
        row_id("Vehicle", "4711").to_string(),
        "3bba5a0d-1f03-5fa9-aaff-d87a87e16315"
    );
    let own = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let others = "7c9e6679-7425-40de-944b-e07fc1f90ae7";
    let state = state_of(&[
        event("VehicleCreated", 1, 1, json!({ "id": own })),
        event("VehicleUpdated", 2, 2, json!({ "id": others })),
        event(
            "VehicleStatusChanged",
            3,
            3,
            json!({ "new_status": "available", "id": others }),
        ),
        event("VehicleWashed", 4, 4, json!({ "id": others })),
    ]);
    assert_eq!(view("4711", &state).unwrap().id.to_string(), own);
}

#[test]
fn bodies_out_of_the_limits_are_refused_with_every_field() {
    faults(
        json!({}),
        &["asset_id:missing", "model:missing", "type:missing"],
    );
    let rest = json!({
        "asset_id": "", "model": "m".repeat(101), "type": "steam", "manufacturer": "m".repeat(101), "year": 1899,
        "max_speed_kmh": 0, "power_kw": 1.5, "weight_tons": 0, "notes": "n".repeat(1_001), "specifications": [],
        "status": "active", "current_mileage_km": -1, "total_operating_hours": null, "milage": 5,
    });
    faults(
        rest,
        &[
            "asset_id:string_too_short",
            "model:string_too_long",
            "type:enum",
            "manufacturer:string_too_long",
            "year:greater_than_equal",
            "max_speed_kmh:greater_than_equal",
            "power_kw:int_from_float",
            "weight_tons:greater_than_equal",
            "notes:string_too_long",
            "specifications:dict_type",
            "status:enum",
            "current_mileage_km:greater_than_equal",
            "total_operating_hours:int_type",
            "milage:extra_forbidden",
        ],
    );
}

#[test]
fn a_row_read_and_sent_back_is_a_change_of_nothing() {
    let state = vehicle();
    let row = serde_json::to_value(view("4711", &state).unwrap()).unwrap();
    assert_eq!(changed(&state, row).unwrap(), [""; 0]);
}

#[test]
fn a_second_vehicle_of_the_same_asset_id_is_refused() {
    let fields = VehicleFields::parse(&object(
        json!({ "asset_id": "4711", "model": "x", "type": "diesel" }),
    ))
    .unwrap();
    let create = VehicleCommand::Create(fields);
    let refusal = decide(&vehicle(), "4711", &create).unwrap_err();
    assert_eq!(
        refusal.message,
        "Vehicle with asset_id '4711' already exists"
    );
    assert_eq!(
        (refusal.kind, refusal.field),
        (RefusalKind::Rule, "asset_id")
    );

    let deleted = applied(
        vehicle(),
        &decide(&vehicle(), "4711", &VehicleCommand::Delete).unwrap(),
    );
    assert_eq!(view("4711", &deleted), None);
    assert_eq!(
        decide(&deleted, "4711", &VehicleCommand::Delete)
            .unwrap_err()
            .message,
        "Vehicle not found"
    );
    let again = applied(deleted.clone(), &decide(&deleted, "4711", &create).unwrap());
    assert_eq!(
        mileage_km(&again),
        Some(0),
        "a new life starts with its own mileage"
    );
}

#[test]
fn mileage_can_only_increase() {
    let state = vehicle();
    let refusal = changed(&state, json!({ "current_mileage_km": 999 })).unwrap_err();
    assert_eq!(
        (refusal.message.as_ref(), refusal.field),
        ("Mileage can only increase", "current_mileage_km")
    );
    assert!(
        decide(
            &state,
            "4711",
            &VehicleCommand::RecordMileage { mileage_km: 1_000 }
        )
        .is_ok(),
        "equal is allowed"
    );
    assert_eq!(
        changed(&state, json!({ "current_mileage_km": 1_001 })).unwrap(),
        ["VehicleMileageUpdated"]
    );
}

#[test]
fn a_correction_mends_a_typo_and_says_so() {
    let typo = applied(
        vehicle(),
        &[event::mileage_updated(Some(1_000), 11_000_000)],
    );
    let correct = VehicleCommand::CorrectMileage {
        mileage_km: 1_100,
        reason: "a zero too many".into(),
    };
    let drafts = decide(&typo, "4711", &correct).unwrap();
    assert_eq!(drafts[0].event_type, event::VEHICLE_MILEAGE_CORRECTED);
    assert_eq!(drafts[0].data["reason"], "a zero too many");
    let mended = applied(typo, &drafts);
    assert_eq!(mileage_km(&mended), Some(1_100));
    assert!(
        decide(
            &mended,
            "4711",
            &VehicleCommand::RecordMileage { mileage_km: 1_099 }
        )
        .is_err()
    );
    let silent = VehicleCommand::CorrectMileage {
        mileage_km: 5,
        reason: String::new(),
    };
    assert_eq!(
        decide(&mended, "4711", &silent).unwrap_err().kind,
        RefusalKind::Invalid
    );
}

#[test]
fn a_change_becomes_the_events_made_for_its_fields() {
    let state = vehicle();
    let body = json!({
        "status": "in_service", "current_mileage_km": 1_500, "total_operating_hours": 9, "current_location": "Yard 3",
        "notes": "new bogies", "model": "T1",
    });
    let mut types = changed(&state, body.clone()).unwrap();
    types.sort_unstable();
    let expected = [
        "VehicleLocationChanged",
        "VehicleMileageUpdated",
        "VehicleOperatingHoursUpdated",
        "VehicleStatusChanged",
        "VehicleUpdated",
    ];
    assert_eq!(types, expected);
    let changes = VehicleChanges::parse(&object(body)).unwrap();
    let after = applied(
        state.clone(),
        &decide(&state, "4711", &VehicleCommand::Change(changes)).unwrap(),
    );
    let row = view("4711", &after).unwrap();
    assert_eq!(
        (
            row.status.as_str(),
            row.current_mileage_km,
            row.total_operating_hours
        ),
        ("in_service", 1_500, 9)
    );
    assert_eq!(
        (row.current_location.as_deref(), row.notes.as_deref()),
        (Some("Yard 3"), Some("new bogies"))
    );
}

#[test]
fn an_emptied_field_is_null() {
    let state = applied(vehicle(), &[event::location_changed(None, Some("Yard"))]);
    assert_eq!(
        changed(&state, json!({ "current_location": null })).unwrap(),
        ["VehicleLocationChanged"]
    );
    let emptied = applied(state, &[event::location_changed(Some("Yard"), None)]);
    assert_eq!(view("4711", &emptied).unwrap().current_location, None);
    assert!(VehicleChanges::parse(&object(json!({ "model": null }))).is_err());
}

/// The payloads that the old system's handlers, documents and tests use.
#[test]
fn every_payload_of_the_past_is_understood() {
    let past = [
        (
            "VehicleCreatedEvent",
            json!({ "vehicle_number": "4711", "build_year": 2014, "max_speed": 88, "power_output": 560,
            "traction_type": "ELECTRIC", "current_mileage": 1200.9, "status": "AVAILABLE", "location": "Wilson" }),
        ),
        (
            "VehicleUpdatedEvent",
            json!({ "home_depot": "Greenwood", "vehicle_type": "diesel" }),
        ),
        ("VehicleStatusChanged", json!({ "status": "maintenance" })),
        (
            "VehicleStatusChangedEvent",
            json!({ "old_status": "in_workshop", "new_status": "ACTIVE" }),
        ),
        (
            "VehicleMileageUpdatedEvent",
            json!({ "old_mileage": 1200.9, "new_mileage": 1300.2 }),
        ),
        ("VehicleMileageUpdated", json!({ "mileage": 1400 })),
        (
            "VehicleLocationChanged",
            json!({ "location": "Davisville" }),
        ),
        (
            "VehicleMaintenanceScheduled",
            json!({ "maintenance_type": "HU", "scheduled_date": "2026-01-01", "priority": "high" }),
        ),
        ("VehicleBreakdownReported", json!({})),
        (
            "VehicleIncidentReported",
            json!({ "code": "EUDO", "min_delay": 4, "min_gap": 9, "group": "door", "is_failure": true }),
        ),
    ];
    let events: Vec<_> = past
        .iter()
        .zip(1_u32..)
        .map(|((name, data), at)| event(name, at, i64::from(at), data.clone()))
        .collect();
    for past in &events {
        assert_eq!(
            registry().check(AGGREGATE_TYPE, &past.event_type, 1, &past.data),
            Ok(()),
            "{}",
            past.event_type
        );
    }
    let row = view("4711", &state_of(&events)).unwrap();
    assert_eq!(
        (row.year, row.max_speed_kmh, row.power_kw),
        (Some(2014), Some(88), Some(560))
    );
    assert_eq!(
        (
            row.r#type.as_deref(),
            row.status.as_str(),
            row.current_mileage_km
        ),
        (Some("diesel"), "available", 1400)
    );
    assert_eq!(row.current_location.as_deref(), Some("Davisville"));
    assert_eq!(
        row.next_maintenance.unwrap().maintenance_type.as_deref(),
        Some("HU")
    );
    assert_eq!(
        (
            row.incidents.failures,
            row.incidents.delay_min,
            row.incidents.breakdowns
        ),
        (1, 4, 1)
    );
    assert_eq!(row.incidents.by_group["door"], 1);
}

#[test]
fn what_no_status_ever_was_is_refused_by_name() {
    let data = object(json!({ "status": "levitating" }));
    let faults = registry()
        .check(AGGREGATE_TYPE, "VehicleStatusChanged", 1, &data)
        .unwrap_err();
    assert_eq!(
        (faults[0].path.as_slice(), faults[0].kind),
        (&["status".to_owned()][..], "enum")
    );
}

#[test]
fn a_status_reported_late_does_not_undo_a_newer_one() {
    let mut events = vec![
        event("VehicleCreated", 1, 10, json!({ "status": "available" })),
        event(
            "VehicleStatusChanged",
            2,
            50,
            json!({ "new_status": "in_workshop" }),
        ),
        event(
            "VehicleStatusChanged",
            3,
            20,
            json!({ "new_status": "in_service" }),
        ),
    ];
    assert_eq!(status(&state_of(&events)), Some("in_workshop"));
    events.push(event(
        "VehicleStatusChanged",
        4,
        60,
        json!({ "new_status": "available" }),
    ));
    assert_eq!(status(&state_of(&events)), Some("available"));
}

#[test]
fn done_maintenance_answers_the_plan_before_it() {
    let plan = event(
        "VehicleMaintenanceScheduled",
        2,
        20,
        json!({ "maintenance_type": "HU" }),
    );
    let done = event(
        "MaintenanceCompleted",
        3,
        30,
        json!({ "date": "1970-01-02" }),
    );
    let created = event("VehicleCreated", 1, 10, json!({}));
    let state = state_of(&[created.clone(), done.clone(), plan.clone()]);
    assert_eq!(occurrences(&state).next_maintenance(), None);
    let row = view("4711", &state).unwrap();
    assert_eq!(
        row.last_service_date.as_deref(),
        Some("1970-01-02T00:00:00.000000Z")
    );
    let later = event(
        "VehicleMaintenanceScheduled",
        4,
        40,
        json!({ "maintenance_type": "ECM" }),
    );
    assert!(
        occurrences(&state_of(&[created, plan, done, later]))
            .next_maintenance()
            .is_some()
    );
}

#[test]
fn maintenance_that_is_open_again_answers_no_plan() {
    let done = json!({ "date": "1970-01-02", "maintenance_task_id": "T" });
    let opened = json!({ "maintenance_task_id": "T" });
    let state = state_of(&[
        event("VehicleCreated", 1, 10, json!({})),
        event("VehicleMaintenanceReopened", 4, 40, opened),
        event("MaintenanceCompleted", 3, 30, done),
        event("VehicleMaintenanceScheduled", 2, 20, json!({})),
    ]);
    let row = view("4711", &state).unwrap();
    assert_eq!(row.last_service_date, None);
    assert!(row.next_maintenance.is_some());
    let again = VehicleCommand::ReopenMaintenance(MaintenanceReopened {
        work_order_id: None,
        maintenance_task_id: Some("T".to_owned()),
    });
    assert_eq!(decide(&state, "4711", &again), Ok(Vec::new()));
}

fn any_command() -> impl Strategy<Value = VehicleCommand> {
    let text = || prop_oneof![Just(String::new()), ".{1,12}", Just("x".repeat(3_000))];
    let number = || prop_oneof![0_i64..50, any::<i64>()];
    prop_oneof![
        any_body().prop_filter_map("a body that parses", |body| Some(VehicleCommand::Create(
            VehicleFields::parse(&body).ok()?
        ))),
        any_body().prop_filter_map("a body that parses", |body| Some(VehicleCommand::Change(
            VehicleChanges::parse(&body).ok()?
        ))),
        Just(VehicleCommand::Delete),
        (
            prop_oneof![
                prop::sample::select(STATUSES).prop_map(str::to_owned),
                text()
            ],
            prop::option::of(text())
        )
            .prop_map(|(status, reason)| VehicleCommand::ChangeStatus { status, reason }),
        number().prop_map(|mileage_km| VehicleCommand::RecordMileage { mileage_km }),
        (number(), text())
            .prop_map(|(mileage_km, reason)| VehicleCommand::CorrectMileage { mileage_km, reason }),
        text().prop_map(|location| VehicleCommand::Move { location }),
        (text(), text(), text()).prop_map(|(maintenance_type, scheduled_date, priority)| {
            VehicleCommand::ScheduleMaintenance(MaintenancePlan {
                maintenance_type: Some(maintenance_type),
                scheduled_date,
                priority: Some(priority),
                work_order_id: None,
            })
        }),
        (number(), any::<bool>(), prop::option::of(text())).prop_map(
            |(delay_min, is_failure, fault_code)| {
                VehicleCommand::ReportIncident(Incident {
                    delay_min,
                    is_failure,
                    fault_code,
                    ..Incident::default()
                })
            }
        ),
        (prop::option::of(text()), prop::option::of(number())).prop_map(
            |(description, mileage_km)| {
                VehicleCommand::ReportBreakdown(Breakdown {
                    description,
                    mileage_km,
                    ..Breakdown::default()
                })
            }
        ),
    ]
}

/// A body that parses now and then.
fn any_body() -> impl Strategy<Value = Map<String, Value>> {
    (
        prop::sample::select(STATUSES),
        prop::option::of(0_i64..100),
        prop::option::of(1_890_i64..2_010),
        prop::option::of(prop_oneof![
            Just(Value::Null),
            ".{0,5}".prop_map(Value::from)
        ]),
        any::<bool>(),
    )
        .prop_map(|(status, mileage, year, notes, creates)| {
            let mut body = object(json!({ "status": status }));
            body.extend(mileage.map(|mileage| ("current_mileage_km".to_owned(), json!(mileage))));
            body.extend(year.map(|year| ("year".to_owned(), json!(year))));
            body.extend(notes.map(|notes| ("notes".to_owned(), notes)));
            if creates {
                body.extend(object(
                    json!({ "asset_id": "4711", "model": "x", "type": "hybrid" }),
                ));
            }
            body
        })
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds_to_what_was_asked(commands in prop::collection::vec(any_command(), 0..25)) {
        let mut state = VehicleState::default();
        for command in commands {
            let before = mileage_km(&state);
            let Ok(drafts) = decide(&state, "4711", &command) else { continue };
            state = applied(state, &drafts);
            match command {
                VehicleCommand::Create(_) => prop_assert!(state.exists()),
                VehicleCommand::Delete => prop_assert!(!state.exists()),
                VehicleCommand::ChangeStatus { status, .. } => prop_assert_eq!(fold::status(&state), Some(status.as_str())),
                VehicleCommand::RecordMileage { mileage_km } | VehicleCommand::CorrectMileage { mileage_km, .. } => {
                    prop_assert_eq!(fold::mileage_km(&state), Some(mileage_km));
                }
                VehicleCommand::Change(_) | VehicleCommand::Move { .. } => prop_assert!(mileage_km(&state) >= before),
                _ => {}
            }
        }
    }

    #[test]
    fn bodies_of_any_json_never_panic(body in any_data()) {
        let _ = VehicleFields::parse(&body);
        let _ = VehicleChanges::parse(&body);
    }

    #[test]
    fn a_vehicle_does_not_depend_on_the_order_of_arrival(
        parts in prop::collection::vec((prop::sample::select(super::schema::SCHEMA.events), 0_i64..8, any_data()), 0..10),
        seed in any::<u64>(),
    ) {
        let events: Vec<_> = parts
            .into_iter()
            .zip(1_u32..)
            .map(|((table, occurred_at, data), position)| event(table.event_type, position, occurred_at, Value::Object(data)))
            .collect();
        let mut shuffled = events.clone();
        shuffled.sort_by_key(|event| u64::from(event.position).wrapping_mul(seed | 1).rotate_left(17));
        let (one, other) = (state_of(&events), state_of(&shuffled));
        prop_assert_eq!(view("4711", &one), view("4711", &other));
        prop_assert_eq!(one, other);
    }
}

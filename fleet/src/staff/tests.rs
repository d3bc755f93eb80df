//! Staff: the row, who is at work, and commands by chance.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::folded::Folded;
use crate::schema::body;
use crate::testing::{any_body, applied_now as applied, fields, object, types};

fn after(state: Folded, command: &StaffCommand) -> Folded {
    let drafts = decide(&state, command).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

fn person(more: Value) -> Folded {
    let mut body =
        json!({ "staff_id": "S-1", "first_name": "Ada", "last_name": "Byron", "role": "mechanic" });
    body.as_object_mut().unwrap().extend(object(more));
    after(
        Folded::default(),
        &StaffCommand::Create(fields(CREATE, body)),
    )
}

fn change(body: Value) -> StaffCommand {
    StaffCommand::Change(fields(CHANGE, body))
}

#[test]
fn a_new_person_is_the_row_that_clients_know() {
    let state =
        person(json!({ "certifications_json": { "ECM": "2027" }, "hired_date": "2020-01-01" }));
    let row = Value::Object(row("0f8fad5b-d9cb-469f-a165-70867728950e", &state).unwrap());
    let expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "staff_id": "S-1", "first_name": "Ada", "last_name": "Byron",
        "email": null, "phone": null, "role": "mechanic", "status": "active", "employee_number": null,
        "skills_json": null, "certifications_json": { "ECM": "2027" }, "home_depot": null, "workshop_id": null,
        "max_weekly_hours": 40, "is_available": true, "availability_notes": null,
        "hired_date": "2020-01-01T00:00:00.000000Z", "version": 1,
        "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    assert_eq!(row, expected);
    assert_eq!(
        decide(&state, &change(row)),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn bodies_out_of_the_limits_are_refused_with_every_field() {
    let body = json!({ "staff_id": "", "first_name": "", "role": "pilot", "email": "a@", "max_weekly_hours": 169, "certifications_json": [] });
    let faults = body::parse(CREATE, &object(body)).unwrap_err();
    let faults: Vec<_> = faults
        .iter()
        .map(|fault| format!("{}:{}", fault.path.join("."), fault.kind))
        .collect();
    let expected = [
        "staff_id:string_too_short",
        "first_name:string_too_short",
        "last_name:missing",
        "role:enum",
        "email:value_error",
        "certifications_json:dict_type",
        "max_weekly_hours:less_than_equal",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn who_is_away_is_not_planned_with() {
    let code = |state: &Folded| {
        check_at_work(state, "staff_id")
            .err()
            .map(|refusal| refusal.message.into_owned())
    };
    assert_eq!(code(&person(json!({}))), None);
    assert_eq!(
        code(&person(json!({ "is_available": false }))),
        Some("Staff S-1 is not available".to_owned())
    );
    let leave = change(json!({ "status": "on_leave", "reason": "holidays" }));
    let drafts = decide(&person(json!({})), &leave).unwrap();
    assert_eq!(types(&drafts), [schema::UPDATED, schema::STATUS_CHANGED]);
    let away = applied(AGGREGATE_TYPE, person(json!({})), &drafts);
    assert_eq!(
        (code(&away), away.get("is_available")),
        (Some("Staff S-1 is on leave".to_owned()), Some(json!(false)))
    );
    let back = after(away.clone(), &change(json!({ "status": "active" })));
    assert_eq!(code(&back), None);
    let half = after(
        away,
        &change(json!({ "status": "active", "is_available": false })),
    );
    assert_eq!(code(&half), Some("Staff S-1 is not available".to_owned()));
    assert_eq!(
        person(json!({ "status": "inactive" })).get("is_available"),
        Some(json!(false))
    );
}

#[test]
fn what_identifies_a_person_is_marked() {
    let personal: Vec<_> = schema::SCHEMA.events[0]
        .sensitive_fields()
        .map(|field| field.name)
        .collect();
    let expected = [
        "first_name",
        "last_name",
        "email",
        "phone",
        "employee_number",
        "certifications_json",
        "availability_notes",
    ];
    assert_eq!(personal, expected);
}

#[test]
fn who_left_is_missing() {
    let gone = after(person(json!({})), &StaffCommand::Delete);
    assert_eq!(row("x", &gone), None);
    assert_eq!(
        decide(&gone, &StaffCommand::Delete).unwrap_err().message,
        "Staff not found"
    );
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_folds_to_what_was_asked(bodies in prop::collection::vec(any_body(CHANGE), 0..12)) {
        let mut state = person(json!({}));
        for body in bodies {
            let Ok(fields) = body::parse(CHANGE, &body) else { continue };
            let command = StaffCommand::Change(fields.clone());
            state = after(state, &command);
            prop_assert_eq!(decide(&state, &command), Ok(Vec::new()));
            for (name, value) in fields.iter().filter(|(name, _)| *name != "reason") {
                prop_assert_eq!(&state.get(name).unwrap_or_default(), value, "{}", name);
            }
        }
    }
}

//! Staff assignments: every step, one target, times, and what the person does besides.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::folded::Folded;
use crate::refusal::RefusalKind;
use crate::schema::body;
use crate::testing::{ASKED, NOW, any_body, applied_now as applied, fields, object, types};
use crate::{staff, work_order};

fn after(state: Folded, command: &StaffAssignmentCommand) -> Folded {
    let drafts = decide(&state, command, ASKED).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

fn creation(more: Value) -> StaffAssignmentCommand {
    let mut body = json!({ "staff_id": "S", "scheduled_start_ts": "2026-11-02T10:00:00Z", "scheduled_end_ts": "2026-11-02T14:00:00Z" });
    body.as_object_mut().unwrap().extend(object(more));
    StaffAssignmentCommand::Create(fields(CREATE, body))
}

fn at(start: &str, end: &str) -> Folded {
    let body =
        json!({ "work_order_id": "O", "scheduled_start_ts": start, "scheduled_end_ts": end });
    after(Folded::default(), &creation(body))
}

fn assignment() -> Folded {
    at("2026-11-02T10:00:00Z", "2026-11-02T14:00:00Z")
}

fn change(body: Value) -> StaffAssignmentCommand {
    StaffAssignmentCommand::Change(fields(CHANGE, body))
}

fn assignment_in(status: &str) -> Folded {
    let steps: &[&str] = match status {
        "scheduled" => &[],
        "completed" => &["in_progress", "completed"],
        status => &[status],
    };
    steps.iter().fold(assignment(), |state, status| {
        after(state, &change(json!({ "status": status })))
    })
}

fn person(more: Value) -> Folded {
    let mut body =
        json!({ "staff_id": "S-1", "first_name": "A", "last_name": "B", "role": "mechanic" });
    body.as_object_mut().unwrap().extend(object(more));
    let create = staff::StaffCommand::Create(fields(staff::CREATE, body));
    let drafts = staff::decide(&Folded::default(), &create).unwrap();
    applied(staff::AGGREGATE_TYPE, Folded::default(), &drafts)
}

fn order(more: Value) -> Folded {
    let mut body = json!({ "vehicle_id": "V" });
    body.as_object_mut().unwrap().extend(object(more));
    let create = work_order::WorkOrderCommand::Create {
        order_number: "WO".to_owned(),
        fields: fields(work_order::CREATE, body),
    };
    let drafts = work_order::decide(&Folded::default(), &create, ASKED).unwrap();
    applied(work_order::AGGREGATE_TYPE, Folded::default(), &drafts)
}

#[test]
fn a_new_assignment_is_the_row_that_clients_know() {
    let row = Value::Object(row("0f8fad5b-d9cb-469f-a165-70867728950e", &assignment()).unwrap());
    let expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "staff_id": "S", "work_order_id": "O", "transfer_plan_id": null,
        "scheduled_start_ts": "2026-11-02T10:00:00.000000Z", "scheduled_end_ts": "2026-11-02T14:00:00.000000Z",
        "actual_start_ts": null, "actual_end_ts": null, "role_on_assignment": null, "status": "scheduled",
        "planned_hours": null, "actual_hours": null, "assignment_notes": null, "created_by": ASKED.by, "version": 1,
        "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    assert_eq!(row, expected);
    assert_eq!(
        decide(&assignment(), &change(row), ASKED),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn exactly_one_target() {
    for (body, may) in [
        (json!({}), false),
        (json!({ "work_order_id": "O" }), true),
        (
            json!({ "transfer_plan_id": "P", "work_order_id": null }),
            true,
        ),
        (
            json!({ "transfer_plan_id": "P", "work_order_id": "O" }),
            false,
        ),
    ] {
        let decided = decide(&Folded::default(), &creation(body.clone()), ASKED);
        assert_eq!(decided.is_ok(), may, "{body}");
        assert!(decided.is_ok() || decided.unwrap_err().kind == RefusalKind::Rule);
    }
}

#[test]
fn every_step_is_taken_or_refused_as_the_table_says() {
    for from in STATUSES {
        for to in STATUSES {
            for reason in [None, Some("because")] {
                let state = assignment_in(from);
                let command = change(json!({ "status": to, "reason": reason }));
                let step = STEPS
                    .iter()
                    .find(|step| step.from == *from && step.to == *to);
                let may =
                    from == to || step.is_some_and(|step| reason.is_some() || !step.needs_reason);
                let decided = decide(&state, &command, ASKED);
                assert_eq!(
                    decided.is_ok(),
                    may,
                    "{from} to {to}, {reason:?}: {decided:?}"
                );
                if let Ok(drafts) = decided {
                    assert_eq!(
                        applied(AGGREGATE_TYPE, state, &drafts).text("status"),
                        Some(*to)
                    );
                }
            }
        }
    }
}

#[test]
fn hours_are_counted_when_the_work_ends() {
    let begun = after(
        assignment(),
        &change(json!({ "status": "in_progress", "actual_start_ts": "2026-11-02T10:00:00Z" })),
    );
    let end = |more: Value| {
        let mut body = json!({ "status": "completed", "actual_end_ts": "2026-11-02T12:20:00Z" });
        body.as_object_mut().unwrap().extend(object(more));
        let drafts = decide(&begun, &change(body), ASKED).unwrap();
        assert_eq!(types(&drafts), [schema::ENDED]);
        drafts[0].data["actual_hours"].clone()
    };
    assert_eq!(
        (end(json!({})), end(json!({ "actual_hours": 2 }))),
        (json!(3), json!(2))
    );
    let early = change(json!({ "status": "completed", "actual_end_ts": "2026-11-02T09:00:00Z" }));
    assert_eq!(
        decide(&begun, &early, ASKED).unwrap_err().field,
        "actual_end_ts"
    );
    let backwards = change(json!({ "scheduled_end_ts": "2026-11-02T10:00:00Z" }));
    assert_eq!(
        decide(&assignment(), &backwards, ASKED).unwrap_err().kind,
        RefusalKind::Rule
    );
}

#[test]
fn what_is_under_way_is_not_deleted() {
    let delete = StaffAssignmentCommand::Delete;
    assert_eq!(
        decide(&assignment_in("in_progress"), &delete, ASKED)
            .unwrap_err()
            .code,
        "assignment_in_progress"
    );
    let gone = after(assignment(), &delete);
    assert_eq!(
        decide(&gone, &delete, ASKED).unwrap_err().message,
        "Staff assignment not found"
    );
}

fn checked(
    assignment: &Folded,
    person: &Folded,
    order: &Folded,
    others: &[Folded],
) -> Result<Vec<String>, &'static str> {
    let around = Around {
        person,
        work_order: Some(order),
        transfer_plan: None,
        others,
    };
    check(assignment, &around, NOW).map_err(|refusal| refusal.code)
}

#[test]
fn nobody_is_in_two_places_at_once() {
    let (person, order) = (person(json!({})), order(json!({})));
    let meets = at("2026-11-02T13:00:00Z", "2026-11-02T15:00:00Z");
    let touches = at("2026-11-02T14:00:00Z", "2026-11-02T15:00:00Z");
    assert_eq!(
        checked(
            &assignment(),
            &person,
            &order,
            std::slice::from_ref(&touches)
        ),
        Ok(Vec::new())
    );
    assert_eq!(
        checked(&assignment(), &person, &order, std::slice::from_ref(&meets)),
        Err("staff_overlap")
    );
    let around = Around {
        person: &person,
        work_order: Some(&order),
        transfer_plan: None,
        others: std::slice::from_ref(&meets),
    };
    let refusal = check(&assignment(), &around, NOW).unwrap_err();
    assert_eq!(
        refusal.message,
        "Staff S-1 is assigned elsewhere: 2026-11-02 13:00 to 2026-11-02 15:00 UTC, for work order O; \
         end or cancel that assignment, or choose another time"
    );
    let cancelled = after(meets.clone(), &change(json!({ "status": "cancelled" })));
    assert_eq!(
        checked(&assignment(), &person, &order, &[cancelled]),
        Ok(Vec::new())
    );
    let begun = after(
        meets,
        &change(json!({ "status": "in_progress", "actual_start_ts": "2026-11-02T14:00:00Z" })),
    );
    assert_eq!(
        checked(&assignment(), &person, &order, &[begun]),
        Ok(Vec::new()),
        "it began later than planned"
    );
}

/// Work that began after it should have ended took no time at all, so that the person was free.
#[test]
fn who_is_late_is_not_free() {
    let (person, order) = (person(json!({})), order(json!({})));
    let begun = |body: Value| {
        after(
            at("2026-11-02T05:00:00Z", "2026-11-02T07:00:00Z"),
            &change(body),
        )
    };
    let late = begun(json!({ "status": "in_progress" }));
    let next = |start: &str| at(start, "2026-11-02T12:00:00Z");
    let (soon, later) = (next("2026-11-02T09:00:00Z"), next("2026-11-02T10:00:00Z"));
    let checked_against = |assignment: &Folded, other: &Folded| {
        checked(assignment, &person, &order, std::slice::from_ref(other))
    };
    assert_eq!(checked_against(&soon, &late), Err("staff_overlap"));
    assert_eq!(checked_against(&later, &late), Ok(Vec::new()));
    // Work that runs on takes the time until now.
    let long = begun(json!({ "status": "in_progress", "actual_start_ts": "2026-11-02T05:00:00Z" }));
    let overlapping = next("2026-11-02T07:30:00Z");
    assert_eq!(checked_against(&overlapping, &long), Err("staff_overlap"));
    // Work that nobody ended does not take all time from then on.
    let forgotten = after(
        at("2026-10-30T05:00:00Z", "2026-10-30T07:00:00Z"),
        &change(json!({ "status": "in_progress", "actual_start_ts": "2026-10-30T05:00:00Z" })),
    );
    assert_eq!(checked_against(&overlapping, &forgotten), Ok(Vec::new()));
    // Who begins late is not refused for it: what comes after is told when it is planned.
    assert_eq!(checked_against(&late, &soon), Ok(Vec::new()));
}

#[test]
fn who_is_away_and_what_is_done_take_no_assignment() {
    let away = person(json!({ "status": "training" }));
    assert_eq!(
        checked(&assignment(), &away, &order(json!({})), &[]),
        Err("staff_unavailable")
    );
    let cancel = work_order::WorkOrderCommand::Change {
        fields: fields(work_order::CHANGE, json!({ "status": "cancelled" })),
    };
    let open = order(json!({}));
    let cancelled = applied(
        work_order::AGGREGATE_TYPE,
        open.clone(),
        &work_order::decide(&open, &cancel, ASKED).unwrap(),
    );
    assert_eq!(
        checked(&assignment(), &person(json!({})), &cancelled, &[]),
        Err("order_closed")
    );
}

#[test]
fn what_somebody_should_know_is_said() {
    let order = order(
        json!({ "scheduled_start": "2026-11-02T12:00:00Z", "scheduled_end": "2026-11-02T16:00:00Z", "required_skills": ["welding", "ECM"] }),
    );
    let person = person(json!({ "skills_json": ["ecm"], "max_weekly_hours": 7 }));
    let sunday = at("2026-11-01T20:00:00Z", "2026-11-02T02:00:00Z");
    let friday = at("2026-11-06T08:00:00Z", "2026-11-06T10:00:00Z");
    let warnings = checked(&assignment(), &person, &order, &[sunday, friday]).unwrap();
    let expected = [
        "The assignment, 2026-11-02 10:00 to 2026-11-02 14:00 UTC, is not within the work order's time, 2026-11-02 12:00 to 2026-11-02 16:00 UTC",
        "The person lacks skills: welding",
        "8 hours in the week of 2026-11-02, at most 7 are agreed",
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn only_time_that_is_newly_taken_is_checked() {
    let state = assignment();
    assert!(needs_check(&Folded::default(), &state));
    let noted = after(
        state.clone(),
        &change(json!({ "assignment_notes": "x", "status": "confirmed" })),
    );
    assert!(!needs_check(&state, &noted));
    let longer = after(
        state.clone(),
        &change(json!({ "scheduled_end_ts": "2026-11-02T15:00:00Z" })),
    );
    assert!(needs_check(&state, &longer));
    let again = after(
        assignment_in("cancelled"),
        &change(json!({ "status": "scheduled", "reason": "after all" })),
    );
    assert!(needs_check(&assignment_in("cancelled"), &again));
}

#[test]
fn a_step_told_twice_keeps_the_time_that_it_was_given() {
    let told = [
        json!({ "status": "in_progress", "actual_start_ts": null }),
        json!({ "status": "completed", "actual_end_ts": null, "actual_hours": null }),
    ];
    let mut state = assignment();
    for body in told {
        let command = change(body);
        state = after(state, &command);
        assert_eq!(decide(&state, &command, ASKED), Ok(Vec::new()));
    }
    assert!(state.text("actual_start_ts").is_some() && state.text("actual_end_ts").is_some());
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_keeps_the_rules(bodies in prop::collection::vec(any_body(CHANGE), 0..20)) {
        let mut state = assignment();
        for body in bodies {
            let Ok(fields) = body::parse(CHANGE, &body) else { continue };
            let command = StaffAssignmentCommand::Change(fields.clone());
            let Ok(drafts) = decide(&state, &command, ASKED) else { continue };
            state = applied(AGGREGATE_TYPE, state, &drafts);
            prop_assert_eq!(decide(&state, &command, ASKED), Ok(Vec::new()));
            let planned = crate::span::Span::of_text(state.text("scheduled_start_ts"), state.text("scheduled_end_ts"));
            prop_assert!(planned.is_some());
        }
    }
}

//! Transfer plans: every step, times that do not run backwards, and commands by chance.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::folded::Folded;
use crate::refusal::RefusalKind;
use crate::schema::body;
use crate::testing::{ASKED, NOW, any_body, applied_now as applied, fields, object, types};

fn after(state: Folded, command: &TransferPlanCommand) -> Folded {
    let drafts = decide(&state, command, ASKED).unwrap();
    applied(AGGREGATE_TYPE, state, &drafts)
}

fn creation(more: Value) -> TransferPlanCommand {
    let mut body = json!({ "plan_id": "TP-1", "from_location": "East", "to_location": "West",
        "scheduled_departure_ts": "2026-11-02T10:00:00Z", "scheduled_arrival_ts": "2026-11-02T12:00:00Z" });
    body.as_object_mut().unwrap().extend(object(more));
    TransferPlanCommand::Create(fields(CREATE, body))
}

fn plan() -> Folded {
    after(Folded::default(), &creation(json!({})))
}

fn change(body: Value) -> TransferPlanCommand {
    TransferPlanCommand::Change(fields(CHANGE, body))
}

fn plan_in(status: &str) -> Folded {
    let steps: &[&str] = match status {
        "draft" => &[],
        "scheduled" => &["scheduled"],
        "in_progress" => &["scheduled", "in_progress"],
        "completed" => &["scheduled", "in_progress", "completed"],
        _ => &["cancelled"],
    };
    steps.iter().fold(plan(), |plan, status| {
        let arrival = (*status == "completed").then_some("2026-11-02T09:00:00Z");
        after(
            plan,
            &change(json!({ "status": status, "actual_arrival_ts": arrival })),
        )
    })
}

#[test]
fn a_new_plan_is_the_row_that_clients_know() {
    let row = Value::Object(row("0f8fad5b-d9cb-469f-a165-70867728950e", &plan()).unwrap());
    let expected = json!({
        "id": "0f8fad5b-d9cb-469f-a165-70867728950e", "plan_id": "TP-1", "from_location": "East", "to_location": "West",
        "scheduled_departure_ts": "2026-11-02T10:00:00.000000Z", "scheduled_arrival_ts": "2026-11-02T12:00:00.000000Z",
        "actual_departure_ts": null, "actual_arrival_ts": null, "status": "draft", "priority": "normal",
        "distance_km": null, "estimated_duration_min": null, "route_notes": null, "metadata_json": null,
        "created_by": ASKED.by, "version": 1,
        "created_at": "2026-11-02T08:00:00.000001Z", "updated_at": "2026-11-02T08:00:00.000001Z",
    });
    assert_eq!(row, expected);
    assert_eq!(
        decide(&plan(), &change(row), ASKED),
        Ok(Vec::new()),
        "sent back, it changes nothing"
    );
}

#[test]
fn every_step_is_taken_or_refused_as_the_table_says() {
    for from in STATUSES {
        for to in STATUSES {
            for reason in [None, Some("because")] {
                let plan = plan_in(from);
                let body = json!({ "status": to, "reason": reason, "actual_arrival_ts": "2026-11-02T09:00:00Z" });
                let step = STEPS
                    .iter()
                    .find(|step| step.from == *from && step.to == *to);
                let passes_through = (*from, *to) == ("draft", "in_progress");
                let may = from == to
                    || passes_through
                    || step.is_some_and(|step| reason.is_some() || !step.needs_reason);
                let decided = decide(&plan, &change(body), ASKED);
                assert_eq!(
                    decided.is_ok(),
                    may,
                    "{from} to {to}, {reason:?}: {decided:?}"
                );
                match decided {
                    Ok(drafts) => {
                        let plan = applied(AGGREGATE_TYPE, plan, &drafts);
                        assert_eq!(plan.text("status"), Some(*to));
                    }
                    Err(refusal) => assert_eq!(refusal.kind, RefusalKind::Conflict),
                }
            }
        }
    }
}

#[test]
fn trains_leave_and_arrive() {
    let left = after(plan(), &change(json!({ "status": "in_progress" })));
    assert_eq!(
        left.text("actual_departure_ts"),
        Some(ASKED.time().as_str())
    );
    let arrival = change(
        json!({ "status": "completed", "actual_arrival_ts": "2026-11-02T13:00:00Z", "distance_km": 12 }),
    );
    let drafts = decide(&left, &arrival, ASKED).unwrap();
    assert_eq!(types(&drafts), [schema::UPDATED, schema::ARRIVED]);
    let arrived = applied(AGGREGATE_TYPE, left.clone(), &drafts);
    assert!(has_arrived(&left, &arrived) && !has_arrived(&arrived, &arrived));
    assert_eq!(
        span_of(&arrived, NOW).unwrap().shown(),
        "2026-11-02 08:00 to 2026-11-02 13:00 UTC"
    );
    let bare = crate::testing::TestEvent::new(
        AGGREGATE_TYPE,
        schema::ARRIVED,
        9,
        crate::testing::NOW + 9,
        json!({}),
    );
    let mut told = left;
    told.fold(&bare.view());
    assert_eq!(
        told.text("status"),
        Some("completed"),
        "the type alone says it"
    );
}

#[test]
fn a_train_that_left_takes_its_time_until_it_arrives() {
    let shown = |plan: &Folded, now: i64| span_of(plan, now).unwrap().shown();
    let hours = |hours: i64| NOW + hours * crate::calendar::HOUR;
    let left_at =
        |time: &str| change(json!({ "status": "in_progress", "actual_departure_ts": time }));
    let in_time = after(plan(), &left_at("2026-11-02T10:05:00Z"));
    assert_eq!(
        shown(&in_time, hours(3)),
        "2026-11-02 10:05 to 2026-11-02 12:00 UTC"
    );
    assert_eq!(
        shown(&in_time, hours(5)),
        "2026-11-02 10:05 to 2026-11-02 13:00 UTC"
    );
    // It was nowhere while it left after it should have arrived.
    let late = after(plan(), &left_at("2026-11-02T12:30:00Z"));
    assert_eq!(
        shown(&late, hours(4)),
        "2026-11-02 12:30 to 2026-11-02 14:30 UTC"
    );
    // One of which nobody says that it arrived does not run for ever.
    assert_eq!(
        shown(&in_time, hours(24 * 30)),
        "2026-11-02 10:05 to 2026-11-03 12:00 UTC"
    );
}

#[test]
fn only_a_plan_that_moves_is_held_against_others() {
    let is_moved =
        |before: &Folded, body: Value| is_moved(before, &after(before.clone(), &change(body)));
    let longer = json!({ "scheduled_arrival_ts": "2026-11-02T13:00:00Z" });
    assert!(is_moved(&plan_in("scheduled"), longer.clone()));
    let again = json!({ "status": "draft", "reason": "after all" });
    assert!(is_moved(&plan_in("cancelled"), again));
    for (status, body) in [
        ("draft", json!({ "status": "scheduled" })),
        ("scheduled", json!({ "status": "cancelled" })),
        ("scheduled", json!({ "to_location": "North" })),
        ("scheduled", json!({ "status": "in_progress" })),
        // Told of a late train before anybody set it under way.
        (
            "scheduled",
            json!({ "actual_departure_ts": "2026-11-02T12:30:00Z" }),
        ),
        ("in_progress", longer),
    ] {
        assert!(!is_moved(&plan_in(status), body.clone()), "{status} {body}");
    }
}

#[test]
fn times_do_not_run_backwards() {
    let refused =
        |state: &Folded, command: &TransferPlanCommand| decide(state, command, ASKED).unwrap_err();
    let refusal = refused(
        &Folded::default(),
        &creation(json!({ "scheduled_arrival_ts": "2026-11-02T10:00:00Z" })),
    );
    assert_eq!(
        refusal.message,
        "Scheduled arrival must be after scheduled departure"
    );
    assert_eq!(refusal.kind, RefusalKind::Rule);
    let refusal = refused(
        &plan(),
        &change(json!({ "scheduled_departure_ts": "2026-11-02T12:00:00Z" })),
    );
    assert_eq!(
        refusal.field, "scheduled_arrival_ts",
        "checked on changes too"
    );
    let early =
        change(json!({ "status": "completed", "actual_arrival_ts": "2026-11-02T07:00:00Z" }));
    assert_eq!(
        refused(&plan_in("in_progress"), &early).field,
        "actual_arrival_ts"
    );
}

#[test]
fn what_is_closed_stays_and_what_is_under_way_is_not_deleted() {
    let moved = change(json!({ "to_location": "North" }));
    assert_eq!(
        decide(&plan_in("completed"), &moved, ASKED)
            .unwrap_err()
            .code,
        "plan_closed"
    );
    assert!(decide(&plan_in("scheduled"), &moved, ASKED).is_ok());
    let delete = TransferPlanCommand::Delete;
    assert_eq!(
        decide(&plan_in("in_progress"), &delete, ASKED)
            .unwrap_err()
            .code,
        "plan_in_progress"
    );
    let gone = after(plan_in("scheduled"), &delete);
    assert_eq!((row("x", &gone), span_of(&gone, NOW)), (None, None));
    assert_eq!(
        decide(&gone, &delete, ASKED).unwrap_err().kind,
        RefusalKind::Missing
    );
    let done = creation(json!({ "status": "completed" }));
    assert_eq!(
        decide(&Folded::default(), &done, ASKED).unwrap_err().code,
        "status_at_start"
    );
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_keeps_the_rules(bodies in prop::collection::vec(any_body(CHANGE), 0..20)) {
        let mut plan = plan();
        for body in bodies {
            let Ok(fields) = body::parse(CHANGE, &body) else { continue };
            let command = TransferPlanCommand::Change(fields.clone());
            let Ok(drafts) = decide(&plan, &command, ASKED) else { continue };
            plan = applied(AGGREGATE_TYPE, plan, &drafts);
            prop_assert_eq!(decide(&plan, &command, ASKED), Ok(Vec::new()));
            for (name, value) in fields.iter().filter(|(name, _)| *name != "reason" && !name.starts_with("actual")) {
                prop_assert_eq!(&plan.get(name).unwrap_or_default(), value, "{}", name);
            }
            let planned = crate::span::Span::of_text(plan.text("scheduled_departure_ts"), plan.text("scheduled_arrival_ts"));
            prop_assert!(planned.is_some());
        }
    }
}

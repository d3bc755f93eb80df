//! The state machine, exhaustively, and commands by chance.

use proptest::prelude::*;

use super::*;
use crate::refusal::RefusalKind;
use crate::testing::{NOW, any_body};
use crate::work_order::decide::grave_finding;

#[test]
fn every_step_is_taken_or_refused_as_the_table_says() {
    for from in STATUSES {
        for to in STATUSES {
            for reason in [None, Some("because")] {
                let order = order_in(from);
                let command = changing(json!({ "status": to, "reason": reason }));
                let step = STEPS
                    .iter()
                    .find(|step| step.from == *from && step.to == *to);
                let passes_through = (*from, *to) == ("draft", "in_progress");
                let may = from == to
                    || passes_through
                    || step.is_some_and(|step| reason.is_some() || !step.needs_reason);
                let decided = decide(&order, &command, ASKED);
                assert_eq!(
                    decided.is_ok(),
                    may,
                    "{from} to {to}, {reason:?}: {decided:?}"
                );
                match decided {
                    Ok(drafts) => {
                        let order = applied(AGGREGATE_TYPE, order, &drafts);
                        assert_eq!(order.text("status"), Some(*to));
                        assert_eq!(drafts.is_empty(), from == to);
                    }
                    Err(refusal) => assert_eq!(refusal.kind, RefusalKind::Conflict),
                }
            }
        }
    }
}

#[test]
fn a_draft_that_is_begun_is_planned_on_the_way() {
    let drafts = decide(
        &draft(),
        &changing(json!({ "status": "in_progress" })),
        ASKED,
    )
    .unwrap();
    let steps: Vec<_> = drafts
        .iter()
        .map(|draft| draft.data["new_status"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["scheduled", "in_progress"]);
    assert_eq!(drafts[1].data["actual_start"], ASKED.time());
}

#[test]
fn beginning_and_completing_note_the_time_unless_it_is_told() {
    let order = order_in("completed");
    assert_eq!(order.text("actual_start"), Some(ASKED.time().as_str()));
    assert_eq!(order.text("actual_end"), Some(ASKED.time().as_str()));
    let told = json!({ "status": "completed", "actual_end": "2026-11-02T12:00:00Z", "actual_cost": 12, "findings": "x", "mileage_km": 7 });
    let drafts = decide(&order_in("in_progress"), &changing(told), ASKED).unwrap();
    assert_eq!(types(&drafts), [schema::COMPLETED]);
    let expected = json!({ "old_status": "in_progress", "new_status": "completed", "actual_end": "2026-11-02T12:00:00.000000Z",
        "actual_cost": 12, "findings": "x", "mileage_km": 7 });
    assert_eq!(drafts[0].data, expected);
}

#[test]
fn reopened_work_has_no_end() {
    let reopen = changing(json!({ "status": "in_progress", "reason": "leaks" }));
    let drafts = decide(&order_in("completed"), &reopen, ASKED).unwrap();
    assert_eq!(drafts[0].data["reason"], "leaks");
    let order = applied(AGGREGATE_TYPE, order_in("completed"), &drafts);
    assert_eq!(
        (
            order.text("actual_end"),
            order.text("actual_start").is_some()
        ),
        (None, true)
    );
}

#[test]
fn times_do_not_run_backwards() {
    let start = json!({ "vehicle_id": "V", "scheduled_start": "2026-11-02T10:00:00Z", "scheduled_end": "2026-11-02T10:00:00Z" });
    let refusal = refused(&Folded::default(), &creation(start));
    assert_eq!(
        (refusal.kind, refusal.field),
        (RefusalKind::Rule, "scheduled_end")
    );
    let order = after(
        draft(),
        &changing(json!({ "scheduled_start": "2026-11-02T10:00:00Z" })),
    );
    let end = changing(json!({ "scheduled_end": "2026-11-02T09:00:00Z" }));
    assert_eq!(refused(&order, &end).code, "end_before_start");
    let late = json!({ "status": "in_progress", "actual_start": "2026-11-02T09:00:00Z" });
    let order = after(order_in("scheduled"), &changing(late));
    let refusal = refused(&order, &changing(json!({ "status": "completed" })));
    assert_eq!(
        (refusal.kind, refusal.field),
        (RefusalKind::Rule, "actual_end"),
        "it would end an hour before it began"
    );
}

#[test]
fn what_is_closed_stays_as_it_was_planned() {
    for (status, body, code) in [
        (
            "completed",
            json!({ "scheduled_start": "2026-12-01" }),
            Some("order_closed"),
        ),
        (
            "completed",
            json!({ "assigned_track": "T" }),
            Some("order_closed"),
        ),
        ("completed", json!({ "findings": "late news" }), None),
        (
            "cancelled",
            json!({ "findings": "none" }),
            Some("order_closed"),
        ),
        ("cancelled", json!({ "notes": "called" }), None),
        ("in_progress", json!({ "assigned_track": "T" }), None),
    ] {
        let decided = decide(&order_in(status), &changing(body.clone()), ASKED);
        assert_eq!(
            decided.err().map(|refusal| refusal.code),
            code,
            "{status} {body}"
        );
    }
}

#[test]
fn a_new_order_is_draft_or_scheduled() {
    for status in STATUSES {
        let decided = decide(
            &Folded::default(),
            &creation(json!({ "vehicle_id": "V", "status": status })),
            ASKED,
        );
        assert_eq!(
            decided.is_ok(),
            matches!(*status, "draft" | "scheduled"),
            "{status}"
        );
    }
}

fn any_command() -> impl Strategy<Value = WorkOrderCommand> {
    let parsed = |table: &'static [crate::schema::Field]| {
        any_body(table).prop_filter_map("a body that parses", move |body| {
            crate::schema::body::parse(table, &body).ok()
        })
    };
    let name = || "[ab]".prop_map(String::from);
    prop_oneof![
        2 => parsed(CREATE).prop_map(|fields| WorkOrderCommand::Create { order_number: "WO-2026-0001".to_owned(), fields }),
        8 => parsed(CHANGE).prop_map(|fields| WorkOrderCommand::Change { fields }),
        1 => parsed(RELEASE).prop_map(|fields| WorkOrderCommand::Release { fields }),
        2 => (name(), parsed(CHECKLIST_ITEM)).prop_map(|(item_id, fields)| WorkOrderCommand::SetChecklistItem { item_id, fields }),
        1 => name().prop_map(|item_id| WorkOrderCommand::RemoveChecklistItem { item_id }),
        1 => (name(), parsed(FINDING)).prop_map(|(finding_id, fields)| WorkOrderCommand::RecordFinding { finding_id, fields }),
        1 => (name(), parsed(RESOLUTION)).prop_map(|(finding_id, fields)| WorkOrderCommand::ResolveFinding { finding_id, fields }),
        1 => (name(), parsed(NOTE)).prop_map(|(note_id, fields)| WorkOrderCommand::AddNote { note_id, fields }),
        1 => (name(), parsed(PART_USE)).prop_map(|(usage_id, fields)| WorkOrderCommand::UsePart { usage_id, fields }),
    ]
}

proptest! {
    #[test]
    fn what_is_decided_passes_its_table_and_keeps_the_rules(commands in prop::collection::vec(any_command(), 1..25)) {
        let mut order = Folded::default();
        for command in commands {
            let before = order.text("status").map(str::to_owned);
            let Ok(drafts) = decide(&order, &command, ASKED) else { continue };
            let was_released = order.text("released_at").is_some();
            order = applied(AGGREGATE_TYPE, order, &drafts);
            prop_assert!(order.exists());
            let status = order.text("status").unwrap().to_owned();
            if let Some(before) = before && before != status {
                prop_assert!(!was_released, "a released order takes no step");
                let path: Vec<_> = drafts.iter().filter_map(|draft| draft.data.get("new_status")?.as_str()).collect();
                let mut from = before.as_str();
                for to in path {
                    prop_assert!(STEPS.iter().any(|step| step.from == from && step.to == to), "{from} to {to}");
                    from = to;
                }
                prop_assert_eq!(from, status.as_str());
            }
            if let WorkOrderCommand::Change { fields } = &command {
                for (name, value) in fields {
                    let derived = ["reason", "mileage_km", "actual_end", "actual_start"];
                    // What is completed with a grave finding needs a release, whatever was asked.
                    let is_overruled = name == "requires_release" && grave_finding(&order).is_some();
                    if !derived.contains(&name.as_str()) && !is_overruled {
                        prop_assert_eq!(&order.get(name).unwrap_or_default(), value, "{}", name);
                    }
                }
            }
            let again = decide(&order, &command, ASKED).map(|drafts| drafts.len());
            // An end that is told with the reopening goes with it; told again, it is told of the work that goes on.
            if let WorkOrderCommand::Change { fields } = &command && !fields.contains_key("actual_end") {
                prop_assert!(again.is_err() || again == Ok(0), "the same change again changes nothing");
            }
            let span = span_of(&order, NOW);
            prop_assert!(span.is_none_or(|span| span.length() > 0));
        }
    }
}

//! Transfers, and the vehicles in them.

use super::simple::{begun, later, time_of};
use super::work::{note_span, quoted};
use super::{Columns, Family, Mapping, Seen};
use crate::finding::Treatment;
use crate::made::Made;
use crate::row::Row;
use crate::tables::planning::{TRANSFER_ASSIGNMENTS as A, TRANSFER_PLANS as P};

pub(super) const PLANS: Family = Family::alone(
    Mapping::new(&P, fleet::transfer_plan::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    plan,
);

pub(super) const ASSIGNMENTS: Family = Family::alone(
    Mapping::new(&A, fleet::transfer_assignment::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    assignment,
);

fn plan(row: &Row<'_>, made: &mut Made<'_>) {
    const CREATED: usize = P.place("created_at");
    const UPDATED: usize = P.place("updated_at");
    const STATUS: usize = P.place("status");
    const DEPARTURE: usize = P.place("actual_departure_ts");
    const ARRIVAL: usize = P.place("actual_arrival_ts");
    made.begin(&PLANS.parent, row, &row.key());
    if !made.wants_events() {
        return;
    }
    let status = row.text(STATUS);
    let word = status.as_deref().unwrap_or_default();
    let updated_at = row.time(UPDATED).or_else(|| row.time(CREATED));
    let (left, arrived) = (row.time(DEPARTURE), row.time(ARRIVAL));
    note_span(
        row,
        made,
        (
            P.place("scheduled_departure_ts"),
            P.place("scheduled_arrival_ts"),
        ),
    );
    note_span(row, made, (DEPARTURE, ARRIVAL));
    let has_left =
        word == "in_progress" || (matches!(word, "completed" | "cancelled") && left.is_some());
    let has_arrived = word == "completed";
    let is_step = matches!(
        word,
        "scheduled" | "in_progress" | "completed" | "cancelled"
    );
    let mut later_told = Columns::NONE;
    if is_step {
        later_told = later_told.and(STATUS);
    }
    if has_left && left.is_some() {
        later_told = later_told.and(DEPARTURE);
    }
    if has_arrived {
        later_told = later_told.and(ARRIVAL);
    }
    let planner = row.uuid(P.place("created_by"));
    let name = row.text(P.place("plan_id"));
    let creation = begun(
        row,
        made,
        "TransferPlanCreated",
        time_of(row, (CREATED, UPDATED)),
    )
    .columns(row, later_told)
    .found_by("plan_id", name.as_deref())
    .by(planner);
    if !is_step {
        return creation.done();
    }
    creation.claim("status", "status", quoted("draft")).done();
    if matches!(word, "scheduled" | "cancelled") {
        let kind = if word == "scheduled" {
            "scheduled"
        } else {
            "cancelled"
        };
        later(row, made, (kind, "TransferPlanStatusChanged"), updated_at)
            .claim("status", "new_status", quoted(word))
            .done();
    }
    if has_left {
        if left.is_none() {
            made.note(row, Treatment::StatusWithoutTime, "in_progress");
        }
        later(
            row,
            made,
            ("departed", "TransferPlanDeparted"),
            left.or(updated_at),
        )
        .claim("status", "new_status", quoted("in_progress"))
        .column(row, DEPARTURE)
        .done();
    }
    if has_arrived {
        if arrived.is_none() {
            made.note(row, Treatment::StatusWithoutTime, "completed");
        }
        later(
            row,
            made,
            ("arrived", "TransferPlanArrived"),
            arrived.or(updated_at),
        )
        .claim("status", "new_status", quoted("completed"))
        .column(row, ARRIVAL)
        .done();
    }
    made.want("status", quoted(word));
}

fn assignment(row: &Row<'_>, made: &mut Made<'_>) {
    const ASSIGNED: usize = A.place("assigned_at");
    const CONFIRMED_AT: usize = A.place("confirmed_at");
    const WORD: usize = A.place("is_confirmed");
    made.begin(&ASSIGNMENTS.parent, row, &row.key());
    if !made.wants_events() {
        return;
    }
    let word = row.text(WORD);
    let word = word.as_deref().unwrap_or_default();
    let confirmed_at = row.time(CONFIRMED_AT);
    let at = row.time(ASSIGNED).or(confirmed_at);
    let later_told = match word {
        "confirmed" => Columns::of(&[WORD, CONFIRMED_AT]),
        "cancelled" => Columns::of(&[WORD]),
        _ => Columns::NONE,
    };
    let creation = begun(row, made, "TransferAssignmentCreated", at)
        .columns(row, later_told)
        .by(row.uuid(A.place("assigned_by")));
    if later_told == Columns::NONE {
        return creation.done();
    }
    creation
        .claim("is_confirmed", "is_confirmed", quoted("pending"))
        .done();
    if word == "confirmed" {
        if confirmed_at.is_none() {
            made.note(row, Treatment::StatusWithoutTime, "confirmed");
        }
        later(
            row,
            made,
            ("confirmed", "TransferAssignmentConfirmed"),
            confirmed_at.or(at),
        )
        .claims("is_confirmed", quoted("confirmed"))
        .column(row, CONFIRMED_AT)
        .done();
    } else {
        // The row does not tell when; after it was assigned, surely.
        later(row, made, ("cancelled", "TransferAssignmentCancelled"), at)
            .claims("is_confirmed", quoted("cancelled"))
            .done();
    }
    made.want("is_confirmed", quoted(word));
}

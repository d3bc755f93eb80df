//! Vehicles and the work on them.

use std::borrow::Cow;

use super::simple::{begun, business_id, json_text, later, time_of};
use super::{Child, Columns, Family, Mapping, Seen, keep_orphan};
use crate::finding::Treatment;
use crate::made::Made;
use crate::row::Row;
use crate::tables::assets::{MAINTENANCE_TASKS as T, VEHICLES as V, WORK_ORDERS as O};
use crate::tables::planning::WO_ASSIGNMENT as A;

/// A vehicle goes by its number; its maintenance tasks are aggregates of their own that it, too, tells of.
pub(super) const VEHICLES: Family = Family::alone(
    Mapping::new(&V, fleet::vehicle::AGGREGATE_TYPE, Seen::State),
    vehicle,
)
.with(&[Child {
    mapping: Mapping::new(&T, fleet::maintenance_task::AGGREGATE_TYPE, Seen::State)
        .implied(&["id"]),
    refers_by: "vehicle_id",
    ordered_by: "created_at",
    add: task,
    orphan: |row, made| {
        made.note(row, Treatment::DanglingReference, "vehicle_id");
        task_alone(row, made);
    },
}]);

pub(super) const WORK_ORDERS: Family = Family::alone(
    Mapping::new(&O, fleet::work_order::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    work_order,
)
.with(&[Child {
    mapping: Mapping::new(
        &A,
        fleet::work_order::AGGREGATE_TYPE,
        Seen::Item(fleet::work_order::schema::ASSIGNMENTS, "assigned"),
    )
    .renamed(&[("id", "assignment_id")])
    .implied(&["work_order_id"]),
    refers_by: "work_order_id",
    ordered_by: "created_at",
    add: assignment,
    orphan: |row, made| {
        let at = Some(A.place("created_at"));
        keep_orphan(row, made, &WORK_ORDERS.children[0].mapping, at);
    },
}]);

fn vehicle(row: &Row<'_>, made: &mut Made<'_>) {
    let id = business_id(row, made, V.place("asset_id"));
    made.begin(&VEHICLES.parent, row, &id);
    if made.wants_events() {
        let at = time_of(row, (V.place("created_at"), V.place("updated_at")));
        begun(row, made, "VehicleCreated", at)
            .schema(2)
            .columns(row, Columns::NONE)
            .done();
    }
}

/// When a task was made, whether it is done, and when that was.
struct Done {
    at: Option<i64>,
    is_completed: bool,
    done_at: Option<i64>,
}

impl Done {
    fn of(row: &Row<'_>) -> Self {
        const UPDATED: usize = T.place("updated_at");
        let at = time_of(row, (T.place("created_at"), UPDATED));
        Done {
            at,
            is_completed: row.is_true(T.place("is_completed")),
            done_at: row.time(COMPLETED).or_else(|| row.time(UPDATED)).or(at),
        }
    }
}

const COMPLETED: usize = T.place("completed_at");

fn task(row: &Row<'_>, made: &mut Made<'_>) {
    task_alone(row, made);
    if !made.wants_events() {
        return;
    }
    let key = row.key();
    let Done {
        at,
        is_completed,
        done_at,
    } = Done::of(row);
    later(
        row,
        made,
        ("planned for vehicle", "VehicleMaintenanceScheduled"),
        at,
    )
    .column_as("maintenance_type", row, T.place("type"))
    .column_as("scheduled_date", row, T.place("due_date"))
    .text("maintenance_task_id", &key)
    .done();
    if is_completed {
        later(
            row,
            made,
            ("done on vehicle", "MaintenanceCompleted"),
            done_at,
        )
        .column_as("maintenance_type", row, T.place("type"))
        .column_as("date", row, COMPLETED)
        .text("maintenance_task_id", &key)
        .done();
    }
}

fn task_alone(row: &Row<'_>, made: &mut Made<'_>) {
    made.apart(&VEHICLES.children[0].mapping, row, &row.key(), |made| {
        if !made.wants_events() {
            return;
        }
        let Done {
            at,
            is_completed,
            done_at,
        } = Done::of(row);
        let later_told = match is_completed {
            true => Columns::of(&[T.place("is_completed"), COMPLETED]),
            false => Columns::NONE,
        };
        let creation = begun(row, made, "MaintenanceTaskCreated", at).columns(row, later_told);
        if !is_completed {
            return creation.done();
        }
        creation
            .claim("is_completed", "is_completed", "false".into())
            .done();
        if row.time(COMPLETED).is_none() {
            made.note(row, Treatment::StatusWithoutTime, "is_completed");
        }
        later(
            row,
            made,
            ("completed", "MaintenanceTaskCompleted"),
            done_at,
        )
        .column(row, COMPLETED)
        .claims("is_completed", "true".into())
        .done();
        made.want("is_completed", "true");
    });
}

fn work_order(row: &Row<'_>, made: &mut Made<'_>) {
    const CREATED: usize = O.place("created_at");
    const UPDATED: usize = O.place("updated_at");
    const STATUS: usize = O.place("status");
    const START: usize = O.place("actual_start");
    const END: usize = O.place("actual_end");
    made.begin(&WORK_ORDERS.parent, row, &row.key());
    if !made.wants_events() {
        return;
    }
    let status = row.text(STATUS);
    let word = status.as_deref().unwrap_or_default();
    let updated_at = row.time(UPDATED).or_else(|| row.time(CREATED));
    let (start, end) = (row.time(START), row.time(END));
    note_span(
        row,
        made,
        (O.place("scheduled_start"), O.place("scheduled_end")),
    );
    note_span(row, made, (START, END));
    let has_begun =
        word == "in_progress" || (matches!(word, "completed" | "cancelled") && start.is_some());
    let has_ended = word == "completed";
    let is_step = matches!(
        word,
        "scheduled" | "in_progress" | "completed" | "cancelled"
    );
    let mut later_told = Columns::NONE;
    if is_step {
        later_told = later_told.and(STATUS);
    }
    if has_begun && start.is_some() {
        later_told = later_told.and(START);
    }
    if has_ended {
        later_told = later_told.and(END);
    }
    let number = row.text(O.place("order_number"));
    let creation = begun(
        row,
        made,
        "WorkOrderCreated",
        time_of(row, (CREATED, UPDATED)),
    )
    .columns(row, later_told)
    .found_by("order_number", number.as_deref());
    if !is_step {
        // A draft has taken no step; what the old system did not know is kept as it is.
        return creation.done();
    }
    creation.claim("status", "status", quoted("draft")).done();
    if matches!(word, "scheduled" | "cancelled") {
        let kind = if word == "scheduled" {
            "scheduled"
        } else {
            "cancelled"
        };
        later(row, made, (kind, "WorkOrderStatusChanged"), updated_at)
            .claim("status", "new_status", quoted(word))
            .done();
    }
    if has_begun {
        if start.is_none() {
            made.note(row, Treatment::StatusWithoutTime, "in_progress");
        }
        later(
            row,
            made,
            ("started", "WorkOrderStatusChanged"),
            start.or(updated_at),
        )
        .claim("status", "new_status", quoted("in_progress"))
        .column(row, START)
        .done();
    }
    if has_ended {
        if end.is_none() {
            made.note(row, Treatment::StatusWithoutTime, "completed");
        }
        later(
            row,
            made,
            ("completed", "WorkOrderCompleted"),
            end.or(updated_at),
        )
        .claim("status", "new_status", quoted("completed"))
        .column(row, END)
        .done();
    }
    made.want("status", quoted(word));
}

fn assignment(row: &Row<'_>, made: &mut Made<'_>) {
    made.expect(&WORK_ORDERS.children[0].mapping, row);
    if made.wants_events() {
        later(
            row,
            made,
            ("assigned", "WorkOrderAssigned"),
            row.time(A.place("created_at")),
        )
        .columns(row, Columns::NONE)
        .by(row.uuid(A.place("created_by")))
        .done();
    }
}

/// JSON of a word.
pub(super) fn quoted(word: &str) -> Cow<'static, str> {
    json_text(word).into()
}

/// Notes an end that lies before its start.
pub(super) fn note_span(row: &Row<'_>, made: &mut Made<'_>, (from, to): (usize, usize)) {
    if let (Some(start), Some(end)) = (row.time(from), row.time(to))
        && end < start
    {
        made.note(
            row,
            Treatment::EndBeforeStart,
            row.layout.table.columns[to].name,
        );
    }
}

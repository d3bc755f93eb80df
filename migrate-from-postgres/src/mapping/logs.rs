//! What the old system noted about itself: conflicts of its sync, and logs that are kept as they were.

use super::simple::{begun, later};
use super::{Columns, Family, Mapping, Seen};
use crate::finding::Treatment;
use crate::made::Made;
use crate::row::Row;
use crate::tables::planning::{
    AUDIT_LOG as A, EVENT_LOG as E, SOLVER_SOLUTIONS as S, SYNC_CONFLICTS as C,
};

const LOGS: &str = fleet::imported_log::AGGREGATE_TYPE;

pub(super) const SYNC_CONFLICTS: Family = Family::alone(
    Mapping::new(&C, fleet::sync_conflict::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    conflict,
);

pub(super) const EVENT_LOG: Family =
    Family::alone(Mapping::new(&E, LOGS, Seen::LogRow), |row, made| {
        let at = row
            .time(E.place("source_ts"))
            .or_else(|| row.time(E.place("server_received_ts")));
        made.keep(&EVENT_LOG.parent, row, at);
    });

pub(super) const AUDIT_LOG: Family =
    Family::alone(Mapping::new(&A, LOGS, Seen::LogRow), |row, made| {
        made.keep(&AUDIT_LOG.parent, row, row.time(A.place("timestamp")))
    });

pub(super) const SOLVER_SOLUTIONS: Family =
    Family::alone(Mapping::new(&S, LOGS, Seen::LogRow), |row, made| {
        made.keep(
            &SOLVER_SOLUTIONS.parent,
            row,
            row.time(S.place("created_at")),
        )
    });

fn conflict(row: &Row<'_>, made: &mut Made<'_>) {
    const RESOLVED: usize = C.place("is_resolved");
    const RESOLVED_AT: usize = C.place("resolved_at");
    const RESOLVED_BY: usize = C.place("resolved_by");
    const VALUE: usize = C.place("resolved_value");
    made.begin(&SYNC_CONFLICTS.parent, row, &row.key());
    if !made.wants_events() {
        return;
    }
    let is_resolved = row.is_true(RESOLVED);
    let resolved_at = row.time(RESOLVED_AT);
    let later_told = match is_resolved {
        true => Columns::of(&[RESOLVED, RESOLVED_AT, RESOLVED_BY, VALUE]),
        false => Columns::NONE,
    };
    let at = row.time(C.place("created_at")).or(resolved_at);
    let name = row.text(C.place("conflict_id"));
    let detection = begun(row, made, "SyncConflictDetected", at)
        .columns(row, later_told)
        .found_by("conflict_id", name.as_deref());
    if !is_resolved {
        return detection.done();
    }
    detection
        .claim("is_resolved", "is_resolved", "false".into())
        .done();
    if resolved_at.is_none() {
        made.note(row, Treatment::StatusWithoutTime, "is_resolved");
    }
    later(
        row,
        made,
        ("resolved", "SyncConflictResolved"),
        resolved_at.or(at),
    )
    .claims("is_resolved", "true".into())
    .column(row, RESOLVED_AT)
    .column(row, RESOLVED_BY)
    .column(row, VALUE)
    .by(row.uuid(RESOLVED_BY))
    .done();
    made.want("is_resolved", "true");
}

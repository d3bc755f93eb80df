//! Tracks and teams, and when they are there.

use super::simple::{begun, later, time_of};
use super::work::note_span;
use super::{Child, Columns, Family, Mapping, Seen, keep_orphan};
use crate::made::Made;
use crate::row::Row;
use crate::tables::planning::{
    TEAM_AVAILABILITY as S, TEAMS as M, TRACK_AVAILABILITY as A, TRACKS as T,
};

pub(super) const TRACKS: Family = Family::alone(
    Mapping::new(&T, fleet::track::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    |row, made| {
        let times = (T.place("created_at"), T.place("updated_at"));
        named(
            row,
            made,
            &TRACKS.parent,
            ("TrackCreated", "track_id"),
            times,
        );
    },
)
.with(&[Child {
    mapping: hours(Mapping::new(
        &A,
        fleet::track::AGGREGATE_TYPE,
        Seen::Item("availability", "set"),
    ))
    .implied(&["track_id"]),
    refers_by: "track_id",
    ordered_by: "created_at",
    add: |row, made| {
        span(
            row,
            made,
            &TRACKS.children[0].mapping,
            "TrackAvailabilitySet",
            A.place("created_at"),
        );
    },
    orphan: |row, made| {
        let at = Some(A.place("created_at"));
        keep_orphan(row, made, &TRACKS.children[0].mapping, at);
    },
}]);

pub(super) const TEAMS: Family = Family::alone(
    Mapping::new(&M, fleet::team::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    |row, made| {
        let times = (M.place("created_at"), M.place("updated_at"));
        named(row, made, &TEAMS.parent, ("TeamCreated", "team_id"), times);
    },
)
.with(&[Child {
    mapping: hours(Mapping::new(
        &S,
        fleet::team::AGGREGATE_TYPE,
        Seen::Item("availability", "set"),
    ))
    .implied(&["team_id"]),
    refers_by: "team_id",
    ordered_by: "created_at",
    add: |row, made| {
        span(
            row,
            made,
            &TEAMS.children[0].mapping,
            "TeamAvailabilitySet",
            S.place("created_at"),
        );
    },
    orphan: |row, made| {
        let at = Some(S.place("created_at"));
        keep_orphan(row, made, &TEAMS.children[0].mapping, at);
    },
}]);

const fn hours(mapping: Mapping) -> Mapping {
    mapping.renamed(&[("id", "availability_id")])
}

fn named(
    row: &Row<'_>,
    made: &mut Made<'_>,
    mapping: &Mapping,
    (event_type, key): (&str, &str),
    times: (usize, usize),
) {
    made.begin(mapping, row, &row.key());
    if made.wants_events() {
        let name = row.text(row.layout.table.place(key));
        begun(row, made, event_type, time_of(row, times))
            .columns(row, Columns::NONE)
            .found_by(key, name.as_deref())
            .done();
    }
}

fn span(row: &Row<'_>, made: &mut Made<'_>, mapping: &Mapping, event_type: &str, created: usize) {
    made.expect(mapping, row);
    if made.wants_events() {
        let table = row.layout.table;
        note_span(row, made, (table.place("start_ts"), table.place("end_ts")));
        later(row, made, ("set", event_type), row.time(created))
            .columns(row, Columns::NONE)
            .done();
    }
}

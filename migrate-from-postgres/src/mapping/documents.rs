//! Documents, their versions, and who looked at them.

use super::simple::{begun, json_id, json_time, later, time_of};
use super::{Child, Columns, Family, Mapping, Seen, keep_orphan};
use crate::made::Made;
use crate::row::Row;
use crate::tables::people::{
    DOCUMENT_ACCESS_LOG as A, DOCUMENT_LINKS as D, DOCUMENT_VERSIONS as V,
};

pub(super) const DOCUMENTS: Family = Family::alone(
    Mapping::new(&D, fleet::document::AGGREGATE_TYPE, Seen::State).implied(&["id"]),
    document,
)
.with(&[
    Child {
        mapping: Mapping::new(
            &V,
            fleet::document::AGGREGATE_TYPE,
            Seen::Item(fleet::document::schema::VERSIONS, "added"),
        )
        .renamed(&[("id", "version_id")])
        .implied(&["document_link_id"]),
        refers_by: "document_link_id",
        ordered_by: "created_at",
        add: version,
        orphan: |row, made| {
            let at = Some(V.place("created_at"));
            keep_orphan(row, made, &DOCUMENTS.children[0].mapping, at);
        },
    },
    Child {
        mapping: Mapping::new(&A, fleet::document::AGGREGATE_TYPE, Seen::Event("accessed"))
            .renamed(&[("id", "access_id")])
            .implied(&["document_link_id"]),
        refers_by: "document_link_id",
        ordered_by: "accessed_at",
        add: access,
        orphan: |row, made| {
            let at = Some(A.place("accessed_at"));
            keep_orphan(row, made, &DOCUMENTS.children[1].mapping, at);
        },
    },
]);

fn document(row: &Row<'_>, made: &mut Made<'_>) {
    const SEEN_AT: usize = D.place("last_accessed_at");
    const SEEN_BY: usize = D.place("last_accessed_by");
    made.begin(&DOCUMENTS.parent, row, &row.key());
    if !made.wants_events() {
        return;
    }
    let at = time_of(row, (D.place("created_at"), D.place("updated_at")));
    let name = row.text(D.place("document_id"));
    begun(row, made, "DocumentCreated", at)
        .columns(row, Columns::NONE)
        .found_by("document_id", name.as_deref())
        .by(row.uuid(D.place("created_by")))
        .done();
    // Accesses say who looked last; the row says what the old system knew of that.
    made.want(
        "last_accessed_at",
        row.time(SEEN_AT).map_or("null".into(), json_time),
    );
    made.want(
        "last_accessed_by",
        row.uuid(SEEN_BY).map_or("null".into(), json_id),
    );
}

fn version(row: &Row<'_>, made: &mut Made<'_>) {
    made.expect(&DOCUMENTS.children[0].mapping, row);
    if made.wants_events() {
        later(
            row,
            made,
            ("added", "DocumentVersionAdded"),
            row.time(V.place("created_at")),
        )
        .columns(row, Columns::NONE)
        .by(row.uuid(V.place("created_by")))
        .done();
    }
}

fn access(row: &Row<'_>, made: &mut Made<'_>) {
    const AT: usize = A.place("accessed_at");
    const BY: usize = A.place("accessed_by");
    made.expect(&DOCUMENTS.children[1].mapping, row);
    if !made.wants_events() {
        return;
    }
    let mut event = later(row, made, ("accessed", "DocumentAccessed"), row.time(AT))
        .columns(row, Columns::NONE)
        .by(row.uuid(BY));
    if let Some(at) = row.time(AT) {
        event = event.claims("last_accessed_at", json_time(at).into());
    }
    if let Some(by) = row.uuid(BY) {
        event = event.claims("last_accessed_by", json_id(by).into());
    }
    event.done();
}

//! Rows that change between two imports in ways that no single row tells.

use std::sync::atomic::AtomicBool;

use harness::phase2::{self, Contents, Shape};
use harness::postgres::Cluster;
use migrate_from_postgres::report::Report;
use migrate_from_postgres::{Wanted, verify};
use storage::Log;

use super::importing::{assert_agrees, open, take, wanted};

fn verified(log: &Log, wanted: &Wanted) -> Report {
    verify(log, wanted, &mut |_| {}, &AtomicBool::new(false)).expect("a verification")
}

/// A change that is taken back is one more change.
#[test]
fn a_row_that_is_again_as_it_was_is_brought_over_again() {
    let Some(cluster) = Cluster::shared("taking back") else {
        return;
    };
    let contents = Contents::new(34, 300).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let wanted = wanted(cluster, &database);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    for notes in ["alt", "neu", "alt"] {
        cluster.psql(
            &database,
            &format!("UPDATE suppliers SET notes = '{notes}'"),
        );
        let report = take(&log, &wanted).expect("an import");
        assert_agrees(&report);
        assert!(report.totals.appended > 0, "{notes}");
    }
    assert_eq!(take(&log, &wanted).expect("an import").totals.appended, 0);
}

/// The tables whose rows belong to those of another, and what names their parents.
const CHILDREN: [(&str, &str, &str); 4] = [
    (
        "purchase_order_lines",
        "purchase_order_id",
        "purchase_orders",
    ),
    ("wo_assignment", "work_order_id", "work_orders"),
    ("document_versions", "document_link_id", "document_links"),
    ("track_availability", "track_id", "tracks"),
];

/// SQL that gives the first row of each to another parent.
fn moves() -> String {
    let moved = CHILDREN.map(|(table, parent, of)| {
        format!(
            "UPDATE {table} SET {parent} = (SELECT o.id FROM {of} o WHERE o.id <> {table}.{parent} ORDER BY o.id LIMIT 1)
             WHERE id = (SELECT id FROM {table} ORDER BY id LIMIT 1);"
        )
    });
    // Numbers are unique within an order and within a document.
    let numbered = [
        ("purchase_order_lines", "line_number"),
        ("document_versions", "version_number"),
    ];
    let numbered = numbered.map(|(table, number)| {
        format!("UPDATE {table} SET {number} = 1000 WHERE id = (SELECT id FROM {table} ORDER BY id LIMIT 1);")
    });
    [numbered.concat(), moved.concat()].concat()
}

#[test]
fn rows_that_go_to_another_parent_are_noticed_and_brought_over() {
    let Some(cluster) = Cluster::shared("moving rows") else {
        return;
    };
    let contents = Contents::new(33, 1_500).without_traps();
    let database = phase2::create(cluster, Shape::Scripts, &contents);
    let mut wanted = wanted(cluster, &database);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    assert_agrees(&take(&log, &wanted).expect("an import"));
    // There, and some of them back again.
    for round in 1..=3 {
        cluster.psql(&database, &moves());
        let unlike = verified(&log, &wanted);
        for (table, parent, _) in CHILDREN {
            let told = unlike.table(table).expect("a table");
            // Where it is now it is not found, and where it was it is too much.
            assert_eq!(told.totals.mismatches, 2, "{round}: {table}");
            let names_parent = |column: &str| column == parent;
            let mut columns = told.mismatched.iter().flat_map(|row| &row.columns);
            assert!(
                columns.any(|difference| names_parent(&difference.column)),
                "{round}: {table}"
            );
            assert_eq!(told.totals.deleted, 0, "{round}: {table}");
        }
        let report = take(&log, &wanted).expect("an import again");
        assert_agrees(&report);
        assert_agrees(&verified(&log, &wanted));
        assert_eq!(take(&log, &wanted).expect("and again").totals.appended, 0);
    }
    for (table, _, _) in CHILDREN {
        let first =
            format!("DELETE FROM {table} WHERE id = (SELECT id FROM {table} ORDER BY id LIMIT 1)");
        cluster.psql(&database, &first);
    }
    // A table that is left out is not one without rows.
    wanted.selection.skip = vec!["wo_assignment".to_owned()];
    assert_agrees(&take(&log, &wanted).expect("an import of the others"));
    wanted.selection.skip.clear();
    let report = verified(&log, &wanted);
    assert_agrees(&report);
    let deleted = |table: &str| report.table(table).expect("a table").totals.deleted;
    assert_eq!(deleted("wo_assignment"), 1);
    assert_eq!(deleted("purchase_order_lines"), 0, "it went with its order");
}

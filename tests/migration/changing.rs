//! Rows that change between two imports in ways that no single row tells.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use harness::phase2::{self, Contents, Shape};
use harness::postgres::Cluster;
use migrate_from_postgres::finding::Treatment;
use migrate_from_postgres::report::Report;
use migrate_from_postgres::{Wanted, verify};
use serde_json::{Map, Value};
use storage::{Limits, Log, LogOptions, ReadRequest};

use super::exporting::WITHOUT_FOREIGN_KEYS;
use super::importing::{assert_agrees, open, take, wanted};
use super::program::digest;

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

/// What events of this type say last of each row: `key` is where they name it.
fn last_said(log: &Log, event_type: &str, key: &str) -> BTreeMap<String, Map<String, Value>> {
    let mut last = BTreeMap::new();
    let mut reader = log.read(&ReadRequest::default()).expect("the log is read");
    while let Some(event) = reader.next() {
        let event = event.expect("an event");
        if event.event_type() == event_type {
            let data: Map<String, Value> = serde_json::from_slice(event.data()).expect("JSON");
            let row = data.get(key).and_then(Value::as_str).expect("a key");
            last.insert(format!("{} {row}", event.stream()), data.clone());
        }
    }
    last
}

/// What is no state but happened once is said by the event that tells of it last.
#[test]
fn a_row_that_is_kept_and_is_again_as_it_was_is_told_last_as_it_is() {
    let Some(cluster) = Cluster::shared("taking back what was kept") else {
        return;
    };
    let contents = Contents::new(38, 300).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let wanted = wanted(cluster, &database);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    for said in ["eins", "zwei", "eins", "zwei"] {
        cluster.psql(
            &database,
            &format!(
                "UPDATE event_log SET device_id = '{said}'; UPDATE document_access_log SET user_agent = '{said}';"
            ),
        );
        let report = take(&log, &wanted).expect("an import");
        assert_agrees(&report);
        assert!(report.totals.appended > 0, "{said}");
        assert_eq!(take(&log, &wanted).expect("again").totals.appended, 0);
        let kept = last_said(&log, "LogRowImported", "key");
        let kept = kept
            .values()
            .filter_map(|data| data["row"].get("device_id"));
        let accesses = last_said(&log, "DocumentAccessed", "access_id");
        let accesses = accesses.values().filter_map(|data| data.get("user_agent"));
        let all: Vec<&Value> = kept.chain(accesses).collect();
        assert!(all.len() >= 6, "{all:?}");
        assert!(all.iter().all(|last| *last == said), "{said}: {all:?}");
    }
}

/// What an operator allows in a transaction is enough, and makes no other log.
#[test]
fn a_log_that_takes_small_transactions_takes_every_row() {
    let Some(cluster) = Cluster::shared("small transactions") else {
        return;
    };
    let contents = Contents::new(39, 600).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let mut wanted = wanted(cluster, &database);
    let small = |folder: &std::path::Path| {
        let limits = Limits {
            transaction_events_max: 7,
            ..Limits::default()
        };
        let options = LogOptions {
            limits,
            ..LogOptions::default()
        };
        Log::open(folder, options).expect("a log")
    };
    let folders: [_; 3] = std::array::from_fn(|_| tempfile::tempdir().expect("a folder"));
    let (usual, log) = (open(folders[0].path()), small(folders[1].path()));
    for log in [&usual, &log] {
        assert_agrees(&take(log, &wanted).expect("an import"));
    }
    assert_eq!(digest(&log), digest(&usual));
    // A part that lacks more events than a transaction takes.
    cluster.psql(
        &database,
        "INSERT INTO stock_moves SELECT gen_random_uuid(), p.part_no, 'INCOMING', n, NULL, NULL, NULL, NULL, NULL, NULL, now(), NULL
           FROM (SELECT part_no FROM part_inventory ORDER BY part_no LIMIT 1) p, generate_series(1, 40) n;",
    );
    let log = small(folders[2].path());
    wanted.selection.skip = vec!["stock_moves".to_owned()];
    assert_agrees(&take(&log, &wanted).expect("an import without moves"));
    wanted.selection.skip.clear();
    assert_agrees(&take(&log, &wanted).expect("the rest"));
    assert_eq!(take(&log, &wanted).expect("again").totals.appended, 0);
}

/// How often this was found in a table.
fn found(report: &Report, table: &str, treatment: Treatment) -> u64 {
    let findings = &report.table(table).expect("a table").findings;
    let of_kind = findings
        .iter()
        .filter(|finding| finding.treatment == treatment);
    of_kind.map(|finding| finding.count).sum()
}

/// SQL that gives the first part another number, wherever it stands.
fn renumbered_part() -> String {
    let tables = [
        "stock_moves",
        "used_parts",
        "purchase_order_lines",
        "invoice_lines",
        "part_inventory",
    ];
    let first = "(SELECT part_no FROM part_inventory ORDER BY id LIMIT 1)";
    let renumbered = tables.map(|table| {
        format!("UPDATE {table} SET part_no = part_no || '-4' WHERE part_no = {first};")
    });
    [WITHOUT_FOREIGN_KEYS, &renumbered.concat()].concat()
}

/// The tables whose rows go by a business key, that key, and what their aggregates are called.
const BY_KEY: [(&str, &str, &str); 3] = [
    ("vehicles", "asset_id", "Vehicle"),
    ("part_inventory", "part_no", "Part"),
    ("cost_centers", "code", "CostCenter"),
];

/// A second aggregate of the same row would be a ghost: nothing in the database speaks for the first one any more.
#[test]
fn a_changed_business_key_is_a_change_and_no_second_aggregate() {
    let Some(cluster) = Cluster::shared("changed business keys") else {
        return;
    };
    let contents = Contents::new(35, 600).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let wanted = wanted(cluster, &database);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    assert_agrees(&take(&log, &wanted).expect("an import"));
    let counts = || BY_KEY.map(|(_, _, aggregate)| log.streams_of_type(aggregate).len());
    let before = counts();
    let first = |table: &str, column: &str| {
        let statement = format!("SELECT {column} FROM {table} ORDER BY id LIMIT 1;");
        cluster.psql(&database, &statement)
    };
    let old_number = first("vehicles", "asset_id");
    for (table, column, _) in BY_KEY {
        let id = first(table, "id");
        let statement = match table {
            "part_inventory" => renumbered_part(),
            _ => format!("UPDATE {table} SET {column} = {column} || '-4' WHERE id = '{id}';"),
        };
        cluster.psql(&database, &statement);
    }
    let unlike = verified(&log, &wanted);
    for (table, column, _) in BY_KEY {
        let told = unlike.table(table).expect("a table");
        assert_eq!(told.totals.mismatches, 1, "{table}");
        assert_eq!(told.mismatched[0].columns[0].column, column, "{table}");
    }
    let report = take(&log, &wanted).expect("an import again");
    assert_agrees(&report);
    assert_eq!(counts(), before, "no aggregate is new");
    for (table, _, _) in BY_KEY {
        assert_eq!(found(&report, table, Treatment::KeyChanged), 1, "{table}");
    }
    assert_agrees(&verified(&log, &wanted));
    assert_eq!(take(&log, &wanted).expect("again").totals.appended, 0);

    // Whoever gets the old number now does not get the other's history.
    cluster.psql(
        &database,
        &format!(
            "INSERT INTO vehicles SELECT (jsonb_populate_record(v, jsonb_build_object('id', gen_random_uuid(), 'asset_id', '{old_number}'))).* \
             FROM vehicles v ORDER BY v.id LIMIT 1;"
        ),
    );
    let report = take(&log, &wanted).expect("an import of the newcomer");
    assert_agrees(&report);
    assert_eq!(found(&report, "vehicles", Treatment::KeyTaken), 1);
    assert_eq!(counts()[0], before[0] + 1);
    assert_eq!(take(&log, &wanted).expect("again").totals.appended, 0);
}

/// A row that was deleted and made anew under its number goes on where the old one ended.
#[test]
fn a_row_in_place_of_one_that_is_gone_goes_on_with_its_history() {
    let Some(cluster) = Cluster::shared("rows in place of others") else {
        return;
    };
    let contents = Contents::new(40, 300).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let wanted = wanted(cluster, &database);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    assert_agrees(&take(&log, &wanted).expect("an import"));
    let before = log.streams_of_type("CostCenter").len();
    cluster.psql(
        &database,
        "UPDATE cost_centers SET id = gen_random_uuid(), name = 'neu' WHERE id = (SELECT id FROM cost_centers ORDER BY id LIMIT 1);",
    );
    let report = take(&log, &wanted).expect("an import again");
    assert_agrees(&report);
    assert_eq!(log.streams_of_type("CostCenter").len(), before);
    assert_eq!(found(&report, "cost_centers", Treatment::KeyTaken), 0);
    assert_eq!(
        report
            .table("cost_centers")
            .expect("a table")
            .totals
            .deleted,
        1
    );
    assert_eq!(take(&log, &wanted).expect("again").totals.appended, 0);
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

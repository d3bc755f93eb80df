//! Rows become events, and the events fold to the rows.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::phase2::{self, Contents, Shape};
use harness::postgres::Cluster;
use migrate_from_postgres::finding::Treatment;
use migrate_from_postgres::report::Report;
use migrate_from_postgres::shape::Selection;
use migrate_from_postgres::source::Address;
use migrate_from_postgres::zone::Zone;
use migrate_from_postgres::{ImportError, Progress, Wanted, dry_run, import, verify};
use storage::{Log, LogOptions, ReadRequest};

use super::program::digest;

pub(crate) fn wanted(cluster: &Cluster, database: &str) -> Wanted {
    Wanted {
        address: Address::parse(&cluster.url(database), None).expect("an address"),
        selection: Selection::default(),
        zone: Zone::Utc,
        strict: false,
        events: false,
    }
}

pub(crate) fn open(folder: &Path) -> Log {
    Log::open(folder, LogOptions::default()).expect("a log")
}

pub(crate) fn take(log: &Log, wanted: &Wanted) -> Result<Report, ImportError> {
    import(log, wanted, &mut |_| {}, &AtomicBool::new(false))
}

/// Fails with what differs.
#[track_caller]
pub(crate) fn assert_agrees(report: &Report) {
    let mut told = String::new();
    for table in report
        .tables
        .iter()
        .filter(|table| !table.mismatched.is_empty())
    {
        told.push_str(&format!(
            "{}: {} of {}\n",
            table.table, table.totals.mismatches, table.totals.rows
        ));
        for row in table.mismatched.iter().take(3) {
            told.push_str(&format!("  {} {} {:?}\n", row.key, row.found, row.columns));
        }
    }
    assert!(report.agrees(), "{told}");
    assert!(report.verified);
}

#[test]
fn every_shape_is_brought_over_and_agrees() {
    let Some(cluster) = Cluster::shared("importing every shape") else {
        return;
    };
    for shape in Shape::ALL {
        let database = phase2::create(cluster, shape, &Contents::new(11, 2_000));
        let wanted = wanted(cluster, &database);
        let tried = dry_run(&wanted, &mut |_| {}, &AtomicBool::new(false)).expect("a dry run");
        assert_agrees(&tried);
        let folder = tempfile::tempdir().expect("a folder");
        let log = open(folder.path());
        let report = take(&log, &wanted).expect("an import");
        assert_agrees(&report);
        assert_eq!(report.totals.rows, tried.totals.rows);
        assert_eq!(
            report.totals.events, tried.totals.events,
            "what was tried is what was done"
        );
        let position = log.durable_position();
        let again = take(&log, &wanted).expect("an import again");
        assert_agrees(&again);
        assert_eq!(again.totals.appended, 0);
        assert_eq!(
            log.durable_position(),
            position,
            "a second run adds nothing"
        );
    }
}

#[test]
fn what_was_imported_is_what_the_tables_of_events_ask_for() {
    let Some(cluster) = Cluster::shared("events against their tables") else {
        return;
    };
    // Values that break a rule of ours are history all the same; without traps nothing may.
    let database = phase2::create(
        cluster,
        Shape::Scripts,
        &Contents::new(5, 1_500).without_traps(),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    let report = take(&log, &wanted(cluster, &database)).expect("an import");
    assert_agrees(&report);
    let mut reader = log.read(&ReadRequest::default()).expect("the log is read");
    while let Some(event) = reader.next() {
        let event = event.expect("an event");
        let stream = event.stream();
        let data = serde_json::from_slice(event.data()).expect("JSON");
        let known = fleet::registry().event(stream.aggregate_type, event.event_type());
        let known = known.unwrap_or_else(|| panic!("{} is in no table", event.event_type()));
        let faults = known.check(event.schema(), &data).err();
        assert!(
            faults.is_none(),
            "{} {}: {faults:?}",
            stream,
            event.event_type()
        );
    }
}

#[test]
fn every_trap_has_its_line_in_the_report() {
    let Some(cluster) = Cluster::shared("traps") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Patched, &Contents::new(3, 4_000));
    // One part keeps its level and loses its moves.
    cluster.psql(
        &database,
        "DELETE FROM stock_moves WHERE part_no = (SELECT min(part_no) FROM part_inventory WHERE current_stock > 0);",
    );
    let report = dry_run(
        &wanted(cluster, &database),
        &mut |_| {},
        &AtomicBool::new(false),
    )
    .expect("a dry run");
    assert_agrees(&report);
    let found: Vec<Treatment> = report
        .tables
        .iter()
        .flat_map(|table| &table.findings)
        .filter(|finding| finding.count > 0 && !finding.met.is_empty() && !finding.done.is_empty())
        .map(|finding| finding.treatment)
        .collect();
    for treatment in [
        Treatment::NotANumber,
        Treatment::TimeOutOfRange,
        Treatment::JsonUnreadable,
        Treatment::UnknownWord,
        Treatment::UnknownColumns,
        Treatment::KeyTaken,
        Treatment::Orphan,
        Treatment::TimesGoBack,
        Treatment::EndBeforeStart,
        Treatment::NegativeStock,
        Treatment::StockDisagrees,
        Treatment::StockUnmoved,
        Treatment::ReceivedMoreThanOrdered,
        Treatment::DanglingReference,
        Treatment::StatusWithoutTime,
        Treatment::LoginByEmail,
    ] {
        assert!(
            found.contains(&treatment),
            "{treatment:?} is not in the report"
        );
    }
    let html = report.to_html();
    assert!(html.contains("NaN or an infinity"), "the page says so too");
}

#[test]
fn strict_names_the_row_and_writes_nothing_behind_it() {
    let Some(cluster) = Cluster::shared("strict") else {
        return;
    };
    let database = phase2::create(
        cluster,
        Shape::Scripts,
        &Contents::new(2, 600).without_traps(),
    );
    let mut wanted = wanted(cluster, &database);
    wanted.strict = true;
    cluster.psql(
        &database,
        "UPDATE wo_assignment SET solution_id = NULL; UPDATE budgets SET cost_center = (SELECT min(code) FROM cost_centers);
         UPDATE vehicles SET weight_tons = 'NaN' WHERE asset_id = '185001';",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let error = take(&open(folder.path()), &wanted)
        .expect_err("a finding")
        .to_string();
    assert!(
        error.contains("vehicles, row") && error.contains("weight_tons: NaN"),
        "{error}"
    );
}

#[test]
fn rows_that_change_are_brought_up_to_date_and_gone_ones_are_found() {
    let Some(cluster) = Cluster::shared("changed rows") else {
        return;
    };
    let database = phase2::create(
        cluster,
        Shape::Models,
        &Contents::new(9, 1_500).without_traps(),
    );
    let wanted = wanted(cluster, &database);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    assert_agrees(&take(&log, &wanted).expect("an import"));
    cluster.psql(
        &database,
        "UPDATE vehicles SET notes = 'neu', current_mileage_km = 1, status = 'RETIRED' WHERE asset_id = '185002';
         UPDATE work_orders SET status = 'COMPLETED', actual_end = now() WHERE status = 'IN_PROGRESS';
         UPDATE part_inventory SET current_stock = current_stock + 7;
         UPDATE purchase_order_lines SET quantity_received = quantity_received + 1 WHERE line_number < 4;
         UPDATE document_versions SET version_label = NULL WHERE version_number < 9;
         UPDATE users SET role = 'VIEWER', is_active = false, updated_at = now() WHERE username = 'user1';
         UPDATE users SET username = 'umbenannt', email = 'neu@example.org', updated_at = now(), last_login = now()
           WHERE username = 'user2';
         UPDATE document_access_log SET ip_address = '192.0.2.1' WHERE access_type = 'view';
         UPDATE event_log SET device_id = 'tablet-9';
         UPDATE stock_moves SET notes = 'nachgetragen' WHERE move_type = 'USAGE';
         INSERT INTO cost_centers SELECT gen_random_uuid(), 'NEW', 'neu', NULL, true, NULL, now(), now();",
    );
    let unlike =
        verify(&log, &wanted, &mut |_| {}, &AtomicBool::new(false)).expect("a verification");
    for table in [
        "vehicles",
        "part_inventory",
        "purchase_order_lines",
        "document_versions",
        "users",
        "stock_moves",
        "cost_centers",
        "document_access_log",
        "event_log",
    ] {
        assert!(
            unlike.table(table).expect("a table").totals.mismatches > 0,
            "{table} changed"
        );
    }
    let report = take(&log, &wanted).expect("an import again");
    assert_agrees(&report);
    assert!(report.totals.appended > 0);
    let again = take(&log, &wanted).expect("an import once more");
    assert_eq!(again.totals.appended, 0);
    cluster.psql(
        &database,
        "DELETE FROM stock_moves WHERE move_type = 'WRITEOFF'; DELETE FROM budgets;",
    );
    let report =
        verify(&log, &wanted, &mut |_| {}, &AtomicBool::new(false)).expect("a verification");
    let deleted = |table: &str| report.table(table).expect("a table").totals.deleted;
    assert!(
        deleted("stock_moves") > 0 && deleted("budgets") > 0,
        "what is gone is said"
    );
}

/// The old system's event store, with what its migrations and its models call things.
const EVENT_STORE: &str = "CREATE TABLE events (event_id varchar(100) PRIMARY KEY, event_type varchar(100) NOT NULL, \
     event_version integer NOT NULL DEFAULT 1, aggregate_id varchar(100) NOT NULL, aggregate_type varchar(50) NOT NULL, \
     aggregate_version integer NOT NULL, occurred_at timestamp NOT NULL, created_at timestamp NOT NULL, data jsonb NOT NULL, \
     metadata jsonb, UNIQUE (aggregate_id, aggregate_version));
     INSERT INTO events SELECT md5(v.asset_id || n)::uuid::text, CASE n WHEN 1 THEN 'VehicleCreatedEvent' ELSE 'VehicleStatusChangedEvent' END, \
       1, v.asset_id, 'Vehicle', n, timestamp '2022-01-01' + n * interval '1 day', timestamp '2023-01-01' - n * interval '1 second', \
       CASE n WHEN 1 THEN jsonb_build_object('asset_id', v.asset_id, 'model', v.model) \
         ELSE jsonb_build_object('old_status', 'available', 'new_status', 'in_service', 'n', 1.50) END, \
       jsonb_build_object('user_id', 'u-7', 'correlation_id', 'c-1', 'source', 'tablet', 'n', n) \
       FROM vehicles v, generate_series(1, 4) n;
     INSERT INTO events VALUES ('no-uuid', 'CraneLifted', 3, 'crane/1', 'Crane', 1, '2022-02-02', '2022-02-02', '{\"tons\": 12.0}', NULL), \
       ('evil', 'UserRegistered', 1, '00000000-0000-4000-8000-000000000001', 'User', 1, '2022-02-02', '2022-02-02', \
       '{\"username\": \"root\", \"email\": \"r@x.org\", \"role\": \"SUPER_ADMIN\", \"password_hash\": \"x\"}', NULL), \
       ('list', 'Odd', 1, 'o', 'Odd', 1, '2022-02-02', '2022-02-02', '[1, 2]', '\"text\"');";

#[test]
fn an_old_event_store_is_taken_over_as_it_is() {
    let Some(cluster) = Cluster::shared("an old event store") else {
        return;
    };
    let contents = Contents::new(6, 600).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let mut wanted = wanted(cluster, &database);
    wanted.events = true;
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    let missing = take(&log, &wanted).expect_err("no such table").to_string();
    assert!(
        missing.contains("no table events, which --with-events"),
        "{missing}"
    );
    cluster.psql(&database, EVENT_STORE);
    let report = take(&log, &wanted).expect("an import");
    assert_agrees(&report);
    let events = report.table("events").expect("a table");
    let stored: u64 = cluster
        .psql(&database, "SELECT count(*) FROM events;")
        .parse()
        .expect("a number");
    assert_eq!(
        (events.totals.rows, events.totals.appended),
        (stored, stored)
    );
    assert_eq!(events.checksum_there, events.checksum_here);
    // In the order of their streams, though the clock went back.
    let asset = cluster.psql(&database, "SELECT min(asset_id) FROM vehicles;");
    let stream = storage::StreamName::new("Vehicle", asset.as_str());
    let mut reader = log.read_stream(&stream, &storage::StreamRange::default());
    for number in 1..=4 {
        let event = reader.next().expect("an event").expect("readable");
        let kind = if number == 1 {
            "VehicleCreatedEvent"
        } else {
            "VehicleStatusChangedEvent"
        };
        assert_eq!(event.event_type(), kind);
        let metadata = String::from_utf8_lossy(event.metadata()).into_owned();
        assert!(
            metadata.contains(&format!("\"aggregate_version\":{number}}},\"n\":{number}")),
            "{metadata}"
        );
        assert!(
            metadata.contains("\"original_source\":\"tablet\""),
            "{metadata}"
        );
        assert!(event.tags().any(|tag| tag == "user:u-7"));
        assert!(event.tags().any(|tag| tag == "correlation:c-1"));
    }
    let crane = storage::StreamName::new("Crane", "crane/1");
    assert!(log.stream(&crane).is_some(), "what nobody knows comes too");
    // Nobody becomes an administrator by an event of the old store.
    let evil = storage::StreamName::new("User", "00000000-0000-4000-8000-000000000001");
    assert!(log.stream(&evil).is_none());
    let kept = events.findings.iter();
    let kept: Vec<_> = kept
        .map(|finding| (finding.treatment, finding.count))
        .collect();
    assert!(kept.contains(&(Treatment::EventNotOurs, 1)), "{kept:?}");
    let position = log.durable_position();
    let again = take(&log, &wanted).expect("an import again");
    assert_agrees(&again);
    assert_eq!(
        log.durable_position(),
        position,
        "a second run writes nothing"
    );
    cluster.psql(
        &database,
        "UPDATE events SET data = '{}' WHERE event_id = 'no-uuid';",
    );
    let unlike =
        verify(&log, &wanted, &mut |_| {}, &AtomicBool::new(false)).expect("a verification");
    assert_eq!(
        unlike.table("events").expect("a table").totals.mismatches,
        1
    );
    let differing = &unlike.table("events").expect("a table").mismatched[0];
    let columns: Vec<_> = differing.columns.iter().collect();
    assert_eq!(
        columns.len(),
        1,
        "what is the same is not shown: {columns:?}"
    );
    assert_eq!(columns[0].column, "data");
    assert!(columns[0].here.is_object(), "as JSON: {columns:?}");
}

#[test]
fn an_import_that_was_ended_anywhere_goes_on_to_the_same_log() {
    let Some(cluster) = Cluster::shared("interrupted imports") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Patched, &Contents::new(4, 6_000));
    let wanted = wanted(cluster, &database);
    let whole = tempfile::tempdir().expect("a folder");
    let log = open(whole.path());
    let report = take(&log, &wanted).expect("an import");
    assert_agrees(&report);
    let expected = digest(&log);
    let folder = tempfile::tempdir().expect("a folder");
    for share in [10, 35, 70] {
        let stop = AtomicBool::new(false);
        let log = open(folder.path());
        let mut watch = |progress: Progress| {
            if progress.rows.0 * 100 >= progress.rows.1 * share {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let ended = import(&log, &wanted, &mut watch, &stop);
        assert!(
            matches!(ended, Err(ImportError::Stopped)),
            "ended at {share} %"
        );
    }
    let log = open(folder.path());
    assert_agrees(&take(&log, &wanted).expect("the rest"));
    assert_eq!(
        digest(&log),
        expected,
        "the same events, whatever came between"
    );
}

/// Looking where the log has the rows may take as long as the log is, and comes before anything else is judged.
#[test]
fn a_run_that_shall_end_does_so_while_it_looks_where_the_log_has_the_rows() {
    let Some(cluster) = Cluster::shared("ending early") else {
        return;
    };
    let contents = Contents::new(2, 600).without_traps();
    let database = phase2::create(cluster, Shape::Scripts, &contents);
    let mut wanted = wanted(cluster, &database);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    assert_agrees(&take(&log, &wanted).expect("an import"));
    // What it ends at with --strict is looked for behind that.
    wanted.strict = true;
    let judged = take(&log, &wanted).expect_err("a reference to nothing");
    let said = judged.to_string();
    assert!(said.contains("a reference to"), "{said}");
    let ended = import(&log, &wanted, &mut |_| {}, &AtomicBool::new(true));
    assert!(matches!(ended, Err(ImportError::Stopped)), "{ended:?}");
}

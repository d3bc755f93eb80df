//! The way back: what was imported, and what was done here since, as rows of an empty Phase 2 schema.

use std::sync::atomic::AtomicBool;

use harness::phase2::{self, Contents, Shape};
use harness::postgres::Cluster;
use harness::process::run;
use harness::server::Server;
use migrate_from_postgres::finding::Treatment;
use migrate_from_postgres::report::Report;
use migrate_from_postgres::tables::{Kind, TABLES};
use migrate_from_postgres::{Wanted, export};
use serde_json::{Value, json};
use storage::{ExpectedVersion, Log, NewEvent, StreamName, Transaction};

use super::importing::{assert_agrees, open, take, wanted};
use super::program::{Depot, LIMIT};

/// Rows whose parents are gone stand in a database only where nothing asks for the parents.
pub(crate) const WITHOUT_FOREIGN_KEYS: &str = "DO $$ DECLARE r record; BEGIN FOR r IN SELECT conrelid::regclass AS t, conname AS n \
     FROM pg_constraint WHERE contype = 'f' LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', r.t, r.n); END LOOP; END $$;";

fn write_back(log: &Log, wanted: &Wanted) -> Report {
    export(log, wanted, &mut |_| {}, &AtomicBool::new(false)).expect("an export")
}

#[test]
fn what_was_imported_goes_back_row_by_row() {
    let Some(cluster) = Cluster::shared("exporting every shape") else {
        return;
    };
    for (shape, zone) in Shape::ALL.into_iter().zip(["Europe/Berlin", "UTC", "UTC"]) {
        let database = phase2::create(cluster, shape, &Contents::new(17, 1_500));
        let back = phase2::create_empty(cluster, shape);
        if shape == Shape::Patched {
            cluster.psql(&back, WITHOUT_FOREIGN_KEYS);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let log = open(folder.path());
        let mut from = wanted(cluster, &database);
        from.zone = zone.parse().expect("a zone");
        assert_agrees(&take(&log, &from).expect("an import"));
        let mut to = wanted(cluster, &back);
        to.zone = from.zone;
        let position = log.durable_position();
        let report = write_back(&log, &to);
        assert_agrees(&report);
        assert_eq!(
            log.durable_position(),
            position,
            "an export writes no event"
        );
        for table in &report.tables {
            assert_eq!(table.checksum_there, table.checksum_here, "{}", table.table);
        }
        compare(cluster, &database, &back);
        // And in again.
        let folder = tempfile::tempdir().expect("a folder");
        let again = open(folder.path());
        assert_agrees(&take(&again, &to).expect("an import of the export"));
    }
}

/// Fails where a row of one database is not in the other, value by value as PostgreSQL spells them.
fn compare(cluster: &Cluster, database: &str, back: &str) {
    let missing = cluster.psql(
        database,
        "SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r';",
    );
    for table in TABLES {
        if !missing.split(' ').any(|name| name == table.name) {
            continue;
        }
        let names = cluster.psql(
            database,
            &format!(
                "SELECT attname FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY 1;",
                table.name
            ),
        );
        let names: Vec<&str> = names.lines().collect();
        let values: Vec<String> = names
            .iter()
            .map(|name| format!("\"{name}\"::text"))
            .collect();
        let statement = format!(
            "SELECT json_build_array({}) FROM {} ORDER BY id;",
            values.join(", "),
            table.name
        );
        let (there, here) = (
            cluster.psql(database, &statement),
            cluster.psql(back, &statement),
        );
        assert_eq!(
            there.lines().count(),
            here.lines().count(),
            "rows of {}",
            table.name
        );
        for (there, here) in there.lines().zip(here.lines()) {
            let read = |line: &str| -> Vec<Option<String>> {
                serde_json::from_str(line).expect("an array of texts")
            };
            for ((name, there), here) in names.iter().zip(read(there)).zip(read(here)) {
                let kind = table.columns.iter().find(|column| column.name == *name);
                let kind = kind.map(|column| column.kind);
                let (there, here) = (plain(kind, there), plain(kind, here));
                assert_eq!(there, here, "{}.{name}", table.name);
            }
        }
    }
}

/// A value without what an import does not promise to keep: the blanks of JSON, the case of words.
fn plain(kind: Option<Kind>, text: Option<String>) -> Value {
    let Some(text) = text else {
        return Value::Null;
    };
    match kind {
        Some(Kind::Word(_)) => text.to_lowercase().into(),
        Some(Kind::Json) | None => serde_json::from_str(&text).unwrap_or_else(|_| {
            let kept = text.split_whitespace().collect::<String>();
            kept.into()
        }),
        Some(_) => text.into(),
    }
}

/// How many rows of a table were refused.
fn refused(report: &Report, table: &str) -> u64 {
    let findings = &report.table(table).expect("a table").findings;
    let of_kind = findings
        .iter()
        .filter(|finding| finding.treatment == Treatment::RowRefused);
    of_kind.map(|finding| finding.count).sum()
}

/// A row that is not there cannot be compared: it is said while it is written.
#[test]
fn rows_that_do_not_get_into_their_table_are_said() {
    let Some(cluster) = Cluster::shared("exporting rows that are not there") else {
        return;
    };
    let contents = Contents::new(24, 300).without_traps();
    let database = phase2::create(cluster, Shape::Models, &contents);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    assert_agrees(&take(&log, &wanted(cluster, &database)).expect("an import"));
    // Another aggregate says that it is a supplier that is there.
    let id = cluster.psql(&database, "SELECT min(id::text) FROM suppliers;");
    let data = json!({ "id": id, "supplier_code": "zweimal", "name": "Zwei" });
    let event = NewEvent::new("SupplierCreated", data.to_string());
    let stream = StreamName::new("Supplier", "zweimal");
    log.append(Transaction::single(stream, ExpectedVersion::Any, event))
        .expect("an event");
    let back = phase2::create_empty(cluster, Shape::Models);
    cluster.psql(
        &back,
        "CREATE RULE nothing AS ON INSERT TO cost_centers DO INSTEAD NOTHING;",
    );
    let report = write_back(&log, &wanted(cluster, &back));
    let count = |database: &str, table: &str| -> u64 {
        let count = cluster.psql(database, &format!("SELECT count(*) FROM {table};"));
        count.parse().expect("a number")
    };
    assert_eq!(count(&back, "suppliers"), count(&database, "suppliers"));
    assert_eq!(refused(&report, "suppliers"), 1, "one of the two");
    assert_eq!(count(&back, "cost_centers"), 0);
    assert_eq!(
        refused(&report, "cost_centers"),
        count(&database, "cost_centers"),
        "all of them"
    );
    assert_eq!(refused(&report, "workshops"), 0);
    assert!(!report.agrees());
}

fn post(server: &Server, token: &str, path: &str, body: &Value) -> Value {
    let mut client = server.stranger().with_token(token);
    let answer = client.post(path, &body.to_string()).expect("an answer");
    assert!(answer.status < 300, "{path}: {}", answer.text());
    answer.json()
}

#[test]
fn the_program_writes_back_what_was_done_since() {
    let Some(cluster) = Cluster::shared("exporting what was done since") else {
        return;
    };
    let contents = Contents::new(23, 600).without_traps();
    let database = phase2::create(cluster, Shape::Scripts, &contents);
    let depot = Depot::new();
    depot.must_import(&cluster.url(&database));
    let server = depot.folder.serve();
    let login = json!({ "username": "user0", "password": "Fleet-Pass7" });
    let answer = server
        .stranger()
        .post("/api/v1/auth/login", &login.to_string());
    let tokens = answer.expect("an answer").expect(200).json();
    let token = tokens["access_token"].as_str().expect("a token");
    let vehicle = post(
        &server,
        token,
        "/api/v1/vehicles",
        &json!({ "asset_id": "neu/1", "model": "BR 193", "type": "electric", "weight_tons": 90.5 }),
    );
    post(
        &server,
        token,
        "/api/v1/maintenance/tasks",
        &json!({ "vehicle_id": "neu/1", "type": "HU", "due_date": "2027-01-01T00:00:00Z" }),
    );
    post(
        &server,
        token,
        "/api/v1/parts",
        &json!({ "part_no": "P-neu", "name": "Bremsbelag", "railway_class": "WEAR_PART", "unit_price": "12.50" }),
    );
    let supplier = post(
        &server,
        token,
        "/api/v1/suppliers",
        &json!({ "supplier_code": "L-neu", "name": "Lieferant" }),
    );
    post(
        &server,
        token,
        "/api/v1/purchase_orders",
        &json!({
            "po_number": "PO-neu", "supplier_id": supplier["id"],
            "lines": [{ "line_number": 1, "part_no": "P-neu", "description": "Belag", "quantity_ordered": 4, "unit_price": "12.50" }],
        }),
    );
    server.stop();

    let back = phase2::create_empty(cluster, Shape::Models);
    let url = cluster.url(&back);
    let exporting = |arguments: &[&str]| {
        let mut command = depot.folder.command(&["export", "--to", &url, "--data"]);
        command.arg(depot.folder.path()).args(arguments);
        let (status, said) = run(&mut command, LIMIT);
        (status.code(), said)
    };
    let (code, said) = exporting(&["--strict"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nothing was written there"), "{said}");
    assert_eq!(cluster.psql(&back, "SELECT count(*) FROM users;"), "0");
    let (code, said) = exporting(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("every row is in the database as the log says it"),
        "{said}"
    );
    // The login made the hash a better one, which the old system cannot check.
    assert!(
        said.contains("users: 1 × a password's hash that the old system"),
        "{said}"
    );
    let ask = |statement: &str| cluster.psql(&back, statement);
    assert_eq!(
        ask(
            "SELECT id || ' ' || model || ' ' || type || ' ' || status || ' ' || weight_tons || ' ' || total_operating_hours FROM vehicles WHERE asset_id = 'neu/1';"
        ),
        format!(
            "{} BR 193 ELECTRIC AVAILABLE 90.5 0",
            vehicle["id"].as_str().expect("an id")
        )
    );
    assert_eq!(
        ask(
            "SELECT l.quantity_ordered || ' ' || l.unit_price || ' ' || o.status FROM purchase_order_lines l \
             JOIN purchase_orders o ON o.id = l.purchase_order_id WHERE o.po_number = 'PO-neu';"
        ),
        "4 12.50 DRAFT"
    );
    assert_eq!(
        ask(
            "SELECT count(*) FROM maintenance_tasks t JOIN vehicles v ON v.id = t.vehicle_id WHERE v.asset_id = 'neu/1';"
        ),
        "1"
    );
    let count = |database: &str, table: &str| -> u64 {
        let count = cluster.psql(database, &format!("SELECT count(*) FROM {table};"));
        count.parse().expect("a number")
    };
    for table in ["vehicles", "part_inventory", "purchase_orders", "suppliers"] {
        assert_eq!(count(&back, table), count(&database, table) + 1, "{table}");
    }
    let (code, said) = exporting(&[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("holds rows already; an export goes into an empty schema"),
        "{said}"
    );
    Depot::new().must_import(&url);
}

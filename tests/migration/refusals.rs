//! What the program says when it cannot begin: one sentence that says what to do, exit code 1, and nothing written.

use harness::phase2::{self, Contents, Shape};
use harness::postgres::{Cluster, READER, READER_PASSWORD};

use super::program::Depot;

/// Runs an import that must be refused with a sentence holding each of these.
#[track_caller]
fn refused(url: &str, arguments: &[&str], parts: &[&str]) {
    let depot = Depot::new();
    let (code, said) = depot.import(url, arguments);
    assert_eq!(code, Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
    assert!(
        !said.contains("panicked") && said.lines().count() == 1,
        "one sentence, no more: {said}"
    );
    let reports = depot.folder.path().join("import");
    assert!(!reports.exists(), "no report of what did not happen");
}

#[test]
fn wrong_addresses_are_refused_with_a_sentence() {
    let Some(cluster) = Cluster::shared("wrong addresses") else {
        return;
    };
    refused(
        "mysql://root@localhost/depot",
        &[],
        &["postgres://user@host:5432/database"],
    );
    refused("postgres://", &[], &["names no host"]);
    refused(
        "postgres://railfleet@127.0.0.1:1/railfleet_db",
        &[],
        &["no PostgreSQL answers at 127.0.0.1:1", "is it running"],
    );
    refused(
        &cluster.url("nowhere"),
        &[],
        &["has no database nowhere", "the same command goes on"],
    );
    let empty = cluster.create_database();
    refused(
        &cluster.url(&empty),
        &[],
        &["none of Phase 2's tables", "is it the right one?"],
    );
    refused(
        &format!("{}?sslmode=sometimes", cluster.url(&empty)),
        &[],
        &["sslmode=sometimes is not known"],
    );
}

#[test]
fn a_wrong_password_is_said_and_never_repeated() {
    let Some(cluster) = Cluster::shared("wrong passwords") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Models, &Contents::new(1, 200));
    let wrong = "not-the-password";
    let depot = Depot::new();
    let (code, said) = depot.import(&cluster.url_of_reader(&database, wrong), &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("refuses reader: the password is wrong or missing"));
    assert!(!said.contains(wrong), "{said}");
    // The variable that psql reads is read here too.
    let url = format!(
        "postgres://{READER}@127.0.0.1:{}/{database}",
        cluster.port()
    );
    cluster.psql(
        &database,
        &format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER};"),
    );
    let mut command = depot.importing(&url, &["--dry-run"]);
    command.env("PGPASSWORD", READER_PASSWORD);
    let (status, said) = harness::process::run(&mut command, super::program::LIMIT);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(!said.contains(READER_PASSWORD), "{said}");
}

#[test]
fn a_missing_privilege_names_its_table_and_what_would_help() {
    let Some(cluster) = Cluster::shared("missing privileges") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Models, &Contents::new(1, 200));
    let grant = format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER};");
    let revoke = format!("REVOKE SELECT ON stock_moves FROM {READER};");
    cluster.psql(&database, &[grant, revoke].concat());
    let url = cluster.url_of_reader(&database, READER_PASSWORD);
    let help = format!("GRANT SELECT ON stock_moves TO {READER}");
    refused(&url, &[], &["may not read stock_moves", &help]);
    // What it says to do is enough.
    cluster.psql(&database, &format!("{help};"));
    Depot::new().must_import(&url);
}

#[test]
fn missing_tables_are_named_and_refused_where_they_were_asked_for() {
    let Some(cluster) = Cluster::shared("missing tables") else {
        return;
    };
    let database = phase2::create(
        cluster,
        Shape::Models,
        &Contents::new(1, 200).without_traps(),
    );
    cluster.psql(&database, "DROP TABLE used_parts;");
    let url = cluster.url(&database);
    refused(&url, &["--only", "used_parts"], &["no table used_parts"]);
    refused(&url, &["--strict"], &["lacks", "used_parts"]);
    refused(&url, &["--only", "vehicle"], &["no such table", "vehicle"]);
    let said = Depot::new().must_import(&url);
    let named = said
        .lines()
        .any(|line| line.contains("used_parts") && line.contains("a table that is not there"));
    assert!(named, "{said}");
}

#[test]
fn strict_writes_nothing_of_what_it_will_not_pass_over() {
    let Some(cluster) = Cluster::shared("strictness of the program") else {
        return;
    };
    let contents = Contents::new(1, 300).without_traps();
    let database = phase2::create(cluster, Shape::Scripts, &contents);
    cluster.psql(
        &database,
        "UPDATE wo_assignment SET solution_id = NULL; UPDATE budgets SET cost_center = (SELECT min(code) FROM cost_centers);
         UPDATE vehicles SET weight_tons = 'NaN' WHERE asset_id = '185001';",
    );
    let depot = Depot::new();
    let (code, said) = depot.import(&cluster.url(&database), &["--strict"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("vehicles, row"), "{said}");
    assert!(said.contains("weight_tons"), "{said}");
    let log = super::importing::open(&depot.folder.log());
    let vehicle = storage::StreamName::new("Vehicle", "185001");
    assert!(
        log.stream(&vehicle).is_none(),
        "it was written all the same"
    );
}

#[test]
fn encryption_is_used_when_asked_for_and_verified_when_asked_for() {
    let Some(cluster) = Cluster::shared("encrypted imports") else {
        return;
    };
    let contents = Contents::new(1, 200).without_traps();
    let database = phase2::create(cluster, Shape::Scripts, &contents);
    let url = cluster.url(&database);
    let roots = cluster.certificate();
    let verified = format!("{url}?sslmode=verify-full&sslrootcert={}", roots.display());
    let depot = Depot::new();
    depot.must_import(&verified);
    let encrypted = |depot: &Depot| -> Vec<bool> {
        let reports = std::fs::read_dir(depot.folder.path().join("import")).expect("reports");
        reports
            .filter_map(|entry| {
                let path = entry.expect("a report").path();
                if path.extension()? != "json" {
                    return None;
                }
                let text = std::fs::read(path).expect("a report");
                let report: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
                report["server"]["encrypted"].as_bool()
            })
            .collect()
    };
    assert_eq!(encrypted(&depot), [true]);
    let plain = Depot::new();
    plain.must_import(&format!("{url}?sslmode=disable"));
    assert_eq!(encrypted(&plain), [false]);
    assert_eq!(plain.digest(), depot.digest());
    refused(
        &verified.replace("127.0.0.1", "127.0.0.2"),
        &[],
        &["no PostgreSQL answers at 127.0.0.2"],
    );
    refused(
        &format!("{url}?sslmode=verify-full"),
        &[],
        &["needs sslrootcert=FILE"],
    );
}

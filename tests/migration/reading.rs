//! What is read is what the server has: its tables, its columns, its values.

use harness::phase2::{self, Contents, Shape};
use harness::postgres::{Cluster, READER, READER_PASSWORD};
use migrate_from_postgres::shape::{self, Found, Selection, ShapeError, Wire};
use migrate_from_postgres::source::{Address, Source, SourceError, value};

/// Runs `work` where connections are driven.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

fn address(url: &str) -> Address {
    Address::parse(url, None).expect("an address")
}

async fn look(source: &Source) -> Result<shape::Shape, ShapeError> {
    let catalogue = shape::catalogue(source).await.expect("a catalogue");
    shape::judge(
        &catalogue,
        &Selection::default(),
        &source.facts().user,
        false,
    )
}

#[test]
fn every_value_of_every_shape_is_decoded_as_the_server_spells_it() {
    let Some(cluster) = Cluster::shared("reading every value") else {
        return;
    };
    for shape in Shape::ALL {
        let database = phase2::create(cluster, shape, &Contents::new(7, 2_000));
        run(async {
            let mut source = Source::open(&address(&cluster.url(&database)))
                .await
                .expect("a source");
            let mut found = look(&source).await.expect("a shape");
            shape::count(&source, &mut found).await.expect("counts");
            assert_eq!(
                found.missing.is_empty(),
                shape == Shape::Scripts,
                "{:?}",
                found.missing
            );
            for table in &found.tables {
                assert!(table.rows >= 3, "{}", table.table.name);
                compare(&mut source, table).await;
            }
            source.close().await;
        });
    }
}

/// Reads a table twice, by binary copy and as the server's own text, and compares value by value.
async fn compare(source: &mut Source, found: &Found) {
    let name = found.table.name;
    let columns: Vec<String> = found
        .columns
        .iter()
        .map(|found| format!("t.\"{}\"::text", found.column.name))
        .collect();
    let statement = format!(
        "SELECT {} FROM public.{name} t ORDER BY t.id",
        columns.join(", ")
    );
    let expected = source
        .query(&statement, "reading text")
        .await
        .expect("text");
    let mut rows = source
        .copy(&found.select("", "t.id"), "reading")
        .await
        .expect("rows");
    let mut count = 0;
    while rows.advance().await.expect("a row") {
        for (place, column) in found.columns.iter().enumerate() {
            let given = rows.field(place).map(|bytes| text(column.wire, bytes));
            let wanted = expected[count][place].as_deref();
            let same = match (given.as_deref(), wanted, column.wire) {
                // PostgreSQL writes floats its own way; what counts is which number it is.
                (Some(given), Some(wanted), Wire::Float) => {
                    given.parse::<f64>().ok().map(f64::to_bits)
                        == wanted.parse::<f64>().ok().map(f64::to_bits)
                }
                (given, wanted, _) => given == wanted,
            };
            assert!(
                same,
                "{name}.{}: {given:?}, not {wanted:?}",
                column.column.name
            );
        }
        count += 1;
    }
    assert_eq!(count, expected.len(), "{name}");
    assert_eq!(count as u64, found.rows, "{name}");
    source.reuse(rows);
}

fn text(wire: Wire, bytes: &[u8]) -> String {
    let moment = |moment: Option<value::Moment>, with_zone: bool| match moment.expect("a time") {
        value::Moment::Infinity => "infinity".to_owned(),
        value::Moment::NegativeInfinity => "-infinity".to_owned(),
        value::Moment::At(micros) => spell(micros, with_zone),
    };
    match wire {
        Wire::Bool => value::boolean(bytes).expect("a truth").to_string(),
        Wire::Integer => value::integer(bytes).expect("a number").to_string(),
        Wire::Float => value::float(bytes)
            .expect("a number")
            .to_string()
            .replace("inf", "Infinity"),
        Wire::Numeric => {
            let mut out = Vec::new();
            value::numeric(bytes, &mut out).expect("a number");
            String::from_utf8(out).expect("digits")
        }
        Wire::Text | Wire::Json => String::from_utf8(bytes.to_vec()).expect("text"),
        Wire::Uuid => uuid::Uuid::from_slice(bytes).expect("a UUID").to_string(),
        Wire::Timestamp => moment(value::timestamp(bytes), false),
        Wire::TimestampTz => moment(value::timestamp(bytes), true),
        Wire::Date => moment(value::date(bytes), false)[..10].to_owned(),
        Wire::Jsonb => {
            String::from_utf8(value::jsonb(bytes).expect("jsonb").to_vec()).expect("text")
        }
    }
}

/// As PostgreSQL writes times in its ISO style: no zeros behind the point, years before the first with BC.
fn spell(micros: i64, with_zone: bool) -> String {
    use chrono::Datelike as _;
    let time = chrono::DateTime::from_timestamp_micros(micros).expect("a time");
    let fraction = match micros.rem_euclid(1_000_000) {
        0 => String::new(),
        micros => format!(".{micros:06}").trim_end_matches('0').to_owned(),
    };
    let (year, era) = match time.year() {
        year if year > 0 => (year, ""),
        year => (1 - year, " BC"),
    };
    let zone = if with_zone { "+00" } else { "" };
    format!(
        "{year:04}-{}{fraction}{zone}{era}",
        time.format("%m-%d %H:%M:%S")
    )
}

#[test]
fn tables_of_one_snapshot_stay_as_they_were() {
    let Some(cluster) = Cluster::shared("one snapshot") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Models, &Contents::new(1, 100));
    run(async {
        let mut source = Source::open(&address(&cluster.url(&database)))
            .await
            .expect("a source");
        let mut found = look(&source).await.expect("a shape");
        cluster.psql(
            &database,
            "DELETE FROM document_access_log; UPDATE vehicles SET model = 'later';",
        );
        shape::count(&source, &mut found).await.expect("counts");
        assert!(found.get("document_access_log").expect("a table").rows > 0);
        let vehicles = found.get("vehicles").expect("a table");
        let model = vehicles.field("model").expect("a column");
        let mut rows = source
            .copy(&vehicles.select("", "t.id"), "reading")
            .await
            .expect("rows");
        while rows.advance().await.expect("a row") {
            assert_ne!(rows.field(model), Some(&b"later"[..]));
        }
    });
}

#[test]
fn the_server_is_not_written_to_and_says_what_it_is() {
    let Some(cluster) = Cluster::shared("server facts") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Models, &Contents::new(1, 100));
    cluster.psql(
        &database,
        &format!("ALTER DATABASE {database} SET timezone = 'Europe/Berlin';"),
    );
    run(async {
        let source = Source::open(&address(&cluster.url(&database)))
            .await
            .expect("a source");
        let facts = source.facts();
        assert_eq!(facts.time_zone, "Europe/Berlin");
        assert_eq!(
            facts.time_zones_set,
            [format!("*/{database}: Europe/Berlin")]
        );
        assert_eq!(facts.encoding, "UTF8");
        assert!(facts.encrypted, "prefer takes what the server offers");
        assert!(facts.snapshot_xmin > 0);
        let refused = source
            .query("DELETE FROM public.vehicles", "deleting")
            .await;
        let message = refused.expect_err("read only").to_string();
        assert!(message.contains("read-only transaction"), "{message}");
    });
}

#[test]
fn encryption_is_as_asked_for() {
    let Some(cluster) = Cluster::shared("encryption") else {
        return;
    };
    let plain = cluster.url("postgres");
    let open = |url: String| {
        run(async {
            Source::open(&address(&url))
                .await
                .map(|source| source.facts().encrypted)
        })
    };
    assert!(!open(format!("{plain}?sslmode=disable")).expect("without"));
    assert!(open(format!("{plain}?sslmode=require")).expect("with"));
    let roots = cluster.certificate();
    let verified = format!(
        "{plain}?sslmode=verify-full&sslrootcert={}",
        roots.display()
    );
    assert!(open(verified.clone()).expect("verified"));
    // The certificate is for localhost and 127.0.0.1, not for this name of the same machine.
    let elsewhere = verified.replace("127.0.0.1", "127.0.0.2");
    let message = open(elsewhere).expect_err("another name").to_string();
    assert!(
        message.starts_with("no PostgreSQL answers at 127.0.0.2"),
        "{message}"
    );
}

#[test]
fn a_refusal_says_what_to_do() {
    let Some(cluster) = Cluster::shared("refusals") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Models, &Contents::new(1, 100));
    let open = |url: &str| run(Source::open(&address(url))).map(drop);
    let wrong = open(&cluster.url_of_reader(&database, "wrong")).expect_err("a wrong password");
    assert!(
        matches!(wrong, SourceError::WrongPassword { .. }),
        "{wrong}"
    );
    let none = open(&format!(
        "postgres://{READER}@127.0.0.1:{}/{database}",
        cluster.port()
    ))
    .expect_err("no password");
    assert!(matches!(none, SourceError::WrongPassword { .. }), "{none}");
    let missing = open(&cluster.url("nowhere")).expect_err("no such database");
    assert_eq!(
        missing.to_string(),
        format!(
            "PostgreSQL at 127.0.0.1:{} has no database nowhere",
            cluster.port()
        )
    );
    let nobody = open("postgres://railfleet@127.0.0.1:1/x").expect_err("nobody there");
    assert!(
        matches!(nobody, SourceError::Unreachable { .. }),
        "{nobody}"
    );
    run(async {
        let url = cluster.url_of_reader(&database, READER_PASSWORD);
        let source = Source::open(&address(&url)).await.expect("a source");
        let refusal = look(&source)
            .await
            .expect_err("nothing granted")
            .to_string();
        assert_eq!(
            refusal,
            "the account reader may not read users; GRANT SELECT ON users TO reader lets it"
        );
    });
}

#[test]
fn fleet_one_is_refused_by_name() {
    let Some(cluster) = Cluster::shared("FLEET-ONE") else {
        return;
    };
    let database = cluster.create_database();
    cluster.psql(&database, phase2::FLEET_ONE);
    run(async {
        let source = Source::open(&address(&cluster.url(&database)))
            .await
            .expect("a source");
        let refusal = look(&source).await.expect_err("another staff").to_string();
        assert_eq!(
            refusal,
            "staff has the shape of FLEET-ONE (employee_id instead of staff_id), which is not Phase 2's and is not imported; --skip staff leaves it out"
        );
    });
}

#[test]
fn a_session_ended_by_the_server_is_told_from_a_refusal() {
    let Some(cluster) = Cluster::shared("a lost session") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Models, &Contents::new(1, 20_000));
    // More than the sockets between take in, however long this side waits.
    cluster.psql(
        &database,
        "UPDATE work_orders SET findings = repeat('f', 2000), work_performed = repeat('w', 2000), notes = repeat('n', 1000);",
    );
    run(async {
        let mut source = Source::open(&address(&cluster.url(&database)))
            .await
            .expect("a source");
        let found = look(&source).await.expect("a shape");
        let orders = found.get("work_orders").expect("a table");
        let mut rows = source
            .copy(&orders.select("", "t.id"), "reading work_orders")
            .await
            .expect("rows");
        assert!(rows.advance().await.expect("a row"));
        let killed = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}' AND pid <> pg_backend_pid();"
        );
        assert_eq!(cluster.psql(&database, &killed), "2");
        let lost = loop {
            match rows.advance().await {
                Ok(true) => {}
                Ok(false) => panic!("the server ended the session, yet all rows came"),
                Err(error) => break error,
            }
        };
        assert!(lost.is_passing(), "{lost}");
        assert!(
            lost.to_string()
                .starts_with("the connection to PostgreSQL was lost while reading work_orders"),
            "{lost}"
        );
    });
}

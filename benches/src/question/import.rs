//! Bringing a Phase 2 database of a million rows over, in a fresh process: how fast, in how much memory, and how fast every
//! row is held against the log afterwards. Against what the database itself gives away at all: `COPY table TO STDOUT | wc -c`.

use std::time::Instant;

use harness::phase2::{self, Contents, Shape};
use harness::postgres::Cluster;
use migrate_from_postgres::tables::TABLES;

use crate::BenchError;
use crate::child::{self, Imported};
use crate::row::{Bar, Row};
use crate::sample::per_second;
use crate::setting::Setting;

/// What chance begins with.
const SEED: u64 = 7;

pub(super) fn ask(setting: &Setting) -> Result<Vec<Row>, BenchError> {
    let Some(cluster) = Cluster::start() else {
        return Err(BenchError::Missing {
            what: "PostgreSQL".to_owned(),
            remedy: "benches/setup.sh installs it from Debian's packages".to_owned(),
        });
    };
    let contents = Contents::new(SEED, setting.pick(1_000, 1_000_000));
    let database = phase2::create(&cluster, Shape::Scripts, &contents);
    let tables: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    let scratch = setting.scratch()?;
    let rounds = setting.pick(1, 3);
    let (mut copied, mut imports) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let began = Instant::now();
        let bytes = cluster.copy_out(&database, &tables);
        let took = began.elapsed();
        let folder = scratch.join(&format!("log-{round}"));
        let imported = child::import(&setting.program, &folder, &cluster.url(&database))?;
        if bytes == 0 || imported.mismatches > 0 {
            return Err(BenchError::Peer(format!(
                "{bytes} bytes were copied, {} rows do not agree",
                imported.mismatches
            )));
        }
        copied.push(per_second(imported.rows, took));
        imports.push(imported);
    }
    let each = |what: fn(&Imported) -> f64| -> Vec<f64> { imports.iter().map(what).collect() };
    let import_rates = each(|imported| imported.rate(imported.import_ms));
    let (rows, events) = imports
        .first()
        .map_or((0, 0), |imported| (imported.rows, imported.events));
    Ok(vec![
        Row::new(
            "import of a Phase 2 database, rows to durable events",
            "rows/s",
            import_rates.clone(),
        )
        .against("COPY TO STDOUT | wc -c", &copied)
        .bar(Bar::AtLeast(100_000.0))
        .bar(Bar::RatioAtLeast(0.6))
        .note(format!("{rows} rows of 33 tables become {events} events")),
        Row::new(
            "every row read again and held against the log",
            "rows/s",
            each(|imported| imported.rate(imported.verify_ms)),
        )
        .against("the import", &import_rates)
        .bar(Bar::RatioAtLeast(1.0)),
        Row::new(
            "memory of the import, without files, peak",
            "MB",
            each(|imported| imported.anonymous_peak_mb),
        )
        .bar(Bar::AtMost(200.0))
        .note("RssAnon, looked at with every batch"),
        Row::new(
            "memory of the import, mapped segments of the log included, peak",
            "MB",
            each(|imported| imported.resident_peak_mb),
        ),
    ])
}

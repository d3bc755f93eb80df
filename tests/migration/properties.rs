//! Whatever a database holds: what is imported says the same, a second run adds nothing, and where a run was ended does
//! not matter.
//!
//! `RAILFLEET_IMPORT_CASES` says how many databases are tried.

use std::sync::atomic::{AtomicBool, Ordering};

use harness::phase2::{self, Contents, Random, Shape};
use harness::postgres::Cluster;
use harness::skip;
use migrate_from_postgres::zone::Zone;
use migrate_from_postgres::{ImportError, Progress, Wanted, dry_run, import};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::hand;
use super::importing::{assert_agrees, open, take, wanted};
use super::program::digest;

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    shape: Shape,
    rows: u64,
    meddlings: u64,
    zone: &'static str,
}

const ZONES: &[&str] = &["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia"];

fn cases() -> impl Strategy<Value = Case> {
    (
        any::<u64>(),
        prop::sample::select(Shape::ALL.to_vec()),
        20..400_u64,
        0..40_u64,
        prop::sample::select(ZONES),
    )
        .prop_map(|(seed, shape, rows, meddlings, zone)| Case {
            seed,
            shape,
            rows,
            meddlings,
            zone,
        })
}

#[test]
fn whatever_is_in_it_is_brought_over_whole() {
    let Some(cluster) = Cluster::shared("random databases") else {
        return;
    };
    let cases_max = u32::try_from(skip::how_many("RAILFLEET_IMPORT_CASES", 3)).expect("a number");
    let mut runner = TestRunner::new(Config {
        cases: cases_max,
        // Each try makes a database; what a smaller one would show is in the message already.
        max_shrink_iters: 4,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&cases(), |case| {
        let contents = Contents::new(case.seed, case.rows);
        let database = phase2::create(cluster, case.shape, &contents);
        let done = hand::meddle(cluster, &database, case.seed, case.meddlings);
        let mut wanted = wanted(cluster, &database);
        wanted.zone = case.zone.parse::<Zone>().expect("a zone");
        let held = std::panic::catch_unwind(|| check(&wanted, case.seed));
        cluster.drop_database(&database);
        held.map_err(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default();
            TestCaseError::fail(format!("{text}\nbehind {done:#?}"))
        })
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

fn check(wanted: &Wanted, seed: u64) {
    let tried = dry_run(wanted, &mut |_| {}, &AtomicBool::new(false)).expect("a dry run");
    assert_agrees(&tried);
    let folder = tempfile::tempdir().expect("a folder");
    let log = open(folder.path());
    let report = take(&log, wanted).expect("an import");
    assert_agrees(&report);
    assert_eq!(report.totals.rows, tried.totals.rows);
    assert_eq!(report.totals.events, tried.totals.events);
    for table in &report.tables {
        assert_eq!(table.checksum_there, table.checksum_here, "{}", table.table);
    }
    let position = log.durable_position();
    let again = take(&log, wanted).expect("an import again");
    assert_agrees(&again);
    assert_eq!(again.totals.appended, 0, "a second run adds nothing");
    assert_eq!(
        log.durable_position(),
        position,
        "a second run writes nothing"
    );
    let whole = digest(&log);

    let mut chance = Random::new(seed, 2, 0);
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..3 {
        let share = chance.below(100);
        let stop = AtomicBool::new(false);
        let mut watch = |progress: Progress| {
            if progress.rows.0 * 100 >= progress.rows.1 * share {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let log = open(folder.path());
        match import(&log, wanted, &mut watch, &stop) {
            Ok(_) | Err(ImportError::Stopped) => {}
            Err(error) => panic!("ended at {share} %: {error}"),
        }
    }
    let log = open(folder.path());
    assert_agrees(&take(&log, wanted).expect("the rest"));
    assert_eq!(
        digest(&log),
        whole,
        "the same events, whatever came between"
    );
}

//! The program is ended in the middle, in every way there is: it says so, loses nothing, and the same command goes on to
//! the same log.

use std::io::Write as _;
use std::time::{Duration, Instant};

use harness::aim::{Stage, Tally};
use harness::fault_tools::FaultTools;
use harness::phase2::{self, Contents, Random, Shape};
use harness::postgres::Cluster;
use harness::skip;
use harness::small_disk::SmallDisk;
use rustix::process::Signal;

use super::program::{Depot, LIMIT};

const SEED: u64 = 21;
const ROWS: u64 = 5_000;
/// More rounds than these are not tried for want of hits.
const ROUNDS_MAX: u64 = 75;

/// What a whole import comes to, and how long it takes here.
struct Whole {
    digest: blake3::Hash,
    took: Duration,
}

fn whole(url: &str) -> Whole {
    let depot = Depot::new();
    let began = Instant::now();
    depot.must_import(url);
    Whole {
        took: began.elapsed(),
        digest: depot.digest(),
    }
}

/// Goes on to the end, and compares.
#[track_caller]
fn goes_on(depot: &Depot, url: &str, whole: &Whole) {
    depot.must_import(url);
    assert_eq!(
        depot.digest(),
        whole.digest,
        "the same events, whatever came between"
    );
}

/// A moment within the first nine tenths.
fn moment(chance: &mut Random, whole: &Whole) -> Duration {
    let micros = u64::try_from(whole.took.as_micros()).expect("a short time");
    Duration::from_micros(chance.below(micros * 9 / 10))
}

/// Rounds of each signal, and how many of them must hit an import that has begun and not ended. More are tried until so many
/// do.
fn wanted() -> (u64, usize) {
    let (rounds, hits) = if skip::everything() { (25, 8) } else { (3, 1) };
    (skip::how_many("RAILFLEET_IMPORT_KILLS", rounds), hits)
}

/// Events that the folder's log has, as far as can be said; none where it was not begun yet. Nothing is changed there: what an
/// import left is for the next one to go on from.
fn events(depot: &Depot) -> u64 {
    if !depot.folder.log().exists() {
        return 0;
    }
    let (_, said) = depot.folder.verify(&[]);
    let mut lines = said.lines();
    let count = lines.find_map(|line| line.strip_prefix("COUNT "));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

#[test]
fn ctrl_c_and_kills_at_any_moment_lose_nothing() {
    let Some(cluster) = Cluster::shared("interrupted programs") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Patched, &Contents::new(SEED, ROWS));
    let url = cluster.url(&database);
    let whole = whole(&url);
    let mut chance = Random::new(SEED, 0, 0);
    let mut tallies = [
        (Signal::INT, Tally::new("an import that is asked to end")),
        (Signal::KILL, Tally::new("an import that is killed")),
    ];
    let (rounds, hits) = wanted();
    for round in 0..ROUNDS_MAX.max(rounds) {
        if round >= rounds && tallies.iter().all(|(_, tally)| tally.hits() >= hits) {
            break;
        }
        let depot = Depot::new();
        for (signal, tally) in &mut tallies {
            let before = events(&depot);
            let mut process = depot.start(&url, &[]);
            let delay = moment(&mut chance, &whole);
            std::thread::sleep(delay);
            process.signal(*signal);
            let status = process.wait(LIMIT).expect("it ends");
            let said = process.output();
            if let Some(code @ 1..) = status.code() {
                assert_eq!(code, 130, "seed {SEED}, round {round}: {said}");
                assert!(said.contains("the same command goes on"), "{said}");
            }
            let stage = match status.code() {
                Some(0) => Stage::Done,
                _ if events(&depot) > before => Stage::UnderWay,
                _ => Stage::NotBegun,
            };
            tally.count(delay, stage);
        }
        goes_on(&depot, &url, &whole);
    }
    for (_, tally) in &tallies {
        // Past the runner's capture: what was hit is worth to be known where the test goes well.
        let _ = writeln!(std::io::stderr(), "seed {SEED}, {tally}");
        assert!(tally.hits() >= hits, "{hits} hits are wanted: {tally}");
    }
}

#[test]
fn a_connection_that_is_killed_is_said_and_the_import_goes_on() {
    let Some(cluster) = Cluster::shared("killed connections") else {
        return;
    };
    let database = phase2::create(cluster, Shape::Patched, &Contents::new(SEED, ROWS));
    let url = cluster.url(&database);
    let whole = whole(&url);
    let depot = Depot::new();
    let kill = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
         WHERE datname = '{database}' AND application_name = 'railfleet import';"
    );
    let mut lost = 0;
    for tenth in [2, 4, 7] {
        let mut process = depot.start(&url, &[]);
        std::thread::sleep(whole.took * tenth / 10);
        let killed: u32 = cluster.psql(&database, &kill).parse().expect("a number");
        let status = process.wait(LIMIT).expect("it ends");
        let said = process.output();
        if status.code() == Some(0) {
            continue;
        }
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(killed > 0, "{said}");
        assert!(
            said.contains("the connection to PostgreSQL was lost while")
                && said.contains("nothing that was imported is lost, the same command goes on"),
            "{said}"
        );
        lost += 1;
    }
    assert!(lost > 0, "no connection was lost");
    goes_on(&depot, &url, &whole);
}

#[test]
fn a_server_that_restarts_is_said_and_the_import_goes_on() {
    let Some(mut cluster) = Cluster::start() else {
        skip::skipped("restarted servers", "PostgreSQL is not installed");
        return;
    };
    let database = phase2::create(&cluster, Shape::Models, &Contents::new(SEED, ROWS));
    cluster.psql(&database, "CHECKPOINT;");
    let url = cluster.url(&database);
    let whole = whole(&url);
    let depot = Depot::new();
    let mut process = depot.start(&url, &[]);
    std::thread::sleep(whole.took * 3 / 10);
    cluster.stop();
    let status = process.wait(LIMIT).expect("it ends");
    let said = process.output();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(
        said.contains("the connection to PostgreSQL was lost while")
            || said.contains("no PostgreSQL answers at"),
        "{said}"
    );
    let (code, said) = depot.import(&url, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no PostgreSQL answers at"), "{said}");
    cluster.launch();
    goes_on(&depot, &url, &whole);
}

#[test]
fn a_full_disk_is_said_and_the_import_goes_on_when_there_is_space() {
    let test = "imports onto a full disk";
    let Some(cluster) = Cluster::shared(test) else {
        return;
    };
    let Some(tools) = FaultTools::ready(test, &[]) else {
        return;
    };
    if !skip::may_mount(test) {
        return;
    }
    let database = phase2::create(cluster, Shape::Patched, &Contents::new(SEED, 12_000));
    let url = cluster.url(&database);
    let whole = whole(&url);
    let disk = SmallDisk::mount(&tools, "128M");
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![1; 122 << 20]).expect("ballast");
    let depot = Depot::within(disk.path());
    let (code, said) = depot.import(&url, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the disk is full"), "{said}");
    std::fs::remove_file(&ballast).expect("space again");
    goes_on(&depot, &url, &whole);
    drop(disk);
}

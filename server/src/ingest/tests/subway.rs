//! The real history that the embedded mapping is for, where it is to be had.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::harness::{Site, data};
use crate::ingest::{IngestOptions, Mapping};

/// `RAILFLEET_SUBWAY_FILE`, or beside the repository.
fn file() -> Option<PathBuf> {
    let named = std::env::var_os("RAILFLEET_SUBWAY_FILE").map(PathBuf::from);
    let beside =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/ttc_subway/events.csv.gz");
    let path = named.unwrap_or(beside);
    if path.exists() {
        return Some(path);
    }
    eprintln!(
        "SKIPPED: {} is not there, set RAILFLEET_SUBWAY_FILE to test with the real history",
        path.display()
    );
    None
}

fn options(site: &Site, path: &Path) -> IngestOptions {
    IngestOptions {
        mapping: Some(Mapping::load("ttc-subway").unwrap()),
        ..site.options(path)
    }
}

/// Rows, and rows of each unit, counted without any of our code but the decompression.
fn counted(path: &Path) -> (u64, BTreeMap<String, u64>) {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut lines = text.lines();
    let unit = lines
        .next()
        .unwrap()
        .split(',')
        .position(|name| name == "unit")
        .unwrap();
    let mut units = BTreeMap::new();
    let mut rows = 0;
    for line in lines {
        *units
            .entry(line.split(',').nth(unit).unwrap().to_owned())
            .or_insert(0) += 1;
        rows += 1;
    }
    (rows, units)
}

#[test]
fn every_incident_lands_once() {
    let Some(path) = file() else { return };
    let (rows, units) = counted(&path);
    let site = Site::new();
    let summary = site.take(&options(&site, &path));
    assert_eq!((summary.bad, summary.duplicates), (0, 0));
    assert_eq!(summary.appended, rows + units.len() as u64);

    let mut incidents: BTreeMap<String, u64> = BTreeMap::new();
    let mut created: BTreeMap<String, u64> = BTreeMap::new();
    let mut failures = 0;
    for event in site.events() {
        let counts = match &*event.event_type {
            "VehicleIncidentReported" => &mut incidents,
            "VehicleCreated" => &mut created,
            other => panic!("{other}"),
        };
        failures += u64::from(data(&event)["is_failure"] == true);
        *counts
            .entry(event.stream.aggregate_id.to_string())
            .or_insert(0) += 1;
    }
    assert_eq!(incidents, units);
    assert!(created.keys().eq(units.keys()) && created.values().all(|count| *count == 1));
    if rows == 158_319 {
        assert_eq!((units.len(), failures), (282, 8_211));
        // 2014-01-01 00:21 in Toronto is 05:21 UTC.
        assert_eq!(site.events()[1].occurred_at.micros(), 1_388_553_660_000_000);
    }

    let again = site.take(&options(&site, &path));
    assert_eq!(
        (again.appended, again.duplicates, again.events),
        (0, rows, rows)
    );

    let interrupted = Site::new();
    let part = IngestOptions {
        batches_max: Some(40),
        ..options(&interrupted, &path)
    };
    assert!(interrupted.take(&part).appended < rows);
    interrupted.take(&options(&interrupted, &path));
    assert_eq!(interrupted.digest(), site.digest());
}

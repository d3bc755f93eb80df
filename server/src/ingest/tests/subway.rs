//! The real history that the embedded mapping is for, where it is to be had.

use std::collections::BTreeMap;
use std::io::{Read, Write as _};
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
    // The runner captures what the print macros write; nobody would read it there.
    let _ = writeln!(
        std::io::stderr(),
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

/// A row of the file: its day, minute, unit, fleet, and whether the unit failed.
struct Incident {
    day: chrono::NaiveDate,
    minute: chrono::NaiveTime,
    unit: String,
    fleet: String,
    failed: bool,
}

fn incidents(path: &Path) -> Vec<Incident> {
    let mut reader = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(
        std::fs::File::open(path).unwrap(),
    ));
    let heads = reader.headers().unwrap().clone();
    let at = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let [day, minute, unit, fleet, failed] = ["date", "time", "unit", "fleet", "fail"].map(at);
    reader
        .records()
        .map(|row| {
            let row = row.unwrap();
            Incident {
                day: row[day].parse().unwrap(),
                minute: chrono::NaiveTime::parse_from_str(&row[minute], "%H:%M").unwrap(),
                unit: row[unit].to_owned(),
                fleet: row[fleet].to_owned(),
                failed: &row[failed] == "1",
            }
        })
        .collect()
}

#[test]
fn figures_equal_a_count_over_the_file() {
    use analytics::kpi::{Kpi, Selection};
    use chrono::{Datelike as _, Days, NaiveDate, TimeZone as _};
    use storage::Timestamp;

    use crate::figures::{Figures, Interval, edges, local_date};

    let Some(path) = file() else { return };
    let site = Site::new();
    site.take(&options(&site, &path));
    let rows = incidents(&path);
    let zone = chrono_tz::America::Toronto;
    let moment = |day: NaiveDate, minute: chrono::NaiveTime| {
        let local = zone.from_local_datetime(&day.and_time(minute));
        local.earliest().unwrap().timestamp_micros()
    };
    let figures = Figures::new(zone);
    figures
        .ask(&site.log, None, |known| {
            // Incidents by local day, week from Monday, and month.
            let (first, last) = (rows[0].day, rows[rows.len() - 1].day);
            let begin =
                |day: NaiveDate| Timestamp::from_micros(moment(day, chrono::NaiveTime::MIN));
            type FirstDay = fn(NaiveDate) -> NaiveDate;
            let firsts: [(Interval, FirstDay); 3] = [
                (Interval::Day, |day| day),
                (Interval::Week, |day| {
                    day - Days::new(u64::from(day.weekday().num_days_from_monday()))
                }),
                (Interval::Month, |day| day.with_day(1).unwrap()),
            ];
            let kind = known.columns().kind("VehicleIncidentReported").unwrap();
            for (interval, first_day) in firsts {
                let mut expected: BTreeMap<String, u64> = BTreeMap::new();
                for row in &rows {
                    *expected.entry(first_day(row.day).to_string()).or_insert(0) += 1;
                }
                let ends = edges(
                    zone,
                    interval,
                    begin(first),
                    begin(last + Days::new(1)),
                    10_000,
                );
                let ends = ends.unwrap();
                let cells = known.columns().by_edges(kind, &ends);
                let found: BTreeMap<String, u64> = cells
                    .iter()
                    .zip(&ends)
                    .filter(|(cell, _)| cell.count > 0)
                    .map(|(cell, edge)| (local_date(zone, *edge), cell.count))
                    .collect();
                assert_eq!(found, expected, "{interval:?}");
            }

            // Mean time between failures by fleet over nine years, and the ten units that failed most.
            let from = NaiveDate::from_ymd_opt(2015, 1, 1).unwrap();
            let to = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
            let window = [begin(from).micros(), begin(to).micros()];
            let mut seen: BTreeMap<&str, (&str, i64, u64)> = BTreeMap::new();
            for row in &rows {
                let at = moment(row.day, row.minute);
                let unit = seen.entry(&row.unit).or_insert((&row.fleet, at, 0));
                unit.2 += u64::from(row.failed && from <= row.day && row.day < to);
            }
            let mtbf = Kpi::named("mtbf").unwrap();
            let mut by_fleet: BTreeMap<&str, [(i64, i64); 2]> = BTreeMap::new();
            let mut found = Vec::new();
            for (unit, (fleet, began, failures)) in &seen {
                let selection = Selection {
                    edges: &window,
                    now: i64::MAX / 2,
                    vehicle: Some(unit),
                };
                let figure = known.take(&selection).figures(mtbf)[0];
                found.push((figure.denominator, *unit));
                let sums = by_fleet.entry(fleet).or_default();
                let up = (window[1] - window[0].max(*began)).max(0);
                sums[0].0 += figure.numerator;
                sums[0].1 += figure.denominator;
                sums[1].0 += up;
                sums[1].1 += i64::try_from(*failures).unwrap();
            }
            assert!(by_fleet.len() >= 3, "{by_fleet:?}");
            for (fleet, [found, expected]) in by_fleet {
                assert_eq!(found, expected, "{fleet}");
            }
            let mut expected: Vec<(i64, &str)> = seen
                .iter()
                .map(|(unit, (_, _, failures))| (i64::try_from(*failures).unwrap(), *unit))
                .collect();
            let worst = |units: &mut Vec<(i64, &str)>| {
                units.sort_by_key(|(failures, unit)| (-failures, (*unit).to_owned()));
                units.truncate(10);
            };
            worst(&mut found);
            worst(&mut expected);
            assert_eq!(found, expected);
            assert!(found[0].0 > 0);
        })
        .unwrap();
}

//! Places that hold something else than the last export of this log: files of others, what a killed export left, another past.

use std::process::Command;

use super::*;
use crate::strays::is_ours;

/// A file of somebody at the lake's place.
fn put(depot: &Depot, path: &str) {
    let path = depot.lake.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "PAR1").unwrap();
}

fn told(depot: &Depot, times: usize) {
    for _ in 0..times {
        depot.append_data("Part", "P", "PartRenamed", &json!({}));
    }
}

const FOREIGN: [&str; 4] = [
    "events/other.csv",
    "events/2024/x.parquet",
    "events/aggregate_type=Part/month=2026-11/part-0.parquet",
    "states/aggregate_type=Part/000000000001.1.parquet",
];

#[test]
fn a_first_export_refuses_a_place_of_others_and_takes_nothing_away() {
    for path in FOREIGN {
        let depot = Depot::new();
        told(&depot, 1);
        put(&depot, path);
        let left = "events/aggregate_type=Part/month=2026-11/000000000001-000000000009-0.1.parquet";
        put(&depot, left);
        let before = depot.files();
        let said = match depot.export_at(0, 10, &[]) {
            Err(error @ LakeError::Foreign { .. }) => error.to_string(),
            other => panic!("{path}: {other:?}"),
        };
        assert!(said.contains(path) && said.contains("/lake"), "{said}");
        assert_eq!(depot.files(), before);
    }
}

#[test]
fn what_others_put_beside_an_export_stays() {
    let depot = Depot::new();
    told(&depot, 1);
    depot.export();
    let others = FOREIGN.map(str::to_owned).into_iter();
    let others: Vec<String> = others.chain(["events/mine.parquet#1".to_owned()]).collect();
    others.iter().for_each(|path| put(&depot, path));
    told(&depot, 1);
    depot.export();
    depot.export_at(2, 10, &[]).unwrap();
    let mut expected = depot.named();
    expected.extend(others);
    expected.sort();
    assert_eq!(depot.files(), expected);
}

#[test]
fn what_an_export_that_was_cut_off_left_goes() {
    // With the first export that comes to its end, and with a later one.
    for exported in [0, 1] {
        let depot = Depot::new();
        told(&depot, 1);
        for _ in 0..exported {
            depot.export();
        }
        let strays = [
            "events/aggregate_type=Part/month=2026-11/000000000001-000000000009-0.7.parquet",
            "events/aggregate_type=Part/month=2026-11/000000000001-000000000009-1.7.parquet#1",
            "states/aggregate_type=Part/000000000009-0-0.7.parquet",
            "states/aggregate_type=Part/000000000009-0.7.parquet",
            "states/aggregate_type=Part/000000000009-0-1.7.parquet#23",
        ];
        strays.iter().for_each(|path| put(&depot, path));
        depot.export();
        assert_eq!(depot.files(), depot.named());
    }
}

#[test]
fn every_name_that_an_export_gives_is_known_as_such() {
    let depot = Depot::new();
    for (aggregate_type, time) in [
        ("Part", "2026-11-29T12:00:00Z"),
        ("Thing of ours/ä", "1999-12-31T12:00:00Z"),
    ] {
        let at = Timestamp::from_micros(fleet::calendar::parse_time(time).unwrap());
        depot.append(aggregate_type, "x", NewEvent::new("Seen", "{}").at(at));
    }
    depot.export();
    let manifest = depot.manifest();
    assert_eq!(manifest.paths().count(), 4);
    for path in manifest.paths() {
        assert!(is_ours(path), "{path}");
        // What a process that is killed leaves is known by the same name.
        assert!(!is_ours(&format!("{path}#1")), "{path}");
    }
    for path in FOREIGN.into_iter().chain([MANIFEST_NAME]) {
        assert!(!is_ours(path), "{path}");
    }
}

#[test]
fn what_was_replaced_goes_after_an_hour_though_nothing_is_new() {
    let depot = Depot::new();
    told(&depot, 1);
    depot.export();
    told(&depot, 1);
    depot.export();
    let before = depot.manifest();
    assert_eq!(before.replaced.len(), 2);
    let report = depot.export_at(1, 1_000, &[]).unwrap();
    assert_eq!((report.files, report.position), (0, 2));
    let after = depot.manifest();
    assert!(after.replaced.is_empty());
    assert_eq!(
        (&after.events, &after.states),
        (&before.events, &before.states)
    );
    assert_eq!(depot.files(), depot.named());
    depot.export_at(3, 1_000, &[]).unwrap();
    assert_eq!(depot.manifest(), after);
}

#[test]
fn a_log_that_was_restored_and_went_on_otherwise_is_refused() {
    let mut depot = Depot::new();
    let root = depot.folder.path().to_owned();
    let restored = |name: &str| {
        let folder = root.join(format!("restored {name}"));
        storage::restore(&root.join(name), &folder, None).unwrap();
        Log::open(&folder, LogOptions::default()).unwrap()
    };
    told(&depot, 12);
    depot.log.backup(&root.join("early")).unwrap();
    told(&depot, 3);
    depot.export_at(0, 10, &[]).unwrap();
    depot.log.backup(&root.join("late")).unwrap();

    // Where it was exported no further than it was restored, it goes on.
    depot.log = restored("late");
    told(&depot, 1);
    assert_eq!(depot.export_at(0, 10, &[]).unwrap().position, 16);

    depot.log = restored("early");
    let refused = depot.export_at(0, 10, &[]);
    assert!(
        matches!(refused, Err(LakeError::Ahead { theirs: 16, .. })),
        "{refused:?}"
    );
    told(&depot, 8);
    let (files, manifest) = (depot.files(), depot.manifest());
    let refused = depot.export_at(0, 10, &[]);
    assert!(
        matches!(refused, Err(LakeError::Forked { position: 16, .. })),
        "{refused:?}"
    );
    assert_eq!((depot.files(), depot.manifest()), (files, manifest));
}

/// What a bucket would be asked with is no part of its address: a server starts where that is wrong, and its exports say so.
#[test]
fn an_address_is_one_whatever_the_environment_says_of_buckets() {
    const BAD: &str = "AWS_CHECKSUM_ALGORITHM";
    if std::env::var_os(BAD).is_some() {
        Target::check("s3://bucket/prefix").unwrap();
        return;
    }
    let name = "tests::places::an_address_is_one_whatever_the_environment_says_of_buckets";
    let mut this = Command::new(std::env::current_exe().unwrap());
    let output = this
        .args(["--exact", name])
        .env(BAD, "none such")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}

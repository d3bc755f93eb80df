//! Exports into a real S3 server over a wire that refuses, hangs, breaks and comes back. Whatever happened, the place holds one
//! whole moment, and the next export brings it up with nothing twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::Depot;
use super::faulty::{Fault, Wire};
use crate::target::Patience;
use crate::{LakeError, Why};

/// For a wire that only has to be slow to be wrong.
const LONG: Duration = Duration::from_secs(60);
/// What fails is not tried again.
const ONCE: Patience = Patience {
    request: LONG,
    retry: LONG,
    retries_max: 0,
};
const SPAN: u64 = 10;

/// A depot whose lake is the bucket, with some events that are exported already and some that are not.
fn depot() -> (Depot, Wire) {
    let mut depot = Depot::new();
    let root = depot.folder.path().join("s3");
    depot.lake = root.join("history/depot");
    std::fs::create_dir_all(root.join("history")).unwrap();
    let wire = Wire::before_server_on(&root);
    append(&depot, 0..15);
    depot.export_into(&wire.target(ONCE), 0, SPAN, &[]).unwrap();
    append(&depot, 15..25);
    (depot, wire)
}

fn append(depot: &Depot, numbers: std::ops::Range<u64>) {
    for number in numbers {
        depot.append_data(
            "Part",
            &format!("P{}", number % 3),
            "Told",
            &json!({"n": number}),
        );
    }
}

fn why(outcome: Result<crate::Report, LakeError>) -> (Why, String) {
    match outcome {
        Err(error @ LakeError::Store { why, .. }) => (why, error.to_string()),
        other => panic!("no error of the place: {other:?}"),
    }
}

/// The place holds what it held: 15 events.
fn assert_as_before(depot: &Depot) {
    assert_eq!(depot.manifest().position, 15);
    assert_eq!(depot.events().len(), 15);
}

/// The next export completes it, and the one after that adds nothing.
fn assert_completes(depot: &Depot, wire: &Wire) {
    wire.mends();
    let target = wire.target(ONCE);
    depot.export_into(&target, 0, SPAN, &[]).unwrap();
    assert_eq!(depot.manifest().position, 25);
    assert_eq!(depot.events().len(), 25);
    assert_eq!(depot.files(), depot.named());
    let again = depot.export_into(&target, 0, SPAN, &[]).unwrap();
    assert_eq!((again.files, again.events), (0, 0));
    assert_eq!(depot.files(), depot.named());
}

/// Counts the uploads, and says how each from the `first` on goes, `times` times.
fn uploads(first: usize, times: usize, fault: Fault) -> impl FnMut(&str, &str) -> Option<Fault> {
    let mut seen = 0;
    move |method, _| {
        seen += usize::from(method == "PUT");
        (method == "PUT" && (first..first + times).contains(&seen)).then_some(fault)
    }
}

#[test]
fn a_bucket_that_refuses_is_told_so_and_is_as_before() {
    let (depot, wire) = depot();
    for method in ["GET", "PUT"] {
        wire.breaks(move |asked, _| {
            (asked == method).then_some(Fault::Answer(403, "AccessDenied"))
        });
        let (why, said) = why(depot.export_into(&wire.target(ONCE), 0, SPAN, &[]));
        assert_eq!(why, Why::Refused);
        assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");
        assert_as_before(&depot);
    }
    assert_completes(&depot, &wire);
}

#[test]
fn a_wrong_secret_and_a_bucket_that_is_not_there_are_told_apart() {
    let (depot, wire) = depot();
    let wrong = wire.target_as("wrong", ONCE);
    let (why_wrong, said) = why(depot.export_into(&wrong, 0, SPAN, &[]));
    assert_eq!(why_wrong, Why::Refused, "{said}");
    assert!(!said.contains("wrong"), "{said}");
    std::fs::rename(
        depot.lake.parent().unwrap(),
        depot.folder.path().join("s3/other"),
    )
    .unwrap();
    let (why_gone, said) = why(depot.export_into(&wire.target(ONCE), 0, SPAN, &[]));
    assert_eq!(why_gone, Why::NoSuchPlace, "{said}");
    assert!(said.contains("no such bucket"), "{said}");
    std::fs::rename(
        depot.folder.path().join("s3/other"),
        depot.lake.parent().unwrap(),
    )
    .unwrap();
    assert_completes(&depot, &wire);
}

#[test]
fn a_bucket_that_does_not_answer_is_given_up_in_time() {
    let (depot, wire) = depot();
    let patience = Patience {
        request: Duration::from_millis(700),
        retry: Duration::from_secs(2),
        retries_max: 1,
    };
    wire.breaks(|_, path| path.contains("manifest.json").then_some(Fault::Hang));
    let began = std::time::Instant::now();
    let (why, said) = why(depot.export_into(&wire.target(patience), 0, SPAN, &[]));
    assert_eq!(why, Why::Silent, "{said}");
    assert!(said.contains("did not answer in time"), "{said}");
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "it waited {:?}",
        began.elapsed()
    );
    assert_as_before(&depot);
    assert_completes(&depot, &wire);
}

#[test]
fn trouble_that_passes_is_waited_for_and_trouble_that_stays_is_told() {
    let (depot, wire) = depot();
    let patience = Patience {
        retries_max: 4,
        ..ONCE
    };
    for (status, code) in [(500, "InternalError"), (503, "SlowDown")] {
        wire.breaks(move |_, _| Some(Fault::Answer(status, code)));
        let (why, said) = why(depot.export_into(&wire.target(ONCE), 0, SPAN, &[]));
        assert_eq!(why, Why::Trouble, "{said}");
        assert!(said.contains("trouble of its own"), "{said}");
        assert_as_before(&depot);
    }
    // Every request fails twice, by turns in another way.
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    wire.breaks(
        move |_, _| match counted.fetch_add(1, Ordering::Relaxed) % 3 {
            0 => Some(Fault::Answer(503, "SlowDown")),
            1 => Some(Fault::Answer(500, "InternalError")),
            _ => None,
        },
    );
    depot
        .export_into(&wire.target(patience), 0, SPAN, &[])
        .unwrap();
    assert!(asked.load(Ordering::Relaxed) >= 15, "{asked:?}");
    assert_eq!(depot.events().len(), 25);
    assert_eq!(depot.files(), depot.named());
}

#[test]
fn an_upload_that_is_cut_is_made_again_whichever_it_is() {
    for fault in [Fault::CutUpload, Fault::CutAnswer] {
        let mut uploaded = 0;
        for first in 1.. {
            let (depot, wire) = depot();
            let patience = Patience {
                retries_max: 2,
                ..ONCE
            };
            wire.breaks(uploads(first, 1, fault));
            let report = depot
                .export_into(&wire.target(patience), 0, SPAN, &[])
                .unwrap();
            assert_eq!(report.position, 25);
            assert_completes(&depot, &wire);
            // The files and the manifest.
            uploaded = report.files + 1;
            if first as u64 > uploaded {
                break;
            }
        }
        assert!(uploaded >= 4, "{uploaded}");
    }
}

#[test]
fn an_export_that_ends_before_its_manifest_shows_nothing_of_itself() {
    let mut cut = 0;
    for first in 1.. {
        let (depot, wire) = depot();
        wire.breaks(uploads(first, usize::MAX / 2, Fault::CutUpload));
        let outcome = depot.export_into(&wire.target(ONCE), 0, SPAN, &[]);
        if outcome.is_ok() {
            break;
        }
        let (why, said) = why(outcome);
        assert_eq!(why, Why::BrokenOff, "{said}");
        assert_as_before(&depot);
        assert_completes(&depot, &wire);
        cut += 1;
    }
    assert!(cut >= 4, "{cut}: each file and the manifest");
}

#[test]
fn somebody_erased_is_gone_from_the_bucket_even_if_the_first_export_after_it_is_cut() {
    let (depot, wire) = depot();
    let person = "Staff:s1";
    let told = storage::NewEvent::new("StaffNoted", r#"{"first_name":"Wilhelmine"}"#)
        .with_tag(format!("{}{person}", storage::COVERED_PREFIX));
    depot.append("Staff", "s1", told);
    let target = wire.target(ONCE);
    depot.export_into(&target, 0, SPAN, &[]).unwrap();
    let old: Vec<String> = depot
        .named()
        .into_iter()
        .filter(|path| path.contains("Staff"))
        .collect();
    assert!(!old.is_empty());
    // How objects are deleted.
    wire.breaks(|method, _| (method == "POST").then_some(Fault::Answer(403, "AccessDenied")));
    let (why, said) = why(depot.export_into(&target, 0, SPAN, &[person]));
    assert_eq!(why, Why::Refused, "{said}");
    wire.mends();
    let again = depot.export_into(&target, 0, SPAN, &[person]).unwrap();
    assert_eq!(again.files, 0, "nothing is new");
    for path in &old {
        assert!(!depot.lake.join(path).exists(), "{path}");
    }
    assert_eq!(depot.files(), depot.named());
}

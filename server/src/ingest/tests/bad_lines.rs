//! Lines that are no events, and events that the log refuses.

use super::harness::{Site, data, line, lines};
use crate::ingest::lines::LINE_BYTES_MAX;
use crate::ingest::{BadLine, BadLines, IngestError, IngestOptions};

/// Stops at this line for a reason that contains this text, everything before it taken; skipping takes the rest.
#[track_caller]
fn check(bad: &str, reason: &str) {
    let text = format!("{}{bad}\n{}", lines(0..150), lines(200..250));
    let site = Site::new();
    let path = site.file("events.jsonl", text.as_bytes());
    let options = IngestOptions {
        batch_events: 100,
        ..site.options(&path)
    };
    let stopped = site.fail(&options);
    let IngestError::BadLine(found) = &stopped.error else {
        panic!("{:?}", stopped.error)
    };
    assert_eq!(found.line, 151);
    assert!(
        found.reason.contains(reason),
        "{:?} does not say {reason:?}",
        found.reason
    );
    assert_eq!((stopped.summary.appended, stopped.summary.bad), (150, 1));
    assert_eq!(site.events().len(), 150, "nothing of later lines");

    let skipping = IngestOptions {
        bad_lines: BadLines::Skip,
        ..options
    };
    let summary = site.take(&skipping);
    assert_eq!(
        (summary.duplicates, summary.appended, summary.bad),
        (150, 50, 1)
    );
    assert_eq!(summary.bad_lines, std::slice::from_ref(found));
    let tracks: Vec<_> = site
        .events()
        .iter()
        .map(|event| data(event)["track"].as_u64().unwrap())
        .collect();
    assert!(
        tracks.iter().copied().eq((0..150).chain(200..250)),
        "in the order of the file"
    );
}

#[test]
fn what_is_no_event() {
    check("nonsense", "expected a value");
    check("[]", "object");
    check("{\"aggregate_type\":\"Depot\"}", "aggregate_id");
    check(&line(1).replace("\"track\":1", "\"track\":NaN"), "value");
    check(
        &line(1).replace("2026-03-01T05:00:00Z", "the day before"),
        "occurred_at",
    );
    check(&line(1).replace("occurred_at", "occured_at"), "occured_at");
    check(
        &line(1).replace("Depot", "User"),
        "written by the server alone",
    );
}

#[test]
fn what_is_too_long() {
    let long = line(1).replace("\"track\"", &format!("\"{}\"", "x".repeat(LINE_BYTES_MAX)));
    check(&long, "longer than");
}

#[test]
fn an_id_that_was_used_for_something_else() {
    let id = "0190163d-8694-739b-aea5-966c26f8ad91";
    let with_id = |number| line(number).replacen('{', &format!("{{\"id\":\"{id}\","), 1);
    let text = format!(
        "{}{}\n{}{}\n{}",
        lines(0..10),
        with_id(10),
        lines(11..20),
        with_id(99),
        lines(20..30)
    );
    let site = Site::new();
    let path = site.file("events.jsonl", text.as_bytes());
    let stopped = site.fail(&site.options(&path));
    let IngestError::BadLine(BadLine { line, reason }) = &stopped.error else {
        panic!("{:?}", stopped.error)
    };
    assert_eq!(*line, 21);
    assert!(reason.contains(id), "{reason}");
    assert_eq!(site.events().len(), 20);

    let skipping = IngestOptions {
        bad_lines: BadLines::Skip,
        ..site.options(&path)
    };
    let summary = site.take(&skipping);
    assert_eq!(
        (summary.duplicates, summary.appended, summary.bad),
        (20, 10, 1)
    );
    let tracks: Vec<_> = site
        .events()
        .iter()
        .map(|event| data(event)["track"].as_u64().unwrap())
        .collect();
    assert!(tracks.iter().copied().eq(0..30));
}

#[test]
fn a_version_that_is_not_as_expected() {
    let expecting = |number, version| {
        line(number).replacen('{', &format!("{{\"expected_version\":{version},"), 1)
    };
    let text = format!(
        "{}\n{}\n{}\n{}\n",
        expecting(0, 0),
        expecting(3, 1),
        expecting(6, 7),
        expecting(9, 2)
    );
    let site = Site::new();
    let path = site.file("events.jsonl", text.as_bytes());
    let skipping = IngestOptions {
        bad_lines: BadLines::Skip,
        ..site.options(&path)
    };
    let summary = site.take(&skipping);
    assert_eq!((summary.appended, summary.bad), (3, 1));
    assert_eq!(summary.bad_lines[0].line, 3);
    // Again: what was taken is known by its id, whatever the version is by now.
    let summary = site.take(&skipping);
    assert_eq!(
        (summary.appended, summary.duplicates, summary.bad),
        (0, 3, 1)
    );
}

#[test]
fn many_bad_lines_are_counted_and_the_first_listed() {
    let site = Site::new();
    let path = site.file("events.jsonl", "nonsense\n".repeat(1_500).as_bytes());
    let skipping = IngestOptions {
        bad_lines: BadLines::Skip,
        ..site.resumable(&path)
    };
    let summary = site.take(&skipping);
    assert_eq!(
        (summary.events, summary.bad, summary.bad_lines.len()),
        (0, 1_500, 1_000)
    );
    assert_eq!(summary.bad_lines[999].line, 1_000);
}

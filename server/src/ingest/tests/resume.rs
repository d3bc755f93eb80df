//! Runs that end early, and go on.

use std::fs;

use super::harness::{Site, gzip, line, lines};
use crate::ingest::{BadLines, IngestError, IngestOptions, Mapping};

/// Interrupted after each number of batches, with and without its checkpoint, a run that goes on ends with the same log.
#[test]
fn an_interrupted_run_ends_with_the_same_log() {
    let text = lines(0..1_000);
    let whole = Site::new();
    let path = whole.file("events.jsonl", text.as_bytes());
    whole.take(&IngestOptions {
        batch_events: 100,
        ..whole.options(&path)
    });
    for (name, content) in [
        ("events.jsonl", text.clone().into_bytes()),
        ("events.jsonl.gz", gzip(text.as_bytes())),
    ] {
        for batches in [1, 4, 9, 10] {
            for keep_checkpoint in [true, false] {
                let site = Site::new();
                let path = site.file(name, &content);
                let options = IngestOptions {
                    batch_events: 100,
                    ..site.resumable(&path)
                };
                let first = site.take(&IngestOptions {
                    batches_max: Some(batches),
                    ..options
                });
                assert_eq!(first.appended, batches * 100);
                let checkpoints = site.folder.path().join("ingest");
                assert_eq!(fs::read_dir(&checkpoints).unwrap().count(), 1);
                if !keep_checkpoint {
                    fs::remove_dir_all(&checkpoints).unwrap();
                }
                let second = site.take(&IngestOptions {
                    batch_events: 70,
                    ..site.resumable(&path)
                });
                assert_eq!(second.appended, 1_000 - batches * 100);
                let resumed = if keep_checkpoint { batches * 100 } else { 0 };
                assert_eq!(second.resumed_behind_line, resumed);
                assert_eq!(second.duplicates, batches * 100 - resumed);
                assert_eq!(site.digest(), whole.digest());
            }
        }
    }
}

#[test]
fn a_finished_input_is_read_on_when_it_grows() {
    let site = Site::new();
    let path = site.file("events.jsonl", (lines(0..100) + "\n\n").as_bytes());
    site.take(&site.resumable(&path));
    let nothing = site.take(&site.resumable(&path));
    assert_eq!((nothing.events, nothing.resumed_behind_line), (0, 100));
    // The empty lines count: the numbers of those behind them are what a run from the beginning gives them.
    site.file(
        "events.jsonl",
        (lines(0..100) + "\n\n" + &lines(100..150)).as_bytes(),
    );
    let more = site.take(&site.resumable(&path));
    assert_eq!(
        (more.appended, more.duplicates, more.resumed_behind_line),
        (50, 0, 100)
    );
    let from_the_beginning = site.take(&site.options(&path));
    assert_eq!(
        (from_the_beginning.appended, from_the_beginning.duplicates),
        (0, 150)
    );
}

/// Regression: the end that a last line got later was read as an empty line, so that all behind it had other numbers than in
/// a run from the beginning, which took it a second time.
#[test]
fn a_last_line_without_its_end_is_read_again_when_the_file_grows() {
    for batch_events in [1, 2, 100] {
        let site = Site::new();
        let text = lines(0..3);
        let path = site.file("events.jsonl", text.trim_end().as_bytes());
        let options = IngestOptions {
            batch_events,
            ..site.resumable(&path)
        };
        assert_eq!(site.take(&options).appended, 3);
        let again = site.take(&options);
        assert_eq!((again.resumed_behind_line, again.duplicates), (2, 1));
        site.file("events.jsonl", lines(0..5).as_bytes());
        let more = site.take(&options);
        assert_eq!(
            (more.resumed_behind_line, more.appended, more.duplicates),
            (2, 2, 1)
        );
        let from_the_beginning = site.take(&site.options(&path));
        assert_eq!(
            (from_the_beginning.appended, from_the_beginning.duplicates),
            (0, 5)
        );
        assert_eq!(site.events().len(), 5);
    }
}

/// Regression: with bad lines skipped, a line that was half written when it was read was passed for ever.
#[test]
fn a_last_line_that_is_half_written_is_taken_once_it_is_whole() {
    let site = Site::new();
    let text = lines(0..3);
    let path = site.file("events.jsonl", &text.as_bytes()[..text.len() - 10]);
    let skipping = IngestOptions {
        bad_lines: BadLines::Skip,
        ..site.resumable(&path)
    };
    let first = site.take(&skipping);
    assert_eq!((first.appended, first.bad), (2, 1));
    site.file("events.jsonl", lines(0..4).as_bytes());
    let more = site.take(&skipping);
    assert_eq!(
        (more.resumed_behind_line, more.appended, more.bad),
        (2, 2, 0)
    );
    assert_eq!(site.take(&site.options(&path)).duplicates, 4);
}

#[test]
fn a_checkpoint_of_another_content_is_not_used() {
    let site = Site::new();
    let path = site.file("events.jsonl", lines(0..100).as_bytes());
    site.take(&site.resumable(&path));
    site.file(
        "events.jsonl",
        (line(500) + "\n" + &lines(1..100)).as_bytes(),
    );
    let summary = site.take(&site.resumable(&path));
    assert_eq!(
        (
            summary.resumed_behind_line,
            summary.appended,
            summary.duplicates
        ),
        (0, 1, 99)
    );
    // A file that became shorter.
    site.file("events.jsonl", lines(0..3).as_bytes());
    let summary = site.take(&site.resumable(&path));
    assert_eq!(
        (
            summary.resumed_behind_line,
            summary.appended,
            summary.duplicates
        ),
        (0, 0, 3)
    );
}

#[test]
fn a_checkpoint_of_another_log_is_not_used() {
    let site = Site::new();
    let path = site.file("events.jsonl", lines(0..100).as_bytes());
    site.take(&site.resumable(&path));
    let other = Site::new();
    let options = IngestOptions {
        checkpoints: Some(site.folder.path().join("ingest")),
        ..site.options(&path)
    };
    let summary = other.take(&options);
    assert_eq!((summary.resumed_behind_line, summary.appended), (0, 100));
}

#[test]
fn a_torn_checkpoint_is_not_used() {
    let site = Site::new();
    let path = site.file("events.jsonl", lines(0..100).as_bytes());
    site.take(&site.resumable(&path));
    let folder = site.folder.path().join("ingest");
    let checkpoint = fs::read_dir(folder)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let good = fs::read(&checkpoint).unwrap();
    for length in 0..good.len() {
        fs::write(&checkpoint, &good[..length]).unwrap();
        let summary = site.take(&site.resumable(&path));
        let whole = summary.resumed_behind_line == 100 && summary.events == 0;
        assert!(
            whole || summary.duplicates == 100,
            "cut to {length}: {summary:?}"
        );
        assert_eq!(summary.appended, 0);
    }
}

#[test]
fn a_run_that_stopped_at_a_bad_line_goes_on_once_it_is_mended() {
    let site = Site::new();
    let text = lines(0..250) + "nonsense\n" + &lines(251..300);
    let path = site.file("events.jsonl", text.as_bytes());
    let options = IngestOptions {
        batch_events: 100,
        ..site.resumable(&path)
    };
    let stopped = site.fail(&options);
    assert!(matches!(&stopped.error, IngestError::BadLine(bad) if bad.line == 251));
    site.file("events.jsonl", lines(0..300).as_bytes());
    let summary = site.take(&options);
    assert_eq!(
        (
            summary.resumed_behind_line,
            summary.duplicates,
            summary.appended
        ),
        (200, 50, 50)
    );
    assert_eq!(site.events().len(), 300);
}

#[test]
fn another_mapping_is_another_input() {
    let site = Site::new();
    let path = site.file("rows.csv", b"at,unit\n2026-03-01T00:00:00Z,1\n");
    let mapping = |event_type: &str| {
        let text = format!(
            "name = \"m\"\n[time]\ntext = \"{{at}}\"\n[[events]]\naggregate_type = \"A\"\naggregate_id = \"{{unit}}\"\nevent_type = \"{event_type}\"\n"
        );
        Mapping::parse(&text).unwrap()
    };
    let with = |event_type| IngestOptions {
        mapping: Some(mapping(event_type)),
        ..site.resumable(&path)
    };
    assert_eq!(site.take(&with("Seen")).appended, 1);
    assert_eq!(site.take(&with("Seen")).events, 0);
    let stopped = site.fail(&with("Painted"));
    assert!(
        matches!(stopped.error, IngestError::BadLine(_)),
        "the same row cannot be another event: {stopped:?}"
    );
}

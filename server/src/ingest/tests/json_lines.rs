//! JSON Lines, plain and packed.

use storage::{Position, Version};

use super::harness::{Site, data, gzip, line, lines};
use crate::ingest::{IngestError, IngestOptions};

#[test]
fn each_line_becomes_an_event_in_the_order_of_the_file() {
    let site = Site::new();
    let path = site.file("events.jsonl", lines(0..2_500).as_bytes());
    let summary = site.take(&site.options(&path));
    assert_eq!(
        (
            summary.events,
            summary.appended,
            summary.duplicates,
            summary.bad
        ),
        (2_500, 2_500, 0, 0)
    );
    assert_eq!(summary.last_position, Position::new(2_500));
    for (number, event) in site.events().iter().enumerate() {
        assert_eq!(data(event)["track"], number);
        assert_eq!(
            event.stream.aggregate_id.as_ref(),
            format!("d/{}", number % 3)
        );
    }
}

#[test]
fn a_second_run_adds_nothing() {
    let site = Site::new();
    let path = site.file("events.jsonl", lines(0..700).as_bytes());
    site.take(&site.options(&path));
    let digest = site.digest();
    // Other batches, another name, packed: it is the same input all the same.
    let packed = site.file("copy.jsonl.gz", &gzip(lines(0..700).as_bytes()));
    for options in [
        site.options(&path),
        IngestOptions {
            batch_events: 37,
            ..site.options(&path)
        },
        site.options(&packed),
    ] {
        let summary = site.take(&options);
        assert_eq!((summary.appended, summary.duplicates), (0, 700));
        assert_eq!(summary.last_position, Position::new(700));
    }
    assert_eq!(site.digest(), digest);
}

#[test]
fn a_file_that_grew_adds_what_is_new() {
    let site = Site::new();
    let path = site.file("events.jsonl", lines(0..130).as_bytes());
    site.take(&site.options(&path));
    let path = site.file("events.jsonl", lines(0..200).as_bytes());
    let summary = site.take(&IngestOptions {
        batch_events: 64,
        ..site.options(&path)
    });
    assert_eq!((summary.appended, summary.duplicates), (70, 130));
    assert_eq!(site.events().len(), 200);
    assert_eq!(data(&site.events()[199])["track"], 199);
}

#[test]
fn equal_lines_are_events_of_their_own() {
    let site = Site::new();
    let path = site.file(
        "events.jsonl",
        format!("{0}\n{0}\n{0}\n", line(1)).as_bytes(),
    );
    assert_eq!(site.take(&site.options(&path)).appended, 3);
    let versions: Vec<Version> = site.events().iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2, 3].map(Version::new));
}

#[test]
fn a_source_name_tells_equal_inputs_apart() {
    let site = Site::new();
    let path = site.file("events.jsonl", lines(0..3).as_bytes());
    site.take(&site.options(&path));
    let named = IngestOptions {
        source_name: "depot 2".to_owned(),
        ..site.options(&path)
    };
    assert_eq!(site.take(&named).appended, 3);
    assert_eq!(site.take(&named).appended, 0);
}

#[test]
fn given_ids_are_kept() {
    let site = Site::new();
    let id = "0190163d-8694-739b-aea5-966c26f8ad91";
    let with_id = line(1).replacen('{', &format!("{{\"id\":\"{id}\","), 1);
    let path = site.file("one.jsonl", with_id.as_bytes());
    site.take(&site.options(&path));
    assert_eq!(site.events()[0].id.to_string(), id);
    let path = site.file("two.jsonl", format!("\n\n{with_id}\n").as_bytes());
    let summary = site.take(&site.options(&path));
    assert_eq!(
        (summary.appended, summary.duplicates),
        (0, 1),
        "wherever the line stands"
    );
}

#[test]
fn line_ends_marks_and_empty_lines_do_not_matter() {
    let site = Site::new();
    let text = format!("\u{feff}{}\r\n\r\n   \n{}", line(1), line(2));
    let path = site.file("dos.jsonl", text.as_bytes());
    assert_eq!(site.take(&site.options(&path)).appended, 2);
    // The same lines, at the same numbers, with other ends.
    let path = site.file(
        "unix.jsonl",
        format!("{}\n\n\n{}\n", line(1), line(2)).as_bytes(),
    );
    assert_eq!(site.take(&site.options(&path)).duplicates, 2);
    let path = site.file("empty.jsonl", b"");
    assert_eq!(site.take(&site.options(&path)).events, 0);
}

#[test]
fn packed_files_are_told_by_their_first_bytes() {
    let text = lines(0..500);
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    // A file of two members is one text.
    let gzip_twice = [
        gzip(lines(0..200).as_bytes()),
        gzip(lines(200..500).as_bytes()),
    ]
    .concat();
    for (name, content) in [
        ("a.jsonl.gz", gzip(text.as_bytes())),
        ("b.jsonl", gzip_twice),
        ("c.jsonl.zst", zstd.clone()),
        ("d", zstd),
    ] {
        let site = Site::new();
        let path = site.file(name, &content);
        assert_eq!(site.take(&site.options(&path)).appended, 500, "{name}");
    }
    let site = Site::new();
    let path = site.file("plain.gz", text.as_bytes());
    let stopped = site.fail(&site.options(&path));
    assert!(
        matches!(&stopped.error, IngestError::Input(error) if error.to_string().contains("gzip"))
    );
}

#[test]
fn what_lies_before_damage_in_a_packed_file_is_taken() {
    let site = Site::new();
    let whole = gzip(lines(0..3_000).as_bytes());
    let path = site.file("cut.jsonl.gz", &whole[..whole.len() / 2]);
    let stopped = site.fail(&site.options(&path));
    assert!(
        matches!(stopped.error, IngestError::Input(_)),
        "{:?}",
        stopped.error
    );
    let taken = stopped.summary.appended;
    assert!(taken > 100 && taken < 3_000, "{taken}");
    let path = site.file("whole.jsonl.gz", &whole);
    assert_eq!(site.take(&site.options(&path)).appended, 3_000 - taken);
    assert_eq!(site.events().len(), 3_000);
}

#[test]
fn a_file_that_is_not_there_is_said_so() {
    let site = Site::new();
    let stopped = site.fail(&site.options(&site.folder.path().join("nothing")));
    assert!(matches!(stopped.error, IngestError::Input(_)));
}

//! CSV by a mapping.

use serde_json::json;

use super::harness::{Site, data, gzip};
use crate::ingest::rows::ROW_BYTES_MAX;
use crate::ingest::{BadLines, IngestError, IngestOptions, Mapping, MappingError};

const MAPPING: &str = r#"
name = "doors"
[input]
delimiter = ";"
require = ["unit"]
[time]
text = "{day} {clock}"
format = "%d.%m.%Y %H:%M"
zone = "Europe/Berlin"
[[events]]
when = "stream_begins"
aggregate_type = "Vehicle"
aggregate_id = "{unit}"
event_type = "VehicleCreated"
[events.data]
asset_id = { column = "unit" }
model = { value = "BR 423" }
[[events]]
aggregate_type = "Vehicle"
aggregate_id = "{unit}"
event_type = "DoorOpened"
[events.data]
door = { column = "door", as = "integer", empty = "null" }
side = { column = "side", words = { L = "left", R = "right" } }
note = { column = "note" }
"#;

fn options(site: &Site, content: &str) -> IngestOptions {
    let path = site.file("doors.csv", content.as_bytes());
    IngestOptions {
        mapping: Some(Mapping::parse(MAPPING).unwrap()),
        ..site.resumable(&path)
    }
}

#[test]
fn rows_become_events_and_units_begin_once() {
    let site = Site::new();
    let text = "\u{feff}day;clock;unit;door;side;note\r\n\
        01.07.2026;12:00;423 001;1;L;\r\n\
        01.07.2026;12:01;423 002;;X;\"two\nlines; quoted \"\"so\"\"\"\r\n\
        01.07.2026;12:02;423 001;2;R;ü\r\n";
    let summary = site.take(&options(&site, text));
    assert_eq!((summary.events, summary.appended), (5, 5));
    let seen: Vec<_> = site
        .events()
        .iter()
        .map(|event| {
            (
                event.stream.aggregate_id.to_string(),
                event.event_type.to_string(),
                data(event),
            )
        })
        .collect();
    let row = |unit: &str, event_type: &str, data| (unit.to_owned(), event_type.to_owned(), data);
    assert_eq!(
        seen,
        [
            row(
                "423 001",
                "VehicleCreated",
                json!({"asset_id": "423 001", "model": "BR 423"})
            ),
            row("423 001", "DoorOpened", json!({"door": 1, "side": "left"})),
            row(
                "423 002",
                "VehicleCreated",
                json!({"asset_id": "423 002", "model": "BR 423"})
            ),
            row(
                "423 002",
                "DoorOpened",
                json!({"door": null, "side": "X", "note": "two\nlines; quoted \"so\""})
            ),
            row(
                "423 001",
                "DoorOpened",
                json!({"door": 2, "side": "right", "note": "ü"})
            ),
        ]
    );
    // Noon in Berlin, in summer.
    assert_eq!(site.events()[0].occurred_at.micros(), 1_782_900_000_000_000);
    assert_eq!(site.events()[0].metadata, br#"{"source":"doors"}"#);
}

#[test]
fn runs_that_go_on_end_with_the_same_log() {
    let mut text = "day;clock;unit;door;side;note\n".to_owned();
    for number in 0..300 {
        let note = if number % 7 == 0 { "\"a\nb\"" } else { "" };
        text += &format!(
            "01.07.2026;12:{:02};u{};{number};L;{note}\n",
            number % 60,
            number * number % 23
        );
    }
    let whole = Site::new();
    whole.take(&options(&whole, &text));
    for line_end in ["\n", "\r\n"] {
        for batches in [1, 2, 5] {
            let site = Site::new();
            // Line ends outside of quotes do not matter.
            let text = text.replace(";\n", &format!(";{line_end}"));
            let first = IngestOptions {
                batch_events: 40,
                batches_max: Some(batches),
                ..options(&site, &text)
            };
            site.take(&first);
            let second = site.take(&options(&site, &text));
            assert!(second.resumed_behind_line > 0);
            assert_eq!(second.duplicates, 0);
            assert_eq!(site.digest(), whole.digest());
            let path = site.file("again.csv.gz", &gzip(text.as_bytes()));
            let again = IngestOptions {
                mapping: Some(Mapping::parse(MAPPING).unwrap()),
                ..site.options(&path)
            };
            assert_eq!(site.take(&again).appended, 0);
        }
    }
}

#[test]
fn a_last_row_without_its_end_is_read_again_when_the_file_grows() {
    let site = Site::new();
    let skipping = |text: &str| IngestOptions {
        bad_lines: BadLines::Skip,
        ..options(&site, text)
    };
    let begin = "day;clock;unit;door;side;note\n01.07.2026;12:00;1;1;L;\n".to_owned();
    let first = site.take(&skipping(&(begin.clone() + "01.07.2026;12:01;1;2")));
    assert_eq!((first.appended, first.bad), (2, 1), "half of a row");
    let two_more = begin + "01.07.2026;12:01;1;2;R;\n01.07.2026;12:02;1;3;L;";
    let more = site.take(&skipping(&two_more));
    assert_eq!(
        (more.resumed_behind_line, more.appended, more.bad),
        (2, 2, 0)
    );
    let last = site.take(&skipping(&(two_more + "\n01.07.2026;12:03;1;4;L;\n")));
    assert_eq!(
        (last.resumed_behind_line, last.appended, last.duplicates),
        (3, 1, 1)
    );
    assert_eq!(site.events().len(), 5);
}

/// Regression: a transaction that was refused was cut between any two events, so that half of a row could be taken.
#[test]
fn a_row_is_taken_whole_or_not_at_all() {
    let site = Site::new();
    let take = |rows: &str, event_types: &[&str]| {
        let mut mapping = "name = \"m\"\n[time]\ntext = \"{at}\"\n".to_owned();
        for event_type in event_types {
            mapping += &format!(
                "[[events]]\naggregate_type = \"A\"\naggregate_id = \"{{unit}}\"\nevent_type = \"{event_type}\"\n"
            );
        }
        let path = site.file("rows.csv", format!("at,unit\n{rows}").as_bytes());
        let summary = site.take(&IngestOptions {
            mapping: Some(Mapping::parse(&mapping).unwrap()),
            bad_lines: BadLines::Skip,
            ..site.options(&path)
        });
        (summary.appended, summary.duplicates, summary.bad)
    };
    let [one, two, three] = ["1", "2", "3"].map(|unit| format!("2026-03-01T00:00:00Z,{unit}\n"));
    // The second row's first event is in the log. By the second mapping it says something else.
    assert_eq!(take(&format!("{three}{two}"), &["Seen"]), (2, 0, 0));
    let rows = one + &two + &three;
    assert_eq!(take(&rows, &["Painted", "Washed"]), (4, 0, 1));
    let of_two = |site: &Site| -> Vec<String> {
        let events = site.events().into_iter();
        let own = events.filter(|event| &*event.stream.aggregate_id == "2");
        own.map(|event| event.event_type.to_string()).collect()
    };
    assert_eq!(of_two(&site), ["Seen"]);
    // By a mapping that only makes more of the row, what is missing is added.
    assert_eq!(take(&rows, &["Seen", "Washed"]), (1, 1, 2));
    assert_eq!(of_two(&site), ["Seen", "Washed"]);
}

#[test]
fn bad_rows_are_reported_with_their_number() {
    let site = Site::new();
    let text = "day;clock;unit;door;side;note\n\
        01.07.2026;12:00;1;1;L;\n\
        01.07.2026;12:00;;1;L;\n\
        01.07.2026;12:00;1;one;L;\n\
        01.07.2026;25:00;1;1;L;\n\
        01.07.2026;12:00;1;1\n\
        01.07.2026;12:00;1;2;L;\n";
    let options = options(&site, text);
    let stopped = site.fail(&options);
    assert!(
        matches!(&stopped.error, IngestError::BadLine(bad) if bad.line == 3),
        "{:?}",
        stopped.error
    );
    assert_eq!(stopped.summary.appended, 2);
    let summary = site.take(&IngestOptions {
        bad_lines: BadLines::Skip,
        ..options
    });
    assert_eq!((summary.appended, summary.bad), (1, 4));
    let reasons: Vec<String> = summary
        .bad_lines
        .iter()
        .map(|bad| format!("{}: {}", bad.line, bad.reason))
        .collect();
    for (reason, expected) in reasons.iter().zip([
        "3: column \"unit\" is empty",
        "4: door: \"one\" is no whole number",
        "5: the time \"01.07.2026 25:00\"",
        "6: 4 fields in place of 6",
    ]) {
        assert!(reason.starts_with(expected), "{reason}");
    }
}

#[test]
fn text_that_is_no_utf8_is_a_bad_row() {
    let site = Site::new();
    let mut bytes = b"day;clock;unit;door;side;note\n01.07.2026;12:00;".to_vec();
    bytes.extend_from_slice(b"\xff;1;L;\n");
    let path = site.file("doors.csv", &bytes);
    let options = IngestOptions {
        mapping: Some(Mapping::parse(MAPPING).unwrap()),
        ..site.options(&path)
    };
    let stopped = site.fail(&options);
    assert!(matches!(&stopped.error, IngestError::BadLine(bad) if bad.reason.contains("column 3")));
}

#[test]
fn a_missing_column_is_named_before_anything_is_appended() {
    let site = Site::new();
    let stopped = site.fail(&options(
        &site,
        "day;clock;unit;door;note\n01.07.2026;12:00;1;1;\n",
    ));
    assert!(
        matches!(&stopped.error, IngestError::Mapping(MappingError::Column { column, .. }) if column == "side"),
        "{:?}",
        stopped.error
    );
    assert!(site.events().is_empty());
    let stopped = site.fail(&options(&site, ""));
    assert!(matches!(stopped.error, IngestError::Input(_)));
}

#[test]
fn a_quote_that_is_never_closed_is_not_read_to_the_end() {
    let site = Site::new();
    let mut text =
        "day;clock;unit;door;side;note\n01.07.2026;12:00;1;1;L;\n01.07.2026;12:00;1;1;L;\""
            .to_owned();
    text += &"x\n".repeat(usize::try_from(ROW_BYTES_MAX).unwrap() * 2);
    let stopped = site.fail(&options(&site, &text));
    assert!(
        matches!(&stopped.error, IngestError::Input(error) if error.to_string().contains("quote"))
    );
    assert_eq!(stopped.summary.appended, 2);
}

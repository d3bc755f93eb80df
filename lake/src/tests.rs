//! Exports of small logs into folders, read back by the Parquet reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use serde_json::json;
use storage::{
    COVERED_PREFIX, ExpectedVersion, Log, LogOptions, NewEvent, StreamName, StreamWrite, Timestamp,
    Transaction,
};
use tempfile::TempDir;

use crate::plan::{Range, plan};
use crate::{Export, LakeError, MANIFEST_NAME, Manifest, Report, Target, export};

mod damaged;
mod faulty;
mod places;
mod s3;
mod states;

const HOUR: i64 = 3_600_000_000;
/// The aggregate types come by turns.
fn kind_of(number: u64) -> &'static str {
    match number % 3 {
        0 => "Vehicle",
        1 => "Part",
        _ => "Unheard",
    }
}
/// 2026-11-29T12:00:00Z.
const NOON: i64 = 1_795_953_600_000_000;

struct Depot {
    folder: TempDir,
    log: Log,
    /// Where its files can be read.
    lake: PathBuf,
}

impl Depot {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
        let lake = folder.path().join("lake");
        Depot { folder, log, lake }
    }

    fn append(&self, aggregate_type: &str, id: &str, event: NewEvent) {
        let stream = StreamName::new(aggregate_type, id);
        self.log
            .append(Transaction::single(stream, ExpectedVersion::Any, event))
            .unwrap();
    }

    fn append_data(
        &self,
        aggregate_type: &str,
        id: &str,
        event_type: &str,
        data: &serde_json::Value,
    ) {
        let event = NewEvent::new(event_type, data.to_string()).at(Timestamp::from_micros(NOON));
        self.append(aggregate_type, id, event);
    }

    fn target(&self) -> Target {
        Target::open(&format!("file://{}", self.lake.display())).unwrap()
    }

    fn export_at(
        &self,
        hours: i64,
        span_events: u64,
        erased: &[&str],
    ) -> Result<Report, LakeError> {
        self.export_into(&self.target(), hours, span_events, erased)
    }

    fn export_into(
        &self,
        target: &Target,
        hours: i64,
        span_events: u64,
        erased: &[&str],
    ) -> Result<Report, LakeError> {
        export(&Export {
            log: &self.log,
            target,
            is_erased: &|person| erased.contains(&person),
            now: Timestamp::from_micros(NOON + hours * HOUR),
            threads: 2,
            span_events,
            stop: &AtomicBool::new(false),
        })
    }

    fn export(&self) -> Report {
        self.export_at(0, 1_000, &[]).unwrap()
    }

    fn manifest(&self) -> Manifest {
        Manifest::parse(&fs::read(self.lake.join(MANIFEST_NAME)).unwrap()).unwrap()
    }

    /// Every file under the place, by its path from there.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.lake, &self.lake, &mut found);
        found.sort();
        found
    }

    fn named(&self) -> Vec<String> {
        let manifest = self.manifest();
        let mut named: Vec<String> = manifest.paths().map(str::to_owned).collect();
        named.push(MANIFEST_NAME.to_owned());
        named.sort();
        named
    }

    fn read(&self, path: &str) -> RecordBatch {
        let file = fs::File::open(self.lake.join(path)).unwrap();
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let schema = builder.schema().clone();
        let batches: Vec<_> = builder.build().unwrap().map(Result::unwrap).collect();
        arrow_select::concat::concat_batches(&schema, &batches).unwrap()
    }

    /// By position: stream, type and what has no column, of all files that the manifest names.
    fn events(&self) -> BTreeMap<i64, (String, String, Option<String>)> {
        let manifest = self.manifest();
        let mut rows = BTreeMap::new();
        for file in manifest.event_files(None) {
            let batch = self.read(&file.path);
            assert_eq!(batch.num_rows() as u64, file.rows, "{}", file.path);
            for row in 0..batch.num_rows() {
                let text = |name: &str| {
                    let column = batch.column_by_name(name).unwrap().as_string::<i32>();
                    column.is_valid(row).then(|| column.value(row).to_owned())
                };
                let position = batch.column_by_name("position").unwrap();
                let position = position.as_primitive::<Int64Type>().value(row);
                let id = text("aggregate_id").unwrap();
                let stream = format!("{}/{id}", file.aggregate_type);
                let value = (stream, text("event_type").unwrap(), text("rest"));
                assert!(rows.insert(position, value).is_none(), "{position} twice");
            }
        }
        rows
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            found.push(
                path.strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

fn text<'a>(batch: &'a RecordBatch, column: &str, row: usize) -> Option<&'a str> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column.is_valid(row).then(|| column.value(row))
}

#[test]
fn only_the_last_span_is_written_again() {
    let range = |from, to| Range { from, to };
    assert_eq!(plan(&[], 0, 10), (0, vec![]));
    assert_eq!(
        plan(&[], 25, 10),
        (0, vec![range(1, 10), range(11, 20), range(21, 25)])
    );
    let done = [range(1, 10), range(11, 20), range(21, 25)];
    assert_eq!(plan(&done, 25, 10), (3, vec![]));
    assert_eq!(plan(&done, 31, 10), (2, vec![range(21, 30), range(31, 31)]));
    assert_eq!(plan(&done[..2], 21, 10), (2, vec![range(21, 21)]));
    // Another length applies to what comes.
    assert_eq!(plan(&done, 31, 5), (3, vec![range(26, 30), range(31, 31)]));
}

#[test]
fn fields_have_columns_of_their_kinds_and_what_does_not_fit_is_kept() {
    let depot = Depot::new();
    depot.append_data(
        "Vehicle",
        "185 123-4",
        "VehicleCreated",
        &json!({"model": "BR 185", "year": 2004, "purchase_date": "2004-05-01T10:00:00+02:00",
                "purchase_price": "2750000.50", "colour": "red", "max_speed_kmh": "fast"}),
    );
    depot.export();
    let path = "events/aggregate_type=Vehicle/month=2026-11/000000000001-000000000001-0.1.parquet";
    let batch = depot.read(path);
    assert_eq!(text(&batch, "aggregate_id", 0), Some("185 123-4"));
    assert_eq!(text(&batch, "model", 0), Some("BR 185"));
    let number = |name: &str| {
        batch
            .column_by_name(name)
            .unwrap()
            .as_primitive::<Int64Type>()
            .value(0)
    };
    assert_eq!(number("year"), 2004);
    assert_eq!(number("version"), 1);
    let time = batch.column_by_name("purchase_date").unwrap();
    assert_eq!(
        time.as_primitive::<TimestampMicrosecondType>().value(0),
        fleet::calendar::parse_time("2004-05-01T08:00:00Z").unwrap()
    );
    let occurred = batch.column_by_name("occurred_at").unwrap();
    assert_eq!(
        occurred.as_primitive::<TimestampMicrosecondType>().value(0),
        NOON
    );
    let rest: serde_json::Value = serde_json::from_str(text(&batch, "rest", 0).unwrap()).unwrap();
    assert_eq!(rest["colour"], "red");
    assert_eq!(
        rest["max_speed_kmh"], "fast",
        "a text where a number belongs"
    );

    let states = depot.manifest().states;
    let state = depot.read(&states[0].path);
    assert_eq!(text(&state, "model", 0), Some("BR 185"));
    assert!(
        !state
            .column_by_name("deleted")
            .unwrap()
            .as_boolean()
            .value(0)
    );
}

#[test]
fn money_is_exact() {
    let depot = Depot::new();
    depot.append_data(
        "Invoice",
        "R-1",
        "InvoiceReceived",
        &json!({"total_amount": "0.10"}),
    );
    let invoice = fleet::registry().aggregate("Invoice").unwrap();
    let columns = crate::column::Columns::of_events(invoice, &[]);
    let money = columns
        .fields
        .iter()
        .filter(|field| field.2 == crate::column::ColumnKind::Money);
    let names: Vec<&str> = money.map(|field| field.0).collect();
    assert!(!names.is_empty(), "invoices hold money");
    let name = names[0];
    let depot = Depot::new();
    let event = invoice
        .events
        .iter()
        .find(|event| event.field(name).is_some())
        .unwrap();
    for (version, amount) in ["0.10", "-3.1", "12345678.9", "1.005"].iter().enumerate() {
        depot.append_data(
            "Invoice",
            &format!("R-{version}"),
            event.event_type,
            &json!({name: amount}),
        );
    }
    depot.export();
    let batch = depot.read(&depot.manifest().events[0].files[0].path);
    let column = batch
        .column_by_name(name)
        .unwrap()
        .as_primitive::<Decimal128Type>()
        .clone();
    let amounts: Vec<Option<i128>> = column.iter().collect();
    assert_eq!(amounts, [Some(10), Some(-310), Some(1_234_567_890), None]);
    assert_eq!(
        text(&batch, "rest", 3),
        Some(format!(r#"{{"{name}":"1.005"}}"#).as_str()),
        "nothing is rounded"
    );
}

#[test]
fn secrets_are_in_no_file() {
    let depot = Depot::new();
    let secret = "$argon2id$never-to-be-seen";
    depot.append_data(
        "User",
        "anna",
        "UserCreated",
        &json!({"username": "anna", "password_hash": secret, "role": "TECHNICIAN"}),
    );
    depot.append_data(
        "User",
        "anna",
        "SomethingNew",
        &json!({"password_hash": secret, "colour": "seen by all"}),
    );
    depot.export();
    let mut files = depot.named();
    files.retain(|path| path.ends_with(".parquet"));
    assert_eq!(files.len(), 2, "events and states: {files:?}");
    for path in files {
        let batch = depot.read(&path);
        assert!(batch.num_rows() > 0);
        let text = format!("{batch:?}");
        assert!(!text.contains(secret), "{path}");
        // What is no secret would be found where a secret is looked for: in a column, and in the rest.
        for open in ["TECHNICIAN", "seen by all"] {
            assert!(text.contains(open), "{path}: {text}");
        }
    }
}

#[test]
fn a_repeated_export_adds_nothing_and_a_later_one_writes_what_is_new() {
    let depot = Depot::new();
    for number in 0..25 {
        depot.append_data(
            "Part",
            &format!("P{}", number % 3),
            "PartRenamed",
            &json!({"n": number}),
        );
    }
    let first = depot.export_at(0, 10, &[]).unwrap();
    assert_eq!(
        (first.position, first.events, first.states, first.files),
        (25, 25, 3, 4)
    );
    let files = depot.files();
    assert_eq!(files, depot.named());
    assert_eq!(
        depot.export_at(0, 10, &[]).unwrap(),
        Report {
            position: 25,
            ..Report::default()
        }
    );
    assert_eq!(depot.files(), files);

    for number in 25..32 {
        depot.append_data("Part", "P9", "PartRenamed", &json!({"n": number}));
    }
    let second = depot.export_at(0, 10, &[]).unwrap();
    assert_eq!((second.position, second.events), (32, 12), "21 to 32");
    assert_eq!(
        depot.files(),
        depot.named(),
        "what was replaced is still there"
    );
    assert_eq!(depot.manifest().replaced.len(), 2, "a span and the states");
    assert_eq!(depot.events().len(), 32);
    depot.append_data("Part", "P9", "PartRenamed", &json!({}));
    depot.export_at(2, 10, &[]).unwrap();
    assert_eq!(
        depot.manifest().replaced.len(),
        2,
        "the older ones are gone"
    );
    assert_eq!(depot.files(), depot.named());
}

#[test]
fn months_are_those_in_which_events_happened() {
    let depot = Depot::new();
    for time in [
        "2024-02-29T23:59:59Z",
        "2024-03-01T00:00:00Z",
        "1999-12-31T12:00:00Z",
    ] {
        let at = Timestamp::from_micros(fleet::calendar::parse_time(time).unwrap());
        depot.append("Thing of ours/ä", "x", NewEvent::new("Seen", "{}").at(at));
    }
    depot.export();
    let manifest = depot.manifest();
    let folders: Vec<&str> = manifest.events[0]
        .files
        .iter()
        .map(|file| file.path.rsplit_once('/').unwrap().0)
        .collect();
    let of_type = "events/aggregate_type=Thing%20of%20ours%2F%C3%A4";
    assert_eq!(
        folders,
        ["1999-12", "2024-02", "2024-03"].map(|month| format!("{of_type}/month={month}"))
    );
    assert_eq!(
        depot.files(),
        depot.named(),
        "paths are names as they stand"
    );
    assert_eq!(depot.events().len(), 3);
}

#[test]
fn files_that_held_somebody_erased_are_written_anew_and_gone_at_once() {
    let depot = Depot::new();
    let person = "Staff:s1";
    let event = NewEvent::new("StaffNoted", r#"{"first_name":"Wilhelmine"}"#)
        .with_tag(format!("{COVERED_PREFIX}{person}"));
    depot.append("Staff", "s1", event);
    for number in 0..30 {
        depot.append_data("Part", "P", "PartRenamed", &json!({"n": number}));
    }
    depot.export_at(0, 10, &[]).unwrap();
    assert_eq!(depot.manifest().events[0].people, [person]);
    let old = depot.manifest().events[0].files.clone();
    let report = depot.export_at(0, 10, &[person]).unwrap();
    assert_eq!((report.erased_spans, report.events), (1, 10));
    assert_eq!(depot.manifest().events[0].people, Vec::<String>::new());
    for file in old {
        assert!(!depot.lake.join(&file.path).exists(), "{}", file.path);
    }
    assert_eq!(depot.files(), depot.named());
    assert_eq!(depot.events().len(), 31);
    assert_eq!(
        depot.export_at(0, 10, &[person]).unwrap().erased_spans,
        0,
        "once"
    );
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let depot = Depot::new();
    depot.append_data("Part", "P", "PartRenamed", &json!({}));
    depot.export();
    let other = Depot::new();
    other.append_data("Part", "P", "PartRenamed", &json!({}));
    let refused = export(&Export {
        log: &other.log,
        target: &depot.target(),
        is_erased: &|_| false,
        now: Timestamp::from_micros(NOON),
        threads: 1,
        span_events: 10,
        stop: &AtomicBool::new(false),
    });
    assert!(
        matches!(refused, Err(LakeError::OtherLog { .. })),
        "{refused:?}"
    );

    let manifest = depot.lake.join(MANIFEST_NAME);
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        text.replace("\"position\": 1", "\"position\": 9"),
    )
    .unwrap();
    let refused = depot.export_at(0, 10, &[]);
    assert!(
        matches!(
            refused,
            Err(LakeError::Ahead {
                theirs: 9,
                ours: 1,
                ..
            })
        ),
        "{refused:?}"
    );
    for damaged in ["", "{}", "{\"format\": 1}", "{\"format\": 99}"] {
        fs::write(&manifest, damaged).unwrap();
        let refused = depot.export_at(0, 10, &[]);
        assert!(
            matches!(refused, Err(LakeError::Manifest { .. })),
            "{damaged}: {refused:?}"
        );
    }

    for url in [
        "lake",
        "ftp://host/lake",
        "s3://",
        "s3:///prefix",
        "s3://bucket/%FF",
        "file://host/lake",
    ] {
        let refused = Target::open(url);
        assert!(
            matches!(refused, Err(LakeError::Address { .. })),
            "{url}: {refused:?}"
        );
        let refused = Target::check(url);
        assert!(
            matches!(refused, Err(LakeError::Address { .. })),
            "{url}: {refused:?}"
        );
    }
    let folder = depot.folder.path().join("not there yet");
    Target::check(&format!("file://{}", folder.display())).unwrap();
    assert!(!folder.exists(), "an address is looked at, and no place");
    Target::check("s3://bucket/prefix").unwrap();
    let refused = Target::open("s3://me:hidden@bucket/x").unwrap_err();
    assert!(!refused.to_string().contains("hidden"), "{refused}");
}

#[test]
fn an_export_that_is_asked_to_stop_leaves_what_was() {
    let depot = Depot::new();
    depot.append_data("Part", "P", "PartRenamed", &json!({}));
    depot.export();
    let before = depot.manifest();
    depot.append_data("Part", "P", "PartRenamed", &json!({}));
    let stopped = export(&Export {
        log: &depot.log,
        target: &depot.target(),
        is_erased: &|_| false,
        now: Timestamp::from_micros(NOON),
        threads: 2,
        span_events: 10,
        stop: &AtomicBool::new(true),
    });
    assert!(matches!(stopped, Err(LakeError::Stopped)), "{stopped:?}");
    assert_eq!(depot.manifest(), before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// However a log is exported piece by piece, the place holds every event once.
    #[test]
    fn pieces_make_the_whole(pieces in prop::collection::vec((1_u64..20, 4_u64..20, 0_i64..3), 1..4)) {
        let depot = Depot::new();
        let mut appended = 0_u64;
        let mut hours = 0;
        for (count, span_events, pause) in pieces {
            // One transaction: what is tried here is not the log.
            let writes = (appended + 1..=appended + count).map(|number| StreamWrite {
                stream: StreamName::new(kind_of(number), format!("{}", number % 5)),
                expected: ExpectedVersion::Any,
                events: vec![NewEvent::new("Told", json!({"number": number, "name": "x"}).to_string())],
            });
            depot.log.append(Transaction { writes: writes.collect(), condition: None }).unwrap();
            appended += count;
            hours += pause;
            let report = depot.export_at(hours, span_events, &[]).unwrap();
            prop_assert_eq!(report.position, appended);
            prop_assert_eq!(depot.files(), depot.named());
        }
        let events = depot.events();
        prop_assert_eq!(events.len() as u64, appended);
        for (position, (stream, event_type, rest)) in events {
            let number = u64::try_from(position).unwrap();
            let kind = kind_of(number);
            prop_assert_eq!(stream, format!("{kind}/{}", number % 5));
            prop_assert_eq!(event_type, "Told");
            let rest: serde_json::Value = serde_json::from_str(&rest.unwrap()).unwrap();
            prop_assert_eq!(&rest["number"], number);
        }
    }
}

#[test]
fn manifests_are_read_as_they_were_written() {
    let depot = Depot::new();
    depot.append_data("Part", "P", "PartRenamed", &json!({}));
    depot.export();
    let manifest = depot.manifest();
    let text = serde_json::to_vec(&manifest).unwrap();
    assert_eq!(Manifest::parse(&text).unwrap(), manifest);
}

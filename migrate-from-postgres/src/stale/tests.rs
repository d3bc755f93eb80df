//! What an import put into an aggregate is found there once no row puts it there any more.

use storage::{ExpectedVersion, Log, LogOptions, NewEvent, Position, StreamName, Transaction};

use super::*;
use crate::agree::agreeing;
use crate::held::{Counting, held};
use crate::made::{Expected, Standing, metadata};
use crate::tables::Table;
use crate::tables::money::{PURCHASE_ORDER_LINES, PURCHASE_ORDERS};
use crate::tables::planning::WO_ASSIGNMENT;

fn expected(table: &'static Table, key: &str) -> Expected {
    let (_, mapping) = mapping_of(table.name).unwrap();
    let row = b"{}".to_vec();
    Expected {
        table,
        key: key.to_owned(),
        seen: mapping.seen,
        row,
    }
}

fn portion(stream: &StreamName, expected: Vec<Expected>) -> Portion {
    Portion {
        stream: stream.clone(),
        standing: Standing::New,
        events: Vec::new(),
        expected,
        is_whole: true,
    }
}

/// A log with these events of a stream, each made of the row with this key by an import unless that is empty.
fn log_with(
    folder: &tempfile::TempDir,
    stream: &StreamName,
    table: &str,
    events: &[(&str, &str, &str, &str)],
) -> Log {
    let log = Log::open(folder.path(), LogOptions::default()).unwrap();
    for (key, kind, event_type, data) in events {
        let mut event = NewEvent::new(*event_type, *data);
        if !key.is_empty() {
            event.id = Some(ids::event_id(table, key, kind));
            event.metadata = metadata(table, key);
        }
        log.append(Transaction::single(
            stream.clone(),
            ExpectedVersion::Any,
            event,
        ))
        .unwrap();
    }
    log
}

#[track_caller]
fn check(log: &Log, portion: Portion, stale: &[(&str, &str)]) {
    let counting = Counting::UpTo(Position::MAX);
    let held = held(log, &[&portion], counting).unwrap().remove(0);
    let found = rows(&portion, &held);
    let found: Vec<(&str, &str)> = found.iter().map(|row| (row.table(), &*row.key)).collect();
    assert_eq!(found, stale);
    if !stale.is_empty() {
        let agree = agreeing(log, &[portion], Position::MAX, &mut Vec::new());
        assert_eq!(agree.unwrap(), [false], "what agrees is not looked at here");
    }
}

#[test]
fn an_item_that_no_row_puts_there_is_stale() {
    let folder = tempfile::tempdir().unwrap();
    let stream = StreamName::new("WorkOrder", "1");
    let item = |key: &str| format!("{{\"assignment_id\":\"{key}\"}}");
    let (a, b, c) = (item("a"), item("b"), item("c"));
    let log = log_with(
        &folder,
        &stream,
        "wo_assignment",
        &[
            ("1", "created", "WorkOrderCreated", "{}"),
            ("a", "assigned", "WorkOrderAssigned", &a),
            ("b", "assigned", "WorkOrderAssigned", &b),
            ("", "", "WorkOrderAssigned", &c),
        ],
    );
    let order = || expected(&crate::tables::assets::WORK_ORDERS, "1");
    let both = vec![
        order(),
        expected(&WO_ASSIGNMENT, "a"),
        expected(&WO_ASSIGNMENT, "b"),
    ];
    check(&log, portion(&stream, both), &[]);
    let one = || vec![order(), expected(&WO_ASSIGNMENT, "b")];
    check(&log, portion(&stream, one()), &[("wo_assignment", "a")]);
    let in_pieces = Portion {
        is_whole: false,
        ..portion(&stream, one())
    };
    check(&log, in_pieces, &[]);
}

#[test]
fn a_line_that_no_row_puts_there_is_stale_unless_lines_were_changed_here() {
    let folder = tempfile::tempdir().unwrap();
    let stream = StreamName::new("PurchaseOrder", "1");
    let lines = "{\"lines\":[{\"id\":\"a\"},{\"id\":\"b\"}]}";
    let created = ("1", "created", "PurchaseOrderCreated", lines);
    let log = log_with(&folder, &stream, "purchase_orders", &[created]);
    let order = || expected(&PURCHASE_ORDERS, "1");
    let one = || portion(&stream, vec![order(), expected(&PURCHASE_ORDER_LINES, "a")]);
    check(&log, one(), &[("purchase_order_lines", "b")]);
    let native = NewEvent::new("PurchaseOrderUpdated", "{\"notes\":\"x\"}");
    log.append(Transaction::single(
        stream.clone(),
        ExpectedVersion::Any,
        native,
    ))
    .unwrap();
    check(&log, one(), &[]);
}

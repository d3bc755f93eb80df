//! A row agrees where every column is said as it is, by the whole stream, up to the position that is asked about.

use storage::{ExpectedVersion, LogOptions, NewEvent, StreamName, Timestamp, Transaction};

use super::*;
use crate::made::metadata;
use crate::tables::assets::{MAINTENANCE_TASKS, WORK_ORDERS};
use crate::tables::planning::WO_ASSIGNMENT;

const ROW: &str = "{\"order_number\":\"WO-1\",\"status\":\"completed\",\"tasks\":[\"HU\"],\"estimated_cost\":84.5,\"notes\":\"a\\\"b\",\"extra\":{\"shelf\":\"7\"}}";
const CREATED: &str = "{\"order_number\":\"WO-1\",\"notes\":\"a\\\"b\",\"tasks\":[\"HU\"],\"estimated_cost\":84.5,\"findings\":null,\"extra\":{\"shelf\":\"7\"}}";

struct Depot {
    _folder: tempfile::TempDir,
    log: Log,
}

impl Depot {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), LogOptions::default()).unwrap();
        Depot {
            _folder: folder,
            log,
        }
    }

    /// Appends an event as an import makes it of a row, or as somebody else did.
    fn append(&self, id: &str, event_type: &str, data: &str, of: Option<(&str, &str)>) -> Position {
        let stream = StreamName::new("WorkOrder", id);
        let mut event = NewEvent::new(event_type, data).at(Timestamp::from_micros(7));
        if let Some((table, key)) = of {
            event.metadata = metadata(table, key);
            event.id = Some(crate::ids::event_id(table, key, event_type));
        }
        let transaction = Transaction::single(stream, ExpectedVersion::Any, event);
        self.log.append(transaction).unwrap().last_position()
    }

    fn imported(&self, id: &str, event_type: &str, data: &str) -> Position {
        self.append(id, event_type, data, Some(("work_orders", id)))
    }

    fn agrees(&self, expected: Vec<Expected>, position: Position) -> bool {
        let portion = Portion {
            stream: StreamName::new("WorkOrder", "1"),
            standing: Standing::New,
            events: Vec::new(),
            expected,
            is_whole: true,
        };
        agreeing(&self.log, &[portion], position, &mut Vec::new()).unwrap()[0]
    }
}

fn order(row: &str) -> Expected {
    Expected {
        table: &WORK_ORDERS,
        key: "1".to_owned(),
        seen: Seen::State,
        row: row.into(),
    }
}

/// A depot with a work order that was completed, beside another's.
fn depot() -> (Depot, Position) {
    let depot = Depot::new();
    depot.imported("2", "WorkOrderCreated", "{}");
    depot.imported("1", "WorkOrderCreated", CREATED);
    let last = depot.imported("1", "WorkOrderCompleted", "{}");
    (depot, last)
}

#[test]
fn a_row_that_its_events_say_agrees() {
    let (depot, last) = depot();
    assert!(depot.agrees(vec![order(ROW)], last));
    let parts = "{\"required_parts\":[{\"qty\":2,\"part_no\":\"P-1\"}]}";
    let last = depot.imported("1", "WorkOrderUpdated", parts);
    let row = ROW.replace(
        ",\"extra\"",
        ",\"required_parts\":[{\"part_no\":\"P-1\",\"qty\":2}],\"extra\"",
    );
    assert!(
        depot.agrees(vec![order(&row)], last),
        "in whichever order names come"
    );
    assert!(!depot.agrees(vec![order(&row.replace("P-1", "P-2"))], last));
}

#[test]
fn a_row_that_differs_in_any_column_does_not_agree() {
    let (depot, last) = depot();
    for (said, otherwise) in [
        ("WO-1", "WO-2"),
        ("completed", "draft"),
        ("84.5", "84.25"),
        ("84.5", "84"),
        ("\"HU\"", ""),
        (",\"notes\":\"a\\\"b\"", ""),
        ("\"notes\"", "\"findings\":\"x\",\"notes\""),
        (",\"extra\":{\"shelf\":\"7\"}", ""),
        ("\"7\"}}", "\"7\"},\"more\":1}"),
    ] {
        let row = ROW.replacen(said, otherwise, 1);
        assert_ne!(row, ROW, "{said}");
        assert!(!depot.agrees(vec![order(&row)], last), "{row}");
        assert!(!depot.agrees(vec![order(ROW), order(&row)], last), "{row}");
    }
}

#[test]
fn what_came_behind_the_position_is_left_to_the_fold() {
    let (depot, last) = depot();
    let changed = depot.imported("1", "WorkOrderUpdated", "{\"notes\":\"c\"}");
    assert!(
        !depot.agrees(vec![order(ROW)], last),
        "not all of the stream is looked at"
    );
    assert!(
        !depot.agrees(vec![order(ROW)], changed),
        "it says something else now"
    );
    assert!(depot.agrees(vec![order(&ROW.replace("a\\\"b", "c"))], changed));
}

#[test]
fn of_what_no_import_made_a_row_shows_more_than_was_told() {
    let depot = Depot::new();
    let last = depot.append("1", "WorkOrderCreated", "{\"notes\":\"a\"}", None);
    assert!(!depot.agrees(vec![order("{\"notes\":\"a\"}")], last));
}

#[test]
fn an_item_agrees_as_its_own_row() {
    let (depot, _) = depot();
    let data = "{\"assignment_id\":\"a\",\"status\":\"SCHEDULED\",\"start_slot\":3}";
    let last = depot.append("1", "WorkOrderAssigned", data, Some(("wo_assignment", "a")));
    let item = |key: &str, row: &str| Expected {
        table: &WO_ASSIGNMENT,
        key: key.to_owned(),
        seen: Seen::Item(fleet::work_order::schema::ASSIGNMENTS, "assigned"),
        row: row.into(),
    };
    let row = "{\"assignment_id\":\"a\",\"start_slot\":3,\"status\":\"SCHEDULED\"}";
    assert!(depot.agrees(vec![order(ROW), item("a", row)], last));
    assert!(
        !depot.agrees(vec![order(ROW), item("b", row)], last),
        "another item"
    );
    assert!(!depot.agrees(vec![order(ROW), item("a", &row.replace('3', "4"))], last));
    assert!(
        !depot.agrees(vec![order(ROW)], last),
        "the log has an item more"
    );
}

#[test]
fn a_stream_that_is_not_there_agrees_with_nothing() {
    let (depot, last) = depot();
    let portion = Portion {
        stream: StreamName::new("MaintenanceTask", "1"),
        standing: Standing::New,
        is_whole: true,
        events: Vec::new(),
        expected: vec![Expected {
            table: &MAINTENANCE_TASKS,
            key: "1".to_owned(),
            seen: Seen::State,
            row: b"{}".to_vec(),
        }],
    };
    assert_eq!(
        agreeing(&depot.log, &[portion], last, &mut Vec::new()).unwrap(),
        [false]
    );
}

//! What is read of events that say what cannot be.

use serde_json::json;
use storage::{Log, LogOptions};

use super::{DAY, START, append, live, read};

/// Regression: a year that no calendar has made the sum of days overflow.
#[test]
fn a_year_that_no_calendar_has_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
    let tell = |year: serde_json::Value| {
        let told = live("VehicleNoted", START, &json!({ "year": year }));
        append(&log, "unit-1", vec![told]);
        read(&log).vehicles["unit-1"].began(i64::MAX)
    };
    for year in [json!(1e300), json!("-1e300"), json!(0)] {
        assert_eq!(tell(year.clone()), None, "{year}");
    }
    assert!(tell(json!(2010)).is_some());
}

/// Regression: maintenance that was told done, was open again, and was done in the end counted twice.
#[test]
fn maintenance_that_was_open_again_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
    let mut day = 0;
    let mut tell = |event_type: &str, under: &str| {
        day += 1;
        let data = json!({ "work_order_id": under });
        let told = live(event_type, START + day * DAY, &data);
        append(&log, "unit-1", vec![told]);
        read(&log).vehicles["unit-1"].maintenance.len()
    };
    assert_eq!(tell("VehicleMaintenanceReopened", "order-0"), 0);
    assert_eq!(
        tell("MaintenanceCompleted", "order-0"),
        1,
        "nothing was done"
    );
    assert_eq!(tell("MaintenanceCompleted", "order-1"), 2);
    assert_eq!(tell("VehicleMaintenanceReopened", "order-1"), 2);
    assert_eq!(tell("MaintenanceCompleted", "order-2"), 3, "another order");
    assert_eq!(tell("MaintenanceCompleted", "order-1"), 3, "the same again");
    assert_eq!(tell("MaintenanceCompleted", "order-1"), 4, "told anew");
}

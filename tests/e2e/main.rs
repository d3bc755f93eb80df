//! End-to-end and fault tests: one binary, the real programs, every wait with a limit.
//!
//! What needs more than the toolchain (the fault tools beside the workspace, Python, FUSE, the right to mount, a browser)
//! says `SKIPPED` on standard error where that is missing. `RAILFLEET_FAULTS=all` runs the long forms.

mod archive;
mod backup;
mod business_flow;
mod crowd;
mod damage;
mod demo;
mod derived;
mod disk;
mod documents;
mod federation;
mod foreign;
mod golden;
mod history;
mod hostile_clients;
mod interrupted;
mod kill;
mod lake;
mod openapi_fuzz;
mod operating;
mod ownership;
mod packaged;
mod pages;
mod power_cut;
mod proof;
mod rot;
mod scarce;
mod secrets;
mod soak;
mod sync;
mod system_calls;
mod tls;

/// The load client, as cargo built it for these tests.
fn load() -> &'static str {
    env!("CARGO_BIN_EXE_railfleet-load")
}

/// An event for `POST /events`, of a type that the server does not know.
fn event(aggregate_type: &str, aggregate_id: &str, number: u32) -> String {
    event_of_size(aggregate_type, aggregate_id, number, 100)
}

/// The same, with so many bytes of filler in its data.
fn event_of_size(aggregate_type: &str, aggregate_id: &str, number: u32, bytes: usize) -> String {
    let filler = "abcdefghij".repeat(bytes / 10);
    format!(
        r#"{{"aggregate_type":"{aggregate_type}","aggregate_id":"{aggregate_id}","event_type":"ProbeMeasured","data":{{"number":{number},"filler":"{filler}"}}}}"#
    )
}

/// A batch for `POST /events/batch`: readings of some vehicles over two years, of several users, journeys and tags, some
/// of them reported late.
fn batch(number: u32, events: u32) -> String {
    let filler = "abcdefghij".repeat(50);
    let event = |at: u32| {
        let nth = number * events + at;
        let unit = format!("unit {}", nth % 23);
        // Strides through 730 days without order, as late reports would.
        let (month, day, hour) = (nth * 7 % 24, nth * 13 % 28 + 1, nth * 5 % 24);
        let occurred = format!(
            "{}-{:02}-{day:02}T{hour:02}:15:00Z",
            2023 + month / 12,
            month % 12 + 1
        );
        let user = format!("planner-{}", nth % 4);
        let metadata = format!(
            r#"{{"user_id":"{user}","correlation_id":"journey-{}"}}"#,
            nth % 9
        );
        let tags = if nth.is_multiple_of(3) {
            r#"["third"]"#
        } else {
            "[]"
        };
        let (event_type, data) = if nth.is_multiple_of(5) {
            (
                "VehicleInspected",
                format!(r#"{{"inspection":{nth},"remark":"{filler}"}}"#),
            )
        } else {
            (
                "AxleMeasured",
                format!(
                    r#"{{"axle":{},"wear_mm":{}.{},"remark":"{filler}"}}"#,
                    nth % 8,
                    nth % 40,
                    nth % 10
                ),
            )
        };
        format!(
            r#"{{"aggregate_type":"Vehicle","aggregate_id":"{unit}","event_type":"{event_type}","occurred_at":"{occurred}","metadata":{metadata},"tags":{tags},"data":{data}}}"#
        )
    };
    let list: Vec<String> = (0..events).map(event).collect();
    format!(r#"{{"events":[{}]}}"#, list.join(","))
}

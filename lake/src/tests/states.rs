//! States and events in one export, by whichever thread comes to them.

use super::*;

/// By aggregate type and id.
type States = BTreeMap<(String, String), (u64, u64)>;

/// The position that each state is of, and what was told last.
fn states(depot: &Depot) -> States {
    let manifest = depot.manifest();
    let mut states = BTreeMap::new();
    for file in manifest.state_files(None) {
        let batch = depot.read(&file.path);
        let positions = batch.column_by_name("position").unwrap();
        let positions = positions.as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let id = text(&batch, "aggregate_id", row).unwrap();
            let rest = text(&batch, "rest", row).unwrap();
            let rest: serde_json::Value = serde_json::from_str(rest).unwrap();
            let told = rest["number"].as_u64().unwrap();
            let position = u64::try_from(positions.value(row)).unwrap();
            let stream = (file.aggregate_type.clone(), id.to_owned());
            let earlier = states.insert(stream, (position, told));
            assert!(earlier.is_none(), "{} twice", file.path);
        }
    }
    states
}

#[test]
fn states_are_of_all_events_whatever_span_they_lie_in() {
    let depot = Depot::new();
    let mut expected = States::new();
    let mut writes = Vec::new();
    for number in 0..200_u64 {
        // Some streams have a single event, the others have some in every span.
        let id = match number {
            0..30 => format!("alone {number}"),
            _ => format!("{}", number % 7),
        };
        writes.push(StreamWrite {
            stream: StreamName::new(kind_of(number), id.as_str()),
            expected: ExpectedVersion::Any,
            events: vec![NewEvent::new("Told", json!({"number": number}).to_string())],
        });
        expected.insert((kind_of(number).to_owned(), id), (number + 1, number));
    }
    let condition = None;
    depot.log.append(Transaction { writes, condition }).unwrap();
    let report = depot.export_at(0, 50, &[]).unwrap();
    assert_eq!((report.events, report.states), (200, 51));
    assert_eq!(depot.manifest().events.len(), 4);
    assert_eq!(states(&depot), expected);

    // One that was alone is so no more.
    let event = NewEvent::new("Told", json!({"number": 200}).to_string());
    depot.append(kind_of(4), "alone 4", event);
    expected.insert((kind_of(4).to_owned(), "alone 4".to_owned()), (201, 200));
    let report = depot.export_at(0, 50, &[]).unwrap();
    assert_eq!((report.events, report.states), (1, 51));
    assert_eq!(states(&depot), expected);
    assert_eq!(depot.files(), depot.named());
}

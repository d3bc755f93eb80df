//! One behaviour a test.

use super::support::*;
use crate::*;

#[test]
fn an_appended_event_is_read_back_whole() {
    let log = open(&memory(), &small());
    let id = uuid::Uuid::from_u128(7);
    let mut event = NewEvent::new("VehicleCreated", "{\"model\":\"BR 185\"}")
        .with_id(id)
        .with_tag("user:anna")
        .with_tag("x");
    event.metadata = b"{\"a\":1}".to_vec();
    event.schema = 3;
    event.occurred_at = Some(Timestamp::from_micros(-5));
    let receipt = log
        .append(Transaction::single(
            StreamName::new("Vehicle", "ä/ü 1"),
            ExpectedVersion::NoStream,
            event,
        ))
        .unwrap();
    let events = all(&log);
    assert_eq!(events.len(), 1);
    let read = &events[0];
    assert_eq!(read.id, id);
    assert_eq!(read.position, Position::FIRST);
    assert_eq!(read.version, Version::FIRST);
    assert_eq!(read.stream, StreamName::new("Vehicle", "ä/ü 1"));
    assert_eq!(&*read.event_type, "VehicleCreated");
    assert_eq!(read.schema, 3);
    assert_eq!(read.occurred_at, Timestamp::from_micros(-5));
    assert_eq!(read.recorded_at, receipt.events[0].recorded_at);
    assert_eq!(read.data, b"{\"model\":\"BR 185\"}");
    assert_eq!(read.metadata, b"{\"a\":1}");
    assert_eq!(read.tags, ["user:anna".into(), "x".into()] as [Box<str>; 2]);
    assert!(read.ends_transaction);
}

#[test]
fn many_events_over_many_segments_survive_reopening() {
    let repo = memory();
    let options = small();
    let log = open(&repo, &options);
    for number in 0..500 {
        log.append(one(
            &format!("v{}", number % 7),
            "VehicleUpdated",
            &format!("{{\"n\":{number}}}"),
        ))
        .unwrap();
    }
    let before = all(&log);
    assert_eq!(before.len(), 500);
    assert!(log.stats().segments > 10);
    log.close();
    let log = open(&repo, &options);
    assert_eq!(all(&log), before);
    assert_eq!(log.opened().damage, []);
    assert_eq!(
        log.stream(&StreamName::new("Vehicle", "v3"))
            .unwrap()
            .version,
        Version::new(71)
    );
    let mut reader = log.read_stream(&StreamName::new("Vehicle", "v3"), &StreamRange::default());
    let mut count = 0;
    while let Some(event) = reader.next() {
        count += 1;
        assert_eq!(event.unwrap().version(), Version::new(count));
    }
    assert_eq!(count, 71);
}

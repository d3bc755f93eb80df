//! CloudEvents.

use serde_json::{Value, json};
use storage::Event;

use super::harness::{Site, data, lines};
use crate::ingest::{FROM_FILE_TAG, cloud_event};

fn cloud_event() -> Value {
    json!({
        "specversion": "1.0",
        "id": "A-1",
        "source": "/depot/köln",
        "type": "com.example.fleet.VehicleStatusChanged",
        "subject": "185 123-4",
        "time": "2026-03-01T06:00:00+01:00",
        "datacontenttype": "application/json",
        "data": {"old_status": "available", "new_status": "in_service"},
    })
}

fn with(changes: Value) -> Value {
    let mut event = cloud_event();
    for (name, value) in changes.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn take(event: &Value) -> Event {
    let site = Site::new();
    let path = site.file("events.jsonl", event.to_string().as_bytes());
    site.take(&site.options(&path));
    site.events().remove(0)
}

#[track_caller]
fn refused(event: &Value, reason: &str) {
    let said = cloud_event::event_of(event.to_string().as_bytes()).unwrap_err();
    assert!(said.contains(reason), "{said:?} does not say {reason:?}");
}

#[test]
fn its_attributes_have_their_places() {
    let event = take(&cloud_event());
    assert_eq!(event.stream.to_string(), "Vehicle/185 123-4");
    assert_eq!(event.event_type.as_ref(), "VehicleStatusChanged");
    assert_eq!(event.occurred_at.micros(), 1_772_341_200_000_000);
    assert_eq!(
        data(&event),
        json!({"old_status": "available", "new_status": "in_service"})
    );
    let metadata: Value = serde_json::from_slice(&event.metadata).unwrap();
    assert_eq!(metadata["source"], "/depot/köln");
    assert_eq!(
        metadata["cloudevent"],
        json!({
            "id": "A-1",
            "type": "com.example.fleet.VehicleStatusChanged",
            "subject": "185 123-4",
            "datacontenttype": "application/json",
        })
    );
}

#[test]
fn the_stream_is_told_in_several_ways() {
    let stream = |changes| take(&with(changes)).stream.to_string();
    assert_eq!(stream(json!({"subject": "Vehicle/185"})), "Vehicle/185");
    assert_eq!(
        stream(json!({"subject": "Track/7/8", "type": "Closed"})),
        "Track/7/8"
    );
    assert_eq!(
        stream(json!({"subject": "7", "type": "Closed", "aggregatetype": "Track"})),
        "Track/7"
    );
    assert_eq!(
        stream(json!({"type": "Closed", "aggregatetype": "Track", "aggregateid": "9"})),
        "Track/9"
    );
    refused(&with(json!({"type": "Closed"})), "subject");
    refused(&with(json!({"subject": null})), "subject");
    refused(
        &with(json!({"subject": null, "aggregatetype": "Track"})),
        "aggregateid",
    );
}

#[test]
fn the_type_carries_the_schema() {
    let event = take(&with(
        json!({"type": "org.depot.Track.Closed.v3", "subject": "Track/1"}),
    ));
    assert_eq!((event.event_type.as_ref(), event.schema), ("Closed", 3));
    let event = take(&with(json!({"type": "Closed", "subject": "Track/1"})));
    assert_eq!((event.event_type.as_ref(), event.schema), ("Closed", 1));
}

#[test]
fn its_id_and_source_make_it_known_again() {
    let first = take(&cloud_event());
    assert_eq!(
        take(&with(json!({"datacontenttype": "text/json"}))).id,
        first.id
    );
    assert_ne!(take(&with(json!({"id": "A-2"}))).id, first.id);
    assert_ne!(take(&with(json!({"source": "/depot/bonn"}))).id, first.id);
}

#[test]
fn extensions_are_kept() {
    let event = take(&with(
        json!({"correlationid": "c-7", "userid": "eva", "sequence": 5, "urgent": true}),
    ));
    let tags: Vec<&str> = event.tags.iter().map(|tag| &**tag).collect();
    assert_eq!(tags, ["correlation:c-7", "user:eva", FROM_FILE_TAG]);
    let metadata: Value = serde_json::from_slice(&event.metadata).unwrap();
    assert_eq!(
        (
            &metadata["cloudevent"]["sequence"],
            &metadata["cloudevent"]["urgent"]
        ),
        (&json!(5), &json!(true))
    );
}

#[test]
fn what_is_missing_or_not_understood_is_said() {
    for name in ["id", "source", "type"] {
        refused(&with(json!({name: null})), name);
        refused(&with(json!({name: ""})), name);
    }
    refused(&with(json!({"specversion": "0.3"})), "1.0");
    refused(&with(json!({"data": [1]})), "data");
    refused(&with(json!({"data_base64": "AA=="})), "data_base64");
    refused(&with(json!({"context": {"a": 1}})), "context");
    refused(&with(json!({"time": "yesterday"})), "occurred_at");
    assert_eq!(
        data(&take(&with(
            json!({"data": null, "type": "Closed", "subject": "T/1"})
        ))),
        json!({})
    );
}

#[test]
fn both_kinds_of_lines_mix() {
    let site = Site::new();
    // A payload that speaks of specversions does not make an event a CloudEvent.
    let tricky = lines(1..2).replace("\"track\"", "\"specversion\"");
    let text = format!("{}{}\n{tricky}", lines(0..1), cloud_event());
    let path = site.file("mixed.jsonl", text.as_bytes());
    assert_eq!(site.take(&site.options(&path)).appended, 3);
}

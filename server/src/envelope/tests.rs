use proptest::prelude::*;
use serde_json::{Value, json};
use storage::{EventReceipt, ExpectedVersion, Position, StreamName, Timestamp, Version};
use uuid::Uuid;

use super::*;

const ID: &str = "0191e9a4-7b1c-7c3d-8e4f-0123456789ab";

fn sample() -> Value {
    json!({"aggregate_type": "Crane", "aggregate_id": "C/7 ä?#%", "event_type": "CraneLifted", "data": {"kg": 1.50}})
}

/// The sample with this member set, or removed when the value is null.
fn with(member: &str, value: Value) -> Vec<u8> {
    let mut event = sample();
    event[member] = value;
    serde_json::to_vec(&event).unwrap()
}

#[track_caller]
fn check_refused(body: impl AsRef<[u8]>, loc: &[&str], kind: &str) {
    let body = body.as_ref();
    let Err(Refused(faults)) = parse_event(body) else {
        panic!("accepted: {}", String::from_utf8_lossy(body))
    };
    let found: Vec<(Vec<String>, String)> = faults
        .iter()
        .map(|fault| {
            (
                fault.loc.iter().map(ToString::to_string).collect(),
                fault.kind.to_string(),
            )
        })
        .collect();
    let wanted = (
        loc.iter().map(ToString::to_string).collect::<Vec<_>>(),
        kind.to_owned(),
    );
    assert!(
        found.contains(&wanted),
        "{found:?} lacks {wanted:?} for {}",
        String::from_utf8_lossy(body)
    );
}

/// The event as it would be shown after an append as position 5, version 2.
fn shown(envelope: &Envelope) -> Value {
    let receipt = EventReceipt {
        id: envelope.event.id.unwrap_or(Uuid::from_u128(1)),
        position: Position::new(5),
        version: Version::new(2),
        occurred_at: envelope
            .event
            .occurred_at
            .unwrap_or(Timestamp::from_micros(7)),
        recorded_at: Timestamp::from_micros(1_551_428_130_000_001),
    };
    let mut text = Vec::new();
    let event = &envelope.event;
    write_head(
        &EventHead::appended(&receipt, &envelope.stream, &event.event_type, event.schema),
        &mut text,
    );
    text.push(b',');
    write_tail(
        &event.data,
        &event.metadata,
        || event.tags.iter().map(|tag| &**tag),
        &mut text,
    );
    serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)))
}

#[test]
fn a_whole_event_is_read_and_shown_again() {
    let body = format!(
        r#" {{"aggregate_type":"Crane","aggregate_id":"C/7","event_type":"CraneLiftedEvent", "id":"{ID}", "event_id":"{ID}",
            "occurred_at":"2019-03-01T09:15:30.5+01:00","schema":3,"event_version":3,"expected_version":4,
            "data": {{ "z": 1.50, "a": [1, {{}}], "text": "\u00e4\n" }},
            "metadata": {{"source":"crane", "user_id":"u\"1", "n": null, "correlation_id":"c-1"}},
            "tags":["night","yard"]}} "#
    );
    let envelope = parse_event(body.as_bytes()).unwrap();
    assert_eq!(
        envelope.expected,
        Some(ExpectedVersion::Exact(Version::new(4)))
    );
    assert_eq!(&*envelope.event.event_type, "CraneLifted");
    assert_eq!(
        envelope.event.data,
        br#"{"z":1.50,"a":[1,{}],"text":"\u00e4\n"}"#
    );
    assert_eq!(envelope.event.metadata, br#"{"source":"crane","n":null}"#);
    let tags: Vec<&str> = envelope.event.tags.iter().map(|tag| &**tag).collect();
    assert_eq!(
        tags,
        ["user:u\"1", "correlation:c-1", "tag:night", "tag:yard"]
    );
    assert_eq!(
        shown(&envelope),
        json!({
            "id": ID, "event_id": ID, "position": 5, "version": 2, "aggregate_version": 2, "aggregate_type": "Crane",
            "aggregate_id": "C/7", "event_type": "CraneLifted", "schema": 3, "event_version": 3,
            "occurred_at": "2019-03-01T08:15:30.500000Z", "recorded_at": "2019-03-01T08:15:30.000001Z",
            "data": {"z": 1.5, "a": [1, {}], "text": "ä\n"}, "tags": ["night", "yard"],
            "metadata": {"user_id": "u\"1", "correlation_id": "c-1", "source": "crane", "n": null},
        })
    );
}

#[test]
fn what_is_optional_may_be_absent_or_null() {
    let bare = parse_event(&serde_json::to_vec(&sample()).unwrap()).unwrap();
    assert_eq!(
        (
            bare.expected,
            bare.event.id,
            bare.event.occurred_at,
            bare.event.schema
        ),
        (None, None, None, 1)
    );
    assert!(bare.event.metadata.is_empty() && bare.event.tags.is_empty());
    let mut nulls = sample();
    for member in [
        "id",
        "event_id",
        "occurred_at",
        "schema",
        "event_version",
        "expected_version",
        "metadata",
        "tags",
    ] {
        nulls[member] = Value::Null;
    }
    assert_eq!(parse_event(&serde_json::to_vec(&nulls).unwrap()), Ok(bare));
}

#[test]
fn every_expected_version_is_understood() {
    for (given, expected) in [
        (json!(0), ExpectedVersion::Exact(Version::NONE)),
        (json!(u32::MAX), ExpectedVersion::Exact(Version::MAX)),
        (json!("any"), ExpectedVersion::Any),
        (json!("no_stream"), ExpectedVersion::NoStream),
        (json!("exists"), ExpectedVersion::Exists),
    ] {
        assert_eq!(
            parse_event(&with("expected_version", given))
                .unwrap()
                .expected,
            Some(expected)
        );
    }
    for given in [
        json!(-1),
        json!(1.5),
        json!("3"),
        json!(4_294_967_296_u64),
        json!([]),
        json!(true),
    ] {
        check_refused(
            with("expected_version", given),
            &["body", "expected_version"],
            "expected_version",
        );
    }
}

#[test]
fn each_bad_member_is_refused_by_its_place() {
    check_refused(
        with("aggregate_type", json!(1)),
        &["body", "aggregate_type"],
        "string_type",
    );
    check_refused(
        with("aggregate_type", json!("")),
        &["body", "aggregate_type"],
        "string_too_short",
    );
    check_refused(
        with("aggregate_type", json!("a".repeat(256))),
        &["body", "aggregate_type"],
        "string_too_long",
    );
    check_refused(
        with("aggregate_type", json!("a\nb")),
        &["body", "aggregate_type"],
        "string_pattern",
    );
    check_refused(
        with("aggregate_type", json!("User")),
        &["body", "aggregate_type"],
        "internal_stream",
    );
    check_refused(
        with("aggregate_id", json!(7)),
        &["body", "aggregate_id"],
        "string_type",
    );
    check_refused(
        with("aggregate_id", json!("")),
        &["body", "aggregate_id"],
        "string_too_short",
    );
    check_refused(
        with("aggregate_id", json!("a\0b")),
        &["body", "aggregate_id"],
        "string_pattern",
    );
    check_refused(
        with("aggregate_id", json!("ä".repeat(513))),
        &["body", "aggregate_id"],
        "string_too_long",
    );
    check_refused(
        with("event_type", json!(null)),
        &["body", "event_type"],
        "string_type",
    );
    check_refused(with("data", json!([])), &["body", "data"], "dict_type");
    check_refused(with("data", json!("{}")), &["body", "data"], "dict_type");
    check_refused(
        with("metadata", json!(3)),
        &["body", "metadata"],
        "dict_type",
    );
    check_refused(
        with("metadata", json!({"user_id": 7})),
        &["body", "metadata", "user_id"],
        "string_type",
    );
    check_refused(
        with("metadata", json!({"user_id": "u".repeat(251)})),
        &["body", "metadata", "user_id"],
        "string_too_long",
    );
    check_refused(
        with("metadata", json!({"x": "m".repeat(65_536)})),
        &["body", "metadata"],
        "too_long",
    );
    check_refused(with("id", json!("7")), &["body", "id"], "uuid_parsing");
    check_refused(
        with("id", json!(Uuid::nil().to_string())),
        &["body", "id"],
        "uuid_parsing",
    );
    check_refused(
        with("occurred_at", json!("99999-01-01T00:00:00Z")),
        &["body", "occurred_at"],
        "datetime_parsing",
    );
    check_refused(
        with("occurred_at", json!(1_551_428_130)),
        &["body", "occurred_at"],
        "string_type",
    );
    check_refused(with("schema", json!(0)), &["body", "schema"], "int_parsing");
    check_refused(
        with("event_version", json!("1")),
        &["body", "event_version"],
        "int_parsing",
    );
    check_refused(with("tags", json!("a")), &["body", "tags"], "list_type");
    check_refused(
        with("tags", json!(["ok", ""])),
        &["body", "tags", "1"],
        "string_too_short",
    );
    check_refused(
        with("tags", json!(vec!["t"; 254])),
        &["body", "tags"],
        "too_long",
    );
    for forbidden in [
        "position",
        "version",
        "aggregate_version",
        "recorded_at",
        "occured_at",
        "role",
    ] {
        check_refused(
            with(forbidden, json!(1)),
            &["body", forbidden],
            "extra_forbidden",
        );
    }
    check_refused("[]", &["body"], "dict_type");
    for member in ["aggregate_type", "aggregate_id", "event_type", "data"] {
        check_refused("{}", &["body", member], "missing");
    }
}

#[test]
fn two_spellings_of_one_member_must_agree() {
    let mut event = sample();
    event["id"] = json!(ID);
    event["event_id"] = json!(Uuid::from_u128(9).to_string());
    event["schema"] = json!(1);
    event["event_version"] = json!(2);
    let body = serde_json::to_vec(&event).unwrap();
    check_refused(&body, &["body", "id"], "value_error");
    check_refused(&body, &["body", "schema"], "value_error");
}

#[test]
fn broken_json_is_refused_with_the_byte() {
    check_refused("", &["body", "0"], "json_invalid");
    check_refused(r#"{"data":{"a":NaN}}"#, &["body", "13"], "json_invalid");
    check_refused(r#"{"data":{"a":1,"a":2}}"#, &["body", "15"], "json_invalid");
    check_refused(r#"{"a":1}{"#, &["body", "7"], "json_invalid");
    check_refused(b"{\"data\":\"\xff\"}", &["body", "9"], "json_invalid");
    check_refused(
        format!("{{\"data\":{}", "[".repeat(100)),
        &["body", "71"],
        "json_invalid",
    );
}

#[test]
fn every_fault_is_reported_at_once() {
    let Err(Refused(faults)) = parse_event(br#"{"aggregate_type":1,"data":[],"schema":-1,"x":0}"#)
    else {
        panic!()
    };
    assert_eq!(faults.len(), 6, "{faults:?}");
}

#[test]
fn a_batch_keeps_order_and_expectations() {
    let event = |id: &str, expected: Value| {
        let mut event = sample();
        event["aggregate_id"] = json!(id);
        event["expected_version"] = expected;
        event
    };
    let events = json!([
        event("a", json!(0)),
        event("a", json!(null)),
        event("b", json!(null)),
        event("a", json!(2))
    ]);
    let batch = parse_batch(&serde_json::to_vec(&events).unwrap(), 4).unwrap();
    let writes: Vec<(&str, ExpectedVersion, usize)> = batch
        .transaction
        .writes
        .iter()
        .map(|write| {
            (
                &*write.stream.aggregate_id,
                write.expected,
                write.events.len(),
            )
        })
        .collect();
    assert_eq!(
        writes,
        [
            ("a", ExpectedVersion::Exact(Version::NONE), 2),
            ("b", ExpectedVersion::Any, 1),
            ("a", ExpectedVersion::Exact(Version::new(2)), 1),
        ]
    );
    assert_eq!(batch.count, 4);
    let wrapped = json!({"events": events});
    assert_eq!(
        parse_batch(&serde_json::to_vec(&wrapped).unwrap(), 4),
        Ok(batch)
    );
    assert_eq!(
        parse_batch(&serde_json::to_vec(&wrapped).unwrap(), 3),
        Err(BatchError::TooMany { limit: 3 })
    );
}

#[test]
fn an_event_of_a_batch_follows_its_stream_however_that_is_spelled() {
    let event = |aggregate_type: &str, id: &str| {
        format!(
            r#"{{"aggregate_type":"{aggregate_type}","aggregate_id":"{id}","event_type":"X","data":{{}}}}"#
        )
    };
    let events = [
        event("Crane", "a"),
        event(r"\u0043rane", r"\u0061"),
        event("Track", "a"),
        event(r"Tr\u0061ck", "b"),
    ];
    let batch = parse_batch(format!("[{}]", events.join(",")).as_bytes(), 4).unwrap();
    let writes = batch.transaction.writes.iter();
    let writes: Vec<_> = writes
        .map(|write| (write.stream.clone(), write.events.len()))
        .collect();
    assert_eq!(
        writes,
        [
            (StreamName::new("Crane", "a"), 2),
            (StreamName::new("Track", "a"), 1),
            (StreamName::new("Track", "b"), 1),
        ]
    );
}

#[test]
fn a_batch_may_carry_a_condition() {
    let body = json!({
        "condition": {"after": 12, "query": [{"tags": ["x"], "event_types": ["CraneLiftedEvent"],
            "streams": [{"aggregate_type": "Crane", "aggregate_id": "1"}]}]},
        "events": [sample()],
    });
    let batch = parse_batch(&serde_json::to_vec(&body).unwrap(), 10).unwrap();
    let condition = batch.transaction.condition.unwrap();
    assert_eq!(condition.after, Position::new(12));
    let item = &condition.query.items[0];
    assert_eq!(item.tags, vec![Box::from("tag:x")]);
    assert_eq!(
        item.event_types,
        vec![Box::from("CraneLifted"), Box::from("CraneLiftedEvent")]
    );
    for condition in [
        json!({"after": -1, "query": []}),
        json!({"after": 1}),
        json!([]),
        json!({"after": 1, "query": [], "x": 1}),
    ] {
        let body = json!({"condition": condition, "events": [sample()]});
        let error = parse_batch(&serde_json::to_vec(&body).unwrap(), 10).unwrap_err();
        assert!(error.to_string().starts_with("body.condition"), "{error}");
    }
}

#[test]
fn faults_of_a_batch_name_the_event() {
    let mut bad = sample();
    bad["schema"] = json!(0);
    let body = serde_json::to_vec(&json!({"events": [sample(), bad, 7]})).unwrap();
    let error = parse_batch(&body, 10).unwrap_err().to_string();
    assert!(error.contains("body.events.1.schema"), "{error}");
    assert!(
        error.contains("body.events.2: must be an object"),
        "{error}"
    );
    for (body, place) in [
        ("{}", "body.events: is required"),
        (r#"{"events":[]}"#, "at least one"),
        (r#"{"events":1}"#, "an array"),
        ("3", "body: must be"),
        (r#"{"events":[],"x":1}"#, "body.x"),
    ] {
        let error = parse_batch(body.as_bytes(), 10).unwrap_err().to_string();
        assert!(error.contains(place), "{body}: {error}");
    }
}

#[test]
fn stored_bytes_that_are_no_json_are_shown_as_null() {
    for data in [&b""[..], b"\x00\x01", b"[1]", b"{"] {
        let mut text = Vec::new();
        text.push(b'{');
        write_tail(data, b"", std::iter::empty, &mut text);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            r#"{"data":null,"metadata":{}}"#
        );
    }
}

fn any_object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map(any::<String>(), value, 0..6)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

proptest! {
    #[test]
    fn what_is_accepted_is_shown_as_it_was_sent(
        aggregate_id in "[^\0]{1,60}",
        data in any_object(),
        metadata in any_object(),
        user in prop::option::of("[a-zA-Z0-9 äß\"\\\\-]{1,40}"),
        tags in prop::collection::vec("[a-z\"/]{1,12}", 0..4),
    ) {
        let mut metadata = metadata;
        if let Some(user) = &user {
            metadata["user_id"] = json!(user);
        }
        let mut event = sample();
        event["aggregate_id"] = json!(aggregate_id);
        event["data"] = data.clone();
        event["metadata"] = metadata.clone();
        event["tags"] = json!(tags);
        let envelope = parse_event(&serde_json::to_vec_pretty(&event).unwrap()).unwrap();
        let shown = shown(&envelope);
        prop_assert_eq!(&shown["data"], &data);
        prop_assert_eq!(&shown["metadata"], &metadata);
        prop_assert_eq!(&shown["aggregate_id"], &json!(aggregate_id));
        prop_assert_eq!(shown.get("tags").cloned().unwrap_or(json!([])), json!(tags));
        // What was shown can be sent again, less what the log assigned.
        let mut again = shown.clone();
        for assigned in ["position", "version", "aggregate_version", "recorded_at", "id", "event_id", "occurred_at"] {
            again.as_object_mut().unwrap().remove(assigned);
        }
        let again = parse_event(&serde_json::to_vec(&again).unwrap()).unwrap();
        prop_assert_eq!(again.stream, envelope.stream);
        prop_assert_eq!(again.event.event_type, envelope.event.event_type);
    }

    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse_event(&bytes).is_err());
        prop_assert!(parse_batch(&bytes, 10).is_err());
    }

    #[test]
    fn every_truncation_is_refused(cut in 0_usize..120) {
        let body = serde_json::to_vec(&sample()).unwrap();
        if cut < body.len() {
            prop_assert!(parse_event(&body[..cut]).is_err());
        }
    }
}

#[test]
fn no_aggregate_has_more_business_keys_than_there_is_room_for() {
    for aggregate in fleet::registry().aggregates() {
        let keys = aggregate.listing.keys;
        assert!(
            keys.len() <= parse::KEYS_MAX,
            "{}",
            aggregate.aggregate_type
        );
    }
}

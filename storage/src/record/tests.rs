//! Records as bytes, and bytes that are no records.

use proptest::prelude::*;

use super::*;

fn seed() -> Seed {
    Seed::new(Uuid::from_u128(0x1111), SegmentId::new(3))
}

const AT: Position = Position::new(77);

/// One record of each kind, as the writer lays it out.
fn each_kind() -> [Vec<u8>; 4] {
    let (mut of_type, mut of_stream, mut of_event, mut of_commit) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    write_type_name(&mut of_type, seed(), TypeNameOf::Event, 2, "Tx");
    write_stream_name(&mut of_stream, seed(), 5, 1, "ä1");
    let tags = ["a".into(), "bc".into()];
    let event = EventToWrite {
        stream: 5,
        version: Version::new(9),
        event_type: 2,
        schema: 7,
        id: Uuid::from_u128(0xABCD),
        occurred_at: Some(Timestamp::from_micros(-5)),
        recorded_at: Timestamp::from_micros(1_000),
        ends_transaction: true,
        tags: &tags,
        metadata: b"{}",
        data: b"data!",
    };
    write_event(&mut of_event, seed(), AT, &event);
    write_commit(&mut of_commit, seed(), &a_commit());
    [of_type, of_stream, of_event, of_commit]
}

fn a_commit() -> Commit {
    Commit {
        event_count: 1,
        first_position: AT,
        durable: AT.previous(),
        group_bytes: 123,
        chain: std::array::from_fn(|at| u8::try_from(at).unwrap()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The expected bytes were put together by another program, with zlib's CRC32.
#[test]
fn records_lie_in_a_segment_as_drawn() {
    let [of_type, of_stream, of_event, of_commit] = each_kind().map(|bytes| hex(&bytes));
    assert_eq!(of_type, "12000000dae687ba03010200547812000000");
    assert_eq!(of_stream, "1700000035e16d0b0200010005000000c3a43117000000");
    assert_eq!(
        of_event,
        "49000000672381d901030200070002000500000009000000fbffffffffffffffe803000000000000\
         0000000000000000000000000000abcd0201610262637b7d646174612149000000"
    );
    assert_eq!(
        of_commit,
        "500000006b36a56104000000010000004d000000000000004c000000000000007b00000000010203\
         0405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f5246434f4d4d495450000000"
    );
}

#[test]
fn records_come_out_as_they_went_in() {
    let [of_type, of_stream, of_event, of_commit] = each_kind();
    let (record, length) = read(&of_type, seed(), AT).unwrap();
    let name = "Tx";
    let (of, number) = (TypeNameOf::Event, 2);
    assert_eq!(record, Record::TypeName { of, number, name });
    assert_eq!(length, of_type.len());

    let (record, _) = read(&of_stream, seed(), AT).unwrap();
    let expected = Record::StreamName {
        number: 5,
        aggregate_type: 1,
        aggregate_id: "ä1",
    };
    assert_eq!(record, expected);

    let event = read_event(&of_event, seed(), AT).unwrap();
    assert_eq!((event.stream, event.version), (5, Version::new(9)));
    assert_eq!((event.event_type, event.schema), (2, 7));
    assert_eq!(event.id, Uuid::from_u128(0xABCD));
    assert_eq!(event.occurred_at, Timestamp::from_micros(-5));
    assert_eq!(event.recorded_at, Timestamp::from_micros(1_000));
    assert!(event.ends_transaction && event.occurred_at_given);
    assert_eq!(event.tags().collect::<Vec<_>>(), ["a", "bc"]);
    assert_eq!((event.metadata, event.data), (&b"{}"[..], &b"data!"[..]));
    assert_eq!(event.bytes, of_event);

    let (record, length) = read(&of_commit, seed(), AT).unwrap();
    assert_eq!(record, Record::Commit(a_commit()));
    assert_eq!(length, COMMIT_BYTES);
    assert_eq!(
        read_event(&of_commit, seed(), AT),
        Err(Fault::Checksum),
        "a marker is no event"
    );
}

#[test]
fn more_bytes_behind_a_record_change_nothing() {
    for bytes in each_kind() {
        let mut more = bytes.clone();
        more.extend_from_slice(b"whatever follows");
        assert_eq!(
            read(&more, seed(), AT).map(|(_, length)| length),
            Ok(bytes.len())
        );
    }
}

#[test]
fn a_record_cut_short_is_none() {
    for bytes in each_kind() {
        for length in 0..bytes.len() {
            assert!(
                read(&bytes[..length], seed(), AT).is_err(),
                "cut at {length} of {}",
                bytes.len()
            );
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for bytes in each_kind() {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(read(&flipped, seed(), AT).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}

/// Found by the flips of `recovery`: the lowest byte of a CRC's start and the first byte covered, the kind, cancel each
/// other, so the name of stream 1 could be read as that of type 0 with one bit flipped.
#[test]
fn a_name_of_one_kind_is_none_of_the_other() {
    for stream in 0..64 {
        for aggregate_type in 0..64 {
            let mut bytes = Vec::new();
            write_stream_name(&mut bytes, seed(), stream, aggregate_type, "id");
            bytes[8] = KIND_TYPE_NAME;
            assert_eq!(read(&bytes, seed(), AT), Err(Fault::Checksum));
        }
    }
}

#[test]
fn an_event_at_another_position_does_not_verify() {
    let [_, _, of_event, _] = each_kind();
    for position in (0..200).filter(|&position| position != AT.get()) {
        assert_eq!(
            read(&of_event, seed(), Position::new(position)),
            Err(Fault::Checksum)
        );
        assert!(!is_event_at(&of_event, seed(), Position::new(position)));
    }
    assert!(is_event_at(&of_event, seed(), AT));
}

#[test]
fn a_record_in_another_segment_or_log_does_not_verify() {
    let others = [
        Seed::new(Uuid::from_u128(0x1111), SegmentId::new(4)),
        Seed::new(Uuid::from_u128(0x1112), SegmentId::new(3)),
    ];
    for bytes in each_kind() {
        for other in others {
            assert_eq!(read(&bytes, other, AT), Err(Fault::Checksum));
        }
    }
}

/// A name's number is part of what its checksum starts from, so that it cannot be taken for an event's.
#[test]
fn names_do_not_depend_on_the_position() {
    let [of_type, of_stream, _, of_commit] = each_kind();
    for bytes in [of_type, of_stream, of_commit] {
        assert!(read(&bytes, seed(), Position::START).is_ok());
    }
}

#[test]
fn unwritten_space_is_told_from_damage() {
    assert_eq!(read(&[0; 64], seed(), AT), Err(Fault::Unwritten));
    assert_eq!(read(&[], seed(), AT), Err(Fault::Short));
    assert_eq!(read(&[0; 3], seed(), AT), Err(Fault::Short));
    assert_eq!(
        read(&[12, 0, 0, 0, 12, 0, 0, 0, 12, 0, 0, 0], seed(), AT),
        Err(Fault::Length),
        "no record is this short"
    );
    assert_eq!(read(&[200, 0, 0, 0, 1], seed(), AT), Err(Fault::Short));
}

/// Lays a record of any kind and body out, with a checksum that agrees.
fn forged(kind: u8, body: &[u8], crc_start: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let start = begin(&mut bytes, kind);
    bytes.extend_from_slice(body);
    end(&mut bytes, start, crc_start);
    bytes
}

/// What no writer writes is refused although its checksum agrees.
#[test]
fn sound_checksums_over_nonsense_are_refused() {
    let at = seed().at(AT);
    let refused = |bytes: Vec<u8>, why: &str| {
        assert!(read(&bytes, seed(), AT).is_err(), "{why}");
    };
    refused(forged(0, b"abc", at), "kind 0");
    refused(forged(9, &[0; 80], at), "kind 9");
    refused(forged(KIND_EVENT, &[0; 20], at), "an event too short");
    let mut body = [0; 48];
    body[5] = 1;
    refused(forged(KIND_EVENT, &body, at), "metadata beyond the record");
    let mut body = [0; 48];
    body[47] = 1;
    refused(forged(KIND_EVENT, &body, at), "a tag without its length");
    let mut body = [0; 50];
    (body[47], body[48]) = (1, 9);
    refused(forged(KIND_EVENT, &body, at), "a tag beyond the record");
    refused(forged(KIND_COMMIT, &[0; 67], at), "a marker without magic");
    refused(forged(KIND_COMMIT, &[0; 60], at), "a marker too short");
    refused(
        forged(KIND_STREAM_NAME, &[0; 7], seed().for_stream(0)),
        "a stream without an id",
    );
    refused(
        forged(
            KIND_STREAM_NAME,
            &[0, 0, 0, 0, 0, 0, 0, 0xff],
            seed().for_stream(0),
        ),
        "an id that is no text",
    );
    refused(
        forged(KIND_TYPE_NAME, &[2, 0, 0, b'x'], seed().for_type(0)),
        "a third table of types",
    );
    refused(
        forged(KIND_TYPE_NAME, &[1, 0, 0, 0xff], seed().for_type(0)),
        "a type that is no text",
    );
}

#[test]
fn tags_that_are_no_text_are_left_out() {
    let mut body = vec![0; 47];
    body.extend_from_slice(&[2, 1, 0xff, 1, b'x']);
    let bytes = forged(KIND_EVENT, &body, seed().at(AT));
    let event = read_event(&bytes, seed(), AT).unwrap();
    assert_eq!(event.tag_count, 2);
    assert_eq!(event.tags().collect::<Vec<_>>(), ["x"]);
}

#[test]
fn records_are_walked_backwards() {
    let records = each_kind();
    let bytes = records.concat();
    let mut end = bytes.len();
    for record in records.iter().rev() {
        assert_eq!(length_before(&bytes[..end]), Ok(record.len()));
        end -= record.len();
    }
    assert_eq!(end, 0);
    assert_eq!(length_before(&[]), Err(Fault::Short));
    assert_eq!(length_before(&[9, 0, 0, 0]), Err(Fault::Length));
}

#[test]
fn fields_can_be_peeked_at() {
    let [_, _, of_event, of_commit] = each_kind();
    assert!(claims_event(&of_event) && !claims_event(&of_commit));
    assert_eq!(peek_id(&of_event), Some(Uuid::from_u128(0xABCD)));
    assert_eq!(
        parse_verified(&of_event),
        read_event(&of_event, seed(), AT).ok()
    );
    for length in 0..20 {
        assert_eq!(peek_id(&of_event[..length]), None);
        assert_eq!(parse_verified(&of_event[..length]), None);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_record(bytes in proptest::collection::vec(any::<u8>(), 0..300), position in any::<u64>()) {
        // A CRC of 32 bits lets one in four billion through: none that a fixed number of cases will meet.
        let position = Position::new(position);
        prop_assert!(read(&bytes, seed(), position).is_err());
        let _ = (length_before(&bytes), parse_verified(&bytes), peek_id(&bytes));
    }

    #[test]
    fn arbitrary_events_come_out_as_they_went_in(
        numbers in (any::<u32>(), 1..u32::MAX, any::<u16>(), any::<u16>()),
        id in any::<u128>(),
        times in (proptest::option::of(any::<i64>()), any::<i64>()),
        ends_transaction in any::<bool>(),
        tags in proptest::collection::vec("[a-zäß:]{1,40}", 0..6),
        metadata in proptest::collection::vec(any::<u8>(), 0..100),
        data in proptest::collection::vec(any::<u8>(), 0..300),
        position in any::<u64>(),
    ) {
        let (stream, version, event_type, schema) = numbers;
        let tags: Vec<Box<str>> = tags.into_iter().map(Into::into).collect();
        let to_write = EventToWrite {
            stream,
            version: Version::new(version),
            event_type,
            schema,
            id: Uuid::from_u128(id),
            occurred_at: times.0.map(Timestamp::from_micros),
            recorded_at: Timestamp::from_micros(times.1),
            ends_transaction,
            tags: &tags,
            metadata: &metadata,
            data: &data,
        };
        let (position, mut bytes) = (Position::new(position), Vec::new());
        write_event(&mut bytes, seed(), position, &to_write);
        let tag_bytes = tags.iter().map(|tag| 1 + tag.len()).sum();
        prop_assert_eq!(bytes.len(), event_bytes(tag_bytes, metadata.len(), data.len()));
        let read = read_event(&bytes, seed(), position).unwrap();
        prop_assert_eq!((read.stream, read.version.get(), read.event_type, read.schema), numbers);
        prop_assert_eq!(read.id.as_u128(), id);
        prop_assert_eq!(read.occurred_at_given, times.0.is_some());
        prop_assert_eq!(read.occurred_at.micros(), times.0.unwrap_or(times.1));
        prop_assert_eq!(read.recorded_at.micros(), times.1);
        prop_assert_eq!(read.ends_transaction, ends_transaction);
        prop_assert_eq!(read.tags().map(Box::from).collect::<Vec<Box<str>>>(), tags);
        prop_assert_eq!((read.metadata, read.data), (&*metadata, &*data));
    }
}

//! The corpus and mutations of it, without a fuzzer.

use fuzz_replay::replay;

use super::*;
use crate::few::Few;
use crate::sheet::{Key, sign};

fn messages() -> Vec<Vec<u8>> {
    let message = |number: u8| {
        let data = format!(r#"{{"km":{number}}}"#);
        let message = Message {
            log: 7,
            depot: "Nord",
            position: 300 * u64::from(number),
            before: number.into(),
            recorded_at: 1_700_000_000_000_000,
            occurred_at: -2,
            id: u128::from(number) << 90,
            aggregate_type: "Vehicle",
            aggregate_id: "185 123-4",
            event_type: "VehicleMileageRecorded",
            schema: 1,
            tags: Few(["user:technik", "origin:1", "tag:x"][..usize::from(number) % 4].to_vec()),
            metadata: b"{}",
            data: data.as_bytes(),
        };
        message.encode()
    };
    (0..6).map(message).collect()
}

#[test]
fn message_corpus() {
    replay("message", &messages(), message);
}

#[test]
fn sheet_corpus() {
    let mut seeds = sign(&Key::new(&[1; 32]), Uuid::from_u128(7), &messages());
    seeds.push(key_text([0xa5; 32]).into_bytes());
    replay("sheet", &seeds, sheet);
}

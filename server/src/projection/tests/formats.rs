//! The bytes of a checkpoint, fixed: whoever changes them raises a format number, so that old ones are left and folded
//! anew, and writes the new bytes here.

use serde_json::json;

use super::harness::{BEGINNING, Depot, HOUR};
use crate::projection::catalog::CatalogModel;
use crate::projection::checkpoint::PAGE_KIND;
use crate::projection::event_counts::EventCountsModel;
use crate::projection::projector::{Patience, Projector};
use crate::projection::read_model::ReadModel;

/// The rows of a small history as they are saved, in hexadecimal.
fn saved_rows<M: ReadModel>() -> String {
    let depot = Depot::new();
    depot.append_at(
        ("Vehicle", "7"),
        "VehicleCreated",
        BEGINNING - 40 * HOUR,
        &json!({"asset_id": "7", "model": "T1", "status": "available", "current_mileage_km": 12}),
    );
    depot.append_at(
        ("Vehicle", "7"),
        "VehicleIncidentReported",
        BEGINNING,
        &json!({"delay_min": 3, "fault_group": "door", "is_failure": true}),
    );
    depot.append_at(
        ("Depot", "ü"),
        "DepotDeleted",
        BEGINNING,
        &json!({"free": [1, null, 2.5, {"a": true}]}),
    );
    let mut projector = Projector::<M>::default();
    projector
        .advance(
            depot.log(),
            depot.log().durable_position(),
            Patience::Insist,
        )
        .unwrap();
    let batch = projector.checkpoint(uuid::Uuid::nil(), true);
    let rows = batch.pages.iter().flat_map(|(_, page)| {
        // How zstd packs is its own affair, and differs between its versions.
        let (payload, _) = storage::frame::decode(page, PAGE_KIND, M::FORMAT).unwrap();
        let (length, packed) = payload.split_first_chunk().unwrap();
        zstd::bulk::decompress(packed, u32::from_le_bytes(*length) as usize).unwrap()
    });
    rows.map(|byte| format!("{byte:02x}")).collect()
}

#[track_caller]
fn check<M: ReadModel>(format: u16, expected: &str) {
    assert_eq!(
        M::FORMAT,
        format,
        "a new format number has its own bytes here"
    );
    assert_eq!(
        saved_rows::<M>(),
        expected.replace(char::is_whitespace, ""),
        "{}",
        M::NAME
    );
}

#[test]
fn current_state_format_5() {
    check::<CatalogModel>(5, include_str!("golden/current_state-5.hex"));
}

#[test]
fn event_counts_format_1() {
    check::<EventCountsModel>(1, include_str!("golden/event_counts-1.hex"));
}

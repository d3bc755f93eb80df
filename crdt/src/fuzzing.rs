//! What the fuzzer of `fuzz/` and the replay of its corpus call: whatever a tablet sends, and what is saved of tablets.
//!
//! The wire has one form for each value, so what is read must be written back byte for byte.

use crate::clock::{HybridClock, Stamp, VectorClock};
use crate::collapsed::{CollapsedEntity, Handle};
use crate::entity::{EntityState, EntityTable};
use crate::json::{stamp_from_text, stamp_to_text};
use crate::replica::DeviceId;
use crate::sync::{Basis, Cursor, Depot, Frame, Page, PushAnswer, Tables};
use crate::wire::{Wire, from_bytes, to_bytes};

#[cfg(test)]
use crate::sim::tests::crdt_tables as tables;
#[cfg(not(test))]
#[path = "../tests/tables/mod.rs"]
#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "the tests' tables, whole"
)]
mod tables;

use tables::{TABLES, VEHICLE, WORK_ORDER};

/// Knows an entity for every handle: even ones are vehicles, odd ones work orders.
#[derive(Debug)]
pub(crate) struct Everything;

impl Tables for Everything {
    fn table_of_handle(&self, handle: Handle) -> Option<&'static EntityTable> {
        Some(if handle.0.is_multiple_of(2) {
            &VEHICLE
        } else {
            &WORK_ORDER
        })
    }

    fn table_numbered(&self, number: u16) -> Option<&'static EntityTable> {
        TABLES.iter().copied().find(|table| table.number == number)
    }
}

/// What a tablet pushes.
pub fn frame(bytes: &[u8]) {
    for basis in [
        Basis::START,
        Basis::new(crate::LogPosition::new(3), 1_790_000_000_000),
    ] {
        if let Ok(frame) = Frame::decode(bytes, &basis, &Everything) {
            assert_eq!(frame.encode(&basis, &Everything), bytes);
        }
    }
}

/// What a tablet is sent: a page, and the answer to a push.
pub fn page(bytes: &[u8]) {
    if let Ok(page) = Page::decode(bytes, &Everything) {
        assert_eq!(page.encode(&Everything), bytes);
    }
    one_form::<PushAnswer>(bytes);
}

/// A depot's tablets as they are saved.
pub fn checkpoint(bytes: &[u8]) {
    let Ok(depot) = Depot::restore(&TABLES, 16, bytes) else {
        return;
    };
    let saved = depot.save();
    let again = Depot::restore(&TABLES, 16, &saved).expect("what was saved is read");
    assert_eq!(again.save(), saved);
}

/// A cursor, and the states that travel by themselves.
pub fn cursor(bytes: &[u8]) {
    one_form::<Cursor>(bytes);
    one_form::<Stamp>(bytes);
    one_form::<VectorClock<DeviceId>>(bytes);
    for table in TABLES.iter().copied() {
        if let Ok(state) = EntityState::<DeviceId>::from_bytes(table, bytes) {
            assert_eq!(state.to_bytes(), bytes);
        }
        if let Ok(entity) = CollapsedEntity::from_packed(table, bytes) {
            assert_eq!(entity.to_packed(), bytes);
        }
    }
}

fn one_form<T: Wire>(bytes: &[u8]) {
    if let Ok(value) = from_bytes::<T>(bytes) {
        assert_eq!(to_bytes(&value), bytes);
    }
}

/// Hybrid clocks: times as text, and a clock that hears times and is asked for them.
pub fn clock(bytes: &[u8]) {
    if let Some(stamp) = std::str::from_utf8(bytes).ok().and_then(stamp_from_text) {
        assert_eq!(stamp_from_text(&stamp_to_text(stamp)), Some(stamp));
    }
    let mut clock = HybridClock::default();
    for number in bytes.chunks_exact(9) {
        let (kind, rest) = (number[0], number.last_chunk().copied().unwrap_or_default());
        let number = u64::from_le_bytes(rest);
        let last = clock.last();
        match kind % 3 {
            0 => clock.observe(Stamp::from_bits(number)),
            1 => clock.set_offset_ms(number.cast_signed()),
            _ => {
                let stamp = clock.tick(number);
                assert!(
                    stamp > last || last == Stamp::from_bits(u64::MAX),
                    "{stamp:?} after {last:?}"
                );
                assert_eq!(stamp, clock.last());
            }
        }
        assert!(clock.last() >= last);
    }
}

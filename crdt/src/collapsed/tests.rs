//! What the simulation does not see: a write that is taken back leaves the register as it was, and a device is not sent again
//! what it has.

use super::register::WriteUndo;
use super::view::{Update, updates_since};
use super::{CollapsedField, CollapsedMap, CollapsedRegister, Origin, SIBLINGS_MAX, Write};
use crate::clock::{LogPosition, Stamp};
use crate::replica::DeviceId;
use crate::value::Value;
use proptest::prelude::*;

/// A write: device, how far back its base lies, its stamp.
type Drawn = (u32, u64, u64);

fn writes() -> impl Strategy<Value = Vec<Drawn>> {
    // Most bases lie far back, so that siblings pile up beyond what is kept.
    let base = prop_oneof![4 => Just(1_000_u64), 1 => 0..12_u64];
    prop::collection::vec((0..14_u32, base, 0..20_u64), 1..60)
}

proptest! {
    #[test]
    fn a_write_that_is_taken_back_leaves_no_trace(drawn in writes(), keeps_siblings: bool) {
        let mut register = CollapsedRegister::default();
        let mut most = 0;
        for (index, (device, back, stamp)) in drawn.into_iter().enumerate() {
            let position = LogPosition::new(index as u64 + 1);
            let device = DeviceId::new(device);
            let base = LogPosition::new((index as u64).saturating_sub(back));
            let origin = Origin { device, base, position };
            let write = Write {
                value: Value::from(index as i64),
                stamp: register.effective_stamp(&origin, Stamp::new(stamp, 0), 0).stamp,
                position,
                device,
                rank: 0,
            };
            let before = register.clone();
            let mut undo = WriteUndo::default();
            let wins = register.apply_noting(&origin, write.clone(), keeps_siblings, Some(&mut undo));
            let after = register.clone();
            register.undo(undo);
            prop_assert_eq!(&register, &before);
            prop_assert_eq!(register.apply(&origin, write, keeps_siblings), wins);
            prop_assert_eq!(&register, &after);
            most = most.max(register.siblings().len());
        }
        prop_assert!(most <= SIBLINGS_MAX);
    }
}

#[test]
fn a_device_is_sent_the_items_that_changed_behind_what_it_has() {
    let mut map = CollapsedMap::default();
    for at in 1..=3 {
        let position = LogPosition::new(at);
        let device = DeviceId::new(7);
        let base = LogPosition::new(at - 1);
        let origin = Origin {
            device,
            base,
            position,
        };
        let write = Write {
            value: Value::from(0),
            stamp: Stamp::new(at, 0),
            position,
            device,
            rank: 0,
        };
        map.put(&origin, &Value::from(at as i64), 0, write);
    }
    let field = CollapsedField::Map(Box::new(map));
    for from in 0..=3 {
        let mut sent = Vec::new();
        updates_since(&field, LogPosition::new(from), &mut |update| match update {
            Update::Item(key, Some(_)) => sent.push(key),
            other => panic!("{other:?}"),
        });
        let behind: Vec<Value> = (from + 1..=3).map(|at| Value::from(at as i64)).collect();
        assert_eq!(sent, behind, "from {from}");
    }
}

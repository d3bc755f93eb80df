//! What was signed is genuine, and nothing else is.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LOG: Uuid = Uuid::from_u128(7);

fn key(number: u8) -> Key {
    Key::new(&[number; 32])
}

fn is_genuine(bytes: &[u8], log: Uuid) -> bool {
    Signed::decode(bytes).is_ok_and(|signed| signed.is_genuine(log, &mut KnownSheets::default()))
}

#[test]
fn every_message_of_a_sheet_of_any_size_is_genuine_by_itself() {
    for size in [1, 2, 3, 5, 8, 31, 32, 33, 70_u8] {
        let messages: Vec<Vec<u8>> = (0..size).map(|number| vec![number; 3]).collect();
        let signed = sign(&key(1), LOG, &messages);
        assert_eq!(signed.len(), messages.len());
        let mut known = KnownSheets::default();
        for (bytes, message) in signed.iter().zip(&messages) {
            let one = Signed::decode(bytes).unwrap();
            assert_eq!((one.message, one.key), (&message[..], key(1).public()));
            assert!(one.is_genuine(LOG, &mut KnownSheets::default()), "{size}");
            assert!(one.is_genuine(LOG, &mut known), "{size}");
            assert!(!is_genuine(bytes, Uuid::from_u128(8)), "another log's");
        }
    }
}

#[test]
fn no_byte_can_be_changed() {
    let messages: Vec<Vec<u8>> = (0..5_u8).map(|number| vec![number; 9]).collect();
    let bytes = &sign(&key(1), LOG, &messages)[3];
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(!is_genuine(&changed, LOG), "byte {at}");
        assert!(!is_genuine(&bytes[..at], LOG), "the first {at} bytes");
    }
}

#[test]
fn a_known_sheet_vouches_for_its_own_messages_alone() {
    let ours = sign(&key(1), LOG, &[vec![1], vec![2]]);
    let theirs = sign(&key(2), LOG, &[vec![1], vec![2]]);
    let mut known = KnownSheets::default();
    let ours = Signed::decode(&ours[0]).unwrap();
    assert!(ours.is_genuine(LOG, &mut known));
    // The same messages and the same root under a key that did not sign.
    let mut theirs = Signed::decode(&theirs[1]).unwrap();
    theirs.signature = ours.signature;
    assert!(!theirs.is_genuine(LOG, &mut known));
    theirs.key = ours.key;
    theirs.message = &[9];
    assert!(!theirs.is_genuine(LOG, &mut known));
}

/// What was hashed on the way up from one message says nothing of another that it is not true of.
#[test]
fn the_way_of_messages_before_changes_no_root() {
    let messages: Vec<Vec<u8>> = (0..7_u8).map(|number| vec![number; 4]).collect();
    let signed = sign(&key(1), LOG, &messages);
    let mut way = Vec::new();
    for bytes in signed.iter().chain(signed.iter().rev()) {
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            for bytes in [bytes, &changed] {
                if let Ok(one) = Signed::decode(bytes) {
                    assert_eq!(one.root(&mut way), one.root(&mut Vec::new()), "byte {at}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_crash_and_not_genuine(mut bytes in vec(any::<u8>(), 0..400)) {
        if let Some(first) = bytes.first_mut() {
            *first = FORMAT;
        }
        prop_assert!(!is_genuine(&bytes, LOG));
    }
}

//! What is taken, what is refused, and what is asked for.

use proptest::prelude::*;

use super::*;
use crate::sheet::{self, Key};

const NORD: u128 = 0x1f;

/// A log that has nothing and wants everything.
struct Nothing;

impl Known for Nothing {
    fn has(&self, _: u128) -> bool {
        false
    }

    fn wants(&self, _: &Message<'_>) -> bool {
        true
    }
}

fn key() -> Key {
    Key::new(&[7; 32])
}

/// What the log publishes at these positions, in order.
fn published(log: u128, key: &Key, positions: &[u64]) -> Vec<Vec<u8>> {
    let mut before = 0;
    let mut messages = Vec::new();
    for position in positions {
        messages.push(message(log, *position, before).encode());
        before = *position;
    }
    sheet::sign(key, Uuid::from_u128(log), &messages)
}

fn message(log: u128, position: u64, before: u64) -> Message<'static> {
    Message {
        log,
        depot: "Nord",
        position,
        before,
        recorded_at: 3,
        occurred_at: 2,
        id: log << 64 | u128::from(position),
        aggregate_type: "Vehicle",
        aggregate_id: "1",
        event_type: "Seen",
        schema: 1,
        tags: Vec::new(),
        metadata: b"{}",
        data: b"{}",
    }
}

/// What becomes of messages that come so, one batch after the other: the positions that are taken, and how the log stands.
fn taken(batches: &[Vec<&[u8]>], never: &[u64], quarantined: &[u64]) -> (Vec<u64>, Judged) {
    let mut standing: BTreeMap<u128, Taken> = BTreeMap::new();
    let log = standing.entry(NORD).or_default();
    log.quarantined.extend(quarantined);
    let mut new = Vec::new();
    let mut last = Judged::default();
    for batch in batches {
        let mut known = BTreeMap::new();
        let mut delivered = Vec::new();
        for (sequence, bytes) in batch.iter().enumerate() {
            delivered.push(super::read(NORD, sequence as u64, bytes, &mut known));
        }
        let position = |place: &usize| delivered[*place].read.as_ref().unwrap().1.position;
        let mut refused = BTreeMap::new();
        let judged = loop {
            let judged = judge(&delivered, standing.clone(), &refused, &Nothing);
            let at_fault = judged
                .new
                .iter()
                .find(|place| never.contains(&position(place)));
            match at_fault {
                Some(place) => refused.insert(*place, "it is too large".to_owned()),
                None => break judged,
            };
        };
        new.extend(judged.new.iter().map(position));
        standing.clone_from(&judged.taken);
        last = judged;
    }
    (new, last)
}

fn all(messages: &[Vec<u8>]) -> Vec<&[u8]> {
    messages.iter().map(Vec::as_slice).collect()
}

#[test]
fn what_is_whole_is_taken_in_order() {
    let messages = published(NORD, &key(), &[2, 3, 9]);
    let (new, judged) = taken(&[all(&messages)], &[], &[]);
    assert_eq!(new, [2, 3, 9]);
    let nord = &judged.taken[&NORD];
    assert_eq!((nord.position, nord.key), (9, Some(key().public())));
    assert!(judged.missing.is_empty() && nord.refused.is_none());
}

#[test]
fn a_changed_message_is_refused_and_asked_for_and_comes_whole() {
    let messages = published(NORD, &key(), &[1, 2, 3]);
    let mut changed = messages[1].clone();
    *changed.last_mut().unwrap() ^= 1;
    let (new, judged) = taken(&[vec![&messages[0], &changed, &messages[2]]], &[], &[]);
    assert_eq!(new, [1], "nothing behind it");
    assert_eq!(judged.missing, BTreeMap::from([(NORD, 2)]));
    let refused = judged.taken[&NORD].refused.as_ref().unwrap();
    assert_eq!((refused.sequence, refused.position), (1, None));
    assert!(refused.reason.contains("signature"), "{}", refused.reason);

    let anew = published(NORD, &key(), &[2, 3]);
    let batches = [vec![&messages[0][..], &changed, &messages[2]], all(&anew)];
    let (new, judged) = taken(&batches, &[], &[]);
    assert_eq!((new, judged.taken[&NORD].position), (vec![1, 2, 3], 3));
    assert_eq!(judged.taken[&NORD].refused, None);
}

#[test]
fn a_dropped_message_is_missed_by_the_next() {
    let messages = published(NORD, &key(), &[1, 2, 3]);
    let (new, judged) = taken(&[vec![&messages[0], &messages[2]]], &[], &[]);
    assert_eq!(new, [1, 3]);
    assert_eq!(judged.missing, BTreeMap::from([(NORD, 2)]));
    assert_eq!(judged.taken[&NORD].position, 1);
}

#[test]
fn an_inserted_message_is_refused_and_what_follows_taken() {
    let messages = published(NORD, &key(), &[1, 2]);
    let forged = published(NORD, &Key::new(&[8; 32]), &[2]);
    let mut other = BTreeMap::new();
    let under_another = super::read(NORD + 1, 0, &messages[0], &mut other);
    assert!(under_another.read.is_err(), "another log's subject");
    let (new, judged) = taken(&[vec![&messages[0], &forged[0], &messages[1]]], &[], &[]);
    assert_eq!((new, judged.taken[&NORD].position), (vec![1, 2], 2));
}

#[test]
fn another_key_is_refused_and_explained_until_it_is_trusted() {
    let messages = published(NORD, &key(), &[1]);
    let other = Key::new(&[8; 32]);
    let later = sheet::sign(
        &other,
        Uuid::from_u128(NORD),
        &[message(NORD, 2, 1).encode()],
    );
    let (new, judged) = taken(&[all(&messages), all(&later)], &[], &[]);
    assert_eq!(new, [1]);
    let mut nord = judged.taken[&NORD].clone();
    let refused = nord.refused.clone().unwrap();
    assert_eq!(
        (refused.position, refused.other_key),
        (Some(2), Some(other.public()))
    );
    assert!(refused.reason.contains("another key"), "{}", refused.reason);
    assert!(judged.missing.is_empty(), "it would only come again");
    // Trusted meanwhile, by an administrator, while the same was judged once more.
    nord.key = Some(other.public());
    nord.go_on(&judged.taken[&NORD]);
    assert_eq!((nord.key, nord.refused), (Some(other.public()), None));
}

#[test]
fn what_the_log_can_never_take_holds_up_its_depot_until_it_is_passed_by() {
    let messages = published(NORD, &key(), &[1, 2, 3]);
    let (new, judged) = taken(&[all(&messages)], &[2], &[]);
    assert_eq!(new, [1]);
    let refused = judged.taken[&NORD].refused.as_ref().unwrap();
    assert_eq!(refused.position, Some(2));
    assert!(
        judged.missing.is_empty(),
        "it is not asked for again and again"
    );
    let (new, judged) = taken(&[all(&messages)], &[2], &[2]);
    assert_eq!((new, judged.taken[&NORD].position), (vec![1, 3], 3));
    assert_eq!(judged.taken[&NORD].refused, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the broker does to the messages of a depot (drops, repeats, exchanges, changes bits), what is taken was
    /// published, once; and once the rest is published anew, in order, everything is there.
    #[test]
    fn nothing_is_invented_and_nothing_stays_lost(
        count in 1..12_u64,
        order in proptest::collection::vec((0..12_usize, prop::option::weighted(0.2, (any::<prop::sample::Index>(), 0..8_u8))), 0..30),
    ) {
        let positions: Vec<u64> = (1..=count).collect();
        let messages = published(NORD, &key(), &positions);
        let mut stream: Vec<Vec<u8>> = Vec::new();
        for (place, change) in &order {
            let Some(bytes) = messages.get(*place) else { continue };
            let mut bytes = bytes.clone();
            if let Some((at, bit)) = change {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            stream.push(bytes);
        }
        let (new, judged) = taken(&[all(&stream)], &[], &[]);
        prop_assert!(new.iter().all(|position| positions.contains(position)));
        let once: std::collections::BTreeSet<_> = new.iter().collect();
        prop_assert_eq!(once.len(), new.len());
        let from = judged.taken.get(&NORD).map_or(0, |nord| nord.position);
        for position in 1..=from {
            prop_assert!(new.contains(&position), "{position} of {from}");
        }
        // Asked anew, the depot publishes what follows, the first without naming what was before.
        let rest = published(NORD, &key(), &positions[usize::try_from(from).unwrap()..]);
        let (_, judged) = taken(&[all(&stream), all(&rest)], &[], &[]);
        let nord = &judged.taken[&NORD];
        prop_assert_eq!(nord.position, count);
        // What was spoilt and has nothing behind it stays told.
        prop_assert!(nord.refused.is_none() || from == count);
    }
}

//! Frames, pages, admission and escrow, beside what the simulation covers.

use super::*;
use crate::clock::{LogPosition, Stamp};
use crate::collapsed::{CollapsedEntity, EntityView, Handle, Origin};
use crate::entity::{Change, EntityTable};
use crate::replica::DeviceId;
use crate::rule::{Rule, with_broken};
use crate::sim::tests::crdt_tables::{STOCK_MOVE, TABLES, VEHICLE, WORK_ORDER};
use crate::sim::{Random, random_change};
use crate::value::Value;
use crate::wire::{DecodeError, from_bytes, to_bytes};
use proptest::prelude::*;

mod codec;
mod fuzzed;
mod judged;
mod moved;
mod saved;
mod shared;

const NOW_MS: u64 = 1_790_000_000_000;

/// A host that allows everything; all records are of one time.
struct Open;

impl Judge for Open {
    fn judge(&self, _: &Request<'_>) -> Judgement {
        Judgement::Allow { rank: 0 }
    }

    fn judge_creation(&self, _: DeviceId, _: &Operation, _: &'static EntityTable) -> Judgement {
        Judgement::Allow { rank: 0 }
    }
}

impl Host for Open {
    fn time_of(&self, _: LogPosition) -> u64 {
        NOW_MS
    }

    fn chain_at(&self, _: DeviceId, _: u64) -> Option<Chain> {
        None
    }
}

/// A depot with one vehicle and one work order, and a tablet that has both.
fn depot_and_tablet() -> (Depot, Tablet) {
    let mut depot = Depot::new(&TABLES, 16);
    depot
        .create(VEHICLE.number, b"185123", NOW_MS)
        .expect("a new entity");
    depot
        .create(WORK_ORDER.number, b"WO-1", NOW_MS)
        .expect("a new entity");
    let (device, _) = depot.register(NOW_MS).expect("a new device");
    let mut tablet = Tablet::new(device, &TABLES);
    pull(&mut depot, &mut tablet);
    (depot, tablet)
}

/// What a technician notes about an order that they made in the tunnel is on their screen at once.
#[test]
fn what_was_made_here_and_not_yet_judged_is_seen_as_it_was_changed() {
    let (_, mut tablet) = depot_and_tablet();
    let made = tablet
        .create(WORK_ORDER.number, b"WO-2", 0, NOW_MS)
        .expect("a new entity");
    let other = tablet
        .create(WORK_ORDER.number, b"WO-3", 0, NOW_MS)
        .expect("another");
    let is_set = |row: &&crate::entity::FieldRow| matches!(row.kind, crate::entity::Kind::Set(_));
    let row = WORK_ORDER.fields.iter().find(is_set).expect("a set");
    let (field, change) = (row.number, Change::Insert(Value::text("oil")));
    tablet
        .change(made, field, change, 0, NOW_MS)
        .expect("a change");
    let fields = |entity| tablet.view(entity).expect("a view").fields;
    assert!(fields(made).contains_key(&field));
    assert!(!fields(other).contains_key(&field));
}

fn pull(depot: &mut Depot, tablet: &mut Tablet) -> Vec<u8> {
    let request = PullRequest {
        device: tablet.device(),
        cursor: tablet.cursor(),
        head_ms: NOW_MS,
        entities_max: 1000,
        with_digest: true,
    };
    let page = depot.pull(&request, &|_| true).expect("sound memory");
    let bytes = page.encode(depot);
    assert_eq!(Page::decode(&bytes, tablet).as_ref(), Ok(&page));
    assert!(tablet.page(&page));
    assert_eq!(page.digest, Some(tablet.digest()));
    bytes
}

fn push(
    depot: &mut Depot,
    tablet: &Tablet,
    bytes: &[u8],
) -> Result<(Vec<Record>, PushAnswer), PushError> {
    let request = PushRequest {
        device: tablet.device(),
        served: tablet.cursor().complete,
        now_ms: NOW_MS + 9_000,
    };
    depot.push(bytes, &request, &Open)
}

fn known(handle: u32) -> EntityRef {
    EntityRef::Known(Handle(handle))
}

/// A frame with a bit of everything.
fn random_frame(seed: u64) -> (Depot, Tablet, Vec<u8>) {
    let (depot, mut tablet) = depot_and_tablet();
    let mut random = Random::new(seed);
    for step in 0..1 + random.below(12) {
        if random.chance(15) {
            tablet
                .create(STOCK_MOVE.number, b"M-1", 5, NOW_MS + step)
                .expect("a table");
        }
        let created = tablet.unresolved().next();
        let (entity, table) = match created.filter(|_| random.chance(30)) {
            Some(named) => named,
            None if random.chance(50) => (known(0), &VEHICLE),
            None => (known(1), &WORK_ORDER),
        };
        let row = random.pick(table.fields);
        let change = random_change(&mut random, row, 1);
        let user = u32::try_from(random.below(3)).expect("small");
        tablet
            .change(entity, row.number, change, user, NOW_MS + step * 700)
            .expect("the change fits");
    }
    let bytes = tablet
        .frame(1000)
        .expect("something waits")
        .encode(&tablet.basis(), &tablet);
    (depot, tablet, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Judging first and folding what the log then holds is the same as pushing, also where the log has other things between.
    #[test]
    fn a_push_that_is_judged_changes_nothing_until_it_is_folded(seed in any::<u64>(), gap in 0u64..5) {
        let (mut depot, tablet, bytes) = random_frame(seed);
        let request = PushRequest {
            device: tablet.device(),
            served: tablet.cursor().complete,
            now_ms: NOW_MS + 9_000,
        };
        let whole = |depot: &Depot| {
            let store = depot.store();
            let entities: Vec<_> = store.live().map(|handle| (store.packed_fields(handle), store.changed(handle))).collect();
            let changed: Vec<_> = store.changed_since(LogPosition::START).collect();
            (entities, changed, depot.head(), depot.device(tablet.device()), store.handles())
        };
        let before = whole(&depot);
        let (records, answer) = depot.judge_push(&bytes, &request, &Open).expect("an honest frame");
        prop_assert_eq!(whole(&depot), before.clone());
        prop_assert_eq!(depot.store().find(&STOCK_MOVE, b"M-1"), None);
        let again = depot.judge_push(&bytes, &request, &Open).expect("an honest frame");
        prop_assert_eq!(&again, &(records.clone(), answer.clone()));

        let (mut pushed, _, _) = random_frame(seed);
        prop_assert_eq!(&push(&mut pushed, &tablet, &bytes).expect("an honest frame"), &(records.clone(), answer));
        let first = depot.head();
        for (index, record) in records.iter().enumerate() {
            let position = LogPosition::new(first.get() + 1 + gap + index as u64);
            depot.replay_at(position, record).expect("sound memory");
        }
        let (entities, _, head, device, handles) = whole(&depot);
        let (same, _, before_gap, device_there, handles_there) = whole(&pushed);
        prop_assert_eq!(head.get(), before_gap.get() + gap);
        prop_assert_eq!((device, handles), (device_there, handles_there));
        if gap == 0 {
            prop_assert_eq!(entities, same);
        }
        let repeated = depot.judge_push(&bytes, &request, &Open).expect("an honest frame");
        prop_assert!(repeated.0.is_empty());
    }
}

#[test]
fn a_push_twice_in_pieces_or_late_changes_nothing() {
    let (mut depot, mut tablet) = depot_and_tablet();
    for part in 0..6 {
        tablet
            .change(known(1), 10, Change::Add(part + 1), 7, NOW_MS)
            .expect("fits");
    }
    let whole = tablet
        .frame(1000)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    let piece = tablet
        .frame(2)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    let late = tablet
        .frame_after(4, 2)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    assert_eq!(
        push(&mut depot, &tablet, &late),
        Err(PushError::Gap { send_from: 1 })
    );
    let (records, first) = push(&mut depot, &tablet, &piece).expect("the first piece");
    assert_eq!(records.len(), 2);
    let (records, answer) = push(&mut depot, &tablet, &whole).expect("all of it");
    assert_eq!(records.len(), 4);
    assert_eq!(
        answer.verdicts[..2],
        first.verdicts[..],
        "the stored verdict is the answer to a repetition"
    );
    let (records, again) = push(&mut depot, &tablet, &whole).expect("once more");
    assert_eq!((records.len(), again), (0, answer));
    let sum = depot
        .store()
        .get(Handle(1))
        .expect("live")
        .field(10)
        .cloned();
    assert!(matches!(
        sum,
        Some(crate::collapsed::CollapsedField::Counter(21, _))
    ));
}

#[test]
fn a_device_speaks_for_itself_and_of_what_it_was_served() {
    let (mut depot, mut tablet) = depot_and_tablet();
    tablet
        .change(known(0), 5, Change::Set(Value::from("Hagen")), 1, NOW_MS)
        .expect("fits");
    let bytes = tablet
        .frame(9)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    let (other, _) = depot.register(NOW_MS).expect("a new device");
    let served = tablet.cursor().complete;
    let request = PushRequest {
        device: other,
        served,
        now_ms: NOW_MS,
    };
    let refused = |depot: &mut Depot, bytes: &[u8], request: &PushRequest| {
        depot.push(bytes, request, &Open).map(|_| ())
    };
    let not_its_own = Err(PushError::Cloned {
        agreed: 0,
        created: Vec::new(),
    });
    assert_eq!(refused(&mut depot, &bytes, &request), not_its_own);
    let request = PushRequest {
        device: tablet.device(),
        served: LogPosition::new(1),
        now_ms: NOW_MS,
    };
    // With another cursor than it was written against it means something else.
    assert_eq!(refused(&mut depot, &bytes, &request), not_its_own);
    let basis = Basis::new(request.served, NOW_MS);
    let claiming = Frame {
        chain: Chain::of(tablet.device()).check(&basis),
        ..tablet.frame(9).expect("waits")
    };
    assert_eq!(
        refused(&mut depot, &claiming.encode(&basis, &tablet), &request),
        Err(PushError::BaseNotServed {
            seq: 1,
            base: tablet.base(),
            served: request.served
        })
    );
    let stranger = PushRequest {
        device: DeviceId::new(99),
        served,
        now_ms: NOW_MS,
    };
    assert_eq!(
        refused(&mut depot, &bytes, &stranger),
        Err(PushError::UnknownDevice(DeviceId::new(99)))
    );
}

#[test]
fn oversized_frames_and_operations_are_refused_before_they_are_read() {
    let (mut depot, mut tablet) = depot_and_tablet();
    let huge = vec![1; FRAME_BYTES_MAX + 1];
    let limit = DecodeError::TooLarge {
        what: "frame",
        limit: FRAME_BYTES_MAX,
    };
    assert_eq!(
        push(&mut depot, &tablet, &huge),
        Err(PushError::Malformed(limit))
    );
    let long = Value::text(&"x".repeat(201));
    let refused = tablet.change(known(0), 5, Change::Set(long), 1, NOW_MS);
    assert!(matches!(refused, Err(TabletError::Change(_))));
    // A text longer than the rest of the frame.
    tablet
        .change(known(0), 5, Change::Set(Value::from("x")), 1, NOW_MS)
        .expect("fits");
    let mut bytes = tablet
        .frame(9)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    let count = bytes
        .iter()
        .rposition(|byte| *byte == 1)
        .expect("a length of one");
    bytes[count] = 120;
    assert!(matches!(
        push(&mut depot, &tablet, &bytes),
        Err(PushError::Malformed(_))
    ));
    let mut many = tablet.frame(1).expect("waits");
    let first = many.operations[0].clone();
    let following = |seq| Operation {
        seq,
        ..first.clone()
    };
    many.operations = (1..=OPERATIONS_MAX as u64 + 1).map(following).collect();
    let limit = DecodeError::TooLarge {
        what: "frame",
        limit: OPERATIONS_MAX,
    };
    assert_eq!(
        push(&mut depot, &tablet, &many.encode(&tablet.basis(), &tablet)),
        Err(PushError::Malformed(limit))
    );
}

#[test]
fn claimed_times_are_moved_into_what_causality_proves() {
    for (claimed, expected) in [
        (0, NOW_MS),
        (NOW_MS + 5_000, NOW_MS + 5_000),
        (NOW_MS * 2, NOW_MS + 9_000),
    ] {
        let (mut depot, mut tablet) = depot_and_tablet();
        tablet
            .change(known(0), 5, Change::Set(Value::from("Hagen")), 1, claimed)
            .expect("fits");
        let bytes = tablet
            .frame(9)
            .expect("waits")
            .encode(&tablet.basis(), &tablet);
        let (records, _) = push(&mut depot, &tablet, &bytes).expect("an honest frame");
        let Some(Record {
            body: RecordBody::Operation {
                stamp, operation, ..
            },
            ..
        }) = records.first()
        else {
            panic!("one operation was admitted")
        };
        assert_eq!(stamp.millis(), expected, "claimed {claimed}");
        assert_eq!(
            operation.stamp.millis(),
            claimed,
            "the claim is kept for the audit"
        );
    }
}

#[test]
fn authority_decides_between_concurrent_writes_only() {
    let write = |entity: &mut CollapsedEntity,
                 device: u32,
                 base: u64,
                 position: u64,
                 millis: u64,
                 rank: u8,
                 value: &str| {
        let (base, position) = (LogPosition::new(base), LogPosition::new(position));
        let origin = Origin {
            device: DeviceId::new(device),
            base,
            position,
        };
        let change = Change::Set(Value::from(value));
        let effective = entity.effective_stamp(&origin, 1, &change, Stamp::new(millis, 0), rank);
        (
            entity.apply(&origin, effective.stamp, rank, 1, &change),
            effective.by_authority,
        )
    };
    let mut order = CollapsedEntity::new(&WORK_ORDER);
    assert_eq!(
        write(&mut order, 1, 0, 1, 100, 1, "in_progress"),
        (true, false),
        "the workshop"
    );
    assert_eq!(
        write(&mut order, 2, 0, 2, 900, 0, "cancelled"),
        (false, true),
        "the dispatcher, later but concurrent"
    );
    assert_eq!(
        write(&mut order, 2, 2, 3, 50, 0, "scheduled"),
        (true, false),
        "the dispatcher, having seen it"
    );
}

/// P25: stock is conserved whatever is repeated, and no lease goes below zero.
fn escrow_run(seed: u64) -> Result<(), String> {
    let mut random = Random::new(seed);
    let mut ledger = StockLedger::new(20);
    let (mut total, mut short) = (20_i64, 0_i64);
    let mut leases = Vec::new();
    for _ in 0..30 {
        let device = DeviceId::new(u32::try_from(random.below(3)).unwrap_or(0));
        let lease = leases.get(random.index(leases.len())).copied();
        match random.below(5) {
            0 => {
                let quantity = u32::try_from(random.below(9)).unwrap_or(0);
                leases.extend(ledger.grant(device, quantity).ok());
            }
            1 | 2 => {
                let quantity = u32::try_from(random.below(6)).unwrap_or(0);
                short += i64::from(ledger.consume(lease, device, quantity));
                total -= i64::from(quantity);
            }
            3 => {
                ledger.receive(2);
                total += 2;
            }
            // The message that closes a lease may come twice.
            _ => {
                if let Some(lease) = lease {
                    let _ = ledger.close(lease, device);
                }
            }
        }
        if ledger.on_hand() + ledger.leased() != total {
            return Err(format!(
                "{} on hand and {} leased of {total}",
                ledger.on_hand(),
                ledger.leased()
            ));
        }
        if ledger.on_hand() < 0 && short == 0 {
            return Err("below zero without a discrepancy".into());
        }
    }
    Ok(())
}

#[test]
fn leases_conserve_stock() {
    for seed in 0..5_000 {
        escrow_run(seed).unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    }
}

#[test]
fn a_lease_returned_twice_is_noticed() {
    let noticed = (0..10_000)
        .find(|seed| with_broken(Some(Rule::LeaseReturnsOnce), || escrow_run(*seed)).is_err());
    assert!(
        noticed.is_some(),
        "LeaseReturnsOnce can be broken unnoticed"
    );
}

#[test]
fn xxh64_is_the_published_function() {
    assert_eq!(xxh64(b"", 0), 0xEF46_DB37_51D8_E999);
    assert_eq!(xxh64(b"abc", 0), 0x44BC_2CF5_AD77_0999);
    let long: Vec<u8> = (0..=100).collect();
    assert_ne!(xxh64(&long, 0), xxh64(&long, 1));
}

#[test]
fn the_tablet_shows_what_waits_on_top() {
    let (mut depot, mut tablet) = depot_and_tablet();
    tablet
        .change(
            known(1),
            5,
            Change::Insert(Value::from("check brakes")),
            1,
            NOW_MS,
        )
        .expect("fits");
    tablet
        .change(known(1), 10, Change::Add(2), 1, NOW_MS)
        .expect("fits");
    let shown = tablet.view(known(1)).expect("known");
    assert_eq!(tablet.confirmed(Handle(1)), Some(&EntityView::default()));
    let bytes = tablet
        .frame(9)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    let (_, answer) = push(&mut depot, &tablet, &bytes).expect("honest");
    tablet.answer(&answer);
    assert_eq!(
        tablet.view(known(1)),
        Some(shown.clone()),
        "between verdict and page nothing flickers"
    );
    pull(&mut depot, &mut tablet);
    assert_eq!(
        tablet.confirmed(Handle(1)),
        Some(&shown),
        "and the page brings the same"
    );
}

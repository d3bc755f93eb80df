//! Checkpoints of a depot, removals out of whole states, and stores that begin anew.

use super::*;

fn saved() -> Vec<u8> {
    let (mut depot, tablet, bytes) = random_frame(7);
    push(&mut depot, &tablet, &bytes).expect("an honest frame");
    depot.delete(Handle(1), NOW_MS).expect("it lives");
    depot.expire(tablet.device(), NOW_MS).expect("known");
    depot.save()
}

#[test]
fn a_depot_comes_back_as_it_was_saved() {
    let bytes = saved();
    let depot = Depot::restore(&TABLES, 4, &bytes).expect("its own bytes");
    assert_eq!(depot.save(), bytes);
    let store = depot.store();
    assert_eq!(store.find(&VEHICLE, b"185123"), Some(Handle(0)));
    assert!(store.is_live(Handle(0)) && !store.is_live(Handle(1)));
    assert!(depot.device(DeviceId::new(1)).expect("known").expired);
    let changed = store.changed_since(LogPosition::START).count();
    assert_eq!(changed, store.handles() as usize);
}

#[test]
fn damaged_checkpoints_are_refused_or_harmless() {
    let bytes = saved();
    for length in 0..bytes.len() {
        assert!(Depot::restore(&TABLES, 4, &bytes[..length]).is_err());
    }
    for at in 0..bytes.len() {
        for by in [1, 0x7f, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] = damaged[at].wrapping_add(by);
            // Whatever is taken can be asked without a panic; the checksum beside the bytes is what guards their truth.
            if let Ok(depot) = Depot::restore(&TABLES, 4, &damaged) {
                let store = depot.store();
                for handle in store.live() {
                    let _ = (store.get(handle).is_ok(), store.name(handle));
                }
            }
        }
    }
}

/// A whole state takes away what its sender saw and nothing else: not what others added since, not what its own device
/// added after it.
#[test]
fn a_removal_out_of_a_state_takes_only_what_it_names() {
    let tasks = WORK_ORDER
        .fields
        .iter()
        .find(|row| matches!(row.kind, crate::entity::Kind::Set(_)))
        .expect("a set");
    let member = Value::text("oil");
    let at = |device: u32, base: u64, position: u64| Origin {
        device: DeviceId::new(device),
        base: LogPosition::new(base),
        position: LogPosition::new(position),
    };
    let insert = Change::Insert(member.clone());
    let seen = |upto: u64, at: u64| Change::RemoveSeen {
        member: member.clone(),
        upto: LogPosition::new(upto),
        at: LogPosition::new(at),
    };
    let mut entity = CollapsedEntity::new(&WORK_ORDER);
    let apply = |entity: &mut CollapsedEntity, origin: Origin, change: &Change| {
        entity.apply(&origin, Stamp::new(NOW_MS, 0), 0, tasks.number, change);
        match entity.field(tasks.number) {
            Some(crate::collapsed::CollapsedField::Set(set)) => set.contains(&member),
            _ => false,
        }
    };
    assert!(apply(&mut entity, at(1, 0, 1), &insert));
    assert!(apply(&mut entity, at(2, 0, 2), &insert));
    assert!(apply(&mut entity, at(1, 0, 3), &seen(0, 1)), "2's stands");
    assert!(
        apply(&mut entity, at(2, 0, 4), &seen(0, 1)),
        "its own later one stands"
    );
    assert!(!apply(&mut entity, at(1, 0, 5), &seen(0, 2)));
    assert!(apply(&mut entity, at(3, 5, 6), &insert));
    assert!(
        apply(&mut entity, at(3, 5, 7), &seen(5, 0)),
        "not beyond it"
    );
    assert!(!apply(&mut entity, at(1, 6, 8), &seen(6, 0)));
}

#[test]
fn a_frame_cannot_remove_beyond_its_base() {
    let (mut depot, mut tablet) = depot_and_tablet();
    let row = WORK_ORDER
        .fields
        .iter()
        .find(|row| matches!(row.kind, crate::entity::Kind::Set(_)))
        .expect("a set");
    let change = Change::RemoveSeen {
        member: Value::text("oil"),
        upto: tablet.base().next(),
        at: LogPosition::START,
    };
    tablet
        .change(known(1), row.number, change, 0, NOW_MS)
        .expect("fits");
    let bytes = tablet
        .frame(10)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    let (_, answer) = push(&mut depot, &tablet, &bytes).expect("a frame");
    assert!(
        matches!(
            answer.verdicts[..],
            [(1, Verdict::Rejected(_, Rejection::InvalidValue))]
        ),
        "{answer:?}"
    );
}

/// The answer was lost, then the token ended: under its new number the device sends again what the log has already.
#[test]
fn what_came_before_a_device_began_anew_counts_once() {
    let (mut depot, mut tablet) = depot_and_tablet();
    let (table, row) = TABLES
        .iter()
        .find_map(|table| {
            let mut rows = table.fields.iter();
            let counter = rows.find(|row| matches!(row.kind, crate::entity::Kind::Counter))?;
            Some((*table, counter))
        })
        .expect("a counter");
    let record = depot.create(table.number, b"M-9", NOW_MS).expect("new");
    assert!(matches!(record.body, RecordBody::Created { .. }));
    pull(&mut depot, &mut tablet);
    let handle = depot.store().find(table, b"M-9").expect("made");
    let entity = EntityRef::Known(handle);
    for amount in [3, 4] {
        let change = Change::Add(amount);
        tablet
            .change(entity, row.number, change, 0, NOW_MS)
            .expect("fits");
    }
    let bytes = tablet
        .frame(10)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    let (_, lost) = push(&mut depot, &tablet, &bytes).expect("an honest frame");
    tablet
        .change(entity, row.number, Change::Add(5), 0, NOW_MS)
        .expect("fits");
    let (number, _) = depot.register(NOW_MS).expect("new");
    assert_eq!(tablet.reborn(number, 0, &[]), []);
    let bytes = tablet
        .frame(10)
        .expect("waits")
        .encode(&tablet.basis(), &tablet);
    let (records, answer) = push(&mut depot, &tablet, &bytes).expect("an honest frame");
    let here = |record: &Record| {
        let RecordBody::Operation { verdict, .. } = &record.body else {
            return false;
        };
        matches!(verdict, Verdict::Rejected(_, Rejection::AlreadyHere))
    };
    let again: Vec<bool> = records.iter().map(here).collect();
    assert_eq!(again, [true, true, false]);
    assert_eq!(
        answer.verdicts[..2],
        lost.verdicts,
        "what they came to then"
    );
    let entity = depot.store().get(handle).expect("sound");
    assert!(
        matches!(
            entity.field(row.number),
            Some(crate::collapsed::CollapsedField::Counter(12, _))
        ),
        "{entity:?}"
    );
}

/// Its user must not believe that a refused operation counts, however often its store began anew before an answer came.
#[test]
fn what_was_refused_before_a_device_began_anew_is_told_as_refused() {
    let (mut depot, mut tablet) = depot_and_tablet();
    let change = Change::Set(Value::text("squeaks in bends"));
    let notes = VEHICLE
        .fields
        .iter()
        .find(|row| change.check(row).is_ok())
        .expect("a register of text");
    tablet
        .change(known(0), notes.number, change, 0, NOW_MS)
        .expect("fits");
    tablet
        .create(WORK_ORDER.number, b"WO-2", 0, NOW_MS)
        .expect("a table of its own");
    depot.delete(Handle(0), NOW_MS).expect("it lives");
    let push_all = |depot: &mut Depot, tablet: &Tablet| {
        let frame = tablet.frame(10).expect("waits");
        let bytes = frame.encode(&tablet.basis(), tablet);
        let (_, answer) = push(depot, tablet, &bytes).expect("an honest frame");
        answer.verdicts
    };
    let first = push_all(&mut depot, &tablet);
    assert!(
        matches!(
            first[..],
            [
                (1, Verdict::Rejected(_, Rejection::DeletedEntity)),
                (2, Verdict::Applied(_))
            ]
        ),
        "{first:?}"
    );
    for _ in 0..2 {
        let (number, _) = depot.register(NOW_MS).expect("new");
        assert_eq!(tablet.reborn(number, 0, &[]), []);
        assert_eq!(push_all(&mut depot, &tablet), first);
        assert_eq!(depot.verdict(number, 1), first[0].1, "also told again");
        // A server that starts again knows it, too.
        depot = Depot::restore(&TABLES, 4, &depot.save()).expect("its own bytes");
        assert_eq!(push_all(&mut depot, &tablet), first);
    }
}

//! Entities that enter and leave a scope by what another entity says.

use super::*;

/// A scope of vehicles, and of the work order where somebody says so elsewhere: since where it does, or does not.
struct Elsewhere {
    sees_order: bool,
    since: LogPosition,
}

const ORDER: Handle = Handle(1);

impl Scope for Elsewhere {
    fn sees(&self, handle: Handle, _: &CollapsedEntity) -> bool {
        handle != ORDER || self.sees_order
    }

    fn decided_at(&self, handle: Handle, _: &CollapsedEntity) -> LogPosition {
        match handle {
            ORDER => self.since,
            _ => LogPosition::START,
        }
    }

    fn moved_since(&self, from: LogPosition) -> Vec<(LogPosition, Handle)> {
        let moved = (self.since > from).then_some((self.since, ORDER));
        moved.into_iter().collect()
    }
}

/// A depot whose vehicle and work order changed at these positions, and a tablet that had neither change.
fn depot_changed_at(vehicle: u64, order: u64) -> (Depot, Tablet) {
    let (mut depot, tablet) = depot_and_tablet();
    let mut changes = [
        (vehicle, Handle(0), 5, Change::Set(Value::from("Hagen"))),
        (order, ORDER, 10, Change::Add(1)),
    ];
    changes.sort_unstable_by_key(|(position, ..)| *position);
    for (position, handle, field, change) in changes {
        let base = LogPosition::new(position - 1);
        let (stamp, rank) = (Stamp::new(NOW_MS, 0), 0);
        let body = RecordBody::Written {
            handle,
            field,
            change,
            base,
            stamp,
            rank,
        };
        let time_ms = NOW_MS;
        let record = Record { time_ms, body };
        depot
            .replay_at(LogPosition::new(position), &record)
            .expect("it fits");
    }
    (depot, tablet)
}

/// What a page of one entity brings: entities, and what is to be dropped.
fn next_page(depot: &mut Depot, tablet: &mut Tablet, scope: &Elsewhere) -> (Vec<u32>, Vec<u32>) {
    let request = PullRequest {
        device: tablet.device(),
        cursor: tablet.cursor(),
        head_ms: NOW_MS,
        entities_max: 1,
        with_digest: false,
    };
    let page = depot.pull_within(&request, scope).expect("sound memory");
    let handles = page.entities.iter().map(|(handle, _)| handle.0);
    let deleted = page.deleted.iter().map(|handle| handle.0);
    let brought = (handles.collect(), deleted.collect());
    assert!(tablet.page(&page));
    brought
}

/// What the pages up to the head bring.
fn pages(depot: &mut Depot, tablet: &mut Tablet, scope: &Elsewhere) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut pages = Vec::new();
    while tablet.cursor() != Cursor::at(depot.head()) {
        pages.push(next_page(depot, tablet, scope));
    }
    pages
}

#[track_caller]
fn check(changed: (u64, u64), since: u64, sees_order: bool, expected: &[(&[u32], &[u32])]) {
    let (mut depot, mut tablet) = depot_changed_at(changed.0, changed.1);
    depot.advance_to(LogPosition::new(since));
    let since = LogPosition::new(since);
    let scope = Elsewhere { sees_order, since };
    let found = pages(&mut depot, &mut tablet, &scope);
    let found: Vec<(&[u32], &[u32])> = found.iter().map(|(one, two)| (&**one, &**two)).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_moves_goes_where_it_moved_or_changed_last_and_once() {
    check((10, 20), 30, true, &[(&[0], &[]), (&[1], &[])]);
    check((20, 10), 15, true, &[(&[1], &[]), (&[0], &[])]);
    check((20, 30), 10, true, &[(&[0], &[]), (&[1], &[])]);
}

#[test]
fn what_moved_with_the_change_of_another_entity_is_of_the_same_page() {
    check((20, 10), 20, true, &[(&[0, 1], &[])]);
}

#[test]
fn what_left_is_told_to_be_dropped_where_it_left() {
    check((10, 20), 30, false, &[(&[0], &[]), (&[], &[1])]);
    check((20, 10), 20, false, &[(&[0], &[1])]);
}

/// Regression: it was held against the last complete point, which a new tablet does not have, and so stayed on it for good.
#[test]
fn what_left_during_a_first_download_is_told_to_be_dropped() {
    let (mut depot, _) = depot_changed_at(20, 10);
    let (device, _) = depot.register(NOW_MS).expect("a new device");
    let mut tablet = Tablet::new(device, &TABLES);
    let mut scope = Elsewhere {
        sees_order: true,
        since: LogPosition::START,
    };
    let first = next_page(&mut depot, &mut tablet, &scope);
    assert_eq!(first, (vec![1], vec![]));
    assert!(tablet.confirmed(ORDER).is_some());
    scope = Elsewhere {
        sees_order: false,
        since: LogPosition::new(30),
    };
    depot.advance_to(scope.since);
    let rest = pages(&mut depot, &mut tablet, &scope);
    assert_eq!(rest, [(vec![0], vec![]), (vec![], vec![1])]);
    assert!(tablet.confirmed(ORDER).is_none());
}

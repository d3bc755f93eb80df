//! The sums by day against the plain walk over the facts, which is what opens a figure into its events.

use proptest::prelude::*;

use super::*;
use crate::facts::{
    CapacitySince, ClockedFacts, Issue, OrderStatus, PartFacts, RequestFacts, Standing,
};
use crate::kpi::measure::HOUR;
use crate::kpi::{KPIS, Page, Selection, Side};

/// Days of 24 hours, but for every seventh of 23 and every ninth of 25.
fn calendar(at: i64) -> Day {
    let mut begin = 0;
    let mut number = 0_i64;
    loop {
        let hours = match number {
            number if number % 7 == 6 => 23,
            number if number % 9 == 8 => 25,
            _ => 24,
        };
        let end = begin + hours * HOUR;
        if at < end {
            return Day { begin, end };
        }
        begin = end;
        number += 1;
    }
}

/// One thing that is told, in the order of arrival.
#[derive(Clone, Debug)]
enum Told {
    Stands(usize, i64, Standing),
    Read(usize, i64, i32, bool),
    Suffers(usize, i64, bool),
    Order(usize, OrderFacts),
    Task(usize, TaskFacts),
    Bought(usize, i64, i64),
    Moves(usize, i64, i64),
    Used(usize, i64, i64),
    Asks(usize, i64, Vec<(u32, i64)>, bool),
    Works(usize, i64, i64),
    Clocks(i64, i64, bool),
    Departs(Option<u32>, i64, bool),
}

fn time() -> impl Strategy<Value = i64> {
    (0..40 * 24 * 4_i64).prop_map(|quarter| quarter * HOUR / 4)
}

fn told() -> impl Strategy<Value = Told> {
    let standing = prop_oneof![
        Just(Standing::Ready),
        Just(Standing::Running),
        Just(Standing::Down),
        Just(Standing::Failed),
        Just(Standing::NotRequired)
    ];
    let order = (
        (0..4_usize, 0..3_usize, any::<bool>(), 0..6_u8),
        (
            time(),
            proptest::option::of(time()),
            proptest::option::of(time()),
        ),
        (
            proptest::option::of(time()),
            time(),
            proptest::option::of(0..9_999_i64),
        ),
    );
    let order = order.prop_map(
        |(
            (index, vehicle, corrective, state),
            (created, planned, started),
            (ended, updated, cost_cents),
        )| {
            let status = match (ended, state) {
                (_, 5) => OrderStatus::Cancelled,
                (Some(_), _) => OrderStatus::Completed,
                _ => OrderStatus::Scheduled,
            };
            let order = OrderFacts {
                vehicle: ["", "0", "1"][vehicle].into(),
                work: if corrective {
                    Work::Corrective
                } else {
                    Work::Planned
                },
                created,
                scheduled_start: planned,
                scheduled_end: planned,
                estimated_min: u32::from(state) * 7,
                started,
                ended: ended.filter(|_| status == OrderStatus::Completed),
                is_void: state >= 4,
                is_deleted: state == 4,
                status,
                updated,
                cost_cents,
                ..OrderFacts::default()
            };
            Told::Order(index, order)
        },
    );
    let task = (
        0..3_usize,
        0..2_usize,
        any::<bool>(),
        time(),
        proptest::option::of(time()),
        0..5_u8,
    );
    let task = task.prop_map(|(index, vehicle, is_safety_critical, due, done, state)| {
        let task = TaskFacts {
            vehicle: vehicle.to_string().into(),
            is_safety_critical,
            due,
            done,
            is_void: state == 0,
            position: 0,
        };
        Told::Task(index, task)
    });
    prop_oneof![
        (0..2_usize, time(), standing)
            .prop_map(|(vehicle, at, one)| Told::Stands(vehicle, at, one)),
        (0..2_usize, time(), 0..9_000_i32, any::<bool>())
            .prop_map(|(vehicle, at, km, corrects)| Told::Read(vehicle, at, km, corrects)),
        (0..2_usize, time(), any::<bool>())
            .prop_map(|(vehicle, at, one)| Told::Suffers(vehicle, at, one)),
        order,
        task,
        // Bought before or after what happened to it, by years too.
        (0..2_usize, -5_000..1_000_i64, 0..9_999_i64)
            .prop_map(|(vehicle, day, cents)| Told::Bought(vehicle, day * 24 * HOUR, cents)),
        few(),
    ]
}

/// What is few: parts, people, departures.
fn few() -> impl Strategy<Value = Told> {
    prop_oneof![
        (0..2_usize, time(), -5..9_i64).prop_map(|(part, at, delta)| Told::Moves(part, at, delta)),
        (0..2_usize, time(), 1..5_i64).prop_map(|(part, at, many)| Told::Used(part, at, many)),
        (
            0..3_usize,
            time(),
            proptest::collection::vec((0..3_u32, 1..9_i64), 0..3),
            any::<bool>()
        )
            .prop_map(|(index, at, parts, is_void)| Told::Asks(index, at, parts, is_void)),
        (0..2_usize, time(), 0..2_400_i64)
            .prop_map(|(person, at, minutes)| Told::Works(person, at, minutes)),
        (time(), 0..9 * HOUR, any::<bool>()).prop_map(|(at, long, is_on_order)| Told::Clocks(
            at,
            long,
            is_on_order
        )),
        (proptest::option::of(0..2_u32), time(), any::<bool>())
            .prop_map(|(vehicle, at, is_void)| Told::Departs(vehicle, at, is_void)),
    ]
}

/// A store that was told all of it; positions are those of arrival.
fn store(told: &[Told]) -> Store {
    let mut store = Store::new(calendar);
    for vehicle in ["0", "1"] {
        store.add_vehicle(vehicle);
    }
    for (number, price_cents) in [("P-1", 250), ("P-2", 9)] {
        let part = PartFacts {
            number: number.into(),
            exists: true,
            price_cents,
            ..PartFacts::default()
        };
        store.set_part(store.parts().len(), part);
    }
    let mut orders = HashMap::new();
    let mut tasks = HashMap::new();
    let mut people = vec![Vec::new(); 2];
    for (position, one) in (1..).zip(told.iter().cloned()) {
        match one {
            Told::Stands(vehicle, at, standing) => {
                store.stands(vehicle, StandingSince::new(at, position, standing))
            }
            Told::Read(vehicle, at, km, corrects) => store.read(
                vehicle,
                Reading {
                    at,
                    position,
                    km,
                    corrects,
                },
            ),
            Told::Suffers(vehicle, at, is_failure) => store.suffers(
                vehicle,
                Incident {
                    at,
                    position,
                    delay_min: 0,
                    is_failure,
                },
            ),
            Told::Order(name, mut order) => {
                let next = orders.len();
                order.position = position;
                store.set_order(*orders.entry(name).or_insert(next), order);
            }
            Told::Task(name, mut task) => {
                let next = tasks.len();
                task.position = position;
                store.set_task(*tasks.entry(name).or_insert(next), task);
            }
            Told::Bought(vehicle, at, cents) => {
                let acquired = Acquired {
                    at,
                    position,
                    cents,
                };
                store.set_acquired(vehicle, Some(acquired).filter(|_| cents % 4 > 0));
            }
            Told::Moves(part, at, delta) => store.stock_moves(part, at, position, delta),
            Told::Used(part, at, quantity) => {
                let issue = Issue {
                    at,
                    position,
                    quantity,
                };
                store.is_used(part, issue);
            }
            Told::Asks(index, at, parts, is_void) => {
                let request = RequestFacts {
                    at,
                    position,
                    parts: parts.into(),
                    is_void,
                };
                store.set_request(index, request);
            }
            Told::Works(person, at, minutes) => {
                let since = CapacitySince {
                    at,
                    position,
                    minutes,
                };
                people[person].push(since);
                people[person].sort_by_key(|one| (one.at, one.position));
                store.set_person(person, people[person].clone());
            }
            Told::Clocks(at, time, is_on_order) => {
                let clocked = ClockedFacts {
                    at,
                    position,
                    time,
                    is_on_order,
                };
                store.set_clocked(store.facts().clocked.len(), clocked);
            }
            Told::Departs(vehicle, at, is_void) => {
                let departure = DepartureFacts {
                    vehicle,
                    at,
                    position,
                    is_void,
                };
                store.set_departure(store.facts().departures.len(), departure);
            }
        }
    }
    store
}

fn edges() -> impl Strategy<Value = Vec<i64>> {
    let of_days = (0..30_usize, 1..12_usize).prop_map(|(first, count)| {
        let mut begin = 0;
        let mut edges = Vec::new();
        for day in 0..=first + count {
            if day >= first {
                edges.push(begin);
            }
            begin = calendar(begin).end;
        }
        edges
    });
    let anywhere = proptest::collection::btree_set(time(), 2..6)
        .prop_map(|times| times.into_iter().collect::<Vec<i64>>());
    prop_oneof![of_days, anywhere]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_figure_from_the_sums_is_the_sum_of_its_events(
        told in proptest::collection::vec(told(), 0..60),
        edges in edges(),
        now in time(),
    ) {
        let store = store(&told);
        let selection = Selection { edges: &edges, now, vehicle: None };
        let taken = store.take(&selection, None);
        for kpi in KPIS {
            prop_assert_eq!(taken.figures(kpi), kpi.figures(store.facts(), &selection), "{}", kpi.key);
        }
        let orders = || store.facts().orders.iter().filter(|order| !order.is_deleted);
        let in_all = store.in_all();
        prop_assert_eq!(in_all.by_status().iter().sum::<i64>(), orders().count() as i64);
        prop_assert_eq!(in_all.waiting, orders().filter(|order| order.status.is_open()).count() as i64);
        prop_assert_eq!(in_all.open_by_priority().iter().sum::<i64>(), in_all.waiting);
        let open = store.facts().orders.iter().filter(|order| order.ended.is_none() && !order.is_void);
        prop_assert!(store.open_orders().map(|order| order.position).eq(open.map(|order| order.position)));
        let (from, to) = (edges[0], edges[edges.len() - 1]);
        let mut visited = Vec::new();
        store.orders_by(|order| order.ended, from, to, |order, _| visited.push(order.position));
        visited.sort_unstable();
        let ended = |order: &&OrderFacts| order.ended.is_some_and(|at| from <= at && at < to);
        let mut expected: Vec<u64> =
            store.facts().orders.iter().filter(ended).map(|order| order.position).collect();
        expected.sort_unstable();
        prop_assert_eq!(visited, expected);
        for (index, vehicle) in ["0", "1"].into_iter().enumerate() {
            let selection = Selection { vehicle: Some(vehicle), ..selection };
            let taken = store.take(&selection, Some(index));
            for kpi in KPIS {
                prop_assert_eq!(taken.figures(kpi), kpi.figures(store.facts(), &selection), "{}", kpi.key);
            }
        }
    }

    #[test]
    fn pages_one_behind_the_other_are_all_events_of_a_side(
        told in proptest::collection::vec(told(), 0..60),
        from in time(),
        to in time(),
        now in time(),
        limit in 1..7_usize,
    ) {
        let store = store(&told);
        let edges = [from.min(to), from.max(to)];
        let selection = Selection { edges: &edges, now, vehicle: None };
        for kpi in KPIS {
            let mut sides = [Vec::new(), Vec::new()];
            kpi.each(store.facts(), &selection, &mut |part| {
                if part.position > 0 {
                    sides[usize::from(part.side == Side::Denominator)].push((part.position, part.amount));
                }
            });
            for (number, mut expected) in sides.into_iter().enumerate() {
                expected.sort_unstable();
                let (mut found, mut after) = (Vec::new(), Some(0));
                while let Some(behind) = after {
                    let mut pages = [Page::new(behind, limit), Page::new(behind, limit)];
                    let [numerator, denominator] = &mut pages;
                    kpi.page(store.facts(), &selection, numerator, denominator);
                    let [numerator, denominator] = pages;
                    let page = if number == 0 { numerator } else { denominator };
                    prop_assert_eq!(page.events(), expected.len() as u64, "{}", kpi.key);
                    let (part, next) = page.finish();
                    prop_assert!(part.len() <= limit && next.is_none_or(|next| next > behind));
                    found.extend(part);
                    after = next;
                }
                prop_assert_eq!(found, expected, "{}", kpi.key);
            }
        }
    }

    #[test]
    fn the_order_of_arrival_changes_no_sum(told in proptest::collection::vec(told(), 0..40), edges in edges()) {
        // What is set and not added (orders, tasks) is told once, so that its last word is the same.
        let kept: Vec<Told> = told
            .into_iter()
            .filter(|one| !matches!(one, Told::Order(..) | Told::Task(..) | Told::Bought(..)))
            .collect();
        // Of two standings at one moment the later position counts, so their times differ here.
        let mut seen = std::collections::HashSet::new();
        let kept: Vec<Told> = kept
            .into_iter()
            .filter(|one| match one {
                Told::Stands(vehicle, at, _) => seen.insert((*vehicle, *at, 0)),
                Told::Read(vehicle, at, ..) => seen.insert((*vehicle, *at, 1)),
                _ => true,
            })
            .collect();
        let mut turned = kept.clone();
        turned.reverse();
        let selection = Selection { edges: &edges, now: i64::MAX / 4, vehicle: None };
        prop_assert_eq!(store(&kept).between(&selection), store(&turned).between(&selection));
    }
}

use proptest::prelude::*;

use super::*;

const DAY: i64 = 100;

fn calendar(at: i64) -> (Day, u16) {
    let number = at.div_euclid(DAY);
    let day = Day {
        begin: number * DAY,
        end: (number + 1) * DAY,
    };
    (day, u16::try_from(number.clamp(0, 65_535)).unwrap())
}

fn filled(events: &[(i64, u8, u8, i64)]) -> Columns {
    let mut columns = Columns::default();
    for who in 0..4_u8 {
        columns.who_mut().number(&who.to_string());
    }
    for (at, kind, who, amount) in events {
        let who = columns.who_mut().number(&who.to_string());
        columns.push(&kind.to_string(), *at, who, *amount, &calendar);
    }
    columns
}

fn events() -> impl Strategy<Value = Vec<(i64, u8, u8, i64)>> {
    proptest::collection::vec((0..3_000_i64, 0..3_u8, 0..4_u8, -50..50_i64), 0..200)
}

proptest! {
    #[test]
    fn totals_equal_a_plain_count(events in events(), kind in 0..3_u8, mut edges in proptest::collection::vec(0..3_200_i64, 2..6)) {
        edges.sort_unstable();
        let columns = filled(&events);
        let Some(number) = columns.kind(&kind.to_string()) else {
            return Ok(());
        };
        for (cell, ends) in columns.by_edges(number, &edges).iter().zip(edges.windows(2)) {
            let mut expected = Cell::default();
            for (at, of, _, amount) in &events {
                if *of == kind && ends[0] <= *at && *at < ends[1] {
                    expected.add(*amount);
                }
            }
            prop_assert_eq!(*cell, expected);
        }
    }

    #[test]
    fn groups_and_histograms_count_every_row(events in events()) {
        let columns = filled(&events);
        let of_day: Vec<u16> = (0..40).map(|day| day / 7).collect();
        let found = columns.by_groups(&of_day, &[0, 0, 1, 1], 2);
        prop_assert_eq!(found.iter().map(|(count, _)| *count).sum::<u64>(), events.len() as u64);
        prop_assert_eq!(
            found.iter().map(|(_, sum)| *sum).sum::<i64>(),
            columns.sums_by_who().iter().sum::<i64>()
        );
        let (below, bins, above) = columns.histogram(-20, 7, 5);
        prop_assert_eq!(below, events.iter().filter(|event| event.3 < -20).count() as u64);
        prop_assert_eq!(above, events.iter().filter(|event| event.3 >= 15).count() as u64);
        for (bin, count) in bins.iter().enumerate() {
            let low = -20 + 7 * bin as i64;
            let inside = events.iter().filter(|event| (low..low + 7).contains(&event.3));
            prop_assert_eq!(*count, inside.count() as u64);
        }
    }
}

#[test]
fn a_million_rows_take_24_bytes_each() {
    let mut columns = Columns::default();
    let (day, number) = calendar(0);
    for at in 0..(4 * SEGMENT_ROWS as i64) {
        let row = Row {
            at: at % DAY,
            day: number,
            kind: 0,
            who: 0,
            amount: at,
        };
        columns.push_row(row, day);
    }
    assert_eq!(columns.bytes() as u64, columns.rows() * 24);
}

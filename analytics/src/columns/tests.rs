use proptest::prelude::*;

use super::segment::Segment;
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

proptest! {
    #[test]
    fn every_amount_is_in_the_bin_that_division_says(
        low in prop_oneof![Just(i64::MIN), Just(0), -1_000..1_000_i64, any::<i64>()],
        width in prop_oneof![1..100_i64, (1_i64 << 31) - 2..(1 << 31) + 3, 1..i64::MAX],
        bins in 1..70_usize,
        amounts in proptest::collection::vec(prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>()], 1..20),
    ) {
        let (least, wide) = (i128::from(low), i128::from(width));
        // Beside any amounts, those at each edge.
        let edges = (0..=bins as i128).flat_map(|bin| (-1..=1).map(move |by| least + bin * wide + by));
        let mut amounts = amounts;
        amounts.extend(edges.filter_map(|edge| i64::try_from(edge).ok()));
        let mut places = vec![0; amounts.len()];
        Bins::new(low, width, bins).find(&amounts, &mut places);
        for (amount, place) in amounts.iter().zip(places) {
            let bin = (i128::from(*amount) - least).div_euclid(wide) + 1;
            prop_assert_eq!(i128::from(place), bin.clamp(0, bins as i128 + 1), "{}", amount);
        }
    }
}

/// What a row of the second half of a segment may hold, as large as its column allows.
fn wide_rows() -> impl Strategy<Value = Vec<Row>> {
    let amounts = prop_oneof![Just(i64::MIN), Just(i64::MAX), any::<i64>(), -300..300_i64];
    let times = prop_oneof![any::<i64>(), 0..1_i64 << 40, 0..100_i64];
    let row = (times, any::<u16>(), 0..300_u16, 0..70_000_u32, amounts);
    let row = row.prop_map(|(at, day, kind, who, amount)| Row {
        at,
        day,
        kind,
        who,
        amount,
    });
    proptest::collection::vec(row, 1..700)
}

proptest! {
    #[test]
    fn a_packed_segment_gives_its_rows_back(rows in wide_rows(), pick in any::<prop::sample::Index>(), narrow in any::<bool>()) {
        let mut rows = rows;
        if narrow {
            rows.iter_mut().for_each(|row| row.at = row.at.rem_euclid(5_000));
        }
        let segment = Segment::of(&rows);
        let mut found = Vec::new();
        segment.each(&Filter { to: i64::MAX, ..Filter::ALL }, &mut |row: &Row| found.push(*row));
        let expected: Vec<Row> = rows.iter().copied().filter(|row| row.at < i64::MAX).collect();
        prop_assert_eq!(found, expected);
        let one = *pick.get(&rows);
        let filter = Filter { from: one.at.min(0), to: one.at.saturating_add(1), kind: Some(one.kind), who: Some(one.who) };
        let mut found = Vec::new();
        segment.each(&filter, &mut |row: &Row| found.push(*row));
        let is_meant = |row: &&Row| filter.from <= row.at && row.at < filter.to && row.kind == one.kind && row.who == one.who;
        prop_assert_eq!(found, rows.iter().filter(is_meant).copied().collect::<Vec<_>>());
        let mut amounts = Vec::new();
        segment.each_amounts(|chunk| amounts.extend_from_slice(chunk));
        prop_assert_eq!(amounts, rows.iter().map(|row| row.amount).collect::<Vec<_>>());
    }
}

#[test]
fn rows_of_a_depots_days_take_14_bytes_each() {
    let row = |number: i64| Row {
        at: number * 40_000_000,
        day: u16::try_from(19_000 + number / 2_160).unwrap(),
        kind: u16::try_from(number % 12).unwrap(),
        who: u32::try_from(number % 500).unwrap(),
        amount: number * 13 % 900_000,
    };
    let rows: Vec<Row> = (0..16_384).map(row).collect();
    assert_eq!(Segment::of(&rows).bytes(), rows.len() * 14);
}

//! Against a look at every member.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn it_finds_what_a_look_at_every_member_finds(
        mut keys in proptest::collection::vec(0..12_u8, 0..24),
        unreadable in proptest::collection::vec(any::<bool>(), 24),
        from in 0..12_u8,
        length in 0..6_u8,
    ) {
        keys.sort_unstable();
        let to = from + length;
        let listed: Vec<Option<u8>> = keys
            .iter()
            .zip(&unreadable)
            .map(|(key, unreadable)| (!unreadable).then_some(*key))
            .collect();
        let may_lie_within = |rank: usize| {
            let lowest = listed[..=rank].iter().flatten().next_back().copied().unwrap_or(0);
            let highest = listed[rank..].iter().flatten().next().copied().unwrap_or(u8::MAX);
            lowest <= to && from <= highest
        };
        let expected: Vec<usize> = (0..listed.len()).filter(|rank| may_lie_within(*rank)).collect();
        let count = u32::try_from(listed.len()).unwrap();
        let found = ranks_within(count, (from, to), |rank| Ok::<_, ()>(listed[rank as usize])).unwrap();
        let found: Vec<usize> = found.map(|rank| rank as usize).collect();
        prop_assert_eq!(found, expected);
    }
}

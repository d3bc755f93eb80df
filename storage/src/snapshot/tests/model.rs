//! Random histories against a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Save {
        stream: u32,
        version: u32,
    },
    Load {
        stream: u32,
        at_most: u32,
        durable: u64,
    },
    Reopen,
    RemoveAbove(u64),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..3_u32, 1..20_u32).prop_map(|(stream, version)| Step::Save { stream, version }),
        6 => (0..3_u32, 0..22_u32, 0..220_u64)
            .prop_map(|(stream, at_most, durable)| Step::Load { stream, at_most, durable }),
        2 => Just(Step::Reopen),
        1 => (0..220_u64).prop_map(Step::RemoveAbove),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 1..60)
}

/// Whether a snapshot must be there, or may have gone with its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Surely,
    Perhaps,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_store_answers_as_a_map_does(steps in steps()) {
        let repo = MemoryRepo::new();
        let mut store = small_store(&repo, 1_000);
        let mut model: BTreeMap<(u32, u32), Kept> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Save { stream, version } => {
                    save(&store, stream, version);
                    model.insert((stream, version), Kept::Surely);
                }
                Step::Load { stream, at_most, durable } => {
                    let loaded = found(&store, stream, at_most, durable);
                    let mut candidates = model
                        .range((stream, 0)..=(stream, at_most))
                        .rev()
                        .filter(|((stream, version), _)| position_of(*stream, *version) <= at(durable));
                    // The newest, or one behind those that may have gone.
                    let answer = candidates
                        .find(|((_, version), kept)| Some(*version) == loaded || **kept == Kept::Surely)
                        .map(|((_, version), _)| *version);
                    prop_assert!(answer == loaded || (loaded.is_none() && answer.is_none()), "{:?} {:?}", loaded, model);
                }
                Step::Reopen => store = small_store(&repo, 1_000),
                Step::RemoveAbove(position) => {
                    store.remove_above(at(position)).unwrap();
                    let before = model.len();
                    model.retain(|(stream, version), _| position_of(*stream, *version) <= at(position));
                    if model.len() < before {
                        model.values_mut().for_each(|kept| *kept = Kept::Perhaps);
                    }
                }
                Step::Clear => {
                    store.clear().unwrap();
                    model.clear();
                }
            }
        }
    }
}

//! Runs of the simulation: the design holds, and every rule is missed when it is switched off.

use super::check::check_end;
use super::world::{Failure, World};
use crate::rule::{Rule, with_broken};

#[path = "../../tests/tables/mod.rs"]
#[expect(unreachable_pub, reason = "integration tests use the same file")]
pub(crate) mod crdt_tables;

/// One run: how many records its log had, or what went wrong.
fn run(seed: u64, registers_anew: bool) -> Result<usize, Failure> {
    let steps = 60 + seed % 90;
    let mut world = World::new(seed, registers_anew);
    for _ in 0..steps {
        world.step()?;
    }
    world.settle()?;
    check_end(&mut world)?;
    Ok(world.log.len())
}

/// One run that must not fail: how many records its log had.
#[track_caller]
fn check_seed(seed: u64, registers_anew: bool) -> usize {
    match run(seed, registers_anew) {
        Ok(records) => records,
        Err(failure) => panic!("seed {seed}: {failure}"),
    }
}

/// How many seeds a plain test run tries; `CRDT_SIM_SEEDS` asks for another number, `CRDT_SIM_FIRST` for another start.
fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str, otherwise: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let first = number("CRDT_SIM_FIRST", 0);
    first..first + number("CRDT_SIM_SEEDS", 10_000)
}

/// Seeds that failed once: a backup taken amid a download (the first four), and an operation that a later store of its
/// device brought again.
#[test]
fn seeds_that_failed_once_hold() {
    for seed in [93_320, 172_427, 205_676, 330_702, 291_858] {
        check_seed(seed, false);
    }
}

#[test]
fn every_device_ends_with_the_servers_state() {
    let mut records = 0;
    for seed in seeds() {
        records += check_seed(seed, false);
    }
    println!("{records} log records");
}

#[test]
fn every_device_ends_with_the_servers_state_also_where_stores_register_anew_unasked() {
    let mut records = 0;
    for seed in seeds() {
        records += check_seed(seed, true);
    }
    println!("{records} log records");
}

/// The first seed that notices a broken rule.
#[track_caller]
fn check_noticed(rule: Rule) {
    for seed in 0..10_000 {
        let outcome = std::panic::catch_unwind(|| with_broken(Some(rule), || run(seed, false)));
        crate::rule::with_broken(None, || ());
        match outcome {
            Ok(Ok(_)) => {}
            Ok(Err(failure)) => return println!("{rule:?}: seed {seed}: {failure}"),
            Err(_) => return println!("{rule:?}: seed {seed}: a panic"),
        }
    }
    panic!("{rule:?} can be broken unnoticed");
}

#[test]
fn base_advancing_with_every_page_is_noticed() {
    check_noticed(Rule::BaseWithLastPage);
}

#[test]
fn base_advancing_to_the_announced_head_is_noticed() {
    check_noticed(Rule::BaseToLastHead);
}

#[test]
fn slots_from_the_page_before_are_noticed() {
    check_noticed(Rule::SlotsFromCompletePoint);
}

#[test]
fn missing_dedup_is_noticed() {
    check_noticed(Rule::DedupBySeq);
}

#[test]
fn accepted_gaps_are_noticed() {
    check_noticed(Rule::NoGaps);
}

#[test]
fn markers_dropped_early_are_noticed() {
    check_noticed(Rule::MarkersUntilStable);
}

#[test]
fn a_missing_overwrite_bump_is_noticed() {
    check_noticed(Rule::OverwriteBumps);
}

#[test]
fn a_missing_manifest_is_noticed() {
    check_noticed(Rule::ManifestBelowFloor);
}

#[test]
fn removals_that_take_everything_are_noticed() {
    check_noticed(Rule::RemoveOnlySeen);
}

#[test]
fn unbracketed_stamps_are_noticed() {
    check_noticed(Rule::StampBracket);
}

#[test]
fn rank_in_the_stored_order_is_noticed() {
    check_noticed(Rule::RankOnlyAtAdmission);
}

#[test]
fn forgotten_verdicts_are_noticed() {
    check_noticed(Rule::VerdictsPersist);
}

#[test]
fn a_cursor_stored_before_its_page_is_noticed() {
    check_noticed(Rule::CursorWithPage);
}

#[test]
fn an_unchecked_chain_is_noticed() {
    check_noticed(Rule::ChainChecked);
}

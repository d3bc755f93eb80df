//! Entities in memory: what one of many takes, counted by the allocator of the program that asks.

use crate::peer::{Automerge, CrdtsLww, CrdtsMap, Loro, Ours, Peer, YrsEach, YrsOne, ours_depot};

/// Live bytes of an entity of 20 fields, indexes included.
pub const ENTITY: &str = "memory of an entity, B";
/// How many of ours are counted.
pub const OURS_COUNT: usize = 100_000;
/// How many of the peers': theirs take 2 to 25 kB each, and the part of one hardly depends on how many there are.
pub const PEERS_COUNT: usize = 5_000;

fn of_peer<P: Peer>(count: usize, live: &impl Fn() -> usize) -> (&'static str, f64) {
    let start = P::start(count);
    let before = live();
    let server = P::server(&start);
    let grown = live().saturating_sub(before);
    drop(server);
    (P::NAME, grown as f64 / count as f64)
}

/// The depot alone: the times that the bench keeps beside it are the log's.
fn of_ours(live: &impl Fn() -> usize) -> (&'static str, f64) {
    let before = live();
    let depot = ours_depot(OURS_COUNT);
    let grown = live().saturating_sub(before);
    drop(depot);
    (Ours::NAME, grown as f64 / OURS_COUNT as f64)
}

/// Bytes an entity, by peer. `live` says how many bytes are allocated.
pub fn measure(live: &impl Fn() -> usize) -> Vec<(&'static str, f64)> {
    vec![
        of_ours(live),
        of_peer::<Automerge>(PEERS_COUNT, live),
        of_peer::<Loro>(PEERS_COUNT, live),
        of_peer::<YrsOne>(PEERS_COUNT, live),
        of_peer::<YrsEach>(PEERS_COUNT, live),
        of_peer::<CrdtsMap>(PEERS_COUNT, live),
        of_peer::<CrdtsLww>(PEERS_COUNT, live),
    ]
}

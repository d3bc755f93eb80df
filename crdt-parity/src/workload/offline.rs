//! 400 edits of one device without a network, and the way back: what goes up, in how many round trips.

use crate::figures::Figures;
use crate::peer::{Ours, Peer, YrsOne};
use crate::seed::edits_of;
use crate::workload::many::ENTITIES;

/// Edits.
const EDITS: usize = 400;
/// The body of edits, and what the device asks with.
pub const UP: &str = "400 offline edits, up, B";

fn up<P: Peer>() -> f64 {
    let start = P::start(ENTITIES);
    let mut device = P::device(&start, 0);
    for edit in edits_of(400, ENTITIES, EDITS) {
        P::edit(&mut device, &edit);
    }
    (P::push(&mut device).len() + P::request(&mut device).len()) as f64
}

/// Measures both.
pub fn measure(figures: &mut Figures) {
    figures.add(Ours::NAME, UP, up::<Ours>());
    figures.add(YrsOne::NAME, UP, up::<YrsOne>());
}

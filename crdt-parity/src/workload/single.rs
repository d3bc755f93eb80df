//! Workload S: one entity of 20 fields, 100 devices that change one field after the other ten times, none of them
//! knowing of another.

use super::{Turn, check_equal};
use crate::clock::{median, median_ns};
use crate::figures::Figures;
use crate::peer::Peer;
use crate::seed::{DEVICES, EDITS, edits_of};

/// A server merges 1,000 edits one by one: nanoseconds an edit.
pub const MERGE: &str = "S: merge of one edit, ns";
/// An edit's bytes, the median of 1,000.
pub const DELTA: &str = "S: one edit, B";
/// The first edit of a device that has seen all the others.
pub const AFTER: &str = "S: first edit after 100 devices, B";
/// The one after it.
pub const AFTER_NEXT: &str = "S: the next one, B";
/// The entity after 1,000 edits.
pub const STATE: &str = "S: state after 1,000 edits, B";

/// A peer at this workload.
#[expect(
    missing_debug_implementations,
    reason = "peers' documents say nothing of themselves"
)]
pub struct Single<P: Peer> {
    start: P::Start,
    /// By the order in which the server takes them.
    deltas: Vec<(usize, Vec<u8>)>,
}

impl<P: Peer> Single<P> {
    /// Makes the edits, and measures what does not depend on time.
    pub fn new(figures: &mut Figures) -> Self {
        let start = P::start(1);
        let mut devices: Vec<P::Device> = (0..DEVICES)
            .map(|number| P::device(&start, number))
            .collect();
        let edits: Vec<_> = (0..DEVICES)
            .map(|number| edits_of(number, 1, EDITS))
            .collect();
        let mut deltas = Vec::new();
        for turn in 0..EDITS {
            for (number, device) in devices.iter_mut().enumerate() {
                deltas.push((number, P::edit(device, &edits[number][turn])));
            }
        }
        let lengths: Vec<f64> = deltas.iter().map(|(_, bytes)| bytes.len() as f64).collect();
        figures.add(P::NAME, DELTA, median(&lengths));

        let mut server = P::server(&start);
        let device = &mut devices[0];
        for (number, bytes) in &deltas {
            let answer = P::merge(&mut server, *number, bytes);
            if *number == 0 {
                P::hear(device, answer);
            }
        }
        figures.add(P::NAME, STATE, P::state(&mut server).len() as f64);
        let request = P::request(device);
        let page = P::answer(&mut server, 0, &request);
        P::apply(device, &page);
        check_equal::<P>(&server, device, 1);
        for (measure, edit) in [AFTER, AFTER_NEXT].into_iter().zip(edits_of(999, 1, 2)) {
            figures.add(P::NAME, measure, P::edit(device, &edit).len() as f64);
        }
        Self { start, deltas }
    }
}

impl<P: Peer> Turn for Single<P> {
    fn round(&mut self, figures: &mut Figures) {
        let merge = |server: &mut P::Server| {
            for (number, bytes) in &self.deltas {
                std::hint::black_box(P::merge(server, *number, bytes));
            }
        };
        let took = median_ns(|| P::server(&self.start), merge);
        figures.add(P::NAME, MERGE, took / self.deltas.len() as f64);
    }
}

//! Workload C: 1,000 entities of 20 fields, 100 devices that make ten changes each, anywhere, and push them as one body.

use super::{Turn, check_equal, zstd_bytes};
use crate::clock::{cpu_ns, median, median_ns};
use crate::figures::Figures;
use crate::peer::Peer;
use crate::seed::{DEVICES, EDITS, edits_of};

/// Entities.
pub const ENTITIES: usize = 1_000;
/// Devices whose downloads are timed.
const TIMED: usize = 3;

/// A server merges 1,000 edits one by one: nanoseconds an edit.
pub const MERGE: &str = "C: merge of one edit, ns";
/// An edit's bytes.
pub const DELTA: &str = "C: one edit, B";
/// Ten edits as one body.
pub const PUSH: &str = "C: push of 10 edits, B";
/// All pushes behind each other after zstd, the part of one.
pub const PUSH_ZSTD: &str = "C: push of 10 edits, zstd, B";
/// What a device asks with.
pub const REQUEST: &str = "C: pull request, B";
/// The same as the server hands it out: ours with what tells histories apart and a MAC, as text.
pub const REQUEST_SIGNED: &str = "C: pull request as handed out, B";
/// What it is answered: 990 edits of others.
pub const ANSWER: &str = "C: pull answer, B";
/// The same after zstd.
pub const ANSWER_ZSTD: &str = "C: pull answer, zstd, B";
/// The server's time for an answer, the mean of 100 devices that ask one after the other.
pub const PULL: &str = "C: server's time of a pull, µs";
/// The first of them alone.
pub const PULL_FIRST: &str = "C: server's time of the first pull, µs";
/// A device's time to take it.
pub const APPLY: &str = "C: device's time of a pull, µs";
/// The state before and after the edits.
pub const STATE_BEFORE: &str = "C: state before, B";
/// See [`STATE_BEFORE`].
pub const STATE: &str = "C: state after, B";
/// A first download of it, after zstd.
pub const FIRST_ZSTD: &str = "C: first download, zstd, B";
/// As it would rest in a file.
pub const STATE_ZSTD: &str = "C: state after, zstd, B";

/// A peer at this workload.
#[expect(
    missing_debug_implementations,
    reason = "peers' documents say nothing of themselves"
)]
pub struct Many<P: Peer> {
    start: P::Start,
    deltas: Vec<(usize, Vec<u8>)>,
    pushes: Vec<Vec<u8>>,
    requests: Vec<Vec<u8>>,
}

fn edited<P: Peer>(start: &P::Start, number: usize) -> (P::Device, Vec<Vec<u8>>) {
    let mut device = P::device(start, number);
    let edits = edits_of(number, ENTITIES, EDITS);
    let deltas = edits
        .iter()
        .map(|edit| P::edit(&mut device, edit))
        .collect();
    (device, deltas)
}

impl<P: Peer> Many<P> {
    /// Makes the edits, and measures what does not depend on time.
    pub fn new(figures: &mut Figures) -> Self {
        let start = P::start(ENTITIES);
        let (mut deltas, mut pushes, mut requests) = (Vec::new(), Vec::new(), Vec::new());
        for number in 0..DEVICES {
            let (mut device, edits) = edited::<P>(&start, number);
            deltas.extend(edits.into_iter().map(|bytes| (number, bytes)));
            pushes.push(P::push(&mut device));
            requests.push(P::request(&mut device));
        }
        let mut add = |measure, value| figures.add(P::NAME, measure, value);
        let lengths = |bodies: &[Vec<u8>]| {
            median(
                &bodies
                    .iter()
                    .map(|body| body.len() as f64)
                    .collect::<Vec<_>>(),
            )
        };
        let bodies: Vec<Vec<u8>> = deltas.iter().map(|(_, bytes)| bytes.clone()).collect();
        add(DELTA, lengths(&bodies));
        add(PUSH, lengths(&pushes));
        add(PUSH_ZSTD, zstd_bytes(&pushes.concat()) / DEVICES as f64);
        add(REQUEST, lengths(&requests));
        add(REQUEST_SIGNED, P::handed_out(lengths(&requests)));

        let mut server = P::server(&start);
        add(STATE_BEFORE, P::state(&mut server).len() as f64);
        let mut answers = Vec::new();
        for (number, push) in pushes.iter().enumerate() {
            answers.push(P::merge(&mut server, number, push));
        }
        let state = P::state(&mut server);
        add(STATE, state.len() as f64);
        add(STATE_ZSTD, zstd_bytes(&state).min(state.len() as f64));
        add(FIRST_ZSTD, zstd_bytes(&P::download(&mut server)));
        let (mut raw, mut packed) = (Vec::new(), Vec::new());
        for (number, answer) in answers.into_iter().enumerate().take(TIMED) {
            let mut device = edited::<P>(&start, number).0;
            P::hear(&mut device, answer);
            let request = P::request(&mut device);
            let page = P::answer(&mut server, number, &request);
            raw.push(page.len() as f64);
            packed.push(zstd_bytes(&page));
            P::apply(&mut device, &page);
            check_equal::<P>(&server, &device, ENTITIES);
        }
        add(ANSWER, median(&raw));
        add(ANSWER_ZSTD, median(&packed));
        Self {
            start,
            deltas,
            pushes,
            requests,
        }
    }

    fn pushed(&self) -> (P::Server, Vec<P::Answer>) {
        let mut server = P::server(&self.start);
        let pushes = self.pushes.iter().enumerate();
        let answers = pushes
            .map(|(number, push)| P::merge(&mut server, number, push))
            .collect();
        (server, answers)
    }
}

impl<P: Peer> Turn for Many<P> {
    fn round(&mut self, figures: &mut Figures) {
        let merge = |server: &mut P::Server| {
            for (number, bytes) in &self.deltas {
                std::hint::black_box(P::merge(server, *number, bytes));
            }
        };
        let took = median_ns(|| P::server(&self.start), merge);
        figures.add(P::NAME, MERGE, took / self.deltas.len() as f64);

        let (mut server, answers) = self.pushed();
        let mut times = Vec::new();
        for (number, request) in self.requests.iter().enumerate() {
            let begun = cpu_ns();
            std::hint::black_box(P::answer(&mut server, number, request));
            times.push(cpu_ns() - begun);
        }
        let sum: f64 = times.iter().sum();
        figures.add(P::NAME, PULL, sum / times.len() as f64 / 1e3);
        figures.add(P::NAME, PULL_FIRST, times[0] / 1e3);

        times.clear();
        for (number, answer) in answers.into_iter().enumerate().take(TIMED) {
            let mut device = edited::<P>(&self.start, number).0;
            P::hear(&mut device, answer);
            let request = P::request(&mut device);
            let page = P::answer(&mut server, number, &request);
            let begun = cpu_ns();
            P::apply(&mut device, &page);
            times.push(cpu_ns() - begun);
        }
        figures.add(P::NAME, APPLY, median(&times) / 1e3);
    }
}

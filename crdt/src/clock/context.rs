//! Dot contexts: exactly which writes a state has seen, gaps included, as runs of counters.
//!
//! A context remembers a removed element's dot without keeping the element: that is why the sets of this crate have no
//! tombstones. Runs merge when they touch, so a replica whose writes arrived without gaps costs one run for ever.
//! Source: Almeida, Shoker, Baquero, *Delta State Replicated Data Types*, 2018, section 7.

use super::{Dot, VectorClock};
use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::wire::{DecodeError, EXACT_INTEGER_MAX, Reader, Wire, Writer};
use std::collections::BTreeMap;

/// Consecutive counters of one replica, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    /// The first counter, at least 1.
    pub first: u64,
    /// The last counter, not below the first.
    pub last: u64,
}

/// A set of dots. Per replica the runs rise and never touch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DotContext<R> {
    runs: BTreeMap<R, Vec<Run>>,
}

impl<R: Replica> Default for DotContext<R> {
    fn default() -> Self {
        Self {
            runs: BTreeMap::new(),
        }
    }
}

impl<R: Replica> DotContext<R> {
    /// The empty context.
    pub fn new() -> Self {
        Self::default()
    }

    /// The context of these dots.
    pub fn of(dots: impl IntoIterator<Item = Dot<R>>) -> Self {
        let mut context = Self::new();
        for dot in dots {
            context.insert(dot);
        }
        context
    }

    /// Whether `dot` was seen. Logarithmic in replicas and runs.
    pub fn contains(&self, dot: &Dot<R>) -> bool {
        self.runs.get(&dot.replica).is_some_and(|runs| {
            let after = runs.partition_point(|run| run.first <= dot.counter);
            after > 0
                && runs
                    .get(after - 1)
                    .is_some_and(|run| dot.counter <= run.last)
        })
    }

    /// Adds one dot.
    pub fn insert(&mut self, dot: Dot<R>) {
        insert_run(
            self.runs.entry(dot.replica).or_default(),
            Run {
                first: dot.counter,
                last: dot.counter,
            },
        );
    }

    /// Adds a run of dots of one replica. An empty or zero-based run adds nothing.
    pub fn insert_run(&mut self, replica: R, run: Run) {
        if run.first >= 1 && run.first <= run.last {
            insert_run(self.runs.entry(replica).or_default(), run);
        }
    }

    /// The dot of the next write of `replica`, given that this context knows all its writes.
    pub fn next_dot(&self, replica: &R) -> Dot<R> {
        let last = self
            .runs
            .get(replica)
            .and_then(|runs| runs.last())
            .map_or(0, |run| run.last);
        Dot::new(replica.clone(), last.saturating_add(1))
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// All runs, by replica, rising.
    pub fn runs(&self) -> impl Iterator<Item = (&R, &[Run])> {
        self.runs
            .iter()
            .map(|(replica, runs)| (replica, runs.as_slice()))
    }

    /// All dots, rising; made one by one, since a hostile context may claim 2^53 of them.
    pub fn dots(&self) -> impl Iterator<Item = Dot<R>> + '_ {
        self.runs.iter().flat_map(|(replica, runs)| {
            let counters = runs.iter().flat_map(|run| run.first..=run.last);
            counters.map(|counter| Dot::new(replica.clone(), counter))
        })
    }

    /// The dots of this context that `other` has not seen.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Self::new();
        for (replica, runs) in &self.runs {
            let seen = other.runs.get(replica).map_or(&[][..], Vec::as_slice);
            let rest = subtract_runs(runs, seen);
            if !rest.is_empty() {
                left.runs.insert(replica.clone(), rest);
            }
        }
        left
    }

    /// The gapless part as a vector clock: per replica the run that starts at 1.
    pub fn gapless(&self) -> VectorClock<R> {
        let mut clock = VectorClock::new();
        for (replica, runs) in &self.runs {
            if let Some(run) = runs.first().filter(|run| run.first == 1) {
                clock.raise(replica.clone(), run.last);
            }
        }
        clock
    }

    /// Per replica the highest counter seen, gaps or not.
    pub fn highest(&self) -> VectorClock<R> {
        let mut clock = VectorClock::new();
        for (replica, runs) in &self.runs {
            if let Some(run) = runs.last() {
                clock.raise(replica.clone(), run.last);
            }
        }
        clock
    }
}

impl<R: Replica> From<&VectorClock<R>> for DotContext<R> {
    fn from(clock: &VectorClock<R>) -> Self {
        let runs = clock.iter().map(|(replica, count)| {
            (
                replica.clone(),
                vec![Run {
                    first: 1,
                    last: count,
                }],
            )
        });
        Self {
            runs: runs.collect(),
        }
    }
}

/// Merges `run` into sorted, disjoint, untouching `runs`.
fn insert_run(runs: &mut Vec<Run>, run: Run) {
    // Writes nearly always follow what is known.
    match runs.last_mut() {
        Some(last) if last.last.saturating_add(1) == run.first => {
            last.last = run.last;
            return;
        }
        Some(last) if last.last >= run.first => {}
        _ => return runs.push(run),
    }
    // Everything from `start` to `end` touches or overlaps the new run and is swallowed by it.
    let start = runs.partition_point(|other| other.last.saturating_add(1) < run.first);
    let end = runs.partition_point(|other| other.first <= run.last.saturating_add(1));
    let touched = runs.get(start..end).unwrap_or(&[]);
    let merged = Run {
        first: touched
            .first()
            .map_or(run.first, |other| other.first.min(run.first)),
        last: touched
            .last()
            .map_or(run.last, |other| other.last.max(run.last)),
    };
    runs.splice(start..end.max(start), [merged]);
}

fn subtract_runs(runs: &[Run], seen: &[Run]) -> Vec<Run> {
    let mut left = Vec::new();
    for run in runs {
        let mut first = run.first;
        for hole in seen
            .iter()
            .filter(|hole| hole.last >= run.first && hole.first <= run.last)
        {
            if hole.first > first {
                left.push(Run {
                    first,
                    last: hole.first - 1,
                });
            }
            first = hole.last.saturating_add(1);
        }
        if first <= run.last {
            left.push(Run {
                first,
                last: run.last,
            });
        }
    }
    left
}

impl<R: Replica> Lattice for DotContext<R> {
    fn join(&mut self, other: &Self) {
        for (replica, runs) in &other.runs {
            let own = self.runs.entry(replica.clone()).or_default();
            for run in runs {
                insert_run(own, *run);
            }
        }
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.without(other).is_empty()
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        Box::new(self.dots().map(|dot| Self::of([dot])))
    }
}

/// Count of replicas, then per replica: its name, count of runs, then per run the distance from the end of the run
/// before (from 0 for the first; at least 1, between runs at least 2) and the run's length minus one.
impl<R: Replica> Wire for DotContext<R> {
    fn encode(&self, writer: &mut Writer) {
        writer.count(self.runs.len());
        for (replica, runs) in &self.runs {
            replica.encode(writer);
            writer.count(runs.len());
            let mut end = 0;
            for run in runs {
                writer.varint(run.first - end);
                writer.varint(run.last - run.first);
                end = run.last;
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut context = Self::new();
        for _ in 0..reader.count(4)? {
            let replica = R::decode(reader)?;
            let not_rising = context
                .runs
                .last_key_value()
                .is_some_and(|(last, _)| *last >= replica);
            let runs = decode_runs(reader)?;
            if not_rising || runs.is_empty() {
                return Err(DecodeError::NotCanonical { what: "context" });
            }
            context.runs.insert(replica, runs);
        }
        Ok(context)
    }
}

fn decode_runs(reader: &mut Reader<'_>) -> Result<Vec<Run>, DecodeError> {
    let count = reader.count(2)?;
    let mut runs = Vec::with_capacity(count);
    let mut end = 0;
    for index in 0..count {
        let gap = reader.exact("run")?;
        let first = end + gap;
        let last = first + reader.exact("run")?;
        // A gap of one would be the same run; zero would overlap.
        if gap == 0 || (index > 0 && gap == 1) {
            return Err(DecodeError::NotCanonical { what: "context" });
        }
        if last > EXACT_INTEGER_MAX {
            return Err(DecodeError::OutOfRange { what: "run" });
        }
        runs.push(Run { first, last });
        end = last;
    }
    Ok(runs)
}

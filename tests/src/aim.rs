//! When to kill what works, so that it is hit while it works and not behind its end; and what was hit, counted.
//!
//! How long a kind of work takes differs from machine to machine and from round to round, so no fixed time hits it. Each round
//! says what had become of the work; the next one is allowed half the time where it was done, and more where it was not.

use std::fmt;
use std::time::Duration;

use crate::load::Seeded;

/// The work may be cut short this soon after its beginning at least, and this long at most.
const LEAST: Duration = Duration::from_millis(1);
const MOST: Duration = Duration::from_secs(300);

/// What had become of the work when it was cut short.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Nothing of it was done.
    NotBegun,
    /// Some of it was done, and not all.
    UnderWay,
    /// All of it was done.
    Done,
}

impl Stage {
    const ALL: [Stage; 3] = [Stage::NotBegun, Stage::UnderWay, Stage::Done];

    fn name(self) -> &'static str {
        match self {
            Stage::NotBegun => "not begun",
            Stage::UnderWay => "under way",
            Stage::Done => "already done",
        }
    }
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Aim {
    within: Duration,
}

impl Aim {
    /// The first rounds cut the work short within this time of its beginning.
    pub fn new(within: Duration) -> Self {
        Aim { within }
    }

    /// How long after its beginning the work is cut short next.
    pub fn next(&self, chance: &mut Seeded) -> Duration {
        let micros = u64::try_from(self.within.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(chance.below(micros.max(1)))
    }

    /// Takes in what came of it.
    pub fn learn(&mut self, stage: Stage) {
        self.within = match stage {
            Stage::NotBegun => self.within,
            Stage::UnderWay => (self.within * 3 / 2).min(MOST),
            Stage::Done => (self.within / 2).max(LEAST),
        };
    }
}

/// How often one kind of work was cut short, at which stage, and how long after its beginning. Displayed, it is a table.
#[derive(Clone, Debug)]
pub struct Tally {
    of: &'static str,
    cuts: Vec<(Duration, Stage)>,
}

impl Tally {
    /// Of this work, and nothing counted yet.
    pub fn new(of: &'static str) -> Self {
        Tally {
            of,
            cuts: Vec::new(),
        }
    }

    /// Counts a round.
    pub fn count(&mut self, after: Duration, stage: Stage) {
        self.cuts.push((after, stage));
    }

    /// Rounds that hit the work while it was under way.
    pub fn hits(&self) -> usize {
        self.at(Stage::UnderWay).count()
    }

    fn at(&self, stage: Stage) -> impl Iterator<Item = Duration> {
        let cuts = self.cuts.iter().filter(move |cut| cut.1 == stage);
        cuts.map(|cut| cut.0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "cut short {} times: {}",
            self.cuts.len(),
            self.of
        )?;
        for stage in Stage::ALL {
            let count = self.at(stage).count();
            write!(formatter, "\n  {:12} {count:4}", stage.name())?;
            if let (Some(first), Some(last)) = (self.at(stage).min(), self.at(stage).max()) {
                let ms = |time: Duration| time.as_secs_f64() * 1e3;
                write!(formatter, "   {:9.1} to {:9.1} ms", ms(first), ms(last))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds against work that takes `took_ms`, by half more or less.
    fn rounds(took_ms: u64, within_ms: u64) -> Tally {
        let mut chance = Seeded::new(took_ms);
        let mut aim = Aim::new(Duration::from_millis(within_ms));
        let mut tally = Tally::new("something");
        for _ in 0..25 {
            let delay = aim.next(&mut chance);
            let took = Duration::from_micros(took_ms * (500 + chance.below(1_000)));
            let stage = if delay < took {
                Stage::UnderWay
            } else {
                Stage::Done
            };
            aim.learn(stage);
            tally.count(delay, stage);
        }
        tally
    }

    #[test]
    fn work_of_any_length_is_hit_from_its_beginning_to_its_end() {
        for (took_ms, within_ms) in [(3, 20), (15, 20), (50, 20), (200, 50), (20_000, 1_500)] {
            let tally = rounds(took_ms, within_ms);
            assert!(tally.hits() >= 10, "{took_ms} ms: {tally}");
            let last = tally.at(Stage::UnderWay).max().unwrap_or_default();
            assert!(
                last > Duration::from_millis(took_ms) / 2,
                "{took_ms} ms: {tally}"
            );
            assert!(tally.at(Stage::Done).count() > 0, "{took_ms} ms: {tally}");
        }
    }

    #[test]
    fn a_tally_is_a_table() {
        let mut tally = Tally::new("learning");
        tally.count(Duration::from_micros(1_500), Stage::UnderWay);
        tally.count(Duration::from_millis(20), Stage::UnderWay);
        tally.count(Duration::from_millis(40), Stage::Done);
        let lines: Vec<String> = tally.to_string().lines().map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "cut short 3 times: learning",
                "  not begun       0",
                "  under way       2         1.5 to      20.0 ms",
                "  already done    1        40.0 to      40.0 ms",
            ]
        );
    }
}

//! Which figure is held against which, and where the bar is.

use crate::figures::Figures;
use crate::peer::{Automerge, CrdtsLww, CrdtsMap, Ours, OursLast, Peer, YrsEach, YrsOne};
use crate::workload::{counters, many, memory, offline, sets, single};

/// What is demanded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// Ours is at most this many times the anchor.
    Ratio(f64),
    /// Ours is at most this.
    AtMost(f64),
    /// Nothing: the row is there to be read.
    Nothing,
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Goal {
    /// `G1` and so on.
    pub number: &'static str,
    /// What is asked, in words.
    pub what: &'static str,
    /// Our figure: peer and measure.
    pub ours: (&'static str, String),
    /// The figure it is held against.
    pub anchor: Option<(&'static str, String)>,
    /// What is demanded.
    pub bar: Bar,
}

/// A goal with what the run found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The goal.
    pub goal: Goal,
    /// Our median.
    pub ours: f64,
    /// The anchor's median.
    pub anchor: Option<f64>,
    /// The median of the rounds' ratios.
    pub ratio: Option<f64>,
    /// Whether the bar is held; `None` where there is none.
    pub held: Option<bool>,
}

impl Goal {
    /// What the run found; `None` where it did not measure it.
    pub fn outcome(self, figures: &Figures) -> Option<Outcome> {
        let mine = (self.ours.0, self.ours.1.as_str());
        let ours = figures.median(mine.0, mine.1)?;
        let (mut anchor, mut ratio) = (None, None);
        if let Some((peer, measure)) = &self.anchor {
            anchor = Some(figures.median(peer, measure)?);
            ratio = figures.ratio(mine, (peer, measure));
        }
        let held = match self.bar {
            Bar::Ratio(most) => Some(ratio? <= most),
            Bar::AtMost(most) => Some(ours <= most),
            Bar::Nothing => None,
        };
        Some(Outcome {
            goal: self,
            ours,
            anchor,
            ratio,
            held,
        })
    }
}

const OURS: &str = Ours::NAME;
const LAST: &str = OursLast::NAME;
const YRS: &str = YrsOne::NAME;
const EACH: &str = YrsEach::NAME;
const MAP: &str = CrdtsMap::NAME;
const LWW: &str = CrdtsLww::NAME;
const AUTOMERGE: &str = Automerge::NAME;

fn goal(
    number: &'static str,
    what: &'static str,
    ours: (&'static str, &str),
    anchor: (&'static str, &str),
    bar: Bar,
) -> Goal {
    Goal {
        number,
        what,
        ours: (ours.0, ours.1.to_owned()),
        anchor: Some((anchor.0, anchor.1.to_owned())),
        bar,
    }
}

fn alone(number: &'static str, what: &'static str, ours: (&'static str, &str), most: f64) -> Goal {
    Goal {
        number,
        what,
        ours: (ours.0, ours.1.to_owned()),
        anchor: None,
        bar: Bar::AtMost(most),
    }
}

/// All goals that one process can measure.
pub fn goals() -> Vec<Goal> {
    use Bar::{Nothing, Ratio};
    let merge = "merge of one edit, S, ns";
    let state = "entity after 1,000 edits, S, B";
    let after = "first edit after seeing 100 devices, S, B";
    let mut goals = vec![
        goal(
            "G1",
            merge,
            (OURS, single::MERGE),
            (YRS, single::MERGE),
            Ratio(0.15),
        ),
        goal(
            "G1",
            merge,
            (OURS, single::MERGE),
            (MAP, single::MERGE),
            Ratio(0.3),
        ),
        goal(
            "G1",
            merge,
            (OURS, single::MERGE),
            (LWW, single::MERGE),
            Ratio(8.0),
        ),
        goal(
            "G1",
            merge,
            (OURS, single::MERGE),
            (AUTOMERGE, single::MERGE),
            Ratio(0.003),
        ),
        goal(
            "G2",
            "one edit, S, B",
            (OURS, single::DELTA),
            (YRS, single::DELTA),
            Ratio(0.8),
        ),
        goal(
            "G3",
            after,
            (OURS, single::AFTER),
            (MAP, single::AFTER),
            Ratio(0.02),
        ),
        goal(
            "G3",
            after,
            (OURS, single::AFTER),
            (AUTOMERGE, single::AFTER),
            Ratio(0.006),
        ),
        goal(
            "G3",
            after,
            (OURS, single::AFTER),
            (YRS, single::AFTER),
            Ratio(0.8),
        ),
        goal(
            "G3",
            "the same against our own before",
            (OURS, single::AFTER),
            (OURS, single::DELTA),
            Ratio(1.0),
        ),
        goal(
            "G5",
            state,
            (LAST, single::STATE),
            (YRS, single::STATE),
            Ratio(0.08),
        ),
        goal(
            "G5",
            "the same with 8 siblings a field",
            (OURS, single::STATE),
            (YRS, single::STATE),
            Ratio(0.55),
        ),
        goal(
            "G4",
            "push of 10 edits, C, B",
            (OURS, many::PUSH),
            (YRS, many::PUSH),
            Ratio(0.85),
        ),
        goal(
            "G4",
            "the same after zstd",
            (OURS, many::PUSH_ZSTD),
            (YRS, many::PUSH_ZSTD),
            Ratio(1.0),
        ),
        goal(
            "G6",
            "pull answer, 990 edits, C, B",
            (LAST, many::ANSWER),
            (YRS, many::ANSWER),
            Ratio(0.85),
        ),
        goal(
            "G6",
            "the same after zstd",
            (LAST, many::ANSWER_ZSTD),
            (YRS, many::ANSWER_ZSTD),
            Ratio(1.0),
        ),
        goal(
            "G6",
            "the same raw, with the values that lost",
            (OURS, many::ANSWER),
            (YRS, many::ANSWER),
            Nothing,
        ),
        goal(
            "G7",
            "pull request, C, B",
            (OURS, many::REQUEST_SIGNED),
            (EACH, many::REQUEST),
            Ratio(0.004),
        ),
        alone(
            "G7",
            "pull request with its MAC, B",
            (OURS, many::REQUEST_SIGNED),
            40.0,
        ),
        goal(
            "G8",
            "server's time of a pull, C, µs",
            (OURS, many::PULL),
            (YRS, many::PULL),
            Ratio(0.5),
        ),
        goal(
            "G8",
            "the first pull alone, C, µs",
            (OURS, many::PULL_FIRST),
            (YRS, many::PULL_FIRST),
            Nothing,
        ),
        goal(
            "G8",
            "server's time of a pull, C, µs",
            (OURS, many::PULL),
            (EACH, many::PULL),
            Ratio(0.05),
        ),
        goal(
            "G9",
            "device's time of a pull, C, µs",
            (OURS, many::APPLY),
            (YRS, many::APPLY),
            Ratio(0.15),
        ),
        alone(
            "G10",
            "memory of an entity, B",
            (OURS, memory::ENTITY),
            450.0,
        ),
        goal(
            "G10",
            "memory of an entity, B",
            (OURS, memory::ENTITY),
            (AUTOMERGE, memory::ENTITY),
            Ratio(0.65),
        ),
        goal(
            "G10",
            "memory of an entity, B",
            (OURS, memory::ENTITY),
            (YRS, memory::ENTITY),
            Ratio(0.05),
        ),
        goal(
            "G10",
            "memory of an entity, B",
            (OURS, memory::ENTITY),
            (LWW, memory::ENTITY),
            Ratio(0.2),
        ),
        goal(
            "G11",
            "snapshot (a first page), C, zstd, B",
            (OURS, many::FIRST_ZSTD),
            (AUTOMERGE, many::STATE_ZSTD),
            Ratio(1.0),
        ),
        goal(
            "G11",
            "packed entities in memory, C, zstd, B",
            (OURS, many::STATE_ZSTD),
            (AUTOMERGE, many::STATE_ZSTD),
            Nothing,
        ),
    ];
    let (early, late) = (sets::bytes_after(1_000), sets::bytes_after(10_000));
    let churned = "set after 10,000 additions, B";
    for ours in [sets::LATTICE, sets::COLLAPSED] {
        goals.extend([
            goal(
                "G13",
                churned,
                (ours, &late),
                (sets::ORSWOT, &late),
                Ratio(0.5),
            ),
            goal(
                "G13",
                "the same against itself after 1,000",
                (ours, &late),
                (ours, &early),
                Ratio(1.0),
            ),
            goal(
                "G13",
                "add and remove, ns",
                (ours, sets::STEP),
                (sets::ORSWOT, sets::STEP),
                Ratio(1.0),
            ),
        ]);
    }
    let counter = "counter of 100 devices, B";
    goals.extend([
        goal(
            "G14",
            counter,
            (counters::COLLAPSED, counters::STATE),
            (counters::PEER, counters::STATE),
            Ratio(0.01),
        ),
        goal(
            "G14",
            counter,
            (counters::LATTICE, counters::STATE),
            (counters::PEER, counters::STATE),
            Ratio(0.3),
        ),
        goal(
            "G15",
            "400 offline edits, bytes up",
            (OURS, offline::UP),
            (YRS, offline::UP),
            Ratio(0.85),
        ),
        goal(
            "",
            "merge of one edit, C, ns",
            (OURS, many::MERGE),
            (YRS, many::MERGE),
            Nothing,
        ),
    ]);
    goals
}

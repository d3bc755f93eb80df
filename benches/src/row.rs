//! One line of the table: what was measured, against what, and whether the bar is held.

use crate::sample::median;

/// What a row is judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// The measured value is at most this.
    AtMost(f64),
    /// The measured value is at least this.
    AtLeast(f64),
    /// The ratio to the reference is at most this.
    RatioAtMost(f64),
    /// The ratio to the reference is at least this.
    RatioAtLeast(f64),
    /// The measured value differs from the first number by at most the second.
    Within(f64, f64),
}

impl Bar {
    fn holds(self, measured: f64, ratio: Option<f64>) -> bool {
        match self {
            Bar::AtMost(limit) => measured <= limit,
            Bar::AtLeast(limit) => measured >= limit,
            Bar::RatioAtMost(limit) => ratio.is_some_and(|ratio| ratio <= limit),
            Bar::RatioAtLeast(limit) => ratio.is_some_and(|ratio| ratio >= limit),
            Bar::Within(centre, tolerance) => (measured - centre).abs() <= tolerance,
        }
    }
}

impl Bar {
    /// How far on the good side of the bar, as a share of it; below 0 on the other. `None` where the bar is 0.
    fn margin(self, measured: f64, ratio: Option<f64>) -> Option<f64> {
        let (value, limit, upper) = match self {
            Bar::AtMost(limit) => (measured, limit, true),
            Bar::AtLeast(limit) => (measured, limit, false),
            Bar::RatioAtMost(limit) => (ratio?, limit, true),
            Bar::RatioAtLeast(limit) => (ratio?, limit, false),
            Bar::Within(centre, tolerance) => ((measured - centre).abs(), tolerance, true),
        };
        let share = value / limit - 1.0;
        (limit != 0.0).then_some(if upper { -share } else { share })
    }
}

/// What a reference was and how much it reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// `raw`, `PostgreSQL`, …
    pub name: &'static str,
    /// In the row's unit.
    pub value: f64,
}

/// Whether a row's bar is held.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is.
    Held,
    /// It is not.
    Missed,
    /// There is no bar: the number stands for information.
    NoBar,
    /// It was not measured.
    Skipped(String),
    /// Measuring it failed.
    Failed(String),
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What is asked: `one writer, in process, p50`.
    pub what: String,
    /// `µs`, `/s`, `MB`, …
    pub unit: &'static str,
    /// The median over the rounds.
    pub measured: f64,
    /// Every round's value, in the order they were run.
    pub rounds: Vec<f64>,
    /// The limit or peer, measured in the same run.
    pub reference: Option<Reference>,
    /// The median of the rounds' ratios to the reference.
    pub ratio: Option<f64>,
    /// Held when one of these is.
    pub bars: Vec<Bar>,
    /// What a reader must know to trust the number.
    pub note: String,
    /// Why there is no number.
    unmeasured: Option<Verdict>,
}

impl Row {
    /// A row whose value is the median of `rounds`.
    pub fn new(what: impl Into<String>, unit: &'static str, rounds: Vec<f64>) -> Self {
        Row {
            what: what.into(),
            unit,
            measured: median(&rounds),
            rounds,
            reference: None,
            ratio: None,
            bars: Vec::new(),
            note: String::new(),
            unmeasured: None,
        }
    }

    /// A row that could not be measured, and why.
    pub fn skipped(what: impl Into<String>, why: impl Into<String>) -> Self {
        let mut row = Row::new(what, "", Vec::new());
        row.unmeasured = Some(Verdict::Skipped(why.into()));
        row
    }

    /// A row whose measuring failed, and how.
    pub fn failed(what: impl Into<String>, how: impl Into<String>) -> Self {
        let mut row = Row::new(what, "", Vec::new());
        row.unmeasured = Some(Verdict::Failed(how.into()));
        row
    }

    /// Compares round with round: the reference's value of each, in the same order.
    ///
    /// # Panics
    /// When the number of rounds differs: a ratio across rounds means nothing.
    #[must_use]
    pub fn against(mut self, name: &'static str, rounds: &[f64]) -> Self {
        assert_eq!(
            rounds.len(),
            self.rounds.len(),
            "each round has its reference"
        );
        let ratios: Vec<f64> = self
            .rounds
            .iter()
            .zip(rounds)
            .map(|(own, other)| own / other)
            .collect();
        self.reference = Some(Reference {
            name,
            value: median(rounds),
        });
        self.ratio = Some(median(&ratios));
        self
    }

    /// Held when this bar is, or one of those given before.
    #[must_use]
    pub fn bar(mut self, bar: Bar) -> Self {
        self.bars.push(bar);
        self
    }

    /// Adds what a reader must know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// How far on the good side of its bar the row is, as a share of the bar: 0.25 is a quarter better than asked, below 0
    /// is missed. The best one where there are several bars.
    pub fn margin(&self) -> Option<f64> {
        if self.unmeasured.is_some() {
            return None;
        }
        let margins = self.bars.iter();
        margins
            .filter_map(|bar| bar.margin(self.measured, self.ratio))
            .max_by(f64::total_cmp)
    }

    /// Whether the bar is held.
    pub fn verdict(&self) -> Verdict {
        if let Some(verdict) = &self.unmeasured {
            return verdict.clone();
        }
        if self.bars.is_empty() {
            return Verdict::NoBar;
        }
        if self
            .bars
            .iter()
            .any(|bar| bar.holds(self.measured, self.ratio))
        {
            Verdict::Held
        } else {
            Verdict::Missed
        }
    }
}

#[cfg(test)]
mod tests;

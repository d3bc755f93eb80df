//! What a survival curve tells: the chance by any day, the day of a given chance, and the best day to stop.

/// Probability of having failed over time, for one unit.
///
/// Between period ends the hazard is constant; beyond the last end it continues as in the last period.
#[derive(Debug, Clone, PartialEq)]
pub struct SurvivalCurve {
    ends: Vec<f32>,
    failure: Vec<f64>,
    intervals: Vec<Option<(f64, f64)>>,
}

/// What an unplanned and a planned stop cost; only their ratio matters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Cost of a failure in service, positive.
    pub failure_cost: f64,
    /// Cost of a planned stop, positive.
    pub planned_cost: f64,
    /// Time already lived since the last renewal, in the curve's unit.
    pub age: f64,
}

impl SurvivalCurve {
    pub(super) fn new(
        ends: Vec<f32>,
        failure: Vec<f64>,
        intervals: Vec<Option<(f64, f64)>>,
    ) -> Self {
        Self {
            ends,
            failure,
            intervals,
        }
    }

    /// Ends of the periods and the probability of having failed by each.
    pub fn points(&self) -> impl Iterator<Item = (f32, f64)> + '_ {
        self.ends.iter().copied().zip(self.failure.iter().copied())
    }

    /// The range of the probability at a period end, where there was data to tell.
    #[must_use]
    pub fn interval(&self, period: usize) -> Option<(f64, f64)> {
        self.intervals.get(period).copied().flatten()
    }

    /// Probability of having failed by `time`; zero for times that are not positive.
    #[must_use]
    pub fn failure_by(&self, time: f64) -> f64 {
        1.0 - (-self.cumulative_hazard(time)).exp()
    }

    /// The time by which the probability of having failed reaches `probability`; none if it never does.
    #[must_use]
    pub fn time_of(&self, probability: f64) -> Option<f64> {
        let wanted = -(1.0 - probability.clamp(0.0, 1.0)).ln();
        let (mut start, mut reached) = (0.0, 0.0);
        for (end, after) in self.steps() {
            if after >= wanted && after > reached {
                return Some(start + (end - start) * (wanted - reached) / (after - reached));
            }
            (start, reached) = (end, after);
        }
        let rate = self.last_rate();
        (rate > 0.0 && wanted.is_finite()).then(|| start + (wanted - reached) / rate)
    }

    /// The time within the curve at which a planned stop costs least for each unit of time lived, with that cost.
    ///
    /// Minimises (C_f·F(t) + C_p·S(t)) / (age + E\[min(T, t)\]) over the period ends and the points between them.
    #[must_use]
    pub fn best_stop(&self, policy: &Policy) -> (f64, f64) {
        const STEPS: u32 = 200;
        let last = self.ends.last().map_or(0.0, |&end| f64::from(end));
        let width = last / f64::from(STEPS);
        let cost_of = |failed: f64, lived: f64| {
            (policy.failure_cost * failed + policy.planned_cost * (1.0 - failed)) / lived.max(1e-9)
        };
        let mut lived = policy.age;
        let mut survival = 1.0;
        let mut best = (0.0, cost_of(0.0, lived.max(width)));
        for step in 1..=STEPS {
            let time = f64::from(step) * width;
            let next = 1.0 - self.failure_by(time);
            lived += width * f64::midpoint(survival, next);
            survival = next;
            let cost = cost_of(1.0 - survival, lived);
            if cost < best.1 {
                best = (time, cost);
            }
        }
        best
    }

    fn cumulative_hazard(&self, time: f64) -> f64 {
        if time <= 0.0 || time.is_nan() {
            return 0.0;
        }
        let (mut start, mut reached) = (0.0, 0.0);
        for (end, after) in self.steps() {
            if time <= end {
                return reached + (after - reached) * (time - start) / (end - start);
            }
            (start, reached) = (end, after);
        }
        reached + (time - start) * self.last_rate()
    }

    /// Period ends and cumulative hazards; a certain failure counts as a hazard of 36 (probability 1 − 2e-16).
    fn steps(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let hazard = |failure: f64| -(1.0 - failure).max(2e-16).ln();
        self.points()
            .map(move |(end, failure)| (f64::from(end), hazard(failure)))
    }

    fn last_rate(&self) -> f64 {
        let steps: Vec<(f64, f64)> = self.steps().collect();
        match steps.as_slice() {
            [.., (start, before), (end, after)] => (after - before) / (end - start),
            [(end, after)] => after / end,
            [] => 0.0,
        }
    }
}

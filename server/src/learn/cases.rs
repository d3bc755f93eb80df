//! Similar past cases: snapshots of the fleet that looked like this vehicle in what mattered, and what became of them.

use serde_json::{Value, json};

use super::failure::{HORIZONS, Snapshots};
use crate::rfc3339;

/// Days between the snapshots that are kept as cases.
pub(crate) const STEP_DAYS: i64 = 84;
/// Cases that are told.
const TOLD: usize = 3;

/// Snapshots with known outcomes, and how widely each feature spreads among them.
#[derive(Debug)]
pub(crate) struct Cases {
    snapshots: Snapshots,
    spread: Vec<f32>,
    /// Up to where in the log they were taken.
    pub(crate) position: storage::Position,
}

impl Cases {
    pub(crate) fn new(snapshots: Snapshots, width: usize, position: storage::Position) -> Self {
        let spread = (0..width)
            .map(|column| spread(&snapshots, column))
            .collect();
        Self {
            snapshots,
            spread,
            position,
        }
    }

    /// The nearest cases by the weighted distance of some columns: of other vehicles, each vehicle once.
    pub(crate) fn similar(
        &self,
        vehicle: &str,
        row: &[f32],
        weights: &[(usize, f64)],
    ) -> Vec<Value> {
        let distance = |index: usize| {
            let case = self.snapshots.row(index);
            let each = weights.iter().map(|&(column, weight)| {
                let off = f64::from((row[column] - case[column]) / self.spread[column]);
                // A value that one of the two lacks is as far off as two deviations.
                let off = if off.is_nan() {
                    if row[column].is_nan() == case[column].is_nan() {
                        0.0
                    } else {
                        2.0
                    }
                } else {
                    off
                };
                weight * off * off
            });
            each.sum::<f64>()
        };
        let mut nearest: Vec<(f64, usize)> = Vec::new();
        for index in
            (0..self.snapshots.len()).filter(|&index| *self.snapshots.vehicles[index] != *vehicle)
        {
            let off = distance(index);
            if nearest.len() == TOLD && off >= nearest[TOLD - 1].0 {
                continue;
            }
            let same = nearest.iter().position(|&(_, known)| {
                self.snapshots.vehicles[known] == self.snapshots.vehicles[index]
            });
            match same {
                Some(at) if nearest[at].0 <= off => continue,
                Some(at) => {
                    nearest.remove(at);
                }
                None => {}
            }
            let at = nearest.partition_point(|&(known, _)| known <= off);
            nearest.insert(at, (off, index));
            nearest.truncate(TOLD);
        }
        nearest
            .into_iter()
            .map(|(off, index)| self.told(off, index))
            .collect()
    }

    fn told(&self, distance: f64, index: usize) -> Value {
        let days = self.snapshots.days[index];
        let failed = self.snapshots.failed[index];
        let outcome = if failed {
            format!("failed after {days:.0} days")
        } else {
            format!("no failure within {:.0} days", HORIZONS[HORIZONS.len() - 1])
        };
        let day = rfc3339::to_string(storage::Timestamp::from_micros(self.snapshots.times[index]));
        json!({
            "vehicle_id": &*self.snapshots.vehicles[index],
            "date": day.get(..10),
            "outcome": outcome,
            "days_to_failure": failed.then(|| days.round()),
            "similarity": (100.0 / (1.0 + distance.sqrt())).round() / 100.0,
        })
    }
}

fn spread(snapshots: &Snapshots, column: usize) -> f32 {
    let mut values: Vec<f32> = (0..snapshots.len())
        .map(|row| snapshots.row(row)[column])
        .filter(|value| !value.is_nan())
        .collect();
    values.sort_by(f32::total_cmp);
    if values.is_empty() {
        return 1.0;
    }
    let half = values[values.len() * 84 / 100] - values[values.len() * 16 / 100];
    if half > 0.0 { half / 2.0 } else { 1.0 }
}

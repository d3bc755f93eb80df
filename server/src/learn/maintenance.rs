//! When to take a vehicle in: the day on which a planned stop costs least for the time lived, by its hazard curve.

use fleet::calendar::DAY;
use ml::hazard::Policy;
use serde_json::{Value, json};
use storage::Timestamp;

use super::predict::{risk_level, rounded};
use super::vehicle as features;
use super::{FAILURE, Learning, PredictError, Wanted};
use crate::rfc3339;

/// What a failure in service and a planned stop cost where nobody says: five to one.
const COSTS: (f64, f64) = (5.0, 1.0);
/// Days between two services by the old system's rule.
const RULE_DAYS: f64 = 90.0;

impl Learning {
    /// The recommended day with its reasons, and the old system's answer beside it.
    pub(crate) fn predict_maintenance(&self, wanted: &Wanted) -> Result<Value, PredictError> {
        let (failure_cost, planned_cost) = wanted.costs.unwrap_or(COSTS);
        if !(failure_cost > 0.0
            && planned_cost > 0.0
            && failure_cost.is_finite()
            && planned_cost.is_finite())
        {
            return Err(PredictError::Invalid(
                "costs must be positive numbers".to_owned(),
            ));
        }
        let mut answer = self.predict_failure(wanted)?;
        let history = self.history()?;
        let id = history.asset_id(&wanted.vehicle).to_owned();
        let past = history
            .vehicles
            .get(&*id)
            .ok_or_else(|| PredictError::UnknownVehicle(wanted.vehicle.clone()))?;
        let as_of = wanted.as_of.unwrap_or_else(|| history.end(self.now()));
        let contract = features::contract_row(past, as_of);
        let since = f64::from(contract[5]);
        let served = past.maintenance.iter().any(|mark| mark.visible(as_of));
        let age = if served {
            since
        } else {
            f64::from(contract[0]).min(365.0)
        };
        let date = match self.answering(FAILURE, &id, wanted.model.as_deref())? {
            Some(answering) => {
                let row = features::row(&history, past, &answering.artifact.words, as_of);
                let mut scratch = answering.artifact.model.scratch();
                let curve = answering.artifact.model.survival(&row, &mut scratch);
                let curve = curve.map_err(|error| PredictError::Inside(error.to_string()))?;
                let (days, cost) = curve.best_stop(&Policy {
                    failure_cost,
                    planned_cost,
                    age,
                });
                let last = curve.points().last().map_or(0.0, |(end, _)| f64::from(end));
                json!({
                    "recommended_in_days": days.round(),
                    "recommended_date": day(as_of, days),
                    // At the curve's end no earlier stop pays.
                    "pays_within_horizon": days < last,
                    "cost_per_day": rounded(cost),
                    "failure_cost": failure_cost,
                    "planned_cost": planned_cost,
                    "even_chance_in_days": curve.time_of(0.5).map(f64::round),
                })
            }
            None => {
                let left = if served {
                    (RULE_DAYS - since).max(0.0)
                } else {
                    0.0
                };
                json!({ "recommended_in_days": left, "recommended_date": day(as_of, left), "rule": "90 days after the last maintenance" })
            }
        };
        // The old system's clients read these; a vehicle that was never served is not thereby certain to fail.
        let rule_risk = if served {
            (since / RULE_DAYS).min(1.0)
        } else {
            0.5
        };
        let risk = if answer["source"] == "model" {
            answer["failure_probability_90d"].as_f64().unwrap_or(0.0)
        } else {
            rule_risk
        };
        answer["maintenance"] = date;
        answer["risk_score"] = json!(rounded(risk));
        answer["risk_level"] = json!(risk_level(risk));
        answer["needs_maintenance"] = json!(risk > 0.5);
        let recommendation = match risk {
            risk if risk > 0.7 => "Schedule maintenance soon",
            risk if risk > 0.4 => "Monitor condition",
            _ => "Vehicle OK",
        };
        answer["recommendation"] = json!(recommendation);
        answer["recommended_action"] = json!(recommendation);
        answer["prediction"] = json!(if risk > 0.5 {
            "needs_maintenance"
        } else {
            "ok"
        });
        Ok(answer)
    }
}

fn day(as_of: i64, days: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "days are few")]
    let at = as_of + (days * DAY as f64) as i64;
    json!(rfc3339::to_string(Timestamp::from_micros(at)).get(..10))
}

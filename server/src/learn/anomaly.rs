//! Which reading is strange: a vehicle among its fleet, rows among others, or a signal over time.

use ml::anomaly::signal::{SignalSettings, SignalWatch};
use ml::anomaly::{AnomalyError, AnomalyModel};
use ndarray::Array2;
use serde_json::{Value, json};
use storage::Timestamp;

use super::predict::{number, rounded};
use super::vehicle as features;
use super::{Learning, PredictError};
use crate::rfc3339;

/// A row stranger than this share of the others is an anomaly.
const STRANGE: f64 = 0.95;
/// A reading this many robust deviations off is an anomaly.
const DEVIATIONS: f64 = 6.0;
/// Offending signals that are told.
const OFFENDERS_TOLD: usize = 3;
/// Most values of one request.
pub(crate) const VALUES_MAX: usize = 200_000;

impl Learning {
    /// How strange a vehicle is among the fleet of the same day, and what of it.
    pub(crate) fn strange_vehicle(
        &self,
        vehicle: &str,
        as_of: Option<i64>,
    ) -> Result<Value, PredictError> {
        let history = self.history()?;
        let id = history.asset_id(vehicle);
        let past = history
            .vehicles
            .get(id)
            .ok_or_else(|| PredictError::UnknownVehicle(vehicle.to_owned()))?;
        let as_of = as_of.unwrap_or_else(|| history.end(self.now()));
        let words = features::Dictionary::default();
        let names: Vec<String> = features::features()
            .into_iter()
            .map(|feature| feature.name)
            .collect();
        let rows: Vec<Vec<f32>> = history
            .vehicles
            .values()
            .filter(|past| features::in_service(past, as_of))
            .map(|past| features::row(&history, past, &words, as_of))
            .collect();
        let row = features::row(&history, past, &words, as_of);
        let mut answer = strange_row(&names, &rows, &row)?;
        answer["vehicle_id"] = json!(id);
        answer["as_of"] = json!(rfc3339::to_string(Timestamp::from_micros(as_of)));
        answer["compared_with"] = json!(rows.len());
        answer["position"] = json!(history.position.get());
        Ok(answer)
    }
}

/// One row against others.
pub(crate) fn strange_row(
    names: &[String],
    rows: &[Vec<f32>],
    row: &[f32],
) -> Result<Value, PredictError> {
    let values: Vec<f32> = rows.iter().flatten().copied().collect();
    let shape = Array2::from_shape_vec((rows.len(), names.len()), values);
    let table = shape.map_err(|_| {
        PredictError::Invalid("every row must have as many values as there are columns".to_owned())
    })?;
    let model = AnomalyModel::fit(table.view(), 1).map_err(refused)?;
    let score = model.score(row, &mut model.scratch()).map_err(refused)?;
    let offenders: Vec<Value> = model
        .offenders(row)
        .map_err(refused)?
        .into_iter()
        .filter(|offender| offender.surprise > 1.0)
        .take(OFFENDERS_TOLD)
        .map(|offender| {
            let name = &names[offender.column];
            let share = offender.quantile;
            let text = if share.is_nan() {
                format!("{name} is missing, which is rare")
            } else if share >= 0.5 {
                format!("{name} is {}, more than {:.0} % of the others", row[offender.column], 100.0 * share.min(1.0))
            } else {
                format!("{name} is {}, less than {:.0} % of the others", row[offender.column], 100.0 * (1.0 - share))
            };
            json!({ "signal": name, "value": number(row[offender.column]), "surprise_bits": rounded(offender.surprise), "text": text })
        })
        .collect();
    let is_anomaly = score.rank >= STRANGE;
    let kind = match (is_anomaly, offenders.is_empty()) {
        (false, _) => "none",
        (true, false) => "unusual_value",
        (true, true) => "unusual_combination",
    };
    Ok(json!({
        "anomaly_score": rounded(score.rank.clamp(0.0, 1.0)),
        "is_anomaly": is_anomaly,
        "type": kind,
        "offenders": offenders,
        "detectors": { "isolation": rounded(score.isolation), "surprise_bits": rounded(score.surprise), "distance": rounded(score.distance) },
    }))
}

/// Each reading of a signal, by the readings before it; `hours` are hours of the day where they are known.
pub(crate) fn strange_readings(
    signal: &str,
    values: &[f64],
    hours: Option<&[usize]>,
) -> Result<Value, PredictError> {
    let settings = SignalSettings {
        slots: if hours.is_some() { 24 } else { 1 },
        ..SignalSettings::default()
    };
    let mut watch =
        SignalWatch::new(settings).map_err(|error| PredictError::Inside(error.to_string()))?;
    let mut strange = Vec::new();
    let (mut highest, mut scored) = (0.0_f64, 0_usize);
    for (index, &value) in values.iter().enumerate() {
        let slot = hours.map_or(0, |hours| hours.get(index).copied().unwrap_or(0));
        let verdict = watch
            .observe(value, slot)
            .map_err(|error| PredictError::Invalid(format!("reading {index}: {error}")))?;
        let Some(verdict) = verdict else { continue };
        scored += 1;
        highest = highest.max(verdict.score);
        if verdict.score >= DEVIATIONS && strange.len() < 1_000 {
            strange.push(json!({
                "index": index,
                "value": value,
                "expected": rounded(verdict.expected),
                "deviations": rounded(verdict.score),
                "type": if value > verdict.expected { "spike" } else { "drop" },
            }));
        }
    }
    Ok(json!({
        "signal": signal,
        "readings": values.len(),
        "scored": scored,
        "anomaly_score": rounded((highest / (highest + DEVIATIONS)).clamp(0.0, 1.0)),
        "is_anomaly": !strange.is_empty(),
        "type": if strange.is_empty() { "none" } else { "unusual_reading" },
        "anomalies": strange,
    }))
}

fn refused(error: AnomalyError) -> PredictError {
    match error {
        AnomalyError::TooFewRows { .. } | AnomalyError::Constant => {
            PredictError::TooLittle(error.to_string())
        }
        AnomalyError::Columns { .. } | AnomalyError::Infinite { .. } => {
            PredictError::Invalid(error.to_string())
        }
    }
}

//! What learning does by itself: weekly retraining, ending what a killed server left unfinished, and the watch over drift and
//! calibration of what was served.

use std::sync::Arc;
use std::time::Duration;

use fleet::calendar::DAY;
use fleet::prediction::{AGGREGATE_TYPE, event};
use ml::metric;
use serde_json::{Map, Value, json};
use storage::{Query, QueryItem, ReadError, ReadRequest};

use super::failure::HORIZONS;
use super::history::History;
use super::predict::rounded;
use super::training::TrainError;
use super::vehicle;
use super::{FAILURE, Learning, PredictError};
use crate::app::AppState;
use crate::rfc3339;

/// A champion older than this is trained anew.
const RETRAIN_DAYS: i64 = 7;
/// How often the age of the champion is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// Served predictions that are held against what happened, newest first.
const SERVED_MAX: u64 = 20_000;
/// A feature has shifted from this PSI on.
const SHIFTED: f64 = 0.25;

/// Trains anew once a week, where a model is deployed. A newer model takes over only if its backtest is better. Ends what
/// trainings left unfinished, at the start those of a server that was killed.
pub(crate) async fn watch(state: AppState) {
    let mut stopping = state.stopping.subscribe();
    end_unfinished(&state).await;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        end_unfinished(&state).await;
        let learning = Arc::clone(&state.learning);
        let look = tokio::task::spawn_blocking(move || learning.retrain_if_old());
        match look.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "the weekly training could not begin"),
            Err(error) => tracing::error!(%error, "the weekly look at models was cut short"),
        }
    }
}

async fn end_unfinished(state: &AppState) {
    let learning = Arc::clone(&state.learning);
    match tokio::task::spawn_blocking(move || learning.end_unfinished()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "unfinished trainings cannot be looked for"),
        Err(error) => tracing::error!(%error, "the look for unfinished trainings was cut short"),
    }
}

impl Learning {
    /// Begins a training if the newest model of a deployed kind is a week old.
    pub(crate) fn retrain_if_old(self: &Arc<Self>) -> Result<bool, TrainError> {
        let old = {
            let models = self.models()?;
            let newest = models
                .list()
                .into_iter()
                .filter(|entry| entry.text("model_name") == FAILURE)
                .map(|entry| entry.created_at)
                .max();
            models.champion(FAILURE).is_some()
                && newest.is_some_and(|newest| self.now() - newest >= RETRAIN_DAYS * DAY)
        };
        if old {
            self.start_training(None)?;
        }
        Ok(old)
    }

    /// What a model said in service against what happened since, by horizon.
    pub(crate) fn live_scores(&self, model_id: &str) -> Result<Value, TrainError> {
        let request = ReadRequest {
            query: Query::from(QueryItem {
                aggregate_types: vec![AGGREGATE_TYPE.into()],
                event_types: vec![event::PREDICTION_MADE.into()],
                tags: vec![crate::envelope::tags::tag("model:", model_id)],
                ..QueryItem::default()
            }),
            direction: storage::Direction::Backward,
            limit: Some(SERVED_MAX),
            ..ReadRequest::default()
        };
        let history = self.history()?;
        let mut reader = self.log.read(&request)?;
        let mut served = 0_u64;
        let mut outcomes: [(Vec<f32>, Vec<f64>); HORIZONS.len()] = Default::default();
        while let Some(event) = reader.next() {
            let event = match event {
                Ok(event) => event,
                Err(ReadError::Damaged { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            served += 1;
            let Ok(data) = serde_json::from_slice::<Value>(event.data()) else {
                continue;
            };
            let Some(as_of) = data["as_of"]
                .as_str()
                .and_then(|text| rfc3339::parse(text).ok())
            else {
                continue;
            };
            let vehicle = data["entity_id"].as_str().unwrap_or_default();
            for (at, (labels, chances)) in outcomes.iter_mut().enumerate() {
                let chance = data["prediction"]["horizons"][at]["probability"].as_f64();
                if let (Some(chance), Some(failed)) = (
                    chance,
                    outcome(&history, vehicle, as_of.micros(), HORIZONS[at]),
                ) {
                    labels.push(f32::from(u8::from(failed)));
                    chances.push(chance);
                }
            }
        }
        let horizons: Vec<Value> = outcomes
            .iter()
            .zip(HORIZONS)
            .map(|((labels, chances), days)| {
                if labels.is_empty() {
                    return json!({ "days": days, "predictions": 0 });
                }
                json!({
                    "days": days,
                    "predictions": labels.len(),
                    "logloss": rounded(metric::logloss(labels, chances)),
                    "ece": rounded(metric::expected_calibration_error(labels, chances)),
                    "mean_predicted": rounded(chances.iter().sum::<f64>() / chances.len() as f64),
                    "observed": rounded(f64::from(labels.iter().sum::<f32>()) / labels.len() as f64),
                })
            })
            .collect();
        Ok(json!({ "served": served, "horizons": horizons }))
    }

    /// How far the fleet of today is from the one the champion was trained on: PSI of each feature, largest first.
    pub(crate) fn drift(&self) -> Result<Value, PredictError> {
        let Some(answering) = self.answering(FAILURE, "", None)? else {
            return Err(PredictError::TooLittle(
                "no model is deployed, so nothing can have drifted".to_owned(),
            ));
        };
        let history = self.history()?;
        let as_of = history.end(self.now());
        let rows: Vec<Vec<f32>> = history
            .vehicles
            .values()
            .filter(|past| vehicle::in_service(past, as_of))
            .map(|past| vehicle::row(&history, past, &answering.artifact.words, as_of))
            .collect();
        if rows.len() < 20 {
            return Err(PredictError::TooLittle(format!(
                "{} vehicles in service are too few to tell a shift from chance",
                rows.len()
            )));
        }
        let mut shifts: Vec<(String, f64)> = vehicle::features()
            .into_iter()
            .enumerate()
            // Time itself moves on; that is no drift.
            .filter(|(_, feature)| {
                !matches!(
                    feature.name.as_str(),
                    "month" | "age_days" | "observed_days" | "event_count"
                )
            })
            .map(|(column, feature)| {
                let now: Vec<f32> = rows.iter().map(|row| row[column]).collect();
                (
                    feature.name,
                    metric::population_stability(&answering.artifact.samples[column], &now),
                )
            })
            .collect();
        shifts.sort_by(|left, right| right.1.total_cmp(&left.1));
        let shifted = shifts.iter().filter(|(_, psi)| *psi >= SHIFTED).count();
        let table: Map<String, Value> = shifts
            .into_iter()
            .map(|(name, psi)| (name, json!(rounded(psi))))
            .collect();
        Ok(json!({
            "model_id": answering.model_id,
            "vehicles": rows.len(),
            "shifted_features": shifted,
            "threshold": SHIFTED,
            "psi": table,
        }))
    }
}

/// Whether a vehicle failed within so many days; none while that window is open.
fn outcome(history: &History, vehicle: &str, as_of: i64, days: f32) -> Option<bool> {
    let past = history.vehicles.get(vehicle)?;
    #[expect(clippy::cast_possible_truncation, reason = "horizons are whole days")]
    let end = as_of + days as i64 * DAY;
    if end > history.last_vehicle_event {
        return None;
    }
    let mut failures = past.troubles.iter().filter(|one| one.failure);
    Some(failures.any(|one| (as_of..end).contains(&one.when.happened)))
}

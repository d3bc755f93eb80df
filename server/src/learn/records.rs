//! The record: features as clients ask for them, and the predictions that were served.

use fleet::prediction::AGGREGATE_TYPE;
use serde_json::{Map, Value, json};
use storage::{Direction, Query, ReadError, ReadRequest, StreamName, StreamRange, Timestamp};

use super::history::{OrderPast, PartPast, VehiclePast};
use super::predict::number;
use super::vehicle::Dictionary;
use super::{Learning, PredictError, demand, order, vehicle};
use crate::rfc3339;

/// Served predictions that are counted, newest first.
const COUNTED_MAX: u64 = 200_000;

impl Learning {
    /// An entity's features as of a time, those of the old system or all; none for an unknown type. An entity without events has the
    /// old system's defaults.
    pub(crate) fn feature_vector(
        &self,
        entity_type: &str,
        entity_id: &str,
        as_of: Option<i64>,
        all: bool,
    ) -> Result<Option<Value>, PredictError> {
        let history = self.history()?;
        let time = as_of.unwrap_or_else(|| self.now());
        let (names, row): (Vec<String>, Vec<f32>) = match entity_type {
            "Vehicle" => {
                let nothing = VehiclePast::default();
                let past = history
                    .vehicles
                    .get(history.asset_id(entity_id))
                    .unwrap_or(&nothing);
                if all {
                    let names = vehicle::features()
                        .into_iter()
                        .map(|feature| feature.name)
                        .collect();
                    (
                        names,
                        vehicle::row(&history, past, &Dictionary::of(&history), time),
                    )
                } else {
                    (
                        owned(&vehicle::CONTRACT_FEATURES),
                        vehicle::contract_row(past, time),
                    )
                }
            }
            "WorkOrder" => {
                let nothing = OrderPast::default();
                let past = history.orders.get(entity_id).unwrap_or(&nothing);
                (owned(&order::FEATURES), order::row(past, time))
            }
            "Part" => {
                let nothing = PartPast::default();
                let past = history.parts.get(entity_id).unwrap_or(&nothing);
                (owned(&demand::FEATURES), demand::row(past, time))
            }
            _ => return Ok(None),
        };
        let features: Map<String, Value> = names
            .iter()
            .cloned()
            .zip(row.into_iter().map(number))
            .collect();
        Ok(Some(json!({
            "entity_type": entity_type,
            "entity_id": entity_id,
            "features": features,
            "feature_names": names,
            "timestamp": rfc3339::to_string(Timestamp::from_micros(time)),
            "position": history.position.get(),
        })))
    }

    /// Predictions about one entity, newest first.
    pub(crate) fn prediction_history(
        &self,
        entity_type: &str,
        entity_id: &str,
        limit: u64,
    ) -> Result<Value, PredictError> {
        let id = match entity_type {
            "Vehicle" => self.history()?.asset_id(entity_id).to_owned(),
            _ => entity_id.to_owned(),
        };
        let stream = StreamName::new(AGGREGATE_TYPE, format!("{entity_type}/{id}"));
        let range = StreamRange {
            direction: Direction::Backward,
            limit: Some(limit),
            ..StreamRange::default()
        };
        let mut reader = self.log.read_stream(&stream, &range);
        let mut predictions = Vec::new();
        while let Some(event) = reader.next() {
            let event = match event {
                Ok(event) => event,
                Err(ReadError::Damaged { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let Ok(data) = serde_json::from_slice::<Value>(event.data()) else {
                continue;
            };
            let chance = data["prediction"]["horizons"][0]["probability"].as_f64();
            predictions.push(json!({
                "prediction_id": event.id(),
                "model_id": data["model_id"],
                "model_name": data["model_name"],
                "source": data["source"],
                "prediction_value": data["prediction"]["risk_level"],
                "confidence": chance.map(|chance| chance.max(1.0 - chance)),
                "probabilities": data["prediction"]["horizons"],
                "as_of": data["as_of"],
                "features": data["features"],
                "position": event.position().get(),
                "predicted_at": rfc3339::to_string(event.recorded_at()),
            }));
        }
        Ok(
            json!({ "entity_type": entity_type, "entity_id": entity_id, "count": predictions.len(), "predictions": predictions }),
        )
    }

    /// Counts of served predictions.
    pub(crate) fn prediction_stats(&self) -> Result<Value, PredictError> {
        let request = ReadRequest {
            query: Query::aggregate_types([AGGREGATE_TYPE]),
            direction: Direction::Backward,
            limit: Some(COUNTED_MAX),
            ..ReadRequest::default()
        };
        let mut reader = self.log.read(&request)?;
        let (mut total, mut by_model, mut by_type) = (0_u64, Map::new(), Map::new());
        while let Some(event) = reader.next() {
            let Ok(event) = event else { continue };
            let Ok(data) = serde_json::from_slice::<Value>(event.data()) else {
                continue;
            };
            total += 1;
            count(&mut by_model, data["model_name"].as_str().unwrap_or("rule"));
            count(
                &mut by_type,
                data["entity_type"].as_str().unwrap_or("unknown"),
            );
        }
        Ok(json!({ "total_predictions": total, "by_model": by_model, "by_entity_type": by_type }))
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn count(counts: &mut Map<String, Value>, name: &str) {
    let known = counts.get(name).and_then(Value::as_u64).unwrap_or(0);
    counts.insert(name.to_owned(), json!(known + 1));
}

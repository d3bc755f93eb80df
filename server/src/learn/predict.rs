//! Failure predictions: the model's answer with interval, rank, reasons and similar cases, or a rule's where there is none.

use std::sync::Arc;

use fleet::calendar::DAY;
use fleet::vehicle;
use ml::Explainer;
use serde_json::{Map, Value, json};
use storage::{ReadError, StreamName, Timestamp};

use super::artifact::{Artifact, ArtifactError};
use super::cases::{self, Cases};
use super::failure::{HORIZONS, Snapshots};
use super::history::{History, VehiclePast};
use super::served::{self, Key};
use super::vehicle as features;
use super::words::{self, Reason};
use super::{FAILURE, LOADED_MAX, Learning, lock, registry};
use crate::rfc3339;

/// Of a hundred vehicles, how many are answered by the challenger where there is one.
const CHALLENGED_PERCENT: u64 = 10;
/// Reasons that are told.
const REASONS_TOLD: usize = 5;
/// Cases are taken anew once the log has grown by so many events.
const CASES_STALE_EVENTS: u64 = 50_000;

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PredictError {
    #[error("there is no vehicle {0:?} in the log")]
    UnknownVehicle(String),
    #[error("there is no order {0:?} in the log")]
    UnknownOrder(String),
    #[error("there is no part {0:?} in the log")]
    UnknownPart(String),
    #[error("there is no model {0:?}")]
    UnknownModel(String),
    #[error("{0}")]
    TooLittle(String),
    #[error("{0}")]
    Invalid(String),
    #[error("the log cannot be read: {0}")]
    Log(#[from] ReadError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error("the model's file cannot be read: {0}")]
    File(#[from] std::io::Error),
    #[error("{0}")]
    Inside(String),
}

/// What a caller wants to know about a vehicle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) vehicle: String,
    /// As of when, in microseconds; now, or the end of what is known, where absent.
    pub(crate) as_of: Option<i64>,
    /// A certain model in place of the champion.
    pub(crate) model: Option<String>,
    /// Costs of a failure and of a planned stop, for the date.
    pub(crate) costs: Option<(f64, f64)>,
}

/// The model that answers.
pub(super) struct Answering {
    pub(super) artifact: Arc<Artifact>,
    pub(super) model_id: String,
    pub(super) version: String,
    pub(super) stage: &'static str,
}

impl Learning {
    /// Failure probabilities of a vehicle within 30, 60 and 90 days.
    pub(crate) fn predict_failure(&self, wanted: &Wanted) -> Result<Value, PredictError> {
        let history = self.history()?;
        let id = history.asset_id(&wanted.vehicle).to_owned();
        let past = history
            .vehicles
            .get(&*id)
            .ok_or_else(|| PredictError::UnknownVehicle(wanted.vehicle.clone()))?;
        let as_of = wanted.as_of.unwrap_or_else(|| history.end(self.now()));
        let answering = self.answering(FAILURE, &id, wanted.model.as_deref())?;
        let key = Key {
            kind: "failure",
            entity_id: id.clone(),
            model: answering
                .as_ref()
                .map_or(String::new(), |answering| answering.artifact.digest.clone()),
            asked: wanted.as_of.map_or(String::new(), |at| at.to_string()),
        };
        let tip = self
            .log
            .stream(&StreamName::new(vehicle::AGGREGATE_TYPE, id.as_str()))
            .unwrap_or_default();
        if let Some(answer) = lock(&self.served).get(&key, tip.version) {
            return Ok(answer);
        }
        let answer = match &answering {
            Some(answering) => self.by_model(&history, &id, past, answering, as_of)?,
            None => by_rule(&history, &id, past, as_of),
        };
        let model_id = answering.map_or(String::new(), |answering| answering.model_id);
        let mut record = Map::new();
        for name in ["source", "as_of", "position", "features"] {
            record.insert(name.to_owned(), answer[name].clone());
        }
        record.insert("entity_type".to_owned(), json!("Vehicle"));
        record.insert("entity_id".to_owned(), json!(id));
        record.insert("model_id".to_owned(), json!(model_id));
        record.insert("model_name".to_owned(), json!(FAILURE));
        record.insert(
            "prediction".to_owned(),
            json!({ "horizons": answer["horizons"], "risk_level": answer["risk_level"], "kind": "failure" }),
        );
        served::record(&self.log, "Vehicle", &id, &model_id, Value::Object(record));
        lock(&self.served).put(key, tip.version, answer.clone());
        Ok(answer)
    }

    fn by_model(
        &self,
        history: &History,
        id: &str,
        past: &VehiclePast,
        answering: &Answering,
        as_of: i64,
    ) -> Result<Value, PredictError> {
        let Answering { artifact, .. } = answering;
        let row = features::row(history, past, &artifact.words, as_of);
        let mut scratch = artifact.model.scratch();
        let curve = artifact
            .model
            .survival(&row, &mut scratch)
            .map_err(|error| PredictError::Inside(error.to_string()))?;
        let chances: Vec<(f32, f64)> = curve.points().collect();
        let horizons: Vec<Value> = chances
            .iter()
            .enumerate()
            .map(|(at, &(days, chance))| {
                let interval = curve
                    .interval(at)
                    .map(|(low, high)| [rounded(low), rounded(high)]);
                json!({ "days": days, "probability": rounded(chance), "interval": interval })
            })
            .collect();
        let reasons = self.reasons(artifact, &row)?;
        let weights: Vec<(usize, f64)> = reasons
            .iter()
            .filter_map(|reason| {
                let at = features::features()
                    .iter()
                    .position(|feature| feature.name == reason.feature)?;
                Some((at, reason.weight))
            })
            .collect();
        let similar = self.cases(history)?.similar(id, &row, &weights);
        let by_day = |at: usize| chances.get(at).map_or(0.0, |&(_, chance)| rounded(chance));
        let names: Vec<String> = features::features()
            .into_iter()
            .map(|feature| feature.name)
            .collect();
        let facts: Map<String, Value> = names
            .into_iter()
            .zip(&row)
            .map(|(name, value)| (name, number(*value)))
            .collect();
        let in_service = features::in_service(past, as_of);
        let last = by_day(HORIZONS.len() - 1);
        Ok(json!({
            "vehicle_id": id,
            "as_of": rfc3339::to_string(Timestamp::from_micros(as_of)),
            "predicted_at": rfc3339::to_string(Timestamp::from_micros(self.now())),
            "position": history.position.get(),
            "source": "model",
            "model": { "model_id": answering.model_id, "name": FAILURE, "version": answering.version, "stage": answering.stage },
            "horizons": horizons,
            "failure_probability_30d": by_day(0),
            "failure_probability_60d": by_day(1),
            "failure_probability_90d": last,
            "risk_score": by_day(0),
            "risk_level": risk_level(last),
            "confidence": rounded(by_day(0).max(1.0 - by_day(0))),
            "in_service": in_service,
            "reasons": reasons.into_iter().take(REASONS_TOLD).collect::<Vec<Reason>>(),
            "similar_cases": similar,
            "features": facts,
            "backtest": artifact.note("metrics"),
            "note": note(artifact, in_service),
        }))
    }

    /// Reasons: Shapley values of the forest, mean over the periods.
    fn reasons(&self, artifact: &Artifact, row: &[f32]) -> Result<Vec<Reason>, PredictError> {
        let explainer = Explainer::new(artifact.model.forest());
        let mut full = row.to_vec();
        full.push(0.0);
        let mut sums = vec![0.0; full.len()];
        for period in 0..HORIZONS.len() {
            full[row.len()] = period as f32;
            let values = explainer
                .explain(&full)
                .map_err(|error| PredictError::Inside(error.to_string()))?;
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += value / HORIZONS.len() as f64);
        }
        let known = artifact.model.forest().features();
        let names: Vec<&str> = known[..row.len()]
            .iter()
            .map(|feature| feature.feature.name.as_str())
            .collect();
        let word = |at: usize| {
            let list = match names[at] {
                "model" => &artifact.words.models,
                "place" => &artifact.words.places,
                _ => return None,
            };
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a small index; the cast saturates"
            )]
            let index = row[at] as usize;
            list.get(index)
                .filter(|_| !row[at].is_nan())
                .cloned()
                .or_else(|| Some("unknown".to_owned()))
        };
        Ok(words::reasons(
            &names,
            &sums[..row.len()],
            row,
            &artifact.typical,
            word,
        ))
    }

    /// The fleet's past cases, taken anew now and then.
    fn cases(&self, history: &History) -> Result<Arc<Cases>, PredictError> {
        let mut kept = lock(&self.cases);
        if let Some(cases) = kept
            .as_ref()
            .filter(|cases| history.position.get() - cases.position.get() < CASES_STALE_EVENTS)
        {
            return Ok(cases.clone());
        }
        let words = features::Dictionary::of(history);
        let snapshots = Snapshots::take(history, &words, history.end(self.now()), cases::STEP_DAYS);
        let made = Arc::new(Cases::new(
            snapshots,
            features::features().len(),
            history.position,
        ));
        *kept = Some(made.clone());
        Ok(made)
    }

    /// The fleet, riskiest first: for rankings and for the riskiest tenth.
    pub(crate) fn rank_fleet(
        &self,
        as_of: Option<i64>,
        limit: usize,
    ) -> Result<Value, PredictError> {
        let history = self.history()?;
        let as_of = as_of.unwrap_or_else(|| history.end(self.now()));
        let answering = self.answering(FAILURE, "", None)?;
        let mut ranked: Vec<(&str, [f64; HORIZONS.len()])> = Vec::new();
        let mut scratch = answering
            .as_ref()
            .map(|answering| answering.artifact.model.scratch());
        for (id, past) in history
            .vehicles
            .iter()
            .filter(|(_, past)| features::in_service(past, as_of))
        {
            let mut curve = rule_curve(&history, past, as_of);
            if let (Some(answering), Some(scratch)) = (&answering, &mut scratch) {
                let row = features::row(&history, past, &answering.artifact.words, as_of);
                let done = answering
                    .artifact
                    .model
                    .failure_into(&row, scratch, &mut curve);
                done.map_err(|error| PredictError::Inside(error.to_string()))?;
            }
            ranked.push((id, curve));
        }
        ranked.sort_by(|left, right| right.1[0].total_cmp(&left.1[0]));
        let fleet_size = ranked.len();
        let rows: Vec<Value> = ranked
            .into_iter()
            .take(limit)
            .enumerate()
            .map(|(rank, (id, curve))| {
                json!({
                    "rank": rank + 1,
                    "vehicle_id": id,
                    "failure_probability_30d": rounded(curve[0]),
                    "failure_probability_60d": rounded(curve[1]),
                    "failure_probability_90d": rounded(curve[2]),
                    "risk_level": risk_level(curve[2]),
                })
            })
            .collect();
        Ok(json!({
            "as_of": rfc3339::to_string(Timestamp::from_micros(as_of)),
            "source": if answering.is_some() { "model" } else { "rule" },
            "model": answering.map(|answering| json!({ "model_id": answering.model_id, "version": answering.version, "stage": answering.stage })),
            "fleet_size": fleet_size,
            "vehicles": rows,
            "note": "Ranking vehicles for inspection is what the backtest supports; a single vehicle's failure is not promised.",
        }))
    }

    /// The model that answers for this entity: the one named, or the champion, or for some entities the challenger.
    pub(super) fn answering(
        &self,
        name: &str,
        entity: &str,
        wanted: Option<&str>,
    ) -> Result<Option<Answering>, PredictError> {
        let models = self.models()?;
        let (entry, stage) = match wanted {
            Some(id) => {
                let entry = models
                    .get(id)
                    .filter(|entry| !entry.text("file_digest").is_empty());
                (
                    Some(entry.ok_or_else(|| PredictError::UnknownModel(id.to_owned()))?),
                    "named",
                )
            }
            None => match models
                .challenger(name)
                .filter(|_| !entity.is_empty() && is_challenged(entity))
            {
                Some(challenger) => (Some(challenger), "challenger"),
                None => (models.champion(name), "champion"),
            },
        };
        let Some(entry) = entry else { return Ok(None) };
        let (id, version) = (entry.id.clone(), entry.text("model_version").to_owned());
        let digest = entry.text("file_digest").to_owned();
        drop(models);
        match self.load(&digest) {
            Ok(artifact) => Ok(Some(Answering {
                artifact,
                model_id: id,
                version,
                stage,
            })),
            // A challenger whose file is gone must not cost anybody an answer.
            Err(error) if stage == "challenger" => {
                tracing::error!(%error, model = id, "the challenger's file cannot be used; the champion answers");
                self.answering(name, "", None)
            }
            Err(error) => Err(error),
        }
    }

    /// A model's file, read once and kept.
    pub(super) fn load(&self, digest: &str) -> Result<Arc<Artifact>, PredictError> {
        if let Some(known) = lock(&self.loaded).get(digest) {
            return Ok(known.clone());
        }
        let path = registry::file_of(&self.folder, digest)
            .ok_or_else(|| PredictError::Invalid("the model has no file".to_owned()))?;
        let file = std::fs::read(path)?;
        let artifact = Arc::new(Artifact::read(&file)?);
        if artifact.digest != digest {
            return Err(PredictError::Inside(
                "the model's file is not the one that its event names".to_owned(),
            ));
        }
        let mut loaded = lock(&self.loaded);
        if loaded.len() >= LOADED_MAX {
            loaded.clear();
        }
        loaded.insert(digest.to_owned(), artifact.clone());
        Ok(artifact)
    }
}

fn note(artifact: &Artifact, in_service: bool) -> String {
    let auc = artifact
        .note("metrics")
        .and_then(|metrics| metrics["roc_auc_30"].as_f64());
    let mut text = match auc {
        Some(auc) if auc < 0.75 => format!(
            "The signal in this fleet's history is faint (ROC-AUC {auc:.2} for 30 days): use this to rank vehicles for inspection, not as a promise."
        ),
        Some(auc) => {
            format!("In the backtest this model reached a ROC-AUC of {auc:.2} for 30 days.")
        }
        None => "This model carries no backtest.".to_owned(),
    };
    if !in_service {
        text.push_str(" The vehicle seems to be out of service: nothing was heard of it for a year, or it is new.");
    }
    text
}

/// Whether the challenger answers for this entity: always the same for one entity.
fn is_challenged(entity: &str) -> bool {
    u64::from(crc32fast::hash(entity.as_bytes())) % 100 < CHALLENGED_PERCENT
}

/// The thresholds of the old system.
pub(super) fn risk_level(chance: f64) -> &'static str {
    match chance {
        chance if chance >= 0.8 => "critical",
        chance if chance >= 0.6 => "high",
        chance if chance >= 0.4 => "medium",
        _ => "low",
    }
}

/// Failures as a steady stream: the vehicle's own of the last year, drawn towards the fleet's as if for half a year.
pub(super) fn rule_curve(
    history: &History,
    past: &VehiclePast,
    as_of: i64,
) -> [f64; HORIZONS.len()] {
    let recent = |marks: &mut dyn Iterator<Item = i64>| {
        marks.filter(|&at| as_of - at <= 365 * DAY).count() as f64
    };
    let own = recent(
        &mut past
            .troubles
            .iter()
            .filter(|one| one.failure && one.when.visible(as_of))
            .map(|one| one.when.happened),
    );
    let all = recent(
        &mut history
            .fleet_failures
            .iter()
            .filter(|mark| mark.visible(as_of))
            .map(|mark| mark.happened),
    );
    let fleet = all / history.fleet_size(as_of).max(1) as f64;
    let rate = (own + 0.5 * fleet) / (1.5 * 365.0);
    HORIZONS.map(|days| 1.0 - (-rate * f64::from(days)).exp())
}

/// The documented estimate where no model is deployed.
fn by_rule(history: &History, id: &str, past: &VehiclePast, as_of: i64) -> Value {
    let curve = rule_curve(history, past, as_of);
    let horizons: Vec<Value> = HORIZONS
        .iter()
        .zip(curve)
        .map(|(days, chance)| json!({ "days": days, "probability": rounded(chance), "interval": null }))
        .collect();
    let row = features::contract_row(past, as_of);
    let facts: Map<String, Value> = features::CONTRACT_FEATURES
        .iter()
        .zip(row)
        .map(|(name, value)| ((*name).to_owned(), number(value)))
        .collect();
    json!({
        "vehicle_id": id,
        "as_of": rfc3339::to_string(Timestamp::from_micros(as_of)),
        "position": history.position.get(),
        "source": "rule",
        "model": null,
        "horizons": horizons,
        "failure_probability_30d": rounded(curve[0]),
        "failure_probability_60d": rounded(curve[1]),
        "failure_probability_90d": rounded(curve[2]),
        "risk_score": rounded(curve[0]),
        "risk_level": risk_level(curve[2]),
        "confidence": null,
        "in_service": features::in_service(past, as_of),
        "reasons": [],
        "similar_cases": [],
        "features": facts,
        "note": "No model is deployed. This is a rule: the vehicle's failures of the last year, drawn towards the fleet's, taken as a steady stream.",
    })
}

/// Four decimals are more than any of this is sure of.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// A feature as JSON; what is not known is null.
pub(super) fn number(value: f32) -> Value {
    if value.is_finite() {
        json!(value)
    } else {
        Value::Null
    }
}

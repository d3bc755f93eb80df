//! A model's way: registered, trained, deployed, taken out of service, put back, or failed. Each step is an event.
//!
//! Which model of a kind is deployed, and the number of the next, depend on all of them. So a step goes through only if
//! nothing was told of any model since the registry was read; else it is decided again.
//!
//! Model events are the server's own notes, which no other depot is told: every model in a log is of the depot whose log it is.

use fleet::model::event;
use serde_json::{Value, json};
use storage::{AppendErrorKind, StreamWrite, Transaction, Version};

use super::artifact::Artifact;
use super::failure::HORIZONS;
use super::registry::{self, ModelEntry, Models};
use super::training::{CALIBRATION, TrainError};
use super::{FAILURE, Learning, lock, vehicle};
use crate::rfc3339;

/// How often a step is decided at most where others are quicker.
const ATTEMPTS_MAX: u32 = 5;
/// Why a training ended of which this process knows nothing.
const SERVER_ENDED: &str = "the server ended before the training did; train again";

impl Learning {
    /// Appends what `step` makes of the registry; false where it makes nothing.
    fn take_step(
        &self,
        mut step: impl FnMut(&Models) -> Result<Option<Transaction>, TrainError>,
    ) -> Result<bool, TrainError> {
        let mut attempts = 0;
        loop {
            let models = self.models()?;
            let Some(transaction) = step(&models)? else {
                return Ok(false);
            };
            drop(models);
            attempts += 1;
            match self.log.append(transaction) {
                Ok(_) => return Ok(true),
                Err(error)
                    if error.kind() == AppendErrorKind::Conflict && attempts < ATTEMPTS_MAX => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The model exists from here on, without a file yet.
    pub(super) fn register(&self, model_id: &str, by: Option<&str>) -> Result<(), TrainError> {
        self.take_step(|models| {
            let writes = vec![registered(models, model_id, by)];
            Ok(Some(models.transaction(writes)))
        })?;
        Ok(())
    }

    /// Stores the file of a model that was registered before its training, and says that this ended well.
    pub(super) fn keep(
        &self,
        model_id: &str,
        artifact: &Artifact,
        file: &[u8],
        metrics: Value,
        by: Option<&str>,
    ) -> Result<(), TrainError> {
        let facts = self.store(artifact, file, metrics)?;
        let version = self.entry(model_id)?.version;
        let write = registry::write(model_id, version, event::MODEL_TRAINED, facts, by);
        self.log.append(Transaction {
            writes: vec![write],
            condition: None,
        })?;
        Ok(())
    }

    /// Stores the file; what is told of its model then.
    fn store(&self, artifact: &Artifact, file: &[u8], metrics: Value) -> Result<Value, TrainError> {
        let digest = registry::store(&self.folder, file)?;
        let record = artifact.model.forest().record();
        let parameters: serde_json::Map<String, Value> = record
            .notes
            .iter()
            .filter(|(name, _)| !name.starts_with("railfleet."))
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        let names: Vec<String> = vehicle::features()
            .into_iter()
            .map(|feature| feature.name)
            .collect();
        Ok(json!({
            "file_path": format!("models/{digest}.model"),
            "file_digest": digest,
            "feature_names": names,
            "hyperparameters": parameters,
            "metrics": metrics,
            "trained_at": rfc3339::to_string(storage::Timestamp::from_micros(self.now())),
        }))
    }

    /// Deploys a fresh model if its backtest beats the base rate, and the champion's where there is one.
    pub(crate) fn deploy_if_better(&self, model_id: &str) -> Result<bool, TrainError> {
        let skill = |entry: &ModelEntry| {
            entry
                .facts
                .get("metrics")
                .and_then(|metrics| metrics["skill"].as_f64())
                .unwrap_or(0.0)
        };
        self.take_step(|models| {
            let fresh = entry_of(models, model_id)?;
            let to_beat = models.champion(FAILURE).map_or(0.0, skill);
            if skill(fresh) <= to_beat.max(0.0) {
                return Ok(None);
            }
            let reason = "a newer model did better in the backtest";
            Ok(Some(registry::deployment(models, fresh, reason, None)))
        })
    }

    /// Puts a model in the champion's place because somebody wants it.
    pub(crate) fn promote(&self, model_id: &str, by: Option<&str>) -> Result<(), TrainError> {
        self.take_step(|models| {
            let entry = entry_of(models, model_id)?;
            if entry.text("file_digest").is_empty() {
                return Err(TrainError::Refused(format!(
                    "model {model_id} is {}; only a trained model can be promoted",
                    entry.status()
                )));
            }
            if entry.status() == "deployed" {
                return Err(TrainError::Refused(format!(
                    "model {model_id} is deployed already"
                )));
            }
            self.must_answer(entry)?;
            let reason = "another model was promoted";
            Ok(Some(registry::deployment(models, entry, reason, by)))
        })?;
        Ok(())
    }

    /// Puts the champion before this one back; returns its id.
    pub(crate) fn roll_back(&self, model_id: &str, by: Option<&str>) -> Result<String, TrainError> {
        let mut put_back = String::new();
        self.take_step(|models| {
            let entry = entry_of(models, model_id)?;
            if entry.status() != "deployed" {
                return Err(TrainError::Refused(format!(
                    "model {model_id} is {}; only the deployed model can be rolled back",
                    entry.status()
                )));
            }
            let Some(earlier) = models.predecessor(entry) else {
                return Err(TrainError::Refused(
                    "no model was deployed before this one".to_owned(),
                ));
            };
            self.must_answer(earlier)?;
            put_back.clone_from(&earlier.id);
            let reason = "rolled back";
            Ok(Some(registry::deployment(models, earlier, reason, by)))
        })?;
        Ok(put_back)
    }

    /// A model whose file cannot be used would leave the kind without answers.
    fn must_answer(&self, entry: &ModelEntry) -> Result<(), TrainError> {
        match self.load(entry.text("file_digest")) {
            Ok(_) => Ok(()),
            Err(error) => Err(TrainError::Refused(format!(
                "model {} cannot be deployed: {error}",
                entry.id
            ))),
        }
    }

    /// Takes in a model's file from elsewhere; returns the new model's id.
    pub(crate) fn upload(&self, file: &[u8], by: Option<&str>) -> Result<String, TrainError> {
        let artifact = Artifact::read(file)?;
        let metrics = artifact.note("metrics").unwrap_or(Value::Null);
        self.add(&artifact, file, metrics, by)
    }

    /// Stores the file, then registers its model as trained; returns the new model's id. A kill amid it leaves a file
    /// without a model at most, which is in nobody's way.
    pub(crate) fn add(
        &self,
        artifact: &Artifact,
        file: &[u8],
        metrics: Value,
        by: Option<&str>,
    ) -> Result<String, TrainError> {
        let facts = self.store(artifact, file, metrics)?;
        let model_id = uuid::Uuid::now_v7().to_string();
        // Both events or none: nobody trains it, so nobody would end what is only registered.
        self.take_step(|models| {
            let trained = registry::write(
                &model_id,
                Version::FIRST,
                event::MODEL_TRAINED,
                facts.clone(),
                by,
            );
            let writes = vec![registered(models, &model_id, by), trained];
            Ok(Some(models.transaction(writes)))
        })?;
        Ok(model_id)
    }

    /// The bytes of a model's file.
    pub(crate) fn download(&self, model_id: &str) -> Result<Vec<u8>, TrainError> {
        let digest = self.entry(model_id)?.text("file_digest").to_owned();
        let path = registry::file_of(&self.folder, &digest);
        let path =
            path.ok_or_else(|| TrainError::Refused(format!("model {model_id} has no file")))?;
        std::fs::read(path).map_err(TrainError::File)
    }

    fn entry(&self, model_id: &str) -> Result<ModelEntry, TrainError> {
        Ok(entry_of(&*self.models()?, model_id)?.clone())
    }

    /// Says in the log that a training ended without a model. One that was trained stays so, whatever went wrong behind it. What
    /// the log does not take now is told by [`Learning::end_unfinished`] once it does.
    pub(super) fn note_failure(&self, model_id: &str, error: &str) {
        tracing::warn!(error, model_id, "a training did not end well");
        let noted = self.entry(model_id).and_then(|entry| {
            if entry.status() != "training" {
                return Ok(());
            }
            let facts = json!({ "error": error });
            let write = registry::write(model_id, entry.version, event::MODEL_FAILED, facts, None);
            self.log.append(Transaction {
                writes: vec![write],
                condition: None,
            })?;
            Ok(())
        });
        if let Err(error) = noted {
            tracing::error!(%error, model_id, "the failed training could not be noted");
        }
    }

    /// Says in the log of every training that it has ended, where nobody works on it and the log does not say so: a server that
    /// was killed left it, or the log took nothing when it ended. For the server alone: a command may be training itself.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(crate) fn end_unfinished(&self) -> Result<(), TrainError> {
        for (model_id, error) in self.unfinished()? {
            self.note_failure(&model_id, &error);
        }
        Ok(())
    }

    /// Models that are in training by the log and that nobody trains, with why.
    fn unfinished(&self) -> Result<Vec<(String, String)>, TrainError> {
        // Under one hold of this lock a model is registered and its job taken up. So one without a job is not of this process.
        let jobs = lock(&self.jobs);
        let models = self.models()?;
        let mut found = Vec::new();
        for entry in models.list() {
            if entry.status() != "training" {
                continue;
            }
            let error = match jobs.of_model(&entry.id) {
                Some(job) => job.error(),
                None => Some(SERVER_ENDED.to_owned()),
            };
            found.extend(error.map(|error| (entry.id.clone(), error)));
        }
        Ok(found)
    }

    /// Models as clients read them, newest first.
    pub(crate) fn list_models(&self) -> Result<Vec<Value>, TrainError> {
        let models = self.models()?;
        Ok(models
            .list()
            .into_iter()
            .map(|entry| {
                let mut told = told(&models, entry);
                if let Some(metrics) = told["metrics"].as_object_mut() {
                    metrics.remove(CALIBRATION);
                }
                told
            })
            .collect())
    }

    /// One model with everything about it.
    pub(crate) fn model_details(&self, model_id: &str) -> Result<Value, TrainError> {
        let models = self.models()?;
        let entry = entry_of(&models, model_id)?;
        let mut told = told(&models, entry);
        for name in [
            "feature_names",
            "hyperparameters",
            "file_path",
            "file_digest",
            "error",
            "created_by",
        ] {
            told[name] = entry.facts.get(name).cloned().unwrap_or(Value::Null);
        }
        drop(models);
        told["live"] = self.live_scores(model_id)?;
        Ok(told)
    }
}

/// The write that begins a model.
fn registered(models: &Models, model_id: &str, by: Option<&str>) -> StreamWrite {
    let facts = json!({
        "model_name": FAILURE,
        "model_type": "discrete_time_hazard_boosting",
        "model_version": models.next_version(FAILURE).to_string(),
        "status": "training",
        "created_by": by,
    });
    registry::write(model_id, Version::NONE, event::MODEL_REGISTERED, facts, by)
}

fn entry_of<'a>(models: &'a Models, model_id: &str) -> Result<&'a ModelEntry, TrainError> {
    models
        .get(model_id)
        .ok_or_else(|| TrainError::Unknown(model_id.to_owned()))
}

fn told(models: &Models, entry: &ModelEntry) -> Value {
    let name = entry.text("model_name");
    let is = |other: Option<&ModelEntry>| other.is_some_and(|other| other.id == entry.id);
    let stage = if is(models.champion(name)) {
        "champion"
    } else if is(models.challenger(name)) {
        "challenger"
    } else {
        entry.status()
    };
    let time =
        |at: Option<i64>| at.map(|at| rfc3339::to_string(storage::Timestamp::from_micros(at)));
    json!({
        "model_id": entry.id,
        "model_name": name,
        "model_type": entry.text("model_type"),
        "version": entry.text("model_version"),
        "status": entry.status(),
        "stage": stage,
        "created_at": time(Some(entry.created_at)),
        "trained_at": time(entry.trained_at),
        "deployed_at": time(entry.deployed_at),
        "metrics": entry.facts.get("metrics").cloned().unwrap_or(Value::Null),
        "horizons": HORIZONS,
    })
}

//! A trained failure model with everything that is needed to use it: words, usual values, and how it came to be.
//!
//! It is one file: the hazard model's own format, the rest as notes of its record. Two trainings on the same position of
//! the log with the same seed give the same bytes.

use ml::hazard::HazardModel;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::failure::LearnError;
use super::table::Table;
use super::vehicle::{self, Dictionary};

/// Values of each feature that are kept to notice drift.
const SAMPLE: usize = 60;

/// A model ready to predict.
#[derive(Debug)]
pub(crate) struct Artifact {
    pub(crate) model: HazardModel,
    pub(crate) words: Dictionary,
    /// Median of each feature over the training snapshots.
    pub(crate) typical: Vec<f32>,
    /// Quantiles of each feature at equal shares.
    pub(crate) samples: Vec<Vec<f32>>,
    /// SHA-256 of the file, in hexadecimal.
    pub(crate) digest: String,
}

/// Why a file is no artifact.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    #[error("the file is no model of ours, or is damaged: {0}")]
    Read(#[from] ml::ReadError),
    #[error("the model cannot be written: {0}")]
    Write(#[from] ml::WriteError),
    #[error(transparent)]
    Learn(#[from] LearnError),
    #[error("the model was not made for this server's features; train it here")]
    Foreign,
}

impl Artifact {
    /// Packs a fresh model; returns the file beside it. `facts` are kept in its record.
    pub(crate) fn pack(
        mut model: HazardModel,
        words: Dictionary,
        table: &dyn Table,
        facts: &[(&str, Value)],
    ) -> Result<(Self, Vec<u8>), ArtifactError> {
        let width = vehicle::features().len();
        let samples: Result<Vec<Vec<f32>>, LearnError> = (0..width)
            .map(|column| table.quantiles(column, SAMPLE))
            .collect();
        let samples = samples?;
        let notes = model.forest_mut();
        notes.note("railfleet.kind", "failure");
        notes.note(
            "railfleet.words",
            serde_json::to_string(&words).unwrap_or_default(),
        );
        for (column, sample) in samples.iter().enumerate() {
            let sample: Vec<Option<f32>> = sample
                .iter()
                .map(|&value| Some(value).filter(|value| value.is_finite()))
                .collect();
            notes.note(
                format!("railfleet.sample.{column}"),
                serde_json::to_string(&sample).unwrap_or_default(),
            );
        }
        for (name, value) in facts {
            notes.note(format!("railfleet.{name}"), value.to_string());
        }
        let file = model.to_bytes()?;
        Ok((Self::read(&file)?, file))
    }

    /// Reads a file and holds it against this server's features.
    pub(crate) fn read(file: &[u8]) -> Result<Self, ArtifactError> {
        let model = HazardModel::from_bytes(file)?;
        let notes = &model.forest().record().notes;
        let note = |name: &str| {
            notes
                .iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.as_str())
        };
        let expected = vehicle::features();
        let known = model.forest().features();
        let same = known.len() == expected.len() + 1
            && known.iter().zip(&expected).all(|(known, expected)| {
                known.feature.name == expected.name && known.feature.kind == expected.kind
            });
        if note("railfleet.kind") != Some("failure")
            || !same
            || model.ends() != super::failure::HORIZONS
        {
            return Err(ArtifactError::Foreign);
        }
        let words = note("railfleet.words").and_then(|text| serde_json::from_str(text).ok());
        let words: Dictionary = words.ok_or(ArtifactError::Foreign)?;
        let mut samples = Vec::with_capacity(expected.len());
        for column in 0..expected.len() {
            let text = note(&format!("railfleet.sample.{column}")).ok_or(ArtifactError::Foreign)?;
            let sample: Vec<Option<f32>> =
                serde_json::from_str(text).map_err(|_| ArtifactError::Foreign)?;
            samples.push(
                sample
                    .into_iter()
                    .map(|value| value.unwrap_or(f32::NAN))
                    .collect::<Vec<f32>>(),
            );
        }
        let typical = samples.iter().map(|sample| median(sample)).collect();
        Ok(Self {
            model,
            words,
            typical,
            samples,
            digest: digest(file),
        })
    }

    /// A note of its record.
    pub(crate) fn note(&self, name: &str) -> Option<Value> {
        let notes = &self.model.forest().record().notes;
        let found = notes
            .iter()
            .find(|(known, _)| known.strip_prefix("railfleet.") == Some(name));
        found.and_then(|(_, value)| serde_json::from_str(value).ok())
    }
}

/// A file's SHA-256 in hexadecimal.
pub(crate) fn digest(file: &[u8]) -> String {
    Sha256::digest(file)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn median(sample: &[f32]) -> f32 {
    let known: Vec<f32> = sample
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    known.get(known.len() / 2).copied().unwrap_or(f32::NAN)
}

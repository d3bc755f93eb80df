//! Why a question could not be answered.

use std::path::PathBuf;

/// A failure of the bench, not of a bar.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    #[error("{path}: {source}")]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{path}: {what}")]
    Data { path: PathBuf, what: String },
    #[error("the peer said: {0}")]
    Peer(String),
    #[error("training: {0}")]
    Fit(#[from] ml::FitError),
    #[error("table: {0}")]
    Dataset(#[from] ml::DatasetError),
    #[error("prediction: {0}")]
    Predict(#[from] ml::PredictError),
    #[error("hazard: {0}")]
    Hazard(#[from] ml::hazard::HazardError),
    #[error("anomaly: {0}")]
    Anomaly(#[from] ml::anomaly::AnomalyError),
    #[error("demand: {0}")]
    Demand(#[from] ml::demand::DemandError),
}

impl BenchError {
    /// Ties a system error to its file.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Names what is wrong with a file.
    pub(crate) fn data(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        Self::Data {
            path: path.into(),
            what: what.into(),
        }
    }
}

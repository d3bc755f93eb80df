//! Machine learning: predictions, their models and the jobs that train them. What is computed stands in [`crate::learn`].
//!
//! Every answer says where it comes from (`source`: `model`, `history` or `rule`), as of when it holds, and which position
//! of the log it reflects.

mod models;
mod predictions;
mod records;
mod training;

use axum::body::Body;
use axum::http::Response;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::json_response;
use super::problem::{Kind, Problem};
use crate::app::AppState;
use crate::learn::{ArtifactError, Learning, PredictError, TrainError};
use crate::{learn, reads};

pub(super) use training::start as start_training;

/// The routes of machine learning.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(predictions::predict))
        .routes(routes!(predictions::predict_failure))
        .routes(routes!(predictions::failure_of))
        .routes(routes!(predictions::predict_maintenance))
        .routes(routes!(predictions::maintenance_of))
        .routes(routes!(predictions::completion_of))
        .routes(routes!(predictions::demand_of))
        .routes(routes!(predictions::forecast_parts))
        .routes(routes!(predictions::fleet_risk))
        .routes(routes!(predictions::detect_anomaly))
        .routes(routes!(training::train))
        .routes(routes!(training::list_jobs))
        .routes(routes!(training::get_job, training::cancel_job))
        .routes(routes!(training::follow_job))
        .routes(routes!(models::list_models))
        .routes(routes!(models::get_model))
        .routes(routes!(models::download_model))
        .routes(routes!(models::promote_model))
        .routes(routes!(models::roll_back_model))
        .routes(routes!(models::upload_model))
        .routes(routes!(models::drift))
        .routes(routes!(records::features_of))
        .routes(routes!(records::extract_features))
        .routes(routes!(records::prediction_history))
        .routes(routes!(records::prediction_stats))
}

/// Computes an answer on a blocking thread.
async fn answer(
    state: &AppState,
    compute: impl FnOnce(&Learning) -> Result<Value, Problem> + Send + 'static,
) -> Result<Response<Body>, Problem> {
    let body = reads::run(state, move |state| compute(&state.learning)).await?;
    Ok(json_response(body.to_string()))
}

impl From<PredictError> for Problem {
    fn from(error: PredictError) -> Self {
        let detail = error.to_string();
        match error {
            PredictError::UnknownVehicle(_)
            | PredictError::UnknownOrder(_)
            | PredictError::UnknownPart(_)
            | PredictError::UnknownModel(_) => Problem::not_found(detail),
            PredictError::TooLittle(_) => Problem::new(Kind::Conflict, detail),
            PredictError::Invalid(_) => Problem::new(Kind::BadRequest, detail),
            PredictError::Log(error) => error.into(),
            PredictError::Artifact(_) | PredictError::File(_) | PredictError::Inside(_) => {
                Problem::internal(&error_text(&detail))
            }
        }
    }
}

/// What goes to the server's own log.
fn error_text(detail: &str) -> String {
    format!("learning: {detail}")
}

impl From<TrainError> for Problem {
    fn from(error: TrainError) -> Self {
        let detail = error.to_string();
        match error {
            TrainError::Unknown(_) => Problem::not_found(detail),
            TrainError::Refused(_) | TrainError::Learn(_) => Problem::new(Kind::Conflict, detail),
            TrainError::TooMany | TrainError::Thread(_) => {
                Problem::new(Kind::Busy, detail).retry_after(60)
            }
            TrainError::Artifact(ArtifactError::Read(_) | ArtifactError::Foreign) => {
                Problem::new(Kind::BadRequest, detail)
            }
            TrainError::Store(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                Problem::new(Kind::DiskFull, detail)
            }
            TrainError::Log(error) => error.into(),
            TrainError::Append(error) => error.into(),
            TrainError::Artifact(_)
            | TrainError::Store(_)
            | TrainError::File(_)
            | TrainError::Panicked => Problem::internal(&error_text(&detail)),
        }
    }
}

/// The most bytes of an uploaded model, its surroundings in a form included.
const UPLOAD_BYTES_MAX: usize = learn::FILE_BYTES_MAX + (64 << 10);

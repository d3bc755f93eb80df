//! Training jobs: begun, followed, cancelled.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use crate::app::AppState;
use crate::auth::Caller;
use crate::field_error::FieldError;
use crate::http::auth::small_json;
use crate::http::events::live::Channel;
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::learn;
use crate::reads;

/// How often a followed job is looked at.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(500);

/// What to train.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrainingRequest {
    /// `failure_predictor` (default; `failure` and `maintenance_predictor` mean the same).
    #[serde(alias = "model", alias = "kind")]
    model_name: Option<String>,
}

/// Train a model in the background.
///
/// The job reads the log up to now, backtests in rolling windows, trains, registers the model, and deploys it where its backtest is
/// better than the deployed model's (or, without one, than the base rate). It runs at the lowest priority.
#[utoipa::path(post, path = "/api/v1/ml/train", tag = "ml", operation_id = "train_model", request_body = TrainingRequest,
    responses((status = 202, description = "Begun: `{job_id, model_id, status, message}`", body = Object)))]
pub(crate) async fn train(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let wanted: TrainingRequest = small_json(&state, request).await?;
    start(&state, &caller, wanted.model_name.as_deref()).await
}

/// Begins a training for whoever asked.
pub(in crate::http) async fn start(
    state: &AppState,
    caller: &Caller,
    name: Option<&str>,
) -> Result<Response<Body>, Problem> {
    if !matches!(
        name.unwrap_or(learn::FAILURE),
        learn::FAILURE | "failure" | "maintenance_predictor"
    ) {
        let msg = "must be failure_predictor; demand, completion and anomalies are computed when asked and need no training";
        return Err(Problem::invalid(vec![FieldError::body(
            "model_name",
            "enum",
            msg,
        )]));
    }
    let by = caller.id_text().to_owned();
    let told = reads::run(state, move |state| {
        Ok(state.learning.start_training(Some(&by))?.to_json())
    })
    .await?;
    let body = json!({
        "job_id": told["job_id"],
        "model_id": told["model_id"],
        "status": told["status"],
        "message": "training has begun; follow it at /api/v1/ml/training-jobs/{job_id}",
    });
    let mut response = json_response(body.to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// List training jobs, newest first.
#[utoipa::path(get, path = "/api/v1/ml/training-jobs", tag = "ml", operation_id = "list_training_jobs",
    responses((status = 200, description = "`{jobs, count}`; jobs of earlier runs of the server are told by their models", body = Object)))]
pub(crate) async fn list_jobs(State(state): State<AppState>) -> Response<Body> {
    let jobs = state.learning.list_jobs();
    json_response(json!({ "count": jobs.len(), "jobs": jobs }).to_string())
}

/// How far a training job is.
#[utoipa::path(get, path = "/api/v1/ml/training-jobs/{job_id}", tag = "ml", operation_id = "get_training_job",
    params(("job_id" = String, Path, description = "The job")),
    responses((status = 200, description = "Status, step, progress, metrics or error", body = Object)))]
pub(crate) async fn get_job(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    Ok(json_response(told(&state, &id)?.to_string()))
}

fn told(state: &AppState, id: &str) -> Result<Value, Problem> {
    let job = state.learning.job(id);
    job.map(|job| job.to_json())
        .ok_or_else(|| Problem::not_found(format!("there is no training job {id:?}")))
}

/// Cancel a training job. The model in use stays.
#[utoipa::path(delete, path = "/api/v1/ml/training-jobs/{job_id}", tag = "ml", operation_id = "cancel_training_job",
    params(("job_id" = String, Path, description = "The job")),
    responses((status = 202, description = "It ends at its next round", body = Object)))]
pub(crate) async fn cancel_job(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    let job = state.learning.job(&id);
    let job = job.ok_or_else(|| Problem::not_found(format!("there is no training job {id:?}")))?;
    if job.status().is_over() {
        return Err(Problem::new(Kind::Conflict, "the job is over"));
    }
    job.cancel();
    let mut response = json_response(job.to_json().to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// Follow a training job: server-sent events, one a change, until it is over.
#[utoipa::path(get, path = "/api/v1/ml/training-jobs/{job_id}/events", tag = "ml", operation_id = "follow_training_job",
    params(("job_id" = String, Path, description = "The job")),
    responses((status = 200, description = "The job's JSON as `data` of each event", body = String, content_type = "text/event-stream")))]
pub(crate) async fn follow_job(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    told(&state, &id)?;
    let permit = state.subscribers.clone().try_acquire_owned();
    let permit = permit
        .map_err(|_| Problem::new(Kind::Busy, "too many event streams are open").retry_after(5))?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let _permit = permit;
        let mut stopping = state.stopping.subscribe();
        let mut last = String::new();
        while let Some(job) = state.learning.job(&id)
            && state.accounts.still(&caller).is_ok()
        {
            let (over, text) = (job.status().is_over(), job.to_json().to_string());
            if text != last {
                last.clone_from(&text);
                if sender
                    .send(Bytes::from(format!("data: {text}\n\n")))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            if over {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = sender.closed() => return,
            }
        }
    });
    let mut response = Response::new(Body::new(Channel(receiver)));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

//! The registry of models: listed, promoted, rolled back, uploaded and downloaded.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::{UPLOAD_BYTES_MAX, answer};
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::body::{self, BodyLimits};
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::{Kind, Problem};
use crate::reads;

/// List models, newest first.
#[utoipa::path(get, path = "/api/v1/ml/models", tag = "ml", operation_id = "list_models",
    responses((status = 200, description = "`{models, count}`; `stage` is champion, challenger, or the status", body = Object)))]
pub(crate) async fn list_models(State(state): State<AppState>) -> Result<Response<Body>, Problem> {
    answer(&state, |learning| {
        let models = learning.list_models()?;
        Ok(json!({ "count": models.len(), "models": models }))
    })
    .await
}

/// One model: its settings, backtest, and how it did in service.
#[utoipa::path(get, path = "/api/v1/ml/models/{model_id}", tag = "ml", operation_id = "get_model",
    params(("model_id" = String, Path, description = "The model")),
    responses((status = 200, description = "Everything about it", body = Object)))]
pub(crate) async fn get_model(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    answer(&state, move |learning| Ok(learning.model_details(&id)?)).await
}

/// A model's file.
#[utoipa::path(get, path = "/api/v1/ml/models/{model_id}/file", tag = "ml", operation_id = "download_model",
    params(("model_id" = String, Path, description = "The model")),
    responses((status = 200, description = "The file, as docs/ml-model-format.md draws it", body = Vec<u8>, content_type = "application/octet-stream")))]
pub(crate) async fn download_model(
    State(state): State<AppState>,
    PathParts([id]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    let file = reads::run(&state, move |state| Ok(state.learning.download(&id)?)).await?;
    let mut response = Response::new(Body::from(file));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    Ok(response)
}

/// Deploy a trained model in place of the one in use.
#[utoipa::path(post, path = "/api/v1/ml/models/{model_id}/promote", tag = "ml", operation_id = "promote_model",
    params(("model_id" = String, Path, description = "The model")),
    responses((status = 200, description = "It is deployed now", body = Object)))]
pub(crate) async fn promote_model(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    answer(&state, move |learning| {
        learning.promote(&id, Some(&by))?;
        Ok(learning.model_details(&id)?)
    })
    .await
}

/// Put back the model that was deployed before this one.
#[utoipa::path(post, path = "/api/v1/ml/models/{model_id}/rollback", tag = "ml", operation_id = "roll_back_model",
    params(("model_id" = String, Path, description = "The deployed model")),
    responses((status = 200, description = "The model that is deployed again", body = Object)))]
pub(crate) async fn roll_back_model(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    answer(&state, move |learning| {
        let earlier = learning.roll_back(&id, Some(&by))?;
        Ok(learning.model_details(&earlier)?)
    })
    .await
}

/// Take in a model's file that this or another server made: as the body itself, or as the first file of a form.
///
/// It is registered as trained, not deployed. A damaged or foreign file is refused.
#[utoipa::path(post, path = "/api/v1/ml/models/upload", tag = "ml", operation_id = "upload_model",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "Registered", body = Object)))]
pub(crate) async fn upload_model(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let limits = BodyLimits {
        bytes_max: UPLOAD_BYTES_MAX,
        timeout: state.config.http.body_read_timeout,
    };
    let bytes = body::read(&parts.headers, body, limits).await?;
    let file = file_in(&parts.headers, &bytes)?;
    let by = caller.id_text().to_owned();
    let told = reads::run(&state, move |state| {
        let id = state.learning.upload(&file, Some(&by))?;
        Ok(state.learning.model_details(&id)?)
    })
    .await?;
    let mut response = json_response(told.to_string());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

/// The file in a body: the first part of a form that has a file's name, or the whole body. RFC 7578, RFC 2046 §5.1.
fn file_in(headers: &HeaderMap, bytes: &Bytes) -> Result<Bytes, Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if !kind.starts_with("multipart/form-data") {
        return Ok(bytes.clone());
    }
    let bad = || Problem::new(Kind::BadRequest, "the form holds no file");
    let boundary = kind
        .split(';')
        .find_map(|part| part.trim().strip_prefix("boundary="))
        .ok_or_else(bad)?;
    let mark = format!("--{}", boundary.trim_matches('"'));
    let find = |from: usize, needle: &[u8]| {
        bytes[from..]
            .windows(needle.len())
            .position(|window| window == needle)
            .map(|at| from + at)
    };
    let mut at = find(0, mark.as_bytes()).ok_or_else(bad)?;
    while let Some(head_end) = find(at, b"\r\n\r\n") {
        let begin = head_end + 4;
        let end = find(begin, format!("\r\n{mark}").as_bytes()).ok_or_else(bad)?;
        let head = String::from_utf8_lossy(&bytes[at..head_end]).to_ascii_lowercase();
        if head.contains("filename=") {
            return Ok(bytes.slice(begin..end));
        }
        at = end + 2;
    }
    Err(bad())
}

/// How far the fleet has moved away from what the deployed model was trained on.
#[utoipa::path(get, path = "/api/v1/ml/drift", tag = "ml", operation_id = "model_drift",
    responses((status = 200, description = "Population stability index of each feature, largest first", body = Object)))]
pub(crate) async fn drift(State(state): State<AppState>) -> Result<Response<Body>, Problem> {
    answer(&state, |learning| Ok(learning.drift()?)).await
}

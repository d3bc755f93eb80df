//! Features as of a time, and the record of what was predicted.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::json;
use storage::Timestamp;
use utoipa::ToSchema;

use super::answer;
use crate::app::AppState;
use crate::http::auth::small_json;
use crate::http::extract::PathParts;
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;

/// Entities of one request.
const ENTITIES_MAX: usize = 1_000;

/// The features of a vehicle, work order or part as of a time.
///
/// The old system's features under their names and in its order. With `all`, a vehicle's whole row as models read it.
#[utoipa::path(get, path = "/api/v1/ml/features/{entity_type}/{entity_id}", tag = "ml", operation_id = "features_of",
    params(
        ("entity_type" = String, Path, description = "`Vehicle`, `WorkOrder` or `Part`"),
        ("entity_id" = String, Path, description = "Asset id, UUID or part number"),
        ("as_of" = Option<String>, Query, description = "As of when; now where absent"),
        ("all" = Option<bool>, Query, description = "Every feature of a vehicle, not only the old system's"),
    ),
    responses((status = 200, description = "`{entity_type, entity_id, features, feature_names, timestamp}`; an unknown entity has the defaults", body = Object)))]
pub(crate) async fn features_of(
    State(state): State<AppState>,
    PathParts([entity_type, entity_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let as_of = query.time("as_of").map(Timestamp::micros);
    let all = query.flag("all").unwrap_or(false);
    query.finish()?;
    answer(&state, move |learning| {
        let found = learning.feature_vector(&entity_type, &entity_id, as_of, all)?;
        found.ok_or_else(|| {
            Problem::new(
                Kind::BadRequest,
                format!("Unknown entity type: {entity_type}"),
            )
        })
    })
    .await
}

/// Whose features to compute.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExtractionRequest {
    /// `Vehicle`, `WorkOrder` or `Part`.
    entity_type: String,
    /// At most 1,000.
    entity_ids: Vec<String>,
}

/// The features of several entities.
#[utoipa::path(post, path = "/api/v1/ml/features/extract", tag = "ml", operation_id = "extract_features", request_body = ExtractionRequest,
    responses((status = 200, description = "`{entity_type, features, count}`; empty for an unknown type", body = Object)))]
pub(crate) async fn extract_features(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let wanted: ExtractionRequest = small_json(&state, request).await?;
    if wanted.entity_ids.len() > ENTITIES_MAX {
        return Err(Problem::new(
            Kind::BadRequest,
            format!("more than {ENTITIES_MAX} entities are asked for"),
        ));
    }
    answer(&state, move |learning| {
        let mut vectors = Vec::new();
        for id in &wanted.entity_ids {
            vectors.extend(learning.feature_vector(&wanted.entity_type, id, None, false)?);
        }
        Ok(json!({ "entity_type": wanted.entity_type, "count": vectors.len(), "features": vectors }))
    })
    .await
}

/// What was predicted about an entity, newest first.
#[utoipa::path(get, path = "/api/v1/ml/predictions/history/{entity_type}/{entity_id}", tag = "ml", operation_id = "prediction_history",
    params(
        ("entity_type" = String, Path, description = "`Vehicle`, `WorkOrder` or `Part`"),
        ("entity_id" = String, Path, description = "Asset id, UUID or part number"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 10"),
    ),
    responses((status = 200, description = "`{entity_type, entity_id, predictions, count}`", body = Object)))]
pub(crate) async fn prediction_history(
    State(state): State<AppState>,
    PathParts([entity_type, entity_id]): PathParts<2>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let limit = query.number("limit", 1..=1_000).unwrap_or(10);
    query.finish()?;
    answer(&state, move |learning| {
        Ok(learning.prediction_history(&entity_type, &entity_id, limit)?)
    })
    .await
}

/// How many predictions were served, by model and by type of entity.
#[utoipa::path(get, path = "/api/v1/ml/predictions/stats", tag = "ml", operation_id = "prediction_stats",
    responses((status = 200, description = "`{total_predictions, by_model, by_entity_type}`", body = Object)))]
pub(crate) async fn prediction_stats(
    State(state): State<AppState>,
) -> Result<Response<Body>, Problem> {
    answer(&state, |learning| Ok(learning.prediction_stats()?)).await
}

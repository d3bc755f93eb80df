//! Predictions: failure, maintenance date, completion of orders, demand for parts, anomalies.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::Response;
use fleet::vehicle::AGGREGATE_TYPE;
use serde::Deserialize;
use serde_json::Value;
use storage::Timestamp;
use utoipa::ToSchema;

use crate::app::AppState;
use crate::field_error::FieldError;
use crate::http::body::{self, BodyLimits};
use crate::http::extract::{PathParts, ReadAt};
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;
use crate::learn::Learning;
use crate::learn::{self, Wanted};
use crate::rfc3339;

/// Days that demand is forecast for, at most.
const DAYS_MAX: u64 = 730;
/// Rows of a list.
const LIMIT_MAX: u64 = 1_000;

/// What to predict.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PredictionRequest {
    /// `failure` (default), `maintenance`, `completion` or `demand`.
    kind: Option<String>,
    /// `Vehicle` (default), `WorkOrder` or `Part`; follows from the kind where absent.
    entity_type: Option<String>,
    /// The vehicle's asset id or UUID, the order's UUID, the part's number.
    #[serde(alias = "vehicle_id", alias = "part_id", alias = "workorder_id")]
    entity_id: String,
    /// As of when, RFC 3339; now, or the end of what is known, where absent.
    as_of: Option<String>,
    /// A certain model in place of the deployed one.
    model_id: Option<String>,
    /// Cost of a failure in service, for the maintenance date.
    failure_cost: Option<f64>,
    /// Cost of a planned stop.
    planned_cost: Option<f64>,
    /// Days ahead, for demand.
    forecast_days: Option<u64>,
    /// Wanted chance of not running out, for demand; 0.95 where absent.
    service_level: Option<f64>,
}

impl PredictionRequest {
    fn as_of(&self) -> Result<Option<i64>, Problem> {
        let Some(text) = &self.as_of else {
            return Ok(None);
        };
        match rfc3339::parse(text) {
            Ok(time) => Ok(Some(time.micros())),
            Err(error) => Err(Problem::invalid(vec![FieldError::body(
                "as_of",
                "datetime_parsing",
                error.to_string(),
            )])),
        }
    }

    fn wanted(self) -> Result<Wanted, Problem> {
        let as_of = self.as_of()?;
        let costs = match (self.failure_cost, self.planned_cost) {
            (None, None) => None,
            (failure, planned) => Some((failure.unwrap_or(5.0), planned.unwrap_or(1.0))),
        };
        Ok(Wanted {
            vehicle: self.entity_id,
            as_of,
            model: self.model_id,
            costs,
        })
    }
}

async fn read_request(state: &AppState, request: Request) -> Result<PredictionRequest, Problem> {
    let (parts, body) = request.into_parts();
    let limits = BodyLimits {
        bytes_max: 64 << 10,
        timeout: state.config.http.body_read_timeout,
    };
    let mut request: PredictionRequest = body::json(&parts, body, limits).await?;
    let kind = request.entity_type.as_deref();
    if kind.is_none_or(|kind| kind == AGGREGATE_TYPE) {
        request.entity_id = vehicle_id(state, request.entity_id);
    }
    Ok(request)
}

/// What the history knows a vehicle by that is named by the number which it has now.
fn vehicle_id(state: &AppState, named: String) -> String {
    let catalog = state.projections.catalog();
    let id = catalog.id_behind(AGGREGATE_TYPE, &named);
    id.map_or(named, |id| id.to_string())
}

/// Predict: failure, maintenance, completion or demand, by `kind`.
#[utoipa::path(post, path = "/api/v1/ml/predict", tag = "ml", operation_id = "predict", request_body = PredictionRequest,
    responses((status = 200, description = "The prediction, as the route of its kind gives it", body = Object)))]
pub(crate) async fn predict(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let request = read_request(&state, request).await?;
    let kind = match (request.kind.as_deref(), request.entity_type.as_deref()) {
        (Some(kind), _) => kind.to_owned(),
        (None, Some("WorkOrder")) => "completion".to_owned(),
        (None, Some("Part")) => "demand".to_owned(),
        (None, _) => "failure".to_owned(),
    };
    let as_of = request.as_of()?;
    match kind.as_str() {
        "failure" => {
            let wanted = request.wanted()?;
            answer(&state, move |learning| {
                Ok(learning.predict_failure(&wanted)?)
            })
            .await
        }
        "maintenance" => {
            let wanted = request.wanted()?;
            answer(&state, move |learning| {
                Ok(learning.predict_maintenance(&wanted)?)
            })
            .await
        }
        "completion" => {
            answer(&state, move |learning| {
                Ok(learning.predict_completion(&request.entity_id, as_of)?)
            })
            .await
        }
        "demand" => {
            let days = request.forecast_days.unwrap_or(30).clamp(1, DAYS_MAX);
            let level = service_level(request.service_level)?;
            answer(&state, move |learning| {
                Ok(learning.predict_demand(&request.entity_id, days, level, as_of)?)
            })
            .await
        }
        _ => Err(Problem::invalid(vec![FieldError::body(
            "kind",
            "enum",
            "must be one of: failure, maintenance, completion, demand",
        )])),
    }
}

fn service_level(given: Option<f64>) -> Result<f64, Problem> {
    let level = given.unwrap_or(0.95);
    if (0.5..=0.999).contains(&level) {
        return Ok(level);
    }
    Err(Problem::invalid(vec![FieldError::body(
        "service_level",
        "value_error",
        "must be from 0.5 to 0.999",
    )]))
}

/// Predict a vehicle's failure within 30, 60 and 90 days.
///
/// Probabilities come from one hazard model, so they never cross; each has an interval. Reasons are Shapley values in words, similar
/// cases are past snapshots of other vehicles with what became of them. Without a deployed model a documented rule answers, and says so.
#[utoipa::path(post, path = "/api/v1/ml/predict/failure", tag = "ml", operation_id = "predict_failure", request_body = PredictionRequest,
    responses((status = 200, description = "Probabilities, risk level, reasons, similar cases", body = Object)))]
pub(crate) async fn predict_failure(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let wanted = read_request(&state, request).await?.wanted()?;
    answer(&state, move |learning| {
        Ok(learning.predict_failure(&wanted)?)
    })
    .await
}

/// A vehicle's failure within 30, 60 and 90 days.
#[utoipa::path(get, path = "/api/v1/ml/predict/failure/{vehicle_id}", tag = "ml", operation_id = "failure_of",
    params(
        ("vehicle_id" = String, Path, description = "Asset id or UUID"),
        ("as_of" = Option<String>, Query, description = "As of when; now, or the end of what is known"),
        ("model_id" = Option<String>, Query, description = "A certain model in place of the deployed one"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "Probabilities, risk level, reasons, similar cases", body = Object)))]
pub(crate) async fn failure_of(
    State(state): State<AppState>,
    PathParts([vehicle]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let wanted = wanted_of(&state, vehicle, query.as_deref()).await?;
    answer(&state, move |learning| {
        Ok(learning.predict_failure(&wanted)?)
    })
    .await
}

async fn wanted_of(
    state: &AppState,
    vehicle: String,
    query: Option<&str>,
) -> Result<Wanted, Problem> {
    let mut query = Query::parse(query);
    let as_of = query.time("as_of").map(Timestamp::micros);
    let model = query.text("model_id");
    let mut cost = |name: &'static str| {
        query
            .text(name)
            .map(|text| text.parse::<f64>().unwrap_or(f64::NAN))
    };
    let costs = match (cost("failure_cost"), cost("planned_cost")) {
        (None, None) => None,
        (failure, planned) => Some((failure.unwrap_or(5.0), planned.unwrap_or(1.0))),
    };
    ReadAt::await_log(query, state).await?;
    Ok(Wanted {
        vehicle: vehicle_id(state, vehicle),
        as_of,
        model,
        costs,
    })
}

/// Predict when a vehicle should be taken in.
#[utoipa::path(post, path = "/api/v1/ml/predict/maintenance", tag = "ml", operation_id = "predict_maintenance", request_body = PredictionRequest,
    responses((status = 200, description = "The recommended day with its reasons", body = Object)))]
pub(crate) async fn predict_maintenance(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let wanted = read_request(&state, request).await?.wanted()?;
    answer(&state, move |learning| {
        Ok(learning.predict_maintenance(&wanted)?)
    })
    .await
}

/// When a vehicle should be taken in.
///
/// The day on which a planned stop costs least for the time lived, by the hazard curve and the two costs, with the failure
/// prediction's reasons. The old system's fields are there under their names.
#[utoipa::path(get, path = "/api/v1/ml/predict/maintenance/{vehicle_id}", tag = "ml", operation_id = "maintenance_of",
    params(
        ("vehicle_id" = String, Path, description = "Asset id or UUID"),
        ("as_of" = Option<String>, Query, description = "As of when; now, or the end of what is known"),
        ("model_id" = Option<String>, Query, description = "A certain model in place of the deployed one"),
        ("failure_cost" = Option<f64>, Query, description = "Cost of a failure in service, default 5"),
        ("planned_cost" = Option<f64>, Query, description = "Cost of a planned stop, default 1"),
        ("risk_level" = Option<String>, Query, description = "Taken for old clients; without effect"),
    ),
    responses((status = 200, description = "The recommended day with its reasons", body = Object)))]
pub(crate) async fn maintenance_of(
    State(state): State<AppState>,
    PathParts([vehicle]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let wanted = wanted_of(&state, vehicle, query.as_deref()).await?;
    answer(&state, move |learning| {
        Ok(learning.predict_maintenance(&wanted)?)
    })
    .await
}

/// How long a work order will take.
#[utoipa::path(get, path = "/api/v1/ml/predict/workorder-completion/{workorder_id}", tag = "ml", operation_id = "completion_of",
    params(
        ("workorder_id" = String, Path, description = "The order's UUID"),
        ("as_of" = Option<String>, Query, description = "As of when; now where absent"),
    ),
    responses((status = 200, description = "Days from its creation, by done orders or by the rule", body = Object)))]
pub(crate) async fn completion_of(
    State(state): State<AppState>,
    PathParts([order]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let as_of = query.time("as_of").map(Timestamp::micros);
    query.finish()?;
    answer(&state, move |learning| {
        Ok(learning.predict_completion(&order, as_of)?)
    })
    .await
}

/// How many of a part will be needed.
#[utoipa::path(get, path = "/api/v1/ml/predict/demand/{part_id}", tag = "ml", operation_id = "demand_of",
    params(
        ("part_id" = String, Path, description = "The part's number"),
        ("forecast_days" = Option<u64>, Query, description = "Days ahead, 1 to 730, default 30"),
        ("service_level" = Option<f64>, Query, description = "Wanted chance of not running out, 0.5 to 0.999, default 0.95"),
        ("as_of" = Option<String>, Query, description = "As of when; now where absent"),
    ),
    responses((status = 200, description = "Demand with an interval, and what to order", body = Object)))]
pub(crate) async fn demand_of(
    State(state): State<AppState>,
    PathParts([part]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let days = query.number("forecast_days", 1..=DAYS_MAX).unwrap_or(30);
    let level = query
        .text("service_level")
        .map(|text| text.parse().unwrap_or(f64::NAN));
    let as_of = query.time("as_of").map(Timestamp::micros);
    query.finish()?;
    let level = service_level(level)?;
    answer(&state, move |learning| {
        Ok(learning.predict_demand(&part, days, level, as_of)?)
    })
    .await
}

/// Forecast the demand for all parts, month by month.
#[utoipa::path(get, path = "/api/v1/ml/forecast/parts", tag = "ml", operation_id = "forecast_parts",
    params(
        ("months" = Option<u64>, Query, description = "Months ahead, 1 to 24, default 3"),
        ("service_level" = Option<f64>, Query, description = "Wanted chance of not running out, default 0.95"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("as_of" = Option<String>, Query, description = "As of when; now where absent"),
    ),
    responses((status = 200, description = "Quantiles by part and month, what to order, and how the methods did", body = Object)))]
pub(crate) async fn forecast_parts(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let months = query
        .number("months", 1..=learn::MONTHS_AHEAD_MAX as u64)
        .unwrap_or(3);
    let level = query
        .text("service_level")
        .map(|text| text.parse().unwrap_or(f64::NAN));
    let limit = query.number("limit", 1..=LIMIT_MAX).unwrap_or(100);
    let cursor = query.text("cursor");
    let as_of = query.time("as_of").map(Timestamp::micros);
    query.finish()?;
    let level = service_level(level)?;
    let (months, limit) = (
        usize::try_from(months).unwrap_or(3),
        usize::try_from(limit).unwrap_or(100),
    );
    answer(&state, move |learning| {
        Ok(learning.forecast_parts(months, limit, cursor.as_deref(), level, as_of)?)
    })
    .await
}

/// Rank the fleet by risk of failure.
#[utoipa::path(get, path = "/api/v1/ml/fleet/risk", tag = "ml", operation_id = "fleet_risk",
    params(
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 50"),
        ("as_of" = Option<String>, Query, description = "As of when; now, or the end of what is known"),
    ),
    responses((status = 200, description = "Vehicles in service, riskiest first", body = Object)))]
pub(crate) async fn fleet_risk(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let limit = query.number("limit", 1..=LIMIT_MAX).unwrap_or(50);
    let as_of = query.time("as_of").map(Timestamp::micros);
    query.finish()?;
    let limit = usize::try_from(limit).unwrap_or(50);
    answer(&state, move |learning| {
        Ok(learning.rank_fleet(as_of, limit)?)
    })
    .await
}

/// What to look at: a vehicle, a row among others, or the readings of a signal.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnomalyRequest {
    /// A vehicle, to be held against the fleet of the same day.
    vehicle_id: Option<String>,
    /// As of when, for a vehicle.
    as_of: Option<String>,
    /// Names of the columns, with `rows` and `row`.
    columns: Option<Vec<String>>,
    /// Ordinary rows; null is missing.
    rows: Option<Vec<Vec<Option<f32>>>>,
    /// The row in question.
    row: Option<Vec<Option<f32>>>,
    /// Name of a signal, with `values`.
    signal: Option<String>,
    /// Readings of the signal in order of time.
    values: Option<Vec<f64>>,
    /// Hour of the day of each reading, 0 to 23, where the signal depends on it.
    hours: Option<Vec<usize>>,
}

/// Find what is strange.
///
/// A vehicle among its fleet (`vehicle_id`), a row among others (`columns`, `rows`, `row`), or readings over time (`signal`,
/// `values`): each with a score in [0, 1], the kind of anomaly, and the signal that stands out.
#[utoipa::path(post, path = "/api/v1/ml/detect/anomaly", tag = "ml", operation_id = "detect_anomaly", request_body = AnomalyRequest,
    responses((status = 200, description = "Score, kind, offending signals", body = Object)))]
pub(crate) async fn detect_anomaly(
    State(state): State<AppState>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let limits = BodyLimits {
        bytes_max: state.config.http.body_bytes_max,
        timeout: state.config.http.body_read_timeout,
    };
    let wanted: AnomalyRequest = body::json(&parts, body, limits).await?;
    let as_of = match &wanted.as_of {
        None => None,
        Some(text) => match rfc3339::parse(text) {
            Ok(time) => Some(time.micros()),
            Err(error) => {
                return Err(Problem::invalid(vec![FieldError::body(
                    "as_of",
                    "datetime_parsing",
                    error.to_string(),
                )]));
            }
        },
    };
    let filled = |row: Vec<Option<f32>>| -> Vec<f32> {
        row.into_iter()
            .map(|value| value.unwrap_or(f32::NAN))
            .collect()
    };
    match wanted {
        AnomalyRequest {
            vehicle_id: Some(vehicle),
            ..
        } => {
            answer(&state, move |learning| {
                Ok(learning.strange_vehicle(&vehicle, as_of)?)
            })
            .await
        }
        AnomalyRequest {
            columns: Some(columns),
            rows: Some(rows),
            row: Some(row),
            ..
        } => {
            bounded(rows.len() * columns.len(), "rows")?;
            let rows: Vec<Vec<f32>> = rows.into_iter().map(filled).collect();
            let row = filled(row);
            answer(&state, move |_| {
                Ok(learn::strange_row(&columns, &rows, &row)?)
            })
            .await
        }
        AnomalyRequest {
            values: Some(values),
            signal,
            hours,
            ..
        } => {
            bounded(values.len(), "values")?;
            let signal = signal.unwrap_or_else(|| "signal".to_owned());
            answer(&state, move |_| {
                Ok(learn::strange_readings(&signal, &values, hours.as_deref())?)
            })
            .await
        }
        _ => Err(Problem::invalid(vec![FieldError::body(
            "vehicle_id",
            "missing",
            "give vehicle_id, or columns with rows and row, or values",
        )])),
    }
}

fn bounded(values: usize, field: &'static str) -> Result<(), Problem> {
    if values <= learn::VALUES_MAX {
        return Ok(());
    }
    let msg = format!("has more than {} values", learn::VALUES_MAX);
    Err(Problem::invalid(vec![FieldError::body(
        field, "too_long", msg,
    )]))
}

/// Computes a prediction, unless they are switched off.
async fn answer(
    state: &AppState,
    compute: impl FnOnce(&Learning) -> Result<Value, Problem> + Send + 'static,
) -> Result<Response<Body>, Problem> {
    if !state.config.ml.predictions_enabled {
        let detail = "predictions are switched off (ml.predictions_enabled)";
        return Err(Problem::new(Kind::Unavailable, detail));
    }
    super::answer(state, compute).await
}

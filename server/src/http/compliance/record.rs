//! A vehicle's maintenance record, as an entity in charge of maintenance keeps one (Regulation (EU) 2019/779, Annex II): every
//! event of its maintenance, its documents and its returns to service, each with its proof.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fleet::{document, maintenance_task, vehicle, work_order};
use serde_json::{Value, json};
use storage::{EventRef, QueryItem, ReadError, ReadRequest, StreamName};

use super::docs;
use super::person::html_response;
use crate::app::AppState;
use crate::auth::Caller;
use crate::envelope;
use crate::http::audit::anomalies::recorded;
use crate::http::audit::proof::bare_proof;
use crate::http::audit::related::related;
use crate::http::audit::table::{Table, html_foot, html_head};
use crate::http::extract::PathParts;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::time_travel::{Target, read_span};
use crate::http::visible::Sight;
use crate::http::weight::Weight;
use crate::past::Moment;
use crate::{reads, rfc3339};

/// Entries of one record; a longer one is asked for in spans.
const ENTRIES_MAX: usize = 2_000;
/// Columns of the printed page.
const COLUMNS: &[&str] = &[
    "when",
    "function",
    "what",
    "of",
    "by",
    "content",
    "position",
    "leaf hash",
];

/// A vehicle's maintenance record.
///
/// For the keeper, the authority or the next entity in charge of maintenance: what was done, found, changed and released, by
/// whom and when, with the documents that belong to it. Each entry has the proof that it is in the log whose signed checkpoint
/// stands at the end; `scripts/check_proof.py` checks it without this server.
#[utoipa::path(
    get,
    path = "/api/v1/compliance/maintenance-record/{vehicle_id}",
    tag = "compliance",
    operation_id = "maintenance_record",
    params(
        ("vehicle_id" = String, Path, description = "The vehicle's asset id or UUID"),
        ("from" = Option<String>, Query, description = "Only what happened at or after this time"),
        ("to" = Option<String>, Query, description = "Only what happened at or before this time"),
        ("format" = Option<String>, Query, description = "`json` (default) or `html` (to print)"),
    ),
    responses((status = 200, description = "The record", body = docs::MaintenanceRecord)),
)]
pub(crate) async fn maintenance_record(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([vehicle_id]): PathParts<1>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let span = read_span(&mut query, ("from", "to"));
    let html = query.one_of("format", &["json", "html"]) == Some(1);
    query.finish()?;
    let sight = Sight::of(&caller);
    let record = reads::run(&state, move |state| {
        let name = StreamName::new(vehicle::AGGREGATE_TYPE, vehicle_id);
        let target = Target::find(state, sight, name)?;
        let belonging = related(state, &target.name);
        let mut streams = vec![target.name.clone()];
        streams.extend(belonging.streams.iter().cloned());
        let request = ReadRequest {
            query: QueryItem {
                streams,
                ..QueryItem::default()
            }
            .into(),
            occurred: recorded(span.0, span.1),
            ..ReadRequest::default()
        };
        let signed = state
            .checkpoints
            .sign(&state.log, state.log.durable_position())?;
        let (mut entries, mut truncated) = (Vec::new(), belonging.truncated);
        let mut weight = Weight::default();
        let mut reader = state.log.read(&request)?;
        while let Some(event) = reader.next() {
            let event = match event {
                Ok(event) => event,
                Err(ReadError::Damaged { first, last, .. }) => {
                    entries.push(json!({"damaged": {"first": first.get(), "last": last.get()}}));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(function) = function_of(&event) else {
                continue;
            };
            if entries.len() == ENTRIES_MAX || weight.is_full() {
                truncated = true;
                break;
            }
            let size = storage::Position::new(signed.checkpoint.size);
            let proof = bare_proof(&state.log, sight, &event, size)?;
            let entry = entry(sight, &event, function, proof);
            weight.add(&entry);
            entries.push(entry);
        }
        let (folded, _) = state.past.state(&target.name, Moment::default())?;
        Ok(json!({
            "vehicle": &*target.name.aggregate_id,
            "vehicle_state": sight.state(vehicle::AGGREGATE_TYPE, folded.to_object()),
            "regulation": "Commission Implementing Regulation (EU) 2019/779, Annex II",
            "generated_at": rfc3339::to_string(state.clock.now()),
            "from": span.0.map(rfc3339::to_string),
            "to": span.1.map(rfc3339::to_string),
            "belonging": belonging.counts,
            "count": entries.len(),
            "entries": entries,
            "truncated": truncated,
            "tree_size": signed.checkpoint.size,
            "root_hash": BASE64.encode(signed.checkpoint.root.0),
            "checkpoint": signed.note,
            "public_key": state.checkpoints.verifier().to_string(),
        }))
    })
    .await?;
    if html {
        return Ok(page(&record));
    }
    Ok(json_response(record.to_string()))
}

/// Which of the four functions of Annex II the event belongs to; `None`: it is no part of the record.
fn function_of(event: &EventRef<'_>) -> Option<&'static str> {
    let event_type = fleet::alias::canonical(event.event_type());
    match event.stream().aggregate_type {
        maintenance_task::AGGREGATE_TYPE => Some(match event_type {
            maintenance_task::schema::COMPLETED => "maintenance delivery",
            _ => "fleet maintenance management",
        }),
        work_order::AGGREGATE_TYPE => Some(match event_type {
            work_order::schema::RELEASED => "release to service",
            work_order::schema::CREATED | work_order::schema::ASSIGNED => {
                "fleet maintenance management"
            }
            _ => "maintenance delivery",
        }),
        document::AGGREGATE_TYPE => Some("maintenance development"),
        "StockMove" | "StaffAssignment" => Some("maintenance delivery"),
        vehicle::AGGREGATE_TYPE => Some(match event_type {
            "VehicleCreated" | "VehicleUpdated" | "VehicleDeleted" => "maintenance development",
            _ => "fleet maintenance management",
        }),
        _ => None,
    }
}

fn entry(sight: Sight, event: &EventRef<'_>, function: &'static str, proof: Value) -> Value {
    json!({
        "position": event.position().get(),
        "event_id": event.id().to_string(),
        "occurred_at": rfc3339::to_string(event.occurred_at()),
        "recorded_at": rfc3339::to_string(event.recorded_at()),
        "function": function,
        "aggregate_type": event.stream().aggregate_type,
        "aggregate_id": event.stream().aggregate_id,
        "version": event.version().get(),
        "event_type": event.event_type(),
        "by": envelope::user_id(event.tags()),
        "data": sight.data(event),
        "proof": proof,
    })
}

fn page(record: &Value) -> Response<Body> {
    let mut out = Vec::new();
    let title = format!(
        "Maintenance record of {}",
        record["vehicle"].as_str().unwrap_or_default()
    );
    html_head(&title, COLUMNS, &mut out);
    for entry in record["entries"].as_array().into_iter().flatten() {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        let of = format!("{} {}", text("aggregate_type"), text("aggregate_id"));
        let (data, position) = (entry["data"].to_string(), entry["position"].to_string());
        let leaf = entry["proof"]["leaf_hash"].as_str().unwrap_or_default();
        let cells = [
            text("occurred_at"),
            text("function"),
            text("event_type"),
            of.as_str(),
            text("by"),
            data.as_str(),
            position.as_str(),
            leaf,
        ];
        Table::Html.row(cells.into_iter(), &mut out);
    }
    let note = format!(
        "{}\n{} entries, printed {}. Each is proved by GET /api/v1/audit/proof/POSITION against this checkpoint:\n\n{}",
        record["regulation"].as_str().unwrap_or_default(),
        record["count"],
        record["generated_at"].as_str().unwrap_or_default(),
        record["checkpoint"].as_str().unwrap_or_default(),
    );
    html_foot(&note, &mut out);
    html_response(out)
}

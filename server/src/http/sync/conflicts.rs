//! Conflicts: where values disagreed, and the choice of a person, which is an event.

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{Response, StatusCode};
use fleet::command::Asked;
use fleet::maintenance_task::{self, MaintenanceTaskCommand};
use fleet::sync_conflict::{self, AGGREGATE_TYPE, Resolution, SyncConflictCommand};
use fleet::vehicle::{self, VehicleChanges, VehicleCommand};
use fleet::work_order::{self, WorkOrderCommand};
use fleet::{EventDraft, Folded};
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::auth::Caller;
use crate::command::{Decision, Write};
use crate::field_error::FieldError;
use crate::http::extract::PathParts;
use crate::http::listing::{List, written};
use crate::http::maintenance::{step_order, step_task};
use crate::http::problem::{Kind, Problem};
use crate::http::query::Query;

const MISSING: &str = "Conflict not found";

/// The routes of conflicts.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_conflicts))
        .routes(routes!(resolve_conflict))
}

/// List conflicts, the latest first.
#[utoipa::path(
    get,
    path = "/api/v1/sync/conflicts",
    tag = "sync",
    operation_id = "list_sync_conflicts",
    params(
        ("resolved" = Option<bool>, Query, description = "false, the default: those that are open; true: all"),
        ("skip" = Option<u64>, Query, description = "How many to pass over"),
        ("limit" = Option<u64>, Query, description = "1 to 1,000, default 100"),
        ("cursor" = Option<String>, Query, description = "`X-Next-Cursor` of the page before"),
        ("min_position" = Option<u64>, Query, description = "Wait until the list has this position"),
        ("wait_ms" = Option<u64>, Query, description = "How long to wait for it, default 5,000"),
    ),
    responses((status = 200, description = "An array of conflicts")),
)]
pub(crate) async fn list_conflicts(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let all = match query.text("resolved").as_deref() {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => {
            query.fault("resolved", "bool_parsing", "must be true or false");
            false
        }
    };
    let mut list = List::read(&mut query, &state, AGGREGATE_TYPE, &[]);
    list.narrow("is_resolved", (!all).then_some("false"));
    query.finish()?;
    list.answer_bare(&state).await
}

/// Settle a conflict: the server's value, the client's, or another.
///
/// The value that is chosen is written as by anybody who has seen all of them, so tablets show no conflict any more.
#[utoipa::path(
    post,
    path = "/api/v1/sync/conflicts/{conflict_id}/resolve",
    tag = "sync",
    operation_id = "resolve_sync_conflict",
    params(("conflict_id" = String, Path, description = "Its id or its conflict_id")),
    request_body = serde_json::Value,
    responses((status = 200, description = "The conflict now"), (status = 404, description = "No such conflict"), (status = 409, description = "It was settled in another way")),
)]
pub(crate) async fn resolve_conflict(
    State(state): State<AppState>,
    caller: Caller,
    PathParts([id]): PathParts<1>,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let by = caller.id_text().to_owned();
    let (write, body) = Write::with_body(&state, caller, request).await?;
    let resolution = read_resolution(&body)?;
    let done = write
        .run(move |tx| {
            let conflict = tx.load_existing(AGGREGATE_TYPE, &id, MISSING)?;
            let now = tx.now().micros();
            let asked = Asked { now, by: &by };
            let command = SyncConflictCommand::Resolve(resolution.clone());
            let drafts = sync_conflict::decide(&conflict.folded, &command, asked)?;
            if drafts.is_empty() {
                return Ok(());
            }
            tx.append(AGGREGATE_TYPE, &conflict.aggregate_id, drafts)?;
            let value = sync_conflict::resolved_value(&conflict.folded, &resolution);
            let value = match (&resolution, value) {
                // Both sides are kept with the names of their types.
                (Resolution::Server | Resolution::Client, Value::Object(mut typed)) => {
                    typed.remove("value").unwrap_or_default()
                }
                (_, value) => value,
            };
            let stands = conflict.folded.text("conflict_type") != Some("CONCURRENT_UPDATE")
                && resolution == Resolution::Server;
            if stands {
                // What was refused or held never counted; there is nothing to write.
                return Ok(());
            }
            choose(tx, &conflict.folded, value, asked)
        })
        .await?;
    written(StatusCode::OK, &done)
}

fn read_resolution(body: &Map<String, Value>) -> Result<Resolution, Problem> {
    let word = body
        .get("resolution")
        .or(body.get("resolution_strategy"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let custom = body.get("custom_value").or(body.get("resolved_state"));
    Ok(match (word, custom) {
        ("server" | "server_wins", _) => Resolution::Server,
        ("client" | "client_wins", _) => Resolution::Client,
        ("custom" | "manual", Some(value)) => Resolution::Custom(value.clone()),
        ("custom" | "manual", None) => {
            let fault = FieldError::body("custom_value", "missing", "is required with custom");
            return Err(Problem::invalid(vec![fault]));
        }
        _ => {
            let msg = "must be server, client or custom";
            let fault = FieldError::body("resolution", "enum", msg);
            return Err(Problem::invalid(vec![fault]));
        }
    })
}

/// Writes the value that was chosen.
fn choose(
    tx: &mut Decision<'_>,
    conflict: &Folded,
    value: Value,
    asked: Asked<'_>,
) -> Result<(), Problem> {
    let text = |name: &str| conflict.text(name).unwrap_or_default().to_owned();
    let (entity_type, id, field) = (text("entity_type"), text("entity_id"), text("field_name"));
    let mut fields = Map::new();
    match (
        entity_type.as_str(),
        field.split('.').collect::<Vec<_>>().as_slice(),
    ) {
        ("Vehicle", [field]) => {
            let held = tx.load("Vehicle", &id)?;
            if *field == vehicle::schema::MILEAGE_KEY {
                let mileage_km = value.as_i64().unwrap_or_default();
                let command = VehicleCommand::RecordMileage { mileage_km };
                let drafts = vehicle::decide(&held, &id, &command)?;
                return tx.append("Vehicle", &id, drafts);
            }
            fields.insert((*field).to_owned(), value.clone());
            VehicleChanges::parse(&fields)?;
            // Said again where it is so already: whoever chose has seen all values, and that is what settles it.
            let draft = match (*field, value.as_str()) {
                ("status", Some(status)) => {
                    vehicle::event::status_changed(held.text("status"), status, Some("Chosen"))
                }
                _ => vehicle::event::updated(fields),
            };
            tx.append("Vehicle", &id, vec![draft])
        }
        ("WorkOrder", [field]) => {
            fields.insert((*field).to_owned(), value);
            let fields = fleet::schema::body::parse(work_order::CHANGE, &fields)?;
            let requested = [
                "status",
                "scheduled_start",
                "scheduled_end",
                "assigned_track",
                "assigned_team",
                "workshop_id",
            ];
            if requested.contains(field) {
                let command = WorkOrderCommand::Change { fields };
                return step_order(tx, &id, &command, asked.by);
            }
            if fields.get("actual_start") == Some(&Value::Null) {
                work_order::refuse_unbegun(&tx.load(work_order::AGGREGATE_TYPE, &id)?)?;
            }
            append_order(tx, &id, work_order::schema::UPDATED, fields)
        }
        ("MaintenanceTask", [field]) => {
            fields.insert((*field).to_owned(), value);
            let fields = fleet::schema::body::parse(maintenance_task::CHANGE, &fields)?;
            step_task(tx, &id, &MaintenanceTaskCommand::Change(fields), asked.by)
        }
        ("WorkOrder", [list, middle @ .., item_field]) => {
            let key = middle.join(".");
            let (event_type, key_field) = match *list {
                work_order::schema::CHECKLIST => {
                    (work_order::schema::CHECKLIST_ITEM_SET, "item_id")
                }
                work_order::schema::FINDING_ITEMS => {
                    (work_order::schema::FINDING_RECORDED, "finding_id")
                }
                work_order::schema::NOTE_ITEMS => (work_order::schema::NOTE_ADDED, "note_id"),
                work_order::schema::USED_PARTS => (work_order::schema::PART_USED, "usage_id"),
                _ => return Err(unwritable(&field)),
            };
            fields.insert((*item_field).to_owned(), value);
            fields.insert(key_field.to_owned(), key.into());
            append_order(tx, &id, event_type, fields)
        }
        _ => Err(unwritable(&field)),
    }
}

fn append_order(
    tx: &mut Decision<'_>,
    id: &str,
    event_type: &'static str,
    fields: Map<String, Value>,
) -> Result<(), Problem> {
    let drafts: Vec<EventDraft> = vec![work_order::schema::SCHEMA.draft(event_type, fields)];
    let drafts = work_order::schema::SCHEMA.admit(drafts)?;
    tx.append(work_order::AGGREGATE_TYPE, id, drafts)
}

fn unwritable(field: &str) -> Problem {
    let detail = format!("{field} cannot be written by choosing; write it by its own route");
    Problem::new(Kind::Conflict, detail)
}

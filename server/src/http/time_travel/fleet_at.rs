//! The whole fleet at a moment: every vehicle folded to it, with the filters of today's list.

use std::num::NonZero;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use fleet::vehicle::{self, VehicleView};
use serde_json::{Map, Value, json};
use storage::{ReadError, StreamName};

use super::docs;
use super::{read_moment, state_at};
use crate::app::AppState;
use crate::auth::Caller;
use crate::http::extract::ReadAt;
use crate::http::json_response;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::visible::Sight;
use crate::past::{Bounds, Folded, Past};
use crate::{reads, rfc3339};

/// Rows in an answer.
const ROWS_MAX: u64 = 1_000;
/// Rows in an answer that asks for no number.
const ROWS_DEFAULT: u64 = 100;
/// Streams folded for one answer; a longer list is counted only as far as it was folded.
const STREAMS_MAX: usize = 20_000;
/// Streams that are worth a second thread.
const STREAMS_PER_THREAD_MIN: usize = 32;

/// The whole fleet at a moment.
///
/// Every vehicle as it was, or, with `aggregate_type`, every aggregate of another type. Without a moment: now.
#[utoipa::path(
    get,
    path = "/api/v1/time-travel/fleet",
    tag = "time-travel",
    operation_id = "fleet_at",
    params(
        ("at" = Option<String>, Query, description = "What was true then"),
        ("as_of" = Option<String>, Query, description = "What was known then"),
        ("position" = Option<u64>, Query, description = "Only up to this position of the log"),
        ("aggregate_type" = Option<String>, Query, description = "Another type than Vehicle"),
        ("status" = Option<String>, Query, description = "Only of this status then"),
        ("search" = Option<String>, Query, description = "With this text in asset id, model or manufacturer, in any case; of other types in the id or any text of the state"),
        ("skip" = Option<u64>, Query, description = "Pass over so many"),
        ("limit" = Option<u64>, Query, description = "At most this many, default 100"),
        ("cursor" = Option<String>, Query, description = "Where the page before ended: its `next_cursor`"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The rows, by id", body = docs::FleetAt)),
)]
pub(crate) async fn fleet_at(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let moment = read_moment(&mut query);
    let aggregate_type = query.text("aggregate_type");
    let filter = Filter {
        status: query.text("status"),
        search: query.text("search").map(|text| text.to_lowercase()),
    };
    let skip = query.number("skip", 0..=u64::from(u32::MAX)).unwrap_or(0);
    let limit = query.number("limit", 1..=ROWS_MAX).unwrap_or(ROWS_DEFAULT);
    let cursor = query.text("cursor");
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    let body = reads::run(&state, move |state| {
        let aggregate_type = aggregate_type.as_deref().unwrap_or(vehicle::AGGREGATE_TYPE);
        let mut names = match sight.covers(aggregate_type) {
            true => state.log.streams_of_type(aggregate_type),
            false => Vec::new(),
        };
        names.sort_unstable();
        let whole = names.len() <= STREAMS_MAX;
        if !whole {
            // Only what lies behind the cursor can be on the page; what lies before was counted on an earlier one.
            names.retain(|name| {
                cursor
                    .as_deref()
                    .is_none_or(|cursor| &*name.aggregate_id > cursor)
            });
            names.truncate(STREAMS_MAX);
        }
        let more = names.last().filter(|_| !whole).cloned();
        let bounds = moment.bounds(&state.log)?;
        let rows = rows_at(&state.past, &names, &bounds, |name, folded, damaged| {
            Row::of(sight, name, folded, damaged).filter(|row| filter.covers(row))
        })?;
        let total = rows.len();
        let behind = rows
            .iter()
            .filter(|row| {
                cursor
                    .as_deref()
                    .is_none_or(|cursor| row.id.as_str() > cursor)
            })
            .skip(usize::try_from(skip).unwrap_or(usize::MAX));
        let page: Vec<&Row> = behind
            .clone()
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .collect();
        let has_more = behind.count() > page.len();
        let next = match page.last() {
            Some(last) if has_more => Some(last.id.clone()),
            _ => more.map(|name| name.aggregate_id.to_string()),
        };
        let plural = match aggregate_type {
            vehicle::AGGREGATE_TYPE => "vehicles",
            _ => "aggregates",
        };
        Ok(json!({
            "aggregate_type": aggregate_type,
            "at": moment.at.map(rfc3339::to_string),
            "as_of": moment.as_of.map(rfc3339::to_string),
            "position": bounds.position.get(),
            "total": total,
            "total_exact": whole,
            plural: page.iter().map(|row| &row.json).collect::<Vec<_>>(),
            "next_cursor": next,
            "damaged_events": page.iter().map(|row| row.damaged).sum::<u64>(),
            "warnings": state_at::warnings(state, moment),
        }))
    })
    .await?;
    Ok(json_response(body.to_string()))
}

/// One aggregate of the list.
struct Row {
    id: String,
    status: Option<String>,
    /// What is searched in, in lower case.
    text: String,
    json: Value,
    /// Events of it that cannot be read and are missing in it.
    damaged: u64,
}

impl Row {
    /// The row; `None` when there was no such aggregate then.
    fn of(sight: Sight, name: &StreamName, folded: &Folded, damaged: u64) -> Option<Row> {
        folded.last?;
        if &*name.aggregate_type == vehicle::AGGREGATE_TYPE {
            let view = vehicle::view(&name.aggregate_id, &folded.subject)?;
            return Some(Row {
                id: name.aggregate_id.to_string(),
                status: Some(view.status.clone()),
                text: searched(&view),
                json: serde_json::to_value(&view).ok()?,
                damaged,
            });
        }
        if folded.subject.record.is_deleted() {
            return None;
        }
        let state = sight.state(&name.aggregate_type, folded.to_object());
        Some(Row {
            id: name.aggregate_id.to_string(),
            status: state
                .get("status")
                .and_then(Value::as_str)
                .map(str::to_owned),
            text: texts(&name.aggregate_id, &state),
            json: json!({
                "aggregate_id": &*name.aggregate_id,
                "state": state,
                "version": folded.last.map(|last| last.version),
                "timestamp": folded.last.map(|last| rfc3339::to_string(last.occurred_at())),
            }),
            damaged,
        })
    }
}

fn searched(view: &VehicleView) -> String {
    let lines = [
        view.asset_id.as_str(),
        view.model.as_deref().unwrap_or_default(),
        view.manufacturer.as_deref().unwrap_or_default(),
    ];
    lines.join("\n").to_lowercase()
}

fn texts(id: &str, state: &Map<String, Value>) -> String {
    let mut lines = vec![id];
    lines.extend(state.values().filter_map(Value::as_str));
    lines.join("\n").to_lowercase()
}

/// Which rows are meant.
struct Filter {
    status: Option<String>,
    search: Option<String>,
}

impl Filter {
    fn covers(&self, row: &Row) -> bool {
        let status = self.status.as_ref();
        let search = self.search.as_ref();
        status.is_none_or(|status| row.status.as_ref() == Some(status))
            && search
                .is_none_or(|search| row.text.lines().any(|line| line.contains(search.as_str())))
    }
}

/// What `make` makes of each stream's state and of how many events it lacks, in the order of the streams; on as many threads as
/// there are cores.
fn rows_at<T: Send>(
    past: &Past,
    names: &[StreamName],
    bounds: &Bounds,
    make: impl Fn(&StreamName, &Folded, u64) -> Option<T> + Sync,
) -> Result<Vec<T>, ReadError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = names.len().div_ceil(cores).max(STREAMS_PER_THREAD_MIN);
    let fold = |names: &[StreamName]| -> Result<Vec<T>, ReadError> {
        let mut rows = Vec::with_capacity(names.len());
        for name in names {
            let (folded, damaged) = past.state_within(name, bounds)?;
            rows.extend(make(name, &folded, damaged));
        }
        Ok(rows)
    };
    std::thread::scope(|scope| {
        let mut shares = names.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|share| scope.spawn(|| fold(share))).collect();
        let mut rows: Vec<T> = fold(own)?;
        for other in others {
            match other.join() {
                Ok(made) => rows.extend(made?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(rows)
    })
}

//! Time travel: aggregates as they were, in either time.
//!
//! `at` asks what was true then (by `occurred_at`), `as_of` what was known then (by `recorded_at`), `version` and
//! `position` how it was after so many events; together they narrow each other. States are true folds of the log's
//! events ([`crate::past`]), and so equal the read models' wherever both answer. Nothing here changes what was recorded:
//! to set something back is one more event ([`restore`]).

mod changes;
mod compare;
mod docs;
mod fleet_at;
mod history;
mod restore;
mod state_at;
mod target;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use storage::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::query::Query;
use super::visible::Sight;
use crate::app::AppState;
use crate::past::{Cause, Difference, Folded, Moment};
use crate::rfc3339;

pub(super) use changes::{Span, changes_in_span, events_in_span};
pub(super) use compare::compare_points;
pub(super) use docs::{Changes, Compared, Snapshot};
pub(super) use history::{Walk, replay, walk};
pub(super) use state_at::snapshot_at;
pub(super) use target::{Target, most_similar, told};

/// The routes of time travel.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(state_at::state_at))
        .routes(routes!(history::history))
        .routes(routes!(history::replay_states))
        .routes(routes!(compare::compare, compare::compare_two_points))
        .routes(routes!(changes::changes))
        .routes(routes!(fleet_at::fleet_at))
        .routes(routes!(restore::restore))
}

/// Reads which moment is meant.
pub(super) fn read_moment(query: &mut Query<'_>) -> Moment {
    let (at, timestamp) = (query.time("at"), query.time("timestamp"));
    Moment {
        at: at.or(timestamp),
        as_of: query.time("as_of"),
        version: query.version("version"),
        position: query.position("position"),
    }
}

/// Reads a span of time; one that ends before it begins is refused.
pub(super) fn read_span(
    query: &mut Query<'_>,
    names: (&'static str, &'static str),
) -> (Option<Timestamp>, Option<Timestamp>) {
    let (from, to) = (query.time(names.0), query.time(names.1));
    if let (Some(from), Some(to)) = (from, to)
        && from > to
    {
        let msg = format!("must not be before `{}`", names.0);
        query.fault(names.1, "time_order", msg);
    }
    (from, to)
}

/// A state and what it is the state of.
pub(super) fn snapshot_json(sight: Sight, target: &Target, folded: &Folded, damaged: u64) -> Value {
    let name = &target.name;
    json!({
        "aggregate_type": &*name.aggregate_type,
        "aggregate_id": &*name.aggregate_id,
        "state": sight.state(&name.aggregate_type, folded.to_object()),
        "deleted": folded.subject.record.is_deleted(),
        "version": folded.last.map(|last| last.version),
        "position": folded.last.map(|last| last.position),
        "timestamp": folded.last.map(|last| rfc3339::to_string(last.occurred_at())),
        "recorded_at": folded.last.map(|last| rfc3339::to_string(last.recorded_at())),
        "event_count": folded.events,
        "damaged_events": damaged,
    })
}

/// What differs, as clients read it. `cause` is the event that made it so.
pub(super) fn difference_json(difference: &Difference, cause: Option<&Cause>) -> Value {
    json!({
        "field": difference.dotted(),
        "path": difference.path,
        "kind": difference.kind(),
        "old_value": difference.old,
        "new_value": difference.new,
        "changed_at": cause.map(|cause| rfc3339::to_string(cause.occurred_at)),
        "user_id": cause.and_then(|cause| cause.user_id.as_deref()),
        "event": cause.map(Cause::to_json),
    })
}

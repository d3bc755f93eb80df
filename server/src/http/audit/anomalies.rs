//! What looks odd: in an aggregate, or in everything that was recorded in a span of time.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde_json::{Value, json};
use storage::{Position, ReadError, ReadRequest, TimeRange, Timestamp};

use super::docs;
use crate::app::AppState;
use crate::audit::anomaly::{Anomaly, Detector, KINDS, Seen, Thresholds};
use crate::auth::Caller;
use crate::http::damage::{self, Stretch};
use crate::http::extract::ReadAt;
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::time_travel::{Target, read_span};
use crate::http::visible::Sight;
use crate::past::stream_request;
use crate::rfc3339;

/// Events that one answer looks at.
const EVENTS_MAX: u64 = 200_000;
/// The span that is looked at where none is given, in microseconds: a day.
const SPAN_DEFAULT: i64 = 86_400 * 1_000_000;

/// What looks odd.
///
/// Bursts of changes, versions that cannot be read, writes outside working hours, clocks that jumped, many aggregates changed
/// at once, reports from far in the past; each with the events that it rests upon. Without an aggregate: of what was recorded
/// within the span, a day if none is given.
#[utoipa::path(
    get,
    path = "/api/v1/audit/anomalies",
    tag = "audit",
    operation_id = "audit_anomalies",
    params(
        ("aggregate_type" = Option<String>, Query, description = "Only aggregates of this type"),
        ("aggregate_id" = Option<String>, Query, description = "Only this aggregate"),
        ("from" = Option<String>, Query, description = "Only what was recorded at or after this time. Also as `start_time`"),
        ("to" = Option<String>, Query, description = "Only what was recorded at or before this time; now if absent. Also as `end_time`"),
        ("start_time" = Option<String>, Query, deprecated, description = "Older spelling of `from`"),
        ("end_time" = Option<String>, Query, deprecated, description = "Older spelling of `to`"),
        ("type" = Option<String>, Query, description = "Only findings of this kind: `rapid_changes`, `missing_versions`, `out_of_hours`, `clock_jump`, `mass_change`, `backdated`"),
        ("burst_events" = Option<u32>, Query, description = "Events less than a second apart that make a burst, default 10, of one aggregate 2"),
        ("mass_aggregates" = Option<u32>, Query, description = "Aggregates that one person changes within a minute, default 50"),
        ("backdated_days" = Option<u32>, Query, description = "How many days back somebody may report, default 7"),
        ("work_from" = Option<u32>, Query, description = "The hour at which work begins, 0 to 23, default 5"),
        ("work_to" = Option<u32>, Query, description = "The hour at which work ends, 1 to 24, default 23"),
        ("utc_offset_minutes" = Option<i32>, Query, description = "The depot's clock less UTC, -840 to 840, default 0"),
        ("cursor" = Option<u64>, Query, description = "Where the answer before stopped looking: its `next_cursor`"),
        ("min_position" = Option<u64>, Query, description = "Wait until the log has this position"),
    ),
    responses((status = 200, description = "The findings", body = docs::Anomalies)),
)]
pub(crate) async fn anomalies(
    State(state): State<AppState>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let mut query = Query::parse(query.as_deref());
    let kind = query.one_of("type", KINDS).map(|index| KINDS[index]);
    let aggregate_id = query.text("aggregate_id");
    let aggregate_type = query.text("aggregate_type");
    let thresholds = read_thresholds(&mut query, aggregate_id.is_some());
    let (mut from, mut to) = read_span(&mut query, ("from", "to"));
    if from.is_none() && to.is_none() {
        (from, to) = read_span(&mut query, ("start_time", "end_time"));
    }
    let cursor = query.position("cursor");
    ReadAt::await_log(query, &state).await?;
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let now = state.clock.now();
        let mut request = match &aggregate_id {
            Some(id) => {
                let target = Target::find_by_id(state, sight, aggregate_type.clone(), id)?;
                stream_request(&target.name)
            }
            None => {
                from = from.or_else(|| Some(to.unwrap_or(now).plus_micros(-SPAN_DEFAULT)));
                let types = aggregate_type.iter().map(String::as_str);
                ReadRequest {
                    query: storage::QueryItem {
                        aggregate_types: types.map(Into::into).collect(),
                        ..storage::QueryItem::default()
                    }
                    .into(),
                    ..ReadRequest::default()
                }
            }
        };
        request.recorded = recorded(from, to);
        if let Some(cursor) = cursor {
            request.from = cursor.next();
        }
        let looked = look(state, sight, request, thresholds)?;
        let found: Vec<Value> = looked
            .found
            .iter()
            .filter(|anomaly| kind.is_none_or(|kind| kind == anomaly.kind))
            .map(Anomaly::to_json)
            .collect();
        *damaged = looked.damaged;
        Ok(json!({
            "aggregate_type": aggregate_type,
            "aggregate_id": aggregate_id,
            "start_time": from.map(rfc3339::to_string),
            "end_time": to.map(rfc3339::to_string),
            "events_looked_at": looked.events,
            "count": found.len(),
            "more_findings": looked.beyond,
            "anomalies": found,
            "next_cursor": looked.next.map(|position| position.to_string()),
        }))
    })
    .await
}

fn read_thresholds(query: &mut Query<'_>, of_one: bool) -> Thresholds {
    let default = Thresholds::default();
    let small = |number: Option<u64>| number.and_then(|number| u32::try_from(number).ok());
    let hour = |number: Option<u64>| number.and_then(|number| u8::try_from(number).ok());
    let offset = query.text("utc_offset_minutes").map(|text| {
        let offset = text.parse::<i32>().ok();
        let offset = offset.filter(|offset| (-840..=840).contains(offset));
        if offset.is_none() {
            let msg = "must be a whole number from -840 to 840";
            query.fault("utc_offset_minutes", "int_parsing", msg);
        }
        offset.unwrap_or(0)
    });
    Thresholds {
        burst_events_min: small(query.number("burst_events", 2..=100_000)).unwrap_or(if of_one {
            2
        } else {
            default.burst_events_min
        }),
        mass_aggregates_min: small(query.number("mass_aggregates", 2..=100_000))
            .map_or(default.mass_aggregates_min, |number| number as usize),
        backdated_days_min: small(query.number("backdated_days", 0..=36_500))
            .unwrap_or(default.backdated_days_min),
        work_from: hour(query.number("work_from", 0..=23)).unwrap_or(default.work_from),
        work_to: hour(query.number("work_to", 1..=24)).unwrap_or(default.work_to),
        utc_offset_minutes: offset.unwrap_or(default.utc_offset_minutes),
    }
}

/// The range of recording times between two bounds; `None`: all.
pub(in crate::http) fn recorded(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Option<TimeRange> {
    (from.is_some() || to.is_some()).then(|| TimeRange {
        from: from.unwrap_or(Timestamp::MIN),
        to: to.unwrap_or(Timestamp::MAX),
    })
}

/// What came of a look.
#[derive(Debug)]
pub(in crate::http) struct Looked {
    pub(in crate::http) found: Vec<Anomaly>,
    /// Findings that were left out.
    pub(in crate::http) beyond: u64,
    pub(in crate::http) events: u64,
    /// What could not be read and may belong among the events.
    pub(in crate::http) damaged: Vec<Stretch>,
    /// Where the look ended early.
    pub(in crate::http) next: Option<Position>,
}

/// Whether a read gives every version of a stream between the first and the last that it gives. One that is narrowed by when things
/// happened passes over what was told late or early.
fn gives_every_version(request: &ReadRequest) -> bool {
    let narrows = |item: &storage::QueryItem| !item.event_types.is_empty() || !item.tags.is_empty();
    request.occurred.is_none() && !request.query.items.iter().any(narrows)
}

/// Looks at the events of `request`, at most [`EVENTS_MAX`].
pub(in crate::http) fn look(
    state: &AppState,
    sight: Sight,
    request: ReadRequest,
    thresholds: Thresholds,
) -> Result<Looked, Problem> {
    let mut detector = match gives_every_version(&request) {
        true => Detector::new(thresholds),
        false => Detector::of_thinned(thresholds),
    };
    let (mut events, mut last, mut next) = (0, None, None);
    let mut damaged = Vec::new();
    let mut reader = state.log.read(&request)?;
    while let Some(event) = reader.next() {
        match event {
            Ok(event) if !sight.covers(event.stream().aggregate_type) => {}
            Ok(_) if events == EVENTS_MAX => {
                next = last;
                break;
            }
            Ok(event) => {
                detector.see(&Seen::of(&event));
                events += 1;
                last = Some(event.position());
            }
            Err(ReadError::Damaged { first, last, .. }) => damaged.push((first, last)),
            Err(error) => return Err(error.into()),
        }
    }
    let (found, beyond) = detector.finish(state.clock.now());
    Ok(Looked {
        found,
        beyond,
        events,
        damaged,
        next,
    })
}

/// Anomalies of one aggregate as the old system gave them: by when things happened, two events make a burst. What could not be
/// read and may belong to the aggregate is added to `damaged`.
pub(in crate::http) fn anomalies_of(
    state: &AppState,
    sight: Sight,
    target: &Target,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    damaged: &mut Vec<Stretch>,
) -> Result<Vec<Value>, Problem> {
    let request = ReadRequest {
        occurred: recorded(from, to),
        ..stream_request(&target.name)
    };
    let thresholds = Thresholds {
        burst_events_min: 2,
        ..Thresholds::default()
    };
    let looked = look(state, sight, request, thresholds)?;
    damaged.extend(looked.damaged);
    Ok(looked.found.iter().map(Anomaly::to_json).collect())
}

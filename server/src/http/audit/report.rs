//! The audit report of an aggregate: what was done in a span of time, counted, and what an auditor would ask about.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::{ReadError, ReadRequest, StreamName, Timestamp};
use utoipa::ToSchema;

use super::anomalies::{Looked, look, recorded as range};
use super::docs;
use super::entries::write_entry;
use super::related::related;
use crate::app::AppState;
use crate::audit::anomaly::{Anomaly, Thresholds};
use crate::auth::Caller;
use crate::envelope;
use crate::field_error::FieldError;
use crate::http::auth::small_json;
use crate::http::damage::{self, Stretch};
use crate::http::problem::Problem;
use crate::http::time_travel::Target;
use crate::http::visible::Sight;
use crate::http::weight::Weight;
use crate::rfc3339;

/// Entries of one report; beyond, it says that it is not whole.
const ENTRIES_MAX: u64 = 10_000;
/// Events beyond which the old system's report remarks on their number.
const MANY_EVENTS: u64 = 100;

/// Which aggregate, and which span of time.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ReportAsked {
    /// The aggregate's type.
    aggregate_type: String,
    /// The aggregate's id.
    aggregate_id: String,
    /// From this time, by when things happened.
    start_time: String,
    /// To this time, itself included.
    end_time: String,
    /// Also the aggregates that belong to it.
    #[serde(default)]
    related: bool,
}

/// What was counted in the entries of a report.
#[derive(Debug, Default)]
struct Counted {
    total: u64,
    unattributed: u64,
    users: BTreeSet<String>,
    types: BTreeMap<String, u64>,
    by_user: BTreeMap<String, u64>,
    by_aggregate_type: BTreeMap<String, u64>,
    days: BTreeMap<String, u64>,
    damaged: Vec<Stretch>,
}

/// An audit report.
///
/// Every event of the span with who caused it, counts by type and person, and findings: many events, events without a person,
/// what looks odd.
#[utoipa::path(
    post,
    path = "/api/v1/audit/report",
    tag = "audit",
    operation_id = "audit_report",
    request_body = ReportAsked,
    responses((status = 200, description = "The report", body = docs::Report)),
)]
pub(crate) async fn report(
    State(state): State<AppState>,
    caller: Caller,
    request: Request,
) -> Result<Response<Body>, Problem> {
    let asked: ReportAsked = small_json(&state, request).await?;
    let (from, to) = read_span(&asked)?;
    let sight = Sight::of(&caller);
    damage::answer(&state, move |state, damaged| {
        let name = StreamName::new(asked.aggregate_type, asked.aggregate_id);
        let target = Target::find(state, sight, name)?;
        let mut streams = vec![target.name.clone()];
        let mut belonging = None;
        if asked.related {
            let found = related(state, &target.name);
            streams.extend(found.streams.iter().cloned());
            belonging = Some(found);
        }
        let request = ReadRequest {
            query: storage::QueryItem {
                streams,
                ..storage::QueryItem::default()
            }
            .into(),
            occurred: range(Some(from), Some(to)),
            ..ReadRequest::default()
        };
        let (entries, counted, truncated) = entries(state, sight, &request)?;
        let looked = look(state, sight, request, Thresholds::default())?;
        let body = json!({
            "aggregate_type": &*target.name.aggregate_type,
            "aggregate_id": &*target.name.aggregate_id,
            "start_time": rfc3339::to_string(from),
            "end_time": rfc3339::to_string(to),
            "entries": entries,
            "statistics": counted.statistics(from, to),
            "findings": counted.findings(&looked),
            "anomalies": looked.found.iter().map(Anomaly::to_json).collect::<Vec<_>>(),
            "related": belonging.as_ref().map(|found| &found.counts),
            "truncated": truncated || belonging.is_some_and(|found| found.truncated),
        });
        *damaged = counted.damaged;
        Ok(body)
    })
    .await
}

fn read_span(asked: &ReportAsked) -> Result<(Timestamp, Timestamp), Problem> {
    let mut faults = Vec::new();
    let mut time = |name: &'static str, text: &str| match rfc3339::parse(text) {
        Ok(time) => Some(time),
        Err(error) => {
            faults.push(FieldError::body(
                name,
                "datetime_parsing",
                error.to_string(),
            ));
            None
        }
    };
    let span = (
        time("start_time", &asked.start_time),
        time("end_time", &asked.end_time),
    );
    match span {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        (Some(_), Some(_)) => Err(Problem::invalid(vec![FieldError::body(
            "end_time",
            "time_order",
            "must not be before `start_time`",
        )])),
        _ => Err(Problem::invalid(faults)),
    }
}

/// The entries of a request, what is counted in them, and whether there are more.
fn entries(
    state: &AppState,
    sight: Sight,
    request: &ReadRequest,
) -> Result<(Vec<Value>, Counted, bool), Problem> {
    let (mut entries, mut counted) = (Vec::new(), Counted::default());
    let (mut text, mut weight) = (Vec::new(), Weight::default());
    let mut reader = state.log.read(request)?;
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            Err(ReadError::Damaged { first, last, .. }) => {
                counted.damaged.push((first, last));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let stream = event.stream();
        if !sight.covers(stream.aggregate_type) {
            continue;
        }
        if counted.total == ENTRIES_MAX || weight.is_full() {
            return Ok((entries, counted, true));
        }
        counted.total += 1;
        *counted
            .types
            .entry(event.event_type().to_owned())
            .or_default() += 1;
        *counted
            .by_aggregate_type
            .entry(stream.aggregate_type.to_string())
            .or_default() += 1;
        let day = rfc3339::to_string(event.occurred_at());
        *counted.days.entry(day[..10].to_owned()).or_default() += 1;
        match envelope::user_id(event.tags()) {
            Some(user) => {
                counted.users.insert(user.to_owned());
                *counted.by_user.entry(user.to_owned()).or_default() += 1;
            }
            None => counted.unattributed += 1,
        }
        text.clear();
        write_entry(sight, &event, &mut text);
        text.push(b'}');
        let entry = serde_json::from_slice(&text).unwrap_or_default();
        weight.add(&entry);
        entries.push(entry);
    }
    Ok((entries, counted, false))
}

impl Counted {
    fn statistics(&self, from: Timestamp, to: Timestamp) -> Value {
        if self.total == 0 {
            return json!({"total_events": 0, "unique_users": 0, "event_types": {}});
        }
        let micros = to.micros().saturating_sub(from.micros()).unsigned_abs();
        let hours = std::time::Duration::from_micros(micros).as_secs_f64() / 3_600.0;
        json!({
            "total_events": self.total,
            "unique_users": self.users.len(),
            "event_types": self.types,
            "time_span_hours": hours,
            "events_by_user": self.by_user,
            "events_by_aggregate_type": self.by_aggregate_type,
            "events_by_day": self.days,
            "unattributed_events": self.unattributed,
        })
    }

    /// The old system's sentences, and one for each thing that looks odd.
    fn findings(&self, looked: &Looked) -> Vec<String> {
        let mut findings = Vec::new();
        if self.total > MANY_EVENTS {
            findings.push(format!("High number of events: {} in the span", self.total));
        }
        if self.unattributed > 0 {
            findings.push(format!(
                "Found {} events without user attribution",
                self.unattributed
            ));
        }
        for (first, last) in &self.damaged {
            findings.push(format!(
                "The events at positions {first} to {last} are damaged and cannot be read"
            ));
        }
        findings.extend(looked.found.iter().map(|anomaly| {
            let at = rfc3339::to_string(anomaly.at);
            match anomaly.kind {
                "rapid_changes" => format!(
                    "Very rapid changes detected at {at}: {}",
                    anomaly.description
                ),
                _ => format!("{} at {at}: {}", anomaly.kind, anomaly.description),
            }
        }));
        findings
    }
}

//! People: what the log holds of them that can be read, and whether they were erased when they asked.

use std::collections::BTreeMap;

use fleet::erasure;
use serde_json::{Map, Value, json};
use storage::{EventRef, Query, ReadError, ReadRequest, TimeRange, Timestamp};

use super::{EVENTS_MAX, MICROS_PER_DAY, Survey, days_between, each, each_of, line_of};
use crate::app::AppState;
use crate::compliance::RETENTION_DAYS;
use crate::privacy::Subject;
use crate::privacy::subject::{METADATA_FIELDS, personal_fields};
use crate::rfc3339;

/// Somebody who asked to be erased and is not.
#[derive(Clone, Debug)]
pub struct OpenRequest {
    /// Who.
    pub subject: String,
    /// The event that says so.
    pub position: u64,
    /// For how long.
    pub days: i64,
}

impl Survey {
    pub(super) fn see_personal(&mut self, event: &EventRef<'_>) {
        let sealed = event.tags().any(|tag| Subject::of_tag(tag).is_some());
        if sealed {
            self.personal_events += 1;
        } else if let Some(field) = plain_field(event) {
            self.personal_events += 1;
            self.plain_personal.add(|| {
                let mut line = line_of(event);
                line["field"] = json!(field);
                line
            });
        }
    }

    pub(super) fn look_at_people(&mut self, state: &AppState) -> Result<(), ReadError> {
        let store = state.privacy.store();
        let now = state.clock.now();
        self.people = store.people_count();
        self.erased = store.erased().len() as u64;
        self.lost_subjects = store
            .lost()
            .iter()
            .map(|(subject, _)| subject.to_string())
            .collect();
        let mut open: BTreeMap<String, OpenRequest> = BTreeMap::new();
        each(
            state,
            Query::aggregate_types([erasure::AGGREGATE_TYPE]),
            |event| {
                let subject = event.stream().aggregate_id.to_string();
                if event.event_type() == erasure::event::SUBJECT_ERASED {
                    open.remove(&subject);
                    return true;
                }
                let data: Map<String, Value> =
                    serde_json::from_slice(event.data()).unwrap_or_default();
                let asked = data.get("requested_at").and_then(Value::as_str);
                let asked = asked
                    .and_then(|text| rfc3339::parse(text).ok())
                    .unwrap_or(event.recorded_at());
                open.entry(subject.clone()).or_insert(OpenRequest {
                    subject,
                    position: event.position().get(),
                    days: days_between(asked, now),
                });
                true
            },
        )?;
        self.open_requests = open.into_values().collect();
        self.look_at_old_personal_data(state)
    }

    /// Of all aggregates: who wrote an event, and from where, stands in its metadata.
    fn look_at_old_personal_data(&mut self, state: &AppState) -> Result<(), ReadError> {
        let now = state.clock.now();
        let kept = RETENTION_DAYS * MICROS_PER_DAY;
        let request = ReadRequest {
            occurred: Some(TimeRange {
                from: Timestamp::MIN,
                to: Timestamp::from_micros(now.micros().saturating_sub(kept)),
            }),
            ..ReadRequest::default()
        };
        let mut looked = 0_u64;
        each_of(state, &request, |event| {
            looked += 1;
            if let Some(field) = plain_field(event) {
                self.overdue_personal.add(|| {
                    let mut line = line_of(event);
                    line["field"] = json!(field);
                    line["days"] = json!(days_between(event.occurred_at(), now));
                    line
                });
            }
            looked < EVENTS_MAX
        })
    }
}

/// A personal field of the event that can be read, as it lies in the log or opened.
fn plain_field(event: &EventRef<'_>) -> Option<String> {
    let readable = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !["", "[erased]", "[key lost]"].contains(&text.as_str()),
        _ => true,
    };
    let found = |text: &[u8], fields: &[&str]| {
        let data: Map<String, Value> = serde_json::from_slice(text).ok()?;
        let field = fields
            .iter()
            .find(|field| data.get(**field).is_some_and(readable))?;
        Some((*field).to_owned())
    };
    personal_fields(event.stream().aggregate_type, event.event_type())
        .and_then(|fields| found(event.data(), fields))
        .or_else(|| {
            let has_any = event.metadata().len() > 2;
            has_any
                .then(|| found(event.metadata(), METADATA_FIELDS))
                .flatten()
        })
}

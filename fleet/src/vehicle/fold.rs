//! A vehicle folded from its events.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::event;
use super::services::Services;
use crate::calendar;
use crate::event::{EventView, Stamp};
use crate::folded::{Detail, Folded};
use crate::schema::check::integer;

/// Most fault groups counted apart; further ones are counted together under [`OTHER_GROUPS`].
pub const GROUPS_MAX: usize = 64;
/// The name under which groups beyond [`GROUPS_MAX`] are counted.
pub const OTHER_GROUPS: &str = "(other)";

/// The events that are counted.
const REPORTS: &[&str] = &[
    event::VEHICLE_INCIDENT_REPORTED,
    event::VEHICLE_BREAKDOWN_REPORTED,
    event::MAINTENANCE_COMPLETED,
    event::VEHICLE_MAINTENANCE_REOPENED,
    event::VEHICLE_MAINTENANCE_SCHEDULED,
];

/// A vehicle as of the events folded, in whatever order they were.
pub type VehicleState = Folded;

/// What befell a vehicle, counted over all its lives: the steel is the same under a new record.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Occurrences {
    /// Incidents reported.
    pub incidents: u64,
    /// Those among them in which the equipment failed.
    pub failures: u64,
    /// Minutes of delay in all incidents.
    pub delay_min: i64,
    /// Incidents by the part at fault, where it was named.
    pub by_group: BTreeMap<String, u64>,
    /// Breakdowns reported.
    pub breakdowns: u64,
    /// When the latest incident occurred, microseconds since 1970 UTC.
    pub last_incident_at: Option<i64>,
    /// When the latest failure or breakdown occurred, microseconds since 1970 UTC.
    pub last_failure_at: Option<i64>,
    /// Maintenance done.
    services: Services,
    /// The maintenance planned last.
    scheduled: Option<Maintenance>,
}

/// Maintenance that was planned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Maintenance {
    stamp: Stamp,
    /// What kind, in the planner's word.
    pub maintenance_type: Option<String>,
    /// When it shall be, as it was given.
    pub scheduled_date: Option<String>,
    /// How urgent, in the planner's word.
    pub priority: Option<String>,
}

/// The status; `None` where no event told one.
pub fn status(state: &Folded) -> Option<&str> {
    state.text("status")
}

/// The odometer's reading in kilometres; `None` where no event told one.
pub fn mileage_km(state: &Folded) -> Option<i64> {
    state.integer(super::schema::MILEAGE_KEY)
}

/// What befell the vehicle.
pub fn occurrences(state: &Folded) -> Cow<'_, Occurrences> {
    match &state.detail {
        Detail::Vehicle(occurrences) => Cow::Borrowed(occurrences),
        Detail::None => Cow::Owned(Occurrences::default()),
    }
}

impl Occurrences {
    /// The maintenance planned last, unless some was done since.
    pub fn next_maintenance(&self) -> Option<&Maintenance> {
        let done = self.services.last_told();
        let scheduled = self.scheduled.as_ref();
        scheduled.filter(|scheduled| done.is_none_or(|done| done < scheduled.stamp))
    }

    /// The latest day on which maintenance was done, microseconds since 1970 UTC.
    pub fn last_service_at(&self) -> Option<i64> {
        self.services.last_day()
    }

    /// Whether this order or task counts as done, and can be taken back: the newest few can.
    pub(super) fn is_done_under(&self, name: &str) -> bool {
        self.services.is_done(name)
    }

    fn plan(&mut self, maintenance: Maintenance) {
        if self
            .scheduled
            .as_ref()
            .is_none_or(|held| held.stamp < maintenance.stamp)
        {
            self.scheduled = Some(maintenance);
        }
    }
}

/// Counts what the event reports: the step behind the table-driven fold.
pub(super) fn count(state: &mut Folded, event: &EventView<'_>, data: &Map<String, Value>) {
    if !REPORTS.contains(&event.canonical_type()) {
        return;
    }
    if !matches!(state.detail, Detail::Vehicle(_)) {
        state.detail = Detail::Vehicle(Box::default());
    }
    let Detail::Vehicle(occurrences) = &mut state.detail else {
        return;
    };
    match event.canonical_type() {
        event::VEHICLE_INCIDENT_REPORTED => count_incident(occurrences, event.occurred_at, data),
        event::VEHICLE_BREAKDOWN_REPORTED => {
            occurrences.breakdowns += 1;
            latest(&mut occurrences.last_failure_at, event.occurred_at);
        }
        event::MAINTENANCE_COMPLETED => {
            let date = text(data, "date").and_then(calendar::parse_time);
            let day = date.unwrap_or(event.occurred_at);
            let services = &mut occurrences.services;
            services.done(done_under(data), day, event.stamp());
        }
        event::VEHICLE_MAINTENANCE_REOPENED => {
            if let Some(name) = done_under(data) {
                occurrences.services.reopened(name, event.stamp());
            }
        }
        event::VEHICLE_MAINTENANCE_SCHEDULED => occurrences.plan(planned(event.stamp(), data)),
        _ => {}
    }
}

fn count_incident(occurrences: &mut Occurrences, occurred_at: i64, data: &Map<String, Value>) {
    let delay_min = data.get("delay_min").and_then(integer).unwrap_or(0).max(0);
    occurrences.incidents += 1;
    occurrences.delay_min = occurrences.delay_min.saturating_add(delay_min);
    latest(&mut occurrences.last_incident_at, occurred_at);
    if data.get("is_failure") == Some(&Value::Bool(true)) {
        occurrences.failures += 1;
        latest(&mut occurrences.last_failure_at, occurred_at);
    }
    if let Some(group) = data
        .get("fault_group")
        .and_then(Value::as_str)
        .filter(|group| !group.is_empty())
    {
        let has_room =
            occurrences.by_group.len() < GROUPS_MAX || occurrences.by_group.contains_key(group);
        let name = if has_room { group } else { OTHER_GROUPS };
        *occurrences.by_group.entry(name.to_owned()).or_default() += 1;
    }
}

fn planned(stamp: Stamp, data: &Map<String, Value>) -> Maintenance {
    let text = |field| text(data, field).map(str::to_owned);
    Maintenance {
        stamp,
        maintenance_type: text("maintenance_type"),
        scheduled_date: text("scheduled_date"),
        priority: text("priority"),
    }
}

/// What maintenance was done under, or is open again.
fn done_under(data: &Map<String, Value>) -> Option<&str> {
    let mut names = ["work_order_id", "maintenance_task_id"].into_iter();
    names.find_map(|field| text(data, field).filter(|name| !name.is_empty()))
}

fn text<'a>(data: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    data.get(field).and_then(Value::as_str)
}

fn latest(held: &mut Option<i64>, moment: i64) {
    *held = (*held).max(Some(moment));
}

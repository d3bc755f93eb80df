//! What looks odd in a trail, with the evidence: pure detectors that are fed events in the order of the log.
//!
//! A finding is a reason to look, not a verdict. Each names the events it rests upon, so that whoever looks can open and
//! prove them. Memory is bounded: what is watched per stream, per person and per device is forgotten, the least recent
//! first, beyond [`WATCHED_MAX`].

mod watch;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use storage::{EventRef, Timestamp};

use crate::{envelope, rfc3339};
pub use watch::Detector;

/// Streams, persons and devices that are watched at a time, each.
const WATCHED_MAX: usize = 20_000;
/// Events that a finding names.
const EVIDENCE_MAX: usize = 10;

/// How severe a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a question.
    Medium,
    /// Worth an answer today.
    High,
    /// Stop and look.
    Critical,
}

impl Severity {
    /// All, the mildest first.
    pub const ALL: [Severity; 4] = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// The kinds of findings, as they are named in answers.
pub const KINDS: &[&str] = &[
    "rapid_changes",
    "missing_versions",
    "out_of_hours",
    "clock_jump",
    "mass_change",
    "backdated",
];

/// Where the detectors draw their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Events of one stream, each less than a second behind the one before, that make a burst.
    pub burst_events_min: u32,
    /// Different aggregates that one person changes within a minute of the log's time for it to be a mass change.
    pub mass_aggregates_min: usize,
    /// How far in the past a device or person may report, in days.
    pub backdated_days_min: u32,
    /// The first hour of the working day, 0 to 23, by the depot's clock.
    pub work_from: u8,
    /// The hour at which it ends, 1 to 24. Equal to or below `work_from`: it ends on the next day.
    pub work_to: u8,
    /// The depot's clock less UTC, in minutes.
    pub utc_offset_minutes: i32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            burst_events_min: 10,
            mass_aggregates_min: 50,
            backdated_days_min: 7,
            work_from: 5,
            work_to: 23,
            utc_offset_minutes: 0,
        }
    }
}

/// An event as the detectors see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: uuid::Uuid,
    /// Its place in the log.
    pub position: u64,
    /// Its stream, `Vehicle/5110`.
    pub stream: Box<str>,
    /// Its place in its stream.
    pub version: u32,
    /// Its type.
    pub event_type: Box<str>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who caused it.
    pub user_id: Option<Box<str>>,
    /// The device that reported it.
    pub device_id: Option<Box<str>>,
    /// Whether it was brought in from elsewhere: imports and learning are not measured by the clock.
    pub brought_in: bool,
}

impl Seen {
    /// An event of the log.
    pub fn of(event: &EventRef<'_>) -> Self {
        let metadata: Value = match event.metadata() {
            b"" => Value::Null,
            text => serde_json::from_slice(text).unwrap_or_default(),
        };
        Seen {
            id: event.id(),
            position: event.position().get(),
            stream: event.stream().to_string().into(),
            version: event.version().get(),
            event_type: event.event_type().into(),
            occurred_at: event.occurred_at(),
            recorded_at: event.recorded_at(),
            user_id: envelope::user_id(event.tags()).map(Into::into),
            device_id: metadata["device_id"].as_str().map(Into::into),
            brought_in: envelope::is_brought_in(event),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "position": self.position,
            "event_id": self.id.to_string(),
            "stream": self.stream,
            "version": self.version,
            "event_type": self.event_type,
            "occurred_at": rfc3339::to_string(self.occurred_at),
            "recorded_at": rfc3339::to_string(self.recorded_at),
            "user_id": self.user_id,
            "device_id": self.device_id,
        })
    }
}

/// Something odd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anomaly {
    /// One of [`KINDS`].
    pub kind: &'static str,
    /// How severe.
    pub severity: Severity,
    /// What was seen, in a sentence.
    pub description: String,
    /// When the last of it happened.
    pub at: Timestamp,
    /// How many events it is about.
    pub count: u64,
    /// The first and the last of them, and some in between.
    pub evidence: Vec<Seen>,
    /// Versions that were expected and are not there.
    pub expected_versions: Vec<u32>,
}

impl Anomaly {
    /// As JSON: `event_1` and `event_2` are the first and the last event, as the old system named them.
    pub fn to_json(&self) -> Value {
        let side = |seen: Option<&Seen>| {
            seen.map(|seen| json!({"event_id": seen.id.to_string(), "event_type": seen.event_type, "version": seen.version}))
        };
        let mut body = json!({
            "type": self.kind,
            "severity": self.severity.name(),
            "description": self.description,
            "timestamp": rfc3339::to_string(self.at),
            "count": self.count,
            "event_1": side(self.evidence.first()),
            "event_2": side(self.evidence.last()),
            "evidence": self.evidence.iter().map(Seen::to_json).collect::<Vec<_>>(),
        });
        if !self.expected_versions.is_empty() {
            body["expected_versions"] = json!(self.expected_versions);
        }
        body
    }
}

/// The events that a finding rests upon: the first ones, and always the last.
#[derive(Clone, Debug, Default)]
struct Evidence {
    events: Vec<Seen>,
    count: u64,
}

impl Evidence {
    fn add(&mut self, seen: &Seen) {
        self.count += 1;
        if self.events.len() == EVIDENCE_MAX {
            self.events.pop();
        }
        self.events.push(seen.clone());
    }

    fn last_at(&self) -> Timestamp {
        self.events
            .last()
            .map_or(Timestamp::MIN, |seen| seen.occurred_at)
    }

    fn into_anomaly(self, kind: &'static str, severity: Severity, description: String) -> Anomaly {
        Anomaly {
            kind,
            severity,
            description,
            at: self.last_at(),
            count: self.count,
            evidence: self.events,
            expected_versions: Vec::new(),
        }
    }
}

/// A map that forgets what was not touched for longest.
#[derive(Debug)]
struct Recent<V> {
    entries: BTreeMap<Box<str>, (u64, V)>,
    clock: u64,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Recent {
            entries: BTreeMap::new(),
            clock: 0,
        }
    }
}

impl<V: Default> Recent<V> {
    /// The value of `key`, and those that had to make room for it.
    fn touch(&mut self, key: &str) -> (&mut V, Vec<V>) {
        self.clock += 1;
        let mut forgotten = Vec::new();
        if self.entries.len() >= WATCHED_MAX && !self.entries.contains_key(key) {
            let mut ages: Vec<u64> = self.entries.values().map(|(used, _)| *used).collect();
            let (_, middle, _) = ages.select_nth_unstable(WATCHED_MAX / 2);
            let middle = *middle;
            let old: Vec<Box<str>> = self
                .entries
                .iter()
                .filter(|(_, (used, _))| *used <= middle)
                .map(|(key, _)| key.clone())
                .collect();
            forgotten.extend(
                old.iter()
                    .filter_map(|key| self.entries.remove(key))
                    .map(|(_, value)| value),
            );
        }
        let entry = self.entries.entry(key.into()).or_default();
        entry.0 = self.clock;
        (&mut entry.1, forgotten)
    }

    fn take_all(&mut self) -> Vec<V> {
        std::mem::take(&mut self.entries)
            .into_values()
            .map(|(_, value)| value)
            .collect()
    }
}

#[cfg(test)]
mod tests;

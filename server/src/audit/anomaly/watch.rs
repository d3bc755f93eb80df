//! The detectors themselves, one method each.

use std::collections::BTreeSet;

use fleet::calendar::{DAY, HOUR, SECOND};
use storage::Timestamp;

use super::{Anomaly, Evidence, Recent, Seen, Severity, Thresholds};

/// How far ahead of the server's clock an event may claim to have happened.
const AHEAD_MAX: i64 = 60 * SECOND;
/// How far back a device's own times may step.
const BACK_MAX: i64 = 60 * SECOND;
/// Within which time of the log many aggregates make a mass change.
const MASS_SPAN: i64 = 60 * SECOND;
/// Findings that are kept; the rest is counted.
const FOUND_MAX: usize = 1_000;

/// Finds what looks odd in events that come in the order of the log.
#[derive(Debug)]
pub struct Detector {
    thresholds: Thresholds,
    /// Whether all versions of a stream are seen between its first and its last one: then one that is not there was lost.
    versions_are_dense: bool,
    found: Vec<Anomaly>,
    beyond: u64,
    streams: Recent<StreamWatch>,
    people: Recent<PersonWatch>,
    devices: Recent<DeviceWatch>,
    backdaters: Recent<Late>,
    last_recorded: Option<Seen>,
}

#[derive(Debug, Default)]
struct StreamWatch {
    last: Option<(u32, Timestamp)>,
    burst: Evidence,
}

#[derive(Debug, Default)]
struct PersonWatch {
    /// Events outside working hours of one night.
    night: Evidence,
    /// Which night: days since 1970 by the depot's clock.
    night_of: i64,
    /// Where the present minute began.
    minute_from: Option<Timestamp>,
    streams: BTreeSet<Box<str>>,
    minute: Evidence,
}

#[derive(Debug, Default)]
struct DeviceWatch {
    last: Option<Seen>,
}

#[derive(Debug, Default)]
struct Late {
    who: String,
    events: Evidence,
    furthest: i64,
}

impl Detector {
    /// A detector with these lines, for streams of which every version is given that can be read.
    pub fn new(thresholds: Thresholds) -> Self {
        Detector {
            thresholds,
            versions_are_dense: true,
            found: Vec::new(),
            beyond: 0,
            streams: Recent::default(),
            people: Recent::default(),
            devices: Recent::default(),
            backdaters: Recent::default(),
            last_recorded: None,
        }
    }

    /// The same for streams of which only some events are given, as by when they happened: that a version is not among them says
    /// nothing about it.
    pub fn of_thinned(thresholds: Thresholds) -> Self {
        Detector {
            versions_are_dense: false,
            ..Detector::new(thresholds)
        }
    }

    /// Takes in the next event.
    pub fn see(&mut self, seen: &Seen) {
        self.see_stream(seen);
        self.see_clock(seen);
        if !seen.brought_in {
            self.see_person(seen);
            self.see_late(seen);
        }
        self.last_recorded = Some(seen.clone());
    }

    /// What was found, in the order in which it ended, and how much more there was. `now` is the clock's time: a log
    /// that is ahead of it was written while the clock was wrong.
    pub fn finish(mut self, now: Timestamp) -> (Vec<Anomaly>, u64) {
        for watch in self.streams.take_all() {
            self.end_burst(watch.burst);
        }
        for watch in self.people.take_all() {
            self.end_night(watch.night);
            self.end_minute(watch.streams.len(), watch.minute);
        }
        for late in self.backdaters.take_all() {
            self.end_late(late);
        }
        if let Some(last) = self.last_recorded.take()
            && last.recorded_at.micros() - now.micros() > AHEAD_MAX
        {
            let mut evidence = Evidence::default();
            evidence.add(&last);
            let text = "the last event was recorded after the present time: the server's clock was ahead, or has been set back since";
            self.report(evidence.into_anomaly("clock_jump", Severity::High, text.to_owned()));
        }
        self.found.sort_by_key(|anomaly| anomaly.at);
        (self.found, self.beyond)
    }

    /// How many streams, persons and devices are held.
    #[cfg(test)]
    pub(super) fn watched(&self) -> usize {
        self.streams.entries.len() + self.people.entries.len() + self.devices.entries.len()
    }

    fn report(&mut self, anomaly: Anomaly) {
        if self.found.len() < FOUND_MAX {
            self.found.push(anomaly);
        } else {
            self.beyond += 1;
        }
    }

    /// Versions that are not there, and events that follow each other within a second.
    fn see_stream(&mut self, seen: &Seen) {
        let dense = self.versions_are_dense;
        let (watch, forgotten) = self.streams.touch(&seen.stream);
        let last = watch.last.replace((seen.version, seen.occurred_at));
        let mut ended = Evidence::default();
        let mut gap = None;
        if let Some((version, at)) = last {
            if dense && seen.version > version.saturating_add(1) {
                gap = Some((version + 1, seen.version - 1));
            }
            let apart = seen.occurred_at.micros().saturating_sub(at.micros());
            if apart.abs() >= SECOND {
                ended = std::mem::take(&mut watch.burst);
            }
        }
        watch.burst.add(seen);
        self.end_burst(ended);
        for watch in forgotten {
            self.end_burst(watch.burst);
        }
        if let Some((first, last)) = gap {
            let mut evidence = Evidence::default();
            evidence.add(seen);
            let text = format!(
                "{}: version {} follows version {}; versions {first} to {last} cannot be read",
                seen.stream,
                seen.version,
                first - 1
            );
            let mut anomaly = evidence.into_anomaly("missing_versions", Severity::Critical, text);
            anomaly.expected_versions = (first..=last).take(100).collect();
            self.report(anomaly);
        }
    }

    fn end_burst(&mut self, burst: Evidence) {
        let (Some(first), Some(last)) = (burst.events.first(), burst.events.last()) else {
            return;
        };
        if burst.count < u64::from(self.thresholds.burst_events_min.max(2)) {
            return;
        }
        let text = format!(
            "{}: {} events within {:.3} s, each less than a second behind the one before",
            last.stream,
            burst.count,
            seconds_between(first.occurred_at, last.occurred_at),
        );
        let severity = if burst.count >= 100 {
            Severity::Medium
        } else {
            Severity::Low
        };
        self.report(burst.into_anomaly("rapid_changes", severity, text));
    }

    /// Times that claim what cannot be.
    fn see_clock(&mut self, seen: &Seen) {
        let ahead = seen
            .occurred_at
            .micros()
            .saturating_sub(seen.recorded_at.micros());
        if ahead > AHEAD_MAX {
            let mut evidence = Evidence::default();
            evidence.add(seen);
            let text = format!(
                "{}: {} claims to have happened {} after it was recorded: the writer's clock was ahead",
                seen.stream,
                seen.event_type,
                duration(ahead),
            );
            self.report(evidence.into_anomaly("clock_jump", Severity::Medium, text));
        }
        let Some(device) = seen.device_id.clone() else {
            return;
        };
        let (watch, _) = self.devices.touch(&device);
        let Some(last) = watch.last.replace(seen.clone()) else {
            return;
        };
        let back = last
            .occurred_at
            .micros()
            .saturating_sub(seen.occurred_at.micros());
        // Another stream's event may well have waited longer in the device's queue; the same stream's may not.
        if back > BACK_MAX && last.stream == seen.stream {
            let mut evidence = Evidence::default();
            evidence.add(&last);
            evidence.add(seen);
            let text = format!(
                "device {device} reported {} {} earlier than what it had reported before: its clock was set back",
                seen.stream,
                duration(back),
            );
            self.report(evidence.into_anomaly("clock_jump", Severity::Medium, text));
        }
    }

    /// What one person does at night, and to how many aggregates at once.
    fn see_person(&mut self, seen: &Seen) {
        let Some(user) = seen.user_id.clone() else {
            return;
        };
        let thresholds = self.thresholds;
        let local = seen
            .recorded_at
            .micros()
            .saturating_add(i64::from(thresholds.utc_offset_minutes) * 60 * SECOND);
        let hour = local.rem_euclid(DAY) / HOUR;
        let outside = !within_hours(hour, thresholds);
        // A night belongs to the day on which it began.
        let night_of = (local - i64::from(thresholds.work_from) * HOUR).div_euclid(DAY);
        let (watch, forgotten) = self.people.touch(&user);
        let mut ended_night = Evidence::default();
        if outside {
            if watch.night_of != night_of {
                ended_night = std::mem::take(&mut watch.night);
                watch.night_of = night_of;
            }
            watch.night.add(seen);
        }
        let mut ended_minute = None;
        let begins = watch
            .minute_from
            .is_none_or(|from| seen.recorded_at.micros().saturating_sub(from.micros()) > MASS_SPAN);
        if begins {
            watch.minute_from = Some(seen.recorded_at);
            let streams = std::mem::take(&mut watch.streams);
            ended_minute = Some((streams.len(), std::mem::take(&mut watch.minute)));
        }
        if watch.streams.len() < super::WATCHED_MAX {
            watch.streams.insert(seen.stream.clone());
        }
        watch.minute.add(seen);
        self.end_night(ended_night);
        if let Some((streams, minute)) = ended_minute {
            self.end_minute(streams, minute);
        }
        for watch in forgotten {
            self.end_night(watch.night);
            self.end_minute(watch.streams.len(), watch.minute);
        }
    }

    fn end_night(&mut self, night: Evidence) {
        let Some(last) = night.events.last() else {
            return;
        };
        let text = format!(
            "{} wrote {} events outside working hours ({:02}:00 to {:02}:00)",
            last.user_id.as_deref().unwrap_or("somebody"),
            night.count,
            self.thresholds.work_from,
            self.thresholds.work_to,
        );
        self.report(night.into_anomaly("out_of_hours", Severity::Low, text));
    }

    fn end_minute(&mut self, streams: usize, minute: Evidence) {
        let Some(last) = minute.events.last() else {
            return;
        };
        if streams < self.thresholds.mass_aggregates_min.max(2) {
            return;
        }
        let text = format!(
            "{} changed {streams} aggregates within a minute, by {} events",
            last.user_id.as_deref().unwrap_or("somebody"),
            minute.count,
        );
        self.report(minute.into_anomaly("mass_change", Severity::Medium, text));
    }

    /// What is reported long after it is said to have happened.
    fn see_late(&mut self, seen: &Seen) {
        let late = seen
            .recorded_at
            .micros()
            .saturating_sub(seen.occurred_at.micros());
        let limit = i64::from(self.thresholds.backdated_days_min).saturating_mul(DAY);
        if late <= limit {
            return;
        }
        let who = match (&seen.device_id, &seen.user_id) {
            (Some(device), _) => format!("device {device}"),
            (None, Some(user)) => user.to_string(),
            (None, None) => "nobody named".to_owned(),
        };
        let (watch, forgotten) = self.backdaters.touch(&who);
        watch.who = who;
        watch.furthest = watch.furthest.max(late);
        watch.events.add(seen);
        for late in forgotten {
            self.end_late(late);
        }
    }

    fn end_late(&mut self, late: Late) {
        if late.events.count == 0 {
            return;
        }
        let text = format!(
            "{} reported {} events that are said to have happened up to {} before they were recorded",
            late.who,
            late.events.count,
            duration(late.furthest),
        );
        self.report(
            late.events
                .into_anomaly("backdated", Severity::Medium, text),
        );
    }
}

fn within_hours(hour: i64, thresholds: Thresholds) -> bool {
    let (from, to) = (
        i64::from(thresholds.work_from),
        i64::from(thresholds.work_to),
    );
    if from < to {
        (from..to).contains(&hour)
    } else {
        hour >= from || hour < to
    }
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    let micros = to.micros().saturating_sub(from.micros()).unsigned_abs();
    std::time::Duration::from_micros(micros).as_secs_f64()
}

/// `3 days`, `2.5 hours`, `90 s`.
fn duration(micros: i64) -> String {
    let seconds = micros / SECOND;
    match seconds {
        ..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

//! A vehicle's features as of a time: what had happened and was known before it, as numbers.
//!
//! The list has the nine features of the old system first, under their names, then windows of failures and incidents by
//! part of the vehicle, mileage, usage, age, season and how the whole fleet fares.

use fleet::calendar::DAY;
use ml::Feature;
use ml::dataset::Monotone;

use super::history::{FaultGroup, History, Trouble, VehiclePast, When, last_reading, narrow};

/// Days that count as "never" for the old system.
pub(crate) const NEVER_DAYS: f32 = 999.0;
/// Gaps between failures that are averaged.
const GAPS: usize = 12;
/// A vehicle that nothing was heard of for so long is out of service.
const SILENT_DAYS: i64 = 365;
/// A vehicle must have been known for so long before anything is said about it.
const OBSERVED_DAYS_MIN: i64 = 30;

/// Words of a categorical feature.
pub(crate) const WORDS_MAX: usize = 250;

/// The features of the old system, in its order.
pub(crate) const CONTRACT_FEATURES: [&str; 9] = [
    "age_days",
    "mileage",
    "event_count",
    "maintenance_count_total",
    "maintenance_count_90d",
    "days_since_maintenance",
    "avg_days_between_maintenance",
    "critical_event_count_30d",
    "status_duration_days",
];

/// Words of the categorical features, numbered as they were when the model was trained.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Dictionary {
    pub(crate) models: Vec<String>,
    pub(crate) places: Vec<String>,
}

impl Dictionary {
    /// All words that vehicles ever carried, up to a bound, in order.
    pub(crate) fn of(history: &History) -> Self {
        let words = |of: fn(&VehiclePast) -> &Vec<super::history::Word>| {
            let each = history.vehicles.values().flat_map(|past| of(past).iter());
            let set: std::collections::BTreeSet<&str> = each.map(|word| &*word.text).collect();
            set.into_iter().take(WORDS_MAX).map(str::to_owned).collect()
        };
        Self {
            models: words(|past| &past.models),
            places: words(|past| &past.places),
        }
    }

    fn number(list: &[String], word: Option<&str>) -> f32 {
        let found = word.and_then(|word| list.iter().position(|known| known == word));
        found.map_or(f32::NAN, |at| at as f32)
    }
}

/// The model's columns.
pub(crate) fn features() -> Vec<Feature> {
    let mut list: Vec<Feature> = CONTRACT_FEATURES.map(Feature::numeric).to_vec();
    for name in ["model", "place", "month"] {
        list.push(Feature::categorical(name));
    }
    let rising = |name: &str| Feature::numeric(name).with_monotone(Monotone::Increasing);
    for name in [
        "observed_days",
        "km_per_day_90",
        "parts_used_365",
        "days_since_failure_2",
        "days_since_failure_3",
        "days_since_incident",
        "failures_life",
        "mean_days_between_failures",
        "gap_mean",
        "gap_spread",
        "failures_30",
        "failures_90",
        "incidents_30",
        "incidents_90",
        "incidents_180",
        "incidents_365",
        "delay_90",
        "delay_365",
        "failure_trend",
        "fleet_failures_30",
        "fleet_failures_90",
    ] {
        list.push(Feature::numeric(name));
    }
    list.push(rising("failures_180"));
    list.push(rising("failures_365"));
    list.push(Feature::numeric("days_since_failure").with_monotone(Monotone::Decreasing));
    for group in FaultGroup::ALL {
        for window in ["90", "365", "days_since"] {
            list.push(Feature::numeric(match window {
                "days_since" => format!("days_since_{}", group.name()),
                window => format!("{}_{window}", group.name()),
            }));
        }
    }
    list
}

/// Whether anything is said about a vehicle as of `time`: known for a month, heard of within a year, and still there.
pub(crate) fn in_service(past: &VehiclePast, time: i64) -> bool {
    let mut visible = past.events.iter().filter(|mark| mark.visible(time));
    let Some(first) = visible.next() else {
        return false;
    };
    let last = past.events.iter().rev().find(|mark| mark.visible(time));
    let last = last.map_or(first.happened, |mark| mark.happened);
    let gone = past.deleted.visible(time).is_some();
    !gone && time - first.happened >= OBSERVED_DAYS_MIN * DAY && time - last <= SILENT_DAYS * DAY
}

/// The features of a vehicle as of `time`, in the order of [`features`].
pub(crate) fn row(
    history: &History,
    past: &VehiclePast,
    words: &Dictionary,
    time: i64,
) -> Vec<f32> {
    let days_ago = |when: i64| narrow((time - when) as f64 / DAY as f64);
    let first = past
        .events
        .iter()
        .find(|mark| mark.visible(time))
        .map_or(time, |mark| mark.happened);
    let mut row = contract_row(past, time);
    row.push(Dictionary::number(
        &words.models,
        last_word(&past.models, time),
    ));
    row.push(Dictionary::number(
        &words.places,
        last_word(&past.places, time),
    ));
    row.push(month(time));

    let troubles: Vec<&Trouble> = visible_troubles(past, time);
    let failures: Vec<i64> = troubles
        .iter()
        .filter(|one| one.failure)
        .map(|one| one.when.happened)
        .collect();
    let within = |one: &Trouble, days: i64| time - one.when.happened <= days * DAY;
    let count = |days: i64, wanted: &dyn Fn(&Trouble) -> bool| {
        let recent = troubles.iter().rev().take_while(|one| within(one, days));
        recent.filter(|one| wanted(one)).count() as f32
    };
    let delay = |days: i64| {
        troubles
            .iter()
            .rev()
            .take_while(|one| within(one, days))
            .map(|one| one.delay_min)
            .sum::<f32>()
    };
    let nth_failure = |back: usize| {
        failures
            .len()
            .checked_sub(back)
            .map_or(f32::NAN, |at| days_ago(failures[at]))
    };
    let is_failure = |one: &Trouble| one.failure;
    let any = |_: &Trouble| true;
    let observed = days_ago(first);
    let (gap_mean, gap_spread) = gaps(&failures);
    let (f90, f365) = (count(90, &is_failure), count(365, &is_failure));
    row.push(observed);
    row.push(km_per_day(past, time));
    row.push(window(&past.parts_used, time, 365));
    row.push(nth_failure(2));
    row.push(nth_failure(3));
    row.push(
        troubles
            .last()
            .map_or(f32::NAN, |one| days_ago(one.when.happened)),
    );
    row.push(failures.len() as f32);
    row.push(observed / (failures.len() as f32 + 1.0));
    row.push(gap_mean);
    row.push(gap_spread);
    row.push(count(30, &is_failure));
    row.push(f90);
    for days in [30, 90, 180, 365] {
        row.push(count(days, &any));
    }
    row.push(delay(90));
    row.push(delay(365));
    // Failures a year now against the year before, drawn towards no change where there are few.
    row.push((4.0 * f90 + 1.0) / (f365 + 1.0));
    for days in [30, 90] {
        row.push(
            window(&history.fleet_failures, time, days) / history.fleet_size(time).max(1) as f32,
        );
    }
    row.push(count(180, &is_failure));
    row.push(f365);
    row.push(nth_failure(1));
    for group in FaultGroup::ALL {
        let own = |one: &Trouble| one.group == group && (one.failure || one.named);
        row.push(count(90, &own));
        row.push(count(365, &own));
        let last = troubles.iter().rev().find(|one| own(one));
        row.push(last.map_or(f32::NAN, |one| days_ago(one.when.happened)));
    }
    row
}

/// The nine features of the old system, by its rules.
pub(crate) fn contract_row(past: &VehiclePast, time: i64) -> Vec<f32> {
    let whole_days = |from: i64| ((time - from) / DAY) as f32;
    let events: Vec<&When> = past
        .events
        .iter()
        .filter(|mark| mark.visible(time))
        .collect();
    let began = past
        .began(time)
        .filter(|&began| began < time)
        .or_else(|| events.first().map(|mark| mark.happened));
    let maintenance: Vec<i64> = past
        .maintenance
        .iter()
        .filter(|mark| mark.visible(time))
        .map(|mark| mark.happened)
        .collect();
    let gaps: Vec<i64> = maintenance
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) / DAY)
        .collect();
    let mean_gap = if gaps.is_empty() {
        0.0
    } else {
        gaps.iter().sum::<i64>() as f32 / gaps.len() as f32
    };
    let status = past
        .statuses
        .iter()
        .rev()
        .find(|word| word.when.visible(time));
    let critical = past
        .troubles
        .iter()
        .rev()
        .take_while(|one| time - one.when.happened <= 30 * DAY);
    vec![
        began.map_or(0.0, whole_days),
        last_reading(&past.mileage, time).map_or(0.0, narrow),
        events.len() as f32,
        maintenance.len() as f32,
        window(&past.maintenance, time, 90),
        maintenance
            .last()
            .map_or(NEVER_DAYS, |&last| whole_days(last)),
        mean_gap,
        critical
            .filter(|one| one.failure && one.when.visible(time))
            .count() as f32,
        status.map_or(0.0, |word| whole_days(word.when.happened)),
    ]
}

fn visible_troubles(past: &VehiclePast, time: i64) -> Vec<&Trouble> {
    let end = past
        .troubles
        .partition_point(|one| one.when.happened < time);
    past.troubles[..end]
        .iter()
        .filter(|one| one.when.visible(time))
        .collect()
}

fn last_word(words: &[super::history::Word], time: i64) -> Option<&str> {
    let found = words.iter().rev().find(|word| word.when.visible(time));
    found.map(|word| &*word.text)
}

/// Marks of the last `days` before `time`.
fn window(marks: &[When], time: i64, days: i64) -> f32 {
    let from = marks.partition_point(|mark| mark.happened < time - days * DAY);
    let to = marks.partition_point(|mark| mark.happened < time);
    marks[from..to]
        .iter()
        .filter(|mark| mark.visible(time))
        .count() as f32
}

fn km_per_day(past: &VehiclePast, time: i64) -> f32 {
    let recent: Vec<_> = past
        .mileage
        .iter()
        .rev()
        .take_while(|reading| time - reading.when.happened <= 90 * DAY)
        .filter(|reading| reading.when.visible(time))
        .collect();
    match (recent.last(), recent.first()) {
        (Some(old), Some(new)) if new.when.happened - old.when.happened >= 7 * DAY => {
            let days = (new.when.happened - old.when.happened) as f64 / DAY as f64;
            narrow((new.value - old.value) / days)
        }
        _ => f32::NAN,
    }
}

/// Mean and spread of the last gaps between failures, in days.
fn gaps(failures: &[i64]) -> (f32, f32) {
    let from = failures.len().saturating_sub(GAPS + 1);
    let gaps: Vec<f64> = failures[from..]
        .windows(2)
        .map(|pair| (pair[1] - pair[0]) as f64 / DAY as f64)
        .collect();
    if gaps.is_empty() {
        return (f32::NAN, f32::NAN);
    }
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps
        .iter()
        .map(|gap| (gap - mean) * (gap - mean))
        .sum::<f64>()
        / gaps.len() as f64;
    (narrow(mean), narrow(variance.sqrt()))
}

/// Month of the year, from 0.
fn month(time: i64) -> f32 {
    use chrono::Datelike as _;
    let day = chrono::DateTime::from_timestamp_micros(time);
    day.map_or(0.0, |day| day.month0() as f32)
}

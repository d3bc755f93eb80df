//! From schema 1, what the old system and its documents wrote, to schema 2. Each step copes with any object.

use serde_json::{Map, Value};

use super::{STATUSES, TYPES};

/// Status words that the old dashboards used and no enumeration had, with what they mean: (word, status).
const STATUS_WORDS: &[(&str, &str)] = &[
    ("active", "available"),
    ("operational", "available"),
    ("maintenance", "in_workshop"),
];

/// Names under which a mileage or an hour counter came as a number with a fraction.
const COUNTERS: &[&str] = &[
    "current_mileage",
    "current_mileage_km",
    "mileage",
    "mileage_km",
    "new_mileage",
    "old_mileage",
    "operating_hours",
    "total_operating_hours",
];

/// `VehicleCreated` and `VehicleUpdated`: status words, whole counters, and a traction type under its old names.
pub(super) fn description(data: &mut Map<String, Value>) {
    status_word(data, "status");
    whole_counters(data);
    for name in ["type", "traction_type", "vehicle_type"] {
        // A vehicle type like "locomotive" is no traction type: it stays beside, under the name it came with.
        if let Some(word) = lowercase(data, name)
            && TYPES.contains(&word.as_str())
            && (name == "type" || !data.contains_key("type"))
        {
            data.insert("type".to_owned(), Value::from(word));
        }
    }
}

/// `VehicleStatusChanged`: status words.
pub(super) fn status(data: &mut Map<String, Value>) {
    for name in ["status", "new_status", "old_status"] {
        status_word(data, name);
    }
}

/// `VehicleMileageUpdated`: whole counters.
pub(super) fn mileage(data: &mut Map<String, Value>) {
    whole_counters(data);
}

/// Brings `ACTIVE`, `In Workshop` and the like to a status; leaves what it does not recognise for validation to name.
fn status_word(data: &mut Map<String, Value>, name: &str) {
    let Some(word) = lowercase(data, name).map(|word| word.replace([' ', '-'], "_")) else {
        return;
    };
    let known = STATUS_WORDS
        .iter()
        .find(|(old, _)| *old == word)
        .map(|(_, status)| *status);
    if let Some(status) = known.or_else(|| STATUSES.iter().find(|status| **status == word).copied())
    {
        data.insert(name.to_owned(), Value::from(status));
    }
}

/// Cuts counters to what was fully run.
fn whole_counters(data: &mut Map<String, Value>) {
    for name in COUNTERS {
        if let Some(number) = data
            .get(*name)
            .filter(|value| value.is_f64())
            .and_then(Value::as_f64)
            && (0.0..=9_007_199_254_740_991.0).contains(&number)
        {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "within 2^53; the fraction is what is to be cut"
            )]
            let whole = number as i64;
            data.insert((*name).to_owned(), Value::from(whole));
        }
    }
}

fn lowercase(data: &Map<String, Value>, name: &str) -> Option<String> {
    data.get(name)
        .and_then(Value::as_str)
        .map(|word| word.trim().to_lowercase())
}

//! Event type names come in two spellings: clients of the old system's classes say `VehicleCreatedEvent`, its
//! documents, dashboards and tests say `VehicleCreated`. Both name the same type, for every type, known or not.
//!
//! Everything that compares event types goes through [`canonical`]: validation, folds, filters, counts.

#[cfg(test)]
mod tests;

/// The part of a name that adds nothing.
const SUFFIX: &str = "Event";

/// The spelling without the suffix.
///
/// The suffix is removed as often as it stands there, so that the rule `X` = `XEvent` holds for every `X`, also for
/// one that ends in `Event` itself. A name that is nothing but suffixes keeps one: no name becomes empty.
pub fn canonical(event_type: &str) -> &str {
    let mut stem = event_type;
    while let Some(shorter) = stem.strip_suffix(SUFFIX) {
        stem = shorter;
    }
    if stem.is_empty() && !event_type.is_empty() {
        SUFFIX
    } else {
        stem
    }
}

/// Whether both spellings name the same event type.
pub fn same(left: &str, right: &str) -> bool {
    canonical(left) == canonical(right)
}

/// The two spellings under which a type may lie in a log: canonical and suffixed. A filter by type asks for both.
pub fn spellings(event_type: &str) -> [String; 2] {
    let stem = canonical(event_type);
    [stem.to_owned(), format!("{stem}{SUFFIX}")]
}

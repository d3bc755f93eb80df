//! From a payload as some writer of some year wrote it to the payload that the current schema describes.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{AggregateSchema, EventSchema, Spelling};

/// The payload in the current schema: upcast step by step, then with every field under its present name.
///
/// Borrowed when there is nothing to do, which is the case for all that this system wrote itself. A schema number above
/// the current one (written by a newer program) is left as it is. A field that stands there under both names keeps the
/// present name's value.
pub fn canonical_data<'a>(
    aggregate: &AggregateSchema,
    event: &EventSchema,
    schema: u16,
    data: &'a Map<String, Value>,
) -> Cow<'a, Map<String, Value>> {
    let mut canonical = Cow::Borrowed(data);
    let first_step = usize::from(schema.max(1) - 1);
    if let Some(steps) = event.upcasters.get(first_step..)
        && !steps.is_empty()
    {
        let owned = canonical.to_mut();
        steps.iter().for_each(|step| step(owned));
    }
    for spelling in spellings(aggregate, event) {
        if canonical.contains_key(spelling.given) {
            let owned = canonical.to_mut();
            if let Some(value) = owned.remove(spelling.given) {
                owned.entry(spelling.meant).or_insert(value);
            }
        }
    }
    canonical
}

/// The spellings that apply to an event: its own, then those of the aggregate for fields that the event has.
pub fn spellings<'a>(
    aggregate: &'a AggregateSchema,
    event: &'a EventSchema,
) -> impl Iterator<Item = &'static Spelling> + use<'a> {
    let own = event.spellings;
    let shared = aggregate.spellings.iter().filter(move |spelling| {
        event.field(spelling.meant).is_some()
            && event.field(spelling.given).is_none()
            && !own.iter().any(|other| other.given == spelling.given)
    });
    own.iter().chain(shared)
}

/// The name that a field had in `data` as it was given, when it came under an old one: errors name what the writer wrote.
pub fn given_name(
    aggregate: &AggregateSchema,
    event: &EventSchema,
    data: &Map<String, Value>,
    field: &'static str,
) -> &'static str {
    if data.contains_key(field) {
        return field;
    }
    spellings(aggregate, event)
        .find(|spelling| spelling.meant == field && data.contains_key(spelling.given))
        .map_or(field, |spelling| spelling.given)
}

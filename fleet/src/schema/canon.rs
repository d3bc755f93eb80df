//! From a payload as some writer of some year wrote it to the payload that the current schema describes.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{AggregateSchema, EventSchema};

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
    if canonical
        .keys()
        .any(|name| meant_field(aggregate, event, name).is_some())
    {
        let owned = std::mem::take(canonical.to_mut());
        let (old, mut renamed): (Map<_, _>, Map<_, _>) = owned
            .into_iter()
            .partition(|(name, _)| meant_field(aggregate, event, name).is_some());
        for (given, value) in old {
            if let Some(meant) = meant_field(aggregate, event, &given) {
                renamed.entry(meant).or_insert(value);
            }
        }
        canonical = Cow::Owned(renamed);
    }
    canonical
}

/// The field that `name` stands for as an old name; `None` when it is a present one, or nothing the tables know.
///
/// An event's own spellings go before the aggregate's, which apply to fields that the event has.
pub fn meant_field(
    aggregate: &AggregateSchema,
    event: &EventSchema,
    name: &str,
) -> Option<&'static str> {
    if event.field(name).is_some() {
        return None;
    }
    let own = event
        .spellings
        .iter()
        .find(|spelling| spelling.given == name);
    let shared = || {
        let mut spellings = aggregate.spellings.iter();
        spellings.find(|spelling| spelling.given == name && event.field(spelling.meant).is_some())
    };
    own.or_else(shared).map(|spelling| spelling.meant)
}

/// The name that a field had in `data` as it was given, when it came under an old one: errors name what the writer wrote.
pub fn given_name<'a>(
    aggregate: &AggregateSchema,
    event: &EventSchema,
    data: &'a Map<String, Value>,
    field: &'a str,
) -> &'a str {
    if data.contains_key(field) {
        return field;
    }
    let given = data
        .keys()
        .find(|name| meant_field(aggregate, event, name) == Some(field));
    given.map_or(field, String::as_str)
}

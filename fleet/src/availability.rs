//! When a track or a team is there: spans of time within the aggregate. Shared by those two, which have nothing else of
//! their own to decide.

use serde_json::{Map, Value};

use crate::event::EventDraft;
use crate::folded::Folded;
use crate::refusal::Refusal;
use crate::schema::{AggregateSchema, Field, Kind};
use crate::span::Span;

/// The list of spans; each is named by [`NAME`].
pub const SPANS: &str = "availability";
/// The field that names a span.
pub const NAME: &str = "availability_id";
/// Most spans that commands bring into one list.
pub const SPANS_MAX: usize = 2_000;

/// The fields of a span that both have, as a body brings them.
pub const START: Field = Field::required("start_ts", Kind::Time);
/// See [`START`].
pub const END: Field = Field::required("end_ts", Kind::Time);
/// Whether it is there or is not; there, if nothing is said.
pub const IS_AVAILABLE: Field = Field::optional("is_available", Kind::Boolean).never_null();

/// The event of this type that sets a span.
///
/// # Errors
/// `Rule` for an end that is not after the start, `Conflict` when there are [`SPANS_MAX`] already.
pub fn set(
    schema: &AggregateSchema,
    event_type: &'static str,
    held: &Folded,
    name: &str,
    fields: &Map<String, Value>,
) -> Result<EventDraft, Refusal> {
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    if Span::of_text(text("start_ts"), text("end_ts")).is_none() {
        let text = "end_ts must be after start_ts";
        return Err(Refusal::rule("end_ts", "end_before_start", text));
    }
    if held.record.item_count(SPANS) >= SPANS_MAX {
        let text = format!("There are {SPANS_MAX} spans already; take old ones away first");
        return Err(Refusal::conflict("", "too_many", text));
    }
    let mut fields = fields.clone();
    fields.retain(|_, value| !value.is_null());
    fields.insert(NAME.to_owned(), name.into());
    fields
        .entry(IS_AVAILABLE.name)
        .or_insert_with(|| true.into());
    Ok(schema.draft(event_type, fields))
}

/// The event of this type that takes a span back.
///
/// # Errors
/// `Missing` when there is none of this name.
pub fn remove(
    schema: &AggregateSchema,
    event_type: &'static str,
    held: &Folded,
    name: &str,
) -> Result<EventDraft, Refusal> {
    if held.record.item(SPANS, name).is_none() {
        let text = "There is no such span";
        return Err(Refusal::missing("span_not_found", text));
    }
    let fields = Map::from_iter([(NAME.to_owned(), name.into())]);
    Ok(schema.draft(event_type, fields))
}

//! What an event can be found by besides its stream and type, as the log's tags spell it.

use fleet::listing::row_id;
use fleet::registry::KnownEvent;
use fleet::schema::canonical_data;
use serde_json::{Map, Value};
use storage::{NewEvent, TAG_BYTES_MAX};

/// Before the id of the account that caused the event.
pub const USER_PREFIX: &str = "user:";
/// Before the id of the request or process that the event belongs to.
pub const CORRELATION_PREFIX: &str = "correlation:";
/// Before the type, field and value of a business key.
pub const KEY_PREFIX: &str = "key:";
/// Before a tag that a client chose.
pub const FREE_PREFIX: &str = "tag:";

/// A tag of this kind.
pub fn tag(prefix: &str, value: &str) -> Box<str> {
    let mut text = String::with_capacity(prefix.len() + value.len());
    text.push_str(prefix);
    text.push_str(value);
    text.into_boxed_str()
}

/// The tag by which the log knows a business key. One that is longer than a tag may be goes by its digest.
pub fn key_tag(aggregate_type: &str, field: &str, value: &str) -> Box<str> {
    let plain = tag(KEY_PREFIX, &format!("{aggregate_type}:{field}:{value}"));
    if plain.len() <= TAG_BYTES_MAX {
        return plain;
    }
    let digest = row_id(field, value);
    tag(KEY_PREFIX, &format!("{aggregate_type}:{field}:#{digest}"))
}

/// Tags for the business keys that a payload sets, so that whoever takes the same key at the same time notices.
pub(super) fn keys_of(known: &KnownEvent, schema: u16, data: &Map<String, Value>) -> Vec<Box<str>> {
    let keys = known.aggregate.listing.keys;
    let sets_one = || {
        let fields = known.event.fields.iter();
        fields.filter(|field| keys.contains(&field.name)).count() > 0
    };
    if keys.is_empty() || !sets_one() {
        return Vec::new();
    }
    let data = canonical_data(known.aggregate, known.event, schema, data);
    let told = keys.iter().filter_map(|key| {
        let value = data.get(*key).and_then(Value::as_str)?;
        (!value.is_empty()).then(|| key_tag(known.aggregate.aggregate_type, key, value))
    });
    told.collect()
}

/// Who caused an event with these tags.
pub fn user_id<'a>(tags: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    tags.into_iter()
        .find_map(|tag| tag.strip_prefix(USER_PREFIX))
}

/// What an event with these tags belongs to.
pub fn correlation_id<'a>(tags: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    tags.into_iter()
        .find_map(|tag| tag.strip_prefix(CORRELATION_PREFIX))
}

/// Names `user` as who caused the event, unless it names somebody already.
pub fn attribute(event: &mut NewEvent, user: &str) {
    if user_id(event.tags.iter().map(|tag| &**tag)).is_none() {
        event.tags.insert(0, tag(USER_PREFIX, user));
    }
}

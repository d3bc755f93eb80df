//! What an event can be found by besides its stream and type, as the log's tags spell it.

use storage::NewEvent;

/// Before the id of the account that caused the event.
pub const USER_PREFIX: &str = "user:";
/// Before the id of the request or process that the event belongs to.
pub const CORRELATION_PREFIX: &str = "correlation:";
/// Before a tag that a client chose.
pub const FREE_PREFIX: &str = "tag:";

/// A tag of this kind.
pub fn tag(prefix: &str, value: &str) -> Box<str> {
    let mut text = String::with_capacity(prefix.len() + value.len());
    text.push_str(prefix);
    text.push_str(value);
    text.into_boxed_str()
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

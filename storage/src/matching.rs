//! A query in the numbers of one log, and which events of a segment match it.

use crate::index::{IndexDamaged, Key, SegmentIndex, tag_hash};
use crate::names::Names;
use crate::query::{Query, QueryItem};
use crate::record::{EventRecord, TypeNameOf};

#[cfg(test)]
mod tests;

/// A query whose names have been looked up. A name that the log does not know matches nothing but events that have lost
/// theirs and may be of it. Readers give no such event but name it as damaged; to a condition it is one that it excludes.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    /// `None`: every event matches.
    items: Option<Vec<Item>>,
}

/// A clause that is `None` does not narrow; one without a number matches nothing.
#[derive(Clone, Debug)]
struct Item {
    /// Ascending.
    streams: Option<Vec<u32>>,
    aggregate_types: Option<Vec<u16>>,
    /// Streams of which nobody knows their aggregate types, ascending; none without a clause of such.
    untyped: Vec<u32>,
    event_types: Option<Vec<u16>>,
    tags: Vec<Box<str>>,
}

/// Looks names up: in the log, or in the log and a group that is not written yet.
pub(crate) trait Numbers {
    fn stream(&self, name: &crate::event::StreamName) -> Option<u32>;
    fn type_of(&self, of: TypeNameOf, name: &str) -> Option<u16>;
    /// The names of the log.
    fn of_log(&self) -> &Names;
}

impl Numbers for Names {
    fn stream(&self, name: &crate::event::StreamName) -> Option<u32> {
        self.stream_number(name)
    }

    fn type_of(&self, of: TypeNameOf, name: &str) -> Option<u16> {
        self.type_number(of, name)
    }

    fn of_log(&self) -> &Names {
        self
    }
}

impl Matcher {
    pub(crate) fn new(query: &Query, numbers: &impl Numbers) -> Self {
        let items = if query.is_all() {
            None
        } else {
            Some(
                query
                    .items
                    .iter()
                    .map(|item| Item::new(item, numbers))
                    .collect(),
            )
        };
        Matcher { items }
    }

    /// Whether every event matches.
    pub(crate) fn is_all(&self) -> bool {
        self.items.is_none()
    }

    /// Whether an event, whose stream is of this aggregate type, matches.
    pub(crate) fn matches(&self, event: &EventRecord<'_>, aggregate_type: Option<u16>) -> bool {
        self.items
            .as_ref()
            .is_none_or(|items| items.iter().any(|item| item.matches(event, aggregate_type)))
    }

    /// The ordinals in `from..=to` that may match, ascending: exact but for tags, which share hashes.
    pub(crate) fn ordinals(
        &self,
        index: &SegmentIndex,
        from: u32,
        to: u32,
    ) -> Result<Vec<u32>, IndexDamaged> {
        let Some(items) = &self.items else {
            return Ok(if index.count() == 0 || from > to {
                Vec::new()
            } else {
                (from..=to.min(index.count() - 1)).collect()
            });
        };
        let mut all = Vec::new();
        for item in items {
            item.ordinals(index, from, to, &mut all)?;
        }
        sort_and_dedup(&mut all, items.len());
        Ok(all)
    }
}

impl Item {
    fn new(item: &QueryItem, numbers: &impl Numbers) -> Self {
        let log = numbers.of_log();
        let types = |of, names: &[Box<str>]| {
            (!names.is_empty()).then(|| {
                let mut found: Vec<u16> = Vec::with_capacity(names.len());
                for name in names {
                    let known = numbers.type_of(of, name);
                    found.extend(known);
                    found.extend(log.types_maybe(of, known));
                }
                found
            })
        };
        let streams = || {
            let mut found: Vec<u32> = Vec::with_capacity(item.streams.len());
            for name in &item.streams {
                // A stream that is known is what has its number: begun anew it has other versions, and is another.
                match numbers.stream(name) {
                    Some(number) => found.push(number),
                    None => found.extend(log.streams_maybe(name)),
                }
            }
            found.sort_unstable();
            found.dedup();
            found
        };
        let untyped = match item.aggregate_types.is_empty() {
            true => Vec::new(),
            false => log.streams_lost(),
        };
        Item {
            streams: (!item.streams.is_empty()).then(streams),
            untyped,
            aggregate_types: types(TypeNameOf::Aggregate, &item.aggregate_types),
            event_types: types(TypeNameOf::Event, &item.event_types),
            tags: item.tags.clone(),
        }
    }

    fn matches(&self, event: &EventRecord<'_>, aggregate_type: Option<u16>) -> bool {
        self.streams
            .as_ref()
            .is_none_or(|streams| streams.binary_search(&event.stream).is_ok())
            && self
                .event_types
                .as_ref()
                .is_none_or(|types| types.contains(&event.event_type))
            && self
                .aggregate_types
                .as_ref()
                .is_none_or(|types| match aggregate_type {
                    Some(of) => types.contains(&of),
                    None => self.untyped.binary_search(&event.stream).is_ok(),
                })
            && self
                .tags
                .iter()
                .all(|wanted| event.tags().any(|tag| tag == &**wanted))
    }

    /// Appends the ordinals of this item: each clause gives a list, and the lists are intersected.
    fn ordinals(
        &self,
        index: &SegmentIndex,
        from: u32,
        to: u32,
        all: &mut Vec<u32>,
    ) -> Result<(), IndexDamaged> {
        let mut found: Option<Vec<u32>> = None;
        if let Some(streams) = &self.streams {
            narrow(
                &mut found,
                union(
                    index,
                    streams.iter().map(|&number| Key::Stream(number)),
                    from,
                    to,
                )?,
            );
        }
        for tag in &self.tags {
            narrow(
                &mut found,
                union(index, std::iter::once(Key::Tag(tag_hash(tag))), from, to)?,
            );
        }
        if let Some(types) = &self.event_types {
            narrow(
                &mut found,
                union(
                    index,
                    types.iter().map(|&number| Key::EventType(number)),
                    from,
                    to,
                )?,
            );
        }
        if let Some(types) = &self.aggregate_types {
            narrow(
                &mut found,
                union(
                    index,
                    types
                        .iter()
                        .map(|&number| Key::AggregateType(number))
                        .chain(self.untyped.iter().map(|&number| Key::Stream(number))),
                    from,
                    to,
                )?,
            );
        }
        match found {
            Some(found) if all.is_empty() => *all = found,
            Some(found) => all.extend(found),
            // An item without clauses matches all; `Matcher::new` has made that `None` already.
            None => {}
        }
        Ok(())
    }
}

fn union(
    index: &SegmentIndex,
    keys: impl Iterator<Item = Key>,
    from: u32,
    to: u32,
) -> Result<Vec<u32>, IndexDamaged> {
    let mut ordinals = Vec::new();
    let mut lists = 0;
    for key in keys {
        index.list(key, from, to, &mut ordinals)?;
        lists += 1;
    }
    sort_and_dedup(&mut ordinals, lists);
    Ok(ordinals)
}

/// One list is in order already.
fn sort_and_dedup(ordinals: &mut Vec<u32>, lists: usize) {
    if lists > 1 {
        ordinals.sort_unstable();
        ordinals.dedup();
    }
}

/// Keeps in `found` what is in `list` too. Both ascend.
fn narrow(found: &mut Option<Vec<u32>>, list: Vec<u32>) {
    match found {
        None => *found = Some(list),
        Some(found) => {
            let mut rest = list.as_slice();
            found.retain(|ordinal| {
                let before = rest.partition_point(|other| other < ordinal);
                rest = &rest[before..];
                rest.first() == Some(ordinal)
            });
        }
    }
}

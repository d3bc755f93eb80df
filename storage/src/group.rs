//! A group: the transactions that one sync will make durable, checked one after the other and laid out as bytes.
//!
//! Nothing here writes. Each transaction is checked against what is durable and against the transactions staged before
//! it; a group that cannot be written is dropped whole, and the log knows nothing of it.

use hashbrown::{HashMap, HashSet};
use uuid::Uuid;

use crate::append::AppendError;
use crate::chain;
use crate::event::{NewEvent, StreamName};
use crate::ids::IdSource;
use crate::limits;
use crate::matching::{Matcher, Numbers};
use crate::names::Names;
use crate::position::{Position, Version};
use crate::read;
use crate::record::{self, Chain, Commit, EventRecord, EventToWrite, Seed, TypeNameOf};
use crate::segment::SegmentUnreadable;
use crate::shared::Shared;
use crate::time::Timestamp;
use crate::transaction::{
    Condition, EventReceipt, ExpectedVersion, Receipt, StreamTip, Transaction,
};
use crate::veil::{COVERED_PREFIX, Payload};

/// Where a group begins: the log as the writer knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroupStart {
    pub(crate) seed: Seed,
    pub(crate) first: Position,
    pub(crate) chain: Chain,
    /// The time of the last event before it.
    pub(crate) recorded_before: Timestamp,
    pub(crate) now: Timestamp,
}

/// See the module.
pub(crate) struct Group<'a> {
    shared: &'a Shared,
    start: GroupStart,
    bytes: Vec<u8>,
    next: Position,
    recorded_last: Timestamp,
    names: StagedNames,
    tips: HashMap<u32, StreamTip>,
    /// Where the staged events with an id of their writer's begin in `bytes`.
    ids: HashMap<u128, (usize, Position)>,
    /// Where each staged event begins in `bytes`.
    offsets: Vec<usize>,
}

#[derive(Default)]
struct StagedNames {
    streams: HashMap<StreamName, (u32, u16)>,
    types: HashMap<(TypeNameOf, Box<str>), u16>,
    stream_count: u32,
    type_counts: [usize; 2],
}

/// What a group hands to the writer.
#[derive(Debug)]
pub(crate) struct GroupBytes {
    pub(crate) bytes: Vec<u8>,
    pub(crate) commit: Commit,
    pub(crate) recorded_last: Timestamp,
}

impl<'a> Group<'a> {
    /// An empty group; `buffer` is used for its bytes.
    pub(crate) fn begin(shared: &'a Shared, start: GroupStart, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        let names = StagedNames {
            stream_count: shared.names.stream_count(),
            type_counts: [
                shared.names.types(TypeNameOf::Aggregate).len(),
                shared.names.types(TypeNameOf::Event).len(),
            ],
            ..StagedNames::default()
        };
        Group {
            shared,
            start,
            bytes: buffer,
            next: start.first,
            recorded_last: start.recorded_before,
            names,
            tips: HashMap::new(),
            ids: HashMap::new(),
            offsets: Vec::new(),
        }
    }

    /// Whether nothing is to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Bytes staged.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Checks a transaction and lays it out, or says why not. A refused one leaves no trace.
    pub(crate) fn stage(
        &mut self,
        transaction: &Transaction,
        new_ids: &mut IdSource,
    ) -> Result<Receipt, AppendError> {
        if let Some(receipt) = self.find_duplicate(transaction)? {
            return Ok(receipt);
        }
        self.check_versions(transaction)?;
        if let Some(condition) = &transaction.condition {
            self.check_condition(condition)?;
        }
        self.check_type_room(transaction)?;
        Ok(self.lay_out(transaction, new_ids))
    }

    /// The group's bytes with their marker, ready to be written.
    pub(crate) fn finish(mut self, durable: Position) -> GroupBytes {
        assert!(!self.is_empty(), "a group without events is not written");
        let commit = Commit {
            event_count: u32::try_from(self.offsets.len())
                .expect("a group holds fewer than 2^32 events"),
            first_position: self.start.first,
            durable,
            group_bytes: u32::try_from(self.bytes.len()).expect("a group is smaller than 4 GiB"),
            chain: chain::link(&self.start.chain, &self.bytes),
        };
        record::write_commit(&mut self.bytes, self.start.seed, &commit);
        GroupBytes {
            bytes: self.bytes,
            commit,
            recorded_last: self.recorded_last,
        }
    }

    /// Gives the buffer of a group that came to nothing back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }

    /// The original receipt, when every event of the transaction is in the log or the group already.
    fn find_duplicate(&self, transaction: &Transaction) -> Result<Option<Receipt>, AppendError> {
        let count = transaction.event_count();
        let mut seen = HashSet::with_capacity(if count > 1 { count } else { 0 });
        let mut receipts = Vec::new();
        let mut first_known: Option<(Uuid, Position)> = None;
        let mut all_known = true;
        for write in &transaction.writes {
            for event in &write.events {
                let Some(id) = event.id else {
                    all_known = false;
                    continue;
                };
                if count > 1 && !seen.insert(id) {
                    return Err(AppendError::IdRepeated { id });
                }
                match self.find_event(id, &write.stream, event)? {
                    None => all_known = false,
                    Some(receipt) => {
                        first_known.get_or_insert((id, receipt.position));
                        receipts.push(receipt);
                    }
                }
            }
        }
        match first_known {
            None => Ok(None),
            Some(_) if all_known => Ok(Some(Receipt {
                events: receipts,
                duplicate: true,
            })),
            Some((id, position)) => Err(AppendError::IdReused { id, position }),
        }
    }

    /// Where the event with this id is, when it says the same; a conflict when it says something else.
    fn find_event(
        &self,
        id: Uuid,
        stream: &StreamName,
        event: &NewEvent,
    ) -> Result<Option<EventReceipt>, AppendError> {
        let judge = |found: EventRecord<'_>, position| {
            if self.says_the_same(&found, stream, event) {
                let (version, occurred_at, recorded_at) =
                    (found.version, found.occurred_at, found.recorded_at);
                Ok(Some(EventReceipt {
                    id,
                    position,
                    version,
                    occurred_at,
                    recorded_at,
                }))
            } else {
                Err(AppendError::IdReused { id, position })
            }
        };
        if let Some(&(offset, position)) = self.ids.get(&id.as_u128()) {
            return match record::read_event(&self.bytes[offset..], self.start.seed, position) {
                Ok(found) => judge(found, position),
                Err(_) => unreachable!("a record just laid out verifies"),
            };
        }
        match self.shared.find_id(id).map_err(unavailable)? {
            None => Ok(None),
            Some(located) => match located.event() {
                Some(found) => judge(found, located.position()),
                None => Ok(None),
            },
        }
    }

    /// What makes two events the same for a repeated append. Metadata is left out: it says how the request came.
    fn says_the_same(
        &self,
        found: &EventRecord<'_>,
        stream: &StreamName,
        event: &NewEvent,
    ) -> bool {
        let occurred_at = found.occurred_at_given.then_some(found.occurred_at);
        self.stream(stream) == Some(found.stream)
            && self.type_of(TypeNameOf::Event, &event.event_type) == Some(found.event_type)
            && event.schema == found.schema
            && event.occurred_at == occurred_at
            && (event.data == found.data || self.says_the_same_uncovered(found, stream, event))
    }

    /// Whether the two say the same once what is covered in them is uncovered: one may have been appended before anything
    /// was covered, or its key may be gone.
    fn says_the_same_uncovered(
        &self,
        found: &EventRecord<'_>,
        stream: &StreamName,
        event: &NewEvent,
    ) -> bool {
        let mut tags = event.tags.iter();
        let Some(veil) = &self.shared.options.veil else {
            return false;
        };
        if !found.is_covered() && !tags.any(|tag| tag.starts_with(COVERED_PREFIX)) {
            return false;
        }
        let stored = Payload {
            data: found.data,
            tags: found.tags().collect(),
        };
        let given = Payload {
            data: &event.data,
            tags: event.tags.iter().map(|tag| &**tag).collect(),
        };
        veil.says_the_same(stream, &stored, &given)
    }

    fn check_versions(&self, transaction: &Transaction) -> Result<(), AppendError> {
        // Versions within the transaction: a stream may be written to more than once.
        let mut reached: HashMap<&StreamName, Version> = HashMap::new();
        for write in &transaction.writes {
            let earlier = reached.get(&write.stream).copied();
            let actual = earlier.unwrap_or_else(|| self.version_of(&write.stream));
            let as_expected = match write.expected {
                ExpectedVersion::Any => true,
                ExpectedVersion::NoStream => actual == Version::NONE,
                ExpectedVersion::Exists => actual != Version::NONE,
                ExpectedVersion::Exact(version) => actual == version,
            };
            if !as_expected {
                return Err(AppendError::WrongVersion {
                    stream: write.stream.clone(),
                    expected: write.expected,
                    actual,
                });
            }
            let count = u32::try_from(write.events.len()).unwrap_or(u32::MAX);
            let Some(after) = actual.get().checked_add(count) else {
                return Err(AppendError::TooLarge {
                    what: "the stream's number of events",
                    limit: u32::MAX as usize,
                    actual: u32::MAX as usize,
                });
            };
            if transaction.writes.len() > 1 {
                reached.insert(&write.stream, Version::new(after));
            }
        }
        Ok(())
    }

    fn version_of(&self, stream: &StreamName) -> Version {
        self.stream(stream)
            .map_or(Version::NONE, |number| self.tip(number).version)
    }

    fn tip(&self, stream: u32) -> StreamTip {
        self.tips
            .get(&stream)
            .copied()
            .unwrap_or_else(|| self.shared.tip(stream))
    }

    fn check_condition(&self, condition: &Condition) -> Result<(), AppendError> {
        let matcher = Matcher::new(&condition.query, self);
        let staged = self
            .offsets
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, &offset)| {
                let position = self.start.first.advanced_by(at as u64);
                let event =
                    record::read_event(&self.bytes[offset..], self.start.seed, position).ok()?;
                let matches = position > condition.after
                    && matcher.matches(&event, self.aggregate_type_of(event.stream));
                matches.then_some(position)
            });
        let newest = match staged {
            Some(position) => Some(position),
            None => {
                read::newest_match(self.shared, &matcher, condition.after).map_err(unavailable)?
            }
        };
        match newest {
            Some(position) => Err(AppendError::ConditionFailed {
                position,
                after: condition.after,
            }),
            None => Ok(()),
        }
    }

    /// Type numbers are 16 bits wide.
    fn check_type_room(&self, transaction: &Transaction) -> Result<(), AppendError> {
        let room = |of: TypeNameOf| limits::TYPES_MAX - self.names.type_counts[of as usize];
        let (aggregates, events) = (room(TypeNameOf::Aggregate), room(TypeNameOf::Event));
        if transaction.writes.len() <= aggregates && transaction.event_count() <= events {
            return Ok(());
        }
        let new_aggregates: HashSet<_> = transaction
            .writes
            .iter()
            .map(|write| &write.stream.aggregate_type)
            .collect();
        let new_events: HashSet<_> = transaction
            .writes
            .iter()
            .flat_map(|write| &write.events)
            .map(|event| &event.event_type)
            .collect();
        let unknown = |of, name: &str| self.type_of(of, name).is_none();
        let wanted = new_aggregates
            .iter()
            .filter(|name| unknown(TypeNameOf::Aggregate, name))
            .count();
        let wanted_events = new_events
            .iter()
            .filter(|name| unknown(TypeNameOf::Event, name))
            .count();
        if wanted > aggregates || wanted_events > events {
            let actual = limits::TYPES_MAX + wanted.max(wanted_events);
            return Err(AppendError::TooLarge {
                what: "the number of distinct types",
                limit: limits::TYPES_MAX,
                actual,
            });
        }
        Ok(())
    }

    fn lay_out(&mut self, transaction: &Transaction, new_ids: &mut IdSource) -> Receipt {
        let count = transaction.event_count();
        let mut events = Vec::with_capacity(count);
        self.offsets.reserve(count);
        self.ids.reserve(if count > 1 { count } else { 0 });
        for write in &transaction.writes {
            let stream = self.number_stream(&write.stream);
            let mut version = self.tip(stream).version;
            for event in &write.events {
                let event_type = self.number_type(TypeNameOf::Event, &event.event_type);
                let recorded_at = self.start.now.max(self.recorded_last.plus_micros(1));
                let id = event.id.unwrap_or_else(|| new_ids.next(recorded_at));
                let position = self.next;
                version = version.next().expect("the version was checked");
                let offset = self.bytes.len();
                let to_write = EventToWrite {
                    stream,
                    version,
                    event_type,
                    schema: event.schema,
                    id,
                    occurred_at: event.occurred_at,
                    recorded_at,
                    ends_transaction: events.len() + 1 == count,
                    tags: &event.tags,
                    metadata: &event.metadata,
                    data: &event.data,
                };
                record::write_event(&mut self.bytes, self.start.seed, position, &to_write);
                self.offsets.push(offset);
                if event.id.is_some() {
                    self.ids.insert(id.as_u128(), (offset, position));
                }
                self.recorded_last = recorded_at;
                self.next = position.next();
                let occurred_at = event.occurred_at.unwrap_or(recorded_at);
                events.push(EventReceipt {
                    id,
                    position,
                    version,
                    occurred_at,
                    recorded_at,
                });
            }
            self.tips.insert(
                stream,
                StreamTip {
                    version,
                    position: self.next.previous(),
                },
            );
        }
        Receipt {
            events,
            duplicate: false,
        }
    }

    /// The stream's number; its first use writes a name record.
    fn number_stream(&mut self, name: &StreamName) -> u32 {
        if let Some(number) = self.stream(name) {
            return number;
        }
        let aggregate_type = self.number_type(TypeNameOf::Aggregate, &name.aggregate_type);
        let number = self.names.stream_count;
        self.names.stream_count += 1;
        self.names
            .streams
            .insert(name.clone(), (number, aggregate_type));
        record::write_stream_name(
            &mut self.bytes,
            self.start.seed,
            number,
            aggregate_type,
            &name.aggregate_id,
        );
        number
    }

    fn number_type(&mut self, of: TypeNameOf, name: &str) -> u16 {
        if let Some(number) = self.type_of(of, name) {
            return number;
        }
        let count = &mut self.names.type_counts[of as usize];
        let number = u16::try_from(*count).expect("the room for types was checked");
        *count += 1;
        self.names.types.insert((of, name.into()), number);
        record::write_type_name(&mut self.bytes, self.start.seed, of, number, name);
        number
    }

    fn aggregate_type_of(&self, stream: u32) -> Option<u16> {
        self.shared.names.aggregate_type_of(stream).or_else(|| {
            self.names
                .streams
                .values()
                .find(|&&(number, _)| number == stream)
                .map(|&(_, aggregate_type)| aggregate_type)
        })
    }
}

impl Numbers for Group<'_> {
    fn stream(&self, name: &StreamName) -> Option<u32> {
        let staged = if self.names.streams.is_empty() {
            None
        } else {
            self.names.streams.get(name)
        };
        staged
            .map(|&(number, _)| number)
            .or_else(|| self.shared.names.stream_number(name))
    }

    fn type_of(&self, of: TypeNameOf, name: &str) -> Option<u16> {
        let known = self.shared.names.type_number(of, name);
        known.or_else(|| {
            if self.names.types.is_empty() {
                None
            } else {
                self.names.types.get(&(of, Box::from(name))).copied()
            }
        })
    }

    fn of_log(&self) -> &Names {
        &self.shared.names
    }
}

fn unavailable(error: SegmentUnreadable) -> AppendError {
    match error.is_archived() {
        true => AppendError::Archived {
            segment: error.segment,
        },
        false => AppendError::Unavailable {
            reason: format!("{error}: {}", error.source),
        },
    }
}

//! Parts of whole states, on their way to operations: what of them is new, and what a removal takes away.
//!
//! A state is what its sender knows, not only what it did: it holds what others wrote, and comes again with every push. A
//! part that the log or the entity has already is nothing, whoever brings it; otherwise what was pulled would come back as
//! new work of each device that pulled it. An addition is known by its tag, so a tombstone takes away the addition that
//! it names wherever that stands, and an addition that comes behind its tombstone is dead. Beyond that a tombstone takes
//! what the push says its device had seen (its cursor), where the state shows no other addition of the member. It takes
//! nothing else: neither what others added since, nor what its own device added after the state was made.

use crdt::collapsed::{CollapsedEntity, CollapsedField, Write};
use crdt::{Change, EntityTable, LogPosition, Stamp, Value};

use super::carrier::CarrierId;
use super::devices::Devices;
use super::engine::{Engine, Fold};

/// Before the name of an operation that is a part of a whole state.
pub const STATE_PREFIX: &str = "state:";
/// How the server is called where a state names who wrote.
const SERVER_NAME: &str = "server";

/// One part of a state.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The field.
    pub field: u16,
    /// Whose it is, as the state says: the name of the device that wrote, added or counted.
    pub by: String,
    /// What it is.
    pub what: PartKind,
}

/// What a part is.
#[derive(Clone, Debug, PartialEq)]
pub enum PartKind {
    /// A register's write.
    Written(Change),
    /// A reading.
    Reading(Change),
    /// A live addition of a set.
    Added {
        /// Of which member.
        member: Value,
        /// Its tag, with the device's name and the member.
        tag: String,
    },
    /// A tombstone of a set.
    Removed {
        /// Of which member.
        member: Value,
        /// The tag of the addition that was removed, as there.
        tag: String,
        /// Whether the same state has another addition of the member that is alive.
        is_live: bool,
    },
    /// What a device has counted up, or down, on the whole.
    Counted {
        /// Which count: entity, field, device and direction.
        name: String,
        /// How far.
        total: u64,
        /// Whether it counts down.
        down: bool,
    },
    /// Anything else that is a change as it stands.
    Ready(Change),
}

/// What a part comes to.
pub(super) enum Resolved {
    /// Nothing: it is known already, by this event where one carries it.
    Known(Option<CarrierId>),
    /// This change; once it is taken in, its event has this id, whichever device brings it.
    New(Change, Option<CarrierId>),
}

/// Where parts are looked up.
pub(super) struct Lookup<'a> {
    pub(super) engine: &'a Engine,
    pub(super) fold: &'a Fold,
    pub(super) devices: &'a Devices,
    /// The device that pushes.
    pub(super) device_id: &'a str,
    /// What the push says that it had seen.
    pub(super) base: LogPosition,
}

impl Lookup<'_> {
    /// What of `part` is new. `counted` says how far a count is, counts of this push included.
    pub(super) fn resolve(
        &self,
        table: &EntityTable,
        id: &str,
        entity: Option<&CollapsedEntity>,
        part: &Part,
        stamp: Option<Stamp>,
        counted: impl FnOnce(&str) -> i64,
    ) -> Resolved {
        let log = self.engine.log().log_id();
        let place =
            |sign: char, tag: &str| CarrierId::part(log, table.name, id, part.field, sign, tag);
        match &part.what {
            PartKind::Written(change) => {
                let held = entity.and_then(|entity| entity.register(part.field, change));
                let winner = held.and_then(|register| register.winner());
                let siblings = held.map_or(&[][..], |register| register.siblings());
                let mut writes = winner.into_iter().chain(siblings);
                let is_known = writes.any(|write| self.is_same(write, part, change, stamp))
                    || self.is_relayed_late(winner, part, stamp);
                if is_known {
                    return Resolved::Known(None);
                }
                Resolved::New(change.clone(), None)
            }
            PartKind::Reading(change) => {
                let held = entity.and_then(|entity| entity.field(part.field));
                let is_known = match (held, change) {
                    (Some(CollapsedField::Max(held, _)), Change::Raise { epoch, value }) => {
                        (held.epoch(), held.value()) >= (*epoch, Some(*value))
                    }
                    _ => false,
                };
                if is_known {
                    return Resolved::Known(None);
                }
                Resolved::New(change.clone(), None)
            }
            PartKind::Added { member, tag } => {
                let (added, removed) = (place('+', tag), place('-', tag));
                let mut carriers = [added, removed].into_iter();
                match carriers.find(|carrier| self.engine.has(*carrier)) {
                    Some(known) => Resolved::Known(Some(known)),
                    None => Resolved::New(Change::Insert(member.clone()), Some(added)),
                }
            }
            PartKind::Removed {
                member,
                tag,
                is_live,
            } => {
                let removed = place('-', tag);
                if self.engine.has(removed) {
                    return Resolved::Known(Some(removed));
                }
                let at = self.engine.place_of(place('+', tag));
                let change = Change::RemoveSeen {
                    member: member.clone(),
                    upto: if *is_live {
                        LogPosition::START
                    } else {
                        self.base
                    },
                    at: at.map_or(LogPosition::START, |at| LogPosition::new(at.get())),
                };
                Resolved::New(change, Some(removed))
            }
            PartKind::Counted { name, total, down } => {
                let total = i64::try_from(*total).unwrap_or(i64::MAX);
                let more = total.saturating_sub(counted(name));
                if more <= 0 {
                    // An older state of the same count, which is in the newer one.
                    return Resolved::Known(None);
                }
                Resolved::New(Change::Add(if *down { -more } else { more }), None)
            }
            PartKind::Ready(change) => Resolved::New(change.clone(), None),
        }
    }

    /// The stamp by which a part's write is compared. Between equal stamps of devices that had not seen each other the
    /// contract's order decides, which knows devices by their names: greater name, then greater value.
    pub(super) fn stamp_of(
        &self,
        entity: Option<&CollapsedEntity>,
        part: &Part,
        stamp: Stamp,
    ) -> Stamp {
        let PartKind::Written(change) = &part.what else {
            return stamp;
        };
        let held = entity.and_then(|entity| entity.register(part.field, change));
        let Some(winner) = held.and_then(|register| register.winner()) else {
            return stamp;
        };
        if winner.stamp != stamp || winner.position <= self.base {
            return stamp;
        }
        let (Some(value), name) = (value_of(change), self.name_of(winner)) else {
            return stamp;
        };
        match (part.by.as_str(), value).cmp(&(name.as_str(), &winner.value)) {
            std::cmp::Ordering::Greater => stamp.next(),
            std::cmp::Ordering::Equal => stamp,
            std::cmp::Ordering::Less => stamp.previous(),
        }
    }

    /// Whether the entity shows this very write, so that the state only says what its device was given.
    fn is_same(&self, write: &Write, part: &Part, change: &Change, stamp: Option<Stamp>) -> bool {
        Some(write.stamp) == stamp
            && Some(&write.value) == value_of(change)
            && self.name_of(write) == part.by
    }

    /// Whether it is another's write that a later one has replaced. That other device brings its own writes itself, and
    /// is judged by what it had seen; of what it wrote only something later is news from here.
    fn is_relayed_late(&self, winner: Option<&Write>, part: &Part, stamp: Option<Stamp>) -> bool {
        if part.by == self.device_id {
            return false;
        }
        if part.by == SERVER_NAME {
            return true;
        }
        let is_foreign = self.devices.get(&part.by).is_some();
        is_foreign && winner.is_some_and(|winner| stamp <= Some(winner.stamp))
    }

    fn name_of(&self, write: &Write) -> String {
        match write.device.get() {
            0 => SERVER_NAME.to_owned(),
            number => self
                .devices
                .named(number)
                .map_or_else(String::new, String::from),
        }
    }

    /// How far a count is.
    pub(super) fn counted(&self, name: &str) -> i64 {
        self.fold.sum(name)
    }
}

fn value_of(change: &Change) -> Option<&Value> {
    match change {
        Change::Set(value) | Change::Put { value, .. } => Some(value),
        _ => None,
    }
}

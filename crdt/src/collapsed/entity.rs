//! A whole entity in the collapsed form, decoded and ready to change.

use super::after::Made;
use super::register::WriteUndo;
use super::{CollapsedMap, CollapsedRegister, CollapsedSet, EffectiveStamp, Origin, Write};
use crate::clock::{LogPosition, Stamp};
use crate::entity::{Change, EntityTable, Kind};
use crate::lattice::Lattice;
use crate::register::MaxRegister;

/// A field's collapsed state.
#[derive(Clone, Debug, PartialEq)]
pub enum CollapsedField {
    /// A last-writer-wins or multi-value register.
    Register(CollapsedRegister),
    /// A max register and where it last rose.
    Max(MaxRegister, LogPosition),
    /// A sum and where it last changed: increments are exactly once in the log, so no device needs an entry.
    Counter(i64, LogPosition),
    /// A flag: a set whose one member is null.
    Flag(Box<CollapsedSet>),
    /// A set.
    Set(Box<CollapsedSet>),
    /// A map.
    Map(Box<CollapsedMap>),
}

impl CollapsedField {
    pub(super) fn empty(kind: &Kind) -> Self {
        match kind {
            Kind::Lww(_) | Kind::MultiValue(_) => Self::Register(CollapsedRegister::default()),
            Kind::Max => Self::Max(MaxRegister::default(), LogPosition::START),
            Kind::GrowCounter | Kind::Counter => Self::Counter(0, LogPosition::START),
            Kind::Flag => Self::Flag(Box::default()),
            Kind::Set(_) => Self::Set(Box::default()),
            Kind::Map { .. } => Self::Map(Box::default()),
        }
    }

    /// Where this field last changed visibly.
    #[inline]
    pub fn changed(&self) -> LogPosition {
        match self {
            Self::Register(CollapsedRegister {
                winner: Some(write),
                open: None,
            }) => write.position,
            Self::Register(register) => register.changed(),
            Self::Max(_, position) | Self::Counter(_, position) => *position,
            Self::Flag(set) | Self::Set(set) => set.changed(),
            Self::Map(map) => map.changed(),
        }
    }

    fn purge(&mut self, horizon: LogPosition, stable: LogPosition) {
        match self {
            Self::Flag(set) | Self::Set(set) => set.purge(horizon, stable),
            Self::Map(map) => map.purge(horizon, stable),
            Self::Register(_) | Self::Max(..) | Self::Counter(..) => {}
        }
    }
}

/// What folding an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Folded {
    /// Whether it shows: a write that lost to a concurrent one does not.
    pub(crate) wins: bool,
    /// Whether it left a removal marker.
    pub(crate) marked: bool,
}

/// How to take back one folded change of a field.
#[derive(Debug)]
pub(super) enum Undo {
    /// The field as it was; `None` for one that was never written.
    Field(Option<CollapsedField>),
    /// One write of a register.
    Write(WriteUndo),
}

/// An entity: a table and the fields that were ever written, by number.
#[derive(Clone, Debug, PartialEq)]
pub struct CollapsedEntity {
    pub(super) table: &'static EntityTable,
    pub(super) fields: Vec<(u16, CollapsedField)>,
}

impl CollapsedEntity {
    /// An entity that nobody wrote yet.
    pub fn new(table: &'static EntityTable) -> Self {
        Self {
            table,
            fields: Vec::new(),
        }
    }

    /// Its table.
    pub fn table(&self) -> &'static EntityTable {
        self.table
    }

    /// The fields that were written, numbers rising.
    pub fn fields(&self) -> impl Iterator<Item = (u16, &CollapsedField)> {
        self.fields.iter().map(|(number, field)| (*number, field))
    }

    /// One field.
    #[inline]
    pub fn field(&self, number: u16) -> Option<&CollapsedField> {
        self.place(number)
            .ok()
            .and_then(|place| self.fields.get(place))
            .map(|(_, field)| field)
    }

    /// The register that `change` of field `number` writes, if it writes one that exists.
    pub fn register(&self, number: u16, change: &Change) -> Option<&CollapsedRegister> {
        match (self.field(number)?, change) {
            (CollapsedField::Register(register), Change::Set(_)) => Some(register),
            (CollapsedField::Map(map), Change::Put { key, field, .. }) => {
                map.get(key)?.field(*field)
            }
            _ => None,
        }
    }

    /// The stamp to freeze for a change; see [`CollapsedRegister::effective_stamp`]. Changes of other types than
    /// registers do not compare stamps and keep theirs.
    pub fn effective_stamp(
        &self,
        origin: &Origin,
        number: u16,
        change: &Change,
        bracketed: Stamp,
        rank: u8,
    ) -> EffectiveStamp {
        match self.register(number, change) {
            Some(register) => register.effective_stamp(origin, bracketed, rank),
            None => EffectiveStamp {
                stamp: bracketed,
                by_authority: false,
            },
        }
    }

    /// Folds one admitted change. Positions rise from call to call; `change` was checked against the table.
    /// Answers whether the change shows.
    pub fn apply(
        &mut self,
        origin: &Origin,
        stamp: Stamp,
        rank: u8,
        number: u16,
        change: &Change,
    ) -> bool {
        let made = Made {
            origin: *origin,
            stamp,
            rank,
            field: number,
            change,
        };
        self.fold(&made, None).wins
    }

    /// Whether a change would show: what [`CollapsedEntity::apply`] would answer.
    pub(crate) fn would_show(&self, made: &Made<'_>) -> bool {
        let (origin, stamp, rank) = (&made.origin, made.stamp, made.rank);
        // Over a field that nobody wrote everything shows.
        let Some(field) = self.field(made.field) else {
            return self.table.field(made.field).is_some();
        };
        match (field, made.change) {
            (CollapsedField::Register(register), Change::Set(_)) => {
                register.would_win(origin, stamp, rank)
            }
            (CollapsedField::Max(held, _), Change::Raise { epoch, value }) => {
                !MaxRegister::of(*epoch, *value).is_included_in(held)
            }
            (CollapsedField::Flag(set), Change::Disable) => {
                set.would_go(origin, &crate::value::Value::Null)
            }
            (CollapsedField::Set(set), Change::Remove(member)) => set.would_go(origin, member),
            (CollapsedField::Set(set), Change::RemoveSeen { member, upto, at }) => {
                set.would_go_seen(member, *upto, *at)
            }
            (CollapsedField::Map(map), Change::Put { key, field, .. }) => {
                map.would_win(origin, key, *field, stamp, rank)
            }
            (CollapsedField::Map(map), Change::Drop { key }) => map.would_go(origin, key),
            (CollapsedField::Counter(..), Change::Add(_))
            | (CollapsedField::Flag(_), Change::Enable)
            | (CollapsedField::Set(_), Change::Insert(_)) => true,
            _ => false,
        }
    }

    /// As [`CollapsedEntity::apply`]; `undo` learns how to take back the write of a register.
    pub(super) fn fold(&mut self, made: &Made<'_>, undo: Option<&mut WriteUndo>) -> Folded {
        let Made {
            ref origin,
            stamp,
            rank,
            field: number,
            change,
        } = *made;
        let Some(row) = self.table.field(number) else {
            return Folded {
                wins: false,
                marked: false,
            };
        };
        let place = self.place(number).unwrap_or_else(|place| {
            self.fields
                .insert(place, (number, CollapsedField::empty(&row.kind)));
            place
        });
        let field = &mut self.fields[place].1;
        let write = |value: &crate::value::Value| Write {
            value: value.clone(),
            stamp,
            position: origin.position,
            device: origin.device,
            rank,
        };
        let (wins, marked) = match (field, change) {
            (CollapsedField::Register(register), Change::Set(value)) => (
                register.apply_noting(
                    origin,
                    write(value),
                    matches!(row.kind, Kind::MultiValue(_)),
                    undo,
                ),
                false,
            ),
            (CollapsedField::Max(held, changed), Change::Raise { epoch, value }) => {
                let reported = MaxRegister::of(*epoch, *value);
                let rises = !reported.is_included_in(held);
                if rises {
                    held.join(&reported);
                    *changed = origin.position;
                }
                (rises, false)
            }
            (CollapsedField::Counter(sum, changed), Change::Add(amount)) => {
                *sum = sum.saturating_add(*amount);
                *changed = origin.position;
                (true, false)
            }
            (CollapsedField::Flag(set), Change::Enable) => {
                set.insert(origin, &crate::value::Value::Null);
                (true, false)
            }
            (CollapsedField::Flag(set), Change::Disable) => {
                let gone = set.remove(origin, &crate::value::Value::Null);
                (gone || !set.contains(&crate::value::Value::Null), gone)
            }
            (CollapsedField::Set(set), Change::Insert(member)) => {
                set.insert(origin, member);
                (true, false)
            }
            (CollapsedField::Set(set), Change::Remove(member)) => {
                let gone = set.remove(origin, member);
                (gone || !set.contains(member), gone)
            }
            (CollapsedField::Set(set), Change::RemoveSeen { member, upto, at }) => {
                let gone = set.remove_seen(origin, member, *upto, *at);
                (gone || !set.contains(member), gone)
            }
            (CollapsedField::Map(map), Change::Put { key, field, value }) => {
                (map.put(origin, key, *field, write(value)), false)
            }
            (CollapsedField::Map(map), Change::Drop { key }) => {
                let gone = map.drop_item(origin, key);
                (map.get(key).is_none(), gone)
            }
            _ => (false, false),
        };
        Folded { wins, marked }
    }

    /// Takes back the last change of a field.
    pub(super) fn undo(&mut self, number: u16, undo: Undo) {
        match (self.place(number), undo) {
            (Ok(place), Undo::Field(Some(field))) => self.fields[place].1 = field,
            (Ok(place), Undo::Field(None)) => drop(self.fields.remove(place)),
            (Ok(place), Undo::Write(write)) => {
                if let CollapsedField::Register(register) = &mut self.fields[place].1 {
                    register.undo(write);
                }
            }
            (Err(place), Undo::Field(Some(field))) => self.fields.insert(place, (number, field)),
            (Err(_), _) => {}
        }
    }

    /// Drops removal markers that every device has passed.
    pub(crate) fn purge(&mut self, horizon: LogPosition, stable: LogPosition) {
        for (_, field) in &mut self.fields {
            field.purge(horizon, stable);
        }
    }

    fn place(&self, number: u16) -> Result<usize, usize> {
        let guess = usize::from(number).wrapping_sub(1);
        if self
            .fields
            .get(guess)
            .is_some_and(|(held, _)| *held == number)
        {
            return Ok(guess);
        }
        self.fields.binary_search_by_key(&number, |(held, _)| *held)
    }
}

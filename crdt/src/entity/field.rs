//! The state of one field in the reference form, whichever way it merges.

use super::{Change, Kind};
use crate::clock::{Dot, DotContext, Stamp};
use crate::counter::{GrowCounter, PnCounter};
use crate::lattice::Lattice;
use crate::register::{LwwRegister, MaxRegister, StampedValue};
use crate::replica::Replica;
use crate::store::{DotFun, DotMap, DotSet, DotStore};
use crate::value::Value;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// The concurrent writes of one item field.
pub(super) type Writes<R> = DotFun<R, StampedValue>;

/// A field's state. The first four are lattices by themselves; the others live under the entity's context.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldState<R: Replica> {
    /// See [`LwwRegister`].
    Lww(LwwRegister<R>),
    /// See [`MaxRegister`].
    Max(MaxRegister),
    /// See [`GrowCounter`].
    GrowCounter(GrowCounter<R>),
    /// See [`PnCounter`].
    Counter(PnCounter<R>),
    /// The concurrent writes of a multi-value register.
    MultiValue(DotFun<R, StampedValue>),
    /// The live enablings of a flag.
    Flag(DotSet<R>),
    /// The members of a set with their live additions.
    Set(DotMap<Value, DotSet<R>>),
    /// The items of a map, by key and item field.
    Map(DotMap<Value, DotMap<u16, DotFun<R, StampedValue>>>),
}

impl<R: Replica> FieldState<R> {
    /// The bottom of fields of this kind.
    pub(super) fn bottom(kind: &Kind) -> Self {
        match kind {
            Kind::Lww(_) => Self::Lww(LwwRegister::default()),
            Kind::MultiValue(_) => Self::MultiValue(DotFun::default()),
            Kind::Max => Self::Max(MaxRegister::default()),
            Kind::GrowCounter => Self::GrowCounter(GrowCounter::default()),
            Kind::Counter => Self::Counter(PnCounter::default()),
            Kind::Flag => Self::Flag(DotSet::default()),
            Kind::Set(_) => Self::Set(DotMap::default()),
            Kind::Map { .. } => Self::Map(DotMap::default()),
        }
    }

    /// The bottom of the same kind.
    pub(super) fn same_bottom(&self) -> Self {
        match self {
            Self::Lww(_) => Self::Lww(LwwRegister::default()),
            Self::Max(_) => Self::Max(MaxRegister::default()),
            Self::GrowCounter(_) => Self::GrowCounter(GrowCounter::default()),
            Self::Counter(_) => Self::Counter(PnCounter::default()),
            Self::MultiValue(_) => Self::MultiValue(DotFun::default()),
            Self::Flag(_) => Self::Flag(DotSet::default()),
            Self::Set(_) => Self::Set(DotMap::default()),
            Self::Map(_) => Self::Map(DotMap::default()),
        }
    }

    pub(super) fn is_bottom(&self) -> bool {
        *self == self.same_bottom()
    }

    /// Joins under the contexts of the two entities. Both sides come from one table, so their kinds agree.
    pub(super) fn join(&mut self, own: &DotContext<R>, other: &Self, others: &DotContext<R>) {
        match (self, other) {
            (Self::Lww(left), Self::Lww(right)) => left.join(right),
            (Self::Max(left), Self::Max(right)) => left.join(right),
            (Self::GrowCounter(left), Self::GrowCounter(right)) => left.join(right),
            (Self::Counter(left), Self::Counter(right)) => left.join(right),
            (Self::MultiValue(left), Self::MultiValue(right)) => left.join(own, right, others),
            (Self::Flag(left), Self::Flag(right)) => left.join(own, right, others),
            (Self::Set(left), Self::Set(right)) => left.join(own, right, others),
            (Self::Map(left), Self::Map(right)) => left.join(own, right, others),
            _ => unreachable!("one table gives a field one kind"),
        }
    }

    /// The parts that carry no dot: those of the plain lattices.
    pub(super) fn plain_parts(&self) -> Vec<Self> {
        match self {
            Self::Lww(state) => state.decompose().map(Self::Lww).collect(),
            Self::Max(state) => state.decompose().map(Self::Max).collect(),
            Self::GrowCounter(state) => state.decompose().map(Self::GrowCounter).collect(),
            Self::Counter(state) => state.decompose().map(Self::Counter).collect(),
            Self::MultiValue(_) | Self::Flag(_) | Self::Set(_) | Self::Map(_) => Vec::new(),
        }
    }

    /// The parts that stand under a dot.
    pub(super) fn dotted_parts(&self) -> Vec<(Dot<R>, Self)> {
        match self {
            Self::MultiValue(store) => store
                .split()
                .into_iter()
                .map(|(dot, part)| (dot, Self::MultiValue(part)))
                .collect(),
            Self::Flag(store) => store
                .split()
                .into_iter()
                .map(|(dot, part)| (dot, Self::Flag(part)))
                .collect(),
            Self::Set(store) => store
                .split()
                .into_iter()
                .map(|(dot, part)| (dot, Self::Set(part)))
                .collect(),
            Self::Map(store) => store
                .split()
                .into_iter()
                .map(|(dot, part)| (dot, Self::Map(part)))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Calls `visit` with every live dot.
    pub(super) fn visit_dots(&self, visit: &mut dyn FnMut(&Dot<R>)) {
        match self {
            Self::MultiValue(store) => store.visit_dots(visit),
            Self::Flag(store) => store.visit_dots(visit),
            Self::Set(store) => store.visit_dots(visit),
            Self::Map(store) => store.visit_dots(visit),
            Self::Lww(_) | Self::Max(_) | Self::GrowCounter(_) | Self::Counter(_) => {}
        }
    }

    /// The delta of a checked change made under `dot` at `stamp`: the field's part of it and the dots it replaces.
    pub(super) fn delta(&self, dot: &Dot<R>, stamp: Stamp, change: &Change) -> (Self, Vec<Dot<R>>) {
        let replica = || dot.replica.clone();
        match (self, change) {
            (Self::Lww(_), Change::Set(value)) => (
                Self::Lww(LwwRegister::of(stamp, replica(), value.clone())),
                Vec::new(),
            ),
            (Self::Max(_), Change::Raise { epoch, value }) => {
                (Self::Max(MaxRegister::of(*epoch, *value)), Vec::new())
            }
            (Self::GrowCounter(state), Change::Add(amount)) => (
                Self::GrowCounter(state.clone().increment(replica(), amount.unsigned_abs())),
                Vec::new(),
            ),
            (Self::Counter(state), Change::Add(amount)) => (
                Self::Counter(state.clone().add(replica(), *amount)),
                Vec::new(),
            ),
            (Self::MultiValue(store), Change::Set(value)) => {
                let written = DotFun::of(
                    dot.clone(),
                    StampedValue {
                        stamp,
                        value: value.clone(),
                    },
                );
                (Self::MultiValue(written), dots_of(store))
            }
            (Self::Flag(store), Change::Enable) => {
                (Self::Flag(DotSet::of(dot.clone())), dots_of(store))
            }
            (Self::Set(store), Change::Insert(member)) => {
                let written = DotMap::of(member.clone(), DotSet::of(dot.clone()));
                (
                    Self::Set(written),
                    store.get(member).map_or_else(Vec::new, dots_of),
                )
            }
            (Self::Map(store), Change::Put { key, field, value }) => {
                let write: Writes<R> = DotFun::of(
                    dot.clone(),
                    StampedValue {
                        stamp,
                        value: value.clone(),
                    },
                );
                let replaced = store
                    .get(key)
                    .and_then(|item| item.get(field))
                    .map_or_else(Vec::new, dots_of);
                (
                    Self::Map(DotMap::of(key.clone(), DotMap::of(*field, write))),
                    replaced,
                )
            }
            (Self::Flag(store), Change::Disable) => (self.same_bottom(), dots_of(store)),
            // A reference knows no positions: there it removes what this replica has.
            (Self::Set(store), Change::Remove(member) | Change::RemoveSeen { member, .. }) => (
                self.same_bottom(),
                store.get(member).map_or_else(Vec::new, dots_of),
            ),
            (Self::Map(store), Change::Drop { key }) => (
                self.same_bottom(),
                store.get(key).map_or_else(Vec::new, dots_of),
            ),
            _ => unreachable!("the change was checked against the field's kind"),
        }
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Lww(state) => state.encode(writer),
            Self::Max(state) => state.encode(writer),
            Self::GrowCounter(state) => state.encode(writer),
            Self::Counter(state) => state.encode(writer),
            Self::MultiValue(store) => store.encode(writer),
            Self::Flag(store) => store.encode(writer),
            Self::Set(store) => store.encode(writer),
            Self::Map(store) => store.encode(writer),
        }
    }

    pub(super) fn decode(kind: &Kind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            Kind::Lww(_) => Self::Lww(Wire::decode(reader)?),
            Kind::MultiValue(_) => Self::MultiValue(Wire::decode(reader)?),
            Kind::Max => Self::Max(Wire::decode(reader)?),
            Kind::GrowCounter => Self::GrowCounter(Wire::decode(reader)?),
            Kind::Counter => Self::Counter(Wire::decode(reader)?),
            Kind::Flag => Self::Flag(Wire::decode(reader)?),
            Kind::Set(_) => Self::Set(Wire::decode(reader)?),
            Kind::Map { .. } => Self::Map(Wire::decode(reader)?),
        })
    }

    /// Why a decoded state does not fit its row: a value of another type, or an item field that does not exist.
    pub(super) fn refusal(&self, kind: &Kind) -> Option<&'static str> {
        match (self, kind) {
            (Self::Lww(state), Kind::Lww(of)) => of.refusal(state.value()),
            (Self::MultiValue(store), Kind::MultiValue(of)) => {
                store.iter().find_map(|(_, write)| of.refusal(&write.value))
            }
            (Self::Set(store), Kind::Set(of)) => {
                store.iter().find_map(|(member, _)| key_refusal(of, member))
            }
            (Self::Map(store), Kind::Map { key: of, items }) => {
                store.iter().find_map(|(key, item)| {
                    key_refusal(of, key).or_else(|| {
                        item.iter().find_map(|(number, writes)| {
                            let Some(row) = super::table::find_row(items, *number) else {
                                return Some("no such item field");
                            };
                            Self::MultiValue(writes.clone()).refusal(&row.kind)
                        })
                    })
                })
            }
            _ => None,
        }
    }
}

fn key_refusal(of: &super::ValueType, key: &Value) -> Option<&'static str> {
    if key.is_null() {
        Some("a member or key cannot be null")
    } else {
        of.refusal(key)
    }
}

fn dots_of<S: DotStore>(store: &S) -> Vec<Dot<S::Replica>> {
    store.live_dots().into_iter().collect()
}

/// Item field numbers are keys of a dot map.
impl Wire for u16 {
    fn encode(&self, writer: &mut Writer) {
        writer.varint((*self).into());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.varint_u16("field number")
    }
}

//! What a device sees of an entity: values without bookkeeping, and the updates that bring them up to date.

use super::{CollapsedEntity, CollapsedField, CollapsedItem, CollapsedRegister, Write};
use crate::clock::{LogPosition, Stamp};
use crate::entity::{Change, Kind};
use crate::register::MaxRegister;
use crate::replica::DeviceId;
use crate::value::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A write as a device sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewWrite {
    /// What.
    pub value: Value,
    /// When, as the server fixed it.
    pub stamp: Stamp,
    /// Who.
    pub device: DeviceId,
}

/// A register as a device sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisterView {
    /// The value to show.
    pub winner: ViewWrite,
    /// Concurrent writes to choose from, greatest first; empty when there is no conflict.
    pub siblings: Vec<ViewWrite>,
    /// Whether there were more siblings than are kept.
    pub lost_siblings: bool,
}

/// A field as a device sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldView {
    /// A register.
    Register(RegisterView),
    /// A reading.
    Max(MaxRegister),
    /// A sum.
    Counter(i64),
    /// A flag.
    Flag(bool),
    /// A set's members.
    Set(BTreeSet<Value>),
    /// A map's items: fields by number.
    Map(BTreeMap<Value, BTreeMap<u16, RegisterView>>),
}

/// One change of a view, as a page carries it.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// The field is now this.
    Whole(FieldView),
    /// The member is now in the set, or not.
    Member(Value, bool),
    /// The item is now this, or gone.
    Item(Value, Option<BTreeMap<u16, RegisterView>>),
}

/// An entity as a device sees it. Fields that show nothing (no member, no item, a flag that is off) are left out: who
/// comes late never hears that they once were more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntityView {
    /// Fields by number.
    pub fields: BTreeMap<u16, FieldView>,
}

impl ViewWrite {
    fn of(write: &Write) -> Self {
        Self {
            value: write.value.clone(),
            stamp: write.stamp,
            device: write.device,
        }
    }
}

impl RegisterView {
    /// What `register` shows; `None` while it is empty.
    pub(super) fn of(register: &CollapsedRegister) -> Option<Self> {
        Some(Self {
            winner: ViewWrite::of(register.winner()?),
            siblings: register.siblings().iter().map(ViewWrite::of).collect(),
            lost_siblings: register.has_lost_siblings(),
        })
    }

    fn local(stamp: Stamp, device: DeviceId, value: &Value) -> Self {
        let winner = ViewWrite {
            value: value.clone(),
            stamp,
            device,
        };
        Self {
            winner,
            siblings: Vec::new(),
            lost_siblings: false,
        }
    }
}

fn view_of_item(item: &CollapsedItem) -> BTreeMap<u16, RegisterView> {
    let fields = item
        .fields
        .iter()
        .filter_map(|(number, register)| Some((*number, RegisterView::of(register)?)));
    fields.collect()
}

impl FieldView {
    fn shows_nothing(&self) -> bool {
        match self {
            Self::Flag(on) => !on,
            Self::Set(members) => members.is_empty(),
            Self::Map(items) => items.is_empty(),
            Self::Register(_) | Self::Max(_) | Self::Counter(_) => false,
        }
    }

    /// What `field` shows; `None` while it shows nothing.
    pub(super) fn of(field: &CollapsedField) -> Option<Self> {
        Some(match field {
            CollapsedField::Register(register) => Self::Register(RegisterView::of(register)?),
            CollapsedField::Max(reading, _) => Self::Max(*reading),
            CollapsedField::Counter(sum, _) => Self::Counter(*sum),
            CollapsedField::Flag(set) => Self::Flag(!set.is_empty()),
            CollapsedField::Set(set) => Self::Set(set.members().cloned().collect()),
            CollapsedField::Map(map) => Self::Map(
                map.items
                    .iter()
                    .map(|(key, item)| (key.clone(), view_of_item(item)))
                    .collect(),
            ),
        })
    }
}

/// Calls `visit` with every update of `field` since `from`, in key order.
pub(crate) fn updates_since(
    field: &CollapsedField,
    from: LogPosition,
    visit: &mut dyn FnMut(Update),
) {
    if field.changed() <= from {
        return;
    }
    match field {
        CollapsedField::Set(set) if set.purged <= from => {
            for (member, additions) in set.live() {
                if additions.iter().any(|addition| addition.position > from) {
                    visit(Update::Member(member.clone(), true));
                }
            }
            for (member, position) in set.gone() {
                if position > from {
                    visit(Update::Member(member.clone(), false));
                }
            }
        }
        CollapsedField::Map(map) if map.purged <= from => {
            for (key, item) in map.items.iter().filter(|(_, item)| item.changed > from) {
                visit(Update::Item(key.clone(), Some(view_of_item(item))));
            }
            for key in later(&map.markers, from) {
                visit(Update::Item(key.clone(), None));
            }
        }
        field => {
            if let Some(view) = FieldView::of(field) {
                visit(Update::Whole(view));
            }
        }
    }
}

fn later(
    markers: &BTreeMap<Value, LogPosition>,
    from: LogPosition,
) -> impl Iterator<Item = &Value> {
    markers
        .iter()
        .filter(move |(_, position)| **position > from)
        .map(|(key, _)| key)
}

impl EntityView {
    /// What `entity` shows.
    pub fn of(entity: &CollapsedEntity) -> Self {
        let fields = entity
            .fields()
            .filter_map(|(number, field)| Some((number, FieldView::of(field)?)));
        Self {
            fields: fields.filter(|(_, view)| !view.shows_nothing()).collect(),
        }
    }

    /// Takes in what a page says of one field.
    pub fn update(&mut self, number: u16, update: Update) {
        match update {
            Update::Whole(view) if view.shows_nothing() => {
                self.fields.remove(&number);
                return;
            }
            Update::Whole(view) => {
                self.fields.insert(number, view);
                return;
            }
            Update::Member(member, present) => {
                let held = self
                    .fields
                    .entry(number)
                    .or_insert_with(|| FieldView::Set(BTreeSet::new()));
                let FieldView::Set(members) = held else {
                    return;
                };
                if present {
                    members.insert(member);
                } else {
                    members.remove(&member);
                }
            }
            Update::Item(key, item) => {
                let held = self
                    .fields
                    .entry(number)
                    .or_insert_with(|| FieldView::Map(BTreeMap::new()));
                let FieldView::Map(items) = held else { return };
                match item {
                    Some(item) => items.insert(key, item),
                    None => items.remove(&key),
                };
            }
        }
        self.leave_out_nothing(number);
    }

    fn leave_out_nothing(&mut self, number: u16) {
        if self
            .fields
            .get(&number)
            .is_some_and(FieldView::shows_nothing)
        {
            self.fields.remove(&number);
        }
    }

    /// Shows a change of this device that the server has not answered yet. The device saw everything it shows, so its
    /// change replaces that; the server's page has the last word.
    pub fn overlay(
        &mut self,
        kind: &Kind,
        number: u16,
        device: DeviceId,
        stamp: Stamp,
        change: &Change,
    ) {
        let empty = || CollapsedField::empty(kind);
        let fresh = || {
            FieldView::of(&empty()).unwrap_or_else(|| {
                FieldView::Register(RegisterView::local(stamp, device, &Value::Null))
            })
        };
        let held = self.fields.entry(number).or_insert_with(fresh);
        match (held, change) {
            (FieldView::Register(register), Change::Set(value)) => {
                *register = RegisterView::local(stamp, device, value)
            }
            (FieldView::Max(reading), Change::Raise { epoch, value }) => {
                crate::lattice::Lattice::join(reading, &MaxRegister::of(*epoch, *value));
            }
            (FieldView::Counter(sum), Change::Add(amount)) => *sum = sum.saturating_add(*amount),
            (FieldView::Flag(flag), Change::Enable) => *flag = true,
            (FieldView::Flag(flag), Change::Disable) => *flag = false,
            (FieldView::Set(members), Change::Insert(member)) => {
                members.insert(member.clone());
            }
            (
                FieldView::Set(members),
                Change::Remove(member) | Change::RemoveSeen { member, .. },
            ) => {
                members.remove(member);
            }
            (FieldView::Map(items), Change::Put { key, field, value }) => {
                items
                    .entry(key.clone())
                    .or_default()
                    .insert(*field, RegisterView::local(stamp, device, value));
            }
            (FieldView::Map(items), Change::Drop { key }) => {
                items.remove(key);
            }
            _ => {}
        }
        self.leave_out_nothing(number);
    }
}

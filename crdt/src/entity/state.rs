//! The reference state of a whole entity: its fields under one context.

use super::{Change, ChangeError, EntityTable, FieldState};
use crate::clock::{Dot, DotContext, Stamp};
use crate::lattice::Lattice;
use crate::register::winner_of;
use crate::replica::Replica;
use crate::value::Value;
use crate::wire::{DecodeError, INPUT_BYTES_MAX, Reader, Wire, Writer};
use std::collections::BTreeMap;

/// An entity as a lattice. It merges with any state of the same table, in any order, any number of times.
///
/// `Default` is the bottom of every table; the table is given where a number needs a meaning.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityState<R: Replica> {
    fields: BTreeMap<u16, FieldState<R>>,
    context: DotContext<R>,
}

impl<R: Replica> Default for EntityState<R> {
    fn default() -> Self {
        Self {
            fields: BTreeMap::new(),
            context: DotContext::default(),
        }
    }
}

impl<R: Replica> EntityState<R> {
    /// The state of one field; `None` while it is bottom.
    pub fn field(&self, number: u16) -> Option<&FieldState<R>> {
        self.fields.get(&number)
    }

    /// The fields that are not bottom, by number.
    pub fn fields(&self) -> impl Iterator<Item = (u16, &FieldState<R>)> {
        self.fields.iter().map(|(number, state)| (*number, state))
    }

    /// The dots this state has seen.
    pub fn context(&self) -> &DotContext<R> {
        &self.context
    }

    /// The value a register shows: the winner's; null when it was never written or is no register.
    pub fn value(&self, number: u16) -> Value {
        match self.fields.get(&number) {
            Some(FieldState::Lww(state)) => state.value().clone(),
            Some(FieldState::MultiValue(store)) => {
                winner_of(store).map_or(Value::Null, |(_, write)| write.value.clone())
            }
            _ => Value::Null,
        }
    }

    /// Makes a change under `dot` at `stamp` and returns the delta. What it replaces is what this state shows.
    ///
    /// The dot must be new: one beyond every dot of its replica seen so far. It is recorded even when nothing depends
    /// on it, so that contexts have no gaps.
    ///
    /// # Errors
    /// When the field does not exist or does not take the change; nothing is changed then.
    pub fn apply(
        &mut self,
        table: &EntityTable,
        number: u16,
        dot: Dot<R>,
        stamp: Stamp,
        change: &Change,
    ) -> Result<Self, ChangeError> {
        let row = table
            .field(number)
            .ok_or(ChangeError::UnknownField { number })?;
        change.check(row)?;
        let bottom = FieldState::bottom(&row.kind);
        let held = self.fields.get(&number).unwrap_or(&bottom);
        let (state, replaced) = held.delta(&dot, stamp, change);
        let mut context = DotContext::of(replaced);
        context.insert(dot);
        let mut delta = Self {
            fields: BTreeMap::new(),
            context,
        };
        delta.put(number, state);
        self.join(&delta);
        Ok(delta)
    }

    /// Puts a field's state in place; bottoms are not kept, so that equal states are equal.
    pub(crate) fn put(&mut self, number: u16, state: FieldState<R>) {
        if state.is_bottom() {
            self.fields.remove(&number);
        } else {
            self.fields.insert(number, state);
        }
    }

    /// Adds to what the state has seen; for states from clients that carry a vector clock beside their fields.
    pub fn observe(&mut self, context: &DotContext<R>) {
        self.context.join(context);
    }

    fn live_dots(&self) -> std::collections::BTreeSet<Dot<R>> {
        let mut dots = std::collections::BTreeSet::new();
        for state in self.fields.values() {
            state.visit_dots(&mut |dot| {
                dots.insert(dot.clone());
            });
        }
        dots
    }

    /// The canonical bytes: context, count of fields, then (number, state) with numbers rising. No table is needed to
    /// write; one is needed to read.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.context.encode(&mut writer);
        writer.count(self.fields.len());
        for (number, state) in &self.fields {
            writer.varint((*number).into());
            state.encode(&mut writer);
        }
        writer.into_bytes()
    }

    /// Reads a state of `table`.
    ///
    /// # Errors
    /// Bytes that are not canonical, fields or values that do not fit the table, live dots outside the context.
    pub fn from_bytes(table: &EntityTable, bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > INPUT_BYTES_MAX {
            return Err(DecodeError::TooLarge {
                what: "entity",
                limit: INPUT_BYTES_MAX,
            });
        }
        let mut reader = Reader::new(bytes);
        let mut entity = Self {
            context: DotContext::decode(&mut reader)?,
            fields: BTreeMap::new(),
        };
        for _ in 0..reader.count(2)? {
            let number = reader.varint_u16("field number")?;
            let row = table.field(number).ok_or(DecodeError::Field {
                number,
                reason: "no such field",
            })?;
            let state = FieldState::decode(&row.kind, &mut reader)?;
            let not_rising = entity
                .fields
                .last_key_value()
                .is_some_and(|(last, _)| *last >= number);
            if not_rising || state.is_bottom() {
                return Err(DecodeError::NotCanonical { what: "fields" });
            }
            if let Some(reason) = state.refusal(&row.kind) {
                return Err(DecodeError::Field { number, reason });
            }
            entity.fields.insert(number, state);
        }
        reader.finish()?;
        if entity
            .live_dots()
            .iter()
            .all(|dot| entity.context.contains(dot))
        {
            Ok(entity)
        } else {
            Err(DecodeError::NotCanonical {
                what: "live dot outside the context",
            })
        }
    }
}

impl<R: Replica> Lattice for EntityState<R> {
    fn join(&mut self, other: &Self) {
        for (number, state) in &mut self.fields {
            match other.fields.get(number) {
                Some(others) => state.join(&self.context, others, &other.context),
                None => state.join(&self.context, &state.same_bottom(), &other.context),
            }
        }
        for (number, state) in &other.fields {
            if !self.fields.contains_key(number) {
                let mut joined = state.same_bottom();
                joined.join(&self.context, state, &other.context);
                self.fields.insert(*number, joined);
            }
        }
        self.fields.retain(|_, state| !state.is_bottom());
        self.context.join(&other.context);
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        let plain = self.fields.iter().flat_map(|(number, state)| {
            state.plain_parts().into_iter().map(|part| Self {
                fields: BTreeMap::from([(*number, part)]),
                context: DotContext::default(),
            })
        });
        let mut live: BTreeMap<Dot<R>, BTreeMap<u16, FieldState<R>>> = BTreeMap::new();
        for (number, state) in &self.fields {
            for (dot, part) in state.dotted_parts() {
                live.entry(dot).or_default().insert(*number, part);
            }
        }
        let dotted = self.context.dots().map(move |dot| Self {
            fields: live.remove(&dot).unwrap_or_default(),
            context: DotContext::of([dot]),
        });
        Box::new(plain.chain(dotted))
    }

    fn difference(&self, other: &Self) -> Self {
        let mut delta = Self::default();
        for part in self.fields.iter().flat_map(|(number, state)| {
            state
                .plain_parts()
                .into_iter()
                .map(move |part| (*number, part))
        }) {
            let part = Self {
                fields: BTreeMap::from([part]),
                context: DotContext::default(),
            };
            if !part.is_included_in(other) {
                delta.join(&part);
            }
        }
        let alive = self.live_dots();
        let mut news = self.context.without(&other.context);
        for dot in other.live_dots() {
            if self.context.contains(&dot) && !alive.contains(&dot) {
                news.insert(dot);
            }
        }
        let mut dotted = Self {
            fields: BTreeMap::new(),
            context: news,
        };
        for (number, state) in &self.fields {
            for (dot, part) in state.dotted_parts() {
                if dotted.context.contains(&dot) {
                    let bottom = part.same_bottom();
                    let held = dotted.fields.entry(*number).or_insert(bottom);
                    // Disjoint dots: with an empty context on this side every dot of the part is taken.
                    held.join(&DotContext::default(), &part, &DotContext::of([dot]));
                }
            }
        }
        delta.join(&dotted);
        delta
    }
}

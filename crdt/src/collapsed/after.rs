//! What a change comes to, told before it is folded.
//!
//! A push is judged before the log has it, and nearly every operation of a push is the only one that changes its entity
//! there. Such a one needs no trial: what anybody asks of the state behind it is worked out from the state before it.

use super::entity::{CollapsedEntity, CollapsedField};
use super::register::{CollapsedRegister, SIBLINGS_MAX, Write};
use super::{EntityId, Origin};
use crate::clock::Stamp;
use crate::entity::{Change, EntityTable, Kind};
use crate::value::Value;
use std::borrow::Cow;

/// A change with everything that folding it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made<'a> {
    pub(crate) origin: Origin,
    pub(crate) stamp: Stamp,
    pub(crate) rank: u8,
    pub(crate) field: u16,
    pub(crate) change: &'a Change,
}

/// An entity as an operation leaves it.
#[derive(Clone, Copy, Debug)]
pub struct After<'a> {
    id: EntityId<'a>,
    entity: &'a CollapsedEntity,
    /// What the operation changed; `None` where it counts for nothing, or created the entity.
    made: Option<Made<'a>>,
    /// Whether `made` is in `entity` already.
    is_folded: bool,
}

impl<'a> After<'a> {
    pub(crate) fn new(
        id: EntityId<'a>,
        entity: &'a CollapsedEntity,
        made: Option<Made<'a>>,
        is_folded: bool,
    ) -> Self {
        Self {
            id,
            entity,
            made,
            is_folded,
        }
    }

    /// The entity's id.
    pub fn id(&self) -> EntityId<'a> {
        self.id
    }

    /// The entity's table.
    pub fn table(&self) -> &'static EntityTable {
        self.entity.table()
    }

    /// The whole entity: a copy of it, where the change is not folded yet.
    pub fn entity(&self) -> Cow<'a, CollapsedEntity> {
        match &self.made {
            Some(made) if !self.is_folded => {
                let mut entity = self.entity.clone();
                entity.fold(made, None);
                Cow::Owned(entity)
            }
            _ => Cow::Borrowed(self.entity),
        }
    }

    /// Whether the write of a register is what the register shows now.
    pub fn wins(&self) -> bool {
        let Some((register, made)) = self.written() else {
            // Nobody wrote it before.
            return self
                .made
                .is_some_and(|made| made.change.written().is_some());
        };
        if self.is_folded {
            let winner = register.winner();
            winner.is_some_and(|winner| winner.position == made.origin.position)
        } else {
            register.would_win(&made.origin, made.stamp, made.rank)
        }
    }

    /// The value of a register that disagrees with the one written: the one that stands where the write did not win, else
    /// the greatest other one that it won over without having seen it and that is kept beside it.
    pub fn disagreeing(&self) -> Option<&'a Value> {
        let (register, made) = self.written()?;
        let written = made.change.written()?;
        let is_own = |write: &&Write| {
            if self.is_folded {
                write.position == made.origin.position
            } else {
                write.was_seen_by(&made.origin)
            }
        };
        let winner = register.winner().into_iter();
        let mut others = winner
            .chain(register.siblings())
            .filter(|write| !is_own(write));
        let found = if self.wins() {
            let kept = if self.keeps_siblings(made) {
                SIBLINGS_MAX
            } else {
                0
            };
            others.take(kept).find(|write| write.value != *written)
        } else {
            others.next().filter(|write| write.value != *written)
        };
        found.map(|write| &write.value)
    }

    /// The register that was written, if there was one before.
    fn written(&self) -> Option<(&'a CollapsedRegister, &Made<'a>)> {
        let made = self.made.as_ref()?;
        let register = self.entity.register(made.field, made.change)?;
        Some((register, made))
    }

    fn keeps_siblings(&self, made: &Made<'_>) -> bool {
        match self.entity.field(made.field) {
            Some(CollapsedField::Register(_)) => {
                let row = self.table().field(made.field);
                row.is_some_and(|row| matches!(row.kind, Kind::MultiValue(_)))
            }
            // An item's fields are all under review.
            _ => true,
        }
    }
}

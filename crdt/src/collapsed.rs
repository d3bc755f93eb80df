//! The forms the depot's server keeps: one log and in-order pushes make causality two integers.
//!
//! An operation knows exactly what stands at or below its `base` (the log head at which its device's view was whole)
//! and what its own device wrote before. So registers keep a position a write instead of a context, sets keep no
//! removed dots, a counter is its sum. The forms rely on log order per entity: [`CollapsedEntity::apply`] is called
//! with rising positions, and the result equals the reference [`crate::EntityState`] folded from the same operations in
//! any order (a property test).
//!
//! On the way of the data: [`crate::sync::Depot`] admits an operation, freezes its effective stamp, and folds the
//! record here; [`EntityStore`] holds the entities packed and answers what changed since a position.

mod after;
mod entity;
mod items;
mod members;
mod origin;
mod packed;
mod register;
mod store;
mod view;

pub use after::After;
pub(crate) use after::Made;
pub use entity::{CollapsedEntity, CollapsedField};
pub use items::{CollapsedItem, CollapsedMap};
pub use members::CollapsedSet;
pub use origin::{Origin, SERVER};
pub use register::{CollapsedRegister, EffectiveStamp, SIBLINGS_MAX, Write};
pub use store::{ENTITY_ID_BYTES_MAX, EntityId, EntityStore, Handle, StoreError};
pub(crate) use view::updates_since;
pub use view::{EntityView, FieldView, RegisterView, Update, ViewWrite};

#[cfg(test)]
mod tests;

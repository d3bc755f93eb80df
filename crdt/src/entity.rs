//! Entities: a table says which field merges how, and nothing else has to be written for a new entity.
//!
//! [`EntityTable`] is that table, [`Change`] is what can happen to a field, [`EntityState`] is the reference lattice of
//! a whole entity. The server's compact form of the same entity is [`crate::collapsed`].

mod change;
mod field;
mod state;
mod table;

pub use change::{Change, ChangeError};
pub use field::FieldState;
pub use state::EntityState;
pub(crate) use table::find_row;
pub use table::{EntityTable, FieldRow, Kind, ValueType};

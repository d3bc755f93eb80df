//! State that merges: replicated data types for tablets that work offline, and the forms the depot's server keeps.
//!
//! The crate is pure. It reads no clock, opens no file and knows no HTTP; milliseconds, dots and positions are passed
//! in, so a seed replays every run. It has two halves that must agree:
//!
//! * **The reference**: lattices with dots and contexts that merge in any order, any number of times, between any
//!   replicas. [`LwwRegister`], [`MultiValueRegister`], [`MaxRegister`], [`GrowCounter`], [`PnCounter`], [`OrSet`],
//!   [`EnableWinsFlag`], [`OrMap`], and [`EntityState`] made of them by an [`EntityTable`]. See [`Lattice`] for the laws.
//! * **The collapsed forms** ([`collapsed`], [`sync`]): with one log and in-order pushes two integers decide causality
//!   exactly, so the server keeps neither dots nor contexts. A property test holds both halves together.
//!
//! ```
//! use crdt::{DeviceId, Lattice, OrSet, Value};
//!
//! let (tablet, office) = (DeviceId::new(1), DeviceId::new(2));
//! let mut mine = OrSet::default();
//! let added = mine.add(&tablet, Value::from("brake pads"));
//!
//! let mut theirs = OrSet::default();
//! theirs.join(&added);
//! let removed = theirs.remove(&Value::from("brake pads"));
//! // The tablet adds the part again before it hears of the removal: the addition nobody had seen stays.
//! mine.add(&tablet, Value::from("brake pads"));
//! mine.join(&removed);
//! theirs.join(&mine);
//! assert!(mine.contains(&Value::from("brake pads")) && mine == theirs);
//! # let _ = office;
//! ```
//!
//! Not here: who may write what (the caller judges, see [`sync::Judge`]), durability, transport, and the tables of real
//! entities. `docs/CRDT_SYNC.md` explains the types and draws the encodings.

#![forbid(unsafe_code)]

pub mod clock;
pub mod collapsed;

mod counter;
pub mod entity;
mod flag;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod json;

mod lattice;
mod map;
mod register;
mod replica;
mod rule;
mod set;
mod store;
pub mod sync;

mod value;
pub mod wire;

#[cfg(test)]
mod tests;

pub use clock::{Causality, Dot, DotContext, HybridClock, LogPosition, Stamp, VectorClock};
pub use counter::{GrowCounter, PnCounter};
pub use entity::{
    Change, ChangeError, EntityState, EntityTable, FieldRow, FieldState, Kind, ValueType,
};
pub use flag::EnableWinsFlag;
pub use lattice::Lattice;
pub use map::OrMap;
pub use register::{LwwRegister, LwwWrite, MaxRegister, MultiValueRegister, StampedValue};
pub use replica::{DEVICE_NAME_BYTES_MAX, DeviceId, DeviceName, Replica};
pub use set::OrSet;
pub use store::{Causal, DotFun, DotMap, DotSet, DotStore};
pub use value::{Real, Value};
pub use wire::{DecodeError, Wire};

#[cfg(any(test, feature = "fuzzing"))]
extern crate self as crdt;

#[cfg(test)]
mod sim;

#[cfg(test)]
mod vectors;

//! Registers: one value that many may write.

mod lww;
mod max;
mod multi_value;

pub use lww::{LwwRegister, LwwWrite};
pub use max::MaxRegister;
pub(crate) use multi_value::winner_of;
pub use multi_value::{MultiValueRegister, StampedValue};

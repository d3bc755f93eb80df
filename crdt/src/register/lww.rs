//! The last-writer-wins register: later stamp, then greater replica, then greater value.

use crate::clock::Stamp;
use crate::lattice::Lattice;
use crate::replica::Replica;
use crate::value::Value;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// One write of an [`LwwRegister`]. The derived order is the rule that decides: the greatest wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LwwWrite<R> {
    /// When.
    pub stamp: Stamp,
    /// Who; decides between equal stamps.
    pub replica: R,
    /// What; decides between equal stamps of one replica, so that the join stays a join even then.
    pub value: Value,
}

/// A register that keeps the greatest write and forgets the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LwwRegister<R> {
    write: Option<LwwWrite<R>>,
}

impl<R: Replica> Default for LwwRegister<R> {
    fn default() -> Self {
        Self { write: None }
    }
}

impl<R: Replica> LwwRegister<R> {
    /// A register that was written once.
    pub fn of(stamp: Stamp, replica: R, value: Value) -> Self {
        Self {
            write: Some(LwwWrite {
                stamp,
                replica,
                value,
            }),
        }
    }

    /// The winning write.
    pub fn write(&self) -> Option<&LwwWrite<R>> {
        self.write.as_ref()
    }

    /// The winning value; null when nobody wrote.
    pub fn value(&self) -> &Value {
        self.write
            .as_ref()
            .map_or(&Value::Null, |write| &write.value)
    }

    /// Writes `value` and returns the delta. A stamp that is not later than the winner's has no effect: use a clock
    /// that observed it.
    pub fn set(&mut self, stamp: Stamp, replica: R, value: Value) -> Self {
        let delta = Self::of(stamp, replica, value);
        self.join(&delta);
        delta
    }
}

impl<R: Replica> Lattice for LwwRegister<R> {
    fn join(&mut self, other: &Self) {
        if self.write < other.write {
            self.write.clone_from(&other.write);
        }
    }

    fn is_included_in(&self, other: &Self) -> bool {
        self.write <= other.write
    }

    fn decompose(&self) -> Box<dyn Iterator<Item = Self> + '_> {
        Box::new(self.write.iter().map(|write| Self {
            write: Some(write.clone()),
        }))
    }
}

/// 0 for never written; else 1, stamp, replica, value.
impl<R: Replica> Wire for LwwRegister<R> {
    fn encode(&self, writer: &mut Writer) {
        match &self.write {
            None => writer.byte(0),
            Some(write) => {
                writer.byte(1);
                write.stamp.encode(writer);
                write.replica.encode(writer);
                write.value.encode(writer);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.byte()? {
            0 => Ok(Self::default()),
            1 => Ok(Self::of(
                Stamp::decode(reader)?,
                R::decode(reader)?,
                Value::decode(reader)?,
            )),
            tag => Err(DecodeError::UnknownTag {
                what: "register",
                found: tag.into(),
            }),
        }
    }
}

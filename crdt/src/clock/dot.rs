//! A dot: one write of one replica.

use crate::replica::Replica;
use crate::wire::{DecodeError, Reader, Wire, Writer};

/// The `counter`-th write of `replica`; counters start at 1. It names the write for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot<R> {
    /// Who wrote.
    pub replica: R,
    /// Which of its writes, from 1.
    pub counter: u64,
}

impl<R: Replica> Dot<R> {
    /// The dot of this write.
    pub fn new(replica: R, counter: u64) -> Self {
        Self { replica, counter }
    }
}

impl<R: Replica> Wire for Dot<R> {
    fn encode(&self, writer: &mut Writer) {
        self.replica.encode(writer);
        writer.varint(self.counter);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let replica = R::decode(reader)?;
        match reader.exact("dot counter")? {
            0 => Err(DecodeError::OutOfRange {
                what: "dot counter",
            }),
            counter => Ok(Self { replica, counter }),
        }
    }
}

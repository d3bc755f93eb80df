//! Lists of what a broker hands over.

use bincode::de::{BorrowDecode, BorrowDecoder, Decode};
use bincode::enc::{Encode, Encoder};
use bincode::error::{DecodeError, EncodeError};

/// Items that room is made for at once, before they come.
const ROOM: usize = 8;

/// At most `MAX` items. A list says its length before its items come, and may say what it likes: memory is taken for what
/// came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Few<T, const MAX: usize>(pub(crate) Vec<T>);

impl<T: Encode, const MAX: usize> Encode for Few<T, MAX> {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encode(encoder)
    }
}

impl<'de, C, T: BorrowDecode<'de, C>, const MAX: usize> BorrowDecode<'de, C> for Few<T, MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let count = <u64 as Decode<C>>::decode(decoder)?;
        if count > MAX as u64 {
            return Err(DecodeError::LimitExceeded);
        }
        let mut items = Vec::with_capacity(usize::try_from(count).unwrap_or(ROOM).min(ROOM));
        for _ in 0..count {
            items.push(T::borrow_decode(decoder)?);
        }
        Ok(Few(items))
    }
}

//! Takes canonical bytes apart. Every read is checked; nothing here can panic or allocate beyond what is left.

use super::{DecodeError, EXACT_INTEGER_MAX};

/// A position in an input that is not trusted.
#[derive(Clone, Debug)]
pub struct Reader<'input> {
    rest: &'input [u8],
}

impl<'input> Reader<'input> {
    /// Reads `bytes` from their start.
    pub fn new(bytes: &'input [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'input [u8] {
        self.rest
    }

    /// Whether everything was read.
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Succeeds when everything was read.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`].
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { count }),
        }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    #[inline]
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(*first)
    }

    /// The next `length` bytes as they are.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    #[inline]
    pub fn raw(&mut self, length: usize) -> Result<&'input [u8], DecodeError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(taken)
    }

    /// An unsigned number in shortest LEB128.
    ///
    /// # Errors
    /// [`DecodeError::OverlongNumber`] for a needless trailing zero byte or more than 64 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        self.long_varint(first)
    }

    fn long_varint(&mut self, first: u8) -> Result<u64, DecodeError> {
        let mut number = u64::from(first & 0x7f);
        for shift in (7..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && byte > 1 {
                return Err(DecodeError::OverlongNumber);
            }
            number |= bits << shift;
            if byte < 0x80 {
                return if byte == 0 {
                    Err(DecodeError::OverlongNumber)
                } else {
                    Ok(number)
                };
            }
        }
        Err(DecodeError::OverlongNumber)
    }

    /// A number that must fit 16 bits.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] naming `what`.
    pub fn varint_u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        u16::try_from(self.varint()?).map_err(|_| DecodeError::OutOfRange { what })
    }

    /// A number that must fit 32 bits.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] naming `what`.
    pub fn varint_u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        u32::try_from(self.varint()?).map_err(|_| DecodeError::OutOfRange { what })
    }

    /// A counter, position or millisecond count: at most 2^53 - 1.
    ///
    /// # Errors
    /// [`DecodeError::OutOfRange`] naming `what`.
    pub fn exact(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        match self.varint()? {
            number if number <= EXACT_INTEGER_MAX => Ok(number),
            _ => Err(DecodeError::OutOfRange { what }),
        }
    }

    /// A signed number.
    ///
    /// # Errors
    /// As [`Reader::varint`].
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let number = self.varint()?;
        Ok(((number >> 1) as i64) ^ -((number & 1) as i64))
    }

    /// How many items follow, each of at least `item_bytes_min` bytes: refused when they cannot fit what is left.
    ///
    /// # Errors
    /// [`DecodeError::UnexpectedEnd`].
    pub fn count(&mut self, item_bytes_min: usize) -> Result<usize, DecodeError> {
        let count = usize::try_from(self.varint()?).map_err(|_| DecodeError::UnexpectedEnd)?;
        match count.checked_mul(item_bytes_min) {
            Some(bytes) if bytes <= self.rest.len() => Ok(count),
            _ => Err(DecodeError::UnexpectedEnd),
        }
    }

    /// Bytes behind their length, at most `limit` of them.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] naming `what`, [`DecodeError::UnexpectedEnd`].
    #[inline]
    pub fn bytes(&mut self, what: &'static str, limit: usize) -> Result<&'input [u8], DecodeError> {
        let length = self.varint()?;
        match usize::try_from(length) {
            Ok(length) if length <= limit => self.raw(length),
            _ => Err(DecodeError::TooLarge { what, limit }),
        }
    }

    /// UTF-8 text behind its length in bytes.
    ///
    /// # Errors
    /// As [`Reader::bytes`], and [`DecodeError::NotUtf8`].
    #[inline]
    pub fn text(&mut self, what: &'static str, limit: usize) -> Result<&'input str, DecodeError> {
        std::str::from_utf8(self.bytes(what, limit)?).map_err(|_| DecodeError::NotUtf8)
    }
}

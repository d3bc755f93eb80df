//! Reading and writing of model bytes: a framed, checksummed body and bounded reads out of it.
//!
//! Place on the path: under the **model file**; see docs/ml-model-format.md, which draws every byte. All numbers are
//! little-endian. A read never allocates more than the bytes that are there could fill.

/// First eight bytes of every model file.
pub const MAGIC: [u8; 8] = *b"RFMODEL\n";
/// The layout written by this code.
pub const FORMAT_NUMBER: u16 = 2;
/// The oldest layout that is read.
pub const FORMAT_NUMBER_OLDEST: u16 = 1;
/// Bytes before the body.
pub const HEADER_BYTES: usize = 32;
/// Largest file that is read or written: 1 GiB.
pub const FILE_BYTES_MAX: usize = 1 << 30;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum FileKind {
    /// A [`crate::Model`].
    Forest = 1,
    /// A hazard model.
    Hazard = 2,
    /// An anomaly model.
    Anomaly = 3,
}

/// Why bytes are not a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Fewer bytes than the layout needs.
    #[error("the file ends {missing} bytes early, in {at}")]
    Truncated {
        /// What was being read.
        at: &'static str,
        /// Bytes that are not there.
        missing: usize,
    },
    /// The file does not begin with [`MAGIC`].
    #[error("not a model file")]
    Foreign,
    /// Written by a newer program.
    #[error("format number {found} is not {known}")]
    Format {
        /// Number in the file.
        found: u16,
        /// Number this code reads.
        known: u16,
    },
    /// Another kind of model than asked for.
    #[error("the file holds kind {found}, not {expected}")]
    Kind {
        /// Kind in the file.
        found: u16,
        /// Kind asked for.
        expected: u16,
    },
    /// A checksum does not match.
    #[error("the {part} is damaged: checksum {found:#010x}, computed {computed:#010x}")]
    Checksum {
        /// "header" or "body".
        part: &'static str,
        /// Checksum in the file.
        found: u32,
        /// Checksum of the bytes.
        computed: u32,
    },
    /// A larger file than [`FILE_BYTES_MAX`].
    #[error("{bytes} bytes exceed the limit of {FILE_BYTES_MAX}")]
    TooLarge {
        /// Length given.
        bytes: usize,
    },
    /// Sound checksums around contents that no training produces.
    #[error("invalid {what}")]
    Invalid {
        /// What is wrong.
        what: &'static str,
    },
}

/// Why a model cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// A list or text is longer than its length field or limit allows.
    #[error("{what} of length {length} exceeds {limit}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
}

/// Collects a body.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.put(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.put(&value.to_le_bytes());
    }

    pub(crate) fn f32(&mut self, value: f32) {
        self.put(&value.to_le_bytes());
    }

    pub(crate) fn f64(&mut self, value: f64) {
        self.put(&value.to_le_bytes());
    }

    pub(crate) fn f64s(&mut self, values: &[f64]) {
        values.iter().for_each(|&value| self.f64(value));
    }

    /// A length as u32, refused above the limit.
    pub(crate) fn length(
        &mut self,
        what: &'static str,
        length: usize,
        limit: usize,
    ) -> Result<(), WriteError> {
        match u32::try_from(length) {
            Ok(value) if length <= limit => {
                self.u32(value);
                Ok(())
            }
            _ => Err(WriteError::TooLong {
                what,
                length,
                limit,
            }),
        }
    }

    /// A text: length and UTF-8 bytes.
    pub(crate) fn text(
        &mut self,
        what: &'static str,
        text: &str,
        limit: usize,
    ) -> Result<(), WriteError> {
        self.length(what, text.len(), limit)?;
        self.put(text.as_bytes());
        Ok(())
    }

    /// The whole file: header, checksums and body.
    pub(crate) fn finish(self, kind: FileKind) -> Result<Vec<u8>, WriteError> {
        if self.bytes.len() + HEADER_BYTES > FILE_BYTES_MAX {
            return Err(WriteError::TooLong {
                what: "model file",
                length: self.bytes.len() + HEADER_BYTES,
                limit: FILE_BYTES_MAX,
            });
        }
        let mut file = Vec::with_capacity(HEADER_BYTES + self.bytes.len());
        file.extend_from_slice(&MAGIC);
        file.extend_from_slice(&FORMAT_NUMBER.to_le_bytes());
        file.extend_from_slice(&(kind as u16).to_le_bytes());
        file.extend_from_slice(&[0; 4]);
        file.extend_from_slice(&(self.bytes.len() as u64).to_le_bytes());
        file.extend_from_slice(&crc32fast::hash(&self.bytes).to_le_bytes());
        let header = crc32fast::hash(&file);
        file.extend_from_slice(&header.to_le_bytes());
        file.extend_from_slice(&self.bytes);
        Ok(file)
    }
}

/// Walks a body whose checksum holds, trusting nothing in it.
#[derive(Debug)]
pub(crate) struct Reader<'bytes> {
    rest: &'bytes [u8],
}

impl<'bytes> Reader<'bytes> {
    /// Checks the frame and gives the body.
    pub(crate) fn open(file: &'bytes [u8], kind: FileKind) -> Result<Self, ReadError> {
        if file.len() > FILE_BYTES_MAX {
            return Err(ReadError::TooLarge { bytes: file.len() });
        }
        let mut header = Self { rest: file };
        if header.array::<8>("magic")? != MAGIC {
            return Err(ReadError::Foreign);
        }
        let format = u16::from_le_bytes(header.array("format number")?);
        let found_kind = u16::from_le_bytes(header.array("kind")?);
        let reserved = header.u32("reserved field")?;
        let length = header.u64("body length")?;
        let body_checksum = header.u32("body checksum")?;
        let header_checksum = header.u32("header checksum")?;
        let computed = crc32fast::hash(file.get(..HEADER_BYTES - 4).unwrap_or_default());
        if computed != header_checksum {
            return Err(ReadError::Checksum {
                part: "header",
                found: header_checksum,
                computed,
            });
        }
        if !(FORMAT_NUMBER_OLDEST..=FORMAT_NUMBER).contains(&format) {
            return Err(ReadError::Format {
                found: format,
                known: FORMAT_NUMBER,
            });
        }
        if found_kind != kind as u16 {
            return Err(ReadError::Kind {
                found: found_kind,
                expected: kind as u16,
            });
        }
        require(reserved == 0, "reserved field")?;
        let body = header.rest;
        match usize::try_from(length) {
            Ok(length) if length > body.len() => Err(ReadError::Truncated {
                at: "body",
                missing: length - body.len(),
            }),
            Ok(length) if length == body.len() => {
                let computed = crc32fast::hash(body);
                if computed == body_checksum {
                    Ok(Self { rest: body })
                } else {
                    Err(ReadError::Checksum {
                        part: "body",
                        found: body_checksum,
                        computed,
                    })
                }
            }
            _ => Err(ReadError::Invalid {
                what: "body length",
            }),
        }
    }

    pub(crate) fn take(
        &mut self,
        count: usize,
        at: &'static str,
    ) -> Result<&'bytes [u8], ReadError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(ReadError::Truncated {
                at,
                missing: count - self.rest.len(),
            }),
        }
    }

    fn array<const COUNT: usize>(&mut self, at: &'static str) -> Result<[u8; COUNT], ReadError> {
        let taken = self.take(COUNT, at)?;
        taken
            .try_into()
            .map_err(|_| ReadError::Invalid { what: at })
    }

    pub(crate) fn u8(&mut self, at: &'static str) -> Result<u8, ReadError> {
        Ok(u8::from_le_bytes(self.array(at)?))
    }

    pub(crate) fn u32(&mut self, at: &'static str) -> Result<u32, ReadError> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    pub(crate) fn u64(&mut self, at: &'static str) -> Result<u64, ReadError> {
        Ok(u64::from_le_bytes(self.array(at)?))
    }

    pub(crate) fn f32(&mut self, at: &'static str) -> Result<f32, ReadError> {
        Ok(f32::from_le_bytes(self.array(at)?))
    }

    /// A finite double.
    pub(crate) fn f64(&mut self, at: &'static str) -> Result<f64, ReadError> {
        let value = f64::from_le_bytes(self.array(at)?);
        require(value.is_finite(), at)?;
        Ok(value)
    }

    /// `count` finite doubles.
    pub(crate) fn f64s(&mut self, count: usize, at: &'static str) -> Result<Vec<f64>, ReadError> {
        require(count <= self.rest.len() / 8, at)?;
        (0..count).map(|_| self.f64(at)).collect()
    }

    /// A length whose entries take at least `entry_bytes` each, so that it cannot exceed what is left.
    pub(crate) fn length(
        &mut self,
        limit: usize,
        entry_bytes: usize,
        at: &'static str,
    ) -> Result<usize, ReadError> {
        let length = self.u32(at)? as usize;
        require(length <= limit, at)?;
        let needed = length.saturating_mul(entry_bytes);
        if needed > self.rest.len() {
            return Err(ReadError::Truncated {
                at,
                missing: needed - self.rest.len(),
            });
        }
        Ok(length)
    }

    /// A text of at most `limit` bytes.
    pub(crate) fn text(&mut self, limit: usize, at: &'static str) -> Result<String, ReadError> {
        let length = self.length(limit, 1, at)?;
        let bytes = self.take(length, at)?;
        let text = std::str::from_utf8(bytes).map_err(|_| ReadError::Invalid { what: at })?;
        Ok(text.to_owned())
    }

    /// The body must end here.
    pub(crate) fn end(&self) -> Result<(), ReadError> {
        require(self.rest.is_empty(), "bytes after the end")
    }
}

/// An error naming `what` unless the condition holds.
pub(crate) fn require(sound: bool, what: &'static str) -> Result<(), ReadError> {
    if sound {
        Ok(())
    } else {
        Err(ReadError::Invalid { what })
    }
}

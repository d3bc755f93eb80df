//! Who writes: the names of replicas, as dense numbers on the binary wire and as text in JSON.

use crate::wire::{DecodeError, Reader, Wire, Writer};
use std::fmt::{self, Debug, Display};
use std::hash::Hash;

/// Longest device name, in bytes.
pub const DEVICE_NAME_BYTES_MAX: usize = 128;

/// The identity of a writer. Its order decides between writes with equal stamps, so all replicas must share it.
pub trait Replica: Clone + Ord + Hash + Debug + Wire {
    /// The identity as text, for JSON.
    fn to_text(&self) -> String;

    /// The identity that `text` names, if it names one.
    fn from_text(text: &str) -> Option<Self>;
}

/// A device as the depot's server numbers it: dense, from 1, never reused. A reinstalled or restored tablet gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(u32);

impl DeviceId {
    /// The device with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Display for DeviceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, formatter)
    }
}

impl Wire for DeviceId {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(self.0.into());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.varint_u32("device").map(Self)
    }
}

impl Replica for DeviceId {
    fn to_text(&self) -> String {
        self.0.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        let number: u32 = text.parse().ok()?;
        // "007" and "+7" would be second spellings of one device.
        (number.to_string() == text).then_some(Self(number))
    }
}

/// A device as clients of the documented HTTP contract name it: free text, compared bytewise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceName(Box<str>);

impl DeviceName {
    /// The device with this name; `None` when it is empty or longer than [`DEVICE_NAME_BYTES_MAX`].
    pub fn new(name: &str) -> Option<Self> {
        (1..=DEVICE_NAME_BYTES_MAX)
            .contains(&name.len())
            .then(|| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Wire for DeviceName {
    fn encode(&self, writer: &mut Writer) {
        writer.text(&self.0);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let text = reader.text("device name", DEVICE_NAME_BYTES_MAX)?;
        Self::new(text).ok_or(DecodeError::NotCanonical {
            what: "device name",
        })
    }
}

impl Replica for DeviceName {
    fn to_text(&self) -> String {
        self.0.to_string()
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::new(text)
    }
}

//! The load: events whose content follows from their ids, and the two ways of handing them in.
//!
//! Because an event's data can be computed again from its id, whoever finds it later can tell a genuine one from a torn,
//! mixed up or invented one without trusting any checksum of the log.

pub mod embedded;
pub mod http;
pub mod reopen;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use uuid::Uuid;

/// The type of every event of the load.
pub const EVENT_TYPE: &str = "LoadMeasured";
/// The aggregate type of every stream of the load.
pub const AGGREGATE_TYPE: &str = "LoadProbe";
/// The smallest and the largest data of an event, in bytes.
pub const DATA_BYTES: std::ops::RangeInclusive<usize> = 32..=1_000_000;

const OPENING: &[u8] = br#"{"filler":""#;
const CLOSING: &[u8] = br#""}"#;

/// A source of event ids and of choices between streams: `SplitMix64` (Steele, Lea, Flood, OOPSLA 2014), so that a seed replays.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The sequence that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Seeded(seed)
    }

    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// The next number below `bound`, which is above 0. The bias is below 2⁻³² for the bounds used here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_number() % bound
    }

    /// A place in a list of `length`, which is not 0.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// The next event id.
    pub fn id(&mut self) -> Uuid {
        let bits = u128::from(self.next_number()) << 64 | u128::from(self.next_number());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }
}

fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// The data of the event `id`: a JSON object of exactly `bytes` bytes.
///
/// # Panics
/// When `bytes` is outside of [`DATA_BYTES`].
pub fn data_of(id: Uuid, bytes: usize) -> Vec<u8> {
    assert!(DATA_BYTES.contains(&bytes), "data of {bytes} bytes");
    let mut data = Vec::with_capacity(bytes);
    data.extend_from_slice(OPENING);
    let (high, low) = id.as_u64_pair();
    let mut letters = Seeded::new(high ^ mixed(low));
    let filler_end = bytes - CLOSING.len();
    while data.len() < filler_end {
        let word = letters.next_number().to_be_bytes();
        let letters = word.iter().map(|byte| b'a' + byte % 26);
        data.extend(letters.take(filler_end - data.len()));
    }
    data.extend_from_slice(CLOSING);
    data
}

/// Whether `data` is what the event `id` was made with.
pub fn is_genuine(id: Uuid, data: &[u8]) -> bool {
    DATA_BYTES.contains(&data.len()) && data_of(id, data.len()) == data
}

/// The id of the stream that the event `id` is for, among `streams` of them.
pub fn stream_of(id: Uuid, streams: u64) -> String {
    format!("probe-{}", id.as_u64_pair().1 % streams.max(1))
}

/// Where it is said that events were acknowledged: standard output, and a file beside it where one is wanted.
#[derive(Debug)]
pub struct Herald<W> {
    out: W,
    mark: Option<File>,
}

impl<W: Write> Herald<W> {
    /// Says it on `out`, and adds each id, a line each, to the file `mark`: `.ack` of `crashfs`.
    ///
    /// # Errors
    /// When that file cannot be opened.
    pub fn new(out: W, mark: Option<&Path>) -> io::Result<Self> {
        let open = |path| File::options().append(true).create(true).open(path);
        let mark = mark.map(open).transpose()?;
        Ok(Herald { out, mark })
    }

    /// Says that these events were acknowledged: one line each, and all of them out before anything else is done.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn acknowledge(&mut self, ids: &[Uuid]) -> io::Result<()> {
        if let Some(mark) = &mut self.mark {
            let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
            mark.write_all(lines.as_bytes())?;
        }
        let lines: String = ids.iter().map(|id| format!("ACK {id}\n")).collect();
        self.out.write_all(lines.as_bytes())?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;

//! What is saved of a projection: its pages, and beside them the position that they reflect. Pure: bytes in, bytes out.
//!
//! A checkpoint is one value a page (see [`rows`](super::rows)) and one heading. The heading carries a checksum over the
//! checksums of all pages, so a page that is missing, older or from another checkpoint is noticed although each page is
//! whole. It also names an event of the log ("anchor"): a log that was restored and went another way has another
//! event there, and then the checkpoint belongs to a history that no longer exists.

use bincode::{Decode, Encode};
use storage::{Position, frame};
use thiserror::Error;
use uuid::Uuid;

use super::rows::{EncodedPages, encoding};

/// The frame kind of a page of rows.
pub(super) const PAGE_KIND: u16 = 0x5001;
/// The frame kind of a heading.
pub(super) const HEADING_KIND: u16 = 0x5002;
/// The format number of the heading itself; pages follow the format number of their projection.
pub(super) const HEADING_FORMAT: u16 = 1;
/// Skipped positions that are listed by number; further ones are only counted.
pub(super) const SKIPPED_LISTED_MAX: usize = 1_000;

/// What stands beside the pages.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Heading {
    /// The log that was folded.
    pub(super) log_id: u128,
    /// The format number of the projection that wrote the pages.
    pub(super) format: u16,
    /// Everything up to here is folded.
    pub(super) position: u64,
    /// The last event at or below `position` that could be read; 0 when there was none.
    pub(super) anchor_position: u64,
    /// The id of that event.
    pub(super) anchor_id: u128,
    /// When that event was recorded, in microseconds.
    pub(super) anchor_recorded_at: i64,
    /// Events that the fold took in.
    pub(super) handled_events: u64,
    /// Positions that could not be folded, the first of them by number.
    pub(super) skipped: Vec<u64>,
    /// How many positions could not be folded.
    pub(super) skipped_events: u64,
    /// Rows in all pages.
    pub(super) row_count: u64,
    /// Pages.
    pub(super) page_count: u32,
    /// CRC32 over the CRC32s of all pages in order, each as four little-endian bytes.
    pub(super) pages_checksum: u32,
}

impl Heading {
    /// The position that the checkpoint reflects.
    pub(super) fn position(&self) -> Position {
        Position::new(self.position)
    }

    /// The framed heading.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let payload =
            bincode::encode_to_vec(self, encoding()).expect("a heading in memory always encodes");
        frame::encode(HEADING_KIND, HEADING_FORMAT, &payload)
    }
}

/// A checkpoint to be saved, or a part of one.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// The framed heading.
    pub(super) heading: Vec<u8>,
    /// Pages to be written.
    pub(super) pages: EncodedPages,
    /// Whether `pages` are all pages, so that every other one is to go; otherwise those saved before stay.
    pub(super) whole: bool,
}

/// A checkpoint as it came from the store: nothing about it is known to be right.
#[derive(Clone, Debug, Default)]
pub(super) struct UnverifiedSet {
    /// The framed heading, if there is one.
    pub(super) heading: Option<Vec<u8>>,
    /// Pages with their numbers, in any order.
    pub(super) pages: Vec<(u32, Vec<u8>)>,
}

/// A checkpoint whose bytes are those that were saved.
#[derive(Clone, Debug)]
pub(super) struct SavedSet {
    /// What stands beside the pages.
    pub(super) heading: Heading,
    /// All pages in order.
    pub(super) pages: Vec<Vec<u8>>,
}

/// Why a checkpoint was not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum SetError {
    /// Pages without a heading.
    #[error("pages without a heading")]
    NoHeading,
    /// The heading's frame or content is not whole.
    #[error("its heading is damaged: {0}")]
    Heading(String),
    /// The pages are not those that the heading was written for.
    #[error("its pages do not belong together: {0}")]
    Pages(String),
    /// The log has another event where the checkpoint saw its last one, or none.
    #[error("it reflects position {position} of a history that this log does not have")]
    OtherHistory { position: Position },
}

impl UnverifiedSet {
    /// The checkpoint, if its bytes are those that were saved; `None` when nothing was ever saved.
    ///
    /// # Errors
    /// [`SetError`] when something was saved and is not whole.
    pub(super) fn verify(mut self) -> Result<Option<SavedSet>, SetError> {
        let Some(heading) = self.heading else {
            return if self.pages.is_empty() {
                Ok(None)
            } else {
                Err(SetError::NoHeading)
            };
        };
        let heading = decode_heading(&heading)?;
        self.pages.sort_by_key(|(number, _)| *number);
        let dense = self
            .pages
            .iter()
            .enumerate()
            .all(|(index, (number, _))| index == *number as usize);
        if !dense || self.pages.len() != heading.page_count as usize {
            return Err(SetError::Pages(format!(
                "{} of {} pages",
                self.pages.len(),
                heading.page_count
            )));
        }
        let pages: Vec<Vec<u8>> = self.pages.into_iter().map(|(_, bytes)| bytes).collect();
        let checksums: Vec<u32> = pages.iter().map(|page| crc32fast::hash(page)).collect();
        if checksum_of(&checksums) != heading.pages_checksum {
            return Err(SetError::Pages("their checksum differs".to_owned()));
        }
        Ok(Some(SavedSet { heading, pages }))
    }
}

/// The checksum over the checksums of all pages.
pub(super) fn checksum_of(page_checksums: &[u32]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for checksum in page_checksums {
        hasher.update(&checksum.to_le_bytes());
    }
    hasher.finalize()
}

/// An event of the log by which a history is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    /// Its place.
    pub(super) position: Position,
    /// Its id.
    pub(super) id: Uuid,
    /// When it was recorded, in microseconds.
    pub(super) recorded_at: i64,
}

/// What the log has to say about a checkpoint.
pub(super) trait History {
    /// The log's id.
    fn log_id(&self) -> Uuid;
    /// Up to where it is durable.
    fn durable_position(&self) -> Position;
    /// The event at this position, if it can be read.
    fn anchor_at(&self, position: Position) -> Option<Anchor>;
}

/// Whether the checkpoint was folded from the beginning of this very history.
///
/// # Errors
/// [`SetError::OtherHistory`] when it is ahead of the log or the log went another way.
pub(super) fn check_history(heading: &Heading, history: &dyn History) -> Result<(), SetError> {
    let other = || SetError::OtherHistory {
        position: heading.position(),
    };
    if heading.log_id != history.log_id().as_u128()
        || heading.position() > history.durable_position()
    {
        return Err(other());
    }
    if heading.anchor_position == 0 {
        return Ok(());
    }
    let expected = Anchor {
        position: Position::new(heading.anchor_position),
        id: Uuid::from_u128(heading.anchor_id),
        recorded_at: heading.anchor_recorded_at,
    };
    if history.anchor_at(expected.position) == Some(expected) {
        Ok(())
    } else {
        Err(other())
    }
}

fn decode_heading(framed: &[u8]) -> Result<Heading, SetError> {
    let damaged = |reason: String| SetError::Heading(reason);
    let (payload, consumed) = frame::decode(framed, HEADING_KIND, HEADING_FORMAT)
        .map_err(|error| damaged(error.to_string()))?;
    let (heading, read): (Heading, usize) = bincode::decode_from_slice(payload, encoding())
        .map_err(|error| damaged(error.to_string()))?;
    if consumed != framed.len() || read != payload.len() {
        return Err(damaged("bytes behind its end".to_owned()));
    }
    Ok(heading)
}

//! The slow check of a log that is in use: a segment at a time, from the first to the last, again and again.

use crate::chain;
use crate::header::SEGMENT_HEADER_BYTES;
use crate::log::Log;
use crate::open::damaged_range;
use crate::position::{Position, SegmentId};
use crate::read::ReadError;
use crate::record;
use crate::recovery::{self, Found};
use crate::segment::{Segment, SegmentUnreadable};
use crate::shared::DamagedRange;
use crate::tier::{ArchivedError, Away};

/// How far a scrub has got. The default begins at the first segment, and of segments that were sent away asks for the length alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubCursor {
    looked_at: u64,
    reads_archive: bool,
}

impl ScrubCursor {
    /// One that begins at the first segment, and reads the segments that were sent away byte for byte where they lie. That costs
    /// their place as many bytes as it gives; none of them is kept here, so what others read stays where they find it.
    pub fn reading_the_archive() -> Self {
        ScrubCursor {
            looked_at: 0,
            reads_archive: true,
        }
    }
}

/// What one step looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScrubProgress {
    /// The segment.
    pub segment: SegmentId,
    /// Bytes read, here or where they were sent to: what the caller's pace should be measured by.
    pub bytes: u64,
    /// The first position behind the segment.
    pub next: Position,
    /// Segments left in this round; 0 when the next step begins again at the first.
    pub left: u64,
    /// What does not verify. It is in [`Health`](crate::Health) as well.
    pub damage: Vec<DamagedRange>,
}

impl Log {
    /// Checks the records and the chain of the next segment, up to what is durable, and moves the cursor behind it. What
    /// is damaged is noted in the log's health; the rest keeps serving.
    ///
    /// # Errors
    /// [`ReadError::Unreadable`] when the segment's file cannot be read, [`ReadError::Archived`] when the place cannot be asked that
    /// it was sent to; the cursor has moved on all the same.
    pub fn scrub(&self, cursor: &mut ScrubCursor) -> Result<ScrubProgress, ReadError> {
        let segments = self.shared.segments();
        let at = usize::try_from(cursor.looked_at).unwrap_or(usize::MAX);
        let at = if at < segments.len() { at } else { 0 };
        let segment = &segments[at];
        cursor.looked_at = at as u64 + 1;
        if let Some(away) = segment.away() {
            return self.scrub_away(segment, away, (segments.len() - 1 - at) as u64, cursor);
        }
        // The position is read before the bytes: all of it is in them.
        let known = segment
            .last_position()
            .unwrap_or_else(|| self.durable_position());
        let view = segment.bytes()?;
        let bytes = view.bytes();
        let mut damage = Vec::new();
        let mut chain = segment.place.chain;
        let from = SEGMENT_HEADER_BYTES.min(bytes.len());
        let scan = recovery::scan(
            bytes,
            from,
            segment.place,
            known,
            &mut |found| match *found {
                Found::Group { start, end, commit } => {
                    let linked = chain::link(&chain, &bytes[start..end - record::COMMIT_BYTES]);
                    if linked != commit.chain {
                        damage.push(DamagedRange {
                            segment: segment.id,
                            offsets: (start as u64, end as u64),
                            positions: None,
                        });
                    }
                    chain = commit.chain;
                }
                Found::Damage(found) => {
                    damage.push(damaged_range(segment.id, &found));
                    if let Some(commit) = recovery::marker_before(bytes, found.end, segment.place) {
                        chain = commit.chain;
                    }
                }
                _ => {}
            },
        );
        damage
            .iter()
            .for_each(|found| self.shared.note_damage(found.clone()));
        let left = (segments.len() - 1 - at) as u64;
        if left == 0 {
            cursor.looked_at = 0;
        }
        Ok(ScrubProgress {
            segment: segment.id,
            bytes: bytes.len() as u64,
            next: scan.next,
            left,
            damage,
        })
    }

    /// Of a segment that was sent away: whether its object is there, in its length or byte for byte as the cursor says, and its stub
    /// what was written. Its bytes are hashed besides whenever they are fetched.
    fn scrub_away(
        &self,
        segment: &Segment,
        away: &Away,
        left: u64,
        cursor: &mut ScrubCursor,
    ) -> Result<ScrubProgress, ReadError> {
        if left == 0 {
            cursor.looked_at = 0;
        }
        let lost = DamagedRange {
            segment: segment.id,
            offsets: (0, away.stub.bytes),
            positions: segment
                .last_position()
                .map(|last| (segment.place.first_position, last)),
        };
        let stub = DamagedRange {
            segment: segment.id,
            offsets: (0, 0),
            positions: None,
        };
        let (outcome, bytes_read) = match cursor.reads_archive {
            true => (away.read_back(), away.stub.bytes),
            false => (away.look(), 0),
        };
        let damage = match outcome {
            Err(ArchivedError::Missing { .. } | ArchivedError::Altered { .. }) => vec![lost],
            Err(error) => {
                return Err(ReadError::from(SegmentUnreadable {
                    segment: segment.id,
                    source: error.into(),
                }));
            }
            Ok(()) if !away.stub.is_sound() => vec![stub],
            Ok(()) => Vec::new(),
        };
        damage
            .iter()
            .for_each(|found| self.shared.note_damage(found.clone()));
        Ok(ScrubProgress {
            segment: segment.id,
            bytes: away.stub.length() + bytes_read,
            next: away.stub.successor.0,
            left,
            damage,
        })
    }
}

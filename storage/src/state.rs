//! The engine's tables (names, stream tips, id filter) saved at a seal, so that opening costs the segments behind it
//! and not the log's length. Derived: missing, damaged or stale, it is made again from the segments' indexes.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use crate::event::StreamName;
use crate::frame::{self, FrameWriter};
use crate::id_filter::IdFilter;
use crate::names::{Names, UNREADABLE};
use crate::position::{Position, SegmentId, Version};
use crate::record::{Chain, TypeNameOf};
use crate::repo::{Repo, Scratch};
use crate::transaction::StreamTip;

#[cfg(test)]
mod tests;

/// What the frame says is inside.
const KIND: u16 = 2;
/// The layout of the payload. Another number is not read but made again.
const FORMAT: u16 = 1;

/// In the place of a name whose record is damaged: no name is empty. It is lost to whoever loads the tables as well.
const LOST: &str = "";
/// Tips copied at once while the tables are written.
const TIPS_AT_ONCE: usize = 4_096;

/// The name of the tables as they were when `segment` was sealed.
pub(crate) fn state_file(segment: SegmentId) -> String {
    format!("{segment}.state")
}

/// The engine's tables.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) names: Arc<Names>,
    /// The last event of each stream, by the stream's number.
    pub(crate) tips: Vec<StreamTip>,
    pub(crate) ids: IdFilter,
}

impl Tables {
    /// Of an empty log. What need not be in memory goes to `scratch`.
    pub(crate) fn new(scratch: Option<Scratch>) -> Self {
        Tables {
            names: Arc::new(Names::new(scratch)),
            tips: Vec::new(),
            ids: IdFilter::new(),
        }
    }

    /// Notes that `stream` has reached `tip`.
    pub(crate) fn advance(&mut self, stream: u32, tip: StreamTip) {
        let at = stream as usize;
        if self.tips.len() <= at {
            self.tips.resize(at + 1, StreamTip::default());
        }
        self.tips[at] = tip;
    }
}

/// After which segment tables were saved: they hold all that it and those before it say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateIdentity {
    pub(crate) log_id: Uuid,
    pub(crate) segment: SegmentId,
    /// The first position behind the segment.
    pub(crate) next: Position,
    /// The chain at its end.
    pub(crate) chain: Chain,
}

/// Writes the tables beside the log. Returns the bytes written.
pub(crate) fn save(
    repo: &dyn Repo,
    identity: &StateIdentity,
    names: &Names,
    tips: &RwLock<Vec<StreamTip>>,
    ids: &IdFilter,
) -> io::Result<u64> {
    let name = state_file(identity.segment);
    let temporary = format!("{name}.new");
    let file = repo.create(&temporary)?;
    // Tables of a million streams are not copied in memory to be written.
    let mut frame = FrameWriter::new(&*file);
    put(identity, names, tips, ids, &mut frame)?;
    let bytes = frame.finish(KIND, FORMAT)?;
    file.sync_data()?;
    repo.rename(&temporary, &name)?;
    repo.sync_folder()?;
    Ok(bytes)
}

/// The tables saved after `identity`'s segment, when they are whole and of this very log.
pub(crate) fn load(repo: &dyn Repo, identity: &StateIdentity) -> Option<Tables> {
    let file = repo.open(&state_file(identity.segment)).ok()?;
    let view = file.view(file.len().ok()?, 0).ok()?;
    let (payload, _) = frame::decode(view.bytes(), KIND, FORMAT).ok()?;
    let tables = decode(payload, identity, repo.scratch())?;
    (!has_stand_ins(&tables.names)).then_some(tables)
}

/// Whether tables that an earlier program saved have, as names, what stood in for lost ones. All lost streams are one in them, so
/// they are made again. (Those in which that is a name are, too: that costs time alone.)
fn has_stand_ins(names: &Names) -> bool {
    let is_type = |of| names.type_number(of, UNREADABLE).is_some();
    let stream = StreamName::new(names.aggregate_type(0), UNREADABLE);
    is_type(TypeNameOf::Aggregate)
        || is_type(TypeNameOf::Event)
        || names.stream_number(&stream).is_some()
}

/// Whether the bytes are tables saved after `identity`'s segment, whole and of this very log.
pub(crate) fn matches(bytes: &[u8], identity: &StateIdentity) -> Option<Tables> {
    let (payload, used) = frame::decode(bytes, KIND, FORMAT).ok()?;
    if used == bytes.len() {
        decode(payload, identity, None)
    } else {
        None
    }
}

fn put(
    identity: &StateIdentity,
    names: &Names,
    tips: &RwLock<Vec<StreamTip>>,
    ids: &IdFilter,
    frame: &mut FrameWriter<'_>,
) -> io::Result<()> {
    frame.put(identity.log_id.as_bytes())?;
    frame.put(&identity.segment.get().to_le_bytes())?;
    frame.put(&identity.next.get().to_le_bytes())?;
    frame.put(&identity.chain)?;
    // Counted before the types are listed: the log grows meanwhile, and a stream must not be saved without its type.
    let count = tips.read().unwrap_or_else(PoisonError::into_inner).len();
    for of in [TypeNameOf::Aggregate, TypeNameOf::Event] {
        let types = names.known_types(of);
        put_length(frame, types.len())?;
        for name in &types {
            put_text(frame, name.as_deref().unwrap_or(LOST))?;
        }
    }
    // Tips only become more. The writer waits for a short while at a time, and none of it stands in memory twice.
    let some = |from: usize, to: usize| -> Vec<StreamTip> {
        let tips = tips.read().unwrap_or_else(PoisonError::into_inner);
        tips[from..to].to_vec()
    };
    put_length(frame, count)?;
    let pieces = (0..count).step_by(TIPS_AT_ONCE);
    let tips = pieces.flat_map(|from| some(from, count.min(from + TIPS_AT_ONCE)));
    for (number, tip) in (0..).zip(tips) {
        let aggregate_type = names.aggregate_type_of(number);
        frame.put(&aggregate_type.unwrap_or(0).to_le_bytes())?;
        frame.put(&tip.version.get().to_le_bytes())?;
        frame.put(&tip.position.get().to_le_bytes())?;
        let name = aggregate_type.map(|_| names.stream(number).aggregate_id);
        put_text(frame, name.unwrap_or(LOST))?;
    }
    ids.write_to(&mut |bytes| frame.put(bytes))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "counts and lengths of names are bounded far below 2^32"
)]
fn put_length(frame: &mut FrameWriter<'_>, length: usize) -> io::Result<()> {
    frame.put(&(length as u32).to_le_bytes())
}

fn put_text(frame: &mut FrameWriter<'_>, text: &str) -> io::Result<()> {
    put_length(frame, text.len())?;
    frame.put(text.as_bytes())
}

fn decode(payload: &[u8], identity: &StateIdentity, scratch: Option<Scratch>) -> Option<Tables> {
    let mut bytes = payload;
    let found = StateIdentity {
        log_id: Uuid::from_bytes(take(&mut bytes)?),
        segment: SegmentId::new(u64::from_le_bytes(take(&mut bytes)?)),
        next: Position::new(u64::from_le_bytes(take(&mut bytes)?)),
        chain: take(&mut bytes)?,
    };
    if &found != identity {
        return None;
    }
    let names = Names::new(scratch);
    for of in [TypeNameOf::Aggregate, TypeNameOf::Event] {
        for number in 0..take_length(&mut bytes)? {
            let number = u16::try_from(number).ok()?;
            match take_text(&mut bytes)? {
                LOST => names.keep_type(of, number),
                name => names.add_type(of, number, name),
            }
        }
    }
    let count = take_length(&mut bytes)?;
    // A stream takes at least 18 bytes, so a hostile count cannot make a large allocation.
    let count_max = bytes.len() / 18;
    names.reserve_streams((count as usize).min(count_max));
    let mut tips = Vec::with_capacity((count as usize).min(count_max));
    for number in 0..count {
        let aggregate_type = u16::from_le_bytes(take(&mut bytes)?);
        let version = Version::new(u32::from_le_bytes(take(&mut bytes)?));
        let position = Position::new(u64::from_le_bytes(take(&mut bytes)?));
        match take_text(&mut bytes)? {
            LOST => names.keep_stream(number),
            name => names.add_stream(number, aggregate_type, name),
        }
        tips.push(StreamTip { version, position });
    }
    let ids = IdFilter::from_bytes(bytes)?;
    Some(Tables {
        names: Arc::new(names),
        tips,
        ids,
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (front, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*front)
}

fn take_length(bytes: &mut &[u8]) -> Option<u32> {
    take(bytes).map(u32::from_le_bytes)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = take_length(bytes)? as usize;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

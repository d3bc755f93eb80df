//! The present state of every aggregate into files: what its events fold to, as of one position.

use std::cmp::Reverse;
use std::sync::Arc;

use fleet::event::EventView;
use fleet::{Folded, registry};
use serde_json::{Map, Value};
use storage::{Log, Position, ReadError, ReadRequest, StreamName, StreamRange, StreamTip, Version};

use crate::column::{ColumnKind, Columns};
use crate::error::LakeError;
use crate::events::{escaped, integer};
use crate::export::Sink;
use crate::manifest::{FileEntry, Gap};
use crate::plan::Range;
use crate::table::{Head, Layout, Table};

/// Rows of a file.
const FILE_ROWS: usize = 250_000;
/// About how many bytes of rows are held before a file is written.
const HELD_BYTES_MAX: usize = 256 << 20;
/// About so many events are folded in the time in which a state becomes a row of a file. Were it another number, parts would be
/// less even, and nothing else.
const EVENTS_OF_A_ROW: u64 = 4;
/// Work that is worth a part of its own, in events folded.
const PART_WORK_MIN: u64 = 100_000;
/// Parts for each thread, so that none is left with a long one at the end.
const PARTS_OF_A_THREAD: u64 = 4;

/// The columns that every state has.
const HEADS: [Head; 5] = [
    Head::new("aggregate_id", ColumnKind::Text),
    Head::new("version", ColumnKind::Integer),
    Head::new("position", ColumnKind::Integer),
    Head::new("deleted", ColumnKind::Flag),
    Head::new("changed_at", ColumnKind::Time),
];
const AGGREGATE_ID: usize = 0;
const VERSION: usize = 1;

/// Streams of one aggregate type, in order: what one thread folds at a time.
pub(crate) struct Part {
    layout: Arc<Layout>,
    /// Each with its last event when the part was made.
    streams: Vec<(StreamName, StreamTip)>,
    /// Which of its type's parts it is.
    number: usize,
    /// About how long it takes, in events folded.
    work: u64,
}

/// The streams of all aggregate types in parts that take about as long as each other. To be made once the position is
/// known as of which the states are: what comes between the two is behind it.
pub(crate) fn parts(log: &Log, threads: usize) -> Result<Vec<Part>, LakeError> {
    let wanted = PARTS_OF_A_THREAD * threads.max(1) as u64;
    let work = log.durable_position().get() + EVENTS_OF_A_ROW * log.stream_count();
    parts_of(log, (work / wanted).max(PART_WORK_MIN))
}

/// The same, a new part begun after so much work.
fn parts_of(log: &Log, part_work: u64) -> Result<Vec<Part>, LakeError> {
    let mut parts = Vec::new();
    for aggregate_type in log.aggregate_type_names() {
        let layout = Arc::new(layout_of(&aggregate_type)?);
        let mut streams = log.tips_of_type(&aggregate_type);
        streams
            .sort_unstable_by(|(left, _), (right, _)| left.aggregate_id.cmp(&right.aggregate_id));
        let (mut part, mut work, mut number) = (Vec::new(), 0, 0);
        for (stream, tip) in streams {
            work += u64::from(tip.version.get()) + EVENTS_OF_A_ROW;
            part.push((stream, tip));
            if work >= part_work {
                let streams = std::mem::take(&mut part);
                parts.push(Part {
                    layout: layout.clone(),
                    streams,
                    number,
                    work,
                });
                (work, number) = (0, number + 1);
            }
        }
        if !part.is_empty() {
            parts.push(Part {
                layout,
                streams: part,
                number,
                work,
            });
        }
    }
    // The longest first: whoever is left with the last one is not left for long.
    parts.sort_by_key(|part| Reverse(part.work));
    Ok(parts)
}

fn layout_of(aggregate_type: &str) -> Result<Layout, LakeError> {
    let taken: Vec<&str> = HEADS.iter().map(|head| head.name).chain(["rest"]).collect();
    let aggregate = registry().aggregate(aggregate_type);
    let columns = aggregate.map_or_else(Columns::default, |aggregate| {
        Columns::of_states(aggregate, &taken)
    });
    Layout::new(&HEADS, columns, [AGGREGATE_ID, VERSION])
}

/// Writes the files of a part's states as of `position`.
pub(crate) fn export_part(
    log: &Log,
    part: &Part,
    position: Position,
    sink: &Sink<'_>,
) -> Result<Vec<FileEntry>, LakeError> {
    let mut files = Vec::new();
    let mut table = Table::new(part.layout.clone());
    for (index, (stream, tip)) in part.streams.iter().enumerate() {
        take_into(&mut table, log, (stream, *tip), position, sink)?;
        let is_last = index + 1 == part.streams.len();
        if table.rows() >= FILE_ROWS || table.bytes() > HELD_BYTES_MAX || is_last {
            let full = std::mem::replace(&mut table, Table::new(part.layout.clone()));
            if full.rows() > 0 {
                let aggregate_type = &stream.aggregate_type;
                let folder = format!("states/aggregate_type={}", escaped(aggregate_type));
                let name = format!("{position:012}-{}-{}", part.number, files.len());
                files.push(sink.write(&folder, &name, aggregate_type, full)?);
            }
        }
        sink.check()?;
    }
    Ok(files)
}

fn take_into(
    table: &mut Table,
    log: &Log,
    (stream, tip): (&StreamName, StreamTip),
    position: Position,
    sink: &Sink<'_>,
) -> Result<(), LakeError> {
    let exported = Range {
        from: Position::FIRST.get(),
        to: position.get(),
    };
    let mut folded = Folded::default();
    // An aggregate of one event, as most moves of stock and many orders are, is where its tip says: no index is asked. What
    // it was told since lies behind `position`.
    let mut reader = if tip.version == Version::FIRST {
        log.read(&ReadRequest::at(tip.position))?
    } else {
        log.read_stream(stream, &StreamRange::default())
    };
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            // Where nobody knows whose events these were, several streams come upon them.
            Err(ReadError::Damaged { first, last, .. }) => {
                sink.lacks(Gap::within(exported, first.get(), last.get()));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if event.position() > position {
            break;
        }
        let data: Map<String, Value> = serde_json::from_slice(event.data()).unwrap_or_default();
        folded.fold(&EventView {
            aggregate_type: &stream.aggregate_type,
            aggregate_id: &stream.aggregate_id,
            event_type: event.event_type(),
            schema: event.schema(),
            version: event.version().get(),
            position: event.position().get(),
            occurred_at: event.occurred_at().micros(),
            recorded_at: event.recorded_at().micros(),
            order: fleet::order(
                event.recorded_at().micros(),
                event.id().as_u128(),
                fleet::Origin::of(event.tags()),
            ),
            data: &data,
        });
    }
    if folded.record.version() == 0 {
        return Ok(());
    }
    table.text(AGGREGATE_ID, &stream.aggregate_id);
    table.integer(VERSION, i64::from(folded.record.version()));
    table.integer(2, integer(folded.record.position()));
    table.flag(3, folded.record.is_deleted());
    if let Some(changed_at) = folded.record.changed_at() {
        table.time(4, changed_at);
    }
    for (name, value) in folded.record.seen_all() {
        // A key that was set to nothing is nothing; in a file there is one way to say so.
        if !value.is_null() {
            table.field(name.into(), value.into());
        }
    }
    table.end_row();
    Ok(())
}

#[cfg(test)]
mod tests;

//! The present state of every aggregate into files: what its events fold to, as of one position.

use std::sync::Arc;

use fleet::event::EventView;
use fleet::{Folded, registry};
use serde_json::{Map, Value};
use storage::{Log, Position, ReadError, StreamName, StreamRange};

use crate::column::{ColumnKind, Columns};
use crate::error::LakeError;
use crate::events::{escaped, integer};
use crate::export::Sink;
use crate::manifest::FileEntry;
use crate::table::{Head, Layout, Table};

/// Rows of a file.
const FILE_ROWS: usize = 250_000;
/// About how many bytes of rows are held before a file is written.
const HELD_BYTES_MAX: usize = 256 << 20;

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

/// Writes the files of one aggregate type's states as of `position`.
pub(crate) fn export_type(
    log: &Log,
    aggregate_type: &str,
    position: Position,
    sink: &Sink<'_>,
) -> Result<Vec<FileEntry>, LakeError> {
    let taken: Vec<&str> = HEADS.iter().map(|head| head.name).chain(["rest"]).collect();
    let aggregate = registry().aggregate(aggregate_type);
    let columns = aggregate.map_or_else(Columns::default, |aggregate| {
        Columns::of_states(aggregate, &taken)
    });
    let layout = Arc::new(Layout::new(&HEADS, columns, [AGGREGATE_ID, VERSION])?);
    let folder = format!("states/aggregate_type={}", escaped(aggregate_type));
    let mut streams = log.streams_of_type(aggregate_type);
    streams.sort();
    let mut files = Vec::new();
    let mut table = Table::new(layout.clone());
    for stream in &streams {
        take_into(&mut table, log, stream, position)?;
        if table.rows() >= FILE_ROWS || table.bytes() > HELD_BYTES_MAX {
            let full = std::mem::replace(&mut table, Table::new(layout.clone()));
            let name = format!("{position:012}-{}", files.len());
            files.push(sink.write(&folder, &name, aggregate_type, full)?);
        }
        sink.check()?;
    }
    if table.rows() > 0 {
        let name = format!("{position:012}-{}", files.len());
        files.push(sink.write(&folder, &name, aggregate_type, table)?);
    }
    Ok(files)
}

fn take_into(
    table: &mut Table,
    log: &Log,
    stream: &StreamName,
    position: Position,
) -> Result<(), LakeError> {
    let mut folded = Folded::default();
    let mut reader = log.read_stream(stream, &StreamRange::default());
    while let Some(event) = reader.next() {
        let event = match event {
            Ok(event) => event,
            // What is lost is said by the span it lies in.
            Err(ReadError::Damaged { .. }) => continue,
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
    for (name, value) in folded.record.to_object() {
        // A key that was set to nothing is nothing; in a file there is one way to say so.
        if !value.is_null() {
            table.field(name.into(), value.into());
        }
    }
    table.end_row();
    Ok(())
}

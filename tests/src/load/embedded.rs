//! The load without a server: appends to a log in this process, so that a fault tool counts no calls but the log's.
//!
//! What goes wrong is expected and must be borne: the run ends early, but the rules below hold to its end, or it panics,
//! which every fault tool reports. After a refusal everything acknowledged is still there to be read, and after a
//! failed write or sync nothing is accepted any more.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use storage::{
    AppendError, ExpectedVersion, Log, LogOptions, NewEvent, StreamName, StreamWrite, Transaction,
};
use uuid::Uuid;

use super::{AGGREGATE_TYPE, EVENT_TYPE, Herald, Seeded, data_of, is_genuine, stream_of};

/// After how many refusals in a row for want of space a run gives up.
const REFUSALS_MAX: u64 = 3;

/// What is appended where.
#[derive(Clone, Debug)]
pub struct EmbeddedLoad {
    /// The log's folder.
    pub folder: PathBuf,
    /// How many events.
    pub events: u64,
    /// How many of them a transaction holds.
    pub batch: u64,
    /// Bytes of data on each.
    pub bytes: usize,
    /// Over how many streams.
    pub streams: u64,
    /// Bytes of a segment at most: few, so that a short run seals some.
    pub segment_bytes: u64,
    /// Where the ids come from.
    pub seed: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every event was acknowledged.
    Complete,
    /// The log could not be opened, or refused to go on.
    Refused,
}

/// Appends, and has the herald say what was acknowledged.
///
/// # Errors
/// When what was acknowledged cannot be said.
///
/// # Panics
/// When the log breaks one of the rules above.
pub fn run(load: &EmbeddedLoad, herald: &mut Herald<impl Write>) -> io::Result<Ended> {
    let log = match Log::open(&load.folder, options(load.segment_bytes)) {
        Ok(log) => log,
        Err(error) => {
            complain(&error);
            return Ok(Ended::Refused);
        }
    };
    let mut ids = Seeded::new(load.seed);
    let mut acknowledged = BTreeSet::new();
    let (mut left, mut refusals) = (load.events, 0);
    while left > 0 && refusals < REFUSALS_MAX {
        let batch = left.min(load.batch.max(1));
        let chosen: Vec<Uuid> = (0..batch).map(|_| ids.id()).collect();
        match log.append(transaction(load, &chosen)) {
            Ok(receipt) => {
                let given = receipt.events.iter().map(|event| event.id);
                assert!(
                    given.eq(chosen.iter().copied()),
                    "the receipt names other events"
                );
                herald.acknowledge(&chosen)?;
                acknowledged.extend(chosen);
                (left, refusals) = (left - batch, 0);
            }
            Err(error @ AppendError::Stopped { .. }) => {
                complain(&error);
                refused_for_good(&log, load, &mut ids);
                break;
            }
            Err(error) => {
                complain(&error);
                refusals += 1;
            }
        }
    }
    if left > 0 {
        still_readable(&log, &acknowledged);
    }
    log.close();
    Ok(if left == 0 {
        Ended::Complete
    } else {
        Ended::Refused
    })
}

/// A log with segments this small.
pub(crate) fn options(segment_bytes: u64) -> LogOptions {
    LogOptions {
        segment_bytes_max: segment_bytes,
        segment_bytes_min: segment_bytes.min(storage::SEGMENT_BYTES_MIN),
        ..LogOptions::default()
    }
}

fn transaction(load: &EmbeddedLoad, ids: &[Uuid]) -> Transaction {
    let write = |id: &Uuid| StreamWrite {
        stream: StreamName::new(AGGREGATE_TYPE, stream_of(*id, load.streams)),
        expected: ExpectedVersion::Any,
        events: vec![NewEvent::new(EVENT_TYPE, data_of(*id, load.bytes)).with_id(*id)],
    };
    Transaction {
        writes: ids.iter().map(write).collect(),
        condition: None,
    }
}

/// A log that has stopped stays so: a sync that failed is never simply tried again.
fn refused_for_good(log: &Log, load: &EmbeddedLoad, ids: &mut Seeded) {
    for _ in 0..2 {
        let again = log.append(transaction(load, &[ids.id()]));
        assert!(
            matches!(again, Err(AppendError::Stopped { .. })),
            "accepted after it had stopped: {again:?}"
        );
    }
}

/// A read may fail, as the fault may hit it; it must not miss an acknowledged event or give another one's data.
fn still_readable(log: &Log, acknowledged: &BTreeSet<Uuid>) {
    for id in acknowledged {
        match log.position_of(*id) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the acknowledged event {id} is not found"),
            Err(error) => return complain(&error),
        }
    }
    let mut reader = match log.read(&storage::ReadRequest::default()) {
        Ok(reader) => reader,
        Err(error) => return complain(&error),
    };
    while let Some(event) = reader.next() {
        match event {
            Ok(event) => assert!(
                is_genuine(event.id(), event.data()),
                "the event at {} is not as it was appended",
                event.position()
            ),
            Err(error) => complain(&error),
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "what a run bears is for whoever looks into it, not for the tool that reads stdout"
)]
fn complain(error: &dyn std::error::Error) {
    eprintln!("{error}");
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  because {cause}");
        source = cause.source();
    }
}

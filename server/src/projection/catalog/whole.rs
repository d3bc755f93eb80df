//! The catalog of a whole log, made at once.
//!
//! **Shares.** Each thread reads the log from its beginning and folds the streams whose names' hash is its own; every
//! state is folded by one thread, in the order of the log. A state stays in parsed form as long as there is room
//! ([`PARSED_BYTES_MAX`]), so that it is packed once and not once a batch. Then each thread packs its states, makes what they
//! are found by, and hands them on in the order in which their streams began; the one that asked joins the threads' rows in
//! that order, which is the order of their numbers, and puts the lists in order at the end.
//!
//! **Memory.** The rows that come out, their indexes, the states in parsed form (some six times what they take packed), and
//! a few hundred rows on their way.

#[cfg(test)]
mod tests;

use std::hash::BuildHasher as _;
use std::iter::Peekable;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use fleet::registry::KnownEvent;
use fleet::{Folded, registry};
use hashbrown::{DefaultHashBuilder, HashTable};
use storage::{EventRef, Log, Position};

use super::found_by::FoundBy;
use super::unsettled::Unsettled;
use super::{CatalogModel, Row, States, fold_into, found_by};
use crate::projection::keeper::panic_text;
use crate::projection::payload::NameList;
use crate::projection::read_model::FoldError;
use crate::projection::whole::{Halt, Reach, Shift, Watch, Whole};
use crate::projection::workbench::{LastEvent, pack, unpack};

/// Most threads that fold: each reads the whole log.
const SHARES_MAX: usize = 4;
/// Bytes that all states in parsed form may take, counted as they are when packed; reaching it packs a share's.
const PARSED_BYTES_MAX: usize = 64 << 20;
/// Rows that are handed on together.
const BUNDLE_ROWS: usize = 128;
/// Bundles that wait to be joined.
const BUNDLES_WAITING: usize = 4;

/// The catalog of everything up to `to`.
///
/// # Errors
/// [`Halt`].
pub(super) fn fold_whole(
    log: &Log,
    to: Position,
    watch: Watch<'_>,
) -> Result<Whole<CatalogModel>, Halt> {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    fold_in_shares(log, to, watch, cores.min(SHARES_MAX), PARSED_BYTES_MAX)
}

/// The same by so many threads, with so much room.
pub(super) fn fold_in_shares(
    log: &Log,
    to: Position,
    watch: Watch<'_>,
    shares: usize,
    parsed_bytes_max: usize,
) -> Result<Whole<CatalogModel>, Halt> {
    let hashes = DefaultHashBuilder::default();
    let halted = AtomicBool::new(false);
    thread::scope(|scope| {
        let mut threads = Vec::with_capacity(shares);
        let mut bundles = Vec::with_capacity(shares);
        for number in 0..shares {
            let (sender, receiver) = sync_channel(BUNDLES_WAITING);
            let shift = Shift {
                log,
                to,
                leads: number == 0,
                watch,
                halted: &halted,
            };
            let share = Share::new(number, shares, hashes.clone(), parsed_bytes_max / shares);
            let thread = thread::Builder::new().name(format!("rebuild-{number}"));
            let spawned = thread.spawn_scoped(scope, move || fold_share(shift, share, &sender));
            threads.push(spawned.map_err(|error| {
                halted.store(true, Ordering::Relaxed);
                Halt::Unsuitable(format!("no thread: {error}"))
            })?);
            bundles.push(receiver);
        }
        let mut outcome = join(bundles).map(|model| Whole {
            model,
            reach: Reach::default(),
        });
        for thread in threads {
            let of_share = thread
                .join()
                .unwrap_or_else(|panic| Err(Halt::Unsuitable(panic_text(panic.as_ref()))));
            outcome = match (outcome, of_share) {
                (Ok(mut whole), Ok(reach)) => {
                    whole.reach.join(reach);
                    Ok(whole)
                }
                // Who ended did so because another one could not go on.
                (Ok(_) | Err(Halt::Ended), Err(halt)) => Err(halt),
                (Err(halt), _) => Err(halt),
            };
        }
        outcome
    })
}

/// Folds a share of the log and hands its rows on. Whatever goes wrong, the others are told to end.
fn fold_share(
    shift: Shift<'_>,
    mut share: Share,
    sender: &SyncSender<Vec<Made>>,
) -> Result<Reach, Halt> {
    let folded = catch_unwind(AssertUnwindSafe(|| {
        let reach = shift.read(|event| share.fold(event))?;
        share.hand_on(&shift, sender)?;
        Ok(reach)
    }));
    let outcome = folded.unwrap_or_else(|panic| Err(Halt::Unsuitable(panic_text(panic.as_ref()))));
    if outcome.is_err() {
        shift.halted.store(true, Ordering::Relaxed);
    }
    outcome
}

/// The model of the rows that come, each list of which is in the order in which the streams began.
fn join(bundles: Vec<Receiver<Vec<Made>>>) -> Result<CatalogModel, Halt> {
    let mut model = CatalogModel::default();
    let mut ways: Vec<Peekable<_>> = bundles
        .into_iter()
        .map(|receiver| receiver.into_iter().flatten().peekable())
        .collect();
    loop {
        let next = ways
            .iter_mut()
            .filter_map(|way| Some((way.peek()?.first, way)))
            .min_by_key(|(first, _)| *first);
        let Some(made) = next.and_then(|(_, way)| way.next()) else {
            break;
        };
        let Row {
            aggregate_type,
            aggregate_id,
            ..
        } = &made.row;
        if model.find(aggregate_type, aggregate_id).is_some() {
            // Its name has two numbers in the log, one of which could not be read for a while.
            return Err(Halt::Unsuitable(format!(
                "{aggregate_type}/{aggregate_id} was met under two numbers"
            )));
        }
        let number = model.rows.push(made.row);
        model.index(number, |table, _, id| table.add(id, made.found_by));
    }
    model.put_in_order();
    Ok(model)
}

/// A finished row.
struct Made {
    /// The position of its stream's first event: rows are numbered in this order.
    first: u64,
    row: Row,
    found_by: Option<FoundBy>,
}

/// The streams that one thread folds.
struct Share {
    number: u64,
    of: u64,
    hashes: DefaultHashBuilder,
    /// In the order in which they began.
    streams: Vec<Stream>,
    by_place: HashTable<u32>,
    type_names: NameList,
    /// The types of the last event, and their line in the tables.
    latest: (Box<str>, Box<str>, Option<KnownEvent>),
    /// No less than what the states in parsed form take when packed.
    parsed_bytes: usize,
    parsed_bytes_max: usize,
}

struct Stream {
    /// Where the log keeps its name, which stays there: names need not be compared.
    place: usize,
    aggregate_type: Arc<str>,
    aggregate_id: Arc<str>,
    first: u64,
    last: LastEvent,
    state: State,
}

enum State {
    Parsed(Box<Unsettled>),
    Packed(Box<[u8]>),
}

impl Share {
    fn new(number: usize, of: usize, hashes: DefaultHashBuilder, parsed_bytes_max: usize) -> Self {
        Share {
            number: number as u64,
            of: of as u64,
            hashes,
            streams: Vec::new(),
            by_place: HashTable::new(),
            type_names: NameList::default(),
            latest: Default::default(),
            parsed_bytes: 0,
            parsed_bytes_max,
        }
    }

    /// Folds an event of this share; `None` for one of another's.
    fn fold(&mut self, event: &EventRef<'_>) -> Option<Result<(), FoldError>> {
        if self.of > 1 && (self.hash_of(place_of(event)) >> 32) % self.of != self.number {
            return None;
        }
        let known = self.known(event);
        let outcome = fold_into(self, known, event);
        self.parsed_bytes += event.data().len();
        if self.parsed_bytes > self.parsed_bytes_max {
            self.make_room();
        }
        Some(outcome)
    }

    fn hash_of(&self, place: usize) -> u64 {
        self.hashes.hash_one(place)
    }

    /// The event's line in its aggregate's table: mostly that of the event before.
    fn known(&mut self, event: &EventRef<'_>) -> Option<KnownEvent> {
        let aggregate_type = event.stream().aggregate_type;
        let event_type = event.event_type();
        let (of_aggregate, of_event, known) = &self.latest;
        if **of_event == *event_type && **of_aggregate == *aggregate_type {
            return *known;
        }
        let known = registry().event(aggregate_type, event_type);
        self.latest = (aggregate_type.into(), event_type.into(), known);
        known
    }

    fn begin(&mut self, hash: u64, event: &EventRef<'_>) -> usize {
        let name = event.stream();
        let index = self.streams.len();
        self.streams.push(Stream {
            place: place_of(event),
            aggregate_type: self.type_names.shared(name.aggregate_type),
            aggregate_id: name.aggregate_id.into(),
            first: event.position().get(),
            last: LastEvent::default(),
            state: State::Parsed(Box::default()),
        });
        let (streams, hashes) = (&self.streams, &self.hashes);
        let number =
            u32::try_from(index).expect("streams fit into memory, their numbers into 32 bits");
        self.by_place.insert_unique(hash, number, |other| {
            hashes.hash_one(streams[*other as usize].place)
        });
        index
    }

    /// Looks how much the states in parsed form take, and packs all of them if that is much.
    fn make_room(&mut self) {
        let mut bytes = 0;
        for stream in &mut self.streams {
            if let State::Parsed(state) = &mut stream.state {
                bytes += packed_bytes(state.settled());
            }
        }
        self.parsed_bytes = bytes;
        if bytes <= self.parsed_bytes_max / 2 {
            return;
        }
        self.parsed_bytes = 0;
        for stream in &mut self.streams {
            if let State::Parsed(state) = &mut stream.state {
                stream.state = State::Packed(pack(state.settled()));
            }
        }
    }

    /// Hands all rows on, finished.
    fn hand_on(&mut self, shift: &Shift<'_>, sender: &SyncSender<Vec<Made>>) -> Result<(), Halt> {
        let mut bundle = Vec::with_capacity(BUNDLE_ROWS);
        for stream in std::mem::take(&mut self.streams) {
            bundle.push(stream.finished()?);
            if bundle.len() == BUNDLE_ROWS {
                if shift.halted.load(Ordering::Relaxed) || (shift.leads && !(shift.watch)(shift.to))
                {
                    return Err(Halt::Ended);
                }
                let full = std::mem::replace(&mut bundle, Vec::with_capacity(BUNDLE_ROWS));
                sender.send(full).map_err(|_| Halt::Ended)?;
            }
        }
        sender.send(bundle).map_err(|_| Halt::Ended)
    }
}

impl States for Share {
    fn take(&mut self, event: &EventRef<'_>) -> Result<&mut Unsettled, FoldError> {
        let place = place_of(event);
        let hash = self.hash_of(place);
        let streams = &self.streams;
        let known = self
            .by_place
            .find(hash, |number| streams[*number as usize].place == place);
        let index = match known {
            Some(number) => *number as usize,
            None => self.begin(hash, event),
        };
        let stream = &mut self.streams[index];
        if let State::Packed(bytes) = &stream.state {
            let folded = unpack(bytes).ok_or(FoldError::Unreadable)?;
            self.parsed_bytes += bytes.len();
            stream.state = State::Parsed(Box::new(Unsettled::of(folded)));
        }
        stream.last = LastEvent::of(event);
        match &mut stream.state {
            State::Parsed(state) => Ok(state),
            State::Packed(_) => unreachable!("unpacked above"),
        }
    }
}

impl Stream {
    fn finished(self) -> Result<Made, Halt> {
        let (aggregate_type, aggregate_id) = (self.aggregate_type, self.aggregate_id);
        let finish = |folded: &Folded| {
            (
                folded.record.is_deleted(),
                found_by(&aggregate_type, &aggregate_id, folded),
            )
        };
        let (state, (deleted, found_by)) = match self.state {
            State::Parsed(mut state) => {
                let folded = state.settled();
                (pack(folded), finish(folded))
            }
            State::Packed(bytes) => {
                let folded = unpack(&bytes).ok_or_else(|| {
                    Halt::Unsuitable(format!(
                        "{aggregate_type}/{aggregate_id} cannot be unpacked"
                    ))
                })?;
                let finished = finish(&folded);
                (bytes, finished)
            }
        };
        Ok(Made {
            first: self.first,
            row: Row {
                aggregate_type,
                aggregate_id,
                last: self.last,
                deleted,
                state,
            },
            found_by,
        })
    }
}

/// Where the log keeps the id of the event's aggregate: another place for each.
fn place_of(event: &EventRef<'_>) -> usize {
    event.stream().aggregate_id.as_ptr().addr()
}

/// How many bytes packing makes of a state.
fn packed_bytes(folded: &Folded) -> usize {
    struct Count(usize);

    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut count = Count(0);
    rmp_serde::encode::write(&mut count, folded).expect("a state in memory always encodes");
    count.0
}

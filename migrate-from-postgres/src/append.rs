//! Appends batches: what is new as it is, what is there already by what the log lacks of it.
//!
//! While the log writes one transaction and waits for the disk, the next is put together and checked.

use std::sync::mpsc::{Receiver, Sender, channel};

use storage::{
    AppendError, ExpectedVersion, Log, NewEvent, Position, ReadError, ReadRequest, Receipt,
    StreamName, StreamWrite, Transaction,
};

use crate::compare::Comparer;
use crate::depot::Depot;
use crate::finding::Findings;
use crate::held::{Counting, Held, held};
use crate::ids;
use crate::made::{Batch, Portion, Standing};
use crate::settle::settle;

/// From which size on a transaction is handed over. What one aggregate lacks goes into one transaction all the same, as far as
/// the log takes it: a run that is interrupted leaves it whole or not at all.
const TRANSACTION_FULL: Size = Size {
    events: 2_000,
    bytes: 2 << 20,
};
/// Bytes of a payload that may be too large for the log.
const LARGE_BYTES: usize = 64 << 10;

/// Transactions that the log has and has not answered: one that it writes, one that is ready.
const UNANSWERED_MAX: usize = 2;

/// Why a batch is not in the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The log does not accept events.
    #[error("the log does not accept events")]
    Append(#[source] AppendError),
    /// An event is larger than the settings allow.
    #[error(
        "{stream} has an event of {bytes} bytes, more than the log's settings allow ({limit}); raise events.data_bytes_max"
    )]
    TooLarge {
        /// The aggregate.
        stream: StreamName,
        /// How large the event is.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Something else is larger than the settings allow.
    #[error("{what} is {actual}, more than the log's settings allow ({limit}); raise {setting}")]
    OverLimit {
        /// What, with its unit.
        what: &'static str,
        /// How large it is.
        actual: usize,
        /// How large it may be.
        limit: usize,
        /// The setting.
        setting: &'static str,
    },
    /// The log cannot be read back.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
}

/// How much a transaction holds, or may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Size {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
}

impl Size {
    /// What the log takes in one transaction. Of its bytes a half is left to what they grow by: where the log seals, and where it
    /// keeps lengths and sums beside them.
    pub(crate) fn limit_of(log: &Log) -> Self {
        let limits = log.limits();
        Size {
            events: limits.transaction_events_max.max(1),
            bytes: limits.transaction_bytes_max / 2,
        }
    }

    pub(crate) fn of(event: &NewEvent) -> Self {
        let tags = event.tags.iter().map(|tag| tag.len()).sum::<usize>();
        Size {
            events: 1,
            bytes: event.data.len() + event.metadata.len() + tags,
        }
    }

    fn of_all(events: &[NewEvent]) -> Self {
        let sizes = events.iter().map(Size::of);
        sizes.fold(Size::default(), Size::plus)
    }

    pub(crate) fn plus(self, other: Size) -> Self {
        Size {
            events: self.events + other.events,
            bytes: self.bytes + other.bytes,
        }
    }

    pub(crate) fn fits(self, limit: Size) -> bool {
        self.events <= limit.events && self.bytes <= limit.bytes
    }

    pub(crate) fn reaches(self, full: Size) -> bool {
        self.events >= full.events || self.bytes >= full.bytes
    }
}

/// The side that appends.
pub(crate) struct Appender<'a> {
    depot: &'a dyn Depot,
    comparer: Comparer,
    pub(crate) findings: Findings,
    /// Events appended.
    pub(crate) appended: u64,
    /// Events that were there.
    pub(crate) there: u64,
    /// The last of those appended.
    pub(crate) last: Position,
    answers: (Sender<Answer>, Receiver<Answer>),
    /// Transactions whose answers are awaited.
    unanswered: usize,
    /// What the log takes in one of them.
    limit: Size,
    /// Whether rows were imported before, which may belong to other aggregates now.
    may_be_elsewhere: bool,
}

/// What became of a transaction, which comes along to be freed here and not where the log is written.
type Answer = (Transaction, Result<Receipt, StoreError>);

impl<'a> Appender<'a> {
    pub(crate) fn new(depot: &'a dyn Depot) -> Self {
        Appender {
            depot,
            comparer: Comparer::default(),
            findings: Findings::default(),
            appended: 0,
            there: 0,
            last: depot.log().durable_position(),
            answers: channel(),
            unanswered: 0,
            limit: Size::limit_of(depot.log()),
            may_be_elsewhere: depot.log().durable_position() > Position::START,
        }
    }

    /// Waits until all that was taken is in the log.
    pub(crate) fn finish(&mut self) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        while self.unanswered > 0 {
            outcome = outcome.and(self.hear(self.unanswered - 1));
        }
        outcome
    }

    /// Appends what the log lacks of a batch, in its order. It is in the log once [`finish`](Appender::finish) says so.
    pub(crate) fn take(&mut self, batch: Batch) -> Result<(), StoreError> {
        let known: Vec<&Portion> = batch
            .portions
            .iter()
            .filter(|portion| must_look(portion))
            .collect();
        let mut held = match known.is_empty() {
            true => Vec::new(),
            false => {
                // What is looked at must not change meanwhile.
                self.hear(0)?;
                held(self.depot, &known, Counting::Imported)?
            }
        }
        .into_iter();
        let mut open = Open::default();
        for mut portion in batch.portions {
            let made = portion.events.len() as u64;
            let expected = match portion.standing {
                Standing::New => ExpectedVersion::NoStream,
                Standing::Continued | Standing::Known | Standing::Log => ExpectedVersion::Any,
            };
            let held = must_look(&portion).then(|| held.next().unwrap_or_default());
            if self.may_be_elsewhere {
                self.take_from_elsewhere(&mut portion, held.as_ref())?;
            }
            let events = match held {
                Some(held) => self.lacking(&portion, held),
                None => portion.events,
            };
            self.there += made.saturating_sub(events.len() as u64);
            let write = StreamWrite {
                stream: portion.stream,
                expected,
                events,
            };
            let size = Size::of_all(&write.events);
            if size.fits(self.limit) {
                self.put(&mut open, write, size)?;
                continue;
            }
            for piece in cut(write, self.limit) {
                let size = Size::of_all(&piece.events);
                self.put(&mut open, piece, size)?;
            }
        }
        self.append(&mut open)
    }

    /// Puts a write of this size, which fits into a transaction, into the open one, and appends that where it is full.
    fn put(&mut self, open: &mut Open, write: StreamWrite, size: Size) -> Result<(), StoreError> {
        if !open.size.plus(size).fits(self.limit) {
            self.append(open)?;
        }
        open.take(write, size);
        match open.size.reaches(TRANSACTION_FULL) {
            true => self.append(open),
            false => Ok(()),
        }
    }

    /// Gives events of rows that went from another aggregate to this one an id of their own: theirs are in the other's stream.
    fn take_from_elsewhere(
        &self,
        portion: &mut Portion,
        held: Option<&Held>,
    ) -> Result<(), StoreError> {
        if portion.standing == Standing::Log {
            return Ok(());
        }
        let log = self.depot.log();
        let is_here = |id| held.is_some_and(|held| held.imported.contains_key(&id));
        for event in &mut portion.events {
            let Some(id) = event.id.filter(|id| !is_here(*id)) else {
                continue;
            };
            let Some(position) = log.position_of(id)? else {
                continue;
            };
            let mut reader = log.read(&ReadRequest::at(position))?;
            if let Some(there) = reader.next()
                && there?.stream() != portion.stream
            {
                event.id = Some(ids::moved_id(id, &portion.stream));
            }
        }
        Ok(())
    }

    fn lacking(&mut self, portion: &Portion, held: Held) -> Vec<NewEvent> {
        if portion.standing == Standing::Known {
            let last = self.depot.log().durable_position();
            return settle(portion, held, last, &mut self.comparer, &mut self.findings);
        }
        lacking_rows(portion, &held)
    }

    fn append(&mut self, open: &mut Open) -> Result<(), StoreError> {
        let open = std::mem::take(open);
        if open.writes.is_empty() {
            return Ok(());
        }
        let transaction = Transaction {
            writes: open.writes,
            condition: None,
        };
        self.hear(UNANSWERED_MAX - 1)?;
        let (sender, largest) = (self.answers.0.clone(), open.largest);
        self.unanswered += 1;
        let done = move |transaction, result: Result<Receipt, AppendError>| {
            // Nobody listens any more where something else went wrong.
            let _ = sender.send((transaction, result.map_err(|error| told(error, largest))));
        };
        self.depot.submit(transaction, Box::new(done));
        // What is refused without being written is refused at once: nothing shall stand behind it.
        while let Ok((_, answer)) = self.answers.1.try_recv() {
            self.note(answer)?;
        }
        Ok(())
    }

    /// Waits for answers until no more than `left` are awaited.
    fn hear(&mut self, left: usize) -> Result<(), StoreError> {
        while self.unanswered > left {
            let (_, answer) = self
                .answers
                .1
                .recv()
                .expect("the sender is held here as well");
            self.note(answer)?;
        }
        Ok(())
    }

    fn note(&mut self, answer: Result<Receipt, StoreError>) -> Result<(), StoreError> {
        self.unanswered -= 1;
        let receipt = answer?;
        self.appended += receipt.events.len() as u64;
        self.last = self.last.max(receipt.last_position());
        Ok(())
    }
}

/// Cuts a write into pieces that a transaction takes each. Every piece but the first needs its stream: should the one before it
/// be refused, it is refused as well, and no history begins in its middle.
fn cut(write: StreamWrite, limit: Size) -> Vec<StreamWrite> {
    let mut pieces: Vec<StreamWrite> = Vec::new();
    let mut size = Size::default();
    for event in write.events {
        let own = Size::of(&event);
        if size.plus(own).fits(limit)
            && let Some(piece) = pieces.last_mut()
        {
            piece.events.push(event);
            size = size.plus(own);
            continue;
        }
        let expected = match pieces.is_empty() {
            true => write.expected,
            false => ExpectedVersion::Exists,
        };
        pieces.push(StreamWrite {
            stream: write.stream.clone(),
            expected,
            events: vec![event],
        });
        size = own;
    }
    pieces
}

/// Names the event that is too large, where it is that.
fn told(error: AppendError, largest: (Option<StreamName>, usize)) -> StoreError {
    match error {
        AppendError::TooLarge { limit, actual, .. } if actual == largest.1 => {
            StoreError::TooLarge {
                stream: largest.0.unwrap_or_else(|| StreamName::new("", "")),
                bytes: actual,
                limit,
            }
        }
        error => refused(error),
    }
}

/// Names the setting that is in the way, where one is.
pub(crate) fn refused(error: AppendError) -> StoreError {
    let AppendError::TooLarge {
        what,
        limit,
        actual,
    } = error
    else {
        return StoreError::Append(error);
    };
    let setting = match what {
        "the number of events" => "http.batch_events_max",
        "the transaction in bytes" => "http.batch_bytes_max",
        "the data in bytes" => "events.data_bytes_max",
        _ => return StoreError::Append(error),
    };
    StoreError::OverLimit {
        what,
        actual,
        limit,
        setting,
    }
}

/// The rows of an imported log that are not in the log as they are: new ones, and those that say something else now.
fn lacking_rows(portion: &Portion, held: &Held) -> Vec<NewEvent> {
    let mut lacking = Vec::new();
    let stream = &portion.stream;
    for (place, event) in portion.events.iter().enumerate() {
        if !event.id.is_some_and(|id| held.imported.contains_key(&id)) {
            lacking.push(event.clone());
        } else if let Some(expected) = portion.expected.get(place)
            && held.told_last(stream, expected) != Some(event.data.as_slice())
        {
            let number = held.next_number(stream, expected);
            lacking.push(NewEvent {
                id: Some(ids::again_id(expected.event_id(), stream, number)),
                ..event.clone()
            });
        }
    }
    lacking
}

/// Whether it must be looked what the log has of a portion.
fn must_look(portion: &Portion) -> bool {
    matches!(portion.standing, Standing::Known | Standing::Log)
}

/// A transaction that is being put together.
#[derive(Default)]
struct Open {
    writes: Vec<StreamWrite>,
    size: Size,
    /// The stream with the largest payload, where that is large, and its bytes.
    largest: (Option<StreamName>, usize),
}

impl Open {
    /// Adds a write of this size.
    fn take(&mut self, write: StreamWrite, size: Size) {
        self.size = self.size.plus(size);
        let largest = write
            .events
            .iter()
            .map(|event| event.data.len())
            .max()
            .unwrap_or(0);
        if largest > self.largest.1.max(LARGE_BYTES) {
            self.largest = (Some(write.stream.clone()), largest);
        }
        match self.writes.last_mut() {
            _ if write.events.is_empty() => {}
            Some(last) if last.stream == write.stream => last.events.extend(write.events),
            _ => self.writes.push(write),
        }
    }
}

#[cfg(test)]
mod tests;

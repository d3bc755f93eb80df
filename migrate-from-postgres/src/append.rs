//! Appends batches: what is new as it is, what is there already by what the log lacks of it.
//!
//! While the log writes one transaction and waits for the disk, the next is put together and checked.

use std::sync::mpsc::{Receiver, Sender, channel};

use storage::{
    AppendError, ExpectedVersion, NewEvent, Position, ReadError, ReadRequest, Receipt, StreamName,
    StreamWrite, Transaction,
};

use crate::compare::Comparer;
use crate::depot::Depot;
use crate::finding::Findings;
use crate::held::{Counting, Held, held};
use crate::ids;
use crate::made::{Batch, Portion, Standing};
use crate::settle::settle;

/// Events in a transaction; the log's default limit is twice as many.
const TRANSACTION_EVENTS_MAX: usize = 2_000;
/// Bytes of a payload that may be too large for the log.
const LARGE_BYTES: usize = 64 << 10;
/// Bytes of events in a transaction.
const TRANSACTION_BYTES_MAX: usize = 2 << 20;

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
    /// The log cannot be read back.
    #[error("the log cannot be read")]
    Read(#[from] ReadError),
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
            if open.take(StreamWrite {
                stream: portion.stream,
                expected,
                events,
            }) {
                self.append(&mut open)?;
            }
        }
        self.append(&mut open)
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
        error => StoreError::Append(error),
    }
}

/// The rows of an imported log that are not in the log as they are: new ones, and those that say something else now.
fn lacking_rows(portion: &Portion, held: &Held) -> Vec<NewEvent> {
    let mut lacking = Vec::new();
    for (place, event) in portion.events.iter().enumerate() {
        let there = event.id.and_then(|id| held.imported.get(&id));
        match (there, portion.expected.get(place)) {
            (None, _) => lacking.push(event.clone()),
            (Some(data), Some(expected)) if *data != event.data => {
                let id = expected.restated_id();
                if !held.imported.contains_key(&id) {
                    let mut restated = event.clone();
                    restated.id = Some(id);
                    lacking.push(restated);
                }
            }
            (Some(_), _) => {}
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
    events: usize,
    bytes: usize,
    /// The stream with the largest payload, where that is large, and its bytes.
    largest: (Option<StreamName>, usize),
}

impl Open {
    /// Adds a write; whether the transaction is full then.
    fn take(&mut self, write: StreamWrite) -> bool {
        self.events += write.events.len();
        let largest = write
            .events
            .iter()
            .map(|event| event.data.len())
            .max()
            .unwrap_or(0);
        if largest > self.largest.1.max(LARGE_BYTES) {
            self.largest = (Some(write.stream.clone()), largest);
        }
        self.bytes += write
            .events
            .iter()
            .map(|event| event.data.len() + event.metadata.len())
            .sum::<usize>();
        match self.writes.last_mut() {
            _ if write.events.is_empty() => {}
            Some(last) if last.stream == write.stream => last.events.extend(write.events),
            _ => self.writes.push(write),
        }
        self.events >= TRANSACTION_EVENTS_MAX || self.bytes >= TRANSACTION_BYTES_MAX
    }
}

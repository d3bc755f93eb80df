//! A run: one thread reads and makes, the caller's thread appends or compares. Between them a few batches, no more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use storage::StreamName;

use crate::accounts::Accounts;
use crate::checks;
use crate::depot::{Depot, known_accounts};
use crate::error::ImportError;
use crate::finding::Findings;
use crate::made::{Batch, Made, Purpose};
use crate::mapping::{FAMILIES, Family};
use crate::places;
use crate::read::{KeysOf, Reading, hand_on, read_family};
use crate::shape::{self, Selection, Shape};
use crate::source::{Address, ServerFacts, Source};
use crate::zone::Zone;

/// Batches read ahead of the one that is being appended.
const BATCHES_AHEAD: usize = 3;

/// What to read, and how to understand it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Where the database is.
    pub address: Address,
    /// Which tables.
    pub selection: Selection,
    /// The zone of clients' times without one.
    pub zone: Zone,
    /// Whether anything that a report would have to mention ends the run.
    pub strict: bool,
    /// Whether the old system's own event store is taken over too.
    pub events: bool,
}

/// What comes from the thread that reads.
pub(crate) enum Message {
    /// The database is open; this is what it is.
    Opened(Box<Opened>),
    /// Rows became this.
    Batch(Batch),
    /// All rows of a family came.
    FamilyRead(&'static Family),
}

/// What was found out before the first row.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) facts: ServerFacts,
    pub(crate) shape: Shape,
}

/// Who takes what comes.
pub(crate) trait Taker {
    /// Takes the next message.
    fn take(&mut self, message: Message) -> Result<(), ImportError>;
}

/// Narrows a reading to some aggregates: the SQL that gives the keys of a family, or nothing of it.
pub(crate) type OnlyKeys<'a> = &'a (dyn Fn(&Shape, &Family) -> Option<String> + Sync);

/// Reads the database in a thread of its own and has `taker` take what comes, until the end, a failure, or `stop`.
///
/// Returns what was noticed about the rows.
pub(crate) fn run(
    depot: Option<&dyn Depot>,
    wanted: &Wanted,
    purpose: Purpose,
    only_keys: Option<OnlyKeys<'_>>,
    taker: &mut dyn Taker,
    stop: &AtomicBool,
) -> Result<Findings, ImportError> {
    let (sender, receiver) = sync_channel(BATCHES_AHEAD);
    thread::scope(|scope| {
        let reader = thread::Builder::new()
            .name("import-read".to_owned())
            .spawn_scoped(scope, || {
                read(depot, wanted, purpose, only_keys, &sender_of(sender), stop)
            })
            .map_err(ImportError::Thread)?;
        let taken = take_all(receiver, taker);
        let read = reader
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What went wrong while taking lies further up in the rows than what went wrong while reading.
        taken?;
        read
    })
}

fn sender_of(sender: SyncSender<Message>) -> impl Fn(Message) -> bool {
    move |message| sender.send(message).is_ok()
}

/// The receiver is owned here: once taking has failed, the reader's next send fails and it ends as well.
fn take_all(receiver: Receiver<Message>, taker: &mut dyn Taker) -> Result<(), ImportError> {
    for message in receiver {
        taker.take(message)?;
    }
    Ok(())
}

fn read(
    depot: Option<&dyn Depot>,
    wanted: &Wanted,
    purpose: Purpose,
    only_keys: Option<OnlyKeys<'_>>,
    send: &dyn Fn(Message) -> bool,
    stop: &AtomicBool,
) -> Result<Findings, ImportError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ImportError::Thread)?;
    runtime.block_on(async {
        let mut source = Source::open(&wanted.address).await?;
        let outcome = read_all(&mut source, depot, wanted, purpose, only_keys, send, stop).await;
        source.close().await;
        outcome
    })
}

async fn read_all(
    source: &mut Source,
    depot: Option<&dyn Depot>,
    wanted: &Wanted,
    purpose: Purpose,
    only_keys: Option<OnlyKeys<'_>>,
    send: &dyn Fn(Message) -> bool,
    stop: &AtomicBool,
) -> Result<Findings, ImportError> {
    let catalogue = shape::catalogue(source).await?;
    let user = source.facts().user.clone();
    let mut shape = shape::judge(&catalogue, &wanted.selection, &user, wanted.strict)?;
    shape::count(source, &mut shape).await?;
    checks::keys_are_unique(source, &shape).await?;
    let is_known =
        |name: &StreamName| depot.is_some_and(|depot| depot.log().stream(name).is_some());
    let tags = |username: &str, email: &str| match depot {
        Some(depot) => depot.account_tags(username, email),
        None => [username.into(), email.into()],
    };
    let accounts = depot
        .map(known_accounts)
        .transpose()
        .map_err(ImportError::Read)?;
    let accounts = Accounts::new(accounts.unwrap_or_default(), &tags);
    let mut made = Made::new(purpose, &is_known, accounts).strictly(wanted.strict);
    made.shared_keys = checks::shared_keys(source, &shape).await?;
    if let Some(depot) = depot {
        let shared_keys = &made.shared_keys;
        made.places = places::look(source, &shape, depot, only_keys, shared_keys, stop).await?;
    }
    checks::surroundings(source, &shape, wanted.zone, &mut made.findings);
    refused(&made)?;
    let opened = Opened {
        facts: source.facts().clone(),
        shape: shape.clone(),
    };
    if !send(Message::Opened(Box::new(opened))) {
        return Ok(made.findings);
    }
    let seeks_references = purpose != Purpose::Verify && only_keys.is_none();
    if seeks_references && wanted.strict {
        // Before anything of it is in the log.
        checks::references(source, &shape, &mut made.findings).await?;
        refused(&made)?;
    }
    let for_shape = only_keys.map(|only| |family: &Family| only(&shape, family));
    let mut reading = Reading {
        source,
        shape: &shape,
        zone: wanted.zone,
        only_keys: for_shape.as_ref().map(|only| only as &KeysOf<'_>),
    };
    for family in FAMILIES {
        let mut sink = |batch: Batch| !stop.load(Ordering::Relaxed) && send(Message::Batch(batch));
        let wanted_more = read_family(&mut reading, family, &mut made, &mut sink).await?
            && hand_on(&mut made, &mut sink, true);
        if stop.load(Ordering::Relaxed) {
            return Err(ImportError::Stopped);
        }
        refused(&made)?;
        if !wanted_more || !send(Message::FamilyRead(family)) {
            return Ok(made.findings);
        }
    }
    if seeks_references && !wanted.strict {
        checks::references(reading.source, &shape, &mut made.findings).await?;
    }
    Ok(made.findings)
}

/// Ends a strict run at what was found.
fn refused(made: &Made<'_>) -> Result<(), ImportError> {
    match made.findings.first() {
        Some((table, treatment, sample)) if made.is_refused() => {
            Err(ImportError::strict(table, treatment, sample))
        }
        _ => Ok(()),
    }
}

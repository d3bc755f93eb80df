//! What can be held by itself, whatever comes before and behind it: pieces of a log, each taken up by whichever thread is free.
//!
//! The verifier walks the records in their order, which costs little, and gives away what costs much: the tree's leaves, the groups' hash
//! chain, looking ids up, laying an index out. So a full verify takes as many processors as there are.

use std::io;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use uuid::Uuid;

use super::Problem;
use super::tree::{Leaves, Tile};
use crate::chain;
use crate::index::{self, IndexIdentity, MemoryIndex};
use crate::open::Listing;
use crate::position::{Position, SegmentId};
use crate::record::{Chain, Commit};
use crate::repo::View;
use crate::segment::{index_file, segment_file};
use crate::state::{self, StateIdentity, Tables, state_file};

/// Bytes and groups of a piece of the chain at most, but for its last group.
const LINK_BYTES: usize = 1 << 20;
const LINKS: usize = 4_096;
/// Ids in a piece.
const IDS: usize = 8_192;
/// Pieces that may wait: with those at work, what is held in memory at most.
const PIECES_MAX: usize = 8;
/// Threads at most.
const THREADS_MAX: usize = 16;

/// Where something was found: problems are told in the log's order, whoever finds them first.
pub(super) type Where = (SegmentId, Position);

/// A piece.
#[derive(Debug)]
pub(super) enum Piece {
    Leaves(Leaves),
    Links(Links),
    Ids(Ids),
    Index(Box<Index>),
}

/// Groups of a segment, whose chain is made anew.
#[derive(Debug)]
pub(super) struct Links {
    segment: SegmentId,
    view: Option<Arc<dyn View>>,
    groups: Vec<Link>,
    bytes: usize,
}

/// A group without its marker.
#[derive(Debug)]
pub(super) struct Link {
    range: Range<usize>,
    first_position: Position,
    chain_before: Chain,
    /// What its marker says.
    chain: Chain,
}

/// Ids of a segment's events, which saved tables must know.
#[derive(Debug)]
pub(super) struct Ids {
    segment: SegmentId,
    ids: Vec<(Position, u128)>,
}

/// A sealed segment's index file, and the index that its records give.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) identity: IndexIdentity,
    pub(super) view: Arc<dyn View>,
    pub(super) index: MemoryIndex,
}

/// Saved tables.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) file: String,
    pub(super) tables: Tables,
    /// The position behind what they cover: they must know all events below.
    pub(super) next: Position,
}

/// What all pieces need.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) saved: Vec<Saved>,
    /// At which sizes the tree's root is asked for, ascending.
    pub(super) sizes: Vec<Position>,
}

/// What came of pieces.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Tiles by the number of the first; in no order.
    pub(super) tiles: Vec<(u64, Vec<Tile>)>,
    pub(super) problems: Vec<(Where, Problem)>,
}

/// The threads that take pieces up.
#[derive(Debug)]
pub(super) struct Hands {
    pieces: SyncSender<Piece>,
    threads: Vec<JoinHandle<Found>>,
}

impl Hands {
    /// As many as there are processors: giving pieces away keeps none busy for long.
    pub(super) fn start(known: Known) -> io::Result<Self> {
        let (pieces, waiting) = sync_channel(PIECES_MAX);
        let (waiting, known) = (Arc::new(Mutex::new(waiting)), Arc::new(known));
        let count = thread::available_parallelism().map_or(1, |count| count.get().min(THREADS_MAX));
        let threads = (0..count).map(|number| {
            let (waiting, known) = (Arc::clone(&waiting), Arc::clone(&known));
            thread::Builder::new()
                .name(format!("verify-{number}"))
                .spawn(move || work(&waiting, &known))
        });
        let threads = threads.collect::<io::Result<_>>()?;
        Ok(Hands { pieces, threads })
    }

    /// Gives a piece away; waits while many are waiting.
    pub(super) fn give(&self, piece: Piece) {
        // The threads end before this one only by a panic, which `finish` passes on.
        let _ = self.pieces.send(piece);
    }

    /// What came of all pieces.
    pub(super) fn finish(self) -> Found {
        drop(self.pieces);
        let mut all = Found::default();
        for thread in self.threads {
            match thread.join() {
                Ok(found) => {
                    all.tiles.extend(found.tiles);
                    all.problems.extend(found.problems);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all.tiles.sort_unstable_by_key(|(first, _)| *first);
        all
    }
}

fn work(waiting: &Mutex<Receiver<Piece>>, known: &Known) -> Found {
    let mut found = Found::default();
    loop {
        let next = waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        match next {
            Ok(Piece::Leaves(leaves)) => {
                found
                    .tiles
                    .push((leaves.first_tile(), leaves.hash(&known.sizes)));
            }
            Ok(Piece::Links(links)) => links.check(&mut found.problems),
            Ok(Piece::Ids(ids)) => ids.check(&known.saved, &mut found.problems),
            Ok(Piece::Index(index)) => index.check(&mut found.problems),
            Err(_all_were_given) => return found,
        }
    }
}

impl Link {
    /// The group whose records lie in `range`.
    pub(super) fn of(range: Range<usize>, chain_before: Chain, marker: &Commit) -> Self {
        Link {
            range,
            first_position: marker.first_position,
            chain_before,
            chain: marker.chain,
        }
    }
}

impl Links {
    /// None yet of this segment.
    pub(super) fn of(segment: SegmentId, view: Option<&Arc<dyn View>>) -> Self {
        Links {
            segment,
            view: view.cloned(),
            groups: Vec::new(),
            bytes: 0,
        }
    }

    /// The next group.
    pub(super) fn push(&mut self, group: Link, hands: &Hands) {
        self.bytes += group.range.len();
        self.groups.push(group);
        if self.bytes >= LINK_BYTES || self.groups.len() == LINKS {
            self.give(hands);
        }
    }

    /// Gives away what was gathered.
    pub(super) fn give(&mut self, hands: &Hands) {
        let next = Links::of(self.segment, self.view.as_ref());
        let gathered = std::mem::replace(self, next);
        if !gathered.groups.is_empty() {
            hands.give(Piece::Links(gathered));
        }
    }

    fn check(&self, problems: &mut Vec<(Where, Problem)>) {
        let bytes = self.view.as_ref().map_or(&[][..], |view| view.bytes());
        for group in &self.groups {
            let records = bytes.get(group.range.clone()).unwrap_or_default();
            if chain::link(&group.chain_before, records) != group.chain {
                let what = format!(
                    "the hash chain breaks in the group at offset {}",
                    group.range.start
                );
                let file = segment_file(self.segment);
                let at = (self.segment, group.first_position);
                problems.push((at, Problem { file, what }));
            }
        }
    }
}

impl Ids {
    /// None yet of this segment.
    pub(super) fn of(segment: SegmentId) -> Self {
        Ids {
            segment,
            ids: Vec::new(),
        }
    }

    /// The id of the event at `position`.
    pub(super) fn push(&mut self, position: Position, id: Uuid, hands: &Hands) {
        self.ids.push((position, id.as_u128()));
        if self.ids.len() == IDS {
            self.give(hands);
        }
    }

    /// Gives away what was gathered.
    pub(super) fn give(&mut self, hands: &Hands) {
        let gathered = std::mem::replace(self, Ids::of(self.segment));
        if !gathered.ids.is_empty() {
            hands.give(Piece::Ids(gathered));
        }
    }

    fn check(&self, saved: &[Saved], problems: &mut Vec<(Where, Problem)>) {
        for Saved { file, tables, next } in saved {
            let covered = self.ids.partition_point(|(position, _)| position < next);
            let ids = self.ids.iter().take(covered).map(|(_, id)| *id);
            for (position, _) in tables.ids.unknown(ids).into_iter().map(|at| self.ids[at]) {
                let what = format!("the saved tables do not know the event at position {position}");
                let file = file.clone();
                problems.push(((self.segment, position), Problem { file, what }));
            }
        }
    }
}

impl Index {
    fn check(&self, problems: &mut Vec<(Where, Problem)>) {
        if self.view.bytes() == index::encode(&self.index, &self.identity) {
            return;
        }
        let segment = self.identity.segment;
        let what = "the index does not agree with its segment; remove it and it is made again";
        problems.push((
            (segment, Position::MAX),
            Problem {
                file: index_file(segment),
                what: what.to_owned(),
            },
        ));
    }
}

/// Reads the saved tables first, so that each event can be looked up in them as it comes by; says which are no such thing.
pub(super) fn saved_tables(listing: &Listing) -> (Vec<Saved>, Vec<(Where, Problem)>) {
    let (mut saved, mut problems) = (Vec::new(), Vec::new());
    for pair in listing.segments.windows(2) {
        let (covered, next) = (&pair[0].header, &pair[1].header);
        let file = state_file(covered.segment);
        let opened = pair[1].repo.open(&file);
        let Ok(view) = opened.and_then(|file| file.view(file.len()?, 0)) else {
            continue;
        };
        let identity = StateIdentity {
            log_id: listing.log_id,
            segment: covered.segment,
            next: next.first_position,
            chain: next.chain,
        };
        match state::matches(view.bytes(), &identity) {
            Some(tables) => saved.push(Saved {
                file,
                tables,
                next: next.first_position,
            }),
            None => {
                let what = "the saved tables are damaged or not of this log".to_owned();
                let at = (covered.segment, Position::MAX);
                problems.push((at, Problem { file, what }));
            }
        }
    }
    (saved, problems)
}

//! Registers by position: the winner, and for those under review the concurrent writes it won over.

use super::Origin;
use crate::clock::{LogPosition, Stamp};
use crate::replica::DeviceId;
use crate::rule::{Rule, holds};
use crate::value::Value;

/// Siblings kept beside a winner. Beyond it the least goes and the register says that there were more.
pub const SIBLINGS_MAX: usize = 8;

/// One write that no other write has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What was written.
    pub value: Value,
    /// The effective stamp that admission froze.
    pub stamp: Stamp,
    /// Where the log put it.
    pub position: LogPosition,
    /// Who wrote.
    pub device: DeviceId,
    /// The authority of the writer over this field; asked at admission only.
    pub rank: u8,
}

/// What the order of writes compares.
fn key_of(rank: u8, stamp: Stamp, device: DeviceId) -> (u8, Stamp, DeviceId) {
    let rank = if holds(Rule::RankOnlyAtAdmission) {
        0
    } else {
        rank
    };
    (rank, stamp, device)
}

impl Write {
    fn key(&self) -> (u8, Stamp, DeviceId) {
        key_of(self.rank, self.stamp, self.device)
    }

    pub(super) fn was_seen_by(&self, origin: &Origin) -> bool {
        origin.saw(self.device, self.position)
    }
}

/// Whether a removal takes a write.
fn is_taken(write: &Write, origin: &Origin) -> bool {
    write.was_seen_by(origin) || !holds(Rule::RemoveOnlySeen)
}

/// What a register keeps only while a conflict is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Open {
    /// Concurrent writes, greatest first.
    pub(super) siblings: Vec<Write>,
    /// The highest position of a sibling that did not fit; 0 when all did.
    pub(super) lost_upto: LogPosition,
}

/// A register: the greatest of the writes that no other write has seen, and the rest of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollapsedRegister {
    pub(super) winner: Option<Write>,
    pub(super) open: Option<Box<Open>>,
}

/// The outcome of [`CollapsedRegister::effective_stamp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectiveStamp {
    /// The stamp to freeze in the record.
    pub stamp: Stamp,
    /// Whether authority moved it.
    pub by_authority: bool,
}

/// How to take back one write.
#[derive(Debug, Default)]
pub(super) struct WriteUndo {
    /// What it replaced, pushed out or lost, each with its place before: 0 the winner, then the siblings.
    gone: Vec<(usize, Write)>,
    lost_upto: LogPosition,
    position: LogPosition,
}

impl CollapsedRegister {
    /// The winning write.
    pub fn winner(&self) -> Option<&Write> {
        self.winner.as_ref()
    }

    /// The concurrent writes it won over, greatest first.
    pub fn siblings(&self) -> &[Write] {
        self.open.as_ref().map_or(&[], |open| &open.siblings)
    }

    /// Whether there were more than [`SIBLINGS_MAX`] siblings.
    pub fn has_lost_siblings(&self) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.lost_upto > LogPosition::START)
    }

    /// Whether nothing was ever written, or everything was removed.
    pub fn is_empty(&self) -> bool {
        self.winner.is_none()
    }

    /// Where this register last changed visibly.
    pub fn changed(&self) -> LogPosition {
        let siblings = self.siblings().iter().map(|write| write.position);
        let lost = self.open.as_ref().map(|open| open.lost_upto);
        self.winner
            .iter()
            .map(|write| write.position)
            .chain(siblings)
            .chain(lost)
            .max()
            .unwrap_or_default()
    }

    /// The stamp a write gets here. `bracketed` is its claim after the clamp between the time of `base` and now.
    ///
    /// A writer who saw the winner always replaces it, whatever the clocks. Between concurrent writes the higher rank
    /// wins: the stamp moves just above or below the winner's, once, and rank is never compared again.
    pub fn effective_stamp(&self, origin: &Origin, bracketed: Stamp, rank: u8) -> EffectiveStamp {
        let unchanged = EffectiveStamp {
            stamp: bracketed,
            by_authority: false,
        };
        let Some(winner) = &self.winner else {
            return unchanged;
        };
        if winner.was_seen_by(origin) {
            let bumped = if holds(Rule::OverwriteBumps) {
                winner.stamp.next()
            } else {
                bracketed
            };
            return EffectiveStamp {
                stamp: bracketed.max(bumped),
                by_authority: false,
            };
        }
        let moved = match rank.cmp(&winner.rank) {
            std::cmp::Ordering::Greater => bracketed.max(winner.stamp.next()),
            std::cmp::Ordering::Less => bracketed.min(winner.stamp.previous()),
            std::cmp::Ordering::Equal => bracketed,
        };
        EffectiveStamp {
            stamp: moved,
            by_authority: moved != bracketed,
        }
    }

    /// Whether a write would win: what [`CollapsedRegister::apply`] would answer.
    pub(super) fn would_win(&self, origin: &Origin, stamp: Stamp, rank: u8) -> bool {
        let key = key_of(rank, stamp, origin.device);
        match &self.winner {
            None => true,
            Some(winner) if !winner.was_seen_by(origin) => key > winner.key(),
            Some(_) => {
                let mut siblings = self.siblings().iter();
                let greatest = siblings.find(|sibling| !sibling.was_seen_by(origin));
                greatest.is_none_or(|sibling| sibling.key() <= key)
            }
        }
    }

    /// Whether a removal would take every write; see [`CollapsedRegister::forget_seen`].
    pub(super) fn would_be_forgotten(&self, origin: &Origin) -> bool {
        let mut writes = self.winner.iter().chain(self.siblings());
        writes.all(|write| is_taken(write, origin))
    }

    /// Folds one write. `keeps_siblings` is whether the field is under review. Answers whether the write now wins.
    pub fn apply(&mut self, origin: &Origin, write: Write, keeps_siblings: bool) -> bool {
        self.apply_noting(origin, write, keeps_siblings, None)
    }

    /// As [`CollapsedRegister::apply`]; `undo` learns how to take it back.
    pub(super) fn apply_noting(
        &mut self,
        origin: &Origin,
        write: Write,
        keeps_siblings: bool,
        mut undo: Option<&mut WriteUndo>,
    ) -> bool {
        let last = self.siblings().len();
        if let Some(undo) = undo.as_deref_mut() {
            undo.position = origin.position;
            undo.lost_upto = self
                .open
                .as_ref()
                .map_or(LogPosition::START, |open| open.lost_upto);
        }
        if let Some(open) = &mut self.open {
            let mut place = 0;
            open.siblings.retain(|sibling| {
                place += 1;
                let seen = sibling.was_seen_by(origin);
                if seen && let Some(undo) = undo.as_deref_mut() {
                    undo.gone.push((place, sibling.clone()));
                }
                !seen
            });
            if open.lost_upto <= origin.base {
                open.lost_upto = LogPosition::START;
            }
        }
        let mut gone = None;
        let wins = match self.winner.take() {
            None => {
                self.winner = Some(write);
                true
            }
            Some(winner) if winner.was_seen_by(origin) => {
                gone = Some((0, winner));
                self.winner = Some(write);
                // With the bump this is already the greatest; the sort keeps the order true should it not be.
                self.promote_greatest();
                self.winner
                    .as_ref()
                    .is_some_and(|winner| winner.position == origin.position)
            }
            Some(winner) => {
                let wins = write.key() > winner.key();
                let (greater, lesser) = if wins {
                    (write, winner)
                } else {
                    (winner, write)
                };
                self.winner = Some(greater);
                gone = if keeps_siblings {
                    self.keep(lesser).map(|least| (last, least))
                } else {
                    Some((0, lesser))
                };
                wins
            }
        };
        if let (Some(undo), Some(gone)) = (undo, gone) {
            undo.gone.push(gone);
        }
        self.close_if_settled();
        wins
    }

    /// Takes back the last write.
    pub(super) fn undo(&mut self, mut undo: WriteUndo) {
        let is_new = |write: &Write| write.position == undo.position;
        if self.winner.as_ref().is_some_and(is_new) {
            self.winner = self.take_first_sibling();
        } else if let Some(open) = &mut self.open {
            open.siblings.retain(|sibling| !is_new(sibling));
        }
        undo.gone.sort_by_key(|(place, _)| *place);
        for (place, write) in undo.gone {
            // The write itself may be what did not fit.
            if write.position == undo.position {
                continue;
            }
            let second = match place {
                0 => self.winner.replace(write),
                _ => Some(write),
            };
            if let Some(second) = second {
                let open = self.open.get_or_insert_default();
                let place = place.saturating_sub(1).min(open.siblings.len());
                open.siblings.insert(place, second);
            }
        }
        if undo.lost_upto > LogPosition::START {
            self.open.get_or_insert_default().lost_upto = undo.lost_upto;
        } else if let Some(open) = &mut self.open {
            open.lost_upto = LogPosition::START;
        }
        self.close_if_settled();
    }

    fn take_first_sibling(&mut self) -> Option<Write> {
        let open = self.open.as_mut()?;
        (!open.siblings.is_empty()).then(|| open.siblings.remove(0))
    }

    /// Removes the writes that `origin` had seen (the item they belong to was removed). Answers whether any went.
    pub(super) fn forget_seen(&mut self, origin: &Origin) -> bool {
        let before = self.siblings().len() + usize::from(self.winner.is_some());
        let taken = |write: &Write| is_taken(write, origin);
        if let Some(open) = &mut self.open {
            open.siblings.retain(|sibling| !taken(sibling));
        }
        if self.winner.as_ref().is_some_and(taken) {
            self.winner = None;
        }
        if self.winner.is_none() {
            self.winner = self.take_first_sibling();
        }
        self.close_if_settled();
        before != self.siblings().len() + usize::from(self.winner.is_some())
    }

    /// Keeps a sibling. Answers the least one, where there were too many.
    fn keep(&mut self, write: Write) -> Option<Write> {
        let open = self.open.get_or_insert_default();
        let place = open
            .siblings
            .partition_point(|sibling| sibling.key() > write.key());
        open.siblings.insert(place, write);
        if open.siblings.len() <= SIBLINGS_MAX {
            return None;
        }
        let least = open.siblings.pop()?;
        open.lost_upto = open.lost_upto.max(least.position);
        Some(least)
    }

    fn promote_greatest(&mut self) {
        let Some(open) = &mut self.open else { return };
        let (Some(winner), Some(first)) = (&mut self.winner, open.siblings.first_mut()) else {
            return;
        };
        if first.key() > winner.key() {
            std::mem::swap(winner, first);
            open.siblings
                .sort_by_key(|write| std::cmp::Reverse(write.key()));
        }
    }

    fn close_if_settled(&mut self) {
        let settled =
            |open: &Open| open.siblings.is_empty() && open.lost_upto == LogPosition::START;
        if self.open.as_deref().is_some_and(settled) {
            self.open = None;
        }
    }
}

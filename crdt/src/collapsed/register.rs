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

impl Write {
    fn key(&self) -> (u8, Stamp, DeviceId) {
        let rank = if holds(Rule::RankOnlyAtAdmission) {
            0
        } else {
            self.rank
        };
        (rank, self.stamp, self.device)
    }

    fn was_seen_by(&self, origin: &Origin) -> bool {
        origin.saw(self.device, self.position)
    }
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

    /// Folds one write. `keeps_siblings` is whether the field is under review. Answers whether the write now wins.
    pub fn apply(&mut self, origin: &Origin, write: Write, keeps_siblings: bool) -> bool {
        if let Some(open) = &mut self.open {
            open.siblings.retain(|sibling| !sibling.was_seen_by(origin));
            if open.lost_upto <= origin.base {
                open.lost_upto = LogPosition::START;
            }
        }
        let wins = match self.winner.take() {
            None => {
                self.winner = Some(write);
                true
            }
            Some(winner) if winner.was_seen_by(origin) => {
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
                if keeps_siblings {
                    self.keep(lesser);
                }
                wins
            }
        };
        self.close_if_settled();
        wins
    }

    /// Removes the writes that `origin` had seen (the item they belong to was removed). Answers whether any went.
    pub(super) fn forget_seen(&mut self, origin: &Origin) -> bool {
        let before = self.siblings().len() + usize::from(self.winner.is_some());
        let taken = |write: &Write| write.was_seen_by(origin) || !holds(Rule::RemoveOnlySeen);
        if let Some(open) = &mut self.open {
            open.siblings.retain(|sibling| !taken(sibling));
        }
        if self.winner.as_ref().is_some_and(taken) {
            self.winner = None;
        }
        if self.winner.is_none() {
            self.winner = self
                .open
                .as_mut()
                .filter(|open| !open.siblings.is_empty())
                .map(|open| open.siblings.remove(0));
        }
        self.close_if_settled();
        before != self.siblings().len() + usize::from(self.winner.is_some())
    }

    fn keep(&mut self, write: Write) {
        let open = self.open.get_or_insert_default();
        let place = open
            .siblings
            .partition_point(|sibling| sibling.key() > write.key());
        open.siblings.insert(place, write);
        if open.siblings.len() > SIBLINGS_MAX
            && let Some(least) = open.siblings.pop()
        {
            open.lost_upto = open.lost_upto.max(least.position);
        }
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

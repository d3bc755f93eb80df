//! The maintenance that was done on a vehicle, less what was taken back because its order or task is open again.

use serde::{Deserialize, Serialize};

use crate::event::Stamp;

/// How many of the newest completions may still be taken back; what is older stays as it was told.
const DONE_MAX: usize = 16;
/// Orders and tasks of which it is remembered that they were opened again: more than ever are on one vehicle.
const REOPENED_MAX: usize = 64;

/// When maintenance was done last.
///
/// A completion counts unless its order or task was opened again behind it. What is held is the newest of a kind and the
/// maximum of the rest, so it depends on which events were folded and not on their order: depots that exchange them agree.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Services {
    /// The latest event of those that are not remembered by themselves.
    told: Option<Stamp>,
    /// The latest day of those that are not remembered by themselves.
    day: Option<i64>,
    /// The newest completions, oldest first.
    done: Vec<Done>,
    /// When each order or task was opened again last, oldest first.
    reopened: Vec<(Stamp, Box<str>)>,
}

/// A completion.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Done {
    stamp: Stamp,
    name: Box<str>,
    day: i64,
}

impl Services {
    /// Takes in that something was done on this day, under an order or a task of this name.
    pub(super) fn done(&mut self, name: Option<&str>, day: i64, stamp: Stamp) {
        let Some(name) = name else {
            self.settle(day, stamp);
            return;
        };
        let Err(place) = self.done.binary_search_by_key(&stamp, |done| done.stamp) else {
            return;
        };
        let name = name.into();
        self.done.insert(place, Done { stamp, name, day });
        if self.done.len() > DONE_MAX {
            // Opened again or not: one that was opened again behind this moment would still count.
            let oldest = self.done.remove(0);
            self.settle(oldest.day, oldest.stamp);
        }
    }

    /// Takes in that the order or task of this name is open again.
    pub(super) fn reopened(&mut self, name: &str, stamp: Stamp) {
        if self.opened_again(name).is_some_and(|held| stamp <= held) {
            return;
        }
        self.reopened.retain(|(_, held)| **held != *name);
        let place = self.reopened.partition_point(|(held, _)| *held < stamp);
        self.reopened.insert(place, (stamp, name.into()));
        if self.reopened.len() > REOPENED_MAX {
            self.reopened.remove(0);
        }
    }

    /// Whether the order or task of this name counts as done, and can be taken back.
    pub(super) fn is_done(&self, name: &str) -> bool {
        self.standing().any(|done| *done.name == *name)
    }

    /// The latest day on which something was done, microseconds since 1970 UTC.
    pub(super) fn last_day(&self) -> Option<i64> {
        self.standing().map(|done| done.day).max().max(self.day)
    }

    /// The latest event that says that something was done.
    pub(super) fn last_told(&self) -> Option<Stamp> {
        self.standing().map(|done| done.stamp).max().max(self.told)
    }

    /// The completions that count.
    fn standing(&self) -> impl Iterator<Item = &Done> {
        let counts = |done: &&Done| self.opened_again(&done.name) < Some(done.stamp);
        self.done.iter().filter(counts)
    }

    fn opened_again(&self, name: &str) -> Option<Stamp> {
        let mut reopened = self.reopened.iter();
        reopened
            .find(|(_, held)| **held == *name)
            .map(|held| held.0)
    }

    fn settle(&mut self, day: i64, stamp: Stamp) {
        self.told = self.told.max(Some(stamp));
        self.day = self.day.max(Some(day));
    }
}

#[cfg(test)]
mod tests;

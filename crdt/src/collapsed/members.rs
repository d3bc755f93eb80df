//! Sets by position: members with their live additions, and markers of removals that some device may still miss.

use super::Origin;
use crate::clock::LogPosition;
use crate::replica::DeviceId;
use crate::rule::{Rule, holds};
use crate::value::Value;
use std::collections::BTreeMap;

/// One addition that no removal has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addition {
    pub(super) device: DeviceId,
    pub(super) position: LogPosition,
}

/// An add-wins set. A removal needs no list of dots: it takes the additions at or below its base or of its own device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollapsedSet {
    /// Live additions by member, positions rising; never empty.
    pub(super) members: BTreeMap<Value, Vec<Addition>>,
    /// Where members were last removed, until every device has seen it.
    pub(super) markers: BTreeMap<Value, LogPosition>,
    /// The highest marker that was dropped: a device behind it gets the set whole.
    pub(super) purged: LogPosition,
}

impl CollapsedSet {
    /// The members, rising.
    pub fn members(&self) -> impl Iterator<Item = &Value> {
        self.members.keys()
    }

    /// Whether `member` is present.
    pub fn contains(&self, member: &Value) -> bool {
        self.members.contains_key(member)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Where this set last changed visibly.
    pub fn changed(&self) -> LogPosition {
        let additions = self
            .members
            .values()
            .flatten()
            .map(|addition| addition.position);
        additions
            .chain(self.markers.values().copied())
            .max()
            .unwrap_or_default()
            .max(self.purged)
    }

    /// Folds an addition: it stands for the earlier ones its writer had seen.
    pub(super) fn insert(&mut self, origin: &Origin, member: &Value) {
        self.markers.remove(member);
        let addition = Addition {
            device: origin.device,
            position: origin.position,
        };
        match self.members.get_mut(member) {
            Some(additions) => {
                additions.retain(|earlier| !origin.saw(earlier.device, earlier.position));
                additions.push(addition);
            }
            None => {
                self.members.insert(member.clone(), vec![addition]);
            }
        }
    }

    /// Folds a removal. Answers whether the member is gone by it.
    pub(super) fn remove(&mut self, origin: &Origin, member: &Value) -> bool {
        self.take(origin, member, |addition| {
            origin.saw(addition.device, addition.position)
        })
    }

    /// Whether the member would be absent after [`CollapsedSet::remove`].
    pub(super) fn would_go(&self, origin: &Origin, member: &Value) -> bool {
        self.would_lose(member, |addition| {
            origin.saw(addition.device, addition.position)
        })
    }

    /// Whether the member would be absent after [`CollapsedSet::remove_seen`].
    pub(super) fn would_go_seen(&self, member: &Value, upto: LogPosition, at: LogPosition) -> bool {
        self.would_lose(member, |addition| {
            addition.position <= upto || addition.position == at
        })
    }

    fn would_lose(&self, member: &Value, is_seen: impl Fn(&Addition) -> bool) -> bool {
        let mut additions = self.members.get(member).into_iter().flatten();
        additions.all(|addition| is_seen(addition) || !holds(Rule::RemoveOnlySeen))
    }

    /// Folds a removal out of a whole state: of what is at or below `upto`, and of what is `at`. Answers as
    /// [`CollapsedSet::remove`].
    pub(super) fn remove_seen(
        &mut self,
        origin: &Origin,
        member: &Value,
        upto: LogPosition,
        at: LogPosition,
    ) -> bool {
        self.take(origin, member, |addition| {
            addition.position <= upto || addition.position == at
        })
    }

    fn take(
        &mut self,
        origin: &Origin,
        member: &Value,
        is_seen: impl Fn(&Addition) -> bool,
    ) -> bool {
        let Some(additions) = self.members.get_mut(member) else {
            return false;
        };
        additions.retain(|addition| holds(Rule::RemoveOnlySeen) && !is_seen(addition));
        if !additions.is_empty() {
            return false;
        }
        if let Some((member, _)) = self.members.remove_entry(member) {
            self.markers.insert(member, origin.position);
        }
        true
    }

    /// Drops the markers at or below `horizon`; devices behind `purged` then get the set whole.
    pub(super) fn purge(&mut self, horizon: LogPosition, stable: LogPosition) {
        let purged = &mut self.purged;
        self.markers.retain(|_, position| {
            if *position <= horizon {
                *purged = (*position).min(stable).max(*purged);
            }
            *position > horizon
        });
    }
}

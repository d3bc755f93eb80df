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

/// What a set holds of a member.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Held {
    /// It is there by one addition: nearly always so.
    Once(Addition),
    /// It is there by several additions that do not know of each other, positions rising.
    Often(Vec<Addition>),
    /// It was removed here, which some device may still have to hear.
    Gone(LogPosition),
}

impl Held {
    /// By these additions, positions rising; `None` without any.
    pub(super) fn by(additions: Vec<Addition>) -> Option<Self> {
        match *additions {
            [] => None,
            [only] => Some(Held::Once(only)),
            _ => Some(Held::Often(additions)),
        }
    }

    /// The live additions; none where the member is gone.
    pub(super) fn additions(&self) -> &[Addition] {
        match self {
            Held::Once(addition) => std::slice::from_ref(addition),
            Held::Often(additions) => additions,
            Held::Gone(_) => &[],
        }
    }

    fn is_live(&self) -> bool {
        !matches!(self, Held::Gone(_))
    }

    /// Leaves out what is not to be kept. Answers whether an addition is left.
    fn retain(&mut self, is_kept: impl Fn(&Addition) -> bool) -> bool {
        match self {
            Held::Once(addition) => is_kept(addition),
            Held::Often(additions) => {
                additions.retain(is_kept);
                if let [only] = **additions {
                    *self = Held::Once(only);
                }
                !self.additions().is_empty()
            }
            Held::Gone(_) => false,
        }
    }
}

/// An add-wins set. A removal needs no list of dots: it takes the additions at or below its base or of its own device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CollapsedSet {
    /// Members, and those that were removed until every device has seen it.
    held: BTreeMap<Value, Held>,
    /// How many are live.
    live: usize,
    /// The highest marker that was dropped: a device behind it gets the set whole.
    pub(super) purged: LogPosition,
}

impl CollapsedSet {
    /// The members, rising.
    pub fn members(&self) -> impl Iterator<Item = &Value> {
        self.live().map(|(member, _)| member)
    }

    /// The members with their live additions, rising.
    pub(super) fn live(&self) -> impl Iterator<Item = (&Value, &[Addition])> {
        let held = self.held.iter().filter(|(_, held)| held.is_live());
        held.map(|(member, held)| (member, held.additions()))
    }

    /// What was removed, and where, rising by member.
    pub(super) fn gone(&self) -> impl Iterator<Item = (&Value, LogPosition)> {
        self.held.iter().filter_map(|(member, held)| match held {
            Held::Gone(position) => Some((member, *position)),
            _ => None,
        })
    }

    /// Takes up what was held of a member. Answers whether nothing was known of it.
    pub(super) fn restore(&mut self, member: Value, held: Held) -> bool {
        self.live += usize::from(held.is_live());
        self.held.insert(member, held).is_none()
    }

    /// Whether `member` is present.
    pub fn contains(&self, member: &Value) -> bool {
        self.held.get(member).is_some_and(Held::is_live)
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// How many removed members are remembered.
    pub(super) fn gone_len(&self) -> usize {
        self.held.len() - self.live
    }

    /// Where this set last changed visibly.
    pub fn changed(&self) -> LogPosition {
        let last = |held: &Held| match held {
            Held::Gone(position) => Some(*position),
            held => held.additions().last().map(|addition| addition.position),
        };
        let last = self.held.values().filter_map(last).max();
        last.unwrap_or_default().max(self.purged)
    }

    /// Folds an addition: it stands for the earlier ones its writer had seen.
    pub(super) fn insert(&mut self, origin: &Origin, member: &Value) {
        let addition = Addition {
            device: origin.device,
            position: origin.position,
        };
        let Some(held) = self.held.get_mut(member) else {
            self.held.insert(member.clone(), Held::Once(addition));
            self.live += 1;
            return;
        };
        self.live += usize::from(!held.is_live());
        if !held.retain(|earlier| !origin.saw(earlier.device, earlier.position)) {
            *held = Held::Once(addition);
            return;
        }
        match held {
            Held::Often(additions) => additions.push(addition),
            Held::Once(earlier) => *held = Held::Often(vec![*earlier, addition]),
            Held::Gone(_) => {}
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
        let held = self.held.get(member).map_or(&[][..], Held::additions);
        let mut additions = held.iter();
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
        let Some(held) = self.held.get_mut(member).filter(|held| held.is_live()) else {
            return false;
        };
        if held.retain(|addition| holds(Rule::RemoveOnlySeen) && !is_seen(addition)) {
            return false;
        }
        *held = Held::Gone(origin.position);
        self.live -= 1;
        true
    }

    /// Drops the markers at or below `horizon`; devices behind `purged` then get the set whole.
    pub(super) fn purge(&mut self, horizon: LogPosition, stable: LogPosition) {
        let purged = &mut self.purged;
        self.held.retain(|_, held| match held {
            Held::Gone(position) if *position <= horizon => {
                *purged = (*position).min(stable).max(*purged);
                false
            }
            _ => true,
        });
    }
}

//! Which entity last changed where, in order: what a pull walks.
//!
//! Positions of a log only rise, so changes are appended and nothing is sorted. An entity that changes again leaves its
//! older entry behind, which readers pass over (the entity says where it last changed) until as many are stale as there
//! are entities; then they go in one walk. Eight bytes an entry.

use super::Handle;
use crate::clock::LogPosition;

/// Entries of a stretch: 4 KiB of them.
const STRETCH_ENTRIES: usize = 512;
/// Entries that may be stale whatever the number of entities, so that few entities are not walked all the time.
const STALE_MIN: usize = 1024;

/// Entries that follow each other.
#[derive(Debug)]
struct Stretch {
    /// Positions count from here.
    base: u64,
    /// Distance from `base` and handle, distances rising.
    entries: Vec<(u32, u32)>,
}

impl Stretch {
    fn position(&self, distance: u32) -> LogPosition {
        LogPosition::new(self.base + u64::from(distance))
    }

    /// Where the entries behind `from` begin.
    fn behind(&self, from: LogPosition) -> usize {
        self.entries
            .partition_point(|(distance, _)| self.position(*distance) <= from)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Changes {
    stretches: Vec<Stretch>,
    entries: usize,
}

impl Changes {
    /// Notes that an entity changed at `position`, which is no lower than any before.
    #[inline]
    pub(super) fn push(&mut self, position: LogPosition, handle: Handle) {
        if let Some(last) = self.stretches.last_mut()
            && let Some(distance) = position.get().checked_sub(last.base)
            && let Ok(distance) = u32::try_from(distance)
        {
            // Changes of one entity often follow each other.
            if let Some((held, of)) = last.entries.last_mut()
                && *of == handle.0
            {
                *held = distance;
                return;
            }
            if last.entries.len() < STRETCH_ENTRIES {
                last.entries.push((distance, handle.0));
                self.entries += 1;
                return;
            }
        }
        let mut entries = Vec::with_capacity(match self.stretches.len() {
            0 => 1,
            _ => STRETCH_ENTRIES,
        });
        entries.push((0, handle.0));
        self.stretches.push(Stretch {
            base: position.get(),
            entries,
        });
        self.entries += 1;
    }

    /// Whether it is time for [`Changes::drop_stale`] with so many entities.
    #[inline]
    pub(super) fn is_stale(&self, entities: usize) -> bool {
        self.entries > 2 * entities + STALE_MIN
    }

    /// Drops the entries that are not `live`.
    pub(super) fn drop_stale(&mut self, is_live: impl Fn(LogPosition, Handle) -> bool) {
        let before = std::mem::take(self);
        for (position, handle) in before.behind(LogPosition::START) {
            if is_live(position, handle) {
                self.push(position, handle);
            }
        }
    }

    /// The entries behind `from`, positions rising, stale ones among them.
    pub(super) fn behind(
        &self,
        from: LogPosition,
    ) -> impl Iterator<Item = (LogPosition, Handle)> + '_ {
        let first = self.stretch_of(from);
        let mut skipped = self
            .stretches
            .get(first)
            .map_or(0, |held| held.behind(from));
        self.stretches.iter().skip(first).flat_map(move |stretch| {
            let entries = stretch.entries.iter().skip(std::mem::take(&mut skipped));
            entries.map(|(distance, handle)| (stretch.position(*distance), Handle(*handle)))
        })
    }

    /// Whether this very entry is there.
    pub(super) fn lists(&self, position: LogPosition, handle: Handle) -> bool {
        self.place(position, handle).is_some()
    }

    /// Takes one entry out.
    pub(super) fn forget(&mut self, position: LogPosition, handle: Handle) {
        if let Some((stretch, entry)) = self.place(position, handle) {
            self.stretches[stretch].entries.remove(entry);
            if self.stretches[stretch].entries.is_empty() {
                self.stretches.remove(stretch);
            }
            self.entries -= 1;
        }
    }

    /// The first stretch that may have an entry behind `from`.
    fn stretch_of(&self, from: LogPosition) -> usize {
        self.stretches
            .partition_point(|stretch| stretch.base <= from.get())
            .saturating_sub(1)
    }

    fn place(&self, position: LogPosition, handle: Handle) -> Option<(usize, usize)> {
        let before = LogPosition::new(position.get().saturating_sub(1));
        let mut number = self.stretch_of(before);
        while let Some(stretch) = self.stretches.get(number) {
            let first = stretch.behind(before);
            for (entry, (distance, held)) in stretch.entries.iter().enumerate().skip(first) {
                match stretch.position(*distance) == position {
                    true if *held == handle.0 => return Some((number, entry)),
                    true => {}
                    false => return None,
                }
            }
            number += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn what_changed_is_found_from_everywhere(
            drawn in prop::collection::vec((0..40_u32, 1..3_u64, 0..20_u8), 1..1500),
            far in prop_oneof![3 => Just(0_u64), 1 => Just(1_u64 << 33)],
        ) {
            let (mut changes, mut expected) = (Changes::default(), BTreeMap::new());
            let mut changed = BTreeMap::new();
            let mut position = 0;
            for (index, (handle, by, what)) in drawn.iter().enumerate() {
                position += by + if index % 100 == 99 { far } else { 0 };
                let (at, handle) = (LogPosition::new(position), Handle(*handle));
                changes.push(at, handle);
                if let Some(before) = changed.insert(handle, at) {
                    expected.remove(&before);
                }
                expected.insert(at, handle);
                match what {
                    0 => changes.drop_stale(|position, handle| changed[&handle] == position),
                    1 => {
                        changes.forget(at, handle);
                        expected.remove(&at);
                        prop_assert!(!changes.lists(at, handle));
                    }
                    _ => prop_assert!(changes.lists(at, handle)),
                }
            }
            for from in (0..=position).step_by(usize::try_from(position / 50 + 1).unwrap_or(1)) {
                let from = LogPosition::new(from);
                let found = changes.behind(from);
                let found: Vec<_> = found
                    .filter(|(position, handle)| changed[handle] == *position)
                    .collect();
                let behind = expected.range(from.next()..);
                let behind: Vec<_> = behind.map(|(position, handle)| (*position, *handle)).collect();
                prop_assert_eq!(found, behind);
            }
        }
    }
}

//! The power cut: which of the unsynced changes are found on the disk afterwards.
//!
//! A disk promises nothing about what was not synced: all, nothing, or any sectors of it may have arrived, in any
//! order. Model: Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014 (ALICE), at sectors of 512 bytes.

use std::collections::BTreeMap;

use super::NameModel;
use super::disk::{Change, Disk, NameChange, Node, NodeId, Unsynced};
use crate::repo::MemoryRepo;
use crate::repo::memory::Content;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: u64 = 512;

/// How a power cut treats what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// All of it is lost.
    DropUnsynced,
    /// None of it is lost.
    KeepAll,
    /// Chance decides over each file, each sector of 512 bytes, each change of a length and of a name.
    Subset {
        /// The same seed on the same disk gives the same files.
        seed: u64,
    },
    /// The power went while the newest unsynced write was under way: only its first bytes arrived, and nothing that
    /// was asked for after it. As [`KeepAll`](Crash::KeepAll) when no write is unsynced.
    TearLast {
        /// How many of its bytes arrived; all of them when it has fewer.
        bytes: usize,
    },
}

impl Disk {
    /// What the disk holds after a power cut.
    pub(super) fn after(&self, crash: Crash) -> MemoryRepo {
        let (names, files) = match crash {
            Crash::DropUnsynced => (
                self.names_without_unsynced(),
                self.each_file(|node| node.durable.clone()),
            ),
            Crash::KeepAll => (
                self.names_before(u64::MAX),
                self.each_file(|node| file_before(node, u64::MAX)),
            ),
            Crash::Subset { seed } => {
                let mut chance = Chance::new(seed);
                (
                    self.names_by_chance(&mut chance),
                    self.each_file(|node| file_by_chance(node, &mut chance)),
                )
            }
            Crash::TearLast { bytes } => {
                let torn = self.last_write().map_or(u64::MAX, |(order, _)| order);
                (
                    self.names_before(torn),
                    self.each_file(|node| file_torn(node, torn, bytes)),
                )
            }
        };
        let left = MemoryRepo::new();
        for (name, node) in &names {
            left.put(name, files[node.index()].clone());
        }
        left
    }

    /// How many bytes the newest unsynced write has.
    pub(super) fn last_write_bytes(&self) -> usize {
        self.last_write().map_or(0, |(_, bytes)| bytes)
    }

    /// The newest unsynced write: its order and how many bytes it has.
    fn last_write(&self) -> Option<(u64, usize)> {
        let changes = self.nodes.iter().flat_map(|node| &node.unsynced);
        let writes = changes.filter_map(|unsynced| match &unsynced.change {
            Change::Write { bytes, .. } => Some((unsynced.order, bytes.len())),
            Change::SetLength(_) => None,
        });
        writes.max()
    }

    fn each_file(&self, left: impl FnMut(&Node) -> Content) -> Vec<Vec<u8>> {
        self.nodes
            .iter()
            .map(left)
            .map(Content::into_bytes)
            .collect()
    }

    fn names_without_unsynced(&self) -> BTreeMap<String, NodeId> {
        match self.name_model {
            NameModel::Posix => self.durable_names.clone(),
            NameModel::Journal => self.names_before(u64::MAX),
        }
    }

    fn names_before(&self, order: u64) -> BTreeMap<String, NodeId> {
        self.names_with(
            self.name_changes
                .iter()
                .filter(|unsynced| unsynced.order < order),
        )
    }

    fn names_by_chance(&self, chance: &mut Chance) -> BTreeMap<String, NodeId> {
        match self.name_model {
            NameModel::Posix => {
                self.names_with(self.name_changes.iter().filter(|_| chance.below(2) == 0))
            }
            NameModel::Journal => {
                let kept = chance.below(self.name_changes.len() as u64 + 1);
                self.names_with(
                    self.name_changes
                        .iter()
                        .zip(0..kept)
                        .map(|(unsynced, _)| unsynced),
                )
            }
        }
    }

    fn names_with<'a>(
        &self,
        kept: impl Iterator<Item = &'a Unsynced<NameChange>>,
    ) -> BTreeMap<String, NodeId> {
        let mut names = self.durable_names.clone();
        for unsynced in kept {
            unsynced.change.apply(&mut names);
        }
        names
    }
}

fn file_before(node: &Node, order: u64) -> Content {
    let mut left = node.durable.clone();
    for unsynced in node
        .unsynced
        .iter()
        .filter(|unsynced| unsynced.order < order)
    {
        unsynced.change.apply(&mut left);
    }
    left
}

fn file_torn(node: &Node, torn: u64, bytes_kept: usize) -> Content {
    let mut left = file_before(node, torn);
    for unsynced in node
        .unsynced
        .iter()
        .filter(|unsynced| unsynced.order == torn)
    {
        if let Change::Write { offset, bytes } = &unsynced.change {
            let kept = bytes[..bytes_kept.min(bytes.len())].to_vec();
            Change::Write {
                offset: *offset,
                bytes: kept,
            }
            .apply(&mut left);
        }
    }
    left
}

fn file_by_chance(node: &Node, chance: &mut Chance) -> Content {
    // Files differ in how much of them arrived: with one coin a sector alone, "all of this file and nothing of that
    // one" would hardly ever come up for files of many sectors.
    let kept_of_four = match chance.below(4) {
        0 => return node.durable.clone(),
        1 => return file_before(node, u64::MAX),
        _ => 1 + chance.below(3),
    };
    let mut left = node.durable.clone();
    for unsynced in &node.unsynced {
        match &unsynced.change {
            Change::SetLength(_) if chance.below(2) == 0 => unsynced.change.apply(&mut left),
            Change::SetLength(_) => {}
            Change::Write { offset, bytes } => {
                write_by_chance(&mut left, *offset, bytes, kept_of_four, chance)
            }
        }
    }
    left
}

/// Writes some sectors of `bytes`. A file that grows by them gets its new length on its own: sectors may be missing
/// below it (they read as zeros) or may lie beyond it (they are not found).
fn write_by_chance(
    left: &mut Content,
    offset: u64,
    bytes: &[u8],
    kept_of_four: u64,
    chance: &mut Chance,
) {
    let sectors = sectors_of(offset, bytes);
    let end = offset + bytes.len() as u64;
    if left.length() < end {
        // As far as before any of the sectors, or behind one of them.
        let grown = match chance.below(sectors.len() as u64 + 1) {
            0 => left.length(),
            sector => sectors
                .iter()
                .zip(0..sector)
                .last()
                .map_or(end, |((at, bytes), _)| at + bytes.len() as u64),
        };
        if left.length() < grown {
            Change::SetLength(grown).apply(left);
        }
    }
    for (at, bytes) in sectors {
        let inside = usize::try_from(left.length().saturating_sub(at))
            .map_or(bytes.len(), |room| room.min(bytes.len()));
        if chance.below(4) < kept_of_four && inside > 0 {
            Change::Write {
                offset: at,
                bytes: bytes[..inside].to_vec(),
            }
            .apply(left);
        }
    }
}

/// The pieces of `bytes` that lie in one sector each, with their offsets.
fn sectors_of(offset: u64, bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let mut sectors = Vec::new();
    let (mut at, mut rest) = (offset, bytes);
    while !rest.is_empty() {
        let room = SECTOR_BYTES - at % SECTOR_BYTES;
        let (sector, behind) =
            rest.split_at(usize::try_from(room).map_or(rest.len(), |room| room.min(rest.len())));
        sectors.push((at, sector));
        at += sector.len() as u64;
        rest = behind;
    }
    sectors
}

/// Chance from a seed: xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016).
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring streams, and the state must not be 0: one step of SplitMix64.
        let mut state = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Chance((state ^ (state >> 31)) | 1)
    }

    /// A number from 0 up to and without `bound`; slightly uneven, which no test minds.
    fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below 0");
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) % bound
    }
}

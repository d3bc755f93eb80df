//! The hashes of full tiles: in memory with all nodes above them, and in a file that can be deleted.
//!
//! The file is appended to and never synced: what a power cut leaves of it is told by checksums, and hashed again.

use std::sync::Arc;

use uuid::Uuid;

use super::hash::TreeHash;
use crate::repo::{Repo, RepoFile};

/// The file.
pub(crate) const NODES_FILE: &str = "nodes";
const MAGIC: &[u8; 8] = b"RFMERKLE";
/// The layout of the file; another is not read but made again.
const NODES_FORMAT: u32 = 1;
/// A hash and its checksum; the header has the same length.
const ENTRY_BYTES: usize = 36;
/// Bytes of an entry, or of the header, in front of its checksum.
const CHECKED_BYTES: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Nodes {
    repo: Arc<dyn Repo>,
    log_id: Uuid,
    /// `levels[0]` are the tiles, each level above holds the full subtrees of twice as many.
    levels: Vec<Vec<TreeHash>>,
    /// `None`: none yet, or it could not be written.
    file: Option<Arc<dyn RepoFile>>,
}

impl Nodes {
    /// No nodes.
    pub(super) fn empty(repo: Arc<dyn Repo>, log_id: Uuid) -> Self {
        Nodes {
            repo,
            log_id,
            levels: vec![Vec::new()],
            file: None,
        }
    }

    /// What the file holds of a log that has `full` tiles.
    pub(super) fn load(repo: Arc<dyn Repo>, log_id: Uuid, full: u64) -> Self {
        let stored = stored_tiles(&*repo, log_id).unwrap_or_default().tiles;
        let mut nodes = Nodes::empty(repo, log_id);
        let wanted = usize::try_from(full).unwrap_or(usize::MAX);
        stored
            .iter()
            .take(wanted)
            .for_each(|tile| nodes.push(*tile));
        if !stored.is_empty() {
            nodes.file = nodes.repo.open(NODES_FILE).ok();
        }
        nodes
    }

    /// Full tiles.
    pub(super) fn tiles(&self) -> u64 {
        self.levels[0].len() as u64
    }

    /// The hash of a tile.
    pub(super) fn tile(&self, tile: u64) -> Option<TreeHash> {
        self.subtree(tile, 1)
    }

    /// The hash of `count` tiles from `tile` on; `count` is a power of two, and divides `tile`.
    pub(super) fn subtree(&self, tile: u64, count: u64) -> Option<TreeHash> {
        let level = self.levels.get(count.ilog2() as usize)?;
        level.get(usize::try_from(tile / count).ok()?).copied()
    }

    /// Adds the tiles that follow. A file that cannot be written is given up: the tiles are hashed again at the next start.
    pub(super) fn append(&mut self, tiles: &[TreeHash]) {
        let first = self.tiles();
        tiles.iter().for_each(|tile| self.push(*tile));
        if let Err(_unwritten) = self.write(first, tiles) {
            self.file = None;
        }
    }

    fn push(&mut self, tile: TreeHash) {
        let mut hash = tile;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(hash);
            if nodes.len() % 2 == 1 {
                return;
            }
            hash = TreeHash::node(&nodes[nodes.len() - 2], &hash);
        }
    }

    fn write(&mut self, first: u64, tiles: &[TreeHash]) -> std::io::Result<()> {
        let file = match &self.file {
            Some(file) => file.clone(),
            // Only from the beginning: a file given up on has a gap.
            None if first == 0 => {
                let file = self.repo.create(NODES_FILE)?;
                file.write_at(&header(self.log_id), 0)?;
                self.file.insert(file).clone()
            }
            None => return Ok(()),
        };
        let mut bytes = Vec::with_capacity(tiles.len() * ENTRY_BYTES);
        for (index, tile) in (first..).zip(tiles) {
            bytes.extend_from_slice(&tile.0);
            bytes.extend_from_slice(&entry_checksum(index, &tile.0).to_le_bytes());
        }
        file.write_at(&bytes, (first + 1) * ENTRY_BYTES as u64)
    }
}

/// What stands in a nodes' file.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// The tiles up to the first that does not verify.
    pub(crate) tiles: Vec<TreeHash>,
    /// Whether more was there.
    pub(crate) is_damaged: bool,
}

/// What stands in the file; `None` when there is none.
pub(crate) fn stored_tiles(repo: &dyn Repo, log_id: Uuid) -> Option<Stored> {
    let file = repo.open(NODES_FILE).ok()?;
    let mut bytes = vec![0; usize::try_from(file.len().ok()?).ok()?];
    file.read_at(&mut bytes, 0).ok()?;
    let Some(entries) = bytes.strip_prefix(&header(log_id)) else {
        return Some(Stored {
            tiles: Vec::new(),
            is_damaged: true,
        });
    };
    let verified = entries.chunks_exact(ENTRY_BYTES).zip(0..);
    let tiles: Vec<TreeHash> = verified
        .map_while(|(entry, index)| {
            let (hash, checksum) = entry.split_first_chunk::<CHECKED_BYTES>()?;
            (*checksum == entry_checksum(index, hash).to_le_bytes()).then_some(TreeHash(*hash))
        })
        .collect();
    Some(Stored {
        is_damaged: tiles.len() * ENTRY_BYTES < entries.len(),
        tiles,
    })
}

fn header(log_id: Uuid) -> [u8; ENTRY_BYTES] {
    let mut header = [0; ENTRY_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&NODES_FORMAT.to_le_bytes());
    header[16..32].copy_from_slice(log_id.as_bytes());
    let checksum = crc32fast::hash(&header[..CHECKED_BYTES]);
    header[CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Starts from the entry's place, so that an entry elsewhere does not verify.
#[expect(
    clippy::cast_possible_truncation,
    reason = "places of one file differ in their low 32 bits"
)]
fn entry_checksum(index: u64, hash: &[u8; CHECKED_BYTES]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(index as u32);
    hasher.update(hash);
    hasher.finalize()
}

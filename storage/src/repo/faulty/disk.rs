//! A simulated disk under a page cache: what is cached, what has reached the disk, and what is on its way.

use std::collections::BTreeMap;
use std::io;

use super::NameModel;
use crate::repo::MemoryRepo;
use crate::repo::memory::{Content, MemoryView, not_found};

/// How far off a misdirected write lands.
const MISDIRECTED_BY_BYTES: u64 = 4_096;

/// Where a write ends up behind the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteFate {
    Lands,
    Lost,
    Misdirected,
}

/// A file apart from its name, as an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

impl NodeId {
    /// Its index in [`Disk::nodes`].
    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// The state of the disk. Nodes are never freed: a handle may outlive the name.
#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) nodes: Vec<Node>,
    names: BTreeMap<String, NodeId>,
    pub(super) durable_names: BTreeMap<String, NodeId>,
    /// Those that lead from `durable_names` to `names`, in order.
    pub(super) name_changes: Vec<Unsynced<NameChange>>,
    pub(super) name_model: NameModel,
    space_bytes_max: Option<u64>,
    /// Orders the unsynced changes of all files and names.
    next_order: u64,
}

#[derive(Debug, Default)]
pub(super) struct Node {
    /// What reads see.
    cached: Content,
    /// What is left when all of `unsynced` is lost.
    pub(super) durable: Content,
    /// What was not synced, in order.
    pub(super) unsynced: Vec<Unsynced<Change>>,
}

#[derive(Clone, Debug)]
pub(super) struct Unsynced<T> {
    /// When it was asked for, counted over the whole disk.
    pub(super) order: u64,
    pub(super) change: T,
}

#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLength(u64),
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    /// A new file got the name, or, from a rename, an old one did.
    Set {
        name: String,
        node: NodeId,
        instead_of: Option<String>,
    },
    Remove {
        name: String,
    },
}

impl Change {
    pub(super) fn apply(&self, content: &mut Content) {
        let applied = match self {
            Change::Write { offset, bytes } => content.write(bytes, *offset),
            Change::SetLength(length) => content.set_len(*length),
        };
        // The cache took the same change; only a misdirected write at the largest offset can go beyond, and is lost.
        drop(applied);
    }
}

impl NameChange {
    pub(super) fn apply(&self, names: &mut BTreeMap<String, NodeId>) {
        match self {
            NameChange::Set {
                name,
                node,
                instead_of,
            } => {
                if let Some(old) = instead_of {
                    names.remove(old);
                }
                names.insert(name.clone(), *node);
            }
            NameChange::Remove { name } => {
                names.remove(name);
            }
        }
    }
}

impl Disk {
    pub(super) fn over(files: &MemoryRepo) -> Disk {
        let mut disk = Disk::default();
        for (name, bytes) in files.all() {
            let content = Content::new(bytes);
            disk.nodes.push(Node {
                cached: content.clone(),
                durable: content,
                unsynced: Vec::new(),
            });
            disk.names.insert(name, NodeId(disk.nodes.len() - 1));
        }
        disk.durable_names = disk.names.clone();
        disk
    }

    pub(super) fn set_name_model(&mut self, model: NameModel) {
        self.name_model = model;
    }

    pub(super) fn set_space_bytes_max(&mut self, space_bytes_max: Option<u64>) {
        self.space_bytes_max = space_bytes_max;
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    pub(super) fn find(&self, name: &str) -> io::Result<NodeId> {
        self.names.get(name).copied().ok_or_else(|| not_found(name))
    }

    pub(super) fn create(&mut self, name: &str) -> NodeId {
        self.nodes.push(Node::default());
        let node = NodeId(self.nodes.len() - 1);
        self.change_names(NameChange::Set {
            name: name.to_owned(),
            node,
            instead_of: None,
        });
        node
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let node = self.find(from)?;
        if from != to {
            let instead_of = Some(from.to_owned());
            self.change_names(NameChange::Set {
                name: to.to_owned(),
                node,
                instead_of,
            });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> io::Result<()> {
        self.find(name)?;
        self.change_names(NameChange::Remove {
            name: name.to_owned(),
        });
        Ok(())
    }

    pub(super) fn sync_folder(&mut self) {
        self.durable_names = self.names.clone();
        self.name_changes.clear();
    }

    pub(super) fn length(&self, node: NodeId) -> u64 {
        self.node(node).cached.length()
    }

    pub(super) fn read(&self, node: NodeId, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.node(node).cached.read(buffer, offset)
    }

    pub(super) fn view(&mut self, node: NodeId, length: u64) -> io::Result<MemoryView> {
        self.nodes[node.0].cached.view(length)
    }

    pub(super) fn write(
        &mut self,
        node: NodeId,
        bytes: &[u8],
        offset: u64,
        fate: WriteFate,
    ) -> io::Result<()> {
        let Some(end) = offset.checked_add(bytes.len() as u64) else {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        };
        let room = self.room_for(node, end);
        // As a file system does, what fits is written before the lack of space is reported.
        let fitting = usize::try_from(room.saturating_sub(offset))
            .map_or(bytes.len(), |room| room.min(bytes.len()));
        let (written, refused) = bytes.split_at(fitting);

        self.nodes[node.0].cached.write(written, offset)?;
        if !written.is_empty() {
            let change = |offset| Change::Write {
                offset,
                bytes: written.to_vec(),
            };
            match fate {
                WriteFate::Lands => self.change_file(node, change(offset)),
                WriteFate::Misdirected => {
                    self.change_file(node, change(offset.saturating_add(MISDIRECTED_BY_BYTES)))
                }
                WriteFate::Lost => {}
            }
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
    }

    pub(super) fn set_len(&mut self, node: NodeId, length: u64) -> io::Result<()> {
        if self.room_for(node, length) < length {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.nodes[node.0].cached.set_len(length)?;
        self.change_file(node, Change::SetLength(length));
        Ok(())
    }

    pub(super) fn sync(&mut self, node: NodeId) {
        let node = &mut self.nodes[node.0];
        for unsynced in node.unsynced.drain(..) {
            unsynced.change.apply(&mut node.durable);
        }
        if self.name_model == NameModel::Journal {
            self.sync_folder();
        }
    }

    /// Takes what is unsynced for clean although it never reached the disk.
    pub(super) fn forget_unsynced(&mut self, node: NodeId) {
        self.nodes[node.0].unsynced.clear();
    }

    pub(super) fn drop_cache(&mut self) {
        for node in &mut self.nodes {
            node.cached = node.durable.clone();
            for unsynced in &node.unsynced {
                unsynced.change.apply(&mut node.cached);
            }
        }
    }

    pub(super) fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node.0]
    }

    /// The length up to which a file may grow when it asks for `wanted` bytes.
    fn room_for(&self, node: NodeId, wanted: u64) -> u64 {
        let length = self.length(node);
        let Some(space_bytes_max) = self.space_bytes_max else {
            return wanted;
        };
        if wanted <= length {
            return wanted;
        }
        let used: u64 = self.names.values().map(|node| self.length(*node)).sum();
        wanted.min(length + space_bytes_max.saturating_sub(used))
    }

    fn change_file(&mut self, node: NodeId, change: Change) {
        let order = self.order();
        self.nodes[node.0].unsynced.push(Unsynced { order, change });
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        let order = self.order();
        self.name_changes.push(Unsynced { order, change });
    }

    fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }
}

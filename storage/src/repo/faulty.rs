//! The world that breaks on purpose: a simulated disk that fails, fills up, forgets and loses power when told to.
//!
//! A test runs the log on a [`FaultyRepo`], lets the n-th operation go wrong, takes what a power cut would leave
//! ([`FaultyRepo::crash`]) as a [`MemoryRepo`], and opens the log on that. Nothing here is random unless a seed
//! says so, and the same seed gives the same bytes.
//!
//! What the disk knows is in `disk`, what a power cut leaves of it in `crash`; here is the face that the log sees,
//! which counts operations and strikes.

mod crash;
mod disk;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crash::Crash;
use disk::{Disk, NodeId, WriteFate};

use super::name::check_name;
use super::{MemoryRepo, Repo, RepoFile, View};

/// What a [`FaultyRepo`] counts. Asking for a file's length or path is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each is the method of Repo or RepoFile with that name"
)]
pub enum Operation {
    Create,
    Open,
    Write,
    SetLen,
    Sync,
    SyncFolder,
    Rename,
    Remove,
    Read,
    View,
    List,
}

impl Operation {
    const COUNT: usize = Operation::List as usize + 1;
}

/// One thing that goes wrong, once (for good with [`FaultKind::IoForGood`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The operation that it strikes; the first since the repo was made is 1.
    pub at: u64,
    /// Count operations of this kind only. `None`: of every kind.
    pub only: Option<Operation>,
    /// What happens.
    pub kind: FaultKind,
}

/// How an operation goes wrong. A kind that does not fit the operation acts as [`Io`](FaultKind::Io).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// EIO; nothing is done.
    Io,
    /// EIO, now and for every later operation that the fault counts.
    IoForGood,
    /// `StorageFull`; nothing is done.
    NoSpace,
    /// The first half of the bytes is written, then EIO.
    Short,
    /// Power is cut before the operation: it and every later one fails until [`FaultyRepo::crash`].
    CrashBefore,
    /// Power is cut after the operation was done and before anybody heard of it.
    CrashAfter,
    /// A sync answers EIO and takes what was unsynced for clean: it stays readable, later syncs succeed, and it
    /// never reaches the disk. What Linux does on ext4 when writing back a page fails.
    SyncLies,
    /// A write that is answered and read back, and never reaches the disk, whatever is synced.
    LostWrite,
    /// A write that is answered and read back, and reaches the disk 4,096 bytes further on.
    MisdirectedWrite,
}

/// What makes creations, renames and removals durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NameModel {
    /// Only a sync of the folder; unsynced ones survive in any combination. The strictest reading of POSIX.
    #[default]
    Posix,
    /// They survive on their own, in order, and any sync of a file makes all earlier ones durable, as on a file
    /// system that journals them (ext4, XFS). So a new name may survive and what was written to the file may not.
    Journal,
}

/// A folder on a simulated disk as a [`Repo`]. A clone is the same folder.
#[derive(Clone, Debug)]
pub struct FaultyRepo {
    world: Arc<Mutex<World>>,
}

#[derive(Debug)]
struct World {
    disk: Disk,
    faults: Vec<Fault>,
    operations: u64,
    operations_by_kind: [u64; Operation::COUNT],
    dead: bool,
}

impl Default for FaultyRepo {
    fn default() -> Self {
        FaultyRepo::new()
    }
}

impl FaultyRepo {
    /// An empty folder on a disk without faults, names as in [`NameModel::Posix`].
    pub fn new() -> Self {
        FaultyRepo::over(&MemoryRepo::new())
    }

    /// A folder that holds a copy of these files, all of it durable.
    pub fn over(files: &MemoryRepo) -> Self {
        let world = World {
            disk: Disk::over(files),
            faults: Vec::new(),
            operations: 0,
            operations_by_kind: [0; Operation::COUNT],
            dead: false,
        };
        FaultyRepo {
            world: Arc::new(Mutex::new(world)),
        }
    }

    /// Sets what makes names durable from now on.
    pub fn set_name_model(&self, model: NameModel) {
        self.lock().disk.set_name_model(model);
    }

    /// Sets how many bytes all files together may hold; what goes beyond is answered with `StorageFull`, after as much
    /// as fits was written. `None`, as at the start: no bound.
    pub fn set_space_bytes_max(&self, space_bytes_max: Option<u64>) {
        self.lock().disk.set_space_bytes_max(space_bytes_max);
    }

    /// Adds a fault to those that wait for their operation.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push(fault);
    }

    /// Takes back all faults that have not struck, and those that struck for good.
    pub fn clear_faults(&self) {
        self.lock().faults.clear();
    }

    /// How many operations there were, those that failed included.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// How many of one kind there were.
    pub fn operations_of(&self, operation: Operation) -> u64 {
        self.lock().operations_by_kind[operation as usize]
    }

    /// Whether power was cut by a fault.
    pub fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// How many bytes the newest unsynced write has: what [`Crash::TearLast`] can cut. 0 when there is none.
    pub fn last_write_bytes(&self) -> usize {
        self.lock().disk.last_write_bytes()
    }

    /// Lets reads see what the disk was told instead of what is cached, as after the cached pages were dropped.
    /// Only a lost or misdirected write and a sync that lied make a difference.
    pub fn drop_cache(&self) {
        self.lock().disk.drop_cache();
    }

    /// What a power cut at this moment would leave on the disk. This repo stays as it is, so that one moment can be
    /// crashed in many ways.
    pub fn crash(&self, crash: Crash) -> MemoryRepo {
        self.lock().disk.after(crash)
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A test that failed while it held the lock has already said so; the rest may go on.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the operation and does it, or what a fault makes of it.
    fn operate<T>(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut Disk, Option<FaultKind>) -> io::Result<T>,
    ) -> io::Result<T> {
        let world = &mut *self.lock();
        match world.count(operation)? {
            Some(FaultKind::Io | FaultKind::IoForGood) => Err(io_error()),
            Some(FaultKind::NoSpace) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(FaultKind::CrashBefore) => {
                world.dead = true;
                Err(dead())
            }
            Some(FaultKind::CrashAfter) => {
                world.dead = true;
                // Whether it succeeded is what nobody lives to hear.
                act(&mut world.disk, None).and(Err(dead()))
            }
            fault => act(&mut world.disk, fault),
        }
    }

    /// An operation on which only the general kinds of faults act.
    fn operate_plainly<T>(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        self.operate(operation, |disk, fault| match fault {
            None => act(disk),
            Some(_) => Err(io_error()),
        })
    }

    fn file(&self, node: NodeId) -> Arc<dyn RepoFile> {
        Arc::new(FaultyFile {
            repo: self.clone(),
            node,
        })
    }
}

impl World {
    /// Counts one operation; the fault that strikes it, if one does.
    fn count(&mut self, operation: Operation) -> io::Result<Option<FaultKind>> {
        if self.dead {
            return Err(dead());
        }
        self.operations += 1;
        self.operations_by_kind[operation as usize] += 1;
        let found = self.faults.iter().position(|fault| {
            let now = match fault.only {
                None => self.operations,
                Some(only) if only == operation => self.operations_by_kind[operation as usize],
                Some(_) => return false,
            };
            now == fault.at || (now > fault.at && fault.kind == FaultKind::IoForGood)
        });
        let Some(found) = found else { return Ok(None) };
        let kind = self.faults[found].kind;
        if kind != FaultKind::IoForGood {
            self.faults.remove(found);
        }
        Ok(Some(kind))
    }
}

fn io_error() -> io::Error {
    // EIO has this number on every POSIX system and no stable `ErrorKind`.
    io::Error::from_raw_os_error(5)
}

fn dead() -> io::Error {
    io::Error::other("power was cut")
}

impl Repo for FaultyRepo {
    fn list(&self) -> io::Result<Vec<String>> {
        self.operate_plainly(Operation::List, |disk| Ok(disk.names()))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn RepoFile>> {
        check_name(name)?;
        let node = self.operate_plainly(Operation::Create, |disk| Ok(disk.create(name)))?;
        Ok(self.file(node))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn RepoFile>> {
        check_name(name)?;
        let node = self.operate_plainly(Operation::Open, |disk| disk.find(name))?;
        Ok(self.file(node))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(from)?;
        check_name(to)?;
        self.operate_plainly(Operation::Rename, |disk| disk.rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        check_name(name)?;
        self.operate_plainly(Operation::Remove, |disk| disk.remove(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.operate_plainly(Operation::SyncFolder, |disk| {
            disk.sync_folder();
            Ok(())
        })
    }

    fn path(&self, _name: &str) -> Option<PathBuf> {
        None
    }
}

#[derive(Debug)]
struct FaultyFile {
    repo: FaultyRepo,
    node: NodeId,
}

impl RepoFile for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        let world = self.repo.lock();
        if world.dead {
            Err(dead())
        } else {
            Ok(world.disk.length(self.node))
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.repo
            .operate(Operation::Write, |disk, fault| match fault {
                None => disk.write(self.node, bytes, offset, WriteFate::Lands),
                Some(FaultKind::LostWrite) => disk.write(self.node, bytes, offset, WriteFate::Lost),
                Some(FaultKind::MisdirectedWrite) => {
                    disk.write(self.node, bytes, offset, WriteFate::Misdirected)
                }
                Some(FaultKind::Short) => disk
                    .write(
                        self.node,
                        &bytes[..bytes.len() / 2],
                        offset,
                        WriteFate::Lands,
                    )
                    .and(Err(io_error())),
                Some(_) => Err(io_error()),
            })
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.repo
            .operate_plainly(Operation::Read, |disk| disk.read(self.node, buffer, offset))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.repo
            .operate_plainly(Operation::SetLen, |disk| disk.set_len(self.node, length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.repo
            .operate(Operation::Sync, |disk, fault| match fault {
                None => {
                    disk.sync(self.node);
                    Ok(())
                }
                Some(FaultKind::SyncLies) => {
                    disk.forget_unsynced(self.node);
                    Err(io_error())
                }
                Some(_) => Err(io_error()),
            })
    }

    fn view(&self, length: u64, _reserve: u64) -> io::Result<Arc<dyn View>> {
        let view = self
            .repo
            .operate_plainly(Operation::View, |disk| disk.view(self.node, length))?;
        Ok(Arc::new(view))
    }
}

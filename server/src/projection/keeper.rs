//! The thread that owns the checkpoint store, so that nothing else waits for it or falls with it.
//!
//! Opening happens on a thread of its own, behind `catch_unwind` and a time limit. Whatever is wrong (an error, a
//! panic, no answer in time, a damaged set, a set ahead of the log or from another history) has one answer: the folder
//! is renamed aside, at most one such folder is kept, and an empty one takes its place. The projections then fold the
//! log from its beginning. A save that fails closes the store; the next save opens it again, under a new generation,
//! and is asked for whole sets, because nothing is known about what the failed one left.

use std::collections::HashMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::checkpoint::{Batch, History, SavedSet, check_history};
use super::store::{CheckpointStore, StoreError};

/// How a store is opened. Called on a thread of its own; may panic and may never return.
pub(super) type Opener =
    Arc<dyn Fn(&Path) -> Result<Box<dyn CheckpointStore>, StoreError> + Send + Sync>;

/// Which opening of the store a save built upon. Rises each time the store is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// What the keeper needs to know.
pub(super) struct KeeperOptions {
    /// The store's folder. Set aside, it is called the same with `.aside` behind it.
    pub(super) folder: PathBuf,
    /// How long opening and loading may take.
    pub(super) open_limit: Duration,
    /// How the store is opened.
    pub(super) opener: Opener,
    /// The log that checkpoints must agree with.
    pub(super) history: Arc<dyn History + Send + Sync>,
    /// The projections whose sets are loaded at the start.
    pub(super) projections: Vec<String>,
}

/// What came of a save.
#[derive(Debug)]
pub(super) enum SaveOutcome {
    /// It is in the store. The next one may build upon this generation.
    Saved(Generation),
    /// It was not saved. The next one must be whole.
    Lost,
}

enum Request {
    Save {
        projection: &'static str,
        batch: Batch,
        base: Option<Generation>,
        reply: Sender<SaveOutcome>,
    },
    /// The answer says whether everything saved so far is removed.
    Forget { done: Sender<bool> },
    /// The sender is dropped once everything before it is done and the store is closed.
    Stop { done: Sender<()> },
}

/// What the store held at the start; each set is taken once.
#[derive(Default)]
struct Loaded {
    ready: bool,
    sets: HashMap<String, SavedSet>,
    generation: Option<Generation>,
}

/// The handle of the thread. Dropping it lets the thread finish what it was given, without waiting for it.
pub(super) struct Keeper {
    requests: Mutex<Sender<Request>>,
    loaded: Arc<(Mutex<Loaded>, Condvar)>,
}

impl Keeper {
    /// Starts the thread and returns at once.
    pub(super) fn start(options: KeeperOptions) -> Self {
        let (sender, receiver) = channel();
        let loaded = Arc::new((Mutex::new(Loaded::default()), Condvar::new()));
        let shared = Arc::clone(&loaded);
        let owner = Owner {
            options,
            store: None,
            generation: Generation::default(),
        };
        let thread = thread::Builder::new().name("checkpoints".to_owned());
        if let Err(error) = thread.spawn(move || owner.run(&receiver, &shared)) {
            tracing::error!(%error, "no thread for checkpoints, every start will fold the whole log");
            announce(&loaded, HashMap::new(), None);
        }
        Keeper {
            requests: Mutex::new(sender),
            loaded,
        }
    }

    /// What was saved for this projection, and the generation that the next save may build upon. Waits until the
    /// store is open or given up, which the keeper's time limit bounds.
    pub(super) fn take_loaded(&self, projection: &str) -> Option<(SavedSet, Generation)> {
        let (lock, ready) = &*self.loaded;
        let guard = lock.lock().unwrap_or_else(PoisonError::into_inner);
        let mut loaded = ready
            .wait_while(guard, |loaded| !loaded.ready)
            .unwrap_or_else(PoisonError::into_inner);
        let set = loaded.sets.remove(projection)?;
        Some((set, loaded.generation?))
    }

    /// Hands over a checkpoint. The answer comes through the returned channel; a closed channel means
    /// [`SaveOutcome::Lost`].
    pub(super) fn save(
        &self,
        projection: &'static str,
        batch: Batch,
        base: Option<Generation>,
    ) -> Receiver<SaveOutcome> {
        let (reply, outcome) = channel();
        let request = Request::Save {
            projection,
            batch,
            base,
            reply,
        };
        // A send fails when the thread is gone; the reply's sender is dropped with the request then.
        let _ = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(request);
        outcome
    }

    /// Removes everything that was saved, also what was set aside. False when that failed or takes longer than `limit`.
    pub(super) fn forget(&self, limit: Duration) -> bool {
        let (done, removed) = channel();
        let _ = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(Request::Forget { done });
        removed.recv_timeout(limit).unwrap_or(false)
    }

    /// Waits until everything handed over is saved and durable and the store is closed, but not longer than `limit`.
    pub(super) fn stop(&self, limit: Duration) {
        let (done, closed) = channel();
        let _ = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(Request::Stop { done });
        if closed.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the checkpoint store does not close, it is left to itself");
        }
    }
}

fn announce(
    loaded: &(Mutex<Loaded>, Condvar),
    sets: HashMap<String, SavedSet>,
    generation: Option<Generation>,
) {
    let (lock, ready) = loaded;
    *lock.lock().unwrap_or_else(PoisonError::into_inner) = Loaded {
        ready: true,
        sets,
        generation,
    };
    ready.notify_all();
}

/// The thread's own state.
struct Owner {
    options: KeeperOptions,
    store: Option<Box<dyn CheckpointStore>>,
    generation: Generation,
}

impl Owner {
    fn run(mut self, requests: &Receiver<Request>, loaded: &(Mutex<Loaded>, Condvar)) {
        let sets = self.open();
        announce(
            loaded,
            sets,
            self.store.is_some().then_some(self.generation),
        );
        while let Ok(first) = requests.recv() {
            // Everything that waits is saved before one sync makes it durable.
            let mut next = Some(first);
            let mut saved = false;
            while let Some(request) = next {
                let (projection, batch, base, reply) = match request {
                    Request::Save {
                        projection,
                        batch,
                        base,
                        reply,
                    } => (projection, batch, base, reply),
                    Request::Forget { done } => {
                        let _ = done.send(self.forget());
                        saved = false;
                        next = requests.try_recv().ok();
                        continue;
                    }
                    Request::Stop { done } => {
                        self.sync(saved);
                        self.close();
                        drop(done);
                        return;
                    }
                };
                let outcome = self.save(projection, batch, base);
                saved |= matches!(outcome, SaveOutcome::Saved(_));
                let _ = reply.send(outcome);
                next = requests.try_recv().ok();
            }
            self.sync(saved);
        }
    }

    fn save(&mut self, projection: &str, batch: Batch, base: Option<Generation>) -> SaveOutcome {
        if self.store.is_none() {
            // The sets found now are not handed out: the projections are ahead of them.
            drop(self.open());
        }
        let Some(store) = &self.store else {
            return SaveOutcome::Lost;
        };
        if !batch.whole && base != Some(self.generation) {
            return SaveOutcome::Lost;
        }
        match guarded(|| store.save(projection, batch)) {
            Ok(()) => SaveOutcome::Saved(self.generation),
            Err(error) => {
                tracing::warn!(projection, %error, "a checkpoint was not saved");
                self.close();
                SaveOutcome::Lost
            }
        }
    }

    /// Removes the store's folder, and the one that was set aside. The next save opens a new one, and must be whole.
    fn forget(&mut self) -> bool {
        self.close();
        let removed = forget_saved(&self.options.folder);
        if let Err(error) = &removed {
            tracing::error!(%error, folder = %self.options.folder.display(), "checkpoints cannot be removed");
        }
        removed.is_ok()
    }

    fn sync(&mut self, needed: bool) {
        let Some(store) = self.store.as_ref().filter(|_| needed) else {
            return;
        };
        if let Err(error) = guarded(|| store.make_durable()) {
            tracing::warn!(%error, "checkpoints were not made durable");
            self.close();
        }
    }

    fn close(&mut self) {
        let store = self.store.take();
        if let Err(error) = guarded(|| {
            drop(store);
            Ok(())
        }) {
            tracing::warn!(%error, "the checkpoint store closed badly");
        }
    }

    /// Opens the store, whatever it takes, and returns the sets that can be built upon.
    fn open(&mut self) -> HashMap<String, SavedSet> {
        self.generation = Generation(self.generation.0 + 1);
        match open_within(&self.options) {
            Ok((store, sets)) => {
                self.store = Some(store);
                return sets;
            }
            Err(error) => {
                tracing::warn!(%error, folder = %self.options.folder.display(), "checkpoints are set aside and folded anew");
            }
        }
        let fresh = set_aside(&self.options.folder)
            .map_err(StoreError::from)
            .and_then(|()| open_within(&self.options));
        match fresh {
            Ok((store, _)) => self.store = Some(store),
            Err(error) => {
                tracing::error!(%error, folder = %self.options.folder.display(), "no checkpoints can be kept");
            }
        }
        HashMap::new()
    }
}

type Opened = (Box<dyn CheckpointStore>, HashMap<String, SavedSet>);

/// Opens, loads and verifies on a thread of its own. After the limit that thread is left to itself: what it may still
/// open is closed as soon as it finds nobody waiting.
fn open_within(options: &KeeperOptions) -> Result<Opened, StoreError> {
    let (sender, receiver) = channel();
    let opener = Arc::clone(&options.opener);
    let history = Arc::clone(&options.history);
    let folder = options.folder.clone();
    let projections = options.projections.clone();
    thread::Builder::new()
        .name("checkpoints-open".to_owned())
        .spawn(move || {
            let opened = guarded(|| {
                let store = opener(&folder)?;
                let sets = load_all(store.as_ref(), &projections, history.as_ref())?;
                Ok((store, sets))
            });
            let _ = sender.send(opened);
        })?;
    match receiver.recv_timeout(options.open_limit) {
        Ok(opened) => opened,
        Err(RecvTimeoutError::Timeout) => Err(StoreError::new(format!(
            "not open after {} ms",
            options.open_limit.as_millis()
        ))),
        Err(RecvTimeoutError::Disconnected) => {
            Err(StoreError::new("opening ended without an answer"))
        }
    }
}

/// All sets or none: what made one of them wrong may have touched the others as well.
fn load_all(
    store: &dyn CheckpointStore,
    projections: &[String],
    history: &dyn History,
) -> Result<HashMap<String, SavedSet>, StoreError> {
    let mut sets = HashMap::new();
    for projection in projections {
        let wrong = |error| StoreError::new(format!("{projection}: {error}"));
        if let Some(set) = store.load(projection)?.verify().map_err(wrong)? {
            check_history(&set.heading, history).map_err(wrong)?;
            sets.insert(projection.clone(), set);
        }
    }
    Ok(sets)
}

/// Runs `step`; a panic is an error like any other.
fn guarded<T>(step: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(step))
        .unwrap_or_else(|panic| Err(StoreError::new(panic_text(panic.as_ref()))))
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.as_deref().unwrap_or("without a text"))
}

/// Where a folder is set aside.
fn aside_of(folder: &Path) -> PathBuf {
    let mut aside = folder.as_os_str().to_owned();
    aside.push(".aside");
    PathBuf::from(aside)
}

/// Removes the checkpoints in `folder`, which nobody has open, and those that were set aside.
///
/// # Errors
/// Those of the file system.
pub(super) fn forget_saved(folder: &Path) -> std::io::Result<()> {
    for folder in [folder.to_owned(), aside_of(folder)] {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Renames the folder, in place of one that was set aside before. Nothing to do when there is none.
fn set_aside(folder: &Path) -> std::io::Result<()> {
    if !fs::exists(folder)? {
        return Ok(());
    }
    let aside = aside_of(folder);
    if fs::symlink_metadata(&aside).is_ok_and(|found| found.is_dir()) {
        fs::remove_dir_all(&aside)?;
    } else if fs::symlink_metadata(&aside).is_ok() {
        fs::remove_file(&aside)?;
    }
    fs::rename(folder, &aside)
}

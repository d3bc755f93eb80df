//! The keeper, with stores that fail, panic and hang.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use storage::Position;
use uuid::Uuid;

use super::harness::PATIENCE;
use crate::projection::checkpoint::{Anchor, Batch, Heading, History, UnverifiedSet, checksum_of};
use crate::projection::keeper::{Keeper, KeeperOptions, Opener, SaveOutcome};
use crate::projection::store::{CheckpointStore, StoreError};

/// What a save is to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Good,
    Fail,
    Panic,
}

/// The heading and the pages of a projection.
type Tree = (Vec<u8>, HashMap<u32, Vec<u8>>);

/// A store in memory, one tree a projection.
#[derive(Default)]
struct Cellar {
    trees: HashMap<String, Tree>,
    moods: Vec<Mood>,
    opened: usize,
    synced: usize,
}

#[derive(Clone, Default)]
struct MemoryStore(Arc<Mutex<Cellar>>);

impl CheckpointStore for MemoryStore {
    fn load(&self, projection: &str) -> Result<UnverifiedSet, StoreError> {
        let cellar = self.0.lock().unwrap();
        let Some((heading, pages)) = cellar.trees.get(projection) else {
            return Ok(UnverifiedSet::default());
        };
        let pages = pages
            .iter()
            .map(|(number, page)| (*number, page.clone()))
            .collect();
        Ok(UnverifiedSet {
            heading: Some(heading.clone()),
            pages,
        })
    }

    fn save(&self, projection: &str, batch: Batch) -> Result<(), StoreError> {
        let mood = self.0.lock().unwrap().moods.pop().unwrap_or(Mood::Good);
        match mood {
            Mood::Fail => return Err(StoreError::new("as asked")),
            Mood::Panic => panic!("as asked"),
            Mood::Good => {}
        }
        let mut cellar = self.0.lock().unwrap();
        let tree = cellar.trees.entry(projection.to_owned()).or_default();
        tree.0 = batch.heading;
        if batch.whole {
            tree.1.clear();
        }
        tree.1.extend(batch.pages);
        Ok(())
    }

    fn make_durable(&self) -> Result<(), StoreError> {
        self.0.lock().unwrap().synced += 1;
        Ok(())
    }
}

struct NoHistory;

impl History for NoHistory {
    fn log_id(&self) -> Uuid {
        Uuid::nil()
    }

    fn durable_position(&self) -> Position {
        Position::new(1_000)
    }

    fn anchor_at(&self, _: Position) -> Option<Anchor> {
        None
    }
}

fn options(folder: &Path, opener: Opener) -> KeeperOptions {
    KeeperOptions {
        folder: folder.join("projections"),
        open_limit: PATIENCE,
        opener,
        history: Arc::new(NoHistory),
        projections: vec!["p".to_owned()],
    }
}

fn opener_of(store: &MemoryStore) -> Opener {
    let store = store.clone();
    Arc::new(move |_: &Path| {
        store.0.lock().unwrap().opened += 1;
        Ok(Box::new(store.clone()) as Box<dyn CheckpointStore>)
    })
}

/// A checkpoint of one page at this position.
fn batch(position: u64, whole: bool) -> Batch {
    let page = position.to_le_bytes().to_vec();
    let heading = Heading {
        log_id: 0,
        format: 1,
        position,
        anchor_position: 0,
        anchor_id: 0,
        anchor_recorded_at: 0,
        handled_events: 0,
        skipped: Vec::new(),
        skipped_events: 0,
        row_count: 1,
        page_count: 1,
        pages_checksum: checksum_of(&[crc32fast::hash(&page)]),
    };
    Batch {
        heading: heading.to_bytes(),
        pages: vec![(0, page)],
        whole,
    }
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let keeper = Keeper::start(options(folder.path(), opener_of(&store)));
    assert!(keeper.take_loaded("p").is_none());
    let SaveOutcome::Saved(generation) = keeper.save("p", batch(5, true), None).recv().unwrap()
    else {
        panic!("it is saved");
    };
    assert!(matches!(
        keeper.save("p", batch(6, false), Some(generation)).recv(),
        Ok(SaveOutcome::Saved(_))
    ));
    keeper.stop(PATIENCE);
    assert!(store.0.lock().unwrap().synced > 0);
    assert!(
        keeper.save("p", batch(7, true), None).recv().is_err(),
        "nobody is there any more"
    );

    let keeper = Keeper::start(options(folder.path(), opener_of(&store)));
    let (set, _) = keeper.take_loaded("p").unwrap();
    assert_eq!(set.heading.position(), Position::new(6));
    assert!(keeper.take_loaded("p").is_none(), "a set is taken once");
}

#[test]
fn a_store_that_does_not_open_in_time_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("projections");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("mark"), b"old").unwrap();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let store = MemoryStore::default();
    let good = opener_of(&store);
    let first = Mutex::new(true);
    let opener: Opener = Arc::new(move |folder: &Path| {
        if std::mem::take(&mut *first.lock().unwrap()) {
            let _ = blocked.lock().unwrap().recv();
        }
        good(folder)
    });
    let keeper = Keeper::start(KeeperOptions {
        open_limit: Duration::from_millis(30),
        ..options(folder.path(), opener)
    });
    assert!(keeper.take_loaded("p").is_none());
    assert_eq!(
        std::fs::read(folder.path().join("projections.aside/mark")).unwrap(),
        b"old"
    );
    assert!(matches!(
        keeper.save("p", batch(5, true), None).recv(),
        Ok(SaveOutcome::Saved(_))
    ));
    drop(release);
}

#[test]
fn a_store_that_panics_while_opening_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("projections");
    let store = MemoryStore::default();
    let good = opener_of(&store);
    std::fs::create_dir(&path).unwrap();
    let opener: Opener = Arc::new(move |folder: &Path| {
        assert!(!folder.exists(), "as a store may on damaged files");
        good(folder)
    });
    let keeper = Keeper::start(options(folder.path(), opener));
    assert!(keeper.take_loaded("p").is_none());
    assert!(folder.path().join("projections.aside").exists());
    assert!(matches!(
        keeper.save("p", batch(5, true), None).recv(),
        Ok(SaveOutcome::Saved(_))
    ));
}

#[test]
fn without_any_store_everything_is_lost_and_nothing_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let keeper = Keeper::start(options(
        folder.path(),
        Arc::new(|_: &Path| Err(StoreError::new("no disk"))),
    ));
    assert!(keeper.take_loaded("p").is_none());
    assert!(matches!(
        keeper.save("p", batch(5, true), None).recv(),
        Ok(SaveOutcome::Lost)
    ));
    keeper.stop(PATIENCE);
}

#[test]
fn after_a_failed_save_only_whole_sets_are_taken() {
    for mood in [Mood::Fail, Mood::Panic] {
        let folder = tempfile::tempdir().unwrap();
        let store = MemoryStore::default();
        let keeper = Keeper::start(options(folder.path(), opener_of(&store)));
        let SaveOutcome::Saved(generation) = keeper.save("p", batch(5, true), None).recv().unwrap()
        else {
            panic!("it is saved");
        };
        store.0.lock().unwrap().moods.push(mood);
        assert!(matches!(
            keeper.save("p", batch(6, false), Some(generation)).recv(),
            Ok(SaveOutcome::Lost)
        ));
        assert!(
            matches!(
                keeper.save("p", batch(7, false), Some(generation)).recv(),
                Ok(SaveOutcome::Lost)
            ),
            "it builds upon what the store may have lost"
        );
        let SaveOutcome::Saved(later) = keeper.save("p", batch(8, true), None).recv().unwrap()
        else {
            panic!("a whole one is saved");
        };
        assert_ne!(later, generation);
        assert_eq!(store.0.lock().unwrap().opened, 2, "opened anew once");
        keeper.stop(PATIENCE);
    }
}

#[test]
fn a_checkpoint_ahead_of_the_log_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("projections");
    let store = MemoryStore::default();
    store.save("p", batch(2_000, true)).unwrap();
    std::fs::create_dir(&path).unwrap();
    let keeper = Keeper::start(options(folder.path(), opener_of(&store)));
    assert!(keeper.take_loaded("p").is_none(), "it is ahead of the log");
    assert!(folder.path().join("projections.aside").exists());
}

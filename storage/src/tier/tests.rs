//! A place in memory that fails in every way, and the folder of what was fetched.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{ArchivedError, Cache, Stub, Tier, TierOptions};
use crate::chain;
use crate::header::SegmentHeader;
use crate::position::{Position, SegmentId};
use crate::repo::{MemoryRepo, Repo, View};
use crate::tests::support::TrappedRepo;
use crate::time::Timestamp;

/// How the place behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mood {
    #[default]
    Well,
    /// Answers nothing but errors.
    Away,
    /// Takes half of an object and refuses the rest.
    TakesHalf,
    /// Takes an object and keeps another.
    KeepsOther,
    /// Gives half of an object as if that were all.
    GivesHalf,
    /// Gives half of an object, then an error.
    BreaksOff,
    /// Gives another byte somewhere.
    GivesOther,
    /// Gives more than there is.
    GivesMore,
    /// Gives another byte the first time only.
    GivesOtherOnce,
    /// Brings down whoever fetches, as a fault in what speaks to the place would.
    Panics,
    /// Takes nothing.
    Refuses,
}

#[derive(Debug, Default)]
struct World {
    objects: BTreeMap<String, Vec<u8>>,
    mood: Mood,
    /// Whether nothing is replaced.
    keeps_all: bool,
    fetches: usize,
}

/// A clone is the same place.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeTier(Arc<Mutex<World>>);

impl FakeTier {
    pub(crate) fn be(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Refuses from now on to put an object in the place of another.
    pub(crate) fn keep_all(&self) {
        self.lock().keeps_all = true;
    }

    /// Objects that were fetched since the last time this was asked.
    pub(crate) fn fetches(&self) -> usize {
        std::mem::take(&mut self.lock().fetches)
    }

    pub(crate) fn objects(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    pub(crate) fn change(&self, object: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.lock().objects.get_mut(object).unwrap());
    }

    pub(crate) fn remove(&self, object: &str) {
        self.lock().objects.remove(object).unwrap();
    }

    /// A log's options with this place, and a folder that holds `bytes_max`.
    pub(crate) fn options(&self, bytes_max: u64) -> TierOptions {
        TierOptions {
            tier: Arc::new(self.clone()),
            fetched: Arc::new(MemoryRepo::new()),
            fetched_bytes_max: bytes_max,
            kept_types: vec!["Kept".into()],
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer")
}

impl Tier for FakeTier {
    fn place(&self) -> String {
        "fake://place".to_owned()
    }

    fn put(&self, object: &str, bytes: Arc<dyn View>) -> io::Result<()> {
        let mut world = self.lock();
        let mut bytes = bytes.bytes().to_vec();
        if world.keeps_all && world.mood != Mood::Away && world.objects.contains_key(object) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        match world.mood {
            Mood::Away => return Err(refused()),
            Mood::TakesHalf => {
                bytes.truncate(bytes.len() / 2);
                world.objects.insert(object.to_owned(), bytes);
                return Err(refused());
            }
            Mood::KeepsOther => bytes[200] ^= 1,
            Mood::Refuses => return Err(io::ErrorKind::PermissionDenied.into()),
            _ => {}
        }
        world.objects.insert(object.to_owned(), bytes);
        Ok(())
    }

    fn length(&self, object: &str) -> io::Result<Option<u64>> {
        let world = self.lock();
        match world.mood {
            Mood::Away => Err(refused()),
            _ => Ok(world.objects.get(object).map(|bytes| bytes.len() as u64)),
        }
    }

    fn fetch(&self, object: &str, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let (mut bytes, mood) = {
            let mut world = self.lock();
            let found = world.objects.get(object).cloned();
            let found = found.ok_or(io::ErrorKind::NotFound)?;
            world.fetches += 1;
            let mood = world.mood;
            if mood == Mood::GivesOtherOnce {
                world.mood = Mood::Well;
            }
            (found, mood)
        };
        let half = bytes.len() / 2;
        match mood {
            Mood::Away => return Err(refused()),
            Mood::GivesHalf => bytes.truncate(half),
            Mood::GivesOther | Mood::GivesOtherOnce => bytes[half] ^= 1,
            Mood::GivesMore => bytes.push(0),
            Mood::BreaksOff => {
                take(&bytes[..half])?;
                return Err(refused());
            }
            Mood::Panics => panic!("the place of this test fails"),
            _ => {}
        }
        bytes.chunks(100).try_for_each(take)
    }
}

/// A segment without events, of some bytes that no event is read from.
fn stub_of(number: u64, bytes: &[u8]) -> Stub {
    let header = SegmentHeader {
        log_id: uuid::Uuid::from_u128(7),
        segment: SegmentId::new(number),
        first_position: Position::FIRST,
        created_at: Timestamp::from_micros(5),
        chain: chain::start(uuid::Uuid::from_u128(7)),
    };
    let mut segment = header.encode().to_vec();
    let successor = (Position::FIRST, header.chain);
    let made = Stub::make(&segment, &header, successor, &|_, _| false).unwrap();
    segment.extend_from_slice(bytes);
    let mut stub = Stub::open(view(made)).unwrap();
    // As it would be of a segment with these bytes.
    stub.bytes = segment.len() as u64;
    stub.sha256 = Sha256::digest(&segment).into();
    stub
}

fn view(bytes: Vec<u8>) -> Arc<dyn View> {
    let repo = MemoryRepo::new();
    let length = bytes.len() as u64;
    repo.put("x", bytes);
    repo.open("x").unwrap().view(length, 0).unwrap()
}

/// A place with segments of 1,128 bytes, and a folder for two of them.
fn three() -> (FakeTier, TierOptions, Vec<Stub>) {
    let tier = FakeTier::default();
    let mut stubs = Vec::new();
    for number in 1..=3_u8 {
        let bytes = vec![number; 1_000];
        let stub = stub_of(number.into(), &bytes);
        let segment = [&stub.header.encode()[..], &bytes].concat();
        tier.put(&stub.object(), view(segment)).unwrap();
        stubs.push(stub);
    }
    let options = tier.options(2_300);
    (tier, options, stubs)
}

#[test]
fn the_least_recently_used_goes_first() {
    let (tier, options, stubs) = three();
    let cache = Cache::new(options).unwrap();
    let first = cache.view(&stubs[0]).unwrap();
    cache.view(&stubs[1]).unwrap();
    cache.view(&stubs[0]).unwrap();
    assert_eq!(tier.fetches(), 2);
    cache.view(&stubs[2]).unwrap();
    assert!(cache.at_hand(&stubs[1]).is_none() && cache.at_hand(&stubs[0]).is_some());
    cache.view(&stubs[1]).unwrap();
    cache.view(&stubs[2]).unwrap();
    let stats = cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.evictions), (1, 5, 3));
    assert_eq!((stats.bytes_held, stats.failures), (2 * 1_128, 0));
    assert_eq!(first.bytes()[1_000], 1, "whoever reads it keeps it");
}

#[test]
fn one_segment_may_be_there_however_large() {
    let (_, mut options, stubs) = three();
    options.fetched_bytes_max = 10;
    let cache = Cache::new(options.clone()).unwrap();
    for stub in &stubs {
        cache.view(stub).unwrap();
        assert_eq!(cache.stats().bytes_held, 1_128);
    }
    assert_eq!(options.fetched.list().unwrap(), [stubs[2].file()]);
}

#[test]
fn what_an_earlier_run_fetched_is_checked_and_used() {
    let (tier, options, stubs) = three();
    let cache = Cache::new(options.clone()).unwrap();
    cache.view(&stubs[0]).unwrap();
    cache.view(&stubs[1]).unwrap();
    drop(cache);
    let torn = options.fetched.open(&stubs[1].file()).unwrap();
    torn.write_at(&[0; 100], 700).unwrap();
    let half = format!("{}.new", stubs[2].file());
    options.fetched.create(&half).unwrap();
    assert_eq!(tier.fetches(), 2);

    let cache = Cache::new(options.clone()).unwrap();
    assert_eq!(cache.stats().bytes_held, 2 * 1_128);
    assert!(cache.at_hand(&stubs[0]).is_none(), "not checked yet");
    cache.view(&stubs[0]).unwrap();
    assert_eq!(tier.fetches(), 0);
    let again = cache.view(&stubs[1]).unwrap();
    assert_eq!((tier.fetches(), again.bytes()[710]), (1, 2));
    assert_eq!(options.fetched.list().unwrap().len(), 2);
}

/// Whoever names a folder that has something else in it loses nothing, and the segments have no less room for it.
#[test]
fn what_somebody_else_keeps_in_the_folder_is_left_alone() {
    let (_, options, stubs) = three();
    Cache::new(options.clone())
        .unwrap()
        .view(&stubs[0])
        .unwrap();
    let others = [
        "letter.txt",
        "app.log",
        "app.log.new",
        "draft.new",
        "000000000001.log",
        "000000000001-0123456789abcdef.idx",
        "2026-01-01.log",
    ];
    for name in others {
        let file = options.fetched.create(name).unwrap();
        file.write_at(&[1; 3_000], 0).unwrap();
    }
    let cache = Cache::new(options.clone()).unwrap();
    assert_eq!(cache.stats().bytes_held, 1_128);
    for stub in &stubs {
        cache.view(stub).unwrap();
    }
    let left = options.fetched.list().unwrap();
    for name in others {
        assert!(left.iter().any(|left| left == name), "{name}: {left:?}");
    }
    assert_eq!(left.len(), others.len() + 2, "{left:?}");
}

#[test]
fn what_is_not_what_was_sent_is_never_given() {
    let (tier, options, stubs) = three();
    let cache = Cache::new(options.clone()).unwrap();
    let altered = |what: &str| {
        let error = cache.view(&stubs[0]).unwrap_err();
        assert!(matches!(error, ArchivedError::Altered { .. }), "{error:?}");
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(tier.fetches(), 3, "asked for again and again");
    };
    tier.be(Mood::GivesHalf);
    altered("564 bytes, 1128 were sent");
    tier.be(Mood::GivesMore);
    altered("longer than 1128 bytes");
    tier.be(Mood::GivesOther);
    altered("its SHA-256 differs");
    for mood in [Mood::Away, Mood::BreaksOff] {
        tier.be(mood);
        let error = cache.view(&stubs[0]).unwrap_err();
        assert!(
            matches!(error, ArchivedError::Unreachable { .. }),
            "{error:?}"
        );
    }
    tier.be(Mood::Well);
    tier.remove(&stubs[1].object());
    let error = cache.view(&stubs[1]).unwrap_err();
    assert!(matches!(error, ArchivedError::Missing { .. }), "{error:?}");
    assert_eq!((cache.stats().failures, cache.stats().bytes_held), (6, 0));
    assert_eq!(
        options.fetched.list().unwrap(),
        [""; 0],
        "nothing is left behind"
    );
    tier.be(Mood::GivesOtherOnce);
    assert_eq!(cache.view(&stubs[0]).unwrap().bytes()[600], 1);
}

/// Many threads want few segments through a folder for two: each gets the right bytes, and none waits for ever.
#[test]
fn threads_share_fetches() {
    let (tier, options, stubs) = three();
    let cache = Cache::new(options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_usize {
            let (cache, stubs) = (&cache, &stubs);
            scope.spawn(move || {
                for round in 0..200 {
                    let at = (thread + round * 7) % 3;
                    match cache.view(&stubs[at]) {
                        Ok(view) => assert_eq!(usize::from(view.bytes()[500]), at + 1),
                        Err(error) => assert!(matches!(error, ArchivedError::Busy), "{error}"),
                    }
                }
            });
        }
    });
    let stats = cache.stats();
    assert!(stats.bytes_held <= 2_300, "{stats:?}");
    assert_eq!(stats.misses, tier.fetches() as u64);
}

/// Whoever goes down before its fetch has begun leaves the segment to the next.
#[test]
fn a_panic_while_room_is_made_leaves_nobody_waiting() {
    let (_, mut options, stubs) = three();
    let is_armed = Arc::new(AtomicBool::new(false));
    let armed = is_armed.clone();
    options.fetched = Arc::new(TrappedRepo::new(move |step: &str, _: &str| {
        let strikes = step == "remove" && armed.load(Ordering::Relaxed);
        assert!(!strikes, "the folder of this test fails");
    }));
    let cache = Arc::new(Cache::new(options).unwrap());
    cache.view(&stubs[0]).unwrap();
    cache.view(&stubs[1]).unwrap();
    is_armed.store(true, Ordering::Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(|| cache.view(&stubs[2]))).is_err());
    is_armed.store(false, Ordering::Relaxed);
    let (sender, brought) = std::sync::mpsc::channel();
    let (again, mut stubs) = (cache.clone(), stubs);
    std::thread::spawn(move || sender.send(again.view(&stubs.remove(2)).unwrap()));
    let view = brought.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(view.bytes()[500], 3);
    assert_eq!(cache.stats().bytes_held, 2 * 1_128);
}

#[test]
fn a_damaged_stub_is_none() {
    let (_, _, stubs) = three();
    let bytes = stubs[0].view().bytes().to_vec();
    assert!(Stub::open(view(bytes.clone())).is_ok());
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        assert!(Stub::open(view(damaged)).is_err(), "byte {at}");
        assert!(Stub::open(view(bytes[..at].to_vec())).is_err());
    }
}

//! Either the state that was saved, or none: through damage, power cuts, failures and the log's own losses.

mod damage;
mod faults;
mod losses;
mod model;

use super::*;
use crate::repo::{FaultyRepo, MemoryRepo, Operation};

const LOG: Uuid = Uuid::from_u128(0x0102_0304);

fn at(position: u64) -> Position {
    Position::new(position)
}

fn version(number: u32) -> Version {
    Version::new(number)
}

fn stream(number: u32) -> StreamName {
    StreamName::new("Vehicle", format!("BR 185/{number} ü"))
}

/// The state that every test saves at this version of this stream.
fn state_of(stream: u32, version: u32) -> Vec<u8> {
    format!("stream {stream} at {version}|")
        .repeat(1 + version as usize % 7)
        .into_bytes()
}

/// The position at which tests place the event of this version: streams take turns.
fn position_of(stream: u32, version: u32) -> Position {
    at(u64::from(version) * 10 + u64::from(stream))
}

fn store(repo: &(impl Repo + Clone + 'static)) -> SnapshotStore {
    SnapshotStore::open(Arc::new(repo.clone()), LOG)
}

/// A store that begins a new file often.
fn small_store(repo: &(impl Repo + Clone + 'static), files_max: usize) -> SnapshotStore {
    SnapshotStore::with_bounds(
        Arc::new(repo.clone()),
        LOG,
        Bounds {
            file_bytes_max: 400,
            files_max,
        },
    )
}

fn try_save(store: &SnapshotStore, stream_number: u32, number: u32) -> Result<(), SnapshotError> {
    let position = position_of(stream_number, number);
    store.save(
        &stream(stream_number),
        version(number),
        position,
        &state_of(stream_number, number),
    )
}

#[track_caller]
fn save(store: &SnapshotStore, stream: u32, version: u32) {
    try_save(store, stream, version).unwrap();
}

/// The version that a load finds; its state and position are checked.
#[track_caller]
fn found(store: &SnapshotStore, stream_number: u32, at_most: u32, durable: u64) -> Option<u32> {
    let snapshot = store.load(&stream(stream_number), version(at_most), at(durable))?;
    let number = snapshot.version.get();
    assert!(number <= at_most && snapshot.position <= at(durable));
    assert_eq!(snapshot.position, position_of(stream_number, number));
    assert_eq!(snapshot.state, state_of(stream_number, number));
    Some(number)
}

/// A folder with one file of five snapshots, and where each ends.
fn small_folder() -> (MemoryRepo, Vec<usize>) {
    let repo = MemoryRepo::new();
    let store = store(&repo);
    let mut ends = Vec::new();
    for (stream, version) in [(1, 1), (2, 1), (1, 2), (1, 3), (2, 2)] {
        save(&store, stream, version);
        ends.push(repo.bytes("snapshots-0001.dat").len());
    }
    (repo, ends)
}

/// Loads everything that was ever saved; every answer is checked by `found`.
fn answers(store: &SnapshotStore) -> Vec<Option<u32>> {
    [(1, 3), (1, 2), (1, 1), (2, 2), (2, 1)]
        .map(|(stream, at_most)| found(store, stream, at_most, END))
        .to_vec()
}

/// Bounds that hold nothing back.
const ANY: u32 = u32::MAX;
const END: u64 = u64::MAX;

#[test]
fn the_newest_at_or_below_both_bounds_is_found() {
    let repo = MemoryRepo::new();
    let store = store(&repo);
    for number in [20, 5, 10] {
        save(&store, 1, number);
    }
    save(&store, 2, 7);
    let check =
        |at_most, durable, expected| assert_eq!(found(&store, 1, at_most, durable), expected);
    check(ANY, END, Some(20));
    check(20, END, Some(20));
    check(19, END, Some(10));
    check(9, END, Some(5));
    check(4, END, None);
    check(0, END, None);
    check(ANY, 201, Some(20));
    check(ANY, 200, Some(10));
    check(ANY, 50, None);
    assert_eq!(found(&store, 3, ANY, END), None);
    let stats = store.stats();
    assert_eq!(
        (stats.snapshots, stats.streams, stats.files, stats.saved),
        (4, 2, 1, 4)
    );
    assert_eq!((stats.found, stats.missed, stats.damaged), (6, 4, 0));
    assert_eq!(stats.bytes, repo.bytes("snapshots-0001.dat").len() as u64);
}

#[test]
fn a_store_that_is_opened_again_finds_the_same_and_goes_on() {
    let repo = MemoryRepo::new();
    for number in 1..=5 {
        let store = store(&repo);
        save(&store, 1, number);
        for older in 1..=number {
            assert_eq!(found(&store, 1, older, END), Some(older));
        }
    }
    assert_eq!(repo.list().unwrap(), ["snapshots-0001.dat"]);
}

#[test]
fn opening_touches_nothing_and_saving_waits_for_no_disk() {
    let repo = FaultyRepo::new();
    let store = store(&repo);
    assert_eq!(repo.operations(), 0);
    for number in 1..=50 {
        save(&store, 1, number);
        found(&store, 1, number, END).unwrap();
    }
    assert_eq!(repo.operations_of(Operation::Sync), 0);
    assert_eq!(repo.operations_of(Operation::SyncFolder), 0);
    assert_eq!(
        repo.operations_of(Operation::Write),
        50,
        "a snapshot is one write"
    );
}

#[test]
fn reading_the_index_does_not_read_states() {
    let repo = MemoryRepo::new();
    let large = vec![7; 1 << 20];
    store(&repo)
        .save(&stream(1), version(1), at(1), &large)
        .unwrap();
    save(&store(&repo), 1, 2);
    let faulty = FaultyRepo::over(&repo);
    let store = store(&faulty);
    assert_eq!(store.stats().snapshots, 2);
    assert_eq!(
        faulty.operations_of(Operation::Read),
        2,
        "one for each header"
    );
    assert_eq!(
        store.load(&stream(1), version(1), at(1)).unwrap().state,
        large
    );
}

#[test]
fn a_version_saved_again_is_superseded() {
    let repo = MemoryRepo::new();
    let (first, second) = (b"made by an older program".to_vec(), b"made again".to_vec());
    store(&repo)
        .save(&stream(1), version(3), at(9), &first)
        .unwrap();
    store(&repo)
        .save(&stream(1), version(3), at(9), &second)
        .unwrap();
    let store = store(&repo);
    assert_eq!(
        store.load(&stream(1), version(3), at(9)).unwrap().state,
        second
    );
    assert_eq!(store.stats().snapshots, 1);
}

#[test]
fn an_empty_state_and_the_longest_names_are_kept() {
    let repo = MemoryRepo::new();
    let longest = StreamName::new(
        "T".repeat(TYPE_NAME_BYTES_MAX),
        "i".repeat(AGGREGATE_ID_BYTES_MAX),
    );
    store(&repo).save(&longest, version(1), at(1), b"").unwrap();
    let snapshot = store(&repo).load(&longest, version(1), at(1)).unwrap();
    assert_eq!(
        snapshot,
        Snapshot {
            version: version(1),
            position: at(1),
            state: Vec::new()
        }
    );
}

#[test]
fn what_is_too_long_is_refused() {
    let store = store(&MemoryRepo::new());
    let refused = |stream: &StreamName, state: &[u8]| match store
        .save(stream, version(1), at(1), state)
        .unwrap_err()
    {
        SnapshotError::TooLarge {
            what,
            limit,
            actual,
        } => {
            assert_eq!(actual, limit + 1);
            what
        }
        other => panic!("{other}"),
    };
    assert_eq!(
        refused(&stream(1), &vec![0; SNAPSHOT_BYTES_MAX + 1]),
        "state"
    );
    assert_eq!(
        refused(&StreamName::new("T".repeat(256), "i"), b""),
        "aggregate_type"
    );
    assert_eq!(
        refused(&StreamName::new("T", "i".repeat(1_025)), b""),
        "aggregate_id"
    );
}

#[test]
fn another_logs_snapshots_are_not_seen() {
    let repo = MemoryRepo::new();
    save(&store(&repo), 1, 1);
    let other = SnapshotStore::open(Arc::new(repo.clone()), Uuid::from_u128(9));
    assert_eq!(other.load(&stream(1), version(1), Position::MAX), None);
    for number in [1, 2] {
        other
            .save(&stream(1), version(number), at(2), b"other")
            .unwrap();
    }
    assert_eq!(found(&store(&repo), 1, ANY, END), Some(1));
}

#[test]
fn files_are_begun_anew_and_the_oldest_makes_room() {
    let repo = MemoryRepo::new();
    let store_of_three = small_store(&repo, 3);
    let mut names = std::collections::BTreeSet::new();
    for number in 1..=40 {
        save(&store_of_three, 1, number);
        names.extend(repo.list().unwrap());
        assert!(repo.list().unwrap().len() <= 3);
    }
    assert!(names.len() > 5, "{names:?}");
    for (index, name) in (1..).zip(&names) {
        assert_eq!(
            *name,
            format!("snapshots-{index:04}.dat"),
            "no number is used twice"
        );
    }
    assert_eq!(found(&store_of_three, 1, ANY, END), Some(40));
    assert_eq!(
        found(&store_of_three, 1, 1, END),
        None,
        "it went with its file"
    );
    assert_eq!(
        small_store(&repo, 3).stats().snapshots,
        store_of_three.stats().snapshots
    );
}

#[test]
fn a_snapshot_larger_than_a_file_has_one_of_its_own() {
    let repo = MemoryRepo::new();
    let store = small_store(&repo, 9);
    save(&store, 1, 1);
    store
        .save(&stream(2), version(1), at(1), &[7; 5_000])
        .unwrap();
    save(&store, 1, 2);
    assert_eq!(repo.list().unwrap().len(), 3);
    assert_eq!(
        small_store(&repo, 9)
            .load(&stream(2), version(1), at(1))
            .unwrap()
            .state,
        [7; 5_000]
    );
}

#[test]
fn other_names_in_the_folder_are_left_alone() {
    let repo = MemoryRepo::new();
    let others = [
        "snapshots-1.dat",
        "snapshots-00001.dat",
        "snapshots-+001.dat",
        "snapshots-0001.dat.new",
        "lock",
    ];
    for name in others {
        repo.put(name, b"noise".to_vec());
    }
    let store = store(&repo);
    save(&store, 1, 1);
    store.clear().unwrap();
    let mut left = repo.list().unwrap();
    left.sort_by_key(|name| others.iter().position(|other| other == name));
    assert_eq!(left, others);
}

#[test]
fn numbers_beyond_four_digits_keep_their_order() {
    let repo = MemoryRepo::new();
    save(&store(&repo), 1, 1);
    let one = repo.bytes("snapshots-0001.dat");
    let name = |number: u32| format!("snapshots-{number:04}.dat");
    repo.put(&name(9_999), one.clone());
    repo.put(&name(10_000), one);
    let store_again = store(&repo);
    save(&store_again, 1, 2);
    assert!(
        repo.bytes(&name(10_000)).len() > repo.bytes(&name(9_999)).len(),
        "it goes on in the newest"
    );

    repo.put(&name(u32::MAX), b"hostile".to_vec());
    let full = small_store(&repo, 9);
    save(&full, 1, 3);
    save(&full, 1, 4);
    assert_eq!(found(&full, 1, ANY, END), Some(4));
    for number in 5..40 {
        if let Err(SnapshotError::Io(_)) = try_save(&full, 1, number) {
            return;
        }
    }
    panic!("there is no number behind the last");
}

//! Files that were cut, flipped, misdirected or forged.

use proptest::prelude::*;

use super::*;

#[test]
fn a_file_cut_anywhere_keeps_what_is_whole_and_goes_on() {
    let (repo, ends) = small_folder();
    let bytes = repo.bytes("snapshots-0001.dat");
    for length in 0..bytes.len() {
        repo.put("snapshots-0001.dat", bytes[..length].to_vec());
        let store_after = store(&repo);
        let whole = ends.iter().filter(|end| **end <= length).count();
        let stats = store_after.stats();
        assert_eq!(stats.snapshots, whole as u64, "cut at {length}");
        let is_clean = length == 0 || ends.contains(&length);
        assert_eq!(stats.damaged, u64::from(!is_clean), "cut at {length}");
        answers(&store_after);

        save(&store_after, 1, 9);
        assert_eq!(
            repo.list().unwrap(),
            ["snapshots-0001.dat"],
            "the torn end was cut off"
        );
        let again = store(&repo);
        assert_eq!(again.stats().damaged, 0);
        assert_eq!(again.stats().snapshots, whole as u64 + 1);
        assert_eq!(found(&again, 1, 9, END), Some(9));
    }
}

#[test]
fn a_flipped_bit_costs_a_snapshot_and_never_changes_one() {
    let (repo, ends) = small_folder();
    let bytes = repo.bytes("snapshots-0001.dat");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        repo.put("snapshots-0001.dat", flipped);
        let store_after = store(&repo);
        let damaged = ends.iter().filter(|end| **end <= bit / 8).count();
        let answers = answers(&store_after);
        let stats = store_after.stats();
        assert_eq!(stats.damaged, 1, "bit {bit} was noticed once");
        assert!(
            stats.snapshots >= damaged as u64 && stats.snapshots < 5,
            "bit {bit}"
        );
        if bit / 8 >= ends[3] {
            assert_eq!(
                answers,
                [Some(3), Some(2), Some(1), Some(1), Some(1)],
                "bit {bit}: the next older one"
            );
        }
    }
}

#[test]
fn a_damaged_state_falls_back_to_the_next_older_one_and_leaves_the_rest() {
    let (repo, ends) = small_folder();
    let mut bytes = repo.bytes("snapshots-0001.dat");
    bytes[ends[3] - 1] ^= 0x40;
    repo.put("snapshots-0001.dat", bytes);
    assert_eq!(
        answers(&store(&repo)),
        [Some(2), Some(2), Some(1), Some(2), Some(1)]
    );
}

#[test]
fn damage_made_while_it_is_open_is_noticed() {
    let repo = MemoryRepo::new();
    let store = store(&repo);
    for number in 1..=3 {
        save(&store, 1, number);
    }
    assert_eq!(found(&store, 1, ANY, END), Some(3));
    let file = repo.open("snapshots-0001.dat").unwrap();
    file.write_at(b"X", file.len().unwrap() - 1).unwrap();
    assert_eq!(found(&store, 1, ANY, END), Some(2));
    assert_eq!(store.stats().damaged, 1);
}

#[test]
fn a_snapshot_that_was_written_to_the_wrong_place_is_not_taken() {
    let repo = MemoryRepo::new();
    let store = store(&repo);
    // Both have names and states of the same length, so that one fits exactly where the other was.
    store.save(&stream(1), version(1), at(1), b"one").unwrap();
    let end = repo.bytes("snapshots-0001.dat").len();
    store.save(&stream(2), version(1), at(2), b"two").unwrap();
    let file = repo.open("snapshots-0001.dat").unwrap();
    let misdirected = repo.bytes("snapshots-0001.dat")[..end].to_vec();
    file.write_at(&misdirected, end as u64).unwrap();
    assert_eq!(store.load(&stream(2), Version::MAX, Position::MAX), None);
    assert_eq!(
        store
            .load(&stream(1), Version::MAX, Position::MAX)
            .unwrap()
            .state,
        b"one"
    );
}

#[test]
fn a_snapshot_inside_a_damaged_ones_state_is_not_found() {
    // A user who knows the log's id may store the bytes of a snapshot in an aggregate. Damage must not uncover them.
    let forged = layout::encode(
        &Header {
            log_id: LOG,
            stream: stream(1),
            version: version(9),
            position: at(9),
        },
        b"forged",
    );
    let repo = MemoryRepo::new();
    store(&repo)
        .save(&stream(2), version(1), at(1), &forged)
        .unwrap();
    let bytes = repo.bytes("snapshots-0001.dat");
    let header_bytes = bytes.len() - forged.len();
    for bit in 0..header_bytes * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        repo.put("snapshots-0001.dat", flipped);
        let store = store(&repo);
        assert_eq!(
            store.load(&stream(1), Version::MAX, Position::MAX),
            None,
            "bit {bit}"
        );
        save(&store, 1, 1);
        assert_eq!(
            found(&self::store(&repo), 1, ANY, END),
            Some(1),
            "bit {bit}"
        );
    }
}

#[test]
fn a_later_programs_file_is_neither_read_nor_cut() {
    let repo = MemoryRepo::new();
    let later = crate::frame::encode(3, 99, b"who knows");
    repo.put("snapshots-0001.dat", later.clone());
    let store = store(&repo);
    save(&store, 1, 1);
    assert_eq!(
        repo.list().unwrap(),
        ["snapshots-0001.dat", "snapshots-0002.dat"]
    );
    assert_eq!(repo.bytes("snapshots-0001.dat"), later);
}

proptest! {
    #[test]
    fn arbitrary_files_are_answered(bytes: Vec<u8>, behind_a_snapshot: bool) {
        let repo = MemoryRepo::new();
        if behind_a_snapshot {
            save(&store(&repo), 1, 1);
        }
        let whole = repo.bytes("snapshots-0001.dat");
        repo.put("snapshots-0001.dat", [&whole[..], &bytes].concat());
        let store = store(&repo);
        prop_assert_eq!(found(&store, 1, ANY, END), behind_a_snapshot.then_some(1));
        save(&store, 1, 2);
        prop_assert_eq!(found(&store, 1, ANY, END), Some(2));
    }
}

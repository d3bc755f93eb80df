//! Two slots, one of which is always whole.

use super::*;
use crate::repo::MemoryRepo;

const LOG: Uuid = Uuid::from_u128(77);

fn written(count: u8) -> MemoryRepo {
    let repo = MemoryRepo::new();
    let mut writer = WatermarkWriter::open(&repo, LOG, &Found::Absent).unwrap();
    for number in 1..=count {
        writer
            .write(
                Position::new(number.into()),
                SegmentId::new(2),
                [number; 32],
            )
            .unwrap();
    }
    repo
}

fn valid(repo: &MemoryRepo) -> Watermark {
    match read(repo).unwrap() {
        Found::Valid(watermark) => watermark,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_written_last_is_read() {
    for count in 1..=5 {
        let found = valid(&written(count));
        assert_eq!(found.position, Position::new(count.into()));
        assert_eq!((found.log_id, found.chain), (LOG, [count; 32]));
        assert_eq!(
            (found.segment, found.sequence),
            (SegmentId::new(2), count.into())
        );
    }
}

#[test]
fn no_file_and_no_slot_are_told_apart() {
    assert_eq!(read(&MemoryRepo::new()).unwrap(), Found::Absent);
    let repo = written(0);
    assert_eq!(read(&repo).unwrap(), Found::Damaged);
    assert_eq!(repo.bytes(WATERMARK_FILE), [0; FILE_BYTES]);
}

/// A power cut tears the slot being written at any byte; the one before it still stands.
#[test]
fn a_torn_slot_leaves_the_one_before_it() {
    let (before, after) = (written(4), written(5));
    let (before_bytes, after_bytes) = (before.bytes(WATERMARK_FILE), after.bytes(WATERMARK_FILE));
    let [_, slot] = SLOT_OFFSETS.map(|offset| usize::try_from(offset).unwrap());
    let slot = if before_bytes[slot..] == after_bytes[slot..] {
        0
    } else {
        slot
    };
    for torn_at in 0..SLOT_BYTES {
        let mut bytes = before_bytes.clone();
        bytes[slot..slot + torn_at].copy_from_slice(&after_bytes[slot..slot + torn_at]);
        if bytes == after_bytes {
            continue;
        }
        before.put(WATERMARK_FILE, bytes);
        assert_eq!(
            valid(&before).position,
            Position::new(4),
            "torn at {torn_at}"
        );
    }
}

#[test]
fn every_flipped_bit_of_a_slot_is_noticed() {
    let whole = written(2).bytes(WATERMARK_FILE);
    let newest = SLOT_OFFSETS
        .map(|offset| usize::try_from(offset).unwrap())
        .into_iter()
        .find(|&slot| whole[slot + 16] == 2)
        .unwrap();
    for at in newest..newest + SLOT_BYTES {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            let repo = MemoryRepo::new();
            repo.put(WATERMARK_FILE, bytes);
            assert_eq!(
                valid(&repo).position,
                Position::new(1),
                "byte {at}, bit {bit}"
            );
        }
    }
}

#[test]
fn writing_goes_on_where_it_was() {
    let repo = written(3);
    let found = read(&repo).unwrap();
    let mut writer = WatermarkWriter::open(&repo, LOG, &found).unwrap();
    writer
        .write(Position::new(9), SegmentId::new(4), [9; 32])
        .unwrap();
    assert_eq!(
        (valid(&repo).sequence, valid(&repo).position),
        (4, Position::new(9))
    );
}

#[test]
fn a_file_cut_short_is_damaged() {
    let whole = written(1).bytes(WATERMARK_FILE);
    let only_slot_cut = whole.iter().position(|&byte| byte != 0).unwrap() + SLOT_BYTES - 1;
    let repo = MemoryRepo::new();
    for length in [0, only_slot_cut] {
        repo.put(WATERMARK_FILE, whole[..length].to_vec());
        assert_eq!(read(&repo).unwrap(), Found::Damaged, "cut at {length}");
    }
}

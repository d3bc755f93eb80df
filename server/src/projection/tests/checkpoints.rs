//! Sets of pages, and whether they belong to a history. Pure.

use storage::Position;
use uuid::Uuid;

use crate::projection::checkpoint::{
    Anchor, Heading, History, SetError, UnverifiedSet, check_history, checksum_of,
};

fn heading(pages: &[Vec<u8>]) -> Heading {
    let checksums: Vec<u32> = pages.iter().map(|page| crc32fast::hash(page)).collect();
    Heading {
        log_id: 5,
        format: 3,
        position: 100,
        anchor_position: 99,
        anchor_id: 77,
        anchor_recorded_at: -4,
        handled_events: 90,
        skipped: vec![3, 100],
        skipped_events: 2,
        row_count: 4,
        page_count: u32::try_from(pages.len()).unwrap(),
        pages_checksum: checksum_of(&checksums),
    }
}

fn pages() -> Vec<Vec<u8>> {
    vec![b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]
}

fn set(heading: Option<Vec<u8>>, pages: Vec<Vec<u8>>) -> UnverifiedSet {
    // The order in which a store gives them says nothing.
    let mut pages: Vec<(u32, Vec<u8>)> = (0..).zip(pages).collect();
    pages.reverse();
    UnverifiedSet { heading, pages }
}

#[test]
fn a_whole_set_is_taken() {
    let saved = set(Some(heading(&pages()).to_bytes()), pages())
        .verify()
        .unwrap()
        .unwrap();
    assert_eq!(saved.heading, heading(&pages()));
    assert_eq!(saved.pages, pages());
    assert!(set(None, Vec::new()).verify().unwrap().is_none());
}

#[test]
fn a_set_that_is_not_whole_is_not() {
    let good = heading(&pages()).to_bytes();
    assert_eq!(
        set(None, pages()).verify().unwrap_err(),
        SetError::NoHeading
    );
    let without_last = pages()[..2].to_vec();
    assert!(matches!(
        set(Some(good.clone()), without_last).verify(),
        Err(SetError::Pages(_))
    ));
    let one_more = [pages(), vec![b"four".to_vec()]].concat();
    assert!(matches!(
        set(Some(good.clone()), one_more).verify(),
        Err(SetError::Pages(_))
    ));
    let older_page = vec![b"one".to_vec(), b"TWO".to_vec(), b"three".to_vec()];
    assert!(matches!(
        set(Some(good.clone()), older_page).verify(),
        Err(SetError::Pages(_))
    ));
    let swapped = vec![b"two".to_vec(), b"one".to_vec(), b"three".to_vec()];
    assert!(matches!(
        set(Some(good.clone()), swapped).verify(),
        Err(SetError::Pages(_))
    ));
    let mut gap = set(Some(good), pages());
    gap.pages[0].0 += 1;
    assert!(matches!(gap.verify(), Err(SetError::Pages(_))));
}

#[test]
fn a_heading_is_read_whole_or_not_at_all() {
    let good = heading(&pages()).to_bytes();
    for length in 0..good.len() {
        assert!(
            set(Some(good[..length].to_vec()), pages())
                .verify()
                .is_err(),
            "cut to {length}"
        );
    }
    for bit in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(set(Some(flipped), pages()).verify().is_err(), "bit {bit}");
    }
    let longer = [good, vec![0]].concat();
    assert!(set(Some(longer), pages()).verify().is_err());
}

struct Past {
    log_id: u128,
    durable: u64,
    anchor: Option<(u64, u128, i64)>,
}

impl History for Past {
    fn log_id(&self) -> Uuid {
        Uuid::from_u128(self.log_id)
    }

    fn durable_position(&self) -> Position {
        Position::new(self.durable)
    }

    fn anchor_at(&self, position: Position) -> Option<Anchor> {
        let (at, id, recorded_at) = self.anchor.filter(|(at, _, _)| *at == position.get())?;
        Some(Anchor {
            position: Position::new(at),
            id: Uuid::from_u128(id),
            recorded_at,
        })
    }
}

#[test]
fn a_checkpoint_belongs_to_one_history() {
    let heading = heading(&pages());
    let fits = |log_id, durable, anchor| {
        check_history(
            &heading,
            &Past {
                log_id,
                durable,
                anchor,
            },
        ) == Ok(())
    };
    assert!(fits(5, 100, Some((99, 77, -4))));
    assert!(fits(5, 1_000, Some((99, 77, -4))));
    assert!(!fits(6, 100, Some((99, 77, -4))), "another log");
    assert!(!fits(5, 99, Some((99, 77, -4))), "ahead of the log");
    assert!(!fits(5, 100, None), "nothing there");
    assert!(!fits(5, 100, Some((99, 78, -4))), "another event");
    assert!(
        !fits(5, 100, Some((99, 77, -3))),
        "recorded at another time"
    );
    let without_anchor = Heading {
        anchor_position: 0,
        ..heading
    };
    assert_eq!(
        check_history(
            &without_anchor,
            &Past {
                log_id: 5,
                durable: 100,
                anchor: None
            }
        ),
        Ok(())
    );
}

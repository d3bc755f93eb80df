//! Rows and their pages.

use crate::projection::rows::{PageError, Rows, checksums_of_pages};

const FORMAT: u16 = 7;

fn rows(count: u32) -> Rows<String> {
    let mut rows = Rows::new(3);
    for number in 0..count {
        assert_eq!(rows.push(format!("row {number}")), number);
    }
    rows
}

/// All pages as they would be saved.
fn pages(rows: &mut Rows<String>) -> Vec<Vec<u8>> {
    rows.mark_all_changed();
    let encoded = rows.encode_changed(FORMAT);
    rows.note_saved(&encoded, &checksums_of_pages(&encoded));
    encoded.into_iter().map(|(_, page)| page).collect()
}

#[test]
fn pages_hold_the_rows() {
    for count in [0, 1, 2, 3, 4, 9, 10] {
        let mut rows = rows(count);
        let pages = pages(&mut rows);
        assert_eq!(pages.len(), count.div_ceil(3) as usize);
        let decoded: Rows<String> = Rows::decode(&pages, 3, FORMAT, count as usize).unwrap();
        assert!(decoded.iter().eq(rows.iter()));
        assert_eq!(decoded.page_checksums(), rows.page_checksums());
        assert!(decoded.encode_changed(FORMAT).is_empty());
    }
}

#[test]
fn only_changed_pages_are_encoded() {
    let mut rows = rows(9);
    pages(&mut rows);
    let numbers = |rows: &mut Rows<String>| {
        let encoded = rows.encode_changed(FORMAT);
        rows.note_saved(&encoded, &checksums_of_pages(&encoded));
        encoded
            .into_iter()
            .map(|(page, _)| page)
            .collect::<Vec<_>>()
    };
    assert!(numbers(&mut rows).is_empty());
    rows.get_mut(4).unwrap().push('!');
    rows.get_mut(5).unwrap().push('!');
    assert_eq!(numbers(&mut rows), [1]);
    rows.get_unmarked_mut(0).unwrap().push('?');
    assert!(numbers(&mut rows).is_empty());
    rows.push("row 9".to_owned());
    rows.get_mut(0).unwrap().push('!');
    assert_eq!(numbers(&mut rows), [0, 3]);
    assert!(rows.get_mut(10).is_none());
}

#[test]
fn a_decoded_page_is_the_one_that_was_encoded() {
    let mut original = rows(5);
    let good = pages(&mut original);
    for length in 0..good[0].len() {
        let cut = vec![good[0][..length].to_vec(), good[1].clone()];
        assert!(
            Rows::<String>::decode(&cut, 3, FORMAT, 5).is_err(),
            "cut to {length}"
        );
    }
    for bit in 0..good[0].len() * 8 {
        let mut flipped = good.clone();
        flipped[0][bit / 8] ^= 1 << (bit % 8);
        assert!(
            Rows::<String>::decode(&flipped, 3, FORMAT, 5).is_err(),
            "bit {bit}"
        );
    }
    let mut longer = good.clone();
    longer[1].push(0);
    assert!(Rows::<String>::decode(&longer, 3, FORMAT, 5).is_err());
    assert!(Rows::<String>::decode(&good, 3, FORMAT + 1, 5).is_err());
    assert!(
        Rows::<String>::decode(&good, 2, FORMAT, 5).is_err(),
        "other pages"
    );
    let swapped = vec![good[1].clone(), good[0].clone()];
    assert!(
        Rows::<String>::decode(&swapped, 3, FORMAT, 5).is_err(),
        "the short page comes last"
    );
    let found = Rows::<String>::decode(&good, 3, FORMAT, 6).unwrap_err();
    assert_eq!(
        found,
        PageError::RowCount {
            expected: 6,
            found: 5
        }
    );
}

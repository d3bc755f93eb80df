use super::{Cut, cut_row};

fn row(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut bytes = i16::try_from(fields.len()).unwrap().to_be_bytes().to_vec();
    for field in fields {
        match field {
            None => bytes.extend((-1_i32).to_be_bytes()),
            Some(value) => {
                bytes.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
                bytes.extend(*value);
            }
        }
    }
    bytes
}

#[test]
fn a_row_is_cut_at_its_fields() {
    let bytes = row(&[Some(b"abc"), None, Some(b"")]);
    let mut fields = Vec::new();
    assert_eq!(cut_row(&bytes, &mut fields), Ok(Some(bytes.len())));
    assert_eq!(fields, [Some(6..9), None, Some(17..17)]);
}

#[test]
fn every_truncation_of_a_row_asks_for_more() {
    let bytes = row(&[Some(b"abc"), None, Some(b"defg")]);
    for length in 0..bytes.len() {
        assert_eq!(
            cut_row(&bytes[..length], &mut Vec::new()),
            Err(Cut::More),
            "{length}"
        );
    }
}

#[test]
fn the_end_and_nonsense_are_told_apart() {
    assert_eq!(cut_row(&(-1_i16).to_be_bytes(), &mut Vec::new()), Ok(None));
    let mut bytes = 1_i16.to_be_bytes().to_vec();
    bytes.extend((-2_i32).to_be_bytes());
    assert!(matches!(
        cut_row(&bytes, &mut Vec::new()),
        Err(Cut::Garbled(_))
    ));
}

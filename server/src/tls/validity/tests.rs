use super::*;

fn made(year: i32) -> Vec<u8> {
    let pair = rcgen::KeyPair::generate().unwrap();
    let mut wanted = rcgen::CertificateParams::new(vec!["depot.example".to_owned()]).unwrap();
    wanted.not_before = rcgen::date_time_ymd(2020, 1, 2);
    wanted.not_after = rcgen::date_time_ymd(year, 3, 4);
    wanted.self_signed(&pair).unwrap().der().to_vec()
}

#[test]
fn the_end_is_read_in_both_forms_of_time() {
    for (year, end) in [
        (2031, "2031-03-04T00:00:00.000000Z"),
        (2061, "2061-03-04T00:00:00.000000Z"),
    ] {
        let found = expires(&made(year)).unwrap();
        assert_eq!(crate::rfc3339::to_string(found), end);
    }
}

#[test]
fn what_is_no_certificate_has_no_end() {
    let whole = made(2031);
    for length in 0..whole.len() {
        assert_eq!(expires(&whole[..length]), None, "cut to {length}");
    }
    for bytes in [
        &[0x30, 0x80][..],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        b"hello",
    ] {
        assert_eq!(expires(bytes), None);
    }
}

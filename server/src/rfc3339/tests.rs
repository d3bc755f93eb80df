use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, micros: i64) {
    assert_eq!(parse(text), Ok(Timestamp::from_micros(micros)), "{text}");
}

#[track_caller]
fn check_refused(text: &str, error: TimestampError) {
    assert_eq!(parse(text), Err(error), "{text}");
}

#[test]
fn reads_every_accepted_shape() {
    check("1970-01-01T00:00:00Z", 0);
    check("1970-01-01", 0);
    check("1970-01-01 00:00", 0);
    check("1970-01-01t00:00:00z", 0);
    check("1970-01-01T00:00:00.5", 500_000);
    check("1970-01-01T00:00:00,25Z", 250_000);
    check("1970-01-01T00:00:00.123456789Z", 123_456);
    check("1970-01-01T02:00:00+02:00", 0);
    check("1970-01-01T02:00:00 02:00", 0);
    check("1970-01-01T02:00:00+0200", 0);
    check("1970-01-01T02:00:00+02", 0);
    check("1969-12-31T18:30:00-05:30", 0);
    check("2016-12-31T23:59:60Z", 1_483_228_800_000_000);
    check("2000-02-29T12:00:00Z", 951_825_600_000_000);
    check("0001-01-01T00:00:00Z", EARLIEST.micros());
    check("9999-12-31T23:59:59.999999Z", LATEST.micros());
}

#[test]
fn refuses_what_is_no_time() {
    for text in [
        "",
        "yesterday",
        "2019",
        "2019-3-1",
        "99999-01-01",
        "2019-03-01T",
        "2019-03-01T08",
        "2019-03-01T08:1",
        "2019-03-01T08:15:30.Z",
        "2019-03-01T08:15:30ZZ",
        "2019-03-01T08:15:30+",
        "2019-03-01T08:15:30+2",
        "-001-01-01",
        "2019-03-01Z",
        "２０１９-03-01",
        "2019-03-01T08:15:30\0",
        "1551428130",
    ] {
        check_refused(text, TimestampError::Shape);
    }
    for text in [
        "2019-13-01",
        "2019-00-01",
        "2019-02-29",
        "1900-02-29",
        "2019-04-31",
        "2019-03-01T24:00:00Z",
        "2019-03-01T08:60:00Z",
        "2019-03-01T08:15:61Z",
        "2019-03-01T08:15:30+24:00",
        "2019-03-01T08:15:30+01:60",
    ] {
        check_refused(text, TimestampError::Calendar);
    }
    for text in [
        "0000-12-31",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:60Z",
    ] {
        check_refused(text, TimestampError::Range);
    }
}

#[test]
fn writes_beyond_the_range_as_its_ends() {
    assert_eq!(to_string(Timestamp::MIN), "0001-01-01T00:00:00.000000Z");
    assert_eq!(to_string(Timestamp::MAX), "9999-12-31T23:59:59.999999Z");
    assert_eq!(
        to_string(Timestamp::from_micros(-1)),
        "1969-12-31T23:59:59.999999Z"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(micros in EARLIEST.micros()..=LATEST.micros()) {
        let time = Timestamp::from_micros(micros);
        prop_assert_eq!(parse(&to_string(time)), Ok(time));
    }

    #[test]
    fn text_order_is_time_order(left in EARLIEST.micros()..=LATEST.micros(), right in EARLIEST.micros()..=LATEST.micros()) {
        let order = text(Timestamp::from_micros(left)).cmp(&text(Timestamp::from_micros(right)));
        prop_assert_eq!(order, left.cmp(&right));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,40}") {
        let _ = parse(&text);
    }

    #[test]
    fn an_offset_moves_the_time(micros in 0_i64..4_000_000_000_000_000, minutes in -1_439_i64..=1_439) {
        let local = Timestamp::from_micros(micros + minutes * 60_000_000);
        let sign = if minutes < 0 { '-' } else { '+' };
        let mut text = to_string(local);
        text.pop();
        let text = format!("{text}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
        prop_assert_eq!(parse(&text), Ok(Timestamp::from_micros(micros)));
    }
}

use super::*;

#[test]
fn a_moment_is_described_by_what_narrows_it() {
    assert_eq!(Moment::default().described(), "at any time");
    let moment = Moment {
        at: Some(Timestamp::from_micros(0)),
        as_of: None,
        version: Some(3),
    };
    assert_eq!(
        moment.described(),
        "at 1970-01-01T00:00:00.000000Z, at version 3"
    );
}

use super::*;

#[test]
fn the_last_count_is_read_and_silence_is_no_success() {
    let report = Report::read("FAIL at 3\nEIO: 1 passed, 2 failed\n3 runs\n17 passed, 2 failed\n");
    assert_eq!((report.passed, report.failed), (17, 2));
    let report = Report::read("a traceback\nValueError: nothing\n");
    assert_eq!((report.passed, report.failed), (0, 0));
}

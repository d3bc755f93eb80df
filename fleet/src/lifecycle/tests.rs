//! Steps: taken, refused with what may be done instead, and with a reason where they go back.

use super::*;

const STEPS: &[Step] = &[
    Step::new("open", "done"),
    Step::new("open", "dropped"),
    Step::back("done", "open"),
];

#[track_caller]
fn refused(from: &str, to: &str, reason: Option<&str>, field: &str, expected: &str) {
    let refusal = check(STEPS, "job", from, to, reason).unwrap_err();
    assert_eq!((refusal.field, refusal.message.as_ref()), (field, expected));
}

#[test]
fn a_step_is_taken_or_refused_with_what_may_be_done() {
    assert_eq!(check(STEPS, "job", "open", "done", None), Ok(()));
    let text = "A job that is open cannot become new; it may become done, dropped";
    refused("open", "new", None, "status", text);
    let text = "A job that is dropped cannot become open; it stays so";
    refused("dropped", "open", Some("why"), "status", text);
}

#[test]
fn a_step_back_says_why() {
    let text = "A job that is done becomes open only with a reason";
    refused("done", "open", None, "reason", text);
    refused("done", "open", Some(" "), "reason", text);
    assert_eq!(check(STEPS, "job", "done", "open", Some("leaks")), Ok(()));
}

//! What is read of acknowledged ids, and what is told.

use super::*;

const ID: &str = "0191e9a4-7b1c-7c3d-8e4f-0123456789ab";

fn id() -> Uuid {
    Uuid::try_parse(ID).unwrap()
}

#[test]
fn acknowledged_ids_stand_alone_or_behind_ack() {
    let text = format!("{ID}\n\n  ACK {ID}  \r\n");
    assert_eq!(acknowledged_ids(&text).unwrap(), [id(), id()]);
    let error = acknowledged_ids(&format!("{ID}\nACK nonsense\n")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2 of the acknowledged ids is no id: nonsense"
    );
}

#[test]
fn damage_outweighs_what_is_missing() {
    let damaged = || vec![("a.log".to_owned(), "rot".to_owned())];
    let told = |problems, missing| Told {
        problems,
        missing,
        ..Told::default()
    };
    assert_eq!(code(&told(Vec::new(), Vec::new())), 0);
    assert_eq!(code(&told(Vec::new(), vec![id()])), 10);
    assert_eq!(code(&told(damaged(), Vec::new())), 20);
    assert_eq!(code(&told(damaged(), vec![id()])), 20);
}

#[test]
fn no_log_is_a_refusal_unless_something_was_acknowledged() {
    let error = refusal(VerifyError::NoLog, Vec::new(), "here").unwrap_err();
    assert_eq!(error.to_string(), "there is no log in here");
    let told = refusal(VerifyError::NoLog, vec![id()], "here").unwrap();
    assert_eq!(code(&told), 10);
    assert_eq!(as_lines(&told)[0], "COUNT 0");
    assert_eq!(as_lines(&told)[3], format!("MISSING {ID}"));
}

#[test]
fn lost_segments_are_damage_and_a_lock_is_not() {
    let lost = VerifyError::Open(OpenError::SegmentsMissing { events: 7 });
    let told = refusal(lost, Vec::new(), "here").unwrap();
    assert_eq!(code(&told), 20);
    assert!(as_lines(&told)[3].starts_with("PROBLEM here: no segment is left"));
    let by = "process 4711".to_owned();
    let locked = VerifyError::Open(OpenError::Locked { by });
    let error = refusal(locked, vec![id()], "here").unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot verify here: the log is in use by process 4711"
    );
}

#[test]
fn the_json_says_what_the_lines_say() {
    let told = Told {
        events: 2,
        digest: "ab".to_owned(),
        head: 3,
        problems: vec![("a.log".to_owned(), "rot".to_owned())],
        missing: vec![id()],
    };
    let value: serde_json::Value = serde_json::from_str(&as_json(&told)).unwrap();
    let wanted = json!({
        "events": 2, "digest": "ab", "head": 3,
        "problems": [{"file": "a.log", "what": "rot"}], "missing": [ID],
    });
    assert_eq!(value, wanted);
}

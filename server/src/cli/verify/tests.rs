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
        remarks: vec![("watermark".to_owned(), "old".to_owned())],
        missing: vec![id()],
    };
    let value: serde_json::Value = serde_json::from_str(&as_json(&told)).unwrap();
    let wanted = json!({
        "events": 2, "digest": "ab", "head": 3,
        "problems": [{"file": "a.log", "what": "rot"}],
        "remarks": [{"file": "watermark", "what": "old"}], "missing": [ID],
    });
    assert_eq!(value, wanted);
}

/// What a server has signed and kept is held against its own log, and no byte of it changes unseen.
#[test]
fn own_checkpoints_are_held_against_the_log_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (data, keys) = (folder.path(), folder.path().join("keys"));
    let log = storage::Log::open(&data.join("log"), storage::LogOptions::default()).unwrap();
    let checkpoints = crate::audit::Checkpoints::open(&log, data, &keys).unwrap();
    for number in 0..2 {
        let event = storage::NewEvent::new("CraneMoved", format!("{{\"n\":{number}}}"));
        let name = storage::StreamName::new("Crane", "1");
        let any = storage::ExpectedVersion::Any;
        log.append(storage::Transaction::single(name, any, event))
            .unwrap();
        checkpoints.keep(&log).unwrap();
    }
    let roots: Vec<_> = (1..=2)
        .map(|size| {
            (
                Position::new(size),
                log.tree_root(Position::new(size)).unwrap(),
            )
        })
        .collect();
    log.close();
    let clean = own_checkpoints(data);
    assert_eq!(
        (clean.roots, clean.unusable.len(), clean.cut),
        (roots.clone(), 0, None)
    );
    for file in [data.join(NOTES_FILE), keys.join(PUBLIC_KEY_FILE)] {
        let bytes = std::fs::read(&file).unwrap();
        // Of the notes the last one, which is like the first: a signature takes its time.
        let from = if file.ends_with(NOTES_FILE) {
            bytes.len() / 2
        } else {
            0
        };
        for at in from..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 7);
            std::fs::write(&file, changed).unwrap();
            let own = own_checkpoints(data);
            let is_told = !own.unusable.is_empty() || own.cut.is_some();
            // A change of what stands between notes and of the line's end changes nothing that is said.
            let is_blank = bytes[at] == b'\n' && own.roots == roots;
            assert!(is_told || is_blank, "{}, byte {at}", file.display());
        }
        std::fs::write(&file, bytes).unwrap();
    }
}

//! What is said of the keys of people, in sentences that name them.

use std::path::Path;
use std::sync::Arc;

use storage::{ExpectedVersion, NewEvent, StreamName, Transaction};

use super::*;
use crate::app::open_log;

/// A folder whose log holds fields of two people.
fn depot(folder: &Path) -> Config {
    let config = DataArgs {
        data: folder.to_owned(),
        config: None,
        set: Vec::new(),
    };
    let config = config.load().unwrap();
    let log = open_log(&config, Arc::new(SystemClock)).unwrap();
    for id in ["s1", "s2"] {
        let event = NewEvent::new("StaffCreated", r#"{"first_name":"Ada"}"#);
        let name = StreamName::new("Staff", id);
        log.append(Transaction::single(name, ExpectedVersion::Any, event))
            .unwrap();
    }
    log.close();
    config
}

fn bad(findings: Vec<Finding>) -> Vec<String> {
    let bad = findings.into_iter().filter_map(|finding| match finding {
        Finding::Bad(text) => Some(text),
        Finding::Fine(_) | Finding::Look(_) => None,
    });
    bad.collect()
}

#[track_caller]
fn says(config: &Config, words: &[&str]) {
    let said = bad(log(config));
    for word in words {
        assert!(
            said.iter().any(|line| line.contains(word)),
            "{word}: {said:?}"
        );
    }
}

#[test]
fn lost_keys_are_told_with_whose_they_are_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = depot(folder.path());
    assert_eq!(bad(log(&config)), Vec::<String>::new());
    let (keys, master) = (
        config.keys_folder().join("people.keys"),
        config.keys_folder().join("master.key"),
    );
    let text = fs::read_to_string(&keys).unwrap();

    fs::remove_file(&keys).unwrap();
    says(
        &config,
        &[
            "of 2 people cannot be read",
            "Staff:s1, Staff:s2",
            "put the copy of `keys/people.keys` back",
        ],
    );
    assert!(!keys.exists(), "nothing was made");

    // One of them lost a line, the other is whole.
    let without: String = text
        .lines()
        .filter(|line| !line.contains("Staff:s1"))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(&keys, without).unwrap();
    says(
        &config,
        &["of 1 people cannot be read, their keys are lost: Staff:s1;"],
    );
    fs::write(&keys, text.replacen("Staff:s1", "Staff:sX", 1)).unwrap();
    says(&config, &["1 lines of", "are damaged", "lost: Staff:s1;"]);
    fs::write(&keys, &text).unwrap();
    assert_eq!(bad(log(&config)), Vec::<String>::new());

    let right = fs::read(&master).unwrap();
    fs::write(&master, [7; 32]).unwrap();
    says(
        &config,
        &[
            "the master key does not open the keys of people",
            "Staff:s1, Staff:s2",
        ],
    );
    fs::remove_file(&master).unwrap();
    says(&config, &["the master key is gone"]);
    assert!(!master.exists(), "nothing was made");
    fs::write(&master, right).unwrap();
    assert_eq!(bad(log(&config)), Vec::<String>::new());
}

/// A store that was begun anew has a key for somebody who comes again, and not the one that sealed what came before.
#[test]
fn a_key_made_later_is_not_the_one_that_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let config = depot(folder.path());
    fs::remove_file(config.keys_folder().join("people.keys")).unwrap();
    let log_again = open_log(&config, Arc::new(SystemClock)).unwrap();
    let event = NewEvent::new("StaffUpdated", r#"{"first_name":"Ada"}"#);
    let name = StreamName::new("Staff", "s1");
    log_again
        .append(Transaction::single(name, ExpectedVersion::Any, event))
        .unwrap();
    log_again.close();
    says(
        &config,
        &["of 2 people cannot be read", "Staff:s1, Staff:s2"],
    );
}

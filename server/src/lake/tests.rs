//! Who is erased while an export runs, and what a start says of a place that is none.

use std::path::Path;

use serde_json::json;
use storage::{
    AppendError, EventRef, ExpectedVersion, LogOptions, NewEvent, Payload, StreamName, SystemClock,
    Transaction, Uncovered, Veil,
};

use super::*;
use crate::app::StartError;
use crate::privacy::{Erased, KeyStore, Subject};

const SECRET: &[u8] = b"a master key of at least thirty-two bytes";

/// Erases somebody as soon as something of them was read.
#[derive(Debug)]
struct ErasedOnceRead {
    privacy: Arc<Privacy>,
    person: Subject,
    is_due: AtomicBool,
}

impl Veil for ErasedOnceRead {
    fn cover(&self, transaction: &Transaction) -> Result<Option<Transaction>, AppendError> {
        self.privacy.cover(transaction)
    }

    fn uncover(&self, event: &EventRef<'_>) -> Option<Uncovered> {
        let uncovered = self.privacy.uncover(event);
        if self.is_due.swap(false, Ordering::Relaxed) {
            let erased = Erased {
                erased_at: "2026-11-28T12:00:00Z".to_owned(),
                by: None,
                reason: None,
            };
            self.privacy.store().erase(&self.person, erased).unwrap();
        }
        uncovered
    }

    fn says_the_same(
        &self,
        stream: &StreamName,
        stored: &Payload<'_>,
        given: &Payload<'_>,
    ) -> bool {
        self.privacy.says_the_same(stream, stored, given)
    }
}

fn place(folder: &Path) -> Target {
    Target::open(&format!("file://{}", folder.display())).unwrap()
}

#[test]
fn whoever_is_erased_while_an_export_runs_is_gone_with_the_next_though_nothing_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let store = KeyStore::open(&folder.path().join("keys"), SECRET).unwrap();
    let privacy = Arc::new(Privacy::new(store, Arc::new(SystemClock)));
    let veil = Arc::new(ErasedOnceRead {
        privacy: privacy.clone(),
        person: Subject::parse("Staff:s1").unwrap(),
        is_due: AtomicBool::new(false),
    });
    let options = LogOptions {
        veil: Some(veil.clone()),
        ..LogOptions::default()
    };
    let log = Log::open(&folder.path().join("log"), options).unwrap();
    let data = json!({"staff_id": "S-1", "first_name": "Ada"}).to_string();
    let stream = StreamName::new("Staff", "s1");
    let event = NewEvent::new("StaffCreated", data);
    log.append(Transaction::single(stream, ExpectedVersion::Any, event))
        .unwrap();

    let lake = folder.path().join("lake");
    let export = || {
        let now = Timestamp::from_micros(0);
        let never = AtomicBool::new(false);
        bring_up(&log, &privacy, &place(&lake), now, 1, &never).unwrap()
    };
    let files = || {
        let manifest = ::lake::read_manifest(&place(&lake)).unwrap().unwrap();
        let all = manifest.event_files(None).chain(manifest.state_files(None));
        let paths = all.map(|file| lake.join(&file.path));
        (paths.collect::<Vec<_>>(), manifest.events[0].people.clone())
    };
    // The event was read in the clear, and the key is gone before anything else is asked.
    veil.is_due.store(true, Ordering::Relaxed);
    assert_eq!(export().erased_spans, 0);
    let (first, people) = files();
    assert_eq!(people, ["Staff:s1"], "the file holds something readable");
    assert_eq!(export().erased_spans, 1);
    let (_, people) = files();
    assert!(people.is_empty(), "{people:?}");
    for file in first {
        assert!(!file.exists(), "{}", file.display());
    }
    assert_eq!(export().files, 0, "once");
}

#[test]
fn a_place_that_is_no_address_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut config = Config::new(&data);
    config.lake.to = Some("/mnt/lake".to_owned());
    let refused = AppState::open(config).unwrap_err();
    assert!(matches!(refused, StartError::Lake(_)), "{refused:?}");
    let said = crate::cli::chain(&refused);
    assert!(
        said.contains("lake.to") && said.contains("give file:///folder"),
        "{said}"
    );
    assert!(!data.exists(), "nothing was begun");
}

//! `railfleet import` and its neighbours as an operator runs them: the real program on a data folder of its own.

use std::process::Command;
use std::time::Duration;

use harness::process::{Process, run, wait_until_free};
use harness::server::DataFolder;
use storage::{Log, LogOptions, ReadRequest};
use tempfile::TempDir;

/// How long one run of the program may take, on a machine with much else to do.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

/// A data folder that holds nothing yet.
#[derive(Debug)]
pub(crate) struct Depot {
    pub(crate) folder: DataFolder,
    _home: Option<TempDir>,
}

impl Depot {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        Depot {
            folder: DataFolder::adopt(&home.path().join("data")),
            _home: Some(home),
        }
    }

    /// One in a folder that goes with whatever holds it.
    pub(crate) fn within(parent: &std::path::Path) -> Self {
        Depot {
            folder: DataFolder::adopt(&parent.join("data")),
            _home: None,
        }
    }

    /// `railfleet import` from this address into the folder, with these arguments.
    pub(crate) fn importing(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = self.folder.command(&["import", "--from", url, "--data"]);
        command.arg(self.folder.path()).args(arguments);
        command.env_remove("PGPASSWORD");
        command
    }

    /// Runs it to its end: its exit code and all that it said.
    #[track_caller]
    pub(crate) fn import(&self, url: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let (status, said) = run(&mut self.importing(url, arguments), LIMIT);
        (status.code(), said)
    }

    /// Runs it to its end, which must be a good one.
    #[track_caller]
    pub(crate) fn must_import(&self, url: &str) -> String {
        let (code, said) = self.import(url, &[]);
        assert_eq!(code, Some(0), "{said}");
        said
    }

    /// Starts it.
    pub(crate) fn start(&self, url: &str, arguments: &[&str]) -> Process {
        let output = self.folder.beside("import.out");
        let _ = std::fs::remove_file(&output);
        Process::start(&mut self.importing(url, arguments), &output)
    }

    /// Ids, types and payloads of what imports wrote, in the order of ids.
    pub(crate) fn digest(&self) -> blake3::Hash {
        let log = Log::open(&self.folder.log(), LogOptions::default()).expect("a log");
        let digest = digest(&log);
        drop(log);
        wait_until_free(&self.folder.log());
        digest
    }
}

/// What seals a personal value in a log that the program wrote: another key for each log, so that the bytes differ. That
/// what is sealed is what the row says is for the reconciliation to say.
const SEALED: &str = "\"sealed:1:";

/// A payload without the bytes of sealed values.
fn without_seals(data: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split(SEALED);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('"').expect("a sealed value ends");
        kept.push_str("\"sealed\"");
        kept.push_str(rest);
    }
    kept.into_bytes()
}

/// Ids, types and payloads of what imports wrote, in the order of ids, sealed values apart.
pub(crate) fn digest(log: &Log) -> blake3::Hash {
    let mut events = Vec::new();
    let mut reader = log.read(&ReadRequest::default()).expect("the log is read");
    while let Some(event) = reader.next() {
        let event = event.expect("an event");
        if event.metadata().starts_with(br#"{"source":"#) {
            events.push((
                event.id(),
                event.event_type().to_owned(),
                without_seals(event.data()),
            ));
        }
    }
    assert!(!events.is_empty(), "nothing was imported");
    events.sort();
    let mut digest = blake3::Hasher::new();
    for (id, event_type, data) in events {
        digest
            .update(id.as_bytes())
            .update(event_type.as_bytes())
            .update(&[0])
            .update(&data);
    }
    digest.finalize()
}

//! A log and inputs in a temporary folder.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use storage::{Event, Log, LogOptions, ReadRequest};

use crate::ingest::{IngestOptions, Input, Stopped, Summary, ingest};

pub(super) struct Site {
    pub(super) folder: tempfile::TempDir,
    pub(super) log: Log,
}

impl Site {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(&folder.path().join("log"), LogOptions::default()).unwrap();
        Site { folder, log }
    }

    /// A file with this content.
    pub(super) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn options(&self, path: &Path) -> IngestOptions {
        IngestOptions::new(Input::File(path.to_owned()))
    }

    /// The same, with checkpoints.
    pub(super) fn resumable(&self, path: &Path) -> IngestOptions {
        IngestOptions {
            checkpoints: Some(self.folder.path().join("ingest")),
            ..self.options(path)
        }
    }

    #[track_caller]
    pub(super) fn take(&self, options: &IngestOptions) -> Summary {
        ingest(&self.log, options, |_| {})
            .map_err(|stopped| format!("{stopped:?}"))
            .unwrap()
    }

    #[track_caller]
    pub(super) fn fail(&self, options: &IngestOptions) -> Box<Stopped> {
        ingest(&self.log, options, |_| {}).unwrap_err()
    }

    /// All events of the log.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut reader = self.log.read(&ReadRequest::default()).unwrap();
        let mut events = Vec::new();
        while let Some(event) = reader.next() {
            events.push(event.unwrap().to_owned());
        }
        events
    }

    /// What the log says, in order: stream, version, id, type, time and data of each event.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for event in self.events() {
            let line = format!(
                "{} {} {} {} {}",
                event.stream,
                event.version,
                event.id,
                event.event_type,
                event.occurred_at.micros()
            );
            digest.update(line.as_bytes());
            digest.update(&event.data);
        }
        digest.finalize().into()
    }
}

/// A line with an event.
pub(super) fn line(number: u64) -> String {
    json!({
        "aggregate_type": "Depot",
        "aggregate_id": format!("d/{}", number % 3),
        "event_type": "TrackClosed",
        "occurred_at": "2026-03-01T05:00:00Z",
        "data": {"track": number},
    })
    .to_string()
}

/// Lines with the events of these numbers.
pub(super) fn lines(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| line(number) + "\n").collect()
}

pub(super) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// The event's data.
pub(super) fn data(event: &Event) -> Value {
    serde_json::from_slice(&event.data).unwrap()
}

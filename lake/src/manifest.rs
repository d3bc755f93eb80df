//! `manifest.json`: which files are the export, as of which position. Written last, replaced whole.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::plan::Range;

/// The object that names all others.
pub const MANIFEST_NAME: &str = "manifest.json";
/// The number of its layout.
pub(crate) const FORMAT: u32 = 1;

/// What an export consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of this file's layout.
    pub format: u32,
    /// Which log it is.
    pub log_id: Uuid,
    /// The number of the export; it stands in the names of the files that it wrote.
    pub generation: u64,
    /// The last position that the files hold; states are as of it.
    pub position: u64,
    /// When it was exported, RFC 3339.
    pub exported_at: String,
    /// Events, in the order of their positions.
    pub events: Vec<Span>,
    /// The present state of every aggregate, a file or more a type.
    pub states: Vec<FileEntry>,
    /// Files of earlier exports, which somebody may still be reading. They go with the next export an hour later.
    #[serde(default)]
    pub replaced: Vec<Replaced>,
    /// What of the log could not be read, in the order of positions: states lack it all, events what their spans count. Once more
    /// can be read, those files are written anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// Positions whose events cannot be read, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// The first position.
    pub from: u64,
    /// The last position.
    pub to: u64,
}

/// The files of a range of positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first position.
    pub from: u64,
    /// The last position.
    pub to: u64,
    /// Positions that could not be read when the files were written, and are in none of them.
    #[serde(default)]
    pub unreadable: u64,
    /// The people of whom these files hold something readable, `Staff:…`. When one of them is erased the files are
    /// written anew.
    #[serde(default)]
    pub people: Vec<String>,
    /// The id of the event at the last position, by which a log is told from one that was restored to an earlier moment and has
    /// gone on otherwise since. None where that event could not be read, and in manifests from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_id: Option<Uuid>,
    /// The files.
    pub files: Vec<FileEntry>,
}

/// One Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Where it lies, from the place's root.
    pub path: String,
    /// Of which aggregate type its rows are.
    pub aggregate_type: String,
    /// Its rows.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
}

/// A file that is no part of the export any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Where it lies.
    pub path: String,
    /// When it was replaced: microseconds since 1970 UTC.
    pub at: i64,
}

impl Gap {
    /// What of `from..=to` lies in a range.
    pub(crate) fn within(range: Range, from: u64, to: u64) -> Self {
        Gap {
            from: from.max(range.from),
            to: to.min(range.to),
        }
    }

    /// How many positions.
    pub(crate) fn positions(self) -> u64 {
        self.to.saturating_add(1).saturating_sub(self.from)
    }
}

impl Span {
    pub(crate) fn range(&self) -> Range {
        Range {
            from: self.from,
            to: self.to,
        }
    }
}

impl Manifest {
    /// Nothing of this log.
    pub(crate) fn empty(log_id: Uuid) -> Self {
        Manifest {
            format: FORMAT,
            log_id,
            generation: 0,
            position: 0,
            exported_at: String::new(),
            events: Vec::new(),
            states: Vec::new(),
            replaced: Vec::new(),
            gaps: Vec::new(),
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if head.format > FORMAT {
            return Err(format!(
                "it is of format {}, this program reads up to {FORMAT}",
                head.format
            ));
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// The files that hold events, of one aggregate type or all.
    pub fn event_files<'a>(
        &'a self,
        aggregate_type: Option<&'a str>,
    ) -> impl Iterator<Item = &'a FileEntry> {
        let files = self.events.iter().flat_map(|span| &span.files);
        files.filter(move |file| is_of(file, aggregate_type))
    }

    /// The files that hold states, of one aggregate type or all.
    pub fn state_files<'a>(
        &'a self,
        aggregate_type: Option<&'a str>,
    ) -> impl Iterator<Item = &'a FileEntry> {
        let files = self.states.iter();
        files.filter(move |file| is_of(file, aggregate_type))
    }

    /// Every file that must lie there, those that go later among them.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        let live = self.event_files(None).chain(self.state_files(None));
        let replaced = self.replaced.iter().map(|file| file.path.as_str());
        live.map(|file| file.path.as_str()).chain(replaced)
    }
}

fn is_of(file: &FileEntry, aggregate_type: Option<&str>) -> bool {
    aggregate_type.is_none_or(|wanted| file.aggregate_type == wanted)
}

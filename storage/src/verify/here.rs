//! Verifying what is here of a log some of which lies in an archive, without fetching that: for whoever verifies each day, when to
//! fetch years of history would take hours.
//!
//! Of a segment that was sent away this is held: its object is there in its length; its stub and its index are what was
//! written, and both continue the chain from the segment before to the next. Not held are the object's bytes. They were read back when
//! they were sent, they are given to nobody unless their SHA-256 is the stub's, and [`verify`](super::verify) fetches them all.

use std::path::Path;

use super::{Places, Problem, Verifier, VerifyError, VerifyOptions, find, walk};
use crate::header::SegmentHeader;
use crate::index::{IndexFile, IndexIdentity, StreamEnd};
use crate::open::{Listed, add_names};
use crate::position::{Position, Version};
use crate::segment::index_file;
use crate::tier::{Stub, TierOptions, stub_file};

/// How far a verification reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every segment is read; one that was sent away is fetched for it.
    Everything,
    /// What was sent away stays there. The report's digest is none then, for leaves are missing in it.
    Here,
}

/// Verifies the log in `folder`, which no process may have open, as far as it is here, and asks `tier` whether it has the rest.
///
/// Reads all that is here, and asks one short question for each segment that was sent away. Of those, one whose index is missing
/// or damaged is fetched: nothing else that is here says what the events behind it must look like.
///
/// Returns what does not agree, in the log's order; nothing when all is well.
///
/// # Errors
/// As for [`verify`](super::verify). [`VerifyError::Archived`] says that an object is not there, has another length, or cannot be
/// asked for.
pub fn verify_here(folder: &Path, tier: Option<&TierOptions>) -> Result<Vec<Problem>, VerifyError> {
    let (_lock, repo, places) = find(folder, None)?;
    // The tree's nodes cannot be held against leaves that are not read.
    let places = Places {
        tree: None,
        ..places
    };
    let options = VerifyOptions {
        tier: tier.cloned(),
        ..VerifyOptions::default()
    };
    Ok(walk(&repo, &places, &options, Reach::Here)?.problems)
}

impl Verifier {
    /// Takes a segment that was sent away for what its stub and its index say, and says whether it did: one that is here has to
    /// be read, and one without a whole index to be fetched.
    pub(super) fn look(
        &mut self,
        listed: &Listed,
        next: Option<&SegmentHeader>,
    ) -> Result<bool, VerifyError> {
        let Some(away) = &listed.away else {
            return Ok(false);
        };
        let stub = &away.stub;
        let Some((index, ends)) = whole_index(listed, stub) else {
            return Ok(false);
        };
        let id = listed.header.segment;
        away.look().map_err(|source| VerifyError::Archived {
            segment: id,
            source,
        })?;
        self.begin(&listed.header);
        if !stub.is_sound() {
            let what = "the stub is not what was written: restore it from a backup";
            self.problem((id, Position::START), stub_file(id), what);
        }
        if let Ok(names) = index.names() {
            add_names(names, listed.header.seed(), &self.names);
        }
        for end in ends {
            let stream = end.stream as usize;
            if self.versions.len() <= stream {
                self.versions.resize(stream + 1, Version::NONE);
            }
            self.versions[stream] = end.version;
        }
        let (behind, chain) = stub.successor;
        if let Some(next) = next {
            self.meet(id, behind, next);
        }
        self.head = behind.previous();
        self.chain = chain;
        self.recorded_last = self.recorded_last.max(stub.recorded.1);
        self.segments += 1;
        Ok(true)
    }
}

/// The index of a segment that was sent away, and the last event of each stream in it; `None` unless its file is what was written.
fn whole_index(listed: &Listed, stub: &Stub) -> Option<(IndexFile, Vec<StreamEnd>)> {
    let header = &stub.header;
    let file = listed.repo.open(&index_file(header.segment)).ok()?;
    let view = file.view(file.len().ok()?, 0).ok()?;
    let identity = IndexIdentity {
        log_id: header.log_id,
        segment: header.segment,
        first_position: header.first_position,
        chain: stub.successor.1,
    };
    let index = IndexFile::open(view, &identity).ok()?;
    let ends = index.stream_ends().ok()?;
    index.is_whole().then_some((index, ends))
}

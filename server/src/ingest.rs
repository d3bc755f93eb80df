//! Bulk input: a file of events becomes events of the log, exactly once, however often it is tried.
//!
//! On the data path it stands where HTTP does, before the append, and uses the same door: every event passes
//! [`crate::envelope`] and is appended in transactions. A file is read as a stream of bytes ([`source`]), cut into
//! records ([`lines`], [`rows`]), each record becomes events ([`cloud_event`], [`mapping`]), and these are appended in the
//! order of the file ([`appender`]).
//!
//! What makes it repeatable is in [`identity`]: an event that brings no id gets one that depends on nothing but the input,
//! so the log itself refuses to take it twice. The [`checkpoint`] beside the log only saves time.

mod appender;
mod checkpoint;
mod cloud_event;
#[cfg(any(test, feature = "fuzzing"))]
mod fuzzed;
mod identity;
mod lines;
pub mod mapping;
mod rows;
mod run;
mod source;
#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use fuzzed::fuzz;
pub(crate) use lines::FROM_FILE_TAG;
pub use mapping::{Mapping, MappingError};
pub use run::{BadLine, BadLines, IngestError, IngestOptions, Progress, Stopped, Summary, ingest};
pub use source::Input;

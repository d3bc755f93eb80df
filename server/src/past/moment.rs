//! When: a moment of a stream's history, in either time, by version, by position, or all of them together.

use storage::{Log, Position, ReadError, Timestamp};

use crate::rfc3339;

/// A moment in a stream's history; what is absent does not narrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// Only what happened at or before: what was true then.
    pub at: Option<Timestamp>,
    /// Only what was recorded at or before: what was known then.
    pub as_of: Option<Timestamp>,
    /// Only up to this version of the stream.
    pub version: Option<u32>,
    /// Only up to this position of the log.
    pub position: Option<Position>,
}

impl Moment {
    /// What was true at this time, as far as is known now.
    pub fn at(time: Timestamp) -> Self {
        Moment {
            at: Some(time),
            ..Moment::default()
        }
    }

    /// After so many events.
    pub fn version(version: u32) -> Self {
        Moment {
            version: Some(version),
            ..Moment::default()
        }
    }

    /// Which events count. A binary search in the log where `as_of` is given.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn bounds(self, log: &Log) -> Result<Bounds, ReadError> {
        let mut position = self
            .position
            .unwrap_or(Position::MAX)
            .min(log.durable_position());
        if let Some(as_of) = self.as_of {
            position = position.min(log.position_at(as_of)?);
        }
        Ok(Bounds {
            version: self.version.unwrap_or(u32::MAX),
            position,
            at: self.at.unwrap_or(Timestamp::MAX),
        })
    }

    /// In words: `at 2026-…, at version 3`.
    pub fn described(self) -> String {
        let at = self
            .at
            .map(|time| format!("at {}", rfc3339::to_string(time)));
        let as_of = self
            .as_of
            .map(|time| format!("as of {}", rfc3339::to_string(time)));
        let version = self.version.map(|version| format!("at version {version}"));
        let position = self
            .position
            .map(|position| format!("at position {position}"));
        let parts: Vec<String> = [at, as_of, version, position]
            .into_iter()
            .flatten()
            .collect();
        if parts.is_empty() {
            "at any time".to_owned()
        } else {
            parts.join(", ")
        }
    }
}

/// Which events of a stream count: those that satisfy all three.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// The highest version.
    pub version: u32,
    /// The highest position, which is durable.
    pub position: Position,
    /// The latest time of happening.
    pub at: Timestamp,
}

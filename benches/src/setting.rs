//! What a question is given: how large to be, where to write, and the program that plays the child.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::BenchError;
use crate::error::doing;
use crate::past::Past;
use crate::scratch::Scratch;

/// Events of the past that questions share, in a tiny run and in a real one.
const EVENTS: (u64, u64) = (3_000, 10_000_000);

/// How large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds for all questions: what the tests run. The numbers mean nothing.
    Tiny,
    /// Near reality: what the table is made of.
    Real,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How large.
    pub size: Size,
    /// The folder that scratch folders are made in.
    pub folder: PathBuf,
    /// The `bench` program, which is started anew to be measured or killed.
    pub program: PathBuf,
    /// Events of the past that questions share, where another number than the size's is wanted.
    events: Option<u64>,
    /// The past, once a question has asked for it. Removed with the last copy of the setting.
    past: Arc<Mutex<Option<Arc<Past>>>>,
}

impl Setting {
    /// A setting in which nothing was asked yet.
    pub fn new(size: Size, folder: PathBuf, program: PathBuf) -> Self {
        Setting {
            size,
            folder,
            program,
            events: None,
            past: Arc::default(),
        }
    }

    /// The same, with so many events of the past.
    #[must_use]
    pub fn with_events(mut self, events: Option<u64>) -> Self {
        self.events = events;
        self
    }

    /// How many events the past has that questions share.
    pub fn events(&self) -> u64 {
        self.events.unwrap_or_else(|| self.pick(EVENTS.0, EVENTS.1))
    }

    /// The log that questions about the past share, filled by the first that asks.
    ///
    /// # Errors
    /// Those of [`Past::fill`]; the next question tries again.
    pub fn past(&self) -> Result<Arc<Past>, BenchError> {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(past) = &*past {
            return Ok(Arc::clone(past));
        }
        let filled = Arc::new(Past::fill(self)?);
        *past = Some(Arc::clone(&filled));
        Ok(filled)
    }

    /// The first for a tiny run, the second for a real one.
    pub fn pick<T>(&self, tiny: T, real: T) -> T {
        match self.size {
            Size::Tiny => tiny,
            Size::Real => real,
        }
    }

    /// A folder of one's own.
    ///
    /// # Errors
    /// [`BenchError::Io`] when none can be made.
    pub fn scratch(&self) -> Result<Scratch, BenchError> {
        Scratch::within(&self.folder).map_err(doing(format!(
            "making a folder in {}",
            self.folder.display()
        )))
    }

    /// The program `name` beside the `bench` program: what the same build has made.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.program
            .parent()
            .unwrap_or_else(|| Path::new("."))
            .join(name)
    }
}

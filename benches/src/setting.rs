//! What a question is given: how large to be, where to write, and the program that plays the child.

use std::path::{Path, PathBuf};

use crate::BenchError;
use crate::error::doing;
use crate::scratch::Scratch;

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
}

impl Setting {
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

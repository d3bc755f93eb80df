//! What turns the rows of a CSV file into events: a small file that says so, instead of code for each operator.
//!
//! `docs/ingest.md` describes the format with an example. A mapping is read and checked once ([`file`]), bound to the header of
//! the CSV file ([`bound`]), and then makes events of each row. Local times become UTC by [`local_time`].

mod bound;
mod file;
mod local_time;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use thiserror::Error;

pub(super) use bound::BoundMapping;

use file::MappingFile;

/// Mappings that are part of the program: name and text.
const EMBEDDED: &[(&str, &str)] = &[("ttc-subway", include_str!("../../maps/ttc-subway.toml"))];

/// Bytes that a mapping file may have.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A mapping whose text is right in itself.
#[derive(Debug)]
pub struct Mapping {
    file: MappingFile,
    text: String,
}

/// Why a mapping cannot be used.
#[derive(Debug, Error)]
pub enum MappingError {
    /// Neither the name of an embedded mapping nor a file.
    #[error("{name} is neither a mapping file nor one of the mappings {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The embedded ones.
        known: String,
    },
    /// Its file cannot be read.
    #[error("the mapping {path} cannot be read")]
    Read {
        /// Its path.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// It is no TOML of the right shape.
    #[error("the mapping is malformed: {0}")]
    Malformed(String),
    /// It says something that cannot be.
    #[error("the mapping is wrong: {0}")]
    Wrong(String),
    /// The CSV file lacks a column that the mapping names.
    #[error("the file has no column {column:?}; its columns are {header}")]
    Column {
        /// The one that the mapping names.
        column: String,
        /// Those that there are.
        header: String,
    },
}

impl Mapping {
    /// The mapping of this name or path.
    ///
    /// # Errors
    /// [`MappingError`].
    pub fn load(name_or_path: &str) -> Result<Mapping, MappingError> {
        if let Some((_, text)) = EMBEDDED.iter().find(|(name, _)| *name == name_or_path) {
            return Mapping::parse(text);
        }
        let path = PathBuf::from(name_or_path);
        let length = match std::fs::metadata(&path) {
            Ok(found) => found.len(),
            Err(_) => {
                let known: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
                return Err(MappingError::Unknown {
                    name: name_or_path.to_owned(),
                    known: known.join(", "),
                });
            }
        };
        if length > FILE_BYTES_MAX {
            return Err(MappingError::Wrong(format!(
                "it has {length} bytes, {FILE_BYTES_MAX} are allowed"
            )));
        }
        let text =
            std::fs::read_to_string(&path).map_err(|source| MappingError::Read { path, source })?;
        Mapping::parse(&text)
    }

    /// The mapping that this TOML text describes.
    ///
    /// # Errors
    /// [`MappingError::Malformed`], [`MappingError::Wrong`].
    pub fn parse(text: &str) -> Result<Mapping, MappingError> {
        let file: MappingFile =
            toml::from_str(text).map_err(|error| MappingError::Malformed(error.to_string()))?;
        file.check()?;
        Ok(Mapping {
            file,
            text: text.to_owned(),
        })
    }

    /// Its own name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Its text: what a checkpoint depends on besides the input.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The byte between two fields of a row.
    pub(super) fn delimiter(&self) -> u8 {
        self.file.input.delimiter_byte()
    }

    /// The mapping for a file with these columns.
    ///
    /// # Errors
    /// [`MappingError::Column`].
    pub(super) fn bind(
        &self,
        header: &[String],
        source_name: &str,
    ) -> Result<BoundMapping, MappingError> {
        BoundMapping::new(&self.file, header, source_name)
    }
}

//! Training rows as Parquet: what a model learns from, as of the times it is learned from, for engines and for training where
//! the log is not.
//!
//! ```text
//! features/MODEL/manifest.json                 which files, in order of time; replaced last
//! features/MODEL/00000000.EXPORT.parquet       rows in order of time
//! ```
//!
//! Each row is a vehicle at a time: its features, and what became of it. A feature that is a word is text, all others are
//! 32-bit floating numbers; what is not known is null.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float32Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::column::time_type;
use crate::error::LakeError;
use crate::target::{Target, is_number};

mod read;
#[cfg(test)]
mod tests;

pub use read::FeatureReader;

/// The number of the manifest's layout.
const FORMAT: u32 = 1;
/// Rows of a file: what a reader holds at a time, some megabytes.
const FILE_ROWS: usize = 65_536;
const ZSTD_LEVEL: i32 = 3;

/// The columns that every row has before its features.
pub(crate) const VEHICLE: &str = "vehicle_id";
pub(crate) const AS_OF: &str = "as_of";
pub(crate) const DAYS: &str = "days";
pub(crate) const FAILED: &str = "failed";

/// A feature's column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureColumn {
    /// Its name.
    pub name: String,
    /// The words that its numbers stand for, in their order; none for a number that is itself.
    pub words: Option<Vec<String>>,
}

/// A row.
#[derive(Clone, Copy, Debug)]
pub struct FeatureRow<'a> {
    /// Which vehicle.
    pub vehicle: &'a str,
    /// As of when: microseconds since 1970 UTC.
    pub as_of: i64,
    /// Days to its next failure, or for which it was watched.
    pub days: f32,
    /// Whether they ended with a failure.
    pub failed: bool,
    /// One a column; a word by its number, what is not known as NaN.
    pub values: &'a [f32],
}

/// A file of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureFile {
    /// Where it lies.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The earliest and the latest time in it: microseconds since 1970 UTC.
    pub from: i64,
    /// See `from`.
    pub to: i64,
}

/// What an export of features consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureManifest {
    /// The number of this layout.
    pub format: u32,
    /// Which model learns from it.
    pub model: String,
    /// The number of the export; it stands in the names of its files.
    pub generation: u64,
    /// Which log it is of.
    pub log_id: Uuid,
    /// Up to where in that log.
    pub position: u64,
    /// Where the history ends that it is of: microseconds since 1970 UTC.
    pub end: i64,
    /// The columns of features, in their order.
    pub columns: Vec<FeatureColumn>,
    /// The files, in order of time.
    pub files: Vec<FeatureFile>,
}

impl FeatureManifest {
    /// Of no files yet.
    pub fn new(
        model: &str,
        log_id: Uuid,
        position: u64,
        end: i64,
        columns: Vec<FeatureColumn>,
    ) -> Self {
        FeatureManifest {
            format: FORMAT,
            model: model.to_owned(),
            generation: 1,
            log_id,
            position,
            end,
            columns,
            files: Vec::new(),
        }
    }

    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

pub(crate) fn folder(model: &str) -> String {
    format!("features/{model}")
}

pub(crate) fn manifest_path(model: &str) -> String {
    format!("{}/manifest.json", folder(model))
}

/// Whether a path ends as those of our files do, in `00000000.EXPORT.parquet`: others may keep something of their own beside them.
fn is_ours(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let numbers = name
        .strip_suffix(".parquet")
        .and_then(|name| name.split_once('.'));
    numbers.is_some_and(|(file, export)| is_number(file) && is_number(export))
}

/// Writes rows, in order of time.
#[derive(Debug)]
pub struct FeatureWriter<'a> {
    target: &'a Target,
    manifest: FeatureManifest,
    schema: SchemaRef,
    held: Held,
}

/// A file's rows as they come.
#[derive(Debug)]
struct Held {
    vehicles: StringBuilder,
    times: TimestampMicrosecondBuilder,
    days: Float32Builder,
    failed: BooleanBuilder,
    features: Vec<Feature>,
    rows: usize,
    from: i64,
    to: i64,
}

#[derive(Debug)]
enum Feature {
    Number(Float32Builder),
    Word(StringBuilder),
}

impl<'a> FeatureWriter<'a> {
    /// Begins an export that takes the place of what is there once it is finished.
    ///
    /// # Errors
    /// `Store` where the place does not say what is there.
    pub fn new(target: &'a Target, mut manifest: FeatureManifest) -> Result<Self, LakeError> {
        let before = target.get(&manifest_path(&manifest.model))?;
        let before = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let before: Option<FeatureManifest> = before;
        manifest.generation = before.map_or(0, |before| before.generation) + 1;
        let mut fields = vec![
            Field::new(VEHICLE, DataType::Utf8, false),
            Field::new(AS_OF, time_type(), false),
            Field::new(DAYS, DataType::Float32, false),
            Field::new(FAILED, DataType::Boolean, false),
        ];
        let of_columns = manifest.columns.iter();
        fields.extend(of_columns.map(|column| Field::new(&column.name, kind_of(column), true)));
        Ok(FeatureWriter {
            target,
            held: Held::of(&manifest.columns),
            schema: Arc::new(Schema::new(fields)),
            manifest,
        })
    }

    /// Takes a row that is not before the last one.
    ///
    /// # Errors
    /// See [`LakeError`].
    pub fn push(&mut self, row: &FeatureRow<'_>) -> Result<(), LakeError> {
        let held = &mut self.held;
        if held.rows == 0 {
            held.from = row.as_of;
        }
        held.to = row.as_of;
        held.rows += 1;
        held.vehicles.append_value(row.vehicle);
        held.times.append_value(row.as_of);
        held.days.append_value(row.days);
        held.failed.append_value(row.failed);
        let columns = self.manifest.columns.iter().zip(row.values);
        for (feature, (column, &value)) in held.features.iter_mut().zip(columns) {
            match feature {
                Feature::Number(builder) => {
                    builder.append_option(Some(value).filter(|value| !value.is_nan()));
                }
                Feature::Word(builder) => builder.append_option(word(column, value)),
            }
        }
        if held.rows == FILE_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LakeError> {
        let rows = self.held.rows;
        let fresh = Held::of(&self.manifest.columns);
        let held = std::mem::replace(&mut self.held, fresh);
        let (from, to) = (held.from, held.to);
        let batch = RecordBatch::try_new(self.schema.clone(), held.arrays())?;
        let properties = WriterProperties::builder()
            .set_created_by(concat!("railfleet ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .build();
        let mut file = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut file, self.schema.clone(), Some(properties))?;
        writer.write(&batch)?;
        writer.close()?;
        let manifest = &mut self.manifest;
        let path = format!(
            "{}/{:08}.{}.parquet",
            folder(&manifest.model),
            manifest.files.len(),
            manifest.generation
        );
        let bytes = file.len() as u64;
        self.target.put(&path, file.into())?;
        manifest.files.push(FeatureFile {
            path,
            rows: rows as u64,
            bytes,
            from,
            to,
        });
        Ok(())
    }

    /// Writes what is left, then the manifest, and takes away the files of exports that no manifest names.
    ///
    /// # Errors
    /// See [`LakeError`].
    pub fn finish(mut self) -> Result<FeatureManifest, LakeError> {
        if self.held.rows > 0 {
            self.flush()?;
        }
        let path = manifest_path(&self.manifest.model);
        let bytes =
            serde_json::to_vec_pretty(&self.manifest).map_err(|error| LakeError::Features {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        self.target.put(&path, bytes.into())?;
        for found in self.target.list(&folder(&self.manifest.model))? {
            let named = self.manifest.files.iter().any(|file| file.path == found);
            if !named && is_ours(&found) {
                self.target.delete(&found)?;
            }
        }
        Ok(self.manifest)
    }
}

impl Held {
    fn of(columns: &[FeatureColumn]) -> Self {
        let features = columns.iter().map(|column| match column.words {
            None => Feature::Number(Float32Builder::new()),
            Some(_) => Feature::Word(StringBuilder::new()),
        });
        Held {
            vehicles: StringBuilder::new(),
            times: TimestampMicrosecondBuilder::new().with_data_type(time_type()),
            days: Float32Builder::new(),
            failed: BooleanBuilder::new(),
            features: features.collect(),
            rows: 0,
            from: 0,
            to: 0,
        }
    }

    fn arrays(mut self) -> Vec<ArrayRef> {
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(self.vehicles.finish()),
            Arc::new(self.times.finish()),
            Arc::new(self.days.finish()),
            Arc::new(self.failed.finish()),
        ];
        arrays.extend(self.features.into_iter().map(|feature| match feature {
            Feature::Number(mut builder) => Arc::new(builder.finish()) as ArrayRef,
            Feature::Word(mut builder) => Arc::new(builder.finish()) as ArrayRef,
        }));
        arrays
    }
}

pub(crate) fn kind_of(column: &FeatureColumn) -> DataType {
    match column.words {
        None => DataType::Float32,
        Some(_) => DataType::Utf8,
    }
}

/// The word that a number stands for.
fn word(column: &FeatureColumn, value: f32) -> Option<&str> {
    let words = column.words.as_ref()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a word's number, or NaN, which is none"
    )]
    let at = (value >= 0.0).then_some(value as usize)?;
    words.get(at).map(String::as_str)
}

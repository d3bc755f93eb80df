//! Reading training rows, a file at a time; those of several places in one order of time.

use std::collections::VecDeque;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::DataType;
use hashbrown::HashMap;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::{AS_OF, DAYS, FAILED, FeatureColumn, FeatureManifest, FeatureRow, VEHICLE};
use super::{FORMAT, kind_of, manifest_path};
use crate::column::time_type;
use crate::error::LakeError;
use crate::target::Target;

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 2_048;

/// The training rows of one or several places.
#[derive(Debug)]
pub struct FeatureReader {
    places: Vec<(Target, FeatureManifest)>,
    /// With the words of all places.
    columns: Vec<FeatureColumn>,
    /// The number of each word of a column that has some.
    numbers: Vec<Option<HashMap<String, f32>>>,
}

fn refused(path: &str, reason: impl Into<String>) -> LakeError {
    LakeError::Features {
        path: path.to_owned(),
        reason: reason.into(),
    }
}

impl FeatureReader {
    /// Reads the manifests of these places. Words are numbered in their order over all places, `words_max` at most.
    ///
    /// # Errors
    /// `Features` for a place without rows for this model, or whose columns are not those of the first one.
    pub fn open(places: Vec<Target>, model: &str, words_max: usize) -> Result<Self, LakeError> {
        let mut read: Vec<(Target, FeatureManifest)> = Vec::new();
        for target in places {
            let place = format!("{}/{}", target.url(), manifest_path(model));
            let Some(bytes) = target.get(&manifest_path(model))? else {
                return Err(refused(
                    &place,
                    "it is not there; export features first: railfleet lake features --to PLACE",
                ));
            };
            let manifest: FeatureManifest = serde_json::from_slice(&bytes)
                .map_err(|error| refused(&place, format!("it cannot be understood: {error}")))?;
            if manifest.format > FORMAT {
                let number = manifest.format;
                return Err(refused(
                    &place,
                    format!("it is of format {number}, not {FORMAT}"),
                ));
            }
            if manifest.rows() == 0 {
                return Err(refused(&place, "there are no rows to learn from"));
            }
            if let Some((first, known)) = read.first() {
                let names = |manifest: &FeatureManifest| -> Vec<String> {
                    let columns = manifest.columns.iter();
                    columns.map(|column| column.name.clone()).collect()
                };
                if names(known) != names(&manifest) {
                    let reason = format!(
                        "its columns are not those of {}; export both with one version",
                        first.url()
                    );
                    return Err(refused(&place, reason));
                }
            }
            read.push((target, manifest));
        }
        let Some((_, first)) = read.first() else {
            return Err(refused("features", "no place is given"));
        };
        let mut columns = first.columns.clone();
        for (at, column) in columns.iter_mut().enumerate() {
            let Some(words) = &mut column.words else {
                continue;
            };
            for (_, other) in &read[1..] {
                words.extend(other.columns[at].words.iter().flatten().cloned());
            }
            words.sort_unstable();
            words.dedup();
            words.truncate(words_max);
        }
        let numbers = columns.iter().map(|column| {
            let words = column.words.as_ref()?.iter().enumerate();
            Some(words.map(|(at, word)| (word.clone(), at as f32)).collect())
        });
        Ok(FeatureReader {
            numbers: numbers.collect(),
            places: read,
            columns,
        })
    }

    /// What was exported, place by place.
    pub fn manifests(&self) -> impl Iterator<Item = &FeatureManifest> {
        self.places.iter().map(|(_, manifest)| manifest)
    }

    /// The columns, with the words of all places.
    pub fn columns(&self) -> &[FeatureColumn] {
        &self.columns
    }

    /// The earliest and the latest time of any row.
    pub fn span(&self) -> (i64, i64) {
        let files = || self.manifests().flat_map(|manifest| &manifest.files);
        let first = files().map(|file| file.from).min();
        let last = files().map(|file| file.to).max();
        (first.unwrap_or(0), last.unwrap_or(0))
    }

    /// Gives the rows of `from <= as_of < to` in order of time, those of one time place by place.
    ///
    /// # Errors
    /// `Features` for a file that is not as it must be, `Store`, and what `visit` returns.
    pub fn scan<E: From<LakeError>>(
        &self,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(&FeatureRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut streams = Vec::with_capacity(self.places.len());
        for (target, manifest) in &self.places {
            let files = manifest.files.iter();
            let wanted = files.filter(|file| file.from < to && file.to >= from);
            let mut stream = Stream {
                reader: self,
                target,
                files: wanted.map(|file| file.path.as_str()).collect(),
                path: "",
                batches: None,
                rows: Rows::default(),
                at: 0,
            };
            stream.find(from)?;
            streams.push(stream);
        }
        loop {
            let times = streams.iter().enumerate();
            let next = times
                .filter_map(|(at, stream)| Some((stream.time()?, at)))
                .min();
            let Some((time, at)) = next.filter(|&(time, _)| time < to) else {
                return Ok(());
            };
            let stream = &mut streams[at];
            let width = self.columns.len();
            visit(&FeatureRow {
                vehicle: stream.rows.vehicles.value(stream.at),
                as_of: time,
                days: stream.rows.days[stream.at],
                failed: stream.rows.failed[stream.at],
                values: &stream.rows.values[stream.at * width..][..width],
            })?;
            stream.at += 1;
            stream.find(from)?;
        }
    }

    /// Gives every value of one column, in no particular order.
    ///
    /// # Errors
    /// As [`FeatureReader::scan`].
    pub fn column(&self, column: usize, visit: &mut dyn FnMut(f32)) -> Result<(), LakeError> {
        let mut values = Vec::new();
        for (target, manifest) in &self.places {
            for file in &manifest.files {
                let only = Some(self.columns[column].name.as_str());
                for batch in open(target, &file.path, &self.columns, only)? {
                    let batch = batch.map_err(|error| refused(&file.path, error.to_string()))?;
                    values.clear();
                    values.resize(batch.num_rows(), f32::NAN);
                    self.take(&batch, column, &mut values, 1, 0);
                    values.iter().for_each(|&value| visit(value));
                }
            }
        }
        Ok(())
    }

    /// Puts a column's values, `width` apart, into `values` from `offset` on.
    fn take(
        &self,
        batch: &RecordBatch,
        column: usize,
        values: &mut [f32],
        width: usize,
        offset: usize,
    ) {
        let Some(array) = batch.column_by_name(&self.columns[column].name) else {
            return;
        };
        let places = values.iter_mut().skip(offset).step_by(width);
        match &self.numbers[column] {
            None => {
                let array = array.as_primitive::<Float32Type>();
                for (place, value) in places.zip(array.iter()) {
                    *place = value.unwrap_or(f32::NAN);
                }
            }
            Some(numbers) => {
                let array = array.as_string::<i32>();
                for (place, word) in places.zip(array.iter()) {
                    let number = word.and_then(|word| numbers.get(word));
                    *place = number.copied().unwrap_or(f32::NAN);
                }
            }
        }
    }
}

/// A file, once its columns are what they must be; of one feature alone, or of everything.
fn open(
    target: &Target,
    path: &str,
    columns: &[FeatureColumn],
    only: Option<&str>,
) -> Result<ParquetRecordBatchReader, LakeError> {
    let refused = |reason: String| refused(&format!("{}/{path}", target.url()), reason);
    let Some(bytes) = target.get(path)? else {
        return Err(refused(
            "the manifest names it, and it is not there".to_owned(),
        ));
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)
        .map_err(|error| refused(format!("it is no Parquet file: {error}")))?;
    if builder.metadata().file_metadata().num_rows() == 0 {
        return Err(refused("it has no rows".to_owned()));
    }
    let heads = [
        (VEHICLE, DataType::Utf8),
        (AS_OF, time_type()),
        (DAYS, DataType::Float32),
        (FAILED, DataType::Boolean),
    ];
    let features = columns
        .iter()
        .map(|column| (column.name.as_str(), kind_of(column)));
    for (name, kind) in heads.into_iter().chain(features) {
        match builder.schema().field_with_name(name) {
            Err(_) => {
                return Err(refused(format!(
                    "the column {name:?} is missing; export features anew"
                )));
            }
            Ok(field) if *field.data_type() != kind => {
                let found = field.data_type();
                return Err(refused(format!(
                    "the column {name:?} is {found}, not {kind}"
                )));
            }
            Ok(_) => {}
        }
    }
    let projection = match only {
        Some(name) => ProjectionMask::columns(builder.parquet_schema(), [name]),
        None => ProjectionMask::all(),
    };
    builder
        .with_projection(projection)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| refused(error.to_string()))
}

/// The rows of one place.
struct Stream<'a> {
    reader: &'a FeatureReader,
    target: &'a Target,
    files: VecDeque<&'a str>,
    path: &'a str,
    batches: Option<ParquetRecordBatchReader>,
    rows: Rows,
    /// The row that comes next.
    at: usize,
}

/// Some decoded rows.
struct Rows {
    vehicles: arrow_array::StringArray,
    times: Vec<i64>,
    days: Vec<f32>,
    failed: Vec<bool>,
    /// Rows × columns.
    values: Vec<f32>,
}

impl Default for Rows {
    fn default() -> Self {
        Rows {
            vehicles: arrow_array::StringArray::from(Vec::<&str>::new()),
            times: Vec::new(),
            days: Vec::new(),
            failed: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl Stream<'_> {
    /// The time of the row that comes next.
    fn time(&self) -> Option<i64> {
        self.rows.times.get(self.at).copied()
    }

    /// Goes on to a row that is not before `from`, if there is one.
    fn find(&mut self, from: i64) -> Result<(), LakeError> {
        loop {
            match self.time() {
                Some(time) if time >= from => return Ok(()),
                Some(_) => self.at += 1,
                None if self.next()? => {}
                None => return Ok(()),
            }
        }
    }

    /// Decodes the next rows; says whether there were any.
    fn next(&mut self) -> Result<bool, LakeError> {
        loop {
            if let Some(batches) = &mut self.batches
                && let Some(batch) = batches.next()
            {
                let path = format!("{}/{}", self.target.url(), self.path);
                let batch = batch.map_err(|error| refused(&path, error.to_string()))?;
                self.take(&batch, &path)?;
                return Ok(true);
            }
            self.batches = None;
            let Some(path) = self.files.pop_front() else {
                (self.rows, self.at) = (Rows::default(), 0);
                return Ok(false);
            };
            self.path = path;
            self.batches = Some(open(self.target, path, &self.reader.columns, None)?);
        }
    }

    fn take(&mut self, batch: &RecordBatch, path: &str) -> Result<(), LakeError> {
        let last = self.rows.times.last().copied();
        let column = |name: &str| batch.column_by_name(name).expect("it was looked for");
        let nothing = [VEHICLE, AS_OF, DAYS, FAILED]
            .into_iter()
            .find(|name| column(name).null_count() > 0);
        if let Some(name) = nothing {
            return Err(refused(
                path,
                format!("the column {name:?} has a row without value"),
            ));
        }
        let width = self.reader.columns.len();
        let times = column(AS_OF).as_primitive::<TimestampMicrosecondType>();
        self.rows = Rows {
            vehicles: column(VEHICLE).as_string::<i32>().clone(),
            times: times.values().to_vec(),
            days: column(DAYS).as_primitive::<Float32Type>().values().to_vec(),
            failed: column(FAILED).as_boolean().values().iter().collect(),
            values: vec![f32::NAN; batch.num_rows() * width],
        };
        self.at = 0;
        let ordered = self.rows.times.is_sorted()
            && last.is_none_or(|last| self.rows.times.first().is_none_or(|&time| last <= time));
        if !ordered {
            return Err(refused(
                path,
                "its rows are not in order of time; export features anew",
            ));
        }
        for at in 0..width {
            self.reader
                .take(batch, at, &mut self.rows.values, width, at);
        }
        Ok(())
    }
}

//! Data sets as they lie on the disk: a folder each, with a `schema.json` that names its columns, task and targets.
//!
//! Nothing here knows a data set by name; any folder of the same form can be measured.

use crate::error::BenchError;
use ml::{Dataset, Feature};
use ndarray::Array2;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A folder with a schema.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) schema: Value,
}

/// A table with its fixed split.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) features: Vec<Feature>,
    rows: Array2<f32>,
    split: Vec<String>,
    /// Columns that are not features: targets, lifetimes, marks.
    others: BTreeMap<String, Vec<f32>>,
}

/// The folders under `root` that have a schema, in order of name.
pub(crate) fn folders(root: &Path) -> Result<Vec<Folder>, BenchError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).map_err(BenchError::file(root))? {
        let path = entry.map_err(BenchError::file(root))?.path();
        let schema = path.join("schema.json");
        let Ok(text) = std::fs::read_to_string(&schema) else {
            continue;
        };
        let schema: Value = serde_json::from_str(&text)
            .map_err(|error| BenchError::data(&schema, error.to_string()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        found.push(Folder {
            name: name.into_owned(),
            path,
            schema,
        });
    }
    found.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

/// The records of a compressed table, its header first.
pub(crate) fn records(path: &Path) -> Result<Vec<csv::StringRecord>, BenchError> {
    let packed = std::fs::File::open(path).map_err(BenchError::file(path))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed)
        .read_to_string(&mut text)
        .map_err(BenchError::file(path))?;
    csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes())
        .into_records()
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| BenchError::data(path, error.to_string()))
}

impl Folder {
    /// Its task, as the schema says.
    pub(crate) fn task(&self) -> &str {
        self.schema["task"].as_str().unwrap_or_default()
    }

    /// Strings of a list in the schema.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let list = self.schema[name].as_array();
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// The value that stands for an unknown target.
    pub(crate) fn missing_target(&self) -> Option<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "a small whole number")]
        let missing = self.schema["target_missing"]
            .as_f64()
            .map(|value| value as f32);
        missing
    }

    /// Reads the table of a supervised task.
    pub(crate) fn table(&self) -> Result<Table, BenchError> {
        let path = self
            .path
            .join(self.schema["file"].as_str().unwrap_or("data.csv.gz"));
        let records = records(&path)?;
        let Some((header, body)) = records.split_first() else {
            return Err(BenchError::data(&path, "no header"));
        };
        let place = |name: &str| header.iter().position(|column| column == name);
        let mut features = Vec::new();
        let mut columns = Vec::new();
        for feature in self.schema["features"].as_array().into_iter().flatten() {
            let name = feature["name"].as_str().unwrap_or_default();
            columns.push(
                place(name).ok_or_else(|| BenchError::data(&path, format!("no column {name}")))?,
            );
            features.push(if feature["type"] == "cat" {
                Feature::categorical(name)
            } else {
                Feature::numeric(name)
            });
        }
        let split = place("split").ok_or_else(|| BenchError::data(&path, "no column split"))?;
        let mut codes: Vec<BTreeMap<&str, usize>> = vec![BTreeMap::new(); columns.len()];
        let mut values = Vec::with_capacity(body.len() * columns.len());
        for record in body {
            for ((&at, feature), codes) in columns.iter().zip(&features).zip(&mut codes) {
                let text = record.get(at).unwrap_or_default();
                values.push(match feature.kind {
                    _ if text.is_empty() => f32::NAN,
                    ml::FeatureKind::Numeric => number(text),
                    ml::FeatureKind::Categorical => {
                        let next = codes.len();
                        *codes.entry(text).or_insert(next) as f32
                    }
                });
            }
        }
        let others = header
            .iter()
            .enumerate()
            .filter(|(at, _)| !columns.contains(at));
        let others = others.map(|(at, name)| {
            let column = body
                .iter()
                .map(|record| number(record.get(at).unwrap_or_default()));
            (name.to_owned(), column.collect())
        });
        let rows = Array2::from_shape_vec((body.len(), columns.len()), values)
            .map_err(|error| BenchError::data(&path, error.to_string()))?;
        Ok(Table {
            features,
            rows,
            split: body
                .iter()
                .map(|record| record.get(split).unwrap_or_default().to_owned())
                .collect(),
            others: others.collect(),
        })
    }
}

/// A number, NaN where there is none.
fn number(text: &str) -> f32 {
    text.parse().unwrap_or(f32::NAN)
}

impl Table {
    /// Whether the table has a column beside its features.
    pub(crate) fn has(&self, column: &str) -> bool {
        self.others.contains_key(column)
    }

    /// Rows of a part whose `target` is known; those marked `last_row = 0` are left out where `scored` is asked for.
    pub(crate) fn rows_of(
        &self,
        part: &str,
        target: &str,
        missing: Option<f32>,
        scored: bool,
    ) -> Vec<usize> {
        let labels = &self.others[target];
        let marks = self.others.get("last_row").filter(|_| scored);
        (0..self.split.len())
            .filter(|&row| {
                self.split[row] == part && !labels[row].is_nan() && Some(labels[row]) != missing
            })
            .filter(|&row| marks.is_none_or(|marks| marks[row] == 1.0))
            .collect()
    }

    /// A column beside the features, at some rows.
    pub(crate) fn other(&self, column: &str, rows: &[usize]) -> Vec<f32> {
        rows.iter().map(|&row| self.others[column][row]).collect()
    }

    /// Feature values at some rows.
    pub(crate) fn values(&self, rows: &[usize]) -> Array2<f32> {
        self.rows.select(ndarray::Axis(0), rows)
    }

    /// A data set of some rows with a target.
    pub(crate) fn dataset(&self, rows: &[usize], target: &str) -> Result<Dataset, BenchError> {
        let labels = self.other(target, rows);
        Ok(Dataset::from_rows(
            self.features.clone(),
            self.values(rows).view(),
            labels,
        )?)
    }
}

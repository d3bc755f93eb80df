//! Reads a data set of the shared folder: `data.csv.gz` with its `schema.json`, already split into three parts.

use ml::{Dataset, Feature, Monotone};
use ndarray::Array2;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::path::Path;

/// One part (train, valid or test) of a data set.
#[derive(Debug)]
pub struct Part {
    /// Features × rows; categories are codes in order of first appearance.
    pub columns: Array2<f32>,
    /// Every target column by name, one value a row.
    pub targets: BTreeMap<String, Vec<f32>>,
}

/// A data set with a fixed split.
#[derive(Debug)]
pub struct Table {
    /// Columns in the order of the schema.
    pub features: Vec<Feature>,
    /// Parts by name.
    pub parts: BTreeMap<String, Part>,
}

impl Table {
    /// Reads `folder/data.csv.gz`. Monotone directions of the schema are taken only where asked.
    pub fn read(folder: &Path, monotone: bool) -> Result<Self, Box<dyn Error>> {
        let schema: serde_json::Value = serde_json::from_reader(File::open(folder.join("schema.json"))?)?;
        let described = schema["features"].as_array().ok_or("schema without features")?;
        let features: Vec<Feature> = described.iter().map(|feature| feature_of(feature, monotone)).collect();
        let mut reader = csv::Reader::from_reader(flate2::read::GzDecoder::new(File::open(folder.join("data.csv.gz"))?));
        let header = reader.headers()?.clone();
        let place_of: BTreeMap<&str, usize> = features.iter().enumerate().map(|(at, f)| (f.name.as_str(), at)).collect();
        let mut codes: Vec<BTreeMap<String, u32>> = vec![BTreeMap::new(); features.len()];
        let mut rows: BTreeMap<String, Vec<Vec<f32>>> = BTreeMap::new();
        let mut targets: BTreeMap<String, BTreeMap<String, Vec<f32>>> = BTreeMap::new();
        for record in reader.records() {
            let record = record?;
            let part = record.get(0).unwrap_or("").to_owned();
            let mut row = vec![f32::NAN; features.len()];
            for (name, text) in header.iter().zip(&record).skip(1) {
                if let Some(&at) = place_of.get(name) {
                    row[at] = cell(text, &features[at], &mut codes[at]);
                } else {
                    let value = text.parse().unwrap_or(f32::NAN);
                    targets.entry(part.clone()).or_default().entry(name.to_owned()).or_default().push(value);
                }
            }
            rows.entry(part).or_default().push(row);
        }
        let parts = rows
            .into_iter()
            .map(|(name, rows)| {
                let columns = Array2::from_shape_fn((features.len(), rows.len()), |(feature, row)| rows[row][feature]);
                let targets = targets.remove(&name).unwrap_or_default();
                (name, Part { columns, targets })
            })
            .collect();
        Ok(Self { features, parts })
    }

    /// One part as a training table for a target; rows whose target is `skip` are left out.
    pub fn dataset(&self, part: &str, target: &str, skip: Option<f32>) -> Result<Dataset, Box<dyn Error>> {
        let part = self.parts.get(part).ok_or("no such part")?;
        let labels = part.targets.get(target).ok_or("no such target")?;
        let keep: Vec<usize> = (0..labels.len()).filter(|&row| Some(labels[row]) != skip).collect();
        let columns = part.columns.select(ndarray::Axis(1), &keep);
        let labels = keep.iter().map(|&row| labels[row]).collect();
        Ok(Dataset::from_columns(self.features.clone(), columns, labels)?)
    }
}

fn feature_of(described: &serde_json::Value, monotone: bool) -> Feature {
    let name = described["name"].as_str().unwrap_or("");
    if described["type"] == "cat" {
        return Feature::categorical(name);
    }
    let direction = match described["monotone"].as_i64() {
        Some(1) if monotone => Monotone::Increasing,
        Some(-1) if monotone => Monotone::Decreasing,
        _ => Monotone::Free,
    };
    Feature::numeric(name).with_monotone(direction)
}

fn cell(text: &str, feature: &Feature, codes: &mut BTreeMap<String, u32>) -> f32 {
    if text.is_empty() {
        return f32::NAN;
    }
    if feature.kind == ml::FeatureKind::Categorical {
        let next = u32::try_from(codes.len()).unwrap_or(u32::MAX);
        return *codes.entry(text.to_owned()).or_insert(next) as f32;
    }
    text.parse().unwrap_or(f32::NAN)
}

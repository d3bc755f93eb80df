//! Snapshots in Parquet: written from a log, read back by a training that holds a few of them at a time.
//!
//! Place on the path: history → **rows in Parquet** → bins in a working file → hazard model. Several depots' rows are one
//! table, in order of time.

use std::cell::RefCell;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ::lake::{
    FeatureColumn, FeatureManifest, FeatureReader, FeatureRow, FeatureWriter, LakeError, Target,
};
use ml::hazard::{HazardError, HazardModel, fleet_settings};
use ml::streamed::{LifeRow, LifeSource, Spill, Visit};

use super::failure::{HORIZONS, LearnError, Observe, Times, enough, outcome, threads};
use super::history::History;
use super::table::{Shot, Split, Table, ranks};
use super::training::TrainError;
use super::vehicle::{self, Dictionary, WORDS_MAX};
use super::{FAILURE, Learning};

/// Values of a column are told apart by half of their bits first, then by the other half.
const HALF: usize = 1 << 16;

/// Writes the snapshots of the log up to `position`, as of `as_of` at the latest.
///
/// # Errors
/// The log's or the place's; what was there before stays.
pub(crate) fn export(
    learning: &Learning,
    target: &Target,
    as_of: Option<i64>,
    times: Times,
) -> Result<FeatureManifest, TrainError> {
    let position = learning.log.durable_position();
    let mut history = History::default();
    while history.advance(&learning.log, position)? {}
    let known = history.end(learning.now());
    let end = as_of.map_or(known, |as_of| as_of.min(known));
    let words = Dictionary::of(&history);
    let log_id = learning.log.log_id();
    let manifest = FeatureManifest::new(FAILURE, log_id, position.get(), end, columns(&words));
    let mut writer = FeatureWriter::new(target, manifest).map_err(LearnError::from)?;
    for time in times.of(&history, end).into_iter().rev() {
        for (id, past) in &history.vehicles {
            if !vehicle::in_service(past, time) {
                continue;
            }
            let (days, failed) = outcome(past, time);
            let row = FeatureRow {
                vehicle: id,
                as_of: time,
                days,
                failed,
                values: &vehicle::row(&history, past, &words, time),
            };
            writer.push(&row).map_err(LearnError::from)?;
        }
    }
    Ok(writer.finish().map_err(LearnError::from)?)
}

/// The model's columns, with the words of those that are words.
fn columns(words: &Dictionary) -> Vec<FeatureColumn> {
    let features = vehicle::features().into_iter().map(|feature| {
        let words = match feature.name.as_str() {
            "model" => Some(words.models.clone()),
            "place" => Some(words.places.clone()),
            _ => None,
        };
        FeatureColumn {
            name: feature.name,
            words,
        }
    });
    features.collect()
}

/// Snapshots in Parquet.
#[derive(Debug)]
pub(crate) struct Streamed {
    reader: FeatureReader,
    /// Where working files are made.
    folder: PathBuf,
}

impl Streamed {
    /// Those of these places; working files are made in `folder`.
    ///
    /// # Errors
    /// `Rows` for places that have none, or whose columns are not this version's.
    pub(crate) fn open(places: Vec<Target>, folder: &Path) -> Result<Self, LearnError> {
        let reader = FeatureReader::open(places, FAILURE, WORDS_MAX)?;
        let found = reader.columns().iter().map(|column| column.name.as_str());
        let wanted = vehicle::features();
        if !found.eq(wanted.iter().map(|feature| feature.name.as_str())) {
            return Err(LearnError::Rows(LakeError::Features {
                path: FAILURE.to_owned(),
                reason: "it was exported by another version, with other features; export it anew"
                    .to_owned(),
            }));
        }
        Ok(Self {
            reader,
            folder: folder.to_owned(),
        })
    }

    /// The words of all places.
    pub(crate) fn words(&self) -> Dictionary {
        let of = |name: &str| {
            let columns = self.reader.columns().iter();
            let found = columns.filter(|column| column.name == name);
            found
                .flat_map(|column| column.words.clone().unwrap_or_default())
                .collect()
        };
        Dictionary {
            models: of("model"),
            places: of("place"),
        }
    }

    /// Up to where the logs were read, and where their history ends: the farthest of the places.
    pub(crate) fn as_of(&self) -> (u64, i64) {
        let each = || self.reader.manifests();
        let position = each().map(|manifest| manifest.position).max();
        let end = each().map(|manifest| manifest.end).max();
        (position.unwrap_or(0), end.unwrap_or(0))
    }

    /// Rows and failures of a span.
    fn count(&self, from: i64, to: i64) -> Result<usize, LearnError> {
        let (mut rows, mut failures) = (0, 0);
        self.each(from, to, &mut |shot| {
            rows += 1;
            failures += usize::from(shot.failed);
            Ok(())
        })?;
        enough(rows, failures)?;
        Ok(rows)
    }
}

impl Table for Streamed {
    fn rows(&self) -> usize {
        let rows: u64 = self.reader.manifests().map(FeatureManifest::rows).sum();
        usize::try_from(rows).unwrap_or(usize::MAX)
    }

    fn span(&self) -> Option<(i64, i64)> {
        Some(self.reader.span())
    }

    fn each(
        &self,
        from: i64,
        to: i64,
        visit: &mut dyn FnMut(&Shot<'_>) -> Result<(), LearnError>,
    ) -> Result<(), LearnError> {
        self.reader.scan(from, to, &mut |row| {
            visit(&Shot {
                row: row.values,
                days: row.days,
                failed: row.failed,
            })
        })
    }

    fn fit(
        &self,
        split: &Split,
        seed: u64,
        observe: Observe<'_>,
    ) -> Result<HazardModel, LearnError> {
        let rows = self.count(split.first, split.train_to)?;
        self.count(split.valid_from, split.valid_to)?;
        let settings = fleet_settings(rows, seed, threads());
        let mut told =
            |progress: ml::Progress| observe(progress.round as f64 / progress.rounds_max as f64);
        let failed = RefCell::new(None);
        let part = |from, to| Part {
            table: self,
            from,
            to,
            failed: &failed,
        };
        let mut spill =
            WorkFile::make(&self.folder).map_err(|error| HazardError::Spill(error.to_string()))?;
        let model = ml::streamed::train(
            &settings,
            &HORIZONS,
            &vehicle::features(),
            &mut part(split.first, split.train_to),
            Some(&mut part(split.valid_from, split.valid_to)),
            &mut spill,
            Some(&mut told),
        );
        match failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(model?),
        }
    }

    fn quantiles(&self, column: usize, count: usize) -> Result<Vec<f32>, LearnError> {
        let mut high = vec![0_usize; HALF];
        let key = |value: f32| {
            let key = total_order(value);
            ((key >> 16) as usize, (key & 0xFFFF) as usize)
        };
        self.reader
            .column(column, &mut |value| high[key(value).0] += 1)?;
        let ranks: Vec<usize> = ranks(high.iter().sum(), count).collect();
        // The upper half of each wanted value, and how many values of that half lie before it.
        let mut wanted = Vec::with_capacity(ranks.len());
        let (mut at, mut before) = (0, 0);
        for rank in ranks {
            while before + high[at] <= rank {
                before += high[at];
                at += 1;
            }
            wanted.push((at, rank - before));
        }
        let mut low = std::collections::BTreeMap::<usize, Vec<u32>>::new();
        for &(half, _) in &wanted {
            low.entry(half).or_insert_with(|| vec![0; HALF]);
        }
        self.reader.column(column, &mut |value| {
            let (half, rest) = key(value);
            if let Some(counts) = low.get_mut(&half) {
                counts[rest] += 1;
            }
        })?;
        let value = |(half, rank): (usize, usize)| {
            let mut before = 0;
            let counts = low[&half].iter();
            let rest = counts.take_while(|&&count| {
                before += count as usize;
                before <= rank
            });
            let rest = rest.count();
            #[expect(clippy::cast_possible_truncation, reason = "both halves are 16 bits")]
            let key = (half << 16 | rest) as u32;
            of_total_order(key)
        };
        Ok(wanted.into_iter().map(value).collect())
    }
}

/// A number whose order is that of [`f32::total_cmp`].
fn total_order(value: f32) -> u32 {
    let bits = value.to_bits();
    match bits >> 31 {
        0 => bits | 1 << 31,
        _ => !bits,
    }
}

fn of_total_order(key: u32) -> f32 {
    f32::from_bits(match key >> 31 {
        1 => key & !(1 << 31),
        _ => !key,
    })
}

/// The rows of a span, for training.
struct Part<'a> {
    table: &'a Streamed,
    from: i64,
    to: i64,
    /// What a place said, where training only hears that rows cannot be read.
    failed: &'a RefCell<Option<LearnError>>,
}

impl LifeSource for Part<'_> {
    fn scan(&mut self, visit: Visit<'_>) -> Result<(), HazardError> {
        let scanned = self.table.each(self.from, self.to, &mut |shot| {
            visit(LifeRow {
                values: shot.row,
                duration: shot.days,
                observed: shot.failed,
            })?;
            Ok(())
        });
        match scanned {
            Ok(()) => Ok(()),
            Err(LearnError::Hazard(error)) => Err(error),
            Err(error) => {
                let told = HazardError::Rows(error.to_string());
                *self.failed.borrow_mut() = Some(error);
                Err(told)
            }
        }
    }
}

/// A file that nobody else sees and that is gone with the process.
struct WorkFile(File);

impl WorkFile {
    fn make(folder: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("training-{}.tmp", uuid::Uuid::now_v7()));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        fs::remove_file(&path)?;
        Ok(Self(file))
    }
}

impl Spill for WorkFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }
}

#[cfg(test)]
mod tests;

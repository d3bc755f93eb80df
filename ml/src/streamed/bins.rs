//! Three passes over the rows: counting and checking, a sample for the cuts, bins into blocks.

use super::blocks::{BLOCK_ROWS, Blocks, Store};
use super::{LifeRow, LifeSource};
use crate::binning::{Binner, FeatureBins, MISSING_BIN, cut_sample};
use crate::boost::FitError;
use crate::dataset::{DatasetError, Feature, ROWS_MAX, check_shape, check_value};
use crate::elementary::log_odds;
use crate::hazard::{Entered, HazardError, PERIOD_FEATURE};
use crate::loss::LossError;
use crate::matrix::{UsedFeature, parts_rows};

/// Rows of the sample that are gathered before they are written, each feature's values side by side.
const SAMPLE_PIECE: usize = 4_096;

/// The binned tables of a run.
#[derive(Debug)]
pub(super) struct Binned {
    /// Those of the rows, and the period.
    pub(super) features: Vec<Feature>,
    pub(super) binner: Binner,
    pub(super) used: Vec<UsedFeature>,
    /// The lane in the blocks of each used feature.
    pub(super) lanes: Vec<usize>,
    pub(super) train: Blocks,
    pub(super) valid: Option<Blocks>,
    /// The score before the first round.
    pub(super) base: f64,
}

/// What the first pass finds out.
#[derive(Debug, Default)]
struct Count {
    rows: usize,
    weight: f64,
    weighted_labels: f64,
    failures: usize,
}

impl Binned {
    pub(super) fn make(
        row_features: &[Feature],
        ends: &[f32],
        bins_max: usize,
        train: &mut dyn LifeSource,
        valid: &mut Option<&mut dyn LifeSource>,
        store: &mut Store<'_>,
    ) -> Result<Self, HazardError> {
        let mut features = row_features.to_vec();
        features.push(Feature::numeric(PERIOD_FEATURE));
        let count = Count::of(row_features, ends, train)?;
        check_shape(&features, count.rows, features.len())?;
        for (class, failures) in [(0.0, 0), (1.0, count.rows)] {
            if count.failures == failures {
                return Err(FitError::from(LossError::OneClass { class }).into());
            }
        }
        let (binner, free) = learn(&features, ends, bins_max, count.rows, train, store)?;
        // A feature without any bin splits nothing, so its lane is not kept.
        let kept: Vec<usize> = (0..features.len())
            .filter(|&feature| binner.features[feature].count() > 0)
            .collect();
        let blocks = Blocks::at(free, count.rows, kept.len());
        let mut missing = fill(&blocks, &kept, &binner, ends, train, store)?;
        let (mut used, mut lanes) = (Vec::new(), Vec::new());
        for (lane, &column) in kept.iter().enumerate() {
            let (bins, absent) = (&binner.features[column], missing[lane]);
            if parts_rows(bins.count(), || absent, count.rows) {
                let number = u32::try_from(column).expect("a table has at most 4096 features");
                used.push(UsedFeature::new(number, &features[column], bins));
                lanes.push(lane);
            }
        }
        if used.is_empty() {
            missing.retain(|&absent| absent == count.rows);
            let missing = features.len() - kept.len() + missing.len();
            let constant = features.len() - missing;
            return Err(FitError::NoUsableFeature { constant, missing }.into());
        }
        let valid = match valid {
            None => None,
            Some(valid) => {
                let rows = Count::of(row_features, ends, &mut **valid)?.rows;
                let blocks = Blocks::at(blocks.end(), rows, kept.len());
                fill(&blocks, &kept, &binner, ends, &mut **valid, store)?;
                Some(blocks)
            }
        };
        Ok(Self {
            base: log_odds(count.weighted_labels / count.weight),
            features,
            binner,
            used,
            lanes,
            train: blocks,
            valid,
        })
    }
}

impl Count {
    /// Counts units by the periods they entered, and checks them.
    fn of(
        features: &[Feature],
        ends: &[f32],
        source: &mut dyn LifeSource,
    ) -> Result<Self, HazardError> {
        let mut count = Self::default();
        let mut unit = 0;
        source.scan(&mut |row| {
            check_row(features, unit, &row)?;
            unit += 1;
            for entered in Entered::of(ends, row.duration, row.observed) {
                count.rows += 1;
                count.weight += f64::from(entered.part);
                count.weighted_labels += f64::from(entered.part) * f64::from(entered.label);
                count.failures += usize::from(entered.label > 0.0);
            }
            if count.rows > ROWS_MAX {
                return Err(DatasetError::TooManyRows {
                    found: count.rows,
                    limit: ROWS_MAX,
                }
                .into());
            }
            Ok(())
        })?;
        match count.rows {
            0 => Err(HazardError::NothingObserved),
            _ => Ok(count),
        }
    }
}

fn check_row(features: &[Feature], unit: usize, row: &LifeRow<'_>) -> Result<(), HazardError> {
    if row.values.len() != features.len() {
        return Err(DatasetError::FeatureCount {
            features: features.len(),
            columns: row.values.len(),
        }
        .into());
    }
    if !(row.duration.is_finite() && row.duration >= 0.0) {
        return Err(HazardError::Duration {
            row: unit,
            value: row.duration,
        });
    }
    for (feature, &value) in features.iter().zip(row.values) {
        check_value(feature, unit, value)?;
    }
    Ok(())
}

/// Refuses rows that are not those that were counted.
fn changed() -> HazardError {
    HazardError::Rows("they were others the second time; train again".to_owned())
}

/// Cuts of every feature, from the rows that [`Binner::fit`] would look at; the sample lies at the front of the file. Returns
/// them, and where the file is free.
fn learn(
    features: &[Feature],
    ends: &[f32],
    bins_max: usize,
    rows: usize,
    source: &mut dyn LifeSource,
    store: &mut Store<'_>,
) -> Result<(Binner, u64), HazardError> {
    let sample = cut_sample(rows);
    let count = sample.as_ref().map_or(rows, Vec::len);
    let width = features.len() + 1;
    let place = |column: usize, at: usize| ((column * count + at) * 4) as u64;
    // Each feature's values, then the weights.
    let mut piece: Vec<Vec<f32>> = vec![Vec::with_capacity(SAMPLE_PIECE); width];
    let (mut row, mut taken, mut written) = (0, 0, 0);
    let mut flush = |piece: &mut Vec<Vec<f32>>, store: &mut Store<'_>| {
        let held = piece[0].len();
        for (column, values) in piece.iter_mut().enumerate() {
            store.write_f32s(place(column, written), values)?;
            values.clear();
        }
        written += held;
        Ok::<(), HazardError>(())
    };
    source.scan(&mut |unit| {
        for entered in Entered::of(ends, unit.duration, unit.observed) {
            let wanted = match &sample {
                Some(sample) => sample.get(taken) == Some(&row),
                None => true,
            };
            row += 1;
            if !wanted {
                continue;
            }
            if taken == count {
                return Err(changed());
            }
            taken += 1;
            let values = unit.values.iter().copied();
            let all = values.chain([entered.period, entered.part]);
            for (column, value) in piece.iter_mut().zip(all) {
                column.push(value);
            }
            if piece[0].len() == SAMPLE_PIECE {
                flush(&mut piece, store)?;
            }
        }
        Ok(())
    })?;
    flush(&mut piece, store)?;
    if taken != count {
        return Err(changed());
    }
    drop(piece);
    let (mut values, mut weights) = (Vec::new(), Vec::new());
    store.read_f32s(place(width - 1, 0), count, &mut weights)?;
    let mut learned = Vec::with_capacity(features.len());
    for (column, feature) in features.iter().enumerate() {
        store.read_f32s(place(column, 0), count, &mut values)?;
        let weighted = values.iter().copied().zip(weights.iter().copied());
        learned.push(FeatureBins::of(feature.kind, weighted, bins_max));
    }
    Ok((Binner { features: learned }, place(width, 0)))
}

/// Writes bins, labels and weights of every row and period; returns how many rows have no value in each lane.
fn fill(
    blocks: &Blocks,
    kept: &[usize],
    binner: &Binner,
    ends: &[f32],
    source: &mut dyn LifeSource,
    store: &mut Store<'_>,
) -> Result<Vec<usize>, HazardError> {
    let mut bins: Vec<Vec<u8>> = vec![Vec::with_capacity(BLOCK_ROWS); kept.len()];
    let (mut labels, mut weights) = (Vec::new(), Vec::new());
    let mut missing = vec![0; kept.len()];
    let (mut block, mut row) = (0, 0);
    let mut of_unit = vec![0_u8; kept.len()];
    let mut flush = |bins: &mut Vec<Vec<u8>>,
                     labels: &mut Vec<f32>,
                     weights: &mut Vec<f32>,
                     store: &mut Store<'_>| {
        for (lane, bins) in bins.iter_mut().enumerate() {
            store.write_bytes(blocks.lane(block, lane), bins)?;
            bins.clear();
        }
        store.write_f32s(blocks.labels(block), labels)?;
        store.write_f32s(blocks.weights(block), weights)?;
        labels.clear();
        weights.clear();
        block += 1;
        Ok::<(), HazardError>(())
    };
    source.scan(&mut |unit| {
        let width = unit.values.len();
        for (bin, &column) in of_unit.iter_mut().zip(kept) {
            if column < width {
                *bin = binner.features[column].bin_of(unit.values[column]);
            }
        }
        for entered in Entered::of(ends, unit.duration, unit.observed) {
            if row == blocks.rows {
                return Err(changed());
            }
            row += 1;
            for (lane, (bins, &column)) in bins.iter_mut().zip(kept).enumerate() {
                let bin = match column == width {
                    true => binner.features[column].bin_of(entered.period),
                    false => of_unit[lane],
                };
                missing[lane] += usize::from(bin == MISSING_BIN);
                bins.push(bin);
            }
            labels.push(entered.label);
            weights.push(entered.part);
            if labels.len() == BLOCK_ROWS {
                flush(&mut bins, &mut labels, &mut weights, store)?;
            }
        }
        Ok(())
    })?;
    if !labels.is_empty() {
        flush(&mut bins, &mut labels, &mut weights, store)?;
    }
    match row == blocks.rows {
        true => Ok(missing),
        false => Err(changed()),
    }
}

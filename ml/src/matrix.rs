//! The binned table in memory: tiles of up to eight features, each row of a tile eight bytes.
//!
//! Place on the path: binning → **matrix** → histogram.
//!
//! A tile's histogram is 8 × 256 × 8 bytes = 16 KiB and stays in the first-level cache while rows stream by; one row
//! of a tile is one load. Tiles are also the unit of work of the threads. Which feature lies in which tile changes
//! nothing in the result, because gradient sums are integers.

use crate::binning::{Binner, FeatureBins, MISSING_BIN};
use crate::dataset::{Dataset, Feature, FeatureKind, Monotone};

/// Features of one tile at most.
pub(crate) const TILE_LANES: usize = 8;

/// One feature as the tree grower sees it.
#[derive(Debug, Clone)]
pub(crate) struct UsedFeature {
    /// Column in the dataset.
    pub(crate) column: u32,
    pub(crate) kind: FeatureKind,
    pub(crate) monotone: Monotone,
    /// Value bins, without the missing one.
    pub(crate) bins: usize,
}

impl UsedFeature {
    pub(crate) fn new(column: u32, feature: &Feature, bins: &FeatureBins) -> Self {
        Self {
            column,
            kind: feature.kind,
            monotone: feature.monotone,
            bins: bins.count(),
        }
    }
}

/// A binned table. Features with a single bin are left out: no split could use them.
#[derive(Debug)]
pub(crate) struct BinnedMatrix {
    pub(crate) rows: usize,
    pub(crate) used: Vec<UsedFeature>,
    /// First index into `used` of each tile, and one past the last.
    pub(crate) tile_starts: Vec<usize>,
    tiles: Vec<Vec<[u8; TILE_LANES]>>,
    /// Tile and lane of each used feature.
    places: Vec<(usize, usize)>,
}

impl BinnedMatrix {
    /// Bins a table with bins learned from it or from another table with the same features.
    pub(crate) fn new(dataset: &Dataset, binner: &Binner, threads: usize) -> Self {
        let threads = threads.max(1);
        let used: Vec<UsedFeature> = dataset
            .features()
            .iter()
            .zip(&binner.features)
            .zip(0_u32..)
            .filter(|&((_, bins), column)| is_useful(dataset.column(column as usize), bins))
            .map(|((feature, bins), column)| UsedFeature::new(column, feature, bins))
            .collect();
        Self::with_features(dataset, binner, used, threads)
    }

    /// Bins a second table (validation) into the same features and places.
    pub(crate) fn like(&self, dataset: &Dataset, binner: &Binner, threads: usize) -> Self {
        Self::with_features(dataset, binner, self.used.clone(), threads)
    }

    fn with_features(
        dataset: &Dataset,
        binner: &Binner,
        used: Vec<UsedFeature>,
        threads: usize,
    ) -> Self {
        let count = used.len().div_ceil(TILE_LANES).max(threads.min(used.len()));
        let tile_starts: Vec<usize> = (0..=count)
            .map(|tile| tile * used.len() / count.max(1))
            .collect();
        let mut places = Vec::with_capacity(used.len());
        for (tile, bounds) in tile_starts.windows(2).enumerate() {
            places.extend((0..bounds[1] - bounds[0]).map(|lane| (tile, lane)));
        }
        let tile_ids: Vec<usize> = (0..count).collect();
        let used_ref = &used;
        let starts = &tile_starts;
        let tiles = std::thread::scope(|scope| {
            let workers: Vec<_> = tile_ids
                .chunks(count.div_ceil(threads).max(1))
                .map(|part| {
                    scope.spawn(move || {
                        part.iter()
                            .map(|&tile| {
                                fill_tile(
                                    dataset,
                                    binner,
                                    &used_ref[starts[tile]..starts[tile + 1]],
                                )
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers
                .into_iter()
                .flat_map(|worker| {
                    worker
                        .join()
                        .expect("binning does not panic on a checked table")
                })
                .collect()
        });
        Self {
            rows: dataset.rows(),
            used,
            tile_starts,
            tiles,
            places,
        }
    }

    /// The rows of one tile.
    pub(crate) fn tile(&self, tile: usize) -> &[[u8; TILE_LANES]] {
        &self.tiles[tile]
    }

    /// Tile rows and lane of one used feature.
    pub(crate) fn lane_of(&self, used: usize) -> (&[[u8; TILE_LANES]], usize) {
        let (tile, lane) = self.places[used];
        (&self.tiles[tile], lane)
    }

    /// Bin of one row and used feature.
    pub(crate) fn bin(&self, row: usize, used: usize) -> u8 {
        let (tile, lane) = self.places[used];
        self.tiles[tile][row][lane]
    }
}

/// Whether any split could separate the rows: two value bins, or one beside missing values.
fn is_useful(values: &[f32], bins: &FeatureBins) -> bool {
    let missing = || {
        let bins = values.iter().map(|&value| bins.bin_of(value));
        bins.filter(|&bin| bin == MISSING_BIN).count()
    };
    parts_rows(bins.count(), missing, values.len())
}

/// Whether so many value bins, and so many of the rows in the missing one, could be told apart.
pub(crate) fn parts_rows(bins: usize, missing: impl FnOnce() -> usize, rows: usize) -> bool {
    match bins {
        0 => false,
        1 => (1..rows).contains(&missing()),
        _ => true,
    }
}

fn fill_tile(
    dataset: &Dataset,
    binner: &Binner,
    features: &[UsedFeature],
) -> Vec<[u8; TILE_LANES]> {
    let mut tile = vec![[0_u8; TILE_LANES]; dataset.rows()];
    for (lane, feature) in features.iter().enumerate() {
        let bins = &binner.features[feature.column as usize];
        for (cell, &value) in tile.iter_mut().zip(dataset.column(feature.column as usize)) {
            cell[lane] = bins.bin_of(value);
        }
    }
    tile
}

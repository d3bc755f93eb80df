//! Streamed training against training in memory: the same bytes, whatever the rows look like.

use super::*;
use crate::Dataset;
use crate::dataset::Monotone;
use crate::hazard::{Cohort, fleet_settings};
use crate::random::Random;
use ndarray::Array2;

const ENDS: [f32; 3] = [30.0, 60.0, 90.0];

/// A working file in memory.
#[derive(Default)]
struct InMemory(Vec<u8>);

impl Spill for InMemory {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        let end = from + bytes.len();
        self.0.resize(end.max(self.0.len()), 0);
        self.0[from..end].copy_from_slice(bytes);
        Ok(())
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        let from = usize::try_from(offset).unwrap();
        bytes.copy_from_slice(&self.0[from..from + bytes.len()]);
        Ok(())
    }
}

/// A file of a disk that is full behind its first bytes.
struct Full(InMemory, u64);

impl Spill for Full {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        if offset + bytes.len() as u64 > self.1 {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        self.0.write_at(offset, bytes)
    }

    fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> std::io::Result<()> {
        self.0.read_at(offset, bytes)
    }
}

#[derive(Clone)]
struct Units {
    features: Vec<Feature>,
    values: Vec<f32>,
    durations: Vec<f32>,
    observed: Vec<bool>,
}

impl Units {
    /// Units with informative, missing, categorical, monotone, constant and empty columns; some are lost from sight.
    fn of(count: usize, seed: u64) -> Self {
        let features = vec![
            Feature::numeric("wear").with_monotone(Monotone::Increasing),
            Feature::numeric("holes"),
            Feature::categorical("series"),
            Feature::numeric("noise"),
            Feature::numeric("constant"),
            Feature::numeric("empty"),
            Feature::numeric("seldom"),
            Feature::numeric("few"),
        ];
        let mut random = Random::new(seed, 3);
        let mut units = Self {
            features,
            values: Vec::new(),
            durations: Vec::new(),
            observed: Vec::new(),
        };
        for _ in 0..count {
            let (wear, holes, series) = (random.unit(), random.unit(), random.below(300));
            let rate = 0.002 + 0.02 * wear + if series % 7 == 0 { 0.02 } else { 0.0 };
            let rate = rate + if holes < 0.3 { 0.01 } else { 0.0 };
            let life = -(1.0 - random.unit()).ln() / rate;
            let sight = 120.0 * random.unit().max(0.2);
            let hole = random.below(5) == 0;
            units.values.extend([
                wear as f32,
                if hole { f32::NAN } else { holes as f32 },
                if random.below(9) == 0 {
                    f32::NAN
                } else {
                    series as f32
                },
                random.unit() as f32,
                7.0,
                f32::NAN,
                if random.below(4) == 0 { 1.0 } else { f32::NAN },
                random.below(6) as f32,
            ]);
            units.durations.push(life.min(sight).min(90.0) as f32);
            units.observed.push(life < sight.min(90.0));
        }
        units
    }

    fn in_memory(&self) -> Dataset {
        let shape = (self.durations.len(), self.features.len());
        let rows = Array2::from_shape_vec(shape, self.values.clone()).unwrap();
        Dataset::from_rows(self.features.clone(), rows.view(), self.durations.clone()).unwrap()
    }

    fn cohort<'a>(&'a self, rows: &'a Dataset) -> Cohort<'a> {
        Cohort {
            rows,
            lifetimes: Lifetimes {
                durations: &self.durations,
                observed: &self.observed,
            },
        }
    }
}

impl LifeSource for Units {
    fn scan(&mut self, visit: Visit<'_>) -> Result<(), HazardError> {
        let rows = self.values.chunks(self.features.len());
        for (row, values) in rows.enumerate() {
            visit(LifeRow {
                values,
                duration: self.durations[row],
                observed: self.observed[row],
            })?;
        }
        Ok(())
    }
}

fn streamed(
    settings: &[Params],
    units: &Units,
    valid: Option<&Units>,
) -> Result<Vec<u8>, HazardError> {
    let mut valid = valid.cloned();
    let valid = valid.as_mut().map(|valid| valid as &mut dyn LifeSource);
    let mut spill = InMemory::default();
    let features = units.features.clone();
    let model = train(
        settings,
        &ENDS,
        &features,
        &mut units.clone(),
        valid,
        &mut spill,
        None,
    )?;
    Ok(model.to_bytes().unwrap())
}

#[track_caller]
fn same_bytes(settings: &[Params], units: &Units, valid: Option<&Units>) {
    let (train, valid_rows) = (units.in_memory(), valid.map(Units::in_memory));
    let cohort = valid.zip(valid_rows.as_ref());
    let cohort = cohort.map(|(units, rows)| units.cohort(rows));
    let plain = HazardModel::train(
        settings,
        &ENDS,
        &units.cohort(&train),
        cohort.as_ref(),
        None,
    )
    .unwrap();
    assert!(
        plain.forest().trees().len() > 3,
        "there is something to compare"
    );
    let bytes = streamed(settings, units, valid).unwrap();
    assert!(bytes == plain.to_bytes().unwrap(), "other bytes");
}

fn settings(rounds_max: usize) -> Params {
    Params {
        rounds_max,
        leaves_max: 9,
        learning_rate: 0.1,
        rows_min: 5,
        ..Params::default()
    }
}

#[test]
fn a_fleets_settings_give_the_same_bytes() {
    let (units, valid) = (Units::of(3_000, 1), Units::of(900, 2));
    let short = |params: Params| Params {
        rounds_max: 60,
        patience_rounds: Some(20),
        ..params
    };
    let forests = fleet_settings(3_000, 1, 2).into_iter().map(short);
    same_bytes(&forests.collect::<Vec<_>>(), &units, Some(&valid));
}

#[test]
fn every_way_to_draw_rows_and_features_gives_the_same_bytes() {
    let (units, valid) = (Units::of(1_500, 3), Units::of(400, 4));
    for (row_share, column_share) in [(1.0, 1.0), (0.5, 1.0), (1.0, 0.4), (0.3, 0.4)] {
        for unseen_rows_veto in [false, true] {
            let params = [Params {
                row_share,
                column_share,
                unseen_rows_veto,
                ..settings(25)
            }];
            same_bytes(&params, &units, Some(&valid));
            same_bytes(&params, &units, None);
        }
    }
}

#[test]
fn rounds_without_a_tree_give_the_same_bytes() {
    // Two columns are drawn a round; most are flags so rare that no split on them is admissible.
    let with_rare_flags = |mut units: Units| {
        let columns = units.features.len();
        for (unit, values) in units.values.chunks_mut(columns).enumerate() {
            for (column, value) in values.iter_mut().enumerate().skip(2) {
                *value = f32::from(u8::from(unit % 301 == column));
            }
        }
        units
    };
    let units = with_rare_flags(Units::of(1_500, 10));
    let valid = with_rare_flags(Units::of(400, 11));
    let params = [Params {
        column_share: 0.2,
        rows_min: 40,
        patience_rounds: Some(15),
        ..settings(200)
    }];
    same_bytes(&params, &units, Some(&valid));
}

#[test]
fn several_blocks_and_a_sample_for_the_cuts_give_the_same_bytes() {
    // Some 250,000 rows and periods: eight blocks, and more rows than cuts are taken from.
    let units = Units::of(140_000, 5);
    let expanded: usize = units
        .durations
        .iter()
        .zip(&units.observed)
        .map(|(&duration, &failed)| crate::hazard::Entered::of(&ENDS, duration, failed).count())
        .sum();
    assert!(crate::binning::cut_sample(expanded).is_some(), "{expanded}");
    assert!(expanded > 5 * blocks::BLOCK_ROWS, "{expanded}");
    let params = Params {
        row_share: 0.5,
        column_share: 0.5,
        unseen_rows_veto: true,
        ..settings(6)
    };
    same_bytes(&[params], &units, Some(&Units::of(40_000, 6)));
}

#[test]
fn what_cannot_be_learned_is_refused_by_name() {
    let check = |change: &dyn Fn(&mut Units), wanted: &str| {
        let mut units = Units::of(300, 7);
        change(&mut units);
        let refused = streamed(&[settings(3)], &units, None).unwrap_err();
        assert!(refused.to_string().contains(wanted), "{refused}");
    };
    check(
        &|units| units.values[8] = f32::INFINITY,
        "\"wear\" is infinite in row 1",
    );
    check(
        &|units| units.values[10] = 0.5,
        "\"series\" has category 0.5 in row 1",
    );
    check(&|units| units.durations[4] = -1.0, "duration -1 of row 4");
    check(&|units| units.observed.fill(false), "same class 0");
    check(
        &|units| (units.durations, units.values) = (Vec::new(), Vec::new()),
        "no unit was observed",
    );
    let one = Units::of(300, 7);
    let early = Params {
        patience_rounds: Some(5),
        ..settings(3)
    };
    let refused = streamed(&[early], &one, None).unwrap_err();
    assert!(refused.to_string().contains("validation"), "{refused}");
    let mut full = Full(InMemory::default(), 5_000);
    let features = one.features.clone();
    let refused = train(
        &[settings(3)],
        &ENDS,
        &features,
        &mut one.clone(),
        None,
        &mut full,
        None,
    );
    let refused = refused.unwrap_err();
    assert!(refused.to_string().contains("working file"), "{refused}");
}

/// Gives fewer or other rows the second time.
struct Changing(Units, usize);

impl LifeSource for Changing {
    fn scan(&mut self, visit: Visit<'_>) -> Result<(), HazardError> {
        self.1 += 1;
        if self.1 == 3 {
            self.0.durations.truncate(299);
            self.0.values.truncate(299 * self.0.features.len());
        }
        self.0.scan(visit)
    }
}

#[test]
fn rows_that_change_between_two_readings_are_refused() {
    let units = Units::of(300, 8);
    let features = units.features.clone();
    let mut spill = InMemory::default();
    let refused = train(
        &[settings(3)],
        &ENDS,
        &features,
        &mut Changing(units, 0),
        None,
        &mut spill,
        None,
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("others the second time")
    );
}

#[test]
fn an_observer_can_stop_it() {
    let (units, mut rounds) = (Units::of(300, 9), 0);
    let features = units.features.clone();
    let mut observe = |_: crate::Progress| {
        rounds += 1;
        match rounds {
            2 => std::ops::ControlFlow::Break(()),
            _ => std::ops::ControlFlow::Continue(()),
        }
    };
    let mut spill = InMemory::default();
    let stopped = train(
        &[settings(9)],
        &ENDS,
        &features,
        &mut units.clone(),
        None,
        &mut spill,
        Some(&mut observe),
    );
    assert_eq!(
        stopped.unwrap_err(),
        HazardError::Fit(crate::FitError::Cancelled { rounds: 2 })
    );
}

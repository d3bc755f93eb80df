//! The hidden wear process: why a vehicle fails when it does. No event tells any of this; a predictor has to learn it
//! from mileages, repairs and warnings.
//!
//! Each vehicle has six components, one a fault group. A component's hazard is the measured rate of its group and kind
//! of vehicle, times
//! - *use*: little while it is fresh, rising ever steeper with the kilometres since it was last renewed;
//! - *frailty*: one vehicle in ten is a lemon, and each component differs a little besides;
//! - *age*: older vehicles fail more;
//! - *repair*: a poor one fails again soon, and one not yet made fails more;
//! - season and weekday, which are measured.
//!
//! The first four are assumed, and scaled so that the fleet as a whole fails as often as the measured one.

use super::random::{Random, round};
use super::rates::{GROUPS, Group, Kind};

/// Metres in a kilometre.
pub(super) const KILOMETRE: i64 = 1_000;

/// Kilometres after which a component of each group has used up its design life, by kind of vehicle.
const LIFE_KM: [[f64; 2]; 6] = [
    [60_000.0, 80_000.0],
    [70_000.0, 80_000.0],
    [90_000.0, 130_000.0],
    [80_000.0, 110_000.0],
    [90_000.0, 120_000.0],
    [75_000.0, 90_000.0],
];

/// What brings each group's failures to the measured rate, given the process below. Found by running it: change a
/// constant of the process, and the test of the rates says by how much to change these.
const CALIBRATION: [[f64; 2]; 6] = [
    [0.665, 1.95],
    [0.433, 0.773],
    [0.485, 0.636],
    [0.67, 0.94],
    [0.77, 1.03],
    [0.56, 1.10],
];

/// A vehicle in ten is a lemon.
const LEMON_CHANCE: f64 = 0.10;
/// How much more often a lemon fails than the mean vehicle.
const LEMON_FRAILTY: f64 = 2.6;
/// How much less often the others fail, so that the mean is 1.
const SOUND_FRAILTY: f64 = 0.822;
/// How often a repair is a poor one.
const POOR_REPAIR_CHANCE: f64 = 0.12;
/// How much more often a poorly repaired component fails.
const POOR_REPAIR_FACTOR: f64 = 9.0;
/// For how far a poor repair shows.
const POOR_REPAIR_KM: i64 = 2_500;
/// How much more often a component fails that failed and waits for its repair.
const WAITING_FACTOR: f64 = 2.0;
/// How much more often a vehicle fails for each year of age above [`MEAN_AGE`].
const PER_YEAR_OF_AGE: f64 = 0.02;
/// The age at which the age factor is 1.
const MEAN_AGE: f64 = 20.0;

/// A vehicle's lot: how often it fails against the mean vehicle.
pub(super) fn vehicle_frailty(random: &mut Random) -> f64 {
    if random.chance(LEMON_CHANCE) {
        LEMON_FRAILTY
    } else {
        SOUND_FRAILTY
    }
}

/// How age shapes failures.
pub(super) fn age_factor(age_years: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "an age in years")]
    let age = age_years as f64;
    (1.0 + PER_YEAR_OF_AGE * (age - MEAN_AGE)).clamp(0.5, 2.0)
}

/// One component of one vehicle.
#[derive(Clone, Debug)]
pub(super) struct Component {
    /// Its place in [`GROUPS`].
    pub group: usize,
    kind: Kind,
    frailty: f64,
    life_m: f64,
    /// Metres since it was last renewed.
    since_renewal_m: i64,
    /// Metres that a poor repair still shows.
    poor_for_m: i64,
    /// Whether it failed and waits for its repair.
    pub waits_for_repair: bool,
}

impl Component {
    /// A component somewhere in its life, as when a history begins in the middle.
    pub(super) fn new(group: usize, kind: Kind, vehicle_frailty: f64, random: &mut Random) -> Self {
        let life_m = LIFE_KM[group][kind.column()] * random.range(0.85, 1.15) * 1_000.0;
        Component {
            group,
            kind,
            frailty: vehicle_frailty * random.range(0.8, 1.2),
            life_m,
            since_renewal_m: round(life_m * random.range(0.0, 1.1)),
            poor_for_m: 0,
            waits_for_repair: false,
        }
    }

    /// The measured group.
    pub(super) fn rates(&self) -> &'static Group {
        &GROUPS[self.group]
    }

    /// Failures expected a year if it went on like today; `age` is the vehicle's factor.
    pub(super) fn failures_per_year(&self, age: f64) -> f64 {
        let column = self.kind.column();
        let repair = if self.poor_for_m > 0 {
            POOR_REPAIR_FACTOR
        } else {
            1.0
        };
        let waiting = if self.waits_for_repair {
            WAITING_FACTOR
        } else {
            1.0
        };
        self.rates().failures_per_year[column]
            * CALIBRATION[self.group][column]
            * self.frailty
            * age
            * self.use_factor()
            * repair
            * waiting
    }

    /// Warnings expected a year if it went on like today. They follow the same wear.
    pub(super) fn minors_per_year(&self, age: f64) -> f64 {
        let column = self.kind.column();
        let scale = CALIBRATION[self.group][column] * self.frailty * age;
        self.rates().minors_per_year[column] * scale * self.use_factor()
    }

    /// From 0.05 when fresh, through 1.85 at the end of the design life, to 12.4 far past it.
    fn use_factor(&self) -> f64 {
        let used = self.used().min(1.8);
        let square = used * used;
        0.05 + 0.9 * square + 0.9 * square * square
    }

    /// The share of its design life that is used up; above 1 past it.
    #[expect(clippy::cast_precision_loss, reason = "metres of one vehicle")]
    fn used(&self) -> f64 {
        self.since_renewal_m as f64 / self.life_m
    }

    /// It ran this far.
    pub(super) fn run(&mut self, metres: i64) {
        self.since_renewal_m += metres;
        self.poor_for_m = (self.poor_for_m - metres).max(0);
    }

    /// It was repaired after a failure: as good as new, or poorly.
    pub(super) fn repair(&mut self, random: &mut Random) {
        self.renew();
        if random.chance(POOR_REPAIR_CHANCE) {
            self.poor_for_m = POOR_REPAIR_KM * KILOMETRE;
        }
    }

    /// It was renewed before it failed.
    pub(super) fn renew(&mut self) {
        self.since_renewal_m = 0;
        self.poor_for_m = 0;
        self.waits_for_repair = false;
    }

    /// Whether an inspection that leaves it in place notes that it is worn.
    pub(super) fn is_noted_worn(&self, random: &mut Random) -> bool {
        self.used() > 0.9 && random.chance(0.8)
    }

    /// Whether an inspection finds that it should be renewed: the more so the more it is worn. `care` is 1 for an
    /// ordinary inspection.
    pub(super) fn is_found_worn(&self, care: f64, random: &mut Random) -> bool {
        random.chance(((self.used() - 0.8) * 0.5 * care).clamp(0.0, 0.9))
    }
}

//! How often, when and how badly things go wrong: measured, not invented.
//!
//! Source: the delay logs of the Toronto Transit Commission's subway, rolling-stock incidents 2014 to 2025, published by
//! the City of Toronto under the Open Government Licence - Toronto ("Contains information licensed under the Open
//! Government Licence - Toronto"). Only statistics stand here, no rows.
//!
//! Rates a unit and year, the fault mix and delays of other causes are those of 2022-06-01 to 2025-05-31, the three
//! years nearest to the demo's; seasons, weekdays, hours and the delays of failures are of the whole years 2014 to 2024,
//! where one factor rests on more than a thousand failures. A *unit* is what is exchanged in the depot: a two-car set or
//! a six-car set. A *failure* is an incident of the six equipment groups with a delay above 0 minutes; a *minor*
//! incident is one of those groups without delay: the vehicle's own warning.
//!
//! What the source does not hold (kilometres, wear, workshop times, parts, costs) is assumed, in the files that use it.

/// The two kinds of vehicle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    /// A married pair of two cars.
    TwoCar,
    /// A trainset of six cars.
    SixCar,
}

impl Kind {
    /// The column of this kind in the tables below.
    pub(super) const fn column(self) -> usize {
        match self {
            Kind::TwoCar => 0,
            Kind::SixCar => 1,
        }
    }
}

/// How many of 150 vehicles are two-car sets; the source's fleet has 185 of 267.
pub(super) const TWO_CAR_SHARE: (usize, usize) = (104, 150);

/// Incidents of causes other than the equipment, a unit and year.
pub(super) const OTHER_PER_YEAR: [f64; 2] = [29.218, 92.102];

/// One equipment group.
#[derive(Debug)]
pub(super) struct Group {
    /// The group's name.
    pub name: &'static str,
    /// Failures a unit and year.
    pub failures_per_year: [f64; 2],
    /// Minor incidents a unit and year.
    pub minors_per_year: [f64; 2],
    /// Minutes of delay of a failure: (share below, minutes).
    pub delays: [(f64, f64); FAILURE_SHARES.len()],
    /// Fault codes and their weights.
    pub codes: &'static [(&'static str, f64)],
}

/// The shares of failures below which the minutes of their delays stand.
const FAILURE_SHARES: [f64; 11] = [0.0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0];

const fn of_failures(minutes: [u16; FAILURE_SHARES.len()]) -> [(f64, f64); FAILURE_SHARES.len()] {
    let mut delays = [(0.0, 0.0); FAILURE_SHARES.len()];
    let mut place = 0;
    while place < delays.len() {
        delays[place] = (FAILURE_SHARES[place], minutes[place] as f64);
        place += 1;
    }
    delays
}

/// The six equipment groups.
pub(super) const GROUPS: [Group; 6] = [
    Group {
        name: "door",
        failures_per_year: [0.4126, 1.4472],
        minors_per_year: [0.0468, 0.1504],
        delays: of_failures([3, 3, 4, 5, 6, 7, 9, 10, 13, 15, 25]),
        codes: &[
            ("EUDO", 0.719),
            ("ERDO", 0.171),
            ("EUTRD", 0.096),
            ("EUOPO", 0.015),
        ],
    },
    Group {
        name: "brake",
        failures_per_year: [0.0829, 0.4146],
        minors_per_year: [0.0036, 0.0650],
        delays: of_failures([3, 3, 3, 4, 5, 7, 10, 15, 22, 33, 60]),
        codes: &[("EUBK", 0.950), ("ERDB", 0.035), ("ERTB", 0.014)],
    },
    Group {
        name: "prop",
        failures_per_year: [0.1514, 0.1057],
        minors_per_year: [0.0180, 0.0244],
        delays: of_failures([3, 3, 3, 4, 5, 6, 7, 10, 20, 33, 70]),
        codes: &[
            ("EUPI", 0.531),
            ("ERPR", 0.225),
            ("EUTR", 0.190),
            ("EUTM", 0.039),
            ("ERTR", 0.014),
        ],
    },
    Group {
        name: "ctrl",
        failures_per_year: [0.1712, 0.2439],
        minors_per_year: [1.0937, 0.5569],
        delays: of_failures([3, 3, 4, 5, 6, 7, 11, 16, 32, 41, 75]),
        codes: &[("EUSC", 0.816), ("ERTC", 0.146), ("EUATC", 0.038)],
    },
    Group {
        name: "elec",
        failures_per_year: [0.1405, 0.1707],
        minors_per_year: [0.0036, 0.0],
        delays: of_failures([3, 3, 3, 4, 5, 6, 10, 18, 43, 57, 190]),
        codes: &[
            ("EUVA", 0.238),
            ("EUTL", 0.155),
            ("EUCA", 0.144),
            ("EULV", 0.129),
            ("EUAL", 0.086),
            ("ERWA", 0.058),
            ("ERTL", 0.050),
            ("ERLV", 0.044),
        ],
    },
    Group {
        name: "body",
        failures_per_year: [0.1946, 0.6951],
        minors_per_year: [0.0126, 0.0488],
        delays: of_failures([3, 3, 3, 4, 5, 5, 7, 10, 19, 29, 60]),
        codes: &[
            ("EUBO", 0.431),
            ("EUAC", 0.239),
            ("EUO", 0.181),
            ("EUCO", 0.051),
            ("ERCO", 0.030),
            ("ERAC", 0.030),
            ("ERO", 0.018),
            ("ERBO", 0.015),
        ],
    },
];

/// How many incidents of other causes have no delay.
pub(super) const OTHER_WITHOUT_DELAY: f64 = 0.377;

/// Minutes of delay of other causes, where there is one. The source's tail goes on to 600 minutes.
pub(super) const OTHER_DELAYS: &[(f64, f64)] = &[
    (0.0, 3.0),
    (0.2, 3.0),
    (0.3, 4.0),
    (0.4, 4.0),
    (0.5, 5.0),
    (0.6, 6.0),
    (0.7, 7.0),
    (0.8, 9.0),
    (0.85, 11.0),
    (0.9, 15.0),
    (0.93, 18.0),
    (0.95, 22.0),
    (0.97, 28.0),
    (0.98, 33.0),
    (0.99, 52.0),
    (0.995, 85.0),
    (0.999, 195.0),
    (1.0, 400.0),
];

/// The codes of other causes and their weights: the 24 most frequent, 85 % of all.
pub(super) const OTHER_CODES: &[(&str, f64)] = &[
    ("SUDP", 0.1378),
    ("MUPAA", 0.1162),
    ("PUOPO", 0.0876),
    ("SUO", 0.0781),
    ("MUIR", 0.0483),
    ("SUUT", 0.0439),
    ("MUSC", 0.0400),
    ("TUSC", 0.0309),
    ("MUI", 0.0289),
    ("MUATC", 0.0270),
    ("MUSAN", 0.0268),
    ("TUO", 0.0241),
    ("SUAP", 0.0208),
    ("MUO", 0.0202),
    ("TUMVS", 0.0182),
    ("MUDD", 0.0153),
    ("MUTO", 0.0124),
    ("SUG", 0.0122),
    ("MUIRS", 0.0116),
    ("MUIS", 0.0106),
    ("EUNT", 0.0095),
    ("PUTWZ", 0.0088),
    ("MUD", 0.0085),
    ("SUEAS", 0.0084),
];

/// Minutes between trains beyond the delay itself, and their weights.
pub(super) const GAP_BEYOND_DELAY: &[(i64, f64)] = &[
    (2, 0.051),
    (3, 0.301),
    (4, 0.216),
    (5, 0.269),
    (6, 0.109),
    (7, 0.045),
    (8, 0.009),
];

/// How the year shapes failures, January first.
pub(super) const FAILURE_MONTH: [f64; 12] = [
    1.224, 1.111, 0.986, 0.881, 1.011, 1.087, 0.997, 1.014, 1.028, 0.978, 0.890, 0.799,
];

/// How the year shapes other incidents, January first.
pub(super) const OTHER_MONTH: [f64; 12] = [
    1.018, 1.059, 1.005, 0.979, 0.985, 0.965, 0.964, 0.981, 0.995, 0.987, 1.040, 1.027,
];

/// How the week shapes failures, Monday first.
pub(super) const FAILURE_WEEKDAY: [f64; 7] = [1.099, 1.146, 1.167, 1.111, 1.093, 0.700, 0.684];

/// How the week shapes other incidents, Monday first.
pub(super) const OTHER_WEEKDAY: [f64; 7] = [1.079, 1.095, 1.088, 1.105, 1.103, 0.821, 0.709];

/// The share of failures in each hour of the day.
pub(super) const FAILURE_HOUR: [f64; 24] = [
    0.0247, 0.0147, 0.0011, 0.0005, 0.0, 0.0342, 0.0932, 0.0857, 0.0778, 0.0541, 0.0460, 0.0419,
    0.0394, 0.0467, 0.0459, 0.0618, 0.0701, 0.0641, 0.0504, 0.0350, 0.0291, 0.0281, 0.0287, 0.0270,
];

/// The share of other incidents in each hour of the day.
pub(super) const OTHER_HOUR: [f64; 24] = [
    0.0324, 0.0287, 0.0090, 0.0011, 0.0009, 0.0301, 0.0548, 0.0528, 0.0681, 0.0519, 0.0435, 0.0441,
    0.0419, 0.0447, 0.0488, 0.0568, 0.0600, 0.0650, 0.0563, 0.0491, 0.0449, 0.0400, 0.0383, 0.0365,
];

/// The share of six-car sets' incidents on the short line; two-car sets have a line of their own.
pub(super) const SHORT_LINE_SHARE: f64 = 0.0726;

//! The catalogue of key figures: what each means, and how it is taken from the facts.
//!
//! A figure is a ratio of sums over the chosen vehicles and time, never a mean of ratios. Both sums are whole numbers
//! and are added in a fixed order, so the same facts give the same bits. One walk over the facts yields every
//! [`Contribution`]; adding them up gives the figure, collecting their positions gives the events behind it, so the two
//! cannot differ. An empty denominator gives no value but the reason.
//!
//! Sources by figure: EN 13306:2017, EN 15341:2019, SMRP Best Practices 5th edition; definitions are numbered and a
//! changed one gets a new number.

pub(crate) mod measure;
mod page;
#[cfg(test)]
mod tests;

use crate::facts::Facts;
use crate::rate::mean_between;
use crate::rollup::Between;
use crate::trend::{Floor, Polarity};
pub use page::Page;

/// Which sum a contribution goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// What is counted.
    Numerator,
    /// What it is divided by.
    Denominator,
}

/// What one event adds to a figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contribution {
    /// To which sum.
    pub side: Side,
    /// In which bucket of the selection.
    pub bucket: usize,
    /// How much, in the figure's own whole unit (microseconds, kilometres, hundredths, or a count).
    pub amount: i64,
    /// The event's position in the log.
    pub position: u64,
    /// The index of the vehicle among the facts, where it is about one.
    pub vehicle: Option<usize>,
}

/// Who takes in what a walk finds.
pub(crate) enum Visit<'a> {
    /// All of it is wanted.
    All(&'a mut dyn FnMut(Contribution)),
    /// A page of it: of the numerator, and of the denominator. Nothing is called for what is only counted.
    Page(&'a mut Page, &'a mut Page),
}

impl Visit<'_> {
    fn take(&mut self, part: Contribution) {
        match (self, part.side) {
            (Visit::All(visit), _) => visit(part),
            (Visit::Page(page, _), Side::Numerator) | (Visit::Page(_, page), Side::Denominator) => {
                page.take(part.position, part.amount);
            }
        }
    }
}

/// Over what a figure is taken.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// The buckets' ends, ascending, microseconds UTC: bucket i holds times from `edges[i]`, inclusive, to
    /// `edges[i + 1]`, exclusive. At least two.
    pub edges: &'a [i64],
    /// The present: what still lasts is counted up to here.
    pub now: i64,
    /// Only this vehicle, by asset id.
    pub vehicle: Option<&'a str>,
}

impl Selection<'_> {
    /// How many buckets there are.
    pub fn buckets(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }
}

/// Visits all that makes a figure.
type Walk = fn(&Facts, &Selection<'_>, &mut Visit<'_>);
/// Takes a figure's numerator and denominator from the sums of a bucket.
type Roll = fn(&Between) -> (i64, i64);

/// One figure's definition.
#[derive(Clone, Copy, Debug)]
pub struct Kpi {
    /// Its name in the API.
    pub key: &'static str,
    /// The unit of its value.
    pub unit: &'static str,
    /// The number of its definition.
    pub definition: u32,
    /// The definition in a sentence, with its source.
    pub text: &'static str,
    /// The value of one unit of numerator over one of denominator.
    pub scale: f64,
    /// Which direction is good.
    pub polarity: Polarity,
    /// The least change over a year that is worth a word.
    pub floor: Floor,
    /// What is usually aimed at: at least, or at most where less is better. `None` where that is each depot's own.
    pub target: Option<f64>,
    /// Why it has no value when its denominator is 0.
    pub empty: &'static str,
    /// Whether its interval is that of a mean between events.
    pub is_mean_between: bool,
    /// Whether it is only of the whole fleet: staff and stores belong to no vehicle.
    pub is_of_fleet: bool,
    walk: Walk,
    /// Its sums by day, where they are kept. What is few is walked.
    roll: Option<Roll>,
}

/// A figure over one bucket.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Figure {
    /// What was counted, in the contributions' unit.
    pub numerator: i64,
    /// What it is divided by.
    pub denominator: i64,
}

impl Kpi {
    /// The figure of this name.
    pub fn named(key: &str) -> Option<&'static Kpi> {
        KPIS.iter().find(|kpi| kpi.key == key)
    }

    /// Calls `visit` with all that makes the figure.
    pub fn each(
        &self,
        facts: &Facts,
        selection: &Selection<'_>,
        visit: &mut dyn FnMut(Contribution),
    ) {
        (self.walk)(facts, selection, &mut Visit::All(visit));
    }

    /// Takes in a page of what makes the figure, one of each side.
    pub fn page(
        &self,
        facts: &Facts,
        selection: &Selection<'_>,
        numerator: &mut Page,
        denominator: &mut Page,
    ) {
        (self.walk)(facts, selection, &mut Visit::Page(numerator, denominator));
    }

    /// The figure, a bucket each.
    pub fn figures(&self, facts: &Facts, selection: &Selection<'_>) -> Vec<Figure> {
        let mut figures = vec![Figure::default(); selection.buckets()];
        self.each(facts, selection, &mut |part| {
            let figure = &mut figures[part.bucket];
            match part.side {
                Side::Numerator => figure.numerator += part.amount,
                Side::Denominator => figure.denominator += part.amount,
            }
        });
        figures
    }

    /// The figure from its sums, a bucket each: the same as [`Kpi::figures`] walks for. `None` where it has no sums.
    pub fn rolled(&self, buckets: &[Between]) -> Option<Vec<Figure>> {
        let roll = self.roll?;
        let figure = |(numerator, denominator)| Figure {
            numerator,
            denominator,
        };
        Some(buckets.iter().map(roll).map(figure).collect())
    }

    /// Why it has no value of this selection.
    pub fn reason(&self, selection: &Selection<'_>) -> &'static str {
        match self.is_of_fleet && selection.vehicle.is_some() {
            true => "whole_fleet_only",
            false => self.empty,
        }
    }

    /// The figure's value; `None` when nothing is there to divide by.
    pub fn value(&self, figure: Figure) -> Option<f64> {
        (figure.denominator != 0)
            .then(|| figure.numerator as f64 * self.scale / figure.denominator as f64)
    }

    /// Whether a value is what is aimed at; `None` where nothing is.
    pub fn meets_target(&self, value: f64) -> Option<bool> {
        let target = self.target?;
        Some(match self.polarity {
            Polarity::HigherIsBetter => value >= target,
            Polarity::LowerIsBetter => value <= target,
        })
    }

    /// Where the true value lies at 95 %, for means between events: low, and high where there were events.
    pub fn interval(&self, figure: Figure) -> Option<(f64, Option<f64>)> {
        let events = u64::try_from(figure.denominator).ok()?;
        if !self.is_mean_between || figure.numerator <= 0 {
            return None;
        }
        let found = mean_between(figure.numerator as f64 * self.scale, events, 0.95)?;
        Some((found.low, found.high))
    }
}

const HOURS: f64 = 1.0 / 3_600_000_000.0;
const DAYS: f64 = HOURS / 24.0;
const EUROS: f64 = 0.01;
const HOURS_OF_YEAR: f64 = 8_766.0;
const POINTS: Floor = Floor::Absolute(0.5);
const SHARE: Floor = Floor::Relative(0.05);

/// A figure that has its sums by day.
const fn kpi(
    key: &'static str,
    unit: &'static str,
    scale: f64,
    text: &'static str,
    empty: &'static str,
    walk: Walk,
    roll: Roll,
) -> Kpi {
    let mut kpi = walked(key, unit, scale, text, empty, walk);
    kpi.roll = Some(roll);
    kpi
}

/// A figure of things that are few.
const fn walked(
    key: &'static str,
    unit: &'static str,
    scale: f64,
    text: &'static str,
    empty: &'static str,
    walk: Walk,
) -> Kpi {
    Kpi {
        key,
        unit,
        definition: 1,
        text,
        scale,
        polarity: Polarity::HigherIsBetter,
        floor: SHARE,
        target: None,
        empty,
        is_mean_between: false,
        is_of_fleet: false,
        walk,
        roll: None,
    }
}

impl Kpi {
    const fn less_is_better(mut self) -> Self {
        self.polarity = Polarity::LowerIsBetter;
        self
    }

    const fn in_points(mut self) -> Self {
        self.floor = POINTS;
        self
    }

    const fn defined_anew(mut self, definition: u32) -> Self {
        self.definition = definition;
        self
    }

    const fn aiming_at(mut self, target: f64) -> Self {
        self.target = Some(target);
        self
    }

    const fn of_fleet(mut self) -> Self {
        self.is_of_fleet = true;
        self
    }

    const fn between_events(mut self) -> Self {
        self.is_mean_between = true;
        self
    }
}

/// All figures, in the order in which they are listed.
pub const KPIS: &[Kpi] = &[
    kpi(
        "availability",
        "%",
        100.0,
        "Time ready or running over time required (EN 15341:2019 M10).",
        "no_exposure",
        measure::availability,
        |it| (it.lasted.up.time, it.lasted.required.time),
    )
    .in_points(),
    kpi(
        "availability_restoration",
        "%",
        100.0,
        "Time ready or running over it and the time out of service until up again (EN 15341:2019 M12); planned visits to the workshop are left out.",
        "no_exposure",
        measure::standing::restoration,
        |it| {
            let up = it.lasted.up.time;
            (up, up + it.lasted.restoration.time)
        },
    )
    .in_points(),
    kpi(
        "availability_inherent",
        "%",
        100.0,
        "Time ready or running over it and the working time of corrective orders: MTBF / (MTBF + MTTR) where each failure is repaired once (EN 50126).",
        "no_exposure",
        measure::availability_inherent,
        |it| {
            let up = it.lasted.up.time;
            (up, up + it.happened.corrective_time)
        },
    )
    .in_points(),
    walked(
        "roll_out",
        "%",
        100.0,
        "Vehicles ready or running when the train that they were planned for was to leave, over vehicles planned.",
        "no_departures",
        measure::staff::roll_out,
    )
    .in_points(),
    kpi(
        "utilisation",
        "%",
        100.0,
        "Time running over time required.",
        "no_exposure",
        measure::utilisation,
        |it| (it.lasted.running.time, it.lasted.required.time),
    )
    .in_points(),
    kpi(
        "mtbf",
        "h",
        HOURS,
        "Running and ready time of all vehicles over failures (SMRP 3.5.1).",
        "no_failures",
        measure::mtbf,
        |it| (it.lasted.up.time, it.happened.failures),
    )
    .between_events(),
    kpi(
        "mdbf",
        "km",
        1.0,
        "Kilometres of all vehicles over failures.",
        "no_failures",
        measure::mdbf,
        |it| (it.happened.km, it.happened.failures),
    )
    .between_events(),
    kpi(
        "mttrs",
        "h",
        HOURS,
        "Time from down to up again, waiting included, over times down (EN 13306 9.21).",
        "nothing_down",
        measure::mttrs,
        |it| (it.happened.restored_time, it.happened.restored),
    )
    .less_is_better(),
    kpi(
        "mttr",
        "h",
        HOURS,
        "Working time of corrective orders over corrective orders closed (SMRP 3.5.2).",
        "nothing_closed",
        measure::mttr,
        |it| (it.happened.corrective_time, it.happened.corrective_known),
    )
    .less_is_better(),
    kpi(
        "mtbm",
        "h",
        HOURS,
        "Running and ready time over orders closed (SMRP 3.5.3).",
        "nothing_closed",
        measure::mtbm,
        |it| (it.lasted.up.time, it.happened.closed),
    ),
    kpi(
        "failures",
        "per vehicle",
        1.0,
        "Failures over vehicles that were required.",
        "no_exposure",
        measure::failures,
        |it| (it.happened.failures, it.required),
    )
    .less_is_better(),
    kpi(
        "pm_compliance",
        "%",
        100.0,
        "Tasks done by their date over tasks due (SMRP 5.4.14); a day of grace where no legal limit stands behind it.",
        "nothing_due",
        measure::pm_compliance,
        |it| (it.planned.due_met, it.planned.due),
    )
    .in_points()
    .aiming_at(90.0)
    .defined_anew(2),
    kpi(
        "schedule_compliance",
        "%",
        100.0,
        "Orders closed by their planned end over orders planned to end (SMRP 5.4.4).",
        "nothing_due",
        measure::schedule_compliance,
        |it| (it.planned.planned_ends_met, it.planned.planned_ends),
    )
    .in_points()
    .aiming_at(85.0)
    .defined_anew(2),
    kpi(
        "backlog_weeks",
        "weeks",
        1.0,
        "Estimated work of orders that are scheduled and not begun at the end of the time, over what mechanics and technicians at work do in a week (SMRP 5.4.9).",
        "no_staff",
        measure::staff::backlog,
        |it| (it.at_end.ready_min, it.capacity),
    )
    .less_is_better()
    .aiming_at(4.0)
    .of_fleet(),
    walked(
        "wrench_time",
        "%",
        100.0,
        "Time clocked on orders over all time clocked: an estimate of SMRP 5.6.1, which wants work sampled.",
        "nothing_clocked",
        measure::staff::wrench_time,
    )
    .in_points()
    .of_fleet(),
    kpi(
        "overdue_safety_critical",
        "tasks",
        1.0,
        "Main and ECM inspections past their legal date at the end of the time ((EU) 2019/779 Art. 4); must be 0.",
        "no_exposure",
        measure::overdue_safety_critical,
        |it| (it.at_end.overdue, 1),
    )
    .less_is_better()
    .aiming_at(0.0)
    .defined_anew(2),
    kpi(
        "planned_share",
        "%",
        100.0,
        "Working time of planned orders over that of all orders (SMRP 5.3.1).",
        "nothing_closed",
        measure::planned_share,
        |it| (it.happened.planned_time, it.happened.worked_time),
    )
    .in_points(),
    kpi(
        "first_time_fix",
        "%",
        100.0,
        "Corrective orders not known to be followed by another on the same vehicle within 30 days, over corrective orders closed.",
        "nothing_closed",
        measure::first_time_fix,
        |it| (it.happened.fixed, it.happened.corrective),
    )
    .in_points()
    .defined_anew(2),
    kpi(
        "order_age",
        "days",
        DAYS,
        "Age of the orders open at the end of the time, over their number (SMRP 5.4.6).",
        "nothing_open",
        measure::order_age,
        |it| (it.at_end.open.time, it.at_end.open.count),
    )
    .less_is_better(),
    kpi(
        "cycle_time",
        "days",
        DAYS,
        "Time from creation to end, over orders closed (SMRP 5.4.7).",
        "nothing_closed",
        measure::cycle_time,
        |it| (it.happened.cycle_time, it.happened.closed),
    )
    .less_is_better(),
    walked(
        "stock_outs",
        "%",
        100.0,
        "Parts that orders asked for and that did not all lie there when they were asked for, over parts asked for (SMRP 5.5.33).",
        "nothing_asked_for",
        measure::stores::stock_outs,
    )
    .less_is_better()
    .in_points()
    .of_fleet(),
    walked(
        "inventory_turns",
        "a year",
        HOURS_OF_YEAR,
        "Value of parts used over the mean value that lay there, by year, at present prices (SMRP 5.5.31).",
        "nothing_in_stock",
        measure::stores::turns,
    )
    .of_fleet(),
    kpi(
        "maintenance_cost",
        "EUR",
        EUROS,
        "Cost of the orders closed.",
        "nothing_closed",
        measure::maintenance_cost,
        |it| (it.happened.cost, 1),
    )
    .less_is_better(),
    kpi(
        "cost_per_km",
        "EUR/km",
        EUROS,
        "Cost of the orders closed over kilometres driven.",
        "no_exposure",
        measure::cost_per_km,
        |it| (it.happened.cost, it.happened.km),
    )
    .less_is_better(),
    kpi(
        "life_cycle_cost",
        "EUR per vehicle",
        EUROS,
        "Purchase and orders of the vehicles whose purchase price is told, up to the end of the time and discounted by 3 % a year to the purchase, over those vehicles (EN 60300-3-3); energy and disposal are not in the log.",
        "no_purchase_price",
        measure::lifetime::cost,
        |it| (it.at_end.life_cost, it.at_end.bought),
    )
    .less_is_better(),
];

//! A vehicle's day on the line: how far it runs, what delays it, what fails.

use fleet::calendar::{DAY, Date, HOUR, MINUTE, SECOND, date_of};
use fleet::vehicle::{Breakdown, Incident, event};
use uuid::Uuid;

use super::outbox::{Outbox, Reporter};
use super::random::{Random, round};
use super::rates::{
    FAILURE_HOUR, FAILURE_MONTH, FAILURE_WEEKDAY, GAP_BEYOND_DELAY, GROUPS, Kind, OTHER_CODES,
    OTHER_DELAYS, OTHER_HOUR, OTHER_MONTH, OTHER_PER_YEAR, OTHER_WEEKDAY, OTHER_WITHOUT_DELAY,
    SHORT_LINE_SHARE,
};
use super::rolling_stock::Vehicle;

/// How likely a vehicle runs on each day of the week, Monday first: the rest stand as spares. An assumption.
const RUN_CHANCE: [f64; 7] = [0.94, 0.94, 0.94, 0.94, 0.94, 0.82, 0.74];
/// Metres run on each day of the week against an ordinary day, Monday first. An assumption.
const RUN_LENGTH: [f64; 7] = [1.0, 1.0, 1.0, 1.0, 1.0, 0.88, 0.80];
/// The share of days on which a vehicle is neither in a workshop nor broken down, by kind, as the simulation turns out.
/// Rates are a calendar year's, so the days on which a vehicle can have an incident at all must carry the others' too.
const READY_SHARE: [f64; 2] = [0.98, 0.96];
/// How likely a failure leaves the vehicle where it stands, by group. An assumption.
const BREAKDOWN_CHANCE: [f64; 6] = [0.05, 0.25, 0.30, 0.15, 0.20, 0.03];

/// A day of the history.
#[derive(Clone, Copy, Debug)]
pub(super) struct Day {
    /// Days since the history began.
    pub index: usize,
    /// Its first microsecond.
    pub start: i64,
    pub date: Date,
    /// 0 (Monday) to 6 (Sunday).
    pub weekday: usize,
    /// 0 (January) to 11.
    pub month: usize,
}

impl Day {
    /// The day `index` days after the one that starts at `first`.
    pub(super) fn new(first: i64, index: usize) -> Self {
        let start = first + i64::try_from(index).unwrap_or(0) * DAY;
        let date = date_of(start);
        let place = |number: i64| usize::try_from(number).unwrap_or(0);
        Day {
            index,
            start,
            date,
            weekday: place(date.weekday()),
            month: place(date.month - 1),
        }
    }
}

/// A failure that calls for a repair.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub vehicle: usize,
    pub group: usize,
    pub at: i64,
    /// Whether the vehicle stands until it is repaired.
    pub broke_down: bool,
    pub delay_min: i64,
    pub correlation: Uuid,
}

/// What may befall a vehicle on a day.
#[derive(Clone, Copy, Debug)]
enum Cause {
    Failure(usize),
    Minor(usize),
    Other,
}

/// Lets a vehicle run for a day; tells its incidents and its mileage. Returns the failures that nobody repairs yet.
pub(super) fn run_day(vehicle: &mut Vehicle, day: &Day, outbox: &mut Outbox) -> Vec<Failure> {
    if vehicle.orders_in_progress > 0
        || vehicle.breakdowns > 0
        || !vehicle.random.chance(RUN_CHANCE[day.weekday])
    {
        return Vec::new();
    }
    // What stood in a workshop leaves the yard with the first trains, not after midnight with the last.
    let fresh = vehicle.status == "available" || day.index == 0;
    if vehicle.status == "available" {
        let at = day.start + 4 * HOUR + vehicle.random.between(0, 40) * MINUTE;
        vehicle.take_status("in_service", at, Reporter::Desk("dispatcher"), outbox);
    }
    let planned_m =
        round(vehicle.daily_metres * RUN_LENGTH[day.weekday] * vehicle.random.range(0.85, 1.15));
    let morning_m = vehicle.mileage_m;
    let mut run_m = planned_m;
    let mut failures = Vec::new();
    for (time, cause) in causes(vehicle, day, fresh) {
        vehicle.mileage_m = morning_m + planned_m * (time / SECOND) / (DAY / SECOND);
        if let Some(failure) = tell_incident(vehicle, cause, day.start + time, outbox) {
            failures.push(failure);
            if failure.broke_down {
                run_m = vehicle.mileage_m - morning_m;
                break;
            }
        }
    }
    vehicle.mileage_m = morning_m + run_m;
    vehicle
        .components
        .iter_mut()
        .for_each(|component| component.run(run_m));
    // The last minute of the day is kept for readings, so that no incident of the day shows more kilometres.
    let at = day.start + DAY - MINUTE + vehicle.random.between(0, 59) * SECOND;
    let draft = event::mileage_updated(Some(morning_m / 1_000), vehicle.mileage_km());
    outbox.put(vehicle.happening(draft, at, vehicle.tablet()));
    failures
}

/// What befalls a vehicle on a day that it runs, in the order of time.
fn causes(vehicle: &mut Vehicle, day: &Day, fresh: bool) -> Vec<(i64, Cause)> {
    let mut causes = Vec::new();
    let runs = RUN_CHANCE[day.weekday] * READY_SHARE[vehicle.kind.column()] * 365.0;
    let failing = FAILURE_MONTH[day.month] * FAILURE_WEEKDAY[day.weekday] / runs;
    let age = vehicle.age_factor(day.date.year);
    for place in 0..vehicle.components.len() {
        let failures = vehicle.components[place].failures_per_year(age) * failing;
        let minors = vehicle.components[place].minors_per_year(age) * failing;
        if vehicle.random.chance(failures) {
            causes.push((
                time_of_day(&FAILURE_HOUR, fresh, &mut vehicle.random),
                Cause::Failure(place),
            ));
        }
        if vehicle.random.chance(minors) {
            causes.push((
                time_of_day(&FAILURE_HOUR, fresh, &mut vehicle.random),
                Cause::Minor(place),
            ));
        }
    }
    let other =
        OTHER_PER_YEAR[vehicle.kind.column()] * OTHER_MONTH[day.month] * OTHER_WEEKDAY[day.weekday]
            / runs;
    // Three chances a day instead of one, so that a day may bring more than one incident.
    for _ in 0..3 {
        if vehicle.random.chance(other / 3.0) {
            causes.push((
                time_of_day(&OTHER_HOUR, fresh, &mut vehicle.random),
                Cause::Other,
            ));
        }
    }
    causes.sort_by_key(|(time, _)| *time);
    causes
}

/// Microseconds since midnight, never in the day's last minute.
fn time_of_day(hours: &[f64; 24], fresh: bool, random: &mut Random) -> i64 {
    let drawn = i64::try_from(random.index(hours)).unwrap_or(0);
    let hour = if fresh { drawn.max(5) } else { drawn };
    hour * HOUR + random.between(0, 58) * MINUTE + random.between(0, 59) * SECOND
}

/// Tells one incident, and the breakdown that it may be.
fn tell_incident(
    vehicle: &mut Vehicle,
    cause: Cause,
    at: i64,
    outbox: &mut Outbox,
) -> Option<Failure> {
    let incident = incident(vehicle, cause);
    let correlation = outbox.id(&format!("incident {} {at}", vehicle.asset_id));
    let mut happening =
        vehicle.happening(event::incident_reported(&incident), at, vehicle.tablet());
    happening.correlation = Some(correlation);
    outbox.put(happening);
    let Cause::Failure(place) = cause else {
        return None;
    };
    let group = vehicle.components[place].group;
    let broke_down = vehicle.random.chance(BREAKDOWN_CHANCE[group]);
    if broke_down {
        tell_breakdown(vehicle, &incident, at + 2 * MINUTE, correlation, outbox);
    }
    // A component that already waits for its repair fails again, and is repaired once.
    let known = std::mem::replace(&mut vehicle.components[place].waits_for_repair, true);
    let failure = Failure {
        vehicle: vehicle.index,
        group,
        at,
        broke_down,
        delay_min: incident.delay_min,
        correlation,
    };
    (broke_down || !known).then_some(failure)
}

fn incident(vehicle: &mut Vehicle, cause: Cause) -> Incident {
    let random = &mut vehicle.random;
    let (group, code, delay_min) = match cause {
        Cause::Failure(place) => {
            let rates = vehicle.components[place].rates();
            (
                Some(rates.name),
                random.weighted(rates.codes),
                round(random.quantile(&rates.delays)),
            )
        }
        Cause::Minor(place) => {
            let rates = vehicle.components[place].rates();
            (Some(rates.name), random.weighted(rates.codes), 0)
        }
        Cause::Other => {
            let delayed = !random.chance(OTHER_WITHOUT_DELAY);
            let delay_min = if delayed {
                round(random.quantile(OTHER_DELAYS))
            } else {
                0
            };
            (None, random.weighted(OTHER_CODES), delay_min)
        }
    };
    let gap_min = if delay_min > 0 {
        delay_min + random.weighted(GAP_BEYOND_DELAY)
    } else {
        0
    };
    let (line, bounds) = line(vehicle.kind, random);
    let car = random.between(0, if vehicle.kind == Kind::TwoCar { 1 } else { 5 });
    Incident {
        delay_min,
        gap_min: Some(gap_min),
        line: Some(line.to_owned()),
        bound: Some(bounds[usize::from(random.chance(0.5))].to_owned()),
        fault_code: Some(code.to_owned()),
        fault_group: group.map(str::to_owned),
        is_failure: matches!(cause, Cause::Failure(_)),
        car_number: Some(format!("{}-{}", vehicle.asset_id, car + 1)),
        mileage_km: Some(vehicle.mileage_km()),
    }
}

/// The line that a vehicle runs on and its two directions.
fn line(kind: Kind, random: &mut Random) -> (&'static str, [&'static str; 2]) {
    match kind {
        Kind::TwoCar => ("Line 2", ["E", "W"]),
        Kind::SixCar if random.chance(SHORT_LINE_SHARE) => ("Line 4", ["E", "W"]),
        Kind::SixCar => ("Line 1", ["N", "S"]),
    }
}

fn tell_breakdown(
    vehicle: &mut Vehicle,
    incident: &Incident,
    at: i64,
    correlation: Uuid,
    outbox: &mut Outbox,
) {
    let group = incident.fault_group.as_deref().unwrap_or_default();
    let breakdown = Breakdown {
        description: Some(format!("Taken out of service: {group}")),
        severity: Some(if incident.delay_min >= 15 {
            "critical"
        } else {
            "high"
        }),
        fault_code: incident.fault_code.clone(),
        fault_group: incident.fault_group.clone(),
        location: incident.line.clone(),
        mileage_km: incident.mileage_km,
    };
    let mut happening =
        vehicle.happening(event::breakdown_reported(&breakdown), at, vehicle.tablet());
    happening.correlation = Some(correlation);
    outbox.put(happening);
    vehicle.breakdowns += 1;
    vehicle.take_status(
        "out_of_service",
        at + MINUTE,
        Reporter::Desk("dispatcher"),
        outbox,
    );
}

const _: () = assert!(BREAKDOWN_CHANCE.len() == GROUPS.len());

//! Facts with their sums by local day, kept as events come.
//!
//! A [`Row`] holds what one day adds to every sum of the whole fleet, and who had a part in it. A fact that comes late
//! changes the rows of its own day and of what directly follows it on the same vehicle or order, and no other. All sums
//! are whole numbers, so the order in which events arrive changes nothing, and rows of several stores merge by adding.
//!
//! Nothing is kept by vehicle and day: a vehicle's own history is short, in order of time, and is walked as it is.
//! What lasts (a standing, an open order) is kept as a change in how many there are, on the day on which it changes, so a
//! vehicle that stands still for years costs nothing.

mod few;
mod part;
mod query;
pub mod sums;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;

use crate::facts::{
    Acquired, DepartureFacts, Facts, Incident, OrderFacts, Reading, Standing, StandingSince,
    TaskFacts, VehicleFacts, Work,
};
use crate::kpi::measure::FIXED_AFTER;
pub use query::{Between, Taken};
use sums::Sums;

/// A local day: from `begin`, inclusive, to `end`, exclusive, microseconds since 1970 UTC. 23 to 25 hours where the clock
/// is changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Day {
    /// Its first moment.
    pub begin: i64,
    /// The first moment of the next one.
    pub end: i64,
}

/// What one day adds, and who adds it.
#[derive(Clone, Debug)]
struct Row {
    day: Day,
    sums: Sums,
    vehicles: Vec<u32>,
    orders: Vec<u32>,
    tasks: Vec<u32>,
    /// Vehicles have a part in it at this time at the latest, or earlier.
    latest: i64,
}

impl Row {
    fn list_vehicle(&mut self, vehicle: usize, at: i64) {
        list(&mut self.vehicles, vehicle);
        self.latest = self.latest.max(at);
    }
}

/// What belongs to one vehicle beside its own history.
#[derive(Clone, Debug, Default)]
struct Belongings {
    orders: Vec<u32>,
    tasks: Vec<u32>,
    /// Corrective orders by when they were created.
    corrective: BTreeSet<(i64, u32)>,
    /// Corrective orders by when they ended.
    corrected: BTreeSet<(i64, u32)>,
    /// What the vehicle was bought for.
    acquired: Option<Acquired>,
}

impl Belongings {
    /// Whether the vehicle did not come back after this order.
    fn fixed(&self, order: &OrderFacts) -> bool {
        let Some(ended) = order.ended else {
            return true;
        };
        let after = Bound::Excluded((ended.max(order.created), u32::MAX));
        let next = self.corrective.range((after, Bound::Unbounded)).next();
        next.is_none_or(|(created, _)| created - ended >= FIXED_AFTER)
    }
}

/// Facts and their sums.
pub struct Store {
    facts: Facts,
    calendar: Box<dyn Fn(i64) -> Day + Send + Sync>,
    /// In the order of their days.
    rows: Vec<Row>,
    /// By vehicle: when it was required; the last span may be open.
    required: Vec<Vec<(i64, i64)>>,
    belongings: HashMap<Arc<str>, Belongings>,
    /// Names that stand in orders and tasks, each kept once.
    names: HashSet<Arc<str>>,
    /// Orders that nobody ended or gave up.
    open: BTreeSet<u32>,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Store")
            .field("vehicles", &self.facts.vehicles.len())
            .field("orders", &self.facts.orders.len())
            .field("days", &self.rows.len())
            .finish_non_exhaustive()
    }
}

impl Store {
    /// An empty store whose days are those of `calendar`, which says the local day of a moment.
    pub fn new(calendar: impl Fn(i64) -> Day + Send + Sync + 'static) -> Self {
        Store {
            facts: Facts::default(),
            calendar: Box::new(calendar),
            rows: Vec::new(),
            required: Vec::new(),
            belongings: HashMap::new(),
            names: HashSet::new(),
            open: BTreeSet::new(),
        }
    }

    /// The facts.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Days on which something happened.
    pub fn days(&self) -> usize {
        self.rows.len()
    }

    /// A vehicle that was not known; gives its number.
    pub fn add_vehicle(&mut self, asset_id: &str) -> usize {
        let new = (asset_id.into(), VehicleFacts::default());
        self.facts.vehicles.push(new);
        self.required.push(Vec::new());
        self.facts.vehicles.len() - 1
    }

    /// A vehicle has a standing.
    pub fn stands(&mut self, vehicle: usize, since: StandingSince) {
        let known = &self.facts.vehicles[vehicle].1.standings;
        let key = |one: &StandingSince| (one.at, one.position());
        let place = known.partition_point(|one| key(one) <= key(&since));
        if place == known.len() {
            self.facts.vehicles[vehicle].1.stands(since);
            let row = row_at(&mut self.rows, &*self.calendar, since.at);
            part::standing(
                &self.facts.vehicles[vehicle].1,
                place,
                row.day.end,
                &mut row.sums,
            );
            row.list_vehicle(vehicle, since.at);
            self.require(vehicle, &since);
            return;
        }
        let mut times = vec![since.at, known[place].at];
        let behind = known[place..].iter();
        let up = behind.clone().find(|one| !one.standing().is_down());
        times.extend(up.map(|one| one.at));
        let mut down = behind.take_while(|one| one.standing().is_down());
        let failed = down.find(|one| one.standing() == Standing::Failed);
        times.extend(failed.map(|one| one.at));
        self.rework(vehicle, &times, |facts| facts.stands(since));
        self.required[vehicle].clear();
        for index in 0..self.facts.vehicles[vehicle].1.standings.len() {
            let since = self.facts.vehicles[vehicle].1.standings[index];
            self.require(vehicle, &since);
        }
    }

    fn require(&mut self, vehicle: usize, since: &StandingSince) {
        let spans = &mut self.required[vehicle];
        let is_open = spans.last().is_some_and(|(_, until)| *until == i64::MAX);
        match (is_open, since.standing().is_required()) {
            (false, true) => spans.push((since.at, i64::MAX)),
            (true, false) => {
                if let Some((_, until)) = spans.last_mut() {
                    *until = since.at;
                }
            }
            _ => {}
        }
    }

    /// A vehicle's odometer was read.
    pub fn read(&mut self, vehicle: usize, reading: Reading) {
        let known = &self.facts.vehicles[vehicle].1.readings;
        let key = |one: &Reading| (one.at, one.position);
        let place = known.partition_point(|one| key(one) <= key(&reading));
        if place == known.len() {
            self.facts.vehicles[vehicle].1.read(reading);
            let row = row_at(&mut self.rows, &*self.calendar, reading.at);
            part::reading(&self.facts.vehicles[vehicle].1, place, &mut row.sums);
            row.list_vehicle(vehicle, reading.at);
            return;
        }
        let times = [reading.at, known[place].at];
        self.rework(vehicle, &times, |facts| facts.read(reading));
    }

    /// Something befell a vehicle.
    pub fn suffers(&mut self, vehicle: usize, incident: Incident) {
        self.facts.vehicles[vehicle].1.suffers(incident);
        let row = row_at(&mut self.rows, &*self.calendar, incident.at);
        row.sums.failures += i64::from(incident.is_failure);
        row.list_vehicle(vehicle, incident.at);
    }

    /// Changes a vehicle's history, and the days of these times with it.
    fn rework(&mut self, vehicle: usize, times: &[i64], change: impl FnOnce(&mut VehicleFacts)) {
        let days = self.days_of(times.iter().copied());
        for at in times {
            row_at(&mut self.rows, &*self.calendar, *at).list_vehicle(vehicle, *at);
        }
        for sign in [-1, 1] {
            if sign == 1 {
                change(&mut self.facts.vehicles[vehicle].1);
                return self.count_vehicle(vehicle, &days, 1);
            }
            self.count_vehicle(vehicle, &days, sign);
        }
    }

    /// Sets what a vehicle was bought for.
    pub fn set_acquired(&mut self, vehicle: usize, acquired: Option<Acquired>) {
        let (asset_id, facts) = &self.facts.vehicles[vehicle];
        let before = facts.acquired.map(|old| old.at);
        let after = acquired.map(|new| new.at);
        let times: Vec<i64> = before.into_iter().chain(after).collect();
        let name = self.share(&asset_id.clone());
        let of = self.belongings.entry(Arc::clone(&name)).or_default();
        let orders = of.orders.clone();
        for order in &orders {
            self.count_order(*order, -1);
        }
        if let Some(of) = self.belongings.get_mut(&name) {
            of.acquired = acquired;
        }
        for order in &orders {
            self.count_order(*order, 1);
        }
        self.rework(vehicle, &times, |facts| facts.acquired = acquired);
    }

    fn count_vehicle(&mut self, vehicle: usize, days: &[Day], sign: i64) {
        for day in days {
            let row = row_at(&mut self.rows, &*self.calendar, day.begin);
            let mut sums = Sums::default();
            part::vehicle(
                &self.facts.vehicles[vehicle].1,
                day.begin,
                day.end,
                &mut sums,
            );
            row.sums.plus(&sums, sign);
        }
    }

    /// The days of these times, each once. They have rows from now on.
    fn days_of(&mut self, times: impl Iterator<Item = i64>) -> Vec<Day> {
        let mut days: Vec<Day> = Vec::new();
        for at in times {
            let day = row_at(&mut self.rows, &*self.calendar, at).day;
            if !days.contains(&day) {
                days.push(day);
            }
        }
        days
    }

    /// The one copy that is kept of a name.
    pub fn share(&mut self, name: &str) -> Arc<str> {
        if let Some(kept) = self.names.get(name) {
            return Arc::clone(kept);
        }
        let kept: Arc<str> = name.into();
        self.names.insert(Arc::clone(&kept));
        kept
    }

    /// Sets what an order is; `index` is that of an order, or the next one.
    pub fn set_order(&mut self, index: usize, mut order: OrderFacts) {
        let names = [
            Some(&mut order.vehicle),
            order.workshop.as_mut(),
            order.kind.as_mut(),
        ];
        for name in names.into_iter().flatten() {
            *name = self.share(name);
        }
        let number = id(index);
        let old = self.facts.orders.get(index);
        let key = |order: &OrderFacts| {
            let counts = order.work == Work::Corrective && !order.is_void;
            (counts, order.created, order.vehicle.clone())
        };
        // Orders before it, after which the vehicle came back with it or did not.
        let mut touched = BTreeSet::new();
        if old.map(key) != Some(key(&order)) {
            for order in old.into_iter().chain([&order]) {
                self.followed_by(order, &mut touched);
            }
        }
        let is_new = old.is_none();
        touched.insert(number);
        for other in touched
            .iter()
            .filter(|other| !(is_new && **other == number))
        {
            self.count_order(*other, -1);
        }
        if let Some(old) = self.facts.orders.get(index) {
            let of = self.belongings.entry(old.vehicle.clone()).or_default();
            of.corrective.remove(&(old.created, number));
            if let Some(ended) = old.ended {
                of.corrected.remove(&(ended, number));
            }
            if old.vehicle != order.vehicle {
                of.orders.retain(|other| *other != number);
            }
        }
        if order.ended.is_none() && !order.is_void {
            self.open.insert(number);
        } else {
            self.open.remove(&number);
        }
        let of = self.belongings.entry(order.vehicle.clone()).or_default();
        if order.work == Work::Corrective && !order.is_void && !order.vehicle.is_empty() {
            of.corrective.insert((order.created, number));
            of.corrected
                .extend(order.ended.map(|ended| (ended, number)));
        }
        match self.facts.orders.get_mut(index) {
            Some(known) => {
                if known.vehicle != order.vehicle {
                    of.orders.push(number);
                }
                *known = order;
            }
            None => {
                of.orders.push(number);
                self.facts.orders.push(order);
            }
        }
        for other in touched {
            self.count_order(other, 1);
        }
    }

    /// Corrective orders of the same vehicle that ended less than 30 days before this one was created.
    fn followed_by(&self, order: &OrderFacts, found: &mut BTreeSet<u32>) {
        if order.work != Work::Corrective || order.is_void {
            return;
        }
        if let Some(of) = self.belongings.get(&order.vehicle) {
            let after = order.created.saturating_sub(FIXED_AFTER);
            let ended = of.corrected.range((after, 0)..(order.created, 0));
            found.extend(ended.map(|(_, number)| *number));
        }
    }

    fn around(&self, order: &OrderFacts) -> part::Around {
        let of = self.belongings.get(&order.vehicle);
        part::Around {
            fixed: of.is_none_or(|of| of.fixed(order)),
            acquired: of.and_then(|of| of.acquired),
        }
    }

    fn count_order(&mut self, number: u32, sign: i64) {
        let order = &self.facts.orders[number as usize];
        let around = self.around(order);
        let times: Vec<i64> = part::order_times(order).collect();
        for day in self.days_of(times.into_iter()) {
            let mut sums = Sums::default();
            let order = &self.facts.orders[number as usize];
            part::order(order, || around, day.begin, day.end, &mut sums);
            let row = row_at(&mut self.rows, &*self.calendar, day.begin);
            row.sums.plus(&sums, sign);
            list(&mut row.orders, number as usize);
        }
    }

    /// Sets what a task is; `index` is that of a task, or the next one.
    pub fn set_task(&mut self, index: usize, mut task: TaskFacts) {
        task.vehicle = self.share(&task.vehicle);
        let number = id(index);
        let old_vehicle = self.facts.tasks.get(index).map(|old| old.vehicle.clone());
        if old_vehicle.is_some() {
            self.count_task(number, -1);
        }
        if old_vehicle.as_ref() != Some(&task.vehicle) {
            if let Some(of) = old_vehicle.and_then(|old| self.belongings.get_mut(&old)) {
                of.tasks.retain(|other| *other != number);
            }
            let of = self.belongings.entry(task.vehicle.clone()).or_default();
            of.tasks.push(number);
        }
        match self.facts.tasks.get_mut(index) {
            Some(known) => *known = task,
            None => self.facts.tasks.push(task),
        }
        self.count_task(number, 1);
    }

    fn count_task(&mut self, number: u32, sign: i64) {
        let task = &self.facts.tasks[number as usize];
        if task.is_void {
            return;
        }
        let times: Vec<i64> = part::task_times(task).collect();
        for day in self.days_of(times.into_iter()) {
            let mut sums = Sums::default();
            part::task(
                &self.facts.tasks[number as usize],
                day.begin,
                day.end,
                &mut sums,
            );
            let row = row_at(&mut self.rows, &*self.calendar, day.begin);
            row.sums.plus(&sums, sign);
            list(&mut row.tasks, number as usize);
        }
    }

    /// The facts of one vehicle alone: its history, its orders and tasks.
    pub fn only(&self, asset_id: &str, vehicle: Option<usize>) -> Facts {
        let mut facts = Facts::default();
        facts
            .vehicles
            .extend(vehicle.map(|vehicle| self.facts.vehicles[vehicle].clone()));
        if let Some(of) = self.belongings.get(asset_id) {
            let orders = of.orders.iter();
            facts
                .orders
                .extend(orders.map(|number| self.facts.orders[*number as usize].clone()));
            let tasks = of.tasks.iter();
            facts
                .tasks
                .extend(tasks.map(|number| self.facts.tasks[*number as usize].clone()));
        }
        let number = vehicle.map(id);
        let departures = self.facts.departures.iter();
        let its_own = departures.filter(|one| number.is_some() && one.vehicle == number);
        facts.departures = its_own
            .map(|one| DepartureFacts {
                vehicle: Some(0),
                ..*one
            })
            .collect();
        facts
    }
}

/// The row of the day that holds `at`; a new one where nothing happened on that day so far.
fn row_at<'a>(
    rows: &'a mut Vec<Row>,
    calendar: &(dyn Fn(i64) -> Day + Send + Sync),
    at: i64,
) -> &'a mut Row {
    let is_last = rows
        .last()
        .is_some_and(|last| last.day.begin <= at && at < last.day.end);
    let place = if is_last {
        rows.len() - 1
    } else {
        rows.partition_point(|row| row.day.end <= at)
    };
    if rows.get(place).is_none_or(|row| at < row.day.begin) {
        let mut day = calendar(at);
        // Days never overlap, whatever a zone did to its calendar.
        let before = place.checked_sub(1).map(|before| rows[before].day.end);
        day.begin = before.map_or(day.begin, |end| day.begin.max(end)).min(at);
        let behind = rows.get(place).map(|row| row.day.begin);
        day.end = behind
            .map_or(day.end, |begin| day.end.min(begin))
            .max(at.saturating_add(1));
        let row = Row {
            day,
            sums: Sums::default(),
            vehicles: Vec::new(),
            orders: Vec::new(),
            tasks: Vec::new(),
            latest: i64::MIN,
        };
        rows.insert(place, row);
    }
    &mut rows[place]
}

/// Puts a number into a list in order, once.
fn list(numbers: &mut Vec<u32>, index: usize) {
    let number = id(index);
    match numbers.last() {
        Some(last) if *last == number => {}
        Some(last) if *last < number => numbers.push(number),
        None => numbers.push(number),
        Some(_) => {
            if let Err(place) = numbers.binary_search(&number) {
                numbers.insert(place, number);
            }
        }
    }
}

/// An index as it is kept: more than four billion vehicles or orders are not held in memory.
fn id(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

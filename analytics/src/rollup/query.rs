//! Figures from the sums: whole days are added up, and of a day that an edge cuts only those who had a part in it are
//! looked at.

use super::sums::Sums;
use super::{Row, Store, part};
use crate::facts::{Facts, OrderFacts};
use crate::kpi::measure::staff::capacity_in_all;
use crate::kpi::{Figure, Kpi, Selection};

/// What the sums come to over one bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Between {
    /// What happened in it.
    pub happened: Sums,
    /// What lasted in it, up to the present.
    pub lasted: Sums,
    /// What was to happen in it, up to and with the present.
    pub planned: Sums,
    /// What lasts at its end, or at present where that is earlier.
    pub at_end: Sums,
    /// Vehicles that were required for some of it.
    pub required: i64,
    /// What the staff can do at its end, minutes a week.
    pub capacity: i64,
}

/// Of whom sums of a part of a day are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    All,
    Orders,
}

/// Figures over a selection, all from one look at the store.
#[derive(Debug)]
pub enum Taken<'a> {
    /// Of the whole fleet: sums, a bucket each, and the facts of what is few.
    Fleet(Vec<Between>, &'a Facts, Selection<'a>),
    /// Of one vehicle: its facts, which are walked.
    Vehicle(Box<Facts>, Selection<'a>),
}

impl Taken<'_> {
    /// A figure, a bucket each.
    pub fn figures(&self, kpi: &Kpi) -> Vec<Figure> {
        match self {
            Taken::Fleet(buckets, facts, selection) => kpi
                .rolled(buckets)
                .unwrap_or_else(|| kpi.figures(facts, selection)),
            Taken::Vehicle(facts, selection) => kpi.figures(facts, selection),
        }
    }
}

impl Store {
    /// Looks once; `vehicle` is the number of the vehicle that the selection names, where there is one.
    pub fn take<'a>(&'a self, selection: &Selection<'a>, vehicle: Option<usize>) -> Taken<'a> {
        match selection.vehicle {
            Some(asset_id) => Taken::Vehicle(Box::new(self.only(asset_id, vehicle)), *selection),
            None => Taken::Fleet(self.between(selection), &self.facts, *selection),
        }
    }

    /// What the sums come to, a bucket each, of the whole fleet.
    pub fn between(&self, selection: &Selection<'_>) -> Vec<Between> {
        let now = selection.now;
        let with_now = now.saturating_add(1);
        let mut instants = selection.edges.to_vec();
        instants.extend([now, with_now]);
        instants.sort_unstable();
        instants.dedup();
        let running = self.running(&instants, Whose::All);
        let until = |at: i64| match instants.binary_search(&at) {
            Ok(place) => &running[place],
            Err(_) => &running[0],
        };
        let required = self.required(selection);
        let buckets = selection.edges.windows(2).zip(required);
        buckets
            .map(|(ends, required)| {
                let (from, to) = (ends[0], ends[1]);
                Between {
                    happened: until(to).since(until(from)),
                    lasted: until(to.min(now)).since(until(from.min(now))),
                    planned: until(to.min(with_now)).since(until(from.min(with_now))),
                    at_end: *until(to.min(now)),
                    required,
                    capacity: capacity_in_all(&self.facts, to.min(now)),
                }
            })
            .collect()
    }

    /// The sums of what happened to orders, a bucket each, from `edges[i]`, inclusive, to `edges[i + 1]`, exclusive; what
    /// lasts is not among them. One bucket less than there are edges, which ascend.
    pub fn orders_happened(&self, edges: &[i64]) -> Vec<Sums> {
        let running = self.running(edges, Whose::Orders);
        let buckets = running.windows(2);
        buckets.map(|ends| ends[1].since(&ends[0])).collect()
    }

    /// Orders that nobody ended or gave up, in the order in which they came.
    pub fn open_orders(&self) -> impl Iterator<Item = &OrderFacts> {
        let numbers = self.open.iter();
        numbers.map(|number| &self.facts.orders[*number as usize])
    }

    /// Orders for which `time` gives one from `from`, inclusive, to `to`, exclusive: one of the times that an order has.
    /// Only the days in between are looked at.
    pub fn orders_by<'a>(
        &'a self,
        time: impl Fn(&OrderFacts) -> Option<i64>,
        from: i64,
        to: i64,
        mut visit: impl FnMut(&'a OrderFacts, i64),
    ) {
        let first = self.rows.partition_point(|row| row.day.end <= from);
        let rows = self.rows[first..].iter();
        for row in rows.take_while(|row| row.day.begin < to) {
            let (from, to) = (from.max(row.day.begin), to.min(row.day.end));
            for number in &row.orders {
                let order = &self.facts.orders[*number as usize];
                // An order stands on each of its days; it is visited on the one that holds the time.
                if let Some(at) = time(order).filter(|at| from <= *at && *at < to) {
                    visit(order, at);
                }
            }
        }
    }

    /// The sums over all of time.
    pub fn in_all(&self) -> Sums {
        let mut sums = Sums::default();
        for row in &self.rows {
            sums.plus(&row.sums, 1);
        }
        sums
    }

    /// The sums of everything before each of these instants, which ascend.
    fn running(&self, instants: &[i64], whose: Whose) -> Vec<Sums> {
        let mut sums = Sums::default();
        let mut at = 0_i64;
        let mut rows = self.rows.iter().peekable();
        let mut found = Vec::with_capacity(instants.len());
        for instant in instants {
            while let Some(row) = rows.next_if(|row| row.day.end <= *instant) {
                sums.pass(row.day.end.wrapping_sub(at));
                sums.plus(&row.sums, 1);
                at = row.day.end;
            }
            let mut here = sums;
            here.pass(instant.wrapping_sub(at));
            if let Some(row) = rows.peek().filter(|row| row.day.begin < *instant) {
                here.plus(&self.part_of(row, *instant, whose), 1);
            }
            found.push(here);
        }
        found
    }

    /// What a day adds before an instant in it.
    fn part_of(&self, row: &Row, until: i64, whose: Whose) -> Sums {
        let from = row.day.begin;
        if whose == Whose::All && row.latest < until {
            // Vehicles do nothing more on this day: only what is planned is yet to come, and is taken away.
            let mut sums = row.sums;
            sums.plus(&self.planned_of(row, until, row.day.end, whose), -1);
            sums.pass(until.wrapping_sub(row.day.end));
            return sums;
        }
        let mut sums = self.planned_of(row, from, until, whose);
        if whose == Whose::All {
            for number in &row.vehicles {
                let (_, vehicle) = &self.facts.vehicles[*number as usize];
                part::vehicle(vehicle, from, until, &mut sums);
            }
        }
        sums
    }

    /// What orders and tasks of a day add in some of it.
    fn planned_of(&self, row: &Row, from: i64, until: i64, whose: Whose) -> Sums {
        let mut sums = Sums::default();
        for number in &row.orders {
            let order = &self.facts.orders[*number as usize];
            part::order(order, || self.around(order), from, until, &mut sums);
        }
        if whose == Whose::All {
            for number in &row.tasks {
                part::task(&self.facts.tasks[*number as usize], from, until, &mut sums);
            }
        }
        sums
    }

    /// How many vehicles were required for some of each bucket.
    fn required(&self, selection: &Selection<'_>) -> Vec<i64> {
        let edges = selection.edges;
        let buckets = selection.buckets();
        // Changes at each bucket; the last one is behind the end.
        let mut changes = vec![0_i64; buckets + 1];
        for spans in &self.required {
            let mut counted = 0;
            for (from, until) in spans {
                let from = (*from).max(edges[0]);
                let until = (*until).min(selection.now).min(edges[buckets]);
                if until <= from {
                    continue;
                }
                let first = edges.partition_point(|edge| *edge <= from) - 1;
                let behind = edges.partition_point(|edge| *edge < until);
                let first = first.max(counted);
                if first < behind {
                    changes[first] += 1;
                    changes[behind] -= 1;
                    counted = behind;
                }
            }
        }
        let mut count = 0;
        changes.truncate(buckets);
        for change in &mut changes {
            count += *change;
            *change = count;
        }
        changes
    }
}

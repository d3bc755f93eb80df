//! Every event in packed columns: when, on which local day, of which kind, about whom, and how much.
//!
//! Rows stand in segments of [`SEGMENT_ROWS`] in the order of the log, with the least and greatest time of each, so a
//! question about a time skips what lies outside. A full segment is packed; the last one is as it came. Beside them stand count, sum, least and greatest amount by kind and
//! local day: whole days are answered from there, and only the days that an end of the time cuts are looked at row by
//! row. Amounts are whole numbers (hundredths, pieces), so sums are exact in any order.

mod bins;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use crate::rollup::Day;
use bins::Bins;
use segment::Segment;

/// Rows of one segment; few where tests are to fill some.
const SEGMENT_ROWS: usize = if cfg!(test) { 50 } else { 16_384 };
/// Kinds that get a name of their own; what comes behind shares the last.
const KINDS_MAX: usize = u16::MAX as usize;
/// Nobody in particular.
pub const NOBODY: u32 = u32::MAX;

/// What some rows come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// How many.
    pub count: u64,
    /// The sum of their amounts.
    pub sum: i64,
    /// The least amount; `i64::MAX` of no rows.
    pub min: i64,
    /// The greatest amount; `i64::MIN` of no rows.
    pub max: i64,
}

impl Default for Cell {
    fn default() -> Self {
        Cell {
            count: 0,
            sum: 0,
            min: i64::MAX,
            max: i64::MIN,
        }
    }
}

impl Cell {
    fn add(&mut self, amount: i64) {
        self.count += 1;
        self.sum = self.sum.wrapping_add(amount);
        self.min = self.min.min(amount);
        self.max = self.max.max(amount);
    }

    /// Takes in what other rows come to.
    pub fn merge(&mut self, other: &Cell) {
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }
}

/// Names with their numbers, in the order in which they came.
#[derive(Debug, Default)]
pub struct Names {
    names: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Names {
    /// The number of a name; a new one where it has none.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(NOBODY);
        self.names.push(name.into());
        self.numbers.insert(name.into(), number);
        number
    }

    /// The number of a name that came.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name of a number.
    pub fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// Which rows are meant.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// From this time, inclusive.
    pub from: i64,
    /// To this time, exclusive.
    pub to: i64,
    /// Of this kind only.
    pub kind: Option<u16>,
    /// About this one only.
    pub who: Option<u32>,
}

impl Filter {
    /// All rows.
    pub const ALL: Filter = Filter {
        from: i64::MIN,
        to: i64::MAX,
        kind: None,
        who: None,
    };
}

/// One event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// When it happened.
    pub at: i64,
    /// Its local day, from 1970 on; days before and after 2149 are the first and the last.
    pub day: u16,
    /// Its kind's number.
    pub kind: u16,
    /// About whom; [`NOBODY`] where it is about nobody in particular.
    pub who: u32,
    /// How much.
    pub amount: i64,
}

/// The columns.
#[derive(Debug, Default)]
pub struct Columns {
    segments: Vec<Segment>,
    /// The last rows, of which no segment is made yet.
    open: Vec<Row>,
    rows: u64,
    kinds: Names,
    who: Names,
    /// By kind: what each local day comes to, in the order of the days.
    by_day: Vec<Vec<(Day, Cell)>>,
    /// Days that were met, by their begin, with their numbers.
    days: BTreeMap<i64, (Day, u16)>,
    latest: Option<(Day, u16)>,
}

impl Columns {
    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The number of a kind that came.
    pub fn kind(&self, name: &str) -> Option<u16> {
        self.kinds
            .find(name)
            .and_then(|number| u16::try_from(number).ok())
    }

    /// About whom rows are.
    pub fn who(&self) -> &Names {
        &self.who
    }

    /// The same, to give numbers.
    pub fn who_mut(&mut self) -> &mut Names {
        &mut self.who
    }

    /// Takes in an event. `calendar` gives the local day of a moment, with its number from 1970 on.
    pub fn push(
        &mut self,
        kind: &str,
        at: i64,
        who: u32,
        amount: i64,
        calendar: &dyn Fn(i64) -> (Day, u16),
    ) {
        let kind = if self.kinds.len() < KINDS_MAX {
            self.kinds.number(kind)
        } else {
            self.kinds.find(kind).unwrap_or(u32::from(u16::MAX) - 1)
        };
        let (day, number) = self.day_of(at, calendar);
        let kind = u16::try_from(kind).unwrap_or(u16::MAX);
        self.push_row(
            Row {
                at,
                day: number,
                kind,
                who,
                amount,
            },
            day,
        );
    }

    fn day_of(&mut self, at: i64, calendar: &dyn Fn(i64) -> (Day, u16)) -> (Day, u16) {
        let holds = |(day, _): &(Day, u16)| day.begin <= at && at < day.end;
        if let Some(latest) = self.latest.filter(holds) {
            return latest;
        }
        let known = self.days.range(..=at).next_back().map(|(_, day)| *day);
        let found = known.filter(holds).unwrap_or_else(|| calendar(at));
        self.days.insert(found.0.begin, found);
        self.latest = Some(found);
        found
    }

    /// Takes in a row whose kind has this number already.
    pub fn push_row(&mut self, row: Row, day: Day) {
        self.open.push(row);
        if self.open.len() == SEGMENT_ROWS {
            self.segments.push(Segment::of(&self.open));
            self.open.clear();
        }
        self.rows += 1;
        let kind = usize::from(row.kind);
        if self.by_day.len() <= kind {
            self.by_day.resize_with(kind + 1, Vec::new);
        }
        let days = &mut self.by_day[kind];
        let place = match days.last() {
            Some((last, _)) if last.begin == day.begin => days.len() - 1,
            Some((last, _)) if last.begin < day.begin => days.len(),
            _ => days.partition_point(|(known, _)| known.begin < day.begin),
        };
        if days
            .get(place)
            .is_none_or(|(known, _)| known.begin != day.begin)
        {
            days.insert(place, (day, Cell::default()));
        }
        days[place].1.add(row.amount);
    }

    /// What rows of a kind come to: whole days from the sums by day, the rest row by row.
    pub fn total(&self, kind: u16, from: i64, to: i64) -> Cell {
        self.by_edges(kind, &[from, to])[0]
    }

    /// The same, a bucket each: bucket i holds times from `edges[i]`, inclusive, to `edges[i + 1]`, exclusive.
    pub fn by_edges(&self, kind: u16, edges: &[i64]) -> Vec<Cell> {
        let mut cells = vec![Cell::default(); edges.len().saturating_sub(1)];
        let days = self.by_day.get(usize::from(kind));
        let days = days.map_or(&[][..], Vec::as_slice);
        for (bucket, ends) in edges.windows(2).enumerate() {
            let (from, to) = (ends[0], ends[1]);
            let first = days.partition_point(|(day, _)| day.end <= from);
            for (day, cell) in days[first..].iter().take_while(|(day, _)| day.begin < to) {
                if from <= day.begin && day.end <= to {
                    cells[bucket].merge(cell);
                    continue;
                }
                let filter = Filter {
                    from: from.max(day.begin),
                    to: to.min(day.end),
                    kind: Some(kind),
                    who: None,
                };
                self.each(&filter, |row| cells[bucket].add(row.amount));
            }
        }
        cells
    }

    /// Visits the rows that are meant, in the order of the log.
    pub fn each(&self, filter: &Filter, mut visit: impl FnMut(&Row)) {
        for segment in &self.segments {
            segment.each(filter, &mut visit);
        }
        let is_meant = |row: &&Row| {
            filter.from <= row.at
                && row.at < filter.to
                && filter.kind.is_none_or(|kind| kind == row.kind)
                && filter.who.is_none_or(|who| who == row.who)
        };
        self.open.iter().filter(is_meant).for_each(visit);
    }

    /// What the rows that are meant come to, by whom they are about: only of those that have any; rows about nobody are left
    /// out.
    pub fn by_who(&self, filter: &Filter) -> HashMap<u32, Cell> {
        let mut cells: HashMap<u32, Cell> = HashMap::new();
        self.each(filter, |row| {
            if row.who != NOBODY {
                cells.entry(row.who).or_default().add(row.amount);
            }
        });
        cells
    }

    /// Count and sum by group of days and group of whom: `of_day` has a group for each day number, `of_who` one for each
    /// number. Groups of days go over rows, groups of whom over columns.
    pub fn by_groups(&self, of_day: &[u16], of_who: &[u8], columns: usize) -> Vec<(u64, i64)> {
        let groups = of_day.iter().max().map_or(0, |most| usize::from(*most) + 1);
        let mut found = vec![(0, 0_i64); groups * columns];
        let mut add = |day: usize, who: usize, amount: i64| {
            let (Some(group), Some(column)) = (of_day.get(day), of_who.get(who)) else {
                return;
            };
            let place = usize::from(*group) * columns + usize::from(*column);
            if let Some((count, sum)) = found.get_mut(place) {
                *count += 1;
                *sum = sum.wrapping_add(amount);
            }
        };
        for segment in &self.segments {
            segment.each_chunk(|chunk, rows| {
                let days = chunk.day[..rows].iter().zip(&chunk.who);
                for ((day, who), amount) in days.zip(&chunk.amount) {
                    add(*day as usize, *who as usize, *amount);
                }
            });
        }
        for row in &self.open {
            add(usize::from(row.day), row.who as usize, row.amount);
        }
        found
    }

    /// Sums by whom.
    pub fn sums_by_who(&self) -> Vec<i64> {
        let mut sums = vec![0_i64; self.who.len()];
        let mut add = |who: usize, amount: i64| {
            if let Some(sum) = sums.get_mut(who) {
                *sum = sum.wrapping_add(amount);
            }
        };
        for segment in &self.segments {
            segment.each_chunk(|chunk, rows| {
                for (who, amount) in chunk.who[..rows].iter().zip(&chunk.amount) {
                    add(*who as usize, *amount);
                }
            });
        }
        for row in &self.open {
            add(row.who as usize, row.amount);
        }
        sums
    }

    /// How many rows have an amount in each of `bins` bins of `width` from `low` on: what lies below, the bins, and what
    /// lies above.
    pub fn histogram(&self, low: i64, width: i64, bins: usize) -> (u64, Vec<u64>, u64) {
        // The first and the last count what lies outside. Neighbouring rows count in tables of their own, so that no row
        // waits for the one before it.
        let mut tables = vec![[0_u64; 4]; bins + 2];
        let found = Bins::new(low, width, bins);
        let mut add = |amounts: &[i64]| {
            let mut places = [0_u32; segment::CHUNK_ROWS];
            found.find(amounts, &mut places);
            for (turn, place) in places[..amounts.len()].iter().enumerate() {
                tables[*place as usize][turn % 4] += 1;
            }
        };
        for segment in &self.segments {
            segment.each_amounts(&mut add);
        }
        for rows in self.open.chunks(segment::CHUNK_ROWS) {
            let amounts: Vec<i64> = rows.iter().map(|row| row.amount).collect();
            add(&amounts);
        }
        let mut counts: Vec<u64> = tables.iter().map(|table| table.iter().sum()).collect();
        let above = counts.pop().unwrap_or(0);
        let below = counts.remove(0);
        (below, counts, above)
    }
}

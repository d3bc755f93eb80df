//! Parts of an aggregate type's list: narrowed, searched, in an order.
//!
//! A list that is narrowed by one filter or none is a list of ordinals already: any part of it is found by its rank. A
//! second filter is tested row by row along the shorter list; a search gives a set first. No row is unpacked but those
//! of the answer, and those outside the lock.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::ops::Range;

use fleet::listing::time_bytes;
use thiserror::Error;

use super::query::{Catalog, Entry};
use super::sorted::Sorted;
use super::table::{SortKey, Table};
use super::{OfType, Row};
use crate::projection::projector::read;
use crate::projection::read_model::Answer;

/// Hits of a search up to which they are sorted; of more, the list is walked until the part is full.
const SORTED_HITS_MAX: usize = 1_024;

/// Which rows are meant, and which part of their list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// Their type.
    pub aggregate_type: &'static str,
    /// Values of the listing's filters, all of which must be met.
    pub filters: Vec<(&'static str, String)>,
    /// A filter of the listing and several values, one of which must be met.
    pub any_of: Option<(&'static str, Vec<String>)>,
    /// Texts for the listing's searches, in any case, all of which must be found. An empty one is found everywhere.
    pub searches: Vec<(&'static str, String)>,
    /// Which of the listing's orders.
    pub order: usize,
    /// For an order by time: from this time on, microseconds since 1970 UTC. Rows without a time are left out.
    pub from: Option<i64>,
    /// For an order by time: before this time. Rows without a time are left out.
    pub until: Option<i64>,
    /// How many to pass over.
    pub skip: usize,
    /// How many to give at most.
    pub limit: usize,
    /// The `next` of the part before.
    pub cursor: Option<String>,
}

impl Ask {
    /// Asks for rows with one of these values only.
    pub fn narrow_to_any(&mut self, filter: &'static str, mut values: Vec<String>) {
        match (values.pop(), values.is_empty()) {
            // By one value there is a list already.
            (Some(value), true) => self.filters.push((filter, value)),
            (last, _) => {
                values.extend(last);
                self.any_of = Some((filter, values));
            }
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// How many rows are meant, in all parts.
    pub total: usize,
    /// Those of this part.
    pub entries: Vec<Entry>,
    /// The cursor of the part behind; `None` at the end.
    pub next: Option<String>,
}

/// The cursor is none that a page of this list gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the cursor is none of this list")]
pub struct BadCursor;

impl Catalog {
    /// A part of the list of the rows that are meant.
    ///
    /// # Errors
    /// [`BadCursor`].
    pub fn page(&self, ask: &Ask) -> Result<Answer<Page>, BadCursor> {
        let cursor = ask.cursor.as_deref().map(Cursor::parse).transpose()?;
        let shared = read(&self.shared);
        let position = shared.position;
        let empty = Answer {
            position,
            value: Page::default(),
        };
        let Some((of_type, table)) = shared
            .model
            .of_type(ask.aggregate_type)
            .and_then(|of_type| Some((of_type, of_type.table.as_ref()?)))
        else {
            return Ok(empty);
        };
        let Some(meant) = Meant::of(table, ask) else {
            return Ok(empty);
        };
        let (total, mut ordinals) = meant.part(ask, cursor.as_ref());
        let has_more = ordinals.len() > ask.limit;
        ordinals.truncate(ask.limit);
        let next = ordinals
            .last()
            .filter(|_| has_more)
            .map(|last| Cursor::of(table.sort_key(ask.order, *last)).to_text());
        let row_of = |of_type: &OfType, ordinal: &u32| {
            let number = *of_type.rows.get(*ordinal as usize)?;
            shared.model.rows.get(number).cloned()
        };
        let rows: Vec<Row> = ordinals
            .iter()
            .filter_map(|ordinal| row_of(of_type, ordinal))
            .collect();
        drop(shared);
        let page = Page {
            total,
            entries: rows.iter().filter_map(Entry::of).collect(),
            next,
        };
        Ok(Answer {
            position,
            value: page,
        })
    }
}

/// The rows that are meant.
struct Meant<'a> {
    table: &'a Table,
    order: usize,
    descending: bool,
    /// The list that is walked; forwards in the order's own direction.
    list: &'a Sorted,
    /// Ranks in `list` between which the rows lie.
    between: Range<usize>,
    /// Filters that not every row of the list meets, with the number of the value.
    tests: Vec<(usize, u32)>,
    /// The only rows that are meant, where there was a search.
    hits: Option<Vec<u32>>,
}

impl<'a> Meant<'a> {
    /// `None` when there can be none.
    fn of(table: &'a Table, ask: &Ask) -> Option<Self> {
        let listing = table.listing;
        let mut list = table.in_order(ask.order);
        let mut tests = Vec::new();
        for (name, value) in &ask.filters {
            let filter = listing
                .filters
                .iter()
                .position(|known| known.name == *name)?;
            let (rows, number) = table.with(filter, value)?;
            // Lists by value are in the first order only.
            if ask.order == 0 && rows.len() <= list.len() {
                list = rows;
            }
            tests.push((filter, number));
        }
        if ask.order == 0 && tests.len() == 1 {
            // The list holds just these rows.
            tests.clear();
        }
        let order = listing.order(ask.order);
        let mut meant = Meant {
            table,
            order: ask.order,
            descending: order.descending,
            list,
            between: 0..list.len(),
            tests,
            hits: None,
        };
        if order.by.is_by_time() && (ask.from.is_some() || ask.until.is_some()) {
            // Rows without a time have no bytes, and stand before all others.
            let rank = |end: &[u8]| list.rank(|row| meant.bytes(row) < end);
            let first = ask.from.map_or(rank(&[0]), |from| rank(&time_bytes(from)));
            let last = ask
                .until
                .map_or(list.len(), |until| rank(&time_bytes(until)));
            meant.between = first..last.max(first);
        }
        if let Some((name, values)) = &ask.any_of {
            let mut filters = listing.filters.iter();
            let filter = filters.position(|known| known.name == *name)?;
            let lists = values.iter().filter_map(|value| table.with(filter, value));
            meant.hits = Some(lists.flat_map(|(rows, _)| rows.from(0)).collect());
        }
        meant.search(ask)?;
        Some(meant)
    }

    /// Finds the hits, if anything is searched for.
    fn search(&mut self, ask: &Ask) -> Option<()> {
        for (name, text) in ask.searches.iter().filter(|(_, text)| !text.is_empty()) {
            let searches = self.table.listing.searches;
            let search = searches.iter().position(|known| known.name == *name)?;
            let mut found = self.table.search(search, &text.to_lowercase());
            if let Some(others) = self.hits.take() {
                let others = Set::of(&others);
                found.retain(|row| others.has(*row));
            }
            self.hits = Some(found);
        }
        if let Some(mut hits) = self.hits.take() {
            let filters = std::mem::take(&mut self.tests);
            let named = ask.filters.iter().filter_map(|(name, value)| {
                let filters = self.table.listing.filters;
                let filter = filters.iter().position(|known| known.name == *name)?;
                Some((filter, self.table.with(filter, value)?.1))
            });
            let tests: Vec<_> = named.collect();
            hits.retain(|row| self.meets(&tests, *row) && self.is_between(*row));
            self.tests = filters;
            self.hits = Some(hits);
        }
        Some(())
    }

    /// How many there are, and the ordinals of a part with one more, if there is one, that tells that it goes on.
    fn part(&self, ask: &Ask, cursor: Option<&Cursor>) -> (usize, Vec<u32>) {
        let wanted = ask.limit.saturating_add(1);
        match &self.hits {
            Some(hits) if hits.len() <= SORTED_HITS_MAX => {
                (hits.len(), self.sorted(hits, ask, cursor))
            }
            Some(hits) => {
                let set = Set::of(hits);
                let rows = self.walk(self.rest(cursor), |row| set.has(row));
                (hits.len(), rows.skip(ask.skip).take(wanted).collect())
            }
            None if self.tests.is_empty() => {
                let mut rest = self.rest(cursor);
                if self.descending {
                    rest.end = rest.end.saturating_sub(ask.skip).max(rest.start);
                } else {
                    rest.start = rest.start.saturating_add(ask.skip).min(rest.end);
                }
                let rows = self.walk(rest, |_| true);
                (self.between.len(), rows.take(wanted).collect())
            }
            None => {
                let test = |row| self.meets(&self.tests, row);
                let rows = self.walk(self.rest(cursor), test);
                (
                    self.walk(self.between.clone(), test).count(),
                    rows.skip(ask.skip).take(wanted).collect(),
                )
            }
        }
    }

    fn sorted(&self, hits: &[u32], ask: &Ask, cursor: Option<&Cursor>) -> Vec<u32> {
        let mut rows = hits.to_vec();
        rows.sort_unstable_by(|left, right| {
            let key = self.table.sort_key(self.order, *right);
            let forwards = self.table.compare(self.order, *left, key);
            if self.descending {
                forwards.reverse()
            } else {
                forwards
            }
        });
        let is_behind = |row: &u32| cursor.is_none_or(|cursor| self.is_behind(*row, cursor));
        let rest = rows.into_iter().filter(is_behind);
        rest.skip(ask.skip)
            .take(ask.limit.saturating_add(1))
            .collect()
    }

    /// The ranks of the rows behind the cursor.
    fn rest(&self, cursor: Option<&Cursor>) -> Range<usize> {
        let Range { start, end } = self.between;
        let Some(cursor) = cursor else {
            return start..end;
        };
        let compare = |row| self.table.compare(self.order, row, cursor.key());
        if self.descending {
            let before = self.list.rank(|row| compare(row) == Ordering::Less);
            start..before.clamp(start, end)
        } else {
            let behind = self.list.rank(|row| compare(row) != Ordering::Greater);
            behind.clamp(start, end)..end
        }
    }

    fn is_behind(&self, row: u32, cursor: &Cursor) -> bool {
        let wanted = if self.descending {
            Ordering::Less
        } else {
            Ordering::Greater
        };
        self.table.compare(self.order, row, cursor.key()) == wanted
    }

    /// The rows at these ranks that pass, in the order of the list's answer.
    fn walk<'b>(
        &'b self,
        ranks: Range<usize>,
        passes: impl Fn(u32) -> bool + 'b,
    ) -> Box<dyn Iterator<Item = u32> + 'b> {
        let count = ranks.len();
        if self.descending {
            Box::new(
                self.list
                    .back_from(ranks.end)
                    .take(count)
                    .filter(move |row| passes(*row)),
            )
        } else {
            Box::new(
                self.list
                    .from(ranks.start)
                    .take(count)
                    .filter(move |row| passes(*row)),
            )
        }
    }

    fn meets(&self, tests: &[(usize, u32)], row: u32) -> bool {
        tests
            .iter()
            .all(|(filter, number)| self.table.has(row, *filter, *number))
    }

    fn is_between(&self, row: u32) -> bool {
        if self.between == (0..self.list.len()) {
            return true;
        }
        let key = self.table.sort_key(self.order, row);
        let rank = self
            .list
            .rank(|other| self.table.compare(self.order, other, key) == Ordering::Less);
        self.between.contains(&rank)
    }

    fn bytes(&self, row: u32) -> &[u8] {
        self.table.sort_key(self.order, row).bytes
    }
}

/// A set of ordinals.
struct Set(Vec<u64>);

impl Set {
    fn of(rows: &[u32]) -> Self {
        let words = rows.iter().max().map_or(0, |max| *max as usize / 64 + 1);
        let mut set = vec![0; words];
        for row in rows {
            set[*row as usize / 64] |= 1 << (row % 64);
        }
        Set(set)
    }

    fn has(&self, row: u32) -> bool {
        let word = self.0.get(row as usize / 64);
        word.is_some_and(|word| word & (1 << (row % 64)) != 0)
    }
}

/// The last row of a part: the next one begins behind it, whatever was added or taken away meanwhile.
#[derive(Debug, PartialEq, Eq)]
struct Cursor {
    ordinal: u32,
    bytes: Vec<u8>,
    id: String,
}

impl Cursor {
    fn of(key: SortKey<'_>) -> Self {
        Cursor {
            ordinal: key.ordinal,
            bytes: key.bytes.to_vec(),
            id: key.id.to_owned(),
        }
    }

    fn key(&self) -> SortKey<'_> {
        SortKey {
            bytes: &self.bytes,
            id: &self.id,
            ordinal: self.ordinal,
        }
    }

    /// Hexadecimal: the ordinal, the length of the bytes (four bytes each, big-endian), the bytes, the id.
    fn to_text(&self) -> String {
        let mut raw = self.ordinal.to_be_bytes().to_vec();
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        raw.extend_from_slice(&length.to_be_bytes());
        raw.extend_from_slice(&self.bytes);
        raw.extend_from_slice(self.id.as_bytes());
        let mut text = String::with_capacity(raw.len() * 2);
        for byte in raw {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    fn parse(text: &str) -> Result<Self, BadCursor> {
        Cursor::read(text).ok_or(BadCursor)
    }

    fn read(text: &str) -> Option<Self> {
        if !text.len().is_multiple_of(2) {
            return None;
        }
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|digit| u8::try_from(digit.to_digit(16)?).ok())
            .collect();
        let digits = digits?;
        let raw: Vec<u8> = digits
            .chunks_exact(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect();
        let (ordinal, rest) = raw.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (bytes, id) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        Some(Cursor {
            ordinal: u32::from_be_bytes(*ordinal),
            bytes: bytes.to_vec(),
            id: String::from_utf8(id.to_vec()).ok()?,
        })
    }
}

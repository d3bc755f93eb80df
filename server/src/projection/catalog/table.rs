//! The indexes of one aggregate type: what its [`Listing`] asks for, kept row by row.
//!
//! Rows are known by their *ordinal* here: the n-th stream of the type, first is 0. Each index is either a column (a
//! value an ordinal) or a list of ordinals in an order, so that an index of a million rows takes a few megabytes.

mod bulk;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::sync::Arc;

use fleet::listing::{Listing, Order, OrderBy};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use super::found_by::FoundBy;
use super::names::Renamed;
use super::sorted::Sorted;
use super::text::Texts;
use crate::projection::payload::NameList;

/// Most digits of a number in a key that is counted.
const NUMBER_DIGITS_MAX: usize = 9;

/// See the module.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) listing: &'static Listing,
    /// By ordinal.
    ids: Vec<Arc<str>>,
    listed: Vec<bool>,
    /// UUIDs with the ordinals of the rows that go by them. Mostly one: events may claim another row's, and which of several has
    /// it must be the same now and after a start from what was saved.
    aliases: BTreeSet<(u128, u32)>,
    alias_of: HashMap<u32, u128>,
    renamed: Renamed,
    keys: Vec<KeyIndex>,
    filters: Vec<FilterIndex>,
    orders: Vec<OrderIndex>,
    texts: Vec<Texts>,
}

/// One of the listing's keys.
#[derive(Debug, Default)]
struct KeyIndex {
    /// By ordinal.
    values: Vec<Box<str>>,
    hashes: DefaultHashBuilder,
    /// Ordinals by the hash of their value.
    by_value: HashTable<u32>,
    /// The highest number behind each prefix that ever occurred: what comes next is higher.
    highest: HashMap<String, u64>,
}

/// One of the listing's filters.
#[derive(Debug, Default)]
struct FilterIndex {
    names: NameList,
    /// By ordinal: the number of the value's name and one; 0: no value.
    values: Vec<u32>,
    /// By the number of the value's name: the rows that have it, in the first order.
    rows: Vec<Sorted>,
}

/// One of the listing's orders.
#[derive(Debug)]
struct OrderIndex {
    order: Order,
    /// By ordinal.
    bytes: Vec<Box<[u8]>>,
    rows: Sorted,
}

/// A row as an order compares it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SortKey<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) id: &'a str,
    pub(super) ordinal: u32,
}

impl Table {
    pub(super) fn new(listing: &'static Listing) -> Self {
        let orders = (0..listing.orders.len().max(1)).map(|number| OrderIndex {
            order: listing.order(number),
            bytes: Vec::new(),
            rows: Sorted::default(),
        });
        Table {
            listing,
            ids: Vec::new(),
            listed: Vec::new(),
            aliases: BTreeSet::new(),
            alias_of: HashMap::new(),
            renamed: Renamed::default(),
            keys: listing.keys.iter().map(|_| KeyIndex::default()).collect(),
            filters: listing
                .filters
                .iter()
                .map(|_| FilterIndex::default())
                .collect(),
            orders: orders.collect(),
            texts: listing.searches.iter().map(|_| Texts::default()).collect(),
        }
    }

    /// Makes a row found by this and by nothing else. New ordinals come in order.
    pub(super) fn set(&mut self, ordinal: u32, id: &Arc<str>, found_by: Option<FoundBy>) {
        if self.ids.len() == ordinal as usize {
            self.ids.push(Arc::clone(id));
            self.listed.push(false);
        }
        let found_by = self.existing(found_by);
        if self.listed[ordinal as usize] && found_by.is_none() {
            self.leave_orders(ordinal);
            self.set_alias(ordinal, None);
            self.renamed.set(ordinal, None);
            for texts in &mut self.texts {
                texts.set(ordinal, "");
            }
            self.listed[ordinal as usize] = false;
            return;
        }
        let Some(mut found_by) = found_by else { return };
        self.set_names(ordinal, &mut found_by);
        if self.listed[ordinal as usize] {
            self.leave_orders(ordinal);
        }
        self.listed[ordinal as usize] = true;
        self.enter_orders(ordinal, found_by.filters, found_by.sorts);
    }

    /// Adds the next row. Lists lack it until they are [put in order](Table::put_in_order), so none may be asked for, and no
    /// row changed, before that.
    pub(super) fn add(&mut self, id: &Arc<str>, found_by: Option<FoundBy>) {
        let ordinal = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        let found_by = self.existing(found_by);
        self.ids.push(Arc::clone(id));
        self.listed.push(found_by.is_some());
        let Some(mut found_by) = found_by else { return };
        self.set_names(ordinal, &mut found_by);
        for (index, bytes) in self.orders.iter_mut().zip(found_by.sorts) {
            index.set_bytes(ordinal, bytes);
        }
        for (index, value) in self.filters.iter_mut().zip(found_by.filters) {
            index.set_value(ordinal, &value);
        }
    }

    /// Makes the lists of all rows at once: sorting them costs a fraction of putting in one after the other.
    pub(super) fn put_in_order(&mut self) {
        let listed = (0_u32..).zip(&self.listed);
        let listed: Vec<u32> = listed
            .filter_map(|(ordinal, listed)| listed.then_some(ordinal))
            .collect();
        for index in &mut self.orders {
            index.rows = Sorted::of(&bulk::in_order(index, &self.ids, &listed));
        }
        for index in &mut self.filters {
            let mut rows = vec![Vec::new(); index.rows.len()];
            for ordinal in self.orders[0].rows.from(0) {
                let value = index.values.get(ordinal as usize).copied().unwrap_or(0);
                if let Some(number) = value.checked_sub(1) {
                    rows[number as usize].push(ordinal);
                }
            }
            index.rows = rows.iter().map(|rows| Sorted::of(rows)).collect();
        }
    }

    /// What a row that exists is found by. Of one that does not, only the numbers of its keys are noted.
    fn existing(&mut self, found_by: Option<FoundBy>) -> Option<FoundBy> {
        let found_by = found_by?;
        if found_by.exists {
            return Some(found_by);
        }
        for (index, value) in self.keys.iter_mut().zip(&found_by.keys) {
            index.note_number(value);
        }
        None
    }

    /// Has the row found by its UUID, keys and texts.
    fn set_names(&mut self, ordinal: u32, found_by: &mut FoundBy) {
        self.set_alias(ordinal, found_by.alias);
        self.renamed.set(ordinal, found_by.new_key.take());
        for (index, value) in self.keys.iter_mut().zip(&mut found_by.keys) {
            index.set(ordinal, std::mem::take(value));
        }
        for (texts, text) in self.texts.iter_mut().zip(&found_by.texts) {
            texts.set(ordinal, text);
        }
    }

    /// The row with this UUID, of those whose aggregate id is another; the one that began first, should there be several.
    pub(super) fn by_alias(&self, alias: u128) -> Option<u32> {
        let mut having = self.aliases.range((alias, 0)..=(alias, u32::MAX));
        having.next().map(|(_, ordinal)| *ordinal)
    }

    /// The row that goes by this business key, of those that began under another.
    pub(super) fn by_new_key(&self, key: &str) -> Option<u32> {
        self.renamed.find(key)
    }

    /// Whether the row goes by another business key than its id.
    pub(super) fn is_renamed(&self, ordinal: u32) -> bool {
        self.renamed.has(ordinal)
    }

    /// The row that exists with this value of a key; the one that began last, should there be several.
    pub(super) fn by_key(&self, key: usize, value: &str) -> Option<u32> {
        let listed = |ordinal: u32| self.listed[ordinal as usize];
        self.keys.get(key)?.find(value, listed)
    }

    /// The highest number that ever stood behind `prefix` in this key; 0 when there was none.
    pub(super) fn highest_number(&self, key: usize, prefix: &str) -> u64 {
        let index = self.keys.get(key);
        index.map_or(0, |index| index.highest.get(prefix).copied().unwrap_or(0))
    }

    /// Whether lists show the row.
    pub(super) fn is_listed(&self, ordinal: u32) -> bool {
        self.listed.get(ordinal as usize) == Some(&true)
    }

    /// All rows in this order, which runs forwards.
    pub(super) fn in_order(&self, order: usize) -> &Sorted {
        let order = order.min(self.orders.len() - 1);
        &self.orders[order].rows
    }

    /// The rows with this value of a filter, in the first order; `None` when no row ever had it.
    pub(super) fn with(&self, filter: usize, value: &str) -> Option<(&Sorted, u32)> {
        let index = self.filters.get(filter)?;
        let number = index.names.find(value)?;
        let value = u32::try_from(number).ok()? + 1;
        Some((index.rows.get(number)?, value))
    }

    /// The rows in whose text for this search `needle` stands, in no particular order. The needle is in lower case.
    pub(super) fn search(&self, search: usize, needle: &str) -> Vec<u32> {
        self.texts
            .get(search)
            .map_or_else(Vec::new, |texts| texts.find(needle))
    }

    /// Whether the row has this value of a filter, given by its number from [`with`](Table::with).
    pub(super) fn has(&self, ordinal: u32, filter: usize, value: u32) -> bool {
        self.filters[filter].values.get(ordinal as usize) == Some(&value)
    }

    /// The row as an order compares it.
    pub(super) fn sort_key(&self, order: usize, ordinal: u32) -> SortKey<'_> {
        SortKey {
            bytes: self.orders[order.min(self.orders.len() - 1)].bytes_of(ordinal),
            id: &self.ids[ordinal as usize],
            ordinal,
        }
    }

    /// How a row stands to a key in an order that runs forwards.
    pub(super) fn compare(&self, order: usize, ordinal: u32, key: SortKey<'_>) -> Ordering {
        let order = order.min(self.orders.len() - 1);
        compare(&self.orders[order], &self.ids, ordinal, key)
    }

    fn set_alias(&mut self, ordinal: u32, alias: Option<u128>) {
        let held = self.alias_of.get(&ordinal).copied();
        if held == alias {
            return;
        }
        if let Some(held) = held {
            self.aliases.remove(&(held, ordinal));
        }
        match alias {
            Some(alias) => {
                self.alias_of.insert(ordinal, alias);
                self.aliases.insert((alias, ordinal));
            }
            None => {
                self.alias_of.remove(&ordinal);
            }
        }
    }

    fn leave_orders(&mut self, ordinal: u32) {
        let (ids, orders) = (&self.ids, &mut self.orders);
        let first = &orders[0];
        let key = key_of(first, ids, ordinal);
        for filter in &mut self.filters {
            if let Some(value) = filter.values.get_mut(ordinal as usize)
                && let Some(number) = std::mem::take(value).checked_sub(1)
            {
                filter.rows[number as usize]
                    .remove(ordinal, |other| compare(first, ids, other, key));
            }
        }
        for index in orders {
            let mut rows = std::mem::take(&mut index.rows);
            let key = key_of(index, ids, ordinal);
            rows.remove(ordinal, |other| compare(index, ids, other, key));
            index.rows = rows;
        }
    }

    fn enter_orders(&mut self, ordinal: u32, filters: Box<[Box<str>]>, sorts: Box<[Box<[u8]>]>) {
        let ids = &self.ids;
        for (index, bytes) in self.orders.iter_mut().zip(sorts) {
            index.set_bytes(ordinal, bytes);
            let mut rows = std::mem::take(&mut index.rows);
            let key = key_of(index, ids, ordinal);
            rows.insert(ordinal, |other| compare(index, ids, other, key));
            index.rows = rows;
        }
        let first = &self.orders[0];
        let key = key_of(first, ids, ordinal);
        for (index, value) in self.filters.iter_mut().zip(filters) {
            if let Some(number) = index.set_value(ordinal, &value) {
                index.rows[number].insert(ordinal, |other| compare(first, ids, other, key));
            }
        }
    }
}

fn key_of<'a>(index: &'a OrderIndex, ids: &'a [Arc<str>], ordinal: u32) -> SortKey<'a> {
    SortKey {
        bytes: index.bytes_of(ordinal),
        id: &ids[ordinal as usize],
        ordinal,
    }
}

fn compare(index: &OrderIndex, ids: &[Arc<str>], ordinal: u32, key: SortKey<'_>) -> Ordering {
    if index.order.by == OrderBy::Beginning {
        return ordinal.cmp(&key.ordinal);
    }
    let by_bytes = index.bytes_of(ordinal).cmp(key.bytes);
    by_bytes.then_with(|| (*ids[ordinal as usize]).cmp(key.id))
}

impl OrderIndex {
    fn bytes_of(&self, ordinal: u32) -> &[u8] {
        self.bytes.get(ordinal as usize).map_or(&[], |bytes| bytes)
    }

    fn set_bytes(&mut self, ordinal: u32, bytes: Box<[u8]>) {
        if bytes.is_empty() && self.bytes.len() <= ordinal as usize {
            return;
        }
        if self.bytes.len() <= ordinal as usize {
            self.bytes.resize(ordinal as usize + 1, Box::default());
        }
        self.bytes[ordinal as usize] = bytes;
    }
}

impl FilterIndex {
    /// Notes the row's value; its number, if it is one.
    fn set_value(&mut self, ordinal: u32, value: &str) -> Option<usize> {
        if self.values.len() <= ordinal as usize {
            self.values.resize(ordinal as usize + 1, 0);
        }
        if value.is_empty() {
            return None;
        }
        let number = self.names.number(value);
        if self.rows.len() <= number {
            self.rows.resize_with(number + 1, Sorted::default);
        }
        self.values[ordinal as usize] = u32::try_from(number).map_or(0, |number| number + 1);
        Some(number)
    }
}

impl KeyIndex {
    fn set(&mut self, ordinal: u32, value: Box<str>) {
        let place = ordinal as usize;
        if self.values.len() <= place {
            self.values.resize(place + 1, Box::default());
        }
        if self.values[place] == value {
            return;
        }
        let held = self.hashes.hash_one(&*self.values[place]);
        if let Ok(entry) = self.by_value.find_entry(held, |other| *other == ordinal) {
            entry.remove();
        }
        self.note_number(&value);
        self.values[place] = value;
        let (values, hashes) = (&self.values, &self.hashes);
        if !values[place].is_empty() {
            let hash = hashes.hash_one(&*values[place]);
            self.by_value.insert_unique(hash, ordinal, |other| {
                hashes.hash_one(&*values[*other as usize])
            });
        }
    }

    /// Has numbers that are given from now on be higher than this value's.
    fn note_number(&mut self, value: &str) {
        if let Some((prefix, number)) = numbered(value) {
            let highest = self.highest.entry_ref(prefix).or_default();
            *highest = (*highest).max(number);
        }
    }

    fn find(&self, value: &str, counts: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = self.hashes.hash_one(value);
        let found = self.by_value.iter_hash(hash).copied();
        found
            .filter(|ordinal| *self.values[*ordinal as usize] == *value && counts(*ordinal))
            .max()
    }
}

/// What leads the number at the end of a key, and the number: `WO-2026-` and 17. A longer number than
/// [`NUMBER_DIGITS_MAX`] is none of a series: one event that brings it must not end the numbers that follow.
fn numbered(value: &str) -> Option<(&str, u64)> {
    let prefix = value.trim_end_matches(|character: char| character.is_ascii_digit());
    let digits = &value[prefix.len()..];
    if digits.len() > NUMBER_DIGITS_MAX {
        return None;
    }
    Some((prefix, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn a_key_is_what_leads_and_a_number() {
        assert_eq!(numbered("WO-2026-0017"), Some(("WO-2026-", 17)));
        assert_eq!(numbered("WO-2026-"), None);
        assert_eq!(numbered(""), None);
        assert_eq!(
            numbered("WO-2026-999999999"),
            Some(("WO-2026-", 999_999_999))
        );
        assert_eq!(numbered("WO-2026-1000000000"), None);
        assert_eq!(numbered("WO-2026-18446744073709551615"), None);
        assert_eq!(numbered("WO-99999999999999999999999"), None);
    }
}

//! A page of the events that make a figure.

use std::collections::BinaryHeap;

/// The first of one side's events behind a position, and how many the side has in all.
#[derive(Debug)]
pub struct Page {
    after: u64,
    limit: usize,
    /// With the last one on top.
    first: BinaryHeap<(u64, i64)>,
    /// What stands behind this position is not on the page: the last one's once it is full.
    last: u64,
    events: u64,
}

impl Page {
    /// Of `limit` events, at least one, behind this position.
    pub fn new(after: u64, limit: usize) -> Self {
        Page {
            after,
            limit,
            first: BinaryHeap::with_capacity(limit + 1),
            last: u64::MAX,
            events: 0,
        }
    }

    /// Takes in what an event adds. Each event adds once to a side; what no event adds has position 0.
    #[inline]
    pub(super) fn take(&mut self, position: u64, amount: i64) {
        self.events += u64::from(position > 0);
        if self.after < position && position <= self.last {
            self.put(position, amount);
        }
    }

    /// Behind which position the page begins, and up to which one an event can still come onto it.
    pub(super) fn reach(&self) -> (u64, u64) {
        (self.after, self.last)
    }

    /// Counts events that do not come onto the page.
    pub(super) fn count(&mut self, events: u64) {
        self.events += events;
    }

    fn put(&mut self, position: u64, amount: i64) {
        self.first.push((position, amount));
        if self.first.len() > self.limit {
            self.first.pop();
        }
        if self.first.len() == self.limit {
            let last = self.first.peek();
            self.last = last.map_or(u64::MAX, |(position, _)| *position);
        }
    }

    /// How many events the side has, on this page and on others.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Its positions with what each adds, in the order of the log, and where the next page begins.
    pub fn finish(self) -> (Vec<(u64, i64)>, Option<u64>) {
        let is_full = self.first.len() == self.limit;
        let page = self.first.into_sorted_vec();
        let next = page.last().map(|(position, _)| *position);
        (page, next.filter(|_| is_full))
    }
}

//! What is few and changes no sum by day: parts, what is asked of them, the staff, departures. Figures walk it.

use super::Store;
use crate::facts::{ClockedFacts, DepartureFacts, Issue, PartFacts, PersonFacts, RequestFacts};

/// Sets what stands at an index of a list, which grows up to it.
fn set<T: Default>(list: &mut Vec<T>, index: usize, item: T) {
    if list.len() <= index {
        list.resize_with(index + 1, T::default);
    }
    list[index] = item;
}

impl Store {
    /// The parts.
    pub fn parts(&self) -> &[PartFacts] {
        &self.facts.parts
    }

    /// Sets what a part is; `index` is that of a part, or the next one. What became of it stays.
    pub fn set_part(&mut self, index: usize, part: PartFacts) {
        let known = self.facts.parts.get_mut(index).map(std::mem::take);
        let known = known.unwrap_or_default();
        let part = PartFacts {
            stock: known.stock,
            issues: known.issues,
            ..part
        };
        set(&mut self.facts.parts, index, part);
    }

    /// Some of a part came or went.
    pub fn stock_moves(&mut self, part: usize, at: i64, position: u64, delta: i64) {
        self.facts.parts[part].moves(at, position, delta);
    }

    /// Some of a part was used.
    pub fn is_used(&mut self, part: usize, issue: Issue) {
        self.facts.parts[part].is_used(issue);
    }

    /// Sets what an order asks of the store; `index` is that of a request, or the next one.
    pub fn set_request(&mut self, index: usize, request: RequestFacts) {
        set(&mut self.facts.requests, index, request);
    }

    /// Sets what a person can do; `index` is that of a person, or the next one.
    pub fn set_person(&mut self, index: usize, person: PersonFacts) {
        set(&mut self.facts.people, index, person);
    }

    /// Sets what was clocked; `index` is that of such a time, or the next one.
    pub fn set_clocked(&mut self, index: usize, clocked: ClockedFacts) {
        set(&mut self.facts.clocked, index, clocked);
    }

    /// Sets a departure; `index` is that of a departure, or the next one.
    pub fn set_departure(&mut self, index: usize, departure: DepartureFacts) {
        set(&mut self.facts.departures, index, departure);
    }
}

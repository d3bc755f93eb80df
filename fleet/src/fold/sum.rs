//! Totals of deltas: stock that moves change, a budget that invoices are booked on.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::state::Named;
use crate::event::Stamp;
use crate::money::Money;
use crate::schema::check::integer;

/// A total: an opening value and deltas, which add up in any order.
///
/// Two tablets that each report a withdrawal have both taken something; whichever arrives last must not overwrite the
/// other. Deltas count whenever they occurred, before the opening too: what is known is the movement, not the moment.
/// Only the fields that the tables name for it open a total; a part's is opened by its creation alone.
/// Sums wrap within 64 bits, so that no order of deltas gives another total than its reverse.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct Sum {
    unit: Unit,
    opening: Value,
    opened: Stamp,
    added: i64,
}

/// What a delta counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Unit {
    /// Whole pieces, a JSON number.
    Pieces,
    /// Hundredths of money, a JSON string.
    Hundredths,
}

impl Unit {
    /// The amount that `value` stands for in this unit; anything else is none.
    pub(super) fn amount(self, value: &Value) -> i64 {
        let amount = match self {
            Unit::Pieces => integer(value),
            Unit::Hundredths => Money::of_json(value).map(Money::hundredths),
        };
        amount.unwrap_or(0)
    }
}

impl Sum {
    /// Nothing added yet to this opening value.
    pub(super) fn opened(unit: Unit, opening: Value, opened: Stamp) -> Self {
        Sum {
            unit,
            opening,
            opened,
            added: 0,
        }
    }

    /// Takes in a plain value: the latest one is what deltas are added to.
    pub(super) fn open(&mut self, value: &Value, stamp: Stamp) {
        if self.opened <= stamp {
            self.opening.clone_from(value);
            self.opened = stamp;
        }
    }

    /// Takes in a delta.
    pub(super) fn add(&mut self, delta: i64) {
        self.added = self.added.wrapping_add(delta);
    }

    /// The total, counting an opening value only when it was told after `since`.
    pub(super) fn total_since(&self, since: Stamp) -> i64 {
        let opening = (self.opened > since).then(|| self.unit.amount(&self.opening));
        opening.unwrap_or(0).wrapping_add(self.added)
    }

    /// The total as JSON.
    pub(super) fn value_since(&self, since: Stamp) -> Value {
        let total = self.total_since(since);
        match self.unit {
            Unit::Pieces => Value::from(total),
            Unit::Hundredths => Money::of_hundredths(total).to_json(),
        }
    }
}

/// Totals by name: how much of a part lies where, how much of an order's line has come.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Sums(Named<i64>);

impl Sums {
    pub(super) fn add(&mut self, name: &str, delta: i64) {
        let held = self.0.get_or_insert(name, || 0);
        *held = held.wrapping_add(delta);
    }

    pub(super) fn get(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// What is not zero, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, i64)> {
        self.0
            .iter()
            .map(|(name, total)| (name, *total))
            .filter(|(_, total)| *total != 0)
    }

    pub(super) fn value(&self) -> Value {
        let totals = self
            .iter()
            .map(|(name, total)| (name.to_owned(), Value::from(total)));
        Value::Object(totals.collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests;

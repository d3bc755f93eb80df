//! Parts: how many there are, what is used of them, and what orders ask for.

use std::collections::HashMap;

use analytics::facts::{Issue, PartFacts, RequestFacts};
use fleet::{Folded, part};
use serde_json::{Map, Value};
use storage::EventRef;

use super::Folding;
use super::told::{Latest, Told, cents, text, time};
use crate::projection::view;

/// Names that a part has among what an order asks for, and those of how many it asks for.
const PART_NAMES: &[&str] = &["part_no", "part_number", "part_id"];
const QUANTITIES: &[&str] = &["quantity", "qty", "quantity_required"];

/// Parts by number, and how many of each.
type Asked = Box<[(u32, i64)]>;

/// What an order asks for, parts by number; and where it stands among the facts.
#[derive(Debug, Default)]
struct Request {
    index: usize,
    /// The position of the event that asks, and for how many of which parts.
    asked: Latest<(u64, Asked)>,
}

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Stores {
    parts: HashMap<Box<str>, (usize, Folded)>,
    /// What orders ask for, by the order's number.
    requests: HashMap<usize, Request>,
}

impl Folding {
    /// The number of a part; one that was not heard of is known by its name from here on.
    fn part_number(&mut self, name: &str) -> usize {
        if let Some((index, _)) = self.stores.parts.get(name) {
            return *index;
        }
        let index = self.stores.parts.len();
        let state = (index, Folded::default());
        self.stores.parts.insert(name.into(), state);
        let part = PartFacts {
            number: name.into(),
            ..PartFacts::default()
        };
        self.store.set_part(index, part);
        index
    }

    pub(super) fn fold_part(
        &mut self,
        event: &EventRef<'_>,
        told: &Told<'_>,
        given: &Map<String, Value>,
    ) {
        let index = self.part_number(told.id);
        let Some((_, state)) = self.stores.parts.get_mut(told.id) else {
            return;
        };
        state.fold(&view(event, given));
        let part = PartFacts {
            number: told.id.into(),
            level: part::level(state),
            least: part::least_level(state),
            exists: state.exists(),
            price_cents: state
                .get("unit_price")
                .as_ref()
                .and_then(cents)
                .unwrap_or(0),
            ..PartFacts::default()
        };
        self.store.set_part(index, part);
        let (at, position) = (told.when.0, told.position);
        let delta = match told.known.event.event_type {
            part::event::PART_CREATED => told.data.get(part::schema::STOCK_KEY),
            part::event::STOCK_LEVEL_CHANGED => told.data.get("delta"),
            _ => None,
        };
        if let Some(delta) = delta.and_then(Value::as_i64).filter(|delta| *delta != 0) {
            self.store.stock_moves(index, at, position, delta);
        }
    }

    pub(super) fn fold_move(&mut self, told: &Told<'_>) {
        let is_usage = told.word("move_type").is_some_and(|word| *word == *"USAGE");
        let quantity = told.get("quantity").and_then(Value::as_i64);
        let (Some(part), Some(quantity), true) = (told.word("part_no"), quantity, is_usage) else {
            return;
        };
        let index = self.part_number(&part);
        let issue = Issue {
            at: told
                .get("performed_at")
                .and_then(time)
                .unwrap_or(told.when.0),
            position: told.position,
            quantity,
        };
        self.store.is_used(index, issue);
    }

    /// What the order of this number asks for, where this event or one before it says so.
    pub(super) fn fold_request(&mut self, order: usize, is_void: bool, told: &Told<'_>) {
        if let Some(Value::Array(items)) = told.get("required_parts") {
            let asked = items.iter().filter_map(|item| {
                let of = |names: &[&str]| names.iter().find_map(|name| item.get(name));
                let part = text(item).or_else(|| of(PART_NAMES).and_then(text))?;
                let quantity = of(QUANTITIES).and_then(Value::as_i64).unwrap_or(1);
                Some((u32::try_from(self.part_number(part)).ok()?, quantity))
            });
            let asked: Box<[(u32, i64)]> = asked.collect();
            let next = Request {
                index: self.stores.requests.len(),
                ..Request::default()
            };
            if !asked.is_empty() || self.stores.requests.contains_key(&order) {
                let request = self.stores.requests.entry(order).or_insert(next);
                request.asked.set(Some((told.position, asked)), told.when);
            }
        }
        if let Some(Request { index, asked }) = self.stores.requests.get(&order) {
            let (position, parts) = asked.value.clone().unwrap_or_default();
            let request = RequestFacts {
                at: asked.when.0,
                position,
                parts,
                is_void,
            };
            self.store.set_request(*index, request);
        }
    }
}

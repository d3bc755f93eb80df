//! Money: who approves it, and what was committed.

use fleet::step::{Covers, Writers};
use fleet::{budget, cost_center, invoice, purchase_order};
use serde_json::{Value, json};
use storage::{ReadError, StreamName, StreamRange, Version};

use super::Survey;
use crate::app::AppState;
use crate::envelope;
use crate::projection::view;

/// Aggregates that are about money.
pub(super) const FINANCIAL: &[&str] = &[
    invoice::AGGREGATE_TYPE,
    budget::AGGREGATE_TYPE,
    cost_center::AGGREGATE_TYPE,
    purchase_order::AGGREGATE_TYPE,
];
/// What approves a record, and what commits money that must have been approved.
pub(super) const APPROVALS: &[&str] = &[
    purchase_order::event::PURCHASE_ORDER_APPROVED,
    invoice::event::INVOICE_APPROVED,
];
pub(super) const COMMITMENTS: &[&str] = &[
    purchase_order::event::PURCHASE_ORDER_ORDERED,
    invoice::event::INVOICE_EXPORTED,
    invoice::event::INVOICE_PAID,
];

impl Survey {
    /// Holds an approval, or a commitment, against what came before it in its stream.
    pub(super) fn see_money(
        &mut self,
        state: &AppState,
        stream: &StreamName,
        version: u32,
        event_type: &str,
        mut line: Value,
        user: Option<&str>,
    ) -> Result<(), ReadError> {
        let before = StreamRange {
            to: Version::new(version),
            ..StreamRange::default()
        };
        let covers: Covers = match &*stream.aggregate_type {
            invoice::AGGREGATE_TYPE => invoice::covered,
            _ => purchase_order::covered,
        };
        let mut writers = Writers::of(covers);
        let (mut creator, mut approved) = (None, false);
        let mut reader = state.log.read_stream(stream, &before);
        while let Some(event) = reader.next() {
            let event = match event {
                Ok(event) => event,
                Err(ReadError::Damaged { .. }) => continue,
                Err(error) => return Err(error),
            };
            let by = envelope::user_id(event.tags());
            let data = serde_json::from_slice(event.data()).unwrap_or_default();
            // What is looked at as well: an approval may bring lines of its own.
            writers.take_in(&view(&event, &data), by);
            if event.version().get() == 1 {
                creator = by.map(str::to_owned);
            }
            let is_earlier = event.version().get() < version;
            approved |= is_earlier && APPROVALS.contains(&event.event_type());
        }
        if APPROVALS.contains(&event_type) {
            self.approvals += 1;
            if user.is_some_and(|user| writers.include(|name| name == user)) {
                line["created_by"] = json!(creator);
                self.self_approvals.add(|| line);
            }
        } else {
            self.commitments += 1;
            if !approved {
                self.unapproved.add(|| line);
            }
        }
        Ok(())
    }
}

//! Money: who approves it, and what was committed.

use fleet::{budget, cost_center, invoice, purchase_order};
use serde_json::{Value, json};
use storage::{ReadError, StreamName, StreamRange, Version};

use super::Survey;
use crate::app::AppState;
use crate::envelope;

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
        let (mut creator, mut approved) = (None, false);
        let mut reader = state.log.read_stream(stream, &before);
        while let Some(event) = reader.next() {
            match event {
                Ok(event) if event.version().get() == version => {}
                Ok(event) => {
                    if event.version().get() == 1 {
                        creator = envelope::user_id(event.tags()).map(str::to_owned);
                    }
                    approved |= APPROVALS.contains(&event.event_type());
                }
                Err(ReadError::Damaged { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        if APPROVALS.contains(&event_type) {
            self.approvals += 1;
            if user.is_some() && creator.as_deref() == user {
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

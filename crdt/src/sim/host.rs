//! What the depot asks in the simulation: times and chains from the log, and a simple domain.

use crate::clock::LogPosition;
use crate::entity::{Change, EntityTable};
use crate::replica::DeviceId;
use crate::sync::{
    Chain, Hold, Host, Judge, Judgement, Operation, Record, RecordBody, Rejection, Request,
};

/// The log's facts and a simple domain, for admission.
pub(super) struct LogHost<'a>(pub(super) &'a [Record]);

impl Judge for LogHost<'_> {
    /// Odd devices outrank even ones over priorities; nobody sets a work order to "cancelled"; zero parts need a person.
    fn judge(&self, request: &Request<'_>) -> Judgement {
        match request.change {
            Change::Set(value) if *value == crate::Value::text("cancelled") => {
                Judgement::Reject(Rejection::IllegalTransition)
            }
            Change::Add(0) => Judgement::Hold(Hold::Implausible),
            _ if request.row.name == "priority" => Judgement::Allow {
                rank: u8::try_from(request.device.get() % 2).unwrap_or(0),
            },
            _ => Judgement::Allow { rank: 0 },
        }
    }

    fn judge_creation(
        &self,
        _: DeviceId,
        operation: &Operation,
        _: &'static EntityTable,
    ) -> Judgement {
        if operation.user % 7 == 3 {
            Judgement::Reject(Rejection::NotAuthorised)
        } else {
            Judgement::Allow { rank: 0 }
        }
    }
}

impl Host for LogHost<'_> {
    fn time_of(&self, position: LogPosition) -> u64 {
        usize::try_from(position.get())
            .ok()
            .and_then(|index| self.0.get(index - 1))
            .map_or(0, |record| record.time_ms)
    }

    fn chain_at(&self, of: DeviceId, seq: u64) -> Option<Chain> {
        self.0.iter().find_map(|record| match &record.body {
            RecordBody::Operation {
                device,
                operation,
                chain,
                ..
            } if *device == of && operation.seq == seq => Some(*chain),
            _ => None,
        })
    }
}

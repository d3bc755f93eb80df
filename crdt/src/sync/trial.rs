//! What a push would come to, with nothing changed: for a caller whose log has to have it first.
//!
//! An operation is folded on trial, and taken back, only where another one of the same frame meets what it left behind.
//! All others are judged on the state as it is; what they come to is worked out without folding
//! ([`crate::collapsed::After`]), and they are folded once, when the log has them.

use super::admission::{PushError, PushRequest};
use super::answer::PushAnswer;
use super::depot::Depot;
use super::device::Device;
use super::host::Host;
use super::operation::{Operation, OperationBody};
use super::record::{Record, RecordBody};
use super::verdict::Verdict;
use crate::collapsed::Handle;
use crate::replica::DeviceId;

/// The entities that an operation of a frame meets as an earlier one of the same frame left them.
pub(super) enum MetAgain {
    /// Any: the frame creates some, or brings what another store may have brought.
    Any,
    /// These, rising.
    These(Vec<Handle>),
}

impl MetAgain {
    /// Whether the operation of this record has to be folded on trial.
    pub(super) fn includes(&self, record: &Record) -> bool {
        let RecordBody::Operation { handle, .. } = &record.body else {
            return true;
        };
        match self {
            MetAgain::Any => true,
            MetAgain::These(handles) => {
                handle.is_some_and(|handle| handles.binary_search(&handle).is_ok())
            }
        }
    }
}

impl Depot {
    /// What [`Depot::push`] would admit and answer, changing nothing: for a caller that appends the records first and
    /// folds them as the log has them, at the positions that the log gave them. The positions in verdicts are a guess
    /// until then.
    ///
    /// # Errors
    /// As [`Depot::push`].
    pub fn judge_push(
        &mut self,
        bytes: &[u8],
        request: &PushRequest,
        host: &dyn Host,
    ) -> Result<(Vec<Record>, PushAnswer), PushError> {
        let before = self.devices.get(&request.device).map(Device::place);
        let (head, last_time_ms) = (self.head, self.last_time_ms);
        self.trial = Some(Vec::new());
        self.store.begin_trial();
        let judged = self.push(bytes, request, host);
        self.store.end_trial();
        for former in self.trial.take().unwrap_or_default() {
            self.renumbered.remove(&former);
        }
        (self.head, self.last_time_ms) = (head, last_time_ms);
        if let (Some(held), Some(before)) = (self.devices.get_mut(&request.device), before) {
            held.put_back(before);
        }
        judged
    }

    /// See [`MetAgain`]. Outside a trial everything is folded anyway.
    pub(super) fn met_again(&self, operations: &[Operation], device: DeviceId) -> MetAgain {
        if self.trial.is_none() || operations.iter().any(creates_or_repeats) {
            return MetAgain::Any;
        }
        if operations.len() < 2 {
            return MetAgain::These(Vec::new());
        }
        let changed = |operation: &Operation| match operation.body {
            OperationBody::Change { entity, .. } => self.handle_of(device, entity),
            OperationBody::Create { .. } => None,
        };
        let mut handles: Vec<Handle> = operations.iter().filter_map(changed).collect();
        handles.sort_unstable();
        let mut again: Vec<Handle> = handles
            .windows(2)
            .filter(|pair| pair.first() == pair.last())
            .filter_map(|pair| pair.first().copied())
            .collect();
        again.dedup();
        MetAgain::These(again)
    }

    /// Goes past an operation that is judged and not folded: the next one is judged behind it. Answers its verdict.
    pub(super) fn go_past(&mut self, record: &Record) -> Verdict {
        self.head = self.head.next();
        self.last_time_ms = record.time_ms;
        let RecordBody::Operation {
            device,
            operation,
            handle,
            chain,
            verdict,
            ..
        } = &record.body
        else {
            return Verdict::Duplicate;
        };
        if let Some(device) = self.devices.get_mut(device) {
            device.pass(operation.seq, *chain);
        }
        let verdict = verdict.at(self.head);
        let shows = || {
            let made = record.body.made(self.head)?;
            Some(self.store.get((*handle)?).ok()?.would_show(&made))
        };
        match verdict {
            Verdict::Applied(position) if shows() == Some(false) => Verdict::Superseded(position),
            verdict => verdict,
        }
    }
}

/// Whether later operations of the frame may depend on this one in another way than by the entity that it names.
fn creates_or_repeats(operation: &Operation) -> bool {
    operation.former.is_some() || matches!(operation.body, OperationBody::Create { .. })
}

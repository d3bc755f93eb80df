//! What an event's metadata says of the operation that it carries: enough to fold the log again without deciding anew.
//!
//! `metadata.crdt` holds the operation as it was received (a frame of one operation, `docs/CRDT_SYNC.md` §6, written
//! against its own base and no time), what admission decided, and the same once more for people who read the trail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use crdt::json::stamp_to_text;
use crdt::sync::{
    Adjustment, Basis, Chain, Depot, Frame, Hold, Operation, Record, RecordBody, Rejection, Verdict,
};
use crdt::{DeviceId, LogPosition, Stamp};
use serde::{Deserialize, Serialize};

/// The member of an event's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// The device's number.
    pub(super) device: u32,
    /// The operation's number at the device.
    pub(super) seq: u64,
    /// What the client calls it.
    pub(super) operation: String,
    /// The position that the writer had seen.
    base: u64,
    /// When, by the device's clock.
    claimed: String,
    /// When, as everybody compares it.
    effective: String,
    /// The same, exactly: 16 hexadecimal digits.
    stamp: String,
    rank: u8,
    chain: String,
    verdict: String,
    frame: String,
}

/// Metadata that may hold a note; everything else in it is passed over.
#[derive(Deserialize)]
struct Noted {
    crdt: Option<Note>,
}

/// The note in an event's metadata, if there is one. Whether it is to be believed says [`super::carrier::note_of`].
pub(super) fn read(metadata: &[u8]) -> Option<Note> {
    // Most events have none, and need not be parsed to see it.
    memchr::memmem::find(metadata, b"\"crdt\"")?;
    serde_json::from_slice::<Noted>(metadata).ok()?.crdt
}

impl Note {
    /// The note of an admitted operation. `before` is the device's chain before it.
    pub(super) fn of(
        record: &RecordBody,
        before: Chain,
        depot: &Depot,
        name: &str,
    ) -> Option<Self> {
        let RecordBody::Operation {
            device,
            operation,
            stamp,
            rank,
            chain,
            acknowledged,
            verdict,
            ..
        } = record
        else {
            return None;
        };
        let basis = Basis::new(operation.base, 0);
        let frame = Frame {
            acknowledged: *acknowledged,
            chain: before.check(&basis),
            operations: vec![operation.clone()],
        };
        Some(Note {
            device: device.get(),
            seq: operation.seq,
            operation: name.to_owned(),
            base: operation.base.get(),
            claimed: stamp_to_text(operation.stamp),
            effective: stamp_to_text(*stamp),
            stamp: format!("{:016x}", stamp.bits()),
            rank: *rank,
            chain: format!("{:016x}", chain.0),
            verdict: verdict_text(verdict),
            frame: STANDARD_NO_PAD.encode(frame.encode(&basis, depot)),
        })
    }

    /// The record that the note tells of, at `position`.
    pub(super) fn record(
        &self,
        depot: &Depot,
        position: LogPosition,
        time_ms: u64,
    ) -> Option<Record> {
        let bytes = STANDARD_NO_PAD.decode(&self.frame).ok()?;
        let device = DeviceId::new(self.device);
        let basis = Basis::new(LogPosition::new(self.base), 0);
        let frame = Frame::decode(&bytes, &basis, depot).ok()?;
        let operation: Operation = frame.operations.into_iter().next()?;
        let handle = match &operation.body {
            crdt::sync::OperationBody::Create { .. } => None,
            crdt::sync::OperationBody::Change { entity, .. } => depot.resolve(device, *entity),
        };
        Some(Record {
            time_ms,
            body: RecordBody::Operation {
                device,
                operation,
                handle,
                stamp: Stamp::from_bits(u64::from_str_radix(&self.stamp, 16).ok()?),
                rank: self.rank,
                chain: self.chain()?,
                acknowledged: frame.acknowledged,
                verdict: verdict_of(&self.verdict, position)?,
            },
        })
    }

    /// The verdict, as [`verdict_text`] has it.
    pub(super) fn verdict(&self) -> &str {
        &self.verdict
    }

    /// The chain after the operation.
    pub(super) fn chain(&self) -> Option<Chain> {
        u64::from_str_radix(&self.chain, 16).ok().map(Chain)
    }
}

/// A verdict as text, without its position: `adjusted:clock`.
pub(super) fn verdict_text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Applied(_) => "applied".to_owned(),
        Verdict::Superseded(_) => "superseded".to_owned(),
        Verdict::Adjusted(_, code) => format!("adjusted:{}", code.code()),
        Verdict::Rejected(_, code) => format!("rejected:{}", code.code()),
        Verdict::Held(_, code) => format!("held:{}", code.code()),
        Verdict::Duplicate => "duplicate".to_owned(),
    }
}

fn verdict_of(text: &str, position: LogPosition) -> Option<Verdict> {
    let (word, code) = text.split_once(':').unwrap_or((text, ""));
    Some(match word {
        "applied" => Verdict::Applied(position),
        "superseded" => Verdict::Superseded(position),
        "adjusted" => Verdict::Adjusted(position, Adjustment::of(code)?),
        "rejected" => Verdict::Rejected(position, Rejection::of(code)?),
        "held" => Verdict::Held(position, Hold::of(code)?),
        _ => return None,
    })
}

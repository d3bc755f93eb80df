//! The protocol between a depot's server and its tablets, as two pure state machines and the bytes between them.
//!
//! [`Tablet`] makes operations, keeps them until the server has judged them, and shows the server's state with them on
//! top. [`Depot`] judges: exactly once by (device, seq), causality by `base`, one frozen stamp, one verdict per
//! operation; it answers what changed since a cursor. Neither does I/O: frames, pages and records go in and out as
//! values, the [`Host`] supplies what only the log and the domain know. The server runs a [`Depot`] beside its log; the
//! simulation of this crate runs both against lost, doubled and late messages.

mod admission;
mod answer;
mod chain;
mod change_codec;
mod cursor;
mod depot;
mod device;
mod digest;
mod escrow;
mod frame;
mod host;
mod operation;
mod page;
mod page_codec;
mod pull;
mod record;
mod saved;
mod shared;
mod tablet;
mod trial;
mod verdict;

pub use admission::{PushError, PushRequest};
pub use answer::PushAnswer;
pub use chain::{Chain, ChainCheck, xxh64};
pub use cursor::Cursor;
pub use depot::Depot;
pub use device::DeviceStatus;
pub use digest::{Digest, digest_of_view};
pub use escrow::{EscrowError, LeaseId, StockLedger};
pub use frame::{Basis, FRAME_BYTES_MAX, Frame, OPERATIONS_MAX, Tables};
pub use host::{Host, Judge, Judgement, Request};
pub use operation::{EntityRef, Former, Operation, OperationBody};
pub use page::{Page, Slot};
pub use pull::{PullRequest, Scope};
pub use record::{Record, RecordBody};
pub use shared::EncodedPage;
pub use tablet::{Tablet, TabletError};
pub use verdict::{Adjustment, Hold, Rejection, Verdict};

#[cfg(test)]
mod tests;

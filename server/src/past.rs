//! The past: any stream's state at any moment, in either time, in the time that a few dozen events take to fold.
//!
//! On the data path this stands beside the read models: they know the present, this answers for every moment before.
//! A [`Moment`] bounds a stream twice: to a prefix of its versions (`version`, `position`, `as_of`), and within it to
//! what had happened by `at`. A fold does not depend on the order of its events ([`fleet::fold`]), so the answer is the
//! fold of that set, whichever way it is reached.
//!
//! A stream's [`timeline`] keeps the state before every 64th event and, where events arrived late, also in the order in
//! which they happened. An answer starts from the nearest of these states and folds what is left. Timelines are made
//! when a stream is first asked about, kept in memory by [`cache`], and saved as the log's snapshots of the stream.
//! All of it can be deleted; answers are then slower, not other.

mod cache;
mod cause;
mod diff;
mod folded;
mod folding;
mod moment;
pub mod restore;
mod steps;
#[cfg(test)]
mod tests;
mod timeline;

pub use cache::{Past, PastStats};
pub use cause::Cause;
pub(crate) use cause::stream_request;
pub use diff::{Difference, diff};
pub use folded::{Folded, Last};
pub use moment::{Bounds, Moment};
pub use steps::Steps;

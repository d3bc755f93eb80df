//! How fast, how small: one file per question, each answered against its limit or a peer measured in the same run.
//!
//! ```text
//! question/ (what is asked) ─▶ row (measured, reference, bar) ─▶ report (one table, out/bench.json)
//!      │
//!      ├── event (the 300-byte event), raw (the disk's own limit), sample (percentiles)
//!      └── process (/proc), machine, scratch (a folder on the same disk), child (a process to measure or to kill)
//! ```
//!
//! A machine is never quiet, so what is compared is measured in turns, round after round, and judged by the median of
//! the rounds' ratios. Every question also runs at a tiny size in `tests/tiny.rs`, where only its working is checked:
//! no test fails for being slow.

pub mod batch;
pub mod child;
pub mod depot;
pub mod event;
pub mod fill;
pub mod http;
pub mod machine;
pub mod past;
pub mod peer;
pub mod process;
pub mod question;
pub mod raw;
pub mod report;
pub mod row;
pub mod sample;
pub mod scale;
pub mod scratch;
pub mod seed;
pub mod setting;

mod error;

pub use error::BenchError;

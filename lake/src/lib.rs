//! The log's history as Parquet, for whoever asks it with an engine of their own.
//!
//! ```text
//! Log ─▶ spans of positions (plan) ─▶ events into typed columns (table, column) ─▶ files ─▶ the place (target)
//!    └▶ streams folded (states) ────▶ the same columns ──────────────────────────▶ files ─┘      │
//!                                                                     manifest.json, last of all ◀┘
//! ```
//!
//! An export writes files first and the manifest that names them last, in one replacement. Whoever reads the files that
//! `manifest.json` names sees one moment of the log and nothing half-written. Files are never changed: what is new gets new
//! files, and what a newer manifest does not name any more goes an hour later, or at once where somebody was erased.
//!
//! Beside it, at the same place, lie training rows ([`FeatureWriter`], [`FeatureReader`]), with a manifest of their own.
//!
//! `docs/LAKE.md` draws the layout and asks it in three engines.

mod column;
mod damage;
mod error;
mod events;
mod export;
mod features;
mod keys;
mod manifest;
mod payload;
mod plan;
mod states;
mod strays;
mod table;
mod target;
#[cfg(test)]
mod tests;

pub use error::{LakeError, Why};
pub use export::{Export, Report, export, read_manifest};
pub use features::{
    FeatureColumn, FeatureFile, FeatureManifest, FeatureReader, FeatureRow, FeatureWriter,
};
pub use manifest::{FileEntry, Gap, MANIFEST_NAME, Manifest, Span};
pub use plan::SPAN_EVENTS;
pub use target::{Patience, Target};
